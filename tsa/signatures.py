"""Signature values in tokens: RSA PKCS#1 v1.5, DSA and ECDSA over a digest (RFC 8017 8.2, FIPS 186)."""

from __future__ import annotations

from hmac import compare_digest
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
    from cryptography.hazmat.primitives.asymmetric.utils import Prehashed

_FAILED: Final = "signature failure"

_LONGEST_EXPONENT: Final = 64
"""Bits of a public exponent that is worked with here; all those in use are shorter."""


def signature_problem(key_info: bytes, signature: bytes, digest: bytes, digest_oid: str) -> str | None:
    """Check a signature over `digest`, made with the algorithm `digest_oid`; `key_info` is the DER of the public key.

    Returns None if it is good, else OpenSSL's reason.
    """
    from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric import dsa, ec, rsa
    from cryptography.hazmat.primitives.serialization import load_der_public_key

    try:
        key = load_der_public_key(key_info)
        if isinstance(key, rsa.RSAPublicKey):
            return _rsa_problem(key, signature, digest, digest_oid)
        if isinstance(key, dsa.DSAPublicKey):
            key.verify(signature, digest, _prehashed(digest))
        elif isinstance(key, ec.EllipticCurvePublicKey):
            key.verify(signature, digest, ec.ECDSA(_prehashed(digest)))
        else:
            return _FAILED
    except (InvalidSignature, UnsupportedAlgorithm, ValueError, TypeError):
        return _FAILED
    return None


def _rsa_problem(key: RSAPublicKey, signature: bytes, digest: bytes, digest_oid: str) -> str | None:
    """The digest is compared by hand: the library has no RIPEMD-160, and OpenSSL's reasons differ."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric import padding

    if len(signature) != (key.key_size + 7) // 8:
        return "wrong signature length"
    try:
        recovered = key.recover_data_from_signature(signature, padding.PKCS1v15(), None)
    except InvalidSignature:
        return _padding_problem(key, signature)
    return None if compare_digest(recovered, _digest_info(digest, digest_oid)) else "bad signature"


def _padding_problem(key: RSAPublicKey, signature: bytes) -> str:
    """What OpenSSL says about a block that is not padded as PKCS#1 v1.5 wants it."""
    numbers = key.public_numbers()
    number = int.from_bytes(signature, "big")
    if number >= numbers.n:
        return "data too large for modulus"
    if numbers.e.bit_length() > _LONGEST_EXPONENT:
        return "invalid padding"
    block = pow(number, numbers.e, numbers.n).to_bytes(len(signature), "big")
    if block[0] != 0:
        return "invalid padding"
    if block[1] != 1:
        return "block type is not 01"
    filling = block[2:].lstrip(b"\xff")
    if not filling:
        return "null before block missing"
    return "bad pad byte count" if filling[0] == 0 else "bad fixed header decrypt"


def _digest_info(digest: bytes, oid: str) -> bytes:
    from . import structures

    algorithm = structures.AlgorithmIdentifier({"algorithm": oid, "parameters": structures.Null()})
    return bytes(structures.DigestInfo({"algorithm": algorithm, "digest": digest}).dump())


def _prehashed(digest: bytes) -> Prehashed:
    """Says that hashing has been done; only the length of the digest matters."""
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric.utils import Prehashed

    candidates = (hashes.MD5(), hashes.SHA1(), hashes.SHA224(), hashes.SHA256(), hashes.SHA384(), hashes.SHA512())
    return Prehashed(next(candidate for candidate in candidates if candidate.digest_size == len(digest)))
