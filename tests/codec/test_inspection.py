"""The map of an object, what signatures protect of it, and what is found about its structure."""

from __future__ import annotations

import zlib
from itertools import pairwise

import pydicom
import pytest
from dcmsign.codec.dicom.events import Anomaly, AnomalyCode, Event
from dcmsign.codec.dicom.options import ReadOptions
from dcmsign.codec.dicom.parser import Parser
from dcmsign.codec.errors import Error
from dcmsign.codec.inspection.findings import BY_ANOMALY, FindingKind
from dcmsign.codec.inspection.inspector import Inspection, Inspector
from dcmsign.codec.inspection.mapping import Part
from dcmsign.codec.inspection.scope import Signed, scope_of
from hypothesis import given
from hypothesis import strategies as st
from pydicom.tag import Tag

from tests.codec.test_mac_stream import CASES, VECTORS, options_of, random_blocks

EXPLICIT = "1.2.840.10008.1.2.1"
DEFLATED = "1.2.840.10008.1.2.1.99"


def inspect(
    data: bytes, *, blocks: list[bytes] | None = None, options: ReadOptions | None = None, plain: bool = True
) -> Inspection:
    parser = Parser(options or ReadOptions(), plain_items=plain)
    inspector = Inspector(options or ReadOptions())
    for block in [data] if blocks is None else blocks:
        parser.feed(block)
        for event in parser.events():
            inspector.feed(event)
    parser.close()
    for event in parser.events():
        inspector.feed(event)
    return inspector.finish()


def short(tag: int, vr: bytes, value: bytes) -> bytes:
    return (
        (tag >> 16).to_bytes(2, "little") + (tag & 0xFFFF).to_bytes(2, "little") + vr + len(value).to_bytes(2, "little") + value
    )


def long(tag: int, vr: bytes, value: bytes) -> bytes:
    head = (tag >> 16).to_bytes(2, "little") + (tag & 0xFFFF).to_bytes(2, "little") + vr + b"\0\0"
    return head + len(value).to_bytes(4, "little") + value


def item(content: bytes) -> bytes:
    return b"\xfe\xff\x00\xe0" + len(content).to_bytes(4, "little") + content


def meta(
    *, syntax: str = EXPLICIT, sop_class: bytes = b"1.2.3\0", instance: bytes = b"1.2.4\0", extra: bytes = b"", wrong: int = 0
) -> bytes:
    group = short(0x00020002, b"UI", sop_class) + short(0x00020003, b"UI", instance)
    uid = syntax.encode() + b"\0" * (len(syntax) % 2)
    group += short(0x00020010, b"UI", uid) + extra
    return short(0x00020000, b"UL", (len(group) + wrong).to_bytes(4, "little")) + group


def file(body: bytes, *, preamble: bytes = b"", header: bytes | None = None) -> bytes:
    return preamble.ljust(128, b"\0") + b"DICM" + (meta() if header is None else header) + body


BODY = short(0x00080016, b"UI", b"1.2.3\0") + short(0x00080018, b"UI", b"1.2.4\0") + short(0x00100010, b"PN", b"A^B ")


# ---------------------------------------------------------------------- the map


@pytest.mark.parametrize("name", sorted(CASES))
@pytest.mark.parametrize("plain", [True, False])
def test_parts_of_the_main_data_set_cover_every_byte(name: str, plain: bool) -> None:
    data = (VECTORS / f"{name}.signed.dcm").read_bytes()
    found = inspect(data, options=options_of(name), plain=plain).map
    main = [entry for entry in found.entries if not entry.location]
    assert main[0].offset == 0
    for before, behind in pairwise(main):
        assert before.offset + before.size == behind.offset
    assert main[-1].offset + main[-1].size == found.size
    if name != "deflated":
        assert found.size == len(data)


@pytest.mark.parametrize("name", sorted(CASES))
def test_blocks_do_not_matter(name: str) -> None:
    data = (VECTORS / f"{name}.signed.dcm").read_bytes()
    options = options_of(name)
    whole = inspect(data, options=options)
    assert inspect(data, blocks=random_blocks(data, name), options=options) == whole
    assert inspect(data, options=options, plain=False) == whole


