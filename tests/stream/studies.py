"""Studies made to measure: instances of all kinds of transfer syntaxes, in one or two series."""

from __future__ import annotations

import struct
from pathlib import Path

import pydicom
from pydicom.uid import UID

from tests.stream.material import EXPLICIT, PYDICOM_FILES, element, meta, sequence

STUDY = "1.2.826.0.1.3680043.10.1"
KINDS = (
    "CT_small.dcm",
    "MR_small_implicit.dcm",
    "MR_small_bigendian.dcm",
    "image_dfl.dcm",
    "JPEG2000.dcm",
    "SC_rgb_rle_2frame.dcm",
    "rtplan.dcm",
)
"""Files of pydicom: explicit, implicit, big endian, deflated, encapsulated, and one that is no image."""

SECONDARY_CAPTURE = b"1.2.840.10008.5.1.4.1.1.7\0"
ECG = b"1.2.840.10008.5.1.4.1.1.9.1.1\0"


def diverse(folder: Path) -> list[Path]:
    """A study with an instance of each kind."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for number, name in enumerate(KINDS):
        dataset = pydicom.dcmread(PYDICOM_FILES / name)
        dataset.StudyInstanceUID, dataset.SeriesInstanceUID = STUDY, f"{STUDY}.{number % 2}"
        dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = UID(f"{STUDY}.9.{number}")
        dataset.PatientID, dataset.PatientName = "4711", "Doe^Jane"
        path = folder / f"{number}.dcm"
        dataset.save_as(path)
        paths.append(path)
    return paths


def small(number: int, *, study: bytes = STUDY.encode(), patient: bytes = b"4711", sop_class: bytes = SECONDARY_CAPTURE) -> bytes:
    """A small instance."""
    uid = f"{STUDY}.8.{number}".encode()
    reference = element(0x00081155, "UI", b"1.2.3.4.5.6.")
    return (
        meta(EXPLICIT)
        + element(0x00080016, "UI", sop_class)
        + element(0x00080018, "UI", even(uid, b"\0"))
        + sequence(0x00081140, reference, reference)
        + element(0x00100010, "PN", b"Doe^Jane")
        + element(0x00100020, "LO", even(patient))
        + element(0x0020000D, "UI", even(study, b"\0"))
        + element(0x0020000E, "UI", even(f"{STUDY}.{number % 3}".encode(), b"\0"))
        + element(0x00200013, "IS", even(str(number).encode()))
        + element(0x7FE00010, "OW", struct.pack("<4H", *(number % 60000 + step for step in range(4))))
    )


def even(value: bytes, pad: bytes = b" ") -> bytes:
    """The value with padding."""
    return value + pad[: len(value) & 1]


def many(folder: Path, count: int) -> list[Path]:
    """A study of small instances."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{number:05}.dcm" for number in range(count)]
    for number, path in enumerate(paths):
        path.write_bytes(small(number))
    return paths
