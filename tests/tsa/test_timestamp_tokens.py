"""Tokens with one thing wrong or unusual in each, against dcmsign."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from dcmsign.codec.errors import BadTimestampReply
from dcmsign.tsa.reply import TimestampReply
from dcmsign.tsa.token import Token
from dcmsign.tsa.verification import TokenRules, TokenVerdict, verify_token

from tests.tsa import peer, stamped, tokens
from tests.tsa.ber import indefinite, long_form, rebuilt, split, tlv
from tests.tsa.listing import block
from tests.tsa.tokens import (
    MESSAGE_DIGEST,
    SIGNING_CERTIFICATE,
    SIGNING_CERTIFICATE_V2,
    Attributes,
    certificate,
    certificate_id,
    integer,
    oid,
    signing_certificate,
    token,
    tst_info,
)

CN = "2.5.4.3"


def verdict(encoding: bytes, **options: Any) -> TokenVerdict:
    """Ours, on a token about the vector signed/sha256.dcm."""
    (signed,) = stamped.signatures("signed/sha256.dcm")
    given = {"signature": signed.value, "signer_validity": signed.validity, "path": stamped.paths("pki/ca.pem"), **options}
    return verify_token(Token.from_der(encoding), **given)


def replaced(kind: str, *values: bytes) -> Callable[[Attributes], Attributes]:
    """The attributes with other values for one."""
    return lambda good: [(name, list(values) if name == kind else old) for name, old in good]


def without(*kinds: str) -> Callable[[Attributes], Attributes]:
    return lambda good: [entry for entry in good if entry[0] not in kinds]


def ess(*identifiers: bytes) -> Callable[[Attributes], Attributes]:
    return replaced(SIGNING_CERTIFICATE_V2, signing_certificate(*identifiers))


def raw_rsa(number: Callable[[int], int]) -> tokens.Sign:
    """A signature whose block, once decrypted, is what `number` makes of the modulus."""

    def sign(private: Any, _: bytes) -> bytes:
        numbers = private.private_numbers()
        n = numbers.public_numbers.n
        return int(pow(number(n), numbers.d, n)).to_bytes(256, "big")

    return sign


def sign_pss(private: Any, data: bytes) -> bytes:
    return bytes(private.sign(data, padding.PSS(padding.MGF1(hashes.SHA256()), 32), hashes.SHA256()))


def padded(head: bytes) -> Callable[[int], int]:
    return lambda _: int.from_bytes(head.ljust(256, b"\x01"), "big")


def issuer_name(*texts: tuple[str, str]) -> bytes:
    return tokens.name(*([(kind, 0x0C, text.encode())] for kind, text in texts))


OTHER_SPELLING = issuer_name(("2.5.4.6", "de"), ("2.5.4.10", " EXAMPLE"), (CN, "example  root ca"))


def token_with_issuer_serial(*names: bytes, serial: int | None = None) -> bytes:
    number = certificate("tsa").serial_number if serial is None else serial
    return token(attributes=ess(certificate_id("tsa", issuer=b"".join(names), serial=number)))


def directory(name: bytes) -> bytes:
    return tlv(0xA4, name)


ISSUER = directory(certificate("tsa").issuer.dump())

SIGNED: dict[str, Callable[[], bytes]] = {
    "good": token,
    **{f"digest {name}": lambda name=name: token(digest=name) for name in tokens.DIGESTS},  # type: ignore[misc]
    "ECDSA": lambda: token(tsa="tsa-ec"),
    "DSA": lambda: token(tsa="tsa-dsa"),
    "RSA over other data": lambda: token(sign=lambda private, data: tokens.sign_pkcs1(private, data + b"x")),
    "RSA with another digest": lambda: token(sign=lambda private, data: tokens.sign_pkcs1(private, data, "sha1")),
    "RSA block too short": lambda: token(sign=lambda *_: b"\x01" * 100),
    "RSA block too long": lambda: token(sign=lambda *_: b"\x01" * 257),
    "RSA no block": lambda: token(sign=lambda *_: b""),
    "RSA number too large": lambda: token(sign=lambda *_: b"\xff" * 256),
    "RSA zero": lambda: token(sign=lambda *_: bytes(256)),
    "RSA first byte": lambda: token(sign=raw_rsa(padded(b"\x01\x01"))),
    "RSA block type": lambda: token(sign=raw_rsa(padded(b"\x00\x02"))),
    "RSA filling": lambda: token(sign=raw_rsa(padded(b"\x00\x01\xff\xff\x02"))),
    "RSA short filling": lambda: token(sign=raw_rsa(padded(b"\x00\x01\xff\xff\x00"))),
    "RSA filling only": lambda: token(sign=raw_rsa(padded(b"\x00\x01".ljust(256, b"\xff")))),
    "RSA-PSS": lambda: token(sign=sign_pss),
    "ECDSA garbage": lambda: token(tsa="tsa-ec", sign=lambda *_: b"garbage"),
    "ECDSA nothing": lambda: token(tsa="tsa-ec", sign=lambda *_: b""),
    "ECDSA over other data": lambda: token(tsa="tsa-ec", sign=lambda private, data: tokens.sign_pkcs1(private, data + b"x")),
    "ECDSA with a byte more": lambda: token(tsa="tsa-ec", sign=lambda private, data: tokens.sign_pkcs1(private, data) + b"\0"),
    "DSA over other data": lambda: token(tsa="tsa-dsa", sign=lambda private, data: tokens.sign_pkcs1(private, data + b"x")),
    "key of another authority": lambda: token(sign=lambda _, data: tokens.sign_pkcs1(tokens.key("tsa-other"), data)),
    "no content type": lambda: token(attributes=without(tokens.CONTENT_TYPE)),
    "no message digest": lambda: token(attributes=without(MESSAGE_DIGEST)),
    "message digest without value": lambda: token(attributes=replaced(MESSAGE_DIGEST)),
    "message digest no octets": lambda: token(attributes=replaced(MESSAGE_DIGEST, integer(1))),
    "message digest wrong": lambda: token(attributes=replaced(MESSAGE_DIGEST, tlv(4, bytes(32)))),
    "message digest twice": lambda: token(attributes=lambda good: [*good, (MESSAGE_DIGEST, [tlv(4, b"")])]),
    "message digest twice, wrong first": lambda: token(attributes=lambda good: [(MESSAGE_DIGEST, [tlv(4, b"")]), *good]),
    "message digest with two values": lambda: token(
        attributes=lambda good: [(kind, [*old, tlv(4, b"")] if kind == MESSAGE_DIGEST else old) for kind, old in good]
    ),
    "attributes in another order": lambda: token(attributes=lambda good: good[::-1]),
    "digest not listed": lambda: token(listed=["sha1"]),
    "no digest listed": lambda: token(listed=[]),
    "two digests listed": lambda: token(listed=["sha1", "sha256"]),
    "unknown digest listed": lambda: token(listed=["sha256", "1.2.3.4"]),
    "no ESS attribute": lambda: token(attributes=without(SIGNING_CERTIFICATE_V2)),
    "ESS attribute without value": lambda: token(attributes=replaced(SIGNING_CERTIFICATE_V2)),
    "ESS attribute garbage": lambda: token(attributes=replaced(SIGNING_CERTIFICATE_V2, integer(1))),
    "ESS without identifiers": lambda: token(attributes=ess()),
    "ESS v1 garbage, v2 good": lambda: token(attributes=lambda good: [*good, (SIGNING_CERTIFICATE, [integer(1)])]),
    "ESS v1 wrong, v2 good": lambda: token(
        attributes=lambda good: [*good, (SIGNING_CERTIFICATE, [signing_certificate(certificate_id("ca", version=1))])]
    ),
    "ESS v1": lambda: token(
        attributes=lambda good: [*good[:2], (SIGNING_CERTIFICATE, [signing_certificate(certificate_id("tsa", version=1))])]
    ),
    "ESS with the path": lambda: token(attributes=ess(certificate_id("tsa"), certificate_id("ca"))),
    "ESS twice the signer": lambda: token(attributes=ess(certificate_id("tsa"), certificate_id("tsa"))),
    "ESS path first": lambda: token(attributes=ess(certificate_id("ca"), certificate_id("tsa"))),
    "ESS with a stranger": lambda: token(attributes=ess(certificate_id("tsa"), certificate_id("tsa-other"))),
    "ESS with SHA-512": lambda: token(attributes=ess(certificate_id("tsa", "sha512"))),
    "ESS with an unknown digest": lambda: token(attributes=ess(certificate_id("tsa", "1.2.3.4"))),
    "ESS issuer and serial": lambda: token_with_issuer_serial(ISSUER),
    "ESS issuer spelt otherwise": lambda: token_with_issuer_serial(directory(OTHER_SPELLING)),
    "ESS two issuers": lambda: token_with_issuer_serial(ISSUER, tlv(0x82, b"tsa.example")),
    "ESS issuer no directory name": lambda: token_with_issuer_serial(tlv(0x82, b"tsa.example")),
    "ESS other serial": lambda: token_with_issuer_serial(ISSUER, serial=5),
    "signer spelt otherwise": lambda: token(identifier=tlv(0x30, OTHER_SPELLING + integer(certificate("tsa").serial_number))),
    "signer unknown": lambda: token(identifier=tlv(0x30, certificate("tsa").issuer.dump() + integer(4711))),
    "no certificates": lambda: token(embedded=[]),
    "many certificates": lambda: token(embedded=["tsa-other", "tsa", "tsa", "ca"]),
    "unsigned attributes": lambda: token(unsigned=tlv(0xA1, tlv(0x30, oid("1.2.3") + tlv(0x31, b"\x05\x00")))),
    "no signed attributes": lambda: rebuilt(token(), lambda path, tag, _: b"" if tag == 0xA0 and path[:3] == (1, 0, 4) else None),
    "no signer": lambda: rebuilt(token(), lambda path, _, __: b"\x31\x00" if path == (1, 0, 4) else None),
    "expired authority": lambda: token(tsa="tsa-expired"),
    "anyExtendedKeyUsage": lambda: token(tsa="tsa-ekuextra"),
    "imprint SHA-224": lambda: token(tst_info(imprint=("sha224", bytes(28)))),
    "tsa is the subject": lambda: token(tst_info(tsa=directory(certificate("tsa").subject.dump()))),
    "tsa is the issuer": lambda: token(tst_info(tsa=ISSUER)),
    "TSTInfo and more": lambda: token(tst_info() + b"more"),
    "TSTInfo in BER": lambda: token(indefinite(0x30, split(tst_info())[1])),
    "version of SignedData": lambda: rebuilt(token(), lambda path, *_: integer(0) if path == (1, 0, 0) else None),
}

OUTER = ((), (1,), (1, 0))
CONTENT = (1, 0, 2, 1, 0)
SIGNATURE = (1, 0, 4, 0, 5)
ENCODINGS: dict[str, Callable[[tuple[int, ...], int, bytes], bytes | None]] = {
    "outer levels indefinite": lambda path, tag, content: indefinite(tag, content) if path in OUTER else None,
    "content in pieces": lambda path, _, content: (
        tlv(0x24, tlv(4, content[:9]) + tlv(4, content[9:])) if path == CONTENT else None
    ),
    "content in nested pieces": lambda path, _, content: (
        tlv(0x24, tlv(0x24, tlv(4, content[:9])) + tlv(4, content[9:])) if path == CONTENT else None
    ),
    "content streamed": lambda path, tag, content: (
        indefinite(0x24, tlv(4, content[:9]) + tlv(4, content[9:]))
        if path == CONTENT
        else (indefinite(tag, content) if path in (*OUTER, (1, 0, 2), (1, 0, 2, 1)) else None)
    ),
    "signed attributes indefinite": lambda path, tag, content: (
        indefinite(tag, content) if tag == 0xA0 and path[:3] == (1, 0, 4) else None
    ),
    "signature in pieces": lambda path, _, content: tlv(0x24, tlv(4, content)) if path == SIGNATURE else None,
}

TIMES = [
    "20260102030405Z",
    "202601020304Z",
    "20260102030405",
    "202601020304",
    "2026010203Z",
    "20260102030405.5",
    "20260102030405.Z",
    "20260102030405,5Z",
    "20260102030405+0100",
    "20260102030405.5+0100",
    "202601020304+0100",
    "20260102030405+01",
    "20260102030405+1300",
    "20260102030405+1200",
    "20260102030405+0060",
    "20260102030460Z",
    "20260102030405z",
    "20261302030405Z",
    "20260132030405Z",
    "20260102240000Z",
    "20260102030405Zx",
    "garbage",
    "00000102030405Z",
    "20200101000000Z",
    "20191231235959Z",
    "20200101000000-0001",
    "20200101000000+0001",
    "20191231235959.999Z",
    "202601020304.5Z",
    "20260102030405-1200",
    "20660718000000Z",
    "20660718000001Z",
    "20260230030405",
    "99991231235959-1200",
]

OTHERWISE = {"20200101000000-0001", "20200101000000+0001", "20260230030405"}
"""dcmsign adds offsets from UTC to the wrong side, and knows a thirtieth of February."""


@pytest.mark.parametrize("name", SIGNED)
def test_verdicts(tmp_path: Path, name: str) -> None:
    encoding = SIGNED[name]()
    said = peer.dcmsign_says(tmp_path, tokens.reply(encoding)) if "SHA-224" not in name else None
    if said is None or said.inserted:  # what dcmsign does not insert, it does not verify either
        assert verdict(encoding).reason == "message imprint mismatch"
        return
    assert (verdict(encoding).reason or "OK") == said.verdict


@pytest.mark.parametrize("name", ENCODINGS)
def test_encodings(tmp_path: Path, name: str) -> None:
    """What is BER in a token becomes DER, the same as dcmsign stores."""
    encoding = rebuilt(token(), ENCODINGS[name])
    assert encoding != token() or name == ""
    said = peer.dcmsign_says(tmp_path, tokens.reply(encoding))
    (stored,) = stamped.signatures(str(tmp_path / "stamped.dcm"))
    raw = Token.from_der(encoding).raw
    assert said.verdict == "OK"
    assert verdict(encoding).ok
    assert stored.item.timestamp == raw + b"\0" * (len(raw) % 2)


def test_long_lengths_stay() -> None:
    """DER would have them short; nothing that need not change does."""
    encoding = rebuilt(token(), lambda path, tag, content: long_form(tag, content) if path in OUTER else None)
    assert Token.from_der(encoding).raw == encoding
    assert verdict(encoding).ok


@pytest.mark.parametrize("time", TIMES)
def test_times(tmp_path: Path, time: str) -> None:
    encoding = token(tst_info(time=time.encode()))
    said = peer.dcmsign_says(tmp_path, tokens.reply(encoding))
    ours = verdict(encoding)
    if time in OTHERWISE:
        assert (said.verdict == "OK") is not ours.ok
        return
    assert (ours.reason or "OK") == said.verdict
    assert ours.remarks == said.remarks


@pytest.mark.parametrize(
    ("name", "encoding"),
    {
        "signer by key identifier": token(identifier=tlv(0x80, b"12345")),
        "content of another type": token(content_type="1.2.840.113549.1.7.1"),
        "empty content": token(b""),
        "other certificates": rebuilt(
            token(), lambda path, _, content: tlv(0xA0, content + b"\xa1\x02\x05\x00") if path == (1, 0, 3) else None
        ),
        "tsa no name": token(tst_info(tsa=b"\x05\x00")),
        "tsa name of numbers": token(tst_info(tsa=directory(tokens.name([(CN, 2, b"\1")])))),
        "tsa name of broken text": token(tst_info(tsa=directory(tokens.name([(CN, 0x0C, b"\xff")])))),
        "imprint no octets": token(rebuilt(tst_info(), lambda path, _, content: tlv(2, content) if path == (2, 1) else None)),
        "time of another type": token(
            rebuilt(tst_info(), lambda path, _, __: tlv(0x17, b"260102030405Z") if path == (4,) else None)
        ),
        "extra field": token(tlv(0x30, split(tst_info())[1] + b"\xa2\x02\x05\x00")),
        "something behind the SignedData": tlv(0x30, split(token())[1] + b"\x05\x00"),
        "no SignedData": token().replace(bytes.fromhex("06092a864886f70d010702"), bytes.fromhex("06092a864886f70d010703")),
    }.items(),
)
def test_unreadable(tmp_path: Path, name: str, encoding: bytes) -> None:
    assert peer.dcmsign_says(tmp_path, tokens.reply(encoding)).inserted == 32
    with pytest.raises(BadTimestampReply):
        TimestampReply.from_der(tokens.reply(encoding))


def accuracy(*numbers: int | None) -> bytes:
    tags = (0x02, 0x80, 0x81)
    parts = [bytes((tag,)) + integer(number)[1:] for tag, number in zip(tags, numbers, strict=False) if number is not None]
    return tlv(0x30, b"".join(parts))


def named(tag: int, content: bytes) -> bytes:
    return tst_info(tsa=directory(tokens.name([(CN, tag, content)])))


LISTED: dict[str, bytes] = {
    **{f"serial {number}": tst_info(serial=number) for number in (0, -5, -255, 255, 1 << 160)},
    **{
        f"accuracy {numbers}": tst_info(accuracy=accuracy(*numbers))
        for numbers in ((), (0, 0, 0), (-1,), (1 << 70,), (None, 999, 1), (None, 5, 0), (None, 1000), (3, None, 70))
    },
    "ordering": tst_info(ordering=b"\x01\x01\xff"),
    "ordering in vain": tst_info(ordering=b"\x01\x01\x00"),
    **{
        f"tsa {tag:02x} {content!r}": tst_info(tsa=tlv(tag, content))
        for tag, content in (
            (0x82, b"tsa.example"),
            (0x86, b"http://tsa.example/"),
            (0x81, b"tsa@tsa.example"),
            (0x82, b"a\tb\xff\0c"),
            (0x87, bytes((127, 0, 0, 1))),
            (0x87, bytes.fromhex("20010db8000000000000000000000001")),
            (0x87, b"12345"),
            (0x88, oid("1.2.3.4")[2:]),
            (0x88, oid(CN)[2:]),
            (0xA0, oid("1.2.3") + tlv(0xA0, tlv(0x0C, b"x"))),
            (0xA3, tlv(0x30, b"")),
            (0xA5, tlv(0xA1, tlv(0x0C, b"x"))),
        )
    },
    **{
        f"name {tag:02x} {content!r}": named(tag, content)
        for tag, content in (
            (0x0C, "Größe".encode()),
            (0x13, b"a,b"),
            (0x13, b"a+b;c<d>e"),
            (0x0C, b'quo"te'),
            (0x0C, b"back\\slash"),
            (0x0C, b" lead"),
            (0x0C, b"trail "),
            (0x0C, b"#hash"),
            (0x0C, b"a#b=c"),
            (0x0C, b"tab\tdel\x7f"),
            (0x0C, b'a"b,c'),
            (0x0C, b""),
            (0x0C, b" "),
            (0x12, b"12 3"),
            (0x14, b"lat\xe9"),
            (0x16, b"ia5"),
            (0x1C, "uni".encode("utf-32-be")),
            (0x1E, "Grün".encode("utf-16-be")),
        )
    },
    "name of many parts": tst_info(
        tsa=directory(
            tokens.name(
                [("2.5.4.6", 0x13, b"DE")],
                [(CN, 0x0C, b"x"), ("2.5.4.10", 0x0C, b"y")],
                [("1.2.3.4.5", 0x0C, b"unknown")],
                [("1.2.840.113549.1.9.1", 0x16, b"a@b")],
                [("0.9.2342.19200300.100.1.25", 0x16, b"example")],
            )
        )
    ),
    "no name": tst_info(tsa=directory(tokens.name())),
    **{
        f"extension {value.hex()[:20]}": tst_info(extensions=tokens.extension(value))
        for value in (
            b"\x05\x00",
            b"\x02\x02\x01\x00",
            b"\x02\x01\xff",
            b"\x02\x01\x00",
            b"\x01\x01\xff",
            b"\x04\x03\x00\x01\x02",
            tlv(4, bytes(range(40))),
            b"\x04\x00",
            b"\x03\x02\x00\x80",
            tlv(3, bytes(17)),
            tlv(0x0C, b"text"),
            tlv(0x13, b"abc"),
            tlv(0x17, b"200101000000Z"),
            tlv(0x1C, b"\0\0\0a"),
            tlv(0x1E, b"\0a"),
            tlv(0x31, b"\x05\x00"),
            tlv(0xA0, tlv(0x82, b"abc")),
            tlv(0x85, bytes(20)),
            tlv(0x41, b"a"),
            b"\x09\x01\x40",
            b"\x0a\x01\x05",
            oid(CN),
            tlv(0x30, tlv(0x30, tlv(0x30, b"\x02\x01\x05")) + tlv(0x0C, b"x")),
            b"\x05\x00\x05\x00",
            b"garbage!",
            b"",
            b"\x30\x05\x02",
        )
    },
}


@pytest.mark.parametrize("name", LISTED)
def test_listings(tmp_path: Path, name: str) -> None:
    encoding = token(LISTED[name])
    said = peer.dcmsign_says(tmp_path, tokens.reply(encoding))
    assert tuple(block(Token.from_der(encoding))) == said.listing


@pytest.mark.parametrize("trusted", ["pki/tsa.pem", "pki/other-ca.pem", "pki/ca.pem"])
def test_trust(tmp_path: Path, trusted: str) -> None:
    """Anchors are self-signed and given by the caller; being in the token does not help."""
    for tsa, helper in (("tsa", "ca"), ("tsa-other", "other-ca")):
        encoding = token(tsa=tsa, embedded=[tsa, helper])
        reason = verdict(encoding, path=stamped.paths(trusted)).reason
        expected = trusted == f"pki/{helper}.pem"
        assert reason == (None if expected else "certificate verify error")
        both = peer.openssl_verifies(tmp_path, encoding, trusted)
        assert both == expected


def test_weak_digests() -> None:
    rules = TokenRules(refuse_weak_digests=True)
    assert verdict(token(), rules=rules).ok
    assert verdict(token(digest="sha1"), rules=rules).reason == "weak digest algorithm sha1"
    assert verdict(token(digest="md5"), rules=rules).reason == "weak digest algorithm md5"
    assert verdict(token(digest="sha1")).ok


def test_bounds_of_time() -> None:
    moment = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    second = timedelta(seconds=1)
    encoding = token(tst_info(time=b"20260102030405Z"))
    assert verdict(encoding, rules=TokenRules(not_after=moment, not_before=moment)).ok
    assert verdict(encoding, rules=TokenRules(not_after=moment - second)).reason == "timestamp lies in the future"
    assert verdict(encoding, rules=TokenRules(not_before=moment + second)).reason == "timestamp is older than the signature"
    assert verdict(encoding, rules=TokenRules(not_after=moment - second, not_before=moment + second, tolerance=second)).ok


def test_validity_of_the_signer_counts_with_both_ends() -> None:
    moment = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    second = timedelta(seconds=1)
    encoding = token(tst_info(time=b"20260102030405.999Z"))
    assert verdict(encoding, signer_validity=(moment, moment)).ok
    early = verdict(encoding, signer_validity=(moment + second, moment + second))
    late = verdict(encoding, signer_validity=(moment - second, moment - second))
    assert early.reason == "timestamp created before start of signer certificate validity."
    assert late.reason == "timestamp created after expiry of signer certificate."
    assert early.remarks == (early.reason,)
    assert early.certificate == certificate("tsa").dump()
