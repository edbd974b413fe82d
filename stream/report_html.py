"""The report of a verification as one page for people: no scripts, no references to anything outside of it."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Sequence
from typing import Any, Final

from .report_picture import MEANINGS, OPEN, OUTSIDE, PARTLY, PROTECTED, picture
from .report_style import STYLE
from .report_text import bytes_text, entry_text, shown

_MOST_ROWS: Final = 500
"""Rows of a table; the rest is counted."""

_MOST_SIGNATURES: Final = 50
"""Signatures that are described; the rest is counted."""

_QUESTIONS: Final = {
    "intact": "Intact: is what was signed unchanged?",
    "trusted": "Trusted: is the signer who they say?",
    "timestamped": "Timestamped: does an authority vouch for the time?",
    "covered": "Covered: is every data element protected?",
}
_ANSWERS: Final = {True: ("yes", "✓ yes"), False: ("no", "✗ no"), None: ("none", "– no answer")}

_LIMITS: Final = (
    "that the content is right: it is what the signer signed, no more",
    "that the object belongs to the patient, the order or the study at hand",
    "that it is the newest version, or that no other object is missing",
    "anything about the preamble and the file meta information, which no signature covers",
    "the time of signing, unless a certified timestamp vouches for it",
    "anything about data elements shown above as not protected",
)


def page(data: dict[str, Any]) -> str:
    """The page of a report as `report_data` makes it."""
    source = data["source"] or "standard input"
    sections = (_verdict(data), _policy(data), _map(data), _findings(data), _signatures(data), _limits())
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f"<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src '{_hash(STYLE)}'\">\n"
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n<meta name="referrer" content="no-referrer">\n'
        f"<title>Verification of {shown(source)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n"
        f"<header><p>{shown(data['program'])} · verified at {shown(data['verified_at'])}</p><h1>{shown(source)}</h1></header>\n"
        f"<main>\n{''.join(sections)}</main>\n</body>\n</html>"
    )


def _hash(style: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()


def _section(title: str, content: str) -> str:
    return f"<section><h2>{title}</h2>\n{content}</section>\n"


def _table(caption: str, heads: Sequence[str], rows: Iterable[Sequence[object]], more: int = 0) -> str:
    """A table of plain texts; rows beyond a number are counted, `more` of them besides."""
    listed = list(rows)
    more += max(0, len(listed) - _MOST_ROWS)
    head = "".join(f'<th scope="col">{shown(text)}</th>' for text in heads)
    body = "".join("<tr>" + "".join(f"<td>{shown(cell)}</td>" for cell in row) + "</tr>\n" for row in listed[:_MOST_ROWS])
    rest = f'<p class="more">and {more:,} more, see the report in JSON</p>' if more else ""
    return (
        f'<div class="scroll"><table><caption>{caption}</caption><thead><tr>{head}</tr></thead>\n'
        f"<tbody>{body}</tbody></table></div>{rest}\n"
    )


def _levels(levels: dict[str, Any]) -> str:
    cards = []
    for name, question in _QUESTIONS.items():
        kind, answer = _ANSWERS[levels[name]["reached"]]
        cards.append(
            f'<li class="level {kind}"><span class="answer">{answer}</span>'
            f"<strong>{question}</strong> <span>{shown(levels[name]['reason'])}</span></li>"
        )
    return f'<ul class="levels">{"".join(cards)}</ul>\n'


def _verdict(data: dict[str, Any]) -> str:
    if not data["signatures"]:
        word, kind = "There is no signature", "ok" if data["ok"] else "bad"
    elif data["ok"]:
        word, kind = "No signature was refused", "ok"
    elif data["levels"]["intact"]["reached"] and data["levels"]["trusted"]["reached"] is None:
        word, kind = "Intact, but nobody said whom to trust", "bad"
    elif data["levels"]["intact"]["reached"] and not data["levels"]["trusted"]["reached"]:
        word, kind = "Intact, but not trusted", "bad"
    elif data["levels"]["intact"]["reached"]:
        word, kind = "Intact and trusted, but not accepted", "bad"
    else:
        word, kind = "Not intact", "bad"
    profile = data["missing_profile"]
    missing = f"<p>No signature fulfils the profile {shown(profile)}.</p>" if profile else ""
    return _section("Verdict", f'<p class="verdict {kind}">{word}</p>{missing}{_levels(data["levels"])}')


def _policy(data: dict[str, Any]) -> str:
    policy = data["policy"]
    if policy is None:
        return ""
    word = "fulfilled" if policy["fulfilled"] else "not fulfilled"
    text = f"<p>Policy <strong>{shown(policy['name'])}</strong>: {word}.</p>"
    if policy["violations"]:
        rows = ((found["rule"], found["signature"] or "", found["reason"]) for found in policy["violations"])
        text += _table("What the policy does not accept", ("Rule", "Signature", "Reason"), rows)
    return _section("Policy", text)


def _map(data: dict[str, Any]) -> str:
    size, scope = data["map"]["size"], data["scope"]
    share = 100 * scope["protected_bytes"] / size if size else 0.0
    keys = "".join(
        f'<li><svg class="key" viewBox="0 0 24 16" aria-hidden="true"><g class="part {status}">'
        f'<rect width="24" height="16"/></g></svg> {MEANINGS[status]}</li>'
        for status in (PROTECTED, PARTLY, OPEN, OUTSIDE)
    )
    entries = [*data["map"]["entries"], *data["map"]["excluded"]]
    rows = [_entry(entry) for entry in entries if not entry["protected"]]
    text = (
        f"<p>{bytes_text(scope['protected_bytes'])} of {bytes_text(size)} ({share:.1f} %) are protected by the signatures that "
        f'count.</p><ul class="keys">{keys}</ul>{picture(data)}'
        '<p class="note">In file order, row by row; widths grow with the logarithm of the size.</p>'
    )
    heads = ("Part", "VR", "Where", "Offset", "Bytes", "Signatures")
    if rows:
        text += _table("Parts that are not protected", heads, rows, data["map"]["more"])
    if scope["absent"]:
        absent = ((f"({tag})",) for tag in scope["absent"])
        text += _table("Listed as signed, but absent", ("Tag",), absent)
    return _section("What is protected", text)


def _entry(entry: dict[str, Any]) -> tuple[object, ...]:
    where = (
        entry["path"]
        if entry["location"]
        else entry["part"]
        if entry["part"] != "data element"
        else "main data set"
        if entry["tag"]
        else "outside the data set"
    )
    return (entry_text(entry), entry["vr"], where, entry["offset"], f"{entry['size']:,}", _numbers(entry["protected_by"]))


def _numbers(numbers: list[int]) -> str:
    return ", ".join(map(str, numbers[:10])) + (" …" if len(numbers) > 10 else "")


def _findings(data: dict[str, Any]) -> str:
    if not data["findings"]:
        return _section("Findings", "<p>Nothing about the structure of the object is unusual.</p>\n")
    order = {"critical": 0, "warning": 1, "info": 2}
    found = sorted(data["findings"], key=lambda finding: order[finding["severity"]])
    rows = (
        (item["severity"], item["title"], item["element"] or "", item["offset"], item["detail"], item["explanation"])
        for item in found
    )
    heads = ("Severity", "Finding", "Element", "Offset", "Detail", "What it means")
    return _section("Findings", _table("What about the structure is unusual", heads, rows, data["more_findings"]))


def _signatures(data: dict[str, Any]) -> str:
    each = data["signatures"]
    if not each:
        return ""
    more = len(each) - _MOST_SIGNATURES
    rest = f'<p class="more">and {more:,} more, see the report in JSON</p>' if more > 0 else ""
    return _section("Signatures", "".join(_signature(signature) for signature in each[:_MOST_SIGNATURES]) + rest)


def _signature(signature: dict[str, Any]) -> str:
    where = ".".join(f"({tag})[{item}]" for tag, item in signature["location"]) or "main data set"
    facts = (
        ("Signer", signature["signer"] or "unknown"),
        ("Result", signature["reason"]),
        ("Place", where),
        ("UID", signature["uid"] or "none"),
        ("Signed at (as claimed)", signature["signed_at"] or "not said"),
        ("Purpose", signature["purpose"] or "not said"),
        ("Digest", signature["mac_algorithm"] or "unknown"),
        ("Path checked for", signature["checked_at"] or "not checked"),
    )
    text = "".join(f"<dt>{name}</dt><dd>{shown(value)}</dd>" for name, value in facts)
    parts = [f"<article><h3>Signature {signature['number']}</h3>{_levels(signature['levels'])}<dl>{text}</dl>"]
    if signature["chain"]:
        parts.append(_chain("Chain of the signer, leaf first", signature["chain"]))
    if signature["revocation"]:
        lists = ((s["issuer"], s["this_update"] or "", s["next_update"] or "", s["origin"]) for s in signature["revocation"])
        parts.append(_table("Revocation lists that counted", ("Issuer", "Of", "Next", "From"), lists))
    parts.append(_timestamp(signature["timestamp"]))
    return "".join(parts) + "</article>\n"


def _timestamp(stamp: dict[str, Any] | None) -> str:
    if stamp is None:
        return ""
    word = "not looked at" if stamp["ignored"] else "good" if stamp["ok"] else f"not good: {stamp['reason']}"
    extends = " It extends the validity of the signer's certificate." if stamp["extends_validity"] else ""
    authority = stamp["authority"] or "an unknown authority"
    text = f"<h4>Timestamp</h4><p>{shown(stamp['time'])} by {shown(authority)}: {shown(word)}.{extends}</p>"
    return text + (_chain("Chain of the authority, leaf first", stamp["chain"]) if stamp["chain"] else "")


def _chain(caption: str, chain: list[dict[str, Any]]) -> str:
    rows = ((c["subject"], c["issuer"], c["not_before"], c["not_after"], c["key"], c["sha256"]) for c in chain)
    return _table(caption, ("Subject", "Issuer", "From", "Until", "Key", "SHA-256"), rows)


def _limits() -> str:
    return _section("What a signature does not prove", "<ul>" + "".join(f"<li>{text}</li>" for text in _LIMITS) + "</ul>\n")
