"""The examples of the README do what it says."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import anyio
import httpx
import pydicom
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from dcmsign.stream import verify

from tests.peers import require_peer
from tests.tsa.servers import OpenSSLAuthority, Server

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text("utf-8")
SERVICE, FILTER, ITEM, TRUST, TIMESTAMP, MANY = re.findall(r"^```python\n(.*?)^```", README, re.DOTALL | re.MULTILINE)
ALL_COMMANDS = re.findall(r"^\$ (dcmsign .*)$", README, re.MULTILINE)
STAMPING = [command for command in ALL_COMMANDS if re.search("timestamp|-ts", command)]
COMMANDS = [command for command in ALL_COMMANDS if command not in STAMPING]
VECTORS = ROOT / "tests" / "vectors" / "mac"


def make_image(path: Path) -> None:
    """An object with the UIDs every image has and two referenced images."""
    dataset = pydicom.dcmread(VECTORS / "item-signature.dcm")
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = "1.2.3.4.6", "1.2.3.4.7"
    dataset.save_as(path)


def make_authority(folder: Path) -> None:
    """A hashed directory with the authority's certificate and revocation list, and the list as a file."""
    certificate = x509.load_pem_x509_certificate((folder / "authority.pem").read_bytes())
    key = serialization.load_pem_private_key((folder / "key.pem").read_bytes(), None)
    assert isinstance(key, rsa.RSAPrivateKey)
    now = datetime.now(UTC)
    builder = x509.CertificateRevocationListBuilder(certificate.subject, now - timedelta(days=1), now + timedelta(days=1))
    revoked = builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    (folder / "authority.crl").write_bytes(revoked)
    command = [require_peer("openssl"), "x509", "-hash", "-noout", "-in", str(folder / "authority.pem")]
    name = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True).stdout.strip()
    (folder / "certificates").mkdir()
    shutil.copyfile(folder / "authority.pem", folder / "certificates" / f"{name}.0")
    (folder / "certificates" / f"{name}.r0").write_bytes(revoked)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with the files the examples name."""
    for source, target in (
        ("key-rsa.pem", "key.pem"),
        ("cert-rsa.pem", "certificate.pem"),
        ("cert-rsa.pem", "authority.pem"),
        ("sq-nested.signed.dcm", "signed.dcm"),
    ):
        shutil.copyfile(VECTORS / source, tmp_path / target)
    (tmp_path / "archive").mkdir()
    make_image(tmp_path / "image.dcm")
    make_authority(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    return tmp_path


def test_commands(folder: Path) -> None:
    assert len(COMMANDS) == 7
    (folder / "signed.dcm").rename(folder / "archive" / "signed.dcm")
    for command in COMMANDS:
        subprocess.run(shlex.split(command), check=True)
    assert [json.loads(line)["exit_code"] for line in (folder / "verified.jsonl").read_text().splitlines()] == [0]


@pytest.fixture
def authority(folder: Path) -> Iterator[tuple[OpenSSLAuthority, str]]:
    """The time-stamping authority of the examples, and where it really is."""
    (folder / "tsa").mkdir()
    authority = OpenSSLAuthority(folder / "tsa")
    shutil.copyfile(authority.ca, folder / "tsa-ca.pem")
    with Server(authority.behave) as server:
        yield authority, server.url


def test_timestamp_commands(folder: Path, authority: tuple[OpenSSLAuthority, str]) -> None:
    assert len(STAMPING) == 5
    makers, (*_, insert, check) = STAMPING[:3], STAMPING
    signed = anyio.run(verify, "signed.dcm").signatures[0].uid
    for command in makers:
        arguments = command.replace("http://tsa.example/", authority[1]).replace("1.2.3.4.5", str(signed))
        subprocess.run(shlex.split(arguments), check=True)
        if "stamped.dcm" in command:
            subprocess.run(shlex.split(check), check=True)
            (folder / "stamped.dcm").unlink()
    (folder / "reply.tsr").write_bytes(authority[0].reply((folder / "query.tsq").read_bytes()))
    subprocess.run(shlex.split(insert), check=True)
    subprocess.run(shlex.split(check), check=True)


def test_timestamp(folder: Path, authority: tuple[OpenSSLAuthority, str]) -> None:
    code = TIMESTAMP.replace("http://tsa.example/", authority[1])
    assert code != TIMESTAMP
    subprocess.run([sys.executable, "-c", code], check=True)
    command = [require_peer("dcmsign"), "--require-ts", "+cf", "authority.pem", "+cf", "tsa-ca.pem", "stamped.dcm"]
    subprocess.run(command, check=True)


def test_many(folder: Path) -> None:
    shutil.copyfile(folder / "signed.dcm", folder / "archive" / "one.dcm")
    script = folder / "many.py"
    script.write_text(MANY)
    done = subprocess.run([sys.executable, str(script)], stdout=subprocess.PIPE, check=True, text=True)
    assert done.stdout.split() == ["archive/one.dcm", "True"]


def test_service(folder: Path) -> None:
    names: dict[str, Any] = {"__name__": "service"}
    exec(compile(SERVICE, "README.md", "exec", dont_inherit=True), names)
    good = (folder / "signed.dcm").read_bytes()
    bad = good.replace(b"CONTAINER", b"CONTAIMER")
    identifier = UUID(int=7)

    async def put(content: bytes) -> httpx.Response:
        transport = httpx.ASGITransport(app=names["app"])
        async with httpx.AsyncClient(transport=transport, base_url="http://service") as client:
            return await client.put(f"/instances/{identifier}", content=content)

    for content in (good[:-100], b"", b"no DICOM", (folder / "image.dcm").read_bytes(), bad):
        response = anyio.run(put, content)
        assert response.status_code == 422, response.text
        assert not list((folder / "archive").iterdir())
    response = anyio.run(put, good)
    assert response.status_code == 200, response.text
    assert response.json()["ok"] is True
    assert [file.name for file in (folder / "archive").iterdir()] == [f"{identifier}.dcm"]
    assert (folder / "archive" / f"{identifier}.dcm").read_bytes() == good


def test_filter(folder: Path) -> None:
    image = (folder / "image.dcm").read_bytes()
    signed = subprocess.run([sys.executable, "-c", FILTER], input=image, stdout=subprocess.PIPE, check=True).stdout
    (folder / "filtered.dcm").write_bytes(signed)
    subprocess.run([require_peer("dcmsign"), "--require-sig", "--add-cert-file", "authority.pem", "filtered.dcm"], check=True)


def test_item_and_removal(folder: Path) -> None:
    done = subprocess.run([sys.executable, "-c", ITEM], stdout=subprocess.PIPE, check=True, text=True)
    assert re.fullmatch(r"\['2\.25\.[0-9]+'\]\n", done.stdout)
    command = [require_peer("dcmsign"), "--add-cert-file", "authority.pem"]
    found = subprocess.run([*command, "signed.dcm"], stderr=subprocess.PIPE, check=True, text=True).stderr
    assert "Signature Verification : OK" in found
    assert "no signatures found" in subprocess.run([*command, "clean.dcm"], stderr=subprocess.PIPE, check=True, text=True).stderr


def test_trust(folder: Path) -> None:
    names: dict[str, Any] = {}
    exec(compile(TRUST, "README.md", "exec", dont_inherit=True), names)
    report = anyio.run(lambda: verify("signed.dcm", trust=names["trust"]))
    assert report.ok, report
