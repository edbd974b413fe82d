"""Signing and digesting with the pure codec, without any input or output."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from dcmsign.codec.dicom.encoder import form_of
from dcmsign.codec.dicom.events import (
    Anomaly,
    AnomalyCode,
    DatasetStart,
    End,
    Event,
    ItemEnd,
    ItemStart,
    SequenceEnd,
    SequenceStart,
)
from dcmsign.codec.dicom.options import READ_AS_FOUND, ReadOptions
from dcmsign.codec.dicom.ordered import OrderedReader, Reader
from dcmsign.codec.dicom.parser import Parser
from dcmsign.codec.dicom.syntaxes import SYNTAXES
from dcmsign.codec.dicom.tags import DIGITAL_SIGNATURES_SEQUENCE, MAC_PARAMETERS_SEQUENCE
from dcmsign.codec.dicom.texts import TextGate
from dcmsign.codec.signature.edits import ItemFilter, ItemSurvey, Rewriter
from dcmsign.codec.signature.finder import FoundSignature, SignatureFinder
from dcmsign.codec.signature.items import complete_signature, new_mac_parameters, new_signature
from dcmsign.codec.signature.location import item_path
from dcmsign.codec.signature.mac import Mac
from dcmsign.codec.signature.splice import Digester, SigningPlan, Splicer
from dcmsign.codec.signature.stream import StreamEncoder
from dcmsign.codec.signature.survey import Survey

from tests.codec import reading

DISORDER = (AnomalyCode.UNORDERED, AnomalyCode.DUPLICATE)


class Tail:
    """The part of the output that has to wait, in memory."""

    def __init__(self) -> None:
        self._chunks: list[bytes] = []

    def write(self, data: bytes | memoryview, /) -> None:
        self._chunks.append(bytes(data))

    def chunks(self) -> Iterator[bytes]:
        return iter(self._chunks)


def inflated(data: bytes, options: ReadOptions = READ_AS_FOUND) -> bytes:
    """The input with its data set inflated, so that offsets of events are offsets in it."""
    return reading.raw_bytes(reading.drive(Parser(options), (data,)))


def reader(data: bytes) -> Reader:
    """Access to bytes in memory."""
    return lambda offset, size: data[offset : offset + size]


def ordered_events(data: bytes, options: ReadOptions = READ_AS_FOUND, blocks: Iterable[bytes] | None = None) -> list[Event]:
    """All events of an input in canonical order."""
    found = list(reading.drive(Parser(options), (data,) if blocks is None else blocks))
    if not any(isinstance(event, Anomaly) and event.code in DISORDER for event in found):
        return found
    start = next(i for i, event in enumerate(found) if isinstance(event, DatasetStart))
    first = found[start]
    assert isinstance(first, DatasetStart)
    syntax = SYNTAXES[first.syntax]
    ordered = OrderedReader(reader(inflated(data, options)), options, encapsulated=syntax.encapsulated)
    content = ordered.events(form_of(syntax), first.offset, None)
    return [*found[: start + 1], *content, End(b"", ordered.end)]


def level_events(events: Iterable[Event], location: tuple[tuple[int, int], ...]) -> list[Event]:
    """The events of one item, or of the main data set."""
    level = reading.content(events)
    for tag, number in location:
        level = list(_item(level, tag, number))
    return level


def _item(events: Iterable[Event], tag: int, number: int) -> Iterator[Event]:
    depth, inside, wanted = 0, False, False
    for event in events:
        if isinstance(event, SequenceStart):
            wanted = event.tag == tag if depth == 0 else wanted
            depth += 1
        elif isinstance(event, SequenceEnd):
            depth -= 1
        if depth == 1 and wanted and isinstance(event, ItemStart) and event.number == number:
            inside = True
        elif depth == 1 and isinstance(event, ItemEnd):
            inside = False
        elif inside:
            yield event


def digest(
    events: Iterable[Event],
    mac: Mac,
    *,
    kind: int,
    old_format: bool = False,
) -> Mac:
    """Feed the events of a level to a Mac."""
    encoder = StreamEncoder([mac], kind=kind, old_format=old_format)
    for event in TextGate({}).through(events):
        encoder.feed(event)
    for form in mac.forms:
        form.flush()
    return mac


def find(
    data: bytes, blocks: Iterable[bytes], *, options: ReadOptions = READ_AS_FOUND, old_format: bool = False
) -> list[FoundSignature]:
    """The signatures of an input that is in order, in one pass."""
    finder = SignatureFinder(reader(inflated(data, options)), options=options, old_format=old_format)
    for event in reading.drive(Parser(options), blocks):
        finder.feed(event)
    return finder.found


def survey(events: Iterable[Event], *, undefined_lengths: bool = False) -> tuple[Survey, dict[int, int]]:
    """The first pass of signing, and the lengths of long texts."""
    texts: dict[int, int] = {}
    result = Survey(undefined_lengths=undefined_lengths)
    for event in TextGate(texts, measure=True).through(events):
        result.feed(event)
    return result, texts


def splice(
    events: Iterable[Event],
    plan: SigningPlan,
    certificate: bytes,
    signature: bytes,
    *,
    undefined_lengths: bool = False,
) -> tuple[bytes, bytes, bytes]:
    """Both passes: the signed data set, the digest and the digested bytes."""
    found = list(events)
    seen, texts = survey(found, undefined_lengths=undefined_lengths)
    dump = bytearray()
    splicer = Splicer(seen, plan, Tail(), dump=dump.extend)
    started = False
    out = bytearray()
    for event in TextGate(texts).through(found):
        if started:
            splicer.feed(event)
            if splicer.pending > 1000:
                out += b"".join(splicer.take())
        started = started or isinstance(event, DatasetStart)
    value = splicer.digest()
    out += b"".join(splicer.finish(certificate, signature))
    return bytes(out), value, bytes(dump)


def splice_item(
    events: Iterable[Event],
    location: tuple[tuple[int, int], ...],
    plan: SigningPlan,
    certificate: bytes,
    signature: bytes,
) -> tuple[bytes, bytes, bytes]:
    """The passes that sign an item: the signed data set, the digest and the digested bytes."""
    found = list(events)
    seen = ItemSurvey(item_path(location))
    for event in found:
        seen.feed(event)
    seen.check()
    assert seen.target is not None
    dump = bytearray()
    digester = Digester(plan, dump.extend)
    item = ItemFilter(seen.target.start)
    for event in found:
        if item.takes(event):
            digester.feed(event)
    assert item.over
    new = new_signature(plan.mac_id, plan.uid, plan.date_time, plan.purpose)
    value = digester.digest(new)
    parameters = new_mac_parameters(plan.mac_id, plan.mac_syntax.uid, plan.algorithm, plan.tags)
    seen.replace(
        seen.target,
        {
            MAC_PARAMETERS_SEQUENCE: [*seen.level.parameters, parameters],
            DIGITAL_SIGNATURES_SEQUENCE: [*seen.level.signatures, complete_signature(new, certificate, signature)],
        },
    )
    rewriter = Rewriter(seen)
    start = next(number for number, event in enumerate(found) if isinstance(event, DatasetStart))
    for event in found[start + 1 :]:
        rewriter.feed(event)
    return b"".join(rewriter.finish()), value, bytes(dump)
