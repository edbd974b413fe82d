"""Input that is broken, missing or no DICOM, and output that cannot be written: exit code, one clear line, no remains."""

from __future__ import annotations

import os
import re
import shutil
import stat
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import NamedTuple

import anyio
import pytest
from dcmsign.codec.errors import (
    BadStructure,
    EmptyInput,
    FormatError,
    LimitExceeded,
    NotDicom,
    SinkError,
    SourceError,
    Truncated,
)
from dcmsign.stream import KeySigner, sign, verify
from dcmsign.stream.cli.exit_codes import failure_of

from tests.interop import build, dcmtk
from tests.interop.dcmtk import Outcome
from tests.interop.dictionary import write_dictionary
from tests.interop.layout import Byte, Role, layout, tags
from tests.interop.test_tampering import CASES, IMPLICIT_VRS, encapsulated, flat, nested, signed

KEPT = b"an existing output"
KEY, CERTIFICATE = str(dcmtk.VECTORS / "key-ec.pem"), str(dcmtk.VECTORS / "cert-ec.pem")
SIGN = ("+s", KEY, CERTIFICATE)
WRITER = build.Writer()

_DETAIL = re.compile(r"E: (\([0-9a-f]{4},[0-9a-f]{4}\)\S* at )?offset \d+: .+|W: .+")
"""A line in front of the failure: where it is and what is wrong there, or what looked odd before."""


class Done(NamedTuple):
    """How the command ended."""

    code: int
    out: bytes
    lines: tuple[str, ...]


def command(
    *arguments: str | Path,
    folder: Path,
    data: bytes | None = None,
    stdout: int | None = None,
    prefix: Sequence[str] = (),
) -> Done:
    """Run the command as a process of its own; `data` comes through a pipe."""
    done = subprocess.run(
        [*prefix, sys.executable, "-m", "dcmsign.stream", *map(str, arguments)],
        cwd=folder,
        input=b"" if data is None else data,
        stdout=subprocess.PIPE if stdout is None else stdout,
        stderr=subprocess.PIPE,
        timeout=60,
        check=False,
    )
    return Done(done.returncode, done.stdout or b"", tuple(done.stderr.decode().splitlines()))


