"""Timestamps from authorities that are asked at once: --timestamp-url, --request-timestamp and what goes with them."""

from __future__ import annotations

import base64
import os
import re
import shlex
import shutil
import signal
import ssl
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from dcmsign.tsa.query import TimestampQuery

from tests.cli.conftest import VECTORS, Bench, Outcome
from tests.cli.test_cli_process import COMMAND, run
from tests.tsa import tokens
from tests.tsa.pki import SERVER, CertificationAuthority
from tests.tsa.servers import (
    Behaviour,
    Exchange,
    OpenSSLAuthority,
    Server,
    answering,
    in_turn,
    refusal,
    refusing,
    tagged,
)
from tests.tsa.stamped import VECTORS as TIMESTAMPS

USER, PASSWORD = "Jos\u00e9", "geheim: p@\u00df/w\u00f6rt"
VARIABLE = "DCMSIGN_TS_PASSWORD"
SIGN = ("+m2", "+s", "key.pem", "cert.pem")
UID = "1.2.276.0.7230010.3.1.4.8323328.8940.1795352344.645290"
"""That of the signature in signed.dcm."""


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> OpenSSLAuthority:
    return OpenSSLAuthority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def server(authority: OpenSSLAuthority) -> Iterator[Server]:
    with Server(authority.behave) as server:
        yield server


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in [VARIABLE, *(name for name in os.environ if name.lower().endswith("_proxy"))]:
        monkeypatch.delenv(variable, raising=False)


def verified(bench: Bench, file: str, *trusted: str | Path) -> None:
    """Both programs find a good signature with a good timestamp in a file."""
    options = [text for name in ("cert.pem", *trusted) for text in ("+cf", str(name))]
    for command in (bench.ours, bench.reference):
        done = command(*options, "+tr", file)
        verdicts = [line.partition(" : ")[2] for line in done.err.splitlines() if "Verification :" in line]
        assert (done.code, verdicts) == (0, ["OK", "OK"]), done.err


def nothing_written(bench: Bench) -> bool:
    return not [name for name in os.listdir(bench.folder) if "out" in name or name in {"q.tsq", "q.uid"}]


def for_users(behaviour: Behaviour) -> Behaviour:
    """A behaviour for users with the right password only."""
    expected = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()

    def behave(exchange: Exchange) -> None:
        if exchange.request.headers.get("authorization") == expected:
            behaviour(exchange)
        else:
            exchange.answer(b"{}", status="401 Unauthorized", media_type="application/json")

    return behave


# ---------------------------------------------------------------- asking


def test_sign(bench: Bench, server: Server, authority: OpenSSLAuthority) -> None:
    done = bench.ours(*SIGN, "--timestamp-url", server.url, "in.dcm", "out.dcm")
    assert done == Outcome(0, "", "")
    verified(bench, "out.dcm", authority.ca)


def test_sign_item(bench: Bench, server: Server, authority: OpenSSLAuthority) -> None:
    shutil.copyfile(VECTORS / "item-signature.dcm", "item.dcm")
    command = ("+m2", "+si", "key.pem", "cert.pem", "ReferencedImageSequence[1]")
    done = bench.ours(*command, "--timestamp-url", server.url, "item.dcm", "item.dcm")
    assert done == Outcome(0, "", "")
    verified(bench, "item.dcm", authority.ca)


@pytest.mark.parametrize("output", ["out.dcm", "signed.dcm"])
def test_request(bench: Bench, server: Server, authority: OpenSSLAuthority, output: str) -> None:
    done = bench.ours("--request-timestamp", UID, server.url, "signed.dcm", output)
    assert done == Outcome(0, "", "")
    verified(bench, output, authority.ca)


def test_pipes(bench: Bench, server: Server, authority: OpenSSLAuthority) -> None:
    signed = run(*SIGN, "--timestamp-url", server.url, "-", "-", input=Path("in.dcm").read_bytes())
    stamped = run("--request-timestamp", UID, server.url, "-", "-", input=Path("signed.dcm").read_bytes())
    for done in (signed, stamped):
        assert (done.returncode, done.stderr) == (0, b"")
        Path("out.dcm").write_bytes(done.stdout)
        verified(bench, "out.dcm", authority.ca)
    assert len(server.requests) == 2


