"""Signatures below Original Attributes: objects signed by dcmsign, changed by an archive, verified as they were before."""

from __future__ import annotations

import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio.to_thread
import pydicom
import pytest
from dcmsign.codec.dicom.options import Limits
from dcmsign.codec.errors import Error, LimitExceeded, VerificationFailed
from dcmsign.stream import OriginalsReport, ReadOptions, SignatureReport, Trust, Verdict, verify, verify_originals
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import UID

from tests.stream import archive
from tests.stream.archive import REMOVED, change, coerced, dcmsign_code, save, sign
from tests.stream.material import EXPLICIT, MAC_VECTORS, PYDICOM_FILES, element, head, meta, sequence, stream, write_sparse
from tests.stream.ways import SOURCES

pytestmark = pytest.mark.anyio

NAME, PATIENT_ID, COMMENTS, STUDY_ID = 0x00100010, 0x00100020, 0x00104000, 0x00200010
ORIGINALS, MODIFIED = 0x04000561, 0x04000550
VALUES: dict[str, Any] = {"PatientName": "Coerced^Name", "PatientID": "X1", "PatientComments": "added", "StudyID": REMOVED}
SYNTAXES = (
    "CT_small.dcm",
    "MR_small_bigendian.dcm",
    "MR_small_implicit.dcm",
    "image_dfl.dcm",
    "JPEG2000.dcm",
    "SC_rgb_rle_2frame.dcm",
    "rtplan.dcm",
)


@pytest.fixture
def signed(tmp_path: Path) -> Path:
    """An object signed by dcmsign."""
    return sign(PYDICOM_FILES / "CT_small.dcm", tmp_path / "signed.dcm")


async def earlier(source: Any, trust: Trust, **options: Any) -> OriginalsReport:
    return await verify_originals(source, trust=trust, require_signature=False, **options)


def verdicts(report: OriginalsReport) -> list[list[Verdict]]:
    """Of each state, the newest first."""
    return [[signature.verdict for signature in state.signatures] for state in report.states]


def only(report: OriginalsReport) -> SignatureReport:
    """The one signature of the one state."""
    ((signature,),) = [state.signatures for state in report.states]
    return signature


# ---------------------------------------------------------------- conforming archives


@pytest.mark.parametrize("name", SYNTAXES)
async def test_what_was_signed_before_is_verified(name: str, tmp_path: Path, trust: Trust) -> None:
    before = sign(PYDICOM_FILES / name, tmp_path / "signed.dcm")
    after = coerced(before, tmp_path / "after.dcm", VALUES)
    report = await earlier(after, trust)
    assert report.ok
    assert report.current.signatures == ()
    (state,) = report.states
    ours, theirs = only(report), (await verify(before, trust=trust)).signatures[0]
    assert (ours.verdict, ours.uid, ours.tags_signed) == (Verdict.OK, theirs.uid, theirs.tags_signed)
    assert (ours.intact, ours.trusted, ours.number, ours.location) == (True, True, 1, ())
    assert (state.number, state.location, state.modified_at) == (1, ((ORIGINALS, 0),), "20240102030405")
    assert (state.modifying_system, state.reason, state.source) == ("ARCHIVE", "COERCE", "OTHER HOSPITAL")
    assert state.put_back == (NAME, PATIENT_ID, COMMENTS, STUDY_ID)
    assert dcmsign_code(after) == 0  # which sees no signature


@pytest.mark.parametrize("syntax", ["1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2", "1.2.840.10008.1.2.1.99"])
async def test_the_archive_keeps_another_transfer_syntax(syntax: str, signed: Path, tmp_path: Path, trust: Trust) -> None:
    option = {"1.2.840.10008.1.2": "+ti", "1.2.840.10008.1.2.1": "+te", "1.2.840.10008.1.2.2": "+tb"}.get(syntax, "+td")
    after = coerced(signed, tmp_path / "after.dcm", VALUES)
    converted = tmp_path / "converted.dcm"
    archive.call("dcmconv", option, str(after), str(converted))
    assert pydicom.dcmread(converted).file_meta.TransferSyntaxUID == UID(syntax)
    report = await earlier(converted, trust)
    assert verdicts(report) == [[Verdict.OK]]


