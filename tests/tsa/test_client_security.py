"""Whom the client tells what: passwords, redirects, TLS."""

from __future__ import annotations

import base64
import logging
import ssl
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from dcmsign.codec import errors
from dcmsign.tsa.client import TimestampClient

from tests.tsa.asking import PASSWORD, SIGNATURE, ask, client
from tests.tsa.pki import CLIENT, SERVER, CertificationAuthority
from tests.tsa.servers import Behaviour, Exchange, OpenSSLAuthority, Server, answering, in_turn

Run = Callable[..., Any]
USER = "radiology"
BASIC = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
SECRETS = (PASSWORD, quote(PASSWORD, safe=""), BASIC.removeprefix("Basic "))


def guarded(authority: OpenSSLAuthority) -> Behaviour:
    """An authority for those who know the password."""

    def behave(exchange: Exchange) -> None:
        if exchange.request.headers.get("authorization") == BASIC:
            authority.behave(exchange)
        else:
            exchange.answer(
                b'{"error": "who are you?"}',
                status="401 Unauthorized",
                media_type="application/json",
                headers={"WWW-Authenticate": 'Basic realm="TSA"'},
            )

    return behave


def redirecting(location: str, status: str = "307 Temporary Redirect") -> Behaviour:
    return answering(b"elsewhere", status=status, headers={"Location": location})


def all_said(error: BaseException, logs: pytest.LogCaptureFixture, *others: object) -> str:
    """Everything that was shown to anybody."""
    formatter = logging.Formatter("%(name)s %(message)s")
    said = [formatter.format(record) for record in logs.records]
    said += [*traceback.format_exception(error), repr(error), str(error), repr(vars(error)), *map(repr, others)]
    return "\n".join(said)


# passwords


def test_a_password(run: Run, authority: OpenSSLAuthority) -> None:
    with Server(guarded(authority)) as server:
        assert run(ask, client(server.url, auth=(USER, PASSWORD))).reply.token is not None
        assert [request.headers["authorization"] for request in server.requests] == [BASIC]


def test_a_password_in_the_url(run: Run, authority: OpenSSLAuthority) -> None:
    with Server(guarded(authority)) as server:
        url = server.url_of(f"{USER}:{quote(PASSWORD, safe='')}@localhost")
        assert run(ask, client(url, auth=("not", "this"))).reply.token is not None
        assert server.requests[0].target == "/tsa"


def test_without_the_password(run: Run, authority: OpenSSLAuthority) -> None:
    with Server(guarded(authority)) as server:
        for options in {}, {"auth": (USER, "wrong")}:
            with pytest.raises(errors.AuthorityRefusal, match="HTTP status 401 Unauthorized") as raised:
                run(ask, client(server.url, **options))
            assert raised.value.status == 401
        assert len(server.requests) == 2


def test_a_password_of_the_callers_client(run: Run, authority: OpenSSLAuthority) -> None:
    async def asking() -> Any:
        async with httpx.AsyncClient(auth=(USER, PASSWORD), trust_env=False) as http:
            return await ask(client(server.url, client=http))

    with Server(guarded(authority)) as server:
        assert run(asking).reply.token is not None


@pytest.mark.parametrize(
    "behaviour",
    [
        answering(status="401 Unauthorized", headers={"WWW-Authenticate": "Basic"}),
        answering(status="503 Busy"),
        answering(b"<html>", media_type="text/html"),
        answering(b"garbage"),
        redirecting("/elsewhere"),
        redirecting("ftp://example.invalid/"),
        Exchange.reset,
        Exchange.hold,
    ],
)
def test_nobody_hears_the_password(run: Run, all_logs: pytest.LogCaptureFixture, behaviour: Behaviour) -> None:
    with Server(behaviour) as server:
        in_url = server.url_of(f"{USER}:{quote(PASSWORD, safe='')}@127.0.0.1")
        for url, options in (server.url, {"auth": (USER, PASSWORD)}), (in_url, {}):
            asking = client(url, timeout=0.3 if behaviour is Exchange.hold else 5.0, follow_redirects=1, **options)
            with pytest.raises(errors.AuthorityError) as raised:
                run(ask, asking)
            said = all_said(raised.value, all_logs, asking)
            assert server.url in said
            assert f"{USER}:" not in said
            assert not [secret for secret in SECRETS if secret in said]
        assert {request.headers.get("authorization") for request in server.requests} == {BASIC}


