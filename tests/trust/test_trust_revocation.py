"""Revocation lists, against dcmsign and ``openssl verify`` with OpenSSL 3."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import anyio
import pytest
from cryptography import x509
from dcmsign.codec.errors import BadCertificateFile, BadRevocationListFile
from dcmsign.stream import verify
from dcmsign.stream.trust import der
from dcmsign.stream.trust.anchors import Trust
from dcmsign.stream.trust.certificates import Certificate, Encoding
from dcmsign.stream.trust.paths import validate_path
from dcmsign.stream.trust.revocation import RevocationCheck, RevocationList, load_revocation_list, load_revocation_lists

from tests.trust import forge
from tests.trust.authorities import (
    EARLIER,
    FUTURE,
    LATER,
    PAST,
    REVOKED_AT,
    ROOT,
    SERIAL,
    certificates,
    dcmsign_says,
    issue,
    list_pem,
    lists_of,
    loaded,
    object_signed_with,
    openssl_says,
    revoke,
)

MISSING, REVOKED, EXPIRED = "unable to get certificate CRL", "certificate revoked", "CRL has expired"
BAD_SIGNATURE, SCOPE, CRITICAL = "CRL signature failure", "different CRL scope", "unhandled critical CRL extension"
NONE, SIGNER, CHAIN = RevocationCheck


def damaged(encoding: bytes) -> bytes:
    return encoding[:-1] + bytes((encoding[-1] ^ 1,))


def extended(*items: tuple[str, bool, bytes]) -> bytes:
    return forge.plain_extensions(*items)


def entry(kind: str, critical: bool, value: bytes, serial: int = SERIAL) -> forge.Revoked:
    return serial, REVOKED_AT, extended((kind, critical, value))


def reason(code: int) -> forge.Revoked:
    return entry("2.5.29.21", False, bytes((10, 1, code)))


def number(value: int) -> tuple[str, bool, bytes]:
    return "2.5.29.20", False, forge.integer(value)


def since(base: int) -> tuple[str, bool, bytes]:
    """Delta CRL Indicator."""
    return "2.5.29.27", True, forge.integer(base)


def scope(*parts: bytes) -> bytes:
    """Issuing Distribution Point."""
    return extended(("2.5.29.28", True, forge.tlv(der.SEQUENCE, *parts)))


UNKNOWN = ("1.2.3.4", True, b"\5\0")
LINK = forge.tlv(0xA0, forge.tlv(0xA0, forge.tlv(0x86, b"http://lists.example/1")))
Case = tuple[str, list[str], list[str], list[bytes], str | None]
"""Signer, trusted, untrusted certificates, revocation lists, and what follows if the signer's certificate is checked."""


def of_root(*lists: bytes, error: str | None = None) -> Case:
    return "direct", ["root"], [], list(lists), error


