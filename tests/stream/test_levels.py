"""The verdict in levels: what is intact, trusted, timestamped and covered, each with a reason."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from dcmsign.stream import (
    Level,
    Levels,
    Remark,
    SignatureReport,
    TimestampPolicy,
    Trust,
    VerificationReport,
    sign,
    verify,
)
from dcmsign.stream.trust.signers import KeySigner

from tests.stream.crafted import BODY, signed_object
from tests.stream.material import CASES, MAC_VECTORS, element, meta, sequence, signed_vector
from tests.stream.test_timestamp_rules import judged
from tests.stream.test_timestamp_rules import trust as timestamp_trust

pytestmark = pytest.mark.anyio
UNSIGNED = MAC_VECTORS / "explicit-short.dcm"


def reached(levels: Levels) -> tuple[bool | None, ...]:
    return tuple(level.reached for level in levels)


def only(report: VerificationReport) -> SignatureReport:
    (signature,) = report.signatures
    return signature


def tampered(data: bytes) -> bytes:
    """Another patient's name."""
    assert data.count(b"Doe^Jane") == 1
    return data.replace(b"Doe^Jane", b"Doe^John")


async def test_everything_that_can_be_reached_without_a_timestamp(trust: Trust) -> None:
    report = await verify(signed_vector("purpose"), trust=trust)
    assert reached(report.levels) == (True, True, None, True)
    assert reached(only(report).levels) == (True, True, None, True)
    assert only(report).levels.trusted.reason.startswith("by /CN=MAC test vectors rsa at 20")
    assert only(report).levels.trusted.reason.endswith(" UTC; revocation was not asked about")


async def test_an_altered_object(trust: Trust) -> None:
    report = await verify(tampered(signed_object(parameters={})), trust=trust)
    assert reached(report.levels) == (False, False, None, False)
    levels = only(report).levels
    assert reached(levels) == (False, False, None, False)
    assert levels.intact.reason == "signature verification failed: signature is invalid (document corrupted)"
    assert levels.trusted.reason == "it is not intact"


async def test_nobody_to_trust() -> None:
    report = await verify(signed_vector("purpose"))
    assert reached(report.levels) == (True, None, None, True)
    assert report.levels.trusted == Level(None, "no trust anchors were given")
    altered = await verify(tampered(signed_object(parameters={})))
    assert reached(altered.levels) == (False, None, None, False)


async def test_somebody_else_to_trust() -> None:
    report = await verify(signed_vector("purpose"), trust=Trust.load(trusted=[MAC_VECTORS / "cert-ec.pem"]))
    assert reached(report.levels) == (True, False, None, False)
    assert report.levels.trusted.reason == "self-signed certificate"
    assert only(report).levels.covered.reached  # by a signature that does not count


async def test_a_date_that_the_certificate_does_not_cover(trust: Trust) -> None:
    data = signed_object(parameters={}, item={0x04000105: element(0x04000105, "DT", b"19990101120000")})
    levels = only(await verify(data, trust=trust)).levels
    assert (levels.intact.reached, levels.trusted.reached) == (True, False)
    assert "not yet valid at signature creation date" in levels.trusted.reason


async def test_the_incomplete_form(trust: Trust) -> None:
    """Intact, for dcmsign says so, but it is told what that leaves open."""
    report = await verify(signed_vector("nested-16k-items"), trust=trust)
    coverage = only(report).coverage
    assert not coverage.complete
    assert reached(report.levels) == (True, True, None, False)
    for text in (str(coverage.missing_bytes), str(coverage.missing_elements), *coverage.examples):
        assert text in only(report).levels.intact.reason
        assert text in report.levels.intact.reason
    assert report.levels.covered.reason.startswith("a digest leaves out part of a sequence")


async def test_no_signature() -> None:
    report = await verify(UNSIGNED, require_signature=False)
    assert report.ok
    assert reached(report.levels) == (False, False, None, False)
    assert {level.reason for level in report.levels[:3]} == {"there is no signature"}


