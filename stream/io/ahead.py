"""Reading ahead and writing behind: the disk works while blocks are parsed and digested."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from concurrent.futures import Future, ThreadPoolExecutor

    from .sinks import Buffers, ThreadSink
    from .sources import RandomAccess


_DIRECT = 1 << 16
"""Bytes that are written sooner than a thread has started."""


def _new_pool(name: str) -> ThreadPoolExecutor:
    from concurrent.futures import ThreadPoolExecutor  # a source of one block needs none

    return ThreadPoolExecutor(1, name)


class ReadAhead:
    """A source that, once it is read sequentially, has the next block read by a thread of its own; close it to end that."""

    def __init__(self, source: RandomAccess) -> None:
        self.name = source.name
        self._source = source
        self._pool: ThreadPoolExecutor | None = None
        self._next: tuple[int, int] | None = None
        self._block: Future[bytes] | None = None
        self._end = 0

    def read_at(self, offset: int, size: int) -> bytes:
        """See RandomAccess; for one thread."""
        waiting, self._block = self._block, None
        expected = waiting is not None and self._next == (offset, size)
        block = waiting.result() if waiting is not None and expected else self._source.read_at(offset, size)
        if len(block) == size and offset == self._end:
            self._next = (offset + size, size)
            self._pool = self._pool or _new_pool("dcmsign-read")
            self._block = self._pool.submit(self._source.read_at, *self._next)
        self._end = offset + len(block)
        return block

    def close(self) -> None:
        """End the thread; the source stays open."""
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)


class WriteBehind:
    """Writes to a sink in a thread of its own, one piece behind; close it to end that."""

    def __init__(self, sink: ThreadSink) -> None:
        self._sink = sink
        self._pool: ThreadPoolExecutor | None = None
        self._writing: Future[None] | None = None

    def write(self, buffers: Buffers) -> None:
        """Begin to write (and end, if it is little), once what was given before is written; raises what writing that raises."""
        self.flush()
        if sum(map(len, buffers)) < _DIRECT:
            self._sink.write(buffers)
            return
        self._pool = self._pool or _new_pool("dcmsign-write")
        self._writing = self._pool.submit(self._sink.write, buffers)

    def flush(self) -> None:
        """Wait until everything is written; raises what writing raises."""
        writing, self._writing = self._writing, None
        if writing is not None:
            writing.result()

    def close(self) -> None:
        """End the thread; the sink stays open."""
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)
