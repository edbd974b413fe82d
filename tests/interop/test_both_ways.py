"""Real files, both directions: dcmsign verifies what this library signs, and the other way round."""

from __future__ import annotations

import zlib
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import NamedTuple

import anyio
import pytest
from dcmsign.codec.errors import Error
from dcmsign.stream import StreamFormat, sign, verify
from dcmsign.stream.cli.exit_codes import failure_of

from tests.interop import build, dcmtk
from tests.interop.corpus import CORPUS, SHIPPED, WAYS
from tests.interop.dcmtk import KEYS, MAC_ID_ELEMENTS, MACS, Run
from tests.interop.layout import Role, layout

CANNOT_READ, SIGNING_FAILED = 20, 85

REFUSED = {
    # no DICOM
    **dict.fromkeys(
        (
            "charset_files/FileInfo.txt",
            "palettes/README.md",
            "test_files/README.txt",
            "test_files/crayons.icc",
            "test_files/dicomdirtests/README.txt",
            "test_files/dicomdirtests/TINY_ALPHA/README",
            "test_files/rtplan.dump",
            "test_files/rtstruct.dump",
            "test_files/test1.json",
            "test_files/test_PN.json",
            "test_files/zipMR.gz",
        ),
        CANNOT_READ,
    ),
    "test_files/no_meta.dcm": CANNOT_READ,  # begins with a private element that no heuristic recognises
    "test_files/MR_truncated.dcm": CANNOT_READ,
    "test_files/rtplan_truncated.dcm": CANNOT_READ,
    "test_files/SC_rgb_jpeg.dcm": CANNOT_READ,  # truncated in a private element
    "pydicom-data/emri_small_jpeg_2k_lossless_too_short.dcm": CANNOT_READ,
}
"""Files that neither side signs, with the exit code of both."""

REFUSED_BY_US = {
    # the last item is longer than its sequence and the file; dcmsign takes what is there
    "test_files/dicomdirtests/DICOMDIR-nooffset": CANNOT_READ,
}

REFUSED_BY_3_6_7 = {
    # HTJ2K is known from 3.6.9 on
    "vectors/htj2k",
}

NOTHING_SIGNABLE = {name for name in SHIPPED if "/DICOMDIR" in name}
"""Group 0004 cannot be signed; both sides then write a signature without elements that neither of them accepts."""

UNVERIFIABLE = {
    # an unknown element of undefined length, read back as UN
    "vectors/private-sq-implicit": "signature verification failed: signature contains attribute that is not signable",
    **dict.fromkeys(NOTHING_SIGNABLE, "signature verification failed: DataElementsSigned missing or incorrect"),
}
"""Files whose signatures neither side accepts, with the verdict of both."""

LEFT_OUT = {"vectors/nested-16k", "vectors/nested-16k-items"}
"""Files of which dcmsign digests only a part; ours are made in its form here."""

OLD_TEXTS = {"vectors/string-odd-and-nul"}
"""Files with NUL-padded or odd texts, in which 3.6.7 digests and writes NULs; 3.7.0, like us, does not."""


class Files(NamedTuple):
    """An original and what both sides make of it; the codes are exit codes, or what the command would end with."""

    original: Path
    ours: Path
    peers: Path
    our_dump: Path
    peers_dump: Path
    our_code: int
    peers_code: int


async def sign_with_ours(source: Path, target: Path, key: str, mac: str, **options: object) -> int:
    """Sign and return the exit code the command would have."""
    try:
        await sign(source, target, signer=dcmtk.signer(key), mac_algorithm=mac, **options)  # type: ignore[arg-type]
    except Error as failed:
        failure = failure_of(failed)
        return -1 if failure is None else failure.code
    return 0


def sign_both(name: str, original: Path, folder: Path) -> Files:
    """Sign with both programs at the same time."""
    key, mac = WAYS[name]
    form = StreamFormat.DCMTK if name in LEFT_OUT else StreamFormat.STANDARD
    ours, peers, our_dump, peers_dump = (folder / each for each in ("ours.dcm", "peers.dcm", "ours.mac", "peers.mac"))
    with ThreadPoolExecutor(1) as pool:
        run = pool.submit(dcmtk.sign, original, peers, key, mac, "+d", peers_dump)
        with dcmtk.quiet():
            code = anyio.run(partial(sign_with_ours, original, ours, key, mac, dump=our_dump, stream_format=form))
        return Files(original, ours, peers, our_dump, peers_dump, code, run.result().code)


