"""Files: who may read them while they are made and afterwards, and what somebody else in the same directory can do."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import anyio
import pytest
from dcmsign.codec.errors import SinkError
from dcmsign.stream import KeySigner, Signer, sign
from dcmsign.stream.io.sinks import FileSink
from dcmsign.stream.io.spool import Spool, Window

from tests.cli.test_cli_process import COMMAND
from tests.stream.leaks import open_descriptors
from tests.stream.material import MAC_VECTORS, listing

SMALL = MAC_VECTORS / "explicit-short.dcm"
KEY, CERTIFICATE = MAC_VECTORS / "key-rsa.pem", MAC_VECTORS / "cert-rsa.pem"
ALICE, BOB, RADIOLOGY = 51001, 51002, 52001
SHARED = 0o1777
"""Mode of a directory like /tmp."""

only_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can act for several users")


@pytest.fixture
def signer() -> KeySigner:
    return KeySigner.load(KEY, CERTIFICATE)


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


@pytest.fixture
def narrow_umask() -> Iterator[None]:
    before = os.umask(0o027)
    yield
    os.umask(before)


def signed(target: Path, signer: Signer) -> None:
    async def run() -> None:
        await sign(SMALL, target, signer=signer)

    anyio.run(run)


# ---------------------------------------------------------------- modes


@pytest.mark.parametrize(("old", "while_made", "after"), [(None, 0o640, 0o640), (0o600, 0o600, 0o600), (0o664, 0o600, 0o664)])
def test_modes(old: int | None, while_made: int, after: int, tmp_path: Path, narrow_umask: None) -> None:
    """At no time may anybody read the unfinished file who may not read the finished one."""
    target = tmp_path / "out.dcm"
    if old is not None:
        target.write_bytes(b"old")
        target.chmod(old)
    sink = FileSink(str(target))
    (temporary,) = tmp_path.glob(".out.dcm.*.dcmsign-part")
    assert mode_of(temporary) == while_made
    sink.write([b"new"])
    assert mode_of(temporary) == while_made
    sink.commit()
    assert (mode_of(target), target.read_bytes(), listing(tmp_path)) == (after, b"new", {"out.dcm"})


def test_the_mode_while_signing(signer: KeySigner, tmp_path: Path) -> None:
    """Seen by somebody who looks just before the object is published."""
    target, seen = tmp_path / "out.dcm", list[int]()
    target.write_bytes(b"old")
    target.chmod(0o644)

    def look() -> None:
        seen.extend(mode_of(path) for path in tmp_path.glob(".*.dcmsign-part"))
        assert target.read_bytes() == b"old"

    class Looking:
        certificate = signer.certificate

        async def sign_digest(self, digest: bytes, mac_algorithm: str) -> bytes:
            look()
            return await signer.sign_digest(digest, mac_algorithm)

    signed(target, Looking())
    assert set(seen) <= {0o600}
    assert mode_of(target) == 0o644


@pytest.mark.parametrize("make", [lambda: Spool(0), lambda: Window(memory=0)])
def test_spools_are_nobody_elses(make: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They have no name, and a mode with which a name would not help."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    before = open_descriptors()
    store = make()  # type: ignore[operator]
    (store.write if isinstance(store, Spool) else store.append)(b"patient data" * 1000)
    opened = [number for number in open_descriptors() if number not in before]
    found = [os.fstat(int(number)) for number in opened]
    assert [(stat.S_IMODE(each.st_mode), each.st_nlink) for each in found] == [(0o600, 0)]
    assert listing(tmp_path) == set()
    store.close()


def drop_to(user: int, groups: list[int], code: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run Python code as another user; what it needs is imported before."""
    start = "import os, sys\nfrom dcmsign.stream.io.sinks import FileSink\n"
    start += f"os.setgroups({groups}); os.setresgid({user}, {user}, {user}); os.setresuid({user}, {user}, {user})\n"
    command = [sys.executable, "-c", start + code, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


REPLACE = "sink = FileSink(sys.argv[1]); sink.write([b'new']); sink.commit()"


@only_root
@pytest.mark.parametrize(
    ("groups", "mode", "group", "after"),
    [
        ([], 0o640, BOB, 0o600),  # those who may read it now are others
        ([], 0o664, BOB, 0o644),
        ([], 0o604, BOB, 0o604),
        ([RADIOLOGY], 0o640, RADIOLOGY, 0o640),
        ([], 0o6755, BOB, 0o755),  # it would run as somebody else
    ],
)
def test_nobody_gains_from_a_replacement(groups: list[int], mode: int, group: int, after: int) -> None:
    """Bob may replace Alice's file; it becomes his, and her group's rights do not become his group's."""
    with tempfile.TemporaryDirectory() as name:  # pytest's own directories are for its user only
        folder = Path(name)
        folder.chmod(0o777)
        target = folder / "image.dcm"
        target.write_bytes(b"old")
        os.chown(target, ALICE, RADIOLOGY)
        target.chmod(mode)
        done = drop_to(BOB, groups, REPLACE, target)
        assert done.returncode == 0, done.stderr
        found = target.stat()
        assert (found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode)) == (BOB, group, after)
        assert target.read_bytes() == b"new"


