"""Keys and certificates of all kinds and forms: exit code and every line as DCMTK's dcmsign has them."""

from __future__ import annotations

import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
from cryptography.x509 import load_pem_x509_certificate

from tests.cli.conftest import Bench
from tests.peers import require_peer
from tests.trust import dsa_parameters, forge

pytestmark = pytest.mark.usefixtures("reference_version")

KINDS = {
    "rsa": "-algorithm RSA -pkeyopt rsa_keygen_bits:2048",
    "weak": "-algorithm RSA -pkeyopt rsa_keygen_bits:768",
    "ec": "-algorithm EC -pkeyopt ec_paramgen_curve:P-256",
    "weak-ec": "-algorithm EC -pkeyopt ec_paramgen_curve:prime192v1",
    "dsa": "-paramfile dsa.params",
    "ed": "-algorithm ED25519",
    "pss": "-algorithm RSA-PSS -pkeyopt rsa_keygen_bits:2048",
}
"""Name to the options of ``openssl genpkey``."""

FORMS = {
    "rsa-pkcs1.pem": "pkey -in rsa.pem -traditional",
    "ec-sec1.pem": "pkey -in ec.pem -traditional",
    "ec-parameters.pem": "ecparam -name prime256v1",
    "dsa-traditional.pem": "pkey -in dsa.pem -traditional",
    "rsa-pkcs1.der": "pkey -in rsa.pem -traditional -outform DER",
    "ec-sec1.der": "pkey -in ec.pem -traditional -outform DER",
    "dsa-traditional.der": "pkey -in dsa.pem -traditional -outform DER",
    "rsa-aes.pem": "rsa -in rsa.pem -traditional -aes256 -passout pass:secret",
    "rsa-3des.pem": "rsa -in rsa.pem -traditional -des3 -passout pass:secret",
    "ec-aes.pem": "ec -in ec.pem -aes128 -passout pass:secret",
    "dsa-aes.pem": "dsa -in dsa.pem -aes128 -passout pass:secret",
    "pkcs8-aes.pem": "pkcs8 -topk8 -in rsa.pem -v2 aes-256-cbc -passout pass:secret",
    "pkcs8-sha512.pem": "pkcs8 -topk8 -in rsa.pem -v2 aes-128-cbc -v2prf hmacWithSHA512 -passout pass:secret",
    "pkcs8-3des.pem": "pkcs8 -topk8 -in rsa.pem -v2 des3 -passout pass:secret",
    "pkcs8-pbe.pem": "pkcs8 -topk8 -in rsa.pem -v1 PBE-SHA1-3DES -passout pass:secret",
    "pkcs8-scrypt.pem": "pkcs8 -topk8 -in ec.pem -scrypt -passout pass:secret",
    "pkcs8-empty.pem": "pkcs8 -topk8 -in rsa.pem -v2 aes-256-cbc -passout pass:",
    "pkcs8-aes.der": "pkcs8 -topk8 -in rsa.pem -v2 aes-256-cbc -passout pass:secret -outform DER",
    "rsa-aes192.pem": "rsa -in rsa.pem -traditional -aes192 -passout pass:secret",
    "rsa-camellia.pem": "rsa -in rsa.pem -traditional -camellia128 -passout pass:secret",
    "pkcs8-camellia.pem": "pkcs8 -topk8 -in rsa.pem -v2 camellia-128-cbc -passout pass:secret",
    "public.pem": "pkey -in rsa.pem -pubout",
    "request.pem": "req -new -key rsa.pem -subj /CN=rsa",
    "trusted-cert.pem": "x509 -in rsa-cert.pem -trustout -addtrust anyExtendedKeyUsage",
}
"""Name to the command of openssl that makes the file."""

