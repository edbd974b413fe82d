"""Where this command does something else than DCMTK's on purpose: what both do, and why."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest

from tests.cli.conftest import VECTORS
from tests.cli.peer import Invocation, Pair, Peers, Written, verdicts
from tests.cli.peer_files import FORMS, Form, stock
from tests.interop.build import SOP_CLASS, SOP_INSTANCE

FORM = FORMS["ele"]
START = FORM.element(0x00080016, "UI", SOP_CLASS) + FORM.element(0x00080018, "UI", SOP_INSTANCE)
NAME = FORM.element(0x00100010, "PN", b"Doe^Jane")
ITEM_END, SEQUENCE_END = (FORM.tag(tag) + bytes(4) for tag in (0xFFFEE00D, 0xFFFEE0DD))
SIGN = "+m2 +s key.pem cert.pem"


@dataclass(frozen=True)
class Difference:
    """A command line, what it leads to with DCMTK and here (exit code, pattern for the last line), and the reason."""

    line: str
    theirs: tuple[int, str]
    ours: tuple[int, str]
    why: str
    files: dict[str, bytes] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.line}: {self.why}"


def cut(name: str, behind: bytes, more: int) -> bytes:
    """A file of the stock that ends some bytes behind the beginning of an element."""
    content = stock()[name]
    return content[: content.index(behind) + more]


NO_SIGNATURES = "W: no signatures found in dataset."
PREMATURE = "F: I/O suspension or premature end of stream: reading file: "
INVALID = "F: Invalid stream: reading file: "
NOT_DISTINGUISHED = "one text for input that is cut, another one for what is inconsistent; the line before says where"

DIFFERENCES = [
    # what is behind would be ignored, hence not protected
    Difference(
        "x.dcm", (0, NO_SIGNATURES), (20, INVALID), "delimiter at the top level", {"x.dcm": FORM.file(START, ITEM_END, NAME)}
    ),
    Difference(
        f"{SIGN} x.dcm out.dcm", (0, ""), (20, INVALID), "delimiter, signing", {"x.dcm": FORM.file(START, ITEM_END, NAME)}
    ),
    Difference(
        "x.dcm",
        (0, NO_SIGNATURES),
        (20, PREMATURE),
        "cut behind the header of a sequence",
        {"x.dcm": cut("ele.dcm", b"\x08\0\x40\x11SQ", 12)},
    ),
    Difference(
        f"{SIGN} x.dcm out.dcm", (0, ""), (20, PREMATURE), "cut, signing", {"x.dcm": cut("ele.dcm", b"\x08\0\x40\x11SQ", 12)}
    ),
    Difference(
        "+ra x.dcm out.dcm", (0, ""), (20, PREMATURE), "cut, removing", {"x.dcm": cut("ele.dcm", b"\x08\0\x40\x11SQ", 12)}
    ),
    # other words
    Difference(
        "x.dcm",
        (20, "F: Item Delimitation Item missing"),
        (20, INVALID),
        NOT_DISTINGUISHED,
        {"x.dcm": FORM.file(START, SEQUENCE_END, NAME)},
    ),
    Difference("x.dcm", (20, INVALID), (20, PREMATURE), NOT_DISTINGUISHED, {"x.dcm": cut("ele.dcm", b"\x08\0\x40\x11SQ", 30)}),
    Difference("jpeg-defined.dcm", (20, "F: Pixel data in top level dataset in compressed"), (20, INVALID), NOT_DISTINGUISHED),
    Difference(".", (20, PREMATURE), (20, r"F: Is a directory: reading file: \."), "says what is wrong"),
    # abnormal ends
    Difference("-tf . in.dcm", (-6, "  what"), (30, r"F: Error while reading tag file '\.', giving up\."), "no abort"),
    # what cannot be stored
    Difference(
        "+ra in.dcm /dev/full", (0, ""), (40, "F: No space left on device: writing file: /dev/full"), "nothing was written"
    ),
    Difference(
        f"{SIGN} in.dcm /dev/full", (0, ""), (40, "F: No space left on device: writing file: /dev/full"), "nothing was written"
    ),
    # what DCMTK learned after 3.6.7
    Difference(
        f"{SIGN} x.dcm out.dcm",
        (85, "E: unable to use the selected transfer syntax for MAC computation"),
        (0, ""),
        "transfer syntaxes of DCMTK 3.7",
        {"x.dcm": (VECTORS / "htj2k.dcm").read_bytes()},
    ),
    Difference(
        f"{SIGN} x.dcm out.dcm",
        (40, "F: No conversion to transfer syntax Little Endian Explicit possible!"),
        (0, ""),
        "as DCMTK 3.7: a Pixel Data Provider URL can be written",
        {"x.dcm": FORM.file(START, FORM.element(0x00287FE0, "UT", b"http://x"))},
    ),
    # what is not asked to change is written as it is
    Difference("+ra un-pixels.dcm out.dcm", (40, "F: No conversion"), (0, ""), "Pixel Data with VR UN stay what they are"),
    Difference(
        "+ra nothing.dcm out.dcm",
        (40, "F: No conversion to transfer syntax Unknown"),
        (0, ""),
        "the file names its transfer syntax",
    ),
    # an option of this command
    Difference(
        "-fd in.dcm", (1, "error: Unknown option -fd"), (0, NO_SIGNATURES), "for peers that need DCMTK's incomplete digest"
    ),
    Difference(
        "+s missing missing +ra missing.dcm out.dcm",
        (20, "F: No such file or directory: reading file: missing.dcm"),
        (20, "F: file cannot be read: while loading certificate file 'missing'"),
        "keys of a command that is replaced are loaded before the input is read",
    ),
]


@pytest.mark.parametrize("difference", DIFFERENCES, ids=str)
def test_difference(peers: Peers, difference: Difference) -> None:
    pair = peers.run(Invocation(difference.line, files=difference.files))
    for result, (code, last) in ((pair.theirs, difference.theirs), (pair.ours, difference.ours)):
        assert result.code == code
        assert re.match(last, ([line for line in result.messages if line] or [""])[-1])
    if difference.ours[0]:
        assert not pair.ours.files


@pytest.mark.parametrize("name", ["cut.dcm", "text.txt", "bare-ele.bin"])
def test_damaged_input_is_located(peers: Peers, name: str) -> None:
    """DCMTK names the length of an element at most; here a line in front says where the damage is."""
    options = "-f -ti " if name == "bare-ele.bin" else ""
    pair = peers.run(f"{options}{name}")
    assert pair.ours.code == pair.theirs.code == 20
    assert pair.ours.messages[-2] == pair.theirs.messages[-2] == f"{PREMATURE}{name}"
    assert not any(re.search(r"at offset \d", line) for line in pair.theirs.messages)
    assert re.match(r"E: (\([0-9a-f]{4},[0-9a-f]{4}\) at )?offset \d+: ", pair.ours.messages[-3])


def test_warnings_about_input_are_those_of_later_versions(peers: Peers) -> None:
    """DCMTK 3.6.7 is silent about a transfer syntax that nobody knows, 3.7 and this command warn."""
    pair = peers.run("unknown-syntax.dcm")
    assert pair.theirs.messages == (NO_SIGNATURES, "")
    warning = "W: DcmFileFormat: Could not determine Transfer Syntax from File Meta Information Header"
    assert pair.ours.messages == (warning, NO_SIGNATURES, "")


# ---------------------------------------------------------------- signatures


def checked(peers: Peers, pair: Pair, line: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What DCMTK and this command find of the object that this command wrote."""
    return verdicts(peers.reference(line, pair.our_folder)), verdicts(peers.command(line, pair.our_folder))


