"""Certificate revocation lists (RFC 5280 5), and how far they are asked for.

OpenSSL decides about complete lists of authorities (`paths`). What it leaves out, or what differs from version to
version, is here: the list of a self-signed certificate about itself, and delta lists. What lists say about the past: `past`.
"""

from __future__ import annotations

import enum
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from ...codec.errors import BadRevocationListFile
from ..io.files import LONGEST_LIST, read_whole
from . import der, names, pem
from .certificates import Certificate, Encoding, read_time

if TYPE_CHECKING:
    from cryptography.x509 import CertificateRevocationList, RevokedCertificate

_LABEL: Final = "X509 CRL"
_DELTA: Final = "2.5.29.27"
"""Delta CRL Indicator."""

UNDERSTOOD: Final = frozenset({"2.5.29.20", "2.5.29.35"})
"""Extensions that may be critical where OpenSSL does not decide: CRL Number, Authority Key Identifier."""

MISSING: Final = "unable to get certificate CRL"
REVOKED: Final = "certificate revoked"
"""OpenSSL's texts, as `paths` gives them."""


class RevocationCheck(enum.IntEnum):
    """Which certificates of a chain have to be absent from a revocation list of their issuer; a greater value asks for more."""

    NONE = 0
    """None."""
    SIGNER = 1
    """The signer's, as dcmsign does it with ``--enable-crl-vfy``; revoked authorities go unnoticed."""
    CHAIN = 2
    """All but the trust anchor (RFC 5280 6.3); a self-signed signer's, too."""


@dataclass(frozen=True, slots=True, eq=False)
class RevocationList:
    """One certificate revocation list; two are equal if their encodings are.

    `issuer` is in OpenSSL's one-line form, `canonical_issuer` in the one that names are compared in. `this_update` and
    `next_update` are in UTC; None if the list has no such time or it is malformed. `is_delta`: it holds only what has
    changed since a complete list. `origin`: the file it was read from, if that is known.
    """

    der: bytes = field(repr=False)
    issuer: str
    canonical_issuer: bytes = field(repr=False)
    this_update: datetime | None
    next_update: datetime | None
    is_delta: bool
    origin: str = "given"

    @classmethod
    def from_der(cls, data: bytes | memoryview, *, origin: str = "given") -> RevocationList:
        """The list at the beginning of `data`; bytes behind it are ignored. Raises BadRevocationListFile.

        The outer structure is checked. What is wrong with the entries shows when the list is used: OpenSSL then has
        no list of this issuer.
        """
        try:
            return cls(**_fields(der.expect(data, der.SEQUENCE)), origin=origin)
        except ValueError as error:
            raise BadRevocationListFile(f"no certificate revocation list: {error}") from None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, RevocationList) and self.der == other.der

    def __hash__(self) -> int:
        return hash(self.der)


def load_revocation_list(data: bytes, encoding: Encoding, *, name: str) -> RevocationList:
    """The revocation list of a file: in PEM its first X509 CRL block, whatever stands around it.

    `name` is the file's name for the BadRevocationListFile that is raised if there is none or it cannot be decoded.
    """
    try:
        if encoding is Encoding.DER:
            return RevocationList.from_der(data, origin=name)
        for block in pem.blocks(data):
            if block.label == _LABEL:
                return RevocationList.from_der(block.der, origin=name)
    except (BadRevocationListFile, pem.PemError) as error:
        raise BadRevocationListFile(_reason(error), path=name) from None
    raise BadRevocationListFile("no certificate revocation list in this file", path=name)


def load_revocation_lists(data: bytes, encoding: Encoding, *, name: str) -> tuple[RevocationList, ...]:
    """All revocation lists of a PEM file, possibly none; the only one of a DER file. Raises BadRevocationListFile."""
    if encoding is Encoding.DER:
        return (load_revocation_list(data, encoding, name=name),)
    try:
        return tuple(RevocationList.from_der(block.der, origin=name) for block in pem.blocks(data) if block.label == _LABEL)
    except (BadRevocationListFile, pem.PemError) as error:
        raise BadRevocationListFile(_reason(error), path=name) from None


def read_revocation_list(path: str | os.PathLike[str], encoding: Encoding) -> RevocationList:
    """The revocation list in a file; see `load_revocation_list`. Raises BadRevocationListFile."""
    name = os.fspath(path)
    try:
        data = read_whole(path, LONGEST_LIST)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        raise BadRevocationListFile(getattr(error, "strerror", None) or "cannot be read", path=name) from error
    return load_revocation_list(data, encoding, name=name)


