"""What an option is: names, values, help lines, and its relation to other options. The rows are in `option_table`."""

from __future__ import annotations

import enum
from typing import NamedTuple


class Kind(enum.Enum):
    """How an option relates to others and to repetitions of itself."""

    CHOICE = enum.auto()
    """One of the exclusive choices of its block; the rightmost one counts."""
    SINGLE = enum.auto()
    """Stands for itself; the rightmost occurrence counts."""
    LIST = enum.auto()
    """Every occurrence counts, from right to left."""
    EXIT = enum.auto()
    """Prints something and ends the program."""


class Condition(NamedTuple):
    """An option is allowed only if one of `any_of` is in effect; `text` is how the error message puts it."""

    text: str
    any_of: frozenset[str]


class Option(NamedTuple):
    """One option: names, number of values, help lines (values first), and what it is allowed with and stands for.

    `setting` is what the choice means to the operation; `default` marks the choice in effect without any option of the
    block; `warning` is printed when the option is met; `note` says for the documentation where it differs from DCMTK's option
    on purpose, or what for it was `added`.
    """

    short: str
    long: str
    help: tuple[str, ...]
    values: int = 0
    value_help: tuple[str, ...] = ()
    only_with: Condition | None = None
    kind: Kind = Kind.CHOICE
    setting: str = ""
    default: bool = False
    needs_output: bool = False
    warning: str = ""
    note: str = ""
    added: bool = False

    @property
    def exits(self) -> bool:
        """True if the option prints something and ends the program."""
        return self.kind is Kind.EXIT


class Block(NamedTuple):
    """Options that stand together; its choices exclude each other. Without title they belong to the section itself."""

    name: str
    title: str
    options: tuple[Option, ...]

    @property
    def default(self) -> Option | None:
        """The choice in effect without any option of the block."""
        return next((option for option in self.options if option.default), None)


class Section(NamedTuple):
    """A section of the help text."""

    title: str
    blocks: tuple[Block, ...]
