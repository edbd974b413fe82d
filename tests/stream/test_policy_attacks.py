"""What somebody would try who wants an object to be accepted with something in it that nothing protects."""

from __future__ import annotations

import io
import struct
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from dcmsign.codec.dicom.parser import Parser
from dcmsign.codec.errors import BadPolicyFile
from dcmsign.codec.inspection.findings import FindingKind, Severity
from dcmsign.codec.inspection.inspector import Inspector
from dcmsign.stream import KeySigner, Policy, Profile, Strength, Trust, scopes, sign, verify
from dcmsign.stream.policies import tag_pattern

from tests.stream.material import MAC_VECTORS, element, meta, noon, sequence, signed_vector

pytestmark = pytest.mark.anyio

FREE = Policy.COMPATIBLE
ALL = replace(FREE, coverage=("all",))
IDENTIFIERS = element(0x00080016, "UI", b"1.2.840.10008.5.1.4.1.1.7\0") + element(0x00080018, "UI", b"2.25.42\0")
NAME = element(0x00100010, "PN", b"Doe^Jane")
ITEM = b"\xfe\xff\x00\xe0"


async def signed(data: bytes, signer: KeySigner, **options: Any) -> bytes:
    target = io.BytesIO()
    await sign(data, target, signer=signer, clock=noon, **options)
    return target.getvalue()


async def rules(data: bytes, policy: Policy, trust: Trust, **options: Any) -> list[str]:
    report = await verify(data, policy=policy, trust=trust, **options)
    assert report.policy is not None
    return [violation.rule for violation in report.policy.violations]


def undefined(tag: int, *items: bytes) -> bytes:
    """A sequence of undefined length."""
    head = struct.pack("<HH", tag >> 16, tag & 0xFFFF) + b"SQ\0\0\xff\xff\xff\xff"
    return head + b"".join(ITEM + struct.pack("<I", len(item)) + item for item in items) + b"\xfe\xff\xdd\xe0\0\0\0\0"


def _tag(part: bytes) -> bytes:
    return part[1::-1] + part[3:1:-1]


# ---------------------------------------------------------------------- what is inside of sequences


@pytest.mark.parametrize(
    "inside",
    [
        element(0xFFFCFFFC, "OB", b"hide"),
        element(0xFFFAFFFA, "OB", b"hide"),
        element(0x4FFE0001, "OB", b"hide"),
        element(0x00040010, "LO", b"hide"),
        element(0x00080001, "UL", b"hide"),
        undefined(0xFFFA0001, element(0x00100010, "PN", b"hide")),
    ],
    ids=["padding", "signatures that are none", "MAC parameters that are none", "group 0004", "length to end", "group FFFA"],
)
@pytest.mark.parametrize("way", [sequence, undefined])
async def test_things_in_items_that_no_digest_holds(way: Any, inside: bytes, signer: KeySigner, trust: Trust) -> None:
    parts: list[bytes] = [element(0x00100020, "LO", b"one "), inside]
    parts.sort(key=_tag)
    content = b"".join(parts)
    data = await signed(meta() + IDENTIFIERS + way(0x00081140, content) + NAME, signer)
    assert b"hide" in data
    report = await verify(data, policy=ALL, trust=trust)
    assert report.signatures[0].ok
    assert report.scope is not None
    assert not report.scope.complete
    assert report.levels.covered.reached is False
    assert await rules(data, ALL, trust) == ["coverage"]
    changed = await verify(data.replace(b"hide", b"seek"), trust=trust)
    assert changed.signatures[0].ok  # nothing else would have told


async def test_a_signed_item_does_not_protect_what_is_around_it(signer: KeySigner, trust: Trust) -> None:
    report = await verify(signed_vector("item-signature").read_bytes(), trust=trust, policy=ALL)
    assert report.signatures[0].ok
    assert report.policy is not None
    assert "ReferencedImageSequence" in report.policy.violations[0].reason


def inspected(data: bytes, **options: Any) -> list[tuple[FindingKind, str | None]]:
    parser, inspector = Parser(plain_items=True), Inspector(**options)
    parser.feed(data)
    parser.close()
    for event in parser.events():
        inspector.feed(event)
    return [(finding.kind, finding.element) for finding in inspector.finish().findings]


@pytest.mark.parametrize("value", [b"hide", b"hidden"])
@pytest.mark.parametrize("nested", [False, True])
def test_text_in_a_group_length(value: bytes, nested: bool) -> None:
    length = element(0x00100000, "LO", value)
    body = sequence(0x00081140, length) if nested else length
    path = "(0008,1140)[0].(0010,0000)" if nested else "(0010,0000)"
    assert (FindingKind.WRONG_GROUP_LENGTH, path) in inspected(meta() + IDENTIFIERS + body)


# ---------------------------------------------------------------------- bytes of headers


async def test_reserved_bytes(signer: KeySigner, trust: Trust) -> None:
    data = await signed(
        meta() + IDENTIFIERS + undefined(0x00081140, NAME) + NAME + element(0x60003000, "OW", b"overlay!"), signer
    )
    for head, path in ((b"\x08\0\x40\x11SQ", "(0008,1140)"), (b"\x00\x60\x00\x30OW", "(6000,3000)")):
        changed = data.replace(head + b"\0\0", head + b"hi")
        assert changed != data
        report = await verify(changed, trust=trust)
        assert report.signatures[0].ok  # digests hold zeros
        assert [(found.kind, found.element) for found in report.findings] == [(FindingKind.NONSTANDARD_VR, path)]
        assert await rules(changed, replace(FREE, findings=Severity.WARNING), trust) == ["findings"]


