"""Load on the service of examples/service.py: memory, latency of its health endpoint, throughput, back-pressure.

    python -m benchmarks.service_load [--clients 50] [--size 100] [--frames 0] [--json FILE]

The service runs in a process of its own under uvicorn, so does what polls `/health` every 10 ms; the clients run here. What they
upload is made while it is sent. A late poll counts from when it was due, so that a stall is not counted once only.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from dcmsign.stream import KeySigner, sign

from benchmarks.encoding import FORMS
from benchmarks.inputs import make_dense

ROOT = Path(__file__).resolve().parent.parent
KEY, CERTIFICATE = (ROOT / "tests" / "vectors" / "mac" / name for name in ("key-rsa.pem", "cert-rsa.pem"))
MIB = 1 << 20
PIECE = 1 << 18
EVERY = 0.01
"""Seconds between two looks at the health endpoint."""

TAGS = (0x00100010, 0x7FE00010)
DENSE_TAGS = (0x00080018, 0x52009230)

_PIXELS = b"\xe0\x7f\x10\x00OW\0\0"
_QUIET = 0.3
"""Seconds without progress after which a sender counts as held up."""


# ---------------------------------------------------------------- what is uploaded


@dataclass(frozen=True, slots=True)
class Upload:
    """Bytes, then as many zeros, then more bytes."""

    head: bytes
    zeros: int = 0
    tail: bytes = b""

    def __len__(self) -> int:
        return len(self.head) + self.zeros + len(self.tail)

    def pieces(self) -> Iterator[bytes]:
        """All of it, piece by piece."""
        zeros = bytes(PIECE)
        yield from (self.head[start : start + PIECE] for start in range(0, len(self.head), PIECE))
        for start in range(0, self.zeros, PIECE):
            yield zeros[: self.zeros - start]
        if self.tail:
            yield self.tail

    async def stream(self) -> AsyncIterator[bytes]:
        """The same for clients that want an async iterable."""
        for piece in self.pieces():
            yield piece


def image(size: int) -> Upload:
    """An object with native pixel data of `size` zero bytes."""
    uids = b"\x08\x00\x16\x00UI\x1a\x001.2.840.10008.5.1.4.1.1.7\0" + b"\x08\x00\x18\x00UI\x08\x002.25.42\0"
    syntax = b"\x02\x00\x10\x00UI\x14\x001.2.840.10008.1.2.1\0"
    meta = b"\x02\x00\x00\x00UL\x04\x00" + len(syntax).to_bytes(4, "little") + syntax
    patient = b"\x10\x00\x10\x00PN\x08\x00Doe^Jane"
    return Upload(bytes(128) + b"DICM" + meta + uids + patient + _PIXELS + size.to_bytes(4, "little"), size)


class _Keeper:
    """A file that keeps what is written to it, except pixel data, which are counted."""

    def __init__(self) -> None:
        self._head, self._tail = bytearray(), bytearray()
        self._pixels, self._left = -1, 0

    def write(self, data: bytes | memoryview) -> int:
        """Take the next bytes."""
        rest = bytes(data)
        if self._pixels < 0:
            self._head += rest
            start = self._head.find(_PIXELS) + 12
            if start < 12 or len(self._head) < start:
                return len(data)
            self._pixels = self._left = int.from_bytes(self._head[start - 4 : start], "little")
            rest = bytes(self._head[start:])
            del self._head[start:]
        skipped = min(self._left, len(rest))
        self._left -= skipped
        self._tail += rest[skipped:]
        return len(data)

    def flush(self) -> None:
        """Nothing is buffered."""

    @property
    def upload(self) -> Upload:
        """What was written."""
        return Upload(bytes(self._head), self._pixels, bytes(self._tail))


async def signed(upload: Upload) -> Upload:
    """The same object with a signature."""
    keeper: Any = _Keeper()
    await sign(upload.stream(), keeper, signer=KeySigner.load(KEY, CERTIFICATE), tags=TAGS)
    result: Upload = keeper.upload
    return result


# ---------------------------------------------------------------- the service and its clients


class Service:
    """The service in a process of its own."""

    def __init__(self, *options: str, folder: Path | None = None) -> None:
        command = [sys.executable, "-m", "examples.service", str(KEY), str(CERTIFICATE), *options]
        environment = os.environ if folder is None else {**os.environ, "TMPDIR": str(folder)}
        self.process = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        self.url = self.process.stdout.readline().strip()
        self.port = int(self.url.rpartition(":")[2])

    def peak(self) -> float:
        """Peak of the resident memory in MiB."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.partition("VmHWM:")[2].split()[0]) / 1024

    def descriptors(self) -> list[str]:
        """What its open descriptors stand for."""
        return sorted(os.readlink(entry) for entry in Path(f"/proc/{self.process.pid}/fd").iterdir())

    def stop(self) -> tuple[int, str]:
        """Exit status and messages after SIGTERM."""
        self.process.send_signal(signal.SIGTERM)
        _, messages = self.process.communicate(timeout=60)
        return self.process.returncode, messages

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.communicate()


