"""Signing items: whatever the source and the target, the same bytes; nothing half done; the item is the one that was digested."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
from dcmsign.codec.errors import (
    CryptoFailure,
    Error,
    FormatError,
    ItemNotFound,
    LimitExceeded,
    NothingToSign,
    PlanMismatch,
    SigningError,
    UnsignableElement,
    UnsuitableDataset,
    UnsupportedSyntax,
    UnusableMacSyntax,
)
from dcmsign.stream import KeySigner, Profile, StreamFormat, Trust, open_signer, remove_all, sign, verify

from tests.stream import leaks
from tests.stream.interrupts import CANCELLERS, cancelled_everywhere
from tests.stream.material import CASES, DEFLATED, MAC_VECTORS, element, image, listing, meta, noise, noon, sequence, stream
from tests.stream.test_cancellation import Patient
from tests.stream.test_failures import Answering
from tests.stream.ways import SOURCES, TARGETS, consume

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("same_uids")]
Run = Callable[..., object]

SERIES, IMAGES, NAME, PIXELS = 0x00081115, 0x00081140, 0x00100010, 0x7FE00010
FIRST = element(0x00081155, "UI", b"1.2.3.4.5.6.")
ICON = sequence(0x00880200, element(PIXELS, "OW", noise(300_000, 2)))
OBJECT = image(noise(200_000), more=sequence(0x00400275, element(0x00400007, "LO", b"text") + ICON, FIRST))
"""An object with items in items; one of them holds a large value."""

LARGE_ITEM = "RequestAttributesSequence[0].IconImageSequence[0]"
ITEMS: dict[str, Any] = {
    "large value": LARGE_ITEM,
    "around it": ((0x00400275, 0),),
    "small": "ReferencedImageSequence[1]",
}


async def signed(source: Any, signer: Any, location: Any, **options: Any) -> bytes:
    target = io.BytesIO()
    await sign(source, target, signer=signer, location=location, clock=noon, **options)
    return target.getvalue()


# ---------------------------------------------------------------- sources and targets


@pytest.mark.parametrize("kind", SOURCES)
async def test_sources(kind: str, signer: KeySigner, trust: Trust, tmp_path: Path) -> None:
    for location in ITEMS.values():
        expected = await signed(OBJECT, signer, location)
        async with SOURCES[kind](OBJECT, tmp_path) as source:
            assert await signed(source, signer, location) == expected
        report = await verify(expected, trust=trust)
        assert report.ok
        assert len(report.signatures) == 1


@pytest.mark.parametrize("kind", TARGETS)
async def test_targets(kind: str, signer: KeySigner, tmp_path: Path) -> None:
    expected = await signed(OBJECT, signer, LARGE_ITEM)
    async with TARGETS[kind](tmp_path) as (target, taken):
        receipt = await sign(OBJECT, target, signer=signer, location=LARGE_ITEM, clock=noon)
        assert taken() == expected
    assert receipt.location == ((0x00400275, 0), (0x00880200, 0))
    assert receipt.tags_signed == (PIXELS,)
    assert receipt.mac_id == 0


@pytest.mark.parametrize("kind", ["path", "bytes", "async iterable", "receive stream of bytes", "named pipe"])
async def test_forwarding(kind: str, signer: KeySigner, tmp_path: Path) -> None:
    for location in ITEMS.values():
        blocks: list[bytes] = []
        async with SOURCES[kind](OBJECT, tmp_path) as source:
            run = await consume(open_signer(source, signer=signer, location=location, clock=noon), blocks)
        assert b"".join(blocks) == await signed(OBJECT, signer, location)
        assert run.receipt.location


@pytest.mark.parametrize("durable", [False, True])
async def test_in_place(durable: bool, signer: KeySigner, trust: Trust, tmp_path: Path) -> None:
    """Item after item, then the object around them: each signature stays valid."""
    path = tmp_path / "object"
    path.write_bytes(OBJECT)
    locations = [*ITEMS.values(), (), LARGE_ITEM]
    for number, location in enumerate(locations, 1):
        expected = await signed(path, signer, location)
        receipt = await sign(path, path, signer=signer, location=location, clock=noon, durable=durable)
        assert path.read_bytes() == expected
        assert receipt.mac_id == (1 if number == 5 else 0)
        report = await verify(path, trust=trust)
        assert report.ok
        assert len(report.signatures) == number
        assert listing(tmp_path) == {"object"}
    await remove_all(path, path, durable=durable)
    clean = io.BytesIO()
    await remove_all(OBJECT, clean)
    assert path.read_bytes()[400:] == clean.getvalue()[400:]
    assert listing(tmp_path) == {"object"}


# ---------------------------------------------------------------- kinds of objects


def deflated(content: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return meta(DEFLATED) + packer.compress(content) + packer.flush()


UIDS = element(0x00080016, "UI", b"1.2.840.10008.5.1.4.1.1.7\0") + element(0x00080018, "UI", b"2.25.42\0")
INNER = (element(0x00081150, "UI", b"1.2.3.4."), element(0x00081155, "UI", b"1.2.3.5."), element(0x00081160, "IS", b"12"))
TAIL = (element(NAME, "PN", b"Doe^Jane"), element(PIXELS, "OW", noise(100_000)))


def images(*, sort: bool) -> bytes:
    return sequence(IMAGES, INNER[0], b"".join(INNER if sort else reversed(INNER)) + (b"" if sort else INNER[0]))


DISORDERED = {
    "around": UIDS + b"".join(reversed(TAIL)) + images(sort=True),
    "inside": UIDS + images(sort=False) + b"".join(TAIL),
    "both": b"".join(reversed(TAIL)) + images(sort=False) + UIDS,
    "twice": UIDS + images(sort=True) + images(sort=False) + b"".join(TAIL),
}


@pytest.mark.parametrize("pack", [False, True], ids=["plain", "deflated"])
@pytest.mark.parametrize("case", DISORDERED)
async def test_objects_out_of_order(case: str, pack: bool, signer: KeySigner, trust: Trust, tmp_path: Path) -> None:
    """Signed as if they were in order, from a file or a stream."""
    ordered, other = UIDS + images(sort=True) + b"".join(TAIL), DISORDERED[case]
    location = ((IMAGES, 1),)
    expected = await signed(deflated(ordered) if pack else meta() + ordered, signer, location)
    data = deflated(other) if pack else meta() + other
    for kind in ("path", "async iterable"):
        async with SOURCES[kind](data, tmp_path) as source:
            assert await signed(source, signer, location) == expected
    (found,) = (await verify(expected, trust=trust)).signatures
    assert found.ok
    assert found.tags_signed == (0x00081150, 0x00081155, 0x00081160)


async def test_vector(signer: KeySigner, tmp_path: Path) -> None:
    """What is digested is what DCMTK digests."""
    case = CASES["item-signature"]
    await signed(MAC_VECTORS / "item-signature.dcm", signer, case["item"], dump=tmp_path / "dump")
    size = case["signature_item_offset"]
    assert (tmp_path / "dump").read_bytes()[:size] == (MAC_VECTORS / "item-signature.mac").read_bytes()[:size]


@pytest.mark.parametrize("form", StreamFormat)
async def test_stream_formats(form: StreamFormat, signer: KeySigner, trust: Trust) -> None:
    """Depths, and with them what DCMTK leaves out, count from the item."""
    text = element(0x0040A160, "UT", b"x" * 20_000)
    data = meta() + sequence(IMAGES, sequence(0x0040A730, sequence(0x0040A730, text + FIRST)))
    outside = await signed(data, signer, (), stream_format=form)
    inside = await signed(data, signer, ((IMAGES, 0),), stream_format=form)
    innermost = await signed(data, signer, ((IMAGES, 0), (0x0040A730, 0)), stream_format=form)
    for output, cut in ((outside, True), (inside, True), (innermost, False)):
        (found,) = (await verify(output, trust=trust)).signatures
        assert found.ok
        assert found.coverage.complete is (not cut or form is not StreamFormat.DCMTK)


async def test_long_text(signer: KeySigner, trust: Trust) -> None:
    """Longer than what is normalised in memory, in the item and next to it."""
    text = element(0x0040A160, "UT", b"x" * 1_500_000 + b"  \0")
    data = meta() + sequence(IMAGES, FIRST, sequence(SERIES, FIRST) + text) + text
    output = await signed(data, signer, ((IMAGES, 1),))
    (found,) = (await verify(output, trust=trust)).signatures
    assert found.ok
    assert found.tags_signed == (SERIES, 0x0040A160)


@pytest.mark.parametrize("location", [((IMAGES, 0),), ()], ids=["item", "main"])
async def test_large_values_of_other_signatures(location: Any, signer: KeySigner, trust: Trust) -> None:
    """They are passed over everywhere else."""
    value = noise(300_000)
    other = element(0x04000005, "US", b"\5\0") + element(0x04000310, "OB", value)
    level = FIRST + sequence(0xFFFAFFFA, other)
    data = meta() + (sequence(IMAGES, level) if location else level)
    for source in (data, stream(data)):
        output = await signed(source, signer, location)
        assert value in output
        assert [found.mac_id for found in (await verify(output, trust=trust)).signatures] == [5, 0]


# ---------------------------------------------------------------- failures

OLD = b"what was there before"


@pytest.fixture
def target(tmp_path: Path) -> Path:
    path = tmp_path / "target"
    path.write_bytes(OLD)
    return path


def untouched(target: Path) -> bool:
    return target.read_bytes() == OLD and listing(target.parent) == {target.name}


@pytest.mark.parametrize("kind", ["bytes", "async iterable"])
@pytest.mark.parametrize(
    ("location", "message"),
    [
        ("ReferencedImageSequence[2]", "sequence (0008,1140) only has 2 items, cannot locate item 2"),
        (((IMAGES, -1),), "sequence (0008,1140) only has 2 items, cannot locate item -1"),
        ("PatientName[0]", "attribute (0010,0010) is not a sequence"),
        ("PixelData[0]", "attribute (7fe0,0010) is not a sequence"),
        ("ContentSequence[0]", "attribute (0040,a730) not found in dataset"),
        ("ReferencedImageSequence[0].ContentSequence[0]", "attribute (0040,a730) not found in dataset"),
        ("ReferencedImageSequence", "item location string 'ReferencedImageSequence' incomplete."),
        ("ReferencedImageSequence[0].NoSuch[0]", "attribute name 'NoSuch' unknown.\nparse error in item location string"),
        ("", "item location string '' incomplete."),
        (((0x0040A730, 0),) * 100, "attribute (0040,a730) not found in dataset"),
    ],
    ids=str,
)
async def test_items_that_are_not_there(
    location: Any, message: str, kind: str, signer: KeySigner, target: Path, tmp_path_factory: Any
) -> None:
    asked = Answering(signer.certificate, b"")
    async with SOURCES[kind](OBJECT, tmp_path_factory.mktemp("source")) as source:
        with pytest.raises(ItemNotFound) as caught:
            await sign(source, target, signer=asked, location=location)
    assert caught.value.message.startswith(message)
    assert caught.value.path is not None
    assert not asked.asked
    assert untouched(target)
    with pytest.raises(ItemNotFound):
        async with open_signer(OBJECT, signer=signer, location=location):
            raise AssertionError


FRAGMENTS = element(PIXELS, "OB", struct.pack("<HHIHHI", 0xFFFE, 0xE000, 0, 0xFFFE, 0xE0DD, 0), length=0xFFFFFFFF)
TOO_MANY_SIGNATURES = FIRST + sequence(0xFFFAFFFA, element(0x04000120, "OB", bytes(5_000_000)))
EMPTY = sequence(IMAGES, b"", element(0x00091001, "UN", b"ab"))


@pytest.mark.parametrize(
    ("data", "location", "error", "options"),
    [
        (EMPTY, ((IMAGES, 0),), NothingToSign, {}),
        (EMPTY, ((IMAGES, 1),), UnsignableElement, {"tags": [0x00091001]}),
        (sequence(IMAGES, FRAGMENTS), ((IMAGES, 0),), UnusableMacSyntax, {}),
        (sequence(IMAGES, sequence(SERIES, FIRST + FRAGMENTS)), ((IMAGES, 0),), UnusableMacSyntax, {"tags": [SERIES]}),
        (sequence(IMAGES, FIRST) + FRAGMENTS, ((IMAGES, 0),), UnsupportedSyntax, {"transfer_syntax": "1.2.840.10008.1.2"}),
        (sequence(IMAGES, FIRST), ((IMAGES, 0),), UnsuitableDataset, {"profile": Profile.AUTHORIZATION_RSA}),
        (sequence(IMAGES, FIRST)[:-9], ((IMAGES, 0),), FormatError, {}),
        (sequence(IMAGES, FIRST) + FIRST[:-1], ((IMAGES, 0),), FormatError, {}),
        (sequence(IMAGES, TOO_MANY_SIGNATURES), ((IMAGES, 0),), LimitExceeded, {}),
    ],
    ids=lambda value: value.__name__ if isinstance(value, type) else "",
)  # fmt: skip
@pytest.mark.parametrize("how", ["path", "stream"])
async def test_objects_that_cannot_be_signed(
    data: bytes, location: Any, error: type[Error], options: dict[str, Any], how: str, signer: KeySigner, target: Path
) -> None:
    given: Any = meta() + data if how == "path" else stream(meta() + data)
    with pytest.raises(error):
        await sign(given, target, signer=signer, location=location, **options)
    assert untouched(target)


async def test_what_is_next_to_the_item_does_not_matter(signer: KeySigner, trust: Trust) -> None:
    """Fragments, which the syntax does not allow, in another item; the item itself can be signed."""
    data = meta() + sequence(IMAGES, FRAGMENTS, FIRST)
    (found,) = (await verify(await signed(data, signer, ((IMAGES, 1),)), trust=trust)).signatures
    assert found.ok


@pytest.mark.parametrize("answer", [b"", bytes(256), noise(256), ConnectionError("key service is gone")], ids=repr)
async def test_bad_signers(answer: bytes | Exception, signer: KeySigner, target: Path) -> None:
    bad = Answering(signer.certificate, answer)
    with pytest.raises(CryptoFailure if isinstance(answer, bytes) else ConnectionError):
        await sign(OBJECT, target, signer=bad, location=LARGE_ITEM)
    assert [(len(digest), name) for digest, name in bad.asked] == [(32, "SHA256")]
    assert untouched(target)


class Changing(io.BytesIO):
    """A file object whose content can be exchanged."""

    def become(self, data: bytes) -> None:
        self.seek(0)
        self.truncate()
        self.write(data)
        self.seek(0)


BEFORE = meta() + sequence(IMAGES, FIRST, FIRST + element(0x00081160, "IS", b"12")) + element(0x00100020, "LO", b"4711")
CHANGES: dict[str, tuple[bytes, bool]] = {
    # what comes afterwards, and whether that still is an object with the item
    "another value in the item": (BEFORE.replace(b"IS\2\0" + b"12", b"IS\2\0" + b"13"), False),
    "another tag in the item": (BEFORE.replace(b"\x60\x11IS", b"\x62\x11IS"), False),
    "another VR in the item": (BEFORE.replace(b"\x60\x11IS", b"\x60\x11SH"), False),
    "a longer value in the item": (BEFORE.replace(b"IS\2\0" + b"12", b"IS\4\0" + b"1234"), False),
    "another value next to the item": (BEFORE.replace(b"1.2.3.4.5.6.", b"1.2.3.4.5.7.", 1), True),
    "another value around the item": (BEFORE.replace(b"4711", b"4712"), True),
    "a longer value in front": (BEFORE.replace(FIRST, element(0x00081155, "UI", b"1.2.3.4.5.6.7."), 1), False),
    "no item": (meta() + sequence(IMAGES, FIRST) + element(0x00100020, "LO", b"4711"), False),
    "cut": (BEFORE[:-2], False),
    "empty": (b"", False),
}


@pytest.mark.parametrize("when", ["before the digest", "behind the digest"])
@pytest.mark.parametrize("change", CHANGES)
async def test_input_changes(change: str, when: str, signer: KeySigner, trust: Trust, target: Path) -> None:
    """What is written is what was digested and measured, or there is an error."""
    after, unaffected = CHANGES[change]
    assert after != BEFORE
    source = Changing(BEFORE)

    class Late:
        certificate = signer.certificate

        async def sign_digest(self, digest: bytes, mac_algorithm: str) -> bytes:
            if when == "behind the digest":
                source.become(after)
            return await signer.sign_digest(digest, mac_algorithm)

    async def make() -> Any:
        if when == "before the digest":
            source.become(after)
        return Late()

    try:
        await sign(source, target, signer=make, location=((IMAGES, 1),))
    except (PlanMismatch, FormatError):
        assert untouched(target)
        assert not unaffected
    else:
        assert unaffected or when == "before the digest"
        (found,) = (await verify(target, trust=trust)).signatures
        assert found.ok


async def test_cut_while_forwarding(signer: KeySigner) -> None:
    """Part of the output is gone already; the error comes in its place, and there is no receipt."""
    source = Changing(OBJECT)
    taken: list[int] = []

    async def take(blocks: Any) -> None:
        async for block in blocks:
            taken.append(len(block))

    async with open_signer(source, signer=signer, location=ITEMS["small"]) as run:
        source.become(OBJECT.replace(b"1.2.3.4.5.6.", b"1.2.3.4.5.7."))
        with pytest.raises(PlanMismatch):
            await take(run)
        with pytest.raises(RuntimeError):
            _ = run.receipt
    assert sum(taken) < len(OBJECT)


# ---------------------------------------------------------------- hostile objects


def nest(depth: int, innermost: bytes) -> bytes:
    for _ in range(depth):
        innermost = sequence(IMAGES, innermost)
    return meta() + innermost


@pytest.mark.parametrize("depth", [1, 62, 63, 64])
async def test_deep_items(depth: int, signer: KeySigner, trust: Trust) -> None:
    """The sequence with the signature is a level deeper than the item, its purpose another one; all has to be read again."""
    data, location = nest(depth, FIRST), ((IMAGES, 0),) * depth
    for purpose, more in ((None, 1), (5, 2)):
        if depth + more > 64:
            with pytest.raises(SigningError, match="would be nested more than 64 deep"):
                await signed(data, signer, location, purpose=purpose)
            continue
        output = await signed(data, signer, location, purpose=purpose)
        (found,) = (await verify(output, trust=trust)).signatures
        assert found.ok
        assert found.location == location


async def test_too_deep(signer: KeySigner, target: Path) -> None:
    for depth in (65, 5000):
        with pytest.raises(LimitExceeded, match="nested more than 64 deep"):
            await sign(nest(depth, FIRST), target, signer=signer, location=((IMAGES, 0),))
        assert untouched(target)


async def test_many_items(signer: KeySigner, trust: Trust) -> None:
    """Thousands of items in front of the one to be signed and behind it."""
    many = [b""] * 8000
    data = meta() + sequence(IMAGES, *many, FIRST, *many) + sequence(0x0040A730, *many)
    output = await signed(data, signer, ((IMAGES, 8000),))
    (found,) = (await verify(output, trust=trust)).signatures
    assert found.ok
    assert len(output) < len(data) + 3000


# ---------------------------------------------------------------- cancellation


OPERATIONS: dict[str, Callable[[Path, KeySigner], Coroutine[Any, Any, Any]]] = {
    "path": lambda folder, signer: _cancellable(folder / "source", folder, signer),
    "in place": lambda folder, signer: _cancellable(folder / "target", folder, signer, durable=True),
    "iterable": lambda folder, signer: _cancellable(stream(OBJECT, largest=1 << 20), folder, signer),
    "forwarded": lambda folder, signer: consume(
        open_signer(folder / "source", signer=Patient(signer), location=LARGE_ITEM, clock=noon)
    ),
}


def _cancellable(source: Any, folder: Path, signer: KeySigner, **options: Any) -> Coroutine[Any, Any, Any]:
    return sign(source, folder / "target", signer=Patient(signer), location=LARGE_ITEM, clock=noon, **options)


@pytest.mark.parametrize("name", OPERATIONS)
@pytest.mark.parametrize("how", CANCELLERS)
def test_cancelled(how: str, name: str, signer: KeySigner, tmp_path: Path) -> None:
    """Cancelled at every point where it waits."""
    (tmp_path / "source").write_bytes(OBJECT)
    existing = OBJECT if name == "in place" else b"old" if name == "path" else None

    async def attempts() -> int:
        return await cancelled_everywhere(how, lambda: OPERATIONS[name](tmp_path, signer), tmp_path / "target", existing)

    assert leaks.runner(CANCELLERS[how][0])(attempts) > 5
