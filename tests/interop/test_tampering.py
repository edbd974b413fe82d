"""Every byte of small signed files changed once: what is protected is noticed, and the verdicts are those of the real dcmsign.

Each file exists twice, signed by this library and by dcmsign. This library gets every single change of every file. dcmsign, a
process for each change, gets all of one file; of the others all changes of structure and a part of those of values.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple

import anyio
import pytest
from dcmsign.stream import StreamFormat, sign, verify

from tests.interop import build, dcmtk
from tests.interop.dcmtk import Outcome
from tests.interop.dictionary import write_dictionary
from tests.interop.layout import Byte, Role, layout, tags

META, MAC_PARAMETERS, SIGNATURES = 0x0002, 0x4FFE0001, 0xFFFAFFFA
CERTIFICATE, SIGNATURE = 0x04000115, 0x04000120

# ---------------------------------------------------------------------- files


def flat() -> bytes:
    """Explicit VR: texts with padding, a group length, elements that cannot be signed, trailing padding."""
    writer = build.Writer()
    return build.meta(build.EXPLICIT_LE) + b"".join(
        (
            writer.element(0x00080000, "UL", (100).to_bytes(4, "little")),
            build.common(writer),
            writer.element(0x00080060, "CS", b"OT"),
            writer.element(0x00080070, "LO", b"Maker "),
            writer.element(0x00090010, "LO", b"INTEROP "),
            writer.element(0x00091001, "UN", b"\1\2\3\4"),
            writer.element(0x00091002, "OB", b"\1\2"),
            writer.element(0x00100010, "PN", b"Doe^Jane"),
            writer.element(0x00280010, "US", b"\2\0"),
            writer.element(0x7FE00010, "OW", b"\1\2\3\4"),
            writer.element(0xFFFCFFFC, "OB", bytes(4)),
        )
    )


def nested() -> bytes:
    """Explicit VR: a sequence in an item of a sequence, and an empty item."""
    writer = build.Writer()
    reference = writer.element(0x00081150, "UI", build.SOP_CLASS) + writer.element(0x00081155, "UI", b"1.2.3.5\0")
    inner = writer.sequence(0x00081199, [writer.item(reference)])
    series = writer.item(inner + writer.element(0x0020000E, "UI", b"1.2\0"))
    return b"".join(
        (
            build.meta(build.EXPLICIT_LE),
            build.common(writer),
            writer.sequence(0x00081115, [series, writer.item(b"")]),
            writer.element(0x00100010, "PN", b"Doe^Jane"),
        )
    )


def encapsulated() -> bytes:
    """JPEG: offset table and two fragments."""
    writer = build.Writer()
    pixels = writer.fragments([bytes(4), b"\xff\xd8\1\2\3\0", b"\4\5\xff\xd9"])
    return build.meta(build.JPEG_BASELINE) + build.image(writer, pixels)


def implicit() -> bytes:
    """Implicit VR with a sequence, private elements and native Pixel Data."""
    return build.meta(build.IMPLICIT_LE) + build.image(build.Writer(explicit=False))


IMPLICIT_VRS = {
    0x00080016: "UI", 0x00080018: "UI", 0x00080060: "CS", 0x00081140: "SQ", 0x00081150: "UI", 0x00081155: "UI",
    0x00090010: "LO", 0x00100010: "PN", 0x00280010: "US", 0x00280011: "US", 0x00280100: "US", 0x7FE00010: "OW",
    0x04000005: "US", 0x04000010: "UI", 0x04000015: "CS", 0x04000020: "AT", 0x04000100: "UI", 0x04000105: "DT",
    0x04000110: "CS", CERTIFICATE: "OB", SIGNATURE: "OB", MAC_PARAMETERS: "SQ", SIGNATURES: "SQ",
}  # fmt: skip


class Case(NamedTuple):
    """A file, how it is written, and whether dcmsign sees every change of it."""

    make: Callable[[], bytes]
    signed_by: str
    undefined_lengths: bool = False
    exhaustive: bool = False


CASES = {
    "flat, ours": Case(flat, "ours", exhaustive=True),
    "flat, dcmsign's": Case(flat, "dcmsign's"),
    "nested, ours": Case(nested, "ours"),
    "nested, dcmsign's": Case(nested, "dcmsign's"),
    "undefined lengths, ours": Case(nested, "ours", undefined_lengths=True),
    "undefined lengths, dcmsign's": Case(nested, "dcmsign's", undefined_lengths=True),
    "encapsulated, ours": Case(encapsulated, "ours"),
    "encapsulated, dcmsign's": Case(encapsulated, "dcmsign's"),
    "implicit, ours": Case(implicit, "ours"),
    "implicit, dcmsign's": Case(implicit, "dcmsign's"),
}


def signed(case: Case, folder: Path) -> bytes:
    """The file of a case with a signature."""
    source, target = folder / "in.dcm", folder / "signed.dcm"
    source.write_bytes(case.make())
    if case.signed_by == "ours":
        anyio.run(partial(sign, source, target, signer=dcmtk.signer("ec"), undefined_lengths=case.undefined_lengths))
    else:
        done = dcmtk.sign(source, target, "ec", "SHA256", *(["-e"] if case.undefined_lengths else []))
        assert done.code == 0, done
    return target.read_bytes()


def mask(position: int) -> int:
    """The bit that is changed; all eight take their turn."""
    return 1 << position % 8


def changed(data: bytes, position: int) -> bytes:
    """The data with one bit of one byte changed."""
    return data[:position] + bytes([data[position] ^ mask(position)]) + data[position + 1 :]


# ---------------------------------------------------------------------- what is protected

UNPROTECTED_ROLES = {
    Role.PREAMBLE: "not part of the data set",
    Role.PREFIX: "not part of the data set",
    Role.RESERVED: "always digested as zeros",
    Role.ITEM_LENGTH: "lengths of items are not digested",
    Role.DELIMITER_LENGTH: "delimiters are digested without their length, if at all",
}
UNPROTECTED_FIELDS = {
    (Role.LENGTH, "SQ"): "lengths of sequences are not digested",
    (Role.VR, CERTIFICATE): "UN stands for any VR; the certificate itself has to be a trusted one",
    (Role.VR, MAC_PARAMETERS): "one text VR is as good as another for the MAC parameters",
}
UNSIGNED = {
    0x00080000: "group lengths are never signed",
    0x00091001: "VR UN",
    0xFFFCFFFC: "Data Set Trailing Padding",
}


def protected(data: bytes, place: Byte, position: int) -> bool:
    """Whether a change of this byte has to be noticed."""
    if not place.path or place.path[0] >> 16 == META or place.path[0] in UNSIGNED or place.role in UNPROTECTED_ROLES:
        return False
    if {(place.role, key) for key in (place.vr, place.path[-1], place.path[0])} & UNPROTECTED_FIELDS.keys():
        return False
    return not same_value(data, place, position)


def same_value(data: bytes, place: Byte, position: int) -> bool:
    """Whether a change touches nothing but padding."""
    if place.role is not Role.VALUE:
        return False
    before, after = data[place.field], changed(data, position)[place.field]
    if place.path[-1] in (CERTIFICATE, SIGNATURE):
        size = 4 + int.from_bytes(before[2:4]) if before[1] == 0x82 else 2 + before[1]  # DER, padded to even length
        return before[:size] == after[:size]
    if place.vr == "UI":
        return _uid(before) == _uid(after)
    return place.vr in ("CS", "DT", "LO", "PN") and before.rstrip(b" \0") == after.rstrip(b" \0")


def _uid(value: bytes) -> bytes:
    return re.sub(rb"[ \t\n\v\f\r]", b"", value).rstrip(b"\0")


# ---------------------------------------------------------------------- where the verdicts differ


STRAY = "BadStructure: (fffe,"


class Change(NamedTuple):
    """A changed byte and what both sides make of it."""

    place: Byte
    same_value: bool
    ours: Outcome
    peer: Outcome


DIFFERENCES: Mapping[str, Callable[[Change], bool]] = {
    # nothing in the meta header is signed; dcmsign goes by its group length, we by the groups of the elements
    "damaged meta header": lambda c: bool(c.place.path) and c.place.path[0] >> 16 == META,
    # lengths that contradict each other: dcmsign reads on somehow, we refuse the file
    "contradicting lengths": lambda c: c.ours.kind == "refused" and c.place.role in (Role.LENGTH, Role.ITEM_LENGTH),
    # a tag has become that of an item or delimiter: we refuse the file, dcmsign drops the element
    "stray delimiter": lambda c: c.ours.kind == "refused" and c.place.role is Role.TAG and c.ours.detail.startswith(STRAY),
    # which check notices a damaged certificate depends on how strictly DER is decoded
    "damaged certificate": lambda c: c.place.path[-1:] == (CERTIFICATE,) and c.ours.kind == c.peer.kind == "bad",
    # for 3.6.7 a NUL at the end belongs to the text; for 3.7.0 and us it is padding
    "NUL as padding": lambda c: c.same_value and c.ours.kind == "ok" and c.peer.kind == "bad",
}


def explained(change: Change) -> bool:
    """Whether the two verdicts are equal or differ for a known reason."""
    return change.ours.agrees(change.peer) or any(applies(change) for applies in DIFFERENCES.values())


# ---------------------------------------------------------------------- tests


@dataclass(frozen=True)
class Peer:
    """dcmsign with a small dictionary."""

    folder: Path
    environment: Mapping[str, str]

    def verdict(self, data: bytes, position: int, *, small: bool = True) -> Outcome:
        """What it says about the data with one byte changed."""
        path = self.folder / f"{position}.dcm"
        path.write_bytes(changed(data, position))
        try:
            return dcmtk.peer_outcome(path, environment=self.environment if small else None)
        finally:
            path.unlink()

    def verdicts(self, data: bytes, positions: Sequence[int]) -> dict[int, Outcome]:
        """The same for many bytes, two at a time."""
        with ThreadPoolExecutor(2) as pool:
            return dict(zip(positions, pool.map(partial(self.verdict, data), positions), strict=True))


def own_verdicts(data: bytes, positions: Sequence[int]) -> list[Outcome]:
    """What this library says about the data, with each of some bytes changed."""

    async def collect() -> list[Outcome]:
        return [await dcmtk.own_outcome(changed(data, position)) for position in positions]

    with dcmtk.quiet():
        return anyio.run(collect)


def seen_by_peer(places: Sequence[Byte], case: Case) -> list[int]:
    """The bytes whose change dcmsign gets to see."""
    return [n for n, place in enumerate(places) if case.exhaustive or _structural(place) or n % 8 == n // 8 % 8]


def _structural(place: Byte) -> bool:
    in_data_set = bool(place.path) and place.path[0] >> 16 != META
    return in_data_set and place.role not in (Role.VALUE, Role.FRAGMENT)


@pytest.mark.parametrize("name", CASES)
def test_every_byte(name: str, tmp_path: Path) -> None:
    case = CASES[name]
    data = signed(case, tmp_path)
    places = layout(data, IMPLICIT_VRS)
    peer = Peer(tmp_path, write_dictionary(tmp_path / "small.dic", tags(places)))
    ours = own_verdicts(data, range(len(data)))
    missed = [(n, places[n], ours[n]) for n in range(len(data)) if protected(data, places[n], n) and not ours[n].caught]
    assert not missed
    verdicts = peer.verdicts(data, seen_by_peer(places, case))
    changes = {n: Change(places[n], same_value(data, places[n], n), ours[n], verdict) for n, verdict in verdicts.items()}
    assert not {n: change for n, change in changes.items() if not explained(change)}
    # the small dictionary makes no difference
    for n in list(verdicts)[:: len(verdicts) // 6]:
        assert peer.verdict(data, n, small=False) == verdicts[n]


def test_every_byte_of_a_deflated_file(tmp_path: Path) -> None:
    writer = build.Writer()
    source, target = tmp_path / "in.dcm", tmp_path / "signed.dcm"
    source.write_bytes(build.meta(build.DEFLATED) + _deflated(build.image(writer)))
    anyio.run(partial(sign, source, target, signer=dcmtk.signer("ec")))
    data = target.read_bytes()
    start = 144 + int.from_bytes(data[140:144], "little")
    content = _inflated(data[start:])
    positions = range(start, len(data))
    peer = Peer(tmp_path, {})
    ours = dict(zip(positions, own_verdicts(data, positions), strict=True))
    verdicts = peer.verdicts(data, positions[::5])
    for n in positions:
        inflated = _inflated(changed(data, n)[start:])
        assert ours[n].caught or inflated is not None
        if inflated == content:
            assert ours[n].kind == "ok"
    # dcmsign takes what it gets from a damaged stream, we refuse it; neither finds the signature good where the other does not
    # input that ends inside an item at the border of an element is refused here only
    stricter = {n for n, verdict in verdicts.items() if ours[n].kind == "refused" and verdict.kind == "ok"}
    differ = {n: (ours[n], verdict) for n, verdict in verdicts.items() if ours[n].caught != verdict.caught}
    assert set(differ) <= stricter, differ


def _deflated(data: bytes) -> bytes:
    deflater = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return deflater.compress(data) + deflater.flush()


def _inflated(data: bytes) -> bytes | None:
    inflater = zlib.decompressobj(wbits=-zlib.MAX_WBITS)
    try:
        content = inflater.decompress(data)
    except zlib.error:
        return None
    return content if inflater.eof else None


# ---------------------------------------------------------------------- what dcmsign leaves out


def large_nested() -> bytes:
    """A nested sequence that does not fit dcmsign's buffer: most of its last two texts is left out."""
    writer = build.Writer()
    deep = [writer.item(writer.element(0x0040A160, "UT", bytes([65 + n]) * 5600)) for n in range(3)]
    inner = writer.sequence(0x0040A730, deep)
    outer = writer.sequence(0x0040A730, [writer.item(inner + writer.element(0x0040DB00, "CS", b"2000"))])
    return build.meta(build.EXPLICIT_LE) + build.common(writer) + outer


