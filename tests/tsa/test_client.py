"""The client against good authorities: ``openssl ts`` and certomancer."""

from __future__ import annotations

import base64
import hashlib
import ssl
import subprocess
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from dcmsign.codec import errors
from dcmsign.tsa.client import TimestampClient
from dcmsign.tsa.query import TimestampQuery
from dcmsign.tsa.reply import TimestampReply

from tests.peers import require_peer
from tests.stream import leaks
from tests.tsa import certomancer_authority
from tests.tsa.asking import SIGNATURE, ask, client, judged_by_openssl
from tests.tsa.certomancer_authority import Certomancer, certomancer
from tests.tsa.servers import OTHER_POLICY, POLICY, OpenSSLAuthority, Server, answering, in_turn

Run = Callable[..., Any]


@pytest.fixture
def server(authority: OpenSSLAuthority) -> Iterator[Server]:
    with Server(authority.behave) as running:
        yield running


@pytest.fixture(scope="session")
def other(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Certomancer]:
    with certomancer(tmp_path_factory.mktemp("certomancer")) as running:
        yield running


@pytest.mark.parametrize("algorithm", ["SHA256", "SHA384", "SHA512", "SHA1", "RIPEMD160"])
def test_what_openssl_grants_openssl_accepts(
    run: Run, server: Server, authority: OpenSSLAuthority, tmp_path: Path, algorithm: str
) -> None:
    granted = run(ask, client(server.url, algorithm=algorithm))
    assert granted.reply.status == 0
    assert granted.query.imprint == granted.reply.token.imprint == hashlib.new(algorithm.lower(), SIGNATURE).digest()
    assert judged_by_openssl(tmp_path, granted.query.raw, granted.reply.raw, "-CAfile", authority.ca) == "OK"


def test_what_certomancer_grants_openssl_accepts(run: Run, other: Certomancer, tmp_path: Path) -> None:
    granted = run(ask, client(other.url))
    (tmp_path / "ca.der").write_bytes(other.ca)
    pem = b"-----BEGIN CERTIFICATE-----\n%s-----END CERTIFICATE-----\n"
    (tmp_path / "ca.pem").write_bytes(pem % base64.encodebytes(other.ca))
    assert judged_by_openssl(tmp_path, granted.query.raw, granted.reply.raw, "-CAfile", tmp_path / "ca.pem") == "OK"
    assert granted.reply.token.policy == certomancer_authority.POLICY


def test_a_policy_that_certomancer_ignores(run: Run, other: Certomancer) -> None:
    with pytest.raises(errors.TimestampMismatch, match="policy OIDs are not equal") as raised:
        run(ask, client(other.url, policy="1.2.3.4"))
    assert raised.value.path == other.url


def test_a_timestamp_of_another_time(run: Run, other: Certomancer) -> None:
    async def years_ago() -> Any:
        headers = {certomancer_authority.FAKE_TIME: "2025-01-01T00:00:00+00:00"}
        async with httpx.AsyncClient(headers=headers, trust_env=False) as http:
            return await client(other.url, client=http).timestamp(SIGNATURE)

    assert run(years_ago).reply.token.time == datetime(2025, 1, 1, tzinfo=UTC)


def test_the_request(run: Run, server: Server) -> None:
    granted = run(ask, client(server.url))
    (request,) = server.requests
    assert (request.method, request.target, request.body) == ("POST", "/tsa", granted.query.raw)
    sent = {name: request.headers.get(name) for name in ("content-type", "accept", "accept-encoding", "content-length")}
    assert sent == {
        "content-type": "application/timestamp-query",
        "accept": "application/timestamp-reply",
        "accept-encoding": "identity",
        "content-length": str(len(granted.query.raw)),
    }
    assert not {"authorization", "cookie", "transfer-encoding"} & set(request.headers)


@pytest.mark.parametrize(
    ("options", "nonce", "policy", "certificates"),
    [({}, True, POLICY, 2), ({"nonce": False}, False, POLICY, 2), ({"policy": OTHER_POLICY}, True, OTHER_POLICY, 2),
     ({"certificate": False}, True, POLICY, 0)],
)  # fmt: skip
def test_what_is_asked_for(
    run: Run, server: Server, options: dict[str, Any], nonce: bool, policy: str, certificates: int
) -> None:
    granted = run(ask, client(server.url, **options))
    assert (granted.query.nonce is not None) == nonce
    assert granted.reply.token.nonce == granted.query.nonce
    assert granted.reply.token.policy == policy
    assert len(granted.reply.token.certificates) == certificates


def test_a_query_that_exists_is_sent_as_it_is(run: Run, server: Server, authority: OpenSSLAuthority) -> None:
    server.behaviour = in_turn(answering(status="503 Busy"), answering(status="500 Broken"), authority.behave)
    query = TimestampQuery.new(SIGNATURE, nonce=0x1234)
    reply = run(client(server.url).send, query)
    assert [request.body for request in server.requests] == [query.raw] * 3
    assert reply.token.nonce == 0x1234


def test_the_query_of_another_program(run: Run, server: Server, tmp_path: Path) -> None:
    command = [require_peer("openssl"), "ts", "-query", "-digest", "00" * 64, "-sha512", "-out", str(tmp_path / "query")]
    subprocess.run(command, check=True, capture_output=True)
    raw = (tmp_path / "query").read_bytes()
    reply = run(client(server.url).send, TimestampQuery.from_der(raw))
    assert [request.body for request in server.requests] == [raw]
    assert reply.token.imprint == bytes(64)


