"""Options of --verify that ask more of timestamps than dcmsign does, and what dcmsign says."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.cli.conftest import Bench, Outcome
from tests.tsa.stamped import VECTORS

SIGNER, AUTHORITY = 0x3E9, 0x3EE
STAMPED_AT = datetime(2026, 11, 22, 13, 2, 23, tzinfo=UTC)
"""About the time of the timestamp in granted-sha256.dcm."""

TRUSTED = ("+cf", str(VECTORS / "pki/ca.pem"))
GOOD = "stamped/granted-sha256.dcm"
VERDICT, FAILED = "Timestamp Verification", "timestamp signature verification failed: "


def verdicts(outcome: Outcome) -> list[str]:
    """What follows the number of the only signature."""
    return [line.removeprefix("W:   ") for line in outcome.err.splitlines()[1:]]


def both(bench: Bench, *arguments: str) -> Outcome:
    """What both programs say."""
    ours = bench.ours(*arguments)
    assert ours == bench.reference(*arguments)
    return ours


def revocation_list(
    folder: Path, serial: int, date: datetime, reason: x509.ReasonFlags | None = x509.ReasonFlags.superseded
) -> tuple[str, str]:
    """The option for a list of the vectors' authority on which one certificate stands."""
    now = datetime.now(UTC)
    entry = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(date)
    if reason is not None:
        entry = entry.add_extension(x509.CRLReason(reason), critical=False)
    issuer = x509.load_pem_x509_certificate((VECTORS / "pki/ca.pem").read_bytes())
    key = serialization.load_pem_private_key((VECTORS / "pki/ca.key").read_bytes(), None)
    builder = x509.CertificateRevocationListBuilder().issuer_name(issuer.subject).add_revoked_certificate(entry.build())
    builder = builder.last_update(now - timedelta(minutes=1)).next_update(now + timedelta(days=1))
    assert isinstance(key, rsa.RSAPrivateKey)
    signed = builder.sign(key, hashes.SHA256())
    path = folder / f"{serial}.crl"
    path.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    return "+cr", str(path)


@pytest.mark.parametrize(
    ("option", "vector", "reason"),
    [
        ("--ts-check-time", "time-in-future", "timestamp lies in the future"),
        ("--ts-check-time", "time-before-signature", "timestamp is older than the signature"),
        ("--ts-refuse-weak", "granted-sha1", "weak digest algorithm sha1"),
        ("--ts-refuse-weak", "granted-md5", "weak digest algorithm md5"),
    ],
)
def test_rules(bench: Bench, option: str, vector: str, reason: str) -> None:
    file = str(VECTORS / f"stamped/{vector}.dcm")
    assert both(bench, *TRUSTED, file).code == 0
    done = bench.ours(*TRUSTED, option, file)
    assert (done.code, verdicts(done)) == (101, ["Signature Verification : OK", f"{VERDICT} : {FAILED}{reason}"])
    every = {"--ts-check-time", "--ts-refuse-weak", "--ts-late-revocation"}
    assert bench.ours(*TRUSTED, *(every - {option}), file).code == 0
    assert bench.ours(*TRUSTED, option, str(VECTORS / GOOD)).code == 0


def test_revoked_authority(bench: Bench) -> None:
    lists = ("+cr", str(VECTORS / "pki/tsa-revoked.crl"))
    file = str(VECTORS / GOOD)
    assert both(bench, *TRUSTED, *lists, file).code == 0
    done = bench.ours(*TRUSTED, *lists, "--ts-crl-vfy", file)
    assert (done.code, verdicts(done)[1]) == (101, f"{VERDICT} : {FAILED}certificate verify error")
    assert bench.ours(*TRUSTED, "--ts-crl-vfy", file).code == 101  # there is no list at all
    assert bench.ours(*TRUSTED, "+cr", str(VECTORS / "pki/empty.crl"), "--ts-crl-vfy", file).code == 0


def test_authority_revoked_later(bench: Bench) -> None:
    lists = revocation_list(bench.folder, AUTHORITY, STAMPED_AT + timedelta(hours=1))
    line = (*TRUSTED, *lists, "--ts-crl-vfy", str(VECTORS / GOOD))
    assert bench.ours(*line).code == 101
    done = bench.ours(*line, "--ts-late-revocation")
    assert (done.code, verdicts(done)) == (0, ["Signature Verification : OK", f"{VERDICT} : OK"])
    revocation_list(bench.folder, AUTHORITY, STAMPED_AT - timedelta(hours=1))
    assert bench.ours(*line, "--ts-late-revocation").code == 101


REVOKED = "Signature Verification : signature is OK but certificate verification failed: certificate revoked"


def test_signer_revoked_later(bench: Bench) -> None:
    file = str(VECTORS / GOOD)
    lists = revocation_list(bench.folder, SIGNER, STAMPED_AT + timedelta(hours=1))
    assert verdicts(both(bench, *TRUSTED, *lists, file)) == [REVOKED]
    line = (*TRUSTED, *lists, "--ts-late-revocation", file)
    done = bench.ours(*line)
    trusted = f"{VERDICT} : OK, signer was trusted at the time of the timestamp."
    assert (done.code, verdicts(done)) == (0, [REVOKED, trusted])
    detailed = bench.ours("-v", *line).err.splitlines()
    assert "I:   Certified timestamp         : CMS_TSP version 1" in detailed
    assert "I: 1 signatures verified in dataset, 0 corrupted." in detailed
    ignored = bench.ours("-tv", *line)
    assert (ignored.code, verdicts(ignored)) == (101, [REVOKED])


@pytest.mark.parametrize(
    ("hours", "reason"), [(-1, x509.ReasonFlags.superseded), (1, x509.ReasonFlags.key_compromise)], ids=["earlier", "compromise"]
)
def test_signer_revoked_for_that_time_too(bench: Bench, hours: int, reason: x509.ReasonFlags) -> None:
    """The timestamp is good, and told about, but it does not help."""
    lists = revocation_list(bench.folder, SIGNER, STAMPED_AT + timedelta(hours=hours), reason)
    done = bench.ours(*TRUSTED, *lists, "--ts-late-revocation", str(VECTORS / GOOD))
    assert (done.code, verdicts(done)) == (101, [REVOKED, f"{VERDICT} : OK"])


def test_revoked_signer_without_timestamp(bench: Bench) -> None:
    file = str(VECTORS / "signed/sha256.dcm")
    lists = revocation_list(bench.folder, SIGNER, STAMPED_AT + timedelta(hours=1))
    done = bench.ours(*TRUSTED, *lists, "--ts-late-revocation", file)
    assert (done.code, verdicts(done)) == (101, [REVOKED])
    done = bench.ours(*TRUSTED, *lists, "--ts-late-revocation", "+tr", file)
    required = "Certified timestamp : absent, but required by timestamp policy"
    assert (done.code, verdicts(done)) == (101, [REVOKED, required])


@pytest.mark.parametrize("name", ["healed", "healed-late", "granted-sha256"])
def test_expired_signers_are_told_about_as_by_dcmsign(bench: Bench, name: str) -> None:
    """With all stricter rules, where they make no difference."""
    file = str(VECTORS / f"stamped/{name}.dcm")
    plain = both(bench, *TRUSTED, file)
    assert bench.ours(*TRUSTED, "--ts-refuse-weak", "--ts-late-revocation", file) == plain
