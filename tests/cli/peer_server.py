"""Runs this command again and again, each time in a process of its own, without starting Python each time.

A server has imported everything and forks for each request: a JSON line with arguments, folder, input, variables and
seconds. The answer is a JSON line with the exit code; below zero it is a signal, as `subprocess` reports it.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import pkgutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent.parent
IMPORTED = ("anyio._backends._asyncio", "anyio.from_thread", "cryptography.hazmat.primitives.serialization.ssh", "OpenSSL.crypto")
"""What operations load when they are used, beside all of this project."""


class CommandServer:
    """The server as its client sees it; started at the first request."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._socket: socket.socket | None = None

    def run(
        self,
        arguments: Sequence[str],
        folder: Path,
        *,
        stdin: Path | None,
        variables: Mapping[str, str | None],
        timeout: float,
    ) -> int:
        """Run a command line in a folder, which gets its output in the files ``.out`` and ``.err``; the exit code."""
        request = {
            "arguments": list(arguments),
            "folder": str(folder),
            "stdin": str(stdin or os.devnull),
            "variables": dict(variables),
            "timeout": timeout,
        }
        connection = self._connection()
        connection.sendall(json.dumps(request).encode() + b"\n")
        answer = b""
        while not answer.endswith(b"\n"):
            block = connection.recv(1000)
            if not block:
                raise RuntimeError("the command server has ended")
            answer += block
        code = json.loads(answer)
        assert isinstance(code, int)
        return code

    def _connection(self) -> socket.socket:
        if self._socket is None:
            ours, theirs = socket.socketpair()
            with theirs:
                self._process = subprocess.Popen(
                    [sys.executable, "-m", "tests.cli.peer_server", str(theirs.fileno())],
                    cwd=ROOT,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    pass_fds=[theirs.fileno()],
                    start_new_session=True,  # no terminal to ask for passwords
                )
            self._socket = ours
        return self._socket

    def close(self) -> None:
        """End the server."""
        if self._socket is not None:
            self._socket.close()
        if self._process is not None:
            self._process.wait()


def serve(descriptor: int) -> None:
    """Answer requests until the client has gone."""
    packages = (importlib.import_module(name) for name in ("dcmsign.codec", "dcmsign.stream"))
    found = (module.name for package in packages for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."))
    for name in (*IMPORTED, *(name for name in found if not name.endswith("__main__"))):
        importlib.import_module(name)
    with socket.socket(fileno=descriptor) as connection, connection.makefile("rb") as requests:
        for request in requests:
            child = os.fork()
            if child == 0:
                _carry_out(json.loads(request))
            status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
            with contextlib.suppress(BrokenPipeError):
                connection.sendall(b"%d\n" % status)


def _carry_out(request: dict[str, Any]) -> None:
    """Run the command of a request; does not return."""
    from dcmsign.stream.cli import main

    os.chdir(request["folder"])
    for number, (name, flags) in enumerate(
        ((request["stdin"], os.O_RDONLY), (".out", os.O_CREAT | os.O_WRONLY), (".err", os.O_CREAT | os.O_WRONLY))
    ):
        os.dup2(os.open(name, flags, 0o600), number)
    for name, value in request["variables"].items():
        os.environ.pop(name, None)
        if value is not None:
            os.environ[name] = value
    time.tzset()
    signal.setitimer(signal.ITIMER_REAL, request["timeout"])
    code = 255
    try:
        code = main(request["arguments"])
        sys.stdout.flush()
    finally:
        os._exit(code)


if __name__ == "__main__":
    serve(int(sys.argv[1]))
