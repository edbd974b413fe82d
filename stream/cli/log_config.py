"""``--log-config``: DCMTK's logger configuration on top of Python's logging.

The loggers of a configuration are those of DCMTK. They are made as Python loggers in a hierarchy of their own, and
messages of this project's loggers are handed to the one that has this part in DCMTK.
"""

from __future__ import annotations

import copy
import logging
from collections.abc import Mapping

from . import log, messages
from .grammar import UsageError
from .log_appenders import make
from .log_output import Appender
from .log_properties import ROOT, load, subset
from .log_settings import level, switch

PROGRAM = "dcmtk.dcmsign"
DATA = "dcmtk.dcmdata"

LOGGERS = (
    ("dcmsign.stream.input", DATA),
    ("dcmsign", PROGRAM),
)
"""A logger of this project, with all below it, to the logger of DCMTK; the first one that fits counts."""

INHERITED = ("INHERIT", "INHERITED")


def install(file: str, output_taken: bool) -> None:
    """Log as a configuration file says, until the output of messages is replaced again.

    `output_taken`: the operation writes its result to standard output, where no message may go then. Raises UsageError.
    """
    settings = load(file)
    # where DCMTK aborts, and before any log file is opened
    if settings.get(ROOT) and level(_parts(settings[ROOT])[0]) is None:
        raise UsageError(messages.BAD_ROOT_LEVEL)
    appenders = _appenders(subset(settings, "appender."), output_taken)
    hierarchy = _hierarchy(settings, appenders)
    output = ConfiguredOutput(hierarchy, tuple(appenders.values()))
    log.replace_output(output)
    for own, theirs in LOGGERS:
        logging.getLogger(own).setLevel(hierarchy.getLogger(theirs).getEffectiveLevel())


class ConfiguredOutput(log.Handler):
    """Hands every message to the appenders of its logger in a configuration."""

    def __init__(self, hierarchy: logging.Manager, appenders: tuple[Appender, ...]) -> None:
        super().__init__()
        self._hierarchy = hierarchy
        self._appenders = appenders
        self._complained = False

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record, wherever the configuration says."""
        logger = self._logger_for(record.name)
        if logger.hasHandlers():
            theirs = copy.copy(record)
            theirs.name = logger.name
            logger.callHandlers(theirs)
        elif not self._complained:
            self._complained = True
            log.complain(messages.NO_APPENDERS.format(logger.name))
            log.complain(messages.NOT_INITIALIZED)

    def hides_errors(self) -> bool:
        """True if the root logger hides errors, which decides for the others too."""
        return self._hierarchy.root.getEffectiveLevel() > logging.ERROR

    def close(self) -> None:
        """Close all appenders, and give up the levels of this configuration."""
        for appender in self._appenders:
            appender.close()
        for own, _ in LOGGERS:
            logging.getLogger(own).setLevel(logging.NOTSET)
        super().close()

    def _logger_for(self, name: str) -> logging.Logger:
        for own, theirs in LOGGERS:
            if f"{name}.".startswith(f"{own}."):
                return self._hierarchy.getLogger(theirs)
        return self._hierarchy.root


def _appenders(settings: Mapping[str, str], output_taken: bool) -> dict[str, Appender]:
    appenders = {}
    for name, kind in settings.items():
        if "." in name:
            continue
        own = subset(settings, f"{name}.")
        if output_taken:
            own |= {"logToStdErr": "true", "Appender.logToStdErr": "true"}
        appender = make(kind, own)
        if appender is not None:
            appenders[name] = appender
    return appenders


def _hierarchy(settings: Mapping[str, str], appenders: Mapping[str, Appender]) -> logging.Manager:
    root = logging.RootLogger(logging.INFO)
    root.addHandler(log.Handler())  # what DCMTK starts with; a setting without a level leaves it there
    hierarchy = logging.Manager(root)
    _configure(root, settings.get(ROOT, ""), appenders)
    for name, setting in subset(settings, "logger.").items():
        _configure(hierarchy.getLogger(name), setting, appenders)
    additivity = subset(settings, "additivity.")
    for name in additivity:
        logger = hierarchy.getLogger(name)
        logger.propagate = switch(additivity, name, logger.propagate)
    return hierarchy


def _configure(logger: logging.Logger, setting: str, appenders: Mapping[str, Appender]) -> None:
    """Give a logger the level and the appenders that ``LEVEL, appender, …`` names."""
    if not setting:
        log.complain(messages.BAD_LOGGER.format(logger.name, setting))
        return
    name, *names = _parts(setting)
    logger.setLevel(logging.NOTSET if name in INHERITED else level(name) or logging.NOTSET)
    for handler in tuple(logger.handlers):
        logger.removeHandler(handler)
    for name in filter(None, names):
        if name in appenders:
            logger.addHandler(appenders[name])
        else:
            log.complain(messages.NO_APPENDER.format(name))


def _parts(setting: str) -> list[str]:
    return setting.replace(" ", "").split(",")
