"""Damaged and malicious input: an error of our own, with its place, or events; nothing else, in bounded time and memory."""

from __future__ import annotations

import random
import struct
import time
import tracemalloc
import zlib
from collections.abc import Iterable
from pathlib import Path

import pytest
from dcmsign.codec.dicom.encoder import DatasetEncoder, LengthTable
from dcmsign.codec.dicom.events import EXPLICIT, DatasetStart, Element, Event
from dcmsign.codec.dicom.inflate import PIECE
from dcmsign.codec.dicom.options import Limits, ReadOptions
from dcmsign.codec.dicom.ordered import OrderedReader
from dcmsign.codec.dicom.parser import Parser
from dcmsign.codec.dicom.texts import TextGate
from dcmsign.codec.errors import BadStructure, EmptyInput, FormatError, LimitExceeded, NotDicom, Truncated
from dcmsign.codec.signature.finder import SignatureFinder
from dcmsign.codec.signature.mac import Mac
from dcmsign.codec.signature.stream import StreamEncoder
from dcmsign.codec.signature.survey import Survey
from hypothesis import given
from hypothesis import strategies as st

from tests.codec import builder, reading, signing, strategies
from tests.codec.builder import Item, Nodes, Plain, Sequence, delimiter, header, meta

VECTORS = Path(__file__).parents[1] / "vectors" / "mac"
EXPLICIT_META = meta(builder.UIDS["explicit"])
UNDEFINED = builder.UNDEFINED


def explicit(*parts: bytes) -> bytes:
    """A file with bare bytes as its data set."""
    return EXPLICIT_META + b"".join(parts)


def outcome(data: bytes, blocks: Iterable[bytes] | None = None, options: ReadOptions | None = None) -> FormatError | None:
    """The error of an input, None if there is none; any other exception passes."""
    try:
        reading.read(data, blocks, options=options or ReadOptions())
    except FormatError as error:
        return error
    return None


def everything(data: bytes) -> None:
    """All consumers of events, as verifying and signing use them."""
    events = reading.read(data)
    start = next(event for event in events if isinstance(event, DatasetStart))
    texts: dict[int, int] = {}
    plain = signing.inflated(data)
    survey = Survey()
    finder = SignatureFinder(signing.reader(plain))
    stream = StreamEncoder([Mac("MD5", None)])
    for event in TextGate(texts, measure=True).through(events):
        survey.feed(event)
    for event in events:
        finder.feed(event)
    for event in TextGate(texts).through(reading.content(events)):
        stream.feed(event)
    lengths = LengthTable()
    for measure in (True, False):
        encoder = DatasetEncoder(EXPLICIT, lengths, measure=measure)
        encoder.feed_all(TextGate(texts).through(reading.content(events)))
        encoder.finish()
    code = {uid: form for form, uid in enumerate((builder.UIDS["implicit"], builder.UIDS["explicit"], builder.UIDS["big"]))}
    ordered = OrderedReader(signing.reader(plain)).events(code.get(start.syntax, EXPLICIT), start.offset, None)
    assert all(isinstance(event, tuple) for event in ordered)


def consumed(data: bytes) -> FormatError | None:
    """The error that a consumer, or the parser in front of it, raises."""
    try:
        everything(data)
    except FormatError as error:
        return error
    return None


# ---------------------------------------------------------------------- truncation


def truncatable() -> list[tuple[str, bytes]]:
    names = (
        "sq-undefined",
        "sq-nested",
        "jpeg-fragments",
        "un-undefined",
        "big-endian",
        "implicit",
        "deflated",
        "explicit-short",
    )
    return [(name, (VECTORS / f"{name}.dcm").read_bytes()) for name in names]


@pytest.mark.parametrize(("name", "data"), truncatable(), ids=lambda value: value if isinstance(value, str) else "")
def test_truncated_at_every_byte(name: str, data: bytes) -> None:
    whole = reading.read(data)
    boundaries = {event.offset for event in whole}
    deflated = name == "deflated"
    start = next(event.offset for event in whole if isinstance(event, DatasetStart))
    for size in range(len(data)):
        error = outcome(data[:size])
        if size == 0:
            assert isinstance(error, EmptyInput)
            continue
        if error is None:
            # Between two data elements of the top level nothing tells that something is missing; that goes for the elements
            # of the meta group, too, and for zeros, which are elements (0000,0000). Here dcmdump agrees.
            assert size in boundaries or (size < 132 and size % 8 == 0)
            assert size < start or not deflated
            continue
        if size < start and isinstance(error, NotDicom):
            assert size < 132 or size - max(boundary for boundary in boundaries if boundary <= size) < 2
            continue
        assert isinstance(error, Truncated), (size, error)
        assert error.offset is not None
        if not deflated:
            assert error.offset <= size
        if size > start and not deflated:
            assert error.element is not None or size - error.offset < 12
            assert error.offset in boundaries or error.element is not None
        again = outcome(data[:size], reading.single_bytes(data[:size]))
        assert type(again) is type(error)
        assert str(again) == str(error)


