"""Creates a digital signature in the main data set of an object, in constant memory."""

from __future__ import annotations

import logging
import os
import uuid
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, closing
from dataclasses import dataclass
from datetime import datetime
from typing import IO, TYPE_CHECKING

import anyio
import anyio.from_thread
import anyio.to_thread

from ..codec.dicom.events import DatasetStart, Event
from ..codec.dicom.meta import GENERIC_SOP_CLASS, meta_header
from ..codec.dicom.parser import READ_AS_FOUND, ReadOptions
from ..codec.dicom.texts import TextGate
from ..codec.errors import CryptoFailure, DumpError, Error, NoMacIdLeft, SigningError, UnorderedInput, UnusableMacSyntax
from ..codec.signature.algorithms import MAC_ALGORITHMS, new_digest
from ..codec.signature.items import MAX_SIGNED_ELEMENTS, free_mac_id
from ..codec.signature.splice import Buffers, SigningPlan, Splicer, mac_syntax_of
from ..codec.signature.survey import Survey
from . import ripemd160 as _ripemd160  # noqa: F401 (registers the fallback)
from .formats import StreamFormat
from .io.sinks import Target, ThreadSink, open_sink
from .io.sources import Blocks, RandomAccess, Source, close_source, open_source
from .io.spool import Spool
from .reading import Warnings, forward_events, open_ordered
from .reports import SigningReceipt
from .trust.signers import Signer, verify_digest

if TYPE_CHECKING:
    import zlib

log = logging.getLogger("dcmsign.stream.sign")

SignerSource = Signer | Callable[[], Awaitable[Signer]]
"""A signer, or what makes one once the input has been read."""

_COLLECT = 1 << 20


def local_now() -> datetime:
    """The present time with the local time zone."""
    return datetime.now().astimezone()


def new_uid() -> str:
    """A new UID (PS3.5 B.2)."""
    return f"2.25.{uuid.uuid4().int}"


@dataclass(frozen=True, slots=True)
class Request:
    """What the caller of `sign` asks for."""

    mac_algorithm: str
    tags: tuple[int, ...] | None
    purpose: int | None
    stream_format: StreamFormat
    undefined_lengths: bool
    read: ReadOptions
    clock: Callable[[], datetime]


