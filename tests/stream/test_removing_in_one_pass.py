"""All signatures are removed while an object passes: the bytes are those of the way that reads twice."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator

import pytest
from dcmsign.stream import KeySigner, RemovalReport, errors, open_remover, remove_all, sign

from tests.stream.material import MAC_VECTORS

pytestmark = pytest.mark.anyio

VECTORS = sorted(MAC_VECTORS.glob("*.dcm"))
UNSORTED = ("multi-valued.dcm", "order-and-duplicates.dcm")
ITEM = "ReferencedImageSequence[1]"
DEEP = f"{ITEM}.PurposeOfReferenceCodeSequence[0]"


def uid() -> str:
    return "1.2.3"


async def blocks(data: bytes, size: int) -> AsyncIterator[bytes]:
    for start in range(0, len(data), size):
        yield data[start : start + size]


async def both(data: bytes, size: int, *, undefined: bool) -> tuple[RemovalReport, RemovalReport]:
    """Remove in both ways and compare the bytes."""
    twice, once = io.BytesIO(), io.BytesIO()
    expected = await remove_all(data, twice, undefined_lengths=undefined, uids=uid)
    found = await remove_all(blocks(data, size), once, undefined_lengths=undefined, uids=uid, one_pass=True)
    assert once.getvalue() == twice.getvalue()
    return expected, found


@pytest.mark.parametrize("undefined", [False, True], ids=["defined", "undefined"])
@pytest.mark.parametrize("size", [61, 4096])
async def test_every_vector(size: int, undefined: bool) -> None:
    removed = 0
    for path in VECTORS:
        data = path.read_bytes()
        if path.name in UNSORTED or len(data) // size > 1000:
            continue
        expected, found = await both(data, size, undefined=undefined)
        assert found == expected, path.name
        removed += len(found.removed)
    assert removed > 45


@pytest.mark.parametrize("locations", [(DEEP,), (ITEM,), (DEEP, ITEM), (DEEP, ITEM, ()), (DEEP, ())], ids=str)
async def test_signatures_in_items(locations: tuple[str | tuple[()], ...], signer: KeySigner) -> None:
    original = (MAC_VECTORS / "item-signature.dcm").read_bytes()
    data = original
    for location in locations:
        output = io.BytesIO()
        await sign(data, output, signer=signer, location=location)
        data = output.getvalue()
    expected, found = await both(data, 100, undefined=False)
    assert found == expected
    assert len(found.removed) == len(locations)
    clean = io.BytesIO()
    await remove_all(original, clean, uids=uid)
    again = io.BytesIO()
    await remove_all(blocks(data, 100), again, uids=uid, one_pass=True)
    assert again.getvalue() == clean.getvalue()


async def test_output_begins_before_the_input_has_ended() -> None:
    """Without MAC Parameters of the main data set, nothing behind their place is kept back."""
    pixels = b"\xe0\x7f\x10\x00OB\0\0" + (100_000).to_bytes(4, "little") + bytes(100_000)
    data = (MAC_VECTORS / "explicit-short.dcm").read_bytes() + pixels
    given = 0

    async def source() -> AsyncIterator[bytes]:
        nonlocal given
        async for block in blocks(data, 4096):
            given += len(block)
            yield block

    first = None
    async with open_remover(source(), one_pass=True, uids=uid) as stream:
        async for _ in stream:
            first = first or given
        assert stream.report.removed == ()
    assert first is not None
    assert first < len(data) - 90_000


@pytest.mark.parametrize("name", UNSORTED)
async def test_what_is_not_sorted_is_refused(name: str) -> None:
    data = (MAC_VECTORS / name).read_bytes()
    with pytest.raises(errors.UnorderedInput):
        await remove_all(blocks(data, 100), io.BytesIO(), one_pass=True)


async def test_it_excludes_what_has_to_be_known_before(signer: KeySigner) -> None:
    data = (MAC_VECTORS / "item-signature.dcm").read_bytes()
    with pytest.raises(ValueError, match="one pass"):
        await remove_all(data, io.BytesIO(), one_pass=True, planned=lambda report: None)
    with pytest.raises(ValueError, match="one pass"):
        await remove_all(data, io.BytesIO(), one_pass=True, transfer_syntax="1.2.840.10008.1.2")
    with pytest.raises(ValueError, match="one pass"):
        async with open_remover(data, uid="1.2.3", one_pass=True):
            pass
