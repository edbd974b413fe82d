"""The MAC byte stream: signed data elements in their canonical encoding (PS3.3 C.12.1.1.3.1.1).

Explicit VR little endian, unless the MAC Calculation Transfer Syntax is another native one; sequences, items and fragments
without lengths, items without delimiters; text and odd values in normal form; elements in ascending order.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ..dicom.details import expanded, single_fragments
from ..dicom.events import (
    BIG,
    EXPLICIT,
    IMPLICIT,
    Element,
    Event,
    FragmentsEnd,
    FragmentsStart,
    FragmentStart,
    ItemStart,
    PlainItem,
    SequenceEnd,
    SequenceStart,
    ValueChunk,
    ValueStart,
    WholeFragments,
)
from ..dicom.headers import element_header, tag_bytes
from ..dicom.tags import ITEM, PIXEL_DATA, SEQUENCE_DELIMITATION
from ..dicom.tags import text as tag_text
from ..dicom.values import Swapper, is_padded, legacy_text, normal_text, normal_uid, normal_value, swapped
from ..dicom.vr import TEXT, UNIT
from .mac import Mac
from .signable import signable, signable_tag


class StreamEncoder:
    """Feeds the canonical bytes of one data set or item to any number of Macs.

    Give it the events of the level, without those of the item itself, in ascending tag order. `kind` is the encoding of the
    stream: EXPLICIT, IMPLICIT or BIG. `old_format` keeps the lengths of fragments (DCMTK before 3.5.4). `swap_pixels`:
    native Pixel Data has the byte order of the rest of the data set in only one of input and stream.
    """

    def __init__(self, macs: Sequence[Mac], *, kind: int = EXPLICIT, old_format: bool = False, swap_pixels: bool = False) -> None:
        self._macs = tuple(macs)
        self._swap_pixels = swap_pixels
        self._kind = kind
        self._big = kind == BIG
        self._old_format = old_format
        self._active: tuple[Mac, ...] = ()
        self._depth = 0
        self._omit = -1  # depth of the unsignable nested sequence being left out
        self._unsignable = False
        self._path: list[list[int]] = []
        self._tag = 0
        self._swapper: Swapper | None = None
        self._pad = b""
        self._level_tag = 0
        self._skip_value = False
        self._end = tag_bytes(kind, SEQUENCE_DELIMITATION)
        self._item = tag_bytes(kind, ITEM)
        self._handlers: dict[type[Any], Callable[[Any], None]] = {
            Element: self._element,
            ValueStart: self._value_start,
            ValueChunk: self._value_chunk,
            SequenceStart: self._sequence_start,
            SequenceEnd: self._sequence_end,
            ItemStart: self._item_start,
            PlainItem: self._plain_item,
            FragmentsStart: self._fragments_start,
            FragmentStart: self._fragment_start,
            WholeFragments: self._whole_fragments,
            FragmentsEnd: self._fragments_end,
        }

    @property
    def wants_value(self) -> bool:
        """Whether the chunks of the value that has just begun go into a digest."""
        return bool(self._active) and self._omit < 0

    def feed(self, event: Event) -> None:
        """Take the next event of the level."""
        handler = self._handlers.get(type(event))
        if handler is not None:
            handler(event)

    def where(self) -> str:
        """Path of the element at hand, from the level."""
        return ".".join([f"{tag_text(tag)}[{index}]" for tag, index in self._path] + [tag_text(self._tag)])

    # ------------------------------------------------------------------ selection

    def _select(self, tag: int, vr: str) -> bool:
        """Decide which Macs take an element of the level."""
        usable = signable(tag, vr)
        active = []
        for mac in self._macs:
            if mac.tags is None:
                if usable:
                    active.append(mac)
            elif tag in mac.tags:
                if usable:
                    active.append(mac)
                else:
                    mac.unsignable.append(tag)
        self._active = tuple(active)
        return bool(active)

    def _takes(self, tag: int, vr: str) -> bool:
        """Whether an element goes into any digest; notes UN inside sequences, which makes them unsignable."""
        self._tag = tag
        if self._depth == 0:
            return self._select(tag, vr)
        if vr == "UN":
            self._unsignable = True
        return bool(self._active) and self._omit < 0 and signable(tag, vr)

    # ------------------------------------------------------------------ pieces

    def _put(self, data: bytes | memoryview, head: int, required: int, depth: int, legacy: bytes | None = None) -> None:
        for mac in self._active:
            mac.put(data, head, required, depth, self.where, legacy)

    def _element(self, event: Element) -> None:
        raw, _, tag, vr, header, form = event
        if not self._takes(tag, vr):
            return
        legacy = None
        if vr in TEXT:
            value = raw[header:]
            normal = normal_text(value)
            if normal != value:
                old = legacy_text(value)
                if old != normal:
                    legacy = element_header(self._kind, tag, vr, len(old)) + old
        elif vr == "UI":
            value = raw[header:]
            normal = normal_uid(value)
        else:
            value = raw[header:]
            normal = normal_value(vr, value)
            if self._swaps(tag, vr, form):
                normal = swapped(normal, UNIT[vr])
        if form == self._kind and form == EXPLICIT and normal == value:
            self._put(raw, header, header, self._depth, legacy)
            return
        head = element_header(self._kind, tag, vr, len(normal))
        self._put(head + normal, len(head), len(head), self._depth, legacy)

    def _swaps(self, tag: int, vr: str, form: int) -> bool:
        """Whether the byte order of a value differs from that of the stream."""
        differs = (form == BIG) != self._big
        return vr in UNIT and (not differs if self._swap_pixels and tag == PIXEL_DATA else differs)

    def _value_start(self, event: ValueStart) -> None:
        _, _, tag, vr, length, form = event
        if not self._takes(tag, vr):
            if self._depth == 0:
                self._active = ()
            self._skip_value = True
            return
        self._skip_value = False
        self._pad = b"\0" if length & 1 and is_padded(vr) else b""
        self._swapper = Swapper(vr) if self._swaps(tag, vr, form) else None
        head = element_header(self._kind, tag, vr, length + len(self._pad))
        self._put(head, len(head), len(head), self._depth)

    def _value_chunk(self, event: ValueChunk) -> None:
        if self._skip_value or not self._active or self._omit >= 0:
            return
        data, last = event.raw, event.last
        if self._swapper is not None:
            data = self._swapper.feed(bytes(data) + self._pad if last else data, last)
            self._put(data, 0, 0, self._depth)
            return
        self._put(data, 0, 0, self._depth)
        if last and self._pad:
            self._put(self._pad, 0, 0, self._depth)

    # ------------------------------------------------------------------ sequences

    def _sequence_start(self, event: SequenceStart) -> None:
        tag, depth = event.tag, self._depth
        self._tag = tag
        if depth == 0:
            self._unsignable = False
            self._level_tag = tag
            self._select(tag, "SQ")
            for mac in self._active:
                mac.mark()
        elif self._omit < 0 and not signable_tag(tag):
            self._omit = depth
        if self._active and self._omit < 0:
            head = tag_bytes(self._kind, tag)
            if self._kind == IMPLICIT:
                self._put(head, 4, 8, depth)
            else:
                self._put(head + b"SQ\0\0", 8, 12, depth)
        self._path.append([tag, -1])
        self._depth = depth + 1

    def _item_start(self, event: ItemStart) -> None:
        self._path[-1][1] = event.number
        if self._active and self._omit < 0:
            self._put(self._item, 4, 4, self._depth)

    def _plain_item(self, event: PlainItem) -> None:
        if not self._active or self._omit >= 0:
            return
        active, explicit, flat = self._active, self._kind == EXPLICIT, event.containers == 1 and self._depth == 1
        in_detail = tuple(mac for mac in active if not (explicit and mac.put_item(event.stream, event.elements, flat=flat)))
        if in_detail:
            self._active = in_detail
            for part in expanded(event):
                self.feed(part)
            self._active = active

    def _sequence_end(self, event: SequenceEnd) -> None:
        self._path.pop()
        self._depth = depth = self._depth - 1
        if self._omit >= 0:
            if self._omit == depth:
                self._omit = -1
            return
        for mac in self._active:
            mac.end_sequence(self._end, depth, self.where)
        if depth == 0:
            self._finish_sequence()

    def _finish_sequence(self) -> None:
        for mac in self._active:
            if self._unsignable:
                mac.rollback()
                mac.unsignable.append(self._level_tag)
            else:
                mac.commit()
        self._active = ()

    # ------------------------------------------------------------------ fragments

    def _fragments_start(self, event: FragmentsStart) -> None:
        self._skip_value = not self._takes(event.tag, "OB")
        if self._skip_value:
            return
        self._swapper = None
        head = tag_bytes(self._kind, event.tag)
        if self._kind == IMPLICIT:
            self._put(head, 4, 8, self._depth)
        else:
            self._put(head + b"OB\0\0", 8, 12, self._depth)

    def _fragment_start(self, event: FragmentStart) -> None:
        if self._skip_value:
            return
        self._pad = b"\0" if event.length & 1 else b""
        if self._old_format:
            length = (event.length + len(self._pad)).to_bytes(4, "big" if self._big else "little")
            self._put(self._item + length, 8, 12, self._depth)
        else:
            self._put(self._item, 4, 4, self._depth)

    def _whole_fragments(self, event: WholeFragments) -> None:
        if self._skip_value or not self._active or self._omit >= 0:
            return
        if self._old_format or self._kind != EXPLICIT or self._depth > 1:
            for part in single_fragments(event):
                self.feed(part)
            return
        raw, position = memoryview(event.raw), 0
        pieces: list[bytes | memoryview] = []
        for length in event.lengths:
            position += 8 + length
            pieces += (self._item, raw[position - length : position])
        data = b"".join(pieces)
        for mac in self._active:
            mac.put_fragments(data, event.lengths)

    def _fragments_end(self, event: FragmentsEnd) -> None:
        if not self._skip_value:
            self._put(self._end, 4, 4, self._depth)
        if self._depth == 0:
            self._active = ()
