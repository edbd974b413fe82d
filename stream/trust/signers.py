"""Making and checking signature values: the contents of Signature (0400,0120) (PS3.3 C.12.1.1.3.1.3).

RSA: PKCS#1 v1.5 over the DigestInfo of the MAC algorithm, one block as long as the modulus. DSA and ECDSA: the DER
sequence of r and s over the digest, whose leftmost bits count where it is longer than the group order.
"""

from __future__ import annotations

import os
from hmac import compare_digest
from typing import TYPE_CHECKING, Protocol

from ...codec.errors import BadCertificateFile, BadKeyFile, CryptoFailure, KeyMismatch, UnsupportedKey
from ...codec.signature.algorithms import MAC_ALGORITHMS
from ..io.files import read_buffer
from ..io.threads import run_in_thread
from . import der
from .certificates import Certificate, Encoding, load_certificate

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes, PublicKeyTypes
    from cryptography.hazmat.primitives.asymmetric.utils import Prehashed

    from .certificates import PublicKey
    from .keys import Password


class Signer(Protocol):
    """Whoever can turn a digest into a signature value: a loaded key, a token, a remote service."""

    @property
    def certificate(self) -> Certificate:
        """The signer's certificate, stored with the signature."""
        ...

    async def sign_digest(self, digest: bytes, mac_algorithm: str) -> bytes:
        """The signature value over `digest`, made with `mac_algorithm` (a key of MAC_ALGORITHMS).

        RSA: a block of the modulus's length; DSA and EC: DER, without padding. Raises CryptoFailure.
        """
        ...


class KeySigner:
    """Signs with a private key in memory."""

    __slots__ = ("_key", "certificate")

    certificate: Certificate

    def __init__(self, key: PrivateKeyTypes, certificate: Certificate) -> None:
        """Take a private key of the package cryptography and its certificate; `check` finds out whether they match."""
        self._key = key
        self.certificate = certificate

    @classmethod
    def load(
        cls,
        key_file: str | os.PathLike[str],
        certificate_file: str | os.PathLike[str],
        *,
        password: Password = None,
        encoding: Encoding = Encoding.PEM,
    ) -> KeySigner:
        """Read the certificate, then the key; see `from_bytes`. Files that cannot be read raise the same errors.

        What was read of the key file is overwritten when the key is decoded.
        """
        from ...codec.hiding import Hidden, wipe
        from .keys import hidden, load_private_key  # verification does without

        password = hidden(password)
        data = bytes(_read(certificate_file, BadCertificateFile))
        certificate = load_certificate(data, encoding, name=os.fspath(certificate_file))
        content = Hidden(_read(key_file, BadKeyFile))
        try:
            return cls(load_private_key(content(), encoding, password=password, name=os.fspath(key_file)), certificate)
        finally:
            wipe(content())

    @classmethod
    def from_bytes(
        cls,
        key: bytes,
        certificate: bytes,
        *,
        password: Password = None,
        encoding: Encoding = Encoding.PEM,
        key_name: str = "private key",
        certificate_name: str = "certificate",
    ) -> KeySigner:
        """Decode a certificate and a private key, in this order.

        PEM: the first CERTIFICATE block and the first private key block (PKCS#8 or traditional, encrypted or not),
        which may come from the same file. DER: a certificate, and an unencrypted PKCS#8 or traditional key. The names
        are for errors. Raises BadCertificateFile, or BadKeyFile for a key that cannot be decoded and for a wrong or
        missing password.
        """
        from ...codec.hiding import Hidden
        from .keys import hidden, load_private_key

        password, content = hidden(password), Hidden(key)
        del key  # tracebacks with local variables must not show it
        loaded = load_certificate(certificate, encoding, name=certificate_name)
        return cls(load_private_key(content(), encoding, password=password, name=key_name), loaded)

    def check(self) -> None:
        """Raise KeyMismatch if certificate and key do not match, UnsupportedKey unless they are RSA, DSA or EC."""
        public_key = self._key.public_key()
        expected = self.certificate.public_key
        if expected is not None:
            if public_key != expected:
                raise KeyMismatch("certificate and private key do not match")
        elif _key_bits(_info(public_key)) != _key_bits(self.certificate.key_info):
            raise KeyMismatch("certificate and private key do not match")
        else:
            raise UnsupportedKey("the key is neither RSA, DSA nor EC")

    async def sign_digest(self, digest: bytes, mac_algorithm: str) -> bytes:
        """See Signer; works in a thread, so that the event loop (asyncio or trio) is not held up."""
        return await run_in_thread(_sign, self._key, digest, mac_algorithm)

    def __repr__(self) -> str:
        return f"KeySigner({self.certificate.subject!r}, {self.certificate.key_text!r})"


