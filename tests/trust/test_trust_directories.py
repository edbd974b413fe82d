"""Directories of certificates and lists, against dcmsign, ``openssl rehash`` and OpenSSL's own lookup."""

from __future__ import annotations

import os
import shutil
import subprocess
from base64 import b64decode
from pathlib import Path

import pytest
from dcmsign.codec.errors import BadCertificateFile
from dcmsign.stream.trust import der, directories, names
from dcmsign.stream.trust.anchors import Trust
from dcmsign.stream.trust.certificates import Certificate, Encoding
from dcmsign.stream.trust.directories import CertificateDirectory
from dcmsign.stream.trust.paths import validate_path
from dcmsign.stream.trust.revocation import RevocationCheck
from hypothesis import given
from hypothesis import strategies as st
from OpenSSL import crypto

from tests.peers import require_peer
from tests.trust import forge
from tests.trust.authorities import (
    LATER,
    MIDDLE,
    PAST,
    ROOT,
    SERIAL,
    certificates,
    dcmsign_says,
    hash_of,
    issue,
    list_pem,
    loaded,
    revoke,
)

LOCAL, MISSING, REVOKED = "unable to get local issuer certificate", "unable to get certificate CRL", "certificate revoked"
NONE, SIGNER, CHAIN = RevocationCheck


SIGNERS = hash_of("signer")
CERTIFICATE = {name: forge.pem(encoding) for name, encoding in certificates().items()}
MIDDLE_LIST, MIDDLE_REVOKES = list_pem(revoke("middle")), list_pem(revoke("middle", SERIAL))
MIDDLE_EXPIRED = list_pem(revoke("middle", next_update=PAST))
BROKEN = forge.pem(b"0\0")
Files = dict[str, bytes]

CHAINS: dict[str, tuple[str, list[str], list[str], Files, str | None]] = {
    "root": ("signer", [], ["middle"], {f"{ROOT}.0": CERTIFICATE["root"]}, None),
    "root and intermediate": ("signer", [], [], {f"{ROOT}.0": CERTIFICATE["root"], f"{MIDDLE}.0": CERTIFICATE["middle"]}, None),
    "root for a trusted intermediate": ("signer", ["middle"], [], {f"{ROOT}.0": CERTIFICATE["root"]}, None),
    "intermediate": ("signer", ["root"], [], {f"{MIDDLE}.0": CERTIFICATE["middle"]}, None),
    "intermediate only": ("signer", [], [], {f"{MIDDLE}.0": CERTIFICATE["middle"]}, "unable to get issuer certificate"),
    "signer only": ("signer", [], [], {f"{SIGNERS}.0": CERTIFICATE["signer"]}, LOCAL),
    "self-signed": ("alone", [], [], {f"{hash_of('alone')}.0": CERTIFICATE["alone"]}, None),
    "nothing": ("signer", [], ["middle"], {}, LOCAL),
    "first number missing": ("signer", [], ["middle"], {f"{ROOT}.1": CERTIFICATE["root"]}, LOCAL),
    "second after another": ("signer", [], [], {
        f"{MIDDLE}.0": CERTIFICATE["other"], f"{MIDDLE}.1": CERTIFICATE["middle"], f"{ROOT}.0": CERTIFICATE["root"]}, None),
    "third after a gap": ("signer", [], [], {
        f"{MIDDLE}.0": CERTIFICATE["other"], f"{MIDDLE}.2": CERTIFICATE["middle"], f"{ROOT}.0": CERTIFICATE["root"]}, LOCAL),
    "second after a broken one": ("signer", [], ["middle"], {f"{ROOT}.0": b"x", f"{ROOT}.1": CERTIFICATE["root"]}, LOCAL),
    "broken": ("signer", [], ["middle"], {f"{ROOT}.0": BROKEN}, LOCAL),
    "under another name": ("signer", [], ["middle"], {f"{MIDDLE}.0": CERTIFICATE["root"]}, LOCAL),
    "under no hash": ("signer", [], ["middle"], {"root.pem": CERTIFICATE["root"], f"{ROOT}.pem": CERTIFICATE["root"]}, LOCAL),
    "as a list": ("signer", [], ["middle"], {f"{ROOT}.r0": CERTIFICATE["root"]}, LOCAL),
    "wrong key": ("signer", [], ["middle"], {f"{ROOT}.0": CERTIFICATE["old root"]}, "certificate signature failure"),
}  # fmt: skip

