"""Worker threads that never outlive the call that started them.

Cancel scopes (anyio, trio) wait for a thread. asyncio's own cancellation does not: `asyncio.timeout`, `wait_for`, `Task.cancel`
and Ctrl-C end the task while its thread goes on, writing to descriptors that are being closed.

What never has to wait, such as an operation from file to file, can do without threads and without an event loop: `run_inline`.
anyio is imported where it is used, so that this costs nothing: an event loop takes longer to import than to sign a small file.
"""

from __future__ import annotations

import os
import signal
import stat
import sys
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from functools import partial
from types import FrameType
from typing import TYPE_CHECKING, Any, Generic, TypeVar

if TYPE_CHECKING:
    import asyncio

T = TypeVar("T")
_POLL = 0.002
_TURN, _PAUSE = 0.004, 0.0001
"""Seconds between two turns for others, and of each."""


class _State(threading.local):
    """What this thread does: a job of a task, or a coroutine without an event loop."""

    job: _Job[Any] | None = None
    inline: bool = False
    interrupted: bool = False
    turn: float = 0.0


_current = _State()


class _Abandoned(BaseException):
    """Ends the work of a thread whose task has been cancelled; nobody sees it."""


class _Job(Generic[T]):
    """A call in a worker thread."""

    def __init__(self, function: Callable[[], T]) -> None:
        self._function = function
        self._lock = threading.Lock()
        self._begun = False
        self._ended = threading.Event()
        self.results: list[T] = []
        self.cancelled = False

    def run(self) -> T:
        with self._lock:
            if self.cancelled:
                raise _Abandoned
            self._begun = True
        _current.job = self
        try:
            result = self._function()
            self.results.append(result)
            return result
        finally:
            _current.job = None
            self._ended.set()

    async def stop(self) -> None:
        """Make the thread end, and wait for that whatever happens."""
        import anyio

        with self._lock:
            self.cancelled = True
            begun = self._begun
        with anyio.CancelScope(shield=True):
            while begun and not self._ended.is_set():
                try:
                    await anyio.sleep(_POLL)
                except anyio.get_cancelled_exc_class():
                    continue  # asyncio cancels once more; the first cancellation is raised in the end


async def run_in_thread(function: Callable[..., T], *arguments: object, discard: Callable[[T], object] | None = None) -> T:
    """Call a function in a worker thread; when this is cancelled, the thread has ended.

    `discard` gets a result that the cancelled task will not see.
    """
    if _current.inline:
        return function(*arguments)
    await _load_anyio()
    import anyio.to_thread

    job = _Job[T](partial(function, *arguments))
    try:
        return await anyio.to_thread.run_sync(job.run)
    except BaseException:
        await job.stop()
        if discard is not None and job.results:
            discard(job.results[0])
        raise


_loaded = threading.Event()


async def _load_anyio() -> None:
    """Before the first use of anyio: load it in a thread, so that the event loop goes on meanwhile.

    Only with asyncio, where there is most to load.
    """
    if _loaded.is_set():
        return
    if loop := _asyncio_loop():
        await _in_passing_thread(loop, _run_anyio)
    _loaded.set()


async def _in_passing_thread(loop: asyncio.AbstractEventLoop, function: Callable[[], None]) -> None:
    """Call a short function in a thread that ends with it (those of the loop's executor stay); cancellation waits for it."""
    import asyncio

    future: asyncio.Future[None] = loop.create_future()

    def work() -> None:
        try:
            function()
        finally:
            loop.call_soon_threadsafe(future.set_result, None)

    thread = threading.Thread(target=work, name="dcmsign-load")
    thread.start()
    cancelled: asyncio.CancelledError | None = None
    while not future.done():
        try:
            await asyncio.shield(future)
        except asyncio.CancelledError as error:
            cancelled = error
    thread.join()
    if cancelled is not None:
        raise cancelled


def _asyncio_loop() -> asyncio.AbstractEventLoop | None:
    """The event loop that runs, if it is asyncio's."""
    if "asyncio" not in sys.modules:
        return None
    import asyncio

    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


def _run_anyio() -> None:
    import anyio.from_thread
    import anyio.to_thread

    anyio.run(anyio.sleep, 0)  # loads what it needs for asyncio


async def release(close: Callable[[], object]) -> None:
    """Close, in a thread, what may take the disk long, such as a large file that goes; also while being cancelled.

    `close` may be called a second time, and does nothing then.
    """
    if _current.inline:
        close()
        return
    import anyio

    try:
        with anyio.CancelScope(shield=True):
            await run_in_thread(close)
    finally:  # asyncio's own cancellation may come before the thread has begun
        close()


def check_cancelled() -> None:
    """In the thread: leave with an exception if the calling task has been cancelled."""
    if _current.inline:
        if _current.interrupted:
            raise KeyboardInterrupt
        return
    import anyio.from_thread

    anyio.from_thread.check_cancelled()
    job = _current.job
    if job is not None and job.cancelled:
        raise _Abandoned


def give_way() -> None:
    """In the thread, between short reads: let the event loop have its turn now and then.

    Who waits for the interpreter starts to wait anew with every read, however short, and would wait until all are done.
    """
    if _current.inline:
        return
    now = time.monotonic()
    if now - _current.turn > _TURN:
        time.sleep(_PAUSE)
        _current.turn = time.monotonic()


def run_inline(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine that never has to wait, in this thread; `run_in_thread` calls functions directly.

    In the main thread an interrupt (SIGINT) ends it with KeyboardInterrupt where it looks for cancellation. Raises RuntimeError
    if it waits all the same.
    """
    with _interruptible():
        _current.inline, _current.interrupted = True, False
        try:
            coroutine.send(None)
        except StopIteration as done:
            result: T = done.value
            return result
        finally:
            _current.inline = False
            coroutine.close()
    raise RuntimeError("this operation has to wait for something")


def run_operation(function: Callable[..., Coroutine[Any, Any, T]], *arguments: object, waits: bool) -> T:
    """Run a coroutine function to its end: with an event loop only if it `waits`, because that costs more than a small file."""
    if not waits:
        return run_inline(function(*arguments))
    import anyio

    _loaded.set()
    return anyio.run(function, *arguments)


def is_special(path: str) -> bool:
    """Whether reading or writing may have to wait: true for what exists and is no regular file, such as a pipe or a device."""
    try:
        return not stat.S_ISREG(os.stat(path).st_mode)
    except (OSError, ValueError):  # ValueError: a NUL in the name
        return False


@contextmanager
def _interruptible() -> Iterator[None]:
    """Note an interrupt instead of raising it anywhere; a second one is raised."""
    handler = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or handler is not signal.default_int_handler:
        yield
        return

    def note(number: int, frame: FrameType | None) -> None:
        _current.interrupted = True
        signal.signal(signal.SIGINT, signal.default_int_handler)

    signal.signal(signal.SIGINT, note)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
