"""Reads the references of a manifest while it passes, one by one, whatever their number."""

from __future__ import annotations

from typing import Final

from ..dicom import trees
from ..dicom.events import Anomaly, AnomalyCode, Element, Event, ItemEnd, ItemStart, SequenceEnd, SequenceStart, ValueStart
from ..dicom.options import DEFAULT_LIMITS, Limits
from ..dicom.tags import CODE_MEANING, CODE_VALUE, SOP_CLASS_UID, SOP_INSTANCE_UID
from ..dicom.tags import text as tag_text
from ..errors import LimitExceeded, ManifestError
from .document import CONCEPT_NAME_CODE_SEQUENCE
from .references import (
    CURRENT_EVIDENCE_SEQUENCE,
    OTHER_EVIDENCE_SEQUENCE,
    REFERENCED_SERIES_SEQUENCE,
    REFERENCED_SOP_SEQUENCE,
    SERIES_INSTANCE_UID,
    STUDY_INSTANCE_UID,
    Reference,
    ReferencedMac,
    read_reference,
    shown,
)

EVIDENCE: Final = (CURRENT_EVIDENCE_SEQUENCE, OTHER_EVIDENCE_SEQUENCE)

MOST_REFERENCES: Final = 1 << 17
"""References of one manifest."""

_STRUCTURED_REPORTS = "1.2.840.10008.5.1.4.1.1.88."
_OVERHEAD = 512
"""Bytes of memory that a reference takes besides its values."""

_PATH = (REFERENCED_SERIES_SEQUENCE, REFERENCED_SOP_SEQUENCE)
_UIDS = frozenset({SOP_CLASS_UID, SOP_INSTANCE_UID, STUDY_INSTANCE_UID})
_DISORDER = frozenset({AnomalyCode.UNORDERED, AnomalyCode.DUPLICATE})