def test_what_is_asked_for(bench: Bench, server: Server, authority: OpenSSLAuthority) -> None:
    options = ["+tm5", "-tn", "-tc", "+tp", "1.3.6.1.4.1.99999.1.2"]
    options += ["--ts-cert-file", str(authority.ca), "--ts-cert-file", str(authority.identity.certificate)]
    for command in ((*SIGN, "--timestamp-url", server.url, "in.dcm"), ("--request-timestamp", UID, server.url, "signed.dcm")):
        assert bench.ours(*command, *options, "out.dcm") == Outcome(0, "", "")
    for request in server.requests:
        query = TimestampQuery.from_der(request.body)
        asked = (query.algorithm, query.nonce, query.certificate, query.policy)
        assert asked == ("SHA512", None, False, "1.3.6.1.4.1.99999.1.2")


def test_progress(bench: Bench, server: Server, authority: OpenSSLAuthority) -> None:
    options = ("--ts-cert-file", str(authority.ca))
    checked = bench.ours("-v", *SIGN, "--timestamp-url", server.url, *options, "in.dcm", "out.dcm")
    requested = bench.ours("-v", "--request-timestamp", UID, server.url, "--ts-retries", "0", "signed.dcm", "out.dcm")
    assert (checked.code, requested.code) == (0, 0)
    assert checked.err.splitlines() == [
        "I: open input file in.dcm",
        "I: create signature in main object.",
        "I: create output file out.dcm",
        f"I: asking {server.url} for a timestamp, attempt 1 of 3",
        f"I: timestamp granted by {server.url}",
    ]
    assert requested.err.splitlines() == [
        "I: open input file signed.dcm",
        "I: no --ts-cert-file: it is not checked who vouches for the time-stamping authority.",
        "I: inserting certified timestamp.",
        f"I: asking {server.url} for a timestamp, attempt 1 of 1",
        f"I: timestamp granted by {server.url}",
        "I: create output file out.dcm",
    ]


# ---------------------------------------------------------------- files instead


def test_fallback(bench: Bench, authority: OpenSSLAuthority) -> None:
    with Server(answering(b"no", status="403 Forbidden", media_type="text/plain")) as server:
        done = bench.ours(*SIGN, "--timestamp-url", server.url, "+ts", "q.tsq", "q.uid", "+tm3", "in.dcm", "out.dcm")
    assert done == Outcome(0, "", f"W: no timestamp: {server.url}: HTTP status 403 Forbidden\n")
    assert bench.ours("+cf", "cert.pem", "+tr", "out.dcm").code == 101
    Path("r.tsr").write_bytes(authority.reply(Path("q.tsq").read_bytes()))
    assert TimestampQuery.from_der(Path("q.tsq").read_bytes()).algorithm == "SHA384"
    assert bench.ours("+t", "q.tsq", "r.tsr", "q.uid", "out.dcm", "out.dcm") == Outcome(0, "", "")
    verified(bench, "out.dcm", authority.ca)


def test_no_fallback_needed(bench: Bench, server: Server, authority: OpenSSLAuthority) -> None:
    done = bench.ours(*SIGN, "--timestamp-url", server.url, "+ts", "q.tsq", "q.uid", "in.dcm", "out.dcm")
    assert done == Outcome(0, "", "")
    verified(bench, "out.dcm", authority.ca)
    assert not os.path.exists("q.tsq")
    assert not os.path.exists("q.uid")


# ---------------------------------------------------------------- usage

URL = "http://127.0.0.1:9/tsa"
OK = f"{' '.join(SIGN)} --timestamp-url {URL} in.dcm out.dcm"
ONLY = " only allowed with "
ASKING = ONLY + "--timestamp-url or --request-timestamp"
CREATING = ONLY + "--sign or --sign-item"
IN_URL = " (user and password do not belong into a URL, see --ts-user; any other @ is written as %40)"
BAD = "Invalid value for option "