def twice_signed(folder: Path) -> bytes:
    """The file with a signature of dcmsign, which leaves something out, and one of ours, which does not."""
    source, first, second = folder / "in.dcm", folder / "first.dcm", folder / "second.dcm"
    source.write_bytes(large_nested())
    done = dcmtk.sign(source, first, "ec", "SHA256")
    assert done.code == 0, done
    anyio.run(partial(sign, first, second, signer=dcmtk.signer("ec")))
    return second.read_bytes()


CORRUPTED = "signature verification failed: signature is invalid (document corrupted)"


def test_every_byte_where_dcmsign_leaves_something_out(tmp_path: Path) -> None:
    data = twice_signed(tmp_path)
    places = layout(data, {})
    halves = [range(0, len(data), 2), range(1, len(data), 2)]
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        results = list(pool.map(own_verdicts, [data, data], halves))
    ours = {n: outcome for half, part in zip(halves, results, strict=True) for n, outcome in zip(half, part, strict=True)}
    # our signature protects everything
    assert not [(n, places[n], ours[n]) for n in ours if protected(data, places[n], n) and not ours[n].caught]
    # dcmsign's does not: part of the last text can be changed, which only our signature notices, and we say so
    nested = [n for n in ours if places[n].path[:1] == (0x0040A730,) and places[n].role is Role.VALUE]
    left_out = [n for n in nested if ours[n].verdicts == ("OK", CORRUPTED)]
    assert len(left_out) > 500
    assert all(places[n].path == (0x0040A730, 0x0040A730, 0x0040A160) and ours[n].incomplete for n in left_out)
    # dcmsign accepts those changes, never accepts our signature, and otherwise thinks as we do
    peer = Peer(tmp_path, write_dictionary(tmp_path / "small.dic", tags(places)))
    verdicts = peer.verdicts(data, sorted({*range(0, len(data), 71), *left_out[::20]}))
    assert all(verdict.verdicts == ("OK", CORRUPTED) for n, verdict in verdicts.items() if n in left_out)
    differing = {}
    for n, verdict in verdicts.items():
        mine = ours[n]
        if mine.verdicts[1:] == ("OK",):
            mine = replace(mine, kind="bad", verdicts=(mine.verdicts[0], CORRUPTED))
        if not explained(Change(places[n], same_value(data, places[n], n), mine, verdict)):
            differing[n] = (ours[n], verdict)
    assert not differing