async def test_a_sequence_is_put_back(tmp_path: Path, trust: Trust) -> None:
    before = sign(PYDICOM_FILES / "rtplan.dcm", tmp_path / "signed.dcm")
    code = Dataset()
    code.BeamName = "another"
    after = coerced(before, tmp_path / "after.dcm", {"BeamSequence": [code], "PatientName": "X"})
    assert verdicts(await earlier(after, trust)) == [[Verdict.OK]]
    dataset = pydicom.dcmread(after)
    dataset.OriginalAttributesSequence[0].ModifiedAttributesSequence[0].BeamSequence[0].BeamName = "tampered"
    assert verdicts(await earlier(save(dataset, after), trust)) == [[Verdict.CORRUPTED]]


async def test_implicit_vr_follows_from_the_data_set_around(tmp_path: Path, trust: Trust) -> None:
    dataset = pydicom.dcmread(PYDICOM_FILES / "MR_small_implicit.dcm")
    dataset.PixelRepresentation = 1
    dataset.add_new(0x00280106, "SS", -3)
    dataset.add_new(0x00090010, "LO", "GEMS_IDEN_01")
    dataset.add_new(0x00091002, "SH", "CT01")
    before = sign(save(dataset, tmp_path / "in.dcm"), tmp_path / "signed.dcm")
    after = pydicom.dcmread(before)
    old = change(after, {}).ModifiedAttributesSequence[0]
    old.add_new(0x00280106, "SS", -3)
    after.add_new(0x00280106, "SS", -5)
    archive.move(after, 0x00091002, old)  # without its creator, which stays where it is
    report = await earlier(save(after, tmp_path / "after.dcm"), trust)
    signed_tags = only(report).tags_signed or ()
    assert 0x00280106 in signed_tags
    assert 0x00091002 in signed_tags
    assert verdicts(report) == [[Verdict.OK]]


async def test_two_changes_each_with_signatures(signed: Path, tmp_path: Path, trust: Trust) -> None:
    once = coerced(signed, tmp_path / "once.dcm", VALUES, date="20240101")
    again = sign(once, tmp_path / "again.dcm", "--sig-purpose", "5")
    for newest_first in (False, True):  # then the times say in which order the changes were made
        twice = coerced(again, tmp_path / "twice.dcm", {"PatientName": "Third"}, date="20240202", newest_first=newest_first)
        final = sign(twice, tmp_path / "final.dcm")
        report = await earlier(final, trust)
        assert report.ok
        assert [signature.verdict for signature in report.current.signatures] == [Verdict.OK]
        assert verdicts(report) == [[Verdict.OK], [Verdict.OK]]
        assert [state.modified_at for state in report.states] == ["20240202", "20240101"]
        newest, oldest = report.states
        assert ORIGINALS in (newest.signatures[0].tags_signed or ())  # digested as it was, with one item
        assert ORIGINALS not in (oldest.signatures[0].tags_signed or ())
        assert newest.put_back == (NAME,)
        assert oldest.put_back == (NAME, PATIENT_ID, COMMENTS, STUDY_ID)
        assert dcmsign_code(final) == 0


async def test_order_of_items_counts_where_times_do_not(signed: Path, tmp_path: Path, trust: Trust) -> None:
    for dates in (("20240101", "20240101"), (None, None), ("2024", "20240101"), ("20240101", "20230101+0100")):
        once = coerced(signed, tmp_path / "once.dcm", VALUES, date=dates[0])
        again = sign(once, tmp_path / "again.dcm")
        twice = coerced(again, tmp_path / "twice.dcm", {"PatientName": "Third"}, date=dates[1])
        assert verdicts(await earlier(twice, trust)) == [[Verdict.OK], [Verdict.OK]], dates


async def test_a_value_changed_twice_gets_the_older_one(signed: Path, tmp_path: Path, trust: Trust) -> None:
    dataset = pydicom.dcmread(signed)
    change(dataset, {"PatientName": "Second"}, move_signatures=False, date="2023")
    change(dataset, {"PatientName": "Third"}, date="2024")  # only now the signature, which does not fit any more, is moved
    report = await earlier(save(dataset, tmp_path / "after.dcm"), trust)
    assert verdicts(report) == [[], [Verdict.OK]]
    assert report.ok


