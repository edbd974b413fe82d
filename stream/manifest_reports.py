"""Plain result objects of making and verifying manifests."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ..codec.errors import VerificationFailed
from ..codec.manifest.comparison import InstanceStatus
from ..codec.manifest.references import shown
from .levels import Level
from .receipts import SigningReceipt
from .reports import VerificationReport


@dataclass(frozen=True, slots=True)
class ManifestReceipt:
    """A manifest that was made.

    `sop_instance`, `series`, `study`: its UIDs. `instances`: how many it references. `signature`: the signature over it.
    `copies`: files that were left out, since their instance is referenced already and they do not differ from it.
    `unprotected`: by SOP Instance UID, data elements that cannot be signed (UN), so that nothing protects them.
    """

    sop_instance: str
    series: str
    study: str
    title: str
    instances: int
    signature: SigningReceipt
    copies: tuple[str, ...] = ()
    unprotected: Mapping[str, tuple[int, ...]] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """The receipt as JSON-ready data."""
        return {
            "sop_instance": self.sop_instance,
            "series": self.series,
            "study": self.study,
            "title": self.title,
            "instances": self.instances,
            "uid": self.signature.uid,
            "mac_algorithm": self.signature.mac_algorithm,
            "signed_at": self.signature.signed_at,
            "signer": self.signature.certificate.subject,
            "copies": list(self.copies),
            "unprotected": {uid: _names(tags) for uid, tags in self.unprotected.items()},
        }


@dataclass(frozen=True, slots=True)
class InstanceReport:
    """What became of one instance of a study, or of one file.

    `path`: the file, None for an instance that is MISSING. `sop_instance`: None for a file that is UNREADABLE. `added`: data
    elements that the manifest does not list. `removed`: those it lists and that are gone. `unprotected`: those that cannot be
    signed (UN), about which no manifest says anything. `copy_of`: the file in which this instance was found before. `error`: the
    class of the error with an UNREADABLE one. `seconds`, `bytes`: spent on the file, and its size. Of many data elements the
    first ones are named.
    """

    status: InstanceStatus
    reason: str
    path: str | None = None
    sop_instance: str | None = None
    sop_class: str | None = None
    added: tuple[int, ...] = ()
    removed: tuple[int, ...] = ()
    unprotected: tuple[int, ...] = ()
    copy_of: str | None = None
    error: str | None = None
    seconds: float = 0.0
    bytes: int = 0

    @property
    def ok(self) -> bool:
        """True if the instance is intact, and here for the first time."""
        return self.status is InstanceStatus.INTACT and self.copy_of is None

    def to_dict(self) -> dict[str, Any]:
        """The report as JSON-ready data: only what there is."""
        found: dict[str, Any] = {"path": self.path} if self.path is not None else {}
        found |= {"status": self.status.name, "reason": self.reason}
        texts = {name: getattr(self, name) for name in ("sop_instance", "sop_class", "copy_of", "error")}
        tags = {name: _names(getattr(self, name)) for name in ("added", "removed", "unprotected")}
        found |= {name: value for name, value in (texts | tags).items() if value}
        return found | ({"seconds": round(self.seconds, 6), "bytes": self.bytes} if self.path is not None else {})


class ManifestLevels(NamedTuple):
    """What a study has reached.

    `signed`: the manifest carries a signature that is intact and protects all its references. `trusted`: its signer leads to a
    trust anchor. `timestamped`: a time-stamping authority vouches for the time. `intact`: every instance found is as the manifest
    says. `complete`: none is missing. `exact`: there is nothing else, nothing twice, nothing unreadable. `covered`: no instance
    has data elements about which the manifest can say nothing; this one does not count for `ok`.
    """

    signed: Level
    trusted: Level
    timestamped: Level
    intact: Level
    complete: Level
    exact: Level
    covered: Level


@dataclass(frozen=True, slots=True)
class ManifestReport:
    """A study held against its manifest.

    `manifest`: the signatures of the manifest itself. `unprotected`: why its references cannot be relied on, None if they can.
    `title`: code value and meaning. `references`: instances it names. `counts`: instances and files by status; `copies`: files
    whose instance was found before. `instances`: every result that is not just intact, in order of completion; all results if
    that was asked for. `uncovered`: instances with data elements that cannot be signed.
    """

    manifest: VerificationReport
    unprotected: str | None
    sop_instance: str
    study: str
    title: tuple[str, str] | None
    references: int
    counts: Mapping[InstanceStatus, int]
    copies: int
    uncovered: int
    instances: tuple[InstanceReport, ...]

    @property
    def ok(self) -> bool:
        """True if the manifest is OK and the study is what it says: all of it, unchanged, and nothing else."""
        levels = self.levels
        needed = (levels.signed, levels.intact, levels.complete, levels.exact)
        return self.manifest.ok and all(level.reached for level in needed)

    @property
    def levels(self) -> ManifestLevels:
        """What was reached and why."""
        of_manifest = self.manifest.levels
        signed = of_manifest.intact if self.unprotected is None else Level(False, self.unprotected)
        return ManifestLevels(
            signed=signed,
            trusted=of_manifest.trusted,
            timestamped=of_manifest.timestamped,
            intact=self._intact(),
            complete=_level(self.counts[InstanceStatus.MISSING], "missing", f"all {self.references} instances are there"),
            exact=self._exact(),
            covered=_level(self.uncovered, "with data elements that cannot be signed", "all data elements are protected"),
        )

    def _intact(self) -> Level:
        bad = {kind: self.counts[kind] for kind in _NOT_INTACT if self.counts[kind]}
        if bad:
            return Level(False, ", ".join(f"{count} {kind.name.lower()}" for kind, count in bad.items()))
        found = self.counts[InstanceStatus.INTACT]
        return Level(bool(found), f"{found} intact")

    def _exact(self) -> Level:
        parts = {
            "not in the manifest": self.counts[InstanceStatus.EXTRA],
            "unreadable": self.counts[InstanceStatus.UNREADABLE],
            "there more than once": self.copies,
        }
        bad = [f"{count} {text}" for text, count in parts.items() if count]
        return Level(False, ", ".join(bad)) if bad else Level(True, "nothing else is there")

    def raise_for_status(self) -> None:
        """Raise VerificationFailed unless the report is `ok`."""
        if self.ok:
            return
        levels = self.levels
        for name in ("signed", "intact", "complete", "exact"):
            level: Level = getattr(levels, name)
            if not level.reached:
                raise VerificationFailed(f"study {shown(self.study)}: not {name}: {level.reason}")
        self.manifest.raise_for_status()

    def to_dict(self) -> dict[str, Any]:
        """The report as JSON-ready data."""
        return {
            "ok": self.ok,
            "study": self.study,
            "sop_instance": self.sop_instance,
            "title": None if self.title is None else {"code": self.title[0], "meaning": self.title[1]},
            "levels": {name: {"reached": level.reached, "reason": level.reason} for name, level in self.levels._asdict().items()},
            "references": self.references,
            "counts": {status.name.lower(): count for status, count in self.counts.items()} | {"copies": self.copies},
            "manifest": self.manifest.to_dict(),
            "instances": [instance.to_dict() for instance in self.instances],
        }


_NOT_INTACT = (InstanceStatus.CHANGED, InstanceStatus.EXTENDED, InstanceStatus.UNPROTECTED)


def _level(count: int, bad: str, good: str) -> Level:
    return Level(False, f"{count} {bad}") if count else Level(True, good)


def _names(tags: tuple[int, ...]) -> list[str]:
    return [f"{tag >> 16:04x},{tag & 0xFFFF:04x}" for tag in tags]
