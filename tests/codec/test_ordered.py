"""Data sets that are not sorted: random access gives the events that sorting in memory gives."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from dcmsign.codec.dicom.encoder import form_of
from dcmsign.codec.dicom.events import Anomaly, AnomalyCode, Element, End, Event, SequenceStart, ValueStart
from dcmsign.codec.dicom.options import Limits, ReadOptions
from dcmsign.codec.dicom.ordered import BLOCK, HEADERS, OrderedReader, read_events
from dcmsign.codec.dicom.parser import Parser
from dcmsign.codec.dicom.syntaxes import SYNTAXES
from dcmsign.codec.errors import LimitExceeded
from hypothesis import given
from hypothesis import strategies as st

from tests.codec import builder, reading, signing, strategies
from tests.codec.builder import Item, Nodes, Plain, Sequence

FORMS = st.sampled_from(builder.FORMS)


def ordered(
    data: bytes,
    form: str,
    *,
    options: ReadOptions | None = None,
    limits: Limits | None = None,
    notices: list[Anomaly] | None = None,
) -> Iterator[Event]:
    """The data elements of bare content in canonical order."""
    reader = OrderedReader(
        signing.reader(data),
        options or ReadOptions(),
        limits or Limits(),
        notice=None if notices is None else notices.append,
    )
    return reader.events(form_of(SYNTAXES[builder.UIDS[form]]), 0, None)


def parsed(data: bytes, form: str, options: ReadOptions | None = None) -> builder.Nodes:
    """The tree in file order."""
    parser = Parser.for_content(form_of(SYNTAXES[builder.UIDS[form]]), 0, options=options or ReadOptions())
    return reading.tree(reading.drive(parser, (data,)))


@st.composite
def disordered(draw: st.DrawFn) -> tuple[Nodes, str]:
    form = draw(FORMS)
    return draw(strategies.shuffled(draw(strategies.nodes(explicit_only=form != builder.IMPLICIT)))), form


@given(disordered(), st.sampled_from((16, 16384)))
def test_same_as_sorting_in_memory(case: tuple[Nodes, str], inline: int) -> None:
    tree, form = case
    data = builder.encode(tree, form)
    assert reading.tree(ordered(data, form, limits=Limits(inline=inline))) == builder.in_order(parsed(data, form))


@given(disordered())
def test_nothing_changes_for_sorted_input(case: tuple[Nodes, str]) -> None:
    tree, form = builder.in_order(case[0]), case[1]
    data = builder.encode(tree, form)
    parser = Parser.for_content(form_of(SYNTAXES[builder.UIDS[form]]), 0)
    plain = [event for event in reading.drive(parser, (data,)) if not isinstance(event, (Anomaly, End))]
    assert reading.merged(ordered(data, form)) == reading.merged(plain)


@given(disordered())
def test_events_are_those_of_the_sorted_file(case: tuple[Nodes, str]) -> None:
    """Not only the tree: raw bytes and kinds of events are the same, offsets are those of the file."""
    tree, form = case
    data = builder.encode(tree, form)
    events = reading.merged(ordered(data, form))
    for event in events:
        raw = bytes(event.raw)
        assert data[event.offset : event.offset + len(raw)] == raw
    if form == builder.IMPLICIT:
        return  # VRs depend on the order in the file
    again = builder.encode(builder.in_order(tree), form)
    sorted_events = reading.merged(ordered(again, form))
    assert [event._replace(offset=0) for event in events if not lengths_differ(event)] == [
        event._replace(offset=0) for event in sorted_events if not lengths_differ(event)
    ]


def lengths_differ(event: Event) -> bool:
    """Duplicates inside make sequences and items longer."""
    return type(event).__name__ in ("SequenceStart", "ItemStart")


@given(disordered())
def test_anomalies_of_the_main_data_set_are_reported_once(case: tuple[Nodes, str]) -> None:
    tree, form = case
    data = builder.encode(tree, form)
    notices: list[Anomaly] = []
    list(ordered(data, form, notices=notices))
    parser = Parser.for_content(form_of(SYNTAXES[builder.UIDS[form]]), 0)
    assert notices == [event for event in reading.drive(parser, (data,)) if isinstance(event, Anomaly)]


def test_first_of_equal_tags_wins() -> None:
    one, two = Plain(0x00100010, "PN", b"ONE "), Plain(0x00100010, "PN", b"TWO ")
    early, late = Plain(0x00080005, "CS", b"A "), Sequence(0x00081140, (Item((two, one)),))
    data = builder.encode((one, two, late, early, late, two), "explicit")
    assert reading.tree(ordered(data, "explicit")) == (early, Sequence(0x00081140, (Item((two,)),)), one)


def test_vrs_are_those_of_the_order_in_the_file() -> None:
    """Pixel Representation decides about what follows it in the file."""
    signed, value = Plain(0x00280103, "US", b"\1\0"), Plain(0x00280106, "US", b"\xff\xff")
    for nodes, vr in (((value, signed), "US"), ((signed, value, Plain(0x00080005, "CS", b"A ")), "SS")):
        found = reading.tree(ordered(builder.encode(nodes, "implicit"), "implicit"))
        assert [node.vr for node in found if node.tag == 0x00280106] == [vr]  # type: ignore[union-attr]


KNOWN_CREATOR = Plain(0x20050010, "LO", b"Philips MR Imaging DD 001 ")
PRIVATE_VALUE = Plain(0x200510B0, "FL", b"\0\0\x80?")
LATE = Plain(0x00080005, "CS", b"A ")


def test_private_elements_keep_the_vr_of_their_creator() -> None:
    data = builder.encode((KNOWN_CREATOR, PRIVATE_VALUE, LATE), "implicit")
    assert reading.tree(ordered(data, "implicit")) == (LATE, KNOWN_CREATOR, PRIVATE_VALUE)


def test_private_sequences_of_known_creators_stay_sequences() -> None:
    """In implicit VR, a defined length tells nothing; the creator in front does."""
    creator = KNOWN_CREATOR
    sequence = Sequence(0x20051083, (Item((Plain(0x00081155, "UI", b"1.2\0"), LATE)), Item(())))
    straight = builder.encode((creator, sequence), "implicit")
    assert parsed(straight, "implicit") == (creator, sequence), "the private dictionary knows this sequence"
    mixed = builder.encode((creator, sequence, LATE), "implicit")
    inner = Sequence(0x20051083, (Item((LATE, Plain(0x00081155, "UI", b"1.2\0"))), Item(())))
    assert reading.tree(ordered(mixed, "implicit")) == (LATE, creator, inner)
    events = [event for event in ordered(mixed, "implicit") if isinstance(event, SequenceStart)]
    assert [event.tag for event in events] == [0x20051083]


@pytest.mark.parametrize("inline", [2, 16384])
def test_converted_un_of_known_creators(inline: int) -> None:
    """With `convert_un`, form and VR of a private element come from the creator in front of it."""
    options = ReadOptions(convert_un=True)
    written = PRIVATE_VALUE._replace(vr="UN")
    straight = builder.encode((KNOWN_CREATOR, written), "explicit")
    mixed = builder.encode((KNOWN_CREATOR, written, LATE), "explicit")
    assert parsed(straight, "explicit", options) == (KNOWN_CREATOR, PRIVATE_VALUE)
    assert reading.tree(ordered(mixed, "explicit", options=options)) == (LATE, KNOWN_CREATOR, PRIVATE_VALUE)
    parser = Parser.for_content(form_of(SYNTAXES[builder.UIDS["explicit"]]), 0, options=options, limits=Limits(inline=inline))
    forms = {event.tag: event.form for event in reading.drive(parser, (straight,)) if isinstance(event, Element | ValueStart)}
    events = ordered(mixed, "explicit", options=options, limits=Limits(inline=inline))
    assert {event.tag: event.form for event in events if isinstance(event, Element | ValueStart)}[PRIVATE_VALUE.tag] == forms[
        PRIVATE_VALUE.tag
    ]


def test_too_many_elements_to_sort() -> None:
    data = builder.encode(tuple(Plain(0x00090000 + n, "LO", b"") for n in (30, 20, 10)), "explicit")
    reader = OrderedReader(signing.reader(data), limits=Limits(elements=2))
    with pytest.raises(LimitExceeded, match="more than 2 data elements") as caught:
        list(reader.events(1, 0, None))
    assert caught.value.offset == 16


def test_large_values_are_skipped_while_scanning() -> None:
    """The scan reads headers, the second pass what is wanted, each byte about once."""
    large = Plain(0x7FE00010, "OW", bytes(5 * BLOCK))
    data = builder.encode((large, LATE), "explicit")
    read: list[int] = []

    def count(offset: int, size: int) -> bytes:
        read.append(len(data[offset : offset + size]))
        return data[offset : offset + size]

    events = OrderedReader(count).events(1, 0, None)
    first = next(events)
    assert isinstance(first, Element)
    assert first.tag == LATE.tag
    assert sum(read) <= 3 * BLOCK
    assert reading.tree([first, *events]) == (LATE, large)


def test_reading_with_skips_gives_the_same_elements() -> None:
    tree: Nodes = (Plain(0x00420011, "OB", bytes(3 * BLOCK + 1)), Plain(0x7FE00010, "OW", bytes(BLOCK)))
    data = builder.file(tree, "explicit")
    reader = signing.reader(data)
    for skip in (False, True):
        events = list(read_events(reader, Parser(), skip=skip))
        starts = [(event.tag, event.length) for event in events if isinstance(event, ValueStart)]
        assert starts == [(node.tag, len(node.value)) for node in tree if isinstance(node, Plain)]
        assert isinstance(events[-1], End)
        assert events[-1].offset == len(data)


class Recorder:
    """Access to a sparse input, zeros but for some pieces; remembers what was read."""

    def __init__(self, size: int, pieces: dict[int, bytes]) -> None:
        self._size = size
        self._pieces = pieces
        self.reads: list[tuple[int, int]] = []

    def __call__(self, offset: int, size: int) -> bytes:
        data = bytearray(max(min(size, self._size - offset), 0))
        for start, piece in self._pieces.items():
            begin, end = max(start, offset), min(start + len(piece), offset + len(data))
            if begin < end:
                data[begin - offset : end - offset] = piece[begin - start : end - start]
        self.reads.append((offset, len(data)))
        return bytes(data)

    @property
    def sizes(self) -> list[int]:
        return [size for _, size in self.reads]


def sparse(lengths: tuple[int, ...], end: bytes = b"") -> tuple[Recorder, list[int]]:
    """A file with large binary values of zeros, and the offsets of these values."""
    place = len(builder.meta(builder.UIDS["explicit"]))
    pieces, offsets = {0: builder.meta(builder.UIDS["explicit"])}, []
    for number, length in enumerate(lengths):
        pieces[place] = builder.header("explicit", 0x00420011 + (number << 16), "OB", length)
        offsets.append(place + 12)
        place += 12 + length
    pieces[place] = end
    return Recorder(place + len(end), pieces), offsets


def surveyed(recorder: Recorder, *, wanted: bool = False) -> list[int]:
    """The lengths of the large values, found without reading them unless they are wanted."""
    events = list(read_events(recorder, Parser(), skip=True, wanted=lambda: wanted))
    assert isinstance(events[-1], End)
    return [event.length for event in events if isinstance(event, ValueStart)]


def test_a_survey_reads_the_ends_of_large_values_only() -> None:
    """A gibibyte costs as many reads as some hundred kibibytes."""
    lengths = (200_000, 1 << 30, 0xFFFFFFF0, 1 << 20)
    recorder, offsets = sparse(lengths, builder.encode((LATE._replace(tag=0x7FE10010),), "explicit"))
    assert surveyed(recorder) == list(lengths)
    ends = [offset + length - 1 for offset, length in zip(offsets, lengths, strict=True)]
    last = recorder.reads[-2]
    assert [offset for offset, _ in recorder.reads] == [0, *ends, sum(last)]
    assert recorder.sizes == [HEADERS, *[HEADERS] * 3, last[1], 0]
    assert last[1] < HEADERS


def test_a_survey_reads_in_growing_blocks() -> None:
    """Where there is nothing to pass over, short reads would keep other threads from running."""
    elements = b"".join(builder.encode((Plain(0x00090000 + n, "OB", bytes(1000)),), "explicit") for n in range(0x10, 0x2000))
    data = builder.meta(builder.UIDS["explicit"]) + elements
    recorder = Recorder(len(data), {0: data})
    assert surveyed(recorder) == []
    growing = [HEADERS << n for n in range((BLOCK // HEADERS).bit_length())]
    assert recorder.sizes[: len(growing)] == growing
    assert set(recorder.sizes[len(growing) : -2]) == {BLOCK}
    assert sum(recorder.sizes) == len(data)


def test_a_survey_starts_small_again_behind_a_value() -> None:
    """What has been passed over tells that headers are far from each other."""
    few = b"".join(builder.encode((Plain(0x00090000 + n, "OB", bytes(1000)),), "explicit") for n in range(0x10, 0x200))
    head = builder.meta(builder.UIDS["explicit"]) + few
    value = builder.header("explicit", 0x00420011, "OB", 1 << 30)
    behind = head + value
    more = b"".join(builder.encode((Plain(0x00430000 + n, "OB", bytes(1000)),), "explicit") for n in range(0x10, 0x200))
    recorder = Recorder(len(behind) + (1 << 30) + len(more), {0: behind, len(behind) + (1 << 30): more})
    assert surveyed(recorder) == [1 << 30]
    back = recorder.reads.index((len(behind) + (1 << 30) - 1, HEADERS))
    assert recorder.sizes[:back] == [HEADERS, 2 * HEADERS, 4 * HEADERS, 8 * HEADERS][:back]
    assert recorder.sizes[back : back + 3] == [HEADERS, 2 * HEADERS, 4 * HEADERS]


def test_a_wanted_value_is_read_in_growing_blocks() -> None:
    recorder, _ = sparse((10 * BLOCK,))
    assert surveyed(recorder, wanted=True) == [10 * BLOCK]
    assert recorder.sizes[:6] == [HEADERS, 2 * HEADERS, 4 * HEADERS, 8 * HEADERS, BLOCK, BLOCK]
    assert sum(recorder.sizes) == recorder.reads[-1][0]


def test_a_short_rest_is_read() -> None:
    """A read that goes on is cheaper than one somewhere else."""
    recorder, _ = sparse((2 * HEADERS - 1000,))
    assert surveyed(recorder) == [2 * HEADERS - 1000]
    assert sum(recorder.sizes) == recorder.reads[-1][0]


def test_nested_disorder_is_found_in_nested_items() -> None:
    inner = Sequence(0x0040A730, (Item((Plain(0x00100020, "LO", b"B "), LATE)),))
    middle = Sequence(0x0040A730, (Item((inner,)), Item((inner, LATE), True)), True)
    data = builder.encode((middle,), "explicit")
    events = list(reading.drive(Parser.for_content(1, 0), (data,)))
    assert {event.code for event in events if isinstance(event, Anomaly)} == {AnomalyCode.UNORDERED}
    assert reading.tree(ordered(data, "explicit")) == builder.in_order(parsed(data, "explicit"))
