"""The verdict in levels: whether a signature, or a whole object, is intact, trusted, timestamped and covered, and why.

Pure functions of the reports; nothing is checked here.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Final, NamedTuple

from .reports import Remark, SignatureReport, Verdict, VerificationReport

if TYPE_CHECKING:
    from ..codec.inspection.mapping import Entry
    from ..codec.inspection.scope import Scope

_LONGEST: Final = 200
"""Characters of a name from a certificate or a file that are shown."""

_NAMED: Final = 5
"""Data elements that are named; the rest is counted."""

_NO_ANCHORS: Final = "no trust anchors were given"
_NOT_INTACT: Final = "it is not intact"
_NO_SIGNATURE: Final = "there is no signature"
_UNREADABLE: Final = frozenset({Remark.UNKNOWN_TIMESTAMP_TYPE, Remark.UNREADABLE_TIMESTAMP})


class Level(NamedTuple):
    """Whether a level was reached, None if it was not asked for or cannot be said, and why, in one line."""

    reached: bool | None
    reason: str


class Levels(NamedTuple):
    """What was reached.

    `intact`: digest and signature value agree. `trusted`: the signer's certificate chains to a trust anchor. `timestamped`: a
    time-stamping authority vouches for the time. `covered`: every data element of the main data set is protected.
    """

    intact: Level
    trusted: Level
    timestamped: Level
    covered: Level

    @property
    def summary(self) -> str:
        """A line for each level: ``trusted: no (certificate has expired)``."""
        return "\n".join(f"{name}: {_WORDS[level.reached]} ({level.reason})" for name, level in self._asdict().items())


_WORDS: Final = {True: "yes", False: "no", None: "no answer"}


def levels_of_signature(report: SignatureReport) -> Levels:
    """The levels of one signature. `covered` needs an inspected object; a signature in an item never covers the whole."""
    return Levels(_intact(report), _trusted(report), _timestamped(report), _covered(report))


def levels_of_object(report: VerificationReport) -> Levels:
    """The levels of an object: what every one of its signatures has reached; covered: what those that count protect together."""
    each = [levels_of_signature(signature) for signature in report.signatures]
    if not each:
        none = Level(False, _NO_SIGNATURE)
        return Levels(none, none, Level(None, _NO_SIGNATURE), _scope_level(report.scope))
    return Levels(
        _together([levels.intact for levels in each], report.signatures),
        _together([levels.trusted for levels in each], report.signatures),
        _together([levels.timestamped for levels in each], report.signatures),
        _scope_level(report.scope),
    )


def _together(levels: Sequence[Level], signatures: Sequence[SignatureReport]) -> Level:
    """A level of the whole object: the first signature that has not reached it decides."""
    if len(levels) == 1:
        return levels[0]
    reached = sum(level.reached is True for level in levels)
    if reached == len(levels):
        return Level(True, f"all {len(levels)} signatures; signature {signatures[0].number}: {levels[0].reason}")
    worst = next((place for place, level in enumerate(levels) if level.reached is False), None)
    if worst is None and not reached:
        return Level(None, levels[0].reason)
    if worst is None:
        worst = next(place for place, level in enumerate(levels) if level.reached is None)
    text = f"{reached} of {len(levels)} signatures; signature {signatures[worst].number}: {levels[worst].reason}"
    return Level(False, text)


# ------------------------------------------------------------------ of one signature


def _intact(report: SignatureReport) -> Level:
    if not report.intact:
        return Level(False, _line(report.verdict.value))
    coverage = report.coverage
    if coverage.complete:
        return Level(True, f"the digest ({report.mac_algorithm}) holds every byte of the listed data elements that are there")
    examples = f", such as {_line(', '.join(coverage.examples))}" if coverage.examples else ""
    return Level(
        True,
        f"only in the incomplete digest form of DCMTK ({report.mac_algorithm}), which leaves out {coverage.missing_bytes} bytes "
        f"in {coverage.missing_elements} data elements{examples}",
    )


def _trusted(report: SignatureReport) -> Level:
    if not report.anchors and not report.trusted:
        return Level(None, _NO_ANCHORS)
    if not report.intact:
        return Level(False, _NOT_INTACT)
    if not report.trusted:
        untrusted = report.verdict is Verdict.UNTRUSTED
        reason = report.chain_error if untrusted and report.chain_error else report.verdict.value
        return Level(False, f"{_line(reason)}{_sources(report) if untrusted else ''}")
    anchor = _line(report.chain[-1].subject) if report.chain else "an unnamed certificate"
    time = "" if report.checked_at is None else f" at {_moment(report.checked_at)}"
    if report.timestamp is not None and report.timestamp.extends_validity:
        time = f"{time}, the time of its timestamp"
    return Level(True, f"by {anchor}{time}{_sources(report) or '; revocation was not asked about'}")


def _sources(report: SignatureReport) -> str:
    """The revocation lists the decision rests on."""
    lists = [
        f"list of {_line(source.issuer)}{'' if source.this_update is None else f' of {_moment(source.this_update)}'} "
        f"({_line(source.origin)})"
        for source in report.revocation
    ]
    return f"; revocation: {', '.join(lists)}" if lists else ""


def _timestamped(report: SignatureReport) -> Level:
    stamp = report.timestamp
    if stamp is None:
        if report.timestamp_missing and not report.has_timestamp:
            return Level(False, "a timestamp was required, and there is none")
        if any(kind in _UNREADABLE for kind, _ in report.remarks):
            return Level(False, "the timestamp cannot be read")
        return Level(None, "the timestamp was not looked at" if report.has_timestamp else "there is no timestamp")
    if stamp.ignored:
        return Level(None, "the timestamp was not to be looked at")
    if stamp.reason is not None:
        return Level(False, _line(stamp.reason))
    time = "an unknown time" if stamp.token.time is None else _moment(stamp.token.time)
    authority = "an unnamed authority" if stamp.certificate is None else _line(stamp.certificate.subject)
    return Level(True, f"{time} by {authority}")


def _covered(report: SignatureReport) -> Level:
    return _scope_level(report.scope) if report.intact else Level(False, f"{_NOT_INTACT}, so it protects nothing")


def _scope_level(scope: Scope | None) -> Level:
    if scope is None:
        return Level(None, "the object was not inspected")
    count = f"{len(scope.protected)} data elements, {scope.protected_bytes} bytes"
    if scope.complete:
        return Level(True, f"all data elements of the object are protected: {count}")
    parts = (
        ("not protected", [entry for entry in _elements(scope.unprotected) if not entry.location]),
        ("never digested inside sequences", _elements(scope.left_out)),
        ("not listed in the signed item", [entry for entry in scope.unlisted if entry.location]),
    )
    reasons = [f"{text}: {_names(entries)}" for text, entries in parts if entries]
    if not reasons:
        reasons = ["a digest leaves out part of a sequence, or the object has too many parts to tell"]
    return Level(False, "; ".join((*reasons, f"protected: {count}" if scope.protected else "nothing is protected")))


def _elements(entries: Sequence[Entry]) -> list[Entry]:
    from ..codec.inspection.mapping import Part

    return [entry for entry in entries if entry.part is Part.ELEMENT]


def _names(entries: Sequence[Entry]) -> str:
    tags = [f"({entry.tag >> 16:04x},{entry.tag & 0xFFFF:04x})" for entry in entries[:_NAMED] if entry.tag is not None]
    more = f" and {len(entries) - len(tags)} more" if len(entries) > len(tags) else ""
    return f"{', '.join(tags)}{more}"


def _moment(time: datetime) -> str:
    return f"{time:%Y-%m-%d %H:%M:%S} UTC"


def _line(text: str) -> str:
    """Text from a stranger in one line of bounded length."""
    shown = text[:_LONGEST]
    if not shown.isprintable():
        shown = "".join(letter if letter.isprintable() else f"\\x{ord(letter):02x}" for letter in shown)
    return shown if len(text) <= _LONGEST else f"{shown}..."