USAGE = [
    (f"--timestamp-url {URL} in.dcm", "--timestamp-url" + CREATING),
    (f"--timestamp-url {URL} --request-timestamp 1.2 {URL} in.dcm out.dcm", "--timestamp-url" + CREATING),
    (f"--timestamp-url {URL} +t a b c in.dcm out.dcm", "--timestamp-url" + CREATING),
    (f"-ts {OK}", "--timestamp-url not allowed with --timestamp-off"),
    (f"{OK} +ts q.tsq q.uid -ts", "--timestamp-url not allowed with --timestamp-off"),
    (f"--request-timestamp 1.2 {URL} in.dcm", "parameter dcmfile-out required for --request-timestamp"),
    (f"--request-timestamp 1.2 {URL} +ts q.tsq q.uid in.dcm out.dcm", "--timestamp-file" + CREATING),
    (f"--request-timestamp 1.2 {URL} +cf x in.dcm out.dcm", "--add-cert-file" + ONLY + "--verify"),
    ("--request-timestamp 1.2", "Missing value for option --request-timestamp"),
    ("+ts q.tsq q.uid --ts-user x +s k c in.dcm out.dcm", "--ts-user" + ASKING),
    ("+ts q.tsq q.uid --ts-timeout 1 +s k c in.dcm out.dcm", "--ts-timeout" + ASKING),
    ("--ts-retries 1 +t q r u in.dcm out.dcm", "--ts-retries" + ASKING),
    ("--ts-cert-file x in.dcm", "--ts-cert-file" + ASKING),
    ("--ts-tolerance 1 in.dcm", "--ts-tolerance" + ONLY + "--ts-check-time, --timestamp-url or --request-timestamp"),
    (f"{OK} --ts-password-file x", "--ts-password-file" + ONLY + "--ts-user"),
    (f"{OK} --ts-user x", "--ts-user requires --ts-password-file or the environment variable DCMSIGN_TS_PASSWORD"),
    (f"{OK} --ts-user x:y", BAD + "--ts-user (a user name is text in UTF-8 without a colon)"),
    (f"{OK} --ts-user caf\udce9", BAD + "--ts-user (a user name is text in UTF-8 without a colon)"),
    *((f"{OK} --ts-timeout {text}", f"{BAD}--ts-timeout ({text})") for text in ("0", "0.0", "-1", "x", "nan", "1e3", "1234567")),
    *((f"{OK} --ts-retries {text}", f"{BAD}--ts-retries ({text})") for text in ("-1", "1.5", "100", "x", "\u0663")),
    *((f"{OK} --ts-tolerance {text}", f"{BAD}--ts-tolerance ({text})") for text in ("-1", "1s", "inf", ".")),
    (f"{OK} --ts-timeout ''", f"{BAD}--ts-timeout ()"),
    (f"--ts-check-time {OK}", "--ts-check-time" + ONLY + "--verify"),
    (f"--ts-crl-vfy {OK}", "--ts-crl-vfy" + ONLY + "--verify"),
    ("--ts-refuse-weak +ra in.dcm out.dcm", "--ts-refuse-weak" + ONLY + "--verify"),
    ("--ts-late-revocation +ra in.dcm out.dcm", "--ts-late-revocation" + ONLY + "--verify"),
    ("+tm5 +s k c in.dcm out.dcm", "--ts-mac-sha512" + ONLY + "--timestamp-file"),
    ("-tn in.dcm", "--ts-no-nonce" + ONLY + "--timestamp-file"),
]


@pytest.mark.parametrize(("line", "text"), USAGE, ids=[line.encode("ascii", "replace").decode() for line, _ in USAGE])
def test_usage_errors(bench: Bench, line: str, text: str) -> None:
    done = bench.ours(*shlex.split(line))
    assert (done.code, done.out) == (1, "")
    assert done.err == f"HEADER\n\ndcmsign: Sign and Verify DICOM Files\nerror: {text}\n"
    assert nothing_written(bench)


