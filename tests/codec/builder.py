"""A small encoder of DICOM trees for tests, independent of the library and able to write what the library never would.

A data set or item is a tuple of nodes in file order. Values are little endian, as in the tree of any form; encoding swaps them.
"""

from __future__ import annotations

import struct
import zlib
from typing import NamedTuple

IMPLICIT, EXPLICIT, BIG = "implicit", "explicit", "big"
FORMS = (IMPLICIT, EXPLICIT, BIG)

UIDS = {IMPLICIT: "1.2.840.10008.1.2", EXPLICIT: "1.2.840.10008.1.2.1", BIG: "1.2.840.10008.1.2.2"}
DEFLATED_UID = "1.2.840.10008.1.2.1.99"
JPEG_UID = "1.2.840.10008.1.2.4.50"

LONG_VRS = frozenset("OB OD OF OL OV OW SQ SV UC UN UR UT UV".split())  # noqa: SIM905
SWAP_UNITS = {2: "AT OW SS US", 4: "FL OF OL SL UL", 8: "FD OD OV SV UV"}
UNITS = {vr: unit for unit, vrs in SWAP_UNITS.items() for vr in vrs.split()}
TEXTS = frozenset("AE AS CS DA DS DT IS LO LT PN SH ST TM UC UR UT".split())  # noqa: SIM905
UNDEFINED = 0xFFFFFFFF


class Plain(NamedTuple):
    """A data element with a value; `code` is written instead of the VR in explicit forms."""

    tag: int
    vr: str
    value: bytes
    code: str = ""


class Item(NamedTuple):
    """An item of a sequence."""

    nodes: tuple[Node, ...]
    undefined: bool = False


class Sequence(NamedTuple):
    """A sequence; with `un` its VR is UN in explicit forms, its length undefined and its content implicit VR little endian."""

    tag: int
    items: tuple[Item, ...]
    undefined: bool = False
    un: bool = False


class Pixels(NamedTuple):
    """Encapsulated Pixel Data; the first fragment is the offset table."""

    tag: int
    fragments: tuple[bytes, ...]
    vr: str = "OB"


Node = Plain | Sequence | Pixels
Nodes = tuple[Node, ...]


def swap(value: bytes, unit: int) -> bytes:
    """Reverse the bytes of every whole unit."""
    whole = len(value) // unit * unit
    pieces = [value[i : i + unit][::-1] for i in range(0, whole, unit)]
    return b"".join(pieces) + value[whole:]


def pack(form: str, pattern: str, *numbers: object) -> bytes:
    """struct.pack in the byte order of a form."""
    return struct.pack((">" if form == BIG else "<") + pattern, *numbers)


def header(form: str, tag: int, code: str, length: int) -> bytes:
    """Header of a data element, as the form and the VR want it."""
    group, element = tag >> 16, tag & 0xFFFF
    if form == IMPLICIT:
        return pack(form, "HHI", group, element, length)
    if code in LONG_VRS or (code not in ALL_SHORT and code.isalpha() and code.isupper()):
        return pack(form, "HH2s2xI", group, element, code.encode(), length)
    return pack(form, "HH2sH", group, element, code.encode(), length)


ALL_SHORT = frozenset("AE AS AT CS DA DS DT FD FL IS LO LT PN SH SL SS ST TM UI UL US".split())  # noqa: SIM905


def delimiter(form: str, element: int, length: int = 0) -> bytes:
    """A data element of group FFFE."""
    return pack(form, "HHI", 0xFFFE, element, length)


def encode(nodes: Nodes, form: str, *, undefined: bool | None = None) -> bytes:
    """Encode a data set; `undefined` overrules the length forms of the nodes."""
    return b"".join(_encode_node(node, form, undefined) for node in nodes)


def _encode_node(node: Node, form: str, undefined: bool | None) -> bytes:
    if isinstance(node, Plain):
        swapped = node.value
        if form == BIG and node.vr in UNITS and not node.code:
            swapped = swap(node.value, UNITS[node.vr])
        return header(form, node.tag, node.code or node.vr, len(swapped)) + swapped
    if isinstance(node, Pixels):
        fragments = (delimiter(form, 0xE000, len(fragment)) + fragment for fragment in node.fragments)
        return header(form, node.tag, node.vr, UNDEFINED) + b"".join(fragments) + delimiter(form, 0xE0DD)
    inner = IMPLICIT if node.un else form
    content = b"".join(_encode_item(item, inner, undefined) for item in node.items)
    open_end = node.un or (node.undefined if undefined is None else undefined)
    if open_end:
        content += delimiter(inner, 0xE0DD)
    return header(form, node.tag, "UN" if node.un else "SQ", UNDEFINED if open_end else len(content)) + content


def _encode_item(item: Item, form: str, undefined: bool | None) -> bytes:
    content = encode(item.nodes, form, undefined=undefined)
    if item.undefined if undefined is None else undefined:
        return delimiter(form, 0xE000, UNDEFINED) + content + delimiter(form, 0xE00D)
    return delimiter(form, 0xE000, len(content)) + content


