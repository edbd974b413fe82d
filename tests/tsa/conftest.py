"""A time-stamping authority, event loops that are watched for what they leave behind, and log records."""

from __future__ import annotations

import gc
import logging
import threading
from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import pytest

from tests.stream import leaks
from tests.tsa.servers import OpenSSLAuthority


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> OpenSSLAuthority:
    """``openssl ts`` with a certificate of its own authority."""
    return OpenSSLAuthority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    """Each asynchronous test runs on both event loops."""
    name: str = request.param
    return name


@pytest.fixture
def run(anyio_backend: str) -> Callable[..., Any]:
    """Runs a coroutine function in an event loop of its own and looks for tasks, threads and sockets left behind.

    Servers that end later may still be about to close their side.
    """

    async def watched(function: Callable[..., Awaitable[object]], *arguments: object) -> object:
        tasks = len(anyio.get_running_tasks())
        try:
            return await function(*arguments)
        finally:
            assert len(anyio.get_running_tasks()) == tasks

    def run(function: Callable[..., Awaitable[object]], *arguments: object) -> Any:
        threads, before = threading.active_count(), leaks.open_descriptors()
        try:
            return anyio.run(watched, function, *arguments, backend=anyio_backend)
        finally:
            gc.collect(1)  # a socket that nobody closed makes a warning, which is an error
            leaks.wait_until(lambda: leaks.open_descriptors().items() <= before.items(), "descriptors left")
            if anyio_backend == "asyncio":  # trio keeps idle threads for ten seconds
                leaks.wait_until(lambda: threading.active_count() <= threads, "threads left")

    return run


@pytest.fixture
def all_logs(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    """Everything that anybody logs."""
    caplog.set_level(logging.DEBUG)
    return caplog
