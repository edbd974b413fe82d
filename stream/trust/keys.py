"""Reading private key files, as dcmsign reads them."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, TypeAlias, cast

from ...codec.errors import BadKeyFile
from ...codec.hiding import Hidden, bare, wipe
from . import der, pem
from .certificates import Encoding

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

Password: TypeAlias = bytes | str | Callable[[], bytes | bytearray | str] | None
"""A password, or what asks for it; asked at most once, and only if the key turns out to be encrypted.

A bytearray that it answers with is overwritten once the key is decoded.
"""

_ENCRYPTED_LABEL: Final = "ENCRYPTED PRIVATE KEY"
_LABELS: Final = ("PRIVATE KEY", _ENCRYPTED_LABEL, "RSA PRIVATE KEY", "EC PRIVATE KEY", "DSA PRIVATE KEY")

_Asked: TypeAlias = Callable[[], bytes | bytearray | str]


def hidden(password: Password) -> _Asked | None:
    """A password in a form that no traceback shows; None without one."""
    return password if password is None or callable(password) else Hidden(password)


def load_private_key(data: bytes | bytearray, encoding: Encoding, *, password: Password = None, name: str) -> PrivateKeyTypes:
    """The private key of a file, of any type the package cryptography knows.

    PEM: the first private key block, in PKCS#8 or traditional form (RSA, EC, DSA), encrypted or not; what stands
    around it is ignored. DER: PKCS#8 or traditional, unencrypted. The password is not looked at for unencrypted keys.
    Raises BadKeyFile with `name` as its path if there is no key, it cannot be decoded, or the password is missing or
    wrong; the error has neither causes nor frames in which key or password stand.
    """
    content: Hidden[bytes | bytearray] = Hidden(data)
    del data
    password = hidden(password)
    try:
        return _load(content, encoding, password, name)
    except BadKeyFile as error:
        failure = bare(error)
    except UnicodeEncodeError:
        failure = BadKeyFile("the password is no text", path=name)
    raise failure


def _load(content: Hidden[bytes | bytearray], encoding: Encoding, password: _Asked | None, name: str) -> PrivateKeyTypes:
    if encoding is Encoding.DER:
        return _decode(_first_value(content, name), None, encoding, name)
    try:
        block = next((block for block in pem.blocks(content()) if block.label in _LABELS), None)
    except pem.PemError as error:
        raise BadKeyFile(str(error), path=name) from None
    if block is None:
        raise BadKeyFile("no private key in this file", path=name)
    encrypted = block.label == _ENCRYPTED_LABEL or block.encrypted
    return _decode(Hidden(block.text), _secret(password, name) if encrypted else None, encoding, name)


def _first_value(content: Hidden[bytes | bytearray], name: str) -> Hidden[bytes]:
    try:
        return Hidden(bytes(der.expect(content(), der.SEQUENCE).encoding))
    except der.DerError as error:
        raise BadKeyFile(str(error), path=name) from None


def _secret(password: _Asked | None, name: str) -> Hidden[bytes | bytearray]:
    if password is None:
        raise BadKeyFile("the key is encrypted and no password was given", path=name)
    given = Hidden(password())
    if not isinstance(given(), str):
        return cast(Hidden[bytes | bytearray], given)
    # arguments from the operating system need not be text
    return Hidden(cast(str, given()).encode("utf-8", "surrogateescape"))


def _decode(data: Hidden[bytes], password: Hidden[bytes | bytearray] | None, encoding: Encoding, name: str) -> PrivateKeyTypes:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import serialization

    load = serialization.load_pem_private_key if encoding is Encoding.PEM else serialization.load_der_private_key
    try:
        with warnings.catch_warnings():  # about kinds of keys which the caller is told about in a better way
            warnings.simplefilter("ignore")
            # The full check takes up to 300 ms. The key is the caller's own, and each new signature is verified.
            secret = cast(Hidden[bytes] | None, password)  # bytearrays will do
            return load(data(), None if secret is None else secret(), unsafe_skip_rsa_key_validation=True)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise BadKeyFile("cannot be decoded, or the password is wrong", path=name) from error
    finally:
        if password is not None and isinstance(password(), bytearray):
            wipe(cast(bytearray, password()))
