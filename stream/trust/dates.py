"""The date of a signature against the validity of its certificate (PS3.5 6.2 DT, PS3.3 C.12.1.1.3.1)."""

from __future__ import annotations

import enum
import re
from datetime import UTC, datetime, timedelta
from typing import Final

from ..reports import Remark, Verdict
from .certificates import Certificate

_DT: Final = re.compile(
    r"([0-9]{4})(?:([0-9]{2})(?:([0-9]{2})(?:([0-9]{2})(?:([0-9]{2})(?:([0-9]{2})(?:\.[0-9]+)?)?)?)?)?)?"
    r"(?:([+-])([0-9]{2})([0-9]{2}))?"
)
_WEST: Final = timedelta(hours=-12)
_EAST: Final = timedelta(hours=14)
"""The offsets from UTC that PS3.5 allows."""


class SigningDate(enum.Enum):
    """What the date of a signature says about its certificate."""

    FINE = "within the validity"
    MISSING = "missing, or not of VR DT"
    NOT_A_DATE = "empty or no date"
    EXPIRED = "not earlier than the end of the validity"
    NOT_YET_VALID = "not later than the beginning of the validity"

    @property
    def verdict(self) -> Verdict:
        """The verdict that follows, OK if none."""
        return _VERDICTS[self]

    @property
    def remark(self) -> Remark | None:
        """What is worth telling besides the verdict."""
        return Remark.BAD_DATE_ATTRIBUTE if self is SigningDate.MISSING else None


_VERDICTS: Final = {
    SigningDate.FINE: Verdict.OK,
    SigningDate.MISSING: Verdict.EXPIRED_WHEN_SIGNED,
    SigningDate.NOT_A_DATE: Verdict.BAD_DATE,
    SigningDate.EXPIRED: Verdict.EXPIRED_WHEN_SIGNED,
    SigningDate.NOT_YET_VALID: Verdict.NOT_YET_VALID_WHEN_SIGNED,
}


def parse_dt(value: str) -> datetime | None:
    """The first value of a DT data element as an aware datetime in UTC; None if it is no date.

    Missing parts count as month 1, day 1, 00:00:00; fractions of seconds are dropped; a leap second (60) counts as
    the second that follows it. The offset from UTC is applied (dcmsign ignores it); without one the time is taken for
    UTC.
    """
    match = _DT.fullmatch(value.partition("\\")[0].rstrip(" "))
    if match is None:
        return None
    year, month, day, hour, minute, second = (
        int(part or least) for part, least in zip(match.groups(), (0, 1, 1, 0, 0, 0), strict=False)
    )
    offset = timedelta()
    if match[7]:
        offset = timedelta(hours=int(match[8]), minutes=int(match[9])) * (-1 if match[7] == "-" else 1)
        if not (_WEST <= offset <= _EAST and int(match[9]) < 60):
            return None
    leap = second == 60
    try:
        return datetime(year, month, day, hour, minute, 59 if leap else second, tzinfo=UTC) + timedelta(seconds=leap) - offset
    except (ValueError, OverflowError):
        return None


def earliest(value: str) -> datetime | None:
    """The earliest moment (UTC) that a DT can mean: without an offset from UTC it may be from the easternmost time zone."""
    date = parse_dt(value)
    match = _DT.fullmatch(value.partition("\\")[0].rstrip(" "))
    if date is None or match is None or match[7]:
        return date
    try:
        return date - _EAST
    except OverflowError:
        return datetime.min.replace(tzinfo=UTC)


def check_signing_date(value: str | None, certificate: Certificate) -> SigningDate:
    """Compare Digital Signature DateTime (0400,0105) with the validity of the signer's certificate.

    `value` is the text of the data element, None if it is absent or not of VR DT. The date must be later than the
    beginning and earlier than the end of the validity; equality fails.
    """
    if value is None:
        return SigningDate.MISSING
    date = parse_dt(value)
    if date is None:
        return SigningDate.NOT_A_DATE
    if date >= certificate.not_after:
        return SigningDate.EXPIRED
    if date <= certificate.not_before:
        return SigningDate.NOT_YET_VALID
    return SigningDate.FINE
