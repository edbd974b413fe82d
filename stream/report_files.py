"""Writes reports into files, for people and for programs."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime

from ..codec.dicom.dictionary import BUILT_IN, Dictionary
from .io.sinks import open_file_sink
from .io.threads import run_in_thread
from .report_json import report_data
from .reports import VerificationReport


async def write_report(
    report: VerificationReport,
    target: str | os.PathLike[str],
    *,
    name: str | None,
    version: str,
    time: datetime | None = None,
    dictionary: Dictionary = BUILT_IN,
) -> None:
    """Write the report of an inspected object (`verify(..., inspect=True)`), whole or not at all.

    The suffix of `target` decides: ``.json`` (docs/report.schema.json) or ``.html``, one page without any references. `name`:
    what the object is called, None for a stream; `version`: of the program; `time`: of the verification, now by default.
    Raises ValueError for another suffix or an object that was not inspected, SinkError if writing fails.
    """
    await run_in_thread(_write, report, os.fspath(target), name, version, time or datetime.now(UTC), dictionary)


def _write(report: VerificationReport, path: str, name: str | None, version: str, time: datetime, names: Dictionary) -> None:
    suffix = path[-5:].lower()
    if suffix not in (".json", ".html"):
        raise ValueError(f"{path}: neither .json nor .html")
    data = report_data(report, name=name, version=version, time=time, dictionary=names)
    if suffix == ".json":
        text = json.dumps(data, indent=1)
    else:
        from .report_html import page  # not needed for the other

        text = page(data)
    sink = open_file_sink(path)
    try:
        sink.write([text.encode("utf-8", "backslashreplace") + b"\n"])
        sink.commit()
    except BaseException:
        sink.abort()
        raise
