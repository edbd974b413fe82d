"""Whatever takes the output, it is the same, whole, and under its name only when it is whole."""

from __future__ import annotations

import errno
import io
import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import anyio
import pytest
from dcmsign.codec.errors import SinkError
from dcmsign.stream import KeySigner, Trust, sign, verify

from tests.stream.material import MAC_VECTORS, image, inputs, listing, noise, noon, sign_options, signed_vector
from tests.stream.ways import TARGETS

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("same_uids")]
SMALL = MAC_VECTORS / "explicit-short.dcm"
LARGE = image(noise(3_000_001) + b"\0")


async def signed(source: Any, signer: KeySigner, **options: Any) -> bytes:
    target = io.BytesIO()
    await sign(source, target, signer=signer, clock=noon, **options)
    return target.getvalue()


@pytest.mark.parametrize("kind", TARGETS)
async def test_same_bytes(kind: str, signer: KeySigner, tmp_path: Path) -> None:
    for name, path in inputs().items():
        expected = await signed(path, signer, **sign_options(name))
        async with TARGETS[kind](tmp_path) as (target, taken):
            await sign(path, target, signer=signer, clock=noon, **sign_options(name))
            assert taken() == expected, name


@pytest.mark.parametrize("kind", TARGETS)
async def test_large_objects(kind: str, signer: KeySigner, tmp_path: Path) -> None:
    expected = await signed(LARGE, signer)
    assert len(expected) > len(LARGE)
    async with TARGETS[kind](tmp_path) as (target, taken):
        await sign(LARGE, target, signer=signer, clock=noon)
        assert taken() == expected


async def test_file_objects_stay_open(signer: KeySigner) -> None:
    file = io.BytesIO(b"in front")
    file.seek(0, os.SEEK_END)
    await sign(SMALL, file, signer=signer, clock=noon)
    assert file.getvalue() == b"in front" + await signed(SMALL, signer)


# ---------------------------------------------------------------- paths


async def test_new_file(signer: KeySigner, trust: Trust, tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        receipt = await sign(SMALL, str(tmp_path / "new.dcm"), signer=signer)
    finally:
        os.umask(before)
    assert listing(tmp_path) == {"new.dcm"}
    assert stat.S_IMODE(os.stat(tmp_path / "new.dcm").st_mode) == 0o640
    report = await verify(tmp_path / "new.dcm", trust=trust)
    assert report.ok
    assert [found.uid for found in report.signatures] == [receipt.uid]


@pytest.mark.parametrize("durable", [False, True])
@pytest.mark.parametrize("mode", [0o600, 0o644, 0o666, 0o440])
async def test_existing_file_keeps_its_mode(mode: int, durable: bool, signer: KeySigner, tmp_path: Path) -> None:
    target = tmp_path / "old.dcm"
    target.write_bytes(b"old")
    target.chmod(mode)
    await sign(SMALL, target, signer=signer, clock=noon, durable=durable)
    assert target.read_bytes() == await signed(SMALL, signer)
    assert stat.S_IMODE(target.stat().st_mode) == mode
    assert listing(tmp_path) == {"old.dcm"}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
async def test_existing_file_keeps_its_owner(signer: KeySigner, tmp_path: Path) -> None:
    target = tmp_path / "old.dcm"
    target.write_bytes(b"old")
    os.chown(target, 1234, 4321)
    target.chmod(0o4750)
    await sign(SMALL, target, signer=signer)
    found = target.stat()
    assert (found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode)) == (1234, 4321, 0o4750)


