"""What the library asks of certified timestamps beyond dcmsign's checks, and what good ones are good for."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from dcmsign.stream import (
    Certificate,
    Encoding,
    RevocationList,
    TimestampPolicy,
    TimestampRules,
    Trust,
    Verdict,
    VerificationReport,
    load_certificates,
    verify,
)

from tests.tsa.stamped import VECTORS, read

pytestmark = pytest.mark.anyio

DCMSIGN = TimestampRules.DCMSIGN
STAMPED_AT = datetime(2026, 11, 22, 13, 2, 23, tzinfo=UTC)
"""The time of the token of granted-sha256."""

LATER = datetime(2030, 1, 1, tzinfo=UTC)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def certificate(name: str) -> Certificate:
    (found,) = load_certificates(read(f"pki/{name}.pem"), Encoding.PEM, name=name)
    return found


def trust(*lists: str | RevocationList) -> Trust:
    loaded = Trust.load(
        trusted=[VECTORS / "pki" / "ca.pem"],
        revocation_lists=[VECTORS / "pki" / name for name in lists if isinstance(name, str)],
    )
    return loaded + Trust(revocation_lists=tuple(made for made in lists if isinstance(made, RevocationList)))


async def judged(name: str, trusted: Trust, rules: TimestampRules = TimestampRules.STRICT, **options: Any) -> VerificationReport:
    return await verify(VECTORS / "stamped" / f"{name}.dcm", trust=trusted, timestamp_rules=rules, **options)


async def reason(name: str, trusted: Trust, rules: TimestampRules = TimestampRules.STRICT, **options: Any) -> str | None:
    """Why the timestamp is not good; the verdict on the object follows."""
    report = await judged(name, trusted, rules, **options)
    stamp = report.signatures[0].timestamp
    assert stamp is not None
    assert report.ok == (stamp.reason is None)
    return stamp.reason


@pytest.mark.parametrize(
    ("name", "expected", "relaxed"),
    [
        ("granted-sha256", None, TimestampRules()),
        ("time-in-future", "timestamp lies in the future", TimestampRules(check_time=False)),
        ("time-in-future", "timestamp lies in the future", TimestampRules(tolerance=timedelta(days=40000))),
        ("time-before-signature", "timestamp is older than the signature", TimestampRules(check_time=False)),
        ("granted-sha1", "weak digest algorithm sha1", TimestampRules(refuse_weak_digests=False)),
        ("granted-md5", "weak digest algorithm md5", TimestampRules(refuse_weak_digests=False)),
    ],
)
async def test_time_and_digests(name: str, expected: str | None, relaxed: TimestampRules) -> None:
    """dcmsign is content with all of them."""
    assert await reason(name, trust()) == expected
    assert await reason(name, trust(), relaxed) is None
    assert await reason(name, trust(), DCMSIGN) is None


async def test_the_future_is_what_lies_behind_the_time_of_the_check() -> None:
    at = STAMPED_AT - timedelta(minutes=6)
    assert await reason("granted-sha256", trust(), at=at) == "timestamp lies in the future"
    assert await reason("granted-sha256", trust(), at=at + timedelta(minutes=1, seconds=1)) is None


async def test_a_revoked_authority() -> None:
    revoked = trust("tsa-revoked.crl")
    assert await reason("granted-sha256", revoked) == "certificate verify error"
    assert await reason("granted-sha256", revoked, TimestampRules(revocation=False)) is None
    assert await reason("granted-sha256", revoked, DCMSIGN) is None
    assert await reason("granted-sha256", trust("empty.crl")) is None
    # without a list nothing is known, and who insists is not content with that
    assert await reason("granted-sha256", trust(), TimestampRules(revocation=True)) == "certificate verify error"


def revocation_list(*revoked: tuple[str, datetime, x509.ReasonFlags | None], at: datetime = LATER) -> RevocationList:
    """A list of the vectors' authority, a day old."""
    key: Any = serialization.load_pem_private_key(read("pki/ca.key"), None)
    builder = x509.CertificateRevocationListBuilder(
        issuer_name=x509.load_pem_x509_certificate(read("pki/ca.pem")).subject,
        last_update=at - timedelta(days=1),
        next_update=at + timedelta(days=30),
    )
    for name, date, why in revoked:
        entry = x509.RevokedCertificateBuilder().serial_number(certificate(name).serial).revocation_date(date)
        if why is not None:
            entry = entry.add_extension(x509.CRLReason(why), critical=False)
        builder = builder.add_revoked_certificate(entry.build())
    made = builder.sign(key, hashes.SHA256())
    return RevocationList.from_der(made.public_bytes(serialization.Encoding.DER))


BEFORE, AFTER = STAMPED_AT - timedelta(seconds=1), STAMPED_AT + timedelta(days=1)
SUPERSEDED, COMPROMISED = x509.ReasonFlags.superseded, x509.ReasonFlags.key_compromise


@pytest.mark.parametrize(
    ("date", "why", "accepted"),
    [
        (AFTER, None, True),
        (AFTER, SUPERSEDED, True),
        (AFTER, COMPROMISED, False),
        (BEFORE, None, False),
        (BEFORE, SUPERSEDED, False),
    ],
)
async def test_a_signer_revoked_later(date: datetime, why: x509.ReasonFlags | None, accepted: bool) -> None:
    """The timestamp says that the signature was there before."""
    trusted = trust(revocation_list(("signer", date, why)))
    report = await judged("granted-sha256", trusted, at=LATER)
    signature = report.signatures[0]
    assert (signature.verdict, signature.chain_error) == (Verdict.UNTRUSTED, "certificate revoked")
    assert signature.timestamp is not None
    assert signature.timestamp.ok
    assert signature.timestamp.extends_validity is accepted
    assert (report.ok, signature.trusted) == (accepted, accepted)
    for others in (DCMSIGN, TimestampRules(late_revocation=False)):
        assert not (await judged("granted-sha256", trusted, others, at=LATER)).ok
    assert not (await judged("granted-sha256", trusted, at=LATER, timestamps=TimestampPolicy.IGNORE)).ok


async def test_a_bad_timestamp_saves_nobody() -> None:
    trusted = trust(revocation_list(("signer", AFTER, None)))
    for name in ("tampered-signature", "tsa-noeku", "granted-sha1", "time-before-signature", "ess-none"):
        report = await judged(name, trusted, at=LATER)
        assert not report.ok
        assert not report.signatures[0].trusted
    both = trust(revocation_list(("signer", AFTER, None), ("tsa", BEFORE, SUPERSEDED)))
    assert not (await judged("granted-sha256", both, at=LATER)).ok


@pytest.mark.parametrize(("why", "accepted"), [(SUPERSEDED, True), (None, False), (COMPROMISED, False)])
async def test_an_authority_revoked_later(why: x509.ReasonFlags | None, accepted: bool) -> None:
    """Its earlier timestamps stay good only if the list gives a harmless reason (RFC 3161 4)."""
    trusted = trust(revocation_list(("tsa", AFTER, why)))
    assert await reason("granted-sha256", trusted, at=LATER) == (None if accepted else "certificate verify error")
    strict = TimestampRules(late_revocation=False)
    assert await reason("granted-sha256", trusted, strict, at=LATER) == "certificate verify error"


async def test_expired_and_revoked() -> None:
    """What holds for those who expired holds without any list: the chain has to be valid at the token's time."""
    assert (await judged("healed", trust())).ok
    assert (await judged("healed", trust(), DCMSIGN)).ok
    assert not (await judged("healed-late", trust())).ok