SIGNING = """
+s rsa.pem rsa-cert.pem
+s ec.pem ec-cert.pem
+s dsa.pem dsa-cert.pem
+s rsa-pkcs1.pem rsa-cert.pem
+s ec-sec1.pem ec-cert.pem
+s ec-with-parameters.pem ec-cert.pem
+s dsa-traditional.pem dsa-cert.pem
-der +s rsa.der rsa-cert.der
-der +s ec.der ec-cert.der
-der +s dsa.der dsa-cert.der
-der +s rsa-pkcs1.der rsa-cert.der
-der +s ec-sec1.der ec-cert.der
-der +s dsa-traditional.der dsa-cert.der
-der +s rsa.pem rsa-cert.der
-der +s rsa.der rsa-cert.pem
+s rsa.der rsa-cert.pem
+s rsa.pem rsa-cert.der
+s both.pem both.pem
+s notes.pem notes.pem
+s rsa.pem signer-first.pem
+s rsa.pem issuer-first.pem
+s two-keys.pem rsa-cert.pem
+s two-keys.pem ec-cert.pem
+s rsa.pem trusted-cert.pem
+s rsa.pem request.pem
+s rsa.pem rsa.pem
+s rsa-cert.pem rsa-cert.pem
+s public.pem rsa-cert.pem
+s cut.pem rsa-cert.pem
+s rsa.pem cut-cert.pem
+s rsa.pem ec-cert.pem
+s ec.pem rsa-cert.pem
+s other.pem rsa-cert.pem
+s rsa.pem other-cert.pem
+s dsa.pem ec-cert.pem
+s ed.pem ed-cert.pem
+s pss.pem pss-cert.pem
+s ed.pem rsa-cert.pem
+s rsa.pem ed-cert.pem
+s pss.pem rsa-cert.pem
+s rsa.pem pss-cert.pem
+s weak.pem weak-cert.pem
+s weak-ec.pem weak-ec-cert.pem
+s rsa.pem expired-cert.pem
+s rsa.pem future-cert.pem
-v +s rsa.pem expired-cert.pem
-q +s rsa.pem expired-cert.pem
-v +s weak.pem weak-cert.pem
+pw secret +s rsa-aes.pem rsa-cert.pem
+pw secret +s rsa-3des.pem rsa-cert.pem
+pw secret +s ec-aes.pem ec-cert.pem
+pw secret +s dsa-aes.pem dsa-cert.pem
+pw secret +s pkcs8-aes.pem rsa-cert.pem
+pw secret +s pkcs8-sha512.pem rsa-cert.pem
+pw secret +s pkcs8-3des.pem rsa-cert.pem
+pw secret +s pkcs8-pbe.pem rsa-cert.pem
+pw secret +s pkcs8-scrypt.pem ec-cert.pem
+pw wrong +s rsa-aes.pem rsa-cert.pem
+pw wrong +s pkcs8-aes.pem rsa-cert.pem
+pw Secret +s pkcs8-scrypt.pem ec-cert.pem
+pw "" +s rsa-aes.pem rsa-cert.pem
+pw "" +s pkcs8-aes.pem rsa-cert.pem
+pw "" +s rsa.pem rsa-cert.pem
-pw +s rsa.pem rsa-cert.pem
-pw +s rsa-aes.pem rsa-cert.pem
-pw +s pkcs8-aes.pem rsa-cert.pem
+pw unused +s rsa.pem rsa-cert.pem
+pw secret -pw +s pkcs8-aes.pem rsa-cert.pem
-pw +pw secret +s pkcs8-aes.pem rsa-cert.pem
+pw secret -der +s pkcs8-aes.der rsa-cert.der
-der +s pkcs8-aes.der rsa-cert.der
+pw secret +s pkcs8-aes.pem missing.pem
+pw secret +s missing.pem rsa-cert.pem
+s . rsa-cert.pem
+s rsa.pem .
+pw wrong +s pkcs8-aes.pem ec-cert.pem
+pw secret +s pkcs8-aes.pem ec-cert.pem
+s empty-line.pem rsa-cert.pem
+s windows.pem windows-cert.pem
""".strip().splitlines()


def openssl(folder: Path, command: str) -> bytes:
    done = subprocess.run([require_peer("openssl"), *shlex.split(command)], cwd=folder, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="session")
