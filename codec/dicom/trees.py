"""Small sequences held in memory as trees, such as MAC Parameters and Digital Signatures, and their way back to events."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from ..errors import LimitExceeded
from .events import (
    BIG,
    CONVERTED,
    EXPLICIT,
    UNDEFINED,
    Element,
    Event,
    FragmentsStart,
    ItemEnd,
    ItemStart,
    SequenceEnd,
    SequenceStart,
    ValueChunk,
    ValueStart,
)
from .tags import text as tag_text
from .values import is_padded, swapped
from .vr import TEXT, UNIT


class Sequence(NamedTuple):
    """A sequence with its items."""

    tag: int
    items: list[Item]


Item = list["Element | Sequence"]

_OVERHEAD = 192
"""Bytes of memory that a data element or item takes besides its value."""


def element(tag: int, vr: str, value: bytes) -> Element:
    """A new data element; `value` is little endian."""
    return Element(value, 0, tag, vr, 0, CONVERTED)


def find(item: Item, tag: int) -> Element | Sequence | None:
    """The first data element of an item with this tag."""
    return next((entry for entry in item if entry.tag == tag), None)


def find_value(item: Item, tag: int) -> tuple[str, bytes] | None:
    """VR and value (little endian) of a plain data element of the item, None if it is absent or a sequence."""
    entry = find(item, tag)
    if not isinstance(entry, Element):
        return None
    value = entry.value
    return entry.vr, swapped(value, UNIT.get(entry.vr, 1)) if entry.form == BIG else value


def find_text(item: Item, tag: int) -> str | None:
    """Value of a text or UID element without padding, bytes outside ASCII as Latin-1; None if it is absent or of another VR."""
    found = find_value(item, tag)
    if found is None or not (found[0] in TEXT or found[0] == "UI"):
        return None
    return found[1].strip(b" \0").decode("latin-1")


def item_events(item: Item) -> Iterator[Event]:
    """The content of an item as events."""
    for entry in item:
        if isinstance(entry, Element):
            yield entry
            continue
        yield SequenceStart(b"", 0, entry.tag, "SQ", UNDEFINED, EXPLICIT)
        yield from items_events(entry.items)
        yield SequenceEnd(b"", 0)


def items_events(items: list[Item], first: int = 0) -> Iterator[Event]:
    """The items of a sequence as events, numbered from `first`."""
    for index, item in enumerate(items, first):
        yield ItemStart(b"", 0, index, UNDEFINED, EXPLICIT)
        yield from item_events(item)
        yield ItemEnd(b"", 0)


class TreeCollector:
    """Builds the tree of one sequence from its events, SequenceStart to SequenceEnd.

    At most `limit` bytes of memory are taken; more raise LimitExceeded. Encapsulated Pixel Data inside is ignored.
    """

    def __init__(self, limit: int) -> None:
        self._left = limit
        self._limit = limit
        self._sequences: list[Sequence] = []
        self._value = bytearray()
        self._start: ValueStart | None = None
        self.tree: Sequence | None = None

    @property
    def left(self) -> int:
        """Bytes that may still be kept."""
        return self._left

    def feed(self, event: Event) -> bool:
        """Take an event; True if it was the last one and `tree` is complete."""
        kind = type(event)
        if kind is Element:
            self._add(event, len(event.raw))  # type: ignore[arg-type]
        elif isinstance(event, SequenceStart):
            self._spend(_OVERHEAD, event)
            self._sequences.append(Sequence(event.tag, []))
        elif isinstance(event, ItemStart):
            self._spend(_OVERHEAD, event)
            self._sequences[-1].items.append([])
        elif isinstance(event, SequenceEnd):
            done = self._sequences.pop()
            if not self._sequences:
                self.tree = done
                return True
            self._sequences[-1].items[-1].append(done)
        elif isinstance(event, ValueStart):
            self._start, self._value = event, bytearray()
        elif isinstance(event, FragmentsStart):
            self._start = None
        elif isinstance(event, ValueChunk) and self._start is not None:
            self._spend(len(event.raw), event)
            self._value += event.raw
            if event.last:
                start = self._start
                self._start = None
                value = bytes(self._value)
                if len(value) != start.length:
                    raise LimitExceeded(f"text of {start.length} bytes", offset=start.offset, element=tag_text(start.tag))
                if start.form == BIG and start.vr in UNIT:
                    value = swapped(value + b"\0" if len(value) & 1 and is_padded(start.vr) else value, UNIT[start.vr])
                self._add(Element(value, start.offset, start.tag, start.vr, 0, CONVERTED), 0)  # its chunks are counted
        return False

    def _add(self, entry: Element, size: int) -> None:
        self._spend(size + _OVERHEAD, entry)
        self._sequences[-1].items[-1].append(entry)

    def _spend(self, size: int, event: Event) -> None:
        self._left -= size
        if self._left < 0:
            name = tag_text(self._sequences[0].tag) if self._sequences else None
            raise LimitExceeded(f"sequence takes more than {self._limit} bytes of memory", offset=event.offset, element=name)
