"""Output transfer syntaxes and length encodings with every command that writes."""

from __future__ import annotations

from itertools import product

import pytest

from tests.cli.peer import Invocation, Peers

FORMS = ("ele", "ili", "ebe", "dfl", "ele-u", "ili-u", "ebe-u", "dfl-u")
WRITTEN = ("+te", "+tb", "+ti")
NAMES = {"+te": "Little Endian Explicit", "+tb": "Big Endian Explicit", "+ti": "Little Endian Implicit"}
ENCAPSULATED = ("jpeg", "rle", "icon", "icon-native", "jpeg-signed")

# what is odd about these decides what may be written
OTHERS = (
    "jpeg-no-pixels",
    "ob",
    "ge",
    "private",
    "private-sequence",
    "un",
    "un-name",
    "un-undefined",
    "un-sequence",
    "wrong-vr",
    "overlays",
    "not-signable",
    "deep",
    "signed",
    "two",
    "in",
    "un-signed",
    "no-prefix",
)


@pytest.mark.parametrize("written", ["+t=", *WRITTEN, "+ti -e"])
@pytest.mark.parametrize("form", FORMS)
def test_remove_all(peers: Peers, form: str, written: str) -> None:
    peers.same(Invocation(f"{written} +ra {form}-nested.dcm out.dcm", strict=True))


@pytest.mark.parametrize("written", WRITTEN)
@pytest.mark.parametrize("form", ["ele-u", "ili", "ebe", "dfl"])
def test_remove(peers: Peers, form: str, written: str) -> None:
    peers.same(Invocation(f"{written} +r 1.2.20 {form}-nested.dcm out.dcm", strict=True))


@pytest.mark.parametrize(
    ("name", "written"),
    [
        *product(OTHERS, ["+t=", "+ti"]),
        *product(["ge", "in", "un", "un-undefined", "private-sequence", "wrong-vr"], ["+te", "+tb"]),
    ],
)
def test_other_objects(peers: Peers, name: str, written: str) -> None:
    assert peers.same(Invocation(f"{written} +ra {name}.dcm out.dcm", strict=True)).theirs.code == 0


@pytest.mark.parametrize(
    ("form", "written"), [*product(FORMS, WRITTEN), ("ele", "+tb -e"), ("ili-u", "+te -e"), ("ebe", "+ti -e")]
)
def test_sign(peers: Peers, form: str, written: str) -> None:
    found = peers.signed(f"{written} +m2 +s key.pem cert.pem {form}.dcm out.dcm")
    assert found == ("OK",)


@pytest.mark.parametrize(
    ("name", "written"),
    [
        *product([name for name in OTHERS if name != "un-sequence"], ["+ti"]),
        *product(["ge", "in", "un", "un-undefined", "private-sequence", "wrong-vr", "deep"], ["+te", "+tb"]),
    ],
)
def test_sign_other_objects(peers: Peers, name: str, written: str) -> None:
    # what cannot be expressed in the output syntax spoils the signature, for both programs in the same way
    peers.signed(f"{written} +m2 +s key.pem cert.pem {name}.dcm out.dcm")


@pytest.mark.parametrize("written", WRITTEN)
@pytest.mark.parametrize("name", ENCAPSULATED)
@pytest.mark.parametrize("command", ["+ra", "+m2 +s key.pem cert.pem"])
def test_impossible(peers: Peers, name: str, written: str, command: str) -> None:
    pair = peers.same(f"{written} {command} {name}.dcm out.dcm")
    assert pair.theirs.code == 40
    assert f"F: No conversion to transfer syntax {NAMES[written]} possible!" in pair.theirs.messages
    assert not pair.ours.files


LINES = """
+te +tb +ra one.dcm out.dcm
+tb +te +ra one.dcm out.dcm
+tb +t= +ra one.dcm out.dcm
+t= +tb +ra one.dcm out.dcm
+ti +te +tb +ti +ra one.dcm out.dcm
--write-xfer-same +ra ebe.dcm out.dcm
--write-xfer-little +ra ebe.dcm out.dcm
--write-xfer-big +ra ili.dcm out.dcm
--write-xfer-implicit +ra ele.dcm out.dcm
--write-xfer-big --length-undefined +ra ele.dcm out.dcm
--write-xfer-big --length-explicit +ra ele-u.dcm out.dcm
+t= +ra jpeg.dcm out.dcm
+t= -e +ra icon.dcm out.dcm
-v +te +ra jpeg.dcm out.dcm
-q +te +ra jpeg.dcm out.dcm
-ll off +te +ra jpeg.dcm out.dcm
+te +ra jpeg-signed.dcm out.dcm
+te +r 1.2.3 jpeg-signed.dcm out.dcm
+te +ra jpeg.dcm jpeg.dcm
+te +ra jpeg.dcm missing/out.dcm
+te +ra jpeg.dcm ""
-v +te +m2 +s key.pem cert.pem jpeg.dcm out.dcm
+te +m2 -t StudyID +s key.pem cert.pem jpeg.dcm out.dcm
+te +m2 +s key.pem dsa-cert.pem jpeg.dcm out.dcm
+te +m2 +d dump +s key.pem cert.pem jpeg.dcm out.dcm
+te --verify jpeg.dcm
+te -v +cf cert.pem jpeg-signed.dcm
+tb +e jpeg-signed.dcm
+te +ra bare-ili-nested.bin out.dcm
+tb +ra bare-ili-nested.bin out.dcm
+ti +ra bare-ebe-nested.bin out.dcm
+te -f -tb +ra bare-ebe-nested.bin out.dcm
+tb -f +ra bare-ele-nested.bin out.dcm
+ti -td +ra dfl-nested.dcm dfl-nested.dcm
+ti +uc +ra un-name.dcm out.dcm
+tb +uc +ra un.dcm out.dcm
+te +uc +ra un-sequence.dcm out.dcm
+ti -e +uc +m2 +s key.pem cert.pem un-name.dcm out.dcm
""".strip().splitlines()


@pytest.mark.parametrize("line", LINES)
def test_lines(peers: Peers, line: str) -> None:
    peers.same(Invocation(line, strict="+ra" in line))


@pytest.mark.parametrize(
    "invocation",
    [
        Invocation("+te +ra - -", stdin="ebe-nested.dcm", strict=True),
        Invocation("+ti -e +ra - out.dcm", stdin="dfl-u-nested.dcm", strict=True),
        Invocation("+te +ra - -", stdin="jpeg.dcm"),
        Invocation("+tb +m2 +s key.pem cert.pem - -", stdin="ili-u.dcm"),
        Invocation("+tb +m2 +s key.pem cert.pem - -", stdin="ili-u.dcm", process=True),
        Invocation("-v +te +ra jpeg.dcm out.dcm", process=True),
    ],
    ids=str,
)
def test_standard_streams_and_processes(peers: Peers, invocation: Invocation) -> None:
    peers.same(invocation)
