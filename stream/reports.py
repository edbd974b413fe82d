"""Plain result objects of signing and verifying."""

from __future__ import annotations

import enum
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from ..codec.errors import VerificationFailed
from ..codec.signature.location import Location, search_order

if TYPE_CHECKING:
    from datetime import datetime

    from ..codec.inspection.findings import Finding
    from ..codec.inspection.inspector import Inspection
    from ..codec.inspection.mapping import ObjectMap
    from ..codec.inspection.scope import Scope
    from ..codec.signature.profiles import Profile
    from ..tsa.token import Token
    from .levels import Levels
    from .policy_checks import PolicyOutcome
    from .trust.certificates import Certificate


class Verdict(enum.Enum):
    """Outcome of the checks of one signature, in the order in which they are made; the value is the text dcmsign prints."""

    OK = "OK"
    MAC_PARAMETERS_MISSING = "signature verification failed: MAC parameters not be found or incomplete"
    CERTIFICATE_UNREADABLE = "signature verification failed: certificate is missing or unreadable"
    UNUSABLE_MAC_SYNTAX = "unable to use the selected transfer syntax for MAC computation"
    UNSUPPORTED_MAC_ALGORITHM = "signature verification failed: MAC algorithm not supported"
    BAD_ELEMENT_LIST = "signature verification failed: DataElementsSigned missing or incorrect"
    INCOMPLETE = "signature verification failed: signature item incomplete"
    UNSIGNABLE_ELEMENT = "signature verification failed: signature contains attribute that is not signable"
    CRYPTO_FAILURE = "an OpenSSL call has failed"
    CORRUPTED = "signature verification failed: signature is invalid (document corrupted)"
    EXPIRED_WHEN_SIGNED = "signature verification failed: certificate was expired at signature creation date"
    BAD_DATE = "Illegal parameter"
    NOT_YET_VALID_WHEN_SIGNED = "signature verification failed: certificate was not yet valid at signature creation date"
    UNTRUSTED = "signature is OK but certificate verification failed"


class Remark(enum.Enum):
    """Something worth telling about one signature that does not decide the verdict; the value is dcmsign's text."""

    NO_MAC_ID = "Cannot read MAC ID number in DigitalSignaturesSequence."
    NO_CERTIFICATE_TYPE = "Certificate type missing in dataset."
    BAD_CERTIFICATE_TYPE = "Encountered unsupported certificate type '{}' (expected 'X509_1993_SIG')."
    NO_CERTIFICATE = "Certificate missing in dataset."
    EMPTY_CERTIFICATE = "Empty certificate of signer."
    UNPARSEABLE_CERTIFICATE = "Unable to parse X.509 certificate."
    UNSIGNABLE_ELEMENT = "Signature contains unsignable element {}"
    WEAK_KEY = "Certificate contains a weak key: {}"
    UNKNOWN_TIMESTAMP_TYPE = "unknown certified timestamp type: {}\nunknown certified timestamp type while reading timestamp."
    UNREADABLE_TIMESTAMP = "{}\ncertified timestamp in dataset cannot be read while reading timestamp."
    BAD_DATE_ATTRIBUTE = "DigitalSignatureDateTime attribute is invalid"


class Purpose(NamedTuple):
    """Digital Signature Purpose Code Sequence (0400,0401), first item."""

    code_value: str
    coding_scheme: str
    meaning: str


class Coverage(NamedTuple):
    """What a matching digest covers of the listed data elements.

    `complete` is True if the digest holds every byte that PS3.3 C.12.1.1.3.1.1 puts into it. Signatures of DCMTK over large
    nested sequences may leave out `missing_bytes` bytes in `missing_elements` data elements, of which `examples` names some
    (paths such as ``(0040,a730)[0].(0040,a730)[0].(0040,a160)``).
    """

    complete: bool = True
    missing_bytes: int = 0
    missing_elements: int = 0
    examples: tuple[str, ...] = ()


