"""Passwords, private keys and credentials stand in no message, log, traceback, report or file: real operations are searched."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import traceback
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import anyio
import pytest
from cryptography.hazmat.primitives import serialization
from dcmsign.codec import errors
from dcmsign.codec.hiding import Hidden, wipe
from dcmsign.stream import AuthorityStamper, Encoding, FileResult, KeyFiles, KeySigner, TimestampClient, sign, sign_many
from dcmsign.stream.cli.authority import Authority
from dcmsign.stream.io.files import read_buffer
from dcmsign.stream.many_jobs import SignJob, load_signer
from dcmsign.stream.timestamp_rules import TimestampRules
from dcmsign.stream.trust.keys import load_private_key

from tests.cli.test_cli_process import COMMAND, on_terminal
from tests.security.showing import all_shown, forms, key_fragments, leaks, logged
from tests.stream.material import MAC_VECTORS
from tests.tsa.servers import Exchange, OpenSSLAuthority, Server, refusing

PASSWORD = "Zw1ebel-Kuchen"
WRONG = "Fa1sches-Wort"
USER = "radiology"
SECRETS = (PASSWORD, WRONG)
SOURCE, CERTIFICATE = MAC_VECTORS / "explicit-short.dcm", MAC_VECTORS / "cert-rsa.pem"
PLAIN_KEY = MAC_VECTORS / "key-rsa.pem"
FRAGMENTS = key_fragments(PLAIN_KEY.read_bytes())


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> OpenSSLAuthority:
    return OpenSSLAuthority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(params=["pkcs8", "traditional"])
def key_file(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """The key of the vectors, encrypted with the right password."""
    key: Any = serialization.load_pem_private_key(PLAIN_KEY.read_bytes(), None)
    form = serialization.PrivateFormat.PKCS8 if request.param == "pkcs8" else serialization.PrivateFormat.TraditionalOpenSSL
    encryption = serialization.BestAvailableEncryption(PASSWORD.encode())
    path = tmp_path / "encrypted.pem"
    path.write_bytes(key.private_bytes(serialization.Encoding.PEM, form, encryption))
    return path


def raised(function: Callable[[], object], kind: type[BaseException]) -> BaseException:
    with pytest.raises(kind) as caught:
        function()
    return caught.value


def assert_hidden(shown: str | bytes, *more: str | bytes) -> None:
    assert not leaks(shown, (*SECRETS, *FRAGMENTS, *more))


# ---------------------------------------------------------------- the search itself


def test_the_search_finds_secrets() -> None:
    """Otherwise nothing below means anything."""
    code = "def library(password):\n    raise ValueError('no')\n"
    scope: dict[str, Any] = {}
    exec(compile(code, "/elsewhere/library.py", "exec"), scope)
    shown = all_shown(raised(lambda: scope["library"](PASSWORD), ValueError))
    assert "password='Zw1ebel-Kuchen'" in shown
    assert leaks(shown, SECRETS)
    assert leaks("Authorization: Basic " + forms(f"{USER}:{PASSWORD}")[5], [f"{USER}:{PASSWORD}"])
    assert leaks(PLAIN_KEY.read_text(), FRAGMENTS)
    assert leaks(repr(PLAIN_KEY.read_bytes()), FRAGMENTS)
    assert not leaks(CERTIFICATE.read_bytes(), FRAGMENTS)


# ---------------------------------------------------------------- keys


@pytest.mark.parametrize("given", [WRONG, WRONG.encode(), lambda: WRONG.encode(), lambda: bytearray(WRONG.encode())])
def test_a_wrong_password(key_file: Path, given: Any) -> None:
    content = key_file.read_bytes()
    ways: list[Callable[[], object]] = [
        lambda: KeySigner.load(key_file, CERTIFICATE, password=given),
        lambda: KeySigner.from_bytes(content, CERTIFICATE.read_bytes(), password=given),
        lambda: load_private_key(content, Encoding.PEM, password=given, name="key"),
    ]
    for way in ways:
        error = raised(way, errors.BadKeyFile)
        assert "or the password is wrong" in str(error)
        assert_hidden(all_shown(error), *key_fragments(content))
        assert (error.__cause__, error.__context__) == (None, None)


@pytest.mark.parametrize("given", ["\ud800" + WRONG, WRONG + "\udcff"])
def test_a_password_that_is_no_text(key_file: Path, given: str) -> None:
    assert_hidden(all_shown(raised(lambda: KeySigner.load(key_file, CERTIFICATE, password=given), errors.BadKeyFile)))


def test_a_callback_that_fails(key_file: Path) -> None:
    """Its own error goes through; what the library has at hand, the encrypted key, is not in its frames."""

    def fail() -> bytes:
        raise RuntimeError("no terminal")

    error = raised(lambda: KeySigner.load(key_file, CERTIFICATE, password=fail), RuntimeError)
    assert_hidden(all_shown(error), *key_fragments(key_file.read_bytes()))


@pytest.mark.parametrize(
    ("encoding", "damage"), [(Encoding.PEM, "cut"), (Encoding.PEM, "garbled"), (Encoding.PEM, "label"), (Encoding.DER, "cut")]
)
def test_a_key_that_cannot_be_read(encoding: Encoding, damage: str, tmp_path: Path) -> None:
    """What is left of it is still nobody's business."""
    content, certificate = PLAIN_KEY.read_bytes(), CERTIFICATE.read_bytes()
    if encoding is Encoding.DER:
        key: Any = serialization.load_pem_private_key(content, None)
        form = serialization.PrivateFormat.TraditionalOpenSSL
        content = key.private_bytes(serialization.Encoding.DER, form, serialization.NoEncryption())
        certificate = serialization_of(certificate)
    path, middle = tmp_path / "damaged.key", len(content) // 2
    path.write_bytes(
        {
            "cut": content[:-200],
            "garbled": content[:middle] + b"*!" + content[middle + 2 :],
            "label": content.replace(b"END ", b"END X"),
        }[damage]
    )
    (tmp_path / "cert").write_bytes(certificate)
    error = raised(lambda: KeySigner.load(path, tmp_path / "cert", encoding=encoding), errors.BadKeyFile)
    assert_hidden(all_shown(error))


