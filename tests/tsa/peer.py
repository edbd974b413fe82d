"""What DCMTK's dcmsign and openssl say about tokens."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import NamedTuple

from tests.peers import require_peer
from tests.tsa import stamped

_VERDICT = "Timestamp Verification"
_FAILED = "timestamp signature verification failed: "


class Said(NamedTuple):
    """Exit code of the insertion, its error lines without prefix; then the verdict's words, the errors and what it listed."""

    inserted: int
    errors: tuple[str, ...]
    verdict: str | None = None
    remarks: tuple[str, ...] = ()
    listing: tuple[str, ...] = ()


def _run(*arguments: str | Path) -> tuple[int, list[str]]:
    command = [require_peer("dcmsign"), *map(str, arguments)]
    done = subprocess.run(command, cwd=stamped.VECTORS, capture_output=True, check=False)
    return done.returncode, done.stderr.decode("latin-1").splitlines()


def dcmsign_says(folder: Path, reply: bytes, *, signed: str = "sha256", trusted: str = "pki/ca.pem") -> Said:
    """Insert a reply into a vector and verify it."""
    given, result = folder / "reply.tsr", folder / "stamped.dcm"
    given.write_bytes(reply)
    result.unlink(missing_ok=True)
    files: list[str | Path] = [f"signed/{signed}.tsq", given, f"signed/{signed}.uid", f"signed/{signed}.dcm", result]
    code, lines = _run("+t", *files)
    errors = tuple(line[3:] for line in lines if line.startswith("E: "))
    if code:
        return Said(code, errors)
    _, lines = _run("-v", "+cf", trusted, result)
    found = [line.partition(": ")[2] for line in lines if _VERDICT in line]
    assert len(found) == 1, lines
    verdict = found[0].partition(": ")[2].removeprefix(_FAILED)
    return Said(code, errors, verdict, tuple(line[3:] for line in lines if line.startswith("E: ")), _block(lines))


def insertion_errors(query: Path, reply: Path, signed: Path) -> tuple[str, ...]:
    """The error lines of an insertion into an object whose signature has the UID of the vector signed/sha256."""
    code, lines = _run("+t", query, reply, "signed/sha256.uid", signed, query.with_name("stamped.dcm"))
    errors = tuple(line[3:] for line in lines if line.startswith("E: "))
    assert code == (87 if errors else 0)
    return errors


def _block(lines: list[str]) -> tuple[str, ...]:
    start = next(place for place, line in enumerate(lines) if "CMS_TSP" in line)
    after = (place for place, line in enumerate(lines) if place > start and (line[:2] != "I:" or "signature certificate" in line))
    end = next(after)
    return tuple(line[3:] for line in lines[start:end])


def openssl(*arguments: str | Path, data: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    """A run of the openssl command; never fails."""
    command = [require_peer("openssl"), *map(str, arguments)]
    return subprocess.run(command, input=data, capture_output=True, check=False)


def openssl_verifies(folder: Path, token: bytes, trusted: str, *, signed: str = "sha256") -> bool:
    """Whether ``openssl ts -verify`` accepts a token for the query of a vector."""
    given = folder / "token.der"
    given.write_bytes(token)
    query = stamped.VECTORS / f"signed/{signed}.tsq"
    options = ("-in", given, "-token_in", "-CAfile", stamped.VECTORS / trusted)
    return openssl("ts", "-verify", "-queryfile", query, *options).returncode == 0
