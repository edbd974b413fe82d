"""Certificates: what is read, what is refused, and how it is shown."""

from __future__ import annotations

import pickle
import re
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from dcmsign.codec.errors import BadCertificateFile
from dcmsign.stream.trust import der
from dcmsign.stream.trust.certificates import Certificate, Encoding, load_certificate, load_certificates
from dcmsign.stream.trust.names import SHORT_NAMES
from dcmsign.stream.trust.signers import KeySigner, _sign
from hypothesis import given
from hypothesis import strategies as st

from tests.peers import require_peer
from tests.trust import forge
from tests.trust.kinds import MAKERS
from tests.trust.objects import listing, signed_object

CN = "2.5.4.3"
UMLAUT = "Jürgen €"
UNREADABLE = "signature verification failed: certificate is missing or unreadable"

SUBJECTS = {
    "empty": (forge.name(), ""),
    "plain": (
        forge.name(("2.5.4.6", forge.PRINTABLE, b"DE"), ("2.5.4.10", forge.UTF8, b"Example"), (CN, forge.UTF8, b"Alice")),
        "/C=DE/O=Example/CN=Alice",
    ),
    "UTF-8": (forge.name((CN, forge.UTF8, UMLAUT.encode())), "/CN=J\\xC3\\xBCrgen \\xE2\\x82\\xAC"),
    "BMP": (forge.name((CN, forge.BMP, "Jü".encode("utf-16-be"))), "/CN=\\x00J\\x00\\xFC"),
    "universal": (forge.name((CN, forge.UNIVERSAL, "J".encode("utf-32-be"))), "/CN=\\x00\\x00\\x00J"),
    "T61": (forge.name((CN, forge.T61, b"J\xfc")), "/CN=J\\xFC"),
    "controls": (forge.name((CN, forge.IA5, b"a\x00b\x7f\n/CN=c+O=d,\\ ~ ")), "/CN=a\\x00b\\x7F\\x0A\\/CN=c\\+O=d,\\ ~ "),
    "bit string": (forge.name(("2.5.4.45", der.BIT_STRING, b"\0\xaaU")), "/x500UniqueIdentifier=\\xAAU"),
    "sequence": (forge.name((CN, der.SEQUENCE, b"\x02\x01\x05")), "/CN=0\\x03\\x02\\x01\\x05"),
    "multi-valued": (
        forge.name(
            ("2.5.4.6", forge.UTF8, b"DE"), [(CN, forge.UTF8, b"a"), ("2.5.4.10", forge.UTF8, b"b")], (CN, forge.UTF8, b"c")
        ),
        "/C=DE/CN=a+O=b/CN=c",
    ),
    "unknown types": (
        forge.name(("1.2.3.4.5", forge.UTF8, b"a"), ("2.999.1", forge.UTF8, b"b"), ("0.9.9", forge.UTF8, b"c")),
        "/1.2.3.4.5=a/2.999.1=b/0.9.9=c",
    ),
    "long type": (
        forge.name(("1.2." + ".".join(["123456789"] * 12), forge.UTF8, b"a")),
        "/" + ("1.2." + ".".join(["123456789"] * 12))[:79] + "=a",
    ),
    "all types": (
        forge.name(*((kind, forge.UTF8, b"x") for kind in SHORT_NAMES)),
        "".join(f"/{short}=x" for short in SHORT_NAMES.values()),
    ),
}

BAD_NAMES = {
    "bad UTF-8": forge.name((CN, forge.UTF8, b"\xff\xfe")),
    "odd BMP": forge.name((CN, forge.BMP, b"abc")),
    "short universal": forge.name((CN, forge.UNIVERSAL, b"abc")),
    "general string": forge.name((CN, 0x1B, b"abcd")),
    "empty bit string": forge.name((CN, der.BIT_STRING, b"")),
    "integer": forge.name((CN, der.INTEGER, b"\5")),
    "octets": forge.name((CN, der.OCTET_STRING, b"a")),
    "context tag": forge.name((CN, 0x80, b"a")),
    "no set": forge.tlv(der.SEQUENCE, forge.tlv(der.SEQUENCE)),
    "no pair": forge.tlv(der.SEQUENCE, forge.tlv(der.SET, forge.tlv(der.SEQUENCE, der.oid(CN)))),
}

