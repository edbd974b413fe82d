"""The MAC byte stream: the vectors both ways, the worked examples, and a model of DCMTK's buffer on generated data sets."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from dcmsign.codec.dicom.events import BIG, EXPLICIT, IMPLICIT, DatasetStart, Event
from dcmsign.codec.dicom.options import Limits, ReadOptions
from dcmsign.codec.dicom.parser import Parser
from dcmsign.codec.dicom.syntaxes import SYNTAXES
from dcmsign.codec.signature.algorithms import new_digest
from dcmsign.codec.signature.finder import FoundSignature
from dcmsign.codec.signature.items import digested_events
from dcmsign.codec.signature.mac import BUFFER_SIZE, Mac
from dcmsign.codec.signature.splice import SigningPlan, mac_syntax_of
from hypothesis import given
from hypothesis import strategies as st

from tests.codec import builder, mac_model, reading, signing, strategies
from tests.codec.builder import Item, Node, Nodes, Pixels, Plain, Sequence

VECTORS = Path(__file__).parents[1] / "vectors" / "mac"
CASES: dict[str, dict[str, Any]] = {case["name"]: case for case in json.loads((VECTORS / "cases.json").read_text())["cases"]}
KINDS = {builder.EXPLICIT: EXPLICIT, builder.IMPLICIT: IMPLICIT, builder.BIG: BIG}
REFERENCED_IMAGES = 0x00081140

each_case = pytest.mark.parametrize("name", CASES)


def options_of(name: str) -> ReadOptions:
    return ReadOptions(convert_un="+uc" in CASES[name]["options"])


def old_format(name: str) -> bool:
    return "-fo" in CASES[name]["options"]


def location_of(name: str) -> tuple[tuple[int, int], ...]:
    return ((REFERENCED_IMAGES, 1),) if CASES[name]["item"] == "ReferencedImageSequence[1]" else ()


def tags_of(name: str) -> tuple[int, ...]:
    return tuple(int(tag.replace(",", ""), 16) for tag in CASES[name]["tags_signed"])


def kind_of(name: str) -> int:
    syntax = SYNTAXES[CASES[name]["mac_transfer_syntax"]]
    return EXPLICIT if syntax.explicit else IMPLICIT


def random_blocks(data: bytes, seed: str) -> list[bytes]:
    choice = random.Random(seed)
    return list(reading.cut(data, [choice.randrange(len(data)) for _ in range(choice.choice((3, 40, 400)))]))


def last_signature(name: str, data: bytes, blocks: list[bytes]) -> FoundSignature:
    found = signing.find(data, blocks, options=options_of(name), old_format=old_format(name))
    return [signature for signature in found if signature.location == location_of(name)][-1]


# ---------------------------------------------------------------------- vectors


def test_there_are_fifty_vectors() -> None:
    assert len(CASES) == 50


@each_case
@pytest.mark.parametrize("whole", [True, False], ids=["whole", "chunks"])
def test_vector_stream_from_signed_file(name: str, whole: bool) -> None:
    """Rebuild the digested bytes, signature item included, from what dcmsign has written."""
    case = CASES[name]
    if name == "private-sq-implicit":
        pytest.skip("dcmsign's own output does not verify: the sequence is read back as UN")
    data = (VECTORS / f"{name}.signed.dcm").read_bytes()
    expected = (VECTORS / f"{name}.mac").read_bytes()
    blocks = [data] if whole else random_blocks(data, name)
    signature = last_signature(name, data, blocks)
    assert signature.parameters is not None
    assert signature.parameters.mac_id == signature.item.mac_id == case["mac_id"]
    assert signature.parameters.algorithm == case["mac_algorithm"]
    assert signature.parameters.syntax == case["mac_transfer_syntax"]
    assert signature.parameters.tags == tags_of(name)
    assert signature.item.uid == case["signature_uid"]
    assert signature.usable_syntax
    assert not signature.unsignable

    digests = {form.digest.hex(): form for form in signature.digests}
    form = digests[case["digest"]]
    assert form.complete is not name.startswith("nested-16k")
    assert not form.legacy

    dump = bytearray()
    mac = Mac(case["mac_algorithm"], frozenset(tags_of(name)), incomplete=True, tee=dump.extend)
    events = signing.ordered_events(data, options_of(name), blocks)
    level = signing.level_events(events, location_of(name))
    signing.digest(level, mac, kind=kind_of(name), old_format=old_format(name))
    assert dump == expected[: case["signature_item_offset"]]
    end = Mac.continuing(case["mac_algorithm"], mac.forms[0])
    signing.digest(digested_events(signature.item.item), end, kind=kind_of(name), old_format=old_format(name))
    assert dump == expected
    assert len(dump) == case["stream_length"]
    assert end.forms[0].digest.digest().hex() == case["digest"]


@each_case
@pytest.mark.parametrize("whole", [True, False], ids=["whole", "chunks"])
def test_vector_data_part_from_input(name: str, whole: bool) -> None:
    """Build the part of the data elements from the unsigned input."""
    case = CASES[name]
    data = (VECTORS / f"{name}.dcm").read_bytes()
    blocks = [data] if whole else random_blocks(data, name)
    events = signing.ordered_events(data, options_of(name), blocks)
    level = signing.level_events(events, location_of(name))
    start = next(event for event in events if isinstance(event, DatasetStart))
    assert start.syntax == case["input_transfer_syntax"]
    assert mac_syntax_of(SYNTAXES[start.syntax]).uid == case["mac_transfer_syntax"]
    seen, _ = signing.survey([start, *level])
    wanted = tags_of(name) if name.startswith("tag-") else None
    assert tuple(seen.level.selection(wanted)) == tags_of(name)
    dump = bytearray()
    mac = Mac(case["mac_algorithm"], frozenset(tags_of(name)), incomplete=True, tee=dump.extend)
    signing.digest(level, mac, kind=kind_of(name), old_format=old_format(name))
    assert dump == (VECTORS / f"{name}.mac").read_bytes()[: case["signature_item_offset"]]
    assert not mac.unsignable


@each_case
@pytest.mark.parametrize("whole", [True, False], ids=["whole", "chunks"])
def test_vector_is_signed_byte_for_byte(name: str, whole: bool) -> None:
    """With dcmsign's UID, date, certificate and signature value, the signed data set is the one dcmsign has written."""
    case = CASES[name]
    data = (VECTORS / f"{name}.dcm").read_bytes()
    blocks = [data] if whole else random_blocks(data, name)
    theirs = (VECTORS / f"{name}.signed.dcm").read_bytes()
    signature = last_signature(name, theirs, [theirs])
    assert signature.item.date_time is not None
    syntax = SYNTAXES[case["input_transfer_syntax"]]
    plan = SigningPlan(
        mac_id=case["mac_id"],
        uid=case["signature_uid"],
        date_time=signature.item.date_time,
        purpose=5 if "+sp" in case["options"] else None,
        algorithm=case["mac_algorithm"],
        mac_syntax=mac_syntax_of(syntax),
        tags=tags_of(name),
        incomplete=True,
        old_format=old_format(name),
    )
    certificate, value = signature.item.certificate, signature.item.signature
    assert certificate is not None
    assert value is not None
    events = signing.ordered_events(data, options_of(name), blocks)
    location = location_of(name)
    if location:
        dataset, digest, dump = signing.splice_item(events, location, plan, certificate, value)
    else:
        dataset, digest, dump = signing.splice(events, plan, certificate, value)
    assert digest.hex() == case["digest"]
    assert dump == (VECTORS / f"{name}.mac").read_bytes()
    plain = signing.inflated(theirs)
    start = next(event.offset for event in reading.read(theirs) if isinstance(event, DatasetStart))
    assert dataset == plain[start:]


