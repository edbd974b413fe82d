"""Ways to run the parser, and what its events say as a tree."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

from dcmsign.codec.dicom.events import (
    BIG,
    Anomaly,
    Element,
    End,
    Event,
    FragmentsEnd,
    FragmentsStart,
    FragmentStart,
    ItemEnd,
    ItemStart,
    SequenceEnd,
    SequenceStart,
    ValueChunk,
    ValueStart,
)
from dcmsign.codec.dicom.options import DEFAULT_LIMITS, READ_AS_FOUND, Limits, ReadOptions
from dcmsign.codec.dicom.parser import Parser

from tests.codec import builder

STARTS = (SequenceStart, ItemStart, FragmentsStart)
ENDS = (SequenceEnd, ItemEnd, FragmentsEnd)


def drive(parser: Parser, blocks: Iterable[bytes]) -> Iterator[Event]:
    """Feed blocks, close, give all events."""
    for block in blocks:
        parser.feed(block)
        yield from parser.events()
    parser.close()
    yield from parser.events()


def cut(data: bytes, places: Iterable[int]) -> Iterator[bytes]:
    """The data in blocks that end at `places` (taken modulo the size)."""
    start = 0
    for place in sorted({place % (len(data) or 1) for place in places} | {len(data)}):
        yield data[start:place]
        start = place


def single_bytes(data: bytes) -> Iterator[bytes]:
    """The data byte by byte."""
    return (data[i : i + 1] for i in range(len(data)))


def read(
    data: bytes,
    blocks: Iterable[bytes] | None = None,
    *,
    options: ReadOptions = READ_AS_FOUND,
    limits: Limits = DEFAULT_LIMITS,
) -> list[Event]:
    """All events of an input, neighbouring chunks merged."""
    return merged(drive(Parser(options, limits), (data,) if blocks is None else blocks))


def merged(events: Iterable[Event]) -> list[Event]:
    """The events with the chunks of each value as one, holding bytes."""
    result: list[Event] = []
    parts: list[bytes] = []
    start = 0
    for event in events:
        if not isinstance(event, ValueChunk):
            assert not parts, "a value without last chunk"
            result.append(event)
            continue
        start = start if parts else event.offset
        parts.append(bytes(event.raw))
        if event.last:
            result.append(ValueChunk(b"".join(parts), start, True))
            parts = []
    assert not parts
    return result


def raw_bytes(events: Iterable[Event]) -> bytes:
    """All bytes the events stand for."""
    return b"".join(bytes(event.raw) for event in events)


def tree(events: Iterable[Event]) -> builder.Nodes:
    """What the events of a data set, merged or not, say: everything behind DatasetStart."""
    levels: list[list[builder.Node]] = [[]]
    tags: list[int] = []
    items: list[list[builder.Item]] = []
    start: ValueStart | None = None
    fragments: list[bytes] | None = None
    for event in events:
        if isinstance(event, Element):
            levels[-1].append(_plain(event.tag, event.vr, event.value, event.form))
        elif isinstance(event, ValueStart):
            start, parts = event, b""
        elif isinstance(event, ValueChunk):
            if fragments is not None:
                fragments[-1] += bytes(event.raw)
                continue
            assert start is not None
            parts += bytes(event.raw)
            if event.last:
                assert len(parts) == start.length
                levels[-1].append(_plain(start.tag, start.vr, parts, start.form))
                start = None
        elif isinstance(event, SequenceStart):
            tags.append(event.tag)
            items.append([])
        elif isinstance(event, ItemStart):
            assert event.number == len(items[-1])
            levels.append([])
        elif isinstance(event, ItemEnd):
            items[-1].append(builder.Item(tuple(levels.pop())))
        elif isinstance(event, SequenceEnd):
            levels[-1].append(builder.Sequence(tags.pop(), tuple(items.pop())))
        elif isinstance(event, FragmentsStart):
            tags.append(event.tag)
            fragments = []
        elif isinstance(event, FragmentStart):
            assert fragments is not None
            assert event.number == len(fragments)
            fragments.append(b"")
        elif isinstance(event, FragmentsEnd):
            levels[-1].append(builder.Pixels(tags.pop(), tuple(fragments or ())))
            fragments = None
    assert not tags
    return tuple(levels[0])


def _plain(tag: int, vr: str, value: bytes, form: int) -> builder.Plain:
    unit = builder.UNITS.get(vr, 1) if form == BIG else 1
    return builder.Plain(tag, vr, builder.swap(value, unit))


def content(events: Iterable[Event]) -> list[Event]:
    """The events of the data set only, without those that say nothing about its content."""
    found = list(events)
    start = next(i for i, event in enumerate(found) if type(event).__name__ == "DatasetStart")
    return [event for event in found[start + 1 :] if not isinstance(event, (Anomaly, End))]


@cache
def pydicom_files() -> tuple[Path, ...]:
    """The files pydicom ships, smallest first; more of them if pydicom-data is installed."""
    from pydicom.data import get_testdata_files

    paths = {Path(name) for name in get_testdata_files()}
    return tuple(sorted((path for path in paths if path.is_file()), key=lambda path: (path.stat().st_size, path.name)))