LISTS: dict[str, tuple[Files, str | None]] = {
    "listed": ({f"{MIDDLE}.r0": MIDDLE_REVOKES}, REVOKED),
    "not listed": ({f"{MIDDLE}.r0": MIDDLE_LIST}, None),
    "nothing": ({}, MISSING),
    "first number missing": ({f"{MIDDLE}.r1": MIDDLE_LIST}, MISSING),
    "expired": ({f"{MIDDLE}.r0": MIDDLE_EXPIRED}, "CRL has expired"),
    "expired and current": ({f"{MIDDLE}.r0": MIDDLE_EXPIRED, f"{MIDDLE}.r1": MIDDLE_REVOKES}, REVOKED),
    "current and expired": ({f"{MIDDLE}.r0": MIDDLE_LIST, f"{MIDDLE}.r1": MIDDLE_EXPIRED}, None),
    "newer after a gap": ({f"{MIDDLE}.r0": MIDDLE_LIST, f"{MIDDLE}.r2": MIDDLE_REVOKES}, None),
    "broken": ({f"{MIDDLE}.r0": list_pem(b"0\0")}, MISSING),
    "after a broken one": ({f"{MIDDLE}.r0": b"x", f"{MIDDLE}.r1": MIDDLE_LIST}, MISSING),
    "as a certificate": ({f"{MIDDLE}.0": MIDDLE_LIST}, MISSING),
    "of the root": ({f"{ROOT}.r0": list_pem(revoke("root"))}, MISSING),
}

SEVERAL_IN_A_FILE: dict[str, tuple[Files, str | None]] = {
    "whole chain": ({f"{MIDDLE}.0": CERTIFICATE["middle"] + CERTIFICATE["root"], f"{MIDDLE}.r0": MIDDLE_LIST}, None),
    "lists of several": ({f"{ROOT}.0": CERTIFICATE["root"], f"{MIDDLE}.r0": list_pem(revoke("root")) + MIDDLE_REVOKES}, REVOKED),
    "certificates": ({f"{ROOT}.0": CERTIFICATE["other"] + CERTIFICATE["root"], f"{MIDDLE}.r0": MIDDLE_LIST}, None),
    "lists": ({f"{ROOT}.0": CERTIFICATE["root"], f"{MIDDLE}.r0": MIDDLE_EXPIRED + MIDDLE_REVOKES}, REVOKED),
    "list behind a certificate": ({f"{ROOT}.0": CERTIFICATE["root"] + MIDDLE_LIST}, MISSING),
    "certificate behind a list": ({f"{MIDDLE}.r0": MIDDLE_LIST + CERTIFICATE["root"]}, LOCAL),
}


def fill(folder: Path, files: Files, encoding: Encoding = Encoding.PEM) -> str:
    folder.mkdir()
    for name, content in files.items():
        if encoding is Encoding.DER and content.startswith(b"-----"):
            content = b64decode(content.split(b"-----")[2])
        (folder / name).write_bytes(content)
    return str(folder)


def stored_options(tmp_path: Path, encoding: Encoding, trusted: list[str], untrusted: list[str]) -> list[str | Path]:
    options: list[str | Path] = ["-der" if encoding is Encoding.DER else "-pem"]
    for option, given_names in (("+cf", trusted), ("+uf", untrusted)):
        for name in given_names:
            path = tmp_path / f"{option} {name}"
            path.write_bytes(certificates()[name] if encoding is Encoding.DER else CERTIFICATE[name])
            options += [option, path]
    return options


@pytest.mark.parametrize("encoding", Encoding)
@pytest.mark.parametrize("name", CHAINS)
def test_certificates(name: str, encoding: Encoding, tmp_path: Path) -> None:
    signer, trusted, untrusted, files, error = CHAINS[name]
    folder = fill(tmp_path / "folder", files, encoding)
    trust = Trust(loaded(trusted), loaded(untrusted)) + Trust.load(directories=[folder], encoding=encoding)
    assert validate_path(loaded([signer])[0], trust) == error
    options = stored_options(tmp_path, encoding, trusted, untrusted)
    assert dcmsign_says(tmp_path, signer, *options, "+cd", folder) == error


