"""Signs and verifies two real images with the dcmsign command, gets timestamps for them, then tampers with them.

    python -m examples.demo [FOLDER]

Everything is written to FOLDER (default: a temporary folder that is removed at the end). The exit code is 0 if everything went
as it should: untouched files accepted, every changed file caught. The time-stamping authorities are real ones, certomancer and,
where it is installed, OpenSSL; they run on this machine, behind small servers.
"""

from __future__ import annotations

import shutil
import ssl
import subprocess
import sys
import sysconfig
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import anyio
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from dcmsign.stream import verify
from pydicom.data import get_testdata_file

from tests.tsa.certomancer_authority import certomancer
from tests.tsa.servers import OpenSSLAuthority, Server

DCMSIGN = Path(sysconfig.get_path("scripts")) / "dcmsign"
OK, CORRUPTED = 0, 101

IMAGES = {
    "ct.dcm": ("CT_small.dcm", "a CT slice, uncompressed"),
    "us.dcm": ("examples_ybr_color.dcm", "an ultrasound clip, 30 frames in JPEG"),
}
PATIENT_NAMES = {"ct.dcm": b"CompressedSamples^CT1", "us.dcm": b"PLA"}
PATIENT_NAME_TAG = b"\x10\x00\x10\x00PN"
PIXEL_DATA_TAG = b"\xe0\x7f\x10\x00O"


