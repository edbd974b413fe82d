"""Which revocation lists a decision about a chain rests on: what a report shows as its evidence.

Nothing is decided here. OpenSSL does not say which list it took; of those that an issuer signed it prefers a current one, then
the latest (``get_crl_sk`` in its x509_vfy.c).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from itertools import pairwise

from .certificates import Certificate
from .revocation import RevocationCheck, RevocationList, is_signed_by, load, time_error

_LONG_AGO = datetime.min.replace(tzinfo=UTC)


def pairs_to_check(path: Sequence[Certificate], check: RevocationCheck) -> list[tuple[Certificate, Certificate]]:
    """The certificates that are looked up, each with its issuer, from the leaf upwards; `path` begins with the leaf."""
    pairs = list(pairwise(path)) or [(path[0], path[0])]  # a leaf that is the anchor has to speak for itself
    return pairs[: {RevocationCheck.NONE: 0, RevocationCheck.SIGNER: 1}.get(check, len(pairs))]


def consulted(
    path: Sequence[Certificate], check: RevocationCheck, lists: Iterable[RevocationList], at: datetime | None
) -> tuple[RevocationList, ...]:
    """The lists that speak about the certificates of a path at the time `at` (None: now), each once.

    For each certificate that `check` asks for: the latest complete list that its issuer signed, a current one if there is any,
    and every current delta list.
    """
    now, found = at or datetime.now(UTC), list[RevocationList]()
    candidates = tuple(lists)
    if not candidates:
        return ()
    for certificate, issuer in pairs_to_check(path, check):
        name, _ = certificate.canonical_names()
        own = [one for one in candidates if one.canonical_issuer == name and _is_from(one, issuer)]
        complete = [one for one in own if not one.is_delta]
        if complete:
            found.append(max(complete, key=lambda one: (time_error(one, now) is None, one.this_update or _LONG_AGO)))
        found += [one for one in own if one.is_delta and time_error(one, now) is None]
    return tuple(dict.fromkeys(found))


@lru_cache(maxsize=16)
def _is_from(listed: RevocationList, issuer: Certificate) -> bool:
    """Whether `issuer` signed the list; decoding one of a hundred thousand entries takes a moment."""
    loaded = load(listed)
    return loaded is not None and is_signed_by(loaded, issuer)
