"""What the tests of the client ask, and how."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import anyio.lowlevel
from dcmsign.tsa.client import Check, TimestampClient, Timestamped
from dcmsign.tsa.query import TimestampQuery

from tests.peers import require_peer
from tests.tsa.servers import Behaviour, OpenSSLAuthority

SIGNATURE = bytes(range(256))
PASSWORD = "pass:w@rd/äß"


class Pauses(list[float]):
    """Instead of waiting, notes how long one should."""

    async def __call__(self, seconds: float) -> None:
        await anyio.lowlevel.checkpoint()
        self.append(seconds)


def client(url: str | list[str], **options: Any) -> TimestampClient:
    """A client that never waits between its attempts, and never as long as its default deadline."""
    return TimestampClient(url, **{"timeout": 5.0, "pause": 0.01, "sleep": Pauses(), "random_number": lambda: 0.0, **options})


async def ask(asking: TimestampClient, check: Check | None = None) -> Timestamped:
    return await asking.timestamp(SIGNATURE, check=check)


def instead(authority: OpenSSLAuthority, **changes: Any) -> Behaviour:
    """An authority that answers another query than it was asked: the same one with these changes."""

    def behave(exchange: Any) -> None:
        query = TimestampQuery.from_der(exchange.request.body)
        options = {"algorithm": query.algorithm, "policy": query.policy, "nonce": query.nonce, "signature": SIGNATURE, **changes}
        exchange.answer(authority.reply(TimestampQuery.new(options.pop("signature"), **options).raw))

    return behave


def judged_by_openssl(folder: Path, query: bytes, reply: bytes, *options: str | Path) -> str:
    """What ``openssl ts -verify`` says about a reply to a query."""
    (folder / "query.tsq").write_bytes(query)
    (folder / "reply.tsr").write_bytes(reply)
    files: list[str | Path] = ["-queryfile", folder / "query.tsq", "-in", folder / "reply.tsr"]
    command = [require_peer("openssl"), "ts", "-verify", *files, *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return "OK" if done.returncode == 0 and "Verification: OK" in done.stdout + done.stderr else done.stderr
