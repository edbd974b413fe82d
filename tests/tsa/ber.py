"""ASN.1 values put together and taken apart, without the library's help."""

from __future__ import annotations

from collections.abc import Callable

Path = tuple[int, ...]
"""Where a value stands in another one: a position on each level."""


def length(size: int) -> bytes:
    if size < 0x80:
        return bytes((size,))
    octets = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((0x80 | len(octets),)) + octets


def tlv(tag: int, content: bytes) -> bytes:
    return bytes((tag,)) + length(len(content)) + content


def indefinite(tag: int, content: bytes) -> bytes:
    return bytes((tag, 0x80)) + content + b"\0\0"


def long_form(tag: int, content: bytes) -> bytes:
    return bytes((tag, 0x84)) + len(content).to_bytes(4, "big") + content


def split(data: bytes) -> tuple[int, bytes, bytes]:
    """Tag, content of the first value, and what follows it; DER only."""
    size, start = data[1], 2
    if size & 0x80:
        start += size & 0x7F
        size = int.from_bytes(data[2:start], "big")
    return data[0], data[start : start + size], data[start + size :]


def rebuilt(data: bytes, change: Callable[[Path, int, bytes], bytes | None], path: Path = ()) -> bytes:
    """`data`, each value in it encoded by `change(path, tag, content)`, or as before where that is None."""
    tag, content, _ = split(data)
    if tag & 0x20:
        parts: list[bytes] = []
        rest = content
        while rest:
            _, _, after = split(rest)
            parts.append(rebuilt(rest[: len(rest) - len(after)], change, (*path, len(parts))))
            rest = after
        content = b"".join(parts)
    new = change(path, tag, content)
    return tlv(tag, content) if new is None else new
