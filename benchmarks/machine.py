"""What the figures were measured on, and what this machine cannot be faster than."""

from __future__ import annotations

import hashlib
import os
import platform
import ssl
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from .commands import Programs
from .inputs import MIB
from .measure import ROOT, Run, measure

_HASHED = 256 * MIB


def describe(programs: Programs) -> dict[str, Any]:
    """CPU, cores, memory, and the versions of everything that takes part."""
    return {
        "cpu": _field(Path("/proc/cpuinfo"), "model name") or platform.processor() or platform.machine(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_mib": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // MIB,
        "load": os.getloadavg()[0],
        "kernel": f"{platform.system()} {platform.release()}",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "openssl": ssl.OPENSSL_VERSION,
        "packages": {name: _version(name) for name in ("dcmsign", "anyio", "cryptography")},
        "commit": _first_line(["git", "-C", str(ROOT), "describe", "--always", "--dirty", "--exclude=*"]),
        "peers": {
            "dcmsign": _first_line([programs.dcmsign, "--version"]) if programs.dcmsign else "",
            "openssl dgst": _first_line([programs.openssl, "version"]) if programs.openssl else "",
            "cp": _first_line([programs.cp, "--version"]) if programs.cp else "",
        },
    }


def _field(path: Path, name: str) -> str:
    with suppress(OSError):
        for line in path.read_text().splitlines():
            key, _, value = line.partition(":")
            if key.strip() == name:
                return value.strip()
    return ""


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def _first_line(command: list[str]) -> str:
    try:
        shown = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    except OSError:
        return ""
    return next(iter(shown.stdout.splitlines()), "").strip("$ ")


def limits(folder: Path) -> dict[str, float]:
    """Bytes a second on one core: hashing, copying in memory, writing a file into the page cache; seconds to start Python."""
    block, target = memoryview(os.urandom(MIB)), bytearray(64 * MIB)
    source = bytes(target)

    def hash_with(name: str) -> Callable[[], int]:
        def run() -> int:
            digest = hashlib.new(name)
            for _ in range(0, _HASHED, MIB):
                digest.update(block)
            return _HASHED

        return run

    def copy() -> int:
        memoryview(target)[:] = source
        return len(source)

    def write() -> int:
        path = folder / "written"
        with path.open("wb", buffering=0) as file:
            for _ in range(0, _HASHED, MIB):
                file.write(block)
        path.unlink()
        return _HASHED

    speeds = {name: _speed(run) for name, run in (("sha256", hash_with("sha256")), ("copy", copy), ("write", write))}
    return speeds | {"start": measure(Run([sys.executable, "-I", "-c", "pass"]), folder).wall}


def _speed(run: Callable[[], int]) -> float:
    best = 0.0
    for _ in range(3):
        start = time.perf_counter()
        best = max(best, run() / (time.perf_counter() - start))
    return best
