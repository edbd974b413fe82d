"""How often, how soon and whom the client asks again, and when it gives up."""

from __future__ import annotations

import email.utils
import ssl
import time
from collections.abc import Callable
from typing import Any

import anyio
import pytest
from dcmsign.codec import errors
from dcmsign.tsa import retries

from tests.tsa.asking import SIGNATURE, Pauses, ask, client
from tests.tsa.servers import Exchange, OpenSSLAuthority, Server, answering, dripping, in_turn, refusal, refusing

Run = Callable[..., Any]
BUSY = answering(status="503 Busy")


def busy_for(field: str, status: str = "503 Busy") -> Any:
    return answering(status=status, headers={"Retry-After": field})


def pauses_before(run: Run, authority: OpenSSLAuthority, behaviours: list[Any], **options: Any) -> Pauses:
    """How long the client waits for an authority that behaves like this first and then well."""
    pauses = Pauses()
    with Server(in_turn(*behaviours, authority.behave)) as server:
        run(ask, client(server.url, attempts=len(behaviours) + 1, sleep=pauses, timeout=1000.0, **options))
        assert len(server.requests) == len(behaviours) + 1
    return pauses


def test_pauses_double(run: Run, authority: OpenSSLAuthority) -> None:
    assert pauses_before(run, authority, [BUSY] * 4, pause=1.5) == [1.5, 3.0, 6.0, 12.0]


def test_pauses_are_cut_at_random(run: Run, authority: OpenSSLAuthority) -> None:
    numbers = iter([0.0, 0.5, 0.75])
    assert pauses_before(run, authority, [BUSY] * 3, pause=1.0, random_number=lambda: next(numbers)) == [1.0, 1.5, 2.5]


def test_pauses_have_a_longest(run: Run, authority: OpenSSLAuthority) -> None:
    assert pauses_before(run, authority, [BUSY] * 3, pause=20.0) == [20.0, 30.0, 30.0]


@pytest.mark.parametrize(
    ("field", "pause"),
    [("7", 7.0), ("0", 1.0), ("3600", 30.0), ("9" * 5000, 30.0), ("-5", 1.0), ("soon", 1.0), ("", 1.0), ("1.5", 1.0), ("²", 1.0),
     ("Fri, 31 Dec 9999 23:59:59 GMT", 30.0), ("Thu, 01 Jan 1970 00:00:00 GMT", 1.0), ("Thu, 01 Jan 19700 00:00:00", 1.0)],
)  # fmt: skip
def test_retry_after(run: Run, authority: OpenSSLAuthority, field: str, pause: float) -> None:
    for status in "429 Too Many Requests", "503 Busy":
        assert pauses_before(run, authority, [busy_for(field.replace("²", "\xb2"), status)], pause=1.0) == [pause]


def test_retry_after_as_a_date() -> None:
    now = 1_700_000_000.0
    assert retries.retry_after(email.utils.formatdate(now + 90, usegmt=True), now) == 90.0
    assert retries.retry_after("Tue, 14 Nov 2023 22:14:20 -0000", now) == 60.0
    assert retries.retry_after("Tue, 14 Nov 2023 23:14:20 +0100", now) == 60.0
    assert retries.retry_after("Tue, 14 Nov 2023 22:13:19 GMT", now) == 0.0
    assert abs(retries.now() - time.time()) < 60


def test_no_waiting_beyond_the_deadline(run: Run) -> None:
    pauses = Pauses()
    with Server(busy_for("20")) as server:
        with pytest.raises(errors.AuthorityUnreachable, match="HTTP status 503") as raised:
            run(ask, client(server.url, sleep=pauses, timeout=15.0))
        assert len(server.requests) == 1
    assert not pauses
    assert raised.value.status == 503


def test_real_pauses(run: Run, authority: OpenSSLAuthority) -> None:
    with Server(in_turn(BUSY, BUSY, authority.behave)) as server:
        assert run(ask, client(server.url, sleep=anyio.sleep)).reply.token is not None


@pytest.mark.parametrize("attempts", [1, 2, 5])
def test_as_many_attempts_as_allowed(run: Run, attempts: int) -> None:
    with Server(BUSY) as server:
        with pytest.raises(errors.AuthorityUnreachable):
            run(ask, client(server.url, attempts=attempts))
        assert len(server.requests) == attempts