# ---------------------------------------------------------------------- worked examples (2.4)

SQ_UNDEFINED = (
    "08 00 40 11 53 51 00 00 ff ff ff ff fe ff 00 e0 ff ff ff ff 08 00 55 11 55 49 04 00 31 2e 32 00 fe ff 0d e0 00 00 00 00"
    "fe ff 00 e0 ff ff ff ff fe ff 0d e0 00 00 00 00 fe ff dd e0 00 00 00 00"
)
UN_UNDEFINED = (
    "08 00 40 11 55 4e 00 00 ff ff ff ff fe ff 00 e0 ff ff ff ff 08 00 55 11 04 00 00 00 31 2e 32 00 fe ff 0d e0 00 00 00 00"
    "fe ff dd e0 00 00 00 00"
)
FRAGMENTS = "e0 7f 10 00 4f 42 00 00 ff ff ff ff fe ff 00 e0 00 00 00 00 fe ff 00 e0 03 00 00 00 01 02 03 fe ff dd e0 00 00 00 00"
JPEG = "1.2.840.10008.1.2.4.50"
EXAMPLES: dict[str, tuple[str, str, str, bool]] = {
    "implicit rows": (builder.UIDS["implicit"], "28 00 10 00 02 00 00 00 00 02", "28 00 10 00 55 53 02 00 00 02", False),
    "big endian FD": (
        builder.UIDS["big"],
        "00 18 90 73 46 44 00 08 3f f8 00 00 00 00 00 00",
        "18 00 73 90 46 44 08 00 00 00 00 00 00 00 f8 3f",
        False,
    ),
    "odd LO": (
        builder.UIDS["explicit"],
        "10 00 20 00 4c 4f 03 00 41 42 43",
        "10 00 20 00 4c 4f 04 00 41 42 43 20",
        False,
    ),
    "UI with space": (
        builder.UIDS["explicit"],
        "20 00 0d 00 55 49 06 00 31 2e 32 2e 33 20",
        "20 00 0d 00 55 49 06 00 31 2e 32 2e 33 00",
        False,
    ),
    "implicit UT": (
        builder.UIDS["implicit"],
        "40 00 60 a1 05 00 00 00 48 65 6c 6c 6f",
        "40 00 60 a1 55 54 00 00 06 00 00 00 48 65 6c 6c 6f 20",
        False,
    ),
    "sequence": (
        builder.UIDS["explicit"],
        SQ_UNDEFINED,
        "08 00 40 11 53 51 00 00 fe ff 00 e0 08 00 55 11 55 49 04 00 31 2e 32 00 fe ff 00 e0 fe ff dd e0",
        False,
    ),
    "UN of undefined length": (
        builder.UIDS["explicit"],
        UN_UNDEFINED,
        "08 00 40 11 53 51 00 00 fe ff 00 e0 08 00 55 11 55 49 04 00 31 2e 32 00 fe ff dd e0",
        False,
    ),
    "fragments": (JPEG, FRAGMENTS, "e0 7f 10 00 4f 42 00 00 fe ff 00 e0 fe ff 00 e0 01 02 03 00 fe ff dd e0", False),
    "fragments in old format": (
        JPEG,
        FRAGMENTS,
        "e0 7f 10 00 4f 42 00 00 fe ff 00 e0 00 00 00 00 fe ff 00 e0 04 00 00 00 01 02 03 00 fe ff dd e0",
        True,
    ),
    "big endian Pixel Data": (
        builder.UIDS["big"],
        "7f e0 00 10 4f 57 00 00 00 00 00 04 01 02 03 04",
        "e0 7f 10 00 4f 57 00 00 04 00 00 00 02 01 04 03",
        False,
    ),
}


