"""Reading ahead and writing behind: the disk works while blocks are parsed and digested."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor

from .sinks import Buffers, ThreadSink
from .sources import RandomAccess


class ReadAhead:
    """A source that, once it is read sequentially, has the next block read by a thread of its own; close it to end that."""

    def __init__(self, source: RandomAccess) -> None:
        self.name = source.name
        self._source = source
        self._pool = ThreadPoolExecutor(1, "dcmsign-read")
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
            self._block = self._pool.submit(self._source.read_at, *self._next)
        self._end = offset + len(block)
        return block

    def close(self) -> None:
        """End the thread; the source stays open."""
        self._pool.shutdown(cancel_futures=True)


def write_behind(sink: ThreadSink, pieces: Iterable[Buffers]) -> None:
    """Write all pieces, each while the next one is being made; raises what making or writing raises."""
    with ThreadPoolExecutor(1, "dcmsign-write") as pool:
        writing: Future[None] | None = None
        for buffers in pieces:
            if writing is not None:
                writing.result()
            writing = pool.submit(sink.write, buffers)
        if writing is not None:
            writing.result()
