"""What a token's verification asks of certificates (RFC 5280): names, validity, and whether they may sign timestamps."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Self

from . import ber, names
from .times import parse_time

_UTC_TIME: Final = 0x17
_GENERALIZED_TIME: Final = 0x18
_FIRST_OF_1900S: Final = 50
"""Two-digit years from here on belong to the twentieth century (RFC 5280 4.1.2.5.1)."""

_KEY_USAGE: Final = "2.5.29.15"
_ALTERNATIVE_NAME: Final = "2.5.29.17"
_EXTENDED_KEY_USAGE: Final = "2.5.29.37"

_TIME_STAMPING: Final = "1.3.6.1.5.5.7.3.8"
_OTHER_PURPOSES: Final = frozenset(
    {
        "1.3.6.1.5.5.7.3.1",  # serverAuth
        "1.3.6.1.5.5.7.3.2",  # clientAuth
        "1.3.6.1.5.5.7.3.3",  # codeSigning
        "1.3.6.1.5.5.7.3.4",  # emailProtection
        "1.3.6.1.5.5.7.3.9",  # OCSPSigning
        "1.3.6.1.5.5.7.3.10",  # dvcs
        "1.3.6.1.4.1.311.10.3.3",  # msSGC
        "2.16.840.1.113730.4.1",  # nsSGC
        "2.5.29.37.0",  # anyExtendedKeyUsage
    }
)
"""The extended key usages OpenSSL knows; beside timeStamping none of them may stand, an unknown one may."""

_SIGNING_USES: Final = frozenset({0, 1})
"""Bits of the key usage: digitalSignature and nonRepudiation."""


@dataclass(frozen=True, slots=True)
class TsaCertificate:
    """A certificate as far as its token is concerned.

    `issuer` and `subject` are DER Names, `key_info` the DER of the SubjectPublicKeyInfo, `alternative_names` the
    subject's GeneralNames (DER). `may_stamp` says whether key usage and extended key usage are those of a time-stamping authority
    (RFC 3161 2.3, as OpenSSL checks it).
    """

    der: bytes = field(repr=False)
    issuer: bytes = field(repr=False)
    serial: int
    subject: bytes = field(repr=False)
    not_before: datetime
    not_after: datetime
    key_info: bytes = field(repr=False)
    alternative_names: tuple[bytes, ...] = field(repr=False)
    may_stamp: bool

    @classmethod
    def from_der(cls, encoding: bytes) -> Self:
        """Read a certificate. Raises one of structures.MALFORMED if it is none."""
        from . import structures

        body = structures.Certificate.load(encoding, strict=True)["body"]
        extensions = structures.extension_list(body["extensions"])
        found = {extension.oid: extension for extension in extensions}
        return cls(
            der=encoding,
            issuer=body["issuer"].dump(),
            serial=structures.integer(body["serial"]),
            subject=body["subject"].dump(),
            not_before=_moment(body["validity"]["not_before"].dump()),
            not_after=_moment(body["validity"]["not_after"].dump()),
            key_info=body["key"].dump(),
            alternative_names=_alternative_names(found.get(_ALTERNATIVE_NAME)),
            may_stamp=len(found) == len(extensions) and _may_stamp(found),
        )

    def is_named(self, name: bytes) -> bool:
        """Whether a GeneralName (DER) is the subject or one of its alternative names."""
        own = (names.directory_name(self.subject), *self.alternative_names)
        return any(names.same_general_name(name, candidate) for candidate in own)


def _moment(encoding: bytes) -> datetime:
    tag, text, _ = ber.node(encoding)
    if tag == _UTC_TIME:
        text = (b"19" if int(text[:2]) >= _FIRST_OF_1900S else b"20") + text
    elif tag != _GENERALIZED_TIME:
        raise ber.BerError("no time")
    moment = parse_time(text)
    if moment is None:
        raise ber.BerError("no time")
    return moment


def _alternative_names(extension: Any) -> tuple[bytes, ...]:
    from . import structures

    if extension is None:
        return ()
    try:
        found = structures.GeneralNames.load(extension.value, strict=True)
        return tuple(names.check_general_name(name.dump()) for name in found)
    except structures.MALFORMED:
        return ()  # to OpenSSL, too, a certificate with a broken extension has no such names


def _may_stamp(extensions: dict[str, Any]) -> bool:
    from . import structures

    uses = extensions.get(_KEY_USAGE)
    if uses is not None:
        bits = set(structures.bits(structures.BitString.load(uses.value, strict=True)))
        if not bits or not bits <= _SIGNING_USES:
            return False
    extended = extensions.get(_EXTENDED_KEY_USAGE)
    if extended is None or not extended.critical:
        return False
    purposes = {structures.dotted(purpose) for purpose in structures.KeyPurposes.load(extended.value, strict=True)}
    return _TIME_STAMPING in purposes and purposes.isdisjoint(_OTHER_PURPOSES)
