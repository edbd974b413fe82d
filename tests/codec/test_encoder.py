"""The encoder: what is written says the same as what was read, in every form, with right lengths."""

from __future__ import annotations

import subprocess
import warnings
from collections.abc import Iterable
from io import BytesIO
from mmap import MAP_ANONYMOUS, MAP_PRIVATE, PROT_READ, mmap
from pathlib import Path

import pytest
from dcmsign.codec.dicom.encoder import DatasetEncoder, LengthTable, form_of
from dcmsign.codec.dicom.events import (
    BIG,
    EXPLICIT,
    IMPLICIT,
    UNDEFINED,
    Element,
    Event,
    FragmentsStart,
    FragmentStart,
    ItemEnd,
    ItemStart,
    SequenceEnd,
    SequenceStart,
    ValueChunk,
    ValueStart,
)
from dcmsign.codec.dicom.options import Limits
from dcmsign.codec.dicom.parser import Parser
from dcmsign.codec.dicom.syntaxes import SYNTAXES
from dcmsign.codec.dicom.texts import TextGate
from dcmsign.codec.errors import FormatError, LimitExceeded, PlanMismatch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from pydicom import dcmread

from tests.codec import builder, reading, strategies
from tests.codec.builder import Item, Nodes, Plain, Sequence
from tests.codec.test_parser_files import compare
from tests.peers import require_peer

CODES = {builder.IMPLICIT: IMPLICIT, builder.EXPLICIT: EXPLICIT, builder.BIG: BIG}
FORMS = st.sampled_from(builder.FORMS)


def encode(events: Iterable[Event], form: str, *, undefined: bool = False) -> bytes:
    """Both passes over the events of a data set."""
    found = list(events)
    lengths = LengthTable()
    texts: dict[int, int] = {}
    sizes = []
    for measure in (True, False):
        encoder = DatasetEncoder(CODES[form], lengths, undefined=undefined, measure=measure)
        encoder.feed_all(TextGate(texts, measure=measure, limit=1000).through(found))
        encoder.finish()
        sizes.append(encoder.size)
        out = b"".join(encoder.take())
        if measure:
            assert out == b""
    assert sizes == [len(out)] * 2
    return out


def head(form: str, encapsulated: bool = False) -> bytes:
    return builder.meta(builder.JPEG_UID if encapsulated and form == builder.EXPLICIT else builder.UIDS[form])


def parse(data: bytes, form: str, *, encapsulated: bool = False, inline: int = 16384, step: int = 1 << 20) -> list[Event]:
    whole = head(form, encapsulated) + data
    blocks = reading.cut(whole, range(0, len(whole), step))
    return reading.content(reading.drive(Parser(limits=Limits(inline=inline)), blocks))


def check_group_lengths(events: Iterable[Event]) -> int:
    """Every group length is the number of bytes between it and the next group or the end of its level."""
    levels: list[list[tuple[int, int, int, int | None]]] = [[]]  # tag, start, end of header and value, group length
    checked = end = 0

    def check(level: list[tuple[int, int, int, int | None]], level_end: int) -> int:
        starts = [*(start for _, start, _, _ in level), level_end]
        count = 0
        for number, (tag, _, behind, length) in enumerate(level):
            if length is None:
                continue
            inside = [i for i in range(number + 1, len(level)) if level[i][0] >> 16 == tag >> 16]
            assert length == (starts[inside[-1] + 1] - behind if inside else 0)
            count += 1
        return count

    for event in events:
        if isinstance(event, ItemStart):
            levels.append([])
        elif isinstance(event, ItemEnd):
            checked += check(levels.pop(), event.offset)
        elif isinstance(event, Element | ValueStart | SequenceStart | FragmentsStart):
            length = None
            if isinstance(event, Element) and not event.tag & 0xFFFF:
                length = int.from_bytes(event.value, "big" if event.form == BIG else "little")
            levels[-1].append((event.tag, event.offset, event.offset + len(event.raw), length))
        end = event.offset + len(event.raw)
    return checked + check(levels.pop(), end)


@st.composite
def conversions(draw: st.DrawFn) -> tuple[Nodes, str, str, bool, bool]:
    """A data set, the form it comes in, the one it goes to, whether with undefined lengths, whether encapsulated."""
    source, target, undefined, encapsulated = draw(FORMS), draw(FORMS), draw(st.booleans()), draw(st.booleans())
    # Private sequences of defined length are no sequences any more when they are read as implicit VR.
    private = target != builder.IMPLICIT or undefined
    options = {"private": private, "encapsulated": encapsulated, "explicit_only": source != builder.IMPLICIT}
    return draw(strategies.nodes(**options)), source, target, undefined, encapsulated


