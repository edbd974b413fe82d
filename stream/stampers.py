"""Where the timestamp of a new signature comes from: query files for later, or an authority that is asked at once."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from ..codec.dicom.events import IMPLICIT
from ..codec.dicom.headers import element_header
from ..codec.dicom.meta import GENERIC_SOP_CLASS, meta_header
from ..codec.dicom.syntaxes import IMPLICIT_LE
from ..codec.dicom.tags import DIGITAL_SIGNATURE_UID
from ..codec.dicom.values import normal_uid
from ..codec.errors import BadPolicy, InvalidTimestamp, SigningError, SinkError, TimestampError
from .io.sinks import ThreadSink, open_sink
from .io.threads import run_in_thread
from .timestamp_rules import TimestampRules, check_token
from .trust.anchors import Trust
from .trust.certificates import Certificate

if TYPE_CHECKING:
    from ..tsa.client import TimestampClient
    from ..tsa.query import TimestampQuery
    from ..tsa.reply import TimestampReply

log = logging.getLogger("dcmsign.stream.sign")


@dataclass(frozen=True, slots=True)
class Stampable:
    """A signature that can get a timestamp.

    `value` is the signature value without its pad byte, `uid` the Digital Signature UID, `certificate` the signer's,
    `signed_at` the date of the signature as written (DT). `new_uid` gives new UIDs.
    """

    value: bytes
    uid: str
    certificate: Certificate
    signed_at: str | None
    new_uid: Callable[[], str]


@dataclass(frozen=True, slots=True)
class Stamp:
    """What a stamper has got: a timestamp token (DER), None if there is none yet, and then maybe the `failure` that led to that.

    `files` are written; they appear with `publish`, or leave no trace with `discard`.
    """

    token: bytes | None = None
    failure: TimestampError | None = None
    files: tuple[ThreadSink, ...] = ()

    def publish(self) -> None:
        """The object is written: let the files appear. Raises SigningError."""
        for file in self.files:
            try:
                file.commit()
            except SinkError as error:
                raise SigningError(f"{error.message}: {file.name}") from error

    def discard(self) -> None:
        """Remove what has not been published; never raises."""
        for file in self.files:
            file.abort()


@runtime_checkable
class Stamper(Protocol):
    """Gets a timestamp for a new signature, or prepares one."""

    async def stamp(self, signature: Stampable) -> Stamp:
        """See the class. Raises SigningError or TimestampError; then nothing is signed."""


async def ask_authority(
    client: TimestampClient, signature: Stampable, trust: Trust | None, rules: TimestampRules
) -> TimestampReply:
    """An authority's reply whose token has been verified completely; its certificate's path only if there is a `trust`.

    Raises what `TimestampClient.timestamp` raises, and InvalidTimestamp.
    """

    def check(query: TimestampQuery, reply: TimestampReply) -> None:
        assert reply.token is not None
        verdict = check_token(
            reply.token,
            value=signature.value,
            signer=signature.certificate,
            signed_at=signature.signed_at,
            trust=trust,
            rules=rules,
        )
        if verdict.reason is not None:
            raise InvalidTimestamp(f"timestamp signature verification failed: {verdict.reason}")

    return (await client.timestamp(signature.value, check=check)).reply


@dataclass(frozen=True, slots=True)
class AuthorityStamper:
    """Asks a time-stamping authority, so that the output carries the timestamp.

    The token is verified before anything is written (RFC 3161 2.2): its signature, what it is about, its time, under `rules`.
    With `trust` the authority's certificate must chain to one of its anchors, otherwise whoever verifies the object finds out.
    `otherwise`: what to do if there is no timestamp to be had; by default that is an error, with QueryFiles these files are
    written, and the object without timestamp.
    """

    client: TimestampClient
    otherwise: QueryFiles | None = None
    trust: Trust | None = None
    rules: TimestampRules = TimestampRules.STRICT

    async def stamp(self, signature: Stampable) -> Stamp:
        """The authority's token, after all checks."""
        try:
            reply = await ask_authority(self.client, signature, self.trust, self.rules)
        except TimestampError as failure:
            if self.otherwise is None:
                raise
            log.warning("no timestamp: %s", failure)
            return replace(await self.otherwise.stamp(signature), failure=failure)
        assert reply.token is not None
        return Stamp(reply.token.raw)


@dataclass(frozen=True, slots=True)
class QueryFiles:
    """Writes a timestamp query, and a DICOM file that names the signature, for `insert_timestamp` later (RFC 3161 2.4.1).

    The files appear when the object does. One whose name is empty is left out, with a warning. `algorithm`: of the imprint, a key
    of MAC_ALGORITHMS. `policy`: object identifier or OpenSSL's name of one. `nonce`: 64 random bits. `certificate`: ask for the
    authority's certificate.
    """

    query_file: str
    uid_file: str
    algorithm: str = "SHA256"
    policy: str | None = None
    nonce: bool = True
    certificate: bool = True

    async def stamp(self, signature: Stampable) -> Stamp:
        """Write the files; there is no timestamp yet."""
        query = await run_in_thread(self._query, signature.value)
        files: list[ThreadSink] = []
        try:
            if not self.query_file:
                log.warning("Name of timestamp query file not set, will not write file.")
            else:
                try:
                    files += await _write(self.query_file, query)
                except SinkError:
                    log.warning("Unable to create time stamp query file '%s'", self.query_file)
                    raise SigningError("unable to write time stamp query file") from None
            if not self.uid_file:
                log.warning("Name of UID file for time stamp query not set, will not write file.")
            else:
                try:
                    files += await _write(self.uid_file, _uid_file(signature.uid, signature.new_uid()))
                except SinkError as error:
                    raise SigningError(error.message) from None
        except BaseException:
            Stamp(files=tuple(files)).discard()
            raise
        return Stamp(files=tuple(files))

    def _query(self, signature: bytes) -> bytes:
        from ..tsa.query import TimestampQuery, parse_policy  # brings asn1crypto

        try:
            policy = parse_policy(self.policy) if self.policy else None
        except BadPolicy:
            log.warning("Cannot convert %s to OID.", self.policy)
            raise
        nonce = int.from_bytes(os.urandom(8)) if self.nonce else None
        query = TimestampQuery.new(signature, algorithm=self.algorithm, policy=policy, nonce=nonce, certificate=self.certificate)
        return query.raw


async def _write(name: str, content: bytes) -> list[ThreadSink]:
    """Write a file that is to appear later; a pipe gets the content at once. Raises SinkError."""
    sink = await open_sink(name)
    if isinstance(sink, ThreadSink):
        try:
            await run_in_thread(sink.write, [content])
        except BaseException:
            sink.abort()
            raise
        return [sink]
    import anyio

    try:
        await sink.send([content])
    finally:
        with anyio.CancelScope(shield=True):
            await sink.aclose()
    return []


def _uid_file(uid: str, instance: str) -> bytes:
    value = normal_uid(uid.encode())
    head = meta_header(None, IMPLICIT_LE.uid, GENERIC_SOP_CLASS.encode(), instance.encode())
    return head + element_header(IMPLICIT, DIGITAL_SIGNATURE_UID, "UI", len(value)) + value