WITH_PASSWORDS = {
    "http://me:s3cr3t@tsa.example/x": "http://***@tsa.example/x",
    "https://s3cr3t@tsa.example:8080": "https://***@tsa.example:8080",
    "me:s3cr3t@tsa.example/x": "***@tsa.example/x",
    "//me:s3cr3t@tsa.example": "//***@tsa.example",
    "http://me:s3/cr3t@tsa.example": "http://***@tsa.example",
    "HTTP://me:s3c@r3t@tsa.example": "HTTP://***@tsa.example",
    "http:\\\\me:s3cr3t@tsa.example": "***@tsa.example",
}


@pytest.mark.parametrize(("url", "shown"), WITH_PASSWORDS.items(), ids=WITH_PASSWORDS)
def test_passwords_in_urls(bench: Bench, url: str, shown: str) -> None:
    """They are refused wherever they stand, and nowhere to be seen."""
    for name, command in (
        ("--timestamp-url", (*SIGN, "--timestamp-url", url, "--timestamp-url", URL)),
        ("--timestamp-url", (*SIGN, "--timestamp-url", URL, "--timestamp-url", url)),
        ("--request-timestamp", ("--request-timestamp", UID, url)),
        ("--request-timestamp", ("--request-timestamp", url, UID)),
    ):
        done = bench.ours("-d", "--arguments", *command, "in.dcm", "out.dcm")
        assert done.code == 1
        assert done.err.endswith(f"error: {BAD}{name}{IN_URL}\n")
        assert f" '{shown}' " in done.err
        assert not re.search("s3|r3t", done.out + done.err)


def test_arguments_without_passwords_are_shown(bench: Bench) -> None:
    done = bench.ours("--arguments", "--request-timestamp", "1.2", "http://tsa.example/?x=1", "in@x.dcm", "out@x.dcm", "-te")
    shown = (
        "I: calling 'dcmsign' with 7 arguments: '--arguments' '--request-timestamp' '1.2' 'http://tsa.example/?x=1' 'in@x.dcm'"
    )
    assert done.err.startswith(shown)


# ---------------------------------------------------------------- users


@pytest.mark.parametrize("content", [f"{PASSWORD}\n", PASSWORD, f"{PASSWORD}\r\n", f"{PASSWORD}\nsecond line\n"])
def test_password_file(bench: Bench, authority: OpenSSLAuthority, monkeypatch: pytest.MonkeyPatch, content: str) -> None:
    monkeypatch.setenv(VARIABLE, "another one")
    Path("password").write_bytes(content.encode())
    with Server(for_users(authority.behave)) as server:
        line = ("--request-timestamp", UID, server.url, "--ts-user", USER, "--ts-password-file", "password")
        assert bench.ours(*line, "signed.dcm", "out.dcm") == Outcome(0, "", "")
    assert len(server.requests) == 1


def test_password_of_the_environment(bench: Bench, authority: OpenSSLAuthority, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, PASSWORD)
    with Server(for_users(authority.behave)) as server:
        line = (*SIGN, "--timestamp-url", server.url, "--ts-user", USER)
        assert bench.ours(*line, "in.dcm", "out.dcm") == Outcome(0, "", "")
        assert bench.ours(*line[:-2], "in.dcm", "out.dcm").code == 87  # without a user it is not sent
    assert "authorization" not in server.requests[-1].headers


def test_wrong_password(bench: Bench, authority: OpenSSLAuthority, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "wrong")
    with Server(for_users(authority.behave)) as server:
        done = bench.ours(*SIGN, "--timestamp-url", server.url, "--ts-user", USER, "in.dcm", "out.dcm")
    assert done == Outcome(87, "", f"E: HTTP status 401 Unauthorized: requesting timestamp from {server.url}\n")
    assert len(server.requests) == 1
    assert nothing_written(bench)


@pytest.mark.parametrize(
    ("content", "reason"), [(None, "No such file or directory"), ("directory", "Is a directory"), (b"caf\xe9\n", "Not UTF-8")]
)
def test_unusable_password_file(bench: Bench, server: Server, content: object, reason: str) -> None:
    if isinstance(content, bytes):
        Path("password").write_bytes(content)
    elif content:
        Path("password").mkdir()
    line = (*SIGN, "--timestamp-url", server.url, "--ts-user", "x", "--ts-password-file", "password", "+d", "dump.out")
    assert bench.ours(*line, "in.dcm", "out.dcm") == Outcome(20, "", f"F: {reason}: reading password: password\n")
    assert not server.requests
    assert nothing_written(bench)


