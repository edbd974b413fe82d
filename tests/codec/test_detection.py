"""Recognising files and transfer syntaxes where the meta header is missing, wrong or to be ignored; dcmdump as a peer."""

from __future__ import annotations

import re
import subprocess
from itertools import product
from pathlib import Path

import pytest
from dcmsign.codec.dicom import syntaxes
from dcmsign.codec.dicom.detection import detect_syntax, looks_like_meta
from dcmsign.codec.dicom.events import EXPLICIT, IMPLICIT, Anomaly, AnomalyCode, DatasetStart, Element, Preamble
from dcmsign.codec.dicom.options import ReadOptions
from dcmsign.codec.dicom.parser import Parser
from dcmsign.codec.errors import EmptyInput, FormatError, MetaHeaderMissing, NotDicom, Truncated

from tests.codec import builder, reading
from tests.codec.builder import BIG, FORMS, UIDS, Nodes, Plain
from tests.peers import require_peer

TREE: Nodes = (
    Plain(0x00080005, "CS", b"ISO_IR 100"),
    Plain(0x00080016, "UI", b"1.2.3\0"),
    Plain(0x00100010, "PN", b"A^B "),
    Plain(0x00280010, "US", b"\0\2"),
)
PREAMBLE = bytes(128) + b"DICM"
HEADS = {
    "none": b"",
    "preamble only": PREAMBLE,
    "unknown": builder.meta("1.2.3.4"),
    "empty": builder.meta(""),
    "right": None,
    **{f"no preamble, {form}": builder.meta(UIDS[form], preamble=False) for form in FORMS},
    **{form: builder.meta(UIDS[form]) for form in FORMS},
    "no group length": builder.meta("1.2.3.4", group_length=False),
}
NAMES = {form: syntaxes.SYNTAXES[UIDS[form]].name for form in FORMS}


def build(head: str, form: str) -> bytes:
    found = HEADS[head]
    return (builder.meta(UIDS[form]) if found is None else found) + builder.encode(TREE, form)


def ours(data: bytes, options: ReadOptions) -> str | None:
    """Name of the transfer syntax of the data set, None if it is refused."""
    try:
        start = next(event for event in reading.read(data, options=options) if isinstance(event, DatasetStart))
    except FormatError:
        return None
    return syntaxes.SYNTAXES[start.syntax].name


def theirs(data: bytes, path: Path, *options: str) -> str | None:
    """The same from dcmdump."""
    path.write_bytes(data)
    result = subprocess.run([require_peer("dcmdump"), *options, str(path)], capture_output=True, check=False)
    names = re.findall(r"^# Used TransferSyntax: (.*)$", result.stdout.decode("ascii", "replace"), re.MULTILINE)
    return None if result.returncode else names[-1]


MODES: dict[str, tuple[ReadOptions, tuple[str, ...]]] = {
    "auto": (ReadOptions(), ()),
    "detect": (ReadOptions(detect_syntax=True), ("-td",)),
    "file": (ReadOptions(file_format="file"), ("+fo",)),
    "detect in file": (ReadOptions(file_format="file", detect_syntax=True), ("+fo", "-td")),
}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("head", HEADS)
def test_same_as_dcmdump(head: str, mode: str, tmp_path: Path) -> None:
    options, arguments = MODES[mode]
    for form in FORMS:
        data = build(head, form)
        assert ours(data, options) == theirs(data, tmp_path / "in.dcm", *arguments), form


@pytest.mark.parametrize("forced", [None, *FORMS])
def test_data_sets_same_as_dcmdump(forced: str | None, tmp_path: Path) -> None:
    options = ReadOptions(file_format="dataset", syntax=None if forced is None else UIDS[forced])
    letters = {"explicit": "-te", "big": "-tb", "implicit": "-ti"}
    arguments = ["-f"] if forced is None else ["-f", letters[forced]]
    for form in FORMS:
        data = build("none", form)
        assert ours(data, options) == theirs(data, tmp_path / "in.dcm", *arguments), form
        if forced in (None, form):
            assert ours(data, options) == NAMES[form]


def test_content_is_read_whatever_the_head() -> None:
    """Without relying on a peer: every head that does not lie, and every lying one that is ignored."""
    for head, form in product(HEADS, FORMS):
        honest = head in ("none", "preamble only", "unknown", "empty", "right", "no group length") or head.endswith(form)
        for options in (ReadOptions(), ReadOptions(detect_syntax=True)):
            if not honest and not options.detect_syntax:
                continue
            events = reading.read(build(head, form), options=options)
            assert reading.tree(reading.content(events)) == TREE, (head, form)


def test_what_is_reported() -> None:
    def codes(head: str) -> list[AnomalyCode]:
        return [event.code for event in reading.read(build(head, "explicit")) if isinstance(event, Anomaly)]

    assert codes("right") == codes("none") == []
    assert codes("unknown") == codes("preamble only") == codes("empty") == [AnomalyCode.UNKNOWN_SYNTAX]
    assert codes("no group length") == [AnomalyCode.NO_GROUP_LENGTH, AnomalyCode.UNKNOWN_SYNTAX]


