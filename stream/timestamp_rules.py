"""What is asked of certified timestamps beyond dcmsign's checks, and the check of a token under these rules."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, ClassVar

from .trust.anchors import Trust
from .trust.certificates import Certificate
from .trust.dates import earliest
from .trust.revocation import RevocationCheck

if TYPE_CHECKING:
    from ..tsa.token import Token
    from ..tsa.verification import TokenVerdict
    from .trust.paths import TrustedPaths


@dataclass(frozen=True, slots=True)
class TimestampRules:
    """What is asked of certified timestamps beyond dcmsign's checks.

    `revocation`: every certificate of the authority's path but the anchor must have a revocation list of its issuer and be
    absent from it; None: if the Trust asks for that of whole chains.
    `check_time`: the token's time lies neither in the future nor before the date of the signature; either may be off by
    `tolerance` (RFC 3161 2.2, 2.4.2).
    `refuse_weak_digests`: neither the imprint nor the authority's signature may use MD5 or SHA-1.
    `late_revocation`: who was revoked after the moment of a good timestamp was trusted then, where the revocation list says when;
    otherwise a revocation counts whatever its date (RFC 3161 4, RFC 5280 5.3).
    """

    STRICT: ClassVar[TimestampRules]
    """The defaults."""
    DCMSIGN: ClassVar[TimestampRules]
    """Nothing beyond dcmsign's checks."""

    revocation: bool | None = None
    check_time: bool = True
    tolerance: timedelta = timedelta(minutes=5)
    refuse_weak_digests: bool = True
    late_revocation: bool = True

    def asks_for_revocation(self, trust: Trust) -> bool:
        """Whether revocation lists count for the authority."""
        return trust.revocation_check is RevocationCheck.CHAIN if self.revocation is None else self.revocation


TimestampRules.STRICT = TimestampRules()
TimestampRules.DCMSIGN = TimestampRules(revocation=False, check_time=False, refuse_weak_digests=False, late_revocation=False)


def check_token(
    token: Token,
    *,
    value: bytes,
    signer: Certificate,
    signed_at: str | None,
    trust: Trust | None,
    rules: TimestampRules,
    at: datetime | None = None,
) -> TokenVerdict:
    """Verify a token and that it is about `value`, the signature value without its pad byte.

    `signer` is the certificate of the DICOM signature, `signed_at` its date (a DT value). Without `trust` the authority's
    certificate need not be trusted; all else is checked. `at`: time of the check, now if None. For worker threads.
    """
    from ..tsa.verification import TokenRules, verify_token  # brings asn1crypto

    return verify_token(
        token,
        signature=value,
        signer_validity=(signer.not_before, signer.not_after),
        path=None if trust is None else _paths(token, trust, rules, at),
        helpers=() if trust is None else [helper.der for helper in trust.untrusted],
        rules=TokenRules(
            not_after=(at or datetime.now(UTC)) if rules.check_time else None,
            not_before=earliest(signed_at) if rules.check_time and signed_at is not None else None,
            tolerance=rules.tolerance,
            refuse_weak_digests=rules.refuse_weak_digests,
        ),
    )


def _paths(token: Token, trust: Trust, rules: TimestampRules, at: datetime | None) -> TrustedPaths:
    from .trust.paths import TrustedPaths  # brings pyOpenSSL

    moment = token.time if rules.late_revocation else None
    return TrustedPaths(trust, at, revocation=rules.asks_for_revocation(trust), moment=moment)
