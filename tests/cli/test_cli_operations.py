"""Verifying and signing files: exit code and every line as DCMTK's dcmsign has them, and what the files hold afterwards."""

from __future__ import annotations

import shlex
import shutil
from pathlib import Path

import pytest
from dcmsign.stream.cli import main

from tests.cli.conftest import VECTORS, Bench

pytestmark = pytest.mark.usefixtures("reference_version")

SAME_OUTPUT = """
in.dcm
-v in.dcm
-q in.dcm
+rv in.dcm
+rg in.dcm
-q +rg in.dcm
-v +rg in.dcm
signed.dcm
-q signed.dcm
-ll error signed.dcm
-ll off signed.dcm
-v signed.dcm
-v +rg +cf cert.pem signed.dcm
+cf cert.pem signed.dcm
-v +uf cert.pem signed.dcm
+cf dsa-cert.pem signed.dcm
+cf missing +cf cert.pem signed.dcm
+uf missing +cf cert.pem signed.dcm
-v +cf text.txt signed.dcm
-tf empty signed.dcm
-t PatientName -fo +uc -td -v +cf cert.pem signed.dcm
-fo -e +t= --arguments -q +cf cert.pem signed.dcm
+tv +cf cert.pem signed.dcm
+fo -v +cf cert.pem signed.dcm
-der +cf cert.der signed.dcm
-der +cf cert.pem signed.dcm
+cf cert.der -uc signed.dcm
-v bare.bin
-v -f bare.bin
-v -f -te bare.bin
-v +fo bare.bin
-v -td in.dcm
-v tampered.dcm
+cf cert.pem tampered.dcm
-v +cf cert.pem two.dcm
-v no-mac-id.dcm
-v no-elements.dcm
-v no-certificate.dcm
-v unknown-syntax.dcm
-v empty-attributes.dcm
missing.dcm
-v missing.dcm
-q missing.dcm
-ll off missing.dcm
in.dcm/x
empty
-
-v -
@
+fo text.txt
+rg +cf cert.pem missing.dcm
+s key.pem cert.pem missing.dcm out.dcm
+s key.pem cert.pem empty out.dcm
+s missing cert.pem missing.dcm out.dcm
+s missing cert.pem in.dcm out.dcm
+s key.pem missing in.dcm out.dcm
+s missing missing in.dcm out.dcm
-v +s missing missing in.dcm out.dcm
+s cert.pem cert.pem in.dcm out.dcm
+s key.pem key.pem in.dcm out.dcm
-der +s key.pem cert.pem in.dcm out.dcm
-der +m2 +s key.der cert.der in.dcm out.dcm
+s key.der cert.pem in.dcm out.dcm
+s "" "" in.dcm out.dcm
+s dsa-key.pem cert.pem in.dcm out.dcm
-v +s dsa-key.pem cert.pem in.dcm out.dcm
+m2 +pw wrong +s encrypted.pem cert.pem in.dcm out.dcm
+m2 -pw +s encrypted.pem cert.pem in.dcm out.dcm
+m2 +pw "" +s encrypted.pem cert.pem in.dcm out.dcm
+m2 +pw secret +s encrypted.pem cert.pem in.dcm out.dcm
+m2 +pw unused +s key.pem cert.pem in.dcm out.dcm
+m2 -pw +s key.pem cert.pem in.dcm out.dcm
+m2 +s key.pem cert.pem +d missing/dump in.dcm out.dcm
+m2 +s key.pem cert.pem +d "" in.dcm out.dcm
+m2 +s key.pem cert.pem +d missing/dump missing.dcm out.dcm
+m2 +s key.pem cert.pem in.dcm missing/out.dcm
-v +m2 +s key.pem cert.pem in.dcm missing/out.dcm
+m2 +s key.pem cert.pem in.dcm .
+m2 +s key.pem cert.pem in.dcm ""
+m2 +s missing cert.pem in.dcm ""
+m2 +s key.pem cert.pem missing.dcm ""
+m2 +s key.pem cert.pem in.dcm out.dcm
-v +m2 +s key.pem cert.pem in.dcm out.dcm
-v +m2 +sp 3 +s key.pem cert.pem in.dcm in.dcm
+m2 -t PatientName +s key.pem cert.pem in.dcm out.dcm
-v +m2 -t 0010,0020 -t 0008,0016 -t 0010,0030 +s key.pem cert.pem in.dcm out.dcm
-v +m2 -t 0002,0010 -t 0008,0000 +s key.pem cert.pem in.dcm out.dcm
+m2 -t PatientName -t PatientID +s key.pem cert.pem in.dcm out.dcm
-v +m2 -t MACParametersSequence -t PatientName +s key.pem cert.pem signed.dcm out.dcm
+m2 -t 4ffe,0001 -t PatientID +s key.pem cert.pem signed.dcm out.dcm
-v +m2 -tf empty +s key.pem cert.pem in.dcm out.dcm
-v +m2 -e +s key.pem cert.pem signed.dcm out.dcm
""".strip().splitlines()