def data_elements(dump: Path) -> bytes:
    """What was digested, up to the signature item."""
    data = dump.read_bytes()
    end = max(data.rfind(element) for element in MAC_ID_ELEMENTS)
    assert end >= 0
    return data[:end]


@pytest.mark.parametrize("name", CORPUS)
def test_both_ways(name: str, tmp_path: Path) -> None:
    files = sign_both(name, CORPUS[name], tmp_path)
    assert files.our_code == {**REFUSED, **REFUSED_BY_US}.get(name, 0)
    if name in REFUSED or name in REFUSED_BY_3_6_7:
        assert files.peers_code == REFUSED.get(name, SIGNING_FAILED)
        assert not files.peers.exists()
    else:
        assert files.peers_code == 0
    assert files.ours.exists() == (files.our_code == 0)
    if files.our_code == 0 and name not in REFUSED_BY_3_6_7:
        assert set(dcmtk.check(files.ours).verdicts) == {UNVERIFIABLE.get(name, "OK")}
    if name in REFUSED_BY_3_6_7:
        assert anyio.run(partial(verify, files.ours, trust=dcmtk.trust())).ok
    if files.peers_code == 0:
        with dcmtk.quiet():
            report = anyio.run(partial(verify, files.peers, trust=dcmtk.trust()))
        assert {found.reason for found in report.signatures} == {UNVERIFIABLE.get(name, "OK")}
        assert {found.coverage.complete for found in report.signatures} == {name not in LEFT_OUT}
    if files.our_code == files.peers_code == 0 and name not in OLD_TEXTS:
        assert data_elements(files.our_dump) == data_elements(files.peers_dump)


def test_every_combination_of_key_and_algorithm_occurs() -> None:
    succeeding = [name for name in SHIPPED if name not in REFUSED and name not in NOTHING_SIGNABLE]
    assert {WAYS[name] for name in succeeding} == {(key, mac) for key in KEYS for mac in MACS}


@pytest.mark.parametrize("name", sorted(LEFT_OUT))
def test_complete_form_where_dcmsign_leaves_something_out(name: str, tmp_path: Path) -> None:
    """Our usual signature covers everything, so dcmsign cannot accept it; up to where it stops, the streams are equal."""
    dumps = {}
    for form in (StreamFormat.STANDARD, StreamFormat.DCMTK):
        target, dumps[form] = tmp_path / f"{form.value}.dcm", tmp_path / f"{form.value}.mac"
        options = {"stream_format": form, "dump": dumps[form]}
        assert anyio.run(partial(sign_with_ours, CORPUS[name], target, "ec", "SHA256", **options)) == 0
        (found,) = anyio.run(partial(verify, target, trust=dcmtk.trust())).signatures
        assert found.ok
        assert found.coverage.complete == (form is StreamFormat.STANDARD)
        assert dcmtk.check(target).ok == (form is StreamFormat.DCMTK)
        if form is StreamFormat.DCMTK:
            missing = len(data_elements(dumps[StreamFormat.STANDARD])) - len(data_elements(dumps[form]))
            assert found.coverage.missing_bytes == missing > 0
    assert data_elements(dumps[StreamFormat.STANDARD])[:16384] == data_elements(dumps[StreamFormat.DCMTK])[:16384]


# ---------------------------------------------------------------------- each combination in each transfer syntax


