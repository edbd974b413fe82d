"""Figures made from measurements: medians of ratios within a round, and how far a result is from what the machine can do."""

from __future__ import annotations

from collections.abc import Iterable
from operator import sub
from statistics import median

from .commands import COMMAND, CP, INSIDE, OPENSSL, OURS
from .measure import Result


def values(result: Result, program: str, figure: str) -> list[float] | None:
    """A figure in each round; None if it was not measured in all."""
    found: list[float | None] = [getattr(run, figure) for run in result.runs.get(program, ())]
    known = [value for value in found if value is not None]
    return known if known and len(known) == len(found) else None


def typical(result: Result, program: str, figure: str) -> float | None:
    """The median of a figure over the rounds; None if it was not measured."""
    found = values(result, program, figure)
    return None if found is None else median(found)


def worst(result: Result, programs: Iterable[str], figure: str) -> float | None:
    """The largest value of a figure in any round."""
    found = [value for program in programs for value in values(result, program, figure) or []]
    return max(found) if found else None


def ratio(result: Result, program: str, references: Iterable[str]) -> float | None:
    """The median of the ratios of wall times within a round, to the slowest of the references; None if one was not measured."""
    ours, others = result.runs.get(program), [result.runs.get(name) for name in references]
    if not ours or not others or not all(others):
        return None
    slowest = [max(runs, key=lambda run: run.wall) for runs in zip(*filter(None, others), strict=True)]
    ratios: list[float] = [run.wall / other.wall for run, other in zip(ours, slowest, strict=True)]
    return median(ratios)


def passed_through(result: Result, program: str, figure: str) -> float | None:
    """Bytes read or written, in sizes of the input."""
    value = typical(result, program, figure)
    return None if value is None else value / result.size


def ahead(result: Result, program: str) -> float | None:
    """By how many seconds the first byte of output came after the last byte of input was offered (before: negative), at worst."""
    first, last = values(result, program, "first_output"), values(result, program, "last_input")
    return max(map(sub, first, last)) if first and last else None


def nanoseconds_a_header(result: Result, program: str = INSIDE) -> float | None:
    """Wall time by number of headers."""
    wall = typical(result, program, "wall")
    return wall / result.headers * 1e9 if wall is not None and result.headers else None


def distance(result: Result, program: str, limits: dict[str, float], cores: int) -> tuple[float, str] | None:
    """How many times the physical limit the median wall time is, and what the limit is.

    That is hashing the input, as often as it has to be hashed and on as many cores as there are, or copying it with cp if that
    was measured and takes longer; for the command also the start of a bare Python.
    """
    wall = typical(result, program, "wall")
    if wall is None or program not in OURS or OPENSSL not in result.runs:
        return None
    start = limits["start"] if program == COMMAND else 0.0
    floors = {"hashing": result.size / limits["sha256"] * result.hashes / min(result.hashes, cores)}
    copy = typical(result, CP, "wall")
    if copy is not None:
        floors["cp"] = copy
    name = max(floors, key=floors.__getitem__)
    return wall / (start + floors[name]), f"{name}, start of Python" if start else name
