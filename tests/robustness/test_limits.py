"""Every limit holds, can be changed, and is documented; and nothing works more than its input is long."""

from __future__ import annotations

import io
import re
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from types import FrameType
from typing import Any

import anyio
import pytest
from dcmsign.codec.dicom.events import Element, ValueStart
from dcmsign.codec.dicom.parser import Parser
from dcmsign.stream import KeySigner, Limits, ReadOptions, errors, remove_all, run_operation, sign, verify

from tests.robustness.bombs import (
    EMPTY_ITEM,
    END_OF_SEQUENCE,
    IMAGES,
    IMPLICIT,
    ITEM,
    JPEG,
    NAME,
    PIXELS,
    TEXT,
    deflated,
    empty_elements,
    implicit,
    plain,
)
from tests.stream.crafted import signed_object
from tests.stream.material import MAC_VECTORS, UNDEFINED, element, meta, sequence

PAGE = Path(__file__).parents[2] / "docs" / "limits.md"
SIGNER = KeySigner.load(MAC_VECTORS / "key-rsa.pem", MAC_VECTORS / "cert-rsa.pem")
SIGNED = signed_object(parameters={})
Operation = Callable[[bytes, ReadOptions], Coroutine[Any, Any, object]]


def verifying(data: bytes, read: ReadOptions) -> Coroutine[Any, Any, object]:
    return verify(data, read=read)


def signing(data: bytes, read: ReadOptions) -> Coroutine[Any, Any, object]:
    return sign(data, io.BytesIO(), signer=SIGNER, read=read)


def removing(data: bytes, read: ReadOptions) -> Coroutine[Any, Any, object]:
    return remove_all(data, io.BytesIO(), read=read)


NESTED = meta() + sequence(IMAGES, sequence(IMAGES, sequence(IMAGES, NAME)))
TWICE = meta() + NAME * 3
CASES: dict[str, list[tuple[Operation, bytes, Limits, str]]] = {
    "depth": [(operation, NESTED, Limits(depth=2), "nested more than 2 deep") for operation in (verifying, signing, removing)],
    "meta": [(verifying, meta(), Limits(meta=30), "file meta information too long")],
    "inflated": [
        (operation, deflated([NAME, element(PIXELS, "OW", bytes(100_000))]), Limits(inflated=60_000), "of more than 60000 bytes")
        for operation in (verifying, signing, removing)
    ],
    "creators": [
        (
            verifying,
            meta(IMPLICIT) + b"".join(implicit(0x00110010 + n, b"ab") for n in range(3)),
            Limits(creators=2),
            "more than 2 pr",
        )
    ],
    "text": [(signing, meta() + element(0x00080018, "UI", b"1" * 200), Limits(inline=50, text=100), "UID of 200 bytes")],
    "elements": [
        (signing, meta() + b"".join(empty_elements(3)), Limits(elements=2), "more than 2 data elements in the data set"),
        *(
            (operation, TWICE, Limits(elements=2), "more than 2 data elements out of order")
            for operation in (verifying, removing)
        ),
    ],
    "lengths": [(operation, NESTED, Limits(lengths=0), "more than 0 sequences and items") for operation in (signing, removing)],
    "sequence": [
        (operation, SIGNED, Limits(sequence=500), "more than 500 bytes of memory") for operation in (verifying, signing)
    ],
    "kept": [(operation, SIGNED, Limits(kept=500), "more than 500 bytes of memory") for operation in (verifying, removing)],
    "signed": [(verifying, SIGNED, Limits(signed=0), "more than 0 entries in Data Elements Signed")],
    "macs": [(verifying, SIGNED, Limits(macs=0), "more than 0 different MAC parameters")],
    "signatures": [(verifying, SIGNED, Limits(signatures=0), "more than 0 signatures")],
    "levels": [(removing, SIGNED, Limits(levels=0), "more than 0 data sets and items with signatures")],
}
"""For each limit an input that passes, and does not if the limit is lower."""


@pytest.mark.parametrize("name", CASES)
def test_limit(name: str, tmp_path: Path) -> None:
    for operation, data, limits, text in CASES[name]:
        anyio.run(operation, data, ReadOptions())
        with pytest.raises(errors.LimitExceeded, match=text) as caught:
            anyio.run(operation, data, ReadOptions(limits=limits))
        assert caught.value.path
        assert caught.value.offset is not None


