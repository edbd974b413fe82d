"""``--report``: what is written, when, and that nothing else changes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import Bench

ROOT = Path(__file__).parents[2]
TRUSTED = ("--verify", "+cf", "cert.pem")


@pytest.mark.parametrize("suffix", ["json", "html"])
@pytest.mark.parametrize("arguments", [(*TRUSTED, "signed.dcm"), ("--verify", "signed.dcm"), ("--verify", "+rg", "in.dcm")])
def test_nothing_else_changes(bench: Bench, arguments: tuple[str, ...], suffix: str) -> None:
    file = bench.folder / f"r.{suffix}"
    assert bench.ours(*arguments, "--report", f"r.{suffix}") == bench.ours(*arguments)
    assert file.stat().st_size > 1000


def test_content(bench: Bench) -> None:
    bench.ours("--verify", "--report", "r.json", "signed.dcm")
    data = json.loads((bench.folder / "r.json").read_text())
    assert (data["source"], data["ok"], data["levels"]["intact"]["reached"]) == ("signed.dcm", False, True)


@pytest.mark.parametrize("source", ["absent.dcm", "text.txt"])
def test_nothing_to_report(bench: Bench, source: str) -> None:
    (bench.folder / "r.json").write_text("old")
    assert bench.ours("--verify", "--report", "r.json", source) == bench.ours("--verify", source)
    assert (bench.folder / "r.json").read_text() == "old"


@pytest.mark.parametrize(
    "arguments",
    [
        ("--verify", "--report", "r.txt", "signed.dcm"),
        ("--verify", "--report", "same.json", "same.json"),
        ("--verify", "--batch", "--report", "r.json", "signed.dcm"),
        ("--verify", "--verify-originals", "--report", "r.json", "signed.dcm"),
        ("--sign", "key.pem", "cert.pem", "--report", "r.json", "in.dcm", "out.dcm"),
    ],
)
def test_refused(bench: Bench, arguments: tuple[str, ...]) -> None:
    (bench.folder / "same.json").write_bytes((bench.folder / "signed.dcm").read_bytes())
    outcome = bench.ours(*arguments)
    assert outcome.code == 1
    assert "--report" in outcome.err
    assert not (bench.folder / "r.json").exists()


def test_cannot_be_written(bench: Bench) -> None:
    outcome = bench.ours(*TRUSTED, "--report", "none/r.json", "signed.dcm")
    assert outcome.code == bench.ours("--sign", "key.pem", "cert.pem", "in.dcm", "none/out.dcm").code
    assert "none/r.json" in outcome.err


def test_findings_page() -> None:
    subprocess.run([sys.executable, "-m", "tools.generate_findings", "--check"], cwd=ROOT, check=True)
