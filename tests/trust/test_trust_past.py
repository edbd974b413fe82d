"""Who was trusted at a moment that is over: revocation lists as they are known later."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from dcmsign.stream.trust import der
from dcmsign.stream.trust.anchors import Trust
from dcmsign.stream.trust.certificates import Certificate
from dcmsign.stream.trust.past import find_past_path, validate_past
from dcmsign.stream.trust.paths import TrustedPaths, validate_path
from dcmsign.stream.trust.revocation import RevocationCheck, RevocationList

from tests.peers import require_peer
from tests.trust import forge
from tests.trust.authorities import (
    MIDDLE,
    ROOT,
    SERIAL,
    certificates,
    issue,
    key,
    list_pem,
    lists_of,
    loaded,
    openssl_says,
    revoke,
)

MISSING, REVOKED, EXPIRED = "unable to get certificate CRL", "certificate revoked", "certificate has expired"
NONE, SIGNER, CHAIN = RevocationCheck

MOMENT = datetime(2025, 12, 1, 12, tzinfo=UTC)
AT = datetime(2027, 1, 1, tzinfo=UTC)
SECOND = timedelta(seconds=1)
BEFORE, AFTER = MOMENT - timedelta(days=30), MOMENT + timedelta(days=30)
END = datetime(2026, 6, 1, tzinfo=UTC)
"""Of the certificates that have expired at AT."""


def utc(time: datetime) -> bytes:
    return forge.utc(f"{time:%y%m%d%H%M%S}Z")


def generalized(time: datetime) -> bytes:
    return forge.generalized(f"{time:%Y%m%d%H%M%S}Z")


def entry(
    date: datetime,
    code: int | None = None,
    *others: tuple[str, bool, bytes],
    invalid: datetime | None = None,
    serial: int = SERIAL,
) -> forge.Revoked:
    """A revoked certificate: since when, the code of the reason, the date from which it was invalid."""
    items = [] if code is None else [("2.5.29.21", False, bytes((10, 1, code)))]
    items += [] if invalid is None else [("2.5.29.24", False, generalized(invalid))]
    items += others
    return (serial, utc(date), forge.plain_extensions(*items)) if items else (serial, utc(date))


def listed(*entries: forge.Revoked, by: str = "root", **options: Any) -> bytes:
    """A list of an authority; the times are given as such."""
    fields: dict[str, Any] = {name: utc(value) if isinstance(value, datetime) else value for name, value in options.items()}
    return revoke(by, *entries, **fields)


def extended(*items: tuple[str, bool, bytes]) -> bytes:
    return forge.plain_extensions(*items)


def scope(*parts: bytes) -> bytes:
    """Issuing Distribution Point."""
    return extended(("2.5.29.28", True, forge.tlv(der.SEQUENCE, *parts)))


def damaged(encoding: bytes) -> bytes:
    return encoding[:-1] + bytes((encoding[-1] ^ 1,))


UNKNOWN = ("1.2.3.4", True, b"\5\0")
DELTA = extended(("2.5.29.20", False, forge.integer(2)), ("2.5.29.27", True, forge.integer(1)))
OF_ANOTHER = ("2.5.29.29", True, forge.tlv(der.SEQUENCE, forge.tlv(0xA4, forge.common_name("other"))))
"""Certificate Issuer."""
ONLY_USERS, INDIRECT, SOME_REASONS = scope(b"\x81\1\xff"), scope(b"\x84\1\xff"), scope(b"\x83\2\1\x60")
CLEAN = listed()


class Case(NamedTuple):
    """Lists, and what follows from them for a signer and for a time-stamping authority."""

    lists: list[bytes]
    signer: str | None
    authority: str | None


def same(*lists: bytes, error: str | None = None) -> Case:
    return Case(list(lists), error, error)


def by_reason(code: int | None, signer: str | None, authority: str | None) -> Case:
    return Case([listed(entry(AFTER, code))], signer, authority)


REASONS = {
    "no reason": by_reason(None, None, REVOKED),
    "unspecified": by_reason(0, None, None),
    "key compromise": by_reason(1, REVOKED, REVOKED),
    "compromise of the authority": by_reason(2, REVOKED, REVOKED),
    "affiliation changed": by_reason(3, None, None),
    "superseded": by_reason(4, None, None),
    "cessation of operation": by_reason(5, None, None),
    "on hold": by_reason(6, REVOKED, REVOKED),
    "reason that there is not": by_reason(7, REVOKED, REVOKED),
    "removed from list": by_reason(8, None, None),
    "privilege withdrawn": by_reason(9, None, REVOKED),
    "compromise of attributes": by_reason(10, REVOKED, REVOKED),
}

DATES = {
    "before": same(listed(entry(BEFORE, 4)), error=REVOKED),
    "before, no reason": same(listed(entry(BEFORE)), error=REVOKED),
    "at the moment": same(listed(entry(MOMENT, 4)), error=REVOKED),
    "a second later": same(listed(entry(MOMENT + SECOND, 4))),
    "compromised later": Case([listed(entry(AFTER, 1, invalid=MOMENT + SECOND))], None, REVOKED),
    "compromised before": same(listed(entry(AFTER, 1, invalid=BEFORE)), error=REVOKED),
    "compromised at the moment": same(listed(entry(AFTER, 1, invalid=MOMENT)), error=REVOKED),
    "compromised, the authority": Case([listed(entry(AFTER, 2, invalid=AFTER))], None, REVOKED),
    "superseded, invalid before": same(listed(entry(AFTER, 4, invalid=BEFORE)), error=REVOKED),
    "no reason, invalid before": same(listed(entry(AFTER, invalid=BEFORE)), error=REVOKED),
    "superseded, invalid later": same(listed(entry(AFTER, 4, invalid=AFTER + SECOND))),
    "before, invalid later": same(listed(entry(BEFORE, 1, invalid=AFTER)), error=REVOKED),
    "on hold, invalid later": same(listed(entry(AFTER, 6, invalid=AFTER)), error=REVOKED),
    "generalized time": same(listed((SERIAL, generalized(AFTER), extended(("2.5.29.21", False, b"\n\1\4"))))),
    "to be revoked": same(listed(entry(AT + SECOND, 4))),
}

ENTRIES = {
    "of another certificate": same(listed(entry(BEFORE, 1, serial=8))),
    "of another sign": same(listed(entry(BEFORE, 1, serial=-SERIAL))),
    "malformed reason": same(listed(entry(AFTER, None, ("2.5.29.21", False, b"0\0"))), error=REVOKED),
    "malformed invalidity date": same(listed(entry(AFTER, 4, ("2.5.29.24", False, b"0\0"))), error=REVOKED),
    "two reasons": same(listed(entry(AFTER, 4, ("2.5.29.21", False, b"\n\1\4"))), error=REVOKED),
    "unknown extension": same(listed(entry(AFTER, 4, ("1.2.3.4", False, b"\5\0")))),
    "unknown critical extension": same(listed(entry(AFTER, 4, UNKNOWN)), CLEAN, error=REVOKED),
    "removed, unknown critical extension": same(listed(entry(AFTER, 8, UNKNOWN)), CLEAN, error=REVOKED),
    "critical reason": same(listed(entry(AFTER, None, ("2.5.29.21", True, b"\n\1\4")))),
    "unknown critical extension elsewhere": same(listed(entry(AFTER, 4, UNKNOWN, serial=8)), error=MISSING),
    "malformed extension elsewhere": same(listed(entry(AFTER, None, ("2.5.29.21", True, b"0\0"), serial=8)), error=MISSING),
    "issuer of another entry": same(listed(entry(AFTER, 4, OF_ANOTHER, serial=8)), error=MISSING),
    "twice, the earlier one behind": same(listed(entry(AFTER, 4), entry(BEFORE, 4)), error=REVOKED),
    "twice, the worse one behind": same(listed(entry(AFTER, 4), entry(AFTER, 1)), error=REVOKED),
}

LISTS = {
    "none": same(error=MISSING),
    "clean": same(CLEAN),
    "without end": same(listed(next_update=None)),
    "numbered": same(listed(extensions=extended(("2.5.29.20", True, forge.integer(5))))),
    "version 1": same(listed(version=None)),
    "issuer in other letters": same(listed(entry(BEFORE, 4), name=" ROOT ") , error=REVOKED),
    "of another authority": same(listed(by="other"), error=MISSING),
    "of another authority, signed by the right one": same(listed(name="other"), error=MISSING),
    "of another key": same(listed(issuer_key="old root"), error=MISSING),
    "of another key, beside a good one": same(listed(entry(BEFORE, 4), issuer_key="old root"), CLEAN),
    "damaged": same(damaged(CLEAN), error=MISSING),
    "damaged, beside a good one": same(damaged(listed(entry(BEFORE, 4))), CLEAN),
    "not decodable": same(listed(version=2), error=MISSING),
    "expired": same(listed(next_update=AT - SECOND), error=MISSING),
    "in its last second": same(listed(next_update=AT)),
    "in its first second": same(listed(this_update=AT)),
    "from the future": same(listed(this_update=AT + SECOND), error=MISSING),
    "from the future, beside a good one": same(listed(entry(BEFORE, 4), this_update=AT + SECOND), CLEAN),
    "expired, beside a good one": same(listed(next_update=AFTER), CLEAN),
    "listed by an old one": same(listed(entry(BEFORE, 4), next_update=AFTER), listed(this_update=AFTER), error=REVOKED),
    "listed by a new one": same(
        listed(next_update=AFTER), listed(entry(AFTER, 1, invalid=BEFORE), this_update=AFTER), error=REVOKED
    ),
    "for users": same(listed(extensions=ONLY_USERS), error=MISSING),
    "for users, beside a good one": same(listed(entry(BEFORE, 4), extensions=ONLY_USERS), CLEAN, error=REVOKED),
    "for some reasons": same(listed(extensions=SOME_REASONS), error=MISSING),
    "for some reasons, beside a good one": same(listed(entry(BEFORE, 4), extensions=SOME_REASONS), CLEAN, error=REVOKED),
    "scope that is not critical": same(
        listed(extensions=extended(("2.5.29.28", False, forge.tlv(der.SEQUENCE, b"\x81\1\xff")))), error=MISSING
    ),
    "indirect": same(listed(extensions=INDIRECT), error=MISSING),
    "indirect, beside a good one": same(listed(entry(BEFORE, 4), extensions=INDIRECT), CLEAN),
    "malformed scope": same(listed(extensions=extended(("2.5.29.28", True, b"\2\1\1"))), error=MISSING),
    "malformed scope, beside a good one": same(
        listed(entry(BEFORE, 4), extensions=extended(("2.5.29.28", True, b"\2\1\1"))), CLEAN, error=REVOKED
    ),
    "unknown extension": same(listed(extensions=extended(("1.2.3.4", False, b"\5\0")))),
    "unknown critical extension": same(listed(extensions=extended(UNKNOWN)), error=MISSING),
    "unknown critical extension, beside a good one": same(
        listed(entry(BEFORE, 4), extensions=extended(UNKNOWN)), CLEAN, error=REVOKED
    ),
    "delta only": same(listed(extensions=DELTA), error=MISSING),
    "delta only, not critical": same(
        listed(extensions=extended(("2.5.29.27", False, forge.integer(1)))), error=MISSING
    ),
    "delta adds": same(CLEAN, listed(entry(BEFORE, 4), extensions=DELTA), error=REVOKED),
    "delta adds something later": same(CLEAN, listed(entry(AFTER, 4), extensions=DELTA)),
    "delta adds and has expired": same(CLEAN, listed(entry(BEFORE, 4), extensions=DELTA, next_update=AFTER), error=REVOKED),
    "delta takes nothing back": same(listed(entry(BEFORE, 4)), listed(entry(AFTER, 8), extensions=DELTA), error=REVOKED),
    "delta of another key": same(CLEAN, listed(entry(BEFORE, 4), extensions=DELTA, issuer_key="other")),
}  # fmt: skip

CASES = {
    f"{kind}: {name}": case
    for kind, cases in (("reason", REASONS), ("date", DATES), ("entry", ENTRIES), ("list", LISTS))
    for name, case in cases.items()
}


def certificate_of(name: str) -> Certificate:
    return loaded([name])[0]


def trusting(anchors: list[str], *lists: bytes, helpers: tuple[str, ...] = (), **options: Any) -> Trust:
    return Trust(loaded(anchors), loaded(helpers), lists_of(*lists), **({"revocation": CHAIN} | options))


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("check", [SIGNER, CHAIN])
def test_signers(name: str, check: RevocationCheck) -> None:
    trust = trusting(["root"], *CASES[name].lists, revocation=check)
    assert validate_past(certificate_of("direct"), trust, moment=MOMENT, at=AT) == CASES[name].signer


@pytest.mark.parametrize("name", CASES)
def test_authorities(name: str) -> None:
    trust = trusting(["root"], *CASES[name].lists)
    assert validate_past(certificate_of("direct"), trust, moment=MOMENT, at=AT, authority=True) == CASES[name].authority


@pytest.mark.parametrize("name", CASES)
def test_the_order_of_lists_is_all_the_same(name: str) -> None:
    trust = trusting(["root"], *reversed(CASES[name].lists))
    assert validate_past(certificate_of("direct"), trust, moment=MOMENT, at=AT) == CASES[name].signer


STRICTER = {
    "entry: removed, unknown critical extension",
    "entry: unknown critical extension",
    "entry: malformed extension elsewhere",
    "entry: issuer of another entry",
    "list: for users",
    "list: scope that is not critical",
    "list: malformed scope",
    "list: malformed scope, beside a good one",
    "list: not decodable",
    "list: unknown critical extension, beside a good one",
    "list: listed by an old one",
    "list: for some reasons, beside a good one",
}
"""Where OpenSSL 3, asked at AT, has nothing against the certificate, and a look back has."""

LAXER = {
    "entry: critical reason",
    "list: numbered",
    "list: of another key, beside a good one",
    "list: damaged, beside a good one",
    "list: in its last second",
}
"""Where it finds fault with the lists it chooses, and a look back finds what it needs."""


@pytest.mark.parametrize("name", [name for name in CASES if "delta" not in name])
def test_openssl_agrees_about_the_present(name: str, tmp_path: Path) -> None:
    """The only error of it that a look back forgives is a revocation."""
    case = CASES[name]
    root, lists = write(tmp_path, "root", forge.pem(certificates()["root"])), write(tmp_path, "lists", list_pem(*case.lists))
    at = ["-attime", str(int(AT.timestamp())), *(["-CRLfile", str(lists)] if case.lists else [])]
    said = openssl_says(tmp_path, "direct", "-crl_check", "-trusted", root, *at)
    if said is None:
        assert (case.signer is not None) == (name in STRICTER)
    elif said != REVOKED:
        assert (case.signer is None) == (name in LAXER)


def write(folder: Path, name: str, content: bytes) -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


# ---------------------------------------------------------------- certificates that have expired since

SHORT = Certificate.from_der(issue("signer", "root", not_after=utc(END)))


@pytest.mark.parametrize(
    ("lists", "error"),
    [
        ([], MISSING),
        ([CLEAN], None),  # from before the moment to long after
        ([listed(this_update=END + SECOND)], MISSING),  # who had expired may have been dropped
        ([listed(this_update=END)], None),
        ([listed(this_update=AFTER, next_update=AFTER + SECOND)], None),
        ([listed(this_update=MOMENT, next_update=MOMENT)], None),
        ([listed(this_update=MOMENT + SECOND, next_update=AFTER)], None),
        ([listed(this_update=BEFORE, next_update=MOMENT)], None),
        ([listed(this_update=BEFORE, next_update=MOMENT - SECOND)], MISSING),
        ([listed(this_update=BEFORE, next_update=AFTER), listed(this_update=END + SECOND)], None),
        ([listed(this_update=BEFORE, next_update=AFTER, extensions=ONLY_USERS)], MISSING),
        ([listed(entry(AFTER), this_update=AFTER)], None),
        ([listed(entry(AFTER), this_update=AFTER), listed(this_update=END + SECOND)], None),
        ([listed(entry(BEFORE), this_update=AFTER), listed(this_update=END + SECOND)], REVOKED),
        ([listed(this_update=BEFORE, next_update=AFTER), listed(entry(BEFORE), this_update=END + SECOND)], REVOKED),
        ([listed(this_update=BEFORE, next_update=AFTER), listed(entry(AFTER, 1), this_update=END + SECOND)], REVOKED),
    ],
)
def test_signers_who_have_expired(lists: list[bytes], error: str | None) -> None:
    assert validate_path(SHORT, trusting(["root"], *lists, revocation=NONE), at=AT) == EXPIRED
    assert validate_past(SHORT, trusting(["root"], *lists), moment=MOMENT, at=AT) == error


def test_the_last_second_of_a_certificate() -> None:
    """Up to it the list has to be current, whatever older ones say."""
    trust = trusting(["root"], listed(this_update=BEFORE, next_update=AFTER))
    assert validate_past(SHORT, trust, moment=MOMENT, at=END) == MISSING
    assert validate_past(SHORT, trust, moment=MOMENT, at=END + SECOND) is None


VALIDITY: dict[str, tuple[dict[str, Any], str | None, str | None]] = {
    "at its beginning": ({"not_before": utc(MOMENT)}, None, None),
    "before its beginning": ({"not_before": utc(MOMENT + SECOND)}, "certificate is not yet valid", None),
    "just before its end": ({"not_after": utc(MOMENT + SECOND)}, None, EXPIRED),
    "behind its end": ({"not_after": utc(MOMENT - SECOND)}, EXPIRED, EXPIRED),
    "until just now": ({"not_after": utc(AT - SECOND)}, None, EXPIRED),
    "still": ({"not_after": utc(AT + SECOND)}, None, None),
    "signed by another": ({"issuer_key": "other"}, "certificate signature failure", "certificate signature failure"),
}


@pytest.mark.parametrize("name", VALIDITY)
@pytest.mark.parametrize("check", [NONE, CHAIN])
def test_the_path(name: str, check: RevocationCheck, tmp_path: Path) -> None:
    """A signer's is that of the moment, an authority's that of the present; both as OpenSSL sees them."""
    options, signer, authority = VALIDITY[name]
    encoding = issue("signer", "root", **options)
    trust = trusting(["root"], CLEAN, revocation=check)
    root, path = write(tmp_path, "root", forge.pem(certificates()["root"])), write(tmp_path, "leaf", forge.pem(encoding))
    for time, expected, is_authority in ((MOMENT, signer, False), (AT, authority, True)):
        found = validate_past(Certificate.from_der(encoding), trust, moment=MOMENT, at=AT, authority=is_authority)
        assert found == expected
        at = str(int(time.timestamp()))
        command = [require_peer("openssl"), "verify", "-no-CAfile", "-no-CApath", "-attime", at, "-trusted", str(root), str(path)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert (f"lookup: {expected}" in done.stderr) if expected else done.returncode == 0


def test_who_has_no_path_is_trusted_at_no_time() -> None:
    no_issuer = "unable to get local issuer certificate"
    for authority in (False, True):
        options: dict[str, Any] = {"moment": MOMENT, "at": AT, "authority": authority}
        assert validate_past(certificate_of("signer"), trusting(["root"], CLEAN), **options) == no_issuer
        assert validate_past(certificate_of("direct"), trusting(["other"], CLEAN), **options) == no_issuer
        assert validate_past(certificate_of("alone"), trusting(["root"], CLEAN), **options) == "self-signed certificate"


def test_now_is_the_default_time() -> None:
    now = datetime.now(UTC)
    short = Certificate.from_der(issue("signer", "root", not_after=utc(now + timedelta(days=2))))
    trust = trusting(["root"], listed(entry(AFTER, 4), next_update=now + timedelta(days=1)))
    for authority in (False, True):
        assert validate_past(short, trust, moment=MOMENT, authority=authority) is None
        late = trusting(["root"], listed(entry(AFTER, 4), next_update=now - timedelta(days=1)))
        assert validate_past(short, late, moment=MOMENT, authority=authority) == MISSING


def test_a_negative_serial_number() -> None:
    leaf = Certificate.from_der(issue("signer", "root", serial=forge.integer(-5)))
    assert leaf.serial == -5
    for revoked, error in (
        (entry(BEFORE, 4, serial=-5), REVOKED),
        (entry(AFTER, 4, serial=-5), None),
        (entry(BEFORE, serial=5), None),
    ):
        assert validate_past(leaf, trusting(["root"], listed(revoked)), moment=MOMENT, at=AT) == error


# ---------------------------------------------------------------- whole chains

OF_MIDDLE = listed(by="middle")


def of_middle(code: int | None, invalid: datetime | None = None, date: datetime = AFTER) -> bytes:
    """A list of the root with the intermediate authority."""
    return listed(entry(date, code, invalid=invalid, serial=3))


CHAINS = {
    "nobody listed": ([OF_MIDDLE, CLEAN], None, None),
    "no list of the root": ([OF_MIDDLE], MISSING, MISSING),
    "no list of the intermediate": ([CLEAN], MISSING, MISSING),
    "list of the root expired": ([OF_MIDDLE, listed(next_update=AFTER)], MISSING, MISSING),
    "signer revoked later": ([listed(entry(AFTER, 4), by="middle"), CLEAN], None, None),
    "signer revoked before": ([listed(entry(BEFORE, 4), by="middle"), CLEAN], REVOKED, REVOKED),
    "superseded": ([OF_MIDDLE, of_middle(4)], None, None),
    "superseded before": ([OF_MIDDLE, of_middle(4, date=BEFORE)], REVOKED, REVOKED),
    "superseded, lists went on": ([listed(by="middle", this_update=AFTER), of_middle(4)], None, None),
    "compromised": ([OF_MIDDLE, of_middle(2)], REVOKED, REVOKED),
    "compromised later": ([OF_MIDDLE, of_middle(2, AFTER)], None, REVOKED),
    "compromised before": ([OF_MIDDLE, of_middle(2, BEFORE)], REVOKED, REVOKED),
    "compromised later, list from then": ([listed(by="middle", this_update=AFTER), of_middle(2, AFTER)], MISSING, REVOKED),
    "compromised later, list from just before": (
        [listed(by="middle", this_update=AFTER - SECOND), of_middle(2, AFTER)], None, REVOKED,
    ),
    "compromised later, revoked by a list from then": (
        [OF_MIDDLE, listed(entry(BEFORE), by="middle", this_update=AFTER), of_middle(2, AFTER)], REVOKED, REVOKED,
    ),
    "no reason": ([OF_MIDDLE, of_middle(None)], None, REVOKED),
    "no reason, list from then": ([listed(by="middle", this_update=AFTER), of_middle(None)], MISSING, REVOKED),
    "superseded and then compromised": (
        [listed(by="middle", this_update=AFTER + SECOND), of_middle(4), of_middle(1, AFTER + SECOND, AFTER + SECOND)],
        MISSING, REVOKED,
    ),
    "compromised, twice": (
        [listed(by="middle", this_update=AFTER), of_middle(1, AFTER), of_middle(1, END, END)], MISSING, REVOKED,
    ),
    "on hold": ([OF_MIDDLE, of_middle(6)], REVOKED, REVOKED),
}  # fmt: skip


@pytest.mark.parametrize("name", CHAINS)
def test_chains(name: str) -> None:
    lists, signer, authority = CHAINS[name]
    trust = trusting(["root"], *lists, helpers=("middle",), revocation=None)
    assert validate_past(certificate_of("signer"), trust, moment=MOMENT, at=AT) == signer
    assert validate_past(certificate_of("signer"), trust, moment=MOMENT, at=AT, authority=True) == authority


@pytest.mark.parametrize(
    ("lists", "check", "error"),
    [
        ([], NONE, None),
        ([listed(entry(BEFORE, 1), by="middle"), CLEAN], NONE, None),
        ([listed(entry(BEFORE, 1), by="middle")], SIGNER, REVOKED),
        ([OF_MIDDLE], SIGNER, None),
        ([OF_MIDDLE, of_middle(2)], SIGNER, None),
        ([CLEAN], SIGNER, MISSING),
        ([OF_MIDDLE], CHAIN, MISSING),
    ],
)
def test_as_far_as_is_asked_for(lists: list[bytes], check: RevocationCheck, error: str | None) -> None:
    trust = trusting(["root"], *lists, helpers=("middle",), revocation=check)
    assert validate_past(certificate_of("signer"), trust, moment=MOMENT, at=AT) == error


@pytest.mark.parametrize("check", [SIGNER, CHAIN])
@pytest.mark.parametrize(
    ("lists", "error"),
    [
        ([], MISSING),
        ([listed(by="alone")], None),
        ([listed(entry(AFTER, 4), by="alone")], None),
        ([listed(entry(BEFORE, 4), by="alone")], REVOKED),
        ([listed(entry(AFTER, 1), by="alone")], REVOKED),
        ([listed(by="alone", next_update=AFTER)], MISSING),
        ([listed(by="other")], MISSING),
    ],
)
def test_self_signed_signers_speak_for_themselves(lists: list[bytes], error: str | None, check: RevocationCheck) -> None:
    trust = trusting(["alone"], *lists, revocation=check)
    assert validate_past(certificate_of("alone"), trust, moment=MOMENT, at=AT) == error


@pytest.mark.parametrize("check", [SIGNER, CHAIN])
def test_other_signers_who_are_anchors_do_not(check: RevocationCheck) -> None:
    """The list of an authority is about those below it, whatever name it puts on it."""
    trust = trusting(["middle"], OF_MIDDLE, CLEAN, listed(issuer_key="middle"), partial_chain=True, revocation=check)
    assert validate_past(certificate_of("middle"), trust, moment=MOMENT, at=AT) == MISSING
    assert validate_past(certificate_of("signer"), trust, moment=MOMENT, at=AT) is None


def test_who_may_not_sign_lists() -> None:
    trust = trusting(["no lists"], listed(by="no lists"))
    assert validate_past(certificate_of("of no lists"), trust, moment=MOMENT, at=AT) == MISSING
    may = issue("no lists", "no lists", rest=forge.extensions(("2.5.29.19", b"0\3\1\1\xff"), ("2.5.29.15", b"\3\2\1\6")))
    allowed = Trust((Certificate.from_der(may),), revocation_lists=trust.revocation_lists)
    assert validate_past(certificate_of("of no lists"), allowed, moment=MOMENT, at=AT) is None


def test_lists_in_directories(tmp_path: Path) -> None:
    write(tmp_path, f"{ROOT}.0", forge.pem(certificates()["root"]))
    write(tmp_path, f"{MIDDLE}.0", forge.pem(certificates()["middle"]))
    write(tmp_path, f"{MIDDLE}.r0", list_pem(listed(entry(AFTER, 4), by="middle")))
    trust = Trust.load(directories=[tmp_path])
    assert validate_past(certificate_of("signer"), trust, moment=MOMENT, at=AT) == MISSING
    write(tmp_path, f"{ROOT}.r0", list_pem(CLEAN))
    assert validate_past(certificate_of("signer"), trust, moment=MOMENT, at=AT) is None
    write(tmp_path, f"{ROOT}.r1", list_pem(of_middle(4, date=BEFORE)))
    assert validate_past(certificate_of("signer"), trust, moment=MOMENT, at=AT) == REVOKED


def test_the_path_that_was_trusted() -> None:
    trust = trusting(["root"], OF_MIDDLE, of_middle(4), helpers=("middle",))
    found = find_past_path(certificate_of("signer"), trust, moment=MOMENT, at=AT)
    assert found.certificates == loaded(["signer", "middle", "root"])
    revoked = trusting(["root"], OF_MIDDLE, of_middle(2), helpers=("middle",))
    assert find_past_path(certificate_of("signer"), revoked, moment=MOMENT, at=AT).certificates == ()


# ---------------------------------------------------------------- paths of time-stamping authorities


@pytest.mark.parametrize("name", CHAINS)
def test_paths_of_authorities(name: str) -> None:
    """Without a moment a revocation counts whatever its date; with one, what `validate_past` says."""
    lists, _, error = CHAINS[name]
    leaf, middle, root = (certificates()[name] for name in ("signer", "middle", "root"))
    trust = Trust(loaded(["root"]), revocation_lists=lists_of(*lists))
    path = (leaf, middle, root)
    now = validate_path(certificate_of("signer"), trusting(["root"], *lists, helpers=("middle",)), at=AT)
    assert TrustedPaths(trust, AT, revocation=True).chain(leaf, [middle]) == (path if now is None else None)
    paths = TrustedPaths(trust, AT, revocation=True, moment=MOMENT)
    assert paths.chain(leaf, [middle]) == (path if error is None else None)
    assert TrustedPaths(trust, AT, moment=MOMENT).chain(leaf, [middle]) == path


def test_a_moment_does_not_replace_the_path() -> None:
    leaf = certificates()["direct"]
    trust = Trust(loaded(["other"]), revocation_lists=lists_of(listed(entry(AFTER, 4))))
    assert TrustedPaths(trust, AT, revocation=True, moment=MOMENT).chain(leaf, []) is None
    assert TrustedPaths(trust, AT, revocation=True, moment=MOMENT).chain(b"no certificate", []) is None
    trust = Trust(loaded(["root"]), revocation_lists=trust.revocation_lists)
    assert TrustedPaths(trust, AT, revocation=True, moment=MOMENT).chain(leaf, []) == (leaf, certificates()["root"])
    assert TrustedPaths(trust, AT, revocation=True, moment=AFTER).chain(leaf, []) is None


def test_a_moment_takes_no_path_away() -> None:
    """What is good in the present needs no look back, which asks for more of the lists."""
    trust = Trust(loaded(["root"]), revocation_lists=lists_of(listed(extensions=ONLY_USERS)))
    path = tuple(certificates()[name] for name in ("direct", "root"))
    assert TrustedPaths(trust, AT, revocation=True, moment=MOMENT).chain(path[0], []) == path


def test_the_time_of_the_check() -> None:
    end = AT + timedelta(days=1)
    trust = Trust(loaded(["root"]), revocation_lists=lists_of(listed(entry(AFTER, 4), this_update=AT, next_update=end)))
    for time, good in ((AT - SECOND, False), (AT, True), (end, True), (end + SECOND, False)):
        found = TrustedPaths(trust, time, revocation=True, moment=MOMENT).chain(certificates()["direct"], [])
        assert (found is not None) is good


# ---------------------------------------------------------------- lists as openssl ca makes them

CONFIGURATION = """
[ca]
default_ca = it
[it]
database = {folder}/index.txt
default_md = sha256
crlnumber = {folder}/number
"""


@pytest.fixture
def openssl_list(tmp_path: Path) -> Callable[[str], RevocationList]:
    """Has openssl make the list of the root with the signer revoked, as its database has it."""

    def make(revoked: str) -> RevocationList:
        private = key("root").private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        write(tmp_path, "index.txt", f"R\t400101000000Z\t{revoked}\t07\tunknown\t/CN=signer\n".encode())
        write(tmp_path, "number", b"01\n")
        files = {
            "-config": write(tmp_path, "ca.cnf", CONFIGURATION.format(folder=tmp_path).encode()),
            "-keyfile": write(tmp_path, "key.pem", private),
            "-cert": write(tmp_path, "root.pem", forge.pem(certificates()["root"])),
            "-out": tmp_path / "list.pem",
        }
        times = ["-crl_lastupdate", "20260601000000Z", "-crl_nextupdate", "20280601000000Z"]
        command = [require_peer("openssl"), "ca", "-gencrl", *times, *(str(word) for pair in files.items() for word in pair)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return Trust.load(revocation_lists=[files["-out"]]).revocation_lists[0]

    return make


@pytest.mark.parametrize(
    ("revoked", "signer", "authority"),
    [
        ("260201000000Z", None, REVOKED),
        ("250201000000Z", REVOKED, REVOKED),
        ("260201000000Z,superseded", None, None),
        ("250201000000Z,superseded", REVOKED, REVOKED),
        ("260201000000Z,keyCompromise", REVOKED, REVOKED),
        ("260201000000Z,keyTime,20260101000000Z", None, REVOKED),
        ("260201000000Z,keyTime,20250101000000Z", REVOKED, REVOKED),
        ("260201000000Z,CAkeyTime,20260101000000Z", None, REVOKED),
        ("260201000000Z,holdInstruction,holdInstructionReject", REVOKED, REVOKED),
    ],
)
def test_lists_of_openssl(
    openssl_list: Callable[[str], RevocationList], revoked: str, signer: str | None, authority: str | None
) -> None:
    trust = Trust(loaded(["root"]), revocation_lists=(openssl_list(revoked),))
    assert validate_path(certificate_of("direct"), trust, at=AT) == REVOKED
    assert validate_past(certificate_of("direct"), trust, moment=MOMENT, at=AT) == signer
    assert validate_past(certificate_of("direct"), trust, moment=MOMENT, at=AT, authority=True) == authority
