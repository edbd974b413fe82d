"""Disks, sources, pipes, signers and authorities that fail: the output is whole or absent, and the error says what it was."""

from __future__ import annotations

import errno
import io
import os
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import anyio
import pytest
from dcmsign.stream import KeySigner, TimestampClient, errors, is_unfinished, remove_all, sign, verify

from tests.robustness import confined
from tests.robustness.bombs import EMPTY_ITEM, MILLION
from tests.robustness.faults import CERTIFICATE, KEY, MIB, OLD, PATIENCE, SIGN, SOURCE, TARGET, Scene, file_size
from tests.stream.material import element, image, meta, noise

BACKENDS = pytest.mark.parametrize("backend", ["asyncio", "trio"])
SIGNER = KeySigner.load(KEY, CERTIFICATE)


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    (tmp_path / "scene").mkdir()
    return Scene(tmp_path / "scene", size=16 * MIB)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 8 MiB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(disk)]
    if subprocess.run(mount, stderr=subprocess.DEVNULL, check=False).returncode:
        pytest.skip("disks cannot be mounted here")
    try:
        yield disk
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)


def run(scene: Scene, *arguments: str, **options: Any) -> tuple[int, str]:
    """Exit code and messages of the command."""
    process = scene.start(*arguments, **options)
    _, said = process.communicate(timeout=PATIENCE)
    assert b"Traceback" not in said, said
    assert b"internal error" not in said, said
    return process.returncode, said.decode()


# ---------------------------------------------------------------------- disks


@pytest.mark.parametrize("pipe", [False, True])
def test_full_disk(pipe: bool, small_disk: Path) -> None:
    scene = Scene(small_disk, size=16 * MIB)  # which takes no room: it is all zeros
    code, said = run(scene, *SIGN, "-" if pipe else SOURCE, TARGET, pipe=pipe)
    assert (code, said) == (40, "F: No space left on device: writing file: target.dcm\n")
    scene.check(done=False)


@pytest.mark.parametrize("what", [SIGN, ["--remove-all"]])
def test_full_disk_in_place(what: list[str], small_disk: Path) -> None:
    """Source and target are the same, and there is no room for both."""
    path = small_disk / "image.dcm"
    data = image(noise(5 * MIB))
    path.write_bytes(data)
    done = confined.command(*what, "image.dcm", "image.dcm", folder=small_disk)
    assert (done.code, done.messages) == (40, "F: No space left on device: writing file: image.dcm\n")
    assert path.read_bytes() == data
    assert os.listdir(small_disk) == ["image.dcm"]


def test_full_disk_for_temporary_files(scene: Scene, small_disk: Path) -> None:
    """What comes through a pipe is kept there."""
    code, said = run(scene, *SIGN, "-", TARGET, pipe=True, environment={"TMPDIR": str(small_disk)})
    assert (code, said) == (40, "F: No space left on device: writing file: target.dcm\n")
    scene.check(done=False)
    assert os.listdir(small_disk) == []


@pytest.mark.parametrize("most", [0, 1, 5 * MIB])
@pytest.mark.parametrize("pipe", [False, True])
def test_longest_file(most: int, pipe: bool, scene: Scene) -> None:
    """Files must not get longer, temporary ones included; with 0 there is no usable folder for those."""
    code, said = run(scene, *SIGN, "-" if pipe else SOURCE, TARGET, pipe=pipe, before=file_size(most))
    assert code == 40
    assert "File too large: writing file: target.dcm" in said or "No usable temporary directory" in said
    scene.check(done=False)


def test_full_device(scene: Scene) -> None:
    assert run(scene, *SIGN, SOURCE, "/dev/full") == (40, "F: No space left on device: writing file: /dev/full\n")
    scene.check(done=False)


def test_folder_of_temporary_files_that_disappears(scene: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "gone").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))

    async def blocks() -> AsyncIterator[bytes]:
        yield scene.source.read_bytes()[: 2 * MIB]
        (tmp_path / "gone").rmdir()
        yield scene.source.read_bytes()[2 * MIB :]

    with pytest.raises(errors.SinkError, match="spool: No such file or directory"):
        anyio.run(lambda: sign(blocks(), scene.target, signer=SIGNER))
    scene.check(done=False)


