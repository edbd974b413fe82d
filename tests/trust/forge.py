"""Certificates made byte by byte, also such as no tool would make."""

from __future__ import annotations

import base64
from collections.abc import Callable
from functools import cache

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from dcmsign.stream.trust import der

UTF8, PRINTABLE, T61, IA5, BMP, UNIVERSAL = 0x0C, 0x13, 0x14, 0x16, 0x1E, 0x1C
Attribute = tuple[str, int, bytes]


@cache
def signing_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def tlv(tag: int, *parts: bytes) -> bytes:
    content = b"".join(parts)
    size = len(content)
    if size < 0x80:
        return bytes((tag, size)) + content
    octets = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(octets))) + octets + content


def integer(value: int) -> bytes:
    return tlv(der.INTEGER, value.to_bytes(value.bit_length() // 8 + 1, "big", signed=True))


def name(*relative_names: list[Attribute] | Attribute) -> bytes:
    """A Name of (type, string tag, content) or, for multi-valued relative names, of lists of them."""
    sets = []
    for relative in relative_names:
        attributes = relative if isinstance(relative, list) else [relative]
        sets.append(tlv(der.SET, *(tlv(der.SEQUENCE, der.oid(kind), tlv(tag, text)) for kind, tag, text in attributes)))
    return tlv(der.SEQUENCE, *sets)


def utc(text: str) -> bytes:
    return tlv(der.UTC_TIME, text.encode())


def generalized(text: str) -> bytes:
    return tlv(der.GENERALIZED_TIME, text.encode())


SIGNATURE_ALGORITHMS: dict[tuple[str, type], str] = {
    ("md5", rsa.RSAPrivateKey): "1.2.840.113549.1.1.4",
    ("sha1", rsa.RSAPrivateKey): "1.2.840.113549.1.1.5",
    ("sha256", rsa.RSAPrivateKey): "1.2.840.113549.1.1.11",
    ("sha1", ec.EllipticCurvePrivateKey): "1.2.840.10045.4.1",
    ("sha256", ec.EllipticCurvePrivateKey): "1.2.840.10045.4.3.2",
}
HASHES: dict[str, Callable[[], hashes.HashAlgorithm]] = {"md5": hashes.MD5, "sha1": hashes.SHA1, "sha256": hashes.SHA256}
IssuerKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


def common_name(text: str) -> bytes:
    return name(("2.5.4.3", UTF8, text.encode()))


def key_info(key: PublicKeyTypes) -> bytes:
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def extensions(*items: tuple[str, bytes]) -> bytes:
    """Critical extensions of (type, DER of the value)."""
    return tlv(
        0xA3,
        tlv(
            der.SEQUENCE,
            *(tlv(der.SEQUENCE, der.oid(kind), b"\1\1\xff", tlv(der.OCTET_STRING, value)) for kind, value in items),
        ),
    )


def authority(is_authority: bool = True) -> bytes:
    return extensions(("2.5.29.19", tlv(der.SEQUENCE, b"\1\1\xff" if is_authority else b"")))


def certificate(
    *,
    version: int | None = 2,
    serial: bytes = integer(5),
    issuer: bytes = common_name("Forged"),
    subject: bytes = common_name("Forged"),
    not_before: bytes = utc("200101000000Z"),
    not_after: bytes = utc("400101000000Z"),
    key: bytes | None = None,
    rest: bytes = b"",
    signed_by: IssuerKey | None = None,
    digest: str = "sha256",
    parameters: bytes = b"",
) -> bytes:
    """A certificate signed with `signing_key`, whose own public key it holds, unless other keys are given."""
    signer = signed_by or signing_key()
    kind = rsa.RSAPrivateKey if isinstance(signer, rsa.RSAPrivateKey) else ec.EllipticCurvePrivateKey
    algorithm = tlv(der.SEQUENCE, der.oid(SIGNATURE_ALGORITHMS[digest, kind]), parameters)
    head = b"" if version is None else tlv(0xA0, integer(version))
    validity = tlv(der.SEQUENCE, not_before, not_after)
    public = key or key_info(signing_key().public_key())
    body = tlv(der.SEQUENCE, head, serial, algorithm, issuer, validity, subject, public, rest)
    if isinstance(signer, rsa.RSAPrivateKey):
        signature = signer.sign(body, padding.PKCS1v15(), HASHES[digest]())
    else:
        signature = signer.sign(body, ec.ECDSA(HASHES[digest]()))
    return tlv(der.SEQUENCE, body, algorithm, tlv(der.BIT_STRING, b"\0", signature))


Revoked = tuple[int, bytes] | tuple[int, bytes, bytes]
"""Serial number, date and entry extensions of a revoked certificate."""


def plain_extensions(*items: tuple[str, bool, bytes]) -> bytes:
    """Extensions of (type, critical, DER of the value), without the tag that says where they belong."""
    return tlv(
        der.SEQUENCE,
        *(
            tlv(der.SEQUENCE, der.oid(kind), b"\1\1\xff" if critical else b"", tlv(der.OCTET_STRING, value))
            for kind, critical, value in items
        ),
    )


def revocation_list(
    issuer: bytes,
    signed_by: IssuerKey,
    *revoked: Revoked,
    version: int | None = 1,
    this_update: bytes = utc("250101000000Z"),
    next_update: bytes | None = utc("400101000000Z"),
    extensions: bytes = b"",
    digest: str = "sha256",
) -> bytes:
    """A certificate revocation list (RFC 5280 5.1); `extensions` are plain ones."""
    kind = rsa.RSAPrivateKey if isinstance(signed_by, rsa.RSAPrivateKey) else ec.EllipticCurvePrivateKey
    algorithm = tlv(der.SEQUENCE, der.oid(SIGNATURE_ALGORITHMS[digest, kind]))
    entries = [tlv(der.SEQUENCE, integer(serial), *rest) for serial, *rest in revoked]
    body = tlv(
        der.SEQUENCE,
        b"" if version is None else integer(version),
        algorithm,
        issuer,
        this_update,
        next_update or b"",
        tlv(der.SEQUENCE, *entries) if entries else b"",
        tlv(0xA0, extensions) if extensions else b"",
    )
    if isinstance(signed_by, rsa.RSAPrivateKey):
        signature = signed_by.sign(body, padding.PKCS1v15(), HASHES[digest]())
    else:
        signature = signed_by.sign(body, ec.ECDSA(HASHES[digest]()))
    return tlv(der.SEQUENCE, body, algorithm, tlv(der.BIT_STRING, b"\0", signature))


def pem(data: bytes, label: str = "CERTIFICATE") -> bytes:
    return f"-----BEGIN {label}-----\n".encode() + base64.encodebytes(data) + f"-----END {label}-----\n".encode()
