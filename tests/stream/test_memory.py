"""Memory does not grow with the object."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.stream.material import MAC_VECTORS, write_sparse
from tests.tsa.servers import OpenSSLAuthority, Server

SIZE = 256 << 20
LIMIT = 64 << 10
"""KiB"""

SCRIPT = """
import anyio, sys
from dcmsign.stream import KeySigner, TimestampClient, Trust, sign, stdin, timestamp, verify
what, backend, vectors, path, url = sys.argv[1:]
async def main():
    signer = KeySigner.load(vectors + "/key-rsa.pem", vectors + "/cert-rsa.pem")
    source = stdin() if path == "-" else path
    if what == "verify":
        report = await verify(source, trust=Trust.load(trusted=[vectors + "/cert-rsa.pem"]))
        assert report.ok, report
    elif what == "timestamp":
        await timestamp(source, "/dev/null", uid="1.2.3", client=TimestampClient(url))
    else:
        tags = [0x00100010, 0x7FE00010] if what == "sign in one pass" else None
        client = TimestampClient(url) if url else None
        target = sys.stdout.buffer if what == "sign to stdout" else "/dev/null"
        await sign(source, target, signer=signer, tags=tags, timestamp=client, uids=lambda: "1.2.3")
anyio.run(main, backend=backend)
status = open("/proc/self/status").read()  # ru_maxrss would count the process that started this one
print(status.partition("VmHWM:")[2].split()[0], file=sys.stderr)
"""


def peak(what: str, backend: str, path: Path, *, pipe: bool, target: Path | None = None, url: str = "") -> int:
    """Peak of the resident memory in KiB; `url` is that of a time-stamping authority to ask."""
    command: list[str | Path] = [sys.executable, "-c", SCRIPT, what, backend, MAC_VECTORS, "-" if pipe else path, url]
    with open("/dev/null" if target is None else target, "wb") as output:
        if not pipe:
            done = subprocess.run(command, stdout=output, stderr=subprocess.PIPE, timeout=100, check=False)
        else:
            with subprocess.Popen(["cat", path], stdout=subprocess.PIPE) as cat:
                done = subprocess.run(command, stdin=cat.stdout, stdout=output, stderr=subprocess.PIPE, timeout=100, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return int(done.stderr)


@pytest.fixture(scope="module")
def unsigned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_sparse(tmp_path_factory.mktemp("large") / "unsigned.dcm", SIZE)


@pytest.fixture(scope="module")
def signed(unsigned: Path) -> Path:
    target = unsigned.with_name("signed.dcm")
    assert peak("sign to stdout", "asyncio", unsigned, pipe=False, target=target) < LIMIT
    return target


@pytest.mark.parametrize(
    ("what", "backend", "pipe"),
    [("sign", "trio", False), ("sign", "asyncio", True), ("sign in one pass", "asyncio", True)],
)
def test_sign(what: str, backend: str, pipe: bool, unsigned: Path) -> None:
    assert peak(what, backend, unsigned, pipe=pipe) < LIMIT


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(OpenSSLAuthority(tmp_path_factory.mktemp("authority")).behave) as running:
        yield running


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_timestamp(backend: str, unsigned: Path, signed: Path, server: Server) -> None:
    """Also where the output has to wait for the authority."""
    assert peak("timestamp", backend, signed, pipe=backend == "trio", url=server.url) < LIMIT
    assert peak("sign", backend, unsigned, pipe=backend == "asyncio", url=server.url) < LIMIT
    assert server.requests


@pytest.mark.parametrize(("backend", "pipe"), [("asyncio", False), ("trio", True)])
def test_verify(backend: str, pipe: bool, signed: Path) -> None:
    assert peak("verify", backend, signed, pipe=pipe) < LIMIT
    if pipe:
        signed.unlink()  # the largest file of all tests
