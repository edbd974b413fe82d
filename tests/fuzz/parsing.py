"""Any bytes through the parser, the ordered reader and the encoder."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import product

from dcmsign.codec.dicom.details import expanded, single_fragments
from dcmsign.codec.dicom.encoder import DatasetEncoder, LengthTable, form_of
from dcmsign.codec.dicom.events import (
    BIG,
    EXPLICIT,
    IMPLICIT,
    Anomaly,
    DatasetStart,
    Element,
    End,
    Event,
    FragmentsStart,
    PlainItem,
    SequenceStart,
    ValueChunk,
    ValueStart,
    WholeFragments,
)
from dcmsign.codec.dicom.options import Limits, ReadOptions
from dcmsign.codec.dicom.ordered import OrderedReader, read_events
from dcmsign.codec.dicom.parser import Parser
from dcmsign.codec.dicom.syntaxes import SYNTAXES
from dcmsign.codec.dicom.texts import TextGate
from dcmsign.codec.errors import FormatError, LimitExceeded, PlanMismatch

from tests.codec import builder, reading, signing

CHOICES = 3
"""Bytes in front of an object: how it is read, within what limits, how it is cut."""

_JPEG = "1.2.840.10008.1.2.4.50"
OPTIONS = (
    ReadOptions(),
    ReadOptions(convert_un=True),
    ReadOptions(detect_syntax=True),
    ReadOptions("file"),
    ReadOptions("dataset"),
    ReadOptions("dataset", convert_un=True, detect_syntax=True),
    *(ReadOptions(syntax=uid) for uid in (*builder.UIDS.values(), builder.DEFLATED_UID, _JPEG)),
    *(ReadOptions("dataset", uid) for uid in (*builder.UIDS.values(), _JPEG)),
)
LIMITS = (Limits(), Limits(inline=60), Limits(depth=2, inline=8, meta=100), Limits(inline=400))

STEPS = (1000, 1, 2, 3, 5, 7, 8, 12, 13, 16, 31, 64, 100, 256, 4096)
MOST_BLOCKS = 300
"""How an object is cut."""

LONGEST = 1 << 18
"""Bytes of a data set, inflated, that is looked at in so many ways."""

Outcome = tuple[list[Event], str | None]
"""The events of an input and the error they end with."""


def split(data: bytes) -> tuple[ReadOptions, Limits, int, bytes]:
    """The choices at the beginning of an input, and the object."""
    how, limits, cuts = data[:CHOICES].ljust(CHOICES, b"\0")
    return OPTIONS[how % len(OPTIONS)], LIMITS[limits % len(LIMITS)], cuts, data[CHOICES:]


def blocks(data: bytes, cuts: int) -> Iterable[bytes]:
    """The object in blocks, as a number says."""
    step = max(STEPS[cuts % len(STEPS)], len(data) // MOST_BLOCKS)
    return (data[start : start + step] for start in range(0, len(data), step))


def outcome(parser: Parser, pieces: Iterable[bytes]) -> Outcome:
    """Everything a parser says, plain items and fragments in detail, chunks of a value as one."""
    found: list[Event] = []
    error = None
    size = 0
    try:
        for event in reading.drive(parser, pieces):
            size += len(event.raw)
            if size > LONGEST:
                error = "too long"
                break
            for detail in _details(event):
                _append(found, detail)
    except FormatError as failure:
        error = f"{type(failure).__name__}: {failure}"
        assert failure.offset is not None
    assert len(found) <= 3 * size + 100, "more events than the bytes account for"
    return found, error


def _details(event: Event) -> Iterator[Event]:
    if isinstance(event, PlainItem):
        yield from expanded(event)
    elif isinstance(event, WholeFragments):
        yield from single_fragments(event)
    else:
        yield event


def _append(found: list[Event], event: Event) -> None:
    last = found[-1] if found else None
    if isinstance(event, ValueChunk):
        event = event._replace(raw=bytes(event.raw))
        if isinstance(last, ValueChunk) and not last.last:
            found[-1] = ValueChunk(bytes(last.raw) + bytes(event.raw), last.offset, event.last)
            return
    found.append(event)


def check_parser(data: bytes) -> None:
    """Own errors only; the same events and error however the input is cut and whether plain items are whole; no byte is lost."""
    options, limits, cuts, content = split(data)
    events, error = outcome(Parser(options, limits), (content,))
    if error == "too long":
        return
    inflated = any(isinstance(event, DatasetStart) and SYNTAXES[event.syntax].deflated for event in events)
    if not inflated:
        raw = reading.raw_bytes(events)
        assert content.startswith(raw)
        assert error is not None or raw == content
    assert error is not None or isinstance(events[-1], End)
    for plain, pieces in ((True, (content,)), (False, blocks(content, cuts)), (True, blocks(content, cuts))):
        again = outcome(Parser(options, limits, plain_items=plain), pieces)
        assert again[1] == error, (again[1], error)
        assert again[0] == events, next((pair for pair in zip(again[0], events, strict=False) if pair[0] != pair[1]), None)


def check_ordered(data: bytes) -> None:
    """Whatever can be read forward can be read in order, and that is what sorting gives; surveys find the same headers."""
    options, limits, _, content = split(data)
    parser = Parser(options, limits)
    events, error = outcome(parser, (content,))
    start = next((event for event in events if isinstance(event, DatasetStart)), None)
    if error == "too long" or start is None or SYNTAXES[start.syntax].deflated:
        return
    _check_survey(events, error, content, options, limits)
    syntax = SYNTAXES[start.syntax]
    ordered = OrderedReader(signing.reader(content), options, limits, encapsulated=syntax.encapsulated)
    try:
        found = reading.tree(ordered.events(form_of(syntax), start.offset, None))
    except FormatError as failure:
        assert error == f"{type(failure).__name__}: {failure}"
        return
    assert error is None
    assert found == builder.in_order(reading.tree(reading.content(events)))


def _check_survey(events: list[Event], error: str | None, content: bytes, options: ReadOptions, limits: Limits) -> None:
    heads = (Element, ValueStart, SequenceStart, FragmentsStart)
    found, failed = [], None
    try:
        found += [
            event
            for event in read_events(signing.reader(content), Parser(options, limits), skip=True)
            if isinstance(event, heads)
        ]
    except FormatError as failure:
        failed = f"{type(failure).__name__}: {failure}"
    assert failed == error
    assert failed is not None or found == [event for event in events if isinstance(event, heads)]


def check_encoder(data: bytes) -> None:
    """What can be read can be written in every form, with the size that was measured; and read again, it says the same."""
    options, limits, _, content = split(data)
    events, error = outcome(Parser(options, limits), (content,))
    if error is not None:
        return
    plain = list(reading.drive(Parser(options, limits, plain_items=True), (content,)))
    encapsulated = any(isinstance(event, FragmentsStart) for event in events)
    for form, undefined in product((EXPLICIT,) if encapsulated else (IMPLICIT, EXPLICIT, BIG), (False, True)):
        written = encoded(body(events), form, undefined=undefined)
        assert encoded(body(plain), form, undefined=undefined) == written, "plain items differ"
        if form != IMPLICIT and written is not None:
            again = Parser.for_content(form, 0, encapsulated=False, limits=Limits(1000, limits.inline))
            same = encoded(list(reading.drive(again, (written,))), form, undefined=undefined)
            assert same == written, "not the same when read again"


def body(events: list[Event]) -> list[Event]:
    """The events of the data set."""
    start = next(place for place, event in enumerate(events) if isinstance(event, DatasetStart))
    return [event for event in events[start + 1 :] if not isinstance(event, Anomaly)]


def encoded(events: list[Event], form: int, *, undefined: bool) -> bytes | None:
    """Both passes over the events of a data set; None if a text is too long for them."""
    lengths, texts = LengthTable(), dict[int, int]()
    sizes = []
    out = b""
    for measure in (True, False):
        encoder = DatasetEncoder(form, lengths, undefined=undefined, measure=measure)
        try:
            encoder.feed_all(TextGate(texts, measure=measure, limit=1000).through(events))
        except LimitExceeded:
            return None
        except PlanMismatch as error:
            raise AssertionError("not what was measured") from error
        encoder.finish()
        sizes.append(encoder.size)
        out = b"".join(encoder.take())
    assert sizes == [len(out)] * 2
    return out
