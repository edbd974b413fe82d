"""Minimal signed DICOM objects, encoded by hand, to ask dcmsign about certificates, dates and signature values."""

from __future__ import annotations

import re
import struct
import subprocess
from collections.abc import Callable
from pathlib import Path

from dcmsign.codec.signature.algorithms import new_digest

LONG = {"OB", "SQ"}
ITEM, ITEM_END, SEQUENCE_END = (
    struct.pack("<HHI", 0xFFFE, element, length) for element, length in ((0xE000, 0xFFFFFFFF), (0xE00D, 0), (0xE0DD, 0))
)


def element(tag: int, vr: str, value: bytes) -> bytes:
    """One data element in Explicit VR Little Endian; odd values are padded."""
    value += (b" " if vr in {"CS", "DT"} else b"\0") * (len(value) % 2)
    head = struct.pack("<HH", tag >> 16, tag & 0xFFFF) + vr.encode()
    return head + (struct.pack("<HI" if vr in LONG else "<H", *((0, len(value)) if vr in LONG else (len(value),)))) + value


def sequence(tag: int, item: bytes) -> bytes:
    head = struct.pack("<HH2sHI", tag >> 16, tag & 0xFFFF, b"SQ", 0, 0xFFFFFFFF)
    return head + ITEM + item + ITEM_END + SEQUENCE_END


def signed_object(
    certificate: bytes,
    sign: Callable[[bytes], bytes],
    *,
    mac_algorithm: str = "SHA256",
    date: bytes = b"20260101120000",
) -> bytes:
    """A DICOM file with one signed element; `sign` makes the value of Signature (0400,0120) from the digest."""
    body = element(0x00080018, "UI", b"1.2.3.4")
    head = (
        element(0x04000005, "US", b"\0\0")
        + element(0x04000100, "UI", b"1.2.3.5")
        + element(0x04000105, "DT", date)
        + element(0x04000110, "CS", b"X509_1993_SIG")
    )
    digest = new_digest(mac_algorithm)
    digest.update(body.replace(b"UI", b"UI", 1) + head)
    mac_parameters = (
        element(0x04000005, "US", b"\0\0")
        + element(0x04000010, "UI", b"1.2.840.10008.1.2.1")
        + element(0x04000015, "CS", mac_algorithm.encode())
        + element(0x04000020, "AT", struct.pack("<HH", 0x0008, 0x0018))
    )
    signature = head + element(0x04000115, "OB", certificate) + element(0x04000120, "OB", sign(digest.digest()))
    syntax = element(0x00020010, "UI", b"1.2.840.10008.1.2.1")
    meta = element(0x00020000, "UL", struct.pack("<I", len(syntax))) + syntax
    return bytes(128) + b"DICM" + meta + body + sequence(0x4FFE0001, mac_parameters) + sequence(0xFFFAFFFA, signature)


def listing(dcmsign: str, path: Path, *options: str | Path) -> str:
    """What ``dcmsign -v --verify`` says about the file."""
    run = subprocess.run([dcmsign, "-v", "--verify", *options, path], capture_output=True, timeout=60)
    return run.stderr.decode("latin-1")


def verdict(text: str) -> str:
    """The verdict in a listing."""
    match = re.search(r"Signature Verification +: (.*)", text)
    return match[1] if match else text
