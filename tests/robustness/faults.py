"""A folder in which an object is signed while something goes wrong, and what may be found there afterwards."""

from __future__ import annotations

import os
import random
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import anyio
from dcmsign.stream import Trust, is_unfinished, verify

from tests.robustness.bombs import FULL
from tests.stream.material import MAC_VECTORS, write_sparse

COMMAND = [sys.executable, "-c", "import sys; from dcmsign.stream.cli import start; sys.exit(start())"]
KEY, CERTIFICATE = MAC_VECTORS / "key-rsa.pem", MAC_VECTORS / "cert-rsa.pem"
SIGN = ["+m2", "+s", str(KEY), str(CERTIFICATE)]
MIB = 1 << 20
SIZE = (1024 if FULL else 64) * MIB
"""Bytes of Pixel Data in what is signed."""
OLD = b"what was there before"
SOURCE, TARGET = "source.dcm", "target.dcm"
PATIENCE = 120


class Scene:
    """A folder with a large object, and a target that may exist."""

    def __init__(self, folder: Path, *, size: int = SIZE, old: bytes | None = OLD) -> None:
        self.folder = folder
        self.source, self.target = folder / SOURCE, folder / TARGET
        write_sparse(self.source, size)
        self._size = self.source.stat().st_size
        self._old = old
        self.reset()

    def reset(self) -> None:
        """As it was in the beginning."""
        for path in self.folder.iterdir():
            if path != self.source:
                path.unlink()
        if self._old is not None:
            self.target.write_bytes(self._old)

    def start(
        self,
        *arguments: str,
        pipe: bool = False,
        before: Callable[[], None] | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> subprocess.Popen[bytes]:
        """The command, with pipes for its standard streams; with `pipe` the object comes through standard input."""
        given = subprocess.Popen(["cat", self.source], stdout=subprocess.PIPE) if pipe else None
        process = subprocess.Popen(
            [*COMMAND, *arguments],
            cwd=self.folder,
            stdin=subprocess.PIPE if given is None else given.stdout,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            preexec_fn=before,
            env={**os.environ, **(environment or {})},
        )
        if given is not None and given.stdout is not None:
            given.stdout.close()
            threading.Thread(target=given.wait).start()
        return process

    def check(self, *, done: bool | None, killed: bool = False) -> None:
        """The target is whole if it is `done`, as it was if not (None: one of both), and nothing else is there."""
        others = {path.name for path in self.folder.iterdir()} - {SOURCE, TARGET}
        assert all(map(is_unfinished, others)) if killed else not others, others
        found = self.target.read_bytes() if self.target.exists() and self.target.stat().st_size < MIB else None
        untouched = found == self._old and (self._old is not None or not self.target.exists())
        if done is None:
            done = not untouched
        assert untouched is not done
        if done:
            report = anyio.run(lambda: verify(self.target, trust=Trust.load(trusted=[CERTIFICATE])))
            assert report.ok
            assert self.target.stat().st_size > self._size
        assert self.source.stat().st_size == self._size


def file_size(most: int) -> Callable[[], None]:
    """To be called in a new process: it cannot write files that are longer."""
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))


def moments(count: int, seed: str, longest: float) -> list[float]:
    """Seconds after which something happens, the same in every run."""
    chance = random.Random(seed)
    return [chance.uniform(0, longest) for _ in range(count)]


def wait_for(process: subprocess.Popen[bytes], text: bytes) -> None:
    """Until the command has said something on standard error; nothing else was to be said before."""
    assert process.stderr is not None
    while text not in (line := process.stderr.readline()):
        assert line, "the command has ended"


def end_by(process: subprocess.Popen[bytes], number: int, delay: float) -> tuple[int, bytes]:
    """Send a signal after some time; the exit code and what has been said."""
    time.sleep(delay)
    process.send_signal(number)
    _, said = process.communicate(timeout=PATIENCE)
    return process.returncode, said


CODES = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGHUP: 129, signal.SIGKILL: -9}
"""Exit codes by signal."""
