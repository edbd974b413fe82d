"""Command lines that end before any file is processed: exit code and every line as DCMTK's dcmsign has them."""

from __future__ import annotations

import shlex

import pytest

from tests.cli.conftest import Bench

pytestmark = pytest.mark.usefixtures("reference_version")

SIGN = "+s key.pem cert.pem"

GRAMMAR = """
--bogus in.dcm
--bogus
--bogus --help
--help --bogus
--verbos in.dcm
--Verbose in.dcm
-V in.dcm
-vd in.dcm
-- in.dcm
--log-level=info in.dcm
+ra=x in.dcm
-x
+x
-.5 in.dcm
--sign
--sign key.pem
+s key.pem
+si a b
+t a b
+r
+cf
+cf in.dcm
-ll
in.dcm -ll
in.dcm -lc
+lp +s a
--version +uf
+pw in.dcm +pw
+ts a in.dcm -v --bogus +ts
-v
-q
--arguments
in.dcm out.dcm third
in.dcm out.dcm third --bogus
- - -
-5 +5x 5
"" "" ""
"" "" "" -q
-v -5 + ""
+cf -v
+cf --help
-q -v -d
""".strip().splitlines()

COMMAND_FILES = """
@missing
@missing --help
@ in.dcm third
@bogus.txt
@blanks.txt @empty --bogus
@one.txt out.dcm -
@one.txt "" +pw x
@quotes.txt
@quotes.txt third
@joined.txt
@joined.txt -q
@inner-quotes.txt
@open.txt
@nested.txt
+s @value.txt in.dcm
+s @value.txt in.dcm out.dcm -ll bogus
--arguments +s @value.txt in.dcm out.dcm +cf x
--arguments +r @empty in.dcm
--arguments @ @. x -q
""".strip().splitlines()

LOGGING = """
-ll bogus in.dcm
-ll "" in.dcm
-ll " info" in.dcm
-ll warn -ll bogus in.dcm
-ll info -q in.dcm
-v -ll bogus in.dcm
-d -ll info in.dcm
-ll info -lc missing in.dcm
-q -lc missing in.dcm
-lc missing in.dcm
-lc "" in.dcm
-lc . in.dcm
-q in.dcm out.dcm
-ll fatal in.dcm out.dcm
-ll FATAL in.dcm out.dcm
-ll off in.dcm out.dcm
-ll error in.dcm out.dcm
-ll ALL in.dcm out.dcm
-ll Trace in.dcm out.dcm
-q -v in.dcm out.dcm
-v -q in.dcm out.dcm
-d -q in.dcm out.dcm
--arguments -q in.dcm out.dcm
--arguments -ll off "" in.dcm
--arguments -ll bogus in.dcm
--arguments +r -v in.dcm "" -te -e
""".strip().splitlines()

