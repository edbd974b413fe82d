"""Which data elements a digital signature can cover (PS3.3 C.12.1.1.3.1.1)."""

from __future__ import annotations

_NEVER = frozenset({0x00080001, 0x4FFE0001, 0xFFFCFFFC, 0xFFFEE00D, 0xFFFEE0DD})


def signable_tag(tag: int) -> bool:
    """False for group lengths, groups below 0008, group FFFA, Length to End, MAC Parameters Sequence, trailing padding."""
    return tag >= 0x00080000 and bool(tag & 0xFFFF) and tag >> 16 != 0xFFFA and tag not in _NEVER


def signable(tag: int, vr: str) -> bool:
    """Whether a plain data element can be signed; a sequence also must not hold an element of VR UN at any depth."""
    return vr != "UN" and signable_tag(tag)
