"""Generates docs/options.md, the list of all options, from the option table of the command.

python tools/generate_options.py           writes it
python tools/generate_options.py --check   exit 1 if it is not up to date
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from dcmsign.stream.cli.option_table import SECTIONS
from dcmsign.stream.cli.options import Block, Kind, Option

TARGET = Path(__file__).resolve().parent.parent / "docs" / "options.md"

HEAD = """\
# Options of the command

All options of DCMTK's `dcmsign` 3.7, with the same names, values, conditions and effects. This page is generated from the
table that also drives parsing, conditions and `--help` (`stream/cli/option_table.py`). Status:

* **same**: as DCMTK's, compared with the real program by tests
* **differs**: the same but for what is said beside it, on purpose
* **added**: DCMTK has no such option

What differs independently of a single option is listed in [differences.md](differences.md). Of exclusive choices, one table
each, the rightmost one counts; *n* marks options that may be repeated.
"""


def status(option: Option) -> str:
    """The status of an option and what is to say about it."""
    if option.added:
        return f"added: {option.note}"
    return f"differs: {option.note}" if option.note else "same"


def names(option: Option) -> str:
    """Both names, then the values."""
    values = re.sub(": (string constant|string|integer|number)", "", " ".join(option.value_help[:1]))
    text = " ".join(f"`{name}`" for name in (option.short, option.long) if name)
    return f"{text} {values}".replace("|", "\\|").strip() + (" *n*" if option.kind is Kind.LIST else "")


def rows(block: Block) -> Iterator[str]:
    """A table of the options of a block."""
    yield "| Option | Effect | Only with | Status |"
    yield "|---|---|---|---|"
    for option in block.options:
        condition = "" if option.only_with is None else re.sub("(, | or )", r"`\1`", f"`{option.only_with.text}`")
        yield f"| {names(option)} | {' '.join(option.help)} | {condition} | {status(option)} |"


def page() -> str:
    """The text of the page."""
    lines = [HEAD]
    for section in SECTIONS:
        lines.append(f"## {section.title.rstrip(':').capitalize()}\n")
        for block in section.blocks:
            if block.title:
                lines.append(f"### {block.title.rstrip(':')}\n")
            lines += [*rows(block), ""]
    return "\n".join(lines)


def main() -> None:
    """Write the page, or with --check fail if it differs from what the table gives."""
    parser = argparse.ArgumentParser(description="Generate the list of options.")
    parser.add_argument("--check", action="store_true", help="compare only, exit 1 if the page is not up to date")
    if not parser.parse_args().check:
        TARGET.write_text(page(), "utf-8")
    elif not TARGET.is_file() or TARGET.read_text("utf-8") != page():
        sys.exit(f"{TARGET} is not up to date")


if __name__ == "__main__":
    main()
