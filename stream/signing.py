"""Creates a digital signature in the main data set or in an item of an object, in constant memory."""

from __future__ import annotations

import logging
import os
import uuid
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Generator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager, closing
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

from ..codec.dicom.options import READ_AS_FOUND, ReadOptions
from ..codec.errors import Error
from ..codec.signature.algorithms import MAC_ALGORITHMS
from ..codec.signature.location import ItemPath, Location, item_path, parse_location
from ..codec.signature.profiles import Profile
from ..codec.signature.splice import Buffers
from . import ripemd160 as _ripemd160  # noqa: F401 (registers the fallback)
from .editing import ItemSigning
from .formats import StreamFormat
from .io.dump import DumpFile
from .io.sinks import Target
from .io.sources import Blocks, RandomAccess, Source, close_source, open_source
from .io.threads import release, run_in_thread
from .new_signature import Request
from .passes import OnePass, TwoPasses
from .production import OutputStream, Work, produce, rereadable
from .receipts import SigningReceipt
from .stampers import AuthorityStamper, Stamp, Stamper
from .trust.signers import Signer
from .writing import output_syntax

if TYPE_CHECKING:
    from ..tsa.client import TimestampClient
    from .policies import Policy

log = logging.getLogger("dcmsign.stream.sign")

SignerSource = Signer | Callable[[], Awaitable[Signer]]
"""A signer, or what makes one once the input has been read."""

_NO_REQUIREMENTS = (Profile.NONE, Profile.BASE_RSA)
"""Profiles that do not look at the data set, so that it can be signed while it passes."""


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
    location: Location | str = (),
    mac_algorithm: str = "SHA256",
    tags: Iterable[int] | None = None,
    profile: Profile = Profile.NONE,
    purpose: int | None = None,
    stream_format: StreamFormat = StreamFormat.STANDARD,
    transfer_syntax: str | None = None,
    undefined_lengths: bool = False,
    timestamp: Stamper | TimestampClient | None = None,
    dump: str | os.PathLike[str] | None = None,
    read: ReadOptions = READ_AS_FOUND,
    durable: bool = False,
    clock: Callable[[], datetime] = local_now,
    uids: Callable[[], str] = new_uid,
    policy: Policy | None = None,
) -> SigningReceipt:
    """Create a digital signature in the main data set or in an item of a DICOM object (PS3.3 C.12.1.1.3, PS3.15 C).

    `source`: path, bytes, binary file object, async iterable of bytes, anyio receive stream or `stdin()`. What cannot be read
    twice is kept on disk meanwhile (in memory up to 4 MiB), except where `tags` and a ready signer are given for the main data
    set: then it is signed in one pass, and fails loudly if those tags are not there. `target`: path, binary file object, anyio
    send stream or `stdout()`; a path gets the output whole or not at all, and may be the same as the source.

    `signer`: a Signer, or a coroutine function that makes one after the source has been read. `location`: the item to sign, as
    pairs of sequence tag and item number from 0, or as text like ``ReferencedSeriesSequence[0].ReferencedImageSequence[1]``;
    the main data set if there are none. `mac_algorithm`: a key of MAC_ALGORITHMS. `tags`: data elements to sign, all signable
    ones if None; those that `profile` requires are added. `purpose`: code 1 to 18. `transfer_syntax`: UID of the transfer syntax
    to write, one of the uncompressed ones, that of the source if None; it has no influence on the signature. `undefined_lengths`:
    write sequences and items with delimiters. `timestamp`: where a certified timestamp of the
    signature comes from: a TimestampClient asks an authority, and what it gives is verified before anything is written; see
    AuthorityStamper for more choices, and QueryFiles for the way through files. `dump`: file that gets the bytes that are
    digested; if it cannot be written to its end, that is logged. `durable`: return only when the output is on the disk. `clock`:
    gives the date of the signature, with its time zone. `uids`: gives new UIDs. `policy`: which keys and MAC
    algorithms may sign.

    Raises SourceError, FormatError, SigningError, TimestampError, UnsupportedSyntax, TrustError, SinkError or DumpError. After
    any error and after cancellation the target is as it was; where an authority is asked, that includes pipes and other targets
    that cannot take anything back, which get their first byte when the timestamp is there.
    """
    request = _request(
        location,
        mac_algorithm,
        tags,
        profile,
        purpose,
        stream_format,
        transfer_syntax,
        undefined_lengths,
        read,
        clock,
        uids,
        policy,
    )
    async with _opened(source, signer, request, dump, timestamp) as work:
        return await produce(work, target, durable=durable)


