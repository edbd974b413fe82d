"""Digests of instances against those of DCMTK, references and documents there and back, what is refused."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Iterator
from io import BytesIO
from typing import Any

import pydicom
import pytest
from dcmsign.codec.dicom import trees
from dcmsign.codec.dicom.encoder import DatasetEncoder, LengthTable
from dcmsign.codec.dicom.events import EXPLICIT, Event
from dcmsign.codec.dicom.meta import meta_header
from dcmsign.codec.dicom.options import Limits, ReadOptions
from dcmsign.codec.dicom.parser import Parser
from dcmsign.codec.errors import Error, LimitExceeded, ManifestError
from dcmsign.codec.manifest.comparison import InstanceStatus, compare_listed
from dcmsign.codec.manifest.document import KEY_OBJECT_SELECTION, Described, Document, ManifestTitle, document_events
from dcmsign.codec.manifest.instance import InstanceDigester
from dcmsign.codec.manifest.reading import ManifestReader
from dcmsign.codec.manifest.references import (
    MAC,
    REFERENCED_MAC_SEQUENCE,
    REFERENCED_SOP_INSTANCE_UID,
    Reference,
    ReferencedMac,
    ReferencedSignature,
    pack_tags,
    read_reference,
    reference_item,
    unpack_tags,
)
from dcmsign.stream import run_inline
from dcmsign.stream.instances import read_instance
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.stream.material import CASES, MAC_VECTORS

DIFFERENT = {
    "jpeg-old-format": "lengths of fragments are digested there",
    "nested-16k": "DCMTK leaves out a part",
    "nested-16k-items": "DCMTK leaves out a part",
}
COMPARABLE = [
    name
    for name, case in CASES.items()
    if case["item"] is None and "-t" not in case["options"] and "-tf" not in case["options"] and name not in DIFFERENT
]


@pytest.mark.parametrize("name", COMPARABLE)
def test_digests_are_those_of_dcmtk(name: str) -> None:
    case = CASES[name]
    elements = (MAC_VECTORS / f"{name}.mac").read_bytes()[: case["signature_item_offset"]]
    source = str(MAC_VECTORS / f"{name}.dcm")
    options = ReadOptions(convert_un="+uc" in case["options"])
    found = run_inline(read_instance(source, options, ("SHA256", "MD5")))
    assert found.digests == {"SHA256": hashlib.sha256(elements).digest(), "MD5": hashlib.md5(elements).digest()}
    assert [f"{tag >> 16:04x},{tag & 0xFFFF:04x}" for tag in unpack_tags(found.tags)] == case["tags_signed"]
    assert found.mac_syntax == case["mac_transfer_syntax"]
    listed = ReferencedMac(found.mac_syntax, "SHA256", found.tags, b"")
    assert run_inline(read_instance(source, options, ("SHA256",), listed)).digests["SHA256"] == found.digests["SHA256"]


def test_digests_in_a_syntax_that_pixels_are_not_in() -> None:
    jpeg = "1.2.840.10008.1.2.4.50"
    listed = ReferencedMac(jpeg, "SHA256", pack_tags([0x00080018]), b"")
    found = run_inline(read_instance(str(MAC_VECTORS / "pixel-ow.dcm"), ReadOptions(), ("SHA256",), listed))
    assert not found.usable
    assert found.digests["SHA256"]
    study, series, sop_class, instance = (found.text(tag) for tag in (0x0020000D, 0x0020000E, 0x00080016, 0x00080018))
    reference = Reference(study, series, sop_class, instance, listed._replace(value=found.digests["SHA256"]))
    outcome = compare_listed(reference, found)
    assert outcome.status is InstanceStatus.CHANGED
    assert jpeg in outcome.reason


def test_what_cannot_be_signed_is_told() -> None:
    found = run_inline(read_instance(str(MAC_VECTORS / "un-defined.dcm"), ReadOptions(), ("SHA256",)))
    assert found.unsignable
    assert not set(found.unsignable) & set(unpack_tags(found.tags))


def test_elements_found_twice_are_told() -> None:
    found = run_inline(read_instance(str(MAC_VECTORS / "order-and-duplicates.dcm"), ReadOptions(), ("SHA256",)))
    assert found.duplicated


# ------------------------------------------------------------------ references

uids = st.text("0123456789.", min_size=1, max_size=64).filter(lambda uid: uid.strip("."))
values = st.binary(min_size=2, max_size=64).filter(lambda value: len(value) % 2 == 0)
macs = st.builds(
    ReferencedMac,
    uids,
    st.sampled_from(("SHA256", "MD5")),
    st.lists(st.integers(0, 0xFFFFFFFF), min_size=1).map(pack_tags),
    values,
)
references = st.builds(
    Reference,
    uids,
    uids,
    uids,
    uids,
    st.none() | macs,
    st.lists(st.builds(ReferencedSignature, uids, values), max_size=3).map(tuple),
)


@given(references)
def test_reference_there_and_back(reference: Reference) -> None:
    assert read_reference(reference_item(reference), reference.study, reference.series) == reference


@given(st.lists(st.integers(0, 0xFFFFFFFF)))
def test_tags_there_and_back(tags: list[int]) -> None:
    assert unpack_tags(pack_tags(tags)) == tuple(tags)


GOOD = Reference("1.2", "1.3", "1.4", "1.5", ReferencedMac("1.2.840.10008.1.2.1", "SHA256", pack_tags([0x00080018]), bytes(32)))


def changed_mac(*entries: trees.Element | trees.Sequence) -> trees.Item:  # type: ignore[name-defined]
    item = reference_item(GOOD)
    sequence = trees.find(item, REFERENCED_MAC_SEQUENCE)
    assert isinstance(sequence, trees.Sequence)
    sequence.items[0][:] = [entry for entry in sequence.items[0] if entry.tag not in {new.tag for new in entries}]
    sequence.items[0].extend(entry for entry in entries if not isinstance(entry, trees.Sequence) and entry.value)
    return item


@pytest.mark.parametrize("tag", [0x04000010, 0x04000015, 0x04000020, MAC])
def test_incomplete_digests_are_refused(tag: int) -> None:
    with pytest.raises(ManifestError):
        read_reference(changed_mac(trees.element(tag, "OB", b"")))


def test_two_digests_are_refused() -> None:
    item = reference_item(GOOD)
    sequence = trees.find(item, REFERENCED_MAC_SEQUENCE)
    assert isinstance(sequence, trees.Sequence)
    sequence.items.append(sequence.items[0])
    with pytest.raises(ManifestError, match="more than one digest"):
        read_reference(item)


def test_reference_without_uid_is_refused() -> None:
    with pytest.raises(ManifestError, match="without SOP"):
        read_reference([entry for entry in reference_item(GOOD) if entry.tag != REFERENCED_SOP_INSTANCE_UID])


# ------------------------------------------------------------------ documents


def described(count: int, **changes: Any) -> list[Described]:
    made = []
    for number in range(count):
        reference = GOOD._replace(series=f"1.3.{number // 4}", sop_instance=f"1.5.{number}")
        made.append(Described(reference._replace(**changes), pixels=number % 2 == 0))
    return made


def document(instances: list[Described], *, description: bytes | None = None) -> bytes:
    about = Document(
        "2.25.1",
        "2.25.2",
        "1.2",
        ManifestTitle.SIGNED_MANIFEST,
        {0x00100020: b"4711", 0x00080005: b"ISO_IR 192"},
        "20260601",
        "120000.000000",
        "+0000",
        ("maker", "model", "1"),
        description,
    )
    return encoded(document_events(about, instances))


def encoded(events: Iterator[Event]) -> bytes:
    encoder = DatasetEncoder(EXPLICIT, LengthTable(), undefined=True)
    encoder.feed_all(events)
    encoder.finish()
    head = meta_header(None, "1.2.840.10008.1.2.1", KEY_OBJECT_SELECTION.encode(), b"2.25.1")
    return head + b"".join(encoder.take())


def read(data: bytes, *, step: int = 1 << 16, **limits: Any) -> ManifestReader:
    reader, parser = ManifestReader(**limits), Parser()
    for start in range(0, len(data), step):
        parser.feed(data[start : start + step])
        for event in parser.events():
            reader.feed(event)
    parser.close()
    for event in parser.events():
        reader.feed(event)
    reader.finish()
    return reader


@pytest.mark.parametrize("step", [1, 7, 1 << 16])
def test_document_there_and_back(step: int) -> None:
    instances = described(11)
    reader = read(document(instances), step=step)
    assert list(reader.references.values()) == [each.reference for each in instances]
    assert reader.title == ("113031", "Signed Manifest")
    assert reader.evidence == [0x0040A375]


def test_document_as_pydicom_reads_it() -> None:
    dataset = pydicom.dcmread(BytesIO(document(described(5), description="Größe".encode())))
    tags = list(dataset.keys())
    assert tags == sorted(tags)
    assert dataset.SOPClassUID == KEY_OBJECT_SELECTION
    assert dataset.ContentSequence[0].TextValue == "Größe"
    assert [item.ValueType for item in dataset.ContentSequence[1:]] == ["IMAGE", "COMPOSITE", "IMAGE", "COMPOSITE", "IMAGE"]
    (study,) = dataset.CurrentRequestedProcedureEvidenceSequence
    assert study.StudyInstanceUID == "1.2"
    assert [len(series.ReferencedSOPSequence) for series in study.ReferencedSeriesSequence] == [4, 1]
    mac = study.ReferencedSeriesSequence[0].ReferencedSOPSequence[0].ReferencedSOPInstanceMACSequence[0]
    assert (mac.MACAlgorithm, mac.DataElementsSigned, mac.MAC) == ("SHA256", 0x00080018, bytes(32))


def test_waveforms_are_referenced_as_such() -> None:
    instances = described(1, sop_class="1.2.840.10008.5.1.4.1.1.9.1.1")
    assert pydicom.dcmread(BytesIO(document(instances))).ContentSequence[0].ValueType == "WAVEFORM"


def test_what_is_no_manifest() -> None:
    with pytest.raises(ManifestError, match="neither a Key Object Selection"):
        read((MAC_VECTORS / "explicit-short.dcm").read_bytes())
    with pytest.raises(ManifestError, match="no references"):
        read(document([]))


def test_references_that_contradict_each_other() -> None:
    one, other = described(1)[0], described(1, sop_class="1.9")[0]
    with pytest.raises(ManifestError, match="two references that differ"):
        read(document([one, other]))


def test_manifests_out_of_order_are_refused() -> None:
    dataset = document(described(2))
    extra = b"\x40\x00\x75\xa3SQ\0\0\0\0\0\0"  # a second evidence sequence
    with pytest.raises(ManifestError, match="out of order or twice"):
        read(dataset + extra)


def test_number_of_references_is_bounded() -> None:
    with pytest.raises(LimitExceeded, match="more than 3 references"):
        read(document(described(4)), most=3)
    with pytest.raises(LimitExceeded, match="references take more than 8000 bytes"):
        read(document(described(20)), limits=Limits(kept=4000))
    with pytest.raises(LimitExceeded, match="sequence takes more than 500 bytes"):
        read(document(described(1)), limits=Limits(sequence=500))


def test_limits_of_instances() -> None:
    digester = InstanceDigester(("SHA256",), limits=Limits(elements=3))
    parser = Parser()
    parser.feed((MAC_VECTORS / "explicit-short.dcm").read_bytes())
    parser.close()
    with pytest.raises(LimitExceeded):
        deque(map(digester.feed, parser.events()))


@given(st.integers(0, 4000), st.binary(min_size=1, max_size=8), st.integers(1, 4000))
@settings(max_examples=300, deadline=None)
def test_damaged_manifests_are_read_or_refused(place: int, new: bytes, step: int) -> None:
    data = bytearray(document(described(6)))
    place %= len(data)
    data[place : place + len(new)] = new
    try:
        reader = read(bytes(data), step=step)
    except Error:
        return
    assert 1 <= len(reader.references) <= 6
