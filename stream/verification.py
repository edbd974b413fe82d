"""Verifies every digital signature of an object in one pass over its bytes."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager, closing
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING

from ..codec.dicom.events import Anomaly, DatasetStart
from ..codec.dicom.options import READ_AS_FOUND, ReadOptions
from ..codec.dicom.ordered import Reader
from ..codec.dicom.parser import Parser
from ..codec.errors import Error, UnorderedInput
from ..codec.signature.finder import FoundSignature, SignatureFinder
from ..codec.signature.profiles import Profile, demanded, rules_of
from . import ripemd160 as _ripemd160  # noqa: F401 (registers the fallback)
from .digest_threads import DigestThreads
from .formats import StreamFormat
from .io.ahead import ReadAhead
from .io.sources import BLOCK, Blocks, RandomAccess, Source, close_source, open_source
from .io.spool import MEMORY, Spool, Window
from .io.threads import check_cancelled, release, run_in_thread
from .judge import judge
from .reading import Cancellable, Warnings, check_order, open_ordered
from .reports import SignatureReport, TimestampPolicy, VerificationReport
from .timestamp_rules import TimestampRules
from .trust.anchors import Trust

if TYPE_CHECKING:
    from ..codec.inspection.inspector import Inspector
    from .policies import Policy

log = logging.getLogger("dcmsign.stream.verify")

_SKIP = 1 << 18

_INFLATED = 1 << 12
"""Bytes of a piece of an inflated value behind which it is worth to forget what is not needed any more."""

_READ = 4 << 20
"""Bytes per read of a file: the more, the less often threads wait for each other."""


class Verification:
    """One object being verified: takes its blocks, or reads it from a source that knows a way back.

    Either `run` on a source with random access, or `feed` and `end`; then `again`, if there is one, is what an object that is
    not sorted is read from. Everything here is synchronous and belongs into a worker thread.
    """

    def __init__(
        self,
        source: RandomAccess | None,
        options: ReadOptions,
        stream_format: StreamFormat,
        *,
        profile: Profile | None = None,
        again: RandomAccess | None = None,
        inspect: bool = False,
        policy: Policy | None = None,
    ) -> None:
        self._source = source
        self._profile = profile
        self._again = again
        self._options = options
        self._old_format = stream_format is StreamFormat.OLD
        self._warnings = Warnings()
        self._parser = Parser(options, plain_items=True)
        self._window = Window() if source is None else None
        self._raw = Spool() if source is None else None  # the whole of a small stream, in case it is not sorted
        self._unordered = False
        self._digests = DigestThreads()
        self._inspects = inspect or policy is not None
        self._policy = policy
        self._finder = self._new_finder(self._read)
        self._inspector: Inspector | None = None

    def _new_inspector(self) -> Inspector | None:
        if not self._inspects:
            return None
        from ..codec.inspection.inspector import Inspector  # the command does without

        return Inspector(self._options)

    def _new_finder(self, read: Reader, *, ordered: bool = False) -> SignatureFinder:
        return SignatureFinder(
            read,
            options=self._options,
            ordered=ordered,
            old_format=self._old_format,
            facts=self._profile is not None or (self._policy is not None and self._policy.profile is not None),
            digests=self._digests.new,
        )

    def _read(self, offset: int, size: int) -> bytes:
        if self._window is not None:
            return self._window.read_at(offset, size)
        assert self._source is not None
        return self._source.read_at(offset, size)

    def run(self) -> None:
        """Read and digest the whole source; stops early if the calling task is cancelled."""
        assert self._source is not None
        with closing(self._digests):
            try:
                with closing(ReadAhead(self._source)) as ahead:
                    self._run_forward(ahead)
            except UnorderedInput:
                self._run_ordered(self._source)

    def _run_forward(self, source: RandomAccess) -> None:
        offset = 0
        while block := source.read_at(offset, _READ):
            check_cancelled()
            offset += len(block)
            self._parser.feed(block)
            self._advance()
            size = self._parser.skippable - 1  # the last byte is read, to see that it is there
            if size > _SKIP and not self._finder.wants_value:
                self._parser.skip(size)
                offset += size
        self._parser.close()
        self._advance()

    def _run_ordered(self, source: RandomAccess) -> None:
        self._inspector = inspector = self._new_inspector()
        observe = None if inspector is None else inspector.feed
        read, events = open_ordered(Cancellable(source), self._options, self._warnings, observe)
        self._finder = self._new_finder(read, ordered=True)
        for event in events:
            self._finder.feed(event)

    def feed(self, block: bytes) -> None:
        """Take the next block of the object."""
        if self._raw is not None and self._again is None:
            if self._unordered or self._raw.size + len(block) <= MEMORY:
                self._raw.write(block)
            else:
                self._raw = None
        if self._unordered:
            return
        if self._window is not None and not self._parser.inflating:
            self._window.append(block)
        self._parser.feed(block)
        self._try_advance()

    def end(self) -> None:
        """The object has ended."""
        self._parser.close()
        if not self._unordered:
            self._try_advance()
        if self._unordered and self._way_back is not None:
            self._run_ordered(self._way_back)

    def _try_advance(self) -> None:
        """Go on as long as the object is sorted; from then on wait for its end, if there is a way back."""
        try:
            self._advance()
        except UnorderedInput:
            self._unordered = True
            if self._way_back is None:
                raise

    @property
    def _way_back(self) -> RandomAccess | None:
        """What a stream can be read from once more."""
        return self._raw if self._again is None else self._again

    def _advance(self) -> None:
        if self._inspector is None:
            self._inspector = self._new_inspector()  # here, in a worker thread, because it is imported
        finder, parser, inspector = self._finder, self._parser, self._inspector
        for event in parser.events():
            kind = type(event)
            if inspector is not None:
                inspector.feed(event)
            if kind is Anomaly:
                self._warnings.note(event)  # type: ignore[arg-type]
                check_order(event)  # type: ignore[arg-type]
            if parser.inflating:
                if kind is DatasetStart:
                    self._window = Window(event.offset)
                assert self._window is not None
                self._window.append(bytes(event.raw))
                if len(event.raw) > _INFLATED:  # a block may inflate to a thousand times as much
                    self._window.forget(min(finder.keep_from, event.offset))
            finder.feed(event)
        if self._window is not None:
            self._window.forget(finder.keep_from)

    def finish(
        self, judged: Callable[[FoundSignature, int], SignatureReport], *, required: bool, anchors: bool = False
    ) -> VerificationReport:
        """The verdicts, once everything has been read; `judged` gives that on a signature; `anchors`: there are trust anchors."""
        reports = tuple(judged(found, number) for number, found in enumerate(self._finder.found, 1))
        missing = None if self._profile is None or self._is_met(self._profile, reports) else self._profile
        report = VerificationReport(reports, required, missing, tuple(self._finder.ignored))
        if self._inspector is None:
            return report
        from .scopes import with_scopes

        report = with_scopes(report, self._inspector.finish(), anchors=anchors)
        if self._policy is None:
            return report
        from .policy_checks import counting, judged_by

        profile = self._policy.profile
        met = profile is None or self._is_met(profile, counting(self._policy, report))  # whoever likes can add a broken one
        return judged_by(self._policy, report, profile_met=met)

    def _is_met(self, profile: Profile, reports: tuple[SignatureReport, ...]) -> bool:
        """Whether one of the signatures, valid or not, fulfils a profile in the object as it is."""
        facts = self._finder.facts
        rules = rules_of(demanded(profile, facts))
        return any(
            rules.is_met_by(
                facts,
                in_main_data_set=not report.location,
                key_type=None if report.certificate is None else report.certificate.key_type,
                mac_algorithm=report.mac_algorithm,
                mac_syntax=report.mac_transfer_syntax,
                tags_signed=report.tags_signed,
            )
            for report in reports
        )

    def close(self) -> None:
        """Forget what is kept, and end the threads."""
        self._digests.close()
        for store in (self._window, self._raw):
            if store is not None:
                store.close()


async def _fill(verification: Verification, blocks: Blocks) -> AsyncGenerator[bytes]:
    """Feed a verification, passing the blocks on."""
    while block := await blocks.next():
        await run_in_thread(verification.feed, block)
        yield block
    await run_in_thread(verification.end)


async def verify(
    source: Source,
    *,
    trust: Trust = Trust.NONE,
    require_signature: bool = True,
    require_profile: Profile | None = None,
    stream_format: StreamFormat = StreamFormat.STANDARD,
    read: ReadOptions = READ_AS_FOUND,
    at: datetime | None = None,
    timestamps: TimestampPolicy = TimestampPolicy.VERIFY,
    timestamp_rules: TimestampRules = TimestampRules.STRICT,
    inspect: bool = True,
    policy: Policy | None = None,
) -> VerificationReport:
    """Verify all digital signatures of a DICOM object (PS3.3 C.12.1.1.3, PS3.15 C).

    `source`: path, bytes, binary file object, async iterable of bytes, anyio receive stream or `stdin()`; read once, in constant
    memory. `trust`: trust anchors and helper certificates. `require_signature`: whether an object without signature is a failure
    (see `VerificationReport.ok`). `require_profile`: a digital signature profile that one of the signatures has to fulfil; a
    verified structured report needs a verification signature for SR_RSA. `stream_format`: OLD for signatures made by DCMTK
    before 3.5.4; the incomplete form of DCMTK is recognised without being asked for. `at`: time of the chain check, now if None.
    `timestamps`: whether certified timestamps are verified, ignored or required. `timestamp_rules`: what is asked of them.
    `inspect`: also tell what no signature protects, and what about the structure of the object is not as it should be. `policy`:
    what else the object has to fulfil (see `VerificationReport.policy`); its demands add to those of the other parameters.

    A signature that does not verify is a result, not an error. Raises SourceError if the source cannot be read and FormatError if
    it is not DICOM. Runs on asyncio and trio; cancelling it leaves nothing behind.
    """
    if policy is not None:
        trust, timestamps = policy.applied_to(trust, timestamps)
    opened = await open_source(source)
    try:
        again = opened if isinstance(opened, RandomAccess) else None
        verification = Verification(again, read, stream_format, profile=require_profile, inspect=inspect, policy=policy)
        try:
            if isinstance(opened, RandomAccess):
                await run_in_thread(verification.run)
            else:
                async for _ in _fill(verification, opened):
                    pass
            judged = partial(judge, trust=trust, at=at, timestamps=timestamps, rules=timestamp_rules)
            finish = partial(verification.finish, judged, required=require_signature, anchors=trust.has_anchors)
            return await run_in_thread(finish)
        finally:
            if not isinstance(opened, RandomAccess):
                await release(verification.close)
    except Error as error:
        error.path = opened.name if error.path is None else error.path
        raise
    finally:
        await close_source(opened)


class VerifyingStream:
    """The unchanged blocks of an object; `report` is there once they have ended."""

    def __init__(self, blocks: AsyncIterator[bytes]) -> None:
        self._blocks = blocks
        self._report: VerificationReport | None = None

    @property
    def report(self) -> VerificationReport:
        """The verdicts; RuntimeError before the last block."""
        if self._report is None:
            raise RuntimeError("the report is there once all blocks have been taken")
        return self._report

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self._blocks


@asynccontextmanager
async def open_verifier(
    source: Source,
    *,
    trust: Trust = Trust.NONE,
    require_signature: bool = True,
    require_profile: Profile | None = None,
    stream_format: StreamFormat = StreamFormat.STANDARD,
    read: ReadOptions = READ_AS_FOUND,
    at: datetime | None = None,
    timestamps: TimestampPolicy = TimestampPolicy.VERIFY,
    timestamp_rules: TimestampRules = TimestampRules.STRICT,
    inspect: bool = True,
    policy: Policy | None = None,
) -> AsyncIterator[VerifyingStream]:
    """Verify while forwarding: iterate over the blocks inside the context, then look at `report`.

    Parameters and errors are those of `verify`; nothing is read ahead of the consumer.
    """
    if policy is not None:
        trust, timestamps = policy.applied_to(trust, timestamps)
    opened = await open_source(source)
    again = opened if isinstance(opened, RandomAccess) else None
    verification = Verification(None, read, stream_format, profile=require_profile, again=again, inspect=inspect, policy=policy)

    async def blocks() -> AsyncGenerator[bytes]:
        try:
            async with aclosing(_fill(verification, _forward(opened))) as filled:
                async for block in filled:
                    yield block
            judged = partial(judge, trust=trust, at=at, timestamps=timestamps, rules=timestamp_rules)
            finish = partial(verification.finish, judged, required=require_signature, anchors=trust.has_anchors)
            stream._report = await run_in_thread(finish)
        except Error as error:
            error.path = opened.name if error.path is None else error.path
            raise

    iterator = blocks()
    stream = VerifyingStream(iterator)
    try:
        yield stream
    finally:
        try:
            await iterator.aclose()
            await release(verification.close)
        finally:
            verification.close()
            await close_source(opened)


def _forward(opened: RandomAccess | Blocks) -> Blocks:
    return _Forward(opened) if isinstance(opened, RandomAccess) else opened


class _Forward:
    """A source with random access, block by block."""

    def __init__(self, source: RandomAccess) -> None:
        self.name = source.name
        self._source = source
        self._offset = 0

    async def next(self) -> bytes:
        block = await run_in_thread(self._source.read_at, self._offset, BLOCK)
        self._offset += len(block)
        return block

    async def aclose(self) -> None:
        pass
