"""Locations: the grammar of their text, and the way to the item, against a model of both and the real program."""

from __future__ import annotations

import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from dcmsign.codec.dicom.dictionary import BUILT_IN
from dcmsign.codec.errors import ItemNotFound
from dcmsign.codec.signature.location import ItemFinder, ItemPath, item_path, parse_location
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.codec import builder, reading
from tests.codec import signature_trees as model
from tests.codec.builder import Item, Nodes, Plain, Sequence
from tests.peers import require_peer

VECTORS = Path(__file__).parents[1] / "vectors" / "mac"
SERIES, IMAGES, ABSENT, NAME = 0x00081115, 0x00081140, 0x00400275, 0x00100010

IMAGE = Item((Plain(0x00081155, "UI", b"1.2\0"),))
TREE: Nodes = (
    Sequence(SERIES, (Item((Sequence(IMAGES, (IMAGE, IMAGE)),)), IMAGE, Item(()))),
    Plain(NAME, "PN", b"Doe^Jane"),
    Sequence(0x0040A730, ()),
)
"""Two levels of items; the last item of the first level has no elements."""


def lead(path: ItemPath, tree: Nodes = TREE, form: str = builder.EXPLICIT) -> tuple[int | None, str]:
    """Number of the event that begins the item, and what is wrong with the path."""
    finder, found = ItemFinder(path), None
    for number, event in enumerate(reading.read(builder.file(tree, form))):
        if finder.feed(event):
            assert found is None
            found = number
    try:
        finder.check()
    except ItemNotFound as error:
        return found, error.message if error.location == path.text else ""
    return found, ""


# ---------------------------------------------------------------------- the text


class Fault(Exception):
    """What the model says about a text."""


BLANKS = " \t\n\v\f\r"
ALPHANUMERIC = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


class Model:
    """The grammar of cli.md, section 10, read character by character."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.rest = text
        self.steps: list[tuple[int, int | None]] = []
        self.fault: tuple[str, ...] = ()
        try:
            while True:
                self._step()
        except Fault as fault:
            self.fault = tuple(str(fault).split("\0")) if str(fault) else ()

    def _bad(self, *first: str) -> Fault:
        return Fault("\0".join((*first, f"parse error in item location string '{self.text}'")))

    def _blanks(self) -> None:
        self.rest = self.rest.lstrip(BLANKS)

    def _end(self, *, complete: bool) -> None:
        if not self.rest.lstrip(BLANKS):
            raise Fault("" if complete else f"item location string '{self.text}' incomplete.")

    def _step(self) -> None:
        self._end(complete=False)
        tag = self._tag()
        if tag is None:
            raise self._bad()
        self.steps.append((tag, None))
        self._end(complete=False)
        self._blanks()
        digits = self.rest[1:].partition("]")[0]
        if not (self.rest.startswith("[") and digits and set(digits) <= set("0123456789") and self.rest[1 + len(digits) :]):
            self._tag()
            raise self._bad()
        number = 0
        for digit in digits:
            number = min(number * 10 + int(digit), 0xFFFFFFFFFFFFFFFF)
        self.steps[-1] = (tag, number % 0x100000000)
        self.rest = self.rest[2 + len(digits) :]
        self._end(complete=True)
        if not self.rest.startswith("."):
            self._tag()
            raise self._bad()
        self.rest = self.rest[1:]

    def _tag(self) -> int | None:
        """A tag in either form, or a complaint about an unknown word."""
        self._blanks()
        if self.rest.startswith("("):
            inside, bracket, behind = self.rest[1:].partition(")")
            group, comma, element = inside.partition(",")
            numbers = (self._hexadecimal(group, whole=True), self._hexadecimal(element, whole=False))
            if not bracket or not comma or None in numbers:
                return None
            self.rest = behind
            return (numbers[0] or 0) * 0x10000 + (numbers[1] or 0)
        if self.rest[:1] in ("[", "."):
            return None
        word = ""
        while self.rest[:1] and self.rest[0] in ALPHANUMERIC:
            word, self.rest = word + self.rest[0], self.rest[1:]
        tag = BUILT_IN.tag_of(word)
        if tag is None:
            raise self._bad(f"attribute name '{word}' unknown.")
        return tag

    @staticmethod
    def _hexadecimal(text: str, *, whole: bool) -> int | None:
        """A number as C's scanf reads it with %hx."""
        text = text.lstrip(BLANKS)
        sign = -1 if text[:1] == "-" else 1
        text = text[1:] if text[:1] in ("-", "+") else text
        prefix = text[:2] in ("0x", "0X")
        text = text[2:] if prefix else text
        digits = ""
        while text[:1] and text[0] in "0123456789abcdefABCDEF":
            digits, text = digits + text[0], text[1:]
        if (whole and text) or not (digits or prefix):
            return None
        number = int(digits or "0", 16)
        return sign * number % 0x10000 if number < 1 << 64 else 0xFFFF


