"""Filters of a log configuration: a chain that accepts a message, denies it, or leaves the decision to the next one."""

from __future__ import annotations

import logging
from collections.abc import Callable

from . import log, messages
from .log_properties import subset
from .log_settings import Settings, level, switch

Decision = bool | None
"""True accepts, False denies, None leaves it to the next filter."""
Decide = Callable[[logging.LogRecord], Decision]


class FilterChain(logging.Filter):
    """The filters 1, 2, … of an appender; a chain without decision accepts."""

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        self._deciders: list[Decide] = []
        number = 1
        while (name := settings.get(str(number))) is not None:
            factory = FILTERS.get(name)
            if factory is None:
                log.complain(messages.NO_FILTER_CLASS.format(name))
            else:
                self._deciders.append(factory(subset(settings, f"{number}.")))
            number += 1

    def filter(self, record: logging.LogRecord) -> bool:
        """True if the record is accepted."""
        decisions = (decide(record) for decide in self._deciders)
        return next((decision for decision in decisions if decision is not None), True)


def _accept_on_match(settings: Settings) -> bool:
    return switch(settings, "AcceptOnMatch", False)


def deny_all(settings: Settings) -> Decide:
    """Denies everything."""
    return lambda record: False


def level_match(settings: Settings) -> Decide:
    """Decides on messages of one level."""
    wanted, accept = level(settings.get("LogLevelToMatch", "")), _accept_on_match(settings)
    return lambda record: accept if record.levelno == wanted else None


def level_range(settings: Settings) -> Decide:
    """Denies messages below or above a level; the others may be accepted."""
    lowest, highest = level(settings.get("LogLevelMin", "")), level(settings.get("LogLevelMax", ""))
    inside: Decision = True if _accept_on_match(settings) else None

    def decide(record: logging.LogRecord) -> Decision:
        below = lowest is not None and record.levelno < lowest
        above = highest is not None and record.levelno > highest
        return False if below or above else inside

    return decide


def string_match(settings: Settings) -> Decide:
    """Decides on messages that contain a text."""
    wanted, accept = settings.get("StringToMatch", ""), _accept_on_match(settings)
    return lambda record: accept if wanted and wanted in log.message(record) else None


FILTERS: dict[str, Callable[[Settings], Decide]] = {
    "log4cplus::spi::DenyAllFilter": deny_all,
    "log4cplus::spi::LogLevelMatchFilter": level_match,
    "log4cplus::spi::LogLevelRangeFilter": level_range,
    "log4cplus::spi::StringMatchFilter": string_match,
}
