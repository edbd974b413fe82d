"""What decides about the VRs of other data elements counts as DCMTK counts it when it is there twice: the first one."""

from __future__ import annotations

import struct
import subprocess
from pathlib import Path

import pytest
from dcmsign.stream import KeySigner, run_inline, sign, verify

from tests.peers import require_peer
from tests.stream.material import MAC_VECTORS, meta

KEY, CERTIFICATE = MAC_VECTORS / "key-rsa.pem", MAC_VECTORS / "cert-rsa.pem"
IMPLICIT = b"1.2.840.10008.1.2\0"


def element(tag: int, value: bytes) -> bytes:
    return struct.pack("<HHI", tag >> 16, tag & 0xFFFF, len(value)) + value


def item(content: bytes) -> bytes:
    return struct.pack("<HHI", 0xFFFE, 0xE000, len(content)) + content


WAVEFORM = element(0x54001004, b"\x10\0") + element(0x54001004, b"\x08\0") + element(0x54001010, b"abcd")
PIXELS = element(0x00280103, b"\1\0") + element(0x00280103, b"\0\0") + element(0x00280106, b"\xff\xff")
CASES = {"waveform bits": element(0x54000100, item(WAVEFORM)), "pixel representation": PIXELS}


@pytest.mark.parametrize("case", CASES)
def test_signatures_of_both_programs_agree(case: str, tmp_path: Path) -> None:
    peer_dcmsign = require_peer("dcmsign")
    source, theirs, ours = tmp_path / "in.dcm", tmp_path / "theirs.dcm", tmp_path / "ours.dcm"
    source.write_bytes(meta(IMPLICIT) + element(0x00080016, b"1.2.3\0") + element(0x00080018, b"1.2.4\0") + CASES[case])
    subprocess.run([peer_dcmsign, "-q", "+s", KEY, CERTIFICATE, source, theirs], check=True)
    assert [found.intact for found in run_inline(verify(theirs)).signatures] == [True]
    run_inline(sign(source, ours, signer=KeySigner.load(KEY, CERTIFICATE)))
    assert [found.intact for found in run_inline(verify(ours)).signatures] == [True]
    told = subprocess.run([peer_dcmsign, "-v", ours], capture_output=True, text=True, check=False)
    assert "signature is OK" in told.stderr + told.stdout
