"""What an object can have about it that lets different readers see different things, or hide something from a signature."""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple

from ..dicom.events import AnomalyCode


class Severity(Enum):
    """How much a finding matters to somebody who has to rely on the object."""

    INFO = "info"
    """Unusual, and harmless by itself."""
    WARNING = "warning"
    """Against the standard, or out of the reach of signatures: worth a look."""
    CRITICAL = "critical"
    """Two readers may show different contents, or the file is something else besides."""


class FindingKind(Enum):
    """The kinds of findings: severity, what is the matter in a line, and what that means for a verdict."""

    def __init__(self, severity: Severity, title: str, explanation: str) -> None:
        self.severity = severity
        self.title = title
        self.explanation = explanation

    DUPLICATE = (
        Severity.CRITICAL,
        "a data element occurs twice in one data set or item",
        "The standard allows each data element once (PS3.5 7.1). Digests are made over the first one, as DCMTK does; another "
        "reader may show the second one, which nothing protects.",
    )
    UNORDERED = (
        Severity.WARNING,
        "data elements out of ascending order",
        "The standard asks for ascending tags (PS3.5 7.1). Digests are made in ascending order whatever the order in the "
        "file; a reader that stops at the first greater tag misses what comes late.",
    )
    ODD_LENGTH = (
        Severity.WARNING,
        "a value of odd length",
        "Values have an even length (PS3.5 7.1). It is digested with the padding it lacks; a reader that skips a byte, or "
        "refuses the object, sees something else.",
    )
    NONSTANDARD_VR = (
        Severity.WARNING,
        "a VR that is none, or reserved bytes that are not zero",
        "The data element is read as UN or with corrected header (PS3.5 6.2.2, 7.1.2). Readers differ in how long they take "
        "the length field of an unknown VR to be. Digests hold zeros where reserved bytes, or the length of a delimiter, are "
        "not.",
    )
    UNDEFINED_UN = (
        Severity.WARNING,
        "UN with undefined length",
        "It is a sequence in implicit VR little endian (PS3.5 6.2.2, CP-246). Readers that do not know this find other data "
        "elements, or none, and DCMTK has no way to sign it as what it is.",
    )
    LONG_ITEM = (
        Severity.CRITICAL,
        "an item that ends behind the end of its sequence",
        "The lengths contradict each other. Whether what follows belongs to the item or not depends on which of them a reader "
        "believes.",
    )
    PIXEL_VR = (
        Severity.INFO,
        "encapsulated Pixel Data with VR OW",
        "Encapsulated Pixel Data is OB (PS3.5 A.4). It is digested as OB.",
    )
    NO_META_GROUP_LENGTH = (
        Severity.INFO,
        "file meta information without group length",
        "(0002,0000) is mandatory (PS3.10 7.1). The end of the group is found by its tags.",
    )
    WRONG_META_GROUP_LENGTH = (
        Severity.WARNING,
        "the group length of the file meta information is wrong",
        "A reader that believes it begins the data set at another place.",
    )
    UNKNOWN_SYNTAX = (
        Severity.WARNING,
        "file meta information without a known transfer syntax",
        "The encoding was guessed from the first data element; another reader may guess otherwise.",
    )
    SYNTAX_CONTRADICTION = (
        Severity.CRITICAL,
        "the data set looks like another transfer syntax than the one it is said to have",
        "Readers that guess the transfer syntax and those that believe the file meta information do not read the same.",
    )
    CLASS_CONTRADICTION = (
        Severity.CRITICAL,
        "Media Storage SOP Class UID is not the SOP Class UID",
        "(0002,0002) and (0008,0016) are the same in a conforming file (PS3.10 7.1). No signature covers the file meta "
        "information; an archive that goes by it files the object as something that was not signed.",
    )
    INSTANCE_CONTRADICTION = (
        Severity.CRITICAL,
        "Media Storage SOP Instance UID is not the SOP Instance UID",
        "(0002,0003) and (0008,0018) are the same in a conforming file (PS3.10 7.1). No signature covers the file meta "
        "information; an archive that goes by it takes the object for another one.",
    )
    PRIVATE_META = (
        Severity.INFO,
        "private file meta information",
        "(0002,0102) holds whatever its creator likes, and no signature covers it.",
    )
    NO_META = (
        Severity.INFO,
        "no file meta information",
        "A bare data set. Its transfer syntax was given by the caller or guessed from the first data element.",
    )
    PREAMBLE_EXECUTABLE = (
        Severity.CRITICAL,
        "the preamble begins like a program",
        "The 128 bytes in front of the prefix are free (PS3.10 7.1), no signature covers them, and operating systems that "
        "look at the first bytes of a file may run it.",
    )
    PREAMBLE_OTHER_FORMAT = (
        Severity.WARNING,
        "the preamble begins like another file type",
        "The 128 bytes in front of the prefix are free (PS3.10 7.1): a file may be a valid one of another type besides, such "
        "as TIFF, and show other contents there. No signature covers them.",
    )
    PREAMBLE_DATA = (
        Severity.INFO,
        "the preamble is not empty",
        "The 128 bytes in front of the prefix are free (PS3.10 7.1). No signature covers them.",
    )
    UNKNOWN_UN = (
        Severity.INFO,
        "a private or unknown data element of VR UN",
        "UN cannot be signed (PS3.3 C.12.1.1.3.1.1), nor can a sequence that holds it.",
    )
    DISGUISED_UN = (
        Severity.WARNING,
        "a known data element of VR UN",
        "The VR is known, but stands there as UN, which cannot be signed. Readers that put the VR back show a value that "
        "nothing protects.",
    )
    VR_CONTRADICTION = (
        Severity.WARNING,
        "another VR than the one in the dictionary",
        "Readers that go by the dictionary take the value for something else than those that believe the file.",
    )
    WRONG_GROUP_LENGTH = (
        Severity.WARNING,
        "a group length that is wrong",
        "Group lengths are retired and cannot be signed (PS3.5 7.2). A reader that skips groups by them gets to another "
        "place. One that is no UL of 4 bytes can hold anything, and counts as a data element that is not protected.",
    )
    SEVERAL_PIXELS = (
        Severity.CRITICAL,
        "more than one kind of Pixel Data",
        "An image has one of Pixel Data, Float Pixel Data, Double Float Pixel Data and Pixel Data Provider URL (PS3.3 "
        "C.7.6.3). Which of them is shown depends on the viewer.",
    )
    TRAILING_PADDING = (
        Severity.INFO,
        "data set trailing padding",
        "(FFFC,FFFC) holds whatever its creator likes and cannot be signed (PS3.10 7.2). Inside an item, where it does not "
        "belong, it counts as a data element that is not protected.",
    )
    TRAILING_DATA = (
        Severity.WARNING,
        "bytes behind the end of the object",
        "They belong to no data element; no signature covers them, and a reader that looks there finds something else.",
    )
    NESTED_GROUP_BELOW_8 = (
        Severity.WARNING,
        "a data element of a group below 0008 where none belongs",
        "Command and file meta elements have no place in a data set (PS3.5 7.1). They cannot be signed, not even inside a "
        "sequence that is.",
    )

    @property
    def severity_rank(self) -> int:
        """0 for INFO, 1 for WARNING, 2 for CRITICAL."""
        return _RANKS[self.severity]


_RANKS = {Severity.INFO: 0, Severity.WARNING: 1, Severity.CRITICAL: 2}


class Finding(NamedTuple):
    """One finding: where it is (offset in bytes in the, if deflated: inflated, input), at which data element, and details."""

    kind: FindingKind
    offset: int
    element: str | None
    detail: str = ""


BY_ANOMALY = {
    AnomalyCode.UNORDERED: FindingKind.UNORDERED,
    AnomalyCode.DUPLICATE: FindingKind.DUPLICATE,
    AnomalyCode.ODD_LENGTH: FindingKind.ODD_LENGTH,
    AnomalyCode.UNKNOWN_VR: FindingKind.NONSTANDARD_VR,
    AnomalyCode.UNDEFINED_UN: FindingKind.UNDEFINED_UN,
    AnomalyCode.PIXEL_VR: FindingKind.PIXEL_VR,
    AnomalyCode.NO_GROUP_LENGTH: FindingKind.NO_META_GROUP_LENGTH,
    AnomalyCode.UNKNOWN_SYNTAX: FindingKind.UNKNOWN_SYNTAX,
    AnomalyCode.LONG_ITEM: FindingKind.LONG_ITEM,
}
"""Findings that the parser makes."""
