"""Items of sequences that are plain: everything in them is in normal form already, so that nobody has to look at it in detail.

Functional groups and content trees hold hundreds of thousands of small data elements. An item that is plain is checked, and its
canonical form made, in one tight loop; what is not plain goes the ordinary way, element by element. Plain means: little endian,
tags ascending and signable, VRs known without context, even lengths, values in normal form (PS3.5 6.2, 7.1), nested sequences
plain as well, no signatures and no Pixel Data inside.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from struct import Struct, error
from typing import Final, NamedTuple

from .dictionary import Dictionary
from .events import EXPLICIT, UNDEFINED, Lengths
from .tags import MAC_PARAMETERS_SEQUENCE, ORIGINAL_ATTRIBUTES_SEQUENCE, PIXEL_DATA
from .values import normal_uid
from .vr import LONG_HEADER, SHORT_HEADER, TEXT

_SHORT: Final = Struct("<H").unpack_from
_LONG_LENGTH: Final = Struct("<HI").unpack_from
_PLAIN: Final = Struct("<HHI").unpack_from
_LENGTH: Final = Struct("<I").unpack_from
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


@lru_cache(maxsize=2)
def _implicit_heads(dictionary: Dictionary) -> dict[bytes, tuple[int, int, bytes]]:
    """What is known so far about data elements in implicit VR, by their tags."""
    return {}


class _Walk:
    """The pieces found so far."""

    __slots__ = ("buffer", "containers", "defined", "depth", "dictionary", "elements", "heads", "parts", "undefined")

    def __init__(self, buffer: bytes, depth: int, dictionary: Dictionary) -> None:
        self.buffer = buffer
        self.depth = depth
        self.dictionary = dictionary
        self.parts: list[bytes] = []
        self.elements = 0
        self.containers = 0
        self.defined = False
        self.undefined = False
        self.heads = _implicit_heads(dictionary)

    def implicit_head(self, head: bytes) -> tuple[int, int, bytes] | None:
        """Tag and kind of a data element in implicit VR, and its explicit header up to the length; None if it is not plain."""
        tag = int.from_bytes(head[:2], "little") << 16 | int.from_bytes(head[2:4], "little")
        known = _IMPLICIT.get(self.dictionary.plain.get(tag, ""))
        if known is None or not _is_plain(tag):
            return None
        if len(self.heads) >= _MOST_HEADS:
            self.heads.clear()
        kind, code = known
        return self.heads.setdefault(head, (tag, kind, head + code))

    def item(self, position: int, limit: int, elements: _Elements) -> int:
        """The item at `position`, which must not reach beyond `limit`; returns the offset behind it."""
        group, element, length = _PLAIN(self.buffer, position)
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
            if _PLAIN(buffer, position) != (0xFFFE, 0xE0DD, 0):
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
    buffer, last, count = walk.buffer, -1, 0
    start = position  # of what has not been taken over yet
    heads = _HEADS
    while position < limit:
        head = buffer[position : position + 6]
        known = heads.get(head) or _head(head)
        if known is None:
            if not delimited or buffer[position : position + 8] != _END_OF_ITEM:
                raise _NotPlain if len(buffer) - position >= 8 else error
            walk.parts.append(buffer[start:position])
            position += 8
            break
        tag, kind = known
        if tag <= last:
            raise _NotPlain
        last = tag
        count += 1
        if kind <= _UID:
            (length,) = _SHORT(buffer, position + 6)
            position += 8 + length
        else:
            reserved, length = _LONG_LENGTH(buffer, position + 6)
            if reserved:
                raise _NotPlain
            if kind == _SEQUENCE:
                walk.parts.append(buffer[start : position + 8])
                start = position = walk.sequence(position + 12, length, limit, _explicit)
                continue
            position += 12 + length
        if length & 1 or position > limit:
            raise _NotPlain
        if kind and length and kind != _LONG:
            _check(buffer, position, length, kind)
    else:
        if delimited:
            raise _NotPlain
        walk.parts.append(buffer[start:position])
    if position > limit:
        raise _NotPlain
    walk.elements += count
    return position


_HEADS: Final[dict[bytes, tuple[int, int]]] = {}
"""Tag and kind by what a data element in explicit VR begins with, for those seen so far that can be plain."""

_MOST_HEADS: Final = 4096


def _head(head: bytes) -> tuple[int, int] | None:
    """Tag and kind of a data element in explicit VR, None if it is not plain."""
    kind = _KINDS.get(head[4:])
    tag = int.from_bytes(head[:2], "little") << 16 | int.from_bytes(head[2:4], "little")
    if kind is None or not _is_plain(tag):
        return None
    if len(_HEADS) >= _MOST_HEADS:
        _HEADS.clear()
    return _HEADS.setdefault(head, (tag, kind))


def _is_plain(tag: int) -> bool:
    """Whether nobody has to look at a data element because of its tag."""
    return _BELOW_FIRST < tag < _BEHIND_LAST and bool(tag & 0xFFFF) and tag not in _PECULIAR


def _implicit(walk: _Walk, position: int, limit: int, delimited: bool) -> int:
    """The same in implicit VR."""
    buffer, parts, last, count = walk.buffer, walk.parts, -1, 0
    heads = walk.heads
    while position < limit:
        head = buffer[position : position + 4]
        known = heads.get(head)
        if known is None:
            known = walk.implicit_head(head)
        if known is None:
            if not delimited or buffer[position : position + 8] != _END_OF_ITEM:
                raise _NotPlain if len(buffer) - position >= 8 else error
            position += 8
            break
        tag, kind, start = known
        if tag <= last:
            raise _NotPlain
        last = tag
        count += 1
        (length,) = _LENGTH(buffer, position + 4)
        position += 8
        if kind == _SEQUENCE:
            parts.append(start)
            position = walk.sequence(position, length, limit, _implicit)
            continue
        end = position + length
        if length & 1 or end > limit:
            raise _NotPlain
        parts.append(start + (_PACK_SHORT(length) if kind <= _UID else _PACK_LONG(length)) + buffer[position:end])
        position = end
        if kind and length and kind != _LONG:
            _check(buffer, position, length, kind)
    else:
        if delimited:
            raise _NotPlain
    if position > limit:
        raise _NotPlain
    walk.elements += count
    return position


def _check(buffer: bytes, end: int, length: int, kind: int) -> None:
    """Is the value of this length that ends here in normal form?"""
    if end > len(buffer):
        raise error  # it has not come yet
    if kind == _UID:
        value = buffer[end - length : end]
        if normal_uid(value) != value:
            raise _NotPlain
    elif (buffer[end - 1] == 0x20 and buffer[end - 2] in b" \0") or not buffer[end - 1]:
        raise _NotPlain


def walk_item(
    buffer: bytes, position: int, form: int, *, size: int, depth: int, ended: bool, dictionary: Dictionary
) -> Walked | bool:
    """The item at `position` of the buffer, header included; True if more bytes are needed, False if it is not plain.

    An item of more than `size` bytes, or with sequences nested more than `depth` deep, is not plain. `ended`: no bytes are to
    come. `form` is EXPLICIT or IMPLICIT.
    """
    walk = _Walk(buffer, depth, dictionary)
    limit = position + size
    try:
        end = walk.item(position, limit, _explicit if form == EXPLICIT else _implicit)
    except _NotPlain:
        return False
    except error:  # of struct: the end of the buffer
        return not ended and len(buffer) < limit
    if end > len(buffer):
        return not ended
    lengths = Lengths.MIXED if walk.defined and walk.undefined else Lengths.DEFINED if walk.defined else Lengths.UNDEFINED
    return Walked(end, b"".join(walk.parts), walk.elements, walk.containers, lengths)


class Recoder:
    """Writes plain items in another way: `form` is EXPLICIT or IMPLICIT, `undefined` asks for delimiters instead of lengths."""

    def __init__(self, form: int, dictionary: Dictionary, *, undefined: bool) -> None:
        self._form = form
        self._heads = _implicit_heads(dictionary)
        self._undefined = undefined

    def recoded(self, raw: bytes, form: int) -> bytes:
        """A plain item, header included, that is in `form`."""
        return self._item(raw, 0, form)[0]

    def _item(self, raw: bytes, position: int, form: int) -> tuple[bytes, int]:
        """The item at `position`, and the offset behind it."""
        (length,) = _LENGTH(raw, position + 4)
        position += 8
        end = len(raw) if length == UNDEFINED else position + length
        content, position = self._elements(raw, position, end, form)
        if length == UNDEFINED:
            position += 8
        if self._undefined:
            return b"".join((_ITEM, _NO_LENGTH, content, _END_OF_ITEM)), position
        return b"".join((_ITEM, _PACK_LONG(len(content)), content)), position

    def _elements(self, raw: bytes, position: int, end: int, form: int) -> tuple[bytes, int]:
        """The data elements up to `end` or the end of the item."""
        parts: list[bytes] = []
        same = form == self._form
        start = position  # of what is taken over as it is
        while position < end and raw[position : position + 4] != _END_OF_ITEM[:4]:
            kind, size, length = self._header(raw, position, form)
            if kind == _SEQUENCE or not same:
                parts.append(raw[start:position])
                parts.append(self._start(raw, position, kind, form, length))
            position += size
            if kind == _SEQUENCE:
                content, position = self._items(raw, position, length, form)
                parts += (_NO_LENGTH, content, _SEQUENCE_DELIMITER) if self._undefined else (_PACK_LONG(len(content)), content)
                start = position
                continue
            if not same:
                start = position
            position += length
        parts.append(raw[start:position])
        return b"".join(parts), position

    def _header(self, raw: bytes, position: int, form: int) -> tuple[int, int, int]:
        """Kind, size of the header and length of a data element."""
        if form != EXPLICIT:
            return self._heads[raw[position : position + 4]][1], 8, _LENGTH(raw, position + 4)[0]
        kind = _KINDS[raw[position + 4 : position + 6]]
        if kind <= _UID:
            return kind, 8, _SHORT(raw, position + 6)[0]
        return kind, 12, _LENGTH(raw, position + 8)[0]

    def _start(self, raw: bytes, position: int, kind: int, form: int, length: int) -> bytes:
        """The header of a data element; that of a sequence up to its length."""
        tag = raw[position : position + 4]
        if self._form != EXPLICIT:
            return tag if kind == _SEQUENCE else tag + _PACK_LONG(length)
        start = raw[position : position + (8 if kind > _UID else 6)] if form == EXPLICIT else self._heads[tag][2]
        if kind == _SEQUENCE:
            return start
        return start + (_PACK_SHORT(length) if kind <= _UID else _PACK_LONG(length))

    def _items(self, raw: bytes, position: int, length: int, form: int) -> tuple[bytes, int]:
        """The items of a sequence, and the offset behind it."""
        parts: list[bytes] = []
        end = len(raw) if length == UNDEFINED else position + length
        while position < end and raw[position : position + 4] == _ITEM:
            item, position = self._item(raw, position, form)
            parts.append(item)
        return b"".join(parts), position + 8 if length == UNDEFINED else position