@pytest.mark.parametrize("name", ["explicit-short", "implicit", "big-endian", "jpeg-fragments", "sq-nested", "private-explicit"])
def test_the_map_has_the_elements_that_pydicom_finds(name: str) -> None:
    path = VECTORS / f"{name}.signed.dcm"
    dataset = pydicom.dcmread(path)
    found = [entry for entry in inspect(path.read_bytes(), options=options_of(name)).map.entries if not entry.location]
    tags = [entry.tag for entry in found if entry.part not in (Part.META, Part.PREAMBLE)]
    assert tags == list(map(int, dataset.keys()))
    for entry in found:
        if entry.part is Part.ELEMENT and entry.tag is not None:
            assert entry.vr == dataset[Tag(entry.tag)].VR


def test_more_parts_than_are_kept_are_counted() -> None:
    body = BODY + b"".join(short(0x00190010 + number, b"LO", b"A ") for number in range(100))
    parser, inspector = Parser(), Inspector(limit=50)
    parser.feed(file(body))
    parser.close()
    for event in parser.events():
        inspector.feed(event)
    found = inspector.finish().map
    assert len(found.entries) == 51  # the preamble is always there
    assert found.more == 3 + 1 + 3 + 100 - 50
    everything = Signed((), frozenset(entry.tag for entry in found.entries if entry.tag))
    assert not scope_of(found, [everything]).complete


# ---------------------------------------------------------------------- scopes


def test_what_is_not_listed_is_not_protected() -> None:
    found = inspect(file(BODY)).map
    scope = scope_of(found, [Signed((), frozenset({0x00080016, 0x00080018, 0x00100020}))])
    assert [entry.tag for entry in scope.protected] == [0x00080016, 0x00080018]
    assert [entry.tag for entry in scope.unlisted] == [0x00100010]
    assert scope.absent == (0x00100020,)
    assert scope.protected_bytes == 2 * 14
    assert not scope.complete
    assert {entry.part for entry in scope.unprotected} == {Part.PREAMBLE, Part.META, Part.ELEMENT}


def test_several_signatures_protect_together() -> None:
    found = inspect(file(BODY)).map
    one, other = Signed((), frozenset({0x00080016})), Signed((), frozenset({0x00080018, 0x00100010}))
    assert not scope_of(found, [one]).complete
    assert scope_of(found, [one, other]).complete
    assert scope_of(found, [one, other]).protected_bytes == len(BODY)


def test_only_the_first_of_two_is_protected() -> None:
    found = inspect(file(BODY + short(0x00100010, b"PN", b"C^D "))).map
    scope = scope_of(found, [Signed((), frozenset({0x00080016, 0x00080018, 0x00100010}))])
    assert [entry.offset for entry in scope.unlisted] == [len(file(BODY))]
    assert not scope.complete


def test_what_lies_in_a_sequence_but_in_no_digest() -> None:
    inner = short(0x00040010, b"LO", b"A ") + short(0x00100000, b"UL", b"\4\0\0\0") + short(0x00100010, b"PN", b"A ")
    inner += long(0xFFFAFFFA, b"SQ", item(short(0x00040010, b"LO", b"B ")))
    data = file(BODY + long(0x00101002, b"SQ", item(inner)))
    found = inspect(data).map
    assert [entry.tag for entry in found.excluded] == [0x00040010, 0x00100000, 0xFFFAFFFA]
    scope = scope_of(found, [Signed((), frozenset({0x00080016, 0x00080018, 0x00100010, 0x00101002}))])
    assert scope.protected_bytes == len(data) - len(file(b"")) - sum(entry.size for entry in found.excluded)
    assert set(found.excluded) <= set(scope.unprotected)
    assert not scope.complete  # because of (0004,0010)


def test_an_incomplete_digest_covers_nothing_completely() -> None:
    data = file(BODY + long(0x00101002, b"SQ", item(short(0x00100010, b"PN", b"A "))))
    found = inspect(data).map
    tags = frozenset({0x00080016, 0x00080018, 0x00100010, 0x00101002})
    whole = scope_of(found, [Signed((), tags)])
    part = scope_of(found, [Signed((), tags, complete=False, missing=10)])
    assert whole.complete
    assert not part.complete
    assert part.protected_bytes == whole.protected_bytes - 10
    assert scope_of(found, [Signed((), tags, complete=False, missing=10), Signed((), tags)]) == whole


