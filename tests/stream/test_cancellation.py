"""Cancelled at every point where it waits, an operation leaves nothing behind: no file, thread, descriptor or half an output."""

from __future__ import annotations

import asyncio
import gc
import io
import os
import signal
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import anyio
import anyio.from_thread
import anyio.lowlevel
import pytest
from dcmsign.stream import KeySigner, open_signer, open_verifier, sign, verify

from tests.stream import leaks
from tests.stream.interrupts import CANCELLERS
from tests.stream.material import MAC_VECTORS, image, listing, noise, noon, shuffled
from tests.stream.ways import OneWay

pytestmark = pytest.mark.usefixtures("same_uids")
LARGE = image(noise(3_000_001) + b"\0")
CHUNK = 700_000
PATIENCE = 0.005
Run = Callable[..., object]


async def chunks() -> Any:
    for position in range(0, len(LARGE), CHUNK):
        await anyio.lowlevel.checkpoint()
        yield LARGE[position : position + CHUNK]


class Patient:
    """A signer that thinks for a while."""

    def __init__(self, signer: KeySigner) -> None:
        self._signer = signer
        self.certificate = signer.certificate

    async def sign_digest(self, digest: bytes, mac_algorithm: str) -> bytes:
        await anyio.lowlevel.checkpoint()
        return await self._signer.sign_digest(digest, mac_algorithm)


class Swallow:
    """A send stream that takes everything, at its leisure."""

    def __init__(self) -> None:
        self.taken = b""

    async def send(self, item: bytes) -> None:
        await anyio.lowlevel.checkpoint()
        self.taken += item


async def _consume(forwarding: Any) -> None:
    async with forwarding as blocks:
        async for _ in blocks:
            await anyio.lowlevel.checkpoint()


Operation = Callable[[Path, KeySigner], Coroutine[Any, Any, Any]]
READING: dict[str, Operation] = {
    "verify path": lambda folder, signer: verify(folder / "source"),
    "verify bytes": lambda folder, signer: verify(LARGE),
    "verify iterable": lambda folder, signer: verify(chunks()),
    "verify file that cannot seek": lambda folder, signer: verify(OneWay(LARGE, 1 << 20)),  # type: ignore[arg-type]
    "verify unsorted path": lambda folder, signer: verify(folder / "unsorted"),
    "open_verifier path": lambda folder, signer: _consume(open_verifier(folder / "source")),
    "open_verifier iterable": lambda folder, signer: _consume(open_verifier(chunks())),
    "open_signer path": lambda folder, signer: _consume(open_signer(folder / "source", signer=Patient(signer))),
    "open_signer iterable": lambda folder, signer: _consume(open_signer(chunks(), signer=Patient(signer), tags=[0x00100010])),
    "sign to stream": lambda folder, signer: sign(folder / "source", Swallow(), signer=Patient(signer)),
    "sign to file object": lambda folder, signer: sign(chunks(), io.BytesIO(), signer=Patient(signer)),
}


def _sign(source: Any, folder: Path, signer: KeySigner, **options: Any) -> Coroutine[Any, Any, Any]:
    return sign(source, folder / "target", signer=Patient(signer), clock=noon, **options)


WRITING: dict[str, Operation] = {
    "path": lambda folder, signer: _sign(folder / "source", folder, signer),
    "in place": lambda folder, signer: _sign(folder / "target", folder, signer, durable=True),
    "iterable": lambda folder, signer: _sign(chunks(), folder, signer),
    "iterable in one pass": lambda folder, signer: _sign(chunks(), folder, signer, tags=[0x00100010]),
    "file that cannot seek": lambda folder, signer: _sign(OneWay(LARGE, 1 << 20), folder, signer),
    "with dump": lambda folder, signer: _sign(LARGE, folder, signer, dump=folder.parent / "dump"),
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "source").write_bytes(LARGE)
    (tmp_path / "folder" / "unsorted").write_bytes(shuffled(pixels=noise(3_000_000)))
    return tmp_path / "folder"


