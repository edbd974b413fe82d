"""The objects that are measured: images of any size, dense nested functional groups, structured reports, plain elements."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import anyio
from dcmsign.stream import KeySigner, sign

from .encoding import FORMS, ITEM, SEQUENCE_END, UNDEFINED, Encoder, Form, preamble

MIB = 1 << 20
SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
ENHANCED_MR = "1.2.840.10008.5.1.4.1.1.4.1"
STRUCTURED_REPORT = "1.2.840.10008.5.1.4.1.1.88.33"

IMAGE_TAGS = (0x00080016, 0x00080018, 0x00081140, 0x00100010, 0x00100020, 0x7FE00010)
"""All data elements of an image that is made here."""

MAX_NATIVE = UNDEFINED - 1
"""Length that native Pixel Data can have (PS3.5 7.1.2)."""


def make_image(path: Path, size: int, form: Form, *, fragment: int = 4 * MIB, sparse: bool = False) -> None:
    """An image with `size` bytes of Pixel Data: fragments of `fragment` bytes if encapsulated, 16 bit words otherwise.

    Sparse ones hold zeros that take no space on the disk. Sizes are even.
    """
    encapsulated = form is FORMS["encapsulated"]
    if size % 2 or fragment % 2 or (not encapsulated and size > MAX_NATIVE):
        raise ValueError(f"no length for Pixel Data: {size} in fragments of {fragment}")
    encoder = Encoder(form)
    with path.open("wb") as file:
        file.write(preamble(form, SECONDARY_CAPTURE, "1.2.3.4.5") + _image_head(encoder))
        if not encapsulated:
            file.write(encoder.header(0x7FE00010, "OW", size))
            _fill(file, size, sparse)
        else:
            file.write(encoder.header(0x7FE00010, "OB", UNDEFINED) + encoder.header(ITEM, "", 0))
            for start in range(0, size, fragment):
                piece = min(fragment, size - start)
                file.write(encoder.header(ITEM, "", piece))
                _fill(file, piece, sparse)
            file.write(encoder.header(SEQUENCE_END, "", 0))
        file.truncate()


def _image_head(encoder: Encoder) -> bytes:
    item = encoder.text(0x00081150, "UI", SECONDARY_CAPTURE) + encoder.text(0x00081155, "UI", "1.2.3.4.6")
    return (
        encoder.text(0x00080016, "UI", SECONDARY_CAPTURE)
        + encoder.text(0x00080018, "UI", "1.2.3.4.5")
        + encoder.sequence(0x00081140, item)
        + encoder.text(0x00100010, "PN", "DOE^JOHN")
        + encoder.text(0x00100020, "LO", "ID")
    )


_NOISE = os.urandom(MIB)


def _fill(file: BinaryIO, size: int, sparse: bool) -> None:
    if sparse:
        file.seek(size, os.SEEK_CUR)
        return
    for start in range(0, size, len(_NOISE)):
        file.write(memoryview(_NOISE)[: size - start])


def make_dense(path: Path, frames: int, form: Form, *, undefined: bool = False) -> int:
    """An enhanced MR object without pixels, 25 headers a frame in nested functional groups (PS3.3 C.7.6.16).

    Returns the number of headers in the data set.
    """
    encoder = Encoder(form, undefined=undefined)
    body = encoder.text(0x00080016, "UI", ENHANCED_MR) + encoder.text(0x00080018, "UI", "1.2.3.4")
    body += encoder.text(0x00100010, "PN", "DOE^JOHN")
    body += encoder.sequence(0x52009230, *(_frame(encoder, number) for number in range(frames)))
    path.write_bytes(preamble(form, ENHANCED_MR, "1.2.3.4") + body)
    return encoder.headers


def _frame(encoder: Encoder, number: int) -> bytes:
    """5 sequences with an item each and 14 plain elements."""
    text, numbers, sequence = encoder.text, encoder.numbers, encoder.sequence
    moment = "20200101120000.000000"
    diffusion = numbers(0x00189087, "FD", number) + numbers(0x00189089, "FD", 1, 2, 3)
    content = text(0x00189074, "DT", moment) + text(0x00189151, "DT", moment) + numbers(0x00189220, "FD", number)
    content += numbers(0x00209057, "UL", number) + numbers(0x00209157, "UL", 1, number + 1)
    measures = text(0x00180050, "DS", "1.25") + text(0x00180088, "DS", "1.25") + text(0x00280030, "DS", "0.5\\0.5")
    window = text(0x00281050, "DS", "40") + text(0x00281051, "DS", "400")
    place = text(0x00200032, "DS", "-125.0\\-125.0\\12.500") + text(0x00200037, "DS", "1\\0\\0\\0\\1\\0")
    return (
        sequence(0x00189152, diffusion)
        + sequence(0x00209111, content)
        + sequence(0x00209113, place)
        + sequence(0x00289110, measures)
        + sequence(0x00289132, window)
    )


def make_plain(path: Path, elements: int, form: Form, *, an_item: int = 50) -> int:
    """An object of nothing but short plain elements, in items of `an_item` and their creator; returns how many there are."""
    encoder = Encoder(form)
    body = encoder.text(0x00080016, "UI", ENHANCED_MR) + encoder.text(0x00080018, "UI", "1.2.3.4")

    def item(start: int) -> bytes:
        numbers = range(start, min(start + an_item, elements))
        creator = encoder.text(0x00190010, "LO", "BENCHMARK")
        return creator + b"".join(encoder.text(0x00191000 + number - start, "LO", f"{number:08}") for number in numbers)

    body += encoder.sequence(0x00081140, *(item(start) for start in range(0, elements, an_item)))
    path.write_bytes(preamble(form, ENHANCED_MR, "1.2.3.4") + body)
    return elements + -(-elements // an_item)


def make_report(path: Path, number: int = 0, *, items: int = 12) -> int:
    """A structured report with a content tree of three levels (PS3.3 C.17.3); returns the number of headers."""
    form = FORMS["explicit"]
    encoder, instance = Encoder(form), f"1.2.3.5.{number}"
    text, sequence = encoder.text, encoder.sequence

    def code(tag: int, value: str, meaning: str) -> bytes:
        parts = text(0x00080100, "SH", value) + text(0x00080102, "SH", "99BENCH") + text(0x00080104, "LO", meaning)
        return sequence(tag, parts)

    def leaf(index: int) -> bytes:
        head = text(0x0040A010, "CS", "CONTAINS") + text(0x0040A040, "CS", "TEXT") + code(0x0040A043, f"T{index}", "Finding")
        return head + text(0x0040A160, "UT", f"Finding {index} of report {number}, without change to the study before.")

    def section(index: int) -> bytes:
        head = text(0x0040A010, "CS", "CONTAINS") + text(0x0040A040, "CS", "CONTAINER") + code(0x0040A043, f"S{index}", "Section")
        return head + sequence(0x0040A730, *(leaf(item) for item in range(items)))

    body = text(0x00080016, "UI", STRUCTURED_REPORT) + text(0x00080018, "UI", instance) + text(0x00080060, "CS", "SR")
    body += text(0x00100010, "PN", "DOE^JOHN") + text(0x00100020, "LO", f"ID{number}")
    body += text(0x0020000D, "UI", "1.2.3.5.1") + text(0x0020000E, "UI", "1.2.3.5.2")
    body += text(0x0040A040, "CS", "CONTAINER") + code(0x0040A043, "R", "Report")
    body += sequence(0x0040A730, *(section(index) for index in range(4)))
    path.write_bytes(preamble(form, STRUCTURED_REPORT, instance) + body)
    return encoder.headers


def make_reports(folder: Path, count: int) -> Iterator[Path]:
    """Small structured reports, in folders of 100."""
    for number in range(count):
        path = folder / f"{number // 100:04}" / f"{number:06}.dcm"
        path.parent.mkdir(parents=True, exist_ok=True)
        make_report(path, number, items=2)
        yield path


def sign_in_place(paths: list[Path], key: str, certificate: str) -> None:
    """Sign each file with the library."""
    signer = KeySigner.load(key, certificate)

    async def sign_all() -> None:
        for path in paths:
            await sign(path, path, signer=signer)

    anyio.run(sign_all)
