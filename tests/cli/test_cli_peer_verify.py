"""Verifying and reading options: exit code and every line as DCMTK's dcmsign has them."""

from __future__ import annotations

import pytest

from tests.cli.conftest import VECTORS
from tests.cli.peer import Invocation, Peers, comparable, expect_same

VERIFYING = """
in.dcm
-v in.dcm
-q in.dcm
+rv in.dcm
+rg in.dcm
-q +rg in.dcm
-v +rg in.dcm
signed.dcm
-q signed.dcm
-ll error signed.dcm
-ll off signed.dcm
-ll WARN signed.dcm
-ll Info +cf cert.pem signed.dcm
-v signed.dcm
-v +rg +cf cert.pem signed.dcm
+cf cert.pem signed.dcm
-v +uf cert.pem signed.dcm
+cf dsa-cert.pem signed.dcm
+cf missing +cf cert.pem signed.dcm
+uf missing +cf cert.pem signed.dcm
-v +cf text.txt signed.dcm
-tf empty signed.dcm
-t PatientName -fo +uc -td -v +cf cert.pem signed.dcm
-fo -e +t= --arguments -q +cf cert.pem signed.dcm
+tv +cf cert.pem signed.dcm
+fo -v +cf cert.pem signed.dcm
-der +cf cert.der signed.dcm
-der +cf cert.pem signed.dcm
+cf cert.der -uc signed.dcm
-v bare.bin
-v -f bare.bin
-v -f -te bare.bin
-v +fo bare.bin
-v -td in.dcm
-v tampered.dcm
+cf cert.pem tampered.dcm
-v +cf cert.pem two.dcm
-v damaged-mac-id.dcm
-v damaged-parameters.dcm
-v damaged-certificate.dcm
-v unknown-syntax.dcm
-v damaged-values.dcm
-v damaged-syntax.dcm
missing.dcm
-v missing.dcm
-q missing.dcm
-ll off missing.dcm
in.dcm/x
empty
@
+fo text.txt
+rg +cf cert.pem missing.dcm
-fo +cf cert.pem jpeg-old.dcm
-fn +cf cert.pem jpeg-old.dcm
-fo -fn +cf cert.pem jpeg-old.dcm
-fn -fo +cf cert.pem jpeg-old.dcm
+cf cert.pem jpeg-old.dcm
-fo +cf cert.pem jpeg-signed.dcm
+rg +cf cert.pem two.dcm
+rg +rv in.dcm
+rv +rg in.dcm
--require-sig --verify-if-present in.dcm
+tv -v +cf cert.pem signed.dcm
-v +cf cert.pem second.dcm
-v +cf cert.pem item.dcm
-v +cf cert.pem purpose.dcm
-v +cf cert.pem tags-signed.dcm
+te +cf cert.pem signed.dcm
-ll trace -q in.dcm
-tf tags.txt -t PatientName -e +tb +cf cert.pem signed.dcm
""".strip().splitlines()

READING = """
-v bare-signed.bin
-v +f bare-signed.bin
-v -f bare-signed.bin
-f -te +cf cert.pem bare-signed.bin
-f -td +cf cert.pem bare-signed.bin
-f -t= +cf cert.pem bare-signed.bin
-f -ti bare-signed.bin
-v +fo bare-signed.bin
-v bare-ili.bin
-v bare-ebe.bin
-v bare-ele.bin
-v bare-ele-u.bin
-v bare-ili-u.bin
-v bare-ebe-u.bin
-v -f -ti bare-ili.bin
-v -f -tb bare-ebe.bin
-v -f -te bare-ili.bin
-v -f -tb bare-ili.bin
-v -f -ti bare-ebe.bin
-v -f -ti bare-ele.bin
-v bare-ili-nested.bin
-v bare-ebe-nested.bin
-v bare-ele-nested.bin
-v -f -ti bare-ili-nested.bin
-v -f -tb bare-ebe-nested.bin
-v -f -te bare-ele-nested.bin
-v -td bare-ele-nested.bin
-v -td bare-ili-nested.bin
-v -td bare-ebe-nested.bin
-f in.dcm
-f -ti in.dcm
-f -te in.dcm
-f -tb in.dcm
-f -td in.dcm
-f ili.dcm
-f -ti ili.dcm
-f -tb ebe.dcm
-v -td signed.dcm
-td +cf cert.pem ili-signed.dcm
-td +cf cert.pem ebe-signed.dcm
-td +cf cert.pem dfl-signed.dcm
-td +cf cert.pem jpeg-signed.dcm
+fo -td +cf cert.pem ili-signed.dcm
-v wrong-syntax.dcm
-v -td wrong-syntax.dcm
-v no-prefix.dcm
-f no-prefix.dcm
+fo no-prefix.dcm
cut.dcm
-f cut.dcm
-v +uc +cf cert.pem un-signed.dcm
-v -uc +cf cert.pem un-signed.dcm
+uc +cf cert.pem signed.dcm
+uc -uc +cf cert.pem un-signed.dcm
-uc +uc +cf cert.pem un-signed.dcm
""".strip().splitlines()