TIMES = {
    "UTC": (forge.utc("200101000000Z"), datetime(2020, 1, 1), "Jan  1 00:00:00 2020 GMT"),
    "UTC without seconds": (forge.utc("2011231234Z"), datetime(2020, 11, 23, 12, 34), "Nov 23 12:34:00 2020 GMT"),
    "UTC east": (forge.utc("200101000000+0130"), datetime(2019, 12, 31, 22, 30), None),
    "UTC west": (forge.utc("200101000000-0130"), datetime(2020, 1, 1, 1, 30), None),
    "UTC 1950": (forge.utc("500101000000Z"), datetime(1950, 1, 1), "Jan  1 00:00:00 1950 GMT"),
    "UTC 2049": (forge.utc("491231235959Z"), datetime(2049, 12, 31, 23, 59, 59), "Dec 31 23:59:59 2049 GMT"),
    "generalized": (forge.generalized("20500101000000Z"), datetime(2050, 1, 1), ""),
    "early generalized": (forge.generalized("20200101000000Z"), datetime(2020, 1, 1), ""),
    "fraction": (forge.generalized("20200101000000.5Z"), datetime(2020, 1, 1), ""),
    "last": (forge.generalized("99991231235959Z"), datetime(9999, 12, 31, 23, 59, 59), ""),
}

EXTENSION = forge.tlv(der.SEQUENCE, der.oid("2.5.29.15"), b"\1\1\xff", b"\4\4\3\2\7\x80")
STRUCTURES: dict[str, dict[str, Any]] = {
    "version 1": {"version": None},
    "version 1, explicit": {"version": 0},
    "version 4": {"version": 3},
    "null parameters": {"parameters": b"\5\0"},
    "unique identifiers": {"rest": forge.tlv(0x81, b"\0\1") + forge.tlv(0x82, b"\0\1")},
    "no extension": {"rest": forge.tlv(0xA3, forge.tlv(der.SEQUENCE))},
    "extension twice": {"rest": forge.tlv(0xA3, forge.tlv(der.SEQUENCE, EXTENSION, EXTENSION))},
    "serial 0": {"serial": forge.integer(0)},
    "negative serial": {"serial": forge.integer(-77)},
    "serial of 63 bits": {"serial": forge.integer(2**63 - 1)},
    "serial of 64 bits": {"serial": forge.integer(2**63)},
    "long serial": {"serial": forge.integer(2**200)},
}
BAD_STRUCTURES: dict[str, dict[str, Any]] = {
    "empty serial": {"serial": b"\2\0"},
    "padded serial": {"serial": b"\2\2\0\5"},
    "identifiers swapped": {"rest": forge.tlv(0x82, b"\0\1") + forge.tlv(0x81, b"\0\1")},
    "junk": {"rest": b"\5\0"},
    "bad extension": {"rest": forge.tlv(0xA3, forge.tlv(der.SEQUENCE, b"\5\0"))},
}


@pytest.fixture
def ask(tmp_path: Path) -> Callable[[bytes], dict[str, str]]:
    """What ``dcmsign -v`` lists about a certificate; empty if it cannot read it."""
    dcmsign = require_peer("dcmsign")

    def ask(certificate: bytes) -> dict[str, str]:
        path = tmp_path / "object.dcm"
        path.write_bytes(signed_object(certificate, lambda digest: _sign(forge.signing_key(), digest, "SHA256")))
        text = listing(dcmsign, path)
        if UNREADABLE in text:
            return {}
        fields = dict(re.findall(r"^I: {7}(Subject|Issued by|Serial no\.|Public key) +: (.*)$", text, re.M))
        dates = dict(re.findall(r"^I: {7}Validity +: (not before|not after) (.*)$", text, re.M))
        return {"version": re.findall(r"X\.509v-?\d+", text)[0], **fields, **dates}

    return ask


def as_listed(certificate: Certificate) -> dict[str, str]:
    return {
        "version": certificate.signature_version,
        "Subject": certificate.subject,
        "Issued by": certificate.issuer,
        "Serial no.": str(certificate.serial if certificate.serial < 2**63 else -1),
        "Public key": certificate.key_text,
        "not before": certificate.not_before_text,
        "not after": certificate.not_after_text,
    }


@pytest.mark.parametrize("case", SUBJECTS)
def test_names(case: str, tmp_path: Path) -> None:
    encoded, expected = SUBJECTS[case]
    data = forge.certificate(subject=encoded)
    assert Certificate.from_der(data).subject == expected
    path = tmp_path / "certificate.der"
    path.write_bytes(data)
    command: list[str | Path] = [
        require_peer("openssl"),
        "x509",
        "-noout",
        "-subject",
        "-nameopt",
        "compat",
        "-inform",
        "DER",
        "-in",
        path,
    ]
    shown = subprocess.run(command, capture_output=True, check=True).stdout
    assert shown.decode("latin-1").removesuffix("\n") == f"subject={expected}"


