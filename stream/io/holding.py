"""Output that is held back until it is certain that it will be whole, for targets that cannot take anything back."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import closing

from .sinks import Buffers, ThreadSink
from .spool import Spool
from .threads import check_cancelled, run_in_thread


class HeldSink:
    """Keeps everything in a spool until `commit` passes it on."""

    def __init__(self, sink: ThreadSink) -> None:
        self.name = sink.name
        self._sink = sink
        self._spool = Spool()

    def write(self, buffers: Buffers) -> None:
        """Keep a copy; raises SinkError."""
        for buffer in buffers:
            self._spool.write(buffer)

    def commit(self) -> None:
        """Write all of it; raises SinkError."""
        with closing(self._spool):
            for chunk in self._spool.chunks():
                check_cancelled()
                self._sink.write([chunk])
        self._sink.commit()

    def abort(self) -> None:
        """Forget it."""
        self._spool.close()
        self._sink.abort()


async def held_back(output: AsyncIterator[Buffers]) -> AsyncGenerator[Buffers]:
    """The same output, once all of it is there."""

    def keep(buffers: Buffers) -> None:
        for buffer in buffers:
            spool.write(buffer)

    with closing(Spool()) as spool:
        async for buffers in output:
            await run_in_thread(keep, buffers)
        chunks = spool.chunks()
        while (chunk := await run_in_thread(next, chunks, None)) is not None:
            yield [chunk]
