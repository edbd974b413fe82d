"""The laws of the parser: nothing lost, chunking does not matter, starts and ends balance, nothing late, little pending."""

from __future__ import annotations

import random
import zlib
from itertools import pairwise
from pathlib import Path

import pytest
from dcmsign.codec.dicom.events import (
    Anomaly,
    DatasetStart,
    Element,
    End,
    Event,
    FragmentStart,
    ItemStart,
    Preamble,
    SequenceEnd,
    SequenceStart,
    ValueChunk,
    ValueStart,
)
from dcmsign.codec.dicom.options import Limits, ReadOptions
from dcmsign.codec.dicom.parser import PREAMBLE_SIZE, Parser
from dcmsign.codec.errors import FormatError
from hypothesis import given
from hypothesis import strategies as st

from tests.codec import builder, reading, strategies

INLINES = st.sampled_from((0, 3, 16, 16384))
HEADER = 12  # the longest header of a data element


def encode(case: tuple[builder.Nodes, str, bool]) -> tuple[bytes, bytes]:
    """The file of a case, and the same with an inflated data set, which is what the events stand for."""
    tree, form, deflated = case
    plain = builder.file(tree, form)
    if not deflated:
        return plain, plain
    return builder.file(tree, form, deflated=True), builder.meta(builder.DEFLATED_UID) + builder.encode(tree, form)


@given(strategies.encoded(), strategies.CUTS, INLINES)
def test_raw_bytes_are_the_input(case: tuple[builder.Nodes, str, bool], cuts: list[int], inline: int) -> None:
    data, expected = encode(case)
    parser = Parser(limits=Limits(inline=inline))
    end = 0
    joined = b""
    for event in reading.drive(parser, reading.cut(data, cuts)):
        assert event.offset == end
        joined += bytes(event.raw)
        end = event.offset + len(event.raw)
    assert joined == expected
    assert parser.offset == len(expected)


@given(strategies.encoded(), INLINES)
def test_events_say_what_was_encoded(case: tuple[builder.Nodes, str, bool], inline: int) -> None:
    tree, form, _ = case
    events = reading.read(encode(case)[0], limits=Limits(inline=inline))
    assert isinstance(events[0], Preamble)
    assert isinstance(events[-1], End)
    assert reading.tree(reading.content(events)) == builder.as_read(tree, form)
    large = [event for event in events if isinstance(event, ValueStart)]
    small = [event for event in events if isinstance(event, Element)]
    assert all(event.length > inline for event in large)
    assert all(len(event.value) <= inline for event in small if event.tag >> 16 != 2)


@given(strategies.encoded(), strategies.CUTS, INLINES)
def test_chunking_does_not_matter(case: tuple[builder.Nodes, str, bool], cuts: list[int], inline: int) -> None:
    data, _ = encode(case)
    limits = Limits(inline=inline)
    whole = reading.read(data, limits=limits)
    assert reading.read(data, reading.cut(data, cuts), limits=limits) == whole
    assert reading.read(data, reading.single_bytes(data), limits=limits) == whole
    with_empty = [block for byte in reading.single_bytes(data) for block in (b"", byte)]
    assert reading.read(data, with_empty, limits=limits) == whole


def check_balance(events: list[Event]) -> None:
    """Every start has its end, lengths are those of what is inside, items stand in sequences only."""
    stack: list[Event] = []
    for event in events:
        if isinstance(event, reading.STARTS):
            if isinstance(event, ItemStart):
                assert isinstance(stack[-1], SequenceStart)
            stack.append(event)
        elif isinstance(event, reading.ENDS):
            start = stack.pop()
            assert type(start).__name__.removesuffix("Start") == type(event).__name__.removesuffix("End")
            if isinstance(start, (SequenceStart, ItemStart)):
                inside = event.offset - start.offset - len(start.raw)
                assert start.length == (builder.UNDEFINED if event.raw else inside) or start.length == inside + len(event.raw)
        elif isinstance(event, Element | ValueStart):
            assert not stack or isinstance(stack[-1], ItemStart)
        elif isinstance(event, End | DatasetStart | Preamble):
            assert not stack
    assert not stack


