"""Runs a command line with this command and with DCMTK's, each in its own folder, and puts both outcomes into the same words.

Compared are the exit code, standard output, every message, and every file that was written; DICOM files as dcmdump shows
them. What differs from run to run or names the program is replaced: new UIDs, times, signature values, versions.
"""

from __future__ import annotations

import difflib
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from tests.cli.peer_files import COPIES, VECTORS, stock
from tests.cli.peer_server import CommandServer
from tests.peers import require_peer

COMMAND = (sys.executable, "-m", "dcmsign.stream")
VARIABLES: dict[str, str | None] = dict.fromkeys(("DCMDICTPATH", "SSL_CERT_FILE", "SSL_CERT_DIR"), None)
"""Neither program takes its dictionary or certificates from elsewhere."""
HUNG = -14
"""Exit code of a program that did not end: SIGALRM."""
SECONDS = 20.0

OURS, THEIRS = "ours", "theirs"

_HEADER = re.compile(r"\$(dcmtk|dcmsign): dcmsign v.* \$")
_NEW_UID = re.compile(r"(?:1\.2\.276\.0\.7230010\.3\.1\.4\.\d+(?:\.\d+)+|2\.25\.\d{20,})(?:\\000)?")
_NOW = re.compile(r"\b20\d{12}\.\d{6}[+-]\d{4}\b")
_NOW_BYTES = re.compile(_NOW.pattern.encode())
_NEW_UID_ELEMENT = re.compile(
    rb"\x00\x04\x00\x01(?:UI)?[\0-\xff]{2,4}?(?:1\.2\.276\.0\.7230010\.3\.1\.4|2\.25)\.[\d.]+\0??(?=\0\x04\x05)"
)
"""Digital Signature UID in digested bytes, up to the next element."""
_FILE_NAME = re.compile(r"[\w.+-]*\w")


@dataclass(frozen=True)
class Invocation:
    """A command line, as a shell would split it, and what it is run with.

    `stdin`: name of the file to be standard input. `files`: more files for the folder, beside those of the stock that the
    line names. `variables`: environment, None removes. `process`: start Python for it. `strict`: compare the data sets
    that are written byte by byte.
    """

    line: str
    stdin: str = ""
    files: Mapping[str, bytes] = field(default_factory=dict)
    variables: Mapping[str, str | None] = field(default_factory=dict)
    process: bool = False
    strict: bool = False
    timeout: float = SECONDS

    @property
    def arguments(self) -> list[str]:
        """The arguments without the program's name."""
        return shlex.split(self.line)

    def __str__(self) -> str:
        return self.line + (f" <{self.stdin}" if self.stdin else "")


@dataclass(frozen=True)
class Written:
    """A DICOM file that was written: preamble and prefix, the dump, and the bytes of the data set if these are compared."""

    preamble: bytes
    dump: str
    data_set: bytes | None

    def lines(self) -> list[str]:
        """The file as lines of text."""
        return [repr(self.preamble), *self.dump.split("\n"), repr(self.data_set)]


@dataclass(frozen=True)
class Result:
    """What came of an invocation, in words that do not depend on the run."""

    code: int
    out: str
    messages: tuple[str, ...]
    files: Mapping[str, object]

    def lines(self) -> list[str]:
        """All of it as lines of text, which a failed test can show."""
        told = [f"exit code {self.code}", *self.out.splitlines(), *self.messages]
        for name, file in sorted(self.files.items()):
            told += [f"file {name}", *(file.lines() if isinstance(file, Written) else [repr(file)])]
        return told

    def without(self, pattern: str) -> Result:
        """The same without the messages that match a pattern from their beginning."""
        return replace(self, messages=tuple(line for line in self.messages if not re.match(pattern, line)))


@dataclass(frozen=True)
class Pair:
    """What both programs made of an invocation, and where."""

    ours: Result
    theirs: Result
    our_folder: Path
    their_folder: Path


@dataclass(frozen=True)
class Side:
    """One program after an invocation: its folder, how it ended, what it wrote."""

    folder: Path
    code: int
    out: bytes
    err: bytes
    written: Mapping[str, bytes]


