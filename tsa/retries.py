"""When a time-stamping authority is asked again, and after how long."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

RETRIED_STATUSES: Final = frozenset({408, 429, 500, 502, 503, 504})
"""HTTP statuses that may be different next time (RFC 9110 §15.5, §15.6; RFC 6585 §4)."""

RETRIED_FAILURES: Final = frozenset({14, 25})
"""Failure bits of rejections that may be different next time: timeNotAvailable and systemFailure (RFC 3161 §2.4.2)."""

_MAX_DIGITS: Final = 9


def retry_after(field: str, now: float) -> float:
    """Seconds a Retry-After field asks to wait (RFC 9110 §10.2.3): a number or an HTTP date; 0 if it is neither.

    `now` is the time in seconds since the epoch, for dates.
    """
    text = field.strip()
    if text.isascii() and text.isdigit():
        return float(text[: _MAX_DIGITS + 1])
    try:
        date = parsedate_to_datetime(text)
        return max(0.0, (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp() - now)
    except (ValueError, OverflowError, IndexError, TypeError):
        return 0.0


@dataclass(frozen=True, slots=True)
class Backoff:
    """Pauses that double from round to round, cut by a random part of up to a half so that many clients do not come back at once.

    `first` and `longest` are seconds, `random` gives numbers from 0 to below 1.
    """

    first: float
    longest: float
    random: Callable[[], float]

    def pause(self, rounds: int, asked: float = 0.0) -> float:
        """Seconds to wait after `rounds` fruitless rounds (from 1): what the authority `asked` for or more, `longest` or less."""
        doubled = self.first * 2.0 ** min(rounds - 1, 30)
        return min(max(doubled * (1 - self.random() / 2), asked), self.longest)


def now() -> float:
    """Seconds since the epoch, as `retry_after` wants them."""
    return datetime.now(UTC).timestamp()