NAMES = {SERIES: "ReferencedSeriesSequence", IMAGES: "ReferencedImageSequence", NAME: "PatientName"}
PIECES = (
    *NAMES.values(),
    *("(0008,1115)", "(8,1140)", "( 8, +1140)", "(0x8,0X1115)", "(0008,1115x)", "(-8,1)", "(10008,21115)", "(0x,1)", "(8,0x)"),
    *("(0008,1115", "(0008 ,1115)", "()", "(8,)", "(0x8g,1)", "(8,1115]) ", f"({'9' * 30},-{'9' * 30})"),
    *("NoSuch", "0008,1115", "a", "9", "\u00e4", "_", "-", "%", ",", ")", "(", "[", "]"),
    *("[0]", "[1]", "[00]", "[-1]", "[+1]", "[ 0 ]", "[]", "[0x0]", "[0", "[4294967297]", "[" + "9" * 20 + "]"),
    *("[18446744073709551615]", f"[{'0' * 5000}1]", f"[{'9' * 5000}]", "[\u0663]"),
    *(".", ".", ".", "..", " ", "\t", "\n", "\v", "\u00a0"),
    *("ReferencedSeriesSequence[0].", "ReferencedSeriesSequence[0].ReferencedImageSequence[1]", "(0008,1115)[0].(0008,1140)[1]"),
)
TEXTS = st.lists(st.sampled_from(PIECES), max_size=6).map("".join) | st.text("(),[].0189afxX -\tReferncdSisquo", max_size=12)


@settings(max_examples=1000)
@given(TEXTS)
def test_text(text: str) -> None:
    expected = Model(text)
    assert parse_location(text, BUILT_IN.tag_of) == ItemPath(tuple(expected.steps), text, expected.fault)


@given(st.lists(st.tuples(st.integers(0, 0xFFFFFFFF), st.integers(0, 0xFFFFFFFF)), min_size=1, max_size=5))
def test_numbers_and_text_say_the_same(steps: list[tuple[int, int]]) -> None:
    path = item_path(tuple(steps))
    assert parse_location(path.text, BUILT_IN.tag_of) == path
    assert path.location == tuple(steps)
    assert not path.in_main_data_set


def test_main_data_set() -> None:
    """No steps lead there; a text without steps leads nowhere."""
    assert item_path(()).in_main_data_set
    assert item_path(()).location == ()
    for text in ("", " ", "PatientName", "."):
        assert not parse_location(text, BUILT_IN.tag_of).in_main_data_set


# ---------------------------------------------------------------------- the way


@settings(max_examples=25)
@given(st.sampled_from(builder.FORMS).flatmap(lambda form: st.tuples(st.just(form), model.signed(form, whole=False))))
def test_every_item_is_found(case: tuple[str, Nodes]) -> None:
    """Items in items in items, by event number; what is next to them is not."""
    form, tree = case
    read = builder.as_read(tree, form)
    places: list[int] = []
    for steps in model.locations(read):
        number, message = lead(item_path(steps), tree, form)
        assert message == ""
        assert number is not None
        places.append(number)
        tag, last = steps[-1]
        behind = len(model.items(model.at(read, steps[:-1]), tag))
        for wrong in (behind, behind + 7, -1):
            assert lead(item_path((*steps[:-1], (tag, wrong))), tree, form) == (
                None,
                f"sequence {tag_text(tag)} only has {behind} items, cannot locate item {wrong}"
                f" (item location string is '{item_path((*steps[:-1], (tag, wrong))).text}')",
            )
        assert lead(item_path((*steps, (ABSENT, 0))), tree, form)[1].startswith("attribute (0040,0275) not found in dataset")
        assert last < behind
    assert len(places) == len(set(places))
    for node in read:
        if not isinstance(node, Sequence):
            path = item_path(((node.tag, 0),))
            assert lead(path, tree, form) == (
                None,
                f"attribute {tag_text(node.tag)} is not a sequence (item location string is '{path.text}')",
            )


def tag_text(tag: int) -> str:
    return f"({tag >> 16:04x},{tag & 0xFFFF:04x})"