def test_length_of_the_delimiter_of_fragments() -> None:
    pixels = b"\xe0\x7f\x10\0OB\0\0\xff\xff\xff\xff" + ITEM + bytes(4) + b"\xfe\xff\xdd\xe0hide"
    found = inspected(meta(b"1.2.840.10008.1.2.4.50") + IDENTIFIERS + pixels)
    assert [kind for kind, _ in found] == [FindingKind.NONSTANDARD_VR]


# ---------------------------------------------------------------------- contradictions, order, many parts


def test_an_identifier_too_long_to_be_compared() -> None:
    instance = element(0x00080018, "UI", b"2.25.42".ljust(65_000, b"\0"))
    head = bytes(128) + b"DICM" + element(0x00020003, "UI", b"2.25.43\0") + element(0x00020010, "UI", b"1.2.840.10008.1.2.1\0")
    kinds = [kind for kind, _ in inspected(head + instance)]
    assert FindingKind.INSTANCE_CONTRADICTION in kinds


def test_a_duplicate_behind_more_parts_than_are_kept() -> None:
    body = IDENTIFIERS + b"".join(element(0x00190010 + number, "LO", b"A ") for number in range(100))
    found = inspected(meta() + body + element(0x00190050, "LO", b"B "), limit=50)
    assert found == [(FindingKind.DUPLICATE, "(0019,0050)")]
    assert FindingKind.DUPLICATE.severity is Severity.CRITICAL


async def test_scopes_of_thousands_of_signatures_are_bounded(
    signer: KeySigner, trust: Trust, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = await signed(meta() + IDENTIFIERS + NAME, signer)
    for _ in range(3):
        data = await signed(data, signer)
    report = await verify(data, trust=trust)
    assert report.map is not None
    monkeypatch.setattr(scopes, "_MOST", 2 * len(report.map.entries))
    again = await verify(data, trust=trust)
    assert [found.scope is not None for found in again.signatures] == [True, True, False, False]
    assert again.scope == report.scope


# ---------------------------------------------------------------------- profiles


async def test_a_signature_that_does_not_count_fulfils_no_profile(signer: KeySigner, trust: Trust) -> None:
    data = await signed(meta() + IDENTIFIERS + NAME, signer, mac_algorithm="SHA1")
    policy = replace(FREE, every=False, profile=Profile.BASE_RSA)
    assert await rules(data, policy, trust) == []
    only = replace(policy, accept=Strength(frozenset({"SHA256"})))
    other = KeySigner.load(MAC_VECTORS / "key-dsa.pem", MAC_VECTORS / "cert-dsa.pem")
    both = await signed(data, other, mac_algorithm="SHA256")  # counts, and is no RSA signature
    assert await rules(both, policy, trust) == []
    assert await rules(both, only, trust) == ["profile"]


async def test_two_profiles_are_both_asked_for(signer: KeySigner, trust: Trust) -> None:
    data = await signed(meta() + IDENTIFIERS + NAME, signer)
    report = await verify(data, trust=trust, policy=replace(FREE, profile=Profile.CREATOR_RSA), require_profile=Profile.BASE_RSA)
    assert report.missing_profile is None
    assert report.policy is not None
    assert [violation.rule for violation in report.policy.violations] == ["profile"]
    report = await verify(data, trust=trust, policy=replace(FREE, profile=Profile.BASE_RSA), require_profile=Profile.CREATOR_RSA)
    assert report.missing_profile is Profile.CREATOR_RSA
    assert report.policy is not None
    assert report.policy.fulfilled


# ---------------------------------------------------------------------- words and files


@pytest.mark.parametrize("tag", [0x60003000, 0x60023000, 0x601E3000])
@pytest.mark.parametrize("word", ["OverlayData", "60xx3000", "pixels"])
async def test_a_word_means_every_overlay(word: str, tag: int, signer: KeySigner, trust: Trust) -> None:
    data = await signed(meta() + IDENTIFIERS + NAME + element(tag, "OW", b"overlay!"), signer, tags=[0x00080018])
    assert await rules(data, replace(FREE, coverage=(word,)), trust) == ["coverage"]


def test_other_keywords_mean_one_tag() -> None:
    assert tag_pattern("PixelData") == (0xFFFFFFFF, 0x7FE00010)


@pytest.mark.parametrize(
    "text",
    [
        "base = ['strict']",
        "[accept]\npurposes = [[1]]",
        "[accept]\npurposes = [5.0]",
        "a = " + "[" * 100_000,
        "# " + "x" * (1 << 20),
        "a = '\xff'",
    ],
    ids=["base", "list of lists", "float", "deep", "long", "text"],
)
def test_hostile_files(text: str, tmp_path: Path) -> None:
    path = tmp_path / "policy.toml"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(BadPolicyFile):
        Policy.load(path)


def test_a_file_without_end() -> None:
    with pytest.raises(BadPolicyFile, match="longer than 1 MiB"):
        Policy.load("/dev/zero")
