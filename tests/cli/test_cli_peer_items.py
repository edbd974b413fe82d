"""Signing an item of a sequence: locations, the object that is written, and each program on the signatures of the other."""

from __future__ import annotations

import shlex

import pytest

from tests.cli.peer import Invocation, Peers

SERIES, INSTANCES = "ReferencedSeriesSequence", "ReferencedInstanceSequence"

# ---------------------------------------------------------------- locations in ele.dcm

FOUND = [
    f"{SERIES}[0]",
    f" {SERIES}[0]",
    f"{SERIES} [0]",
    f"{SERIES}[0] ",
    f"{SERIES}[00]",
    f"{SERIES}[4294967296]",
    f"{SERIES}[0].{INSTANCES}[1]",
    f"{SERIES}[0]. {INSTANCES}[1]",
    f"\t{SERIES}\t[0].\t{INSTANCES}[1]\t",
    f"\n{SERIES}\v[0].\f{INSTANCES}\r[1]\n",
    f"{SERIES}[0].(0008,114a)[1]",
    f"(0008,1115)[0].{INSTANCES}[0]",
    "(0008,1115)[0].(0008,114A)[0]",
    "(0008,1115)[0]",
    "(8,1115)[0]",
    "(0x0008,0X1115)[0]",
    "(0008, 1115)[0]",
    "( 0008,1115)[0]",
    "(0008,1115 )[0]",
    "(0008,1115,5)[0]",
    "(0008,1115(()[0]",
    "(110008,1115)[0]",
    "(-FFF8,1115)[0]",
    " (0008,1115) [0] ",
    "ReferencedImageSequence[0]",
]

NOT_FOUND = [
    # not so many items; numbers wrap at 2^32, larger ones than 2^64 are the largest
    f"{SERIES}[1]",
    f"{SERIES}[0].{INSTANCES}[2]",
    f"{SERIES}[1].{INSTANCES}[0]",
    f"{SERIES}[2147483648]",
    f"{SERIES}[4294967295]",
    f"{SERIES}[4294967297]",
    f"{SERIES}[18446744073709551615]",
    f"{SERIES}[18446744073709551616]",
    f"{SERIES}[99999999999999999999999]",
    "ReferencedImageSequence[3]",
    "RequestAttributesSequence[0]",
    # incomplete
    "",
    " ",
    f"{SERIES}",
    f"{SERIES} ",
    f"{SERIES}[0].",
    f"{SERIES}[0]. ",
    f"{SERIES}[0].{INSTANCES}",
    "(0008,1115)",
    # no sequence, not there
    "PatientName[0]",
    "PixelData[0]",
    f"{SERIES}[0].SeriesInstanceUID[0]",
    "(0010,0010)[0]",
    "ContentSequence[0]",
    f"{SERIES}[0].PatientName[0]",
    "(0008,9999)[0]",
    f"{SERIES}[0].{INSTANCES}[0].{INSTANCES}[0]",
    # names nobody knows
    "NoSuch[0]",
    "NoSuch",
    "referencedSeriesSequence[0]",
    "Referenced-Series[0]",
    "Referenced_Series[0]",
    "RETIRED_CurveData[0]",
    f"{SERIES}[0].NoSuch[0]",
    f"{SERIES}[0]x",
    f"{SERIES}[0]]",
    f"{SERIES}[1]x",
    f"{SERIES}[5].NoSuch[0]",
    "0008,1115[0]",
    "00081115[0]",
    "\u00e4[0]",
    # neither name nor number
    "[0]",
    ".",
    "..",
    f".{SERIES}[0]",
    f"{SERIES}.0",
    f"{SERIES}[",
    f"{SERIES}[0",
    f"{SERIES}[]",
    f"{SERIES}[-1]",
    f"{SERIES}[+0]",
    f"{SERIES}[0x0]",
    f"{SERIES}[0a]",
    f"{SERIES}[ 0]",
    f"{SERIES}[0 ]",
    f"{SERIES}[*]",
    f"{SERIES}[0][0]",
    f"{SERIES}[0] [0]",
    f"{SERIES}[0] .{INSTANCES}[1]",
    f"{SERIES}[0]..{INSTANCES}[1]",
    f"{SERIES}[0]{INSTANCES}[1]",
    f"{SERIES}[0] {INSTANCES}[1]",
    f"{SERIES}[0]PatientName",
    f"{SERIES}{INSTANCES}[0]",
    "(0008 ,1115)[0]",
    "(0008,1115[0]",
    "(0008,1115",
    "(0008,1115).",
    "(0008,1115)",
    "(0008)[0]",
    "(,)[0]",
    "()[0]",
    "(xx,yy)[0]",
    "((0008,1115)[0]",
    "0008,1115)[0]",
]


