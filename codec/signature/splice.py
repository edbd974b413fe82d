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
from .finder import TAGGED
from .items import complete_signature, new_mac_parameters, new_signature
from .level import SIGNATURE_SEQUENCES
from .mac import Mac
from .stream import StreamEncoder
from .survey import SIGNATURE_GROUP_LENGTH, Survey

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


class Digester:
    """Computes the digest of a new signature: the data elements of its level, then its own item (PS3.3 C.12.1.1.3.1.1)."""

    def __init__(self, plan: SigningPlan, dump: Callable[[bytes | memoryview], object] | None = None) -> None:
        self._plan = plan
        self._kind = form_of(plan.mac_syntax)
        self._mac = Mac(plan.algorithm, frozenset(plan.tags), incomplete=plan.incomplete, tee=dump)
        stream = StreamEncoder([self._mac], kind=self._kind, old_format=plan.old_format)
        self.feed = stream.feed
        self._stream = stream

    @property
    def wants_value(self) -> bool:
        """Whether the value that has just begun is digested."""
        return self._stream.wants_value

    def digest(self, item: trees.Item) -> bytes:
        """All data elements of the level have been fed: the digest, `item` being the new signature."""
        if self._mac.unsignable:
            raise PlanMismatch("a data element became unsignable while it was being signed")
        (form,) = self._mac.forms
        end = Mac.continuing(self._plan.algorithm, form)
        stream = StreamEncoder([end], kind=self._kind, old_format=self._plan.old_format)
        for event in trees.item_events(item):
            stream.feed(event)
        end.forms[0].flush()
        return end.forms[0].digest.digest()


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
        dump: Callable[[bytes | memoryview], object] | None = None,
    ) -> None:
        self._survey = survey
        self._plan = plan
        self._form = form_of(survey.output)
        self._undefined = survey.undefined_lengths
        parameters = new_mac_parameters(plan.mac_id, plan.mac_syntax.uid, plan.algorithm, plan.tags)
        self._parameters = encode_sequence(
            MAC_PARAMETERS_SEQUENCE, [*survey.level.parameters, parameters], self._form, undefined=self._undefined
        )
        self._encoder = DatasetEncoder(
            self._form,
            survey.lengths,
            undefined=self._undefined,
            group_extra={MAC_PARAMETERS_SEQUENCE >> 16: len(self._parameters)},
            swap_pixels=survey.swap_pixels,
        )
        self._digester = Digester(plan, dump)
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

    def feed(self, event: Event) -> None:
        """Take the next event behind the start of the data set."""
        kind = type(event)
        if self._depth == 0 and kind in TAGGED:
            self._enter(event)  # type: ignore[arg-type]
        if not self._dropping:
            self._digester.feed(event)
            self._encoder.feed(event)
        if kind is SequenceStart:
            self._depth += 1
        elif kind is SequenceEnd:
            self._depth -= 1
            if self._depth == 0:
                self._compare()

    def _compare(self) -> None:
        """The element of the main data set is the one that the survey, which lists sequences at their ends, has found here."""
        if self._count >= len(self._survey.level.tags) or self._tag != self._survey.level.tags[self._count]:
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
        if self._count != len(self._survey.level.tags) or not self._survey.lengths.used_up:
            raise PlanMismatch(CHANGED)
        self._encoder.finish()
        if self._parameters:
            self._insert_parameters()
        return self._digester.digest(self._item)

    def finish(self, certificate: bytes, signature: bytes, token: bytes | None = None) -> Iterator[bytes | memoryview]:
        """The rest of the output, given the DER certificate, the signature value over the digest and a timestamp token."""
        item = complete_signature(self._item, certificate, signature, token)
        sequence = encode_sequence(
            DIGITAL_SIGNATURES_SEQUENCE, [*self._survey.level.signatures, item], self._form, undefined=self._undefined
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
