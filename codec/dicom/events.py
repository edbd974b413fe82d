"""What the parser reports, in file order.

Every event has `raw`, its bytes of the input (possibly none), and `offset`, where they begin. Joining all `raw` gives the
input; for a deflated data set, the meta header followed by the inflated data set. Starts and ends balance: an end is reported
also where the length was defined, with empty `raw`. An event comes with the byte that completes it; a PlainItem without
length may come with a later one.

`form` tells how header and value are encoded: IMPLICIT, EXPLICIT (both little endian), BIG (explicit big endian), or
CONVERTED: the value is little endian and `raw` has another header than `vr` asks for (UN with a dictionary VR, invalid VRs,
reserved bytes that are not zero).
"""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple

from .options import ReadOptions

IMPLICIT, EXPLICIT, BIG, CONVERTED = range(4)

UNDEFINED = 0xFFFFFFFF
"""Length field of sequences, items and encapsulated Pixel Data that end with a delimiter (PS3.5 7.1)."""


class AnomalyCode(Enum):
    """Deviations from the standard that do not prevent reading; the value explains them in dcmsign's words."""

    UNORDERED = "DcmItem: Dataset not in ascending tag order, at element {}"
    DUPLICATE = "DcmItem: Element {} found twice in one data set or item, ignoring second entry"
    ODD_LENGTH = "DcmItem: Length of element {} is odd"
    UNKNOWN_VR = "DcmItem: Non-standard VR encountered while parsing element {}"
    UNDEFINED_UN = (
        "DcmItem: Found element {} with VR=UN and undefined length, "
        "reading a sequence with transfer syntax Little Endian Implicit (CP-246)"
    )
    PIXEL_VR = "DcmItem: Wrong VR for encapsulated PixelData {}, should be 'OB' instead of 'OW'"
    NO_GROUP_LENGTH = "DcmMetaInfo: No Group Length available in Meta Information Header"
    UNKNOWN_SYNTAX = "DcmFileFormat: Could not determine Transfer Syntax from File Meta Information Header"
    LONG_ITEM = "DcmSequenceOfItems: Item in sequence {} ends behind the end of the sequence"


class Preamble(NamedTuple):
    """128 bytes and the prefix DICM (PS3.10 7.1)."""

    raw: bytes
    offset: int


class DatasetStart(NamedTuple):
    """The meta group, if any, is over; `syntax` is the UID of the transfer syntax the data set is read with."""

    raw: bytes
    offset: int
    syntax: str


class Element(NamedTuple):
    """A complete plain data element."""

    raw: bytes
    offset: int
    tag: int
    vr: str
    header: int
    form: int

    @property
    def value(self) -> bytes:
        """The bytes behind the header, as they stand in the file."""
        return self.raw[self.header :]


class ValueStart(NamedTuple):
    """Header of a data element too large for one piece; ValueChunks with `length` bytes in all follow."""

    raw: bytes
    offset: int
    tag: int
    vr: str
    length: int
    form: int


class ValueChunk(NamedTuple):
    """Piece of a value or fragment; a view into the block that was fed, so a consumer that keeps it must copy it."""

    raw: bytes | memoryview
    offset: int
    last: bool


class SequenceStart(NamedTuple):
    """Header of a sequence; `length` is UNDEFINED or the number of bytes of its items, `form` that of the header."""

    raw: bytes
    offset: int
    tag: int
    vr: str
    length: int
    form: int


class SequenceEnd(NamedTuple):
    """End of the innermost sequence."""

    raw: bytes
    offset: int


class ItemStart(NamedTuple):
    """Header of item `number` (from 0) of the innermost sequence; `form` is that of its content."""

    raw: bytes
    offset: int
    number: int
    length: int
    form: int


class ItemEnd(NamedTuple):
    """End of the innermost item."""

    raw: bytes
    offset: int


class Lengths(Enum):
    """How the ends of an item, and of what it holds, are marked."""

    DEFINED = "all by lengths"
    UNDEFINED = "all by delimiters"
    MIXED = "some by lengths, some by delimiters"


class PlainItem(NamedTuple):
    """A whole item with everything in it, in normal form, instead of the events from ItemStart to ItemEnd.

    Only a parser that is asked for them reports plain items. `stream` is its part of the MAC byte stream in explicit VR little
    endian; `elements` and `containers` are the numbers of data elements and of items and sequences at all levels, `options` those
    of the parser; `form` is that of its content.
    """

    raw: bytes
    offset: int
    number: int
    form: int
    stream: bytes
    elements: int
    containers: int
    lengths: Lengths
    options: ReadOptions


class FragmentsStart(NamedTuple):
    """Header of encapsulated Pixel Data (PS3.5 A.4)."""

    raw: bytes
    offset: int
    tag: int
    vr: str
    form: int


class FragmentStart(NamedTuple):
    """Header of fragment `number`; 0 is the Basic Offset Table. ValueChunks with `length` bytes follow, none if it is 0."""

    raw: bytes
    offset: int
    number: int
    length: int


class WholeFragments(NamedTuple):
    """Consecutive fragments of even length as they lie in a block, instead of FragmentStart and ValueChunk for each.

    Only a parser that is asked for plain items reports them. `number` is that of the first one; `raw` is a view, see ValueChunk.
    """

    raw: bytes | memoryview
    offset: int
    number: int
    lengths: tuple[int, ...]


class FragmentsEnd(NamedTuple):
    """Sequence Delimitation Item of encapsulated Pixel Data."""

    raw: bytes
    offset: int


class Anomaly(NamedTuple):
    """Something the caller may want to know about the data element that comes next or just came."""

    raw: bytes
    offset: int
    code: AnomalyCode
    tag: int


class End(NamedTuple):
    """End of the input; `trailing` bytes behind a deflated data set belong to nothing."""

    raw: bytes
    offset: int
    trailing: int = 0


Event = (
    Preamble
    | DatasetStart
    | Element
    | ValueStart
    | ValueChunk
    | SequenceStart
    | SequenceEnd
    | ItemStart
    | ItemEnd
    | PlainItem
    | FragmentsStart
    | FragmentStart
    | WholeFragments
    | FragmentsEnd
    | Anomaly
    | End
)
