"""Headers of data elements, items and delimiters (PS3.5 7.1, 7.5)."""

from __future__ import annotations

from struct import Struct

from .context import ItemContext
from .events import BIG, CONVERTED, EXPLICIT, IMPLICIT, UNDEFINED
from .tags import ITEM, ITEM_DELIMITATION, PIXEL_DATA, SEQUENCE_DELIMITATION
from .vr import LONG_HEADER, SHORT_HEADER

_PLAIN_LE = Struct("<HHI").pack
_PLAIN_BE = Struct(">HHI").pack
_SHORT_LE = Struct("<HH2sH").pack
_SHORT_BE = Struct(">HH2sH").pack
_LONG_LE = Struct("<HH2sHI").pack
_LONG_BE = Struct(">HH2sHI").pack

_READ_EXPLICIT_LE = Struct("<HH2sH").unpack_from
_READ_EXPLICIT_BE = Struct(">HH2sH").unpack_from
_READ_PLAIN_LE = Struct("<HHI").unpack_from
_READ_PLAIN_BE = Struct(">HHI").unpack_from
_READ_LENGTH_LE = Struct("<I").unpack_from
_READ_LENGTH_BE = Struct(">I").unpack_from

_SHORT = {vr.encode(): vr for vr in SHORT_HEADER}
_LONG = {vr.encode(): vr for vr in LONG_HEADER}

Header = tuple[int, str, int, int, int]
"""Of a data element: tag, VR (empty for group FFFE), size of the header, length field, form."""


def read_plain_header(buffer: bytes, position: int, form: int) -> tuple[int, int]:
    """Tag and length of an item or delimiter; eight bytes must be there."""
    group, element, length = (_READ_PLAIN_BE if form == BIG else _READ_PLAIN_LE)(buffer, position)
    return group << 16 | element, length


def read_header(buffer: bytes, position: int, form: int, context: ItemContext | None) -> Header | None:
    """The header of the data element at `position`, None if bytes are missing.

    `context` says which VRs implicit elements have. Two upper case letters that are no VR have a 32-bit length, other non-VRs a
    16-bit one; both are UN.
    """
    available = len(buffer) - position
    if available < 8:
        return None
    if form == IMPLICIT:
        tag, length = read_plain_header(buffer, position, form)
        assert context is not None
        return tag, context.implicit_vr(tag, length == UNDEFINED), 8, length, form
    unpack, unpack_length = (_READ_EXPLICIT_BE, _READ_LENGTH_BE) if form == BIG else (_READ_EXPLICIT_LE, _READ_LENGTH_LE)
    group, element, code, length = unpack(buffer, position)
    tag = group << 16 | element
    known = _SHORT.get(code)
    if known is not None:
        return tag, known, 8, length, form
    if group == 0xFFFE:
        return tag, "", 8, read_plain_header(buffer, position, form)[1], form
    known = _LONG.get(code)
    if known is None and not (code.isalpha() and code.isupper()):
        return tag, "UN", 8, length, CONVERTED
    if available < 12:
        return None
    reserved = length
    (length,) = unpack_length(buffer, position + 8)
    if known is None:
        return tag, ("OW" if code == b"OX" and tag == PIXEL_DATA else "UN"), 12, length, CONVERTED
    if reserved and form == EXPLICIT and known != "UN":
        form = CONVERTED  # the reserved bytes are digested and written as zeros
    return tag, known, 12, length, form


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
