"""Hypothesis strategies for data sets as trees, and for ways to encode and cut them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import strategies as st

from tests.codec.builder import FORMS, TEXTS, UNITS, Item, Node, Nodes, Pixels, Plain, Sequence

if TYPE_CHECKING:
    from hypothesis.strategies import DrawFn, SearchStrategy

# Data elements whose VR is the same in every version of the standard dictionary.
STANDARD = {
    "AE": (0x00080054, 0x00080055),
    "AS": (0x00101010,),
    "AT": (0x00280009, 0x00720026),
    "CS": (0x00080060, 0x00080005),
    "DA": (0x00080020,),
    "DS": (0x00280030, 0x00101030),
    "DT": (0x0008002A,),
    "FD": (0x00189073, 0x00720074),
    "FL": (0x00720076,),
    "IS": (0x00200013,),
    "LO": (0x00100020, 0x00080070),
    "LT": (0x00104000,),
    "OB": (0x00420011, 0x00282000),
    "OD": (0x7FE00009,),
    "OF": (0x7FE00008, 0x00640009),
    "OL": (0x00660040,),
    "OV": (0x7FE00001,),
    "OW": (0x00281201, 0x60003000),
    "PN": (0x00100010, 0x00080090),
    "SH": (0x00080050, 0x00081010),
    "SL": (0x00186020, 0x0072007C),
    "SS": (0x0072007E,),
    "ST": (0x00080081,),
    "SV": (0x00720082,),
    "TM": (0x00080030,),
    "UC": (0x00080119,),
    "UI": (0x00080016, 0x00080018, 0x0020000D),
    "UL": (0x00720078, 0x0018601A),
    "UN": (0x0072006D,),
    "UR": (0x00080120,),
    "US": (0x00280010, 0x00280011, 0x00280103),
    "UT": (0x0040A160,),
    "UV": (0x00720083,),
}
SEQUENCES = (0x00081115, 0x00081140, 0x0040A730, 0x00540016, 0x52009230, 0xFFFAFFFA)
PRIVATE_CREATOR = Plain(0x00090010, "LO", b"MAKER OF NO DICTIONARY")
PRIVATE = tuple(range(0x00091000, 0x00091008))
PIXEL_DATA = 0x7FE00010

_VR_OF = {tag: vr for vr, tags in STANDARD.items() for tag in tags}
_GROUP_LENGTHS = (0x00080000, 0x00090000, 0x00100000, 0x00280000, 0x00720000)

_TAIL = st.sampled_from((b"", b"", b" ", b"\0", b"  ", b"\0\0", b" \0", b"\0 ", b" \0 "))
_BODY = st.one_of(
    st.sampled_from((b"", b"A", b"AB", b"A\\B ", b" lead", b"M\xc3\xbcller^X", b"\n")),
    st.binary(max_size=12),
    st.builds(lambda piece, count: piece * count, st.sampled_from((b"x", b"ab ", b"\0")), st.sampled_from((7, 40, 333))),
)
_TEXT = st.builds(lambda body, tail: body + tail, _BODY, _TAIL)
_UID = st.builds(
    lambda numbers, tail: b".".join(b"%d" % number for number in numbers) + tail,
    st.lists(st.integers(0, 99999), max_size=6),
    st.sampled_from((b"", b"", b"\0", b" ", b"\0\0", b" \0", b"\n")),
)


def _numbers(unit: int) -> SearchStrategy[bytes]:
    counts = st.sampled_from((0, 1, 1, 2, 3, 40))
    whole = st.builds(lambda count, seed: bytes((seed + i * 7) & 0xFF for i in range(count * unit)), counts, st.integers(0, 255))
    return st.builds(lambda value, rest: value + rest, whole, st.sampled_from((b"", b"", b"", b"", b"\1", b"\1\2\3")))


def values(vr: str) -> SearchStrategy[bytes]:
    """Values of a VR: empty, odd and padded ones too."""
    if vr in TEXTS:
        return _TEXT
    if vr == "UI":
        return _UID
    return _numbers(UNITS.get(vr, 1))


@st.composite
def plains(draw: DrawFn, tag: int, *, explicit_only: bool) -> Plain:
    """The data element `tag` with some value; private ones with any VR."""
    if not tag & 0xFFFF:
        return Plain(tag, "UL", draw(st.sampled_from((bytes(4), b"\1\2\3\4"))))
    if not tag & 0x10000:
        vr = _VR_OF[tag]
        return Plain(tag, vr, draw(values(vr)))
    vr = draw(st.sampled_from(sorted(STANDARD)))
    code = draw(st.sampled_from(("", "", "", "ZZ", "??"))) if explicit_only else ""
    return Plain(tag, vr, draw(values("OB" if code else vr)), code)


@st.composite
def nodes(
    draw: DrawFn,
    depth: int = 4,
    *,
    top: bool = True,
    private: bool = True,
    group_lengths: bool = True,
    encapsulated: bool = False,
    explicit_only: bool = False,
    un_sequences: bool = True,
) -> Nodes:
    """A sorted data set with up to `depth` levels of sequences; `explicit_only` ones cannot be encoded as implicit VR."""
    options = {
        "private": private,
        "group_lengths": group_lengths,
        "explicit_only": explicit_only,
        "un_sequences": un_sequences,
        "encapsulated": encapsulated,
    }
    pool = [*_VR_OF, *(SEQUENCES if depth else ())]
    pool += (*PRIVATE, 0x00091010) if private else ()
    pool += _GROUP_LENGTHS if group_lengths else ()
    chosen = draw(st.lists(st.sampled_from(pool), unique=True, max_size=8 if top else 4))
    if depth and top and not any(tag in SEQUENCES for tag in chosen):
        chosen += draw(st.sampled_from(((), (0x0040A730,), (0x00081140, 0x0040A730))))
    found: list[Node] = []
    found += [PRIVATE_CREATOR] if any(tag in PRIVATE or tag == 0x00091010 for tag in chosen) else []
    for tag in chosen:
        if tag in SEQUENCES or tag == 0x00091010:
            found.append(draw(_sequences(tag, max(depth - 1, 0), options)))
        else:
            found.append(draw(plains(tag, explicit_only=explicit_only)))
    if encapsulated and (top or draw(st.booleans())):
        fragments = draw(st.lists(st.binary(max_size=9), min_size=1, max_size=4))
        found.append(Pixels(PIXEL_DATA, tuple(fragments), draw(st.sampled_from(("OB", "OW")))))
    elif draw(st.integers(0, 3)) == 0:
        # With an encapsulated syntax, native Pixel Data is allowed below the top level only.
        found.append(Plain(PIXEL_DATA, "OW", draw(values("OW"))))
    return tuple(sorted(found, key=lambda node: node.tag))


@st.composite
def _sequences(draw: DrawFn, tag: int, depth: int, options: dict[str, bool]) -> Sequence:
    private = bool(tag & 0x10000)
    un = options["un_sequences"] and draw(st.integers(0, 5)) == 0
    inner = {**options, "explicit_only": options["explicit_only"] and not un}
    count = draw(st.sampled_from((0, 1, 1, 1, 2, 3)))
    items = tuple(Item(draw(nodes(depth, top=False, **inner)), draw(st.booleans())) for _ in range(count))
    # A private sequence is known to be one in implicit VR only if its length is undefined.
    return Sequence(tag, items, private or draw(st.booleans()), un)


@st.composite
def encoded(draw: DrawFn) -> tuple[Nodes, str, bool]:
    """A data set, a form and whether it is deflated; fragments in explicit VR only."""
    kind = draw(st.sampled_from((*FORMS, "deflated", "encapsulated")))
    form = kind if kind in FORMS else "explicit"
    tree = draw(nodes(encapsulated=kind == "encapsulated", explicit_only=form != "implicit"))
    return tree, form, kind == "deflated"


CUTS = st.lists(st.integers(0, 1 << 20), max_size=8)
"""Places to cut an input at."""


@st.composite
def shuffled(draw: DrawFn, ordered: Nodes) -> Nodes:
    """The data set with its levels in any order and some data elements twice."""
    mixed: list[Node] = []
    for node in ordered:
        if isinstance(node, Sequence) and not node.un:
            items = tuple(Item(draw(shuffled(item.nodes)), item.undefined) for item in node.items)
            node = node._replace(items=items)
        mixed.append(node)
    plain = [node for node in mixed if isinstance(node, Plain) and node.tag & 0xFFFF]
    if len(plain) > 0 and draw(st.booleans()):
        again = draw(st.sampled_from(plain))
        mixed.append(again._replace(value=draw(values(again.vr))))
    return tuple(draw(st.permutations(mixed)))