CONDITIONS = """
in.dcm out.dcm
--verify in.dcm out.dcm
--verify in.dcm ""
+s key.pem cert.pem in.dcm
+si key.pem cert.pem X[0] in.dcm
+t a b c in.dcm
+r 1.2.3 in.dcm
+ra in.dcm
+ra --bogus in.dcm
+s a b --verify in.dcm out.dcm
+s a b +t c d e in.dcm
+t c d e +s a b in.dcm
+ra +s a b in.dcm
-te in.dcm
-tb in.dcm
-ti in.dcm
-f +f -te in.dcm
+f -f +fo -ti in.dcm
-t= -te in.dcm
-te -ti in.dcm
-td -tb in.dcm
-te in.dcm out.dcm
+rv +s a b in.dcm out.dcm
+rg +s a b in.dcm out.dcm
+rc +s a b in.dcm out.dcm
+ru +ra in.dcm out.dcm
+rs +r 1 in.dcm out.dcm
+rs +rc +ra in.dcm out.dcm
+tv +ra in.dcm out.dcm
-tv +ra in.dcm out.dcm
+tr +ra in.dcm out.dcm
+cf x +ra in.dcm out.dcm
+uf x +ra in.dcm out.dcm
+cd x +ra in.dcm out.dcm
+cr x +ra in.dcm out.dcm
+cl +ra in.dcm out.dcm
+cl +cr x +uf x +ra in.dcm out.dcm
+ps in.dcm
+pw x in.dcm
-pw in.dcm
-pf in.dcm
+pb in.dcm
+pc in.dcm
+pa in.dcm
+pr in.dcm
+pv in.dcm
+pc +si a b c in.dcm out.dcm
+pa +si a b c in.dcm out.dcm
+pr +ra in.dcm out.dcm
+pb +pv in.dcm
+pv +pb in.dcm
+mr in.dcm
+ms in.dcm
+mm in.dcm
+m2 in.dcm
+m3 in.dcm
+m5 in.dcm
+m5 +m2 in.dcm
+m2 +m5 in.dcm
-sp in.dcm
+sp 3 in.dcm
+sp x in.dcm
+sp x +s a b in.dcm out.dcm
+sp "" +s a b in.dcm out.dcm
+sp 0 +s a b in.dcm out.dcm
+sp 19 +s a b in.dcm out.dcm
+sp -1 +s a b in.dcm out.dcm
+sp -0 +s a b in.dcm out.dcm
+sp " -5" +s a b in.dcm out.dcm
+sp 0x5 +s a b in.dcm out.dcm
+sp + +s a b in.dcm out.dcm
+sp "+ 5" +s a b in.dcm out.dcm
+sp 4294967297 +s a b in.dcm out.dcm
+sp 99999999999999999999999 +s a b in.dcm out.dcm
-sp +sp 99 +s a b in.dcm out.dcm
+sp 3 +sp 99 +s a b in.dcm out.dcm
-ts in.dcm
+ts a b in.dcm
+ts a b +ra in.dcm out.dcm
+tm2 in.dcm
+tm3 +s a b in.dcm out.dcm
+tm5 in.dcm
+tmr in.dcm
+tms in.dcm
+tmm in.dcm
+tm5 +tm2 in.dcm
+tm2 +tm5 in.dcm
+tn in.dcm
-tn in.dcm
+tc in.dcm
-tc in.dcm
-tp in.dcm
+tp 1.2 in.dcm
+ts a b -ts +tn +s c d in.dcm out.dcm
+d dump in.dcm
+d dump +ra in.dcm out.dcm
+pw x -te in.dcm
+d dump +pw x +rg +ra in.dcm
+d dump +tn +mr in.dcm
""".strip().splitlines()

FILES = """
+cf missing +pw x in.dcm
+cf empty +uf missing +pw x in.dcm
+cf a +cf b +uf c +cf d +uf e -sp in.dcm
+cf key.pem +cf cert.pem +uf text.txt -sp in.dcm
-der +cf cert.pem +uf cert.pem +pw x in.dcm
+cf "" -sp in.dcm
-q +cf missing in.dcm out.dcm
-ll error +cf missing -sp in.dcm
-t bogus in.dcm
-q -t bogus in.dcm
-ll off -t bogus in.dcm
-t bogus -t worse in.dcm
-t bogus -t PatientName in.dcm
-t bogus +d dump in.dcm
-t bogus +tn in.dcm
-t bogus -sp in.dcm
-t 10, in.dcm
-t ,10 in.dcm
-t "- 10,10" in.dcm
-t "(0010,0010)" in.dcm
-t 00100010 in.dcm
-t "0010 ,0010" in.dcm
-t patientname in.dcm
-t "PatientName " in.dcm
-t "" in.dcm
-t PatientsName in.dcm
-t CurveData in.dcm
-t 0010,0010zzz +d dump in.dcm
-t 0x,10 +d dump in.dcm
-t 10,0x +d dump in.dcm
-t -10,-10 +d dump in.dcm
-t OverlayRows -t RETIRED_CurveData +d dump in.dcm
-tf missing in.dcm
-q -tf missing in.dcm
-ll off -tf missing in.dcm
-tf "" in.dcm
-tf missing -t bogus in.dcm
-tf empty -t bogus in.dcm
-tf missing -tf text.txt in.dcm
-tf text.txt -tf missing in.dcm
-tf missing +ts a b in.dcm
-tf missing +pw x in.dcm
"" -v
"" -q
"" -d
+s a b "" ""
-ll off ""
""".strip().splitlines()