# ---------------------------------------------------------------------- sources


class Broken(io.RawIOBase):
    """A disk with a bad block: reading fails from there on."""

    name = "broken"

    def __init__(self, path: Path, end: int, *, seekable: bool) -> None:
        self._file = open(path, "rb", buffering=0)  # noqa: SIM115
        self._end = end
        self._seekable = seekable

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return self._seekable

    def seek(self, offset: int, whence: int = 0, /) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def read(self, size: int = -1, /) -> bytes | None:
        if self._file.tell() + size > self._end:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return self._file.read(size)

    def close(self) -> None:
        self._file.close()


@BACKENDS
@pytest.mark.parametrize("seekable", [False, True])
@pytest.mark.parametrize("end", [0, 9 * MIB, 15 * MIB])
def test_read_error(end: int, seekable: bool, backend: str, scene: Scene) -> None:
    operations: tuple[Callable[[Any], Coroutine[Any, Any, object]], ...] = (
        lambda source: sign(source, scene.target, signer=SIGNER),
        lambda source: sign(source, scene.target, signer=SIGNER, tags=[0x00100010, 0x7FE00010]),
        lambda source: remove_all(source, scene.target),
        verify,
    )
    for operation in operations:
        broken = Broken(scene.source, end, seekable=seekable)
        with broken, pytest.raises(errors.SourceError, match=f"broken: {os.strerror(errno.EIO)}") as caught:
            anyio.run(operation, broken, backend=backend)
        assert isinstance(caught.value.__cause__, OSError)
        scene.check(done=False)


@BACKENDS
def test_iterable_that_raises(backend: str, scene: Scene) -> None:
    async def blocks() -> AsyncIterator[bytes]:
        yield scene.source.read_bytes()[: 9 * MIB]
        raise ZeroDivisionError("of the caller")

    with pytest.raises(ZeroDivisionError, match="of the caller"):
        anyio.run(lambda: sign(blocks(), scene.target, signer=SIGNER), backend=backend)
    scene.check(done=False)


@pytest.mark.parametrize("source", ["/proc/self/mem", "/proc", "/proc/self/nothing", "/dev/null"])
def test_what_cannot_be_read(source: str, scene: Scene) -> None:
    said = {
        "/proc/self/mem": os.strerror(errno.EIO),
        "/proc": os.strerror(errno.EISDIR),
        "/proc/self/nothing": os.strerror(errno.ENOENT),
        "/dev/null": "End of stream",
    }[source]
    for arguments in ([source], [*SIGN, source, TARGET], ["--remove-all", source, TARGET]):
        assert run(scene, *arguments) == (20, f"F: {said}: reading file: {source}\n")
        scene.check(done=False)


@BACKENDS
@pytest.mark.parametrize("left", [0, 100, 9 * MIB])
def test_file_that_is_cut_while_it_is_read(left: int, backend: str, scene: Scene) -> None:
    async def signer() -> KeySigner:
        """Asked for when the first pass is over."""
        os.truncate(scene.source, left)
        return SIGNER

    size = scene.source.stat().st_size
    with pytest.raises(errors.Error) as caught:
        anyio.run(lambda: sign(scene.source, scene.target, signer=signer), backend=backend)
    assert caught.value.path == str(scene.source)
    os.truncate(scene.source, size)
    scene.check(done=False)


def test_input_that_ends_early(scene: Scene) -> None:
    """Whoever writes into the pipe dies."""
    for options in ([], ["-t", "7fe0,0010"]):
        process = scene.start(*SIGN, *options, "-", TARGET)
        assert process.stdin is not None
        process.stdin.write(scene.source.read_bytes()[: 9 * MIB])
        _, said = process.communicate(timeout=PATIENCE)
        assert process.returncode == 20
        assert said.endswith(b"F: I/O suspension or premature end of stream: reading file: -\n")
        scene.check(done=False)


# ---------------------------------------------------------------------- targets