def _small_file(syntax: str) -> bytes:
    writer = build.Writer(explicit=syntax != build.IMPLICIT_LE, big=syntax == build.EXPLICIT_BE)
    pixels = writer.fragments([b"", b"\xff\xd8\1\2\3", b"\4\xff\xd9\0"]) if syntax == build.JPEG_BASELINE else None
    content = build.image(writer, pixels)
    if syntax == build.DEFLATED:
        deflater = zlib.compressobj(wbits=-zlib.MAX_WBITS)
        content = deflater.compress(content) + deflater.flush()
    return build.meta(syntax) + content


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("syntax", [build.IMPLICIT_LE, build.EXPLICIT_LE, build.EXPLICIT_BE, build.DEFLATED, build.JPEG_BASELINE])
def test_every_combination(syntax: str, key: str, tmp_path: Path) -> None:
    original = tmp_path / "in.dcm"
    original.write_bytes(_small_file(syntax))

    def signed_by_peer(mac: str) -> tuple[Path, Path, Run]:
        target, dump = tmp_path / f"peers-{mac}.dcm", tmp_path / f"peers-{mac}.mac"
        return target, dump, dcmtk.sign(original, target, key, mac, "+d", dump)

    def checked_by_peer(mac: str) -> Run:
        target, dump = tmp_path / f"ours-{mac}.dcm", tmp_path / f"ours-{mac}.mac"
        assert anyio.run(partial(sign_with_ours, original, target, key, mac, dump=dump)) == 0
        return dcmtk.check(target)

    with ThreadPoolExecutor(2) as pool:
        peers, checks = pool.map(signed_by_peer, MACS), pool.map(checked_by_peer, MACS)
        assert [check.ok for check in checks] == [True] * 6
        for mac, (path, dump, run) in zip(MACS, peers, strict=True):
            assert run.code == 0, run
            report = anyio.run(partial(verify, path, trust=dcmtk.trust()))
            assert report.ok
            assert report.signatures[0].mac_algorithm == mac
            assert data_elements(dump) == data_elements(tmp_path / f"ours-{mac}.mac")


# ---------------------------------------------------------------------- removal


class Parts(NamedTuple):
    """A file taken apart."""

    preamble: bytes
    meta: dict[int, bytes]
    data_set: bytes


SYNTAX_UID, SOP_INSTANCE, GROUP_LENGTH = 0x00020010, 0x00020003, 0x00020000


def parts(path: Path) -> Parts:
    """The preamble, the meta elements and the data set, inflated."""
    data = path.read_bytes()
    start = 144 + int.from_bytes(data[140:144], "little")
    values = {place.path[0]: data[place.field] for place in layout(data[:start], {}) if place.role is Role.VALUE}
    inflate = values[SYNTAX_UID].rstrip(b"\0").decode() == build.DEFLATED
    return Parts(data[:128], values, zlib.decompress(data[start:], -zlib.MAX_WBITS) if inflate else data[start:])


def removed(source: Path, target: Path, *options: str) -> Parts:
    """The file without signatures, as dcmsign writes it."""
    done = dcmtk.run("+ra", *options, source, target)
    assert done.code == 0, done
    return parts(target)


def assert_same_object(without: Parts, original: Parts) -> None:
    """Equal but for what dcmsign 3.6.7 makes up: the instance UID in the meta header, if the data set has none."""
    assert without.data_set == original.data_set
    assert without.preamble == original.preamble
    made_up = {SOP_INSTANCE, GROUP_LENGTH} if without.meta[SOP_INSTANCE] != original.meta[SOP_INSTANCE] else set()
    if made_up:
        for each in (without, original):
            assert each.meta[SOP_INSTANCE].startswith(b"1.2.276.0.7230010.3.1.4.")
            assert each.meta[SOP_INSTANCE] not in each.data_set
    assert without.meta.keys() == original.meta.keys()
    assert {tag: value for tag, value in without.meta.items() if tag not in made_up} == {
        tag: value for tag, value in original.meta.items() if tag not in made_up
    }


REMOVABLE = [name for name in CORPUS if name not in {*REFUSED, *REFUSED_BY_US, *REFUSED_BY_3_6_7, *OLD_TEXTS}]


