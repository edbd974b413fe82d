"""What the command prints about earlier states of an object, in the style of dcmsign's lines about verified signatures."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import TYPE_CHECKING

from ...codec.dicom import tags as dicom_tags
from . import listing, messages
from .exit_codes import ExitCode

if TYPE_CHECKING:
    from .. import Dictionary, EarlierState, OriginalsReport

PREVIOUS_SOURCE = "Source of previous values"
LISTS = (
    ("put_back", "Original values put back"),
    ("absent", "Absent in this state"),
    ("empty", "Empty in this state"),
    ("ambiguous", "Absent or empty"),
)
"""Fields of a state that list data elements, with their labels."""


def lines(report: OriginalsReport, dictionary: Dictionary, *, details: bool, floor: int = logging.INFO) -> Iterator[listing.Line]:
    """All lines about the earlier states; parameters as for `listing.lines`, whose lines come before."""
    if not report.states:
        yield logging.INFO, messages.NO_EARLIER_STATES
    width = listing.WIDTH_OF_DETAILS if details else listing.WIDTH_OF_VERDICT
    for state in report.states:
        yield from _state(state, dictionary, width, floor)
    for location in report.unverified:
        yield logging.ERROR, messages.EARLIER_UNVERIFIED.format(listing.location(location, dictionary))
    signatures = [signature for state in report.states for signature in state.signatures]
    if signatures:
        corrupted = sum(not signature.ok for signature in signatures)
        yield logging.INFO, messages.EARLIER_VERIFIED.format(len(signatures), corrupted)


def exit_code(report: OriginalsReport) -> ExitCode:
    """That of the object as it is; if that is good, whether all signatures of the earlier states are."""
    code = listing.exit_code(report.current)
    return ExitCode.VERIFICATION_FAILED if code is ExitCode.OK and not report.earlier_ok else code


def _state(state: EarlierState, dictionary: Dictionary, width: int, floor: int) -> Iterator[listing.Line]:
    known = (_text(state.modified_at), _text(state.modifying_system), _text(state.reason))
    yield logging.WARNING, messages.EARLIER_STATE.format(state.number, *known)
    for flaw in state.flaws:
        yield logging.WARNING, messages.EARLIER_FLAW.format(state.location[-1][1], flaw.value)
    if floor <= logging.INFO:
        yield from ((logging.INFO, line) for line in _details(state, dictionary))
    for signature in state.signatures:
        yield from listing.signature_lines(signature, dictionary, width, floor)


def _details(state: EarlierState, dictionary: Dictionary) -> Iterator[str]:
    yield listing.labelled(PREVIOUS_SOURCE, _text(state.source))
    for name, label in LISTS:
        listed: tuple[int, ...] = getattr(state, name)
        if listed:
            yield listing.labelled(label, "").rstrip()
            for tag in listed:
                yield f"{listing.INDENT}{dicom_tags.text(tag)} {dictionary.keyword_of(tag)}"
    if not state.signatures:
        yield f"  {messages.NO_EARLIER_SIGNATURES}"


def _text(value: str | None) -> str:
    return messages.UNKNOWN if not value else listing.printable(value)
