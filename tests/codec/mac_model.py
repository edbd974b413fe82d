"""The MAC byte stream of a tree, as mac-stream.md describes it: complete, and with DCMTK's buffer.

It shares no code with the library.
"""

from __future__ import annotations

from collections.abc import Iterable

from tests.codec import builder
from tests.codec.builder import Node, Nodes, Pixels, Plain, Sequence

ROOM = 16384


def signable_tag(tag: int) -> bool:
    """Rule 4.1 for tags."""
    group, element = divmod(tag, 0x10000)
    if element == 0 or group < 8 or group == 0xFFFA:
        return False
    return tag not in (0x00080001, 0x4FFE0001, 0xFFFCFFFC, 0xFFFEE00D, 0xFFFEE0DD)


def holds_un(node: Node) -> bool:
    """Whether UN occurs anywhere in a node."""
    if isinstance(node, Plain):
        return node.vr == "UN"
    return isinstance(node, Sequence) and any(holds_un(child) for item in node.items for child in item.nodes)


def selected(nodes: Nodes, tags: Iterable[int] | None = None) -> Nodes:
    """The nodes of a level that are signed."""
    wanted = None if tags is None else set(tags)
    return tuple(
        node for node in nodes if signable_tag(node.tag) and not holds_un(node) and (wanted is None or node.tag in wanted)
    )


class _SkipRest(Exception):
    pass


class Model:
    """Writes the stream of a level. With `buffer` it leaves out what DCMTK leaves out."""

    def __init__(
        self, *, form: str = builder.EXPLICIT, old_format: bool = False, buffer: bool = False, legacy: bool = False
    ) -> None:
        self.out = bytearray()
        self._form = form
        self._old = old_format
        self._buffer = buffer
        self._legacy = legacy
        self._room = ROOM

    def level(self, nodes: Nodes) -> bytes:
        """The stream of the signable ones among the nodes (as read, in ascending order)."""
        for node in selected(nodes):
            self._node(node, 0)
        return bytes(self.out)

    def _need(self, size: int, depth: int) -> None:
        if self._room < size:
            self._flush(depth)

    def _flush(self, depth: int) -> None:
        self._room = ROOM
        if self._buffer and depth >= 2:
            raise _SkipRest

    def _put(self, data: bytes) -> None:
        assert len(data) <= self._room
        self.out += data
        self._room -= len(data)

    def _put_value(self, data: bytes, depth: int) -> None:
        while data:
            if self._room == 0:
                self._flush(depth)
            piece, data = data[: self._room], data[self._room :]
            self._put(piece)

    def _tag(self, tag: int) -> bytes:
        return builder.pack(self._form, "HH", tag >> 16, tag & 0xFFFF)

    def _open(self, tag: int, vr: bytes, depth: int) -> None:
        implicit = self._form == builder.IMPLICIT
        self._need(8 if implicit else 12, depth)
        self._put(self._tag(tag) + (b"" if implicit else vr + b"\0\0"))

    def _node(self, node: Node, depth: int) -> None:
        if isinstance(node, Plain):
            self._plain(node, depth)
            return
        if isinstance(node, Pixels):
            self._pixels(node, depth)
            return
        self._open(node.tag, b"SQ", depth)
        try:
            for item in node.items:
                self._need(4, depth + 1)
                self._put(self._tag(0xFFFEE000))
                for child in item.nodes:
                    if signable_tag(child.tag):
                        self._node(child, depth + 1)
        except _SkipRest:
            if depth != 1:
                raise
        self._need(4, depth)
        self._put(self._tag(0xFFFEE0DD))

    def _plain(self, node: Plain, depth: int) -> None:
        value = self._value(node)
        code = "UN" if node.vr not in builder.LONG_VRS and len(value) > 0xFFFF else node.vr
        head = builder.header(self._form, node.tag, code, len(value))
        self._need(len(head), depth)
        self._put(head)
        if self._form == builder.BIG:
            value = builder.swap(value, builder.UNITS.get(node.vr, 1))
        self._put_value(value, depth)

    def _value(self, node: Plain) -> bytes:
        if self._legacy and node.vr in builder.TEXTS:
            value = node.value + b"\0" * (len(node.value) & 1)
            while value[-1:] == b" ":
                value = value[:-1]
            return value + b" " * (len(value) & 1)
        return builder.normal(node.vr, node.value)

    def _pixels(self, node: Pixels, depth: int) -> None:
        self._open(node.tag, b"OB", depth)
        for fragment in node.fragments:
            padded = fragment + b"\0" * (len(fragment) & 1)
            self._need(12 if self._old else 4, depth)
            self._put(self._tag(0xFFFEE000) + (builder.pack(self._form, "I", len(padded)) if self._old else b""))
            self._put_value(padded, depth)
        self._need(4, depth)
        self._put(self._tag(0xFFFEE0DD))


def complete(nodes: Nodes, form: str = builder.EXPLICIT, *, old_format: bool = False) -> bytes:
    """The complete stream by plain recursion, without any buffer (section 2)."""
    return b"".join(_complete(node, form, old_format) for node in selected(nodes))


def _complete(node: Node, form: str, old: bool) -> bytes:
    tag, item, end = (builder.pack(form, "HH", t >> 16, t & 0xFFFF) for t in (node.tag, 0xFFFEE000, 0xFFFEE0DD))
    vr = {builder.IMPLICIT: b""}
    if isinstance(node, Sequence):
        inner = (b"".join(_complete(child, form, old) for child in i.nodes if signable_tag(child.tag)) for i in node.items)
        return tag + vr.get(form, b"SQ\0\0") + b"".join(item + content for content in inner) + end
    if isinstance(node, Pixels):
        padded = [fragment + b"\0" * (len(fragment) & 1) for fragment in node.fragments]
        lengths = [builder.pack(form, "I", len(fragment)) if old else b"" for fragment in padded]
        pieces = (item + length + fragment for length, fragment in zip(lengths, padded, strict=True))
        return tag + vr.get(form, b"OB\0\0") + b"".join(pieces) + end
    value = builder.normal(node.vr, node.value)
    code = "UN" if node.vr not in builder.LONG_VRS and len(value) > 0xFFFF else node.vr
    swapped = builder.swap(value, builder.UNITS.get(node.vr, 1)) if form == builder.BIG else value
    return builder.header(form, node.tag, code, len(value)) + swapped
