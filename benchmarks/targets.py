"""What is to be reached, as data, and whether it was."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase

from . import figures
from .commands import COMMAND, CP, INSIDE, LOOP, OPENSSL, OURS, PEER
from .measure import Result


class Figure(StrEnum):
    """What is compared with the target."""

    TIME = "time"
    READ = "bytes read / input"
    WRITTEN = "bytes written / input"
    AHEAD = "s from last input to first output"
    HEADER = "ns a header"
    MEMORY = "peak MiB"
    STALL = "event-loop stall, ms at the 99.9th percentile"
    STALL_WORST = "event-loop stall, ms at worst"


@dataclass(frozen=True, slots=True)
class Target:
    """A limit for a figure of all works whose name matches a pattern.

    `of`: the programs a time is compared with, the slowest counts. `together`: one verdict, on the worst of the works.
    """

    works: str
    figure: Figure
    limit: float
    program: str = COMMAND
    of: tuple[str, ...] = ()
    together: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """A measured value against its target; `value` is None where a program was missing."""

    work: str
    program: str
    figure: str
    limit: float
    value: float | None

    @property
    def verdict(self) -> str:
        """In a word."""
        if self.value is None:
            return "not measured"
        return "met" if self.value <= self.limit else "missed"


TARGETS = (
    Target("verify encapsulated", Figure.TIME, 0.5, of=(PEER,)),
    Target("verify encapsulated", Figure.TIME, 1.15, of=(OPENSSL,)),
    Target("verify native", Figure.TIME, 0.5, of=(PEER,)),
    Target("verify native", Figure.TIME, 1.15, of=(OPENSSL,)),
    Target("sign encapsulated", Figure.TIME, 0.4, of=(PEER,)),
    Target("sign encapsulated", Figure.TIME, 1.2, of=(OPENSSL, CP)),
    Target("sign native", Figure.TIME, 0.4, of=(PEER,)),
    Target("sign native", Figure.TIME, 1.2, of=(OPENSSL, CP)),
    Target("verify * fragments", Figure.TIME, 0.6, of=(PEER,)),
    Target("sign * fragments", Figure.TIME, 0.6, of=(PEER,)),
    Target("pipe to pipe, tag list", Figure.TIME, 0.5, of=(PEER,)),
    Target("pipe to pipe, tag list", Figure.AHEAD, 0.0),
    Target("pipe to pipe, tag list", Figure.WRITTEN, 1.01),
    Target("pipe to pipe, tag list", Figure.TIME, 0.5, INSIDE, of=(PEER,)),
    Target("pipe to pipe, tag list", Figure.AHEAD, 0.0, INSIDE),
    Target("pipe to pipe, tag list", Figure.WRITTEN, 1.01, INSIDE),
    Target("verify 8 signatures*", Figure.TIME, 0.35, of=(PEER,)),
    Target("verify 8 signatures*", Figure.READ, 1.1),
    Target("verify dense *", Figure.TIME, 1.0, of=(PEER,)),
    Target("sign dense *", Figure.TIME, 1.0, of=(PEER,)),
    Target("verify plain elements", Figure.HEADER, 700, INSIDE),
    Target("verify small file", Figure.TIME, 6, of=(PEER,)),
    Target("sign small file", Figure.TIME, 6, of=(PEER,)),
    Target("verify * small files", Figure.TIME, 0.15, of=(LOOP,)),
    Target("*", Figure.MEMORY, 64, together=True),
    Target("event loop, *", Figure.STALL, 10, INSIDE),
    Target("event loop, *", Figure.STALL_WORST, 25, INSIDE),
)
"""Whole commands against Debian's dcmsign, two cores, data in the page cache, 1 GiB of Pixel Data where no size is named."""

IMPORT_BUDGET = {"dcmsign": 40.0, "cryptography": 40.0, "anyio": 25.0, "standard library": 110.0}
"""Milliseconds that a verification with the command may spend on importing each package."""


def value_of(target: Target, result: Result) -> float | None:
    """The figure of a work that a target is about."""
    match target.figure:
        case Figure.TIME:
            return figures.ratio(result, target.program, target.of)
        case Figure.READ:
            return figures.passed_through(result, target.program, "read")
        case Figure.WRITTEN:
            return figures.passed_through(result, target.program, "written")
        case Figure.AHEAD:
            return figures.ahead(result, target.program)
        case Figure.HEADER:
            return figures.nanoseconds_a_header(result, target.program)
        case Figure.MEMORY:
            return figures.worst(result, OURS, "memory")
        case Figure.STALL | Figure.STALL_WORST:
            name = "stall" if target.figure is Figure.STALL else "stall_worst"
            seconds = figures.worst(result, (target.program,), name)
            return None if seconds is None else seconds * 1000


def outcomes(results: list[Result], targets: tuple[Target, ...] = TARGETS) -> Iterator[Outcome]:
    """All targets against what was measured; works that did not run have no outcome."""
    for target in targets:
        found = [(result.name, value_of(target, result)) for result in results if fnmatchcase(result.name, target.works)]
        figure = f"{target.figure} / {' or '.join(target.of)}" if target.of else str(target.figure)
        if target.together and found:
            name, value = max(found, key=lambda pair: -1.0 if pair[1] is None else pair[1])
            yield Outcome(f"any (most: {name})", "any", figure, target.limit, value)
        elif not target.together:
            for name, value in found:
                yield Outcome(name, target.program, figure, target.limit, value)
