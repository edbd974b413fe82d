"""verify_many and sign_many: the same results as one file at a time, whatever dies."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import aclosing
from dataclasses import replace
from datetime import UTC, datetime
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import anyio
import pytest
from dcmsign.stream import FileResult, KeyFiles, Trust, errors, sign_many, verify, verify_many

from tests.stream import many_files
from tests.stream.many_files import CERTIFICATE, KEY, children, in_background, once_read, wait_for
from tests.stream.material import MAC_VECTORS

Run = Callable[..., Any]


@pytest.fixture(autouse=True)
def no_processes_left() -> Iterator[None]:
    before = children()
    yield
    assert children() <= before


def size_of(name: str) -> int:
    return os.path.getsize(name) if os.path.exists(name) else 0


NOW = datetime.now(UTC)


async def one_by_one(names: list[str], trust: Trust) -> list[FileResult]:
    results = []
    for name in names:
        size = size_of(name)
        try:
            report = await verify(name, trust=trust, at=NOW, inspect=False)
        except errors.Error as error:
            results.append(FileResult(name, error=type(error).__name__, message=str(error), bytes=size))
        else:
            results.append(FileResult(name, report=report.to_dict(), bytes=size))
    return results


async def all_of(results: AsyncIterator[FileResult]) -> list[FileResult]:
    return sorted([replace(result, seconds=0.0) async for result in results], key=lambda result: result.path)


def test_same_results_as_one_by_one(run: Run, tmp_path: Path, trust: Trust) -> None:
    names = many_files.mixed(tmp_path, 300)

    async def compare() -> None:
        found = await all_of(verify_many(names, trust=trust, at=NOW, workers=2))
        assert found == await one_by_one(names, trust)
        assert {result.error for result in found} > {None, "SourceError", "EmptyInput", "NotDicom"}
        assert {result.ok for result in found if result.report} == {True, False}

    run(compare)


def test_any_executor_gives_the_same(run: Run, tmp_path: Path, trust: Trust) -> None:
    names = many_files.mixed(tmp_path, 40)
    spawn = get_context("spawn")
    with ThreadPoolExecutor(2) as threads, ProcessPoolExecutor(1, mp_context=spawn) as processes:

        async def compare() -> None:
            expected = await one_by_one(names, trust)
            assert await all_of(verify_many(names, trust=trust, at=NOW, executor=threads)) == expected
            assert await all_of(verify_many(iter(names), trust=trust, at=NOW, executor=processes, workers=1)) == expected

        anyio.run(compare)


def test_nothing_is_started_for_nothing(run: Run) -> None:
    async def nothing() -> None:
        assert [result async for result in verify_many([])] == []
        with pytest.raises(ValueError, match="no number of workers"):
            await all_of(verify_many(["x"], workers=0))

    run(nothing)


def test_names_do_not_pile_up(run: Run, tmp_path: Path, trust: Trust) -> None:
    (name,) = many_files.copies(tmp_path, 1)
    taken = 0

    def endless() -> Iterator[str]:
        nonlocal taken
        while taken < 20_000:
            taken += 1
            yield name

    async def look() -> None:
        seen = 0
        async with aclosing(verify_many(endless(), trust=trust, workers=2)) as results:
            async for result in results:
                assert result.ok
                seen += 1
                assert taken - seen <= 2 * (64 + 64)
                if seen == 300:
                    break

    run(look)


def test_results_before_an_iterable_waits(run: Run, tmp_path: Path, trust: Trust) -> None:
    names = many_files.copies(tmp_path, 3)

    async def look() -> None:
        seen = anyio.Event()

        async def sources() -> AsyncIterator[str | None]:
            for name in names[:2]:
                yield name
            yield None
            await seen.wait()
            yield names[2]

        count = 0
        with anyio.fail_after(30):
            async for result in verify_many(sources(), trust=trust, workers=2):
                assert result.ok
                count += 1
                if count == 2:
                    seen.set()
        assert count == 3

    run(look)


def kill_reader(pipe: str, before: set[int]) -> int:
    """Kill the one worker in the middle of a file; a descriptor that keeps the next reader waiting."""
    descriptor = once_read(pipe)
    (worker,) = children() - before
    os.kill(worker, signal.SIGKILL)
    wait_for(lambda: worker not in children(), "the dead worker is not waited for")
    return descriptor


def test_a_killed_worker_loses_nothing(run: Run, tmp_path: Path, trust: Trust) -> None:
    """Killed once in the middle of a file: it is done by another one."""
    names = many_files.copies(tmp_path, 30)
    pipe = str(tmp_path / "pipe")
    os.mkfifo(pipe)
    names.insert(10, pipe)
    before = children()

    def disturb() -> None:
        first = kill_reader(pipe, before)
        second = once_read(pipe)
        os.write(second, Path(names[0]).read_bytes())
        os.close(first)
        os.close(second)

    async def look() -> None:
        thread = in_background(disturb)
        found = await all_of(verify_many(names, trust=trust, workers=1))
        thread.join()
        assert [result.path for result in found] == sorted(names)
        assert all(result.ok for result in found)

    run(look)


def test_a_file_that_kills_workers(run: Run, tmp_path: Path, trust: Trust) -> None:
    """Killed twice with the same file: that is its result, and the only one of its kind."""
    names = many_files.copies(tmp_path, 30)
    pipe = str(tmp_path / "pipe")
    os.mkfifo(pipe)
    names.insert(10, pipe)
    before = children()

    def disturb() -> None:
        for descriptor in [kill_reader(pipe, before) for _ in range(2)]:
            os.close(descriptor)

    async def look() -> None:
        thread = in_background(disturb)
        found = await all_of(verify_many(names, trust=trust, workers=1))
        thread.join()
        assert [result.path for result in found] == sorted(names)
        assert [(result.path, result.error) for result in found if not result.ok] == [(pipe, "WorkerLost")]

    run(look)


@pytest.mark.parametrize("way", ["cancel", "close"])
def test_stopping_ends_the_processes(run: Run, tmp_path: Path, trust: Trust, way: str) -> None:
    pipe = str(tmp_path / "pipe")
    os.mkfifo(pipe)
    names = [*many_files.copies(tmp_path, 5), pipe]
    before = children()

    async def look() -> None:
        async with anyio.create_task_group() as group, aclosing(verify_many(names, trust=trust, at=NOW, workers=2)) as results:
            if way == "close":
                assert (await anext(results)).ok
                assert children() > before
                return

            async def cancel() -> None:
                descriptors.append(await anyio.to_thread.run_sync(once_read, pipe))
                group.cancel_scope.cancel()

            group.start_soon(cancel)
            async for result in results:
                assert result.ok
        assert children() <= before
        os.close(descriptors.pop())

    descriptors: list[int] = []
    run(look)


def test_workers_do_not_outlive_who_started_them(tmp_path: Path) -> None:
    (name,) = many_files.copies(tmp_path, 1)
    code = (
        "import anyio, itertools, sys\nfrom dcmsign.stream import verify_many\n"
        "async def main():\n  async for _ in verify_many(itertools.repeat(sys.argv[1]), workers=2): print('x', flush=True)\n"
        "anyio.run(main)"
    )
    with subprocess.Popen([sys.executable, "-c", code, name], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        wait_for(lambda: len(children(process.pid)) == 2 and process.stdout.read(2), "no workers")  # type: ignore[union-attr]
        workers = children(process.pid)
        process.kill()
        wait_for(lambda: all(map(many_files.stopping, workers)), "workers without work go on")


def test_signing(run: Run, tmp_path: Path, trust: Trust) -> None:
    sources = many_files.mixed(tmp_path, 16)
    pairs = [(name, tmp_path / "out" / "deep" / Path(name).name) for name in sources]

    async def look() -> None:
        signed = await all_of(sign_many(pairs, keys=KeyFiles(KEY, CERTIFICATE), mac_algorithm="SHA384", workers=2))
        made = [result.target for result in signed if result.ok]
        assert [os.fspath(target) for _, target in pairs if target.exists()] == made
        assert len(made) == 8
        for target in made:
            assert target is not None
            report = await verify(target, trust=trust)
            assert "SHA384" in [signature.mac_algorithm for signature in report.signatures if signature.ok]
        assert not list((tmp_path / "out" / "deep").glob(".*"))

    run(look)


def test_sources_are_not_replaced(run: Run, tmp_path: Path) -> None:
    """A second try would sign twice."""
    (name,) = many_files.copies(tmp_path, 1)
    before = Path(name).read_bytes()

    async def look() -> None:
        (result,) = await all_of(
            sign_many([(name, tmp_path / ".." / tmp_path.name / "000.dcm")], keys=KeyFiles(KEY, CERTIFICATE))
        )
        assert result.error == "SinkError"

    run(look)
    assert Path(name).read_bytes() == before


def test_bad_keys_are_told_at_once(run: Run, tmp_path: Path) -> None:
    other = str(MAC_VECTORS / "cert-ec.pem")

    async def look() -> None:
        with pytest.raises(errors.KeyMismatch):
            await all_of(sign_many([("a", "b")], keys=KeyFiles(KEY, other)))
        with pytest.raises(errors.BadKeyFile):
            await all_of(sign_many([("a", "b")], keys=KeyFiles(str(tmp_path), CERTIFICATE)))

    run(look)


def test_passwords_are_not_shown() -> None:
    keys = KeyFiles(KEY, CERTIFICATE, b"se;cret")
    assert "se;cret" not in repr(keys)
    assert pickle.loads(pickle.dumps(keys)) == keys
