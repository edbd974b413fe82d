"""Grammar of the command line: command files, options and parameters.

The rules are those of DCMTK's command line programs: options are matched exactly, take a fixed number of values as they
are, and may be mixed with parameters in any order.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import NamedTuple

from . import messages
from .option_table import BATCHES, BY_NAME
from .options import Option

SEPARATORS = " \t\n\r"
QUOTES = "\"'"
MIN_PARAMETERS, MAX_PARAMETERS = 1, 2
PASSWORD_OPTIONS = ("--use-passwd", "+pw")


class UsageError(Exception):
    """A command line that cannot be carried out; the text is what follows ``error: ``."""


class Occurrence(NamedTuple):
    """An option as it stands in the command line: its place among the arguments and its values."""

    option: Option
    position: int
    values: tuple[str, ...]


class CommandLine(NamedTuple):
    """A parsed command line, left to right. `arguments`: the expanded ones, with options under their long names."""

    arguments: tuple[str, ...]
    occurrences: tuple[Occurrence, ...]
    parameters: tuple[str, ...]

    def rightmost(self, option: Option) -> Occurrence | None:
        """The last occurrence of an option, None if there is none."""
        return next((found for found in reversed(self.occurrences) if found.option is option), None)

    def right_to_left(self, option: Option) -> tuple[Occurrence, ...]:
        """All occurrences of an option, the last one first."""
        return tuple(found for found in reversed(self.occurrences) if found.option is option)


def expand(argv: Sequence[str]) -> list[str]:
    """Replace every ``@name`` by the arguments in that file; contents are not expanded again.

    Raises UsageError if a file cannot be read. A directory contributes nothing.
    """
    arguments: list[str] = []
    for argument, before in zip(argv, ("", *argv), strict=False):
        if len(argument) < 2 or argument[0] != "@":
            arguments.append(argument)
            continue
        try:
            with open(argument[1:], "rb") as file:
                arguments += split(os.fsdecode(file.read()))
        except IsADirectoryError:
            continue
        except (OSError, ValueError):  # ValueError: a NUL in the name
            shown = messages.MASK if before in PASSWORD_OPTIONS else argument[1:]  # a password may begin with @
            raise UsageError(messages.UNREADABLE_COMMAND_FILE.format(shown)) from None
    return arguments


def split(text: str) -> list[str]:
    """The arguments in the text of a command file.

    A quoted block belongs to the argument in front of it and always ends it; a missing closing quote is accepted.
    """
    arguments: list[str] = []
    position = 0
    while position < len(text):
        if text[position] in SEPARATORS:
            position += 1
            continue
        start = position
        while position < len(text) and text[position] not in SEPARATORS + QUOTES:
            position += 1
        argument = text[start:position]
        if position < len(text) and text[position] in QUOTES:
            end = text.find(text[position], position + 1)
            end = len(text) if end < 0 else end
            argument += text[position + 1 : end]
            position = end + 1
        arguments.append(argument)
    return arguments


def _shown(argument: str) -> str:
    """An argument that is no option, as it may be shown: ``+pwSECRET`` is a slip."""
    name = next((name for name in PASSWORD_OPTIONS if argument.startswith(name)), None)
    return argument if name is None else f"{name}{messages.MASK}"


def looks_like_option(argument: str) -> bool:
    """True for ``-x`` and ``+x`` with anything but a digit for x."""
    return len(argument) > 1 and argument[0] in "-+" and argument[1] not in "0123456789"


def parse(arguments: Sequence[str]) -> CommandLine:
    """Tell options, their values and parameters apart.

    The number of parameters is not looked at if an option such as ``--help`` asks for something else.
    Raises UsageError at the first unknown option or missing value, then for a wrong number of parameters.
    """
    resolved = list(arguments)
    occurrences: list[Occurrence] = []
    parameters: list[str] = []
    position = 0
    while position < len(arguments):
        argument = arguments[position]
        if not looks_like_option(argument):
            parameters.append(argument)
            position += 1
            continue
        option = BY_NAME.get(argument)
        if option is None:
            raise UsageError(messages.UNKNOWN_OPTION.format(_shown(argument)))
        values = tuple(arguments[position + 1 : position + 1 + option.values])
        if len(values) < option.values:
            raise UsageError(messages.MISSING_VALUE.format(option.long))
        occurrences.append(Occurrence(option, position, values))
        resolved[position] = option.long
        position += 1 + option.values
    if not any(found.option.exits for found in occurrences):
        if len(parameters) < MIN_PARAMETERS:
            raise UsageError(messages.MISSING_PARAMETER)
        if len(parameters) > MAX_PARAMETERS and not any(found.option.long in BATCHES.any_of for found in occurrences):
            raise UsageError(messages.TOO_MANY_PARAMETERS)
    return CommandLine(tuple(resolved), tuple(occurrences), tuple(parameters))