async def test_without_inspection(trust: Trust) -> None:
    report = await verify(signed_vector("purpose"), trust=trust, inspect=False)
    assert report.levels.covered == only(report).levels.covered == Level(None, "the object was not inspected")


async def test_what_is_not_covered(trust: Trust) -> None:
    """Only the name is listed: the other data elements are named."""
    report = await verify(signed_object(parameters={}), trust=trust)
    assert report.levels.covered.reached is False
    assert report.levels.covered.reason.startswith("not protected: (0008,0018), (0011,0011); protected: 1 data elements, ")
    many = BODY + b"".join(element(0x00200010 + number, "SH", b"ab") for number in range(8))
    crowded = await verify(signed_object(parameters={}, body=many), trust=trust)
    assert "(0020,0012) and 5 more" in crowded.levels.covered.reason


async def test_a_signature_in_an_item_does_not_cover_the_object(trust: Trust) -> None:
    report = await verify(signed_vector("item-then-main"), trust=trust)
    assert [signature.levels.covered.reached for signature in report.signatures] == [False, True]
    assert reached(report.levels) == (True, True, None, True)
    assert report.levels.intact.reason.startswith("all 2 signatures")


async def test_one_bad_signature_spoils_the_object(trust: Trust) -> None:
    data = signed_vector("second-signature").read_bytes()
    only_ec = Trust.load(trusted=[MAC_VECTORS / "cert-ec.pem"])
    levels = (await verify(data, trust=only_ec)).levels
    assert reached(levels) == (True, False, None, True)
    assert levels.trusted.reason == "1 of 2 signatures; signature 1: self-signed certificate"


async def test_what_is_left_out_inside_sequences(signer: KeySigner, trust: Trust, tmp_path: Path) -> None:
    """Groups below 0008 are no part of digests: an item may hold one that nothing protects."""
    nested = sequence(0x00081140, element(0x00040010, "LO", b"hidden") + element(0x00081155, "UI", b"1.2.3.4.5.6."))
    source = meta() + element(0x00080018, "UI", b"1.2.3.4\0") + nested
    await sign(source, tmp_path / "signed.dcm", signer=signer)
    report = await verify(tmp_path / "signed.dcm", trust=trust)
    assert report.ok
    assert report.levels.covered.reached is False
    assert report.levels.covered.reason.startswith("never digested inside sequences: (0004,0010)")


# ---------------------------------------------------------------- timestamps


@pytest.mark.parametrize(
    ("name", "expected", "reason"),
    [
        ("granted-sha256", True, "2026-11-22 13:02:23 UTC by "),
        ("tampered-signature", False, "invalid padding"),
        ("tsa-other", False, "certificate verify error"),
        ("granted-sha1", False, "weak digest algorithm sha1"),
    ],
)
async def test_timestamps(name: str, expected: bool, reason: str) -> None:
    report = await judged(name, timestamp_trust())
    assert report.levels.timestamped == only(report).levels.timestamped
    assert report.levels.timestamped.reached is expected
    assert report.levels.timestamped.reason.startswith(reason)


async def test_timestamps_that_are_not_looked_at() -> None:
    ignored = (await judged("tampered-signature", timestamp_trust(), timestamps=TimestampPolicy.IGNORE)).levels.timestamped
    assert ignored == Level(None, "the timestamp was not to be looked at")
    data = (MAC_VECTORS.parent / "tsa" / "stamped" / "granted-sha256.dcm").read_bytes()
    report = await verify(altered_value(data), trust=timestamp_trust())
    assert only(report).has_timestamp
    assert only(report).levels.timestamped == Level(None, "the timestamp was not looked at")


