"""Data dictionary: VR and keyword by tag (PS3.6, PS3.7).

`BUILT_IN` holds the tables of pydicom, completed with what DCMTK's dictionaries add (tools/generate_dictionary.py).
Implicit VR data sets depend on them: the MAC stream holds the VR of every element, so that both sides of a signature
need the same entries. Private attributes follow DCMTK's private.dic for the same reason; other collections differ from
it in a fifth of the entries. Entries of other origin (`dictionary_text`) make a `Dictionary` of their own.

Some VRs depend on other elements. They are pseudo codes here, for the caller to resolve:
"xs" US or SS, "ox" OB or OW, "lt" US, SS or OW (lookup tables), "px" Pixel Data, "na" items and delimiters.
"""

from __future__ import annotations

import functools
import struct
from collections.abc import Iterable, Iterator
from itertools import repeat
from typing import Final, NamedTuple

from . import _dictionary_data as _data
from .tags import (
    CERTIFICATE_OF_SIGNER,
    CERTIFICATE_TYPE,
    CERTIFIED_TIMESTAMP,
    CERTIFIED_TIMESTAMP_TYPE,
    CODE_MEANING,
    CODE_VALUE,
    CODING_SCHEME_DESIGNATOR,
    DATA_ELEMENTS_SIGNED,
    DIGITAL_SIGNATURE_DATE_TIME,
    DIGITAL_SIGNATURE_PURPOSE_CODE_SEQUENCE,
    DIGITAL_SIGNATURE_UID,
    DIGITAL_SIGNATURES_SEQUENCE,
    ITEM,
    ITEM_DELIMITATION,
    MAC_ALGORITHM,
    MAC_CALCULATION_TRANSFER_SYNTAX_UID,
    MAC_ID_NUMBER,
    MAC_PARAMETERS_SEQUENCE,
    PIXEL_DATA,
    SEQUENCE_DELIMITATION,
    SIGNATURE,
)

UNKNOWN: Final = "Unknown Tag & Data"
"""What DCMTK prints for an attribute without name."""

_REMEMBERED: Final = 1 << 16
"""Answers about ranges that a dictionary keeps."""


class Numbers(NamedTuple):
    """Group or element numbers of an entry: `first` to `last`, only even ones if `parity` is 0, only odd ones if it is 1."""

    first: int
    last: int
    parity: int | None = None

    def hold(self, number: int) -> bool:
        """Whether the number is one of them."""
        return self.first <= number <= self.last and (self.parity is None or number & 1 == self.parity)


class Entry(NamedTuple):
    """One entry of a dictionary: VR (or pseudo code) and keyword of a tag or of a range of tags.

    `creator` is that of private attributes, else empty. Elements below 0100 then stand for every block of the creator.
    """

    groups: Numbers
    creator: str
    elements: Numbers
    vr: str
    keyword: str

    @property
    def tag(self) -> int:
        """The first tag."""
        return self.groups.first << 16 | self.elements.first

    @property
    def is_range(self) -> bool:
        """Whether it stands for more than one tag (the blocks of a private creator apart)."""
        return self.groups.first != self.groups.last or self.elements.first != self.elements.last

    def covers(self, tag: int) -> bool:
        """Whether the tag, of the same creator, is in the range; of a private creator in any block."""
        element = tag & 0xFFFF
        if not self.groups.hold(tag >> 16) or (self.elements.parity is not None and element & 1 != self.elements.parity):
            return False
        first, last, _ = self.elements
        return first <= element <= last or (self.creator != "" and first <= element & 0xFF <= last)

    def same_place(self, other: Entry) -> bool:
        """Whether the other one is about the same tags, so that the later one replaces the earlier."""
        return self[:3] == other[:3]

    def inside(self, other: Entry) -> bool:
        """Whether the other range encloses this one, which is then looked at first."""
        return (
            self.creator == other.creator
            and other.groups.first <= self.groups.first
            and self.groups.last <= other.groups.last
            and other.elements.first <= self.elements.first
            and self.elements.last <= other.elements.last
        )


