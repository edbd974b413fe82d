"""Data dictionaries in DCMTK's text format: what is understood, what it means, and what hostile files can do."""

from __future__ import annotations

import pickle
import random
import re
import struct
import subprocess
from pathlib import Path

import pytest
from dcmsign.codec.dicom import dictionary_text, tags
from dcmsign.codec.dicom.dictionary import BUILT_IN, UNKNOWN, Dictionary, Entry, Numbers
from dcmsign.codec.dicom.dictionary_text import Line, Problem, ProblemCode, parse, read_lines
from dcmsign.codec.dicom.events import Element
from dcmsign.codec.dicom.options import ReadOptions
from hypothesis import given
from hypothesis import strategies as st

from tests.codec import builder, reading
from tests.peers import require_peer

SPACES = st.text(" \v\f\r", max_size=2)
NUMBER = st.integers(0, 0xFFFF)
VRS = st.sampled_from(["LO", "PN", "SQ", "OB", "UN", "OV", "ox", "xs", "lt", "px", "na"])
NAME = st.text(st.characters(categories=("L", "N", "P", "S")), max_size=12)
CREATOR = st.text(st.characters(max_codepoint=255, exclude_characters='"\t\n\0'), max_size=16)
VR_CODES = ("LO", "DS", "US", "IS", "UN", "CS", "pn", "OB", "ox")
RESTRICTORS = {None: "u", 0: "e", 1: "o"}


@st.composite
def numbers(draw: st.DrawFn) -> tuple[Numbers, str]:
    """Some numbers and a way to write them."""
    first, spaces = draw(NUMBER), draw(SPACES)
    digits = draw(st.sampled_from(["{:04x}", "{:X}", "0x{:x}", "+{:04X}", "0X{:06x}"]))
    if draw(st.booleans()):
        return Numbers(first, first), spaces + digits.format(first) + spaces
    last, parity = draw(NUMBER), draw(st.sampled_from([None, 0, 1]))
    letter = RESTRICTORS[parity]
    between = "-" if parity == 0 and draw(st.booleans()) else f"-{draw(st.sampled_from([letter, letter.upper()]))}{spaces}-"
    return Numbers(first, last, parity), digits.format(first) + between + digits.format(last)


@st.composite
def entries(draw: st.DrawFn) -> tuple[Entry, str]:
    """An entry and a line for it."""
    groups, group_text = draw(numbers())
    elements, element_text = draw(numbers())
    creator, vr, name = draw(CREATOR), draw(VRS), draw(NAME)
    owner = f'{draw(SPACES)}"{creator}"{draw(SPACES)},' if creator or draw(st.booleans()) else ""
    tag = f"{draw(SPACES)}({group_text},{owner}{element_text}){draw(SPACES)}"
    written = name.encode().decode("latin-1")
    rest = draw(st.sampled_from(["", "\t1", "\t1-n", "\t2-2n", "\tn\tDICOM", "\t 1 - 3 \tx y z", "\t3N\t"]))
    if not name and not rest.strip():
        rest = "\t1"  # a line does not end with a tab
    return Entry(groups, creator, elements, vr, name), f"{tag}\t{draw(SPACES)}{vr}\t{written}{rest}"


@given(st.lists(st.tuples(st.sampled_from(["", "# (0010,0010)\tPN\tNo", "  \t#", "\v \f", "\0x\ty"]), entries())))
def test_every_way_to_write_an_entry(content: list[tuple[str, tuple[Entry, str]]]) -> None:
    text = "".join(f"{blank}\r\n{line}\n" for blank, (_, line) in content)
    expected = [Line(2 * place, entry) for place, (_, (entry, _)) in enumerate(content, 1)]
    assert list(read_lines(text)) == expected
    assert list(read_lines(text.removesuffix("\n"))) == expected