def _request(
    location: Location | str,
    mac_algorithm: str,
    tags: Iterable[int] | None,
    profile: Profile,
    purpose: int | None,
    stream_format: StreamFormat,
    transfer_syntax: str | None,
    undefined_lengths: bool,
    read: ReadOptions,
    clock: Callable[[], datetime],
    uids: Callable[[], str],
    policy: Policy | None,
) -> Request:
    if mac_algorithm not in MAC_ALGORITHMS:
        raise ValueError(f"no MAC algorithm: {mac_algorithm!r}")
    if purpose is not None and not 1 <= purpose <= 18:
        raise ValueError(f"no purpose code: {purpose}")
    chosen = None if tags is None else tuple(tags)
    output = output_syntax(transfer_syntax)
    path = _path(location, read)
    return Request(
        mac_algorithm, chosen, purpose, path, profile, stream_format, undefined_lengths, output, read, clock, uids, policy
    )


def _path(location: Location | str, read: ReadOptions) -> ItemPath:
    return parse_location(location, read.dictionary.tag_of) if isinstance(location, str) else item_path(location)


@asynccontextmanager
async def _opened(
    source: Source,
    signer: SignerSource,
    request: Request,
    dump: str | os.PathLike[str] | None = None,
    timestamp: Stamper | TimestampClient | None = None,
) -> AsyncIterator[Work[SigningReceipt]]:
    """Open dump and source and choose the way to sign; errors leave with the name of the source."""
    async with AsyncExitStack() as stack:
        dump_file = None
        if dump is not None:
            dump_file = await run_in_thread(DumpFile, dump, discard=DumpFile.close)
            stack.callback(_close, dump_file)
        opened = await open_source(source)
        stack.push_async_callback(close_source, opened)
        try:
            work = await _work(opened, signer, request, dump_file, stack)
            work.stamper = timestamp if timestamp is None or isinstance(timestamp, Stamper) else AuthorityStamper(timestamp)
            stack.callback(work.discard)
            yield work
        except Error as error:
            error.path = opened.name if error.path is None else error.path
            raise


async def _work(
    opened: RandomAccess | Blocks, signer: SignerSource, request: Request, dump: DumpFile | None, stack: AsyncExitStack
) -> _PassingWork | _RereadingWork | _ItemWork:
    """The way to sign."""
    if not isinstance(opened, RandomAccess) and _in_one_pass(request) and not callable(signer):
        passing = OnePass(signer, request, dump)
        stack.push_async_callback(release, passing.close)
        return _PassingWork(passing, opened, signer)
    again = await rereadable(opened, stack)
    if not request.path.in_main_data_set:
        return _ItemWork(ItemSigning(again, request, dump), signer)
    return _RereadingWork(stack.enter_context(closing(TwoPasses(again, request, dump))), signer)


def _close(dump: DumpFile) -> None:
    dump.close()
    if not dump.complete:
        log.critical("Error while closing dump file, content may be incomplete.")


def _in_one_pass(request: Request) -> bool:
    """Whether what is asked for can be decided while the object passes."""
    free = request.profile in _NO_REQUIREMENTS and request.output is None
    return request.tags is not None and free and request.path.in_main_data_set


class _Work:
    """A signature being made, see production.Work; subclasses tell how the object is read."""

    _announcement = "create signature in main object."

    def __init__(self, signing: TwoPasses | OnePass | ItemSigning, signer: SignerSource) -> None:
        self.stamper: Stamper | None = None
        self._stamp = Stamp()
        self._signing = signing
        self._source = signer
        self._signer: Signer | None = None
        self._value = b""

    @property
    def signer(self) -> Signer:
        """The signer, once prepared."""
        assert self._signer is not None
        return self._signer

    @property
    def uncertain(self) -> bool:
        """Authorities do refuse."""
        return isinstance(self.stamper, AuthorityStamper)

    async def prepare(self) -> None:
        """Load the signer."""
        self._signer = await self._source() if callable(self._source) else self._source
        log.info(self._announcement)

    def check_output(self) -> None:
        """Raise UnsupportedSyntax if the object cannot be written as asked for."""
        self._signing.check_output()

    async def settle(self) -> None:
        """Have the digest signed, and the signature stamped."""
        signing = self._signing
        self._value = await self.signer.sign_digest(signing.digest, signing.algorithm)
        if self.stamper is not None:
            await run_in_thread(signing.check_value, self.signer, self._value)
            self._stamp = await self.stamper.stamp(signing.stampable(self.signer, self._value))

    def publish(self) -> None:
        """Let the files for a later timestamp appear."""
        self._stamp.publish()

    def discard(self) -> None:
        """Remove what has not been published."""
        self._stamp.discard()

    def result(self) -> SigningReceipt:
        """What was written."""
        receipt = self._signing.receipt(self.signer, self._value)
        return replace(receipt, timestamp=self._stamp.token, timestamp_error=self._stamp.failure)


