"""Signing items and removing signatures with the pure codec, without any input or output."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple, TypeVar

from dcmsign.codec.dicom.encoder import form_of
from dcmsign.codec.dicom.events import DatasetStart, Event
from dcmsign.codec.dicom.options import Limits
from dcmsign.codec.dicom.ordered import read_events
from dcmsign.codec.dicom.parser import Parser
from dcmsign.codec.dicom.syntaxes import SYNTAXES, TransferSyntax
from dcmsign.codec.dicom.tags import DIGITAL_SIGNATURES_SEQUENCE, MAC_PARAMETERS_SEQUENCE
from dcmsign.codec.dicom.texts import TextGate
from dcmsign.codec.signature import removal
from dcmsign.codec.signature.edits import EditSurvey, ItemFilter, ItemSurvey, RemovalSurvey, Rewriter
from dcmsign.codec.signature.items import complete_signature, free_mac_id, new_mac_parameters, new_signature
from dcmsign.codec.signature.location import ItemPath
from dcmsign.codec.signature.removal import RemovedSignature
from dcmsign.codec.signature.splice import Digester, SigningPlan, mac_syntax_of

from tests.codec import builder, reading
from tests.codec.signing import reader

CERTIFICATE, SIGNATURE = b"no certificate, odd", b"no signature"
DATE_TIME = "20260601120000.000000+0000"
NEW_UID = "1.2.3.4.5.6.7"

AnySurvey = TypeVar("AnySurvey", bound=EditSurvey)


class Input(NamedTuple):
    """A file that is in order, and how it is cut."""

    data: bytes
    inline: int = 16384
    places: tuple[int, ...] = ()

    def events(self) -> Iterator[Event]:
        """All events."""
        return reading.drive(Parser(limits=Limits(inline=self.inline)), reading.cut(self.data, self.places))

    def headers(self, survey: EditSurvey) -> Iterator[Event]:
        """Events without the large values that a survey does not want."""
        parser = Parser(limits=Limits(inline=self.inline))
        return read_events(reader(self.data), parser, skip=True, wanted=lambda: survey.collecting)


def output(form: str | None) -> TransferSyntax | None:
    """The transfer syntax of a form of the builder."""
    return None if form is None else SYNTAXES[builder.UIDS[form]]


def surveyed(given: Input, survey: AnySurvey, texts: dict[int, int]) -> AnySurvey:
    """The first pass."""
    for event in TextGate(texts, measure=True).through(given.headers(survey)):
        survey.feed(event)
    return survey


def rewritten(events: Iterable[Event], survey: EditSurvey, texts: dict[int, int]) -> bytes:
    """The last pass: the data set that is written."""
    rewriter, started, out = Rewriter(survey), False, bytearray()
    for event in TextGate(texts).through(events):
        if started:
            rewriter.feed(event)
            if rewriter.pending > 500:
                out += b"".join(rewriter.take())
        started = started or isinstance(event, DatasetStart)
    out += b"".join(rewriter.finish())
    assert rewriter.pending == 0
    return bytes(out)


class SignedItem(NamedTuple):
    """The data set with a signed item, the digest, the digested bytes, the MAC ID and the tags that are signed."""

    data: bytes
    digest: bytes
    dump: bytes
    mac_id: int
    tags: tuple[int, ...]


def sign_item(given: Input, path: ItemPath, *, undefined: bool = False, target: str | None = None) -> SignedItem:
    """Sign an item with a signature that belongs to nobody."""
    texts: dict[int, int] = {}
    survey = surveyed(given, ItemSurvey(path, undefined_lengths=undefined, output=output(target)), texts)
    survey.check()
    assert survey.target is not None
    mac_id = free_mac_id(survey.level.mac_ids())
    assert mac_id is not None
    tags = tuple(survey.level.selection(None))
    plan = SigningPlan(mac_id, NEW_UID, DATE_TIME, None, "SHA256", mac_syntax_of(survey.syntax), tags)
    dump = bytearray()
    digester, item = Digester(plan, dump.extend), ItemFilter(survey.target.start)
    for event in TextGate(texts).through(given.events()):
        if item.takes(event):
            digester.feed(event)
    assert item.over
    signature = new_signature(mac_id, plan.uid, plan.date_time, plan.purpose)
    digest = digester.digest(signature)
    parameters = new_mac_parameters(mac_id, plan.mac_syntax.uid, plan.algorithm, tags)
    survey.replace(
        survey.target,
        {
            MAC_PARAMETERS_SEQUENCE: [*survey.level.parameters, parameters],
            DIGITAL_SIGNATURES_SEQUENCE: [*survey.level.signatures, complete_signature(signature, CERTIFICATE, SIGNATURE)],
        },
    )
    assert form_of(survey.output) == form_of(output(target) or survey.syntax)
    return SignedItem(rewritten(given.events(), survey, texts), digest, bytes(dump), mac_id, tags)


def remove(
    given: Input, uid: str | None, *, undefined: bool = False, target: str | None = None
) -> tuple[bytes, tuple[RemovedSignature, ...]]:
    """Remove a signature, or all."""
    texts: dict[int, int] = {}
    survey = surveyed(given, RemovalSurvey(undefined_lengths=undefined, output=output(target)), texts)
    removed = removal.remove_all(survey) if uid is None else (removal.remove(survey, uid),)
    return rewritten(given.events(), survey, texts), removed


def copied(given: Input, *, undefined: bool = False, target: str | None = None) -> bytes:
    """Write the data set as it is."""
    texts: dict[int, int] = {}
    survey = surveyed(given, RemovalSurvey(undefined_lengths=undefined, output=output(target)), texts)
    return rewritten(given.events(), survey, texts)
