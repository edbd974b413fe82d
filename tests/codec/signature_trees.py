"""Data sets with signature sequences at several levels, and a model of what signing and removing makes of them.

The model works on trees of the builder and shares no code with the library.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from hypothesis import strategies as st

from tests.codec import builder, strategies
from tests.codec.builder import Item, Node, Nodes, Plain, Sequence

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hypothesis.strategies import DrawFn

MAC_PARAMETERS, SIGNATURES, ORIGINAL_ATTRIBUTES = 0x4FFE0001, 0xFFFAFFFA, 0x04000561
MAC_ID, SYNTAX, ALGORITHM, SIGNED, UID = 0x04000005, 0x04000010, 0x04000015, 0x04000020, 0x04000100
GROUP_LENGTHS = (MAC_PARAMETERS & 0xFFFF0000, SIGNATURES & 0xFFFF0000)
UIDS = tuple(b"1.2.%d\0" % number for number in range(3))

Steps = tuple[tuple[int, int], ...]


# ---------------------------------------------------------------------- strategies


@st.composite
def _items(draw: DrawFn, *, signatures: bool, whole: bool) -> tuple[Item, ...]:
    """Items of a signature sequence; `whole` ones have what a removal needs."""
    items = []
    for _ in range(draw(st.sampled_from((1, 1, 2, 3) if whole and signatures else (0, 1, 1, 2, 3)))):
        nodes: list[Node] = []
        if (whole and signatures) or draw(st.integers(0, 4)):
            nodes.append(Plain(MAC_ID, "US", bytes((draw(st.sampled_from((0, 0, 1, 2))), 0))))
        if signatures and draw(st.integers(0, 9)):
            nodes.append(Plain(UID, "UI", draw(st.sampled_from(UIDS))))
        if draw(st.booleans()):
            nodes.append(Plain(0x04000115 if signatures else SIGNED, "OB" if signatures else "AT", draw(strategies.values("AT"))))
        if draw(st.booleans()):
            inner = Item((Plain(0x00080000, "UL", b"junk"), Plain(0x00080100, "SH", draw(strategies.values("SH")))))
            nodes.append(Sequence(0x04000401, (inner,) * draw(st.integers(0, 2)), draw(st.booleans())))
        items.append(Item(tuple(nodes), draw(st.booleans())))
    return tuple(items)


@st.composite
def _signature_nodes(draw: DrawFn, *, whole: bool, plain: bool) -> list[Node]:
    """What a level has in the groups of the signature sequences, and behind."""
    nodes: list[Node] = []
    plain = plain and draw(st.integers(0, 3)) == 0
    for tag in (MAC_PARAMETERS, SIGNATURES):
        if draw(st.booleans()):
            nodes.append(Plain(tag & 0xFFFF0000, "UL", b"junk"))
        kind = draw(st.sampled_from(("none", "none", "sequence", "sequence", "sequence")))
        if plain and draw(st.booleans()):
            nodes.append(Plain(tag, "OB", draw(st.sampled_from((b"", b"plain", b"long" * 20)))))
        elif kind == "sequence":
            nodes.append(Sequence(tag, draw(_items(signatures=tag == SIGNATURES, whole=whole)), draw(st.booleans())))
    if draw(st.integers(0, 4)) == 0:
        nodes.append(Plain(0xFFFCFFFC, "OB", bytes(4)))
    return nodes


@st.composite
def _decorated(draw: DrawFn, nodes: Nodes, *, whole: bool, explicit: bool) -> Nodes:
    """The data set with signature sequences put in anywhere."""
    result: list[Node] = []
    for node in nodes:
        if node.tag == SIGNATURES:
            continue
        if isinstance(node, Sequence):
            tag = node.tag
            if not tag & 0x10000 and all(other.tag != ORIGINAL_ATTRIBUTES for other in result) and not draw(st.integers(0, 4)):
                tag = ORIGINAL_ATTRIBUTES  # signatures below are those of other objects
            inner = explicit and not node.un
            items = [Item(draw(_decorated(item.nodes, whole=whole, explicit=inner)), item.undefined) for item in node.items]
            node = node._replace(tag=tag, items=tuple(items))
        result.append(node)
    if draw(st.integers(0, 3)):
        result += draw(_signature_nodes(whole=whole, plain=explicit and not whole))
    return tuple(sorted(result, key=lambda node: node.tag))


@st.composite
def signed(draw: DrawFn, form: str, *, whole: bool = True, encapsulated: bool = False, un_sequences: bool = True) -> Nodes:
    """A data set for `form` with signature sequences; unless `whole`, odd ones too: empty, plain, without MAC ID."""
    explicit = form != builder.IMPLICIT
    tree = draw(strategies.nodes(3, explicit_only=explicit, encapsulated=encapsulated, un_sequences=un_sequences))
    return draw(_decorated(tree, whole=whole, explicit=explicit))


class Case(NamedTuple):
    """A data set, the form it comes in and the one it goes to, and how it is encoded."""

    tree: Nodes
    source: str
    target: str
    undefined: bool
    deflated: bool
    inline: int

    @property
    def data(self) -> bytes:
        """The file."""
        return builder.file(self.tree, self.source, deflated=self.deflated)

    def written(self, tree: Nodes) -> bytes:
        """How a tree, as read and normalised, is written."""
        return builder.encode(measured(tree, self.target, undefined=self.undefined), self.target, undefined=self.undefined)

    @property
    def read(self) -> Nodes:
        """The tree as read and normalised."""
        return builder.normalised(builder.as_digested(self.tree, self.source))


@st.composite
def cases(draw: DrawFn, *, whole: bool = True) -> Case:
    """A data set in some form, to be written in the same or another one."""
    source = draw(st.sampled_from(builder.FORMS))
    encapsulated = source == builder.EXPLICIT and draw(st.integers(0, 3)) == 0
    target = source if encapsulated else draw(st.sampled_from((source, *builder.FORMS)))
    deflated = source == target == builder.EXPLICIT and not encapsulated and draw(st.integers(0, 3)) == 0
    tree = draw(signed(source, whole=whole, encapsulated=encapsulated))
    return Case(tree, source, target, draw(st.booleans()), deflated, draw(st.sampled_from((4, 60, 16384))))


# ---------------------------------------------------------------------- the model


def measured(nodes: Nodes, form: str, *, undefined: bool) -> Nodes:
    """The tree with right group lengths for the way it will be encoded."""
    inner: list[Node] = []
    for node in nodes:
        if isinstance(node, Sequence):
            node = node._replace(items=tuple(Item(measured(item.nodes, form, undefined=undefined)) for item in node.items))
        inner.append(node)
    result: list[Node] = []
    for number, node in enumerate(inner):
        if isinstance(node, Plain) and not node.tag & 0xFFFF:
            group = tuple(other for other in inner[number + 1 :] if other.tag >> 16 == node.tag >> 16)
            size = len(builder.encode(group, form, undefined=undefined))
            node = Plain(node.tag, "UL", size.to_bytes(4, "little"))
        result.append(node)
    return tuple(result)


def find(nodes: Nodes, tag: int) -> Node | None:
    """The node with a tag."""
    return next((node for node in nodes if node.tag == tag), None)


def items(nodes: Nodes, tag: int) -> tuple[Item, ...]:
    """The items of a sequence, none if it is absent or no sequence."""
    node = find(nodes, tag)
    return node.items if isinstance(node, Sequence) else ()


def value(item: Item, tag: int) -> bytes | None:
    """The value of a plain element."""
    node = find(item.nodes, tag)
    return node.value if isinstance(node, Plain) else None


def with_sequences(nodes: Nodes, sequences: Mapping[int, tuple[Item, ...]]) -> Nodes:
    """The level with these sequences in the place of what has their tags; no sequence where there are no items."""
    rest = [node for node in nodes if node.tag not in sequences]
    new: list[Node] = [Sequence(tag, found) for tag, found in sequences.items() if found]
    return tuple(sorted(rest + new, key=lambda node: node.tag))


def at(nodes: Nodes, steps: Steps) -> Nodes:
    """The level at a location."""
    for tag, number in steps:
        nodes = items(nodes, tag)[number].nodes
    return nodes


def changed(nodes: Nodes, steps: Steps, level: Nodes) -> Nodes:
    """The tree with another level at a location."""
    if not steps:
        return level
    (tag, number), rest = steps[0], steps[1:]
    result: list[Node] = []
    for node in nodes:
        if isinstance(node, Sequence) and node.tag == tag:
            inside = list(node.items)
            inside[number] = Item(changed(inside[number].nodes, rest, level))
            node = node._replace(items=tuple(inside))
        result.append(node)
    return tuple(result)


def locations(nodes: Nodes, around: Steps = ()) -> list[Steps]:
    """All items, those inside signature sequences too."""
    found: list[Steps] = []
    for node in nodes:
        if isinstance(node, Sequence):
            for number, item in enumerate(node.items):
                here = (*around, (node.tag, number))
                found += [here, *locations(item.nodes, here)]
    return found


def free_mac_id(level: Nodes) -> bytes:
    """The smallest number that no item of either sequence uses."""
    used = {value(item, MAC_ID) for tag in (MAC_PARAMETERS, SIGNATURES) for item in items(level, tag)}
    return next(number for number in (bytes((n, 0)) for n in range(256)) if number not in used)


def levels_with_signatures(nodes: Nodes, around: Steps = ()) -> list[Steps]:
    """In search order: depth first, ascending tags; those below Original Attributes Sequence are not seen."""
    found: list[Steps] = []
    for node in nodes:
        if node.tag == SIGNATURES and isinstance(node, Sequence) and node.items:
            found.append(around)
        elif isinstance(node, Sequence) and node.tag not in (MAC_PARAMETERS, ORIGINAL_ATTRIBUTES, SIGNATURES):
            for number, item in enumerate(node.items):
                found += levels_with_signatures(item.nodes, (*around, (node.tag, number)))
    return found


def without(nodes: Nodes, steps: Steps, number: int) -> Nodes:
    """The tree without one signature."""
    level = at(nodes, steps)
    left = list(items(level, SIGNATURES))
    gone = value(left.pop(number), MAC_ID)
    assert gone is not None
    sequences = {SIGNATURES: tuple(left)}
    if isinstance(find(level, MAC_PARAMETERS), Sequence):
        parameters = items(level, MAC_PARAMETERS)
        in_use = any(value(item, MAC_ID) == gone for item in left)
        sequences[MAC_PARAMETERS] = tuple(item for item in parameters if in_use or value(item, MAC_ID) != gone)
    return changed(nodes, steps, with_sequences(level, sequences))
