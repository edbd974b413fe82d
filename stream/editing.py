"""The passes over an object whose signature sequences change somewhere: an item gets a signature, or signatures are removed.

Synchronous, for worker threads; what is awaited happens between the calls.
"""

from __future__ import annotations

from collections.abc import Callable, Generator

from ..codec.dicom.encoder import CHANGED
from ..codec.dicom.events import DatasetStart, Element, End, Event, FragmentsStart, SequenceStart, ValueStart
from ..codec.dicom.options import ReadOptions
from ..codec.dicom.syntaxes import TransferSyntax
from ..codec.dicom.tags import DIGITAL_SIGNATURES_SEQUENCE, MAC_PARAMETERS_SEQUENCE
from ..codec.errors import PlanMismatch, SigningError
from ..codec.signature import removal
from ..codec.signature.edits import EditSurvey, ItemFilter, ItemSurvey, RemovalSurvey, Rewriter
from ..codec.signature.items import complete_signature, new_mac_parameters, new_signature
from ..codec.signature.splice import Buffers, Digester
from .io.dump import DumpFile
from .io.sources import RandomAccess
from .new_signature import NewSignature, Request
from .passing import Passing
from .receipts import RemovalReport
from .trust.signers import Signer
from .writing import COLLECT, ObjectWriter, Rereader


def rewritten(
    reader: Rereader, survey: EditSurvey, new_uid: Callable[[], str], seen: Callable[[Event], object] = lambda event: None
) -> Generator[Buffers, None, None]:
    """The last pass, over everything: the output, in pieces of about a block. `seen` is told every event."""
    writer = ObjectWriter(new_uid)
    yield [writer.begin(survey)]
    rewriter = Rewriter(survey)
    started = False
    for event in reader.everything():
        if not started:
            started = type(event) is DatasetStart
            continue
        seen(event)
        rewriter.feed(event)
        if rewriter.pending >= COLLECT:
            yield writer.packed(rewriter.take())
    yield writer.packed(rewriter.finish(), last=True)


class ItemSigning(NewSignature[ItemSurvey]):
    """Call `survey`, `plan`, `digest_item`, `insert` with the signature of `digest`, then iterate over `body`."""

    def __init__(self, source: RandomAccess, request: Request, dump: DumpFile | None) -> None:
        super().__init__(request, self._new_survey(request), dump)
        self._input = Rereader(source, request.read)

    @staticmethod
    def _new_survey(request: Request) -> ItemSurvey:
        limits = request.read.limits
        return ItemSurvey(request.path, undefined_lengths=request.undefined_lengths, output=request.output, limits=limits)

    def survey(self) -> None:
        """First pass, over the headers."""
        self._survey = self._input.survey(lambda: self._new_survey(self._request))

    def _check_dataset(self) -> None:
        self._survey.check()
        super()._check_dataset()

    def plan(self, signer: Signer) -> None:
        super().plan(signer)
        assert self._plan is not None
        depth = self._request.read.limits.depth
        if len(self._request.path.steps) + (1 if self._plan.purpose is None else 2) > depth:
            raise SigningError(f"a signature in this item would be nested more than {depth} deep")

    def digest_item(self) -> None:
        """Second pass, over the item; ends with it."""
        plan, target = self._plan, self._survey.target
        assert plan is not None
        assert target is not None
        digester = Digester(plan, None if self._dump is None else self._dump.write)
        item = ItemFilter(target.start)
        for event in self._input.headers(lambda: item.inside and digester.wants_value):
            if item.takes(event):
                digester.feed(event)
            elif item.over:
                break
        else:
            raise PlanMismatch("the item to be signed is no longer there")
        self._item = new_signature(plan.mac_id, plan.uid, plan.date_time, plan.purpose)
        self.digest = digester.digest(self._item)

    def insert(self, signer: Signer, value: bytes, token: bytes | None) -> None:
        """Put the signature into the item, with a timestamp token, if it has one."""
        plan, survey = self._plan, self._survey
        assert plan is not None
        assert survey.target is not None
        self.check_value(signer, value)
        parameters = new_mac_parameters(plan.mac_id, plan.mac_syntax.uid, plan.algorithm, plan.tags)
        signature = complete_signature(self._item, signer.certificate.der, value, token)
        survey.replace(
            survey.target,
            {
                MAC_PARAMETERS_SEQUENCE: [*survey.level.parameters, parameters],
                DIGITAL_SIGNATURES_SEQUENCE: [*survey.level.signatures, signature],
            },
        )

    def body(self) -> Generator[Buffers, None, None]:
        """Third pass: the output, in pieces of about a block. Raises PlanMismatch if the item is not what has been signed."""
        plan, target = self._plan, self._survey.target
        assert plan is not None
        assert target is not None
        digester, item = Digester(plan), ItemFilter(target.start)

        def digest_again(event: Event) -> None:
            if item.takes(event):
                digester.feed(event)
            elif type(event) is End and digester.digest(self._item) != self.digest:
                raise PlanMismatch(CHANGED)

        return rewritten(self._input, self._survey, self._request.new_uid, digest_again)

    def close(self) -> None:
        """Forget what is kept."""


