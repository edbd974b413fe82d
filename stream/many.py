"""Many files at once: verify and sign over a bounded pool of processes, or over any executor."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Callable, Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeAlias

import anyio

from ..codec.dicom.options import READ_AS_FOUND, ReadOptions
from ..codec.signature.location import Location
from ..codec.signature.profiles import Profile
from .formats import StreamFormat
from .io.threads import run_in_thread
from .many_jobs import FileResult, Item, Job, KeyFiles, SignJob, VerifyJob
from .many_pools import Executor, ExecutorPool, Pool, ProcessPool, processors
from .reports import TimestampPolicy
from .timestamp_rules import TimestampRules
from .trust.anchors import Trust

if TYPE_CHECKING:
    from .policies import Policy

Path: TypeAlias = str | os.PathLike[str]

_SECONDS = 0.1
"""What a batch should take: long enough that handing it over does not count, short enough to share the work evenly."""
_FIRST, _LARGEST = 4, 64
_ATTEMPTS = 2


async def verify_many(
    sources: Iterable[Path | None] | AsyncIterable[Path | None],
    *,
    trust: Trust = Trust.NONE,
    require_signature: bool = True,
    require_profile: Profile | None = None,
    stream_format: StreamFormat = StreamFormat.STANDARD,
    read: ReadOptions = READ_AS_FOUND,
    at: datetime | None = None,
    timestamps: TimestampPolicy = TimestampPolicy.VERIFY,
    timestamp_rules: TimestampRules = TimestampRules.STRICT,
    policy: Policy | None = None,
    workers: int | None = None,
    executor: Executor | None = None,
) -> AsyncGenerator[FileResult]:
    """Verify all digital signatures of many files; gives one FileResult for each, in order of completion.

    `sources`: names of files; taken as they are needed, so that any number of them does not pile up. While an asynchronous
    iterable waits for its next name, no results are given; one that may wait long gives None before, so that the results of what
    it has given come first. `workers`: processes on this machine, as many as there are processors
    if None. `executor`: any `concurrent.futures.Executor` instead of them, also one whose `submit` gives something like a future
    (`dask.distributed`); `workers` then is what it is taken to have, twice as many batches are with it at any time. The other
    parameters are those of `verify`.

    An error with one file is the result for that file. A file whose worker is lost is tried once more, then it is a result with
    the error "WorkerLost". Raises RuntimeError if no worker can begin, and what `executor.submit` raises. When the iteration is
    closed (`contextlib.aclosing`) or cancelled, the processes end at once; an executor is left to its owner.
    """
    job = VerifyJob(trust, require_signature, require_profile, stream_format, read, at, timestamps, timestamp_rules, policy)
    results = _results(_items(sources, _to_verify), _pool(job, workers, executor))
    try:
        async for result in results:
            yield result
    finally:
        await _close(results)


async def sign_many(
    pairs: Iterable[tuple[Path, Path] | None] | AsyncIterable[tuple[Path, Path] | None],
    *,
    keys: KeyFiles,
    location: Location | str = (),
    mac_algorithm: str = "SHA256",
    tags: Iterable[int] | None = None,
    profile: Profile = Profile.NONE,
    purpose: int | None = None,
    stream_format: StreamFormat = StreamFormat.STANDARD,
    transfer_syntax: str | None = None,
    undefined_lengths: bool = False,
    read: ReadOptions = READ_AS_FOUND,
    durable: bool = False,
    policy: Policy | None = None,
    workers: int | None = None,
    executor: Executor | None = None,
) -> AsyncGenerator[FileResult]:
    """Sign many files; gives one FileResult for each, in order of completion.

    `pairs`: source and target of each, two different files; folders of targets are made. `keys`: where each worker finds key and
    certificate. For `workers`, `executor` and errors of files see `verify_many`, for the other parameters `sign`. Raises
    BadKeyFile, BadCertificateFile, KeyMismatch or UnsupportedKey before anything is signed.
    """
    chosen = None if tags is None else tuple(tags)
    job = SignJob(
        keys,
        location,
        mac_algorithm,
        chosen,
        profile,
        purpose,
        stream_format,
        transfer_syntax,
        undefined_lengths,
        read,
        durable,
        policy,
    )
    await run_in_thread(job.load)
    results = _results(_items(pairs, _to_sign), _pool(job, workers, executor))
    try:
        async for result in results:
            yield result
    finally:
        await _close(results)


async def run_many(
    job: Job,
    sources: Iterable[Path | None] | AsyncIterable[Path | None],
    *,
    workers: int | None = None,
    executor: Executor | None = None,
) -> AsyncGenerator[FileResult]:
    """Do any job to many files, as `verify_many` does."""
    results = _results(_items(sources, _to_verify), _pool(job, workers, executor))
    try:
        async for result in results:
            yield result
    finally:
        await _close(results)


def _pool(job: Job, workers: int | None, executor: Executor | None) -> Pool:
    count = processors() if workers is None else workers
    if count < 1:
        raise ValueError(f"no number of workers: {workers}")
    return ProcessPool(job, count) if executor is None else ExecutorPool(job, executor, count)


def _to_verify(source: Path) -> Item:
    return os.fspath(source), ""


def _to_sign(pair: tuple[Path, Path]) -> Item:
    return os.fspath(pair[0]), os.fspath(pair[1])


async def _items(things: Iterable[Any] | AsyncIterable[Any], to_item: Callable[[Any], Item]) -> AsyncGenerator[Item | None]:
    if isinstance(things, AsyncIterable):
        async for thing in things:
            yield None if thing is None else to_item(thing)
    else:
        for thing in things:
            yield None if thing is None else to_item(thing)


async def _close(results: AsyncGenerator[FileResult]) -> None:
    with anyio.CancelScope(shield=True):
        await results.aclose()


class _Batches:
    """Cuts files into batches that take about the same time, and takes back those that have to be tried again."""

    def __init__(self, items: AsyncIterator[Item | None]) -> None:
        self._items = items
        self._again: deque[Item] = deque()
        self._alone: deque[Item] = deque()
        self._attempts: dict[Item, int] = {}
        self._ended = False
        self.size = _FIRST
        self.paused = False

    @property
    def ended(self) -> bool:
        """Whether there is nothing left to submit."""
        return self._ended and not self._again and not self._alone

    async def next(self) -> list[Item]:
        """The next batch, empty at the end. Who is suspected of having brought down a worker, is tried alone."""
        self.paused = False
        if self._alone:
            return [self._alone.popleft()]
        batch: list[Item] = []
        while len(batch) < self.size and self._again:
            batch.append(self._again.popleft())
        while len(batch) < self.size and not self._ended:
            try:
                item = await anext(self._items)
            except StopAsyncIteration:
                self._ended = True
                break
            if item is None:
                self.paused = True
                break
            batch.append(item)
        return batch

    def learn(self, result: FileResult) -> None:
        """Fit the size of batches to the time that files take."""
        fitting = int(_SECONDS / max(result.seconds, 1e-6))
        self.size = max(1, min(_LARGEST, fitting, self.size * 2 if fitting > self.size else (self.size + fitting + 1) // 2))

    def return_unseen(self, items: Iterable[Item]) -> None:
        """Files that no worker has come to."""
        self._again.extend(items)

    def return_lost(self, item: Item, reason: str) -> FileResult | None:
        """A file on which a worker was lost; the result if it has been the last time."""
        count = self._attempts.pop(item, 0) + 1
        if count >= _ATTEMPTS:
            return FileResult(item[0], item[1] or None, error="WorkerLost", message=reason)
        self._attempts[item] = count
        self._alone.append(item)
        return None


async def _results(items: AsyncGenerator[Item | None], pool: Pool) -> AsyncGenerator[FileResult]:
    batches = _Batches(items)
    try:
        while True:
            while not batches.ended and pool.takes(batches.size) and not (batches.paused and pool.busy):
                if batch := await batches.next():
                    await pool.submit(batch)
            if not pool.busy:
                return
            collected = await pool.collect()
            batches.return_unseen(collected.again)
            final = [batches.return_lost(item, reason) for item, reason in collected.lost]
            for result in collected.results:
                batches.learn(result)
            for each in (*collected.results, *final):
                if each is not None:
                    yield each
    finally:
        with anyio.CancelScope(shield=True):
            await items.aclose()
            await pool.aclose()