def test_incomplete_signature_of_ours(tmp_path: Path) -> None:
    """Signed in dcmsign's form: it accepts the file, we say what is not protected, and verdicts on changes are equal."""
    source, target = tmp_path / "in.dcm", tmp_path / "signed.dcm"
    source.write_bytes(large_nested())
    anyio.run(partial(sign, source, target, signer=dcmtk.signer("ec"), stream_format=StreamFormat.DCMTK))
    data = target.read_bytes()
    places = layout(data, {})
    report = anyio.run(partial(verify, data, trust=dcmtk.trust()))
    (found,) = report.signatures
    assert found.ok
    assert not found.coverage.complete
    assert found.coverage.missing_bytes > 500
    peer = Peer(tmp_path, write_dictionary(tmp_path / "small.dic", tags(places)))
    positions = range(0, len(data), 97)
    ours = dict(zip(positions, own_verdicts(data, positions), strict=True))
    verdicts = peer.verdicts(data, positions)
    changes = {n: Change(places[n], same_value(data, places[n], n), ours[n], verdict) for n, verdict in verdicts.items()}
    assert not {n: change for n, change in changes.items() if not explained(change)}
    unnoticed = [n for n in positions if protected(data, places[n], n) and not ours[n].caught]
    assert unnoticed
    assert all(ours[n].incomplete for n in unnoticed)