@pytest.mark.parametrize("name", REMOVABLE)
def test_removal_gives_back_the_original(name: str, tmp_path: Path) -> None:
    key, mac = WAYS[name]
    # sequences and items with undefined lengths for every other file
    undefined = REMOVABLE.index(name) % 2 == 1
    options = ("-e",) if undefined else ()
    with ThreadPoolExecutor(1) as pool:
        original = pool.submit(removed, CORPUS[name], tmp_path / "original.dcm", *options)
        with dcmtk.quiet():
            signed = partial(sign_with_ours, CORPUS[name], tmp_path / "ours.dcm", key, mac, undefined_lengths=undefined)
            assert anyio.run(signed) == 0
        assert_same_object(removed(tmp_path / "ours.dcm", tmp_path / "removed.dcm", *options), original.result())


# ---------------------------------------------------------------------- texts with NULs or of odd length


def texts(data: bytes) -> list[tuple[tuple[int, ...], bytes]]:
    """All values of a file, texts without padding; group lengths depend on the padding."""
    places = layout(data, {})
    seen = {place.field.start: place for place in places if place.role is Role.VALUE and place.path[-1] & 0xFFFF}
    return [(p.path, data[p.field].rstrip(b" \0") if p.vr not in ("OB", "US") else data[p.field]) for p in seen.values()]


@pytest.mark.parametrize("name", sorted(OLD_TEXTS))
def test_old_texts(name: str, tmp_path: Path) -> None:
    """3.6.7 and we agree on the object; once it is in our normal form, on every byte."""
    files = sign_both(name, CORPUS[name], tmp_path)
    assert data_elements(files.our_dump) != data_elements(files.peers_dump)
    normal, rewritten = tmp_path / "normal.dcm", tmp_path / "rewritten.dcm"
    removed(files.ours, normal)
    removed(CORPUS[name], rewritten)
    assert normal.read_bytes() != rewritten.read_bytes()
    assert texts(normal.read_bytes()) == texts(rewritten.read_bytes())
    again = sign_both(name, normal, tmp_path)
    assert data_elements(again.our_dump) == data_elements(again.peers_dump)
    assert data_elements(again.our_dump) == data_elements(files.our_dump)
    assert removed(again.ours, tmp_path / "again.dcm").data_set == parts(normal).data_set


# ---------------------------------------------------------------------- several signatures


def test_signatures_on_top_of_each_other(tmp_path: Path) -> None:
    """Alternately by both sides, all verified by both, all removed by dcmsign."""
    original = SHIPPED["test_files/test-SR.dcm"]
    current = original
    for number, (key, mac) in enumerate(zip((*KEYS, *KEYS), MACS, strict=True)):
        target = tmp_path / f"{number}.dcm"
        if number % 2:
            assert dcmtk.sign(current, target, key, mac).code == 0
        else:
            assert anyio.run(partial(sign_with_ours, current, target, key, mac)) == 0
        current = target
    assert dcmtk.check(current).verdicts == ("OK",) * 6
    report = anyio.run(partial(verify, current, trust=dcmtk.trust()))
    assert report.ok
    assert [found.mac_id for found in report.signatures] == list(range(6))
    without = removed(current, tmp_path / "removed.dcm")
    assert_same_object(without, removed(original, tmp_path / "original.dcm"))


# ---------------------------------------------------------------------- headers that are not as they should be


def test_reserved_bytes_are_digested_as_zeros(tmp_path: Path) -> None:
    """The two bytes behind a VR with 32-bit length; only zeros are allowed (PS3.5 7.1.2), and nobody looks."""
    writer = build.Writer()
    sequence = writer.sequence(0x00081140, [writer.item(writer.element(0x00081155, "UI", b"1.2.3.5\0"))])
    long = writer.element(0x00091002, "OB", b"\1\2") + writer.element(0x7FE00010, "OW", bytes(20000))
    content = build.common(writer) + sequence + writer.element(0x00090010, "LO", b"INTEROP ") + long
    for header in (b"SQ\0\0", b"OB\0\0", b"OW\0\0"):
        assert content.count(header) == 1
        content = content.replace(header, header[:2] + b"\1\xff")
    original = tmp_path / "in.dcm"
    original.write_bytes(build.meta(build.EXPLICIT_LE) + content)
    files = sign_both("vectors/explicit-long", original, tmp_path)
    assert (files.our_code, files.peers_code) == (0, 0)
    assert data_elements(files.our_dump) == data_elements(files.peers_dump)
    assert dcmtk.check(files.ours).ok
    assert anyio.run(partial(verify, files.peers, trust=dcmtk.trust())).ok
    assert removed(files.ours, tmp_path / "a.dcm").data_set == removed(original, tmp_path / "b.dcm").data_set
    assert b"\1\xff" not in files.ours.read_bytes()[128:].partition(b"\xfa\xff\xfa\xff")[0]


