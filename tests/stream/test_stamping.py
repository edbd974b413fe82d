"""Timestamps straight from an authority: while signing, for an item, and for a signature that was made earlier."""

from __future__ import annotations

import io
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from dcmsign.stream import (
    AuthorityStamper,
    Encoding,
    KeySigner,
    QueryFiles,
    TimestampClient,
    TimestampPolicy,
    TimestampQuery,
    TimestampReply,
    TimestampRules,
    Token,
    Trust,
    VerificationReport,
    errors,
    insert_timestamp,
    load_certificate,
    open_signer,
    read_signature_uid,
    sign,
    timestamp,
    verify,
)

from tests.peers import require_peer
from tests.stream.material import MAC_VECTORS, image, listing
from tests.stream.ways import OneWay
from tests.tsa.certomancer_authority import FAKE_TIME, Certomancer, certomancer
from tests.tsa.servers import OpenSSLAuthority, Server, answering, in_turn, refusing

pytestmark = pytest.mark.anyio

SOURCE = MAC_VECTORS / "item-signature.dcm"
ITEM = "ReferencedImageSequence[1]"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> OpenSSLAuthority:
    return OpenSSLAuthority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Certomancer]:
    """Another authority, which takes the time from the request."""
    with certomancer(tmp_path_factory.mktemp("certomancer")) as running:
        yield running


@pytest.fixture(scope="module")
def server(authority: OpenSSLAuthority) -> Iterator[Server]:
    with Server(authority.behave) as running:
        yield running


def client(*urls: str, **options: Any) -> TimestampClient:
    return TimestampClient(urls, **{"attempts": 1, "timeout": 10.0, **options})


def trusting(authority: OpenSSLAuthority) -> Trust:
    return Trust.load(trusted=[authority.ca])


async def check(data: bytes, authority: OpenSSLAuthority, folder: Path, count: int) -> VerificationReport:
    """Both programs find every timestamp good."""
    trusted = [MAC_VECTORS / "cert-rsa.pem", authority.ca]
    report = await verify(data, trust=Trust.load(trusted=trusted), timestamps=TimestampPolicy.REQUIRE)
    assert report.ok, report
    assert [bool(found.timestamp and found.timestamp.certificate) for found in report.signatures] == [True] * count
    path = folder / "stamped.dcm"
    path.write_bytes(data)
    options = [word for file in trusted for word in ("+cf", str(file))]
    command = [require_peer("dcmsign"), *options, "+tr", str(path)]
    done = subprocess.run(command, stderr=subprocess.PIPE, check=True, text=True)  # noqa: ASYNC221
    assert done.stderr.count("Timestamp Verification : OK") == count
    path.unlink()
    return report


async def test_signing(server: Server, authority: OpenSSLAuthority, signer: KeySigner, tmp_path: Path) -> None:
    item, both = io.BytesIO(), io.BytesIO()
    receipt = await sign(SOURCE, item, signer=signer, location=ITEM, timestamp=client(server.url))
    report = await check(item.getvalue(), authority, tmp_path, 1)
    assert report.signatures[0].timestamp is not None
    assert receipt.timestamp == report.signatures[0].timestamp.token.raw
    assert receipt.timestamp_error is None
    stamper = AuthorityStamper(client(server.url), trust=trusting(authority))
    await sign(item.getvalue(), both, signer=signer, timestamp=stamper)
    await check(both.getvalue(), authority, tmp_path, 2)


async def blocks(data: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(data), 100_000):
        yield data[start : start + 100_000]


SOURCES: dict[str, Callable[[Path], Any]] = {
    "path": lambda path: path,
    "bytes": lambda path: path.read_bytes(),
    "blocks": lambda path: blocks(path.read_bytes()),
    "file that cannot seek": lambda path: OneWay(path.read_bytes(), 1000),
}


