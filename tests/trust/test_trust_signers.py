"""Signature values: made, checked, and compared with OpenSSL and dcmsign."""

from __future__ import annotations

import hashlib
import json
import subprocess
import threading
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import anyio
import pydicom
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa, utils
from dcmsign.codec.errors import CryptoFailure, KeyMismatch, UnsupportedKey
from dcmsign.codec.signature.algorithms import MAC_ALGORITHMS, new_digest
from dcmsign.stream.trust.certificates import Certificate
from dcmsign.stream.trust.signers import KeySigner, Signer, _digest_info, _sign, verify_digest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.dataset import Dataset

from tests.peers import require_peer
from tests.trust import forge
from tests.trust.kinds import MAKERS
from tests.trust.objects import listing, signed_object, verdict

SignerOf = Callable[[str], KeySigner]
CORRUPTED = "signature verification failed: signature is invalid (document corrupted)"


def digest_of(data: bytes, mac_algorithm: str) -> bytes:
    digest = new_digest(mac_algorithm)
    digest.update(data)
    return digest.digest()


def sign(signer: Signer, digest: bytes, mac_algorithm: str) -> bytes:
    return anyio.run(signer.sign_digest, digest, mac_algorithm)


def sign_with_length(signer: Signer, digest: bytes, mac_algorithm: str, odd: bool) -> bytes:
    """A DSA or ECDSA signature whose DER has an odd or even length."""
    for _ in range(200):
        value = sign(signer, digest, mac_algorithm)
        if len(value) % 2 == odd:
            return value
    raise AssertionError("no signature of this length in 200")


def ask_dcmsign(certificate: Certificate, make: Callable[[bytes], bytes], mac_algorithm: str, folder: Path) -> str:
    """dcmsign's verdict, without the judgement of the chain."""
    signed = folder / "signed.dcm"
    signed.write_bytes(signed_object(certificate.der, make, mac_algorithm=mac_algorithm))
    text = verdict(listing(require_peer("dcmsign"), signed))
    return "OK" if text.startswith("signature is OK but") else text


@pytest.mark.parametrize("mac_algorithm", MAC_ALGORITHMS)
@pytest.mark.parametrize("kind", MAKERS)
def test_round_trip(kind: str, mac_algorithm: str, signer_of: SignerOf, tmp_path: Path) -> None:
    signer = signer_of(kind)
    digest = digest_of(b"content", mac_algorithm)
    value = sign(signer, digest, mac_algorithm)
    assert verify_digest(signer.certificate, value, digest, mac_algorithm)
    padded = value + b"\0" * (len(value) % 2)
    assert verify_digest(signer.certificate, padded, digest, mac_algorithm)
    assert not verify_digest(signer.certificate, value, digest_of(b"other content", mac_algorithm), mac_algorithm)
    changed = value[:-1] + bytes([value[-1] ^ 1])
    assert not verify_digest(signer.certificate, changed, digest, mac_algorithm)


@pytest.mark.parametrize("mac_algorithm", MAC_ALGORITHMS)
@pytest.mark.parametrize("kind", ["rsa-2048", "rsa-2056", "dsa-1024-160", "dsa-2048-224", "prime256v1", "secp521r1"])
def test_openssl_agrees(kind: str, mac_algorithm: str, signer_of: SignerOf, tmp_path: Path) -> None:
    openssl, signer = require_peer("openssl"), signer_of(kind)
    digest = digest_of(b"content", mac_algorithm)
    files = {name: tmp_path / name for name in ("digest", "value", "public", "private", "theirs")}
    assert signer.certificate.public_key is not None
    files["digest"].write_bytes(digest)
    files["value"].write_bytes(sign(signer, digest, mac_algorithm))
    files["public"].write_bytes(
        signer.certificate.public_key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    files["private"].write_bytes(private_bytes(signer))
    hash_option = ["-pkeyopt", f"digest:{MAC_ALGORITHMS[mac_algorithm].hashlib_name}"] if kind.startswith("rsa") else []
    command: list[str | Path] = [openssl, "pkeyutl", "-in", files["digest"], *hash_option]
    subprocess.run(
        [*command, "-verify", "-pubin", "-inkey", files["public"], "-sigfile", files["value"]],
        check=True,
        capture_output=True,
    )
    subprocess.run([*command, "-sign", "-inkey", files["private"], "-out", files["theirs"]], check=True, capture_output=True)
    assert verify_digest(signer.certificate, files["theirs"].read_bytes(), digest, mac_algorithm)


def test_openssl_hashes_and_verifies_the_same(signer_of: SignerOf, tmp_path: Path) -> None:
    openssl, signer = require_peer("openssl"), signer_of("rsa-2048")
    content, public, value = tmp_path / "content", tmp_path / "public", tmp_path / "value"
    content.write_bytes(b"content" * 1000)
    public.write_bytes(forge.pem(signer.certificate.key_info, "PUBLIC KEY"))
    for name in ("SHA256", "RIPEMD160"):
        value.write_bytes(sign(signer, digest_of(content.read_bytes(), name), name))
        subprocess.run(
            [openssl, "dgst", f"-{name.lower()}", "-verify", public, "-signature", value, content],
            check=True,
            capture_output=True,
        )


@pytest.mark.parametrize("mac_algorithm", MAC_ALGORITHMS)
@pytest.mark.parametrize("kind", ["rsa-2048", "dsa-1024-160", "dsa-2048-224", "prime192v1", "prime256v1", "brainpoolP256r1"])
def test_dcmsign_agrees(kind: str, mac_algorithm: str, signer_of: SignerOf, tmp_path: Path) -> None:
    signer = signer_of(kind)
    assert ask_dcmsign(signer.certificate, lambda d: sign(signer, d, mac_algorithm), mac_algorithm, tmp_path) == "OK"


def private_bytes(signer: KeySigner) -> bytes:
    return signer._key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())


