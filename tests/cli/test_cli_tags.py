"""Tags of the command line and of tag files."""

from __future__ import annotations

import pytest
from dcmsign.codec.dicom.dictionary import BUILT_IN
from dcmsign.stream.cli.tags import TagSyntaxError, parse_tag, parse_tag_file


@pytest.mark.parametrize(
    ("text", "tag"),
    [
        ("0010,0010", 0x00100010),
        ("10,10", 0x00100010),
        ("0x10,0X10", 0x00100010),
        (" 0010,\t0010zzz", 0x00100010),
        ("110010,0010", 0x00100010),
        ("-10,+10", 0xFFF00010),
        ("0x,10", 0x00000010),
        ("123456789abcdef0010,10", 0xFFFF0010),
        ("7fe0,0010", 0x7FE00010),
        ("PatientName", 0x00100010),
        ("OverlayRows", 0x60000010),
        ("RETIRED_CurveData", 0x50003000),
    ],
)
def test_tag(text: str, tag: int) -> None:
    assert parse_tag(text, BUILT_IN) == tag


@pytest.mark.parametrize(
    "text",
    ["", "(0010,0010)", "00100010", "0010 ,0010", "- 10,10", "10,", ",10", "patientname", "PatientName ", "CurveData"],
)
def test_no_tag(text: str) -> None:
    assert parse_tag(text, BUILT_IN) is None


@pytest.mark.parametrize(
    ("text", "tags"),
    [
        ("", []),
        ("(10,20)PatientName(0x0010,0x0040)\r\n", [0x00100020, 0x00100010, 0x00100040]),
        ("(0010,0020,5) \v\f PatientName", [0x00100020, 0x00100010]),
        ("(10,20(30,40) (10,20\n)", [0x00100020, 0x00100020]),
        ("PatientName\0bogus", [0x00100010]),
    ],
)
def test_tag_file(text: str, tags: list[int]) -> None:
    assert list(parse_tag_file(text, BUILT_IN)) == tags


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Foo PatientName", "Foo"),
        ("PatientName, PatientID", ""),
        ("0010,0010", "0010"),
        ("(10,20)x", "x"),
        ("(xx,yy)", None),
        ("(10,20", None),
        ("(10 ,20)", None),
        ("()", None),
    ],
)
def test_bad_tag_file(text: str, name: str | None) -> None:
    with pytest.raises(TagSyntaxError) as caught:
        parse_tag_file(text, BUILT_IN)
    assert caught.value.name == name
