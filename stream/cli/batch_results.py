"""Results of many files: JSON Lines, the worst exit code, the summary, and what an earlier run has done."""

from __future__ import annotations

import json
import math
import os
import stat
import time
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final

from ...codec import errors
from . import messages
from .batch_files import Identity
from .exit_codes import FAILURES, ExitCode

if TYPE_CHECKING:
    from .. import FileResult

STANDARD_OUTPUT: Final = 1
UNITS: Final = ("kB", "MB", "GB", "TB")

SEVERITY: Final = (
    ExitCode.INTERNAL,
    ExitCode.VERIFICATION_FAILED,
    ExitCode.PROFILE_NOT_FULFILLED,
    ExitCode.NO_SIGNATURE,
    ExitCode.CANNOT_WRITE_OUTPUT,
    ExitCode.SIGNING_FAILED,
    ExitCode.CANNOT_READ_INPUT,
)
"""From the worst: nothing is known, something was tampered with or is missing, nothing was made, nothing could be read.

All others but OK come behind these.
"""


def severity(code: ExitCode) -> int:
    """The higher, the worse."""
    if code is ExitCode.OK:
        return 0
    return len(SEVERITY) + 1 - SEVERITY.index(code) if code in SEVERITY else 1


def exit_code(report: dict[str, Any] | None, error: str | None) -> ExitCode:
    """The exit code of the command for one file; `report` and `error` are those of a FileResult."""
    if error is not None:
        kind = getattr(errors, error, None)
        known = kind.__mro__ if isinstance(kind, type) else ()
        return next((FAILURES[base].code for base in known if base in FAILURES), ExitCode.INTERNAL)
    if report is None:
        return ExitCode.INTERNAL
    if report.get("ok", True):
        return ExitCode.OK
    if not report["signatures"]:
        return ExitCode.NO_SIGNATURE
    return ExitCode.VERIFICATION_FAILED if report["missing_profile"] is None else ExitCode.PROFILE_NOT_FULFILLED


class Results:
    """Where results go, a line each, and what they amount to."""

    def __init__(self, target: str | None, earlier: str | None, *, signing: bool) -> None:
        """Read what has been done and open the target. Raises OSError, with an attribute `reading` if it was in reading."""
        self.worst = ExitCode.OK
        self._signing = signing
        self._done: set[str] = set()
        self._counts = dict.fromkeys(("files", "good", "bad", "errors", "skipped", "before"), 0)
        self._bytes = 0
        self._begin = time.monotonic()
        if earlier is not None:
            self._resume(earlier)
        appended = target is not None and earlier is not None and _same(target, earlier)
        self._descriptor, self._close = STANDARD_OUTPUT, target is not None
        if target is not None:
            how = os.O_RDWR | os.O_APPEND if appended else os.O_WRONLY | os.O_TRUNC
            self._descriptor = os.open(target, how | os.O_CREAT | os.O_CLOEXEC, 0o666)
        if appended:
            self._end_last_line()

    def __enter__(self) -> Results:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._close:
            os.close(self._descriptor)

    @property
    def identity(self) -> Identity | None:
        """Of the target, if it is a file."""
        try:
            found = os.fstat(self._descriptor)
        except OSError:
            return None
        return (found.st_dev, found.st_ino) if stat.S_ISREG(found.st_mode) else None

    @property
    def leaves_terminal_free(self) -> bool:
        """Whether results do not go to a terminal."""
        return not os.isatty(self._descriptor)

    def is_done(self, path: str) -> bool:
        """Whether a file has been done by an earlier run."""
        if path not in self._done:
            return False
        self._counts["before"] += 1
        return True

    def take(self, result: FileResult) -> None:
        """Write the result of a file. Raises OSError."""
        code = exit_code(result.report, result.error)
        found = result.to_dict()
        self._counts["errors" if result.error is not None else "good" if code is ExitCode.OK else "bad"] += 1
        self._bytes += result.bytes
        self._write({"path": found.pop("path"), "exit_code": int(code)} | found, code)

    def take_error(self, path: str, message: str) -> None:
        """Write that a file or directory cannot be read. Raises OSError."""
        from .. import FileResult

        self.take(FileResult(path, error=errors.SourceError.__name__, message=message))

    def skip(self, path: str, reason: str) -> None:
        """Write that something is left out. Raises OSError."""
        self._counts["skipped"] += 1
        self._write({"path": path, "exit_code": 0, "skipped": reason}, ExitCode.OK)

    def tell(self, line: dict[str, Any], code: ExitCode, *, count: str | None = None, number: int = 1, size: int = 0) -> None:
        """Write a line about `number` files, counted as "good", "bad" or "errors", or about something else. Raises OSError."""
        line = line | {"exit_code": int(code)}
        if count is None:
            self._put(line, code)
            return
        self._counts[count] += number
        self._counts["files"] += number
        self._bytes += size
        self._put(line, code)

    def _write(self, line: dict[str, Any], code: ExitCode) -> None:
        self._counts["files"] += 1
        self._put(line, code)

    def _put(self, line: dict[str, Any], code: ExitCode) -> None:
        self._note(code)
        # names that are no text become lone surrogates in ASCII, which loading makes the same names again
        rest = memoryview(json.dumps(line).encode() + b"\n")
        while rest:
            rest = rest[os.write(self._descriptor, rest) :]

    def _note(self, code: ExitCode) -> None:
        self.worst = max(self.worst, code, key=severity)

    def summary(self) -> str:
        """One line about all files."""
        seconds = time.monotonic() - self._begin
        return messages.SUMMARY.format(size=_size(self._bytes), seconds=seconds, **self._counts)

    def _resume(self, name: str) -> None:
        """Learn what has been done: files with a report. Errors are tried again; lines that are cut off do not count."""
        try:
            with open(name, encoding="utf-8", errors="surrogateescape") as lines:
                for line in lines:
                    self._learn(line)
        except FileNotFoundError:
            return  # the first run
        except OSError as error:
            error.reading = True  # type: ignore[attr-defined]
            raise

    def _learn(self, line: str) -> None:
        try:
            found = json.loads(line)
            path, report, signed = found["path"], found["report"], "target" in found
            if isinstance(path, str) and signed == self._signing and path not in self._done:
                self._note(exit_code(report, None))
                self._done.add(path)
        except (ValueError, TypeError, KeyError, AttributeError):
            return

    def _end_last_line(self) -> None:
        """Part a line that was cut off from the next one."""
        size = os.fstat(self._descriptor).st_size
        if size and os.pread(self._descriptor, 1, size - 1) != b"\n":
            os.write(self._descriptor, b"\n")


def _same(first: str, second: str) -> bool:
    try:
        return os.path.samefile(first, second)
    except OSError:
        return False


def _size(count: float) -> str:
    if count < 1000:
        return f"{count:.0f} bytes"
    power = min(int(math.log10(count)) // 3, len(UNITS))
    return f"{count / 1000**power:.1f} {UNITS[power - 1]}"
