"""Where fuzzing begins: the vectors and the small files of pydicom; nothing is copied into the repository."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from tests.codec import reading

VECTORS = Path(__file__).parents[1] / "vectors"
SMALL = 4096
"""Bytes of the largest object to begin with."""


def _read(paths: list[Path], most: int) -> list[bytes]:
    return [path.read_bytes() for path in sorted(paths) if path.stat().st_size <= most]


@cache
def objects() -> list[bytes]:
    """DICOM objects, signed and not."""
    ours = [*(VECTORS / "mac").glob("*.dcm"), *(VECTORS / "tsa").rglob("*.dcm")]
    return [data for data in _read([*ours, *reading.pydicom_files()], SMALL) if data]


@cache
def signed_objects() -> list[bytes]:
    """DICOM objects with signatures."""
    return [data for data in objects() if b"\xfa\xff\xfa\xff" in data or b"\xff\xfa\xff\xfa" in data]


@cache
def certificates() -> list[bytes]:
    """Certificate and revocation list files, PEM and DER."""
    found = [path for kind in ("pem", "der", "crl", "crt", "cer") for path in VECTORS.rglob(f"*.{kind}")]
    return _read(found, SMALL)


@cache
def timestamps() -> dict[str, list[bytes]]:
    """Queries, replies and tokens."""
    kinds = {"query": "tsq", "reply": "tsr"}
    found = {kind: _read(list((VECTORS / "tsa").rglob(f"*.{end}")), SMALL) for kind, end in kinds.items()}
    from dcmsign.codec.errors import Error
    from dcmsign.tsa.reply import TimestampReply

    tokens = []
    for data in found["reply"]:
        try:
            token = TimestampReply.from_der(data).token
        except Error:
            continue
        if token is not None:
            tokens.append(token.raw)
    return found | {"token": tokens}
