"""One pass over blocks that come once: an object is surveyed and written at the same time, as far as its format allows that.

What depends on something behind it - lengths of sequences and groups, MAC Parameters Sequence in front of what it is about - is
kept back, in memory up to a limit and then on disk, and read again once it has been surveyed whole. Synchronous, for worker
threads.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import Protocol

from ..codec.dicom.encoder import form_of
from ..codec.dicom.events import (
    Anomaly,
    DatasetStart,
    Element,
    End,
    Event,
    FragmentsStart,
    SequenceEnd,
    SequenceStart,
    ValueStart,
)
from ..codec.dicom.options import ReadOptions
from ..codec.dicom.ordered import read_events
from ..codec.dicom.parser import Parser
from ..codec.dicom.texts import TextGate
from ..codec.signature.finder import TAGGED
from ..codec.signature.splice import Buffers
from ..codec.signature.survey import ObjectSurvey
from .io.spool import Spool
from .reading import Warnings, check_order
from .writing import COLLECT, ObjectWriter


class Output(Protocol):
    """What makes the bytes of the output out of events that have been surveyed: a Splicer or a Rewriter."""

    @property
    def pending(self) -> int:
        """Bytes waiting to be taken."""

    def feed(self, event: Event) -> None:
        """Take the next event behind the start of the data set."""

    def take(self) -> Buffers:
        """Output since the last call."""


class Decisions(Protocol):
    """What an operation decides about the pass."""

    def is_settled(self, tag: int) -> bool:
        """Whether nothing in front of this data element of the main data set depends on it and what follows."""

    def holds(self, event: Element | ValueStart | SequenceStart | FragmentsStart) -> bool:
        """Whether a data element of the main data set is kept back until it, or its group, has been surveyed whole."""

    def surveyed(self) -> None:
        """What was kept back has been surveyed whole and is written next."""

    def begin(self) -> tuple[bytes, Output]:
        """The meta header, and what makes the rest of the output; called once, behind `surveyed`."""


class Passing:
    """Feed blocks, then `end`, iterating over the output each of them gives; what `output` still makes then is to be taken.

    `plain_items`: survey and output take items that nobody has to look at as one event each.
    """

    def __init__(
        self,
        survey: ObjectSurvey,
        read: ReadOptions,
        writer: ObjectWriter,
        decisions: Decisions,
        *,
        plain_items: bool = False,
    ) -> None:
        self._survey = survey
        self._read = read
        self._writer = writer
        self._decisions = decisions
        self._warnings = Warnings()
        self._texts: dict[int, int] = {}
        self._plain_items = plain_items
        self._parser = Parser(read, plain_items=plain_items)
        self._gate = TextGate(self._texts, limit=read.limits.text, measure=True)
        self._output: Output | None = None
        self._held: Spool | None = Spool()
        self._held_from = 0
        self._held_group = -1
        self._depth = 0

    def feed(self, block: bytes) -> Generator[Buffers, None, None]:
        """Take the next block; gives the output it makes possible."""
        self._parser.feed(block)
        yield from self._advance()
        yield self._taken()

    def end(self) -> Generator[Buffers, None, None]:
        """The input has ended."""
        self._parser.close()
        yield from self._advance()

    def _taken(self) -> Buffers:
        return [] if self._output is None else self._writer.packed(self._output.take())

    def _advance(self) -> Iterator[Buffers]:
        survey = self._survey
        for raw_event in self._parser.events():
            kind = type(raw_event)
            if kind is Anomaly:
                self._warnings.note(raw_event)  # type: ignore[arg-type]
                check_order(raw_event)  # type: ignore[arg-type]
            elif self._depth == 0 and kind in TAGGED and survey.started:
                yield from self._enter(raw_event)  # type: ignore[arg-type]
            elif kind is End:
                yield from self._release()
            if self._held is not None and survey.started:
                self._held.write(raw_event.raw)
            if kind is SequenceStart:
                self._depth += 1
            elif kind is SequenceEnd:
                self._depth -= 1
            self._gate.measure = self._held is not None
            for event in self._gate.feed(raw_event) if kind is ValueStart or self._gate.open else (raw_event,):
                survey.feed(event)
                if self._held is None and self._output is not None:
                    self._output.feed(event)
            if self._parser.inflating and self._output is not None and self._output.pending >= COLLECT:
                yield self._taken()  # a block may inflate to a thousand times as much
            if kind is DatasetStart:
                self._held_from = raw_event.offset

    def _enter(self, event: Element | ValueStart | SequenceStart | FragmentsStart) -> Iterator[Buffers]:
        """A data element of the main data set begins: does it end or begin something that is held back?"""
        group = event.tag >> 16
        if self._output is None:
            if group != self._survey.measured_group and self._decisions.is_settled(event.tag):
                yield from self._release()
        elif self._held is not None and group != self._held_group:
            yield from self._release()
        if self._held is None and self._decisions.holds(event):
            self._held, self._held_from = Spool(), event.offset
            self._held_group = -1 if event.tag & 0xFFFF else group

    def _release(self) -> Iterator[Buffers]:
        """What was held back has been surveyed whole: write it."""
        held, self._held = self._held, None
        self._survey.close_group()
        self._decisions.surveyed()
        if self._output is None:
            head, self._output = self._decisions.begin()
            yield [head]
        if held is None:
            return
        for event in TextGate(self._texts, limit=self._read.limits.text).through(self._replayed(held, self._held_from)):
            self._output.feed(event)
            if self._output.pending >= COLLECT:
                yield self._taken()
        held.close()

    def _replayed(self, held: Spool, start: int) -> Iterator[Event]:
        syntax = self._survey.syntax
        parser = Parser.for_content(
            form_of(syntax),
            start,
            encapsulated=syntax.encapsulated,
            options=self._read,
            plain_items=self._plain_items,
            context=None if start == self._survey.start else self._parser.context,
        )
        for event in read_events(lambda offset, size: held.read_at(offset - start, size), parser):
            if type(event) not in (Anomaly, End):
                yield event

    def close(self) -> None:
        """Forget what is kept."""
        if self._held is not None:
            self._held.close()
