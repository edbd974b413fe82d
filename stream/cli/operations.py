"""The operations: what the settings of the command line ask of the engine, and what is told about the outcome."""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

from ...codec import errors
from . import listing, log, messages, passwords, timestamping
from .evaluation import Evaluation, purpose_code
from .exit_codes import FAILURES, ExitCode
from .job import Job
from .option_table import (
    COMMAND,
    ENCODING,
    FORMAT,
    LENGTHS,
    MAC,
    PASSWORD,
    POLICY,
    PROFILE,
    PURPOSE,
    READ,
    READ_SYNTAX,
    TIMESTAMP,
    TIMESTAMP_POLICY,
    UNKNOWN,
    WRITE_SYNTAX,
)

if TYPE_CHECKING:
    from .. import ReadOptions, Signer, Stamper, StreamFormat, TimestampClient, VerificationReport
    from .authority import Authority


def carry_out(job: Job) -> ExitCode:
    """Run the operation of a job, in an event loop if it may have to wait. Errors of the library are reported."""
    from .. import run_operation

    operation = OPERATIONS[job.evaluation.option(COMMAND).long]
    try:
        return run_operation(operation, job, waits=_may_wait(job))
    except errors.Error as error:
        from .failures import report_failure  # rarely needed

        return report_failure(error, job)


def _may_wait(job: Job) -> bool:
    """Whether an operation reads or writes something else than files, or asks somebody."""
    from .. import is_special

    evaluation = job.evaluation
    names = [job.source, job.target, *evaluation.values(TIMESTAMP), *evaluation.values(COMMAND)]
    if messages.STANDARD_STREAM in (job.source, job.target) or timestamping.authority_urls(evaluation):
        return True
    return any(map(is_special, names))


def verification_options(job: Job) -> dict[str, Any]:
    """What the options ask of a verification, as parameters of `verify`."""
    from .. import Profile, TimestampPolicy, Trust

    policy = job.evaluation.setting(POLICY)
    return {
        "trust": job.trust or Trust.NONE,
        "require_signature": bool(policy),
        "require_profile": Profile[policy] if policy in Profile.__members__ else None,
        "stream_format": _stream_format(job),
        "read": _read_options(job),
        "timestamps": TimestampPolicy[job.evaluation.setting(TIMESTAMP_POLICY)],
        "timestamp_rules": timestamping.verification_rules(job.evaluation),
        **_policy(job),
    }


def _policy(job: Job) -> dict[str, Any]:
    """The policy that was given, as a parameter."""
    return {} if job.policy is None else {"policy": job.policy}


async def _verify(job: Job) -> ExitCode:
    if job.evaluation.given("--verify-originals"):
        return await _verify_originals(job)
    from .. import verify

    report_file = job.evaluation.single("--report")
    report = await verify(_source(job), inspect=report_file is not None, **verification_options(job))
    log.COMMAND.info(messages.VERIFYING)
    floor = log.COMMAND.getEffectiveLevel()
    for level, text in listing.lines(report, job.dictionary, details=log.shows(logging.INFO), floor=floor):
        log.COMMAND.log(level, text)
    for text in _violations(report):
        log.COMMAND.error(text)
    if report_file is not None and not await _write_report(report, report_file, job):
        return ExitCode.CANNOT_WRITE_OUTPUT
    return listing.exit_code(report)


async def _write_report(report: VerificationReport, file: str, job: Job) -> bool:
    """Write a report; False, and told, if that fails."""
    from .. import write_report
    from .usage import VERSION

    name = None if job.source == messages.STANDARD_STREAM else job.source
    try:
        await write_report(report, file, name=name, version=VERSION, dictionary=job.dictionary)
    except errors.SinkError as error:
        log.COMMAND.critical(messages.WRITING.format(text=error.message, name=file))
        return False
    return True