def stream_of(
    data: bytes,
    blocks: Iterable[bytes] | None = None,
    *,
    old: bool = False,
    limits: Limits | None = None,
    kind: int = EXPLICIT,
) -> bytes:
    dump = bytearray()
    mac = Mac("SHA256", None, tee=dump.extend)
    events = reading.content(reading.drive(Parser(limits=limits or Limits()), (data,) if blocks is None else blocks))
    signing.digest(events, mac, kind=kind, old_format=old)
    assert mac.forms[0].digest.digest() == hashlib.sha256(dump).digest()
    return bytes(dump)


@pytest.mark.parametrize("inline", [0, 16384])
@pytest.mark.parametrize("name", EXAMPLES)
def test_worked_example(name: str, inline: int) -> None:
    uid, in_file, in_stream, old = EXAMPLES[name]
    data = builder.meta(uid) + bytes.fromhex(in_file)
    assert stream_of(data, old=old, limits=Limits(inline=inline)) == bytes.fromhex(in_stream)


def test_odd_text_in_the_legacy_form() -> None:
    """What dcmsign 3.6.7 makes of "ABC": a form of its own, only while verifying."""
    data = builder.meta(builder.UIDS["explicit"]) + bytes.fromhex("10 00 20 00 4c 4f 03 00 41 42 43")
    mac = Mac("SHA256", frozenset({0x00100020}), verifying=True)
    signing.digest(reading.content(reading.read(data)), mac, kind=EXPLICIT)
    complete, legacy = mac.forms
    assert legacy.legacy
    assert legacy.complete
    assert complete.digest.digest() == hashlib.sha256(bytes.fromhex("10 00 20 00 4c 4f 04 00 41 42 43 20")).digest()
    assert legacy.digest.digest() == hashlib.sha256(bytes.fromhex("10 00 20 00 4c 4f 04 00 41 42 43 00")).digest()


