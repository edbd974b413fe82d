"""The certification authority options: exit code and every line as DCMTK's dcmsign has them."""

from __future__ import annotations

import shlex
import shutil
from base64 import b64decode
from pathlib import Path

import pytest

from tests.cli.conftest import Bench
from tests.trust import forge
from tests.trust.authorities import LATER, MIDDLE, PAST, ROOT, SERIAL, certificates, list_pem, object_signed_with, revoke

pytestmark = pytest.mark.usefixtures("reference_version")

SAME_OUTPUT = """
+cf root.pem +uf middle.pem by-signer.dcm
-v +cf root.pem +uf middle.pem by-signer.dcm
+cf root.pem by-signer.dcm
+cf middle.pem by-signer.dcm
+uf root.pem +uf middle.pem by-signer.dcm
+cf chain.pem by-signer.dcm
+cl +cf chain.pem by-signer.dcm
-v +cl +cf chain.pem by-signer.dcm
-q +cl +cf chain.pem by-signer.dcm
+cl +cl +cf chain.pem by-signer.dcm
+cl by-signer.dcm
+cl by-alone.dcm
+cf alone.pem by-alone.dcm
+cl +cf alone.pem by-alone.dcm
+cr alone.crl +cf alone.pem by-alone.dcm
+cr alone-revoked.crl +cf alone.pem by-alone.dcm
+cr middle.crl +cf chain.pem by-signer.dcm
-v +cr middle.crl +cf chain.pem by-signer.dcm
+cr middle-revoked.crl +cf chain.pem by-signer.dcm
-v +cr middle-revoked.crl +cf chain.pem by-signer.dcm
-q +cr middle-revoked.crl +cf chain.pem by-signer.dcm
+cr middle-expired.crl +cf chain.pem by-signer.dcm
+cr middle-damaged.crl +cf chain.pem by-signer.dcm
+cr root-revokes-middle.crl +cr middle.crl +cf chain.pem by-signer.dcm
+cr root-revokes-middle.crl +cf chain.pem by-signer.dcm
+cr middle.crl +cr middle-revoked.crl +cf chain.pem by-signer.dcm
+cr middle-revoked.crl +cr middle.crl +cf chain.pem by-signer.dcm
+cr middle-expired.crl +cr middle-revoked.crl +cf chain.pem by-signer.dcm
+cr middle-damaged.crl +cr middle.crl +cf chain.pem by-signer.dcm
+cr middle.crl +cr middle-damaged.crl +cf chain.pem by-signer.dcm
+cr good-then-revoked.pem +cf chain.pem by-signer.dcm
+cr revoked-then-good.pem +cf chain.pem by-signer.dcm
+cr bad-then-revoked.pem +cf chain.pem by-signer.dcm
+cr revoked-then-bad.pem +cf chain.pem by-signer.dcm
+cr chain.pem +cf chain.pem by-signer.dcm
+cr everything.pem +cf chain.pem by-signer.dcm
+cr missing +cf chain.pem by-signer.dcm
+cr "" +cf chain.pem by-signer.dcm
+cr . +cf chain.pem by-signer.dcm
+cr empty +cf chain.pem by-signer.dcm
+cr missing +cl +cf chain.pem by-signer.dcm
+cr missing +cr middle-revoked.crl +cf chain.pem by-signer.dcm
+cf everything.pem by-signer.dcm
+cl +cf everything.pem by-signer.dcm
+cl +cf middle-revoked.crl +cf chain.pem by-signer.dcm
+cf bad-list.pem by-signer.dcm
+cf root.pem +uf bad-list.pem by-signer.dcm
+cl +cf root.pem +uf everything.pem by-signer.dcm
+cl +cf chain.pem +cr middle.crl.der by-signer.dcm
+cr middle.crl.der +cf chain.pem by-signer.dcm
-der +cf root.der +uf middle.der by-signer.dcm
-der +cf root.der +uf middle.der +cr middle-revoked.crl.der by-signer.dcm
-der +cf root.der +uf middle.der +cr middle.crl.der by-signer.dcm
-der +cf root.der +uf middle.der +cr middle-revoked.crl by-signer.dcm
-der +cf middle-revoked.crl.der by-signer.dcm
-der +cd store-der by-signer.dcm
-der +cl +cd store-der by-signer.dcm
-der +cd store by-signer.dcm
+cd store-der by-signer.dcm
+cd store by-signer.dcm
-v +cd store by-signer.dcm
+cl +cd store by-signer.dcm
-v +cl +cd store by-signer.dcm
+cd store +cr root-revokes-middle.crl by-signer.dcm
+cd store/ by-signer.dcm
+cd . by-signer.dcm
+cd missing by-signer.dcm
+cd root.pem by-signer.dcm
+cd "" by-signer.dcm
+cd "" +cd store by-signer.dcm
+cd : by-signer.dcm
+cd :roots::middles: by-signer.dcm
+cd roots:middles by-signer.dcm
+cd roots +cd middles by-signer.dcm
+cd middles +cd roots by-signer.dcm
+cd missing +cd roots +uf middle.pem by-signer.dcm
+cl +cd roots:middles by-signer.dcm
+cd roots by-signer.dcm
+cd middles by-signer.dcm
+cd misnamed +uf middle.pem by-signer.dcm
+cd gap +uf middle.pem by-signer.dcm
+cr x +cf y +cd "" +uf z +cf a +cr b +uf c +cd "" by-signer.dcm
-v +cr x +cf y +cd "" +uf z +cf a by-signer.dcm
-ll error +cr x +cf y +cd "" by-signer.dcm
+cr x in.dcm
+cd "" missing.dcm
+cl +rg in.dcm
-v +cl +cr middle-revoked.crl +cf chain.pem tampered.dcm
+cl --verify +cf chain.pem by-signer.dcm
""".strip().splitlines()


