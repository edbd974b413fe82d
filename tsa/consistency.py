"""Does a reply belong to the query and to the signature? The checks before a timestamp is inserted, in dcmsign's order.

RFC 3161 2.2 and 2.4.2. Nothing here says whether the token's own signature is good: see `verification`.
"""

from __future__ import annotations

from typing import Final

from ..codec.errors import TimestampMismatch, TimestampRejected
from . import imprints
from .query import TimestampQuery
from .reply import TimestampReply
from .token import Token

_FAILED: Final = "timestamp response validation failed: "
_SHORTEST_SIGNATURE: Final = 4
"""Bytes; what is shorter is no signature to dcmsign."""


def check_reply(query: TimestampQuery, reply: TimestampReply, *, signature: bytes | None, has_certificate: bool = True) -> None:
    """Check that `reply` grants what `query` asks for, and that both are about `signature`.

    `signature` is the signature value without DICOM's pad byte, None if the signature item has none; `has_certificate` says
    whether the item's certificate can be read. The first check that fails raises TimestampRejected (the authority refused; with
    status, texts and failures) or TimestampMismatch; messages are dcmsign's. Raises AlgorithmUnavailable if the platform lacks
    the digest. A status of granted with modifications passes.
    """
    token = _granted(reply)
    _complain(_against_query(query, token) or _against_signature(token, signature, has_certificate))


def check_answer(query: TimestampQuery, reply: TimestampReply) -> None:
    """The part of `check_reply` that needs no signature: does `reply` grant what `query` asks for? Raises the same errors."""
    _complain(_against_query(query, _granted(reply)))


def _granted(reply: TimestampReply) -> Token:
    if reply.token is None:
        raise TimestampRejected(
            f"timestamp response status: {reply.status_text}", status=reply.status, texts=reply.texts, failures=reply.failures
        )
    if reply.token.version != 1:
        raise TimestampMismatch(f"unsupported timestamp response version number {reply.token.version}")
    return reply.token


def _complain(problem: str | None) -> None:
    if problem is not None:
        raise TimestampMismatch(_FAILED + problem)


def _against_query(query: TimestampQuery, token: Token) -> str | None:
    checks = (
        (query.algorithm != token.algorithm, "message digest algorithms are different in timestamp query and response"),
        (len(query.imprint) != len(token.imprint), "message digest lengths are different in timestamp query and response"),
        (query.imprint != token.imprint, "message digests do not match in timestamp query and response"),
        (query.nonce is not None and token.nonce is None, "nonce is missing in timestamp response"),
        (query.nonce is not None and query.nonce != token.nonce, "nonces are not equal in timestamp query and response"),
        (query.policy is not None and query.policy != token.policy, "policy OIDs are not equal in timestamp query and response"),
    )
    return next((text for failed, text in checks if failed), None)


def _against_signature(token: Token, signature: bytes | None, has_certificate: bool) -> str | None:
    if signature is None or len(signature) < _SHORTEST_SIGNATURE:
        return "signature in DICOM dataset not found or invalid"
    if not has_certificate:
        return "certificate in DICOM dataset not found or invalid"
    if token.algorithm not in imprints.IMPRINTS:
        return f"unsupported MAC algorithm {imprints.long_name(token.algorithm) or 'undefined'} in timestamp response"
    if len(token.imprint) != imprints.IMPRINTS[token.algorithm].digest_size:
        return "message digest length does not match in DICOM dataset and timestamp response"
    if imprints.digest(token.algorithm, signature) != token.imprint:
        return "message digests do not match in DICOM dataset and timestamp response"
    return None