def serialization_of(pem: bytes) -> bytes:
    from cryptography import x509

    return x509.load_pem_x509_certificate(pem).public_bytes(serialization.Encoding.DER)


def test_a_certificate_that_cannot_be_read() -> None:
    """It is read first; the key and the password have been handed over already."""
    key, password = PLAIN_KEY.read_bytes(), PASSWORD
    error = raised(lambda: KeySigner.from_bytes(key, b"nothing", password=password), errors.BadCertificateFile)
    assert_hidden(all_shown(error))


def test_a_certificate_of_somebody_else(key_file: Path, tmp_path: Path) -> None:
    async def signing() -> None:
        signer = KeySigner.load(key_file, MAC_VECTORS / "cert-ec.pem", password=PASSWORD)
        await sign(SOURCE, tmp_path / "out.dcm", signer=signer)

    error = raised(lambda: anyio.run(signing), errors.KeyMismatch)
    assert_hidden(all_shown(error), *key_fragments(key_file.read_bytes()))


def test_representations(key_file: Path) -> None:
    keys = KeyFiles(str(key_file), str(CERTIFICATE), PASSWORD.encode())
    signer = KeySigner.load(key_file, CERTIFICATE, password=PASSWORD)
    asked = Authority(("https://tsa.example/",), None, None, (USER, PASSWORD), None, TimestampRules.STRICT, {})
    client = TimestampClient(f"https://{USER}:{PASSWORD}@tsa.example/", auth=(USER, WRONG))
    held = (keys, SignJob(keys), signer, asked, client, AuthorityStamper(client), Hidden(PASSWORD), load_signer(keys))
    for each in held:
        assert_hidden(f"{each!r} {each!s} {[each]!r}")


