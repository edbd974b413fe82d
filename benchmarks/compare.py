"""Whole commands against DCMTK's dcmsign, `openssl dgst` and `cp`, interleaved in one run: time ratios and peak memory.

    python benchmarks/compare.py                     1 GiB encapsulated, 5 rounds
    python benchmarks/compare.py --mib 64 --rounds 3
    python benchmarks/compare.py --mib 20480 --sparse --ours-only --rounds 1

Prints a Markdown table and writes JSON with --json FILE. Figures are medians over the rounds; ratios are medians of the ratios
within a round. Input, output and temporary files live in --folder.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import statistics
import struct
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

KEYS = Path(__file__).resolve().parent.parent / "tests" / "vectors" / "mac"
KEY, CERTIFICATE = str(KEYS / "key-rsa.pem"), str(KEYS / "cert-rsa.pem")
JPEG, EXPLICIT = "1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.1"
FRAGMENT = 4 << 20
PEER = "dcmsign"
ITEM = "ReferencedImageSequence[0]"


class Measurement(NamedTuple):
    """Of one command: wall time and CPU time in seconds, peak resident memory in MiB."""

    wall: float
    cpu: float
    memory: float


def element(tag: int, vr: str, value: bytes, *, long: bool = False, length: int | None = None) -> bytes:
    head = struct.pack("<HH", tag >> 16, tag & 0xFFFF) + vr.encode()
    size = len(value) if length is None else length
    return head + (struct.pack("<HI", 0, size) if long else struct.pack("<H", size)) + value


def make_input(path: Path, size: int, *, encapsulated: bool, sparse: bool) -> None:
    """A file with `size` bytes of Pixel Data; sparse ones hold zeros that take no space."""
    syntax = (JPEG if encapsulated else EXPLICIT).encode()
    syntax += b"\0" * (len(syntax) % 2)
    sop_class = b"1.2.840.10008.5.1.4.1.1.7\0"
    meta = element(0x00020001, "OB", b"\0\1", long=True) + element(0x00020002, "UI", sop_class)
    meta += element(0x00020003, "UI", b"1.2.3.4.5\0") + element(0x00020010, "UI", syntax)
    head = element(0x00080016, "UI", sop_class) + element(0x00080018, "UI", b"1.2.3.4.5\0")
    item = element(0x00081150, "UI", sop_class) + element(0x00081155, "UI", b"1.2.3.4.6\0")
    head += element(0x00081140, "SQ", struct.pack("<HHI", 0xFFFE, 0xE000, len(item)) + item, long=True)
    head += element(0x00100010, "PN", b"DOE^JOHN") + element(0x00100020, "LO", b"ID")
    noise = os.urandom(1 << 20)
    with path.open("wb") as file:
        file.write(bytes(128) + b"DICM" + element(0x00020000, "UL", struct.pack("<I", len(meta))) + meta + head)
        undefined = 0xFFFFFFFF
        pixels = element(0x7FE00010, "OB", b"", long=True, length=undefined if encapsulated else size)
        file.write(pixels + (struct.pack("<HHI", 0xFFFE, 0xE000, 0) if encapsulated else b""))
        left = size
        while left:
            piece = min(FRAGMENT, left)
            if encapsulated:
                file.write(struct.pack("<HHI", 0xFFFE, 0xE000, piece))
            left -= piece
            if sparse:
                file.seek(piece, os.SEEK_CUR)
            else:
                for start in range(0, piece, len(noise)):
                    file.write(noise[: piece - start])
        if encapsulated:
            file.write(struct.pack("<HHI", 0xFFFE, 0xE0DD, 0))
        file.truncate(max(file.tell(), file.seek(0, os.SEEK_END)))


def measure(command: list[str], stdin: Path | None = None, *, output: Path | None = None) -> Measurement:
    """Run one command, which must succeed; its output file is new each time, since replacing one includes a sync to disk."""
    if output is not None:
        output.unlink(missing_ok=True)
    probe = (
        "import json, os, resource, subprocess, sys, time\n"
        "start = time.perf_counter()\n"
        "done = subprocess.run(sys.argv[2:], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)\n"
        "wall = time.perf_counter() - start\n"
        "used = resource.getrusage(resource.RUSAGE_CHILDREN)\n"
        "sys.stderr.buffer.write(done.stderr)\n"
        "open(sys.argv[1], 'w').write(json.dumps([wall, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024]))\n"
        "sys.exit(done.returncode)\n"
    )
    with tempfile.NamedTemporaryFile() as result:
        feeder = subprocess.Popen(["cat", str(stdin)], stdout=subprocess.PIPE) if stdin else None
        done = subprocess.run(
            [sys.executable, "-S", "-c", probe, result.name, *command],
            stdin=feeder.stdout if feeder else subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        if feeder:
            feeder.wait()
        if done.returncode:
            sys.exit(f"{' '.join(command)}: exit {done.returncode}: {done.stderr.decode(errors='replace')}")
        return Measurement(*json.loads(Path(result.name).read_text()))


def find_dcmsign() -> str | None:
    """DCMTK's dcmsign: the first one on the path that does not belong to this environment."""
    for folder in os.environ.get("PATH", "").split(os.pathsep):
        candidate = shutil.which("dcmsign", path=folder)
        if candidate and not Path(candidate).resolve().is_relative_to(Path(sys.prefix).resolve()):
            return candidate
    return None


