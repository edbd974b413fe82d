"""The files the tests sign: all that pydicom ships (with pydicom-data where it is installed) and the MAC test vectors."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pydicom.data

from tests.interop.dcmtk import KEYS, MACS, VECTORS

_SHIPPED = Path(pydicom.data.__file__).parent
_FOLDERS = ("test_files", "charset_files", "palettes")


def _pydicom_files() -> dict[str, Path]:
    files = {}
    for folder in _FOLDERS:
        for path in sorted((_SHIPPED / folder).rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts and path.suffix != ".py":
                files[path.relative_to(_SHIPPED).as_posix()] = path
    return files


def _pydicom_data_files() -> dict[str, Path]:
    found = importlib.util.find_spec("data_store")
    if found is None or found.origin is None:
        return {}
    return {f"pydicom-data/{path.name}": path for path in sorted((Path(found.origin).parent / "data").iterdir())}


def _vectors() -> dict[str, Path]:
    cases = json.loads((VECTORS / "cases.json").read_text())["cases"]
    return {f"vectors/{case['name']}": VECTORS / f"{case['name']}.dcm" for case in cases}


SHIPPED = _pydicom_files()
"""Every file in the package pydicom: images, reports, DICOMDIRs, palettes, and texts that are no DICOM."""

CORPUS = {**SHIPPED, **_pydicom_data_files(), **_vectors()}
"""Name to path."""

WAYS = {name: (KEYS[n // 6 % 3], MACS[n % 6]) for n, name in enumerate(CORPUS)}
"""Name to key type and MAC algorithm, which take turns."""
