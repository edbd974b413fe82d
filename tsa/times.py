"""GeneralizedTime (X.680 46) as OpenSSL reads it."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Final

_TIME: Final = re.compile(
    rb"([0-9]{4})([0-9]{2})([0-9]{2})([0-9]{2})([0-9]{2})(?:([0-9]{2})(?:\.[0-9]+)?|(?=[Z+-]))"
    rb"(?:Z|(?P<sign>[+-])(?P<hours>[0-9]{2})(?P<minutes>[0-9]{2}))?"
)

_FURTHEST: Final = 12
"""Hours between UTC and a time zone."""


def parse_time(text: bytes) -> datetime | None:
    """The moment a GeneralizedTime names, in UTC, fractions of a second dropped; None if it is none.

    Digits YYYYMMDDhhmmss, perhaps a fraction, then Z, an offset from UTC, or nothing (which is taken for UTC); the seconds may
    be missing before Z or an offset. This is what OpenSSL takes, but for days that do not exist. What lies before the year 1 or
    behind 9999 counts as the nearest year.
    """
    match = _TIME.fullmatch(text)
    if match is None:
        return None
    year, month, day, hour, minute, second = (int(part or 0) for part in match.group(*range(1, 7)))
    offset_hours, offset_minutes = int(match["hours"] or 0), int(match["minutes"] or 0)
    if offset_hours > _FURTHEST or offset_minutes > 59:
        return None
    try:
        moment = datetime(max(year, 1), month, day, hour, minute, second, tzinfo=UTC)
    except ValueError:
        return None
    offset = timedelta(hours=offset_hours, minutes=offset_minutes)
    try:
        return moment + offset if match["sign"] == b"-" else moment - offset
    except OverflowError:
        return moment
