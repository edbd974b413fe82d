"""Looks at the structure of an object while its events pass: the map of its parts, and findings."""

from __future__ import annotations

from typing import NamedTuple

from ..dicom.detection import detect_syntax
from ..dicom.dictionary import Dictionary
from ..dicom.encoder import form_of
from ..dicom.events import (
    CONVERTED,
    IMPLICIT,
    UNDEFINED,
    Anomaly,
    DatasetStart,
    Element,
    End,
    Event,
    FragmentsEnd,
    FragmentsStart,
    Preamble,
    SequenceEnd,
    SequenceStart,
    ValueStart,
)
from ..dicom.options import READ_AS_FOUND, ReadOptions
from ..dicom.syntaxes import EXPLICIT_BE, EXPLICIT_LE, IMPLICIT_LE, SYNTAXES
from ..dicom.tags import (
    DATA_SET_TRAILING_PADDING,
    FILE_META_GROUP_LENGTH,
    MEDIA_STORAGE_SOP_CLASS_UID,
    MEDIA_STORAGE_SOP_INSTANCE_UID,
    PIXEL_DATA,
    PIXEL_DATA_PROVIDER_URL,
    SOP_CLASS_UID,
    SOP_INSTANCE_UID,
    TRANSFER_SYNTAX_UID,
    is_private,
)
from ..dicom.tags import text as tag_text
from ..dicom.vr import LONG_HEADER
from .findings import BY_ANOMALY, Finding, FindingKind
from .mapping import ObjectMap, ObjectMapper
from .preambles import preamble_finding

_PIXELS = frozenset({0x7FE00008, 0x7FE00009, PIXEL_DATA, PIXEL_DATA_PROVIDER_URL})
_PRIVATE_META = range(0x00020100, 0x00020103)
_NATIVE = frozenset({IMPLICIT_LE.uid, EXPLICIT_LE.uid, EXPLICIT_BE.uid})
_BEGINNINGS = frozenset({Element, ValueStart, SequenceStart, FragmentsStart})
_CONTRADICTIONS = (
    (MEDIA_STORAGE_SOP_CLASS_UID, SOP_CLASS_UID, FindingKind.CLASS_CONTRADICTION),
    (MEDIA_STORAGE_SOP_INSTANCE_UID, SOP_INSTANCE_UID, FindingKind.INSTANCE_CONTRADICTION),
)
"""Elements of the file meta information that repeat one of the data set."""

_TOLD = frozenset({tag for pair in _CONTRADICTIONS for tag in pair[:2]} | {TRANSFER_SYNTAX_UID})


class Inspection(NamedTuple):
    """The map of an object, and what was found, in file order; `more`: findings that were too many to be kept."""

    map: ObjectMap
    findings: tuple[Finding, ...]
    more: int = 0


def _has_plain_header(event: Element | ValueStart | SequenceStart | FragmentsStart, form: int) -> bool:
    """Whether the header of a VR with a 32-bit length has zeros where it should, and says what is read.

    What the parser reads as UN it tells itself.
    """
    if form == CONVERTED and event.vr == "UN":
        return True
    code = bytes(event.raw[4:8])
    return code[2:] == b"\0\0" and (form != CONVERTED or code[:2].decode("latin-1") in (event.vr, "UN"))


class _Group:
    """A group length, and where the group begins that it is about."""

    __slots__ = ("length", "number", "offset", "start")

    def __init__(self, number: int, offset: int, start: int, length: int) -> None:
        self.number = number
        self.offset = offset
        self.start = start
        self.length = length


