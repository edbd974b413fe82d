"""Data dictionaries as text, in the format of DCMTK's `.dic` files (DCMTK: dcmdata/docs/datadict.txt).

One entry per line, fields separated by tabs: tag, VR, keyword, optionally VM and version. Tags are `(gggg,eeee)`; a part may be a
range: `6000-60FF` even numbers, `0009-o-00FF` odd, `0000-e-00FF` even, `0000-u-FFFF` all. `(gggg,"CREATOR",ee)` is a private
attribute. Blank lines and those whose first visible character is `#` say nothing. What is accepted beyond that, and how a line
that is not is reported, follows DCMTK, which reads its files with fgets and sscanf.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Iterator
from enum import Enum
from typing import Final, NamedTuple

from .dictionary import Dictionary, Entry, Numbers
from .vr import ALL

MOST_ENTRIES: Final = 1 << 18
"""Entries that a dictionary takes."""
MOST_RANGES: Final = 2048
"""Ranges among them; they are searched one by one."""
MOST_PROBLEMS: Final = 10_000
"""Problems of a text that are told."""

_SPACE = " \t\n\v\f\r"
_NO_SPACE = str.maketrans("", "", _SPACE)
_VRS = {code: code for code in (*ALL, "ox", "xs", "lt", "px", "na")} | {"up": "UL"}
_LARGEST = 2**64 - 1

# a line, or as much of a longer one as is read at once
_LINE = re.compile(r"[^\n]{0,2046}\n|[^\n]{1,2047}")
# C's %d and %x
_INTEGER = r"[+-]?[0-9]+"
_HEX = r"([+-]?)(0[xX][0-9a-fA-F]*|[0-9a-fA-F]+)"
_VM = re.compile(rf"{_INTEGER}-{_INTEGER}(?:[nN]|$)|{_INTEGER}-[nN]|{_INTEGER}(?:[nN]|$)|[nN]")
_RESTRICTED = re.compile(rf"{_HEX}-(.)-{_HEX}", re.DOTALL)
_SPAN = re.compile(rf"{_HEX}-{_HEX}")
_NUMBER = re.compile(_HEX)

_RESTRICTORS = {"o": 1, "e": 0, "u": None}


class ProblemCode(Enum):
    """What is wrong with a file or line; the value is DCMTK's text, with places for path, line number and the text in question.

    The last three are beyond bounds that DCMTK does not have; the rest of the file is ignored.
    """

    CANNOT_OPEN = "Cannot open file: {path}"
    TOO_FEW_FIELDS = "{path}: too few fields (line {line})"
    TOO_MANY_FIELDS = "{path}: too many fields (line {line}): "
    BAD_TAG = "{path}: bad Tag field (line {line}): {text}"
    BAD_VR = "{path}: bad VR field (line {line}): {text}"
    BAD_VM = "{path}: bad VM field (line {line}): {text}"
    BAD_RESTRICTOR = "Unknown range restrictor: {text}"
    TOO_LONG = "{path}: file too long"
    TOO_MANY_ENTRIES = "{path}: too many entries (line {line})"
    TOO_MANY_PROBLEMS = "{path}: too many errors (line {line})"


class Problem(NamedTuple):
    """Why a line is left out."""

    code: ProblemCode
    line: int
    text: str = ""


class Line(NamedTuple):
    """A line that is neither blank nor a comment: its number from 1, and either an entry or at least one problem."""

    number: int
    entry: Entry | None
    problems: tuple[Problem, ...] = ()


class _BadNumbers(Exception):
    """No group or element numbers; `restrictor` is the letter that says nothing, if that is the reason."""

    def __init__(self, restrictor: str = "") -> None:
        super().__init__(restrictor)
        self.restrictor = restrictor


class _BadTag(Exception):
    """No tag; `shown` is the field as DCMTK repeats it."""

    def __init__(self, shown: str, restrictor: str = "") -> None:
        super().__init__(shown)
        self.shown = shown
        self.restrictor = restrictor


def parse(texts: Iterable[str]) -> tuple[Dictionary, list[list[Problem]]]:
    """The dictionary that some texts make up together, and the problems of each text.

    `texts` have one character for each byte (Latin-1). Lines with problems are left out; of several entries about the same tag
    the last one counts. What is beyond the bounds above is left out as well, and is a problem.
    """
    entries: list[Entry] = []
    ranges = 0
    problems: list[list[Problem]] = []
    for text in texts:
        found: list[Problem] = []
        problems.append(found)
        for number, entry, wrong in read_lines(text):
            if entry is None:
                found += wrong
            elif len(entries) < MOST_ENTRIES and ranges + entry.is_range <= MOST_RANGES:
                entries.append(entry)
                ranges += entry.is_range
            else:
                found.append(Problem(ProblemCode.TOO_MANY_ENTRIES, number))
                break
            if len(found) >= MOST_PROBLEMS:
                found.append(Problem(ProblemCode.TOO_MANY_PROBLEMS, number))
                break
    return Dictionary(entries), problems


def read_lines(text: str) -> Iterator[Line]:
    """The lines of a text with one character for each byte. A NUL ends its line, overlong lines count as several."""
    for number, found in enumerate(_LINE.finditer(text), 1):
        line = found[0].partition("\0")[0].rstrip(_SPACE)
        if line and not line.lstrip(_SPACE).startswith("#"):
            yield _read_line(number, line)


def _read_line(number: int, line: str) -> Line:
    fields = line.split("\t", 5)
    if not 3 <= len(fields) <= 5:
        code = ProblemCode.TOO_FEW_FIELDS if len(fields) < 3 else ProblemCode.TOO_MANY_FIELDS
        return Line(number, None, (Problem(code, number),))
    problems: list[Problem] = []
    vm = fields[3].translate(_NO_SPACE) if len(fields) > 3 else "1"
    if not _VM.match(vm):
        problems.append(Problem(ProblemCode.BAD_VM, number, _readable(vm)))
    try:
        groups, creator, elements = _read_tag(fields[0].strip(_SPACE))
    except _BadTag as error:
        if error.restrictor:
            problems.append(Problem(ProblemCode.BAD_RESTRICTOR, number, _readable(error.restrictor)))
        problems.append(Problem(ProblemCode.BAD_TAG, number, _readable(error.shown)))
    if problems:
        return Line(number, None, tuple(problems))
    vr = _read_vr(fields[1].translate(_NO_SPACE))
    if vr is None:
        return Line(number, None, (Problem(ProblemCode.BAD_VR, number, _readable(fields[1].translate(_NO_SPACE))),))
    return Line(number, Entry(groups, creator, elements, vr, _readable(fields[2].translate(_NO_SPACE))))


def _read_tag(field: str) -> tuple[Numbers, str, Numbers]:
    """Groups, private creator (empty without) and elements. Raises _BadTag."""
    if not (field.startswith("(") and field.endswith(")") and "," in field):
        raise _BadTag(field)
    group, _, rest = field[1:].partition(",")
    rest = rest.lstrip(_SPACE)
    shown, creator = f"({group},{rest}", ""
    if rest.startswith('"'):
        creator, quote, rest = rest[1:].partition('"')
        rest = rest.lstrip(_SPACE)
        if not quote or not rest.startswith(","):
            raise _BadTag(f'({group},"{creator}{quote}{rest}')
        shown, rest = f'({group},"{creator}"{rest}', rest[1:]
    try:
        return _numbers(group.translate(_NO_SPACE)), creator, _numbers(rest.partition(")")[0].translate(_NO_SPACE))
    except _BadNumbers as error:
        raise _BadTag(shown, error.restrictor) from None


@functools.lru_cache(maxsize=4096)
def _numbers(part: str) -> Numbers:
    """The numbers of one part of a tag. Raises _BadNumbers."""
    if match := _RESTRICTED.match(part):
        if match[3].lower() not in _RESTRICTORS:
            raise _BadNumbers(match[3])
        return Numbers(_number(match[1], match[2]), _number(match[4], match[5]), _RESTRICTORS[match[3].lower()])
    if match := _SPAN.match(part):
        return Numbers(_number(match[1], match[2]), _number(match[3], match[4]), 0)
    if match := _NUMBER.match(part):
        number = _number(match[1], match[2])
        return Numbers(number, number)
    raise _BadNumbers


def _number(sign: str, digits: str) -> int:
    value = int(digits.removeprefix("0x").removeprefix("0X") or "0", 16)
    return (_LARGEST if value > _LARGEST else -value if sign == "-" else value) & 0xFFFF


def _read_vr(code: str) -> str | None:
    """VR or pseudo code of the first two characters, UN for what stands for none, None for capitals that are no VR."""
    code = code[:2]
    if code in _VRS:
        return _VRS[code]
    return None if len(code) == 2 and code.isascii() and code.isalpha() and code.isupper() else "UN"


def _readable(text: str) -> str:
    r"""The characters that the bytes of a text stand for; ``\xNN`` for those that cannot be shown."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(character if character.isprintable() else f"\\x{ord(character):02X}" for character in _characters(text))


def _characters(text: str) -> str:
    try:
        return text.encode("latin-1").decode()
    except UnicodeDecodeError:
        return text
