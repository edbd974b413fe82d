"""Runs a coroutine and cancels it where it waits for the n-th time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Generator
from typing import Any

import anyio


class InterruptedAt:
    """Awaits a coroutine, calling `cancel` just before it is suspended for the n-th time (from 0)."""

    def __init__(self, coroutine: Coroutine[Any, Any, Any], number: int, cancel: Callable[[], object]) -> None:
        self._coroutine = coroutine
        self._left = number
        self._cancel = cancel
        self.reached = False

    def __await__(self) -> Generator[Any, Any, Any]:
        step: Callable[[], Any] = lambda: self._coroutine.send(None)  # noqa: E731
        while True:
            try:
                waiting = step()
            except StopIteration as done:
                return done.value
            if self._left == 0:
                self.reached = True
                self._cancel()
            self._left -= 1
            try:
                value = yield waiting
            except BaseException as error:
                thrown = error
                step = lambda: self._coroutine.throw(thrown)  # noqa: B023, E731
            else:
                step = lambda: self._coroutine.send(value)  # noqa: B023, E731


async def cancelled_by_scope(coroutine: Coroutine[Any, Any, Any], number: int) -> tuple[bool, bool]:
    """Cancel by a cancel scope; returns whether it got that far, and whether it ended in the cancellation."""
    with anyio.CancelScope() as scope:
        interrupted = InterruptedAt(coroutine, number, scope.cancel)
        await interrupted
    return interrupted.reached, scope.cancelled_caught


async def cancelled_by_task(coroutine: Coroutine[Any, Any, Any], number: int) -> tuple[bool, bool]:
    """Cancel the asyncio task, as asyncio.timeout, asyncio.wait_for and web servers do; returns the same."""
    interrupted: list[InterruptedAt] = []

    async def host() -> None:
        task = asyncio.current_task()
        assert task is not None
        interrupted.append(InterruptedAt(coroutine, number, task.cancel))
        await interrupted[0]

    task = asyncio.create_task(host())
    await asyncio.wait([task])
    if task.cancelled():
        return interrupted[0].reached, True
    task.result()
    return interrupted[0].reached, False


Canceller = Callable[[Coroutine[Any, Any, Any], int], Awaitable[tuple[bool, bool]]]
CANCELLERS: dict[str, tuple[str, Canceller]] = {
    "asyncio, scope": ("asyncio", cancelled_by_scope),
    "asyncio, task": ("asyncio", cancelled_by_task),
    "trio, scope": ("trio", cancelled_by_scope),
}
