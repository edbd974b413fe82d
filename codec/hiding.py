"""Keeping secrets out of what is shown: services that collect errors take the local variables of every frame of a traceback.

A secret is held by something whose `repr` says nothing, and an error from where it has to stand bare goes on without the frames
and causes it came from. What is overwritten is the buffer itself; Python, cryptography and OpenSSL make copies out of reach.
"""

from __future__ import annotations

from typing import Generic, TypeVar

T = TypeVar("T")
E = TypeVar("E", bound=BaseException)


class Hidden(Generic[T]):
    """Holds a secret, which a call gives."""

    __slots__ = ("_content",)

    def __init__(self, content: T) -> None:
        self._content = content

    def __call__(self) -> T:
        return self._content

    def __repr__(self) -> str:
        return "<hidden>"


def wipe(buffer: bytearray) -> None:
    """Overwrite a buffer with zeros."""
    buffer[:] = bytes(len(buffer))


def bare(error: E) -> E:
    """The error without traceback and causes; to be raised outside of the handler that has caught it."""
    error.__cause__ = error.__context__ = None
    return error.with_traceback(None)