@pytest.mark.parametrize(
    "url", ["http://tsa.example/", "http://10.0.0.1/", "http://127.0.0.1.example/", "http://localhost.example"]
)
def test_passwords_go_over_tls_only(url: str, all_logs: pytest.LogCaptureFixture) -> None:
    with pytest.raises(errors.AuthorityError, match="https only") as raised:
        TimestampClient(url, auth=(USER, PASSWORD))
    assert raised.value.url.startswith(url)
    with pytest.raises(errors.AuthorityError, match="https only") as in_url:
        TimestampClient([url.replace("//", f"//{USER}:{quote(PASSWORD, safe='')}@")])
    said = all_said(raised.value, all_logs) + all_said(in_url.value, all_logs)
    assert not [secret for secret in SECRETS if secret in said]
    TimestampClient(url, auth=(USER, PASSWORD), insecure_auth=True)


@pytest.mark.parametrize(
    "url", ["https://tsa.example/", "http://localhost/", "http://127.0.0.1/", "http://127.1.2.3/", "http://[::1]/"]
)
def test_where_passwords_may_go(url: str) -> None:
    TimestampClient(url, auth=(USER, PASSWORD))


@pytest.mark.parametrize(
    "url",
    [
        f"http://{USER}:{PASSWORD}@tsa.example/",
        f"https://{USER}:{PASSWORD}@tsa.example/",
        f"https://{USER}:s?crt#pass@tsa.example/",
        f"ftp://{USER}:pass@tsa.example/",
        f"https://{USER}:{PASSWORD}\n@[/",
    ],
)
def test_urls_that_are_none_are_shown_without_password(url: str, all_logs: pytest.LogCaptureFixture) -> None:
    with pytest.raises(errors.AuthorityError) as raised:
        TimestampClient(url)
    said = all_said(raised.value, all_logs)
    assert not [part for part in (USER, "w@rd", "rd/", "crt", "pass@") if part in said]


def test_keys_in_queries_are_sent_but_not_shown(run: Run, all_logs: pytest.LogCaptureFixture) -> None:
    with Server(answering(status="403 No"), path="/tsa?key=4711") as server:
        asking = client(server.url)
        with pytest.raises(errors.AuthorityRefusal) as raised:
            run(ask, asking)
        assert server.requests[0].target == "/tsa?key=4711"
    logged = "\n".join(record.getMessage() for record in all_logs.records if record.name.startswith("dcmsign"))
    assert "4711" not in f"{raised.value} {raised.value.url} {asking!r} {logged}"


# redirects


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_no_redirect_is_followed_by_default(run: Run, authority: OpenSSLAuthority, status: int) -> None:
    with Server(authority.behave) as target, Server(redirecting(target.url, f"{status} Elsewhere")) as server:
        with pytest.raises(errors.AuthorityRefusal, match=f"redirect .*to {target.url}") as raised:
            run(ask, client(server.url))
        assert raised.value.status == status
        assert (len(server.requests), len(target.requests)) == (1, 0)


@pytest.mark.parametrize("status", [307, 308])
def test_redirects_that_repeat_the_post(run: Run, authority: OpenSSLAuthority, status: int) -> None:
    with Server(in_turn(redirecting("/new?a=b", f"{status} Elsewhere"), authority.behave)) as server:
        granted = run(ask, client(server.url, follow_redirects=1, auth=(USER, PASSWORD)))
        assert [(request.method, request.target, request.body) for request in server.requests] == [
            ("POST", "/tsa", granted.query.raw),
            ("POST", "/new?a=b", granted.query.raw),
        ]
        assert {request.headers.get("authorization") for request in server.requests} == {BASIC}
        kinds = {request.headers.get("content-type") for request in server.requests}
        assert kinds == {"application/timestamp-query"}


@pytest.mark.parametrize("status", [301, 302, 303])
def test_redirects_that_change_the_method_are_never_followed(run: Run, authority: OpenSSLAuthority, status: int) -> None:
    with Server(in_turn(redirecting("/new", f"{status} Elsewhere"), authority.behave)) as server:
        with pytest.raises(errors.AuthorityRefusal, match=f"HTTP status {status}"):
            run(ask, client(server.url, follow_redirects=3))
        assert len(server.requests) == 1


def test_redirect_loop(run: Run) -> None:
    with Server(redirecting("/tsa")) as server:
        with pytest.raises(errors.AuthorityRefusal, match="more than 3 redirects"):
            run(ask, client(server.url, follow_redirects=3))
        assert len(server.requests) == 4


def test_another_host_gets_no_credentials(run: Run, authority: OpenSSLAuthority) -> None:
    with Server(authority.behave) as target, Server(redirecting(target.url)) as server:
        run(ask, client(server.url, follow_redirects=1, auth=(USER, PASSWORD)))
        assert server.requests[0].headers["authorization"] == BASIC
        assert "authorization" not in target.requests[0].headers


