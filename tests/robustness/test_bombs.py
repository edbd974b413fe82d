"""Bombs are refused, or handled, in 64 MiB: with a message that says what and where, and the exit code for it."""

from __future__ import annotations

import re
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest
from dcmsign.stream.io.spool import Window

from tests.robustness import confined
from tests.robustness.bombs import BOMBS, FULL, NAMES, Bomb
from tests.stream.material import MAC_VECTORS

KEY, CERTIFICATE = MAC_VECTORS / "key-rsa.pem", MAC_VECTORS / "cert-rsa.pem"
SIGN = ("+m2", "+s", KEY, CERTIFICATE)
TAGS = ("-t", "0010,0010")
NOT_VERIFIED = 101
NOT_READ = 20

WAYS: dict[str, tuple[str, tuple[str | Path, ...], str, str]] = {
    "verify": ("verify", (), "bomb.dcm", ""),
    "verify a pipe": ("verify", (), "-", ""),
    "sign": ("sign", SIGN, "bomb.dcm", "out.dcm"),
    "sign a pipe": ("sign", SIGN, "-", "out.dcm"),
    "sign a pipe as it passes": ("sign", (*SIGN, *TAGS), "-", "out.dcm"),
    "remove": ("remove", ("--remove-all",), "bomb.dcm", "out.dcm"),
    "remove from a pipe": ("remove", ("--remove-all",), "-", "out.dcm"),
}
"""What is done, the options, input and output."""

_KINDS = ("empty", "deflated", "long", "many", "texts") if FULL else ("empty fragments", "deflated z", "long text")
HANDLED = [name for name in NAMES if name.startswith(_KINDS) and not (BOMBS[name].sign or BOMBS[name].verify)]
"""Bombs in which there are no signatures yet."""

_QUICK = ("verify", "sign a pipe")
CASES = [(name, way) for name in NAMES for way in WAYS if FULL or way in _QUICK or name in ("deflated zeros", "nested")]


@pytest.fixture(scope="module")
def bomb(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Makes the file of a bomb, or gives the one that has just been made."""
    folder = tmp_path_factory.mktemp("bombs")
    made: list[str] = []

    def make(name: str) -> Path:
        path = folder / "bomb.dcm"
        if made != [name]:
            made[:] = [name]
            path.write_bytes(BOMBS[name].make())
        for left in folder.glob("*out.dcm*"):
            left.unlink()
        return path

    return make


def _expected(name: str, what: str, way: str) -> tuple[str, set[int]]:
    """A part of the message, and the exit codes that are right."""
    bomb: Bomb = BOMBS[name]
    text: str = getattr(bomb, what)
    if text:
        # one pass cannot sort: it says so instead
        return (f"{text}|out of ascending order|cannot be digested in one pass" if "passes" in way else text), {NOT_READ}
    if "passes" in way:
        return "", {0, 85, NOT_READ}  # an element that is not there, or not in order
    return "", {0, NOT_VERIFIED} if what == "verify" else {0, 83} if what == "remove" else {0}


@pytest.mark.parametrize(("name", "way"), CASES)
def test_command(name: str, way: str, bomb: Callable[[str], Path]) -> None:
    path = bomb(name)
    what, options, source, target = WAYS[way]
    text, codes = _expected(name, what, way)
    done = confined.command(*options, source, *filter(None, [target]), folder=path.parent, given=path if source == "-" else None)
    assert confined.is_orderly(done), done.messages[-2000:]
    assert done.code in codes, done.messages[-2000:]
    assert done.peak < confined.BOUND
    assert re.search(text, done.messages), done.messages[-2000:]
    if done.code == NOT_READ:
        # what is wrong and where, then dcmsign's line
        *_, detail, last = done.messages.splitlines()
        assert re.match(r"E: .*(at )?offset \d+: ", detail) or detail == last, detail
        assert last.startswith("F: ")
        assert last.endswith(f": reading file: {source}")
    assert [found.name for found in path.parent.glob("*out.dcm*")] == (["out.dcm"] if target and not done.code else [])


@pytest.mark.parametrize("name", HANDLED)
def test_what_is_signed_verifies(name: str, bomb: Callable[[str], Path]) -> None:
    """What is handled is handled whole."""
    path = bomb(name)
    folder = path.parent
    assert confined.command("-ll", "off", *SIGN, "bomb.dcm", "out.dcm", folder=folder).code == 0
    done = confined.command("-v", "+cf", CERTIFICATE, "+rv", "out.dcm", folder=folder)
    assert done.code == 0, done.messages[-2000:]
    assert done.peak < confined.BOUND


API = """
import anyio, collections
from dcmsign.stream import errors, stdin, verify
async def main():
    try:
        report = await verify(stdin() if sys.argv[1] == "-" else sys.argv[1])
    except errors.Error as error:
        assert isinstance(error, errors.FormatError) and error.path, repr(error)
        print(type(error).__name__, error)
    else:
        assert report.map is not None
        print("read", len(report.map.entries), len(report.findings))
anyio.run(main)
"""


@pytest.mark.parametrize("source", ["bomb.dcm", "-"] if FULL else ["-"])
@pytest.mark.parametrize("name", [name for name in NAMES if FULL or not BOMBS[name].verify])
def test_library(name: str, source: str, bomb: Callable[[str], Path]) -> None:
    """With everything that a report tells about the structure."""
    path = bomb(name)
    done = confined.python(API, source, folder=path.parent, given=path if source == "-" else None)
    assert done.code == 0, done.messages[-2000:]
    assert done.peak < confined.BOUND
    assert done.output.startswith(b"read" if not BOMBS[name].verify else (b"LimitExceeded", b"Truncated", b"BadStructure")), done


def test_window_of_small_pieces() -> None:
    """What is kept for a second look takes little more memory than it has bytes."""
    window = Window()
    tracemalloc.start()
    try:
        for _ in range(200_000):
            window.append(b"12345678")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert window.read_at(399_996, 8) == b"56781234"
    window.close()
    assert peak < 4 << 20