def test_meta_elements_are_explicit_little_endian() -> None:
    for form in FORMS:
        events = reading.read(build("right", form))
        assert isinstance(events[0], Preamble)
        meta = [event for event in events if isinstance(event, Element) and event.tag >> 16 == 2]
        assert [event.vr for event in meta] == ["UL", "OB", "UI", "UI"]
        assert {event.form for event in meta} == {EXPLICIT}


def test_implicit_meta_group() -> None:
    """Old data sets have their meta group in implicit VR."""
    uid = UIDS["implicit"].encode() + b"\0"
    group: Nodes = (Plain(0x00020000, "UL", bytes(4)), Plain(0x00020010, "UI", uid))
    data = builder.encode((*group, *TREE), "implicit")
    events = reading.read(data)
    meta = [event for event in events if isinstance(event, Element) and event.tag >> 16 == 2]
    assert [(event.vr, event.form) for event in meta] == [("UL", IMPLICIT), ("UI", IMPLICIT)]
    assert reading.tree(reading.content(events)) == TREE


def test_data_set_that_claims_to_be_none() -> None:
    """`dataset` looks neither for a preamble nor for a meta group."""
    data = builder.meta(UIDS["explicit"], preamble=False) + builder.encode(TREE, "explicit")
    events = reading.read(data, options=ReadOptions(file_format="dataset"))
    assert isinstance(events[0], DatasetStart)
    assert events[0].offset == 0
    assert isinstance(events[1], Element)
    assert events[1].tag == 0x00020000


def test_file_format_demanded() -> None:
    options = ReadOptions(file_format="file")
    for head in ("none", "preamble only", "unknown", "empty"):
        with pytest.raises(MetaHeaderMissing):
            reading.read(build(head, "explicit"), options=options)
    assert ours(build("right", BIG), options) == NAMES[BIG]


def test_forced_syntax_of_deflated_data_set() -> None:
    options = ReadOptions(file_format="dataset", syntax=builder.DEFLATED_UID)
    data = builder.deflate(builder.encode(TREE, "explicit"))
    assert reading.tree(reading.content(reading.read(data, options=options))) == TREE


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (b"", EmptyInput),
        (b"\x08", NotDicom),
        (b"\x08\0\x05\0CS", NotDicom),
        (PREAMBLE, FormatError),
        (PREAMBLE + b"\2\0", Truncated),
        (builder.meta(UIDS["explicit"])[:-1], Truncated),
        (b"\2\0\0\0UL\4", FormatError),
    ],
)
def test_beginnings_that_are_too_short(data: bytes, error: type[FormatError]) -> None:
    for blocks in ((data,), reading.single_bytes(data)):
        with pytest.raises(error) as caught:
            reading.read(data, blocks)
        assert caught.value.offset is not None
        assert caught.value.offset <= len(data)


@pytest.mark.parametrize("uid", [UIDS["explicit"], builder.DEFLATED_UID, "1.2.3"])
def test_empty_data_set_behind_a_meta_header(uid: str) -> None:
    data = builder.meta(uid) + (builder.deflate(b"") if uid == builder.DEFLATED_UID else b"")
    events = reading.read(data)
    assert reading.content(events) == []
    assert events[-1].offset == len(builder.meta(uid))


def test_syntax_is_known_from_the_start_of_the_data_set() -> None:
    parser = Parser()
    parser.feed(builder.meta(UIDS["explicit"]))
    assert not any(isinstance(event, DatasetStart) for event in parser.events())
    assert parser.syntax is None
    parser.feed(builder.encode(TREE, "explicit")[:2])
    assert any(isinstance(event, DatasetStart) for event in parser.events())
    assert parser.syntax == syntaxes.EXPLICIT_LE


AMBIGUOUS = (0x00101000, 0x10000010, 0x00080008, 0x00282800, 0x50005000, 0x00090010, 0x01000100, 0x00080000, 0x7FE00010)


def test_byte_order_of_tags_known_in_both_same_as_dcmdump(tmp_path: Path) -> None:
    """Some tags are in the dictionary both ways round."""
    for tag, form, vr in product(AMBIGUOUS, FORMS, ("LO", "UN")):
        data = builder.encode((Plain(tag, vr, b"AB"),), form)
        found = detect_syntax(data[:8])
        peer = theirs(data, tmp_path / "in.dcm")
        if found is None:
            assert peer is None
        elif peer is not None:
            assert found.name == peer, f"{tag:08x} {form} {vr}"


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (b"\2\0\0\0UL\4\0", EXPLICIT),
        (b"\2\0\0\0\4\0\0\0", IMPLICIT),
        (b"\x08\0\0\0UL\4\0", None),
        (b"", None),
        (b"\0\2\0\0UL\0\4", None),
    ],
)
def test_looks_like_meta(head: bytes, expected: int | None) -> None:
    assert looks_like_meta(head) == expected
