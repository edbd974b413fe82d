"""Every exit code that can be reached, and every option of the manual: each at least once where it matters."""

from __future__ import annotations

import shlex

import pytest
from dcmsign.stream.cli.exit_codes import ExitCode
from dcmsign.stream.cli.option_table import OPTIONS

from tests.cli import (
    test_cli_peer_items,
    test_cli_peer_remove,
    test_cli_peer_sign,
    test_cli_peer_syntaxes,
    test_cli_peer_usage,
    test_cli_peer_verify,
)
from tests.cli.peer import Invocation, Peers

SIGN = "+s key.pem cert.pem"
# exit code, command line, standard input, what the last line is about
CODES: list[tuple[int, str, str, str]] = [
    (0, "in.dcm", "", "no signatures found in dataset"),
    (1, "-t bogus in.dcm", "", "unknown attribute tag 'bogus'"),
    (1, "--bogus in.dcm", "", "Unknown option --bogus"),
    (20, "missing.dcm", "", "No such file or directory: reading file: missing.dcm"),
    (20, "empty", "", "End of stream: reading file: empty"),
    (20, "-", "empty", "End of stream: reading file: -"),
    (20, "text.txt", "", "I/O suspension or premature end of stream: reading file: text.txt"),
    (20, "+fo bare-ele.bin", "", "File meta information header missing"),
    (20, "+s key.pem missing in.dcm out.dcm", "", "while loading certificate file 'missing'"),
    (20, "+s missing cert.pem in.dcm out.dcm", "", "while loading private key file 'missing'"),
    (20, "+pw wrong +s encrypted.pem cert.pem in.dcm out.dcm", "", "while loading private key file 'encrypted.pem'"),
    (21, '""', "", "invalid filename: <empty string>"),
    (30, "-tf missing in.dcm", "", "Error while reading tag file 'missing', giving up."),
    (40, "+ra in.dcm missing/out.dcm", "", "No such file or directory: writing file: missing/out.dcm"),
    (40, '+ra in.dcm ""', "", "Invalid filename: writing file: "),
    (40, "+te +ra jpeg.dcm out.dcm", "", "No conversion to transfer syntax Little Endian Explicit possible!"),
    (46, f"{SIGN} +d missing/x in.dcm out.dcm", "", "unable to create dump file 'missing/x'"),
    (83, "+r 1.2.10 no-mac-id.dcm out.dcm", "", "Tag not found: while removing signature"),
    (83, "+ra second-no-mac-id.dcm out.dcm", "", "Tag not found: while removing signature"),
    (84, "+r 1.2.3 signed.dcm out.dcm", "", "signature with UID '1.2.3' not found."),
    (85, "+s key.pem dsa-cert.pem in.dcm out.dcm", "", "certificate and private key do not match"),
    (85, f"{SIGN} nothing.dcm out.dcm", "", "selected dataset or item is empty, nothing to sign"),
    (85, "+si key.pem cert.pem X in.dcm out.dcm", "", "desired signature location not found"),
    (86, "-tf bad-tags.txt in.dcm", "", "Error while reading tag file 'bad-tags.txt', giving up."),
    (100, "+rg in.dcm", "", "no signatures found although required by the signature verification policy."),
    (101, "signed.dcm", "", "certificate verification failed: self-signed certificate"),
    (101, "+rg +cf cert.pem tampered.dcm", "", "signature is invalid (document corrupted)"),
    (102, "+ru +cf dsa-cert.pem signed.dcm", "", "fulfills the required Authorization RSA Signature signature policy"),
]
OF_TIMESTAMPS = {31, 32, 33, 81, 82, 87}
NOT_OF_DCMTK = {ExitCode.UNAVAILABLE, ExitCode.INTERNAL, ExitCode.HUNG_UP, ExitCode.INTERRUPTED, ExitCode.TERMINATED}


@pytest.mark.parametrize(("code", "line", "stdin", "last"), CODES, ids=[f"{code} {line}" for code, line, *_ in CODES])
def test_exit_code(peers: Peers, code: int, line: str, stdin: str, last: str) -> None:
    pair = peers.same(Invocation(line, stdin=stdin))
    assert pair.theirs.code == code
    assert last in [line for line in pair.theirs.messages if line][-1]


