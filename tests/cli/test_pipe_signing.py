"""The command signs a pipe while it passes, when it is told which data elements it will sign."""

from __future__ import annotations

import os
import select
import signal
import subprocess
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path

import anyio
import pytest
from dcmsign.stream import Trust, verify

from tests.cli.conftest import VECTORS
from tests.cli.test_cli_process import COMMAND
from tests.stream.material import image, noise

KEY, CERTIFICATE = str(VECTORS / "key-rsa.pem"), str(VECTORS / "cert-rsa.pem")
TAGS = ("-t", "0010,0010", "-t", "7fe0,0010")
OBJECT = image(noise(24 << 20))
HALF = len(OBJECT) // 2
KEPT = 1 << 16
"""Bytes of input that may be waiting for more when nothing is on its way."""


class Signer:
    """The command between two pipes; temporary files would lie in `folder`."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.folder = folder
        self.process = subprocess.Popen(
            [*COMMAND, "+m2", *options, "+s", KEY, CERTIFICATE, "-", "-"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, "TMPDIR": str(folder)},
            bufsize=0,
        )

    def offer(self, data: bytes) -> None:
        assert self.process.stdin is not None
        view = memoryview(data)
        while view:
            assert select.select([], [self.process.stdin], [], 20)[1], "nothing is taken"
            view = view[os.write(self.process.stdin.fileno(), view[: select.PIPE_BUF]) :]

    def take(self, size: int) -> bytes:
        """That many bytes of output, or what there is until its end."""
        assert self.process.stdout is not None
        pieces = []
        while size:
            assert select.select([self.process.stdout], [], [], 20)[0], "nothing comes"
            if not (piece := os.read(self.process.stdout.fileno(), size)):
                break
            pieces.append(piece)
            size -= len(piece)
        return b"".join(pieces)

    def spools(self) -> list[str]:
        """Files without a name that the process has open: what is kept on the disk."""
        folder = Path(f"/proc/{self.process.pid}/fd")
        links = [os.readlink(folder / name) for name in os.listdir(folder)]
        return [link for link in links if link.startswith(str(self.folder))]

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            assert pipe is not None
            pipe.close()


@pytest.fixture
def passing(tmp_path: Path) -> Iterator[Signer]:
    with closing(Signer(tmp_path, *TAGS)) as signer:
        yield signer


def exchange(signer: Signer, data: bytes) -> bytes:
    """Offer all but the last byte of a piece at a time, and take what must have come out by then."""
    taken, step = b"", 1 << 19
    for start in range(0, len(data) - 1, step):
        signer.offer(data[start : min(start + step, len(data) - 1)])
        due = min(start + step, len(data) - 1) - KEPT - len(taken)
        if due > 0:
            taken += signer.take(due)
    return taken


def test_output_comes_before_the_input_has_ended(passing: Signer) -> None:
    taken = exchange(passing, OBJECT)
    assert len(taken) > HALF
    assert passing.spools() == []
    assert os.listdir(passing.folder) == []
    passing.offer(OBJECT[-1:])
    assert passing.process.stdin is not None
    passing.process.stdin.close()
    taken += passing.take(len(OBJECT) * 2)
    assert passing.process.wait(timeout=20) == 0
    assert taken[:128] == OBJECT[:128]
    report = anyio.run(partial(verify, taken, trust=Trust.load(trusted=[CERTIFICATE])))
    report.raise_for_status()
    assert [signature.tags_signed for signature in report.signatures] == [(0x00100010, 0x7FE00010)]


def test_without_tags_the_input_is_kept(tmp_path: Path) -> None:
    """The same look at the process sees a spool where there has to be one."""
    with closing(Signer(tmp_path)) as signer:
        signer.offer(OBJECT[:-1])
        assert len(signer.spools()) == 1


def test_interrupt_in_the_middle(passing: Signer) -> None:
    assert exchange(passing, OBJECT[:HALF])
    passing.process.send_signal(signal.SIGINT)
    assert passing.process.wait(timeout=20) == 130
    assert passing.process.stderr is not None
    assert passing.process.stderr.read() == b""
    assert os.listdir(passing.folder) == []


def test_reader_goes_away(passing: Signer) -> None:
    assert exchange(passing, OBJECT[:HALF])
    assert passing.process.stdout is not None
    passing.process.stdout.close()
    with pytest.raises(BrokenPipeError):
        passing.offer(OBJECT[HALF:])
    assert passing.process.wait(timeout=20) == 40
    assert passing.process.stderr is not None
    assert passing.process.stderr.read() == b"F: Broken pipe: writing file: -\n"


@pytest.mark.parametrize("length", [0, 1000, HALF])
def test_input_ends_early(passing: Signer, length: int) -> None:
    taken = exchange(passing, OBJECT[: length + 1])
    assert passing.process.stdin is not None
    passing.process.stdin.close()
    taken += passing.take(len(OBJECT))
    assert passing.process.wait(timeout=20) != 0
    assert len(taken) <= length + 2000
