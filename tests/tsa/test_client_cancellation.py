"""Cancelled at every point where it waits, the client leaves no connection, task or thread behind."""

from __future__ import annotations

import contextlib
import gc
import ssl
import threading
from collections.abc import Callable, Iterator
from typing import Any

import anyio
import httpx
import pytest
from dcmsign.codec import errors
from dcmsign.tsa.client import TimestampClient
from dcmsign.tsa.query import TimestampQuery

from tests.stream import leaks
from tests.stream.interrupts import CANCELLERS
from tests.tsa.asking import SIGNATURE, Pauses, ask
from tests.tsa.pki import SERVER, CertificationAuthority
from tests.tsa.servers import Behaviour, Exchange, OpenSSLAuthority, Server, answering, dripping

MOST = 500
"""Points at which an operation may wait."""
SHORT: dict[str, Any] = {"timeout": 0.1, "attempts": 1}


@pytest.fixture(scope="module")
def contexts(tmp_path_factory: pytest.TempPathFactory) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """Of a server, and of a client that trusts it."""
    ca = CertificationAuthority(tmp_path_factory.mktemp("tls"))
    identity = ca.issue("server", SERVER, "127.0.0.1")
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(identity.certificate, identity.key)
    return made, ssl.create_default_context(cafile=str(ca.certificate))


@pytest.fixture(scope="module")
def good(authority: OpenSSLAuthority) -> Behaviour:
    """An authority that has its answer ready."""
    return answering(authority.reply(TimestampQuery.new(SIGNATURE, nonce=None).raw))


@pytest.fixture(params=CANCELLERS)
def how(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


async def _alone(asking: TimestampClient) -> None:
    await ask(asking)


async def _kept(asking: TimestampClient) -> None:
    async with asking:
        await ask(asking)
        await ask(asking)


async def _in_vain(asking: TimestampClient) -> None:
    with contextlib.suppress(errors.AuthorityUnreachable):
        await ask(asking)


def cancel_everywhere(how: str, server: Server, operation: Callable[[], Any]) -> int:
    """Run an operation again and again, each time cancelled a step later; returns at how many points it waits."""
    backend, cancelled = CANCELLERS[how]

    async def once(number: int) -> bool:
        tasks = len(anyio.get_running_tasks())
        reached, caught = await cancelled(operation(), number)
        assert len(anyio.get_running_tasks()) == tasks
        assert caught or not reached or number > 0
        return reached

    threads, descriptors = threading.active_count(), leaks.open_descriptors()
    for number in range(MOST):
        reached = anyio.run(once, number, backend=backend)
        gc.collect(1)
        leaks.wait_until(lambda: server.open_connections == 0, "connections left")
        leaks.wait_until(lambda: leaks.open_descriptors().items() <= descriptors.items(), "descriptors left")
        if backend == "asyncio":
            leaks.wait_until(lambda: threading.active_count() <= threads, "threads left")
        if not reached:
            return number
    return MOST


def asking(url: str, **options: Any) -> TimestampClient:
    return TimestampClient(url, **{"nonce": False, "timeout": 5.0, "sleep": Pauses(), **options})


@pytest.mark.parametrize("operation", [_alone, _kept])
def test_good_answer(how: str, good: Behaviour, operation: Any) -> None:
    with Server(good) as server:
        points = cancel_everywhere(how, server, lambda: operation(asking(server.url)))
        assert 5 < points < MOST
        assert server.requests


def test_tls(how: str, good: Behaviour, contexts: tuple[ssl.SSLContext, ssl.SSLContext]) -> None:
    with Server(good, tls=contexts[0]) as server:
        points = cancel_everywhere(how, server, lambda: ask(asking(server.url, tls=contexts[1])))
        assert 8 < points < MOST


def test_endless_handshake(how: str, contexts: tuple[ssl.SSLContext, ssl.SSLContext]) -> None:
    with Server(Exchange.hold, reading=False) as server:
        url = server.url.replace("http:", "https:")
        assert cancel_everywhere(how, server, lambda: _in_vain(asking(url, tls=contexts[1], **SHORT))) > 3
        assert server.accepted


def test_endless_answer(how: str) -> None:
    with Server(dripping(0.005)) as server:
        assert cancel_everywhere(how, server, lambda: _in_vain(asking(server.url, **SHORT))) > 10
        assert server.requests


def test_redirects_and_retries(how: str, good: Behaviour) -> None:
    def behave(exchange: Exchange) -> None:
        if exchange.request.target == "/tsa":
            exchange.answer(status="307 Elsewhere", headers={"Location": "/new"})
        elif exchange.request.number % 2:
            exchange.answer(status="503 Busy")
        else:
            good(exchange)

    with Server(behave) as server:
        points = cancel_everywhere(how, server, lambda: ask(asking(server.url, follow_redirects=1)))
        assert 10 < points < MOST


def test_a_client_of_the_caller(how: str, good: Behaviour) -> None:
    async def operation() -> None:
        async with httpx.AsyncClient(trust_env=False, verify=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)) as http:
            await ask(asking(server.url, client=http))

    with Server(good) as server:
        points = cancel_everywhere(how, server, operation)
        assert 5 < points < MOST


@pytest.fixture(autouse=True)
def no_threads_at_work() -> Iterator[None]:
    yield
    leaks.wait_until(lambda: not leaks.threads_at_work(), "threads still inside the library")