@pytest.mark.parametrize("kind", SOURCES)
async def test_later(kind: str, server: Server, authority: OpenSSLAuthority, signer: KeySigner, tmp_path: Path) -> None:
    path = tmp_path / "signed.dcm"
    nested = await sign(SOURCE, path, signer=signer, location=ITEM)
    main = await sign(path, path, signer=signer)
    for receipt in (nested, main):
        source = SOURCES[kind](path)
        await timestamp(source, path, uid=receipt.uid, client=client(server.url), trust=trusting(authority))
    await check(path.read_bytes(), authority, tmp_path, 2)
    before = path.read_bytes()
    with pytest.raises(errors.SignatureNotFound):
        await timestamp(path, path, uid="1.2.3", client=client(server.url))
    assert path.read_bytes() == before
    assert listing(tmp_path) == {path.name}


@pytest.mark.parametrize("kind", SOURCES)
async def test_through_files(kind: str, authority: OpenSSLAuthority, signer: KeySigner, tmp_path: Path) -> None:
    path, query, uid = tmp_path / "signed.dcm", tmp_path / "q.tsq", tmp_path / "u.dcm"
    receipt = await sign(SOURCE, path, signer=signer, timestamp=QueryFiles(str(query), str(uid)))
    assert receipt.timestamp is None
    assert read_signature_uid(uid.read_bytes()) == receipt.uid
    reply = authority.reply(query.read_bytes())
    files = TimestampQuery.from_der(query.read_bytes()), TimestampReply.from_der(reply), receipt.uid
    await insert_timestamp(SOURCES[kind](path), path, files=lambda: files)
    await check(path.read_bytes(), authority, tmp_path, 1)


class Unwilling:
    """A send stream and a file object that count what they get."""

    def __init__(self) -> None:
        self.taken = b""

    async def send(self, item: bytes) -> None:
        self.taken += item


def bad(other: Certomancer, server: Server, tmp_path: Path) -> dict[str, tuple[AuthorityStamper, str]]:
    """Authorities that give no good timestamp, and why."""
    far = httpx.AsyncClient(headers={FAKE_TIME: "2040-01-01T00:00:00+00:00"}, trust_env=False)
    past = httpx.AsyncClient(headers={FAKE_TIME: "2025-01-01T00:00:00+00:00"}, trust_env=False)
    return {
        "future": (AuthorityStamper(client(other.url, client=far)), "timestamp lies in the future"),
        "past": (AuthorityStamper(client(other.url, client=past)), "timestamp is older than the signature"),
        "weak digest": (AuthorityStamper(client(server.url, algorithm="SHA1")), "weak digest algorithm sha1"),
        "not trusted": (
            AuthorityStamper(client(server.url), trust=Trust.load(trusted=[MAC_VECTORS / "cert-rsa.pem"])),
            "certificate verify error",
        ),
        "no certificate": (AuthorityStamper(client(server.url, certificate=False)), "signer certificate not found"),
    }


@pytest.mark.parametrize("kind", ["future", "past", "weak digest", "not trusted", "no certificate"])
@pytest.mark.parametrize("location", [(), ITEM])
async def test_a_bad_token(
    kind: str, location: Any, server: Server, other: Certomancer, signer: KeySigner, tmp_path: Path
) -> None:
    stamper, reason = bad(other, server, tmp_path)[kind]
    target = tmp_path / "out.dcm"
    target.write_bytes(b"what was there")
    with pytest.raises(errors.InvalidTimestamp, match=f"timestamp signature verification failed: {reason}$") as caught:
        await sign(SOURCE, target, signer=signer, location=location, timestamp=stamper)
    assert caught.value.path is not None
    assert caught.value.path.startswith("http://127.0.0.1:")
    assert target.read_bytes() == b"what was there"
    assert listing(tmp_path) == {target.name}
    signed = io.BytesIO()
    uid = (await sign(SOURCE, signed, signer=signer, location=location)).uid
    if kind != "past":
        with pytest.raises(errors.InvalidTimestamp, match=reason):
            await timestamp(signed.getvalue(), target, uid=uid, client=stamper.client, trust=stamper.trust, rules=stamper.rules)
        assert target.read_bytes() == b"what was there"


