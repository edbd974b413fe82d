"""The tampering matrix: bytes of small signed objects changed one by one, and what the report says about each change.

What the scope calls protected has to be noticed: the object is refused, the signature broken, or the scope says that the data
element is not protected any more. Everything else stands in `HARMLESS`. And whatever changes, the report never says of a value
that it is protected if pydicom reads another one than was signed. DCMSIGN_TAMPERING=1 (`make tampering`) tries every change.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Final

import anyio
import pytest
from dcmsign.codec.inspection.findings import FindingKind

from tests.interop import dcmtk
from tests.interop.dictionary import write_dictionary
from tests.interop.layout import Byte, Role, layout, tags
from tests.interop.test_tampering import IMPLICIT_VRS, Change, explained, same_value
from tests.security.tampering.matrix import MASKS, Judged, Original, Outcome, changed
from tests.security.tampering.objects import CASES, dataset_start, deflate, inflated, made

EXHAUSTIVE = os.environ.get("DCMSIGN_TAMPERING") == "1"
STEP = 1 if EXHAUSTIVE else 16
"""Of the bytes that nothing protects, every so manieth is changed."""
PEER_STEP = 20 if EXHAUSTIVE else 80
TEXTS: Final = frozenset({"CS", "LO", "PN", "SH", "IS", "UI"})
VRS = IMPLICIT_VRS | {
    0x00041500: "CS", 0x00080000: "UL", 0x00081030: "LO", 0x00081115: "SQ", 0x00081199: "SQ", 0x00091002: "UN", 0x0020000E: "UI",
}  # fmt: skip

HARMLESS: Final[dict[Role, tuple[FindingKind | None, str]]] = {
    Role.RESERVED: (FindingKind.NONSTANDARD_VR, "the bytes between VR and a length of four are digested as zeros (PS3.5 7.1.2)"),
    Role.DELIMITER_LENGTH: (None, "the length of a delimiter is digested as zero, if at all (PS3.5 7.5); no reader uses it"),
    Role.VALUE: (None, "padding of a text: digests are made over values in normal form (PS3.5 6.2)"),
    Role.LENGTH: (FindingKind.LONG_ITEM, "lengths of sequences are not digested; one shorter than its item is believed by some"),
}
"""What a byte may be for if it is protected and a change of it breaks nothing, the finding that has to be there then, and why.

The value that pydicom reads is the same, or there is the finding.
"""


def harmless(base: bytes, after: bytes, place: Byte, judged: Judged) -> bool:
    """Whether a row of the table stands for a change that breaks nothing."""
    if place.role not in HARMLESS or (place.role is Role.LENGTH and place.vr != "SQ"):
        return False
    if place.role is Role.VALUE and not only_padding(base, after, place):
        return False
    finding, _ = HARMLESS[place.role]
    return finding is None or finding in judged.findings


def flips(original: Original, base: bytes, start: int) -> Iterator[tuple[int, bytes]]:
    """Changes to try: all of them, or one of each protected byte and of some others; all of what may be padding."""
    for position in range(0 if EXHAUSTIVE and start == 0 else start, len(base)):
        protected = bool(original.protecting(position))
        if not protected and position % STEP:
            continue
        padding = protected and base[position] in b" \0"
        for mask in MASKS if EXHAUSTIVE or padding else (MASKS[position % len(MASKS)],):
            data = changed(base, position, mask)
            if data != base:
                yield position, data


def only_padding(before: bytes, after: bytes, place: Byte) -> bool:
    """Whether the value of a text is the same without its padding."""
    stripped = [each[place.field].rstrip(b" \0") for each in (before, after)]
    return place.vr in TEXTS and stripped[0] == stripped[1]


@pytest.mark.parametrize("name", CASES)
def test_every_protected_byte(name: str) -> None:
    case, data = CASES[name], made(name)
    base = inflated(data) if case.deflated else data
    original = Original(data, case.options)
    places = layout(base, VRS)
    unnoticed: list[tuple[int, Byte, Judged]] = []
    misleading: list[tuple[int, Byte, Judged]] = []
    counts = dict.fromkeys(Outcome, 0)
    start = dataset_start(data)
    with dcmtk.quiet():
        for position, changed_base in flips(original, base, start if case.deflated else 0):
            judged = original.judge(deflate(changed_base, start) if case.deflated else changed_base, position)
            counts[judged.outcome] += 1
            place = places[position]
            if judged.wrong:
                misleading.append((position, place, judged))
            if judged.outcome is Outcome.SAME and not harmless(base, changed_base, place, judged):
                unnoticed.append((position, place, judged))
    assert not unnoticed
    assert not misleading
    assert counts[Outcome.BROKEN] > 0
    assert counts[Outcome.OUTSIDE] > 0
    assert sum(counts.values()) > 80


def test_every_compressed_byte_of_a_deflated_object() -> None:
    """Changes in the compressed bytes go anywhere: whatever is still said to be protected is as it was."""
    data = made("deflated")
    original = Original(data, CASES["deflated"].options)
    start = dataset_start(data)
    with dcmtk.quiet():
        for position in range(start, len(data), 1 if EXHAUSTIVE else 2):
            for mask in MASKS if EXHAUSTIVE else (MASKS[position // 2 % len(MASKS)],):
                judged = original.judge(changed(data, position, mask), None)
                assert not judged.wrong, (position, mask)


PEERS: Final = ("explicit", "undefined lengths", "implicit", "jpeg", "several signatures")
"""Little endian objects without timestamp, about which dcmsign is asked."""


@pytest.mark.parametrize("name", PEERS)
def test_dcmsign_thinks_the_same(name: str, tmp_path: Path) -> None:
    """On a sample; the differences are those of docs/differences.md, one row each in `DIFFERENCES` of the tests about those."""
    data = made(name)
    places = layout(data, VRS)
    environment = write_dictionary(tmp_path / "small.dic", tags(places))
    positions = range(dataset_start(data), len(data), PEER_STEP)

    def asked(position: int) -> dcmtk.Outcome:
        path = tmp_path / f"{position}.dcm"
        path.write_bytes(changed(data, position, MASKS[position // PEER_STEP % len(MASKS)]))
        return dcmtk.peer_outcome(path, environment=environment)

    with ThreadPoolExecutor(2) as pool:
        peers = dict(zip(positions, pool.map(asked, positions), strict=True))
    differing = {}
    with dcmtk.quiet():
        for position, peer in peers.items():
            tampered = changed(data, position, MASKS[position // PEER_STEP % len(MASKS)])
            if tampered == data:
                continue
            own = anyio.run(partial(dcmtk.own_outcome, tampered))
            if own.caught != peer.caught and not explained(
                Change(places[position], same_value(data, places[position], position), own, peer)
            ):
                differing[position] = places[position], own, peer
    assert not differing
    assert sum(peer.caught for peer in peers.values()) > len(peers) // 2


def test_the_matrix_notices_a_lie() -> None:
    """A report that calls something protected that is not is caught: the value of another object under the scope of this one."""
    data = made("explicit")
    original = Original(data, CASES["explicit"].options)
    position = data.index(b"Doe^Jane")
    (path,) = original.protecting(position).values()
    assert path == ((), 0x00100010)
    tampered = changed(data, position, 0x01)
    lies = list(original._other_values(original.scopes, tampered))
    assert len(lies) == 1
    assert "Eoe^Jane" in lies[0]
    assert original.judge(tampered, position).outcome is Outcome.BROKEN
