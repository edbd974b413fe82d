"""MAC algorithms: the defined terms of MAC Algorithm (0400,0015) and their digests (PS3.3 C.12.1.1.3.1.1, PS3.15 C)."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Final, NamedTuple, Protocol, Self

from ..errors import AlgorithmUnavailable


class Digest(Protocol):
    """The part of hashlib's hash objects that digests of the MAC stream use."""

    def update(self, data: bytes | bytearray | memoryview, /) -> None: ...

    def digest(self) -> bytes: ...

    def copy(self) -> Self: ...


class MacAlgorithm(NamedTuple):
    """One MAC algorithm: defined term, digest size in bytes, name in hashlib, object identifier of the digest."""

    name: str
    digest_size: int
    hashlib_name: str
    oid: str


MAC_ALGORITHMS: Final[dict[str, MacAlgorithm]] = {
    algorithm.name: algorithm
    for algorithm in (
        MacAlgorithm("RIPEMD160", 20, "ripemd160", "1.3.36.3.2.1"),
        MacAlgorithm("SHA1", 20, "sha1", "1.3.14.3.2.26"),
        MacAlgorithm("MD5", 16, "md5", "1.2.840.113549.2.5"),
        MacAlgorithm("SHA256", 32, "sha256", "2.16.840.1.101.3.4.2.1"),
        MacAlgorithm("SHA384", 48, "sha384", "2.16.840.1.101.3.4.2.2"),
        MacAlgorithm("SHA512", 64, "sha512", "2.16.840.1.101.3.4.2.3"),
    )
}
"""By defined term."""

_factories: dict[str, Callable[[], Digest]] = {}
_HINTS: Final = {"RIPEMD160": " (install the extra: pip install 'dcmsign[ripemd160]')"}


def register_digest(name: str, factory: Callable[[], Digest]) -> None:
    """Provide an implementation of the MAC algorithm `name` for platforms whose hashlib lacks it.

    `factory` makes a new digest object; it may raise ImportError if what it needs is not installed.
    """
    _factories[name] = factory


def new_digest(name: str) -> Digest:
    """A new digest object of the MAC algorithm `name` (a key of MAC_ALGORITHMS): hashlib's, else the registered one.

    Raises AlgorithmUnavailable if neither exists, KeyError if `name` is not a MAC algorithm.
    """
    algorithm = MAC_ALGORITHMS[name]
    try:
        return hashlib.new(algorithm.hashlib_name)
    except ValueError as error:
        try:
            return _factories[name]()
        except (KeyError, ImportError):
            hint = _HINTS.get(name, "")
            raise AlgorithmUnavailable(f"MAC algorithm {name} is not available on this platform{hint}") from error
