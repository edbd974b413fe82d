"""Whole commands and the library against DCMTK's dcmsign, `openssl dgst` and `cp`, interleaved in one run.

    python -m benchmarks --quick                        small sizes, less than 3 minutes
    python -m benchmarks --output docs/benchmarks       everything that there is a target for
    python -m benchmarks --only dense small             some scenarios
    python -m benchmarks --only curve --sizes 1G,100G --sparse --rounds 1

Writes results.json, README.md and plots (SVG) to --output, or prints the Markdown. All inputs and outputs lie in a temporary
folder in --folder, which needs four times the largest size, and are removed at the end. The exit code is 1 if a command failed.
"""

from __future__ import annotations

import argparse
import importlib
import os
import re
import signal
import subprocess
import sys
import tempfile
from dataclasses import asdict, replace
from pathlib import Path
from types import FrameType

from . import machine, sampling
from .commands import INSIDE, Programs
from .document import Document
from .imports import import_times
from .measure import CommandFailed, Work, environment, measure_work
from .plots import plots
from .report import report
from .scenarios import FULL, QUICK, SCENARIOS, Context, Sizes, small

_UNITS = {"": 0, "K": 10, "M": 20, "G": 30}
_PROFILED = ("encapsulated", "dense explicit", "dense explicit, undefined lengths", "dense implicit", "plain elements")
_IDLE = 0.5


def size(text: str) -> int:
    """A number of bytes such as 512M."""
    found = re.fullmatch(r"(\d+)([KMG]?)", text)
    if not found or not int(found[1]):
        raise argparse.ArgumentTypeError(f"no size: {text!r}")
    return int(found[1]) << _UNITS[found[2]]


def sizes(text: str) -> tuple[int, ...]:
    """Several of them, with commas between."""
    return tuple(sorted(size(part) for part in text.split(",")))


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    lines = (__doc__ or "").splitlines()
    formatter = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser("benchmarks", description=lines[0], epilog="\n".join(lines[1:]), formatter_class=formatter)
    parser.add_argument("--quick", action="store_true", help="small sizes and 3 rounds")
    parser.add_argument(
        "--only", nargs="+", choices=SCENARIOS, default=list(SCENARIOS), metavar="NAME", help=", ".join(SCENARIOS)
    )
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--size", type=size, help="of the large inputs, such as 512M")
    parser.add_argument("--sizes", type=sizes, help="of the curve, such as 16M,1G,100G")
    parser.add_argument("--sparse", action="store_true", help="the curve's files hold zeros that take no space on the disk")
    parser.add_argument("--folder", type=Path, help="where the temporary folder is made")
    parser.add_argument("--output", type=Path, help="folder for results.json, README.md and plots")
    return parser.parse_args(arguments)


def chosen_sizes(options: argparse.Namespace) -> Sizes:
    """Those of the command line."""
    chosen = QUICK if options.quick else FULL
    return replace(
        chosen,
        large=options.size or chosen.large,
        other=min(options.size or chosen.other, chosen.other),
        curve=options.sizes or chosen.curve,
        rounds=options.rounds or chosen.rounds,
        sparse=options.sparse,
    )


def say(text: str) -> None:
    """Progress, on standard error."""
    print(text, file=sys.stderr, flush=True)


def run(names: list[str], wanted: Sizes, folder: Path) -> Document:
    """Measure some scenarios, one after the other; each has the folder for itself."""
    programs = Programs.find(folder)
    document = Document(machine.describe(programs), asdict(wanted), machine.limits(folder))
    document.notes += [f"{name} is not installed: nothing is compared with it" for name in programs.missing()]
    if document.machine["load"] > _IDLE:
        document.notes.append("the machine was not idle")
    if wanted.large < FULL.large:
        document.notes.append("smaller inputs than the targets are for: the start of programs counts for more")
    warm_up(folder)
    for name in names:
        with tempfile.TemporaryDirectory(prefix=f"{name}-", dir=folder) as scenario:
            context = Context(Path(scenario), replace(programs, folder=Path(scenario)), wanted)
            try:
                for work in SCENARIOS[name](context):
                    measure_one(work, document, context)
            except (CommandFailed, subprocess.CalledProcessError) as error:  # the others can still be measured
                fail(document, f"{name}: {error}")
    return document


def fail(document: Document, reason: str) -> None:
    """Note what could not be measured."""
    say(reason)
    document.failures.append(" ".join(reason.split()))


def warm_up(folder: Path) -> None:
    """Have all modules compiled: the compiled ones lie in the folder, so that the first command would have to do it."""
    with tempfile.TemporaryDirectory(prefix="warm-up-", dir=folder) as name:
        own = replace(Programs.find(Path(name)), dcmsign=None, openssl=None, cp=None)
        library = Path(importlib.import_module("dcmsign.stream").__path__[0]).parent
        compiling = [sys.executable, "-m", "compileall", "-q", str(library)]
        subprocess.run(compiling, env=environment(own.folder), check=True)
        for work in small(Context(own.folder, own, QUICK)):
            measure_work(work, 1, own.folder, say)


def measure_one(work: Work, document: Document, context: Context) -> None:
    """Add the figures of a work to the document."""
    os.sync()  # so that writing back the input does not disturb
    try:
        document.results.append(measure_work(work, context.sizes.rounds, context.folder, say))
    except CommandFailed as error:
        fail(document, f"{work.name}: {error}")
        return
    if work.name.partition(" ")[2] in _PROFILED and INSIDE in work.runs:
        document.profiles[work.name] = sampling.functions(work.runs[INSIDE], environment(context.folder))
    if work.name == "verify small file":
        document.imports = import_times(context.folder / "signed.dcm", context.sizes.rounds, environment(context.folder))


def write(document: Document, output: Path) -> None:
    """JSON, Markdown and plots."""
    output.mkdir(parents=True, exist_ok=True)
    document.write(output / "results.json")
    drawn = plots(document)
    for name, svg in drawn.items():
        (output / name).write_text(svg)
    (output / "README.md").write_text(report(document, drawn))


def main(arguments: list[str] | None = None) -> int:
    """Measure, and write or print what was found out."""
    options = parse(arguments)

    def stop(number: int, frame: FrameType | None) -> None:
        sys.exit(128 + number)  # leaves nothing behind

    signal.signal(signal.SIGTERM, stop)
    with tempfile.TemporaryDirectory(prefix="benchmarks-", dir=options.folder) as folder:
        document = run(options.only, chosen_sizes(options), Path(folder))
    if options.output:
        write(document, options.output)
        say(f"written to {options.output}")
    else:
        print(report(document))
    return 1 if document.failures else 0


if __name__ == "__main__":
    sys.exit(main())