async def test_a_signature_left_in_place_fits_an_earlier_state(signed: Path, tmp_path: Path, trust: Trust) -> None:
    after = coerced(signed, tmp_path / "after.dcm", VALUES, move_signatures=False)
    report = await earlier(after, trust)
    assert [signature.verdict for signature in report.current.signatures] == [Verdict.CORRUPTED]
    assert verdicts(report) == [[Verdict.OK]]
    assert report.earlier_ok
    assert not report.ok


async def test_a_signature_that_still_fits_is_told_of_once(tmp_path: Path, trust: Trust) -> None:
    before = sign(PYDICOM_FILES / "CT_small.dcm", tmp_path / "signed.dcm", "--tag", "Modality")
    report = await earlier(coerced(before, tmp_path / "after.dcm", VALUES, move_signatures=False), trust)
    assert [signature.verdict for signature in report.current.signatures] == [Verdict.OK]
    assert verdicts(report) == [[]]
    assert report.ok


async def test_the_last_data_elements_are_put_back(tmp_path: Path, trust: Trust) -> None:
    plain = tmp_path / "in.dcm"
    plain.write_bytes(meta() + head() + element(0x7FE00010, "OW", bytes(range(100))))
    before = sign(plain, tmp_path / "signed.dcm")
    after = coerced(before, tmp_path / "after.dcm", {"PatientName": REMOVED, "PixelData": REMOVED})
    assert "PixelData" not in pydicom.dcmread(after)
    assert verdicts(await earlier(after, trust)) == [[Verdict.OK]]


async def test_a_signature_made_after_the_change_is_none_of_an_earlier_state(tmp_path: Path, trust: Trust) -> None:
    after = coerced(PYDICOM_FILES / "CT_small.dcm", tmp_path / "after.dcm", VALUES)
    report = await earlier(sign(after, tmp_path / "signed.dcm"), trust)
    assert [signature.verdict for signature in report.current.signatures] == [Verdict.OK]
    assert verdicts(report) == [[]]
    assert report.ok


async def test_a_signature_in_an_item_that_is_put_back(tmp_path: Path, trust: Trust) -> None:
    files = [str(MAC_VECTORS / f"{part}-rsa.pem") for part in ("key", "cert")]
    before = tmp_path / "signed.dcm"
    archive.call("dcmsign", "--sign-item", *files, "BeamSequence[0]", str(PYDICOM_FILES / "rtplan.dcm"), str(before))
    after = coerced(before, tmp_path / "after.dcm", {"BeamSequence": []})
    report = await earlier(after, trust)
    assert only(report).location == ((0x300A00B0, 0),)
    assert verdicts(report) == [[Verdict.OK]]
    assert report.unverified == ()
    dataset = pydicom.dcmread(after)
    dataset.OriginalAttributesSequence[0].ModifiedAttributesSequence[0].BeamSequence[0].BeamName = "tampered"
    assert verdicts(await earlier(save(dataset, after), trust)) == [[Verdict.CORRUPTED]]


@pytest.mark.parametrize("syntax", ["SHA256", "RIPEMD160"])
@pytest.mark.parametrize("key", ["rsa", "ec"])
async def test_several_signatures_of_one_state(key: str, syntax: str, signed: Path, tmp_path: Path, trust: Trust) -> None:
    option = "--mac-sha256" if syntax == "SHA256" else "--mac-ripemd160"
    second = sign(signed, tmp_path / "second.dcm", option, "--tag", "PatientName", key=key)
    report = await earlier(coerced(second, tmp_path / "after.dcm", VALUES), trust)
    assert verdicts(report) == [[Verdict.OK, Verdict.OK]]
    assert [signature.number for signature in report.states[0].signatures] == [1, 2]


# ---------------------------------------------------------------- absent or empty


async def test_the_digest_tells_empty_from_absent(signed: Path, tmp_path: Path, trust: Trust) -> None:
    dataset = pydicom.dcmread(PYDICOM_FILES / "CT_small.dcm")
    dataset.PatientComments = ""
    before = sign(save(dataset, tmp_path / "in.dcm"), tmp_path / "empty.dcm")
    state = (await earlier(coerced(before, tmp_path / "after.dcm", VALUES), trust)).states[0]
    assert (state.ok, state.absent, state.empty, state.ambiguous) == (True, (), (COMMENTS,), ())
    state = (await earlier(coerced(signed, tmp_path / "after.dcm", VALUES), trust)).states[0]
    assert (state.ok, state.absent, state.empty, state.ambiguous) == (True, (), (), (COMMENTS,))  # not signed: nobody knows


