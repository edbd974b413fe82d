"""What a report shows as evidence: the chain, the time it was checked for, the revocation lists the decision rests on."""

from __future__ import annotations

import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import anyio
import pytest
from dcmsign.stream import (
    CertificateDirectory,
    RevocationList,
    RevocationSource,
    SignatureReport,
    TimestampRules,
    Trust,
    Verdict,
    verify,
)

from tests.peers import require_peer
from tests.stream.test_timestamp_rules import AFTER, LATER, STAMPED_AT, judged, revocation_list, trust
from tests.trust import forge
from tests.trust.authorities import (
    MIDDLE,
    ROOT,
    SERIAL,
    certificates,
    list_pem,
    lists_of,
    loaded,
    object_signed_with,
    revoke,
)
from tests.trust.test_trust_past import DELTA

AT = datetime(2026, 3, 1, tzinfo=UTC)
ROOT_LIST, MIDDLE_LIST = revoke("root"), revoke("middle")


def report(certificate: str, trusted: Trust, at: datetime | None = AT) -> SignatureReport:
    async def run() -> SignatureReport:
        (found,) = (await verify(object_signed_with(certificate), trust=trusted, at=at)).signatures
        return found

    return anyio.run(run)


def openssl_dates(folder: Path, encoding: bytes) -> tuple[datetime, datetime]:
    """The dates of a revocation list as openssl shows them."""
    path = folder / "list.pem"
    path.write_bytes(list_pem(encoding))
    command: list[str | Path] = [require_peer("openssl"), "crl", "-in", path, "-noout", "-lastupdate", "-nextupdate"]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    texts = [line.partition("=")[2] for line in shown.splitlines()]
    begin, end = (datetime.strptime(text, "%b %d %H:%M:%S %Y %Z").replace(tzinfo=UTC) for text in texts)
    return begin, end


def openssl_chain(folder: Path, *trusted: str, untrusted: str) -> list[str]:
    """Common names of the chain of "signer" as openssl builds it, leaf first."""
    for name in (*trusted, untrusted, "signer"):
        (folder / f"{name}.pem").write_bytes(forge.pem(certificates()[name]))
    files: list[str | Path] = [text for name in trusted for text in ("-CAfile", folder / f"{name}.pem")]
    command: list[str | Path] = [
        require_peer("openssl"),
        "verify",
        "-show_chain",
        *files,
        "-untrusted",
        folder / f"{untrusted}.pem",
    ]
    command.append(folder / "signer.pem")
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return [line.rpartition("CN")[2].partition(" (")[0].strip(" =") for line in shown.splitlines() if line.startswith("depth")]


def test_the_chain_is_that_of_openssl(tmp_path: Path) -> None:
    found = report("signer", Trust(loaded(["root"]), loaded(["middle"])))
    assert found.trusted
    assert [certificate.subject.removeprefix("/CN=") for certificate in found.chain] == ["signer", "middle", "root"]
    assert openssl_chain(tmp_path, "root", untrusted="middle") == ["signer", "middle", "root"]
    assert found.chain == loaded(["signer", "middle", "root"])
    assert (found.checked_at, found.revocation) == (AT, ())


def test_time_of_the_check() -> None:
    begin = datetime.now(UTC)
    found = report("signer", Trust(loaded(["root"]), loaded(["middle"])), at=None)
    assert found.checked_at is not None
    assert begin <= found.checked_at <= datetime.now(UTC)
    east = AT.astimezone(datetime.strptime("+0500", "%z").tzinfo)
    assert str(report("signer", Trust(loaded(["root"]), loaded(["middle"])), at=east).checked_at) == "2026-03-01 00:00:00+00:00"


def test_nobody_to_trust() -> None:
    found = report("signer", Trust.NONE)
    assert (found.verdict, found.chain, found.revocation, found.anchors) == (Verdict.UNTRUSTED, (), (), False)
    assert report("signer", Trust(loaded(["other"]))).anchors