def test_unusable_password_of_the_environment(bench: Bench, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "caf\udce9")
    done = bench.ours("--request-timestamp", UID, server.url, "--ts-user", "x", "signed.dcm", "out.dcm")
    assert done == Outcome(20, "", f"F: Not UTF-8: reading password: {VARIABLE}\n")
    assert not server.requests


def test_passwords_go_over_https_only(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "x")
    done = bench.ours(*SIGN, "--timestamp-url", "http://tsa.invalid/x?key=1", "--ts-user", "x", "in.dcm", "out.dcm")
    text = "E: user and password are sent over https only: requesting timestamp from http://tsa.invalid/x\n"
    assert done == Outcome(87, "", text)


LOG_CONFIG = """\
log4cplus.rootLogger = TRACE, console
log4cplus.appender.console = log4cplus::ConsoleAppender
log4cplus.appender.console.logToStdErr = true
"""


@pytest.mark.parametrize("options", ["-d", "-ll trace", "-lc log.cfg", "-ll all --arguments"])
def test_passwords_never_show(authority: OpenSSLAuthority, tmp_path: Path, options: str) -> None:
    """In a process of its own, where nobody else has set up logging; right and wrong passwords, and no authority at all."""
    shutil.copyfile(VECTORS / "explicit-short.signed.dcm", tmp_path / "signed.dcm")
    (tmp_path / "log.cfg").write_text(LOG_CONFIG)
    (tmp_path / "wrong").write_text("Wr0ng\n")
    credentials = [f"{USER}:{password}".encode() for password in (PASSWORD, "Wr0ng")]
    secrets = [b"geheim", b"Wr0ng", b"Basic", *(base64.b64encode(pair).rstrip(b"=") for pair in credentials)]
    command = (*options.split(), "--ts-user", USER, "--ts-retries", "0", "signed.dcm", "out.dcm")
    environment = {**os.environ, VARIABLE: PASSWORD}
    with Server(for_users(authority.behave)) as server, refusing() as nobody:
        for url, code, more in ((server.url, 0, ()), (server.url, 87, ("--ts-password-file", "wrong")), (nobody, 69, ())):
            done = run("--request-timestamp", UID, url, *command, *more, cwd=tmp_path, env=environment)
            assert done.returncode == code, done.stderr
            assert f"asking {url} for a timestamp".encode() in done.stderr
            assert not [secret for secret in secrets if secret in done.stdout + done.stderr]
    assert all(request.headers["authorization"].startswith("Basic ") for request in server.requests)


# ---------------------------------------------------------------- refusals


def test_rejection(bench: Bench) -> None:
    texts = ("no\nW: forged \x1b[2J line", "second")
    with Server(answering(refusal(2, *texts, failures=(0, 15)))) as server:
        for line in ((*SIGN, "--timestamp-url", server.url, "in.dcm"), ("--request-timestamp", UID, server.url, "signed.dcm")):
            done = bench.ours(*line, "out.dcm")
            assert done.code == 87
            said = "rejected (no\\x0AW: forged \\x1B[2J line; second; badAlg; unacceptedPolicy)"
            assert done.err.splitlines() == [
                f"E: timestamp response status: {said}: requesting timestamp from {server.url}",
                "W: timestamp response status text: unrecognized or unsupported algorithm identifier",
                "W: timestamp response status text: the requested TSA policy is not supported by the TSA",
            ]
            assert nothing_written(bench)