CASES: dict[str, Case] = {
    "not listed": of_root(revoke("root", SERIAL + 1)),
    "listed": of_root(revoke("root", SERIAL), error=REVOKED),
    "revoked in the future": of_root(revoke("root", (SERIAL, FUTURE)), error=REVOKED),
    "no list": of_root(error=MISSING),
    "list of another authority": of_root(revoke("other"), error=MISSING),
    "expired": of_root(revoke("root", next_update=PAST), error=EXPIRED),
    "expired and listed": of_root(revoke("root", SERIAL, next_update=PAST), error=EXPIRED),
    "from the future": of_root(revoke("root", this_update=FUTURE), error="CRL is not yet valid"),
    "for ever": of_root(revoke("root", next_update=None)),
    "damaged": of_root(damaged(revoke("root")), error=BAD_SIGNATURE),
    "signed by another key": of_root(revoke("root", issuer_key="other"), error=BAD_SIGNATURE),
    "sha1": of_root(revoke("root", SERIAL, digest="sha1"), error=REVOKED),
    "version 1": of_root(revoke("root", SERIAL, version=None), error=REVOKED),
    "generalized time": of_root(revoke("root", SERIAL, this_update=forge.generalized("20250101000000Z")), error=REVOKED),
    "negative serial number": of_root(revoke("root", -SERIAL)),
    "issuer in other letters": of_root(revoke("root", SERIAL, name=" ROOT "), error=REVOKED),
    "given twice": of_root(revoke("root"), revoke("root")),
    "newer one revokes": of_root(revoke("root", this_update=EARLIER), revoke("root", SERIAL), error=REVOKED),
    "newer one forgives": of_root(revoke("root", SERIAL, this_update=EARLIER), revoke("root")),
    "expired and current": of_root(revoke("root", SERIAL, next_update=PAST), revoke("root")),
    "current and damaged": of_root(revoke("root"), damaged(revoke("root", this_update=LATER)), error=BAD_SIGNATURE),
    "on hold": of_root(revoke("root", reason(6)), error=REVOKED),
    "removed from list": of_root(revoke("root", reason(8))),
    "malformed reason": of_root(revoke("root", entry("2.5.29.21", False, b"0\0")), error=REVOKED),
    "unknown extension": of_root(revoke("root", extensions=extended(("1.2.3.4", False, b"\5\0")))),
    "unknown critical extension": of_root(revoke("root", extensions=extended(UNKNOWN)), error=CRITICAL),
    "unknown critical extension of an entry": of_root(revoke("root", entry(*UNKNOWN)), error=CRITICAL),
    "unknown critical extension of another entry": of_root(revoke("root", entry(*UNKNOWN, serial=8)), error=CRITICAL),
    "for users": of_root(revoke("root", SERIAL, extensions=scope(b"\x81\1\xff")), error=REVOKED),
    "for authorities": of_root(revoke("root", SERIAL, extensions=scope(b"\x82\1\xff")), error=SCOPE),
    "for attributes": of_root(revoke("root", SERIAL, extensions=scope(b"\x85\1\xff")), error=SCOPE),
    "for some reasons": of_root(revoke("root", SERIAL, extensions=scope(b"\x83\2\1\x60")), error=MISSING),
    "indirect": of_root(revoke("root", SERIAL, extensions=scope(b"\x84\1\xff")), error=MISSING),
    "of another distribution point": of_root(revoke("root", SERIAL, extensions=scope(LINK)), error=SCOPE),
    "delta adds": of_root(
        revoke("root", extensions=extended(number(1))),
        revoke("root", SERIAL, this_update=LATER, extensions=extended(number(2), since(1))),
        error=REVOKED,
    ),
    "authority may not sign lists": (
        "of no lists", ["no lists"], [], [revoke("no lists")], "key usage does not include CRL signing",
    ),
    "below an intermediate": ("signer", ["root"], ["middle"], [revoke("middle")], None),
    "below an intermediate, listed": ("signer", ["root"], ["middle"], [revoke("middle", SERIAL)], REVOKED),
    "below an intermediate, listed by another": ("signer", ["root"], ["middle"], [revoke("root", SERIAL)], MISSING),
    "revoked intermediate": ("signer", ["root", "middle"], [], [revoke("middle"), revoke("root", 3)], None),
    "no chain": ("signer", ["root"], [], [revoke("middle", SERIAL)], "unable to get local issuer certificate"),
    "self-signed, no list": ("alone", ["alone"], [], [], MISSING),
    "self-signed, not listed": ("alone", ["alone"], [], [revoke("alone")], None),
    "self-signed, listed": ("alone", ["alone"], [], [revoke("alone", SERIAL)], REVOKED),
    "self-signed, removed from list": ("alone", ["alone"], [], [revoke("alone", reason(8))], None),
    "self-signed, newer one revokes": (
        "alone", ["alone"], [], [revoke("alone", SERIAL), revoke("alone", this_update=EARLIER)], REVOKED,
    ),
    "self-signed, expired and current": (
        "alone", ["alone"], [], [revoke("alone", this_update=LATER, next_update=LATER), revoke("alone", SERIAL)], REVOKED,
    ),
    "self-signed, expired list": ("alone", ["alone"], [], [revoke("alone", next_update=PAST)], EXPIRED),
    "self-signed, list from the future": ("alone", ["alone"], [], [revoke("alone", this_update=FUTURE)], "CRL is not yet valid"),
    "self-signed, damaged list": ("alone", ["alone"], [], [damaged(revoke("alone"))], BAD_SIGNATURE),
    "self-signed, critical": ("alone", ["alone"], [], [revoke("alone", extensions=extended(UNKNOWN))], CRITICAL),
    "self-signed, numbered": ("alone", ["alone"], [], [revoke("alone", extensions=extended(number(5)))], None),
    "self-signed, list of another": ("alone", ["alone"], [], [revoke("other")], MISSING),
    "self-signed, not trusted": ("alone", [], [], [revoke("alone")], "self-signed certificate"),
    "self-signed and expired": ("alone, expired", ["alone, expired"], [], [revoke("alone")], "certificate has expired"),
    "self-signed and expired, no list": ("alone, expired", ["alone, expired"], [], [], MISSING),
}  # fmt: skip


