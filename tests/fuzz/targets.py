"""All fuzz targets by name."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from pathlib import Path
from random import Random
from typing import NamedTuple

from tests.fuzz import asn1, objects, parsing, seeds, texts
from tests.fuzz.mutations import behind_choices, mutate_asn1, mutate_dicom, mutate_words

REGRESSIONS = Path(__file__).parent / "regressions"
"""Inputs that were findings once, in a folder for each target."""


class Target(NamedTuple):
    """`check` takes any bytes and raises what is a finding; `seeds` gives inputs to begin with, `mutate` changes one.

    `size`: bytes of the longest input.
    """

    check: Callable[[bytes], object]
    seeds: Callable[[], list[bytes]]
    mutate: Callable[[bytes, Random], bytes]
    size: int = 1 << 12


def _with_choices(found: Callable[[], list[bytes]], count: int) -> list[bytes]:
    """Objects with the ordinary choices in front."""
    return [bytes(count) + data for data in found()]


def _objects(check: Callable[[bytes], object], found: Callable[[], list[bytes]], more: int = 0) -> Target:
    count = parsing.CHOICES + more
    return Target(check, partial(_with_choices, found, count), behind_choices(mutate_dicom, count))


def _words(check: Callable[[bytes], object], found: list[bytes], words: list[bytes], between: bytes) -> Target:
    return Target(check, lambda: found, mutate_words(words, between), 1 << 12)


_DICTIONARY_WORDS = [
    b"(0008,0018)",
    b"UI",
    b"PatientName",
    b"1-n",
    b"0009-o-00FF",
    b'"A B"',
    b"FFFFFFFFFFFFFFFFF",
    b"-1",
    b"",
    b"#",
]
_CONFIG_WORDS = [
    *texts.CONFIGURATIONS[0].splitlines(),
    *texts.CONFIGURATIONS[1].splitlines(),
    *(
        b"${a}",
        b"a=${b}${b}",
        b"b=${a}",
        b"%-999999999.9999m",
        b"%D{%9999Y%}",
        b"%d{%s%%%",
        b"%c{-1}",
        b"%X",
        b"INHERIT",
        b"OFF",
        b"${",
    ),
]
_COMMAND_WORDS = [*texts.OPTION_NAMES, b"-", b"+", b"--", b"-1", b"'", b'"', b"http://a:b@c/", b"9" * 5000, b"\xff", b""]
_PLACE_WORDS = [
    b"ReferencedImageSequence",
    b"PatientName",
    b"(0008,1140)",
    b"[0]",
    b"[4294967296]",
    b"(",
    b")",
    b".",
    b"[",
    b"]",
    b"9" * 5000,
]

TARGETS: dict[str, Target] = {
    "parser": _objects(parsing.check_parser, seeds.objects),
    "ordered": _objects(parsing.check_ordered, seeds.objects),
    "encoder": _objects(parsing.check_encoder, seeds.objects),
    "verification": _objects(objects.check_verification, seeds.signed_objects),
    "signing": _objects(objects.check_signing, seeds.objects, parsing.CHOICES),
    "removal": _objects(objects.check_removal, seeds.signed_objects, 1),
    "stamping": _objects(objects.check_stamping, seeds.signed_objects),
    "timestamps": Target(asn1.check_timestamp, asn1.tokens, mutate_asn1),
    "certificates": Target(asn1.check_certificates, asn1.certificates, mutate_asn1),
    "dictionary": _words(texts.check_dictionary, texts.DICTIONARIES, _DICTIONARY_WORDS, b"\t"),
    "log-config": _words(texts.check_log_config, texts.CONFIGURATIONS, _CONFIG_WORDS, b"\n"),
    "command-line": _words(texts.check_command_line, texts.COMMANDS, _COMMAND_WORDS, b" "),
    "tags": _words(texts.check_tags, texts.PLACES, _PLACE_WORDS, b"."),
}


def regressions(name: str) -> list[Path]:
    """What was found once with a target."""
    return sorted((REGRESSIONS / name).glob("*"))


def quiet() -> None:
    """Without the library's messages about inputs; there would be millions."""
    logging.getLogger("dcmsign").setLevel(logging.CRITICAL + 1)
