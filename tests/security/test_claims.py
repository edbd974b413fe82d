"""What SECURITY.md says that a valid signature proves, and what it does not: the attacks that leave one valid are made here."""

from __future__ import annotations

import io
import re
import struct
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pydicom
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from dcmsign.codec.dicom.options import DEFAULT_LIMITS
from dcmsign.codec.inspection.findings import FindingKind, Severity
from dcmsign.codec.inspection.mapping import Part
from dcmsign.stream import (
    Certificate,
    KeySigner,
    Policy,
    SignatureReport,
    TimestampPolicy,
    Trust,
    Verdict,
    VerificationReport,
    sign,
    verify,
)
from dcmsign.stream.trust.signers import _sign

from tests.cli.test_cli_process import run as run_command
from tests.stream.crafted import BODY, CERTIFICATE, NAME_TAG, certificate, even, signed_object, tags
from tests.stream.material import EXPLICIT, MAC_VECTORS, element, meta, sequence, signed_vector
from tests.stream.test_timestamp_rules import trust as timestamp_trust
from tests.trust import forge
from tests.trust.objects import signed_object as object_signed_by

ROOT = Path(__file__).parents[2]
SECURITY = ROOT / "SECURITY.md"
UIDS = element(0x00080016, "UI", b"1.2.840.10008.5.1.4.1.1.7\0") + element(0x00080018, "UI", b"2.25.42\0")
NAME = element(0x00100010, "PN", b"Doe^Jane")
REFERENCE = element(0x00081155, "UI", b"1.2.3.4.5.6.")

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
def trust() -> Trust:
    return Trust.load(trusted=[MAC_VECTORS / "cert-rsa.pem"])


@pytest.fixture(scope="module")
def signer() -> KeySigner:
    return KeySigner.load(MAC_VECTORS / "key-rsa.pem", MAC_VECTORS / "cert-rsa.pem")


async def signed(data: bytes, signer: KeySigner, **options: Any) -> bytes:
    target = io.BytesIO()
    await sign(data, target, signer=signer, **options)
    return target.getvalue()


def only(report: VerificationReport) -> SignatureReport:
    (signature,) = report.signatures
    return signature


def kinds(report: VerificationReport) -> set[FindingKind]:
    return {finding.kind for finding in report.findings}


# ---------------------------------------------------------------- what is out of every signature's reach


async def test_preamble_and_file_meta_information(signer: KeySigner, trust: Trust) -> None:
    """They can be changed; the report says that nothing protects them, and what became of them."""
    data = await signed(meta() + UIDS + NAME, signer)
    private = element(0x00020100, "UI", b"1.2.3.4\0") + element(0x00020102, "OB", b"anything")
    start = data.index(UIDS[:20])
    rest = element(0x00020010, "UI", EXPLICIT) + private
    head = element(0x00020000, "UL", struct.pack("<I", len(rest))) + rest
    report = await verify(b"MZ" + bytes(126) + b"DICM" + head + data[start:], trust=trust)
    assert report.ok
    assert {FindingKind.PREAMBLE_EXECUTABLE, FindingKind.PRIVATE_META} <= kinds(report)
    assert report.scope is not None
    assert {Part.PREAMBLE, Part.META} <= {entry.part for entry in report.scope.unprotected}
    assert not await accepted(b"MZ" + bytes(126) + b"DICM" + head + data[start:], Policy.RECOMMENDED, trust)


async def accepted(data: bytes, policy: Policy, trust: Trust, **options: Any) -> bool:
    report = await verify(data, trust=trust, policy=policy, **options)
    assert report.policy is not None
    return report.ok and report.policy.fulfilled


async def test_group_lengths_and_what_follows_the_object(signer: KeySigner, trust: Trust) -> None:
    data = await signed(meta() + UIDS + NAME, signer)
    place = data.index(NAME)
    added = data[:place] + element(0x00100000, "UL", struct.pack("<I", 4711)) + data[place:]
    padding = element(0xFFFCFFFC, "OB", b"whatever")
    report = await verify(added + padding, trust=trust)
    assert report.ok
    assert {FindingKind.WRONG_GROUP_LENGTH, FindingKind.TRAILING_PADDING} <= kinds(report)
    assert report.scope is not None
    assert {Part.GROUP_LENGTH, Part.PADDING} <= {entry.part for entry in report.scope.unprotected}


