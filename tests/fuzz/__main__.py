"""Fuzzing guided by coverage: ``python -m tests.fuzz TARGET [--seconds N] [--corpus DIR]``, or ``all`` for one after the other.

A finding stops it with exit code 77 and is kept in the corpus folder as ``crash-…`` (or ``timeout-…``, ``oom-…``);
``--shrink FILE`` makes it smaller, and in ``tests/fuzz/regressions/TARGET`` it becomes a test.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path
from random import Random

SLOWEST = 60
"""Seconds for one input, on whatever machine."""

MEMORY = 2048
"""MiB for one process, of which the instrumented library takes several hundred."""


def main() -> int:
    """Fuzz, or shrink a finding; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("target", help="name of a target, or all")
    parser.add_argument("--seconds", type=int, default=60, help="for each target")
    parser.add_argument("--corpus", type=Path, default=Path("build/fuzz"), help="where inputs and findings are kept, by target")
    parser.add_argument("--shrink", type=Path, metavar="FILE", help="make a finding smaller instead")
    options = parser.parse_args()
    if options.target == "all":
        return _all(options.seconds, options.corpus)
    if options.shrink is not None:
        return _shrink(options.target, options.shrink)
    return _fuzz(options.target, options.seconds, options.corpus / options.target)


def _all(seconds: int, corpus: Path) -> int:
    """One process for each target."""
    from tests.fuzz.targets import TARGETS

    failed = []
    for name in TARGETS:
        command = [sys.executable, "-m", "tests.fuzz", name, "--seconds", str(seconds), "--corpus", str(corpus)]
        if subprocess.run(command, check=False).returncode:
            failed.append(name)
    print("findings:", ", ".join(failed) or "none")
    return 1 if failed else 0


def _fuzz(name: str, seconds: int, corpus: Path) -> int:
    import atheris

    with atheris.instrument_imports(include=["dcmsign"]):
        from tests.fuzz.targets import TARGETS, quiet
    target = TARGETS[name]
    quiet()
    first = corpus / "first"
    first.mkdir(parents=True, exist_ok=True)
    (corpus / "found").mkdir(exist_ok=True)
    for number, data in enumerate(target.seeds()):
        (first / f"{number:04}").write_bytes(data)

    def mutate(data: bytes, most: int, seed: int) -> bytes:
        random = Random(seed)
        changed = atheris.Mutate(data, most) if random.random() < 0.1 else target.mutate(data, random)
        return bytes(changed[:most])

    limits = [f"-max_total_time={seconds}", f"-timeout={SLOWEST}", f"-rss_limit_mb={MEMORY}", f"-max_len={target.size}"]
    quietly = ["-print_final_stats=1", "-verbosity=1", f"-artifact_prefix={corpus}/", "-reload=0"]
    atheris.Setup(["fuzz", *limits, *quietly, str(corpus / "found"), str(first)], target.check, custom_mutator=mutate)
    atheris.Fuzz()
    return 0


def _shrink(name: str, file: Path) -> int:
    """Leave out whatever can be left out so that the same kind of exception is raised."""
    from tests.fuzz.targets import TARGETS, quiet

    quiet()
    data = file.read_bytes()
    wanted = _failure(TARGETS[name].check, data)
    if wanted is None:
        print("no finding")
        return 1
    size = len(data) // 2
    while size:
        place = 0
        while place < len(data):
            for shorter in (data[:place] + data[place + size :], data[:place] + bytes(size) + data[place + size :]):
                if len(shorter) <= len(data) and shorter != data and _failure(TARGETS[name].check, shorter) == wanted:
                    data = shorter
                    break
            else:
                place += size
            if data[place : place + size] == bytes(size):
                place += size
        size //= 2
    file.with_name(f"{file.name}.small").write_bytes(data)
    print(f"{len(data)} bytes: {data[:200].hex()}\n{wanted}")
    return 0


def _failure(check: object, data: bytes) -> tuple[str, int] | None:
    """Class and line of what a check raises."""
    assert callable(check)
    try:
        check(data)
    except Exception as error:
        trace = error.__traceback__
        line = 0
        while trace is not None:
            if "fuzz" in trace.tb_frame.f_code.co_filename:
                line = trace.tb_lineno
            trace = trace.tb_next
        return type(error).__name__, line
    return None


if __name__ == "__main__":
    sys.exit(main())