HELP = """
--version -v -lp
""".strip().splitlines()


@pytest.mark.parametrize("line", [*GRAMMAR, *COMMAND_FILES, *LOGGING, *CONDITIONS, *FILES, *HELP])
def test_command_line(bench: Bench, line: str) -> None:
    arguments = shlex.split(line)
    expected = bench.reference(*arguments)
    if "-d" in arguments:  # the dictionary is our own
        expected = type(expected)(expected.code, expected.out, without_dictionary(expected.err))
    assert bench.ours(*arguments) == expected


def without_dictionary(text: str) -> str:
    """The text without the lines about files of the data dictionary."""
    return "".join(line for line in text.splitlines(True) if "DcmDataDictionary" not in line and "DcmData" not in line)


TAG_FILES = [
    "0010,0010",
    "( 0010 , 0020 )",
    "(0010 0020)",
    "(xx,yy)",
    "(0010,0020",
    "(10,)",
    "()",
    "((10,20)",
    "(xx",
    "PatientName, PatientID",
    '"PatientName"',
    "PatientName)",
    "# comment",
    "Pati\u00e4nt",
    "Foo Bar",
    "RETIRED_CurveData",
    "(10,20)x",
    "(10,20)(30,40) PatientName Foo",
    # these are fine; the error that ends the run comes later
    "",
    "(10,20)PatientName(0x0010,0x0020)\r\n",
    "( 0010,0020)",
    "(0010, 0020)",
    "(0010,0020,5)",
    "PatientName\0bogus",
    "(10,20 foo ( ) PatientName",
    "(10,20(30,40)",
    "(-10,+20)(0x,0x)",
    "(10,20\n)",
    " \v\f PatientName",
]


@pytest.mark.parametrize("text", TAG_FILES)
def test_tag_file(bench: Bench, text: str) -> None:
    (bench.folder / "tags.txt").write_bytes(text.encode())
    arguments = ("-tf", "tags.txt", "+d", "dump", "in.dcm")
    assert bench.ours(*arguments) == bench.reference(*arguments)


@pytest.mark.parametrize(
    "arguments", [(), ("@empty",), ("@blanks.txt", "@."), ("--help",), ("--arguments", "-h", "-q", "+lp", "third", "4")]
)
def test_help(bench: Bench, arguments: tuple[str, ...]) -> None:
    ours, theirs = bench.ours(*arguments), bench.reference(*arguments)
    lines = ours.out.splitlines()
    for added in (
        33 * " " + '("-" for stdin)',
        33 * " " + '("-" for stdout)',
        "    -fd   --format-dcmtk         sign in DCMTK's incomplete form, for peers",
        33 * " " + "that need it",
    ):
        lines.remove(added)
    assert lines == [line.rstrip() for line in theirs.out.splitlines()]
    assert (ours.code, ours.err) == (theirs.code, theirs.err) == (0, "")


@pytest.mark.parametrize("arguments", [("+lp",), ("--list-purposes", "a", "b", "c", "-q"), ("--arguments", "+lp")])
def test_list_of_purposes(bench: Bench, arguments: tuple[str, ...]) -> None:
    ours, theirs = bench.ours(*arguments), bench.reference(*arguments)
    build = slice(4, 7)  # host, characters, build options
    our_lines, their_lines = ours.out.split("\n"), theirs.out.split("\n")
    assert [line.partition(":")[0] for line in our_lines[build]] == [line.partition(":")[0] for line in their_lines[build]]
    del our_lines[build], their_lines[build]
    assert our_lines == their_lines
    assert (ours.code, ours.err) == (theirs.code, theirs.err) == (0, "")
