"""The timestamp vectors: objects signed and stamped by DCMTK's dcmsign, replies good and bad, and what dcmsign said."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

from dcmsign.codec.signature.items import SignatureItem
from dcmsign.stream.trust import der
from dcmsign.stream.trust.anchors import Trust
from dcmsign.stream.trust.certificates import Certificate, Encoding, load_certificates
from dcmsign.stream.trust.paths import TrustedPaths

from tests.codec import signing

VECTORS = Path(__file__).parents[1] / "vectors" / "tsa"
CASES: list[dict[str, Any]] = json.loads((VECTORS / "cases.json").read_text("utf-8"))["cases"]


def read(name: str) -> bytes:
    return (VECTORS / name).read_bytes()


@dataclass(frozen=True)
class Signed:
    """What a timestamp is about: a DICOM signature."""

    item: SignatureItem

    @property
    def certificate(self) -> Certificate:
        assert self.item.certificate is not None
        return Certificate.from_der(self.item.certificate)

    @property
    def value(self) -> bytes:
        """The signature value without its pad byte."""
        value = self.item.signature
        assert value is not None
        if self.certificate.key_type == "RSA":
            return value[: (self.certificate.key_bits + 7) // 8]
        return bytes(der.read(value).encoding)

    @property
    def validity(self) -> tuple[datetime, datetime]:
        return self.certificate.not_before, self.certificate.not_after


@cache
def signatures(name: str) -> list[Signed]:
    """All signatures of a vector, the main data set's first."""
    data = read(name)
    found = signing.find(data, [data])
    return [Signed(entry.item) for entry in sorted(found, key=lambda entry: len(entry.location))]


@cache
def certificates(*names: str) -> tuple[Certificate, ...]:
    """The certificates of PEM files; files that hold none are left out, as dcmsign does."""
    existing = [name for name in names if name.endswith(".pem") and (VECTORS / name).exists()]
    return tuple(entry for name in existing for entry in load_certificates(read(name), Encoding.PEM, name=name))


def paths(*trusted: str) -> TrustedPaths:
    """Paths to the certificates in these files, now."""
    return TrustedPaths(Trust(trusted=certificates(*trusted)))