def test_a_slow_attempt_leaves_time_for_others(run: Run, authority: OpenSSLAuthority) -> None:
    with Server(in_turn(dripping(0.01), authority.behave)) as server:
        assert run(ask, client(server.url, timeout=2.0, attempts=4)).reply.token is not None
        assert len(server.requests) > 1


def test_the_deadline_is_one_for_all_attempts(run: Run) -> None:
    async def limited() -> None:
        with anyio.fail_after(5):  # a deadline for each attempt or byte would take ten times that
            await ask(client(server.url, timeout=0.5, attempts=100))

    with Server(dripping(0.01)) as server, pytest.raises(errors.AuthorityUnreachable, match="no complete reply within"):
        run(limited)


def test_rejections_that_may_pass(run: Run, authority: OpenSSLAuthority) -> None:
    for failure in 14, 25:
        with Server(in_turn(answering(refusal(2, failures=[failure])), authority.behave)) as server:
            assert run(ask, client(server.url)).reply.token is not None
            assert len(server.requests) == 2


def test_a_second_authority_is_asked_at_once(run: Run, authority: OpenSSLAuthority) -> None:
    for first in BUSY, answering(status="403 Forbidden"), answering(refusal(2, failures=[0])), Exchange.reset, answering(b"?"):
        pauses = Pauses()
        with Server(first) as one, Server(authority.behave) as two:
            assert run(ask, client([one.url, two.url], sleep=pauses)).reply.token is not None
            assert (len(one.requests), len(two.requests)) == (1, 1)
        assert not pauses


def test_authorities_are_asked_in_order(run: Run, authority: OpenSSLAuthority) -> None:
    with Server(authority.behave) as one, Server(authority.behave) as two:
        run(ask, client([one.url, two.url]))
        assert (len(one.requests), len(two.requests)) == (1, 0)
    with refusing() as nobody, Server(authority.behave) as two:
        assert run(ask, client([nobody, two.url])).reply.token is not None


def test_only_those_without_an_answer_are_asked_again(run: Run, authority: OpenSSLAuthority) -> None:
    with Server(answering(status="403 Forbidden")) as one, Server(in_turn(BUSY, BUSY, authority.behave)) as two:
        assert run(ask, client([one.url, two.url])).reply.token is not None
        assert (len(one.requests), len(two.requests)) == (1, 3)


def test_an_answer_of_one_authority_takes_no_time_from_another(run: Run, authority: OpenSSLAuthority) -> None:
    with Server(answering(status="403 Forbidden")) as one, Server(in_turn(Exchange.hold, authority.behave)) as two:
        assert run(ask, client([one.url, two.url], timeout=2.0, attempts=2)).reply.token is not None
        assert (len(one.requests), len(two.requests)) == (1, 2)


def test_the_errors_of_all_authorities(run: Run) -> None:
    with Server(answering(refusal(2, failures=[15]))) as one, Server(BUSY) as two:
        with pytest.raises(errors.AuthorityUnreachable) as raised:
            run(ask, client([one.url, two.url]))
        assert (len(one.requests), len(two.requests)) == (1, 3)
    assert str(raised.value) == f"{two.url}: HTTP status 503 Busy"
    assert raised.value.__notes__ == [f"before: {one.url}: timestamp response status: rejected (unacceptedPolicy)"]


def test_progress_is_logged(run: Run, authority: OpenSSLAuthority, all_logs: pytest.LogCaptureFixture) -> None:
    with Server(in_turn(BUSY, authority.behave)) as server:
        run(ask, client(server.url, pause=1.0))
    records = [record for record in all_logs.records if record.name == "dcmsign.tsa.client"]
    assert [record.getMessage() for record in records if record.levelname == "INFO"] == [
        f"asking {server.url} for a timestamp, attempt 1 of 3",
        f"no timestamp from {server.url}: HTTP status 503 Busy",
        "waiting for 1.0 s",
        f"asking {server.url} for a timestamp, attempt 2 of 3",
        f"timestamp granted by {server.url}",
    ]


def test_what_the_caller_is_handling_is_no_cause(run: Run) -> None:
    async def while_handling() -> None:
        try:
            raise ssl.SSLCertVerificationError(1, "mine")
        except ssl.SSLError:
            await client(url).timestamp(SIGNATURE)

    with Server(Exchange.reset) as server:
        url = server.url
        with pytest.raises(errors.AuthorityUnreachable, match=f"^{url}: Connection reset by peer$"):
            run(while_handling)
        assert len(server.requests) == 3
