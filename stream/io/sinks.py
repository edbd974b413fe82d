"""Sinks: where the output goes. A file appears under its name only when it is whole; an existing one survives every failure."""

from __future__ import annotations

import contextlib
import errno
import inspect
import os
import stat
import sys
from collections import deque
from collections.abc import Sequence
from itertools import islice
from typing import IO, Any, Protocol, runtime_checkable

from ...codec.errors import SinkError
from .sources import reopen_nonblocking
from .threads import run_in_thread

Buffers = Sequence[bytes | memoryview]

_VIEWS = 1024
"""Buffers that one call takes: IOV_MAX of Linux."""

_MOST_LINKS = 40
"""Links to links that Linux follows."""

_READER_POLL = 0.05
"""Seconds between looks for the reader of a named pipe."""


@runtime_checkable
class SendStream(Protocol):
    """anyio's byte send stream."""

    async def send(self, item: bytes) -> None:
        """Send bytes."""


class StandardOutput:
    """Marks standard output as a target."""


def stdout() -> StandardOutput:
    """Standard output as a target."""
    return StandardOutput()


class AsyncFile(Protocol):
    """A file object whose methods are coroutine functions, such as those of anyio and aiofiles."""

    async def write(self, data: bytes | memoryview, /) -> int | None:
        """Write; returns the bytes taken."""

    async def flush(self) -> None:
        """Pass on what is buffered."""


Target = str | os.PathLike[str] | IO[bytes] | AsyncFile | SendStream | StandardOutput
"""What `sign` writes to: a path, a binary file object (also an asynchronous one), a send stream, stdout()."""


@runtime_checkable
class ThreadSink(Protocol):
    """Output written from the worker thread that makes it."""

    name: str

    def write(self, buffers: Buffers) -> None:
        """Write all; raises SinkError."""

    def commit(self) -> None:
        """The output is whole: make it appear."""

    def abort(self) -> None:
        """Leave no trace, as far as possible; never raises."""


class AsyncSink(Protocol):
    """Output written from the event loop. `gathers`: several buffers are as good as one."""

    name: str
    gathers: bool

    async def send(self, buffers: Buffers) -> None:
        """Write all; raises SinkError."""

    async def aclose(self) -> None:
        """Release what was opened."""


def _failed(error: OSError, name: str) -> SinkError:
    failure = SinkError(error.strerror or str(error), path=name)
    failure.__cause__ = error
    return failure


def _taken(count: int | None, rest: memoryview) -> int:
    """Bytes of `rest` that a file object took; file-like objects that return nothing take all."""
    return len(rest) if count is None else count


def _views(buffers: Buffers) -> deque[memoryview]:
    return deque(memoryview(buffer) for buffer in buffers if len(buffer))


def _write_some(descriptor: int, views: deque[memoryview]) -> None:
    """Write as much as one call takes, and drop that."""
    written = os.writev(descriptor, list(islice(views, _VIEWS)))
    while views and written >= len(views[0]):
        written -= len(views.popleft())
    if written:
        views[0] = views[0][written:]


def write_all(descriptor: int, buffers: Buffers) -> None:
    """Write buffers to a blocking descriptor, however many calls it takes."""
    views = _views(buffers)
    while views:
        _write_some(descriptor, views)


_UNFINISHED = ".dcmsign-part"
_RANDOM = 6
"""Bytes."""


def is_unfinished(name: str) -> bool:
    """Whether a file name (without folder) is that of an output that has not been finished: ``.NAME.0123456789ab.dcmsign-part``.

    Such a file is left behind only by a process that was killed, or a computer that stopped; it may be deleted.
    """
    rest, _, number = name.removesuffix(_UNFINISHED).rpartition(".")
    numbered = len(number) == 2 * _RANDOM and set(number) <= set("0123456789abcdef")
    return name.endswith(_UNFINISHED) and numbered and rest.startswith(".")


