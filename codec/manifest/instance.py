"""One instance of a study: its digests over all data elements that can be signed, and what a manifest says about it.

The digests are those of PS3.3 C.12.1.1.3, not encrypted and without fields of Digital Signatures Sequence (PS3.3 C.17.2.1).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from ..dicom import syntaxes
from ..dicom.encoder import form_of
from ..dicom.events import DatasetStart, Element, Event, FragmentsStart, SequenceStart, ValueStart
from ..dicom.options import DEFAULT_LIMITS, Limits
from ..dicom.tags import PIXEL_DATA, PIXEL_DATA_PROVIDER_URL, SOP_CLASS_UID, SOP_INSTANCE_UID
from ..errors import NothingToSign
from ..signature.items import read_signature
from ..signature.level import LevelSurvey
from ..signature.mac import Mac
from ..signature.signable import signable_tag
from ..signature.splice import mac_syntax_of
from ..signature.stream import StreamEncoder
from .document import INHERITED
from .references import SERIES_INSTANCE_UID, STUDY_INSTANCE_UID, ReferencedMac, ReferencedSignature, pack_tags, unpack_tags

INSTANCE_NUMBER: Final = 0x00200013

_NOTED = frozenset({SOP_CLASS_UID, SOP_INSTANCE_UID, STUDY_INSTANCE_UID, SERIES_INSTANCE_UID, INSTANCE_NUMBER, *INHERITED})
_PIXELS = frozenset({0x7FE00008, 0x7FE00009, PIXEL_DATA, PIXEL_DATA_PROVIDER_URL})
_BEGINNINGS = frozenset({Element, ValueStart, SequenceStart, FragmentsStart})


class Instance(NamedTuple):
    """What was found in an instance.

    `values`: of attributes that identify it and its patient and study, without padding. `mac_syntax`: MAC Calculation Transfer
    Syntax UID. `tags`: packed, the data elements of the main data set that can be signed. `unsignable`: those that cannot, which
    no digest protects. `digests`: by MAC algorithm. `usable`: Pixel Data is available in the MAC syntax; if not, the digests mean
    nothing. `signatures`: of the main data set, None for one without UID or value. `duplicated`: data elements found twice in one
    data set or item, of which the digest holds the first; other readers may show the second.
    """

    values: Mapping[int, bytes]
    syntax: str
    mac_syntax: str
    tags: bytes
    unsignable: tuple[int, ...]
    digests: Mapping[str, bytes]
    usable: bool
    signatures: tuple[ReferencedSignature | None, ...]
    pixels: bool
    duplicated: tuple[int, ...] = ()

    def text(self, tag: int) -> str:
        """The value of an attribute, empty if it is absent."""
        return self.values.get(tag, b"").decode("latin-1")

    @property
    def sop_instance(self) -> str:
        """SOP Instance UID."""
        return self.text(SOP_INSTANCE_UID)


class InstanceDigester:
    """Takes the events of an object in ascending tag order; `finish` tells what they were.

    `algorithms`: keys of MAC_ALGORITHMS. `listed`: digest as this reference says, instead of everything that can be signed.
    """

    def __init__(
        self, algorithms: Sequence[str], *, listed: ReferencedMac | None = None, limits: Limits = DEFAULT_LIMITS
    ) -> None:
        tags = None if listed is None else frozenset(unpack_tags(listed.tags))
        self._macs = [Mac(algorithm, tags) for algorithm in algorithms]
        self._listed = listed
        self._survey = LevelSurvey(limits=limits)
        self._encoder: StreamEncoder | None = None
        self._syntax = self._mac_syntax = syntaxes.EXPLICIT_LE
        self._values: dict[int, bytes] = {}
        self._pixels = False

    def feed(self, event: Event) -> None:
        """Take the next event."""
        if self._encoder is None:
            if type(event) is DatasetStart:
                self._encoder = self._begin(event)
            return
        if type(event) in _BEGINNINGS and not self._survey.depth:
            self._note(event)  # type: ignore[arg-type]
        self._survey.feed(event)
        self._encoder.feed(event)

    def _begin(self, event: DatasetStart) -> StreamEncoder:
        self._syntax = syntaxes.SYNTAXES[event.syntax]
        known = None if self._listed is None else syntaxes.SYNTAXES.get(self._listed.syntax)
        self._mac_syntax = known or mac_syntax_of(self._syntax)
        swap = self._mac_syntax.big_endian_pixels != self._syntax.big_endian_pixels
        return StreamEncoder(self._macs, kind=form_of(self._mac_syntax), swap_pixels=swap)

    def _note(self, event: Element | ValueStart | SequenceStart | FragmentsStart) -> None:
        if event.tag in _NOTED and isinstance(event, Element):
            self._values.setdefault(event.tag, event.value.strip(b" \0"))
        elif event.tag in _PIXELS:
            self._pixels = True

    def finish(self, duplicated: Sequence[int] = ()) -> Instance:
        """All events have been fed."""
        survey = self._survey
        try:
            tags = survey.selection(None)
        except NothingToSign:
            tags = []
        digests = {}
        for mac in self._macs:
            (form,) = mac.forms
            form.flush()
            digests[mac.algorithm] = form.digest.digest()
        read = map(read_signature, survey.signatures)
        signatures = tuple(ReferencedSignature(one.uid, one.signature) if one.uid and one.signature else None for one in read)
        signable = frozenset(tags)
        return Instance(
            values=self._values,
            syntax=self._syntax.uid,
            mac_syntax=self._mac_syntax.uid,
            tags=pack_tags(tags),
            unsignable=tuple(tag for tag in survey.tags if tag not in signable and signable_tag(tag)),
            digests=digests,
            usable=survey.pixels.allow(self._mac_syntax, self._syntax),
            signatures=signatures,
            pixels=self._pixels,
            duplicated=tuple(duplicated),
        )