def check_nothing_left(descriptors: dict[str, str]) -> None:
    assert leaks.threads_at_work() == []
    if leaks.open_descriptors() != descriptors:
        gc.collect()  # of frames kept by the traceback, never of files: those would warn
    assert leaks.open_descriptors() == descriptors


@pytest.mark.parametrize("name", READING)
@pytest.mark.parametrize("how", CANCELLERS)
def test_everywhere(how: str, name: str, folder: Path, signer: KeySigner) -> None:
    backend, cancelled = CANCELLERS[how]

    async def attempts() -> int:
        await READING[name](folder, signer)  # so that the event loop has the descriptors it needs
        number = 0
        while True:
            before = leaks.open_descriptors()
            reached, _ = await cancelled(READING[name](folder, signer), number)
            check_nothing_left(before)
            if not reached:
                return number
            number += 1

    assert leaks.runner(backend)(attempts) > 1
    assert listing(folder) == {"source", "unsorted"}


@pytest.mark.parametrize("existing", [True, False])
@pytest.mark.parametrize("name", WRITING)
@pytest.mark.parametrize("how", CANCELLERS)
def test_targets(how: str, name: str, existing: bool, folder: Path, signer: KeySigner) -> None:
    """The target is as it was; only asyncio's own cancellation may come too late and find it signed, whole."""
    if name == "in place" and not existing:
        return
    backend, cancelled = CANCELLERS[how]
    target = folder / "target"
    old = LARGE if existing else None

    async def attempts() -> int:
        number, expected = 0, b""
        while True:
            target.unlink(missing_ok=True)
            if old is not None:
                target.write_bytes(old)
            if number == 0 and not expected:
                await WRITING[name](folder, signer)
                expected = target.read_bytes()
                continue
            before = leaks.open_descriptors()
            reached, caught = await cancelled(WRITING[name](folder, signer), number)
            check_nothing_left(before)
            found = target.read_bytes() if target.exists() else None
            if not caught:
                assert found == expected
            else:
                assert found == old or (how == "asyncio, task" and found == expected)
            assert listing(folder) <= {"source", "unsorted", "target"}
            if not reached:
                return number
            number += 1

    assert leaks.runner(backend)(attempts) > 5


class CancellingFile(io.BytesIO):
    """A seekable file object that cancels a scope, from the thread, when it is read for the n-th time."""

    def __init__(self, data: bytes, number: int) -> None:
        super().__init__(data)
        self._number = number
        self.reads = 0
        self.scope: anyio.CancelScope | None = None
        self.token: anyio.lowlevel.EventLoopToken | None = None

    def read(self, size: int | None = -1, /) -> bytes:
        self.reads += 1
        if self.reads == self._number:
            assert self.scope is not None
            anyio.from_thread.run_sync(self.scope.cancel, token=self.token)  # also from the thread that reads ahead
        return super().read(size)


