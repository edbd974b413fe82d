"""Timestamp queries: TimeStampReq (RFC 3161 2.4.1)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Self

from ..codec.errors import BadPolicy, BadTimestampQuery
from . import ber, imprints


@dataclass(frozen=True, slots=True)
class TimestampQuery:
    """What a time-stamping authority is asked.

    `algorithm` is a key of IMPRINTS, or a dotted object identifier in queries made elsewhere; `imprint` the digest of the
    signature value; `policy` (dotted) and `nonce` are None where nothing is asked; `certificate` asks for the authority's
    certificate in the token. `raw` is the encoding that is sent and stored, byte for byte.
    """

    algorithm: str
    imprint: bytes
    policy: str | None
    nonce: int | None
    certificate: bool
    raw: bytes = field(repr=False)

    @classmethod
    def new(
        cls,
        signature: bytes,
        *,
        algorithm: str = "SHA256",
        policy: str | None = None,
        nonce: int | None,
        certificate: bool = True,
    ) -> Self:
        """A query for a timestamp of `signature`, the signature value without DICOM's pad byte (PS3.3 C.12.1.1.3.1.3).

        `algorithm` is a key of IMPRINTS, `policy` a dotted object identifier, `nonce` a random number that the token must
        repeat (64 bits, not negative; dcmsign's default) or None. Raises BadPolicy, AlgorithmUnavailable, KeyError for another
        algorithm, ValueError for a negative nonce.
        """
        if nonce is not None and nonce < 0:
            raise ValueError("negative nonce")
        if policy is not None:
            policy = parse_policy(policy)
        asked = imprints.IMPRINTS[algorithm]
        imprint = imprints.digest(algorithm, signature)
        assert imprint is not None
        from . import structures

        fields = {
            "version": 1,
            "message_imprint": {
                "hash_algorithm": {"algorithm": asked.oid, "parameters": structures.Null()},
                "hashed_message": imprint,
            },
            "policy": policy,
            "nonce": nonce,
            "certificate": certificate,
        }
        raw = structures.Query({name: value for name, value in fields.items() if value is not None}).dump()
        return cls(algorithm, imprint, policy, nonce, certificate, raw)

    @classmethod
    def from_der(cls, data: bytes) -> Self:
        """The query at the beginning of `data`, in DER or BER; bytes behind it are ignored. Raises BadTimestampQuery."""
        from . import structures

        try:
            value = ber.read(data)
            query = structures.Query.load(value.definite, strict=True)
            imprint = query["message_imprint"]
            structures.integer(query["version"])
            structures.extension_list(query["extensions"])
            return cls(
                imprints.algorithm_name(structures.dotted(imprint["hash_algorithm"]["algorithm"])),
                imprint["hashed_message"].contents,
                structures.dotted(query["policy"]) if structures.present(query["policy"]) else None,
                structures.integer(query["nonce"]) if structures.present(query["nonce"]) else None,
                bool(query["certificate"].native),
                value.original,
            )
        except structures.MALFORMED as error:
            raise BadTimestampQuery(f"no timestamp query: {error}") from None


def parse_policy(text: str) -> str:
    """The dotted object identifier of a policy: `text` is dotted, or a name that OpenSSL has for it (``anyPolicy``).

    Raises BadPolicy if it is neither.
    """
    from .objects import find_oid

    oid = find_oid(text)
    if oid is None:
        raise BadPolicy(f"no object identifier: {text}")
    return oid