def trust_of(case: Case, check: RevocationCheck) -> Trust:
    _, trusted, untrusted, lists, _ = case
    return Trust(loaded(trusted), loaded(untrusted), lists_of(*lists), revocation=check)


def write(folder: Path, name: str, content: bytes) -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("name", CASES)
def test_signer(name: str) -> None:
    case = CASES[name]
    assert validate_path(loaded(case[:1])[0], trust_of(case, SIGNER)) == case[-1]


@pytest.mark.parametrize("name", CASES)
def test_dcmsign_agrees(name: str, tmp_path: Path) -> None:
    signer, trusted, untrusted, lists, error = CASES[name]
    options: list[str | Path] = ["+cl"]
    for option, names in (("+cf", trusted), ("+uf", untrusted)):
        for index, certificate in enumerate(names):
            options += [option, write(tmp_path, f"{option}{index}", forge.pem(certificates()[certificate]))]
    for index, encoding in enumerate(lists):
        options[:0] = ["+cr", write(tmp_path, f"list{index}", list_pem(encoding))]  # it takes them from right to left
    assert dcmsign_says(tmp_path, signer, *options) == error


@pytest.mark.parametrize("name", CASES)
def test_every_certificate_asks_for_at_least_as_much(name: str) -> None:
    """Where the signer fails, the chain does; the one more that must fail is the authority nobody asked about."""
    case = CASES[name]
    error = validate_path(loaded(case[:1])[0], trust_of(case, CHAIN))
    unlisted = {"below an intermediate": MISSING, "revoked intermediate": REVOKED}
    assert error == (case[-1] or unlisted.get(name))


@pytest.mark.parametrize("name", CASES)
def test_no_check(name: str) -> None:
    signer, trusted, untrusted, _, _ = case = CASES[name]
    expected = validate_path(loaded([signer])[0], Trust(loaded(trusted), loaded(untrusted)))
    assert validate_path(loaded([signer])[0], trust_of(case, NONE)) == expected


CHAINS: dict[str, tuple[list[bytes], str | None]] = {
    "all lists": ([revoke("middle"), revoke("root")], None),
    "no list of the intermediate": ([revoke("root")], MISSING),
    "signer listed": ([revoke("middle", SERIAL), revoke("root")], REVOKED),
    "intermediate listed": ([revoke("middle"), revoke("root", 3)], REVOKED),
    "list of the root expired": ([revoke("middle"), revoke("root", next_update=PAST)], EXPIRED),
    "list of the root damaged": ([revoke("middle"), damaged(revoke("root"))], BAD_SIGNATURE),
    "for authorities": ([revoke("middle"), revoke("root", 3, extensions=scope(b"\x82\1\xff"))], REVOKED),
    "for users": ([revoke("middle"), revoke("root", 3, extensions=scope(b"\x81\1\xff"))], SCOPE),
}