@pytest.mark.parametrize("added", [1, 3])
async def test_a_listed_element_may_have_been_absent(added: int, signed: Path, tmp_path: Path, trust: Trust) -> None:
    # the list of tags is not digested, so it can be made to hold what was not there when the signature was made
    keywords = ("PatientComments", "PatientAddress", "MilitaryRank")[:added]
    dataset = pydicom.dcmread(signed)
    parameters = dataset[archive.MAC_PARAMETERS].value[0]
    parameters.DataElementsSigned = [
        *parameters.DataElementsSigned,
        *(pydicom.datadict.tag_for_keyword(word) for word in keywords),
    ]
    change(dataset, dict.fromkeys(keywords, "added"))
    state = (await earlier(save(dataset, tmp_path / "after.dcm"), trust)).states[0]
    assert [signature.verdict for signature in state.signatures] == [Verdict.OK]
    assert (len(state.absent), state.empty, state.ambiguous) == (added, (), ())


async def test_an_addition_that_is_not_listed(signed: Path, tmp_path: Path, trust: Trust) -> None:
    report = await earlier(coerced(signed, tmp_path / "after.dcm", VALUES, zero_length=False), trust)
    assert verdicts(report) == [[Verdict.OK]]
    assert report.states[0].put_back == (NAME, PATIENT_ID, STUDY_ID)


async def test_nonconforming_values(tmp_path: Path, trust: Trust) -> None:
    odd = b"not a date"
    dataset = pydicom.dcmread(PYDICOM_FILES / "CT_small.dcm")
    dataset.file_meta.TransferSyntaxUID = UID("1.2.840.10008.1.2.1")
    dataset[0x00080020] = pydicom.dataelem.RawDataElement(pydicom.tag.Tag(0x00080020), "DA", len(odd), odd, 0, False, True)
    before = sign(save(dataset, tmp_path / "in.dcm"), tmp_path / "signed.dcm")
    after = pydicom.dcmread(before)
    after.StudyDate = "20240101"
    item = change(after, {"PatientName": "X"})
    entry = Dataset()
    entry.SelectorAttribute = 0x00080020
    entry.SelectorValueNumber = 1
    entry.add_new(0x04000552, "OB", odd)
    item.add_new(0x04000551, "SQ", [entry])
    report = await earlier(save(after, tmp_path / "after.dcm"), trust)
    assert (verdicts(report), report.states[0].flaws) == ([[Verdict.OK]], ())
    assert report.states[0].put_back == (0x00080020, NAME)
    entry.SelectorSequencePointer = 0x00081140
    report = await earlier(save(after, tmp_path / "after.dcm"), trust)
    assert verdicts(report) == [[Verdict.CORRUPTED]]
    assert [flaw.name for flaw in report.states[0].flaws] == ["NONCONFORMING"]


# ---------------------------------------------------------------- tampering


def _original_value(dataset: Dataset) -> None:
    dataset.OriginalAttributesSequence[0].ModifiedAttributesSequence[0].PatientID = "forged"


def _original_left_out(dataset: Dataset) -> None:
    del dataset.OriginalAttributesSequence[0].ModifiedAttributesSequence[0].PatientID


def _original_added(dataset: Dataset) -> None:
    dataset.OriginalAttributesSequence[0].ModifiedAttributesSequence[0].Modality = "MR"


def _unchanged_element(dataset: Dataset) -> None:
    dataset.Modality = "MR"


def _unchanged_removed(dataset: Dataset) -> None:
    del dataset.Modality


def _pixels(dataset: Dataset) -> None:
    pixels = bytearray(dataset.PixelData)
    pixels[-9] ^= 1
    dataset.PixelData = bytes(pixels)


def _signature_value(dataset: Dataset) -> None:
    signature = dataset.OriginalAttributesSequence[0].ModifiedAttributesSequence[0][archive.SIGNATURES].value[0]
    signature.Signature = bytes(len(signature.Signature))


def _signing_time(dataset: Dataset) -> None:
    signature = dataset.OriginalAttributesSequence[0].ModifiedAttributesSequence[0][archive.SIGNATURES].value[0]
    signature.DigitalSignatureDateTime = "20210101000000"