@dataclass(slots=True)
class Exchange:
    """A request that is written and read at the same time, over a connection of its own.

    `missing`: bytes that are announced but never come. `limit`: seconds after which it fails.
    """

    port: int
    path: str
    upload: Upload
    sent: int = 0
    status: int = 0
    received: int = 0
    body: bytearray = field(default_factory=bytearray)
    keep: bool = False
    missing: int = 0
    limit: float = 600
    reading: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self) -> Self:
        """Send everything, receive everything; nothing is read before `reading` is set."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        sending = asyncio.create_task(self._send(writer))
        try:
            async with asyncio.timeout(self.limit):
                await self.reading.wait()
                await self._receive(reader)
                await sending
        finally:
            sending.cancel()
            writer.transport.abort()  # a service that has stopped reading would keep what is not sent yet
            await asyncio.gather(sending, writer.wait_closed(), return_exceptions=True)
        return self

    async def _send(self, writer: asyncio.StreamWriter) -> None:
        length = len(self.upload) + self.missing
        head = f"POST {self.path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n\r\n"
        writer.write(head.encode())
        for piece in self.upload.pieces():
            writer.write(piece)
            await writer.drain()
            self.sent += len(piece)

    async def _receive(self, reader: asyncio.StreamReader) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        self.status = int(head.split()[1])
        if "transfer-encoding: chunked" not in head:
            await self._take(reader, int(head.partition("content-length:")[2].split()[0]))
            return
        while size := int(await reader.readline(), 16):
            await self._take(reader, size)
            await reader.readline()

    async def _take(self, reader: asyncio.StreamReader, size: int) -> None:
        while size:
            block = await reader.read(min(size, PIECE))
            if not block:
                raise EOFError("the answer ends in the middle")
            size -= len(block)
            self.received += len(block)
            if self.keep:
                self.body += block


async def exchange(port: int, path: str, upload: Upload, *, keep: bool = False, limit: float = 600) -> Exchange:
    """Send and receive as fast as possible."""
    it = Exchange(port, path, upload, keep=keep, limit=limit)
    it.reading.set()
    return await it.run()


async def held_up(it: Exchange) -> int:
    """Wait until a sender makes no progress any more; the bytes it got rid of."""
    before = -1
    while it.sent != before:
        before = it.sent
        await asyncio.sleep(_QUIET)
    return before


# ---------------------------------------------------------------- measuring


def poll(port: int) -> None:
    """Ask for the health until standard input ends; print the latencies in seconds."""
    latencies: list[float] = []
    request = b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"
    with socket.create_connection(("127.0.0.1", port)) as connection:
        due = time.perf_counter()
        while not select.select([sys.stdin], [], [], 0)[0]:
            connection.sendall(request)
            answer = b""
            while not answer.endswith(b'{"status":"ok"}'):
                answer += connection.recv(4096)
            now = time.perf_counter()
            latencies.append(now - due)
            due += EVERY
            time.sleep(max(0.0, due - now))
    print(json.dumps(latencies))


@contextmanager
def polled(port: int, figures: dict[str, float]) -> Iterator[None]:
    """Note the latency of the health endpoint, in ms, during what is done inside."""
    command = [sys.executable, "-m", "benchmarks.service_load", "--poll", str(port)]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as poller:
        time.sleep(0.5)  # until it has started
        yield
        output, _ = poller.communicate()
    latencies = sorted(json.loads(output))
    for name, share in (("p50", 0.5), ("p99", 0.99), ("p99.9", 0.999), ("worst", 1.0)):
        figures[name] = round(latencies[min(len(latencies) - 1, int(len(latencies) * share))] * 1000, 2)
    figures["polls"] = len(latencies)


def load(path: str, upload: Upload, clients: int, options: list[str]) -> dict[str, float]:
    """Figures of a new service under the load of that many clients at once."""
    figures: dict[str, float] = {}

    async def run() -> None:
        for done in await asyncio.gather(*(exchange(service.port, path, upload) for _ in range(clients))):
            if done.status != 200:
                raise RuntimeError(f"{path}: status {done.status}")

    with Service(*options) as service:
        figures["memory_before"] = round(service.peak(), 1)
        with polled(service.port, figures):
            start = time.perf_counter()
            asyncio.run(run())
            figures["seconds"] = round(time.perf_counter() - start, 2)
        figures["memory"] = round(service.peak(), 1)
    figures["rate"] = round(clients * len(upload) / MIB / figures["seconds"], 1)
    return figures


def back_pressure(upload: Upload, options: list[str]) -> dict[str, float]:
    """How much a client gets rid of that reads nothing of the answer, in MiB; and the peak of the service's memory."""

    async def run(service: Service) -> int:
        async with AsyncExitStack() as stack:
            it = Exchange(service.port, signing_path(TAGS), upload)
            task = asyncio.create_task(it.run())
            stack.callback(task.cancel)
            accepted = await held_up(it)
            it.reading.set()
            await task
        return accepted

    with Service(*options) as service:
        accepted = asyncio.run(run(service))
        return {"size": len(upload) / MIB, "accepted": round(accepted / MIB, 1), "memory": round(service.peak(), 1)}


