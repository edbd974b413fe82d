"""Bounds for ASN.1 from strangers, and BER made readable (X.690).

Time-stamping authorities send BER as well as DER, and anything can stand in a file. What has passed here is at most 1 MiB of
well-formed data values of bounded depth and number, with definite lengths, so that nothing behind it can run away.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

MAX_SIZE: Final = 1 << 20
"""Bytes of the longest value that is read; queries and replies in the wild have up to a few thousand."""

_DEEPEST: Final = 32
"""Levels of nesting; OpenSSL stops at 30, tokens have about 12."""

_MOST_VALUES: Final = 20_000
"""Data values; a token with a chain of five certificates has about 600."""

_CONSTRUCTED: Final = 0x20
_OCTET_STRING: Final = 0x04
_END_OF_CONTENTS: Final = b"\0\0"


class BerError(ValueError):
    """Not one well-formed BER value within the bounds."""


class Value(NamedTuple):
    """The value at the beginning of some bytes: with definite lengths, and as it was."""

    definite: bytes
    original: bytes


def read(data: bytes) -> Value:
    """The BER value at the beginning of `data`; bytes behind it are ignored. Raises BerError.

    Values of indefinite length get definite ones, octet strings in pieces become whole (as in what OpenSSL writes again);
    everything else stays as it is, byte for byte.
    """
    head = _header(data, 0, len(data))
    if head.length is not None and head.end > MAX_SIZE:
        raise BerError("longer than 1 MiB")
    walk = _Walk(data[:MAX_SIZE])
    changed, end = walk.value(0, len(walk.data), 0)
    original = walk.data[:end]
    return Value(original if changed is None else changed, original)


def tagged(tag: int, content: bytes) -> bytes:
    """The data value with this tag byte and content, in DER."""
    size = len(content)
    if size < 0x80:
        return bytes((tag, size)) + content
    octets = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(octets))) + octets + content


class Node(NamedTuple):
    """One value of definite length: its tag byte, content and encoding."""

    tag: int
    content: bytes
    encoding: bytes


def nodes(content: bytes) -> Iterator[Node]:
    """The values one behind the other in `content`, which `read` has made definite. Raises BerError."""
    at = 0
    while at < len(content):
        head = _header(content, at, len(content))
        if head.length is None:
            raise BerError("indefinite length")
        yield Node(head.tag, content[head.start : head.end], content[at : head.end])
        at = head.end


def node(encoding: bytes) -> Node:
    """The one value that `encoding` is. Raises BerError."""
    found = list(nodes(encoding))
    if len(found) != 1:
        raise BerError("more or less than one value")
    return found[0]


class _Header(NamedTuple):
    tag: int
    start: int
    length: int | None

    @property
    def end(self) -> int:
        return self.start + (self.length or 0)


def _header(data: bytes, position: int, end: int) -> _Header:
    """Identifier and length octets at `position`; the length is None if indefinite."""
    if end - position < 2:
        raise BerError("ends inside a data value")
    tag, at = data[position], position + 1
    if tag & 0x1F == 0x1F:
        raise BerError("tag number above 30")
    first, at = data[at], at + 1
    if first < 0x80:
        length: int | None = first
    elif first == 0x80:
        if not tag & _CONSTRUCTED:
            raise BerError("primitive value of indefinite length")
        length = None
    else:
        octets = first & 0x7F
        if octets > 8 or at + octets > end:
            raise BerError("oversized length")
        length = int.from_bytes(data[at : at + octets], "big")
        at += octets
    if length is not None and length > end - at:
        raise BerError("ends inside a data value")
    return _Header(tag, at, length)


class _Walk:
    """One walk through all data values, counting them."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.left = _MOST_VALUES

    def value(self, position: int, end: int, depth: int) -> tuple[bytes | None, int]:
        """What the value at `position` becomes, None if nothing changes, and where it ends."""
        self.left -= 1
        if depth > _DEEPEST or self.left < 0:
            raise BerError("too many data values, or nested too deeply")
        head = _header(self.data, position, end)
        if not head.tag & _CONSTRUCTED:
            return None, head.end
        parts, changed, after = self._members(head, end, depth)
        if head.tag == _OCTET_STRING | _CONSTRUCTED:
            return tagged(_OCTET_STRING, b"".join(map(_octets, parts))), after
        if not changed:
            return None, after
        return tagged(head.tag, b"".join(parts)), after

    def _members(self, head: _Header, end: int, depth: int) -> tuple[list[bytes], bool, int]:
        """The members' encodings, whether one of them or the length form changes, and the end of the whole value."""
        stop = end if head.length is None else head.end
        parts: list[bytes] = []
        changed, at = head.length is None, head.start
        while head.length is None or at < stop:
            if head.length is None and self.data[at : min(at + 2, stop)] == _END_OF_CONTENTS:
                return parts, changed, at + 2
            part, after = self.value(at, stop, depth + 1)
            parts.append(self.data[at:after] if part is None else part)
            changed = changed or part is not None
            at = after
        return parts, changed, at


def _octets(part: bytes) -> bytes:
    head = _header(part, 0, len(part))
    if head.tag != _OCTET_STRING:
        raise BerError("something else in an octet string")
    return part[head.start :]