def test_another_host_gets_nothing_of_the_callers_client(run: Run, authority: OpenSSLAuthority) -> None:
    async def asking() -> Any:
        options: dict[str, Any] = {"headers": {"X-Api-Key": "zebra"}, "cookies": {"session": "zebra"}, "params": {"key": "zebra"}}
        async with httpx.AsyncClient(auth=(USER, PASSWORD), trust_env=False, **options) as http:
            return await ask(client(server.url, client=http, follow_redirects=1))

    with Server(authority.behave) as target, Server(redirecting(target.url_of(f"{USER}:{USER}@localhost"))) as server:
        run(asking)
        assert server.requests[0].headers["authorization"] == BASIC
        assert "zebra" in server.requests[0].headers["x-api-key"]
        assert "zebra" not in str(target.requests[0])
        assert "authorization" not in target.requests[0].headers


def test_there_and_back_again_without_credentials(run: Run, authority: OpenSSLAuthority) -> None:
    with Server(Exchange.hold) as target, Server(in_turn(redirecting(target.url), authority.behave)) as server:
        target.behaviour = redirecting(server.url)
        run(ask, client(server.url, follow_redirects=2, auth=(USER, PASSWORD)))
        assert [request.headers.get("authorization") for request in server.requests] == [BASIC, None]


@pytest.mark.parametrize(
    "location", ["ftp://tsa.example/", "file:///etc/passwd", "javascript:alert(1)", "//", "http://[", "http://a b/"]
)
def test_odd_locations(run: Run, location: str) -> None:
    with Server(redirecting(location)) as server, pytest.raises(errors.AuthorityError) as raised:
        run(ask, client(server.url, follow_redirects=3, attempts=1))
    assert str(raised.value).isprintable()


def test_a_redirect_to_nowhere(run: Run) -> None:
    with Server(answering(status="307 Elsewhere")) as server, pytest.raises(errors.AuthorityRefusal, match="HTTP status 307"):
        run(ask, client(server.url, follow_redirects=3))


# TLS


@dataclass(frozen=True)
class Tls:
    """Contexts of servers, and what a client needs to trust them."""

    ca: Path
    server: ssl.SSLContext
    misnamed: ssl.SSLContext
    for_clients_with_certificates: ssl.SSLContext
    client_files: tuple[Path, Path]

    def client(self, *, certificate: bool = False) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=str(self.ca))
        if certificate:
            context.load_cert_chain(*self.client_files)
        return context


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> Tls:
    ca = CertificationAuthority(tmp_path_factory.mktemp("tls"), "TLS CA")

    def context(*hosts: str) -> ssl.SSLContext:
        identity = ca.issue(hosts[0], SERVER, *hosts)
        made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        made.load_cert_chain(identity.certificate, identity.key)
        return made

    demanding = context("127.0.0.1")
    demanding.load_verify_locations(str(ca.certificate))
    demanding.verify_mode = ssl.CERT_REQUIRED
    owner = ca.issue("CT scanner 3", CLIENT)
    return Tls(
        ca.certificate, context("127.0.0.1", "localhost"), context("other.example"), demanding, (owner.certificate, owner.key)
    )


def test_a_custom_authority(run: Run, authority: OpenSSLAuthority, tls: Tls) -> None:
    with Server(guarded(authority), tls=tls.server) as server:
        for url in server.url, server.url_of("localhost"):
            assert run(ask, client(url, tls=tls.client(), auth=(USER, PASSWORD))).reply.token is not None


def test_unknown_authorities_are_not_trusted(run: Run, authority: OpenSSLAuthority, tls: Tls) -> None:
    with Server(authority.behave, tls=tls.server) as server:
        with pytest.raises(errors.AuthorityUnreachable, match="TLS: unable to get local issuer certificate") as raised:
            run(ask, client(server.url))
        assert (server.requests, server.accepted) == ([], 1)
    assert raised.value.status is None


def test_the_name_must_be_right(run: Run, authority: OpenSSLAuthority, tls: Tls) -> None:
    with Server(authority.behave, tls=tls.misnamed) as server:
        with pytest.raises(errors.AuthorityUnreachable, match=r"TLS: (IP address|Hostname) mismatch"):
            run(ask, client(server.url, tls=tls.client(), auth=(USER, PASSWORD)))
        assert (server.requests, server.accepted) == ([], 1)