def meta(uid: str, *, preamble: bool = True, group_length: bool = True) -> bytes:
    """Preamble and file meta group for a transfer syntax."""
    padded = uid.encode() + b"\0" * (len(uid) & 1)
    group = encode(
        (Plain(0x00020001, "OB", b"\0\1"), Plain(0x00020002, "UI", b"1.2.3\0"), Plain(0x00020010, "UI", padded)),
        EXPLICIT,
    )
    if group_length:
        group = encode((Plain(0x00020000, "UL", struct.pack("<I", len(group))),), EXPLICIT) + group
    return (bytes(128) + b"DICM" if preamble else b"") + group


def deflate(data: bytes) -> bytes:
    """A raw deflate stream."""
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(data) + packer.flush()


def file(nodes: Nodes, form: str, *, deflated: bool = False, undefined: bool | None = None) -> bytes:
    """A whole file; the transfer syntax is an encapsulated one if the nodes have fragments at the top level."""
    data = encode(nodes, form, undefined=undefined)
    if deflated:
        return meta(DEFLATED_UID) + deflate(data)
    encapsulated = any(isinstance(node, Pixels) for node in nodes)
    return meta(JPEG_UID if encapsulated and form == EXPLICIT else UIDS[form]) + data


# ---------------------------------------------------------------------- what reading and normalising make of a tree


def as_read(nodes: Nodes, form: str) -> Nodes:
    """The tree with the VRs that a reader finds in `form`, length forms forgotten, values of the file."""
    return tuple(_node_as_read(node, form) for node in nodes)


def _node_as_read(node: Node, form: str) -> Node:
    if isinstance(node, Sequence):
        inner = IMPLICIT if node.un else form
        return Sequence(node.tag, tuple(Item(as_read(item.nodes, inner)) for item in node.items))
    if isinstance(node, Pixels):
        return Pixels(node.tag, node.fragments)
    if node.code and form != IMPLICIT:
        return Plain(node.tag, "UN", node.value)
    private = node.tag >> 16 & 1
    if form == IMPLICIT and private and node.tag & 0xFFFF:
        return Plain(node.tag, "LO" if 0x10 <= node.tag & 0xFFFF <= 0xFF else "UN", node.value)
    return Plain(node.tag, node.vr, node.value)


def as_digested(nodes: Nodes, form: str) -> Nodes:
    """The tree as read, odd values of big endian input completed before they are swapped, as DCMTK does it."""
    return as_read(_completed(nodes) if form == BIG else nodes, form)


def _completed(nodes: Nodes) -> Nodes:
    result: list[Node] = []
    for node in nodes:
        if isinstance(node, Sequence) and not node.un:
            node = node._replace(items=tuple(Item(_completed(item.nodes)) for item in node.items))
        elif isinstance(node, Plain) and len(node.value) & 1 and node.vr in UNITS and node.vr != "OW" and not node.code:
            unit = UNITS[node.vr]
            node = node._replace(value=swap(swap(node.value, unit) + b"\0", unit))
        result.append(node)
    return tuple(result)


def normalised(nodes: Nodes) -> Nodes:
    """The tree with values in normal form (mac-stream.md 2.2), group lengths zeroed, since they depend on the encoding."""
    return tuple(_node_normalised(node) for node in nodes)


def zeroed(nodes: Nodes) -> Nodes:
    """The tree with its group lengths zeroed."""
    result: list[Node] = []
    for node in nodes:
        if isinstance(node, Sequence):
            node = node._replace(items=tuple(Item(zeroed(item.nodes)) for item in node.items))
        elif isinstance(node, Plain) and not node.tag & 0xFFFF:
            node = Plain(node.tag, "UL", bytes(4))
        result.append(node)
    return tuple(result)


def _node_normalised(node: Node) -> Node:
    if isinstance(node, Sequence):
        return Sequence(node.tag, tuple(Item(normalised(item.nodes)) for item in node.items))
    if isinstance(node, Pixels):
        return Pixels(node.tag, tuple(fragment + b"\0" * (len(fragment) & 1) for fragment in node.fragments))
    if not node.tag & 0xFFFF:
        return Plain(node.tag, "UL", bytes(4))
    return Plain(node.tag, node.vr, normal(node.vr, node.value))


def normal(vr: str, value: bytes) -> bytes:
    """The normal form of a value, byte by byte."""
    if vr in TEXTS:
        while value[-1:] in (b" ", b"\0"):
            value = value[:-1]
        return value + b" " * (len(value) & 1)
    if vr == "UI":
        value = bytes(byte for byte in value if byte not in b" \t\n\v\f\r")
        while value[-1:] == b"\0":
            value = value[:-1]
        return value + b"\0" * (len(value) & 1)
    return value if vr == "OW" else value + b"\0" * (len(value) & 1)


def in_order(nodes: Nodes) -> Nodes:
    """The tree with every level sorted by tag, the first of equal tags kept."""
    first: dict[int, Node] = {}
    for node in nodes:
        first.setdefault(node.tag, node)
    return tuple(_sorted_inside(first[tag]) for tag in sorted(first))


def _sorted_inside(node: Node) -> Node:
    if isinstance(node, Sequence):
        return node._replace(items=tuple(Item(in_order(item.nodes), item.undefined) for item in node.items))
    return node
