"""Reading, making and writing at the same time, in tasks of the event loop."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from typing import TypeVar

T = TypeVar("T")
U = TypeVar("U")

_TURNS = 4
"""Turns of the event loop that anyio needs to hand something to a thread."""


async def relay(
    inputs: AsyncIterator[T], make: Callable[[T], AsyncGenerator[U]], write: Callable[[U], Awaitable[object]]
) -> None:
    """Make something of each input and write it, while the next input is made something of and the one behind it is read.

    No stage gets further ahead of the next one, and each does one thing at a time. When one fails, the others are cancelled and
    have ended before its error leaves as it is.
    """
    import anyio

    to_make, read = anyio.create_memory_object_stream[T](0)
    to_write, made = anyio.create_memory_object_stream[U](0)

    async def reading() -> None:
        async for item in inputs:
            await to_make.send(item)
            await _step_back()
        to_make.close()

    async def making() -> None:
        async for item in read:
            async with aclosing(make(item)) as pieces:
                async for piece in pieces:
                    await to_write.send(piece)
        to_write.close()

    async def writing() -> None:
        async for piece in made:
            await _step_back()
            await write(piece)

    with to_make, read, to_write, made:
        await _together(reading, making, writing)


async def _step_back() -> None:
    """Let a task that is about to hand work to a thread do so first: then that works while this task does."""
    import anyio.lowlevel

    for _ in range(_TURNS):
        await anyio.lowlevel.checkpoint()


async def _together(first: Callable[[], Awaitable[None]], *others: Callable[[], Awaitable[None]]) -> None:
    """Run all at once, the first one in this task; an error of any of them cancels the others, and is raised without a group."""
    import anyio

    failures: list[BaseException] = []

    async def guarded(stage: Callable[[], Awaitable[None]]) -> None:
        try:
            await stage()
        except (Exception, KeyboardInterrupt) as error:  # trio raises that anywhere
            failures.append(error)
            group.cancel_scope.cancel()

    try:
        async with anyio.create_task_group() as group:
            for stage in others:
                group.start_soon(guarded, stage)
            await guarded(first)
    except BaseExceptionGroup as errors:
        if errors.subgroup(KeyboardInterrupt) is None:
            raise
        raise KeyboardInterrupt from None  # trio raises it while this task waits for the others, too
    if failures:
        raise failures[0]
