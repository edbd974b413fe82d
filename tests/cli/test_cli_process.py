"""The command as a process of its own: imports, streams, terminal, interrupts."""

from __future__ import annotations

import ast
import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.cli.conftest import VECTORS

PYTHON = sys.executable
COMMAND = (PYTHON, "-m", "dcmsign.stream")
PROMPT = b"Enter PEM pass phrase:"
ASK = "import os; from dcmsign.stream.cli.passwords import ask; print(bytes(ask()), os.read(0, 100))"


def run(*arguments: str, program: Sequence[str] = COMMAND, **options: object) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(  # type: ignore[call-overload, no-any-return]
        [*program, *arguments], capture_output=True, check=False, timeout=60, **options
    )


def test_version() -> None:
    done = run("--version")
    assert (done.returncode, done.stderr) == (0, b"")
    assert re.fullmatch(
        r"\$dcmsign: dcmsign v\S+ \S+ \$\n\ndcmsign: Sign and Verify DICOM Files\n\n"
        r"Host type: \S+\nCharacter encoding: \S+\nBuild options: .+\n\n"
        r"External libraries used:\n- Python [\d.]+\n- OpenSSL \d.+\n",
        done.stdout.decode(),
    )


def test_usage_error() -> None:
    done = run("--bogus")
    assert (done.returncode, done.stdout) == (1, b"")
    assert done.stderr.endswith(b"\n\ndcmsign: Sign and Verify DICOM Files\nerror: Unknown option --bogus\n")


def test_names_that_are_no_text() -> None:
    done = run(b"--caf\xe9")  # type: ignore[arg-type]
    assert (done.returncode, done.stderr.splitlines()[-1]) == (1, b"error: Unknown option --caf\xe9")


@pytest.mark.parametrize("arguments", [["--help"], ["+lp"], ["--bogus"], ["in.dcm", "out.dcm"], [""], []])
def test_heavy_modules_stay_unloaded(arguments: list[str]) -> None:
    heavy = ["anyio", "asyncio", "cryptography", "OpenSSL", "pydicom", "argparse", "httpx", "zlib", "importlib.metadata"]
    code = (
        "import sys; from dcmsign.stream.cli import main\n"
        f"main({arguments!r}); print([name for name in {heavy!r} if name in sys.modules], file=sys.stderr)"
    )
    assert run(program=[PYTHON, "-c", code]).stderr.splitlines()[-1] == b"[]"


