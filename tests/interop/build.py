"""Small DICOM files, made byte by byte."""

from __future__ import annotations

from collections.abc import Iterable

IMPLICIT_LE = "1.2.840.10008.1.2"
EXPLICIT_LE = "1.2.840.10008.1.2.1"
EXPLICIT_BE = "1.2.840.10008.1.2.2"
DEFLATED = "1.2.840.10008.1.2.1.99"
JPEG_BASELINE = "1.2.840.10008.1.2.4.50"

SOP_CLASS = b"1.2.840.10008.5.1.4.1.1.7\0"
SOP_INSTANCE = b"1.2.3.4\0"

_LONG = frozenset({"OB", "OW", "SQ", "UN", "UT"})


class Writer:
    """Data elements in one encoding: explicit or implicit VR, little or big endian."""

    def __init__(self, *, explicit: bool = True, big: bool = False) -> None:
        self.explicit = explicit
        self.big = big

    def number(self, value: int, size: int) -> bytes:
        """An unsigned number."""
        return value.to_bytes(size, "big" if self.big else "little")

    def tag(self, tag: int) -> bytes:
        """A tag."""
        return self.number(tag >> 16, 2) + self.number(tag & 0xFFFF, 2)

    def element(self, tag: int, vr: str, value: bytes, length: int | None = None) -> bytes:
        """A data element; `length` is a length field that lies."""
        size = len(value) if length is None else length
        if not self.explicit:
            return self.tag(tag) + self.number(size, 4) + value
        if vr in _LONG:
            return self.tag(tag) + vr.encode() + b"\0\0" + self.number(size, 4) + value
        return self.tag(tag) + vr.encode() + self.number(size, 2) + value

    def item(self, content: bytes, *, undefined: bool = False, length: int | None = None) -> bytes:
        """An item; `length` is a length field that lies."""
        if undefined:
            return self.tag(0xFFFEE000) + b"\xff" * 4 + content + self.tag(0xFFFEE00D) + bytes(4)
        return self.tag(0xFFFEE000) + self.number(len(content) if length is None else length, 4) + content

    def sequence(self, tag: int, items: Iterable[bytes], *, undefined: bool = False) -> bytes:
        """A sequence of items."""
        content = b"".join(items)
        if undefined:
            return self.element(tag, "SQ", content + self.tag(0xFFFEE0DD) + bytes(4), 0xFFFFFFFF)
        return self.element(tag, "SQ", content)

    def fragments(self, fragments: Iterable[bytes], tag: int = 0x7FE00010) -> bytes:
        """Encapsulated Pixel Data, the first fragment being the offset table."""
        content = b"".join(self.item(fragment) for fragment in fragments)
        return self.element(tag, "OB", content + self.tag(0xFFFEE0DD) + bytes(4), 0xFFFFFFFF)


def even(value: bytes, pad: bytes = b"\0") -> bytes:
    """The value with a pad byte if its length is odd."""
    return value + pad if len(value) % 2 else value


def meta(syntax: str, preamble: bytes = bytes(128)) -> bytes:
    """Preamble, prefix and file meta information."""
    writer = Writer()
    group = b"".join(
        (
            writer.element(0x00020001, "OB", b"\0\1"),
            writer.element(0x00020002, "UI", SOP_CLASS),
            writer.element(0x00020003, "UI", SOP_INSTANCE),
            writer.element(0x00020010, "UI", even(syntax.encode())),
            writer.element(0x00020012, "UI", b"1.2.3\0"),
        )
    )
    return preamble + b"DICM" + writer.element(0x00020000, "UL", len(group).to_bytes(4, "little")) + group


def common(writer: Writer) -> bytes:
    """SOP class and instance."""
    return writer.element(0x00080016, "UI", SOP_CLASS) + writer.element(0x00080018, "UI", SOP_INSTANCE)


def image(writer: Writer, pixels: bytes | None = None) -> bytes:
    """The elements of a small image with texts, a sequence, a private and an unknown element; `pixels` is its last element."""
    reference = writer.element(0x00081150, "UI", SOP_CLASS) + writer.element(0x00081155, "UI", b"1.2.3.5\0")
    return b"".join(
        (
            common(writer),
            writer.element(0x00080060, "CS", b"OT"),
            writer.sequence(0x00081140, [writer.item(reference)]),
            writer.element(0x00090010, "LO", b"INTEROP "),
            writer.element(0x00091001, "UN", b"\1\2\3\4"),
            writer.element(0x00100010, "PN", b"Doe^Jane"),
            writer.element(0x00280010, "US", writer.number(2, 2)),
            writer.element(0x00280011, "US", writer.number(2, 2)),
            writer.element(0x00280100, "US", writer.number(8, 2)),
            writer.element(0x7FE00010, "OW", b"\1\2\3\4") if pixels is None else pixels,
        )
    )
