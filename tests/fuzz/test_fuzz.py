"""Every input that was a finding once, the seeds, and a short run of random mutations, the same every time."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from tests.fuzz.targets import REGRESSIONS, TARGETS, quiet, regressions

MUTANTS = 300
"""Inputs for each target: a few seconds."""


@pytest.fixture(autouse=True)
def silence() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        import logging

        logger = logging.getLogger("dcmsign")
        patch.setattr(logger, "level", logger.level)
        quiet()
        yield


def test_regressions_belong_to_targets() -> None:
    assert {path.name for path in REGRESSIONS.iterdir()} <= set(TARGETS)


@pytest.mark.parametrize(("name", "path"), [(name, path) for name in TARGETS for path in regressions(name)], ids=str)
def test_former_findings(name: str, path: Path) -> None:
    TARGETS[name].check(path.read_bytes())


@pytest.mark.parametrize("name", TARGETS)
def test_random_mutations(name: str) -> None:
    target = TARGETS[name]
    random = Random(zlib.crc32(name.encode()))
    found = target.seeds()
    assert found
    for _ in range(MUTANTS):
        data = random.choice(found)
        for _ in range(random.choice((1, 1, 2, 3))):
            data = target.mutate(data, random)
        target.check(data[: target.size])
