"""Values of settings of a log configuration: levels, switches, numbers."""

from __future__ import annotations

import re
from collections.abc import Mapping

from . import log

Settings = Mapping[str, str]
"""What a configuration says about one appender, layout or filter."""

_SWITCHES = {"true": True, "false": False}
_NUMBER = re.compile(r"\s*([+-]?[0-9]{1,18})\s*", re.ASCII)
_LEADING_NUMBER = re.compile(r"\s*([+-]?[0-9]{1,18})", re.ASCII)


def level(text: str) -> int | None:
    """The level with this name, None if there is none. "all" is the lowest level that exists."""
    value = log.LEVELS.get(text.lower())
    return None if value is None else max(value, log.TRACE)


def switch(settings: Settings, key: str, default: bool) -> bool:
    """True, false or a number; the default if the setting is absent or anything else."""
    text = settings.get(key, "")
    value = _SWITCHES.get(text.strip().lower())
    return bool(number(settings, key, int(default))) if value is None else value


def number(settings: Settings, key: str, default: int) -> int:
    """A whole number; the default if the setting is absent or anything else."""
    match = _NUMBER.fullmatch(settings.get(key, ""))
    return default if match is None else int(match[1])


def leading_number(text: str) -> int:
    """The number a text begins with, 0 without one."""
    match = _LEADING_NUMBER.match(text)
    return 0 if match is None else int(match[1])
