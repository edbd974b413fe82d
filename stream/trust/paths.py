"""Chains from a signer's certificate to a trust anchor (RFC 5280 6.1, as OpenSSL checks them).

The only module that loads pyOpenSSL, and only when a chain is checked.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from OpenSSL.crypto import X509

    from .anchors import Trust
    from .certificates import Certificate

_UNDECIDED: Final = "unspecified certificate verification error"
"""OpenSSL's text where it gives no reason; here: a certificate that its decoder refuses."""

_TEXTS: Final = {
    "self signed certificate": "self-signed certificate",
    "self signed certificate in certificate chain": "self-signed certificate in certificate chain",
    "certificate is not yet valid or the system clock is incorrect": "certificate is not yet valid",
}
"""Wording of OpenSSL 1.1 and 4, and what OpenSSL 3 and the reports of this library say."""


def validate_path(certificate: Certificate, trust: Trust, *, at: datetime | None = None) -> str | None:
    """Check that `certificate` chains to a self-signed one in `trust.trusted` at the time `at` (aware; None: now).

    Every signature, validity period and basic constraint on the way is checked, but no key usage of the signer's
    certificate, no minimum strength of keys and digests, and no revocation. Nothing but `trust` takes part: no system
    certificates. Returns None if the chain is valid, else OpenSSL's text of the last error it met.
    """
    from OpenSSL import crypto  # a tenth of a second; runs without signatures do not need it

    store = crypto.X509Store()
    for anchor in _decoded(trust.trusted):
        store.add_cert(anchor)
    if at is not None:
        store.set_time(at.astimezone(UTC))
    signer = _decoded((certificate,))
    if not signer:
        return _UNDECIDED
    try:
        crypto.X509StoreContext(store, signer[0], _decoded(trust.untrusted)).verify_certificate()
    except crypto.X509StoreContextError as error:
        return _TEXTS.get(str(error), str(error))
    return None


def _decoded(certificates: Iterable[Certificate]) -> list[X509]:
    """The certificates as OpenSSL's objects, without those its decoder refuses: they are part of no valid chain."""
    from OpenSSL import crypto

    decoded = []
    for certificate in certificates:
        with contextlib.suppress(crypto.Error):
            decoded.append(crypto.load_certificate(crypto.FILETYPE_ASN1, certificate.der))
    return decoded