def _single(tag: int, vr: str, keyword: str = UNKNOWN) -> Entry:
    return Entry(Numbers(tag >> 16, tag >> 16), "", Numbers(tag & 0xFFFF, tag & 0xFFFF), vr, keyword)


_ALWAYS: Final = (
    Entry(Numbers(0, 0xFFFF), "", Numbers(0, 0), "UL", "GenericGroupLength"),
    _single(ITEM, "na", "Item"),
    _single(ITEM_DELIMITATION, "na", "ItemDelimitationItem"),
    _single(SEQUENCE_DELIMITATION, "na", "SequenceDelimitationItem"),
)
"""What every dictionary holds, as DCMTK's do."""

_STRUCTURE: Final = {
    CODE_VALUE: "SH",
    CODING_SCHEME_DESIGNATOR: "SH",
    CODE_MEANING: "LO",
    MAC_ID_NUMBER: "US",
    MAC_CALCULATION_TRANSFER_SYNTAX_UID: "UI",
    MAC_ALGORITHM: "CS",
    DATA_ELEMENTS_SIGNED: "AT",
    DIGITAL_SIGNATURE_UID: "UI",
    DIGITAL_SIGNATURE_DATE_TIME: "DT",
    CERTIFICATE_TYPE: "CS",
    CERTIFICATE_OF_SIGNER: "OB",
    SIGNATURE: "OB",
    CERTIFIED_TIMESTAMP_TYPE: "CS",
    CERTIFIED_TIMESTAMP: "OB",
    DIGITAL_SIGNATURE_PURPOSE_CODE_SEQUENCE: "SQ",
    MAC_PARAMETERS_SEQUENCE: "SQ",
    PIXEL_DATA: "px",
    DIGITAL_SIGNATURES_SEQUENCE: "SQ",
}
"""VRs without which no signature is found in implicit VR (PS3.3 C.12.1.1.3); known even where a dictionary lacks them."""


class Dictionary:
    """What a list of entries says about tags. `plain` holds the VRs that need no further thought, by tag.

    A later entry replaces an earlier one about the same tag or range, keyword included. A tag of its own comes before ranges,
    a range inside another one before that one. Attributes of digital signatures keep their VRs where no entry is about them,
    but then have no keyword.
    """

    __slots__ = ("_ranges", "_remembered", "_singles", "plain")

    def __init__(self, entries: Iterable[Entry]) -> None:
        self._singles: dict[str, dict[int, Entry]] = {}
        self._ranges: list[Entry] = []
        self._remembered: dict[tuple[int, str], Entry | None] = {}
        for entry in (*_ALWAYS, *entries):
            if entry.is_range:
                self._insert(entry)
            else:
                self._singles.setdefault(entry.creator, {})[entry.tag] = entry
        self.plain = {tag: entry.vr for tag, entry in self._singles[""].items() if _is_plain(tag, entry.vr)}

    def _insert(self, entry: Entry) -> None:
        for place, other in enumerate(self._ranges):
            if entry.same_place(other):
                self._ranges[place] = entry
                return
            if entry.inside(other):
                self._ranges.insert(place, entry)
                return
        self._ranges.append(entry)

    def _find(self, tag: int, creator: str = "") -> Entry | None:
        singles = self._singles.get(creator, {})
        entry = singles.get(tag) or (singles.get(tag & 0xFFFF00FF) if creator else None)
        if entry is not None:
            return entry
        key = tag, creator
        if key in (remembered := self._remembered):
            return remembered[key]
        entry = next((wide for wide in self._ranges if wide.creator == creator and wide.covers(tag)), None)
        if len(remembered) < _REMEMBERED:
            remembered[key] = entry
        return entry

    def vr_of(self, tag: int) -> str | None:
        """The VR of `tag` among the entries without private creator: two upper-case letters or a pseudo code; else None."""
        entry = self._find(tag)
        return _STRUCTURE.get(tag) if entry is None else entry.vr

    def private_vr_of(self, tag: int, creator: str) -> str | None:
        """The VR of the private element `tag` in the block that `creator` (without padding) reserved; None if unknown."""
        entry = self._find(tag, creator) if creator else None
        return None if entry is None else entry.vr

    def keyword_of(self, tag: int) -> str:
        """The name of `tag` as DCMTK prints it, "Unknown Tag & Data" if it has none; private creators do not matter."""
        entry = self._find(tag)
        return UNKNOWN if entry is None else entry.keyword

    def tag_of(self, keyword: str) -> int | None:
        """The tag, of ranges and private blocks the lowest one, that has this name; None if there is none.

        Of several the one that DCMTK finds: tags of even groups, then ranges, then private ones; the order of equals is that
        of its hash table.
        """
        if not keyword:
            return None
        found = [entry for table in self._singles.values() for entry in table.values() if entry.keyword == keyword]
        standard = [entry for entry in found if not entry.tag & 0x10000]
        if not standard:
            ranges = [entry for entry in self._ranges if entry.keyword == keyword]
            if ranges:
                return ranges[0].tag
        return min(standard or found, key=_bucket).tag if found else None


