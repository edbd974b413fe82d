"""Several digests at once: each takes its data in order, in whichever thread is free (hashlib lets go of the interpreter)."""

from __future__ import annotations

import os
from collections import deque
from threading import Condition
from typing import TYPE_CHECKING

from ..codec.signature.algorithms import Digest, new_digest

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor

_DIRECT = 1 << 16
"""Bytes that are digested sooner than a thread has woken."""

_WAITING = 8 << 20
"""Bytes that may wait to be digested, each counted once for every digest; more only where a single piece is larger."""


class DigestThreads:
    """Makes digest objects that share threads, one for each processor; `close` ends the threads and forgets what still waits.

    The objects are for one thread, like those of hashlib. `waiting` bounds the bytes that are kept for later.
    """

    def __init__(self, threads: int | None = None, *, waiting: int = _WAITING) -> None:
        self._threads = len(os.sched_getaffinity(0)) if threads is None else threads
        self._pool: ThreadPoolExecutor | None = None
        self._most = waiting
        self._waiting = 0
        self._closed = False
        self._changed = Condition()

    def new(self, algorithm: str) -> Digest:
        """A new digest object of a MAC algorithm, see `new_digest`; an ordinary one where there is one processor only."""
        digest = new_digest(algorithm)
        return digest if self._threads < 2 else _Deferred(self, digest)

    def close(self) -> None:
        """End the threads; returns when they have ended. What waits is dropped, and no digest can be used afterwards."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)

    def put(self, deferred: _Deferred, data: bytes | memoryview) -> None:
        """Have data digested; waits while there is too much already."""
        with self._changed:
            while self._waiting and self._waiting + len(data) > self._most and not self._closed:
                self._changed.wait()
            self._check(deferred)
            self._waiting += len(data)
            deferred.queue.append(data)
            if deferred.running:
                return
            deferred.running = True
            self._pool = self._pool or self._new_pool()
            self._pool.submit(self._run, deferred)

    def _new_pool(self) -> ThreadPoolExecutor:
        from concurrent.futures import ThreadPoolExecutor  # most objects need none

        return ThreadPoolExecutor(self._threads, "dcmsign-digest")

    def _run(self, deferred: _Deferred) -> None:
        """In a thread: digest what waits for one digest."""
        size = 0
        while True:
            with self._changed:
                self._waiting -= size
                if not deferred.queue or deferred.error is not None or self._closed:
                    deferred.running = False
                    self._waiting -= sum(map(len, deferred.queue))
                    deferred.queue.clear()
                    self._changed.notify_all()
                    return
                self._changed.notify_all()
                data = deferred.queue.popleft()
            size = len(data)
            try:
                deferred.digest_object.update(data)
            except BaseException as error:
                deferred.error = error

    def settled(self, deferred: _Deferred) -> Digest:
        """Wait until everything has been digested."""
        with self._changed:
            while deferred.running and not self._closed:
                self._changed.wait()
            self._check(deferred)
        return deferred.digest_object

    def _check(self, deferred: _Deferred) -> None:
        if deferred.error is not None:
            raise deferred.error
        if self._closed:
            raise RuntimeError("the threads of this digest have been ended")


class _Deferred:
    """A digest object whose large updates are made later, in order."""

    def __init__(self, threads: DigestThreads, digest: Digest) -> None:
        self._threads = threads
        self.digest_object = digest
        self.queue: deque[bytes | memoryview] = deque()
        self.running = False
        self.error: BaseException | None = None

    def update(self, data: bytes | bytearray | memoryview, /) -> None:
        """Digest `data`, which must not change any more; raises what digesting earlier data has raised."""
        kept = bytes(data) if isinstance(data, bytearray) else data
        if len(kept) < _DIRECT and not self.running:  # only the caller's thread starts it
            self._threads.settled(self).update(kept)
        else:
            self._threads.put(self, kept)

    def digest(self) -> bytes:
        """The digest of all data so far."""
        return self._threads.settled(self).digest()

    def copy(self) -> _Deferred:
        """An independent digest that continues from here."""
        return _Deferred(self._threads, self._threads.settled(self).copy())