async def test_rules_of_the_caller(server: Server, other: Certomancer, signer: KeySigner, tmp_path: Path) -> None:
    """What is refused by default is taken by who asks for less, or has another idea of how exact clocks are."""
    relaxed = AuthorityStamper(client(server.url, algorithm="SHA1"), rules=TimestampRules(refuse_weak_digests=False))
    assert (await sign(SOURCE, io.BytesIO(), signer=signer, timestamp=relaxed)).timestamp is not None
    past = httpx.AsyncClient(headers={FAKE_TIME: "2025-01-01T00:00:00+00:00"}, trust_env=False)
    for rules in (TimestampRules(tolerance=timedelta(days=36500)), TimestampRules.DCMSIGN):
        stamper = AuthorityStamper(client(other.url, client=past), rules=rules)
        receipt = await sign(SOURCE, io.BytesIO(), signer=signer, timestamp=stamper)
        assert receipt.timestamp is not None
        assert Token.from_der(receipt.timestamp).gen_time == "20250101000000Z"
    root = load_certificate(other.ca, Encoding.DER, name="root")
    now = AuthorityStamper(client(other.url), trust=Trust(trusted=(root,)))
    assert (await sign(SOURCE, io.BytesIO(), signer=signer, timestamp=now)).timestamp is not None


async def test_the_next_authority(server: Server, other: Certomancer, authority: OpenSSLAuthority, signer: KeySigner) -> None:
    """One whose token does not verify is passed over."""
    stamper = AuthorityStamper(client(other.url, server.url), trust=trusting(authority))
    receipt = await sign(SOURCE, io.BytesIO(), signer=signer, timestamp=stamper)
    assert receipt.timestamp is not None
    assert b"Example TSA CA" in receipt.timestamp


REFUSALS: dict[str, type[errors.TimestampError]] = {
    "nobody there": errors.AuthorityUnreachable,
    "busy": errors.AuthorityUnreachable,
    "forbidden": errors.AuthorityRefusal,
    "a page": errors.BadAuthorityReply,
}


@pytest.fixture(params=REFUSALS)
def in_vain(request: pytest.FixtureRequest) -> Iterator[tuple[str, type[errors.TimestampError]]]:
    """The URL of an authority that gives nothing, and the error for that."""
    behaviours = {
        "busy": answering(status="503 Service Unavailable"),
        "forbidden": answering(status="403 Forbidden"),
        "a page": answering(b"<html>", media_type="text/html"),
    }
    if request.param == "nobody there":
        with refusing() as url:
            yield url, REFUSALS[request.param]
    else:
        with Server(behaviours[request.param]) as running:
            yield running.url, REFUSALS[request.param]


async def test_no_timestamp_no_output(
    in_vain: tuple[str, type[errors.TimestampError]], signer: KeySigner, tmp_path: Path
) -> None:
    url, kind = in_vain
    target, stream, file = tmp_path / "out.dcm", Unwilling(), io.BytesIO()
    large = image(bytes(5_000_000))
    for source in (SOURCE, large):
        for destination in (target, stream, file):
            with pytest.raises(kind):
                await sign(source, destination, signer=signer, timestamp=client(url))
        with pytest.raises(kind):
            await sign(blocks(large), stream, signer=signer, tags=[0x00100010], timestamp=client(url))
    assert not target.exists()
    assert (stream.taken, file.getvalue()) == (b"", b"")
    assert listing(tmp_path) == set()


async def test_a_stream_to_its_reader_breaks_off(in_vain: tuple[str, type[errors.TimestampError]], signer: KeySigner) -> None:
    url, kind = in_vain
    async with open_signer(SOURCE, signer=signer, timestamp=client(url)) as stream:
        with pytest.raises(kind):
            async for _ in stream:
                pass
        with pytest.raises(RuntimeError):
            stream.receipt  # noqa: B018


