"""Appenders of a log configuration: where messages go. None of them ever raises into the operation."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable

from . import log, messages
from .log_files import DailyRollingFileAppender, FileAppender, RollingFileAppender
from .log_output import Appender
from .log_properties import subset
from .log_settings import Settings, switch

ASYNC = "log4cplus::AsyncAppender"


class ConsoleAppender(Appender):
    """Standard output or standard error. Written at once, whatever ImmediateFlush says."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self._to_standard_error = switch(settings, "logToStdErr", False)
        if hasattr(sys.stdout, "reconfigure"):
            sys.stdout.reconfigure(errors="surrogateescape")  # file names need not be text

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record."""
        log.put(sys.stderr if self._to_standard_error else sys.stdout, self.format(record))


class NullAppender(Appender):
    """Drops everything."""

    def emit(self, record: logging.LogRecord) -> None:
        """Do nothing."""


def _system_log(settings: Settings) -> Appender:
    from .log_syslog import SysLogAppender  # brings sockets

    return SysLogAppender(settings)


APPENDERS: dict[str, Callable[[Settings], Appender]] = {
    "log4cplus::ConsoleAppender": ConsoleAppender,
    "log4cplus::FileAppender": FileAppender,
    "log4cplus::RollingFileAppender": RollingFileAppender,
    "log4cplus::DailyRollingFileAppender": DailyRollingFileAppender,
    "log4cplus::SysLogAppender": _system_log,
    "log4cplus::NullAppender": NullAppender,
}


def make(name: str, settings: Settings) -> Appender | None:
    """An appender of a class; None if there is no such class, which is reported."""
    if name != ASYNC and name not in APPENDERS:
        log.complain(messages.NO_APPENDER_CLASS.format(name))
        return None
    while name == ASYNC:  # the appender inside, without a thread of its own: the same lines
        name, settings = settings.get("Appender", ""), subset(settings, "Appender.")
        if not name:
            log.complain(messages.NO_ASYNC_APPENDER)
            return None
    if name not in APPENDERS:
        log.complain(messages.NO_ASYNC_APPENDER_CLASS.format(name))
        return NullAppender({})
    return APPENDERS[name](settings)
