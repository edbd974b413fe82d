"""The files of a timestamp: query, reply, and the one that names the signature."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...codec import errors
from . import messages
from .exit_codes import ExitCode

if TYPE_CHECKING:
    from .. import TimestampQuery, TimestampReply

_LARGEST = 1 << 24
"""Bytes of a file that are looked at."""


class Unreadable(Exception):
    """A file cannot be used; `text` says which, for the exit code `code`."""

    def __init__(self, text: str, code: ExitCode) -> None:
        super().__init__(text)
        self.text = text
        self.code = code


def load(query_file: str, reply_file: str, uid_file: str) -> tuple[TimestampQuery, TimestampReply, str]:
    """Query, reply and signature UID, read in this order. Raises Unreadable."""
    from .. import TimestampQuery, TimestampReply, read_signature_uid

    try:
        query = TimestampQuery.from_der(_read(query_file))
    except (OSError, ValueError, errors.BadTimestampQuery):
        raise Unreadable(messages.NO_QUERY_FILE.format(name=query_file), ExitCode.CANNOT_READ_QUERY) from None
    try:
        reply = TimestampReply.from_der(_read(reply_file))
    except (OSError, ValueError, errors.BadTimestampReply):
        raise Unreadable(messages.NO_REPLY_FILE.format(name=reply_file), ExitCode.CANNOT_READ_REPLY) from None
    try:
        uid = read_signature_uid(_read(uid_file))
    except (OSError, ValueError, errors.FormatError):
        raise Unreadable(messages.NO_UID_FILE.format(name=uid_file), ExitCode.CANNOT_READ_UID) from None
    if uid is None:
        raise Unreadable(messages.NO_UID.format(name=uid_file), ExitCode.CANNOT_READ_UID)
    return query, reply, uid


def _read(name: str) -> bytes:
    with open(name, "rb") as file:
        return file.read(_LARGEST)
