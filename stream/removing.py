"""Removes digital signatures from an object, in constant memory."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator
from contextlib import AsyncExitStack, asynccontextmanager

from ..codec.dicom.options import READ_AS_FOUND, ReadOptions
from ..codec.errors import Error
from ..codec.signature.splice import Buffers
from .editing import OnePassRemoving, Removing
from .io.sinks import Target
from .io.sources import Blocks, RandomAccess, Source, close_source, open_source
from .io.threads import release, run_in_thread
from .production import OutputStream, Settled, Work, produce, rereadable
from .receipts import RemovalReport
from .signing import new_uid
from .writing import output_syntax

log = logging.getLogger("dcmsign.stream.remove")

_REMOVING_ALL = "removing all signatures."
_REMOVING_ONE = "removing signature from sequence item."

Planned = Callable[[RemovalReport], object] | None
"""What is told about a removal before it happens."""


async def remove(
    source: Source,
    target: Target,
    *,
    uid: str,
    transfer_syntax: str | None = None,
    undefined_lengths: bool = False,
    read: ReadOptions = READ_AS_FOUND,
    durable: bool = False,
    planned: Planned = None,
    uids: Callable[[], str] = new_uid,
) -> RemovalReport:
    """Remove the digital signature with the Digital Signature UID `uid`, wherever in the object it is.

    Of several with this UID, the first one goes. MAC parameters that no other signature of the same data set or item refers
    to go with it, and sequences that have become empty; other signatures, those around it included, stay valid. Signatures below
    Original Attributes Sequence belong to another object and are not touched. `planned` is told what will be removed before
    anything is written, and may raise to prevent it. The other parameters are those of `sign`.

    Raises SignatureNotFound, RemovalError, SourceError, FormatError, UnsupportedSyntax or SinkError; the target then is as it
    was.
    """
    request = _Request(uid, transfer_syntax, undefined_lengths, read, uids, planned)
    async with _opened(source, request) as work:
        return await produce(work, target, durable=durable)


async def remove_all(
    source: Source,
    target: Target,
    *,
    transfer_syntax: str | None = None,
    undefined_lengths: bool = False,
    read: ReadOptions = READ_AS_FOUND,
    durable: bool = False,
    planned: Planned = None,
    one_pass: bool = False,
    uids: Callable[[], str] = new_uid,
) -> RemovalReport:
    """Remove every digital signature of an object, at all levels; see `remove`. Without any, the object is written as it is.

    `one_pass`: write while a source that can be read only once is still being read. Only sequences are kept back, and what stands
    behind MAC Parameters Sequence of the main data set. It rules out `planned` and `transfer_syntax` (ValueError), and an object
    whose data elements are not sorted ends in UnorderedInput.
    """
    request = _Request(None, transfer_syntax, undefined_lengths, read, uids, planned, one_pass)
    async with _opened(source, request) as work:
        return await produce(work, target, durable=durable)


class _Request:
    """What the caller asks for; `uid` is None for all signatures."""

    def __init__(
        self,
        uid: str | None,
        transfer_syntax: str | None,
        undefined_lengths: bool,
        read: ReadOptions,
        uids: Callable[[], str],
        planned: Planned = None,
        one_pass: bool = False,
    ) -> None:
        if one_pass and (uid is not None or transfer_syntax is not None or planned is not None):
            raise ValueError("one pass is possible for all signatures and without conversion only, and nothing is known before")
        self.one_pass = one_pass
        self.planned = planned
        self.uid = uid
        self.output = output_syntax(transfer_syntax)
        self.undefined_lengths = undefined_lengths
        self.read = read
        self.new_uid = uids


@asynccontextmanager
async def _opened(source: Source, request: _Request) -> AsyncIterator[Work[RemovalReport]]:
    async with AsyncExitStack() as stack:
        opened = await open_source(source)
        stack.push_async_callback(close_source, opened)
        try:
            if request.one_pass and not isinstance(opened, RandomAccess):
                one = OnePassRemoving(undefined_lengths=request.undefined_lengths, read=request.read, new_uid=request.new_uid)
                stack.push_async_callback(release, one.close)
                yield _PassingWork(one, opened)
                return
            yield _Work(
                Removing(
                    await rereadable(opened, stack),
                    uid=request.uid,
                    undefined_lengths=request.undefined_lengths,
                    output=request.output,
                    read=request.read,
                    new_uid=request.new_uid,
                ),
                request,
            )
        except Error as error:
            error.path = opened.name if error.path is None else error.path
            raise


class _Work(Settled):
    """Signatures being removed, see production.Work."""

    def __init__(self, removing: Removing, request: _Request) -> None:
        self._removing = removing
        self._request = request

    async def prepare(self) -> None:
        """Survey and plan."""
        removing, request = self._removing, self._request
        await run_in_thread(removing.survey)
        log.info(_REMOVING_ALL if request.uid is None else _REMOVING_ONE)
        _warn(removing.ignored)
        await run_in_thread(removing.plan)
        if request.planned is not None:
            request.planned(removing.report)

    def check_output(self) -> None:
        """Raise UnsupportedSyntax if the object cannot be written as asked for."""
        self._removing.check_output()

    async def batches(self) -> AsyncGenerator[Generator[Buffers, None, None]]:
        """The second pass."""
        yield self._removing.body()

    def result(self) -> RemovalReport:
        """What was removed."""
        return self._removing.report


class _PassingWork(Settled):
    """All signatures being removed while the object passes, see production.Work."""

    def __init__(self, removing: OnePassRemoving, blocks: Blocks) -> None:
        self._removing = removing
        self._input = blocks

    async def prepare(self) -> None:
        """Everything is found on the way."""
        log.info(_REMOVING_ALL)

    def check_output(self) -> None:
        """It is written as it is."""

    async def batches(self) -> AsyncGenerator[Generator[Buffers, None, None]]:
        """One for each block of the input."""
        while block := await self._input.next():
            yield self._removing.feed(block)
        yield self._removing.end()

    async def settle(self) -> None:
        """Nothing is left to wait for."""
        _warn(self._removing.ignored)

    def ending(self) -> Buffers:
        """Nothing is left to write."""
        return []

    def result(self) -> RemovalReport:
        """What was removed."""
        return self._removing.report


def _warn(ignored: int) -> None:
    for _ in range(ignored):
        log.warning("Found Digital Signature Sequence within the Original Attributes Sequence, ignoring.")


class RemovalStream(OutputStream[RemovalReport]):
    """The bytes of the object without the signatures, block by block; `report` is there once they have ended."""

    @property
    def report(self) -> RemovalReport:
        """What was removed; RuntimeError before the last block."""
        return self.result


@asynccontextmanager
async def open_remover(
    source: Source,
    *,
    uid: str | None = None,
    transfer_syntax: str | None = None,
    undefined_lengths: bool = False,
    one_pass: bool = False,
    read: ReadOptions = READ_AS_FOUND,
    uids: Callable[[], str] = new_uid,
) -> AsyncIterator[RemovalStream]:
    """Remove signatures while forwarding: iterate over the bytes inside the context, then look at `report`.

    `uid`: that of the signature to remove, None for all. Other parameters and errors are those of `remove_all`.
    """
    async with _opened(source, _Request(uid, transfer_syntax, undefined_lengths, read, uids, one_pass=one_pass)) as work:
        await work.prepare()
        work.check_output()
        stream = RemovalStream(work)
        try:
            yield stream
        finally:
            await stream.aclose()
