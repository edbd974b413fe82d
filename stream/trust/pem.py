"""Text encoding of certificates and keys (RFC 7468, RFC 1421), as tolerant of surroundings as OpenSSL is."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator
from typing import NamedTuple

_BEGIN = b"-----BEGIN "
_END = b"-----END "
_TAIL = b"-----"
_LINE = re.compile(rb"[^\r\n]*(?:\r\n|\r|\n|\Z)")
_ENCRYPTED = re.compile(rb"^Proc-Type:.*ENCRYPTED", re.MULTILINE)
_WHITE_SPACE = b" \t\n\v\f\r"


class PemError(ValueError):
    """A block is not closed, or its content is not base64."""


class Block(NamedTuple):
    """One block: the label between BEGIN and the dashes, and the lines between the two boundaries, each with its end."""

    label: str
    body: bytes

    def __repr__(self) -> str:
        return f"Block({self.label!r})"  # it may be a private key

    @property
    def der(self) -> bytes:
        """The decoded content. Raises PemError."""
        try:
            return base64.b64decode(self.body.translate(None, _WHITE_SPACE), validate=True)
        except binascii.Error as error:
            raise PemError(f"{self.label}: {error}") from None

    @property
    def encrypted(self) -> bool:
        """True if a header says so (RFC 1421 4.6.1.1, the traditional form of private keys)."""
        return _ENCRYPTED.search(self.body) is not None

    @property
    def text(self) -> bytes:
        """The block with its boundaries, alone."""
        label = self.label.encode("latin-1")
        return b"".join((_BEGIN, label, _TAIL, b"\n", self.body, _END, label, _TAIL, b"\n"))


def blocks(data: bytes | bytearray) -> Iterator[Block]:
    """The blocks of `data` in order; text around them is ignored. Raises PemError where one is not closed."""
    label: bytes | None = None
    body = bytearray()  # lines of their own would take much more room
    for found in _LINE.finditer(data):
        line = found[0].rstrip()
        if label is None:
            if line.startswith(_BEGIN) and line.endswith(_TAIL):
                label, body = line[len(_BEGIN) : -len(_TAIL)], bytearray()
        elif line.startswith(_END):
            if line != _END + label + _TAIL:
                raise PemError("BEGIN and END do not match")
            yield Block(label.decode("latin-1"), bytes(body))
            label = None
        elif line.startswith(_BEGIN):
            raise PemError("block is not closed")
        else:
            body += line + b"\n"
    if label is not None:
        raise PemError("block is not closed")
