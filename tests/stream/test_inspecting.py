"""What a verification tells about the object besides its verdicts, from every kind of source."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import pytest
from dcmsign.codec.inspection.findings import FindingKind
from dcmsign.codec.inspection.mapping import Part
from dcmsign.stream import KeySigner, Trust, open_verifier, sign, verify

from tests.stream.material import element, meta, noise, noon, sequence, signed_vector
from tests.stream.test_unordered import NAME, NUMBER, UIDS, deflated, reshuffle
from tests.stream.ways import SOURCES, consume

pytestmark = pytest.mark.anyio

KINDS = ["path", "bytes", "buffered file", "async iterable", "receive stream of bytes", "named pipe"]
IMAGE = element(0x7FE00010, "OW", noise(300_000))


async def signed(source: bytes, signer: KeySigner, **options: object) -> bytes:
    target = io.BytesIO()
    await sign(source, target, signer=signer, clock=noon, **options)  # type: ignore[arg-type]
    return target.getvalue()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("order", ["sorted", "shuffled", "deflated", "deflated and shuffled"])
async def test_the_same_from_every_source(order: str, kind: str, signer: KeySigner, tmp_path: Path) -> None:
    data = await signed(meta() + UIDS + NAME + NUMBER + IMAGE, signer)
    if "shuffled" in order:
        data = reshuffle(data)
    if "deflated" in order:
        data = deflated(data[data.index(NAME if "shuffled" in order else UIDS) :]) + b"behind"
    expected = await verify(data)
    async with SOURCES[kind](data, tmp_path) as source:
        report = await verify(source)
    async with SOURCES[kind](data, tmp_path) as source:
        forwarded = (await consume(open_verifier(source))).report
    assert report == expected == forwarded
    assert report.scope is not None
    assert report.scope.complete
    assert report.signatures[0].scope == report.scope
    kinds = {finding.kind for finding in report.findings}
    assert (FindingKind.UNORDERED in kinds) is ("shuffled" in order)
    assert (FindingKind.TRAILING_DATA in kinds) is ("deflated" in order)
    assert report.map is not None
    assert sum(entry.size for entry in report.map.entries) == report.map.size


async def test_only_what_is_asked_for(signer: KeySigner) -> None:
    report = await verify(await signed(meta() + UIDS + NAME, signer), inspect=False)
    assert (report.map, report.findings, report.scope, report.signatures[0].scope) == (None, (), None, None)
    again = await verify(await signed(meta() + UIDS + NAME, signer))
    assert again.inspection is not None


async def test_what_was_added_later_is_told(signer: KeySigner) -> None:
    data = await signed(meta() + UIDS + NAME + IMAGE, signer)
    place = data.index(NAME) + len(NAME)
    report = await verify(data[:place] + NUMBER + data[place:])
    assert [found.verdict.name for found in report.signatures] == ["UNTRUSTED"]
    scope = report.signatures[0].scope
    assert scope is not None
    assert [(entry.tag, entry.offset, entry.size) for entry in scope.unlisted] == [(0x00100020, place, len(NUMBER))]
    assert not scope.complete


async def test_what_was_taken_away_is_told(signer: KeySigner) -> None:
    """An element of no length that was listed can go without breaking anything but what it says."""
    data = await signed(meta() + UIDS + NAME + NUMBER, signer)
    report = await verify(data.replace(NUMBER, b""))
    assert report.signatures[0].scope is None  # it is not intact, so it protects nothing
    assert report.scope is not None
    assert report.scope.protected == ()


async def test_signatures_that_are_not_trusted_protect_nothing_together(signer: KeySigner, trust: Trust) -> None:
    data = signed_vector("second-signature").read_bytes()
    nobody = replace(trust, trusted=())
    assert (await verify(data, trust=trust)).scope.complete  # type: ignore[union-attr]
    assert (await verify(data, trust=nobody)).scope.complete  # type: ignore[union-attr]
    other = Trust.load(trusted=[Path(__file__).parents[1] / "vectors" / "mac" / "cert-dsa.pem"])
    report = await verify(data, trust=other)
    assert report.scope is not None
    assert report.scope.protected == ()
    assert all(found.scope is not None and found.scope.complete for found in report.signatures)


async def test_signatures_of_items_zoom_in(trust: Trust) -> None:
    report = await verify(signed_vector("item-signature"), trust=trust)
    assert report.map is not None
    assert report.scope is not None
    assert {entry.location for entry in report.scope.protected} == {((0x00081140, 1),)}
    assert all(entry.part is Part.ELEMENT for entry in report.scope.protected)
    assert not report.scope.complete


async def test_duplicates_are_told(signer: KeySigner) -> None:
    data = await signed(meta() + UIDS + NAME + sequence(0x00081140), signer)
    other = element(0x00100010, "PN", b"Roe^Joe ")
    report = await verify(data + other)
    assert [found.intact for found in report.signatures] == [True]
    assert [(finding.kind, finding.element) for finding in report.findings] == [(FindingKind.DUPLICATE, "(0010,0010)")]
    assert report.scope is not None
    assert [entry.offset for entry in report.scope.unlisted] == [len(data)]
