"""Where every byte of an object belongs: the data elements of its main data set, and what surrounds them."""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple

from ..dicom.events import (
    DatasetStart,
    Element,
    End,
    Event,
    FragmentsEnd,
    FragmentsStart,
    ItemEnd,
    ItemStart,
    Preamble,
    SequenceEnd,
    SequenceStart,
    ValueStart,
)
from ..dicom.tags import DATA_SET_TRAILING_PADDING, DIGITAL_SIGNATURES_SEQUENCE, MAC_PARAMETERS_SEQUENCE
from ..signature.location import Location
from ..signature.signable import signable_tag


class Part(Enum):
    """What a part of the input is."""

    PREAMBLE = "preamble"
    META = "file meta information"
    ELEMENT = "data element"
    GROUP_LENGTH = "group length"
    SIGNATURES = "signatures"
    PADDING = "trailing padding"
    TRAILING = "trailing data"


class Entry(NamedTuple):
    """A part of the input: `size` bytes from `offset` on, header and delimiters included; `location` is the item it stands in.

    Offsets are those of the parser: behind the file meta information of a deflated object they count inflated bytes.
    """

    part: Part
    tag: int | None
    vr: str
    location: Location
    offset: int
    size: int


class ObjectMap(NamedTuple):
    """The parts of an object.

    `entries`: in file order, without gaps, those of the main data set, sequences being one each; behind them those of items that
    have signatures of their own, which show parts of the same bytes again. `excluded`: what lies inside sequences and never goes
    into their digests (signatures, groups below 0008, group lengths, second data elements of their kind). `size`: bytes of the
    input. `more`: parts that were too many to be kept.
    """

    entries: tuple[Entry, ...]
    excluded: tuple[Entry, ...]
    size: int
    more: int = 0


class _Level:
    """An open data set or item."""

    __slots__ = ("entries", "location", "signed", "tags")

    def __init__(self, location: Location) -> None:
        self.location = location
        self.entries: list[Entry] = []
        self.tags: set[int] = set()
        self.signed = False


class _Open:
    """A sequence, or encapsulated Pixel Data, that has begun."""

    __slots__ = ("excluded", "item", "offset", "tag", "vr")

    def __init__(self, tag: int, vr: str, offset: int, excluded: bool) -> None:
        self.tag = tag
        self.vr = vr
        self.offset = offset
        self.excluded = excluded
        self.item = 0


_GROUP_LENGTH_SIZE = 12
"""Bytes of a group length, in implicit and explicit VR."""


def part_of(tag: int, vr: str, size: int, *, nested: bool) -> Part:
    """What a data element is, by what it consists of: whatever only has the tag of what is never signed is an element."""
    if tag in (MAC_PARAMETERS_SEQUENCE, DIGITAL_SIGNATURES_SEQUENCE):
        return Part.SIGNATURES if vr == "SQ" else Part.ELEMENT
    if not tag & 0xFFFF:
        return Part.GROUP_LENGTH if vr == "UL" and size == _GROUP_LENGTH_SIZE else Part.ELEMENT
    return Part.PADDING if tag == DATA_SET_TRAILING_PADDING and not nested else Part.ELEMENT


class ObjectMapper:
    """Takes the events of an object in file order and makes its map; PlainItems hold nothing that has to be told.

    `limit`: parts that are kept.
    """

    def __init__(self, limit: int = 1 << 16) -> None:
        self._limit = limit
        self._kept = 0
        self._more = 0
        self._levels: list[_Level] = [_Level(())]
        self._open: list[_Open] = []
        self._front: list[Entry] = []
        self._zoomed: list[Entry] = []
        self._excluded: list[Entry] = []
        self._started = False
        self._size = 0
        self._trailing = 0

    @property
    def location(self) -> Location:
        """Location of the innermost open data set or item."""
        return self._levels[-1].location

    def holds(self, tag: int) -> bool:
        """Whether the innermost data set or item has had this data element already."""
        return tag in self._levels[-1].tags

    @property
    def is_full(self) -> bool:
        """Whether there were parts that have not been kept."""
        return self._more > 0

    def feed(self, event: Event) -> None:
        """Take the next event."""
        kind = type(event)
        if kind is Element:
            self._add(event.tag, event.vr, event.offset, len(event.raw))  # type: ignore[union-attr]
        elif kind is ValueStart:
            self._add(event.tag, event.vr, event.offset, len(event.raw) + event.length)  # type: ignore[union-attr]
        elif kind is SequenceStart or kind is FragmentsStart:
            excluded = bool(self._open) and (self._open[-1].excluded or self._is_left_out(event.tag))  # type: ignore[union-attr]
            self._open.append(_Open(event.tag, event.vr, event.offset, excluded))  # type: ignore[union-attr]
        elif kind is SequenceEnd or kind is FragmentsEnd:
            opened = self._open.pop()
            self._add(opened.tag, opened.vr, opened.offset, event.offset + len(event.raw) - opened.offset)
        elif kind is ItemStart:
            opened = self._open[-1]
            self._levels.append(_Level((*self.location, (opened.tag, event.number))))  # type: ignore[union-attr]
        elif kind is ItemEnd:
            self._close(self._levels.pop())
        elif kind is Preamble:
            self._front.append(Entry(Part.PREAMBLE, None, "", (), event.offset, len(event.raw)))
        elif kind is DatasetStart:
            self._started = True
        elif kind is End:
            self._size, self._trailing = event.offset, self._trailing + event.trailing  # type: ignore[union-attr]

    def _add(self, tag: int, vr: str, offset: int, size: int) -> None:
        """A data element is known with its length."""
        if self._kept >= self._limit:
            self._more += 1
            return
        level = self._levels[-1]
        if not self._started:
            self._front.append(Entry(Part.META, tag, vr, (), offset, size))
            self._kept += 1
            return
        entry = Entry(part_of(tag, vr, size, nested=bool(level.location)), tag, vr, level.location, offset, size)
        left_out = self._is_left_out(tag)
        level.entries.append(entry)
        level.tags.add(tag)
        self._kept += 1
        level.signed = level.signed or tag == DIGITAL_SIGNATURES_SEQUENCE
        if level.location and not self._open[-1].excluded and left_out:
            self._excluded.append(entry)
            self._kept += 1

    def _is_left_out(self, tag: int) -> bool:
        """Whether no digest around the innermost item holds its next data element; of several of a kind they hold the first."""
        return not signable_tag(tag) or tag in self._levels[-1].tags

    def _close(self, level: _Level) -> None:
        """An item has ended; only one with signatures is looked at more closely."""
        if level.signed:
            self._zoomed += level.entries
        else:
            self._kept -= len(level.entries)

    def finish(self) -> ObjectMap:
        """The map, once the input has ended."""
        entries = [*self._front, *self._levels[0].entries]
        if self._trailing:
            entries.append(Entry(Part.TRAILING, None, "", (), self._size, self._trailing))
        return ObjectMap((*entries, *self._zoomed), tuple(self._excluded), self._size + self._trailing, self._more)