class FileSink:
    """A file that is written beside its target and renamed when whole; see `is_unfinished` for its name until then.

    The target keeps its mode (and, where permitted, its owner) if it exists; a link stays and its destination is replaced, unless
    somebody else has put it into a directory that all may write to. At no time may anybody read the temporary file who may not
    read the whole one. The data is on the disk before an existing file is replaced, and always with `durable`.
    """

    def __init__(self, path: str, *, durable: bool = False) -> None:
        self.name = path
        _refuse_planted_links(path)
        self._target = os.path.realpath(path)
        self._durable = durable
        try:
            self._old: os.stat_result | None = os.stat(self._target)
        except FileNotFoundError:
            self._old = None
        folder, name = os.path.split(self._target)
        self._folder = folder
        begin = os.fsdecode(os.fsencode(name)[:200])  # names have at most 255 bytes
        self._temporary = os.path.join(folder, f".{begin}.{os.urandom(_RANDOM).hex()}{_UNFINISHED}")
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
        self._descriptor = os.open(self._temporary, flags, 0o600 if self._old else 0o666)

    def write(self, buffers: Buffers) -> None:
        try:
            write_all(self._descriptor, buffers)
        except OSError as error:
            raise _failed(error, self.name) from error

    def commit(self) -> None:
        try:
            if self._old is not None:
                self._keep_owner(self._old)
            if self._durable or self._old is not None:
                os.fsync(self._descriptor)
            descriptor, self._descriptor = self._descriptor, -1
            os.close(descriptor)
            os.replace(self._temporary, self._target)
            if self._durable:
                self._sync_folder()
        except OSError as error:
            raise _failed(error, self.name) from error

    def _keep_owner(self, old: os.stat_result) -> None:
        mode, made = stat.S_IMODE(old.st_mode), os.fstat(self._descriptor)
        if (old.st_uid, old.st_gid) != (made.st_uid, made.st_gid):
            mode = self._give_to_owner(old, mode)
        os.fchmod(self._descriptor, mode)

    def _give_to_owner(self, old: os.stat_result, mode: int) -> int:
        """Give the file to the owner and group of the old one, as far as permitted; the mode with which nobody gains anything."""
        with contextlib.suppress(PermissionError):
            os.fchown(self._descriptor, old.st_uid, old.st_gid)
            return mode
        mode &= 0o777  # whoever runs it would be somebody else
        with contextlib.suppress(PermissionError):
            os.fchown(self._descriptor, -1, old.st_gid)
            return mode
        return mode & 0o707 | mode & (mode & 0o007) << 3  # another group may do what everybody may

    def _sync_folder(self) -> None:
        folder = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def abort(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
        with contextlib.suppress(OSError):
            os.unlink(self._temporary)


class DeviceSink:
    """A target that is a device: written directly."""

    def __init__(self, path: str) -> None:
        self.name = path
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC | os.O_NOCTTY)

    def write(self, buffers: Buffers) -> None:
        try:
            write_all(self._descriptor, buffers)
        except OSError as error:
            raise _failed(error, self.name) from error

    def commit(self) -> None:
        self.abort()

    def abort(self) -> None:
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)


class FileObjectSink:
    """A binary file object of the caller, written from its current position and not closed."""

    def __init__(self, file: IO[bytes]) -> None:
        self.name = str(getattr(file, "name", "<stream>"))
        self._file = file

    def write(self, buffers: Buffers) -> None:
        try:
            for buffer in buffers:
                rest = memoryview(buffer)
                while rest:  # raw files may take less than they are given
                    rest = rest[_taken(self._file.write(rest), rest) :]
        except OSError as error:
            raise _failed(error, self.name) from error

    def commit(self) -> None:
        try:
            self._file.flush()
        except OSError as error:
            raise _failed(error, self.name) from error

    def abort(self) -> None:
        pass


class AsyncFileSink:
    """A file object whose `write` is a coroutine function."""

    gathers = False

    def __init__(self, file: Any) -> None:
        self.name = str(getattr(file, "name", "<stream>"))
        self._file = file

    async def send(self, buffers: Buffers) -> None:
        try:
            rest = memoryview(b"".join(buffers))
            while rest:
                rest = rest[_taken(await self._file.write(rest), rest) :]
        except OSError as error:
            raise _failed(error, self.name) from error

    async def aclose(self) -> None:
        try:
            await self._file.flush()
        except OSError as error:
            raise _failed(error, self.name) from error


class SendSink:
    """An anyio byte send stream of the caller, not closed."""

    name = "<stream>"
    gathers = False

    def __init__(self, stream: SendStream) -> None:
        self._stream = stream

    async def send(self, buffers: Buffers) -> None:
        await self._stream.send(b"".join(buffers))

    async def aclose(self) -> None:
        pass


