"""Who was trusted at a moment that is over, though revoked since (RFC 5280 5.3 and 6.3, RFC 3161 4).

Two questions are put to the revocation lists about each certificate of a path. Does an entry reach back to the moment?
Every list signed by the issuer is heard, old ones and partial ones, too. And if none does: is there a list that would have
said so? Only a complete and current one counts for that, all of which is understood.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple

from cryptography import x509

from . import der
from .certificates import Certificate
from .consulted import pairs_to_check
from .paths import FoundPath, find_path
from .revocation import MISSING, REVOKED, UNDERSTOOD, RevocationCheck, RevocationList, is_signed_by, load

if TYPE_CHECKING:
    from .anchors import Trust

_KEY_USAGE: Final = "2.5.29.15"
_LIST_SIGNING: Final = 0x02
"""Bit 6 of the key usage, cRLSign."""

_PARTIAL: Final = (x509.IssuingDistributionPoint, x509.DeltaCRLIndicator)
"""Extensions of lists that say nothing about who is not in them."""

_UNDERSTOOD_IN_ENTRIES: Final = frozenset({x509.CRLReason.oid, x509.InvalidityDate.oid})
"""Certificate Issuer is not among them: an entry with it is about the certificates of somebody else."""

_COMPROMISED: Final = frozenset({x509.ReasonFlags.key_compromise, x509.ReasonFlags.ca_compromise, x509.ReasonFlags.aa_compromise})
"""Found out later than it happened: here the Invalidity Date says when, the date of the revocation does not."""

_ORDERLY: Final = frozenset(
    {
        x509.ReasonFlags.unspecified,
        x509.ReasonFlags.affiliation_changed,
        x509.ReasonFlags.superseded,
        x509.ReasonFlags.cessation_of_operation,
    }
)
"""The reasons, if given, with which no key was lost (RFC 3161 4)."""

_MALFORMED: Final = (ValueError, x509.DuplicateExtension, x509.UnsupportedGeneralNameType)

_KEPT: Final = 8
"""Lists whose entries have been looked through; a list of a hundred thousand takes half a second."""


def validate_past(
    certificate: Certificate, trust: Trust, *, moment: datetime, at: datetime | None = None, authority: bool = False
) -> str | None:
    """Was `certificate` trusted at `moment`, as far as is known at `at`? Both are aware; `at` None: now.

    Its chain to an anchor must be valid at `moment`: every signature, validity period and basic constraint, see
    `paths.validate_path`. `authority`: it is that of a time-stamping authority, whose chain must be valid at `at`, as for
    dcmsign; only its revocation is judged at `moment`.

    As far as `trust` asks for revocation, each certificate needs a complete list of its issuer, one that is current at
    `at`. Lists may drop who has expired (RFC 5280 3.3): about such a certificate the list must be from the time
    between `moment` and the end of its validity, or have been current at `moment`. An entry in any list of the issuer
    counts from its date on, or from its Invalidity Date if that is earlier. These count whatever their date:

    - a compromise without Invalidity Date, a hold (nothing has been decided yet), and entries that cannot be read;
    - for an `authority` all entries but those with a reason that implies that no key was lost (RFC 3161 4).

    From the day on which an intermediate may have lost its key, its lists no longer clear anybody.

    Returns None or OpenSSL's text: that of the path, "certificate revoked", or "unable to get certificate CRL".
    The directories of `trust` are read here: this is for worker threads.
    """
    return find_past_path(certificate, trust, moment=moment, at=at, authority=authority).error


def find_past_path(
    certificate: Certificate, trust: Trust, *, moment: datetime, at: datetime | None = None, authority: bool = False
) -> FoundPath:
    """See `validate_past`; with the path that was trusted, and the lists that were heard."""
    found = find_path(certificate, trust, at if authority else moment, RevocationCheck.NONE)
    if found.error is not None:
        return found
    inquiry = _Inquiry(moment, at or datetime.now(UTC), authority)
    lost: datetime | None = None
    heard: dict[RevocationList, None] = {}
    for subject, issuer in reversed(pairs_to_check(found.certificates, trust.revocation_check)):
        name, _ = subject.canonical_names()
        lists = ((listed, _opened(listed, issuer)) for listed in found.lists if listed.canonical_issuer == name)
        known = {listed: opened for listed, opened in lists if opened is not None and inquiry.knows(opened)}
        heard |= dict.fromkeys(known)
        error, lost = inquiry.look_up(subject, list(known.values()), lost)
        if error is not None:
            return FoundPath(error, lists=found.lists, consulted=tuple(heard))
    return found._replace(consulted=tuple(heard))


class _Revocation(NamedTuple):
    """What an entry says: revoked since when (None: it does not say, so always), and if that implies that no key was lost."""

    since: datetime | None
    orderly: bool = False


_ALWAYS: Final = _Revocation(None)


class _OpenedList(NamedTuple):
    """A list that its issuer signed. `complete`: it is understood, and who is not in it is not revoked."""

    content: x509.CertificateRevocationList
    complete: bool

    def was_current(self, time: datetime) -> bool:
        end = self.content.next_update_utc
        return self.content.last_update_utc <= time and (end is None or time <= end)

    def revocations(self, serial: int) -> list[_Revocation]:
        found = (_revocation(entry) for entry in self.content if entry.serial_number == serial)
        return [revocation for revocation in found if revocation is not None]


@dataclass(frozen=True, slots=True)
class _Inquiry:
    """What `validate_past` was asked."""

    moment: datetime
    at: datetime
    authority: bool

    def knows(self, listed: _OpenedList) -> bool:
        """Whether the list exists at the time of the inquiry."""
        return listed.content.last_update_utc <= self.at

    def look_up(
        self, certificate: Certificate, known: Sequence[_OpenedList], lost: datetime | None
    ) -> tuple[str | None, datetime | None]:
        """The error about a certificate, if any, and the time at which its key may have been lost; `lost`: its issuer's."""
        revocations = [revocation for listed in known for revocation in listed.revocations(certificate.serial)]
        if any(map(self._reaches_back, revocations)):
            return REVOKED, None
        if not any(self._clears(certificate, listed, lost) for listed in known):
            return MISSING, None
        return None, min((found.since for found in revocations if found.since is not None and not found.orderly), default=None)

    def _reaches_back(self, revocation: _Revocation) -> bool:
        if self.authority and not revocation.orderly:
            return True
        return revocation.since is None or revocation.since <= self.moment

    def _clears(self, certificate: Certificate, listed: _OpenedList, lost: datetime | None) -> bool:
        """Whether the list would have an entry, had the certificate been revoked at the moment."""
        issued = listed.content.last_update_utc
        if not listed.complete or (lost is not None and issued >= lost):
            return False
        if certificate.not_after >= self.at:
            return listed.was_current(self.at)
        return listed.was_current(self.moment) or self.moment <= issued <= certificate.not_after


