"""Signs files that are mostly holes so that the signed file is mostly holes, too: 100 GiB need no 100 GiB of disk."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import IO

from .commands import our_command, sign_options
from .measure import environment

_BLOCK = 1 << 16  # small, since headers of fragments must not make much of the file real
_ZEROS = bytes(_BLOCK)


def copy_with_holes(source: IO[bytes], target: IO[bytes]) -> None:
    """Copy; blocks of zeros become holes."""
    while block := source.read(_BLOCK):
        if block == _ZEROS[: len(block)]:
            target.seek(len(block), os.SEEK_CUR)
        else:
            target.write(block)
    target.truncate()


def read_through(path: Path) -> None:
    """Have a file in the page cache, as far as it fits: what was written is there, holes are not."""
    with path.open("rb", buffering=0) as file:
        while file.read(_BLOCK):
            pass


def signed(source: Path, target: Path) -> Path:
    """Sign `source` to `target` with our command."""
    command = [*our_command(), *sign_options(), str(source), "-"]
    own = environment(target.parent)
    with subprocess.Popen(command, env=own, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as signer:
        assert signer.stdout is not None
        with target.open("wb") as file:
            copy_with_holes(signer.stdout, file)
    if signer.returncode:
        raise subprocess.CalledProcessError(signer.returncode, command)
    return target