def line_for(location: str, file: str = "ele.dcm", *options: str) -> str:
    """The command line that signs an item of a file."""
    return shlex.join(["+m2", *options, "+si", "key.pem", "cert.pem", location, file, "out.dcm"])


@pytest.mark.parametrize("location", FOUND)
def test_location(peers: Peers, location: str) -> None:
    assert peers.same(line_for(location, "ele.dcm", "-v")).theirs.code == 0


@pytest.mark.parametrize("location", list(dict.fromkeys(NOT_FOUND)))
def test_wrong_location(peers: Peers, location: str) -> None:
    result = peers.same(line_for(location)).theirs
    assert result.code == 85
    assert not result.files


# ---------------------------------------------------------------- items of all kinds of files

ITEMS = (f"{SERIES}[0]", f"{SERIES}[0].{INSTANCES}[0]", f"{SERIES}[0].{INSTANCES}[1]", "ReferencedImageSequence[0]")
FORMS = ("ele", "ili", "ebe", "dfl", "ele-u", "ili-u", "ebe-u", "dfl-u")
WRITTEN = ("-e", "+te", "+tb -e", "+ti -e", "+ti")


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("location", ITEMS[::2])
def test_item(peers: Peers, form: str, location: str) -> None:
    assert peers.signed(line_for(location, f"{form}.dcm")) == ("OK",)


@pytest.mark.parametrize("form", ["ele", "ili-u", "ebe", "dfl-u"])
@pytest.mark.parametrize("written", WRITTEN)
def test_item_written_otherwise(peers: Peers, form: str, written: str) -> None:
    location = ITEMS[2 if "-e" in written else 0]
    assert peers.signed(line_for(location, f"{form}.dcm", *written.split())) == ("OK",)


@pytest.mark.parametrize("form", ["ele", "ili", "ebe-u", "dfl-u"])
@pytest.mark.parametrize("location", ITEMS[:2])
def test_item_beside_signatures(peers: Peers, form: str, location: str) -> None:
    # those of the file are none, the new one is found at its place among them
    assert peers.signed(line_for(location, f"{form}-nested.dcm")).count("OK") == 1


