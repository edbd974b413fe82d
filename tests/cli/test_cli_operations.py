"""What the comparison with DCMTK's dcmsign cannot show: calls from Python."""

from __future__ import annotations

from dcmsign.stream.cli import main

from tests.cli.conftest import Bench


def test_main_may_be_called_repeatedly(bench: Bench) -> None:
    first = bench.ours("-v", "signed.dcm")
    assert bench.ours("-v", "signed.dcm") == first
    assert main(["-q", "signed.dcm"]) == 101
