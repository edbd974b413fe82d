"""The stores that keep what has passed: in memory up to a limit, then on disk."""

from __future__ import annotations

import gc
import resource
import subprocess
import sys
import tempfile

import pytest
from dcmsign.codec.errors import SinkError
from dcmsign.stream.io import spool as module
from dcmsign.stream.io.spool import Spool, Window
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.stream import leaks


@pytest.mark.parametrize("memory", [0, 1, 10, 1000])
@given(blocks=st.lists(st.binary(max_size=300), max_size=20))
def test_spool(memory: int, blocks: list[bytes]) -> None:
    spool = Spool(memory)
    expected = b""
    for number, block in enumerate(blocks):
        spool.write(memoryview(block) if number % 2 else block)
        expected += block
        assert spool.size == len(expected)
        assert spool.read_at(0, len(expected) + 5) == expected
    for start in (0, 1, len(expected) // 2, len(expected), len(expected) + 10):
        assert spool.read_at(start, 7) == expected[start : start + 7]
    assert b"".join(spool.chunks()) == expected
    spool.write(b"more")
    assert b"".join(spool.chunks()) == expected + b"more"
    spool.close()


def test_chunks_are_bounded() -> None:
    spool = Spool(1000)
    spool.write(bytes(1_000_000))
    sizes = [len(chunk) for chunk in spool.chunks()]
    assert sum(sizes) == 1_000_000
    assert max(sizes) <= 1 << 18
    spool.close()


def test_file_appears_with_the_limit_and_goes() -> None:
    before = leaks.open_descriptors()
    spool = Spool(100)
    spool.write(bytes(100))
    assert leaks.open_descriptors() == before
    spool.write(b"x")
    (name,) = (path for number, path in leaks.open_descriptors().items() if number not in before)
    assert name.startswith(tempfile.gettempdir())
    assert name.endswith("(deleted)")
    spool.close()
    spool.close()
    assert leaks.open_descriptors() == before


def test_kept_bytes_are_a_copy() -> None:
    spool, data = Spool(), bytearray(b"abc")
    spool.write(memoryview(data))
    data[:] = b"xyz"
    assert spool.read_at(0, 3) == b"abc"


def test_no_room_for_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(tempfile, "TemporaryFile", full)
    with pytest.raises(SinkError, match="spool: No space left on device") as caught:
        Spool(0).write(b"x")
    assert caught.value.path == tempfile.gettempdir()


FULL = """
import resource, sys
from dcmsign.codec.errors import SinkError
from dcmsign.stream.io.spool import Spool
resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))
spool = Spool(10)
try:
    for _ in range(20):
        spool.write(bytes(int(sys.argv[1])))
        spool.read_at(0, 1)
except SinkError as error:
    print(error.message)
spool.close()
"""


@pytest.mark.skipif(not hasattr(resource, "RLIMIT_FSIZE"), reason="no limit of file sizes")
@pytest.mark.parametrize("size", [700, 100_000])
def test_disk_runs_full(size: int) -> None:
    """One error, and closing raises none of its own."""
    done = subprocess.run([sys.executable, "-W", "error", "-c", FULL, str(size)], capture_output=True, timeout=60, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"spool: File too large\n", b"")


class WindowAgainstBytes(RuleBasedStateMachine):
    """A window and the whole stream it is a part of."""

    @initialize(start=st.integers(0, 1000), memory=st.integers(0, 200))
    def begin(self, start: int, memory: int) -> None:
        self.window = Window(start, memory)
        self.stream = bytes(start)
        self.kept = start

    @rule(block=st.binary(max_size=120))
    def append(self, block: bytes) -> None:
        self.window.append(block)
        self.stream += block

    @rule(share=st.floats(0, 1.2))
    def forget(self, share: float) -> None:
        before = int(self.kept + share * (len(self.stream) - self.kept))
        self.window.forget(before)
        self.kept = max(self.kept, min(before, len(self.stream)))

    @precondition(lambda self: self.kept < len(self.stream))
    @rule(share=st.floats(0, 0.999), size=st.integers(1, 200))
    def read(self, share: float, size: int) -> None:
        offset = int(self.kept + share * (len(self.stream) - self.kept))
        piece = self.window.read_at(offset, size)
        assert 0 < len(piece) <= size
        assert piece == self.stream[offset : offset + len(piece)]

    @rule()
    def read_all(self) -> None:
        """As the parser reads it: block after block up to the end."""
        offset, found = self.kept, b""
        while piece := self.window.read_at(offset, 50):
            found += piece
            offset += len(piece)
        assert found == self.stream[self.kept :]

    @invariant()
    def knows_where_it_is(self) -> None:
        if hasattr(self, "window"):
            assert (self.window.start, self.window.end) == (self.kept, len(self.stream))

    def teardown(self) -> None:
        if hasattr(self, "window"):
            self.window.close()
            gc.collect(0)


TestWindow = WindowAgainstBytes.TestCase


def test_window_moves_to_disk_behind_what_is_forgotten() -> None:
    window = Window(100, 10)
    window.append(b"0123456789")
    window.forget(104)
    window.append(b"abcdef")
    assert window._spool is not None
    assert window.read_at(104, 6) == b"456789"
    assert window.read_at(110, 20) == b"abcdef"
    window.close()


def test_window_forgets() -> None:
    """What is forgotten takes no room: neither in memory nor, once nothing is kept, on disk."""
    window = Window(0, 1 << 20)
    for number in range(200):
        window.append(bytes(100_000))
        window.forget(number * 100_000)
    assert window._held <= 300_000
    assert window._spool is None
    before = leaks.open_descriptors()
    for _ in range(20):
        window.append(bytes(100_000))
    assert window._spool is not None
    assert leaks.open_descriptors() != before
    window.forget(window.end)
    assert leaks.open_descriptors() == before
    window.append(b"abc")
    assert window.read_at(window.end - 3, 10) == b"abc"
    window.close()
    assert module.MEMORY == 4 << 20