# ---------------------------------------------------------------- links and names


@only_root
@pytest.mark.parametrize("chain", [False, True])
def test_links_planted_in_a_shared_directory(chain: bool, signer: KeySigner) -> None:
    """Mallory puts a link where root is going to write: its destination stays as it is."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(SHARED)
        precious = folder / "precious"
        precious.write_bytes(b"precious")
        os.symlink(precious, folder / "out.dcm")
        os.lchown(folder / "out.dcm", ALICE, ALICE)
        target = folder / "out.dcm"
        if chain:
            os.symlink("out.dcm", folder / "link.dcm")  # root's own, to Alice's
            target = folder / "link.dcm"
        with pytest.raises(SinkError, match="Permission denied"):
            signed(target, signer)
        done = subprocess.run(
            [*COMMAND, "+m2", "+s", KEY, CERTIFICATE, SMALL, target], capture_output=True, timeout=60, check=False
        )
        assert (done.returncode, b"Permission denied" in done.stderr) == (40, True), done.stderr
        assert precious.read_bytes() == b"precious"
        assert not [entry for entry in listing(folder) if entry.endswith("part")]


@only_root
def test_links_that_are_no_trap(signer: KeySigner) -> None:
    """One's own, one of the directory's owner, and any in a directory that is not shared."""
    for mode, owner, of_folder in ((SHARED, 0, ALICE), (SHARED, BOB, BOB), (0o755, BOB, 0), (0o777, BOB, 0)):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            folder.chmod(mode)
            os.chown(folder, of_folder, of_folder)
            (folder / "data").mkdir()
            os.symlink("data/real.dcm", folder / "out.dcm")
            os.lchown(folder / "out.dcm", owner, owner)
            signed(folder / "out.dcm", signer)
            assert (folder / "out.dcm").is_symlink()
            assert listing(folder / "data") == {"real.dcm"}


def test_links_to_themselves(signer: KeySigner, tmp_path: Path) -> None:
    (tmp_path / "loop.dcm").symlink_to("loop.dcm")
    with pytest.raises(SinkError):
        signed(tmp_path / "loop.dcm", signer)
    assert listing(tmp_path) == {"loop.dcm"}


def test_temporary_names_cannot_be_foreseen(tmp_path: Path) -> None:
    sinks = [FileSink(str(tmp_path / "out.dcm")) for _ in range(50)]
    names = listing(tmp_path)
    assert len(names) == 50
    assert all(len(name.split(".")[-2]) == 12 for name in names)
    for sink in sinks:
        sink.abort()


@pytest.mark.parametrize("kind", ["file", "link", "dangling", "folder", "pipe"])
def test_a_temporary_name_that_is_taken(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever guesses the name all the same, gains nothing: what is there is neither followed nor opened."""
    monkeypatch.setattr(os, "urandom", lambda size: bytes(size))
    precious, taken = tmp_path / "precious", tmp_path / f".out.dcm.{'00' * 6}.dcmsign-part"
    precious.write_bytes(b"precious")
    take: dict[str, Callable[[], object]] = {
        "file": lambda: taken.write_bytes(b"theirs"),
        "link": lambda: taken.symlink_to(precious),
        "dangling": lambda: taken.symlink_to(tmp_path / "later"),
        "folder": taken.mkdir,
        "pipe": lambda: os.mkfifo(taken),
    }
    take[kind]()
    before = listing(tmp_path)
    with pytest.raises(OSError, match="File exists"):
        FileSink(str(tmp_path / "out.dcm"))
    assert listing(tmp_path) == before
    assert precious.read_bytes() == b"precious"


def test_other_names_of_a_file_keep_what_they_had(signer: KeySigner, tmp_path: Path) -> None:
    """A replaced file is a new one: its other hard links are not written through."""
    target, other = tmp_path / "out.dcm", tmp_path / "other.dcm"
    target.write_bytes(b"old")
    os.link(target, other)
    signed(target, signer)
    assert other.read_bytes() == b"old"
    assert target.read_bytes() != b"old"
