"""DCMDICTPATH: every line of the command, and what the dictionaries do to names and signatures, as in DCMTK's dcmsign."""

from __future__ import annotations

import random
import shlex
from pathlib import Path

import pytest
from dcmsign.codec.dicom.dictionary_text import ProblemCode
from dcmsign.stream import dictionaries, load_dictionaries

from tests.cli.conftest import Bench
from tests.codec import builder
from tests.interop.dictionary import write_dictionary

pytestmark = pytest.mark.usefixtures("reference_version")

BAD_TAGS = r"""
0010,0010|(0010 0010)|(0010,)|(,0010)|(0010,0010|(xx,yy)|(0010, zz)|(0010,   "AB"  ,  zz)|(0010,"AB,10)|(0010,  "AB"  10)
(10,"AB" , )|(0010-z-0020,0010)|(0010-x-0020,0010-y-20)|(0010-U-0020,0010-1-20)|(10-e-e,10)|(10,-)|(10,--1)|(10-,10)
(10-e-,10)|(10--,10)|(10-e--20,10)|(0x10-0x20,0X10)|(10-0x,10)|(0xg,10)|(0x-10,10)|(0x-e-10,10)|(g0,10)|(10,"")|(10,"",)
(10,"","",10)|((10,10)|(10,10))|(10,1 0)|(1-2-3,1)|(1-22-3,1)|(99999999999999999999,1)|(-99999999999999999999,1)
( 0010 , 0010 )| (0010,0010) |(|)|()|(,)|(10,10)x)|(10,10,30)|(10zz,10yy)
""".strip().replace("\n", "|")
VMS = """
1|1-n|1-N|n|N|2-2n|2-2N|3n|3N|1-3|0|-1|+1|1-+3|1--3|1-|1-x|x|1x|nx|1-nx|1-2n3|1-2-3|1nn|++1|+|-n|99999999999999999999|1-9999999999999n
 1 - n |1 2|1.5|1,2|10-20|10-2N|n-1|n1|-|--|
""".strip("\n").replace("\n", "|")
VRS = "ZZ|ZZZ|pn|??|P|PNXX| P N |Z Z|AAx|ox|xs|lt|up|px|na|it|pi|OV|Zz|A1||"
LINES = [
    *(f"{tag}\tPN\tName\n" for tag in BAD_TAGS.split("|")),
    *(f"(0010,0010)\tPN\tName\t{vm}\tDICOM\n" for vm in VMS.split("|")),
    *(f"(0010,0010)\t{vr}\tName\n" for vr in VRS.split("|")),
    "(0010,zz)\tPN\tName\tq\n",
    "(0010,0010)\n",
    "(0010,0010)\tPN\n",
    "x\n",
    "\t\n",
    "\t\tx\n",
    "(0010,0010)\tPN\tName\t1\tDICOM\t\n",
    "(0010,0010)\tPN\tName\t1\tDICOM\tx\n",
    "a\tb\tc\td\te\tf\tg\n",
    "(0010,0010) PN Name\n",
    " # x\ty\n\n  \n",
]

FILES = {
    "bad.dic": "".join(LINES),
    "clean.dic": "(0010,0010)\tPN\tMyName\n(0008-o-0010,0000-u-ffff)\tLO\tOdd\n",
    "few.dic": "x\n(0010,0010)\tPN\tMyName\n",
    "carriage.dic": "(0010,0010)\tPN\tMyName\r\n\r\n(0010,0011)\tPN\tName\tq\r\n",
    "one-line.dic": "(0010,0010)\tPN\tName\r(0010,0011)\tPN\tName\tq\r",
    "no-end.dic": "(0010,0010)\tPN\tMyName\n(0010,0011)\tPN\tName\tq",
    "nul.dic": "(0010,0010)\tPN\tMyName\0\tq\n\0x\n(0010,0011)\tPN\tName\tq\n",
    "empty.dic": "",
    "comments.dic": "# (0010,0010)\tPN\tMyName\n\n \t \n  # x\n",
    "long-comment.dic": f"# {'c' * 3000}\n(0010,0010)\tPN\tMyName\n",
    "binary.dic": "".join(random.Random(1).choices('\0\n\t\t\t()-,,"#0 1enouxPNLOLO ', k=6000)),
    **{f"long-{size}.dic": f"(0010,0010)\tPN\t{'N' * (size - 15)}\nx\n" for size in (2046, 2047, 2048, 4094, 4095)},
}
VERIFY = [*FILES, "missing.dic", "folder", "/dev/null", ":", "::missing.dic:", "missing.dic:clean.dic", "clean.dic:missing.dic"]
VERIFY += ["few.dic:clean.dic", "clean.dic:few.dic", "few.dic:missing.dic", "clean.dic:clean.dic", "./clean.dic:"]