@pytest.fixture(scope="session")
def trust_files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Certificates, lists, directories and signed objects."""
    folder = tmp_path_factory.mktemp("trust")
    root, middle = (forge.pem(certificates()[name]) for name in ("root", "middle"))
    good, revoked = revoke("middle"), revoke("middle", SERIAL, this_update=LATER)
    bad = forge.pem(b"0\0", "X509 CRL")
    lists = {
        "middle": good,
        "middle-revoked": revoked,
        "middle-expired": revoke("middle", next_update=PAST),
        "middle-damaged": revoked[:-1] + bytes((revoked[-1] ^ 1,)),
        "root-revokes-middle": revoke("root", 3),
        "alone": revoke("alone"),
        "alone-revoked": revoke("alone", SERIAL),
    }
    stores: dict[str, dict[str, bytes]] = {
        "store": {f"{ROOT}.0": root, f"{MIDDLE}.0": middle, f"{MIDDLE}.r0": list_pem(good), f"{MIDDLE}.r1": list_pem(revoked)},
        "roots": {f"{ROOT}.0": root},
        "middles": {f"{MIDDLE}.0": middle, f"{MIDDLE}.r0": list_pem(revoked)},
        "misnamed": {"root.pem": root, f"{MIDDLE}.0": root},
        "gap": {f"{ROOT}.1": root},
    }
    stores["store-der"] = {name: b64decode(content.split(b"-----")[2]) for name, content in stores["store"].items()}
    contents = {
        "chain.pem": root + middle,
        "everything.pem": b"notes\n" + root + list_pem(revoked) + middle,
        "bad-list.pem": root + middle + bad,
        "good-then-revoked.pem": list_pem(good, revoked),
        "revoked-then-good.pem": list_pem(revoked, good),
        "bad-then-revoked.pem": bad + list_pem(revoked),
        "revoked-then-bad.pem": list_pem(revoked) + bad,
        "tampered.dcm": object_signed_with("signer").replace(b"1.2.3.4\0", b"1.2.3.5\0"),
        **{f"{name}.pem": forge.pem(certificates()[name]) for name in ("root", "middle", "alone")},
        **{f"{name}.der": certificates()[name] for name in ("root", "middle")},
        **{f"{name}.crl": list_pem(encoding) for name, encoding in lists.items()},
        **{f"{name}.crl.der": encoding for name, encoding in lists.items()},
        **{f"by-{name}.dcm": object_signed_with(name) for name in ("signer", "alone")},
        **{f"{store}/{name}": content for store, files in stores.items() for name, content in files.items()},
    }
    for store in stores:
        (folder / store).mkdir()
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    return folder


@pytest.fixture
def files(bench: Bench, trust_files: Path) -> Bench:
    shutil.copytree(trust_files, bench.folder, dirs_exist_ok=True)
    return bench


@pytest.mark.parametrize("line", SAME_OUTPUT)
def test_same_output(files: Bench, line: str) -> None:
    arguments = shlex.split(line)
    assert files.ours(*arguments) == files.reference(*arguments)


@pytest.mark.parametrize(
    ("line", "lists", "theirs", "ours"),
    [
        # a delta list is no complete one
        ("+cr delta.crl +cf chain.pem", ["delta"], "OK", "unable to get certificate CRL"),
        # all directories are asked, and the list that counts is the newest
        ("+cl +cf chain.pem +cd two +cd one", ["good", "revoked"], "OK", "certificate revoked"),
        ("+cl +cf chain.pem +cd two +cd one", ["expired", "good"], "CRL has expired", "OK"),
    ],
)
def test_deliberate_differences(files: Bench, line: str, lists: list[str], theirs: str, ours: str) -> None:
    delta = forge.plain_extensions(("2.5.29.20", False, forge.integer(2)), ("2.5.29.27", True, forge.integer(1)))
    encodings = {
        "delta": revoke("middle", extensions=delta),
        "good": revoke("middle"),
        "revoked": revoke("middle", SERIAL, this_update=LATER),
        "expired": revoke("middle", next_update=PAST),
    }
    (files.folder / "delta.crl").write_bytes(list_pem(encodings["delta"]))
    for name, encoding in zip(("one", "two"), lists, strict=False):
        (files.folder / name).mkdir()
        (files.folder / name / f"{MIDDLE}.r0").write_bytes(list_pem(encodings[encoding]))
    for run, verdict in ((files.reference, theirs), (files.ours, ours)):
        done = run(*line.split(), "by-signer.dcm")
        assert done.code == (0 if verdict == "OK" else 101)
        assert done.err.endswith(f": {verdict}\n")


def test_a_list_file_that_cannot_be_used_leaves_no_one_trusted(files: Bench) -> None:
    """Of version 3, which no one has defined: dcmsign reads it, later decoders do not."""
    (files.folder / "odd.crl").write_bytes(list_pem(revoke("middle", version=2)))
    done = files.ours("+cr", "odd.crl", "+cf", "chain.pem", "by-signer.dcm")
    assert (done.code, done.err.splitlines()[-1].rpartition(": ")[2]) == (101, "unable to get certificate CRL")