@given(st.text(st.characters(max_codepoint=255)) | st.text('(),-"\t\n\0 01aenoux#PNLO', max_size=400))
def test_no_text_is_too_strange(text: str) -> None:
    for number, entry, problems in read_lines(text):
        assert 1 <= number <= text.count("\n") + 1
        assert (entry is None) is bool(problems)
    dictionary, [found] = parse([text])
    assert all(problem.text.isprintable() for problem in found)
    assert dictionary.keyword_of(0xFFFEE000) in {"Item", *(line.entry.keyword for line in read_lines(text) if line.entry)}


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\x1b[31mb", r"a\x1B[31mb"),
        ("\x85", r"\x85"),
        ("M\xc3\xbcller", "Müller"),
        ("\xfcber", "über"),
        ("\xe2\x80\xae", r"\x202E"),
    ],
)
def test_nothing_unprintable_comes_through(text: str, shown: str) -> None:
    [line, wrong] = read_lines(f"(0010,0010)\tPN\t{text}\n(0010,0010)\tPN\tA\t{text}")
    assert line.entry is not None
    assert line.entry.keyword == shown
    assert wrong.problems == (Problem(ProblemCode.BAD_VM, 2, shown),)


def entry(tag: int, vr: str = "LO", keyword: str = "Name", creator: str = "") -> Entry:
    return Entry(Numbers(tag >> 16, tag >> 16), creator, Numbers(tag & 0xFFFF, tag & 0xFFFF), vr, keyword)


def test_later_entries_replace_earlier_ones() -> None:
    first = '(0010,0010)\tPN\tOld\n(6000-60FF,0010)\tUS\tOldRange\n(0009,"A",10)\tDS\tOldPrivate\n'
    second = '(0010,0010)\tLO\tNew\n(6000-60ff,0010)\tSS\tNewRange\n(0009,"A",10)\tIS\tNewPrivate\n'
    dictionary, problems = parse([first, second])
    assert problems == [[], []]
    assert (dictionary.vr_of(0x00100010), dictionary.keyword_of(0x00100010)) == ("LO", "New")
    assert (dictionary.vr_of(0x60020010), dictionary.keyword_of(0x60020010)) == ("SS", "NewRange")
    assert dictionary.private_vr_of(0x00091110, "A") == "IS"
    assert [dictionary.tag_of(name) for name in ("New", "NewRange", "NewPrivate")] == [0x00100010, 0x60000010, 0x00090010]
    assert not any(dictionary.tag_of(name) for name in ("Old", "OldRange", "OldPrivate"))


def test_every_dictionary_knows_the_structure() -> None:
    nothing = Dictionary([])
    known = [tag for tag in vars(tags).values() if isinstance(tag, int) and nothing.vr_of(tag) is not None]
    assert {tags.MAC_PARAMETERS_SEQUENCE, tags.DIGITAL_SIGNATURES_SEQUENCE, tags.SIGNATURE, tags.PIXEL_DATA} <= set(known)
    assert all(nothing.vr_of(tag) == BUILT_IN.vr_of(tag) for tag in known)
    assert nothing.keyword_of(tags.SIGNATURE) == UNKNOWN
    assert nothing.tag_of("Signature") is None
    assert nothing.vr_of(0x00100010) is None
    assert nothing.vr_of(0x00100000) == "UL"
    assert nothing.keyword_of(0x00100000) == "GenericGroupLength"
    assert Dictionary([entry(tags.SIGNATURE, "LO", "Mine")]).vr_of(tags.SIGNATURE) == "LO"


def test_delimiters_cannot_be_redefined() -> None:
    spoiled = Dictionary([entry(tag, "LO") for tag in (tags.ITEM, tags.ITEM_DELIMITATION, tags.SEQUENCE_DELIMITATION)])
    inner = builder.Plain(0x00100020, "UN", b"ab")
    nodes = (builder.Sequence(tags.DIGITAL_SIGNATURES_SEQUENCE, (builder.Item((inner,)),)),)
    events = reading.read(builder.file(nodes, "implicit", undefined=True), options=ReadOptions(dictionary=spoiled))
    assert reading.tree(reading.content(events)) == nodes


def test_the_built_in_one_stays_the_same_in_other_processes() -> None:
    assert pickle.loads(pickle.dumps(ReadOptions())).dictionary is BUILT_IN
    loaded = pickle.loads(pickle.dumps(ReadOptions(dictionary=Dictionary([entry(0x00100020)])))).dictionary
    assert loaded.keyword_of(0x00100020) == "Name"


