"""Layouts of a log configuration: what a message looks like, down to the line end."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from . import log, messages
from .log_settings import Settings, leading_number, switch

MAX_WIDTH = 1000
"""Characters a field is padded to at most."""
DATE_FORMAT = "%Y-%m-%d %H:%M:%S"


class LayoutError(ValueError):
    """A layout cannot be made from its settings."""


class SimpleLayout(logging.Formatter):
    """The name of the level and the message."""

    def __init__(self, settings: Settings) -> None:
        super().__init__()

    def format(self, record: logging.LogRecord) -> str:
        """The text of one record."""
        return f"{log.level_name(record.levelno)} - {log.message(record)}\n"


class TTCCLayout(logging.Formatter):
    """Time, thread, category (the logger) and the empty context of DCMTK's logging library."""

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        self._date = settings.get("DateFormat", "")
        self._utc = switch(settings, "Use_gmtime", False)

    def format(self, record: logging.LogRecord) -> str:
        """The text of one record."""
        when = formatted_time(record.created, self._date, self._utc) if self._date else elapsed(record)
        level = log.level_name(record.levelno)
        return f"{when} [{record.thread}] {level} {record.name} <> - {log.message(record)}\n"


class PatternLayout(logging.Formatter):
    """A pattern, which is repeated for every line of a message."""

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        if "Pattern" in settings:
            log.complain(messages.DEPRECATED_PATTERN, "WARN")
        pattern = settings.get("ConversionPattern", settings.get("Pattern"))
        if pattern is None:
            log.complain(messages.NO_PATTERN)
            raise LayoutError(messages.NO_PATTERN)
        self._fields = PatternParser(pattern).parse()
        if not self._fields:
            log.complain(messages.EMPTY_PATTERN, "WARN")
            self._fields = PatternParser("%m").parse()

    def format(self, record: logging.LogRecord) -> str:
        """The text of one record."""
        lines = log.message(record).split("\n")
        return "".join(field.text(record, line) for line in lines for field in self._fields)


LAYOUTS: dict[str, Callable[[Settings], logging.Formatter]] = {
    "log4cplus::SimpleLayout": SimpleLayout,
    "log4cplus::TTCCLayout": TTCCLayout,
    "log4cplus::PatternLayout": PatternLayout,
}


Source = Callable[[logging.LogRecord, str], str]
"""Makes the text of a field from a record and the line of its message."""


@dataclass(frozen=True, slots=True)
class Field:
    """A part of a pattern with its widths."""

    source: Source
    minimum: int = 0
    maximum: int | None = None
    left: bool = False

    def text(self, record: logging.LogRecord, line: str) -> str:
        """The text for one line: the end of what is too long, blanks around what is too short."""
        text = self.source(record, line)
        if self.maximum is not None and len(text) > self.maximum:
            return text[len(text) - self.maximum :]
        return text.ljust(self.minimum) if self.left else text.rjust(self.minimum)


def elapsed(record: logging.LogRecord) -> str:
    """Milliseconds since the program started."""
    return str(int(record.relativeCreated))


def formatted_time(seconds: float, form: str, utc: bool) -> str:
    """A time in the fields of strftime plus ``%q`` (milliseconds) and ``%Q`` (milliseconds with three decimals)."""
    microseconds = int(seconds * 1_000_000) % 1_000_000
    milliseconds = f"{microseconds // 1000:03}"
    special = {"q": milliseconds, "Q": f"{milliseconds}.{microseconds % 1000:03}"}
    if utc:
        special["Z"] = "GMT"  # what C's gmtime says, where Python says UTC
    parts, position = [], 0
    while position < len(form):
        size = 2 if form[position] == "%" else 1
        part = form[position : position + size]
        position += size
        if part != "%":  # nothing behind it
            parts.append(special.get(part[1:], part) if size == 2 else part)
    try:
        return time.strftime("".join(parts), time.gmtime(seconds) if utc else time.localtime(seconds))
    except ValueError:  # a NUL
        return form


def _line_number(record: logging.LogRecord) -> str:
    return str(record.lineno) if record.lineno else ""