async def test_padding_of_texts(signer: KeySigner, trust: Trust) -> None:
    """PS3.5 6.2: it is no part of the value, and digests are made over values in their normal form."""
    data = await signed(meta() + UIDS + element(0x00100020, "LO", b"4711X "), signer)
    assert only(await verify(data.replace(b"4711X ", b"4711X\0"), trust=trust)).intact
    assert not only(await verify(data.replace(b"4711X ", b"4711XY"), trust=trust)).intact


# ---------------------------------------------------------------- completeness


async def test_what_is_not_listed_can_be_changed(trust: Trust) -> None:
    data = signed_object(parameters={})
    report = await verify(data.replace(b"1.2.3.4\0", b"6.6.6.6\0", 1), trust=trust)
    assert report.ok
    assert report.scope is not None
    assert 0x00080018 in {entry.tag for entry in report.scope.unlisted}
    assert not await accepted(data, Policy.RECOMMENDED, trust)


async def test_a_signature_can_be_copied_to_another_object(trust: Trust) -> None:
    """As long as what it lists is the same there: which object it was made for, only signed identifiers say."""
    other = element(0x00080018, "UI", b"9.9.9.9\0") + element(NAME_TAG, "PN", b"Doe^Jane") + element(0x00104000, "LT", b"ill.")
    data = signed_object(parameters={})
    copied = meta() + other + data[data.index(BODY) + len(BODY) :]
    assert (await verify(copied, trust=trust)).ok
    assert not await accepted(copied, Policy.RECOMMENDED, trust)


async def test_absence_is_not_proved(trust: Trust) -> None:
    """The list of elements is in no digest: names of absent elements can be put in and taken out, then the elements added."""
    listed = signed_object(parameters={0x04000020: tags(NAME_TAG, 0x00104000)})
    report = await verify(listed, trust=trust)
    assert report.ok
    assert only(report).scope is not None
    assert only(report).scope.absent == (0x00104000,)  # type: ignore[union-attr]
    added = BODY + element(0x00104000, "LT", b"ill.")
    assert not (await verify(signed_object(parameters={0x04000020: tags(NAME_TAG, 0x00104000)}, body=added), trust=trust)).ok
    assert (await verify(signed_object(parameters={}, body=added), trust=trust)).ok


async def test_a_second_element_of_its_kind(signer: KeySigner, trust: Trust) -> None:
    """The first one is digested, as by DCMTK; what another reader shows may be the second."""
    data = await signed(meta() + UIDS + NAME, signer)
    doubled = data + element(0x00100010, "PN", b"Roe^Joe ")
    report = await verify(doubled, trust=trust)
    assert report.ok
    assert str(pydicom.dcmread(io.BytesIO(doubled)).PatientName) == "Roe^Joe"
    assert [finding.kind for finding in report.findings if finding.kind.severity is Severity.CRITICAL] == [FindingKind.DUPLICATE]
    assert not await accepted(doubled, Policy.RECOMMENDED, trust)


# ---------------------------------------------------------------- removal


async def test_an_object_without_its_signature_is_an_unsigned_object(signer: KeySigner, trust: Trust) -> None:
    data = await signed(meta() + UIDS + NAME, signer)
    stripped = data[: data.index(struct.pack("<HH", 0x4FFE, 0x0001) + b"SQ")]
    assert not (await verify(stripped, trust=trust)).ok
    assert (await verify(stripped, trust=trust, require_signature=False)).ok
    assert not await accepted(stripped, Policy.RECOMMENDED, trust, require_signature=False)


