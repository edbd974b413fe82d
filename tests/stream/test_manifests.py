"""Manifests of whole studies: conforming documents, digests as of peers, every kind of change found."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pydicom
import pytest
from dcmsign.stream import (
    InstanceReport,
    InstanceStatus,
    KeySigner,
    ManifestReport,
    ManifestTitle,
    Policy,
    Strength,
    Trust,
    errors,
    make_manifest,
    open_manifest,
    sign,
    verify_manifest,
)
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from tests.peers import require_peer
from tests.stream import studies
from tests.stream.many_files import children
from tests.stream.material import MAC_VECTORS, noon

Run = Callable[..., Any]
Status = InstanceStatus


@pytest.fixture(autouse=True)
def no_processes_left() -> Iterator[None]:
    before = children()
    yield
    assert children() <= before


@pytest.fixture(scope="module")
def threads() -> Iterator[ThreadPoolExecutor]:
    """Instead of processes, which take longer to start than a small study takes."""
    with ThreadPoolExecutor(2) as executor:
        together = threading.Barrier(2)
        assert len(list(executor.map(lambda _: together.wait(), range(2)))) == 2  # both have begun
        yield executor


@pytest.fixture
def study(tmp_path: Path) -> list[Path]:
    return studies.diverse(tmp_path / "study")


@pytest.fixture
def made(run: Run, tmp_path: Path, study: list[Path], signer: KeySigner, threads: ThreadPoolExecutor) -> Path:
    """A manifest of the study."""
    target = tmp_path / "manifest.dcm"
    run(lambda: make_manifest(study, target, signer=signer, executor=threads))
    return target


@pytest.fixture
def check(run: Run, trust: Trust, threads: ThreadPoolExecutor) -> Callable[..., ManifestReport]:
    def check(manifest: Any, sources: Any, **options: Any) -> ManifestReport:
        chosen: dict[str, Any] = {"trust": trust, "executor": threads} | options
        report: ManifestReport = run(lambda: verify_manifest(manifest, sources, **chosen))
        return report

    return check


def only(report: ManifestReport, status: Status) -> InstanceReport:
    """The one result that is not intact."""
    bad = {kind: count for kind, count in report.counts.items() if count and kind is not Status.INTACT}
    assert bad == {status: 1}
    assert not report.ok
    (found,) = [instance for instance in report.instances if instance.status is status]
    return found


def text(*command: str | Path) -> str:
    return subprocess.run(list(map(str, command)), capture_output=True, text=True, check=True, timeout=60).stdout


# ------------------------------------------------------------------ the document


def test_all_is_well(made: Path, study: list[Path], check: Callable[..., ManifestReport]) -> None:
    report = check(made, [made, *study], everything=True)
    assert report.ok
    assert {name: level.reached for name, level in report.levels._asdict().items()} == {
        "signed": True,
        "trusted": True,
        "timestamped": None,
        "intact": True,
        "complete": True,
        "exact": True,
        "covered": True,
    }
    assert {instance.status for instance in report.instances} == {Status.INTACT}
    assert report.study == studies.STUDY
    report.raise_for_status()
    data = report.to_dict()
    assert data["counts"]["intact"] == data["references"] == len(study)
    assert not check(made, study, trust=Trust.NONE).ok


TYPE_1 = (
    "SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID", "SeriesNumber", "Modality", "InstanceNumber",
    "ContentDate", "ContentTime", "ValueType", "ConceptNameCodeSequence", "ContinuityOfContent", "ContentTemplateSequence",
    "ContentSequence", "CurrentRequestedProcedureEvidenceSequence",
)  # fmt: skip
TYPE_2 = (
    "PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyDate", "StudyTime", "ReferringPhysicianName", "StudyID",
    "AccessionNumber", "ReferencedPerformedProcedureStepSequence", "Manufacturer",
)  # fmt: skip
"""Of the modules that PS3.3 A.35.4 makes mandatory: Patient, General Study, Key Object Document Series and Document, General
Equipment, SR Document Content, SOP Common."""


def test_document_conforms(made: Path, study: list[Path]) -> None:
    dataset = pydicom.dcmread(made)
    assert all(dataset[keyword].value not in (None, "") for keyword in TYPE_1)
    assert all(keyword in dataset for keyword in TYPE_2)
    assert dataset.Modality == "KO"
    assert dataset.PatientName == "Doe^Jane"
    assert dataset.ConceptNameCodeSequence[0].CodeValue == "113031"
    template = dataset.ContentTemplateSequence[0]
    assert (template.MappingResource, template.TemplateIdentifier) == ("DCMR", "2010")
    instances = [pydicom.dcmread(path) for path in study]
    (evidence,) = dataset.CurrentRequestedProcedureEvidenceSequence
    listed = {
        item.ReferencedSOPInstanceUID: (series.SeriesInstanceUID, item.ReferencedSOPClassUID)
        for series in evidence.ReferencedSeriesSequence
        for item in series.ReferencedSOPSequence
    }
    assert listed == {one.SOPInstanceUID: (one.SeriesInstanceUID, one.SOPClassUID) for one in instances}
    content = {item.ReferencedSOPSequence[0].ReferencedSOPInstanceUID: item.ValueType for item in dataset.ContentSequence}
    assert content == {one.SOPInstanceUID: "IMAGE" if "PixelData" in one else "COMPOSITE" for one in instances}
    assert dataset.DigitalSignaturesSequence[0].DigitalSignaturePurposeCodeSequence[0].CodeValue == "14"


def test_dcmtk_accepts_the_document(made: Path) -> None:
    listing = subprocess.run([require_peer("dsrdump"), str(made)], capture_output=True, text=True, check=True, timeout=60)
    assert not [line for line in listing.stderr.splitlines() if line.startswith(("E:", "F:"))]
    assert "Key Object Selection Document" in listing.stdout
    assert listing.stdout.count("<contains IMAGE:") == 6
    assert listing.stdout.count("<contains COMPOSITE:") == 1
    trusted = ("+cf", str(MAC_VECTORS / "cert-rsa.pem"))
    subprocess.run([require_peer("dcmsign"), "--verify", *trusted, str(made)], check=True, capture_output=True, timeout=60)


def test_waveforms_and_descriptions(
    run: Run, tmp_path: Path, signer: KeySigner, threads: ThreadPoolExecutor, check: Callable[..., ManifestReport]
) -> None:
    path, target = tmp_path / "ecg.dcm", tmp_path / "manifest.dcm"
    path.write_bytes(studies.small(1, sop_class=studies.ECG))
    title = ManifestTitle.SIGNED_COMPLETE_STUDY
    options: dict[str, Any] = {"title": title, "description": "as received", "algorithm": "SHA512"}
    receipt = run(lambda: make_manifest([path], target, signer=signer, executor=threads, clock=noon, **options))
    assert receipt.to_dict()["title"] == "Signed Complete Study Content"
    listing = text(require_peer("dsrdump"), target)
    assert "<contains WAVEFORM:" in listing
    assert '<contains TEXT:(,,"Key Object Description")="as received">' in listing
    report = check(target, [path])
    assert report.ok
    assert report.title == ("113033", "Signed Complete Study Content")
    assert pydicom.dcmread(target).ContentDate == "20260601"


def test_other_keys_sign_too(
    run: Run, tmp_path: Path, study: list[Path], threads: ThreadPoolExecutor, check: Callable[..., ManifestReport]
) -> None:
    signer = KeySigner.load(MAC_VECTORS / "key-ec.pem", MAC_VECTORS / "cert-ec.pem")
    run(lambda: make_manifest(study, tmp_path / "m.dcm", signer=signer, executor=threads))
    assert check(tmp_path / "m.dcm", study).ok


# ------------------------------------------------------------------ digests


def peer_digest(path: Path, folder: Path) -> bytes:
    """SHA-256 of the bytes that DCMTK digests for a signature, without those of the signature itself."""
    dump = folder / "dump"
    keys = (str(MAC_VECTORS / "key-rsa.pem"), str(MAC_VECTORS / "cert-rsa.pem"))
    command = [require_peer("dcmsign"), "--sign", *keys, "--mac-sha256", "--dump", str(dump), str(path), str(folder / "out")]
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    data = dump.read_bytes()
    return hashlib.sha256(data[: data.rindex(b"\x00\x04\x05\x00US\x02\x00")]).digest()


def test_digests_are_those_of_dcmtk(made: Path, study: list[Path], tmp_path: Path) -> None:
    (evidence,) = pydicom.dcmread(made).CurrentRequestedProcedureEvidenceSequence
    items = [item for series in evidence.ReferencedSeriesSequence for item in series.ReferencedSOPSequence]
    macs = {item.ReferencedSOPInstanceUID: item.ReferencedSOPInstanceMACSequence[0].MAC for item in items}
    assert macs == {pydicom.dcmread(path).SOPInstanceUID: peer_digest(path, tmp_path) for path in study}


@pytest.mark.parametrize("options", [("+te",), ("+tb",), ("+ti",), ("+ti", "-e"), ("+td",)])
def test_another_encoding_is_no_change(
    options: tuple[str, ...], made: Path, study: list[Path], check: Callable[..., ManifestReport]
) -> None:
    convert = require_peer("dcmconv")
    # implicit VR turns native Pixel Data of VR OB into OW
    others = ("4.dcm", "5.dcm", "3.dcm") if "+ti" in options else ("4.dcm", "5.dcm")
    for path in (path for path in study if path.name not in others):
        subprocess.run([convert, *options, str(path), str(path)], check=True, capture_output=True, timeout=60)
    report = check(made, study)
    assert report.ok, [instance.to_dict() for instance in report.instances]


def test_decompressed_images_are_changed(made: Path, study: list[Path], check: Callable[..., ManifestReport]) -> None:
    convert = require_peer("dcmdrle")
    subprocess.run([convert, str(study[5]), str(study[5])], check=True, capture_output=True, timeout=60)
    found = only(check(made, study), Status.CHANGED)
    assert found.path == str(study[5])


# ------------------------------------------------------------------ changes


def offsets(path: Path) -> list[int]:
    """Places in a file that a digest protects: in a name and in the middle of Pixel Data."""
    dataset, data = pydicom.dcmread(path), path.read_bytes()
    if "PixelData" not in dataset:
        return [data.index(b"Doe^Jane") + 3]
    middle = len(dataset.PixelData) // 2
    pixels = data.index(dataset.PixelData[middle : middle + 64])
    return [data.index(b"Doe^Jane") + 3, pixels + 1]


@pytest.mark.parametrize("number", [0, 1, 2, 4, 5, 6])
def test_flipped_bits_are_found(number: int, made: Path, study: list[Path], check: Callable[..., ManifestReport]) -> None:
    path = study[number]
    data = path.read_bytes()
    for offset in offsets(path):
        changed = bytearray(data)
        changed[offset] ^= 1
        path.write_bytes(changed)
        report = check(made, study)
        assert only(report, Status.CHANGED).path == str(path), offset
        assert report.levels.signed.reached
        assert report.levels.complete.reached
        assert not report.levels.intact.reached
        with pytest.raises(errors.VerificationFailed, match="not intact"):
            report.raise_for_status()


Change = Callable[[Dataset], object]


def remove(dataset: Dataset) -> None:
    del dataset.PatientName


def add(dataset: Dataset) -> None:
    dataset.PatientComments = "added later"


def add_inside(dataset: Dataset) -> None:
    dataset.OtherPatientIDsSequence = Sequence([Dataset()])


@pytest.mark.parametrize(
    ("change", "status", "added", "removed"),
    [
        (remove, Status.CHANGED, (), (0x00100010,)),
        (add, Status.EXTENDED, (0x00104000,), ()),
        (add_inside, Status.EXTENDED, (0x00101002,), ()),
    ],
)
def test_elements_added_and_removed_are_found(
    change: Change,
    status: Status,
    added: tuple[int, ...],
    removed: tuple[int, ...],
    made: Path,
    study: list[Path],
    check: Callable[..., ManifestReport],
) -> None:
    dataset = pydicom.dcmread(study[1])
    change(dataset)
    dataset.save_as(study[1])
    found = only(check(made, study), status)
    assert (found.path, found.added, found.removed) == (str(study[1]), added, removed)


def test_elements_twice_are_found(
    run: Run, tmp_path: Path, signer: KeySigner, threads: ThreadPoolExecutor, check: Callable[..., ManifestReport]
) -> None:
    paths = studies.many(tmp_path / "s", 2)
    run(lambda: make_manifest(paths, tmp_path / "m.dcm", signer=signer, executor=threads))
    data = paths[0].read_bytes()
    place = data.index(b"\x10\x00\x20\x00LO")
    paths[0].write_bytes(data[:place] + b"\x10\x00\x10\x00PN\x08\x00Roe^Paul" + data[place:])
    assert "(0010,0010)" in only(check(tmp_path / "m.dcm", paths), Status.EXTENDED).reason
    with pytest.raises(errors.ManifestError, match="found twice"):
        run(lambda: make_manifest(paths, tmp_path / "n.dcm", signer=signer, executor=threads))


def test_unknown_elements_are_told(
    run: Run, tmp_path: Path, signer: KeySigner, threads: ThreadPoolExecutor, check: Callable[..., ManifestReport]
) -> None:
    paths = studies.many(tmp_path / "s", 2)
    target = tmp_path / "m.dcm"
    run(lambda: make_manifest(paths, target, signer=signer, executor=threads))
    data = paths[0].read_bytes()
    place = data.index(b"\x10\x00\x20\x00LO")
    paths[0].write_bytes(data[:place] + b"\x10\x00\x11\x00UN\0\0\x02\0\0\0xx" + data[place:])
    report = check(target, paths)
    assert report.levels.covered == (False, "1 with data elements that cannot be signed")
    assert [instance.unprotected for instance in report.instances] == [(0x00100011,)]
    receipt = run(lambda: make_manifest(paths, target, signer=signer, executor=threads))
    assert list(receipt.unprotected.values()) == [(0x00100011,)]


def test_missing_extra_unreadable(made: Path, study: list[Path], tmp_path: Path, check: Callable[..., ManifestReport]) -> None:
    assert only(check(made, study[1:]), Status.MISSING).sop_instance == f"{studies.STUDY}.9.0"
    other = tmp_path / "other.dcm"
    other.write_bytes(studies.small(1))
    assert only(check(made, [*study, other]), Status.EXTRA).path == str(other)
    garbage = tmp_path / "garbage"
    garbage.write_bytes(b"hello")
    found = only(check(made, [*study, garbage, tmp_path / "absent"][:-1]), Status.UNREADABLE)
    assert (found.path, found.error) == (str(garbage), "NotDicom")
    study[2].write_bytes(study[2].read_bytes()[:-9])
    report = check(made, study)
    assert (report.counts[Status.UNREADABLE], report.counts[Status.MISSING]) == (1, 1)
    assert report.counts[Status.INTACT] == len(study) - 1
    nothing = check(made, [])
    assert nothing.counts[Status.MISSING] == len(study)
    assert not nothing.ok
    assert not nothing.levels.intact.reached


def test_another_instance_under_the_same_uid(made: Path, study: list[Path], check: Callable[..., ManifestReport]) -> None:
    dataset = pydicom.dcmread(study[6])
    dataset.SOPInstanceUID = pydicom.dcmread(study[0]).SOPInstanceUID
    dataset.save_as(study[0])
    found = only(check(made, study), Status.CHANGED)
    assert "SOP Class" in found.reason


def test_copies_are_told(
    made: Path, study: list[Path], tmp_path: Path, check: Callable[..., ManifestReport], run: Run, signer: KeySigner
) -> None:
    copy = Path(shutil.copy(study[0], tmp_path / "copy.dcm"))
    report = check(made, [*study, copy])
    assert (report.counts[Status.INTACT], report.copies) == (len(study) + 1, 1)
    assert report.levels.exact == (False, "1 there more than once")
    assert not report.ok
    (found,) = report.instances
    assert {found.path, found.copy_of} == {str(copy), str(study[0])}
    receipt = run(lambda: make_manifest([*study, copy], tmp_path / "m.dcm", signer=signer, workers=2))
    assert receipt.instances == len(study)
    assert set(receipt.copies) < {str(copy), str(study[0])}


# ------------------------------------------------------------------ signatures of instances


def signed_instance(path: Path) -> None:
    keys = (str(MAC_VECTORS / "key-rsa.pem"), str(MAC_VECTORS / "cert-rsa.pem"))
    subprocess.run([require_peer("dcmsign"), "--sign", *keys, "--mac-sha256", str(path), str(path)], check=True, timeout=60)


def test_signatures_of_instances_are_referenced(
    run: Run,
    tmp_path: Path,
    study: list[Path],
    signer: KeySigner,
    threads: ThreadPoolExecutor,
    check: Callable[..., ManifestReport],
) -> None:
    for number in (0, 4):
        signed_instance(study[number])
    target = tmp_path / "m.dcm"
    run(lambda: make_manifest(study, target, signer=signer, executor=threads))
    (evidence,) = pydicom.dcmread(target).CurrentRequestedProcedureEvidenceSequence
    items = [item for series in evidence.ReferencedSeriesSequence for item in series.ReferencedSOPSequence]
    referenced = {
        item.ReferencedSOPInstanceUID: [
            (one.DigitalSignatureUID, one.Signature) for one in item.ReferencedDigitalSignatureSequence
        ]
        for item in items
        if "ReferencedDigitalSignatureSequence" in item
    }
    instances = [pydicom.dcmread(study[number]) for number in (0, 4)]
    assert referenced == {
        one.SOPInstanceUID: [(each.DigitalSignatureUID, each.Signature) for each in one.DigitalSignaturesSequence]
        for one in instances
    }
    assert check(target, study).ok
    subprocess.run([require_peer("dcmsign"), "--remove-all", str(study[0]), str(study[0])], check=True, timeout=60)
    assert "gone or replaced" in only(check(target, study), Status.CHANGED).reason
    signed_instance(study[0])  # by the same key, but another signature
    assert "gone or replaced" in only(check(target, study), Status.CHANGED).reason


def test_bad_signatures_are_not_referenced(
    run: Run, tmp_path: Path, study: list[Path], signer: KeySigner, threads: ThreadPoolExecutor
) -> None:
    signed_instance(study[0])
    data = bytearray(study[0].read_bytes())
    data[offsets(study[0])[0]] ^= 1
    study[0].write_bytes(data)
    with pytest.raises(errors.ManifestError, match=r"0\.dcm: its signature .* is not good"):
        run(lambda: make_manifest(study, tmp_path / "m.dcm", signer=signer, executor=threads))
    assert not (tmp_path / "m.dcm").exists()


# ------------------------------------------------------------------ manifests of others, and changed ones


@pytest.fixture
def rewritten(run: Run, made: Path, tmp_path: Path, signer: KeySigner) -> Callable[..., Path]:
    """Makes another manifest of one, and signs it anew."""

    def rewritten(change: Change, **options: Any) -> Path:
        dataset = pydicom.dcmread(made)
        del dataset[0x4FFE0001], dataset[0xFFFAFFFA]
        change(dataset)
        dataset.save_as(tmp_path / "plain.dcm")
        run(lambda: sign(tmp_path / "plain.dcm", tmp_path / "again.dcm", signer=signer, **options))
        return tmp_path / "again.dcm"

    return rewritten


def references(dataset: Dataset) -> list[Dataset]:
    (evidence,) = dataset.CurrentRequestedProcedureEvidenceSequence
    return [item for series in evidence.ReferencedSeriesSequence for item in series.ReferencedSOPSequence]


def mac_of(dataset: Dataset) -> Dataset:
    return references(dataset)[0].ReferencedSOPInstanceMACSequence[0]  # type: ignore[no-any-return]


def test_changed_manifests_are_found(made: Path, study: list[Path], check: Callable[..., ManifestReport]) -> None:
    dataset = pydicom.dcmread(made)
    mac = mac_of(dataset)
    mac.MAC = bytes([mac.MAC[0] ^ 1]) + mac.MAC[1:]
    dataset.save_as(made)
    report = check(made, study)
    assert not report.levels.signed.reached
    assert report.counts[Status.CHANGED] == 1
    assert not report.ok
    with pytest.raises(errors.VerificationFailed, match="not signed: the signature of the manifest is not intact"):
        report.raise_for_status()


def test_unsigned_manifests_are_found(made: Path, study: list[Path], check: Callable[..., ManifestReport]) -> None:
    dataset = pydicom.dcmread(made)
    del dataset[0x4FFE0001], dataset[0xFFFAFFFA]
    dataset.save_as(made)
    report = check(made, study)
    assert report.levels.signed == (False, "the manifest is not signed")
    assert report.levels.intact.reached
    assert not report.ok


def test_signatures_that_leave_references_open(
    rewritten: Callable[..., Path], study: list[Path], check: Callable[..., ManifestReport]
) -> None:
    report = check(rewritten(lambda _: None, tags=(0x00080016, 0x00080018, 0x0020000D)), study)
    assert report.manifest.ok
    assert report.levels.signed == (False, "the signature of the manifest does not protect (0040,a375)")
    assert not report.ok
    location = ((0x0040A375, 0),)
    report = check(rewritten(lambda _: None, location=location), study)
    assert report.levels.signed == (False, "only an item of the manifest is signed")
    assert not report.ok


def test_the_incomplete_digest_of_dcmtk_is_not_enough(
    run: Run, tmp_path: Path, signer: KeySigner, threads: ThreadPoolExecutor, check: Callable[..., ManifestReport]
) -> None:
    paths = studies.many(tmp_path / "s", 100)
    run(lambda: make_manifest(paths, tmp_path / "m.dcm", signer=signer, executor=threads))
    assert check(tmp_path / "m.dcm", paths).ok
    dataset = pydicom.dcmread(tmp_path / "m.dcm")
    del dataset[0x4FFE0001], dataset[0xFFFAFFFA]
    dataset.save_as(tmp_path / "m.dcm")
    signed_instance(tmp_path / "m.dcm")
    report = check(tmp_path / "m.dcm", paths)
    assert report.manifest.ok
    assert "leaves out part" in report.levels.signed.reason
    assert not report.ok


def listed_less(dataset: Dataset) -> None:
    """A digest over two data elements only."""
    mac, path = mac_of(dataset), Path(dataset.filename).parent / "study"
    uid = references(dataset)[0].ReferencedSOPInstanceUID
    (found,) = [one for one in map(pydicom.dcmread, sorted(path.iterdir())) if one.SOPInstanceUID == uid]
    sop_class, sop_instance = (value + "\0" * (len(value) % 2) for value in (found.SOPClassUID, found.SOPInstanceUID))
    stream = b"\x08\x00\x16\x00UI" + len(sop_class).to_bytes(2, "little") + sop_class.encode()
    stream += b"\x08\x00\x18\x00UI" + len(sop_instance).to_bytes(2, "little") + sop_instance.encode()
    mac.DataElementsSigned, mac.MAC = [0x00080016, 0x00080018], hashlib.sha256(stream).digest()


def listed_weakly(dataset: Dataset) -> None:
    mac_of(dataset).MACAlgorithm = "SHA3"


def not_listed(dataset: Dataset) -> None:
    del references(dataset)[0].ReferencedSOPInstanceMACSequence


def moved(dataset: Dataset) -> None:
    dataset.CurrentRequestedProcedureEvidenceSequence[0].ReferencedSeriesSequence[0].SeriesInstanceUID = "1.2.3"
    del dataset.CurrentRequestedProcedureEvidenceSequence[0].ReferencedSeriesSequence[1:]


@pytest.mark.parametrize(
    ("change", "status", "reason"),
    [
        (listed_less, Status.EXTENDED, "not listed"),
        (listed_weakly, Status.UNPROTECTED, "digest (SHA3) is not accepted"),
        (not_listed, Status.UNPROTECTED, "neither a digest nor a signature"),
    ],
)
def test_manifests_that_say_less(
    change: Change,
    status: Status,
    reason: str,
    rewritten: Callable[..., Path],
    study: list[Path],
    check: Callable[..., ManifestReport],
) -> None:
    report = check(rewritten(change), study)
    assert report.levels.signed.reached
    assert reason in only(report, status).reason


def test_instances_of_another_series(
    rewritten: Callable[..., Path], study: list[Path], check: Callable[..., ManifestReport]
) -> None:
    report = check(rewritten(moved), study)
    assert report.counts[Status.CHANGED] == report.references
    assert {instance.reason.split()[1] for instance in report.instances if instance.status is Status.CHANGED} == {"series"}


def test_policies(
    run: Run, tmp_path: Path, study: list[Path], signer: KeySigner, threads: ThreadPoolExecutor, check: Callable[..., Any]
) -> None:
    run(lambda: make_manifest(study, tmp_path / "m.dcm", signer=signer, executor=threads, algorithm="SHA1"))
    assert check(tmp_path / "m.dcm", study).ok
    report = check(tmp_path / "m.dcm", study, policy=Policy("ours", accept=Strength(frozenset({"SHA256"}))))
    assert report.counts[Status.UNPROTECTED] == len(study)
    assert not report.manifest.ok
    refusing = Policy("ours", create=Strength(frozenset({"SHA512"})))
    with pytest.raises(errors.PolicyViolation):
        run(lambda: make_manifest(study, tmp_path / "n.dcm", signer=signer, executor=threads, policy=refusing))
    assert not (tmp_path / "n.dcm").exists()


def only_signature(dataset: Dataset) -> None:
    for item in references(dataset):
        if "ReferencedDigitalSignatureSequence" in item:
            del item.ReferencedSOPInstanceMACSequence


def test_references_to_signatures_alone(
    run: Run,
    tmp_path: Path,
    study: list[Path],
    made: Path,
    signer: KeySigner,
    threads: ThreadPoolExecutor,
    rewritten: Callable[..., Path],
    check: Callable[..., ManifestReport],
) -> None:
    signed_instance(study[0])
    run(lambda: make_manifest(study, made, signer=signer, executor=threads))
    manifest = rewritten(only_signature)
    assert check(manifest, study).ok
    data = study[0].read_bytes()
    changed = bytearray(data)
    changed[offsets(study[0])[0]] ^= 1
    study[0].write_bytes(changed)
    assert "is not good" in only(check(manifest, study), Status.CHANGED).reason
    study[0].write_bytes(data)
    dataset = pydicom.dcmread(study[0])
    dataset.PatientComments = "added later"
    dataset.save_as(study[0])
    assert only(check(manifest, study), Status.EXTENDED).added == (0x00104000,)


# ------------------------------------------------------------------ what is refused


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"study": b"1.2.3"}, "instance of another study"),
        ({"patient": b"12"}, "instance of another patient"),
    ],
)
def test_one_study_of_one_patient(
    changed: dict[str, bytes], message: str, run: Run, tmp_path: Path, signer: KeySigner, threads: ThreadPoolExecutor
) -> None:
    paths = studies.many(tmp_path / "s", 3)
    paths[1].write_bytes(studies.small(1, **changed))
    with pytest.raises(errors.ManifestError, match=message):
        run(lambda: make_manifest(paths, tmp_path / "m.dcm", signer=signer, executor=threads))
    assert not (tmp_path / "m.dcm").exists()


def test_what_else_is_refused(run: Run, tmp_path: Path, signer: KeySigner, threads: ThreadPoolExecutor) -> None:
    paths = studies.many(tmp_path / "s", 3)
    other = tmp_path / "other.dcm"
    data = bytearray(paths[0].read_bytes())
    data[-1] ^= 1
    other.write_bytes(data)
    options: dict[str, Any] = {"signer": signer, "executor": threads}
    target = tmp_path / "m.dcm"
    with pytest.raises(errors.ManifestError, match="two different instances"):
        run(lambda: make_manifest([*paths, other], target, **options))
    with pytest.raises(errors.ManifestError, match="no instances"):
        run(lambda: make_manifest([], target, **options))
    with pytest.raises(errors.ManifestError, match="one of its own instances"):
        run(lambda: make_manifest(paths, paths[0], **options))
    with pytest.raises(errors.SourceError):
        run(lambda: make_manifest([*paths, tmp_path / "absent"], target, **options))
    with pytest.raises(errors.ManifestError, match="no Study Instance UID"):
        run(lambda: make_manifest([MAC_VECTORS / "explicit-short.dcm"], target, **options))
    other.write_bytes(paths[0].read_bytes()[:-3])
    with pytest.raises(errors.Truncated):
        run(lambda: make_manifest([other], target, **options))
    with pytest.raises(ValueError, match="no MAC algorithm"):
        run(lambda: make_manifest(paths, target, algorithm="SHA3", **options))
    assert not target.exists()


def test_what_is_no_manifest(study: list[Path], check: Callable[..., ManifestReport], tmp_path: Path) -> None:
    with pytest.raises(errors.ManifestError) as caught:
        check(study[0], study)
    assert caught.value.path == str(study[0])
    with pytest.raises(errors.SourceError):
        check(tmp_path / "absent", study)


# ------------------------------------------------------------------ many


def test_a_thousand_instances(run: Run, tmp_path: Path, signer: KeySigner, trust: Trust) -> None:
    paths = studies.many(tmp_path / "s", 1000)
    target = tmp_path / "m.dcm"
    receipt = run(lambda: make_manifest(iter(paths), target, signer=signer, workers=2))
    assert receipt.instances == 1000
    assert text(require_peer("dsrdump"), target).count("<contains IMAGE:") == 1000
    paths[500].unlink()
    data = bytearray(paths[700].read_bytes())
    data[-5] ^= 1
    paths[700].write_bytes(data)

    async def named() -> AsyncIterator[Path | None]:
        for path in paths:
            if path.exists():
                yield path

    async def check() -> ManifestReport:
        seen = 0
        async with open_manifest(target.read_bytes(), named(), trust=trust, workers=2) as verification:
            assert verification.manifest.ok
            assert verification.unprotected is None
            with pytest.raises(RuntimeError):
                _ = verification.report
            async for _ in verification:
                seen += 1
            assert seen == 1000
            return verification.report

    report = run(check)
    counts = {status: count for status, count in report.counts.items() if count}
    assert counts == {Status.INTACT: 998, Status.MISSING: 1, Status.CHANGED: 1}
    by_status = {instance.status: instance for instance in report.instances}
    assert by_status[Status.CHANGED].path == str(paths[700])
    assert by_status[Status.MISSING].sop_instance == f"{studies.STUDY}.8.500"


def test_left_early(run: Run, tmp_path: Path, signer: KeySigner, trust: Trust) -> None:
    paths = studies.many(tmp_path / "s", 200)
    target = tmp_path / "m.dcm"
    run(lambda: make_manifest(paths, target, signer=signer, workers=2))

    async def first() -> InstanceReport:
        async with open_manifest(target, paths, trust=trust, workers=2) as verification:
            async for instance in verification:
                return instance
        raise AssertionError("no result")

    assert run(first).ok


MEASURED = """
import asyncio, os, sys
from pathlib import Path
from dcmsign.stream import KeySigner, Trust, make_manifest, verify_manifest

async def main():
    folder, key, certificate, target, making = sys.argv[1:]
    paths = (entry.path for entry in os.scandir(folder))
    if making:
        await make_manifest(paths, target, signer=KeySigner.load(key, certificate), workers=2)
    else:
        assert (await verify_manifest(target, paths, trust=Trust.load(trusted=[certificate]), workers=2)).ok
    (peak,) = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM")]
    print(peak.split()[1])

asyncio.run(main())
"""


def test_memory_is_bounded(tmp_path: Path) -> None:
    studies.many(tmp_path / "s", 4_000)
    arguments = (tmp_path / "s", MAC_VECTORS / "key-rsa.pem", MAC_VECTORS / "cert-rsa.pem", tmp_path / "m.dcm")
    for making in ("making", ""):
        assert int(text(sys.executable, "-c", MEASURED, *arguments, making)) < 64 << 10
    assert os.path.getsize(tmp_path / "m.dcm") < 4_000 * 600
