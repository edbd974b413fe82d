"""The dump file: a copy of the bytes that are digested, for debugging, whose failures do not stop what it is about."""

from __future__ import annotations

import os

from ...codec.errors import DumpError


class DumpFile:
    """A file that takes bytes until it cannot; `complete` tells then. Raises DumpError if it cannot be created."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        name = os.fspath(path)
        try:
            self._file = open(name, "wb")  # noqa: SIM115 (closed by close)
        except (OSError, ValueError) as error:
            raise DumpError(str(error), path=name) from error
        self.complete = True

    def write(self, data: bytes | memoryview) -> None:
        """Append bytes."""
        if self.complete:
            try:
                self._file.write(data)
            except OSError:
                self.complete = False

    def close(self) -> None:
        """Write what is left, and close the file."""
        try:
            self._file.close()
        except OSError:
            self.complete = False