class Removing:
    """Call `survey`, `plan`, `check_output`, then iterate over `body`; `uid` is that of the signature to remove, None for all."""

    def __init__(
        self,
        source: RandomAccess,
        *,
        uid: str | None,
        undefined_lengths: bool,
        output: TransferSyntax | None,
        read: ReadOptions,
        new_uid: Callable[[], str],
    ) -> None:
        self._uid = uid
        self._undefined = undefined_lengths
        self._output = output
        self._limits = read.limits
        self._input = Rereader(source, read)
        self._new_uid = new_uid
        self._survey = self._new_survey()
        self.report = RemovalReport(())

    def _new_survey(self) -> RemovalSurvey:
        return RemovalSurvey(undefined_lengths=self._undefined, output=self._output, limits=self._limits)

    @property
    def ignored(self) -> int:
        """Digital Signatures Sequences below Original Attributes Sequence, which stay."""
        return self._survey.ignored

    def survey(self) -> None:
        """First pass, over the headers."""
        self._survey = self._input.survey(self._new_survey)

    def plan(self) -> None:
        """Find what is to be removed; `report` tells it afterwards."""
        survey = self._survey
        found = removal.remove_all(survey) if self._uid is None else (removal.remove(survey, self._uid),)
        self.report = RemovalReport(found)

    def check_output(self) -> None:
        """Raise UnsupportedSyntax if the object cannot be written as asked for."""
        self._survey.check_conversion()

    def body(self) -> Generator[Buffers, None, None]:
        """Second pass: the output, in pieces of about a block."""
        return rewritten(self._input, self._survey, self._new_uid)


class OnePassRemoving:
    """Removes all signatures of an object while it passes: feed blocks, then `end`, iterating over the output each of them gives.

    Kept back are sequences, since an item's MAC Parameters stand in front of the signatures they belong to, and everything behind
    MAC Parameters of the main data set, if it has some.
    """

    def __init__(self, *, undefined_lengths: bool, read: ReadOptions, new_uid: Callable[[], str]) -> None:
        self._survey = RemovalSurvey(undefined_lengths=undefined_lengths, limits=read.limits)
        self._writer = ObjectWriter(new_uid)
        self._passing = Passing(self._survey, read, self._writer, self)
        self._rewriter: Rewriter | None = None
        self.report = RemovalReport(())

    @property
    def ignored(self) -> int:
        """Digital Signatures Sequences below Original Attributes Sequence, which stay."""
        return self._survey.ignored

    def feed(self, block: bytes) -> Generator[Buffers, None, None]:
        """Take the next block; gives the output it makes possible."""
        return self._passing.feed(block)

    def end(self) -> Generator[Buffers, None, None]:
        """The input has ended; `report` is there afterwards."""
        yield from self._passing.end()
        assert self._rewriter is not None
        yield self._writer.packed(self._rewriter.finish(), last=True)

    def is_settled(self, tag: int) -> bool:
        """Which MAC Parameters of the main data set stay is known at its end only."""
        return tag > MAC_PARAMETERS_SEQUENCE and not self._survey.has_parameters

    def holds(self, event: Element | ValueStart | SequenceStart | FragmentsStart) -> bool:
        """Whatever may contain signatures, or has a length in front that depends on what comes behind."""
        return isinstance(event, SequenceStart) or not event.tag & 0xFFFF

    def surveyed(self) -> None:
        """Remove what has been found."""
        self._survey.close_signatures()
        self.report = RemovalReport((*self.report.removed, *removal.remove_all(self._survey)))

    def begin(self) -> tuple[bytes, Rewriter]:
        """Start the output."""
        head = self._writer.begin(self._survey)
        self._rewriter = Rewriter(self._survey)
        return head, self._rewriter

    def close(self) -> None:
        """Forget what is kept."""
        self._passing.close()
