"""The date of a signature against the validity of its certificate."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from dcmsign.stream.reports import Remark, Verdict
from dcmsign.stream.trust.certificates import Certificate
from dcmsign.stream.trust.dates import SigningDate, check_signing_date, parse_dt
from dcmsign.stream.trust.signers import _sign
from hypothesis import given
from hypothesis import strategies as st

from tests.peers import require_peer
from tests.trust import forge
from tests.trust.objects import listing, signed_object, verdict

SIGNER = forge.certificate()  # valid 2020-01-01 to 2040-01-01, 00:00:00 UTC

OF_DCMSIGN = {
    "20260101120000": SigningDate.FINE,
    "2026": SigningDate.FINE,
    "202606": SigningDate.FINE,
    "20260601": SigningDate.FINE,
    "2026060112": SigningDate.FINE,
    "202606011230": SigningDate.FINE,
    "20260601123059.5": SigningDate.FINE,
    "20260601123059.1234567": SigningDate.FINE,
    "20260601+0100": SigningDate.FINE,
    "2026+0100": SigningDate.FINE,
    "20260601123000-0000": SigningDate.FINE,
    "20260601123000+1400": SigningDate.FINE,
    "20260601123000\\foo": SigningDate.FINE,
    "20200101000000": SigningDate.NOT_YET_VALID,
    "20200101000000.999999": SigningDate.NOT_YET_VALID,
    "2020": SigningDate.NOT_YET_VALID,
    "20200101000001": SigningDate.FINE,
    "20191231235959": SigningDate.NOT_YET_VALID,
    "00010101": SigningDate.NOT_YET_VALID,
    "20391231235959": SigningDate.FINE,
    "20391231235959.999999": SigningDate.FINE,
    "20400101000000": SigningDate.EXPIRED,
    "2040": SigningDate.EXPIRED,
    "99991231235959": SigningDate.EXPIRED,
    "": SigningDate.NOT_A_DATE,
    "20260601123061": SigningDate.NOT_A_DATE,
    "20260601126000": SigningDate.NOT_A_DATE,
    "20260601240000": SigningDate.NOT_A_DATE,
    "20260601123059.": SigningDate.NOT_A_DATE,
    "20260601123000+9999": SigningDate.NOT_A_DATE,
    "20260601123000+1460": SigningDate.NOT_A_DATE,
    "20260601123000-1300": SigningDate.NOT_A_DATE,
    "20260601123000+01:00": SigningDate.NOT_A_DATE,
    "20260601123000Z": SigningDate.NOT_A_DATE,
    "202606011230+01": SigningDate.NOT_A_DATE,
    "20260601-": SigningDate.NOT_A_DATE,
    "20261301": SigningDate.NOT_A_DATE,
    "20260631999999": SigningDate.NOT_A_DATE,
    "20260601 1230": SigningDate.NOT_A_DATE,
    " 20260601": SigningDate.NOT_A_DATE,
    "20260601123000\0": SigningDate.NOT_A_DATE,
    "foo\\20260601123000": SigningDate.NOT_A_DATE,
    "2026-06-01": SigningDate.NOT_A_DATE,
    "2026060": SigningDate.NOT_A_DATE,
    "20260601123": SigningDate.NOT_A_DATE,
    "x" * 64: SigningDate.NOT_A_DATE,
    "\xff\xfe": SigningDate.NOT_A_DATE,
}
"""Where dcmsign agrees."""

OURS = {
    # dcmsign ignores the offset
    "20200101003000+0100": (SigningDate.NOT_YET_VALID, "OK"),
    "20191231233000-0100": (SigningDate.FINE, Verdict.NOT_YET_VALID_WHEN_SIGNED.value),
    "20400101003000+0100": (SigningDate.FINE, Verdict.EXPIRED_WHEN_SIGNED.value),
    "20391231233000-0100": (SigningDate.EXPIRED, "OK"),
    # dcmsign does not know leap seconds, and takes days that do not exist for expiry
    "20260601123060": (SigningDate.FINE, Verdict.EXPIRED_WHEN_SIGNED.value),
    "20260230": (SigningDate.NOT_A_DATE, Verdict.EXPIRED_WHEN_SIGNED.value),
    "20260229": (SigningDate.NOT_A_DATE, Verdict.EXPIRED_WHEN_SIGNED.value),
    # years Python cannot count
    "00000101": (SigningDate.NOT_A_DATE, Verdict.NOT_YET_VALID_WHEN_SIGNED.value),
    "00010101000000+1400": (SigningDate.NOT_A_DATE, Verdict.NOT_YET_VALID_WHEN_SIGNED.value),
    "99991231235959-1200": (SigningDate.NOT_A_DATE, Verdict.EXPIRED_WHEN_SIGNED.value),
}
"""Where dcmsign differs: what it says."""


@pytest.mark.parametrize("text", [*OF_DCMSIGN, *OURS])
def test_check(text: str) -> None:
    expected = OF_DCMSIGN[text] if text in OF_DCMSIGN else OURS[text][0]
    assert check_signing_date(text, Certificate.from_der(SIGNER)) is expected


@pytest.mark.parametrize("text", [*OF_DCMSIGN, *OURS])
def test_dcmsign_says(text: str, tmp_path: Path) -> None:
    dcmsign = require_peer("dcmsign")
    anchor, signed = tmp_path / "anchor.pem", tmp_path / "signed.dcm"
    anchor.write_bytes(forge.pem(SIGNER))
    signed.write_bytes(
        signed_object(SIGNER, lambda digest: _sign(forge.signing_key(), digest, "SHA256"), date=text.encode("latin-1"))
    )
    expected = OF_DCMSIGN[text].verdict.value if text in OF_DCMSIGN else OURS[text][1]
    assert verdict(listing(dcmsign, signed, "+cf", anchor)) == expected


def test_missing_date() -> None:
    result = check_signing_date(None, Certificate.from_der(SIGNER))
    assert result is SigningDate.MISSING
    assert (result.verdict, result.remark) == (Verdict.EXPIRED_WHEN_SIGNED, Remark.BAD_DATE_ATTRIBUTE)


def test_only_a_missing_date_has_a_remark() -> None:
    assert [kind for kind in SigningDate if kind.remark] == [SigningDate.MISSING]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026", datetime(2026, 1, 1, tzinfo=UTC)),
        ("202607-0230", datetime(2026, 7, 1, 2, 30, tzinfo=UTC)),
        ("20260731235960", datetime(2026, 8, 1, tzinfo=UTC)),
        ("20261122124714.996183+0100", datetime(2026, 11, 22, 11, 47, 14, tzinfo=UTC)),
        ("20261122124714   ", datetime(2026, 11, 22, 12, 47, 14, tzinfo=UTC)),
        ("20240229", datetime(2024, 2, 29, tzinfo=UTC)),
        ("٢٠٢٦", None),
        ("9" * 1_000_000, None),
        ("20260101120000." + "9" * 1_000_000, datetime(2026, 1, 1, 12, tzinfo=UTC)),
        ("\\2026", None),
        ("+0100", None),
        ("2026\n", None),
    ],
    ids=lambda value: str(value)[:30],
)
def test_parse(text: str, expected: datetime | None) -> None:
    assert parse_dt(text) == expected


@given(st.datetimes(datetime(2, 1, 1), datetime(9998, 12, 31)), st.integers(-12 * 60, 14 * 60))
def test_offsets(time: datetime, minutes: int) -> None:
    text = f"{time.year:04}{time:%m%d%H%M%S}{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02}{abs(minutes) % 60:02}"
    assert parse_dt(text) == time.replace(microsecond=0, tzinfo=UTC) - timedelta(minutes=minutes)


@given(st.text(alphabet="0123456789+-.\\ \0x٢", max_size=30) | st.text(max_size=40))
def test_anything_is_a_date_or_none(text: str) -> None:
    result = parse_dt(text)
    assert result is None or result.tzinfo is UTC
