"""Measuring single commands, and the benchmarks as a whole, on something very small."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks import __main__ as program
from benchmarks import inputs, sampling
from benchmarks.commands import CERTIFICATE, KEY, Programs
from benchmarks.document import Document
from benchmarks.encoding import FORMS
from benchmarks.gate import main as gate
from benchmarks.measure import CommandFailed, Run, Work, environment, measure, measure_work

MIB = 1 << 20


def python(code: str) -> list[str]:
    """A command that does something known."""
    return [sys.executable, "-I", "-S", "-c", code]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """One for temporary files, in one for compiled modules."""
    (tmp_path / "folder").mkdir()
    return tmp_path / "folder"


def test_what_a_command_uses(folder: Path) -> None:
    output = folder / "output"
    bare = measure(Run(python("pass")), folder)
    code = f"b = bytearray(b'x') * {64 * MIB}; import os; open({str(output)!r}, 'wb', 0).write(b); os.times()"
    used = measure(Run(python(code), output), folder)
    assert used.memory > bare.memory + 60
    assert used.written is not None
    assert bare.written is not None
    assert used.written - bare.written == 64 * MIB
    assert not list(folder.iterdir())


def test_children_count(folder: Path) -> None:
    code = f"import os; os.spawnv(0, {sys.executable!r}, ['python', '-I', '-S', '-c', 'b = bytearray([120]) * {64 * MIB}'])"
    assert measure(Run(python(code)), folder).memory > 64


def test_figures_of_a_part_are_multiplied(folder: Path) -> None:
    run = Run(python("open('/dev/null', 'wb', 0).write(bytes(1000))"), scale=10)
    used, once = measure(run, folder), measure(replace(run, scale=1), folder)
    assert used.written == 10 * (once.written or 0)


@pytest.mark.parametrize(("code", "waits"), [("i.read(1); o.write(b'x'); i.read()", False), ("i.read(); o.write(b'x')", True)])
def test_pipes(folder: Path, code: str, waits: bool) -> None:
    source = folder / "source"
    source.write_bytes(bytes(4 * MIB))
    start = "import time; i, o = open(0, 'rb', 0), open(1, 'wb', 0); "
    used = measure(Run(python(start + code), feed=source), folder)
    assert used.first_output is not None
    assert used.last_input is not None
    assert (used.first_output > used.last_input) is waits


def test_failures_are_errors(folder: Path) -> None:
    with pytest.raises(CommandFailed, match="what went wrong"):
        measure(Run(python("import sys; sys.exit('what went wrong')")), folder)
    (folder / "source").write_bytes(b"input")
    with pytest.raises(CommandFailed):  # no output
        measure(Run(python("pass"), feed=folder / "source"), folder)


def test_programs_take_turns(folder: Path) -> None:
    said: list[str] = []
    run = Run(python("pass"))
    result = measure_work(Work("nothing", 1, {"a": run, "b": run}), 3, folder, said.append)
    assert [line[-1] for line in said] == list("abbaab")
    assert {name: len(runs) for name, runs in result.runs.items()} == {"a": 3, "b": 3}


def test_figures_from_inside(folder: Path) -> None:
    inside = folder / "inside.json"
    run = Run(python(f"open({str(inside)!r}, 'w').write('{{\"wall\": 1e6, \"wakeups\": 7}}')"), inside=inside)
    assert measure(run, folder).wall == 1e6
    assert not inside.exists()


def test_inside(folder: Path) -> None:
    source, signed = folder / "source.dcm", folder / "signed.dcm"
    inputs.make_dense(source, 50, FORMS["explicit"])
    inputs.make_dense(signed, 5000, FORMS["explicit"])  # long enough to be sampled
    inputs.sign_in_place([signed], KEY, CERTIFICATE)
    programs = Programs(folder, None, None, None)
    verifying = programs.inside("verify", CERTIFICATE, str(signed))
    assert measure(verifying, folder).wall > 0
    assert len(sampling.functions(verifying, environment(folder))) > 0
    watched = measure(programs.inside("verify", CERTIFICATE, str(signed), watch=0.1), folder)
    assert watched.stall is not None
    assert watched.stall_worst is not None
    assert 0 < watched.stall <= watched.stall_worst
    with pytest.raises(CommandFailed):
        measure(programs.inside("verify", CERTIFICATE, str(source)), folder)  # not signed


@pytest.mark.parametrize(("text", "expected"), [("7", 7), ("3K", 3 << 10), ("100G", 100 << 30)])
def test_sizes(text: str, expected: int) -> None:
    assert program.size(text) == expected


@pytest.mark.parametrize("arguments", [["--size", "0"], ["--size", "1T"], ["--sizes", "1,,2"], ["--only", "nothing"]])
def test_wrong_options(arguments: list[str]) -> None:
    with pytest.raises(SystemExit):
        program.parse(arguments)


def test_all_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, output = tmp_path / "folder", tmp_path / "output"
    folder.mkdir()
    monkeypatch.setenv("PATH", os.defpath if Path("/usr/bin/openssl").exists() else os.environ["PATH"])
    arguments = ["--quick", "--rounds", "1", "--only", "curve", "--sizes", "64K,1M", "--folder", str(folder)]
    assert program.main([*arguments, "--output", str(output)]) == 0
    assert not list(folder.iterdir())
    assert {path.name for path in output.iterdir()} == {"README.md", "results.json", "time.svg", "memory.svg"}
    found = Document.load(output / "results.json")
    assert [result.name for result in found.results] == [f"size: {way} {mib} MiB" for mib in (0, 1) for way in ("verify", "sign")]
    assert all("command" in result.runs for result in found.results)
    assert gate([str(output / "results.json")] * 2) == 0
