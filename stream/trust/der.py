"""Reading DER (X.690) where certificates need it: definite lengths, one-byte tags, no recursion, no copies."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

BOOLEAN: Final = 0x01
INTEGER: Final = 0x02
BIT_STRING: Final = 0x03
OCTET_STRING: Final = 0x04
OBJECT_IDENTIFIER: Final = 0x06
UTF8_STRING: Final = 0x0C
NUMERIC_STRING: Final = 0x12
PRINTABLE_STRING: Final = 0x13
T61_STRING: Final = 0x14
IA5_STRING: Final = 0x16
UTC_TIME: Final = 0x17
GENERALIZED_TIME: Final = 0x18
UNIVERSAL_STRING: Final = 0x1C
BMP_STRING: Final = 0x1E
SEQUENCE: Final = 0x30
SET: Final = 0x31

_LONGEST_OID: Final = 128
"""Bytes; far beyond any registered one, and it bounds the arithmetic a hostile one can cause."""


_MOST_CHILDREN: Final = 4096
"""Data values in one other; lists of thousands, such as that of revoked certificates, are not read here."""


class DerError(ValueError):
    """The data are not the DER structure that was expected."""


class Node(NamedTuple):
    """One data value: its tag byte, the content octets, and the whole encoding."""

    tag: int
    content: memoryview
    encoding: memoryview


def read(data: bytes | bytearray | memoryview) -> Node:
    """The data value at the beginning of `data`; what follows it is ignored. Raises DerError."""
    view = memoryview(data)
    if len(view) < 2:
        raise DerError("data value without length")
    tag, length, start = view[0], view[1], 2
    if tag & 0x1F == 0x1F:
        raise DerError("tag number above 30")
    if length >= 0x80:
        octets = length & 0x7F
        if not 1 <= octets <= 8:
            raise DerError("indefinite or oversized length")
        start += octets
        length = int.from_bytes(view[2:start], "big")
    if length > len(view) - start:
        raise DerError("data value exceeds its container")
    return Node(tag, view[start : start + length], view[: start + length])


def expect(data: bytes | bytearray | memoryview, *tags: int) -> Node:
    """Like `read`; raises DerError also if the tag is none of `tags`."""
    node = read(data)
    if node.tag not in tags:
        raise DerError(f"tag {node.tag:02x} where {' or '.join(f'{tag:02x}' for tag in tags)} belongs")
    return node


def children(node: Node) -> Iterator[Node]:
    """The data values in the content of a constructed one, at most some thousand. Raises DerError."""
    rest, left = node.content, _MOST_CHILDREN
    while len(rest):
        child = read(rest)
        left -= 1
        if left < 0:
            raise DerError("too many data values")
        yield child
        rest = rest[len(child.encoding) :]


def first(node: Node) -> Node:
    """The first child of `node`. Raises DerError if there is none."""
    if not node.content:
        raise DerError("nothing where data values belong")
    return read(node.content)


def members(node: Node, *tags: int) -> list[Node]:
    """The children of `node`, which must be as many as `tags` and have these tags. Raises DerError."""
    found = list(children(node))
    if [child.tag for child in found] != list(tags):
        raise DerError("wrong members")
    return found


def integer(node: Node) -> int:
    """Value of an INTEGER. Raises DerError if it is not in the shortest form."""
    content = bytes(node.content)
    if not content or (len(content) > 1 and content[0] == (0xFF if content[1] & 0x80 else 0)):
        raise DerError("integer not in the shortest form")
    return int.from_bytes(content, "big", signed=True)


def dotted(node: Node) -> str:
    """Dotted form of an OBJECT IDENTIFIER (X.690 8.19). Raises DerError."""
    content = bytes(node.content)
    if not content or content[-1] & 0x80 or len(content) > _LONGEST_OID:
        raise DerError("object identifier incomplete or too long")
    numbers: list[int] = []
    number = 0
    for byte in content:
        number = number << 7 | byte & 0x7F
        if not byte & 0x80:
            numbers.append(number)
            number = 0
    first = min(numbers[0] // 40, 2)
    return ".".join(map(str, (first, numbers[0] - 40 * first, *numbers[1:])))


def oid(text: str) -> bytes:
    """DER of the OBJECT IDENTIFIER with this dotted form."""
    first, second, *others = map(int, text.split("."))
    content = bytearray()
    for number in (40 * first + second, *others):
        septets = [number & 0x7F]
        while number := number >> 7:
            septets.append(number & 0x7F | 0x80)
        content += bytes(reversed(septets))
    return bytes((OBJECT_IDENTIFIER, len(content))) + content