@pytest.mark.parametrize("encoding", Encoding)
@pytest.mark.parametrize("name", LISTS)
def test_lists(name: str, encoding: Encoding, tmp_path: Path) -> None:
    files, error = LISTS[name]
    folder = fill(tmp_path / "folder", files, encoding)
    trust = Trust(loaded(["root"]), loaded(["middle"]), directories=(CertificateDirectory(folder, encoding),))
    assert validate_path(loaded(["signer"])[0], trust + Trust(revocation=SIGNER)) == error
    assert validate_path(loaded(["signer"])[0], trust) is None
    options = stored_options(tmp_path, encoding, ["root"], ["middle"])
    assert dcmsign_says(tmp_path, "signer", *options, "+cl", "+cd", folder) == error
    assert dcmsign_says(tmp_path, "signer", *options, "+cd", folder) is None


@pytest.mark.parametrize("name", SEVERAL_IN_A_FILE)
def test_files_with_several(name: str, tmp_path: Path) -> None:
    files, error = SEVERAL_IN_A_FILE[name]
    folder = fill(tmp_path / "folder", files)
    trust = Trust(untrusted=loaded(["middle"]), directories=(CertificateDirectory(folder),), revocation=SIGNER)
    assert validate_path(loaded(["signer"])[0], trust) == error
    options = stored_options(tmp_path, Encoding.PEM, [], ["middle"])
    assert dcmsign_says(tmp_path, "signer", *options, "+cl", "+cd", folder) == error


def openssl_lookup(signer: str, trusted: list[str], untrusted: list[str], folder: str, flags: int) -> str | None:
    """What the bundled OpenSSL finds with its own lookup in directories (PEM only)."""
    store = crypto.X509Store()
    for certificate in trusted:
        store.add_cert(crypto.load_certificate(crypto.FILETYPE_ASN1, certificates()[certificate]))
    store.load_locations(None, folder)
    store.set_flags(flags)
    links = [crypto.load_certificate(crypto.FILETYPE_ASN1, certificates()[certificate]) for certificate in untrusted]
    leaf = crypto.load_certificate(crypto.FILETYPE_ASN1, certificates()[signer])
    try:
        crypto.X509StoreContext(store, leaf, links).verify_certificate()
    except crypto.X509StoreContextError as error:
        return str(error)
    return None


# later versions of OpenSSL go on behind a file that cannot be read, and take what they find there for any name
OTHER_IN_LATER_VERSIONS = {"second after a broken one", "after a broken one", "under another name"}


@pytest.mark.parametrize("name", [name for name in CHAINS if name not in OTHER_IN_LATER_VERSIONS])
def test_certificates_as_openssl_finds_them(name: str, tmp_path: Path) -> None:
    signer, trusted, untrusted, files, error = CHAINS[name]
    folder = fill(tmp_path / "folder", files)
    theirs = openssl_lookup(signer, trusted, untrusted, folder, 0)
    trust = Trust(loaded(trusted), loaded(untrusted), directories=(CertificateDirectory(folder),))
    assert validate_path(loaded([signer])[0], trust) == theirs
    assert theirs == error


@pytest.mark.parametrize("name", [name for name in LISTS if name not in OTHER_IN_LATER_VERSIONS])
def test_lists_as_openssl_finds_them(name: str, tmp_path: Path) -> None:
    files, error = LISTS[name]
    folder = fill(tmp_path / "folder", files)
    assert openssl_lookup("signer", ["root"], ["middle"], folder, crypto.X509StoreFlags.CRL_CHECK) == error


def test_made_by_openssl(tmp_path: Path) -> None:
    """``openssl rehash`` gives the files their names; three authorities of one name, of which one has issued the signer."""
    files = {f"{name}.pem": CERTIFICATE[name] for name in ("root", "old root", "middle", "alone")}
    folder = fill(tmp_path / "folder", files | {"middle.crl": MIDDLE_LIST, "root.crl": list_pem(revoke("root"))})
    subprocess.run([require_peer("openssl"), "rehash", folder], check=True, capture_output=True)
    assert {f"{ROOT}.0", f"{ROOT}.1", f"{MIDDLE}.0", f"{MIDDLE}.r0", f"{ROOT}.r0"} <= set(os.listdir(folder))
    trust = Trust.load(directories=[folder])
    assert trust.revocation is CHAIN
    theirs = dcmsign_says(tmp_path, "signer", "+cl", "+cd", folder)
    assert validate_path(loaded(["signer"])[0], trust) == theirs
    assert validate_path(loaded(["alone"])[0], trust) == MISSING
    assert dcmsign_says(tmp_path, "alone", "+cl", "+cd", folder) == MISSING


