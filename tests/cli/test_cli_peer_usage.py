"""Command lines that end before any file is processed: exit code and every line as DCMTK's dcmsign has them."""

from __future__ import annotations

import shlex

import pytest
from dcmsign.stream.cli.option_table import OPTIONS, SECTIONS

from tests.cli.peer import Invocation, Peers, comparable

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
@one.txt "" +cf x
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

MISUSE = """
+s key.pem cert.pem in.dcm out.dcm -te
+s key.pem cert.pem in.dcm out.dcm --require-sig
--verify-if-present --remove-all in.dcm out.dcm
--require-creator --remove 1.2.3 in.dcm out.dcm
--verify-ts --sign a b in.dcm out.dcm
--ignore-ts --sign-item a b c in.dcm out.dcm
--require-ts --insert-timestamp a b c in.dcm out.dcm
--add-cert-file a --sign a b in.dcm out.dcm
--add-ucert-file a --sign-item a b c in.dcm out.dcm
--add-cert-dir a --insert-timestamp a b c in.dcm out.dcm
--add-crl-file a --remove-all in.dcm out.dcm
--enable-crl-vfy --remove 1.2.3 in.dcm out.dcm
--std-passwd --remove-all in.dcm out.dcm
--use-passwd x --insert-timestamp a b c in.dcm out.dcm
--null-passwd in.dcm
--profile-none --remove-all in.dcm out.dcm
--profile-base --insert-timestamp a b c in.dcm out.dcm
--profile-creator --sign-item a b c in.dcm out.dcm
--profile-auth --sign-item a b c in.dcm out.dcm
--profile-sr --sign-item a b c in.dcm out.dcm
--profile-srv --sign-item a b c in.dcm out.dcm
--mac-ripemd160 --remove-all in.dcm out.dcm
--mac-sha1 --remove-all in.dcm out.dcm
--mac-md5 --remove-all in.dcm out.dcm
--mac-sha256 --remove-all in.dcm out.dcm
--mac-sha384 --remove-all in.dcm out.dcm
--mac-sha512 --insert-timestamp a b c in.dcm out.dcm
--no-sig-purpose --remove-all in.dcm out.dcm
--sig-purpose 5 --remove-all in.dcm out.dcm
--sig-purpose 19 --sign-item a b c in.dcm out.dcm
--timestamp-off --remove-all in.dcm out.dcm
--timestamp-file a b --insert-timestamp a b c in.dcm out.dcm
--ts-mac-sha256 --sign a b in.dcm out.dcm
--ts-mac-sha512 --sign-item a b c in.dcm out.dcm
--ts-use-nonce --sign a b in.dcm out.dcm
--ts-no-nonce --remove-all in.dcm out.dcm
--ts-request-cert --sign a b in.dcm out.dcm
--ts-no-cert --verify in.dcm
--ts-no-policy --sign a b in.dcm out.dcm
--ts-policy 1.2 --sign a b in.dcm out.dcm
--dump x --verify in.dcm
--dump x --remove 1.2.3 in.dcm out.dcm
--dump x --insert-timestamp a b c in.dcm out.dcm
--sign a b --remove-all in.dcm
--remove-all --sign a b in.dcm
--remove-all --verify in.dcm out.dcm
--sign-item a b c --sign d e in.dcm
--remove 1.2.3 --sign-item a b c in.dcm
--verify --remove 1.2.3 in.dcm
--read-xfer-little --read-dataset --read-file in.dcm
--read-xfer-big --read-file-only in.dcm
--read-xfer-implicit --read-dataset --read-file-only in.dcm
--read-xfer-detect --read-xfer-little in.dcm
+tb -te in.dcm
--log-level warn --log-config settings.cfg in.dcm
--log-config settings.cfg --quiet in.dcm
--debug --log-config settings.cfg in.dcm
--verbose --log-level warn in.dcm
@value.txt @value.txt
@missing @bogus.txt
@bogus.txt @missing
@one.txt @one.txt
@lone.txt
@lines.txt third
@formfeed.txt x y z
--arguments @formfeed.txt -te
--arguments @lines.txt -te
--arguments @lone.txt -te
--arguments @text.txt in.dcm
-t @value.txt in.dcm
+sp @one.txt +s a b in.dcm out.dcm
+sp 5 +sp x +s a b in.dcm out.dcm
+sp x -sp +s a b in.dcm out.dcm
+sp "5 " +pw +s a b
+sp 18.9 -te +s a b in.dcm out.dcm
+sp 1e9 -te +s a b in.dcm out.dcm
+sp " 19" +s a b in.dcm out.dcm
+sp 000000019 +s a b in.dcm out.dcm
+sp +19 +s a b in.dcm out.dcm
+sp ++5 +s a b in.dcm out.dcm
+sp 2147483648 +s a b in.dcm out.dcm
+sp 4294967296 +s a b in.dcm out.dcm
""".strip().splitlines()

