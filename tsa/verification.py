"""Is a timestamp good? The checks of its token, in the order and with the words of dcmsign (RFC 3161, RFC 5652, RFC 5035).

Nothing here is trusted but the path that the caller's PathValidator finds.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple, Protocol

from ..codec.errors import AlgorithmUnavailable
from . import ber, imprints, names
from .certificates import TsaCertificate
from .signatures import signature_problem
from .token import SignerInfo, Token

_MESSAGE_DIGEST: Final = "1.2.840.113549.1.9.4"
_SIGNING_CERTIFICATE: Final = "1.2.840.113549.1.9.16.2.12"
_SIGNING_CERTIFICATE_V2: Final = "1.2.840.113549.1.9.16.2.47"
_SHA1: Final = "1.3.14.3.2.26"
_SHA256: Final = "2.16.840.1.101.3.4.2.1"
_DIRECTORY_NAME: Final = 0xA4
_OCTET_STRING: Final = 0x04

MALFORMED_TIME: Final = (
    "comparison of timestamp date/time with TSA certificate notBefore/notAfter attribute failed, value possibly malformed."
)

WEAK_DIGESTS: Final = frozenset({"MD5", "SHA1"})
"""The algorithms that TokenRules.refuse_weak_digests is about: collisions can be made."""


class PathValidator(Protocol):
    """Whoever knows which certificates are trusted, and at what time."""

    def chain(self, certificate: bytes, helpers: Sequence[bytes]) -> tuple[bytes, ...] | None:
        """The verified path from `certificate` to a trust anchor, None if there is none; all DER, the leaf first.

        `helpers` may be links of the path, but are never trusted for being there.
        """
        ...


@dataclass(frozen=True, slots=True)
class TokenRules:
    """What is asked of a token beyond dcmsign's checks; by default nothing.

    `not_after` and `not_before` (aware) bound its time: the present, and the date of the signature, say; each is widened by
    `tolerance`. `refuse_weak_digests`: neither the imprint nor the authority's signature may use one of WEAK_DIGESTS.
    """

    not_after: datetime | None = None
    not_before: datetime | None = None
    tolerance: timedelta = timedelta()
    refuse_weak_digests: bool = False


@dataclass(frozen=True, slots=True)
class TokenVerdict:
    """Whether a token is good.

    `reason` says why not, in dcmsign's words (what follows ``timestamp signature verification failed: ``); None if it is good.
    `certificate` (DER) is the authority's, as soon as its signature is known to be good, `path` its verified path. `remarks` are
    the lines that dcmsign prints as errors besides the verdict.
    """

    reason: str | None
    certificate: bytes | None = None
    path: tuple[bytes, ...] = ()
    remarks: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """True if the timestamp is good."""
        return self.reason is None


class _Failed(Exception):
    """The first check that failed."""


def verify_token(
    token: Token,
    *,
    signature: bytes,
    signer_validity: tuple[datetime, datetime],
    path: PathValidator | None,
    helpers: Sequence[bytes] = (),
    rules: TokenRules = TokenRules(),
) -> TokenVerdict:
    """Check a token, its signature, and that it is about `signature`; the first failure ends it.

    `signature` is the signature value of the DICOM signature without its pad byte, `signer_validity` the validity of the DICOM
    signer's certificate (aware), `helpers` are certificates (DER) among which the authority's is looked for, before those in the
    token, and which may be links of its path. Without `path` nothing is said about who the authority is: its certificate need not
    be trusted, all else is checked. Never raises for what is in the token.
    """
    try:
        certificate, chain = _check_signature(token, helpers, path)
    except _Failed as failure:
        return TokenVerdict(str(failure))
    problem = _time_problem(token.time, (certificate.not_before, certificate.not_after), "TSA")
    if problem is not None:
        return TokenVerdict(problem, certificate.der, chain, (problem,))
    problem = _content_problem(token, signature, certificate)
    if problem is not None:
        return TokenVerdict(problem, certificate.der, chain)
    problem = _time_problem(token.time, signer_validity, "signer")
    if problem is not None:
        return TokenVerdict(problem, certificate.der, chain, (problem,))
    return TokenVerdict(_rule_problem(token, rules), certificate.der, chain)


def _check_signature(
    token: Token, helpers: Sequence[bytes], path: PathValidator | None
) -> tuple[TsaCertificate, tuple[bytes, ...]]:
    """Checks 1 to 7: who signed, may they, and did they."""
    if len(token.signers) != 1:
        raise _Failed("there must be one signer")
    signer = token.signers[0]
    certificate = _signer_certificate(token, helpers, signer)
    chain = (certificate.der,) if path is None else path.chain(certificate.der, (*token.certificates, *helpers))
    if not chain or not certificate.may_stamp:
        raise _Failed("certificate verify error")
    _check_signing_certificate(signer, chain, whole=path is not None)
    _check_message_digest(token, signer)
    assert signer.signed_bytes is not None  # there are signed attributes
    digest = _digest(signer.digest_oid, signer.signed_bytes)
    problem = signature_problem(certificate.key_info, signer.signature, digest, signer.digest_oid)
    if problem is not None:
        raise _Failed(problem)
    return certificate, chain


def _signer_certificate(token: Token, helpers: Sequence[bytes], signer: SignerInfo) -> TsaCertificate:
    from . import structures

    wanted = names.canonical(signer.issuer)
    for encoding in (*helpers, *token.certificates):
        try:
            certificate = TsaCertificate.from_der(encoding)
            if certificate.serial == signer.serial and names.canonical(certificate.issuer) == wanted:
                return certificate
        except structures.MALFORMED:
            continue  # a certificate that cannot be read cannot have signed
    raise _Failed("signer certificate not found")


def _check_message_digest(token: Token, signer: SignerInfo) -> None:
    """Check 6 (RFC 5652 5.4 and 11.2): the content is the one whose digest has been signed."""
    if not all(imprints.is_known(imprints.algorithm_name(oid)) for oid in token.digest_oids):
        raise _Failed("unsupported")
    values = [ber.node(value) for value in signer.attribute(_MESSAGE_DIGEST)]
    if signer.digest_oid not in token.digest_oids or not values or values[0].tag != _OCTET_STRING:
        raise _Failed("unable to find message digest")
    if len(values) > 1 or values[0].content != _digest(signer.digest_oid, token.content):
        raise _Failed("digest failure")


def _digest(oid: str, data: bytes) -> bytes:
    """A digest by object identifier."""
    try:
        digest = imprints.digest(imprints.algorithm_name(oid), data)
    except AlgorithmUnavailable:
        digest = None
    if digest is None:
        raise _Failed("unsupported")
    return digest


class _CertificateId(NamedTuple):
    """One ESSCertID: digest algorithm (dotted), digest of a certificate, its issuer and serial number if they are given."""

    oid: str
    digest: bytes
    issuer_serial: Any


def _check_signing_certificate(signer: SignerInfo, chain: Sequence[bytes], *, whole: bool) -> None:
    """Check 5 (RFC 5035 5.4): the first identifier is of the signer's certificate, the others are of the path, if `whole`."""
    from . import structures

    read = (
        _identifiers(signer, _SIGNING_CERTIFICATE, structures.SigningCertificate),
        _identifiers(signer, _SIGNING_CERTIFICATE_V2, structures.SigningCertificateV2),
    )
    lists = [ids for ids in read if ids is not None]
    if not lists:
        raise _Failed("missing signing certificate attribute")
    if not all(lists):
        raise _Failed("empty ess cert id list")
    for ids in lists:
        for position, identifier in enumerate(ids if whole else ids[:1]):
            _check_identifier(identifier, position == 0, chain)


