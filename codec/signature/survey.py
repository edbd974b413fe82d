"""What has to be known about an object before a signature can be written into it in one forward pass.

Data Elements Signed stand in front of most of the elements they list, defined lengths in front of their contents, and the file
meta information repeats UIDs of the data set: a first pass over the headers finds them all (large binary values are skipped).
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable

from ..dicom import syntaxes, trees
from ..dicom.encoder import DatasetEncoder, LengthTable, form_of
from ..dicom.events import (
    Anomaly,
    DatasetStart,
    Element,
    End,
    Event,
    FragmentsStart,
    Preamble,
    SequenceEnd,
    SequenceStart,
    ValueStart,
)
from ..dicom.tags import (
    DIGITAL_SIGNATURES_SEQUENCE,
    MAC_PARAMETERS_SEQUENCE,
    MEDIA_STORAGE_SOP_CLASS_UID,
    MEDIA_STORAGE_SOP_INSTANCE_UID,
    SOP_CLASS_UID,
    SOP_INSTANCE_UID,
    text,
)
from ..errors import ElementNotFound, NothingToSign, UnsignableElement
from .finder import PixelFacts
from .items import read_mac_parameters, read_signature
from .signable import signable_tag

SIGNATURE_SEQUENCES = frozenset({MAC_PARAMETERS_SEQUENCE, DIGITAL_SIGNATURES_SEQUENCE})
SIGNATURE_GROUP_LENGTH = DIGITAL_SIGNATURES_SEQUENCE & 0xFFFF0000
_REPLACED = SIGNATURE_SEQUENCES | {SIGNATURE_GROUP_LENGTH}
"""Written anew, so plain elements with these tags are left out."""

_TAGGED = frozenset({Element, ValueStart, SequenceStart, FragmentsStart})


class Survey:
    """Takes all events of an object in ascending tag order (texts in normal form) and remembers what signing needs."""

    def __init__(self, *, undefined_lengths: bool = False, limit: int = 4 << 20) -> None:
        self.lengths = LengthTable()
        self.pixels = PixelFacts()
        self.preamble: bytes | None = None
        self.syntax = syntaxes.EXPLICIT_LE
        self.start = 0
        self.parameters: list[trees.Item] = []
        self.signatures: list[trees.Item] = []
        self.tags = array("L")
        self._usable = bytearray()
        self._undefined = undefined_lengths
        self._limit = limit
        self._encoder: DatasetEncoder | None = None
        self._depth = 0
        self._tag = 0
        self._holds_un = False
        self._collector: trees.TreeCollector | None = None
        self._uids: dict[int, bytes] = {}

    @property
    def started(self) -> bool:
        """Whether the data set has begun."""
        return self._encoder is not None

    def feed(self, event: Event) -> None:
        """Take the next event."""
        kind = type(event)
        if kind is Anomaly:
            return
        if self._encoder is None:
            self._before_dataset(event)
            return
        if kind in _TAGGED:
            self._note(event)  # type: ignore[arg-type]
        if self._collector is not None:
            if self._collector.feed(event):
                self._collected()
        elif not (self._depth == 0 and kind is Element and event.tag in _REPLACED):  # type: ignore[union-attr]
            self._encoder.feed(event)
        if kind is SequenceStart:
            self._depth += 1
        elif kind is SequenceEnd:
            self._depth -= 1
            if self._depth == 0:
                self._list(self._tag, not self._holds_un)
        elif kind is End:
            self._encoder.finish()

    def _before_dataset(self, event: Event) -> None:
        if isinstance(event, Preamble):
            self.preamble = event.raw[:128]
        elif isinstance(event, Element):
            self._uids.setdefault(event.tag, event.value)
        elif isinstance(event, DatasetStart):
            self.syntax = syntaxes.SYNTAXES[event.syntax]
            self.start = event.offset
            self._encoder = DatasetEncoder(form_of(self.syntax), self.lengths, undefined=self._undefined, measure=True)

    def _note(self, event: Element | ValueStart | SequenceStart | FragmentsStart) -> None:
        tag, vr = event.tag, event.vr
        self.pixels.note(event, self._depth)
        if vr == "UN" and not isinstance(event, FragmentsStart):
            self._holds_un = True
        if tag in (SOP_CLASS_UID, SOP_INSTANCE_UID) and isinstance(event, Element):
            self._uids.setdefault(tag, event.value)
        if self._depth:
            return
        if isinstance(event, SequenceStart):
            self._tag, self._holds_un = tag, False
            if tag in SIGNATURE_SEQUENCES:
                self._collector = trees.TreeCollector(self._limit)
        else:
            self._list(tag, vr != "UN")

    def _list(self, tag: int, usable: bool) -> None:
        self.tags.append(tag)
        self._usable.append(usable and signable_tag(tag))

    def _collected(self) -> None:
        assert self._collector is not None
        tree = self._collector.tree
        assert tree is not None
        if tree.tag == MAC_PARAMETERS_SEQUENCE:
            self.parameters = tree.items
        else:
            self.signatures = tree.items
        self._collector = None

    @property
    def measured_group(self) -> int:
        """Group of the main data set whose length is being measured, -1 if none."""
        return -1 if self._encoder is None else self._encoder.measured_group

    def close_group(self) -> None:
        """The group being measured has no further element."""
        if self._encoder is not None:
            self._encoder.finish()

    # ------------------------------------------------------------------ answers

    def selection(self, wanted: Iterable[int] | None) -> list[int]:
        """Tags to sign, ascending: the wanted ones, or everything signable for None.

        Raises NothingToSign if the level has no element, UnsignableElement or ElementNotFound for a wanted one.
        """
        if not self.tags:
            raise NothingToSign("the data set has no data elements")
        if wanted is None:
            return [tag for tag, usable in zip(self.tags, self._usable, strict=True) if usable]
        listed = list(wanted)
        chosen = set(listed)
        for tag, usable in zip(self.tags, self._usable, strict=True):
            if tag in chosen and not usable:
                raise UnsignableElement("a listed data element cannot be signed", element=text(tag))
        absent = chosen.difference(self.tags)
        if absent:
            names = ", ".join(text(tag) for tag in listed if tag in absent)
            raise ElementNotFound("a data element to be signed is absent", element=names)
        return sorted(chosen)

    def mac_ids(self) -> list[int | None]:
        """MAC ID numbers in use at the level, by either sequence."""
        used: list[int | None] = [read_mac_parameters(item).mac_id for item in self.parameters]
        return used + [read_signature(item).mac_id for item in self.signatures]

    def sop_uids(self) -> tuple[bytes | None, bytes | None]:
        """SOP Class and Instance UID: the first ones in the data set, else those of the old meta information."""
        return (
            self._uids.get(SOP_CLASS_UID, self._uids.get(MEDIA_STORAGE_SOP_CLASS_UID)),
            self._uids.get(SOP_INSTANCE_UID, self._uids.get(MEDIA_STORAGE_SOP_INSTANCE_UID)),
        )
