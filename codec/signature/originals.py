"""What Original Attributes Sequence (0400,0561) says about earlier states of a data set (PS3.3 C.12.1).

Each of its items is one change: who made it, when and why, and in Modified Attributes Sequence (0400,0550) the data elements that
were modified or removed, with their previous values. Putting these back, from the newest change to the oldest, gives the states
the data set has been in, and with them what the signatures were made over that were moved away because of the change.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import Enum
from itertools import pairwise
from typing import NamedTuple

from ..dicom import syntaxes, trees
from ..dicom.events import (
    BIG,
    CONVERTED,
    EXPLICIT,
    UNDEFINED,
    Anomaly,
    DatasetStart,
    Element,
    Event,
    FragmentsEnd,
    FragmentsStart,
    ItemEnd,
    ItemStart,
    SequenceEnd,
    SequenceStart,
    ValueChunk,
    ValueStart,
)
from ..dicom.moments import span_of
from ..dicom.options import DEFAULT_LIMITS, Limits
from ..dicom.tags import DIGITAL_SIGNATURES_SEQUENCE, MAC_PARAMETERS_SEQUENCE, ORIGINAL_ATTRIBUTES_SEQUENCE
from ..dicom.tags import text as tag_text
from ..dicom.vr import TEXT
from ..errors import LimitExceeded
from .finder import TAGGED
from .items import MacParameters, SignatureItem, count_signed, read_mac_parameters, read_signature
from .location import Location

MODIFIED_ATTRIBUTES_SEQUENCE = 0x04000550
NONCONFORMING_MODIFIED_ATTRIBUTES_SEQUENCE = 0x04000551
NONCONFORMING_DATA_ELEMENT_VALUE = 0x04000552
ATTRIBUTE_MODIFICATION_DATE_TIME = 0x04000562
MODIFYING_SYSTEM = 0x04000563
SOURCE_OF_PREVIOUS_VALUES = 0x04000564
REASON_FOR_THE_ATTRIBUTE_MODIFICATION = 0x04000565
SELECTOR_ATTRIBUTE = 0x00720026
SELECTOR_SEQUENCE_POINTER = 0x00720052

_OPENING = frozenset({SequenceStart, FragmentsStart})
_CLOSING = frozenset({SequenceEnd, FragmentsEnd})
_APART = frozenset({MAC_PARAMETERS_SEQUENCE, DIGITAL_SIGNATURES_SEQUENCE, ORIGINAL_ATTRIBUTES_SEQUENCE})
_EVENT = 256
"""Memory of an event besides what it carries."""

_CHANGES, _VALUES, _DIGESTS = 64, 1 << 17, 256

Events = Sequence[Event]
Parameters = Mapping[int, MacParameters]


class Budget:
    """What may be spent on the earlier states of an object; more raises LimitExceeded.

    `changes`: items of Original Attributes Sequence that count; `values`: data elements put back, in all states together;
    `signed`: entries of Data Elements Signed that are kept; `digests`: different ones of all states; `signatures`: to be tried.
    """

    def __init__(self, limits: Limits = DEFAULT_LIMITS) -> None:
        self.limits = limits
        self._left = {
            "changes": _CHANGES,
            "values put back": _VALUES,
            "entries in Data Elements Signed": limits.signed,
            "digests": _DIGESTS,
            "signatures": limits.signatures,
        }

    def _spend(self, what: str, count: int) -> None:
        self._left[what] -= count
        if self._left[what] < 0:
            raise LimitExceeded(f"too many {what}", element=tag_text(ORIGINAL_ATTRIBUTES_SEQUENCE))

    def change(self, values: int, signatures: int) -> None:
        """One more state, in which so many values are put back and so many signatures are tried."""
        self._spend("changes", 1)
        self._spend("values put back", values)
        self._spend("signatures", signatures)

    def sign(self, entries: int) -> None:
        """MAC parameters with so many Data Elements Signed are kept."""
        self._spend("entries in Data Elements Signed", entries)

    def digest(self, parameters: MacParameters) -> None:
        """A digest is made."""
        self._spend("digests", 1)
        self.sign(len(parameters.tags or ()))


class Flaw(Enum):
    """What about an item of Original Attributes Sequence is not as it should be; the value explains it."""

    NO_MODIFIED_ATTRIBUTES = "no Modified Attributes Sequence, or one without items"
    SEVERAL_ITEMS = "more than one item in Modified Attributes Sequence, the first one counts"
    NONCONFORMING = "nonconforming values that cannot be put back"


class Change(NamedTuple):
    """One item of Original Attributes Sequence, at `location`. What is absent, or no text, is None.

    `values`: the data elements to put back, by tag, without signatures and without Original Attributes Sequence itself.
    `signatures` and `parameters`: those of the data set before the change, None if the item says nothing about them. `originals`:
    the Original Attributes Sequence that the item holds as a previous value, None if it holds none. `item`: all its events.
    """

    location: Location
    modified_at: str | None
    system: str | None
    reason: str | None
    source: str | None
    values: Mapping[int, Events]
    signatures: tuple[SignatureItem, ...] | None
    parameters: Parameters | None
    originals: Events | None
    flaws: tuple[Flaw, ...]
    item: Events


class Candidate(NamedTuple):
    """A signature that may have been made over a state: number `position` of those put back with state `home`.

    `home` is -1 for a signature that is still in its place.
    """

    home: int
    position: int
    item: SignatureItem
    parameters: MacParameters | None


class State(NamedTuple):
    """The data set before a change. `values`: all data elements to put back into the present one; `empty`: those without value.

    An empty value may stand for a data element that was absent.
    """

    change: Change
    values: Mapping[int, Iterable[Event]]
    empty: frozenset[int]
    candidates: tuple[Candidate, ...]


# ---------------------------------------------------------------------- events of an item


def elements_of(events: Events) -> dict[int, Events]:
    """The data elements of an item by tag, the first of each."""
    starts: list[tuple[int, int]] = []
    depth = 0
    for index, event in enumerate(events):
        kind = type(event)
        if depth == 0 and kind in TAGGED:
            starts.append((event.tag, index))  # type: ignore[union-attr]
        depth += (kind in _OPENING) - (kind in _CLOSING)
    ends = [*(index for _, index in starts[1:]), len(events)]
    found: dict[int, Events] = {}
    for (tag, start), end in zip(starts, ends, strict=False):  # without data elements there is nothing to end
        found.setdefault(tag, events[start:end])
    return found


def items_of(events: Events | None) -> list[Events]:
    """The contents of the items of a sequence, whose events these are; none of another kind of data element."""
    items: list[Events] = []
    depth = start = 0
    for index, event in enumerate(events or ()):
        if type(event) is ItemStart:
            if depth == 0:
                start = index + 1
            depth += 1
        elif type(event) is ItemEnd:
            depth -= 1
            if depth == 0:
                assert events is not None
                items.append(events[start:index])
    return items


def _tree(events: Events, budget: Budget) -> list[trees.Item]:
    """The items of a small sequence, none if it is no sequence."""
    collector = trees.TreeCollector(budget.limits.sequence)
    if type(events[0]) is not SequenceStart:
        return []
    for event in events:
        collector.feed(event)
    return [] if collector.tree is None else collector.tree.items


def signatures_of(events: Events | None, budget: Budget) -> tuple[SignatureItem, ...] | None:
    """The items of a Digital Signatures Sequence, None if there is none."""
    return None if events is None else tuple(map(read_signature, _tree(events, budget)))


def parameters_of(events: Events | None, budget: Budget) -> dict[int, MacParameters] | None:
    """The items of a MAC Parameters Sequence by MAC ID, None if there is none."""
    return None if events is None else _by_mac_id(_tree(events, budget), budget)


def _by_mac_id(items: Iterable[trees.Item], budget: Budget) -> dict[int, MacParameters]:
    """The first of each."""
    found: dict[int, MacParameters] = {}
    for item in items:
        budget.sign(count_signed(item))
        parameters = read_mac_parameters(item)
        if parameters.mac_id is not None:
            found.setdefault(parameters.mac_id, parameters)
    return found


def _text(events: Events | None) -> str | None:
    first = events[0] if events else None
    if not isinstance(first, Element) or first.vr not in TEXT:
        return None
    return first.value.strip(b" \0").decode("latin-1")


def is_empty(events: Iterable[Event]) -> bool:
    """Whether a data element has neither a value nor items."""
    for event in events:
        if isinstance(event, Element):
            return not event.value
        if type(event) is not SequenceStart:
            return type(event) is SequenceEnd
    return True


# ---------------------------------------------------------------------- changes


def read_changes(originals: Events, location: Location, form: int, budget: Budget) -> list[Change]:
    """The items of an Original Attributes Sequence in the item at `location`; `form` is that of the data set."""
    return [
        _read_change(item, (*location, (ORIGINAL_ATTRIBUTES_SEQUENCE, number)), form, budget)
        for number, item in enumerate(items_of(originals))
    ]


def _read_change(item: Events, location: Location, form: int, budget: Budget) -> Change:
    parts = elements_of(item)
    modified = items_of(parts.get(MODIFIED_ATTRIBUTES_SEQUENCE))
    values = elements_of(modified[0]) if modified else {}
    flaws = [] if len(modified) == 1 else [Flaw.SEVERAL_ITEMS if modified else Flaw.NO_MODIFIED_ATTRIBUTES]
    kept = {tag: events for tag, events in values.items() if tag not in _APART and tag & 0xFFFF}
    nonconforming = parts.get(NONCONFORMING_MODIFIED_ATTRIBUTES_SEQUENCE)
    if nonconforming is not None:
        if not modified:
            flaws.clear()  # there may have been nothing else
        put = [_put_nonconforming(entry, kept, form) for entry in _tree(nonconforming, budget)]
        flaws += [] if all(put) else [Flaw.NONCONFORMING]
    return Change(
        location=location,
        modified_at=_text(parts.get(ATTRIBUTE_MODIFICATION_DATE_TIME)),
        system=_text(parts.get(MODIFYING_SYSTEM)),
        reason=_text(parts.get(REASON_FOR_THE_ATTRIBUTE_MODIFICATION)),
        source=_text(parts.get(SOURCE_OF_PREVIOUS_VALUES)),
        values=kept,
        signatures=signatures_of(values.get(DIGITAL_SIGNATURES_SEQUENCE), budget),
        parameters=parameters_of(values.get(MAC_PARAMETERS_SEQUENCE), budget),
        originals=values.get(ORIGINAL_ATTRIBUTES_SEQUENCE),
        flaws=tuple(flaws),
        item=item,
    )


def _put_nonconforming(entry: trees.Item, values: dict[int, Events], form: int) -> bool:
    """Put back a value that is no value of its VR (PS3.3 table C.12-1); False if it belongs somewhere below a sequence."""
    selector = trees.find_value(entry, SELECTOR_ATTRIBUTE)
    pointer = trees.find_value(entry, SELECTOR_SEQUENCE_POINTER)
    value = trees.find_value(entry, NONCONFORMING_DATA_ELEMENT_VALUE)
    if selector is None or selector[0] != "AT" or len(selector[1]) != 4 or value is None or (pointer and pointer[1]):
        return False
    tag = int.from_bytes(selector[1][:2], "little") << 16 | int.from_bytes(selector[1][2:], "little")
    if tag in _APART:
        return False
    # the VR is that of the present value, or of the dictionary: see Restorer
    values.setdefault(tag, (Element(value[1], 0, tag, "", 0, BIG if form == BIG else CONVERTED),))
    return True


def in_order(changes: Sequence[Change]) -> list[Change]:
    """Changes from the oldest to the newest: as their times say if these leave no doubt, else in the order of the items."""
    spans = [span for span in (span_of(change.modified_at or "") for change in changes) if span is not None]
    if len(spans) < len(changes) or len({span.in_utc for span in spans}) > 1:
        return list(changes)
    numbers = sorted(range(len(changes)), key=lambda number: spans[number].start)
    if any(spans[one].end > spans[next_one].start for one, next_one in pairwise(numbers)):
        return list(changes)
    return [changes[number] for number in numbers]


# ---------------------------------------------------------------------- states


class _Remaining:
    """Original Attributes Sequence as it was when only some of its items were there; made while it is read."""

    def __init__(self, changes: Iterable[Change]) -> None:
        self._changes = sorted(changes, key=lambda change: change.location)

    def __iter__(self) -> Iterator[Event]:
        yield SequenceStart(b"", 0, ORIGINAL_ATTRIBUTES_SEQUENCE, "SQ", UNDEFINED, EXPLICIT)
        for number, change in enumerate(self._changes):
            yield ItemStart(b"", 0, number, UNDEFINED, EXPLICIT)
            yield from change.item
            yield ItemEnd(b"", 0)
        yield SequenceEnd(b"", 0)


def states_of(
    changes: Sequence[Change],
    in_place: Sequence[SignatureItem],
    parameters: Parameters,
    form: int,
    budget: Budget,
) -> list[State]:
    """The states before each change, the newest first.

    `in_place`: signatures of the data set that do not fit it as it is, `parameters` its MAC parameters. A signature that was put
    back with one change may have been made before an older one.
    """
    remaining = in_order(changes)
    states: list[State] = []
    values: dict[int, Iterable[Event]] = {}
    empty: frozenset[int] = frozenset()
    carried = [(-1, position, item) for position, item in enumerate(in_place)]
    while remaining:
        change = remaining.pop()
        if change.originals is not None and not remaining:
            place = (*change.location, (MODIFIED_ATTRIBUTES_SEQUENCE, 0))
            remaining = in_order(read_changes(change.originals, place, form, budget))
        values = {**values, **change.values}
        values[ORIGINAL_ATTRIBUTES_SEQUENCE] = _Remaining(remaining) if change.originals is None else change.originals
        empty = empty - change.values.keys() | {tag for tag, events in change.values.items() if is_empty(events)}
        if change.parameters is not None:
            parameters = change.parameters
        if change.signatures is not None:
            carried = [(len(states), position, item) for position, item in enumerate(change.signatures)]
        budget.change(len(values), len(carried))
        nothing_left = not remaining and change.originals is None
        states.append(
            State(
                change,
                values,
                empty | {ORIGINAL_ATTRIBUTES_SEQUENCE} if nothing_left else empty,
                tuple(
                    Candidate(home, position, item, None if item.mac_id is None else parameters.get(item.mac_id))
                    for home, position, item in carried
                ),
            )
        )
    return states


class OriginalsCollector:
    """Takes the events of an object in ascending order and keeps what states are made of.

    `originals`: Original Attributes Sequence of the main data set, at most what `limits` allow to be kept; `signatures` and
    `parameters`: what is in the main data set now. Large texts must not come in chunks.
    """

    def __init__(self, budget: Budget) -> None:
        self.originals: list[Event] = []
        self.signatures: list[SignatureItem] = []
        self.parameters: dict[int, MacParameters] = {}
        self.syntax: syntaxes.TransferSyntax | None = None
        self._budget = budget
        self._limit = self._left = budget.limits.kept
        self._depth = 0
        self._keeping = False
        self._collector: trees.TreeCollector | None = None

    @property
    def wants_value(self) -> bool:
        """Whether the value that has just begun is needed."""
        return self._keeping or self._collector is not None

    def feed(self, event: Event) -> None:
        """Take the next event."""
        kind = type(event)
        if kind is DatasetStart:
            self.syntax = syntaxes.SYNTAXES[event.syntax]  # type: ignore[union-attr]
        if self.syntax is None or kind is Anomaly:
            return
        if kind is SequenceStart and self._depth == 0:
            tag = event.tag  # type: ignore[union-attr]
            self._keeping = tag == ORIGINAL_ATTRIBUTES_SEQUENCE
            if tag in (MAC_PARAMETERS_SEQUENCE, DIGITAL_SIGNATURES_SEQUENCE):
                self._collector = trees.TreeCollector(self._budget.limits.sequence)
        if self._keeping:
            self._keep(event)
        elif self._collector is not None and self._collector.feed(event):
            self._collected(self._collector.tree)
        self._depth += (kind in _OPENING) - (kind in _CLOSING)
        if self._depth == 0:
            self._keeping = False

    def _collected(self, tree: trees.Sequence | None) -> None:
        self._collector = None
        assert tree is not None
        if tree.tag == DIGITAL_SIGNATURES_SEQUENCE:
            self.signatures = [read_signature(item) for item in tree.items]
        else:
            self.parameters = _by_mac_id(tree.items, self._budget)

    def _keep(self, event: Event) -> None:
        self._left -= len(event.raw) + _EVENT
        if self._left < 0 or (isinstance(event, ValueStart) and event.vr in TEXT):
            message = f"more than {self._limit} bytes, or a text too long to be kept"
            raise LimitExceeded(message, offset=event.offset, element=tag_text(ORIGINAL_ATTRIBUTES_SEQUENCE))
        self.originals.append(event._replace(raw=bytes(event.raw)) if isinstance(event, ValueChunk) else event)
