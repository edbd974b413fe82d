"""Signed objects made element by element, so that each part of a signature can be missing or wrong while the rest is right."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Mapping
from functools import cache

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from dcmsign.stream import Certificate, Encoding, load_certificate

from tests.stream.material import MAC_VECTORS, element, meta, sequence

MAC_ID, SYNTAX, ALGORITHM, SIGNED = 0x04000005, 0x04000010, 0x04000015, 0x04000020
UID, DATE, CERTIFICATE_TYPE, CERTIFICATE, SIGNATURE = 0x04000100, 0x04000105, 0x04000110, 0x04000115, 0x04000120
_NOT_DIGESTED = {CERTIFICATE, SIGNATURE}
NAME_TAG, UNKNOWN_TAG = 0x00100010, 0x00110011
BODY = element(0x00080018, "UI", b"1.2.3.4\0") + element(NAME_TAG, "PN", b"Doe^Jane") + element(UNKNOWN_TAG, "UN", b"ab")
Edits = Mapping[int, bytes | None]
"""Data elements, encoded, to put in the place of the right ones; None leaves them out."""


@cache
def signing_key() -> rsa.RSAPrivateKey:
    key = serialization.load_pem_private_key((MAC_VECTORS / "key-rsa.pem").read_bytes(), None)
    assert isinstance(key, rsa.RSAPrivateKey)
    return key


@cache
def certificate() -> Certificate:
    return load_certificate((MAC_VECTORS / "cert-rsa.pem").read_bytes(), Encoding.PEM, name="cert-rsa.pem")


def even(value: bytes, pad: bytes = b"\0") -> bytes:
    return value + pad * (len(value) % 2)


def tags(*listed: int) -> bytes:
    return element(SIGNED, "AT", b"".join(struct.pack("<HH", tag >> 16, tag & 0xFFFF) for tag in listed))


def _applied(right: dict[int, bytes], edits: Edits) -> list[bytes]:
    merged = right | dict(edits)
    return [encoded for _, encoded in sorted(merged.items()) if encoded is not None]


def signed_object(
    *, parameters: Edits | None = None, item: Edits | None = None, body: bytes = BODY, syntax: bytes = b"", pixels: bytes = b""
) -> bytes:
    """A file whose patient's name is signed, with MAC parameters and signature edited; `None` for no MAC Parameters Sequence."""
    right_parameters = {
        MAC_ID: element(MAC_ID, "US", b"\0\0"),
        SYNTAX: element(SYNTAX, "UI", b"1.2.840.10008.1.2.1\0"),
        ALGORITHM: element(ALGORITHM, "CS", b"SHA256"),
        SIGNED: tags(NAME_TAG),
    }
    right_item = {
        MAC_ID: element(MAC_ID, "US", b"\0\0"),
        UID: element(UID, "UI", b"1.2.3.4.5\0"),
        DATE: element(DATE, "DT", b"20260101120000"),
        CERTIFICATE_TYPE: element(CERTIFICATE_TYPE, "CS", b"X509_1993_SIG "),
        CERTIFICATE: element(CERTIFICATE, "OB", even(certificate().der)),
    }
    edits = dict(item or {})
    digest = hashlib.sha256(element(NAME_TAG, "PN", b"Doe^Jane"))
    for encoded in _applied(right_item, {**{tag: edits[tag] for tag in edits}, CERTIFICATE: None, SIGNATURE: None}):
        digest.update(encoded)
    value = signing_key().sign(digest.digest(), padding.PKCS1v15(), Prehashed(hashes.SHA256()))
    right_item[SIGNATURE] = element(SIGNATURE, "OB", value)
    mac = b"" if parameters is None else sequence(0x4FFE0001, b"".join(_applied(right_parameters, parameters)))
    signature = sequence(0xFFFAFFFA, b"".join(_applied(right_item, edits)))
    head = meta(syntax) if syntax else meta()
    return head + body + mac + pixels + signature
