"""Holds a whole study against its manifest: the signature of the manifest first, then every instance (PS3.17 W)."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Iterable
from contextlib import aclosing, asynccontextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any

from ..codec.dicom.options import READ_AS_FOUND, ReadOptions
from ..codec.dicom.parser import Parser
from ..codec.dicom.tags import SOP_CLASS_UID, SOP_INSTANCE_UID
from ..codec.dicom.tags import text as tag_text
from ..codec.errors import Error
from ..codec.manifest.comparison import Comparison, InstanceStatus, compare, compare_listed, extent
from ..codec.manifest.instance import Instance
from ..codec.manifest.reading import ManifestReader
from ..codec.manifest.references import STUDY_INSTANCE_UID, Reference, shown
from ..codec.signature.algorithms import MAC_ALGORITHMS
from ..codec.signature.profiles import Profile
from .instances import DigestJob, read_instance
from .io.threads import run_in_thread
from .manifest_reports import InstanceReport, ManifestReport
from .many import Path, run_many
from .many_jobs import FileResult
from .reports import SignatureReport, TimestampPolicy, VerificationReport
from .timestamp_rules import TimestampRules
from .trust.anchors import Trust
from .verification import open_verifier, verify

if TYPE_CHECKING:
    from .io.sources import Source
    from .many_pools import Executor
    from .policies import Policy

_STRONG = "SHA256"
"""For manifests that name no digest that is known: the data elements of the instances are wanted all the same."""

_TOLD = 256
"""Data elements of one instance that are named."""

_IDENTITY = (SOP_CLASS_UID, STUDY_INSTANCE_UID)


async def verify_manifest(
    manifest: Source,
    sources: Iterable[Path | None] | AsyncIterable[Path | None],
    *,
    trust: Trust = Trust.NONE,
    require_profile: Profile | None = None,
    policy: Policy | None = None,
    read: ReadOptions = READ_AS_FOUND,
    at: datetime | None = None,
    timestamps: TimestampPolicy = TimestampPolicy.VERIFY,
    timestamp_rules: TimestampRules = TimestampRules.STRICT,
    workers: int | None = None,
    executor: Executor | None = None,
    everything: bool = False,
) -> ManifestReport:
    """Verify a manifest, and a whole study against it.

    `manifest`: a Key Object Selection, or another structured report with references (PS3.3 C.17.2.1); read once. `sources`: names
    of all files of the study, see `verify_many`; the manifest itself may be among them. `policy`: what the manifest has to
    fulfil; digests of instances have to be made with a MAC algorithm that it accepts. `workers`, `executor`: see `verify_many`.
    `everything`: put the results of intact instances into the report, too. The other parameters are those of `verify`.

    What is wrong with the manifest's signature or an instance is a result. Raises SourceError, FormatError or ManifestError if
    the manifest cannot be read or is none.
    """
    held = open_manifest(
        manifest,
        sources,
        trust=trust,
        require_profile=require_profile,
        policy=policy,
        read=read,
        at=at,
        timestamps=timestamps,
        timestamp_rules=timestamp_rules,
        workers=workers,
        executor=executor,
        everything=everything,
    )
    async with held as verification:
        async for _ in verification:
            pass
        return verification.report


@asynccontextmanager
async def open_manifest(
    manifest: Source,
    sources: Iterable[Path | None] | AsyncIterable[Path | None],
    *,
    trust: Trust = Trust.NONE,
    require_profile: Profile | None = None,
    policy: Policy | None = None,
    read: ReadOptions = READ_AS_FOUND,
    at: datetime | None = None,
    timestamps: TimestampPolicy = TimestampPolicy.VERIFY,
    timestamp_rules: TimestampRules = TimestampRules.STRICT,
    workers: int | None = None,
    executor: Executor | None = None,
    everything: bool = False,
) -> AsyncIterator[ManifestVerification]:
    """Verify a manifest on entering; then iterate over the results of the study, and look at `report`.

    Parameters and errors are those of `verify_manifest`.
    """
    reader = ManifestReader(limits=read.limits)
    parser = Parser(read)

    def follow(block: bytes | None) -> None:
        """Read the references from the very bytes that are verified."""
        if block is None:
            parser.close()
        else:
            parser.feed(block)
        for event in parser.events():
            reader.feed(event)

    options: dict[str, Any] = {"trust": trust, "require_profile": require_profile, "policy": policy, "read": read, "at": at}
    try:
        verifier = open_verifier(manifest, timestamps=timestamps, timestamp_rules=timestamp_rules, inspect=False, **options)
        async with verifier as stream, aclosing(stream.__aiter__()) as blocks:  # type: ignore[type-var]
            async for block in blocks:
                await run_in_thread(follow, block)
            await run_in_thread(follow, None)
            signed = stream.report
        reader.finish()
    except Error as error:
        if error.path is None and isinstance(manifest, (str, os.PathLike)):
            error.path = os.fspath(manifest)
        raise
    own = os.fspath(manifest) if isinstance(manifest, (str, os.PathLike)) else None
    verification = ManifestVerification(signed, reader, policy, read, own, everything=everything)
    results = verification._results(sources, workers, executor)
    verification._iterator = results
    try:
        yield verification
    finally:
        await results.aclose()


class ManifestVerification:
    """A study being held against its manifest: an iterator of InstanceReport, in order of completion, missing ones at the end.

    `manifest`: the verdict on the manifest itself. `unprotected`: why its references are not to be relied on, None if they are.
    `references`: instances it names.
    """

    _iterator: AsyncGenerator[InstanceReport]

    def __init__(
        self,
        manifest: VerificationReport,
        reader: ManifestReader,
        policy: Policy | None,
        read: ReadOptions,
        own: str | None,
        *,
        everything: bool,
    ) -> None:
        self.manifest = manifest
        self.unprotected = _unprotected(manifest, reader)
        self.references = len(reader.references)
        self.study = reader.text(STUDY_INSTANCE_UID)
        self._reader = reader
        self._accepted = MAC_ALGORITHMS.keys() if policy is None else policy.accept.digests
        self._read = read
        self._own = own
        self._everything = everything
        self._counts = dict.fromkeys(InstanceStatus, 0)
        self._copies = self._uncovered = 0
        self._seen: dict[str, str] = {}
        self._kept: list[InstanceReport] = []
        self._report: ManifestReport | None = None

    def __aiter__(self) -> AsyncIterator[InstanceReport]:
        return self._iterator

    @property
    def report(self) -> ManifestReport:
        """The verdict on the whole study; RuntimeError before the last result."""
        if self._report is None:
            raise RuntimeError("the report is there once all results have been taken")
        return self._report

    # ------------------------------------------------------------------ results

    async def _results(
        self, sources: Iterable[Path | None] | AsyncIterable[Path | None], workers: int | None, executor: Executor | None
    ) -> AsyncGenerator[InstanceReport]:
        used = {reference.mac.algorithm for reference in self._reader.references.values() if reference.mac is not None}
        algorithms = tuple(sorted(used & MAC_ALGORITHMS.keys())) or (_STRONG,)
        job = DigestJob(algorithms, self._read)
        others = self._others(sources)
        many = run_many(job, others, workers=workers, executor=executor)
        async with aclosing(others), aclosing(many) as results:
            async for result in results:
                yield self._take(await self._judge(result))
        for uid, reference in self._reader.references.items():
            if uid not in self._seen:
                status = InstanceStatus.MISSING
                yield self._take(InstanceReport(status, status.value, sop_instance=uid, sop_class=reference.sop_class))
        self._report = ManifestReport(
            manifest=self.manifest,
            unprotected=self.unprotected,
            sop_instance=self._reader.text(SOP_INSTANCE_UID),
            study=self.study,
            title=self._reader.title,
            references=self.references,
            counts=self._counts,
            copies=self._copies,
            uncovered=self._uncovered,
            instances=tuple(self._kept),
        )

    async def _others(self, sources: Iterable[Path | None] | AsyncIterable[Path | None]) -> AsyncGenerator[Path | None]:
        """All files but the manifest itself."""
        if isinstance(sources, AsyncIterable):
            async for source in sources:
                if source is None or not self._is_manifest(source):
                    yield source
        else:
            for source in sources:
                if source is None or not self._is_manifest(source):
                    yield source

    def _is_manifest(self, path: Path) -> bool:
        try:
            return self._own is not None and os.path.samefile(self._own, path)
        except (OSError, ValueError):
            return False

    def _take(self, report: InstanceReport) -> InstanceReport:
        self._counts[report.status] += 1
        self._copies += report.copy_of is not None
        self._uncovered += bool(report.unprotected)
        if self._everything or not report.ok or report.unprotected:
            self._kept.append(report)
        return report

    # ------------------------------------------------------------------ one instance

    async def _judge(self, result: FileResult) -> InstanceReport:
        if result.report is None:
            return _unreadable(result, result.message or "", result.error)
        instance: Instance = result.report["instance"]
        uid = instance.sop_instance
        reference = self._reader.references.get(uid)
        if reference is None:
            if not uid:
                comparison = Comparison(InstanceStatus.EXTRA, "not in the manifest: it has no SOP Instance UID")
            else:
                comparison = Comparison(InstanceStatus.EXTRA, InstanceStatus.EXTRA.value)
        else:
            try:
                comparison, instance = await self._compare(reference, instance, result.path)
            except Error as error:
                return _unreadable(result, str(error), type(error).__name__)
        first = self._seen.setdefault(uid, result.path) if uid else result.path
        return InstanceReport(
            status=comparison.status,
            reason=comparison.reason,
            path=result.path,
            sop_instance=uid or None,
            sop_class=instance.text(SOP_CLASS_UID) or None,
            added=comparison.added[:_TOLD],
            removed=comparison.removed[:_TOLD],
            unprotected=instance.unsignable[:_TOLD] if reference is not None else (),
            copy_of=None if first == result.path else first,
            seconds=result.seconds,
            bytes=result.bytes,
        )

    async def _compare(self, reference: Reference, instance: Instance, path: str) -> tuple[Comparison, Instance]:
        """The outcome, and the instance as it was when it was compared."""
        mac = reference.mac
        if mac is not None and (mac.algorithm not in MAC_ALGORITHMS or mac.algorithm not in self._accepted):
            return Comparison(InstanceStatus.UNPROTECTED, f"its digest ({shown(mac.algorithm)}) is not accepted"), instance
        outcome = compare(reference, instance)
        if outcome is not None:
            return outcome, instance
        if mac is not None:
            again = await read_instance(path, self._read, (mac.algorithm,), mac)
            return compare_listed(reference, again), again
        return await self._compare_signatures(reference, instance, path), instance

    async def _compare_signatures(self, reference: Reference, instance: Instance, path: str) -> Comparison:
        """The outcome for an instance of which nothing but signatures is referenced: each has to be good."""
        report = await verify(path, read=self._read, inspect=False)
        listed: set[int] = set()
        for wanted in reference.signatures:
            found = [one for one in report.signatures if one.uid == wanted.uid and not one.location]
            good = [one for one in found if one.intact and one.coverage.complete and one.mac_algorithm in self._accepted]
            if len(found) != 1 or not good:
                why = found[0].reason if found else "it is gone"
                return Comparison(
                    InstanceStatus.CHANGED, f"signature {shown(wanted.uid)}, which is referenced, is not good: {why}"
                )
            listed.update(good[0].tags_signed or ())
        return extent(instance, listed, "signatures that are referenced are intact")


def _unreadable(result: FileResult, reason: str, error: str | None) -> InstanceReport:
    status = InstanceStatus.UNREADABLE
    return InstanceReport(status, reason, path=result.path, error=error, seconds=result.seconds, bytes=result.bytes)


def _unprotected(manifest: VerificationReport, reader: ManifestReader) -> str | None:
    """Why no good signature protects the references, None if one does."""
    if not manifest.signatures:
        return "the manifest is not signed"
    needed = (*_IDENTITY, *reader.evidence)
    reasons = [_shortcoming(signature, needed) for signature in manifest.signatures]
    return None if None in reasons else reasons[0]


def _shortcoming(signature: SignatureReport, needed: Iterable[int]) -> str | None:
    """Why a signature of the manifest does not protect its references."""
    if signature.location:
        return "only an item of the manifest is signed"
    if not signature.intact:
        return f"the signature of the manifest is not intact: {signature.reason}"
    if not signature.coverage.complete:
        return "the signature of the manifest leaves out part of its references, as those of DCMTK do"
    if absent := [tag_text(tag) for tag in needed if tag not in (signature.tags_signed or ())]:
        return f"the signature of the manifest does not protect {', '.join(absent)}"
    return None
