"""What the 128 bytes in front of the prefix can make of a file (PS3.10 7.1)."""

from __future__ import annotations

from .findings import FindingKind

_PROGRAMS = (
    (b"MZ", "a program for Windows or DOS"),
    (b"\x7fELF", "a program for Unix"),
    (b"\xfe\xed\xfa\xce", "a program for macOS"),
    (b"\xfe\xed\xfa\xcf", "a program for macOS"),
    (b"\xce\xfa\xed\xfe", "a program for macOS"),
    (b"\xcf\xfa\xed\xfe", "a program for macOS"),
    (b"\xca\xfe\xba\xbe", "Java classes or a program for macOS"),
    (b"dex\n", "a program for Android"),
    (b"\0asm", "a WebAssembly program"),
    (b"#!", "a script"),
)
_FORMATS = (
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
    (b"II+\0", "BigTIFF"),
    (b"MM\0+", "BigTIFF"),
    (b"PK\3\4", "a ZIP archive"),
    (b"PK\5\6", "a ZIP archive"),
    (b"%PDF", "PDF"),
    (b"\x1f\x8b", "gzip"),
    (b"BZh", "bzip2"),
    (b"\xfd7zXZ", "xz"),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive"),
    (b"Rar!", "a RAR archive"),
    (b"\x89PNG", "PNG"),
    (b"\xff\xd8\xff", "JPEG"),
    (b"GIF8", "GIF"),
    (b"BM", "a bitmap"),
    (b"RIFF", "RIFF"),
    (b"\0\0\1\0", "an icon"),
    (b"<?xml", "XML"),
    (b"<html", "HTML"),
    (b"<!DOC", "HTML"),
    (b"<scri", "HTML"),
    (b"{\\rtf", "RTF"),
    (b"\xd0\xcf\x11\xe0", "a compound document"),
)


def preamble_finding(preamble: bytes) -> tuple[FindingKind, str] | None:
    """What is to be told about a preamble of 128 bytes, and what it begins like; None for one of zeros."""
    if not any(preamble):
        return None
    for beginnings, kind in ((_PROGRAMS, FindingKind.PREAMBLE_EXECUTABLE), (_FORMATS, FindingKind.PREAMBLE_OTHER_FORMAT)):
        for beginning, name in beginnings:
            if preamble[: len(beginning)].lower() == beginning.lower():
                return kind, name
    return FindingKind.PREAMBLE_DATA, f"{sum(map(bool, preamble))} bytes that are not zero"
