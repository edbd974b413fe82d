"""Purposes of a digital signature: the ASTM codes of PS3.3 C.12.1.1.3 as dcmsign writes them."""

from __future__ import annotations

from typing import Final

CODING_SCHEME: Final = "ASTM-sigpurpose"
"""Coding Scheme Designator (0008,0102) of the purpose code."""

PURPOSES: Final[tuple[tuple[int, str], ...]] = (
    (1, "Author's Signature"),
    (2, "Coauthor's Signature"),
    (3, "Co-participant's Signature"),
    (4, "Transcriptionist/Recorder Signature"),
    (5, "Verification Signature"),
    (6, "Validation Signature"),
    (7, "Consent Signature"),
    (8, "Signature Witness Signature"),
    (9, "Event Witness Signature"),
    (10, "Identity Witness Signature"),
    (11, "Consent Witness Signature"),
    (12, "Interpreter Signature"),
    (13, "Review Signature"),
    (14, "Source Signature"),
    (15, "Addendum Signature"),
    (16, "Modification Signature"),
    (17, "Administrative (Error/Edit) Signature"),
    (18, "Timestamp Signature"),
)
"""Code Value (0008,0100) as a number, Code Meaning (0008,0104)."""
