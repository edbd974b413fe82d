"""Chains from a signer's certificate to a trust anchor (RFC 5280 6, as OpenSSL checks them).

The only module that loads pyOpenSSL, and only when a chain is checked.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING, Final, NamedTuple

from ...codec.errors import BadCertificateFile
from .certificates import Certificate
from .names import name_hash
from .revocation import REVOKED, RevocationCheck, RevocationList, check_deltas, check_own_list

if TYPE_CHECKING:
    from OpenSSL.crypto import X509, X509Store, X509StoreContextError

    from .anchors import Trust

_UNDECIDED: Final = "unspecified certificate verification error"
"""OpenSSL's text where it gives no reason; here: a certificate that its decoder refuses."""

_TEXTS: Final = {
    "self signed certificate": "self-signed certificate",
    "self signed certificate in certificate chain": "self-signed certificate in certificate chain",
    "certificate is not yet valid or the system clock is incorrect": "certificate is not yet valid",
}
"""Wording of OpenSSL 1.1 and 4, and what OpenSSL 3 and the reports of this library say."""

_BEHIND_REVOCATION: Final = (None, "certificate has expired", "certificate is not yet valid")
"""What OpenSSL says when it has been through the revocation lists."""

_SAID_BY_LISTS: Final = frozenset({REVOKED, "CRL has expired", "CRL is not yet valid"})
"""OpenSSL's errors that a list of the issuer's leads to."""

_MOST_NAMES: Final = 128
"""Names looked for in directories; OpenSSL builds no chain of more than a hundred certificates."""


def validate_path(certificate: Certificate, trust: Trust, *, at: datetime | None = None) -> str | None:
    """Check that `certificate` chains to a self-signed one in `trust.trusted` at the time `at` (aware; None: now).

    Every signature, validity period and basic constraint on the way is checked, and revocation as far as `trust` asks
    for it, but no key usage of the signer's certificate and no minimum strength of keys and digests. A revocation
    counts whatever its date: who has been revoked is trusted at no time (`past.validate_past` asks when). Nothing but
    `trust` takes part: no system certificates. Returns None if the chain is valid, else OpenSSL's text of the last
    error it met.

    The directories of `trust` are read here: this is for worker threads.
    """
    return find_path(certificate, trust, at, trust.revocation_check).error


class FoundPath(NamedTuple):
    """What a search for a path came to.

    `error`: OpenSSL's text of the last error, None if the path is valid. `certificates`: the valid path, leaf first.
    `lists`: the revocation lists of the Trust, and those its directories have for the names on the way, if it asks for any.
    `consulted`: those of them that the decision rests on, for or against the certificate.
    """

    error: str | None
    certificates: tuple[Certificate, ...] = ()
    lists: tuple[RevocationList, ...] = ()
    consulted: tuple[RevocationList, ...] = ()


def find_path(certificate: Certificate, trust: Trust, at: datetime | None, check: RevocationCheck) -> FoundPath:
    """See `validate_path`; `check` says, instead of `trust`, which certificates are looked up in the lists found."""
    signer = _decoded((certificate,))
    if not signer:
        return FoundPath(_UNDECIDED)
    material = _gather(certificate, trust)
    error, chain = _search(certificate, signer[0], trust.partial_chain, material, check, at)
    path = () if error is not None else tuple(map(_certificate, chain))
    lists = tuple(material.lists)
    if check is RevocationCheck.NONE or not lists:
        return FoundPath(error, path, lists)
    from .consulted import consulted  # without lists there is nothing to tell

    told = path
    if error in _SAID_BY_LISTS:  # by those about the path there would be
        other, chain = _search(certificate, signer[0], trust.partial_chain, material, RevocationCheck.NONE, at)
        told = () if other is not None else tuple(map(_certificate, chain))
    return FoundPath(error, path, lists, consulted(told, check, lists, at) if told else ())


