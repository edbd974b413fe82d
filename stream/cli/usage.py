"""Texts outside of any operation: header, help, version, purposes, usage errors."""

from __future__ import annotations

import os
import sys

from . import messages
from .option_table import PARAMETERS, SECTIONS
from .options import Block, Option

VERSION = "0.5.0"
RELEASED = "2026-11-23"

DESCRIPTION_COLUMN = 33
"""Width in front of every description."""


def header() -> str:
    """The line every text begins with."""
    return messages.HEADER.format(VERSION, RELEASED)


def error(text: str) -> str:
    """A usage error with its header."""
    return _lines(header(), "", messages.TITLE, messages.USAGE_ERROR.format(text))


def help_text() -> str:
    """The answer to ``--help``."""
    lines = [header(), "", messages.TITLE, messages.USAGE, "", "parameters:"]
    for name, description in PARAMETERS:
        lines += _described(f"  {name}", description)
    lines.append("")
    for section in SECTIONS:
        lines.append(section.title)
        for block in section.blocks:
            lines += _block(block)
    return _lines(*lines, "")


def version_text() -> str:
    """The answer to ``--version``."""
    # cryptography takes longer to import than everything else together
    from cryptography.hazmat.backends.openssl.backend import backend

    python = ".".join(str(part) for part in sys.version_info[:3])
    libraries = (f"- Python {python}", f"- {backend.openssl_version_text()}")
    return _lines(*_build(), "", messages.LIBRARIES, *libraries)


def purposes_text() -> str:
    """The answer to ``--list-purposes``."""
    from ...codec.signature.purposes import PURPOSES

    return _lines(*_build(), "", messages.PURPOSES, *(f"{code:4}: {name}" for code, name in PURPOSES), "")


def _build() -> tuple[str, ...]:
    host = os.uname()
    return (
        header(),
        "",
        messages.TITLE,
        "",
        messages.HOST.format(f"{host.machine}-{host.sysname}"),
        messages.CHARACTERS.format(sys.getfilesystemencoding().upper()),
        messages.BUILD.format(f"{sys.implementation.cache_tag} threads lfs"),
    )


def _block(block: Block) -> list[str]:
    lines = [f"  {block.title}"] if block.title else []
    for option in block.options:
        lines += _described(_names(option, block), option.value_help + option.help)
    return lines


def _names(option: Option, block: Block) -> str:
    if block.title:
        return f"    {option.short:4}  {option.long}"
    return f"  {option.short:6}  {option.long}"


def _described(names: str, description: tuple[str, ...]) -> list[str]:
    first, *others = description
    return [names.ljust(DESCRIPTION_COLUMN) + first, *(" " * DESCRIPTION_COLUMN + line for line in others)]


def _lines(*lines: str) -> str:
    return "".join(line + "\n" for line in lines)