ORDER = """
-t PatientName signed.dcm
-t 10,10 signed.dcm
-t "" signed.dcm
-t 10,10 -t PatientName signed.dcm
-t MyName signed.dcm
-tf number.txt signed.dcm
-tf name.txt signed.dcm
-tf open.txt -t PatientName signed.dcm
-tf empty -t PatientName signed.dcm
-tf missing -t PatientName signed.dcm
-v -t 10,10 signed.dcm
-ll warn +cf missing signed.dcm
-q signed.dcm
-ll error signed.dcm
-ll off signed.dcm
-ll wrong -t 10,10 signed.dcm
"" ""
missing.dcm
-v missing.dcm
--help
--bogus
+s key.pem cert.pem signed.dcm
-v +m2 +s missing cert.pem in.dcm out.dcm
-v +m2 -t 10,10 +s missing cert.pem in.dcm out.dcm
--arguments -v signed.dcm
""".strip().splitlines()


@pytest.fixture
def files(bench: Bench) -> Bench:
    """The folder with dictionaries and tag files."""
    for name, text in FILES.items():
        Path(name).write_bytes(text.encode("latin-1"))
    Path("folder").mkdir()
    Path("number.txt").write_text("(0010,0010)")
    Path("name.txt").write_text("PatientName")
    Path("open.txt").write_text("(0010")
    return bench


def check(bench: Bench, *arguments: str) -> str:
    """Both programs say the same on standard error, which is returned, and end alike."""
    expected, mine = bench.reference(*arguments), bench.ours(*arguments)
    assert mine.err.replace("'dcmsign' with", "'' with") == expected.err.replace("'dcmsign' with", "'' with")
    assert mine.code == expected.code
    return mine.err