CORRUPTED = "signature verification failed: signature is invalid (document corrupted)"


@pytest.mark.parametrize(
    ("options", "expected"), [("", ((CORRUPTED,), ("OK",))), ("-fd", (("OK",), ("OK",))), ("-fd -fn", ((CORRUPTED,), ("OK",)))]
)
@pytest.mark.parametrize("vector", ["nested-16k", "nested-16k-items"])
def test_digest_of_large_nested_sequences(
    peers: Peers, vector: str, options: str, expected: tuple[tuple[str, ...], tuple[str, ...]]
) -> None:
    """DCMTK leaves out what does not fit into 16384 bytes at depth 2, so it can be changed unnoticed. Here the digest is
    complete, which DCMTK takes for another one; its own form is written with --format-dcmtk only, and recognised and reported.
    """
    pair = peers.run(Invocation(f"{options} {SIGN} x.dcm out.dcm", files={"x.dcm": (VECTORS / f"{vector}.dcm").read_bytes()}))
    assert pair.ours.code == 0
    assert checked(peers, pair, "+cf cert.pem out.dcm") == expected
    told = peers.command("+cf cert.pem out.dcm", pair.our_folder).messages
    assert any("Signature Coverage" in line for line in told) == (options == "-fd")


def test_objects_with_incomplete_digests(peers: Peers) -> None:
    """DCMTK finds them good without a word; here a line tells what they do not protect, the exit code is the same."""
    name = "nested-16k.signed.dcm"
    pair = peers.run(Invocation(f"+cf cert.pem {name}", files={name: (VECTORS / name).read_bytes()}))
    assert pair.ours.code == pair.theirs.code == 0
    assert [line for line in pair.ours.messages if "Signature Coverage" not in line] == list(pair.theirs.messages)
    assert pair.ours.messages != pair.theirs.messages


