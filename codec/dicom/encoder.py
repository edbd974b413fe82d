"""Writes a data set from events: in the same or another native form, with defined or undefined lengths, values in normal form.

Lengths of sequences, items and groups stand in front of their contents. They come from a `LengthTable` that a first pass over
the same events has filled (`DatasetEncoder(..., measure=True)`), so that the second pass writes forward only.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ..errors import LimitExceeded, PlanMismatch
from .details import expanded, single_fragments
from .events import (
    BIG,
    EXPLICIT,
    IMPLICIT,
    UNDEFINED,
    Element,
    Event,
    FragmentsEnd,
    FragmentsStart,
    FragmentStart,
    ItemEnd,
    ItemStart,
    Lengths,
    PlainItem,
    SequenceEnd,
    SequenceStart,
    ValueChunk,
    ValueStart,
    WholeFragments,
)
from .headers import element_header, item_end, item_header, sequence_end
from .plain_items import Recoder
from .syntaxes import TransferSyntax
from .tags import PIXEL_DATA
from .values import Swapper, is_padded, normal_value, swapped
from .vr import UNIT

CHANGED = "the input changed while it was being read"
_DIRECT = 1 << 12
_DELIMITER = 8


def form_of(syntax: TransferSyntax) -> int:
    """How elements of a transfer syntax are encoded: IMPLICIT, EXPLICIT or BIG."""
    return (EXPLICIT if syntax.little_endian else BIG) if syntax.explicit else IMPLICIT


class LengthTable:
    """Lengths in bytes, in the order in which their headers are written; four bytes of memory each."""

    def __init__(self, limit: int = 1 << 22) -> None:
        self._lengths = array("I")
        self._too_long: dict[int, int] = {}
        self._next = 0
        self._limit = limit

    def reserve(self) -> int:
        """A place for a length that is not known yet."""
        if len(self._lengths) >= self._limit:
            raise LimitExceeded(f"more than {self._limit} sequences and items")
        self._lengths.append(0)
        return len(self._lengths) - 1

    def fill(self, place: int, length: int) -> None:
        """Put a length into its place; one that does not fit a length field becomes undefined."""
        self._lengths[place] = min(length, UNDEFINED)
        if length >= UNDEFINED:
            self._too_long[place] = length

    def take(self) -> int:
        """The next length, for the second pass."""
        if self.used_up:
            raise PlanMismatch(CHANGED)
        self._next += 1
        return self._lengths[self._next - 1]

    def add(self, places: Iterable[int], difference: int) -> None:
        """Change the lengths at these places, of what lies inside each other from the inside out, by a number of bytes.

        One that no longer fits a length field becomes undefined, which costs a delimiter (not so that of a group, place < 0),
        and the other way round.
        """
        for place in places:
            number = place if place >= 0 else ~place
            before = self._too_long.pop(number, self._lengths[number])
            after = before + difference
            self.fill(number, after)
            if place >= 0:
                difference += ((after >= UNDEFINED) - (before >= UNDEFINED)) * _DELIMITER

    def skip(self, count: int) -> None:
        """Pass over lengths in the second pass, of something that is not written."""
        if self._next + count > len(self._lengths):
            raise PlanMismatch(CHANGED)
        self._next += count

    @property
    def count(self) -> int:
        """Number of lengths reserved so far."""
        return len(self._lengths)

    def check(self, place: int, length: int) -> None:
        """The second pass has written what the first one measured, else PlanMismatch."""
        if self._lengths[place] != min(length, UNDEFINED):
            raise PlanMismatch(CHANGED)

    @property
    def place(self) -> int:
        """Where the length is that `take` gives next."""
        return self._next

    @property
    def used_up(self) -> bool:
        """Whether the second pass has taken all lengths."""
        return self._next == len(self._lengths)


class _Level:
    """An open data set, item or sequence: where its length goes, and the group length being measured."""

    __slots__ = ("group", "group_place", "group_start", "place", "start", "undefined")

    def __init__(self, place: int, start: int, undefined: bool) -> None:
        self.place = place
        self.start = start
        self.undefined = undefined
        self.group = -1
        self.group_place = -1
        self.group_start = 0


class DatasetEncoder:
    """Takes the events of a data set (or of tree items) and collects output bytes, to be fetched with `take`.

    `form`: IMPLICIT, EXPLICIT or BIG. `undefined`: write sequences and items with delimiters. `measure`: write nothing, fill
    `lengths`. `group_extra`: bytes added to the group lengths of the main data set by elements that are inserted later.
    `swap_pixels`: native Pixel Data has the other byte order than the rest of the input.
    """

    def __init__(
        self,
        form: int,
        lengths: LengthTable,
        *,
        undefined: bool = False,
        measure: bool = False,
        group_extra: Mapping[int, int] | None = None,
        swap_pixels: bool = False,
    ) -> None:
        self._form = form
        self._big = form == BIG
        self._swap_pixels = swap_pixels
        self._lengths = lengths
        self._undefined = undefined
        self._measure = measure
        self._group_extra = group_extra or {}
        self._levels = [_Level(-1, 0, False)]
        self._small = bytearray()
        self._out: list[bytes | memoryview] = []
        self._pad = b""
        self._owed = 0  # bytes of values that have begun and are still to come
        self._swapper: Swapper | None = None
        self._plain: Recoder | None = None
        self.size = 0
        self._handlers: dict[type[Any], Callable[[Any], None]] = {
            Element: self._element,
            ValueStart: self._value_start,
            ValueChunk: self._value_chunk,
            SequenceStart: self._sequence_start,
            SequenceEnd: self._sequence_end,
            ItemStart: self._item_start,
            ItemEnd: self._item_end,
            PlainItem: self._plain_item,
            FragmentsStart: self._fragments_start,
            FragmentStart: self._fragment_start,
            WholeFragments: self._whole_fragments,
            FragmentsEnd: self._fragments_end,
        }

    def feed(self, event: Event) -> None:
        """Write the next event."""
        handler = self._handlers.get(type(event))
        if handler is not None:
            handler(event)

    def feed_all(self, events: Iterable[Event]) -> None:
        """Write several events."""
        for event in events:
            self.feed(event)

    @property
    def measured_group(self) -> int:
        """Group of the main data set whose length is being measured, -1 if none."""
        level = self._levels[0]
        return level.group if level.group_place >= 0 else -1

    def finish(self) -> None:
        """End of the data set, or of its last group so far."""
        self._close_group(self._levels[0])

    def insert(self, tag: int, data: bytes) -> None:
        """Write a data element that is encoded already."""
        self._enter(tag)
        self._emit(data)

    @property
    def group_place(self) -> int:
        """Where the group length is that is being measured in the innermost data set or item, -1 if none is."""
        return self._levels[-1].group_place

    @property
    def places_around(self) -> list[int]:
        """Where the lengths are that the size of the innermost data set or item changes, from the inside out.

        Those of groups are given as ~place.
        """
        places = []
        for level in reversed(self._levels):
            if level.group_place >= 0 and level is not self._levels[-1]:
                places.append(~level.group_place)
            if level.place >= 0:
                places.append(level.place)
        return places

    def take(self) -> list[bytes | memoryview]:
        """The output since the last call."""
        if self._small:
            self._out.append(bytes(self._small))
            self._small.clear()
        out, self._out = self._out, []
        return out

    # ------------------------------------------------------------------ output

    def _emit(self, data: bytes | memoryview) -> None:
        self.size += len(data)
        if self._measure:
            return
        if len(data) < _DIRECT:
            self._small += data
            return
        if self._small:
            self._out.append(bytes(self._small))
            self._small.clear()
        self._out.append(data)

    def _open(self) -> int:
        """Begin something with a length; returns the length to write."""
        if self._undefined:
            self._levels.append(_Level(-1, 0, True))
            return UNDEFINED
        if self._measure:
            self._levels.append(_Level(self._lengths.reserve(), 0, False))
            return 0
        place, length = self._lengths.place, self._lengths.take()
        self._levels.append(_Level(place, 0, length == UNDEFINED))
        return length

    def _close(self, delimiter: bytes) -> None:
        level = self._levels.pop()
        self._close_group(level)
        if level.place >= 0:
            length = self.size - level.start
            self._settle(level.place, length)
            level.undefined = level.undefined or (self._measure and length >= UNDEFINED)
        if level.undefined:
            self._emit(delimiter)

    # ------------------------------------------------------------------ elements

    def _enter(self, tag: int) -> None:
        """Notice the group of an element, which may end the group whose length is being measured."""
        level = self._levels[-1]
        if level.group_place >= 0 and tag >> 16 != level.group:
            self._close_group(level)

    def _close_group(self, level: _Level) -> None:
        if level.group_place >= 0:
            self._settle(level.group_place, self.size - level.group_start)
            level.group_place = -1

    def _settle(self, place: int, length: int) -> None:
        """A length is known: note it, or compare it with what has been written in front."""
        if self._measure:
            self._lengths.fill(place, length)
        else:
            self._lengths.check(place, length + self._owed)

    def _group_length(self, tag: int) -> None:
        level, group = self._levels[-1], tag >> 16
        length = 0
        if self._measure:
            level.group_place = self._lengths.reserve()
        else:
            level.group_place, length = self._lengths.place, self._lengths.take()
            if len(self._levels) == 1:
                length = min(length + self._group_extra.get(group, 0), UNDEFINED)
        level.group = group
        self._emit(element_header(self._form, tag, "UL", 4) + length.to_bytes(4, "big" if self._form == BIG else "little"))
        level.group_start = self.size

    def _element(self, event: Element) -> None:
        raw, _, tag, vr, header, form = event
        self._enter(tag)
        if not tag & 0xFFFF:
            self._group_length(tag)
            return
        value = raw[header:]
        normal = normal_value(vr, value)
        if form == self._form and normal == value and not (self._swap_pixels and tag == PIXEL_DATA):
            self._emit(raw)
            return
        if self._swaps(tag, vr, form):
            normal = swapped(normal, UNIT[vr])
        self._emit(element_header(self._form, tag, vr, len(normal)) + normal)

    def _swaps(self, tag: int, vr: str, form: int) -> bool:
        """Whether the byte order of a value changes."""
        differs = (form == BIG) != self._big
        return vr in UNIT and (not differs if self._swap_pixels and tag == PIXEL_DATA else differs)

    def _value_start(self, event: ValueStart) -> None:
        _, _, tag, vr, length, form = event
        self._enter(tag)
        self._pad = b"\0" if length & 1 and is_padded(vr) else b""
        self._swapper = Swapper(vr) if self._swaps(tag, vr, form) else None
        self._emit(element_header(self._form, tag, vr, length + len(self._pad)))
        self._promise(length + len(self._pad))

    def _promise(self, length: int) -> None:
        """A value of this length follows in chunks."""
        if self._measure:
            self.size += length
        else:
            self._owed += length

    def _value_chunk(self, event: ValueChunk) -> None:
        if self._measure:
            return
        data = event.raw
        self._owed -= len(data) + (len(self._pad) if event.last else 0)
        if self._swapper is not None:
            self._emit(self._swapper.feed(bytes(data) + self._pad if event.last else data, event.last))
            return
        self._emit(data)
        if event.last and self._pad:
            self._emit(self._pad)

    # ------------------------------------------------------------------ sequences

    def _sequence_start(self, event: SequenceStart) -> None:
        self._enter(event.tag)
        self._emit(element_header(self._form, event.tag, "SQ", self._open()))
        self._levels[-1].start = self.size

    def _item_start(self, _: ItemStart) -> None:
        self._emit(item_header(self._form, self._open()))
        self._levels[-1].start = self.size

    def _item_end(self, _: ItemEnd) -> None:
        self._close(item_end(self._form))

    def _sequence_end(self, _: SequenceEnd) -> None:
        self._close(sequence_end(self._form))

    def _plain_item(self, event: PlainItem) -> None:
        wanted = Lengths.UNDEFINED if self._undefined else Lengths.DEFINED
        if event.form == self._form and event.lengths is wanted:
            self._emit(event.raw)
        elif event.form == self._form and self._measure and event.lengths is not Lengths.MIXED:
            self.size += len(event.raw) + (event.containers if self._undefined else -event.containers) * _DELIMITER
        elif not self._big:
            self._emit(self._recoder(event).recoded(event.raw, event.form))
        else:
            lengths = LengthTable()  # an item this small is measured where it is written
            for measure in (True, False):
                encoder = DatasetEncoder(self._form, lengths, undefined=self._undefined, measure=measure)
                encoder.feed_all(expanded(event))
            self._emit(b"".join(encoder.take()))

    def _recoder(self, event: PlainItem) -> Recoder:
        if self._plain is None:
            self._plain = Recoder(self._form, event.options.dictionary, undefined=self._undefined)
        return self._plain

    # ------------------------------------------------------------------ fragments

    def _fragments_start(self, event: FragmentsStart) -> None:
        self._enter(event.tag)
        self._swapper = None
        self._emit(element_header(self._form, event.tag, "OB", UNDEFINED))

    def _fragment_start(self, event: FragmentStart) -> None:
        self._pad = b"\0" if event.length & 1 else b""
        length = event.length + len(self._pad)
        self._emit(item_header(self._form, length))
        self._promise(length)

    def _whole_fragments(self, event: WholeFragments) -> None:
        if self._form == EXPLICIT:
            self._emit(event.raw)
        else:
            self.feed_all(single_fragments(event))

    def _fragments_end(self, _: FragmentsEnd) -> None:
        self._emit(sequence_end(self._form))