@pytest.mark.parametrize("code", ["OB", "UT", "OW", "UC"])
def test_reserved_bytes_of_headers_are_zero(code: str) -> None:
    """Whatever stands in the two reserved bytes of the file, the stream has zeros (2.1)."""
    data = builder.meta(builder.UIDS["explicit"])
    element = bytes.fromhex("42 00 11 00") + code.encode() + b"\1\2" + b"\4\0\0\0" + b"ABCD"
    assert stream_of(data + element) == element[:6] + b"\0\0" + element[8:]


# ---------------------------------------------------------------------- the complete form


@given(
    strategies.encoded(),
    st.sampled_from((0, 16, 16384)),
    st.sampled_from((builder.EXPLICIT, builder.IMPLICIT, builder.BIG)),
    st.booleans(),
    st.integers(1, 40),
)
def test_complete_form_is_the_plain_encoding(case: tuple[Nodes, str, bool], inline: int, kind: str, old: bool, step: int) -> None:
    tree, form, deflated = case
    data = builder.file(tree, form, deflated=deflated)
    expected = mac_model.complete(builder.as_digested(tree, form), kind, old_format=old)
    blocks = reading.cut(data, range(0, len(data), step))
    assert stream_of(data, blocks, limits=Limits(inline=inline), kind=KINDS[kind], old=old) == expected


@given(strategies.nodes(), st.sampled_from(builder.FORMS), st.data())
def test_only_listed_elements_are_digested(tree: Nodes, form: str, data: st.DataObject) -> None:
    level = builder.as_digested(tree, form)
    tags = frozenset(data.draw(st.lists(st.sampled_from([node.tag for node in level] or [0x00080005]), unique=True)))
    mac = Mac("MD5", tags)
    signing.digest(reading.content(reading.read(builder.file(tree, form))), mac, kind=EXPLICIT)
    chosen = mac_model.selected(level, tags)
    assert mac.forms[0].digest.digest() == hashlib.md5(mac_model.complete(chosen), usedforsecurity=False).digest()
    assert mac.unsignable == [node.tag for node in level if node.tag in tags and node not in chosen]


@given(strategies.nodes(un_sequences=False), st.booleans())
def test_length_forms_make_no_difference(tree: Nodes, big: bool) -> None:
    form = builder.BIG if big else builder.EXPLICIT
    streams = {stream_of(builder.file(tree, form, undefined=undefined)) for undefined in (None, False, True)}
    assert len(streams) == 1


# ---------------------------------------------------------------------- the incomplete form


