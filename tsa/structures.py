"""ASN.1 declarations: RFC 3161, and the parts of CMS (RFC 5652), ESS (RFC 5035) and X.509 that tokens are made of.

Loads asn1crypto, so this module is imported late. What other checks look at is declared as `Any` and stays as it was encoded:
nothing that is hashed, compared or stored is ever encoded again. What is decoded here has been through `ber.read`.
"""

# ruff: noqa: RUF012  asn1crypto wants its declarations as lists

from __future__ import annotations

import struct
from typing import Any as Anything
from typing import Final, NamedTuple

from asn1crypto.core import (
    Any,
    BitString,
    Boolean,
    GeneralizedTime,
    Integer,
    Null,
    ObjectIdentifier,
    OctetString,
    Sequence,
    SequenceOf,
    SetOf,
    UTF8String,
    Void,
)

from . import ber, objects

__all__ = ["BitString", "Null"]

MALFORMED: Final = (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RecursionError, struct.error)
"""What asn1crypto raises over values that are not what was declared."""

SIGNED_DATA: Final = "1.2.840.113549.1.7.2"
TST_INFO: Final = "1.2.840.113549.1.9.16.1.4"

_MOST_BITS: Final = 64


class Structure(Sequence):
    """A SEQUENCE with the declared members and nothing behind them, which asn1crypto would keep without a word."""

    def _parse_children(self, recurse: bool = False) -> None:
        super()._parse_children(recurse)
        if len(self.children) > len(self._fields):
            raise ValueError(f"more in {type(self).__name__} than belongs there")


class AlgorithmIdentifier(Structure):
    _fields = [("algorithm", ObjectIdentifier), ("parameters", Any, {"optional": True})]


class MessageImprint(Structure):
    _fields = [("hash_algorithm", AlgorithmIdentifier), ("hashed_message", OctetString)]


class DigestInfo(Structure):
    """DigestInfo (RFC 8017 9.2)."""

    _fields = [("algorithm", AlgorithmIdentifier), ("digest", OctetString)]


class Extension(Structure):
    _fields = [("id", ObjectIdentifier), ("critical", Boolean, {"default": False}), ("value", OctetString)]


class Extensions(SequenceOf):
    _child_spec = Extension


class Query(Structure):
    """TimeStampReq (RFC 3161 2.4.1)."""

    _fields = [
        ("version", Integer),
        ("message_imprint", MessageImprint),
        ("policy", ObjectIdentifier, {"optional": True}),
        ("nonce", Integer, {"optional": True}),
        ("certificate", Boolean, {"default": False}),
        ("extensions", Extensions, {"implicit": 0, "optional": True}),
    ]


class Texts(SequenceOf):
    _child_spec = UTF8String


class StatusInfo(Structure):
    _fields = [
        ("status", Integer),
        ("texts", Texts, {"optional": True}),
        ("failures", BitString, {"optional": True}),
    ]


class Reply(Structure):
    """TimeStampResp (RFC 3161 2.4.2); a refusal has no token."""

    _fields = [("status", StatusInfo), ("token", Any, {"optional": True})]


class Wrapped(SequenceOf):
    """Any value with an explicit tag; asn1crypto would take an optional Any for whatever comes next."""

    _child_spec = Any


class Accuracy(Structure):
    _fields = [
        ("seconds", Integer, {"optional": True}),
        ("millis", Integer, {"implicit": 0, "optional": True}),
        ("micros", Integer, {"implicit": 1, "optional": True}),
    ]


class TstInfo(Structure):
    """TSTInfo (RFC 3161 2.4.2)."""

    _fields = [
        ("version", Integer),
        ("policy", ObjectIdentifier),
        ("message_imprint", MessageImprint),
        ("serial", Integer),
        ("gen_time", GeneralizedTime),
        ("accuracy", Accuracy, {"optional": True}),
        ("ordering", Boolean, {"default": False}),
        ("nonce", Integer, {"optional": True}),
        ("tsa", Wrapped, {"implicit": 0, "optional": True}),
        ("extensions", Extensions, {"implicit": 1, "optional": True}),
    ]


class ContentInfo(Structure):
    """ContentInfo and EncapsulatedContentInfo (RFC 5652 3 and 5.2)."""

    _fields = [("type", ObjectIdentifier), ("content", Wrapped, {"implicit": 0, "optional": True})]


class AlgorithmIdentifiers(SetOf):
    _child_spec = AlgorithmIdentifier


class Values(SetOf):
    _child_spec = Any


class IssuerAndSerial(Structure):
    _fields = [("issuer", Any), ("serial", Integer)]


class Attribute(Structure):
    _fields = [("type", ObjectIdentifier), ("values", Values)]


class Attributes(SetOf):
    _child_spec = Attribute


