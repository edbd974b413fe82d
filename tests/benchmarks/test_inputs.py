"""The benchmarks' inputs are DICOM of the size and with the number of headers that they are said to have."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import anyio
import pydicom
import pytest
from dcmsign.stream import Trust, verify
from pydicom.dataset import Dataset

from benchmarks import inputs, sparse
from benchmarks.commands import CERTIFICATE, KEY
from benchmarks.encoding import FORMS, Encoder
from tests.peers import require_peer

DENSE_HEADERS = 25
MIB = 1 << 20


def dump(path: Path) -> str:
    """What DCMTK reads; nothing it complains of."""
    command = [require_peer("dcmdump"), "-q", "--load-all", str(path)]
    quiet = subprocess.run([*command[:1], *command[2:]], capture_output=True, text=True, check=True)
    assert not re.search("^[WEF]:", quiet.stdout + quiet.stderr, re.MULTILINE), quiet.stderr
    return quiet.stdout


def count(dataset: Dataset) -> int:
    """Data elements and items, as pydicom sees them."""
    items = [item for element in dataset if element.VR == "SQ" for item in element.value]
    return len(dataset) + len(items) + sum(map(count, items))


@pytest.mark.parametrize("form", ["explicit", "implicit", "big endian"])
def test_native_image(tmp_path: Path, form: str) -> None:
    path = tmp_path / "image.dcm"
    inputs.make_image(path, 3 * MIB + 2, FORMS[form])
    assert "PixelData" in dump(path)
    dataset = pydicom.dcmread(path)
    assert dataset.file_meta.TransferSyntaxUID == FORMS[form].uid
    assert len(dataset.PixelData) == 3 * MIB + 2
    assert dataset.ReferencedImageSequence[0].ReferencedSOPInstanceUID == "1.2.3.4.6"


def test_encapsulated_image(tmp_path: Path) -> None:
    path = tmp_path / "image.dcm"
    inputs.make_image(path, 1000, FORMS["encapsulated"], fragment=64)
    assert dump(path).count("(fffe,e000) pi") == 1 + 16
    dataset = pydicom.dcmread(path)
    assert sorted(inputs.IMAGE_TAGS) == [int(element.tag) for element in dataset]


def test_sparse_files_take_no_space(tmp_path: Path) -> None:
    plain, holes, signed = (tmp_path / name for name in ("plain.dcm", "holes.dcm", "signed.dcm"))
    for path in (plain, holes):
        inputs.make_image(path, 64 * MIB, FORMS["encapsulated"], sparse=path == holes)
    assert plain.stat().st_size == holes.stat().st_size
    sparse.signed(holes, signed)
    for path in (holes, signed):
        assert path.stat().st_blocks * 512 < 8 * MIB
    assert anyio.run(lambda: verify(signed, trust=Trust.load(trusted=[CERTIFICATE]))).ok


@pytest.mark.parametrize(("size", "fragment", "form"), [(3, 2, "explicit"), (4, 1, "encapsulated"), (1 << 32, 2, "explicit")])
def test_lengths_that_no_file_has(tmp_path: Path, size: int, fragment: int, form: str) -> None:
    with pytest.raises(ValueError, match="no length for Pixel Data"):
        inputs.make_image(tmp_path / "image.dcm", size, FORMS[form], fragment=fragment)


@pytest.mark.parametrize("undefined", [False, True])
@pytest.mark.parametrize("form", ["explicit", "implicit"])
def test_dense(tmp_path: Path, form: str, undefined: bool) -> None:
    path = tmp_path / "dense.dcm"
    headers = inputs.make_dense(path, 20, FORMS[form], undefined=undefined)
    assert ("u/l" in dump(path)) is undefined
    dataset = pydicom.dcmread(path)
    assert headers == count(dataset) == 4 + 20 * DENSE_HEADERS
    assert dataset.PerFrameFunctionalGroupsSequence[7].FrameContentSequence[0].DimensionIndexValues == [1, 8]


def test_plain(tmp_path: Path) -> None:
    path = tmp_path / "plain.dcm"
    assert inputs.make_plain(path, 250, FORMS["explicit"], an_item=100) == 253
    assert dump(path).count("(0019,10") == 250
    assert count(pydicom.dcmread(path)) == 253 + 3 + 3


def test_report(tmp_path: Path) -> None:
    path = tmp_path / "report.dcm"
    headers = inputs.make_report(path, 7)
    assert "ContentSequence" in dump(path)
    dataset = pydicom.dcmread(path)
    assert headers == count(dataset)
    assert "Finding 2 of report 7" in dataset.ContentSequence[1].ContentSequence[2].TextValue


def test_many_signed_reports(tmp_path: Path) -> None:
    paths = list(inputs.make_reports(tmp_path, 102))
    assert len(set(paths)) == 102
    assert {path.parent.name for path in paths} == {"0000", "0001"}
    inputs.sign_in_place(paths[-2:], KEY, CERTIFICATE)
    for path in paths[-2:]:
        subprocess.run([require_peer("dcmsign"), "+rg", "+cf", CERTIFICATE, str(path)], check=True, capture_output=True)


def test_odd_values_are_refused() -> None:
    with pytest.raises(ValueError, match="odd length"):
        Encoder(FORMS["explicit"]).element(0x00100010, "PN", b"ABC")
