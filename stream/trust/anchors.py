"""The certificates a caller trusts, and those that may help to reach them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import ClassVar, Final

from ...codec.errors import BadCertificateFile
from . import pem
from .certificates import Certificate, Encoding, load_certificates

_REVOCATION_LIST: Final = "X509 CRL"


@dataclass(frozen=True, slots=True)
class Trust:
    """Trust anchors and chain helpers; nothing else is ever trusted, neither the system's certificates nor a file's.

    `trusted`: self-signed certificates among them are anchors, the others serve as links of chains only.
    `untrusted`: links of chains, never anchors.
    """

    NONE: ClassVar[Trust]
    """Trusts nobody."""

    trusted: tuple[Certificate, ...] = ()
    untrusted: tuple[Certificate, ...] = ()

    @classmethod
    def load(
        cls,
        *,
        trusted: Iterable[str | os.PathLike[str]] = (),
        untrusted: Iterable[str | os.PathLike[str]] = (),
        encoding: Encoding = Encoding.PEM,
    ) -> Trust:
        """Read certificate files: in PEM all certificates of each, in DER the one.

        A trusted PEM file must hold at least one certificate or certificate revocation list, an untrusted one may
        hold none. Raises BadCertificateFile with the `path` of the first file that cannot be read or decoded; whoever
        wants to go on without bad files loads them one by one and adds the results: ``trust +
        Trust.load(trusted=[path])``.
        """
        return cls(
            tuple(certificate for path in trusted for certificate in _trusted_file(path, encoding)),
            tuple(certificate for path in untrusted for certificate in _read(path, encoding)[1]),
        )

    def __add__(self, other: Trust) -> Trust:
        return Trust(self.trusted + other.trusted, self.untrusted + other.untrusted)


Trust.NONE = Trust()


def _read(path: str | os.PathLike[str], encoding: Encoding) -> tuple[bytes, tuple[Certificate, ...]]:
    name = os.fspath(path)
    try:
        with open(path, "rb") as file:
            data = file.read()
    except OSError as error:
        raise BadCertificateFile(error.strerror or "cannot be read", path=name) from error
    return data, load_certificates(data, encoding, name=name)


def _trusted_file(path: str | os.PathLike[str], encoding: Encoding) -> Iterator[Certificate]:
    data, certificates = _read(path, encoding)
    if not certificates and not any(block.label == _REVOCATION_LIST for block in pem.blocks(data)):
        raise BadCertificateFile("no certificate in this file", path=os.fspath(path))
    yield from certificates
