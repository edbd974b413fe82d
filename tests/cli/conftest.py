"""Runs command lines with this command and with DCMTK's, in the same folder."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from dcmsign.stream.cli import main

from tests.cli.peer import peers as peers
from tests.peers import require_peer

VECTORS = Path(__file__).parent.parent / "vectors" / "mac"
HEADER = re.compile(r"\$(dcmtk|dcmsign): dcmsign v.* \$")
REFERENCE_VERSION = "v3.6.7 "

FILES = {
    "in.dcm": "explicit-short.dcm",
    "signed.dcm": "explicit-short.signed.dcm",
    "key.pem": "key-rsa.pem",
    "cert.pem": "cert-rsa.pem",
    "dsa-key.pem": "key-dsa.pem",
    "dsa-cert.pem": "cert-dsa.pem",
}
TEXTS = {
    "empty": "",
    "blanks.txt": " \t\r\n ",
    "text.txt": "hello world\n",
    "one.txt": "--arguments\tin.dcm\r\n -ll off",
    "quotes.txt": "'mi''ni.dcm' -v",
    "joined.txt": '--arguments a"b c"d"e" \'\' ""',
    "inner-quotes.txt": """--arguments "it's" 'a "b"'""",
    "open.txt": "--arguments in.dcm 'un closed",
    "nested.txt": "--arguments @one.txt x",
    "value.txt": "key.pem cert.pem",
    "bogus.txt": "in.dcm --bogus",
    "settings.cfg": "log4cplus.rootLogger = INFO\n",
}


@dataclass(frozen=True)
class Outcome:
    """What a command line led to; the header line is reduced to ``HEADER``."""

    code: int
    out: str
    err: str


@dataclass(frozen=True)
class Bench:
    """A folder with files for command lines, and both programs."""

    folder: Path
    capture: pytest.CaptureFixture[str]

    def ours(self, *arguments: str) -> Outcome:
        """Run the command of this project inside this process."""
        self.capture.readouterr()
        code = main(arguments)
        out, err = self.capture.readouterr()
        return Outcome(int(code), HEADER.sub("HEADER", out), HEADER.sub("HEADER", err))

    def reference(self, *arguments: str) -> Outcome:
        """Run DCMTK's program; skips the test without the version the expectations are for."""
        program = require_peer("dcmsign")
        done = subprocess.run(
            ["dcmsign", *arguments],
            executable=program,
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="surrogateescape",
            check=False,
        )
        return Outcome(done.returncode, HEADER.sub("HEADER", done.stdout), HEADER.sub("HEADER", done.stderr))


@pytest.fixture(scope="session")
def reference_version() -> str:
    """The header line of the installed DCMTK; skips without DCMTK 3.6.7."""
    done = subprocess.run([require_peer("dcmsign"), "--version"], capture_output=True, text=True, check=True)
    line = done.stdout.partition("\n")[0]
    if REFERENCE_VERSION not in line:
        pytest.skip(f"the expectations are for dcmsign {REFERENCE_VERSION.strip()}, found {line}")
    return line


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Iterator[Bench]:
    """A fresh folder with the files above as working directory."""
    for name, vector in FILES.items():
        shutil.copyfile(VECTORS / vector, tmp_path / name)
    for name, text in TEXTS.items():
        (tmp_path / name).write_bytes(text.encode())
    monkeypatch.chdir(tmp_path)
    # the reference takes its dictionary and certificates from nowhere else
    for variable in ("DCMDICTPATH", "SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(variable, raising=False)
    with open(os.devnull) as nothing:
        monkeypatch.setattr("sys.stdin", nothing)  # that of pytest has no file descriptor
        yield Bench(tmp_path, capfd)
