"""Removing signatures: exit code, every line, and the object that is written, byte by byte."""

from __future__ import annotations

import re
from itertools import product

import pytest

from tests.cli.peer import HUNG, Invocation, Peers, comparable, expect_same

FORMS = ("ele", "ili", "ebe", "dfl", "ele-u", "ili-u", "ebe-u", "dfl-u")
UIDS = ("1.2.10", "1.2.20", "1.2.21", "1.2.11", "1.2.30")
"""Of the signatures in the objects with nested ones."""

# objects with one or two signatures, or what looks like some
OBJECTS = """
one
shared
orphans
orphan-only
twice-parameters
without-id-parameters
same-uid
same-uid-below
ili-same-uid
no-mac-id
second-no-mac-id
no-uid
no-parameters
other-parameters
original-only
no-parameters-sequence
empty-parameters
item-only-signature
damaged-signature
damaged-date
damaged-parameters
damaged-syntax
signed
tampered
two
second
item
purpose
tags-signed
ele-signed
ili-signed
ebe-signed
dfl-signed
jpeg-signed
jpeg-old
un-signed
in
jpeg
rle
un-undefined
unknown-syntax
no-prefix
""".strip().splitlines()

# reading their signatures as a whole gives warnings
UNREADABLE = ("no-certificate", "damaged-mac-id", "damaged-certificate", "damaged-certificate-type", "damaged-values")
REMARKS = r"W: (Cannot read MAC ID|Certificate |Encountered unsupported certificate|Empty certificate|Unable to parse X\.509)"

LINES = """
+r 1.2.10 no-items.dcm out.dcm
+r 1.2.10 no-items-below.dcm out.dcm
+r 1.2.10 no-sequence.dcm out.dcm
+r 1.2.11 shared.dcm out.dcm
+r 1.2.11 twice-parameters.dcm out.dcm
+r 1.2.11 second-no-mac-id.dcm out.dcm
+r 1.2.11 no-uid.dcm out.dcm
+r "" no-uid.dcm out.dcm
+r (unknown) no-uid.dcm out.dcm
+r 1.2.40 original.dcm out.dcm
+r 1.2.40 original-only.dcm out.dcm
+r 1.2.3 ele-nested.dcm out.dcm
-v +r 1.2.3 ele-nested.dcm out.dcm
-q +r 1.2.3 ele-nested.dcm out.dcm
-ll off +r 1.2.3 ele-nested.dcm out.dcm
+r 1.2.1 ele-nested.dcm out.dcm
+r 1.2.100 ele-nested.dcm out.dcm
+r "1.2.30 " ele-nested.dcm out.dcm
+r " 1.2.30" ele-nested.dcm out.dcm
+r "" ele-nested.dcm out.dcm
+r -v ele-nested.dcm out.dcm
+r 1.2.3 ele.dcm out.dcm
-v +r 1.2.10 ele-nested.dcm out.dcm
-v --remove 1.2.30 ele-nested.dcm out.dcm
-v --remove-all ele-nested.dcm out.dcm
-ll error +ra ele-nested.dcm out.dcm
-ll fatal +ra no-mac-id.dcm out.dcm
-q +ra ele-nested.dcm out.dcm
-v +ra ele.dcm out.dcm
-v +ra no-mac-id.dcm out.dcm
-v +ra second-no-mac-id.dcm out.dcm
+ra missing.dcm out.dcm
+r 1.2.3 missing.dcm out.dcm
-v +ra empty out.dcm
+ra text.txt out.dcm
+ra cut.dcm out.dcm
-f -ti +ra in.dcm out.dcm
+fo +ra bare-ele.bin out.dcm
+ra "" out.dcm
+ra one.dcm missing/out.dcm
-v +ra one.dcm missing/out.dcm
+r 1.2.10 one.dcm missing/out.dcm
+r 1.2.3 one.dcm missing/out.dcm
+ra one.dcm ""
+r 1.2.3 one.dcm ""
+ra one.dcm .
+ra one.dcm one.dcm
+ra ele-nested.dcm ele-nested.dcm
+r 1.2.20 ele-nested.dcm ele-nested.dcm
+r 1.2.10 no-mac-id.dcm no-mac-id.dcm
+ra bare-ele-nested.bin out.dcm
+ra bare-ili-nested.bin out.dcm
-f -tb +ra bare-ebe-nested.bin out.dcm
-f -ti +r 1.2.30 bare-ili-nested.bin out.dcm
-td +ra wrong-syntax.dcm out.dcm
+uc +ra un.dcm out.dcm
+uc +ra un-name.dcm out.dcm
+uc +ra un-sequence.dcm out.dcm
+uc +ra un-signed.dcm out.dcm
+ra +r 1.2.3 one.dcm out.dcm
+r 1.2.3 +ra one.dcm out.dcm
+r 1.2.3 +r 1.2.10 one.dcm out.dcm
+r 1.2.10 --verify one.dcm
+ra +ra one.dcm out.dcm
+s missing missing +ra one.dcm out.dcm
+s key.pem missing +r 1.2.10 one.dcm out.dcm
+s missing cert.pem +ra one.dcm out.dcm
+s key.pem dsa-cert.pem +ra one.dcm out.dcm
+s key.pem cert.pem +ra one.dcm out.dcm
+s key.pem cert.pem +r 1.2.10 one.dcm out.dcm
-der +s key.pem cert.pem +ra one.dcm out.dcm
-der +ra one.dcm out.dcm
-fo +ra one.dcm out.dcm
-t PatientName -tf tags.txt +ra one.dcm out.dcm
-t bogus +ra one.dcm out.dcm
-tf missing +ra one.dcm out.dcm
-tf bad-tags.txt +r 1.2.10 one.dcm out.dcm
@value.txt +ra one.dcm
""".strip().splitlines()


