"""Replies of time-stamping authorities: TimeStampResp (RFC 3161 2.4.2)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final, Self

from ..codec.errors import BadTimestampReply, BadTimestampToken
from . import ber
from .token import Token

GRANTED: Final = 0
GRANTED_WITH_MODIFICATIONS: Final = 1

STATUS_TEXTS: Final = {
    GRANTED: "granted",
    GRANTED_WITH_MODIFICATIONS: "granted with modifications",
    2: "rejected",
    3: "waiting",
    4: "revocation warning",
    5: "revoked",
}
"""dcmsign's words for PKIStatus."""

FAILURE_TEXTS: Final = {
    0: "unrecognized or unsupported algorithm identifier",
    2: "transaction not permitted or supported",
    5: "the data submitted has the wrong format",
    14: "the TSA's time source is not available",
    15: "the requested TSA policy is not supported by the TSA",
    16: "the requested extension is not supported by the TSA",
    17: "the additional information requested could not be understood or is not available",
    25: "the request cannot be handled due to system failure",
}
"""dcmsign's words for the bits of PKIFailureInfo, in the order in which it prints them."""

FAILURE_NAMES: Final = {
    0: "badAlg",
    2: "badRequest",
    5: "badDataFormat",
    14: "timeNotAvailable",
    15: "unacceptedPolicy",
    16: "unacceptedExtension",
    17: "addInfoNotAvailable",
    25: "systemFailure",
}
"""RFC 3161's names of the same bits."""


@dataclass(frozen=True, slots=True)
class TimestampReply:
    """What a time-stamping authority answered.

    `status` is the PKIStatus (0 and 1: granted, and then there is a `token`), `texts` what the authority says about it (its own
    words: escape control characters before showing them), `failures` the bits of PKIFailureInfo that are set. `raw` is the
    encoding that was read.
    """

    status: int
    texts: tuple[str, ...]
    failures: tuple[int, ...]
    token: Token | None
    raw: bytes = field(repr=False)

    @classmethod
    def from_der(cls, data: bytes) -> Self:
        """The reply at the beginning of `data`, in DER or BER; bytes behind it are ignored.

        Raises BadTimestampReply if it is none, if it grants a timestamp without one or refuses it with one, or if the token is
        none (see Token.from_der).
        """
        from . import structures

        try:
            value = ber.read(data)
            reply = structures.Reply.load(value.definite, strict=True)
            status = structures.c_long(reply["status"]["status"])
            texts = tuple(text.contents.decode("utf-8", "backslashreplace") for text in reply["status"]["texts"])
            failures = structures.bits(reply["status"]["failures"])
            token = Token.from_der(reply["token"].dump()) if structures.present(reply["token"]) else None
        except BadTimestampToken as error:
            raise BadTimestampReply(f"no timestamp reply: {error.message}") from None
        except structures.MALFORMED as error:
            raise BadTimestampReply(f"no timestamp reply: {error}") from None
        granted = status in (GRANTED, GRANTED_WITH_MODIFICATIONS)
        if granted != (token is not None):
            raise BadTimestampReply("timestamp granted, but not there" if granted else "timestamp refused, but there")
        return cls(status, texts, failures, token, value.original)

    @property
    def status_text(self) -> str:
        """dcmsign's words for the status: ``rejected``."""
        return STATUS_TEXTS.get(self.status, f"unknown error code {self.status}")

    @property
    def explanations(self) -> tuple[str, ...]:
        """What follows ``timestamp response status text:`` (see `explanations`)."""
        return explanations(self.texts, self.failures)


def explanations(texts: Iterable[str], failures: Iterable[int]) -> tuple[str, ...]:
    """The reasons for a status, one a line, as dcmsign prints them: the authority's texts, then the known failure bits.

    For the attributes of TimestampRejected as well as for those of a TimestampReply. Unlike dcmsign's, the lines can be shown:
    control characters are escaped.
    """
    bits = set(failures)
    return (*map(_printable, texts), *(text for bit, text in FAILURE_TEXTS.items() if bit in bits))


def _printable(text: str) -> str:
    return "".join(character if character.isprintable() else f"\\x{ord(character):02X}" for character in text)
