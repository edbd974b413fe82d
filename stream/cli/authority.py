"""The time-stamping authority that the options name; loaded if there is one."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from . import values
from .evaluation import Evaluation
from .option_table import TIMESTAMP_MAC
from .timestamping import authority_urls, query_options, tolerance

if TYPE_CHECKING:
    from .. import TimestampClient, TimestampRules, Trust

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
        TimestampRules(refuse_weak_digests=strict, tolerance=tolerance(evaluation)),
        query_options(evaluation),
    )