def test_a_client_certificate(run: Run, authority: OpenSSLAuthority, tls: Tls) -> None:
    with Server(authority.behave, tls=tls.for_clients_with_certificates) as server:
        assert run(ask, client(server.url, tls=tls.client(certificate=True))).reply.token is not None
        assert [request.client for request in server.requests] == ["CT scanner 3"]
        with pytest.raises(errors.AuthorityUnreachable):
            run(ask, client(server.url, tls=tls.client()))
        assert len(server.requests) == 1


def test_no_tls_where_there_should_be(run: Run, tls: Tls) -> None:
    with Server(answering(status="400 Bad Request"), reading=False) as server:
        url = server.url.replace("http:", "https:")
        with pytest.raises(errors.AuthorityUnreachable, match="TLS: wrong version number") as raised:
            run(ask, client(url, tls=tls.client()))
        assert server.accepted == 1
    assert raised.value.url == url


def test_tls_where_there_should_be_none(run: Run, authority: OpenSSLAuthority, tls: Tls) -> None:
    with Server(authority.behave, tls=tls.server) as server, pytest.raises(errors.AuthorityUnreachable):
        run(ask, client(server.url.replace("https:", "http:")))


def test_silence_during_the_handshake(run: Run, tls: Tls) -> None:
    with Server(Exchange.hold, reading=False) as server:
        with pytest.raises(errors.AuthorityUnreachable, match="no complete reply within"):
            run(ask, client(server.url.replace("http:", "https:"), tls=tls.client(), timeout=0.2, attempts=2))
        assert server.accepted == 2


def test_the_end_while_the_query_is_sent(run: Run) -> None:
    """On trio, iterators that are not ended properly would complain."""
    with Server(Exchange.reset, reading=False) as server:
        for _ in range(30):
            with pytest.raises(errors.AuthorityUnreachable):
                run(ask, client(server.url, attempts=1))


def test_the_end_during_the_handshake_may_pass(run: Run, tls: Tls) -> None:
    for behaviour in Exchange.reset, lambda exchange: None:
        with Server(behaviour, reading=False) as server:
            with pytest.raises(errors.AuthorityUnreachable):
                run(ask, client(server.url.replace("http:", "https:"), tls=tls.client()))
            assert server.accepted == 3


def test_redirects_from_http_to_https_only(run: Run, authority: OpenSSLAuthority, tls: Tls) -> None:
    with Server(authority.behave) as plain, Server(authority.behave, tls=tls.server) as secure:
        plain.behaviour = redirecting(secure.url)
        assert run(ask, client(plain.url, tls=tls.client(), follow_redirects=1)).reply.token is not None
        secure.behaviour = redirecting(plain.url)
        with pytest.raises(errors.AuthorityRefusal, match=f"redirect from https to {plain.url}"):
            run(ask, client(secure.url, tls=tls.client(), follow_redirects=1))
        assert len(plain.requests) == 1


def test_cut_in_tls(run: Run, authority: OpenSSLAuthority, tls: Tls) -> None:
    def cut(exchange: Exchange) -> None:
        exchange.answer(authority.reply(exchange.request.body)[:500], length=1000)

    with Server(in_turn(cut, authority.behave), tls=tls.server) as server:
        assert run(ask, client(server.url, tls=tls.client())).reply.token is not None
        assert len(server.requests) == 2


def test_proxies_do_not_get_between_a_machine_and_itself(
    run: Run, authority: OpenSSLAuthority, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Server(authority.behave) as server, Server(answering(status="403 Proxy")) as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        monkeypatch.delenv("no_proxy", raising=False)
        monkeypatch.delenv("NO_PROXY", raising=False)
        assert run(ask, client(server.url)).reply.token is not None
        assert proxy.requests == []
        with pytest.raises(errors.AuthorityRefusal, match="403 Proxy"):
            run(TimestampClient("http://tsa.invalid/").timestamp, SIGNATURE)
        assert proxy.requests[0].target == "http://tsa.invalid/"


@pytest.mark.parametrize("proxy", ["foo://user:secret@proxy.example", "http://user:secret@proxy.example:0x50"])
def test_a_proxy_that_cannot_be_used(run: Run, monkeypatch: pytest.MonkeyPatch, proxy: str) -> None:
    monkeypatch.setenv("http_proxy", proxy)
    monkeypatch.delenv("no_proxy", raising=False)
    with pytest.raises(errors.AuthorityError, match="the environment names a proxy that cannot be used") as caught:
        run(ask, client("http://tsa.invalid/"))
    assert "secret" not in "".join(traceback.format_exception(caught.value))