def test_truncated_large_value_names_its_element() -> None:
    for inline in (10, 16384):
        data = explicit(header("explicit", 0x7FE00010, "OW", 5000), bytes(4000))
        with pytest.raises(Truncated, match=r"element \(7fe0,0010\): value of 5000 bytes ends behind the end") as caught:
            reading.read(data, limits=Limits(inline=inline))
        assert caught.value.offset == len(EXPLICIT_META)


def test_truncated_fragment_names_its_number() -> None:
    data = explicit(
        header("explicit", 0x7FE00010, "OB", UNDEFINED), delimiter("explicit", 0xE000), delimiter("explicit", 0xE000, 9)
    )
    with pytest.raises(Truncated, match=r"\(7fe0,0010\)\[1\]: fragment of 9 bytes"):
        reading.read(data + b"1234")


@pytest.mark.parametrize("keep", [0, 1, 10, -1])
def test_truncated_deflate_stream(keep: int) -> None:
    packed = builder.deflate(builder.encode((Plain(0x00100010, "PN", random.Random(1).randbytes(300)),), "explicit"))
    data = meta(builder.DEFLATED_UID) + packed[:keep]
    for blocks in ((data,), reading.single_bytes(data)):
        with pytest.raises(Truncated):
            reading.read(data, blocks)


def test_damaged_deflate_stream() -> None:
    """What comes out in front of the damage does not depend on how much is fed at once."""
    content = builder.encode(tuple(Plain(0x00100010 + n, "PN", b"A^B ") for n in range(20)), "explicit")
    stored = struct.pack("<BHH", 0, len(content), 0xFFFF - len(content)) + content
    data = meta(builder.DEFLATED_UID) + stored + b"\x07"  # there is no block of type 3
    for blocks in ((data,), reading.cut(data, range(0, len(data), 7)), reading.single_bytes(data)):
        parser = Parser()
        events: list[Event] = []
        with pytest.raises(BadStructure, match="deflated data set") as caught:
            events += (event for event in reading.drive(parser, blocks))
        assert caught.value.offset == len(meta(builder.DEFLATED_UID)) + len(content)
        assert sum(isinstance(event, Element) and event.tag >= 0x00100010 for event in events) == 20


# ---------------------------------------------------------------------- lengths that lie

ITEM_TREE: Nodes = (
    Sequence(0x00081140, (Item((Plain(0x00081150, "UI", b"1.2\0"), Plain(0x00081155, "UI", b"1.3\0"))),)),
    Plain(0x00100010, "PN", b"A^B "),
)


@pytest.mark.parametrize("place", ["sequence", "item", "element", "last"])
@pytest.mark.parametrize("change", [-40, -8, -4, -2, -1, 1, 2, 4, 8, 40, 0xFFFE - 4, 0xFFFFFFFE - 100, 0xFFFFFFFF - 32])
def test_wrong_length(place: str, change: int) -> None:
    """Never more or fewer bytes than there are: an error that says where, or another reading of the same bytes."""
    data = bytearray(explicit(builder.encode(ITEM_TREE, "explicit")))
    start = len(EXPLICIT_META)
    position, pattern = {
        "sequence": (start + 8, "<I"),
        "item": (start + 16, "<I"),
        "element": (start + 26, "<H"),
        "last": (len(data) - 6, "<H"),
    }[place]
    (length,) = struct.unpack_from(pattern, data, position)
    mask = 0xFFFFFFFF if pattern == "<I" else 0xFFFF
    struct.pack_into(pattern, data, position, (length + change) & mask)
    error = outcome(bytes(data))
    if error is None:
        assert reading.raw_bytes(reading.read(bytes(data))) == data
        # Not noticed where the rest happens to fit: the end of a sequence can move by whole items only.
        assert place != "last"
        return
    assert isinstance(error, Truncated | BadStructure)
    assert error.offset is not None
    assert start <= error.offset <= len(data)
    assert error.element or "at the end" in error.message
    assert str(outcome(bytes(data), reading.single_bytes(bytes(data)))) == str(error)


