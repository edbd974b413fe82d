"""The examples of the README do what it says."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any
from uuid import UUID

import anyio
import httpx
import pytest

from tests.peers import require_peer

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text("utf-8")
SERVICE, FILTER = re.findall(r"^```python\n(.*?)^```", README, re.DOTALL | re.MULTILINE)
COMMANDS = re.findall(r"^\$ (dcmsign .*)$", README, re.MULTILINE)
VECTORS = ROOT / "tests" / "vectors" / "mac"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with the files the examples name."""
    for source, target in (
        ("key-rsa.pem", "key.pem"),
        ("cert-rsa.pem", "certificate.pem"),
        ("cert-rsa.pem", "authority.pem"),
        ("sq-nested.dcm", "image.dcm"),
        ("sq-nested.signed.dcm", "signed.dcm"),
    ):
        shutil.copyfile(VECTORS / source, tmp_path / target)
    (tmp_path / "archive").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    return tmp_path


def test_commands(folder: Path) -> None:
    assert len(COMMANDS) == 2
    (folder / "signed.dcm").unlink()
    for command in COMMANDS:
        subprocess.run(shlex.split(command), check=True)


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
