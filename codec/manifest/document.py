"""A Key Object Selection Document that references the instances of a study, as events (PS3.3 A.35.4, PS3.16 TID 2010)."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from typing import Final, NamedTuple

from ..dicom import trees
from ..dicom.events import EXPLICIT, UNDEFINED, Element, Event, ItemEnd, ItemStart, SequenceEnd, SequenceStart
from ..dicom.tags import CODE_MEANING, CODE_VALUE, CODING_SCHEME_DESIGNATOR, SOP_CLASS_UID, SOP_INSTANCE_UID
from .references import (
    CURRENT_EVIDENCE_SEQUENCE,
    REFERENCED_SERIES_SEQUENCE,
    REFERENCED_SOP_CLASS_UID,
    REFERENCED_SOP_INSTANCE_UID,
    REFERENCED_SOP_SEQUENCE,
    SERIES_INSTANCE_UID,
    STUDY_INSTANCE_UID,
    Reference,
    reference_item,
)

KEY_OBJECT_SELECTION: Final = "1.2.840.10008.5.1.4.1.1.88.59"

CONTENT_SEQUENCE: Final = 0x0040A730
CONCEPT_NAME_CODE_SEQUENCE: Final = 0x0040A043
_VALUE_TYPE, _RELATIONSHIP_TYPE, _TEXT_VALUE = 0x0040A040, 0x0040A010, 0x0040A160
_CONTENT_TEMPLATE_SEQUENCE = 0x0040A504

_WAVEFORMS = "1.2.840.10008.5.1.4.1.1.9."

INHERITED: Final[Mapping[int, tuple[str, bool]]] = {
    0x00080005: ("CS", False),  # Specific Character Set, of the texts below
    0x00080020: ("DA", True),  # Study Date
    0x00080030: ("TM", True),  # Study Time
    0x00080050: ("SH", True),  # Accession Number
    0x00080090: ("PN", True),  # Referring Physician's Name
    0x00081030: ("LO", False),  # Study Description
    0x00100010: ("PN", True),  # Patient's Name
    0x00100020: ("LO", True),  # Patient ID
    0x00100021: ("LO", False),  # Issuer of Patient ID
    0x00100030: ("DA", True),  # Patient's Birth Date
    0x00100040: ("CS", True),  # Patient's Sex
    0x00200010: ("SH", True),  # Study ID
}
"""Attributes of patient and study that a document takes over from the instances: VR, and whether they must be there (type 2)."""


class ManifestTitle(enum.Enum):
    """Document titles of signed manifests (PS3.16 CID 7010): code value and meaning, coding scheme DCM."""

    SIGNED_MANIFEST = "113031", "Signed Manifest"
    SIGNED_COMPLETE_STUDY = "113033", "Signed Complete Study Content"
    SIGNED_COMPLETE_ACQUISITION = "113035", "Signed Complete Acquisition Content"


class Described(NamedTuple):
    """An instance to be referenced; `pixels`: it has Pixel Data, so that it is an image."""

    reference: Reference
    pixels: bool

    @property
    def value_type(self) -> str:
        """Value Type (0040,A040) of the content item that references it."""
        if self.reference.sop_class.startswith(_WAVEFORMS):
            return "WAVEFORM"
        return "IMAGE" if self.pixels else "COMPOSITE"


class Document(NamedTuple):
    """What the document says besides its references.

    `inherited`: values (little endian, as read) of INHERITED. `date`, `time`, `zone`: DA, TM and the offset from UTC. `maker`:
    manufacturer, model name and software version of what makes it. `description`: of the selection, in the character set of the
    document (encoded).
    """

    sop_instance: str
    series: str
    study: str
    title: ManifestTitle
    inherited: Mapping[int, bytes]
    date: str
    time: str
    zone: str
    maker: tuple[str, str, str]
    description: bytes | None = None


def document_events(document: Document, instances: Iterable[Described]) -> Iterator[Event]:
    """The data set as events, piece by piece; `instances` is iterated twice and sorted by series."""
    # the two long sequences, (0040,A375) and (0040,A730), are made as they are written
    attributes = sorted(_attributes(document), key=lambda entry: entry.tag)
    yield from trees.item_events([entry for entry in attributes if entry.tag < CURRENT_EVIDENCE_SEQUENCE])
    yield from _evidence_events(document, instances)
    yield from trees.item_events([entry for entry in attributes if entry.tag > CURRENT_EVIDENCE_SEQUENCE])
    yield from _content_events(document, instances)


def _text(tag: int, vr: str, value: str) -> Element:
    return trees.element(tag, vr, value.encode("ascii"))


def _code(tag: int, value: str, meaning: str) -> trees.Sequence:
    """A coded concept of the scheme DCM."""
    return trees.Sequence(
        tag,
        [[_text(CODE_VALUE, "SH", value), _text(CODING_SCHEME_DESIGNATOR, "SH", "DCM"), _text(CODE_MEANING, "LO", meaning)]],
    )


def _attributes(document: Document) -> Iterator[Element | trees.Sequence]:
    """Everything but the two long sequences, in no order."""
    for tag, (vr, needed) in INHERITED.items():
        value = document.inherited.get(tag, b"")
        if needed or value:
            yield trees.element(tag, vr, value)
    manufacturer, model, version = document.maker
    plain = (
        (0x00080012, "DA", document.date),  # Instance Creation Date
        (0x00080013, "TM", document.time),
        (SOP_CLASS_UID, "UI", KEY_OBJECT_SELECTION),
        (SOP_INSTANCE_UID, "UI", document.sop_instance),
        (0x00080023, "DA", document.date),  # Content Date
        (0x00080033, "TM", document.time),
        (0x00080060, "CS", "KO"),  # Modality
        (0x00080070, "LO", manufacturer),
        (0x00080201, "SH", document.zone),  # Timezone Offset From UTC
        (0x00081090, "LO", model),
        (0x00181020, "LO", version),  # Software Versions
        (STUDY_INSTANCE_UID, "UI", document.study),
        (SERIES_INSTANCE_UID, "UI", document.series),
        (0x00200011, "IS", "1"),  # Series Number
        (0x00200013, "IS", "1"),  # Instance Number
        (_VALUE_TYPE, "CS", "CONTAINER"),
        (0x0040A050, "CS", "SEPARATE"),  # Continuity Of Content
    )
    yield from (_text(tag, vr, value) for tag, vr, value in plain)
    yield trees.Sequence(0x00081111, [])  # Referenced Performed Procedure Step Sequence, type 2
    yield _code(CONCEPT_NAME_CODE_SEQUENCE, *document.title.value)
    template: trees.Item = [_text(0x00080105, "CS", "DCMR"), _text(0x0040DB00, "CS", "2010")]
    yield trees.Sequence(_CONTENT_TEMPLATE_SEQUENCE, [template])


def _sequence(tag: int, items: Iterable[Iterable[Event]]) -> Iterator[Event]:
    yield SequenceStart(b"", 0, tag, "SQ", UNDEFINED, EXPLICIT)
    for number, item in enumerate(items):
        yield ItemStart(b"", 0, number, UNDEFINED, EXPLICIT)
        yield from item
        yield ItemEnd(b"", 0)
    yield SequenceEnd(b"", 0)


def _evidence_events(document: Document, instances: Iterable[Described]) -> Iterator[Event]:
    """Current Requested Procedure Evidence Sequence: one study, its series, their instances (PS3.3 C.17.2.1)."""

    def study() -> Iterator[Event]:
        by_series = groupby((each.reference for each in instances), key=lambda reference: reference.series)
        yield from _sequence(REFERENCED_SERIES_SEQUENCE, (series(uid, list(group)) for uid, group in by_series))
        yield _text(STUDY_INSTANCE_UID, "UI", document.study)

    def series(uid: str, references: list[Reference]) -> Iterator[Event]:
        yield from _sequence(REFERENCED_SOP_SEQUENCE, (trees.item_events(reference_item(each)) for each in references))
        yield _text(SERIES_INSTANCE_UID, "UI", uid)

    return _sequence(CURRENT_EVIDENCE_SEQUENCE, [study()])


def _content_events(document: Document, instances: Iterable[Described]) -> Iterator[Event]:
    """Content Sequence of the root container (PS3.16 TID 2010)."""

    def items() -> Iterator[trees.Item]:
        if document.description is not None:
            yield [
                _text(_RELATIONSHIP_TYPE, "CS", "CONTAINS"),
                _text(_VALUE_TYPE, "CS", "TEXT"),
                _code(CONCEPT_NAME_CODE_SEQUENCE, "113012", "Key Object Description"),
                trees.element(_TEXT_VALUE, "UT", document.description),
            ]
        for each in instances:
            target: trees.Item = [
                _text(REFERENCED_SOP_CLASS_UID, "UI", each.reference.sop_class),
                _text(REFERENCED_SOP_INSTANCE_UID, "UI", each.reference.sop_instance),
            ]
            yield [
                trees.Sequence(REFERENCED_SOP_SEQUENCE, [target]),
                _text(_RELATIONSHIP_TYPE, "CS", "CONTAINS"),
                _text(_VALUE_TYPE, "CS", each.value_type),
            ]

    return _sequence(CONTENT_SEQUENCE, map(trees.item_events, items()))
