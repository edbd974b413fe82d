"""Digest algorithms of timestamps: the six that dcmsign asks for, and what else tokens of others are imprinted with."""

from __future__ import annotations

import hashlib
from typing import Final, NamedTuple

from ..codec.errors import AlgorithmUnavailable
from ..codec.signature.algorithms import MAC_ALGORITHMS, new_digest


class ImprintAlgorithm(NamedTuple):
    """One imprint algorithm: name as in MAC_ALGORITHMS, object identifier, digest size in bytes, OpenSSL's long name."""

    name: str
    oid: str
    digest_size: int
    long_name: str


IMPRINTS: Final[dict[str, ImprintAlgorithm]] = {
    name: ImprintAlgorithm(name, algorithm.oid, algorithm.digest_size, algorithm.hashlib_name)
    for name, algorithm in MAC_ALGORITHMS.items()
}
"""What a query may ask for, by name."""

_NAMES: Final = {imprint.oid: name for name, imprint in IMPRINTS.items()}

_OTHERS: Final = {
    "2.16.840.1.101.3.4.2.4": ("sha224", "sha224"),
    "2.16.840.1.101.3.4.2.5": ("sha512-224", "sha512_224"),
    "2.16.840.1.101.3.4.2.6": ("sha512-256", "sha512_256"),
    "2.16.840.1.101.3.4.2.7": ("sha3-224", "sha3_224"),
    "2.16.840.1.101.3.4.2.8": ("sha3-256", "sha3_256"),
    "2.16.840.1.101.3.4.2.9": ("sha3-384", "sha3_384"),
    "2.16.840.1.101.3.4.2.10": ("sha3-512", "sha3_512"),
    "1.2.156.10197.1.401": ("sm3", "sm3"),
    "1.3.6.1.4.1.1722.12.2.1.16": ("blake2b512", "blake2b"),
    "1.3.6.1.4.1.1722.12.2.2.8": ("blake2s256", "blake2s"),
}
"""OpenSSL's long name and hashlib's of the other digests that OpenSSL verifies, by object identifier."""


def algorithm_name(oid: str) -> str:
    """The name of one of the six algorithms in IMPRINTS, or `oid` itself."""
    return _NAMES.get(oid, oid)


def algorithm_oid(algorithm: str) -> str:
    """The object identifier of what `algorithm_name` returned."""
    return IMPRINTS[algorithm].oid if algorithm in IMPRINTS else algorithm


def long_name(algorithm: str) -> str | None:
    """OpenSSL's long name (``sha256``) of a name in IMPRINTS or of a digest's object identifier; None if there is none."""
    if algorithm in IMPRINTS:
        return IMPRINTS[algorithm].long_name
    return _OTHERS[algorithm][0] if algorithm in _OTHERS else None


def is_known(algorithm: str) -> bool:
    """Whether `digest` has this algorithm, on a platform that offers it."""
    return algorithm in IMPRINTS or algorithm in _OTHERS


def digest(algorithm: str, data: bytes) -> bytes | None:
    """The digest of `data` with a name in IMPRINTS or the object identifier of a digest; None if it is unknown.

    Raises AlgorithmUnavailable if the platform lacks a known one.
    """
    if algorithm in IMPRINTS:
        digester = new_digest(algorithm)
        digester.update(data)
        return digester.digest()
    if algorithm not in _OTHERS:
        return None
    try:
        return hashlib.new(_OTHERS[algorithm][1], data, usedforsecurity=False).digest()
    except ValueError as error:
        raise AlgorithmUnavailable(f"digest {_OTHERS[algorithm][0]} is not available on this platform") from error