SIMPLE_FIELDS: dict[str, Source] = {
    "m": lambda record, line: line,
    "n": lambda record, line: "\n",
    "p": lambda record, line: log.level_name(record.levelno),
    "P": lambda record, line: log.level_name(record.levelno)[0],
    "t": lambda record, line: str(record.thread),
    "T": lambda record, line: str(threading.get_native_id()),
    "i": lambda record, line: str(os.getpid()),
    "r": lambda record, line: elapsed(record),
    "h": lambda record, line: os.uname().nodename,
    "H": lambda record, line: os.uname().nodename,
    "F": lambda record, line: record.pathname,
    "b": lambda record, line: record.filename,
    "L": lambda record, line: _line_number(record),
    "l": lambda record, line: f"{record.pathname}:{_line_number(record)}",
    "M": lambda record, line: record.funcName or "",
    "x": lambda record, line: "",
}
"""Fields without an option; the diagnostic context ``%x`` is always empty."""


def _date_field(option: str, utc: bool) -> Source:
    return lambda record, line: formatted_time(record.created, option or DATE_FORMAT, utc)


def _logger_field(option: str) -> Source:
    parts = leading_number(option)
    if parts <= 0:
        return lambda record, line: record.name
    return lambda record, line: ".".join(record.name.split(".")[-parts:])


OPTION_FIELDS: dict[str, Callable[[str], Source]] = {
    "c": _logger_field,
    "d": lambda option: _date_field(option, utc=True),
    "D": lambda option: _date_field(option, utc=False),
    "X": lambda option: lambda record, line: "",
}
"""Fields that may be followed by an option in braces; the mapped context ``%X`` is always empty."""


class PatternParser:
    """Takes a conversion pattern apart. What is wrong in it is reported and stays as literal text."""

    def __init__(self, pattern: str) -> None:
        self._pattern = pattern
        self._position = 0
        self._literal = ""
        self._fields: list[Field] = []

    def parse(self) -> list[Field]:
        """The fields of the pattern, none for an empty one."""
        pattern = self._pattern
        while self._position < len(pattern):
            character = pattern[self._position]
            following = pattern[self._position + 1 : self._position + 2]
            if character != "%" or not following:
                self._literal += character
                self._position += 1
            elif following == "%":
                self._literal += "%"
                self._position += 2
            else:
                self._take_literal()
                self._parse_field()
        self._take_literal()
        return self._fields

    def _parse_field(self) -> None:
        start = self._position
        self._position += 1
        left = False
        while self._peek() == "-":
            left = True
            self._position += 1
        minimum, maximum = self._digits(), ""
        if self._peek() == ".":
            self._position += 1
            maximum = self._digits()
            if not maximum and self._peek():
                self._reject(start, messages.DIGIT_EXPECTED.format(self._position + 1, self._peek()))
                return
        letter = self._peek()
        if letter not in SIMPLE_FIELDS and letter not in OPTION_FIELDS:
            # a pattern that ends within a field is no mistake
            self._reject(start, messages.UNEXPECTED_CHARACTER.format(letter, self._position + 1) if letter else "")
            return
        self._position += 1
        source = OPTION_FIELDS[letter](self._option()) if letter in OPTION_FIELDS else SIMPLE_FIELDS[letter]
        width = min(leading_number(minimum), MAX_WIDTH)
        self._fields.append(Field(source, width, leading_number(maximum) if maximum else None, left))

    def _reject(self, start: int, complaint: str) -> None:
        if complaint:
            log.complain(complaint)
        self._position += 1
        self._literal = self._pattern[start : self._position]

    def _take_literal(self) -> None:
        if self._literal:
            literal = self._literal
            self._fields.append(Field(lambda record, line: literal))
        self._literal = ""

    def _peek(self) -> str:
        return self._pattern[self._position : self._position + 1]

    def _digits(self) -> str:
        start = self._position
        while "0" <= self._peek() <= "9":
            self._position += 1
        return self._pattern[start : self._position]

    def _option(self) -> str:
        if self._peek() != "{":
            return ""
        end = self._pattern.find("}", self._position)
        if end < 0:
            log.complain(messages.NO_OPTION_END.format(self._pattern))
            self._position = len(self._pattern)
            return ""
        option = self._pattern[self._position + 1 : end]
        self._position = end + 1
        return option