@lru_cache(maxsize=_KEPT)
def _opened(listed: RevocationList, issuer: Certificate) -> _OpenedList | None:
    """The list if it is one that `issuer` made and may make; None for indirect ones, whose entries may be about anybody."""
    if listed.canonical_issuer != issuer.canonical_names()[1] or not _may_sign_lists(issuer):
        return None
    content = load(listed)
    if content is None or not is_signed_by(content, issuer):
        return None
    try:
        extensions = list(content.extensions)
    except _MALFORMED:
        return _OpenedList(content, complete=False)
    values = [extension.value for extension in extensions]
    if any(isinstance(value, x509.IssuingDistributionPoint) and value.indirect_crl for value in values):
        return None
    understood = all(extension.oid.dotted_string in UNDERSTOOD for extension in extensions if extension.critical)
    partial = any(isinstance(value, _PARTIAL) for value in values)
    return _OpenedList(content, complete=understood and not partial and _entries_are_understood(content))


def _entries_are_understood(content: x509.CertificateRevocationList) -> bool:
    """RFC 5280 5.3: a list with a critical extension that is not understood, in whatever entry, clears nobody."""
    try:
        return all(map(_is_understood, content))
    except _MALFORMED:
        return False


def _is_understood(entry: x509.RevokedCertificate) -> bool:
    return all(extension.oid in _UNDERSTOOD_IN_ENTRIES for extension in entry.extensions if extension.critical)


def _revocation(entry: x509.RevokedCertificate) -> _Revocation | None:
    """What the entry of a certificate says; None if it takes the certificate off the list."""
    try:
        values = [extension.value for extension in entry.extensions]
        understood = _is_understood(entry)
    except _MALFORMED:
        return _ALWAYS
    reason = next((value.reason for value in values if isinstance(value, x509.CRLReason)), None)
    invalid = [value.invalidity_date_utc for value in values if isinstance(value, x509.InvalidityDate)]
    if understood and reason is x509.ReasonFlags.remove_from_crl:
        return None
    if not understood or reason is x509.ReasonFlags.certificate_hold or (reason in _COMPROMISED and not invalid):
        return _ALWAYS
    return _Revocation(min([entry.revocation_date_utc, *invalid]), reason in _ORDERLY)


def _may_sign_lists(issuer: Certificate) -> bool:
    """Whether the key usage of a certificate, if it has one, includes cRLSign (RFC 5280 4.2.1.3)."""
    try:
        body = der.first(der.read(issuer.der))
        parts = [part for part in der.children(body) if part.tag == 0xA3]
        extensions = [list(der.children(found)) for part in parts for found in der.children(der.members(part, der.SEQUENCE)[0])]
        usages = [value for kind, *_, value in extensions if der.dotted(kind) == _KEY_USAGE]
        bits = [bytes(der.expect(usage.content, der.BIT_STRING).content) for usage in usages]
    except der.DerError:
        return False
    return all(len(usage) > 1 and usage[1] & _LIST_SIGNING for usage in bits)
