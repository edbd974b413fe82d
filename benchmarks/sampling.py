"""Where the time of an operation goes: shares of the functions that run, sampled inside the process."""

from __future__ import annotations

import json
import subprocess

from .measure import ROOT, Run

_SHOWN = 8


def functions(run: Run, environment: dict[str, str]) -> dict[str, float]:
    """The share of the functions that run most, of an operation of benchmarks.inside."""
    assert run.inside is not None
    at = run.command.index("--result")
    command = [*run.command[:at], "--sample", *run.command[at:]]
    try:
        subprocess.run(command, check=True, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL)
        return shares(json.loads(run.inside.read_text())["functions"])
    finally:
        for path in (run.inside, run.output):
            if path is not None:
                path.unlink(missing_ok=True)


def shares(counts: dict[str, int], shown: int = _SHOWN) -> dict[str, float]:
    """Parts of the whole, largest first; the rest in one."""
    total = sum(counts.values())
    if not total:
        return {}
    largest = sorted(counts.items(), key=lambda pair: -pair[1])[:shown]
    rest = total - sum(count for _, count in largest)
    return {name: count / total for name, count in largest} | ({"others": rest / total} if rest else {})
