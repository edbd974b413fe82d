"""Private key files: forms, passwords, and what is refused."""

from __future__ import annotations

import subprocess
import traceback
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    NoEncryption,
    PrivateFormat,
)
from cryptography.hazmat.primitives.serialization import Encoding as KeyEncoding
from dcmsign.codec.errors import BadCertificateFile, BadKeyFile
from dcmsign.stream.trust.certificates import Encoding
from dcmsign.stream.trust.keys import load_private_key
from dcmsign.stream.trust.signers import KeySigner
from hypothesis import given
from hypothesis import strategies as st

from tests.peers import require_peer
from tests.trust import forge

SignerOf = Callable[[str], KeySigner]
KINDS = ["rsa-2048", "dsa-1024-160", "prime256v1"]
PASSWORD = b"correct horse"


def plain(signer: KeySigner, *, traditional: bool = False, encoding: KeyEncoding = KeyEncoding.PEM) -> bytes:
    form = PrivateFormat.TraditionalOpenSSL if traditional else PrivateFormat.PKCS8
    return signer._key.private_bytes(encoding, form, NoEncryption())


def encrypted(signer: KeySigner, *, traditional: bool = False, encoding: KeyEncoding = KeyEncoding.PEM) -> bytes:
    form = PrivateFormat.TraditionalOpenSSL if traditional else PrivateFormat.PKCS8
    return signer._key.private_bytes(encoding, form, BestAvailableEncryption(PASSWORD))


def never() -> bytes:
    raise AssertionError("asked for a password that is not needed")


class Prompt:
    def __init__(self, answer: bytes) -> None:
        self.answer, self.count = answer, 0

    def __call__(self) -> bytes:
        self.count += 1
        return self.answer


