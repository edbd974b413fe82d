"""Finds every digital signature of a data set, at every level, and computes its digests in one pass (PS3.3 C.12.1.1.3).

Algorithm and tag list stand in MAC Parameters Sequence (4FFE,0001), behind most of the data elements they are about. Their
events are kept until then if they are small; if not, the input before it is read a second time, through the `read` function the
caller provides; what may still be asked for begins at `keep_from`. Everything behind it, Pixel Data above all, is digested as it
passes.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable
from typing import NamedTuple

from ..dicom import syntaxes, trees
from ..dicom.encoder import form_of
from ..dicom.events import (
    Anomaly,
    DatasetStart,
    Element,
    End,
    Event,
    FragmentsStart,
    ItemEnd,
    ItemStart,
    PlainItem,
    SequenceEnd,
    SequenceStart,
    ValueStart,
)
from ..dicom.options import READ_AS_FOUND, ReadOptions
from ..dicom.ordered import OrderedReader, Reader, read_events
from ..dicom.parser import Parser
from ..dicom.tags import (
    DIGITAL_SIGNATURES_SEQUENCE,
    MAC_PARAMETERS_SEQUENCE,
    ORIGINAL_ATTRIBUTES_SEQUENCE,
    PIXEL_DATA,
)
from ..dicom.tags import text as tag_text
from ..dicom.texts import TextGate
from ..dicom.vr import TEXT
from ..errors import LimitExceeded
from .algorithms import MAC_ALGORITHMS, Digest, new_digest
from .items import MacParameters, SignatureItem, count_signed, digested_events, read_mac_parameters, read_signature
from .location import Location, search_order
from .mac import Form, Mac
from .profiles import DatasetFacts
from .stream import StreamEncoder


class DigestForm(NamedTuple):
    """One form of a digest that a signature may have been made over."""

    digest: bytes
    complete: bool
    legacy: bool
    missing_bytes: int
    missing_elements: int
    examples: tuple[str, ...]


class FoundSignature(NamedTuple):
    """A signature item, the MAC parameters it refers to and the digests of what they select.

    `parameters` is None if no item has the MAC ID. `digests` is empty where the parameters do not allow to compute one;
    `usable_syntax` is False if Pixel Data is not available in the MAC transfer syntax; `unsignable` are listed data elements
    that are present but cannot be signed.
    """

    location: Location
    item: SignatureItem
    parameters: MacParameters | None
    digests: tuple[DigestForm, ...]
    usable_syntax: bool
    unsignable: tuple[int, ...]


_PIXELS = frozenset({Element, ValueStart, FragmentsStart})
TAGGED = _PIXELS | {SequenceStart}
"""Events with which a data element begins."""

VERIFICATION_FLAG = 0x0040A493

_KEPT = 12 << 20
_KEPT_EVENT = 256
"""Bytes of memory for the events in front of MAC Parameters Sequence, and what one of them takes besides what it carries."""

_STREAMED = frozenset({ValueStart, FragmentsStart})
"""Events behind which there are pieces of a value, which are not kept."""


def first_value(value: bytes) -> str:
    """The first value of a text, without padding."""
    return value.split(b"\\")[0].strip(b" \0").decode("latin-1")


class PixelFacts:
    """Where Pixel Data was met, which decides about usable MAC transfer syntaxes."""

    def __init__(self) -> None:
        self.native_on_top = False
        self.fragments = False

    def note(self, event: Event, depth: int) -> None:
        """Look at an element inside `depth` sequences of the whole data set."""
        if isinstance(event, FragmentsStart):
            self.fragments = True
        elif isinstance(event, (Element, ValueStart)) and event.tag == PIXEL_DATA and depth == 0:
            self.native_on_top = True

    def allow(self, mac: syntaxes.TransferSyntax, dataset: syntaxes.TransferSyntax) -> bool:
        """Whether all Pixel Data is available in the MAC transfer syntax."""
        if self.fragments and not (mac.encapsulated and mac.uid == dataset.uid):
            return False
        return not (self.native_on_top and mac.encapsulated)


class _Key(NamedTuple):
    """What makes digests of a level differ."""

    algorithm: str
    kind: int
    swap_pixels: bool
    tags: frozenset[int]


class LevelDigester:
    """Digests of one data set or item, for all its MAC parameters at once; equal parameters share a digest.

    `limit`: different MAC parameters; `offset` is where they stand. `digests` makes the digest objects where there are several.
    """

    def __init__(
        self,
        parameters: Iterable[MacParameters],
        depth: int,
        syntax: syntaxes.TransferSyntax,
        *,
        old_format: bool,
        limit: int,
        offset: int | None = None,
        digests: Callable[[str], Digest] = new_digest,
    ) -> None:
        self.pixels = PixelFacts()
        self._syntax = syntax
        self._macs: dict[_Key, Mac] = {}
        self._keys: dict[int, tuple[MacParameters, _Key | None]] = {}  # by the identity of MAC parameters, which are kept
        self._depth = depth
        self._nesting = 0
        self._old_format = old_format
        keys = dict.fromkeys(key for key in map(self._key, parameters) if key is not None)
        if len(keys) > limit:
            message = f"more than {limit} different MAC parameters in one data set or item"
            raise LimitExceeded(message, offset=offset, element=tag_text(MAC_PARAMETERS_SEQUENCE))
        digest = digests if len(keys) > 1 else new_digest
        for key in keys:
            self._macs[key] = Mac(key.algorithm, key.tags, verifying=True, digests=digest)
        self._encoders = [
            StreamEncoder(
                [mac for key, mac in self._macs.items() if (key.kind, key.swap_pixels) == (kind, swap)],
                kind=kind,
                old_format=old_format,
                swap_pixels=swap,
            )
            for kind, swap in sorted({(key.kind, key.swap_pixels) for key in self._macs})
        ]

    def _key(self, entry: MacParameters) -> _Key | None:
        if id(entry) not in self._keys:
            self._keys[id(entry)] = (entry, self._new_key(entry))
        return self._keys[id(entry)][1]

    def _new_key(self, entry: MacParameters) -> _Key | None:
        syntax = syntaxes.SYNTAXES.get(entry.syntax or "")
        if syntax is None or entry.algorithm not in MAC_ALGORITHMS or not entry.tags:
            return None
        swap = syntax.big_endian_pixels != self._syntax.big_endian_pixels
        return _Key(entry.algorithm, form_of(syntax), swap, frozenset(entry.tags))

    @property
    def wants_value(self) -> bool:
        """Whether the value that has just begun goes into a digest."""
        return any(encoder.wants_value for encoder in self._encoders)

    def feed(self, event: Event) -> None:
        """Take an event of the level."""
        kind = type(event)
        if kind is SequenceStart:
            self._nesting += 1
        elif kind is SequenceEnd:
            self._nesting -= 1
        elif kind in _PIXELS and event.tag == PIXEL_DATA:  # type: ignore[union-attr]
            self.pixels.note(event, self._depth + self._nesting)
        for encoder in self._encoders:
            encoder.feed(event)

    def found(self, location: Location, item: SignatureItem, parameters: MacParameters | None) -> FoundSignature:
        """What is known about a signature of the level once all its events have been fed."""
        key = None if parameters is None else self._key(parameters)
        mac = None if key is None else self._macs[key]
        mac_syntax = syntaxes.SYNTAXES.get((parameters.syntax or "") if parameters else "")
        usable = mac_syntax is None or self.pixels.allow(mac_syntax, self._syntax)
        digests: list[DigestForm] = []
        if mac is not None and key is not None:
            for form in mac.forms:
                digests += self._finish(form, key, item)
        digests.sort(key=lambda digest: (not digest.complete, digest.legacy))
        return FoundSignature(location, item, parameters, tuple(digests), usable, tuple(mac.unsignable) if mac else ())

    def _finish(self, form: Form, key: _Key, item: SignatureItem) -> Iterable[DigestForm]:
        """Append the digested part of the signature item to a copy of a digest."""
        mac = Mac.continuing(key.algorithm, form)
        encoder = StreamEncoder([mac], kind=key.kind, old_format=self._old_format)
        for event in digested_events(item.item):
            encoder.feed(event)
        for end in mac.forms:
            end.flush()
            yield DigestForm(end.digest.digest(), end.complete, end.legacy, end.missing_bytes, end.missing_elements, end.examples)


class _Head:
    """The events of the main data set in front of MAC Parameters Sequence, without values that come in pieces.

    `events` is None once they are too many, or too large, to be kept.
    """

    def __init__(self) -> None:
        self.events: list[Event] | None = []
        self._size = 0
        self._complete = False

    def note(self, event: Event) -> None:
        """Keep an event."""
        if self._complete or self.events is None:
            return
        kind = type(event)
        self._size += len(event.raw) + _KEPT_EVENT
        if kind is PlainItem:
            self._size += len(event.stream)  # type: ignore[union-attr]
        if self._size > _KEPT or kind in _STREAMED:
            self.events = None
        else:
            self.events.append(event)

    def complete(self) -> None:
        """The event noted last was the start of MAC Parameters Sequence."""
        self._complete = True
        if self.events is not None:
            self.events.pop()


class _Level:
    """An open data set or item."""

    __slots__ = (
        "cost",
        "digester",
        "form",
        "ignored",
        "location",
        "number",
        "parameters",
        "signatures",
        "signed",
        "start",
        "tag",
    )

    def __init__(self, form: int, start: int, tag: int, number: int, ignored: bool) -> None:
        self.form = form
        self.start = start
        self.tag = tag
        self.number = number
        self.ignored = ignored
        self.parameters: dict[int, MacParameters] | None = None
        self.signatures: list[SignatureItem] = []
        self.digester: LevelDigester | None = None
        self.cost = 0  # what its signature sequences count towards the bound on what is kept
        self.signed = 0  # entries of Data Elements Signed


class SignatureFinder:
    """Takes the events of an object in ascending tag order; `found` holds its signatures in the order dcmsign lists them.

    `read` gives access to bytes of the (inflated) input from `keep_from` on. With `ordered` the events come in another order
    than in the file, and every signed level is read again. `facts`: collect what profiles look at. `digests` makes
    the digest objects of a level that needs several, so that they may work at the same time.
    """

    def __init__(
        self,
        read: Reader,
        *,
        options: ReadOptions = READ_AS_FOUND,
        ordered: bool = False,
        old_format: bool = False,
        facts: bool = False,
        digests: Callable[[str], Digest] = new_digest,
    ) -> None:
        self._read = read
        self._digests = digests
        self._options = options
        self._limits = options.limits
        self._left = options.limits.kept
        self._signed_left = options.limits.signed
        self._ordered = ordered
        self._old_format = old_format
        self._levels: list[_Level] = []
        self._sequences: list[int] = []
        self._collector: trees.TreeCollector | None = None
        self._room = 0  # of the collector when it began
        self._collecting = 0
        self._active: list[LevelDigester] = []
        self._syntax: syntaxes.TransferSyntax | None = None
        self._head_open = True
        self._head: _Head | None = None if ordered else _Head()
        self._offset = 0
        self._texts: dict[int, int] = {}
        self._gate = TextGate(self._texts, limit=options.limits.text, measure=True)
        self._found: list[FoundSignature] = []
        self._main_tags: array[int] | None = array("L") if facts else None
        self._verification_flag: str | None = None
        self._ignored: list[Location] = []

    @property
    def keep_from(self) -> int:
        """Lowest offset that may still be read again."""
        if self._head_open:
            return self._levels[0].start if self._levels else 0
        return self._levels[1].start if len(self._levels) > 1 else self._offset

    @property
    def wants_value(self) -> bool:
        """Whether the value that has just begun is needed; if not, it may be skipped."""
        return self._collector is not None or any(digester.wants_value for digester in self._active)

    @property
    def found(self) -> list[FoundSignature]:
        """All signatures, depth first in ascending tag order."""
        return sorted(self._found, key=lambda signature: search_order(signature.location))

    @property
    def ignored(self) -> list[Location]:
        """Where Digital Signatures Sequences below Original Attributes Sequence are, in the same order."""
        return sorted(self._ignored, key=search_order)

    @property
    def _location(self) -> Location:
        """Location of the innermost open level."""
        return tuple((level.tag, level.number) for level in self._levels[1:])

    def feed(self, event: Event) -> None:
        """Take the next event of the parser."""
        if type(event) is ValueStart or self._gate.open:
            self._gate.measure = not self._active
            for normal in self._gate.feed(event):
                self._take(normal)
        else:
            self._take(event)

    def _take(self, event: Event) -> None:
        kind = type(event)
        if kind is Anomaly:
            return
        self._offset = event.offset
        if self._main_tags is not None and kind in TAGGED and self._levels and not self._sequences:
            self._note(event, self._main_tags)  # type: ignore[arg-type]
        if self._head is not None:
            self._head.note(event)
        for digester in self._active:
            digester.feed(event)
        if self._collector is not None:
            if self._collector.feed(event):
                self._collected(event)
        elif kind is SequenceStart:
            self._open_sequence(event)  # type: ignore[arg-type]
            return
        if kind is SequenceStart:
            self._sequences.append(event.tag)  # type: ignore[union-attr]
        elif kind is SequenceEnd:
            self._sequences.pop()
        elif kind is ItemStart:
            self._open_item(event)  # type: ignore[arg-type]
        elif kind is ItemEnd:
            self._close_level(event.offset)
        elif kind is DatasetStart:
            self._syntax = syntaxes.SYNTAXES[event.syntax]  # type: ignore[union-attr]
            self._levels.append(_Level(form_of(self._syntax), event.offset, 0, 0, False))
        elif kind is End:
            self._close_level(event.offset)
        elif len(self._levels) == 1 and self._head_open and isinstance(event, (Element, ValueStart, FragmentsStart)):
            self._head_open = event.tag < MAC_PARAMETERS_SEQUENCE
        if not self._head_open:
            self._head = None

    def _note(self, event: Element | ValueStart | SequenceStart | FragmentsStart, tags: array[int]) -> None:
        if len(tags) >= self._limits.elements:
            raise LimitExceeded(f"more than {self._limits.elements} data elements to hold to a profile", offset=event.offset)
        tags.append(event.tag)
        if event.tag == VERIFICATION_FLAG and isinstance(event, Element) and event.vr in TEXT:
            self._verification_flag = first_value(event.value)

    @property
    def facts(self) -> DatasetFacts:
        """What profiles look at in the main data set, once all events have been fed; only if asked for with `facts`."""
        return DatasetFacts(frozenset(self._main_tags or ()), self._verification_flag)

    # ------------------------------------------------------------------ levels

    def _open_sequence(self, event: SequenceStart) -> None:
        level = self._levels[-1]
        if event.tag == MAC_PARAMETERS_SEQUENCE or event.tag == DIGITAL_SIGNATURES_SEQUENCE:
            if level.ignored and event.tag == DIGITAL_SIGNATURES_SEQUENCE:
                if len(self._ignored) >= self._limits.signatures:
                    message = f"more than {self._limits.signatures} sequences of signatures in original attributes"
                    raise LimitExceeded(message, offset=event.offset)
                self._ignored.append(self._location)
            elif not level.ignored:
                self._collector = trees.TreeCollector(min(self._limits.sequence, self._left))
                self._room = self._collector.left
                self._collecting = event.offset
                self._collector.feed(event)
                if self._head is not None and len(self._levels) == 1:
                    self._head.complete()
        if len(self._levels) == 1 and event.tag > MAC_PARAMETERS_SEQUENCE:
            self._head_open = False
        self._sequences.append(event.tag)

    def _open_item(self, event: ItemStart) -> None:
        tag = self._sequences[-1]
        ignored = self._levels[-1].ignored or tag == ORIGINAL_ATTRIBUTES_SEQUENCE
        self._levels.append(_Level(event.form, event.offset + len(event.raw), tag, event.number, ignored))

    def _collected(self, event: Event) -> None:
        """A MAC Parameters or Digital Signatures Sequence has been read."""
        assert self._collector is not None
        tree = self._collector.tree
        assert tree is not None
        level = self._levels[-1]
        cost = self._room - self._collector.left
        level.cost += cost
        self._left -= cost
        self._collector = None
        if tree.tag == DIGITAL_SIGNATURES_SEQUENCE:
            level.signatures = [read_signature(item) for item in tree.items]
            return
        level.parameters = {}
        for item in tree.items:
            entries = count_signed(item)
            level.signed += entries
            self._signed_left -= entries
            if self._signed_left < 0:
                message = f"more than {self._limits.signed} entries in Data Elements Signed of an object"
                raise LimitExceeded(message, offset=self._collecting, element=tag_text(MAC_PARAMETERS_SEQUENCE))
            parameters = read_mac_parameters(item)
            if parameters.mac_id is not None:
                level.parameters.setdefault(parameters.mac_id, parameters)
        if not self._ordered:
            self._digest_head(level)
        if len(self._levels) == 1:
            self._head_open = False
            self._head = None

    def _digest_head(self, level: _Level) -> None:
        """Digest the elements of a level that came before its MAC parameters, then follow it."""
        assert level.parameters is not None
        depth = len(self._levels) - 1
        level.digester = self._digester(level, depth)
        for event in self._events_before(level, depth):
            level.digester.feed(event)
        self._active.append(level.digester)

    def _events_before(self, level: _Level, depth: int) -> Iterable[Event]:
        """The events of a level in front of its MAC Parameters Sequence, which has just been read."""
        if not depth and self._head is not None and self._head.events is not None:
            return self._head.events
        events = read_events(self._read, self._parser(level, depth), self._collecting)
        return TextGate(self._texts, limit=self._limits.text).through(events)

    def _digester(self, level: _Level, depth: int) -> LevelDigester:
        assert self._syntax is not None
        parameters = (level.parameters or {}).values()
        return LevelDigester(
            parameters,
            depth,
            self._syntax,
            old_format=self._old_format,
            limit=self._limits.macs,
            offset=self._collecting,
            digests=self._digests,
        )

    def _parser(self, level: _Level, depth: int) -> Parser:
        assert self._syntax is not None
        return Parser.for_content(
            level.form,
            level.start,
            depth=depth,
            encapsulated=depth == 0 and self._syntax.encapsulated,
            options=self._options,
            plain_items=True,
        )

    def _close_level(self, end: int) -> None:
        level = self._levels.pop()
        depth = len(self._levels)
        if level.digester is not None:
            self._active.remove(level.digester)
        if not level.signatures:
            self._left += level.cost
            self._signed_left += level.signed
            return
        assert self._syntax is not None
        digester = level.digester
        if digester is None:
            digester = self._digester(level, depth)
            if self._ordered and level.parameters:
                self._digest_ordered(digester, level, depth, end)
        if len(self._found) + len(level.signatures) > self._limits.signatures:
            raise LimitExceeded(f"more than {self._limits.signatures} signatures", offset=end)
        location = (*self._location, (level.tag, level.number)) if self._levels else ()
        for item in level.signatures:
            parameters = None if item.mac_id is None else (level.parameters or {}).get(item.mac_id)
            self._found.append(digester.found(location, item, parameters))

    def _digest_ordered(self, digester: LevelDigester, level: _Level, depth: int, end: int) -> None:
        assert self._syntax is not None
        reader = OrderedReader(self._read, self._options, encapsulated=self._syntax.encapsulated)
        for event in TextGate(self._texts, limit=self._limits.text).through(reader.events(level.form, level.start, end, depth)):
            digester.feed(event)
