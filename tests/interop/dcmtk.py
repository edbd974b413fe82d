"""Runs the real dcmsign next to this library and puts both results into the same words."""

from __future__ import annotations

import functools
import logging
import os
import re
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from dcmsign.codec.errors import Error, FormatError
from dcmsign.stream import KeySigner, StreamFormat, Trust, verify

from tests.peers import dcmtk_version, require_peer

VECTORS = Path(__file__).parent.parent / "vectors" / "mac"
VERSION = "3.6.7"
"""Of the real dcmsign; the tables of these tests are about this one."""

KEYS = ("rsa", "dsa", "ec")
MACS = ("RIPEMD160", "SHA1", "MD5", "SHA256", "SHA384", "SHA512")
MAC_OPTIONS = dict(zip(MACS, ("+mr", "+ms", "+mm", "+m2", "+m3", "+m5"), strict=True))
CERTIFICATES = {key: VECTORS / f"cert-{key}.pem" for key in KEYS}
TRUSTED = tuple(argument for key in KEYS for argument in ("+cf", str(CERTIFICATES[key])))
"""Options of dcmsign that trust all keys the tests sign with; the certificates are their own CA."""

MAC_ID_ELEMENTS = (b"\x00\x04\x05\x00US\x02\x00", b"\x00\x04\x05\x00\x02\x00\x00\x00")
"""Where the signature item begins in a digested stream, explicit or implicit VR little endian."""

_VERDICT = re.compile(r"^W: {3}Signature Verification +: (.*)$", re.MULTILINE)
_CHAIN = "signature is OK but certificate verification failed"


@dataclass(frozen=True)
class Run:
    """How dcmsign ended and what it said."""

    code: int
    text: str

    @property
    def verdicts(self) -> tuple[str, ...]:
        """The verdict on each signature."""
        return tuple(_VERDICT.findall(self.text))

    @property
    def ok(self) -> bool:
        """Whether all signatures are OK and there is at least one."""
        return self.code == 0 and bool(self.verdicts) and set(self.verdicts) == {"OK"}


def run(*arguments: str | Path, environment: Mapping[str, str] | None = None) -> Run:
    """Run dcmsign; the calling test is skipped where it is not installed."""
    command = [_program(), *map(str, arguments)]
    variables = None if environment is None else {**os.environ, **environment}
    done = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env=variables,
        timeout=60,
        check=False,
    )
    return Run(done.returncode, done.stderr.decode("latin-1"))


@functools.cache
def _program() -> str:
    program = require_peer("dcmsign")
    if dcmtk_version() != VERSION:
        pytest.skip(f"the expectations are for dcmsign {VERSION}, found {dcmtk_version()}")
    return program


def sign(source: Path, target: Path, key: str, mac: str, *options: str | Path) -> Run:
    """Sign with dcmsign."""
    return run("+s", VECTORS / f"key-{key}.pem", CERTIFICATES[key], MAC_OPTIONS[mac], *options, source, target)


def sign_item(source: Path, target: Path, location: str, *options: str | Path, key: str = "rsa", mac: str = "SHA256") -> Run:
    """Sign an item with dcmsign."""
    return run("+si", VECTORS / f"key-{key}.pem", CERTIFICATES[key], location, MAC_OPTIONS[mac], *options, source, target)


def check(path: Path, *options: str, environment: Mapping[str, str] | None = None) -> Run:
    """Verify with dcmsign; a signature is required and the certificates of the tests are trusted."""
    return run("+rg", *TRUSTED, *options, path, environment=environment)


@functools.cache
def trust() -> Trust:
    """The same trust for this library."""
    return Trust.load(trusted=list(CERTIFICATES.values()))


@functools.cache
def signer(key: str) -> KeySigner:
    """The same keys for this library."""
    return KeySigner.load(VECTORS / f"key-{key}.pem", CERTIFICATES[key])


@contextmanager
def quiet() -> Iterator[None]:
    """Silence the warnings of the library about odd input."""
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)


@dataclass(frozen=True)
class Outcome:
    """The end of a verification by either side: ok, bad (verdicts that are not OK), absent (no signature found), refused
    (not read to the end), or died (only dcmsign); `verdicts` as dcmsign words them.
    """

    kind: str
    verdicts: tuple[str, ...] = ()
    detail: str = ""
    incomplete: bool = False

    @property
    def caught(self) -> bool:
        """Whether a change would not go unnoticed."""
        return self.kind != "ok"

    def agrees(self, other: Outcome) -> bool:
        """Same end and same verdicts; what OpenSSL says about a chain depends on its version."""
        return self.kind == other.kind and [_worded(v) for v in self.verdicts] == [_worded(v) for v in other.verdicts]


def _worded(verdict: str) -> str:
    return _CHAIN if verdict.startswith(_CHAIN) else verdict


def peer_outcome(path: Path, *options: str, environment: Mapping[str, str] | None = None) -> Outcome:
    """Verify with dcmsign."""
    try:
        done = check(path, *options, environment=environment)
    except subprocess.TimeoutExpired:
        return Outcome("died", detail="timeout")
    kinds = {0: "ok", 20: "refused", 100: "absent", 101: "bad"}
    detail = done.text.strip().rpartition("\n")[2] if done.code == 20 else f"exit {done.code}"
    return Outcome(kinds.get(done.code, "died"), done.verdicts, detail)


async def own_outcome(source: Path | bytes, stream_format: StreamFormat = StreamFormat.STANDARD) -> Outcome:
    """Verify with this library."""
    try:
        report = await verify(source, trust=trust(), stream_format=stream_format, inspect=False)
    except FormatError as error:
        return Outcome("refused", detail=f"{type(error).__name__}: {error.message}")
    except Error as error:
        return Outcome("failed", detail=repr(error))
    verdicts = tuple(signature.reason for signature in report.signatures)
    incomplete = any(not signature.coverage.complete for signature in report.signatures)
    kind = "ok" if report.ok else "bad" if verdicts else "absent"
    return Outcome(kind, verdicts, incomplete=incomplete)
