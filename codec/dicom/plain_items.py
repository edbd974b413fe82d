"""Items of sequences that are plain: everything in them is in normal form already, so that nobody has to look at it in detail.

Functional groups and content trees hold hundreds of thousands of small data elements. An item that is plain is checked, and its
canonical form made, in one tight loop; what is not plain goes the ordinary way, element by element. Plain means: little endian,
tags ascending and signable, VRs known without context and those of the dictionary, even lengths, values in normal form (PS3.5
6.2, 7.1), nested sequences plain as well, no signatures and no Pixel Data inside.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache
from struct import Struct, error
from typing import Final, NamedTuple

from .dictionary import BUILT_IN, Dictionary
from .events import EXPLICIT, IMPLICIT, UNDEFINED, Lengths
from .tags import MAC_PARAMETERS_SEQUENCE, ORIGINAL_ATTRIBUTES_SEQUENCE, PIXEL_DATA
from .values import normal_uid
from .vr import LONG_HEADER, SHORT_HEADER, TEXT

_PLAIN: Final = Struct("<HHI").unpack
_PLAIN_AT: Final = Struct("<HHI").unpack_from
_LENGTH: Final = Struct("<I").unpack_from
_EXPLICIT_HEAD: Final = Struct("<HH2sH").unpack
_PACK_SHORT: Final = Struct("<H").pack
_PACK_LONG: Final = Struct("<I").pack

_ITEM: Final = b"\xfe\xff\x00\xe0"
_END_OF_SEQUENCE: Final = b"\xfe\xff\xdd\xe0"
_NO_LENGTH: Final = b"\xff\xff\xff\xff"
_SEQUENCE_DELIMITER: Final = _END_OF_SEQUENCE + b"\0\0\0\0"
_END_OF_ITEM: Final = b"\xfe\xff\x0d\xe0\0\0\0\0"

_PECULIAR: Final = frozenset({MAC_PARAMETERS_SEQUENCE, ORIGINAL_ATTRIBUTES_SEQUENCE, PIXEL_DATA})
"""Tags that somebody has to look at; those outside the two bounds below cannot be signed."""

_BELOW_FIRST: Final = 0x00080001
_BEHIND_LAST: Final = 0xFFFA0000

_BINARY, _TEXT, _UID, _SEQUENCE, _LONG, _LONG_TEXT = range(6)


def _kind(vr: str) -> int:
    if vr == "SQ":
        return _SEQUENCE
    if vr in LONG_HEADER:
        return _LONG_TEXT if vr in TEXT else _LONG
    return _UID if vr == "UI" else _TEXT if vr in TEXT else _BINARY


_KINDS: Final = {vr.encode(): _kind(vr) for vr in (SHORT_HEADER | LONG_HEADER) - {"UN"}}
"""How a data element of each VR is checked."""

_IMPLICIT: Final = {
    vr: (_kind(vr), vr.encode() + (b"\0\0" if vr in LONG_HEADER else b"")) for vr in (SHORT_HEADER | LONG_HEADER) - {"UN"}
}
"""The same, and what stands between tag and length in explicit VR."""

_MOST_HEADS: Final = 4096
_MOST_SHORT: Final = 0xFFFF


_Head = tuple[int, int, int, bytes]
"""What the first eight bytes of a data element say.

