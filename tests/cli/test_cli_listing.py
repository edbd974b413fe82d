"""The listing of signatures, as the reference shows it."""

from __future__ import annotations

import dataclasses

import pytest
from dcmsign.codec.dicom.dictionary import BUILT_IN
from dcmsign.stream.cli import listing, log
from dcmsign.stream.cli.exit_codes import ExitCode
from dcmsign.stream.reports import Coverage, Purpose, Remark, SignatureReport, Verdict, VerificationReport
from dcmsign.stream.trust.certificates import Encoding, load_certificate

from tests.cli.conftest import VECTORS

CERTIFICATE = load_certificate((VECTORS / "cert-rsa.pem").read_bytes(), Encoding.PEM, name="cert-rsa.pem")

GOOD = SignatureReport(
    number=1,
    location=(),
    uid="1.2.3",
    mac_id=0,
    mac_algorithm="SHA256",
    mac_transfer_syntax="1.2.840.10008.1.2.1",
    tags_signed=(0x00080016, 0x0020000D, 0x00090010, 0x00091001),
    signed_at="20261122130854.402702+0000",
    purpose=Purpose("1", "ASTM-sigpurpose", "Author's Signature"),
    certificate=CERTIFICATE,
    verdict=Verdict.OK,
    chain_error=None,
    intact=True,
    trusted=True,
    coverage=Coverage(),
)
UNTRUSTED = dataclasses.replace(GOOD, verdict=Verdict.UNTRUSTED, chain_error="self-signed certificate", trusted=False, number=2)
EXPIRED = dataclasses.replace(UNTRUSTED, chain_error="certificate has expired")
CORRUPTED = dataclasses.replace(GOOD, verdict=Verdict.CORRUPTED, intact=False, trusted=False)
UNREADABLE = dataclasses.replace(
    CORRUPTED,
    uid=None,
    mac_id=None,
    mac_algorithm=None,
    mac_transfer_syntax=None,
    tags_signed=None,
    signed_at=None,
    purpose=None,
    certificate=None,
    verdict=Verdict.MAC_PARAMETERS_MISSING,
    remarks=((Remark.NO_MAC_ID, ""), (Remark.BAD_CERTIFICATE_TYPE, "X.509")),
)


def listed(*signatures: SignatureReport, level: str = "info", required: bool = False) -> str:
    """The listing at a level, as it appears on standard error."""
    floor = log.LEVELS[level]
    lines = listing.lines(VerificationReport(signatures, required), BUILT_IN, details=level == "info")
    return "".join(log.prefixed(number, text) for number, text in lines if number >= floor)


def test_default_level() -> None:
    assert listed(GOOD, UNTRUSTED, level="warn") == (
        "W: Signature #1 UID=1.2.3\n"
        "W:   Signature Verification : OK\n"
        "W: Signature #2 UID=1.2.3\n"
        "W:   Signature Verification : signature is OK but certificate verification failed: self-signed certificate\n"
    )


def test_details() -> None:
    assert listed(GOOD) == (
        "W: Signature #1 UID=1.2.3\n"
        "I:   Location                    : Main Dataset\n"
        "I:   MAC ID                      : 0\n"
        "I:   MAC algorithm               : SHA256\n"
        "I:   MAC calculation xfer syntax : =Little Endian Explicit\n"
        "I:   Data elements signed        :\n"
        "I:       (0008,0016) SOPClassUID\n"
        "I:       (0020,000d) StudyInstanceUID\n"
        "I:       (0009,0010) PrivateCreator\n"
        "I:       (0009,1001) Unknown Tag & Data\n"
        "I:   Signature date/time         : 20261122130854.402702+0000\n"
        "I:   Signature purpose           : Author's Signature (1, ASTM-sigpurpose)\n"
        "I:   Certificate of signer       : \n"
        "I:       X.509v3\n"
        "I:       Subject                 : /CN=MAC test vectors rsa\n"
        "I:       Issued by               : /CN=MAC test vectors rsa\n"
        "I:       Serial no.              : 1\n"
        "I:       Validity                : not before Jan  1 00:00:00 2020 GMT\n"
        "I:       Validity                : not after \n"
        "I:       Public key              : RSA, 2048 bits\n"
        "W:   Signature Verification      : OK\n"
        "I:   Certified timestamp         : absent\n"
        "I: 1 signatures verified in dataset, 0 corrupted.\n"
    )