def signing_path(tags: tuple[int, ...]) -> str:
    """Where to sign in one pass."""
    return "/sign?tags=" + ",".join(f"{tag:08X}" for tag in tags)


def dense(frames: int) -> Upload:
    """An object with many nested data elements."""
    with tempfile.TemporaryDirectory() as folder:
        make_dense(Path(folder) / "dense.dcm", frames, FORMS["explicit"])
        return Upload((Path(folder) / "dense.dcm").read_bytes())


def markdown(results: dict[str, Any]) -> str:
    """The figures as a table and a line."""
    lines = ["| load | MiB/s | peak memory MiB | /health p50 ms | p99 ms | worst ms |", "|---|---|---|---|---|---|"]
    for name, it in results["loads"].items():
        lines.append(f"| {name} | {it['rate']} | {it['memory']} | {it['p50']} | {it['p99']} | {it['worst']} |")
    held = results["back_pressure"]
    lines.append(f"\nA client that reads nothing gets rid of {held['accepted']} of {held['size']:.0f} MiB, all buffers included.")
    return "\n".join(lines)


def main() -> None:
    """Measure, print the table, write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--size", type=int, default=100, help="MiB of each upload")
    parser.add_argument("--frames", type=int, default=0, help="frames of a dense nested object that is signed as well; 0: none")
    parser.add_argument("--only", help="one kind of load: verify, sign, pass or dense")
    parser.add_argument("--service", action="append", default=[], help="an option of the service, such as --service=--threads=4")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--poll", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.poll is not None:
        poll(options.poll)
        return
    plain = image(options.size * MIB)
    loads = {
        "verify": ("/verify", asyncio.run(signed(plain))),
        "sign": ("/sign", plain),
        "pass": (signing_path(TAGS), plain),
    }
    if options.frames:
        loads["dense"] = (signing_path(DENSE_TAGS), dense(options.frames))
    results: dict[str, Any] = {"clients": options.clients, "size_mib": options.size, "service": options.service, "loads": {}}
    for name, (path, upload) in loads.items():
        if options.only in (None, name):
            results["loads"][name] = load(path, upload, options.clients, options.service)
    results["back_pressure"] = back_pressure(plain, options.service)
    print(markdown(results))
    if options.json is not None:
        options.json.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
