"""The checks that lead from a signature found in an object to its verdict, in dcmsign's order."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

from ..codec.dicom import syntaxes
from ..codec.dicom.tags import text
from ..codec.errors import BadCertificateFile, BadTimestampToken, CryptoFailure
from ..codec.signature.algorithms import MAC_ALGORITHMS
from ..codec.signature.finder import FoundSignature
from ..codec.signature.items import CERTIFICATE_TYPE_X509, TIMESTAMP_TYPE, SignatureItem, read_purpose
from .reports import (
    Coverage,
    Purpose,
    Remark,
    RevocationSource,
    SignatureReport,
    TimestampPolicy,
    TimestampReport,
    Verdict,
)
from .timestamp_rules import TimestampRules, check_token
from .trust.anchors import Trust
from .trust.certificates import Certificate
from .trust.dates import check_signing_date
from .trust.signers import signature_value, verify_digest

if TYPE_CHECKING:
    from ..tsa.token import Token
    from .trust.paths import FoundPath

_EXPIRED = "certificate has expired"
"""The only reason against a chain with which dcmsign looks at the timestamp; nothing is decided by it."""

Remarks = list[tuple[Remark, str]]


class Evidence(NamedTuple):
    """What a decision about a signer rests on: the reason against it, and what the report of the same names says."""

    error: str | None = None
    chain: tuple[Certificate, ...] = ()
    checked_at: datetime | None = None
    revocation: tuple[RevocationSource, ...] = ()


def judge(
    found: FoundSignature,
    number: int,
    trust: Trust,
    at: datetime | None,
    timestamps: TimestampPolicy = TimestampPolicy.VERIFY,
    rules: TimestampRules = TimestampRules.STRICT,
) -> SignatureReport:
    """Check one signature against the certificates in `trust`; `at` is the time of the chain check, now if None.

    `rules` are for its timestamp.
    """
    item, parameters = found.item, found.parameters
    remarks: Remarks = []
    if item.mac_id is None:
        remarks.append((Remark.NO_MAC_ID, ""))
    certificate = _read_certificate(found, remarks)
    token = _read_timestamp(found.item, remarks)
    verdict, coverage = _check_contents(found, certificate, remarks)
    intact = verdict is Verdict.OK
    evidence = Evidence()
    if intact:
        assert certificate is not None
        verdict = _check_date(found, certificate, remarks)
    if intact and verdict is Verdict.OK:
        assert certificate is not None
        if certificate.weak_key:
            remarks.append((Remark.WEAK_KEY, certificate.weak_key_text))
        evidence = _validate(certificate, trust, at)
        if evidence.error is not None:
            verdict = Verdict.UNTRUSTED
    chain_error = evidence.error
    stamp, missing = None, False
    if verdict is Verdict.OK or (verdict is Verdict.UNTRUSTED and (chain_error == _EXPIRED or rules.late_revocation)):
        assert certificate is not None
        missing = token is None and timestamps is TimestampPolicy.REQUIRE
        if token is not None and timestamps is TimestampPolicy.IGNORE:
            stamp = TimestampReport(token, ignored=True)
        elif token is not None:
            stamp, then = _judge_timestamp(token, found.item, certificate, trust, at, rules, trusted=verdict is Verdict.OK)
            evidence = then or evidence
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
        trusted=verdict is Verdict.OK or (stamp is not None and stamp.extends_validity),
        coverage=coverage,
        remarks=tuple(remarks),
        timestamp=stamp,
        timestamp_missing=missing,
        chain=evidence.chain,
        checked_at=evidence.checked_at,
        revocation=evidence.revocation,
        anchors=trust.has_anchors,
        has_timestamp=item.timestamp is not None,
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


def _read_timestamp(item: SignatureItem, remarks: Remarks) -> Token | None:
    if item.timestamp_type is None or item.timestamp is None:
        return None
    if item.timestamp_type != TIMESTAMP_TYPE:
        remarks.append((Remark.UNKNOWN_TIMESTAMP_TYPE, item.timestamp_type))
        return None
    from ..tsa.token import Token  # brings asn1crypto

    try:
        return Token.from_der(item.timestamp)
    except BadTimestampToken as error:
        remarks.append((Remark.UNREADABLE_TIMESTAMP, error.message))
        return None


def _judge_timestamp(
    token: Token,
    item: SignatureItem,
    certificate: Certificate,
    trust: Trust,
    at: datetime | None,
    rules: TimestampRules,
    *,
    trusted: bool,
) -> tuple[TimestampReport, Evidence | None]:
    """Check a token; a good one extends the validity of a signer who is not `trusted` now, but was at its time: evidence."""
    assert item.signature is not None
    verdict = check_token(
        token,
        value=signature_value(certificate, item.signature),
        signer=certificate,
        signed_at=item.date_time,
        trust=trust,
        rules=rules,
        at=at,
    )
    past = None
    if verdict.ok and not trusted and token.time is not None:
        past = _was_trusted(certificate, trust, token.time, at, rules)
    authority = None if verdict.certificate is None else Certificate.from_der(verdict.certificate)
    report = TimestampReport(
        token,
        verdict.reason,
        authority,
        extends_validity=past is not None,
        remarks=verdict.remarks,
        chain=tuple(map(Certificate.from_der, verdict.path)),
    )
    return report, past


def _was_trusted(
    certificate: Certificate, trust: Trust, moment: datetime, at: datetime | None, rules: TimestampRules
) -> Evidence | None:
    """Evidence that the whole chain was valid at `moment`, all signatures checked; None if it was not."""
    if not rules.late_revocation:
        evidence = _validate(certificate, trust, moment)
    else:
        from .trust.past import find_past_path

        evidence = _evidence(find_past_path(certificate, trust, moment=moment, at=at), moment)
    return evidence if evidence.error is None else None


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


def _validate(certificate: Certificate, trust: Trust, at: datetime | None) -> Evidence:
    from .trust.paths import find_path  # loads pyOpenSSL, which only a chain check needs

    now = at or datetime.now(UTC)
    return _evidence(find_path(certificate, trust, at, trust.revocation_check), now)


def _evidence(found: FoundPath, time: datetime) -> Evidence:
    sources = tuple(RevocationSource(one.issuer, one.this_update, one.next_update, one.origin) for one in found.consulted)
    return Evidence(found.error, found.certificates, time.astimezone(UTC), sources)
