"""Certificates of signers and authorities (X.509, RFC 5280), shown as OpenSSL and dcmsign show them.

The fields are taken from the DER itself: OpenSSL accepts, and signed objects contain, certificates which stricter
parsers refuse or comment on with warnings (negative serial numbers, names that are not valid text, unusual
parameters), and the texts of dcmsign depend on details of the encoding that decoded values no longer show.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from ...codec.errors import BadCertificateFile
from . import der, names, pem

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.dsa import DSAPublicKey
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

    PublicKey: TypeAlias = RSAPublicKey | DSAPublicKey | EllipticCurvePublicKey

KeyType: TypeAlias = Literal["RSA", "DSA", "EC", "DH", "unknown"]

_KEY_TYPES: Final[dict[str, KeyType]] = {
    "1.2.840.113549.1.1.1": "RSA",
    "1.2.840.10040.4.1": "DSA",
    "1.2.840.10045.2.1": "EC",
    "1.2.840.113549.1.3.1": "DH",
}
"""By algorithm of the subject's public key; RSA-PSS, X9.42 Diffie-Hellman, Ed25519 and so on are unknown."""

_CURVE_NAMES: Final = {"secp192r1": "prime192v1", "secp256r1": "prime256v1"}
"""OpenSSL's names of curves where cryptography uses others."""

_WEAK_BELOW: Final = {"RSA": 1024, "DSA": 1024, "DH": 1024, "EC": 256}
"""Key sizes in bits."""

_TIMES: Final = {
    der.UTC_TIME: re.compile(rb"([0-9]{2})([0-9]{2})([0-9]{2})([0-9]{2})([0-9]{2})([0-9]{2})?(?:Z|([+-])([0-9]{2})([0-9]{2}))"),
    der.GENERALIZED_TIME: re.compile(
        rb"([0-9]{4})([0-9]{2})([0-9]{2})([0-9]{2})([0-9]{2})([0-9]{2})?(?:\.[0-9]+)?(?:Z|([+-])([0-9]{2})([0-9]{2}))"
    ),
}

_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")

LONGEST_CERTIFICATE: Final = 1 << 20
"""Bytes; those in use have some thousand."""

_LONGEST_NUMBER: Final = 128
"""Bytes of a version or serial number (RFC 5280 allows 20); Python refuses to print integers of thousands of digits."""

_PLAIN_LABELS: Final = ("CERTIFICATE", "X509 CERTIFICATE")
_TRUSTED_LABEL: Final = "TRUSTED CERTIFICATE"
_ANY_PURPOSE: Final = "2.5.29.37.0"


class Encoding(enum.Enum):
    """How key and certificate files are encoded (--pem-keys, --der-keys)."""

    PEM = "PEM"
    DER = "DER"


@dataclass(frozen=True, slots=True, eq=False)
class Certificate:
    """One X.509 certificate; two are equal if their encodings are.

    Names are in OpenSSL's one-line form, times in UTC. `not_before_text` and `not_after_text` are as dcmsign prints
    them: ``Jan  1 00:00:00 2020 GMT``, and empty for times encoded as GeneralizedTime (2050 and later). `key_type` is
    "unknown" for keys that cannot take part in a signature; `curve` is OpenSSL's name, or the object identifier of a
    curve that is not supported. `key_bits` is the size of the modulus, prime or curve. `key_info` is the DER of the
    SubjectPublicKeyInfo, `public_key` the key as an object of the package cryptography: None unless it is RSA, DSA or
    EC, and usable.
    """

    der: bytes = field(repr=False)
    version: int
    subject: str
    issuer: str
    serial: int
    not_before: datetime
    not_after: datetime
    not_before_text: str = field(repr=False)
    not_after_text: str = field(repr=False)
    key_type: KeyType
    key_bits: int
    curve: str | None
    key_info: bytes = field(repr=False)
    public_key: PublicKey | None = field(repr=False)

    @classmethod
    def from_der(cls, data: bytes | memoryview) -> Certificate:
        """The certificate at the beginning of `data`; bytes behind it are ignored. Raises BadCertificateFile."""
        try:
            node = der.expect(data, der.SEQUENCE)
            if len(node.encoding) > LONGEST_CERTIFICATE:
                raise der.DerError("longer than 1 MiB")
            return cls(**_fields(node))
        except ValueError as error:
            raise BadCertificateFile(f"no X.509 certificate: {error}") from None

    @property
    def signature_version(self) -> str:
        """Version as dcmsign lists it: ``X.509v3``."""
        return f"X.509v{self.version}"

    @property
    def key_text(self) -> str:
        """Public key as dcmsign lists it: ``RSA, 2048 bits`` or ``EC, curve prime256v1, 256 bits``."""
        if self.key_type == "unknown":
            return "unknown"
        curve = f"curve {self.curve}, " if self.curve is not None else ""
        return f"{self.key_type}, {curve}{self.key_bits} bits"

    @property
    def weak_key(self) -> bool:
        """True for RSA, DSA and DH below 1024 bits, EC below 256 bits, and keys of unknown type."""
        return self.key_bits < _WEAK_BELOW.get(self.key_type, 1)

    @property
    def weak_key_text(self) -> str:
        """The key as the warning about weak keys names it: ``RSA, 768 bits``."""
        return "unknown type" if self.key_type == "unknown" else f"{self.key_type}, {self.key_bits} bits"

    def canonical_names(self) -> tuple[bytes, bytes]:
        """Issuer and subject in the form that names are compared in."""
        body = der.first(der.read(self.der))
        parts = [part for part in der.children(body) if part.tag != 0xA0]
        return names.canonical(parts[2]), names.canonical(parts[4])

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Certificate) and self.der == other.der

    def __hash__(self) -> int:
        return hash(self.der)

    def __reduce__(self) -> tuple[Any, ...]:
        return Certificate.from_der, (self.der,)  # public keys cannot be pickled, encodings can