@given(strategies.encoded(), INLINES)
def test_starts_and_ends_balance(case: tuple[builder.Nodes, str, bool], inline: int) -> None:
    check_balance(reading.read(encode(case)[0], limits=Limits(inline=inline)))


def check_promptness(data: bytes, limits: Limits, options: ReadOptions) -> None:
    """Feed byte by byte: events come with their last byte, pending bytes stay within the limit."""
    parser = Parser(options, limits)
    bound = max(PREAMBLE_SIZE, limits.inline + HEADER)
    in_dataset = False
    waiting: Anomaly | None = None
    for fed, byte in enumerate(reading.single_bytes(data), 1):
        parser.feed(byte)
        for event in parser.events():
            end = event.offset + len(event.raw)
            if isinstance(event, Anomaly):
                waiting = event
                continue
            if isinstance(event, DatasetStart):
                in_dataset = True
                # What follows the meta group tells that it is over, and sometimes the transfer syntax.
                assert fed - end in {2, 8} or fed == PREAMBLE_SIZE
            elif fed > PREAMBLE_SIZE:
                assert end == fed, event
            if waiting is not None:
                assert event.offset == waiting.offset
            waiting = None
        assert waiting is None or not in_dataset
        pending = fed - parser.offset
        assert pending <= (bound if in_dataset else limits.meta)
    parser.close()
    assert [type(event) for event in parser.events()] in ([End], [DatasetStart, End], [Anomaly, DatasetStart, End])


@given(strategies.encoded(), INLINES)
def test_events_come_with_their_last_byte(case: tuple[builder.Nodes, str, bool], inline: int) -> None:
    tree, form, _ = case
    check_promptness(builder.file(tree, form), Limits(inline=inline), ReadOptions())


@given(strategies.encoded(), INLINES)
def test_events_of_deflated_input_come_with_what_can_be_inflated(case: tuple[builder.Nodes, str, bool], inline: int) -> None:
    tree, _, _ = case
    if any(isinstance(node, builder.Pixels) for node in tree):
        tree = tuple(node for node in tree if not isinstance(node, builder.Pixels))
    head = builder.meta(builder.DEFLATED_UID)
    parser = Parser(limits=Limits(inline=inline))
    parser.feed(head)
    assert list(parser.events())
    inflater = zlib.decompressobj(-15)
    inflated = before = len(head)
    started = False
    for fed, byte in enumerate(reading.single_bytes(builder.deflate(builder.encode(tree, "explicit"))), 1):
        parser.feed(byte)
        before, inflated = inflated, inflated + len(inflater.decompress(byte))
        for event in parser.events():
            if isinstance(event, DatasetStart):
                started = True
            elif started and not isinstance(event, Anomaly) and fed > 8:
                assert before < event.offset + len(event.raw) <= inflated
        assert inflated - parser.offset <= inline + HEADER
    parser.close()
    assert isinstance(list(parser.events())[-1], End)


@given(strategies.encoded(), strategies.CUTS)
def test_views_are_of_the_blocks_fed(case: tuple[builder.Nodes, str, bool], cuts: list[int]) -> None:
    """Chunks are not copied: each lies in one block (deflated data sets have other blocks)."""
    data, _ = encode((case[0], case[1], False))
    places = sorted({0, *(place % len(data) for place in cuts), len(data)})
    for event in reading.drive(Parser(limits=Limits(inline=0)), reading.cut(data, cuts)):
        if isinstance(event, ValueChunk):
            assert isinstance(event.raw, memoryview)
            assert event.raw.readonly
            assert any(low <= event.offset and event.offset + len(event.raw) <= high for low, high in pairwise(places))


