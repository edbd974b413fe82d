"""Large objects are worked on beside the event loop, not inside it."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Awaitable, Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import anyio
import pytest
from dcmsign.codec.errors import FormatError
from dcmsign.stream import KeySigner, Trust, open_signer, sign, verify
from dcmsign.stream.io.spool import Spool

from tests.stream.material import element, head, meta, stream, write_sparse

pytestmark = pytest.mark.anyio
SIZE = 64 << 20
TICKS = 10


async def ticking(work: Callable[[], Awaitable[Any]]) -> tuple[Any, int]:
    """The result, and how often another task had its turn meanwhile."""
    ticks = 0

    async def tick() -> None:
        nonlocal ticks
        while True:
            await anyio.sleep(0.0005)
            ticks += 1

    async with anyio.create_task_group() as group:
        group.start_soon(tick)
        result = await work()
        group.cancel_scope.cancel()
    return result, ticks


async def test_file(signer: KeySigner, trust: Trust, tmp_path: Path) -> None:
    source = write_sparse(tmp_path / "source", SIZE)
    _, ticks = await ticking(lambda: sign(source, tmp_path / "target", signer=signer))
    assert ticks > TICKS
    report, ticks = await ticking(lambda: verify(tmp_path / "target", trust=trust))
    assert report.ok
    assert ticks > TICKS
    os.truncate(tmp_path / "target", 0)


async def test_bytes(signer: KeySigner, trust: Trust) -> None:
    data = meta() + head() + element(0x7FE00010, "OW", bytes(SIZE))
    output = io.BytesIO()
    _, ticks = await ticking(lambda: sign(stream(data, largest=1 << 21), output, signer=signer, tags=[0x00100010, 0x7FE00010]))
    assert ticks > TICKS
    report, ticks = await ticking(lambda: verify(stream(output.getvalue(), largest=1 << 21), trust=trust))
    assert report.ok
    assert ticks > TICKS


async def test_only_receiving_happens_in_the_event_loop(signer: KeySigner, trust: Trust, tmp_path: Path) -> None:
    """Reading, writing, hashing and signing a file happen in other threads."""
    here = threading.get_ident()
    seen: set[int] = set()

    class Noting(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            seen.add(threading.get_ident())
            return super().read(size)

        def write(self, data: Any, /) -> int:
            seen.add(threading.get_ident())
            return super().write(data)

    data = meta() + head() + element(0x7FE00010, "OW", bytes(3_000_000))
    output = Noting()
    await sign(Noting(data), output, signer=signer)
    assert seen
    assert here not in seen
    seen.clear()
    output.seek(0)
    assert (await verify(output, trust=trust)).ok
    assert seen
    assert here not in seen


@pytest.mark.usefixtures("no_temporary_files")
async def test_streams_need_no_disk(signer: KeySigner, trust: Trust) -> None:
    """Neither to verify nor, with the tags declared, to sign."""
    data = meta() + head() + element(0x7FE00010, "OW", bytes(12_000_000))
    output = io.BytesIO()
    await sign(stream(data, largest=1 << 20), output, signer=signer, tags=[0x00100010, 0x7FE00010])
    assert (await verify(stream(output.getvalue(), largest=1 << 20), trust=trust)).ok


@pytest.fixture
def no_temporary_files(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object, **__: object) -> None:
        raise AssertionError("a temporary file is made")

    monkeypatch.setattr(tempfile, "TemporaryFile", refused)


async def test_many_at_once(signer: KeySigner, trust: Trust, tmp_path: Path) -> None:
    """More operations than worker threads, all at the same time."""
    data = meta() + head() + element(0x7FE00010, "OW", bytes(100_000))
    results: list[bool] = []

    async def one(number: int) -> None:
        target = tmp_path / str(number)
        if number % 2:
            await sign(stream(data), target, signer=signer)
        else:
            async with open_signer(data, signer=signer) as signing, await anyio.open_file(target, "wb") as file:
                async for block in signing:
                    await file.write(block)
        results.append((await verify(target, trust=trust)).ok)

    async with anyio.create_task_group() as group:
        for number in range(60):
            group.start_soon(one, number)
    assert results == [True] * 60


@pytest.mark.parametrize("fails", [False, True])
async def test_large_spools_are_released_beside_the_event_loop(
    signer: KeySigner, trust: Trust, monkeypatch: pytest.MonkeyPatch, fails: bool
) -> None:
    """Taking a large temporary file off the disk takes long; also after an error."""
    here = threading.get_ident()
    released: list[int] = []
    close = Spool.close

    def noting(spool: Spool) -> None:
        if spool._file is not None:
            released.append(threading.get_ident())
        close(spool)

    monkeypatch.setattr(Spool, "close", noting)
    data = meta() + head() + element(0x7FE00010, "OW", bytes(12_000_000))
    output = io.BytesIO()
    with pytest.raises(FormatError) if fails else nullcontext():
        await sign(stream(data[: -1 if fails else None], largest=1 << 20), output, signer=signer)
        assert (await verify(output.getvalue(), trust=trust)).ok
    assert released
    assert here not in released


IMPORTING = """
import asyncio, sys, threading
from dcmsign.stream import KeySigner, Trust, sign, verify
vectors, target = sys.argv[1:]
signer = KeySigner.load(vectors + "/key-rsa.pem", vectors + "/cert-rsa.pem")
on_loop, in_threads = [], []

class Noting:
    def find_spec(self, name, path=None, target=None):
        (on_loop if threading.current_thread() is threading.main_thread() else in_threads).append(name.partition(".")[0])

async def main():
    sys.meta_path.insert(0, Noting())
    await sign(vectors + "/explicit-short.dcm", target, signer=signer)
    await verify(target)

asyncio.run(main())
heavy = ("anyio", "cryptography", "OpenSSL")
print([name for name in heavy if name in on_loop], [name for name in heavy if name in in_threads])
"""


def test_first_operation_imports_in_threads(tmp_path: Path) -> None:
    vectors = Path(__file__).parent.parent / "vectors" / "mac"
    command = [sys.executable, "-c", IMPORTING, str(vectors), str(tmp_path / "signed.dcm")]
    done = subprocess.run(command, capture_output=True, check=True, timeout=60, text=True)
    assert done.stdout == "[] ['anyio', 'cryptography', 'OpenSSL']\n"
