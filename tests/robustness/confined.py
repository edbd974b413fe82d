"""Runs the command, or code, in a process of its own and tells how much memory it took at most."""

from __future__ import annotations

import os
import re
import resource
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

BOUND = 64 << 10
"""KiB of resident memory that nothing may exceed."""

PATIENCE = 100.0
"""Seconds; nothing here takes a tenth of it, so whoever needs more does not work in linear time."""

_NET = 4 << 30
"""Bytes of address space: a defect ends the test, not the machine."""

_COMMAND = """
import os, sys
from dcmsign.stream.cli import start
sys.argv[0] = "dcmsign"
code = start()
sys.stderr.flush()
status = open("/proc/self/status").read()  # ru_maxrss would count the process that started this one
os.write(2, b"\\npeak " + status.partition("VmHWM:")[2].split()[0].encode())
os._exit(code)
"""

_CODE = """
import os, sys
{code}
sys.stdout.flush()
sys.stderr.flush()
status = open("/proc/self/status").read()
os.write(2, b"\\npeak " + status.partition("VmHWM:")[2].split()[0].encode())
"""


class Outcome(NamedTuple):
    """How a process ended: its exit code, what it wrote, and the most memory it took in KiB."""

    code: int
    output: bytes
    messages: str
    peak: int


def _limit() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (_NET, _NET))


def _run(
    command: Sequence[str | Path],
    folder: Path,
    given: Path | None,
    environment: Mapping[str, str],
    before: Callable[[], None] | None,
) -> Outcome:
    def prepare() -> None:
        _limit()
        if before is not None:
            before()

    with subprocess.Popen(["cat", given or "/dev/null"], stdout=subprocess.PIPE) as cat:
        done = subprocess.run(
            command,
            cwd=folder,
            stdin=cat.stdout,
            capture_output=True,
            timeout=PATIENCE,
            check=False,
            env={**os.environ, **environment},
            preexec_fn=prepare,
        )
    text, _, peak = done.stderr.decode("utf-8", "replace").rpartition("\npeak ")
    assert peak.isdigit(), done.stderr[-2000:]
    return Outcome(done.returncode, done.stdout, text, int(peak))


def command(
    *arguments: str | Path,
    folder: Path,
    given: Path | None = None,
    environment: Mapping[str, str] | None = None,
    before: Callable[[], None] | None = None,
) -> Outcome:
    """Run ``dcmsign`` with these arguments in a folder, a pipe with the bytes of `given` as standard input."""
    return _run([sys.executable, "-c", _COMMAND, *arguments], folder, given, environment or {}, before)


def python(code: str, *arguments: str | Path, folder: Path, given: Path | None = None) -> Outcome:
    """Run Python code in the same way; `sys.argv` holds the arguments."""
    return _run([sys.executable, "-c", _CODE.replace("{code}", code), *arguments], folder, given, {}, None)


_ERROR = re.compile(r"(?:[DIWEF]: [^\n]*\n)*[DIWEF]: [^\n]*\n?")


def is_orderly(outcome: Outcome) -> bool:
    """Whether there is nothing but messages of the command, and no defect: no traceback, no internal error."""
    plain = not outcome.messages or _ERROR.fullmatch(outcome.messages) is not None
    return plain and outcome.code != 70 and "Traceback" not in outcome.messages and "internal error" not in outcome.messages
