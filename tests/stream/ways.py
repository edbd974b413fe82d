"""Every kind of source and target, opened around given bytes."""

from __future__ import annotations

import io
import os
import socket
import threading
from collections.abc import AsyncIterable, AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import IO, Any

import anyio
import anyio.abc
import pytest
import sniffio

from tests.stream.material import pieces, stream


class OneWay(io.RawIOBase):
    """A raw binary file object that cannot seek and gives little at a time."""

    def __init__(self, data: bytes, most: int = 5000) -> None:
        self._rest = memoryview(data)
        self._most = most

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        size = min(len(buffer), len(self._rest), self._most)
        buffer[:size] = self._rest[:size]
        self._rest = self._rest[size:]
        return size


class ReadOnly:
    """The least a file object can be: `read` and nothing else."""

    def __init__(self, data: bytes) -> None:
        self._file = io.BytesIO(data)

    def read(self, size: int = -1) -> bytes:
        return self._file.read(size)


class Reluctant(io.RawIOBase):
    """A raw binary file object that takes few bytes of each write, as raw files may."""

    def __init__(self, most: int = 1000) -> None:
        self.taken = bytearray()
        self._most = most

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        piece = bytes(data[: self._most])
        self.taken += piece
        return len(piece)


def binary(path: Path, mode: str, buffering: int = -1) -> IO[bytes]:
    """Open a file in the ordinary, synchronous way."""
    return open(path, mode, buffering)


Way = Callable[[bytes, Path], AbstractAsyncContextManager[Any]]
SOURCES: dict[str, Way] = {}


def _source(function: Callable[[bytes, Path], AsyncIterator[Any]]) -> Way:
    way = asynccontextmanager(function)
    SOURCES[function.__name__.strip("_").replace("_", " ")] = way
    return way


def _file(data: bytes, folder: Path) -> Path:
    path = folder / "source"
    path.write_bytes(data)
    return path


@_source
async def _path(data: bytes, folder: Path) -> AsyncIterator[Any]:
    yield _file(data, folder)


@_source
async def _name_of_a_path(data: bytes, folder: Path) -> AsyncIterator[Any]:
    yield str(_file(data, folder))


@_source
async def _bytes(data: bytes, folder: Path) -> AsyncIterator[Any]:
    yield data


@_source
async def _bytearray(data: bytes, folder: Path) -> AsyncIterator[Any]:
    yield bytearray(data)


@_source
async def _memoryview(data: bytes, folder: Path) -> AsyncIterator[Any]:
    yield memoryview(data)


@_source
async def _bytes_file(data: bytes, folder: Path) -> AsyncIterator[Any]:
    yield io.BytesIO(data)


@_source
async def _bytes_file_in_the_middle(data: bytes, folder: Path) -> AsyncIterator[Any]:
    file = io.BytesIO(b"something else" + data)
    file.seek(14)
    yield file


@_source
async def _buffered_file(data: bytes, folder: Path) -> AsyncIterator[Any]:
    with binary(_file(data, folder), "rb") as file:
        yield file


@_source
async def _unbuffered_file(data: bytes, folder: Path) -> AsyncIterator[Any]:
    with binary(_file(data, folder), "rb", 0) as file:
        yield file


@_source
async def _file_that_cannot_seek(data: bytes, folder: Path) -> AsyncIterator[Any]:
    yield OneWay(data)


@_source
async def _buffered_file_that_cannot_seek(data: bytes, folder: Path) -> AsyncIterator[Any]:
    yield io.BufferedReader(OneWay(data))


@_source
async def _object_with_read(data: bytes, folder: Path) -> AsyncIterator[Any]:
    yield ReadOnly(data)


@_source
async def _async_iterable(data: bytes, folder: Path) -> AsyncIterator[Any]:
    yield stream(data)


@_source
async def _async_iterable_of_bytes(data: bytes, folder: Path) -> AsyncIterator[Any]:
    yield stream(data, largest=2 if len(data) < 1800 else 1 << 20)


@_source
async def _receive_stream_of_objects(data: bytes, folder: Path) -> AsyncIterator[Any]:
    send, receive = anyio.create_memory_object_stream[bytes](0)

    async def fill() -> None:
        async with send:
            for piece in pieces(data):
                await send.send(piece)

    async with receive, anyio.create_task_group() as group:
        group.start_soon(fill)
        yield receive
        group.cancel_scope.cancel()


@_source
async def _receive_stream_of_bytes(data: bytes, folder: Path) -> AsyncIterator[Any]:
    ours, theirs = socket.socketpair()

    async def fill() -> None:
        async with await anyio.abc.SocketStream.from_socket(theirs) as output:
            await output.send(data)

    async with await anyio.abc.SocketStream.from_socket(ours) as source, anyio.create_task_group() as group:
        group.start_soon(fill)
        yield source
        group.cancel_scope.cancel()


