"""Writes an object with a new signature in its main data set, in one forward pass over what a `Survey` has seen."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple, Protocol

from ..dicom import syntaxes, trees
from ..dicom.encoder import CHANGED, DatasetEncoder, LengthTable, form_of
from ..dicom.events import BIG, Element, Event, FragmentsStart, SequenceEnd, SequenceStart, ValueStart
from ..dicom.headers import element_header
from ..dicom.tags import DIGITAL_SIGNATURES_SEQUENCE, MAC_PARAMETERS_SEQUENCE
from ..errors import PlanMismatch
from .items import complete_signature, new_mac_parameters, new_signature
from .mac import Mac
from .stream import StreamEncoder
from .survey import SIGNATURE_GROUP_LENGTH, SIGNATURE_SEQUENCES, Survey

_TAGGED = frozenset({Element, ValueStart, SequenceStart, FragmentsStart})
Buffers = list[bytes | memoryview]


def mac_syntax_of(syntax: syntaxes.TransferSyntax) -> syntaxes.TransferSyntax:
    """MAC Calculation Transfer Syntax for an object: explicit VR little endian instead of implicit and big endian."""
    if syntax in (syntaxes.IMPLICIT_LE, syntaxes.EXPLICIT_BE):
        return syntaxes.EXPLICIT_LE
    return syntax


class SigningPlan(NamedTuple):
    """Everything about a signature that is known before its digest."""

    mac_id: int
    uid: str
    date_time: str
    purpose: int | None
    algorithm: str
    mac_syntax: syntaxes.TransferSyntax
    tags: tuple[int, ...]
    incomplete: bool = False
    old_format: bool = False


def encode_sequence(tag: int, items: list[trees.Item], form: int, *, undefined: bool) -> bytes:
    """A small sequence, encoded."""
    lengths = LengthTable()
    sequence: trees.Item = [trees.Sequence(tag, items)]
    for measure in (True, False):
        encoder = DatasetEncoder(form, lengths, undefined=undefined, measure=measure)
        encoder.feed_all(trees.item_events(sequence))
    return b"".join(encoder.take())


class Tail(Protocol):
    """Keeps bytes until they are written out."""

    def write(self, data: bytes | memoryview, /) -> object:
        """Append a copy of `data`."""

    def chunks(self) -> Iterator[bytes]:
        """All that was written, in order."""


class Splicer:
    """Second pass: takes the same events as the survey, gives the bytes of the signed data set and the digest to be signed.

    Feed all events, collecting the output with `take`; then `digest`; then `finish` with the signature. What lies behind the
    place of Digital Signatures Sequence goes through `tail`, since it is digested before that sequence can be written.
    """

    def __init__(
        self,
        survey: Survey,
        plan: SigningPlan,
        tail: Tail,
        *,
        undefined_lengths: bool = False,
        dump: Callable[[bytes | memoryview], object] | None = None,
    ) -> None:
        self._survey = survey
        self._plan = plan
        self._form = form_of(survey.syntax)
        self._undefined = undefined_lengths
        parameters = new_mac_parameters(plan.mac_id, plan.mac_syntax.uid, plan.algorithm, plan.tags)
        self._parameters = encode_sequence(
            MAC_PARAMETERS_SEQUENCE, [*survey.parameters, parameters], self._form, undefined=undefined_lengths
        )
        extra = {MAC_PARAMETERS_SEQUENCE >> 16: len(self._parameters)}
        self._encoder = DatasetEncoder(self._form, survey.lengths, undefined=undefined_lengths, group_extra=extra)
        self._mac = Mac(plan.algorithm, frozenset(plan.tags), incomplete=plan.incomplete, tee=dump)
        self._stream = StreamEncoder([self._mac], kind=self._mac_kind, old_format=plan.old_format)
        self._item = new_signature(plan.mac_id, plan.uid, plan.date_time, plan.purpose)
        self._depth = 0
        self._dropping = False
        self._out: Buffers = []
        self._tail = tail
        self._in_tail = False
        self._group: Buffers | None = None  # what stands behind the group length of FFFA
        self._group_start = 0
        self._group_end: int | None = None
        self._tag = 0
        self._count = 0
        self._taken = 0

    @property
    def _mac_kind(self) -> int:
        return form_of(self._plan.mac_syntax)

    def feed(self, event: Event) -> None:
        """Take the next event behind the start of the data set."""
        kind = type(event)
        if self._depth == 0 and kind in _TAGGED:
            self._enter(event)  # type: ignore[arg-type]
        if not self._dropping:
            self._stream.feed(event)
            self._encoder.feed(event)
        if kind is SequenceStart:
            self._depth += 1
        elif kind is SequenceEnd:
            self._depth -= 1
            if self._depth == 0:
                self._compare()

    def _compare(self) -> None:
        """The element of the main data set is the one that the survey, which lists sequences at their ends, has found here."""
        if self._count >= len(self._survey.tags) or self._tag != self._survey.tags[self._count]:
            raise PlanMismatch(CHANGED)
        self._count += 1

    def _enter(self, event: Element | ValueStart | SequenceStart | FragmentsStart) -> None:
        """An element of the main data set begins: insert or divert what belongs before it."""
        tag = event.tag
        self._tag = tag
        if not isinstance(event, SequenceStart):
            self._compare()
        self._dropping = tag in SIGNATURE_SEQUENCES or tag == SIGNATURE_GROUP_LENGTH
        if tag > MAC_PARAMETERS_SEQUENCE and self._parameters:
            self._insert_parameters()
        if tag == SIGNATURE_GROUP_LENGTH:
            self._collect()
            self._group, self._group_start = [], self._encoder.size
        elif tag > DIGITAL_SIGNATURES_SEQUENCE:
            self._collect()
            self._in_tail = True
            if tag >> 16 > DIGITAL_SIGNATURES_SEQUENCE >> 16 and self._group_end is None:
                self._group_end = self._encoder.size

    def _insert_parameters(self) -> None:
        self._collect()
        self._out.append(self._parameters)
        self._parameters = b""

    def _collect(self) -> None:
        """Move what the encoder has written to where it belongs."""
        pieces = self._encoder.take()
        if self._in_tail:
            for piece in pieces:
                self._tail.write(piece)
        elif self._group is not None:
            self._group += [bytes(piece) for piece in pieces]
        else:
            self._out += pieces

    @property
    def pending(self) -> int:
        """Bytes of output waiting to be taken."""
        return self._encoder.size - self._taken

    def take(self) -> Buffers:
        """Output since the last call."""
        self._collect()
        self._taken = self._encoder.size
        out, self._out = self._out, []
        return out

    def digest(self) -> bytes:
        """End of the data set: the digest to be signed. Raises PlanMismatch if the input is not what the survey saw."""
        if self._count != len(self._survey.tags) or not self._survey.lengths.used_up:
            raise PlanMismatch(CHANGED)
        if self._mac.unsignable:
            raise PlanMismatch("a data element became unsignable while it was being signed")
        self._encoder.finish()
        if self._parameters:
            self._insert_parameters()
        (form,) = self._mac.forms
        item = Mac.continuing(self._plan.algorithm, form)
        stream = StreamEncoder([item], kind=self._mac_kind, old_format=self._plan.old_format)
        for event in trees.item_events(self._item):
            stream.feed(event)
        end = item.forms[0]
        end.flush()
        return end.digest.digest()

    def finish(self, certificate: bytes, signature: bytes) -> Iterator[bytes | memoryview]:
        """The rest of the output, given the DER certificate and the signature value over the digest."""
        item = complete_signature(self._item, certificate, signature)
        sequence = encode_sequence(
            DIGITAL_SIGNATURES_SEQUENCE, [*self._survey.signatures, item], self._form, undefined=self._undefined
        )
        yield from self.take()
        if self._group is not None:
            end = self._encoder.size if self._group_end is None else self._group_end
            size = end - self._group_start + len(sequence)
            yield element_header(self._form, SIGNATURE_GROUP_LENGTH, "UL", 4)
            yield size.to_bytes(4, "big" if self._form == BIG else "little")
            yield from self._group
        yield sequence
        yield from self._tail.chunks()