def certificate(
    subject: str, key: ec.EllipticCurvePrivateKey, issuer: str, issuer_key: ec.EllipticCurvePrivateKey, *, is_ca: bool
) -> bytes:
    """A certificate for one day in PEM, signed with the issuer's key."""

    def name(common_name: str) -> x509.Name:
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])

    now = datetime.now(UTC)
    builder = x509.CertificateBuilder(
        subject_name=name(subject),
        issuer_name=name(issuer),
        public_key=key.public_key(),
        serial_number=x509.random_serial_number(),
        not_valid_before=now - timedelta(hours=1),
        not_valid_after=now + timedelta(days=1),
    ).add_extension(x509.BasicConstraints(ca=is_ca, path_length=None), critical=True)
    return builder.sign(issuer_key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def make_identities(folder: Path) -> None:
    """A certification authority and a signer it vouches for: ca.pem, signer.pem, signer-key.pem."""
    ca_key, signer_key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    (folder / "ca.pem").write_bytes(certificate("Demo Hospital CA", ca_key, "Demo Hospital CA", ca_key, is_ca=True))
    (folder / "signer.pem").write_bytes(certificate("Dr. Demo", signer_key, "Demo Hospital CA", ca_key, is_ca=False))
    pem, unencrypted = serialization.Encoding.PEM, serialization.NoEncryption()
    key_file = folder / "signer-key.pem"
    key_file.touch(mode=0o600)
    key_file.write_bytes(signer_key.private_bytes(pem, serialization.PrivateFormat.PKCS8, unencrypted))


def run(folder: Path, *arguments: str, expected: int) -> bool:
    """Show and run one dcmsign command; True if it ended with the expected exit code."""
    print(f"  $ dcmsign {' '.join(arguments)}")
    result = subprocess.run([DCMSIGN, *arguments], cwd=folder, capture_output=True, text=True, check=False)
    for line in (result.stdout + result.stderr).splitlines():
        print(f"    {line}")
    print(f"    exit code {result.returncode}{'' if result.returncode == expected else f', expected {expected}'}\n")
    return result.returncode == expected


def check(folder: Path, file: str, *, expected: int) -> bool:
    """Verify a file, trusting what the demo's authority vouches for; a file without signature is not accepted."""
    return run(folder, "--require-sig", "--add-cert-file", "ca.pem", file, expected=expected)


def signature_uid(path: Path) -> str:
    """The UID of the only signature in a file."""

    async def find() -> str:
        (signature,) = (await verify(path)).signatures
        assert signature.uid is not None
        return signature.uid

    return anyio.run(find)


def certified(folder: Path, file: str, authority: str) -> bool:
    """Verify a file that has to have a timestamp of this authority."""
    trusted = ("--add-cert-file", "ca.pem", "--add-cert-file", authority)
    return run(folder, "--require-sig", "--require-ts", *trusted, file, expected=OK)


def stamp(folder: Path) -> bool:
    """Get timestamps from the authorities there are; True if everything went as it should."""
    print("4. A time-stamping authority certifies when a signature was there, so that it outlives the signer's certificate.\n")
    keys = ("signer-key.pem", "signer.pem")
    with tempfile.TemporaryDirectory() as state, certomancer(Path(state)) as authority:
        (folder / "certomancer-ca.pem").write_text(ssl.DER_cert_to_PEM_cert(authority.ca))
        print("  certomancer, asked for the signature that the CT slice has already:")
        uid = signature_uid(folder / "signed-ct.dcm")
        trusted = ("--ts-cert-file", "certomancer-ca.pem")
        good = run(
            folder, "--request-timestamp", uid, authority.url, *trusted, "signed-ct.dcm", "stamped-ct.dcm", expected=OK
        ) and certified(folder, "stamped-ct.dcm", "certomancer-ca.pem")
    openssl = shutil.which("openssl")
    if openssl is None:
        print("  There is no OpenSSL on this machine, so that one authority has to be enough.\n")
        return good
    with tempfile.TemporaryDirectory() as state:
        other = OpenSSLAuthority(Path(state), openssl=openssl)
        shutil.copyfile(other.ca, folder / "openssl-ca.pem")
        with Server(other.behave) as server:
            print("  OpenSSL, asked while the ultrasound clip is signed:")
            trusted = ("--ts-cert-file", "openssl-ca.pem")
            asked = ("--timestamp-url", server.url, *trusted)
            good &= run(folder, "--verbose", "--mac-sha256", "--sign", *keys, *asked, "us.dcm", "stamped-us.dcm", expected=OK)
        good &= certified(folder, "stamped-us.dcm", "openssl-ca.pem")
        print("  The same through files, which is how DCMTK's dcmsign does it:")
        files = ("--timestamp-file", "query.tsq", "uid.dcm")
        good &= run(folder, "--mac-sha256", "--sign", *keys, *files, "us.dcm", "signed-us.dcm", expected=OK)
        (folder / "reply.tsr").write_bytes(other.reply((folder / "query.tsq").read_bytes()))
        print("  (OpenSSL replies to query.tsq with reply.tsr)")
        insert = ("--insert-timestamp", "query.tsq", "reply.tsr", "uid.dcm")
        good &= run(folder, *insert, "signed-us.dcm", "inserted-us.dcm", expected=OK)
        return good and certified(folder, "inserted-us.dcm", "openssl-ca.pem")


def flip(source: Path, target: Path, offset: int) -> None:
    """Copy a file with the lowest bit of one byte inverted."""
    content = bytearray(source.read_bytes())
    content[offset] ^= 1
    target.write_bytes(content)


def tamper(folder: Path, name: str) -> dict[str, str]:
    """Write two damaged copies of a signed file; file name to what was changed."""
    signed = folder / f"signed-{name}"
    content = signed.read_bytes()
    patient = content.index(PATIENT_NAMES[name], content.index(PATIENT_NAME_TAG))
    pixels = content.index(PIXEL_DATA_TAG)
    end = content.index(b"\xfa\xff\xfa\xff", pixels)  # the signature follows the pixels
    pixel = (pixels + end) // 2
    flip(signed, folder / f"pixel-{name}", pixel)
    flip(signed, folder / f"patient-{name}", patient)
    old, new = chr(content[patient]), chr(content[patient] ^ 1)
    return {
        f"pixel-{name}": f"one bit of the image has been inverted (byte {pixel:,} of {len(content):,})",
        f"patient-{name}": f"one letter of the patient's name has been changed ({old} became {new})",
    }


def demonstrate(folder: Path) -> bool:
    """Run all steps in `folder`; True if everything went as it should."""
    print("1. Somebody has to be trusted: a throw-away certification authority and a signer with a key.\n")
    make_identities(folder)
    print("     ca.pem  signer.pem  signer-key.pem\n")

    print("2. Sign two images. The signature goes into the file; it covers the header and the pixels.\n")
    good = True
    for name, (original, description) in IMAGES.items():
        shutil.copyfile(str(get_testdata_file(original)), folder / name)
        print(f"  {name}: {description}")
        good &= run(
            folder, "--verbose", "--mac-sha256", "--sign", "signer-key.pem", "signer.pem", name, f"signed-{name}", expected=OK
        )

    print("3. Verify them with the authority's certificate. Exit code 0 says: unchanged, and signed by someone trusted.\n")
    for name in IMAGES:
        good &= check(folder, f"signed-{name}", expected=OK)

    good &= stamp(folder)

    print("5. Change one bit of each signed file. Exit code 101 says: do not trust this file.\n")
    for name in IMAGES:
        for damaged, change in tamper(folder, name).items():
            print(f"  {damaged}: {change}")
            good &= check(folder, damaged, expected=CORRUPTED)
    return good


def main() -> int:
    """Run the demo in the folder named on the command line, or in a temporary one."""
    if len(sys.argv) > 2:
        print(__doc__)
        return 2
    if len(sys.argv) == 2:
        folder = Path(sys.argv[1])
        folder.mkdir(parents=True, exist_ok=True)
        good = demonstrate(folder)
        print(f"The files are in {folder}/ for you to look at.")
    else:
        with tempfile.TemporaryDirectory(prefix="dcmsign-demo-") as temporary:
            good = demonstrate(Path(temporary))
    print("All as it should be." if good else "Something went wrong, see above.")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