def _violations(report: VerificationReport) -> Iterator[str]:
    """What a policy does not accept; nothing for one that asks nothing, for then everything has been said."""
    if report.policy is None:
        return
    from .. import Policy  # rarely used

    if report.policy.policy != Policy.COMPATIBLE:
        for violation in report.policy.violations:
            yield messages.VIOLATED.format(report.policy.policy.name, violation)


async def _verify_originals(job: Job) -> ExitCode:
    from .. import verify_originals
    from . import earlier

    report = await verify_originals(_source(job), inspect=False, **verification_options(job))
    log.COMMAND.info(messages.VERIFYING)
    details, floor = log.shows(logging.INFO), log.COMMAND.getEffectiveLevel()
    for level, text in listing.lines(report.current, job.dictionary, details=details, floor=floor):
        log.COMMAND.log(level, text)
    for level, text in earlier.lines(report, job.dictionary, details=details, floor=floor):
        log.COMMAND.log(level, text)
    return earlier.exit_code(report)


def signing_options(job: Job) -> dict[str, Any]:
    """What the options ask of a new signature, as parameters of `sign`."""
    from .. import Profile

    evaluation = job.evaluation
    return {
        "location": job.location,
        "mac_algorithm": evaluation.setting(MAC),
        "tags": job.tags,
        "profile": Profile[evaluation.setting(PROFILE)],
        "purpose": purpose_code(evaluation.values(PURPOSE)[0]) if evaluation.setting(PURPOSE) else None,
        "stream_format": _stream_format(job),
        "transfer_syntax": evaluation.setting(WRITE_SYNTAX) or None,
        "undefined_lengths": evaluation.setting(LENGTHS) == "undefined",
        "read": _read_options(job),
        **_policy(job),
    }


async def _sign(job: Job) -> ExitCode:
    from .. import is_special, sign

    evaluation = job.evaluation
    signer: Signer | Callable[[], Coroutine[Any, Any, Signer]] = partial(load_signer, evaluation)
    if job.tags is not None and job.source == messages.STANDARD_STREAM and is_special("/dev/stdin"):
        signer = await load_signer(evaluation)  # what is to be signed is known: it can be signed while it passes
    async with new_stamper(job) as stamper:
        await sign(
            _source(job),
            _target(job),
            signer=signer,
            timestamp=stamper,
            dump=evaluation.single("--dump"),
            **signing_options(job),
        )
    return ExitCode.OK


@contextlib.asynccontextmanager
async def new_stamper(job: Job) -> AsyncIterator[Stamper | None]:
    """Where the timestamp of a new signature comes from: an authority, or files for later."""
    files = timestamping.query_files(job.evaluation)
    if job.authority is None:
        yield files
        return
    from .. import AuthorityStamper

    async with _client(job.authority) as client:
        yield AuthorityStamper(client, files, job.authority.trust, job.authority.rules)


def _client(authority: Authority) -> TimestampClient:
    """What asks an authority; connections are kept until it is closed."""
    try:
        client = authority.client()
    except errors.BadPolicy:
        log.COMMAND.warning(messages.BAD_POLICY_TEXT.format(authority.query["policy"]))
        raise
    if authority.trust is None:
        log.COMMAND.info(messages.ANYBODY)
    return client


async def _remove(job: Job) -> ExitCode:
    from .. import RemovalReport, remove, remove_all

    evaluation = job.evaluation

    def tell(report: RemovalReport) -> None:
        for level, text in listing.removal_lines(report, job.dictionary, numbered=one is None):
            log.COMMAND.log(level, text)

    if evaluation.key_files is not None:
        await load_signer(evaluation)  # of a signing command that this one replaces: dcmsign insists on it
    one = next(iter(evaluation.values(COMMAND)), None)
    run = remove_all if one is None else partial(remove, uid=one)
    try:
        await run(
            _source(job),
            _target(job),
            transfer_syntax=evaluation.setting(WRITE_SYNTAX) or None,
            undefined_lengths=evaluation.setting(LENGTHS) == "undefined",
            read=_read_options(job),
            planned=tell,
        )
    except errors.RemovalError as error:
        for level, text in listing.failed_removal_lines(error, job.dictionary, numbered=one is None):
            log.COMMAND.log(level, text)
        raise
    return ExitCode.OK