def _is_plain(tag: int, vr: str) -> bool:
    group, element = tag >> 16, tag & 0xFFFF
    return not group & 1 and group != 0xFFFE and element != 0 and vr.isupper() and vr != "UN"


def _bucket(entry: Entry) -> tuple[int, int]:
    """Where the entry lies in DCMTK's hash table."""
    mixed = entry.tag
    for place, byte in enumerate(entry.creator.encode("latin-1", "replace"), 1):
        mixed ^= ((byte ^ 0x80) - 0x80) << (place % 4 * 8)  # bytes are signed
    return (mixed & 0xFFFFFFFF) % 2011, entry.tag


def _vrs(tags_by_vr: dict[str, str]) -> dict[int, str]:
    vrs: dict[int, str] = {}
    for vr, text in tags_by_vr.items():
        packed = bytes.fromhex(text)
        vrs.update(zip(struct.unpack(f">{len(packed) // 4}I", packed), repeat(vr)))
    return vrs


_GROUP_RANGES: Final = _vrs(_data.GROUP_RANGES)
_ELEMENT_RANGES: Final = _vrs(_data.ELEMENT_RANGES)


class _BuiltIn(Dictionary):
    """The generated tables. Keywords and private attributes are loaded when they are asked for."""

    __slots__ = ("_dependent",)

    def __init__(self) -> None:
        dependent = ("UN", "lt", "na", "ox", "px", "xs")
        self.plain = _vrs({vr: text for vr, text in _data.TAGS.items() if vr not in dependent})
        self._dependent = _vrs({vr: text for vr, text in _data.TAGS.items() if vr in dependent})

    def __reduce__(self) -> str:
        return "BUILT_IN"

    def vr_of(self, tag: int) -> str | None:
        """The VR of `tag` in the standard dictionary: two upper-case letters or a pseudo code of the above; else None.

        Repeating groups count for all their even groups (curves 50xx, overlays 60xx, 7Fxx). Group lengths (gggg,0000) are
        UL and private creators (gggg,0010) to (gggg,00ff) LO in every odd group (PS3.5 7.2, 7.8.1); other private elements
        are None, see `private_vr_of`.
        """
        vr = self.plain.get(tag) or self._dependent.get(tag)
        if vr is not None:
            return vr
        element = tag & 0xFFFF
        if not element:
            return "UL"
        if tag & 0x10000:
            return "LO" if 0x10 <= element <= 0xFF else None
        return _GROUP_RANGES.get(tag & 0xFF00FFFF) or (None if tag & 1 else _ELEMENT_RANGES.get(tag & 0xFFFFFF00))

    def private_vr_of(self, tag: int, creator: str) -> str | None:
        """The VR of the private element `tag` in the block that `creator` (without padding) reserved; None if unknown."""
        vrs = _private_vrs(creator)
        return vrs.get(tag) or vrs.get(tag & 0xFFFF00FF)

    def keyword_of(self, tag: int) -> str:
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

    def tag_of(self, keyword: str) -> int | None:
        """The tag that `keyword_of` calls `keyword` (the lowest of a repeating group); None if there is none."""
        return _tags().get(keyword)


BUILT_IN: Final[Dictionary] = _BuiltIn()
"""The dictionary for everybody who names no other."""


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