class Peers:
    """Both programs, and the stock of files for their folders."""

    def __init__(self, base: Path) -> None:
        self._base = base
        self._reference = require_peer("dcmsign")
        self._dump = require_peer("dcmdump")
        self._server = CommandServer()
        self._stock = stock()
        self._count = 0

    def close(self) -> None:
        """End the command server."""
        self._server.close()

    # ------------------------------------------------------------ running

    def run(self, invocation: Invocation | str) -> Pair:
        """What both programs make of an invocation."""
        wanted = Invocation(invocation) if isinstance(invocation, str) else invocation
        ours, theirs = self.sides(wanted)
        described = self._described(wanted, ours, theirs)
        our_result, their_result = (
            Result(side.code, *_texts(side), described[name]) for name, side in ((OURS, ours), (THEIRS, theirs))
        )
        return Pair(our_result, their_result, ours.folder, theirs.folder)

    def same(self, invocation: Invocation | str) -> Pair:
        """Assert that both programs do the same; what they do."""
        pair = self.run(invocation)
        expect_same(comparable(pair.ours), comparable(pair.theirs))
        return pair

    def signed(self, invocation: Invocation | str, *, options: str = "", target: str = "out.dcm") -> tuple[str, ...]:
        """Assert the same, and that each program says the same of the signatures of the other; the verdicts."""
        pair = self.same(invocation)
        assert pair.theirs.code == 0
        certificates = [path.name for path in sorted(pair.their_folder.glob("*cert.*"))] or [str(VECTORS / COPIES["cert.pem"])]
        trusted = " ".join(f"+cf {name}" for name in certificates)
        line = f"-v +rg {trusted} {options} {target}"
        told = self.reference(line, pair.our_folder)
        expect_same(self.command(line, pair.their_folder), told)
        return verdicts(told)

    def sides(self, invocation: Invocation) -> tuple[Side, Side]:
        """Run an invocation with both programs, in fresh folders."""
        self._count += 1
        files = self._files_for(invocation)
        ours, theirs = (self._folder(name, files) for name in (OURS, THEIRS))
        arguments, stdin = invocation.arguments, invocation.stdin
        variables = VARIABLES | dict(invocation.variables)
        their_code = self._in_process(self._reference, ("dcmsign",), invocation, theirs, variables)
        if invocation.process:
            our_code = self._in_process(sys.executable, COMMAND, invocation, ours, variables)
        else:
            our_code = self._server.run(
                arguments,
                ours,
                stdin=ours / stdin if stdin else None,
                variables=variables,
                timeout=invocation.timeout,
            )
        return self._side(ours, our_code, files), self._side(theirs, their_code, files)

    def reference(self, line: str, folder: Path) -> Result:
        """Run DCMTK's program in a folder."""
        code = self._in_process(self._reference, ("dcmsign",), Invocation(line), folder, VARIABLES)
        return self._told(folder, code)

    def command(self, line: str, folder: Path) -> Result:
        """Run this command in a folder."""
        code = self._server.run(shlex.split(line), folder, stdin=None, variables=VARIABLES, timeout=SECONDS)
        return self._told(folder, code)

    def _told(self, folder: Path, code: int) -> Result:
        side = Side(folder, code, _taken(folder / ".out"), _taken(folder / ".err"), {})
        return comparable(Result(code, *_texts(side), {}))

    def _in_process(
        self,
        program: str,
        names: tuple[str, ...],
        invocation: Invocation,
        folder: Path,
        variables: Mapping[str, str | None],
    ) -> int:
        stdin = folder / invocation.stdin if invocation.stdin else Path(os.devnull)
        with open(stdin, "rb") as source, open(folder / ".out", "wb") as out, open(folder / ".err", "wb") as err:
            process = subprocess.Popen(
                [*names, *invocation.arguments],
                executable=program,
                cwd=folder,
                env=_environment(variables),
                stdin=source,
                stdout=out,
                stderr=err,
                start_new_session=True,
            )
            try:
                return process.wait(invocation.timeout)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                return HUNG

    def _files_for(self, invocation: Invocation) -> dict[str, bytes]:
        names = {name for argument in invocation.arguments for name in _FILE_NAME.findall(argument)}
        found = {name: self._stock[name] for name in names | {invocation.stdin} if name in self._stock}
        # command files name further files
        inner = {name for text in found.values() if len(text) < 200 for name in _FILE_NAME.findall(text.decode("latin-1"))}
        return {name: self._stock[name] for name in inner if name in self._stock} | found | dict(invocation.files)

    def _folder(self, program: str, files: Mapping[str, bytes]) -> Path:
        folder = self._base / str(self._count) / program
        folder.mkdir(parents=True)
        for name, content in files.items():
            (folder / name).write_bytes(content)
        return folder

    def _side(self, folder: Path, code: int, before: Mapping[str, bytes]) -> Side:
        out, err = _taken(folder / ".out"), _taken(folder / ".err")
        after = {path.name: path.read_bytes() for path in folder.iterdir()}
        written = {name: content for name, content in after.items() if before.get(name) != content}
        assert not before.keys() - after.keys()
        return Side(folder, code, out, err, written)

    # ------------------------------------------------------------ describing

    def _described(self, invocation: Invocation, ours: Side, theirs: Side) -> dict[str, dict[str, object]]:
        described: dict[str, dict[str, object]] = {OURS: {}, THEIRS: {}}
        objects: list[tuple[str, str, Path]] = []
        for label, side in ((OURS, ours), (THEIRS, theirs)):
            for name, content in side.written.items():
                if is_dicom(content):
                    objects.append((label, name, side.folder / name))
                else:
                    described[label][name] = _NEW_UID_ELEMENT.sub(b"UID", _NOW_BYTES.sub(b"NOW", content))
            if is_dicom(side.out):
                (side.folder / ".out").write_bytes(side.out)
                objects.append((label, "-", side.folder / ".out"))
        for (label, name, path), text in zip(objects, self.dump([path for *_, path in objects]), strict=True):
            content = path.read_bytes()
            described[label][name] = Written(content[:132], text, without_meta(content) if invocation.strict else None)
        return described

    def dump(self, paths: list[Path]) -> list[str]:
        """DICOM files as dcmdump shows them, without what differs from run to run."""
        if not paths:
            return []
        done = subprocess.run(
            [self._dump, "-dc", "+L", "-Un", "+Qo", "+F", *map(str, paths)],
            env=_environment(VARIABLES),
            capture_output=True,
            timeout=SECONDS,
            check=False,
        )
        texts = re.split(r"^# dcmdump \(\d+/\d+\): .*\n", _NOW.sub("NOW", done.stdout.decode("latin-1")), flags=re.MULTILINE)
        assert len(texts) == len(paths) + 1, (paths, done.stderr)
        return [_ELEMENT.sub(_masked, text).strip("\n") for text in texts[1:]]


