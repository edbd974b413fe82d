"""The third form of the command, with real processes: ``dcmsign --make-manifest`` and ``--verify-manifest``."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pydicom
import pytest

from tests.cli.conftest import Bench
from tests.peers import require_peer
from tests.stream import studies
from tests.stream.many_files import CERTIFICATE, KEY, children
from tests.tsa.servers import OpenSSLAuthority, Server

COMMAND = (sys.executable, "-m", "dcmsign.stream")
SIGN = ("--sign", KEY, CERTIFICATE)
TRUSTED = ("+cf", CERTIFICATE)


@pytest.fixture(autouse=True)
def no_processes_left() -> Iterator[None]:
    before = children()
    yield
    assert children() <= before


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A study, and the working directory beside it."""
    studies.many(tmp_path / "study", 12)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*arguments: str | Path, **options: Any) -> subprocess.CompletedProcess[str]:
    if "input" not in options:
        options["stdin"] = subprocess.DEVNULL
    return subprocess.run([*COMMAND, *arguments], capture_output=True, text=True, check=False, timeout=120, **options)


def make(*arguments: str | Path) -> dict[str, Any]:
    done = run("--make-manifest", "m.dcm", *SIGN, *arguments, "study")
    assert done.returncode == 0, done.stderr
    (line,) = map(json.loads, done.stdout.splitlines())
    assert line["exit_code"] == 0
    return line["report"]  # type: ignore[no-any-return]


def verify(*arguments: str | Path, **options: Any) -> tuple[int, dict[str, Any], dict[str, dict[str, Any]], dict[str, Any]]:
    """Exit code, the line about the manifest, those about instances by name, the one about the study."""
    done = run("--verify-manifest", "m.dcm", *TRUSTED, *arguments, **options)
    first, *others, last = map(json.loads, done.stdout.splitlines())
    return done.returncode, first, {os.path.basename(line.get("path", "-")): line for line in others}, last


def test_made_and_verified(folder: Path) -> None:
    report = make()
    assert (report["instances"], report["mac_algorithm"], report["study"]) == (12, "SHA256", studies.STUDY)
    code, manifest, instances, study = verify("study", "m.dcm")
    assert (code, manifest["exit_code"], study["exit_code"]) == (0, 0, 0)
    assert manifest["report"]["signatures"][0]["purpose"] == "Source Signature"
    assert {line["status"] for line in instances.values()} == {"INTACT"}
    assert study["report"]["ok"]
    assert study["report"]["counts"]["intact"] == len(instances) == 12
    shown = subprocess.run([require_peer("dsrdump"), "m.dcm"], capture_output=True, text=True, check=True, timeout=60)
    assert shown.stdout.count("<contains IMAGE:") == 12


def test_the_peer_verifies_it(folder: Path) -> None:
    done = run("--make-manifest", "m.dcm", *SIGN, *sorted(Path("study").iterdir())[:3])
    assert done.stderr.startswith("3 files: 3 good")
    subprocess.run([require_peer("dcmsign"), "--verify", *TRUSTED, "m.dcm"], check=True, capture_output=True, timeout=60)


def test_everything_that_is_wrong(folder: Path) -> None:
    make()
    paths = sorted((folder / "study").iterdir())
    paths[0].unlink()
    paths[1].write_bytes(paths[1].read_bytes()[:-1] + b"\xff")
    (folder / "study" / "extra.dcm").write_bytes(studies.small(99))
    (folder / "study" / "garbage").write_text("hello")
    os.mkfifo(folder / "study" / "pipe")
    code, manifest, instances, study = verify("study", "--jobs", "2")
    assert (code, manifest["exit_code"], study["exit_code"]) == (101, 0, 101)
    found = {name: (line.get("status"), line["exit_code"]) for name, line in instances.items()}
    assert found["-"] == ("MISSING", 101)
    assert found[paths[1].name] == ("CHANGED", 101)
    assert found["extra.dcm"] == ("EXTRA", 101)
    assert found["garbage"] == ("UNREADABLE", 20)
    assert instances["pipe"]["skipped"] == "not a regular file"
    levels = study["report"]["levels"]
    assert [name for name, level in levels.items() if level["reached"] is False] == ["intact", "complete", "exact"]


def test_exit_codes_of_manifests(folder: Path) -> None:
    make()
    assert run("--verify-manifest", "m.dcm", "study").returncode == 101  # nobody is trusted
    dataset = pydicom.dcmread("m.dcm")
    dataset.ContentTime = "000000"
    dataset.save_as("m.dcm")
    code, manifest, _, study = verify("study")
    assert (code, manifest["exit_code"], study["exit_code"]) == (101, 101, 101)
    assert not study["report"]["levels"]["signed"]["reached"]
    del dataset[0x4FFE0001], dataset[0xFFFAFFFA]
    dataset.save_as("m.dcm")
    assert verify("study")[:2][1]["exit_code"] == 100
    done = run("--verify-manifest", "study/00000.dcm", "study")
    assert done.returncode == 20
    assert done.stderr == "F: neither a Key Object Selection nor another structured report: reading file: study/00000.dcm\n"
    done = run("--verify-manifest", "absent", "study")
    assert (done.returncode, done.stderr) == (20, "F: No such file or directory: reading file: absent\n")