@pytest.fixture(scope="session")
def vector_signatures(vectors: Path) -> dict[str, Dataset]:
    """The signature item of each vector."""
    items = {}
    for case in json.loads((vectors / "cases.json").read_text())["cases"]:
        with warnings.catch_warnings():  # some vectors are data sets pydicom has something to say about
            warnings.simplefilter("ignore")
            data = pydicom.dcmread(vectors / f"{case['name']}.signed.dcm", stop_before_pixels=True)
            whole = data if 0xFFFAFFFA in data else pydicom.dcmread(vectors / f"{case['name']}.signed.dcm")
            references = whole[0x00081140].value if 0x00081140 in whole else []
            levels = [whole, *references]
            found = [item for level in levels if 0xFFFAFFFA in level for item in level[0xFFFAFFFA].value]
        items[case["name"]] = next(item for item in found if case["signature_uid"] == item.DigitalSignatureUID)
    return items


def test_vectors(vectors: Path, vector_signatures: dict[str, Dataset]) -> None:
    cases = json.loads((vectors / "cases.json").read_text())["cases"]
    assert len(cases) == len(vector_signatures) == 50
    for case in cases:
        item, digest = vector_signatures[case["name"]], bytes.fromhex(case["digest"])
        certificate = Certificate.from_der(item.CertificateOfSigner)
        assert verify_digest(certificate, item.Signature, digest, case["mac_algorithm"]), case["name"]
        flipped = bytes([digest[0] ^ 1]) + digest[1:]
        assert not verify_digest(certificate, item.Signature, flipped, case["mac_algorithm"]), case["name"]


@pytest.mark.parametrize("kind", ["dsa-2048-224", "prime256v1"])
def test_padding_of_sequences(kind: str, signer_of: SignerOf, tmp_path: Path) -> None:
    signer = signer_of(kind)
    digest_seen: list[bytes] = []

    def even(digest: bytes) -> bytes:
        return sign_with_length(signer, digest, "SHA256", odd=False)

    def odd(digest: bytes) -> bytes:
        return sign_with_length(signer, digest, "SHA256", odd=True)

    def nonminimal(digest: bytes) -> bytes:
        pair = (number.to_bytes(40, "big") for number in utils.decode_dss_signature(even(digest)))
        return forge.tlv(0x30, *(forge.tlv(2, number) for number in pair))

    forms: dict[str, tuple[Callable[[bytes], bytes], bool]] = {
        "even": (even, True),
        "odd": (odd, True),
        "odd, padded with something else": (lambda digest: odd(digest) + b"\1", True),
        "odd and three more": (lambda digest: odd(digest) + bytes(3), False),
        "even and two more": (lambda digest: even(digest) + bytes(2), False),
        "cut": (lambda digest: even(digest)[:-2], False),
        "one byte": (lambda digest: b"0", False),
        "empty sequence": (lambda digest: b"0\0", False),
        "garbage": (lambda digest: b"garbage!", False),
        "length not minimal": (lambda digest: b"0\x81" + even(digest)[1:], False),
        "numbers not minimal": (nonminimal, False),
        "zeros": (lambda digest: utils.encode_dss_signature(0, 0), False),
        "negative": (lambda digest: forge.tlv(0x30, b"\2\1\xff\2\1\xff"), False),
    }
    for form, (make, good) in forms.items():
        made: list[bytes] = []

        def record(digest: bytes, make: Callable[[bytes], bytes] = make, made: list[bytes] = made) -> bytes:
            digest_seen.append(digest)
            made.append(make(digest))
            return made[-1]

        theirs = ask_dcmsign(signer.certificate, record, "SHA256", tmp_path)
        stored = made[-1] + b"\0" * (len(made[-1]) % 2)
        assert verify_digest(signer.certificate, stored, digest_seen[-1], "SHA256") is good, form
        assert theirs == ("OK" if good else CORRUPTED), form


