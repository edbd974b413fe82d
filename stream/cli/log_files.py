"""Appenders of a log configuration that write files, and how these are rolled over by size and by time."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import BinaryIO

from . import log, messages
from .log_output import Appender
from .log_settings import Settings, leading_number, number, switch

UNITS = {"KB": 1024, "MB": 1024 * 1024}
DEFAULT_SIZE = 10 * UNITS["MB"]
MINIMUM_SIZE = 200 * UNITS["KB"]
MAX_BACKUPS = 1000


class FileAppender(Appender):
    """A file, emptied at the start unless ``Append`` is set. What cannot be written is reported once and lost."""

    appends = False

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self.path = settings.get("File", "")
        self.file: BinaryIO | None = None
        self._flush = switch(settings, "ImmediateFlush", True)
        self._delay = number(settings, "ReopenDelay", 1)
        self._retry: float | None = None
        self._reported = False
        if not self.path:
            self._report(messages.NO_LOG_FILE_NAME)
        elif not self.open(keep=switch(settings, "Append", self.appends)):
            self._report(messages.UNUSABLE_LOG_FILE.format(self.path))

    def open(self, keep: bool) -> bool:
        """Open the file, which is emptied if it is not to be kept; True if that was possible."""
        emptied = 0 if keep else os.O_TRUNC
        try:
            self.file = open(self.path, "ab", opener=lambda path, flags: os.open(path, flags | emptied, 0o666))  # noqa: SIM115
        except (OSError, ValueError):
            self.file = None
        return self.file is not None

    def close_file(self) -> None:
        """Close the file; what cannot be written any more is lost."""
        if self.file is not None:
            with suppress(OSError):
                self.file.close()
        self.file = None

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record."""
        if self.file is None and not self._reopen():
            self._report(messages.LOG_FILE_NOT_OPEN.format(self.path))
            return
        data = _encoded(self.format(record))
        try:
            if self.file is not None:
                self.file.write(data)
                if self._flush:
                    self.file.flush()
        except OSError:
            self.close_file()

    def close(self) -> None:
        """Close the file for good."""
        self.close_file()
        super().close()

    def _reopen(self) -> bool:
        now = time.monotonic()
        if self._retry is None and self._delay:
            self._retry = now + self._delay
            return False
        if not self.path or (self._retry is not None and now < self._retry):
            return False
        self._retry = None
        if not self.open(keep=True):
            return False
        self._reported = False
        return True

    def _report(self, text: str) -> None:
        if not self._reported:
            log.complain(text)
        self._reported = True


class RollingFileAppender(FileAppender):
    """A file that becomes ``NAME.1`` when it has grown beyond a size; older ones move up to ``MaxBackupIndex``."""

    appends = True

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        size = settings.get("MaxFileSize", "")
        self._limit = max(_bytes(size), MINIMUM_SIZE) if size else DEFAULT_SIZE
        self._backups = _backups(settings, 1)

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record, and roll the file over if it has become too large."""
        super().emit(record)
        try:
            if self.file is None or self.file.tell() <= self._limit:
                return
        except OSError:  # a pipe has no size
            return
        self.close_file()
        shift(self.path, self._backups)
        rename(self.path, f"{self.path}.1")
        if not self.open(keep=False):
            log.complain(messages.LOG_FILE_NOT_REOPENED.format(self.path))


class DailyRollingFileAppender(FileAppender):
    """A file that becomes ``NAME.TIME`` at the end of a period, and at the end of the program."""

    appends = True

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        name = settings.get("Schedule", "")
        schedule = SCHEDULES.get(name.upper())
        if schedule is None:
            log.complain(messages.BAD_SCHEDULE.format(name), "WARN")
        self._schedule = schedule or SCHEDULES["DAILY"]
        self._backups = _backups(settings, 10)
        self._begin(time.time())
        self._open = True

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record, into a new file if a new period has begun."""
        if record.created >= self._end:
            self._roll()
            self._begin(record.created)
        super().emit(record)

    def close(self) -> None:
        """Move the file to the name of its period; an empty one stays."""
        if self._open:
            self._open = False
            self._roll()
        super().close()

    def _begin(self, now: float) -> None:
        start = self._schedule.start(datetime.fromtimestamp(now).replace(second=0, microsecond=0))
        self._rolled_path = f"{self.path}.{start.strftime(self._schedule.form)}"
        self._end = self._schedule.end(start).timestamp()

    def _roll(self) -> None:
        self.close_file()
        if self.path:
            shift(self._rolled_path, self._backups)
            rename(self._rolled_path, f"{self._rolled_path}.1")
            rename(self.path, self._rolled_path)
        if not self.open(keep=False):
            log.complain(messages.LOG_FILE_NOT_REOPENED.format(self.path))


@dataclass(frozen=True, slots=True)
class Schedule:
    """How long a file is written: the period around a minute of local time, and the name it gives."""

    form: str
    start: Callable[[datetime], datetime]
    end: Callable[[datetime], datetime]


def _midnight(now: datetime) -> datetime:
    return now.replace(hour=0, minute=0)


SCHEDULES = {
    "MONTHLY": Schedule(
        "%Y-%m",
        lambda now: _midnight(now).replace(day=1),
        lambda start: (start + timedelta(days=31)).replace(day=1),
    ),
    # weeks begin on Sunday; the number in the name is that of the week, from Monday, in which this Sunday is
    "WEEKLY": Schedule(
        "%Y-%W",
        lambda now: _midnight(now) - timedelta(days=now.isoweekday() % 7),
        lambda start: start + timedelta(days=7),
    ),
    "DAILY": Schedule("%Y-%m-%d", _midnight, lambda start: start + timedelta(days=1)),
    "TWICE_DAILY": Schedule(
        "%Y-%m-%d-%p",
        lambda now: now.replace(hour=now.hour // 12 * 12, minute=0),
        lambda start: start + timedelta(hours=12),
    ),
    "HOURLY": Schedule("%Y-%m-%d-%H", lambda now: now.replace(minute=0), lambda start: start + timedelta(hours=1)),
    "MINUTELY": Schedule("%Y-%m-%d-%H-%M", lambda now: now, lambda start: start + timedelta(minutes=1)),
}


def shift(path: str, backups: int) -> None:
    """Remove ``PATH.backups`` and let all below move up by one, so that ``PATH.1`` is free."""
    with suppress(OSError, ValueError):
        os.remove(f"{path}.{backups}")
    for index in range(backups - 1, 0, -1):
        rename(f"{path}.{index}", f"{path}.{index + 1}")


def rename(source: str, target: str) -> None:
    """Rename a file if it exists; what fails is reported."""
    try:
        os.rename(source, target)
    except (FileNotFoundError, ValueError):  # ValueError: a NUL in the name
        pass
    except OSError as error:
        log.complain(messages.LOG_FILE_NOT_RENAMED.format(source, target, error.errno))


def _encoded(text: str) -> bytes:
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return text.encode("utf-8", "backslashreplace")


def _bytes(text: str) -> int:
    return leading_number(text) * UNITS.get(text[-2:].upper(), 1)


def _backups(settings: Settings, default: int) -> int:
    return min(max(number(settings, "MaxBackupIndex", default), 1), MAX_BACKUPS)