def test_reservations(bench: Bench, authority: OpenSSLAuthority) -> None:
    """What an authority says about a timestamp that it grants cannot do anything to a terminal either."""

    def behave(exchange: Exchange) -> None:
        token = authority.reply(exchange.request.body)[9:]
        status = tagged(0x30, tagged(0x02, b"\x01"), tagged(0x30, tagged(0x0C, b"but\x1b[2J\nE: forged")))
        exchange.answer(tagged(0x30, status, token))

    with Server(behave) as server:
        done = bench.ours("--request-timestamp", UID, server.url, "signed.dcm", "out.dcm")
    assert done.code == 0
    assert done.err.splitlines() == [
        "W: timestamp response status: granted with modifications",
        "W: timestamp response status text: but\\x1B[2J\\x0AE: forged",
    ]
    verified(bench, "out.dcm", authority.ca)


@pytest.mark.parametrize("existing", [False, True])
def test_unreachable(bench: Bench, existing: bool) -> None:
    if existing:
        Path("out.dcm").write_bytes(b"precious")
    with refusing() as url:
        for line in ((*SIGN, "--timestamp-url", url, "in.dcm"), ("--request-timestamp", UID, url, "signed.dcm")):
            done = bench.ours(*line, "--ts-retries", "0", "out.dcm")
            assert done == Outcome(69, "", f"E: Connection refused: requesting timestamp from {url}\n")
    assert Path("out.dcm").read_bytes() == b"precious" if existing else nothing_written(bench)


def test_unreachable_in_place(bench: Bench) -> None:
    before = Path("signed.dcm").read_bytes()
    with refusing() as url:
        assert bench.ours("--request-timestamp", UID, url, "--ts-retries", "0", "signed.dcm", "signed.dcm").code == 69
    assert Path("signed.dcm").read_bytes() == before


def test_unreachable_with_a_pipe(bench: Bench) -> None:
    with refusing() as url:
        done = run(*SIGN, "--timestamp-url", url, "--ts-retries", "0", "-", "-", input=Path("in.dcm").read_bytes())
    assert (done.returncode, done.stdout) == (69, b"")


def test_several_authorities(bench: Bench, server: Server, authority: OpenSSLAuthority) -> None:
    """From left to right; every one that fails is told about."""
    with refusing() as nobody, Server(answering(b"x", media_type="text/html")) as wrong:
        urls = [text for url in (nobody, wrong.url, server.url) for text in ("--timestamp-url", url)]
        assert bench.ours(*SIGN, *urls, "in.dcm", "out.dcm") == Outcome(0, "", "")
        verified(bench, "out.dcm", authority.ca)
        done = bench.ours(*SIGN, *urls[:4], "--ts-retries", "0", "in.dcm", "no-out.dcm")
    assert len(server.requests) == 1
    assert done.code == 87
    reason = "reply has media type 'text/html' instead of application/timestamp-reply"
    assert done.err.splitlines() == [
        f"E: {nobody}: Connection refused",
        f"E: {reason}: requesting timestamp from {wrong.url}",
    ]
    assert not os.path.exists("no-out.dcm")


def test_retries(bench: Bench, authority: OpenSSLAuthority) -> None:
    busy = answering(b"", status="503 Service Unavailable", media_type=None)
    with Server(busy) as server:
        done = bench.ours(*SIGN, "--timestamp-url", server.url, "--ts-retries", "0", "in.dcm", "out.dcm")
    assert done == Outcome(69, "", f"E: HTTP status 503 Service Unavailable: requesting timestamp from {server.url}\n")
    assert len(server.requests) == 1
    with Server(in_turn(busy, authority.behave)) as server:
        assert bench.ours(*SIGN, "--timestamp-url", server.url, "--ts-retries", "1", "in.dcm", "out.dcm") == Outcome(0, "", "")
    assert len(server.requests) == 2


def test_timeout(bench: Bench) -> None:
    with Server(Exchange.hold) as server:
        line = ("--request-timestamp", UID, server.url, "--ts-timeout", ".25", "--ts-retries", "0")
        done = bench.ours(*line, "signed.dcm", "out.dcm")
    assert done == Outcome(69, "", f"E: no complete reply within 0.25 s: requesting timestamp from {server.url}\n")
    assert nothing_written(bench)


