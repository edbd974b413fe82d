"""Signals that ask the command to end: SIGINT (Ctrl-C), SIGTERM, and SIGHUP of a terminal that goes.

While there is nothing to clean up, they end the process. While there is, all of them do what an interrupt does in Python.
"""

from __future__ import annotations

import os
import signal

TYPE_CHECKING = False  # that of typing, which takes long to load
if TYPE_CHECKING:
    from types import FrameType

_OTHERS = (signal.SIGTERM, signal.SIGHUP)

_SHELL = 128
"""What shells add to the number of the signal that ended a process."""

_last: int = signal.SIGINT


def exit_code() -> int:
    """The exit code of an operation that has been stopped, as shells report it: 130, 143 for SIGTERM, 129 for SIGHUP."""
    return _SHELL + _last


def leave_at_once() -> None:
    """From now on a signal ends the process, quietly. One that is ignored, as in a shell's background, stays so."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _leave)
    for number in _OTHERS:
        if signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, _leave)


def stop_operation() -> None:
    """From now on a signal that would have ended the process raises KeyboardInterrupt: there is something to clean up."""
    if signal.getsignal(signal.SIGINT) is _leave:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in _OTHERS:
        if signal.getsignal(number) is _leave:
            signal.signal(number, _stop)
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN and signal.getsignal(signal.SIGTERM) is _stop:
        # ignored by never being delivered, so that there is a handler that the others can use
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        signal.signal(signal.SIGINT, signal.default_int_handler)


def ignore() -> None:
    """From now on the exit code is settled."""
    for number in (signal.SIGINT, *_OTHERS):
        signal.signal(number, signal.SIG_IGN)


def _leave(number: int, frame: FrameType | None) -> None:
    # an exception would be shown, or be lost where Python's own code cannot pass it on
    os._exit(_SHELL + number)


def _stop(number: int, frame: FrameType | None) -> None:
    """Do what an interrupt does at this moment: who is at work decides about that."""
    global _last
    _last = number
    handler = signal.getsignal(signal.SIGINT)
    if callable(handler):
        handler(signal.SIGINT, frame)