def assert_failed(done: Done, code: int, line: str) -> None:
    """The exit code, and one line with the failure; a detail may stand in front of it. No traceback."""
    assert (done.code, done.lines[-1], done.out) == (code, line, b"")
    assert len([each for each in done.lines if each.startswith("E: ")]) <= 1
    assert all(_DETAIL.fullmatch(each) for each in done.lines[:-1]), done.lines


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a file to sign, a signed one and an output that exists already."""
    (tmp_path / "in.dcm").write_bytes(flat())
    shutil.copyfile(dcmtk.VECTORS / "explicit-short.signed.dcm", tmp_path / "signed.dcm")
    (tmp_path / "out.dcm").write_bytes(KEPT)
    return tmp_path


@pytest.fixture
def unchanged(folder: Path) -> Callable[[], bool]:
    """Tells whether the folder still holds what it holds now."""

    def contents() -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file() and os.access(path, os.R_OK)}

    before = contents()
    return lambda: contents() == before


def code_of(error: Exception) -> int:
    """The exit code an error of the library leads to."""
    assert isinstance(error, (FormatError, SourceError, SinkError))
    failure = failure_of(error)
    assert failure is not None
    return failure.code


# ---------------------------------------------------------------------- truncated


def boundaries(places: Sequence[Byte]) -> list[int]:
    """Where a field begins: tags, VRs, lengths, values, items, fragments, delimiters; and inside each value."""
    starts = {place.field.start for place in places}
    middles = {(place.field.start + place.field.stop) // 2 for place in places}
    return sorted((starts | middles) - {0, len(places)})


def is_whole(places: Sequence[Byte], end: int) -> bool:
    """Whether something is left that can be read: whole data elements, or zeros, which look like empty data elements."""
    here = places[end]
    between = here.role is Role.TAG and here.field.start == end and len(here.path) == 1
    return end in (64, 128) or (between and end > 132)


@pytest.mark.parametrize("name", [name for name in CASES if name.endswith("ours")])
def test_truncated_everywhere(name: str, tmp_path: Path) -> None:
    """At every structural boundary: refused unless a whole file is left, as dcmsign does."""
    data = signed(CASES[name], tmp_path)
    places = layout(data, IMPLICIT_VRS)
    environment = write_dictionary(tmp_path / "small.dic", tags(places))
    ends = boundaries(places)

    async def own() -> dict[int, Outcome]:
        return {end: await dcmtk.own_outcome(data[:end]) for end in ends}

    def peer(end: int) -> Outcome:
        path = tmp_path / f"{end}.dcm"
        path.write_bytes(data[:end])
        return dcmtk.peer_outcome(path, environment=environment)

    with dcmtk.quiet():
        ours = anyio.run(own)
    with ThreadPoolExecutor(2) as pool:
        peers = dict(zip(ends, pool.map(peer, ends), strict=True))
    unexpected = {end: ours[end] for end in ends if (ours[end].kind != "refused") != is_whole(places, end)}
    assert not unexpected
    differing = [end for end in ends if not ours[end].agrees(peers[end])]
    # behind the header of a sequence dcmsign does not miss what is announced there
    assert all(places[end - 1].role is Role.LENGTH and places[end].role is Role.ITEM for end in differing)
    assert all(ours[end].kind == "refused" for end in differing)


@pytest.mark.parametrize("make", [flat, nested, encapsulated])
def test_signing_truncated_input(make: Callable[[], bytes], folder: Path, unchanged: Callable[[], bool]) -> None:
    """Refused at every boundary inside a data element, from memory and from a stream; the output stays as it was."""
    data = make()
    places = layout(data, {})
    ends = [end for end in boundaries(places) if not is_whole(places, end)]

    async def blocks(end: int) -> AsyncIterator[bytes]:
        yield data[: end // 2]
        yield data[end // 2 : end]

    async def sign_all() -> None:
        for end in ends:
            for source in (data[:end], blocks(end)):
                with pytest.raises((Truncated, BadStructure, NotDicom)) as caught:
                    await sign(source, folder / "out.dcm", signer=dcmtk.signer("ec"))
                assert code_of(caught.value) == 20

    with dcmtk.quiet():
        anyio.run(sign_all)
    assert unchanged()


# ---------------------------------------------------------------------- lengths that lie


def _object(*elements: bytes, syntax: str = build.EXPLICIT_LE) -> bytes:
    return build.meta(syntax) + build.common(WRITER) + b"".join(elements)


def _reference(length: int | None = None) -> bytes:
    return WRITER.element(0x00081155, "UI", b"1.2.3.5\0", length)


NAME = WRITER.element(0x00100010, "PN", b"Doe^Jane")
UNDEFINED = 0xFFFFFFFF
SEQUENCE_END = WRITER.tag(0xFFFEE0DD) + bytes(4)
ITEM_END = WRITER.tag(0xFFFEE00D) + bytes(4)


def _sequence(content: bytes, length: int | None = None) -> bytes:
    return WRITER.element(0x00081140, "SQ", content, length)


def _pixels(content: bytes, length: int | None = UNDEFINED) -> bytes:
    return WRITER.element(0x7FE00010, "OB", content, length)


def _nested(depth: int) -> bytes:
    content = b""
    for _ in range(depth):
        content = WRITER.sequence(0x0040A730, [WRITER.item(content, undefined=True)], undefined=True)
    return content


class Lie(NamedTuple):
    """A file, the errors it leads to, and whether dcmsign does not see through it."""

    data: bytes
    error: type[FormatError] | tuple[type[FormatError], ...]
    only_ours: bool = False


LIES = {
    "value beyond the end": Lie(_object(WRITER.element(0x00100010, "PN", b"Doe^Jane", 100)), Truncated),
    "long value beyond the end": Lie(_object(WRITER.element(0x7FE00010, "OW", bytes(8), 0x7FFFFFFE)), Truncated),
    "nearly undefined length": Lie(_object(WRITER.element(0x7FE00010, "OW", bytes(8), 0xFFFFFFFE)), Truncated),
    "undefined length of a text": Lie(_object(WRITER.element(0x00100010, "UT", b"Doe^Jane", UNDEFINED)), BadStructure),
    "value beyond its item": Lie(_object(_sequence(WRITER.item(_reference(40))), NAME), BadStructure),
    "item beyond its sequence": Lie(_object(_sequence(WRITER.item(_reference(), length=40)), NAME), Truncated, only_ours=True),
    "item beyond the end": Lie(_object(_sequence(WRITER.item(_reference(), length=4000))), Truncated, only_ours=True),
    "item too short": Lie(_object(_sequence(WRITER.item(_reference(), length=10)), NAME), BadStructure),
    "sequence beyond the end": Lie(_object(_sequence(WRITER.item(_reference()), 4000)), Truncated),
    "sequence into the next element": Lie(_object(_sequence(WRITER.item(_reference()), 32), NAME), BadStructure),
    "inner sequence beyond its item": Lie(
        _object(_sequence(WRITER.item(WRITER.element(0x00081199, "SQ", WRITER.item(_reference()), 60))), NAME), BadStructure
    ),
    "sequence without end": Lie(_object(_sequence(WRITER.item(_reference()), UNDEFINED)), Truncated),
    "item without end": Lie(_object(_sequence(WRITER.item(_reference(), length=UNDEFINED), UNDEFINED)), Truncated),
    "no items in a sequence": Lie(_object(_sequence(_reference()), NAME), BadStructure),
    "delimiter in an item of defined length": Lie(
        _object(_sequence(WRITER.item(_reference() + ITEM_END + _reference())), NAME), BadStructure
    ),
    "delimiter in a sequence of defined length": Lie(
        _object(_sequence(SEQUENCE_END + WRITER.item(_reference())), NAME), BadStructure
    ),
    "delimiter of an item at top level": Lie(_object(ITEM_END, NAME), BadStructure, only_ours=True),
    "delimiter of a sequence at top level": Lie(_object(SEQUENCE_END, NAME), BadStructure),
    "item at top level": Lie(_object(WRITER.item(_reference()), NAME), BadStructure),
    "fragment beyond the end": Lie(
        _object(_pixels(WRITER.item(b"") + WRITER.item(bytes(8), length=4000)), syntax=build.JPEG_BASELINE), Truncated
    ),
    "fragment of undefined length": Lie(
        _object(_pixels(WRITER.item(bytes(8), length=UNDEFINED) + SEQUENCE_END), syntax=build.JPEG_BASELINE), BadStructure
    ),
    "fragments without end": Lie(_object(_pixels(WRITER.item(bytes(8))), syntax=build.JPEG_BASELINE), Truncated),
    "no fragments": Lie(_object(_pixels(_reference() + SEQUENCE_END), syntax=build.JPEG_BASELINE), BadStructure),
    "native pixels in JPEG": Lie(_object(_pixels(bytes(8), 8), syntax=build.JPEG_BASELINE), BadStructure),
    "bytes that are no element": Lie(_object(NAME, b"\x10\0\x20"), Truncated),
    "meta element beyond the end": Lie(build.meta(build.EXPLICIT_LE)[:-8] + b"\xff\xff1.2.3\0", Truncated),
    "nested too deep": Lie(_object(_nested(65)), LimitExceeded, only_ours=True),
    "nested without end": Lie(_object(_nested(3000)), LimitExceeded, only_ours=True),
}


@pytest.mark.parametrize("name", LIES)
def test_lengths_that_lie(name: str, folder: Path) -> None:
    data, error, only_ours = LIES[name]
    path, out = folder / "lie.dcm", folder / "out.dcm"
    path.write_bytes(data)

    async def blocks() -> AsyncIterator[bytes]:
        for start in range(0, len(data), 50):
            yield data[start : start + 50]

    async def fail_everywhere() -> None:
        for source in (path, data, blocks()):
            with pytest.raises(error):
                await verify(source)
        for source in (path, data, blocks()):
            with pytest.raises(error):
                await sign(source, out, signer=dcmtk.signer("ec"))

    with dcmtk.quiet():
        anyio.run(fail_everywhere)
    assert out.read_bytes() == KEPT
    peer = dcmtk.run("+rg", path)
    assert (peer.code == 20) is not only_ours, peer


def test_nesting_that_is_not_too_deep(folder: Path) -> None:
    path = folder / "deep.dcm"
    path.write_bytes(_object(_nested(64)))
    anyio.run(partial(sign, path, folder / "out.dcm", signer=dcmtk.signer("ec")))
    assert dcmtk.check(folder / "out.dcm").ok


def test_item_longer_than_its_sequence(folder: Path) -> None:
    """While it ends inside the file, such an item takes in what follows, as it does for dcmsign."""
    path, ours, peers = folder / "long.dcm", folder / "out.dcm", folder / "peers.dcm"
    content = _reference() + NAME
    behind = WRITER.element(0x00280010, "US", b"\2\0")
    path.write_bytes(_object(_sequence(WRITER.item(_reference(), length=len(content))), NAME, behind))
    with dcmtk.quiet():
        receipt = anyio.run(partial(sign, path, ours, signer=dcmtk.signer("ec"), dump=folder / "ours.mac"))
    assert receipt.tags_signed == (0x00080016, 0x00080018, 0x00081140, 0x00280010)
    assert dcmtk.sign(path, peers, "ec", "SHA256", "+d", folder / "peers.mac").code == 0
    assert dcmtk.check(ours).ok
    assert anyio.run(partial(verify, peers, trust=dcmtk.trust())).ok


# ---------------------------------------------------------------------- no DICOM, nothing, no access


def without_privileges() -> tuple[str, ...]:
    """What to put in front of a command so that file modes count for it, even for root."""
    if os.geteuid() != 0:
        return ()
    program = shutil.which("setpriv")
    prefix = (program or "", "--bounding-set=-dac_override,-dac_read_search")
    if program is None or subprocess.run([*prefix, "true"], capture_output=True, check=False).returncode:
        pytest.skip("root ignores file modes, and setpriv cannot take that privilege away")
    return prefix


PREMATURE, END = "I/O suspension or premature end of stream", "End of stream"
INPUTS = {
    "empty": (b"", END),
    "text": (b"hello world, this is a text file\n" * 10, PREMATURE),
    "PNG": (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + bytes(range(200)), PREMATURE),
    "random": (bytes(n * n * 31 % 251 for n in range(3000)), PREMATURE),
    "nothing behind the prefix": (b"x" * 128 + b"DICM", PREMATURE),
    "truncated": (flat()[:-60], PREMATURE),
    "contradiction": (LIES["no items in a sequence"].data, "Invalid stream"),
}
"""Contents and what is wrong with them."""


@pytest.mark.parametrize("name", INPUTS)
@pytest.mark.parametrize("arguments", [("+rg",), SIGN], ids=["verify", "sign"])
def test_bad_contents(name: str, arguments: tuple[str, ...], folder: Path, unchanged: Callable[[], bool]) -> None:
    """From a file and through a pipe."""
    data, text = INPUTS[name]
    target = () if arguments == ("+rg",) else ("out.dcm",)
    done = command(*arguments, "-", *target, folder=folder, data=data)
    assert_failed(done, 20, f"F: {text}: reading file: -")
    assert unchanged()
    (folder / "bad.dcm").write_bytes(data)
    done = command(*arguments, "bad.dcm", *target, folder=folder)
    assert_failed(done, 20, f"F: {text}: reading file: bad.dcm")
    assert dcmtk.run(*arguments, folder / "bad.dcm", *(folder / each for each in target)).code == 20
    (folder / "bad.dcm").unlink()
    assert unchanged()


UNREADABLE = {
    "a directory": ("", 20, "F: Is a directory: reading file: {}"),
    "missing": ("missing.dcm", 20, "F: No such file or directory: reading file: {}"),
    "below a file": ("in.dcm/x", 20, "F: Not a directory: reading file: {}"),
    "empty device": ("/dev/null", 20, "F: End of stream: reading file: {}"),
}


@pytest.mark.parametrize("name", UNREADABLE)
@pytest.mark.parametrize("arguments", [("+rg",), SIGN], ids=["verify", "sign"])
def test_nothing_to_read(name: str, arguments: tuple[str, ...], folder: Path, unchanged: Callable[[], bool]) -> None:
    source, code, line = UNREADABLE[name]
    path = source or str(folder)
    target = () if arguments == ("+rg",) else ("out.dcm",)
    assert_failed(command(*arguments, path, *target, folder=folder), code, line.format(path))
    assert dcmtk.run(*arguments, folder / path, *(folder / each for each in target)).code == code
    assert unchanged()


def test_no_name(folder: Path, unchanged: Callable[[], bool]) -> None:
    assert_failed(command("+rg", "", folder=folder), 21, "F: invalid filename: <empty string>")
    assert_failed(command(*SIGN, "in.dcm", "", folder=folder), 40, "F: Invalid filename: writing file: ")
    assert unchanged()


def test_errors_of_the_library(folder: Path, unchanged: Callable[[], bool]) -> None:
    """The same as exceptions that name the file, for paths, contents and file objects."""

    async def fail() -> None:
        for source, kind in ((folder, SourceError), (folder / "missing", SourceError), (folder / "nul\0", SourceError)):
            with pytest.raises(kind) as caught:
                await verify(source)
            assert caught.value.path == str(source)
            with pytest.raises(kind):
                await sign(source, folder / "out.dcm", signer=dcmtk.signer("ec"))
        with pytest.raises(EmptyInput):
            await verify(b"")
        with (folder / "in.dcm").open("rb") as file:
            file.seek(0, os.SEEK_END)
            with pytest.raises(EmptyInput):
                await sign(file, folder / "out.dcm", signer=dcmtk.signer("ec"))
        for target in (folder, folder / "missing" / "out.dcm", folder / "nul\0", Path("/dev/full")):
            with pytest.raises(SinkError) as failed:
                await sign(folder / "in.dcm", target, signer=dcmtk.signer("ec"))
            assert failed.value.path == str(target)

    anyio.run(fail)
    assert unchanged()


def test_no_permission_to_read(folder: Path, unchanged: Callable[[], bool]) -> None:
    prefix = without_privileges()
    (folder / "secret.dcm").write_bytes(flat())
    (folder / "secret.dcm").chmod(0)
    line = "F: Permission denied: reading file: secret.dcm"
    assert_failed(command("+rg", "secret.dcm", folder=folder, prefix=prefix), 20, line)
    assert_failed(command(*SIGN, "secret.dcm", "out.dcm", folder=folder, prefix=prefix), 20, line)
    (folder / "secret.dcm").unlink()
    assert unchanged()


# ---------------------------------------------------------------------- output that cannot be written


@pytest.mark.parametrize(
    ("target", "text"),
    [
        ("folder", "Is a directory"),
        ("missing/out.dcm", "No such file or directory"),
        ("in.dcm/out.dcm", "Not a directory"),
        ("/dev/full", "No space left on device"),
    ],
)
def test_no_way_to_write(target: str, text: str, folder: Path, unchanged: Callable[[], bool]) -> None:
    (folder / "folder").mkdir()
    done = command(*SIGN, "in.dcm", target, folder=folder)
    assert_failed(done, 40, f"F: {text}: writing file: {target}")
    if target != "/dev/full":  # 3.6.7 says nothing about a full device and exits with 0
        assert dcmtk.run(*SIGN, folder / "in.dcm", folder / target).code == 40
    assert list((folder / "folder").iterdir()) == []
    assert unchanged()


def test_standard_output_on_a_full_device(folder: Path, unchanged: Callable[[], bool]) -> None:
    with open("/dev/full", "wb") as full:
        done = command(*SIGN, "in.dcm", "-", folder=folder, stdout=full.fileno())
    assert_failed(done, 40, "F: No space left on device: writing file: -")
    assert unchanged()


@pytest.mark.parametrize("target", ["new.dcm", "out.dcm", "in.dcm"])
def test_folder_without_permission(target: str, folder: Path, unchanged: Callable[[], bool]) -> None:
    """Neither a new file nor an existing one, the input included, can be written where no file may be made."""
    prefix = without_privileges()
    folder.chmod(stat.S_IRUSR | stat.S_IXUSR)
    try:
        done = command(*SIGN, "in.dcm", target, folder=folder, prefix=prefix)
        assert_failed(done, 40, f"F: Permission denied: writing file: {target}")
        assert unchanged()
    finally:
        folder.chmod(stat.S_IRWXU)


@pytest.mark.parametrize("target", ["new.dcm", "out.dcm", "in.dcm"])
def test_disk_that_fills_up(target: str, folder: Path, unchanged: Callable[[], bool]) -> None:
    """Writing fails in the middle: what was there stays, what was begun goes."""
    shell = shutil.which("bash")
    if shell is None:
        pytest.skip("no bash to set a limit with")
    (folder / "in.dcm").write_bytes(_object(WRITER.element(0x7FE00010, "OW", bytes(3 << 20))))
    limited = (shell, "-c", 'ulimit -f 2048; exec "$@"', "bash")
    before = (folder / "in.dcm").read_bytes()
    done = command(*SIGN, "in.dcm", target, folder=folder, prefix=limited)
    assert_failed(done, 40, f"F: File too large: writing file: {target}")
    assert (folder / "in.dcm").read_bytes() == before
    (folder / "in.dcm").write_bytes(flat())
    assert unchanged()


# ---------------------------------------------------------------------- other failures on the way to an output


FAILURES = {
    "certificate missing": (
        ("+s", KEY, "missing.pem"),
        20,
        "F: file cannot be read: while loading certificate file 'missing.pem'",
    ),
    "key missing": (
        ("+s", "missing.pem", CERTIFICATE),
        20,
        "F: file cannot be read: while loading private key file 'missing.pem'",
    ),
    "key is a certificate": (
        ("+s", CERTIFICATE, CERTIFICATE),
        20,
        f"F: file cannot be read: while loading private key file '{CERTIFICATE}'",
    ),
    "wrong key": (
        ("+s", str(dcmtk.VECTORS / "key-rsa.pem"), CERTIFICATE),
        85,
        "E: certificate and private key do not match while creating signature in main dataset",
    ),
    "dump folder missing": ((*SIGN, "+d", "missing/dump"), 46, "F: unable to create dump file 'missing/dump'"),
}


@pytest.mark.parametrize("target", ["out.dcm", "in.dcm"])
@pytest.mark.parametrize("name", FAILURES)
def test_failures_leave_the_output_alone(name: str, target: str, folder: Path, unchanged: Callable[[], bool]) -> None:
    arguments, code, line = FAILURES[name]
    assert_failed_signing(command(*arguments, "in.dcm", target, folder=folder), code, line)
    assert unchanged()
    assert dcmtk.run(*arguments, folder / "in.dcm", folder / target).code == code
    assert unchanged()


def assert_failed_signing(done: Done, code: int, line: str) -> None:
    """One line, and that is all."""
    assert done == (code, b"", (line,))


def test_signer_that_fails(folder: Path, unchanged: Callable[[], bool]) -> None:
    """A key service that breaks down after everything else has been written."""

    def partly_written() -> bool:
        return any(path.name.startswith(".") for path in folder.iterdir())

    class Broken:
        certificate = dcmtk.signer("ec").certificate

        async def sign_digest(self, digest: bytes, mac_algorithm: str) -> bytes:
            assert partly_written()
            raise ConnectionError("the key service is gone")

    async def fail(target: Path) -> None:
        with pytest.raises(ConnectionError):
            await sign(folder / "in.dcm", target, signer=Broken())

    for name in ("new.dcm", "out.dcm", "in.dcm"):
        anyio.run(fail, folder / name)
        assert unchanged()


def test_key_that_does_not_belong_to_the_certificate(folder: Path, unchanged: Callable[[], bool]) -> None:
    """Found out by checking the new signature, where the signer itself does not notice."""

    class Wrong:
        certificate = dcmtk.signer("ec").certificate

        async def sign_digest(self, digest: bytes, mac_algorithm: str) -> bytes:
            other: KeySigner = dcmtk.signer("rsa")
            return await other.sign_digest(digest, mac_algorithm)

    async def fail() -> None:
        with pytest.raises(Exception, match="does not verify"):
            await sign(folder / "in.dcm", folder / "in.dcm", signer=Wrong())

    anyio.run(fail)
    assert unchanged()


@pytest.mark.parametrize("name", ["in.dcm", "link.dcm"])
def test_signing_in_place(name: str, folder: Path) -> None:
    """It works, keeps mode and links, and leaves nothing else."""
    (folder / "in.dcm").chmod(0o640)
    (folder / "link.dcm").symlink_to("in.dcm")
    before = {path.name for path in folder.iterdir()}
    assert command(*SIGN, "+m2", name, name, folder=folder) == (0, b"", ())
    assert {path.name for path in folder.iterdir()} == before
    assert stat.S_IMODE((folder / "in.dcm").stat().st_mode) == 0o640
    assert (folder / "link.dcm").is_symlink()
    assert dcmtk.check(folder / "in.dcm").ok