@pytest.fixture
def files(bench: Bench) -> Bench:
    """The folder with some damaged files and an encrypted key."""
    from cryptography.hazmat.primitives.serialization import (
        BestAvailableEncryption,
        Encoding,
        NoEncryption,
        PrivateFormat,
        load_pem_private_key,
    )
    from cryptography.x509 import load_pem_x509_certificate

    key = load_pem_private_key((bench.folder / "key.pem").read_bytes(), None)
    encrypted = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret"))
    (bench.folder / "encrypted.pem").write_bytes(encrypted)
    plain = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    (bench.folder / "key.der").write_bytes(plain)
    certificate = load_pem_x509_certificate((bench.folder / "cert.pem").read_bytes())
    (bench.folder / "cert.der").write_bytes(certificate.public_bytes(Encoding.DER))
    data_set = (bench.folder / "in.dcm").read_bytes()
    (bench.folder / "bare.bin").write_bytes(data_set[144 + int.from_bytes(data_set[140:144], "little") :])
    signed = (bench.folder / "signed.dcm").read_bytes()
    (bench.folder / "tampered.dcm").write_bytes(signed.replace(b"DOE^JOHN", b"DOE^JANE"))
    shutil.copyfile(VECTORS / "item-then-main.signed.dcm", bench.folder / "two.dcm")
    damage(bench.folder, "no-mac-id", 0xFFFAFFFA, (0x04000005,))
    damage(bench.folder, "no-certificate", 0xFFFAFFFA, (0x04000115, 0x04000105, 0x04000100))
    damage(bench.folder, "no-elements", 0x4FFE0001, (0x04000020, 0x04000015, 0x04000010))
    damage(bench.folder, "unknown-syntax", 0x4FFE0001, (), {0x04000010: "1.2.3", 0x04000015: "FOO"})
    damage(bench.folder, "empty-attributes", 0xFFFAFFFA, (), {0x04000105: "", 0x04000115: b"", 0x04000100: ""})
    return bench


def damage(
    folder: Path, name: str, sequence: int, removed: tuple[int, ...], changed: dict[int, str | bytes] | None = None
) -> None:
    """Write signed.dcm under another name without, or with other values of, some attributes of its signature."""
    import pydicom

    data_set = pydicom.dcmread(folder / "signed.dcm")
    item = data_set[sequence].value[0]
    for tag in removed:
        del item[tag]
    for tag, value in (changed or {}).items():
        item[tag].value = value
    data_set.save_as(folder / f"{name}.dcm")


@pytest.mark.parametrize("line", SAME_OUTPUT)
def test_operation(files: Bench, line: str) -> None:
    arguments = shlex.split(line)
    before = {path.name: path.read_bytes() for path in files.folder.iterdir()}
    expected = files.reference(*arguments)
    written = {path.name for path in files.folder.iterdir() if before.get(path.name) != path.read_bytes()}
    for name in written:
        (files.folder / name).unlink()
        if name in before:
            (files.folder / name).write_bytes(before[name])
    assert files.ours(*arguments) == expected
    assert {path.name for path in files.folder.iterdir() if before.get(path.name) != path.read_bytes()} == written


# DCMTK 3.6.7 does not know HTJ2K
SIGNED = sorted(path.name for path in VECTORS.glob("*.signed.dcm") if path.name != "htj2k.signed.dcm")