async def test_one_of_two_signatures_can_go(trust: Trust) -> None:
    both = Trust.load(trusted=[MAC_VECTORS / "cert-rsa.pem", MAC_VECTORS / "cert-ec.pem"])
    dataset = pydicom.dcmread(signed_vector("second-signature"))
    assert len(dataset[0xFFFAFFFA].value) == 2
    for gone in (0, 1):
        copy = pydicom.dcmread(signed_vector("second-signature"))
        del copy[0xFFFAFFFA].value[gone]
        written = io.BytesIO()
        copy.save_as(written)
        report = await verify(written.getvalue(), trust=both)
        assert report.ok
        assert len(report.signatures) == 1


async def test_signatures_inside_a_signed_item_can_go() -> None:
    """No digest holds signatures: one around it does not notice."""
    both = Trust.load(trusted=[MAC_VECTORS / "cert-rsa.pem", MAC_VECTORS / "cert-ec.pem"])
    dataset = pydicom.dcmread(signed_vector("item-then-main"))
    inner = [found.location for found in (await verify(signed_vector("item-then-main"), trust=both)).signatures]
    assert inner == [((0x00081140, 1),), ()]
    item = dataset[0x00081140].value[1]
    del item[0xFFFAFFFA]
    del item[0x4FFE0001]
    written = io.BytesIO()
    dataset.save_as(written)
    report = await verify(written.getvalue(), trust=both)
    assert report.ok
    assert [found.location for found in report.signatures] == [()]


async def test_a_signed_item_can_be_moved(signer: KeySigner, trust: Trust) -> None:
    """A signature in an item says nothing about where the item stands."""
    data = await signed(meta() + UIDS + sequence(0x00081140, REFERENCE, REFERENCE), signer, location="(0008,1140)[1]")
    source = pydicom.dcmread(io.BytesIO(data))
    target = pydicom.dcmread(io.BytesIO(meta() + UIDS + element(0x00100010, "PN", b"Roe^Joe ")))
    target.add_new(0x00081110, "SQ", [source[0x00081140].value[1]])
    written = io.BytesIO()
    target.save_as(written)
    report = await verify(written.getvalue(), trust=trust)
    assert report.ok
    assert only(report).location == ((0x00081110, 0),)
    assert only(report).levels.covered.reached is False


# ---------------------------------------------------------------- who and when


async def test_a_name_proves_nothing() -> None:
    """Anybody can make a certificate with any name; only the chain to an anchor says whose key it is."""
    own, other = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    right, forged = (
        forge.certificate(key=forge.key_info(key.public_key()), signed_by=key, rest=forge.authority()) for key in (own, other)
    )
    data = object_signed_by(forged, lambda digest: _sign(other, digest, "SHA256"))
    report = await verify(data, trust=Trust((Certificate.from_der(right),)))
    assert Certificate.from_der(right).subject == Certificate.from_der(forged).subject
    assert (only(report).intact, only(report).trusted, report.ok) == (True, False, False)
    assert only(report).verdict is Verdict.UNTRUSTED


async def test_a_key_can_have_several_certificates(trust: Trust) -> None:
    """The certificate is in no digest: another one for the same key takes its place, and the chain decides about that."""
    from tests.stream.crafted import signing_key

    info = forge.key_info(signing_key().public_key())
    other = forge.certificate(subject=forge.common_name("somebody else"), key=info, signed_by=signing_key())
    data = signed_object(parameters={}, item={CERTIFICATE: element(CERTIFICATE, "OB", even(other))})
    report = await verify(data, trust=trust)
    assert (only(report).intact, only(report).trusted) == (True, False)
    assert only(report).certificate != certificate()
    assert only(report).levels.trusted.reached is False


async def test_the_date_is_what_the_signer_says(signer: KeySigner, trust: Trust) -> None:
    """Without timestamp nobody vouches for it; it is protected against everybody but the signer."""
    long_ago = signer.certificate.not_before + timedelta(days=100)
    data = await signed(meta() + UIDS + NAME, signer, clock=lambda: long_ago)
    report = await verify(data, trust=trust)
    assert report.ok
    assert only(report).signed_at is not None
    assert only(report).signed_at.startswith(f"{long_ago:%Y%m%d%H%M%S}")  # type: ignore[union-attr]
    assert only(report).levels.timestamped.reached is None
    text = only(report).signed_at.encode()  # type: ignore[union-attr]
    changed = data.replace(text, text.replace(b"00", b"11", 1) if b"00" in text else text[:-1] + b"1", 1)
    assert not (await verify(changed, trust=trust)).ok


