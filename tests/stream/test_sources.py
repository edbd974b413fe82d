"""Whatever the bytes come from, the report and the signed object are the same."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path

import anyio
import pytest
from dcmsign.codec.errors import EmptyInput, Error, FormatError, SourceError
from dcmsign.stream import KeySigner, Trust, VerificationReport, sign, verify
from dcmsign.stream.io.sources import Source

from tests.stream.material import CASES, image, inputs, noise, noon, outputs, sign_options, signed_vector, stream, verify_options
from tests.stream.ways import SOURCES

pytestmark = pytest.mark.anyio
IN_MEMORY = {"bytes", "bytearray", "memoryview"}
LARGE = image(noise(3_000_001) + b"\0")


async def report_of(source: Source, trust: Trust, name: str) -> VerificationReport:
    return await verify(source, trust=trust, require_signature=False, **verify_options(name))


async def signed(source: Source, signer: KeySigner, name: str) -> bytes | str:
    """The signed object, or what is wrong with the input."""
    target = io.BytesIO()
    try:
        await sign(source, target, signer=signer, clock=noon, **sign_options(name))
    except Error as error:
        return f"{type(error).__name__} at {error.offset}, {error.element}: {error.message}"
    return target.getvalue()


@pytest.fixture(scope="session")
def expected_reports(trust: Trust) -> dict[str, VerificationReport]:
    async def collect() -> dict[str, VerificationReport]:
        return {name: await report_of(path, trust, name) for name, path in outputs().items()}

    return anyio.run(collect)


@pytest.mark.parametrize("kind", SOURCES)
async def test_reports(kind: str, expected_reports: dict[str, VerificationReport], trust: Trust, tmp_path: Path) -> None:
    for name, path in outputs().items():
        async with SOURCES[kind](path.read_bytes(), tmp_path) as source:
            assert await report_of(source, trust, name) == expected_reports[name], name


async def test_reports_of_paths(trust: Trust) -> None:
    for name, case in CASES.items():
        report = await report_of(signed_vector(name), trust, name)
        assert report.signatures[-1].verdict.value == case["verify"], name


@pytest.mark.usefixtures("same_uids")
@pytest.mark.parametrize("kind", SOURCES)
async def test_signed_objects(kind: str, signer: KeySigner, tmp_path: Path) -> None:
    for name, path in inputs().items():
        expected = await signed(path, signer, name)
        async with SOURCES[kind](path.read_bytes(), tmp_path) as source:
            assert await signed(source, signer, name) == expected, name


@pytest.mark.usefixtures("same_uids")
@pytest.mark.parametrize("kind", SOURCES)
async def test_large_objects(kind: str, signer: KeySigner, trust: Trust, tmp_path: Path) -> None:
    """More than one block, so that nothing fits into one read."""
    expected = await signed(LARGE, signer, "")
    assert isinstance(expected, bytes)
    async with SOURCES[kind](LARGE, tmp_path) as source:
        assert await signed(source, signer, "") == expected
    async with SOURCES[kind](expected, tmp_path) as source:
        assert (await verify(source, trust=trust)).ok
    tampered = bytearray(expected)
    tampered[2_000_000] ^= 1
    async with SOURCES[kind](bytes(tampered), tmp_path) as source:
        assert [found.verdict.name for found in (await verify(source, trust=trust)).signatures] == ["CORRUPTED"]


@pytest.mark.parametrize("kind", SOURCES)
async def test_cut_short(kind: str, signer: KeySigner, tmp_path: Path) -> None:
    """The same error at the same data element, in the name of the source."""
    for cut in (0, 1, 131, 140, 200, 500, 1_500_000, len(LARGE) - 1):
        with pytest.raises(FormatError) as expected:
            await verify(LARGE[:cut])
        for operation in ("verify", "sign"):
            async with SOURCES[kind](LARGE[:cut], tmp_path) as source:
                name = os.fspath(source) if isinstance(source, (str, Path)) else str(getattr(source, "name", ""))
                with pytest.raises(type(expected.value)) as caught:
                    await (verify(source) if operation == "verify" else sign(source, io.BytesIO(), signer=signer))
            assert caught.value.element == expected.value.element
            assert caught.value.path == (name or ("<bytes>" if kind in IN_MEMORY else "<stream>"))
            if cut <= 200:
                assert (caught.value.offset, caught.value.message) == (expected.value.offset, expected.value.message)


async def test_empty_device(signer: KeySigner) -> None:
    for source in ("/dev/null", io.BytesIO(), b"", stream(b"")):
        with pytest.raises(EmptyInput):
            await verify(source)
    with pytest.raises(EmptyInput):
        await sign("/dev/null", io.BytesIO(), signer=signer)


@pytest.mark.parametrize(
    ("path", "cause", "message"),
    [
        ("missing", FileNotFoundError, "No such file or directory"),
        ("", FileNotFoundError, "No such file or directory"),
        (".", IsADirectoryError, "Is a directory"),
        ("nul\0", ValueError, "Invalid argument"),
        ("file/below", NotADirectoryError, "Not a directory"),
        ("x" * 300, OSError, "File name too long"),
    ],
)
async def test_paths_that_cannot_be_opened(
    path: str, cause: type[Exception], message: str, signer: KeySigner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").touch()
    for attempt in (lambda: verify(path), lambda: sign(path, tmp_path / "out", signer=signer)):
        with pytest.raises(SourceError) as caught:
            await attempt()
        assert (caught.value.path, caught.value.message) == (path, message)
        assert isinstance(caught.value.__cause__, cause)
    assert os.listdir(tmp_path) == ["file"]


async def test_no_source(signer: KeySigner) -> None:
    for source in (17, None, [b"data"], object()):
        with pytest.raises(TypeError, match="not a source"):
            await verify(source)  # type: ignore[arg-type]
        with pytest.raises(TypeError, match="not a source"):
            await sign(source, io.BytesIO(), signer=signer)  # type: ignore[arg-type]


async def test_sources_stay_open() -> None:
    """Who opens a file closes it."""
    for file in (open(signed_vector("implicit"), "rb"), io.BytesIO(signed_vector("implicit").read_bytes())):  # noqa: ASYNC230, SIM115
        await verify(file)
        assert not file.closed
        file.close()
    send, receive = anyio.create_memory_object_stream[bytes](1)
    async with send, receive:
        send.send_nowait(signed_vector("implicit").read_bytes())
        await send.aclose()
        await verify(receive)
        assert receive.statistics().open_receive_streams == 1


async def test_async_generators_are_closed() -> None:
    closed = []

    async def source() -> object:
        try:
            yield b"not DICOM at all" * 20
            yield b"never asked for"
        finally:
            closed.append(True)

    with pytest.raises(FormatError):
        await verify(source())  # type: ignore[arg-type]
    assert closed == [True]


class Dying:
    """A file object that fails after some bytes."""

    name = "dying"

    def __init__(self, data: bytes, good: int, *, seekable: bool) -> None:
        self._file = io.BytesIO(data)
        self._good = good
        self._seekable = seekable

    def seekable(self) -> bool:
        return self._seekable

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def read(self, size: int = -1) -> bytes:
        if self._file.tell() >= self._good:
            raise OSError(5, "Input/output error")
        return self._file.read(min(size, 300_000))


@pytest.mark.parametrize("seekable", [True, False])
async def test_read_errors(seekable: bool, signer: KeySigner, tmp_path: Path) -> None:
    for good in (0, 1_000_000, len(LARGE)):
        for operation in ("verify", "sign"):
            source: Source = Dying(LARGE, good, seekable=seekable)  # type: ignore[assignment]
            with pytest.raises(SourceError) as caught:
                await (verify(source) if operation == "verify" else sign(source, tmp_path / "out", signer=signer))
            assert (caught.value.path, caught.value.message) == ("dying", "Input/output error")
            assert isinstance(caught.value.__cause__, OSError)
            assert os.listdir(tmp_path) == []


async def test_errors_of_foreign_streams_pass_through(signer: KeySigner, tmp_path: Path) -> None:
    """Errors that are not the system's are the caller's: a broken connection stays what its library calls it."""

    async def broken() -> object:
        yield LARGE[:1_000_000]
        raise ConnectionError("peer has gone")

    for attempt in (lambda: verify(broken()), lambda: sign(broken(), tmp_path / "out", signer=signer)):  # type: ignore[arg-type]
        with pytest.raises(ConnectionError, match="peer has gone"):
            await attempt()
    send, receive = anyio.create_memory_object_stream[bytes](1)
    async with send:
        receive.close()
        with pytest.raises(anyio.ClosedResourceError):
            await verify(receive)
    assert os.listdir(tmp_path) == []


# ---------------------------------------------------------------- standard input

STDIN = """
import anyio, json, sys
from dcmsign.stream import errors, stdin, verify
async def main():
    try:
        report = await verify(stdin())
    except errors.Error as error:
        print(json.dumps([type(error).__name__, error.path]))
    else:
        print(json.dumps([report.signatures[0].verdict.name, report.signatures[0].uid]))
