"""Generates docs/findings.md, the list of all kinds of findings, from codec/inspection/findings.py.

python tools/generate_findings.py           writes it
python tools/generate_findings.py --check   exit 1 if it is not up to date
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from dcmsign.codec.inspection.findings import FindingKind, Severity

TARGET = Path(__file__).resolve().parent.parent / "docs" / "findings.md"

HEAD = """\
# Findings

What about the structure of an object is not as it should be, in [reports](report.md) and `report.findings`. A finding does not
change a verdict, unless a [policy](policies.md) says so. This page is generated from `codec/inspection/findings.py`.

* **critical**: two readers may show different contents, or the file is something else besides
* **warning**: against the standard, or out of the reach of signatures: worth a look
* **info**: unusual, and harmless by itself
"""


def page() -> str:
    """The text of the page, the most severe kinds first."""
    parts = [HEAD]
    for severity in reversed(list(Severity)):
        parts.append(f"## {severity.value.capitalize()}\n")
        parts += [f"### {kind.name}\n\n{kind.title}\n\n{kind.explanation}\n" for kind in FindingKind if kind.severity is severity]
    return "\n".join(parts)


def main() -> None:
    """Write the page, or with --check fail if it differs from what the kinds give."""
    parser = argparse.ArgumentParser(description="Generate the list of findings.")
    parser.add_argument("--check", action="store_true", help="compare only, exit 1 if the page is not up to date")
    if not parser.parse_args().check:
        TARGET.write_text(page(), "utf-8")
    elif not TARGET.is_file() or TARGET.read_text("utf-8") != page():
        sys.exit(f"{TARGET} is not up to date")


if __name__ == "__main__":
    main()