@pytest.mark.parametrize("name", CHAINS)
def test_chain(name: str, tmp_path: Path) -> None:
    """OpenSSL 3 asks for a list about the root as well, which is no other than the one about what is below it."""
    lists, error = CHAINS[name]
    trust = Trust(loaded(["root"]), loaded(["middle"]), lists_of(*lists))
    assert validate_path(loaded(["signer"])[0], trust) == error
    if name in {"for authorities", "for users"}:
        return  # see above: the root is an authority as well
    files = {"root": forge.pem(certificates()["root"]), "middle": forge.pem(certificates()["middle"]), "lists": list_pem(*lists)}
    root, middle, listed = (write(tmp_path, file, content) for file, content in files.items())
    said = openssl_says(tmp_path, "signer", "-crl_check_all", "-CRLfile", listed, "-trusted", root, "-untrusted", middle)
    assert said == error


def test_trust_anchors_need_no_list() -> None:
    """RFC 5280 6.1 starts below the anchor, whether that is a root or any other certificate the caller trusts."""
    signer = loaded(["signer"])[0]
    partial = Trust(loaded(["middle"]), revocation_lists=lists_of(revoke("middle")), partial_chain=True)
    assert validate_path(signer, partial) is None
    revoked = Trust(loaded(["middle"]), revocation_lists=lists_of(revoke("middle", SERIAL)), partial_chain=True)
    assert validate_path(signer, revoked) == REVOKED


@pytest.mark.parametrize(
    ("signer", "trusted"),
    [("signer", "middle"), ("signer", "signer"), ("signer", "root"), ("direct", "root"), ("alone", "alone")],
)
@pytest.mark.parametrize("partial", [False, True])
def test_partial_chain(signer: str, trusted: str, partial: bool, tmp_path: Path) -> None:
    path = write(tmp_path, "trusted.pem", forge.pem(certificates()[trusted]))
    said = openssl_says(tmp_path, signer, "-trusted", path, *(["-partial_chain"] if partial else []))
    assert validate_path(loaded([signer])[0], Trust(loaded([trusted]), partial_chain=partial)) == said


@pytest.mark.parametrize(
    ("time", "error"),
    [
        (datetime(2025, 3, 1, tzinfo=UTC), "CRL is not yet valid"),
        (datetime(2025, 6, 15, tzinfo=UTC), None),
        (datetime(2025, 12, 31, tzinfo=UTC), None),
        (datetime(2026, 1, 2, tzinfo=UTC), EXPIRED),
    ],
)
@pytest.mark.parametrize("signer", ["direct", "alone"])
def test_at_another_time(signer: str, time: datetime, error: str | None, tmp_path: Path) -> None:
    trusted = "root" if signer == "direct" else signer
    encoding = revoke(trusted, this_update=PAST, next_update=LATER)
    trust = Trust(loaded([trusted]), revocation_lists=lists_of(encoding))
    assert validate_path(loaded([signer])[0], trust, at=time) == error
    anchor = write(tmp_path, "trusted.pem", forge.pem(certificates()[trusted]))
    listed = write(tmp_path, "list.pem", list_pem(encoding))
    at = ["-attime", str(int(time.timestamp()))]
    assert openssl_says(tmp_path, signer, "-crl_check", "-CRLfile", listed, "-trusted", anchor, *at) == error


def test_revocation_counts_at_any_time() -> None:
    trust = Trust(loaded(["root"]), revocation_lists=lists_of(revoke("root", SERIAL)))
    assert validate_path(loaded(["direct"])[0], trust, at=datetime(2025, 7, 1, tzinfo=UTC)) == REVOKED


DELTA = extended(number(2), since(1))


@pytest.mark.parametrize(
    ("complete", "delta", "error"),
    [
        ([], revoke("root", extensions=DELTA), MISSING),  # dcmsign takes it for a complete one
        ([revoke("root", SERIAL)], revoke("root", this_update=LATER, extensions=DELTA), REVOKED),  # the same
        ([revoke("root", reason(6))], revoke("root", reason(8), this_update=LATER, extensions=DELTA), REVOKED),
        ([revoke("root")], revoke("root", reason(8), extensions=DELTA), None),
        ([revoke("root")], revoke("root", SERIAL, extensions=DELTA), REVOKED),
        ([revoke("root")], revoke("root", SERIAL, next_update=PAST, extensions=DELTA), None),
        ([revoke("root")], revoke("root", SERIAL, this_update=FUTURE, extensions=DELTA), None),
        ([revoke("root")], damaged(revoke("root", SERIAL, extensions=DELTA)), None),
        ([revoke("root")], revoke("other", SERIAL, extensions=DELTA), None),
    ],
)
@pytest.mark.parametrize("check", [SIGNER, CHAIN])
def test_delta_lists(complete: list[bytes], delta: bytes, error: str | None, check: RevocationCheck) -> None:
    trust = Trust(loaded(["root"]), revocation_lists=lists_of(*complete, delta), revocation=check)
    assert validate_path(loaded(["direct"])[0], trust) == error