def expected(tree: Nodes, source: str, target: str) -> Nodes:
    return builder.as_read(builder.normalised(builder.as_digested(tree, source)), target)


@given(conversions(), st.sampled_from((4, 30, 16384)), st.integers(1, 50))
def test_encoding_keeps_the_content(case: tuple[Nodes, str, str, bool, bool], inline: int, step: int) -> None:
    tree, source, target, undefined, encapsulated = case
    events = parse(builder.encode(tree, source), source, encapsulated=encapsulated, inline=inline, step=step)
    data = encode(events, target, undefined=undefined)
    again = parse(data, target, encapsulated=encapsulated)
    assert builder.zeroed(reading.tree(again)) == expected(tree, source, target)
    check_group_lengths(again)
    for event in again:
        if isinstance(event, SequenceStart | ItemStart):
            assert (event.length == UNDEFINED) is undefined
        if isinstance(event, Element | ValueStart):
            assert event.vr == "OW" or not (len(event.raw) & 1)


@given(conversions())
def test_encoding_the_encoded_is_the_identity(case: tuple[Nodes, str, str, bool, bool]) -> None:
    tree, source, target, undefined, encapsulated = case
    data = encode(parse(builder.encode(tree, source), source, encapsulated=encapsulated), target, undefined=undefined)
    for inline in (16384, 4):
        again = parse(data, target, encapsulated=encapsulated, inline=inline)
        assert encode(again, target, undefined=undefined) == data


@given(conversions())
def test_going_elsewhere_and_back_is_the_identity(case: tuple[Nodes, str, str, bool, bool]) -> None:
    """Explicit forms keep everything; lengths of either form can be made again."""
    tree, source, target, undefined, encapsulated = case
    assume(target != builder.IMPLICIT)
    first = encode(parse(builder.encode(tree, source), source, encapsulated=encapsulated), builder.EXPLICIT)
    there = encode(parse(first, builder.EXPLICIT, encapsulated=encapsulated), target, undefined=undefined)
    back = encode(parse(there, target, encapsulated=encapsulated), builder.EXPLICIT)
    assert back == first


@given(strategies.nodes(private=False, un_sequences=False), FORMS, st.booleans())
def test_written_as_the_builder_writes(tree: Nodes, form: str, undefined: bool) -> None:
    """Without normalisation to do, two independent encoders agree."""
    clean = builder.normalised(tree)
    filled = reading.tree(parse(encode(parse(builder.encode(clean, form), form), form, undefined=undefined), form))
    assert encode(parse(builder.encode(clean, form), form), form, undefined=undefined) == builder.encode(
        filled, form, undefined=undefined
    )


@settings(max_examples=25)
@given(conversions())
def test_dcmdump_accepts_what_is_written(case: tuple[Nodes, str, str, bool, bool]) -> None:
    tree, source, target, undefined, encapsulated = case
    assume(not encapsulated or target == builder.EXPLICIT)
    data = encode(parse(builder.encode(tree, source), source, encapsulated=encapsulated), target, undefined=undefined)
    command = [require_peer("dcmdump"), "-"]
    result = subprocess.run(command, input=head(target, encapsulated) + data, capture_output=True, check=False)
    assert result.returncode == 0, result.stderr
    messages = [line for line in result.stderr.splitlines() if b"multiple of" not in line and b"wrong VR" not in line]
    messages = [line for line in messages if b"Length of element" not in line or b"is odd" not in line]
    assert not [line for line in messages if line.startswith(b"E:")], messages


# ---------------------------------------------------------------------- real files


def convertible(path: Path) -> tuple[list[Event], str, bool] | None:
    """The events of a native file without disorder, its form, whether it is encapsulated."""
    try:
        events = reading.read(path.read_bytes())
    except FormatError:
        return None
    start = next(event for event in events if type(event).__name__ == "DatasetStart")
    syntax = SYNTAXES[start.syntax]  # type: ignore[union-attr]
    form = next(name for name, code in CODES.items() if code == form_of(syntax))
    return reading.content(events), form, syntax.encapsulated


@pytest.mark.parametrize("undefined", [False, True])
def test_real_files_are_written_readably(undefined: bool) -> None:
    """Every small file of pydicom in the explicit and in its own form, read again by pydicom."""
    count = 0
    for path in reading.pydicom_files():
        if path.stat().st_size > 60_000:
            break
        found = convertible(path)
        if found is None:
            continue
        events, form, encapsulated = found
        tree = builder.normalised(reading.tree(events))
        for target in {form, builder.EXPLICIT}:
            data = encode(events, target, undefined=undefined)
            again = parse(data, target, encapsulated=encapsulated)
            assert builder.normalised(reading.tree(again)) == tree or target == builder.IMPLICIT, path.name
            check_group_lengths(again)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                theirs = dcmread(BytesIO(head(target, encapsulated) + data))
                compare(reading.tree(again), theirs, path.name)
        count += 1
    assert count >= 40


