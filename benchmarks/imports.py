"""What the command spends on importing, by package."""

from __future__ import annotations

import subprocess
import sys
from collections import defaultdict
from pathlib import Path
from statistics import median

from .commands import VERIFY_OPTIONS

STANDARD = "standard library"


def import_times(signed: Path, rounds: int, environment: dict[str, str]) -> dict[str, float]:
    """Milliseconds by top-level package, slowest first, in the process that verifies a file; medians."""
    command = [sys.executable, "-X", "importtime", "-P", "-m", "dcmsign.stream", *VERIFY_OPTIONS, str(signed)]
    tables = []
    for _ in range(rounds):
        done = subprocess.run(command, env=environment, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, check=True, text=True)
        tables.append(by_package(done.stderr))
    times = {name: median(table.get(name, 0.0) for table in tables) for table in tables for name in table}
    return dict(sorted(times.items(), key=lambda pair: -pair[1]))


def by_package(trace: str) -> dict[str, float]:
    """Sums of the times a module itself took, from the output of ``python -X importtime``, in milliseconds."""
    sums: dict[str, float] = defaultdict(float)
    for line in trace.splitlines():
        head, _, rest = line.partition("import time:")
        own, _, others = rest.partition("|")
        if head or not own.strip().isdigit():
            continue
        package = others.partition("|")[2].strip().partition(".")[0]
        standard = package in sys.stdlib_module_names or package in ("sitecustomize", "usercustomize")
        sums[STANDARD if standard else package] += int(own) / 1000
    return dict(sums)