def test_what_is_logged(key_file: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(1)

    async def signing() -> None:
        signer = KeySigner.load(key_file, CERTIFICATE, password=PASSWORD)
        await sign(SOURCE, tmp_path / "out.dcm", signer=signer)

    anyio.run(signing)
    assert_hidden(logged(caplog.records))
    assert_hidden((tmp_path / "out.dcm").read_bytes(), *key_fragments(key_file.read_bytes()))


# ---------------------------------------------------------------- buffers


def test_the_answer_of_a_callback_is_overwritten(key_file: Path) -> None:
    right, wrong = bytearray(PASSWORD.encode()), bytearray(WRONG.encode())
    KeySigner.load(key_file, CERTIFICATE, password=lambda: right)
    raised(lambda: KeySigner.load(key_file, CERTIFICATE, password=lambda: wrong), errors.BadKeyFile)
    assert (set(right), set(wrong)) == ({0}, {0})


def test_what_was_read_of_a_key_file_is_overwritten(monkeypatch: pytest.MonkeyPatch) -> None:
    """A watched reader: the buffer that the file was read into is zeros when the signer is there."""
    buffers: list[bytearray] = []

    def watched(path: Path) -> bytearray:
        buffers.append(read_buffer(path))
        return buffers[-1]

    monkeypatch.setattr("dcmsign.stream.trust.signers.read_buffer", watched)
    KeySigner.load(PLAIN_KEY, CERTIFICATE)
    assert [set(buffer) == {0} for buffer in buffers] == [False, True]
    assert len(buffers[1]) == PLAIN_KEY.stat().st_size


def test_wiping() -> None:
    buffer = bytearray(b"secret")
    view = memoryview(buffer)
    wipe(buffer)
    assert bytes(view) == bytes(6)


# ---------------------------------------------------------------- many files


async def all_of(results: AsyncIterator[FileResult]) -> list[FileResult]:
    return [result async for result in results]


def many(key_file: Path, password: str, folder: Path) -> list[FileResult]:
    keys = KeyFiles(str(key_file), str(CERTIFICATE), password.encode())
    pairs = [(SOURCE, folder / "one.dcm"), (MAC_VECTORS / "cases.json", folder / "two.dcm")]
    results: list[FileResult] = anyio.run(lambda: all_of(sign_many(pairs, keys=keys, workers=1)))
    return results


def test_many_files(key_file: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    results = many(key_file, PASSWORD, tmp_path)
    assert sorted(result.error or "" for result in results) == ["", "Truncated"]
    out, err = capfd.readouterr()
    assert_hidden(repr(results) + out + err)
    assert_hidden(all_shown(raised(lambda: many(key_file, WRONG, tmp_path), errors.BadKeyFile)))


def test_a_worker_that_cannot_be_started(key_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its job, with the password, is pickled and at hand by then."""
    monkeypatch.setattr(sys, "executable", str(tmp_path / "missing"))
    assert_hidden(all_shown(raised(lambda: many(key_file, PASSWORD, tmp_path), FileNotFoundError)))


def test_a_worker_that_ends(key_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    assert_hidden(all_shown(raised(lambda: many(key_file, PASSWORD, tmp_path), RuntimeError)))


# ---------------------------------------------------------------- time-stamping authorities


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in [name for name in os.environ if name.lower().endswith("_proxy")]:
        monkeypatch.delenv(variable)


CREDENTIALS = (f"{USER}:{PASSWORD}", f"{USER}:{WRONG}")

BAD_URLS = [
    f"ftp://{USER}:{PASSWORD}@tsa.example/",
    f"http://{USER}:{PASSWORD}@tsa.example/",
    f"https://{USER}:{PASSWORD}@tsa.example:port/",
    f"//{USER}:{PASSWORD}@tsa.example/",
    f"https://{USER}:{PASSWORD}@tsa.example/x@y",
    f"https://{USER}:{PASSWORD}@",
    f"https://{USER}:{PASSWORD}@tsa\x00.example/",
    f"{USER}:{PASSWORD}@tsa.example",
]


@pytest.mark.parametrize("url", BAD_URLS)
def test_urls_that_cannot_be_used(url: str) -> None:
    error = raised(lambda: TimestampClient(url), errors.AuthorityError)
    assert_hidden(all_shown(error), *CREDENTIALS)


@pytest.mark.parametrize("auth", [(f"a:{PASSWORD}", WRONG), (USER, "\ud800" + WRONG)])
def test_credentials_that_cannot_be_used(auth: tuple[str, str]) -> None:
    error = raised(lambda: TimestampClient("https://tsa.example/", auth=auth), Exception)
    assert_hidden(all_shown(error), *CREDENTIALS)


def resetting(exchange: Exchange) -> None:
    exchange.reset()


def silent(exchange: Exchange) -> None:
    exchange.hold()


def unauthorised(exchange: Exchange) -> None:
    exchange.answer(b"{}", status="401 Unauthorized", media_type="application/json")


def malformed(exchange: Exchange) -> None:
    exchange.send(b"HTTP/9.9 what?\r\n\r\n")


def echoing(exchange: Exchange) -> None:
    """An authority that says aloud what it was told."""
    told = exchange.request.headers.get("authorization", "")
    exchange.answer(b"nonsense", status="403 Forbidden", headers={"Echo": told})


def ask(url: str, **options: Any) -> BaseException:
    async def asking() -> None:
        client = TimestampClient(url, **{"timeout": 3.0, "attempts": 1, **options})
        async with client:
            await client.timestamp(bytes(256))

    return raised(lambda: anyio.run(asking), errors.TimestampError)


@pytest.mark.parametrize("behave", [resetting, silent, unauthorised, malformed, echoing])
def test_authorities_that_fail(behave: Callable[[Exchange], None], caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(1)
    with Server(behave) as server:
        in_url = server.url_of(f"{USER}:{quote(PASSWORD)}@localhost")
        for url, options in ((server.url, {"auth": (USER, PASSWORD)}), (in_url, {})):
            assert_hidden(all_shown(ask(url, timeout=1.0, **options)), *CREDENTIALS)
        assert all(request.headers["authorization"].startswith("Basic ") for request in server.requests)
    own = [record for record in caplog.records if record.name.startswith("dcmsign")]
    assert own
    assert_hidden(logged(own), *CREDENTIALS)


def test_an_authority_that_is_not_there(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(1)
    with refusing() as url:
        error = ask(url, auth=(USER, PASSWORD))
    assert_hidden(all_shown(error) + logged(caplog.records), *CREDENTIALS)
    assert isinstance(error, errors.AuthorityUnreachable)
    assert error.__cause__ is not None  # what went wrong is not lost


def test_a_proxy_that_cannot_be_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", f"http://{USER}:{PASSWORD}@[proxy")
    assert_hidden(all_shown(ask("https://tsa.example/")), *CREDENTIALS)


def test_a_proxy_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    with refusing() as url:
        monkeypatch.setenv("HTTPS_PROXY", url.replace("http://", f"http://{USER}:{PASSWORD}@").replace("/tsa", ""))
        error = ask("https://tsa.example/", auth=(USER, WRONG))
    assert_hidden(all_shown(error), *CREDENTIALS)


def test_a_connection_that_breaks_while_the_header_is_sent() -> None:
    """Frames of httpx and h11 hold the header then."""
    with Server(resetting, reading=False) as server:
        assert_hidden(all_shown(ask(server.url, auth=(USER, PASSWORD))), *CREDENTIALS)


# ---------------------------------------------------------------- the command


LOG_CONFIG = """\
log4cplus.rootLogger = TRACE, console, file
log4cplus.appender.console = log4cplus::ConsoleAppender
log4cplus.appender.console.logToStdErr = true
log4cplus.appender.file = log4cplus::FileAppender
log4cplus.appender.file.File = log.txt
log4cplus.appender.file.layout = log4cplus::PatternLayout
log4cplus.appender.file.layout.ConversionPattern = %D %-5p %c %F %L %t %x %m%n
"""
LOGGING = ["-d", "-ll trace", "-lc log.cfg", "-ll all --arguments", "-v"]


@pytest.fixture
def folder(tmp_path: Path, key_file: Path) -> Path:
    for name, source in (("in.dcm", SOURCE), ("cert.pem", CERTIFICATE), ("plain.pem", PLAIN_KEY)):
        (tmp_path / name).write_bytes(source.read_bytes())
    (tmp_path / "log.cfg").write_text(LOG_CONFIG)
    return tmp_path


def command(folder: Path, *arguments: str, **options: Any) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run([*COMMAND, *arguments], cwd=folder, capture_output=True, timeout=60, check=False, **options)


def everything(folder: Path, done: subprocess.CompletedProcess[bytes]) -> bytes:
    """What was printed and written; the keys themselves are somebody else's files."""
    files = (path for path in folder.rglob("*") if path.is_file() and path.name not in {"encrypted.pem", "plain.pem"})
    return b"\n".join((done.stdout, done.stderr, *(path.read_bytes() for path in files)))


@pytest.mark.parametrize("logging_options", LOGGING)
@pytest.mark.parametrize(("password", "code"), [(PASSWORD, 0), (WRONG, 20)])
def test_the_command(folder: Path, logging_options: str, password: str, code: int) -> None:
    fragments = key_fragments((folder / "encrypted.pem").read_bytes())
    line = (*logging_options.split(), "+m2", "+pw", password, "+s", "encrypted.pem", "cert.pem", "in.dcm", "out.dcm")
    done = command(folder, *line)
    assert done.returncode == code, done.stderr
    assert_hidden(everything(folder, done), *fragments)
    if "--arguments" in line:
        assert b"'--use-passwd' '***' '--sign'" in done.stderr


@pytest.mark.parametrize("password", [PASSWORD, WRONG])
def test_an_answer_to_the_prompt(folder: Path, password: str) -> None:
    line = ("-d", "+m2", "+s", "encrypted.pem", "cert.pem", "in.dcm", "out.dcm")
    done = command(folder, *line, input=password.encode() + b"\n", start_new_session=True)
    assert done.returncode == (0 if password == PASSWORD else 20), done.stderr
    assert b"Enter PEM pass phrase:" in done.stderr
    assert_hidden(everything(folder, done))


def test_an_answer_on_the_terminal() -> None:
    """It is not echoed."""
    code = "from dcmsign.stream.cli.passwords import ask; print(len(ask()))"
    _, output, seen = on_terminal(code, PASSWORD.encode() + b"\n")
    assert output.strip() == str(len(PASSWORD)).encode()
    assert_hidden(seen)


@pytest.mark.parametrize("password", [PASSWORD, WRONG])
def test_the_command_for_many_files(folder: Path, password: str) -> None:
    options = ("--batch", "--jobs", "1", "--results", "results.jsonl", "--output-directory", "out")
    done = command(folder, *options, "-d", "+m2", "+pw", password, "+s", "encrypted.pem", "cert.pem", "in.dcm", "log.cfg")
    assert (folder / "out" / "in.dcm").exists() == (password == PASSWORD), done.stderr
    assert_hidden(everything(folder, done), *key_fragments((folder / "encrypted.pem").read_bytes()))


@pytest.mark.parametrize(
    "slip",
    [f"+pw{PASSWORD}", f"--use-passwd={PASSWORD}", f"--use-passwd{PASSWORD}", f"+pw @{PASSWORD}", f"--use-passwd @{PASSWORD}"],
)
def test_slips_with_the_option(folder: Path, slip: str) -> None:
    done = command(folder, "-d", "+m2", *slip.split(), "+s", "encrypted.pem", "cert.pem", "in.dcm", "out.dcm")
    assert done.returncode == 1
    assert b"***" in done.stderr
    assert_hidden(everything(folder, done))


def test_the_password_of_an_authority_in_a_file(folder: Path) -> None:
    """Also one that is no text, or a file that is the key by mistake."""
    asked = ("-d", "+m2", "+s", "plain.pem", "cert.pem", "--timestamp-url", "http://127.0.0.1:9/", "--ts-user", USER)
    for content, code in ((PASSWORD.encode(), 69), (WRONG.encode() + b"\xff", 20)):
        (folder / "plain.pem.password").write_bytes(content)
        done = command(folder, *asked, "--ts-password-file", "plain.pem.password", "in.dcm", "out.dcm")
        assert done.returncode == code, done.stderr
        assert_hidden(done.stdout + done.stderr, *CREDENTIALS)


def test_an_error_nobody_foresaw(folder: Path) -> None:
    """With -d the traceback is shown; it has no local variables."""
    code = (
        "import sys\nfrom dcmsign.stream import cli\nfrom dcmsign.stream.cli import operations\n"
        "def fail(*arguments, **options): raise RuntimeError('unforeseen')\n"
        "operations.KeySigner = None\nimport dcmsign.stream as library\nlibrary.KeySigner = fail\n"
        f"sys.exit(cli.main(['-d', '+m2', '+pw', {PASSWORD!r}, '+s', 'encrypted.pem', 'cert.pem', 'in.dcm', 'out.dcm']))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, timeout=60, check=False)
    assert done.returncode == 70, done.stderr
    assert b"Traceback" in done.stderr
    assert_hidden(done.stdout + done.stderr)


def test_tracebacks_of_the_library_name_what_they_hide(key_file: Path) -> None:
    """A service that takes local variables sees placeholders, so that it is clear that something was there."""
    error = raised(lambda: KeySigner.load(key_file, CERTIFICATE, password=WRONG), errors.BadKeyFile)
    assert "password=<hidden>" in all_shown(error)
    assert logging.getLogger("dcmsign").handlers == []
    assert traceback.format_exception(error)[-1].endswith("or the password is wrong\n")
