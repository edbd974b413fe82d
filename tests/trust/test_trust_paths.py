"""Trust stores and chains, against dcmsign with OpenSSL 3."""

from __future__ import annotations

import ctypes
import ctypes.util
import warnings
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from functools import cache
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from dcmsign.codec.errors import BadCertificateFile
from dcmsign.stream.trust.anchors import Trust
from dcmsign.stream.trust.certificates import Certificate, Encoding
from dcmsign.stream.trust.paths import _TEXTS, validate_path
from dcmsign.stream.trust.signers import _sign

from tests.peers import require_peer
from tests.trust import forge
from tests.trust.objects import listing, signed_object, verdict

PAST, FUTURE = forge.utc("210101000000Z"), forge.utc("390101000000Z")
LOCAL = "unable to get local issuer certificate"
SELF_SIGNED = "self-signed certificate"


@cache
def rsa_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


@cache
def ec_key(name: str) -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def issue(subject: str, issuer: str, **options: object) -> bytes:
    """A certificate of `subject`, signed by `issuer`; "signer" has the key that signs objects."""
    keys = {"signer": forge.signing_key(), "alone": forge.signing_key()}
    return forge.certificate(
        subject=forge.common_name(subject),
        issuer=forge.common_name(issuer),
        key=forge.key_info(keys.get(subject, ec_key(subject)).public_key()),
        signed_by=keys.get(issuer, ec_key(issuer)),
        **options,  # type: ignore[arg-type]
    )


@cache
def hierarchy() -> dict[str, bytes]:
    authority = forge.authority()
    server_only = forge.extensions(
        ("2.5.29.15", b"\3\2\5\x20"), ("2.5.29.37", forge.tlv(0x30, bytes.fromhex("06082b06010505070301")))
    )
    certificates = {
        "root": issue("root", "root", rest=authority),
        "root expired": issue("root", "root", rest=authority, not_after=PAST),
        "root of the future": issue("root", "root", rest=authority, not_before=FUTURE),
        "root, no authority": issue("root", "root", rest=forge.authority(False)),
        "root, version 1": issue("root", "root", version=None),
        "middle": issue("middle", "root", rest=authority),
        "middle expired": issue("middle", "root", rest=authority, not_after=PAST),
        "middle, no authority": issue("middle", "root", rest=forge.authority(False)),
        "signer": issue("signer", "middle"),
        "signer, other uses": issue("signer", "middle", rest=server_only),
        "signer expired": issue("signer", "middle", not_before=forge.utc("190101000000Z"), not_after=forge.utc("260201000000Z")),
        "signer of root": issue("signer", "root"),
        "signer, unknown critical": issue("signer", "middle", rest=forge.extensions(("1.2.3.4.5", b"\5\0"))),
        "alone": issue("alone", "alone"),
        "signer, sha1": issue("signer", "middle", digest="sha1"),
    }
    damaged = bytearray(certificates["signer"])
    damaged[-1] ^= 1
    certificates["signer, damaged"] = bytes(damaged)
    for digest in ("md5", "sha1"):
        name, key = forge.common_name(f"root {digest}"), forge.key_info(rsa_key().public_key())
        certificates[f"root {digest}"] = forge.certificate(
            subject=name, issuer=name, key=key, rest=authority, digest=digest, signed_by=rsa_key()
        )
        certificates[f"signer {digest}"] = forge.certificate(issuer=name, digest=digest, signed_by=rsa_key())
    return certificates


