"""Bytes kept for a second look: in memory up to a limit, then in an unnamed temporary file."""

from __future__ import annotations

import contextlib
import os
from collections import deque
from collections.abc import Iterator
from typing import IO

from ...codec.errors import SinkError

MEMORY = 4 << 20
"""Bytes a spool keeps in memory before it goes to disk."""

_BLOCK = 1 << 18

_GATHERED = 1 << 16
"""Bytes from which on a piece is kept as it is; smaller ones are joined."""


def _new_file() -> IO[bytes]:
    import tempfile  # brings more than a small object needs

    return tempfile.TemporaryFile(prefix="dcmsign-")


def _failure(error: OSError) -> SinkError:
    import tempfile

    try:
        folder: str | None = tempfile.gettempdir()
    except OSError:  # that there is none may be what has failed
        folder = None
    return SinkError(f"spool: {error.strerror or error}", path=folder)


class Spool:
    """Append-only store of bytes with random access; gone when closed, also after a crash."""

    name = "<stream>"

    def __init__(self, memory: int = MEMORY) -> None:
        self._memory = memory
        self._buffer = bytearray()
        self._file: IO[bytes] | None = None
        self.size = 0

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Append a copy of `data`; raises SinkError if the disk does not take it."""
        try:
            if self._file is None and self.size + len(data) > self._memory:
                self._file = _new_file()
                self._file.write(self._buffer)
                self._buffer = bytearray()
            if self._file is None:
                self._buffer += data
            else:
                self._file.write(data)
        except OSError as error:
            raise _failure(error) from error
        self.size += len(data)

    def read_at(self, offset: int, size: int) -> bytes:
        """At most `size` bytes from `offset`; empty behind the end."""
        if self._file is None:
            return bytes(self._buffer[offset : offset + size])
        try:
            self._file.flush()
            return os.pread(self._file.fileno(), size, offset)
        except OSError as error:
            raise _failure(error) from error

    def chunks(self) -> Iterator[bytes]:
        """Everything, in order."""
        offset = 0
        while block := self.read_at(offset, _BLOCK):
            yield block
            offset += len(block)

    def close(self) -> None:
        """Forget everything."""
        self._buffer = bytearray()
        if self._file is not None:
            with contextlib.suppress(OSError):  # a full disk: what is not written yet is not needed any more
                self._file.close()
            self._file = None


class Window:
    """The latest part of a stream that cannot seek: bytes from `keep_from` on can be read again, earlier ones are forgotten.

    Blocks stay in memory up to a limit and go to a spool beyond it.
    """

    def __init__(self, start: int = 0, memory: int = MEMORY) -> None:
        self._blocks: deque[tuple[int, bytes | bytearray]] = deque()
        self._held = 0
        self._memory = memory
        self._spool: Spool | None = None
        self._spool_start = 0
        self.start = start
        self.end = start

    def append(self, block: bytes) -> None:
        """Add the next block of the stream."""
        if self._spool is not None:
            self._spool.write(block)
        else:
            last = self._blocks[-1][1] if self._blocks else b""
            if len(block) >= _GATHERED:
                self._blocks.append((self.end, block))
            elif isinstance(last, bytearray) and len(last) < _GATHERED:
                last += block  # small pieces would take much more room than they have bytes
            else:
                self._blocks.append((self.end, bytearray(block)))
            self._held += len(block)
            if self._held > self._memory:
                self._spill()
        self.end += len(block)

    def _spill(self) -> None:
        self._spool = Spool(0)
        self._spool_start = self._blocks[0][0]
        for _, block in self._blocks:
            self._spool.write(block)
        self._blocks.clear()
        self._held = 0

    def forget(self, before: int) -> None:
        """Nothing below offset `before` is needed any more."""
        while self._blocks and self._blocks[0][0] + len(self._blocks[0][1]) <= before:
            self._held -= len(self._blocks.popleft()[1])
        if self._spool is not None and before >= max(self._spool_start, self.end - _BLOCK):
            rest = self._spool.read_at(before - self._spool_start, self.end - before) if before < self.end else b""
            self._spool.close()
            self._spool = None
            if rest:
                self._blocks.append((before, rest))
                self._held = len(rest)
        self.start = max(self.start, min(before, self.end))

    def read_at(self, offset: int, size: int) -> bytes:
        """At most `size` bytes from `offset`, which must not have been forgotten."""
        if self._spool is not None:
            return self._spool.read_at(offset - self._spool_start, size)
        for start, block in self._blocks:
            if start <= offset < start + len(block):
                return bytes(block[offset - start : offset - start + size])
        return b""

    def close(self) -> None:
        """Forget everything."""
        self._blocks.clear()
        if self._spool is not None:
            self._spool.close()
            self._spool = None
