"""When signers, keys or inputs fail in the middle of signing, nothing is published and the target is as it was."""

from __future__ import annotations

import io
import os
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import pytest
from dcmsign.codec.errors import (
    AlgorithmUnavailable,
    CryptoFailure,
    DumpError,
    ElementNotFound,
    Error,
    FormatError,
    KeyMismatch,
    LimitExceeded,
    NoMacIdLeft,
    NothingToSign,
    PlanMismatch,
    UnsignableElement,
    UnusableMacSyntax,
)
from dcmsign.codec.signature import algorithms
from dcmsign.stream import Certificate, KeySigner, Trust, sign, verify

from tests.stream.material import CASES, MAC_VECTORS, element, head, image, listing, meta, noise, noon, sequence, stream

pytestmark = pytest.mark.anyio
LARGE = image(noise(3_000_001) + b"\0")
OLD = b"what was there before"


@pytest.fixture
def target(tmp_path: Path) -> Path:
    path = tmp_path / "target"
    path.write_bytes(OLD)
    return path


def restore(target: Path) -> None:
    target.write_bytes(OLD)


def untouched(target: Path) -> bool:
    return target.read_bytes() == OLD and listing(target.parent) == {target.name}


# ---------------------------------------------------------------- signers


class Answering:
    """A signer that gives or raises what it is told to."""

    def __init__(self, certificate: Certificate, answer: bytes | Exception) -> None:
        self.certificate = certificate
        self.answer = answer
        self.asked: list[tuple[bytes, str]] = []

    async def sign_digest(self, digest: bytes, mac_algorithm: str) -> bytes:
        self.asked.append((digest, mac_algorithm))
        await anyio.lowlevel.checkpoint()
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@pytest.mark.parametrize("source", ["path", "stream", "stream in one pass"])
@pytest.mark.parametrize(
    "answer", [b"", b"\0", bytes(256), b"\xff" * 256, noise(256), noise(255), noise(300)], ids=lambda value: str(len(value))
)
async def test_garbage_from_the_signer(answer: bytes, source: str, signer: KeySigner, target: Path) -> None:
    garbage = Answering(signer.certificate, answer)
    await _expect(CryptoFailure, source, garbage, target)
    assert [(len(digest), name) for digest, name in garbage.asked] == [(32, "SHA256")]


async def test_signature_of_something_else(signer: KeySigner, target: Path) -> None:
    value = await signer.sign_digest(bytes(32), "SHA256")
    await _expect(CryptoFailure, "path", Answering(signer.certificate, value), target)


async def _expect(error: type[Exception], source: str, signer: Any, target: Path, **options: Any) -> Exception:
    given: Any = LARGE if source == "path" else stream(LARGE)
    if source == "stream in one pass":
        options["tags"] = [0x00100010]
    with pytest.raises(error) as caught:
        await sign(given, target, signer=signer, **options)
    assert untouched(target)
    return caught.value


@pytest.mark.parametrize("source", ["path", "stream", "stream in one pass"])
async def test_signer_that_raises(source: str, signer: KeySigner, target: Path) -> None:
    broken = Answering(signer.certificate, ConnectionError("key service is gone"))
    await _expect(ConnectionError, source, broken, target)
    await _expect(CryptoFailure, source, Answering(signer.certificate, CryptoFailure("refused")), target)


async def test_factory_that_raises(signer: KeySigner, target: Path) -> None:
    async def make() -> KeySigner:
        return KeySigner.load(MAC_VECTORS / "missing.pem", MAC_VECTORS / "cert-rsa.pem")

    error = await _expect(Error, "stream", make, target)
    assert str(error).startswith(str(MAC_VECTORS / "missing.pem"))


@pytest.mark.parametrize("source", ["path", "stream", "stream in one pass"])
async def test_key_of_another_certificate(source: str, signer: KeySigner, target: Path) -> None:
    other = KeySigner.load(MAC_VECTORS / "key-ec.pem", MAC_VECTORS / "cert-ec.pem")
    await _expect(KeyMismatch, source, KeySigner(signer._key, other.certificate), target)


