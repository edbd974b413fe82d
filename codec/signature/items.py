"""Items of MAC Parameters Sequence (4FFE,0001) and Digital Signatures Sequence (FFFA,FFFA) (PS3.3 C.12.1.1.3)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from ..dicom import trees
from ..dicom.events import Event
from ..dicom.tags import (
    CERTIFICATE_OF_SIGNER,
    CERTIFICATE_TYPE,
    CERTIFIED_TIMESTAMP,
    CERTIFIED_TIMESTAMP_TYPE,
    CODE_MEANING,
    CODE_VALUE,
    CODING_SCHEME_DESIGNATOR,
    DATA_ELEMENTS_SIGNED,
    DIGITAL_SIGNATURE_DATE_TIME,
    DIGITAL_SIGNATURE_PURPOSE_CODE_SEQUENCE,
    DIGITAL_SIGNATURE_UID,
    MAC_ALGORITHM,
    MAC_CALCULATION_TRANSFER_SYNTAX_UID,
    MAC_ID_NUMBER,
    SIGNATURE,
)
from .purposes import CODING_SCHEME, PURPOSES

CERTIFICATE_TYPE_X509 = "X509_1993_SIG"
TIMESTAMP_TYPE = "CMS_TSP"
MAX_SIGNED_ELEMENTS = 16383
"""Data Elements Signed that a 16-bit length field can hold."""

_NOT_DIGESTED = frozenset({CERTIFICATE_OF_SIGNER, SIGNATURE, CERTIFIED_TIMESTAMP_TYPE, CERTIFIED_TIMESTAMP})


class MacParameters(NamedTuple):
    """One item of MAC Parameters Sequence as read; None is absent or of the wrong kind."""

    mac_id: int | None
    syntax: str | None
    algorithm: str | None
    tags: tuple[int, ...] | None


class SignatureItem(NamedTuple):
    """One item of Digital Signatures Sequence as read; None is absent or of the wrong kind."""

    item: trees.Item
    mac_id: int | None
    uid: str | None
    date_time: str | None
    certificate_type: str | None
    certificate: bytes | None
    signature: bytes | None
    timestamp_type: str | None
    timestamp: bytes | None


def _number(item: trees.Item, tag: int) -> int | None:
    found = trees.find_value(item, tag)
    return int.from_bytes(found[1][:2], "little") if found and found[0] == "US" and len(found[1]) >= 2 else None


def _bytes(item: trees.Item, tag: int, *vrs: str) -> bytes | None:
    found = trees.find_value(item, tag)
    return found[1] if found is not None and found[0] in vrs else None


def read_mac_id(item: trees.Item) -> int | None:
    """MAC ID Number of an item of either sequence."""
    return _number(item, MAC_ID_NUMBER)


def count_signed(item: trees.Item) -> int:
    """Entries of Data Elements Signed in an item of MAC Parameters Sequence; each takes memory once it is interpreted."""
    found = trees.find_value(item, DATA_ELEMENTS_SIGNED)
    return 0 if found is None else len(found[1]) // 4


def read_mac_parameters(item: trees.Item) -> MacParameters:
    """Interpret an item of MAC Parameters Sequence."""
    found = trees.find_value(item, DATA_ELEMENTS_SIGNED)
    tags = None
    if found is not None and found[0] == "AT":
        data = found[1]
        pairs = range(0, len(data) - len(data) % 4, 4)
        tags = tuple(
            int.from_bytes(data[i : i + 2], "little") << 16 | int.from_bytes(data[i + 2 : i + 4], "little") for i in pairs
        )
    algorithm = trees.find_text(item, MAC_ALGORITHM)
    if algorithm is None and trees.find(item, MAC_ALGORITHM) is not None:
        algorithm = ""  # of another VR: not an algorithm, but not missing either
    return MacParameters(
        _number(item, MAC_ID_NUMBER),
        trees.find_text(item, MAC_CALCULATION_TRANSFER_SYNTAX_UID),
        algorithm,
        tags,
    )


def read_signature(item: trees.Item) -> SignatureItem:
    """Interpret an item of Digital Signatures Sequence."""
    date_time = trees.find_value(item, DIGITAL_SIGNATURE_DATE_TIME)
    return SignatureItem(
        item,
        _number(item, MAC_ID_NUMBER),
        trees.find_text(item, DIGITAL_SIGNATURE_UID),
        date_time[1].strip(b" \0").decode("latin-1") if date_time and date_time[0] == "DT" else None,
        trees.find_text(item, CERTIFICATE_TYPE),
        _bytes(item, CERTIFICATE_OF_SIGNER, "OB", "UN"),
        _bytes(item, SIGNATURE, "OB"),
        trees.find_text(item, CERTIFIED_TIMESTAMP_TYPE),
        _bytes(item, CERTIFIED_TIMESTAMP, "OB", "UN"),
    )


def read_purpose(item: trees.Item) -> tuple[str, str, str] | None:
    """Code value, coding scheme and meaning of the purpose, None if there is none."""
    sequence = trees.find(item, DIGITAL_SIGNATURE_PURPOSE_CODE_SEQUENCE)
    if not isinstance(sequence, trees.Sequence) or not sequence.items:
        return None
    first = sequence.items[0]
    return (
        trees.find_text(first, CODE_VALUE) or "",
        trees.find_text(first, CODING_SCHEME_DESIGNATOR) or "",
        trees.find_text(first, CODE_MEANING) or "",
    )


def digested_events(item: trees.Item) -> Iterable[Event]:
    """The part of a signature item that is digested behind the data elements (PS3.3 C.12.1.1.3.1.1)."""
    return trees.item_events([entry for entry in item if entry.tag not in _NOT_DIGESTED])


def new_mac_parameters(mac_id: int, syntax: str, algorithm: str, tags: Iterable[int]) -> trees.Item:
    """A new item of MAC Parameters Sequence (PS3.3 table C.12-6)."""
    signed = b"".join((tag >> 16).to_bytes(2, "little") + (tag & 0xFFFF).to_bytes(2, "little") for tag in tags)
    return [
        trees.element(MAC_ID_NUMBER, "US", mac_id.to_bytes(2, "little")),
        trees.element(MAC_CALCULATION_TRANSFER_SYNTAX_UID, "UI", syntax.encode()),
        trees.element(MAC_ALGORITHM, "CS", algorithm.encode()),
        trees.element(DATA_ELEMENTS_SIGNED, "AT", signed),
    ]


def new_signature(mac_id: int, uid: str, date_time: str, purpose: int | None) -> trees.Item:
    """A new item of Digital Signatures Sequence, without certificate and signature (PS3.3 table C.12-6).

    `purpose` is one of PURPOSES or None.
    """
    item: trees.Item = [
        trees.element(MAC_ID_NUMBER, "US", mac_id.to_bytes(2, "little")),
        trees.element(DIGITAL_SIGNATURE_UID, "UI", uid.encode()),
        trees.element(DIGITAL_SIGNATURE_DATE_TIME, "DT", date_time.encode()),
        trees.element(CERTIFICATE_TYPE, "CS", CERTIFICATE_TYPE_X509.encode()),
    ]
    if purpose is not None:
        code: trees.Item = [
            trees.element(CODE_VALUE, "SH", str(purpose).encode()),
            trees.element(CODING_SCHEME_DESIGNATOR, "SH", CODING_SCHEME.encode()),
            trees.element(CODE_MEANING, "LO", dict(PURPOSES)[purpose].encode()),
        ]
        item.append(trees.Sequence(DIGITAL_SIGNATURE_PURPOSE_CODE_SEQUENCE, [code]))
    return item


def complete_signature(item: trees.Item, certificate: bytes, signature: bytes, token: bytes | None = None) -> trees.Item:
    """The item with Certificate of Signer (DER) and Signature in their places, and a timestamp token, if there is one."""
    added = [
        trees.element(CERTIFICATE_OF_SIGNER, "OB", certificate),
        trees.element(SIGNATURE, "OB", signature),
    ]
    complete = sorted([*item, *added], key=lambda entry: entry.tag)
    return complete if token is None else stamped_signature(complete, token)


def stamped_signature(item: trees.Item, token: bytes) -> trees.Item:
    """The item with a timestamp token (PS3.3 C.12.1.1.3.1.3) instead of the one it may have."""
    kept = [entry for entry in item if entry.tag not in (CERTIFIED_TIMESTAMP_TYPE, CERTIFIED_TIMESTAMP)]
    added = [
        trees.element(CERTIFIED_TIMESTAMP_TYPE, "CS", TIMESTAMP_TYPE.encode()),
        trees.element(CERTIFIED_TIMESTAMP, "OB", token),
    ]
    return sorted([*kept, *added], key=lambda entry: entry.tag)


def free_mac_id(used: Iterable[int | None]) -> int | None:
    """The smallest MAC ID number that is not in use at the level, None if all 65536 are."""
    taken = set(used)
    return next((number for number in range(0x10000) if number not in taken), None)