@pytest.mark.parametrize("code", [0, 1, 20, 83, 85, 101])
def test_exit_code_of_a_process(peers: Peers, code: int) -> None:
    line, stdin = next((line, stdin) for found, line, stdin, _ in CODES if found == code)
    assert peers.same(Invocation(line, stdin=stdin, process=True)).theirs.code == code


def test_codes_are_complete() -> None:
    tested = {code for code, *_ in CODES}
    assert {int(code) for code in ExitCode} - NOT_OF_DCMTK - OF_TIMESTAMPS <= tested


# ---------------------------------------------------------------- options

ELSEWHERE = frozenset(
    name
    for option in OPTIONS
    if option.exits
    or option.added
    or option.long.startswith(("--ts-", "--timestamp", "--profile", "--insert-timestamp", "--require-"))
    or option.long in {"--log-config", "--add-cert-dir", "--add-crl-file", "--enable-crl-vfy", "--ignore-ts"}
    for name in (option.short, option.long)
) - {"--require-sig", "+rg"}
"""Timestamps, profiles, the trust store and the log have tests of their own."""

OF_PROGRAM = {"-d", "--debug"}
"""What they show differs between any two programs; used in the comparison of levels."""

# options that no other table uses where they have an effect
USED = """
--read-file +cf cert.pem signed.dcm
--read-file-only signed.dcm
--read-file-only bare-signed.bin
--read-dataset bare-signed.bin
--read-xfer-auto +cf cert.pem ebe-signed.dcm
--read-xfer-detect wrong-syntax.dcm
--read-dataset --read-xfer-little bare-ele-nested.bin
--read-dataset --read-xfer-big bare-ebe-nested.bin
--read-dataset --read-xfer-implicit bare-ili-nested.bin
--read-dataset --read-xfer-implicit bare-ebe-nested.bin
--retain-un +m2 -t PatientName +s key.pem cert.pem un-name.dcm out.dcm
--convert-un +m2 -t PatientName +s key.pem cert.pem un-name.dcm out.dcm
--verify --require-sig in.dcm
--require-sig --verify-if-present in.dcm
--pem-keys +m2 --sign key.pem cert.pem ele.dcm out.dcm
--der-keys +m2 --sign key.der cert.der ele.dcm out.dcm
--format-new --add-cert-file cert.pem jpeg-old.dcm
--format-old --add-cert-file cert.pem jpeg-old.dcm
--verify-ts --add-ucert-file cert.pem signed.dcm
--std-passwd --mac-sha256 --sign key.pem cert.pem ele.dcm out.dcm
+ps +m2 --sign key.pem cert.pem ele.dcm out.dcm
--use-passwd secret +m2 +s encrypted.pem cert.pem ele.dcm out.dcm
--null-passwd +m2 +s encrypted.pem cert.pem ele.dcm out.dcm
-q signed.dcm
--quiet signed.dcm
--verbose signed.dcm
--log-level fatal signed.dcm
--arguments --log-level info signed.dcm
--dump dump +m2 -t PatientName +s key.pem cert.pem ele.dcm out.dcm
--write-xfer-same --length-explicit +m2 +s key.pem cert.pem ele-u.dcm out.dcm
""".strip().splitlines()

LINES = [
    *USED,
    *test_cli_peer_items.SPECIAL,
    *test_cli_peer_remove.LINES,
    *test_cli_peer_sign.SIGNING,
    *test_cli_peer_sign.ALIKE,
    *test_cli_peer_sign.MACS,
    *test_cli_peer_syntaxes.LINES,
    *test_cli_peer_verify.VERIFYING,
    *test_cli_peer_verify.READING,
]


@pytest.mark.parametrize("line", USED)
def test_used(peers: Peers, line: str) -> None:
    peers.same(line)


def test_every_option_is_used() -> None:
    names = {name for option in OPTIONS for name in (option.short, option.long) if name}
    used = {argument for line in LINES for argument in shlex.split(line)}
    assert names - ELSEWHERE - used == OF_PROGRAM


def test_every_option_is_misused() -> None:
    tables = (test_cli_peer_usage.ALONE, test_cli_peer_usage.CONDITIONS, test_cli_peer_usage.MISUSE, test_cli_peer_usage.LOGGING)
    names = {name for option in OPTIONS if not option.exits for name in (option.short, option.long) if name}
    assert names - test_cli_peer_usage.ONLY_OURS - {"-fd"} <= {
        argument for table in tables for line in table for argument in shlex.split(line)
    }
