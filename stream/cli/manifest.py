"""The third form of the command: one signed manifest for a whole study, made or verified."""

from __future__ import annotations

import contextlib
import logging
import sys
from collections.abc import AsyncGenerator, AsyncIterator
from functools import partial
from typing import TYPE_CHECKING, Any

from ...codec import errors
from . import interrupts, log, messages
from .batch import Batch, files_of, unusable
from .batch_files import Search, identity
from .batch_progress import Progress, progress
from .batch_results import Results, exit_code
from .exit_codes import ExitCode, failure_of
from .failures import report_failure
from .grammar import CommandLine, UsageError
from .job import Job
from .operations import load_signer, new_stamper, signing_options, verification_options
from .option_table import BY_NAME, MAC, MANIFESTS, PROFILE, PURPOSE
from .options import Block

if TYPE_CHECKING:
    from .. import InstanceReport, ManifestVerification, VerificationReport

_UNUSABLE = (
    "--batch",
    "--output-directory",
    "--resume",
    "--insert-timestamp",
    "--request-timestamp",
    "--remove",
    "--remove-all",
    "--timestamp-file",
    "--dump",
    "--tag",
    "--tag-file",
    "--verify-originals",
    "--report",
    "--format-old",
    "--format-dcmtk",
)
"""Options about one file, and those that would leave something of the manifest unprotected."""

_INSTANCES = (errors.FormatError, errors.SourceError, errors.ManifestError)
"""What may be wrong with instances; the message says with which one."""


def as_for_one_file(line: CommandLine) -> CommandLine:
    """The command line with which the manifest would be processed. Raises UsageError."""
    given = [name for name in sorted(MANIFESTS) if line.rightmost(BY_NAME[name]) is not None]
    for name in (*_UNUSABLE, *given[1:]):
        if line.rightmost(BY_NAME[name]) is not None:
            raise UsageError(messages.NOT_ALLOWED_WITH.format(name, given[0]))
    signing = line.rightmost(BY_NAME["--sign"]) is not None
    return CommandLine(line.arguments, line.occurrences, ("-", "-") if signing else ("-",))


def carry_out(job: Job, names: tuple[str, ...]) -> ExitCode:
    """Make or verify a manifest; the exit code is that of the worst result."""
    import anyio

    evaluation = job.evaluation
    target = evaluation.single("--make-manifest")
    manifest = evaluation.single("--verify-manifest") if target is None else target
    assert manifest is not None
    try:
        results = Results(evaluation.single("--results"), None, signing=target is not None)
    except OSError as error:
        return unusable(error)
    interrupted = False
    with results, progress(shown=results.leaves_terminal_free) as shown:
        batch = Batch(job, names, results, None)
        try:
            anyio.run(_verify if target is None else _make, batch, manifest, shown)
        except KeyboardInterrupt:
            interrupted = True
        except errors.Error as error:
            return _failed(error, job._replace(source=manifest, target=manifest), making=target is not None)
        except OSError as error:
            return unusable(error)
    if not log.hides_errors():
        log.put(sys.stderr, (messages.INTERRUPTED if interrupted else "") + results.summary() + "\n")
    return ExitCode(interrupts.exit_code()) if interrupted else results.worst


def _failed(error: errors.Error, job: Job, *, making: bool) -> ExitCode:
    """Tell what went wrong: with an instance in our words, else in dcmsign's."""
    failure = failure_of(error)
    if making and isinstance(error, _INSTANCES) and failure is not None:
        log.COMMAND.log(failure.level, messages.MAKING_MANIFEST.format(error, job.target))
        return failure.code
    if isinstance(error, errors.ManifestError):
        log.COMMAND.log(logging.CRITICAL, messages.READING.format(text=error.message, name=job.source))
        return ExitCode.CANNOT_READ_INPUT
    return report_failure(error, job)


def _search(batch: Batch, manifest: str) -> Search:
    """Finds the instances; neither the results nor the manifest are any."""
    own = {found for found in (batch.results.identity, identity(manifest)) if found is not None}
    return Search(batch.results.take_error, batch.results.skip, own)


async def _make(batch: Batch, target: str, shown: Progress) -> None:
    from .. import make_manifest

    job, results = batch.job, batch.results
    evaluation = job.evaluation
    options = signing_options(job)
    chosen: dict[str, Any] = {name: options[name] for name in ("read", "policy") if name in options}
    # what dcmsign takes without being told is not what a new kind of signature should have
    for block, name, option in (
        (MAC, "algorithm", "mac_algorithm"),
        (PURPOSE, "purpose", "purpose"),
        (PROFILE, "profile", "profile"),
    ):
        if _is_given(batch, block):
            chosen[name] = options[option]
    signer = await load_signer(evaluation)
    missing: list[str] = []
    search = Search(partial(_collect, missing), results.skip, _search(batch, target).own)
    files = files_of(batch, search)
    async with contextlib.aclosing(files), new_stamper(job) as stamper:
        receipt = await make_manifest(
            _complete(files, missing), target, signer=signer, timestamp=stamper, workers=batch.workers, **chosen
        )
    results.tell({"manifest": target, "report": receipt.to_dict()}, ExitCode.OK, count="good", number=receipt.instances)


def _collect(missing: list[str], path: str, reason: str) -> None:
    missing.append(messages.READING.format(text=reason, name=path))


async def _complete(files: AsyncIterator[str | None], missing: list[str]) -> AsyncGenerator[str | None]:
    """The files; what cannot be read or searched must not be left out of a manifest."""
    async for name in files:
        yield name
    if missing:
        raise errors.SourceError(missing[0])


def _is_given(batch: Batch, block: Block) -> bool:
    return any(batch.job.evaluation.given(option.long) for option in block.options)


async def _verify(batch: Batch, manifest: str, shown: Progress) -> None:
    from .. import open_manifest

    job, results = batch.job, batch.results
    wanted = ("trust", "require_profile", "read", "timestamps", "timestamp_rules", "policy")
    options = {name: value for name, value in verification_options(job).items() if name in wanted}
    search = _search(batch, manifest)
    shown.count(batch.names, search.own)
    files = files_of(batch, search)
    async with contextlib.aclosing(files), open_manifest(manifest, files, workers=batch.workers, **options) as verification:
        results.tell({"manifest": manifest, "report": verification.manifest.to_dict()}, _code_of_manifest(verification))
        async for instance in verification:
            _tell(results, instance)
            shown.advance(instance.bytes)
        report = verification.report.to_dict()
    worst = ExitCode.OK if report.pop("ok") else ExitCode.VERIFICATION_FAILED
    for name in ("manifest", "instances"):  # they have lines of their own
        del report[name]
    results.tell({"study": report.pop("study"), "report": {"ok": worst is ExitCode.OK} | report}, worst)


def _code_of_manifest(verification: ManifestVerification) -> ExitCode:
    report: VerificationReport = verification.manifest
    if not report.signatures:
        return ExitCode.NO_SIGNATURE
    code = exit_code(report.to_dict(), None)
    return ExitCode.VERIFICATION_FAILED if code is ExitCode.OK and verification.unprotected is not None else code


def _tell(results: Results, report: InstanceReport) -> None:
    if report.ok:
        code, count = ExitCode.OK, "good"
    elif report.error is not None:
        code, count = exit_code(None, report.error), "errors"
    else:
        code, count = ExitCode.VERIFICATION_FAILED, "bad"
    results.tell(report.to_dict(), code, count=count, size=report.bytes)
