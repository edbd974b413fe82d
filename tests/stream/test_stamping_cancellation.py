"""Cancelled at every point where it waits, an operation that gets a timestamp leaves no file, connection or thread behind."""

from __future__ import annotations

import io
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import pytest
from dcmsign.stream import (
    AuthorityStamper,
    KeySigner,
    QueryFiles,
    Stamper,
    TimestampClient,
    TimestampQuery,
    TimestampReply,
    Trust,
    insert_timestamp,
    sign,
    timestamp,
)

from tests.stream import leaks
from tests.stream.interrupts import CANCELLERS, cancelled_everywhere
from tests.stream.material import MAC_VECTORS, image, listing, noise, noon
from tests.tsa.servers import Exchange, OpenSSLAuthority, Server, answering

pytestmark = pytest.mark.usefixtures("same_uids")
SOURCE = image(noise(100_001) + b"\0")
ITEM_SOURCE = (MAC_VECTORS / "item-signature.dcm").read_bytes()
ITEM = "ReferencedImageSequence[1]"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> OpenSSLAuthority:
    return OpenSSLAuthority(tmp_path_factory.mktemp("authority"))


class Repeating:
    """An authority that gives the same answer to the same question, so that two runs give the same object."""

    def __init__(self, authority: OpenSSLAuthority) -> None:
        self._authority = authority
        self._replies: dict[bytes, bytes] = {}

    def __call__(self, exchange: Exchange) -> None:
        query = exchange.request.body
        if query not in self._replies:
            self._replies[query] = self._authority.reply(query)
        exchange.answer(self._replies[query])


@pytest.fixture(scope="module")
def server(authority: OpenSSLAuthority) -> Iterator[Server]:
    with Server(Repeating(authority)) as running:
        yield running


def client(url: str) -> TimestampClient:
    return TimestampClient(url, nonce=False, attempts=1, timeout=10.0)


Sign = Callable[[Any, Path, KeySigner, Stamper], Coroutine[Any, Any, Any]]


async def _in_pieces() -> Any:
    for start in range(0, len(SOURCE), 50_000):
        yield SOURCE[start : start + 50_000]


def _item(target: Any, folder: Path, signer: KeySigner, stamper: Stamper) -> Coroutine[Any, Any, Any]:
    return sign(ITEM_SOURCE, target, signer=signer, clock=noon, timestamp=stamper, location=ITEM)


def _main(target: Any, folder: Path, signer: KeySigner, stamper: Stamper) -> Coroutine[Any, Any, Any]:
    return sign(SOURCE, target, signer=signer, clock=noon, timestamp=stamper)


def _passing(target: Any, folder: Path, signer: KeySigner, stamper: Stamper) -> Coroutine[Any, Any, Any]:
    return sign(_in_pieces(), target, signer=signer, clock=noon, timestamp=stamper, tags=[0x00100010])


SIGNING: dict[str, Sign] = {"main data set": _main, "in one pass": _passing, "item": _item}


@pytest.mark.parametrize("existing", [True, False])
@pytest.mark.parametrize("name", SIGNING)
@pytest.mark.parametrize("how", CANCELLERS)
def test_signing(
    how: str, name: str, existing: bool, server: Server, authority: OpenSSLAuthority, signer: KeySigner, tmp_path: Path
) -> None:
    target = tmp_path / "target"
    stamper = AuthorityStamper(client(server.url), trust=Trust.load(trusted=[authority.ca]))

    async def attempts() -> int:
        operation = lambda: SIGNING[name](target, tmp_path, signer, stamper)  # noqa: E731
        return await cancelled_everywhere(how, operation, target, b"old" if existing else None)

    assert leaks.runner(CANCELLERS[how][0])(attempts) > 10


class Stream:
    """A send stream."""

    def __init__(self) -> None:
        self.taken = b""

    async def send(self, item: bytes) -> None:
        await anyio.lowlevel.checkpoint()
        self.taken += item


@pytest.mark.parametrize("how", CANCELLERS)
def test_streams_get_nothing_before_the_timestamp(
    how: str, server: Server, authority: OpenSSLAuthority, signer: KeySigner, tmp_path: Path
) -> None:
    """What a pipe has got is the beginning of an object that is signed and stamped."""
    backend, cancelled = CANCELLERS[how]
    stamper = AuthorityStamper(client(server.url))

    async def attempts() -> None:
        whole = Stream()
        await _main(whole, tmp_path, signer, stamper)
        started = False
        for number in range(1000):
            before = len(server.requests)
            stream = Stream()
            reached, _ = await cancelled(_main(stream, tmp_path, signer, stamper), number)
            assert whole.taken.startswith(stream.taken)
            if stream.taken:
                started = True
                assert len(server.requests) > before
            if not reached:
                break
        assert started

    leaks.runner(backend)(attempts)


@pytest.mark.parametrize("how", CANCELLERS)
@pytest.mark.parametrize("failing", [False, True])
def test_files(how: str, failing: bool, authority: OpenSSLAuthority, signer: KeySigner, tmp_path: Path) -> None:
    """Query and UID file belong to the object: they are there when it is, and otherwise not."""
    target, query, uid = tmp_path / "target", tmp_path / "query", tmp_path / "uid"
    files = QueryFiles(str(query), str(uid), nonce=False)
    refusing = answering(status="403 Forbidden")
    with Server(refusing) as server:
        stamper: Stamper = AuthorityStamper(client(server.url), otherwise=files) if failing else files

        async def operation() -> None:
            await _main(target, tmp_path, signer, stamper)
            assert listing(tmp_path) == {"target", "query", "uid"}
            query.unlink()
            uid.unlink()

        async def attempts() -> int:
            return await cancelled_everywhere(how, operation, target, None)

        if how != "asyncio, task":  # that may come too late, and find all three files
            assert leaks.runner(CANCELLERS[how][0])(attempts) > 5


@pytest.mark.parametrize("way", ["authority", "files"])
@pytest.mark.parametrize("how", CANCELLERS)
def test_later(how: str, way: str, server: Server, authority: OpenSSLAuthority, signer: KeySigner, tmp_path: Path) -> None:
    target, query = tmp_path / "target", tmp_path / "query"
    signed = io.BytesIO()

    async def prepare() -> str:
        receipt = await sign(SOURCE, signed, signer=signer, timestamp=QueryFiles(str(query), ""))
        return receipt.uid

    uid = anyio.run(prepare)
    asked = TimestampQuery.from_der(query.read_bytes())
    reply = TimestampReply.from_der(authority.reply(asked.raw))
    query.unlink()

    def operation() -> Coroutine[Any, Any, Any]:
        if way == "files":
            return insert_timestamp(signed.getvalue(), target, files=lambda: (asked, reply, uid))
        return timestamp(signed.getvalue(), target, uid=uid, client=client(server.url))

    async def attempts() -> int:
        return await cancelled_everywhere(how, operation, target, b"old")

    assert leaks.runner(CANCELLERS[how][0])(attempts) > 3
