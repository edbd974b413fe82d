"""The time a DT value stands for (PS3.5 6.2)."""

from __future__ import annotations

import re
from typing import NamedTuple

_DATE_TIME = re.compile(r"(\d{4})(\d\d)?(\d\d)?(\d\d)?(\d\d)?(\d\d)?(\.\d{1,6})?([+-])?(?(8)(\d\d)(\d\d))", re.ASCII)
_SECOND = 1_000_000
_UNITS = (86400 * _SECOND, 3600 * _SECOND, 60 * _SECOND, _SECOND)
"""Microseconds of a day, an hour, a minute and a second."""

_LARGEST = (9999, 12, 31, 23, 59, 60)
_SMALLEST = (1, 1, 1, 0, 0, 0)


class Span(NamedTuple):
    """Microseconds from the beginning to before the end of the time a value stands for, in UTC if `in_utc`.

    A value without an offset from UTC is in a time zone that it does not tell.
    """

    in_utc: bool
    start: int
    end: int


def span_of(text: str) -> Span | None:
    """The time a DT value stands for, None if it is no DT value; one without a time, say, stands for the whole day."""
    found = _DATE_TIME.fullmatch(text)
    if found is None:
        return None
    given = [int(number) for number in found.groups()[:6] if number is not None]
    parts = [*given, *_SMALLEST[len(given) :]]
    if any(not least <= part <= most for least, part, most in zip(_SMALLEST, parts, _LARGEST, strict=True)):
        return None
    year, month, day = parts[:3]
    first, next_month = _days(year, month), _days(year + month // 12, month % 12 + 1)
    if day > next_month - first:
        return None
    start = sum(part * unit for part, unit in zip((first + day - 1, *parts[3:]), _UNITS, strict=True))
    end = start
    if len(given) == 1:
        end = _days(year + 1, 1) * _UNITS[0]
    elif len(given) == 2:
        end = next_month * _UNITS[0]
    else:
        end += _UNITS[len(given) - 3]
    fraction, sign, hours, minutes = found.groups()[6:]
    if fraction is not None:
        start += int(fraction[1:].ljust(6, "0"))
        end = start + 10 ** (7 - len(fraction))
    if sign is None:
        return Span(False, start, end)
    shift = (int(hours) * 60 + int(minutes)) * _UNITS[2] * (-1 if sign == "-" else 1)
    return Span(True, start - shift, end - shift)


def _days(year: int, month: int) -> int:
    """Days before a month, in the Gregorian calendar; years begin in March here, so that the leap day is their last."""
    if month <= 2:
        year -= 1
    return 365 * year + year // 4 - year // 100 + year // 400 + (153 * ((month + 9) % 12) + 2) // 5
