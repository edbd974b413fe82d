"""An archive that changes values of signed objects and keeps the old ones, with the signatures, as PS3.3 C.12.1 says."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pydicom
from pydicom.datadict import tag_for_keyword
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from tests.peers import require_peer
from tests.stream.material import MAC_VECTORS

MAC_PARAMETERS, SIGNATURES = 0x4FFE0001, 0xFFFAFFFA
REMOVED = object()
"""Instead of a new value: the data element is removed."""


def call(program: str, *arguments: str) -> None:
    """Run a program of DCMTK."""
    subprocess.run([require_peer(program), *arguments], check=True, capture_output=True, timeout=60)


def sign(source: Path, target: Path, *options: str, key: str = "rsa") -> Path:
    """Sign with DCMTK's dcmsign."""
    files = (str(MAC_VECTORS / f"key-{key}.pem"), str(MAC_VECTORS / f"cert-{key}.pem"))
    call("dcmsign", "--sign", *files, "--mac-sha256", *options, str(source), str(target))
    return target


def dcmsign_code(path: Path) -> int:
    """What DCMTK's dcmsign says about an object as it is."""
    command = [require_peer("dcmsign"), "--verify", "--add-cert-file", str(MAC_VECTORS / "cert-rsa.pem"), str(path)]
    return subprocess.run(command, capture_output=True, check=False, timeout=60).returncode


def move(dataset: Dataset, tag: int, old: Dataset) -> None:
    """Take a data element out of the data set and keep it."""
    if tag in dataset:
        old[tag] = dataset[tag]
        del dataset[tag]


def change(
    dataset: Dataset,
    values: Mapping[str, Any],
    *,
    date: str | None = "20240102030405",
    move_signatures: bool = True,
    newest_first: bool = False,
    zero_length: bool = True,
) -> Dataset:
    """Change values of an object and keep those before; returns the item that tells of it.

    `zero_length`: data elements that were absent are listed without value.
    """
    old, item = Dataset(), Dataset()
    for keyword, value in values.items():
        tag = tag_for_keyword(keyword)
        assert tag is not None
        if tag in dataset:
            move(dataset, tag, old)
        elif zero_length:
            setattr(old, keyword, [] if isinstance(value, list) else None)
        if value is not REMOVED:
            setattr(dataset, keyword, value)
    if move_signatures:
        move(dataset, MAC_PARAMETERS, old)
        move(dataset, SIGNATURES, old)
    item.SourceOfPreviousValues = "OTHER HOSPITAL"
    if date is not None:
        item.AttributeModificationDateTime = date
    item.ModifyingSystem = "ARCHIVE"
    item.ReasonForTheAttributeModification = "COERCE"
    item.ModifiedAttributesSequence = Sequence([old])
    before = list(dataset.get("OriginalAttributesSequence") or [])
    dataset.OriginalAttributesSequence = Sequence([item, *before] if newest_first else [*before, item])
    return item


def save(dataset: Dataset, path: Path) -> Path:
    """Write an object."""
    dataset.save_as(path)
    return path


def coerced(source: Path, target: Path, values: Mapping[str, Any], **options: Any) -> Path:
    """A changed copy of a signed object."""
    dataset = pydicom.dcmread(source)
    change(dataset, values, **options)
    return save(dataset, target)