class TrustedPaths(NamedTuple):
    """Paths from the certificates of time-stamping authorities to the anchors of a Trust (the PathValidator of tsa).

    `at`: the time of the check (aware; None: now). `revocation`: every certificate of the path but the anchor must have a
    revocation list of its issuer and be absent from it; otherwise lists do not count, not even those in `trust`, as for dcmsign.
    `moment`: the time of the token (aware); authorities revoked later are trusted where the lists say when and that no key was
    lost (`past.find_past_path`, RFC 3161 4). None: a revocation counts whatever its date.
    """

    trust: Trust
    at: datetime | None = None
    revocation: bool = False
    moment: datetime | None = None

    def chain(self, certificate: bytes, helpers: Sequence[bytes]) -> tuple[bytes, ...] | None:
        """The verified path of `certificate` (DER, leaf first), None if there is none; see `validate_path`.

        `helpers` (DER) are links of the path, never anchors; those that cannot be decoded are left out.
        """
        check = RevocationCheck.CHAIN if self.revocation else RevocationCheck.NONE
        untrusted = (*self.trust.untrusted, *_readable(helpers))
        trust = replace(self.trust, untrusted=untrusted, revocation=check)
        leaf = _readable((certificate,))
        if not leaf:
            return None
        found = find_path(leaf[0], trust, self.at, check)
        if found.error is not None and self.revocation and self.moment is not None:
            from .past import find_past_path  # which uses this module

            found = find_past_path(leaf[0], trust, moment=self.moment, at=self.at, authority=True)
        return tuple(link.der for link in found.certificates) if found.error is None else None


def _readable(encodings: Iterable[bytes]) -> list[Certificate]:
    certificates = []
    for encoding in encodings:
        with contextlib.suppress(BadCertificateFile):
            certificates.append(Certificate.from_der(encoding))
    return certificates


def _search(
    certificate: Certificate, signer: X509, partial_chain: bool, material: _Material, check: RevocationCheck, at: datetime | None
) -> tuple[str | None, list[X509]]:
    """OpenSSL's text of the last error, None if the path is valid, and then the path."""
    from OpenSSL import crypto  # a tenth of a second; runs without signatures do not need it

    store, untrusted = material.store(check, partial_chain, at), _decoded(material.untrusted)
    try:
        chain = crypto.X509StoreContext(store, signer, untrusted).get_verified_chain()
    except crypto.X509StoreContextError as failure:
        error: str | None = _text(failure)
        chain = [signer]  # what follows concerns self-signed certificates only
        if certificate not in material.trusted:
            return error, chain
    else:
        error = None
    if check is RevocationCheck.NONE:
        return error, chain
    if len(chain) == 1 and _self_issued(certificate) and error in _BEHIND_REVOCATION:
        error = check_own_list(certificate, material.lists, at) or error
    if error is None and check is RevocationCheck.CHAIN:
        error = _check_authorities(store, chain, untrusted)
    return error or _check_deltas(chain, check, material.lists, at), chain


class _Material(NamedTuple):
    """What a chain is made of, and the revocation lists."""

    trusted: list[Certificate]
    untrusted: list[Certificate]
    lists: list[RevocationList]

    def store(self, check: RevocationCheck, partial_chain: bool, at: datetime | None) -> X509Store:
        lists = tuple(self.lists) if check is not RevocationCheck.NONE else ()
        flags = (check is not RevocationCheck.NONE, partial_chain)
        if at is None:
            return _kept_store(tuple(self.trusted), lists, *flags)
        store = _new_store(tuple(self.trusted), lists, *flags)
        store.set_time(at.astimezone(UTC))
        return store