@pytest.mark.parametrize("path", VERIFY)
def test_same_lines_for_every_file(files: Bench, monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    monkeypatch.setenv("DCMDICTPATH", path)
    err = check(files, "-v", "signed.dcm")
    named = "clean" in path or path.split(".")[0] in {"few", "carriage", "no-end", "nul", "long-comment"}
    assert (" MyName\n" in err) is named


def test_every_kind_of_line(files: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DCMDICTPATH", "missing.dic:bad.dic")
    lines = [line for line in check(files, "signed.dcm").splitlines() if line.startswith("E: ")]
    texts = {code: code.value.removeprefix("{path}: ").partition("{")[0] for code in ProblemCode}
    unseen = {code for code, text in texts.items() if not any(text in line for line in lines)}
    assert unseen == {ProblemCode.TOO_LONG, ProblemCode.TOO_MANY_ENTRIES, ProblemCode.TOO_MANY_PROBLEMS}
    assert len(lines) > 50


@pytest.mark.parametrize(
    ("line", "path"), [*((line, "missing.dic") for line in ORDER), *((line, "few.dic") for line in ORDER[:6])]
)
def test_same_order_of_lines(files: Bench, monkeypatch: pytest.MonkeyPatch, line: str, path: str) -> None:
    monkeypatch.setenv("DCMDICTPATH", path)
    check(files, *shlex.split(line))


@pytest.mark.parametrize("arguments", [(), ("-t", "10,10")])
def test_debug_header_stands_in_front_of_late_lines(
    files: Bench, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]
) -> None:
    def shown(err: str) -> list[str]:
        return [line for line in err.splitlines() if line[:1] in "EW" or "HEADER" in line or "open input" in line]

    monkeypatch.setenv("DCMDICTPATH", "missing.dic")
    arguments = ("-d", *arguments, "signed.dcm")
    assert shown(files.ours(*arguments).err) == shown(files.reference(*arguments).err)


@pytest.mark.parametrize("value", [None, ""])
def test_built_in_without_files(files: Bench, monkeypatch: pytest.MonkeyPatch, value: str | None) -> None:
    if value is not None:
        monkeypatch.setenv("DCMDICTPATH", value)
    assert "(0010,0010) PatientName\n" in check(files, "-v", "signed.dcm")


NAMES = """
(0010,0010)	PN	Twice
(0010,0020)	LO	Twice
(0009,"ABC",05)	LO	OnlyPrivate
(0009,"ABC",1105)	LO	FixedPrivate
(0009,"ABC",06)	LO	StandardAndPrivate
(0010,0030)	LO	StandardAndPrivate
(6000-60FF,0010)	LO	RangeOfGroups
(6000-60FF,0011)	LO	TwoRanges
(6000-60FF,0012)	LO	TwoRanges
(0011-o-0017,0010-u-0020)	LO	RangeAndPrivate
(0009,"ABC",07)	LO	RangeAndPrivate
(0010,0040)	CS	With Blanks
(0010,0041)	CS	Replaced
(0010,0041)	CS	Replacement
(0010,0050)	CS	Umläut
(0012,"XYZ",09)	LO	EvenWithCreator
(0010,0060)	LO	StandardAndRange
(6000-60FF,0013)	LO	StandardAndRange
"""


def test_names_stand_for_the_same_tags(files: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    pick = random.Random(3)
    lines = [NAMES]
    for number in range(60):
        for _ in range(4):
            group, creator = pick.choice([(0x12, ""), (0x14, ""), (0x13, '"ABC",'), (0x15, '"DEFG HI",'), (0x17, '"Ö",')])
            lines.append(f"({group:04x},{creator}{pick.randint(0x20, 0xFF):02x})\tLO\tName{number}\n")
    Path("names.dic").write_text("".join(lines))
    monkeypatch.setenv("DCMDICTPATH", "names.dic")
    names = {line.split("\t")[2].strip().replace(" ", "") for text in lines for line in text.splitlines() if line} - {"Replaced"}
    dictionary = load_dictionaries(["names.dic"]).dictionary
    known = sorted(name for name in (*names, "Item", "GenericGroupLength") if dictionary.tag_of(name) is not None)
    assert len(known) > 60  # some have been replaced
    wanted = [word for name in known for word in ("-t", name)]
    err = check(files, "+s", "key.pem", "cert.pem", *wanted, "in.dcm", "out.dcm")
    assert err.count("should be signed but is not present") > 60
    for name in ("Replaced", "With Blanks", "Umlaut", "twice", "Twice "):
        check(files, "-t", name, "in.dcm")


OWN = """
(0010,0020)	SH	OtherVR
(0009,"MAKER",01)	DS	Private
(0009,"MAKER",1102)	US	Fixed
(0009,"OTHER",01)	LO	Foreign
(0011-o-0013,"MAKER",20-e-2f)	IS	PrivateRange
(1234-1236,0100-u-01ff)	LO	Range
(1234-o-1236,0200)	LO	Nobody
(1236,0300-o-030f)	SH	Odd
(1236,0400)	UN	UnknownSequence
"""
DATA = (
    builder.Plain(0x00080016, "UI", b"1.2.840.10008.5.1.4.1.1.7\0"),
    builder.Plain(0x00080018, "UI", b"1.2.3.4\0"),
    builder.Plain(0x00090010, "LO", b"MAKER "),
    builder.Plain(0x00090011, "LO", b"MAKER "),
    builder.Plain(0x00091001, "DS", b"1.5 "),
    builder.Plain(0x00091003, "UN", b"ab"),
    builder.Plain(0x00091101, "DS", b"2.5 "),
    builder.Plain(0x00091102, "US", b"\1\0"),
    builder.Plain(0x00100010, "PN", b"A^B "),
    builder.Plain(0x00100020, "SH", b"ID"),
    builder.Plain(0x00110010, "LO", b"MAKER "),
    builder.Plain(0x00111020, "IS", b"12"),
    builder.Plain(0x00111021, "UN", b"12"),
    builder.Plain(0x12340100, "LO", b"range "),
    builder.Plain(0x12340101, "LO", b"range "),
    builder.Plain(0x12340200, "UN", b"none"),
    builder.Plain(0x12360300, "UN", b"none"),
    builder.Plain(0x12360301, "SH", b"odd "),
)
UNKNOWN_SEQUENCE = builder.Sequence(0x12360400, (builder.Item((builder.Plain(0x00100020, "SH", b"ID"),)),), undefined=True)


@pytest.fixture
def implicit(files: Bench) -> Bench:
    """The folder with an implicit VR file and a dictionary of its own, without lines that are of no use for it."""
    Path("implicit.dcm").write_bytes(builder.file(DATA, "implicit"))
    structure = (0x04000000, 0x04000005, 0x04000010, 0x04000100, 0x04000110, 0x04000120, 0x4FFE0001, 0xFFFAFFFA, 0x00020000)
    tags = [*structure, *(node.tag for node in DATA), 0x00020010, 0x00020100]
    write_dictionary(Path("standard.dic"), tags)
    Path("own.dic").write_text(OWN)
    return files


SIGN = ("+m2", "+s", "key.pem", "cert.pem", "implicit.dcm")
CHECK = ("-v", "+rg", "+cf", "cert.pem")


def test_implicit_signatures_both_ways(implicit: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DCMDICTPATH", "standard.dic:own.dic")
    assert implicit.reference(*SIGN, "theirs.dcm").code == implicit.ours(*SIGN, "mine.dcm").code == 0
    signed = []
    for name in ("theirs.dcm", "mine.dcm"):
        err = check(implicit, *CHECK, name)
        assert "Signature Verification      : OK" in err
        assert "(0010,0020) OtherVR" in err
        signed.append([line for line in err.splitlines() if line.startswith("I:       (")])
    assert signed[0] == signed[1]
    assert len(signed[0]) == sum(node.vr != "UN" for node in DATA)
    monkeypatch.setenv("DCMDICTPATH", "standard.dic")
    for name in ("theirs.dcm", "mine.dcm"):
        assert "contains attribute that is not signable" in check(implicit, *CHECK, name)


def test_undefined_length_makes_a_sequence_of_vr_un(implicit: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("implicit.dcm").write_bytes(builder.file((*DATA, UNKNOWN_SEQUENCE), "implicit"))
    monkeypatch.setenv("DCMDICTPATH", "standard.dic:own.dic")
    for sign in (implicit.reference, implicit.ours):
        assert sign("-e", *SIGN, "signed.dcm").code == 0
        outcomes = [verify(*CHECK, "signed.dcm").err.splitlines(keepends=True) for verify in (implicit.reference, implicit.ours)]
        # the warning has other words in later versions of the reference
        theirs, mine = ([line for line in lines if "CP-246" not in line] for lines in outcomes)
        assert mine == theirs
        assert [len(lines) - len(mine) for lines in outcomes] == [1, 1]
        assert "I:       (1236,0400) UnknownSequence\n" in mine
        assert "W:   Signature Verification      : OK\n" in mine


def test_another_vr_is_another_digest(implicit: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    for sign in (implicit.reference, implicit.ours):
        monkeypatch.setenv("DCMDICTPATH", "standard.dic:own.dic")
        assert sign(*SIGN[:1], "-t", "0010,0020", *SIGN[1:], "signed.dcm").code == 0
        assert check(implicit, *CHECK, "signed.dcm").endswith("1 signatures verified in dataset, 0 corrupted.\n")
        monkeypatch.setenv("DCMDICTPATH", "standard.dic")
        assert "document corrupted" in check(implicit, *CHECK, "signed.dcm")


def test_signatures_are_found_without_a_dictionary(implicit: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    assert implicit.reference(*SIGN, "theirs.dcm").code == 0
    monkeypatch.setenv("DCMDICTPATH", "empty.dic")
    assert "no signatures found" in implicit.reference("theirs.dcm").err
    assert "contains attribute that is not signable" in implicit.ours("theirs.dcm").err
    Path("one.dic").write_text("(0010,0020)\tLO\tID\n")
    monkeypatch.setenv("DCMDICTPATH", "one.dic")
    assert implicit.ours("+sp", "3", *SIGN, "mine.dcm").code == 0
    assert "Signature Verification : OK" in implicit.ours(*CHECK[1:], "mine.dcm").err
    monkeypatch.delenv("DCMDICTPATH")
    assert "Signature Verification : OK" in implicit.reference(*CHECK[1:], "mine.dcm").err


@pytest.mark.parametrize("form", ["implicit", "explicit", "big"])
@pytest.mark.parametrize("entry", ["", "(0008,0016)\tUI\tRight\n", "(0800,1600)\tLO\tSwapped\n"])
def test_byte_order_is_guessed_with_the_dictionary(files: Bench, monkeypatch: pytest.MonkeyPatch, form: str, entry: str) -> None:
    Path("bare.bin").write_bytes(builder.encode((DATA[0], DATA[8]), form))
    Path("guess.dic").write_text(entry)
    monkeypatch.setenv("DCMDICTPATH", "guess.dic")
    expected, mine = files.reference("bare.bin"), files.ours("bare.bin")
    assert mine.code == expected.code == (20 if "Swapped" in entry or (form == "big" and not entry) else 0)


def test_problems_and_dictionary_of_the_library(files: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded = load_dictionaries([Path("clean.dic"), "missing.dic", "few.dic", "a\0b"])
    assert [(problem.path, problem.code, problem.line) for problem in loaded.problems] == [
        ("missing.dic", ProblemCode.CANNOT_OPEN, 0),
        ("few.dic", ProblemCode.TOO_FEW_FIELDS, 1),
        ("a\0b", ProblemCode.CANNOT_OPEN, 0),
    ]
    assert not loaded.complete
    assert loaded.dictionary.tag_of("MyName") == 0x00100010
    monkeypatch.setattr(dictionaries, "LONGEST", len(FILES["clean.dic"]) - 1)
    [problem] = load_dictionaries(["clean.dic"]).problems
    assert problem.message == "clean.dic: file too long"
    [problem] = load_dictionaries(["/dev/zero"]).problems
    assert problem.code is ProblemCode.TOO_LONG
    assert load_dictionaries([]).complete
