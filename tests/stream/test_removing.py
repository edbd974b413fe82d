"""Removing signatures: whatever the source and the target, the same bytes; nothing half done; what stays, stays valid."""

from __future__ import annotations

import io
import logging
import subprocess
import sys
import zlib
from collections.abc import AsyncIterator, Callable, Coroutine
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import pytest
from dcmsign.codec.errors import (
    Error,
    FormatError,
    LimitExceeded,
    PlanMismatch,
    RemovalError,
    SignatureNotFound,
    SinkError,
    SourceError,
    UnsupportedSyntax,
)
from dcmsign.stream import KeySigner, RemovalReport, RemovedSignature, Trust, open_remover, remove, remove_all, sign, verify
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.codec import signature_trees as model
from tests.codec.signature_trees import Case
from tests.stream import leaks
from tests.stream.interrupts import CANCELLERS, cancelled_everywhere
from tests.stream.material import MAC_VECTORS, element, head, image, listing, meta, noise, noon, sequence, stream
from tests.stream.test_memory import LIMIT, SIZE
from tests.stream.test_unordered import deflated, reshuffle
from tests.stream.ways import SOURCES, TARGETS, consume

Run = Callable[..., object]

IMAGES = 0x00081140
PLACES: tuple[tuple[tuple[int, int], ...], ...] = (((IMAGES, 0),), (), ((IMAGES, 1),), ((IMAGES, 0),), ())
"""Where the object is signed, in this order."""

ORIGINAL = image(noise(300_000))


def uid_of(number: int) -> str:
    return f"1.2.9.{number}"


def stored() -> str:
    return "1.2.3"


def _signed() -> bytes:
    """An object with five signatures on three levels; the n-th one has the UID 1.2.9.n."""
    signer = KeySigner.load(MAC_VECTORS / "key-ec.pem", MAC_VECTORS / "cert-ec.pem")

    async def main() -> bytes:
        data = ORIGINAL
        for number, place in enumerate(PLACES):
            output = io.BytesIO()
            await sign(data, output, signer=signer, location=place, clock=noon, uids=partial(uid_of, number))
            data = output.getvalue()
        return data

    return anyio.run(main)


SIGNED = _signed()


def _without(number: int | None) -> bytes:
    """The object without one signature, or without any."""

    async def main() -> bytes:
        output = io.BytesIO()
        if number is None:
            await remove_all(ORIGINAL, output, uids=stored)
        else:
            await remove(SIGNED, output, uid=uid_of(number), uids=stored)
        return output.getvalue()

    return anyio.run(main)


EXPECTED = {number: _without(number) for number in (None, *range(len(PLACES)))}


def content(path: Path) -> bytes:
    """The bytes of a file."""
    return path.read_bytes()


def data_set(output: bytes, *, inflate: bool = False) -> bytes:
    """An output without meta header, inflated if wanted."""
    rest = output[144 + int.from_bytes(output[140:144], "little") :]
    return zlib.decompress(rest, -zlib.MAX_WBITS) if inflate else rest


# ---------------------------------------------------------------- what goes and what stays


@pytest.mark.anyio
@pytest.mark.parametrize("number", range(len(PLACES)))
async def test_the_others_stay_valid(number: int, trust: Trust) -> None:
    before = await verify(SIGNED, trust=trust)
    assert before.ok
    report = await verify(EXPECTED[number], trust=trust)
    assert report.ok
    assert [found.uid for found in report.signatures] == [f.uid for f in before.signatures if f.uid != uid_of(number)]


