"""The run of the command from the arguments to the exit code, in dcmsign's order of evaluation."""

from __future__ import annotations

import contextlib
import functools
import logging
import os
import sys
from collections.abc import Callable, Sequence

from . import grammar, interrupts, log, messages, preparation, usage, values
from .evaluation import Evaluation
from .exit_codes import ExitCode
from .grammar import CommandLine, UsageError
from .job import Job
from .option_table import (
    AUTHORITY,
    BATCH,
    BY_NAME,
    COMMAND,
    DEMANDS,
    ENCODING,
    FORMAT,
    LENGTHS,
    MAC,
    MANIFESTS,
    ORIGINALS,
    OTHER_OUTPUT,
    PASSWORD,
    POLICY,
    PROFILE,
    PURPOSE,
    READ,
    READ_SYNTAX,
    TAGS,
    TIMESTAMP,
    TIMESTAMP_CERTIFICATE,
    TIMESTAMP_ID,
    TIMESTAMP_MAC,
    TIMESTAMP_NONCE,
    TIMESTAMP_POLICY,
    TIMESTAMP_RULES,
    TRUST,
    UNKNOWN,
    WRITE_SYNTAX,
)

ANSWERS: tuple[tuple[str, Callable[[], str]], ...] = (
    ("--help", usage.help_text),
    ("--version", usage.version_text),
    ("--list-purposes", usage.purposes_text),
)
"""Options that print something and end the program; the first one counts."""


def run(argv: Sequence[str]) -> ExitCode:
    """Carry out a command line. Raises only what is not foreseen, and KeyboardInterrupt."""
    try:
        arguments = grammar.expand(argv)
        if not arguments:
            return _print(usage.help_text())
        line = grammar.parse(arguments)
    except UsageError as error:
        return _usage_error(error)
    for name, text in ANSWERS:
        if line.rightmost(BY_NAME[name]) is not None:
            return _print(text())
    try:
        if any(line.rightmost(BY_NAME[name]) is not None for name in MANIFESTS):
            from . import manifest

            job = _prepare(manifest.as_for_one_file(line))
            interrupts.stop_operation()
            return manifest.carry_out(job, line.parameters)
        if line.rightmost(BY_NAME["--batch"]) is not None:
            from . import batch  # not needed for one file

            job = _prepare(batch.as_for_one_file(line))
            interrupts.stop_operation()
            return batch.carry_out(job, line.parameters)
        return _evaluate(line)
    except UsageError as error:
        return ExitCode.USAGE if log.hides_errors() else _usage_error(error)
    except preparation.Stop as stop:
        return stop.code


def _evaluate(line: CommandLine) -> ExitCode:
    job = _prepare(line)
    if not job.source:
        log.COMMAND.critical(messages.EMPTY_INPUT_NAME)
        return ExitCode.NO_INPUT
    log.COMMAND.info(messages.OPEN_INPUT.format(job.source))
    from . import operations  # what only prints usage or an error needs none of this

    interrupts.stop_operation()
    return operations.carry_out(job)


def _prepare(line: CommandLine) -> Job:
    """Evaluate the options and load what they name. Raises UsageError and preparation.Stop."""
    evaluation = Evaluation(line)
    log.LIBRARY.setLevel(evaluation.log_level())
    config = evaluation.single("--log-config")
    if config is not None:
        from . import log_config  # rarely used

        log_config.install(config, output_taken=line.parameters[1:] == (messages.STANDARD_STREAM,))
    if line.rightmost(BY_NAME["--arguments"]) is not None:
        shown = "".join(f"'{argument}' " for argument in values.masked(line) if argument)
        log.write(logging.INFO, messages.ARGUMENTS.format(len(line.arguments), shown))
    evaluation.settle(READ, READ_SYNTAX, UNKNOWN, COMMAND)
    evaluation.check_output()
    evaluation.settle(ENCODING, FORMAT, POLICY, TIMESTAMP_POLICY, TIMESTAMP_RULES, ORIGINALS, TRUST)
    trust = preparation.load_trust(evaluation)
    evaluation.settle(PASSWORD, PROFILE, MAC, PURPOSE, TAGS)
    dictionary = functools.cache(preparation.load_dictionary)  # read when it is first needed, once
    tags = preparation.load_tags(evaluation, dictionary)
    evaluation.settle(TIMESTAMP, AUTHORITY, TIMESTAMP_MAC, TIMESTAMP_NONCE, TIMESTAMP_CERTIFICATE, TIMESTAMP_ID)
    evaluation.check_authority()
    evaluation.settle(WRITE_SYNTAX, LENGTHS, OTHER_OUTPUT, DEMANDS, BATCH)
    evaluation.check_policy()
    evaluation.check_report()
    policy = preparation.load_policy(evaluation)
    log.COMMAND.debug(usage.header() + "\n")
    names, loaded = dictionary()
    if not loaded:
        log.COMMAND.warning(messages.NO_DICTIONARY)
    authority = preparation.load_authority(evaluation)
    preparation.create_dump(evaluation)
    source, target = (*line.parameters, "")[:2]
    return Job(evaluation, source, target, trust, tags, names, authority, policy)


def _usage_error(error: UsageError) -> ExitCode:
    sys.stderr.write(usage.error(str(error)))
    sys.stderr.flush()
    return ExitCode.USAGE


def _print(text: str) -> ExitCode:
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except OSError as error:
        log.COMMAND.critical(messages.WRITING.format(text=error.strerror, name=messages.STANDARD_STREAM))
        # the interpreter would try to write the rest when it ends
        with contextlib.suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ExitCode.CANNOT_WRITE_OUTPUT
    return ExitCode.OK
