"""Replies that belong, or do not, to a query and a signature, against what dcmsign says when it inserts them."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pydicom
import pytest
from dcmsign.codec.errors import TimestampMismatch
from dcmsign.tsa.consistency import check_reply
from dcmsign.tsa.query import TimestampQuery
from dcmsign.tsa.reply import TimestampReply

from tests.tsa import peer, stamped, tokens
from tests.tsa.ber import tlv

DIGITAL_SIGNATURES = 0xFFFAFFFA
SIGNATURE, CERTIFICATE, CERTIFICATE_TYPE = 0x04000120, 0x04000115, 0x04000110
(SIGNED,) = stamped.signatures("signed/sha256.dcm")


def query(algorithm: str, imprint: bytes) -> bytes:
    return tlv(0x30, tokens.integer(1) + tlv(0x30, tokens.algorithm(algorithm) + tlv(4, imprint)) + tokens.integer(5))


def token(algorithm: str, imprint: bytes, version: int = 1) -> bytes:
    return tokens.reply(tokens.token(tokens.tst_info(imprint=(algorithm, imprint), nonce=5, version=version)))


def ours(asked: bytes, reply: bytes, *, signature: bytes | None = SIGNED.value, has_certificate: bool = True) -> tuple[str, ...]:
    """The error lines: none or one."""
    try:
        check_reply(
            TimestampQuery.from_der(asked), TimestampReply.from_der(reply), signature=signature, has_certificate=has_certificate
        )
    except TimestampMismatch as mismatch:
        return (mismatch.message,)
    return ()


def theirs(folder: Path, asked: bytes, reply: bytes, signed: Path | None = None) -> tuple[str, ...]:
    (folder / "asked.tsq").write_bytes(asked)
    (folder / "reply.tsr").write_bytes(reply)
    return peer.insertion_errors(folder / "asked.tsq", folder / "reply.tsr", signed or stamped.VECTORS / "signed/sha256.dcm")


def digest(algorithm: str) -> bytes:
    return hashlib.new(algorithm, SIGNED.value).digest()


@pytest.mark.parametrize(
    ("algorithm", "imprint"),
    [
        *((name, digest(name)) for name in ("sha256", "sha384", "sha512", "ripemd160", "sha1", "md5")),
        *((name, digest(name)) for name in ("sha224", "sha512_256", "sha3_256")),
        ("1.2.3.4", bytes(32)),
        ("sha256", digest("sha1")),
        ("sha256", b""),
        ("sha1", digest("sha256")),
        ("sha256", bytes(32)),
    ],
)
def test_imprints(tmp_path: Path, algorithm: str, imprint: bytes) -> None:
    asked, reply = query(algorithm, imprint), token(algorithm, imprint)
    assert ours(asked, reply) == theirs(tmp_path, asked, reply)


@pytest.mark.parametrize("version", [0, -5, 2, 127, 1 << 70])
def test_versions(tmp_path: Path, version: int) -> None:
    asked, reply = query("sha256", digest("sha256")), token("sha256", digest("sha256"), version=version)
    found = ours(asked, reply)
    assert found == theirs(tmp_path, asked, reply)
    assert found


@pytest.mark.parametrize(
    ("removed", "options"),
    [
        ((SIGNATURE,), {"signature": None}),
        ((CERTIFICATE,), {"has_certificate": False}),
        ((CERTIFICATE_TYPE,), {"has_certificate": False}),
        ((SIGNATURE, CERTIFICATE), {"signature": None, "has_certificate": False}),
    ],
)
def test_incomplete_signatures(tmp_path: Path, removed: tuple[int, ...], options: dict[str, bool | None]) -> None:
    dataset = pydicom.dcmread(stamped.VECTORS / "signed/sha256.dcm")
    for tag in removed:
        del dataset[DIGITAL_SIGNATURES].value[0][tag]
    dataset.save_as(tmp_path / "incomplete.dcm")
    asked, reply = query("sha256", digest("sha256")), token("sha256", digest("sha256"))
    assert ours(asked, reply, **options) == theirs(tmp_path, asked, reply, tmp_path / "incomplete.dcm")  # type: ignore[arg-type]


def test_signatures_too_short_to_be_any() -> None:
    asked, reply = query("sha256", digest("sha256")), token("sha256", digest("sha256"))
    failed = "timestamp response validation failed: signature in DICOM dataset not found or invalid"
    assert ours(asked, reply, signature=b"abc") == (failed,)
    assert ours(asked, reply, signature=b"abcd") != (failed,)
