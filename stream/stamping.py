"""Puts a certified timestamp into a signature that is there already, in constant memory (PS3.3 C.12.1.1.3.1.3)."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from contextlib import AsyncExitStack
from functools import partial
from typing import TYPE_CHECKING

from ..codec.dicom.events import Element, SequenceEnd, SequenceStart
from ..codec.dicom.options import READ_AS_FOUND, ReadOptions
from ..codec.dicom.parser import Parser
from ..codec.dicom.tags import DIGITAL_SIGNATURE_UID, DIGITAL_SIGNATURES_SEQUENCE
from ..codec.errors import BadCertificateFile, Error, SignatureNotFound, TimestampMismatch, TimestampRejected
from ..codec.signature.edits import Level, RemovalSurvey
from ..codec.signature.items import CERTIFICATE_TYPE_X509, SignatureItem, read_signature, stamped_signature
from ..codec.signature.splice import Buffers
from .editing import rewritten
from .io.sinks import Target
from .io.sources import Source, close_source, open_source
from .io.threads import run_in_thread
from .production import Settled, produce, rereadable
from .reports import Remark
from .signing import new_uid
from .stampers import Stampable, ask_authority
from .timestamp_rules import TimestampRules
from .trust.anchors import Trust
from .trust.certificates import Certificate
from .trust.signers import signature_value
from .writing import Rereader, output_syntax

if TYPE_CHECKING:
    from ..tsa.client import TimestampClient
    from ..tsa.query import TimestampQuery
    from ..tsa.reply import TimestampReply

log = logging.getLogger("dcmsign.stream.stamp")

Answer = Callable[[SignatureItem, Certificate | None, bytes | None], Awaitable["TimestampReply"]]
"""Gets the signature, its certificate if that can be read, and its value, if there is one; gives a reply that was checked."""


async def insert_timestamp(
    source: Source,
    target: Target,
    *,
    files: Callable[[], tuple[TimestampQuery, TimestampReply, str]],
    transfer_syntax: str | None = None,
    undefined_lengths: bool = False,
    read: ReadOptions = READ_AS_FOUND,
    durable: bool = False,
    uids: Callable[[], str] = new_uid,
) -> None:
    """Insert a timestamp that a time-stamping authority has given into a signature that is there already.

    `files` gives the query, the reply to it and the Digital Signature UID, once the source has been read. It is checked that the
    reply grants what the query asks for and is about this signature (RFC 3161 2.2, 2.4.2), not who gave it: that is found when
    the object is verified. An earlier timestamp is replaced. The other parameters are those of `sign`.

    Raises SignatureNotFound, TimestampRejected, TimestampMismatch, SourceError, FormatError, UnsupportedSyntax or SinkError; the
    target then is as it was.
    """
    query: TimestampQuery
    reply: TimestampReply

    async def load() -> str:
        nonlocal query, reply
        query, reply, uid = await run_in_thread(files)
        return uid

    async def answer(signature: SignatureItem, certificate: Certificate | None, value: bytes | None) -> TimestampReply:
        def check() -> None:
            from ..tsa.consistency import check_reply  # brings asn1crypto

            check_reply(query, reply, signature=value, has_certificate=certificate is not None)

        await run_in_thread(check)
        return reply

    await _stamp(source, target, load, answer, transfer_syntax, undefined_lengths, read, durable, uids)


async def timestamp(
    source: Source,
    target: Target,
    *,
    uid: str,
    client: TimestampClient,
    trust: Trust | None = None,
    rules: TimestampRules = TimestampRules.STRICT,
    transfer_syntax: str | None = None,
    undefined_lengths: bool = False,
    read: ReadOptions = READ_AS_FOUND,
    durable: bool = False,
    uids: Callable[[], str] = new_uid,
) -> None:
    """Ask a time-stamping authority for a timestamp of the signature with this UID and insert it; see `insert_timestamp`.

    The timestamp is verified before anything is written, as for AuthorityStamper, with `trust` and under `rules`. Whether the
    signature is good is not looked at. Raises what `TimestampClient.timestamp` raises, and InvalidTimestamp, too.
    """

    async def answer(signature: SignatureItem, certificate: Certificate | None, value: bytes | None) -> TimestampReply:
        if value is None or certificate is None:
            raise TimestampMismatch("the signature has no value or no certificate that can be read")
        return await ask_authority(client, Stampable(value, uid, certificate, signature.date_time, uids), trust, rules)

    async def given() -> str:
        return uid

    await _stamp(source, target, given, answer, transfer_syntax, undefined_lengths, read, durable, uids)


async def _stamp(
    source: Source,
    target: Target,
    uid: Callable[[], Awaitable[str]],
    answer: Answer,
    transfer_syntax: str | None,
    undefined_lengths: bool,
    read: ReadOptions,
    durable: bool,
    uids: Callable[[], str],
) -> None:
    output = output_syntax(transfer_syntax)
    async with AsyncExitStack() as stack:
        opened = await open_source(source)
        stack.push_async_callback(close_source, opened)
        try:
            reader = Rereader(await rereadable(opened, stack), read)
            new_survey = partial(RemovalSurvey, undefined_lengths=undefined_lengths, output=output, limits=read.limits)
            survey = await run_in_thread(reader.survey, new_survey)
            await produce(_Work(reader, survey, uid, answer, uids), target, durable=durable)
        except Error as error:
            error.path = opened.name if error.path is None else error.path
            raise


class _Work(Settled):
    """A timestamp being inserted, see production.Work."""

    def __init__(
        self,
        reader: Rereader,
        survey: RemovalSurvey,
        uid: Callable[[], Awaitable[str]],
        answer: Answer,
        new_uid: Callable[[], str],
    ) -> None:
        self._reader = reader
        self._survey = survey
        self._uid = uid
        self._answer = answer
        self._new_uid = new_uid

    async def prepare(self) -> None:
        """Find the signature, get the timestamp, put it in."""
        log.info("inserting certified timestamp.")
        level, signature, certificate, value = await run_in_thread(_stamped, self._survey, await self._uid())
        reply = await self._answer(signature, certificate, value)
        assert reply.token is not None
        _tell(reply)
        stamped = stamped_signature(signature.item, reply.token.raw)
        items = [stamped if item is signature.item else item for item in level.items(DIGITAL_SIGNATURES_SEQUENCE)]
        self._survey.replace(level, {DIGITAL_SIGNATURES_SEQUENCE: items})

    def check_output(self) -> None:
        """Raise UnsupportedSyntax if the object cannot be written as asked for."""
        self._survey.check_conversion()

    async def batches(self) -> AsyncGenerator[Generator[Buffers, None, None]]:
        """The second pass."""
        yield rewritten(self._reader, self._survey, self._new_uid)

    def result(self) -> None:
        """Nothing to tell."""


def read_signature_uid(data: bytes) -> str | None:
    """The Digital Signature UID (0400,0100) at the top level of a DICOM file or data set, None if there is none.

    Raises FormatError if `data` is no DICOM.
    """
    parser = Parser()
    parser.feed(data)
    parser.close()
    depth, found = 0, None
    for event in parser.events():
        if isinstance(event, SequenceStart):
            depth += 1
        elif isinstance(event, SequenceEnd):
            depth -= 1
        elif isinstance(event, Element) and not depth and event.tag == DIGITAL_SIGNATURE_UID and found is None:
            found = event.value.strip(b" \0").decode("latin-1")
    return found


def rejection_reasons(error: TimestampRejected) -> tuple[str, ...]:
    """Why an authority refused, a line for each reason."""
    from ..tsa.reply import explanations

    return explanations(error.texts, error.failures)


def _stamped(survey: RemovalSurvey, uid: str) -> tuple[Level, SignatureItem, Certificate | None, bytes | None]:
    """The signature with this UID and where it is, its certificate and value, as far as they can be read."""
    level, signature = _find(survey, uid)
    certificate = _certificate(signature)
    value = signature.signature or None
    if value is not None and certificate is not None:
        value = signature_value(certificate, value)
    return level, signature, certificate, value


def _find(survey: RemovalSurvey, uid: str) -> tuple[Level, SignatureItem]:
    for level in survey.take_levels():
        for item in level.items(DIGITAL_SIGNATURES_SEQUENCE):
            signature = read_signature(item)
            if signature.uid == uid:
                return level, signature
    raise SignatureNotFound(f"signature with UID '{uid}' not found.")


def _certificate(signature: SignatureItem) -> Certificate | None:
    """The signer's certificate; what is wrong with it is told twice, as dcmsign does, which reads it twice."""
    remark = None
    if signature.certificate_type is None:
        remark = Remark.NO_CERTIFICATE_TYPE.value
    elif signature.certificate_type != CERTIFICATE_TYPE_X509:
        remark = Remark.BAD_CERTIFICATE_TYPE.value.format(signature.certificate_type)
    elif signature.certificate is None:
        remark = Remark.NO_CERTIFICATE.value
    elif not signature.certificate:
        remark = Remark.EMPTY_CERTIFICATE.value
    else:
        try:
            return Certificate.from_der(signature.certificate)
        except BadCertificateFile:
            remark = Remark.UNPARSEABLE_CERTIFICATE.value
    for _ in range(2):
        log.warning("%s", remark)
    return None


def _tell(reply: TimestampReply) -> None:
    """Say with what reservations a timestamp was granted."""
    if reply.status == 0:
        return
    log.warning("timestamp response status: %s", reply.status_text)
    for text in reply.explanations:
        log.warning("timestamp response status text: %s", text)
