"""Plain items, reported as a whole, stand for the events of everything in them: same events, digests, output and errors."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path

import pytest
from dcmsign.codec.dicom.details import expanded, single_fragments
from dcmsign.codec.dicom.encoder import DatasetEncoder, LengthTable
from dcmsign.codec.dicom.events import (
    BIG,
    EXPLICIT,
    IMPLICIT,
    Anomaly,
    AnomalyCode,
    DatasetStart,
    Event,
    PlainItem,
    SequenceEnd,
    SequenceStart,
    WholeFragments,
)
from dcmsign.codec.dicom.options import DEFAULT_LIMITS, READ_AS_FOUND, Limits, ReadOptions
from dcmsign.codec.dicom.parser import Parser
from dcmsign.codec.errors import FormatError
from dcmsign.codec.signature import mac
from dcmsign.codec.signature.finder import SignatureFinder
from dcmsign.codec.signature.mac import Mac
from dcmsign.codec.signature.stream import StreamEncoder
from hypothesis import given
from hypothesis import strategies as st

from tests.codec import builder, reading, signing, strategies
from tests.codec.builder import Item, Nodes, Plain, Sequence
from tests.stream.material import MAC_VECTORS

DISORDER = (AnomalyCode.UNORDERED, AnomalyCode.DUPLICATE)
VECTORS = sorted(path for path in MAC_VECTORS.glob("*.dcm"))
SMALL = Limits(inline=200)
"""With bounds as small as the objects of these tests."""


def read(
    data: bytes,
    blocks: Iterable[bytes] | None = None,
    *,
    options: ReadOptions = READ_AS_FOUND,
    limits: Limits = DEFAULT_LIMITS,
) -> list[Event]:
    """All events of an input, plain items as one, but for the division of fragments, which is that of the blocks."""
    return list(reading.drive(Parser(options, limits, plain_items=True), (data,) if blocks is None else blocks))


def whole(events: Iterable[Event]) -> list[Event]:
    """The events with plain items as they are, but single fragments and merged values."""
    return reading.merged(
        part for event in events for part in (single_fragments(event) if isinstance(event, WholeFragments) else (event,))
    )


def in_detail(events: Iterable[Event]) -> Iterator[Event]:
    for event in events:
        if isinstance(event, PlainItem):
            yield from expanded(event)
        elif isinstance(event, WholeFragments):
            yield from single_fragments(event)
        else:
            yield event


def outcome(data: bytes, blocks: Iterable[bytes], limits: Limits, *, plain_items: bool) -> tuple[list[Event], object]:
    """The events in detail up to the error, and what that says."""
    parser = Parser(READ_AS_FOUND, limits, plain_items=plain_items)
    found: list[Event] = []
    try:
        for event in reading.drive(parser, blocks):
            found += in_detail((event,))
    except FormatError as error:
        return found, (type(error), str(error))
    return found, None


@given(strategies.encoded(), strategies.CUTS, st.sampled_from((SMALL, Limits(inline=60), DEFAULT_LIMITS)))
def test_same_events(case: tuple[Nodes, str, bool], cuts: list[int], limits: Limits) -> None:
    tree, form, deflated = case
    data = builder.file(tree, form, deflated=deflated)
    ordinary = reading.read(data, limits=limits)
    events = read(data, limits=limits)
    assert reading.merged(in_detail(events)) == ordinary
    assert reading.raw_bytes(events) == reading.raw_bytes(ordinary)
    assert whole(read(data, reading.cut(data, cuts), limits=limits)) == whole(events)
    assert whole(read(data, reading.single_bytes(data), limits=limits)) == whole(events)


def numbers(count: int, *, depth: int = 0) -> Nodes:
    """Data elements that are plain in every form, and a nested sequence."""
    plain: list[Plain | Sequence] = [
        Plain(0x00080018, "UI", b"1.2.3\0"),
        Plain(0x00200013, "IS", b"12"),
        Plain(0x0040A160, "UT", b"text"),
        Plain(0x00420011, "OB", bytes(count)),
    ]
    if depth:
        plain.append(Sequence(0x0040A730, (Item(numbers(count, depth=depth - 1), depth % 2 == 0),) * 2, depth % 2 == 1))
    return tuple(sorted(plain, key=lambda node: node.tag))


def functional_groups(items: int, depth: int = 3) -> tuple[Sequence]:
    return (
        Sequence(
            0x52009230, tuple(Item(numbers(2 * (number % 7), depth=depth), number % 2 == 0) for number in range(items)), False
        ),
    )


@pytest.mark.parametrize("form", ["explicit", "implicit"])
def test_plain_items_are_found(form: str) -> None:
    """The tests here would say little if hardly anything were plain."""
    events = read(builder.file(functional_groups(10), form))
    assert sum(isinstance(event, PlainItem) for event in events) == 10
    assert sum(event.elements for event in events if isinstance(event, PlainItem)) == 10 * (4 * 15 + 7)


NEVER_PLAIN = [
    Plain(0x00280010, "US", b"\1"),
    Plain(0x00100010, "PN", b"A  \0"),
    Plain(0x00100010, "PN", b"A\0"),
    Plain(0x00100010, "PN", b"AB\0 "),
    Plain(0x00100010, "PN", b"  "),
    Plain(0x00080018, "UI", b"1.2 "),
    Plain(0x00080018, "UI", b"1.\0\0"),
    Plain(0x0072006D, "UN", b"12"),
    Plain(0x00080000, "UL", bytes(4)),
    Plain(0x00080001, "UL", bytes(4)),
    Plain(0x00200013, "IS", b"12"),  # twice
    Plain(0x7FE00010, "OW", bytes(4)),
    Plain(0xFFFCFFFC, "OB", bytes(4)),
    Sequence(0xFFFAFFFA, (), False),
    Sequence(0x4FFE0001, (), False),
    Sequence(0x04000561, (Item(numbers(2)),), False),
    Sequence(0x0040A730, (Item((Plain(0x0072006D, "UN", b"12"),)),), True),
]
PLAIN_WITH_VR = [Plain(0x00280106, "US", b"\1\0"), Plain(0x00091001, "LO", b"ab")]


def plain_numbers(node: Plain | Sequence, form: str) -> list[int]:
    """Which of two items are plain, the first one being with this data element."""
    kept = (other for other in numbers(2) if other.tag != node.tag or other == node)
    nodes = tuple(sorted((*kept, node), key=lambda other: other.tag))
    data = builder.file((Sequence(0x52009230, (Item(nodes), Item(numbers(2))), False),), form)
    found, depth = [], 0
    for event in read(data):
        depth += isinstance(event, SequenceStart) - isinstance(event, SequenceEnd)
        if depth == 1 and isinstance(event, PlainItem):
            found.append(event.number)
    return found


@pytest.mark.parametrize("form", ["explicit", "implicit"])
@pytest.mark.parametrize("node", NEVER_PLAIN, ids=str)
def test_what_is_not_plain(node: Plain | Sequence, form: str) -> None:
    assert plain_numbers(node, form) == [1]


@pytest.mark.parametrize("node", PLAIN_WITH_VR, ids=str)
def test_what_needs_its_vr(node: Plain) -> None:
    assert plain_numbers(node, "implicit") == [1]
    assert plain_numbers(node, "explicit") == [0, 1]


def test_reserved_bytes() -> None:
    data = builder.file((Sequence(0x52009230, (Item((Plain(0x00420011, "OB", b"12"),)),), False),), "explicit")
    assert any(isinstance(event, PlainItem) for event in read(data))
    changed = data.replace(b"OB\0\0\2\0", b"OB\1\0\2\0")
    assert changed != data
    assert not any(isinstance(event, PlainItem) for event in read(changed))
    assert forms_of(read(changed), EXPLICIT, verifying=True) == forms_of(read(data), EXPLICIT, verifying=True)


@pytest.mark.parametrize("items", [15, 60])
def test_items_that_are_left_out(items: int) -> None:
    """Behind the end of the buffer, whole items are left out: they are counted, the first ones named."""
    inner = Sequence(0x0040A730, tuple(Item(numbers(2)) for _ in range(items)), False)
    data = builder.file((Sequence(0x52009230, (Item((inner, Plain(0x0040DB00, "CS", b"12"))),), False),), "explicit")
    events = read(data, limits=Limits(inline=100))
    assert sum(isinstance(event, PlainItem) for event in events) == items
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mac, "BUFFER_SIZE", 200)
        found = forms_of(events, EXPLICIT, verifying=True)
        assert found == forms_of(reading.read(data), EXPLICIT, verifying=True)
    assert [form[1] for form in found] == [True, False]


def test_nothing_inside_a_sequence_for_signatures_is_passed_over() -> None:
    for tag in (0x4FFE0001, 0xFFFAFFFA, 0x04000561):
        for around in (lambda node: node, lambda node: Sequence(0x0040A730, (Item((node,)),), False)):
            events = read(builder.file((around(Sequence(tag, (Item(numbers(2, depth=2)),), False)),), "explicit"))
            assert not any(isinstance(event, PlainItem) for event in events)


@pytest.mark.parametrize("size", [DEFAULT_LIMITS.inline - 8, DEFAULT_LIMITS.inline - 6])
def test_items_that_are_too_large(size: int) -> None:
    item = Item((Plain(0x00420011, "OB", bytes(size - 12)),))
    events = read(builder.file((Sequence(0x0040A730, (item,), False),), "explicit", undefined=False))
    assert any(isinstance(event, PlainItem) for event in events) == (size == DEFAULT_LIMITS.inline - 8)


def forms_of(events: Iterable[Event], kind: int, *, verifying: bool, incomplete: bool = False) -> list[tuple[object, ...]]:
    """Everything about the digests of a data set."""
    digests = Mac("SHA256", None, verifying=verifying, incomplete=incomplete)
    signing.digest(reading.content(events), digests, kind=kind)
    return [
        (form.digest.digest(), form.complete, form.legacy, form.missing_bytes, form.missing_elements, form.examples)
        for form in digests.forms
    ]


@given(
    strategies.encoded(),
    st.sampled_from((EXPLICIT, IMPLICIT, BIG)),
    st.sampled_from((24, 50, 100, 16384)),
    st.sampled_from(({"verifying": True}, {"verifying": False}, {"verifying": False, "incomplete": True})),
)
def test_same_digests(case: tuple[Nodes, str, bool], kind: int, buffer: int, ways: dict[str, bool]) -> None:
    tree, form, _ = case
    data = builder.file((*tree, *functional_groups(5)) if form in ("explicit", "implicit") else tree, form)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mac, "BUFFER_SIZE", buffer)
        assert forms_of(read(data), kind, **ways) == forms_of(reading.read(data), kind, **ways)


@pytest.mark.parametrize("depth", [1, 2, 3, 5])
@pytest.mark.parametrize("form", ["explicit", "implicit"])
def test_same_digests_where_the_buffer_ends(form: str, depth: int) -> None:
    data = builder.file(functional_groups(30, depth), form)
    events, ordinary = read(data), reading.read(data)
    every = range(150, 650, 2) if depth == 1 else range(0)
    for buffer in (*every, *range(20, 60, 3), *range(60, 3000, 211)):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(mac, "BUFFER_SIZE", buffer)
            assert forms_of(events, EXPLICIT, verifying=True) == forms_of(ordinary, EXPLICIT, verifying=True), buffer


@given(strategies.encoded(), st.sampled_from((EXPLICIT, IMPLICIT, BIG)), st.booleans())
def test_same_output(case: tuple[Nodes, str, bool], form: int, undefined: bool) -> None:
    tree, coding, _ = case
    if form == IMPLICIT and coding != "implicit":
        tree = ()
    data = builder.file((*tree, *functional_groups(5)) if coding in ("explicit", "implicit") else tree, coding)

    def written(events: list[Event]) -> tuple[bytes, int]:
        lengths = LengthTable()
        for measure in (True, False):
            encoder = DatasetEncoder(form, lengths, undefined=undefined, measure=measure)
            encoder.feed_all(reading.content(events))
            encoder.finish()
        assert lengths.used_up
        return b"".join(encoder.take()), encoder.size

    assert written(read(data)) == written(reading.read(data))


@pytest.mark.parametrize("old_format", [False, True])
@pytest.mark.parametrize("nested", [False, True])
def test_fragments(nested: bool, old_format: bool) -> None:
    """Of any length, on top and inside items; with what follows them where DCMTK's buffer ends."""
    rng = random.Random(1)
    pixels = builder.Pixels(0x7FE00010, tuple(rng.randbytes(rng.choice((0, 2, 7, 30, 90, 200))) for _ in range(200)), "OB")
    (groups,) = functional_groups(3)
    behind = groups._replace(tag=0x88880010)
    around = Sequence(0x00880200, (Item((Plain(0x00280010, "US", b"\1\0"), pixels)),), False)
    data = builder.file((around if nested else pixels, behind), "explicit")
    data = data.replace(b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.1.2.5\0")
    ordinary = reading.read(data)
    for cuts in ([], [len(data) // 3, len(data) // 2]):
        events = read(data, reading.cut(data, cuts))
        assert any(isinstance(event, WholeFragments) for event in events)
        for buffer in (*range(10, 90), 16384):
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(mac, "BUFFER_SIZE", buffer)
                found, expected = (digested(seen, old_format) for seen in (events, ordinary))
            assert found == expected


def digested(events: Iterable[Event], old_format: bool) -> list[tuple[bytes, int, int]]:
    found = signing.digest(reading.content(events), Mac("SHA256", None, verifying=True), kind=EXPLICIT, old_format=old_format)
    return [(form.digest.digest(), form.room, form.missing_bytes) for form in found.forms]


def test_other_macs_go_on_at_once() -> None:
    """Of several digests only those that need it get the details."""
    events = list(reading.content(read(builder.file(functional_groups(60), "explicit"))))
    macs = [Mac("SHA256", None, verifying=verifying) for verifying in (True, False)]
    encoder = StreamEncoder(macs)
    for event in events:
        encoder.feed(event)
    for made, verifying in zip(macs, (True, False), strict=True):
        for form in made.forms:
            form.flush()
        alone = signing.digest(events, Mac("SHA256", None, verifying=verifying), kind=EXPLICIT)
        assert [form.digest.digest() for form in made.forms] == [form.digest.digest() for form in alone.forms]


@pytest.mark.parametrize("path", VECTORS, ids=lambda path: path.stem)
def test_vectors(path: Path) -> None:
    data = path.read_bytes()
    ordinary = reading.read(data)
    plain = read(data)
    assert reading.merged(in_detail(plain)) == ordinary
    if any(isinstance(event, Anomaly) and event.code in DISORDER for event in ordinary):
        return
    finders = [SignatureFinder(signing.reader(signing.inflated(data))) for _ in range(2)]
    for finder, events in zip(finders, (ordinary, plain), strict=True):
        for event in events:
            finder.feed(event)
    assert finders[0].found == finders[1].found


@pytest.mark.parametrize("form", ["explicit", "implicit"])
@pytest.mark.parametrize("seed", range(20))
def test_damage(form: str, seed: int) -> None:
    """Whatever is wrong with an item, the error is the same as if nobody had tried."""
    rng = random.Random(seed)
    data = builder.file(functional_groups(2, 2), form)
    start = data.index(b"\0\x52\x30\x92")
    for _ in range(25):
        damaged = bytearray(data)
        for _ in range(rng.choice((1, 1, 2, 5))):
            place = rng.randrange(start, len(damaged))
            damaged[place] = rng.choice((0, 1, 0xFF, 0xFE, 0xE0, 0x20, damaged[place] ^ 1 << rng.randrange(8)))
        if rng.random() < 0.3:
            del damaged[rng.randrange(start, len(damaged)) :]
        blocks = list(reading.cut(bytes(damaged), [rng.randrange(1 << 20) for _ in range(rng.randrange(4))]))
        for limits in (SMALL, DEFAULT_LIMITS, Limits(depth=2)):
            judged = partial(outcome, bytes(damaged), blocks, limits)
            found, ordinary = judged(plain_items=True), judged(plain_items=False)
            assert reading_equal(found, ordinary)


def reading_equal(found: tuple[list[Event], object], ordinary: tuple[list[Event], object]) -> bool:
    """Values in pieces differ in nothing but their number, which may be cut by an error."""
    if found[1] is None:
        return reading.merged(found[0]) == reading.merged(ordinary[0]) and ordinary[1] is None
    return found[1] == ordinary[1] and reading.raw_bytes(found[0]) == reading.raw_bytes(ordinary[0])


def test_the_syntax_is_that_of_the_object() -> None:
    """Big endian items are never plain."""
    data = builder.file(functional_groups(3), "big")
    events = read(data)
    assert isinstance(next(event for event in events if isinstance(event, DatasetStart)), DatasetStart)
    assert not any(isinstance(event, PlainItem) for event in events)