async def test_symbolic_link(signer: KeySigner, tmp_path: Path) -> None:
    """The link stays, what it points to is replaced, from within its own folder."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "real.dcm").write_bytes(b"old")
    (tmp_path / "link.dcm").symlink_to("data/real.dcm")
    (tmp_path / "dangling.dcm").symlink_to("data/later.dcm")
    for name in ("link.dcm", "dangling.dcm"):
        await sign(SMALL, tmp_path / name, signer=signer, clock=noon)
        assert (tmp_path / name).is_symlink()
        assert (tmp_path / name).read_bytes() == await signed(SMALL, signer)
    assert listing(tmp_path / "data") == {"real.dcm", "later.dcm"}
    assert listing(tmp_path) == {"data", "link.dcm", "dangling.dcm"}


async def test_in_place(signer: KeySigner, trust: Trust, tmp_path: Path) -> None:
    path = tmp_path / "image.dcm"
    path.write_bytes(LARGE)
    expected = await signed(LARGE, signer)
    await sign(path, path, signer=signer, clock=noon)
    assert path.read_bytes() == expected
    (tmp_path / "link.dcm").symlink_to(path)
    await sign(tmp_path / "link.dcm", path, signer=signer, clock=noon)
    report = await verify(path, trust=trust)
    assert [found.verdict.name for found in report.signatures] == ["OK", "OK"]
    assert listing(tmp_path) == {"image.dcm", "link.dcm"}


async def test_in_place_while_another_reads(signer: KeySigner, tmp_path: Path) -> None:
    """Who has the old file open keeps seeing it, whole."""
    path = tmp_path / "image.dcm"
    path.write_bytes(LARGE)
    with open(path, "rb") as file:  # noqa: ASYNC230
        await sign(path, path, signer=signer)
        assert file.read() == LARGE


async def test_relative_path(signer: KeySigner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "below").mkdir()
    monkeypatch.chdir(tmp_path / "below")
    for name in ("plain", "../beside", "./dotted", "-dash", "x" * 255):
        await sign(SMALL, name, signer=signer, clock=noon)
        assert (tmp_path / "below" / name).read_bytes() == await signed(SMALL, signer)
    assert listing(tmp_path) == {"below", "beside"}
    assert listing(tmp_path / "below") == {"plain", "dotted", "-dash", "x" * 255}


async def test_durable_new_file(signer: KeySigner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file is on the disk before it gets its name, the name after that."""
    happened: list[str] = []
    fsync, replace = os.fsync, os.replace

    def noted_fsync(descriptor: int) -> None:
        happened.append("folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file")
        fsync(descriptor)

    def noted_replace(old: str, new: str) -> None:
        happened.append("name")
        replace(old, new)

    monkeypatch.setattr(os, "fsync", noted_fsync)
    monkeypatch.setattr(os, "replace", noted_replace)
    await sign(SMALL, tmp_path / "plain", signer=signer)
    assert happened == ["name"]
    happened.clear()
    await sign(SMALL, tmp_path / "plain", signer=signer)
    assert happened == ["file", "name"]
    happened.clear()
    await sign(SMALL, tmp_path / "durable", signer=signer, durable=True)
    assert happened == ["file", "name", "folder"]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("missing/out", "No such file or directory"),
        ("", "Invalid filename"),
        (".", "Is a directory"),
        ("file/below", "Not a directory"),
        ("loop", "Too many levels of symbolic links"),
        ("x" * 300, "File name too long"),
        ("nul\0", "embedded null byte"),
    ],
)
async def test_paths_that_cannot_be_written(
    name: str, message: str, signer: KeySigner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").touch()
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(SinkError) as caught:
        await sign(SMALL, name, signer=signer)
    assert (caught.value.path, caught.value.message) == (name, message)
    assert listing(tmp_path) == {"file", "loop"}


async def test_read_only_folder(signer: KeySigner, tmp_path: Path) -> None:
    if os.geteuid() == 0:
        with pytest.raises(SinkError):
            await sign(SMALL, "/proc/out.dcm", signer=signer)
        return
    os.chmod(tmp_path, 0o500)
    with pytest.raises(SinkError, match="Permission denied"):
        await sign(SMALL, tmp_path / "out", signer=signer)
    os.chmod(tmp_path, 0o700)


async def test_device(signer: KeySigner) -> None:
    """A device is written, not replaced."""
    await sign(SMALL, "/dev/null", signer=signer)
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)


async def test_no_target(signer: KeySigner) -> None:
    for target in (17, None, b"path", object()):
        with pytest.raises(TypeError, match="not a target"):
            await sign(SMALL, target, signer=signer)  # type: ignore[arg-type]


# ---------------------------------------------------------------- targets that fail


class Full(io.RawIOBase):
    """A file that takes some bytes and then is full."""

    def __init__(self, room: int) -> None:
        self._room = room

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        if self._room <= 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        taken = min(len(data), self._room)
        self._room -= taken
        return taken


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full")
@pytest.mark.parametrize("kind", ["path", "raw", "buffered", "asynchronous", "asynchronous and buffered"])
async def test_full_device(kind: str, signer: KeySigner) -> None:
    import anyio

    opened: dict[str, Any] = {"path": "/dev/full"}
    if kind == "raw":
        opened[kind] = open("/dev/full", "wb", buffering=0)  # noqa: ASYNC230, SIM115
    elif kind == "buffered":
        opened[kind] = io.BufferedWriter(Full(10))
    elif kind == "asynchronous":
        opened[kind] = anyio.wrap_file(Full(1000))  # type: ignore[arg-type]
    elif kind == "asynchronous and buffered":
        opened[kind] = anyio.wrap_file(io.BufferedWriter(Full(10), 1 << 20))
    target: Any = opened[kind]
    try:
        with pytest.raises(SinkError, match="No space left on device") as caught:
            await sign(SMALL, target, signer=signer)
        assert isinstance(caught.value.__cause__, OSError)
    finally:
        if kind in ("buffered", "asynchronous and buffered"):
            raw = getattr(target, "wrapped", target).raw
            raw._room = 1 << 20  # so that it can be closed
        if kind == "raw":
            target.close()


