"""Digests computed in threads are those computed one after the other; errors surface, and no thread outlives its use."""

from __future__ import annotations

import hashlib
import os
import threading
from contextlib import closing
from typing import Any

import anyio
import pytest
from dcmsign.codec.signature.algorithms import MAC_ALGORITHMS, new_digest
from dcmsign.stream import Trust, sign, verify
from dcmsign.stream import digest_threads as module
from dcmsign.stream.digest_threads import DigestThreads
from dcmsign.stream.trust.signers import KeySigner
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.stream.material import MAC_VECTORS, image, noise, stream

DATA = noise(1 << 20)
OBJECT = image(noise(6 << 20))
LISTS: tuple[tuple[int, ...] | None, ...] = (None, (0x00100010, 0x7FE00010), (0x7FE00010,), (0x00100010,))


def own_threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("dcmsign-digest")]


# Pieces on both sides of the limit below which no thread is asked, in turns for several digests.
UPDATES = st.lists(st.tuples(st.integers(0, 3), st.sampled_from([0, 1, 1000, 65_535, 65_536, 300_000])), max_size=25)


@settings(deadline=None, max_examples=40)
@given(updates=UPDATES, threads=st.integers(1, 3), waiting=st.sampled_from([1, 70_000, 1 << 20]))
def test_same_digests(updates: list[tuple[int, int]], threads: int, waiting: int) -> None:
    names = [*MAC_ALGORITHMS][:4]
    expected = [new_digest(name) for name in names]
    with closing(DigestThreads(threads, waiting=waiting)) as pool:
        found = [pool.new(name) for name in names]
        for number, (which, size) in enumerate(updates):
            data = memoryview(DATA)[number : number + size]
            expected[which].update(data)
            found[which].update(data)
            if number % 7 == 3:  # goes on with a copy; what happens to the original does not matter
                expected[which], old = expected[which].copy(), found[which]
                found[which] = old.copy()
                old.update(DATA)
        assert [digest.digest() for digest in found] == [digest.digest() for digest in expected]
    assert own_threads() == []


def test_data_that_changes_later() -> None:
    data = bytearray(DATA)
    with closing(DigestThreads(2)) as pool:
        digest = pool.new("SHA256")
        digest.update(data)
        data[:] = bytes(len(data))
        assert digest.digest() == hashlib.sha256(DATA).digest()


class Held:
    """A digest that waits for permission, and may fail."""

    def __init__(self, error: Exception | None = None) -> None:
        self.permission = threading.Event()
        self.begun = threading.Event()
        self.sizes: list[int] = []
        self._error = error

    def update(self, data: bytes | bytearray | memoryview, /) -> None:
        self.begun.set()
        self.permission.wait(20)
        self.sizes.append(len(data))
        if self._error is not None:
            raise self._error

    def digest(self) -> bytes:
        return b"digest"

    def copy(self) -> Held:
        return self


def test_work_at_the_same_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two digests, neither of which ends before the other has begun."""
    digests = [Held(), Held()]
    digests[0].permission, digests[1].permission = digests[1].begun, digests[0].begun
    made = iter(digests)
    monkeypatch.setattr(module, "new_digest", lambda name: next(made))
    with closing(DigestThreads(2)) as pool:
        both = [pool.new("a"), pool.new("b")]
        for digest in both:
            digest.update(DATA)
        assert [digest.digest() for digest in both] == [b"digest", b"digest"]
    assert all(held.begun.is_set() and held.sizes == [len(DATA)] for held in digests)


@pytest.mark.parametrize("after", ["update", "digest", "copy"])
def test_errors_surface(after: str, monkeypatch: pytest.MonkeyPatch) -> None:
    held = Held(ValueError("broken"))
    held.permission.set()
    monkeypatch.setattr(module, "new_digest", lambda name: held)
    with closing(DigestThreads(2, waiting=1)) as pool:
        digest = pool.new("a")
        calls: dict[str, Any] = {"update": lambda: digest.update(DATA), "digest": digest.digest, "copy": digest.copy}
        digest.update(DATA)
        for _ in range(2):  # for good
            with pytest.raises(ValueError, match="broken"):
                calls[after]()
    assert held.sizes == [len(DATA)]
    assert own_threads() == []


def test_too_much_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever gives more than may be kept has to wait until some of it is digested."""
    held = Held()
    monkeypatch.setattr(module, "new_digest", lambda name: held)
    with closing(DigestThreads(2, waiting=3 << 20)) as pool:
        digest = pool.new("a")
        given = []

        def give() -> None:
            for _ in range(8):
                digest.update(DATA)
                given.append(len(DATA))

        giving = threading.Thread(target=give)
        giving.start()
        assert held.begun.wait(20)
        while len(given) < 3:
            pass
        giving.join(0.2)
        assert giving.is_alive()
        assert len(given) == 3
        held.permission.set()
        giving.join(20)
        digest.digest()
        assert held.sizes == [len(DATA)] * 8


def test_closed_while_something_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """What has not begun is dropped; one update is at most waited for."""
    held = Held()
    monkeypatch.setattr(module, "new_digest", lambda name: held)
    pool = DigestThreads(2)
    digest = pool.new("a")
    for _ in range(4):
        digest.update(DATA)
    assert held.begun.wait(20)
    closing_thread = threading.Thread(target=pool.close)
    closing_thread.start()
    with pytest.raises(RuntimeError, match="ended"):
        digest.digest()
    held.permission.set()
    closing_thread.join(20)
    assert held.sizes == [len(DATA)]
    assert own_threads() == []
    pool.close()


async def signed(signer: KeySigner) -> bytes:
    """An object with a signature for each list."""
    import io

    data = OBJECT
    for tags in LISTS:
        output = io.BytesIO()
        await sign(data, output, signer=signer, tags=tags)
        data = output.getvalue()
    return data


@pytest.mark.anyio
@pytest.mark.parametrize("threads", [1, 2, 5])
async def test_reports(threads: int, signer: KeySigner, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same verdicts for any number of threads, from bytes and from a stream, of good and of spoilt objects."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(threads)))
    trust = Trust.load(trusted=[MAC_VECTORS / "cert-rsa.pem"])
    good = await signed(signer)
    for spoilt in (False, True):
        data = bytearray(good)
        data[len(OBJECT) // 2] ^= spoilt
        for source in (bytes(data), stream(bytes(data))):
            report = await verify(source, trust=trust)
            # the last list does not hold Pixel Data
            assert [signature.ok for signature in report.signatures] == [not spoilt] * 3 + [True]
    assert own_threads() == []


@pytest.mark.anyio
async def test_cancelled(signer: KeySigner, monkeypatch: pytest.MonkeyPatch) -> None:
    """Cancelled while digests are at work in several threads."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0, 1, 2, 3})
    data = await signed(signer)
    scope = anyio.CancelScope()

    async def source() -> Any:
        half = len(data) // 2
        yield data[:half]
        assert own_threads()
        scope.cancel()
        yield data[half:]

    with scope:
        await verify(source())
    assert scope.cancelled_caught
    assert own_threads() == []