EXAMPLES = (
    "ReferencedSeriesSequence[0]",
    "ReferencedSeriesSequence[1]",
    "ReferencedSeriesSequence[2]",
    "ReferencedSeriesSequence[3]",
    "ReferencedSeriesSequence[0].ReferencedImageSequence[1]",
    "ReferencedSeriesSequence[0].ReferencedImageSequence[2]",
    "ReferencedSeriesSequence[1].ReferencedImageSequence[0]",
    "ReferencedSeriesSequence[3].NoSuch[0]",
    "ReferencedSeriesSequence[0].NoSuch[0]",
    "ReferencedSeriesSequence",
    "ReferencedSeriesSequence[0].",
    "RequestAttributesSequence",
    "PatientName",
    "PatientName[0]",
    "PatientName[0].ReferencedImageSequence[0]",
    "RequestAttributesSequence[0]",
    "ContentSequence[0]",
    "",
    "\t",
    " ReferencedSeriesSequence [0] . ReferencedImageSequence [1] ",
    " ReferencedSeriesSequence [0]. ReferencedImageSequence [1] ",
    "NoSuch[0]",
    "0008,1115[0]",
    "[0]",
    " [0]",
    "ReferencedSeriesSequence[-1]",
    "ReferencedSeriesSequence[]",
    "ReferencedSeriesSequence[ 0 ]",
    "ReferencedSeriesSequence[0]PatientName[0]",
    "ReferencedSeriesSequence[0]NoSuch[0]",
    "ReferencedSeriesSequence(0008,1115)",
    "ReferencedSeriesSequence[0]..ReferencedImageSequence[0]",
    ".ReferencedSeriesSequence[0]",
    "ReferencedSeriesSequence.0",
    "ReferencedSeriesSequence,NoSuch",
    "(8,1115)[0].(0x0008,0x1140)[00]",
    "( 8, +1115)[4294967296]",
    "(0008,1115 and more)[1]",
    "(10008,21115)[0]",
    "(-0x,0x)[0]",
    "(0008 ,1115)[0]",
    "(0008,1115",
    "ReferencedSeriesSequence[99999999999999999999]",
    "ReferencedSeriesSequence[18446744073709551615]",
    "ReferencedSeriesSequence[0]\n",
    "\u00c4[0]",
    "%s%n[0]",
)


def test_real_program(tmp_path: Path) -> None:
    """The same words, in the same order, for the same texts."""
    program, source = require_peer("dcmsign"), tmp_path / "in.dcm"
    source.write_bytes(builder.file(TREE, builder.EXPLICIT))

    def real(text: str) -> tuple[int, str]:
        command = [program, "+si", str(VECTORS / "key-ec.pem"), str(VECTORS / "cert-ec.pem"), text, str(source), "/dev/null"]
        done = subprocess.run(command, capture_output=True, check=False)
        return done.returncode, done.stderr.decode()

    with ThreadPoolExecutor(2) as pool:
        for text, (code, said) in zip(EXAMPLES, pool.map(real, EXAMPLES), strict=True):
            number, message = lead(parse_location(text, BUILT_IN.tag_of))
            if not message:
                assert number is not None
                assert code == 0 or "selected dataset or item is empty" in said, (text, said)
                continue
            failed = f"desired signature location not found while creating signature in item '{text}'"
            assert code == 85, text
            assert said == "".join(f"E: {line}\n" for line in f"{message}\n{failed}".split("\n")), text


@pytest.mark.parametrize("number", [-1, 2, 1 << 40])
def test_items_that_are_not_there(number: int) -> None:
    assert lead(item_path(((SERIES, 0), (IMAGES, number)))) == (
        None,
        f"sequence (0008,1140) only has 2 items, cannot locate item {number}"
        f" (item location string is '(0008,1115)[0].(0008,1140)[{number}]')",
    )


@pytest.mark.parametrize("undefined", [False, True])
def test_sequences_of_other_items(undefined: bool) -> None:
    """A sequence that the item lacks is not looked for in the next one, in what encloses it, or deeper."""
    images = Sequence(IMAGES, (IMAGE,), undefined)
    deeper = Item((Sequence(0x00081250, (Item((images,)),), undefined),))
    tree: Nodes = (Sequence(SERIES, (deeper, Item((images,)), deeper), undefined), images)
    for number in (0, 2):
        found, message = lead(item_path(((SERIES, number), (IMAGES, 0))), tree)
        assert found is None
        assert message.startswith("attribute (0008,1140) not found in dataset")
    assert lead(item_path(((SERIES, 1), (IMAGES, 0))), tree)[1] == ""