@_source
async def _anyio_file(data: bytes, folder: Path) -> AsyncIterator[Any]:
    async with await anyio.open_file(_file(data, folder), "rb") as file:
        yield file


@_source
async def _aiofiles_file(data: bytes, folder: Path) -> AsyncIterator[Any]:
    aiofiles = aiofiles_module()
    async with aiofiles.open(_file(data, folder), "rb") as file:
        yield file


@_source
async def _named_pipe(data: bytes, folder: Path) -> AsyncIterator[Any]:
    path = folder / "pipe"
    if not path.exists():
        os.mkfifo(path)

    def fill() -> None:
        path.write_bytes(data)

    thread = threading.Thread(target=fill)
    thread.start()
    yield path
    thread.join()


def aiofiles_module() -> Any:
    """The package aiofiles, which knows asyncio only; skips without it."""
    if sniffio.current_async_library() != "asyncio":
        pytest.skip("aiofiles works on asyncio only")
    return pytest.importorskip("aiofiles")


async def consume(opening: AbstractAsyncContextManager[AsyncIterable[bytes]], passed: list[bytes] | None = None) -> Any:
    """Take all blocks of a verifier or signer, noting them in `passed`; returns it."""
    async with opening as blocks:
        async for block in blocks:
            if passed is not None:
                passed.append(block)
        return blocks


async def enter(opening: AbstractAsyncContextManager[Any], error: Exception) -> None:
    """Raise an error inside a context."""
    async with opening:
        raise error


# ---------------------------------------------------------------- targets

Taken = Callable[[], bytes]
Sink = Callable[[Path], AbstractAsyncContextManager[tuple[Any, Taken]]]
TARGETS: dict[str, Sink] = {}
"""Each gives a target and a function that gives what it took, to be called inside the context."""


def _target(function: Callable[[Path], AsyncIterator[tuple[Any, Taken]]]) -> Sink:
    way = asynccontextmanager(function)
    TARGETS[function.__name__.strip("_").replace("_", " ")] = way
    return way


@_target
async def _to_path(folder: Path) -> AsyncIterator[tuple[Any, Taken]]:
    path = folder / "target"
    yield path, path.read_bytes


@_target
async def _to_bytes_file(folder: Path) -> AsyncIterator[tuple[Any, Taken]]:
    file = io.BytesIO()
    yield file, file.getvalue


@_target
async def _to_buffered_file(folder: Path) -> AsyncIterator[tuple[Any, Taken]]:
    path = folder / "file"
    with binary(path, "wb") as file:
        yield file, path.read_bytes


@_target
async def _to_unbuffered_file(folder: Path) -> AsyncIterator[tuple[Any, Taken]]:
    path = folder / "file"
    with binary(path, "wb", 0) as file:
        yield file, path.read_bytes


@_target
async def _to_file_that_takes_little(folder: Path) -> AsyncIterator[tuple[Any, Taken]]:
    file = Reluctant()
    yield file, lambda: bytes(file.taken)


@_target
async def _to_anyio_file(folder: Path) -> AsyncIterator[tuple[Any, Taken]]:
    path = folder / "file"
    async with await anyio.open_file(path, "wb") as file:
        yield file, path.read_bytes


@_target
async def _to_anyio_file_that_takes_little(folder: Path) -> AsyncIterator[tuple[Any, Taken]]:
    file = Reluctant()
    yield anyio.wrap_file(file), lambda: bytes(file.taken)  # type: ignore[arg-type]


@_target
async def _to_aiofiles_file(folder: Path) -> AsyncIterator[tuple[Any, Taken]]:
    path = folder / "file"
    async with aiofiles_module().open(path, "wb") as file:
        yield file, path.read_bytes


@_target
async def _to_send_stream_of_objects(folder: Path) -> AsyncIterator[tuple[Any, Taken]]:
    taken: list[bytes] = []
    send, receive = anyio.create_memory_object_stream[bytes](100)
    async with send, receive:

        def drained() -> bytes:
            while receive.statistics().current_buffer_used:
                taken.append(receive.receive_nowait())
            return b"".join(taken)

        yield send, drained


@_target
async def _to_named_pipe(folder: Path) -> AsyncIterator[tuple[Any, Taken]]:
    path, taken = folder / "pipe", bytearray()
    if not path.exists():
        os.mkfifo(path)

    def drain() -> None:
        with open(path, "rb") as pipe:
            taken.extend(pipe.read())

    thread = threading.Thread(target=drain)
    thread.start()

    def joined() -> bytes:
        thread.join()
        return bytes(taken)

    yield path, joined