def signature_value(certificate: Certificate, value: bytes) -> bytes:
    """The signature itself in the value field of Signature (0400,0120): without the pad byte behind one of odd length."""
    if certificate.key_type == "RSA":
        return value[: (certificate.key_bits + 7) // 8]
    try:
        return bytes(der.expect(value, der.SEQUENCE).encoding)
    except der.DerError:
        return value


def verify_digest(certificate: Certificate, value: bytes, digest: bytes, mac_algorithm: str) -> bool:
    """Whether `value` is the signer's signature over `digest`, made with `mac_algorithm` (a key of MAC_ALGORITHMS).

    `value` is the value field of Signature (0400,0120): one pad byte behind a signature of odd length is no part of
    it. Behind RSA blocks it must be 00, behind DSA and ECDSA signatures it may be anything, as for dcmsign. Malformed
    values are False. Raises CryptoFailure if the certificate's key cannot verify signatures or is not supported.
    """
    key = certificate.public_key
    if key is None:
        raise CryptoFailure(f"cannot verify signatures with this key: {certificate.key_text}")
    from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm

    try:
        _verify(key, value, _checked(digest, mac_algorithm), mac_algorithm)
    except (InvalidSignature, der.DerError):
        return False
    except (UnsupportedAlgorithm, ValueError) as error:
        raise CryptoFailure(f"cannot verify signatures with this key: {error}") from error
    return True


def _verify(key: PublicKey, value: bytes, digest: bytes, mac_algorithm: str) -> None:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

    if isinstance(key, rsa.RSAPublicKey):
        length = (key.key_size + 7) // 8
        if length % 2 and len(value) == length + 1 and value[-1] == 0:
            value = value[:-1]
        # OpenSSL would also take a shorter value, as if zeros stood in front of it.
        recovered = key.recover_data_from_signature(value, padding.PKCS1v15(), None) if len(value) == length else b""
        if not compare_digest(recovered, _digest_info(digest, mac_algorithm)):
            raise InvalidSignature
        return
    signature = bytes(der.expect(value, der.SEQUENCE).encoding)
    if len(value) > len(signature) + len(signature) % 2:
        raise der.DerError("more than one byte behind the signature")
    if isinstance(key, ec.EllipticCurvePublicKey):
        key.verify(signature, digest, ec.ECDSA(_prehashed(digest)))
    else:
        key.verify(signature, digest, _prehashed(digest))


def _sign(key: PrivateKeyTypes, digest: bytes, mac_algorithm: str) -> bytes:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric import dsa, ec, padding, rsa, utils

    digest = _checked(digest, mac_algorithm)
    try:
        if isinstance(key, rsa.RSAPrivateKey):
            return key.sign(_digest_info(digest, mac_algorithm), padding.PKCS1v15(), utils.NoDigestInfo())
        if isinstance(key, dsa.DSAPrivateKey):
            return key.sign(digest, _prehashed(digest))
        if isinstance(key, ec.EllipticCurvePrivateKey):
            return key.sign(digest, ec.ECDSA(_prehashed(digest)))
    except (UnsupportedAlgorithm, ValueError) as error:  # such as an RSA modulus too short for the DigestInfo
        raise CryptoFailure(f"cannot sign with this key: {error}") from error
    raise UnsupportedKey("the key is neither RSA, DSA nor EC")


def _checked(digest: bytes, mac_algorithm: str) -> bytes:
    if len(digest) != MAC_ALGORITHMS[mac_algorithm].digest_size:
        raise CryptoFailure(f"{len(digest)} bytes are no {mac_algorithm} digest")
    return digest


def _digest_info(digest: bytes, mac_algorithm: str) -> bytes:
    """DER of the DigestInfo (RFC 8017 9.2), made here because cryptography has no RIPEMD-160."""
    algorithm = der.oid(MAC_ALGORITHMS[mac_algorithm].oid) + b"\x05\x00"
    content = bytes((der.SEQUENCE, len(algorithm))) + algorithm + bytes((der.OCTET_STRING, len(digest))) + digest
    return bytes((der.SEQUENCE, len(content))) + content


def _prehashed(digest: bytes) -> Prehashed:
    """Says that hashing has been done; only the length of the hash matters, so SHA-1 stands in for RIPEMD-160."""
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric.utils import Prehashed

    candidates = (hashes.MD5(), hashes.SHA1(), hashes.SHA256(), hashes.SHA384(), hashes.SHA512())
    return Prehashed(next(candidate for candidate in candidates if candidate.digest_size == len(digest)))


def _info(key: PublicKeyTypes) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _key_bits(info: bytes) -> bytes:
    """The subjectPublicKey alone: RSA keys are the same key whether their use is restricted to PSS or not."""
    return bytes(der.members(der.expect(info, der.SEQUENCE), der.SEQUENCE, der.BIT_STRING)[1].content)


def _read(path: str | os.PathLike[str], failure: type[BadCertificateFile | BadKeyFile]) -> bytearray:
    try:
        return read_buffer(path)
    except OSError as error:
        raise failure(error.strerror or "cannot be read", path=os.fspath(path)) from error