def sizes() -> st.SearchStrategy[int]:
    """Value sizes that bring the buffer to its end at any place."""
    around = st.integers(-40, 40).map(lambda more: BUFFER_SIZE + more)
    return st.one_of(st.integers(0, 60), st.integers(0, 60), st.integers(900, 9000), around, st.integers(30000, 50000))


@st.composite
def big_nodes(draw: st.DrawFn, depth: int, *, fragments: bool) -> Nodes:
    """Data sets of few elements and much value, nested up to `depth` levels; nearly always something inside."""
    found: list[Node] = []
    if draw(st.booleans()):
        found.append(Plain(0x00080070, "LO", b"m" * min(draw(sizes()), 60000)))
    if depth:
        count = draw(st.sampled_from((1, 1, 2, 3)))
        items = [
            Item(draw(big_nodes(draw(st.integers(max(depth - 2, 0), depth - 1)), fragments=fragments))) for _ in range(count)
        ]
        found.append(Sequence(0x0040A730, tuple(items), draw(st.booleans())))
        if draw(st.integers(0, 3)) == 0:
            items = [Item(draw(big_nodes(depth - 1, fragments=fragments)))]
            found.append(Sequence(0x00400555, tuple(items), draw(st.booleans())))
    if draw(st.booleans()):
        found.append(Plain(0x0040A160, "UT", b"u" * draw(sizes())))
    if draw(st.booleans()):
        found.append(Plain(0x0040DB00, "CS", b"t" * draw(st.integers(0, 12))))
    if fragments and draw(st.booleans()):
        pieces = [b"f" * draw(sizes()) for _ in range(draw(st.integers(1, 3)))]
        found.append(Pixels(0x7FE00010, tuple(pieces)))
    return tuple(sorted(found, key=lambda node: node.tag))


def check_forms(tree: Nodes, form: str, kind: str, *, old: bool, inline: int, step: int) -> bool:
    """Compare all forms with the model; returns whether DCMTK leaves something out."""
    data = builder.file(tree, form)
    level = builder.as_digested(tree, form)
    whole = mac_model.complete(level, kind, old_format=old)
    assert mac_model.Model(form=kind, old_format=old).level(level) == whole
    short = mac_model.Model(form=kind, old_format=old, buffer=True).level(level)

    events = reading.content(reading.drive(Parser(limits=Limits(inline=inline)), reading.cut(data, range(0, len(data), step))))
    dump = bytearray()
    mac = Mac("SHA256", None, incomplete=True, tee=dump.extend)
    signing.digest(events, mac, kind=KINDS[kind], old_format=old)
    assert dump == short
    assert [entry.complete for entry in mac.forms] == [False]
    assert mac.forms[0].missing_bytes == len(whole) - len(short)

    tags = frozenset(node.tag for node in level)
    both = signing.digest(events, Mac("SHA256", tags, verifying=True), kind=KINDS[kind], old_format=old)
    forms = [entry for entry in both.forms if not entry.legacy]
    assert forms[0].complete
    assert forms[0].missing_bytes == forms[0].missing_elements == 0
    assert forms[0].digest.digest() == hashlib.sha256(whole).digest()
    if short == whole:
        assert len(forms) == 1
        return False
    assert len(forms) == 2
    assert not forms[1].complete
    assert forms[1].digest.digest() == hashlib.sha256(short).digest()
    assert forms[1].missing_bytes == len(whole) - len(short)
    return True


@given(
    st.integers(1, 4).flatmap(lambda depth: big_nodes(depth, fragments=True)),
    st.sampled_from(((builder.EXPLICIT, builder.EXPLICIT), (builder.EXPLICIT, builder.IMPLICIT))),
    st.booleans(),
    st.sampled_from((100, 16384)),
    st.sampled_from((997, 16384, 1 << 20)),
)
def test_incomplete_form_of_encapsulated_data(tree: Nodes, forms: tuple[str, str], old: bool, inline: int, step: int) -> None:
    check_forms(tree, *forms, old=old, inline=inline, step=step)


