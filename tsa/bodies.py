"""Bodies of replies, bounded while they come in."""

from __future__ import annotations

import zlib
from typing import Final

_GZIP_WINDOW: Final = 31
"""zlib's number for gzip."""

_INDEFINITE: Final = 0x80


class Body:
    """The body of a reply with at most `limit` bytes, before and behind the content coding gzip if it is `zipped`.

    `content` is what has been decoded, `too_large` and `broken` (no gzip) why there is no use in more.
    """

    def __init__(self, limit: int, *, zipped: bool) -> None:
        self._limit = limit
        self._received = 0
        self._decoder = zlib.decompressobj(_GZIP_WINDOW) if zipped else None
        self.content = bytearray()
        self.too_large = False
        self.broken = False

    def add(self, block: bytes) -> bool:
        """Take a block; False if there is no use in another one."""
        if self.too_large or self.broken:
            return False
        self._received += len(block)
        try:
            self.content += (
                block if self._decoder is None else self._decoder.decompress(block, self._limit + 1 - len(self.content))
            )
        except zlib.error:
            self.broken = True
        self.too_large = max(self._received, len(self.content)) > self._limit
        return not (self.too_large or self.broken)

    @property
    def unfinished(self) -> bool:
        """Is the end of the gzip missing?"""
        return self._decoder is not None and not self._decoder.eof

    @property
    def ends_within_value(self) -> bool:
        """Does the content break off within the DER value it begins with?"""
        if len(self.content) < 2:
            return True
        first = self.content[1]
        octets = first - _INDEFINITE if first > _INDEFINITE else 0
        length = int.from_bytes(self.content[2 : 2 + octets], "big") if octets else first
        return first != _INDEFINITE and len(self.content) < 2 + octets + length
