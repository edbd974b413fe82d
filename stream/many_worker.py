"""The worker process of a local pool: takes batches of files from a pipe, gives their results to another.

It ends when the pipe does, so it never outlives who started it by more than one file. Interrupts from a terminal are none of
its business; SIGTERM and SIGHUP make it drop what it is doing, partly written files included.
"""

from __future__ import annotations

import gc
import logging
import os
import pickle
import signal
import struct
from types import FrameType
from typing import Any

from ..codec.errors import Error
from . import many_jobs

HEADER = struct.Struct("<Q")
"""Length of the pickled message that follows."""

_COLLECT_AFTER = 50_000

_STOPPING = (signal.SIGTERM, signal.SIGHUP)
_STOPPED = 128 + signal.SIGTERM


class NotReady:
    """Told instead of a first result: the worker cannot begin."""

    def __init__(self, error: str) -> None:
        self.error = error


def pack(message: object) -> bytes:
    """A message as it stands in the pipe."""
    content = pickle.dumps(message, pickle.HIGHEST_PROTOCOL)
    return HEADER.pack(len(content)) + content


def main(reading: int, writing: int) -> None:
    """Serve until the pipe ends."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    signal.signal(signal.SIGINT, signal.default_int_handler)  # for the others to use
    for number in _STOPPING:
        signal.signal(number, _stop)
    gc.set_threshold(_COLLECT_AFTER)
    log = logging.getLogger("dcmsign")
    log.addHandler(logging.NullHandler())  # what counts is in the results
    log.propagate = False
    try:
        _serve(reading, writing)
    except KeyboardInterrupt:  # by _stop
        os._exit(_STOPPED)
    os._exit(0)  # nothing is left to clean up


def _stop(number: int, frame: FrameType | None) -> None:
    """Do what an interrupt does at this moment: the operation at work may put that off until it can clean up."""
    for stopping in _STOPPING:
        signal.signal(stopping, signal.SIG_IGN)
    handler = signal.getsignal(signal.SIGINT)
    assert callable(handler)
    handler(signal.SIGINT, frame)


def _serve(reading: int, writing: int) -> None:
    job: many_jobs.Job = _read(reading)
    try:
        job.load()
    except Error as error:
        _write(writing, NotReady(str(error)))
        return
    _write(writing, None)
    while (batch := _read(reading)) is not None:
        for item in batch:
            if not _write(writing, many_jobs.carry_out(job, item)):
                return


def _read(descriptor: int) -> Any:
    """The next message, None behind the last one."""
    header = _read_exactly(descriptor, HEADER.size)
    return pickle.loads(_read_exactly(descriptor, HEADER.unpack(header)[0])) if header else None


def _read_exactly(descriptor: int, size: int) -> bytes:
    parts = bytearray()
    while len(parts) < size:
        part = os.read(descriptor, size - len(parts))
        if not part:
            return b""
        parts += part
    return bytes(parts)


def _write(descriptor: int, message: object) -> bool:
    """False if nobody listens any more."""
    data = memoryview(pack(message))
    try:
        while data:
            data = data[os.write(descriptor, data) :]
    except BrokenPipeError:
        return False
    return True