def test_odd_modulus(peers: Peers) -> None:
    """A signature of odd length gets a pad byte, which DCMTK does not take away when it verifies with RSA; here it is."""
    key, certificate = key_and_certificate(datetime(2020, 1, 1, tzinfo=UTC), bits=1032)
    pair = peers.run(
        Invocation("-ll error +m2 +s key.pem cert.pem in.dcm out.dcm", files={"key.pem": key, "cert.pem": certificate})
    )
    assert pair.ours.code == pair.theirs.code == 0
    assert checked(peers, pair, "+cf cert.pem out.dcm") == ((CORRUPTED,), ("OK",))
    assert verdicts(peers.command("+cf cert.pem out.dcm", pair.their_folder)) == ("OK",)


def test_time_zone(peers: Peers) -> None:
    """The date of a signature has an offset from UTC: DCMTK ignores it and finds a signature made too early, here it counts."""
    key, certificate = key_and_certificate(datetime.now(UTC) - timedelta(hours=1))
    pair = peers.run(
        Invocation(
            "+m2 +s key.pem cert.pem in.dcm out.dcm",
            files={"key.pem": key, "cert.pem": certificate},
            # behind, so that its clock shows a time before the certificate's; from ten hours on DCMTK confuses days
            variables={"TZ": "WEST9"},
        )
    )
    assert pair.ours.code == pair.theirs.code == 0
    too_early = "signature verification failed: certificate was not yet valid at signature creation date"
    assert checked(peers, pair, "+cf cert.pem out.dcm") == ((too_early,), ("OK",))
    assert verdicts(peers.command("+cf cert.pem out.dcm", pair.their_folder)) == ("OK",)


