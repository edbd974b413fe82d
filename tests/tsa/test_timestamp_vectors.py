"""Every vector: the reply is read, checked and verified as dcmsign did it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from dcmsign.codec.errors import BadTimestampQuery, BadTimestampReply, BadTimestampToken, TimestampMismatch, TimestampRejected
from dcmsign.tsa.consistency import check_reply
from dcmsign.tsa.query import TimestampQuery
from dcmsign.tsa.reply import TimestampReply, explanations
from dcmsign.tsa.token import UNREADABLE_CONTENT, UNREADABLE_TOKEN, Token
from dcmsign.tsa.verification import verify_token

from tests.tsa import stamped
from tests.tsa.listing import block
from tests.tsa.stamped import CASES, VECTORS, Signed

UID_FILE_ONLY = (33, 84)
"""Exit codes of cases that are about the UID file and what it names."""

INSERTIONS = [
    pytest.param(case, id=case["id"]) for case in CASES if case["insert"] and case["insert"]["exit"] not in UID_FILE_ONLY
]
VERIFICATIONS = [
    pytest.param(case["stamped"], run, id=f"{case['id']}-{number}")
    for case in CASES
    for number, run in enumerate(case["verify"])
    if any("Timestamp Verification" in line for line in run["stderr"])
]
FIXED = {"granted-p521"}
"""dcmsign fails because it takes the pad byte for part of the signature."""

ONLY_UNTRUSTED = {"tsa-other", "tsa-other-root-embedded", "healed-tsa-expired"}
"""Authorities that were as they should be at the time of the token, but have no valid path."""

STALE = {"", "no certificate or crl found"}
"""Texts of dcmsign that are about something else, left over from reading its certificate files."""


def outcome(case: dict[str, Any]) -> tuple[int, list[str]]:
    """Exit code and the lines that an insertion ends with, as far as they are about query, reply and signature."""
    query_file, reply_file, uid_file, object_file, _ = case["insert"]["args"][1:]
    try:
        query = TimestampQuery.from_der(stamped.read(query_file) if (VECTORS / query_file).exists() else b"")
    except BadTimestampQuery:
        return 31, [f"E: Unable to load timestamp query file '{query_file}'"]
    try:
        reply = TimestampReply.from_der(stamped.read(reply_file) if (VECTORS / reply_file).exists() else b"")
    except BadTimestampReply:
        return 32, [f"E: Unable to load timestamp response file '{reply_file}'"]
    note = "W: timestamp response status text: "
    try:
        check_reply(query, reply, signature=signature_of(uid_file, object_file).value)
    except TimestampRejected as refusal:
        return 87, [f"E: {refusal.message}", *(note + text for text in explanations(refusal.texts, refusal.failures))]
    except TimestampMismatch as mismatch:
        return 87, [f"E: {mismatch.message}"]
    if reply.status == 0:
        return 0, []
    return 0, [f"W: timestamp response status: {reply.status_text}", *(note + text for text in reply.explanations)]


def signature_of(uid_file: str, object_file: str) -> Signed:
    uid = re.search(rb"\x00\x04\x00\x01....([0-9.]+)", stamped.read(uid_file), re.DOTALL)  # implicit VR, little endian
    assert uid
    return next(found for found in stamped.signatures(object_file) if found.item.uid == uid[1].decode())


@pytest.mark.parametrize("case", INSERTIONS)
def test_insertion(case: dict[str, Any]) -> None:
    theirs = case["insert"]["exit"], case["insert"]["stderr"]
    assert outcome(case) == ((0, []) if case["id"] in FIXED else theirs)


@pytest.mark.parametrize(("name", "run"), VERIFICATIONS)
def test_verification(name: str, run: dict[str, Any]) -> None:
    (signed,) = [found for found in stamped.signatures(name) if found.item.timestamp is not None]
    assert signed.item.timestamp is not None
    token = Token.from_der(signed.item.timestamp)
    options = list(zip(run["args"], run["args"][1:], strict=False))
    verdict = verify_token(
        token,
        signature=signed.value,
        signer_validity=signed.validity,
        path=stamped.paths(*(value for option, value in options if option == "+cf")),
        helpers=[entry.der for entry in stamped.certificates(*(value for option, value in options if option == "+uf"))],
    )
    line = next(line for line in run["stderr"] if "Timestamp Verification" in line)
    theirs = line.split(" : ")[-1].removeprefix("timestamp signature verification failed: ")
    if theirs.startswith("OK"):
        assert verdict.ok
    else:
        assert not verdict.ok
        assert verdict.reason == ("certificate verify error" if theirs in STALE else theirs)
    assert [f"E: {remark}" for remark in verdict.remarks] == [line for line in run["stderr"] if line.startswith("E:")]
    if "-v" in run["args"]:
        shown = any("signature certificate" in line for line in run["stderr"])
        assert shown == (verdict.certificate is not None)
        start = next(place for place, line in enumerate(run["stderr"]) if "CMS_TSP" in line)
        lines = block(token)
        assert [line[3:] for line in run["stderr"][start : start + len(lines)]] == lines


@pytest.mark.parametrize(("name", "run"), VERIFICATIONS)
def test_verification_without_paths(name: str, run: dict[str, Any]) -> None:
    """Without trust anchors everything but the path is checked."""
    (signed,) = [found for found in stamped.signatures(name) if found.item.timestamp is not None]
    assert signed.item.timestamp is not None
    options = list(zip(run["args"], run["args"][1:], strict=False))
    helpers = [entry.der for entry in stamped.certificates(*(value for option, value in options if option == "+uf"))]
    token = Token.from_der(signed.item.timestamp)
    verdict = verify_token(token, signature=signed.value, signer_validity=signed.validity, path=None, helpers=helpers)
    line = next(line for line in run["stderr"] if "Timestamp Verification" in line)
    theirs = line.split(" : ")[-1].removeprefix("timestamp signature verification failed: ")
    if theirs.startswith("OK") or name.partition("/")[2].partition(".")[0] in ONLY_UNTRUSTED:
        assert verdict.ok
    else:
        assert verdict.reason == ("certificate verify error" if theirs in STALE else theirs)


@pytest.mark.parametrize(
    ("name", "message"),
    [("garbage", UNREADABLE_TOKEN), ("truncated", UNREADABLE_TOKEN), ("is-whole-tsr", UNREADABLE_TOKEN), ("extra-padding", None)],
)
def test_values_that_are_no_tokens(name: str, message: str | None) -> None:
    (signed,) = stamped.signatures(f"verify/value-{name}.dcm")
    assert signed.item.timestamp is not None
    if message is None:
        assert Token.from_der(signed.item.timestamp).version == 1
        return
    with pytest.raises(BadTimestampToken) as raised:
        Token.from_der(signed.item.timestamp)
    assert raised.value.message == message != UNREADABLE_CONTENT


@pytest.mark.parametrize("case", [param for param in INSERTIONS if param.values[0].get("certified_timestamp")])  # type: ignore[union-attr]
def test_stored_bytes(case: dict[str, Any]) -> None:
    """The token in the reply is what dcmsign stored, padded; so is that with indefinite lengths."""
    stored = next(found.item.timestamp for found in stamped.signatures(case["stamped"]) if found.item.timestamp)
    token = TimestampReply.from_der(stamped.read(case["response"])).token
    assert token is not None
    assert token.raw + b"\0" * (len(token.raw) % 2) == stored


def test_there_are_vectors() -> None:
    assert len(CASES) == 103
    assert len(VERIFICATIONS) > 90
    assert Path(VECTORS / "pki").is_dir()
