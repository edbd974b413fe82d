"""Transfer syntaxes (PS3.5 10 and annex A, PS3.6 A) with the names DCMTK prints for them."""

from __future__ import annotations

from typing import Final, NamedTuple


class TransferSyntax(NamedTuple):
    """How a data set is encoded.

    `encapsulated`: Pixel Data of the top level is a sequence of fragments. `deflated`: everything behind the file
    meta information is one raw deflate stream. `big_endian_pixels`: native Pixel Data is big endian in a little
    endian data set. `referenced`: Pixel Data is elsewhere, at Pixel Data Provider URL (0028,7FE0).
    """

    uid: str
    name: str
    explicit: bool = True
    little_endian: bool = True
    encapsulated: bool = False
    deflated: bool = False
    big_endian_pixels: bool = False
    referenced: bool = False


_ROOT: Final = "1.2.840.10008.1.2"

IMPLICIT_LE: Final = TransferSyntax(_ROOT, "Little Endian Implicit", explicit=False)
EXPLICIT_LE: Final = TransferSyntax(f"{_ROOT}.1", "Little Endian Explicit")
EXPLICIT_BE: Final = TransferSyntax(f"{_ROOT}.2", "Big Endian Explicit", little_endian=False)
DEFLATED_LE: Final = TransferSyntax(f"{_ROOT}.1.99", "Deflated Explicit VR Little Endian", deflated=True)
GE_PRIVATE: Final = TransferSyntax(
    "1.2.840.113619.5.2",
    "Private GE Little Endian Implicit with big endian pixel data",
    explicit=False,
    big_endian_pixels=True,
)

_JPIP: Final = (
    TransferSyntax(f"{_ROOT}.4.94", "JPIP Referenced", referenced=True),
    TransferSyntax(f"{_ROOT}.4.95", "JPIP Referenced Deflate", deflated=True, referenced=True),
    TransferSyntax(f"{_ROOT}.4.204", "JPIP HTJ2K Referenced", referenced=True),
    TransferSyntax(f"{_ROOT}.4.205", "JPIP HTJ2K Referenced Deflate", deflated=True, referenced=True),
)

_ENCAPSULATED: Final = {
    "1.98": "Encapsulated Uncompressed Explicit VR Little Endian",
    "4.50": "JPEG Baseline",
    "4.51": "JPEG Extended, Process 2+4",
    "4.52": "JPEG Extended, Process 3+5",
    "4.53": "JPEG Spectral Selection, Non-hierarchical, Process 6+8",
    "4.54": "JPEG Spectral Selection, Non-hierarchical, Process 7+9",
    "4.55": "JPEG Full Progression, Non-hierarchical, Process 10+12",
    "4.56": "JPEG Full Progression, Non-hierarchical, Process 11+13",
    "4.57": "JPEG Lossless, Non-hierarchical, Process 14",
    "4.58": "JPEG Lossless, Non-hierarchical, Process 15",
    "4.59": "JPEG Extended, Hierarchical, Process 16+18",
    "4.60": "JPEG Extended, Hierarchical, Process 17+19",
    "4.61": "JPEG Spectral Selection, Hierarchical, Process 20+22",
    "4.62": "JPEG Spectral Selection, Hierarchical, Process 21+23",
    "4.63": "JPEG Full Progression, Hierarchical, Process 24+26",
    "4.64": "JPEG Full Progression, Hierarchical, Process 25+27",
    "4.65": "JPEG Lossless, Hierarchical, Process 28",
    "4.66": "JPEG Lossless, Hierarchical, Process 29",
    "4.70": "JPEG Lossless, Non-hierarchical, 1st Order Prediction",
    "4.80": "JPEG-LS Lossless",
    "4.81": "JPEG-LS Lossy (Near-lossless)",
    "4.90": "JPEG 2000 (Lossless only)",
    "4.91": "JPEG 2000 (Lossless or Lossy)",
    "4.92": "JPEG 2000 Part 2 Multicomponent Image Compression (Lossless only)",
    "4.93": "JPEG 2000 Part 2 Multicomponent Image Compression (Lossless or Lossy)",
    "4.100": "MPEG2 Main Profile @ Main Level",
    "4.100.1": "Fragmentable MPEG2 Main Profile / Main Level",
    "4.101": "MPEG2 Main Profile @ High Level",
    "4.101.1": "Fragmentable MPEG2 Main Profile / High Level",
    "4.102": "MPEG-4 AVC/H.264 High Profile / Level 4.1",
    "4.102.1": "Fragmentable MPEG-4 AVC/H.264 High Profile / Level 4.1",
    "4.103": "MPEG-4 AVC/H.264 BD-compatible High Profile / Level 4.1",
    "4.103.1": "Fragmentable MPEG-4 AVC/H.264 BD-compatible High Profile / Level 4.1",
    "4.104": "MPEG-4 AVC/H.264 High Profile / Level 4.2 For 2D Video",
    "4.104.1": "Fragmentable MPEG-4 AVC/H.264 High Profile / Level 4.2 For 2D Video",
    "4.105": "MPEG-4 AVC/H.264 High Profile / Level 4.2 For 3D Video",
    "4.105.1": "Fragmentable MPEG-4 AVC/H.264 High Profile / Level 4.2 For 3D Video",
    "4.106": "MPEG-4 AVC/H.264 Stereo High Profile / Level 4.2",
    "4.106.1": "Fragmentable MPEG-4 AVC/H.264 Stereo High Profile / Level 4.2",
    "4.107": "HEVC/H.265 Main Profile / Level 5.1",
    "4.108": "HEVC/H.265 Main 10 Profile / Level 5.1",
    "4.110": "JPEG XL Lossless",
    "4.111": "JPEG XL JPEG Recompression",
    "4.112": "JPEG XL",
    "4.201": "High-Throughput JPEG 2000 Image Compression (Lossless Only)",
    "4.202": "High-Throughput JPEG 2000 with RPCL Options Image Compression (Lossless Only)",
    "4.203": "High-Throughput JPEG 2000 Image Compression",
    "5": "RLE Lossless",
    "8.1": "Deflated Image Frame Compression",
}

SYNTAXES: Final[dict[str, TransferSyntax]] = {
    syntax.uid: syntax
    for syntax in (
        IMPLICIT_LE,
        EXPLICIT_LE,
        EXPLICIT_BE,
        DEFLATED_LE,
        GE_PRIVATE,
        *_JPIP,
        *(TransferSyntax(f"{_ROOT}.{suffix}", name, encapsulated=True) for suffix, name in _ENCAPSULATED.items()),
    )
}
"""All known transfer syntaxes by UID."""