class Inspector:
    """Takes the events of an object in file order, anomalies among them; PlainItems are in order by definition.

    `options`: those of the parser. `limit`: parts, and findings, that are kept.
    """

    def __init__(self, options: ReadOptions = READ_AS_FOUND, *, limit: int = 1 << 16, findings: int = 1000) -> None:
        self._dictionary: Dictionary = options.dictionary
        self._mapper = ObjectMapper(limit)
        self._most = findings
        self._findings: list[Finding] = []
        self._more = 0
        self._depth = 0
        self._started = False
        self._first = False
        self._form = IMPLICIT
        self._syntax = ""
        self._meta = False
        self._meta_group: _Group | None = None
        self._group: _Group | None = None
        self._uids: dict[int, str] = {}
        self._pixels: set[int] = set()

    def feed(self, event: Event) -> None:
        """Take the next event."""
        self._mapper.feed(event)
        kind = type(event)
        if kind in _BEGINNINGS:
            if self._started:
                self._begin(event)  # type: ignore[arg-type]
            else:
                self._note_meta(event)  # type: ignore[arg-type]
        if kind is SequenceStart:
            self._depth += 1
        elif kind is SequenceEnd:
            self._depth -= 1
        elif kind is FragmentsEnd:
            if any(event.raw[4:8]):
                self._add(FindingKind.NONSTANDARD_VR, event.offset, PIXEL_DATA, "length of the delimiter behind the fragments")
        elif kind is Anomaly:
            self._note_anomaly(event)  # type: ignore[arg-type]
        elif kind is Preamble:
            found = preamble_finding(bytes(event.raw[:128]))
            if found is not None:
                self._add(found[0], 0, None, found[1])
        elif kind is DatasetStart:
            self._start(event)  # type: ignore[arg-type]
        elif kind is End:
            self._close_group(event.offset)
            if event.trailing:  # type: ignore[union-attr]
                self._add(FindingKind.TRAILING_DATA, event.offset, None, f"{event.trailing} bytes")  # type: ignore[union-attr]

    def finish(self) -> Inspection:
        """The inspection, once the input has ended."""
        for meta, dataset, found in _CONTRADICTIONS:
            if meta in self._uids and dataset in self._uids and self._uids[meta] != self._uids[dataset]:
                self._add(found, 0, meta, f"{self._uids[meta]} and {self._uids[dataset]}")
        return Inspection(self._mapper.finish(), tuple(sorted(self._findings, key=lambda finding: finding.offset)), self._more)

    def _add(self, kind: FindingKind, offset: int, tag: int | None, detail: str = "") -> None:
        if len(self._findings) >= self._most:
            self._more += 1
            return
        path = None
        if tag is not None:
            steps = (f"{tag_text(step)}[{item}]" for step, item in self._mapper.location)
            path = ".".join((*steps, tag_text(tag)))
        self._findings.append(Finding(kind, offset, path, detail))

    def _note_anomaly(self, event: Anomaly) -> None:
        kind = BY_ANOMALY[event.code]
        detail = ""
        if kind is FindingKind.UNORDERED and self._mapper.holds(event.tag):
            kind = FindingKind.DUPLICATE  # the parser compares neighbours only
        elif kind is FindingKind.UNORDERED and self._mapper.is_full:
            kind, detail = FindingKind.DUPLICATE, "or out of order: there are too many to tell"
        self._add(kind, event.offset, event.tag, detail)

    # ------------------------------------------------------------------ file meta information

    def _note_meta(self, event: Element) -> None:
        if event.tag == FILE_META_GROUP_LENGTH and len(event.value) == 4:
            length = int.from_bytes(event.value, "little")
            self._meta_group = _Group(2, event.offset, event.offset + len(event.raw), length)
        elif event.tag in _PRIVATE_META:
            self._add(FindingKind.PRIVATE_META, event.offset, event.tag, f"{len(event.value)} bytes")
        self._meta = True
        self._note_uid(event)

    def _note_uid(self, event: Element | ValueStart | SequenceStart | FragmentsStart) -> None:
        if event.tag not in _TOLD:
            return
        if isinstance(event, Element):
            self._uids.setdefault(event.tag, event.value.strip(b" \0").decode("latin-1"))
        else:
            self._uids.setdefault(event.tag, "one that is no UID")  # too long to be kept, or a sequence

    def _start(self, event: DatasetStart) -> None:
        """The data set begins."""
        self._started = True
        self._first = True
        self._syntax = event.syntax
        self._form = form_of(SYNTAXES[event.syntax])
        if not self._meta:
            self._add(FindingKind.NO_META, event.offset, None)
        group = self._meta_group
        if group is not None and group.start + group.length != event.offset:
            detail = f"{group.length} instead of {event.offset - group.start} bytes"
            self._add(FindingKind.WRONG_META_GROUP_LENGTH, group.offset, FILE_META_GROUP_LENGTH, detail)
        said = self._uids.get(TRANSFER_SYNTAX_UID)
        if said is not None and said in SYNTAXES and said != event.syntax:
            self._add(FindingKind.SYNTAX_CONTRADICTION, event.offset, None, f"{said}, but read as {event.syntax}")

    # ------------------------------------------------------------------ data set

    def _begin(self, event: Element | ValueStart | SequenceStart | FragmentsStart) -> None:
        """A data element begins."""
        tag = event.tag
        if self._first:
            self._first = False
            self._check_syntax(event)
        if self._depth == 0:
            self._check_level(event)
        if not tag & 0xFFFF and (type(event) is not Element or event.vr != "UL" or len(event.value) != 4):
            self._add(FindingKind.WRONG_GROUP_LENGTH, event.offset, tag, f"no UL of 4 bytes, but {event.vr}")
        elif tag == DATA_SET_TRAILING_PADDING:
            self._add(FindingKind.TRAILING_PADDING, event.offset, tag)
        if tag >> 16 < 8:
            self._add(FindingKind.NESTED_GROUP_BELOW_8, event.offset, tag)
        vr, form = event.vr, self._form if type(event) is FragmentsStart else event.form
        if form != IMPLICIT and vr in LONG_HEADER and not _has_plain_header(event, form):
            self._add(FindingKind.NONSTANDARD_VR, event.offset, tag, f"read as {vr}")
        if form == CONVERTED:
            return  # its header was wrong, which has been told, here or by the parser
        if vr == "UN":
            known = self._dictionary.plain.get(tag)
            kind = FindingKind.UNKNOWN_UN if known is None or is_private(tag) else FindingKind.DISGUISED_UN
            self._add(kind, event.offset, tag, "" if known is None else f"{known} in the dictionary")
        elif form != IMPLICIT:
            known = self._dictionary.plain.get(tag)
            if known is not None and known != vr:
                self._add(FindingKind.VR_CONTRADICTION, event.offset, tag, f"{vr} instead of {known}")

    def _check_syntax(self, event: Event) -> None:
        """Would somebody who guesses read the first data element in another way?"""
        if self._syntax not in _NATIVE or len(event.raw) < 8:
            return
        guessed = detect_syntax(bytes(event.raw[:8]), has_meta=self._meta, dictionary=self._dictionary)
        if guessed is not None and guessed.uid != self._syntax:
            detail = f"{self._syntax}, but it looks like {guessed.uid}"
            self._add(FindingKind.SYNTAX_CONTRADICTION, event.offset, None, detail)

    def _check_level(self, event: Element | ValueStart | SequenceStart | FragmentsStart) -> None:
        """Look at a data element of the main data set."""
        tag = event.tag
        if self._group is not None and tag >> 16 != self._group.number:
            self._close_group(event.offset)
        if isinstance(event, Element) and not tag & 0xFFFF and event.vr == "UL" and len(event.value) == 4:
            order = "big" if SYNTAXES[self._syntax].little_endian is False else "little"
            length = int.from_bytes(event.value, order)  # type: ignore[arg-type]
            self._group = _Group(tag >> 16, event.offset, event.offset + len(event.raw), length)
        self._note_uid(event)
        if tag in _PIXELS:
            if self._pixels and tag not in self._pixels:
                self._add(FindingKind.SEVERAL_PIXELS, event.offset, tag)
            self._pixels.add(tag)

    def _close_group(self, offset: int) -> None:
        """The group whose length is known has ended."""
        group, self._group = self._group, None
        if group is not None and group.length not in (offset - group.start, UNDEFINED):
            detail = f"{group.length} instead of {offset - group.start} bytes"
            self._add(FindingKind.WRONG_GROUP_LENGTH, group.offset, group.number << 16, detail)
