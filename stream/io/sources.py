"""Sources: where the input comes from.

Two kinds suffice for the engine: a `RandomAccess` can be read at any offset from a worker thread, a `Blocks` gives one block
after the other and knows no way back.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import inspect
import os
import stat
import sys
import threading
from collections.abc import AsyncIterable, AsyncIterator
from typing import IO, Any, Protocol, runtime_checkable

from ...codec.errors import SourceError
from .threads import run_in_thread

BLOCK = 1 << 20
"""Bytes per read: large enough that a thread hop does not count."""

_F_SETPIPE_SZ = getattr(fcntl, "F_SETPIPE_SZ", 1031)


@runtime_checkable
class ReceiveStream(Protocol):
    """anyio's byte receive stream."""

    async def receive(self, max_bytes: int = 65536) -> bytes:
        """The next bytes; raises anyio.EndOfStream at the end."""


class StandardInput:
    """Marks standard input as a source."""


def stdin() -> StandardInput:
    """Standard input as a source: read as a file where it is one, else as a stream."""
    return StandardInput()


Source = (
    str | os.PathLike[str] | bytes | bytearray | memoryview | IO[bytes] | AsyncIterable[bytes] | ReceiveStream | StandardInput
)
"""What `sign` and `verify` read from: path, bytes, binary file object, async iterable of bytes, receive stream, stdin()."""


@runtime_checkable
class RandomAccess(Protocol):
    """Input that can be read at any offset, from any thread."""

    name: str

    def read_at(self, offset: int, size: int) -> bytes:
        """At most `size` bytes, empty behind the end; raises SourceError."""

    def close(self) -> None:
        """Release what was opened."""


class Blocks(Protocol):
    """Input that comes once."""

    name: str

    async def next(self) -> bytes:
        """The next block, empty at the end; raises SourceError."""

    async def aclose(self) -> None:
        """Release what was opened."""


def _failed(error: OSError, name: str) -> SourceError:
    failure = SourceError(error.strerror or str(error), path=name)
    failure.__cause__ = error
    return failure


class FileSource:
    """A regular file, read with pread from the position its descriptor has."""

    def __init__(self, descriptor: int, name: str, *, owned: bool = True) -> None:
        self.name = name
        self._descriptor = descriptor
        self._owned = owned
        self._start = os.lseek(descriptor, 0, os.SEEK_CUR) if not owned else 0

    def read_at(self, offset: int, size: int) -> bytes:
        try:
            return os.pread(self._descriptor, size, self._start + offset)
        except OSError as error:
            raise _failed(error, self.name) from error

    def close(self) -> None:
        if self._owned:
            os.close(self._descriptor)


class BytesSource:
    """Bytes in memory, which must not change meanwhile."""

    name = "<bytes>"

    def __init__(self, data: bytes | bytearray | memoryview) -> None:
        self._data = memoryview(data).cast("B")  # copying it would hold up the event loop

    def read_at(self, offset: int, size: int) -> bytes:
        return bytes(self._data[offset : offset + size])

    def close(self) -> None:
        pass


class SeekableSource:
    """A binary file object that can seek; read from its current position on."""

    def __init__(self, file: IO[bytes]) -> None:
        self.name = str(getattr(file, "name", "<stream>"))
        self._file = file
        self._lock = threading.Lock()
        self._start = file.tell()

    def read_at(self, offset: int, size: int) -> bytes:
        with self._lock:
            try:
                self._file.seek(self._start + offset)
                return self._file.read(size)
            except OSError as error:
                raise _failed(error, self.name) from error

    def close(self) -> None:
        pass


class FileObjectBlocks:
    """A binary file object that cannot seek, or one whose `read` is a coroutine function."""

    def __init__(self, file: Any, name: str | None = None) -> None:
        """With a `name` the file is owned, and closed at the end."""
        self.name = name or str(getattr(file, "name", "<stream>"))
        self._owned = name is not None
        self._file = file
        self._asynchronous = inspect.iscoroutinefunction(file.read)

    async def next(self) -> bytes:
        try:
            if self._asynchronous:
                return bytes(await self._file.read(BLOCK))
            import anyio.to_thread

            return bytes(await anyio.to_thread.run_sync(self._file.read, BLOCK, abandon_on_cancel=True))
        except OSError as error:
            raise _failed(error, self.name) from error

    def close(self) -> None:
        if self._owned:
            self._file.close()

    async def aclose(self) -> None:
        self.close()


class IterableBlocks:
    """An async iterable of bytes, such as the body of an httpx response or an ASGI request."""

    name = "<stream>"

    def __init__(self, iterable: AsyncIterable[bytes]) -> None:
        self._iterator: AsyncIterator[bytes] = aiter(iterable)

    async def next(self) -> bytes:
        async for block in self._iterator:
            if block:
                return bytes(block)
        return b""

    async def aclose(self) -> None:
        close = getattr(self._iterator, "aclose", None)
        if close is not None:
            await close()