def test_long_form_lengths(signer_of: SignerOf, tmp_path: Path) -> None:
    """P-521 needs 30 81 xx. dcmsign forgets the padding of this form and calls its own signatures corrupted."""
    signer = signer_of("secp521r1")
    for odd, theirs in ((False, "OK"), (True, CORRUPTED)):
        made: list[tuple[bytes, bytes]] = []

        def record(digest: bytes, odd: bool = odd, made: list[tuple[bytes, bytes]] = made) -> bytes:
            made.append((digest, sign_with_length(signer, digest, "SHA512", odd)))
            return made[-1][1]

        assert ask_dcmsign(signer.certificate, record, "SHA512", tmp_path) == theirs
        digest, value = made[-1]
        assert value[:2] == b"0\x81"
        assert verify_digest(signer.certificate, value + b"\0" * odd, digest, "SHA512")
        assert not verify_digest(signer.certificate, value + bytes(2 + odd), digest, "SHA512")


def test_modulus_of_odd_length(signer_of: SignerOf, tmp_path: Path) -> None:
    """The value is stored with a pad byte, which dcmsign takes for a part of it."""
    signer = signer_of("rsa-2056")
    digest = digest_of(b"", "SHA256")
    value = sign(signer, digest, "SHA256")
    assert len(value) == 257
    results = {
        tail: verify_digest(signer.certificate, value + tail, digest, "SHA256")
        for tail in (b"", b"\0", b"\1", b"\0\0", b"\0\0\0")
    }
    assert results == {b"": True, b"\0": True, b"\1": False, b"\0\0": False, b"\0\0\0": False}
    assert ask_dcmsign(signer.certificate, lambda d: sign(signer, d, "SHA256"), "SHA256", tmp_path) == CORRUPTED


def test_rsa_is_strict(signer_of: SignerOf) -> None:
    """Exactly the DigestInfo of RFC 8017, exactly the modulus's length."""
    signer = signer_of("rsa-2048")
    key = signer._key
    assert isinstance(key, rsa.RSAPrivateKey)
    digest = digest_of(b"", "SHA256")
    good = bytes.fromhex("3031300d060960864801650304020105000420") + digest

    def check(content: bytes) -> bool:
        value = key.sign(content, padding.PKCS1v15(), utils.NoDigestInfo())
        return verify_digest(signer.certificate, value, digest, "SHA256")

    assert check(good)
    without_null = b"\x30\x2f\x30\x0b" + good[4:15] + good[17:]
    for content in (digest, good + b"\0", good[:-1], without_null, b"\0" + good, b""):
        assert not check(content)
    value = sign(signer, digest, "SHA256")
    assert not verify_digest(signer.certificate, value, digest_of(b"", "SHA512"), "SHA512")
    modulus = key.public_key().public_numbers().n
    for other in (
        value + b"\0\0",
        b"\0" + value,
        b"\0\0" + value,
        value[:-1],
        b"",
        bytes(256),
        b"\xff" * 256,
        (int.from_bytes(value, "big") + modulus).to_bytes(257, "big"),
    ):
        assert not verify_digest(signer.certificate, other, digest, "SHA256")


def test_rsa_values_with_a_leading_zero_keep_it(signer_of: SignerOf) -> None:
    signer = signer_of("rsa-2048")
    for count in range(5000):
        digest = digest_of(count.to_bytes(4, "big"), "SHA256")
        value = _sign(signer._key, digest, "SHA256")
        if value[0] == 0:
            break
    else:
        pytest.fail("none in 5000")
    assert verify_digest(signer.certificate, value, digest, "SHA256")
    assert not verify_digest(signer.certificate, value[1:], digest, "SHA256")


