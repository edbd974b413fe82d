"""What has to be known about an object before it can be written in one forward pass.

Data Elements Signed stand in front of most of the elements they list, defined lengths in front of their contents, and the file
meta information repeats UIDs of the data set: a first pass over the headers finds them all (large binary values are skipped).
"""

from __future__ import annotations

from ..dicom import syntaxes
from ..dicom.encoder import DatasetEncoder, LengthTable, form_of
from ..dicom.events import Anomaly, DatasetStart, Element, End, Event, FragmentsStart, Preamble, ValueStart
from ..dicom.options import DEFAULT_LIMITS, Limits
from ..dicom.tags import (
    DIGITAL_SIGNATURES_SEQUENCE,
    MEDIA_STORAGE_SOP_CLASS_UID,
    MEDIA_STORAGE_SOP_INSTANCE_UID,
    PIXEL_DATA,
    PIXEL_DATA_PROVIDER_URL,
    SOP_CLASS_UID,
    SOP_INSTANCE_UID,
    text,
)
from ..errors import LimitExceeded, UnsupportedSyntax
from .level import SIGNATURE_SEQUENCES, LevelSurvey

SIGNATURE_GROUP_LENGTH = DIGITAL_SIGNATURES_SEQUENCE & 0xFFFF0000
_REPLACED = SIGNATURE_SEQUENCES | {SIGNATURE_GROUP_LENGTH}
"""Written anew, so plain elements with these tags are left out."""

_PLAIN = frozenset({Element, ValueStart, FragmentsStart})
_NOTED = frozenset({SOP_CLASS_UID, SOP_INSTANCE_UID, PIXEL_DATA, PIXEL_DATA_PROVIDER_URL})
_PIXEL_VRS = frozenset({"OB", "OW"})

WRITABLE = (syntaxes.EXPLICIT_LE, syntaxes.EXPLICIT_BE, syntaxes.IMPLICIT_LE)
"""Transfer syntaxes that data sets without encapsulated Pixel Data can be converted to."""


class ObjectSurvey:
    """Takes all events of an object in ascending tag order (texts in normal form) and measures it as it will be written.

    `undefined_lengths`: write sequences and items with delimiters. `output`: transfer syntax to write, that of the input if None.
    """

    def __init__(
        self,
        *,
        undefined_lengths: bool = False,
        output: syntaxes.TransferSyntax | None = None,
        limits: Limits = DEFAULT_LIMITS,
    ) -> None:
        self.lengths = LengthTable(limits.lengths)
        self.preamble: bytes | None = None
        self.syntax = syntaxes.EXPLICIT_LE
        self.output = output or self.syntax
        self.start = 0
        self.undefined_lengths = undefined_lengths
        self._same_output = output is None
        self._uids: dict[int, bytes] = {}
        self._fragments = False
        self._pixels = False
        self._unknown_pixels = False
        self._provider = False
        self._encoder: DatasetEncoder | None = None

    @property
    def started(self) -> bool:
        """Whether the data set has begun."""
        return self._encoder is not None

    @property
    def collecting(self) -> bool:
        """Whether values of any length are wanted, since a signature sequence is open that will be written anew."""
        return False

    def feed(self, event: Event) -> None:
        """Take the next event."""
        kind = type(event)
        if kind is Anomaly:
            return
        if self._encoder is None:
            self._before_dataset(event)
            return
        if kind in _PLAIN and event.tag in _NOTED:  # type: ignore[union-attr]
            self._note(event)  # type: ignore[arg-type]
        try:
            self._take(event, self._encoder)
        except LimitExceeded as error:
            error.offset = event.offset if error.offset is None else error.offset
            raise
        if kind is End:
            self._encoder.finish()

    def _take(self, event: Event, encoder: DatasetEncoder) -> None:
        encoder.feed(event)

    def _before_dataset(self, event: Event) -> None:
        if isinstance(event, Preamble):
            self.preamble = event.raw[:128]
        elif isinstance(event, Element):
            self._uids.setdefault(event.tag, event.value)
        elif isinstance(event, DatasetStart):
            self.syntax = syntaxes.SYNTAXES[event.syntax]
            if self._same_output:
                self.output = self.syntax
            self.start = event.offset
            self._encoder = DatasetEncoder(
                form_of(self.output), self.lengths, undefined=self.undefined_lengths, measure=True, swap_pixels=self.swap_pixels
            )

    def _note(self, event: Element | ValueStart | FragmentsStart) -> None:
        tag = event.tag
        if tag == PIXEL_DATA:
            self._pixels = True
            if isinstance(event, FragmentsStart):
                self._fragments = True
            elif event.vr not in _PIXEL_VRS:
                self._unknown_pixels = True
        elif tag == PIXEL_DATA_PROVIDER_URL:
            self._provider = True
        elif isinstance(event, Element):
            self._uids.setdefault(tag, event.value)

    # ------------------------------------------------------------------ answers

    @property
    def swap_pixels(self) -> bool:
        """Whether native Pixel Data has another byte order than what surrounds it in the input, but not in the output."""
        return self.syntax.big_endian_pixels and not self.output.big_endian_pixels

    @property
    def drops_encapsulation(self) -> bool:
        """Whether an encapsulated transfer syntax is replaced although there is no Pixel Data."""
        return self.syntax.encapsulated and not self.output.encapsulated and not self._pixels

    def check_conversion(self) -> None:
        """Raise UnsupportedSyntax if the object cannot be written in the output's transfer syntax."""
        if self.output == self.syntax:
            return
        name = self.output.name
        if self._unknown_pixels:
            message = "Wrong class for pixel data element, cannot change representation"
            raise UnsupportedSyntax(message, syntax=name, element=text(PIXEL_DATA))
        if self._fragments or (self._provider and self.syntax.referenced):
            raise UnsupportedSyntax(f"no conversion to transfer syntax {name}", syntax=name)

    @property
    def measured_group(self) -> int:
        """Group of the main data set whose length is being measured, -1 if none."""
        return -1 if self._encoder is None else self._encoder.measured_group

    def close_group(self) -> None:
        """The group being measured has no further element."""
        if self._encoder is not None:
            self._encoder.finish()

    def sop_uids(self) -> tuple[bytes | None, bytes | None]:
        """SOP Class and Instance UID: the first ones in the data set, else those of the old meta information."""
        return (
            self._uids.get(SOP_CLASS_UID, self._uids.get(MEDIA_STORAGE_SOP_CLASS_UID)),
            self._uids.get(SOP_INSTANCE_UID, self._uids.get(MEDIA_STORAGE_SOP_INSTANCE_UID)),
        )


class Survey(ObjectSurvey):
    """The survey of an object whose main data set gets a signature; its signature sequences are not measured."""

    def __init__(
        self,
        *,
        undefined_lengths: bool = False,
        output: syntaxes.TransferSyntax | None = None,
        limits: Limits = DEFAULT_LIMITS,
    ) -> None:
        super().__init__(undefined_lengths=undefined_lengths, output=output, limits=limits)
        self.level = LevelSurvey(limits=limits)

    @property
    def collecting(self) -> bool:
        return self.level.collecting

    def _take(self, event: Event, encoder: DatasetEncoder) -> None:
        level = self.level
        if level.collecting:
            level.feed(event)
            return
        top = not level.depth
        level.feed(event)
        if not level.collecting and not (top and type(event) in _PLAIN and event.tag in _REPLACED):  # type: ignore[union-attr]
            encoder.feed(event)
