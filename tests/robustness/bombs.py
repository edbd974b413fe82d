"""Small inputs that ask for much: memory, time, depth."""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from tests.stream import crafted
from tests.stream.material import DEFLATED, EXPLICIT, UNDEFINED, element, meta, sequence

FULL = bool(os.environ.get("ROBUSTNESS"))
"""Whether everything is to be tried, as `make robustness` does; it takes some minutes."""

MANY = 1_000_000 if FULL else 20_000
"""Of what takes some microseconds each."""

SOME = 128 if FULL else 32
"""MiB of inflated values."""

MILLION = 1_000_000
NEST = 100_000
MIB = 1 << 20
IMPLICIT = b"1.2.840.10008.1.2\0"
JPEG = b"1.2.840.10008.1.2.4.50"
ENDLESS = 0xFFFFFFFE
"""The largest defined length."""

NAME = element(0x00100010, "PN", b"Doe^Jane")
MAC_PARAMETERS, SIGNATURES, SERIES, IMAGES = 0x4FFE0001, 0xFFFAFFFA, 0x00081115, 0x00081140
PIXELS, TEXT = 0x7FE00010, 0x0040A160


def plain(tag: int, length: int) -> bytes:
    """Tag and 32-bit length, as items have them, and everything in implicit VR."""
    return struct.pack("<HHI", tag >> 16, tag & 0xFFFF, length)


def implicit(tag: int, value: bytes) -> bytes:
    """A data element in implicit VR."""
    return plain(tag, len(value)) + value


ITEM, END_OF_ITEM, END_OF_SEQUENCE = plain(0xFFFEE000, UNDEFINED), plain(0xFFFEE00D, 0), plain(0xFFFEE0DD, 0)
EMPTY_ITEM = ITEM + END_OF_ITEM


