"""Where a signature is or shall be: the main data set, or an item in a sequence in an item in a sequence ..."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

from ..dicom.events import Element, Event, FragmentsStart, ItemEnd, ItemStart, SequenceEnd, SequenceStart, ValueStart
from ..dicom.tags import DIGITAL_SIGNATURES_SEQUENCE
from ..dicom.tags import text as tag_text
from ..errors import ItemNotFound

Location = tuple[tuple[int, int], ...]
"""(sequence tag, item number from 0) for each level; empty for the main data set."""

_SPACE = r"[ \t\n\v\f\r]*+"
_HEX = rf"({_SPACE}[+-]?(?:0[xX][0-9a-fA-F]*|[0-9a-fA-F]+))"
# compiled when they are first used
_TOKENS = {
    "period": r"\.",
    "end": rf"{_SPACE}\Z",
    "index": rf"{_SPACE}\[([0-9]+)\]",
    "number": rf"{_SPACE}\({_HEX},{_HEX}[^)]*\)",
    "name": rf"{_SPACE}(?![\[(.])([A-Za-z0-9]*)",
}
_MOST = (1 << 64) - 1
_PLAIN = (Element, ValueStart, FragmentsStart)


def search_order(location: Location) -> tuple[int, ...]:
    """Key that sorts locations depth first, each level's own signatures at the place of (FFFA,FFFA)."""
    return (*(part for step in location for part in step), DIGITAL_SIGNATURES_SEQUENCE)


class ItemPath(NamedTuple):
    """A location to look for. `fault`, if not empty, is what is wrong with the text behind the steps that were understood.

    The item number of the last step is None if the text has none.
    """

    steps: tuple[tuple[int, int | None], ...]
    text: str
    fault: tuple[str, ...] = ()

    @property
    def in_main_data_set(self) -> bool:
        """Whether it leads nowhere else."""
        return not self.steps and not self.fault

    @property
    def location(self) -> Location:
        """The location, if nothing is wrong with it."""
        return tuple((tag, number) for tag, number in self.steps if number is not None)


def item_path(location: Location) -> ItemPath:
    """The path to a location that is known in numbers."""
    return ItemPath(location, ".".join(f"{tag_text(tag)}[{number}]" for tag, number in location))


def parse_location(text: str, tag_of: Callable[[str], int | None]) -> ItemPath:
    """The path in a text ``Name[index].Name[index]...``, names being keywords for `tag_of` or tags ``(gggg,eeee)``.

    Blanks may stand before names and ``[`` and at the end. Faults are part of the result, since dcmsign follows a path up to
    the fault before it tells of it.
    """
    parse_error, incomplete = f"parse error in item location string '{text}'", f"item location string '{text}' incomplete."
    steps: list[tuple[int, int | None]] = []
    position, expected = 0, "tag"
    while True:
        kind, groups, position = _token(text, position)
        tag = None
        if kind == "name":
            kind, tag = "tag", tag_of(groups[0])
            if tag is None:
                return ItemPath(tuple(steps), text, (f"attribute name '{groups[0]}' unknown.", parse_error))
        elif kind == "number":
            kind, tag = "tag", _hexadecimal(groups[0]) << 16 | _hexadecimal(groups[1])
        if kind == "end":
            return ItemPath(tuple(steps), text, () if expected == "period" else (incomplete,))
        if kind != expected:
            return ItemPath(tuple(steps), text, (parse_error,))
        if tag is not None:
            steps.append((tag, None))
        elif kind == "index":
            steps[-1] = (steps[-1][0], _decimal(groups[0]))
        expected = _BEHIND[kind]


_BEHIND = {"tag": "index", "index": "period", "period": "tag"}


def _token(text: str, position: int) -> tuple[str, tuple[str, ...], int]:
    """Kind, parts and end of what stands at a position."""
    for kind, pattern in _TOKENS.items():
        if found := re.compile(pattern).match(text, position):
            return kind, found.groups(), found.end()
    return "nothing", (), position


def _decimal(digits: str) -> int:
    """The low 32 bits of a number as C reads it: one too large is the largest of 64 bits."""
    significant = digits.lstrip("0")[:21]  # more have no influence
    return min(int(significant or "0"), _MOST) & 0xFFFFFFFF


def _hexadecimal(digits: str) -> int:
    """The low 16 bits of a number as C's scanf reads it: `0x` without digits is 0, a number too large is the largest."""
    stripped = digits.strip()
    number = 0 if stripped.lower().endswith("x") else int(stripped, 16)
    return (number if abs(number) <= _MOST else _MOST) & 0xFFFF


class ItemFinder:
    """Follows a path through the events of a data set, from its start on."""

    def __init__(self, path: ItemPath) -> None:
        self._path = path
        self._met: list[int | None] = []  # per step met: items of the sequence, None for another kind of data element
        self._matched = 0  # steps whose item has begun
        self._depth = 0  # open sequences
        self._over = not path.steps  # nothing that comes can belong to the path

    def feed(self, event: Event) -> bool:
        """Take an event; True if it begins the item that the path leads to."""
        kind = type(event)
        if kind is SequenceStart:
            self._meet(event.tag, 0)  # type: ignore[union-attr]
            self._depth += 1
        elif kind is SequenceEnd:
            self._depth -= 1
            if self._depth == self._matched < len(self._met):
                self._over = True
        elif kind is ItemStart:
            return not self._over and self._open_item(event.number)  # type: ignore[union-attr]
        elif kind is ItemEnd:
            if self._matched and self._depth == self._matched:
                self._over = True
        elif kind in _PLAIN:
            self._meet(event.tag, None)  # type: ignore[union-attr]
        return False

    def _meet(self, tag: int, items: int | None) -> None:
        """A data element begins: is it the sequence of the next step?"""
        step = self._matched
        if not self._over and step == self._depth == len(self._met) and tag == self._path.steps[step][0]:
            self._met.append(items)
            self._over = items is None

    def _open_item(self, number: int) -> bool:
        step, steps = self._matched, self._path.steps
        if len(self._met) != step + 1 or self._depth != step + 1:
            return False
        self._met[step] = number + 1
        if number != steps[step][1]:
            return False
        self._matched += 1
        complete = self._matched == len(steps)
        self._over = complete
        return complete and not self._path.fault

    def check(self) -> None:
        """All events have been fed. Raises ItemNotFound, with what dcmsign says about the reason, unless the item was there."""
        path = self._path
        where = f" (item location string is '{path.text}')"
        for (tag, number), items in zip(path.steps, self._met, strict=False):
            if items is None:
                raise ItemNotFound(f"attribute {tag_text(tag)} is not a sequence{where}", location=path.text)
            if number is not None and not 0 <= number < items:
                message = f"sequence {tag_text(tag)} only has {items} items, cannot locate item {number}{where}"
                raise ItemNotFound(message, location=path.text)
        if len(self._met) < len(path.steps):
            tag = path.steps[len(self._met)][0]
            raise ItemNotFound(f"attribute {tag_text(tag)} not found in dataset{where}", location=path.text)
        if path.fault:
            raise ItemNotFound("\n".join(path.fault), location=path.text)
