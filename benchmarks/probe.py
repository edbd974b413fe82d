"""Runs one command and writes what it needed as JSON; started for each measurement, so that its own size counts for nothing.

    python -I -S probe.py REQUEST.json

The request names `command`, `folder` (to run in), `result` and `errors` (files to write), and `feed`: a file to send through a
pipe to standard input, while standard output is a pipe that is emptied. Linux only: reads /proc/PID/io.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from typing import Any

_PIECE = 1 << 20
_EXITED = os.P_PID


class Feeder(threading.Thread):
    """Moves a file into a pipe without copying it; `last` is when its last byte was offered (not yet taken)."""

    def __init__(self, path: str, pipe: int) -> None:
        super().__init__(daemon=True)
        self._path, self._pipe = path, pipe
        self.last: float | None = None

    def run(self) -> None:
        """Feed; the reader may go away."""
        file = os.open(self._path, os.O_RDONLY)
        left = os.fstat(file).st_size - 1
        try:
            while left:
                left -= os.splice(file, self._pipe, min(_PIECE, left))
            self.last = time.perf_counter()
            os.splice(file, self._pipe, 1)
        except BrokenPipeError:
            pass
        finally:
            os.close(file)
            os.close(self._pipe)


def drain(pipe: int) -> tuple[float | None, int]:
    """Empty a pipe; returns when its first byte came, and how many bytes."""
    null = os.open(os.devnull, os.O_WRONLY)
    count = len(os.read(pipe, 1))
    first = time.perf_counter() if count else None
    while piece := os.splice(pipe, null, _PIECE):
        count += piece
    os.close(null)
    return first, count


def used_bytes(pid: int) -> dict[str, int]:
    """Bytes the ended process and its ended children read and wrote, by system calls and from disk."""
    try:
        with open(f"/proc/{pid}/io") as file:
            return {name: int(value) for name, _, value in (line.partition(":") for line in file)}
    except OSError:  # hidden, as in some containers
        return {}


def run(request: dict[str, Any]) -> dict[str, Any]:
    """Carry out a request."""
    null = os.open(os.devnull, os.O_RDWR)
    errors = os.open(request["errors"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    feed = request["feed"]
    stdin, source = os.pipe() if feed else (null, null)
    sink, stdout = os.pipe() if feed else (null, null)
    os.chdir(request["folder"])
    actions = [(os.POSIX_SPAWN_DUP2, stdin, 0), (os.POSIX_SPAWN_DUP2, stdout, 1), (os.POSIX_SPAWN_DUP2, errors, 2)]
    command = request["command"]
    start = time.perf_counter()
    pid = os.posix_spawnp(command[0], command, os.environ, file_actions=actions)
    first, last, delivered = None, None, 0
    if feed:
        os.close(stdin)
        os.close(stdout)
        feeder = Feeder(feed, source)
        feeder.start()
        first, delivered = drain(sink)
        last = feeder.last
    os.waitid(_EXITED, pid, os.WEXITED | os.WNOWAIT)  # it has ended, but its numbers can still be read
    wall = time.perf_counter() - start
    moved = used_bytes(pid)
    _, status, used = os.wait4(pid, 0)
    return {
        "code": os.waitstatus_to_exitcode(status),
        "wall": wall,
        "cpu": used.ru_utime + used.ru_stime,
        "memory": used.ru_maxrss / 1024,
        "read": moved.get("rchar"),
        "written": moved.get("wchar"),
        "disk_read": moved.get("read_bytes"),
        "disk_written": moved.get("write_bytes"),
        "first_output": first and first - start,
        "last_input": last and last - start,
        "delivered": delivered,
    }


def main() -> None:
    """Carry out the request named on the command line."""
    with open(sys.argv[1]) as file:
        request = json.load(file)
    result = run(request)
    with open(request["result"], "w") as file:
        json.dump(result, file)


if __name__ == "__main__":
    main()
