"""A data dictionary for dcmsign that holds what some files need: it starts three times as fast with one."""

from __future__ import annotations

import functools
import re
import subprocess
from collections.abc import Iterable
from pathlib import Path

from tests.peers import require_peer

_ENTRY = re.compile(r"\(([0-9A-Fa-f]{4}),([0-9A-Fa-f]{4})\)\t")
_LOADING = re.compile(r"DcmDataDictionary: Loading file: (\S+)")


@functools.cache
def _lines() -> tuple[str, ...]:
    """The lines of the dictionary files dcmsign loads by default."""
    command = [require_peer("dcmsign"), "-d", "/dev/null"]
    said = subprocess.run(command, capture_output=True, text=True, check=False, env={}).stderr
    files = _LOADING.findall(said)
    assert files, said
    return tuple(line for file in files for line in Path(file).read_text("latin-1").splitlines(keepends=True))


def write_dictionary(path: Path, tags: Iterable[int]) -> dict[str, str]:
    """Write the entries for `tags`, for every tag that differs in one byte from one of them, and those for ranges of tags.

    Returns the environment that makes dcmsign use it.
    """
    known = [tag.to_bytes(4, "big") for tag in tags]
    kept = [line for line in _lines() if not line.startswith("#") and _wanted(line, known)]
    path.write_text("".join(kept), "latin-1")
    return {"DCMDICTPATH": str(path)}


def _wanted(line: str, known: list[bytes]) -> bool:
    entry = _ENTRY.match(line)
    if entry is None:
        return '"' not in line and "-" in line.partition("\t")[0]
    tag = bytes.fromhex(entry[1] + entry[2])
    return any(sum(a != b for a, b in zip(tag, near, strict=True)) <= 1 for near in known)
