"""Reading private key files, as dcmsign reads them."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, TypeAlias

from ...codec.errors import BadKeyFile
from . import der, pem
from .certificates import Encoding

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

Password: TypeAlias = bytes | str | Callable[[], bytes] | None
"""A password, or what asks for it; asked at most once, and only if the key turns out to be encrypted."""

_ENCRYPTED_LABEL: Final = "ENCRYPTED PRIVATE KEY"
_LABELS: Final = ("PRIVATE KEY", _ENCRYPTED_LABEL, "RSA PRIVATE KEY", "EC PRIVATE KEY", "DSA PRIVATE KEY")


def load_private_key(data: bytes, encoding: Encoding, *, password: Password = None, name: str) -> PrivateKeyTypes:
    """The private key of a file, of any type the package cryptography knows.

    PEM: the first private key block, in PKCS#8 or traditional form (RSA, EC, DSA), encrypted or not; what stands
    around it is ignored. DER: PKCS#8 or traditional, unencrypted. The password is not looked at for unencrypted keys.
    Raises BadKeyFile with `name` as its path if there is no key, it cannot be decoded, or the password is missing or
    wrong.
    """
    if encoding is Encoding.DER:
        return _decode(_first_value(data, name), None, encoding, name)
    try:
        block = next((block for block in pem.blocks(data) if block.label in _LABELS), None)
    except pem.PemError as error:
        raise BadKeyFile(str(error), path=name) from None
    if block is None:
        raise BadKeyFile("no private key in this file", path=name)
    encrypted = block.label == _ENCRYPTED_LABEL or block.encrypted
    return _decode(block.text, _secret(password, name) if encrypted else None, encoding, name)


def _first_value(data: bytes, name: str) -> bytes:
    try:
        return bytes(der.expect(data, der.SEQUENCE).encoding)
    except der.DerError as error:
        raise BadKeyFile(str(error), path=name) from None


def _secret(password: Password, name: str) -> bytes:
    secret = password() if callable(password) else password
    if secret is None:
        raise BadKeyFile("the key is encrypted and no password was given", path=name)
    return secret.encode() if isinstance(secret, str) else secret


def _decode(data: bytes, password: bytes | None, encoding: Encoding, name: str) -> PrivateKeyTypes:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import serialization

    load = serialization.load_pem_private_key if encoding is Encoding.PEM else serialization.load_der_private_key
    try:
        with warnings.catch_warnings():  # about kinds of keys which the caller is told about in a better way
            warnings.simplefilter("ignore")
            # The full check takes up to 300 ms. The key is the caller's own, and each new signature is verified.
            return load(data, password, unsafe_skip_rsa_key_validation=True)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise BadKeyFile("cannot be decoded, or the password is wrong", path=name) from error