@pytest.mark.parametrize("name", SIGNED)
@pytest.mark.parametrize("level", ["warn", "info"])
def test_listing_of_vectors(bench: Bench, name: str, level: str) -> None:
    certificates = [argument for path in sorted(VECTORS.glob("cert-*.pem")) for argument in ("+cf", str(path))]
    arguments = ("-ll", level, *certificates, str(VECTORS / name))
    expected, found = bench.reference(*arguments), bench.ours(*arguments)
    lines, expected_lines = without_reader(found.err), without_reader(expected.err)
    incomplete = [number for number, line in enumerate(lines) if line.startswith("W:   Signature Coverage")]
    assert bool(incomplete) == name.startswith("nested-16k")
    for number in reversed(incomplete):  # the reference does not know what it leaves out
        end = number + 1
        while end < len(lines) and lines[end].startswith("I:       "):
            end += 1
        del lines[number:end]
    assert (found.code, found.out, lines) == (expected.code, expected.out, expected_lines)


def without_reader(text: str) -> list[str]:
    """The lines without warnings about the structure of the input."""
    return [line for line in text.splitlines() if not line.startswith("W: DcmItem: ")]


SIGNING = {
    "+m2 +s key.pem cert.pem in.dcm out.dcm": ("SHA256", None),
    "+s key.pem cert.pem in.dcm out.dcm": ("RIPEMD160", None),
    "+mr -sp +s key.pem cert.pem in.dcm out.dcm": ("RIPEMD160", None),
    "+ms +sp 1 +s key.pem cert.pem in.dcm out.dcm": ("SHA1", "1"),
    "+mm +s key.pem cert.pem in.dcm out.dcm": ("MD5", None),
    "+m3 +sp 18 +s key.pem cert.pem in.dcm out.dcm": ("SHA384", "18"),
    "+m5 -e +s key.pem cert.pem in.dcm out.dcm": ("SHA512", None),
    "+m2 -t PatientName -t 0010,1010 +s key.pem cert.pem in.dcm out.dcm": ("SHA256", None),
    "+m2 -fo +s key.pem cert.pem in.dcm out.dcm": ("SHA256", None),
    "+m2 -fd +s key.pem cert.pem in.dcm out.dcm": ("SHA256", None),
    "+m2 +s key.pem cert.pem signed.dcm out.dcm": ("SHA256", None),
    "+m2 +s key.pem cert.pem two.dcm out.dcm": ("SHA256", None),
    "+m2 +pw secret +s encrypted.pem cert.pem in.dcm out.dcm": ("SHA256", None),
}
"""Command line to MAC algorithm and purpose code of the new signature."""


@pytest.mark.parametrize("line", SIGNING)
def test_signed_files_are_good(files: Bench, line: str) -> None:
    import pydicom

    done = files.ours(*shlex.split(line))
    assert (done.code, done.out, done.err) == (0, "", "")
    verify = ("-v", "+cf", "cert.pem", "out.dcm")
    expected = files.reference(*verify)
    assert expected.code == 0
    assert files.ours(*verify) == expected
    data_set = pydicom.dcmread(files.folder / "out.dcm")
    parameters, signature = data_set[0x4FFE0001].value[-1], data_set[0xFFFAFFFA].value[-1]
    purpose = signature[0x04000401].value[0][0x00080100].value if 0x04000401 in signature else None
    assert (parameters[0x04000015].value, purpose) == SIGNING[line]
    assert data_set[0x4FFE0001].is_undefined_length == (" -e " in line)
    if "-t" in line:
        assert list(parameters[0x04000020].value) == [0x00100010, 0x00101010]


@pytest.mark.parametrize(
    ("vector", "options", "verdicts"),
    [
        # DCMTK cannot verify the complete digest of a large sequence, but knows its own form
        ("nested-16k.dcm", (), ("signature is invalid", "OK\n")),
        ("nested-16k.dcm", ("-fd",), ("OK\n", "OK\nW:   Signature Coverage     : incomplete")),
        ("jpeg-fragments.dcm", ("-fo",), ("signature is invalid", "signature is invalid")),
    ],
)
def test_signature_format(files: Bench, vector: str, options: tuple[str, ...], verdicts: tuple[str, str]) -> None:
    source = str(VECTORS / vector)
    assert files.ours("-ll", "error", *options, "+m2", "+s", "key.pem", "cert.pem", source, "out.dcm").err == ""
    theirs, ours = (run("+cf", "cert.pem", "out.dcm").err for run in (files.reference, files.ours))
    assert verdicts[0] in theirs
    assert verdicts[1] in ours
    assert ("Signature Coverage" in ours) == (options == ("-fd",))
    if options == ("-fo",):
        old = ("-fo", "-ll", "warn", "+cf", "cert.pem", "out.dcm")
        assert files.ours(*old).code == files.reference(*old).code == 0


