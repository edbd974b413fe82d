"""Evaluation of a parsed command line: which options count, and whether they fit together.

Blocks of the option table are settled one after the other: of several faults the same one is reported as by DCMTK.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Callable, Iterable
from functools import partial
from typing import Final

from . import log, messages, values
from .grammar import CommandLine, Occurrence, UsageError
from .option_table import BY_NAME, COMMAND, GENERAL, TIMESTAMP
from .options import Block, Kind, Option

PURPOSE_CODES = range(1, 19)
_NUMBER = r"(?a)\s*\+?(\d+)"


class Evaluation:
    """The options in effect. A block has to be settled before it is asked for."""

    def __init__(self, line: CommandLine) -> None:
        self._line = line
        self._choices: dict[str, Occurrence] = {}
        self._effective: set[str] = set()
        self._met: list[Occurrence] = []

    def settle(self, *blocks: Block) -> None:
        """Find the choice of each block and check every option that is looked at.

        Choices are looked up in table order; one that stands to the left of the one found before is ignored, yet a
        found one is checked even if a later one replaces it. Raises UsageError.
        """
        for block in blocks:
            choice: Occurrence | None = None
            for option in block.options:
                found = self._line.rightmost(option)
                if found is None or option.exits:
                    continue
                if option.kind is Kind.CHOICE:
                    if choice is not None and found.position < choice.position:
                        continue
                    choice = found
                    self._met.append(found)
                self._check(found)
                if option.kind is not Kind.CHOICE:
                    self._effective.add(option.long)
            self._take(block, choice)

    def _take(self, block: Block, choice: Occurrence | None) -> None:
        if choice is None and block.default is not None:
            choice = Occurrence(block.default, -1, ())
        if choice is None:
            return
        self._choices[block.name] = choice
        self._effective.add(choice.option.long)

    def _check(self, found: Occurrence) -> None:
        option = found.option
        condition = option.only_with
        if condition is not None and not condition.any_of & self._effective:
            raise UsageError(messages.ONLY_WITH.format(option.long, condition.text))
        if option.needs_output and len(self._line.parameters) < 2:
            raise UsageError(messages.OUTPUT_REQUIRED.format(option.long))
        check = VALUE_CHECKS.get(option.long)
        if check is not None:
            for occurrence in self._line.right_to_left(option) if option.kind is Kind.LIST else (found,):
                for value in occurrence.values:
                    check(value)
        if option.warning:
            log.COMMAND.warning(option.warning)

    def check_output(self) -> None:
        """Raise UsageError if an output is named although the command has none."""
        if not self.option(COMMAND).needs_output and len(self._line.parameters) > 1:
            raise UsageError(messages.OUTPUT_NOT_ALLOWED)

    def check_authority(self) -> None:
        """Raise UsageError if what is said about a time-stamping authority contradicts itself or is not enough."""
        timestamp = self._choices[TIMESTAMP.name]
        if self.given("--timestamp-url") and timestamp.option.default and timestamp.position >= 0:
            raise UsageError(messages.NOT_ALLOWED_WITH.format("--timestamp-url", timestamp.option.long))
        if self.given("--ts-user") and not self.given("--ts-password-file") and values.PASSWORD_VARIABLE not in os.environ:
            raise UsageError(messages.NO_PASSWORD.format(values.PASSWORD_VARIABLE))

    def check_policy(self) -> None:
        """Raise UsageError if a policy is given for something that is not judged by one."""
        if self.given("--policy") and self.given("--verify-originals"):
            raise UsageError(messages.NOT_ALLOWED_WITH.format("--policy", "--verify-originals"))

    def check_report(self) -> None:
        """Raise UsageError if a report cannot be written as asked: unknown suffix, over the input, of several states."""
        name = self.single("--report")
        if name is None:
            return
        if self.given("--verify-originals"):
            raise UsageError(messages.NOT_ALLOWED_WITH.format("--report", "--verify-originals"))
        if not name.lower().endswith((".json", ".html")):
            raise UsageError(messages.REPORT_SUFFIX.format(name))
        with contextlib.suppress(OSError, ValueError):  # one that does not exist; a NUL in the name
            if os.path.samefile(name, self._line.parameters[0]):
                raise UsageError(messages.REPORT_IS_INPUT)

    def option(self, block: Block) -> Option:
        """The choice of a block that has a default."""
        return self._choices[block.name].option

    def setting(self, block: Block) -> str:
        """What the choice of a block stands for."""
        return self.option(block).setting

    def values(self, block: Block) -> tuple[str, ...]:
        """The values of the choice of a block."""
        return self._choices[block.name].values

    def single(self, name: str) -> str | None:
        """The value of the rightmost occurrence of an option, None without any."""
        found = self._line.rightmost(BY_NAME[name])
        return None if found is None else found.values[0]

    def given(self, name: str) -> bool:
        """Whether an option occurs at all."""
        return self._line.rightmost(BY_NAME[name]) is not None

    @property
    def key_files(self) -> tuple[str, str] | None:
        """Private key and certificate of the last signing command that was met, even if another command replaces it."""
        found = [met.values for met in self._met if met.option.long in ("--sign", "--sign-item")]
        return (found[-1][0], found[-1][1]) if found else None

    def every(self, name: str) -> Iterable[str]:
        """The values of all occurrences of an option, from right to left."""
        return (found.values[0] for found in self._line.right_to_left(BY_NAME[name]))

    def log_level(self) -> int:
        """Settle the general options; the level of messages to show. Raises UsageError."""
        self.settle(GENERAL)
        verbosity = self._choices.get(GENERAL.name)
        name = self.single("--log-level")
        if name is not None:
            if verbosity is not None:
                raise UsageError(messages.NOT_ALLOWED_WITH.format("--log-level", messages.VERBOSITY))
            if name.lower() not in log.LEVELS:
                raise UsageError(messages.BAD_LOG_LEVEL)
        self._check_log_config(name is not None, verbosity is not None)
        if verbosity is not None:
            name = verbosity.option.setting
        return log.DEFAULT_LEVEL if name is None else log.LEVELS[name.lower()]

    def _check_log_config(self, level: bool, verbosity: bool) -> None:
        file = self.single("--log-config")
        if file is None:
            return
        if level:
            raise UsageError(messages.NOT_ALLOWED_WITH.format("--log-config", "--log-level"))
        if verbosity:
            raise UsageError(messages.NOT_ALLOWED_WITH.format("--log-config", messages.VERBOSITY))
        if not os.path.exists(file) or os.path.isdir(file):
            raise UsageError(messages.NO_LOG_CONFIG)
        if not os.access(file, os.R_OK):
            raise UsageError(messages.UNREADABLE_LOG_CONFIG)


def purpose_code(text: str) -> int:
    """The number of ``--sig-purpose``: leading digits count, what follows them is ignored. Raises UsageError."""
    match = re.match(_NUMBER, text)
    if match is None:
        raise UsageError(messages.BAD_PURPOSE.format(text) if text else messages.EMPTY_PURPOSE)
    code = int(match[1].lstrip("0")[:20] or "0")  # more digits than any limit has
    if code < PURPOSE_CODES.start:
        raise UsageError(messages.BAD_PURPOSE.format(messages.PURPOSE_UNDERFLOW.format(text)))
    if code >= PURPOSE_CODES.stop:
        raise UsageError(messages.BAD_PURPOSE.format(messages.PURPOSE_OVERFLOW.format(text)))
    return code


VALUE_CHECKS: Final[dict[str, Callable[[str], object]]] = {
    "--sig-purpose": purpose_code,
    "--request-timestamp": partial(values.without_credentials, "--request-timestamp"),
    "--timestamp-url": partial(values.without_credentials, "--timestamp-url"),
    "--ts-user": partial(values.user, "--ts-user"),
    "--ts-timeout": partial(values.timeout, "--ts-timeout"),
    "--ts-retries": partial(values.retries, "--ts-retries"),
    "--ts-tolerance": partial(values.seconds, "--ts-tolerance"),
    "--jobs": partial(values.jobs, "--jobs"),
}
"""What looks at each value of an option as soon as the option is met; raises UsageError."""