class PipeSink:
    """A pipe or terminal, written without a thread so that cancelling leaves none behind."""

    gathers = True

    def __init__(self, descriptor: int, name: str, *, owned: bool = False) -> None:
        self.name = name
        self._descriptor, self._reopened = (descriptor, True) if owned else reopen_nonblocking(descriptor, os.O_WRONLY)

    async def send(self, buffers: Buffers) -> None:
        import anyio

        views = _views(buffers)
        try:
            while views:
                if not self._reopened:
                    await anyio.wait_writable(self._descriptor)
                try:
                    _write_some(self._descriptor, views)
                except BlockingIOError:
                    await anyio.wait_writable(self._descriptor)
        except OSError as error:
            raise _failed(error, self.name) from error

    async def aclose(self) -> None:
        if self._reopened:
            os.close(self._descriptor)


class StandardFileSink:
    """Standard output where it is a file or device."""

    def __init__(self, descriptor: int, name: str) -> None:
        self.name = name
        self._descriptor = descriptor

    def write(self, buffers: Buffers) -> None:
        try:
            write_all(self._descriptor, buffers)
        except OSError as error:
            raise _failed(error, self.name) from error

    def commit(self) -> None:
        pass

    def abort(self) -> None:
        pass


async def _open_named_pipe(path: str) -> PipeSink:
    """Wait for a reader without blocking a thread, so that it can be cancelled."""
    import anyio

    while True:
        try:
            return PipeSink(os.open(path, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC), path, owned=True)
        except OSError as error:
            if error.errno != errno.ENXIO:  # that is: no reader yet
                raise _failed(error, path) from error
            await anyio.sleep(_READER_POLL)


def _refuse_planted_links(path: str) -> None:
    """Raise PermissionError for a link that somebody else has put into a directory like /tmp.

    Linux refuses to follow them (fs.protected_symlinks), but does not see it where their destination is replaced by name.
    """
    shared = stat.S_ISVTX | stat.S_IWOTH
    for _ in range(_MOST_LINKS):
        try:
            found, folder = os.lstat(path), os.stat(os.path.dirname(path) or os.curdir)
            if not stat.S_ISLNK(found.st_mode):
                return
            destination = os.readlink(path)
        except FileNotFoundError:
            return
        if folder.st_mode & shared == shared and found.st_uid not in (os.geteuid(), folder.st_uid):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)
        path = os.path.join(os.path.dirname(path), destination)


def _mode_of(path: str) -> int:
    """What kind of file a target is; a regular one if it does not exist."""
    try:
        return os.stat(path).st_mode
    except (OSError, ValueError):
        return stat.S_IFREG


def _open_path(path: str, durable: bool) -> ThreadSink:
    if not path:
        raise SinkError("Invalid filename", path=path)
    mode = _mode_of(path)
    try:
        if stat.S_ISDIR(mode):
            raise OSError(errno.EISDIR, os.strerror(errno.EISDIR))
        return FileSink(path, durable=durable) if stat.S_ISREG(mode) else DeviceSink(path)
    except (OSError, ValueError) as error:
        raise _failed(error if isinstance(error, OSError) else OSError(errno.EINVAL, str(error)), path) from error


def open_file_sink(path: str) -> ThreadSink:
    """Open a path, in a worker thread; raises SinkError. For a file that is made whole in memory."""
    return _open_path(path, False)


def name_of(target: Target) -> str:
    """What messages call a target."""
    if isinstance(target, StandardOutput):
        return "-"
    if isinstance(target, (str, os.PathLike)):
        return os.fspath(target)
    return str(getattr(target, "name", "<stream>"))


async def open_sink(target: Target, *, durable: bool = False) -> ThreadSink | AsyncSink:
    """Open a target; raises SinkError if that fails, TypeError for an object that is none."""
    if isinstance(target, (str, os.PathLike)):
        if stat.S_ISFIFO(_mode_of(os.fspath(target))):
            return await _open_named_pipe(os.fspath(target))
        return await run_in_thread(_open_path, os.fspath(target), durable, discard=lambda sink: sink.abort())
    if isinstance(target, StandardOutput):
        if sys.stdout is None:  # closed by who started this process
            raise _failed(OSError(errno.EBADF, os.strerror(errno.EBADF)), "-")
        descriptor = sys.stdout.fileno()
        mode = os.fstat(descriptor).st_mode
        pipe = stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode) or os.isatty(descriptor)
        return PipeSink(descriptor, "-") if pipe else StandardFileSink(descriptor, "-")
    writer: Any = target
    if hasattr(target, "write"):
        return AsyncFileSink(writer) if inspect.iscoroutinefunction(writer.write) else FileObjectSink(writer)
    if isinstance(target, SendStream):
        return SendSink(target)
    raise TypeError(f"not a target for bytes: {type(target).__name__}")
