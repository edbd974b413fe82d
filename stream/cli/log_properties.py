"""The file behind ``--log-config``: lines ``key = value`` with ``${name}`` in them, as DCMTK's logging library reads it."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping

from . import log, messages
from .grammar import UsageError

PREFIX = "log4cplus."
ROOT = "rootLogger"

MAX_FILE = 256 * 1024
"""Bytes of a configuration file; one with a comment for every setting has ten thousand."""
MAX_SUBSTITUTIONS = 1000
MAX_TEXT = 64 * 1024
"""Characters of a key or value after substitution."""
MAX_PASSES = 10
_WHITE_SPACE = " \t\r\v\f"


def load(file: str) -> dict[str, str]:
    """The settings of a file, substituted, without the prefix all of them have.

    Raises UsageError if the file cannot be read or has no root logger. DCMTK looks for the root logger before it
    substitutes, so do we.
    """
    try:
        with open(file, "rb") as stream:
            data = stream.read(MAX_FILE + 1)
    except (OSError, ValueError):
        raise UsageError(messages.UNREADABLE_LOG_CONFIG) from None
    if len(data) > MAX_FILE:
        raise UsageError(messages.LOG_CONFIG_TOO_LARGE.format(MAX_FILE))
    properties = parse(os.fsdecode(data))
    if not properties:
        raise UsageError(messages.EMPTY_LOG_CONFIG)
    if not subset(properties, PREFIX):
        raise UsageError(messages.FOREIGN_LOG_CONFIG)
    if PREFIX + ROOT not in properties:
        raise UsageError(messages.NO_ROOT_LOGGER)
    properties.update(predefined())
    Substitution(properties).run()
    return subset(properties, PREFIX)


def parse(text: str) -> dict[str, str]:
    """The settings as they stand; of several with the same key the last one counts."""
    properties = {}
    for line in text.split("\n"):
        key, equals, value = line.lstrip(_WHITE_SPACE).partition("=")
        if equals and not key.startswith("#"):
            properties[key.rstrip(_WHITE_SPACE)] = value.strip(_WHITE_SPACE)
    return properties


def predefined() -> dict[str, str]:
    """Names that stand for facts of this run; settings of the same name do not count."""
    now = time.localtime()
    return {
        "appname": "dcmsign",
        "pid": str(os.getpid()),
        "date": time.strftime("%Y%m%d", now),
        "time": time.strftime("%H%M%S", now),
        "hostname": os.uname().nodename,
    }


def subset(properties: Mapping[str, str], prefix: str) -> dict[str, str]:
    """The settings whose keys begin with a prefix, without it, in the order of the keys."""
    found = sorted(key for key in properties if key.startswith(prefix))
    return {key[len(prefix) :]: properties[key] for key in found}


class Substitution:
    """Replaces ``${name}`` in keys and values, by a setting or, if it is empty, by a variable of the environment.

    What has been put in is looked at again. A file that refers to itself does not end the program: replacements,
    passes and lengths are limited.
    """

    def __init__(self, properties: dict[str, str]) -> None:
        self._properties = properties
        self._left = MAX_SUBSTITUTIONS

    def run(self) -> None:
        """Substitute until nothing changes."""
        for _ in range(MAX_PASSES):
            if not self._pass():
                break

    def _pass(self) -> bool:
        changed = False
        for key in sorted(self._properties):
            value = self._properties[key]
            new_key, new_value = self._expanded(key), self._expanded(value)
            if new_key != key:
                del self._properties[key]
            self._properties[new_key] = new_value
            changed |= (new_key, new_value) != (key, value)
        return changed

    def _expanded(self, text: str) -> str:
        result, position = text, 0
        while (start := result.find("${", position)) >= 0:
            end = result.find("}", start)
            if end < 0:
                log.complain(messages.NO_CLOSING_BRACE.format(result, start))
                return text
            name = result[start + 2 : end]
            value = self._properties.get(name) or os.environ.get(name, "")
            if not value:
                position = end + 1
                continue
            result = result[:start] + value + result[end + 1 :]
            self._left -= 1
            if self._left < 0 or len(result) > MAX_TEXT:
                log.complain(messages.ENDLESS_SUBSTITUTION.format(text[:80]))
                return text
        return result
