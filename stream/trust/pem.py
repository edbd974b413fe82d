"""Text encoding of certificates and keys (RFC 7468, RFC 1421), as tolerant of surroundings as OpenSSL is."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator
from typing import NamedTuple

_BEGIN = b"-----BEGIN "
_END = b"-----END "
_TAIL = b"-----"


class PemError(ValueError):
    """A block is not closed, or its content is not base64."""


class Block(NamedTuple):
    """One block: the label between BEGIN and the dashes, and the lines between the two boundaries."""

    label: str
    lines: tuple[bytes, ...]

    @property
    def der(self) -> bytes:
        """The decoded content. Raises PemError."""
        try:
            return base64.b64decode(b"".join(b"".join(self.lines).split()), validate=True)
        except binascii.Error as error:
            raise PemError(f"{self.label}: {error}") from None

    @property
    def encrypted(self) -> bool:
        """True if a header says so (RFC 1421 4.6.1.1, the traditional form of private keys)."""
        return any(line.startswith(b"Proc-Type:") and b"ENCRYPTED" in line for line in self.lines)

    @property
    def text(self) -> bytes:
        """The block with its boundaries, alone."""
        label = self.label.encode("latin-1")
        return b"\n".join((_BEGIN + label + _TAIL, *self.lines, _END + label + _TAIL, b""))


def blocks(data: bytes) -> Iterator[Block]:
    """The blocks of `data` in order; text around them is ignored. Raises PemError where one is not closed."""
    label: bytes | None = None
    lines: list[bytes] = []
    for raw in data.splitlines():
        line = raw.rstrip()
        if label is None:
            if line.startswith(_BEGIN) and line.endswith(_TAIL):
                label, lines = line[len(_BEGIN) : -len(_TAIL)], []
        elif line.startswith(_END):
            if line != _END + label + _TAIL:
                raise PemError("BEGIN and END do not match")
            yield Block(label.decode("latin-1"), tuple(lines))
            label = None
        elif line.startswith(_BEGIN):
            raise PemError("block is not closed")
        else:
            lines.append(line)
    if label is not None:
        raise PemError("block is not closed")
