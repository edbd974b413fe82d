"""Signature profiles on the command line: exit code, every line and what is signed, as with DCMTK's dcmsign."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterable, Iterator
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.cli.peer import Invocation, Peers
from tests.codec import builder
from tests.codec.builder import Item, Node, Nodes, Plain, Sequence
from tests.peers import require_peer

VECTORS = Path(__file__).parent.parent / "vectors" / "mac"
PROFILES = ("-pf", "+pb", "+pc", "+pa", "+pr", "+pv")
POLICIES = ("+rc", "+ru", "+rs")
KEY, OTHER_KEY, EXPIRED, EARLY = "+s key.pem cert.pem", "+s dsa-key.pem cert.pem", "+s key.pem old.pem", "+s key.pem new.pem"
"""Of a command to sign: all is well; the key is another one; the certificate has expired; it is not yet valid."""


# ---------------------------------------------------------------------- files


def text(tag: int, vr: str, value: bytes = b"") -> Plain:
    """A data element with a text."""
    return Plain(tag, vr, value + (b"\0" if vr == "UI" else b" ") * (len(value) & 1))


def data_set(*groups: Iterable[Node], without: Iterable[int] = ()) -> bytes:
    """A file with the data elements of the groups in order; the last of equal ones counts."""
    nodes = {node.tag: node for group in groups for node in group if node.tag not in tuple(without)}
    return builder.file(tuple(nodes[tag] for tag in sorted(nodes)), builder.EXPLICIT)


UIDS: Nodes = (
    text(0x00080016, "UI", b"1.2.840.10008.5.1.4.1.1.88.11"),
    text(0x00080018, "UI", b"1.2.3.4"),
    text(0x0020000D, "UI", b"1.2.3.5"),
    text(0x0020000E, "UI", b"1.2.3.6"),
)
PATIENT: Nodes = (text(0x00100010, "PN", b"DOE^JOHN"), text(0x00101010, "AS", b"042Y"))
DEVICE: Nodes = (text(0x00080070, "LO", b"ACME"), text(0x00080080, "LO", b"Clinic"), text(0x00081010, "SH", b"ROOM 1"))
REPORT: Nodes = (text(0x0040A040, "CS", b"CONTAINER"), Sequence(0x0040A043, ()), Sequence(0x0040A730, ()))
OBSERVER: Nodes = (Sequence(0x0040A073, (Item((text(0x0040A075, "PN", b"ROE^JANE"),)),)),)
FLAG: Nodes = (text(0x0040A493, "CS", b"VERIFIED"),)
VERSION: Nodes = (text(0x00089123, "UI"),)
PRIVATE: Nodes = (text(0x00090010, "LO", b"ACME"), text(0x00091001, "LO", b"1"), text(0x60010010, "LO", b"ACME"))
UNKNOWN: Nodes = (Plain(0x00091002, "UN", b"1 "),)
IMAGE: Nodes = (
    text(0x00080005, "CS", b"ISO_IR 100"),
    Sequence(0x00081140, (Item((text(0x00081155, "UI", b"1.2.3.7"),)),)),
    Plain(0x00280010, "US", b"\2\0"),
    Plain(0x00280011, "US", b"\2\0"),
    *(Plain(group << 16 | 0x0005, "US", b"\1\0") for group in (0x5000, 0x501E, 0x5020)),
    *(Plain(group << 16 | 0x0010, "US", b"\1\0") for group in (0x6000, 0x6002)),
    Plain(0x7FE00010, "OB", b"\1\2\3\4"),
)


def flag(value: bytes, vr: str = "CS") -> Nodes:
    """Verification Flag."""
    return (text(0x0040A493, vr, value),)


@cache
def unsigned() -> dict[str, bytes]:
    """Objects without signature."""
    everything = (UIDS, PATIENT, DEVICE, REPORT, OBSERVER, FLAG)
    files = {
        "image.dcm": data_set(UIDS, PATIENT, DEVICE, IMAGE, PRIVATE, UNKNOWN),
        "raw.dcm": data_set(UIDS, PATIENT, DEVICE, IMAGE, PRIVATE, VERSION),
        "raw-unknown.dcm": data_set(UIDS, PATIENT, PRIVATE, VERSION, UNKNOWN),
        "raw-length.dcm": data_set(UIDS, PATIENT, PRIVATE, VERSION, (Plain(0x00090000, "UL", bytes(4)),)),
        "report.dcm": data_set(UIDS, PATIENT, DEVICE, REPORT),
        "verified.dcm": data_set(*everything),
        "unverified.dcm": data_set(UIDS, REPORT, OBSERVER, flag(b"UNVERIFIED")),
        "no-observer.dcm": data_set(UIDS, REPORT, FLAG),
        "blanks.dcm": data_set(UIDS, REPORT, OBSERVER, flag(b" VERIFIED ")),
        "flags.dcm": data_set(UIDS, REPORT, OBSERVER, flag(b"VERIFIED\\UNVERIFIED")),
        "other-flags.dcm": data_set(UIDS, REPORT, OBSERVER, flag(b"UNVERIFIED\\VERIFIED")),
        "lower.dcm": data_set(UIDS, REPORT, OBSERVER, flag(b"verified")),
        "flag-lo.dcm": data_set(UIDS, REPORT, OBSERVER, flag(b"VERIFIED", "LO")),
        "flag-un.dcm": data_set(UIDS, REPORT, OBSERVER, flag(b"VERIFIED", "UN")),
        "nothing.dcm": data_set(),
        "only-unknown.dcm": data_set(UNKNOWN),
        "unknown.dcm": data_set(UIDS, (Plain(0x00080070, "UN", b"1 "), Plain(0x00101010, "UN", b"042Y")), PATIENT[:1]),
        "unknown-nested.dcm": data_set(UIDS, REPORT, (Sequence(0x0040A043, (Item((Plain(0x00080100, "UN", b"1 "),)),)),)),
        "unknown-no-uid.dcm": data_set(UIDS[1:], (Plain(0x00080070, "UN", b"1 "),)),
    }
    for node in UIDS:
        files[f"no-{node.tag:08x}.dcm"] = data_set(*everything, without=(node.tag,))
    for node in REPORT:
        files[f"no-{node.tag:08x}.dcm"] = data_set(*everything, without=(node.tag,))
    return files


@cache
def keys() -> dict[str, bytes]:
    """Certificates for key.pem at other times, a weak key."""
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key

    rsa: Any = load_pem_private_key((VECTORS / "key-rsa.pem").read_bytes(), None)
    weak = ec.generate_private_key(ec.SECP224R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Profile")])
    files = {"weak-key.pem": weak.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())}
    for file, key, first, last in (
        ("old.pem", rsa, 2001, 2002),
        ("new.pem", rsa, 2041, 2042),
        ("weak-cert.pem", weak, 2001, 2041),
    ):
        certificate = x509.CertificateBuilder(name, name, key.public_key(), 7, datetime(first, 1, 1), datetime(last, 1, 1))
        files[file] = certificate.sign(key, SHA256()).public_bytes(Encoding.PEM)
    return files


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory, reference_version: str) -> dict[str, bytes]:
    """All files: those above, and some that DCMTK signed."""
    assert reference_version
    folder = tmp_path_factory.mktemp("profiles")
    found = unsigned() | keys()
    for name, content in found.items():
        (folder / name).write_bytes(content)
    for kind in ("rsa", "dsa", "ec"):
        (folder / f"{kind}-key.pem").write_bytes((VECTORS / f"key-{kind}.pem").read_bytes())
        (folder / f"{kind}-cert.pem").write_bytes((VECTORS / f"cert-{kind}.pem").read_bytes())
    program = require_peer("dcmsign")
    for name, line in SIGNED.items():
        for step in line.split(" ; "):
            source, *options = step.split()
            key = options.pop() if options and options[-1] in ("dsa", "ec") else "rsa"
            command = "--sign-item" if "[" in (options[-1:] or [""])[0] else "--sign"
            pair = [f"{key}-key.pem", f"{key}-cert.pem", *(options[-1:] if command == "--sign-item" else [])]
            rest = options[:-1] if command == "--sign-item" else options
            arguments = ["dcmsign", "-ll", "error", "+m2", *rest, command, *pair, source, name]
            subprocess.run(arguments, executable=program, cwd=folder, check=True, capture_output=True)
        found[name] = (folder / name).read_bytes()
    return found | dict(changed(found))


SIGNED = {
    "image-signed.dcm": "image.dcm",
    "image-listed.dcm": "image.dcm -t 0010,0010",
    "image-creator.dcm": "image.dcm +pc -t 0010,0010",
    "image-auth.dcm": "image.dcm +pa -t 0010,0010",
    "image-both.dcm": "image.dcm -t 0010,0010 ; image-both.dcm +pa -t 0010,0010",
    "image-ec.dcm": "image.dcm ec",
    "image-dsa.dcm": "image.dcm dsa",
    "image-dsa-rsa.dcm": "image.dcm dsa ; image-dsa-rsa.dcm +pc",
    "image-item.dcm": "image.dcm ReferencedImageSequence[0]",
    "raw-signed.dcm": "raw.dcm",
    "raw-listed.dcm": "raw.dcm +pc -t 0010,0010",
    "report-signed.dcm": "report.dcm +pr -t 0010,0010",
    "report-base.dcm": "report.dcm +pb",
    "verified-report.dcm": "verified.dcm +pr -t 0010,0010",
    "verified-all.dcm": "verified.dcm +pr",
    "verified-signed.dcm": "verified.dcm +pv -t 0010,0010",
    "verified-purpose.dcm": "verified.dcm +sp 5",
    "verified-author.dcm": "verified.dcm +sp 1",
}
"""Name of a file to steps: source, options, item or kind of key."""


ADDED: dict[str, Node] = {
    "institution-image-signed": text(0x00080081, "ST", b"Road 1"),
    "institution-image-auth": text(0x00080081, "ST", b"Road 1"),
    "acquisition-image-auth": text(0x00080022, "DA", b"20200101"),
    "habits-image-signed": text(0x001021A0, "CS", b"NO"),
    "private-image-signed": text(0x00110010, "LO", b"ACME"),
    "private-raw-signed": text(0x00110010, "LO", b"ACME"),
    "version-image-signed": VERSION[0],
    "curve-image-signed": Plain(0x50020005, "US", b"\1\0"),
    "curve-report-signed": Plain(0x50020005, "US", b"\1\0"),
    "overlay-image-auth": Plain(0x60020011, "US", b"\1\0"),
}
"""What was added to which file, and the data element."""


def changed(found: dict[str, bytes]) -> Iterator[tuple[str, bytes]]:
    """Signed objects that were changed afterwards."""
    yield "tampered-image.dcm", found["image-signed.dcm"].replace(b"DOE^JOHN", b"DOE^JANE")
    yield "tampered-list.dcm", found["image-listed.dcm"].replace(b"DOE^JOHN", b"DOE^JANE")
    yield "tampered-report.dcm", found["verified-signed.dcm"].replace(b"DOE^JOHN", b"DOE^JANE")
    yield "unverified-now.dcm", found["verified-report.dcm"].replace(b"VERIFIED", b"REVOKED ")
    for name, node in ADDED.items():
        yield f"{name}.dcm", inserted(found[f"{name.partition('-')[2]}.dcm"], node)
    yield "syntax-image.dcm", found["image-signed.dcm"].replace(SYNTAX, SYNTAX[:8] + b"1.2.840.10008.1.2\0\0\0", 1)
    yield "unknown-syntax-image.dcm", found["image-signed.dcm"].replace(SYNTAX, SYNTAX[:8] + b"1.2.840.10008.1.9\0\0\0", 1)
    yield "algorithm-image.dcm", found["image-signed.dcm"].replace(b"CS\6\0SHA256", b"CS\6\0SHA255")
    yield "type-image.dcm", found["image-signed.dcm"].replace(b"X509_1993_SIG", b"X509_1994_SIG")


SYNTAX = b"\x00\x04\x10\x00UI\x14\x001.2.840.10008.1.2.1\0"
"""MAC Calculation Transfer Syntax UID."""


def inserted(file: bytes, node: Node) -> bytes:
    """The file with a data element more in its main data set, which must not have items of undefined length."""
    start = position = 144 + int.from_bytes(file[140:144], "little")
    while position < len(file):
        tag = int.from_bytes(file[position : position + 2], "little") << 16 | int.from_bytes(
            file[position + 2 : position + 4], "little"
        )
        if tag >= node.tag:
            break
        long = file[position + 4 : position + 6].decode() in builder.LONG_VRS
        length = file[position + 8 : position + 12] if long else file[position + 6 : position + 8]
        position += (12 if long else 8) + int.from_bytes(length, "little")
    assert position > start
    return file[:position] + builder.encode((node,), builder.EXPLICIT) + file[position:]


def invocation(line: str, files: dict[str, bytes]) -> Invocation:
    """The command line with the files it names."""
    names = set(re.findall(r"[\w.-]+", line))
    return Invocation(line, files={name: content for name, content in files.items() if name in names})


# ---------------------------------------------------------------------- signing


COMMANDS = [
    *(f"{profile} --verify image.dcm" for profile in PROFILES),
    "+pa +rc image.dcm",
    "+pa +m2 +s key.pem cert.pem image.dcm",
]


@pytest.mark.parametrize("line", COMMANDS)
def test_commands(peers: Peers, files: dict[str, bytes], line: str) -> None:
    assert peers.same(invocation(line, files)).theirs.code == 1


@pytest.mark.parametrize("profile", PROFILES)
def test_items(peers: Peers, files: dict[str, bytes], profile: str) -> None:
    line = f"-v {profile} +m2 +si key.pem cert.pem ReferencedImageSequence[0] image.dcm out.dcm"
    pair = peers.same(invocation(line, files))
    assert pair.theirs.code == (0 if profile in ("-pf", "+pb") else 1)


def test_key_for_an_item(peers: Peers, files: dict[str, bytes]) -> None:
    line = "-v +pb +m2 +si ec-key.pem ec-cert.pem ReferencedImageSequence[0] image.dcm out.dcm"
    assert peers.same(invocation(line, files)).theirs.code == 85


FLAGS = ("report", "verified", "unverified", "no-observer", "blanks", "flags", "other-flags", "lower", "flag-lo", "flag-un")
ABSENT = [name.removesuffix(".dcm") for name in unsigned() if name.startswith("no-00")]
DATA_SETS = {
    "+pc": [
        "image",
        "raw",
        "report",
        *ABSENT[:4],
        "nothing",
        *(name[:-4] for name in unsigned() if "unknown" in name),
        "raw-length",
    ],
    "+pr": ["image", *FLAGS, *ABSENT, "unknown-nested"],
    "+pv": ["image", *FLAGS, *ABSENT, "nothing"],
}
"""Profile to objects that are to be signed with it."""


@pytest.mark.parametrize(("profile", "name"), [(profile, name) for profile, names in DATA_SETS.items() for name in names])
def test_data_sets(peers: Peers, files: dict[str, bytes], profile: str, name: str) -> None:
    peers.same(invocation(f"-v {profile} +m2 {KEY} {name}.dcm out.dcm", files))


LISTS = (
    "-t 0008,0016 -t 0010,0010 -t 0010,0010",
    "-tf empty",
    "-t 0010,0040 -t 0010,0010 -t 0020,0010",
    "-t 0008,0000 -t 0002,0010",
    "-t 0010,1010 -t 0008,0070 -t 0010,0040 -t 0009,1002",
)
LISTED = (
    "+pb image.dcm",
    "+pa image.dcm",
    "+pc raw.dcm",
    "+pr verified.dcm",
    "+pv verified.dcm",
    "-pf unknown.dcm",
    "+pc unknown.dcm",
    "+pv no-00080016.dcm",
    "+pc raw-unknown.dcm",
)


@pytest.mark.parametrize("tags", LISTS)
@pytest.mark.parametrize("case", LISTED)
def test_lists(peers: Peers, files: dict[str, bytes], case: str, tags: str) -> None:
    profile, name = case.split()
    peers.same(invocation(f"-v {profile} {tags} +m2 {KEY} {name} out.dcm", files))


ORDER = f"""
+pv +sp 3 {KEY} verified.dcm out.dcm
+sp 3 +pv {KEY} verified.dcm out.dcm
+pv +sp 5 {KEY} verified.dcm out.dcm
+pv -sp {KEY} verified.dcm out.dcm
+pv +sp 3 {KEY} report.dcm out.dcm
+pv +sp 3 {KEY} no-observer.dcm out.dcm
+pv +sp 3 -t 0010,0040 {KEY} verified.dcm out.dcm
+pv +sp 3 {OTHER_KEY} verified.dcm out.dcm
+pv +sp 3 {EXPIRED} verified.dcm out.dcm
+pv +sp 3 {EXPIRED} no-observer.dcm out.dcm
+pv +sp 3 {KEY} verified.dcm missing/out.dcm
+pr +sp 3 {KEY} verified.dcm out.dcm
+pr {OTHER_KEY} verified.dcm out.dcm
+pr {OTHER_KEY} image.dcm out.dcm
+pr {EXPIRED} verified.dcm out.dcm
+pr {EARLY} no-00080016.dcm out.dcm
+pr {EXPIRED} unknown-nested.dcm out.dcm
+pr {KEY} verified.dcm missing/out.dcm
+pc {OTHER_KEY} no-00080016.dcm out.dcm
+pc {OTHER_KEY} nothing.dcm out.dcm
+pc {EXPIRED} nothing.dcm out.dcm
+pc {EXPIRED} no-00080016.dcm out.dcm
+pc {EARLY} raw-unknown.dcm out.dcm
+pc -t 0010,0040 {EXPIRED} image.dcm out.dcm
+pc +s weak-key.pem weak-cert.pem image.dcm out.dcm
-pf +s weak-key.pem weak-cert.pem image.dcm out.dcm
+pc +s ec-key.pem ec-cert.pem no-00080016.dcm out.dcm
+pr +s ec-key.pem ec-cert.pem image.dcm out.dcm
+pr +s ec-key.pem ec-cert.pem verified.dcm out.dcm
+pc +s missing cert.pem image.dcm out.dcm
+pv +s missing cert.pem image.dcm out.dcm
+pa +s key.pem missing image.dcm out.dcm
+pa {KEY} missing.dcm out.dcm
+pa {KEY} no-00080016.dcm out.dcm
+pa +pc {KEY} image.dcm out.dcm
+pc +pa {KEY} image.dcm out.dcm
+pr -pf {KEY} image.dcm out.dcm
-pf +pr {KEY} image.dcm out.dcm
+pa +t= {KEY} image.dcm out.dcm
+pa -tf missing {KEY} image.dcm out.dcm
+pa +sp 19 {KEY} image.dcm out.dcm
""".strip().splitlines()


@pytest.mark.parametrize("line", ORDER)
def test_order(peers: Peers, files: dict[str, bytes], line: str) -> None:
    peers.same(invocation(f"-v +m2 {line}", files))


@pytest.mark.parametrize("level", ["", "-q", "-ll error"])
@pytest.mark.parametrize("line", [line for line in ORDER if re.match(r"(\+pa|\+pv \+sp 3|\+pr) \+s", line)])
def test_levels(peers: Peers, files: dict[str, bytes], line: str, level: str) -> None:
    peers.same(invocation(f"{level} +m2 {line}", files))


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("key", ["dsa", "ec"])
def test_keys(peers: Peers, files: dict[str, bytes], key: str, profile: str) -> None:
    peers.same(invocation(f"-v {profile} +m2 +s {key}-key.pem {key}-cert.pem verified.dcm out.dcm", files))


@pytest.mark.parametrize(("profile", "mac"), [*zip(PROFILES[1:], ("+ms", "+mm", "+m3", "+m5", "+mr"), strict=True)])
def test_mac_algorithms(peers: Peers, files: dict[str, bytes], profile: str, mac: str) -> None:
    assert peers.same(invocation(f"{profile} {mac} {KEY} verified.dcm out.dcm", files)).theirs.code == 0


@pytest.mark.parametrize("profile", ["+pa", "+pr", "+pv"])
@pytest.mark.parametrize("name", ["verified-signed.dcm", "verified-purpose.dcm", "verified-author.dcm", "verified-all.dcm"])
def test_signing_again(peers: Peers, files: dict[str, bytes], name: str, profile: str) -> None:
    peers.signed(invocation(f"{profile} -t PatientName +m2 {KEY} {name} out.dcm", files))


@pytest.mark.parametrize("profile", PROFILES)
def test_signatures_are_good(peers: Peers, files: dict[str, bytes], profile: str) -> None:
    found = peers.signed(invocation(f"{profile} -t PatientName +m2 {KEY} verified.dcm out.dcm", files))
    assert found == ("OK",)


# ---------------------------------------------------------------------- verifying

TRUSTED = "+cf cert.pem +cf ec-cert.pem +cf dsa-cert.pem"
CHANGED = [
    "tampered-image.dcm",
    "tampered-list.dcm",
    "tampered-report.dcm",
    "unverified-now.dcm",
    *(f"{name}.dcm" for name in ADDED),
    "syntax-image.dcm",
    "unknown-syntax-image.dcm",
    "algorithm-image.dcm",
    "type-image.dcm",
]


POLICED = [
    *(("+rc", name) for name in (*SIGNED, *CHANGED)),
    *(("+ru", name) for name in (*SIGNED, *CHANGED) if "image" in name or "raw" in name),
    *(("+rs", name) for name in (*SIGNED, *CHANGED) if "report" in name or "verified" in name),
]


@pytest.mark.parametrize(("policy", "name"), POLICED)
def test_policies(peers: Peers, files: dict[str, bytes], policy: str, name: str) -> None:
    pair = peers.same(invocation(f"-v {policy} {TRUSTED} {name}", files))
    assert pair.theirs.code in (0, 101, 102)


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("+rc {} image-signed.dcm", 0),
        ("+rc image-signed.dcm", 101),
        ("+rc {} tampered-image.dcm", 101),
        ("+rc {} tampered-list.dcm", 102),
        ("+ru tampered-list.dcm", 102),
        ("-q +rc tampered-list.dcm", 102),
        ("-q +rc {} image-signed.dcm", 0),
        ("-ll error +rs {} image-signed.dcm", 102),
        ("-ll fatal +rs {} image-signed.dcm", 102),
        ("+rg {} image-ec.dcm", 0),
        ("+rc {} image-ec.dcm", 102),
        ("+rg +rc {} image-listed.dcm", 102),
        ("+rc +rg {} image-listed.dcm", 0),
        ("+rc +rv {} image-listed.dcm", 0),
        ("+rc +rs +ru {} image-auth.dcm", 0),
        ("+ru +rc {} image-auth.dcm", 102),
        ("+rs {} verified-all.dcm", 0),
        ("+rs {} verified-report.dcm", 102),
        ("+rs {} unverified-now.dcm", 0),
        ("+ru {} image-both.dcm", 0),
        ("+rc {} image-both.dcm", 102),
        ("+rc {} image-dsa-rsa.dcm", 0),
        ("+rc {} image-item.dcm", 102),
        ("+rc image.dcm", 100),
        ("-v +ru image.dcm", 100),
        ("+rs verified.dcm", 100),
        ("-q +rs verified.dcm", 100),
        ("+rc missing.dcm", 20),
        ("+rc +s key.pem cert.pem image.dcm out.dcm", 1),
        ("+ru +s key.pem cert.pem image.dcm out.dcm", 1),
        ("+rs +ra image-signed.dcm out.dcm", 1),
    ],
)
def test_exit_codes(peers: Peers, files: dict[str, bytes], line: str, code: int) -> None:
    assert peers.same(invocation(line.format(TRUSTED), files)).theirs.code == code


@pytest.mark.parametrize("option", PROFILES[1:])
def test_own_signatures_satisfy_their_profile(peers: Peers, files: dict[str, bytes], option: str) -> None:
    pair = peers.run(invocation(f"-ll error {option} -t 0010,0010 +m2 {KEY} verified.dcm out.dcm", files))
    assert (pair.ours.code, pair.ours.messages) == (0, ("",))
    satisfied = {policy: peers.reference(f"-q {policy} +cf cert.pem out.dcm", pair.our_folder).code for policy in POLICIES}
    expected = {policy: peers.reference(f"-q {policy} +cf cert.pem out.dcm", pair.their_folder).code for policy in POLICIES}
    assert satisfied == expected
    found = {policy: peers.command(f"-q {policy} +cf cert.pem out.dcm", pair.our_folder).code for policy in POLICIES}
    assert found == expected
