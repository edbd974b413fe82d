"""`--verify-originals`: what is printed about earlier states, and the exit codes; without it everything is as with DCMTK."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pydicom
import pytest

from tests.cli.conftest import Bench
from tests.stream.archive import REMOVED, change, coerced, save, sign
from tests.stream.material import PYDICOM_FILES

TRUST = ("--add-cert-file", "cert.pem")
VERIFY = ("--verify", *TRUST)
ORIGINALS = (*VERIFY, "--verify-originals")
VALUES = {"PatientName": "Coerced^Name", "PatientComments": "added", "StudyID": REMOVED}
IGNORING = "W: Found Digital Signature Sequence within the Original Attributes Sequence, ignoring.\n"


@pytest.fixture
def after(bench: Bench) -> Path:
    """An object that was signed, and then changed."""
    before = sign(PYDICOM_FILES / "CT_small.dcm", bench.folder / "before.dcm")
    return coerced(before, bench.folder / "after.dcm", VALUES)


def tampered(path: Path) -> None:
    dataset = pydicom.dcmread(path)
    dataset.Modality = "MR"
    save(dataset, path)


def uid_of(path: Path) -> str:
    dataset = pydicom.dcmread(path)
    old = dataset.OriginalAttributesSequence[0].ModifiedAttributesSequence[0]
    return str(old[0xFFFAFFFA].value[0].DigitalSignatureUID)


@pytest.mark.usefixtures("after")
def test_without_the_option_nothing_is_different(bench: Bench) -> None:
    for arguments in ((*VERIFY, "after.dcm"), (*VERIFY, "-v", "after.dcm"), (*VERIFY, "+rg", "after.dcm")):
        ours, theirs = bench.ours(*arguments), bench.reference(*arguments)
        assert (ours.code, ours.out, ours.err) == (theirs.code, theirs.out, theirs.err)


def test_signatures_of_earlier_states_follow(bench: Bench, after: Path) -> None:
    done = bench.ours(*ORIGINALS, "after.dcm")
    assert done.code == 0
    assert done.err == (
        f"{IGNORING}W: no signatures found in dataset.\n"
        "W: State #1 before the change of 20240102030405 by ARCHIVE (COERCE)\n"
        f"W: Signature #1 UID={uid_of(after)}\n"
        "W:   Signature Verification : OK\n"
    )


@pytest.mark.usefixtures("after")
def test_details(bench: Bench) -> None:
    text = bench.ours(*ORIGINALS, "-v", "after.dcm").err
    start = text.index("W: State #1")
    lines = text[start:].splitlines()
    assert lines[1:8] == [
        "I:   Source of previous values   : OTHER HOSPITAL",
        "I:   Original values put back    :",
        "I:       (0010,0010) PatientName",
        "I:       (0010,4000) PatientComments",
        "I:       (0020,0010) StudyID",
        "I:   Absent or empty             :",
        "I:       (0010,4000) PatientComments",
    ]
    assert "I:       (0020,0010) StudyID" in lines[8:]  # among the data elements signed
    assert "W:   Signature Verification      : OK" in lines
    assert lines[-1] == "I: 1 signatures verified in earlier states, 0 corrupted."


def test_exit_code_of_a_corrupted_earlier_state(bench: Bench, after: Path) -> None:
    tampered(after)
    assert bench.ours(*VERIFY, "after.dcm").code == 0
    done = bench.ours(*ORIGINALS, "after.dcm")
    assert done.code == 101
    assert "signature is invalid (document corrupted)" in done.err
    assert "I: 1 signatures verified in earlier states, 1 corrupted.\n" in bench.ours(*ORIGINALS, "-v", "after.dcm").err


def test_exit_code_of_the_object_as_it_is_counts_first(bench: Bench, after: Path) -> None:
    assert bench.ours(*ORIGINALS, "+rg", "after.dcm").code == 100
    assert bench.ours("--verify", "--verify-originals", "after.dcm").code == 101  # nobody is trusted
    final = sign(after, bench.folder / "final.dcm", "--tag", "Modality")
    assert bench.ours(*ORIGINALS, "final.dcm").code == 0
    assert bench.ours(*ORIGINALS, "+rc", "final.dcm").code == 102
    tampered(final)
    done = bench.ours(*ORIGINALS, "final.dcm")
    assert (done.code, done.err.count("document corrupted")) == (101, 2)


def test_nothing_to_put_back(bench: Bench) -> None:
    for name in ("in.dcm", "signed.dcm"):
        plain, with_option = bench.ours(*VERIFY, "-v", name), bench.ours(*ORIGINALS, "-v", name)
        assert with_option.err == plain.err + "I: no earlier states of the dataset are known.\n"
        assert with_option.code == plain.code


def test_what_the_file_says_cannot_disturb_the_terminal(bench: Bench, after: Path) -> None:
    dataset = pydicom.dcmread(after)
    item = dataset.OriginalAttributesSequence[0]
    item.ModifyingSystem = "\x1b[2J\x07"
    del item.AttributeModificationDateTime
    save(dataset, after)
    text = bench.ours(*ORIGINALS, "after.dcm").err
    assert "W: State #1 before the change of (unknown) by \\x1B[2J\\x07 (COERCE)\n" in text
    assert "\x1b" not in text


def test_signatures_that_belong_to_no_state(bench: Bench, after: Path) -> None:
    dataset = pydicom.dcmread(after)
    item = dataset.OriginalAttributesSequence[0]
    item.ModifiedAttributesSequence = [pydicom.Dataset(), *item.ModifiedAttributesSequence]
    save(dataset, after)
    done = bench.ours(*ORIGINALS, "after.dcm")
    place = "OriginalAttributesSequence[0].ModifiedAttributesSequence[1]"
    assert done.code == 101
    assert f"E: signatures at {place} belong to no earlier state and have not been verified.\n" in done.err
    assert "W: Original Attributes Sequence item 0: more than one item" in done.err


def test_too_much(bench: Bench, after: Path) -> None:
    dataset = pydicom.dcmread(after)
    for _ in range(70):
        change(dataset, {"PatientName": "X"}, move_signatures=False)
    save(dataset, after)
    done = bench.ours(*ORIGINALS, "after.dcm")
    assert done.code != 0
    assert "too many changes" in done.err


@pytest.mark.usefixtures("after")
def test_where_the_option_is_allowed(bench: Bench) -> None:
    done = bench.ours("--verify-originals", "--remove-all", "after.dcm", "out.dcm")
    assert (done.code, "--verify-originals only allowed with --verify" in done.err) == (1, True)
    done = bench.ours(*ORIGINALS, "--batch", "after.dcm")
    assert (done.code, "--verify-originals not allowed with --batch" in done.err) == (1, True)


def test_from_a_pipe(bench: Bench, after: Path) -> None:
    command = [sys.executable, "-m", "dcmsign.stream", *ORIGINALS, "-"]
    done = subprocess.run(command, input=after.read_bytes(), cwd=bench.folder, capture_output=True, check=False, timeout=60)
    assert done.returncode == 0
    assert re.search(rb"State #1 .*\nW: Signature #1 UID=.*\nW:   Signature Verification : OK", done.stderr)
