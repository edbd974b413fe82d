"""The passes over an object that is being signed. Synchronous, for worker threads; what is awaited happens between the calls.

`TwoPasses` reads its source twice: headers first, then everything. `OnePass` takes blocks as they come and gives output as soon
as the place of MAC Parameters Sequence has passed; that needs the caller to declare what will be signed.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from typing import IO, TYPE_CHECKING

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
from ..codec.dicom.meta import GENERIC_SOP_CLASS, meta_header
from ..codec.dicom.options import ReadOptions
from ..codec.dicom.ordered import read_events
from ..codec.dicom.parser import Parser
from ..codec.dicom.tags import MAC_PARAMETERS_SEQUENCE
from ..codec.dicom.texts import TextGate
from ..codec.errors import CryptoFailure, NoMacIdLeft, PlanMismatch, SigningError, UnorderedInput, UnusableMacSyntax
from ..codec.signature.algorithms import new_digest
from ..codec.signature.items import MAX_SIGNED_ELEMENTS, free_mac_id
from ..codec.signature.splice import Buffers, SigningPlan, Splicer, mac_syntax_of
from ..codec.signature.survey import SIGNATURE_SEQUENCES, Survey
from .formats import StreamFormat
from .io.ahead import ReadAhead
from .io.sources import RandomAccess
from .io.spool import Spool
from .reading import Cancellable, Warnings, check_order, forward_events, open_ordered
from .reports import SigningReceipt
from .trust.signers import Signer, verify_digest

if TYPE_CHECKING:
    import zlib

log = logging.getLogger("dcmsign.stream.sign")

_COLLECT = 1 << 20
_TAGGED = frozenset({Element, ValueStart, SequenceStart, FragmentsStart})


@dataclass(frozen=True, slots=True)
class Request:
    """What the caller of `sign` asks for."""

    mac_algorithm: str
    tags: tuple[int, ...] | None
    purpose: int | None
    stream_format: StreamFormat
    undefined_lengths: bool
    read: ReadOptions
    clock: Callable[[], datetime]
    new_uid: Callable[[], str]


class Signing:
    """What both ways of signing share: the survey, the plan made from it, and the end of the output."""

    def __init__(self, request: Request, dump: IO[bytes] | None) -> None:
        self._request = request
        self._dump = dump
        self._warnings = Warnings()
        self._texts: dict[int, int] = {}
        self._survey = Survey(undefined_lengths=request.undefined_lengths)
        self._tail = Spool()
        self._plan: SigningPlan | None = None
        self._splicer: Splicer | None = None
        self._deflater: zlib._Compress | None = None
        self.digest = b""

    @property
    def algorithm(self) -> str:
        """MAC algorithm of the signature."""
        return self._request.mac_algorithm

    def _select(self) -> list[int]:
        return self._survey.selection(self._request.tags)

    def plan(self, signer: Signer) -> None:
        """Everything that can fail before the data is digested, in dcmsign's order."""
        request, survey = self._request, self._survey
        check = getattr(signer, "check", None)
        if check is not None:
            check()
        new_digest(request.mac_algorithm)
        now = request.clock()
        _warn(signer, now)
        tags = self._select()
        mac_syntax = mac_syntax_of(survey.syntax)
        self._check_pixels()
        if len(tags) > MAX_SIGNED_ELEMENTS:
            raise SigningError(f"{len(tags)} data elements to sign, Data Elements Signed holds {MAX_SIGNED_ELEMENTS}")
        mac_id = free_mac_id(survey.mac_ids())
        if mac_id is None:
            raise NoMacIdLeft("all 65536 MAC ID numbers are in use")
        self._plan = SigningPlan(
            mac_id=mac_id,
            uid=request.new_uid(),
            date_time=now.strftime("%Y%m%d%H%M%S.%f%z"),
            purpose=request.purpose,
            algorithm=request.mac_algorithm,
            mac_syntax=mac_syntax,
            tags=tuple(tags),
            incomplete=request.stream_format is StreamFormat.DCMTK,
            old_format=request.stream_format is StreamFormat.OLD,
        )

    def _check_pixels(self) -> None:
        survey = self._survey
        if not survey.pixels.allow(mac_syntax_of(survey.syntax), survey.syntax):
            raise UnusableMacSyntax("Pixel Data is not available in the MAC calculation transfer syntax")

    def _begin(self) -> bytes:
        """The plan is made: the meta header of the output."""
        assert self._plan is not None
        survey = self._survey
        write = None if self._dump is None else self._dump.write
        undefined = self._request.undefined_lengths
        self._splicer = Splicer(survey, self._plan, self._tail, undefined_lengths=undefined, dump=write)
        sop_class, sop_instance = survey.sop_uids()
        return meta_header(
            survey.preamble,
            survey.syntax.uid,
            sop_class or GENERIC_SOP_CLASS.encode(),
            sop_instance or self._request.new_uid().encode(),
        )

    def _packed(self, buffers: Iterable[bytes | memoryview], *, last: bool = False) -> Buffers:
        """The buffers, deflated if the transfer syntax wants that."""
        if not self._survey.syntax.deflated:
            return list(buffers)
        if self._deflater is None:
            import zlib  # loaded only for deflated output

            self._deflater = zlib.compressobj(wbits=-zlib.MAX_WBITS)
        packed: Buffers = [self._deflater.compress(buffer) for buffer in buffers]
        if last:
            packed.append(self._deflater.flush())
        return packed

    def ending(self, signer: Signer, value: bytes) -> Buffers:
        """The rest of the output, once the signature value is known and has been checked against the certificate."""
        assert self._plan is not None
        assert self._splicer is not None
        if not verify_digest(signer.certificate, value, self.digest, self._plan.algorithm):
            raise CryptoFailure("the new signature does not verify with the public key of the certificate")
        return self._packed(self._splicer.finish(signer.certificate.der, value), last=True)

    def receipt(self, signer: Signer, value: bytes) -> SigningReceipt:
        """What was written."""
        plan = self._plan
        assert plan is not None
        return SigningReceipt(
            uid=plan.uid,
            location=(),
            mac_id=plan.mac_id,
            mac_algorithm=plan.algorithm,
            mac_transfer_syntax=plan.mac_syntax.uid,
            tags_signed=plan.tags,
            signed_at=plan.date_time,
            certificate=signer.certificate,
            digest=self.digest,
            signature=value,
        )

    def close(self) -> None:
        """Forget what is kept."""
        self._tail.close()


