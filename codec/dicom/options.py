"""What a caller can choose about reading, and the bounds that hold for hostile input."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from .dictionary import BUILT_IN, Dictionary


class Limits(NamedTuple):
    """Bounds on what hostile input can make the parser do.

    `depth`: open sequences; `inline`: bytes of the largest value that is delivered in one Element; `meta`: bytes of the file
    meta group.
    """

    depth: int = 64
    inline: int = 16384
    meta: int = 1 << 20


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """How to read the input.

    `file_format`: "auto" takes files and data sets without meta header, "file" demands the meta header, "dataset" says that
    there is none. `syntax`: UID of the transfer syntax of a data set without meta header, None to detect it. `detect_syntax`:
    do not believe the meta header. `convert_un`: give UN elements of defined length the VR of the dictionary (PS3.5 6.2.2).
    `dictionary`: VRs of data elements that carry none; both sides of a signature in implicit VR need the same ones.
    """

    file_format: str = "auto"
    syntax: str | None = None
    detect_syntax: bool = False
    convert_un: bool = False
    dictionary: Dictionary = BUILT_IN


READ_AS_FOUND = ReadOptions()
DEFAULT_LIMITS = Limits()
