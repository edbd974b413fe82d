"""Object identifiers and the names that OpenSSL has for them."""

from __future__ import annotations

import re
from functools import cache
from typing import Final, NamedTuple

from .ber import BerError

_LONGEST: Final = 1024
"""Characters of a dotted identifier somebody types."""

_LONGEST_CONTENT: Final = 128
"""Bytes of an encoded identifier; far beyond any registered one, and it bounds the arithmetic a hostile one can cause."""

_DOTTED: Final = re.compile(r"([012])[. ]([0-9. ]+)", re.ASCII)
_SEPARATOR: Final = re.compile(r"[. ]")


class _Tables(NamedTuple):
    by_name: dict[str, str]
    short: dict[str, str]
    long: dict[str, str]


@cache
def _tables() -> _Tables:
    from ._object_data import OBJECTS

    tables = _Tables({}, {}, {})
    long_names: dict[str, str] = {}
    for line in OBJECTS.splitlines():
        oid, short, *others = line.split("|")
        long = others[0] if others else short
        tables.short.setdefault(oid, short)
        tables.long.setdefault(oid, long)
        tables.by_name.setdefault(short, oid)
        long_names.setdefault(long, oid)
    for long, oid in long_names.items():
        tables.by_name.setdefault(long, oid)
    return tables


def find_oid(text: str) -> str | None:
    """The dotted identifier that `text` names as OpenSSL's OBJ_txt2obj reads it; None if it is none.

    A short name counts first, then a long name, then a dotted identifier, in which blanks separate as well as full stops,
    nothing between two of them is a zero, and one at the end is ignored.
    """
    named = _tables().by_name.get(text)
    if named is not None:
        return named
    match = _DOTTED.fullmatch(text) if len(text) <= _LONGEST else None
    if match is None:
        return None
    arcs = _SEPARATOR.split(match[2])
    if len(arcs) > 1 and not arcs[-1]:
        arcs.pop()
    numbers = [arc.lstrip("0") or "0" for arc in arcs]
    if match[1] != "2" and int(numbers[0]) >= 40:
        return None
    return ".".join((match[1], *numbers))


def short_name(oid: str) -> str | None:
    """OpenSSL's short name (``CN``), None if it has none."""
    return _tables().short.get(oid)


def long_name(oid: str) -> str | None:
    """OpenSSL's long name (``commonName``), None if it has none."""
    return _tables().long.get(oid)


def dotted(content: bytes) -> str:
    """Dotted form of the content of an OBJECT IDENTIFIER (X.690 8.19). Raises BerError."""
    if not content or content[-1] & 0x80 or len(content) > _LONGEST_CONTENT:
        raise BerError("object identifier incomplete or too long")
    numbers: list[int] = []
    number = 0
    for byte in content:
        number = number << 7 | byte & 0x7F
        if not byte & 0x80:
            numbers.append(number)
            number = 0
    first = min(numbers[0] // 40, 2)
    return ".".join(map(str, (first, numbers[0] - 40 * first, *numbers[1:])))