def expect_same(ours: Result, theirs: Result) -> None:
    """Fail with the lines that differ, if any do."""
    __tracebackhide__ = True
    if ours != theirs:
        lines = difflib.unified_diff(theirs.lines(), ours.lines(), THEIRS, OURS, n=1, lineterm="")
        pytest.fail("\n".join(line[:200] for line in lines))


def verdicts(result: Result) -> tuple[str, ...]:
    """The verdicts on the signatures in the messages of a verification."""
    return tuple(re.findall(r"^W: {3}Signature Verification +: (.*)$", "\n".join(result.messages), re.MULTILINE))


def is_dicom(content: bytes) -> bool:
    """Whether this is a file with meta header."""
    return content[128:132] == b"DICM"


def without_meta(content: bytes) -> bytes:
    """The data set of a file."""
    return content[144 + int.from_bytes(content[140:144], "little") :]


# ---------------------------------------------------------------- what the programs say


_READER = r"W: (Dcm\w+: |Found element \(.*\) with VR UN and undefined length)"
_PLACE = r"E: (\([0-9a-f]{4},|offset \d|Dcm\w+: )"


def comparable(result: Result) -> Result:
    """The result without what the programs do differently: remarks on the structure of the input, the place of damage, what
    a failed run leaves in a dump file.
    """
    result = result.without(_READER)
    if result.code != 0:
        result = replace(result, files={name: None if isinstance(file, bytes) else file for name, file in result.files.items()})
    return result.without(_PLACE) if result.code == 20 else result


def _texts(side: Side) -> tuple[str, tuple[str, ...]]:
    out = "" if is_dicom(side.out) else _HEADER.sub("HEADER", side.out.decode("latin-1"))
    err = _HEADER.sub("HEADER", side.err.decode("latin-1"))
    err = err.replace(str(side.folder), "FOLDER")
    return out, tuple(_NOW.sub("NOW", _NEW_UID.sub("UID", err)).split("\n"))


# ---------------------------------------------------------------- what is in a file

_ELEMENT = re.compile(r"^( *)\((\w{4},\w{4})\) (\S\S) (.*?) +# +(\w+), *(\d+) (\w.*)$", re.MULTILINE)
_OF_THE_PROGRAM = frozenset({"0002,0000", "0002,0012", "0002,0013"})
_SHORTEST_SIGNATURE = 60
"""Bytes; the stock holds shorter ones, which are no signatures and stay."""


def _masked(match: re.Match[str]) -> str:
    """An element of a dump without what differs from run to run."""
    indent, tag, vr, value, length, count, name = match.groups()
    if vr in ("SQ", "na"):  # lengths of sequences and items depend on those of UIDs
        length = ""
    elif tag in _OF_THE_PROGRAM:
        value = length = ""
    elif tag.endswith(",0000"):  # counts new UIDs
        value = ""
    elif vr == "UI" and (new := _NEW_UID.sub("UID", value)) != value:
        value, length = new, ""
    elif tag == "0400,0120" and int(length) >= _SHORTEST_SIGNATURE:
        value, length = "VALUE", length if int(length) >= 128 else ""
    return f"{indent}({tag}) {vr} {value} # {length}, {count} {name}"


def _taken(path: Path) -> bytes:
    content = path.read_bytes()
    path.unlink()
    return content


def _environment(variables: Mapping[str, str | None]) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name not in variables}
    return kept | {name: value for name, value in variables.items() if value is not None}


@pytest.fixture(scope="session")
def peers(tmp_path_factory: pytest.TempPathFactory, reference_version: str) -> Iterator[Peers]:
    """Both programs; skips without DCMTK of the version the expectations are for."""
    assert reference_version
    both = Peers(tmp_path_factory.mktemp("peers"))
    yield both
    both.close()
