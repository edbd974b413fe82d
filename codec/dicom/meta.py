"""File meta information as it is written: preamble, prefix and group 0002 (PS3.10 7.1)."""

from __future__ import annotations

from .events import EXPLICIT
from .headers import element_header
from .tags import (
    FILE_META_GROUP_LENGTH,
    FILE_META_VERSION,
    IMPLEMENTATION_CLASS_UID,
    IMPLEMENTATION_VERSION_NAME,
    MEDIA_STORAGE_SOP_CLASS_UID,
    MEDIA_STORAGE_SOP_INSTANCE_UID,
    TRANSFER_SYNTAX_UID,
)
from .values import normal_value

CLASS_UID = "2.25.191447612316498373561347830463735427842"
"""Implementation Class UID of this implementation."""

VERSION_NAME = "DCMSIGN_050"
"""Implementation Version Name of this implementation."""

GENERIC_SOP_CLASS = "1.2.276.0.7230010.3.1.0.1"
"""Media Storage SOP Class of files whose data set has none (DCMTK's private one, which DCMTK writes there)."""


def _element(tag: int, vr: str, value: bytes) -> bytes:
    value = normal_value(vr, value)
    return element_header(EXPLICIT, tag, vr, len(value)) + value


def meta_header(preamble: bytes | None, syntax_uid: str, sop_class: bytes, sop_instance: bytes) -> bytes:
    """Preamble (128 zero bytes if None), prefix and meta group for a data set."""
    group = b"".join(
        (
            _element(FILE_META_VERSION, "OB", b"\0\1"),
            _element(MEDIA_STORAGE_SOP_CLASS_UID, "UI", sop_class),
            _element(MEDIA_STORAGE_SOP_INSTANCE_UID, "UI", sop_instance),
            _element(TRANSFER_SYNTAX_UID, "UI", syntax_uid.encode()),
            _element(IMPLEMENTATION_CLASS_UID, "UI", CLASS_UID.encode()),
            _element(IMPLEMENTATION_VERSION_NAME, "SH", VERSION_NAME.encode()),
        )
    )
    start = preamble[:128] if preamble else bytes(128)
    return start + b"DICM" + _element(FILE_META_GROUP_LENGTH, "UL", len(group).to_bytes(4, "little")) + group
