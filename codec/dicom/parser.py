"""Incremental DICOM parser without I/O: blocks of any size in, events out (PS3.5 chapter 7, annex A; PS3.10 chapter 7).

    parser = Parser()
    for block in blocks:
        parser.feed(block)
        for event in parser.events(): ...
    parser.close()
    for event in parser.events(): ...

The input is read as states of a stack machine: at the bottom the preamble and meta group, then the elements of the data set; on
top of it one frame for each open sequence, item, fragment sequence or chunked value. Bytes that do not complete a header or a
small value wait in the parser; values above `Limits.inline` bytes are passed on in chunks and never collected.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from struct import Struct

from ..errors import BadStructure, EmptyInput, FormatError, LimitExceeded, MetaHeaderMissing, NotDicom, Truncated
from . import syntaxes
from .context import ItemContext
from .detection import detect_syntax, looks_like_meta
from .events import (
    BIG,
    CONVERTED,
    EXPLICIT,
    IMPLICIT,
    UNDEFINED,
    Anomaly,
    AnomalyCode,
    DatasetStart,
    Element,
    End,
    Event,
    FragmentsEnd,
    FragmentsStart,
    FragmentStart,
    ItemEnd,
    ItemStart,
    PlainItem,
    Preamble,
    SequenceEnd,
    SequenceStart,
    ValueChunk,
    ValueStart,
    WholeFragments,
)
from .headers import Header, read_header, read_plain_header
from .inflate import Inflater
from .options import READ_AS_FOUND, Limits, ReadOptions
from .plain_items import walk_item
from .tags import (
    DIGITAL_SIGNATURES_SEQUENCE,
    FILE_META_GROUP_LENGTH,
    ITEM,
    ITEM_DELIMITATION,
    MAC_PARAMETERS_SEQUENCE,
    ORIGINAL_ATTRIBUTES_SEQUENCE,
    PIXEL_DATA,
    SEQUENCE_DELIMITATION,
    TRANSFER_SYNTAX_UID,
)
from .tags import text as tag_text
from .vr import TEXT

_NEVER = 1 << 63
_FRAGMENT = Struct("<HHI").unpack_from
_MOST_FRAGMENTS = 1024
"""Fragments that are reported together; what is made of each of them takes memory."""

_PECULIAR = frozenset({MAC_PARAMETERS_SEQUENCE, DIGITAL_SIGNATURES_SEQUENCE, ORIGINAL_ATTRIBUTES_SEQUENCE})
"""Sequences in which every detail may matter."""

PREAMBLE_SIZE = 132

_DETECTABLE = (syntaxes.IMPLICIT_LE, syntaxes.EXPLICIT_LE, syntaxes.EXPLICIT_BE)
"""Transfer syntaxes that the first data element shows; what it cannot show is taken from the meta header in any case."""


class _Frame:
    """An open data set or item (`sequence` False) or an open sequence or fragment sequence."""

    __slots__ = ("context", "depth", "end", "form", "index", "last_tag", "limit", "plain", "sequence", "tag")

    def __init__(
        self, sequence: bool, end: int, limit: int, form: int, depth: int, tag: int = 0, context: ItemContext | None = None
    ) -> None:
        self.sequence = sequence
        self.depth = depth  # sequences open, itself included
        self.end = end  # offset where it ends, _NEVER if its length is undefined
        self.limit = limit if sequence else min(end, limit)  # offset that nothing inside may pass
        self.form = form
        self.tag = tag
        self.index = -1
        self.last_tag = -1
        self.context = context  # of a data set or item
        self.plain = False  # whether items may be reported as a whole


class Parser:
    """See the module. After `feed`, iterate over `events()` until it ends before feeding again.

    With `plain_items`, items in which there is nothing to look at are reported as one PlainItem each; never those of a MAC
    Parameters, Digital Signatures or Original Attributes Sequence. Which ones does not depend on the blocks. Fragments that lie
    in one block are reported together, as WholeFragments. `limits` replaces those of the options.
    """

    def __init__(self, options: ReadOptions = READ_AS_FOUND, limits: Limits | None = None, *, plain_items: bool = False) -> None:
        self._options = options
        self._plain_items = plain_items
        self._dictionary = options.dictionary
        self._limits = limits or options.limits
        self._buffer: bytes = b""
        self._view = memoryview(b"")
        self._position = 0  # in the buffer
        self._base = 0  # offset of the buffer in the input
        self._closed = False
        self._done = False
        self._stack: list[_Frame] = []
        self._remaining = 0  # bytes of the open chunked value
        self._text = False  # whether that is a text
        self._value: tuple[int, int, int | None] = (0, 0, None)  # its offset and length, its tag if it is no fragment
        self._fragments = False
        self._inflater: Inflater | None = None
        self._dataset_start = 0  # of a deflated one
        self._syntax: syntaxes.TransferSyntax | None = None
        self._meta_syntax: bytes | None = None
        self._encapsulated = False
        self._wanted = 0  # offset up to which bytes are needed before it is worth to look for a plain item again
        self._steps = self._run_file()

    @classmethod
    def for_content(
        cls,
        form: int,
        offset: int,
        *,
        depth: int = 0,
        encapsulated: bool = False,
        context: ItemContext | None = None,
        options: ReadOptions = READ_AS_FOUND,
        limits: Limits | None = None,
        plain_items: bool = False,
    ) -> Parser:
        """A parser of bare data elements, such as the content of an item that begins at `offset` of the input.

        `context` is that of the elements before them in the same data set or item, if there are any.
        """
        parser = cls(options, limits, plain_items=plain_items)
        parser._base = offset
        if depth:
            parser._limits = parser._limits._replace(depth=parser._limits.depth - depth)
        parser._encapsulated = encapsulated
        parser._stack = [_Frame(False, _NEVER, _NEVER, form, 0, 0, context or ItemContext(options.dictionary))]
        parser._steps = parser._run_content()
        return parser

    @property
    def offset(self) -> int:
        """Bytes of the input consumed so far (inflated, once a deflated data set has begun)."""
        return self._base + self._position

    @property
    def remaining(self) -> int:
        """Bytes of the value or fragment being delivered that have not been fed yet; they may be skipped."""
        return max(0, self._remaining - (len(self._buffer) - self._position))

    @property
    def skippable(self) -> int:
        """`remaining`, but 0 for texts, whose normal form depends on what they contain, and for deflated input."""
        return 0 if self._text or self._inflater is not None else self.remaining

    @property
    def context(self) -> ItemContext | None:
        """What the elements read so far in the main data set say about the VRs of later ones."""
        return self._stack[0].context if self._stack else None

    @property
    def inflating(self) -> bool:
        """Whether the data set is deflated and has begun, so that offsets are those of the inflated stream."""
        return self._inflater is not None

    @property
    def syntax(self) -> syntaxes.TransferSyntax | None:
        """Transfer syntax of the data set, once known."""
        return self._syntax

    def feed(self, block: bytes) -> None:
        """Add the next bytes of the input; raises nothing, errors come with the events."""
        if self._inflater is not None:
            self._inflater.feed(block)
            return
        self._append(block)

    def close(self) -> None:
        """Tell that the input has ended."""
        self._closed = True

    def skip(self, count: int) -> None:
        """Pass over the next `count` bytes of the open value, fewer than `skippable`, as if they had been fed and ignored."""
        if not 0 <= count < self.skippable:
            raise ValueError("only a part of an open value that is neither text nor deflated can be skipped")
        pending = len(self._buffer) - self._position
        self._base += self._position + pending + count
        self._buffer = b""
        self._view = memoryview(b"")
        self._position = 0
        self._remaining -= pending + count

    def events(self) -> Iterator[Event]:
        """The events that the bytes fed so far complete.

        Raises FormatError with the offset and the path of the data element if the input is not DICOM; no event comes after it.
        """
        while True:
            try:
                for event in self._steps:
                    if event is None:
                        break
                    yield event
                else:
                    if self._done:
                        self._forget()
                        return
                    self._steps = self._run_content()  # not delegated to: each generator in between costs on every event
                    continue
            except FormatError:
                self._done = True
                self._forget()
                raise
            if self._inflater is None:
                return
            piece = self._inflater.read(self.offset)
            if piece:
                if self._base + len(self._buffer) + len(piece) - self._dataset_start > self._limits.inflated:
                    self._done = True
                    raise LimitExceeded(f"deflated data set of more than {self._limits.inflated} bytes", offset=self.offset)
                self._append(piece)
            elif not self._ended:
                return

    # ------------------------------------------------------------------ buffer

    def _append(self, block: bytes) -> None:
        rest = self._buffer[self._position :]
        self._base += self._position
        self._position = 0
        self._buffer = rest + block if rest else bytes(block)
        self._view = memoryview(self._buffer)

    def _forget(self) -> None:
        """Let go of the input: parser and states refer to each other, so that nobody else does it soon."""
        self._base += self._position
        self._position = 0
        self._buffer = b""
        self._view = memoryview(b"")

    @property
    def _ended(self) -> bool:
        """Whether no further byte of the data set can come."""
        return self._closed and (self._inflater is None or self._inflater.idle)

    def _take(self, size: int) -> bytes:
        start = self._position
        self._position = start + size
        return self._buffer[start : start + size]

    # ------------------------------------------------------------------ errors

    def path(self, tag: int | None = None) -> str:
        """Where the parser is, such as ``(0008,1140)[0].(0008,1155)``."""
        steps = [f"{tag_text(frame.tag)}[{frame.index}]" for frame in self._stack if frame.sequence]
        if tag is not None and self._stack:
            if self._stack[-1].sequence:
                steps.pop()
            steps.append(tag_text(tag))
        return ".".join(steps)

    def _broken(self, message: str, tag: int | None = None) -> BadStructure:
        return BadStructure(message, offset=self.offset, element=self.path(tag) or None)

    def _truncated(self, message: str, tag: int | None = None) -> Truncated:
        return Truncated(message, offset=self.offset, element=self.path(tag) or None)

    # ------------------------------------------------------------------ states
    # Generators that yield events, and None where they need more bytes.

    def _run_file(self) -> Iterator[Event | None]:
        while len(self._buffer) < PREAMBLE_SIZE and not self._ended:
            yield None
        if not self._buffer:
            raise EmptyInput("the input is empty", offset=0)
        has_preamble = self._buffer[128:132] == b"DICM" and self._options.file_format != "dataset"
        if has_preamble:
            yield Preamble(self._take(PREAMBLE_SIZE), 0)
        has_meta = yield from self._run_meta()
        yield from self._start_dataset(has_preamble, has_meta)

    def _run_meta(self) -> Generator[Event | None, None, bool]:
        """The elements of group 0002, explicit VR little endian (PS3.10 7.1), or implicit; returns whether there are any."""
        while len(self._buffer) - self._position < 8 and not self._ended:
            yield None
        form = looks_like_meta(self._buffer[self._position : self._position + 8])
        if form is None or self._options.file_format == "dataset":
            if self._options.file_format == "file":
                raise MetaHeaderMissing("no file meta information", offset=self.offset)
            return False
        start, end, last = self.offset, -1, 0
        frame = _Frame(False, _NEVER, _NEVER, form, 0, 0, ItemContext(self._dictionary))
        self._stack.append(frame)
        while True:
            while self._available() < 2 and not self._ended:
                yield None
            if self._buffer[self._position : self._position + 2] != b"\2\0":
                break
            if self.offset == end and self._available() >= 8 and not self._continues_meta(form, last):
                break
            header = read_header(self._buffer, self._position, frame.form, frame.context)
            if header and self.offset - start + header[2] + header[3] > self._limits.meta:
                raise LimitExceeded("file meta information too long", offset=self.offset, element=tag_text(header[0]))
            if header is None or self._available() < header[2] + header[3]:
                if self._ended:
                    raise self._truncated("the input ends inside the file meta information")
                yield None
                continue
            tag, vr, size, length, _ = header
            if not last and tag != FILE_META_GROUP_LENGTH:
                yield Anomaly(b"", self.offset, AnomalyCode.NO_GROUP_LENGTH, tag)
            last = tag
            offset = self.offset
            raw = self._take(size + length)
            if tag == FILE_META_GROUP_LENGTH:
                end = self.offset + int.from_bytes(raw[size:], "little")
            if tag == TRANSFER_SYNTAX_UID and self._meta_syntax is None:
                self._meta_syntax = raw[size:].strip(b" \0")
            yield Element(raw, offset, tag, vr, size, form)
        self._stack.pop()
        return True

    def _continues_meta(self, form: int, last: int) -> bool:
        """Whether the element of group 0002 where the meta group should be over belongs to it all the same.

        Group lengths are often wrong; but a lower tag or another encoding is that of a (misplaced) element of the data set.
        """
        head = self._buffer[self._position : self._position + 8]
        return looks_like_meta(head) == form and int.from_bytes(head[2:4], "little") > last & 0xFFFF

    def _start_dataset(self, has_preamble: bool, has_meta: bool) -> Iterator[Event | None]:
        known = None if self._meta_syntax is None else syntaxes.SYNTAXES.get(self._meta_syntax.decode("latin-1"))
        if self._options.syntax is not None:
            known = syntaxes.SYNTAXES[self._options.syntax]
        if known is None and self._options.file_format == "file":
            raise MetaHeaderMissing("no known transfer syntax in the file meta information", offset=self.offset)
        if known is None or (self._options.detect_syntax and known in _DETECTABLE):
            if known is None and (has_preamble or self._meta_syntax is not None):
                yield Anomaly(b"", self.offset, AnomalyCode.UNKNOWN_SYNTAX, TRANSFER_SYNTAX_UID)
            while self._available() < 8 and not self._ended:
                yield None
            head = self._buffer[self._position : self._position + 8]
            known = detect_syntax(head, has_meta=has_meta, dictionary=self._dictionary)
            if known is None:
                raise NotDicom("the beginning is neither a DICOM file nor a data set", offset=self.offset)
        self._syntax = known
        self._encapsulated = known.encapsulated
        form = (EXPLICIT if known.little_endian else BIG) if known.explicit else IMPLICIT
        self._stack.append(_Frame(False, _NEVER, _NEVER, form, 0, 0, ItemContext(self._dictionary)))
        if known.deflated:
            self._base = self._dataset_start = self.offset
            rest = self._buffer[self._position :]
            self._buffer, self._view, self._position = b"", memoryview(b""), 0
            self._inflater = Inflater()
            self._inflater.feed(rest)
        yield DatasetStart(b"", self.offset, known.uid)

    def _available(self) -> int:
        return len(self._buffer) - self._position

    def _run_content(self) -> Iterator[Event | None]:
        while not self._done:
            if self._remaining:
                yield from self._run_value()
            frame = self._stack[-1]
            if self.offset >= frame.end:
                yield self._end_frame(b"")
            elif self._fragments:
                yield from self._run_fragment(frame)
            elif frame.sequence:
                yield from self._run_item(frame)
            else:
                yield from self._run_elements(frame)

    def _value_cut(self) -> Truncated:
        offset, length, tag = self._value
        message = f"{'fragment' if tag is None else 'value'} of {length} bytes ends behind the end of the input"
        return Truncated(message, offset=offset, element=self.path(tag) or None)

    def _run_value(self) -> Iterator[Event | None]:
        while self._remaining:
            size = min(self._available(), self._remaining)
            if size == 0:
                if self._ended:
                    raise self._value_cut()
                yield None
                continue
            start = self._position
            offset = self.offset
            self._position += size
            self._remaining -= size
            yield ValueChunk(self._view[start : start + size], offset, not self._remaining)

    def _end_frame(self, raw: bytes) -> Event:
        """Close the innermost item or sequence; `raw` is its delimiter, if it has one."""
        frame = self._stack.pop()
        offset = self.offset - len(raw)
        if self._fragments:
            self._fragments = False
            return FragmentsEnd(raw, offset)
        return SequenceEnd(raw, offset) if frame.sequence else ItemEnd(raw, offset)

    # ------------------------------------------------------------------ sequences and fragments

    def _plain_header(self, frame: _Frame) -> tuple[int, int] | None:
        """Tag and length of an item or delimiter, or None if bytes are missing."""
        if self._available() < 8:
            return None
        tag, length = read_plain_header(self._buffer, self._position, frame.form)
        if self._base + self._position + 8 > frame.limit:
            raise self._broken(f"{tag_text(tag)} ends behind the end of the item around")
        return tag, length

    def _run_item(self, frame: _Frame) -> Iterator[Event | None]:
        while (header := self._plain_header(frame)) is None:
            if self._ended:
                raise self._truncated("the input ends inside a sequence")
            yield None
        tag, length = header
        if tag == ITEM and frame.plain:
            while (event := self._plain_item(frame)) is True:
                yield None
            if event:
                yield event
                return
        if tag == SEQUENCE_DELIMITATION:
            raw = self._take(8)
            if frame.end not in (_NEVER, self.offset):
                raise self._broken("Sequence Delimitation Item before the end of a sequence of defined length")
            yield self._end_frame(raw)
            return
        if tag != ITEM:
            raise self._broken(f"{tag_text(tag)} where an item of the sequence should begin")
        offset = self.offset
        raw = self._take(8)
        end = _NEVER if length == UNDEFINED else self.offset + length
        if frame.limit < end < _NEVER:
            raise self._broken("item ends behind the end of what encloses it")
        if frame.end < end < _NEVER:
            yield Anomaly(b"", offset, AnomalyCode.LONG_ITEM, frame.tag)
        frame.index += 1
        self._stack.append(_Frame(False, end, frame.limit, frame.form, frame.depth, 0, ItemContext(self._dictionary)))
        yield ItemStart(raw, offset, frame.index, length, frame.form)

    def _plain_item(self, frame: _Frame) -> PlainItem | bool:
        """The item that begins here, if it is plain; True if bytes are missing to tell."""
        position, buffer = self._position, self._buffer
        if self._base + len(buffer) < self._wanted and not self._ended:
            return True
        limit = min(frame.end, frame.limit)
        size = min(self._limits.inline, limit - self._base - position)
        depth = self._limits.depth - frame.depth
        walked = walk_item(buffer, position, frame.form, size=size, depth=depth, ended=self._ended, dictionary=self._dictionary)
        if walked is True:
            _, length = read_plain_header(buffer, position, frame.form)
            needed = 8 + length if length != UNDEFINED else 2 * (len(buffer) - position)  # not once more for every byte
            self._wanted = self._base + position + min(needed, size)
        if isinstance(walked, bool):
            return walked
        end, stream, elements, containers, lengths = walked
        frame.index += 1
        self._position = end
        raw, offset, options = buffer[position:end], self._base + position, self._options
        return PlainItem(raw, offset, frame.index, frame.form, stream, elements, containers, lengths, options)

    def _whole_fragments(self, frame: _Frame) -> WholeFragments | None:
        """The fragments that begin here and lie in the buffer, up to the first one that is odd, or None."""
        buffer, start = self._buffer, self._position
        lengths: list[int] = []
        position, end = start, min(len(self._buffer), frame.limit - self._base)
        while position + 8 <= end and len(lengths) < _MOST_FRAGMENTS:
            group, element, length = _FRAGMENT(buffer, position)
            behind = position + 8 + length
            if group != 0xFFFE or element != 0xE000 or length & 1 or behind > end:
                break
            position = behind
            lengths.append(length)
        if not lengths:
            return None
        self._position = position
        number = frame.index + 1
        frame.index += len(lengths)
        return WholeFragments(self._view[start:position], self._base + start, number, tuple(lengths))

    def _run_fragment(self, frame: _Frame) -> Iterator[Event | None]:
        if frame.plain and (whole := self._whole_fragments(frame)) is not None:
            yield whole
            if len(whole.lengths) == _MOST_FRAGMENTS:
                return
        while (header := self._plain_header(frame)) is None:
            if self._ended:
                raise self._truncated("the input ends inside encapsulated Pixel Data")
            yield None
        tag, length = header
        if tag == SEQUENCE_DELIMITATION:
            yield self._end_frame(self._take(8))
            return
        if tag != ITEM or length == UNDEFINED:
            raise self._broken(f"{tag_text(tag)} where a fragment of Pixel Data should begin")
        offset = self.offset
        raw = self._take(8)
        frame.index += 1
        if self.offset + length > frame.limit:
            raise self._broken("fragment ends behind the end of its item")
        self._remaining, self._text, self._value = length, False, (offset, length, None)
        yield FragmentStart(raw, offset, frame.index, length)

    # ------------------------------------------------------------------ elements

    def _run_elements(self, frame: _Frame) -> Iterator[Event | None]:
        """Plain elements of one data set or item, up to its end or the next sequence."""
        inline, limit, convert_un = self._limits.inline, frame.limit, self._options.convert_un
        context = frame.context
        assert context is not None
        while self._base + self._position < frame.end:
            header = read_header(self._buffer, self._position, frame.form, frame.context)
            if header is None:
                if self._ended:
                    yield from self._end_of_input(frame)
                    return
                yield None
                continue
            tag, vr, size, length, form = header
            if not vr:
                yield self._delimiter(frame, tag)
                return
            if length == UNDEFINED or vr == "SQ" or (vr == "UN" and convert_un):
                if (yield from self._open_nested(frame, header)):
                    return
                if (real := context.converted_vr(tag)) != "UN":
                    vr, form = real, CONVERTED
            total = size + length
            offset = self._base + self._position
            if offset + total > limit:
                raise self._broken(f"value of {length} bytes ends behind the end of its item", tag)
            if tag == PIXEL_DATA and self._encapsulated and len(self._stack) == 1:
                raise self._broken("Pixel Data of defined length in an encapsulated transfer syntax", tag)
            if length > inline:
                yield from self._check_order(frame, tag, vr, length, form)
                yield ValueStart(self._take(size), offset, tag, vr, length, form)
                self._remaining, self._text, self._value = length, vr in TEXT or vr == "UI", (offset, length, tag)
                return
            if len(self._buffer) - self._position < total:
                if self._ended:
                    raise self._truncated(f"value of {length} bytes ends behind the end of the input", tag)
                yield None
                continue
            if tag <= frame.last_tag or length & 1 or form == CONVERTED:
                yield from self._check_order(frame, tag, vr, length, form)
            else:
                frame.last_tag = tag
            position = self._position
            raw = self._buffer[position : position + total]
            self._position = position + total
            if (form == IMPLICIT or convert_un) and context.remember(tag, vr, raw[size:]) > self._limits.creators:
                message = f"more than {self._limits.creators} private creators in one data set or item"
                raise LimitExceeded(message, offset=offset, element=self.path(tag))
            yield Element(raw, offset, tag, vr, size, form)

    def _check_order(self, frame: _Frame, tag: int, vr: str, length: int, form: int) -> Iterator[Event]:
        offset = self.offset
        if form == CONVERTED and vr == "UN":
            yield Anomaly(b"", offset, AnomalyCode.UNKNOWN_VR, tag)
        if length & 1 and length != UNDEFINED:
            yield Anomaly(b"", offset, AnomalyCode.ODD_LENGTH, tag)
        if tag <= frame.last_tag:
            code = AnomalyCode.DUPLICATE if tag == frame.last_tag else AnomalyCode.UNORDERED
            yield Anomaly(b"", offset, code, tag)
        else:
            frame.last_tag = tag

    def _open_nested(self, frame: _Frame, header: Header) -> Generator[Event, None, bool]:
        """Begin a sequence or encapsulated Pixel Data; returns False for a plain element after all."""
        tag, vr, size, length, form = header
        assert frame.context is not None
        content = frame.form
        if length == UNDEFINED and vr not in ("SQ", "UN"):
            if tag != PIXEL_DATA or vr not in ("OB", "OW"):
                raise self._broken(f"undefined length with VR {vr}", tag)
            yield from self._open_fragments(frame, header)
            return True
        if vr == "UN":
            if length != UNDEFINED and frame.context.converted_vr(tag) != "SQ":
                return False
            content = IMPLICIT
        if frame.depth >= self._limits.depth:
            message = f"sequences nested more than {self._limits.depth} deep"
            raise LimitExceeded(message, offset=self.offset, element=self.path(tag))
        stop = self.offset + size + (0 if length == UNDEFINED else length)
        if stop > frame.limit:
            raise self._broken("sequence ends behind the end of its item", tag)
        end = _NEVER if length == UNDEFINED else stop
        yield from self._check_order(frame, tag, vr, length, form)
        if vr == "UN" and length == UNDEFINED:
            yield Anomaly(b"", self.offset, AnomalyCode.UNDEFINED_UN, tag)
        offset = self.offset
        raw = self._take(size)
        inner = _Frame(True, end, frame.limit, content, frame.depth + 1, tag)
        inner.plain = self._plain_items and content != BIG and tag not in _PECULIAR and self._plain_around()
        self._stack.append(inner)
        yield SequenceStart(raw, offset, tag, "SQ", length, form)
        return True

    def _plain_around(self) -> bool:
        """Whether no sequence around is one that has to be looked at in detail."""
        return all(frame.tag not in _PECULIAR for frame in self._stack)

    def _open_fragments(self, frame: _Frame, header: Header) -> Iterator[Event]:
        tag, vr, size, length, form = header
        if self.offset + size > frame.limit:
            raise self._broken("encapsulated Pixel Data ends behind the end of its item", tag)
        yield from self._check_order(frame, tag, vr, length, form)
        if vr == "OW" and form != IMPLICIT:
            yield Anomaly(b"", self.offset, AnomalyCode.PIXEL_VR, tag)
        offset = self.offset
        raw = self._take(size)
        inner = _Frame(True, _NEVER, frame.limit, frame.form, frame.depth + 1, tag)
        inner.plain = self._plain_items and frame.form == EXPLICIT
        self._stack.append(inner)
        self._fragments = True
        yield FragmentsStart(raw, offset, tag, vr, form)

    def _delimiter(self, frame: _Frame, tag: int) -> Event:
        """An element of group FFFE: the end of the item, or an error."""
        if tag != ITEM_DELIMITATION or len(self._stack) == 1:
            raise self._broken(f"{tag_text(tag)} where a data element should begin")
        raw = self._take(8)
        if self.offset > frame.limit:
            raise self._broken(f"{tag_text(tag)} ends behind the end of the item around")
        if frame.end not in (_NEVER, self.offset):
            raise self._broken("Item Delimitation Item before the end of an item of defined length")
        return self._end_frame(raw)

    def _end_of_input(self, frame: _Frame) -> Iterator[Event]:
        if len(self._stack) > 1:
            raise self._truncated("the input ends inside an item")
        rest = self._available()
        if rest:
            raise self._truncated(f"{rest} bytes at the end are no data element")
        if self._inflater is not None and not self._inflater.complete:
            raise self._truncated("the input ends inside the deflated data set")
        self._done = True
        yield End(b"", self.offset, 0 if self._inflater is None else self._inflater.trailing)
