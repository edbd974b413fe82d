"""Digests of whole instances, for manifests: what is done to each of many files."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AsyncExitStack, closing
from dataclasses import dataclass
from typing import Any

from ..codec.dicom.events import Anomaly, AnomalyCode, Event
from ..codec.dicom.options import READ_AS_FOUND, ReadOptions
from ..codec.dicom.texts import TextGate
from ..codec.errors import Error, LimitExceeded, ManifestError, UnorderedInput
from ..codec.manifest.instance import Instance, InstanceDigester
from ..codec.manifest.references import ReferencedMac, shown
from . import ripemd160 as _ripemd160  # noqa: F401 (registers the fallback)
from .io.ahead import ReadAhead
from .io.sources import RandomAccess, close_source, open_source
from .io.threads import run_in_thread
from .many_jobs import Item
from .production import rereadable
from .reading import Cancellable, Warnings, forward_events, open_ordered
from .verification import verify

_DUPLICATES = 100


class _Duplicates(Warnings):
    """Notes data elements that are there twice; nothing is logged."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: dict[int, None] = {}

    def note(self, event: Anomaly) -> None:
        if event.code is AnomalyCode.DUPLICATE and len(self.tags) < _DUPLICATES:
            self.tags[event.tag] = None


class _Reading:
    """One instance, read as often as it takes: usually once."""

    def __init__(self, source: RandomAccess, options: ReadOptions) -> None:
        self._source = source
        self._options = options
        self._texts: dict[int, int] = {}
        self._ordered = False
        self._duplicates = _Duplicates()

    def digest(self, algorithms: tuple[str, ...], listed: ReferencedMac | None) -> Instance:
        measured = False
        while True:
            try:
                return self._digest(algorithms, listed)
            except UnorderedInput:
                if self._ordered:
                    raise
                self._ordered, measured = True, False
                self._texts.clear()
            except LimitExceeded:  # a text that is longer than the limit has to be measured before
                if measured:
                    raise
                measured = True
                self._measure()

    def _digest(self, algorithms: tuple[str, ...], listed: ReferencedMac | None) -> Instance:
        limits = self._options.limits
        digester = InstanceDigester(algorithms, listed=listed, limits=limits)
        with closing(ReadAhead(self._source)) as ahead:
            for event in TextGate(self._texts, limit=limits.text).through(self._events(ahead)):
                digester.feed(event)
        return digester.finish(tuple(self._duplicates.tags))

    def _measure(self) -> None:
        headers = self._events(self._source, skip=True)
        for _ in TextGate(self._texts, limit=self._options.limits.text, measure=True).through(headers):
            pass

    def _events(self, source: RandomAccess, *, skip: bool = False) -> Iterator[Event]:
        if self._ordered:
            return open_ordered(Cancellable(self._source), self._options, self._duplicates)[1]
        return forward_events(Cancellable(source), self._options, self._duplicates, skip=skip, plain_items=True)


def digest_instance(
    source: RandomAccess, options: ReadOptions, algorithms: tuple[str, ...], listed: ReferencedMac | None = None
) -> Instance:
    """Digest everything that can be signed, or what a reference lists. For a worker thread. Raises SourceError, FormatError."""
    return _Reading(source, options).digest(algorithms, listed)


async def read_instance(
    path: str, options: ReadOptions, algorithms: tuple[str, ...], listed: ReferencedMac | None = None
) -> Instance:
    """The same for a file."""
    try:
        async with AsyncExitStack() as stack:
            opened = await open_source(path)
            stack.push_async_callback(close_source, opened)
            again = await rereadable(opened, stack)
            return await run_in_thread(digest_instance, again, options, algorithms, listed)
    except Error as error:
        error.path = path if error.path is None else error.path
        raise


@dataclass(frozen=True, slots=True)
class DigestJob:
    """Digest an instance; with `vouch` also make sure that the signatures it has are intact, so that they can be referenced."""

    algorithms: tuple[str, ...]
    read: ReadOptions = READ_AS_FOUND
    vouch: bool = False

    def load(self) -> None:
        """Everything is here."""

    async def carry_out(self, item: Item) -> dict[str, Any]:
        """The instance under its name."""
        instance = await read_instance(item[0], self.read, self.algorithms)
        if self.vouch and instance.signatures:
            await self._vouch(item[0])
        return {"instance": instance}

    async def _vouch(self, path: str) -> None:
        report = await verify(path, read=self.read, inspect=False)
        for signature in report.signatures:
            if not signature.location and not signature.intact:
                raise ManifestError(
                    f"its signature {shown(signature.uid or '(none)')} is not good ({signature.reason})", path=path
                )