def test_several_directories(tmp_path: Path) -> None:
    one = fill(tmp_path / "one", {f"{ROOT}.0": CERTIFICATE["root"]})
    other = fill(tmp_path / "other", {f"{MIDDLE}.0": CERTIFICATE["middle"], f"{MIDDLE}.r0": MIDDLE_REVOKES})
    for order in ([one, other], [other, one]):
        assert validate_path(loaded(["signer"])[0], Trust.load(directories=order)) == REVOKED
        assert validate_path(loaded(["signer"])[0], Trust.load(directories=order, revocation=NONE)) is None
        single = [option for folder in order for option in ("+cd", folder)]
        assert dcmsign_says(tmp_path, "signer", "+cl", *single) == REVOKED
        assert dcmsign_says(tmp_path, "signer", "+cd", ":".join(order)) is None


def test_the_newest_list_of_all_directories_counts(tmp_path: Path) -> None:
    """dcmsign stops at the first directory that has a list, even one that has expired or has been replaced."""
    one = fill(tmp_path / "one", {f"{MIDDLE}.r0": MIDDLE_LIST})
    other = fill(tmp_path / "other", {f"{MIDDLE}.r0": list_pem(revoke("middle", SERIAL, this_update=LATER))})
    trust = Trust(loaded(["root"]), loaded(["middle"]), revocation=SIGNER)
    for order in ([one, other], [other, one]):
        assert validate_path(loaded(["signer"])[0], trust + Trust.load(directories=order, revocation=SIGNER)) == REVOKED


def test_whole_chain(tmp_path: Path) -> None:
    files = {f"{ROOT}.0": CERTIFICATE["root"], f"{MIDDLE}.0": CERTIFICATE["middle"], f"{MIDDLE}.r0": MIDDLE_LIST}
    folder = fill(tmp_path / "folder", files)
    trust = Trust.load(directories=[folder])
    assert validate_path(loaded(["signer"])[0], trust) == MISSING
    (tmp_path / "folder" / f"{ROOT}.r0").write_bytes(list_pem(revoke("root")))
    assert validate_path(loaded(["signer"])[0], trust) is None
    (tmp_path / "folder" / f"{ROOT}.r0").write_bytes(list_pem(revoke("root", 3)))  # files are read at every check
    assert validate_path(loaded(["signer"])[0], trust) == REVOKED


def test_partial_chain(tmp_path: Path) -> None:
    folder = fill(tmp_path / "folder", {f"{SIGNERS}.0": CERTIFICATE["signer"]})
    assert validate_path(loaded(["signer"])[0], Trust.load(directories=[folder], partial_chain=True)) is None
    assert openssl_lookup("signer", [], [], folder, crypto.X509StoreFlags.PARTIAL_CHAIN) is None


def test_load(tmp_path: Path) -> None:
    """The library notices a directory that is not there, and lists in one that is."""
    plain = fill(tmp_path / "plain", {f"{ROOT}.0": CERTIFICATE["root"], "x.r0": b"", f"{ROOT}.r0x": b"", f"{ROOT}.0r": b""})
    lists = fill(tmp_path / "lists", {f"{ROOT}.r0": b""})
    assert Trust.load(directories=[plain]).revocation_check is NONE
    assert Trust.load(directories=[plain, lists]).revocation_check is CHAIN
    assert Trust.load(directories=[lists], revocation=SIGNER).revocation_check is SIGNER
    assert Trust.load(directories=[plain]).directories == (CertificateDirectory(plain),)
    for wrong in (tmp_path / "missing", tmp_path / "plain" / f"{ROOT}.0", "", "a\0b"):
        with pytest.raises(BadCertificateFile) as caught:
            Trust.load(directories=[plain, wrong])
        assert caught.value.path == str(wrong)


