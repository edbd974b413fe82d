"""The checks that lead from a signature found in an object to its verdict, in dcmsign's order."""

from __future__ import annotations

from datetime import datetime

from ..codec.dicom import syntaxes
from ..codec.dicom.tags import text
from ..codec.errors import BadCertificateFile, CryptoFailure
from ..codec.signature.algorithms import MAC_ALGORITHMS
from ..codec.signature.finder import FoundSignature
from ..codec.signature.items import CERTIFICATE_TYPE_X509, read_purpose
from .reports import Coverage, Purpose, Remark, SignatureReport, Verdict
from .trust.anchors import Trust
from .trust.certificates import Certificate
from .trust.dates import check_signing_date
from .trust.signers import verify_digest

Remarks = list[tuple[Remark, str]]


def judge(found: FoundSignature, number: int, trust: Trust, at: datetime | None) -> SignatureReport:
    """Check one signature against the certificates in `trust`; `at` is the time of the chain check, now if None."""
    item, parameters = found.item, found.parameters
    remarks: Remarks = []
    if item.mac_id is None:
        remarks.append((Remark.NO_MAC_ID, ""))
    certificate = _read_certificate(found, remarks)
    verdict, coverage = _check_contents(found, certificate, remarks)
    intact = verdict is Verdict.OK
    chain_error = None
    if intact:
        assert certificate is not None
        verdict = _check_date(found, certificate, remarks)
    if intact and verdict is Verdict.OK:
        assert certificate is not None
        if certificate.weak_key:
            remarks.append((Remark.WEAK_KEY, certificate.weak_key_text))
        chain_error = _validate(certificate, trust, at)
        if chain_error is not None:
            verdict = Verdict.UNTRUSTED
    purpose = read_purpose(item.item)
    return SignatureReport(
        number=number,
        location=found.location,
        uid=item.uid,
        mac_id=item.mac_id,
        mac_algorithm=parameters.algorithm if parameters else None,
        mac_transfer_syntax=parameters.syntax if parameters else None,
        tags_signed=parameters.tags if parameters else None,
        signed_at=item.date_time,
        purpose=None if purpose is None else Purpose(*purpose),
        certificate=certificate,
        verdict=verdict,
        chain_error=chain_error,
        intact=intact,
        trusted=verdict is Verdict.OK,
        coverage=coverage,
        remarks=tuple(remarks),
    )


def _read_certificate(found: FoundSignature, remarks: Remarks) -> Certificate | None:
    item = found.item
    if item.certificate_type is None:
        remarks.append((Remark.NO_CERTIFICATE_TYPE, ""))
    elif item.certificate_type != CERTIFICATE_TYPE_X509:
        remarks.append((Remark.BAD_CERTIFICATE_TYPE, item.certificate_type))
    elif item.certificate is None:
        remarks.append((Remark.NO_CERTIFICATE, ""))
    elif not item.certificate:
        remarks.append((Remark.EMPTY_CERTIFICATE, ""))
    else:
        try:
            return Certificate.from_der(item.certificate)
        except BadCertificateFile:
            remarks.append((Remark.UNPARSEABLE_CERTIFICATE, ""))
    return None


def _check_contents(found: FoundSignature, certificate: Certificate | None, remarks: Remarks) -> tuple[Verdict, Coverage]:
    """Rows 1 to 13: is the signature complete, and does it match the data?"""
    item, parameters = found.item, found.parameters
    checks = (
        (parameters is None, Verdict.MAC_PARAMETERS_MISSING),
        (certificate is None or certificate.key_type == "unknown", Verdict.CERTIFICATE_UNREADABLE),
        (parameters is None or parameters.syntax is None, Verdict.MAC_PARAMETERS_MISSING),
        (parameters is None or parameters.syntax not in syntaxes.SYNTAXES, Verdict.UNUSABLE_MAC_SYNTAX),
        (parameters is None or parameters.algorithm is None, Verdict.MAC_PARAMETERS_MISSING),
        (parameters is None or parameters.algorithm not in MAC_ALGORITHMS, Verdict.UNSUPPORTED_MAC_ALGORITHM),
        (parameters is None or not parameters.tags, Verdict.BAD_ELEMENT_LIST),
        (item.signature is None, Verdict.INCOMPLETE),
        (not found.usable_syntax, Verdict.UNUSABLE_MAC_SYNTAX),
        (bool(found.unsignable), Verdict.UNSIGNABLE_ELEMENT),
        (not item.signature, Verdict.INCOMPLETE),
    )
    for failed, verdict in checks:
        if failed:
            if verdict is Verdict.UNSIGNABLE_ELEMENT:
                remarks += [(Remark.UNSIGNABLE_ELEMENT, text(tag)) for tag in found.unsignable[:1]]
            return verdict, Coverage()
    assert certificate is not None
    return _match(found, certificate)


def _match(found: FoundSignature, certificate: Certificate) -> tuple[Verdict, Coverage]:
    """Does the signature value belong to one of the digests? The complete ones are tried first."""
    assert found.item.signature is not None
    assert found.parameters is not None
    assert found.parameters.algorithm is not None
    for form in found.digests:
        try:
            matches = verify_digest(certificate, found.item.signature, form.digest, found.parameters.algorithm)
        except CryptoFailure:
            return Verdict.CRYPTO_FAILURE, Coverage()
        if matches:
            coverage = Coverage(form.complete, form.missing_bytes, form.missing_elements, form.examples)
            return Verdict.OK, coverage
    return Verdict.CORRUPTED, Coverage()


def _check_date(found: FoundSignature, certificate: Certificate, remarks: Remarks) -> Verdict:
    """Rows 14 to 17: was the certificate valid when the signature says it was made?"""
    date = check_signing_date(found.item.date_time, certificate)
    if date.remark is not None:
        remarks.append((date.remark, ""))
    return date.verdict


def _validate(certificate: Certificate, trust: Trust, at: datetime | None) -> str | None:
    from .trust.paths import validate_path  # loads pyOpenSSL, which only a chain check needs

    return validate_path(certificate, trust, at=at)