async def _insert(job: Job) -> ExitCode:
    from .. import insert_timestamp
    from . import timestamps

    evaluation = job.evaluation
    query_file, reply_file, uid_file = evaluation.values(COMMAND)
    if evaluation.key_files is not None:
        await load_signer(evaluation)  # as for removal
    try:
        await insert_timestamp(
            _source(job),
            _target(job),
            files=partial(timestamps.load, query_file, reply_file, uid_file),
            transfer_syntax=evaluation.setting(WRITE_SYNTAX) or None,
            undefined_lengths=evaluation.setting(LENGTHS) == "undefined",
            read=_read_options(job),
        )
    except timestamps.Unreadable as failure:
        log.COMMAND.error(failure.text)
        return failure.code
    return ExitCode.OK


async def _request(job: Job) -> ExitCode:
    from .. import timestamp

    evaluation, authority = job.evaluation, job.authority
    assert authority is not None
    try:
        async with _client(authority) as client:
            await timestamp(
                _source(job),
                _target(job),
                uid=evaluation.values(COMMAND)[0],
                client=client,
                trust=authority.trust,
                rules=authority.rules,
                transfer_syntax=evaluation.setting(WRITE_SYNTAX) or None,
                undefined_lengths=evaluation.setting(LENGTHS) == "undefined",
                read=_read_options(job),
            )
    except (errors.BadPolicy, errors.AlgorithmUnavailable) as error:  # nothing is being signed
        log.COMMAND.error(FAILURES[type(error)].text)
        return ExitCode.TIMESTAMP_MISMATCH
    return ExitCode.OK


OPERATIONS: dict[str, Callable[[Job], Coroutine[Any, Any, ExitCode]]] = {
    "--verify": _verify,
    "--sign": _sign,
    "--sign-item": _sign,
    "--remove": _remove,
    "--remove-all": _remove,
    "--insert-timestamp": _insert,
    "--request-timestamp": _request,
}


async def load_signer(evaluation: Evaluation) -> Signer:
    from .. import Encoding, KeySigner

    assert evaluation.key_files is not None
    key, certificate = evaluation.key_files
    encoding = Encoding[evaluation.setting(ENCODING)]
    # in this thread: an interrupt has to reach the prompt
    return KeySigner.load(key, certificate, password=password_of(evaluation), encoding=encoding)


def password_of(evaluation: Evaluation) -> bytes | Callable[[], bytes | bytearray]:
    """The password of the private key, or what asks for it."""
    setting = evaluation.setting(PASSWORD)
    if setting == "ask":
        return passwords.ask
    return os.fsencode(evaluation.values(PASSWORD)[0]) if setting == "given" else b""


def _source(job: Job) -> Any:
    from .. import stdin

    return stdin() if job.source == messages.STANDARD_STREAM else job.source


def _target(job: Job) -> Any:
    from .. import stdout

    return stdout() if job.target == messages.STANDARD_STREAM else job.target


def _stream_format(job: Job) -> StreamFormat:
    from .. import StreamFormat

    return StreamFormat[job.evaluation.setting(FORMAT)]


def _read_options(job: Job) -> ReadOptions:
    from .. import ReadOptions

    syntax = job.evaluation.setting(READ_SYNTAX)
    detect = syntax == "detect"
    return ReadOptions(
        file_format=job.evaluation.setting(READ),
        syntax=None if detect or not syntax else syntax,
        detect_syntax=detect,
        convert_un=bool(job.evaluation.setting(UNKNOWN)),
        dictionary=job.dictionary,
    )