def test_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dictionary_text, "MOST_ENTRIES", 4)
    monkeypatch.setattr(dictionary_text, "MOST_RANGES", 2)
    monkeypatch.setattr(dictionary_text, "MOST_PROBLEMS", 3)
    single = "(0010,00{0})\tLO\tName{0}\n"
    spread = "(0010,00{0}-ff)\tLO\tName{0}\n"
    _, problems = parse(["".join(map(single.format, range(10, 15))), single.format(20)])
    assert problems == [[Problem(ProblemCode.TOO_MANY_ENTRIES, 5)], [Problem(ProblemCode.TOO_MANY_ENTRIES, 1)]]
    dictionary, [found] = parse(["".join(map(spread.format, range(10, 15)))])
    assert found == [Problem(ProblemCode.TOO_MANY_ENTRIES, 3)]
    assert (dictionary.tag_of("Name11"), dictionary.tag_of("Name12")) == (0x00100011, None)
    _, [found] = parse(["x\n" * 10])
    assert [problem.code for problem in found] == [ProblemCode.TOO_FEW_FIELDS] * 3 + [ProblemCode.TOO_MANY_PROBLEMS]


def numbers_text(pick: random.Random, first: int, last: int, width: int) -> str:
    low, high = sorted((pick.randint(first, last), pick.randint(first, last)))
    return pick.choice([f"{low:0{width}x}", f"{low:X}-{pick.choice(['', 'e-', 'o-', 'u-', 'E-', 'O-'])}{high:x}"])


def random_dictionary(seed: int) -> str:
    """Entries of all forms, many of them about the same tags."""
    pick = random.Random(seed)
    lines = ["(0009-o-FFFF,0010-u-00FF)\tLO\tPrivateCreator"] if seed % 4 else []
    for number in range(pick.randint(20, 80)):
        group, creator = numbers_text(pick, 0x10, 0x1B, 4), pick.choice(["", "", '"ABC",', '"DE F",'])
        element = numbers_text(pick, *pick.choice([(0, 0x28, 2), (0x1000, 0x1128, 4)]))
        lines.append(f"({group},{creator}{element})\t{pick.choice(VR_CODES)}\tName{number}")
    return "\n".join(lines)


@pytest.mark.parametrize("seed", range(12))
def test_lookups_are_those_of_dcmtk(seed: int, tmp_path: Path) -> None:
    data = b""
    for group in range(0x10, 0x1C):
        values = {0x10: b"ABC ", 0x11: b"DE F", 0x12: b"OTHER "} if group & 1 else {}
        for element in (*range(1, 0x29), *range(0x1000, 0x102A), *range(0x1100, 0x112A), *range(0x1200, 0x1228)):
            value = values.get(element, b"")
            data += struct.pack("<HHL", group, element, len(value)) + value
    (tmp_path / "data").write_bytes(data)
    text = random_dictionary(seed)
    (tmp_path / "dictionary").write_text(text)
    command = [require_peer("dcmdump"), "-q", "-f", "-ti", str(tmp_path / "data")]
    environment = {"DCMDICTPATH": str(tmp_path / "dictionary")}
    listing = subprocess.run(command, capture_output=True, check=True, env=environment).stdout.decode("latin-1")
    lines = re.findall(r"^\(([0-9a-f]{4}),([0-9a-f]{4})\) (\S\S).*#.*?, *\d+ (.+)$", listing, re.MULTILINE)
    theirs = {int(group + element, 16): (vr.replace("??", "UN"), name) for group, element, vr, name in lines}

    dictionary, [problems] = parse([text])
    assert not problems
    options = ReadOptions(file_format="dataset", syntax="1.2.840.10008.1.2", dictionary=dictionary)
    mine = {event.tag: event.vr for event in reading.read(data, options=options) if isinstance(event, Element)}
    resolved = {tag: vr.replace("ox", "OB") for tag, (vr, _) in theirs.items()}
    assert len(mine) > 1900
    assert mine == resolved
    assert len(set(mine.values())) > 4
    standard = {tag: name for tag, (_, name) in theirs.items() if not tag & 0x10000}
    assert {tag: dictionary.keyword_of(tag) for tag in standard} == standard
