"""Runs an operation that writes an object: passes in worker threads, output to a target that gets it whole or not at all."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, AsyncIterator, Generator
from contextlib import AsyncExitStack, aclosing, closing
from functools import partial
from typing import Generic, Protocol, TypeVar

from ..codec.signature.splice import Buffers
from .io.ahead import WriteBehind
from .io.holding import HeldSink, held_back
from .io.relay import relay
from .io.sinks import AsyncSink, FileSink, Target, ThreadSink, name_of, open_sink
from .io.sources import Blocks, RandomAccess
from .io.spool import Spool
from .io.threads import release, run_in_thread

log = logging.getLogger("dcmsign.stream.output")

_SMALL = 1 << 20

_PIECE = 2 << 20
"""Bytes of output that are enough to pass on, before all is made of what was read: more than a block gives."""

Result = TypeVar("Result")
_Result = TypeVar("_Result", covariant=True)


class Work(Protocol[_Result]):
    """An output being made: `prepare`, `check_output`, `batches` in worker threads, `settle`, `ending` and `publish` in one."""

    @property
    def uncertain(self) -> bool:
        """Whether somebody who may well refuse is asked in `settle`; nothing is to be seen before."""

    async def prepare(self) -> None:
        """Everything that can fail before the first byte of output."""

    def check_output(self) -> None:
        """Raise UnsupportedSyntax if the object cannot be written as asked for."""

    def batches(self) -> AsyncGenerator[Generator[Buffers, None, None]]:
        """The output up to what needs waiting for: iterators that work while they are iterated over."""

    async def settle(self) -> None:
        """Wait for what the end of the output needs."""

    def ending(self) -> Buffers:
        """The rest of the output."""

    def publish(self) -> None:
        """The output is whole: let other files that belong to it appear."""

    def result(self) -> _Result:
        """What was written."""


class Settled:
    """The parts of a Work that has nothing to wait for once it is prepared."""

    uncertain = False

    async def settle(self) -> None:
        """Nothing is left to wait for."""

    def ending(self) -> Buffers:
        """Nothing is left to write."""
        return []

    def publish(self) -> None:
        """Nothing else belongs to it."""


async def produce(work: Work[Result], target: Target, *, durable: bool) -> Result:
    """Carry out a work and write its output to a target."""
    await work.prepare()
    log.info("create output file %s", name_of(target))
    work.check_output()
    sink = await open_sink(target, durable=durable)
    if isinstance(sink, ThreadSink):
        return await _write_in_thread(work, HeldSink(sink) if work.uncertain and not isinstance(sink, FileSink) else sink)
    try:
        if work.uncertain:
            async with aclosing(_output(work)) as output, aclosing(held_back(output)) as certain:
                async for buffers in certain:
                    await sink.send(buffers)
        else:
            await _pass_on(work, sink)
    finally:
        import anyio

        with anyio.CancelScope(shield=True):
            await sink.aclose()
    return work.result()


async def _pass_on(work: Work[Result], sink: AsyncSink) -> None:
    """Write the output while more of it is made, and while more of the input is read."""
    async with aclosing(work.batches()) as batches:
        await relay(batches, partial(_pieces, joined=not sink.gathers), sink.send)
    await work.settle()
    await sink.send(await run_in_thread(_end, work))


async def _output(work: Work[Result]) -> AsyncGenerator[Buffers]:
    """The whole output, piece by piece, each in one buffer."""
    async with aclosing(work.batches()) as batches:
        async for batch in batches:
            async with aclosing(_pieces(batch, joined=True)) as pieces:
                async for buffers in pieces:
                    yield buffers
    await work.settle()
    yield await run_in_thread(_end, work)


async def _pieces(batch: Generator[Buffers, None, None], *, joined: bool) -> AsyncGenerator[Buffers]:
    """What a batch gives, collected and joined in a thread: copying megabytes would hold up the event loop."""

    def piece() -> tuple[Buffers, bool]:
        collected: list[bytes | memoryview] = []
        size, ended = 0, True
        for buffers in batch:
            collected += buffers
            size += sum(map(len, buffers))
            if size >= _PIECE:
                ended = False
                break
        return ([b"".join(collected)] if joined else collected), ended

    ended = False
    with closing(batch):
        while not ended:
            buffers, ended = await run_in_thread(piece)
            if buffers:
                yield buffers


def _end(work: Work[Result]) -> Buffers:
    """The rest of the output, in one buffer; other files appear."""
    buffers = work.ending()
    work.publish()
    return [b"".join(buffers)]


async def _write_in_thread(work: Work[Result], sink: ThreadSink) -> Result:
    """Read and digest in a worker thread, and write in another one at the same time."""
    behind = WriteBehind(sink)

    def write(batch: Generator[Buffers, None, None]) -> None:
        with closing(batch):
            for buffers in batch:
                behind.write(buffers)

    def finish() -> None:
        with closing(behind):
            behind.flush()
        sink.write(work.ending())
        work.publish()
        sink.commit()

    def abort() -> None:
        behind.close()
        sink.abort()

    try:
        async with aclosing(work.batches()) as batches:
            async for batch in batches:
                await run_in_thread(write, batch)
        await work.settle()
        await run_in_thread(finish)
    except BaseException:
        await release(abort)
        raise
    return work.result()


async def rereadable(opened: RandomAccess | Blocks, stack: AsyncExitStack) -> RandomAccess:
    """The source itself, or a spool with all that it gave if it can be read only once; `stack` closes it."""
    if isinstance(opened, RandomAccess):
        return opened
    spool = Spool()
    stack.push_async_callback(_forget, spool)
    while block := await opened.next():
        if spool.size + len(block) <= _SMALL:
            spool.write(block)
        else:
            await run_in_thread(spool.write, block)
    return spool


async def _forget(spool: Spool) -> None:
    if spool.size <= _SMALL:
        spool.close()
    else:
        await release(spool.close)


class OutputStream(Generic[Result]):
    """The bytes of an output, block by block; the result is there once they have ended."""

    def __init__(self, work: Work[Result]) -> None:
        self._result: Result | None = None
        self._blocks = self._joined(work)

    @property
    def result(self) -> Result:
        """What was written; RuntimeError before the last block."""
        if self._result is None:
            raise RuntimeError("the result is there once all blocks have been taken")
        return self._result

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self._blocks

    async def aclose(self) -> None:
        """Stop."""
        await self._blocks.aclose()

    async def _joined(self, work: Work[Result]) -> AsyncGenerator[bytes]:
        async with aclosing(_output(work)) as output:
            async for buffers in output:
                if block := b"".join(buffers):
                    yield block
        self._result = work.result()