@pytest.mark.parametrize(
    "tamper",
    [
        _original_value,
        _original_left_out,
        _original_added,
        _unchanged_element,
        _unchanged_removed,
        _pixels,
        _signature_value,
        _signing_time,
    ],
)
@pytest.mark.parametrize("name", ["CT_small.dcm", "image_dfl.dcm", "JPEG2000.dcm"])
async def test_tampering_is_detected(name: str, tamper: Callable[[Dataset], None], tmp_path: Path, trust: Trust) -> None:
    before = sign(PYDICOM_FILES / name, tmp_path / "signed.dcm")
    after = coerced(before, tmp_path / "after.dcm", VALUES)
    assert (await earlier(after, trust)).ok
    dataset = pydicom.dcmread(after)
    tamper(dataset)
    report = await earlier(save(dataset, after), trust)
    assert verdicts(report) == [[Verdict.CORRUPTED]]
    assert not report.states[0].signatures[0].intact
    assert not report.ok
    with pytest.raises(VerificationFailed, match="before change 1"):
        report.raise_for_status()


async def test_changing_what_is_coerced_does_no_harm(signed: Path, tmp_path: Path, trust: Trust) -> None:
    # the present values are not those that were signed: nothing is said about them
    dataset = pydicom.dcmread(coerced(signed, tmp_path / "after.dcm", VALUES))
    dataset.PatientName = "Anybody"
    assert (await earlier(save(dataset, tmp_path / "after.dcm"), trust)).ok


async def test_a_signer_who_is_not_trusted(signed: Path, tmp_path: Path) -> None:
    report = await earlier(coerced(signed, tmp_path / "after.dcm", VALUES), Trust.NONE)
    assert verdicts(report) == [[Verdict.UNTRUSTED]]
    assert only(report).intact
    assert not report.ok


async def test_a_signature_of_another_object(signed: Path, tmp_path: Path, trust: Trust) -> None:
    other = pydicom.dcmread(sign(PYDICOM_FILES / "MR_small.dcm", tmp_path / "other.dcm"))
    dataset = pydicom.dcmread(coerced(signed, tmp_path / "after.dcm", VALUES))
    old = dataset.OriginalAttributesSequence[0].ModifiedAttributesSequence[0]
    for tag in (archive.MAC_PARAMETERS, archive.SIGNATURES):
        old[tag].value = other[tag].value
    assert verdicts(await earlier(save(dataset, tmp_path / "after.dcm"), trust)) == [[Verdict.CORRUPTED]]


async def test_missing_mac_parameters(signed: Path, tmp_path: Path, trust: Trust) -> None:
    dataset = pydicom.dcmread(coerced(signed, tmp_path / "after.dcm", VALUES))
    del dataset.OriginalAttributesSequence[0].ModifiedAttributesSequence[0][archive.MAC_PARAMETERS]
    report = await earlier(save(dataset, tmp_path / "after.dcm"), trust)
    assert verdicts(report) == [[Verdict.MAC_PARAMETERS_MISSING]]


# ---------------------------------------------------------------- sources


@pytest.mark.parametrize("kind", SOURCES)
async def test_every_kind_of_source(kind: str, signed: Path, tmp_path: Path, trust: Trust) -> None:
    data = coerced(signed, tmp_path / "after.dcm", VALUES).read_bytes()
    folder = tmp_path / "source"
    folder.mkdir()
    async with SOURCES[kind](data, folder) as source:
        assert verdicts(await earlier(source, trust)) == [[Verdict.OK]]


async def test_a_large_pipe_is_spooled(tmp_path: Path, trust: Trust) -> None:
    plain = tmp_path / "large.dcm"
    plain.write_bytes(meta() + head() + element(0x7FE00010, "OW", random.Random(3).randbytes(6_000_000)))
    data = coerced(sign(plain, tmp_path / "signed.dcm"), tmp_path / "after.dcm", VALUES).read_bytes()
    assert verdicts(await earlier(stream(data), trust)) == [[Verdict.OK]]
    changed = bytearray(data)
    changed[-1000] ^= 1
    assert verdicts(await earlier(stream(bytes(changed)), trust)) == [[Verdict.CORRUPTED]]


