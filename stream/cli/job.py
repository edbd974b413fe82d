"""An operation of the command that is ready to start."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from .evaluation import Evaluation
from .option_table import COMMAND

if TYPE_CHECKING:
    from .. import Dictionary, Policy, Trust
    from .authority import Authority


class Job(NamedTuple):
    """An operation ready to start: the options in effect, the names of the files, what has been loaded, the authority to ask."""

    evaluation: Evaluation
    source: str
    target: str
    trust: Trust | None
    tags: tuple[int, ...] | None
    dictionary: Dictionary
    authority: Authority | None = None
    policy: Policy | None = None

    @property
    def location(self) -> str | tuple[()]:
        """The location of --sign-item as typed."""
        values = self.evaluation.values(COMMAND)
        return values[2] if self.evaluation.option(COMMAND).long == "--sign-item" else ()