def _new_store(
    trusted: tuple[Certificate, ...], lists: tuple[RevocationList, ...], check: bool, partial_chain: bool
) -> X509Store:
    from cryptography import x509
    from OpenSSL import crypto

    store = crypto.X509Store()
    for anchor in _decoded(trusted):
        store.add_cert(anchor)
    for revocation_list in lists:
        if not revocation_list.is_delta:  # OpenSSL before 4 takes them for complete ones
            # without what its decoders refuse it has no list of this issuer, and says so
            with contextlib.suppress(crypto.Error, ValueError, x509.InvalidVersion):
                store.add_crl(x509.load_der_x509_crl(revocation_list.der))
    flags = crypto.X509StoreFlags.CRL_CHECK if check else 0
    store.set_flags(flags | (crypto.X509StoreFlags.PARTIAL_CHAIN if partial_chain else 0))
    return store


_kept_store = lru_cache(maxsize=2)(_new_store)
"""Decoding a list of a hundred thousand entries takes OpenSSL a third of a second; nothing changes a store that is made."""


def _gather(signer: Certificate, trust: Trust) -> _Material:
    """The certificates and lists of `trust`, and from its directories those that a chain of `signer` may need."""
    material = _Material(list(trust.trusted), list(trust.untrusted), list(trust.revocation_lists))
    if not trust.directories:
        return material
    issuers: dict[int, list[int]] = {}
    for certificate in (*trust.trusted, *trust.untrusted):
        issuer, subject = _hashes(certificate)
        issuers.setdefault(subject, []).append(issuer)
    wanted, seen = [*_hashes(signer)], set[int]()
    while wanted and len(seen) < _MOST_NAMES:
        name = wanted.pop(0)
        if name in seen:
            continue
        seen.add(name)
        found = [certificate for directory in trust.directories for certificate in directory.certificates(name)]
        material.trusted.extend(found)
        wanted += [*issuers.get(name, ()), *(_hashes(certificate)[0] for certificate in found)]
        if trust.revocation_check is not RevocationCheck.NONE:
            material.lists.extend(revoked for directory in trust.directories for revoked in directory.revocation_lists(name))
    return material


def _check_authorities(store: X509Store, chain: list[X509], untrusted: list[X509]) -> str | None:
    """Revocation of the authorities between signer and anchor, one by one: OpenSSL before 4 would ask for the anchor, too."""
    from OpenSSL import crypto

    for position in range(1, len(chain) - 1):
        try:
            crypto.X509StoreContext(store, chain[position], [*chain[position + 1 :], *untrusted]).verify_certificate()
        except crypto.X509StoreContextError as failure:
            return _text(failure)
    return None


def _check_deltas(chain: list[X509], check: RevocationCheck, lists: list[RevocationList], at: datetime | None) -> str | None:
    deltas = [revocation_list for revocation_list in lists if revocation_list.is_delta]
    if not deltas:
        return None
    pairs = list(pairwise(map(_certificate, chain)))
    if check is RevocationCheck.SIGNER:
        del pairs[1:]
    errors = (check_deltas(certificate, issuer, deltas, at) for certificate, issuer in pairs)
    return next((error for error in errors if error is not None), None)


def _decoded(certificates: Iterable[Certificate]) -> list[X509]:
    """The certificates as OpenSSL's objects, without those its decoder refuses: they are part of no valid chain."""
    from OpenSSL import crypto

    decoded = []
    for certificate in certificates:
        with contextlib.suppress(crypto.Error):
            decoded.append(crypto.load_certificate(crypto.FILETYPE_ASN1, certificate.der))
    return decoded


def _certificate(decoded: X509) -> Certificate:
    from OpenSSL import crypto

    return Certificate.from_der(crypto.dump_certificate(crypto.FILETYPE_ASN1, decoded))


def _self_issued(certificate: Certificate) -> bool:
    issuer, subject = certificate.canonical_names()
    return issuer == subject


def _hashes(certificate: Certificate) -> tuple[int, int]:
    issuer, subject = certificate.canonical_names()
    return name_hash(issuer), name_hash(subject)


def _text(failure: X509StoreContextError) -> str:
    return _TEXTS.get(str(failure), str(failure))
