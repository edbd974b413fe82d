"""Digests of a data set as it was before a change, from the events of the present one and the values to put back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import combinations

from ..dicom.context import ItemContext
from ..dicom.dictionary import BUILT_IN, Dictionary
from ..dicom.events import (
    IMPLICIT,
    Element,
    Event,
    FragmentsEnd,
    FragmentsStart,
    ItemEnd,
    ItemStart,
    SequenceEnd,
    SequenceStart,
    ValueStart,
)
from ..dicom.syntaxes import TransferSyntax
from ..dicom.tags import DIGITAL_SIGNATURES_SEQUENCE, MAC_PARAMETERS_SEQUENCE, ORIGINAL_ATTRIBUTES_SEQUENCE
from .finder import TAGGED, FoundSignature, LevelDigester
from .items import MacParameters
from .location import Location
from .originals import Budget, Candidate, Events, State, elements_of, parameters_of, signatures_of

_OPENING = frozenset({SequenceStart, FragmentsStart})
_CLOSING = frozenset({SequenceEnd, FragmentsEnd})
_DECIDED = 4
"""Empty values of which all readings are tried; of more, all of them absent or none."""


def readings(parameters: MacParameters | None, empty: frozenset[int]) -> list[frozenset[int]]:
    """Which of the empty values may have been absent, as far as the digest holds them; the likely reading comes first.

    Data Elements Signed lists what was there (PS3.3 table C.12-6), so a listed element was empty; but Original Attributes
    Sequence without items was absent.
    """
    listed = sorted(empty.intersection(parameters.tags or ())) if parameters is not None else []
    likely = frozenset(listed) & {ORIGINAL_ATTRIBUTES_SEQUENCE}
    if len(listed) > _DECIDED:
        return [likely, frozenset(listed)]
    subsets = (frozenset(subset) for size in range(len(listed) + 1) for subset in combinations(listed, size))
    return sorted(subsets, key=lambda absent: len(absent ^ likely))


def _without(parameters: MacParameters, absent: frozenset[int]) -> MacParameters:
    """An absent data element adds nothing to the digest, as one that is not listed."""
    if not absent:
        return parameters
    return parameters._replace(tags=tuple(tag for tag in parameters.tags or () if tag not in absent))


class Restorer:
    """Takes the events of the present main data set, ascending, and digests those of a state for all its candidates."""

    def __init__(
        self,
        state: State,
        syntax: TransferSyntax,
        budget: Budget,
        *,
        old_format: bool = False,
        dictionary: Dictionary = BUILT_IN,
    ) -> None:
        self._state = state
        self._variants: dict[tuple[MacParameters, frozenset[int]], MacParameters] = {}  # kept: a digester knows them by identity
        for parameters in dict.fromkeys(candidate.parameters for candidate in state.candidates):
            for absent in readings(parameters, state.empty) if parameters is not None else ():
                assert parameters is not None
                budget.digest(parameters)
                self._variants[parameters, absent] = _without(parameters, absent)
        known = self._variants.values()
        self._digester = LevelDigester(known, 0, syntax, old_format=old_format, limit=len(known))
        wanted = {tag for entry in known for tag in entry.tags or ()}
        self._pending = sorted(wanted & state.values.keys(), reverse=True)
        self._context = None if syntax.explicit else ItemContext(dictionary)
        self._dictionary = dictionary
        self._depth = 0
        self._replaced = False

    @property
    def wants_value(self) -> bool:
        """Whether the value that has just begun goes into a digest."""
        return not self._replaced and self._digester.wants_value

    def feed(self, event: Event) -> None:
        """Take an event of the main data set."""
        kind = type(event)
        if self._depth == 0 and kind in TAGGED:
            self._begin(event)  # type: ignore[arg-type]
        self._depth += (kind in _OPENING) - (kind in _CLOSING)
        if not self._replaced:
            self._digester.feed(event)
            if self._context is not None and self._depth == 0 and isinstance(event, Element):
                self._context.remember(event.tag, event.vr, event.value)

    def _begin(self, event: Element | ValueStart | SequenceStart | FragmentsStart) -> None:
        pending = self._pending
        while pending and pending[-1] < event.tag:
            self._put(pending.pop(), "")
        self._replaced = bool(pending) and pending[-1] == event.tag
        if self._replaced:
            self._put(pending.pop(), event.vr)

    def finish(self) -> None:
        """All events have been fed."""
        while self._pending:
            self._put(self._pending.pop(), "")

    def _put(self, tag: int, vr: str) -> None:
        """Feed a data element that is put back; `vr` is that of the one it replaces."""
        for index, event in enumerate(self._state.values[tag]):
            if index == 0 and isinstance(event, (Element, ValueStart)):
                event = self._typed(event, vr)
                if self._context is not None and isinstance(event, Element):
                    self._context.remember(tag, event.vr, event.value)
            self._digester.feed(event)

    def _typed(self, event: Element | ValueStart, vr: str) -> Element | ValueStart:
        """Implicit VR follows from the data set around, not from Modified Attributes Sequence, which may lack what decides."""
        if not event.vr:
            known = (self._context or ItemContext(self._dictionary)).implicit_vr(event.tag, False)
            return event._replace(vr=vr or ("UN" if known == "SQ" else known))
        if self._context is None or event.form != IMPLICIT:
            return event
        known = self._context.implicit_vr(event.tag, False)
        return event if known == "SQ" else event._replace(vr=known)

    def found(self, candidate: Candidate) -> Iterator[tuple[frozenset[int], FoundSignature]]:
        """A signature with its digests, for each reading; with it the data elements that this reading takes as absent."""
        parameters = candidate.parameters
        for absent in readings(parameters, self._state.empty):
            variant = None if parameters is None else self._variants[parameters, absent]
            yield absent, self._digester.found((), candidate.item, variant)._replace(parameters=parameters)


def item_signatures(
    values: Iterable[Events], syntax: TransferSyntax, budget: Budget, *, old_format: bool = False
) -> Iterator[tuple[Location, list[FoundSignature]]]:
    """The signatures in items of data elements that are put back, which need nothing from outside of their item."""
    for events in values:
        if type(events[0]) is SequenceStart:
            yield from _items(events, syntax, budget, old_format)


def _items(
    events: Events, syntax: TransferSyntax, budget: Budget, old_format: bool
) -> Iterator[tuple[Location, list[FoundSignature]]]:
    path: list[list[int]] = []  # tag of the sequence; number and start of the item, whether it has signatures
    ignored = -1
    for index, event in enumerate(events):
        kind = type(event)
        if kind is SequenceStart:
            tag = event.tag  # type: ignore[union-attr]
            if ignored < 0 and tag == DIGITAL_SIGNATURES_SEQUENCE and path:
                path[-1][3] = 1
            if ignored < 0 and tag in (DIGITAL_SIGNATURES_SEQUENCE, MAC_PARAMETERS_SEQUENCE, ORIGINAL_ATTRIBUTES_SEQUENCE):
                ignored = len(path)
            path.append([tag, -1, 0, 0])
        elif kind is SequenceEnd:
            path.pop()
            if len(path) == ignored:
                ignored = -1
        elif kind is ItemStart:
            path[-1][1:] = [event.number, index + 1, 0]  # type: ignore[union-attr]
        elif kind is ItemEnd and path[-1][3]:
            location = tuple((step[0], step[1]) for step in path)
            yield location, _item(events[path[-1][2] : index], location, syntax, budget, old_format)


def _item(events: Events, location: Location, syntax: TransferSyntax, budget: Budget, old_format: bool) -> list[FoundSignature]:
    parts = elements_of(events)
    signatures = signatures_of(parts.get(DIGITAL_SIGNATURES_SEQUENCE), budget) or ()
    parameters = parameters_of(parts.get(MAC_PARAMETERS_SEQUENCE), budget) or {}
    digester = LevelDigester(parameters.values(), len(location), syntax, old_format=old_format, limit=budget.limits.macs)
    for event in events:
        digester.feed(event)
    return [digester.found(location, item, None if item.mac_id is None else parameters.get(item.mac_id)) for item in signatures]
