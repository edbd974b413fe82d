"""Keys and certificates of all kinds, made once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from dcmsign.stream.trust.certificates import Certificate
from dcmsign.stream.trust.signers import KeySigner

from tests.trust import forge
from tests.trust.kinds import MAKERS

_signers: dict[str, KeySigner] = {}


@pytest.fixture(scope="session")
def signer_of() -> Callable[[str], KeySigner]:
    """A signer with a new key of the kind, the same one every time."""

    def make(kind: str) -> KeySigner:
        if kind not in _signers:
            key = MAKERS[kind]()
            certificate = forge.certificate(
                key=forge.key_info(key.public_key()), subject=forge.common_name(kind), issuer=forge.common_name("Issuer")
            )
            _signers[kind] = KeySigner(key, Certificate.from_der(certificate))
        return _signers[kind]

    return make


@pytest.fixture(scope="session")
def vectors() -> Path:
    return Path(__file__).parents[1] / "vectors" / "mac"
