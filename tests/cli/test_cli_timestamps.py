"""Timestamps through files: the vectors made with DCMTK's dcmsign, and both programs on each other's objects."""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Bench
from tests.peers import require_peer
from tests.tsa.stamped import CASES, VECTORS

VERIFIED = [(case["id"], run) for case in CASES for run in case.get("verify") or ()]
INSERTED = [case for case in CASES if case.get("insert")]

STALE = "with an unreadable file before it, dcmsign prints the oldest error of OpenSSL, or nothing; here always the reason"
P521 = "dcmsign does not find the end of a P-521 signature of odd length"
READER = "warnings of dcmsign's reader about what is no DICOM"
DIFFERENT = {"granted-p521": P521, "verify-unstamped-p521": P521, "files-uid-plain-text": READER}


def dumped(path: Path) -> list[str]:
    command = [require_peer("dcmdump"), "+L", str(path)]
    lines = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True, errors="replace").stdout.splitlines()
    return [line for line in lines if not line.startswith("(0002")]


@pytest.mark.parametrize(("name", "run"), VERIFIED, ids=[f"{name}-{' '.join(run['args'][:-1])}" for name, run in VERIFIED])
def test_verify(bench: Bench, monkeypatch: pytest.MonkeyPatch, name: str, run: dict[str, Any]) -> None:
    monkeypatch.chdir(VECTORS)
    done = bench.ours(*run["args"])
    lines = done.err.splitlines()
    if name in DIFFERENT:
        assert run["exit"] == 101
        assert done.code == (101 if "+tr" in run["args"] else 0), DIFFERENT[name]
        assert [line.endswith(": OK") for line in lines if "Signature Verification" in line] == [True]
    elif "unable to load certificate file" in done.err and "timestamp signature verification failed" in done.err:
        assert done.code == run["exit"], STALE
        assert lines[:-1] == run["stderr"][:-1]
        assert lines[-1].endswith("failed: certificate verify error")
    else:
        assert (done.code, lines) == (run["exit"], run["stderr"])


@pytest.mark.parametrize("case", INSERTED, ids=[case["id"] for case in INSERTED])
def test_insert(bench: Bench, monkeypatch: pytest.MonkeyPatch, case: dict[str, Any], tmp_path: Path) -> None:
    monkeypatch.chdir(VECTORS)
    expected = case["insert"]
    *arguments, target = expected["args"]
    output = tmp_path / "stamped.dcm"
    done = bench.ours(*arguments, str(output) if "/nodir/" not in target else target)
    if case["id"] in DIFFERENT:
        code, said = (33, expected["stderr"][-1:]) if DIFFERENT[case["id"]] is READER else (0, [])
        assert (done.code, done.err.splitlines()) == (code, said), DIFFERENT[case["id"]]
        assert expected["stderr"] != said
        assert output.exists() == (code == 0)
        return
    assert (done.code, done.err.splitlines()) == (expected["exit"], expected["stderr"])
    assert output.exists() == (done.code == 0)
    stamped = VECTORS / (case.get("stamped") or "none")
    if done.code == 0 and stamped.is_file():
        assert dumped(output) == dumped(stamped)


@pytest.mark.parametrize("options", ["", "+tm3 -tn", "+tm5 -tc", "+tmr", "+tms +tp 1.2.3.4", "+tmm +tp anyPolicy"])
def test_query_files(bench: Bench, options: str) -> None:
    """Both programs write the same query but for digest and nonce, and a file from which both know the signature."""
    line = f"+m2 +s key.pem cert.pem +ts q.tsq q.uid {options} in.dcm".split()
    texts = []
    for run in (bench.ours, bench.reference):
        done = run(*line, "out.dcm")
        assert (done.code, done.err) == (0, "")
        command = [require_peer("openssl"), "ts", "-query", "-in", str(bench.folder / "q.tsq"), "-text"]
        text = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True).stdout
        text = re.sub(r"(?m)^ +[0-9a-f]{4} - .*$", "DIGEST", text)
        texts.append(re.sub(r"Nonce: 0x[0-9A-F]+", "Nonce: N", text))
        uid = dumped(bench.folder / "q.uid")[-2:]
        assert any("(0400,0100)" in line for line in uid)
    assert texts[0] == texts[1]


@pytest.mark.parametrize(
    "line",
    [
        "+ts /nodir/q q.uid +s key.pem cert.pem in.dcm out.dcm",
        "+ts q.tsq /nodir/u +s key.pem cert.pem in.dcm out.dcm",
        "+ts '' '' +s key.pem cert.pem in.dcm out.dcm",
        "+ts q.tsq q.uid +tp foo.bar +s key.pem cert.pem in.dcm out.dcm",
        "+ts q.tsq q.uid +s key.pem cert.pem in.dcm /nodir/out.dcm",
        "+t missing missing missing in.dcm out.dcm",
    ],
)
def test_failures(bench: Bench, line: str) -> None:
    arguments = shlex.split(line)
    ours, theirs = bench.ours(*arguments), bench.reference(*arguments)
    assert (ours.code, ours.err) == (theirs.code, theirs.err)
