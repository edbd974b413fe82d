"""Asking for the pass phrase of a private key."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager

from . import messages

STANDARD_INPUT, STANDARD_ERROR = 0, 2


def ask() -> bytearray:
    """Ask once, on the terminal if there is one, else on standard error with the answer from standard input.

    A line without end is not taken as an answer: the prompt appears a second time, and the pass phrase is empty. The answer is
    the caller's, to be overwritten when it is no longer needed.
    """
    with _interruptible():
        try:
            terminal = os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY)
        except OSError:
            return _converse(STANDARD_INPUT, STANDARD_ERROR)
        try:
            with _silent(terminal):
                return _converse(terminal, terminal)
        finally:
            os.close(terminal)


def _converse(answers: int, prompts: int) -> bytearray:
    from ...codec.hiding import wipe  # nobody is asked before

    for _ in range(2):
        os.write(prompts, messages.PASS_PHRASE_PROMPT.encode())
        line = _line(answers)
        os.write(prompts, b"\n")
        if line.endswith(b"\n"):
            del line[-1:]
            return line
        wipe(line)
    return bytearray()


def _line(file: int) -> bytearray:
    # byte by byte: what follows the line belongs to somebody else
    line = bytearray()
    while not line.endswith(b"\n") and (byte := os.read(file, 1)):
        line += byte
    return line


@contextmanager
def _silent(terminal: int) -> Iterator[None]:
    import termios

    before = termios.tcgetattr(terminal)
    silent = [*before[:3], before[3] & ~termios.ECHO, *before[4:]]
    termios.tcsetattr(terminal, termios.TCSAFLUSH, silent)
    try:
        yield
    finally:
        termios.tcsetattr(terminal, termios.TCSAFLUSH, before)


@contextmanager
def _interruptible() -> Iterator[None]:
    # the event loop would only note an interrupt, and the read would go on
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