@given(strategies.encoded(), st.randoms(use_true_random=False))
def test_skipping_passes_over_parts_of_values(case: tuple[builder.Nodes, str, bool], choice: random.Random) -> None:
    """Skipped bytes change chunks, nothing else; the last byte of a value is always read."""
    tree, form, _ = case
    data = builder.file(tree, form)
    limits = Limits(inline=2)
    expected = [event for event in reading.read(data, limits=limits) if not isinstance(event, ValueChunk)]
    parser = Parser(limits=limits)
    found: list[Event] = []
    position = 0
    while position < len(data):
        size = choice.choice((1, 2, 5, 40, 300))
        parser.feed(data[position : position + size])
        position = min(position + size, len(data))
        found += parser.events()
        assert parser.skippable in (0, parser.remaining)
        if parser.skippable > 1 and choice.random() < 0.7:
            count = choice.randrange(parser.skippable)
            parser.skip(count)
            position += count
        with pytest.raises(ValueError, match="skipped"):
            parser.skip(parser.skippable)
    parser.close()
    found += parser.events()
    assert [event for event in found if not isinstance(event, ValueChunk)] == expected
    assert parser.offset == len(data)
    # Each value still has one last chunk, except those without bytes.
    values = sum(isinstance(event, (ValueStart, FragmentStart)) and event.length > 0 for event in found)
    assert sum(isinstance(event, ValueChunk) and event.last for event in found) == values


@given(strategies.nodes(), st.sampled_from(builder.FORMS), st.integers(0, 1 << 20))
def test_content_of_an_item_can_be_parsed_alone(tree: builder.Nodes, form: str, offset: int) -> None:
    codes = {"implicit": 0, "explicit": 1, "big": 2}
    data = builder.encode(tree, form)
    events = list(reading.drive(Parser.for_content(codes[form], offset), (data,)))
    whole = reading.content(reading.read(builder.meta(builder.UIDS[form]) + data))
    shift = offset - len(builder.meta(builder.UIDS[form]))
    moved = [event._replace(offset=event.offset + shift) for event in whole]
    assert [event for event in events if not isinstance(event, (Anomaly, End))] == moved


# ---------------------------------------------------------------------- real files


def readable(path: Path) -> list[Event] | None:
    """The events of a file, None if it is no well-formed DICOM."""
    try:
        return reading.read(path.read_bytes())
    except FormatError:
        return None


def test_laws_hold_for_real_files() -> None:
    choice = random.Random(1)
    count = 0
    for path in reading.pydicom_files():
        if path.stat().st_size > 1_200_000:
            break
        data = path.read_bytes()
        events = readable(path)
        if events is None:
            continue
        count += 1
        check_balance(events)
        parser = Parser()
        list(reading.drive(parser, (data,)))
        if not parser.inflating:
            assert reading.raw_bytes(events) == data, path.name
        cuts = [choice.randrange(len(data)) for _ in range(30)]
        assert reading.read(data, reading.cut(data, cuts)) == events, path.name
    assert count >= 60


def test_laws_hold_for_real_files_byte_by_byte() -> None:
    budget = 600_000
    limits = Limits(inline=200)
    for path in reading.pydicom_files():
        data = path.read_bytes()
        budget -= len(data)
        if budget < 0:
            break
        if readable(path) is None:
            continue
        assert reading.read(data, reading.single_bytes(data), limits=limits) == reading.read(data, limits=limits), path.name
        parser = Parser()
        list(reading.drive(parser, (data,)))
        if not parser.inflating:
            check_promptness(data, limits, ReadOptions())


def test_sequence_end_of_defined_length_has_no_bytes() -> None:
    tree: builder.Nodes = (builder.Sequence(0x00081140, (builder.Item(()),)),)
    for undefined in (False, True):
        events = reading.content(reading.read(builder.file(tree, "explicit", undefined=undefined)))
        assert [type(event).__name__ for event in events] == ["SequenceStart", "ItemStart", "ItemEnd", "SequenceEnd"]
        assert isinstance(events[-1], SequenceEnd)
        assert [len(event.raw) for event in events] == [12, 8, 8 * undefined, 8 * undefined]


def test_meta_group_above_the_limit_is_refused_however_it_is_fed() -> None:
    large = builder.Plain(0x00020102, "OB", bytes(3000))
    data = builder.meta(builder.UIDS["explicit"], group_length=False) + builder.encode((large,) * 3, "explicit")
    limits = Limits(meta=8000)
    for blocks in ((data,), reading.cut(data, range(0, len(data), 100)), reading.single_bytes(data)):
        with pytest.raises(FormatError, match="meta information too long"):
            reading.read(data, blocks, limits=limits)
    assert reading.read(data, limits=Limits(meta=len(data)))
