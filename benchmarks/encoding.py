"""A small encoder of DICOM data sets, independent of the library (PS3.5 7, 8.2, A; PS3.10 7.1)."""

from __future__ import annotations

import struct
from typing import NamedTuple

UNDEFINED = 0xFFFFFFFF
ITEM, ITEM_END, SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
JPEG_UID = "1.2.840.10008.1.2.4.50"

_LONG = frozenset({"OB", "OW", "SQ", "UC", "UN", "UR", "UT"})
_NUMBERS = {"US": "H", "UL": "I", "FD": "d"}


class Form(NamedTuple):
    """A transfer syntax."""

    uid: str
    explicit: bool = True
    order: str = "<"


FORMS = {
    "explicit": Form("1.2.840.10008.1.2.1"),
    "implicit": Form("1.2.840.10008.1.2", explicit=False),
    "big endian": Form("1.2.840.10008.1.2.2", order=">"),
    "encapsulated": Form(JPEG_UID),
}
"""What the benchmarks name a transfer syntax."""


class Encoder:
    """Writes data elements in one form; with `undefined`, sequences and items end with delimiters.

    `headers` counts the data elements and items so far (delimiters are not counted).
    """

    def __init__(self, form: Form, *, undefined: bool = False) -> None:
        self._form = form
        self._undefined = undefined
        self.headers = 0

    def header(self, tag: int, vr: str, length: int) -> bytes:
        """Of a data element or, without VR, an item or delimiter."""
        order = self._form.order
        start = struct.pack(f"{order}HH", tag >> 16, tag & 0xFFFF)
        if not vr or not self._form.explicit:
            return start + struct.pack(f"{order}I", length)
        if vr in _LONG:
            return start + vr.encode() + struct.pack(f"{order}HI", 0, length)
        return start + vr.encode() + struct.pack(f"{order}H", length)

    def element(self, tag: int, vr: str, value: bytes) -> bytes:
        """A data element; the value must be of even length and in the form's byte order."""
        if len(value) % 2:
            raise ValueError(f"odd length: {value!r}")
        self.headers += 1
        return self.header(tag, vr, len(value)) + value

    def text(self, tag: int, vr: str, value: str) -> bytes:
        """A data element with text, padded to even length."""
        data = value.encode("ascii")
        return self.element(tag, vr, data + (b"\0" if vr == "UI" else b" ") * (len(data) % 2))

    def numbers(self, tag: int, vr: str, *values: float) -> bytes:
        """A data element with numbers."""
        return self.element(tag, vr, struct.pack(f"{self._form.order}{len(values)}{_NUMBERS[vr]}", *values))

    def sequence(self, tag: int, *items: bytes) -> bytes:
        """A sequence of items, given as their encoded content."""
        self.headers += 1 + len(items)
        if self._undefined:
            start, end = self.header(ITEM, "", UNDEFINED), self.header(ITEM_END, "", 0)
            content = b"".join(start + item + end for item in items)
            return self.header(tag, "SQ", UNDEFINED) + content + self.header(SEQUENCE_END, "", 0)
        content = b"".join(self.header(ITEM, "", len(item)) + item for item in items)
        return self.header(tag, "SQ", len(content)) + content


def preamble(form: Form, sop_class: str, instance: str) -> bytes:
    """What is before the data set of a file: preamble and file meta information."""
    meta = Encoder(FORMS["explicit"])
    content = meta.element(0x00020001, "OB", b"\0\1") + meta.text(0x00020002, "UI", sop_class)
    content += meta.text(0x00020003, "UI", instance) + meta.text(0x00020010, "UI", form.uid)
    return bytes(128) + b"DICM" + meta.numbers(0x00020000, "UL", len(content)) + content