def test_reader_that_goes_away(scene: Scene) -> None:
    process = scene.start(*SIGN, SOURCE, "-")
    assert process.stdout is not None
    assert len(process.stdout.read(1000)) == 1000
    process.stdout.close()
    process.stdout = None
    _, said = process.communicate(timeout=PATIENCE)
    assert (process.returncode, said) == (40, b"F: Broken pipe: writing file: -\n")
    scene.check(done=False)


def test_reader_of_a_named_pipe_that_goes_away(scene: Scene, tmp_path: Path) -> None:
    pipe = str(tmp_path / "pipe")
    os.mkfifo(pipe)
    process = scene.start(*SIGN, SOURCE, pipe)
    with open(pipe, "rb") as reader:
        assert len(reader.read(1000)) == 1000
    _, said = process.communicate(timeout=PATIENCE)
    assert (process.returncode, said) == (40, f"F: Broken pipe: writing file: {pipe}\n".encode())
    assert os.path.exists(pipe)


@pytest.mark.parametrize("done", [False, True])
@pytest.mark.parametrize("dangling", [False, True])
def test_link(done: bool, dangling: bool, scene: Scene, tmp_path: Path) -> None:
    """A link stays, what it leads to is replaced or survives."""
    end, link = tmp_path / "end", tmp_path / "link"
    if not dangling:
        end.write_bytes(OLD)
    link.symlink_to("end")
    code, _ = run(scene, *SIGN, SOURCE, str(link), before=None if done else file_size(5 * MIB))
    assert code == (0 if done else 40)
    assert link.is_symlink()
    assert (end.read_bytes() if end.exists() else None) == (None if dangling else OLD) or (done and end.stat().st_size > 16 * MIB)
    assert {path.name for path in tmp_path.iterdir()} - {"end", "scene", "link"} == set()


def test_folder_as_target(scene: Scene) -> None:
    assert run(scene, *SIGN, SOURCE, ".") == (40, "F: Is a directory: writing file: .\n")
    scene.check(done=False)


class Meddler:
    """A signer that does something to the surroundings before it signs."""

    certificate = SIGNER.certificate

    def __init__(self, meddle: Callable[[], object]) -> None:
        self._meddle = meddle

    async def sign_digest(self, digest: bytes, mac_algorithm: str) -> bytes:
        self._meddle()
        return await SIGNER.sign_digest(digest, mac_algorithm)