class ReceiveBlocks:
    """An anyio byte receive stream, or an object receive stream of bytes."""

    name = "<stream>"

    def __init__(self, stream: ReceiveStream) -> None:
        self._stream = stream

    async def next(self) -> bytes:
        import anyio

        while True:
            try:
                block = await self._stream.receive()
            except anyio.EndOfStream:
                return b""
            if block:
                return bytes(block)

    async def aclose(self) -> None:
        pass


class PipeBlocks:
    """A pipe, socket or terminal, read without a thread so that cancelling leaves none behind."""

    def __init__(self, descriptor: int, name: str, *, owned: bool) -> None:
        self.name = name
        self._original: int | None = None
        if owned and not os.get_blocking(descriptor):
            self._descriptor, self._reopened = descriptor, True
            return
        self._descriptor, self._reopened = reopen_nonblocking(descriptor, os.O_RDONLY)
        if owned:
            self._original = descriptor

    async def next(self) -> bytes:
        import anyio

        pieces: list[bytes] = []
        size = 0
        while size < BLOCK:
            if not pieces:
                await anyio.wait_readable(self._descriptor)
            try:
                piece = os.read(self._descriptor, BLOCK - size)
            except BlockingIOError:
                if pieces:
                    break
                continue
            except OSError as error:
                raise _failed(error, self.name) from error
            if not piece:
                break
            pieces.append(piece)
            size += len(piece)
            if not self._reopened:
                break
        return b"".join(pieces)

    def close(self) -> None:
        if self._reopened:
            os.close(self._descriptor)
        if self._original is not None:
            os.close(self._original)

    async def aclose(self) -> None:
        self.close()


def reopen_nonblocking(descriptor: int, flags: int) -> tuple[int, bool]:
    """A descriptor of its own for the same pipe, non-blocking, so that other users of the pipe notice nothing.

    Returns the old one and False where that is not possible: sockets, systems without /proc. The pipe is made as large as the
    system lets anybody make it: the other end works on while we do.
    """
    try:
        reopened = os.open(f"/proc/self/fd/{descriptor}", flags | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return descriptor, False
    with contextlib.suppress(OSError):
        fcntl.fcntl(reopened, _F_SETPIPE_SZ, BLOCK)
    return reopened, True


def _open_descriptor(descriptor: int, name: str, *, owned: bool) -> FileSource | FileObjectBlocks | PipeBlocks:
    mode = os.fstat(descriptor).st_mode
    if stat.S_ISDIR(mode):
        if owned:
            os.close(descriptor)
        raise _failed(OSError(errno.EISDIR, os.strerror(errno.EISDIR)), name)
    if stat.S_ISREG(mode) or stat.S_ISBLK(mode):
        return FileSource(descriptor, name, owned=owned)
    if stat.S_ISCHR(mode) and not os.isatty(descriptor):  # /dev/null and its like are always ready
        return FileObjectBlocks(os.fdopen(descriptor if owned else os.dup(descriptor), "rb", buffering=0), name)
    return PipeBlocks(descriptor, name, owned=owned)


def _open_path(path: str) -> FileSource | FileObjectBlocks | PipeBlocks:
    flags = os.O_RDONLY | os.O_CLOEXEC
    try:
        if stat.S_ISFIFO(os.stat(path).st_mode):
            flags |= os.O_NONBLOCK  # the call would wait for a writer, and nothing could cancel that
        descriptor = os.open(path, flags)
    except (OSError, ValueError) as error:
        failure = error if isinstance(error, OSError) else OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        raise _failed(failure, path) from error
    return _open_descriptor(descriptor, path, owned=True)


def _open_stdin() -> RandomAccess | Blocks:
    if sys.stdin is None:  # closed by who started this process
        raise _failed(OSError(errno.EBADF, os.strerror(errno.EBADF)), "-")
    return _open_descriptor(sys.stdin.fileno(), "-", owned=False)


def _is_seekable(file: Any) -> bool:
    if inspect.iscoroutinefunction(file.read):
        return False
    try:
        return bool(file.seekable())
    except AttributeError:
        return False


async def open_source(source: Source) -> RandomAccess | Blocks:
    """Open a source; raises SourceError if that fails, TypeError for an object that is none."""
    if isinstance(source, (str, os.PathLike)):
        return await run_in_thread(_open_path, os.fspath(source), discard=lambda opened: opened.close())
    if isinstance(source, (bytes, bytearray, memoryview)):
        return BytesSource(source)
    if isinstance(source, StandardInput):
        return _open_stdin()
    reader: Any = source
    if hasattr(source, "read"):
        return SeekableSource(reader) if _is_seekable(reader) else FileObjectBlocks(reader)
    if isinstance(source, ReceiveStream):
        return ReceiveBlocks(source)
    if isinstance(source, AsyncIterable):
        return IterableBlocks(source)
    raise TypeError(f"not a source of bytes: {type(source).__name__}")


async def close_source(opened: RandomAccess | Blocks) -> None:
    """Release what `open_source` opened, also while being cancelled."""
    if isinstance(opened, RandomAccess):
        opened.close()
    else:
        import anyio

        with anyio.CancelScope(shield=True):
            await opened.aclose()
