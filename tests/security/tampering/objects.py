"""Small signed objects of all kinds: what the tampering matrix changes byte by byte."""

from __future__ import annotations

import io
import zlib
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache, partial
from typing import Any, NamedTuple

import anyio
from dcmsign.stream import sign
from pydicom.uid import RLELossless

from tests.interop import build, dcmtk
from tests.stream.test_timestamp_rules import trust as timestamp_trust
from tests.tsa.stamped import read

RLE_HEADER = (1).to_bytes(4, "little") + (64).to_bytes(4, "little") + bytes(56)


def _signed(data: bytes, *, key: str = "ec", **options: Any) -> bytes:
    target = io.BytesIO()
    anyio.run(partial(sign, data, target, signer=dcmtk.signer(key), **options))
    return target.getvalue()


def nested(writer: build.Writer, *, undefined: bool = False) -> bytes:
    """A sequence in a sequence, an empty item, a group length and an element of group 0004 in an item."""
    reference = writer.element(0x00081155, "UI", b"1.2.3.5\0")
    inner = writer.sequence(0x00081199, [writer.item(reference, undefined=undefined)], undefined=undefined)
    odd = writer.element(0x00041500, "CS", b"FILE") + writer.element(0x00080000, "UL", writer.number(4711, 4))
    first = writer.item(odd + inner + writer.element(0x0020000E, "UI", b"1.2\0"), undefined=undefined)
    return writer.sequence(0x00081115, [first, writer.item(b"", undefined=undefined)], undefined=undefined)


def _dataset(writer: build.Writer, *, undefined: bool = False) -> bytes:
    parts = (
        build.common(writer),
        writer.element(0x00081030, "LO", b"Maker "),
        nested(writer, undefined=undefined),
        writer.element(0x00090010, "LO", b"INTEROP "),
        writer.element(0x00091002, "OB", b"\1\2"),
        writer.element(0x00100010, "PN", b"Doe^Jane"),
        writer.element(0x00280010, "US", writer.number(2, 2)),
        writer.element(0x7FE00010, "OW", b"\1\2\3\4"),
    )
    return b"".join(parts)


def explicit() -> bytes:
    """Defined lengths."""
    return _signed(build.meta(build.EXPLICIT_LE) + _dataset(build.Writer()))


def undefined_lengths() -> bytes:
    """Undefined lengths of sequences and items."""
    data = build.meta(build.EXPLICIT_LE) + _dataset(build.Writer(), undefined=True)
    return _signed(data, undefined_lengths=True)


def implicit() -> bytes:
    """Implicit VR."""
    return _signed(build.meta(build.IMPLICIT_LE) + _dataset(build.Writer(explicit=False)))


def big_endian() -> bytes:
    """Explicit VR big endian."""
    return _signed(build.meta(build.EXPLICIT_BE) + _dataset(build.Writer(big=True)))


def deflated() -> bytes:
    """Deflated."""
    packer = zlib.compressobj(wbits=-15)
    return _signed(build.meta(build.DEFLATED) + packer.compress(_dataset(build.Writer())) + packer.flush())


def _frames(syntax: str, fragments: list[bytes]) -> bytes:
    writer = build.Writer()
    head = build.common(writer) + writer.element(0x00280008, "IS", b"2 ") + writer.element(0x00280010, "US", b"\2\0")
    return _signed(build.meta(syntax) + head + writer.fragments(fragments))


def jpeg() -> bytes:
    """Two frames in three fragments behind an offset table."""
    table = bytes(4) + (22).to_bytes(4, "little")
    return _frames(build.JPEG_BASELINE, [table, b"\xff\xd8\1\2\3\0", b"\4\5\xff\xd9", b"\xff\xd8\6\7\xff\xd9"])


def rle() -> bytes:
    """RLE, two frames, no offset table."""
    return _frames(str(RLELossless), [b"", RLE_HEADER + b"\3\1\2\3\4\0", RLE_HEADER + b"\3\5\6\7\x08\0"])


def several() -> bytes:
    """Two signatures; the first protects two data elements, the second one also a third."""
    writer = build.Writer()
    data = build.meta(build.EXPLICIT_LE) + build.common(writer) + writer.element(0x00100010, "PN", b"Doe^Jane")
    data += writer.element(0x00100020, "LO", b"4711")
    once = _signed(data, tags=[0x00080018, 0x00100010])
    return _signed(once, key="rsa", tags=[0x00100010, 0x00100020])


def in_item() -> bytes:
    """A signature in the second item of a sequence, and none of the main data set."""
    writer = build.Writer()
    items = [writer.item(writer.element(0x00081155, "UI", value)) for value in (b"1.2.3.5\0", b"1.2.3.6\0")]
    data = build.meta(build.EXPLICIT_LE) + build.common(writer) + writer.sequence(0x00081140, items)
    return _signed(data + writer.element(0x00100010, "PN", b"Doe^Jane"), location="(0008,1140)[1]")


def stamped() -> bytes:
    """With a certified timestamp."""
    return read("stamped/granted-sha256.dcm")


class Case(NamedTuple):
    """A signed object and how it is verified; `deflated`: what is changed are the inflated bytes."""

    make: Callable[[], bytes]
    deflated: bool = False
    stamped: bool = False

    @property
    def options(self) -> dict[str, Any]:
        """Arguments of verify."""
        if self.stamped:
            return {"trust": timestamp_trust(), "at": datetime(2026, 11, 22, 14, tzinfo=UTC)}
        return {"trust": dcmtk.trust()}


CASES = {
    "explicit": Case(explicit),
    "undefined lengths": Case(undefined_lengths),
    "implicit": Case(implicit),
    "big endian": Case(big_endian),
    "deflated": Case(deflated, deflated=True),
    "jpeg": Case(jpeg),
    "rle": Case(rle),
    "several signatures": Case(several),
    "signature in an item": Case(in_item),
    "timestamped": Case(stamped, stamped=True),
}


@cache
def made(name: str) -> bytes:
    """The object of a case."""
    return CASES[name].make()


def dataset_start(data: bytes) -> int:
    """Where the data set begins."""
    return 144 + int.from_bytes(data[140:144], "little")


def inflated(data: bytes) -> bytes:
    """A deflated object with its data set inflated."""
    start = dataset_start(data)
    return data[:start] + zlib.decompress(data[start:], wbits=-15)


def deflate(data: bytes, start: int) -> bytes:
    """The way back; `start`: where the data set begins."""
    packer = zlib.compressobj(1, wbits=-15)
    return data[:start] + packer.compress(data[start:]) + packer.flush()
