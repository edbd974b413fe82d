"""Reads data dictionaries from files in the format of DCMTK."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from ..codec.dicom.dictionary import Dictionary
from ..codec.dicom.dictionary_text import ProblemCode, parse

LONGEST = 1 << 24
"""Bytes of the longest file that is read; DCMTK's own have a quarter of a million."""


class DictionaryProblem(NamedTuple):
    """A file that was not read (`line` 0), or a line of it that was left out; `text` is what is wrong there."""

    path: str
    code: ProblemCode
    line: int = 0
    text: str = ""

    @property
    def message(self) -> str:
        """The problem as one line, in DCMTK's words."""
        return self.code.value.format(path=self.path, line=self.line, text=self.text)


class LoadedDictionary(NamedTuple):
    """A dictionary from files, and what was wrong with them.

    `complete` is what DCMTK calls a loaded dictionary: nothing was wrong, or at least not with the last file that could be read.
    """

    dictionary: Dictionary
    problems: tuple[DictionaryProblem, ...] = ()
    complete: bool = True


def load_dictionaries(paths: Iterable[str | os.PathLike[str]]) -> LoadedDictionary:
    """Read data dictionaries in DCMTK's format; they replace the built-in one where `ReadOptions.dictionary` says so.

    Entries of later files replace those of earlier ones. Files that cannot be read or have more than 16 MiB and lines that are
    no entries are left out and told in `problems`; nothing is raised. Reads in the calling thread.
    """
    failures: dict[int, DictionaryProblem] = {}
    names = [os.fspath(path) for path in paths]

    def texts() -> Iterator[str]:  # one at a time in memory
        for number, name in enumerate(names):
            content = _read(name)
            if isinstance(content, str):
                yield content
            else:
                failures[number] = DictionaryProblem(name, content)

    dictionary, found = parse(texts())
    of_texts = iter(found)
    problems: list[DictionaryProblem] = []
    clean = False  # the last file that could be read
    for number, name in enumerate(names):
        if number in failures:
            problems.append(failures[number])
        else:
            in_text = next(of_texts)
            problems += [DictionaryProblem(name, *problem) for problem in in_text]
            clean = not in_text
    return LoadedDictionary(dictionary, tuple(problems), clean or not problems)


def _read(name: str) -> str | ProblemCode:
    """The bytes of a file as characters, or why there are none."""
    try:
        with open(name, "rb") as file:
            content = file.read(LONGEST + 1)
    except (OSError, ValueError):  # ValueError: a NUL in the name
        return ProblemCode.CANNOT_OPEN
    return content.decode("latin-1") if len(content) <= LONGEST else ProblemCode.TOO_LONG
