"""Text values that come in chunks, in normal form.

The normal form of a text depends on its end, its length stands in front: values up to a limit are collected; longer ones need an
earlier pass over the same input that has measured them. (Binary values never need this.)
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ..errors import BadStructure, LimitExceeded
from .events import CONVERTED, Element, Event, ValueChunk, ValueStart
from .tags import text as tag_text
from .vr import TEXT

_PADDING = b" \0"


class TextGate:
    """Turns each chunked text into one Element or, if it is longer than `limit` bytes, trims it to its normal form.

    `lengths` maps the offset of a longer text to its length without padding. While `measure` is set they are found and the chunks
    left out; otherwise a text that is not in `lengths` raises LimitExceeded.
    """

    def __init__(self, lengths: dict[int, int], *, limit: int = 1 << 20, measure: bool = False) -> None:
        self._lengths = lengths
        self._limit = limit
        self._start: ValueStart | None = None
        self._chunks: list[bytes] | None = None
        self._size = 0
        self._end = 0
        self._left = 0
        self._measuring = False
        self.measure = measure

    @property
    def open(self) -> bool:
        """Whether the chunks that come next belong to a text."""
        return self._start is not None

    def feed(self, event: Event) -> Iterable[Event]:
        """The events to go on with instead of `event`."""
        if self._start is not None:
            assert isinstance(event, ValueChunk)
            return self._chunk(self._start, event)
        if type(event) is ValueStart and (event.vr in TEXT or event.vr == "UI"):
            return self._open(event)
        return (event,)

    def through(self, events: Iterable[Event]) -> Iterator[Event]:
        """All events of an iterable, passed through the gate."""
        for event in events:
            if type(event) is ValueStart or self._start is not None:
                yield from self.feed(event)
            else:
                yield event

    def _open(self, event: ValueStart) -> Iterable[Event]:
        if event.length <= self._limit:
            self._start, self._chunks = event, []
            return ()
        where = tag_text(event.tag)
        if event.vr == "UI":
            raise LimitExceeded(f"UID of {event.length} bytes", offset=event.offset, element=where)
        self._start, self._chunks = event, None
        self._measuring = self.measure
        if self._measuring:
            self._size = self._end = 0
            return ()
        if event.offset not in self._lengths:
            message = f"text of {event.length} bytes cannot be digested in one pass (limit {self._limit})"
            raise LimitExceeded(message, offset=event.offset, element=where)
        self._left = self._lengths[event.offset]
        return (self._trimmed(event, self._left),)

    def _chunk(self, start: ValueStart, chunk: ValueChunk) -> Iterable[Event]:
        if chunk.last:
            self._start = None
        if self._chunks is not None:
            self._chunks.append(bytes(chunk.raw))
            if not chunk.last:
                return ()
            return (Element(b"".join(self._chunks), start.offset, start.tag, start.vr, 0, CONVERTED),)
        if self._measuring:
            return self._measured(start, chunk)
        piece = chunk.raw[: self._left]
        self._left -= len(piece)
        if not chunk.last:
            return (ValueChunk(piece, chunk.offset, False),) if piece else ()
        if self._left or bytes(chunk.raw[len(piece) :]).strip(_PADDING):
            raise BadStructure("text changed while it was read", offset=start.offset, element=tag_text(start.tag))
        pad = b" " if self._lengths[start.offset] & 1 else b""
        return (ValueChunk(piece, chunk.offset, False), ValueChunk(pad, chunk.offset, True))

    def _measured(self, start: ValueStart, chunk: ValueChunk) -> Iterable[Event]:
        stripped = len(bytes(chunk.raw).rstrip(_PADDING))
        if stripped:
            self._end = self._size + stripped
        self._size += len(chunk.raw)
        if not chunk.last:
            return ()
        self._lengths[start.offset] = self._end
        return (self._trimmed(start, self._end), ValueChunk(b"", start.offset, True))

    @staticmethod
    def _trimmed(start: ValueStart, length: int) -> ValueStart:
        return start._replace(length=length + (length & 1), form=CONVERTED)
