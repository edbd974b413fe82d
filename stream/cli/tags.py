"""Tags of ``--tag`` and of tag files, numeric or by name of the data dictionary."""

from __future__ import annotations

import re

from ...codec.dicom.dictionary import Dictionary
from . import messages

# a number as C's %x takes it
_HEX = r"[ \t\n\v\f\r]*([+-]?)(0[xX][0-9a-fA-F]*|[0-9a-fA-F]+)"
_PAIR = re.compile(f"{_HEX},{_HEX}")
_TAG_IN_FILE = re.compile(rf"\({_HEX},{_HEX}[^)]*\)")
_WORD = re.compile("[A-Za-z0-9]*")
_SPACES = re.compile(r"[ \t\n\v\f\r]*")
_LARGEST = 2**64 - 1


class TagSyntaxError(ValueError):
    """A tag file with something that is no tag; `name` is the unknown attribute name, None if a number is malformed."""

    def __init__(self, name: str | None) -> None:
        super().__init__(messages.UNKNOWN_NAME.format(name))
        self.name = name


def parse_tag(text: str, dictionary: Dictionary) -> int | None:
    """The tag for ``gggg,eeee`` or a name, None if it is neither."""
    match = _PAIR.match(text)
    return dictionary.tag_of(text) if match is None else _tag(match)


def parse_tag_file(text: str, dictionary: Dictionary) -> tuple[int, ...]:
    """The tags in the text of a tag file: names and ``(gggg,eeee)``; a NUL ends the text. Raises TagSyntaxError."""
    text = text.partition("\0")[0]
    tags: list[int] = []
    position = _skip(text, 0)
    while position < len(text):
        if text[position] == "(":
            match = _TAG_IN_FILE.match(text, position)
            if match is None:
                raise TagSyntaxError(None)
            tags.append(_tag(match))
        else:
            match = _WORD.match(text, position)
            assert match is not None  # the pattern matches everywhere
            tag = dictionary.tag_of(match[0])
            if tag is None:
                raise TagSyntaxError(match[0])
            tags.append(tag)
        position = _skip(text, match.end())
    return tuple(tags)


def _skip(text: str, position: int) -> int:
    match = _SPACES.match(text, position)
    return position if match is None else match.end()


def _tag(match: re.Match[str]) -> int:
    group, element = (_number(*match.group(first, first + 1)) for first in (1, 3))
    return group << 16 | element


def _number(sign: str, digits: str) -> int:
    value = min(int(digits.removeprefix("0x").removeprefix("0X") or "0", 16), _LARGEST)
    return (-value if sign == "-" else value) & 0xFFFF
