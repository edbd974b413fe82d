"""The appender of a log configuration that writes to the system log, of this machine or of another one."""

from __future__ import annotations

import logging
import os
import time
from logging.handlers import SYSLOG_UDP_PORT, SysLogHandler

from . import log, messages
from .log_layouts import formatted_time
from .log_output import Appender
from .log_settings import Settings, number

LOCAL = "/dev/log"
PROGRAM = "dcmsign"
REMOTE_TIME = "%Y-%m-%dT%H:%M:%S.%qZ"


class _Sender(SysLogHandler):
    """Sends finished messages; one that cannot be sent is lost. That is reported once, for another machine as in DCMTK."""

    append_nul = False
    _reported = False
    priority_map = SysLogHandler.priority_map | {logging.getLevelName(log.TRACE): "debug"}

    def handleError(self, record: logging.LogRecord) -> None:
        """Report the first message that cannot be sent."""
        if not self.unixsocket and not self._reported:
            log.complain(messages.NO_SYSLOG_WRITE, "WARN")
        self._reported = True


class SysLogAppender(Appender):
    """The system log: by default the local one, with ``host`` that of another machine, by UDP as in RFC 5424."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self._ident = settings.get("ident", "")
        self._host = settings.get("host", "")
        facility = settings.get("facility", "").lower()
        if facility and facility not in SysLogHandler.facility_names:
            log.complain(messages.UNKNOWN_FACILITY.format(facility))
        code = SysLogHandler.facility_names.get(facility, SysLogHandler.LOG_USER)
        address = (self._host, number(settings, "port", SYSLOG_UDP_PORT)) if self._host else LOCAL
        self._sender: _Sender | None = None
        try:
            self._sender = _Sender(address, code)
        except (OSError, ValueError, OverflowError) as error:
            log.complain(messages.NO_SYSLOG.format(self._host, error))

    def emit(self, record: logging.LogRecord) -> None:
        """Send one record."""
        if self._sender is None:
            return
        header = self._remote_header(record) if self._host else self._local_header(record)
        text = (header + self.format(record)).encode("utf-8", "backslashreplace").decode("utf-8")
        self._sender.handle(logging.LogRecord(record.name, record.levelno, record.pathname, record.lineno, text, None, None))

    def close(self) -> None:
        """Close the socket."""
        if self._sender is not None:
            self._sender.close()
        super().close()

    def _local_header(self, record: logging.LogRecord) -> str:
        when = time.strftime("%b %e %H:%M:%S", time.localtime(record.created))
        return f"{when} {self._ident or PROGRAM}: "

    def _remote_header(self, record: logging.LogRecord) -> str:
        when = formatted_time(record.created, REMOTE_TIME, utc=True)
        return f"1 {when} {os.uname().nodename} {self._ident} {os.getpid()} {record.name} - "
