"""Reading an object from any source as events, with a way back to what has passed."""

from __future__ import annotations

import logging
from collections.abc import Iterator

from ..codec.dicom.encoder import form_of
from ..codec.dicom.events import Anomaly, AnomalyCode, DatasetStart, End, Event
from ..codec.dicom.ordered import BLOCK, OrderedReader, Reader, read_events
from ..codec.dicom.parser import Parser, ReadOptions
from ..codec.dicom.syntaxes import TransferSyntax
from ..codec.dicom.tags import text
from ..codec.errors import UnorderedInput
from .io.sources import RandomAccess
from .io.spool import Spool

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


def check_order(event: Anomaly) -> None:
    """Raise UnorderedInput for an anomaly that forward reading cannot cope with."""
    if event.code in _DISORDER:
        raise UnorderedInput(
            "data elements out of ascending order or twice: more than one pass is needed, read it from a file",
            offset=event.offset,
            element=text(event.tag),
        )


def forward_events(source: RandomAccess, options: ReadOptions, warnings: Warnings, *, skip: bool = False) -> Iterator[Event]:
    """The events of an object in file order, which is ascending; raises UnorderedInput where it is not."""
    for event in read_events(source.read_at, Parser(options), skip=skip):
        if type(event) is Anomaly:
            warnings.note(event)
            check_order(event)
        yield event


def open_ordered(source: RandomAccess, options: ReadOptions, warnings: Warnings) -> tuple[Reader, Iterator[Event]]:
    """The events of an object in ascending order, whatever its order in the file, and access to the bytes they stand for."""
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
            head.append(event)
            if type(event) is DatasetStart:
                break
    start = head[-1].offset
    read = _inflated(source, parser, offset, start) if parser.inflating else source.read_at
    return read, _ordered(read, head, start, parser.syntax, options, warnings)


def _inflated(source: RandomAccess, parser: Parser, offset: int, start: int) -> Reader:
    """A deflated data set on disk; only its bytes are wanted, so what they mean does not matter yet."""
    spool = Spool()
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
    return lambda position, size: spool.read_at(position - start, size)


def _ordered(
    read: Reader, head: list[Event], start: int, syntax: TransferSyntax, options: ReadOptions, warnings: Warnings
) -> Iterator[Event]:
    yield from head
    reader = OrderedReader(read, options, encapsulated=syntax.encapsulated, notice=warnings.note)
    yield from reader.events(form_of(syntax), start, None)
    yield End(b"", reader.end)
