"""Events of a data set in ascending tag order, first of equal tags only, from input that can be read at any offset.

For the rare data sets that are not sorted (PS3.5 7.1 demands it): each level is walked once to find its data elements, then
read again element by element in canonical order. VRs that depend on context are those of the order in the file.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator

from ..errors import LimitExceeded
from .context import ItemContext, KnownContext
from .events import (
    Anomaly,
    AnomalyCode,
    Element,
    End,
    Event,
    FragmentsEnd,
    FragmentsStart,
    ItemEnd,
    ItemStart,
    SequenceEnd,
    SequenceStart,
    ValueStart,
)
from .options import READ_AS_FOUND, Limits, ReadOptions
from .parser import Parser

Reader = Callable[[int, int], bytes]
"""Bytes of the input: (offset, size) to at most `size` bytes, empty only behind the end."""

BLOCK = 1 << 20
"""Bytes per read where values are wanted."""

HEADERS = 1 << 16
"""Bytes per read where large values are passed over."""

_OPENING = (SequenceStart, ItemStart, FragmentsStart)
_CLOSING = (SequenceEnd, ItemEnd, FragmentsEnd)
_DISORDER = (AnomalyCode.UNORDERED, AnomalyCode.DUPLICATE)


def read_events(
    read: Reader,
    parser: Parser,
    end: int | None = None,
    *,
    skip: bool = False,
    wanted: Callable[[], bool] | None = None,
) -> Iterator[Event]:
    """Drive a parser over the input from its offset up to `end` (None: the end of the input).

    `skip` passes over large values instead of reading them, except where `wanted` says that the one that has begun is needed;
    their chunks then come shortened.
    """
    offset, most = parser.offset, HEADERS if skip else BLOCK
    while end is None or offset < end:
        block = read(offset, most if end is None else min(most, end - offset))
        if not block:
            break
        offset += len(block)
        parser.feed(block)
        yield from parser.events()
        size = parser.skippable - 1  # the last byte is read, to see that it is there
        if skip and size > HEADERS and (end is None or offset + size < end) and not (wanted and wanted()):
            offset += size
            parser.skip(size)
            most = HEADERS
        else:
            most = min(2 * most, BLOCK)  # many short reads would keep other threads from running
    parser.close()
    yield from parser.events()


class _Children:
    """The data elements of one level: tag, place and VR of each, and whether something inside is out of order."""

    def __init__(self) -> None:
        self.tags = array("L")
        self.starts = array("Q")
        self.vrs: list[str] = []
        self.disordered = bytearray()

    def add(self, tag: int, start: int, vr: str) -> None:
        self.tags.append(tag)
        self.starts.append(start)
        self.vrs.append(vr)
        self.disordered.append(0)

    def in_order(self) -> list[int]:
        """Numbers of the children to deliver."""
        numbers = sorted(range(len(self.tags)), key=self.tags.__getitem__)
        return [n for i, n in enumerate(numbers) if i == 0 or self.tags[n] != self.tags[numbers[i - 1]]]


class OrderedReader:
    """Delivers the content of a data set or item in canonical order.

    `read` gives access to the input; `options` are those of the parser, `limits` replaces theirs; `notice` is told
    what is unusual about the input, `observe` gets all events of the main data set in file order.
    """

    def __init__(
        self,
        read: Reader,
        options: ReadOptions = READ_AS_FOUND,
        limits: Limits | None = None,
        *,
        encapsulated: bool = False,
        notice: Callable[[Anomaly], None] | None = None,
        observe: Callable[[Event], None] | None = None,
    ) -> None:
        self._read = read
        self._options = options
        self._limits = limits or options.limits
        self._encapsulated = encapsulated
        self._room = self._limits.elements
        self._notice = notice
        self._observe = observe
        self.end = 0
        """Offset behind the main data set, once it has been walked."""

    def events(self, form: int, start: int, end: int | None, depth: int = 0) -> Iterator[Event]:
        """The data elements between two offsets; `depth` sequences are around them. Anomalies are not repeated."""
        children, stop = self._scan(form, start, end, depth)
        if depth == 0:
            self.end = stop
        ends = [*children.starts[1:], stop]
        for number in children.in_order():
            yield from self._child(form, depth, children, number, ends[number])
        self._room += len(children.tags)

    def _parser(self, form: int, offset: int, depth: int, context: ItemContext | None = None) -> Parser:
        return Parser.for_content(
            form,
            offset,
            depth=depth,
            encapsulated=self._encapsulated and depth == 0,
            context=context,
            options=self._options,
            limits=self._limits,
        )

    def _scan(self, form: int, start: int, end: int | None, depth: int) -> tuple[_Children, int]:
        children, nesting = _Children(), 0
        parser = self._parser(form, start, depth)
        for event in read_events(self._read, parser, end, skip=True):
            if depth == 0 and self._observe is not None:
                self._observe(event)
            if isinstance(event, Anomaly):
                if depth == 0 and self._notice is not None:
                    self._notice(event)
                if nesting and event.code in _DISORDER:
                    children.disordered[-1] = 1
            elif isinstance(event, _CLOSING):
                nesting -= 1
            else:
                if nesting == 0 and isinstance(event, (Element, ValueStart, SequenceStart, FragmentsStart)):
                    if not self._room:
                        raise LimitExceeded(
                            f"more than {self._limits.elements} data elements out of order, of open data sets and items",
                            offset=event.offset,
                        )
                    self._room -= 1
                    children.add(event.tag, event.offset, event.vr)
                if isinstance(event, _OPENING):
                    nesting += 1
        return children, parser.offset

    def _child(self, form: int, depth: int, children: _Children, number: int, end: int) -> Iterator[Event]:
        context = KnownContext(children.vrs[number])  # what decided about the VR may stand elsewhere
        events = read_events(self._read, self._parser(form, children.starts[number], depth, context), end)
        if children.disordered[number]:
            yield from self._disordered(events, depth)
            return
        for event in events:
            if not isinstance(event, (Anomaly, End)):
                yield event

    def _disordered(self, events: Iterator[Event], depth: int) -> Iterator[Event]:
        """A sequence in which some item is out of order: item by item, each in canonical order."""
        nesting = 0
        item: ItemStart | None = None
        for event in events:
            if isinstance(event, (SequenceEnd, ItemEnd, FragmentsEnd)):
                nesting -= 1
                if nesting == 1 and isinstance(event, ItemEnd) and item is not None:
                    yield item
                    yield from self.events(item.form, item.offset + len(item.raw), event.offset, depth + 1)
                    yield event
                elif nesting == 0:
                    yield event
            elif isinstance(event, _OPENING):
                if nesting == 0:
                    yield event
                elif nesting == 1 and isinstance(event, ItemStart):
                    item = event
                nesting += 1
