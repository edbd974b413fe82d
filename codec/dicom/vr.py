"""Value representations (PS3.5 6.2) and what each of them means for encoding and digesting."""

from __future__ import annotations

TEXT = frozenset({"AE", "AS", "CS", "DA", "DS", "DT", "IS", "LO", "LT", "PN", "SH", "ST", "TM", "UC", "UR", "UT"})
"""Character strings: trailing padding is removed, an odd length completed with a space (PS3.5 6.2)."""

UNIT = {
    "AT": 2,
    "OW": 2,
    "SS": 2,
    "US": 2,
    "FL": 4,
    "OF": 4,
    "OL": 4,
    "SL": 4,
    "UL": 4,
    "FD": 8,
    "OD": 8,
    "OV": 8,
    "SV": 8,
    "UV": 8,
}
"""Bytes that change places between little and big endian; a VR that is absent is never swapped (PS3.5 7.3)."""

LONG_HEADER = frozenset({"OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV"})
"""VRs with two reserved bytes and a 32-bit length in explicit VR (PS3.5 7.1.2)."""

SHORT_HEADER = frozenset(
    "AE AS AT CS DA DS DT FD FL IS LO LT PN SH SL SS ST TM UI UL US".split()  # noqa: SIM905
)
"""VRs with a 16-bit length in explicit VR (PS3.5 7.1.2)."""

ALL = LONG_HEADER | SHORT_HEADER
