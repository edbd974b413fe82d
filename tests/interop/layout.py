"""What every byte of a DICOM file is for, found without the library under test.

Only well-formed files with meta header, explicit or implicit VR, as the tests build them; of deflated ones the inflated bytes.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping
from typing import Literal, NamedTuple


class Role(enum.Enum):
    """What a byte is for."""

    PREAMBLE = enum.auto()
    PREFIX = enum.auto()
    TAG = enum.auto()
    VR = enum.auto()
    RESERVED = enum.auto()
    LENGTH = enum.auto()
    VALUE = enum.auto()
    ITEM = enum.auto()
    ITEM_LENGTH = enum.auto()
    DELIMITER = enum.auto()
    DELIMITER_LENGTH = enum.auto()
    FRAGMENT = enum.auto()


class Byte(NamedTuple):
    """Role of a byte, tags and VR of the data element it belongs to (tags outermost first), and where its field stands."""

    role: Role
    path: tuple[int, ...]
    vr: str
    field: slice


_LONG = frozenset({"OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV"})
_UNDEFINED = 0xFFFFFFFF
_ITEM, _ITEM_END, _SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
_IMPLICIT_LE, _EXPLICIT_BE = b"1.2.840.10008.1.2\0", b"1.2.840.10008.1.2.2\0"


def layout(data: bytes, dictionary: Mapping[int, str]) -> list[Byte]:
    """One entry for each byte of `data`. `dictionary` gives the VRs of implicit VR files."""
    assert data[128:132] == b"DICM"
    reader = _Reader(data, dictionary)
    reader.mark(128, Role.PREAMBLE)
    reader.mark(4, Role.PREFIX)
    reader.end = 132 + 12 + int.from_bytes(data[140:144], "little")
    reader.elements((), reader.end)
    syntax = data[132 : reader.end].split(b"\2\0\x10\0UI", 1)[1]
    size = int.from_bytes(syntax[:2], "little")
    reader.explicit = syntax[2 : 2 + size] != _IMPLICIT_LE
    reader.order = "big" if syntax[2 : 2 + size] == _EXPLICIT_BE else "little"
    reader.elements((), len(data))
    assert len(reader.bytes) == len(data)
    return reader.bytes


class _Reader:
    def __init__(self, data: bytes, dictionary: Mapping[int, str]) -> None:
        self.data = data
        self.dictionary = dictionary
        self.explicit = True
        self.order: Literal["little", "big"] = "little"
        self.end = 0
        self.bytes: list[Byte] = []

    def mark(self, count: int, role: Role, path: tuple[int, ...] = (), vr: str = "") -> bytes:
        """Give the next bytes a role and return them."""
        field = slice(len(self.bytes), len(self.bytes) + count)
        self.bytes += [Byte(role, path, vr, field)] * count
        return self.data[field]

    def number(self, count: int, role: Role, path: tuple[int, ...], vr: str) -> int:
        return int.from_bytes(self.mark(count, role, path, vr), self.order)

    def tag(self) -> int:
        start = len(self.bytes)
        group, element = self.data[start : start + 2], self.data[start + 2 : start + 4]
        return int.from_bytes(group, self.order) << 16 | int.from_bytes(element, self.order)

    def elements(self, around: tuple[int, ...], end: int | None) -> None:
        """Data elements up to `end`, or up to a delimiter."""
        while len(self.bytes) != end and self.tag() != _ITEM_END:
            assert end is None or len(self.bytes) < end
            self.element(around)

    def element(self, around: tuple[int, ...]) -> None:
        path = (*around, self.tag())
        vr = self.dictionary.get(path[-1], "UN")
        if self.explicit:
            start = len(self.bytes) + 4
            vr = self.data[start : start + 2].decode()
        self.mark(4, Role.TAG, path, vr)
        size = 4
        if self.explicit:
            self.mark(2, Role.VR, path, vr)
            if vr in _LONG:
                self.mark(2, Role.RESERVED, path, vr)
            else:
                size = 2
        length = self.number(size, Role.LENGTH, path, vr)
        if vr == "SQ":
            self.items(path, None if length == _UNDEFINED else len(self.bytes) + length)
        elif length == _UNDEFINED:
            self.fragments(path)
        else:
            self.mark(length, Role.VALUE, path, vr)

    def items(self, path: tuple[int, ...], end: int | None) -> None:
        while len(self.bytes) != end and self.tag() != _SEQUENCE_END:
            assert self.tag() == _ITEM
            self.mark(4, Role.ITEM, path, "SQ")
            length = self.number(4, Role.ITEM_LENGTH, path, "SQ")
            self.elements(path, None if length == _UNDEFINED else len(self.bytes) + length)
            if length == _UNDEFINED:
                self.delimiter(path, "SQ")
        if end is None:
            self.delimiter(path, "SQ")

    def fragments(self, path: tuple[int, ...]) -> None:
        while self.tag() == _ITEM:
            self.mark(4, Role.ITEM, path, "OB")
            self.mark(self.number(4, Role.ITEM_LENGTH, path, "OB"), Role.FRAGMENT, path, "OB")
        assert self.tag() == _SEQUENCE_END
        self.delimiter(path, "OB")

    def delimiter(self, path: tuple[int, ...], vr: str) -> None:
        self.mark(4, Role.DELIMITER, path, vr)
        self.mark(4, Role.DELIMITER_LENGTH, path, vr)


def tags(data: list[Byte]) -> Iterator[int]:
    """All tags in a file, once each."""
    yield from sorted({byte.path[-1] for byte in data if byte.path})