@pytest.mark.parametrize("data", [image(noise(13_000_000)), shuffled(pixels=noise(3_000_000))], ids=["sorted", "unsorted"])
@pytest.mark.parametrize("backend", ["asyncio", "trio"])
@pytest.mark.parametrize("operation", ["verify", "sign"])
def test_threads_notice(operation: str, backend: str, data: bytes, folder: Path, signer: KeySigner) -> None:
    """A worker thread in the middle of a file stops soon."""

    async def attempt(number: int) -> tuple[int, bool]:
        file = CancellingFile(data, number)
        file.token = anyio.lowlevel.current_token()
        with anyio.CancelScope() as file.scope:
            await (verify(file) if operation == "verify" else sign(file, folder / "target", signer=signer))
        return file.reads, file.scope.cancelled_caught

    run = leaks.runner(backend)
    total, _ = run(attempt, 0)
    (folder / "target").unlink(missing_ok=True)
    assert total > 2
    for number in range(1, total - 2):
        reads, caught = run(attempt, number)
        assert caught
        assert reads <= number + 2  # one is read ahead
        assert listing(folder) == {"source", "unsorted"}


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
@pytest.mark.parametrize("where", ["signer", "factory", "source", "send stream", "pipe", "named pipe"])
def test_hanging(where: str, backend: str, folder: Path, signer: KeySigner) -> None:
    """Whatever the others never do, a time limit ends it."""

    class Hanging:
        certificate = signer.certificate

        async def sign_digest(self, digest: bytes, mac_algorithm: str) -> bytes:
            await anyio.sleep_forever()
            raise AssertionError

    async def factory() -> KeySigner:
        await anyio.sleep_forever()
        raise AssertionError

    async def source() -> Any:
        yield LARGE[:1_000_000]
        await anyio.sleep_forever()

    async def main() -> None:
        send, receive = anyio.create_memory_object_stream[bytes](0)
        reader, writer = os.pipe()
        os.mkfifo(folder.parent / "pipe")
        attempts: dict[str, Callable[[], Coroutine[Any, Any, Any]]] = {
            "signer": lambda: sign(LARGE, folder / "target", signer=Hanging()),
            "factory": lambda: sign(LARGE, folder / "target", signer=factory),
            "source": lambda: sign(source(), folder / "target", signer=signer),
            "send stream": lambda: sign(LARGE, send, signer=signer),
            "pipe": lambda: verify(f"/dev/fd/{reader}"),
            "named pipe": lambda: verify(folder.parent / "pipe"),
        }
        try:
            async with send, receive:
                with anyio.move_on_after(0.1) as scope:
                    await attempts[where]()
            assert scope.cancelled_caught
        finally:
            os.close(reader)
            os.close(writer)

    leaks.runner(backend)(main)
    assert listing(folder) == {"source", "unsorted"}


class Closing:
    """An async iterable, and an asynchronous file, whose end takes some awaiting."""

    def __init__(self) -> None:
        self.ended = False
        self._first = True

    def __aiter__(self) -> Closing:
        return self

    async def __anext__(self) -> bytes:
        if self._first:
            self._first = False
            return LARGE[:1_000_000]
        await anyio.sleep_forever()
        raise StopAsyncIteration

    async def aclose(self) -> None:
        await anyio.sleep(0.01)
        self.ended = True

    async def write(self, data: bytes) -> int:
        await anyio.sleep_forever()
        return len(data)

    async def flush(self) -> None:
        await self.aclose()


@pytest.mark.parametrize("operation", ["verify", "sign", "open_verifier", "open_signer", "sign to asynchronous file"])
@pytest.mark.parametrize("how", CANCELLERS)
def test_ends_are_awaited(how: str, operation: str, signer: KeySigner) -> None:
    """Connections are given back and files flushed although the task has been cancelled."""
    backend, _ = CANCELLERS[how]
    attempts: dict[str, Callable[[Any], Coroutine[Any, Any, Any]]] = {
        "verify": verify,
        "sign": lambda source: sign(source, io.BytesIO(), signer=signer),
        "open_verifier": lambda source: _consume(open_verifier(source)),
        "open_signer": lambda source: _consume(open_signer(source, signer=signer)),
        "sign to asynchronous file": lambda target: sign(LARGE, target, signer=signer),
    }

    async def main() -> None:
        closing = Closing()
        if how == "asyncio, task":
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(attempts[operation](closing), 0.05)
        else:
            with anyio.move_on_after(0.05):
                await attempts[operation](closing)
        assert closing.ended

    leaks.runner(backend)(main)


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_no_time_at_all(backend: str, folder: Path, signer: KeySigner) -> None:
    async def main() -> None:
        for _ in range(20):
            for operation in (*READING.values(), *WRITING.values()):
                with anyio.move_on_after(0) as scope:
                    await operation(folder, signer)
                assert scope.cancelled_caught

    (folder / "target").write_bytes(LARGE)
    leaks.runner(backend)(main)
    assert (folder / "target").read_bytes() == LARGE


