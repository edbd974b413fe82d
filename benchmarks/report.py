"""The document as Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from . import figures
from .commands import CP, LOOP, OPENSSL, OURS, PEER
from .document import Document
from .inputs import MIB
from .measure import Result
from .targets import IMPORT_BUDGET, outcomes

_REFERENCES = (PEER, OPENSSL, CP)


def number(value: float | None, digits: int = 2) -> str:
    """A cell."""
    return "-" if value is None else f"{value:.{digits}f}"


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> list[str]:
    """In Markdown."""
    lines = [list(head), *map(list, rows)]
    lines.insert(1, ["---"] * len(lines[0]))
    return [f"| {' | '.join(line)} |" for line in lines]


def report(document: Document, plots: Iterable[str] = ()) -> str:
    """Everything, with references to the plots."""
    parts = [
        [
            "# Benchmarks",
            "",
            "Made by `make bench-full` (see `benchmarks/`); the same as JSON is in [results.json](results.json).",
        ],
        _machine(document),
        *([["## Failures", "", *(f"- {failure}" for failure in document.failures)]] if document.failures else []),
        ["## Targets", "", *_targets(document)],
        ["## Measurements", "", *_explanation(), "", *_measurements(document)],
        *([[f"![{name}]({name})" for name in plots]] if plots else []),
        *([["## Event loop", "", *_stalls(document)]] if _stalled(document) else []),
        *([["## Pipes", "", *_pipes(document)]] if any(_is_pipe(result) for result in document.results) else []),
        *([["## Import time", "", *_imports(document)]] if document.imports else []),
        *([["## Where the time goes", "", *_profiles(document)]] if document.profiles else []),
        *([["## Notes", "", *(f"- {note}" for note in _notes(document))]] if _notes(document) else []),
    ]
    return "\n\n".join("\n".join(part) for part in parts) + "\n"


def _machine(document: Document) -> list[str]:
    machine, limits = document.machine, document.limits
    speeds = ", ".join(f"{name} {limits[name] / 1e9:.2f} GB/s" for name in ("sha256", "copy", "write"))
    packages = ", ".join(f"{name} {version}" for name, version in machine["packages"].items())
    peers = "; ".join(f"{name}: {version}" for name, version in machine["peers"].items())
    return [
        f"- {machine['cpu']}, {machine['cores']} cores, {machine['memory_mib'] / 1024:.0f} GiB, {machine['kernel']}"
        f" (load at the start: {machine['load']:.2f})",
        f"- {machine['python']}, {machine['openssl']}, {packages}, commit {machine['commit']}",
        f"- {peers}",
        f"- one core of this machine: {speeds}, start of a bare Python {limits['start'] * 1000:.0f} ms",
        f"- {document.sizes['large'] // MIB} MiB of Pixel Data, {document.sizes['rounds']} rounds",
    ]


def _targets(document: Document) -> list[str]:
    head = ("work", "program", "figure", "measured", "target", "", "time / physical limit")
    rows = []
    for outcome in outcomes(document.results):
        result = document.result(outcome.work)
        found = result and figures.distance(result, outcome.program, document.limits, document.machine["cores"])
        limit = f"{found[0]:.2f} ({found[1]})" if found else "-"
        verdict = f"**{outcome.verdict}**" if outcome.verdict == "missed" else outcome.verdict
        value, target = number(outcome.value), f"{outcome.limit:g}"
        rows.append((outcome.work, outcome.program, outcome.figure, value, target, verdict, limit))
    return table(head, rows)


def _explanation() -> list[str]:
    return [
        "Wall and CPU time are medians; peak memory is the largest of any process in any round (a process starts with about",
        "10 MiB that belong to the one that starts it); bytes are those of system calls, in sizes of the input. Ratios are",
        "medians of the ratios of wall times within a round, in which all programs ran one after the other. `command` is a",
        "whole command, `in-process` the operation alone, without the start of Python and the imports.",
    ]


def _measurements(document: Document) -> list[str]:
    head = (
        "work",
        "program",
        "wall s",
        "CPU s",
        "peak MiB",
        "read",
        "written",
        *(f"/ {name}" for name in _REFERENCES),
        "ns a header",
    )
    return table(head, (row for result in document.results if not _is_stall(result) for row in _rows(result)))


def _rows(result: Result) -> Iterator[list[str]]:
    for program in result.runs:
        times = [number(figures.typical(result, program, figure), 3) for figure in ("wall", "cpu")]
        memory = number(figures.worst(result, (program,), "memory"), 0)
        moved = [number(figures.passed_through(result, program, figure)) for figure in ("read", "written")]
        ratios = [number(figures.ratio(result, program, _references(result, name))) for name in _REFERENCES]
        header = number(figures.nanoseconds_a_header(result, program), 0) if program in (*OURS, PEER) else "-"
        yield [result.name, program, *times, memory, *moved, *ratios, header]


def _references(result: Result, name: str) -> tuple[str, ...]:
    return (LOOP,) if name == PEER and LOOP in result.runs else (name,)


def _is_stall(result: Result) -> bool:
    return all(run.stall is not None for runs in result.runs.values() for run in runs)


def _stalled(document: Document) -> list[Result]:
    return [result for result in document.results if _is_stall(result)]


def _stalls(document: Document) -> list[str]:
    rows = []
    for result in _stalled(document):
        for program in result.runs:
            typical, worst = (figures.worst(result, (program,), figure) for figure in ("stall", "stall_worst"))
            rows.append((result.name, number(typical and typical * 1000, 1), number(worst and worst * 1000, 1)))
    text = ["A task sleeps for 1 ms again and again; how much later it woke while the operation was repeated (asyncio).", ""]
    return [*text, *table(("work", "ms at the 99.9th percentile", "ms at worst"), rows)]


def _is_pipe(result: Result) -> bool:
    return any(run.first_output is not None for runs in result.runs.values() for run in runs)


def _pipes(document: Document) -> list[str]:
    rows = []
    for result in filter(_is_pipe, document.results):
        for program, runs in result.runs.items():
            if runs[0].first_output is not None:
                moments = [number(figures.typical(result, program, figure), 3) for figure in ("first_output", "last_input")]
                rows.append((result.name, program, *moments))
    head = ("work", "program", "first byte out after s", "last byte in offered after s")
    return table(head, rows)


def _imports(document: Document) -> list[str]:
    text = ["Of a verification with the command, measured with `-X importtime`, which adds to it.", ""]
    rows = [(name, number(took, 1), number(IMPORT_BUDGET.get(name), 0)) for name, took in document.imports.items() if took >= 0.5]
    return [*text, *table(("package", "ms", "budget ms"), rows)]


def _profiles(document: Document) -> list[str]:
    lines = ["Shares of the functions that ran when sampled, in all threads that were not waiting.", ""]
    for work, shares in document.profiles.items():
        lines.append(f"- {work}: " + ", ".join(f"`{name}` {share:.0%}" for name, share in shares.items()))
    return lines


def _notes(document: Document) -> list[str]:
    works: dict[str, list[str]] = {}
    for result in document.results:
        for note in result.notes:
            works.setdefault(note, []).append(result.name)
    return [*document.notes, *(f"{note}: {'; '.join(names)}" for note, names in works.items())]