def key_and_certificate(start: datetime, bits: int = 2048) -> tuple[bytes, bytes]:
    """A key and its own certificate, valid from a time on."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    key = rsa.generate_private_key(65537, bits)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Differences")])
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, start, start + timedelta(days=10000))
    certificate = builder.sign(key, hashes.SHA256())
    encoding = serialization.Encoding.PEM
    private = key.private_bytes(encoding, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return private, certificate.public_bytes(encoding)


# ---------------------------------------------------------------- objects


def written(pair: Pair) -> tuple[str, str]:
    """The dumps of our object and theirs."""
    ours, theirs = pair.ours.files["out.dcm"], pair.theirs.files["out.dcm"]
    assert isinstance(ours, Written)
    assert isinstance(theirs, Written)
    return ours.dump, theirs.dump


def test_padding_of_texts(peers: Peers) -> None:
    """DCMTK 3.6.7 keeps NULs at the end of a text and completes odd ones with NUL; 3.7 and this command pad with a space. So the
    digests differ; this command verifies both kinds, DCMTK 3.6.7 and 3.7 their own.
    """
    texts = FORM.element(0x00100010, "PN", b"Doe\0") + FORM.element(0x00100020, "LO", b"ABC")
    pair = peers.run(Invocation(f"{SIGN} x.dcm out.dcm", files={"x.dcm": FORM.file(START, texts)}))
    ours, theirs = written(pair)
    assert "PN [Doe ]" in ours
    assert "LO [ABC ]" in ours
    assert r"PN [Doe\000]" in theirs
    assert r"LO [ABC\000]" in theirs
    assert checked(peers, pair, "+cf cert.pem out.dcm") == (("OK",), ("OK",))
    assert verdicts(peers.command("+cf cert.pem out.dcm", pair.their_folder)) == ("OK",)


def test_meta_header_without_uids_in_the_data_set(peers: Peers) -> None:
    """DCMTK 3.6.7 gives the object another class and a new UID; 3.7 and this command keep what the file says."""
    ours, theirs = written(peers.run("+ra only-unsignable.dcm out.dcm"))
    assert "(0002,0002) UI [1.2.840.10008.5.1.4.1.1.7" in ours
    assert "(0002,0003) UI [1.2.3.4" in ours
    assert "(0002,0002) UI [1.2.276.0.7230010.3.1.0.1" in theirs
    assert "(0002,0003) UI [UID" in theirs


def test_names_of_the_implementation(peers: Peers) -> None:
    """Each program names itself as the writer, and makes UIDs below its own root."""
    pair = peers.run(f"{SIGN} in.dcm out.dcm")
    ours, theirs = ((folder / "out.dcm").read_bytes() for folder in (pair.our_folder, pair.their_folder))
    assert b"OFFIS" in theirs
    assert b"1.2.276.0.7230010.3.1.4." in theirs
    assert b"OFFIS" not in ours
    assert b"1.2.276." not in ours
    assert ours.count(b"2.25.") == 2


def test_dump_of_a_run_that_fails(peers: Peers) -> None:
    """DCMTK leaves what it digested before it noticed that an element is absent; here that is noticed first: an empty file."""
    pair = peers.run("+m2 +d dump -t StudyID +s key.pem cert.pem ele.dcm out.dcm")
    assert pair.ours.code == pair.theirs.code == 85
    assert pair.ours.messages == pair.theirs.messages
    assert pair.theirs.files["dump"] != b""
    assert pair.ours.files == {"dump": b""}


def test_control_characters(peers: Peers) -> None:
    """DCMTK prints values as they are, so a file can forge lines or reach the terminal; here they are escaped."""
    forged = stock()["one.dcm"].replace(b"CS\x06\0SHA256", b"CS\x06\0A\x1b[2J\n")
    pair = peers.run(Invocation("-v x.dcm", files={"x.dcm": forged}))
    assert pair.ours.code == pair.theirs.code == 101
    assert "I:   MAC algorithm               : A\x1b[2J" in pair.theirs.messages
    assert r"I:   MAC algorithm               : A\x1B[2J\x0A" in pair.ours.messages


def test_more_elements_than_can_be_listed(peers: Peers) -> None:
    """More than 16383 signed elements do not fit into Data Elements Signed: DCMTK writes an object that nobody can verify."""
    groups = (FORM.element(group << 16 | 0x1000 + number, "CS", b"") for group in range(0x11, 0x1B, 2) for number in range(0xE00))
    data = Form(FORM.syntax).file(START, b"".join(groups))
    pair = peers.run(Invocation(f"{SIGN} x.dcm out.dcm", files={"x.dcm": data}))
    assert pair.theirs.code == 0
    assert pair.ours.code == 85
    assert not pair.ours.files
    verdict = verdicts(peers.reference("+cf cert.pem out.dcm", pair.their_folder))
    assert verdict == ("signature verification failed: DataElementsSigned missing or incorrect",)
