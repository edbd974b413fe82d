"""What a survey of one data set or item finds: its data elements, what of it can be signed, the signatures it has."""

from __future__ import annotations

import pytest
from dcmsign.codec.dicom.events import Anomaly, Event
from dcmsign.codec.dicom.options import Limits
from dcmsign.codec.dicom.syntaxes import EXPLICIT_LE, SYNTAXES
from dcmsign.codec.errors import ElementNotFound, LimitExceeded, NothingToSign, UnsignableElement
from dcmsign.codec.signature.items import free_mac_id
from dcmsign.codec.signature.level import LevelSurvey
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.codec import builder, mac_model, reading, signing
from tests.codec import signature_trees as model
from tests.codec.builder import Item, Nodes, Pixels, Plain, Sequence
from tests.codec.signature_trees import MAC_ID, MAC_PARAMETERS, SIGNATURES, Steps

JPEG = SYNTAXES[builder.JPEG_UID]


def survey_of(tree: Nodes, form: str = builder.EXPLICIT, steps: Steps = (), *, limit: int = 4 << 20) -> LevelSurvey:
    survey = LevelSurvey(len(steps), limits=Limits(sequence=limit))
    events: list[Event] = reading.read(builder.file(tree, form))
    for event in signing.level_events(events, steps):
        assert not isinstance(event, Anomaly)
        survey.feed(event)
    assert not survey.collecting
    assert survey.depth == 0
    return survey


@st.composite
def levels(draw: st.DrawFn) -> tuple[Nodes, str, Steps]:
    """A data set, its form, and one of its levels."""
    form = draw(st.sampled_from(builder.FORMS))
    tree = draw(model.signed(form, whole=False, encapsulated=form == builder.EXPLICIT and draw(st.booleans())))
    return tree, form, draw(st.sampled_from([(), *model.locations(tree)]))


@settings(max_examples=40)
@given(levels(), st.data())
def test_selection(case: tuple[Nodes, str, Steps], data: st.DataObject) -> None:
    tree, form, steps = case
    level = model.at(builder.as_read(tree, form), steps)
    survey = survey_of(tree, form, steps)
    signable = [node.tag for node in mac_model.selected(level)]
    tags = [node.tag for node in level]
    assert list(survey.tags) == tags
    if not tags:
        with pytest.raises(NothingToSign):
            survey.selection(None)
        return
    assert survey.selection(None) == signable
    wanted = data.draw(st.lists(st.sampled_from([*tags, 0x00080005, 0x00091234, 0xFFFCFFFC]), max_size=6))
    absent = [tag for tag in wanted if tag not in tags]
    bad = sorted({tag for tag in wanted if tag in tags and tag not in signable})
    if bad:
        with pytest.raises(UnsignableElement) as caught:
            survey.selection(wanted)
        assert caught.value.element == ", ".join(_text(tag) for tag in bad)
        assert caught.value.required == set()
    else:
        assert survey.selection(wanted) == sorted({tag for tag in wanted if tag in tags})
    if absent:
        with pytest.raises(ElementNotFound) as missing:
            survey.check_present(wanted)
        assert missing.value.element == ", ".join(_text(tag) for tag in absent)
    else:
        survey.check_present(wanted)
    survey.check_present(None)


def _text(tag: int) -> str:
    return f"({tag >> 16:04x},{tag & 0xFFFF:04x})"


@settings(max_examples=40)
@given(levels())
def test_signatures(case: tuple[Nodes, str, Steps]) -> None:
    """The items of both sequences of the level itself, whatever sequences inside it have."""
    tree, form, steps = case
    level = model.at(builder.as_read(tree, form), steps)
    survey = survey_of(tree, form, steps)
    for tag, found in ((MAC_PARAMETERS, survey.parameters), (SIGNATURES, survey.signatures)):
        items = model.items(level, tag)
        assert [[entry.tag for entry in item] for item in found] == [[node.tag for node in item.nodes] for item in items]
    found_id = free_mac_id(survey.mac_ids())
    assert found_id is not None
    assert found_id.to_bytes(2, "little") == model.free_mac_id(level)


@settings(max_examples=40)
@given(levels())
def test_pixels(case: tuple[Nodes, str, Steps]) -> None:
    """Fragments anywhere below the level, native Pixel Data in the main data set only, decide about the MAC syntax."""
    tree, form, steps = case
    level = model.at(builder.as_read(tree, form), steps)
    survey = survey_of(tree, form, steps)
    fragments = _fragments(level)
    native = not steps and any(isinstance(node, Plain) and node.tag == 0x7FE00010 for node in level)
    assert survey.pixels.allow(EXPLICIT_LE, EXPLICIT_LE) is not fragments
    assert survey.pixels.allow(JPEG, JPEG) is not native
    assert survey.pixels.allow(JPEG, EXPLICIT_LE) is not (fragments or native)


def _fragments(nodes: Nodes) -> bool:
    inside = (_fragments(item.nodes) for node in nodes if isinstance(node, Sequence) for item in node.items)
    return any(isinstance(node, Pixels) for node in nodes) or any(inside)


def purpose(*codes: bytes) -> Item:
    items = tuple(Item((Plain(0x00080100, "SH", code),)) for code in codes)
    return Item((Plain(MAC_ID, "US", b"\0\0"), Sequence(0x04000401, items)))


def test_purposes() -> None:
    """The first code of each signature; of those on the same level."""
    inside = Sequence(0x00081140, (Item((Sequence(SIGNATURES, (purpose(b"3 "),)),)),))
    bare = Item((Plain(MAC_ID, "US", b"\0\0"),))
    tree: Nodes = (inside, Sequence(SIGNATURES, (purpose(b"5 ", b"7 "), bare, purpose(), purpose(b"18"))))
    assert survey_of(tree).purposes() == ["5", "18"]
    assert survey_of(tree, steps=((0x00081140, 0),)).purposes() == ["3"]


@pytest.mark.parametrize("tag", [MAC_PARAMETERS, SIGNATURES])
def test_bound(tag: int) -> None:
    """Each signature sequence of the level on its own; nothing else counts."""
    item = Item((Plain(0x04000120, "OB", bytes(1000)),))
    other = Sequence(0x00081140, (item,) * 100)
    tree: Nodes = (other, Sequence(MAC_PARAMETERS, (item,) * 5), Sequence(SIGNATURES, (item,) * 5))
    assert len(survey_of(tree, limit=8000).parameters) == 5
    longer = tuple(node._replace(items=(item,) * 7) if node.tag == tag else node for node in tree)  # type: ignore[call-arg]
    with pytest.raises(LimitExceeded, match="sequence takes more than 8000 bytes") as caught:
        survey_of(longer, limit=8000)
    assert caught.value.element == _text(tag)