@pytest.mark.parametrize("kind", ["rsa", "dsa", "ec"])
async def test_keys_of_all_kinds(kind: str, trust: Trust) -> None:
    for algorithm in algorithms.MAC_ALGORITHMS:
        output = io.BytesIO()
        signer = KeySigner.load(MAC_VECTORS / f"key-{kind}.pem", MAC_VECTORS / f"cert-{kind}.pem")
        receipt = await sign(image(b"\0\1"), output, signer=signer, mac_algorithm=algorithm, clock=noon)
        report = await verify(output.getvalue(), trust=trust)
        assert report.ok
        (found,) = report.signatures
        assert (found.uid, found.mac_algorithm, found.tags_signed) == (receipt.uid, algorithm, receipt.tags_signed)
        assert found.signed_at == receipt.signed_at == "20260601120000.123456+0000"


# ---------------------------------------------------------------- requests that cannot be met


@pytest.mark.parametrize("source", ["path", "stream"])
async def test_requests(source: str, signer: KeySigner, target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    await _expect(ElementNotFound, source, signer, target, tags=[0x00100010, 0x00100020])
    with pytest.raises(ValueError, match="no MAC algorithm"):
        await sign(LARGE, target, signer=signer, mac_algorithm="SHA3")
    for purpose in (0, 19, -1):
        with pytest.raises(ValueError, match="no purpose code"):
            await sign(LARGE, target, signer=signer, purpose=purpose)
    error = await _expect(DumpError, source, signer, target, dump=target.parent / "missing" / "dump")
    assert "missing" in str(error)
    monkeypatch.setattr("hashlib.new", _no_hash)
    monkeypatch.setattr(algorithms, "_factories", {})
    await _expect(AlgorithmUnavailable, source, signer, target, mac_algorithm="RIPEMD160")
    assert untouched(target)


def _no_hash(name: str, *_: object, **__: object) -> None:
    raise ValueError(name)


def _used_up() -> bytes:
    items = b"".join(
        struct.pack("<HHI", 0xFFFE, 0xE000, 10) + element(0x04000005, "US", struct.pack("<H", number))
        for number in range(0x10000)
    )
    return meta() + head() + element(0x4FFE0001, "SQ", items)


@pytest.mark.parametrize("source", ["bytes", "stream"])
@pytest.mark.parametrize(
    ("data", "error"),
    [
        (meta(), NothingToSign),
        (meta() + element(0x00081140, "UN", b"ab"), UnsignableElement),
        (meta(b"1.2.840.10008.1.2.4.50") + element(0x7FE00010, "OW", b"ab"), FormatError),
        (meta() + element(0x7FE00010, "OB", struct.pack("<HHIHHI", 0xFFFE, 0xE000, 0, 0xFFFE, 0xE0DD, 0), length=0xFFFFFFFF),
         UnusableMacSyntax),
        (meta() + head()[:-3], FormatError),
        (b"no DICOM" * 100, FormatError),
    ],
    ids=["empty", "unsignable", "defined length", "fragments", "cut", "text"],
)  # fmt: skip
async def test_objects(data: bytes, error: type[Error], source: str, signer: KeySigner, target: Path) -> None:
    tags = [0x00081140] if error is UnsignableElement else None
    with pytest.raises(error):
        await sign(data if source == "bytes" else stream(data), target, signer=signer, tags=tags)
    assert untouched(target)


async def test_no_mac_id_left(signer: KeySigner, target: Path) -> None:
    """The bound on the size of the sequence comes first."""
    with pytest.raises((NoMacIdLeft, LimitExceeded)):
        await sign(_used_up(), target, signer=signer)
    assert untouched(target)


async def test_dump(signer: KeySigner, tmp_path: Path) -> None:
    for name in ("explicit-short", "flat-large", "jpeg-fragments"):
        data = (MAC_VECTORS / f"{name}.dcm").read_bytes()
        for source in (data, stream(data)):
            await sign(source, io.BytesIO(), signer=signer, dump=tmp_path / "dump")
            expected = (MAC_VECTORS / f"{name}.mac").read_bytes()
            size = CASES[name]["signature_item_offset"]
            assert (tmp_path / "dump").read_bytes()[:size] == expected[:size]
            assert len((tmp_path / "dump").read_bytes()) > size


# ---------------------------------------------------------------- inputs that change

NESTED = sequence(0x00081140, element(0x00081155, "UI", b"1.2.3.4."), element(0x00081155, "UI", b"1.2.3.5."))
TAIL = element(0x00100020, "LO", b"4711") + element(0x00200010, "SH", b"12")
BEFORE = meta() + NESTED + TAIL


def _changed(old: bytes, new: bytes) -> bytes:
    assert old in BEFORE
    return BEFORE.replace(old, new, 1)


CHANGES: dict[str, tuple[bytes, type[Error] | None]] = {
    "shorter": (BEFORE[:-6], FormatError),
    "empty": (b"", FormatError),
    "an element less": (BEFORE[: -len(element(0x00200010, "SH", b"12"))], PlanMismatch),
    "an element more": (BEFORE + element(0x00200011, "IS", b"1 "), PlanMismatch),
    "garbage behind": (BEFORE + b"garbage", FormatError),
    "another tag": (_changed(b"\x10\0\x20\0LO", b"\x10\0\x21\0LO"), PlanMismatch),
    "another order": (meta() + TAIL + NESTED, FormatError),
    "became unsignable": (_changed(b"\x10\0\x20\0LO\4\0" + b"4711", b"\x10\0\x20\0UN\0\0\4\0\0\0" + b"4711"), PlanMismatch),
    "another value": (_changed(b"4711", b"4712"), None),
    "a longer value": (_changed(b"\4\0" + b"4711", b"\6\0" + b"471101"), None),
    "a longer value inside": (_changed(b"\x08\0" + b"1.2.3.4.", b"\x0a\0" + b"1.2.3.4.5."), PlanMismatch),
    "a shorter value inside": (_changed(b"\x08\0" + b"1.2.3.4.", b"\x06\0" + b"1.2.3."), PlanMismatch),
    "an item more": (meta() + sequence(0x00081140, *[element(0x00081155, "UI", b"1.2.3.4.")] * 3) + TAIL, PlanMismatch),
    "an item less": (meta() + sequence(0x00081140, element(0x00081155, "UI", b"1.2.3.4.")) + TAIL, PlanMismatch),
    "no items": (meta() + sequence(0x00081140) + TAIL, PlanMismatch),
    "no sequence": (meta() + element(0x00081140, "LO", b"12") + TAIL, PlanMismatch),
    "another syntax": (BEFORE.replace(b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.1.2.2\0"), FormatError),
}


class Changing(io.BytesIO):
    """A file object whose content can be exchanged."""

    def become(self, data: bytes) -> None:
        self.seek(0)
        self.truncate()
        self.write(data)
        self.seek(0)


@pytest.mark.parametrize("undefined_lengths", [False, True])
@pytest.mark.parametrize("kind", ["path", "file object"])
@pytest.mark.parametrize("change", CHANGES)
async def test_input_changes_between_the_passes(
    change: str, kind: str, undefined_lengths: bool, signer: KeySigner, trust: Trust, target: Path, tmp_path_factory: Any
) -> None:
    after, error = CHANGES[change]
    source: Any = Changing(BEFORE)
    become: Callable[[bytes], object] = source.become
    if kind == "path":
        source = tmp_path_factory.mktemp("source") / "source"
        source.write_bytes(BEFORE)
        become = source.write_bytes

    async def make() -> KeySigner:
        become(after)
        return signer

    try:
        await sign(source, target, signer=make, undefined_lengths=undefined_lengths)
    except (PlanMismatch, FormatError) as caught:
        found: Exception | None = caught
    else:
        found = None
    if found is not None:
        assert error is not None
        assert isinstance(found, (error, PlanMismatch))
        assert untouched(target)
        return
    assert error is None or (undefined_lengths and NESTED not in after)  # then no length depends on what is inside
    assert (await verify(target, trust=trust)).ok


@pytest.mark.parametrize("size", [1_000_000, 2_000_000])
async def test_long_text_changes(size: int, signer: KeySigner, trust: Trust, target: Path) -> None:
    """The length of a long text is measured in the first pass, without its padding."""
    before = meta() + element(0x0040A160, "UT", b"x" * size + b" " * 100)
    source = Changing(before)
    shorter = meta() + element(0x0040A160, "UT", b"x" * (size * 3 // 4))
    for after in (before.replace(b"xx  ", b"xxxx", 1), shorter):
        source.become(before)

        async def make(after: bytes = after) -> KeySigner:
            source.become(after)
            return signer

        restore(target)
        try:
            await sign(source, target, signer=make)
        except (PlanMismatch, FormatError):
            assert untouched(target)
            assert size > 1 << 20
        else:
            assert size < 1 << 20  # not measured, but taken whole
            assert (await verify(target, trust=trust)).ok


async def test_target_is_replaced_while_signing(signer: KeySigner, trust: Trust, target: Path) -> None:
    """Who comes last wins, whole."""

    async def make() -> KeySigner:
        os.unlink(target)
        return signer

    await sign(BEFORE, target, signer=make)
    assert (await verify(target, trust=trust)).ok
    assert listing(target.parent) == {"target"}
