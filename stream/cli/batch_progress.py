"""Progress on a terminal: files, bytes, rate and time left."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections.abc import Container, Iterator
from typing import TYPE_CHECKING, Protocol

from . import messages
from .batch_files import Identity, Search

if TYPE_CHECKING:
    from rich.progress import Progress as Display
    from rich.progress import TaskID


class Progress(Protocol):
    """What is told about progress."""

    def count(self, names: tuple[str, ...], own: Container[Identity]) -> None:
        """Find out in the background how much there is."""

    def advance(self, size: int) -> None:
        """A file of this size is done."""


class _Silent:
    """Nobody looks."""

    def count(self, names: tuple[str, ...], own: Container[Identity]) -> None:
        """Nobody asks."""

    def advance(self, size: int) -> None:
        """Nobody asks."""


class _Shown:
    """A line on the terminal."""

    def __init__(self, display: Display, task: TaskID) -> None:
        self._display = display
        self._task = task
        self._files = 0
        self._total = ""
        self._stopped = threading.Event()

    def count(self, names: tuple[str, ...], own: Container[Identity]) -> None:
        """Lists on standard input can only be read once: without total then."""
        if messages.STANDARD_STREAM not in names:
            threading.Thread(target=self._count, args=(names, own), daemon=True).start()

    def _count(self, names: tuple[str, ...], own: Container[Identity]) -> None:
        files = size = 0
        search = Search(_ignore, _ignore, own)
        for name in names:
            for path in search.files(name):
                if self._stopped.is_set():
                    return
                files += 1
                with contextlib.suppress(OSError, ValueError):
                    size += os.stat(path).st_size
        self._total = f"/{files}"
        self._display.update(self._task, total=size)

    def advance(self, size: int) -> None:
        self._files += 1
        self._display.update(self._task, advance=size, files=f"{self._files}{self._total}")

    def stop(self) -> None:
        """Nobody looks any more."""
        self._stopped.set()


def _ignore(path: str, reason: str) -> None:
    """The search for the files themselves tells it."""


@contextlib.contextmanager
def progress(*, shown: bool) -> Iterator[Progress]:
    """Show progress while the block runs, if it is to be shown and standard error is a terminal."""
    if not shown or sys.stderr is None or not sys.stderr.isatty():
        yield _Silent()
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    columns = (
        TextColumn("{task.fields[files]} files"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True, redirect_stdout=False) as display:
        line = _Shown(display, display.add_task("", total=None, files="0"))
        try:
            yield line
        finally:
            line.stop()