def test_lists_that_were_given(tmp_path: Path) -> None:
    """In the order of the chain, with the dates that openssl shows; what is of no use to it is left out."""
    lists = lists_of(revoke("other"), ROOT_LIST, MIDDLE_LIST)
    found = report("signer", Trust(loaded(["root"]), loaded(["middle"]), lists))
    assert found.trusted
    assert found.revocation == (
        RevocationSource("/CN=middle", *openssl_dates(tmp_path, MIDDLE_LIST), "given"),
        RevocationSource("/CN=root", *openssl_dates(tmp_path, ROOT_LIST), "given"),
    )


def test_lists_in_files_and_directories(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_bytes(forge.pem(certificates()["root"]) + list_pem(ROOT_LIST))
    (tmp_path / "middle.pem").write_bytes(forge.pem(certificates()["middle"]))
    (tmp_path / "middle.crl").write_bytes(list_pem(MIDDLE_LIST))
    trusted = Trust.load(trusted=[tmp_path / "ca.pem"], untrusted=[tmp_path / "middle.pem"])
    found = report("signer", trusted + Trust.load(revocation_lists=[tmp_path / "middle.crl"]))
    assert found.trusted
    assert [source.origin for source in found.revocation] == [str(tmp_path / "middle.crl"), str(tmp_path / "ca.pem")]
    folder = tmp_path / "hashed"
    folder.mkdir()
    for name, content in (
        (f"{ROOT}.0", forge.pem(certificates()["root"])),
        (f"{MIDDLE}.0", forge.pem(certificates()["middle"])),
        (f"{MIDDLE}.r0", list_pem(MIDDLE_LIST)),
        (f"{ROOT}.r0", list_pem(ROOT_LIST)),
    ):
        (folder / name).write_bytes(content)
    for folders in (Trust.load(directories=[folder]), Trust.load(directories=[folder]) + Trust.NONE):
        found = report("signer", folders)
        assert found.trusted
        assert [source.origin for source in found.revocation] == [str(folder / f"{MIDDLE}.r0"), str(folder / f"{ROOT}.r0")]
    assert isinstance(folders.directories[0], CertificateDirectory)


NEWER = forge.utc("260201000000Z")
"""Before AT."""


@pytest.mark.parametrize(
    ("lists", "expected"),
    [
        pytest.param([ROOT_LIST, revoke("root", this_update=NEWER)], [NEWER], id="the latest one"),
        pytest.param([revoke("root", this_update=NEWER), ROOT_LIST], [NEWER], id="the latest one, first"),
        pytest.param([ROOT_LIST, revoke("root", this_update=NEWER, next_update=NEWER)], ["old"], id="a current one"),
        pytest.param([ROOT_LIST, revoke("root", this_update=NEWER, extensions=DELTA)], ["old", NEWER], id="with a delta list"),
        pytest.param([ROOT_LIST, revoke("root", extensions=DELTA, issuer_key="other")], ["old"], id="not somebody else's"),
        pytest.param([ROOT_LIST, ROOT_LIST], ["old"], id="each once"),
    ],
)
def test_which_list(lists: list[bytes], expected: list[Any]) -> None:
    """Of several lists of one authority."""
    found = report("direct", Trust(loaded(["root"]), (), lists_of(*lists)))
    assert found.trusted
    old, new = datetime(2025, 1, 1, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC)
    assert [source.this_update for source in found.revocation] == [old if time == "old" else new for time in expected]


def test_which_list_is_that_of_openssl(tmp_path: Path) -> None:
    """The list that a report names is the one whose entries count: what only the other one says has no effect."""
    older, newer = revoke("root", SERIAL), revoke("root", this_update=NEWER)
    for lists, trusted in (((older, newer), True), ((newer, older), True)):
        found = report("direct", Trust(loaded(["root"]), (), lists_of(*lists)))
        assert found.trusted is trusted
        assert [source.this_update for source in found.revocation] == [openssl_dates(tmp_path, newer)[0]]


@pytest.mark.parametrize(
    ("certificate", "lists", "error", "issuers"),
    [
        ("direct", [revoke("root", SERIAL)], "certificate revoked", ["root"]),
        ("signer", [MIDDLE_LIST, revoke("root", 3)], "certificate revoked", ["middle", "root"]),
        ("direct", [revoke("root", next_update=NEWER)], "CRL has expired", ["root"]),
        ("signer", [ROOT_LIST], "unable to get certificate CRL", []),
        ("direct", [ROOT_LIST, revoke("root", this_update=NEWER, issuer_key="other")], "CRL signature failure", []),
        ("alone", [revoke("alone", SERIAL)], "self-signed certificate", []),
    ],
)
def test_lists_against_the_signer(certificate: str, lists: list[bytes], error: str, issuers: list[str]) -> None:
    """No chain is shown for somebody who is not trusted, but who says so."""
    found = report(certificate, Trust(loaded(["root"]), loaded(["middle"]), lists_of(*lists)))
    assert (found.trusted, found.chain_error, found.chain) == (False, error, ())
    assert [source.issuer for source in found.revocation] == [f"/CN={issuer}" for issuer in issuers]


def test_revocation_only_of_the_signer() -> None:
    from dcmsign.stream import RevocationCheck

    lists = lists_of(MIDDLE_LIST, ROOT_LIST)
    signer_only = Trust(loaded(["root"]), loaded(["middle"]), lists, revocation=RevocationCheck.SIGNER)
    assert [source.issuer for source in report("signer", signer_only).revocation] == ["/CN=middle"]
    none = Trust(loaded(["root"]), loaded(["middle"]), lists, revocation=RevocationCheck.NONE)
    assert report("signer", none).revocation == ()


def test_an_anchor_that_signed_itself() -> None:
    found = report("alone", Trust(loaded(["alone"]), (), lists_of(revoke("alone"))))
    assert (found.trusted, found.chain) == (True, loaded(["alone"]))
    assert [source.issuer for source in found.revocation] == ["/CN=alone"]


def test_origins_do_not_make_lists_different() -> None:
    one, other = RevocationList.from_der(ROOT_LIST), RevocationList.from_der(ROOT_LIST, origin="file")
    assert one == other
    assert len({one, other}) == 1


# ---------------------------------------------------------------- with a timestamp


def test_a_timestamp_moves_the_time_of_the_check() -> None:
    """The signer's certificate has expired; the chain counts that was valid at the token's time."""

    async def run(rules: TimestampRules) -> None:
        found = (await judged("healed", trust(), rules)).signatures[0]
        stamp = found.timestamp
        assert stamp is not None
        assert stamp.extends_validity
        assert found.checked_at == stamp.token.time
        assert found.chain[0] == found.certificate
        assert found.chain[-1].subject == found.chain[-1].issuer
        assert "the time of its timestamp" in found.levels.trusted.reason

    for rules in (TimestampRules.STRICT, TimestampRules.DCMSIGN):
        anyio.run(run, rules)


def test_revoked_since_the_timestamp() -> None:
    """The list that says when is shown; for who is still trusted, and for who is not."""

    async def run(when: datetime, trusted: bool) -> None:
        listed = revocation_list(("signer", when, None))
        found = (await judged("granted-sha256", trust(listed), at=LATER)).signatures[0]
        assert found.trusted is trusted
        assert found.checked_at == (STAMPED_AT if trusted else LATER)
        assert [source[1:] for source in found.revocation] == [(listed.this_update, listed.next_update, "given")]

    anyio.run(run, AFTER, True)
    anyio.run(run, datetime(2026, 11, 22, 13, tzinfo=UTC), False)


def test_the_chain_of_the_authority() -> None:
    async def run() -> None:
        stamp = (await judged("granted-sha256", trust())).signatures[0].timestamp
        assert stamp is not None
        assert stamp.certificate is not None
        assert stamp.chain[0] == stamp.certificate
        assert stamp.chain[-1] == trust().trusted[0]
        unknown = (await judged("tsa-other", trust())).signatures[0].timestamp
        assert unknown is not None
        assert (unknown.ok, unknown.chain) == (False, ())

    anyio.run(run)
