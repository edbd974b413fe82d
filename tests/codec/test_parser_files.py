"""The files pydicom ships, read by pydicom and by us: the same tags, VRs and values at every level."""

from __future__ import annotations

import warnings
from functools import cache
from pathlib import Path

import pytest
from dcmsign.codec.dicom import syntaxes
from dcmsign.codec.dicom.events import DatasetStart, Element, Event
from dcmsign.codec.errors import FormatError, Truncated
from pydicom import dcmread
from pydicom.datadict import dictionary_has_tag, dictionary_VR
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset, FileDataset
from pydicom.encaps import generate_fragments
from pydicom.errors import InvalidDicomError
from pydicom.multival import MultiValue

from tests.codec import builder, reading

TRUNCATED = {
    "rtplan_truncated.dcm",
    "MR_truncated.dcm",
    "emri_small_jpeg_2k_lossless_too_short.dcm",
    "DICOMDIR-nooffset",  # ends between two data elements of an item of defined length
    "SC_rgb_jpeg.dcm",  # an image file in the place of the data set
}
"""Files that pydicom reads as far as they go."""

LARGEST = 2_200_000


@cache
def read_by_pydicom(path: Path) -> FileDataset | None:
    """The data set without converted values, None if pydicom finds no DICOM."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return dcmread(path)
        except InvalidDicomError:
            pass
        found = dcmread(path, force=True)
    # What pydicom was forced to read counts if it begins like a data set.
    return found if found and min(found.keys()).group in (0x0008, 0x0010) else None


@cache
def common_files() -> tuple[Path, ...]:
    """The files both read."""
    paths = (path for path in reading.pydicom_files() if path.stat().st_size < LARGEST and path.suffix != ".gz")
    return tuple(path for path in paths if path.name not in TRUNCATED and read_by_pydicom(path) is not None)


def same_vr(tag: int, vr: str, theirs: str | None, creators: dict[int, str]) -> bool:
    """Whether our VR is the one in the file or, in implicit VR, the one of pydicom's dictionary."""
    if theirs is None and tag & 0x10000:
        # The private dictionaries differ.
        return vr == "LO" if 0x10 <= tag & 0xFFFF <= 0xFF else vr == "UN" or (tag >> 8) & 0xFFFF00 | tag >> 8 & 0xFF in creators
    if theirs is None:
        if not tag & 0xFFFF:
            return vr == "UL"
        theirs = dictionary_VR(tag) if dictionary_has_tag(tag) else repeater_or_unknown(tag)
    return vr in theirs.split(" or ") or (vr == "UN" and theirs == "UN")


def repeater_or_unknown(tag: int) -> str:
    """VR of a data element of a repeating group."""
    try:
        return dictionary_VR(tag)
    except KeyError:
        return "UN"


def same_converted(node: builder.Plain, element: DataElement) -> bool:
    """Compare with a data element that pydicom has converted because it needed it while reading."""
    value = element.value
    if node.vr == "US":
        return bool(int.from_bytes(node.value[:2], "little") == (value or 0))
    texts = list(value) if isinstance(value, MultiValue) else [value]
    return node.value.rstrip(b" \0").decode().split("\\") == [str(text or "") for text in texts]


def compare(ours: builder.Nodes, theirs: Dataset, path: str) -> int:
    """Compare a level and what is inside; returns the number of data elements."""
    count = 0
    assert sorted({node.tag for node in ours}) == sorted(map(int, theirs.keys())), path
    creators = {node.tag: "" for node in ours if node.tag & 0x10000 and 0x10 <= node.tag & 0xFFFF <= 0xFF}
    for node in ours:
        where = f"{path} {node.tag:08x}"
        element = theirs.get_item(node.tag)
        assert element is not None
        count += 1
        if isinstance(node, builder.Sequence):
            items = theirs[node.tag].value
            assert theirs[node.tag].VR == "SQ", where
            assert len(items) == len(node.items), where
            for number, (mine, item) in enumerate(zip(node.items, items, strict=True)):
                count += compare(mine.nodes, item, f"{where}[{number}]")
            continue
        value = element.value or b""
        if isinstance(node, builder.Pixels):
            fragments = list(generate_fragments(value))
            assert fragments == list(node.fragments), where
            continue
        if not isinstance(element, RawDataElement):
            assert same_converted(node, element), where
            continue
        assert same_vr(node.tag, node.vr, element.VR, creators), f"{where} {node.vr} {element.VR}"
        big = not element.is_little_endian
        assert (builder.swap(node.value, builder.UNITS.get(node.vr, 1)) if big else node.value) == value, where
    return count


@pytest.mark.parametrize("part", range(4))
def test_same_as_pydicom(part: int) -> None:
    count = files = 0
    for path in common_files()[part::4]:
        events = reading.read(path.read_bytes())
        theirs = read_by_pydicom(path)
        assert theirs is not None
        files += 1
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            count += compare(reading.tree(reading.content(events)), theirs, path.name)
        check_head(events, theirs, path.name)
    assert files >= 20
    assert count > 1000


def check_head(events: list[Event], theirs: FileDataset, name: str) -> None:
    """Transfer syntax and file meta information."""
    start = next(event for event in events if isinstance(event, DatasetStart))
    meta = [event for event in events[: events.index(start)] if isinstance(event, Element)]
    assert [event.tag for event in meta] == sorted(map(int, theirs.file_meta.keys())), name
    for event in meta:
        element = theirs.file_meta[event.tag]
        assert event.vr == element.VR
        if event.vr == "UI":
            assert event.value.rstrip(b"\0").decode() == element.value
    found = syntaxes.SYNTAXES[start.syntax]
    if found.uid == theirs.file_meta.get("TransferSyntaxUID"):
        return
    assert found.explicit is not theirs.original_encoding[0], name
    assert found.little_endian is theirs.original_encoding[1], name


def test_files_that_end_too_early() -> None:
    seen = 0
    for path in reading.pydicom_files():
        if path.name in TRUNCATED:
            seen += 1
            with pytest.raises(Truncated, match=r"offset \d+, element \([0-9a-f]{4},[0-9a-f]{4}\)"):
                reading.read(path.read_bytes())
    assert seen >= 4


def test_files_that_are_no_dicom() -> None:
    others = [path for path in reading.pydicom_files() if path.suffix in (".txt", ".json", ".dump", ".icc", ".gz")]
    for path in others:
        with pytest.raises(FormatError):
            reading.read(path.read_bytes())
    assert len(others) >= 2
