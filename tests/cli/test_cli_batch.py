"""The second form of the command, with real processes: ``dcmsign --batch``."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from dcmsign.stream.cli.batch_files import below
from dcmsign.stream.cli.batch_results import Results, exit_code, severity
from dcmsign.stream.cli.exit_codes import ExitCode

from tests.cli.conftest import Bench
from tests.stream import many_files
from tests.stream.many_files import CERTIFICATE, KEY, children, stopping, wait_for

COMMAND = (sys.executable, "-m", "dcmsign.stream")
BATCH = (*COMMAND, "--batch")
TRUSTED = ("+cf", CERTIFICATE)


@pytest.fixture(autouse=True)
def no_processes_left() -> Iterator[None]:
    before = children()
    yield
    assert children() <= before


def run(*arguments: str | Path, **options: Any) -> subprocess.CompletedProcess[str]:
    options.setdefault("stdin", subprocess.DEVNULL)
    if "input" in options:
        del options["stdin"]
    return subprocess.run([*BATCH, *arguments], capture_output=True, text=True, check=False, timeout=120, **options)


def lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def test_exit_codes_are_those_of_single_runs(bench: Bench, tmp_path: Path) -> None:
    folder = tmp_path / "all"
    (folder / "below").mkdir(parents=True)
    names = many_files.mixed(folder / "below", 300)
    done = run(*TRUSTED, folder, "--jobs", "2")
    found = {line["path"]: line for line in lines(done.stdout)}
    assert set(found) == {name for name in names if os.path.exists(name)}
    for name in names[:14]:
        if name in found:
            assert found[name]["exit_code"] == bench.ours(*TRUSTED, name).code, name
    assert {line["exit_code"] for line in found.values()} == {0, 20, 101}
    assert done.returncode == 101
    assert done.stderr.splitlines()[-1].startswith(f"{len(found)} files: 76 good, 76 bad, 111 errors, 0 skipped, 0 done before; ")


@pytest.mark.parametrize(
    ("files", "options", "code"),
    [
        (["signed.dcm"], TRUSTED, 0),
        (["signed.dcm"], (), 101),
        (["in.dcm"], (), 0),
        (["in.dcm", "signed.dcm"], (*TRUSTED, "+rg"), 100),
        (["signed.dcm", "absent"], TRUSTED, 20),
        (["absent", "in.dcm"], ("+rg",), 100),
        (["signed.dcm", "absent"], (), 101),
        (["signed.dcm"], (*TRUSTED, "+rs"), 102),
    ],
)
def test_exit_code_of_the_worst(bench: Bench, files: list[str], options: tuple[str, ...], code: int) -> None:
    done = run(*options, *files)
    assert done.returncode == code
    assert max((ExitCode(line["exit_code"]) for line in lines(done.stdout)), key=severity) == code
    assert code == max((bench.ours(*options, file).code for file in files), key=lambda code: severity(ExitCode(code)))


def test_every_error_has_its_code() -> None:
    assert exit_code(None, "UnsignableElement") is ExitCode.SIGNING_FAILED
    assert exit_code(None, "WorkerLost") is ExitCode.INTERNAL
    assert exit_code(None, "ZeroDivisionError") is ExitCode.INTERNAL


def test_severity_is_an_order() -> None:
    named = sorted(ExitCode, key=severity)
    assert named[0] is ExitCode.OK
    assert [code for code in named if code in (20, 100, 101, 70)] == [
        ExitCode.CANNOT_READ_INPUT,
        ExitCode.NO_SIGNATURE,
        ExitCode.VERIFICATION_FAILED,
        ExitCode.INTERNAL,
    ]


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["--sign", "k", "c", "x"], "--output-directory required for --sign with --batch"),
        (["x", "--output-directory", "o"], "--output-directory only allowed with --sign or --sign-item"),
        (["--remove-all", "x"], "--remove-all not allowed with --batch"),
        (["--jobs", "0", "x"], "Invalid value for option --jobs (0)"),
        (["--jobs", "2x", "x"], "Invalid value for option --jobs (2x)"),
        ([], "Missing parameter dcmfile-in"),
        (["--require-sig", "--sign", "k", "c", "x", "--output-directory", "o"], "--require-sig only allowed with --verify"),
    ],
)
def test_usage_errors(bench: Bench, arguments: list[str], text: str) -> None:
    outcome = bench.ours("--batch", *arguments)
    assert (outcome.code, outcome.err.splitlines()[-1]) == (1, f"error: {text}")


def test_options_for_many_files_need_batch(bench: Bench) -> None:
    for option in (["--results", "r"], ["--resume", "r"], ["--jobs", "1"], ["--null"], ["--output-directory", "o"]):
        assert bench.ours(*option, "in.dcm").err.splitlines()[-1] == f"error: {option[0]} only allowed with --batch"
    assert bench.ours("in.dcm", "b", "c").err.splitlines()[-1] == "error: Too many parameters"


def test_what_is_no_file(bench: Bench) -> None:
    os.makedirs("d/e")
    os.symlink("..", "d/e/loop")
    os.symlink("self", "d/self")
    os.symlink("nowhere", "d/dangling")
    os.symlink("../../signed.dcm", "d/e/linked.dcm")
    os.mkfifo("d/pipe")
    done = run(*TRUSTED, "d")
    found = {line["path"]: line for line in lines(done.stdout)}
    assert found["d/pipe"]["skipped"] == "not a regular file"
    assert found["d/e/loop"]["skipped"] == "a directory that has been searched already"
    assert found["d/self"]["error"] == found["d/dangling"]["error"] == "SourceError"
    assert found["d/e/linked.dcm"]["report"]["ok"]
    assert len(found) == 5
    assert done.returncode == 20


def test_names_that_are_no_text(bench: Bench) -> None:
    name = os.fsdecode(b"caf\xe9.dcm")
    os.rename("signed.dcm", name)
    (line,) = lines(run(*TRUSTED, name).stdout)
    assert os.fsencode(line["path"]) == b"caf\xe9.dcm"
    assert line["exit_code"] == 0


def test_nothing_is_imported_from_the_working_directory(bench: Bench) -> None:
    for name in ("json.py", "pickle.py", "dcmsign.py", "sitecustomize.py"):
        Path(name).write_text("import os\nos.kill(os.getpid(), 9)\n")
    command = [sys.executable, "-P", "-m", "dcmsign.stream", "--batch", *TRUSTED, "signed.dcm"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, lines(done.stdout)[0]["exit_code"]) == (0, 0)


def test_list_on_standard_input(bench: Bench) -> None:
    os.rename("in.dcm", "new\nline.dcm")
    done = run(*TRUSTED, "-", "--null", input="signed.dcm\0new\nline.dcm\0\0")
    assert sorted(line["path"] for line in lines(done.stdout)) == ["new\nline.dcm", "signed.dcm"]
    Path("list").write_text("signed.dcm\n\nabsent")
    with open("list") as listing:
        done = run(*TRUSTED, "-", stdin=listing)
    assert {line["path"]: line["exit_code"] for line in lines(done.stdout)} == {"signed.dcm": 0, "absent": 20}


def test_signing(bench: Bench, tmp_path: Path) -> None:
    os.makedirs("a/b")
    names = many_files.copies(tmp_path / "a" / "b", 12)
    signing = ("--sign", KEY, CERTIFICATE, "+m2", "--output-directory", "a/out")
    for _ in range(2):  # what has been written is not taken as input
        done = run(*signing, "a", "absent")
        assert done.returncode == 20
        found = lines(done.stdout)
        assert len(found) == 13
    targets = {line["path"]: line["target"] for line in found if not line["exit_code"]}
    assert targets == {f"a/b/{Path(name).name}": f"a/out/a/b/{Path(name).name}" for name in names}
    for target in list(targets.values())[:2]:
        assert bench.ours(*TRUSTED, "--require-sig", target).code == 0
    assert lines(run(*TRUSTED, "a/out/a/b/000.dcm").stdout)[0]["report"]["signatures"][1]["mac_algorithm"] == "SHA256"


def test_targets_are_below_the_folder() -> None:
    assert below("o", "a/./b//c") == "o/a/b/c"
    assert below("o", "/a/../b") == "o/b"
    outside = below("o", "../a")
    assert outside == "o" + os.path.abspath("../a")
    assert below("o", "a/../../b") == "o" + os.path.abspath("../b")


def test_bad_keys(bench: Bench) -> None:
    arguments = ("in.dcm", "--output-directory", "o")
    done = run("--sign", "key.pem", "dsa-cert.pem", *arguments)
    assert (done.returncode, done.stdout) == (85, "")
    done = run("--sign", "empty", "cert.pem", *arguments)
    assert (done.returncode, done.stderr) == (20, "F: file cannot be read: while loading private key file 'empty'\n")
    assert not os.path.exists("o")


def test_encrypted_keys(bench: Bench) -> None:
    subprocess.run(["openssl", "rsa", "-in", "key.pem", "-aes128", "-passout", "pass:se;cret", "-out", "locked.pem"], check=True)
    arguments = ("--sign", "locked.pem", "cert.pem", "+m2", "in.dcm", "--output-directory", "o")
    done = run(*arguments, input="se;cret\n", start_new_session=True)
    assert done.returncode == 0, done.stderr
    assert "se;cret" not in done.stdout + done.stderr
    assert run(*arguments, "+pw", "wrong").returncode == 20


def test_resume(bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "all").mkdir()
    names = many_files.mixed(tmp_path / "all", 40)
    first = run(*TRUSTED, "all", "--results", "results", "--resume", "results")
    assert (first.returncode, first.stdout) == (101, "")
    whole = Path("results").read_bytes()
    kept = whole.splitlines(keepends=True)[:10]
    Path("results").write_bytes(b"".join(kept) + b'{"path": "all/cut')
    done = [line["path"] for line in map(json.loads, kept) if "report" in line]
    again = run(*TRUSTED, "all", "--results", "results", "--resume", "results")
    assert again.returncode == 101
    assert f" {len(done)} done before" in again.stderr
    after = Path("results").read_bytes().splitlines()
    assert after[:10] == [line.rstrip(b"\n") for line in kept]
    added = [json.loads(line)["path"] for line in after[11:]]
    there = {f"all/{Path(name).name}" for name in names if os.path.exists(name)}
    assert len(added) == len(set(added))
    assert set(added) == there - set(done)
    # what was found before counts, without being looked at again
    bad = next(line for line in map(json.loads, whole.splitlines()) if line["exit_code"] == 101)
    Path("one").write_text(json.dumps(bad) + "\n")
    assert run(*TRUSTED, bad["path"], "--resume", "one").returncode == 101


def test_signed_files_are_not_taken_for_verified(bench: Bench) -> None:
    Path("results").write_text('{"path": "signed.dcm", "exit_code": 0, "target": "o/signed.dcm", "report": {}}\n7\n[]\n')
    assert not Results(None, "results", signing=False).is_done("signed.dcm")
    assert Results(None, "results", signing=True).is_done("signed.dcm")


def test_interrupt(bench: Bench) -> None:
    """As from a terminal: every process of the group gets it."""
    with subprocess.Popen(
        [*BATCH, *TRUSTED, "-", "--jobs", "2"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdin.write(b"signed.dcm\n" * 7)
        process.stdin.flush()
        first = [process.stdout.readline() for _ in range(7)]
        workers = children(process.pid)
        assert workers
        os.killpg(process.pid, signal.SIGINT)
        assert process.wait(30) == 130
        assert all(json.loads(line)["exit_code"] == 0 for line in first)
        assert process.stdout.read() == b""
        assert process.stderr.read().startswith(b"interrupted; 7 files: 7 good, ")
        assert all(map(stopping, workers))


def test_interrupt_at_full_speed(bench: Bench) -> None:
    """The results so far are complete lines, and no partly signed file remains."""
    with subprocess.Popen(
        [*BATCH, "--sign", KEY, CERTIFICATE, "+m2", "--output-directory", "o", "--results", "r", "--jobs", "2", "-"],
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    ) as process:
        assert process.stdin is not None
        process.stdin.write(b"in.dcm\nsigned.dcm\n" * 2000)
        process.stdin.flush()
        wait_for(lambda: os.path.exists("r") and os.path.getsize("r") > 5000, "no results")
        os.killpg(process.pid, signal.SIGINT)
        assert process.wait(30) == 130
    text = Path("r").read_text()
    assert text.endswith("\n")
    assert all(line["exit_code"] == 0 for line in lines(text))
    assert set(os.listdir("o")) <= {"in.dcm", "signed.dcm"}


def test_results_that_cannot_be_written(bench: Bench) -> None:
    done = run(*TRUSTED, "signed.dcm", "--results", "no/such")
    assert (done.returncode, done.stderr) == (40, "F: No such file or directory: writing file: no/such\n")
    with open("/dev/full", "wb") as full:
        process = subprocess.run([*BATCH, "signed.dcm"], stdout=full, stderr=subprocess.PIPE, check=False, timeout=60)
    assert (process.returncode, process.stderr) == (40, b"F: No space left on device: writing file: -\n")
    assert run("signed.dcm", "--resume", ".").returncode == 20


def test_progress_on_a_terminal(bench: Bench) -> None:
    leader, follower = pty.openpty()
    with subprocess.Popen(
        [*BATCH, *TRUSTED, "signed.dcm", "--results", "r"], stderr=follower, stdin=subprocess.DEVNULL
    ) as process:
        os.close(follower)
        shown = b""
        with open(leader, "rb", buffering=0) as terminal:
            try:
                while block := terminal.read(1 << 16):
                    shown += block
            except OSError:  # how a terminal ends
                pass
        assert process.wait(30) == 0
    assert b"1 files" in shown
    assert b"1 files: 1 good, 0 bad, " in shown


def test_rich_is_loaded_for_terminals_only(bench: Bench) -> None:
    code = "import sys; from dcmsign.stream.cli import main; main(['--batch', 'signed.dcm']); print('rich' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.splitlines()[-1] == "False"