class Signing:
    """One object being signed: `survey`, `plan`, `body`, then `ending`. Synchronous, for worker threads."""

    def __init__(self, source: RandomAccess, request: Request, dump: IO[bytes] | None) -> None:
        self._source = source
        self._request = request
        self._dump = dump
        self._warnings = Warnings()
        self._texts: dict[int, int] = {}
        self._ordered = False
        self._survey = Survey()
        self._plan: SigningPlan | None = None
        self._splicer: Splicer | None = None
        self._tail = Spool()
        self._deflater: zlib._Compress | None = None
        self.digest = b""

    def survey(self) -> None:
        """First pass, over the headers."""
        try:
            self._read_survey()
        except UnorderedInput:
            self._ordered = True
            self._read_survey()

    def _read_survey(self) -> None:
        self._survey = survey = Survey(undefined_lengths=self._request.undefined_lengths)
        self._texts.clear()
        for event in TextGate(self._texts, measure=True).through(self._events(skip=True)):
            survey.feed(event)

    def _events(self, *, skip: bool = False) -> Iterator[Event]:
        request, source = self._request, _Cancellable(self._source)
        if self._ordered:
            return open_ordered(source, request.read, self._warnings)[1]
        return forward_events(source, request.read, self._warnings, skip=skip)

    def plan(self, signer: Signer) -> None:
        """Everything that can fail before the data is digested, in dcmsign's order."""
        request, survey = self._request, self._survey
        check = getattr(signer, "check", None)
        if check is not None:
            check()
        new_digest(request.mac_algorithm)
        now = request.clock()
        self._warn(signer, now)
        tags = survey.selection(request.tags)
        mac_syntax = mac_syntax_of(survey.syntax)
        if not survey.pixels.allow(mac_syntax, survey.syntax):
            raise UnusableMacSyntax("Pixel Data is not available in the MAC calculation transfer syntax")
        if len(tags) > MAX_SIGNED_ELEMENTS:
            raise SigningError(f"{len(tags)} data elements to sign, Data Elements Signed holds {MAX_SIGNED_ELEMENTS}")
        mac_id = free_mac_id(survey.mac_ids())
        if mac_id is None:
            raise NoMacIdLeft("all 65536 MAC ID numbers are in use")
        self._plan = SigningPlan(
            mac_id=mac_id,
            uid=new_uid(),
            date_time=now.strftime("%Y%m%d%H%M%S.%f%z"),
            purpose=request.purpose,
            algorithm=request.mac_algorithm,
            mac_syntax=mac_syntax,
            tags=tuple(tags),
            incomplete=request.stream_format is StreamFormat.DCMTK,
            old_format=request.stream_format is StreamFormat.OLD,
        )

    @staticmethod
    def _warn(signer: Signer, now: datetime) -> None:
        certificate = signer.certificate
        if now > certificate.not_after:
            log.warning("Certificate has expired %s, signature will be invalid.", certificate.not_after_text)
        if now < certificate.not_before:
            text = certificate.not_before_text
            log.warning("Certificate is not yet valid, validity starts %s, signature will be invalid.", text)
        if certificate.weak_key:
            log.warning("Certificate contains a weak key: %s", certificate.weak_key_text)

    def body(self) -> Iterator[Buffers]:
        """Second pass: the output up to the new signature, in pieces of about a block."""
        assert self._plan is not None
        survey = self._survey
        sop_class, sop_instance = survey.sop_uids()
        yield [
            meta_header(
                survey.preamble,
                survey.syntax.uid,
                sop_class or GENERIC_SOP_CLASS.encode(),
                sop_instance or new_uid().encode(),
            )
        ]
        dump = None if self._dump is None else self._dump.write
        self._splicer = Splicer(survey, self._plan, self._tail, undefined_lengths=self._request.undefined_lengths, dump=dump)
        for buffers in self._dataset(self._splicer):
            yield self._packed(buffers)

    def _dataset(self, splicer: Splicer) -> Iterator[Buffers]:
        started = False
        for event in TextGate(self._texts).through(self._events()):
            if not started:
                started = type(event) is DatasetStart
                continue
            splicer.feed(event)
            if splicer.pending >= _COLLECT:
                yield splicer.take()
        self.digest = splicer.digest()
        yield splicer.take()

    def _packed(self, buffers: Iterable[bytes | memoryview], *, last: bool = False) -> Buffers:
        """The buffers, deflated if the transfer syntax wants that."""
        if not self._survey.syntax.deflated:
            return list(buffers)
        if self._deflater is None:
            import zlib  # loaded only for deflated output

            self._deflater = zlib.compressobj(wbits=-zlib.MAX_WBITS)
        packed: Buffers = [self._deflater.compress(buffer) for buffer in buffers]
        if last:
            packed.append(self._deflater.flush())
        return packed

    @property
    def algorithm(self) -> str:
        """MAC algorithm of the signature."""
        return self._request.mac_algorithm

    def ending(self, signer: Signer, value: bytes) -> Buffers:
        """The rest of the output, once the signature value is known and has been checked against the certificate."""
        assert self._plan is not None
        assert self._splicer is not None
        if not verify_digest(signer.certificate, value, self.digest, self._plan.algorithm):
            raise CryptoFailure("the new signature does not verify with the public key of the certificate")
        return self._packed(self._splicer.finish(signer.certificate.der, value), last=True)

    def receipt(self, signer: Signer, value: bytes) -> SigningReceipt:
        """What was written."""
        plan = self._plan
        assert plan is not None
        return SigningReceipt(
            uid=plan.uid,
            location=(),
            mac_id=plan.mac_id,
            mac_algorithm=plan.algorithm,
            mac_transfer_syntax=plan.mac_syntax.uid,
            tags_signed=plan.tags,
            signed_at=plan.date_time,
            certificate=signer.certificate,
            digest=self.digest,
            signature=value,
        )

    def close(self) -> None:
        """Forget what is kept."""
        self._tail.close()


class _Cancellable:
    """A source whose reads end when the calling task is cancelled."""

    def __init__(self, source: RandomAccess) -> None:
        self.name = source.name
        self._source = source

    def read_at(self, offset: int, size: int) -> bytes:
        anyio.from_thread.check_cancelled()
        return self._source.read_at(offset, size)

    def close(self) -> None:
        self._source.close()


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
) -> SigningReceipt:
    """Create a digital signature in the main data set of a DICOM object (PS3.3 C.12.1.1.3, PS3.15 C).

    `source`: path, bytes, binary file object, async iterable of bytes, anyio receive stream or `stdin()`. What cannot be read
    twice is kept on disk meanwhile (in memory up to 4 MiB). `target`: path, binary file object, anyio send stream or `stdout()`;
    a path gets the output whole or not at all, and may be the same as the source.

    `signer`: a Signer, or a coroutine function that makes one after the source has been read. `mac_algorithm`: a key of
    MAC_ALGORITHMS. `tags`: data elements to sign, all signable ones if None. `purpose`: code 1 to 18. `undefined_lengths`: write
    sequences and items with delimiters. `dump`: file that gets the bytes that are digested. `durable`: return only when the
    output is on the disk. `clock`: gives the date of the signature, with its time zone.

    Raises SourceError, FormatError, SigningError, TrustError, SinkError or DumpError. After any error and after cancellation the
    target is as it was.
    """
    request = _request(mac_algorithm, tags, purpose, stream_format, undefined_lengths, read, clock)
    async with _signing(source, request, dump) as (signing, name):
        try:
            ready = await _prepared(signing, signer)
            return await _write(signing, ready, target, durable)
        except Error as error:
            error.path = error.path or name
            raise


