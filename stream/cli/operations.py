"""The operations: what the settings of the command line ask of the engine, and what is told about the outcome."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from ...codec import errors
from . import listing, log, messages, passwords
from .evaluation import Evaluation, purpose_code
from .exit_codes import ExitCode, Failure, failure_of
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
    TIMESTAMP_CERTIFICATE,
    TIMESTAMP_ID,
    TIMESTAMP_MAC,
    TIMESTAMP_NONCE,
    TIMESTAMP_POLICY,
    UNKNOWN,
    WRITE_SYNTAX,
)
from .tags import parse_tag

if TYPE_CHECKING:
    from .. import Dictionary, QueryFiles, ReadOptions, Signer, StreamFormat, Trust


@dataclass(frozen=True, slots=True)
class Job:
    """An operation ready to start: the options in effect, the names of the files, trust, tags and dictionary as loaded."""

    evaluation: Evaluation
    source: str
    target: str
    trust: Trust | None
    tags: tuple[int, ...] | None
    dictionary: Dictionary


def carry_out(job: Job) -> ExitCode:
    """Run the operation of a job in an event loop. Errors of the library are reported, others passed on."""
    import anyio  # not needed for anything that ends earlier

    operation = OPERATIONS[job.evaluation.option(COMMAND).long]
    try:
        return anyio.run(partial(operation, job))
    except errors.Error as error:
        return report_failure(error, job)


async def _verify(job: Job) -> ExitCode:
    from .. import Profile, TimestampPolicy, Trust, verify

    policy = job.evaluation.setting(POLICY)
    report = await verify(
        _source(job),
        trust=job.trust or Trust.NONE,
        require_signature=bool(policy),
        require_profile=Profile[policy] if policy in Profile.__members__ else None,
        stream_format=_stream_format(job),
        read=_read_options(job),
        timestamps=TimestampPolicy[job.evaluation.setting(TIMESTAMP_POLICY)],
    )
    log.COMMAND.info(messages.VERIFYING)
    for level, text in listing.lines(report, job.dictionary, details=log.shows(logging.INFO)):
        log.COMMAND.log(level, text)
    return listing.exit_code(report)


async def _sign(job: Job) -> ExitCode:
    from .. import Profile, sign

    evaluation = job.evaluation
    await sign(
        _source(job),
        _target(job),
        signer=partial(_load_signer, evaluation),
        location=_location(job),
        mac_algorithm=evaluation.setting(MAC),
        tags=job.tags,
        profile=Profile[evaluation.setting(PROFILE)],
        purpose=purpose_code(evaluation.values(PURPOSE)[0]) if evaluation.setting(PURPOSE) else None,
        stream_format=_stream_format(job),
        transfer_syntax=evaluation.setting(WRITE_SYNTAX) or None,
        undefined_lengths=evaluation.setting(LENGTHS) == "undefined",
        timestamp=_query_files(evaluation),
        dump=evaluation.single("--dump"),
        read=_read_options(job),
    )
    return ExitCode.OK


async def _remove(job: Job) -> ExitCode:
    from .. import RemovalReport, remove, remove_all

    evaluation = job.evaluation

    def tell(report: RemovalReport) -> None:
        for level, text in listing.removal_lines(report, job.dictionary, numbered=one is None):
            log.COMMAND.log(level, text)

    if evaluation.key_files is not None:
        await _load_signer(evaluation)  # of a signing command that this one replaces: dcmsign insists on it
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
    from .. import insert_timestamp, rejection_reasons
    from . import timestamps

    evaluation = job.evaluation
    query_file, reply_file, uid_file = evaluation.values(COMMAND)
    if evaluation.key_files is not None:
        await _load_signer(evaluation)  # as for removal
    try:
        await insert_timestamp(
            _source(job),
            _target(job),
            files=partial(timestamps.load, query_file, reply_file, uid_file),
            transfer_syntax=evaluation.setting(WRITE_SYNTAX) or None,
            undefined_lengths=evaluation.setting(LENGTHS) == "undefined",
            read=_read_options(job),
        )
    except errors.TimestampRejected as error:
        log.COMMAND.error(error.message)
        for text in rejection_reasons(error):
            log.COMMAND.warning(messages.STATUS_TEXT.format(text))
        return ExitCode.TIMESTAMP_MISMATCH
    except timestamps.Unreadable as failure:
        log.COMMAND.error(failure.text)
        return failure.code
    return ExitCode.OK


OPERATIONS: dict[str, Callable[[Job], Coroutine[Any, Any, ExitCode]]] = {
    "--verify": _verify,
    "--sign": _sign,
    "--sign-item": _sign,
    "--remove": _remove,
    "--remove-all": _remove,
    "--insert-timestamp": _insert,
}


async def _load_signer(evaluation: Evaluation) -> Signer:
    from .. import Encoding, KeySigner

    assert evaluation.key_files is not None
    key, certificate = evaluation.key_files
    encoding = Encoding[evaluation.setting(ENCODING)]
    # in this thread: an interrupt has to reach the prompt
    return KeySigner.load(key, certificate, password=_password(evaluation), encoding=encoding)


def _location(job: Job) -> str | tuple[()]:
    """The location of --sign-item as typed."""
    values = job.evaluation.values(COMMAND)
    return values[2] if job.evaluation.option(COMMAND).long == "--sign-item" else ()


def _query_files(evaluation: Evaluation) -> QueryFiles | None:
    """The files of --timestamp-file."""
    if evaluation.setting(TIMESTAMP) != "files":
        return None
    from .. import QueryFiles

    query, uid = evaluation.values(TIMESTAMP)
    policy = evaluation.values(TIMESTAMP_ID)
    return QueryFiles(
        query,
        uid,
        algorithm=evaluation.setting(TIMESTAMP_MAC),
        policy=policy[0] if policy else None,
        nonce=evaluation.setting(TIMESTAMP_NONCE) != "none",
        certificate=evaluation.setting(TIMESTAMP_CERTIFICATE) != "none",
    )


def _password(evaluation: Evaluation) -> bytes | Callable[[], bytes]:
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


def report_failure(error: errors.Error, job: Job) -> ExitCode:
    """Tell what went wrong, in dcmsign's words and with the names the user typed."""
    failure = failure_of(error)
    if failure is None:
        raise error
    for detail in _details(error, failure, job.dictionary):
        log.COMMAND.log(failure.detail_level, detail)
    cause = error.__cause__
    said = cause.strerror if isinstance(cause, OSError) else None
    text = failure.text or said or error.message
    name = _names(error, job).get(failure.frame, "")
    log.COMMAND.debug(repr(error), exc_info=error)
    log.COMMAND.log(failure.level, failure.frame.format(text=text, name=name))
    return failure.code


