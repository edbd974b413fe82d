"""Plain result objects of signing and removing; verifying does without them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..codec.errors import TimestampError
    from ..codec.signature.location import Location
    from ..codec.signature.removal import RemovedSignature
    from .trust.certificates import Certificate


@dataclass(frozen=True, slots=True)
class SigningReceipt:
    """A signature that was created: its attributes as written, the digest signed and the signature value (without padding).

    `timestamp`: the certified timestamp it carries (a token in DER). `timestamp_error`: why it carries none although an authority
    was asked; the caller has chosen to go on.
    """

    uid: str
    location: Location
    mac_id: int
    mac_algorithm: str
    mac_transfer_syntax: str
    tags_signed: tuple[int, ...]
    signed_at: str
    certificate: Certificate
    digest: bytes
    signature: bytes
    timestamp: bytes | None = None
    timestamp_error: TimestampError | None = None


@dataclass(frozen=True, slots=True)
class RemovalReport:
    """The signatures that were removed, in the order dcmsign finds them (depth first, ascending tags)."""

    removed: tuple[RemovedSignature, ...]
