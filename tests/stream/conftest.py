"""Keys, a fixed clock and fixed UIDs for everything that signs; both event loops."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from dcmsign.stream import KeySigner, Trust

from tests.stream import leaks
from tests.stream.material import MAC_VECTORS

CERTIFICATES = ("cert-rsa.pem", "cert-dsa.pem", "cert-ec.pem")


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    """Each asynchronous test runs on both event loops."""
    name: str = request.param
    return name


@pytest.fixture(scope="session")
def trust() -> Trust:
    return Trust.load(trusted=[MAC_VECTORS / name for name in CERTIFICATES])


@pytest.fixture(scope="session")
def signer() -> KeySigner:
    return KeySigner.load(MAC_VECTORS / "key-rsa.pem", MAC_VECTORS / "cert-rsa.pem")


@pytest.fixture
def same_uids(monkeypatch: pytest.MonkeyPatch) -> None:
    """New UIDs are always the same, so that two runs can give the same bytes."""
    fixed = uuid.UUID(int=1)
    monkeypatch.setattr(uuid, "uuid4", lambda: fixed)


@pytest.fixture
def run(anyio_backend: str) -> Callable[..., Any]:
    """Runs a coroutine function in an event loop of its own and then looks for threads and descriptors left behind."""
    return leaks.runner(anyio_backend)


@pytest.fixture(autouse=True)
def no_threads_at_work() -> Iterator[None]:
    """No test may leave a thread inside the library."""
    yield
    leaks.wait_until(lambda: not leaks.threads_at_work(), "threads still inside the library")
    assert threading.main_thread().is_alive()