class ManifestReader:
    """Takes all events of a manifest, in file order; `finish` checks that it was one.

    `references`: by SOP Instance UID. `evidence`: the sequences they came from, which the signature has to protect.
    """

    def __init__(self, *, limits: Limits = DEFAULT_LIMITS, most: int = MOST_REFERENCES) -> None:
        self.references: dict[str, Reference] = {}
        self.evidence: list[int] = []
        self.title: tuple[str, str] | None = None
        self._limits = limits
        self._most = most
        self._uids: dict[int, str] = {}
        self._sequences: list[int] = []
        self._collector: trees.TreeCollector | None = None
        self._series: list[Reference] = []
        self._study: list[Reference] = []
        self._series_uid = self._study_uid = ""
        self._texts: dict[str, str] = {}
        self._tags: dict[bytes, bytes] = {}
        self._left = 2 * limits.kept

    def text(self, tag: int) -> str:
        """A UID of the manifest itself."""
        return self._uids.get(tag, "")

    def feed(self, event: Event) -> None:
        """Take the next event. Raises ManifestError where it is not what the standard says, LimitExceeded."""
        if isinstance(event, Anomaly):
            if event.code in _DISORDER:
                # readers differ in what they make of it, and so may the one that has signed it
                raise ManifestError("data elements out of order or twice", offset=event.offset, element=tag_text(event.tag))
            return
        if self._collector is not None:
            self._collect(self._collector, event)
            return
        if isinstance(event, SequenceStart):
            self._open(event)
        elif isinstance(event, SequenceEnd):
            self._close()
        elif isinstance(event, ItemStart):
            self._begin_item()
        elif isinstance(event, ItemEnd):
            self._end_item(event)
        elif isinstance(event, (Element, ValueStart)):
            self._note(event)

    # ------------------------------------------------------------------ structure

    @property
    def _depth(self) -> int:
        """Sequences of the path to references that are open: 1 in the evidence, 3 in a series; 0 elsewhere."""
        return len(self._sequences) if self._sequences and self._sequences[0] in EVIDENCE else 0

    def _open(self, event: SequenceStart) -> None:
        path = (*self._sequences, event.tag)
        if path == (CONCEPT_NAME_CODE_SEQUENCE,):
            self._start_collecting(event)
            return
        self._sequences.append(event.tag)
        if len(path) == 1 and event.tag in EVIDENCE:
            self.evidence.append(event.tag)
        elif path[0] in EVIDENCE and path[1:] == _PATH:
            self._sequences.pop()
            self._start_collecting(event)

    def _start_collecting(self, event: SequenceStart) -> None:
        # the items of one series are many: each is taken out as soon as it is complete
        self._collector = trees.TreeCollector(self._limits.sequence)
        self._items = 0
        self._collecting = event.tag
        self._nested = 0
        self._head = event
        self._collector.feed(event)

    def _collect(self, collector: trees.TreeCollector, event: Event) -> None:
        if isinstance(event, SequenceStart):
            self._nested += 1
        elif isinstance(event, SequenceEnd):
            self._nested -= 1
        if self._nested < 0:
            self._collector = None
            return
        if isinstance(event, ItemStart) and not self._nested:
            collector = self._collector = trees.TreeCollector(self._limits.sequence)
            collector.feed(self._head)
        collector.feed(event)
        if isinstance(event, ItemEnd) and not self._nested:
            collector.feed(SequenceEnd(b"", event.offset))
            assert collector.tree is not None
            self._take(collector.tree.items[0], event)
            self._collector = trees.TreeCollector(self._limits.sequence)
            self._collector.feed(self._head)

    def _take(self, item: trees.Item, event: Event) -> None:
        if self._collecting == CONCEPT_NAME_CODE_SEQUENCE:
            self.title = self.title or (trees.find_text(item, CODE_VALUE) or "", trees.find_text(item, CODE_MEANING) or "")
            return
        if len(self.references) + len(self._study) + len(self._series) >= self._most:
            raise LimitExceeded(f"more than {self._most} references", offset=event.offset)
        reference = self._compact(read_reference(item))
        mac = reference.mac
        signatures = sum(len(each.uid) + len(each.value) + _OVERHEAD for each in reference.signatures)
        self._spend(_OVERHEAD + len(reference.sop_instance) + signatures + (len(mac.value) if mac else 0), event)
        self._series.append(reference)

    def _spend(self, size: int, event: Event | None = None) -> None:
        self._left -= size
        if self._left < 0:
            message = f"references take more than {2 * self._limits.kept} bytes of memory"
            raise LimitExceeded(message, offset=None if event is None else event.offset)

    def _compact(self, reference: Reference) -> Reference:
        """Without copies of what many instances have in common."""
        mac = reference.mac
        if mac is not None:
            mac = ReferencedMac(self._same(mac.syntax), self._same(mac.algorithm), self._shared_tags(mac.tags), mac.value)
        return reference._replace(sop_class=self._same(reference.sop_class), mac=mac)

    def _same(self, text: str) -> str:
        found = self._texts.setdefault(text, text)
        if found is text:
            self._spend(_OVERHEAD + len(text))
        return found

    def _shared_tags(self, tags: bytes) -> bytes:
        found = self._tags.setdefault(tags, tags)
        if found is tags:
            self._spend(_OVERHEAD + len(tags))
        return found

    def _note(self, event: Element | ValueStart) -> None:
        value = event.value.strip(b" \0").decode("latin-1") if isinstance(event, Element) else ""
        if not self._sequences and event.tag in _UIDS:
            self._uids[event.tag] = value
        elif self._depth == 2 and event.tag == SERIES_INSTANCE_UID:
            self._series_uid = value
        elif self._depth == 1 and event.tag == STUDY_INSTANCE_UID:
            self._study_uid = value

    def _begin_item(self) -> None:
        if self._depth == 1:
            self._study, self._study_uid = [], ""
        elif self._depth == 2:
            self._series, self._series_uid = [], ""

    def _end_item(self, event: ItemEnd) -> None:
        if self._depth == 2 and self._sequences[1] == REFERENCED_SERIES_SEQUENCE:
            self._check(self._series_uid, "Series Instance UID", event)
            self._spend(len(self._series_uid) if self._series else 0, event)
            self._study += [reference._replace(series=self._series_uid) for reference in self._series]
            self._series = []
        elif self._depth == 1:
            self._check(self._study_uid, "Study Instance UID", event)
            for reference in self._study:
                self._add(reference._replace(study=self._study_uid), event)
            self._study = []

    def _check(self, uid: str, name: str, event: Event) -> None:
        if not uid:
            raise ManifestError(f"references without {name}", offset=event.offset)

    def _add(self, reference: Reference, event: Event) -> None:
        earlier = self.references.setdefault(reference.sop_instance, reference)
        if earlier != reference:
            message = f"two references that differ for instance {shown(reference.sop_instance)}"
            raise ManifestError(message, offset=event.offset)

    def _close(self) -> None:
        self._sequences.pop()

    def finish(self) -> None:
        """The manifest has ended. Raises ManifestError unless it was a structured report with references."""
        if not self.text(SOP_CLASS_UID).startswith(_STRUCTURED_REPORTS):
            raise ManifestError("neither a Key Object Selection nor another structured report")
        if not self.references:
            raise ManifestError("no references to instances")
