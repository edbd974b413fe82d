"""Forms of the MAC byte stream a caller can choose."""

from __future__ import annotations

import enum


class StreamFormat(enum.Enum):
    """STANDARD is PS3.3 C.12.1.1.3.1.1. OLD keeps the lengths of fragments, as DCMTK did before 3.5.4. DCMTK leaves out part
    of large nested sequences, as DCMTK does, for peers that accept nothing else; what is left out is not protected.
    """

    STANDARD = "standard"
    OLD = "old"
    DCMTK = "dcmtk"
