"""Reading an object from any source as events, with a way back to what has passed."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import closing

from ..codec.dicom.encoder import form_of
from ..codec.dicom.events import Anomaly, AnomalyCode, DatasetStart, End, Event
from ..codec.dicom.options import ReadOptions
from ..codec.dicom.ordered import BLOCK, HEADERS, OrderedReader, Reader, read_events
from ..codec.dicom.parser import Parser
from ..codec.dicom.syntaxes import TransferSyntax
from ..codec.dicom.tags import text
from ..codec.errors import UnorderedInput
from .io.sources import RandomAccess
from .io.spool import Spool
from .io.threads import check_cancelled, give_way

log = logging.getLogger("dcmsign.stream.input")

_DISORDER = frozenset({AnomalyCode.UNORDERED, AnomalyCode.DUPLICATE})
_LOGGED = 1000


class Warnings:
    """Logs what is unusual about an input, up to a number of lines, each once however often the input is read."""

    def __init__(self) -> None:
        self._seen: set[tuple[int, AnomalyCode]] = set()

    def note(self, event: Anomaly) -> None:
        """Log an anomaly."""
        key = (event.offset, event.code)
        if len(self._seen) < _LOGGED and key not in self._seen:
            self._seen.add(key)
            log.warning(event.code.value.format(text(event.tag)))
            if len(self._seen) == _LOGGED:
                log.warning("further warnings about the input are not shown")


class Cancellable:
    """A source whose reads end when the calling task is cancelled."""

    def __init__(self, source: RandomAccess) -> None:
        self.name = source.name
        self._source = source

    def read_at(self, offset: int, size: int) -> bytes:
        check_cancelled()
        if size <= HEADERS:
            give_way()
        return self._source.read_at(offset, size)

    def close(self) -> None:
        self._source.close()


def check_order(event: Anomaly) -> None:
    """Raise UnorderedInput for an anomaly that forward reading cannot cope with."""
    if event.code in _DISORDER:
        raise UnorderedInput(
            "data elements out of ascending order or twice: more than one pass is needed, read it from a file",
            offset=event.offset,
            element=text(event.tag),
        )


def forward_events(
    source: RandomAccess,
    options: ReadOptions,
    warnings: Warnings,
    *,
    skip: bool = False,
    wanted: Callable[[], bool] | None = None,
    plain_items: bool = False,
) -> Iterator[Event]:
    """The events of an object in file order, which is ascending; raises UnorderedInput where it is not.

    `skip` passes over large values, except where `wanted` says that the one that has begun is needed. `plain_items`: see Parser.
    """
    for event in read_events(source.read_at, Parser(options, plain_items=plain_items), skip=skip, wanted=wanted):
        if type(event) is Anomaly:
            warnings.note(event)
            check_order(event)
        yield event


Observer = Callable[[Event], None]
"""Is shown events in file order."""


def open_ordered(
    source: RandomAccess, options: ReadOptions, warnings: Warnings, observe: Observer | None = None
) -> tuple[Reader, Iterator[Event]]:
    """The events of an object in ascending order, whatever its order in the file, and access to the bytes they stand for.

    `observe` is shown the events in file order, small values whole and others by their beginnings.
    """
    parser = Parser(options)
    head: list[Event] = []
    offset = 0
    while parser.syntax is None:
        block = source.read_at(offset, BLOCK)
        offset += len(block)
        if not block:
            parser.close()
        parser.feed(block)
        for event in parser.events():
            if type(event) is Anomaly:
                warnings.note(event)
            if observe is not None:
                observe(event)
            head.append(event)
            if type(event) is DatasetStart:
                break
    start, syntax = head[-1].offset, parser.syntax
    if not parser.inflating:
        return source.read_at, _ordered(source.read_at, head, start, syntax, options, warnings, observe)
    spool = Spool()

    def read(position: int, size: int) -> bytes:
        return spool.read_at(position - start, size)

    def events() -> Iterator[Event]:
        with closing(spool):
            end = _inflate(source, parser, offset, spool)
            if observe is not None:
                observe(end)
            yield from _ordered(read, head, start, syntax, options, warnings, observe)

    return read, events()


def _inflate(source: RandomAccess, parser: Parser, offset: int, spool: Spool) -> Event:
    """Put a deflated data set on disk; only its bytes are wanted, so what they mean does not matter yet. Returns its end."""
    while True:
        for event in parser.events():
            spool.write(event.raw)
        block = source.read_at(offset, BLOCK)
        if not block:
            break
        offset += len(block)
        parser.feed(block)
    parser.close()
    for event in parser.events():
        spool.write(event.raw)
    return event


def _ordered(
    read: Reader,
    head: list[Event],
    start: int,
    syntax: TransferSyntax,
    options: ReadOptions,
    warnings: Warnings,
    observe: Observer | None,
) -> Iterator[Event]:
    yield from head
    reader = OrderedReader(read, options, encapsulated=syntax.encapsulated, notice=warnings.note, observe=observe)
    yield from reader.events(form_of(syntax), start, None)
    yield End(b"", reader.end)