def load_certificate(data: bytes, encoding: Encoding, *, name: str) -> Certificate:
    """The certificate of a file: in PEM its first CERTIFICATE block, whatever stands around it.

    `name` is the file's name for the BadCertificateFile that is raised if there is none or it cannot be decoded.
    """
    try:
        if encoding is Encoding.DER:
            return Certificate.from_der(data)
        for block in pem.blocks(data):
            if block.label in _PLAIN_LABELS:
                return Certificate.from_der(block.der)
    except (BadCertificateFile, pem.PemError) as error:
        raise BadCertificateFile(_reason(error), path=name) from None
    raise BadCertificateFile("no certificate in this file", path=name)


def load_certificates(data: bytes, encoding: Encoding, *, name: str) -> tuple[Certificate, ...]:
    """All certificates of a PEM file, possibly none; the only one of a DER file.

    TRUSTED CERTIFICATE blocks (OpenSSL's, with a list of purposes) count as plain certificates, and are left out if
    they are rejected for any purpose or trusted for particular ones only. Raises BadCertificateFile if one cannot be
    decoded.
    """
    if encoding is Encoding.DER:
        return (load_certificate(data, encoding, name=name),)
    try:
        return tuple(_all_blocks(data))
    except (BadCertificateFile, ValueError) as error:
        raise BadCertificateFile(_reason(error), path=name) from None


def _all_blocks(data: bytes) -> Iterator[Certificate]:
    for block in pem.blocks(data):
        if block.label in _PLAIN_LABELS:
            yield Certificate.from_der(block.der)
        elif block.label == _TRUSTED_LABEL:
            certificate = Certificate.from_der(block.der)
            if _trusted_for_any(block.der[len(certificate.der) :]):
                yield certificate


def _trusted_for_any(settings: bytes) -> bool:
    """Whether the settings behind a TRUSTED CERTIFICATE leave it usable here (X509_check_trust without a purpose)."""
    if not settings:
        return True
    parts = {part.tag: part for part in der.children(der.expect(settings, der.SEQUENCE))}
    trusted = [der.dotted(purpose) for purpose in der.children(parts[der.SEQUENCE])] if der.SEQUENCE in parts else []
    rejected = [der.dotted(purpose) for purpose in der.children(parts[0xA0])] if 0xA0 in parts else []
    return _ANY_PURPOSE not in rejected and (not trusted or _ANY_PURPOSE in trusted)


def _reason(error: Exception) -> str:
    return error.message if isinstance(error, BadCertificateFile) else str(error)


def _fields(certificate: der.Node) -> dict[str, Any]:
    """Fields of a Certificate (RFC 5280 4.1). Raises DerError or ValueError."""
    body, _, _ = der.members(certificate, der.SEQUENCE, der.SEQUENCE, der.BIT_STRING)
    parts = list(der.children(body))
    version = 1
    if parts and parts[0].tag == 0xA0:
        version = 1 + _short_integer(der.members(parts.pop(0), der.INTEGER)[0])
    required = (der.INTEGER, *[der.SEQUENCE] * 5)
    if tuple(part.tag for part in parts[:6]) != required:
        raise der.DerError("wrong members")
    serial, _, issuer, validity, subject, key = parts[:6]
    _check_optional(parts[6:])
    dates = list(der.children(validity))
    if len(dates) != 2:
        raise der.DerError("validity is no pair of times")
    (not_before, not_before_text), (not_after, not_after_text) = (read_time(date) for date in dates)
    return {
        "der": bytes(certificate.encoding),
        "version": version,
        "subject": names.one_line(subject),
        "issuer": names.one_line(issuer),
        "serial": _short_integer(serial),
        "not_before": not_before,
        "not_after": not_after,
        "not_before_text": not_before_text,
        "not_after_text": not_after_text,
        **_key_fields(key),
    }


