"""Deflated data sets, inflated piece by piece (PS3.5 A.5, RFC 1951)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import BadStructure

if TYPE_CHECKING:
    import zlib

PIECE = 1 << 16
_SLICE = 1 << 16
"""Bytes given to zlib at once: it copies what it has not used, which a bomb makes it do for every piece."""


class Inflater:
    """Raw deflate stream in, pieces of at most 64 KiB out, so that no bomb can fill the memory."""

    def __init__(self) -> None:
        import zlib  # loaded only for deflated input

        self._error = zlib.error
        self._stream: zlib._Decompress = zlib.decompressobj(-zlib.MAX_WBITS)
        self._input = b""
        self._rest = memoryview(b"")  # fed, and not yet given to zlib
        self._pending = False
        self._failure: Exception | None = None
        self._behind = 0  # bytes fed after the end
        self._first = b""

    @property
    def idle(self) -> bool:
        """Whether nothing more can come out before something is fed."""
        return self._failure is None and (self._stream.eof or not (self._input or self._rest or self._pending))

    @property
    def complete(self) -> bool:
        """Whether the end of the deflate stream has been read."""
        return self._stream.eof

    @property
    def trailing(self) -> int:
        """Bytes behind the end of the deflate stream, but for the one NUL that makes its length even (PS3.5 A.5)."""
        found = self._stream.unused_data + (bytes(self._rest) if self._stream.eof else b"")
        count = self._behind + len(found)
        return 0 if count == 1 and (found or self._first) == b"\0" else count

    def feed(self, block: bytes) -> None:
        """Add compressed bytes."""
        if self._stream.eof:
            self._first = self._first or bytes(block[:1])
            self._behind += len(block)
            return
        self._rest = memoryview(bytes(self._rest) + block if self._rest else bytes(block))

    def read(self, offset: int) -> bytes:
        """The next piece, empty if there is none; raises BadStructure (at `offset` of the inflated stream) for bad data."""
        while not self.idle:
            if self._failure is not None:
                raise BadStructure(f"deflated data set: {self._failure}", offset=offset) from self._failure
            if not self._input:
                self._input, self._rest = bytes(self._rest[:_SLICE]), self._rest[_SLICE:]
            before = self._stream.copy()
            try:
                piece = self._stream.decompress(self._input, PIECE)
            except self._error as error:
                self._failure = error
                if salvaged := self._salvaged(before):
                    return salvaged
                continue
            self._input = self._stream.unconsumed_tail
            self._pending = len(piece) == PIECE  # zlib may hold output back without holding input back
            if piece:
                return piece
        return b""

    def _salvaged(self, stream: zlib._Decompress) -> bytes:
        """What comes out in front of bad data, however much of them was fed at once."""
        found = b""
        try:
            for place in range(len(self._input)):
                found += stream.decompress(self._input[place : place + 1])
        except self._error:
            pass
        return found
