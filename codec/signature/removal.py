"""Which items go when a signature is removed (as dcmsign does it; PS3.3 C.12.1.1.3 leaves it open)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from ..dicom import trees
from ..dicom.tags import DIGITAL_SIGNATURES_SEQUENCE, MAC_PARAMETERS_SEQUENCE
from ..errors import RemovalError, SignatureNotFound
from .edits import Level, RemovalSurvey
from .items import SignatureItem, read_mac_id, read_signature
from .location import Location

_NO_MAC_ID = "Tag not found"


class RemovedSignature(NamedTuple):
    """A signature that has been removed: its Digital Signature UID, None if it had none, and where it was."""

    uid: str | None
    location: Location


def remove_all(survey: RemovalSurvey) -> tuple[RemovedSignature, ...]:
    """Plan the removal of every signature found since the last call. Raises RemovalError for one without MAC ID."""
    removed: list[RemovedSignature] = []
    for level in survey.take_levels():
        signatures = _signatures(level)
        for signature in signatures:
            removed.append(RemovedSignature(signature.uid, level.location))
            if signature.mac_id is None:
                raise RemovalError(_NO_MAC_ID, found=removed)
        _remove(survey, level, signatures, range(len(signatures)))
    return tuple(removed)


def remove(survey: RemovalSurvey, uid: str) -> RemovedSignature:
    """Plan the removal of the first signature with a UID. Raises SignatureNotFound; RemovalError if it has no MAC ID."""
    for level in survey.take_levels():
        signatures = _signatures(level)
        for number, signature in enumerate(signatures):
            if signature.uid == uid:
                found = RemovedSignature(uid, level.location)
                if signature.mac_id is None:
                    raise RemovalError(_NO_MAC_ID, found=(found,))
                _remove(survey, level, signatures, (number,))
                return found
    raise SignatureNotFound(f"signature with UID '{uid}' not found.")


def _signatures(level: Level) -> list[SignatureItem]:
    return [read_signature(item) for item in level.items(DIGITAL_SIGNATURES_SEQUENCE)]


def _remove(survey: RemovalSurvey, level: Level, signatures: list[SignatureItem], numbers: Iterable[int]) -> None:
    """Remove signatures of a level, and the MAC parameters that no other one refers to."""
    gone = set(numbers)
    left = [signature for number, signature in enumerate(signatures) if number not in gone]
    unused = {signatures[number].mac_id for number in gone} - {signature.mac_id for signature in left}
    edited: dict[int, list[trees.Item]] = {DIGITAL_SIGNATURES_SEQUENCE: [signature.item for signature in left]}
    parameters = level.items(MAC_PARAMETERS_SEQUENCE)
    kept = [item for item in parameters if (number := read_mac_id(item)) is None or number not in unused]
    if len(kept) < len(parameters) or not (parameters or level.lacks_sequence(MAC_PARAMETERS_SEQUENCE)):
        edited[MAC_PARAMETERS_SEQUENCE] = kept
    survey.replace(level, edited)
