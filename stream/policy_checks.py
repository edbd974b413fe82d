"""Whether an object, with its signatures, fulfils a policy."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, NamedTuple

from ..codec.dicom.dictionary import BUILT_IN
from ..codec.dicom.tags import text as tag_text
from ..codec.errors import PolicyViolation
from ..codec.inspection.findings import Severity
from ..codec.inspection.mapping import Entry, Part
from ..codec.inspection.scope import scope_of
from .policies import GROUPS, Policy, tag_pattern
from .reports import SignatureReport, TimestampPolicy, VerificationReport
from .scopes import signed_by
from .trust.certificates import Certificate

_MOST_NAMED = 5


class Violation(NamedTuple):
    """What a policy asks and an object does not fulfil: `rule` is a key of the policy, `signature` the number of one."""

    rule: str
    signature: int | None
    reason: str

    def __str__(self) -> str:
        where = "" if self.signature is None else f"signature {self.signature}: "
        return f"{self.rule}: {where}{self.reason}"


class PolicyOutcome(NamedTuple):
    """How an object stands to a policy; it is fulfilled if there are no violations."""

    policy: Policy
    violations: tuple[Violation, ...]

    @property
    def fulfilled(self) -> bool:
        """Whether the policy accepts the object."""
        return not self.violations

    def to_dict(self) -> dict[str, Any]:
        """The outcome as JSON-ready data."""
        return {
            "name": self.policy.name,
            "fulfilled": self.fulfilled,
            "violations": [violation._asdict() for violation in self.violations],
        }


def judged_by(policy: Policy, report: VerificationReport, *, profile_met: bool = True) -> VerificationReport:
    """The report with what the policy says about it; `profile_met`: a signature that counts fulfils the profile it names."""
    return replace(report, policy=PolicyOutcome(policy, violations(policy, report, profile_met=profile_met)))


def counting(policy: Policy, report: VerificationReport) -> tuple[SignatureReport, ...]:
    """The signatures of which nothing is asked that they do not fulfil."""
    return tuple(signature for signature in report.signatures if not any(_of_signature(policy, signature)))


def check_creation(policy: Policy, certificate: Certificate, digest: str) -> None:
    """Raise PolicyViolation if a signature with this key and MAC algorithm must not be made."""
    reason = policy.create.reason(digest, certificate.key_type, certificate.key_bits)
    if reason is not None:
        raise PolicyViolation(f"policy {policy.name}: {reason}")


def violations(policy: Policy, report: VerificationReport, *, profile_met: bool = True) -> tuple[Violation, ...]:
    """Everything in a report of an inspected object that the policy does not accept.

    `profile_met`: whether one of the signatures that count fulfils the policy's profile, which a report does not tell.
    ValueError if the object was not inspected.
    """
    if report.inspection is None:
        raise ValueError("the object has not been inspected")
    found = list(_of_signatures(policy, report))
    if policy.profile is not None and not profile_met:
        found.append(Violation("profile", None, f"no signature fulfils {policy.profile.value}"))
    found += _of_object(policy, report)
    return tuple(found)


def _of_signatures(policy: Policy, report: VerificationReport) -> Iterator[Violation]:
    """What is wrong with the signatures, one by one, and whether enough of them are left."""
    if policy.signature and not report.signatures:
        yield Violation("signature", None, "there is none")
    wrong = {signature.number: tuple(_of_signature(policy, signature)) for signature in report.signatures}
    if policy.every:
        for found in wrong.values():
            yield from found
    elif wrong and all(wrong.values()):
        yield Violation("every", None, "no signature fulfils what is asked of one")
        for found in wrong.values():
            yield from found


def _of_signature(policy: Policy, signature: SignatureReport) -> Iterator[Violation]:
    number = signature.number
    if not signature.intact:
        yield Violation("signature", number, signature.reason)
        return
    certificate = signature.certificate
    assert certificate is not None
    weak = policy.accept.reason(signature.mac_algorithm, certificate.key_type, certificate.key_bits)
    if weak is not None:
        yield Violation("accept", number, weak)
    if policy.trusted and not signature.trusted:
        yield Violation("trusted", number, signature.reason)
    code = None if signature.purpose is None else signature.purpose.code_value
    if policy.purposes and code not in {str(purpose) for purpose in policy.purposes}:
        yield Violation("purposes", number, "no purpose" if code is None else f"purpose {code}")
    if policy.complete and not signature.coverage.complete:
        yield Violation("complete", number, f"{signature.coverage.missing_bytes} bytes of what is listed are in no digest")
    yield from _of_timestamp(policy, signature)


def _of_timestamp(policy: Policy, signature: SignatureReport) -> Iterator[Violation]:
    stamp = signature.timestamp
    if policy.timestamps is TimestampPolicy.IGNORE:
        return
    if stamp is not None and stamp.reason is not None:
        yield Violation("timestamps", signature.number, stamp.reason)
    elif policy.timestamps is TimestampPolicy.REQUIRE and (stamp is None or stamp.ignored):
        yield Violation("timestamps", signature.number, "no certified timestamp")


def _of_object(policy: Policy, report: VerificationReport) -> Iterator[Violation]:
    yield from _of_coverage(policy, report)
    if policy.findings is not None:
        yield from _of_findings(policy.findings, report)


def _of_coverage(policy: Policy, report: VerificationReport) -> Iterator[Violation]:
    """What should be protected by the signatures that fulfil the policy, and is not."""
    assert report.inspection is not None
    if not policy.coverage:
        return
    scope = scope_of(report.inspection.map, [signed_by(signature) for signature in counting(policy, report)])
    excluded = frozenset(report.inspection.map.excluded)
    open_entries = [entry for entry in scope.unprotected if entry.part is Part.ELEMENT and not entry.location]
    inside = [entry for entry in scope.unprotected if entry.part is Part.ELEMENT and entry in excluded]
    if report.inspection.map.more:
        yield Violation("coverage", None, f"{report.inspection.map.more} parts of the object are too many to be looked at")
    for word in policy.coverage:
        patterns = [pattern for name in GROUPS.get(word, (word,)) if (pattern := tag_pattern(name)) is not None]
        found = [entry for entry in open_entries if any((entry.tag or 0) & mask == value for mask, value in patterns)]
        found += [entry for entry in inside if any(entry.location[0][0] & mask == value for mask, value in patterns)]
        if found:
            yield Violation("coverage", None, f"{word}: not protected: {_names(found)}")


def _names(entries: list[Entry]) -> str:
    names = [f"{tag_text(entry.tag or 0)} {BUILT_IN.keyword_of(entry.tag or 0)}" for entry in entries[:_MOST_NAMED]]
    more = len(entries) - len(names)
    return ", ".join(names) + (f" and {more} more" if more else "")


def _of_findings(least: Severity, report: VerificationReport) -> Iterator[Violation]:
    ranks = list(Severity)
    for finding in report.findings:
        if ranks.index(finding.kind.severity) >= ranks.index(least):
            where = f" at {finding.element}" if finding.element else ""
            detail = f" ({finding.detail})" if finding.detail else ""
            yield Violation("findings", None, f"{finding.kind.title}{where}, offset {finding.offset}{detail}")
    if report.inspection is not None and report.inspection.more:
        yield Violation("findings", None, f"{report.inspection.more} more that were not kept")