OVERSHOOTING = {
    "element behind its item": delimiter("explicit", 0xE000, 9) + header("explicit", 0x00100010, "PN", 4) + b"ABCD",
    "header behind its item": delimiter("explicit", 0xE000, 4) + header("explicit", 0x00100010, "PN", 0) + bytes(4),
    "sequence behind its item": delimiter("explicit", 0xE000, 13)
    + header("explicit", 0x00081140, "SQ", 8)
    + delimiter("explicit", 0xE000),
    "open sequence behind its item": delimiter("explicit", 0xE000, 6)
    + header("explicit", 0x00081140, "SQ", UNDEFINED)
    + delimiter("explicit", 0xE0DD),
    "end of sequence behind its item": delimiter("explicit", 0xE000, 14)
    + header("explicit", 0x00081140, "SQ", UNDEFINED)
    + delimiter("explicit", 0xE0DD),
    "open item behind the item around": delimiter("explicit", 0xE000, 16)
    + header("explicit", 0x00081140, "SQ", UNDEFINED)
    + delimiter("explicit", 0xE000, UNDEFINED)
    + delimiter("explicit", 0xE00D)
    + delimiter("explicit", 0xE0DD),
    "end of item behind the item around": delimiter("explicit", 0xE000, 22)
    + header("explicit", 0x00081140, "SQ", UNDEFINED)
    + delimiter("explicit", 0xE000, UNDEFINED)
    + delimiter("explicit", 0xE00D)
    + delimiter("explicit", 0xE0DD),
    "fragments behind their item": delimiter("explicit", 0xE000, 20)
    + header("explicit", 0x7FE00010, "OB", UNDEFINED)
    + delimiter("explicit", 0xE000, 2)
    + b"AB"
    + delimiter("explicit", 0xE0DD),
    "end of fragments behind their item": delimiter("explicit", 0xE000, 13)
    + header("explicit", 0x7FE00010, "OB", UNDEFINED)
    + delimiter("explicit", 0xE0DD),
}


@pytest.mark.parametrize("name", OVERSHOOTING)
def test_nothing_passes_the_end_of_its_item(name: str) -> None:
    tail = delimiter("explicit", 0xE0DD) + header("explicit", 0x00100010, "PN", 0)
    data = explicit(header("explicit", 0x00081115, "SQ", UNDEFINED), OVERSHOOTING[name], tail)
    error = outcome(data)
    assert isinstance(error, BadStructure), error
    assert error.element is not None
    assert error.element.startswith("(0008,1115)[0]")


