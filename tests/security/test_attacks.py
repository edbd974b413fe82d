"""Attacks on signed objects, each with what the verdict and the report say and which policies refuse it (docs/attacks.md)."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Final, NamedTuple

import anyio
import pytest
from dcmsign.codec.errors import Error
from dcmsign.codec.inspection.findings import FindingKind
from dcmsign.codec.inspection.mapping import Part
from dcmsign.stream import Policy, TimestampPolicy, VerificationReport, verify

from tests.interop import dcmtk
from tests.security import attacks as make
from tests.stream.material import element, sequence
from tests.stream.test_timestamp_rules import trust as timestamp_trust

PAGE = Path(__file__).parents[2] / "docs" / "attacks.md"
STRICT: Final = replace(Policy.STRICT, timestamps=TimestampPolicy.VERIFY, revocation=None)
"""Timestamps and revocation lists aside, without which it refuses everything here."""
POLICIES: Final = {"compatible": Policy.COMPATIBLE, "recommended": Policy.RECOMMENDED, "strict": STRICT}
ALL, NONE = "all", ""


class Attack(NamedTuple):
    """What is made of an object, and what has to be said about it.

    `verdict`: OK, corrupted, untrusted, unreadable, unsigned or another word of the first signature that is not OK.
    `refused`: the policies that refuse it. `covered`: the level; `findings`: all there are;
    `reason`: what the levels have to name.
    """

    make: Callable[[], bytes]
    verdict: str
    refused: str
    covered: bool = False
    findings: frozenset[FindingKind] = frozenset()
    reason: str = ""
    stamped: bool = False


ATTACKS: Final[dict[str, Attack]] = {
    # data elements
    "element added": Attack(
        make.edited(make.put(make.COMMENTS, "LT", "ill.")), "OK", "recommended, strict", reason="(0010,4000)"
    ),
    "element added in a signed sequence": Attack(
        make.edited(make.put(make.COMMENTS, "LT", "ill.", make.REFERENCES)), "corrupted", "all"
    ),
    "element added in an unsigned sequence": Attack(
        make.edited(make.put(make.COMMENTS, "LT", "ill.", make.SERIES), make.partly),
        "OK",
        "recommended, strict",
        reason="(0008,1115)",
    ),
    "element removed": Attack(make.edited(make.take(make.NAME)), "corrupted", "all"),
    "element removed in a signed sequence": Attack(make.edited(make.take(0x00081155, make.REFERENCES)), "corrupted", "all"),
    "second element behind the first": Attack(
        make.in_bytes(make.PATIENT, make.PATIENT + make.OTHER_PATIENT),
        "OK",
        "recommended, strict",
        findings=frozenset({FindingKind.DUPLICATE}),
        reason="(0010,0010)",
    ),
    "second element at the end": Attack(
        make.appended(make.OTHER_PATIENT), "OK", "recommended, strict", findings=frozenset({FindingKind.DUPLICATE})
    ),
    "second element in front of the first": Attack(
        make.in_bytes(make.PATIENT, make.OTHER_PATIENT + make.PATIENT),
        "corrupted",
        "all",
        findings=frozenset({FindingKind.DUPLICATE}),
    ),
    "second element in front in an item": Attack(
        make.inside(element(0x00081155, "UI", b"6.6.6.6\0") + make.REFERENCE),
        "corrupted",
        "all",
        findings=frozenset({FindingKind.DUPLICATE}),
    ),
    "second element in an item": Attack(
        make.inside(make.REFERENCE + element(0x00081155, "UI", b"6.6.6.6\0")),
        "OK",
        "recommended, strict",
        findings=frozenset({FindingKind.DUPLICATE}),
        reason="(0008,1155)",
    ),
    "element moved into a signed item": Attack(make.edited(make.moved(make.REFERENCES)), "corrupted", "all"),
    "element moved into an unsigned item": Attack(make.edited(make.moved(make.SERIES), make.partly), "corrupted", "all"),
    "VR changed": Attack(
        make.in_bytes(make.PATIENT, make.PATIENT.replace(b"PN", b"LO")),
        "corrupted",
        "all",
        findings=frozenset({FindingKind.VR_CONTRADICTION}),
    ),
    "UN disguise": Attack(
        make.in_bytes(make.PATIENT, element(make.NAME, "UN", b"Doe^Jane")),
        "unsignable element",
        "all",
        findings=frozenset({FindingKind.DISGUISED_UN}),
    ),
    "UN disguise of an unsigned element": Attack(
        make.in_bytes(make.PATIENT, make.PATIENT + element(make.COMMENTS, "UN", b"ill.")),
        "OK",
        "recommended, strict",
        findings=frozenset({FindingKind.DISGUISED_UN}),
        reason="(0010,4000)",
    ),
    "group below 0008 in an item": Attack(
        make.inside(element(0x00041500, "CS", b"FILE") + make.REFERENCE),
        "OK",
        "strict",
        findings=frozenset({FindingKind.NESTED_GROUP_BELOW_8}),
        reason="(0004,1500)",
    ),
    "Length to End in an item": Attack(
        make.inside(element(0x00080001, "UL", b"\1\0\0\0") + make.REFERENCE), "OK", "strict", reason="(0008,0001)"
    ),
    "group length in an item": Attack(
        make.inside(element(0x00080000, "UL", b"\1\0\0\0") + make.REFERENCE), "OK", "", covered=True
    ),
    "two kinds of pixel data": Attack(
        make.edited(make.put(0x7FE00008, "OF", b"\1\2\3\4")),
        "OK",
        "recommended, strict",
        findings=frozenset({FindingKind.SEVERAL_PIXELS}),
        reason="(7fe0,0008)",
    ),
    # encodings of the same values
    "lengths undefined": Attack(make.edited(make.lengths(True)), "OK", "", covered=True),
    "lengths defined": Attack(make.edited(make.lengths(False)), "OK", "", covered=True),
    "implicit VR": Attack(make.implicit, "OK", "", covered=True),
    "deflated": Attack(make.deflated, "OK", "", covered=True),
    # around the data set
    "trailing data": Attack(make.appended(b"\0\0\0"), "unreadable", "all"),
    "trailing padding": Attack(
        make.appended(element(0xFFFCFFFC, "OB", b"whatever")),
        "OK",
        "",
        covered=True,
        findings=frozenset({FindingKind.TRAILING_PADDING}),
    ),
    "preamble of a program": Attack(
        lambda: make.PROGRAM + make.whole()[128:],
        "OK",
        "recommended, strict",
        covered=True,
        findings=frozenset({FindingKind.PREAMBLE_EXECUTABLE}),
    ),
    "other instance in the meta header": Attack(
        make.in_bytes(b"1.2.3.4\0", b"6.6.6.6\0"),
        "OK",
        "recommended, strict",
        covered=True,
        findings=frozenset({FindingKind.INSTANCE_CONTRADICTION}),
    ),
    "private meta information": Attack(
        make.edited(lambda dataset: dataset.file_meta.add_new(0x00020102, "OB", b"anything")),
        "OK",
        "",
        covered=True,
        findings=frozenset({FindingKind.PRIVATE_META}),
    ),
    # signatures
    "signatures removed": Attack(make.edited(make.unsigned), "unsigned", "recommended, strict"),
    "Digital Signatures Sequence removed": Attack(make.edited(make.take(make.SIGNATURES)), "unsigned", "recommended, strict"),
    "one of two signatures removed": Attack(
        make.edited(lambda dataset: dataset[make.SIGNATURES].value.pop(1), make.twice), "OK", "recommended, strict"
    ),
    "second Digital Signatures Sequence": Attack(
        make.appended(sequence(make.SIGNATURES, element(make.MAC_ID, "US", b"\0\0"))),
        "OK",
        "recommended, strict",
        covered=True,
        findings=frozenset({FindingKind.DUPLICATE}),
    ),
    "copied to another object": Attack(make.copied(make.whole), "corrupted", "all"),
    "copied to another object, identifiers not signed": Attack(make.copied(make.partly), "OK", "recommended, strict"),
    "purpose added": Attack(make.edited(make.purpose), "corrupted", "all"),
    "element added to the signature": Attack(
        make.edited(make.put(make.COMMENTS, "LT", "ill.", make.SIGNATURES)), "corrupted", "all"
    ),
    # MAC parameters
    "algorithm downgraded": Attack(make.in_bytes(b"SHA256", b"SHA1  "), "corrupted", "all"),
    "algorithm unknown": Attack(make.in_bytes(b"SHA256", b"NONE  "), "unsupported mac algorithm", "all"),
    "tag list shortened": Attack(make.edited(make.listing(lambda tags: tags[1:])), "corrupted", "all"),
    "absent element listed": Attack(
        make.edited(make.listing(lambda tags: [*tags[:-1], make.COMMENTS, tags[-1]])), "OK", "", covered=True
    ),
    "list in another order": Attack(make.edited(make.listing(lambda tags: list(reversed(tags)))), "OK", "", covered=True),
    "empty list": Attack(make.edited(make.listing(lambda tags: [])), "bad element list", "all"),
    "MAC IDs swapped": Attack(make.edited(make.swapped_ids, make.twice), "corrupted", "all"),
    "MAC Parameters Sequence removed": Attack(make.edited(make.take(make.MAC_PARAMETERS)), "mac parameters missing", "all"),
    # certificates and signature values
    "certificate with the same name, other key": Attack(make.edited(make.other_key), "corrupted", "all"),
    "signed anew under the same name": Attack(make.signed_anew, "untrusted", "all"),
    "certificate with other names, same key": Attack(make.edited(make.other_name), "untrusted", "all"),
    "certificate type changed": Attack(make.in_bytes(b"X509_1993_SIG ", b"X509_2093_SIG "), "certificate unreadable", "all"),
    "ECDSA: the other s": Attack(make.edited(make.value(make.mirrored)), "OK", "", covered=True),
    "ECDSA: longer DER": Attack(make.edited(make.value(make.long_form)), "corrupted", "all"),
    "ECDSA: bytes behind the value": Attack(
        make.edited(make.value(lambda value: make.der_of(value) + b"\1\2\3\4")), "corrupted", "all"
    ),
    "ECDSA: nothing": Attack(make.edited(make.value(lambda value: b"\x30\6\2\1\0\2\1\0")), "corrupted", "all"),
    "RSA: leading zeros": Attack(make.edited(make.value(lambda value: b"\0\0" + value), make.by_rsa), "corrupted", "all"),
    "RSA: trailing zeros": Attack(make.edited(make.value(lambda value: value + b"\0\0"), make.by_rsa), "corrupted", "all"),
    "RSA: trailing bytes": Attack(make.edited(make.value(lambda value: value + b"\1\2"), make.by_rsa), "corrupted", "all"),
    "RSA: empty value": Attack(make.edited(make.value(lambda value: b""), make.by_rsa), "incomplete", "all"),
    # timestamps
    "timestamp removed": Attack(make.edited(make.without_token, make.stamped), "OK", "strict", covered=True, stamped=True),
    "timestamp of another signature": Attack(make.other_token, "bad timestamp", "all", stamped=True),
}


def reported(attack: Attack, **options: Any) -> VerificationReport:
    """What the library says."""
    if attack.stamped:
        options["at"] = datetime(2026, 11, 22, 14, tzinfo=UTC)
    trust = timestamp_trust() if attack.stamped else dcmtk.trust()
    return anyio.run(partial(verify, attack.make(), trust=trust, require_signature=False, **options))


def word(report: VerificationReport) -> str:
    """The verdict in a word."""
    if not report.signatures:
        return "unsigned"
    bad = next((signature for signature in report.signatures if not signature.ok), None)
    if bad is None:
        return "OK"
    stamp = bad.timestamp is not None and not bad.timestamp.ok
    return "bad timestamp" if stamp else bad.verdict.name.lower().replace("_", " ")


def refusing(attack: Attack) -> str:
    """The policies that refuse it."""
    names = [name for name, policy in POLICIES.items() if not reported(attack, policy=policy).ok]
    return ALL if len(names) == len(POLICIES) else ", ".join(names)


@pytest.mark.parametrize("name", ATTACKS)
def test_attack(name: str) -> None:
    """What the verdict, the levels, the findings and the policies say."""
    attack = ATTACKS[name]
    with dcmtk.quiet():
        if attack.verdict == "unreadable":
            with pytest.raises(Error):
                reported(attack)
            return
        report = reported(attack)
        assert word(report) == attack.verdict
        assert report.ok == (attack.verdict in ("OK", "unsigned"))
        assert bool(report.levels.covered.reached) == attack.covered
        assert attack.reason in report.levels.covered.reason
        assert {finding.kind for finding in report.findings} == attack.findings
        assert refusing(attack) == attack.refused


@pytest.mark.parametrize("name", [name for name, attack in ATTACKS.items() if not attack.stamped])
def test_dcmsign_on_the_attack(name: str, tmp_path: Path) -> None:
    """It accepts what we accept, and nothing else."""
    attack = ATTACKS[name]
    path = tmp_path / "attacked.dcm"
    path.write_bytes(attack.make())
    assert dcmtk.check(path).ok == (attack.verdict == "OK")


@pytest.mark.parametrize("make_it", [make.whole, make.by_rsa])
def test_nothing_is_refused_before_the_attack(make_it: Callable[[], bytes]) -> None:
    """What is refused is so because of the attack."""
    untouched = Attack(make_it, "OK", "")
    report = reported(untouched)
    assert word(report) == "OK"
    assert report.findings == ()
    assert report.levels.covered.reached
    assert refusing(untouched) == ("" if make_it is make.whole else "strict")  # a key of 2048 bits


# ---------------------------------------------------------------- what reports say besides


def only_scope(attack: str) -> Any:
    """The scope of all signatures."""
    scope = reported(ATTACKS[attack]).scope
    assert scope is not None
    return scope


def test_what_was_added_is_unlisted() -> None:
    assert [entry.tag for entry in only_scope("element added").unlisted] == [make.COMMENTS]
    assert [entry.tag for entry in only_scope("second element at the end").unlisted] == [make.NAME]


def test_what_is_listed_and_not_there_is_absent() -> None:
    assert only_scope("absent element listed").absent == (make.COMMENTS,)


def test_what_is_left_out_of_a_sequence_is_not_counted() -> None:
    """A second data element in an item is no part of what is protected: neither by name nor by its bytes."""
    scope = only_scope("second element in an item")
    (left_out,) = scope.left_out
    assert (left_out.tag, left_out.location, left_out.size) == (0x00081155, ((make.REFERENCES, 0),), len(make.REFERENCE))
    before = reported(Attack(make.whole, "OK", "")).scope
    assert before is not None
    assert scope.protected_bytes == before.protected_bytes
    assert not scope.complete


def test_parts_around_the_data_set_are_never_protected() -> None:
    for name, part in (
        ("preamble of a program", Part.PREAMBLE),
        ("private meta information", Part.META),
        ("trailing padding", Part.PADDING),
        ("group length in an item", Part.GROUP_LENGTH),
    ):
        scope = only_scope(name)
        assert part in {entry.part for entry in scope.unprotected}, name
        assert part not in {entry.part for entry in scope.protected}, name


def test_somebody_elses_signature_protects_nothing() -> None:
    """Intact is not enough: what counts for the object is what trusted signatures protect."""
    for name in ("signed anew under the same name", "certificate with other names, same key"):
        report = reported(ATTACKS[name])
        assert [signature.intact for signature in report.signatures] == [True]
        assert report.levels.trusted.reached is False
        assert report.scope is not None
        assert report.scope.protected == ()


def test_a_timestamp_can_be_asked_for() -> None:
    assert reported(ATTACKS["timestamp removed"]).ok
    assert not reported(ATTACKS["timestamp removed"], timestamps=TimestampPolicy.REQUIRE).ok
    assert reported(ATTACKS["timestamp removed"]).levels.timestamped.reached is None
    assert reported(ATTACKS["timestamp of another signature"]).levels.timestamped.reached is False


# ---------------------------------------------------------------- the page


def test_the_page_says_the_same() -> None:
    """docs/attacks.md: a row for each attack, with its verdict, the policies that refuse it, its findings, and its test."""
    rows = re.findall(
        r"^\| ([^|]+) \| ([^|]+) \| ([^|]+) \| ([^|]+) \| `test_attack\[([^|]+)\]` \|$", PAGE.read_text(), re.MULTILINE
    )
    assert [row[0] for row in rows] == [row[4] for row in rows] == list(ATTACKS)
    for name, verdict, report, refused, _ in rows:
        attack = ATTACKS[name]
        assert verdict == attack.verdict, name
        assert refused == (attack.refused or "none"), name
        assert set(re.findall(r"`([A-Z_0-9]+)`", report)) == {kind.name for kind in attack.findings}, name
        assert attack.reason in report.lower(), name