class _PassingWork(_Work):
    """The object is signed while it passes."""

    def __init__(self, signing: OnePass, blocks: Blocks, signer: SignerSource) -> None:
        super().__init__(signing, signer)
        self._passing = signing
        self._input = blocks

    async def batches(self) -> AsyncGenerator[Generator[Buffers, None, None]]:
        """One for each block of the input."""
        while block := await self._input.next():
            yield self._passing.feed(block)
        yield self._passing.end()

    def ending(self) -> Buffers:
        """The signature and what is behind it."""
        return self._passing.ending(self.signer, self._value, self._stamp.token)


class _RereadingWork(_Work):
    """The object is read twice."""

    def __init__(self, signing: TwoPasses, signer: SignerSource) -> None:
        super().__init__(signing, signer)
        self._rereading = signing

    async def prepare(self) -> None:
        """Survey and plan."""
        await run_in_thread(self._rereading.survey)
        await super().prepare()
        await run_in_thread(self._rereading.plan, self.signer)

    async def batches(self) -> AsyncGenerator[Generator[Buffers, None, None]]:
        """The second pass."""
        yield self._rereading.body()

    def ending(self) -> Buffers:
        """The signature and what is behind it."""
        return self._rereading.ending(self.signer, self._value, self._stamp.token)


class _ItemWork(_Work):
    """An item is signed: its signature is known before the output begins."""

    _announcement = "create signature in sequence item."
    uncertain = False

    def __init__(self, signing: ItemSigning, signer: SignerSource) -> None:
        super().__init__(signing, signer)
        self._editing = signing

    async def prepare(self) -> None:
        """Survey, plan, digest and sign."""
        editing = self._editing
        await run_in_thread(editing.survey)
        await super().prepare()
        await run_in_thread(editing.plan, self.signer)
        await run_in_thread(editing.digest_item)
        await super().settle()
        await run_in_thread(editing.insert, self.signer, self._value, self._stamp.token)

    async def batches(self) -> AsyncGenerator[Generator[Buffers, None, None]]:
        """The last pass."""
        yield self._editing.body()

    async def settle(self) -> None:
        """Nothing is left to wait for."""

    def ending(self) -> Buffers:
        """Nothing is left to write."""
        return []


class SigningStream(OutputStream[SigningReceipt]):
    """The bytes of the signed object, block by block; `receipt` is there once they have ended."""

    @property
    def receipt(self) -> SigningReceipt:
        """What was signed; RuntimeError before the last block."""
        return self.result


@asynccontextmanager
async def open_signer(
    source: Source,
    *,
    signer: SignerSource,
    location: Location | str = (),
    mac_algorithm: str = "SHA256",
    tags: Iterable[int] | None = None,
    profile: Profile = Profile.NONE,
    purpose: int | None = None,
    stream_format: StreamFormat = StreamFormat.STANDARD,
    transfer_syntax: str | None = None,
    undefined_lengths: bool = False,
    timestamp: Stamper | TimestampClient | None = None,
    read: ReadOptions = READ_AS_FOUND,
    clock: Callable[[], datetime] = local_now,
    uids: Callable[[], str] = new_uid,
    policy: Policy | None = None,
) -> AsyncIterator[SigningStream]:
    """Sign while forwarding: iterate over the bytes of the signed object inside the context, then look at `receipt`.

    Parameters and errors are those of `sign`. What can fail before the first byte, does: the source is read and the plan made
    on entering. A failure later cuts the stream with an exception.
    """
    request = _request(
        location,
        mac_algorithm,
        tags,
        profile,
        purpose,
        stream_format,
        transfer_syntax,
        undefined_lengths,
        read,
        clock,
        uids,
        policy,
    )
    async with _opened(source, signer, request, timestamp=timestamp) as work:
        await work.prepare()
        work.check_output()
        stream = SigningStream(work)
        try:
            yield stream
        finally:
            await stream.aclose()
