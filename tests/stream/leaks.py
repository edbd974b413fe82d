"""Looks for what an operation must not leave behind: threads, descriptors, temporary files, warnings of the interpreter."""

from __future__ import annotations

import gc
import os
import sys
import threading
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import FrameType
from typing import Any

import anyio

LIBRARY = tuple(f"{Path(__file__).resolve().parents[2] / package}/" for package in ("codec", "tsa", "stream"))
PATIENCE = 5.0


def wait_until(condition: Callable[[], bool], complaint: str) -> None:
    """Poll, since event loops do not wait for their idle threads."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(complaint)
        time.sleep(0.005)


def _inside_library(frame: FrameType | None) -> bool:
    while frame is not None:
        if os.path.realpath(frame.f_code.co_filename).startswith(LIBRARY):
            return True
        frame = frame.f_back
    return False


def threads_at_work() -> list[str]:
    """Names of the other threads that execute code of the library; idle threads of a pool do not count."""
    names = {thread.ident: thread.name for thread in threading.enumerate()}
    own = threading.get_ident()
    return [
        names.get(ident, str(ident)) for ident, frame in sys._current_frames().items() if ident != own and _inside_library(frame)
    ]


def open_descriptors() -> dict[str, str]:
    """Open descriptors of the process and what they stand for."""
    found = {}
    for name in os.listdir("/proc/self/fd"):
        try:
            found[name] = os.readlink(f"/proc/self/fd/{name}")
        except FileNotFoundError:
            continue  # the one for the listing itself
    return found


def runner(backend: str) -> Callable[..., Any]:
    """See the fixture `run`."""

    def run(function: Callable[..., Awaitable[object]], *arguments: object) -> Any:
        threads = len(threading.enumerate())
        before = open_descriptors()
        try:
            return anyio.run(function, *arguments, backend=backend)
        finally:
            wait_until(lambda: not threads_at_work(), "threads still inside the library")
            if backend == "asyncio":  # trio keeps idle threads for ten seconds
                wait_until(lambda: len(threading.enumerate()) <= threads, "threads left")
            if open_descriptors() != before:
                gc.collect()  # of the event loop itself
            assert open_descriptors() == before

    return run
