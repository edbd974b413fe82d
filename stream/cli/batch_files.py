"""Which files are meant: directories are searched, lists read, everything that is no regular file is told."""

from __future__ import annotations

import os
import stat
from collections.abc import AsyncGenerator, Callable, Container, Iterator

from .. import is_unfinished
from . import messages

STANDARD_INPUT = 0
_BLOCK = 1 << 16
_LONGEST_NAME = 1 << 16
"""Bytes of a name that are kept; none that the system takes has as many."""

Identity = tuple[int, int]
"""Device and number of a file, the same under all its names."""


def identity(path: str) -> Identity | None:
    """The identity of a file, None if there is none of this name."""
    try:
        found = os.stat(path)
    except (OSError, ValueError):
        return None
    return found.st_dev, found.st_ino


class Search:
    """Finds files; follows symbolic links, and searches every directory once."""

    def __init__(
        self, failed: Callable[[str, str], object], skipped: Callable[[str, str], object], own: Container[Identity] = ()
    ) -> None:
        """`failed` and `skipped` are told a path and a reason; `own` are files and directories to leave out silently."""
        self._failed = failed
        self._skipped = skipped
        self.own = own
        self._seen: set[Identity] = set()

    def files(self, name: str) -> Iterator[str]:
        """The regular files in a directory and all below it, or the one file of this name."""
        waiting = [name]
        while waiting:
            path = waiting.pop()
            try:
                found = os.stat(path)
            except (OSError, ValueError) as error:  # ValueError: a NUL in the name
                self._failed(path, getattr(error, "strerror", None) or str(error))
                continue
            this = found.st_dev, found.st_ino
            if this in self.own:
                continue
            if stat.S_ISREG(found.st_mode):
                yield path
            elif not stat.S_ISDIR(found.st_mode):
                self._skipped(path, messages.NOT_REGULAR)
            elif this in self._seen:
                self._skipped(path, messages.SEEN)
            else:
                self._seen.add(this)
                yield from self._entries(path, waiting)

    def _entries(self, folder: str, waiting: list[str]) -> Iterator[str]:
        """The plain files of a directory; what has to be looked at more closely is put with those waiting."""
        try:
            with os.scandir(folder) as entries:
                for entry in entries:
                    if is_unfinished(entry.name):
                        self._skipped(entry.path, messages.UNFINISHED)
                        continue
                    # the kind of an entry costs nothing, its device and number would
                    if entry.is_file(follow_symlinks=False) and not self._is_own(entry):
                        yield entry.path
                    else:
                        waiting.append(entry.path)
        except OSError as error:
            self._failed(folder, error.strerror or str(error))

    def _is_own(self, entry: os.DirEntry[str]) -> bool:
        found = identity(entry.path) if self.own else None
        return found is not None and found in self.own


async def listed(separator: bytes) -> AsyncGenerator[str | None]:
    """The names on standard input, None before waiting for more; empty ones do not count."""
    import select

    import anyio

    rest = b""
    waits = not stat.S_ISREG(os.fstat(STANDARD_INPUT).st_mode)
    while True:
        if waits:
            if not select.select([STANDARD_INPUT], (), (), 0)[0]:
                yield None
            await anyio.wait_readable(STANDARD_INPUT)
        block = os.read(STANDARD_INPUT, _BLOCK)
        *names, rest = (rest + block).split(separator)
        rest = rest[:_LONGEST_NAME]
        for name in names if block else (rest,):
            if name:
                yield os.fsdecode(name)
        if not block:
            return


def below(folder: str, name: str) -> str:
    """The target of a file: its name as given below a folder, as an archive would hold it: absolute names lose the root.

    A name that leads upwards counts as absolute, so that no two files share a target.
    """
    plain = os.path.normpath(name)
    if plain.split(os.sep, 1)[0] == os.pardir:
        plain = os.path.abspath(name)
    return os.path.join(folder, plain.lstrip(os.sep))
