"""The operations: what the settings of the command line ask of the engine, and what is told about the outcome."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from ...codec import errors
from ...codec.dicom.dictionary import keyword_of
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
    PURPOSE,
    READ,
    READ_SYNTAX,
    UNKNOWN,
)
from .tags import parse_tag

if TYPE_CHECKING:
    from .. import ReadOptions, Signer, StreamFormat, Trust


@dataclass(frozen=True, slots=True)
class Job:
    """An operation ready to start: the options in effect, the names of the files, trust and tags as loaded."""

    evaluation: Evaluation
    source: str
    target: str
    trust: Trust | None
    tags: tuple[int, ...] | None


def carry_out(job: Job) -> ExitCode:
    """Run the operation of a job in an event loop. Errors of the library are reported, others passed on."""
    import anyio  # not needed for anything that ends earlier

    operation = OPERATIONS[job.evaluation.option(COMMAND).long]
    try:
        return anyio.run(partial(operation, job))
    except errors.Error as error:
        return report_failure(error, job)


async def _verify(job: Job) -> ExitCode:
    from .. import Trust, verify

    report = await verify(
        _source(job),
        trust=job.trust or Trust.NONE,
        require_signature=job.evaluation.setting(POLICY) == "required",
        stream_format=_stream_format(job),
        read=_read_options(job),
    )
    log.COMMAND.info(messages.VERIFYING)
    for level, text in listing.lines(report, details=log.shows(logging.INFO)):
        log.COMMAND.log(level, text)
    return listing.exit_code(report)


async def _sign(job: Job) -> ExitCode:
    from .. import sign, stdout

    evaluation = job.evaluation
    await sign(
        _source(job),
        stdout() if job.target == messages.STANDARD_STREAM else job.target,
        signer=partial(_load_signer, evaluation),
        mac_algorithm=evaluation.setting(MAC),
        tags=job.tags,
        purpose=purpose_code(evaluation.values(PURPOSE)[0]) if evaluation.setting(PURPOSE) else None,
        stream_format=_stream_format(job),
        undefined_lengths=evaluation.setting(LENGTHS) == "undefined",
        dump=evaluation.single("--dump"),
        read=_read_options(job),
    )
    return ExitCode.OK


OPERATIONS: dict[str, Callable[[Job], Coroutine[Any, Any, ExitCode]]] = {"--verify": _verify, "--sign": _sign}


async def _load_signer(evaluation: Evaluation) -> Signer:
    from .. import Encoding, KeySigner

    key, certificate = evaluation.values(COMMAND)
    encoding = Encoding[evaluation.setting(ENCODING)]
    # in this thread: an interrupt has to reach the prompt
    return KeySigner.load(key, certificate, password=_password(evaluation), encoding=encoding)


def _password(evaluation: Evaluation) -> bytes | Callable[[], bytes]:
    setting = evaluation.setting(PASSWORD)
    if setting == "ask":
        return passwords.ask
    return os.fsencode(evaluation.values(PASSWORD)[0]) if setting == "given" else b""


def _source(job: Job) -> Any:
    from .. import stdin

    return stdin() if job.source == messages.STANDARD_STREAM else job.source


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
    )


def report_failure(error: errors.Error, job: Job) -> ExitCode:
    """Tell what went wrong, in dcmsign's words and with the names the user typed."""
    failure = failure_of(error)
    if failure is None:
        raise error
    for detail in _details(error, failure):
        log.COMMAND.log(failure.detail_level, detail)
    cause = error.__cause__
    said = cause.strerror if isinstance(cause, OSError) else None
    text = failure.text or said or error.message
    name = _names(job).get(failure.frame, "")
    log.COMMAND.debug(repr(error), exc_info=error)
    log.COMMAND.log(failure.level, failure.frame.format(text=text, name=name))
    return failure.code


def _details(error: errors.Error, failure: Failure) -> Iterator[str]:
    """The lines in front of the failure itself: one for each element it names, or one for the offset."""
    offset = None if error.offset is None else messages.OFFSET.format(error.offset)
    if not failure.detail or (error.element is None and offset is None):
        return
    for element in (error.element or "").split(", "):
        place = messages.ELEMENT_AT.format(element, offset) if element and offset else element or offset
        keyword = keyword_of(tag) if (tag := parse_tag(element.strip("()"))) is not None else ""
        yield failure.detail.format(place=place, message=error.message, element=element, keyword=keyword)


def _names(job: Job) -> dict[str, str]:
    names = {messages.READING: job.source, messages.WRITING: job.target}
    if job.evaluation.option(COMMAND).long == "--sign":
        key, certificate = job.evaluation.values(COMMAND)
        names |= {messages.UNREADABLE_KEY: key, messages.UNREADABLE_CERTIFICATE: certificate}
        names[messages.UNUSABLE_DUMP] = job.evaluation.single("--dump") or ""
    return names