@given(
    st.integers(2, 4).flatmap(lambda depth: big_nodes(depth, fragments=False)),
    st.sampled_from(builder.FORMS),
    st.sampled_from((builder.EXPLICIT, builder.IMPLICIT, builder.BIG)),
    st.sampled_from((100, 16384)),
    st.sampled_from((997, 16384, 1 << 20)),
)
def test_incomplete_form(tree: Nodes, form: str, kind: str, inline: int, step: int) -> None:
    check_forms(tree, form, kind, old=False, inline=inline, step=step)


def deep(size: int, depth: int) -> Nodes:
    """A text of `size` bytes in front of something of every kind, `depth` sequences deep."""
    inside: Nodes = (
        Plain(0x00080070, "LO", b"m" * size),
        Sequence(0x00081140, (Item((Plain(0x00081155, "UI", b"1.2\0"),)), Item(()))),
        Plain(0x0040A160, "UT", b"text"),
        Plain(0x0040DB00, "CS", b"1500"),
        Plain(0x00420011, "OB", b"123"),
        Pixels(0x7FE00010, (b"", b"123")),
    )
    for _ in range(depth):
        inside = (Sequence(0x0040A730, (Item(inside), Item((Plain(0x0040DB00, "CS", b"1500"),)))), Plain(0x0040DB00, "CS", b"AB"))
    return inside


@pytest.mark.parametrize("depth", [0, 1, 2, 3, 4])
@pytest.mark.parametrize("old", [False, True], ids=["new", "old"])
@pytest.mark.parametrize("kind", [builder.EXPLICIT, builder.IMPLICIT])
def test_buffer_ends_at_every_place(depth: int, old: bool, kind: str) -> None:
    """The end of the buffer moves over every byte of a deeply nested structure."""
    truncated = 0
    for size in range(BUFFER_SIZE - 200, BUFFER_SIZE + 20, 2):
        tree = deep(size, depth)
        truncated += check_forms(tree, builder.EXPLICIT, kind, old=old, inline=16384, step=1 << 20)
    assert (truncated > 0) is (depth >= 2 or depth == 1)


@pytest.mark.parametrize("vr", ["UT", "OB"])
@pytest.mark.parametrize("inline", [100, 16384])
def test_elements_left_out_are_counted_and_named(inline: int, vr: str) -> None:
    """The value is cut, the code behind it and its sibling are left out, whatever the size of pieces they are read in."""
    text, code = Plain(0x0040A160, vr, b"u" * 20000), Plain(0x0040DB00, "CS", b"1500")
    inner = Sequence(0x0040A730, (Item((text, code)), Item((code,))))
    tree: Nodes = (Sequence(0x0040A730, (Item((inner, code)),)),)
    mac = Mac("SHA256", frozenset({0x0040A730}), verifying=True)
    signing.digest(
        reading.content(reading.read(builder.file(tree, "explicit"), limits=Limits(inline=inline))), mac, kind=EXPLICIT
    )
    form = mac.forms[1]
    path = "(0040,a730)[0].(0040,a730)"
    assert form.examples == (f"{path}[0].(0040,a160)", f"{path}[0].(0040,db00)", f"{path}[1].(0040,db00)")
    assert form.missing_elements == 3
    assert form.missing_bytes == 20000 - (BUFFER_SIZE - 8 - 4 - 8 - 4 - 12) + 12 + 4 + 12


@given(strategies.nodes(private=False, un_sequences=False), st.sampled_from((0, 16384)))
def test_legacy_form(tree: Nodes, inline: int) -> None:
    """Where texts end in NUL or are odd, verification follows what DCMTK before 3.7.0 digests too."""
    tags = frozenset(node.tag for node in tree)
    mac = Mac("SHA256", tags, verifying=True)
    events = reading.content(reading.read(builder.file(tree, "explicit"), limits=Limits(inline=inline)))
    signing.digest(events, mac, kind=EXPLICIT)
    legacy = mac_model.Model(legacy=True).level(tree)
    found = [form.digest.digest() for form in mac.forms]
    if legacy != mac_model.complete(tree):
        assert found == [hashlib.sha256(mac_model.complete(tree)).digest(), hashlib.sha256(legacy).digest()]
        assert mac.forms[1].legacy
    else:
        assert found[0] == hashlib.sha256(legacy).digest()


