"""Headers of data elements, items and delimiters (PS3.5 7.1, 7.5)."""

from __future__ import annotations

from struct import Struct

from .events import BIG, IMPLICIT, UNDEFINED
from .tags import ITEM, ITEM_DELIMITATION, SEQUENCE_DELIMITATION
from .vr import LONG_HEADER

_PLAIN_LE = Struct("<HHI").pack
_PLAIN_BE = Struct(">HHI").pack
_SHORT_LE = Struct("<HH2sH").pack
_SHORT_BE = Struct(">HH2sH").pack
_LONG_LE = Struct("<HH2sHI").pack
_LONG_BE = Struct(">HH2sHI").pack


def element_header(form: int, tag: int, vr: str, length: int) -> bytes:
    """Header of a data element in the given form (IMPLICIT, EXPLICIT or BIG).

    In explicit VR, a VR with 16-bit length whose value is longer becomes UN (PS3.5 6.2.2), as does an undefined length.
    """
    group, element = tag >> 16, tag & 0xFFFF
    if form == IMPLICIT:
        return _PLAIN_LE(group, element, length)
    if vr in LONG_HEADER:
        return (_LONG_BE if form == BIG else _LONG_LE)(group, element, vr.encode(), 0, length)
    if length > 0xFFFF:
        return (_LONG_BE if form == BIG else _LONG_LE)(group, element, b"UN", 0, length)
    return (_SHORT_BE if form == BIG else _SHORT_LE)(group, element, vr.encode(), length)


def plain_header(form: int, tag: int, length: int) -> bytes:
    """Tag and 32-bit length, as items and delimiters have them in every form."""
    return (_PLAIN_BE if form == BIG else _PLAIN_LE)(tag >> 16, tag & 0xFFFF, length)


def tag_bytes(form: int, tag: int) -> bytes:
    """The four bytes of a tag."""
    return plain_header(form, tag, 0)[:4]


def item_header(form: int, length: int = UNDEFINED) -> bytes:
    """Header of an item or fragment."""
    return plain_header(form, ITEM, length)


def item_end(form: int) -> bytes:
    """Item Delimitation Item."""
    return plain_header(form, ITEM_DELIMITATION, 0)


def sequence_end(form: int) -> bytes:
    """Sequence Delimitation Item."""
    return plain_header(form, SEQUENCE_DELIMITATION, 0)
