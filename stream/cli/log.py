"""Messages of an operation: levels, ``P: text`` lines on standard error, and what is printed outside of them."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager

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

PREFIXES = (
    (logging.CRITICAL, "F: "),
    (logging.ERROR, "E: "),
    (logging.WARNING, "W: "),
    (logging.INFO, "I: "),
    (logging.DEBUG, "D: "),
    (0, "T: "),
)

LIBRARY = logging.getLogger("dcmsign")
"""Parent of all loggers of the project."""
COMMAND = logging.getLogger("dcmsign.command")
"""Logger of the command itself."""


def prefixed(level: int, text: str) -> str:
    """The text with the letter of its level in front of every line."""
    prefix = next(prefix for floor, prefix in PREFIXES if level >= floor)
    return "".join(f"{prefix}{line}\n" for line in text.split("\n"))


class Handler(logging.Handler):
    """Writes records to standard error, each flushed before anything else happens."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record."""
        text = record.getMessage()
        if record.exc_info:  # only the debug level logs exceptions
            text += "\n" + logging.Formatter().formatException(record.exc_info)
        write(record.levelno, text)


def write(level: int, text: str) -> None:
    """Write a message whatever the level in effect is."""
    try:
        sys.stderr.write(prefixed(level, text))
        sys.stderr.flush()
    except OSError:
        pass  # nobody reads the messages; the exit code remains


@contextmanager
def attached() -> Iterator[None]:
    """Show the messages of the library and the command, from the default level on, until the end of the block."""
    handler, before = Handler(), LIBRARY.level
    LIBRARY.addHandler(handler)
    LIBRARY.setLevel(DEFAULT_LEVEL)
    try:
        yield
    finally:
        LIBRARY.removeHandler(handler)
        LIBRARY.setLevel(before)


def shows(level: int) -> bool:
    """True if messages of this level are shown."""
    return LIBRARY.isEnabledFor(level)