@pytest.mark.anyio
async def test_nothing_is_left_of_all() -> None:
    """One after the other in any order, or all at once: the object is what it was, in the normal form of this library."""
    for order in ((0, 1, 2, 3, 4), (4, 2, 0, 3, 1)):
        data = SIGNED
        for number in order:
            output = io.BytesIO()
            report = await remove(data, output, uid=uid_of(number), uids=stored)
            assert report == RemovalReport((RemovedSignature(uid_of(number), PLACES[number]),))
            data = output.getvalue()
        assert data == EXPECTED[None]
    output = io.BytesIO()
    report = await remove_all(SIGNED, output, uids=stored)
    assert output.getvalue() == EXPECTED[None]
    assert [(entry.uid, entry.location) for entry in report.removed] == [(uid_of(n), PLACES[n]) for n in (0, 3, 2, 1, 4)]
    assert b"2.25.42" in EXPECTED[None]


@pytest.mark.anyio
async def test_the_first_of_equal_uids(trust: Trust) -> None:
    """In the order in which verifying lists them; the main data set comes last."""
    twins = SIGNED
    for number in range(1, 5):
        twins = twins.replace(uid_of(number).encode(), uid_of(0).encode())
    for place in (PLACES[0], PLACES[0], PLACES[2], (), ()):
        output = io.BytesIO()
        report = await remove(twins, output, uid=uid_of(0), uids=stored)
        assert report.removed == (RemovedSignature(uid_of(0), place),)
        twins = output.getvalue()
    assert twins == EXPECTED[None]


@settings(max_examples=25)
@given(model.cases(whole=True), st.integers(1, 500))
def test_random_objects(case: Case, size: int) -> None:
    """In two passes and in one, each gives what the model says."""

    async def blocks() -> AsyncIterator[bytes]:
        for start in range(0, len(case.data), size):
            yield case.data[start : start + size]

    async def main() -> None:
        twice, once = io.BytesIO(), io.BytesIO()
        first = await remove_all(case.data, twice, undefined_lengths=case.undefined)
        second = await remove_all(blocks(), once, undefined_lengths=case.undefined, one_pass=True)
        tree = case.read
        for _, steps in first.removed:
            tree = model.without(tree, steps, 0)
        expected = case._replace(target=case.source).written(tree)
        for output in (twice.getvalue(), once.getvalue()):
            assert data_set(output, inflate=case.deflated) == expected
        assert first == second
        assert sorted(steps for _, steps in first.removed) == sorted(
            steps
            for steps in model.levels_with_signatures(case.read)
            for _ in model.items(model.at(case.read, steps), model.SIGNATURES)
        )

    anyio.run(main)


# ---------------------------------------------------------------- sources and targets


@pytest.mark.anyio
@pytest.mark.parametrize("kind", SOURCES)
async def test_sources(kind: str, tmp_path: Path) -> None:
    for number in (None, 2):
        output = io.BytesIO()
        async with SOURCES[kind](SIGNED, tmp_path) as source:
            if number is None:
                await remove_all(source, output, uids=stored)
            else:
                await remove(source, output, uid=uid_of(number), uids=stored)
        assert output.getvalue() == EXPECTED[number]


@pytest.mark.anyio
@pytest.mark.parametrize("kind", TARGETS)
async def test_targets(kind: str, tmp_path: Path) -> None:
    async with TARGETS[kind](tmp_path) as (target, taken):
        await remove_all(SIGNED, target, uids=stored)
        assert taken() == EXPECTED[None]


@pytest.mark.anyio
@pytest.mark.parametrize("kind", ["path", "async iterable", "receive stream of bytes", "anyio file"])
async def test_forwarding(kind: str, tmp_path: Path) -> None:
    for number in (None, 3):
        blocks: list[bytes] = []
        async with SOURCES[kind](SIGNED, tmp_path) as source:
            run = await consume(open_remover(source, uid=None if number is None else uid_of(number), uids=stored), blocks)
        assert b"".join(blocks) == EXPECTED[number]
        assert len(run.report.removed) == (5 if number is None else 1)
    async with open_remover(SIGNED) as run:
        with pytest.raises(RuntimeError, match="once all blocks"):
            _ = run.report


