"""Any bytes as timestamp queries, replies and tokens, as certificates and as revocation lists."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from dcmsign.codec.errors import (
    BadCertificateFile,
    BadRevocationListFile,
    BadTimestampQuery,
    BadTimestampReply,
    BadTimestampToken,
    Error,
)
from dcmsign.stream.trust import pem
from dcmsign.stream.trust.anchors import Trust
from dcmsign.stream.trust.certificates import Certificate, Encoding, load_certificates
from dcmsign.stream.trust.keys import load_private_key
from dcmsign.stream.trust.paths import validate_path
from dcmsign.stream.trust.revocation import RevocationCheck, RevocationList, check_deltas, check_own_list, load_revocation_lists
from dcmsign.tsa import ber
from dcmsign.tsa.consistency import check_reply
from dcmsign.tsa.query import TimestampQuery
from dcmsign.tsa.reply import TimestampReply
from dcmsign.tsa.token import Token
from dcmsign.tsa.verification import verify_token

from tests.fuzz import seeds

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
VALIDITY = (datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC))
LONGEST = 1 << 20
"""Characters of everything that is shown of an input of some KiB."""

READERS: dict[str, tuple[Callable[[bytes], Any], type[Error]]] = {
    "query": (TimestampQuery.from_der, BadTimestampQuery),
    "reply": (TimestampReply.from_der, BadTimestampReply),
    "token": (Token.from_der, BadTimestampToken),
}
SHOWN = ("algorithm_text", "serial_text", "nonce_text", "tsa_text", "accuracy_text", "extension_lines")


def check_ber(data: bytes) -> None:
    """What is made definite stays as it is when read again."""
    try:
        value = ber.read(data)
    except ber.BerError:
        return
    assert data.startswith(value.original)
    assert len(value.definite) <= 2 * len(value.original) + 16
    assert ber.read(value.definite).definite == value.definite


def check_timestamp(data: bytes) -> None:
    """Own errors only; what is read is shown in finite, printable lines; a changed token does not become good."""
    check_ber(data)
    for read, own in READERS.values():
        try:
            found = read(data)
        except own:
            continue
        again = read(found.raw)
        assert again == found
        if isinstance(found, TimestampReply):
            assert all(text.isprintable() for text in found.explanations)
            _check_reply(found)
            found = found.token
        if isinstance(found, Token):
            _check_token(found)


def _check_reply(reply: TimestampReply) -> None:
    for data in seeds.timestamps()["query"][:3]:
        try:
            check_reply(TimestampQuery.from_der(data), reply, signature=b"signature")
        except Error:
            continue
        raise AssertionError("a reply about another signature")


def _check_token(token: Token) -> None:
    lines = [line for name in SHOWN for line in ([getattr(token, name)] if name != "extension_lines" else token.extension_lines)]
    assert sum(map(len, lines)) < LONGEST
    assert all(line.isprintable() for line in lines), lines
    verdict = verify_token(token, signature=b"signature", signer_validity=VALIDITY, path=None)
    assert not verdict.ok, "a token about another signature"


def check_certificates(data: bytes) -> None:
    """Own errors only; what is read is shown, compared, looked up and, unsigned by anybody, never trusted."""
    found: list[Certificate] = []
    lists: list[RevocationList] = []
    for encoding in Encoding:
        try:
            found += load_certificates(data, encoding, name="fuzz")
        except BadCertificateFile as error:
            assert error.path == "fuzz"
        try:
            lists += load_revocation_lists(data, encoding, name="fuzz")
        except BadRevocationListFile as error:
            assert error.path == "fuzz"
        if b"ENCRYPTED" not in data:  # an encrypted key says itself how long it takes to find out that a password is wrong
            try:
                load_private_key(data, encoding, name="fuzz")
            except Error as error:
                assert error.path == "fuzz"
    for certificate in found[:3]:
        assert Certificate.from_der(certificate.der) == certificate
        shown = f"{certificate.subject}{certificate.issuer}{certificate.key_text}{certificate.weak_key_text}{certificate!r}"
        assert len(shown) < LONGEST
        assert shown.isprintable(), shown
        certificate.canonical_names()
        check_own_list(certificate, lists, NOW)
        check_deltas(certificate, certificate, lists, NOW)
        assert validate_path(certificate, Trust.NONE, at=NOW) is not None
        validate_path(certificate, Trust((certificate,), revocation_lists=tuple(lists)), at=NOW)
        validate_path(certificate, Trust(tuple(found[:3]), revocation=RevocationCheck.CHAIN), at=NOW)
    for revoked in lists[:3]:
        assert RevocationList.from_der(revoked.der) == revoked


def tokens() -> list[bytes]:
    """Queries, replies and tokens."""
    return [data for kind in seeds.timestamps().values() for data in kind]


def certificates() -> list[bytes]:
    """Certificates and lists, in PEM and in DER."""
    found = list(seeds.certificates())
    for data in seeds.certificates():
        try:
            found += [block.der for block in pem.blocks(data)]
        except pem.PemError:
            continue
    return found