SPECIAL = {
    # nothing at all and nothing that can be signed
    line_for("ReferencedImageSequence[1]"): 85,
    line_for("ReferencedImageSequence[2]"): 0,
    # private sequences, sequences that are UN
    line_for("(0009,1010)[1]", "private-sequence.dcm", "-v"): 0,
    line_for("(0009,1010)[2]", "private-sequence.dcm"): 85,
    line_for("ReferencedImageSequence[0]", "un-undefined.dcm"): 0,
    line_for("ReferencedImageSequence[0]", "un-sequence.dcm"): 85,
    line_for("ReferencedImageSequence[0]", "un-sequence.dcm", "+uc"): 0,
    # far below
    line_for(".".join(["ContentSequence[0]"] * 5), "deep.dcm"): 0,
    line_for(".".join(["ContentSequence[0]"] * 4), "deep.dcm", "-e"): 0,
    line_for(".".join(["ContentSequence[0]"] * 6), "deep.dcm"): 85,
    # items of what signatures are made of
    line_for("MACParametersSequence[0]", "signed.dcm"): 0,
    line_for("DigitalSignaturesSequence[0]", "signed.dcm"): 0,
    line_for("MACParametersSequence[1]", "signed.dcm"): 85,
    # Pixel Data above, beside and inside
    line_for("PixelData[0]", "jpeg.dcm"): 85,
    line_for("IconImageSequence[0]", "icon.dcm"): 0,
    line_for("IconImageSequence[0]", "icon-native.dcm"): 0,
    line_for("IconImageSequence[0]", "icon-native.dcm", "-fo"): 0,
    line_for("ReferencedImageSequence[0]", "jpeg-no-pixels.dcm"): 0,
    # signatures that are there, or something in their place
    line_for("ReferencedImageSequence[0]", "same-uid-below.dcm"): 0,
    line_for("ReferencedImageSequence[0]", "item-only-signature.dcm"): 0,
    line_for("ReferencedImageSequence[1]", "no-items-below.dcm"): 0,
    line_for("ReferencedImageSequence[0]", "no-items-below.dcm"): 0,
    line_for("(0400,0561)[0]", "original.dcm"): 0,
    line_for("(0400,0561)[0].(0400,0550)[0]", "original.dcm"): 0,
    # selections
    line_for(f"{SERIES}[0]", "ele.dcm", "-v", "-t", "PatientName"): 85,
    line_for(f"{SERIES}[0]", "ele.dcm", "-v", "-t", "SeriesInstanceUID"): 0,
    line_for(f"{SERIES}[0]", "ele.dcm", "-v", "-t", INSTANCES, "-t", "0020,000e"): 0,
    line_for(f"{SERIES}[0]", "ele.dcm", "-v", "-t", "0008,0000"): 85,
    line_for(f"{SERIES}[0]", "ele.dcm", "-v", "-t", "SeriesInstanceUID", "-t", "0008,0000", "-t", "PatientName"): 85,
    line_for(f"{SERIES}[0]", "ele.dcm", "-v", "-tf", "empty"): 0,
    line_for(f"{SERIES}[0]", "ele.dcm", "-tf", "tags.txt"): 85,
    line_for(f"{SERIES}[0]", "ele-nested.dcm", "-v", "-t", "DigitalSignaturesSequence"): 85,
    # other options of signing
    line_for(f"{SERIES}[0]", "ele.dcm", "+m5", "+sp", "3", "-v"): 0,
    line_for(f"{SERIES}[0]", "ele.dcm", "+mr", "-sp", "-pw", "-pf", "-ts", "-fn"): 0,
    line_for(f"{SERIES}[0]", "ele.dcm", "+d", "dump"): 0,
    line_for(f"{SERIES}[0].{INSTANCES}[1]", "ebe.dcm", "+d", "dump"): 0,
    line_for("NoSuch[0]", "ele.dcm", "+d", "dump"): 85,
    line_for(f"{SERIES}[0]", "ele.dcm", "+d", "missing/dump"): 46,
    line_for(f"{SERIES}[0]", "ele.dcm", "-t", "bogus"): 1,
    line_for(f"{SERIES}[0]", "bare-ili.bin"): 0,
    line_for(f"{SERIES}[0]", "bare-ebe.bin", "-f", "-tb"): 0,
    line_for(f"{SERIES}[0]", "bare-ele.bin", "+fo"): 20,
    # of several faults
    "+m2 +si key.pem dsa-cert.pem NoSuch[0] ele.dcm out.dcm": 85,
    f"+m2 +si key.pem dsa-cert.pem {SERIES}[0] ele.dcm out.dcm": 85,
    f"-v +m2 +si key.pem dsa-cert.pem {SERIES}[0] ele.dcm out.dcm": 85,
    "+m2 -t PatientName +si key.pem cert.pem NoSuch[0] ele.dcm out.dcm": 85,
    "+m2 +si key.pem dsa-cert.pem ReferencedImageSequence[1] ele.dcm out.dcm": 85,
    "+m2 +si missing cert.pem NoSuch[0] ele.dcm out.dcm": 20,
    "+m2 +si key.pem missing NoSuch[0] ele.dcm out.dcm": 20,
    "+m2 +si key.pem cert.pem NoSuch[0] missing.dcm out.dcm": 20,
    '+m2 +si key.pem cert.pem NoSuch[0] ele.dcm ""': 85,
    f'+m2 +si key.pem cert.pem {SERIES}[0] ele.dcm ""': 40,
    f"+m2 +si key.pem cert.pem {SERIES}[0] ele.dcm missing/out.dcm": 40,
    f"-q +m2 +si key.pem cert.pem {SERIES}[9] ele.dcm out.dcm": 85,
    f"+te +m2 +si key.pem cert.pem {SERIES}[9] jpeg.dcm out.dcm": 85,
    "+te +m2 +si key.pem cert.pem IconImageSequence[0] icon-native.dcm out.dcm": 40,
    # the rightmost command counts, but what it replaced is still loaded
    f"+m2 +s key.pem cert.pem +si key.pem cert.pem {SERIES}[0] ele.dcm out.dcm": 0,
    f"+m2 +si key.pem cert.pem {SERIES}[0] +s key.pem cert.pem ele.dcm out.dcm": 0,
    f"+m2 +s missing missing +si key.pem cert.pem {SERIES}[0] ele.dcm out.dcm": 0,
    f"+m2 +si missing missing {SERIES}[0] +s key.pem cert.pem ele.dcm out.dcm": 0,
    f"+m2 +si key.pem cert.pem {SERIES}[0] +si key.pem cert.pem ReferencedImageSequence[0] ele.dcm out.dcm": 0,
    f"+si missing missing {SERIES}[0] --verify ele.dcm": 0,
    f"+si missing missing {SERIES}[0] +ra ele.dcm out.dcm": 20,
    "+si key.pem cert.pem NoSuch +r 1.2.10 one.dcm out.dcm": 0,
    # onto itself
    f"+m2 +si key.pem cert.pem {SERIES}[0] ele.dcm ele.dcm": 0,
    f"+m2 --sign-item key.pem cert.pem {SERIES}[0] --mac-sha384 --sig-purpose 4 --length-undefined ele.dcm out.dcm": 0,
}


