"""Everything an error or an object shows: to a person, in a log, to a service that takes the local variables of all frames."""

from __future__ import annotations

import base64
import logging
import traceback
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import quote

TESTS = str(Path(__file__).resolve().parents[1])


def forms(secret: str | bytes) -> list[str]:
    """A secret as it may stand in a text."""
    raw = secret.encode() if isinstance(secret, str) else secret
    text = raw.decode("latin-1")
    plain = [text, repr(raw)[2:-1], repr(raw.decode("utf-8", "replace"))[1:-1], quote(raw, safe=""), raw.hex()]
    return [*plain, *(base64.b64encode(raw[start:]).decode().rstrip("=")[:-1] for start in range(3))]


def _related(error: BaseException) -> list[BaseException]:
    """The error, its causes and contexts, also those that are not to be shown."""
    found: list[BaseException] = []
    waiting: list[BaseException | None] = [error]
    while waiting:
        current = waiting.pop()
        if current is not None and not any(current is known for known in found):
            found.append(current)
            waiting += [current.__cause__, current.__context__, *getattr(current, "exceptions", ())]
    return found


def all_shown(error: BaseException) -> str:
    """Texts and attributes of an error and all that is behind it, and the local variables of every frame outside of the tests."""
    parts: list[str] = []
    for each in _related(error):
        parts += [str(each), repr(each), repr(vars(each)), repr(each.args)]
        parts += traceback.format_exception(each)
        frames = traceback.StackSummary.extract(traceback.walk_tb(each.__traceback__), capture_locals=True)
        for frame in frames:
            if not str(Path(frame.filename).resolve()).startswith(TESTS):
                parts += [f"{frame.filename}:{frame.lineno} {name}={value}" for name, value in (frame.locals or {}).items()]
    return "\n".join(parts)


def logged(records: Iterable[logging.LogRecord]) -> str:
    """What log records show, with their arguments and errors."""
    parts = []
    for record in records:
        parts += [logging.Formatter().format(record), repr(record.args)]
        if record.exc_info and record.exc_info[1] is not None:
            parts.append(all_shown(record.exc_info[1]))
    return "\n".join(parts)


def leaks(shown: str | bytes, secrets: Iterable[str | bytes]) -> list[str]:
    """The secrets that are shown."""
    text = shown.decode("latin-1") if isinstance(shown, bytes) else shown
    also = shown.decode("utf-8", "replace") if isinstance(shown, bytes) else ""
    return [form for secret in secrets for form in forms(secret) if form in text or form in also]


def key_fragments(pem: bytes) -> list[bytes]:
    """Parts of a private key file that must stand nowhere else: lines of base64, and bytes of what they encode."""
    lines = [line for line in pem.splitlines() if line and not line.startswith(b"-") and b":" not in line]
    content = base64.b64decode(b"".join(lines))
    parts = (0.4, 0.6, 0.8)  # in front stands what certificates have, too
    return [lines[int(len(lines) * part)] for part in parts] + [content[int(len(content) * part) :][:16] for part in parts]
