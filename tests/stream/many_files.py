"""Folders full of files of all sorts, and a look at the worker processes of this one."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path

from tests.stream.material import MAC_VECTORS, signed_vector

KEY, CERTIFICATE = str(MAC_VECTORS / "key-rsa.pem"), str(MAC_VECTORS / "cert-rsa.pem")
GOOD = signed_vector("explicit-short")
PATIENCE = 20.0


def mixed(folder: Path, count: int) -> list[str]:
    """Files that are good, signed by others, corrupt, unsigned, cut short, not DICOM, empty and absent, in turn."""
    data = GOOD.read_bytes()
    damaged = bytearray(data)
    damaged[data.index(b"Doe") if b"Doe" in data else 400] ^= 1
    kinds = [
        data,
        signed_vector("ec-sha384").read_bytes(),
        bytes(damaged),
        (MAC_VECTORS / "explicit-short.dcm").read_bytes(),
        data[: len(data) // 2],
        b"hello\n",
        b"",
    ]
    names = []
    for number in range(count):
        path = folder / f"{number:03}.dcm"
        if number % (len(kinds) + 1) < len(kinds):
            path.write_bytes(kinds[number % (len(kinds) + 1)])
        names.append(str(path))
    return names


def copies(folder: Path, count: int) -> list[str]:
    """Copies of a file that is signed."""
    return [shutil.copyfile(GOOD, folder / f"{number:03}.dcm").__fspath__() for number in range(count)]


def children(process: int | None = None) -> set[int]:
    """The processes that a process has started, zombies too."""
    own = process or os.getpid()
    found: set[int] = set()
    for task in os.listdir(f"/proc/{own}/task"):
        with contextlib.suppress(FileNotFoundError):  # the thread has ended
            found.update(map(int, Path(f"/proc/{own}/task/{task}/children").read_text().split()))
    return {process for process in found if not _is_tracker(process)}


def _is_tracker(process: int) -> bool:
    """Whether a process is one that multiprocessing keeps for itself."""
    try:
        return b"resource_tracker" in Path(f"/proc/{process}/cmdline").read_bytes()
    except FileNotFoundError:
        return False


def wait_for(condition: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.01)


def once_read(pipe: str) -> int:
    """Wait until somebody reads from a named pipe; a descriptor that keeps the reader waiting until it is closed."""
    found: list[int] = []

    def is_open() -> bool:
        try:
            found.append(os.open(pipe, os.O_WRONLY | os.O_NONBLOCK))
        except OSError as error:
            if error.errno != errno.ENXIO:  # that is: nobody reads
                raise
        return bool(found)

    wait_for(is_open, "nobody reads the pipe")
    return found[0]


def in_background(function: Callable[[], None]) -> threading.Thread:
    thread = threading.Thread(target=function)
    thread.start()
    return thread


def stopping(pid: int) -> bool:
    """Whether a process is gone or a zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True