Its tag; the bytes from its beginning to its end or, where the length stands behind these eight or the element is a sequence, to
its value; how its value is checked (one that is empty is binary); and the same header in the other one of explicit and implicit
VR, without the length if that is not known here or the element is a sequence.
"""


def _is_plain(tag: int) -> bool:
    """Whether nobody has to look at a data element because of its tag."""
    return _BELOW_FIRST < tag < _BEHIND_LAST and bool(tag & 0xFFFF) and tag not in _PECULIAR


class _Heads(dict[bytes, _Head | None]):
    """Heads by the eight bytes a data element begins with; None for one that is not plain. Remembers those met so far."""

    def __missing__(self, head: bytes) -> _Head | None:
        if len(head) < 8:
            raise error
        if len(self) >= _MOST_HEADS:
            self.clear()
        known = self[head] = self._read(head)
        return known

    def _read(self, head: bytes) -> _Head | None:
        raise NotImplementedError


class _ExplicitHeads(_Heads):
    """In explicit VR the eight bytes are tag, VR and length, or zeros if the length is a long one."""

    def _read(self, head: bytes) -> _Head | None:
        group, element, vr, length = _EXPLICIT_HEAD(head)
        tag, kind = group << 16 | element, _KINDS.get(vr)
        if kind is None or not _is_plain(tag) or BUILT_IN.plain.get(tag, code := vr.decode("ascii")) != code:
            return None
        if kind > _UID:
            return None if length else (tag, 12, kind, head[:4])
        return None if length & 1 else (tag, 8 + length, kind if length else _BINARY, head[:4] + _PACK_LONG(length))


class _ImplicitHeads(_Heads):
    """In implicit VR the eight bytes are tag and length; the dictionary knows the VR."""

    def __init__(self, dictionary: Dictionary) -> None:
        super().__init__()
        self._dictionary = dictionary

    def _read(self, head: bytes) -> _Head | None:
        group, element, length = _PLAIN(head)
        tag = group << 16 | element
        known = _IMPLICIT.get(self._dictionary.plain.get(tag, ""))
        if known is None or not _is_plain(tag):
            return None
        kind, code = known
        if kind == _SEQUENCE:
            return tag, 8, kind, head[:4] + code
        if length & 1 or (kind <= _UID and length > _MOST_SHORT):
            return None
        written = _PACK_SHORT(length) if kind <= _UID else _PACK_LONG(length)
        return tag, 8 + length, kind if length else _BINARY, head[:4] + code + written


_EXPLICIT_HEADS: Final = _ExplicitHeads()


@lru_cache(maxsize=2)
def _implicit_heads(dictionary: Dictionary) -> _ImplicitHeads:
    return _ImplicitHeads(dictionary)


class Walked(NamedTuple):
    """A plain item: the offset behind it in the buffer, its canonical bytes (explicit VR, little endian, without lengths and item
    delimiters: PS3.3 C.12.1.1.3.1.1), the numbers of data elements and of items and sequences at all levels, and how lengths are
    written.
    """

    end: int
    stream: bytes
    elements: int
    containers: int
    lengths: Lengths


_Elements = Callable[["_Walk", int, int, bool], int]


class _NotPlain(Exception):
    """Something that has to be looked at in detail."""


class _Walk:
    """The pieces found so far."""

    __slots__ = ("buffer", "containers", "defined", "depth", "elements", "heads", "parts", "undefined")

    def __init__(self, buffer: bytes, depth: int, heads: _Heads) -> None:
        self.buffer = buffer
        self.depth = depth
        self.heads = heads
        self.parts: list[bytes] = []
        self.elements = 0
        self.containers = 0
        self.defined = False
        self.undefined = False

    def item(self, position: int, limit: int, elements: _Elements) -> int:
        """The item at `position`, which must not reach beyond `limit`; returns the offset behind it."""
        group, element, length = _PLAIN_AT(self.buffer, position)
        if group != 0xFFFE or element != 0xE000:
            raise _NotPlain
        position += 8
        self.containers += 1
        self.parts.append(_ITEM)
        if length == UNDEFINED:
            self.undefined = True
            return elements(self, position, limit, True)
        self.defined = True
        end: int = position + length
        if end > limit or elements(self, position, end, False) != end:
            raise _NotPlain
        return end

    def sequence(self, position: int, length: int, limit: int, elements: _Elements) -> int:
        """The items of a sequence, and its end; returns the offset behind it."""
        self.depth -= 1
        if self.depth < 0:
            raise _NotPlain
        if length == UNDEFINED:
            buffer = self.buffer
            self.undefined = True
            while buffer[position : position + 4] == _ITEM:
                position = self.item(position, limit, elements)
            if _PLAIN_AT(buffer, position) != (0xFFFE, 0xE0DD, 0):
                raise _NotPlain
            position += 8
        else:
            self.defined = True
            end = position + length
            if end > limit:
                raise _NotPlain
            while position < end:
                position = self.item(position, end, elements)
        self.depth += 1
        self.containers += 1
        self.parts.append(_END_OF_SEQUENCE)
        return position


def _explicit(walk: _Walk, position: int, limit: int, delimited: bool) -> int:
    """The data elements of an item in explicit VR up to `limit`, or, if it is `delimited`, its end."""
    buffer, heads, last, count = walk.buffer, walk.heads, -1, 0
    start = position  # of what has not been taken over yet
    while position < limit:
        known = heads[buffer[position : position + 8]]
        if known is None:
            if not delimited or buffer[position : position + 8] != _END_OF_ITEM:
                raise _NotPlain
            walk.parts.append(buffer[start:position])
            position += 8
            break
        tag, size, kind, _ = known
        if tag <= last:
            raise _NotPlain
        last = tag
        count += 1
        position += size
        if not kind:  # binary
            continue
        if kind >= _SEQUENCE:
            (length,) = _LENGTH(buffer, position - 4)
            if kind == _SEQUENCE:
                walk.parts.append(buffer[start : position - 4])
                start = position = walk.sequence(position, length, limit, _explicit)
                continue
            if length & 1:
                raise _NotPlain
            position += length
            if kind == _LONG or not length:
                continue
        if kind == _UID:
            _check_uid(buffer[position - size + 8 : position], size - 8)
        elif (end := buffer[position - 1]) <= 0x20 and (not end or (end == 0x20 and buffer[position - 2] in b" \0")):
            raise _NotPlain  # more padding than a text needs
    else:
        if delimited:
            raise _NotPlain
        walk.parts.append(buffer[start:position])
    if position > limit:
        raise _NotPlain
    walk.elements += count
    return position


def _implicit(walk: _Walk, position: int, limit: int, delimited: bool) -> int:
    """The same in implicit VR."""
    buffer, heads, parts, last, count = walk.buffer, walk.heads, walk.parts, -1, 0
    while position < limit:
        known = heads[buffer[position : position + 8]]
        if known is None:
            if not delimited or buffer[position : position + 8] != _END_OF_ITEM:
                raise _NotPlain
            position += 8
            break
        tag, size, kind, head = known
        if tag <= last:
            raise _NotPlain
        last = tag
        count += 1
        parts.append(head)
        if kind == _SEQUENCE:
            (length,) = _LENGTH(buffer, position + 4)
            position = walk.sequence(position + 8, length, limit, _implicit)
            continue
        value = buffer[position + 8 : position + size]
        position += size
        parts.append(value)
        if kind in (_BINARY, _LONG):
            continue
        if kind == _UID:
            _check_uid(value, size - 8)
        elif not buffer[position - 1] or (buffer[position - 1] == 0x20 and buffer[position - 2] in b" \0"):
            raise _NotPlain  # more padding than a text needs
    else:
        if delimited:
            raise _NotPlain
    if position > limit:
        raise _NotPlain
    walk.elements += count
    return position


def _check_uid(value: bytes, length: int) -> None:
    """Is a UID of this length in normal form?"""
    if len(value) < length:
        raise error  # it has not come yet
    if normal_uid(value) != value:
        raise _NotPlain


def walk_item(
    buffer: bytes, position: int, form: int, *, size: int, depth: int, ended: bool, dictionary: Dictionary
) -> Walked | bool:
    """The item at `position` of the buffer, header included; True if more bytes are needed, False if it is not plain.

    An item of more than `size` bytes, or with sequences nested more than `depth` deep, is not plain. `ended`: no bytes are to
    come. `form` is EXPLICIT or IMPLICIT.
    """
    explicit = form == EXPLICIT
    walk = _Walk(buffer, depth, _EXPLICIT_HEADS if explicit else _implicit_heads(dictionary))
    limit = position + size
    try:
        end = walk.item(position, limit, _explicit if explicit else _implicit)
    except _NotPlain:
        return False
    except (error, IndexError):  # of struct: the end of the buffer
        return not ended and len(buffer) < limit
    if end > len(buffer):
        return not ended
    lengths = Lengths.MIXED if walk.defined and walk.undefined else Lengths.DEFINED if walk.defined else Lengths.UNDEFINED
    return Walked(end, b"".join(walk.parts), walk.elements, walk.containers, lengths)


def element_sizes(content: bytes, position: int) -> Iterator[tuple[int, int]]:
    """Bytes of the header and of the whole of each data element from `position` on: plain, in explicit VR, no sequences."""
    heads, end = _EXPLICIT_HEADS, len(content)
    while position < end:
        known = heads[content[position : position + 8]]
        if known is None:
            raise ValueError("a data element that is not plain")
        _, size, kind, _ = known
        if kind > _SEQUENCE:
            yield size, size + _LENGTH(content, position + 8)[0]
            position += _LENGTH(content, position + 8)[0]
        else:
            yield 8, size
        position += size


class Recoder:
    """Writes plain items in another way: `form` is EXPLICIT or IMPLICIT, `undefined` asks for delimiters instead of lengths."""

    def __init__(self, form: int, dictionary: Dictionary, *, undefined: bool) -> None:
        self._form = form
        self._undefined = undefined
        self._heads: dict[int, _Heads] = {EXPLICIT: _EXPLICIT_HEADS, IMPLICIT: _implicit_heads(dictionary)}

    def recoded(self, raw: bytes, form: int) -> bytes:
        """A plain item, header included, that is in `form`."""
        parts: list[bytes] = []
        self._item(raw, 0, form, parts)
        return b"".join(parts)

    def _item(self, raw: bytes, position: int, form: int, parts: list[bytes]) -> tuple[int, int]:
        """Append the item at `position`; the offset behind it, and the bytes that were appended."""
        (length,) = _LENGTH(raw, position + 4)
        position += 8
        end = len(raw) if length == UNDEFINED else position + length
        parts.append(_ITEM)
        place = len(parts)
        parts.append(_NO_LENGTH)
        position, size = self._elements(raw, position, end, form, parts)
        if length == UNDEFINED:
            position += 8
        if self._undefined:
            parts.append(_END_OF_ITEM)
            return position, size + 16
        parts[place] = _PACK_LONG(size)
        return position, size + 8

    def _elements(self, raw: bytes, position: int, end: int, form: int, parts: list[bytes]) -> tuple[int, int]:
        """Append the data elements up to `end` or the end of the item; returns the same."""
        heads, same, total = self._heads[form], form == self._form, 0
        start = position  # of what is taken over as it is
        while position < end:
            known = heads[raw[position : position + 8]]
            if known is None:
                break
            _, size, kind, other = known
            behind = position + size
            if kind == _SEQUENCE:
                head = raw[start : behind - 4] if same else other
                parts.append(head)
                position, size = self._sequence(raw, behind, form, parts)
                total += len(head) + size
                start = position
                continue
            if kind > _SEQUENCE and form == EXPLICIT:
                behind += _LENGTH(raw, behind - 4)[0]
            if not same:
                parts += (other, raw[position + 8 : behind])
                total += len(other) + behind - position - 8
                start = behind
            position = behind
        parts.append(raw[start:position])
        return position, total + position - start

    def _sequence(self, raw: bytes, position: int, form: int, parts: list[bytes]) -> tuple[int, int]:
        """Append the length of a sequence and its items, which begin at `position`; returns the same."""
        (length,) = _LENGTH(raw, position - 4)
        end = len(raw) if length == UNDEFINED else position + length
        place, total = len(parts), 0
        parts.append(_NO_LENGTH)
        while position < end and raw[position : position + 4] == _ITEM:
            position, size = self._item(raw, position, form, parts)
            total += size
        if length == UNDEFINED:
            position += 8
        if self._undefined:
            parts.append(_SEQUENCE_DELIMITER)
            return position, total + 12
        parts[place] = _PACK_LONG(total)
        return position, total + 4