@pytest.mark.parametrize("options", ["", "-e"])
@pytest.mark.parametrize("form", FORMS)
def test_all(peers: Peers, form: str, options: str) -> None:
    pair = peers.same(Invocation(f"-v {options} +ra {form}-nested.dcm out.dcm", strict=True))
    assert "I: 5 signatures found and removed from dataset." in pair.theirs.messages


@pytest.mark.parametrize(("form", "uid"), [*product(FORMS, ["1.2.11", "1.2.30"]), *product(["ele", "ili-u"], UIDS[:3])])
def test_one(peers: Peers, form: str, uid: str) -> None:
    options = "-e" if uid in ("1.2.11", "1.2.21") else ""
    assert peers.same(Invocation(f"{options} +r {uid} {form}-nested.dcm out.dcm", strict=True)).theirs.code == 0


@pytest.mark.parametrize("name", OBJECTS)
def test_object(peers: Peers, name: str) -> None:
    peers.same(Invocation(f"+ra {name}.dcm out.dcm", strict=name != "unknown-syntax"))


@pytest.mark.parametrize(
    "name", ["one", "shared", "orphans", *(name for name in OBJECTS if "-" in name and "signed" not in name)]
)
def test_one_of_an_object(peers: Peers, name: str) -> None:
    peers.same(Invocation(f"+r 1.2.10 {name}.dcm out.dcm", strict=True))


@pytest.mark.parametrize("command", ["+ra", "+r 1.2.10"])
@pytest.mark.parametrize("name", UNREADABLE)
def test_unreadable_signatures(peers: Peers, name: str, command: str) -> None:
    """DCMTK reads all of a signature before it removes it and warns about what is missing; here that does not matter."""
    pair = peers.run(Invocation(f"{command} {name}.dcm out.dcm", strict=True))
    expect_same(pair.ours.without(REMARKS), pair.theirs.without(REMARKS))


@pytest.mark.parametrize("line", ["+ra original.dcm out.dcm", "-v +ra original.dcm out.dcm"])
def test_warnings_about_original_attributes(peers: Peers, line: str) -> None:
    """DCMTK starts its search anew after each removal and warns each time; here once is enough."""
    warning = "W: Found Digital Signature Sequence within the Original Attributes Sequence, ignoring."
    pair = peers.run(line)
    assert pair.theirs.messages.count(warning) == 2
    assert pair.ours.messages.count(warning) == 1
    expect_same(pair.ours.without(re.escape(warning)), pair.theirs.without(re.escape(warning)))


@pytest.mark.parametrize("line", LINES)
def test_removing(peers: Peers, line: str) -> None:
    peers.same(line)


def test_removed_signatures_leave_others_intact(peers: Peers) -> None:
    # the outer signature does not cover those of items
    told = peers.sides(Invocation("two.dcm"))[1].err.decode().splitlines()
    uids = [line.partition("UID=")[2] for line in told if "UID=" in line]
    assert [peers.signed(f"+r {uid} two.dcm out.dcm") for uid in uids] == [("OK",), ("OK",)]
    assert peers.signed(f"-e +ti +r {uids[0]} two.dcm out.dcm") == ("OK",)


@pytest.mark.parametrize(
    "invocation",
    [
        Invocation("-v +ra - -", stdin="ele-nested.dcm"),
        Invocation("+r 1.2.30 - out.dcm", stdin="ili-u-nested.dcm"),
        Invocation("+r 1.2.20 dfl-nested.dcm -"),
        Invocation("-e +ra - -", stdin="dfl-u-nested.dcm"),
        Invocation("+r 1.2.3 - -", stdin="ele-nested.dcm"),
        Invocation("+ra - -", stdin="no-mac-id.dcm"),
        Invocation("+ra - -", stdin="empty"),
        Invocation("+ra - -", stdin="bare-ebe-nested.bin"),
        Invocation("-v +ra ele-nested.dcm out.dcm", process=True),
        Invocation("+r 1.2.21 - -", stdin="ebe-nested.dcm", process=True),
        Invocation("+r 1.2.3 ele-nested.dcm out.dcm", process=True),
        Invocation("+ra no-mac-id.dcm out.dcm", process=True),
    ],
    ids=str,
)
def test_standard_streams_and_processes(peers: Peers, invocation: Invocation) -> None:
    peers.same(invocation)


@pytest.mark.parametrize("name", ["no-items", "no-items-below", "no-sequence"])
def test_digital_signatures_without_any(peers: Peers, name: str) -> None:
    """DCMTK looks for the first signature again and again and never ends; there is nothing to remove, the others go."""
    invocation = Invocation(f"-ll error +ra {name}.dcm out.dcm", timeout=0.5)
    ours, theirs = peers.sides(invocation)
    assert theirs.code == HUNG
    assert (ours.code, ours.err, list(ours.written)) == (0, b"", ["out.dcm"])
    # what it wrote holds no signature, and both programs read it
    told = peers.reference("-v out.dcm", ours.folder)
    assert told.code == 0
    assert "W: no signatures found in dataset." in told.messages
    assert peers.command("-v out.dcm", ours.folder) == comparable(told)
