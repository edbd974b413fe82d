"""Files of the user's that are read whole: keys, certificates, revocation lists."""

from __future__ import annotations

import errno
import os

LONGEST = 4 << 20
"""Bytes of a file with keys or certificates; a bundle of all public authorities has a quarter of a million."""

LONGEST_LIST = 64 << 20
"""Bytes of a file with a revocation list; some ten times what public authorities issue."""


def read_whole(path: str | os.PathLike[str], most: int = LONGEST) -> bytes:
    """The content of a file of at most `most` bytes. Raises OSError, EFBIG for a longer one; ValueError for a NUL in the name."""
    with open(path, "rb") as file:
        data = file.read(most + 1)
    if len(data) > most:
        raise OSError(errno.EFBIG, os.strerror(errno.EFBIG), os.fspath(path))
    return data


def read_buffer(path: str | os.PathLike[str], most: int = LONGEST) -> bytearray:
    """The same in a buffer that can be overwritten; where the size of the file is known before, there are no copies of it."""
    with open(path, "rb", buffering=0) as file:
        content, used = bytearray(min(os.fstat(file.fileno()).st_size, most) + 1), 0
        while used <= most and (count := file.readinto(memoryview(content)[used:])):
            used += count
            if used == len(content):
                content.extend(bytes(used))
    if used > most:
        raise OSError(errno.EFBIG, os.strerror(errno.EFBIG), os.fspath(path))
    del content[used:]
    return content