def deflated(pieces: Iterable[bytes]) -> bytes:
    """A file with these bytes as its deflated data set."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    return meta(DEFLATED) + b"".join([packer.compress(piece) for piece in pieces]) + packer.flush()


def empty_elements(count: int, vr: bytes = b"LO") -> Iterator[bytes]:
    """Private data elements without value, in ascending order."""
    for number in range(count):
        yield struct.pack("<HH2sH", 0x0011 + 2 * (number // 50_000), 0x1000 + number % 50_000, vr, 0)


def _nested_defined(open_sequence: Callable[[int], bytes]) -> bytes:
    pieces, left = [], NEST * (len(open_sequence(0)) + 8)
    for _ in range(NEST):
        left -= len(open_sequence(0))
        pieces.append(open_sequence(left))
        left -= 8
        pieces.append(plain(0xFFFEE000, left))
    return b"".join(pieces)


def _zeros(count: int) -> list[bytes]:
    return [bytes(MIB)] * count


def _image(count: int, first: bytes = NAME) -> bytes:
    return deflated([first, element(PIXELS, "OW", b"", length=count * MIB), *_zeros(count)])


def _parameters(number: int, tags: int) -> bytes:
    first = 0x00110000 + number
    return (
        element(0x04000005, "US", struct.pack("<H", number))
        + element(0x04000010, "UI", EXPLICIT)
        + element(0x04000015, "CS", b"SHA256")
        + crafted.tags(*range(first, first + tags))
    )


def _implicit_signatures(tags: int) -> bytes:
    parameters = (
        implicit(0x04000005, b"\0\0")
        + implicit(0x04000010, EXPLICIT)
        + implicit(0x04000015, b"SHA256")
        + implicit(0x04000020, b"".join(struct.pack("<HH", 0x11 + (n >> 16), n & 0xFFFF) for n in range(tags)))
    )
    within = [(MAC_PARAMETERS, parameters), (SIGNATURES, implicit(0x04000005, b"\0\0"))]
    found = (plain(tag, UNDEFINED) + ITEM + content + END_OF_ITEM + END_OF_SEQUENCE for tag, content in within)
    return meta(IMPLICIT) + implicit(0x00100010, b"Doe^Jane") + b"".join(found)


def _der(tag: int, content: bytes) -> bytes:
    return bytes((tag, 0x84)) + struct.pack(">I", len(content)) + content


def nested_der(depth: int = 10_000) -> bytes:
    """A SEQUENCE in a SEQUENCE in …"""
    return b"\x30\x80" * depth + b"\0\0" * depth


def _with_certificate(value: bytes) -> bytes:
    right = element(crafted.CERTIFICATE, "OB", crafted.even(value))
    return crafted.signed_object(parameters={}, item={crafted.CERTIFICATE: right})


def _with_token(value: bytes) -> bytes:
    kind = element(0x04000305, "CS", b"CMS_TSP ")
    token = element(0x04000310, "OB", crafted.even(value))
    return crafted.signed_object(parameters={}, item={0x04000305: kind, 0x04000310: token})


def _levels(count: int, size: int) -> bytes:
    """Items with a signature each."""
    signature = sequence(SIGNATURES, element(0x04000005, "US", b"\0\0") + element(crafted.CERTIFICATE, "OB", bytes(size)))
    return meta() + NAME[:0] + sequence(IMAGES, *[signature] * count)


class Bomb(NamedTuple):
    """How to make one, and what becomes of it: for each operation a part of the message, empty where it is done."""

    make: Callable[[], bytes]
    verify: str = ""
    sign: str = ""
    remove: str = ""


def refused(make: Callable[[], bytes], text: str) -> Bomb:
    """A bomb that nobody takes."""
    return Bomb(make, text, text, text)


_DEEP = r"\)\[0\]\.\(....,1140\) at offset \d+: sequences nested more than 64 deep"
_CUT = r"of 4294967294 bytes ends behind the end of the input"
_MEMORY = r"sequence takes more than \d+ bytes of memory"
_BROKEN = "deflated data set|ends behind the end of the input"
_ORDER = r"more than 262144 data elements out of order"
_LEVEL = r"more than 262144 data elements in the data set or item to be signed"


def _open(form: str) -> Callable[[int], bytes]:
    if form == "implicit":
        return lambda length: plain(IMAGES, length)
    return lambda length: element(IMAGES, "SQ", b"", length=length)


BOMBS: dict[str, Bomb] = {
    # nesting
    "nested": refused(lambda: meta() + (_open("explicit")(UNDEFINED) + ITEM) * NEST, _DEEP),
    "nested, implicit": refused(lambda: meta(IMPLICIT) + (_open("implicit")(UNDEFINED) + ITEM) * NEST, _DEEP),
    "nested, lengths": refused(lambda: meta() + _nested_defined(_open("explicit")), _DEEP),
    "nested, implicit, lengths": refused(lambda: meta(IMPLICIT) + _nested_defined(_open("implicit")), _DEEP),
    "nested UN": refused(
        lambda: meta() + element(0x00091140, "UN", b"", length=UNDEFINED) + (ITEM + plain(0x00091140, UNDEFINED)) * NEST, _DEEP
    ),
    # lengths
    **{
        f"4 GiB of {vr}": refused(lambda vr=vr: meta() + NAME + element(PIXELS, vr, b"1234", length=ENDLESS), _CUT)  # type: ignore[misc]
        for vr in ("OB", "UT", "UN")
    },
    "4 GiB in implicit VR": refused(lambda: meta(IMPLICIT) + implicit(0x00100010, b"Doe^") + plain(PIXELS, ENDLESS), _CUT),
    "4 GiB of items": refused(lambda: meta() + element(IMAGES, "SQ", b"", length=ENDLESS), "the input ends inside a sequence"),
    "4 GiB of an item": refused(
        lambda: meta() + element(IMAGES, "SQ", plain(0xFFFEE000, ENDLESS), length=UNDEFINED), "the input ends inside an item"
    ),
    "4 GiB of a fragment": refused(
        lambda: meta(JPEG) + element(PIXELS, "OB", plain(0xFFFEE000, 0) + plain(0xFFFEE000, ENDLESS), length=UNDEFINED), _CUT
    ),
    "4 GiB of meta header": refused(
        lambda: bytes(128) + b"DICM" + element(0x00020001, "OB", b"", length=ENDLESS), "file meta information too long"
    ),
    "4 GiB of a certificate": refused(
        lambda: (
            meta() + NAME + element(SIGNATURES, "SQ", ITEM + element(0x04000115, "OB", b"", length=ENDLESS), length=UNDEFINED)
        ),
        _CUT,
    ),
    # numbers
    "empty elements": Bomb(lambda: meta() + b"".join(empty_elements(6 * MANY)), sign=_LEVEL),
    "empty elements in an item": Bomb(lambda: meta() + sequence(IMAGES, b"".join(empty_elements(2 * MANY)))),
    "equal elements": refused(lambda: meta() + element(0x00100010, "PN", b"") * 6 * MANY, _ORDER),
    "equal sequences": refused(lambda: meta() + sequence(IMAGES, element(IMAGES, "SQ", b"") * max(MANY, 270_000)), _ORDER),
    "empty items": Bomb(lambda: meta() + element(IMAGES, "SQ", EMPTY_ITEM * MANY + END_OF_SEQUENCE, length=UNDEFINED)),
    "empty items, lengths": Bomb(lambda: meta() + element(IMAGES, "SQ", plain(0xFFFEE000, 0) * 2 * MANY)),
    "empty fragments": Bomb(
        lambda: (
            meta(JPEG)
            + element(PIXELS, "OB", plain(0xFFFEE000, 0) * (MILLION if FULL else 300_000) + END_OF_SEQUENCE, length=UNDEFINED)
        )
    ),
    # signatures
    "empty signatures": refused(lambda: meta() + NAME + element(SIGNATURES, "SQ", EMPTY_ITEM * MILLION), _MEMORY),
    "empty MAC parameters": refused(lambda: meta() + NAME + element(MAC_PARAMETERS, "SQ", EMPTY_ITEM * MILLION), _MEMORY),
    "all tags, often": Bomb(
        lambda: meta() + NAME + sequence(MAC_PARAMETERS, *[_parameters(number, 16383) for number in range(60)]),
        verify="more than 131072 entries in Data Elements Signed of an object",
    ),
    "a million tags": Bomb(lambda: _implicit_signatures(MILLION), verify="more than 131072 entries in Data Elements Signed"),
    "as many tags as are allowed": Bomb(lambda: _implicit_signatures(130_000)),
    "65 MAC parameters": Bomb(
        lambda: meta() + NAME + sequence(MAC_PARAMETERS, *[_parameters(number, 5) for number in range(65)]),
        verify="more than 64 different MAC parameters",
    ),
    "items with large signatures": Bomb(lambda: _levels(30, MIB), verify=_MEMORY, remove=_MEMORY),
    "items with signatures": Bomb(lambda: _levels(5000, 10), verify="more than 4096 signatures"),
    "signatures of the past": Bomb(
        lambda: meta() + sequence(0x04000561, *[element(SIGNATURES, "SQ", b"")] * 5000),
        verify="more than 4096 sequences of signatures in original attributes",
    ),
    # certificates and tokens
    "large certificate": Bomb(lambda: _with_certificate(_der(0x30, bytes(10 * MIB))), verify=_MEMORY, sign=_MEMORY),
    "certificate of many parts": Bomb(lambda: _with_certificate(_der(0x30, bytes(3 * MIB)))),
    "small certificate of many parts": Bomb(lambda: _with_certificate(_der(0x30, _der(0x30, bytes(MIB // 2)) + b"\x30\0\3\0"))),
    "nested certificate": Bomb(lambda: _with_certificate(nested_der())),
    "large token": Bomb(lambda: _with_token(_der(0x30, bytes(10 * MIB))), verify=_MEMORY, sign=_MEMORY),
    "token of many parts": Bomb(lambda: _with_token(_der(0x30, bytes(3 * MIB)))),
    "small token of many parts": Bomb(lambda: _with_token(_der(0x30, bytes(MIB - 10)))),
    "nested token": Bomb(lambda: _with_token(nested_der())),
    # texts
    "long text": Bomb(lambda: meta() + NAME + element(TEXT, "UT", b"x" * 40 * MIB)),
    "long text of blanks": Bomb(lambda: meta() + NAME + element(TEXT, "UT", b" " * 40 * MIB)),
    "many texts": Bomb(lambda: meta() + b"".join(element(TEXT + number, "UT", b"x" * MIB) for number in range(40))),
    "texts of 65535 bytes": Bomb(
        lambda: meta() + b"".join(element(0x00111000 + number, "LT", b"x" * 65_535) for number in range(400))
    ),
    "long UID": Bomb(
        lambda: meta(IMPLICIT) + plain(0x00080018, 2 * MIB) + b"1" * 2 * MIB,
        *[r"\(0008,0018\) at offset \d+: UID of 2097152 bytes"] * 3,
    ),
    "long private creators": Bomb(
        lambda: (
            meta(IMPLICIT)
            + b"".join(implicit((0x0011 + 2 * (n // 240)) << 16 | 0x10 + n % 240, b"c" * 16_000) for n in range(1000))
        )
    ),
    "private creators": refused(
        lambda: (
            meta(IMPLICIT)
            + b"".join(implicit((0x0011 + 2 * (n // 240)) << 16 | 0x10 + n % 240, b"c" * 60) for n in range(50_000))
        ),
        "more than 1024 private creators in one data set or item",
    ),
    # deflated: 1000 to 1
    "deflated zeros": Bomb(lambda: _image(1024 if FULL else 64)),
    "deflated zeros, not sorted": Bomb(lambda: _image(SOME, element(0x00100020, "LO", b"4711") + NAME)),
    "deflated text": Bomb(
        lambda: deflated([NAME, element(TEXT, "UT", b"", length=SOME * MIB), *[b" " * MIB] * SOME]),
    ),
    "deflated elements": Bomb(lambda: deflated([NAME, *empty_elements(6 * MANY)]), sign=_LEVEL),
    "deflated items": Bomb(
        lambda: deflated(
            [NAME, element(0x00120081, "SQ", b"", length=UNDEFINED), *[EMPTY_ITEM * 1000] * (MANY // 1000), END_OF_SEQUENCE]
        )
    ),
    "deflated, broken": refused(lambda: _image(64)[:-9] + b"\xff" * 9, _BROKEN),
}
"""By name."""

_SLOW = {"empty elements", "equal sequences", "deflated elements", "equal elements"}
"""What takes seconds until a limit is reached; test_limits.py has the same with other limits."""

NAMES = [name for name in BOMBS if FULL or name not in _SLOW]
"""Those to try."""