BROKEN = {
    "element in a sequence": header("explicit", 0x00081140, "SQ", UNDEFINED) + header("explicit", 0x00100010, "PN", 0),
    "item in a data set": delimiter("explicit", 0xE000, 0),
    "stray item end": header("explicit", 0x00080005, "CS", 0) + delimiter("explicit", 0xE00D),
    "stray sequence end": header("explicit", 0x00080005, "CS", 0) + delimiter("explicit", 0xE0DD),
    "sequence end in an item": header("explicit", 0x00081140, "SQ", UNDEFINED)
    + delimiter("explicit", 0xE000, UNDEFINED)
    + delimiter("explicit", 0xE0DD),
    "item end in a sequence": header("explicit", 0x00081140, "SQ", UNDEFINED) + delimiter("explicit", 0xE00D),
    "item end too early": header("explicit", 0x00081140, "SQ", UNDEFINED)
    + delimiter("explicit", 0xE000, 40)
    + delimiter("explicit", 0xE00D)
    + bytes(32),
    "sequence end too early": header("explicit", 0x00081140, "SQ", 40) + delimiter("explicit", 0xE0DD) + bytes(32),
    "undefined length of a text": header("explicit", 0x0040A160, "UT", UNDEFINED),
    "undefined length of binary data": header("explicit", 0x00420011, "OB", UNDEFINED),
    "fragment of undefined length": header("explicit", 0x7FE00010, "OB", UNDEFINED) + delimiter("explicit", 0xE000, UNDEFINED),
    "element between fragments": header("explicit", 0x7FE00010, "OB", UNDEFINED) + header("explicit", 0x00100010, "PN", 0),
    "unknown member of the group": header("explicit", 0x00081140, "SQ", UNDEFINED) + delimiter("explicit", 0xE0AB),
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_structure(name: str) -> None:
    data = explicit(BROKEN[name], bytes(16))
    for blocks in ((data,), reading.single_bytes(data)):
        # At the top level, the message names the tag that is in the wrong place.
        with pytest.raises(BadStructure, match=r"offset \d+(, element |: )\([0-9a-f]{4},[0-9a-f]{4}\)") as caught:
            reading.read(data, blocks)
        assert caught.value.offset is not None
        assert len(EXPLICIT_META) <= caught.value.offset <= len(data)


def test_native_pixel_data_in_an_encapsulated_syntax() -> None:
    with pytest.raises(BadStructure, match=r"\(7fe0,0010\): Pixel Data of defined length"):
        reading.read(meta(builder.JPEG_UID) + header("explicit", 0x7FE00010, "OB", 0))


def test_path_of_nested_elements() -> None:
    bad = header("explicit", 0x0040A160, "UT", 100) + b"short"
    inner = header("explicit", 0x0040A730, "SQ", UNDEFINED) + delimiter("explicit", 0xE000, UNDEFINED) + bad
    first = delimiter("explicit", 0xE000, 0)
    data = explicit(
        header("explicit", 0x0040A730, "SQ", UNDEFINED), first, first, delimiter("explicit", 0xE000, UNDEFINED), inner
    )
    error = outcome(data)
    assert isinstance(error, Truncated)
    assert error.element == "(0040,a730)[2].(0040,a730)[0].(0040,a160)"
    assert error.offset == len(data) - len(bad)
    error.path = "in.dcm"
    assert str(error).startswith(f"in.dcm, offset {error.offset}, element {error.element}: ")


# ---------------------------------------------------------------------- size and depth


def nested(depth: int, form: str = "explicit") -> bytes:
    return (header(form, 0x0040A730, "SQ", UNDEFINED) + delimiter(form, 0xE000, UNDEFINED)) * depth


@pytest.mark.parametrize("form", builder.FORMS)
def test_nesting_has_a_limit(form: str) -> None:
    data = meta(builder.UIDS[form]) + nested(100_000, form)
    begin = time.process_time()
    with pytest.raises(LimitExceeded, match="more than 64 deep") as caught:
        reading.read(data)
    assert time.process_time() - begin < 1
    size = len(nested(1, form))
    assert caught.value.offset == len(meta(builder.UIDS[form])) + 64 * size
    assert caught.value.element == ".".join(["(0040,a730)[0]"] * 64 + ["(0040,a730)"])


def test_nesting_up_to_the_limit() -> None:
    closing = (delimiter("explicit", 0xE00D) + delimiter("explicit", 0xE0DD)) * 64
    data = explicit(nested(64), closing)
    assert reading.raw_bytes(reading.read(data)) == data
    everything(data)
    assert outcome(explicit(nested(65), closing)) is not None


def test_many_empty_items() -> None:
    """Time and memory grow with the input only; 100,000 items take about what their events take."""
    items = delimiter("explicit", 0xE000) * 100_000
    data = explicit(header("explicit", 0x00081140, "SQ", len(items)), items)
    begin = time.process_time()
    count = 0
    parser = Parser()
    for event in reading.drive(parser, (data,)):
        count += 1
        assert event is not None
    assert count > 200_000
    assert time.process_time() - begin < 5


def test_many_small_blocks() -> None:
    """A value that waits for its end is joined as it comes, not again for every byte of the input."""
    data = explicit(builder.encode(tuple(Plain(0x00091000 + n, "UT", bytes(15000)) for n in range(20)), "explicit"))
    begin = time.process_time()
    reading.read(data, reading.cut(data, range(0, len(data), 7)))
    assert time.process_time() - begin < 5


def bomb(size: int) -> bytes:
    """A deflated value of zeros, about a thousandth of `size`."""
    packer = zlib.compressobj(9, wbits=-15)
    packed = packer.compress(header("explicit", 0x7FE00010, "OB", size))
    piece = bytes(1 << 20)
    for _ in range(size >> 20):
        packed += packer.compress(piece)
    return packed + packer.flush()


def test_deflate_bomb_comes_in_pieces() -> None:
    size = 64 << 20
    data = meta(builder.DEFLATED_UID) + bomb(size)
    assert len(data) < 100_000
    parser = Parser()
    tracemalloc.start()
    try:
        total = 0
        parser.feed(data)
        for event in parser.events():
            assert len(event.raw) <= PIECE
            total += len(event.raw)
        parser.close()
        list(parser.events())
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert total == len(meta(builder.DEFLATED_UID)) + 12 + size
    assert peak < 1 << 20


@pytest.mark.parametrize("packed", [b"\xff" * 20, b"\x07", b"\x78\x9c" + zlib.compress(b"1234")[2:]])
def test_bad_deflate_stream(packed: bytes) -> None:
    data = meta(builder.DEFLATED_UID) + packed
    for blocks in ((data,), reading.single_bytes(data)):
        with pytest.raises(FormatError) as caught:
            reading.read(data, blocks)
        assert caught.value.offset is not None


def test_bytes_behind_the_deflate_stream_are_no_data() -> None:
    tree: Nodes = (Plain(0x00100010, "PN", b"A^B "),)
    data = builder.file(tree, "explicit", deflated=True)
    *whole, end = reading.read(data + b"\0garbage")
    assert [*whole, end._replace(trailing=0)] == reading.read(data)  # type: ignore[call-arg]
    assert end[-1] == 8


# ---------------------------------------------------------------------- after an error, random input


def test_no_event_comes_after_an_error() -> None:
    for data in (
        b"",
        b"short",
        explicit(delimiter("explicit", 0xE000)),
        meta(builder.DEFLATED_UID) + b"\xff" * 9,
        EXPLICIT_META[:-3],
    ):
        parser = Parser()
        parser.feed(data)
        parser.close()
        with pytest.raises(FormatError):
            list(parser.events())
        parser.feed(builder.file(ITEM_TREE, "explicit"))
        later: list[Event] = []
        try:
            later = list(parser.events())
        except FormatError:
            later = []
        assert later == []


@given(st.binary(max_size=300))
def test_random_bytes(data: bytes) -> None:
    for head in (b"", EXPLICIT_META, meta(builder.UIDS["implicit"]), meta(builder.UIDS["big"]), meta(builder.DEFLATED_UID)):
        whole = head + data
        error = outcome(whole)
        again = outcome(whole, reading.single_bytes(whole))
        assert type(again) is type(error)
        if error is None:
            everything(whole)
        else:
            assert error.offset is not None
            # How much of a broken deflate stream comes out depends on how it was fed.
            assert str(again) == str(error) or "deflated" in str(error)


@given(strategies.encoded(), st.data())
def test_mutated_input(case: tuple[Nodes, str, bool], draw: st.DataObject) -> None:
    """Some bytes changed, removed or inserted: events or FormatError, the same for every way to feed it."""
    tree, form, deflated = case
    data = bytearray(builder.file(tree, form, deflated=deflated))
    for _ in range(draw.draw(st.integers(1, 4))):
        place = draw.draw(st.integers(128, len(data) - 1))
        kind = draw.draw(st.sampled_from(("set", "flip", "delete", "insert", "length", "tag")))
        if kind == "set":
            data[place] = draw.draw(st.sampled_from((0, 1, 0x7F, 0x80, 0xFE, 0xFF)))
        elif kind == "flip":
            data[place] ^= 1 << draw.draw(st.integers(0, 7))
        elif kind == "delete":
            del data[place : place + draw.draw(st.integers(1, 9))]
        elif kind == "insert":
            data[place:place] = draw.draw(st.binary(min_size=1, max_size=9))
        elif kind == "length":
            data[place : place + 4] = draw.draw(
                st.sampled_from((b"\xff\xff\xff\xff", b"\xfe\xff\xff\xff", b"\0\0\0\0", b"\0\0\0\x80"))
            )
        else:
            data[place : place + 4] = draw.draw(st.sampled_from((b"\xfe\xff\0\xe0", b"\xfe\xff\x0d\xe0", b"\xfe\xff\xdd\xe0")))
    whole = bytes(data)
    options = ReadOptions(convert_un=draw.draw(st.booleans()))
    error = outcome(whole, options=options)
    cuts = draw.draw(strategies.CUTS)
    for blocks in (reading.cut(whole, cuts), reading.single_bytes(whole)):
        again = outcome(whole, blocks, options)
        if not deflated:
            assert type(again) is type(error)
            assert str(again) == str(error)
        assert (again is None) is (error is None)
    if error is None and outcome(whole) is None:
        failed = consumed(whole)
        assert failed is None or (isinstance(failed, LimitExceeded) and failed.offset is not None)
    elif error is not None:
        assert error.offset is not None


def test_mutated_vectors() -> None:
    """Signed files with a few bytes changed: the verifying pass gives results or a FormatError."""
    choice = random.Random(5)
    for name in ("sq-nested", "purpose", "item-then-main", "un-undefined", "ambiguous-signed"):
        original = (VECTORS / f"{name}.signed.dcm").read_bytes()
        for _ in range(60):
            data = bytearray(original)
            for _ in range(choice.randint(1, 3)):
                data[choice.randrange(132, len(data))] = choice.choice((0, 1, 0x41, 0xFE, 0xFF, choice.randrange(256)))
            failed = consumed(bytes(data))
            assert failed is None or failed.offset is not None