class Slow(io.BytesIO):
    """A seekable file object that takes its time, so that its thread is at work when the task is cancelled."""

    def read(self, size: int | None = -1, /) -> bytes:
        time.sleep(0.02)
        return super().read(CHUNK if size is None or size < 0 else min(size, CHUNK))


@pytest.mark.parametrize("delay", [0.005, 0.03, 0.05])
@pytest.mark.parametrize("operation", ["verify", "sign", "sign to stream", "open_verifier"])
def test_cancelled_task_waits_for_its_thread(operation: str, delay: float, folder: Path, signer: KeySigner) -> None:
    """asyncio.timeout and its like do not wait for threads, which go on writing to descriptors that are closed meanwhile."""
    attempts: dict[str, Callable[[], Coroutine[Any, Any, Any]]] = {
        "verify": lambda: verify(Slow(LARGE)),
        "sign": lambda: sign(Slow(LARGE), folder / "target", signer=signer),
        "sign to stream": lambda: sign(Slow(LARGE), Swallow(), signer=signer),
        "open_verifier": lambda: _consume(open_verifier(Slow(LARGE))),
    }

    async def main() -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(delay):
                await attempts[operation]()
        time.sleep(PATIENCE)  # noqa: ASYNC251 for the thread to leave its last function
        assert leaks.threads_at_work() == []
        assert listing(folder) == {"source", "unsorted"}

    leaks.runner("asyncio")(main)


def test_cancelled_twice(folder: Path, signer: KeySigner) -> None:
    async def main() -> None:
        task = asyncio.create_task(sign(Slow(LARGE), folder / "target", signer=signer))
        for delay in (0.03, 0.003, 0.003, 0):
            await asyncio.sleep(delay)
            task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert listing(folder) == {"source", "unsorted"}

    leaks.runner("asyncio")(main)


def test_many_at_once(folder: Path, signer: KeySigner) -> None:
    """Threads that still write when the task is gone would write into the files of others."""

    async def one(number: int) -> bool:
        target = folder / f"target-{number}"
        try:
            async with asyncio.timeout(0.002 * (number % 12)):
                await sign(folder / "source", target, signer=signer, clock=noon)
        except TimeoutError:
            assert not target.exists() or target.stat().st_size > len(LARGE)
            return False
        return True

    async def main() -> None:
        for _ in range(3):
            await asyncio.gather(*(one(number) for number in range(24)))

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        leaks.runner("asyncio")(main)
    sizes = {path.stat().st_size for path in folder.glob("target-*")}
    assert len(sizes) <= 1
    assert {name.split("-")[0] for name in listing(folder)} <= {"source", "unsorted", "target"}


INTERRUPTED = """
import anyio, sys
from dcmsign.stream import KeySigner, sign, stdout
vectors, source = sys.argv[2:]
async def main():
    print("ready", file=sys.stderr, flush=True)
    await sign(source, stdout(), signer=KeySigner.load(vectors + "/key-rsa.pem", vectors + "/cert-rsa.pem"))
anyio.run(main, backend=sys.argv[1])
"""


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_interrupt_while_the_reader_of_a_pipe_sleeps(backend: str, folder: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-W", "error", "-X", "dev", "-c", INTERRUPTED, backend, MAC_VECTORS, folder / "source"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    try:
        assert process.stderr.readline() == b"ready\n"
        assert process.stdout.read(1) == b"\0"
        time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        deadline = threading.Timer(20, process.kill)
        deadline.start()
        error = process.stderr.read()
        deadline.cancel()
        assert error.rstrip().endswith(b"KeyboardInterrupt")
        assert b"Warning" not in error
        assert process.wait(20) != -signal.SIGKILL
    finally:
        process.kill()
        process.stdout.close()
        process.stderr.close()
        process.wait()
