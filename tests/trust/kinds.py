"""Private keys of all kinds that can sign."""

from __future__ import annotations

from collections.abc import Callable

from cryptography.hazmat.primitives.asymmetric import dsa, ec, rsa
from dcmsign.stream.trust import der, pem

from tests.trust import dsa_parameters

SigningKey = rsa.RSAPrivateKey | dsa.DSAPrivateKey | ec.EllipticCurvePrivateKey


def _dsa(parameters: bytes) -> dsa.DSAPrivateKey:
    numbers = (der.integer(node) for node in der.children(der.read(next(pem.blocks(parameters)).der)))
    return dsa.DSAParameterNumbers(*numbers).parameters().generate_private_key()


MAKERS: dict[str, Callable[[], SigningKey]] = {
    "rsa-2048": lambda: rsa.generate_private_key(65537, 2048),
    "rsa-2056": lambda: rsa.generate_private_key(65537, 2056),  # 257 bytes
    "dsa-1024-160": lambda: _dsa(dsa_parameters.DSA_1024_160),
    "dsa-2048-224": lambda: _dsa(dsa_parameters.DSA_2048_224),
    "prime192v1": lambda: ec.generate_private_key(ec.SECP192R1()),
    "prime256v1": lambda: ec.generate_private_key(ec.SECP256R1()),
    "secp256k1": lambda: ec.generate_private_key(ec.SECP256K1()),
    "secp384r1": lambda: ec.generate_private_key(ec.SECP384R1()),
    "secp521r1": lambda: ec.generate_private_key(ec.SECP521R1()),
    "brainpoolP256r1": lambda: ec.generate_private_key(ec.BrainpoolP256R1()),
}
