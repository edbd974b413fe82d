"""Objects whose data elements are out of order or occur twice: files and small streams work, large streams say why not."""

from __future__ import annotations

import io
import logging
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from dcmsign.codec.errors import ElementNotFound, FormatError, UnorderedInput
from dcmsign.stream import KeySigner, Trust, open_verifier, sign, verify

from tests.stream.material import DEFLATED, MAC_VECTORS, element, listing, meta, noise, noon, sequence, shuffled, stream
from tests.stream.ways import SOURCES, consume

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("same_uids")]
Run = Callable[..., object]

UIDS = element(0x00080016, "UI", b"1.2.840.10008.5.1.4.1.1.7\0") + element(0x00080018, "UI", b"2.25.42\0")
NAME, NUMBER = element(0x00100010, "PN", b"Doe^Jane"), element(0x00100020, "LO", b"4711")


def deflated(content: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return meta(DEFLATED) + packer.compress(content) + packer.flush()


def inner(*, sort: bool) -> bytes:
    pair = [element(0x00081150, "UI", b"1.2.3.4."), element(0x00081155, "UI", b"1.2.3.5.")]
    return sequence(0x00081140, b"".join(pair if sort else reversed(pair)), pair[0])


def pairs(pixels: bytes) -> dict[str, tuple[bytes, bytes]]:
    """Name to an object out of order and the same object in order."""
    image = element(0x7FE00010, "OW", pixels)
    content, ordered = UIDS + image + NUMBER + NAME, UIDS + NAME + NUMBER + image
    return {
        "at the end": (meta() + content, meta() + ordered),
        "at the beginning": (meta() + NAME + UIDS + NUMBER + image, meta() + ordered),
        "twice": (meta() + UIDS + NAME + element(0x00100010, "PN", b"Roe^Joe ") + NUMBER + image, meta() + ordered),
        "in an item": (meta() + UIDS + inner(sort=False) + image, meta() + UIDS + inner(sort=True) + image),
        "deflated": (deflated(content), deflated(ordered)),
    }


SMALL, LARGE = pairs(noise(20_000)), pairs(noise(6_000_000))


async def signed(source: Any, signer: KeySigner) -> bytes:
    target = io.BytesIO()
    await sign(source, target, signer=signer, clock=noon)
    return target.getvalue()


@pytest.mark.parametrize("kind", ["path", "bytes", "buffered file", "async iterable", "receive stream of bytes", "named pipe"])
@pytest.mark.parametrize("case", SMALL)
async def test_signed_as_if_sorted(case: str, kind: str, signer: KeySigner, tmp_path: Path) -> None:
    shuffled_object, ordered = SMALL[case]
    async with SOURCES[kind](shuffled_object, tmp_path) as source:
        assert await signed(source, signer) == await signed(ordered, signer)


@pytest.mark.parametrize("case", LARGE)
async def test_large_ones_are_signed(case: str, signer: KeySigner) -> None:
    """What comes once is kept anyway."""
    shuffled_object, ordered = LARGE[case]
    expected = await signed(ordered, signer)
    assert await signed(shuffled_object, signer) == expected
    assert await signed(stream(shuffled_object, largest=1 << 20), signer) == expected


def reshuffle(data: bytes) -> bytes:
    """A signed object with its first data elements behind the others."""
    start = len(data) - len(data.partition(UIDS)[2]) - len(UIDS)
    assert data[start : start + len(UIDS)] == UIDS
    return data[:start] + data[start + len(UIDS) :] + UIDS


@pytest.mark.parametrize("kind", ["path", "bytes", "buffered file", "async iterable", "receive stream of bytes", "named pipe"])
async def test_verified_as_if_sorted(kind: str, signer: KeySigner, trust: Trust, tmp_path: Path) -> None:
    for tamper in (False, True):
        data = await signed(SMALL["at the end"][1], signer)
        expected = await verify(data, trust=trust, inspect=False)
        other = reshuffle(data).replace(b"Doe^Jane", b"Doe^Jana" if tamper else b"Doe^Jane")
        async with SOURCES[kind](other, tmp_path) as source:
            report = await verify(source, trust=trust, inspect=False)
        if tamper:
            assert [found.verdict.name for found in report.signatures] == ["CORRUPTED"]
        else:
            assert report == expected


async def test_vector(trust: Trust, tmp_path: Path, signer: KeySigner) -> None:
    """The vector was signed by DCMTK, which sorts when it reads."""
    data = (MAC_VECTORS / "order-and-duplicates.dcm").read_bytes()
    assert await signed(data, signer) == await signed(stream(data), signer)


async def test_deflated_and_large(signer: KeySigner, trust: Trust) -> None:
    """The inflated data set is kept on disk, and that goes away."""
    content = await signed(LARGE["at the end"][1], signer)
    body = reshuffle(content)
    packed = deflated(body[body.index(element(0x00100010, "PN", b"Doe^Jane")) :])
    report = await verify(packed, trust=trust)
    assert [found.verdict.name for found in report.signatures] == ["OK"]


@pytest.mark.parametrize("how", ["verify", "open_verifier"])
async def test_large_streams_say_why_not(how: str, signer: KeySigner) -> None:
    data = LARGE["at the end"][0]
    with pytest.raises(UnorderedInput, match=r"more than one pass is needed, read it from a file") as caught:
        await (
            verify(stream(data, largest=1 << 20)) if how == "verify" else consume(open_verifier(stream(data, largest=1 << 20)))
        )
    assert caught.value.element == "(0010,0020)"
    assert caught.value.offset == data.index(NUMBER)
    assert caught.value.path == "<stream>"
    assert isinstance(caught.value, FormatError)


async def test_early_disorder_of_a_large_stream(trust: Trust, signer: KeySigner) -> None:
    """Noticed in time, even a large stream is kept and verified."""
    data = await signed(LARGE["at the end"][1], signer)
    other = data.replace(NAME + NUMBER, NUMBER + NAME, 1)
    assert other != data
    report = await verify(stream(other, largest=1 << 20), trust=trust)
    assert [found.verdict.name for found in report.signatures] == ["OK"]


async def test_one_pass_needs_order(signer: KeySigner, tmp_path: Path) -> None:
    data = shuffled(pixels=noise(1000))
    for tag, error in ((0x00080018, UnorderedInput), (0x00100010, ElementNotFound)):
        with pytest.raises(error):
            await sign(stream(data), tmp_path / "out", signer=signer, tags=[tag])
        assert listing(tmp_path) == set()
    await sign(data, tmp_path / "out", signer=signer, tags=[0x00100010])


async def test_warned_once(caplog: pytest.LogCaptureFixture, signer: KeySigner) -> None:
    """However often an object is read, each of its oddities is logged once."""
    with caplog.at_level(logging.WARNING, "dcmsign"):
        await signed(SMALL["at the end"][0], signer)
    lines = [record.getMessage() for record in caplog.records]
    assert len(lines) == len(set(lines)) == 2
    caplog.clear()
    with caplog.at_level(logging.WARNING, "dcmsign"):
        await verify(stream(SMALL["at the end"][0]), require_signature=False)
    assert [record.getMessage() for record in caplog.records] == lines


async def test_a_thousand_warnings_are_enough(caplog: pytest.LogCaptureFixture) -> None:
    data = meta() + b"".join(element(0x00100020, "LO", b"4711") for _ in range(1500))
    with caplog.at_level(logging.WARNING, "dcmsign"):
        await verify(data, require_signature=False)
    assert len(caplog.records) == 1001
    assert caplog.records[-1].getMessage() == "further warnings about the input are not shown"


async def test_forwarding_a_large_file(signer: KeySigner, trust: Trust, tmp_path: Path) -> None:
    """A file can be read again, so forwarding it works where a stream of the same size does not."""
    path = tmp_path / "large.dcm"
    path.write_bytes(reshuffle(await signed(LARGE["at the end"][1], signer)))
    with pytest.raises(UnorderedInput):
        await verify(stream(path.read_bytes(), largest=1 << 20), trust=trust)
    async with open_verifier(path, trust=trust) as run:
        assert b"".join([block async for block in run]) == path.read_bytes()
    assert [found.verdict.name for found in run.report.signatures] == ["OK"]