def test_closed_pipe() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "wb") as output:
        done = subprocess.run([*COMMAND, "--help"], stdout=output, stderr=subprocess.PIPE, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (40, b"F: Broken pipe: writing file: -\n")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full")
def test_full_device() -> None:
    with open("/dev/full", "wb") as output:
        done = subprocess.run([*COMMAND, "--help"], stdout=output, stderr=subprocess.PIPE, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (40, b"F: No space left on device: writing file: -\n")


@pytest.mark.parametrize(
    ("answers", "prompts", "result"),
    [
        (b"secret\nrest", 1, (b"secret", b"rest")),
        (b"two words\r\n", 1, (b"two words\r", b"")),
        (b"\nrest", 1, (b"", b"rest")),
        (b"no end", 2, (b"", b"")),
        (b"", 2, (b"", b"")),
    ],
)
def test_prompt_without_terminal(answers: bytes, prompts: int, result: tuple[bytes, bytes]) -> None:
    done = run(program=[PYTHON, "-c", ASK], input=answers, start_new_session=True)
    assert done.stderr == (PROMPT + b"\n") * prompts
    assert done.stdout.decode() == f"{result[0]!r} {result[1]!r}\n"


def on_terminal(code: str, typed: bytes) -> tuple[int, bytes, bytes]:
    """Run code with a terminal of its own and type something at the prompt: status, standard output, terminal output."""
    master, slave = pty.openpty()
    opened = f"import os; os.open({os.ttyname(slave)!r}, os.O_RDWR)\n"  # becomes the controlling terminal
    process = subprocess.Popen(
        [PYTHON, "-c", opened + code],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    try:
        seen = b""
        while not seen.endswith(PROMPT) and process.poll() is None:
            if select.select([master], [], [], 0.1)[0]:
                seen += os.read(master, 100)
        time.sleep(0.1)  # the prompt stands before the answer is awaited
        os.write(master, typed)
        output, errors = process.communicate(timeout=60)
        while select.select([master], [], [], 0)[0]:
            seen += os.read(master, 100)
    finally:
        process.kill()
        process.communicate()
        os.close(master)
        os.close(slave)
    assert errors == b""
    return process.returncode, output, seen


def test_prompt_on_terminal() -> None:
    status, output, seen = on_terminal(ASK, b"secret\n")
    assert (status, output, seen) == (0, b"b'secret' b''\n", PROMPT + b"\r\n")


def test_terminal_echoes_again() -> None:
    code = "import termios; from dcmsign.stream.cli.passwords import ask; ask(); f = os.open('/dev/tty', os.O_RDWR)\n"
    code += "print(bool(termios.tcgetattr(f)[3] & termios.ECHO))"
    assert on_terminal(code, b"x\n")[1] == b"True\n"


def test_interrupted_prompt() -> None:
    code = "import asyncio; from dcmsign.stream.cli.passwords import ask\nasync def f(): ask()\n"
    code += "try: asyncio.run(f())\nexcept KeyboardInterrupt: print('interrupted')"
    assert on_terminal(code, b"\x03")[:2] == (0, b"interrupted\n")


def key_and_certificate(password: bytes | None) -> tuple[bytes, bytes]:
    """The RSA key of the vectors, encrypted if there is a password, and its certificate."""
    from cryptography.hazmat.primitives.serialization import (
        BestAvailableEncryption,
        Encoding,
        NoEncryption,
        PrivateFormat,
        load_pem_private_key,
    )

    key = load_pem_private_key((VECTORS / "key-rsa.pem").read_bytes(), None)
    encryption = BestAvailableEncryption(password) if password else NoEncryption()
    encoded = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption)
    return encoded, (VECTORS / "cert-rsa.pem").read_bytes()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a plain and an encrypted key, a certificate and a file to sign."""
    (tmp_path / "key.pem").write_bytes(key_and_certificate(None)[0])
    encrypted, certificate = key_and_certificate(b"secret")
    (tmp_path / "encrypted.pem").write_bytes(encrypted)
    (tmp_path / "cert.pem").write_bytes(certificate)
    (tmp_path / "in.dcm").write_bytes((VECTORS / "explicit-short.dcm").read_bytes())
    return tmp_path


def test_filter(folder: Path) -> None:
    done = run("-v", "+m2", "+s", "key.pem", "cert.pem", "-", "-", cwd=folder, input=(folder / "in.dcm").read_bytes())
    assert (done.returncode, done.stderr.splitlines()) == (
        0,
        [b"I: open input file -", b"I: create signature in main object.", b"I: create output file -"],
    )
    checked = run("+cf", "cert.pem", "-", cwd=folder, input=done.stdout)
    assert (checked.returncode, checked.stdout, checked.stderr.splitlines()[1:]) == (
        0,
        b"",
        [b"W:   Signature Verification : OK"],
    )


@pytest.mark.parametrize(("answer", "code"), [(b"secret\n", 0), (b"wrong\n", 20), (b"secret", 20)])
def test_password_from_standard_input(folder: Path, answer: bytes, code: int) -> None:
    arguments = ("-q", "+m2", "+s", "encrypted.pem", "cert.pem", "in.dcm", "out.dcm")
    done = run(*arguments, cwd=folder, input=answer, start_new_session=True)
    assert done.returncode == code
    assert done.stderr.startswith(PROMPT + b"\n")
    assert (folder / "out.dcm").exists() == (code == 0)


def test_data_set_and_password_from_standard_input(folder: Path) -> None:
    arguments = ("+m2", "+s", "encrypted.pem", "cert.pem", "-", "out.dcm")
    done = run(*arguments, cwd=folder, input=(folder / "in.dcm").read_bytes(), start_new_session=True)
    assert done.returncode == 20  # the data set goes on to the end, nothing is left for the password
    assert done.stderr.splitlines() == [
        PROMPT,
        PROMPT,
        b"F: file cannot be read: while loading private key file 'encrypted.pem'",
    ]


def test_password_never_shows(folder: Path) -> None:
    arguments = ("-ll", "trace", "+m2", "+pw", "s3cr3t-w0rd", "+s", "encrypted.pem", "cert.pem", "in.dcm", "out.dcm")
    done = run(*arguments, cwd=folder)
    assert done.returncode == 20
    assert b"s3cr3t" not in done.stdout + done.stderr


def test_output_nobody_reads(folder: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "wb") as output:
        done = subprocess.run(
            [*COMMAND, "+m2", "+s", "key.pem", "cert.pem", "in.dcm", "-"],
            cwd=folder,
            stdout=output,
            stderr=subprocess.PIPE,
            check=False,
            timeout=60,
        )
    assert (done.returncode, done.stderr) == (40, b"F: Broken pipe: writing file: -\n")


@pytest.mark.parametrize(("typed", "status"), [(b"secret\n", 0), (b"wrong\n", 20), (b"\x03", 130)])
def test_password_from_terminal(folder: Path, typed: bytes, status: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    arguments = ["-ll", "off", "+m2", "+s", "encrypted.pem", "cert.pem", "in.dcm", "out.dcm"]
    code = f"import sys; from dcmsign.stream.cli import main; sys.exit(main({arguments!r}))"
    found, output, seen = on_terminal(code, typed)
    assert (found, output) == (status, b"")
    assert typed.strip() not in seen
    assert [path.name for path in folder.glob("*out.dcm*")] == (["out.dcm"] if status == 0 else [])


@pytest.mark.parametrize("source", ["-", "fifo"])
def test_interrupt_while_waiting_for_input(folder: Path, source: str) -> None:
    os.mkfifo(folder / "fifo")
    process = subprocess.Popen(
        [*COMMAND, "-v", "+m2", "+s", "key.pem", "cert.pem", source, "out.dcm"],
        cwd=folder,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stderr is not None
    assert process.stderr.readline().startswith(b"I: open input file")
    writer = os.open(folder / "fifo", os.O_RDWR)  # so that a reader of the pipe waits for data
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    try:
        assert process.wait(timeout=20) == 130
        assert process.stderr.read() == b""
        assert not (folder / "out.dcm").exists()
    finally:
        process.kill()
        process.communicate()
        os.close(writer)


INTERRUPTING = """
import os, signal, sys
from dcmsign.stream.cli import interrupts, start

class Interrupting:
    # at every import of the command: a copy of the process that is interrupted there and goes on
    def find_spec(self, name, path=None, target=None):
        starting = signal.getsignal(signal.SIGINT) is interrupts._leave
        sys.stderr.flush()
        copy = os.fork()
        if copy == 0:
            sys.meta_path.remove(self)
            errors = os.open("errors", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            os.dup2(errors, 1)
            os.dup2(errors, 2)
            os.kill(os.getpid(), signal.SIGINT)
            return None
        code = os.waitstatus_to_exitcode(os.waitpid(copy, 0)[1])
        with open("errors") as file:
            seen.append((starting, code, name, file.read()))

seen = []
sys.meta_path.insert(0, Interrupting())
sys.argv[1:] = {arguments!r}
code = start()
with open("seen", "w") as file:
    file.write(repr((int(code), seen)))
"""

OPERATIONS = {
    "verify": ["+cf", "cert.pem", "signed.dcm"],
    "sign": ["+m2", "+s", "key.pem", "cert.pem", "in.dcm", "out.dcm"],
    "usage": ["--bogus"],
}


@pytest.fixture
def signed(folder: Path) -> Path:
    """The folder with a signed file, too."""
    assert run("+m2", "+s", "key.pem", "cert.pem", "in.dcm", "signed.dcm", cwd=folder).returncode == 0
    return folder


@pytest.mark.parametrize("operation", OPERATIONS)
def test_interrupt_at_every_import(operation: str, signed: Path) -> None:
    done = run(program=[PYTHON, "-c", INTERRUPTING.replace("{arguments!r}", repr(OPERATIONS[operation]))], cwd=signed)
    code, seen = ast.literal_eval((signed / "seen").read_text())
    assert (code, b"Traceback" in done.stderr) == (1 if operation == "usage" else 0, False)
    early = [found for found in seen if found[0]]
    assert len(early) > 20
    assert [found for found in early if found[1] != 130 or found[3]] == []
    # an operation that is as good as done may come to its end
    assert [found for found in seen if found[1] not in (0, 130) or (found[1] and found[3]) or "Traceback" in found[3]] == []


def test_ignored_interrupt_stays_ignored(signed: Path) -> None:
    code = "import os, signal; from dcmsign.stream.cli import interrupts; interrupts.leave_at_once()\n"
    code += "os.kill(os.getpid(), signal.SIGINT); interrupts.stop_operation(); os.kill(os.getpid(), signal.SIGINT); print('here')"
    ignoring = ["/bin/sh", "-c", 'trap "" INT; exec "$0" -c "$1"', PYTHON, code]
    assert run(program=ignoring).stdout == b"here\n"


UNUSED = ["anyio", "asyncio", "ssl", "httpx", "asn1crypto", "rich", "tempfile", "argparse", "multiprocessing"]
UNUSED += [f"dcmsign.stream.cli.{name}" for name in ("authority", "batch", "failures", "log_config", "tags", "timestamps")]
UNUSED += [f"dcmsign.stream.{name}" for name in ("many", "removing", "stamping", "trust.directories", "trust.past")]
UNUSED_BY = {
    "verify": [
        *UNUSED,
        "concurrent.futures",
        "dcmsign.stream.receipts",
        "dcmsign.stream.stampers",
        "dcmsign.codec.signature.edits",
    ],
    "sign": [*UNUSED, "OpenSSL", "cryptography.x509", "dcmsign.stream.trust.paths"],
}


@pytest.mark.parametrize("operation", UNUSED_BY)
def test_file_to_file_loads_what_it_needs(operation: str, signed: Path) -> None:
    code = (
        "import sys; from dcmsign.stream.cli import main\n"
        f"code = main({OPERATIONS[operation]!r})\n"
        f"print(code, [name for name in {UNUSED_BY[operation]!r} if name in sys.modules])"
    )
    assert run(program=[PYTHON, "-c", code], cwd=signed).stdout == b"0 []\n"