async def test_a_timestamp_can_be_taken_away() -> None:
    """No digest holds it. Who needs one, has to ask for it."""
    dataset = pydicom.dcmread(MAC_VECTORS.parent / "tsa" / "stamped" / "granted-sha256.dcm")
    item = dataset[0xFFFAFFFA].value[0]
    del item[0x04000305]
    del item[0x04000310]
    written = io.BytesIO()
    dataset.save_as(written)
    trusted, at = timestamp_trust(), datetime(2026, 11, 22, 14, tzinfo=UTC)
    report = await verify(written.getvalue(), trust=trusted, at=at)
    assert report.ok
    assert only(report).levels.timestamped.reached is None
    assert not (await verify(written.getvalue(), trust=trusted, at=at, timestamps=TimestampPolicy.REQUIRE)).ok


async def test_nothing_is_trusted_that_was_not_given() -> None:
    """Neither what the operating system trusts, nor a self-signed certificate in the object itself."""
    report = await verify(signed_vector("purpose"))
    assert (only(report).intact, only(report).trusted) == (True, False)
    assert only(report).levels.trusted.reached is None


# ---------------------------------------------------------------- algorithms


async def test_digests_that_are_made_by_default(signer: KeySigner, tmp_path: Path) -> None:
    """SHA-256 by the library; by the command what dcmsign makes."""
    data = await signed(meta() + UIDS + NAME, signer)
    assert only(await verify(data)).mac_algorithm == "SHA256"
    (tmp_path / "in.dcm").write_bytes(meta() + UIDS + NAME)
    files = [str(MAC_VECTORS / name) for name in ("key-rsa.pem", "cert-rsa.pem")]
    done = run_command("+s", *files, str(tmp_path / "in.dcm"), str(tmp_path / "out.dcm"))
    assert done.returncode == 0, done.stderr
    assert only(await verify(tmp_path / "out.dcm")).mac_algorithm == "RIPEMD160"


@pytest.mark.parametrize(("algorithm", "recommended"), [("MD5", False), ("SHA1", False), ("RIPEMD160", True), ("SHA256", True)])
async def test_weak_digests_are_valid_unless_a_policy_says_otherwise(
    algorithm: str, recommended: bool, signer: KeySigner, trust: Trust
) -> None:
    data = await signed(meta() + UIDS + NAME, signer, mac_algorithm=algorithm)
    assert (await verify(data, trust=trust)).ok
    assert await accepted(data, Policy.RECOMMENDED, trust) == recommended


# ---------------------------------------------------------------- the document itself


def test_every_claim_names_what_shows_it() -> None:
    """The tests that are named exist."""
    text = SECURITY.read_text()
    named = re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", text)
    assert len(named) > 40
    for file, name in named:
        path = ROOT / file
        assert path.is_file(), file
        if name:
            assert re.search(rf"^(?:async )?def {name}\(", path.read_text(), re.MULTILINE), f"{file}::{name}"


def test_the_limits_are_those_of_the_code() -> None:
    rows = re.findall(r"^\| `(\w+)` \| [^|]+ \| ([\d,]+) ", SECURITY.read_text(), re.MULTILINE)
    assert {name: int(number.replace(",", "")) for name, number in rows} == DEFAULT_LIMITS._asdict()


def test_the_tests_of_claims_are_all_named() -> None:
    """What is shown here is said there."""
    text = SECURITY.read_text()
    own = re.findall(r"^(?:async )?def (test_\w+)\(", Path(__file__).read_text(), re.MULTILINE)
    told = [name for name in own if name not in text]
    assert sorted(told) == [
        "test_every_claim_names_what_shows_it",
        "test_the_limits_are_those_of_the_code",
        "test_the_tests_of_claims_are_all_named",
    ]