@pytest.mark.parametrize("case", ["plain", "UTF-8", "BMP", "T61", "controls", "multi-valued", "unknown types", "long type"])
def test_names_in_listings(case: str, ask: Callable[[bytes], dict[str, str]]) -> None:
    data = forge.certificate(subject=SUBJECTS[case][0], issuer=SUBJECTS["plain"][0])
    assert ask(data) == as_listed(Certificate.from_der(data))


@pytest.mark.parametrize("case", BAD_NAMES)
def test_bad_names(case: str, ask: Callable[[bytes], dict[str, str]]) -> None:
    data = forge.certificate(subject=BAD_NAMES[case])
    with pytest.raises(BadCertificateFile):
        Certificate.from_der(data)
    assert ask(data) == {}


def test_type_of_unlimited_length() -> None:
    with pytest.raises(BadCertificateFile):
        Certificate.from_der(
            forge.certificate(
                subject=forge.tlv(
                    der.SEQUENCE,
                    forge.tlv(
                        der.SET,
                        forge.tlv(
                            der.SEQUENCE, forge.tlv(der.OBJECT_IDENTIFIER, b"\xff" * 100_000 + b"\1"), forge.tlv(forge.UTF8, b"a")
                        ),
                    ),
                )
            )
        )


def test_numbers_of_unlimited_length() -> None:
    assert Certificate.from_der(forge.certificate(serial=forge.integer(2**1000))).serial == 2**1000
    for options in ({"serial": forge.integer(2**50_000)}, {"version": 2**50_000}):
        with pytest.raises(BadCertificateFile):
            Certificate.from_der(forge.certificate(**options))


@pytest.mark.parametrize("case", TIMES)
def test_times(case: str, ask: Callable[[bytes], dict[str, str]]) -> None:
    encoded, expected, text = TIMES[case]
    certificate = Certificate.from_der(forge.certificate(not_before=encoded))
    assert certificate.not_before == expected.replace(tzinfo=UTC)
    assert text is None or certificate.not_before_text == text
    assert ask(certificate.der)["not before"].removesuffix(" GMT") == certificate.not_before_text.removesuffix(" GMT")
    other = Certificate.from_der(forge.certificate(not_after=encoded))
    assert (other.not_after, other.not_after_text) == (certificate.not_before, certificate.not_before_text)


@pytest.mark.parametrize(
    "encoded",
    [
        forge.utc("201301000000Z"),
        forge.utc("200230000000Z"),
        forge.utc("200101000060Z"),
        forge.utc("200101000000"),
        forge.utc("200101000000.5Z"),
        forge.utc(""),
        forge.generalized("00000101000000Z"),
        forge.generalized("00010101000000+0100"),
        forge.generalized("20200101000000"),
        forge.generalized("99991231235959-0100"),
        forge.tlv(forge.UTF8, b"200101000000Z"),
    ],
)
def test_bad_times(encoded: bytes) -> None:
    with pytest.raises(BadCertificateFile):
        Certificate.from_der(forge.certificate(not_before=encoded))


@pytest.mark.parametrize("case", STRUCTURES)
def test_unusual_structures(case: str, ask: Callable[[bytes], dict[str, str]]) -> None:
    data = forge.certificate(**STRUCTURES[case])
    assert ask(data) == as_listed(Certificate.from_der(data))


@pytest.mark.parametrize("case", BAD_STRUCTURES)
def test_bad_structures(case: str, ask: Callable[[bytes], dict[str, str]]) -> None:
    data = forge.certificate(**BAD_STRUCTURES[case])
    with pytest.raises(BadCertificateFile):
        Certificate.from_der(data)
    assert ask(data) == {}


@pytest.mark.parametrize("kind", MAKERS)
def test_keys(kind: str, signer_of: Callable[[str], KeySigner], ask: Callable[[bytes], dict[str, str]]) -> None:
    certificate = signer_of(kind).certificate
    assert ask(certificate.der) == as_listed(certificate)
    if kind[:3] in ("rsa", "dsa"):
        bits = int(kind.split("-")[1])
        assert (certificate.key_type, certificate.key_bits, certificate.curve) == (kind[:3].upper(), bits, None)
        assert certificate.key_text == certificate.weak_key_text == f"{kind[:3].upper()}, {bits} bits"
    else:
        assert (certificate.key_type, certificate.curve) == ("EC", kind)
        assert certificate.weak_key_text == f"EC, {certificate.key_bits} bits"
    assert certificate.weak_key == (kind == "prime192v1")


