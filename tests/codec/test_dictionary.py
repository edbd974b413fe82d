"""The generated data dictionary against pydicom and DCMTK."""

from __future__ import annotations

import re
import struct
import subprocess
import sys
from pathlib import Path

import pytest
from dcmsign.codec.dicom import tags
from dcmsign.codec.dicom._dictionary_private import CREATORS
from dcmsign.codec.dicom.dictionary import BUILT_IN, UNKNOWN
from pydicom._dicom_dict import DicomDictionary, RepeatersDictionary

from tests.peers import dcmtk_version, require_peer

AMBIGUOUS = {"US or SS": {"xs"}, "OB or OW": {"ox", "px"}, "US or OW": {"lt"}, "US or SS or OW": {"lt"}, "NONE": {"na"}}
DELIMITERS = {tags.ITEM, tags.ITEM_DELIMITATION, tags.SEQUENCE_DELIMITATION}
SOURCE_VERSION = "3.6.7"  # of the DCMTK the tables are made from; later ones retired some attributes, changed a few private VRs
# What DCMTK makes of ambiguous VRs in an implicit VR data set without Pixel Representation.
RESOLVED = {"xs": {"US"}, "lt": {"OW"}, "px": {"OW"}, "ox": {"OB", "OW"}, "UL": {"UL", "up"}}


def test_every_attribute_of_pydicom() -> None:
    for tag, (vr, _, _, retired, keyword) in DicomDictionary.items():
        assert BUILT_IN.vr_of(tag) in AMBIGUOUS.get(vr, {vr}), tags.text(tag)
        if not keyword:
            assert BUILT_IN.keyword_of(tag) == UNKNOWN
            continue
        name = BUILT_IN.keyword_of(tag)
        assert name.removeprefix("RETIRED_") == keyword, tags.text(tag)
        assert retired or name == keyword, tags.text(tag)
        assert BUILT_IN.tag_of(name) == tag


def repeating_tags() -> list[tuple[int, str, str]]:
    """Lowest and highest tag of the repeating attributes of pydicom that stand for whole ranges, VR, keyword."""
    found = []
    for mask, (vr, _, _, _, keyword) in RepeatersDictionary.items():
        if mask.count("x") == 2 and "xx" in (mask[2:4], mask[6:]):
            found += [(int(mask.replace("xx", digits), 16), vr, keyword) for digits in ("00", "02", "fe")]
    return [(tag, vr, keyword) for tag, vr, keyword in found if tag not in DicomDictionary]


def test_repeating_attributes() -> None:
    repeating = repeating_tags()
    assert len(repeating) > 200
    for tag, vr, keyword in repeating:
        assert BUILT_IN.vr_of(tag) in AMBIGUOUS.get(vr, {vr}), tags.text(tag)
        assert BUILT_IN.keyword_of(tag).removeprefix("RETIRED_") == keyword
        assert BUILT_IN.vr_of(tag | 0x10000) in (None, "LO")


@pytest.mark.parametrize(
    ("tag", "vr", "keyword"),
    [
        (0x00080000, "UL", "GenericGroupLength"),
        (0x00020000, "UL", "FileMetaInformationGroupLength"),
        (0x00080001, "UL", "RETIRED_LengthToEnd"),
        (0x00090000, "UL", "PrivateGroupLength"),
        (0x00070000, "UL", "IllegalGroupLength"),
        (0x00050010, "LO", "IllegalPrivateCreator"),
        (0x00090010, "LO", "PrivateCreator"),
        (0xFFFF00FF, "LO", "PrivateCreator"),
        (0x0009000F, None, UNKNOWN),
        (0x00090100, None, UNKNOWN),
        (0x00191002, None, UNKNOWN),
        (0x00189999, None, UNKNOWN),
        (0x00203103, None, UNKNOWN),
        (0x00280420, None, UNKNOWN),
        (0x00281200, "lt", "RETIRED_GrayLookupTableData"),
        (0x00283006, "lt", "LUTData"),
        (0x00041200, "UL", "OffsetOfTheFirstDirectoryRecordOfTheRootDirectoryEntity"),
        (0x50030005, None, UNKNOWN),
        (0x50FE3000, "ox", "RETIRED_CurveData"),
        (0x60FE3000, "ox", "OverlayData"),
        (0x7F020010, "ox", "RETIRED_VariablePixelData"),
        (0x7FE00010, "px", "PixelData"),
        (0x4FFE0001, "SQ", "MACParametersSequence"),
        (0xFFFAFFFA, "SQ", "DigitalSignaturesSequence"),
        (0xFFFCFFFC, "OB", "DataSetTrailingPadding"),
        (0xFFFEE000, "na", "Item"),
    ],
)
def test_names_and_vrs(tag: int, vr: str | None, keyword: str) -> None:
    assert (BUILT_IN.vr_of(tag), BUILT_IN.keyword_of(tag)) == (vr, keyword)


@pytest.mark.parametrize(
    ("keyword", "tag"),
    [
        ("PatientName", 0x00100010),
        ("OverlayRows", 0x60000010),
        ("RETIRED_CurveData", 0x50003000),
        ("CurveData", None),
        ("patientname", None),
        ("RETIRED_SourceImageIDs", 0x00203100),
        ("", None),
    ],
)
def test_tag_of(keyword: str, tag: int | None) -> None:
    assert BUILT_IN.tag_of(keyword) == tag


