"""Verifying and signing while the bytes pass through the caller's hands."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import pytest
from dcmsign.codec.errors import Error, FormatError, KeyMismatch, NothingToSign
from dcmsign.stream import KeySigner, Signer, Trust, open_signer, open_verifier, sign, verify

from tests.stream.material import image, inputs, meta, noise, noon, outputs, sign_options, signed_vector, stream, verify_options
from tests.stream.ways import SOURCES, consume, enter

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("same_uids")]
LARGE = image(noise(3_000_001) + b"\0")
KINDS = ("path", "bytes", "unbuffered file", "async iterable", "receive stream of bytes", "anyio file")
Run = Callable[..., object]


@pytest.mark.parametrize("kind", KINDS)
async def test_open_verifier(kind: str, trust: Trust, tmp_path: Path) -> None:
    for name, path in outputs().items():
        data = path.read_bytes()
        options = {"trust": trust, "require_signature": False, **verify_options(name)}
        expected = await verify(data, **options)
        async with SOURCES[kind](data, tmp_path) as source, open_verifier(source, **options) as verifier:
            blocks = []
            async for block in verifier:
                with pytest.raises(RuntimeError, match="once all blocks"):
                    _ = verifier.report
                blocks.append(block)
            assert b"".join(blocks) == data, name
            assert verifier.report == expected, name
        assert verifier.report == expected, name


@pytest.mark.parametrize("kind", KINDS)
async def test_open_signer(kind: str, signer: KeySigner, trust: Trust, tmp_path: Path) -> None:
    for name, path in inputs().items():
        expected = io.BytesIO()
        await sign(path, expected, signer=signer, clock=noon, **sign_options(name))
        async with (
            SOURCES[kind](path.read_bytes(), tmp_path) as source,
            open_signer(source, signer=signer, clock=noon, **sign_options(name)) as signing,
        ):
            blocks = []
            async for block in signing:
                with pytest.raises(RuntimeError, match="once all blocks"):
                    _ = signing.receipt
                blocks.append(block)
            assert b"".join(blocks) == expected.getvalue(), name
            assert signing.receipt.uid == "2.25.1"


async def test_from_one_to_the_other(signer: KeySigner, trust: Trust) -> None:
    """Sign and verify in one go, holding neither object."""
    async with open_signer(stream(LARGE), signer=signer) as signing, open_verifier(signing, trust=trust) as verifier:
        size = sum([len(block) async for block in verifier])
    assert verifier.report.ok
    assert verifier.report.signatures[0].uid == signing.receipt.uid
    assert size > len(LARGE)


async def test_nothing_is_read_ahead() -> None:
    given = 0

    async def source() -> Any:
        nonlocal given
        for position in range(0, len(LARGE), 100_000):
            given += 1
            yield LARGE[position : position + 100_000]

    taken = 0
    async with open_verifier(source(), require_signature=False) as verifier:
        async for _ in verifier:
            taken += 1
            assert given == taken


@pytest.mark.parametrize("blocks", [0, 1, 2])
@pytest.mark.parametrize("kind", ["path", "async iterable", "bytes"])
@pytest.mark.parametrize("tags", [None, [0x00100010]])
def test_leaving_early(blocks: int, kind: str, tags: list[int] | None, run: Run, signer: KeySigner, tmp_path: Path) -> None:
    """Whoever has seen enough leaves; that is no error, and nothing stays behind."""

    async def leave() -> None:
        async with SOURCES[kind](LARGE, tmp_path) as source, open_verifier(source) as verifier:
            await take(verifier)
        with pytest.raises(RuntimeError):
            _ = verifier.report
        async with SOURCES[kind](LARGE, tmp_path) as source, open_signer(source, signer=signer, tags=tags) as signing:
            await take(signing)
        with pytest.raises(RuntimeError):
            _ = signing.receipt

    async def take(forwarding: Any) -> None:
        iterator = aiter(forwarding)
        for _ in range(blocks):
            await anext(iterator)

    run(leave)


def test_leaving_with_an_error(run: Run, signer: KeySigner) -> None:
    class OfMine(Exception):
        pass

    async def leave() -> None:
        with pytest.raises(OfMine):
            await stumble(open_verifier(stream(LARGE)))
        with pytest.raises(OfMine):
            await stumble(open_signer(stream(LARGE), signer=signer))

    async def stumble(opening: Any) -> None:
        async with opening as blocks:
            async for _ in blocks:
                raise OfMine

    run(leave)


@pytest.mark.parametrize("cut", [0, 100, 400, 2_000_000])
async def test_broken_input(cut: int, signer: KeySigner, tmp_path: Path) -> None:
    """What has come is passed on, then the error comes; a signer tells before the first byte."""
    path = tmp_path / "broken"
    path.write_bytes(LARGE[:cut])
    for source, name in ((path, str(path)), (stream(LARGE[:cut]), "<stream>")):
        passed: list[bytes] = []
        with pytest.raises(FormatError) as caught:
            await consume(open_verifier(source), passed)
        assert caught.value.path == name
        assert b"".join(passed) == LARGE[:cut] or cut == 100
    with pytest.raises(FormatError):
        await enter(open_signer(path, signer=signer), AssertionError("the context was entered"))


async def test_what_can_fail_at_once_does(signer: KeySigner) -> None:
    other = KeySigner(signer._key, KeySigner.load(*_pair("ec")).certificate)
    for wrong, source, error in (
        (other, signed_vector("implicit"), KeyMismatch),
        (signer, meta(), NothingToSign),
    ):
        with pytest.raises(error):
            await enter(open_signer(source, signer=wrong), AssertionError("the context was entered"))


def _pair(kind: str) -> tuple[Path, Path]:
    folder = signed_vector("implicit").parent
    return folder / f"key-{kind}.pem", folder / f"cert-{kind}.pem"


async def test_late_failure_cuts_the_stream(signer: KeySigner) -> None:
    class Broken:
        certificate = signer.certificate

        async def sign_digest(self, digest: bytes, mac_algorithm: str) -> bytes:
            raise ConnectionError("key service is gone")

    passed: list[bytes] = []
    with pytest.raises(ConnectionError, match="key service"):
        await consume(open_signer(LARGE, signer=Broken()), passed)
    assert sum(map(len, passed)) > 3_000_000


@pytest.mark.parametrize("operation", ["verify", "sign"])
async def test_foreign_errors_keep_their_name(operation: str, signer: KeySigner) -> None:
    """An error of the library that the caller raises inside the context is not renamed after the source."""
    mine = Error("of the caller", path="elsewhere")
    with pytest.raises(Error) as caught:
        await enter(open_verifier(LARGE) if operation == "verify" else open_signer(LARGE, signer=signer), mine)
    assert caught.value is mine
    assert mine.path == "elsewhere"


async def test_signer_made_late(signer: KeySigner) -> None:
    """A factory is asked once, after the input has been read."""
    asked = []

    async def make() -> Signer:
        await anyio.lowlevel.checkpoint()
        asked.append(True)
        return signer

    with pytest.raises(FormatError):
        await sign(LARGE[:500_000], io.BytesIO(), signer=make)
    assert not asked
    await sign(LARGE, io.BytesIO(), signer=make)
    async with open_signer(stream(LARGE), signer=make, tags=[0x00100010]) as signing:
        assert len(asked) == 2
        async for _ in signing:
            pass
    assert len(asked) == 2
