"""Normal form of values: padding, byte order, odd lengths (PS3.5 6.2, 7.3; as dcmsign digests and writes them)."""

from __future__ import annotations

from array import array

from .vr import TEXT, UNIT

_ARRAY_CODE = {2: "H", 4: "I", 8: "Q"}
_UID_SPACE = b" \t\n\v\f\r"


def normal_text(value: bytes) -> bytes:
    """Trailing spaces and NULs removed, completed with a space to even length (PS3.5 6.2)."""
    if not value or (value[-1] not in b" \0" and not len(value) & 1):
        return value
    value = value.rstrip(b" \0")
    return value + b" " if len(value) & 1 else value


def legacy_text(value: bytes) -> bytes:
    """The form of DCMTK before 3.7.0: an odd value is completed with NUL first, then only trailing spaces are removed."""
    if len(value) & 1:
        value += b"\0"
    value = value.rstrip(b" ")
    return value + b" " if len(value) & 1 else value


def normal_uid(value: bytes) -> bytes:
    """White space removed everywhere and NULs at the end, completed with a NUL to even length (PS3.5 9.1)."""
    value = value.translate(None, _UID_SPACE).rstrip(b"\0")
    return value + b"\0" if len(value) & 1 else value


def swapped(value: bytes | memoryview, unit: int) -> bytes:
    """The value with the bytes of each `unit` (1, 2, 4 or 8) reversed; an incomplete unit at the end stays as it is."""
    if unit == 1:
        return bytes(value)
    whole = len(value) - len(value) % unit
    numbers = array(_ARRAY_CODE[unit])
    numbers.frombytes(value[:whole])
    numbers.byteswap()
    return numbers.tobytes() + bytes(value[whole:])


def normal_value(vr: str, value: bytes) -> bytes:
    """The value in normal form, byte order unchanged."""
    if vr in TEXT:
        return normal_text(value)
    if vr == "UI":
        return normal_uid(value)
    if len(value) & 1 and vr != "OW":
        return value + b"\0"
    return value


def is_padded(vr: str) -> bool:
    """Whether an odd value of this VR is completed with a NUL; odd OW values stay odd."""
    return vr != "OW"


class Swapper:
    """Changes the byte order of a value that comes in chunks."""

    __slots__ = ("_rest", "_unit")

    def __init__(self, vr: str) -> None:
        self._unit = UNIT.get(vr, 1)
        self._rest = b""

    def feed(self, chunk: bytes | memoryview, last: bool) -> bytes:
        """The swapped bytes that are complete; after the last chunk nothing is held back."""
        data = self._rest + bytes(chunk) if self._rest else chunk
        cut = len(data) if last else len(data) - len(data) % self._unit
        self._rest = bytes(data[cut:])
        return swapped(data[:cut], self._unit)