def openssl_key_info(tmp_path: Path, *options: str) -> bytes:
    openssl, path = require_peer("openssl"), tmp_path / "key.pem"
    subprocess.run([openssl, "genpkey", *options, "-out", path], check=True, capture_output=True)
    return subprocess.run([openssl, "pkey", "-in", path, "-pubout", "-outform", "DER"], check=True, capture_output=True).stdout


@pytest.mark.parametrize(
    ("options", "expected", "readable"),
    [
        (("DH", "group:ffdhe2048"), ("DH", 2048, None, False), True),
        (("DHX", "group:dh_2048_256"), ("unknown", 0, None, True), False),
        (("RSA", "rsa_keygen_bits:768"), ("RSA", 768, None, True), True),
        (("RSA", "rsa_keygen_bits:1000"), ("RSA", 1000, None, True), True),
        (("RSA-PSS", "rsa_keygen_bits:1024"), ("unknown", 0, None, True), False),
        (("ED25519",), ("unknown", 0, None, True), False),
        (("EC", "ec_paramgen_curve:P-256", "ec_param_enc:explicit"), ("EC", 256, "prime256v1", False), True),
        (("EC", "ec_paramgen_curve:brainpoolP320r1"), ("EC", 320, "1.3.36.3.3.2.8.1.1.9", False), True),
        (("EC", "ec_paramgen_curve:brainpoolP320r1", "ec_param_enc:explicit"), ("EC", 320, "unnamed curve", False), True),
    ],
)
def test_special_keys(
    options: tuple[str, ...],
    expected: tuple[str, int, str | None, bool],
    readable: bool,
    tmp_path: Path,
    ask: Callable[[bytes], dict[str, str]],
) -> None:
    info = openssl_key_info(tmp_path, "-algorithm", options[0], *(x for o in options[1:] for x in ("-pkeyopt", o)))
    data = forge.certificate(key=info)
    certificate = Certificate.from_der(data)
    assert (certificate.key_type, certificate.key_bits, certificate.curve, certificate.weak_key) == expected
    if not readable:
        assert ask(data) == {}
    elif certificate.public_key is not None or certificate.key_type == "DH":
        assert ask(data) == as_listed(certificate)


def test_damaged_keys(ask: Callable[[bytes], dict[str, str]]) -> None:
    good = forge.key_info(forge.signing_key().public_key())
    head = der.oid("1.2.840.113549.1.1.1") + b"\5\0"
    for info in (
        good[:-1] + bytes([good[-1] ^ 1]),  # a point that is not on the curve
        forge.tlv(der.SEQUENCE, forge.tlv(der.SEQUENCE, head), forge.tlv(der.BIT_STRING, b"\0abc")),
        forge.tlv(der.SEQUENCE, forge.tlv(der.SEQUENCE, head), forge.tlv(der.BIT_STRING)),
        forge.tlv(der.SEQUENCE, forge.tlv(der.SEQUENCE, der.oid("1.2.840.113549.1.3.1")), forge.tlv(der.BIT_STRING, b"\0")),
    ):
        data = forge.certificate(key=info)
        assert Certificate.from_der(data).key_type == "unknown"
        assert ask(data) == {}


def test_bytes_behind_the_certificate_are_ignored() -> None:
    data = forge.certificate()
    assert Certificate.from_der(memoryview(data + b"\0")).der == data


def test_identity() -> None:
    one, two, other = (
        Certificate.from_der(data)
        for data in (forge.certificate(), forge.certificate() + b"x", forge.certificate(serial=forge.integer(6)))
    )
    assert (one.serial, other.serial) == (5, 6)
    assert one == Certificate.from_der(one.der)
    assert len({one, Certificate.from_der(one.der), other}) == 2
    assert one != other
    assert one != one.der
    assert two.subject == "/CN=Forged"
    assert pickle.loads(pickle.dumps(one)) == one


@pytest.mark.parametrize(
    "data", [b"", b"0", b"0\x80", b"0\x80\0\0", b"0\x89" + b"\xff" * 9, b"\x1f" * 9, b"\0" * 40, b"0\0", b"0\x84\xff\xff\xff\xff"]
)
def test_garbage(data: bytes) -> None:
    with pytest.raises(BadCertificateFile):
        Certificate.from_der(data)
    for encoding in Encoding:
        with pytest.raises(BadCertificateFile) as caught:
            load_certificate(data, encoding, name="the file")
        assert caught.value.path == "the file"


