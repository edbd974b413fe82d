"""Transfer syntaxes, purposes, MAC algorithms, tag texts."""

from __future__ import annotations

import hashlib
import subprocess

import pytest
from dcmsign.codec.dicom import syntaxes, tags
from dcmsign.codec.signature import algorithms
from dcmsign.codec.signature.purposes import CODING_SCHEME, PURPOSES

from tests.peers import require_peer


def test_transfer_syntaxes() -> None:
    by_kind = {
        "encapsulated": [s for s in syntaxes.SYNTAXES.values() if s.encapsulated],
        "deflated": [s for s in syntaxes.SYNTAXES.values() if s.deflated],
        "implicit": [s for s in syntaxes.SYNTAXES.values() if not s.explicit],
        "big endian": [s for s in syntaxes.SYNTAXES.values() if not s.little_endian],
        "big endian pixels": [s for s in syntaxes.SYNTAXES.values() if s.big_endian_pixels],
    }
    assert {kind: len(found) for kind, found in by_kind.items()} == {
        "encapsulated": 49,
        "deflated": 3,
        "implicit": 2,
        "big endian": 1,
        "big endian pixels": 1,
    }
    assert all(syntax.uid == uid for uid, syntax in syntaxes.SYNTAXES.items())
    assert len({syntax.name for syntax in syntaxes.SYNTAXES.values()}) == len(syntaxes.SYNTAXES) == 58
    assert syntaxes.SYNTAXES["1.2.840.10008.1.2.4.58"].name == "JPEG Lossless, Non-hierarchical, Process 15"


def test_transfer_syntaxes_are_those_of_pydicom() -> None:
    from pydicom.uid import AllTransferSyntaxes

    for uid in AllTransferSyntaxes:
        syntax = syntaxes.SYNTAXES.get(uid)
        if uid.startswith("1.2.840.10008.1.2.7"):  # SMPTE ST 2110: real-time video, never in files
            assert syntax is None
            continue
        assert syntax is not None, uid
        assert syntax.explicit is not uid.is_implicit_VR
        assert syntax.little_endian is uid.is_little_endian
        assert syntax.encapsulated is (uid.is_encapsulated and "JPIP" not in uid.name)


def test_purposes() -> None:
    assert CODING_SCHEME == "ASTM-sigpurpose"
    assert [code for code, _ in PURPOSES] == list(range(1, 19))
    assert all(meaning.endswith("Signature") for _, meaning in PURPOSES)


def test_purposes_are_those_of_dcmsign() -> None:
    command = [require_peer("dcmsign"), "--list-purposes"]
    listing = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    for _, meaning in PURPOSES:
        assert meaning in listing


@pytest.mark.parametrize("name", ["SHA1", "MD5", "SHA256", "SHA384", "SHA512"])
def test_digests(name: str) -> None:
    digest = algorithms.new_digest(name)
    digest.update(b"ab")
    branch = digest.copy()
    digest.update(memoryview(b"c"))
    expected = hashlib.new(algorithms.MAC_ALGORITHMS[name].hashlib_name, b"abc").digest()
    assert digest.digest() == expected
    assert branch.digest() != expected
    assert len(expected) == algorithms.MAC_ALGORITHMS[name].digest_size


@pytest.mark.parametrize("name", algorithms.MAC_ALGORITHMS)
def test_object_identifiers(name: str) -> None:
    algorithm = algorithms.MAC_ALGORITHMS[name]
    command = [require_peer("openssl"), "asn1parse", "-genstr", f"OID:{algorithm.oid}"]
    listing = subprocess.run(command, capture_output=True, check=True, text=True).stdout
    assert listing.strip().endswith(f":{algorithm.hashlib_name}")


def test_tag_texts() -> None:
    assert tags.text(tags.DIGITAL_SIGNATURES_SEQUENCE) == "(fffa,fffa)"
    assert tags.is_private(0x00090010)
    assert not tags.is_private(tags.PIXEL_DATA)
    assert tags.is_group_length(0x00090000)
    assert not tags.is_group_length(tags.LENGTH_TO_END)


def test_names_of_tags_are_keywords() -> None:
    from dcmsign.codec.dicom.dictionary import BUILT_IN

    for name, tag in vars(tags).items():
        if isinstance(tag, int):
            keyword = BUILT_IN.keyword_of(tag).removeprefix("RETIRED_").upper()
            assert keyword.startswith(name.replace("FILE_META", "FILE_META_INFORMATION").replace("_", "")), name