def test_interrupt_while_waiting_for_an_authority(bench: Bench) -> None:
    with Server(Exchange.hold) as server:
        process = subprocess.Popen(
            [*COMMAND, "-v", *SIGN, "--timestamp-url", server.url, "in.dcm", "out.dcm"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        assert process.stderr is not None
        try:
            while b"asking" not in (line := process.stderr.readline()):
                assert line
            process.send_signal(signal.SIGINT)
            _, errors = process.communicate(timeout=20)
        finally:
            process.kill()
            process.communicate()
    assert (process.returncode, errors) == (130, b"")
    assert nothing_written(bench)


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("--request-timestamp 1.2.3 URL signed.dcm out.dcm", "signature with UID '1.2.3' not found."),
        ("--request-timestamp 1.2.3 URL in.dcm out.dcm", "signature with UID '1.2.3' not found."),
        (f"--request-timestamp {UID} URL +tp foo.bar signed.dcm out.dcm", "invalid object identifier (OID) string"),
        (
            "+m2 +s key.pem cert.pem --timestamp-url URL +tp foo.bar in.dcm out.dcm",
            "invalid object identifier (OID) string while creating signature in main dataset",
        ),
        (
            "+m2 +s key.pem dsa-cert.pem --timestamp-url URL in.dcm out.dcm",
            "certificate and private key do not match while creating signature in main dataset",
        ),
        (
            f"--request-timestamp {UID} ftp://tsa.example/ signed.dcm out.dcm",
            "the URL of an authority begins with http:// or https:// and a host: requesting timestamp from ftp://tsa.example/",
        ),
    ],
)
def test_failures_before_anybody_is_asked(bench: Bench, server: Server, line: str, text: str) -> None:
    done = bench.ours(*line.replace("URL", server.url).split())
    code = 84 if "not found" in text else 85 if "creating" in text else 87
    warning = ["W: Cannot convert foo.bar to OID."] if "foo.bar" in line else []
    assert (done.code, done.err.splitlines()) == (code, [*warning, f"E: {text}"])
    assert not server.requests
    assert nothing_written(bench)


# ---------------------------------------------------------------- what is accepted

FAILED = "timestamp signature verification failed: "


def test_certificate_file(bench: Bench, server: Server, authority: OpenSSLAuthority) -> None:
    line = (*SIGN, "--timestamp-url", server.url, "in.dcm", "out.dcm")
    done = bench.ours(*line, "--ts-cert-file", "cert.pem")
    assert done == Outcome(87, "", f"E: {FAILED}certificate verify error: requesting timestamp from {server.url}\n")
    assert nothing_written(bench)
    assert bench.ours(*line, "--ts-cert-file", "cert.pem", "--ts-cert-file", str(authority.ca)) == Outcome(0, "", "")


def test_certificate_of_the_authority_itself(bench: Bench, server: Server, authority: OpenSSLAuthority) -> None:
    """It is found in the file if the timestamp has none, but it is nobody's anchor."""
    line = (*SIGN, "--timestamp-url", server.url, "-tc", "in.dcm", "out.dcm")
    where, own = f"requesting timestamp from {server.url}\n", ("--ts-cert-file", str(authority.identity.certificate))
    assert bench.ours(*line) == Outcome(87, "", f"E: {FAILED}signer certificate not found: {where}")
    assert bench.ours(*line, *own) == Outcome(87, "", f"E: {FAILED}certificate verify error: {where}")
    assert nothing_written(bench)
    assert bench.ours(*line, *own, "--ts-cert-file", str(authority.ca)) == Outcome(0, "", "")
    assert bench.ours("+cf", "cert.pem", "+cf", str(authority.ca), "+uf", own[1], "out.dcm").code == 0


def test_certificate_file_in_der(bench: Bench, server: Server, authority: OpenSSLAuthority) -> None:
    Path("ca.der").write_bytes(ssl.PEM_cert_to_DER_cert(authority.ca.read_text()))
    line = ("--request-timestamp", UID, server.url, "--ts-cert-file", "ca.der", "signed.dcm", "out.dcm")
    assert bench.ours("-der", *line) == Outcome(0, "", "")
    verified(bench, "out.dcm", authority.ca)