async def test_full_at_any_point(signer: KeySigner) -> None:
    size = len(await signed(LARGE, signer))
    for room in (0, 1, 400, 1_000_000, size - 2000, size - 1):
        with pytest.raises(SinkError, match="No space left"):
            await sign(LARGE, Full(room), signer=signer)  # type: ignore[arg-type]
    await sign(LARGE, Full(size), signer=signer)  # type: ignore[arg-type]


LIMITED = """
import anyio, resource, signal, sys
from dcmsign.stream import KeySigner, errors, sign
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]), int(sys.argv[1])))
vectors, source, target = sys.argv[2:5]
async def chunks():
    with open(source, "rb") as file:
        while block := file.read(100_000):
            yield block
async def main():
    signer = KeySigner.load(vectors + "/key-rsa.pem", vectors + "/cert-rsa.pem")
    try:
        await sign(chunks() if sys.argv[5] == "stream" else source, target, signer=signer)
    except errors.SinkError as error:
        print(error.message)
anyio.run(main)
"""


@pytest.mark.parametrize("kind", ["path", "stream"])
def test_full_disk(kind: str, tmp_path: Path) -> None:
    """The old file stays and nothing else, whether the output does not fit or already what is kept meanwhile."""
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(image(noise(8_000_000)))
    target.write_bytes(b"old")
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", LIMITED, "6000000", MAC_VECTORS, source, target, kind],
        capture_output=True,
        timeout=60,
        check=False,
    )
    expected = b"File too large\n" if kind == "path" else b"spool: File too large\n"
    assert (done.returncode, done.stdout, done.stderr) == (0, expected, b"")
    assert listing(tmp_path) == {"source", "target"}
    assert target.read_bytes() == b"old"


# ---------------------------------------------------------------- standard output

STDOUT = """
import anyio, sys
from dcmsign.stream import KeySigner, errors, sign, stdout
async def main():
    signer = KeySigner.load(sys.argv[2] + "/key-rsa.pem", sys.argv[2] + "/cert-rsa.pem")
    try:
        receipt = await sign(sys.argv[3], stdout(), signer=signer)
    except errors.SinkError as error:
        print(error.path, error.message, file=sys.stderr)
    else:
        print(receipt.uid, file=sys.stderr)
anyio.run(main, backend=sys.argv[1])
"""


def run_stdout(backend: str, source: Path, **options: Any) -> tuple[bytes, str]:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-X", "dev", "-c", STDOUT, backend, MAC_VECTORS, source],
        stderr=subprocess.PIPE,
        check=True,
        timeout=60,
        **options,
    )
    said = [
        line for line in done.stderr.decode().splitlines() if not line.startswith("Executing <")
    ]  # asyncio, on a busy machine
    return done.stdout, "\n".join(said).strip()


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
async def test_stdout(backend: str, trust: Trust, tmp_path: Path, anyio_backend: str) -> None:
    if backend != anyio_backend:
        return
    (tmp_path / "in").write_bytes(LARGE)
    output, uid = run_stdout(backend, tmp_path / "in", stdout=subprocess.PIPE)
    report = await verify(output, trust=trust)
    assert report.ok
    assert report.signatures[0].uid == uid
    path = tmp_path / "out"
    path.write_bytes(b"heading")
    with open(path, "r+b") as file:  # noqa: ASYNC230
        file.seek(7)
        run_stdout(backend, tmp_path / "in", stdout=file)
    assert path.read_bytes()[:7] == b"heading"
    assert (await verify(path.read_bytes()[7:], trust=trust)).ok


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_stdout_that_fails(backend: str) -> None:
    source = signed_vector("implicit-long-ds")  # larger than a pipe holds
    with open("/dev/full", "wb") as file:
        assert run_stdout(backend, source, stdout=file)[1] == "- No space left on device"
    reader, writer = os.pipe()
    os.close(reader)
    assert run_stdout(backend, source, stdout=writer)[1] == "- Broken pipe"
    os.close(writer)
    assert run_stdout(backend, source, preexec_fn=lambda: os.close(1))[1] == "- Bad file descriptor"


# ---------------------------------------------------------------- named pipes


async def test_named_pipe_that_nobody_reads(signer: KeySigner, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with anyio.move_on_after(0.2) as scope:
        await sign(SMALL, pipe, signer=signer)
    assert scope.cancelled_caught
