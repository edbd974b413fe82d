"""What the options say about timestamps: query files, which authorities to ask, and the rules for those in signatures."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from . import values
from .evaluation import Evaluation
from .option_table import COMMAND, TIMESTAMP, TIMESTAMP_CERTIFICATE, TIMESTAMP_ID, TIMESTAMP_MAC, TIMESTAMP_NONCE

if TYPE_CHECKING:
    from .. import QueryFiles, TimestampRules


def authority_urls(evaluation: Evaluation) -> tuple[str, ...]:
    """The authorities to ask, from left to right; none if timestamps come from nowhere or from files."""
    if evaluation.option(COMMAND).long == "--request-timestamp":
        return (evaluation.values(COMMAND)[1],)
    return tuple(reversed(tuple(evaluation.every("--timestamp-url"))))


def query_options(evaluation: Evaluation) -> dict[str, Any]:
    """The parameters of queries, for files as well as for authorities."""
    policy = evaluation.values(TIMESTAMP_ID)
    return {
        "algorithm": evaluation.setting(TIMESTAMP_MAC),
        "policy": (policy[0] or None) if policy else None,
        "nonce": evaluation.setting(TIMESTAMP_NONCE) != "none",
        "certificate": evaluation.setting(TIMESTAMP_CERTIFICATE) != "none",
    }


def query_files(evaluation: Evaluation) -> QueryFiles | None:
    """The files of --timestamp-file."""
    if evaluation.setting(TIMESTAMP) != "files":
        return None
    from .. import QueryFiles

    query, uid = evaluation.values(TIMESTAMP)
    return QueryFiles(query, uid, **query_options(evaluation))


def verification_rules(evaluation: Evaluation) -> TimestampRules:
    """What --verify asks of timestamps: what dcmsign does, and what the options say."""
    from .. import TimestampRules

    return TimestampRules(
        revocation=evaluation.given("--ts-crl-vfy"),
        check_time=evaluation.given("--ts-check-time"),
        refuse_weak_digests=evaluation.given("--ts-refuse-weak"),
        late_revocation=evaluation.given("--ts-late-revocation"),
        tolerance=tolerance(evaluation),
    )


def tolerance(evaluation: Evaluation) -> timedelta:
    from .. import TimestampRules

    text = evaluation.single("--ts-tolerance")
    return TimestampRules().tolerance if text is None else timedelta(seconds=values.seconds("--ts-tolerance", text))
