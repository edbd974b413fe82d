"""Measures single commands, and works of several commands in interleaved rounds."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True, slots=True)
class Measurement:
    """Of one command. Times in seconds, memory in MiB (peak resident set of the largest process), the rest in bytes.

    `read` and `written` count system calls, `disk_read` and `disk_written` what went to or came from the disk; None where the
    kernel does not say. `first_output` and `last_input`: when the first byte left, and when the last byte was offered.
    `stall` and `stall_worst`: how late the event loop woke a task, at the 99.9th percentile and at worst.
    """

    wall: float
    cpu: float
    memory: float
    read: int | None = None
    written: int | None = None
    disk_read: int | None = None
    disk_written: int | None = None
    first_output: float | None = None
    last_input: float | None = None
    stall: float | None = None
    stall_worst: float | None = None

    def scaled(self, factor: float) -> Measurement:
        """What it takes for `factor` times as much of the same; memory stays."""

        def more(value: int | None) -> int | None:
            return None if value is None else round(value * factor)

        return replace(
            self,
            wall=self.wall * factor,
            cpu=self.cpu * factor,
            read=more(self.read),
            written=more(self.written),
            disk_read=more(self.disk_read),
            disk_written=more(self.disk_written),
        )


@dataclass(frozen=True, slots=True)
class Run:
    """A command to measure: `output` is removed before and after, `feed` comes through a pipe (as goes the output then).

    `inside` is a file in which benchmarks.inside writes figures that replace those of the whole process. Where only a part of
    the work is done, the figures are multiplied by `scale`.
    """

    command: list[str]
    output: Path | None = None
    feed: Path | None = None
    inside: Path | None = None
    scale: float = 1


@dataclass(frozen=True, slots=True)
class Work:
    """The same work for several programs: name of the program to how it is run.

    `size`: bytes of the input. `headers`: data elements and items in it, where they are what counts. `hashes`: how many times the
    input has to be hashed. `notes`: what a reader of the figures has to know.
    """

    name: str
    size: int
    runs: Mapping[str, Run]
    headers: int = 0
    hashes: int = 1
    notes: tuple[str, ...] = ()


@dataclass(slots=True)
class Result:
    """The measurements of a work, one for each round, by program."""

    name: str
    size: int
    headers: int = 0
    hashes: int = 1
    notes: tuple[str, ...] = ()
    runs: dict[str, list[Measurement]] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Result:
        """From JSON."""
        runs = {program: [Measurement(**run) for run in runs] for program, runs in data["runs"].items()}
        return cls(**{**data, "notes": tuple(data["notes"]), "runs": runs})


def environment(folder: Path) -> dict[str, str]:
    """For what is measured: temporary files in `folder`, and compiled modules kept beside it, whatever the caller's settings."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "DCMSIGN"))}
    return kept | {"TMPDIR": str(folder), "PYTHONPYCACHEPREFIX": str(folder.parent / "bytecode")}


class CommandFailed(Exception):
    """A command that is to be measured ended with an error."""


_ROOM = 1 << 30
_PIECE = bytes(1 << 20)


def _make_room(output: Path, size: int) -> None:
    """Write and remove a file like the output, at most 1 GiB, so that all programs find the same free pages.

    A virtual machine gives pages back to its host that were free for some seconds; whoever touches them next pays for it.
    """
    with output.open("wb") as file:
        for _ in range(min(size, _ROOM) // len(_PIECE)):
            file.write(_PIECE)
    output.unlink()


def measure(run: Run, folder: Path, size: int = 0) -> Measurement:
    """Run a command once, in its own process, and look at what it used; temporary files lie in `folder`.

    Its output file, of about `size` bytes, is new each time, since replacing one includes a sync to disk. CommandFailed if it
    does not succeed.
    """
    request, result, errors = folder / "request.json", folder / "result.json", folder / "errors.txt"
    feed = None if run.feed is None else str(run.feed)
    asked = {"command": run.command, "folder": str(ROOT), "result": str(result), "errors": str(errors), "feed": feed}
    request.write_text(json.dumps(asked))
    _remove(run.output)
    if run.output is not None and size >= len(_PIECE):
        _make_room(run.output, size)
    try:
        probe = [sys.executable, "-I", "-S", str(ROOT / "benchmarks" / "probe.py"), str(request)]
        subprocess.run(probe, check=True, stdin=subprocess.DEVNULL, env=environment(folder))
        figures = json.loads(result.read_text())
        if figures.pop("code") or (run.feed is not None and not figures["delivered"]):
            raise CommandFailed(f"{' '.join(run.command)[:500]}: {errors.read_text(errors='replace')[-2000:]}")
        del figures["delivered"]
        if run.inside is not None:
            inner = json.loads(run.inside.read_text())
            figures |= {name: value for name, value in inner.items() if name in Measurement.__slots__}
        return Measurement(**figures).scaled(run.scale)
    finally:
        for path in (run.output, run.inside, request, result, errors):
            _remove(path)


def _remove(path: Path | None) -> None:
    if path is not None:
        path.unlink(missing_ok=True)


def measure_work(work: Work, rounds: int, folder: Path, progress: Callable[[str], None]) -> Result:
    """All programs one after the other, `rounds` times, every other time in the opposite order."""
    result = Result(work.name, work.size, work.headers, work.hashes, work.notes, {program: [] for program in work.runs})
    for number in range(rounds):
        order = list(work.runs.items())
        for program, run in reversed(order) if number % 2 else order:
            progress(f"{work.name}: round {number + 1} of {rounds}, {program}")
            result.runs[program].append(measure(run, folder, work.size))
    return result