def _details(error: errors.Error, failure: Failure, dictionary: Dictionary) -> Iterator[str]:
    """The lines in front of the failure itself: one for each element it names, or one for the offset."""
    offset = None if error.offset is None else messages.OFFSET.format(error.offset)
    placed = failure.detail != messages.REASON
    if not failure.detail or (placed and error.element is None and offset is None):
        return
    for element in (error.element or "").split(", "):
        place = messages.ELEMENT_AT.format(element, offset) if element and offset else element or offset
        tag = parse_tag(element.strip("()"), dictionary)
        keyword = "" if tag is None else dictionary.keyword_of(tag)
        required = isinstance(error, errors.UnsignableElement) and element in error.required
        detail = messages.UNSIGNABLE_REQUIRED if required else failure.detail
        yield detail.format(place=place, message=error.message, element=element, keyword=keyword)


def _names(error: errors.Error, job: Job) -> dict[str, str]:
    evaluation = job.evaluation
    location = _location(job)
    names = {
        messages.READING: job.source,
        messages.WRITING: job.target,
        messages.UNUSABLE_DUMP: evaluation.single("--dump") or "",
        messages.CREATING: messages.IN_ITEM.format(location) if isinstance(location, str) else messages.IN_MAIN_DATA_SET,
    }
    if evaluation.key_files is not None:
        names[messages.UNREADABLE_KEY], names[messages.UNREADABLE_CERTIFICATE] = evaluation.key_files
    if isinstance(error, errors.UnsupportedSyntax):
        names[messages.NO_CONVERSION] = error.syntax
    return names