@pytest.mark.parametrize(("line", "code"), SPECIAL.items(), ids=SPECIAL)
def test_special(peers: Peers, line: str, code: int) -> None:
    assert peers.same(line).theirs.code == code


@pytest.mark.parametrize("mac", ["+mr", "+ms", "+mm", "+m3", "+m5"])
def test_algorithms(peers: Peers, mac: str) -> None:
    line = f"{mac} +sp 9 +si ec-key.pem ec-cert.pem {SERIES}[0] ili.dcm out.dcm"
    assert peers.signed(line) == ("OK",)


@pytest.mark.parametrize(
    "invocation",
    [
        Invocation(f"-v +m2 +si key.pem cert.pem {SERIES}[0] - -", stdin="ele-u.dcm"),
        Invocation(f"+m2 -e +ti +si key.pem cert.pem {SERIES}[0].{INSTANCES}[1] - out.dcm", stdin="dfl.dcm"),
        Invocation(f"+m2 +si key.pem cert.pem {SERIES}[0] ebe.dcm -"),
        Invocation(f"+m2 +si key.pem cert.pem {SERIES}[1] - -", stdin="ele.dcm"),
        Invocation(f"+m2 +si key.pem cert.pem {SERIES}[0] - -", stdin="empty"),
        Invocation(f"-v +m2 +si key.pem cert.pem {SERIES}[0] ele.dcm out.dcm", process=True),
        Invocation(f"+m2 +si key.pem cert.pem {SERIES}[1] ele.dcm out.dcm", process=True),
        Invocation(f"+m2 +si key.pem cert.pem {SERIES}[0] - -", stdin="ili-u.dcm", process=True),
    ],
    ids=str,
)
def test_standard_streams_and_processes(peers: Peers, invocation: Invocation) -> None:
    peers.same(invocation)
