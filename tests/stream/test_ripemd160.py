"""The two implementations of RIPEMD-160: OpenSSL's by way of hashlib, PyCryptodome's where OpenSSL has none."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable
from typing import Any

import pytest
from dcmsign.codec.errors import AlgorithmUnavailable
from dcmsign.codec.signature import algorithms
from dcmsign.stream import ripemd160

ABC = bytes.fromhex("8eb208f7e05d987a9b044a8e98c6b087f15a0bfc")  # from the algorithm's specification
FOX = b"The quick brown fox jumps over the lazy dog"
FOX_DIGEST = bytes.fromhex("37f332f68db77bd9d7edd4969571ad671cf9dd3b")


@pytest.fixture
def without_openssl(monkeypatch: pytest.MonkeyPatch) -> None:
    """A platform whose OpenSSL has no RIPEMD-160; the fallback is registered."""
    genuine: Callable[..., Any] = hashlib.new

    def new(name: str, *arguments: Any, **options: Any) -> Any:
        if name == "ripemd160":
            raise ValueError("unsupported hash type ripemd160")
        return genuine(name, *arguments, **options)

    monkeypatch.setattr(hashlib, "new", new)
    monkeypatch.setattr(algorithms, "_factories", {"RIPEMD160": ripemd160.new})


def check(digest: algorithms.Digest) -> None:
    digest.update(b"a")
    branch = digest.copy()
    digest.update(memoryview(b"bc"))
    branch.update(b"bc")
    assert digest.digest() == branch.digest() == ABC


def test_hashlib() -> None:
    try:
        hashlib.new("ripemd160")
    except ValueError:
        pytest.skip("OpenSSL of this platform has no RIPEMD-160")
    check(algorithms.new_digest("RIPEMD160"))


@pytest.mark.usefixtures("without_openssl")
def test_fallback() -> None:
    pytest.importorskip("Crypto.Hash.RIPEMD160", reason="the extra dcmsign[ripemd160] is not installed")
    check(algorithms.new_digest("RIPEMD160"))
    digest = algorithms.new_digest("RIPEMD160")
    for byte in FOX:
        digest.update(bytes([byte]))
    assert digest.digest() == digest.digest() == FOX_DIGEST


@pytest.mark.usefixtures("without_openssl")
def test_no_fallback_registered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(algorithms, "_factories", {})
    with pytest.raises(AlgorithmUnavailable, match="RIPEMD160 is not available"):
        algorithms.new_digest("RIPEMD160")


@pytest.mark.usefixtures("without_openssl")
def test_fallback_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "Crypto.Hash", None)
    with pytest.raises(AlgorithmUnavailable, match=r"dcmsign\[ripemd160\]"):
        algorithms.new_digest("RIPEMD160")
