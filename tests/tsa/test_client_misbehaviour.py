"""The client against servers that misbehave, one for each way: the right error in bounded time, and nothing left behind."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from dcmsign.codec import errors
from dcmsign.tsa.bodies import Body
from dcmsign.tsa.query import TimestampQuery

from tests.tsa.asking import SIGNATURE, ask, client, instead
from tests.tsa.servers import (
    OTHER_POLICY,
    POLICY,
    Behaviour,
    Exchange,
    OpenSSLAuthority,
    Server,
    answering,
    dripping,
    flooding,
    gzip_bomb,
    in_turn,
    refusal,
    refusing,
)

Run = Callable[..., Any]
LIMIT = 1 << 20
REFUSED_TWICE = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/timestamp-reply\r\nContent-Type: text/html\r\nContent-Length: 0\r\n\r\n"
)
PAGE = b"<!DOCTYPE html><title>Welcome to our hotel's network</title>"


def raw(data: bytes) -> Behaviour:
    return lambda exchange: exchange.send(data)


def cut(authority: OpenSSLAuthority, **options: Any) -> Behaviour:
    """Half of a good reply."""

    def behave(exchange: Exchange) -> None:
        reply = authority.reply(exchange.request.body)
        exchange.answer(reply[: len(reply) // 2], length=options.get("length", len(reply)))

    return behave


def chunked_and_cut(exchange: Exchange) -> None:
    exchange.answer(length=-1, headers={"Transfer-Encoding": "chunked"})
    exchange.send(b"100\r\n" + bytes(100))


def endless_head(exchange: Exchange) -> None:
    exchange.send(b"HTTP/1.1 200 OK\r\n")
    for _ in range(100):
        exchange.send(b"X-Filler: " + b"x" * 5000 + b"\r\n")


def endless_interim(exchange: Exchange) -> None:
    while not exchange.ending.wait(0.01):
        exchange.send(b"HTTP/1.1 102 Processing\r\n\r\n")


def bomb(exchange: Exchange) -> None:
    exchange.answer(gzip_bomb(20 * LIMIT), headers={"Content-Encoding": "gzip"})


@dataclass(frozen=True)
class Row:
    """What a server does, what comes of it, and how often it is asked."""

    behaviour: Callable[[OpenSSLAuthority], Behaviour]
    error: type[errors.TimestampError]
    text: str
    requests: int = 1
    status: int | None = None
    deadline: float = 5.0


def always(behaviour: Behaviour) -> Callable[[OpenSSLAuthority], Behaviour]:
    return lambda authority: behaviour


Unreachable, Refusal, Bad = errors.AuthorityUnreachable, errors.AuthorityRefusal, errors.BadAuthorityReply
Mismatch, Rejected = errors.TimestampMismatch, errors.TimestampRejected

ROWS = {
    "slow drip": Row(always(dripping(0.01)), Unreachable, "no complete reply within", 3, None, 0.3),
    "silence": Row(always(Exchange.hold), Unreachable, "no complete reply within", 3, None, 0.3),
    "endless interim answers": Row(always(endless_interim), Unreachable, "no complete reply within", 3, None, 0.3),
    "endless head": Row(always(endless_head), Unreachable, "Receive buffer too long", 3),
    "cut body": Row(cut, Unreachable, "without sending complete message body", 3),
    "cut body in chunks": Row(always(chunked_and_cut), Unreachable, "incomplete chunked read", 3),
    "cut body of unknown length": Row(lambda authority: cut(authority, length=-1), Unreachable, "ends too early", 3, 200),
    "cut body, length made right": Row(lambda authority: cut(authority, length=None), Bad, "no timestamp reply", 1, 200),
    "nothing": Row(always(lambda exchange: None), Unreachable, "disconnected without sending a response", 3),
    "reset": Row(always(Exchange.reset), Unreachable, "Connection reset by peer", 3),
    "no HTTP": Row(always(raw(b"SSH-2.0-OpenSSH_9.6\r\n\r\n")), Unreachable, "illegal status line", 3),
    "50 MB": Row(always(flooding(50_000_000)), Bad, f"more than {LIMIT} bytes", 1, 200),
    "50 MB announced": Row(always(answering(length=50_000_000)), Bad, f"more than {LIMIT} bytes", 1, 200),
    "gzip bomb": Row(lambda authority: bomb, Bad, f"more than {LIMIT} bytes", 1, 200),
    "no gzip": Row(always(answering(b"plain", headers={"Content-Encoding": "gzip"})), Bad, "content coding gzip", 1, 200),
    "half a gzip": Row(
        always(answering(gzip.compress(bytes(99))[:-9], headers={"Content-Encoding": "gzip"})), Unreachable, "too early", 3, 200
    ),
    "other coding": Row(always(answering(b"", headers={"Content-Encoding": "br"})), Bad, "content coding 'br'", 1, 200),
    "wrong type": Row(always(answering(b"{}", media_type="application/json")), Bad, "media type 'application/json'", 1, 200),
    "page": Row(always(answering(PAGE, media_type="text/html; charset=utf-8")), Bad, "media type 'text/html'", 1, 200),
    "two types": Row(always(raw(REFUSED_TWICE)), Bad, "media type 'application/timestamp-reply, text/html'", 1, 200),
    "page as reply": Row(always(answering(PAGE)), Bad, "no timestamp reply", 1, 200),
    "empty body": Row(always(answering(b"")), Bad, "no timestamp reply", 1, 200),
    "no content": Row(always(answering(status="204 No Content", length=-1)), Refusal, "HTTP status 204 No Content", 1, 204),
    "query as reply": Row(
        always(lambda exchange: exchange.answer(exchange.request.body)), Bad, "no timestamp reply", 1, 200
    ),
    "bare token": Row(
        lambda authority: lambda exchange: exchange.answer(authority.reply(exchange.request.body)[9:]),
        Bad, "no timestamp reply", 1, 200,
    ),
    "granted without token": Row(always(answering(refusal(0))), Bad, "granted, but not there", 1, 200),
    "wrong nonce": Row(lambda authority: instead(authority, nonce=5), Mismatch, "nonces are not equal"),
    "missing nonce": Row(lambda authority: instead(authority, nonce=None), Mismatch, "nonce is missing"),
    "wrong imprint": Row(lambda authority: instead(authority, signature=b"other"), Mismatch, "message digests do not match"),
    "wrong algorithm": Row(lambda authority: instead(authority, algorithm="SHA512"), Mismatch, "algorithms are different"),
    "wrong policy": Row(lambda authority: instead(authority, policy=OTHER_POLICY), Mismatch, "policy OIDs are not equal"),
    "error 400": Row(always(answering(b"?", status="400 Bad Request")), Refusal, "HTTP status 400 Bad Request", 1, 400),
    "error 403": Row(always(answering(b"?", status="403 Forbidden")), Refusal, "HTTP status 403 Forbidden", 1, 403),
    "error 501": Row(always(answering(b"?", status="501 No")), Refusal, "HTTP status 501 No", 1, 501),
    "rejected": Row(always(answering(refusal(2))), Rejected, "timestamp response status: rejected$"),
    "waiting": Row(always(answering(refusal(3, "later"))), Rejected, r"status: waiting \(later\)$"),
    "revocation warning": Row(always(answering(refusal(4))), Rejected, "status: revocation warning$"),
    "revoked": Row(always(answering(refusal(5))), Rejected, "status: revoked$"),
    "status 9": Row(always(answering(refusal(9))), Rejected, "status: unknown error code 9$"),
    "no time": Row(always(answering(refusal(2, failures=[14]))), Rejected, r"rejected \(timeNotAvailable\)$", 3),
    "system failure": Row(always(answering(refusal(2, "ouch", failures=[25]))), Rejected, r"\(ouch; systemFailure\)$", 3),
    "bad request": Row(always(answering(refusal(2, failures=[2, 5]))), Rejected, r"\(badRequest; badDataFormat\)$"),
}  # fmt: skip
STATUSES = {"rejected": 2, "waiting": 3, "revocation warning": 4, "revoked": 5, "status 9": 9, "no time": 2, "system failure": 2}
RETRIED = (408, 429, 500, 502, 503, 504)
FINAL = (100 + 99, 201, 206, 300, 304, 401, 404, 405, 413, 415, 418, 451, 505, 511, 599)


@pytest.mark.parametrize("name", ROWS)
def test_ends_with_the_right_error(run: Run, authority: OpenSSLAuthority, name: str) -> None:
    row = ROWS[name]
    with Server(row.behaviour(authority)) as server:
        with pytest.raises(row.error, match=row.text) as raised:
            run(ask, client(server.url, timeout=row.deadline, policy=POLICY))
        if row.deadline > 1:  # else it may come too soon for all attempts
            assert len(server.requests) == row.requests
    error = raised.value
    assert type(error) is row.error
    assert str(error).startswith(f"{server.url}: ")
    if isinstance(error, errors.AuthorityError):
        assert (error.url, error.status) == (server.url, row.status)
    if isinstance(error, errors.TimestampRejected):
        assert error.status == STATUSES.get(name, 2)


def test_every_row_is_tried_with_good_luck_too(run: Run, authority: OpenSSLAuthority) -> None:
    """What is retried succeeds as soon as the authority does."""
    for name, row in ROWS.items():
        if row.requests > 1 and row.deadline > 1:
            with Server(in_turn(row.behaviour(authority), authority.behave)) as server:
                granted = run(ask, client(server.url))
                assert len(server.requests) == 2, name
            assert granted.reply.token is not None


@pytest.mark.parametrize("status", RETRIED)
def test_statuses_that_may_pass(run: Run, authority: OpenSSLAuthority, status: int) -> None:
    with Server(answering(status=f"{status} Busy")) as server:
        with pytest.raises(errors.AuthorityUnreachable, match=f"HTTP status {status} Busy") as raised:
            run(ask, client(server.url))
        assert len(server.requests) == 3
    assert raised.value.status == status
    with Server(in_turn(answering(status=f"{status} Busy"), authority.behave)) as server:
        assert run(ask, client(server.url)).reply.token is not None


def test_statuses_that_do_not_pass(run: Run) -> None:
    for status in FINAL[1:]:
        with Server(answering(status=f"{status} Odd")) as server:
            with pytest.raises(errors.AuthorityRefusal, match=f"HTTP status {status}") as raised:
                run(ask, client(server.url))
            assert len(server.requests) == 1, status
        assert raised.value.status == status


def test_nobody_listens(run: Run) -> None:
    with refusing() as url, pytest.raises(errors.AuthorityUnreachable, match=f"^{url}: Connection refused$") as raised:
        run(ask, client(url))
    assert raised.value.status is None


def test_a_name_that_does_not_exist(run: Run) -> None:
    with pytest.raises(errors.AuthorityUnreachable) as raised:
        run(ask, client("http://tsa.invalid/", attempts=1))
    assert raised.value.url == "http://tsa.invalid/"


@pytest.mark.parametrize("host", ["a..b", "x" * 70 + ".example"])
def test_a_name_that_cannot_exist(run: Run, host: str) -> None:
    with pytest.raises(errors.AuthorityError):
        run(ask, client(f"http://{host}/"))


def test_genuine_rejections(run: Run, authority: OpenSSLAuthority) -> None:
    with Server(authority.behave) as server:
        with pytest.raises(errors.TimestampRejected, match=r"not supported.*\(?badAlg\)?") as raised:
            run(ask, client(server.url, algorithm="MD5"))
        assert (raised.value.status, raised.value.failures) == (2, (0,))
        with pytest.raises(errors.TimestampRejected, match="unacceptedPolicy") as raised:
            run(ask, client(server.url, policy="1.2.3.4"))
        assert (raised.value.status, raised.value.failures) == (2, (15,))
        assert len(server.requests) == 2


def test_texts_of_authorities_forge_no_lines(run: Run, all_logs: pytest.LogCaptureFixture) -> None:
    with Server(answering(refusal(2, "no\r\nI: granted\x1b[2K"))) as server, pytest.raises(errors.TimestampRejected) as raised:
        run(ask, client(server.url))
    assert raised.value.texts == (r"no\x0D\x0AI: granted\x1B[2K",)
    assert str(raised.value).endswith(r"rejected (no\x0D\x0AI: granted\x1B[2K)")
    assert not any("\x1b" in record.getMessage() for record in all_logs.records if record.name.startswith("dcmsign"))


def test_reason_phrases_and_types_forge_no_lines(run: Run) -> None:
    for behaviour in answering(status="403 \x9b2K\xe4"), answering(media_type="text/\x9b2K"):
        with Server(behaviour) as server, pytest.raises(errors.AuthorityError) as raised:
            run(ask, client(server.url, attempts=1))
        assert str(raised.value).isprintable()


@pytest.mark.parametrize(
    "media_type", ["application/timestamp-reply; charset=binary", "Application/Timestamp-Reply", "application/timestamp-response"]
)
def test_media_types_that_say_the_same(
    run: Run, authority: OpenSSLAuthority, media_type: str, all_logs: pytest.LogCaptureFixture
) -> None:
    with Server(lambda exchange: exchange.answer(authority.reply(exchange.request.body), media_type=media_type)) as server:
        assert run(ask, client(server.url)).reply.token is not None
    assert not [record for record in all_logs.records if record.levelname == "WARNING"]


@pytest.mark.parametrize("media_type", ["application/octet-stream", None])
def test_vague_media_types(
    run: Run, authority: OpenSSLAuthority, media_type: str | None, all_logs: pytest.LogCaptureFixture
) -> None:
    with Server(lambda exchange: exchange.answer(authority.reply(exchange.request.body), media_type=media_type)) as server:
        assert run(ask, client(server.url)).reply.token is not None
    (warning,) = [record for record in all_logs.records if record.levelname == "WARNING"]
    assert warning.name == "dcmsign.tsa.client"
    assert f"media type '{media_type or ''}'" in warning.getMessage()


def test_an_unasked_for_gzip(run: Run, authority: OpenSSLAuthority) -> None:
    def behave(exchange: Exchange) -> None:
        exchange.answer(gzip.compress(authority.reply(exchange.request.body)), headers={"Content-Encoding": "gzip"})

    with Server(behave) as server:
        assert run(ask, client(server.url)).reply.token is not None


def test_a_bomb_does_not_unfold() -> None:
    body = Body(1000, zipped=True)
    assert not body.add(gzip_bomb(LIMIT))
    assert body.too_large
    assert len(body.content) == 1001


def test_the_size_of_a_reply_may_be_its_limit(run: Run, authority: OpenSSLAuthority) -> None:
    query = TimestampQuery.new(SIGNATURE, nonce=1)
    reply = authority.reply(query.raw)
    for coded, headers in (reply, {}), (gzip.compress(reply), {"Content-Encoding": "gzip"}):
        with Server(answering(coded, headers=headers)) as server:
            assert run(client(server.url, max_size=len(reply)).send, query).raw == reply
            with pytest.raises(errors.BadAuthorityReply, match=f"more than {len(reply) - 1} bytes"):
                run(client(server.url, max_size=len(reply) - 1).send, query)


def test_a_reply_that_ends_with_the_connection(run: Run, authority: OpenSSLAuthority) -> None:
    with Server(lambda exchange: exchange.answer(authority.reply(exchange.request.body), length=-1)) as server:
        assert run(ask, client(server.url)).reply.token is not None
