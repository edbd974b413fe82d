"""Runs a coroutine and cancels it where it waits for the n-th time."""

from __future__ import annotations

import asyncio
import gc
import os
from collections.abc import Awaitable, Callable, Coroutine, Generator
from pathlib import Path
from typing import Any

import anyio

from tests.stream import leaks


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


def _content(path: Path) -> bytes | None:
    return path.read_bytes() if path.exists() else None


def _restore(path: Path, old: bytes | None) -> None:
    path.unlink(missing_ok=True)
    if old is not None:
        path.write_bytes(old)


async def cancelled_everywhere(
    how: str, operation: Callable[[], Coroutine[Any, Any, Any]], target: Path, old: bytes | None
) -> int:
    """Cancel an operation that writes to `target`, which holds `old`, at every point where it waits; returns how many there are.

    Each time the target is as it was; only asyncio's own cancellation may come too late and find it written, whole. Nothing else
    is left in its folder, no thread and no descriptor.
    """
    _, cancelled = CANCELLERS[how]
    expected: bytes | None = None
    number = -1
    while True:
        _restore(target, old)
        if number < 0:
            await operation()  # so that the event loop has the descriptors it needs
            expected = _content(target)
            number = 0
            continue
        names, before = set(os.listdir(target.parent)), leaks.open_descriptors()
        reached, caught = await cancelled(operation(), number)
        assert leaks.threads_at_work() == []
        if leaks.open_descriptors() != before:
            gc.collect()  # of frames kept by the traceback, never of files: those would warn
        # servers close their side later
        leaks.wait_until(lambda: leaks.open_descriptors().items() <= before.items(), "descriptors left")  # noqa: B023
        found = _content(target)
        if not caught:
            assert found == expected
        else:
            assert found == old or (how == "asyncio, task" and found == expected)
        assert set(os.listdir(target.parent)) - {target.name} == names - {target.name}
        if not reached:
            return number
        number += 1
