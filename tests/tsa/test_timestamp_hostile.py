"""Damaged and hostile tokens, replies and queries end in the library's errors or in a verdict that is not good."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from dcmsign.codec.errors import BadTimestampQuery, BadTimestampReply, BadTimestampToken, TimestampMismatch, TimestampRejected
from dcmsign.tsa import ber
from dcmsign.tsa.consistency import check_reply
from dcmsign.tsa.query import TimestampQuery
from dcmsign.tsa.reply import TimestampReply
from dcmsign.tsa.token import Token
from dcmsign.tsa.verification import TokenVerdict, verify_token
from hypothesis import given
from hypothesis import strategies as st

from tests.tsa import peer, stamped, tokens
from tests.tsa.ber import indefinite, split, tlv
from tests.tsa.listing import block
from tests.tsa.test_timestamp_tokens import verdict

READERS: dict[str, tuple[Callable[[bytes], Any], type[Exception]]] = {
    "query": (TimestampQuery.from_der, BadTimestampQuery),
    "reply": (TimestampReply.from_der, BadTimestampReply),
    "token": (Token.from_der, BadTimestampToken),
}
REPLIES = ["granted-sha256", "granted-tsa-ec", "tsa-dsa", "ber-indefinite", "extensions", "ess-v1-and-v2"]


def nested(depth: int, wrap: Callable[[int, bytes], bytes] = tlv, tag: int = 0x30) -> bytes:
    value = b"\x05\x00"
    for _ in range(depth):
        value = wrap(tag, value)
    return value


HOSTILE = {
    "deep": nested(5000),
    "deep and endless": b"\x30\x80" * 100_000,
    "deep indefinite": nested(3000, indefinite),
    "deep octets": nested(3000, indefinite, 0x24),
    "many values": tlv(0x30, b"\x05\x00" * 200_000),
    "huge": tlv(0x30, tlv(4, bytes(ber.MAX_SIZE))),
    "huge and indefinite": indefinite(0x30, tlv(4, bytes(ber.MAX_SIZE))),
    "announced": b"\x30\x88\x7f" + b"\xff" * 7,
    "long length": b"\x30\xfe" + b"\xff" * 126,
    "high tag": b"\x3f\xff\xff\xff\xff\x7f\x00",
    "large number": tlv(0x30, tlv(2, b"\x7f" * 100_000)),
    "large identifier": tlv(0x30, tlv(6, b"\x81" * 100_000 + b"\x01")),
    "primitive, indefinite": b"\x04\x80\x00\x00",
    "piece of another type": tlv(0x24, tlv(0x0C, b"x")),
}


@pytest.mark.parametrize("kind", READERS)
@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_input(kind: str, name: str) -> None:
    read, error = READERS[kind]
    with pytest.raises(error):
        read(HOSTILE[name])


@pytest.mark.parametrize(
    ("good", "bad"),
    [
        (nested(30), nested(40)),
        (tlv(0x30, b"\x05\x00" * 15_000), tlv(0x30, b"\x05\x00" * 25_000)),
        (tlv(4, bytes(ber.MAX_SIZE - 5)), tlv(4, bytes(ber.MAX_SIZE))),
    ],
    ids=["depth", "number", "size"],
)
def test_bounds(good: bytes, bad: bytes) -> None:
    assert ber.read(good).definite == good
    with pytest.raises(ber.BerError):
        ber.read(bad)


@pytest.mark.parametrize(
    "content",
    [
        tokens.tst_info(serial=1 << 60_000),
        tokens.tst_info(version=1 << 60_000),
        tokens.tst_info(nonce=-(1 << 60_000)),
        tokens.tst_info(time=b"9" * 10_000),
        tokens.tst_info(accuracy=tlv(0x30, tokens.integer(1 << 60_000))),
        tokens.tst_info(tsa=tlv(0x82, b"\n\x1b" * 10_000)),
        tokens.tst_info(extensions=tokens.extension(b"\x05\x00" * 4000)),
        tokens.tst_info(extensions=tokens.extension(nested(2000))),
        tokens.tst_info(extensions=tokens.extension(tlv(0x0C, b"\nW: forged"))),
    ],
    ids=["serial", "version", "nonce", "time", "accuracy", "name", "extension", "deep extension", "lines"],
)
def test_listings_stay_finite(content: bytes) -> None:
    lines = block(Token.from_der(tokens.token(content)))
    assert len(lines) < 1100
    assert not any(character in line for line in lines for character in "\n\r\x1b")


def test_status_that_fits_no_long() -> None:
    reply = TimestampReply.from_der(tlv(0x30, tlv(0x30, tokens.integer(1 << 90))))
    with pytest.raises(TimestampRejected, match="status: unknown error code -1"):
        check_reply(TimestampQuery.new(b"x", nonce=1), reply, signature=b"xxxx")


def test_texts_and_failures_of_a_refusal() -> None:
    texts = tlv(0x30, tlv(0x0C, b"one\n\xff") + tlv(0x0C, b"two"))
    bits = bytes((7, 0x84)) + bytes(3) + b"\x80"
    reply = TimestampReply.from_der(tlv(0x30, tlv(0x30, tokens.integer(2) + texts + tlv(3, bits))))
    assert reply.texts == ("one\n\\xff", "two")
    assert reply.failures == (0, 5, 32)
    assert len(TimestampReply.from_der(tlv(0x30, tlv(0x30, tokens.integer(2) + tlv(3, b"\0" + b"\xff" * 9999)))).failures) == 64


def judged(reply: bytes) -> tuple[Token | None, TokenVerdict | None]:
    """Token and verdict of a reply; None where it is refused before."""
    try:
        token = TimestampReply.from_der(reply).token
    except BadTimestampReply:
        return None, None
    return token, None if token is None else verdict(token.raw)


def check_damaged(name: str, damaged: bytes) -> None:
    """A damaged reply is good only if everything that is signed is as it was."""
    good = TimestampReply.from_der(stamped.read(f"tsr/{name}.tsr")).token
    token, found = judged(damaged)
    if token is None or found is None:
        return
    block(token)
    try:
        query = TimestampQuery.from_der(stamped.read("signed/sha256.tsq"))
        check_reply(query, TimestampReply.from_der(damaged), signature=stamped.signatures("signed/sha256.dcm")[0].value)
    except (TimestampMismatch, TimestampRejected):
        pass
    if found.ok:
        assert good is not None
        assert token.content == good.content
        assert token.signers[0].signed_bytes == good.signers[0].signed_bytes
        assert token.signers[0].signature == good.signers[0].signature


@pytest.mark.parametrize("name", REPLIES)
def test_damage_to_every_byte(name: str) -> None:
    reply = stamped.read(f"tsr/{name}.tsr")
    for position in range(0, len(reply), 13):
        check_damaged(name, reply[:position] + bytes((reply[position] ^ 1 << position // 13 % 8,)) + reply[position + 1 :])


@given(
    st.sampled_from(REPLIES),
    st.lists(st.tuples(st.integers(0, 5000), st.integers(0, 255)), min_size=1, max_size=3),
    st.integers(0, 5000),
)
def test_random_damage(name: str, changes: list[tuple[int, int]], cut: int) -> None:
    reply = bytearray(stamped.read(f"tsr/{name}.tsr"))
    for position, value in changes:
        reply[position % len(reply)] = value
    check_damaged(name, bytes(reply[: max(cut, 1)] if cut < len(reply) and cut % 3 == 0 else reply))


@given(st.binary(max_size=200))
def test_random_bytes(data: bytes) -> None:
    for read, error in READERS.values():
        for given_bytes in (data, tlv(0x30, data)):
            try:
                read(given_bytes)
            except error:
                continue


OCTETS = st.binary(max_size=5).map(lambda content: tlv(4, content))
FORMS = st.sampled_from([tlv, indefinite])


def in_sequence(inner: st.SearchStrategy[bytes]) -> st.SearchStrategy[bytes]:
    return st.builds(lambda form, parts: form(0x30, b"".join(parts)), FORMS, st.lists(inner, max_size=4))


@given(st.recursive(OCTETS, in_sequence, max_leaves=20))
def test_definite_form(data: bytes) -> None:
    """openssl sees the same values in it; DER stays as it is, and what follows does not matter."""
    value = ber.read(data + b"\x05\x00")
    assert value.original == data
    assert ber.read(value.definite).definite == value.definite
    if b"\x30\x80" not in data:
        assert value.definite == data


def test_definite_form_against_openssl() -> None:
    data = indefinite(0x30, indefinite(0x31, tlv(4, b"abc") + tlv(2, b"\1")) + tlv(0x0C, b"x") + indefinite(0xA0, b""))
    listings = [
        [
            line[line.index(b":d=") :].split()[-1]
            for line in peer.openssl("asn1parse", "-inform", "DER", data=form).stdout.splitlines()
        ]
        for form in (data, ber.read(data).definite)
    ]
    without_ends = [word for word in listings[0] if word != b"EOC"]
    assert without_ends == listings[1]
    assert split(ber.read(data).definite)[2] == b""


def test_a_path_validator_that_finds_nothing() -> None:
    class Nobody:
        def chain(self, certificate: bytes, helpers: Any) -> None:
            return None

    (signed,) = stamped.signatures("signed/sha256.dcm")
    token = Token.from_der(tokens.token())
    found = verify_token(token, signature=signed.value, signer_validity=signed.validity, path=Nobody())
    assert (found.reason, found.certificate) == ("certificate verify error", None)