def test_delta_lists_of_the_whole_chain() -> None:
    lists = lists_of(revoke("middle"), revoke("root"), revoke("root", 3, extensions=DELTA))
    trust = Trust(loaded(["root"]), loaded(["middle"]), lists)
    assert validate_path(loaded(["signer"])[0], trust) == REVOKED
    signer_only = Trust(loaded(["root"]), loaded(["middle"]), lists, revocation=SIGNER)
    assert validate_path(loaded(["signer"])[0], signer_only) is None


@pytest.mark.parametrize(
    "options",
    [
        {"version": 0},
        {"version": 2},
        {"this_update": forge.utc("2501010000Z")},
        {"this_update": forge.utc("259901000000Z")},
        {"next_update": forge.utc("259901000000Z")},
        {"extensions": extended(("2.5.29.20", False, b"0\0"))},
        {"extensions": extended(number(1), number(1))},
        {"extensions": extended(("2.5.29.28", True, b"\2\1\1"))},
    ],
)
@pytest.mark.parametrize("signer", ["direct", "alone"])
def test_lists_no_one_should_issue_never_lead_to_trust(signer: str, options: dict[str, Any], tmp_path: Path) -> None:
    """dcmsign reads them, and so do we: an unreadable file would leave revocation unchecked."""
    trusted = "root" if signer == "direct" else signer
    encoding = revoke(trusted, SERIAL, **options)
    path = write(tmp_path, "list.pem", list_pem(encoding))
    trust = Trust(loaded([trusted])) + Trust.load(revocation_lists=[path], revocation=SIGNER)
    assert validate_path(loaded([signer])[0], trust) is not None
    anchor = write(tmp_path, "trusted.pem", forge.pem(certificates()[trusted]))
    assert dcmsign_says(tmp_path, signer, "+cf", anchor, "+cr", path) is not None


def test_default_check(tmp_path: Path) -> None:
    """The library checks whole chains as soon as there are lists."""
    root = write(tmp_path, "root.pem", forge.pem(certificates()["root"]))
    both = write(tmp_path, "both.pem", forge.pem(certificates()["root"]) + list_pem(revoke("root")))
    listed = write(tmp_path, "list.pem", list_pem(revoke("root")))
    assert Trust.NONE.revocation_check is Trust.load(trusted=[root]).revocation_check is NONE
    assert Trust.load(trusted=[both]).revocation_check is CHAIN
    assert Trust.load(revocation_lists=[listed]).revocation_check is CHAIN
    assert Trust.load(revocation_lists=[listed], revocation=NONE).revocation_check is NONE
    assert (Trust.load(trusted=[root]) + Trust.load(revocation_lists=[listed])).revocation_check is CHAIN


@pytest.mark.parametrize("one", [None, *RevocationCheck])
@pytest.mark.parametrize("other", [None, *RevocationCheck])
def test_sums_check_what_either_checks(one: RevocationCheck | None, other: RevocationCheck | None) -> None:
    total = Trust(loaded(["root"]), revocation=one) + Trust(loaded(["middle"]), revocation=other)
    assert total.revocation_check == max(one or NONE, other or NONE)
    assert total.trusted == loaded(["root", "middle"])


