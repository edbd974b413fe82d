"""What the signatures of a report protect of the object."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from ..codec.inspection.inspector import Inspection
from ..codec.inspection.scope import Signed, scope_of
from .reports import SignatureReport, VerificationReport


def signed_by(report: SignatureReport) -> Signed:
    """What a scope follows from."""
    coverage = report.coverage
    return Signed(report.location, frozenset(report.tags_signed or ()), coverage.complete, coverage.missing_bytes)


def with_scopes(report: VerificationReport, inspection: Inspection, *, anchors: bool) -> VerificationReport:
    """The report with what each intact signature protects, and all of them together that count.

    Signatures count that are `ok` or, without trust `anchors`, intact.
    """

    def scoped(signature: SignatureReport) -> SignatureReport:
        return replace(signature, scope=scope_of(inspection.map, [signed_by(signature)])) if signature.intact else signature

    def counting() -> Iterable[Signed]:
        return (signed_by(signature) for signature in report.signatures if (signature.ok if anchors else signature.intact))

    return replace(
        report,
        signatures=tuple(map(scoped, report.signatures)),
        inspection=inspection,
        scope=scope_of(inspection.map, tuple(counting())),
    )