# ---------------------------------------------------------------------- findings

NOT_EVEN = short(0x00100020, b"LO", b"ABC")
TWO_PIXELS = long(0x7FE00008, b"OF", bytes(4)) + long(0x7FE00010, b"OW", bytes(4))
UNDEFINED_UN = b"\x10\0\2\x10UN\0\0\xff\xff\xff\xff\xfe\xff\xdd\xe0\0\0\0\0"
DEFLATE = zlib.compressobj(wbits=-15)
DEFLATED_BODY = DEFLATE.compress(BODY) + DEFLATE.flush()

FOUND = {
    FindingKind.DUPLICATE: (file(BODY + short(0x00100010, b"PN", b"C ")), "(0010,0010)"),
    FindingKind.UNORDERED: (file(BODY + short(0x00080020, b"DA", b"")), "(0008,0020)"),
    FindingKind.ODD_LENGTH: (file(BODY + NOT_EVEN), "(0010,0020)"),
    FindingKind.NONSTANDARD_VR: (file(BODY + short(0x00100020, b"Q1", b"AB")), "(0010,0020)"),
    FindingKind.UNDEFINED_UN: (file(BODY + UNDEFINED_UN), "(0010,1002)"),
    FindingKind.NO_META_GROUP_LENGTH: (file(BODY, header=meta()[12:]), "(0002,0002)"),
    FindingKind.WRONG_META_GROUP_LENGTH: (file(BODY, header=meta(wrong=-2)), "(0002,0000)"),
    FindingKind.UNKNOWN_SYNTAX: (file(BODY, header=meta(syntax="1.2.3.4")), "(0002,0010)"),
    FindingKind.CLASS_CONTRADICTION: (file(BODY, header=meta(sop_class=b"1.2.5\0")), "(0002,0002)"),
    FindingKind.INSTANCE_CONTRADICTION: (file(BODY, header=meta(instance=b"1.2.5\0")), "(0002,0003)"),
    FindingKind.PRIVATE_META: (file(BODY, header=meta(extra=long(0x00020102, b"OB", b"AB"))), "(0002,0102)"),
    FindingKind.NO_META: (BODY, None),
    FindingKind.PREAMBLE_EXECUTABLE: (file(BODY, preamble=b"MZ\x90"), None),
    FindingKind.PREAMBLE_OTHER_FORMAT: (file(BODY, preamble=b"II*\0"), None),
    FindingKind.PREAMBLE_DATA: (file(BODY, preamble=b"hello"), None),
    FindingKind.UNKNOWN_UN: (file(BODY + long(0x00190010, b"UN", b"AB")), "(0019,0010)"),
    FindingKind.DISGUISED_UN: (file(BODY + long(0x00100020, b"UN", b"AB")), "(0010,0020)"),
    FindingKind.VR_CONTRADICTION: (file(BODY + short(0x00100020, b"SH", b"AB")), "(0010,0020)"),
    FindingKind.WRONG_GROUP_LENGTH: (file(BODY + short(0x00180000, b"UL", b"\4\0\0\0")), "(0018,0000)"),
    FindingKind.SEVERAL_PIXELS: (file(BODY + TWO_PIXELS), "(7fe0,0010)"),
    FindingKind.TRAILING_PADDING: (file(BODY + long(0xFFFCFFFC, b"OB", b"AB")), "(fffc,fffc)"),
    FindingKind.TRAILING_DATA: (file(DEFLATED_BODY + b"behind", header=meta(syntax=DEFLATED)), None),
    FindingKind.NESTED_GROUP_BELOW_8: (file(short(0x00040010, b"LO", b"A ") + BODY), "(0004,0010)"),
}


@pytest.mark.parametrize("kind", FOUND, ids=lambda kind: kind.name)
def test_finding(kind: FindingKind) -> None:
    data, element = FOUND[kind]
    for plain in (True, False):
        found = inspect(data, plain=plain).findings
        assert [(finding.kind, finding.element) for finding in found] == [(kind, element)]


