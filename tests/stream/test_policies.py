"""Policies: what they refuse when signatures are made, and when objects are verified."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from dcmsign.codec.errors import BadPolicyFile, PolicyViolation, VerificationFailed
from dcmsign.codec.inspection.findings import Severity
from dcmsign.stream import (
    KeySigner,
    Policy,
    RevocationCheck,
    Strength,
    TimestampPolicy,
    Trust,
    open_signer,
    sign,
    verify,
)
from dcmsign.stream.policies import GROUPS, NAMED, policy_of, tag_pattern

from tests.stream.material import MAC_VECTORS, element, meta, noise, noon, sequence
from tests.stream.ways import consume

pytestmark = pytest.mark.anyio

IDENTIFIERS = element(0x00080016, "UI", b"1.2.840.10008.5.1.4.1.1.7\0") + element(0x00080018, "UI", b"2.25.42\0")
NAME, NUMBER = element(0x00100010, "PN", b"Doe^Jane"), element(0x00100020, "LO", b"4711")
PIXELS = element(0x7FE00010, "OW", noise(1000))
OBJECT = meta() + IDENTIFIERS + NAME + NUMBER + PIXELS
ALL = [0x00080016, 0x00080018, 0x00100010, 0x00100020, 0x7FE00010]
FREE = Policy.COMPATIBLE


async def signed(signer: KeySigner, data: bytes = OBJECT, **options: Any) -> bytes:
    target = io.BytesIO()
    await sign(data, target, signer=signer, clock=noon, **options)
    return target.getvalue()


async def broken(data: bytes, policy: Policy, **options: Any) -> list[tuple[str, int | None]]:
    """The rules that an object breaks, and the signatures."""
    report = await verify(data, policy=policy, **options)
    assert report.policy is not None
    assert report.policy.fulfilled is not bool(report.policy.violations)
    if report.policy.violations:
        assert not report.ok
        with pytest.raises(VerificationFailed):
            report.raise_for_status()
    return [(violation.rule, violation.signature) for violation in report.policy.violations]


# ---------------------------------------------------------------------- making signatures


@pytest.mark.parametrize(
    ("policy", "algorithm", "allowed"),
    [
        (Policy.COMPATIBLE, "SHA1", True),
        (Policy.RECOMMENDED, "SHA1", False),
        (Policy.RECOMMENDED, "SHA256", True),
        (Policy.STRICT, "SHA256", False),  # RSA, 2048 bits
        (replace(FREE, create=Strength(keys={"EC": 256})), "SHA256", False),
    ],
)
async def test_making(policy: Policy, algorithm: str, allowed: bool, signer: KeySigner, tmp_path: Path) -> None:
    target = tmp_path / "out.dcm"
    target.write_bytes(b"before")
    if allowed:
        await sign(OBJECT, target, signer=signer, mac_algorithm=algorithm, policy=policy)
        assert target.read_bytes().startswith(bytes(128) + b"DICM")
        return
    with pytest.raises(PolicyViolation, match=policy.name):
        await sign(OBJECT, target, signer=signer, mac_algorithm=algorithm, policy=policy)
    assert target.read_bytes() == b"before"
    with pytest.raises(PolicyViolation):
        await consume(open_signer(OBJECT, signer=signer, mac_algorithm=algorithm, policy=policy))


# ---------------------------------------------------------------------- accepting objects


async def test_everything_in_order(signer: KeySigner, trust: Trust) -> None:
    data = await signed(signer)
    assert await broken(data, Policy.COMPATIBLE, trust=trust) == []
    assert await broken(data, Policy.RECOMMENDED, trust=trust) == []


async def test_unsigned(trust: Trust) -> None:
    assert await broken(OBJECT, FREE, require_signature=False) == []
    assert await broken(OBJECT, replace(FREE, signature=True), trust=trust) == [("signature", None)]
    assert [rule for rule, _ in await broken(OBJECT, Policy.RECOMMENDED, trust=trust)] == ["signature"] + ["coverage"] * 3


async def test_weak_digests_and_keys(signer: KeySigner, trust: Trust) -> None:
    data = await signed(signer, mac_algorithm="SHA1")
    assert await broken(data, Policy.RECOMMENDED, trust=trust) == [("accept", 1)] + [("coverage", None)] * 3
    strong = await signed(signer)
    assert await broken(strong, replace(FREE, accept=Strength(keys={"RSA": 2049})), trust=trust) == [("accept", 1)]
    assert await broken(strong, replace(FREE, accept=Strength(keys={"RSA": 2048})), trust=trust) == []
    assert await broken(strong, replace(FREE, accept=Strength(keys={"EC": 1})), trust=trust) == [("accept", 1)]


async def test_strangers(signer: KeySigner) -> None:
    data = await signed(signer)
    assert ("trusted", 1) in await broken(data, Policy.RECOMMENDED)
    assert await broken(data, FREE) == []


async def test_purposes(signer: KeySigner, trust: Trust) -> None:
    for purpose, ok in ((None, False), (1, False), (5, True)):
        data = await signed(signer, purpose=purpose)
        assert (await broken(data, replace(FREE, purposes=frozenset({5, 6})), trust=trust) == []) is ok


async def test_profile(signer: KeySigner, trust: Trust) -> None:
    policy = policy_of({"accept": {"profile": "creator_rsa"}}, "mine")
    data = await signed(signer, tags=[0x00100010])
    assert await broken(data, policy, trust=trust) == [("profile", None)]


@pytest.mark.parametrize(
    ("coverage", "left_out", "rules"),
    [
        (("patient",), 0x00100010, 1),
        (("identifiers",), 0x00100010, 0),
        (("identifiers",), 0x00080018, 1),
        (("pixels",), 0x7FE00010, 1),
        (("pixels",), 0x00080016, 0),
        (("all",), 0x00100020, 1),
        (("patient", "all"), 0x00100020, 2),
        (("PatientName",), 0x00100010, 1),
        (("PatientName",), 0x00100020, 0),
        (("00100020",), 0x00100020, 1),
        (("(0010,xxxx)",), 0x00100020, 1),
    ],
)
async def test_coverage(coverage: tuple[str, ...], left_out: int, rules: int, signer: KeySigner, trust: Trust) -> None:
    data = await signed(signer, tags=[tag for tag in ALL if tag != left_out])
    assert await broken(data, replace(FREE, coverage=coverage), trust=trust) == [("coverage", None)] * rules


async def test_signatures_cover_together_only_if_they_count(signer: KeySigner, trust: Trust) -> None:
    once = await signed(signer, tags=ALL[:3])
    policy = replace(FREE, coverage=("all",), every=False)
    both = await signed(signer, once, tags=ALL[3:])
    assert await broken(both, policy, trust=trust) == []
    weak = await signed(signer, once, tags=ALL[3:], mac_algorithm="SHA1")
    strong_only = replace(policy, accept=Strength(frozenset({"SHA256"})))
    assert await broken(weak, strong_only, trust=trust) == [("coverage", None)]
    assert await broken(weak, replace(strong_only, every=True), trust=trust) == [("accept", 2), ("coverage", None)]


async def test_what_no_digest_of_a_sequence_holds(signer: KeySigner, trust: Trust) -> None:
    data = await signed(signer, meta() + IDENTIFIERS + sequence(0x00081140, element(0x00040010, "LO", b"ab")) + NAME)
    assert await broken(data, replace(FREE, coverage=("ReferencedImageSequence",)), trust=trust) == [("coverage", None)]
    assert await broken(data, replace(FREE, coverage=("patient",)), trust=trust) == []


async def test_incomplete_digests(trust: Trust) -> None:
    data = (MAC_VECTORS / "nested-16k.signed.dcm").read_bytes()
    assert await broken(data, replace(FREE, complete=True), trust=trust) == [("complete", 1)]
    assert await broken(data, FREE, trust=trust) == []


async def test_broken_signatures(signer: KeySigner, trust: Trust) -> None:
    data = (await signed(signer)).replace(b"Doe^Jane", b"Doe^Jana")
    assert await broken(data, FREE, trust=trust) == [("signature", 1)]
    other = await signed(signer, data)
    assert await broken(other, replace(FREE, every=False, coverage=("all",)), trust=trust) == []


async def test_timestamps_and_revocation(signer: KeySigner, trust: Trust) -> None:
    data = await signed(signer)
    assert ("timestamps", 1) in await broken(data, replace(FREE, timestamps=TimestampPolicy.REQUIRE), trust=trust)
    assert await broken(data, replace(FREE, revocation=RevocationCheck.CHAIN, trusted=True), trust=trust) == [("trusted", 1)]


@pytest.mark.parametrize(("least", "rules"), [(None, 0), (Severity.CRITICAL, 1), (Severity.WARNING, 2), (Severity.INFO, 2)])
async def test_findings(least: Severity | None, rules: int, signer: KeySigner, trust: Trust) -> None:
    data = await signed(signer, meta() + IDENTIFIERS + element(0x00100020, "SH", b"4711"))
    data = b"MZ" + data[2:]
    assert await broken(data, replace(FREE, findings=least), trust=trust) == [("findings", None)] * rules


async def test_report_as_data(signer: KeySigner, trust: Trust) -> None:
    report = await verify(await signed(signer, mac_algorithm="SHA1"), trust=trust, policy=Policy.RECOMMENDED)
    data = report.to_dict()["policy"]
    assert data["name"] == "recommended"
    assert data["fulfilled"] is False
    assert data["violations"][0]["rule"] == "accept"
    assert "SHA1" in data["violations"][0]["reason"]


# ---------------------------------------------------------------------- files

EXAMPLE = """
name = "archive"
base = "recommended"
[create]
digests = ["SHA512"]
keys = {rsa = 4096}
[accept]
digests = ["SHA256", "SHA512"]
keys = {rsa = 2048, ec = 256}
signature = true
every = false
trusted = true
purposes = [5, 14]
profile = "base_rsa"
coverage = ["patient", "StudyInstanceUID", "7fe00010"]
complete = true
timestamps = "require"
revocation = "chain"
findings = "warning"
"""


def test_file(tmp_path: Path) -> None:
    path = tmp_path / "policy.toml"
    path.write_text(EXAMPLE)
    policy = Policy.load(path)
    assert policy.name == "archive"
    assert policy.create == Strength(frozenset({"SHA512"}), {"RSA": 4096})
    assert policy.accept.keys == {"RSA": 2048, "EC": 256}
    assert (policy.every, policy.trusted, policy.complete) == (False, True, True)
    assert policy.purposes == {5, 14}
    assert policy.timestamps is TimestampPolicy.REQUIRE
    assert policy.revocation is RevocationCheck.CHAIN
    assert policy.findings is Severity.WARNING


def test_names() -> None:
    for name in ("compatible", "recommended", "strict"):
        assert Policy.load(name) is NAMED[name]


@pytest.mark.parametrize(
    "text",
    [
        "strct = true",
        "base = 'none'",
        "base = 1",
        "name = 5",
        "create = 1",
        "[create]\ntrusted = true",
        "[create]\ndigests = 'SHA256'",
        "[create]\ndigests = ['SHA3']",
        "[create]\nkeys = {rsa = -1}",
        "[create]\nkeys = {rsa = true}",
        "[create]\nkeys = {ed25519 = 1}",
        "[create]\nkeys = 3",
        "[accept]\ntrsted = true",
        "[accept]\ntrusted = 'yes'",
        "[accept]\npurposes = [19]",
        "[accept]\npurposes = [true]",
        "[accept]\npurposes = 5",
        "[accept]\nprofile = 'mine'",
        "[accept]\ncoverage = ['NoSuchKeyword']",
        "[accept]\ncoverage = ['0010001']",
        "[accept]\ncoverage = [1]",
        "[accept]\ntimestamps = 'always'",
        "[accept]\nrevocation = 'some'",
        "[accept]\nfindings = 'all'",
        "not toml",
        "\0",
    ],
)
def test_slips_of_the_pen_are_errors(text: str, tmp_path: Path) -> None:
    path = tmp_path / "policy.toml"
    path.write_text(text)
    with pytest.raises(BadPolicyFile) as caught:
        Policy.load(path)
    assert caught.value.path == str(path)


@pytest.mark.parametrize("name", ["no-such-file", "", "a\0b", "/"])
def test_files_that_cannot_be_read(name: str) -> None:
    with pytest.raises(BadPolicyFile):
        Policy.load(name)


def test_every_word_is_understood() -> None:
    for names in GROUPS.values():
        assert all(tag_pattern(name) is not None for name in names)
