"""Every verdict a signature can get, in the words of dcmsign, checked against dcmsign itself where it is installed."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import anyio
import pytest
from dcmsign.codec.errors import VerificationFailed
from dcmsign.stream import Remark, Trust, Verdict, verify

from tests.peers import require_peer
from tests.stream.crafted import (
    ALGORITHM,
    BODY,
    CERTIFICATE,
    CERTIFICATE_TYPE,
    DATE,
    MAC_ID,
    NAME_TAG,
    SIGNATURE,
    SIGNED,
    SYNTAX,
    UID,
    UNKNOWN_TAG,
    Edits,
    certificate,
    even,
    signed_object,
    tags,
)
from tests.stream.material import MAC_VECTORS, element
from tests.trust import forge
from tests.trust.objects import listing, verdict

JPEG = b"1.2.840.10008.1.2.4.50"


class Case(NamedTuple):
    """An edit of the signature, the row of the table of verdicts it leads to, and what else there is to tell."""

    row: int
    verdict: Verdict
    parameters: Edits | None = MappingProxyType({})
    item: Edits = MappingProxyType({})
    remarks: tuple[tuple[Remark, str], ...] = ()
    options: Mapping[str, Any] = {}


def date(text: bytes, vr: str = "DT") -> dict[int, bytes | None]:
    return {DATE: element(DATE, vr, even(text, b" "))}


def cert(der: bytes, vr: str = "OB") -> dict[int, bytes | None]:
    return {CERTIFICATE: element(CERTIFICATE, vr, even(der))}


V, R = Verdict, Remark
PIXELS = element(0x7FE00010, "OW", b"\1\2\3\4")
CASES: dict[str, Case] = {
    "no MAC parameters": Case(1, V.MAC_PARAMETERS_MISSING, None),
    "MAC parameters of another": Case(1, V.MAC_PARAMETERS_MISSING, {MAC_ID: element(MAC_ID, "US", b"\1\0")}),
    "MAC parameters without ID": Case(1, V.MAC_PARAMETERS_MISSING, {MAC_ID: None}),
    "no MAC ID": Case(1, V.MAC_PARAMETERS_MISSING, {}, {MAC_ID: None}, ((R.NO_MAC_ID, ""),)),
    "no certificate type": Case(2, V.CERTIFICATE_UNREADABLE, {}, {CERTIFICATE_TYPE: None}, ((R.NO_CERTIFICATE_TYPE, ""),)),
    "other certificate type": Case(
        2,
        V.CERTIFICATE_UNREADABLE,
        {},
        {CERTIFICATE_TYPE: element(CERTIFICATE_TYPE, "CS", b"PGP ")},
        ((R.BAD_CERTIFICATE_TYPE, "PGP"),),
    ),
    "no certificate": Case(2, V.CERTIFICATE_UNREADABLE, {}, {CERTIFICATE: None}, ((R.NO_CERTIFICATE, ""),)),
    "empty certificate": Case(2, V.CERTIFICATE_UNREADABLE, {}, cert(b""), ((R.EMPTY_CERTIFICATE, ""),)),
    "bad certificate": Case(2, V.CERTIFICATE_UNREADABLE, {}, cert(b"nonsense"), ((R.UNPARSEABLE_CERTIFICATE, ""),)),
    "no MAC syntax": Case(3, V.MAC_PARAMETERS_MISSING, {SYNTAX: None}),
    "empty MAC syntax": Case(4, V.UNUSABLE_MAC_SYNTAX, {SYNTAX: element(SYNTAX, "UI", b"")}),
    "unknown MAC syntax": Case(4, V.UNUSABLE_MAC_SYNTAX, {SYNTAX: element(SYNTAX, "UI", b"1.2.3\0")}),
    "no MAC algorithm": Case(5, V.MAC_PARAMETERS_MISSING, {ALGORITHM: None}),
    "empty MAC algorithm": Case(6, V.UNSUPPORTED_MAC_ALGORITHM, {ALGORITHM: element(ALGORITHM, "CS", b"")}),
    "unknown MAC algorithm": Case(6, V.UNSUPPORTED_MAC_ALGORITHM, {ALGORITHM: element(ALGORITHM, "CS", b"SHA224")}),
    "no list": Case(7, V.BAD_ELEMENT_LIST, {SIGNED: None}),
    "empty list": Case(7, V.BAD_ELEMENT_LIST, {SIGNED: tags()}),
    "list that is no list": Case(7, V.BAD_ELEMENT_LIST, {SIGNED: element(SIGNED, "OB", b"\x10\0\x10\0")}),
    "no signature": Case(8, V.INCOMPLETE, {}, {SIGNATURE: None}),
    "pixels not in that syntax": Case(
        9, V.UNUSABLE_MAC_SYNTAX, {SYNTAX: element(SYNTAX, "UI", JPEG)}, options={"pixels": PIXELS}
    ),
    "unsignable element": Case(
        10,
        V.UNSIGNABLE_ELEMENT,
        {SIGNED: tags(NAME_TAG, UNKNOWN_TAG)},
        remarks=((R.UNSIGNABLE_ELEMENT, "(0011,0011)"),),
    ),
    "empty signature": Case(11, V.INCOMPLETE, {}, {SIGNATURE: element(SIGNATURE, "OB", b"")}),
    "tampered element": Case(13, V.CORRUPTED, options={"body": BODY.replace(b"Jane", b"Jana")}),
    "tampered list": Case(13, V.CORRUPTED, {SIGNED: tags(NAME_TAG, 0x00080018)}),
    "tampered algorithm": Case(13, V.CORRUPTED, {ALGORITHM: element(ALGORITHM, "CS", b"SHA512")}),
    "tampered signature": Case(13, V.CORRUPTED, {}, {SIGNATURE: element(SIGNATURE, "OB", bytes(256))}),
    "short signature": Case(13, V.CORRUPTED, {}, {SIGNATURE: element(SIGNATURE, "OB", bytes(20))}),
    "no date": Case(14, V.EXPIRED_WHEN_SIGNED, {}, {DATE: None}, ((R.BAD_DATE_ATTRIBUTE, ""),)),
    "date of another kind": Case(
        14, V.EXPIRED_WHEN_SIGNED, {}, date(b"20260101", "DA"), ((R.BAD_DATE_ATTRIBUTE, ""),)
    ),
    "empty date": Case(15, V.BAD_DATE, {}, date(b"")),
    "no such date": Case(15, V.BAD_DATE, {}, date(b"20261301")),
    "text instead of a date": Case(15, V.BAD_DATE, {}, date(b"yesterday")),
    "after the validity": Case(16, V.EXPIRED_WHEN_SIGNED, {}, date(b"20700101000000")),
    "end of the validity": Case(16, V.EXPIRED_WHEN_SIGNED, {}, date(certificate().not_after.strftime("%Y%m%d%H%M%S").encode())),
    "before the validity": Case(17, V.NOT_YET_VALID_WHEN_SIGNED, {}, date(b"19990101")),
    "beginning of the validity": Case(
        17, V.NOT_YET_VALID_WHEN_SIGNED, {}, date(certificate().not_before.strftime("%Y%m%d%H%M%S").encode())
    ),
    "all right": Case(19, V.OK),
    "absent element listed": Case(19, V.OK, {SIGNED: tags(NAME_TAG, 0x00100020)}),
    "no UID": Case(19, V.OK, {}, {UID: None}),
    "year only": Case(19, V.OK, {}, date(b"2026")),
    "two dates": Case(19, V.OK, {}, date(b"20260101\\19990101")),
}  # fmt: skip


def crafted(case: Case) -> bytes:
    return signed_object(parameters=case.parameters, item=case.item, **case.options)


@pytest.mark.anyio
@pytest.mark.parametrize("name", CASES)
async def test_verdicts(name: str, trust: Trust) -> None:
    case = CASES[name]
    report = await verify(crafted(case), trust=trust)
    (found,) = report.signatures
    assert found.verdict is case.verdict
    assert found.reason == case.verdict.value
    assert found.remarks == case.remarks
    assert found.intact == (case.row in (14, 15, 16, 17, 19))
    assert found.trusted is found.ok is report.ok is (case.row == 19)
    if case.row != 19:
        with pytest.raises(VerificationFailed) as caught:
            report.raise_for_status()
        assert str(caught.value) == f"signature {found.uid}: {case.verdict.value}"


@pytest.mark.parametrize("name", CASES)
def test_dcmsign_agrees(name: str, tmp_path: Path) -> None:
    case = CASES[name]
    path = tmp_path / "object.dcm"
    path.write_bytes(crafted(case))
    text = listing(require_peer("dcmsign"), path, "+cf", MAC_VECTORS / "cert-rsa.pem")
    assert verdict(text) == case.verdict.value
    for remark, detail in case.remarks:
        assert remark.value.format(detail) in text


def test_all_rows_are_there() -> None:
    special = {12, 18}  # tests of their own
    assert {case.row for case in CASES.values()} | special == set(range(1, 20))


@pytest.mark.anyio
async def test_untrusted() -> None:
    """Row 18: the digest and the date are right, nobody vouches for the signer."""
    (found,) = (await verify(crafted(CASES["all right"]))).signatures
    assert (found.verdict, found.intact, found.trusted) == (Verdict.UNTRUSTED, True, False)
    assert found.chain_error is not None
    assert found.reason == f"{Verdict.UNTRUSTED.value}: {found.chain_error}"


@pytest.mark.parametrize("anchor", [None, "cert-ec.pem"])
def test_dcmsign_agrees_about_trust(anchor: str | None, tmp_path: Path) -> None:
    path = tmp_path / "object.dcm"
    path.write_bytes(crafted(CASES["all right"]))
    trust = Trust.NONE if anchor is None else Trust.load(trusted=[MAC_VECTORS / anchor])
    report = anyio.run(lambda: verify(path, trust=trust))
    options = () if anchor is None else ("+cf", MAC_VECTORS / anchor)
    assert verdict(listing(require_peer("dcmsign"), path, *options)) == report.signatures[0].reason


@pytest.mark.anyio
async def test_time_of_the_chain_check(trust: Trust) -> None:
    data = crafted(CASES["all right"])
    for at, expected in (
        (datetime(2030, 1, 1, tzinfo=UTC), None),
        (datetime(2070, 1, 1, tzinfo=UTC), "certificate has expired"),
        (datetime(2010, 1, 1, tzinfo=UTC), "certificate is not yet valid"),
    ):
        (found,) = (await verify(data, trust=trust, at=at)).signatures
        assert found.chain_error == expected


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
@pytest.mark.anyio
async def test_key_that_cannot_verify(anyio_backend: str, tmp_path: Path) -> None:
    """Row 12: a Diffie-Hellman key."""
    openssl, path = require_peer("openssl"), tmp_path / "key.pem"
    new: list[str | Path] = [openssl, "genpkey", "-algorithm", "DH", "-pkeyopt", "group:ffdhe2048", "-out", path]
    subprocess.run(new, check=True, capture_output=True)  # noqa: ASYNC221
    public: list[str | Path] = [openssl, "pkey", "-in", path, "-pubout", "-outform", "DER"]
    info = subprocess.run(public, check=True, capture_output=True).stdout  # noqa: ASYNC221
    data = signed_object(parameters={}, item=cert(forge.certificate(key=info)))
    (found,) = (await verify(data)).signatures
    assert (found.verdict, found.reason, found.intact) == (Verdict.CRYPTO_FAILURE, "an OpenSSL call has failed", False)


SOON_AFTER_THE_BEGINNING = (certificate().not_before + timedelta(minutes=1)).strftime("%Y%m%d%H%M%S").encode()
NEAR_THE_END = certificate().not_after.strftime("%Y%m%d%H%M%S").encode()


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (SOON_AFTER_THE_BEGINNING, Verdict.OK),
        (SOON_AFTER_THE_BEGINNING + b"+0200", Verdict.NOT_YET_VALID_WHEN_SIGNED),
        (NEAR_THE_END + b"+0100", Verdict.OK),
        (NEAR_THE_END + b"-0100", Verdict.EXPIRED_WHEN_SIGNED),
        (b"20260101120000+1500", Verdict.BAD_DATE),
    ],
)
async def test_time_zone_is_honoured(text: bytes, expected: Verdict, trust: Trust) -> None:
    """dcmsign takes the local time for UTC; a date is what it says (PS3.5 6.2)."""
    data = signed_object(parameters={}, item=date(text))
    (found,) = (await verify(data, trust=trust)).signatures
    assert found.verdict is expected


def test_dcmsign_ignores_the_time_zone(tmp_path: Path) -> None:
    """The documented difference: at the end of the validity, one hour east of Greenwich, the certificate is still valid."""
    path = tmp_path / "object.dcm"
    path.write_bytes(signed_object(parameters={}, item=date(NEAR_THE_END + b"+0100")))
    text = listing(require_peer("dcmsign"), path, "+cf", MAC_VECTORS / "cert-rsa.pem")
    assert verdict(text) == Verdict.EXPIRED_WHEN_SIGNED.value
    assert re.search(r"Signature date/time +: " + NEAR_THE_END.decode(), text)
