"""The report of a verification as JSON-ready data, in the form of docs/report.schema.json."""

from __future__ import annotations

import os
from datetime import datetime
from typing import Any, Final

from ..codec.dicom.dictionary import BUILT_IN, UNKNOWN, Dictionary
from ..codec.dicom.tags import text as tag_text
from ..codec.inspection.findings import Finding
from ..codec.inspection.mapping import Entry
from ..codec.inspection.scope import Scope
from .report_data import entry_data, levels_data, tag_data, time_data
from .reports import SignatureReport, VerificationReport

FORMAT: Final = "dcmsign-report"
FORMAT_VERSION: Final = 1
"""Changes when a reader of the last one would misunderstand the new one."""


def report_data(
    report: VerificationReport, *, name: str | None, version: str, time: datetime, dictionary: Dictionary = BUILT_IN
) -> dict[str, Any]:
    """A report with the map of the object and everything found, as JSON-ready data.

    `name`: what the object is called, None for a stream; `version`: of the program; `time`: of the verification. ValueError if
    the object was not inspected.
    """
    inspection = report.inspection
    if inspection is None or report.scope is None:
        raise ValueError("the object has not been inspected")
    places = {entry: number for number, entry in enumerate(inspection.map.entries)}
    return {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "program": f"dcmsign {version}",
        "verified_at": time_data(time),
        "source": None if name is None else os.fsencode(name).decode("utf-8", "backslashreplace"),
        "ok": report.ok,
        "levels": levels_data(report.levels),
        "missing_profile": None if report.missing_profile is None else report.missing_profile.name,
        "policy": None if report.policy is None else report.policy.to_dict(),
        "signatures": [_signature(signature, places) for signature in report.signatures],
        "ignored": [[[tag_data(tag), item] for tag, item in location] for location in report.ignored],
        "scope": _scope(report.scope, places),
        "map": _map(report, places, dictionary),
        "findings": [_finding(finding) for finding in inspection.findings],
        "more_findings": inspection.more,
    }


def _signature(report: SignatureReport, places: dict[Entry, int]) -> dict[str, Any]:
    """As `to_dict` has it, but the parts of its scope by their numbers: thousands of signatures may share thousands of them."""
    data = report.to_dict()
    data["scope"] = None if report.scope is None else _scope(report.scope, places)
    return data


def _scope(scope: Scope, places: dict[Entry, int]) -> dict[str, Any]:
    return {
        "complete": scope.complete,
        "protected_bytes": scope.protected_bytes,
        "protected_entries": len(scope.protected),
        "unprotected_entries": len(scope.unprotected) - len(scope.left_out),
        "left_out_entries": len(scope.left_out),
        "absent": [tag_data(tag) for tag in scope.absent],
        "unlisted": [places[entry] for entry in scope.unlisted],
    }


def _map(report: VerificationReport, places: dict[Entry, int], dictionary: Dictionary) -> dict[str, Any]:
    assert report.map is not None
    assert report.scope is not None
    by: list[list[int]] = [[] for _ in places]
    for signature in report.signatures:
        for entry in () if signature.scope is None else signature.scope.protected:
            by[places[entry]].append(signature.number)
    protected = set(report.scope.protected)

    def data(entry: Entry, numbers: list[int]) -> dict[str, Any]:
        keyword = None if entry.tag is None else dictionary.keyword_of(entry.tag)
        return {
            **entry_data(entry),
            "path": path_of(entry),
            "keyword": None if keyword == UNKNOWN else keyword,
            "protected": entry in protected,
            "protected_by": numbers,
        }

    return {
        "size": report.map.size,
        "entries": [data(entry, by[place]) for entry, place in places.items()],
        "excluded": [data(entry, []) for entry in report.map.excluded],
        "more": report.map.more,
    }


def path_of(entry: Entry) -> str | None:
    """Where a data element stands: ``(0008,1140)[0].(0008,1155)``; None for a part that is none."""
    if entry.tag is None:
        return None
    return "".join(f"{tag_text(tag)}[{item}]." for tag, item in entry.location) + tag_text(entry.tag)


def _finding(finding: Finding) -> dict[str, Any]:
    kind = finding.kind
    return {
        "kind": kind.name,
        "severity": kind.severity.value,
        "title": kind.title,
        "explanation": kind.explanation,
        "offset": finding.offset,
        "element": finding.element,
        "detail": finding.detail,
    }