@given(value=st.binary(max_size=300), kind=st.sampled_from(["rsa-2048", "rsa-2056", "dsa-1024-160", "prime256v1"]))
def test_any_value_is_false(value: bytes, kind: str, signer_of: SignerOf) -> None:
    assert verify_digest(signer_of(kind).certificate, value, bytes(32), "SHA256") is False


@pytest.mark.parametrize("kind", ["dsa-2048-224", "secp521r1"])
def test_mutated_values(kind: str, signer_of: SignerOf) -> None:
    signer = signer_of(kind)
    genuine = sign_with_length(signer, bytes(32), "SHA256", odd=False)

    @given(position=st.integers(0, len(genuine) - 1), mask=st.integers(1, 255))
    def mutate(position: int, mask: int) -> None:
        value = bytearray(genuine)
        value[position] ^= mask
        assert verify_digest(signer.certificate, bytes(value), bytes(32), "SHA256") is False

    mutate()


def test_too_small_for_the_digest(tmp_path: Path) -> None:
    openssl = require_peer("openssl")
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    command: list[str | Path] = [
        openssl,
        "req",
        "-x509",
        "-newkey",
        "rsa:512",
        "-noenc",
        "-keyout",
        key,
        "-out",
        certificate,
        "-subj",
        "/CN=x",
    ]
    subprocess.run(command, check=True, capture_output=True)
    signer = KeySigner.load(key, certificate)
    signer.check()
    assert verify_digest(signer.certificate, sign(signer, bytes(32), "SHA256"), bytes(32), "SHA256")
    with pytest.raises(CryptoFailure):
        sign(signer, bytes(64), "SHA512")
    assert not verify_digest(signer.certificate, bytes(64), bytes(64), "SHA512")


def test_keys_that_cannot_verify(tmp_path: Path) -> None:
    dh = forge.tlv(
        0x30,
        forge.tlv(0x30, bytes.fromhex("06092a864886f70d010301"), forge.tlv(0x30, forge.integer(23), forge.integer(5))),
        forge.tlv(3, b"\0", forge.integer(8)),
    )
    certificate = Certificate.from_der(forge.certificate(key=dh))
    assert certificate.key_text == "DH, 5 bits"
    with pytest.raises(CryptoFailure):
        verify_digest(certificate, bytes(64), bytes(32), "SHA256")
    assert ask_dcmsign(certificate, lambda digest: bytes(64), "SHA256", tmp_path) == "an OpenSSL call has failed"


def test_digests_of_the_wrong_length(signer_of: SignerOf) -> None:
    signer = signer_of("prime256v1")
    with pytest.raises(CryptoFailure):
        sign(signer, bytes(20), "SHA256")
    with pytest.raises(CryptoFailure):
        verify_digest(signer.certificate, b"", bytes(20), "SHA256")


def test_check(signer_of: SignerOf) -> None:
    edwards, other_edwards = ed25519.Ed25519PrivateKey.generate(), ed25519.Ed25519PrivateKey.generate()
    edwards_certificate = Certificate.from_der(forge.certificate(key=forge.key_info(edwards.public_key())))
    usual, other = signer_of("prime256v1"), signer_of("rsa-2048")
    usual.check()
    other.check()
    with pytest.raises(KeyMismatch):
        KeySigner(ec.generate_private_key(ec.SECP256R1()), usual.certificate).check()
    with pytest.raises(KeyMismatch):
        KeySigner(other._key, usual.certificate).check()
    with pytest.raises(KeyMismatch):
        KeySigner(edwards, usual.certificate).check()
    with pytest.raises(KeyMismatch):
        KeySigner(usual._key, edwards_certificate).check()
    with pytest.raises(KeyMismatch):
        KeySigner(other_edwards, edwards_certificate).check()
    with pytest.raises(UnsupportedKey):
        KeySigner(edwards, edwards_certificate).check()
    with pytest.raises(UnsupportedKey):
        sign(KeySigner(edwards, edwards_certificate), bytes(32), "SHA256")


