"""Who carries out batches of files: processes on this machine, or an executor of the caller.

Both are driven by one task of either event loop, which waits for one descriptor: that of a selector over the pipes of the
workers, or of a pipe that the callbacks of futures write to.
"""

from __future__ import annotations

import contextlib
import json
import os
import pickle
import selectors
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import anyio

from ..codec.hiding import Hidden
from .io.threads import run_in_thread
from .many_jobs import FileResult, Item, Job, run_batch
from .many_worker import HEADER, NotReady, pack

_PATIENCE = 10.0
"""Seconds a worker has to put down what it is doing."""

_START = """\
import json, sys
sys.path[:] = json.loads(sys.argv[1])
from dcmsign.stream.many_worker import main
main(int(sys.argv[2]), int(sys.argv[3]))
"""


@dataclass(slots=True)
class Collected:
    """What a pool has to tell: results, files on which a worker was `lost`, and files it has not come to (`again`)."""

    results: list[FileResult] = field(default_factory=list)
    lost: list[tuple[Item, str]] = field(default_factory=list)
    again: list[Item] = field(default_factory=list)


class Pool(Protocol):
    """Takes batches and tells what has become of them, in any order."""

    @property
    def busy(self) -> bool:
        """Whether there is anything to wait for."""

    def takes(self, size: int) -> bool:
        """Whether another batch of this size should be submitted now."""

    async def submit(self, batch: Sequence[Item]) -> None:
        """Have a batch carried out."""

    async def collect(self) -> Collected:
        """Wait until there is something to tell."""

    async def aclose(self) -> None:
        """Give up what is not done."""


class _Worker:
    """A worker process: the files it has been given and has not told about, the first of which it is working on."""

    def __init__(self, job: Hidden[bytes]) -> None:
        """Start it; blocks a little. The job, pickled, may hold a password."""
        theirs, self.input = os.pipe()
        self.output, answers = os.pipe()
        self.given: deque[Item] = deque()
        self.ready = False
        self._waiting = bytearray(job())
        self._received = bytearray()
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # inherited: none of the worker's business
        try:
            # -P: nothing is imported from the working directory, which may be anybody's
            safe = "-I" if sys.flags.isolated else "-P"
            start = [sys.executable, safe, "-c", _START, json.dumps(sys.path), str(theirs), str(answers)]
            self.process = subprocess.Popen(start, stdin=subprocess.DEVNULL, pass_fds=(theirs, answers))
        except BaseException:
            self.close()
            raise
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
            os.close(theirs)
            os.close(answers)
        for descriptor in (self.input, self.output):
            os.set_blocking(descriptor, False)

    @property
    def writing(self) -> bool:
        """Whether something waits to be written."""
        return bool(self._waiting)

    def give(self, batch: Sequence[Item]) -> None:
        """Have files done after those given before."""
        self.given.extend(batch)
        self._waiting += pack(list(batch))
        self.flush()

    def flush(self) -> None:
        """Write what the pipe takes."""
        with contextlib.suppress(BlockingIOError, BrokenPipeError):  # a broken pipe ends the other one too
            while self._waiting:
                del self._waiting[: os.write(self.input, self._waiting)]

    def receive(self) -> tuple[list[Any], bool]:
        """The messages that have come, and whether more may come."""
        more = True
        try:
            part = os.read(self.output, 1 << 18)
            more = bool(part)
            self._received += part
        except BlockingIOError:
            pass
        messages = []
        while len(self._received) >= HEADER.size:
            end = HEADER.size + HEADER.unpack_from(self._received)[0]
            if len(self._received) < end:
                break
            messages.append(pickle.loads(self._received[HEADER.size : end]))
            del self._received[:end]
        return messages, more

    def close(self) -> None:
        """Close the pipes; the worker ends when it notices."""
        os.close(self.input)
        os.close(self.output)

    def end(self) -> None:
        """Make the process, whose pipes are closed, end now and wait for it; blocks."""
        if self.given:
            self.process.terminate()
        try:
            self.process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class ProcessPool:
    """Processes on this machine, started when there is something to do for them; a dead one is replaced."""

    def __init__(self, job: Job, workers: int) -> None:
        self._job = Hidden(pack(job))
        self._size = workers
        self._workers: list[_Worker] = []
        self._selector = selectors.DefaultSelector()

    @property
    def busy(self) -> bool:
        return any(worker.given for worker in self._workers)

    def takes(self, size: int) -> bool:
        return len(self._workers) < self._size or any(len(worker.given) * 2 < size for worker in self._workers)

    async def submit(self, batch: Sequence[Item]) -> None:
        worker = min(self._workers, key=lambda worker: len(worker.given), default=None)
        if worker is None or (worker.given and len(self._workers) < self._size):
            worker = await run_in_thread(_Worker, self._job, discard=_discard)
            self._workers.append(worker)
            self._selector.register(worker.output, selectors.EVENT_READ, worker)
        worker.give(batch)
        self._watch(worker)

    def _watch(self, worker: _Worker) -> None:
        """Wait for room in the pipe only while something has to go into it."""
        watched = worker.input in self._selector.get_map()
        if worker.writing and not watched:
            self._selector.register(worker.input, selectors.EVENT_WRITE, worker)
        elif watched and not worker.writing:
            self._selector.unregister(worker.input)

    async def collect(self) -> Collected:
        collected = Collected()
        while not (collected.results or collected.lost or collected.again):
            await anyio.wait_readable(self._selector)
            for key, events in self._selector.select(0):
                if events & selectors.EVENT_WRITE:
                    key.data.flush()
                    self._watch(key.data)
                else:
                    await self._receive(key.data, collected)
        return collected

    async def _receive(self, worker: _Worker, collected: Collected) -> None:
        messages, more = worker.receive()
        for message in messages:
            if isinstance(message, NotReady):
                raise RuntimeError(f"a worker cannot begin: {message.error}")
            if message is None:
                worker.ready = True
            else:
                worker.given.popleft()
                collected.results.append(message)
        if more:
            return
        self._forget(worker)
        await run_in_thread(worker.end)
        code = worker.process.returncode
        if not worker.ready:
            raise RuntimeError(f"a worker process has ended before it could begin (exit code {code})")
        if worker.given:
            collected.lost.append((worker.given.popleft(), f"the worker process has ended (exit code {code})"))
            collected.again += worker.given

    def _forget(self, worker: _Worker) -> None:
        self._workers.remove(worker)
        for descriptor in (worker.input, worker.output):
            with contextlib.suppress(KeyError):
                self._selector.unregister(descriptor)
        worker.close()

    async def aclose(self) -> None:
        """Make all workers drop what they are doing and wait for their end."""
        workers = list(self._workers)
        for worker in workers:
            self._forget(worker)
        self._selector.close()
        for worker in workers:
            if worker.given:
                worker.process.terminate()
        for worker in workers:
            await run_in_thread(worker.end)