def _short_integer(node: der.Node) -> int:
    if len(node.content) > _LONGEST_NUMBER:
        raise der.DerError("number too long")
    return der.integer(node)


def _check_optional(parts: list[der.Node]) -> None:
    """Unique identifiers and extensions: only their structure matters here."""
    tags = [part.tag for part in parts]
    if not set(tags) <= {0x81, 0x82, 0xA3} or tags != sorted(set(tags)):
        raise der.DerError("unknown part behind the public key")
    for part in parts:
        if part.tag == 0xA3:
            for extension in der.children(der.members(part, der.SEQUENCE)[0]):
                members = [member.tag for member in der.children(extension)]
                if members not in (
                    [der.OBJECT_IDENTIFIER, der.OCTET_STRING],
                    [der.OBJECT_IDENTIFIER, der.BOOLEAN, der.OCTET_STRING],
                ):
                    raise der.DerError("malformed extension")


def read_time(node: der.Node) -> tuple[datetime, str]:
    """A Time of a certificate or list (RFC 5280 4.1.2.5) and dcmsign's text of it. Raises DerError or ValueError."""
    pattern = _TIMES.get(node.tag)
    match = pattern.fullmatch(bytes(node.content)) if pattern else None
    if match is None:
        raise der.DerError("malformed time")
    year, month, day, hour, minute, second = (int(part or 0) for part in match.groups()[:6])
    if node.tag == der.UTC_TIME:
        year += 1900 if year >= 50 else 2000
    try:
        time = datetime(year, month, day, hour, minute, second, tzinfo=UTC)
        if match[7]:
            shift = timedelta(hours=int(match[8]), minutes=int(match[9]))
            time = time - shift if match[7] == b"+" else time + shift
    except OverflowError as error:
        raise der.DerError(str(error)) from None
    if node.tag != der.UTC_TIME:
        return time, ""
    return time, f"{_MONTHS[time.month - 1]} {time.day:2} {time:%H:%M:%S} {time.year} GMT"


def _key_fields(info: der.Node) -> dict[str, Any]:
    """Type, size and the key itself of a SubjectPublicKeyInfo (RFC 5280 4.1.2.7). Raises DerError."""
    algorithm, value = der.members(info, der.SEQUENCE, der.BIT_STRING)
    parts = list(der.children(algorithm))
    if not 1 <= len(parts) <= 2:
        raise der.DerError("malformed algorithm identifier")
    key_type = _KEY_TYPES.get(der.dotted(parts[0]), "unknown")
    fields: dict[str, Any] = {"key_type": key_type, "key_bits": 0, "curve": None, "public_key": None}
    fields["key_info"] = bytes(info.encoding)
    try:
        if key_type == "DH":
            fields["key_bits"] = der.integer(der.first(parts[1])).bit_length()
        elif key_type != "unknown":
            fields |= _usable_key(fields["key_info"], parts, value)
    except (ValueError, IndexError, StopIteration):  # a key OpenSSL could not decode either
        fields["key_type"] = "unknown"
    return fields


def _usable_key(info: bytes, algorithm: list[der.Node], value: der.Node) -> dict[str, Any]:
    # Loaded here because only a certificate needs it: half of the start time of a run without any.
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
    from cryptography.hazmat.primitives.serialization import load_der_public_key

    try:
        key = load_der_public_key(info)
    except UnsupportedAlgorithm:
        named = len(algorithm) > 1 and algorithm[1].tag == der.OBJECT_IDENTIFIER
        compressed = len(value.content) > 1 and value.content[1] in (2, 3)
        octets = max(len(value.content) - 2, 0) // (1 if compressed else 2)
        return {"key_bits": 8 * octets, "curve": der.dotted(algorithm[1]) if named else "unnamed curve"}
    curve = _CURVE_NAMES.get(key.curve.name, key.curve.name) if isinstance(key, EllipticCurvePublicKey) else None
    return {"key_bits": getattr(key, "key_size", 0), "curve": curve, "public_key": key}