def check_own_list(certificate: Certificate, lists: Iterable[RevocationList], at: datetime | None) -> str | None:
    """Look a self-signed certificate up in the revocation lists it signed itself, at the time `at` (None: now).

    OpenSSL 3 asks for such a list, later versions do not. Returns None or OpenSSL's text.
    """
    from cryptography import x509

    now = at or datetime.now(UTC)
    issuer, _ = certificate.canonical_names()
    own = [found for found in lists if not found.is_delta and found.canonical_issuer == issuer]
    if not own:
        return MISSING
    own.sort(key=lambda found: (time_error(found, now) is None, found.this_update or datetime.min.replace(tzinfo=UTC)))
    best = own[-1]
    error = time_error(best, now)
    if error is not None:
        return error
    loaded = load(best)
    if loaded is None:
        return MISSING
    if not is_signed_by(loaded, certificate):
        return "CRL signature failure"
    try:
        critical = {extension.oid.dotted_string for extension in loaded.extensions if extension.critical}
    except (ValueError, x509.DuplicateExtension, x509.UnsupportedGeneralNameType):
        return MISSING
    if not critical <= UNDERSTOOD:
        return "unhandled critical CRL extension"
    return REVOKED if _entry(loaded, certificate.serial) else None


def check_deltas(
    certificate: Certificate, issuer: Certificate, lists: Iterable[RevocationList], at: datetime | None
) -> str | None:
    """Look a certificate up in the delta lists of its issuer, at the time `at` (None: now); None or OpenSSL's text.

    A delta list adds to what the complete list revokes and never takes anything back: the complete list decides about
    that as long as it is the newest one. Deltas that are not current or not signed by the issuer do not count.
    """
    now = at or datetime.now(UTC)
    name, _ = certificate.canonical_names()
    for delta in lists:
        if delta.is_delta and delta.canonical_issuer == name and time_error(delta, now) is None:
            loaded = load(delta)
            if loaded is not None and is_signed_by(loaded, issuer) and _entry(loaded, certificate.serial):
                return REVOKED
    return None


def time_error(found: RevocationList, now: datetime) -> str | None:
    """OpenSSL's text for a list that is not current at a time, None for one that is."""
    if found.this_update is None:
        return "format error in CRL's lastUpdate field"
    if found.this_update > now:
        return "CRL is not yet valid"
    return "CRL has expired" if found.next_update is not None and found.next_update < now else None


def load(found: RevocationList) -> CertificateRevocationList | None:
    """The list with its entries decoded, all dates among them; None if one of them is malformed."""
    from cryptography import x509

    try:
        return x509.load_der_x509_crl(found.der)
    except (ValueError, x509.InvalidVersion):
        return None


def is_signed_by(loaded: CertificateRevocationList, issuer: Certificate) -> bool:
    """Whether the signature of a list verifies with the key of `issuer`."""
    from cryptography.exceptions import UnsupportedAlgorithm

    try:
        return issuer.public_key is not None and loaded.is_signature_valid(issuer.public_key)
    except (UnsupportedAlgorithm, ValueError, TypeError):
        return False


def _entry(loaded: CertificateRevocationList, serial: int) -> RevokedCertificate | None:
    """The entry of a revoked certificate; one that says that it is no longer revoked is none."""
    from cryptography import x509

    if serial < 0:  # the method below refuses such a number
        entry = next((entry for entry in loaded if entry.serial_number == serial), None)
    else:
        entry = loaded.get_revoked_certificate_by_serial_number(serial)
    if entry is None:
        return None
    try:
        reason = entry.extensions.get_extension_for_class(x509.CRLReason).value.reason
    except (ValueError, x509.ExtensionNotFound, x509.DuplicateExtension, x509.UnsupportedGeneralNameType):
        return entry  # the reason is not known
    return None if reason is x509.ReasonFlags.remove_from_crl else entry


def _fields(revocation_list: der.Node) -> dict[str, Any]:
    """Fields of a RevocationList (RFC 5280 5.1). Raises DerError or ValueError."""
    body, _, _ = der.members(revocation_list, der.SEQUENCE, der.SEQUENCE, der.BIT_STRING)
    parts = list(der.children(body))
    if parts and parts[0].tag == der.INTEGER:
        parts.pop(0)  # the version; OpenSSL does not care
    times = [part for part in parts[2:4] if part.tag in (der.UTC_TIME, der.GENERALIZED_TIME)]
    rest = [part.tag for part in parts[2 + len(times) :]]
    if [part.tag for part in parts[:2]] != [der.SEQUENCE] * 2 or not times or parts[2] is not times[0]:
        raise der.DerError("wrong members")
    if rest not in ([], [der.SEQUENCE], [0xA0], [der.SEQUENCE, 0xA0]):
        raise der.DerError("unknown part behind the dates")
    return {
        "der": bytes(revocation_list.encoding),
        "issuer": names.one_line(parts[1]),
        "canonical_issuer": names.canonical(parts[1]),
        "this_update": _date(times[0]),
        "next_update": _date(times[1]) if len(times) > 1 else None,
        "is_delta": rest[-1:] == [0xA0] and _DELTA in _extension_types(parts[-1]),
    }


def _date(node: der.Node) -> datetime | None:
    try:
        return read_time(node)[0]
    except ValueError:
        return None


def _extension_types(node: der.Node) -> Iterator[str]:
    for extension in der.children(der.members(node, der.SEQUENCE)[0]):
        yield der.dotted(der.first(extension))


def _reason(error: Exception) -> str:
    return error.message if isinstance(error, BadRevocationListFile) else str(error)
