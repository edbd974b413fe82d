"""Messages of an operation: levels, ``P: text`` lines on standard error, and what is printed outside of them."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TextIO

from . import messages

TRACE = 5
OFF = logging.CRITICAL + 10
LEVELS = {
    "off": OFF,
    "fatal": logging.CRITICAL,
    "error": logging.ERROR,
    "warn": logging.WARNING,
    "info": logging.INFO,
    "debug": logging.DEBUG,
    "trace": TRACE,
    "all": 1,
}
DEFAULT_LEVEL = LEVELS["warn"]

NAMES = (
    (logging.CRITICAL, "FATAL"),
    (logging.ERROR, "ERROR"),
    (logging.WARNING, "WARN"),
    (logging.INFO, "INFO"),
    (logging.DEBUG, "DEBUG"),
    (0, "TRACE"),
)

LIBRARY = logging.getLogger("dcmsign")
"""Parent of all loggers of the project."""
COMMAND = logging.getLogger("dcmsign.command")
"""Logger of the command itself."""
DATA = logging.getLogger("dcmsign.stream.input")
"""Logger of what is read and written, and of the data dictionary."""


def level_name(level: int) -> str:
    """DCMTK's name of a level; levels in between have the name of the next lower one."""
    return next(name for floor, name in NAMES if level >= floor)


def prefixed(level: int, text: str) -> str:
    """The text with the letter of its level in front of every line."""
    prefix = level_name(level)[0]
    return "".join(f"{prefix}: {line}\n" for line in text.split("\n"))


def message(record: logging.LogRecord) -> str:
    """The text of a record, with the traceback if it has one."""
    text = record.getMessage()
    if record.exc_info:  # only the debug level logs exceptions
        text += "\n" + logging.Formatter().formatException(record.exc_info)
    return text


class Handler(logging.Handler):
    """Where all messages go: standard error, each flushed before anything else happens."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record."""
        put(sys.stderr, prefixed(record.levelno, message(record)))

    def hides_errors(self) -> bool:
        """True if errors of usage are not printed."""
        return not LIBRARY.isEnabledFor(logging.ERROR)


def put(stream: TextIO, text: str) -> None:
    """Write a text at once. Nobody may read what is written: the exit code remains."""
    with suppress(OSError, ValueError):  # ValueError: the stream is closed
        try:
            stream.write(text)
        except UnicodeEncodeError:
            stream.write(text.encode("ascii", "backslashreplace").decode("ascii"))
        stream.flush()


def write(level: int, text: str) -> None:
    """Write a message whatever the level in effect is."""
    record = logging.LogRecord("root", level, "", 0, text, None, None, "")
    for output in _outputs():
        output.handle(record)


def complain(text: str, severity: str = "ERROR") -> None:
    """Report trouble with logging itself on standard error, in the form of DCMTK's logging library."""
    if not hides_errors():
        put(sys.stderr, messages.LOGGING.format(severity, text))


@contextmanager
def attached() -> Iterator[None]:
    """Show the messages of the library and the command, from the default level on, until the end of the block."""
    before = LIBRARY.level
    replace_output(Handler())
    LIBRARY.setLevel(DEFAULT_LEVEL)
    try:
        yield
    finally:
        replace_output(None)
        LIBRARY.setLevel(before)


def replace_output(output: Handler | None) -> None:
    """Send all further messages somewhere else; what they went to before is closed."""
    for former in _outputs():
        former.close()
        LIBRARY.removeHandler(former)
    if output is not None:
        LIBRARY.addHandler(output)


def _outputs() -> list[Handler]:
    return [handler for handler in LIBRARY.handlers if isinstance(handler, Handler)]


def shows(level: int) -> bool:
    """True if messages of this level are shown."""
    return LIBRARY.isEnabledFor(level)


def hides_errors() -> bool:
    """True if errors of usage are not printed, because the level in effect hides errors."""
    return any(output.hides_errors() for output in _outputs())
