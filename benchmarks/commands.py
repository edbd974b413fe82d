"""The programs that are compared, and how each is told to do the same."""

from __future__ import annotations

import os
import shutil
import sys
import sysconfig
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from .measure import ROOT, Run

_KEYS = ROOT / "tests" / "vectors" / "mac"
KEY, CERTIFICATE = str(_KEYS / "key-rsa.pem"), str(_KEYS / "cert-rsa.pem")

COMMAND, INSIDE = "command", "in-process"
PEER, LOOP, OPENSSL, CP = "dcmsign", "dcmsign loop", "openssl dgst", "cp"
"""Names of programs: this project's command and library; DCMTK's command and a shell loop over it; readers and copiers."""

OURS = (COMMAND, INSIDE)


def find_dcmsign() -> str | None:
    """DCMTK's dcmsign: the first one on the path that does not belong to this environment."""
    own = Path(sys.prefix).resolve()
    folders = os.environ.get("PATH", os.defpath).split(os.pathsep)
    foreign = [folder for folder in folders if folder and not Path(folder).resolve().is_relative_to(own)]
    return shutil.which("dcmsign", path=os.pathsep.join(foreign))


def our_command() -> list[str]:
    """This project's command, as it is installed."""
    script = Path(sysconfig.get_path("scripts")) / "dcmsign"
    return [str(script)] if script.exists() else [sys.executable, "-P", "-m", "dcmsign.stream"]


def hexadecimal(tag: int) -> str:
    """A tag as both commands take it."""
    return f"{tag >> 16:04x},{tag & 0xFFFF:04x}"


def sign_options(tags: Iterable[int] = ()) -> list[str]:
    """What both commands are told to sign with SHA-256, everything or only some data elements."""
    chosen = [part for tag in tags for part in ("-t", hexadecimal(tag))]
    return ["+m2", *chosen, "+s", KEY, CERTIFICATE]


VERIFY_OPTIONS = ["+rg", "+cf", CERTIFICATE]
"""What both commands are told to verify: there must be a signature, and the signer must be trusted."""


@dataclass(frozen=True, slots=True)
class Programs:
    """What is there to be measured; `folder` is for output and results."""

    folder: Path
    dcmsign: str | None
    openssl: str | None
    cp: str | None

    @classmethod
    def find(cls, folder: Path) -> Programs:
        """Look for all of them."""
        return cls(folder, find_dcmsign(), shutil.which("openssl"), shutil.which("cp"))

    def missing(self) -> list[str]:
        """Names of those that are not installed."""
        return [name for name, path in ((PEER, self.dcmsign), (OPENSSL, self.openssl), (CP, self.cp)) if path is None]

    def verify(self, signed: Path, peer_signed: Path, *, inside: bool = True, read: bool = True) -> dict[str, Run]:
        """Verify a file; the peer gets one that it made itself, since it digests less of nested sequences."""
        runs = {COMMAND: Run([*our_command(), *VERIFY_OPTIONS, str(signed)])}
        if inside:
            runs[INSIDE] = self.inside("verify", CERTIFICATE, str(signed))
        if self.dcmsign:
            runs[PEER] = Run([self.dcmsign, *VERIFY_OPTIONS, str(peer_signed)])
        if self.openssl and read:
            runs[OPENSSL] = Run([self.openssl, "dgst", "-sha256", str(signed)])
        return runs

    def sign(
        self, source: Path, *, tags: Iterable[int] = (), inside: bool = True, read: bool = True, copy: bool = True
    ) -> dict[str, Run]:
        """Sign a file."""
        output, copied = self.folder / "output.dcm", self.folder / "copy.dcm"
        arguments = [*sign_options(tags), str(source), str(output)]
        runs = {COMMAND: Run([*our_command(), *arguments], output)}
        if inside:
            runs[INSIDE] = self.inside("sign", KEY, CERTIFICATE, str(source), str(output), output=output)
        if self.dcmsign:
            runs[PEER] = Run([self.dcmsign, *arguments], output)
        if self.openssl and read:
            runs[OPENSSL] = Run([self.openssl, "dgst", "-sha256", str(source)])
        if self.cp and copy:
            runs[CP] = Run([self.cp, str(source), str(copied)], copied)
        return runs

    def inside(self, *arguments: str, output: Path | None = None, watch: float | None = None, feed: Path | None = None) -> Run:
        """An operation of the library, see benchmarks.inside."""
        result = self.folder / "inside.json"
        watching = [] if watch is None else ["--watch", str(watch)]
        command = [sys.executable, "-m", "benchmarks.inside", "--result", str(result), *watching, *arguments]
        return Run(command, output, feed, result)

    def pipe(self, source: Path, tags: tuple[int, ...]) -> dict[str, Run]:
        """Sign from pipe to pipe with a declared list of data elements; the peer knows only files."""
        chosen = [f"{tag:08x}" for tag in tags]
        peer = self.sign(source, tags=tags, inside=False)
        return {
            **peer,
            COMMAND: Run([*our_command(), *sign_options(tags), "-", "-"], feed=source),
            INSIDE: self.inside("pipe", KEY, CERTIFICATE, *chosen, feed=source),
        }
