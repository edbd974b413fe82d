"""The passes over an object whose main data set is being signed. Synchronous, for worker threads; what is awaited happens between
the calls.

`TwoPasses` reads its source twice: headers first, then everything. `OnePass` takes blocks as they come and gives output as soon
as the place of MAC Parameters Sequence has passed; that needs the caller to declare what will be signed.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import IO

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
from ..codec.dicom.ordered import read_events
from ..codec.dicom.parser import Parser
from ..codec.dicom.tags import MAC_PARAMETERS_SEQUENCE
from ..codec.dicom.texts import TextGate
from ..codec.errors import PlanMismatch
from ..codec.signature.finder import TAGGED
from ..codec.signature.level import SIGNATURE_SEQUENCES
from ..codec.signature.splice import Buffers, Splicer
from ..codec.signature.survey import Survey
from .io.sources import RandomAccess
from .io.spool import Spool
from .new_signature import NewSignature, Request
from .reading import Warnings, check_order
from .trust.signers import Signer
from .writing import COLLECT, ObjectWriter, Rereader


class Signing(NewSignature[Survey]):
    """What both ways of signing share: the survey, the plan made from it, and the end of the output."""

    def __init__(self, request: Request, dump: IO[bytes] | None) -> None:
        super().__init__(request, self._new_survey(request), dump)
        self._texts: dict[int, int] = {}
        self._tail = Spool()
        self._writer = ObjectWriter(request.new_uid)
        self._splicer: Splicer | None = None

    @staticmethod
    def _new_survey(request: Request) -> Survey:
        return Survey(undefined_lengths=request.undefined_lengths, output=request.output)

    def _begin(self) -> bytes:
        """The plan is made: the meta header of the output."""
        assert self._plan is not None
        write = None if self._dump is None else self._dump.write
        self._splicer = Splicer(self._survey, self._plan, self._tail, dump=write)
        return self._writer.begin(self._survey)

    def ending(self, signer: Signer, value: bytes) -> Buffers:
        """The rest of the output, once the signature value is known."""
        assert self._splicer is not None
        self._check_value(signer, value)
        return self._writer.packed(self._splicer.finish(signer.certificate.der, value), last=True)

    def close(self) -> None:
        """Forget what is kept."""
        self._tail.close()


class TwoPasses(Signing):
    """Call `survey`, `plan`, iterate over `body`, then `ending` with the signature of `digest`."""

    def __init__(self, source: RandomAccess, request: Request, dump: IO[bytes] | None) -> None:
        super().__init__(request, dump)
        self._input = Rereader(source, request.read)

    def survey(self) -> None:
        """First pass, over the headers."""
        self._survey = self._input.survey(lambda: self._new_survey(self._request))

    def body(self) -> Generator[Buffers, None, None]:
        """Second pass: the output up to the new signature, in pieces of about a block."""
        yield [self._begin()]
        splicer = self._splicer
        assert splicer is not None
        started = False
        for event in self._input.everything():
            if not started:
                started = type(event) is DatasetStart
                continue
            splicer.feed(event)
            if splicer.pending >= COLLECT:
                yield self._writer.packed(splicer.take())
        self.digest = splicer.digest()
        yield self._writer.packed(splicer.take())


class OnePass(Signing):
    """Feed blocks, then `end`, iterating over the output each of them gives; then `ending` with the signature of `digest`.

    The tags to sign are declared, so MAC Parameters can be written before what they list has been seen; an object that does not
    keep the promise ends in an error. Kept back, in memory up to a limit and then on disk, are the data elements in front of MAC
    Parameters Sequence (usually some KiB) and later ones whose length must be known in advance: sequences, groups with a length.
    """

    def __init__(self, signer: Signer, request: Request, dump: IO[bytes] | None) -> None:
        super().__init__(request, dump)
        self._warnings = Warnings()
        self._signer = signer
        self._parser = Parser(request.read)
        self._gate = TextGate(self._texts, measure=True)
        self._held: Spool | None = Spool()
        self._held_from = 0
        self._held_group = -1
        self._depth = 0

    def feed(self, block: bytes) -> Generator[Buffers, None, None]:
        """Take the next block; gives the output it makes possible."""
        self._parser.feed(block)
        yield from self._advance()
        yield self._output()

    def end(self) -> Generator[Buffers, None, None]:
        """The input has ended; `digest` is there afterwards."""
        self._parser.close()
        yield from self._advance()
        splicer = self._splicer
        assert splicer is not None
        assert self._plan is not None
        super()._select()
        if any(mac_id == self._plan.mac_id for mac_id in self._survey.level.mac_ids()):
            raise PlanMismatch("an earlier signature without MAC parameters has the MAC ID of the new one")
        self.digest = splicer.digest()
        yield self._output()

    def _output(self) -> Buffers:
        return [] if self._splicer is None else self._writer.packed(self._splicer.take())

    def _select(self) -> list[int]:
        """The declared tags; those in front of MAC Parameters Sequence are checked, the others promised."""
        assert self._request.tags is not None
        early = [tag for tag in self._request.tags if tag < MAC_PARAMETERS_SEQUENCE]
        if self._survey.level.tags:
            self._survey.level.selection(early)
            self._survey.level.check_present(early)
        return sorted(set(self._request.tags))

    def _advance(self) -> Iterator[Buffers]:
        for raw_event in self._parser.events():
            kind = type(raw_event)
            if kind is Anomaly:
                self._warnings.note(raw_event)  # type: ignore[arg-type]
                check_order(raw_event)  # type: ignore[arg-type]
            elif self._depth == 0 and kind in TAGGED and self._survey.started:
                yield from self._enter(raw_event)  # type: ignore[arg-type]
            elif kind is End:
                yield from self._release()
            if self._held is not None and self._survey.started:
                self._held.write(raw_event.raw)
            if kind is SequenceStart:
                self._depth += 1
            elif kind is SequenceEnd:
                self._depth -= 1
            self._gate.measure = self._held is not None
            for event in self._gate.feed(raw_event) if kind is ValueStart or self._gate.open else (raw_event,):
                self._survey.feed(event)
                if self._held is None and self._splicer is not None:
                    self._splicer.feed(event)
            if kind is DatasetStart:
                self._held_from = raw_event.offset

    def _enter(self, event: Element | ValueStart | SequenceStart | FragmentsStart) -> Iterator[Buffers]:
        """A data element of the main data set begins: does it end or begin something that is held back?"""
        tag = event.tag
        if self._splicer is None:
            if tag > MAC_PARAMETERS_SEQUENCE and tag >> 16 != self._survey.measured_group:
                yield from self._release()
        elif self._held is not None and tag >> 16 != self._held_group:
            yield from self._release()
        if self._held is None and self._must_hold(event):
            self._held, self._held_from = Spool(), event.offset
            self._held_group = -1 if tag & 0xFFFF else tag >> 16

    def _must_hold(self, event: Element | ValueStart | SequenceStart | FragmentsStart) -> bool:
        """Whether a length in front of the element depends on what comes behind."""
        if event.tag in SIGNATURE_SEQUENCES:
            return False
        if isinstance(event, SequenceStart):
            return not self._request.undefined_lengths
        return not event.tag & 0xFFFF

    def _release(self) -> Iterator[Buffers]:
        """What was held back has been surveyed whole: write it."""
        held, self._held = self._held, None
        self._survey.close_group()
        if self._splicer is None:
            self.plan(self._signer)
            yield [self._begin()]
        if held is None:
            return
        assert self._splicer is not None
        start = self._held_from
        for event in TextGate(self._texts).through(self._replayed(held, start)):
            self._splicer.feed(event)
            if self._splicer.pending >= COLLECT:
                yield self._output()
        held.close()

    def _replayed(self, held: Spool, start: int) -> Iterator[Event]:
        syntax = self._survey.syntax
        parser = Parser.for_content(
            form_of(syntax),
            start,
            encapsulated=syntax.encapsulated,
            options=self._request.read,
            context=None if start == self._survey.start else self._parser.context,
        )
        for event in read_events(lambda offset, size: held.read_at(offset - start, size), parser):
            if type(event) not in (Anomaly, End):
                yield event

    def close(self) -> None:
        super().close()
        if self._held is not None:
            self._held.close()
