"""verify_many on a cluster of dask.distributed: the same results, also if a worker is lost."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import pytest
from dcmsign.stream import FileResult, Trust, verify_many

from tests.stream import many_files
from tests.stream.many_files import CERTIFICATE, in_background, once_read, wait_for

distributed = pytest.importorskip("distributed")

# of the cluster, while its workers come and go
pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(scope="module")
def client() -> Iterator[Any]:
    options = {"n_workers": 2, "threads_per_worker": 1, "processes": True, "dashboard_address": None, "silence_logs": 50}
    with distributed.LocalCluster(**options) as cluster, distributed.Client(cluster) as client:
        yield client


def on_cluster(client: Any, names: list[str], trust: Trust) -> list[FileResult]:
    from examples.dask_cluster import verify_on

    async def run() -> list[FileResult]:
        with anyio.fail_after(90):
            return await verify_on(client, names, trust, workers=2)

    return anyio.run(run)


def in_order(results: list[FileResult]) -> list[FileResult]:
    """Without what tells when something was done."""
    for result in results:
        report = result.report or {}
        for part in (report, *report.get("signatures", ())):
            part.pop("checked_at", None)
            part.pop("levels", None)
    return sorted((replace(result, seconds=0.0) for result in results), key=lambda result: result.path)


async def locally(names: list[str], trust: Trust) -> list[FileResult]:
    return [result async for result in verify_many(names, trust=trust, workers=2)]


def test_same_results_as_the_local_pool(client: Any, tmp_path: Path, trust: Trust) -> None:
    names = many_files.mixed(tmp_path, 100)
    expected = anyio.run(locally, names, trust)
    assert in_order(on_cluster(client, names, trust)) == in_order(expected)
    assert sum(result.ok for result in expected) == 26


def test_a_lost_worker(client: Any, tmp_path: Path, trust: Trust) -> None:
    """Killed in the middle of a file: the file is done all the same."""
    names = many_files.copies(tmp_path, 20)
    pipe = str(tmp_path / "pipe")
    os.mkfifo(pipe)
    names.insert(5, pipe)
    killed: list[int] = []
    workers = list(client.run(os.getpid).values())

    def disturb() -> None:
        with contextlib.ExitStack() as stack:
            stack.callback(os.close, once_read(pipe))
            killed.extend(worker for worker in workers if pipe in opened(worker))
            os.kill(killed[0], signal.SIGKILL)
            # a zombie would not do: its other threads may still have the pipe open
            wait_for(lambda: not os.path.exists(f"/proc/{killed[0]}"), "the worker lives")
            second = once_read(pipe)
            stack.callback(os.close, second)
            os.write(second, Path(names[0]).read_bytes())

    thread = in_background(disturb)
    results = in_order(on_cluster(client, names, trust))
    thread.join()
    assert len(killed) == 1
    assert [result.path for result in results] == sorted(names)
    assert all(result.ok for result in results)


def opened(process: int) -> set[str]:
    """The files a process has open."""
    found = set()
    for name in os.listdir(f"/proc/{process}/fd"):
        with contextlib.suppress(FileNotFoundError):  # closed meanwhile
            found.add(os.readlink(f"/proc/{process}/fd/{name}"))
    return found


def test_the_example(tmp_path: Path) -> None:
    names = many_files.copies(tmp_path, 3)
    command = [sys.executable, "-m", "examples.dask_cluster", CERTIFICATE, *names]
    root = Path(__file__).parents[2]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=100, cwd=root)
    assert sorted(json.loads(line)["path"] for line in done.stdout.splitlines()) == sorted(names)
