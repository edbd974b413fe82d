"""Reading ahead and writing behind change when things happen, not what."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing

import pytest
from dcmsign.codec.errors import SinkError
from dcmsign.stream.io.ahead import ReadAhead, WriteBehind
from dcmsign.stream.io.sinks import Buffers
from dcmsign.stream.io.sources import BytesSource
from hypothesis import given
from hypothesis import strategies as st

DATA = bytes(range(256)) * 4


@given(reads=st.lists(st.tuples(st.none() | st.integers(0, 1100), st.integers(1, 400)), max_size=12))
def test_any_reads(reads: list[tuple[int | None, int]]) -> None:
    position = 0
    with closing(ReadAhead(BytesSource(DATA))) as ahead:
        for offset, size in reads:
            start = position if offset is None else offset
            assert ahead.read_at(start, size) == DATA[start : start + size]
            position = start + size
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("dcmsign")]


class Sink:
    """Keeps what is written; fails at the n-th piece."""

    name = "sink"

    def __init__(self, failing: int = -1) -> None:
        self.written: list[bytes] = []
        self._failing = failing

    def write(self, buffers: Buffers) -> None:
        if len(self.written) == self._failing:
            raise SinkError("full")
        self.written.append(b"".join(buffers))

    def commit(self) -> None: ...

    def abort(self) -> None: ...


def pieces(count: int) -> Iterator[Buffers]:
    for number in range(count):
        yield [bytes([number]), memoryview(DATA)[:number]]


def write_all(sink: Sink, count: int) -> None:
    with closing(WriteBehind(sink)) as behind:
        for piece in pieces(count):
            behind.write(piece)
        behind.flush()


@pytest.mark.parametrize("count", [0, 1, 2, 9])
def test_written_in_order(count: int) -> None:
    sink = Sink()
    write_all(sink, count)
    assert sink.written == [b"".join(piece) for piece in pieces(count)]
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("dcmsign")]


@pytest.mark.parametrize("failing", [0, 1, 8])
def test_failing_sink(failing: int) -> None:
    sink = Sink(failing)
    with pytest.raises(SinkError, match="full"):
        write_all(sink, 9)
    assert len(sink.written) == failing