# ---------------------------------------------------------------------- big endian and implicit streams


@pytest.mark.parametrize("kind", [builder.IMPLICIT, builder.BIG])
def test_streams_of_other_forms(kind: str) -> None:
    tree: Nodes = (
        Plain(0x00080008, "CS", b"ORIGINAL"),
        Sequence(0x00081140, (Item((Plain(0x00081155, "UI", b"1.2\0"), Plain(0x00280010, "US", b"\0\2"))), Item(()))),
        Plain(0x00189073, "FD", bytes.fromhex("000000000000f83f")),
        Plain(0x7FE00010, "OW", b"\1\2\3\4"),
    )
    big = bytes.fromhex(
        "0008 0008 4353 0008 4f524947494e414c"
        "0008 1140 5351 0000 fffe e000 0008 1155 5549 0004 312e3200 0028 0010 5553 0002 0200 fffe e000 fffe e0dd"
        "0018 9073 4644 0008 3ff8000000000000"
        "7fe0 0010 4f57 0000 00000004 02010403"
    )
    implicit = bytes.fromhex(
        "0800 0800 08000000 4f524947494e414c"
        "0800 4011 feff 00e0 0800 5511 04000000 312e3200 2800 1000 02000000 0002 feff 00e0 feff dde0"
        "1800 7390 08000000 000000000000f83f"
        "e07f 1000 04000000 01020304"
    )
    for form in builder.FORMS:
        stream = stream_of(builder.file(tree, form), kind=KINDS[kind])
        assert stream == (big if kind == builder.BIG else implicit)


def test_digest_objects_are_independent() -> None:
    """A fork does not disturb what it was forked from."""
    digest = new_digest("SHA256")
    digest.update(b"a")
    copy = digest.copy()
    copy.update(b"b")
    assert digest.digest() == hashlib.sha256(b"a").digest()


@pytest.mark.parametrize("around", [0x00081140, 0xFFFAFFFA, 0x4FFE0001])
def test_un_makes_its_sequence_unsignable_wherever_it_is(around: int) -> None:
    """Even inside a nested sequence that would be left out anyway (4.1); left out, it does no other harm."""
    good, bad = Plain(0x00081155, "UI", b"1.2\0"), Plain(0x0072006D, "UN", b"??")
    for inside, usable in ((good, True), (bad, False)):
        tree: Nodes = (Sequence(0x00081115, (Item((Sequence(around, (Item((inside,)),)),)),)), Plain(0x00100010, "PN", b"AB"))
        mac = Mac("SHA256", frozenset({0x00081115, 0x00100010}))
        signing.digest(reading.content(reading.read(builder.file(tree, "explicit"))), mac, kind=EXPLICIT)
        assert mac.unsignable == ([] if usable else [0x00081115])
        assert mac.forms[0].digest.digest() == hashlib.sha256(mac_model.complete(tree)).digest()


def test_sequence_with_un_is_rolled_back() -> None:
    """What was digested of a sequence that turns out unsignable, forks included, leaves no trace."""
    long = Plain(0x0040A160, "UT", b"u" * 20000)
    nested = Item((Sequence(0x0040A730, (Item((long,)),)),))
    bad = Sequence(0x0040A730, (nested, Item((Plain(0x0072006D, "UN", b"??"),))))
    tree: Nodes = (Plain(0x00080070, "LO", b"ab"), bad, Plain(0x0040DB00, "CS", b"1500"))
    mac = Mac("SHA256", frozenset(node.tag for node in tree), verifying=True)
    events: list[Event] = reading.content(reading.read(builder.file(tree, "explicit")))
    signing.digest(events, mac, kind=EXPLICIT)
    assert mac.unsignable == [0x0040A730]
    assert [form.digest.digest() for form in mac.forms] == [hashlib.sha256(mac_model.complete(tree)).digest()]