def test_sums() -> None:
    lists = lists_of(revoke("root"), revoke("middle"))
    one = Trust(loaded(["root"]), (), lists[:1], partial_chain=True)
    other = Trust((), loaded(["middle"]), lists[1:])
    assert one + other == Trust(loaded(["root"]), loaded(["middle"]), lists)
    assert one + Trust.NONE == Trust.NONE + one == one
    assert (one + one).partial_chain
    with pytest.raises(TypeError):
        one + lists  # type: ignore[operator]


def test_files_with_everything(tmp_path: Path) -> None:
    lists = [revoke("middle"), revoke("root", 3)]
    path = write(tmp_path, "all.pem", b"notes\n" + list_pem(lists[0]) + forge.pem(certificates()["root"]) + list_pem(lists[1]))
    trust = Trust.load(trusted=[path])
    assert trust == Trust(loaded(["root"]), revocation_lists=lists_of(*lists))
    assert validate_path(loaded(["signer"])[0], trust + Trust(untrusted=loaded(["middle"]))) == REVOKED
    assert Trust.load(untrusted=[path]) == Trust(untrusted=loaded(["root"]))
    only_lists = write(tmp_path, "lists.pem", list_pem(*lists))
    assert Trust.load(trusted=[only_lists]).revocation_lists == lists_of(*lists)
    assert Trust.load(revocation_lists=[only_lists]).revocation_lists == lists_of(lists[0])


def test_der_files(tmp_path: Path) -> None:
    encoding = revoke("root", SERIAL)
    path = write(tmp_path, "list.der", encoding + b"notes")
    assert Trust.load(revocation_lists=[path], encoding=Encoding.DER).revocation_lists == lists_of(encoding)
    with pytest.raises(BadCertificateFile):
        Trust.load(trusted=[path], encoding=Encoding.DER)


LOADERS: list[Callable[[bytes, Encoding], object]] = [
    lambda data, encoding: load_revocation_list(data, encoding, name="x"),
    lambda data, encoding: load_revocation_lists(data, encoding, name="x"),
]
BAD: list[tuple[bytes, Encoding, bool, bool]] = [
    (b"", Encoding.DER, True, True),
    (revoke("root")[:-1], Encoding.DER, True, True),
    (certificates()["root"], Encoding.DER, True, True),
    (list_pem(revoke("root")), Encoding.DER, True, True),
    (b"", Encoding.PEM, True, False),
    (forge.pem(certificates()["root"]), Encoding.PEM, True, False),
    (forge.pem(revoke("root"), "CRL"), Encoding.PEM, True, False),
    (list_pem(b"0\0"), Encoding.PEM, True, True),
    (list_pem(b"0\0", revoke("root")), Encoding.PEM, True, True),
    (list_pem(revoke("root"), b"0\0"), Encoding.PEM, False, True),
    (b"-----BEGIN CERTIFICATE-----\nMAA=\n" + list_pem(revoke("root")), Encoding.PEM, True, True),
    (list_pem(revoke("root")), Encoding.PEM, False, False),
]


@pytest.mark.parametrize(("data", "encoding", "first_is_bad", "any_is_bad"), BAD)
def test_bad_lists(data: bytes, encoding: Encoding, first_is_bad: bool, any_is_bad: bool) -> None:
    for load, bad in zip(LOADERS, (first_is_bad, any_is_bad), strict=True):
        if bad:
            with pytest.raises(BadRevocationListFile) as caught:
                load(data, encoding)
            assert caught.value.path == "x"
        else:
            load(data, encoding)


@pytest.mark.parametrize(("data", "encoding", "first_is_bad", "any_is_bad"), BAD)
def test_dcmsign_takes_the_same_files(
    data: bytes, encoding: Encoding, first_is_bad: bool, any_is_bad: bool, tmp_path: Path
) -> None:
    """A file it takes is a list that is missed here: the signer is issued by another authority than the list."""
    path = write(tmp_path, "list", data)
    der_form = encoding is Encoding.DER
    root = write(tmp_path, "root", certificates()["other"] if der_form else forge.pem(certificates()["alone"]))
    said = dcmsign_says(tmp_path, "alone", "-der" if der_form else "-pem", "+cf", root, "+cr", path)
    assert (said == MISSING) == (not first_is_bad and not der_form)