def key_files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Keys, certificates and files with several of them."""
    folder = tmp_path_factory.mktemp("keys")
    files: dict[str, bytes] = {}

    def write(name: str, content: bytes) -> bytes:
        files[name] = content
        (folder / name).write_bytes(content)
        return content

    write("dsa.params", dsa_parameters.DSA_2048_224)
    for kind, options in {**KINDS, "other": KINDS["rsa"]}.items():
        write(f"{kind}.pem", openssl(folder, f"genpkey {options}"))
        write(f"{kind}.der", openssl(folder, f"pkey -in {kind}.pem -outform DER"))
        write(f"{kind}-cert.pem", openssl(folder, f"req -x509 -new -key {kind}.pem -subj /CN={kind} -days 3650"))
        write(f"{kind}-cert.der", openssl(folder, f"x509 -in {kind}-cert.pem -outform DER"))
    for name, command in FORMS.items():
        write(name, openssl(folder, command))
    public = forge.key_info(load_pem_x509_certificate(files["rsa-cert.pem"]).public_key())
    write("expired-cert.pem", forge.pem(forge.certificate(key=public, not_after=forge.utc("250101000000Z"))))
    write("future-cert.pem", forge.pem(forge.certificate(key=public, not_before=forge.utc("390101000000Z"))))
    write("ec-with-parameters.pem", files["ec-parameters.pem"] + files["ec-sec1.pem"])
    write("both.pem", files["rsa.pem"] + files["rsa-cert.pem"])
    write(
        "notes.pem",
        b"notes\n" + files["other-cert.pem"].replace(b"CERTIFICATE", b"NOTE") + files["rsa-cert.pem"] + files["rsa.pem"],
    )
    write("signer-first.pem", files["rsa-cert.pem"] + files["other-cert.pem"])
    write("issuer-first.pem", files["other-cert.pem"] + files["rsa-cert.pem"])
    write("two-keys.pem", files["rsa.pem"] + files["ec.pem"])
    write("cut.pem", files["rsa.pem"][:-30])
    write("cut-cert.pem", files["rsa-cert.pem"][:-30])
    write("empty-line.pem", files["rsa.pem"].replace(b"-----\n", b"-----\n\n", 1))
    write("windows.pem", files["rsa.pem"].replace(b"\n", b"\r\n"))
    write("windows-cert.pem", files["rsa-cert.pem"].replace(b"\n", b"\r\n"))
    return folder


@pytest.mark.parametrize("line", SIGNING)
def test_same_output(bench: Bench, key_files: Path, line: str) -> None:
    shutil.copytree(key_files, bench.folder, dirs_exist_ok=True)
    target = bench.folder / "out.dcm"
    arguments = ("+m2", *shlex.split(line), "in.dcm", "out.dcm")
    expected = bench.reference(*arguments)
    written = target.exists()
    target.unlink(missing_ok=True)
    assert bench.ours(*arguments) == expected
    assert target.exists() == written == (expected.code == 0)
    if written:  # the reference is content with what was signed here
        verified = bench.reference("-v", "out.dcm")
        assert "failed: signature is invalid" not in verified.err
        assert bench.ours("-v", "out.dcm") == verified


@pytest.mark.parametrize("name", ["pkcs8-empty", "rsa-aes192", "rsa-camellia", "pkcs8-camellia"])
def test_deliberate_differences(bench: Bench, key_files: Path, name: str) -> None:
    """Encryption with no password or an unusual cipher: such keys are refused, as if the password were wrong."""
    shutil.copytree(key_files, bench.folder, dirs_exist_ok=True)
    password = ("-pw",) if name == "pkcs8-empty" else ("+pw", "secret")
    arguments = ("+m2", *password, "+s", f"{name}.pem", "rsa-cert.pem", "in.dcm", "out.dcm")
    assert bench.reference(*arguments).code == 0
    wrong = bench.reference("+m2", "+pw", "wrong", *arguments[len(password) + 1 :])
    (bench.folder / "out.dcm").unlink()
    assert bench.ours(*arguments) == wrong
    assert wrong.code == 20
    assert not (bench.folder / "out.dcm").exists()