# ---------------------------------------------------------------------- single rules


def test_group_lengths_at_every_level() -> None:
    inner = (Plain(0x00080000, "UL", bytes(4)), Plain(0x00081155, "UI", b"1.2"), Plain(0x00100000, "UL", b"junk"))
    tree: Nodes = (
        Plain(0x00080000, "UL", b"\xff\xff\xff\xff"),
        Plain(0x00080005, "CS", b"A"),
        Sequence(0x00081140, (Item(inner), Item(inner, True)), True),
        Plain(0x00100000, "UL", bytes(4)),
        Plain(0x00100010, "PN", b"A^B"),
        Plain(0x7FE00000, "UL", bytes(4)),
        Plain(0x7FE00010, "OW", bytes(20)),
    )
    for source in builder.FORMS:
        for target in builder.FORMS:
            for undefined in (False, True):
                again = parse(encode(parse(builder.encode(tree, source), source), target, undefined=undefined), target)
                assert check_group_lengths(again) == 7
                values = [node.value for node in reading.tree(again) if isinstance(node, Plain) and not node.tag & 0xFFFF]
                assert values[1:] == [b"\x0c\0\0\0", (20 + (8 if target == builder.IMPLICIT else 12)).to_bytes(4, "little")]


def test_un_sequence_becomes_a_sequence() -> None:
    """Its content, implicit VR, is written in the form of the rest (PS3.5 6.2.2, CP-246)."""
    content = Item((Plain(0x00081155, "UI", b"1.2\0"), Plain(0x00280010, "US", b"\1\0")))
    tree: Nodes = (Sequence(0x00081140, (content,), un=True),)
    for form in (builder.EXPLICIT, builder.BIG):
        data = encode(parse(builder.encode(tree, form), form), form)
        assert data == builder.encode((Sequence(0x00081140, (content,)),), form)


@pytest.mark.parametrize(
    ("vr", "value", "written"),
    [
        ("OB", b"\1", b"\1\0"),
        ("OW", b"\1\2\3", b"\1\2\3"),
        ("UN", b"\1", b"\1\0"),
        ("US", b"\1", b"\1\0"),
        ("LO", b"A", b"A "),
        ("LO", b"A \0 ", b"A "),
        ("LO", b"\0\0", b""),
        ("UI", b"1.2 \0", b"1.2\0"),
        ("UI", b" 1 . 2 ", b"1.2\0"),
        ("UI", b"1.22\0\0", b"1.22"),
    ],
)
@pytest.mark.parametrize("inline", [0, 16384])
def test_values_in_normal_form(vr: str, value: bytes, written: bytes, inline: int) -> None:
    data = encode(parse(builder.encode((Plain(0x00091001, vr, value),), "explicit"), "explicit", inline=inline), "explicit")
    assert data == builder.encode((Plain(0x00091001, vr, written),), "explicit")


def test_long_values_of_short_vrs() -> None:
    """From implicit to explicit VR they become UN (PS3.5 6.2.2)."""
    tree: Nodes = (Plain(0x00100020, "LO", b"x" * 65536), Plain(0x00104000, "LT", b"y" * 65534 + b"  "))
    data = encode(parse(builder.encode(tree, "implicit"), "implicit"), "explicit")
    assert data == builder.encode((tree[0]._replace(vr="UN"), Plain(0x00104000, "LT", b"y" * 65534)), "explicit")  # type: ignore[call-arg]


def test_reserved_bytes_become_zero() -> None:
    element = bytes.fromhex("4200 1100 4f42 0102 02000000 4142")
    assert encode(parse(element, "explicit"), "explicit") == element.replace(b"OB\1\2", b"OB\0\0")


# ---------------------------------------------------------------------- the table of lengths


def test_table_has_a_limit() -> None:
    table = LengthTable(limit=3)
    places = [table.reserve() for _ in range(3)]
    with pytest.raises(LimitExceeded, match="more than 3 sequences"):
        table.reserve()
    for place in reversed(places):
        table.fill(place, place * 10)
    assert [table.take() for _ in range(3)] == [0, 10, 20]
    assert table.used_up


GIB2 = mmap(-1, 1 << 31, flags=MAP_PRIVATE | MAP_ANONYMOUS, prot=PROT_READ)
"""2 GiB that nobody reads, so they take no memory."""


