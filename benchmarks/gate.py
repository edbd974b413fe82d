"""Compares two results: the exit code is 1 if a ratio has become worse by more than a tolerance.

    python -m benchmarks.gate OLD.json NEW.json [--tolerance 0.15]

Times are compared as ratios to the peers, memory as it is. What is in the old result and not in the new one counts as worse.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from . import figures
from .commands import CP, LOOP, OPENSSL, OURS, PEER
from .document import Document
from .measure import Result

TOLERANCE = 0.15


@dataclass(frozen=True, slots=True)
class Change:
    """A figure before and after; `new` is None if it has gone."""

    what: str
    old: float
    new: float | None

    def worse(self, tolerance: float) -> bool:
        """By more than that part."""
        return self.new is None or self.new > self.old * (1 + tolerance)

    def __str__(self) -> str:
        if self.new is None:
            return f"{self.what}: {self.old:.3f} -> not measured"
        return f"{self.what}: {self.old:.3f} -> {self.new:.3f} ({self.new / self.old - 1:+.0%})"


def comparable(result: Result) -> dict[str, float]:
    """The figures of a work that do not depend on the machine much."""
    found = {}
    for program in OURS:
        for reference in (PEER, LOOP, OPENSSL, CP):
            value = figures.ratio(result, program, (reference,))
            if value is not None:
                found[f"{result.name}, {program}: time / {reference}"] = value
        memory = figures.worst(result, (program,), "memory")
        if memory is not None:
            found[f"{result.name}, {program}: peak MiB"] = memory
    return found


def changes(old: Document, new: Document) -> Iterator[Change]:
    """Of everything that the old result has."""
    after = {name: value for result in new.results for name, value in comparable(result).items()}
    for result in old.results:
        for name, value in comparable(result).items():
            yield Change(name, value, after.get(name))


def main(arguments: list[str] | None = None) -> int:
    """Compare, print what has become worse, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("old", type=Path)
    parser.add_argument("new", type=Path)
    parser.add_argument(
        "--tolerance", type=float, default=TOLERANCE, help="part by which a figure may grow (default: %(default)s)"
    )
    options = parser.parse_args(arguments)
    old, new = Document.load(options.old), Document.load(options.new)
    if old.sizes != new.sizes:
        print("The two results are of different sizes.", file=sys.stderr)
    found = list(changes(old, new))
    worse = [change for change in found if change.worse(options.tolerance)]
    for change in worse:
        print(f"worse: {change}")
    print(f"{len(found)} figures compared, {len(worse)} worse by more than {options.tolerance:.0%}")
    return 1 if worse or not found else 0


if __name__ == "__main__":
    sys.exit(main())
