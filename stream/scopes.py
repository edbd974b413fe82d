"""What the signatures of a report protect of the object."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from ..codec.inspection.inspector import Inspection
from ..codec.inspection.scope import Signed, scope_of
from .reports import SignatureReport, VerificationReport

_MOST = 1 << 20
"""Parts in the scopes of single signatures, of which an object could have thousands with all of its parts each."""


def signed_by(report: SignatureReport) -> Signed:
    """What a scope follows from."""
    coverage = report.coverage
    return Signed(report.location, frozenset(report.tags_signed or ()), coverage.complete, coverage.missing_bytes)


def with_scopes(report: VerificationReport, inspection: Inspection, *, anchors: bool) -> VerificationReport:
    """The report with what each intact signature protects, and all of them together that count.

    Signatures count that are `ok` or, without trust `anchors`, intact. Where thousands of signatures meet tens of thousands of
    parts, the later ones have no scope of their own; that of all together is always there.
    """

    room = _MOST

    def scoped(signature: SignatureReport) -> SignatureReport:
        nonlocal room
        room -= len(inspection.map.entries) + len(inspection.map.excluded) if signature.intact else 0
        if not signature.intact or room < 0:
            return signature
        return replace(signature, scope=scope_of(inspection.map, [signed_by(signature)]))

    def counting() -> Iterable[Signed]:
        return (signed_by(signature) for signature in report.signatures if (signature.ok if anchors else signature.intact))

    return replace(
        report,
        signatures=tuple(map(scoped, report.signatures)),
        inspection=inspection,
        scope=scope_of(inspection.map, tuple(counting())),
    )