BASE = forge.certificate(rest=forge.authority())


@given(st.data())
def test_mutations_give_certificates_or_our_error(data: st.DataObject) -> None:
    mutated = bytearray(BASE)
    for position in data.draw(st.lists(st.integers(0, len(BASE) - 1), min_size=1, max_size=4)):
        mutated[position] = data.draw(st.integers(0, 255))
    try:
        certificate = Certificate.from_der(bytes(mutated[: data.draw(st.sampled_from([None, len(BASE) - 1, 200, 40]))]))
    except BadCertificateFile:
        return
    assert bytes(mutated).startswith(certificate.der)
    assert certificate.subject.isprintable()
    assert repr(certificate)
    assert certificate.key_text


@given(st.binary(max_size=200))
def test_any_pem_gives_certificates_or_our_error(data: bytes) -> None:
    for text in (data, forge.pem(data), b"-----BEGIN CERTIFICATE-----\n" + data + b"\n-----END CERTIFICATE-----"):
        try:
            found = load_certificates(text, Encoding.PEM, name="x")
        except BadCertificateFile:
            continue
        assert found == ()


ONE, TWO = forge.pem(forge.certificate(serial=forge.integer(1))), forge.pem(forge.certificate(serial=forge.integer(2)))


def trusted_block(settings: bytes) -> bytes:
    return forge.pem(forge.certificate(serial=forge.integer(3)) + settings, "TRUSTED CERTIFICATE")


def purposes(tag: int, *oids: str) -> bytes:
    return forge.tlv(tag, *map(der.oid, oids))


@pytest.mark.parametrize(
    ("text", "serials"),
    [
        (ONE, [1]),
        (ONE + TWO, [1, 2]),
        (b"chatter\n" + TWO + b"-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n" + ONE + b"more", [2, 1]),
        (ONE.replace(b"\n", b"\r\n"), [1]),
        (ONE.replace(b"\n", b"  \n"), [1]),
        (ONE.replace(b"CERTIFICATE", b"X509 CERTIFICATE"), [1]),
        (b"\xef\xbb\xbf\n" + ONE, [1]),
        (b"", []),
        (b"no certificate\n", []),
        (ONE.replace(b"CERTIFICATE", b"CERTIFICATE REQUEST"), []),
        (trusted_block(b""), [3]),
        (trusted_block(forge.tlv(der.SEQUENCE, forge.tlv(forge.UTF8, b"alias"))), [3]),
        (trusted_block(forge.tlv(der.SEQUENCE, purposes(der.SEQUENCE, "2.5.29.37.0"))), [3]),
        (trusted_block(forge.tlv(der.SEQUENCE, purposes(der.SEQUENCE, "1.3.6.1.5.5.7.3.4"))), []),
        (trusted_block(forge.tlv(der.SEQUENCE, purposes(0xA0, "2.5.29.37.0"))), []),
        (trusted_block(forge.tlv(der.SEQUENCE, purposes(0xA0, "1.3.6.1.5.5.7.3.4"))), [3]),
    ],
)
def test_pem_files(text: bytes, serials: list[int]) -> None:
    assert [found.serial for found in load_certificates(text, Encoding.PEM, name="x")] == serials
    if serials and serials != [3]:
        assert load_certificate(text, Encoding.PEM, name="x").serial == serials[0]
    else:
        with pytest.raises(BadCertificateFile):
            load_certificate(text, Encoding.PEM, name="x")


@pytest.mark.parametrize(
    "text",
    [
        ONE[:-20],
        ONE[:100] + TWO,
        ONE.replace(b"END CERTIFICATE", b"END X509 CERTIFICATE"),
        ONE.replace(b"\nM", b"\n*M"),
        ONE[:60] + b"\n-----END CERTIFICATE-----\n",
        forge.certificate(),
        trusted_block(b"\1\2\3"),
    ],
    ids=["cut", "begun twice", "other end", "no base64", "short", "DER", "settings"],
)
def test_bad_pem_files(text: bytes) -> None:
    with pytest.raises(BadCertificateFile) as caught:
        load_certificate(text, Encoding.PEM, name="certs.pem")
    assert caught.value.path == "certs.pem"


def test_der_files() -> None:
    data = forge.certificate()
    assert load_certificates(data + b"rest", Encoding.DER, name="x") == (load_certificate(data, Encoding.DER, name="x"),)
    with pytest.raises(BadCertificateFile):
        load_certificates(ONE, Encoding.DER, name="x")