# the transfer syntax that the options name is not that of the file: what is read first decides which words follow
MISREAD = """
-f -tb bare-signed.bin
-v -f -te bare-ebe.bin
-v -f -tb bare-ele.bin
""".strip().splitlines()

STRUCTURES = """
nothing
ele-nested
ili-nested
ebe-nested
dfl-nested
ele-u-nested
ili-u-nested
ebe-u-nested
dfl-u-nested
damaged-certificate-type
damaged-signature
damaged-empty-signature
damaged-date
damaged-algorithm
damaged-elements
one
shared
orphans
orphan-only
twice-parameters
without-id-parameters
same-uid
no-mac-id
no-uid
no-parameters
other-parameters
original
original-only
no-items
no-items-below
no-sequence
no-parameters-sequence
empty-parameters
no-certificate
item-only-signature
""".strip().splitlines()

STANDARD_INPUT = [
    Invocation(line, stdin=name)
    for line, name in (
        ("-v +cf cert.pem -", "signed.dcm"),
        ("-v +rg -", "in.dcm"),
        ("-", "empty"),
        ("+fo -", "bare-signed.bin"),
        ("-f -te +cf cert.pem -", "bare-signed.bin"),
        ("+cf cert.pem -", "dfl-signed.dcm"),
        ("-", "ele-nested.dcm"),
        ("-", ""),
        ("-v -", ""),
    )
]


@pytest.mark.parametrize("line", [*VERIFYING, *READING])
def test_verification(peers: Peers, line: str) -> None:
    peers.same(line)


@pytest.mark.parametrize("invocation", STANDARD_INPUT, ids=str)
def test_standard_input(peers: Peers, invocation: Invocation) -> None:
    peers.same(invocation)


@pytest.mark.parametrize("line", MISREAD)
def test_misread(peers: Peers, line: str) -> None:
    pair = peers.run(line)
    assert pair.ours.code == pair.theirs.code == 20
    for result in (pair.ours, pair.theirs):
        last = result.messages[-2]
        assert last.startswith(("F: I/O suspension or premature end of stream: ", "F: Invalid stream: "))
        assert last.endswith(f": reading file: {line.split()[-1]}")


@pytest.mark.parametrize("name", STRUCTURES)
def test_structure(peers: Peers, name: str) -> None:
    peers.same(f"-v {name}.dcm")


# DCMTK 3.6.7 does not know HTJ2K; of incomplete digests it knows nothing
SIGNED = sorted(path.name for path in VECTORS.glob("*.signed.dcm") if not path.name.startswith(("htj2k", "nested-16k")))


@pytest.mark.parametrize("name", SIGNED)
def test_vector(peers: Peers, name: str) -> None:
    line = f"-v +cf cert.pem +cf dsa-cert.pem +cf ec-cert.pem {name}"
    peers.same(Invocation(line, files={name: (VECTORS / name).read_bytes()}))


LEVELS = ("off", "fatal", "error", "warn", "info", "debug", "trace")


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize(
    "line",
    [
        "+cf cert.pem +cf missing signed.dcm",
        "+rg in.dcm",
        "missing.dcm",
        "+r 1.2.3 one.dcm out.dcm",
        "+ra one.dcm out.dcm",
        "+m2 -t StudyID +s key.pem cert.pem ele.dcm out.dcm",
    ],
)
def test_level(peers: Peers, line: str, level: str) -> None:
    # what is told from level debug on is about the program itself
    pair = peers.run(f"-ll {level} {line}")
    ours, theirs = (comparable(result).without("[DT]: ") for result in (pair.ours, pair.theirs))
    expect_same(ours, theirs)
    assert level != "off" or theirs.messages == ("",)


@pytest.mark.parametrize(
    "line", ["-v +cf cert.pem signed.dcm", "missing.dcm", "+rg in.dcm", "-q signed.dcm", "-fo +cf cert.pem jpeg-old.dcm"]
)
def test_as_a_process(peers: Peers, line: str) -> None:
    peers.same(Invocation(line, process=True))
