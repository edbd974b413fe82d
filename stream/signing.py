"""Creates a digital signature in the main data set of an object, in constant memory."""

from __future__ import annotations

import logging
import os
import uuid
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Generator, Iterable
from contextlib import AsyncExitStack, aclosing, asynccontextmanager, closing
from datetime import datetime
from typing import IO

import anyio

from ..codec.dicom.options import READ_AS_FOUND, ReadOptions
from ..codec.errors import DumpError, Error
from ..codec.signature.algorithms import MAC_ALGORITHMS
from ..codec.signature.splice import Buffers
from . import ripemd160 as _ripemd160  # noqa: F401 (registers the fallback)
from .formats import StreamFormat
from .io.ahead import write_behind
from .io.sinks import Target, ThreadSink, name_of, open_sink
from .io.sources import Blocks, RandomAccess, Source, close_source, open_source
from .io.spool import Spool
from .io.threads import run_in_thread
from .passes import OnePass, Request, TwoPasses
from .reports import SigningReceipt
from .trust.signers import Signer

log = logging.getLogger("dcmsign.stream.sign")

SignerSource = Signer | Callable[[], Awaitable[Signer]]
"""A signer, or what makes one once the input has been read."""

_SMALL = 1 << 20


def local_now() -> datetime:
    """The present time with the local time zone."""
    return datetime.now().astimezone()


def new_uid() -> str:
    """A new UID (PS3.5 B.2)."""
    return f"2.25.{uuid.uuid4().int}"


async def sign(
    source: Source,
    target: Target,
    *,
    signer: SignerSource,
    mac_algorithm: str = "SHA256",
    tags: Iterable[int] | None = None,
    purpose: int | None = None,
    stream_format: StreamFormat = StreamFormat.STANDARD,
    undefined_lengths: bool = False,
    dump: str | os.PathLike[str] | None = None,
    read: ReadOptions = READ_AS_FOUND,
    durable: bool = False,
    clock: Callable[[], datetime] = local_now,
    uids: Callable[[], str] = new_uid,
) -> SigningReceipt:
    """Create a digital signature in the main data set of a DICOM object (PS3.3 C.12.1.1.3, PS3.15 C).

    `source`: path, bytes, binary file object, async iterable of bytes, anyio receive stream or `stdin()`. What cannot be read
    twice is kept on disk meanwhile (in memory up to 4 MiB), except where `tags` and a ready signer are given: then it is signed
    in one pass, and fails loudly if those tags are not there. `target`: path, binary file object, anyio send stream or
    `stdout()`; a path gets the output whole or not at all, and may be the same as the source.

    `signer`: a Signer, or a coroutine function that makes one after the source has been read. `mac_algorithm`: a key of
    MAC_ALGORITHMS. `tags`: data elements to sign, all signable ones if None. `purpose`: code 1 to 18. `undefined_lengths`: write
    sequences and items with delimiters. `dump`: file that gets the bytes that are digested. `durable`: return only when the
    output is on the disk. `clock`: gives the date of the signature, with its time zone. `uids`: gives new UIDs.

    Raises SourceError, FormatError, SigningError, TrustError, SinkError or DumpError. After any error and after cancellation the
    target is as it was.
    """
    request = _request(mac_algorithm, tags, purpose, stream_format, undefined_lengths, read, clock, uids)
    async with _opened(source, signer, request, dump) as work:
        await work.prepare()
        log.info("create output file %s", name_of(target))
        sink = await open_sink(target, durable=durable)
        if isinstance(sink, ThreadSink):
            return await _write_in_thread(work, sink)
        try:
            async with aclosing(work.output()) as output:
                async for buffers in output:
                    await sink.send(buffers)
        finally:
            with anyio.CancelScope(shield=True):
                await sink.aclose()
        return work.receipt()


def _request(
    mac_algorithm: str,
    tags: Iterable[int] | None,
    purpose: int | None,
    stream_format: StreamFormat,
    undefined_lengths: bool,
    read: ReadOptions,
    clock: Callable[[], datetime],
    uids: Callable[[], str],
) -> Request:
    if mac_algorithm not in MAC_ALGORITHMS:
        raise ValueError(f"no MAC algorithm: {mac_algorithm!r}")
    if purpose is not None and not 1 <= purpose <= 18:
        raise ValueError(f"no purpose code: {purpose}")
    chosen = None if tags is None else tuple(tags)
    return Request(mac_algorithm, chosen, purpose, stream_format, undefined_lengths, read, clock, uids)


@asynccontextmanager
async def _opened(
    source: Source, signer: SignerSource, request: Request, dump: str | os.PathLike[str] | None = None
) -> AsyncIterator[_Work]:
    """Open dump and source and choose the way to sign; errors leave with the name of the source."""
    async with AsyncExitStack() as stack:
        dump_file = None
        if dump is not None:
            dump_file = await run_in_thread(_open_dump, os.fspath(dump), discard=IO.close)
            stack.enter_context(dump_file)
        opened = await open_source(source)
        stack.push_async_callback(close_source, opened)
        try:
            if isinstance(opened, RandomAccess):
                signing: TwoPasses | OnePass = TwoPasses(opened, request, dump_file)
            elif request.tags is not None and not callable(signer):
                signing = OnePass(signer, request, dump_file)
            else:
                spool = stack.enter_context(closing(Spool()))
                await _spooled(opened, spool)
                signing = TwoPasses(spool, request, dump_file)
            stack.enter_context(closing(signing))
            yield _Work(signing, opened, signer)
        except Error as error:
            error.path = opened.name if error.path is None else error.path
            raise


