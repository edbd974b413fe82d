"""Made up results."""

from __future__ import annotations

from benchmarks.document import Document
from benchmarks.measure import Measurement, Result

GIB = 1 << 30
LIMITS = {"sha256": float(GIB), "copy": 4.0 * GIB, "write": 2.0 * GIB, "start": 0.02}
MACHINE = {
    "cpu": "Processor",
    "cores": 2,
    "memory_mib": 8192,
    "load": 0.0,
    "kernel": "Linux 6",
    "python": "CPython 3.11",
    "openssl": "OpenSSL 3",
    "packages": {"dcmsign": "1"},
    "commit": "abc",
    "peers": {"dcmsign": "3.6.7"},
}


def runs(*walls: float, memory: float = 40.0) -> list[Measurement]:
    """One for each round."""
    return [Measurement(wall, wall, memory, read=GIB, written=2 * GIB) for wall in walls]


def result(name: str = "verify encapsulated", **programs: list[Measurement]) -> Result:
    """Of a work on 1 GiB; underscores in names of programs stand for blanks."""
    return Result(name, GIB, runs={program.replace("_", " "): measured for program, measured in programs.items()})


def document(*results: Result) -> Document:
    """With a made up machine."""
    return Document(MACHINE, {"large": GIB, "rounds": 3}, LIMITS, list(results))
