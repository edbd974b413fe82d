"""Parts of the reports as JSON-ready data: levels, chains, revocation lists, timestamps, scopes."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..codec.inspection.mapping import Entry
    from ..codec.inspection.scope import Scope
    from .levels import Levels
    from .reports import SignatureReport, TimestampReport
    from .trust.certificates import Certificate


def signature_data(report: SignatureReport) -> dict[str, Any]:
    """What a signature's verdict rests on: levels, chain, time of the check, revocation lists, timestamp, scope."""
    return {
        "levels": levels_data(report.levels),
        "chain": [certificate_data(certificate) for certificate in report.chain],
        "checked_at": time_data(report.checked_at),
        "revocation": [
            {
                "issuer": source.issuer,
                "this_update": time_data(source.this_update),
                "next_update": time_data(source.next_update),
                "origin": source.origin,
            }
            for source in report.revocation
        ],
        "timestamp": None if report.timestamp is None else timestamp_data(report.timestamp),
        "scope": scope_data(report.scope),
    }


def levels_data(levels: Levels) -> dict[str, Any]:
    """Each level with its reason."""
    return {name: {"reached": level.reached, "reason": level.reason} for name, level in levels._asdict().items()}


def certificate_data(certificate: Certificate) -> dict[str, Any]:
    """A certificate: names, serial number and SHA-256 fingerprint (hexadecimal), validity, key."""
    return {
        "subject": certificate.subject,
        "issuer": certificate.issuer,
        "serial": f"{certificate.serial:x}",
        "not_before": time_data(certificate.not_before),
        "not_after": time_data(certificate.not_after),
        "key": certificate.key_text,
        "sha256": hashlib.sha256(certificate.der).hexdigest(),
    }


def timestamp_data(report: TimestampReport) -> dict[str, Any]:
    """A timestamp: what it says, whether it is good, who vouches for it."""
    return {
        "ok": report.ok,
        "ignored": report.ignored,
        "reason": report.reason,
        "time": time_data(report.token.time),
        "extends_validity": report.extends_validity,
        "authority": None if report.certificate is None else report.certificate.subject,
        "chain": [certificate_data(certificate) for certificate in report.chain],
    }


def scope_data(scope: Scope | None) -> dict[str, Any] | None:
    """What is protected and what is not: counts, and the parts themselves; None if the object was not inspected."""
    if scope is None:
        return None
    lists = {"protected": scope.protected, "unprotected": scope.unprotected, "unlisted": scope.unlisted}
    return {
        "complete": scope.complete,
        "protected_bytes": scope.protected_bytes,
        "counts": {name: len(entries) for name, entries in lists.items()} | {"absent": len(scope.absent)},
        **{name: [entry_data(entry) for entry in entries] for name, entries in lists.items()},
        "absent": [tag_data(tag) for tag in scope.absent],
    }


def entry_data(entry: Entry) -> dict[str, Any]:
    """A part of the object: what it is and where, in bytes of the (inflated) input."""
    return {
        "part": entry.part.value,
        "tag": None if entry.tag is None else tag_data(entry.tag),
        "vr": entry.vr,
        "location": [[tag_data(tag), item] for tag, item in entry.location],
        "offset": entry.offset,
        "size": entry.size,
    }


def tag_data(tag: int) -> str:
    """A tag as the reports write it: ``0008,0018``."""
    return f"{tag >> 16:04x},{tag & 0xFFFF:04x}"


def time_data(time: datetime | None) -> str | None:
    """A time in UTC: ``2026-06-01T12:00:00Z``."""
    return None if time is None else f"{time.astimezone(UTC).replace(tzinfo=None).isoformat()}Z"
