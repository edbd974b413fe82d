"""What the command says when an operation fails: dcmsign's words, the names the user typed, the exit code."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ...codec import errors
from . import log, messages
from .exit_codes import ExitCode, Failure, failure_of
from .job import Job
from .tags import parse_tag

if TYPE_CHECKING:
    from .. import Dictionary


def report_failure(error: errors.Error, job: Job) -> ExitCode:
    """Tell what went wrong, in dcmsign's words and with the names the user typed."""
    failure = failure_of(error)
    if failure is None:
        raise error
    authority = _authority(error, job)
    for note in getattr(error, "__notes__", ()):  # about the authorities that were asked before
        log.COMMAND.error(note.removeprefix("before: "))
    for detail in _details(error, failure, job.dictionary):
        log.COMMAND.log(failure.detail_level, detail)
    cause = error.__cause__
    said = cause.strerror if isinstance(cause, OSError) and authority is None else None
    text = failure.text or said or error.message
    frame = failure.frame if authority is None else messages.REQUESTING
    log.COMMAND.debug(repr(error), exc_info=error)
    log.COMMAND.log(failure.level, frame.format(text=text, name=authority or _names(error, job).get(frame, "")))
    if isinstance(error, errors.TimestampRejected):
        from .. import rejection_reasons

        # an authority that was asked has its own words in the message
        for reason in rejection_reasons(error)[0 if authority is None else len(error.texts) :]:
            log.COMMAND.warning(messages.STATUS_TEXT.format(reason))
    return failure.code


def _authority(error: errors.Error, job: Job) -> str | None:
    """The URL, without credentials, of the time-stamping authority that an error is about; None if it is about something else."""
    if isinstance(error, errors.AuthorityError):
        return error.url
    asked = job.authority is not None and isinstance(error, errors.TimestampError)
    path = error.path or ""
    return path if asked and path.startswith(("http://", "https://")) else None


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
    location = job.location
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
