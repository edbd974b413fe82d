"""Mutations of inputs: of bytes, of DICOM element by element, of ASN.1 value by value, of lines.

All take their decisions from a random.Random, so that a seed repeats them.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Sequence
from random import Random
from typing import NamedTuple

from dcmsign.codec.dicom.events import (
    BIG,
    IMPLICIT,
    UNDEFINED,
    DatasetStart,
    Element,
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
from dcmsign.codec.dicom.headers import element_header, item_end, item_header, sequence_end
from dcmsign.codec.dicom.parser import Parser
from dcmsign.codec.dicom.vr import ALL, LONG_HEADER
from dcmsign.codec.errors import Error

Mutate = Callable[[bytes, Random], bytes]

_BYTES = (0, 1, 2, 0x0A, 0x20, 0x30, 0x41, 0x5C, 0x7F, 0x80, 0xFE, 0xFF)
_NUMBERS = (0, 1, 2, 3, 4, 6, 7, 8, 10, 12, 16, 255, 0x7FFF, 0xFFFE, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFF0, 0xFFFFFFFE, 0xFFFFFFFF)
_VRS = (*sorted(ALL), "??", "ZZ", "\0\0", "  ", "sq")
_TAGS = (
    0x00000000, 0x00020000, 0x00020010, 0x00080000, 0x00080001, 0x00080005, 0x00080016, 0x00080018, 0x00081140, 0x00090010,
    0x00091001, 0x00100010, 0x00280103, 0x00280106, 0x00280010, 0x04000005, 0x04000010, 0x04000015, 0x04000020, 0x04000100,
    0x04000105, 0x04000110, 0x04000115, 0x04000120, 0x04000305, 0x04000310, 0x04000401, 0x04000561, 0x0040A730, 0x4FFE0001,
    0x52009230, 0x7FE00008, 0x7FE00010, 0xFFFAFFFA, 0xFFFCFFFC, 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD, 0xFFFFFFFF,
)  # fmt: skip
_VALUES = (b"", b" ", b"\0", b"A", b"AB", b"A ", b"A\0", b"  ", b"A \0", b"1.2", b"1.2.3\0", b"\0\0", b"\1\0", b"\1\2\3\4" * 2)


def mutate_bytes(data: bytes, random: Random) -> bytes:
    """Change, remove, insert or repeat some bytes."""
    changed = bytearray(data)
    for _ in range(random.choice((1, 1, 1, 2, 4))):
        place = random.randrange(len(changed) + 1)
        size = min(random.choice((1, 1, 2, 4, 8, random.randint(1, 64))), len(changed) - place)
        kind = random.randrange(6)
        if kind == 0 and size:
            changed[place] = random.choice((*_BYTES, random.randrange(256)))
        elif kind == 1 and size:
            changed[place] ^= 1 << random.randrange(8)
        elif kind == 2:
            del changed[place : place + size]
        elif kind == 3:
            changed[place:place] = random.randbytes(random.choice((1, 2, 4, 8)))
        elif kind == 4:
            changed[place:place] = changed[place : place + size]
        else:
            width, order = random.choice((1, 2, 4)), random.choice(("<", ">"))
            number = random.choice(_NUMBERS) & (1 << 8 * width) - 1
            changed[place : place + width] = struct.pack(f"{order}{' BH I'[width]}", number)
    return bytes(changed)


# ---------------------------------------------------------------------- DICOM


class _Part(NamedTuple):
    """An element, sequence, item or fragment: where it begins, its value begins, and it ends (with its delimiter)."""

    start: int
    value: int
    end: int
    kind: type[Event]
    form: int
    vr: str
    length: int


class _Outline:
    """The parts of an object, as far as it can be read."""

    def __init__(self, data: bytes) -> None:
        self.parts: list[_Part] = []
        self.dataset = 0
        self.form = 1
        open_parts: list[_Part] = []
        parser = Parser()
        parser.feed(data)
        parser.close()
        try:
            for event in parser.events():
                self._take(event, open_parts)
        except Error:
            pass
        self.parts += [part._replace(end=len(data)) for part in open_parts]

    def _take(self, event: Event, open_parts: list[_Part]) -> None:
        start, end = event.offset, event.offset + len(event.raw)
        if isinstance(event, DatasetStart):
            self.dataset = start
        elif isinstance(event, Element):
            self.parts.append(_Part(start, start + event.header, end, Element, event.form, event.vr, end - start - event.header))
            self.form = event.form if event.form <= BIG else self.form
        elif isinstance(event, SequenceStart | ItemStart | FragmentsStart | FragmentStart | ValueStart):
            length = getattr(event, "length", UNDEFINED)
            form = getattr(event, "form", self.form)
            open_parts.append(_Part(start, end, end, type(event), form, getattr(event, "vr", ""), length))
            if isinstance(event, FragmentStart) and not length:
                self.parts.append(open_parts.pop())
        elif isinstance(event, ItemEnd | SequenceEnd | FragmentsEnd) or (isinstance(event, ValueChunk) and event.last):
            self.parts.append(open_parts.pop()._replace(end=end))


def mutate_dicom(data: bytes, random: Random) -> bytes:
    """Change a DICOM object in some of its data elements, sequences, items or fragments, or in some of its bytes."""
    if b"1.2.840.10008.1.2.1.99" in data[:400]:
        return _mutate_deflated(data, random)
    for _ in range(random.choice((1, 1, 2, 3))):
        outline = _Outline(data) if random.random() < 0.9 else None
        data = mutate_bytes(data, random) if outline is None or not outline.parts else _edited(data, outline, random)
    return data


def _mutate_deflated(data: bytes, random: Random) -> bytes:
    """Change the data set inside."""
    start = data.find(b"1.2.840.10008.1.2.1.99") + 22
    if random.random() < 0.3:
        return mutate_bytes(data, random)
    try:
        inflater = zlib.decompressobj(-15)
        content = inflater.decompress(data[start:], 1 << 18)
    except zlib.error:
        return mutate_bytes(data, random)
    packer = zlib.compressobj(random.choice((0, 1, 9)), wbits=-15)
    return data[:start] + packer.compress(mutate_dicom(content, random)) + packer.flush()


def _edited(data: bytes, outline: _Outline, random: Random) -> bytes:
    part = random.choice(outline.parts)
    start, end, new = random.choice(_EDITS)(data, part, outline, random)
    if random.random() < 0.7:
        data = _with_lengths(data, outline, start, end, len(new) - (end - start), random)
    return data[:start] + new + data[end:]


def _with_lengths(data: bytes, outline: _Outline, start: int, end: int, growth: int, random: Random) -> bytes:
    """Correct the lengths of what is around bytes that are replaced."""
    changed = bytearray(data)
    for part in outline.parts:
        around = part.value <= start and end <= part.end and (part.value < end or start < part.end or random.random() < 0.5)
        if (
            not around
            or part.length == UNDEFINED
            or part.kind not in (SequenceStart, ItemStart, FragmentStart, Element, ValueStart)
        ):
            continue
        if (part.start, part.end) == (start, end):
            continue
        short = part.kind in (Element, ValueStart) and part.form != IMPLICIT and part.vr not in LONG_HEADER
        width, order = (2 if short else 4), ("big" if part.form == BIG else "little")
        number = max(part.length + growth, 0) & (1 << 8 * width) - 1
        changed[part.value - width : part.value] = number.to_bytes(width, order)  # type: ignore[arg-type]
    return bytes(changed)


_Edit = tuple[int, int, bytes]


def _tag(data: bytes, part: _Part, outline: _Outline, random: Random) -> _Edit:
    other = random.choice(outline.parts)
    tag = random.choice(_TAGS)
    order = ">HH" if part.form == BIG else "<HH"
    new = random.choice((struct.pack(order, tag >> 16, tag & 0xFFFF), data[other.start : other.start + 4]))
    return part.start, part.start + 4, new


def _vr(data: bytes, part: _Part, outline: _Outline, random: Random) -> _Edit:
    return part.start + 4, part.start + 6, random.choice(_VRS).encode()


def _length(data: bytes, part: _Part, outline: _Outline, random: Random) -> _Edit:
    width = random.choice((2, 4))
    order = ">" if part.form == BIG else "<"
    near = part.length + random.choice((-8, -2, -1, 1, 2, 8))
    rest = len(data) - part.value + random.choice((-8, -1, 0, 1))
    number = random.choice((near, rest, *_NUMBERS)) & (1 << 8 * width) - 1
    return part.value - width, part.value, struct.pack(f"{order}{'H' if width == 2 else 'I'}", number)


def _remove(data: bytes, part: _Part, outline: _Outline, random: Random) -> _Edit:
    return part.start, part.end, b""


def _repeat(data: bytes, part: _Part, outline: _Outline, random: Random) -> _Edit:
    return part.end, part.end, data[part.start : part.end] * random.choice((1, 1, 2, 5))


def _copy(data: bytes, part: _Part, outline: _Outline, random: Random) -> _Edit:
    """Put something somewhere else, in front of it or inside."""
    other = random.choice(outline.parts)
    place = random.choice((other.start, other.value, other.end))
    return place, place, data[part.start : part.end]


def _replace(data: bytes, part: _Part, outline: _Outline, random: Random) -> _Edit:
    other = random.choice(outline.parts)
    return part.start, part.end, data[other.start : other.end]


def _value(data: bytes, part: _Part, outline: _Outline, random: Random) -> _Edit:
    value = data[part.value : part.end]
    new = random.choice((random.choice(_VALUES), value + random.choice(_VALUES), value[:-1], mutate_bytes(value, random)))
    return part.value, part.end, new


def _wrap(data: bytes, part: _Part, outline: _Outline, random: Random) -> _Edit:
    """Move something into an item of a new sequence."""
    form = part.form if part.form <= BIG else outline.form
    content = data[part.start : part.end]
    if random.random() < 0.5:
        content = item_header(form, len(content)) + content
    else:
        content = item_header(form, UNDEFINED) + content + item_end(form)
    tag = random.choice((0x0040A730, 0x00081140, 0x52009230, 0x04000561, 0xFFFAFFFA, random.choice(_TAGS)))
    if random.random() < 0.5:
        return part.start, part.end, element_header(form, tag, "SQ", len(content)) + content
    return part.start, part.end, element_header(form, tag, "SQ", UNDEFINED) + content + sequence_end(form)


def _insert(data: bytes, part: _Part, outline: _Outline, random: Random) -> _Edit:
    form = part.form if part.form <= BIG else outline.form
    value = random.choice((*_VALUES, bytes(random.choice((40, 300, 17000)))))
    vr = random.choice(sorted(ALL))
    new = element_header(form, random.choice(_TAGS), vr, len(value)) + value
    place = random.choice((part.start, part.value, part.end))
    return place, place, random.choice((new, item_end(form), sequence_end(form), item_header(form, 0)))


def _cut(data: bytes, part: _Part, outline: _Outline, random: Random) -> _Edit:
    return random.choice((part.start, part.value, part.end, max(part.end - 1, 0))), len(data), b""


_EDITS = (*(_tag, _vr, _remove, _repeat, _copy, _replace, _value, _wrap, _insert) * 2, _value, _length, _cut)


# ---------------------------------------------------------------------- ASN.1


class _Value:
    """A value as a tree; `children` is None for one that is not looked into."""

    def __init__(self, tag: int, content: bytes, depth: int = 0) -> None:
        self.tag = tag
        self.content = content
        self.length: bytes | None = None  # if another one than the right one is to be written
        self.indefinite = False
        self.children = _values(content, depth + 1) if depth < 20 else None
        if not tag & 0x20 and (tag not in (3, 4) or self.children is None):
            self.children = None

    def encoded(self) -> bytes:
        content = self.content if self.children is None else b"".join(child.encoded() for child in self.children)
        if self.indefinite:
            return bytes((self.tag | 0x20, 0x80)) + content + b"\0\0"
        size = len(content)
        octets = size.to_bytes((size.bit_length() + 7) // 8, "big")
        length = self.length or (bytes((size,)) if size < 128 else bytes((0x80 | len(octets),)) + octets)
        return bytes((self.tag,)) + length + content

    def family(self) -> list[_Value]:
        return [self, *(found for child in self.children or () for found in child.family())]


def _values(data: bytes, depth: int = 0) -> list[_Value] | None:
    """The values one behind the other that `data` is, None if it is not."""
    found, at = [], 0
    while at < len(data):
        if at + 2 > len(data) or data[at] & 0x1F == 0x1F:
            return None
        size, start = data[at + 1], at + 2
        if size >= 0x80:
            octets = size & 0x7F
            if not 1 <= octets <= 3 or start + octets > len(data):
                return None
            size, start = int.from_bytes(data[start : start + octets], "big"), start + octets
        if start + size > len(data):
            return None
        found.append(_Value(data[at], data[start : start + size], depth))
        at = start + size
    return found


def mutate_asn1(data: bytes, random: Random) -> bytes:
    """Change some values of a BER or DER encoding, or some of its bytes."""
    values = _values(data) if random.random() < 0.8 else None
    if not values:
        return mutate_bytes(data, random)
    family = [found for value in values for found in value.family()]
    for _ in range(random.choice((1, 1, 2, 3))):
        _change(random.choice(family), random.choice(family), random)
    return b"".join(value.encoded() for value in values)


def _change(value: _Value, other: _Value, random: Random) -> None:
    kind = random.randrange(8)
    if kind == 0:
        value.tag = random.choice((other.tag, 2, 3, 4, 5, 6, 0x0C, 0x13, 0x17, 0x18, 0x24, 0x30, 0x31, 0xA0, 0xA1, 0x80, 0x82))
    elif kind == 1:
        value.length = random.choice(
            (b"\x00", b"\x80", b"\x81\x80", b"\x84\xff\xff\xff\xff", b"\x88" + b"\x7f" * 8, b"\xff", b"\x01")
        )
    elif kind == 2:
        value.indefinite = True
    elif value.children and kind == 3:
        del value.children[random.randrange(len(value.children))]
    elif value.children and kind == 4:
        value.children *= random.choice((2, 2, 3, 50))
    elif value.children is not None and kind == 5:
        value.children.append(_Value(other.tag, other.content if other.children is None else b""))
    elif value.children is None and kind == 6:
        value.content = random.choice(
            (b"", value.content * 2, value.content[:-1], b"\0" + value.content, other.content, b"\xff" * 200)
        )
    elif value.children is None:
        value.content = mutate_bytes(value.content, random)


# ---------------------------------------------------------------------- text


def mutate_words(words: Sequence[bytes], between: bytes) -> Mutate:
    """Mutates texts whose parts are divided by `between`, with words they may contain."""

    def mutate(data: bytes, random: Random) -> bytes:
        parts = data.split(between)
        for _ in range(random.choice((1, 1, 2, 4))):
            place = random.randrange(len(parts) + 1)
            kind = random.randrange(6)
            word = random.choice(words)
            if kind == 0 or place == len(parts):
                parts.insert(place, word)
            elif kind == 1:
                del parts[place]
            elif kind == 2:
                parts[place] = word
            elif kind == 3:
                parts.insert(place, random.choice(parts))
            elif kind == 4:
                at = random.randrange(len(parts[place]) + 1)
                parts[place] = parts[place][:at] + word + parts[place][at:]
            else:
                parts[place] = mutate_bytes(parts[place], random)
        return between.join(parts)

    return mutate


def behind_choices(mutate: Mutate, size: int) -> Mutate:
    """Mutates inputs that begin with `size` bytes of choices."""

    def both(data: bytes, random: Random) -> bytes:
        choices, rest = data[:size].ljust(size, b"\0"), data[size:]
        if random.random() < 0.15:
            place = random.randrange(size)
            choices = choices[:place] + bytes((random.randrange(256),)) + choices[place + 1 :]
        return choices + mutate(rest, random)

    return both