@BACKENDS
def test_target_folder_that_disappears(backend: str, scene: Scene, tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()

    def remove() -> None:
        assert [is_unfinished(name) for name in os.listdir(folder)] == [True]
        for path in folder.iterdir():
            path.unlink()
        folder.rmdir()

    with pytest.raises(errors.SinkError, match="No such file or directory"):
        anyio.run(lambda: sign(scene.source, folder / TARGET, signer=Meddler(remove)), backend=backend)
    assert not folder.exists()


def test_target_that_becomes_a_folder(scene: Scene) -> None:
    def replace() -> None:
        scene.target.unlink()
        scene.target.mkdir()

    with pytest.raises(errors.SinkError, match="Is a directory"):
        anyio.run(lambda: sign(scene.source, scene.target, signer=Meddler(replace)))
    scene.target.rmdir()
    scene.target.write_bytes(OLD)
    scene.check(done=False)


LOCKED = """
import anyio
from dcmsign.stream import KeySigner, errors, sign
source, target, key, certificate = sys.argv[1:]
class Locking(KeySigner):
    async def sign_digest(self, digest, mac_algorithm):
        os.chmod(os.path.dirname(target), 0o555)
        return await super().sign_digest(digest, mac_algorithm)
signer = Locking.load(key, certificate)
anyio.run(lambda: sign(source, "/dev/null", signer=KeySigner.load(key, certificate)))  # nobody else may load modules here
if not os.getuid():
    os.setuid(65534)  # whom the mode of a folder means something to
try:
    anyio.run(lambda: sign(source, target, signer=signer))
except errors.SinkError as error:
    print(error)
"""


def test_folder_that_becomes_read_only(scene: Scene) -> None:
    """Nothing can be removed either; what stays can be told from an object."""
    with tempfile.TemporaryDirectory() as name:  # below which everybody can look
        folder = Path(name)
        os.chmod(folder, 0o777)
        (folder / SOURCE).write_bytes(scene.source.read_bytes())
        (folder / TARGET).write_bytes(OLD)
        os.chmod(folder / SOURCE, 0o644)
        if not os.getuid():
            os.chown(folder, 65534, 65534)
        done = confined.python(LOCKED, folder / SOURCE, folder / TARGET, KEY, CERTIFICATE, folder=folder)
        assert done.output.decode() == f"{folder / TARGET}: {os.strerror(errno.EACCES)}\n", done
        os.chmod(folder, 0o777)
        assert (folder / TARGET).read_bytes() == OLD
        assert all(map(is_unfinished, set(os.listdir(folder)) - {SOURCE, TARGET}))


# ---------------------------------------------------------------------- those who are asked


class Hanging:
    """A signer that never answers."""

    certificate = SIGNER.certificate

    async def sign_digest(self, digest: bytes, mac_algorithm: str) -> bytes:
        await anyio.sleep_forever()
        raise AssertionError


@BACKENDS
def test_signer_that_hangs(backend: str, scene: Scene) -> None:
    async def main() -> bool:
        with anyio.move_on_after(1) as scope:
            await sign(scene.source, scene.target, signer=Hanging())
        return scope.cancelled_caught

    assert anyio.run(main, backend=backend)
    scene.check(done=False)


@BACKENDS
def test_signer_that_raises(backend: str, scene: Scene) -> None:
    def fail() -> None:
        raise ConnectionResetError("by the key service")

    with pytest.raises(ConnectionResetError, match="by the key service"):
        anyio.run(lambda: sign(scene.source, scene.target, signer=Meddler(fail)), backend=backend)
    scene.check(done=False)


@BACKENDS
def test_signer_that_lies(backend: str, scene: Scene) -> None:
    class Lying(Hanging):
        async def sign_digest(self, digest: bytes, mac_algorithm: str) -> bytes:
            return await SIGNER.sign_digest(bytes(len(digest)), mac_algorithm)

    with pytest.raises(errors.CryptoFailure):
        anyio.run(lambda: sign(scene.source, scene.target, signer=Lying()), backend=backend)
    scene.check(done=False)


class Authority:
    """A server at a real port that answers with some bytes again and again, or with nothing, and never ends."""

    def __init__(self, begin: bytes, again: bytes) -> None:
        self._begin, self._again = begin, again
        self._server = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._server.getsockname()[1]}/"
        self.sent = 0
        self._over = False
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        while not self._over:
            with suppress(OSError):
                connection, _ = self._server.accept()
                with connection:
                    connection.settimeout(0.1)
                    connection.sendall(self._begin)
                    while not self._over:
                        if self._again:
                            connection.sendall(self._again)
                            self.sent += len(self._again)
                        else:
                            time.sleep(0.02)

    def __enter__(self) -> Authority:
        return self

    def __exit__(self, *_: object) -> None:
        self._over = True
        with suppress(OSError), socket.create_connection(self._server.getsockname(), timeout=1):
            pass
        self._thread.join()
        self._server.close()


HEADER = b"HTTP/1.1 200 OK\r\nContent-Type: application/timestamp-reply\r\nContent-Length: 9999999999\r\n\r\n"
CHUNKED = b"HTTP/1.1 200 OK\r\nContent-Type: application/timestamp-reply\r\nTransfer-Encoding: chunked\r\n\r\n"
AUTHORITIES = {
    "silent": (b"", b"", 69),
    "endless header": (b"HTTP/1.1 200 OK\r\n", b"X: y\r\n" * 1000, 69),
    "slow body": (HEADER.replace(b"9999999999", b"1000") + b"0", b"", 69),
    "endless body": (HEADER, bytes(1 << 16), 87),
    "endless chunks": (CHUNKED, b"1000\r\n" + bytes(0x1000) + b"\r\n", 87),
}