class TimestampPolicy(enum.Enum):
    """What is done about certified timestamps: verified where there are some, not looked at, or required of every signature."""

    VERIFY = "verify"
    IGNORE = "ignore"
    REQUIRE = "require"


class RevocationSource(NamedTuple):
    """A revocation list that took part in a decision.

    `issuer` is in OpenSSL's one-line form; the times (UTC) are None if the list has none, or none that can be read. `origin`: the
    file it came from, "given" if it was handed over as such.
    """

    issuer: str
    this_update: datetime | None
    next_update: datetime | None
    origin: str


class TimestampReport(NamedTuple):
    """The certified timestamp of a signature.

    `token`: what it says. `reason`: why it is not good (RFC 3161), None if it is, or if it was `ignored`. `certificate`: of the
    authority, once its signature is known to be good. `extends_validity`: the signer's certificate has expired, but the whole
    chain was valid at the token's time. `remarks`: what dcmsign prints besides. `chain`: the verified path of the authority's
    certificate, leaf first; empty if there is none.
    """

    token: Token
    reason: str | None = None
    certificate: Certificate | None = None
    ignored: bool = False
    extends_validity: bool = False
    remarks: tuple[str, ...] = ()
    chain: tuple[Certificate, ...] = ()

    @property
    def ok(self) -> bool:
        """True if the timestamp is good or was not to be looked at."""
        return self.reason is None


@dataclass(frozen=True, slots=True)
class SignatureReport:
    """One digital signature and what its verification found.

    Attributes come from the file as they stand there and are None where absent or unreadable. `intact` says that the digest
    and the signature value agree; `trusted` that the signer's certificate chains to a trust anchor. Remarks are pairs of the
    kind and the text to put into it; they are ordered as the checks are. `timestamp` is there if the signature has one
    and got so far that it counts; `timestamp_missing` if it got so far, one was required, and it has none. `scope`: what it
    protects of the object, if it is intact and the object was inspected.

    The evidence: `chain` is the path from the signer's certificate to the trust anchor, leaf first, empty if there is no valid
    one. `checked_at`: the time (UTC) the path was checked for, None if it was not; that of the timestamp if this extends the
    validity (`timestamp.extends_validity`). `revocation`: the lists the decision rests on, also one against the signer.
    `anchors`: whether there was anybody to trust. `has_timestamp`: it has a certified timestamp, whether looked at or not.
    """

    number: int
    location: Location
    uid: str | None
    mac_id: int | None
    mac_algorithm: str | None
    mac_transfer_syntax: str | None
    tags_signed: tuple[int, ...] | None
    signed_at: str | None
    purpose: Purpose | None
    certificate: Certificate | None
    verdict: Verdict
    chain_error: str | None
    intact: bool
    trusted: bool
    coverage: Coverage
    remarks: tuple[tuple[Remark, str], ...] = ()
    timestamp: TimestampReport | None = None
    timestamp_missing: bool = False
    scope: Scope | None = None
    chain: tuple[Certificate, ...] = ()
    checked_at: datetime | None = field(default=None, compare=False)
    revocation: tuple[RevocationSource, ...] = ()
    anchors: bool = False
    has_timestamp: bool = False

    @property
    def levels(self) -> Levels:
        """What was reached and why: intact, trusted, timestamped, covered."""
        from .levels import levels_of_signature  # only who asks needs it

        return levels_of_signature(self)

    @property
    def ok(self) -> bool:
        """True if the signature is intact, its signer trusted, and a timestamp that counts is good."""
        if self.timestamp_missing or (self.timestamp is not None and not self.timestamp.ok):
            return False
        return self.verdict is Verdict.OK or self.trusted

    @property
    def reason(self) -> str:
        """The verdict as one line of text."""
        if self.verdict is Verdict.UNTRUSTED:
            return f"{self.verdict.value}: {self.chain_error}"
        return str(self.verdict.value)

    def to_dict(self) -> dict[str, Any]:
        """The report as JSON-ready data."""
        from .report_data import signature_data

        return {
            "number": self.number,
            "location": [[f"{tag >> 16:04x},{tag & 0xFFFF:04x}", item] for tag, item in self.location],
            "uid": self.uid,
            "mac_id": self.mac_id,
            "mac_algorithm": self.mac_algorithm,
            "mac_transfer_syntax": self.mac_transfer_syntax,
            "tags_signed": None
            if self.tags_signed is None
            else [f"{tag >> 16:04x},{tag & 0xFFFF:04x}" for tag in self.tags_signed],
            "signed_at": self.signed_at,
            "purpose": None if self.purpose is None else self.purpose.meaning,
            "signer": None if self.certificate is None else self.certificate.subject,
            "status": self.verdict.name,
            "reason": self.reason,
            "intact": self.intact,
            "trusted": self.trusted,
            "complete": self.coverage.complete,
            **signature_data(self),
        }


