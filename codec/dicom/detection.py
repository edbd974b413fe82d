"""Recognising meta groups and transfer syntaxes from the first bytes (the heuristics dcmsign uses)."""

from __future__ import annotations

from . import syntaxes
from .dictionary import BUILT_IN, Dictionary
from .events import EXPLICIT, IMPLICIT
from .vr import ALL

_VR_CODES = frozenset(vr.encode() for vr in ALL)


def looks_like_meta(head: bytes) -> int | None:
    """EXPLICIT or IMPLICIT if `head` (8 bytes) begins a file meta group (0002,xxxx), else None."""
    if head[:2] != b"\2\0":
        return None
    return EXPLICIT if head[4:6] in _VR_CODES else IMPLICIT


def detect_syntax(head: bytes, *, has_meta: bool = False, dictionary: Dictionary = BUILT_IN) -> syntaxes.TransferSyntax | None:
    """The native transfer syntax of a data set that begins with `head` (8 bytes, fewer if it ends), None if there is none.

    Byte order is that in which `dictionary` knows the tag. An empty data set behind a meta header counts as explicit VR little
    endian.
    """
    if len(head) < 8:
        return syntaxes.EXPLICIT_LE if has_meta and not head else None
    little = int.from_bytes(head[0:2], "little") << 16 | int.from_bytes(head[2:4], "little")
    big = int.from_bytes(head[0:2], "big") << 16 | int.from_bytes(head[2:4], "big")
    little_known, big_known = dictionary.vr_of(little) is not None, dictionary.vr_of(big) is not None
    big_endian = little >> 16 > 255 and big >> 16 <= 255 if little_known and big_known else big_known
    if head[4:6] in _VR_CODES:
        return syntaxes.EXPLICIT_BE if big_endian else syntaxes.EXPLICIT_LE
    return None if big_endian else syntaxes.IMPLICIT_LE
