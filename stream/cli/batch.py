"""The second form of the command: many files, verified or signed by a pool of processes.

Options mean what they mean for one file; the parameters are any number of files and directories.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ...codec import errors
from . import interrupts, log, messages, values
from .batch_files import Search, below, identity, listed
from .batch_progress import Progress, progress
from .batch_results import Results
from .evaluation import Evaluation
from .exit_codes import ExitCode
from .failures import report_failure
from .grammar import CommandLine, UsageError
from .job import Job
from .operations import password_of, signing_options, verification_options
from .option_table import BY_NAME, COMMAND, ENCODING

if TYPE_CHECKING:
    from .. import FileResult, KeyFiles

_COMMANDS = ("--verify", "--sign", "--sign-item")
_UNUSABLE = (
    "--insert-timestamp",
    "--request-timestamp",
    "--remove",
    "--remove-all",
    "--timestamp-file",
    "--timestamp-url",
    "--dump",
    "--verify-originals",
    "--report",
)
"""Options for which one file is all there is."""


def as_for_one_file(line: CommandLine) -> CommandLine:
    """The command line with which one of the files would be processed. Raises UsageError."""
    for name in _UNUSABLE:
        if line.rightmost(BY_NAME[name]) is not None:
            raise UsageError(messages.NOT_ALLOWED_WITH.format(name, "--batch"))
    signing = next((name for name in _COMMANDS[1:] if line.rightmost(BY_NAME[name]) is not None), None)
    folder = line.rightmost(BY_NAME["--output-directory"])
    if signing is None and folder is not None:
        raise UsageError(messages.ONLY_WITH.format("--output-directory", "--sign or --sign-item"))
    if signing is not None and (folder is None or not folder.values[0]):
        raise UsageError(messages.FOLDER_REQUIRED.format(signing))
    parameters = ("-", "-") if signing is not None else ("-",)
    return CommandLine(line.arguments, line.occurrences, parameters)


@dataclass(slots=True)
class Batch:
    """What is to be done: the files named, and where results go."""

    job: Job
    names: tuple[str, ...]
    results: Results
    folder: str | None

    @property
    def workers(self) -> int | None:
        """What --jobs says."""
        text = self.job.evaluation.single("--jobs")
        return None if text is None else values.jobs("--jobs", text)


def carry_out(job: Job, names: tuple[str, ...]) -> ExitCode:
    """Verify or sign all files in `names`; the exit code is that of the worst result."""
    import anyio

    evaluation = job.evaluation
    try:
        results = Results(evaluation.single("--results"), evaluation.single("--resume"), signing=_signs(job))
    except OSError as error:
        return unusable(error)
    interrupted = False
    with results, progress(shown=results.leaves_terminal_free) as shown:
        batch = Batch(job, names, results, evaluation.single("--output-directory"))
        try:
            anyio.run(_run, batch, shown)
        except KeyboardInterrupt:
            interrupted = True
        except errors.Error as error:  # of the key files
            return report_failure(error, job)
        except OSError as error:
            return unusable(error)
    if not log.hides_errors():
        log.put(sys.stderr, (messages.INTERRUPTED if interrupted else "") + results.summary() + "\n")
    return ExitCode(interrupts.exit_code()) if interrupted else results.worst


def _signs(job: Job) -> bool:
    return job.evaluation.option(COMMAND).long != "--verify"


def unusable(error: OSError) -> ExitCode:
    name = error.filename or messages.STANDARD_STREAM
    reading = getattr(error, "reading", False)
    frame = messages.READING if reading else messages.WRITING
    log.COMMAND.critical(frame.format(text=error.strerror or str(error), name=name))
    return ExitCode.CANNOT_READ_INPUT if reading else ExitCode.CANNOT_WRITE_OUTPUT


async def _run(batch: Batch, shown: Progress) -> None:
    results, folder = batch.results, batch.folder
    own = {found for found in (results.identity, identity(folder) if folder else None) if found is not None}
    shown.count(batch.names, own)
    search = Search(results.take_error, results.skip, own)
    files = files_of(batch, search)
    async with contextlib.aclosing(files), contextlib.aclosing(_done(batch, files)) as done:
        async for result in done:
            results.take(result)
            shown.advance(result.bytes)


def _done(batch: Batch, files: AsyncIterator[str | None]) -> AsyncGenerator[FileResult]:
    """The results of the files, in order of completion."""
    from .. import sign_many, verify_many

    if batch.folder is None:
        return verify_many(files, workers=batch.workers, **verification_options(batch.job))
    folder = batch.folder
    pairs = (None if name is None else (name, below(folder, name)) async for name in files)
    return sign_many(pairs, keys=_key_files(batch.job.evaluation), workers=batch.workers, **signing_options(batch.job))


async def files_of(batch: Batch, search: Search) -> AsyncGenerator[str | None]:
    """The files to process, without those that are done; None before waiting for more."""
    null = batch.job.evaluation.given("--null")
    for name in batch.names:
        if name != messages.STANDARD_STREAM:
            for found in search.files(name):
                if not batch.results.is_done(found):
                    yield found
            continue
        async with contextlib.aclosing(listed(b"\0" if null else b"\n")) as names:
            async for listing in names:
                if listing is None:
                    yield None
                    continue
                for found in search.files(listing):
                    if not batch.results.is_done(found):
                        yield found


def _key_files(evaluation: Evaluation) -> KeyFiles:
    """Where key and certificate are, with the password, which is asked for at most once."""
    from .. import Encoding, KeyFiles, KeySigner

    assert evaluation.key_files is not None
    key, certificate = evaluation.key_files
    encoding = Encoding[evaluation.setting(ENCODING)]
    password: Any = password_of(evaluation)
    if callable(password):
        ask, answers = password, list[bytes]()

        def remember() -> bytes:
            answers.append(bytes(ask()))  # the workers need it, too
            return answers[0]

        KeySigner.load(key, certificate, password=remember, encoding=encoding)
        password = answers[0] if answers else None
    return KeyFiles(os.fspath(key), os.fspath(certificate), password, encoding)