@pytest.mark.parametrize("name", ["missing", "text.txt", ""])
def test_unusable_certificate_file(bench: Bench, server: Server, authority: OpenSSLAuthority, name: str) -> None:
    """Fewer certificates than the user asked for would be a surprise at best."""
    line = (*SIGN, "--timestamp-url", server.url, "--ts-cert-file", str(authority.ca), "--ts-cert-file", name)
    done = bench.ours(*line, "in.dcm", "out.dcm")
    assert done == Outcome(20, "", f"F: file cannot be read: while loading certificate file '{name}'\n")
    assert not server.requests
    assert nothing_written(bench)


def test_weak_digests(bench: Bench, authority: OpenSSLAuthority, tmp_path: Path) -> None:
    """They are refused, unless the user asks for one."""
    weak = OpenSSLAuthority(tmp_path, "weak")
    settings = tmp_path / "tsa.cnf"
    settings.write_text(settings.read_text().replace("signer_digest = sha256", "signer_digest = sha1"))
    with Server(weak.behave) as server:
        line = ("--request-timestamp", UID, server.url, "signed.dcm", "out.dcm")
        done = bench.ours(*line)
        assert done == Outcome(87, "", f"E: {FAILED}weak digest algorithm sha1: requesting timestamp from {server.url}\n")
        assert nothing_written(bench)
        assert bench.ours(*line, "+tms") == Outcome(0, "", "")
    verified(bench, "out.dcm", weak.ca)


def fast(minutes: int) -> Behaviour:
    """An authority of the timestamp vectors whose clock is fast."""

    def behave(exchange: Exchange) -> None:
        query = TimestampQuery.from_der(exchange.request.body)
        time = (datetime.now(UTC) + timedelta(minutes=minutes)).strftime("%Y%m%d%H%M%SZ").encode()
        imprint = (query.algorithm.lower(), query.imprint)
        exchange.answer(tokens.reply(tokens.token(tokens.tst_info(imprint=imprint, nonce=query.nonce, time=time))))

    return behave


def test_tolerance(bench: Bench) -> None:
    with Server(fast(minutes=30)) as server:
        line = ("--request-timestamp", UID, server.url, "signed.dcm", "out.dcm")
        done = bench.ours(*line, "--ts-tolerance", "1700.5")
        assert done == Outcome(87, "", f"E: {FAILED}timestamp lies in the future: requesting timestamp from {server.url}\n")
        assert nothing_written(bench)
        assert bench.ours(*line, "--ts-tolerance", "1900") == Outcome(0, "", "")
    verify = ("+cf", "cert.pem", "+cf", str(TIMESTAMPS / "pki/ca.pem"), "+tr", "out.dcm")
    options: tuple[tuple[str, ...], ...] = ((), ("--ts-check-time",), ("--ts-check-time", "--ts-tolerance", "1900"))
    assert [bench.ours(*more, *verify).code for more in options] == [0, 101, 0]
    with Server(fast(minutes=4)) as server:
        assert bench.ours("--request-timestamp", UID, server.url, "signed.dcm", "signed.dcm") == Outcome(0, "", "")


def test_tls(bench: Bench, authority: OpenSSLAuthority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    issuer = CertificationAuthority(tmp_path, "web")
    identity = issuer.issue("server", SERVER, "127.0.0.1")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(identity.certificate, identity.key)
    monkeypatch.setenv(VARIABLE, PASSWORD)
    with Server(for_users(authority.behave), tls=context) as server:
        line = (*SIGN, "--timestamp-url", server.url, "--ts-user", USER, "in.dcm", "out.dcm")
        done = bench.ours(*line)
        text = f"E: TLS: unable to get local issuer certificate: requesting timestamp from {server.url}\n"
        assert done == Outcome(69, "", text)
        assert not server.requests
        assert nothing_written(bench)
        monkeypatch.setenv("SSL_CERT_FILE", str(issuer.certificate))
        assert bench.ours(*line) == Outcome(0, "", "")
    monkeypatch.delenv("SSL_CERT_FILE")
    verified(bench, "out.dcm", authority.ca)