class SignerInfo(Structure):
    """SignerInfo (RFC 5652 5.3), identified by issuer and serial number."""

    _fields = [
        ("version", Integer),
        ("identifier", IssuerAndSerial),
        ("digest_algorithm", AlgorithmIdentifier),
        ("signed_attributes", Attributes, {"implicit": 0, "optional": True}),
        ("signature_algorithm", AlgorithmIdentifier),
        ("signature", OctetString),
        ("unsigned_attributes", Attributes, {"implicit": 1, "optional": True}),
    ]


class SignerInfos(SetOf):
    _child_spec = SignerInfo


class SignedData(Structure):
    """SignedData (RFC 5652 5.1)."""

    _fields = [
        ("version", Integer),
        ("digest_algorithms", AlgorithmIdentifiers),
        ("content", ContentInfo),
        ("certificates", Values, {"implicit": 0, "optional": True}),
        ("revocation_lists", Values, {"implicit": 1, "optional": True}),
        ("signers", SignerInfos),
    ]


class GeneralNames(SequenceOf):
    _child_spec = Any


class KeyPurposes(SequenceOf):
    _child_spec = ObjectIdentifier


class IssuerSerial(Structure):
    _fields = [("issuer", GeneralNames), ("serial", Integer)]


class CertificateId(Structure):
    """ESSCertID (RFC 2634 5.4.1)."""

    _fields = [("hash", OctetString), ("issuer_serial", IssuerSerial, {"optional": True})]


class CertificateIds(SequenceOf):
    _child_spec = CertificateId


class SigningCertificate(Structure):
    _fields = [("certificates", CertificateIds), ("policies", Any, {"optional": True})]


class CertificateIdV2(Structure):
    """ESSCertIDv2 (RFC 5035 4)."""

    _fields = [
        ("hash_algorithm", AlgorithmIdentifier, {"optional": True}),
        ("hash", OctetString),
        ("issuer_serial", IssuerSerial, {"optional": True}),
    ]


class CertificateIdsV2(SequenceOf):
    _child_spec = CertificateIdV2


class SigningCertificateV2(Structure):
    _fields = [("certificates", CertificateIdsV2), ("policies", Any, {"optional": True})]


class Validity(Structure):
    _fields = [("not_before", Any), ("not_after", Any)]


class TbsCertificate(Structure):
    """TBSCertificate (RFC 5280 4.1)."""

    _fields = [
        ("version", Integer, {"explicit": 0, "optional": True}),
        ("serial", Integer),
        ("signature", AlgorithmIdentifier),
        ("issuer", Any),
        ("validity", Validity),
        ("subject", Any),
        ("key", Any),
        ("issuer_id", BitString, {"implicit": 1, "optional": True}),
        ("subject_id", BitString, {"implicit": 2, "optional": True}),
        ("extensions", Extensions, {"explicit": 3, "optional": True}),
    ]


class Certificate(Structure):
    _fields = [("body", TbsCertificate), ("algorithm", AlgorithmIdentifier), ("signature", BitString)]


def present(value: Anything) -> bool:
    """Whether an optional member is there."""
    return not isinstance(value, Void)


def inner(value: Anything) -> bytes:
    """The encoding of the one value in a Wrapped."""
    return ber.node(value.contents).encoding


def dotted(identifier: Anything) -> str:
    """Dotted form of an ObjectIdentifier."""
    return objects.dotted(identifier.contents)


def integer(value: Anything) -> int:
    """Value of an Integer."""
    if not value.contents:
        raise ValueError("empty integer")
    return int(value.native)


def c_long(value: Anything) -> int:
    """Value of an Integer as OpenSSL's ASN1_INTEGER_get gives it: -1 if it does not fit a long."""
    number = integer(value)
    return number if -(1 << 63) <= number < 1 << 63 else -1


def bits(value: Anything) -> tuple[int, ...]:
    """The bits of an optional BitString that are set, the first one is 0; of long ones the beginning."""
    content = value.contents if present(value) else b"\0"
    if not content or content[0] > 7:
        raise ValueError("bit string without its count of unused bits")
    count = min(len(content) * 8 - 8, _MOST_BITS)
    return tuple(bit for bit in range(count) if content[1 + bit // 8] & 0x80 >> bit % 8)


class ExtensionValue(NamedTuple):
    """An extension: identifier (dotted), criticality, and the value (DER)."""

    oid: str
    critical: bool
    value: bytes


def extension_list(value: Anything) -> tuple[ExtensionValue, ...]:
    """The extensions of an optional Extensions."""
    if not present(value):
        return ()
    return tuple(
        ExtensionValue(dotted(extension["id"]), bool(extension["critical"].native), extension["value"].contents)
        for extension in value
    )
