"""Finds the programs the tests compare results with."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

REQUIRED = os.environ.get("DCMSIGN_REQUIRE_PEERS") == "1"
"""Set by the continuous integration: a missing program is a failure there, not a reason to skip."""


def find_peer(name: str) -> str | None:
    """The path of the program `name`, or None; programs of the running Python environment do not count."""
    own = Path(sys.prefix).resolve()
    folders = os.environ.get("PATH", os.defpath).split(os.pathsep)
    foreign = [folder for folder in folders if folder and not Path(folder).resolve().is_relative_to(own)]
    return shutil.which(name, path=os.pathsep.join(foreign))


def require_peer(name: str) -> str:
    """The path of the program `name`; without it the calling test is skipped or, where peers are required, fails."""
    path = find_peer(name)
    if path is None:
        message = f"{name} is not installed (Debian package: {name if name in ('openssl', 'chromium') else 'dcmtk'})"
        if REQUIRED:
            pytest.fail(message)
        pytest.skip(message)
    return path


def dcmtk_version() -> str:
    """The version of the installed DCMTK, such as "3.6.7"; skips or fails as `require_peer` does."""
    banner = subprocess.run([require_peer("dcmdump"), "--version"], capture_output=True, check=True, text=True).stdout
    found = re.search(r"v(\d+\.\d+\.\d+)", banner)
    assert found, banner
    return found[1]
