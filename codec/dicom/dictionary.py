"""Data dictionary: VR and keyword by tag (PS3.6, PS3.7).

The tables are those of pydicom, completed with what DCMTK's dictionaries add (tools/generate_dictionary.py).
Implicit VR data sets depend on them: the MAC stream holds the VR of every element, so that both sides of a signature
need the same entries. Private attributes follow DCMTK's private.dic for the same reason; other collections differ from
it in a fifth of the entries.

Some VRs depend on other elements. They are pseudo codes here, for the caller to resolve:
"xs" US or SS, "ox" OB or OW, "lt" US, SS or OW (lookup tables), "px" Pixel Data, "na" items and delimiters.
"""

from __future__ import annotations

import functools
import struct
from collections.abc import Iterator
from itertools import repeat
from typing import Final

from . import _dictionary_data as _data

UNKNOWN: Final = "Unknown Tag & Data"
"""What DCMTK prints for an attribute without name."""


def _vrs(tags_by_vr: dict[str, str]) -> dict[int, str]:
    vrs: dict[int, str] = {}
    for vr, text in tags_by_vr.items():
        packed = bytes.fromhex(text)
        vrs.update(zip(struct.unpack(f">{len(packed) // 4}I", packed), repeat(vr)))
    return vrs


_VRS: Final = _vrs(_data.TAGS)
_GROUP_RANGES: Final = _vrs(_data.GROUP_RANGES)
_ELEMENT_RANGES: Final = _vrs(_data.ELEMENT_RANGES)


def vr_of(tag: int) -> str | None:
    """The VR of `tag` in the standard dictionary: two upper-case letters or a pseudo code of the above; else None.

    Repeating groups count for all their even groups (curves 50xx, overlays 60xx, 7Fxx). Group lengths (gggg,0000) are
    UL and private creators (gggg,0010) to (gggg,00ff) LO in every odd group (PS3.5 7.2, 7.8.1); other private elements
    are None, see `private_vr_of`.
    """
    vr = _VRS.get(tag)
    if vr is not None:
        return vr
    element = tag & 0xFFFF
    if not element:
        return "UL"
    if tag & 0x10000:
        return "LO" if 0x10 <= element <= 0xFF else None
    return _GROUP_RANGES.get(tag & 0xFF00FFFF) or (None if tag & 1 else _ELEMENT_RANGES.get(tag & 0xFFFFFF00))


def private_vr_of(tag: int, creator: str) -> str | None:
    """The VR of the private element `tag` in the block that `creator` (without padding) reserved; None if unknown."""
    vrs = _private_vrs(creator)
    return vrs.get(tag) or vrs.get(tag & 0xFFFF00FF)


@functools.lru_cache(maxsize=64)
def _private_vrs(creator: str) -> dict[int, str]:
    """VRs by tag for elements at a fixed place, by tag without block number for the others."""
    from ._dictionary_private import CREATORS  # loaded with the first private element of an implicit VR data set only

    vrs: dict[int, str] = {}
    vr = ""
    for word in CREATORS.get(creator, "").split():
        if len(word) == 2:
            vr = word
        elif "-" in word:
            first, last, element = int(word[:4], 16), int(word[5:9], 16), int(word[10:], 16)
            vrs.update(dict.fromkeys(((group << 16) | element for group in range(first, last + 1, 2)), vr))
        else:
            vrs[int(word[:4], 16) << 16 | int(word[4:], 16)] = vr
    return vrs


def keyword_of(tag: int) -> str:
    """The name of `tag` as DCMTK prints it.

    That is the keyword of PS3.6, with the prefix "RETIRED_" for retired attributes; "GenericGroupLength" (in odd groups
    "PrivateGroupLength") for group lengths without name; "PrivateCreator"; else "Unknown Tag & Data", which includes
    all other private attributes.
    """
    keywords, group_ranges, element_ranges = _keywords()
    keyword = keywords.get(tag)
    if keyword is not None:
        return keyword
    group, element = tag >> 16, tag & 0xFFFF
    if group & 1:
        prefix = "Illegal" if group < 8 else "Private"  # groups 0001 to 0007 are not allowed (PS3.5 7.8)
        if not element:
            return f"{prefix}GroupLength"
        if 0x10 <= element <= 0xFF:
            return "IllegalPrivateCreator" if group < 8 else "PrivateCreator"
        return UNKNOWN
    if not element:
        return "GenericGroupLength"
    return group_ranges.get(tag & 0xFF00FFFF) or (not tag & 1 and element_ranges.get(tag & 0xFFFFFF00)) or UNKNOWN


def tag_of(keyword: str) -> int | None:
    """The tag that `keyword_of` calls `keyword` (the lowest of a repeating group); None if there is none."""
    return _tags().get(keyword)


@functools.cache
def _keywords() -> tuple[dict[int, str], dict[int, str], dict[int, str]]:
    from . import _dictionary_names as names  # loaded when a name is asked for only

    return (
        dict(_named_tags(names.KEYWORDS)),
        dict(_named_tags(names.GROUP_RANGES)),
        dict(_named_tags(names.ELEMENT_RANGES)),
    )


def _named_tags(keywords_by_group: dict[int, str]) -> Iterator[tuple[int, str]]:
    for group, text in keywords_by_group.items():
        words = iter(text.split())
        for element, keyword in zip(words, words, strict=True):
            yield group << 16 | int(element, 16), keyword


@functools.cache
def _tags() -> dict[str, int]:
    return {keyword: tag for table in reversed(_keywords()) for tag, keyword in reversed(table.items())}
