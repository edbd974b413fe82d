"""What the comparison with DCMTK's dcmsign cannot show: options that are not there yet, and calls from Python."""

from __future__ import annotations

import shlex

import pytest
from dcmsign.stream.cli import main

from tests.cli.conftest import Bench


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("+s missing missing +t q r u in.dcm out.dcm", "--insert-timestamp"),
        ("+ts q u +s missing missing missing.dcm out.dcm", "--timestamp-file"),
        ("-tv signed.dcm", "--ignore-ts"),
        ("+tr missing.dcm", "--require-ts"),
    ],
)
def test_unavailable_options_stop_before_files_are_read(bench: Bench, line: str, name: str) -> None:
    done = bench.ours(*shlex.split(line))
    assert (done.code, done.out) == (1, "")
    title = "HEADER\n\ndcmsign: Sign and Verify DICOM Files\n"
    assert done.err == f"{title}error: {name} is not available in this version\n"
    assert not (bench.folder / "out.dcm").exists()


def test_main_may_be_called_repeatedly(bench: Bench) -> None:
    first = bench.ours("-v", "signed.dcm")
    assert bench.ours("-v", "signed.dcm") == first
    assert main(["-q", "signed.dcm"]) == 101
