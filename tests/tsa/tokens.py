"""Timestamp tokens with anything in them, made from nothing: signed by the authorities of the vectors."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

from asn1crypto import core, pem, x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ec, padding, rsa, utils
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from dcmsign.tsa.query import TimestampQuery

from tests.tsa import stamped
from tests.tsa.ber import tlv

SEQUENCE, SET, CONTEXT_0, CONTEXT_1 = 0x30, 0x31, 0xA0, 0xA1
CONTENT_TYPE, MESSAGE_DIGEST = "1.2.840.113549.1.9.3", "1.2.840.113549.1.9.4"
SIGNING_CERTIFICATE, SIGNING_CERTIFICATE_V2 = "1.2.840.113549.1.9.16.2.12", "1.2.840.113549.1.9.16.2.47"
TST_INFO, SIGNED_DATA = "1.2.840.113549.1.9.16.1.4", "1.2.840.113549.1.7.2"
DIGESTS = {
    "sha1": "1.3.14.3.2.26",
    "md5": "1.2.840.113549.2.5",
    "ripemd160": "1.3.36.3.2.1",
    "sha224": "2.16.840.1.101.3.4.2.4",
    "sha256": "2.16.840.1.101.3.4.2.1",
    "sha384": "2.16.840.1.101.3.4.2.2",
    "sha512": "2.16.840.1.101.3.4.2.3",
    "sha512_256": "2.16.840.1.101.3.4.2.6",
    "sha3_256": "2.16.840.1.101.3.4.2.8",
}

Attributes = list[tuple[str, list[bytes]]]
Sign = Callable[[Any, bytes], bytes]


@cache
def certificate(name: str) -> x509.Certificate:
    return x509.Certificate.load(pem.unarmor(stamped.read(f"pki/{name}.pem"))[2])


@cache
def key(name: str) -> PrivateKeyTypes:
    return serialization.load_pem_private_key(stamped.read(f"pki/{name}.key"), None)


def oid(dotted: str) -> bytes:
    return bytes(core.ObjectIdentifier(dotted).dump())


def integer(number: int) -> bytes:
    return bytes(core.Integer(number).dump())


def algorithm(name: str) -> bytes:
    return tlv(SEQUENCE, oid(DIGESTS.get(name, name)) + b"\x05\x00")


def extension(value: bytes, identifier: str = "1.2.3.4.5") -> bytes:
    """The field extensions of a TSTInfo, with one extension."""
    return tlv(CONTEXT_1, tlv(SEQUENCE, oid(identifier) + tlv(4, value)))


def name(*relatives: Sequence[tuple[str, int, bytes]]) -> bytes:
    """A Name: type, string tag and value of each attribute of each relative name."""
    sets = (
        tlv(SET, b"".join(tlv(SEQUENCE, oid(kind) + tlv(tag, text)) for kind, tag, text in relative)) for relative in relatives
    )
    return tlv(SEQUENCE, b"".join(sets))


def tst_info(
    *,
    query: str = "sha256",
    version: int = 1,
    serial: int = 77,
    time: bytes = b"20260102030405Z",
    accuracy: bytes = b"",
    ordering: bytes = b"",
    tsa: bytes | None = None,
    extensions: bytes = b"",
    imprint: tuple[str, bytes] | None = None,
    **changes: int | None,
) -> bytes:
    """A TSTInfo that answers the query of a vector; `tsa` is a GeneralName, `changes` may hold another `nonce`."""
    asked = TimestampQuery.from_der(stamped.read(f"signed/{query}.tsq"))
    nonce = changes.get("nonce", asked.nonce)
    used, digest = imprint or (asked.algorithm.lower(), asked.imprint)
    fields = (
        integer(version),
        oid(asked.policy or "1.3.6.1.4.1.99999.1.1"),
        tlv(SEQUENCE, algorithm(used) + tlv(4, digest)),
        integer(serial),
        tlv(0x18, time),
        accuracy,
        ordering,
        b"" if nonce is None else integer(nonce),
        b"" if tsa is None else tlv(CONTEXT_0, tsa),
        extensions,
    )
    return tlv(SEQUENCE, b"".join(fields))


def certificate_id(of: str, digest: str = "sha256", issuer: bytes = b"", serial: int | None = None, *, version: int = 2) -> bytes:
    """An ESSCertID; `issuer` is the content of GeneralNames, with `serial` it makes an IssuerSerial."""
    used = b"" if version == 1 else algorithm(digest)
    value = hashlib.new("sha1" if version == 1 else digest.replace("1.2.3.4", "sha256"), certificate(of).dump()).digest()
    issuer_serial = b"" if serial is None else tlv(SEQUENCE, tlv(SEQUENCE, issuer) + integer(serial))
    return tlv(SEQUENCE, used + tlv(4, value) + issuer_serial)


def signing_certificate(*identifiers: bytes) -> bytes:
    return tlv(SEQUENCE, tlv(SEQUENCE, b"".join(identifiers)))


def same(attributes: Attributes) -> Attributes:
    return attributes


def sign_pkcs1(private: PrivateKeyTypes, data: bytes, digest: str = "sha256") -> bytes:
    """The signature an authority of this kind makes."""
    if isinstance(private, rsa.RSAPrivateKey):
        info = tlv(SEQUENCE, algorithm(digest) + tlv(4, hashlib.new(digest, data).digest()))
        return private.sign(info, padding.PKCS1v15(), utils.NoDigestInfo())
    if isinstance(private, ec.EllipticCurvePrivateKey):
        return private.sign(data, ec.ECDSA(hashes.SHA256()))
    assert isinstance(private, dsa.DSAPrivateKey)
    return private.sign(data, hashes.SHA256())


def token(
    content: bytes | None = None,
    *,
    tsa: str = "tsa",
    digest: str = "sha256",
    attributes: Callable[[Attributes], Attributes] = same,
    sign: Sign | None = None,
    listed: Sequence[str] | None = None,
    embedded: Sequence[str] | None = None,
    identifier: bytes | None = None,
    content_type: str = TST_INFO,
    unsigned: bytes = b"",
) -> bytes:
    """A token around `content` (a TSTInfo); whatever is not given is as it should be."""
    content = tst_info() if content is None else content
    good: Attributes = [
        (CONTENT_TYPE, [oid(TST_INFO)]),
        (MESSAGE_DIGEST, [tlv(4, hashlib.new(digest, content).digest())]),
        (SIGNING_CERTIFICATE_V2, [signing_certificate(certificate_id(tsa))]),
    ]
    signed = b"".join(tlv(SEQUENCE, oid(kind) + tlv(SET, b"".join(values))) for kind, values in attributes(good))
    own = certificate(tsa)
    make = sign or (lambda private, data: sign_pkcs1(private, data, digest))
    signer = (
        integer(1),
        identifier or tlv(SEQUENCE, own.issuer.dump() + integer(own.serial_number)),
        algorithm(digest),
        tlv(CONTEXT_0, signed),
        algorithm("1.2.840.113549.1.1.1"),
        tlv(4, make(key(tsa), tlv(SET, signed))),
        unsigned,
    )
    certificates = b"".join(certificate(entry).dump() for entry in ([tsa] if embedded is None else embedded))
    data = (
        integer(3),
        tlv(SET, b"".join(map(algorithm, [digest] if listed is None else listed))),
        tlv(SEQUENCE, oid(content_type) + tlv(CONTEXT_0, tlv(4, content))),
        tlv(CONTEXT_0, certificates) if certificates else b"",
        tlv(SET, tlv(SEQUENCE, b"".join(signer))),
    )
    return tlv(SEQUENCE, oid(SIGNED_DATA) + tlv(CONTEXT_0, tlv(SEQUENCE, b"".join(data))))


def reply(encoding: bytes, status: int = 0) -> bytes:
    """A reply with a token."""
    return tlv(SEQUENCE, tlv(SEQUENCE, integer(status)) + encoding)