@pytest.mark.parametrize("path", ["missing", "file", "", "a\0b"])
def test_directories_that_are_none(path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("file").write_bytes(CERTIFICATE["root"])
    trust = Trust(untrusted=loaded(["middle"]), directories=(CertificateDirectory(path),))
    assert validate_path(loaded(["signer"])[0], trust) == LOCAL
    if path in {"missing", "file"}:
        assert dcmsign_says(tmp_path, "signer", "+cd", path) == LOCAL


@pytest.mark.parametrize("kind", ["directory", "pipe", "too long", "dangling"])
def test_what_is_no_ordinary_file_ends_the_search(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "folder"
    fill(folder, {f"{ROOT}.1": CERTIFICATE["root"], f"{MIDDLE}.r1": MIDDLE_LIST})
    for first in (folder / f"{ROOT}.0", folder / f"{MIDDLE}.r0"):
        if kind == "directory":
            first.mkdir()
        elif kind == "pipe":
            os.mkfifo(first)
        elif kind == "dangling":
            first.symlink_to("missing")
        else:
            first.write_bytes(CERTIFICATE["root"] + MIDDLE_LIST)
            for limit in ("_LONGEST_CERTIFICATE_FILE", "LONGEST_LIST"):
                monkeypatch.setattr(directories, limit, first.stat().st_size - 1)
    found = CertificateDirectory(str(folder))
    assert not [*found.certificates(int(ROOT, 16)), *found.revocation_lists(int(MIDDLE, 16))]
    for first in (folder / f"{ROOT}.0", folder / f"{MIDDLE}.r0"):
        first.rmdir() if kind == "directory" else first.unlink()
        shutil.copy(f"{str(first)[:-1]}1", first)
    assert len([*found.certificates(int(ROOT, 16))]) == len([*found.revocation_lists(int(MIDDLE, 16))]) == 2


def test_number_of_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(directories, "_MOST_FILES", 3)
    folder = fill(tmp_path / "folder", {f"{ROOT}.{number}": CERTIFICATE["root"] for number in range(5)})
    assert len(list(CertificateDirectory(folder).certificates(int(ROOT, 16)))) == 3


def test_a_chain_of_names_ends(tmp_path: Path) -> None:
    """Authorities that have issued each other's certificates lead round in a circle."""
    circle = {"one": issue("one", "two"), "two": issue("two", "one")}
    hashes = {
        name: f"{names.name_hash(Certificate.from_der(encoding).canonical_names()[1]):08x}" for name, encoding in circle.items()
    }
    folder = fill(tmp_path / "folder", {f"{hashes[name]}.0": forge.pem(encoding) for name, encoding in circle.items()})
    signer = Certificate.from_der(issue("signer", "one"))
    theirs = subprocess.run(
        [require_peer("openssl"), "verify", "-no-CAfile", "-CApath", folder],
        input=forge.pem(signer.der).decode(), capture_output=True, text=True, check=False,
    ).stderr  # fmt: skip
    error = validate_path(signer, Trust(directories=(CertificateDirectory(folder),)))
    assert error is not None
    assert f"lookup: {error}\n" in theirs


STRINGS = {
    forge.UTF8: st.text(st.characters(codec="utf-8"), max_size=20).map(str.encode),
    forge.PRINTABLE: st.binary(max_size=20),
    forge.T61: st.binary(max_size=20),
    forge.IA5: st.binary(max_size=20),
    forge.BMP: st.text(st.characters(max_codepoint=0xD7FF), max_size=9).map(lambda text: text.encode("utf-16-be")),
    forge.UNIVERSAL: st.text(st.characters(codec="utf-8"), max_size=9).map(lambda text: text.encode("utf-32-be")),
    der.NUMERIC_STRING: st.binary(max_size=20),
    der.BIT_STRING: st.binary(min_size=1, max_size=20).map(lambda content: b"\0" + content),
}
BLANKS = st.text(" \t\n\v\f\raB", max_size=12).map(str.encode)
ATTRIBUTES = st.one_of(
    [st.tuples(st.sampled_from(["2.5.4.3", "2.5.4.10", "1.2.3.4"]), st.just(tag), text) for tag, text in STRINGS.items()]
    + [st.tuples(st.just("2.5.4.3"), st.sampled_from([forge.UTF8, forge.PRINTABLE]), BLANKS)]
)


@given(st.lists(st.one_of(ATTRIBUTES, st.lists(ATTRIBUTES, min_size=1, max_size=3)), max_size=4))
def test_hashes_are_those_of_openssl(relative_names: list[list[forge.Attribute] | forge.Attribute]) -> None:
    subject = forge.name(*relative_names)
    encoding = forge.certificate(subject=subject, issuer=forge.common_name("Issuer"))
    theirs = crypto.load_certificate(crypto.FILETYPE_ASN1, encoding).subject_name_hash()
    issuer, canonical = Certificate.from_der(encoding).canonical_names()
    assert names.name_hash(canonical) == theirs
    assert issuer == names.canonical(der.read(forge.common_name(" ISSUER  ")))


def test_hash_of_the_openssl_command() -> None:
    command = [require_peer("openssl"), "crl", "-inform", "DER", "-hash", "-noout"]
    said = subprocess.run(command, input=revoke("middle"), capture_output=True, check=True).stdout.decode().strip()
    assert said == MIDDLE
