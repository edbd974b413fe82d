"""What a report says, and what follows from it."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from dcmsign.codec.errors import VerificationFailed
from dcmsign.stream import Certificate, KeySigner, Purpose, StreamFormat, Trust, Verdict, sign, verify
from dcmsign.stream.report_data import levels_data, scope_data, signature_data

from tests.stream.crafted import BODY, signed_object
from tests.stream.material import CASES, MAC_VECTORS, element, meta, noon, sequence, signed_vector, stream

pytestmark = pytest.mark.anyio
UNSIGNED = MAC_VECTORS / "explicit-short.dcm"


def reparsed(report: Any) -> dict[str, Any]:
    """The report by way of JSON."""
    found: dict[str, Any] = json.loads(json.dumps(report.to_dict(), allow_nan=False))
    assert found == report.to_dict()
    return found


async def test_json(trust: Trust) -> None:
    report = await verify(signed_vector("purpose"), trust=trust)
    case = CASES["purpose"]
    assert reparsed(report) == {
        "ok": True,
        "missing_profile": None,
        "signatures": [
            {
                "number": 1,
                "location": [],
                "uid": case["signature_uid"],
                "mac_id": 0,
                "mac_algorithm": "SHA512",
                "mac_transfer_syntax": "1.2.840.10008.1.2.1",
                "tags_signed": case["tags_signed"],
                "signed_at": report.signatures[0].signed_at,
                "purpose": "Verification Signature",
                "signer": "/CN=MAC test vectors rsa",
                "status": "OK",
                "reason": "OK",
                "intact": True,
                "trusted": True,
                "complete": True,
                **signature_data(report.signatures[0]),
            }
        ],
        "levels": levels_data(report.levels),
        "scope": scope_data(report.scope),
        "policy": None,
    }
    assert report.signatures[0].purpose == Purpose("5", "ASTM-sigpurpose", "Verification Signature")


async def test_json_of_a_bare_signature() -> None:
    """Whatever is missing is null."""
    empty = sequence(0xFFFAFFFA, b"")
    report = await verify(meta() + BODY + empty)
    (found,) = reparsed(report)["signatures"]
    assert found["status"] == "MAC_PARAMETERS_MISSING"
    assert (found["intact"], found["trusted"], found["complete"], found["location"]) == (False, False, True, [])
    missing = ("uid", "mac_id", "mac_algorithm", "mac_transfer_syntax", "tags_signed", "signed_at", "purpose", "signer")
    assert [found[key] for key in missing] == [None] * len(missing)


async def test_every_vector_gives_json(trust: Trust) -> None:
    for name in CASES:
        assert "signatures" in reparsed(await verify(signed_vector(name), trust=trust))


@pytest.mark.parametrize("required", [True, False])
async def test_no_signature(required: bool) -> None:
    report = await verify(UNSIGNED, require_signature=required)
    assert report.signatures == ()
    assert report.ok is not required
    found = reparsed(report)
    assert (found["ok"], found["missing_profile"], found["signatures"]) == (not required, None, [])
    if required:
        with pytest.raises(VerificationFailed, match="no signature present"):
            report.raise_for_status()
    else:
        report.raise_for_status()


async def test_a_signature_is_required_unless_told() -> None:
    assert not (await verify(UNSIGNED)).ok


@pytest.mark.parametrize("required", [True, False])
async def test_one_bad_signature_spoils_all(required: bool, trust: Trust) -> None:
    data = signed_vector("second-signature").read_bytes()
    only_ec = Trust.load(trusted=[MAC_VECTORS / "cert-ec.pem"])
    for given, expected in ((trust, ["OK", "OK"]), (only_ec, ["UNTRUSTED", "OK"]), (Trust.NONE, ["UNTRUSTED", "UNTRUSTED"])):
        report = await verify(data, trust=given, require_signature=required)
        assert [found.verdict.name for found in report.signatures] == expected
        assert report.ok is (given is trust)
        if not report.ok:
            with pytest.raises(VerificationFailed, match=f"signature {report.signatures[0].uid}: signature is OK but"):
                report.raise_for_status()


async def test_nested_signatures_come_first(trust: Trust) -> None:
    report = await verify(signed_vector("item-then-main"), trust=trust)
    assert [(found.number, found.location) for found in report.signatures] == [(1, ((0x00081140, 1),)), (2, ())]
    assert report.signatures[1].uid == CASES["item-then-main"]["signature_uid"]
    assert reparsed(report)["signatures"][0]["location"] == [["0008,1140", 1]]


def _nested(depth: int, tag: int) -> bytes:
    """An item with a signature of its own, around another such item."""
    inside = sequence(tag, _nested(depth - 1, tag)) if depth else b""
    return element(0x00081155, "UI", b"1.2.3.4.") + inside + sequence(0xFFFAFFFA, b"", b"")


async def test_order_is_depth_first() -> None:
    data = meta() + sequence(0x00081140, _nested(1, 0x00401001), _nested(0, 0x0040A730)) + sequence(0x0040A730, _nested(0, 0))
    report = await verify(data + sequence(0xFFFAFFFA, b"") + sequence(0xFFFB1010, _nested(0, 0)))
    first = (0x00081140, 0)
    assert [found.location for found in report.signatures] == [
        *[(first, (0x00401001, 0))] * 2,
        *[(first,)] * 2,
        *[((0x00081140, 1),)] * 2,
        *[((0x0040A730, 0),)] * 2,
        (),
        *[((0xFFFB1010, 0),)] * 2,
    ]
    assert [found.number for found in report.signatures] == list(range(1, 12))


async def test_signatures_in_original_attributes() -> None:
    """They belong to what the object once was: not counted, but mentioned."""
    report = await verify(meta() + sequence(0x04000561, _nested(0, 0)), require_signature=False)
    assert report.signatures == ()
    assert report.ignored == (((0x04000561, 0),),)
    assert list(report.entries()) == [((0x04000561, 0),)]


# ---------------------------------------------------------------- coverage


@pytest.mark.parametrize("name", ["nested-16k", "nested-16k-items"])
async def test_incomplete_digests_of_dcmtk(name: str, trust: Trust) -> None:
    """Good signatures that leave a part of the object unprotected say so, and how much."""
    report = await verify(signed_vector(name), trust=trust)
    (found,) = report.signatures
    assert (found.verdict, report.ok) == (Verdict.OK, True)
    coverage = found.coverage
    assert not coverage.complete
    assert coverage.missing_elements > 0
    assert len(coverage.examples) == min(20, coverage.missing_elements)
    assert all(path.startswith("(0040,a730)[") for path in coverage.examples)
    assert reparsed(report)["signatures"][0]["complete"] is False
    complete = io.BytesIO()
    signer = KeySigner.load(MAC_VECTORS / "key-rsa.pem", MAC_VECTORS / "cert-rsa.pem")
    await sign(MAC_VECTORS / f"{name}.dcm", complete, signer=signer, dump=None)
    (ours,) = (await verify(complete.getvalue(), trust=trust)).signatures
    assert (ours.coverage.complete, ours.coverage.missing_bytes, ours.coverage.examples) == (True, 0, ())


@pytest.mark.parametrize("name", ["nested-16k", "nested-16k-items"])
async def test_missing_bytes_are_counted(name: str, trust: Trust, tmp_path: Any) -> None:
    """They are the difference between the two streams."""
    signer = KeySigner.load(MAC_VECTORS / "key-rsa.pem", MAC_VECTORS / "cert-rsa.pem")
    sizes = []
    for form in (StreamFormat.STANDARD, StreamFormat.DCMTK):
        dump = tmp_path / form.value
        await sign(MAC_VECTORS / f"{name}.dcm", io.BytesIO(), signer=signer, stream_format=form, dump=dump, uids=lambda: "1.2")
        sizes.append(dump.stat().st_size)
    (found,) = (await verify(signed_vector(name), trust=trust)).signatures
    assert found.coverage.missing_bytes == sizes[0] - sizes[1] > 0


@pytest.mark.parametrize("name", ["nested-16k", "explicit-short"])
async def test_tampering(name: str, trust: Trust) -> None:
    """With what is protected: corrupted. With what is not: unnoticed by DCMTK, and reported as incomplete."""
    data = signed_vector(name).read_bytes()
    report = await verify(data, trust=trust)
    end = data.rindex(b"\xfe\x4f\1\0SQ")
    verdicts = set()
    for position in range(end - 4000 if name == "nested-16k" else 400, end, 97):
        tampered = bytearray(data)
        if not 0x30 <= tampered[position] <= 0x7A:
            continue
        tampered[position] ^= 1
        try:
            other = await verify(bytes(tampered), trust=trust)
        except Exception as error:  # the structure is broken
            assert type(error).__module__ == "dcmsign.codec.errors"  # noqa: PT017
            continue
        verdicts.add((other.signatures[0].verdict, other.signatures[0].coverage.complete))
    if name == "nested-16k":
        assert (Verdict.OK, False) in verdicts
        assert (Verdict.OK, True) not in verdicts
    else:
        assert verdicts <= {(Verdict.CORRUPTED, True), (Verdict.UNSIGNABLE_ELEMENT, True)}
        assert (Verdict.CORRUPTED, True) in verdicts
    assert report.ok


# ---------------------------------------------------------------- receipts


async def test_receipt(signer: KeySigner, trust: Trust) -> None:
    output = io.BytesIO()
    receipt = await sign(
        UNSIGNED,
        output,
        signer=signer,
        purpose=1,
        tags=[0x00100010, 0x00080018],
        clock=noon,
        uids=lambda: "1.2.3",
        mac_algorithm="SHA1",
    )
    (found,) = (await verify(output.getvalue(), trust=trust)).signatures
    assert (receipt.uid, receipt.location, receipt.mac_id) == ("1.2.3", (), 0)
    assert receipt.tags_signed == found.tags_signed == (0x00080018, 0x00100010)
    assert receipt.signed_at == found.signed_at == "20260601120000.123456+0000"
    assert receipt.mac_transfer_syntax == found.mac_transfer_syntax == "1.2.840.10008.1.2.1"
    assert receipt.mac_algorithm == found.mac_algorithm == "SHA1"
    assert isinstance(receipt.certificate, Certificate)
    assert receipt.certificate == found.certificate == signer.certificate
    assert (len(receipt.digest), len(receipt.signature)) == (20, 256)
    assert receipt.signature in output.getvalue()
    assert found.purpose is not None
    assert found.purpose.code_value == "1"


async def test_several_signatures_one_after_the_other(signer: KeySigner, trust: Trust) -> None:
    """Each signature covers the elements, not the earlier signatures; MAC IDs count up."""
    data = UNSIGNED.read_bytes()
    for number in range(4):
        output = io.BytesIO()
        receipt = await sign(stream(data), output, signer=signer, tags=[0x00100010] if number % 2 else None)
        assert receipt.mac_id == number
        data = output.getvalue()
    report = await verify(data, trust=trust)
    assert [found.verdict.name for found in report.signatures] == ["OK"] * 4
    assert [found.mac_id for found in report.signatures] == [0, 1, 2, 3]


async def test_attributes_as_they_stand_there(trust: Trust) -> None:
    (found,) = (await verify(signed_object(parameters={}), trust=trust)).signatures
    assert (found.uid, found.mac_id, found.signed_at, found.purpose) == ("1.2.3.4.5", 0, "20260101120000", None)
    assert found.coverage.complete
