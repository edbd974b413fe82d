"""One operation of the library inside a process, without the start of Python and the imports.

    python -m benchmarks.inside --result FILE [--watch SECONDS | --sample] verify CERTIFICATE FILE
    python -m benchmarks.inside --result FILE [...] sign KEY CERTIFICATE FILE OUTPUT
    python -m benchmarks.inside --result FILE pipe KEY CERTIFICATE TAG...

`pipe` signs standard input to standard output with a declared list of tags. `--watch` repeats the operation for that long while a
task sleeps for a millisecond again and again, and reports how late it woke. `--sample` notes every other millisecond which
functions run, in all threads.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import Any

from dcmsign.stream import KeySigner, Trust, sign, stdin, stdout, verify

_KEYS = Path(__file__).resolve().parent.parent / "tests" / "vectors" / "mac"
_SMALL = _KEYS / "sq-nested.signed.dcm"
_SLEEP = 0.001
_WAITING = ("threading.py", "selectors.py", "queue.py", "runners.py", "inside.py", "socket.py")
"""Files whose functions wait, when they are innermost."""


def verifying(certificate: str, file: str) -> Callable[[], Awaitable[None]]:
    """Verify a file; what does not verify raises."""
    trust = Trust.load(trusted=[certificate])

    async def operation() -> None:
        (await verify(file, trust=trust)).raise_for_status()

    return operation


def signing(key: str, certificate: str, file: str, output: str) -> Callable[[], Awaitable[None]]:
    """Sign a file, everything in it."""
    signer = KeySigner.load(key, certificate)

    async def operation() -> None:
        await asyncio.to_thread(Path(output).unlink, missing_ok=True)
        await sign(file, output, signer=signer)

    return operation


def piping(key: str, certificate: str, *tags: str) -> Callable[[], Awaitable[None]]:
    """Sign standard input to standard output while it passes."""
    signer = KeySigner.load(key, certificate)
    chosen = [int(tag, 16) for tag in tags]

    async def operation() -> None:
        await sign(stdin(), stdout(), signer=signer, tags=chosen)

    return operation


OPERATIONS: dict[str, Callable[..., Callable[[], Awaitable[None]]]] = {"verify": verifying, "sign": signing, "pipe": piping}


async def watch(delays: list[float]) -> None:
    """Note how late the event loop lets a task go on."""
    while True:
        start = time.perf_counter()
        await asyncio.sleep(_SLEEP)
        delays.append(time.perf_counter() - start - _SLEEP)


async def watched(operation: Callable[[], Awaitable[None]], seconds: float) -> dict[str, float]:
    """Repeat the operation; in seconds: the delay that one wake-up in a thousand exceeds, and the worst."""
    delays: list[float] = []
    watcher = asyncio.create_task(watch(delays))
    start = time.perf_counter()
    while True:
        await operation()
        if time.perf_counter() - start >= seconds:
            break
    watcher.cancel()
    with suppress(asyncio.CancelledError):
        await watcher
    delays.sort()
    return {"stall": delays[int(len(delays) * 0.999)], "stall_worst": delays[-1], "wakeups": len(delays)}


class Sampler(threading.Thread):
    """Counts the functions that run, in all threads but those that wait."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.functions: Counter[str] = Counter()
        self._ended = threading.Event()

    def run(self) -> None:
        """Sample until the end."""
        while not self._ended.wait(0.002):
            for thread, frame in sys._current_frames().items():
                if thread != self.ident and (name := self._label(frame)):
                    self.functions[name] += 1

    def stop(self) -> None:
        """Sample no more."""
        self._ended.set()
        self.join()

    @staticmethod
    def _label(frame: FrameType) -> str:
        path = Path(frame.f_code.co_filename)
        if path.name in _WAITING or path.parts[-3:-1] == ("concurrent", "futures") or path.name == "_asyncio.py":
            return ""
        return f"{path.parent.name}/{path.name} {frame.f_code.co_name}"


async def load_modules() -> None:
    """Verify and sign something small, so that what is imported when it is first used is there."""
    await verify(_SMALL, trust=Trust.load(trusted=[_KEYS / "cert-rsa.pem"]))
    signer = KeySigner.load(_KEYS / "key-rsa.pem", _KEYS / "cert-rsa.pem")
    with tempfile.TemporaryDirectory() as folder:
        await sign(_SMALL, Path(folder) / "signed.dcm", signer=signer)


async def timed(operation: Callable[[], Awaitable[None]]) -> dict[str, Any]:
    """Once, in seconds."""
    start, cpu = time.perf_counter(), time.process_time()
    await operation()
    return {"wall": time.perf_counter() - start, "cpu": time.process_time() - cpu}


async def carry_out(options: argparse.Namespace) -> dict[str, Any]:
    """What the command line asks for."""
    operation = OPERATIONS[options.operation](*options.arguments)
    if options.watch is None and options.operation != "pipe":
        await load_modules()  # an event loop that is watched has to bear with imports
    if options.watch is not None:
        return await watched(operation, options.watch)
    if not options.sample:
        return await timed(operation)
    sampler = Sampler()
    sampler.start()
    result = await timed(operation)
    sampler.stop()
    return result | {"functions": dict(sampler.functions.most_common())}


def main() -> None:
    """Carry out one operation and write its figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--result", type=Path, required=True)
    parser.add_argument("--watch", type=float)
    parser.add_argument("--sample", action="store_true")
    parser.add_argument("operation", choices=OPERATIONS)
    parser.add_argument("arguments", nargs="+")
    options = parser.parse_args()
    options.result.write_text(json.dumps(asyncio.run(carry_out(options))))


if __name__ == "__main__":
    main()