def _request(
    mac_algorithm: str,
    tags: Iterable[int] | None,
    purpose: int | None,
    stream_format: StreamFormat,
    undefined_lengths: bool,
    read: ReadOptions,
    clock: Callable[[], datetime],
) -> Request:
    if mac_algorithm not in MAC_ALGORITHMS:
        raise ValueError(f"no MAC algorithm: {mac_algorithm!r}")
    if purpose is not None and not 1 <= purpose <= 18:
        raise ValueError(f"no purpose code: {purpose}")
    chosen = None if tags is None else tuple(tags)
    return Request(mac_algorithm, chosen, purpose, stream_format, undefined_lengths, read, clock)


@asynccontextmanager
async def _signing(source: Source, request: Request, dump: str | os.PathLike[str] | None) -> AsyncIterator[tuple[Signing, str]]:
    """Open dump and source; what cannot be read twice is kept in a spool."""
    async with AsyncExitStack() as stack:
        dump_file = None
        if dump is not None:
            dump_file = stack.enter_context(await anyio.to_thread.run_sync(_open_dump, os.fspath(dump)))
        opened = await open_source(source)
        stack.push_async_callback(close_source, opened)
        if isinstance(opened, RandomAccess):
            seekable = opened
        else:
            seekable = spool = stack.enter_context(closing(Spool()))
            await _spooled(opened, spool)
        signing = stack.enter_context(closing(Signing(seekable, request, dump_file)))
        yield signing, opened.name


def _open_dump(path: str) -> IO[bytes]:
    try:
        return open(path, "wb")
    except (OSError, ValueError) as error:
        raise DumpError(str(error), path=path) from error


async def _spooled(blocks: Blocks, spool: Spool) -> None:
    while block := await blocks.next():
        if spool.size + len(block) <= _COLLECT:
            spool.write(block)
        else:
            await anyio.to_thread.run_sync(spool.write, block)


async def _prepared(signing: Signing, signer: SignerSource) -> Signer:
    await anyio.to_thread.run_sync(signing.survey)
    ready = await signer() if callable(signer) else signer
    log.info("create signature in main object.")
    await anyio.to_thread.run_sync(signing.plan, ready)
    return ready


async def _write(signing: Signing, signer: Signer, target: Target, durable: bool) -> SigningReceipt:
    sink = await open_sink(target, durable=durable)
    log.info("create output file %s", sink.name)
    if isinstance(sink, ThreadSink):
        return await _write_in_thread(signing, signer, sink)
    try:
        body = signing.body()
        while (buffers := await anyio.to_thread.run_sync(next, body, None)) is not None:
            await sink.send(buffers)
        value = await signer.sign_digest(signing.digest, signing.algorithm)
        await sink.send(await anyio.to_thread.run_sync(signing.ending, signer, value))
    finally:
        with anyio.CancelScope(shield=True):
            await sink.aclose()
    return signing.receipt(signer, value)


async def _write_in_thread(signing: Signing, signer: Signer, sink: ThreadSink) -> SigningReceipt:
    """Read, digest and write in one worker thread."""

    def write_body() -> None:
        for buffers in signing.body():
            sink.write(buffers)

    def write_ending(value: bytes) -> None:
        sink.write(signing.ending(signer, value))
        sink.commit()

    try:
        await anyio.to_thread.run_sync(write_body)
        value = await signer.sign_digest(signing.digest, signing.algorithm)
        await anyio.to_thread.run_sync(write_ending, value)
    except BaseException:
        sink.abort()
        raise
    return signing.receipt(signer, value)


class SigningStream:
    """The bytes of the signed object, block by block; `receipt` is there once they have ended."""

    def __init__(self, signing: Signing, signer: Signer) -> None:
        self._receipt: SigningReceipt | None = None
        self._blocks = self._signed(signing, signer)

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

    async def _signed(self, signing: Signing, signer: Signer) -> AsyncGenerator[bytes]:
        body = signing.body()
        while (buffers := await anyio.to_thread.run_sync(next, body, None)) is not None:
            yield b"".join(buffers)
        value = await signer.sign_digest(signing.digest, signing.algorithm)
        yield b"".join(await anyio.to_thread.run_sync(signing.ending, signer, value))
        self._receipt = signing.receipt(signer, value)


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
) -> AsyncIterator[SigningStream]:
    """Sign while forwarding: iterate over the bytes of the signed object inside the context, then look at `receipt`.

    Parameters and errors are those of `sign`. What can fail before the first byte, does: the source is read and the plan made
    on entering. A failure later cuts the stream with an exception.
    """
    request = _request(mac_algorithm, tags, purpose, stream_format, undefined_lengths, read, clock)
    async with _signing(source, request, None) as (signing, name):
        try:
            ready = await _prepared(signing, signer)
            stream = SigningStream(signing, ready)
            try:
                yield stream
            finally:
                await stream.aclose()
        except Error as error:
            error.path = error.path or name
            raise