def test_every_attempt_has_a_nonce_of_its_own(run: Run, server: Server, authority: OpenSSLAuthority) -> None:
    server.behaviour = in_turn(answering(status="503 Busy"), answering(status="503 Busy"), authority.behave)
    granted = run(ask, client(server.url))
    queries = [TimestampQuery.from_der(request.body) for request in server.requests]
    assert len({query.nonce for query in queries}) == 3
    assert queries[2] == granted.query
    assert {query.imprint for query in queries} == {granted.query.imprint}


def test_a_reply_to_an_earlier_attempt(run: Run, server: Server, authority: OpenSSLAuthority) -> None:
    def late(exchange: Any) -> None:
        exchange.answer(authority.reply(server.requests[0].body))

    server.behaviour = in_turn(answering(status="503 Busy"), late)
    with pytest.raises(errors.TimestampMismatch, match="nonces are not equal"):
        run(ask, client(server.url))
    assert len(server.requests) == 2


def test_connections_are_kept_inside_the_context(run: Run, server: Server) -> None:
    asking = client(server.url)

    async def thrice() -> None:
        for _ in range(3):
            await ask(asking)

    async def kept() -> None:
        async with asking:
            await thrice()

    run(kept)
    assert server.accepted == 1
    run(thrice)
    assert server.accepted == 4
    run(kept)  # in another event loop
    assert server.accepted == 5


def test_no_connection_waits_for_a_body_that_nobody_wants(run: Run) -> None:
    """Within the context, too, where connections are kept."""

    async def inside() -> None:
        async with client(refusing.url) as asking:
            for _ in range(3):
                with pytest.raises(errors.AuthorityRefusal):
                    await ask(asking)
            leaks.wait_until(lambda: refusing.open_connections == 0, "connections left")

    with Server(answering(bytes(100_000), status="403 Forbidden")) as refusing:
        run(inside)
        assert refusing.accepted == 3


def test_many_at_once(run: Run, server: Server) -> None:
    granted: list[Any] = []

    async def all_at_once() -> None:
        async with client(server.url) as asking, anyio.create_task_group() as tasks:
            for number in range(6):
                tasks.start_soon(one, asking, bytes([number]) * 100)

    async def one(asking: TimestampClient, signature: bytes) -> None:
        stamped = await asking.timestamp(signature)
        granted.append((signature, stamped))

    run(all_at_once)
    assert {stamped.reply.token.imprint for _, stamped in granted} == {
        hashlib.sha256(bytes([number]) * 100).digest() for number in range(6)
    }
    assert all(hashlib.sha256(signature).digest() == stamped.reply.token.imprint for signature, stamped in granted)


def test_a_check_of_the_caller(run: Run, server: Server) -> None:
    seen: list[tuple[TimestampQuery, TimestampReply]] = []
    granted = run(ask, client(server.url), lambda query, reply: seen.append((query, reply)))
    assert seen == [(granted.query, granted.reply)]


def test_a_check_that_fails_is_final(run: Run, server: Server) -> None:
    def check(query: TimestampQuery, reply: TimestampReply) -> None:
        raise errors.TimestampMismatch("signature failure")

    with pytest.raises(errors.TimestampMismatch, match=f"^{server.url}: signature failure$"):
        run(ask, client(server.url), check)
    assert len(server.requests) == 1


def test_a_check_sees_only_replies_that_fit(run: Run, server: Server, authority: OpenSSLAuthority) -> None:
    seen: list[object] = []
    server.behaviour = lambda exchange: exchange.answer(authority.reply(TimestampQuery.new(b"other", nonce=1).raw))
    with pytest.raises(errors.TimestampMismatch, match="message digests do not match"):
        run(ask, client(server.url), lambda query, reply: seen.append(reply))
    assert not seen


def test_a_mistake_in_a_check_is_not_hidden(run: Run, server: Server) -> None:
    def check(query: TimestampQuery, reply: TimestampReply) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run(ask, client([server.url, server.url]), check)
    assert len(server.requests) == 1


def test_a_client_of_the_caller_stays_open(run: Run, server: Server) -> None:
    async def twice() -> None:
        async with httpx.AsyncClient(headers={"X-Api-Key": "42"}, trust_env=False) as http:
            for _ in range(2):
                async with client(server.url, client=http) as asking:
                    await ask(asking)
            assert not http.is_closed

    run(twice)
    assert [request.headers["x-api-key"] for request in server.requests] == ["42", "42"]
    assert server.accepted == 1


def test_a_transport_of_the_caller_stays_open(run: Run, server: Server) -> None:
    async def twice() -> None:
        async with httpx.AsyncHTTPTransport() as transport:
            for _ in range(2):
                await ask(client(server.url, transport=transport))

    run(twice)
    assert server.accepted == 1


@pytest.mark.parametrize(
    "options",
    [
        {"timeout": 0},
        {"timeout": float("nan")},
        {"attempts": 0},
        {"max_size": 0},
        {"pause": -1},
        {"pause": float("nan")},
        {"follow_redirects": -1},
        {"url": []},
        {"auth": ("a:b", "c")},
    ],
)
def test_senseless_options(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        TimestampClient(**{"url": "https://tsa.example/", **options})


def test_options_that_exclude_each_other() -> None:
    with pytest.raises(ValueError, match="one of"):
        TimestampClient("https://tsa.example/", client=httpx.AsyncClient(), tls=ssl.create_default_context())


@pytest.mark.parametrize("url", ["", "tsa.example", "ftp://tsa.example/", "http:///tsa", "/tsa", "http://[::1/", "http://a:b/"])
def test_what_is_no_url(url: str) -> None:
    with pytest.raises(errors.AuthorityError):
        TimestampClient(url)


def test_a_policy_that_is_none() -> None:
    with pytest.raises(errors.BadPolicy):
        TimestampClient("https://tsa.example/", policy="foo.bar")
    with pytest.raises(KeyError):
        TimestampClient("https://tsa.example/", algorithm="SHA3")