@pytest.mark.parametrize(
    ("tag", "creator", "vr"),
    [
        (0x00191002, "GEMS_ACQU_01", "SL"),
        (0x0019FF02, "GEMS_ACQU_01", "SL"),
        (0x00191002, "GEMS_ACQU_0", None),
        (0x00211002, "GEMS_ACQU_01", None),
        (0x70091004, "DLX_ANNOT_01", "ST"),
        (0x71091004, "DLX_ANNOT_01", None),
        (0x00251010, "CMR42 CIRCLECVI", "LO"),
        (0x00251110, "CMR42 CIRCLECVI", None),
        (0x00100010, "GEMS_ACQU_01", None),
    ],
)
def test_private_attributes(tag: int, creator: str, vr: str | None) -> None:
    assert BUILT_IN.private_vr_of(tag, creator) == vr


def test_names_and_private_attributes_load_late() -> None:
    code = """
import sys
from dcmsign.codec.dicom import dictionary
def loaded():
    return {name for name in ("names", "private") if f"dcmsign.codec.dicom._dictionary_{name}" in sys.modules}
assert dictionary.BUILT_IN.vr_of(0x00100010) == "PN" and not loaded()
assert dictionary.BUILT_IN.keyword_of(0x00100010) == "PatientName" and loaded() == {"names"}
assert dictionary.BUILT_IN.private_vr_of(0x00191002, "GEMS_ACQU_01") == "SL" and loaded() == {"names", "private"}
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def implicit(tag: int, value: bytes = b"") -> bytes:
    return struct.pack("<HHL", tag >> 16, tag & 0xFFFF, len(value)) + value


def dump(data_set: bytes, folder: Path) -> list[tuple[int, str, str]]:
    """Tag, VR and name of the elements of an implicit VR data set after DCMTK's conversion to explicit VR."""
    implicit_file, explicit_file = folder / "implicit.dcm", folder / "explicit.dcm"
    implicit_file.write_bytes(data_set)
    convert = [require_peer("dcmconv"), "-q", "-f", "-ti", "-F", "+te", str(implicit_file), str(explicit_file)]
    subprocess.run(convert, check=True)
    show = [require_peer("dcmdump"), "-q", "-f", "-te", str(explicit_file)]
    listing = subprocess.run(show, capture_output=True, check=True).stdout.decode("ascii", "replace")
    lines = re.findall(r"^ *\(([0-9a-f]{4}),([0-9a-f]{4})\) (\S\S).*#.*?, *\d+ (.+)$", listing, re.MULTILINE)
    return [(int(group + element, 16), vr, name) for group, element, vr, name in lines]


def test_standard_attributes_against_dcmtk(tmp_path: Path) -> None:
    candidates = {*DicomDictionary, *(tag for tag, *_ in repeating_tags()), 0x00090000, 0x00090010, 0x60010010}
    candidates -= {tags.PIXEL_DATA_PROVIDER_URL, *DELIMITERS}  # dcmconv refuses the URL
    in_file = sorted(tag for tag in candidates if tag >= 0x00080000)
    lines = dump(b"".join(map(implicit, in_file)), tmp_path)
    same_version = dcmtk_version() == SOURCE_VERSION
    seen = [line for line in lines if line[0] not in DELIMITERS]
    assert [tag for tag, *_ in seen] == in_file
    newer = 0
    for tag, vr, name in seen:
        if name == UNKNOWN:
            newer += 1
            continue
        mine = BUILT_IN.vr_of(tag)
        assert mine is not None, tags.text(tag)
        assert vr in RESOLVED.get(mine, {mine}), tags.text(tag)
        assert BUILT_IN.keyword_of(tag).removeprefix("RETIRED_") == name.removeprefix("RETIRED_")
        if same_version:
            assert BUILT_IN.keyword_of(tag) == name
    assert newer < 500


def test_private_attributes_against_dcmtk(tmp_path: Path) -> None:
    expected: list[tuple[int, str]] = []
    items = b""
    for creator, text in CREATORS.items():
        words = [word.split("-")[0] + word[9:].replace(",", "") if "-" in word else word for word in text.split()]
        places = {int(word[:4], 16) << 16 | int(word[4:], 16) | 0x1000 for word in words if len(word) > 2}
        reserved = {place & 0xFFFF0000 | place >> 8 & 0xFF: creator.encode() for place in places}
        item = reserved | dict.fromkeys(places, b"")
        items += implicit(tags.ITEM, b"".join(implicit(tag, item[tag]) for tag in sorted(item)))
        expected += [(tag, BUILT_IN.private_vr_of(tag, creator) or "?") for tag in sorted(places)]
    lines = dump(implicit(0x00081140, items), tmp_path)
    seen = [(tag, vr) for tag, vr, _ in lines if tag & 0x10000 and tag & 0xFFFF >= 0x1000]
    assert len(expected) > 2600
    assert [tag for tag, _ in seen] == [tag for tag, _ in expected]
    pairs = zip(seen, expected, strict=True)
    differing = [tags.text(tag) for (tag, theirs), (_, mine) in pairs if theirs not in RESOLVED.get(mine, {mine})]
    assert len(differing) <= (0 if dcmtk_version() == SOURCE_VERSION else 3), differing
