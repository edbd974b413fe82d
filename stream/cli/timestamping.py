"""What the options say about timestamps: query files, the authority to ask, and the rules for those in signatures."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from . import values
from .evaluation import Evaluation
from .option_table import COMMAND, TIMESTAMP, TIMESTAMP_CERTIFICATE, TIMESTAMP_ID, TIMESTAMP_MAC, TIMESTAMP_NONCE

if TYPE_CHECKING:
    from .. import QueryFiles, TimestampClient, TimestampRules, Trust

WEAK_DIGESTS = frozenset({"MD5", "SHA1"})


@dataclass(frozen=True, slots=True)
class Authority:
    """Whom to ask for a timestamp and how, in order of preference, and what to accept; see TimestampClient.

    `auth`: user and password. `query`: what `query_options` gives.
    """

    urls: tuple[str, ...]
    timeout: float | None
    attempts: int | None
    auth: tuple[str, str] | None = field(repr=False)
    trust: Trust | None
    rules: TimestampRules
    query: dict[str, Any]

    def client(self) -> TimestampClient:
        """What asks. Raises AuthorityError, BadPolicy."""
        from .. import TimestampClient

        chosen = {"timeout": self.timeout, "attempts": self.attempts}
        given: dict[str, Any] = {name: value for name, value in chosen.items() if value is not None}
        return TimestampClient(self.urls, auth=self.auth, **given, **self.query)


def authority_urls(evaluation: Evaluation) -> tuple[str, ...]:
    """The authorities to ask, from left to right; none if timestamps come from nowhere or from files."""
    if evaluation.option(COMMAND).long == "--request-timestamp":
        return (evaluation.values(COMMAND)[1],)
    return tuple(reversed(tuple(evaluation.every("--timestamp-url"))))


def authority(evaluation: Evaluation, auth: tuple[str, str] | None, trust: Trust | None) -> Authority | None:
    """The authority to ask, None if none is to be asked."""
    urls = authority_urls(evaluation)
    if not urls:
        return None
    from .. import TimestampRules

    # who names a weak digest wants it
    strict = evaluation.setting(TIMESTAMP_MAC) not in WEAK_DIGESTS
    timeout, retries = evaluation.single("--ts-timeout"), evaluation.single("--ts-retries")
    return Authority(
        urls,
        None if timeout is None else values.timeout("--ts-timeout", timeout),
        None if retries is None else values.retries("--ts-retries", retries) + 1,
        auth,
        trust,
        TimestampRules(refuse_weak_digests=strict, tolerance=_tolerance(evaluation)),
        query_options(evaluation),
    )


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
        tolerance=_tolerance(evaluation),
    )


def _tolerance(evaluation: Evaluation) -> timedelta:
    from .. import TimestampRules

    text = evaluation.single("--ts-tolerance")
    return TimestampRules().tolerance if text is None else timedelta(seconds=values.seconds("--ts-tolerance", text))
