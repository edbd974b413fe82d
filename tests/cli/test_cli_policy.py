"""``--policy``: what the command prints and returns, and when it looks at the policy."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import Bench

TRUSTED = ("--verify", "+cf", "cert.pem")
SIGN = ("--sign", "key.pem", "cert.pem")
OK_LINE = "W:   Signature Verification : OK"
DEMANDING = """
name = "house"
[accept]
digests = ["SHA512"]
keys = {rsa = 4096}
coverage = ["patient"]
"""


@pytest.fixture
def house(bench: Bench) -> Bench:
    (bench.folder / "house.toml").write_text(DEMANDING)
    (bench.folder / "bad.toml").write_text("[accept]\ntrsted = true\n")
    data = (bench.folder / "signed.dcm").read_bytes()
    place = data.index(b"\x10\0\x10\0PN") + 8
    (bench.folder / "broken.dcm").write_bytes(data[:place] + b"X" + data[place + 1 :])
    return bench


def policy_lines(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.startswith("E: policy ")]


# ---------------------------------------------------------------------- verifying


@pytest.mark.parametrize(
    "arguments",
    [
        (*TRUSTED, "signed.dcm"),
        (*TRUSTED, "broken.dcm"),
        (*TRUSTED, "-v", "signed.dcm"),
        (*TRUSTED, "--timestamp-ignore", "signed.dcm"),
        (*TRUSTED, "+rs", "signed.dcm"),
        ("--verify", "signed.dcm"),
        ("--verify", "in.dcm"),
        ("--verify", "+rg", "in.dcm"),
        ("--verify", "absent.dcm"),
        ("--verify", "text.txt"),
    ],
)
def test_compatible_changes_nothing(house: Bench, arguments: tuple[str, ...]) -> None:
    assert house.ours(*arguments[:-1], "--policy", "compatible", arguments[-1]) == house.ours(*arguments)


@pytest.mark.parametrize(
    ("policy", "file", "options", "code", "rules"),
    [
        ("recommended", "signed.dcm", (), 0, []),
        ("house.toml", "signed.dcm", (), 101, ["accept", "coverage"]),
        ("strict", "signed.dcm", (), 101, ["accept", "trusted", "timestamps", "coverage"]),
        ("recommended", "broken.dcm", (), 101, ["signature", "coverage", "coverage", "coverage"]),
        ("recommended", "in.dcm", (), 100, ["signature", "coverage", "coverage", "coverage"]),
        ("house.toml", "signed.dcm", ("+rs",), 102, ["accept", "coverage"]),
        ("recommended", "signed.dcm", ("+rs",), 102, []),
    ],
)
def test_verdicts(house: Bench, policy: str, file: str, options: tuple[str, ...], code: int, rules: list[str]) -> None:
    name = "house" if policy == "house.toml" else policy
    found = house.ours(*TRUSTED, *options, "--policy", policy, file)
    assert found.code == code
    lines = policy_lines(found.err + found.out)
    assert [line.split(": ")[1:3] for line in lines] == [[f"policy {name}", rule] for rule in rules]
    alone = house.ours(*TRUSTED, *options, file)
    if policy != "strict":  # which asks for revocation lists, and so for another verification
        assert (found.err + found.out).replace("".join(f"{line}\n" for line in lines), "") == alone.err + alone.out


def test_an_untrusted_signer(house: Bench) -> None:
    found = house.ours("--verify", "--policy", "recommended", "signed.dcm")
    assert found.code == 101
    assert policy_lines(found.err)[0].startswith("E: policy recommended: trusted: signature 1: ")


def test_levels_of_the_log(house: Bench) -> None:
    arguments = (*TRUSTED, "--policy", "house.toml", "signed.dcm")
    assert OK_LINE in house.ours(*arguments).err
    errors_only = house.ours("-ll", "error", *arguments)
    assert errors_only.code == 101
    assert errors_only.err.splitlines() == policy_lines(errors_only.err)
    assert len(errors_only.err.splitlines()) == 2
    for quiet in (("-q",), ("-ll", "fatal"), ("-ll", "off")):
        silent = house.ours(*quiet, *arguments)
        assert (silent.code, silent.err, silent.out) == (101, "", "")


def test_the_rightmost_policy_counts(house: Bench) -> None:
    assert house.ours(*TRUSTED, "--policy", "strict", "--policy", "recommended", "signed.dcm").code == 0
    assert house.ours(*TRUSTED, "--policy", "recommended", "--policy", "house.toml", "signed.dcm").code == 101


# ---------------------------------------------------------------------- signing


@pytest.mark.parametrize(
    ("policy", "options", "reason"),
    [
        ("recommended", (), "MAC algorithm RIPEMD160 is not accepted"),
        ("recommended", ("+ms",), "MAC algorithm SHA1 is not accepted"),
        ("strict", ("+mh",), "RSA key of 2048 bits, at least 3072 are demanded"),
    ],
)
@pytest.mark.parametrize("before", [None, b"before"])
def test_refused_signatures(house: Bench, policy: str, options: tuple[str, ...], reason: str, before: bytes | None) -> None:
    target = house.folder / "out.dcm"
    if before is not None:
        target.write_bytes(before)
    names = set(os.listdir(house.folder)) | {"out.dcm"}
    mac = {"+ms": "--mac-sha1", "+mh": "--mac-sha256"}
    found = house.ours(*SIGN, *(mac[option] for option in options), "--policy", policy, "in.dcm", "out.dcm")
    assert found.code == 85
    assert found.err.startswith(f"E: policy {policy}: {reason}")
    assert found.err.count("\n") == 1
    assert target.exists() is (before is not None)
    assert before is None or target.read_bytes() == before
    assert set(os.listdir(house.folder)) <= names


def test_a_kind_of_key_that_is_refused(house: Bench) -> None:
    arguments = ("--sign", "dsa-key.pem", "dsa-cert.pem", "--mac-sha256", "--policy")
    found = house.ours(*arguments, "recommended", "in.dcm", "out.dcm")
    assert (found.code, found.err) == (85, "E: policy recommended: keys of type DSA are not accepted\n")
    assert house.ours(*arguments, "compatible", "in.dcm", "out.dcm").code == 0


def test_signatures_that_are_made(house: Bench) -> None:
    assert house.ours(*SIGN, "--policy", "compatible", "in.dcm", "out.dcm").code == 0
    assert house.ours(*SIGN, "--mac-sha256", "--policy", "recommended", "in.dcm", "out.dcm").code == 0
    assert house.reference(*TRUSTED, "out.dcm").code == 0
    assert house.ours(*TRUSTED, "--policy", "recommended", "out.dcm").code == 0


# ---------------------------------------------------------------------- policies that cannot be used


@pytest.mark.parametrize(
    ("policy", "reason"),
    [
        ("absent.toml", "No such file or directory"),
        ("bad.toml", "accept: 'trsted' is not known"),
        ("", "Is a directory"),
        ("Strict", "No such file or directory"),
    ],
)
@pytest.mark.parametrize("way", ["verify", "sign", "batch"])
def test_nothing_else_is_touched(house: Bench, way: str, policy: str, reason: str) -> None:
    """The policy is looked at before a FIFO that nobody writes to, and before a password that nobody can type."""
    os.mkfifo(house.folder / "fifo")
    command = {
        "verify": ("--verify", "--policy", policy, "fifo"),
        "sign": ("--sign", "fifo", "fifo", "--dump", "dump", "--policy", policy, "fifo", "out.dcm"),
        "batch": ("--batch", "--policy", policy, "fifo"),
    }[way]
    done = subprocess.run(
        [sys.executable, "-m", "dcmsign.stream", *command],
        cwd=house.folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith(f"F: unusable policy '{policy}': ")
    assert (reason in done.stderr) or policy == ""
    assert done.stderr.count("\n") == 1
    assert not (house.folder / "out.dcm").exists()
    assert not (house.folder / "dump").exists()


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("--policy", "strict", "in.dcm"), None),
        (("--remove", "1", "--policy", "strict", "signed.dcm", "out.dcm"), "--policy only allowed with"),
        (("--remove-all", "--policy", "strict", "signed.dcm", "out.dcm"), "--policy only allowed with"),
        (("--verify", "--verify-originals", "--policy", "strict", "in.dcm"), "--policy not allowed with --verify-originals"),
        (("--verify", "--policy"), ""),
    ],
)
def test_usage(house: Bench, arguments: tuple[str, ...], reason: str | None) -> None:
    found = house.ours(*arguments)
    if reason is None:  # verifying is what is done if nothing is said
        assert found.code == 100
        return
    assert found.code == 1
    assert reason in found.err


def test_help(house: Bench) -> None:
    text = house.ours("--help").out
    assert "--policy" in text
    assert "compatible, recommended, strict, or a TOML file" in text


@pytest.mark.parametrize("number", range(3))
def test_examples_of_the_documentation(house: Bench, number: int) -> None:
    page = (Path(__file__).parents[2] / "docs" / "policies.md").read_text()
    examples = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)
    assert len(examples) == 3
    (house.folder / "example.toml").write_text(examples[number])
    found = house.ours(*TRUSTED, "--policy", "example.toml", "signed.dcm")
    assert found.code in {0, 101}
    assert "unusable" not in found.err


def test_no_profile(house: Bench) -> None:
    (house.folder / "none.toml").write_text("[accept]\nprofile = 'none'\n")
    assert house.ours(*TRUSTED, "--policy", "none.toml", "signed.dcm").code == 0
    assert house.ours(*TRUSTED, "--policy", "none.toml", "in.dcm").code == house.ours(*TRUSTED, "in.dcm").code


# ---------------------------------------------------------------------- many files


def test_batch(house: Bench) -> None:
    def batch(*files: str) -> tuple[int, dict[str, dict[str, object]]]:
        done = subprocess.run(
            [sys.executable, "-m", "dcmsign.stream", "--batch", "+cf", "cert.pem", "--policy", "house.toml", *files],
            cwd=house.folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        return done.returncode, {(line := json.loads(text))["path"]: line for text in done.stdout.splitlines()}

    code, found = batch("signed.dcm", "broken.dcm", "in.dcm")
    assert {name: line["exit_code"] for name, line in found.items()} == {"signed.dcm": 101, "broken.dcm": 101, "in.dcm": 100}
    for name in found:
        assert house.ours(*TRUSTED, "--policy", "house.toml", name).code == found[name]["exit_code"]
    report = found["signed.dcm"]["report"]
    assert isinstance(report, dict)
    assert report["policy"]["name"] == "house"
    assert report["policy"]["fulfilled"] is False
    assert [violation["rule"] for violation in report["policy"]["violations"]] == ["accept", "coverage"]
    assert code in {100, 101}


def test_batch_does_not_sign_what_the_policy_refuses(house: Bench, tmp_path: Path) -> None:
    arguments = ["--batch", *SIGN, "--policy", "recommended", "+od", "out", "in.dcm"]
    arguments[arguments.index("+od")] = "--output-directory"
    for mac, code in ((), 85), (("--mac-sha256",), 0):
        done = subprocess.run(
            [sys.executable, "-m", "dcmsign.stream", *arguments[:-1], *mac, arguments[-1]],
            cwd=house.folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == code, done.stderr
        assert (tmp_path / "out" / "in.dcm").exists() is (code == 0)