def test_lists_and_results(folder: Path) -> None:
    names = "".join(f"study/{name}\0" for name in os.listdir("study"))
    done = run("--make-manifest", "m.dcm", *SIGN, "--null", "--results", "r.jsonl", "-", input=names)
    assert (done.returncode, done.stdout) == (0, "")
    assert json.loads(Path("r.jsonl").read_text())["report"]["instances"] == 12
    code, _, instances, _ = verify("--null", "-", input=names)
    assert (code, len(instances)) == (0, 12)


def test_choices_of_the_signature(folder: Path) -> None:
    report = make("--mac-sha512", "--sig-purpose", "1", "--profile-base")
    assert report["mac_algorithm"] == "SHA512"
    dataset = pydicom.dcmread("m.dcm")
    assert dataset.DigitalSignaturesSequence[0].DigitalSignaturePurposeCodeSequence[0].CodeValue == "1"
    (evidence,) = dataset.CurrentRequestedProcedureEvidenceSequence
    mac = evidence.ReferencedSeriesSequence[0].ReferencedSOPSequence[0].ReferencedSOPInstanceMACSequence[0]
    assert (mac.MACAlgorithm, len(mac.MAC)) == ("SHA512", 64)
    make("--no-sig-purpose")
    assert "DigitalSignaturePurposeCodeSequence" not in pydicom.dcmread("m.dcm").DigitalSignaturesSequence[0]


def test_timestamps(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in [name for name in os.environ if name.lower().endswith("_proxy")]:
        monkeypatch.delenv(variable)
    (folder / "tsa").mkdir()
    authority = OpenSSLAuthority(folder / "tsa")
    with Server(authority.behave) as server:
        make("--timestamp-url", server.url)
    trusted = ("+cf", str(authority.ca))
    code, _, _, study = verify("--require-ts", *trusted, "study")
    assert (code, study["report"]["levels"]["timestamped"]["reached"]) == (0, True)
    make()
    assert verify("--require-ts", *trusted, "study")[0] == 101


def test_what_cannot_be_read_is_not_left_out(folder: Path) -> None:
    done = run("--make-manifest", "m.dcm", *SIGN, "study", "absent")
    assert (done.returncode, done.stdout) == (20, "")
    assert "No such file or directory: reading file: absent" in done.stderr
    (folder / "study" / "garbage").write_text("hello")
    done = run("--make-manifest", "m.dcm", *SIGN, "study")
    assert done.returncode == 20
    assert "garbage" in done.stderr
    (folder / "study" / "garbage").write_bytes(studies.small(99, study=b"1.2.3"))
    done = run("--make-manifest", "m.dcm", *SIGN, "study")
    assert done.returncode == 85
    assert "of another study" in done.stderr
    done = run("--make-manifest", "m.dcm", "--sign", "absent", CERTIFICATE, "study")
    assert (done.returncode, done.stderr) == (20, "F: file cannot be read: while loading private key file 'absent'\n")
    assert not Path("m.dcm").exists()


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["--make-manifest", "m", "x"], "--make-manifest only allowed with --sign"),
        (["--verify-manifest", "m", "--sign", "k", "c", "x"], "--verify-manifest only allowed with --verify"),
        (["--verify-manifest", "m", "--batch", "x"], "--batch not allowed with --verify-manifest"),
        (["--verify-manifest", "m", "--resume", "r", "x"], "--resume not allowed with --verify-manifest"),
        (["--make-manifest", "m", "--sign", "k", "c", "-t", "PatientID", "x"], "--tag not allowed with --make-manifest"),
        (["--make-manifest", "m", "--sign", "k", "c", "-fd", "x"], "--format-dcmtk not allowed with --make-manifest"),
        (["--make-manifest", "m", "--verify-manifest", "n", "x"], "--verify-manifest not allowed with --make-manifest"),
        (["--verify-manifest", "m"], "Missing parameter dcmfile-in"),
        (["--verify-manifest", "m", "--jobs", "0", "x", "y", "z"], "Invalid value for option --jobs (0)"),
    ],
)
def test_usage_errors(bench: Bench, arguments: list[str], text: str) -> None:
    outcome = bench.ours(*arguments)
    assert (outcome.code, outcome.err.splitlines()[-1]) == (1, f"error: {text}")