def huge(parts: int) -> list[Event]:
    """A sequence with values of `parts` times 2 GiB."""
    events: list[Event] = [
        SequenceStart(b"", 0, 0x00081140, "SQ", UNDEFINED, EXPLICIT),
        ItemStart(b"", 0, 0, UNDEFINED, EXPLICIT),
    ]
    for number in range(parts):
        events.append(ValueStart(b"", 0, 0x00091001 + number, "OB", 1 << 31, EXPLICIT))
        events.append(ValueChunk(memoryview(GIB2), 0, True))
    return [*events, ItemEnd(b"", 0), SequenceEnd(b"", 0)]


@pytest.mark.parametrize("parts", [1, 2])
def test_what_is_too_long_for_a_length_field_gets_a_delimiter(parts: int) -> None:
    lengths = LengthTable()
    measuring = DatasetEncoder(EXPLICIT, lengths, measure=True)
    measuring.feed_all(huge(parts))
    measuring.finish()
    writing = DatasetEncoder(EXPLICIT, lengths)
    writing.feed_all(huge(parts))
    pieces = writing.take()
    out = b"".join(piece for piece in pieces if len(piece) < 100)
    fits = parts == 1
    assert measuring.size == sum(map(len, pieces)) == len(out) + parts * (1 << 31)
    assert int.from_bytes(out[8:12], "little") == (8 + 12 + (1 << 31) if fits else UNDEFINED)
    assert int.from_bytes(out[16:20], "little") == (12 + (1 << 31) if fits else UNDEFINED)
    assert out.endswith(builder.delimiter("explicit", 0xE00D) + builder.delimiter("explicit", 0xE0DD)) is not fits


def test_group_length_that_does_not_fit() -> None:
    """No exception: a group longer than 4 GiB has the largest length that can be written."""
    group: list[Event] = [Element(bytes(12), 0, 0x00090000, "UL", 8, EXPLICIT), *huge(2)[2:-2]]
    lengths = LengthTable()
    for measure in (True, False):
        encoder = DatasetEncoder(EXPLICIT, lengths, measure=measure, group_extra={9: 100})
        encoder.feed_all(group)
        encoder.finish()
    assert bytes(encoder.take()[0][:12]) == bytes.fromhex("0900 0000 554c 0400 ffffffff")


def test_second_pass_has_to_be_the_first_one() -> None:
    """Other events than those measured are noticed, where the lengths in front are wrong or too few."""
    measured = parse(
        builder.encode((Sequence(0x00081140, (Item((Plain(0x00100010, "PN", b"A^B "),)),)),), "explicit"), "explicit"
    )
    longer = [event._replace(raw=event.raw + b"CD") if isinstance(event, Element) else event for event in measured]
    twice = [*measured[:-1], *measured[1:]]
    for other in (longer, twice, [*measured, *measured]):
        lengths = LengthTable()
        first = DatasetEncoder(EXPLICIT, lengths, measure=True)
        first.feed_all(measured)
        first.finish()
        second = DatasetEncoder(EXPLICIT, lengths)
        with pytest.raises(PlanMismatch):
            second.feed_all(other)


def test_group_extra_counts_for_the_main_data_set_only() -> None:
    inner = Item((Plain(0x00080000, "UL", bytes(4)),))
    tree: Nodes = (Plain(0x00080000, "UL", bytes(4)), Sequence(0x00081140, (inner,)))
    lengths = LengthTable()
    for measure in (True, False):
        encoder = DatasetEncoder(EXPLICIT, lengths, measure=measure, group_extra={8: 1000})
        encoder.feed_all(parse(builder.encode(tree, "explicit"), "explicit"))
        encoder.finish()
    found = reading.tree(parse(b"".join(encoder.take()), "explicit"))
    assert found[0] == Plain(0x00080000, "UL", (1000 + 12 + 8 + 12).to_bytes(4, "little"))
    assert found[1] == Sequence(0x00081140, (inner,))


def test_large_pieces_are_passed_on_uncopied() -> None:
    block = builder.encode((Plain(0x7FE00010, "OW", bytes(50_000)),), "explicit")
    encoder = DatasetEncoder(EXPLICIT, LengthTable())
    encoder.feed_all(reading.drive(Parser.for_content(EXPLICIT, 0), (block,)))
    pieces = encoder.take()
    assert b"".join(pieces) == block
    assert any(isinstance(piece, memoryview) and len(piece) == 50_000 for piece in pieces)


def test_fragments_are_completed() -> None:
    tree: Nodes = (builder.Pixels(0x7FE00010, (b"", b"123", b"4"), "OW"),)
    data = encode(parse(builder.encode(tree, "explicit"), "explicit", encapsulated=True), "explicit")
    assert data == builder.encode((builder.Pixels(0x7FE00010, (b"", b"123\0", b"4\0")),), "explicit")
    assert isinstance(parse(data, "explicit", encapsulated=True)[1], FragmentStart)
