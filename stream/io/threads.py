"""Worker threads that never outlive the call that started them.

Cancel scopes (anyio, trio) wait for a thread. asyncio's own cancellation does not: `asyncio.timeout`, `wait_for`, `Task.cancel`
and Ctrl-C end the task while its thread goes on, writing to descriptors that are being closed.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from typing import Generic, TypeVar

import anyio
import anyio.from_thread
import anyio.to_thread

T = TypeVar("T")
_POLL = 0.002
_current = threading.local()


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
    job = _Job[T](partial(function, *arguments))
    try:
        return await anyio.to_thread.run_sync(job.run)
    except BaseException:
        await job.stop()
        if discard is not None and job.results:
            discard(job.results[0])
        raise


def check_cancelled() -> None:
    """In the thread: leave with an exception if the calling task has been cancelled."""
    anyio.from_thread.check_cancelled()
    job: _Job[object] | None = getattr(_current, "job", None)
    if job is not None and job.cancelled:
        raise _Abandoned
