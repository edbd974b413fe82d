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
