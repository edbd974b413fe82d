"""Runs an operation that writes an object: passes in worker threads, output to a target that gets it whole or not at all."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, AsyncIterator, Generator
from contextlib import AsyncExitStack, aclosing, closing
from typing import Generic, Protocol, TypeVar

from ..codec.signature.splice import Buffers
from .io.ahead import write_behind
from .io.holding import HeldSink, held_back
from .io.sinks import FileSink, Target, ThreadSink, name_of, open_sink
from .io.sources import Blocks, RandomAccess
from .io.spool import Spool
from .io.threads import release, run_in_thread

log = logging.getLogger("dcmsign.stream.output")

_SMALL = 1 << 20

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
        async with aclosing(_output(work)) as output, aclosing(held_back(output) if work.uncertain else output) as certain:
            async for buffers in certain:
                await sink.send(buffers)
    finally:
        import anyio

        with anyio.CancelScope(shield=True):
            await sink.aclose()
    return work.result()


async def _output(work: Work[Result]) -> AsyncGenerator[Buffers]:
    """The whole output, each piece joined in the thread that makes it: copying megabytes would hold up the event loop."""

    def piece() -> Buffers | None:
        buffers = next(batch, None)
        return None if buffers is None else [b"".join(buffers)]

    async with aclosing(work.batches()) as batches:
        async for batch in batches:
            with closing(batch):
                while (buffers := await run_in_thread(piece)) is not None:
                    yield buffers
    await work.settle()

    def end() -> Buffers:
        buffers = work.ending()
        work.publish()
        return [b"".join(buffers)]

    yield await run_in_thread(end)


async def _write_in_thread(work: Work[Result], sink: ThreadSink) -> Result:
    """Read, digest and write in the same worker thread."""

    def write(batch: Generator[Buffers, None, None]) -> None:
        with closing(batch):
            write_behind(sink, batch)

    def finish() -> None:
        sink.write(work.ending())
        work.publish()
        sink.commit()

    try:
        async with aclosing(work.batches()) as batches:
            async for batch in batches:
                await run_in_thread(write, batch)
        await work.settle()
        await run_in_thread(finish)
    except BaseException:
        await release(sink.abort)
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