@pytest.mark.parametrize("name", ["missing", ".", "a\0b"])
def test_missing_files(name: str, tmp_path: Path) -> None:
    with pytest.raises(BadRevocationListFile) as caught:
        Trust.load(revocation_lists=[tmp_path / name])
    assert caught.value.path == str(tmp_path / name)
    assert isinstance(caught.value.__cause__, (OSError, ValueError))


@pytest.mark.parametrize(
    "options",
    [{}, {"next_update": None}, {"extensions": DELTA}, {"extensions": extended(number(1))}, {"version": None}],
    ids=["plain", "no end", "delta", "numbered", "version 1"],
)
def test_fields(options: dict[str, Any]) -> None:
    encoding = revoke("root", SERIAL, **options)
    found, peer = RevocationList.from_der(encoding + b"more"), x509.load_der_x509_crl(encoding)
    assert found.der == encoding
    assert found.issuer == f"/CN={peer.issuer.rfc4514_string().removeprefix('CN=')}"
    assert (found.this_update, found.next_update) == (peer.last_update_utc, peer.next_update_utc)
    assert found.is_delta == (options.get("extensions") == DELTA)
    assert found == RevocationList.from_der(encoding) != RevocationList.from_der(revoke("root"))
    trust = Trust(loaded(["root"]), revocation_lists=(found,), revocation=SIGNER)
    copy = pickle.loads(pickle.dumps(trust))
    assert copy == trust
    assert hash(copy) == hash(trust)


def test_now_is_the_default_time() -> None:
    soon = datetime.now(UTC) + timedelta(days=2)
    times: dict[str, Any] = {
        "this_update": forge.utc(f"{soon - timedelta(days=4):%y%m%d}000000Z"),
        "next_update": forge.utc(f"{soon:%y%m%d}000000Z"),
    }
    for signer, issuer in (("direct", "root"), ("alone", "alone")):
        trust = Trust(loaded([issuer]), revocation_lists=lists_of(revoke(issuer, **times)))
        assert validate_path(loaded([signer])[0], trust) is None
        assert validate_path(loaded([signer])[0], trust, at=soon + timedelta(days=1)) == EXPIRED


def test_negative_serial_numbers() -> None:
    """Those of self-signed certificates and those in delta lists are looked up here, not by OpenSSL."""
    for issuer, lists in (("alone", [revoke("alone", -5)]), ("root", [revoke("root"), revoke("root", -5, extensions=DELTA)])):
        signer = Certificate.from_der(issue("alone" if issuer == "alone" else "signer", issuer, serial=forge.integer(-5)))
        anchors = (signer,) if issuer == "alone" else loaded([issuer])
        assert validate_path(signer, Trust(anchors, revocation_lists=lists_of(*lists))) == REVOKED
        others = [revoke("alone", 5)] if issuer == "alone" else [revoke("root"), revoke("root", 5, extensions=DELTA)]
        assert validate_path(signer, Trust(anchors, revocation_lists=lists_of(*others))) is None


async def _report_on(signer: str, trust: Trust, at: datetime | None) -> tuple[bool, str | None]:
    report = await verify(object_signed_with(signer), trust=trust, at=at)
    (signature,) = report.signatures
    assert signature.intact
    return signature.trusted, signature.chain_error


def test_verification(tmp_path: Path) -> None:
    """What a caller of the library sees, now and at the time of signing."""
    write(tmp_path, f"{ROOT}.0", forge.pem(certificates()["root"]))
    write(tmp_path, f"{ROOT}.r0", list_pem(revoke("root", this_update=PAST, next_update=LATER)))
    trust = Trust.load(directories=[tmp_path])
    signed = datetime(2025, 12, 1, 12, tzinfo=UTC)
    assert anyio.run(_report_on, "direct", trust, None) == (False, EXPIRED)
    assert anyio.run(_report_on, "direct", trust, signed) == (True, None)
    write(tmp_path, f"{ROOT}.r1", list_pem(revoke("root", SERIAL, this_update=forge.utc("250701000000Z"))))
    assert anyio.run(_report_on, "direct", trust, signed) == (False, REVOKED)