anyio.run(main, backend=sys.argv[1])
"""
GOOD = f'["UNTRUSTED", "{CASES["implicit-long-ds"]["signature_uid"]}"]'


def run_stdin(backend: str, **options: object) -> str:
    done = subprocess.run(  # type: ignore[call-overload]
        [sys.executable, "-W", "error", "-X", "dev", "-c", STDIN, backend], stdout=-1, stderr=-1, timeout=60, **options
    )
    assert done.stderr == b""
    text: str = done.stdout.decode().strip()
    return text


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_stdin(backend: str, tmp_path: Path) -> None:
    data = signed_vector("implicit-long-ds").read_bytes()  # larger than a pipe holds
    assert run_stdin(backend, input=data) == GOOD
    with open(signed_vector("implicit-long-ds"), "rb") as file:
        assert run_stdin(backend, stdin=file) == GOOD
    (tmp_path / "later").write_bytes(b"heading" + data)
    with open(tmp_path / "later", "rb") as file:
        os.lseek(file.fileno(), 7, os.SEEK_SET)
        assert run_stdin(backend, stdin=file) == GOOD


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_stdin_without_an_object(backend: str) -> None:
    assert run_stdin(backend, stdin=subprocess.DEVNULL) == '["EmptyInput", "-"]'
    assert run_stdin(backend, input=b"") == '["EmptyInput", "-"]'
    assert run_stdin(backend, preexec_fn=lambda: os.close(0)) == '["SourceError", "-"]'