@pytest.mark.parametrize("name", AUTHORITIES)
def test_authority_that_never_ends(name: str, scene: Scene) -> None:
    begin, again, code = AUTHORITIES[name]
    with Authority(begin, again) as authority:
        done = confined.command(*SIGN, "--timestamp-url", authority.url, "--ts-timeout", "2", SOURCE, TARGET, folder=scene.folder)
        assert done.code == code, done
        assert confined.is_orderly(done)
        assert done.peak < confined.BOUND
        assert authority.sent < 64 * MIB
    scene.check(done=False)


@BACKENDS
def test_authority_that_hangs_while_somebody_else_loses_patience(backend: str, scene: Scene) -> None:
    async def main(url: str) -> bool:
        with anyio.move_on_after(0.5) as scope:
            await sign(scene.source, scene.target, signer=SIGNER, timestamp=TimestampClient(url, timeout=60))
        return scope.cancelled_caught

    with Authority(b"", b"") as authority:
        assert anyio.run(main, authority.url, backend=backend)
    scene.check(done=False)


# ---------------------------------------------------------------------- files that the user names


def test_giant_files(scene: Scene) -> None:
    """Keys, certificates, revocation lists and lists of tags."""
    folder = scene.folder.parent
    certificate = CERTIFICATE.read_bytes()
    (folder / "image.dcm").write_bytes(image(b"1234"))
    (folder / "lines.pem").write_bytes(certificate + b"ab\n" * MILLION)
    (folder / "long.pem").write_bytes(certificate + (b"A" * 64 + b"\n") * MILLION)
    (folder / "block.pem").write_bytes(b"-----BEGIN CERTIFICATE-----\n" + b"QUJD\n" * 200_000 + b"-----END CERTIFICATE-----\n")
    (folder / "many.pem").write_bytes(certificate * 1500)
    (folder / "tags").write_bytes(b"(0010,0010)\n" * 40_000)
    (folder / "giant").write_bytes(b"(0010,0010)\n" * MILLION)
    (folder / "strange").write_bytes(b"( " + b" " * 1_000_000)
    ok = confined.command(*SIGN, "image.dcm", "signed.dcm", folder=folder)
    assert ok.code == 0
    zero, out = "/dev/zero", ("image.dcm", "out.dcm")
    key = f"while loading private key file '{zero}'"
    cases: tuple[tuple[int, str, tuple[str | Path, ...]], ...] = (
        (0, "OK", ("+cf", "lines.pem", "signed.dcm")),
        (101, "self-signed certificate", ("+cf", "long.pem", "signed.dcm")),
        (101, "self-signed certificate", ("+cf", "block.pem", "signed.dcm")),
        (0, "OK", ("+cf", "many.pem", "signed.dcm")),
        (101, "self-signed certificate", ("+cf", zero, "signed.dcm")),
        (20, key, ("+m2", "+s", zero, CERTIFICATE, *out)),
        (20, f"while loading certificate file '{zero}'", ("+m2", "+s", KEY, zero, *out)),
        (0, "", (*SIGN, "-tf", "tags", *out)),
        (30, "Error while reading tag file 'giant', giving up.", (*SIGN, "-tf", "giant", *out)),
        (30, "Error while reading tag file", (*SIGN, "-tf", zero, *out)),
        (86, "parse error in text file 'strange'", (*SIGN, "-tf", "strange", *out)),
    )
    for code, text, arguments in cases:
        done = confined.command(*arguments, folder=folder)
        assert done.code == code, (arguments, done)
        assert text in done.messages, arguments
        assert confined.is_orderly(done), done.messages
        assert done.peak < confined.BOUND, arguments
        (folder / "out.dcm").unlink(missing_ok=True)


def test_giant_name_in_a_list(tmp_path: Path) -> None:
    """Names on standard input that never end."""
    (tmp_path / "names").write_bytes(b"n" * 20 * MIB + b"\nimage.dcm\n")
    (tmp_path / "image.dcm").write_bytes(meta() + element(0x00081140, "SQ", EMPTY_ITEM))
    done = confined.command("--batch", "-", folder=tmp_path, given=tmp_path / "names")
    assert done.code == 20
    assert done.peak < confined.BOUND
    assert done.output.count(b"\n") == 2
    assert b'"path": "image.dcm", "exit_code": 0' in done.output
