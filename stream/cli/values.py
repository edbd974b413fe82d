"""Values of the options about time-stamping authorities and many files: their form, and which of them must not be shown."""

from __future__ import annotations

import re
from typing import Final

from . import messages
from .grammar import CommandLine, UsageError

PASSWORD_VARIABLE: Final = "DCMSIGN_TS_PASSWORD"
"""The environment variable with the password for --ts-user."""

_SECRET_OPTIONS: Final = frozenset({"--use-passwd"})
_URL_OPTIONS: Final = frozenset({"--timestamp-url", "--request-timestamp"})
# patterns as text: re compiles them when they are first used, which most runs never do
_USER_IN_URL: Final = r"(?s)\A([A-Za-z][A-Za-z0-9+.-]*:)?(//)?.*@"
# few enough digits for every clock and calendar
_SECONDS: Final = r"(?a)\d{1,6}(\.\d{1,6})?|\.\d{1,6}"
_JOBS: Final = r"(?a)[1-9]\d{0,2}"
_RETRIES: Final = r"(?a)\d{1,2}"


def seconds(option: str, text: str) -> float:
    """A number of seconds, from 0 to below a million, with or without decimals. Raises UsageError."""
    if not re.fullmatch(_SECONDS, text):
        raise UsageError(messages.BAD_VALUE.format(option, text))
    return float(text)


def timeout(option: str, text: str) -> float:
    """As `seconds`, but more than 0. Raises UsageError."""
    value = seconds(option, text)
    if not value:
        raise UsageError(messages.BAD_VALUE.format(option, text))
    return value


def retries(option: str, text: str) -> int:
    """A number from 0 to 99. Raises UsageError."""
    if not re.fullmatch(_RETRIES, text):
        raise UsageError(messages.BAD_VALUE.format(option, text))
    return int(text)


def jobs(option: str, text: str) -> int:
    """A number from 1 to 999. Raises UsageError."""
    if not re.fullmatch(_JOBS, text):
        raise UsageError(messages.BAD_VALUE.format(option, text))
    return int(text)


def user(option: str, text: str) -> str:
    """A user name as basic authentication takes it (RFC 7617 2). Raises UsageError."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise UsageError(messages.BAD_USER.format(option)) from None
    if ":" in text:
        raise UsageError(messages.BAD_USER.format(option))
    return text


def without_credentials(option: str, text: str) -> str:
    """The text of a URL; one with user or password is refused, without being shown. Raises UsageError.

    Who looks for an @ anywhere need not agree with anybody on where the user ends (RFC 3986 3.2.1).
    """
    if "@" in text:
        raise UsageError(messages.CREDENTIALS_IN_URL.format(option))
    return text


def masked(line: CommandLine) -> tuple[str, ...]:
    """All arguments, without passwords, and without users and passwords in URLs."""
    arguments = list(line.arguments)
    for found in line.occurrences:
        for place, value in enumerate(found.values, found.position + 1):
            if found.option.long in _SECRET_OPTIONS:
                arguments[place] = messages.MASK
            elif found.option.long in _URL_OPTIONS:
                arguments[place] = re.sub(_USER_IN_URL, _mask, value)
    return tuple(arguments)


def _mask(match: re.Match[str]) -> str:
    # without // even what looks like a scheme may be a user
    scheme, slashes = match.groups()
    return f"{scheme or ''}//{messages.MASK}@" if slashes else f"{messages.MASK}@"
