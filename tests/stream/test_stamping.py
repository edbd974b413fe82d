"""Timestamps straight from an authority: while signing, for an item, and for a signature that was made earlier."""

from __future__ import annotations

import io
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from dcmsign.stream import (
    AuthorityStamper,
    KeySigner,
    TimestampClient,
    TimestampPolicy,
    Trust,
    VerificationReport,
    errors,
    sign,
    timestamp,
    verify,
)

from tests.peers import require_peer
from tests.stream.material import MAC_VECTORS
from tests.tsa.servers import OpenSSLAuthority, Server

pytestmark = pytest.mark.anyio

SOURCE = MAC_VECTORS / "item-signature.dcm"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> OpenSSLAuthority:
    return OpenSSLAuthority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def server(authority: OpenSSLAuthority) -> Iterator[Server]:
    with Server(authority.behave) as running:
        yield running


async def check(data: bytes, authority: OpenSSLAuthority, folder: Path, count: int) -> VerificationReport:
    """Both programs find every timestamp good."""
    trusted = [MAC_VECTORS / "cert-rsa.pem", authority.ca]
    report = await verify(data, trust=Trust.load(trusted=trusted), timestamps=TimestampPolicy.REQUIRE)
    assert report.ok, report
    assert [bool(found.timestamp and found.timestamp.certificate) for found in report.signatures] == [True] * count
    path = folder / "stamped.dcm"
    path.write_bytes(data)
    options = [word for file in trusted for word in ("+cf", str(file))]
    command = [require_peer("dcmsign"), *options, "+tr", str(path)]
    done = subprocess.run(command, stderr=subprocess.PIPE, check=True, text=True)  # noqa: ASYNC221
    assert done.stderr.count("Timestamp Verification : OK") == count
    return report


async def test_signing(server: Server, authority: OpenSSLAuthority, signer: KeySigner, tmp_path: Path) -> None:
    item, both = io.BytesIO(), io.BytesIO()
    stamper = AuthorityStamper(TimestampClient(server.url))
    await sign(SOURCE, item, signer=signer, location="ReferencedImageSequence[1]", timestamp=stamper)
    await check(item.getvalue(), authority, tmp_path, 1)
    await sign(item.getvalue(), both, signer=signer, timestamp=stamper)
    await check(both.getvalue(), authority, tmp_path, 2)


async def test_later(server: Server, authority: OpenSSLAuthority, signer: KeySigner, tmp_path: Path) -> None:
    path = tmp_path / "signed.dcm"
    receipt = await sign(SOURCE, path, signer=signer)
    await timestamp(path, path, uid=receipt.uid, client=TimestampClient(server.url))
    await check(path.read_bytes(), authority, tmp_path, 1)
    with pytest.raises(errors.SignatureNotFound):
        await timestamp(path, path, uid="1.2.3", client=TimestampClient(server.url))


async def test_an_authority_that_is_not_there(signer: KeySigner, tmp_path: Path) -> None:
    stamper = AuthorityStamper(TimestampClient("http://127.0.0.1:9/", attempts=1, timeout=2))
    with pytest.raises(errors.AuthorityUnreachable):
        await sign(SOURCE, tmp_path / "out.dcm", signer=signer, timestamp=stamper)
    assert list(tmp_path.iterdir()) == []  # noqa: ASYNC240