def test_unreadable_details() -> None:
    assert listed(UNREADABLE) == (
        "W: Cannot read MAC ID number in DigitalSignaturesSequence.\n"
        "W: Encountered unsupported certificate type 'X.509' (expected 'X509_1993_SIG').\n"
        "W: Signature #1 UID=(unknown)\n"
        "I:   Location                    : Main Dataset\n"
        "I:   MAC ID                      : (unknown)\n"
        "I:   MAC algorithm               : (unknown)\n"
        "I:   MAC calculation xfer syntax : (unknown)\n"
        "I:   Data elements signed        : (unknown)\n"
        "I:   Signature date/time         : (unknown)\n"
        "I:   Signature purpose           : (not specified)\n"
        "I:   Certificate of signer       : \n"
        "I:       none\n"
        "W:   Signature Verification      : signature verification failed: MAC parameters not be found or incomplete\n"
        "I: 1 signatures verified in dataset, 1 corrupted.\n"
    )


def test_remarks_stand_before_the_verdict() -> None:
    remarks = ((Remark.UNSIGNABLE_ELEMENT, "(fffa,fffa)"), (Remark.WEAK_KEY, "RSA, 768 bits"))
    lines = listed(dataclasses.replace(GOOD, remarks=remarks)).splitlines()
    verdict = lines.index("W:   Signature Verification      : OK")
    assert lines[verdict - 2 : verdict] == [
        "I:   Signature contains unsignable element (fffa,fffa) DigitalSignaturesSequence",
        "W: Certificate contains a weak key: RSA, 768 bits",
    ]


@pytest.mark.parametrize(("signature", "there"), [(GOOD, True), (EXPIRED, True), (UNTRUSTED, False), (CORRUPTED, False)])
def test_timestamp_line(signature: SignatureReport, there: bool) -> None:
    assert ("I:   Certified timestamp         : absent\n" in listed(signature)) is there


def test_incomplete_coverage() -> None:
    coverage = Coverage(False, 16398, 2, ("(0040,a730)[0].(0040,a160)", "(0040,a730)[1].(0040,a160)"))
    signature = dataclasses.replace(GOOD, coverage=coverage)
    assert listed(signature, level="warn").splitlines()[1:] == [
        "W:   Signature Verification : OK",
        "W:   Signature Coverage     : incomplete, 16398 bytes in 2 data elements are not protected",
    ]
    assert listed(signature).splitlines()[-6:] == [
        "W:   Signature Verification      : OK",
        "W:   Signature Coverage          : incomplete, 16398 bytes in 2 data elements are not protected",
        "I:       (0040,a730)[0].(0040,a160)",
        "I:       (0040,a730)[1].(0040,a160)",
        "I:   Certified timestamp         : absent",
        "I: 1 signatures verified in dataset, 0 corrupted.",
    ]


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ((), "Main Dataset"),
        (((0x00081115, 0), (0x00081140, 1)), "ReferencedSeriesSequence[0].ReferencedImageSequence[1]"),
        (((0x00091001, 12),), "Unknown Tag & Data[12]"),
    ],
)
def test_location(path: tuple[tuple[int, int], ...], text: str) -> None:
    assert listing.location(path, BUILT_IN) == text


def test_unknown_syntax_and_control_characters() -> None:
    text = listed(dataclasses.replace(GOOD, uid="1.2\nF: forged\x1b[2J", mac_transfer_syntax="1.2.3"))
    assert "W: Signature #1 UID=1.2\\x0AF: forged\\x1B[2J\n" in text
    assert "I:   MAC calculation xfer syntax : 1.2.3\n" in text
    assert listed(dataclasses.replace(GOOD, mac_transfer_syntax="")).count("xfer syntax : (unknown)") == 1


@pytest.mark.parametrize(("serial", "text"), [(2**63 - 1, str(2**63 - 1)), (2**63, "-1"), (-(2**63), str(-(2**63)))])
def test_serial_number(serial: int, text: str) -> None:
    certificate = dataclasses.replace(CERTIFICATE, serial=serial)
    assert f"I:       Serial no.              : {text}\n" in listed(dataclasses.replace(GOOD, certificate=certificate))


def test_no_signatures() -> None:
    assert listed() == "W: no signatures found in dataset.\n"
    assert listed(required=True) == "E: no signatures found although required by the signature verification policy.\n"


@pytest.mark.parametrize(
    ("signatures", "required", "code"),
    [
        ((), False, ExitCode.OK),
        ((), True, ExitCode.NO_SIGNATURE),
        ((GOOD,), True, ExitCode.OK),
        ((GOOD, UNTRUSTED), False, ExitCode.VERIFICATION_FAILED),
        ((EXPIRED,), True, ExitCode.VERIFICATION_FAILED),
    ],
)
def test_exit_code(signatures: tuple[SignatureReport, ...], required: bool, code: ExitCode) -> None:
    assert listing.exit_code(VerificationReport(signatures, required)) is code