def _check_identifier(identifier: _CertificateId, first: bool, chain: Sequence[bytes]) -> None:
    for place, certificate in enumerate(chain):
        digest = _digest(identifier.oid, certificate)
        if digest == identifier.digest and _is_of(identifier.issuer_serial, certificate):
            if (place == 0) != first:
                raise _Failed("ess cert id wrong order")
            return
    raise _Failed("ess cert id not found")


def _is_of(issuer_serial: Any, encoding: bytes) -> bool:
    """Whether an optional IssuerSerial names the certificate."""
    from . import structures

    if not structures.present(issuer_serial):
        return True
    try:
        certificate = TsaCertificate.from_der(encoding)
        (issuer,) = (ber.node(name.dump()) for name in issuer_serial["issuer"])
        return (
            issuer.tag == _DIRECTORY_NAME
            and names.canonical(issuer.content) == names.canonical(certificate.issuer)
            and structures.integer(issuer_serial["serial"]) == certificate.serial
        )
    except structures.MALFORMED:
        return False


def _identifiers(signer: SignerInfo, oid: str, structure: Any) -> list[_CertificateId] | None:
    """The identifiers in a signing certificate attribute; None without one that can be read."""
    from . import structures

    values = signer.attribute(oid)
    if not values:
        return None
    try:
        entries = structure.load(values[0], strict=True)["certificates"]
        return [_CertificateId(_hash_oid(entry), entry["hash"].contents, entry["issuer_serial"]) for entry in entries]
    except structures.MALFORMED:
        return None


def _hash_oid(identifier: Any) -> str:
    from . import structures

    if isinstance(identifier, structures.CertificateId):
        return _SHA1
    algorithm = identifier["hash_algorithm"]
    return structures.dotted(algorithm["algorithm"]) if structures.present(algorithm) else _SHA256


def _content_problem(token: Token, signature: bytes, certificate: TsaCertificate) -> str | None:
    """Checks 10 to 12: does the TSTInfo speak of this signature, and of this authority?"""
    if token.version != 1:
        return "unsupported version"
    try:
        imprint = _digest(imprints.algorithm_oid(token.algorithm), signature)
    except _Failed as failure:
        return str(failure)
    if imprint != token.imprint:
        return "message imprint mismatch"
    if token.tsa is not None and not certificate.is_named(token.tsa):
        return "tsa name mismatch"
    return None


def _time_problem(time: datetime | None, validity: tuple[datetime, datetime], whose: str) -> str | None:
    """Checks 8, 9 and 13: both ends of the validity belong to it."""
    if time is None:
        return MALFORMED_TIME
    if time < validity[0]:
        return f"timestamp created before start of {whose} certificate validity."
    if time > validity[1]:
        return f"timestamp created after expiry of {whose} certificate."
    return None


def _rule_problem(token: Token, rules: TokenRules) -> str | None:
    """What dcmsign does not ask for."""
    assert token.time is not None
    for problem in _broken_rules(token, token.time, rules):
        return problem
    return None


def _broken_rules(token: Token, time: datetime, rules: TokenRules) -> Iterator[str]:
    if rules.not_after is not None and time - rules.not_after > rules.tolerance:
        yield "timestamp lies in the future"
    if rules.not_before is not None and rules.not_before - time > rules.tolerance:
        yield "timestamp is older than the signature"
    if rules.refuse_weak_digests:
        used = {token.algorithm, imprints.algorithm_name(token.signers[0].digest_oid)}
        yield from (f"weak digest algorithm {imprints.long_name(name)}" for name in sorted(used & WEAK_DIGESTS))