CHAINS: dict[str, tuple[str, list[str], list[str], str | None]] = {
    "complete": ("signer", ["root", "middle"], [], None),
    "helper": ("signer", ["root"], ["middle"], None),
    "helpers with more than needed": ("signer", ["root", "alone"], ["alone", "middle", "middle", "root"], None),
    "anchor given twice": ("signer", ["root", "root"], ["middle"], None),
    "directly below the root": ("signer of root", ["root"], [], None),
    "self-signed and trusted": ("alone", ["alone"], [], None),
    "wrong uses": ("signer, other uses", ["root"], ["middle"], None),
    "version 1 root": ("signer", ["root, version 1"], ["middle"], None),
    "sha1": ("signer, sha1", ["root"], ["middle"], None),
    "md5 with RSA": ("signer md5", ["root md5"], [], None),
    "sha1 with RSA": ("signer sha1", ["root sha1"], [], None),
    "nothing": ("signer", [], [], LOCAL),
    "nothing, self-signed": ("alone", [], [], SELF_SIGNED),
    "others": ("signer", ["alone"], [], LOCAL),
    "intermediate missing": ("signer", ["root"], [], LOCAL),
    "intermediate alone": ("signer", ["middle"], [], "unable to get issuer certificate"),
    "helper alone": ("signer", [], ["middle"], LOCAL),
    "only the signer itself": ("signer", ["signer"], [], LOCAL),
    "self-signed as helper": ("alone", [], ["alone"], SELF_SIGNED),
    "root as helper": ("signer", [], ["middle", "root"], "self-signed certificate in certificate chain"),
    "signer expired": ("signer expired", ["root"], ["middle"], "certificate has expired"),
    "intermediate expired": ("signer", ["root"], ["middle expired"], "certificate has expired"),
    "root expired": ("signer", ["root expired"], ["middle"], "certificate has expired"),
    "root of the future": ("signer", ["root of the future"], ["middle"], "certificate is not yet valid"),
    "intermediate is no authority": ("signer", ["root"], ["middle, no authority"], "invalid CA certificate"),
    "root is no authority": ("signer", ["root, no authority"], ["middle"], "invalid CA certificate"),
    "unknown critical extension": ("signer, unknown critical", ["root"], ["middle"], "unhandled critical extension"),
    "damaged": ("signer, damaged", ["root"], ["middle"], "certificate signature failure"),
}


def certificates(names: list[str]) -> tuple[Certificate, ...]:
    return tuple(Certificate.from_der(hierarchy()[name]) for name in names)


@pytest.mark.parametrize("case", CHAINS)
def test_chains(case: str) -> None:
    signer, trusted, untrusted, expected = CHAINS[case]
    trust = Trust(trusted=certificates(trusted), untrusted=certificates(untrusted))
    assert validate_path(certificates([signer])[0], trust) == expected


@pytest.mark.parametrize("case", CHAINS)
def test_dcmsign_agrees(case: str, tmp_path: Path) -> None:
    signer, trusted, untrusted, expected = CHAINS[case]
    options: list[str | Path] = []
    for option, names in (("+cf", trusted), ("+uf", untrusted)):
        for number, name in enumerate(names):
            path = tmp_path / f"{option}{number}.pem"
            path.write_bytes(forge.pem(hierarchy()[name]))
            options += [option, path]
    signed = tmp_path / "signed.dcm"
    signed.write_bytes(
        signed_object(hierarchy()[signer], lambda digest: _sign(forge.signing_key(), digest, "SHA256"), date=b"20260101120000")
    )
    said = verdict(listing(require_peer("dcmsign"), signed, *options))
    assert said == ("OK" if expected is None else f"signature is OK but certificate verification failed: {expected}")


def test_at_another_time() -> None:
    signer = certificates(["signer expired"])[0]
    trust = Trust(trusted=certificates(["root"]), untrusted=certificates(["middle"]))
    end = datetime(2026, 2, 1, tzinfo=UTC)
    assert validate_path(signer, trust, at=end - timedelta(seconds=1)) is None
    assert validate_path(signer, trust, at=end + timedelta(seconds=1)) == "certificate has expired"
    assert validate_path(signer, trust, at=datetime(2018, 1, 1, tzinfo=UTC)) == "certificate is not yet valid"
    east = timezone(timedelta(hours=5))
    assert validate_path(signer, trust, at=datetime(2026, 2, 1, 4, 59, 59, tzinfo=east)) is None
    assert validate_path(signer, trust, at=datetime(2026, 2, 1, 5, 0, 1, tzinfo=east)) == "certificate has expired"
    assert validate_path(signer, trust, at=datetime(9999, 12, 31, tzinfo=UTC)) is not None


def test_unusual_certificates_raise_no_warning() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for options in ({"serial": forge.integer(-5)}, {"parameters": b"\5\0"}, {"version": 3}):
            certificate = Certificate.from_der(forge.certificate(**options))
            validate_path(certificate, Trust(trusted=(certificate,)))


def test_what_openssl_cannot_decode_is_not_trusted() -> None:
    """Should its decoder ever refuse what ours takes: as signer, anchor or helper, it makes no chain valid."""
    good = certificates(["alone"])[0]
    bad = Certificate.from_der(good.der)
    object.__setattr__(bad, "der", b"0\0")
    assert validate_path(bad, Trust(trusted=(bad, good))) == "unspecified certificate verification error"
    assert validate_path(good, Trust(trusted=(bad,), untrusted=(bad,))) == SELF_SIGNED
    assert validate_path(good, Trust(trusted=(bad, good), untrusted=(bad,))) is None