async def test_out_of_order(signed: Path, tmp_path: Path, trust: Trust) -> None:
    """The data set and an item with original values, out of order; second ones of a tag do not count."""
    data = coerced(signed, tmp_path / "after.dcm", VALUES).read_bytes()
    name = element(NAME, "PN", b"Coerced^Name")
    original = element(NAME, "PN", b"CompressedSamples^CT1 ")
    assert (data.count(name), data.count(original)) == (1, 1)
    late = data.replace(name, b"", 1) + name + element(NAME, "PN", b"Second")
    assert verdicts(await earlier(late, trust)) == [[Verdict.OK]]
    assert verdicts(await earlier(stream(late), trust)) == [[Verdict.OK]]


# ---------------------------------------------------------------- what archives should not do


def modified(*elements: bytes) -> bytes:
    return sequence(MODIFIED, b"".join(elements))


def originals(*items: bytes) -> bytes:
    return meta(EXPLICIT) + head() + sequence(ORIGINALS, *items) + element(0x7FE00010, "OW", bytes(100))


async def test_no_original_attributes(signed: Path, trust: Trust) -> None:
    report = await earlier(signed, trust)
    assert (report.states, report.ok) == ((), True)


async def test_items_that_say_nothing(trust: Trust) -> None:
    name = element(NAME, "PN", b"X ")
    report = await earlier(originals(b"", modified(), sequence(MODIFIED), sequence(MODIFIED, name, name)), trust)
    flaws = [[flaw.name for flaw in state.flaws] for state in report.states]
    assert flaws == [["SEVERAL_ITEMS"], ["NO_MODIFIED_ATTRIBUTES"], [], ["NO_MODIFIED_ATTRIBUTES"]]
    assert [state.signatures for state in report.states] == [(), (), (), ()]
    assert report.states[0].modified_at is None


async def test_no_sequence_at_all(trust: Trust) -> None:
    data = meta() + head() + element(ORIGINALS, "LO", b"text") + element(0x7FE00010, "OW", bytes(10))
    assert (await earlier(data, trust)).states == ()


async def test_signatures_in_a_second_item_are_told(signed: Path, tmp_path: Path, trust: Trust) -> None:
    dataset = pydicom.dcmread(coerced(signed, tmp_path / "after.dcm", VALUES))
    values = dataset.OriginalAttributesSequence[0].ModifiedAttributesSequence
    dataset.OriginalAttributesSequence[0].ModifiedAttributesSequence = Sequence([Dataset(), *values])
    report = await earlier(save(dataset, tmp_path / "after.dcm"), trust)
    assert report.unverified == (((ORIGINALS, 0), (MODIFIED, 1)),)
    assert not report.ok
    with pytest.raises(VerificationFailed, match="no earlier state"):
        report.raise_for_status()


async def test_original_attributes_inside_original_attributes(signed: Path, tmp_path: Path, trust: Trust) -> None:
    """An archive that takes the sequence for one more value that it replaces."""
    once = pydicom.dcmread(coerced(signed, tmp_path / "once.dcm", VALUES))
    before = once.OriginalAttributesSequence
    del once.OriginalAttributesSequence
    change(once, {"PatientName": "Third"}, date="20240303").ModifiedAttributesSequence[0].OriginalAttributesSequence = before
    report = await earlier(save(once, tmp_path / "after.dcm"), trust)
    assert verdicts(report) == [[], [Verdict.OK]]
    assert report.states[1].location == ((ORIGINALS, 0), (MODIFIED, 0), (ORIGINALS, 0))
    assert (report.unverified, report.ok) == ((), True)


async def test_nested_as_deep_as_allowed(trust: Trust) -> None:
    item = b""
    for _ in range(31):
        item = modified(sequence(ORIGINALS, item))
    report = await earlier(originals(item), trust)
    assert len(report.states) == 32
    with pytest.raises(LimitExceeded):
        await earlier(originals(modified(sequence(ORIGINALS, modified(sequence(ORIGINALS, item))))), trust)


async def test_too_much_is_refused(trust: Trust) -> None:
    many = b"".join(element(0x00110000 + tag, "LO", b"x ") for tag in range(0x1000, 0x2000))
    too_much = {
        "changes": originals(*[b""] * 65),
        "values": originals(*[modified(many)] * 33),
        "a text": originals(modified(element(0x00420011, "UT", b"x" * (1 << 21)))),
        "bytes": originals(modified(element(0x00420011, "OB", bytes(17 << 20)))),
        "events": originals(modified(sequence(0x00081200, *[b""] * 50_000))),
    }
    for name, data in too_much.items():
        try:
            await earlier(data, trust)
        except LimitExceeded:
            continue
        pytest.fail(name)


