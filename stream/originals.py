"""Verifies what was signed before the changes that Original Attributes Sequence (0400,0561) tells of."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from typing import IO, Any, cast

from ..codec.dicom.encoder import form_of
from ..codec.dicom.events import Anomaly, DatasetStart, Event
from ..codec.dicom.options import READ_AS_FOUND, ReadOptions
from ..codec.dicom.syntaxes import TransferSyntax
from ..codec.dicom.tags import ORIGINAL_ATTRIBUTES_SEQUENCE
from ..codec.dicom.texts import TextGate
from ..codec.errors import Error, UnorderedInput, VerificationFailed
from ..codec.signature.finder import FoundSignature
from ..codec.signature.location import Location
from ..codec.signature.originals import (
    MODIFIED_ATTRIBUTES_SEQUENCE,
    Budget,
    Candidate,
    Flaw,
    OriginalsCollector,
    State,
    read_changes,
    states_of,
)
from ..codec.signature.profiles import Profile
from ..codec.signature.restoring import Restorer, item_signatures
from .formats import StreamFormat
from .io.sources import Blocks, RandomAccess, Source, close_source, open_source
from .io.spool import Spool
from .io.threads import release, run_in_thread
from .judge import judge
from .reading import Cancellable, Warnings, forward_events, open_ordered
from .reports import SignatureReport, TimestampPolicy, VerificationReport
from .timestamp_rules import TimestampRules
from .trust.anchors import Trust
from .verification import verify

Judged = Callable[[FoundSignature, int], SignatureReport]


@dataclass(frozen=True, slots=True)
class EarlierState:
    """The object as it was before a change, which an item of Original Attributes Sequence, at `location`, tells of.

    `number`: 1 is the state before the newest change. `modified_at`, `modifying_system`, `reason`, `source`: what the item says
    about the change, None where it says nothing. `signatures`: those that belong to the state, with their locations in it.
    `put_back`: data elements that had other values. Of those put back without a value some may have been absent: `absent` and
    `empty` are those of which a digest that matches tells it, `ambiguous` the others. `flaws`: what is wrong with the item.
    """

    number: int
    location: Location
    modified_at: str | None
    modifying_system: str | None
    reason: str | None
    source: str | None
    signatures: tuple[SignatureReport, ...]
    put_back: tuple[int, ...]
    absent: tuple[int, ...] = ()
    empty: tuple[int, ...] = ()
    ambiguous: tuple[int, ...] = ()
    flaws: tuple[Flaw, ...] = ()

    @property
    def ok(self) -> bool:
        """True if every signature of the state is OK."""
        return all(signature.ok for signature in self.signatures)

    def to_dict(self) -> dict[str, Any]:
        """The state as JSON-ready data."""
        listed = {name: [_name(tag) for tag in getattr(self, name)] for name in ("put_back", "absent", "empty", "ambiguous")}
        return {
            "number": self.number,
            "location": [[_name(tag), item] for tag, item in self.location],
            "modified_at": self.modified_at,
            "modifying_system": self.modifying_system,
            "reason": self.reason,
            "source": self.source,
            **listed,
            "flaws": [flaw.name for flaw in self.flaws],
            "signatures": [signature.to_dict() for signature in self.signatures],
        }


@dataclass(frozen=True, slots=True)
class OriginalsReport:
    """An object as it is and as it was before its changes.

    `current`: the signatures of the object as it is. `states`: before each change, the newest first. `unverified`: data sets and
    items with signatures below Original Attributes Sequences that belong to none of the states.
    """

    current: VerificationReport
    states: tuple[EarlierState, ...]
    unverified: tuple[Location, ...] = ()

    @property
    def earlier_ok(self) -> bool:
        """True if every signature of an earlier state is OK and none was left unverified."""
        return not self.unverified and all(state.ok for state in self.states)

    @property
    def ok(self) -> bool:
        """True if the object is OK both as it is and as it was."""
        return self.current.ok and self.earlier_ok

    def raise_for_status(self) -> None:
        """Raise VerificationFailed unless the report is `ok`."""
        self.current.raise_for_status()
        for state in self.states:
            for bad in (signature for signature in state.signatures if not signature.ok):
                raise VerificationFailed(f"signature {bad.uid}, before change {state.number}: {bad.reason}")
        if self.unverified:
            raise VerificationFailed("signatures below Original Attributes Sequence that belong to no earlier state")

    def to_dict(self) -> dict[str, Any]:
        """The report as JSON-ready data."""
        return {
            "ok": self.ok,
            "current": self.current.to_dict(),
            "states": [state.to_dict() for state in self.states],
            "unverified": [[[_name(tag), item] for tag, item in location] for location in self.unverified],
        }


def _name(tag: int) -> str:
    return f"{tag >> 16:04x},{tag & 0xFFFF:04x}"


async def verify_originals(
    source: Source,
    *,
    trust: Trust = Trust.NONE,
    require_signature: bool = True,
    require_profile: Profile | None = None,
    stream_format: StreamFormat = StreamFormat.STANDARD,
    read: ReadOptions = READ_AS_FOUND,
    at: datetime | None = None,
    timestamps: TimestampPolicy = TimestampPolicy.VERIFY,
    timestamp_rules: TimestampRules = TimestampRules.STRICT,
    inspect: bool = True,
) -> OriginalsReport:
    """Verify an object as it is, and the signatures made over it before its values were changed (PS3.3 C.12.1).

    The original values are put back in memory, from the newest change to the oldest; everything else is read again from the
    source, which is spooled if it comes only once. The bytes of Original Attributes Sequence that are kept are bounded by
    `read.limits.kept`. Parameters and errors are those of `verify`, and LimitExceeded if there is more to keep or to digest.
    """
    opened = await open_source(source)
    spool: Spool | None = None
    try:
        if isinstance(opened, RandomAccess):
            access = opened
        else:
            access = spool = Spool()
            spool.name = opened.name
            await _fill(spool, opened)
        current = await verify(
            cast(IO[bytes], _Readable(access)),
            trust=trust,
            require_signature=require_signature,
            require_profile=require_profile,
            stream_format=stream_format,
            read=read,
            at=at,
            timestamps=timestamps,
            timestamp_rules=timestamp_rules,
            inspect=inspect,
        )
        judged = partial(judge, trust=trust, at=at, timestamps=timestamps, rules=timestamp_rules)
        examination = _Examination(access, read, stream_format is StreamFormat.OLD, current, judged)
        return await run_in_thread(examination.run)
    except Error as error:
        error.path = opened.name if error.path is None else error.path
        raise
    finally:
        if spool is not None:
            await release(spool.close)
        await close_source(opened)


async def _fill(spool: Spool, blocks: Blocks) -> None:
    while block := await blocks.next():
        await run_in_thread(spool.write, block)


class _Readable:
    """A source with random access as a binary file object."""

    def __init__(self, access: RandomAccess) -> None:
        self.name = access.name
        self._access = access
        self._position = 0

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        if whence != io.SEEK_SET:
            raise io.UnsupportedOperation("the size is not known")
        self._position = offset
        return offset

    def read(self, size: int) -> bytes:
        block = self._access.read_at(self._position, size)
        self._position += len(block)
        return block


class _Silent(Warnings):
    """What is unusual about the input has been logged before."""

    def note(self, event: Anomaly) -> None:
        pass


@dataclass(slots=True)
class _Outcome:
    """What became of the signatures of a state, and what their digests tell about values that may have been absent."""

    signatures: list[SignatureReport] = field(default_factory=list)
    absent: set[int] = field(default_factory=set)
    empty: set[int] = field(default_factory=set)


class _Examination:
    """One object whose earlier states are verified. Synchronous, for a worker thread."""

    def __init__(
        self,
        access: RandomAccess,
        options: ReadOptions,
        old_format: bool,
        current: VerificationReport,
        judged: Judged,
    ) -> None:
        self._access = Cancellable(access)
        self._options = options
        self._old_format = old_format
        self._current = current
        self._judged = judged
        self._budget = Budget(options.limits)
        self._texts: dict[int, int] = {}
        self._ordered = False

    def run(self) -> OriginalsReport:
        """Collect what was changed, digest the states, and judge their signatures."""
        collector = self._collect()
        syntax = collector.syntax
        assert syntax is not None
        form = form_of(syntax)
        kept = [report.intact for report in self._current.signatures if not report.location]
        unfit = [item for item, intact in zip(collector.signatures, kept, strict=False) if not intact]
        states = states_of(
            read_changes(collector.originals, (), form, self._budget), unfit, collector.parameters, form, self._budget
        )
        outcomes = [_Outcome() for _ in states]
        accounted = self._judge_items(states, outcomes, syntax)
        self._judge_states(states, outcomes, syntax)
        unverified = tuple(location for location in self._current.ignored if location not in accounted)
        reports = (
            _state(number, state, outcome) for number, (state, outcome) in enumerate(zip(states, outcomes, strict=True), 1)
        )
        return OriginalsReport(self._current, tuple(reports), unverified)

    # ------------------------------------------------------------------ reading

    def _collect(self) -> OriginalsCollector:
        try:
            return self._collected()
        except UnorderedInput:
            self._ordered = True
            self._budget = Budget(self._options.limits)
            return self._collected()

    def _collected(self) -> OriginalsCollector:
        collector = OriginalsCollector(self._budget)
        for event in TextGate(self._texts, limit=self._options.limits.text, measure=True).through(
            self._events(lambda: collector.wants_value)
        ):
            collector.feed(event)
        return collector

    def _events(self, wanted: Callable[[], bool], *, plain_items: bool = False) -> Iterator[Event]:
        if self._ordered:
            return open_ordered(self._access, self._options, _Silent())[1]
        return forward_events(self._access, self._options, _Silent(), skip=True, wanted=wanted, plain_items=plain_items)

    def _digest(self, restorers: Sequence[Restorer]) -> None:
        """Feed the main data set to all states at once."""
        started = False
        events = self._events(lambda: any(restorer.wants_value for restorer in restorers), plain_items=True)
        for event in TextGate(self._texts, limit=self._options.limits.text).through(events):
            if started:
                for restorer in restorers:
                    restorer.feed(event)
            elif type(event) is DatasetStart:
                started = True
        for restorer in restorers:
            restorer.finish()

    # ------------------------------------------------------------------ verdicts

    def _judge_items(self, states: Sequence[State], outcomes: Sequence[_Outcome], syntax: TransferSyntax) -> set[Location]:
        """Judge the signatures in items that are put back; returns where all signatures are that belong to a state."""
        accounted: set[Location] = set()
        for state, outcome in zip(states, outcomes, strict=True):
            place = (*state.change.location, (MODIFIED_ATTRIBUTES_SEQUENCE, 0))
            if state.change.signatures is not None:
                accounted.add(place)
            values = state.change.values
            for location, found in item_signatures(
                (values[tag] for tag in sorted(values)), syntax, self._budget, old_format=self._old_format
            ):
                accounted.add((*place, *location))
                outcome.signatures += [self._judged(signature, 0) for signature in found]
        return accounted

    def _judge_states(self, states: Sequence[State], outcomes: Sequence[_Outcome], syntax: TransferSyntax) -> None:
        """Judge the signatures of the main data set, each with the newest state that it fits."""
        restorers: dict[int, Restorer] = {}
        for number, state in enumerate(states):
            if state.candidates:
                restorers[number] = Restorer(
                    state, syntax, self._budget, old_format=self._old_format, dictionary=self._options.dictionary
                )
        if not restorers:
            return
        self._digest(tuple(restorers.values()))
        settled: set[tuple[int, int]] = set()
        failed: dict[tuple[int, int], SignatureReport] = {}
        for number, restorer in restorers.items():
            for candidate in states[number].candidates:
                key = (candidate.home, candidate.position)
                if key in settled:
                    continue
                report, absent = self._judge_readings(restorer, candidate)
                if report.intact:
                    settled.add(key)
                    outcomes[number].signatures.append(report)
                    _note_decided(outcomes[number], report, states[number], absent)
                elif candidate.home == number:
                    failed[key] = report
        for key, report in failed.items():
            if key not in settled:
                outcomes[key[0]].signatures.append(report)

    def _judge_readings(self, restorer: Restorer, candidate: Candidate) -> tuple[SignatureReport, frozenset[int]]:
        """The verdict on the reading that the digest fits, else that on the likely one."""
        first: tuple[SignatureReport, frozenset[int]] | None = None
        for absent, found in restorer.found(candidate):
            report = self._judged(found, 0)
            if report.intact:
                return report, absent
            first = first or (report, absent)
        assert first is not None
        return first


def _note_decided(outcome: _Outcome, report: SignatureReport, state: State, absent: frozenset[int]) -> None:
    listed = state.empty.intersection(report.tags_signed or ())
    outcome.absent |= listed & absent
    outcome.empty |= listed - absent


def _state(number: int, state: State, outcome: _Outcome) -> EarlierState:
    """The report on a state; a value that two digests read differently stays ambiguous."""
    change = state.change
    unknown = state.empty - {ORIGINAL_ATTRIBUTES_SEQUENCE}
    absent, empty = unknown & (outcome.absent - outcome.empty), unknown & (outcome.empty - outcome.absent)
    signatures = sorted(outcome.signatures, key=lambda report: bool(not report.location))
    return EarlierState(
        number=number,
        location=change.location,
        modified_at=change.modified_at,
        modifying_system=change.system,
        reason=change.reason,
        source=change.source,
        signatures=tuple(replace(report, number=position) for position, report in enumerate(signatures, 1)),
        put_back=tuple(sorted(state.values.keys() - {ORIGINAL_ATTRIBUTES_SEQUENCE})),
        absent=tuple(sorted(absent)),
        empty=tuple(sorted(empty)),
        ambiguous=tuple(sorted(unknown - absent - empty)),
        flaws=change.flaws,
    )
