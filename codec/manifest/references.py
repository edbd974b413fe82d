"""References to instances with digests and signatures: items of Referenced SOP Sequence (PS3.3 C.17.2.1), both ways."""

from __future__ import annotations

from typing import Final, NamedTuple

from ..dicom import trees
from ..dicom.tags import (
    DATA_ELEMENTS_SIGNED,
    DIGITAL_SIGNATURE_UID,
    MAC_ALGORITHM,
    MAC_CALCULATION_TRANSFER_SYNTAX_UID,
    SIGNATURE,
)
from ..errors import ManifestError
from ..signature.items import read_mac_parameters

REFERENCED_SERIES_SEQUENCE: Final = 0x00081115
REFERENCED_SOP_CLASS_UID: Final = 0x00081150
REFERENCED_SOP_INSTANCE_UID: Final = 0x00081155
REFERENCED_SOP_SEQUENCE: Final = 0x00081199
STUDY_INSTANCE_UID: Final = 0x0020000D
SERIES_INSTANCE_UID: Final = 0x0020000E
CURRENT_EVIDENCE_SEQUENCE: Final = 0x0040A375
OTHER_EVIDENCE_SEQUENCE: Final = 0x0040A385
REFERENCED_SIGNATURE_SEQUENCE: Final = 0x04000402
REFERENCED_MAC_SEQUENCE: Final = 0x04000403
MAC: Final = 0x04000404


class ReferencedMac(NamedTuple):
    """An item of Referenced SOP Instance MAC Sequence (0400,0403).

    `syntax`: MAC Calculation Transfer Syntax UID. `algorithm`: a defined term of MAC Algorithm (0400,0015). `tags`: Data Elements
    Signed, packed, see `pack_tags`. `value`: the digest.
    """

    syntax: str
    algorithm: str
    tags: bytes
    value: bytes


class ReferencedSignature(NamedTuple):
    """An item of Referenced Digital Signature Sequence (0400,0402): UID and value of a signature that the instance has."""

    uid: str
    value: bytes


class Reference(NamedTuple):
    """An instance as a manifest knows it; `mac` is None if only its signatures are referenced, or nothing but itself."""

    study: str
    series: str
    sop_class: str
    sop_instance: str
    mac: ReferencedMac | None
    signatures: tuple[ReferencedSignature, ...] = ()


_LONGEST_SHOWN = 80


def shown(text: str) -> str:
    """Text from a file, fit for a message: one line of bounded length."""
    return "".join(letter if letter.isprintable() else "?" for letter in text[:_LONGEST_SHOWN])


def pack_tags(tags: list[int] | tuple[int, ...]) -> bytes:
    """Tags as the value of a data element of VR AT, little endian."""
    return b"".join((tag >> 16).to_bytes(2, "little") + (tag & 0xFFFF).to_bytes(2, "little") for tag in tags)


def unpack_tags(value: bytes) -> tuple[int, ...]:
    """The tags in a little endian value of VR AT; bytes left over at its end are ignored."""
    ends = range(4, len(value) + 1, 4)
    return tuple(
        int.from_bytes(value[end - 4 : end - 2], "little") << 16 | int.from_bytes(value[end - 2 : end], "little") for end in ends
    )


def reference_item(reference: Reference) -> trees.Item:
    """The item of Referenced SOP Sequence for an instance."""
    item: trees.Item = [
        trees.element(REFERENCED_SOP_CLASS_UID, "UI", reference.sop_class.encode()),
        trees.element(REFERENCED_SOP_INSTANCE_UID, "UI", reference.sop_instance.encode()),
    ]
    if reference.signatures:
        item.append(trees.Sequence(REFERENCED_SIGNATURE_SEQUENCE, [_signature_item(each) for each in reference.signatures]))
    if reference.mac is not None:
        item.append(trees.Sequence(REFERENCED_MAC_SEQUENCE, [_mac_item(reference.mac)]))
    return item


def _signature_item(signature: ReferencedSignature) -> trees.Item:
    return [
        trees.element(DIGITAL_SIGNATURE_UID, "UI", signature.uid.encode()),
        trees.element(SIGNATURE, "OB", signature.value),
    ]


def _mac_item(mac: ReferencedMac) -> trees.Item:
    return [
        trees.element(MAC_CALCULATION_TRANSFER_SYNTAX_UID, "UI", mac.syntax.encode()),
        trees.element(MAC_ALGORITHM, "CS", mac.algorithm.encode()),
        trees.element(DATA_ELEMENTS_SIGNED, "AT", mac.tags),
        trees.element(MAC, "OB", mac.value),
    ]


def read_reference(item: trees.Item, study: str = "", series: str = "") -> Reference:
    """Interpret an item of Referenced SOP Sequence. Raises ManifestError if it is not what the standard says."""
    sop_class = trees.find_text(item, REFERENCED_SOP_CLASS_UID)
    sop_instance = trees.find_text(item, REFERENCED_SOP_INSTANCE_UID)
    if not sop_class or not sop_instance:
        raise ManifestError("a reference without SOP Class UID or SOP Instance UID", element="(0008,1199)")
    macs, signatures = _items(item, REFERENCED_MAC_SEQUENCE), _items(item, REFERENCED_SIGNATURE_SEQUENCE)
    if len(macs) > 1:
        raise ManifestError(f"more than one digest of instance {shown(sop_instance)}", element="(0400,0403)")
    mac = _read_mac(macs[0], sop_instance) if macs else None
    read = tuple(_read_signature(each, sop_instance) for each in signatures)
    return Reference(study, series, sop_class, sop_instance, mac, read)


def _items(item: trees.Item, tag: int) -> list[trees.Item]:
    found = trees.find(item, tag)
    return found.items if isinstance(found, trees.Sequence) else []


def _read_mac(item: trees.Item, instance: str) -> ReferencedMac:
    parameters, tags = read_mac_parameters(item), trees.find_value(item, DATA_ELEMENTS_SIGNED)
    value = trees.find_value(item, MAC)
    if not parameters.syntax or not parameters.algorithm or not parameters.tags or tags is None:
        raise ManifestError(f"the digest of instance {shown(instance)} has no parameters", element="(0400,0403)")
    if value is None or value[0] != "OB" or not value[1]:
        raise ManifestError(f"the digest of instance {shown(instance)} is missing", element="(0400,0404)")
    return ReferencedMac(parameters.syntax, parameters.algorithm, tags[1], value[1])


def _read_signature(item: trees.Item, instance: str) -> ReferencedSignature:
    uid, value = trees.find_text(item, DIGITAL_SIGNATURE_UID), trees.find_value(item, SIGNATURE)
    if not uid or value is None or value[0] != "OB" or not value[1]:
        raise ManifestError(f"a referenced signature of instance {shown(instance)} without UID or value", element="(0400,0402)")
    return ReferencedSignature(uid, value[1])