@dataclass(frozen=True, slots=True)
class VerificationReport:
    """All signatures of an object, in the order dcmsign lists them (depth first, ascending tags).

    `missing_profile`: the digital signature profile that was required and that no signature fulfils. `ignored`: data sets and
    items with signatures below Original Attributes Sequence (0400,0561), which belong to another object and are not verified.
    `inspection`: the parts of the object and what about its structure is not as it should be, None if that was not asked for.
    `scope`: what all signatures together protect that are `ok`, or just intact if there are no trust anchors to judge them by.
    `policy`: how the object stands to the policy that was given.
    """

    signatures: tuple[SignatureReport, ...]
    required: bool = True
    missing_profile: Profile | None = None
    ignored: tuple[Location, ...] = ()
    inspection: Inspection | None = None
    scope: Scope | None = None
    policy: PolicyOutcome | None = None

    @property
    def ok(self) -> bool:
        """True if every signature is OK and, where one or a profile is required, there is at least one that is."""
        if self.missing_profile is not None or (self.required and not self.signatures):
            return False
        if self.policy is not None and not self.policy.fulfilled:
            return False
        return all(signature.ok for signature in self.signatures)

    @property
    def levels(self) -> Levels:
        """What the object as a whole has reached and why; each of them only if every signature has."""
        from .levels import levels_of_object

        return levels_of_object(self)

    @property
    def map(self) -> ObjectMap | None:
        """The parts of the object, None if it was not inspected."""
        return None if self.inspection is None else self.inspection.map

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What about the structure of the object is not as it should be; empty if it was not inspected."""
        return () if self.inspection is None else self.inspection.findings

    def entries(self) -> Iterator[SignatureReport | Location]:
        """The signatures and, at their places in the search for them, the ignored data sets and items."""
        found: list[SignatureReport | Location] = [*self.signatures, *self.ignored]
        yield from sorted(found, key=lambda entry: search_order(entry if isinstance(entry, tuple) else entry.location))

    def raise_for_status(self) -> None:
        """Raise VerificationFailed unless the report is `ok`."""
        if self.ok:
            return
        bad = next((signature for signature in self.signatures if not signature.ok), None)
        if bad is not None:
            raise VerificationFailed(f"signature {bad.uid}: {bad.reason}")
        if self.policy is not None and not self.policy.fulfilled:
            raise VerificationFailed(f"policy {self.policy.policy.name}: {self.policy.violations[0]}")
        if not self.signatures:
            raise VerificationFailed("no signature present")
        raise VerificationFailed(f"no signature fulfils the profile {self.missing_profile}")

    def to_dict(self) -> dict[str, Any]:
        """The report as JSON-ready data."""
        from .report_data import levels_data, scope_data

        return {
            "ok": self.ok,
            "missing_profile": None if self.missing_profile is None else self.missing_profile.name,
            "signatures": [signature.to_dict() for signature in self.signatures],
            "levels": levels_data(self.levels),
            "scope": scope_data(self.scope),
            "policy": None if self.policy is None else self.policy.to_dict(),
        }