def test_pss_keys(tmp_path: Path) -> None:
    openssl = require_peer("openssl")
    key, public = tmp_path / "key.pem", tmp_path / "public.der"
    commands: list[list[str | Path]] = [
        ["genpkey", "-algorithm", "RSA-PSS", "-pkeyopt", "rsa_keygen_bits:1024", "-out", key],
        ["pkey", "-in", key, "-pubout", "-outform", "DER", "-out", public],
    ]
    for command in commands:
        subprocess.run([openssl, *command], check=True, capture_output=True)
    certificate = forge.certificate(key=public.read_bytes())
    signer = KeySigner.from_bytes(key.read_bytes(), forge.pem(certificate))
    with pytest.raises(UnsupportedKey):
        signer.check()
    with pytest.raises(CryptoFailure):
        verify_digest(signer.certificate, bytes(128), bytes(32), "SHA256")


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_signing_leaves_the_loop_alone(backend: str, signer_of: SignerOf) -> None:
    """The private key operation runs in another thread, on either event loop."""
    signer = signer_of("rsa-2048")
    threads: set[int] = set()

    class Digest(bytes):
        def __len__(self) -> int:
            threads.add(threading.get_ident())
            return super().__len__()

    digest = Digest(bytes(32))
    value = anyio.run(signer.sign_digest, digest, "SHA256", backend=backend)
    assert threads
    assert threading.get_ident() not in threads
    assert verify_digest(signer.certificate, value, bytes(32), "SHA256")


def test_repr_shows_no_key(signer_of: SignerOf) -> None:
    signer = signer_of("rsa-2048")
    assert repr(signer) == "KeySigner('/CN=rsa-2048', 'RSA, 2048 bits')"
    assert "_key" not in str(signer)


def test_verification_is_fast(signer_of: SignerOf) -> None:
    """It happens on the event loop's side of small files: well under a millisecond."""
    signer = signer_of("rsa-2048")
    value = sign(signer, bytes(32), "SHA256")
    best = min(_timed(lambda: verify_digest(signer.certificate, value, bytes(32), "SHA256")) for _ in range(20))
    assert best < 0.005


def _timed(action: Callable[[], object]) -> float:
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def test_digest_info_prefixes_are_those_of_rfc_8017() -> None:
    prefixes = {
        "MD5": "3020300c06082a864886f70d020505000410",
        "SHA1": "3021300906052b0e03021a05000414",
        "SHA256": "3031300d060960864801650304020105000420",
        "SHA384": "3041300d060960864801650304020205000430",
        "SHA512": "3051300d060960864801650304020305000440",
        "RIPEMD160": "3021300906052b2403020105000414",
    }
    for name, prefix in prefixes.items():
        digest = hashlib.new(MAC_ALGORITHMS[name].hashlib_name, b"").digest()
        assert _digest_info(digest, name) == bytes.fromhex(prefix) + digest


@pytest.mark.parametrize("prime", [2**1023 + 1, 2**1024, 2**12000 + 1], ids=int.bit_length)
@pytest.mark.parametrize("order", [0, 1, 2**159 + 1, 2**200 + 1, 2**512 + 1])
def test_hostile_dsa_keys(prime: int, order: int) -> None:
    numbers = forge.tlv(0x30, *map(forge.integer, (prime, order, 2)))
    info = forge.tlv(0x30, forge.tlv(0x30, bytes.fromhex("06072a8648ce380401"), numbers), forge.tlv(3, b"\0", forge.integer(4)))
    certificate = Certificate.from_der(forge.certificate(key=info))
    assert certificate.key_type == "DSA"
    for number in (0, 1, 2**150, order - 1):
        assert not verify_digest(certificate, utils.encode_dss_signature(abs(number), 1), bytes(32), "SHA256")


@pytest.mark.parametrize("modulus", [33, 2**1024, 2**2047 + 1, 2**16383 + 1, 2**20000 + 1], ids=int.bit_length)
@pytest.mark.parametrize("exponent", [3, 2**300 + 1, 2**2046 + 1])
def test_hostile_rsa_keys(modulus: int, exponent: int) -> None:
    numbers = forge.tlv(0x30, forge.integer(modulus), forge.integer(exponent))
    head = forge.tlv(0x30, bytes.fromhex("06092a864886f70d0101010500"))
    certificate = Certificate.from_der(forge.certificate(key=forge.tlv(0x30, head, forge.tlv(3, b"\0", numbers))))
    for byte in (b"\0", b"\1", b"\xff"):
        value = byte * ((certificate.key_bits + 7) // 8)
        if certificate.public_key is not None:
            assert not verify_digest(certificate, value, bytes(32), "SHA256")
        else:
            with pytest.raises(CryptoFailure):
                verify_digest(certificate, value, bytes(32), "SHA256")