def altered_value(data: bytes) -> bytes:
    """The object with another last byte of the first UID of the data set."""
    place = data.index(b"\x08\0\x18\0UI") + 8
    length = int.from_bytes(data[place - 2 : place], "little")
    other = b"1" if data[place + length - 2] != ord("1") else b"2"
    return data[: place + length - 2] + other + data[place + length - 1 :]


async def test_a_timestamp_that_was_required_or_is_no_timestamp(trust: Trust) -> None:
    required = await verify(signed_vector("purpose"), trust=trust, timestamps=TimestampPolicy.REQUIRE)
    assert required.levels.timestamped == Level(False, "a timestamp was required, and there is none")
    found = only(required)
    broken = replace(found, timestamp_missing=False, has_timestamp=True, remarks=((Remark.UNREADABLE_TIMESTAMP, "x"),))
    assert broken.levels.timestamped == Level(False, "the timestamp cannot be read")


async def test_a_timestamp_of_one_of_two(trust: Trust) -> None:
    """What only some have is not what the object has."""
    stamped = only(await judged("granted-sha256", timestamp_trust()))
    plain = only(await verify(signed_vector("purpose"), trust=trust))
    both = VerificationReport((stamped, replace(plain, number=2)))
    assert both.levels.timestamped == Level(False, "1 of 2 signatures; signature 2: there is no timestamp")
    assert VerificationReport((plain, plain)).levels.timestamped == Level(None, "there is no timestamp")
    assert VerificationReport((stamped, stamped)).levels.timestamped.reached


# ---------------------------------------------------------------- texts and data


async def test_the_summary_is_a_line_for_each_level(trust: Trust) -> None:
    levels = (await verify(signed_vector("purpose"), trust=trust)).levels
    lines = levels.summary.splitlines()
    assert [line.partition(":")[0] for line in lines] == list(Levels._fields)
    assert all(line.endswith(")") and "(" in line for line in lines)


async def test_names_from_strangers_do_not_break_lines(trust: Trust) -> None:
    found = only(await verify(signed_vector("purpose"), trust=trust))
    anchor = replace(found.chain[-1], subject=f"/CN=two\nlines\x1b[2J{'x' * 500}")
    levels = replace(found, chain=(anchor,)).levels
    assert len(levels.summary.splitlines()) == 4
    assert levels.trusted.reason.startswith("by /CN=two\\x0alines\\x1b[2Jxxx")
    assert len(levels.trusted.reason) < 350


def lists(found: dict[str, Any]) -> dict[str, int]:
    return {name: len(found[name]) for name in found["counts"]}


async def test_every_vector_as_data(trust: Trust) -> None:
    for name in CASES:
        report = await verify(signed_vector(name), trust=trust)
        data = json.loads(json.dumps(report.to_dict(), allow_nan=False))
        assert data == report.to_dict()
        pairs: list[tuple[dict[str, Any], SignatureReport | VerificationReport]] = [(data, report)]
        for found, source in (*pairs, *zip(data["signatures"], report.signatures, strict=True)):
            assert [level["reached"] for level in found["levels"].values()] == list(reached(source.levels))
            if source.scope is not None:
                assert found["scope"]["counts"] == lists(found["scope"])
                assert found["scope"]["complete"] == source.scope.complete


async def test_data_of_a_chain_and_a_timestamp() -> None:
    report = await judged("granted-sha256", timestamp_trust("empty.crl"))
    (found,) = report.to_dict()["signatures"]
    chain = [certificate["subject"] for certificate in found["chain"]]
    assert chain == [certificate.subject for certificate in only(report).chain]
    assert len(chain) == 2
    assert [source["origin"] for source in found["revocation"]] == [str(MAC_VECTORS.parent / "tsa" / "pki" / "empty.crl")]
    assert found["timestamp"]["time"] == "2026-11-22T13:02:23Z"
    assert (found["timestamp"]["ok"], found["timestamp"]["extends_validity"]) == (True, False)
    assert found["timestamp"]["chain"][-1] == found["chain"][-1]