def _warn(signer: Signer, now: datetime) -> None:
    certificate = signer.certificate
    if now > certificate.not_after:
        log.warning("Certificate has expired %s, signature will be invalid.", certificate.not_after_text)
    if now < certificate.not_before:
        text = certificate.not_before_text
        log.warning("Certificate is not yet valid, validity starts %s, signature will be invalid.", text)
    if certificate.weak_key:
        log.warning("Certificate contains a weak key: %s", certificate.weak_key_text)


class TwoPasses(Signing):
    """Call `survey`, `plan`, iterate over `body`, then `ending` with the signature of `digest`."""

    def __init__(self, source: RandomAccess, request: Request, dump: IO[bytes] | None) -> None:
        super().__init__(request, dump)
        self._source = source
        self._ordered = False

    def survey(self) -> None:
        """First pass, over the headers."""
        try:
            self._read_survey()
        except UnorderedInput:
            self._ordered = True
            self._survey = Survey(undefined_lengths=self._request.undefined_lengths)
            self._texts.clear()
            self._read_survey()

    def _read_survey(self) -> None:
        for event in TextGate(self._texts, measure=True).through(self._events(self._source, skip=True)):
            self._survey.feed(event)

    def _events(self, source: RandomAccess, *, skip: bool = False) -> Iterator[Event]:
        if self._ordered:
            return open_ordered(Cancellable(self._source), self._request.read, self._warnings)[1]
        return forward_events(Cancellable(source), self._request.read, self._warnings, skip=skip)

    def body(self) -> Generator[Buffers, None, None]:
        """Second pass: the output up to the new signature, in pieces of about a block."""
        yield [self._begin()]
        splicer = self._splicer
        assert splicer is not None
        started = False
        with closing(ReadAhead(self._source)) as ahead:
            for event in TextGate(self._texts).through(self._events(ahead)):
                if not started:
                    started = type(event) is DatasetStart
                    continue
                splicer.feed(event)
                if splicer.pending >= _COLLECT:
                    yield self._packed(splicer.take())
        self.digest = splicer.digest()
        yield self._packed(splicer.take())


class OnePass(Signing):
    """Feed blocks, then `end`, iterating over the output each of them gives; then `ending` with the signature of `digest`.

    The tags to sign are declared, so MAC Parameters can be written before what they list has been seen; an object that does not
    keep the promise ends in an error. Kept back, in memory up to a limit and then on disk, are the data elements in front of MAC
    Parameters Sequence (usually some KiB) and later ones whose length must be known in advance: sequences, groups with a length.
    """

    def __init__(self, signer: Signer, request: Request, dump: IO[bytes] | None) -> None:
        super().__init__(request, dump)
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
        self._survey.selection(self._request.tags)
        self._check_pixels()
        if any(mac_id == self._plan.mac_id for mac_id in self._survey.mac_ids()):
            raise PlanMismatch("an earlier signature without MAC parameters has the MAC ID of the new one")
        self.digest = splicer.digest()
        yield self._output()

    def _output(self) -> Buffers:
        return [] if self._splicer is None else self._packed(self._splicer.take())

    def _select(self) -> list[int]:
        """The declared tags; those in front of MAC Parameters Sequence are checked, the others promised."""
        assert self._request.tags is not None
        early = [tag for tag in self._request.tags if tag < MAC_PARAMETERS_SEQUENCE]
        if self._survey.tags:
            self._survey.selection(early)
        return sorted(set(self._request.tags))

    def _advance(self) -> Iterator[Buffers]:
        for raw_event in self._parser.events():
            kind = type(raw_event)
            if kind is Anomaly:
                self._warnings.note(raw_event)  # type: ignore[arg-type]
                check_order(raw_event)  # type: ignore[arg-type]
            elif self._depth == 0 and kind in _TAGGED and self._survey.started:
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
            if self._splicer.pending >= _COLLECT:
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
