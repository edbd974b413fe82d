"""Text of reports for people: everything from objects, certificates and file names is hostile, and passes through here."""

from __future__ import annotations

from html import escape
from typing import Any, Final

_LONGEST: Final = 400
"""Characters of a text that are shown."""


def shown(value: object) -> str:
    """A value as HTML text or attribute: escaped, of bounded length, invisible and direction-changing characters as codes."""
    text = str(value)
    if len(text) > _LONGEST:
        text = text[:_LONGEST] + "…"
    return escape("".join(char if char.isprintable() else f"\\u{ord(char):04x}" for char in text))


def entry_text(entry: dict[str, Any]) -> str:
    """What a part of a report is called: tag and keyword, or what it is."""
    if entry["tag"] is None:
        return str(entry["part"])
    return f"({entry['tag']}) {entry['keyword'] or ''}".strip()


def bytes_text(size: int) -> str:
    """A number of bytes, such as ``1,234 bytes``."""
    return "1 byte" if size == 1 else f"{size:,} bytes"
