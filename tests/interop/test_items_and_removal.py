"""Signatures in items, removal and conversion: the same bytes as the real dcmsign's, and signatures that both sides accept."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Awaitable, Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import pytest
from dcmsign.codec.errors import Error
from dcmsign.stream import StreamFormat, remove, remove_all, sign
from dcmsign.stream.cli.exit_codes import failure_of
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tests.codec import builder, reading
from tests.codec import signature_trees as model
from tests.codec.builder import Item, Node, Nodes, Plain, Sequence
from tests.codec.signature_trees import Steps
from tests.interop import build, dcmtk
from tests.interop.corpus import CORPUS
from tests.interop.test_both_ways import LEFT_OUT, Parts, parts

MADE_BY = {0x00020000, 0x00020012, 0x00020013}
"""Meta elements that name the implementation, and the length of the group."""

MADE_UP = {0x00020002: rb"|1\.2\.276\.0\.7230010\.3\.1\.0\.1\0", 0x00020003: rb"|1\.2\.276\.0\.7230010\.3\.1\.4\..*"}
"""What 3.6.7 writes as SOP Class and Instance UID of a data set that has none, or empty ones."""


def text_of(steps: Steps) -> str:
    """A location in numbers, as both sides read it."""
    return ".".join(f"({tag >> 16:04x},{tag & 0xFFFF:04x})[{number}]" for tag, number in steps)


def same(ours: Parts, peers: Parts) -> None:
    """Equal but for the name of the implementation, and for what 3.6.7 makes up if the data set does not name its SOP UIDs."""
    assert ours.data_set == peers.data_set
    assert ours.preamble == peers.preamble
    for tag in ours.meta.keys() - MADE_BY:
        value = peers.meta.get(tag, b"")
        assert ours.meta[tag] == value or re.fullmatch(MADE_UP[tag], value)


class Folder:
    """Places for what both sides write."""

    def __init__(self, path: Path) -> None:
        self.source, self.ours, self.peers = (path / name for name in ("in.dcm", "ours.dcm", "peers.dcm"))


@contextmanager
def folder() -> Iterator[Folder]:
    with tempfile.TemporaryDirectory() as path, dcmtk.quiet():
        yield Folder(Path(path))


async def _code(operation: Awaitable[object]) -> int:
    try:
        await operation
    except Error as failed:
        failure = failure_of(failed)
        return -1 if failure is None else failure.code
    return 0


def newest(path: Path, steps: Steps) -> tuple[str, str]:
    """UID and date of the last signature of an item."""
    tree = reading.tree(reading.content(reading.read(path.read_bytes())))
    signature = model.items(model.at(tree, steps), model.SIGNATURES)[-1]
    uid, date = ((model.value(signature, tag) or b"").strip(b" \0").decode() for tag in (model.UID, 0x04000105))
    return uid, date


def sign_as_peer(source: Path, target: Path, peers: Path, steps: Steps, **options: Any) -> int:
    """Sign with ours, taking over from the output of the other side what is new each time."""
    if peers.exists():
        uid, date = newest(peers, steps)
        options |= {"uids": lambda: uid, "clock": lambda: datetime.strptime(date, "%Y%m%d%H%M%S.%f%z")}
    signing = partial(sign, source, target, signer=dcmtk.signer("rsa"), location=steps, mac_algorithm="SHA256", **options)
    return anyio.run(lambda: _code(signing()))


def removed(source: Path, target: Path, uid: str | None = None, **options: Any) -> int:
    """Remove one signature or all; the exit code of the command."""
    if uid is None:
        return anyio.run(lambda: _code(remove_all(source, target, **options)))
    return anyio.run(lambda: _code(remove(source, target, uid=uid, **options)))


# ---------------------------------------------------------------------- made to measure


FLOAT_PIXEL_DATA = (0x7FE00008, 0x7FE00009)


def tidy(nodes: Nodes, without: tuple[int, ...]) -> Nodes:
    """The data set with texts as 3.6.7 would write them anyway, and without some data elements."""
    result: list[Node] = []
    for node in nodes:
        if node.tag in without:
            continue
        if isinstance(node, Sequence):
            node = node._replace(items=tuple(Item(tidy(item.nodes, without), item.undefined) for item in node.items))
        elif isinstance(node, Plain) and node.tag & 0xFFFF:
            node = node._replace(value=builder.normal("OB" if node.code else node.vr, node.value))
        result.append(node)
    return tuple(result)


@st.composite
def objects(draw: st.DrawFn, *, whole: bool) -> tuple[Nodes, str]:
    form = draw(st.sampled_from(builder.FORMS))
    encapsulated = form == builder.EXPLICIT and draw(st.integers(0, 3)) == 0
    # dcmsign does not write encapsulated Pixel Data in sequences of VR UN or next to Float Pixel Data, nor an empty data set
    tree = draw(model.signed(form, whole=whole, encapsulated=encapsulated, un_sequences=not encapsulated))
    tree = tidy(tree, without=FLOAT_PIXEL_DATA if encapsulated else ())
    assume(tree)
    return tree, form


@settings(max_examples=20)
@given(objects(whole=False), st.booleans(), st.data())
def test_random_items(case: tuple[Nodes, str], undefined: bool, data: st.DataObject) -> None:
    tree, form = case
    places = model.locations(builder.as_read(tree, form))
    assume(places)
    steps = data.draw(st.sampled_from(places))
    # written with defined length, private sequences are none any more in implicit VR
    undefined = undefined or (form == builder.IMPLICIT and any(tag & 0x10000 for tag, _ in steps))
    with folder() as files:
        files.source.write_bytes(builder.file(tree, form))
        done = dcmtk.sign_item(files.source, files.peers, text_of(steps), *(("-e",) if undefined else ()))
        assert sign_as_peer(files.source, files.ours, files.peers, steps, undefined_lengths=undefined) == done.code, done
        assert files.ours.exists() == files.peers.exists() == (done.code == 0)
        if done.code == 0:
            same(parts(files.ours), parts(files.peers))


@settings(max_examples=20)
@given(objects(whole=True), st.booleans(), st.sampled_from((None, *model.UIDS)))
def test_random_removals(case: tuple[Nodes, str], undefined: bool, uid: bytes | None) -> None:
    tree, form = case
    with folder() as files:
        files.source.write_bytes(builder.file(tree, form))
        name = None if uid is None else uid.rstrip(b"\0").decode()
        what = ("+ra",) if name is None else ("+r", name)
        done = dcmtk.run(*what, *(("-e",) if undefined else ()), files.source, files.peers)
        assert removed(files.source, files.ours, name, undefined_lengths=undefined) == done.code, done
        assert files.ours.exists() == files.peers.exists() == (done.code == 0)
        if done.code == 0:
            same(parts(files.ours), parts(files.peers))


# ---------------------------------------------------------------------- real files

FILES = (
    *(f"test_files/{name}.dcm" for name in ("693_J2KI", "CT_small", "JPEG-lossy", "SC_rgb_small_odd_big_endian", "UN_sequence")),
    *(
        f"test_files/{name}.dcm"
        for name in ("badVR", "liver_1frame", "meta_missing_tsyntax", "reportsi", "rtdose", "rtdose_expb")
    ),
    *(f"test_files/{name}.dcm" for name in ("rtplan", "rtstruct", "test-SR", "waveform_ecg")),
    *("charset_files/chrSQEncoding.dcm", "palettes/fall.dcm"),
    *("vectors/sq-big-endian", "vectors/icon-encapsulated-in-jpeg", "vectors/un-undefined", "vectors/sq-with-un-inside"),
    *("vectors/item-then-main", "vectors/nested-16k"),
)
"""Files with sequences: of all kinds of transfer syntaxes, with one to 238 items, up to five deep."""


def two_items(tree: Nodes) -> tuple[Steps, Steps]:
    """The first item with data elements and the last one among the deepest, not those that make up signatures."""
    places = [steps for steps in model.locations(tree) if model.at(tree, steps)]
    places = [steps for steps in places if not {tag for tag, _ in steps} & {model.MAC_PARAMETERS, model.SIGNATURES}]
    deepest = max(map(len, places))
    return places[0], [steps for steps in places if len(steps) == deepest][-1]


def both_verify(path: Path, signatures: int) -> set[str]:
    """The verdicts, on which both sides agree."""
    ours, peer = anyio.run(dcmtk.own_outcome, path), dcmtk.peer_outcome(path)
    assert ours.agrees(peer)
    assert len(ours.verdicts) == signatures
    return set(ours.verdicts)


NOTHING_SIGNED = "signature verification failed: DataElementsSigned missing or incorrect"
UNSIGNABLE_ITEMS = {"test_files/meta_missing_tsyntax.dcm", "vectors/sq-with-un-inside"}
"""Files in which one of the items holds only what cannot be signed."""


@pytest.mark.parametrize("name", FILES)
def test_life_of_an_object(name: str, tmp_path: Path) -> None:
    """Signed inside, around that, inside again; then the inner ones removed: both sides write and say the same each time."""
    form = StreamFormat.DCMTK if name in LEFT_OUT else StreamFormat.STANDARD
    undefined = FILES.index(name) % 2 == 1
    options = ("-e",) if undefined else ()
    source, inner, peers, outer, both, one, other, none, bare = (tmp_path / f"{number}.dcm" for number in range(9))
    source.write_bytes(CORPUS[name].read_bytes())
    with dcmtk.quiet():
        tree = reading.tree(reading.content(reading.read(source.read_bytes())))
        first, second = two_items(tree)
        old = sum(len(model.items(model.at(tree, steps), model.SIGNATURES)) for steps in model.levels_with_signatures(tree))
        # an item
        assert dcmtk.sign_item(source, peers, text_of(first), *options).code == 0
        assert sign_as_peer(source, inner, peers, first, undefined_lengths=undefined, stream_format=form) == 0
        same(parts(inner), parts(peers))
        # the object around it, then another item (or the same once more)
        assert dcmtk.sign(inner, outer, "ec", "SHA256", *options).code == 0
        assert sign_as_peer(outer, both, tmp_path / "none", second, undefined_lengths=undefined, stream_format=form) == 0
        expected = {"OK", NOTHING_SIGNED} if name in UNSIGNABLE_ITEMS else {"OK"}
        assert both_verify(both, old + 3) == expected
        # without the first one
        uid, _ = newest(peers, first)
        assert dcmtk.run("+r", uid, *options, both, one).code == 0
        assert removed(both, other, uid, undefined_lengths=undefined) == 0
        same(parts(other), parts(one))
        assert both_verify(other, old + 2) == expected
        # without any
        assert dcmtk.run("+ra", *options, other, bare).code == 0
        assert removed(other, none, undefined_lengths=undefined) == 0
        same(parts(none), parts(bare))
        assert removed(source, bare, undefined_lengths=undefined) == 0
        assert parts(none).data_set == parts(bare).data_set


def test_directory_records(tmp_path: Path) -> None:
    """Both sides sign them in the same way, but dcmsign does not look for signatures in them afterwards."""
    source, steps = CORPUS["test_files/dicomdirtests/DICOMDIR-bigEnd"], ((0x00041220, 0),)
    ours, peers, none, bare = (tmp_path / name for name in ("ours", "peers", "none", "bare"))
    assert dcmtk.sign_item(source, peers, text_of(steps)).code == 0
    assert sign_as_peer(source, ours, peers, steps) == 0
    same(parts(ours), parts(peers))
    assert dcmtk.peer_outcome(peers).kind == "absent"
    assert anyio.run(dcmtk.own_outcome, peers).verdicts == ("OK",)
    assert dcmtk.run("+ra", peers, none).code == 0
    assert parts(none).data_set == parts(peers).data_set
    assert dcmtk.run("+ra", source, bare).code == 0
    assert removed(peers, none) == 0
    assert parts(none).data_set == parts(bare).data_set


# ---------------------------------------------------------------------- conversion

SYNTAXES = {"+t=": None, "+te": build.EXPLICIT_LE, "+tb": build.EXPLICIT_BE, "+ti": build.IMPLICIT_LE}
GE_PRIVATE, JPIP, JPIP_DEFLATED = "1.2.840.113619.5.2", "1.2.840.10008.1.2.4.94", "1.2.840.10008.1.2.4.95"

CONVERTED = (
    *(
        "MR_small_implicit.dcm",
        "rtplan.dcm",
        "CT_small.dcm",
        "liver_1frame.dcm",
        "UN_sequence.dcm",
        "badVR.dcm",
        "waveform_ecg.dcm",
    ),
    *("MR_small_bigendian.dcm", "rtdose_expb_1frame.dcm", "image_dfl.dcm", "JPEG-lossy.dcm", "SC_rgb_rle_2frame.dcm"),
    *("ExplVR_LitEndNoMeta.dcm", "ExplVR_BigEndNoMeta.dcm"),
)
VECTORS = ("ge-big-endian-pixels", "deflated", "big-endian", "ambiguous-signed", "un-converted", "order-and-duplicates")


def converted(source: Path, target: Path, syntax: str | None, **options: Any) -> int:
    return removed(source, target, None, transfer_syntax=syntax, **options)


@pytest.mark.parametrize("name", [*(f"test_files/{name}" for name in CONVERTED), *(f"vectors/{name}" for name in VECTORS)])
def test_conversion_of_files(name: str, tmp_path: Path) -> None:
    for number, (option, syntax) in enumerate(SYNTAXES.items()):
        undefined = (number + len(name)) % 2 == 1
        ours, peers = tmp_path / f"ours{option}", tmp_path / f"peers{option}"
        done = dcmtk.run("+ra", option, *(("-e",) if undefined else ()), CORPUS[name], peers)
        with dcmtk.quiet():
            assert converted(CORPUS[name], ours, syntax, undefined_lengths=undefined) == done.code, done
        assert ours.exists() == peers.exists() == (done.code == 0)
        if done.code == 0:
            same(parts(ours), parts(peers))


def odd_objects() -> dict[str, tuple[str, Nodes]]:
    """Name to transfer syntax and data set."""
    url = Plain(0x00287FE0, "UR", b"http://a")
    found: dict[str, tuple[str, Nodes]] = {}
    for size in (4, 20_000):
        value = b"\1\2\3\4" * (size // 4)
        native = Plain(0x7FE00010, "OW", value)
        icon = Sequence(0x00880200, (Item((Plain(0x00280010, "US", b"\1\0"), native)),))
        fragments = builder.Pixels(0x7FE00010, (b"", value))
        inside = Sequence(0x00880200, (Item((fragments,)),))
        found[f"pixels in the other byte order, {size}"] = GE_PRIVATE, (icon, Plain(0x7FE00008, "OF", value), native)
        found[f"only an icon with pixels in the other byte order, {size}"] = GE_PRIVATE, (icon,)
        for vr in ("OB", "OW", "OV", "UN", "UT"):
            other = Plain(0x7FE00010, vr, value)
            found[f"pixels {vr}, {size}"] = build.EXPLICIT_LE, (icon, other)
            found[f"pixels {vr}, big endian, {size}"] = build.EXPLICIT_BE, (other,)
            found[f"icon {vr}, {size}"] = build.EXPLICIT_LE, (Sequence(0x00880200, (Item((other,)),)),)
        found[f"fragments, {size}"] = build.JPEG_BASELINE, (fragments,)
        found[f"fragments in an icon, {size}"] = build.JPEG_BASELINE, (inside,)
        found[f"native icon, {size}"] = build.JPEG_BASELINE, (icon,)
        found[f"misplaced fragments, {size}"] = build.EXPLICIT_LE, (fragments,)
        found[f"misplaced fragments in an icon, {size}"] = build.EXPLICIT_LE, (inside,)
    found["encapsulated syntax without pixels"] = build.JPEG_BASELINE, (Plain(0x00100010, "PN", b"A^B "),)
    found["no such syntax"] = "1.2.3.4", (Plain(0x00100010, "PN", b"A^B "), Plain(0x7FE00010, "OW", b"abcd"))
    found["pixels elsewhere"] = JPIP, (url,)
    found["pixels elsewhere, deflated"] = JPIP_DEFLATED, (url,)
    found["pixels nowhere"] = JPIP, ()
    return found


ODD = odd_objects()

LEFT_ALONE = ("pixels UN", "pixels UT", "pixels OV", "icon UN", "icon UT", "icon OV", "misplaced")
"""Objects that dcmsign refuses to write even in their own transfer syntax; here they are copied."""


@pytest.mark.parametrize("name", ODD)
def test_conversion_of_odd_objects(name: str, tmp_path: Path) -> None:
    syntax, nodes = ODD[name]
    form = {build.EXPLICIT_BE: builder.BIG, GE_PRIVATE: builder.IMPLICIT}.get(syntax, builder.EXPLICIT)
    source = tmp_path / "in.dcm"
    content = builder.encode((*COMMON, *nodes), form)
    source.write_bytes(build.meta(syntax) + (builder.deflate(content) if syntax == JPIP_DEFLATED else content))
    for option, target in SYNTAXES.items():
        ours, peers = tmp_path / f"ours{option}", tmp_path / f"peers{option}"
        done = dcmtk.run("+ra", option, source, peers)
        copied = target in (None, syntax)
        expected = 0 if copied and name.startswith(LEFT_ALONE) else done.code
        with dcmtk.quiet():
            assert converted(source, ours, target) == expected, done
        assert (done.code == 40) == (expected == 40 or name.startswith(LEFT_ALONE))
        assert ours.exists() == (expected == 0)
        if done.code == 0:
            same(parts(ours), parts(peers))


COMMON: Nodes = (Plain(0x00080016, "UI", build.SOP_CLASS), Plain(0x00080018, "UI", build.SOP_INSTANCE))


@pytest.mark.parametrize("place", [(), ((0x00880200, 0),)], ids=["main", "item"])
@pytest.mark.parametrize("option", SYNTAXES)
def test_signed_and_converted(option: str, place: Steps, tmp_path: Path) -> None:
    """The signature is over the object as it came, whatever is written: also where pixels change their byte order."""
    source, ours, peers = (tmp_path / name for name in ("in.dcm", "ours.dcm", "peers.dcm"))
    for syntax in (GE_PRIVATE, build.IMPLICIT_LE, build.EXPLICIT_BE):
        form = builder.BIG if syntax == build.EXPLICIT_BE else builder.IMPLICIT
        nodes = next(tree for uid, tree in ODD.values() if uid == GE_PRIVATE)
        source.write_bytes(build.meta(syntax) + builder.encode((*COMMON, *nodes), form))
        if place:
            assert dcmtk.sign_item(source, peers, text_of(place), option).code == 0
        else:
            assert dcmtk.sign(source, peers, "rsa", "SHA256", option).code == 0
        assert sign_as_peer(source, ours, peers, place, transfer_syntax=SYNTAXES[option]) == 0
        same(parts(ours), parts(peers))
        assert both_verify(ours, 1) == {"OK"}
