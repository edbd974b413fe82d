"""Changes one byte of a signed object and says what a reader of the report, and of the object, is told about that."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from enum import Enum
from functools import cached_property
from typing import Any, NamedTuple

import pydicom
from dcmsign.codec.errors import Error
from dcmsign.codec.inspection.findings import FindingKind
from dcmsign.codec.inspection.mapping import Entry
from dcmsign.codec.inspection.scope import Scope
from dcmsign.codec.signature.location import Location
from dcmsign.stream import VerificationReport, verify
from dcmsign.stream.io.threads import run_inline
from pydicom import config
from pydicom.dataset import Dataset

Path = tuple[Location, int]
"""Of a data element: the item it stands in, and its tag."""

MASKS = (0x01, 0x80, 0x20, None)
"""What a byte is combined with by exclusive or (0x20 makes another padding of one); None: it becomes 0xff."""

_NEVER = (0x00080001, 0x4FFE0001, 0xFFFAFFFA, 0xFFFCFFFC)


class Outcome(Enum):
    """What has become of the protection of a byte that was protected."""

    OUTSIDE = "it was not protected"
    REFUSED = "the object cannot be read"
    BROKEN = "no signature that protected it is intact"
    TOLD = "it is said to be unprotected, or absent"
    SAME = "everything is said to be protected as before"


class Judged(NamedTuple):
    """What a change leads to; `wrong`: why the report misleads; `findings`: kinds of those the original has not."""

    outcome: Outcome
    wrong: tuple[str, ...] = ()
    findings: frozenset[FindingKind] = frozenset()


def changed(data: bytes, position: int, mask: int | None) -> bytes:
    """The data with one byte changed."""
    byte = 0xFF if mask is None else data[position] ^ mask
    return data[:position] + bytes([byte]) + data[position + 1 :]


def path_of(entry: Entry) -> Path:
    """Of an entry that is a data element."""
    assert entry.tag is not None
    return entry.location, entry.tag


def read_values(data: bytes) -> Dataset | None:
    """What pydicom reads, None if it cannot."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return pydicom.dcmread(io.BytesIO(data), force=True)
    except Exception:  # whatever it stumbles over: it shows nothing
        return None


def _digested(tag: int) -> bool:
    """Whether a data element inside a sequence is digested (PS3.3 C.12.1.1.3.1.1)."""
    return tag >> 16 >= 8 and bool(tag & 0xFFFF) and tag not in _NEVER


def canonical(dataset: Dataset, tag: int) -> Any:
    """A value as pydicom shows it, without padding and what is never digested."""
    element = dataset[tag]
    if element.VR == "SQ":
        return [
            [(int(inner), canonical(item, int(inner))) for inner in item.keys() if _digested(int(inner))]  # noqa: SIM118
            for item in element.value
        ]
    if isinstance(element.value, bytes):
        return element.VR, element.value
    return element.VR, str(element.value).rstrip(" \0")


def value_at(dataset: Dataset, path: Path) -> Any:
    """The value of a data element, None if there is none, or none that pydicom could show."""
    location, tag = path
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for step, item in location:
                dataset = dataset[step].value[item]
            return canonical(dataset, tag)
    except Exception:  # as above
        return None


class Said(NamedTuple):
    """What an intact signature is said to protect, and where it stands."""

    scope: Scope
    location: Location

    def protected(self) -> dict[Path, Path]:
        """Data elements by their paths from what is signed: an item may be moved with its signature."""
        paths = map(path_of, self.scope.protected)
        return {(location[len(self.location) :], tag): (location, tag) for location, tag in paths}


def scopes(report: VerificationReport) -> Iterator[tuple[str, Said]]:
    """What each intact signature is said to protect, by the UID of the signature."""
    for signature in report.signatures:
        if signature.intact and signature.scope is not None:
            yield signature.uid or "", Said(signature.scope, signature.location)


class Original:
    """A signed object before it is changed."""

    def __init__(self, data: bytes, options: dict[str, Any]) -> None:
        self.options = options
        self.data = data
        self.report = run_inline(verify(data, **options))
        assert self.report.ok
        self.scopes = dict(scopes(self.report))
        assert len(self.scopes) == len(self.report.signatures)
        self._findings = {(finding.kind, finding.element) for finding in self.report.findings}
        self._values: dict[Path, Any] = {}

    @cached_property
    def _dataset(self) -> Dataset:
        dataset = read_values(self.data)
        assert dataset is not None
        return dataset

    def value(self, path: Path) -> Any:
        """As pydicom reads it."""
        if path not in self._values:
            self._values[path] = value_at(self._dataset, path)
            assert self._values[path] is not None
        return self._values[path]

    def protecting(self, position: int) -> dict[str, Path]:
        """Signatures that protect a byte, and as a part of which data element."""
        excluded = self.report.map.excluded if self.report.map is not None else ()
        if any(_holds(entry, position) for entry in excluded):
            return {}
        found = ((uid, entry) for uid, said in self.scopes.items() for entry in said.scope.protected if _holds(entry, position))
        return {uid: path_of(entry) for uid, entry in found}

    def judge(self, data: bytes, position: int | None) -> Judged:
        """What is said about the changed object; `position` is the changed byte, None if bytes have no place in the map."""
        try:
            report = run_inline(verify(data, **self.options))
        except Error:
            return Judged(Outcome.REFUSED)
        left = dict(scopes(report))
        found = frozenset((finding.kind, finding.element) for finding in report.findings) - self._findings
        wrong = () if found else self._other_values(left, data)
        texts = (*(text for uid, said in left.items() for text in self._misleading(uid, said)), *wrong)
        protecting = {} if position is None else self.protecting(position)
        return Judged(self._outcome(protecting, left), texts, frozenset(kind for kind, _ in found))

    def _outcome(self, protecting: dict[str, Path], left: dict[str, Said]) -> Outcome:
        if not protecting:
            return Outcome.OUTSIDE
        if not left.keys() >= protecting.keys():
            return Outcome.BROKEN
        if all(path not in map(path_of, left[uid].scope.protected) for uid, path in protecting.items()):
            return Outcome.TOLD
        return Outcome.SAME

    def _misleading(self, uid: str, said: Said) -> Iterator[str]:
        """Where a scope says of something that was not signed that it is protected, or does not say that something is not."""
        if uid not in self.scopes:
            yield f"{uid}: a signature nobody made is intact"
            return
        before, after = self.scopes[uid].protected(), said.protected()
        for path in after.keys() - before.keys():
            yield f"{path}: protected now, and was not"
        told = {path_of(entry) for entry in said.scope.unprotected if entry.tag is not None}
        for location, tag in before.keys() - after.keys():
            if tag not in said.scope.absent and (said.location + location, tag) not in told:
                yield f"{location} {tag:08x}: lost without a word"

    def _other_values(self, left: dict[str, Said], data: bytes) -> Iterator[str]:
        """Where a value is said to be protected, and pydicom reads another one than was signed."""
        dataset = read_values(data)
        for uid, said in left.items() if dataset is not None else ():
            before = self.scopes[uid].protected() if uid in self.scopes else {}
            for path, place in said.protected().items():
                assert dataset is not None
                value = value_at(dataset, place)
                if value is not None and path in before and value != (signed := self.value(before[path])):
                    yield f"{place}: protected, and pydicom reads {str(value)[:80]} for {str(signed)[:80]}"


def _holds(entry: Entry, position: int) -> bool:
    return entry.offset <= position < entry.offset + entry.size


config.settings.reading_validation_mode = config.IGNORE