@pytest.mark.parametrize("traditional", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_unencrypted(kind: str, traditional: bool, signer_of: SignerOf) -> None:
    signer = signer_of(kind)
    certificate = signer.certificate.der
    for password in (None, "ignored", b"", never):
        key = plain(signer, traditional=traditional)
        KeySigner.from_bytes(key, forge.pem(certificate), password=password).check()
        key = plain(signer, traditional=traditional, encoding=KeyEncoding.DER)
        KeySigner.from_bytes(key + b"rest", certificate, password=password, encoding=Encoding.DER).check()


@pytest.mark.parametrize("traditional", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_encrypted(kind: str, traditional: bool, signer_of: SignerOf) -> None:
    signer = signer_of(kind)
    key, certificate = encrypted(signer, traditional=traditional), forge.pem(signer.certificate.der)
    assert (b"DEK-Info" in key) is traditional
    KeySigner.from_bytes(key, certificate, password=PASSWORD).check()
    KeySigner.from_bytes(key, certificate, password=PASSWORD.decode()).check()
    prompt = Prompt(PASSWORD)
    KeySigner.from_bytes(key, certificate, password=prompt).check()
    assert prompt.count == 1
    for wrong in (None, b"", "", b"wrong", "wrong", Prompt(b"wrong"), Prompt(b"")):
        with pytest.raises(BadKeyFile) as caught:
            KeySigner.from_bytes(key, certificate, password=wrong, key_name="key.pem")
        assert caught.value.path == "key.pem"
        assert not isinstance(wrong, Prompt) or wrong.count == 1


@pytest.mark.parametrize("cipher", ["aes-128-cbc", "aes-256-cbc", "des-ede3-cbc"])
@pytest.mark.parametrize("form", ["traditional", "pkcs8"])
def test_encrypted_by_openssl(cipher: str, form: str, signer_of: SignerOf, tmp_path: Path) -> None:
    openssl, signer = require_peer("openssl"), signer_of("rsa-2048")
    key, out = tmp_path / "key.pem", tmp_path / "encrypted.pem"
    key.write_bytes(plain(signer))
    commands: dict[str, list[str | Path]] = {
        "traditional": ["rsa", "-in", key, "-traditional", f"-{cipher}", "-passout", "pass:correct horse", "-out", out],
        "pkcs8": ["pkcs8", "-topk8", "-in", key, "-v2", cipher, "-passout", "pass:correct horse", "-out", out],
    }
    subprocess.run([openssl, *commands[form]], check=True, capture_output=True)
    KeySigner.from_bytes(out.read_bytes(), forge.pem(signer.certificate.der), password=PASSWORD).check()


def test_encrypted_der_is_refused(signer_of: SignerOf) -> None:
    signer = signer_of("rsa-2048")
    key = encrypted(signer, encoding=KeyEncoding.DER)
    for password in (PASSWORD, None, never):
        with pytest.raises(BadKeyFile):
            KeySigner.from_bytes(key, signer.certificate.der, password=password, encoding=Encoding.DER)


def test_first_key_and_first_certificate_count(signer_of: SignerOf) -> None:
    one, two = signer_of("rsa-2048"), signer_of("prime256v1")
    parameters = b"-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n"
    file = (
        b"Bag Attributes\n"
        + parameters
        + plain(two, traditional=True)
        + plain(one)
        + b"subject=CN = x\n"
        + forge.pem(two.certificate.der)
        + forge.pem(one.certificate.der)
    )
    signer = KeySigner.from_bytes(file, file)
    signer.check()
    assert signer.certificate == two.certificate


def test_a_bad_first_key_is_not_skipped(signer_of: SignerOf) -> None:
    signer = signer_of("prime256v1")
    file = forge.pem(b"nothing", "PRIVATE KEY") + plain(signer)
    with pytest.raises(BadKeyFile):
        KeySigner.from_bytes(file, forge.pem(signer.certificate.der))


@pytest.mark.parametrize("line_end", [b"\r\n", b"  \n", b"\n"])
def test_line_ends(line_end: bytes, signer_of: SignerOf) -> None:
    signer = signer_of("rsa-2048")
    for key in (plain(signer), encrypted(signer, traditional=True)):
        KeySigner.from_bytes(
            key.replace(b"\n", line_end), forge.pem(signer.certificate.der).replace(b"\n", line_end), password=PASSWORD
        ).check()


@pytest.mark.parametrize(
    "key",
    [
        b"",
        b"no key",
        b"-----BEGIN PRIVATE KEY-----\n",
        b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
        b"-----BEGIN PRIVATE KEY-----\n****\n-----END PRIVATE KEY-----\n",
        b"-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----\n",
        b"-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: ROT-13,00\n\nAAAA\n-----END RSA PRIVATE KEY-----\n",
        b"-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\nAAAA\n-----END RSA PRIVATE KEY-----\n",
        b"-----BEGIN ENCRYPTED PRIVATE KEY-----\nMAA=\n-----END ENCRYPTED PRIVATE KEY-----\n",
        b"-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n",
        b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n",
        b"0\0",
        b"0\x80\0\0",
        b"\xff" * 50,
    ],
)
def test_bad_keys(key: bytes) -> None:
    for encoding in Encoding:
        with pytest.raises(BadKeyFile) as caught:
            load_private_key(key, encoding, password=b"x", name="key file")
        assert caught.value.path == "key file"


@given(st.data())
def test_mutated_keys(signer_of: SignerOf, data: st.DataObject) -> None:
    encoding = data.draw(st.sampled_from(list(Encoding)))
    form = KeyEncoding.PEM if encoding is Encoding.PEM else KeyEncoding.DER
    key = bytearray(plain(signer_of("prime256v1"), traditional=data.draw(st.booleans()), encoding=form))
    for _ in range(data.draw(st.integers(1, 3))):
        key[data.draw(st.integers(0, len(key) - 1))] = data.draw(st.integers(0, 255))
    try:
        load_private_key(bytes(key), encoding, password=b"x", name="key")
    except BadKeyFile:
        return


def test_certificate_comes_first(tmp_path: Path, signer_of: SignerOf) -> None:
    signer = signer_of("prime256v1")
    with pytest.raises(BadCertificateFile) as caught:
        KeySigner.load(tmp_path / "no-key", tmp_path / "no-certificate")
    assert caught.value.path == str(tmp_path / "no-certificate")
    assert isinstance(caught.value.__cause__, FileNotFoundError)
    certificate = tmp_path / "certificate.pem"
    certificate.write_bytes(forge.pem(signer.certificate.der))
    for name in ("no-key", "."):
        with pytest.raises(BadKeyFile) as refused:
            KeySigner.load(tmp_path / name, certificate, password=never)
        assert refused.value.path == str(tmp_path / name)
        assert isinstance(refused.value.__cause__, OSError)
    with pytest.raises(BadCertificateFile):
        KeySigner.from_bytes(b"no key", b"no certificate", password=never)


def test_password_is_asked_after_the_certificate_was_read(signer_of: SignerOf) -> None:
    with pytest.raises(BadCertificateFile):
        KeySigner.from_bytes(encrypted(signer_of("rsa-2048")), b"no certificate", password=never)


def test_files_of_other_types(signer_of: SignerOf, tmp_path: Path) -> None:
    signer = signer_of("prime256v1")
    key, certificate = tmp_path / "key.der", tmp_path / "certificate.der"
    key.write_bytes(plain(signer, encoding=KeyEncoding.DER))
    certificate.write_bytes(signer.certificate.der)
    KeySigner.load(str(key), str(certificate), encoding=Encoding.DER).check()
    with pytest.raises(BadCertificateFile):
        KeySigner.load(key, certificate)


def test_errors_do_not_show_the_password(signer_of: SignerOf) -> None:
    signer, password = signer_of("rsa-2048"), b"s3cret"
    with pytest.raises(BadKeyFile) as caught:
        KeySigner.from_bytes(encrypted(signer), forge.pem(signer.certificate.der), password=password)
    shown = traceback.TracebackException.from_exception(caught.value)
    assert "s3cret" not in "".join(shown.format())
    assert "s3cret" not in repr(caught.value)


@pytest.mark.parametrize("algorithm", ["ED25519", "X25519", "ED448", "DH"])
def test_other_keys_load(algorithm: str, tmp_path: Path) -> None:
    """Without warnings; whether they can sign is another question."""
    path = tmp_path / "key.pem"
    options = ["-pkeyopt", "group:ffdhe2048"] if algorithm == "DH" else []
    subprocess.run(
        [require_peer("openssl"), "genpkey", "-algorithm", algorithm, *options, "-out", path], check=True, capture_output=True
    )
    assert load_private_key(path.read_bytes(), Encoding.PEM, name="key")