def test_a_duplicate_is_found_wherever_it_stands() -> None:
    inner = short(0x00100010, b"PN", b"A ") + short(0x00100020, b"LO", b"B ") + short(0x00100010, b"PN", b"C ")
    data = file(BODY + long(0x00101002, b"SQ", item(inner)) + short(0x00080018, b"UI", b"1.2.5\0"))
    assert [(finding.kind, finding.element) for finding in inspect(data).findings] == [
        (FindingKind.DUPLICATE, "(0010,1002)[0].(0010,0010)"),
        (FindingKind.DUPLICATE, "(0008,0018)"),
    ]


def test_what_contradicts_the_transfer_syntax() -> None:
    data = file(BODY, header=meta(syntax="1.2.840.10008.1.2"))
    with_guess = inspect(data, options=ReadOptions(detect_syntax=True)).findings
    assert [finding.kind for finding in with_guess] == [FindingKind.SYNTAX_CONTRADICTION]


def test_an_item_that_is_too_long() -> None:
    sequence = bytearray(long(0x00101002, b"SQ", item(short(0x00100010, b"PN", b"A "))))
    sequence[8] -= 2
    kinds = [finding.kind for finding in inspect(file(BODY + bytes(sequence))).findings]
    assert FindingKind.LONG_ITEM in kinds


def test_findings_inside_items_have_their_path() -> None:
    inner = short(0x00100020, b"SH", b"AB")
    found = inspect(file(BODY + long(0x00101002, b"SQ", item(b"") + item(inner)))).findings
    assert [(finding.kind, finding.element) for finding in found] == [
        (FindingKind.VR_CONTRADICTION, "(0010,1002)[1].(0010,0020)")
    ]


@pytest.mark.parametrize(("behind", "kinds"), [(b"", []), (b"\0", []), (b"a", ["TRAILING_DATA"]), (b"\0\0", ["TRAILING_DATA"])])
def test_a_deflated_data_set_may_be_padded(behind: bytes, kinds: list[str]) -> None:
    """With one NUL (PS3.5 A.5)."""
    data = file(DEFLATED_BODY + behind, header=meta(syntax=DEFLATED))
    for blocks in ([data], [data[place : place + 1] for place in range(len(data))]):
        assert [finding.kind.name for finding in inspect(data, blocks=blocks).findings] == kinds


def test_correct_group_lengths_are_no_finding() -> None:
    group = short(0x00100010, b"PN", b"A^B ")
    body = short(0x00080016, b"UI", b"1.2.3\0") + short(0x00100000, b"UL", len(group).to_bytes(4, "little")) + group
    assert inspect(file(body)).findings == ()


def test_findings_are_bounded() -> None:
    body = BODY + b"".join(short(0x00190010 + number, b"LO", b"A") for number in range(2000))
    found = inspect(file(body))
    assert len(found.findings) == 1000
    assert found.more == 1000


def test_every_anomaly_of_the_parser_is_a_finding() -> None:
    assert set(BY_ANOMALY) == set(AnomalyCode)


@pytest.mark.parametrize("kind", FindingKind, ids=lambda kind: kind.name)
def test_every_finding_is_explained(kind: FindingKind) -> None:
    assert kind.title[0].islower() or kind.title.startswith(("UN", "Media"))
    assert kind.explanation.endswith(".")
    assert kind in FOUND or kind in {FindingKind.SYNTAX_CONTRADICTION, FindingKind.LONG_ITEM, FindingKind.PIXEL_VR}


@given(st.binary(max_size=400))
def test_any_bytes_can_be_inspected(data: bytes) -> None:
    inspector, parser = Inspector(limit=20, findings=5), Parser(plain_items=True)
    parser.feed(file(BODY + data))
    parser.close()
    try:
        events: list[Event] = []
        for event in parser.events():
            events.append(event)
            inspector.feed(event)
    except Error:
        pass
    found = inspector.finish()
    assert len(found.findings) <= 7
    assert len(found.findings) + found.more >= sum(type(event) is Anomaly for event in events)
