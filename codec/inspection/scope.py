"""What signatures protect of an object, and what they do not."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from ..signature.location import Location
from ..signature.signable import signable
from .mapping import Entry, ObjectMap, Part


class Signed(NamedTuple):
    """What the scope of a signature follows from.

    `tags`: Data Elements Signed. `complete`: whether the digest holds every byte of them; `missing`: bytes it leaves out.
    """

    location: Location
    tags: frozenset[int]
    complete: bool = True
    missing: int = 0


class Scope(NamedTuple):
    """What a signature, or several together, protect of an object.

    `protected` and `unprotected`: entries of the map; behind the unprotected ones what is excluded from protected sequences.
    `absent`: tags listed as signed of which there is no data element. `unlisted`: data elements of the signed levels that are not
    protected: not listed, added later, second ones of their kind, or of a VR that cannot be signed. `protected_bytes`: bytes of
    the input. `complete`: every data element of the main data set is protected, and by a digest that holds all of it. `left_out`:
    what is excluded from protected sequences.
    """

    protected: tuple[Entry, ...]
    unprotected: tuple[Entry, ...]
    absent: tuple[int, ...]
    unlisted: tuple[Entry, ...]
    protected_bytes: int
    complete: bool
    left_out: tuple[Entry, ...] = ()


class _Level(NamedTuple):
    first: dict[int, Entry]
    """The data elements of a level that digests are made over: the first of each tag."""
    entries: list[Entry]


def _levels(object_map: ObjectMap) -> dict[Location, _Level]:
    levels: dict[Location, _Level] = {(): _Level({}, [])}
    for entry in object_map.entries:
        if entry.part in (Part.ELEMENT, Part.GROUP_LENGTH, Part.SIGNATURES, Part.PADDING):
            level = levels.setdefault(entry.location, _Level({}, []))
            level.entries.append(entry)
            if entry.part is Part.ELEMENT and entry.tag is not None:
                level.first.setdefault(entry.tag, entry)
    return levels


def scope_of(object_map: ObjectMap, signatures: Sequence[Signed]) -> Scope:
    """What these signatures, whose digests match, protect of the object; several protect what any of them does."""
    levels = _levels(object_map)
    protected: set[Entry] = set()
    incomplete: set[Entry] = set()
    absent: set[int] = set()
    for signature in signatures:
        level = levels.get(signature.location, _Level({}, []))
        found = {entry for tag in signature.tags if (entry := level.first.get(tag)) and signable(entry.tag or 0, entry.vr)}
        protected |= found
        if not signature.complete:
            incomplete |= {entry for entry in found if entry.vr == "SQ"}
        absent |= {tag for tag in signature.tags if tag not in level.first}
    for signature in signatures:
        if signature.complete:
            incomplete -= {entry for entry in protected if entry.location == signature.location and entry.tag in signature.tags}
    spans = _merged(protected)
    left_out = [entry for entry in object_map.excluded if _inside(entry, spans)]
    signed_levels = {signature.location for signature in signatures}
    unlisted = tuple(
        entry
        for location in sorted(signed_levels)
        for entry in levels.get(location, _Level({}, [])).entries
        if entry.part is Part.ELEMENT and entry not in protected
    )
    whole = [entry for entry in (*levels[()].entries, *left_out) if entry.part is Part.ELEMENT]
    missing = max((signature.missing for signature in signatures), default=0) if incomplete else 0
    return Scope(
        protected=tuple(entry for entry in object_map.entries if entry in protected),
        unprotected=(*(entry for entry in object_map.entries if entry not in protected), *left_out),
        absent=tuple(sorted(absent)),
        unlisted=unlisted,
        protected_bytes=max(0, sum(end - start for start, end in spans) - _size(left_out) - missing),
        complete=bool(whole) and not incomplete and not object_map.more and all(entry in protected for entry in whole),
        left_out=tuple(left_out),
    )


def _merged(entries: Iterable[Entry]) -> list[tuple[int, int]]:
    """The bytes of entries, which lie beside or inside each other, as spans that do not overlap."""
    spans: list[tuple[int, int]] = []
    for start, end in sorted((entry.offset, entry.offset + entry.size) for entry in entries):
        if spans and start < spans[-1][1]:
            spans[-1] = (spans[-1][0], max(end, spans[-1][1]))
        else:
            spans.append((start, end))
    return spans


def _inside(entry: Entry, spans: Sequence[tuple[int, int]]) -> bool:
    place = bisect_right(spans, (entry.offset, 1 << 63)) - 1
    return place >= 0 and spans[place][0] <= entry.offset < spans[place][1]


def _size(entries: Iterable[Entry]) -> int:
    return sum(end - start for start, end in _merged(entries))