# two faults each; the one of the earlier step is reported
ORDER = """
-te -ll bogus in.dcm
-ll bogus -q in.dcm
--arguments -te in.dcm
-te in.dcm out.dcm
-te +ra in.dcm
-te +rg +ra in.dcm out.dcm
+rg +ra in.dcm
+rg in.dcm out.dcm
+tr +rg +ra in.dcm out.dcm
+cf missing +rg +ra in.dcm out.dcm
+cl +tr +ra in.dcm out.dcm
+cf missing +pw x in.dcm
+pb +pw x in.dcm
+m2 +pb in.dcm
+sp x +m2 in.dcm
+sp 99 -t bogus +s a b in.dcm out.dcm
-t bogus +sp 3 in.dcm
-tf missing -t bogus in.dcm
-tf bad-tags.txt -t bogus in.dcm
-t bogus +tn in.dcm
-tf missing +tn in.dcm
+d x +tn in.dcm
+d x +tm5 +s a b in.dcm out.dcm
+d missing/x +tn +s a b in.dcm out.dcm
+d missing/x +s a b missing.dcm out.dcm
+d missing/x -t bogus +s a b missing.dcm out.dcm
+d missing/x +s a b "" out.dcm
+s missing missing "" out.dcm
+s missing missing missing.dcm out.dcm
+s missing missing in.dcm missing/out.dcm
+s key.pem dsa-cert.pem in.dcm missing/out.dcm
+s key.pem dsa-cert.pem missing.dcm out.dcm
-t StudyID +s key.pem dsa-cert.pem in.dcm out.dcm
+r 1.2.3 in.dcm missing/out.dcm
+te +r 1.2.3 jpeg.dcm missing/out.dcm
+te +ra jpeg.dcm missing/out.dcm
""".strip().splitlines()

ONLY_OURS = frozenset(option.long for option in OPTIONS if option.added)

# every option of the table once where it is alone on the line, so that what it needs is missing or nothing happens
ALONE = tuple(
    f"{name} {' '.join(option.values * ('x',))}"
    for option in OPTIONS
    if not option.exits and option.long not in ONLY_OURS | {"--arguments"}
    for name in (option.short, option.long)
    if name
)


@pytest.mark.parametrize("line", ALONE)
def test_alone(peers: Peers, line: str) -> None:
    assert peers.same(line).theirs.code == 1


@pytest.mark.parametrize("line", [*GRAMMAR, *COMMAND_FILES, *LOGGING, *CONDITIONS, *FILES, *MISUSE, *ORDER, "--version -v -lp"])
def test_command_line(peers: Peers, line: str) -> None:
    pair = peers.run(line)
    ours, theirs = comparable(pair.ours), comparable(pair.theirs)
    if "-d" in shlex.split(line):  # the dictionary is our own
        theirs = theirs.without("D: Dcm")
    assert ours == theirs


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
def test_tag_file(peers: Peers, text: str) -> None:
    peers.same(Invocation("-tf words.txt +d dump in.dcm", files={"words.txt": text.encode()}))


def without_added(lines: list[str]) -> list[str]:
    """The lines of a help text but for those of options, and of blocks and sections, that DCMTK does not have."""
    blocks = [block for section in SECTIONS for block in section.blocks]
    titles = {f"  {block.title}" for block in blocks if all(option.added for option in block.options)}
    titles |= {section.title for section in SECTIONS if all(option.added for block in section.blocks for option in block.options)}
    texts = {(33 * " " + text) for option in OPTIONS if option.added for text in (*option.value_help, *option.help)}
    texts |= {33 * " " + '("-" for stdin)', 33 * " " + '("-" for stdout)'}
    return [line for line in lines if line not in titles | texts and not ONLY_OURS & set(line[:33].split())]


@pytest.mark.parametrize(
    "line", ["", "@empty", "@blanks.txt @.", "--help", "-h", "--arguments -h -q +lp third 4", "-h --version"]
)
def test_help(peers: Peers, line: str) -> None:
    pair = peers.run(line)
    lines = without_added(pair.ours.out.splitlines())
    assert lines == [line.rstrip() for line in pair.theirs.out.splitlines()]
    assert pair.ours.code == pair.theirs.code == 0
    assert pair.ours.messages == pair.theirs.messages == ("",)


@pytest.mark.parametrize("line", ["+lp", "--list-purposes a b c -q", "--arguments +lp", "+lp +ra", "+lp -ll bogus"])
def test_list_of_purposes(peers: Peers, line: str) -> None:
    pair = peers.run(line)
    build = slice(4, 7)  # host, characters, build options
    our_lines, their_lines = pair.ours.out.split("\n"), pair.theirs.out.split("\n")
    assert [line.partition(":")[0] for line in our_lines[build]] == [line.partition(":")[0] for line in their_lines[build]]
    del our_lines[build], their_lines[build]
    assert our_lines == their_lines
    assert pair.ours.code == pair.theirs.code == 0
    assert pair.ours.messages == pair.theirs.messages == ("",)


@pytest.mark.parametrize("line", ["--version", "--version +lp", "--version a b c -ll bogus", "--version -lc missing"])
def test_version(peers: Peers, line: str) -> None:
    pair = peers.run(line)
    ours, theirs = pair.ours.out.split("\n"), pair.theirs.out.split("\n")
    assert ours[:4] == theirs[:4] == ["HEADER", "", "dcmsign: Sign and Verify DICOM Files", ""]
    assert pair.ours.code == pair.theirs.code == 0
    assert pair.ours.messages == pair.theirs.messages == ("",)


@pytest.mark.parametrize(
    "line", ["", "--bogus", "+ra one.dcm", "@one.txt", "-ll bogus in.dcm", "@missing", "--arguments @quotes.txt"]
)
def test_as_a_process(peers: Peers, line: str) -> None:
    pair = peers.run(Invocation(line, process=True))
    if line:
        assert pair.ours == pair.theirs
    else:
        assert pair.ours.out.startswith("HEADER\n\ndcmsign: Sign and Verify DICOM Files\nusage: ")
