"""Signals at any moment: the output is whole or absent, what was there before survives, nothing is left behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest
from dcmsign.stream import is_unfinished

from tests.robustness.bombs import FULL
from tests.robustness.faults import CODES, COMMAND, MIB, OLD, PATIENCE, SIGN, SOURCE, TARGET, Scene, end_by, moments, wait_for

COUNT = 30 if FULL else 3
LONGEST = 2.0 if FULL else 0.25
"""Seconds that writing takes, about."""


def sign_and_stop(scene: Scene, number: int, delay: float, *, written: bool, pipe: bool) -> int:
    """Sign, and send a signal some time after the start or after the output has begun."""
    process = scene.start("-v", *SIGN, "-" if pipe else SOURCE, TARGET, pipe=pipe)
    if written:
        wait_for(process, b"create output file")
    code, said = end_by(process, number, delay)
    assert b"Traceback" not in said, said
    return code


def ignore_interrupts() -> None:
    """What a shell does before it starts something in the background."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


@pytest.mark.parametrize("number", CODES, ids=lambda number: signal.Signals(number).name)
@pytest.mark.parametrize(("pipe", "old"), [(False, OLD), (True, None)], ids=["replacing", "from a pipe"])
def test_at_random_moments(number: signal.Signals, pipe: bool, old: bytes | None, tmp_path: Path) -> None:
    scene = Scene(tmp_path, old=old)
    for turn, delay in enumerate(moments(COUNT, f"{number} {pipe}", LONGEST)):
        scene.reset()
        # every third one somewhere in the start, the others while there is something to clean up
        code = sign_and_stop(scene, number, delay, written=turn % 3 > 0, pipe=pipe)
        assert code in (0, CODES[number], -number)
        scene.check(done=True if code == 0 else None, killed=number == signal.SIGKILL)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("pipe", [False, True])
def test_while_writing(number: signal.Signals, pipe: bool, tmp_path: Path) -> None:
    """The unfinished output is there when the signal comes, and gone afterwards."""
    scene = Scene(tmp_path)
    process = scene.start(*SIGN, "-" if pipe else SOURCE, TARGET, pipe=pipe)
    while not any(is_unfinished(name) for name in os.listdir(tmp_path)):
        assert process.poll() is None
    code, said = end_by(process, number, 0)
    assert (code, said) == (CODES[number], b"")
    scene.check(done=False)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_while_waiting_for_input(number: signal.Signals, tmp_path: Path) -> None:
    """Standard input stalls in the middle of an object."""
    scene = Scene(tmp_path, size=MIB)
    process = scene.start("-v", *SIGN, "-t", "0010,0010", "-", TARGET)
    wait_for(process, b"open input file")
    assert process.stdin is not None
    process.stdin.write(scene.source.read_bytes()[:5000])
    process.stdin.flush()
    pipe, process.stdin = process.stdin, None
    code, said = end_by(process, number, 0.3)
    pipe.close()
    assert code == CODES[number], said
    assert b"Traceback" not in said
    scene.check(done=False)


def test_where_interrupts_are_ignored(tmp_path: Path) -> None:
    """As in the background of a shell script: SIGINT does nothing, SIGTERM what it always does."""
    scene = Scene(tmp_path)
    process = scene.start(*SIGN, SOURCE, TARGET, before=ignore_interrupts)
    while not any(is_unfinished(name) for name in os.listdir(tmp_path)):
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    assert end_by(process, signal.SIGTERM, 0.02) == (143, b"")
    scene.check(done=False)
    process = scene.start(*SIGN, SOURCE, TARGET, before=ignore_interrupts)
    time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=PATIENCE) == (b"", b"")
    assert process.returncode == 0
    scene.check(done=True)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_many_files(number: signal.Signals, tmp_path: Path) -> None:
    """A batch stops its workers, which clean up."""
    names = [f"{name}.dcm" for name in "abcdef"]
    (tmp_path / "in").mkdir()
    for name in names:
        Scene(tmp_path / "in", size=32 * MIB, old=None).source.rename(tmp_path / name)
    out = tmp_path / "out"
    process = subprocess.Popen(
        [*COMMAND, "--batch", "--jobs", "2", "--output-directory", "out", *SIGN, *names],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    while not any(is_unfinished(name) for name in (os.listdir(out) if out.exists() else ())):
        assert process.poll() is None, process.communicate()
    code, said = end_by(process, number, 0)
    assert code == CODES[number]
    assert b"Traceback" not in said
    assert set(os.listdir(out)) <= set(names)


def test_what_a_crash_leaves_behind_is_no_object(tmp_path: Path) -> None:
    """A batch leaves it out, even if all that is missing is the end of the signature."""
    scene = Scene(tmp_path, size=1000, old=None)
    assert subprocess.run([*COMMAND, *SIGN, SOURCE, TARGET], cwd=tmp_path, check=False, timeout=PATIENCE).returncode == 0
    left, long = ".target.dcm.0123456789ab.dcmsign-part", "é" * 120
    (tmp_path / left).write_bytes(scene.source.read_bytes())
    done = subprocess.run([*COMMAND, "--batch", "."], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=PATIENCE)
    found = {os.path.basename(line["path"]): line for line in map(json.loads, done.stdout.splitlines())}
    assert set(found) == {left, SOURCE, TARGET}
    assert found[left]["skipped"] == "an output that was not finished"
    assert found[left]["exit_code"] == 0
    assert [len(found[name]["report"]["signatures"]) for name in (SOURCE, TARGET)] == [0, 1]
    names = (left, f".{long}.0123456789ab.dcmsign-part", ".x\n.dcm.ffffffffffff.dcmsign-part")
    assert all(map(is_unfinished, names))
    others = (
        "target.dcm",
        "a.0123456789ab.dcmsign-part",
        ".a.0123456789ag.dcmsign-part",
        ".a.dcmsign-part",
        ".a.0123456789ab.dcm",
    )
    assert not any(map(is_unfinished, others))


def test_long_names(tmp_path: Path) -> None:
    """The unfinished output has a name that the system takes, if the target's is one."""
    Scene(tmp_path, size=1000, old=None)
    for name in ("n" * 255, "é" * 127, "語" * 85):
        done = subprocess.run([*COMMAND, *SIGN, SOURCE, name], cwd=tmp_path, capture_output=True, check=False, timeout=PATIENCE)
        assert (done.returncode, done.stderr) == (0, b"")
        assert (tmp_path / name).exists()