@pytest.mark.parametrize("line", ["-f -ti bare.bin", "-f -tb bare.bin", "-f -te bare.bin", "wrong.dcm", "-td wrong.dcm"])
def test_input_syntax(files: Bench, line: str) -> None:
    file = (files.folder / "in.dcm").read_bytes()
    (files.folder / "wrong.dcm").write_bytes(file.replace(b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.1.2\0\0\0", 1))
    assert files.ours(*line.split()).code == files.reference(*line.split()).code


@pytest.mark.parametrize("option", ["-uc", "+uc"])
def test_unknown_elements(files: Bench, option: str) -> None:
    file = (files.folder / "in.dcm").read_bytes()
    unknown = file.replace(b"\x10\x00\x10\x00PN\x08\x00", b"\x10\x00\x10\x00UN\0\0\x08\x00\0\0")
    assert unknown != file
    (files.folder / "unknown.dcm").write_bytes(unknown)
    line = (option, "+m2", "-t", "PatientName", "+s", "key.pem", "cert.pem", "unknown.dcm", "out.dcm")
    expected = files.reference(*line)
    assert files.ours(*line) == expected
    assert expected.code == (85 if option == "-uc" else 0)


def test_dump_is_what_the_reference_digests(files: Bench) -> None:
    for run, dump in ((files.ours, "ours.bin"), (files.reference, "theirs.bin")):
        assert run("+m2", "+d", dump, "-t", "PatientName", "+s", "key.pem", "cert.pem", "in.dcm", "out.dcm").code == 0
    ours, theirs = ((files.folder / name).read_bytes() for name in ("ours.bin", "theirs.bin"))
    start = theirs.index(b"DOE^JOHN") + 8  # what follows holds the UID and the time of the signature
    assert ours[:start] == theirs[:start]


@pytest.mark.parametrize("name", ["text.txt", "cut.dcm", "."])
def test_unreadable_input(files: Bench, name: str) -> None:
    (files.folder / "cut.dcm").write_bytes((files.folder / "in.dcm").read_bytes()[:0x114])  # inside the header of an element
    expected, found = files.reference(name), files.ours(name)
    assert found.code == expected.code == 20
    last = "F: Is a directory: reading file: ." if name == "." else expected.err.splitlines()[-1]
    assert found.err.splitlines()[-1] == last


def test_unavailable_operation_touches_nothing(files: Bench) -> None:
    done = files.ours("+ra", "signed.dcm", "out.dcm")
    assert (done.code, done.out) == (1, "")
    assert done.err == "HEADER\n\ndcmsign: Sign and Verify DICOM Files\nerror: --remove-all is not available in this version\n"
    assert not (files.folder / "out.dcm").exists()


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        (("-lc", "settings.cfg", "signed.dcm"), "--log-config"),
        (("+s", "missing", "missing", "+t", "q", "r", "u", "in.dcm", "out.dcm"), "--insert-timestamp"),
        (("+cl", "+rc", "signed.dcm"), "--require-creator"),
        (("+pa", "+s", "missing", "missing", "missing.dcm", "out.dcm"), "--profile-auth"),
    ],
)
def test_unavailable_options_stop_before_files_are_read(files: Bench, arguments: tuple[str, ...], name: str) -> None:
    done = files.ours(*arguments)
    assert (done.code, done.err.splitlines()[-1]) == (1, f"error: {name} is not available in this version")


def test_main_may_be_called_repeatedly(files: Bench) -> None:
    first = files.ours("-v", "signed.dcm")
    assert files.ours("-v", "signed.dcm") == first
    assert main(["-q", "signed.dcm"]) == 101
