"""Long texts: collected, or measured in one pass and trimmed in the next, they come out as the whole value in normal form."""

from __future__ import annotations

import pytest
from dcmsign.codec.dicom.events import CONVERTED, Element, Event, ValueChunk, ValueStart
from dcmsign.codec.dicom.options import Limits
from dcmsign.codec.dicom.parser import Parser
from dcmsign.codec.dicom.texts import TextGate
from dcmsign.codec.dicom.values import legacy_text, normal_text, normal_uid
from dcmsign.codec.errors import FormatError, LimitExceeded
from hypothesis import given
from hypothesis import strategies as st

from tests.codec import builder, reading, strategies
from tests.codec.builder import Nodes, Plain

INLINE = 8
TEXTS = st.builds(
    lambda parts: b"".join(parts), st.lists(st.sampled_from((b"x", b"yz", b" ", b"\0", b"    ", b"\0\0\0")), max_size=40)
)
TAGS = {"UT": 0x0040A160, "LT": 0x00104000, "UC": 0x00080119, "LO": 0x00100020}


def events_of(tree: Nodes, cuts: list[int], form: str = "explicit") -> list[Event]:
    data = builder.file(tree, form)
    found = list(reading.drive(Parser(limits=Limits(inline=INLINE)), reading.cut(data, cuts)))
    return reading.content(found)


@given(TEXTS, st.sampled_from(sorted(TAGS)), strategies.CUTS, st.integers(0, 60))
def test_measured_and_trimmed_is_the_normal_form(text: bytes, vr: str, cuts: list[int], limit: int) -> None:
    tree: Nodes = (Plain(TAGS[vr], vr, text),)
    lengths: dict[int, int] = {}
    measured = list(TextGate(lengths, limit=limit, measure=True).through(events_of(tree, cuts)))
    trimmed = list(TextGate(lengths, limit=limit).through(events_of(tree, cuts)))
    normal = builder.normal(vr, text)
    (found,) = reading.tree(trimmed)
    if len(text) > max(limit, INLINE):
        assert found == Plain(TAGS[vr], vr, normal)
        start = trimmed[0]
        assert isinstance(start, ValueStart)
        assert start.form == CONVERTED
        assert start.length == len(normal)
        assert measured[0] == start
        assert all(isinstance(event, ValueChunk) and not event.raw for event in measured[1:])
        assert list(lengths.values()) == [len(text.rstrip(b" \0"))]
    else:
        assert found == Plain(TAGS[vr], vr, text), "small values are left to whoever takes them"
        assert measured == trimmed
        assert not lengths
        assert [type(event) for event in trimmed] == [Element]


@given(strategies.nodes(), strategies.CUTS, st.sampled_from(builder.FORMS), st.booleans())
def test_only_texts_are_touched(tree: Nodes, cuts: list[int], form: str, measure: bool) -> None:
    """Everything that is no long text passes as it is, the very same objects."""
    before = events_of(tree, cuts, form)
    gate = TextGate({}, measure=measure)
    inside = False
    for event in before:
        text = isinstance(event, ValueStart) and (event.vr in builder.TEXTS or event.vr == "UI")
        assert gate.open is inside
        after = list(gate.feed(event))
        if not text and not inside:
            assert len(after) == 1
            assert after[0] is event
        if text:
            assert after == []
            inside = True
        elif inside:
            assert isinstance(event, ValueChunk)
            inside = not event.last
            assert [type(entry) for entry in after] == ([] if inside else [Element])


@given(strategies.nodes(), strategies.CUTS, st.sampled_from(builder.FORMS))
def test_collected_texts_are_whole(tree: Nodes, cuts: list[int], form: str) -> None:
    events = TextGate({}).through(events_of(tree, cuts, form))
    assert reading.tree(events) == builder.as_read(tree, form)


@pytest.mark.parametrize("step", [1, 2, 3, 7])
def test_padding_in_chunks_of_its_own(step: int) -> None:
    """Padding in the middle stays, padding at the end goes, wherever the blocks end."""
    for text in (b"one" + b" " * 20 + b"two" + b"\0 " * 20, b" " * 41, b"x" + b"\0" * 40):
        tree: Nodes = (Plain(0x0040A160, "UT", text),)
        cuts = list(range(0, 1000, step))
        lengths: dict[int, int] = {}
        for measure in (True, False):
            events = list(TextGate(lengths, limit=10, measure=measure).through(events_of(tree, cuts)))
        assert reading.tree(events) == (Plain(0x0040A160, "UT", builder.normal("UT", text)),)


def long_text(size: int = 200) -> list[Event]:
    return events_of((Plain(0x0040A160, "UT", b"u" * size),), [])


def test_long_text_that_was_not_measured() -> None:
    with pytest.raises(LimitExceeded, match="text of 200 bytes cannot be digested in one pass") as caught:
        list(TextGate({}, limit=100).through(long_text()))
    assert caught.value.element == "(0040,a160)"
    assert caught.value.offset == len(builder.meta(builder.UIDS["explicit"]))


@pytest.mark.parametrize("measure", [False, True])
def test_long_uid(measure: bool) -> None:
    """The normal form of a UID depends on all of it, and no UID is that long."""
    events = events_of((Plain(0x00080018, "UI", b"1." * 100),), [])
    with pytest.raises(LimitExceeded, match="UID of 200 bytes") as caught:
        list(TextGate({}, limit=100, measure=measure).through(events))
    assert caught.value.element == "(0008,0018)"
    (found,) = TextGate({}, limit=200, measure=measure).through(events)
    assert isinstance(found, Element)
    assert found.value == b"1." * 100


@pytest.mark.parametrize("tail", [b"    ", b"more", b"", b"  x "])
def test_text_that_changes_between_the_passes(tail: bytes) -> None:
    """Never another length than the one in front of it."""
    lengths: dict[int, int] = {}
    measured = b"u" * 200 + b"  \0 "
    list(TextGate(lengths, limit=100, measure=True).through(events_of((Plain(0x0040A160, "UT", measured),), [])))
    other = events_of((Plain(0x0040A160, "UT", b"u" * 200 + tail),), [])
    if tail.strip():
        with pytest.raises(FormatError):
            list(TextGate(lengths, limit=100).through(other))
    else:
        assert len(reading.tree(TextGate(lengths, limit=100).through(other))) == 1


def test_collected_text_keeps_its_place() -> None:
    """Offset, tag and VR are those of the start; the value is complete, without header."""
    start, *_ = long_text()
    (found,) = TextGate({}).through(long_text())
    assert isinstance(start, ValueStart)
    assert found == Element(b"u" * 200, start.offset, start.tag, start.vr, 0, CONVERTED)


@given(TEXTS)
def test_normal_and_legacy_text(value: bytes) -> None:
    assert normal_text(value) == builder.normal("UT", value)
    assert normal_text(normal_text(value)) == normal_text(value)
    assert len(legacy_text(value)) % 2 == 0
    assert legacy_text(value).rstrip(b" ") == (value + b"\0" * (len(value) & 1)).rstrip(b" ")
    if not len(value) & 1 and b"\0" not in value:
        assert legacy_text(value) == normal_text(value)


@given(st.builds(b"".join, st.lists(st.sampled_from((b"1", b".", b" ", b"\0", b"\t\n\v\f\r", b"22")), max_size=12)))
def test_normal_uid(value: bytes) -> None:
    assert normal_uid(value) == builder.normal("UI", value)
    assert normal_uid(normal_uid(value)) == normal_uid(value)