async def test_a_smaller_bound(signed: Path, tmp_path: Path, trust: Trust) -> None:
    after = coerced(signed, tmp_path / "after.dcm", VALUES)
    with pytest.raises(LimitExceeded):
        await earlier(after, trust, read=ReadOptions(limits=Limits(kept=10_000)))
    assert (await earlier(after, trust, read=ReadOptions(limits=Limits(kept=50_000)))).ok


async def test_many_signatures_need_few_digests(signed: Path, tmp_path: Path, trust: Trust) -> None:
    dataset = pydicom.dcmread(coerced(signed, tmp_path / "after.dcm", VALUES))
    old = dataset.OriginalAttributesSequence[0].ModifiedAttributesSequence[0]
    old[archive.SIGNATURES].value = Sequence([old[archive.SIGNATURES].value[0]] * 300)
    report = await earlier(save(dataset, tmp_path / "after.dcm"), trust)
    assert verdicts(report) == [[Verdict.OK] * 300]
    parameters, signature = old[archive.MAC_PARAMETERS].value[0], old[archive.SIGNATURES].value[0]
    entries, items = [], []
    for number in range(300):
        entry, item = Dataset(), Dataset()
        entry.update(parameters)
        item.update(signature)
        entry.MACIDNumber = item.MACIDNumber = number
        entry.DataElementsSigned = [NAME, 0x00200000 + number]
        entries.append(entry)
        items.append(item)
    old[archive.MAC_PARAMETERS].value, old[archive.SIGNATURES].value = Sequence(entries), Sequence(items)
    with pytest.raises(LimitExceeded):
        await earlier(save(dataset, tmp_path / "after.dcm"), trust)


async def test_damaged_objects_end_in_errors_of_the_library(signed: Path, tmp_path: Path, trust: Trust) -> None:
    data = coerced(signed, tmp_path / "after.dcm", VALUES).read_bytes()
    start = data.index(b"\x00\x04\x61\x05SQ")
    end = data.index(b"\xe0\x7f\x10\x00OW")
    chance, intact = random.Random(11), 0
    for _ in range(150):
        damaged = bytearray(data)
        for _ in range(chance.choice((1, 1, 4))):
            damaged[chance.randrange(start, end)] = chance.choice((0, 0xFF, chance.randrange(256)))
        try:
            report = await earlier(bytes(damaged), trust)
        except Error:
            continue
        intact += report.earlier_ok and any(state.signatures for state in report.states)
    assert intact < 150


PROGRAM = """
import anyio, re, sys
from pathlib import Path
from functools import partial
from dcmsign.stream import verify_originals
report = anyio.run(partial(verify_originals, sys.argv[1], require_signature=False, inspect=False))
peak = re.search(r"VmHWM:\\s+([0-9]+)", Path("/proc/self/status").read_text())
print(report.states[0].signatures[0].intact, int(peak[1]) >> 10)
"""


def peak_memory(path: Path) -> int:
    """Peak of a process that verifies the earlier state, in MiB."""
    command = [sys.executable, "-c", PROGRAM, str(path)]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=120)
    intact, peak = done.stdout.split()
    assert intact == "True"
    return int(peak)


async def test_memory_does_not_grow_with_pixel_data(tmp_path: Path) -> None:
    peaks = []
    for size in (1 << 20, 100 << 20):
        before = sign(write_sparse(tmp_path / "in.dcm", size), tmp_path / "signed.dcm")
        after = coerced(before, tmp_path / "after.dcm", VALUES)
        peaks.append(await anyio.to_thread.run_sync(peak_memory, after))
    assert peaks[1] < peaks[0] + 32


async def test_as_data(signed: Path, tmp_path: Path, trust: Trust) -> None:
    data = (await earlier(coerced(signed, tmp_path / "after.dcm", VALUES), trust)).to_dict()
    (state,) = data["states"]
    assert (data["ok"], data["unverified"], state["signatures"][0]["status"]) == (True, [], "OK")
    assert state["put_back"] == ["0010,0010", "0010,0020", "0010,4000", "0020,0010"]
    assert (state["location"], state["ambiguous"], state["reason"]) == ([["0400,0561", 0]], ["0010,4000"], "COERCE")
