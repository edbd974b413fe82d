"""Replaces signature sequences of any data set or item of an object, in a survey and one forward pass.

The survey measures the object as it is and keeps the signature sequences of the levels that are to change. Once it is known what
shall stand there instead, the lengths around them are corrected, and the object can be written from beginning to end.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from ..dicom import trees
from ..dicom.encoder import CHANGED, DatasetEncoder, form_of
from ..dicom.events import (
    DatasetStart,
    Element,
    End,
    Event,
    FragmentsStart,
    ItemEnd,
    ItemStart,
    SequenceEnd,
    SequenceStart,
    ValueChunk,
    ValueStart,
)
from ..dicom.options import DEFAULT_LIMITS, Limits
from ..dicom.syntaxes import TransferSyntax
from ..dicom.tags import DIGITAL_SIGNATURES_SEQUENCE, MAC_PARAMETERS_SEQUENCE, ORIGINAL_ATTRIBUTES_SEQUENCE
from ..errors import LimitExceeded, PlanMismatch
from .finder import TAGGED
from .level import SIGNATURE_SEQUENCES, LevelSurvey
from .location import ItemFinder, ItemPath, Location, search_order
from .splice import Buffers, encode_sequence
from .survey import ObjectSurvey

_GROUPS = {tag >> 16: tag for tag in SIGNATURE_SEQUENCES}


_NOTHING: Mapping[int, Any] = MappingProxyType({})


class Kept(NamedTuple):
    """A signature sequence as it is in the object: its items, the bytes it takes, the number of lengths inside it.

    `cost` is what its items count towards the bound on what is kept.
    """

    items: list[trees.Item]
    size: int
    lengths: int
    cost: int


class Level:
    """A data set or item whose signature sequences may be replaced; below Original Attributes Sequence it is `ignored`."""

    __slots__ = ("around", "groups", "ignored", "kept", "location", "start")

    def __init__(self, location: Location, start: int, ignored: bool) -> None:
        self.location = location
        self.start = start
        self.ignored = ignored
        self.kept: Mapping[int, Kept] = _NOTHING
        self.groups: Mapping[int, int] = _NOTHING
        self.around: list[int] = []

    def keep(self, tag: int, kept: Kept) -> None:
        """Remember a signature sequence."""
        self.kept = {**self.kept, tag: kept}

    def lacks_sequence(self, tag: int) -> bool:
        """Whether there is no sequence with this tag, not even an empty one."""
        return tag not in self.kept or not self.kept[tag].cost

    def items(self, tag: int) -> list[trees.Item]:
        """The items of a signature sequence, none if it is absent."""
        return self.kept[tag].items if tag in self.kept else []


class Edit:
    """What is written instead of the signature sequences of a level: encoded sequences by tag, empty for none."""

    def __init__(self, level: Level, sequences: dict[int, bytes]) -> None:
        self.sequences = sequences
        self.dropped = {tag: level.kept[tag].lengths for tag in sequences if tag in level.kept}


class EditSurvey(ObjectSurvey):
    """Survey of an object in which levels chosen by a subclass are edited."""

    def __init__(
        self, *, undefined_lengths: bool = False, output: TransferSyntax | None = None, limits: Limits = DEFAULT_LIMITS
    ) -> None:
        super().__init__(undefined_lengths=undefined_lengths, output=output, limits=limits)
        self.edits: dict[int, Edit] = {}
        """By the offset at which the content of the level begins."""
        self._left = limits.kept
        self._levels: list[Level] = []
        self._sequences: list[int] = []
        self._collector: trees.TreeCollector | None = None
        self._before = (0, 0)

    def feed(self, event: Event) -> None:
        """Take the next event."""
        super().feed(event)
        if type(event) is DatasetStart:
            self._levels.append(Level((), event.offset, False))

    @property
    def collecting(self) -> bool:
        return self._collector is not None

    # ------------------------------------------------------------------ what subclasses decide

    def watches(self, level: Level) -> bool:
        """Whether the signature sequences of a level are kept."""
        raise NotImplementedError

    def closed(self, level: Level) -> bool:
        """A level has been read; returns whether it may be edited."""
        raise NotImplementedError

    # ------------------------------------------------------------------ events

    def _take(self, event: Event, encoder: DatasetEncoder) -> None:
        kind = type(event)
        if self._collector is not None:
            encoder.feed(event)
            if self._collector.feed(event):
                self._keep(self._collector, encoder)
            return
        if kind in TAGGED:
            self._element(event, encoder)  # type: ignore[arg-type]
        elif kind is ItemStart:
            encoder.feed(event)
            self._open_item(event)  # type: ignore[arg-type]
        elif kind is ItemEnd:
            self._close(encoder)
            encoder.feed(event)
        else:
            if kind is SequenceEnd:
                self._sequences.pop()
            elif kind is End:
                self._close(encoder)
            encoder.feed(event)

    def _element(self, event: Element | ValueStart | SequenceStart | FragmentsStart, encoder: DatasetEncoder) -> None:
        tag = event.tag
        before = (encoder.size, self.lengths.count)
        encoder.feed(event)
        if type(event) is SequenceStart:
            if tag in SIGNATURE_SEQUENCES and self.watches(self._levels[-1]):
                self._before = before
                self._collector = trees.TreeCollector(self._left)
                self._collector.feed(event)
                return
            self._sequences.append(tag)
        elif tag in SIGNATURE_SEQUENCES:
            self._levels[-1].keep(tag, Kept([], encoder.size - before[0], 0, 0))
        elif type(event) is Element and not tag & 0xFFFF and tag >> 16 in _GROUPS:
            level = self._levels[-1]
            level.groups = {**level.groups, _GROUPS[tag >> 16]: encoder.group_place}

    def _keep(self, collector: trees.TreeCollector, encoder: DatasetEncoder) -> None:
        tree = collector.tree
        assert tree is not None
        size, lengths = self._before
        self._collector = None
        cost, self._left = self._left - collector.left, collector.left
        self._levels[-1].keep(tree.tag, Kept(tree.items, encoder.size - size, self.lengths.count - lengths, cost))

    def _open_item(self, event: ItemStart) -> None:
        around, tag = self._levels[-1], self._sequences[-1]
        location = (*around.location, (tag, event.number))
        ignored = around.ignored or tag == ORIGINAL_ATTRIBUTES_SEQUENCE
        self._levels.append(Level(location, event.offset + len(event.raw), ignored))

    def _close(self, encoder: DatasetEncoder) -> None:
        level = self._levels.pop()
        if self.closed(level):
            level.around = encoder.places_around
        else:
            self._left += sum(kept.cost for kept in level.kept.values())

    # ------------------------------------------------------------------ edits

    def replace(self, level: Level, sequences: dict[int, list[trees.Item]]) -> None:
        """Write these items in the signature sequences of a level, which must be closed; no sequence where there are none."""
        form, difference = form_of(self.output), 0
        encoded = {}
        for tag, items in sequences.items():
            data = encode_sequence(tag, items, form, undefined=self.undefined_lengths) if items else b""
            encoded[tag] = data
            change = len(data) - (level.kept[tag].size if tag in level.kept else 0)
            if tag in level.groups:
                self.lengths.add([~level.groups[tag]], change)
            difference += change
        self.lengths.add(level.around, difference)
        self.edits[level.start] = Edit(level, encoded)


class ItemSurvey(EditSurvey):
    """The survey of an object in which one item gets a signature."""

    def __init__(
        self,
        path: ItemPath,
        *,
        undefined_lengths: bool = False,
        output: TransferSyntax | None = None,
        limits: Limits = DEFAULT_LIMITS,
    ) -> None:
        super().__init__(undefined_lengths=undefined_lengths, output=output, limits=limits)
        self.path = path
        self.target: Level | None = None
        self.level = LevelSurvey(len(path.steps), limits=limits)
        self._finder = ItemFinder(path)
        self._depth = 1 << 30  # number of levels open while the item is

    def _take(self, event: Event, encoder: DatasetEncoder) -> None:
        begins = self._finder.feed(event)
        super()._take(event, encoder)
        if begins:
            self.target = self._levels[-1]
            self._depth = len(self._levels)
        elif len(self._levels) >= self._depth:
            self.level.feed(event)

    def watches(self, level: Level) -> bool:
        """Only the item that is to be signed."""
        return level is self.target

    def closed(self, level: Level) -> bool:
        """Only the item that is to be signed."""
        if level is self.target:
            self._depth = 1 << 30
            return True
        return False

    def check(self) -> None:
        """Raise ItemNotFound if the item is not there."""
        self._finder.check()


class RemovalSurvey(EditSurvey):
    """The survey of an object from which signatures are removed; those that have some are kept, as dcmsign finds them."""

    def __init__(
        self, *, undefined_lengths: bool = False, output: TransferSyntax | None = None, limits: Limits = DEFAULT_LIMITS
    ) -> None:
        super().__init__(undefined_lengths=undefined_lengths, output=output, limits=limits)
        self.ignored = 0
        self._found: list[Level] = []
        self._count = 0
        self._main_settled = False
        self._level_limit = limits.levels

    def watches(self, level: Level) -> bool:
        """Every level but those of other objects."""
        return not level.ignored

    def _element(self, event: Element | ValueStart | SequenceStart | FragmentsStart, encoder: DatasetEncoder) -> None:
        if event.tag == DIGITAL_SIGNATURES_SEQUENCE and self._levels[-1].ignored and type(event) is SequenceStart:
            self.ignored += 1
        super()._element(event, encoder)

    def closed(self, level: Level) -> bool:
        """Levels with signatures."""
        if level.ignored or (self._main_settled and not level.location) or not level.items(DIGITAL_SIGNATURES_SEQUENCE):
            return False
        if self._count >= self._level_limit:
            raise LimitExceeded(f"more than {self._level_limit} data sets and items with signatures", offset=level.start)
        self._count += 1
        self._found.append(level)
        return True

    @property
    def has_parameters(self) -> bool:
        """Whether the main data set has a MAC Parameters Sequence, of which a part or all may have to go."""
        return bool(self._levels) and not self._levels[0].lacks_sequence(MAC_PARAMETERS_SEQUENCE)

    def close_signatures(self) -> None:
        """Digital Signatures Sequence of the main data set, if there is one, has been read, although more may follow."""
        if self._main_settled or not self._levels[0].items(DIGITAL_SIGNATURES_SEQUENCE):
            return
        self._main_settled = self.closed(self._levels[0])

    def take_levels(self) -> list[Level]:
        """Levels with signatures found since the last call, depth first in ascending tag order."""
        found, self._found = self._found, []
        return sorted(found, key=lambda level: search_order(level.location))


class Rewriter:
    """Second pass: takes the same events as the survey and gives the bytes of the edited data set."""

    def __init__(self, survey: EditSurvey) -> None:
        self._lengths = survey.lengths
        self._edits = survey.edits
        self._start = survey.start
        self._encoder = DatasetEncoder(
            form_of(survey.output), survey.lengths, undefined=survey.undefined_lengths, swap_pixels=survey.swap_pixels
        )
        self._levels: list[tuple[Edit | None, list[int]]] = []  # the edit and the tags still to be written, ascending
        self._sequences = 0
        self._dropping = -1  # open sequences around the one that is left out
        self._dropping_value = False
        self._taken = 0
        self._enter(survey.start)

    def _enter(self, start: int) -> None:
        edit = self._edits.pop(start, None)
        self._levels.append((edit, [] if edit is None else sorted(edit.sequences)))

    def feed(self, event: Event) -> None:
        """Take the next event behind the start of the data set."""
        kind = type(event)
        if self._dropping >= 0 or self._dropping_value:
            self._drop(event)
            return
        if kind in TAGGED:
            if len(self._levels) == 1 and self._start in self._edits:  # known only now, in one pass
                self._levels.clear()
                self._enter(self._start)
            edit, waiting = self._levels[-1]
            if edit is not None and self._replaces(edit, waiting, event):  # type: ignore[arg-type]
                return
            if kind is SequenceStart:
                self._sequences += 1
        elif kind is ItemStart:
            self._enter(event.offset + len(event.raw))
        elif kind is ItemEnd or kind is End:
            self._leave()
        elif kind is SequenceEnd:
            self._sequences -= 1
        self._encoder.feed(event)

    def _drop(self, event: Event) -> None:
        if isinstance(event, ValueChunk):
            self._dropping_value = self._dropping_value and not event.last
        elif isinstance(event, SequenceStart):
            self._sequences += 1
        elif isinstance(event, SequenceEnd):
            self._sequences -= 1
            if self._sequences == self._dropping:
                self._dropping = -1

    def _replaces(self, edit: Edit, waiting: list[int], event: Element | ValueStart | SequenceStart | FragmentsStart) -> bool:
        """An element of an edited level begins; True if it is left out."""
        tag = event.tag
        while waiting and waiting[0] < tag:
            self._insert(edit, waiting.pop(0))
        if tag not in edit.sequences:
            return False
        if tag not in edit.dropped:
            raise PlanMismatch(CHANGED)
        self._lengths.skip(edit.dropped[tag])
        if isinstance(event, SequenceStart):
            self._dropping = self._sequences
            self._sequences += 1
        else:
            self._dropping_value = isinstance(event, ValueStart)
        return True

    def _leave(self) -> None:
        edit, waiting = self._levels.pop()
        if edit is not None:
            for tag in waiting:
                self._insert(edit, tag)

    def _insert(self, edit: Edit, tag: int) -> None:
        if edit.sequences[tag]:
            self._encoder.insert(tag, edit.sequences[tag])

    @property
    def pending(self) -> int:
        """Bytes of output waiting to be taken."""
        return self._encoder.size - self._taken

    def take(self) -> Buffers:
        """Output since the last call."""
        self._taken = self._encoder.size
        return self._encoder.take()

    def finish(self) -> Buffers:
        """The rest of the output, once all events have been fed. Raises PlanMismatch if they are not what the survey saw."""
        self._encoder.finish()
        if self._edits or not self._lengths.used_up:
            raise PlanMismatch(CHANGED)
        return self.take()


class ItemFilter:
    """Picks the content of one item out of the events of an object; `start` is the offset at which that content begins."""

    def __init__(self, start: int) -> None:
        self._start = start
        self._depth = 0
        self.inside = False
        self.over = False

    def takes(self, event: Event) -> bool:
        """Whether an event belongs to the item; `over` is set once the item has ended."""
        kind = type(event)
        if not self.inside:
            if kind is ItemStart and event.offset + len(event.raw) == self._start and not self.over:
                self.inside = True
            return False
        if kind is ItemStart:
            self._depth += 1
        elif kind is ItemEnd:
            self._depth -= 1
            self.inside = self._depth >= 0
            self.over = not self.inside
        return self.inside
