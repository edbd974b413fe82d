"""ASN.1 values listed as OpenSSL's ASN1_parse_dump does it, for extensions that nobody knows how to print."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Final

from . import ber
from .objects import dotted, long_name

_MOST_LINES: Final = 1000
_DEEPEST: Final = 32
_ERROR: Final = "Error in encoding"

_NAMES: Final = """
    EOC, BOOLEAN, INTEGER, BIT STRING, OCTET STRING, NULL, OBJECT, OBJECT DESCRIPTOR, EXTERNAL, REAL, ENUMERATED, <ASN1 11>,
    UTF8STRING, <ASN1 13>, <ASN1 14>, <ASN1 15>, SEQUENCE, SET, NUMERICSTRING, PRINTABLESTRING, T61STRING, VIDEOTEXSTRING,
    IA5STRING, UTCTIME, GENERALIZEDTIME, GRAPHICSTRING, VISIBLESTRING, GENERALSTRING, UNIVERSALSTRING, <ASN1 29>, BMPSTRING
"""
_NAME: Final = tuple(name.strip() for name in _NAMES.split(","))
"""By number of the universal tag."""

_CLASSES: Final = {0x40: "appl", 0x80: "cont", 0xC0: "priv"}
_CONSTRUCTED: Final = 0x20
_BOOLEAN, _INTEGER, _OCTET_STRING, _OBJECT, _ENUMERATED = 1, 2, 4, 6, 10
_SHOWN: Final = frozenset({12, 18, 19, 20, 22, 23, 24, 26})
"""Strings and times whose content is shown."""

_BMP_STRING: Final = 30


def dump(data: bytes) -> tuple[str, ...]:
    """The listing of the values in `data`, a line for each and more for long ones; at most a thousand lines.

    Control characters within values appear as ``\\x0A``.
    """
    lines: list[str] = []
    try:
        lines += islice(_lines(data, 0, 0), _MOST_LINES)
    except ber.BerError:
        lines.append(_ERROR)
    return tuple(lines)


def _lines(content: bytes, offset: int, depth: int) -> Iterator[str]:
    if depth > _DEEPEST:
        raise ber.BerError("nested too deeply")
    for found in ber.nodes(content):
        head = len(found.encoding) - len(found.content)
        form = "cons" if found.tag & _CONSTRUCTED else "prim"
        number, tag_class = found.tag & 0x1F, _CLASSES.get(found.tag & 0xC0)
        kind = f"{tag_class} [ {number} ]" if tag_class else _NAME[number]
        line = f"{offset:5}:d={depth:<2} hl={head} l={len(found.content):4} {form}: {kind:<18}"
        if found.tag & _CONSTRUCTED:
            yield line
            yield from _lines(found.content, offset + head, depth + 1)
        else:
            text = "" if tag_class else _value(number, found.content)
            yield line + (text or "")
            if text is None:
                yield from _hexadecimal(found.content)
        offset += len(found.encoding)


def _value(number: int, content: bytes) -> str | None:
    """What stands behind a primitive value, None for a listing of its bytes."""
    if number == _OBJECT:
        try:
            identifier = dotted(content)
        except ber.BerError:
            return ":BAD OBJECT"
        return f":{long_name(identifier) or identifier}"
    if number == _BOOLEAN:
        return f":{content[0]}" if len(content) == 1 else ":BAD BOOLEAN"
    if number in (_INTEGER, _ENUMERATED):
        return f":{_integer(content)}"
    if number in _SHOWN or (number == _OCTET_STRING and all(0x20 <= byte <= 0x7E or byte in b"\t\n\r" for byte in content)):
        return f":{_escaped(content)}" if content or number in _SHOWN else ""
    return "" if number == _BMP_STRING else None


def _integer(content: bytes) -> str:
    if not content:
        return "BAD INTEGER"
    number = int.from_bytes(content, "big", signed=True)
    digits = f"{abs(number):X}"
    return f"{'-' if number < 0 else ''}{'0' * (len(digits) % 2)}{digits}"


def _escaped(content: bytes) -> str:
    return "".join(chr(byte) if 0x20 <= byte <= 0x7E else f"\\x{byte:02X}" for byte in content)


def _hexadecimal(content: bytes) -> Iterator[str]:
    """BIO_dump_indent: sixteen bytes a line."""
    for at in range(0, len(content), 16):
        row = content[at : at + 16]
        cells = "".join(f"{byte:02x}{'-' if position == 7 else ' '}" for position, byte in enumerate(row))
        text = "".join(chr(byte) if 0x20 <= byte <= 0x7E else "." for byte in row)
        yield f"      {at:04x} - {cells:<48}  {text}"
