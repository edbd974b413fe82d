"""The library inside a web service: a real uvicorn, real connections, several clients at once."""

from __future__ import annotations

import asyncio
import io
import re
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import anyio
import httpx
import pytest
from dcmsign.stream import Trust, verify

from benchmarks.service_load import MIB, TAGS, Exchange, Service, Upload, exchange, held_up, image, signed, signing_path
from tests.stream.leaks import wait_until

CLIENTS = 8
PASSING = signing_path(TAGS)
THREADS = 2
LIMIT = 60
"""Seconds after which a request has failed."""

BUFFERS = 32 * MIB
"""What the kernel may buffer between a client that does not read and the service, four socket buffers, with room to spare."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder for temporary files of the service."""
    return tmp_path_factory.mktemp("service")


@pytest.fixture(scope="module")
def service(folder: Path) -> Iterator[Service]:
    with Service(f"--threads={THREADS}", folder=folder) as started:
        yield started


async def post(service: Service, path: str, upload: Upload) -> httpx.Response:
    async with httpx.AsyncClient(base_url=service.url, timeout=60, trust_env=False) as client:
        return await client.post(path, content=upload.stream(), headers={"Content-Length": str(len(upload))})


def test_verdicts(service: Service) -> None:
    """Each of several clients gets the verdict on its own upload."""

    async def run() -> list[httpx.Response]:
        good = await signed(image(8 * MIB))
        bad = replace(good, head=good.head.replace(b"Doe^Jane", b"Doe^Jana"))
        assert bad != good
        return await asyncio.gather(*(post(service, "/verify", (good, bad)[number % 2]) for number in range(CLIENTS)))

    answers = asyncio.run(run())
    assert [answer.status_code for answer in answers] == [200] * CLIENTS
    assert [answer.json()["ok"] for answer in answers] == [True, False] * (CLIENTS // 2)


def test_signed_uploads(service: Service, trust: Trust) -> None:
    """What comes back is whole and has a good signature."""
    plain = image(2 * MIB)

    async def run() -> list[bytes]:
        whole = [post(service, "/sign", plain) for _ in range(CLIENTS // 2)]
        passing = [exchange(service.port, PASSING, plain, keep=True, limit=LIMIT) for _ in range(CLIENTS // 2)]
        answers, exchanges = await asyncio.gather(asyncio.gather(*whole), asyncio.gather(*passing))
        assert {answer.status_code for answer in answers} == {it.status for it in exchanges} == {200}
        return [*(answer.content for answer in answers), *(bytes(it.body) for it in exchanges)]

    for data in asyncio.run(run()):
        assert len(data) > len(plain)
        assert anyio.run(partial(verify, io.BytesIO(data), trust=trust)).ok


NOT_DICOM = Upload(b"root:x:0:0:root:/root:/bin/sh\n" * 100)


@pytest.mark.parametrize("path", ["/verify", "/sign"])
def test_not_dicom(service: Service, path: str) -> None:
    answer = asyncio.run(post(service, path, NOT_DICOM))
    assert answer.status_code == 422
    assert "offset" in answer.json()["error"]


def test_failure_behind_the_first_byte(service: Service) -> None:
    """The answer is cut off where it cannot be taken back: nobody takes it for a whole one."""
    with pytest.raises(httpx.RemoteProtocolError, match="without sending complete message body"):
        asyncio.run(post(service, PASSING, NOT_DICOM))


@pytest.mark.parametrize("path", ["/verify", "/sign", PASSING])
def test_memory(service: Service, path: str) -> None:
    """It does not grow with the uploads."""

    async def run(size: int) -> None:
        upload = image(size)
        answers = await asyncio.gather(*(exchange(service.port, path, upload, limit=LIMIT) for _ in range(4)))
        assert {it.status for it in answers} == {200}

    asyncio.run(run(2 * MIB))
    before = service.peak()
    asyncio.run(run(32 * MIB))
    assert service.peak() - before < 40


def test_back_pressure(service: Service, trust: Trust) -> None:
    """A client that does not read is not read from either; once it reads, all of it comes."""
    plain = image(48 * MIB)

    async def run() -> Exchange:
        it = Exchange(service.port, PASSING, plain, keep=True, limit=LIMIT)
        task = asyncio.create_task(it.run())
        assert 0 < await held_up(it) < BUFFERS
        it.reading.set()
        return await task

    before = service.peak()
    done = asyncio.run(run())
    assert service.peak() - before < 16
    assert done.sent == len(plain)
    assert anyio.run(lambda: verify(io.BytesIO(done.body), trust=trust)).ok


def half_sent(service: Service, path: str) -> Exchange:
    """An upload of 8 MiB that stops in the middle."""
    return Exchange(service.port, path, replace(image(8 * MIB), zeros=4 * MIB), missing=4 * MIB, limit=LIMIT)


async def sent(uploads: list[Exchange]) -> None:
    """Wait until everything has left that ever will."""
    while any(it.sent < len(it.upload) for it in uploads):  # noqa: ASYNC110 (the counters are those of a client)
        await asyncio.sleep(0.01)


@pytest.mark.parametrize("path", ["/verify", "/sign", PASSING])
def test_clients_that_disconnect(service: Service, folder: Path, path: str) -> None:
    """They leave no descriptors, no temporary files and no threads."""
    asyncio.run(exchange(service.port, path, image(MIB), limit=LIMIT))
    idle = [entry for entry in service.descriptors() if not entry.startswith("socket:")]

    async def run() -> None:
        uploads = [half_sent(service, path) for _ in range(4)]
        tasks = [asyncio.create_task(it.run()) for it in uploads]
        await sent(uploads)
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)

    def quiet() -> bool:
        entries = service.descriptors()
        threads = list(Path(f"/proc/{service.process.pid}/task").iterdir())
        return [entry for entry in entries if not entry.startswith("socket:")] == idle and len(threads) <= 1 + THREADS

    asyncio.run(run())
    wait_until(quiet, "descriptors or threads left")
    assert list(folder.iterdir()) == []
    assert httpx.get(f"{service.url}/health", trust_env=False).json() == {"status": "ok"}


def test_stopping_during_uploads(tmp_path: Path) -> None:
    """Uploads that do not end in time are cut off; the process ends as the signal wants it to, and leaves nothing behind."""

    async def run(service: Service) -> tuple[int, str]:
        uploads = [half_sent(service, path) for path in ("/verify", "/sign", PASSING)]
        tasks = [asyncio.create_task(it.run()) for it in uploads]
        await sent(uploads)
        for it in uploads:
            it.reading.set()
        ended = await asyncio.to_thread(service.stop)
        await asyncio.wait(tasks)
        assert all(task.exception() is not None or it.status != 200 for task, it in zip(tasks, uploads, strict=True))
        return ended

    with Service("--grace=1", folder=tmp_path) as service:
        status, messages = asyncio.run(run(service))
    assert status == -15
    raised = set(re.findall(r"^[\w.]*(?:Error|Exception|Warning|Disconnect)\b", messages, re.MULTILINE))
    assert raised <= {"asyncio.exceptions.CancelledError"}
    assert "never" not in messages  # neither awaited nor retrieved
    assert list(tmp_path.iterdir()) == []
