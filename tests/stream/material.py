"""Objects to sign and to verify: the vectors, files of pydicom, and big or odd ones made to measure."""

from __future__ import annotations

import json
import os
import random
import struct
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import pydicom
from dcmsign.stream import ReadOptions, StreamFormat

MAC_VECTORS = Path(__file__).parents[1] / "vectors" / "mac"
PYDICOM_FILES = Path(pydicom.__file__).parent / "data" / "test_files"

CASES: dict[str, dict[str, Any]] = {case["name"]: case for case in json.loads((MAC_VECTORS / "cases.json").read_text())["cases"]}
OTHERS = (
    "CT_small.dcm",
    "MR_small_bigendian.dcm",
    "MR_small_implicit.dcm",
    "image_dfl.dcm",
    "JPEG2000.dcm",
    "SC_rgb_rle_2frame.dcm",
    "ExplVR_LitEndNoMeta.dcm",
    "rtplan.dcm",
    "nested_priv_SQ.dcm",
    "UN_sequence.dcm",
)
"""Files of pydicom, of all kinds of transfer syntaxes."""

EXPLICIT = b"1.2.840.10008.1.2.1\0"
DEFLATED = b"1.2.840.10008.1.2.1.99"
UNDEFINED = 0xFFFFFFFF
_LONG = {"OB", "OW", "SQ", "UN", "UT"}


def noon() -> datetime:
    """A clock that stands still."""
    return datetime(2026, 6, 1, 12, 0, 0, 123456, tzinfo=UTC)


def signed_vector(name: str) -> Path:
    return MAC_VECTORS / f"{name}.signed.dcm"


def _diverse() -> list[str]:
    """A vector of each transfer syntax, and those that are special in structure."""
    first = {case["input_transfer_syntax"]: name for name, case in reversed(CASES.items())}
    special = ("item-then-main", "second-signature", "nested-16k-items", "un-converted", "order-and-duplicates", "tag-list")
    return [*first.values(), "jpeg-old-format", "implicit-long-ds", *special]


def inputs() -> dict[str, Path]:
    """Objects to be signed, by name."""
    found = {name: MAC_VECTORS / f"{name}.dcm" for name in _diverse()}
    return found | {name: PYDICOM_FILES / name for name in OTHERS}


def outputs() -> dict[str, Path]:
    """Objects to be verified, by name."""
    return {name: signed_vector(name) for name in _diverse()} | {name: PYDICOM_FILES / name for name in OTHERS}


def verify_options(name: str) -> dict[str, Any]:
    """How a vector has to be verified."""
    return {"stream_format": StreamFormat.OLD} if name == "jpeg-old-format" else {}


def sign_options(name: str) -> dict[str, Any]:
    """How a vector was signed."""
    case = CASES.get(name)
    if case is None:
        return {}
    options: dict[str, Any] = {"mac_algorithm": case["mac_algorithm"]}
    if name in ("tag-list", "tag-file"):
        options["tags"] = [int(tag.replace(",", ""), 16) for tag in case["tags_signed"]]
    if "+sp" in case["options"]:
        options["purpose"] = 5
    if "+uc" in case["options"]:
        options["read"] = ReadOptions(convert_un=True)
    if "-fo" in case["options"]:
        options["stream_format"] = StreamFormat.OLD
    return options


# ---------------------------------------------------------------- made to measure


def element(tag: int, vr: str, value: bytes, *, length: int | None = None) -> bytes:
    """One data element in Explicit VR Little Endian; `length` is what the header says, if not the truth."""
    size = len(value) if length is None else length
    head = struct.pack("<HH", tag >> 16, tag & 0xFFFF) + vr.encode()
    return head + (struct.pack("<HI", 0, size) if vr in _LONG else struct.pack("<H", size)) + value


def sequence(tag: int, *items: bytes) -> bytes:
    """A sequence of undefined length with items of undefined length."""
    start, end = struct.pack("<HHI", 0xFFFE, 0xE000, UNDEFINED), struct.pack("<HHI", 0xFFFE, 0xE00D, 0)
    content = b"".join(start + item + end for item in items)
    return element(tag, "SQ", content + struct.pack("<HHI", 0xFFFE, 0xE0DD, 0), length=UNDEFINED)


def meta(syntax: bytes = EXPLICIT) -> bytes:
    """Preamble and file meta information."""
    rest = element(0x00020010, "UI", syntax)
    return bytes(128) + b"DICM" + element(0x00020000, "UL", struct.pack("<I", len(rest))) + rest


@cache
def head() -> bytes:
    """The beginning of a data set: a few plain elements and a nested one."""
    reference = element(0x00081155, "UI", b"1.2.3.4.5.6.")
    return (
        element(0x00080016, "UI", b"1.2.840.10008.5.1.4.1.1.7\0")
        + element(0x00080018, "UI", b"2.25.42\0")
        + sequence(0x00081140, reference, reference)
        + element(0x00100010, "PN", b"Doe^Jane")
    )


def noise(size: int, seed: int = 1) -> bytes:
    """Bytes that neither compress nor repeat."""
    return random.Random(seed).randbytes(size)


def image(pixels: bytes, *, more: bytes = b"") -> bytes:
    """A file with native Pixel Data; `more` stands in front of them."""
    return meta() + head() + more + element(0x7FE00010, "OW", pixels)


def write_sparse(path: Path, size: int) -> Path:
    """A file whose Pixel Data are `size` zero bytes that take no room on the disk."""
    with open(path, "wb") as file:
        file.write(meta() + head() + element(0x7FE00010, "OW", b"", length=size))
        file.truncate(file.tell() + size)
    return path


def shuffled(*, pixels: bytes = b"", syntax: bytes = EXPLICIT, first: bytes = b"") -> bytes:
    """A file whose last data elements are out of order."""
    name, identifier = element(0x00100010, "PN", b"Doe^Jane"), element(0x00100020, "LO", b"4711")
    late = element(0x7FE00010, "OW", pixels) if pixels else b""
    uids = element(0x00080016, "UI", b"1.2.840.10008.5.1.4.1.1.7\0") + element(0x00080018, "UI", b"2.25.42\0")
    return meta(syntax) + uids + first + late + identifier + name


# ---------------------------------------------------------------- ways to hand bytes over


def pieces(data: bytes, seed: int = 7, largest: int = 1 << 16) -> Iterator[bytes]:
    """The data in pieces of random sizes, some of them empty."""
    chance, position = random.Random(seed), 0
    while position < len(data):
        size = chance.choice((0, 1, 7, chance.randrange(1, largest)))
        yield data[position : position + size]
        position += size
    yield b""


async def stream(data: bytes, seed: int = 7, largest: int = 1 << 16) -> AsyncIterator[bytes]:
    """The data as an async iterable."""
    for piece in pieces(data, seed, largest):
        yield piece


def listing(folder: Path) -> set[str]:
    """Names in a folder, hidden ones too."""
    return set(os.listdir(folder))