def _open_dump(path: str) -> IO[bytes]:
    try:
        return open(path, "wb")
    except (OSError, ValueError) as error:
        raise DumpError(str(error), path=path) from error


async def _spooled(blocks: Blocks, spool: Spool) -> None:
    while block := await blocks.next():
        if spool.size + len(block) <= _SMALL:
            spool.write(block)
        else:
            await run_in_thread(spool.write, block)


class _Work:
    """A signature being made, whichever way: `prepare`, then all `batches` in worker threads, then `finish`."""

    def __init__(self, signing: TwoPasses | OnePass, source: RandomAccess | Blocks, signer: SignerSource) -> None:
        self._signing = signing
        self._source = source
        self._signer_source = signer
        self._signer: Signer | None = None
        self._value = b""

    @property
    def signer(self) -> Signer:
        """The signer, once prepared."""
        assert self._signer is not None
        return self._signer

    async def prepare(self) -> None:
        """Everything that can fail before the first byte of output."""
        signing, source = self._signing, self._signer_source
        if isinstance(signing, TwoPasses):
            await run_in_thread(signing.survey)
        self._signer = await source() if callable(source) else source
        log.info("create signature in main object.")
        if isinstance(signing, TwoPasses):
            await run_in_thread(signing.plan, self._signer)

    async def batches(self) -> AsyncGenerator[Generator[Buffers, None, None]]:
        """The output up to the signature: iterators that work while they are iterated over."""
        if isinstance(self._signing, TwoPasses):
            yield self._signing.body()
            return
        assert not isinstance(self._source, RandomAccess)
        while block := await self._source.next():
            yield self._signing.feed(block)
        yield self._signing.end()

    async def sign(self) -> None:
        """Have the digest signed."""
        self._value = await self.signer.sign_digest(self._signing.digest, self._signing.algorithm)

    def ending(self) -> Buffers:
        """The rest of the output; for a worker thread."""
        return self._signing.ending(self.signer, self._value)

    async def output(self) -> AsyncGenerator[Buffers]:
        """The whole output."""
        async with aclosing(self.batches()) as batches:
            async for batch in batches:
                with closing(batch):
                    while (buffers := await run_in_thread(next, batch, None)) is not None:
                        yield buffers
        await self.sign()
        yield await run_in_thread(self.ending)

    def receipt(self) -> SigningReceipt:
        """What was written."""
        return self._signing.receipt(self.signer, self._value)


async def _write_in_thread(work: _Work, sink: ThreadSink) -> SigningReceipt:
    """Read, digest and write in the same worker thread."""

    def write(batch: Generator[Buffers, None, None]) -> None:
        with closing(batch):
            write_behind(sink, batch)

    def finish() -> None:
        sink.write(work.ending())
        sink.commit()

    try:
        async with aclosing(work.batches()) as batches:
            async for batch in batches:
                await run_in_thread(write, batch)
        await work.sign()
        await run_in_thread(finish)
    except BaseException:
        sink.abort()
        raise
    return work.receipt()


class SigningStream:
    """The bytes of the signed object, block by block; `receipt` is there once they have ended."""

    def __init__(self, work: _Work) -> None:
        self._receipt: SigningReceipt | None = None
        self._blocks = self._signed(work)

    @property
    def receipt(self) -> SigningReceipt:
        """What was signed; RuntimeError before the last block."""
        if self._receipt is None:
            raise RuntimeError("the receipt is there once all blocks have been taken")
        return self._receipt

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self._blocks

    async def aclose(self) -> None:
        """Stop."""
        await self._blocks.aclose()

    async def _signed(self, work: _Work) -> AsyncGenerator[bytes]:
        async with aclosing(work.output()) as output:
            async for buffers in output:
                if block := b"".join(buffers):
                    yield block
        self._receipt = work.receipt()


@asynccontextmanager
async def open_signer(
    source: Source,
    *,
    signer: SignerSource,
    mac_algorithm: str = "SHA256",
    tags: Iterable[int] | None = None,
    purpose: int | None = None,
    stream_format: StreamFormat = StreamFormat.STANDARD,
    undefined_lengths: bool = False,
    read: ReadOptions = READ_AS_FOUND,
    clock: Callable[[], datetime] = local_now,
    uids: Callable[[], str] = new_uid,
) -> AsyncIterator[SigningStream]:
    """Sign while forwarding: iterate over the bytes of the signed object inside the context, then look at `receipt`.

    Parameters and errors are those of `sign`. What can fail before the first byte, does: the source is read and the plan made
    on entering. A failure later cuts the stream with an exception.
    """
    request = _request(mac_algorithm, tags, purpose, stream_format, undefined_lengths, read, clock, uids)
    async with _opened(source, signer, request) as work:
        await work.prepare()
        stream = SigningStream(work)
        try:
            yield stream
        finally:
            await stream.aclose()
