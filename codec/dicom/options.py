"""What a caller can choose about reading, and the bounds that hold for hostile input."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from .dictionary import BUILT_IN, Dictionary


class Limits(NamedTuple):
    """Bounds on what hostile input can make its reader do; what passes one raises LimitExceeded.

    `depth`: open sequences. `inline`: bytes of the largest value that is delivered in one Element; larger ones come in chunks.
    `meta`: bytes of the file meta group. `inflated`: bytes of a deflated data set once it is inflated. `creators`: private
    creators of one data set or item. `text`: bytes of a text that is put into its normal form in memory, and of a UID; a longer
    text needs a second pass over the input. `elements`: data elements of one data set or item that is being signed or held to a
    profile; those out of order, also of all open levels together. `lengths`: sequences and items of an output with defined
    lengths.

    `sequence`: memory in bytes for one MAC Parameters or Digital Signatures Sequence; `kept`: for all those of an object. What a
    data element or item takes besides its value counts. `signed`: entries of Data Elements Signed of an object, all MAC
    parameters together. `macs`: different MAC parameters of one data set or item. `signatures`: of an object. `levels`: data
    sets and items of an object with signatures that are to be removed.
    """

    depth: int = 64
    inline: int = 16384
    meta: int = 1 << 20
    inflated: int = 1 << 36
    creators: int = 1024
    text: int = 1 << 20
    elements: int = 1 << 18
    lengths: int = 1 << 22
    sequence: int = 4 << 20
    kept: int = 16 << 20
    signed: int = 1 << 17
    macs: int = 64
    signatures: int = 4096
    levels: int = 1 << 16


DEFAULT_LIMITS = Limits()


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """How to read the input.

    `file_format`: "auto" takes files and data sets without meta header, "file" demands the meta header, "dataset" says that
    there is none. `syntax`: UID of the transfer syntax of a data set without meta header, None to detect it. `detect_syntax`:
    do not believe the meta header. `convert_un`: give UN elements of defined length the VR of the dictionary (PS3.5 6.2.2).
    `dictionary`: VRs of data elements that carry none; both sides of a signature in implicit VR need the same ones. `limits`:
    bounds for hostile input.
    """

    file_format: str = "auto"
    syntax: str | None = None
    detect_syntax: bool = False
    convert_un: bool = False
    dictionary: Dictionary = BUILT_IN
    limits: Limits = DEFAULT_LIMITS


READ_AS_FOUND = ReadOptions()