async def test_files_instead(
    in_vain: tuple[str, type[errors.TimestampError]],
    authority: OpenSSLAuthority,
    signer: KeySigner,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Who prefers that gets the object without timestamp, and what is needed to get one later."""
    url, kind = in_vain
    path, query, uid = tmp_path / "signed.dcm", tmp_path / "q.tsq", tmp_path / "u.dcm"
    stamper = AuthorityStamper(client(url), otherwise=QueryFiles(str(query), str(uid), algorithm="SHA512"))
    receipt = await sign(SOURCE, path, signer=signer, timestamp=stamper)
    assert receipt.timestamp is None
    assert type(receipt.timestamp_error) is kind
    assert f"no timestamp: {receipt.timestamp_error}" in caplog.messages
    assert receipt.uid == read_signature_uid(uid.read_bytes())
    asked = TimestampQuery.from_der(query.read_bytes())
    assert asked.algorithm == "SHA512"
    reply = TimestampReply.from_der(authority.reply(asked.raw))
    await insert_timestamp(path, path, files=lambda: (asked, reply, receipt.uid))
    await check(path.read_bytes(), authority, tmp_path, 1)


async def test_no_files_without_need(server: Server, signer: KeySigner, tmp_path: Path) -> None:
    stamper = AuthorityStamper(client(server.url), otherwise=QueryFiles(str(tmp_path / "q"), str(tmp_path / "u")))
    await sign(SOURCE, tmp_path / "signed.dcm", signer=signer, timestamp=stamper)
    assert listing(tmp_path) == {"signed.dcm"}


async def test_files_survive_failures(signer: KeySigner, tmp_path: Path) -> None:
    """Query and UID file appear when the object does, or stay as they were."""
    query, uid, folder = tmp_path / "q.tsq", tmp_path / "u.dcm", tmp_path / "folder"
    query.write_bytes(b"old query")
    uid.write_bytes(b"old UID")
    folder.mkdir()
    files = QueryFiles(str(query), str(uid))

    class Full:
        async def send(self, item: bytes) -> None:
            raise OSError("no more")

    for target in (folder, Full()):
        with pytest.raises((errors.SinkError, OSError)):
            await sign(SOURCE, target, signer=signer, timestamp=files)
    with pytest.raises(errors.SigningError):
        await sign(SOURCE, tmp_path / "out.dcm", signer=signer, timestamp=QueryFiles(str(query), str(folder)))
    assert (query.read_bytes(), uid.read_bytes()) == (b"old query", b"old UID")
    assert listing(tmp_path) == {"q.tsq", "u.dcm", "folder"}
    await sign(SOURCE, tmp_path / "out.dcm", signer=signer, timestamp=files)
    TimestampQuery.from_der(query.read_bytes())


async def test_files_may_be_pipes(signer: KeySigner, tmp_path: Path) -> None:
    query, uid = tmp_path / "q.tsq", tmp_path / "u.dcm"
    for path in (query, uid):
        subprocess.run(["mkfifo", path], check=True)  # noqa: ASYNC221
    received: dict[Path, bytes] = {}

    async def read(path: Path) -> None:
        received[path] = await anyio.Path(path).read_bytes()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(read, query)
        tasks.start_soon(read, uid)
        receipt = await sign(SOURCE, tmp_path / "out.dcm", signer=signer, timestamp=QueryFiles(str(query), str(uid)))
    TimestampQuery.from_der(received[query])
    assert read_signature_uid(received[uid]) == receipt.uid


async def test_retry(authority: OpenSSLAuthority, signer: KeySigner) -> None:
    """An authority that recovers is asked again, and once is enough."""
    with Server(in_turn(answering(status="503 Service Unavailable"), authority.behave)) as recovering:
        asking = client(recovering.url, attempts=3, pause=0.01)
        assert (await sign(SOURCE, io.BytesIO(), signer=signer, timestamp=asking)).timestamp is not None
        assert len(recovering.requests) == 2
        assert recovering.requests[0].body != recovering.requests[1].body