def _discard(worker: _Worker) -> None:
    worker.close()
    worker.end()


class Future(Protocol):
    """What submitting gives: a `concurrent.futures.Future` or something like it."""

    def add_done_callback(self, callback: Callable[[Any], object]) -> object:
        """Have a function called when it is done."""

    def result(self) -> Any:
        """What the call has returned; raises what it has raised."""

    def cancel(self) -> object:
        """Do not begin."""


class Executor(Protocol):
    """A `concurrent.futures.Executor`, or something like it."""

    def submit(self, function: Callable[..., Any], /, *arguments: Any) -> Any:
        """Have a function called somewhere."""


class ExecutorPool:
    """An executor of the caller, which is not shut down; a bounded number of batches is with it at any time."""

    def __init__(self, job: Job, executor: Executor, workers: int) -> None:
        self._job = job
        self._executor = executor
        self._limit = 2 * workers
        self._batches: dict[int, tuple[Future, list[Item]]] = {}
        self._done: deque[int] = deque()
        self._number = 0
        self._lock = threading.Lock()
        self._reading, self._writing = os.pipe()
        for descriptor in (self._reading, self._writing):
            os.set_blocking(descriptor, False)

    @property
    def busy(self) -> bool:
        return bool(self._batches)

    def takes(self, size: int) -> bool:
        return len(self._batches) < self._limit

    async def submit(self, batch: Sequence[Item]) -> None:
        self._number += 1
        number = self._number
        future: Future = self._executor.submit(run_batch, self._job, list(batch))
        self._batches[number] = future, list(batch)
        future.add_done_callback(lambda _: self._wake(number))

    def _wake(self, number: int) -> None:
        """In any thread."""
        with self._lock, contextlib.suppress(BlockingIOError):
            self._done.append(number)
            if self._writing >= 0:
                os.write(self._writing, b"\0")

    async def collect(self) -> Collected:
        collected = Collected()
        while not self._done:
            await anyio.wait_readable(self._reading)
            with contextlib.suppress(BlockingIOError):
                os.read(self._reading, 1 << 16)
        while self._done:
            future, batch = self._batches.pop(self._done.popleft())
            try:
                collected.results += future.result()
            except Exception as error:  # of the executor: those of files are results
                reason = f"{type(error).__name__}: {error}".partition("\n")[0]
                collected.lost += [(item, reason) for item in batch]
        return collected

    async def aclose(self) -> None:
        """Cancel what has not begun; what runs, ends when it is done."""
        for future, _ in self._batches.values():
            future.cancel()
        with self._lock:
            os.close(self._writing)
            self._writing = -1
        os.close(self._reading)


def processors() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