def test_inline() -> None:
    """What is larger comes in pieces."""
    found = []
    for inline in (8, 7):
        parser = Parser(ReadOptions(limits=Limits(inline=inline)))
        parser.feed(meta() + NAME)
        parser.close()
        found.append({type(event) for event in parser.events() if getattr(event, "tag", 0) == 0x00100010})
    assert found == [{Element}, {ValueStart}]


def test_every_limit_is_tried_and_documented() -> None:
    assert {*CASES, "inline"} == set(Limits._fields)
    rows = dict(re.findall(r"^\| `(\w+)` \| ([\d,]+)", PAGE.read_text(), re.MULTILINE))
    assert {name: int(number.replace(",", "")) for name, number in rows.items()} == Limits()._asdict()


# ---------------------------------------------------------------------- work


def work(operation: Operation, data: bytes) -> int:
    """Calls of functions, Python's and C's, that an operation makes in this thread."""
    count = 0

    def note(frame: FrameType, event: str, argument: Any) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(note)
    try:
        run_operation(operation, data, ReadOptions(), waits=False)
    except errors.Error:
        pass
    finally:
        sys.setprofile(None)
    return count


SHAPES: dict[str, Callable[[int], bytes]] = {
    "elements": lambda n: meta() + b"".join(empty_elements(n)),
    "elements in an item": lambda n: meta() + sequence(IMAGES, b"".join(empty_elements(15 * n))),
    "equal elements": lambda n: meta() + NAME * n,
    "items": lambda n: meta() + element(IMAGES, "SQ", EMPTY_ITEM * n + END_OF_SEQUENCE, length=UNDEFINED),
    "private items": lambda n: meta() + element(0x00111001, "SQ", EMPTY_ITEM * n + END_OF_SEQUENCE, length=UNDEFINED),
    "UN items": lambda n: meta() + element(0x00111001, "UN", EMPTY_ITEM * n + END_OF_SEQUENCE, length=UNDEFINED),
    "equal sequences": lambda n: meta() + sequence(IMAGES, element(IMAGES, "SQ", b"") * n),
    "items out of order": lambda n: meta() + sequence(IMAGES, *[element(0x00100020, "LO", b"4711") + NAME] * n),
    "fragments": lambda n: meta(JPEG) + element(PIXELS, "OB", plain(0xFFFEE000, 0) * n + END_OF_SEQUENCE, length=UNDEFINED),
    "nesting": lambda n: meta() + (element(IMAGES, "SQ", b"", length=UNDEFINED) + ITEM) * n,
    "signatures": lambda n: meta() + element(0xFFFAFFFA, "SQ", EMPTY_ITEM * n),
    "signatures in items": lambda n: meta() + sequence(IMAGES, *[element(0xFFFAFFFA, "SQ", EMPTY_ITEM)] * n),
    "MAC parameters in items": lambda n: meta() + sequence(IMAGES, *[element(0x4FFE0001, "SQ", EMPTY_ITEM)] * n),
    "texts": lambda n: meta() + b"".join(element(TEXT + 1 + number, "LT", b"x" * 50) for number in range(n)),
    "creators": lambda n: meta(IMPLICIT) + b"".join(implicit((0x11 + 2 * number) << 16 | 0x10, b"c") for number in range(n // 4)),
    "deflated": lambda n: deflated([NAME, element(PIXELS, "OW", bytes(500 * n))]),
    "deflated elements": lambda n: deflated(empty_elements(n)),
}


@pytest.mark.parametrize("operation", [verifying, signing, removing])
@pytest.mark.parametrize("shape", SHAPES)
def test_work_is_linear(shape: str, operation: Operation) -> None:
    """Four times the input makes at most four times the work; what quadratic algorithms do shows long before it takes long."""
    few, many = SHAPES[shape](200), SHAPES[shape](800)
    work(operation, few)  # what is loaded and remembered once
    base = work(operation, meta() + NAME)
    assert work(operation, many) - base <= 4.5 * max(work(operation, few) - base, 2000)
