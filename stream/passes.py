"""The passes over an object whose main data set is being signed. Synchronous, for worker threads; what is awaited happens between
the calls.

`TwoPasses` reads its source twice: headers first, then everything. `OnePass` takes blocks as they come and gives output as soon
as the place of MAC Parameters Sequence has passed; that needs the caller to declare what will be signed.
"""

from __future__ import annotations

from collections.abc import Generator

from ..codec.dicom.events import DatasetStart, Element, FragmentsStart, SequenceStart, ValueStart
from ..codec.dicom.tags import MAC_PARAMETERS_SEQUENCE
from ..codec.errors import PlanMismatch
from ..codec.signature.level import SIGNATURE_SEQUENCES
from ..codec.signature.splice import Buffers, Splicer
from ..codec.signature.survey import Survey
from .io.dump import DumpFile
from .io.sources import RandomAccess
from .io.spool import Spool
from .new_signature import NewSignature, Request
from .passing import Passing
from .trust.signers import Signer
from .writing import COLLECT, ObjectWriter, Rereader


class Signing(NewSignature[Survey]):
    """What both ways of signing share: the survey, the plan made from it, and the end of the output."""

    def __init__(self, request: Request, dump: DumpFile | None) -> None:
        super().__init__(request, self._new_survey(request), dump)
        self._tail = Spool()
        self._writer = ObjectWriter(request.new_uid)
        self._splicer: Splicer | None = None

    @staticmethod
    def _new_survey(request: Request) -> Survey:
        return Survey(undefined_lengths=request.undefined_lengths, output=request.output, limits=request.read.limits)

    def _begin(self) -> bytes:
        """The plan is made: the meta header of the output."""
        assert self._plan is not None
        write = None if self._dump is None else self._dump.write
        self._splicer = Splicer(self._survey, self._plan, self._tail, dump=write)
        return self._writer.begin(self._survey)

    def ending(self, signer: Signer, value: bytes, token: bytes | None) -> Buffers:
        """The rest of the output, once the signature value is known, and its timestamp token, if it has one."""
        assert self._splicer is not None
        self.check_value(signer, value)
        return self._writer.packed(self._splicer.finish(signer.certificate.der, value, token), last=True)

    def close(self) -> None:
        """Forget what is kept."""
        self._tail.close()


class TwoPasses(Signing):
    """Call `survey`, `plan`, iterate over `body`, then `ending` with the signature of `digest`."""

    def __init__(self, source: RandomAccess, request: Request, dump: DumpFile | None) -> None:
        super().__init__(request, dump)
        self._input = Rereader(source, request.read, plain_items=True)

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
    keep the promise ends in an error. See Passing for what is kept back: the data elements in front of MAC Parameters Sequence
    (usually some KiB) and later ones whose length must be known in advance.
    """

    def __init__(self, signer: Signer, request: Request, dump: DumpFile | None) -> None:
        super().__init__(request, dump)
        self._signer = signer
        self._passing = Passing(self._survey, request.read, self._writer, self, plain_items=True)

    def feed(self, block: bytes) -> Generator[Buffers, None, None]:
        """Take the next block; gives the output it makes possible."""
        return self._passing.feed(block)

    def end(self) -> Generator[Buffers, None, None]:
        """The input has ended; `digest` is there afterwards."""
        yield from self._passing.end()
        splicer = self._splicer
        assert splicer is not None
        assert self._plan is not None
        super()._select()
        super()._check_contents()
        if any(mac_id == self._plan.mac_id for mac_id in self._survey.level.mac_ids()):
            raise PlanMismatch("an earlier signature without MAC parameters has the MAC ID of the new one")
        self.digest = splicer.digest()
        yield self._writer.packed(splicer.take())

    def _select(self) -> list[int]:
        """The declared tags; those in front of MAC Parameters Sequence are checked, the others promised."""
        assert self._request.tags is not None
        early = [tag for tag in self._request.tags if tag < MAC_PARAMETERS_SEQUENCE]
        if self._survey.level.tags:
            self._survey.level.selection(early)
            self._survey.level.check_present(early)
        return sorted(set(self._request.tags))

    def _check_contents(self) -> None:
        """Known at the end only."""

    def is_settled(self, tag: int) -> bool:
        """Everything that a signature is about has to be written before the place of its MAC Parameters."""
        return tag > MAC_PARAMETERS_SEQUENCE

    def holds(self, event: Element | ValueStart | SequenceStart | FragmentsStart) -> bool:
        """What has a length in front that depends on what comes behind."""
        if event.tag in SIGNATURE_SEQUENCES:
            return False
        if isinstance(event, SequenceStart):
            return not self._request.undefined_lengths
        return not event.tag & 0xFFFF

    def surveyed(self) -> None:
        """Nothing to decide."""

    def begin(self) -> tuple[bytes, Splicer]:
        """Plan, and start the output."""
        self.plan(self._signer)
        head = self._begin()
        assert self._splicer is not None
        return head, self._splicer

    def close(self) -> None:
        super().close()
        self._passing.close()
