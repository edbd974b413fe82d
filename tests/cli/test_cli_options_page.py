"""docs/options.md lists every option, as the table has it and the real program knows it."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from dcmsign.stream.cli.option_table import OPTIONS

from tests.peers import require_peer

ROOT = Path(__file__).resolve().parent.parent.parent
PAGE = (ROOT / "docs" / "options.md").read_text("utf-8")


def test_it_is_up_to_date() -> None:
    subprocess.run([sys.executable, "-m", "tools.generate_options", "--check"], cwd=ROOT, check=True)


def test_every_option_of_the_real_program_is_listed() -> None:
    text = subprocess.run([require_peer("dcmsign"), "--help"], stdout=subprocess.PIPE, check=True, text=True).stdout
    names = set(re.findall(r"^ +(?:[-+]\S+ +)?(--[-a-z0-9]+)", text, re.MULTILINE))
    short = set(re.findall(r"^ +([-+]\S+) +--", text, re.MULTILINE))
    assert len(names) > 75
    assert names | short == {name for option in OPTIONS if not option.added for name in (option.short, option.long) if name}
    for name in names | short:
        assert f"`{name}`" in PAGE