ATTRIBUTES = {
    "MAC Calculation Transfer Syntax UID": (0x04000010, "UI", ("LO", "CS", "IS", "US", "AT", "ZZ")),
    "MAC Algorithm": (0x04000015, "CS", ("LO", "AS", "UI", "PN", "US", "ui")),
    "Data Elements Signed": (0x04000020, "AT", ("UL", "US", "at")),
    "MAC ID Number": (0x04000005, "US", ("SS", "AT", "us")),
    "Certificate Type": (0x04000110, "CS", ("LO", "UI", "US", "cs")),
    "Certificate of Signer": (0x04000115, "OB", ("UN", "OW", "UT", "OD", "ob")),
    "Signature": (0x04000120, "OB", ("UN", "OW", "OL", "ob")),
    "Digital Signature DateTime": (0x04000105, "DT", ("LO", "DA", "US")),
}
"""Attribute to tag, right VR and wrong ones."""


@pytest.mark.parametrize("name", ATTRIBUTES)
def test_attributes_with_wrong_vr(name: str, tmp_path: Path) -> None:
    tag, right, wrong = ATTRIBUTES[name]
    data = (dcmtk.VECTORS / "sq-defined.signed.dcm").read_bytes()
    header = build.Writer().tag(tag) + right.encode()
    path = tmp_path / "wrong.dcm"
    for vr in wrong:
        place = data.rindex(header)
        path.write_bytes(data[:place] + header[:4] + vr.encode() + data[place + 6 :])
        ours, peer = anyio.run(dcmtk.own_outcome, path), dcmtk.peer_outcome(path)
        assert ours.agrees(peer), vr


@pytest.mark.parametrize("explicit", [True, False])
def test_meta_elements_in_the_data_set(explicit: bool, tmp_path: Path) -> None:
    """Not allowed (PS3.10 7.1), but once sorted they stand right behind the meta header; its group length tells them apart."""
    writer = build.Writer(explicit=explicit)
    misplaced = writer.element(0x00020010, "UI", b"1.2\0")
    name = writer.element(0x00100010, "PN", b"Doe^Jane")
    original = tmp_path / "in.dcm"
    syntax = build.EXPLICIT_LE if explicit else build.IMPLICIT_LE
    for content in (misplaced + build.common(writer) + name, build.common(writer) + misplaced + name):
        original.write_bytes(build.meta(syntax) + content)
        with dcmtk.quiet():
            files = sign_both("vectors/explicit-long", original, tmp_path)
            assert (files.our_code, files.peers_code) == (0, 0)
            assert data_elements(files.our_dump) == data_elements(files.peers_dump)
            assert dcmtk.check(files.ours).ok
            for path in (files.ours, files.peers):
                assert anyio.run(partial(verify, path, trust=dcmtk.trust())).ok
            assert parts(files.ours).data_set.startswith(misplaced)


@pytest.mark.parametrize("difference", [-40, -26, 26, 1000])
def test_wrong_length_of_the_meta_group(difference: int, tmp_path: Path) -> None:
    """Where the group length is wrong, the elements themselves tell where the meta header ends."""
    original = tmp_path / "in.dcm"
    data = bytearray(build.meta(build.EXPLICIT_BE) + build.image(build.Writer(big=True)))
    data[140:144] = (int.from_bytes(data[140:144], "little") + difference).to_bytes(4, "little")
    original.write_bytes(data)
    assert anyio.run(partial(sign_with_ours, original, tmp_path / "out.dcm", "ec", "SHA256")) == 0
    assert dcmtk.check(tmp_path / "out.dcm").ok