@pytest.mark.anyio
@pytest.mark.parametrize("durable", [False, True])
async def test_in_place(durable: bool, tmp_path: Path) -> None:
    path = tmp_path / "object"
    path.write_bytes(SIGNED)
    await remove(path, path, uid=uid_of(2), uids=stored, durable=durable)
    assert path.read_bytes() == EXPECTED[2]
    await remove_all(path, path, uids=stored, durable=durable)
    assert path.read_bytes() == EXPECTED[None]
    await remove_all(path, path, uids=stored, durable=durable)
    assert path.read_bytes() == EXPECTED[None]
    assert listing(tmp_path) == {"object"}


@pytest.mark.anyio
async def test_object_out_of_order(tmp_path: Path) -> None:
    """Disordered at the top, or deflated, or both; from a file or a stream."""
    shuffled = reshuffle(SIGNED)
    for other, inflate in ((shuffled, False), (deflated(data_set(shuffled)), True), (deflated(data_set(SIGNED)), True)):
        for kind in ("path", "async iterable"):
            output = io.BytesIO()
            async with SOURCES[kind](other, tmp_path) as source:
                report = await remove_all(source, output, uids=stored)
            assert len(report.removed) == 5
            assert data_set(output.getvalue(), inflate=inflate) == data_set(EXPECTED[None])


@pytest.mark.anyio
async def test_other_objects_inside(caplog: pytest.LogCaptureFixture) -> None:
    """Signatures below Original Attributes Sequence are those of what the object was before; each is mentioned."""
    signature = sequence(0xFFFAFFFA, element(0x04000005, "US", b"\0\0") + element(0x04000100, "UI", b"1.2.3.9\0"))
    data = meta() + head()[:-16] + element(0x00100010, "PN", b"Doe^Jane")
    data += sequence(0x04000561, signature, sequence(IMAGES, signature))
    for one_pass in (False, True):
        caplog.clear()
        output = io.BytesIO()
        with caplog.at_level(logging.WARNING, "dcmsign"):
            report = await remove_all(stream(data), output, one_pass=one_pass)
        assert report.removed == ()
        assert output.getvalue().count(b"1.2.3.9\0") == 2
        line = "Found Digital Signature Sequence within the Original Attributes Sequence, ignoring."
        assert [record.getMessage() for record in caplog.records] == [line, line]
    with pytest.raises(SignatureNotFound):
        await remove(data, io.BytesIO(), uid="1.2.3.9")


# ---------------------------------------------------------------- failures

OLD = b"what was there before"


@pytest.fixture
def target(tmp_path: Path) -> Path:
    path = tmp_path / "target"
    path.write_bytes(OLD)
    return path


def untouched(target: Path) -> bool:
    return target.read_bytes() == OLD and listing(target.parent) == {target.name}


class OfMine(Exception):
    pass


