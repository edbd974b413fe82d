"""Directories of certificates and revocation lists under the hashes of their names, as ``openssl rehash`` makes them."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from ...codec.errors import BadCertificateFile, BadRevocationListFile
from ..io.files import LONGEST_LIST
from .certificates import Certificate, Encoding, load_certificates
from .names import name_hash as hash_of
from .revocation import RevocationList, load_revocation_lists

_MOST_FILES: Final = 64
"""Files of one kind for one name; authorities have a handful of certificates at a time."""

_LONGEST_CERTIFICATE_FILE: Final = 1 << 20
"""Bytes."""

_LIST_NAME: Final = re.compile(r"[0-9a-f]{8}\.r[0-9]+")


@dataclass(frozen=True, slots=True)
class CertificateDirectory:
    """A directory that is asked for the certificates and revocation lists of a name when a chain needs them.

    `path`: the directory; one that does not exist holds nothing. Files are called ``HASH.0``, ``HASH.1``, … for
    certificates and ``HASH.r0``, … for lists, where HASH is OpenSSL's hash of the subject, or the issuer of the list,
    in eight hexadecimal digits; a PEM file may hold several. The first missing number, and the first file that cannot
    be decoded, end the search. `encoding`: that of all files. Files are read at every check, so that new lists count at
    once, unless they are no regular files or beyond the bounds (1 MiB, lists 64 MiB, 64 of a kind and name).
    """

    path: str
    encoding: Encoding = Encoding.PEM

    def certificates(self, name_hash: int) -> Iterator[Certificate]:
        """The certificates in the files for this subject; of a file that does not hold one of it, none."""
        for name in self._names(name_hash, ""):
            data = _content(name, _LONGEST_CERTIFICATE_FILE)
            try:
                found = load_certificates(data, self.encoding, name=name) if data else ()
            except BadCertificateFile:
                return
            if not found:
                return
            if any(hash_of(certificate.canonical_names()[1]) == name_hash for certificate in found):
                yield from found

    def revocation_lists(self, name_hash: int) -> Iterator[RevocationList]:
        """The revocation lists in the files for this issuer."""
        for name in self._names(name_hash, "r"):
            data = _content(name, LONGEST_LIST)
            try:
                found = load_revocation_lists(data, self.encoding, name=name) if data else ()
            except BadRevocationListFile:
                return
            if not found:
                return
            yield from found

    def holds_revocation_lists(self) -> bool:
        """Whether a file has the name of a revocation list. Raises OSError if the directory cannot be read."""
        with os.scandir(self.path) as entries:
            return any(_LIST_NAME.fullmatch(entry.name) for entry in entries)

    def _names(self, name_hash: int, kind: str) -> Iterator[str]:
        return (os.path.join(self.path, f"{name_hash:08x}.{kind}{number}") for number in range(_MOST_FILES))


def _content(name: str, limit: int) -> bytes | None:
    """The bytes of a regular file of at most `limit` bytes, else None."""
    try:
        descriptor = os.open(name, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)  # a named pipe must not hold us up
        try:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                return None
            with open(descriptor, "rb", closefd=False) as file:
                data = file.read(limit + 1)
        finally:
            os.close(descriptor)
    except (OSError, ValueError):  # ValueError: a NUL in the name
        return None
    return data if len(data) <= limit else None