def operations(signed: Path, source: Path, output: Path, *, encapsulated: bool) -> dict[str, list[str]]:
    """Arguments of the operations that both programs know, by name; the file is signed before it is verified."""
    keys = [KEY, CERTIFICATE]
    work = {
        "sign": ["+m2", "+s", *keys, str(source), str(signed)],
        "verify": ["+cf", CERTIFICATE, str(signed)],
        "sign item": ["+m2", "+si", *keys, ITEM, str(source), str(output)],
        "remove all": ["+ra", str(signed), str(output)],
    }
    if not encapsulated:
        work["sign as big endian"] = ["+tb", "+m2", "+s", *keys, str(source), str(output)]
    return work


def commands(source: Path, folder: Path, theirs: str | None, *, encapsulated: bool) -> dict[str, Callable[[], Measurement]]:
    """What is compared, by name."""
    ours = [sys.executable, "-m", "dcmsign.stream"]
    signed, peer_signed, output = folder / "signed.dcm", folder / "peer.dcm", folder / "output.dcm"
    work: dict[str, Callable[[], Measurement]] = {}

    def add(name: str, program: list[str], arguments: list[str], stdin: Path | None = None) -> None:
        written = None if "verify" in name or "dgst" in name else Path(arguments[-1])
        work[name] = lambda: measure([*program, *arguments], stdin, output=written)

    for name, arguments in operations(signed, source, output, encapsulated=encapsulated).items():
        add(name, ours, arguments)
    add("sign, pipe in", ours, ["+m2", "+s", KEY, CERTIFICATE, "-", str(output)], source)
    add("verify, pipe in", ours, ["+cf", CERTIFICATE, "-"], signed)
    add("remove all, pipe in", ours, ["+ra", "-", str(output)], signed)
    if theirs:
        for name, arguments in operations(peer_signed, source, output, encapsulated=encapsulated).items():
            add(f"{PEER} {name}", [theirs], arguments)
        add("openssl dgst", ["openssl"], ["dgst", "-sha256", str(source)])
        add("cp", ["cp"], [str(source), str(output)])
    return work


def report(results: dict[str, list[Measurement]]) -> str:
    """A Markdown table: each command compared with the same one of the peer, and with programs that only read or copy."""
    lines = [f"| command | wall s | CPU s | peak MiB | / {PEER} | / openssl dgst | / cp |", "|---" * 7 + "|"]
    for name, runs in results.items():
        cells = []
        for peer in (f"{PEER} {name.partition(',')[0]}", "openssl dgst", "cp"):
            ratios = [a.wall / b.wall for a, b in zip(runs, results.get(peer, []), strict=False)]
            cells.append(f"{statistics.median(ratios):.2f}" if ratios else "-")
        wall, cpu = (statistics.median(run[i] for run in runs) for i in (0, 1))
        memory = max(run.memory for run in runs)
        lines.append(f"| {name} | {wall:.2f} | {cpu:.2f} | {memory:.0f} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--mib", type=int, default=1024, help="size of the Pixel Data in MiB")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--native", action="store_true", help="native instead of encapsulated Pixel Data (below 4096 MiB)")
    parser.add_argument("--sparse", action="store_true", help="zeros that take no disk space in the input")
    parser.add_argument("--ours-only", action="store_true")
    parser.add_argument("--only", nargs="*", help="names of the commands to run")
    parser.add_argument("--folder", type=Path, default=None)
    parser.add_argument("--json", type=Path, default=None)
    options = parser.parse_args()
    theirs = None if options.ours_only else find_dcmsign()
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        folder = Path(name)
        source = folder / "input.dcm"
        make_input(source, options.mib << 20, encapsulated=not options.native, sparse=options.sparse)
        work = commands(source, folder, theirs, encapsulated=not options.native)
        if options.only:
            work = {name: run for name, run in work.items() if name in options.only}
        results: dict[str, list[Measurement]] = {name: [] for name in work}
        for _ in range(options.rounds):
            for name, run in work.items():
                results[name].append(run())
    print(f"{options.mib} MiB, {options.rounds} rounds, Python {platform.python_version()}, {os.cpu_count()} cores\n")
    print(report(results))
    if options.json:
        options.json.write_text(json.dumps({"mib": options.mib, "results": results}, indent=1))


if __name__ == "__main__":
    main()