def test_texts_are_those_of_openssl_3() -> None:
    """The bundled library may be newer than dcmsign's: every error must still be told in the words of OpenSSL 3."""
    from OpenSSL._util import ffi, lib

    name = ctypes.util.find_library("crypto")
    if name is None:
        pytest.skip("no libcrypto on this system")
    system = ctypes.CDLL(name)
    system.OpenSSL_version_num.restype = ctypes.c_ulong
    if system.OpenSSL_version_num() >> 28 != 3:
        pytest.skip("the system's libcrypto is not OpenSSL 3")
    system.X509_verify_cert_error_string.restype = ctypes.c_char_p
    for code in range(1, 120):
        theirs = system.X509_verify_cert_error_string(ctypes.c_long(code)).decode()
        ours = ffi.string(lib.X509_verify_cert_error_string(code)).decode()
        if not theirs.startswith("unknown certificate verification error"):  # younger than the system's library
            assert _TEXTS.get(ours, ours) == theirs


def test_load(tmp_path: Path) -> None:
    chain, root, other = tmp_path / "chain.pem", tmp_path / "root.pem", tmp_path / "notes.txt"
    chain.write_bytes(forge.pem(hierarchy()["middle"]) + forge.pem(hierarchy()["signer"]))
    root.write_bytes(b"notes\n" + forge.pem(hierarchy()["root"]) + forge.pem(hierarchy()["alone"]))
    other.write_bytes(b"notes")
    trust = Trust.load(trusted=[root], untrusted=[str(chain), other])
    assert trust == Trust(trusted=certificates(["root", "alone"]), untrusted=certificates(["middle", "signer"]))
    assert validate_path(certificates(["signer"])[0], trust) is None
    assert Trust.load() == Trust() == Trust.NONE
    assert Trust.load(trusted=[root]) + Trust.load(untrusted=[chain]) == trust
    assert hash(trust) == hash(Trust.load(trusted=[root], untrusted=[chain]))


def test_load_der(tmp_path: Path) -> None:
    root, middle = tmp_path / "root.der", tmp_path / "middle.der"
    root.write_bytes(hierarchy()["root"])
    middle.write_bytes(hierarchy()["middle"])
    trust = Trust.load(trusted=[root], untrusted=[middle], encoding=Encoding.DER)
    assert trust == Trust(trusted=certificates(["root"]), untrusted=certificates(["middle"]))
    for wrong in (Encoding.PEM, Encoding.DER):
        path = tmp_path / f"wrong.{wrong.value}"
        path.write_bytes(hierarchy()["root"] if wrong is Encoding.PEM else forge.pem(hierarchy()["root"]))
        with pytest.raises(BadCertificateFile) as caught:
            Trust.load(trusted=[root] if wrong is Encoding.DER else [], encoding=wrong).load(trusted=[path], encoding=wrong)
        assert caught.value.path == str(path)


@pytest.mark.parametrize(
    ("content", "bad_as_trusted", "bad_as_untrusted"),
    [
        (b"", True, False),
        (b"notes", True, False),
        (forge.pem(b"key", "PRIVATE KEY"), True, False),
        (forge.pem(b"list", "X509 CRL"), True, True),
        (forge.pem(b"no certificate"), True, True),
        (b"-----BEGIN CERTIFICATE-----\nMAA=\n", True, True),
    ],
)
def test_bad_files(content: bytes, bad_as_trusted: bool, bad_as_untrusted: bool, tmp_path: Path) -> None:
    path = tmp_path / "file.pem"
    path.write_bytes(content)
    calls: list[tuple[bool, Callable[[], Trust]]] = [
        (bad_as_trusted, lambda: Trust.load(trusted=[path])),
        (bad_as_untrusted, lambda: Trust.load(untrusted=[path])),
    ]
    for bad, load in calls:
        if bad:
            with pytest.raises(BadCertificateFile) as caught:
                load()
            assert caught.value.path == str(path)
        else:
            assert load() == Trust.NONE


@pytest.mark.parametrize("where", ["trusted", "untrusted"])
def test_missing_files(where: str, tmp_path: Path) -> None:
    with pytest.raises(BadCertificateFile) as caught:
        Trust.load(**{where: [tmp_path / "missing.pem"]})  # type: ignore[arg-type]
    assert caught.value.path == str(tmp_path / "missing.pem")
    assert isinstance(caught.value.__cause__, FileNotFoundError)