@pytest.mark.anyio
@pytest.mark.parametrize("kind", ["path", "async iterable"])
async def test_planned(kind: str, target: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """It is told before anything is written, in the words of the report, and can say no."""
    told: list[tuple[RemovalReport, bool]] = []

    def no(report: RemovalReport) -> None:
        told.append((report, untouched(target)))
        raise OfMine

    folder = tmp_path_factory.mktemp("source")
    for removing in (remove_all, partial(remove, uid=uid_of(1))):
        async with SOURCES[kind](SIGNED, folder) as source:
            with pytest.raises(OfMine):
                await removing(source, target, planned=no)
        assert untouched(target)
    assert [(len(report.removed), before) for report, before in told] == [(5, True), (1, True)]
    told.clear()
    report = await remove_all(SIGNED, target, planned=lambda report: told.append((report, untouched(target))))
    assert told == [(report, True)]
    assert content(target) != OLD


@pytest.mark.anyio
@pytest.mark.parametrize("kind", ["bytes", "async iterable"])
async def test_no_such_signature(kind: str, target: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    for uid in ("1.2.9", "1.2.9.5", "", "1.2.9.0 "):
        async with SOURCES[kind](SIGNED, tmp_path_factory.mktemp("source")) as source:
            with pytest.raises(SignatureNotFound) as caught:
                await remove(source, target, uid=uid, planned=lambda report: pytest.fail("nothing is planned"))
        assert caught.value.message == f"signature with UID '{uid}' not found."
        assert isinstance(caught.value, RemovalError)
        assert untouched(target)
    with pytest.raises(SignatureNotFound):
        async with open_remover(SIGNED, uid="1.2.3"):
            raise AssertionError


BARE = element(0x04000100, "UI", b"1.2.3.9\0")
FRAGMENTS = (MAC_VECTORS / "jpeg-fragments.signed.dcm").read_bytes()


@pytest.mark.anyio
@pytest.mark.parametrize("how", ["path", "stream"])
@pytest.mark.parametrize(
    ("data", "error", "options"),
    [
        (meta() + head() + sequence(0xFFFAFFFA, BARE), RemovalError, {}),
        (meta() + sequence(IMAGES, sequence(0xFFFAFFFA, element(0x04000005, "UL", b"\0\0\0\0") + BARE)), RemovalError, {}),
        (FRAGMENTS, UnsupportedSyntax, {"transfer_syntax": "1.2.840.10008.1.2"}),
        (FRAGMENTS, UnsupportedSyntax, {"transfer_syntax": "1.2.840.10008.1.2.1"}),
        (SIGNED[:-1], FormatError, {}),
        (SIGNED[: len(SIGNED) // 2], FormatError, {}),
        (b"", FormatError, {}),
        (b"no DICOM" * 100, FormatError, {}),
        (meta() + sequence(0xFFFAFFFA, element(0x04000120, "OB", bytes(17 << 20))), LimitExceeded, {}),
        (meta() + sequence(IMAGES, sequence(0x4FFE0001, element(0x0040A160, "UT", b"x" * (2 << 20)))), LimitExceeded, {}),
    ],
    ids=[
        "no MAC ID", "wrong MAC ID", "to implicit", "to explicit", "cut", "half", "empty", "text", "large value", "long text"
    ],
)  # fmt: skip
async def test_objects(data: bytes, error: type[Error], options: dict[str, Any], how: str, target: Path) -> None:
    given: Any = data if how == "path" else stream(data, largest=1 << 20)
    with pytest.raises(error) as caught:
        await remove_all(given, target, **options)
    assert caught.value.path is not None
    assert untouched(target)


@pytest.mark.anyio
async def test_syntaxes_nothing_is_written_in(target: Path) -> None:
    for uid in ("1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.1.99", "1.2.840.113619.5.2", "1.2.3", ""):
        with pytest.raises(ValueError, match="no transfer syntax that can be written"):
            await remove_all(SIGNED, target, transfer_syntax=uid)
    assert untouched(target)


@pytest.mark.anyio
async def test_places_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(SinkError):
        await remove_all(SIGNED, tmp_path / "missing" / "target")
    with pytest.raises(SourceError):
        await remove_all(tmp_path / "missing", tmp_path / "target")
    with pytest.raises(SinkError):
        await remove_all(SIGNED, "/dev/full")
    assert listing(tmp_path) == set()


class Changing(io.BytesIO):
    """A file object whose content can be exchanged."""

    def become(self, data: bytes) -> None:
        self.seek(0)
        self.truncate()
        self.write(data)
        self.seek(0)


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("old", "new", "noticed"),
    [
        (b"Doe^Jane", b"Doe^John", False),
        (b"\x10\0\x10\0PN\x08\0Doe^Jane", b"", False),
        (element(0x00081155, "UI", b"1.2.3.4.5.6."), element(0x00081155, "UI", b"1.2.3.4.5."), True),
        (uid_of(0).encode(), b"", True),
        (b"\xfe\xff\0\xe0", b"\xfe\xff\r\xe0", True),
    ],
    ids=["another value", "an element less", "a shorter value inside", "a shorter signature", "an item less"],
)
async def test_input_changes(old: bytes, new: bytes, noticed: bool, target: Path) -> None:
    """The second pass finds something else: noticed where lengths in front would be wrong."""
    assert old in SIGNED
    source = Changing(SIGNED)
    changed = SIGNED.replace(old, new, 1)
    try:
        await remove_all(source, target, planned=lambda report: source.become(changed))
    except (PlanMismatch, FormatError):
        assert noticed
        assert untouched(target)
    else:
        assert not noticed
        assert content(target)[400:].count(b"Doe^Jane") == 0


# ---------------------------------------------------------------- cancellation

OPERATIONS: dict[str, Callable[[Path], Coroutine[Any, Any, Any]]] = {
    "all": lambda folder: remove_all(folder / "source", folder / "target", uids=stored),
    "one": lambda folder: remove(folder / "source", folder / "target", uid=uid_of(2), uids=stored),
    "in place": lambda folder: remove_all(folder / "target", folder / "target", uids=stored, durable=True),
    "iterable": lambda folder: remove_all(stream(SIGNED, largest=1 << 20), folder / "target", uids=stored),
    "one pass": lambda folder: remove_all(stream(SIGNED, largest=1 << 20), folder / "target", uids=stored, one_pass=True),
    "forwarded": lambda folder: consume(open_remover(folder / "source", uids=stored)),
}


@pytest.mark.parametrize("name", OPERATIONS)
@pytest.mark.parametrize("how", CANCELLERS)
def test_cancelled(how: str, name: str, tmp_path: Path) -> None:
    """Cancelled at every point where it waits."""
    (tmp_path / "source").write_bytes(SIGNED)
    existing = SIGNED if name == "in place" else OLD if name == "all" else None

    async def attempts() -> int:
        return await cancelled_everywhere(how, lambda: OPERATIONS[name](tmp_path), tmp_path / "target", existing)

    assert leaks.runner(CANCELLERS[how][0])(attempts) > 4


# ---------------------------------------------------------------- memory

SCRIPT = """
import anyio, sys
from dcmsign.stream import KeySigner, Trust, remove_all, sign, verify
backend, vectors, source, target = sys.argv[1:]
async def main():
    signer = KeySigner.load(vectors + "/key-rsa.pem", vectors + "/cert-rsa.pem")
    await sign(source, target, signer=signer, location="IconImageSequence[0]")
    report = await verify(target, trust=Trust.load(trusted=[vectors + "/cert-rsa.pem"]))
    assert report.ok, report
    report = await remove_all(target, "/dev/null")
    assert len(report.removed) == 1
anyio.run(main, backend=backend)
status = open("/proc/self/status").read()
print(status.partition("VmHWM:")[2].split()[0])
"""


@pytest.mark.parametrize("backend", ["asyncio"])
def test_constant_memory(backend: str, tmp_path: Path) -> None:
    """An item with a value of hundreds of MiB is signed, verified and given back."""
    source, size = tmp_path / "large.dcm", SIZE // 2
    value = element(0x7FE00010, "OW", b"", length=size)
    with open(source, "wb") as file:
        file.write(meta() + head() + element(0x00880200, "SQ", b"", length=8 + len(value) + size))
        file.write(b"\xfe\xff\x00\xe0" + (len(value) + size).to_bytes(4, "little") + value)
        file.truncate(file.tell() + size)
    command: list[str | Path] = [sys.executable, "-c", SCRIPT, backend, MAC_VECTORS, source, tmp_path / "signed.dcm"]
    done = subprocess.run(command, capture_output=True, timeout=100, check=False)
    (tmp_path / "signed.dcm").unlink(missing_ok=True)
    assert done.returncode == 0, done.stderr.decode()
    assert int(done.stdout) < LIMIT
