"""Any bytes through the operations: verification, signing, removal, insertion of a timestamp."""

from __future__ import annotations

import os
import tempfile
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from functools import cache, partial
from pathlib import Path
from typing import Any

import anyio
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID
from dcmsign.codec.dicom import syntaxes
from dcmsign.codec.dicom.dictionary import BUILT_IN
from dcmsign.codec.dicom.encoder import form_of
from dcmsign.codec.dicom.events import Anomaly, AnomalyCode, DatasetStart, Element, SequenceStart
from dcmsign.codec.dicom.options import ReadOptions
from dcmsign.codec.dicom.ordered import OrderedReader
from dcmsign.codec.dicom.parser import Parser
from dcmsign.codec.errors import Error, FormatError, PlanMismatch, UnorderedInput
from dcmsign.codec.signature.finder import FoundSignature
from dcmsign.stream import (
    KeySigner,
    StreamFormat,
    TimestampQuery,
    TimestampReply,
    TimestampRules,
    Trust,
    VerificationReport,
    insert_timestamp,
    remove_all,
    run_inline,
    sign,
)
from dcmsign.stream.io.sources import BytesSource
from dcmsign.stream.judge import judge
from dcmsign.stream.reports import TimestampPolicy
from dcmsign.stream.verification import Verification

from tests.codec import builder, mac_model, reading, signing
from tests.fuzz import parsing, seeds
from tests.fuzz.parsing import CHOICES, LONGEST, OPTIONS

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
SYNTAXES = (None, *builder.UIDS.values())
FORMATS = (StreamFormat.STANDARD, StreamFormat.STANDARD, StreamFormat.OLD)
ALGORITHMS = ("SHA256", "SHA512", "SHA1", "RIPEMD160")
LOCATIONS = (*[()] * 8, "ReferencedImageSequence[0]", "(0040,a730)[0]", "(0008,1140)[1]", "(0040,a730)[0].(0040,a730)[0]")
TAGS = (None, None, (0x00100010,), (0x00080018, 0x7FE00010), (0x0040A730,), (0x00080016, 0x00080018, 0x00100010, 0x00081140))


@cache
def signer() -> KeySigner:
    """A throw-away key, small to be fast."""
    key = rsa.generate_private_key(65537, 1024)  # noqa: S505
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "fuzz")])
    start, end = NOW - timedelta(days=9), NOW + timedelta(days=9)
    empty = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    certificate = empty.serial_number(1).not_valid_before(start).not_valid_after(end).sign(key, hashes.SHA256())
    encoding = serialization.Encoding.PEM
    form, encryption = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    return KeySigner.from_bytes(key.private_bytes(encoding, form, encryption), certificate.public_bytes(encoding))


# ---------------------------------------------------------------------- verification


Verified = tuple[VerificationReport, list[FoundSignature]]
"""The verdicts, and the signatures they are about."""


def verified(data: bytes, options: ReadOptions, form: StreamFormat, blocks: Iterable[bytes] | None = None) -> Verified:
    """Verify an object that can be read at any place or, in blocks, once."""
    verification = Verification(BytesSource(data) if blocks is None else None, options, form)
    try:
        if blocks is None:
            run_inline(_called(verification.run))
        else:
            for block in blocks:
                run_inline(_called(partial(verification.feed, block)))
            run_inline(_called(verification.end))
        judged = partial(judge, trust=Trust.NONE, at=NOW, timestamps=TimestampPolicy.VERIFY, rules=TimestampRules.STRICT)
        return verification.finish(judged, required=False), verification._finder.found
    finally:
        verification.close()


async def _called(function: Callable[[], object]) -> None:
    """Functions that ask whether they are cancelled want to be called this way."""
    function()


def _outcome(function: Callable[[], Verified]) -> object:
    try:
        return function()[0].to_dict()
    except UnorderedInput:
        return UnorderedInput
    except FormatError as error:
        return type(error), str(error)


def check_verification(data: bytes) -> None:
    """The same verdicts from a file and from a stream; what is intact shows a reader what was signed."""
    options, _, cuts, content = parsing.split(data)
    form = FORMATS[cuts // len(parsing.STEPS) % len(FORMATS)]
    if _is_bomb(content, options):
        return
    whole = _outcome(lambda: verified(content, options, form))
    assert whole is not UnorderedInput
    pieces = _outcome(lambda: verified(content, options, form, parsing.blocks(content, cuts)))
    assert pieces == whole, (pieces, whole)
    if isinstance(whole, dict):
        _check_protected(content, options, *verified(content, options, form))


def _is_bomb(content: bytes, options: ReadOptions) -> bool:
    """Whether it takes too long to look at everything."""
    if b"1.2.840.10008.1.2.1.99" not in content[:1024] and options.syntax != builder.DEFLATED_UID:
        return False
    size = 0
    try:
        for event in reading.drive(Parser(options), (content,)):
            size += len(event.raw)
            if size > LONGEST:
                return True
    except FormatError:
        pass
    return False


Protected = dict[bytes, builder.Nodes]
"""What signatures protect, by signature value: what a reader sees of the listed data elements."""


def _protected(
    content: bytes, options: ReadOptions, report: VerificationReport, signatures: list[FoundSignature]
) -> Iterator[tuple[bytes, builder.Nodes]]:
    """What each intact and complete signature of the main data set is about."""
    plain = signing.inflated(content, options)
    start = next(event for event in reading.drive(Parser(options), (content,)) if isinstance(event, DatasetStart))
    syntax = syntaxes.SYNTAXES[start.syntax]
    reader = OrderedReader(signing.reader(plain), options, encapsulated=syntax.encapsulated)
    nodes = reading.tree(reader.events(form_of(syntax), start.offset, None))
    for verdict, found in zip(report.signatures, signatures, strict=True):
        value, parameters = found.item.signature, found.parameters
        if found.location or not verdict.intact or not verdict.coverage.complete or not value or parameters is None:
            continue
        listed = set(parameters.tags or ())
        yield value, _signable(builder.normalised(tuple(node for node in nodes if node.tag in listed)))


def _signable(nodes: builder.Nodes) -> builder.Nodes:
    """The nodes without what no signature covers, such as group lengths and signatures inside."""
    return tuple(
        node._replace(items=tuple(builder.Item(_signable(item.nodes)) for item in node.items))
        if isinstance(node, builder.Sequence)
        else node
        for node in nodes
        if mac_model.signable_tag(node.tag)
    )


@cache
def _known() -> Protected:
    """What the signatures of the seeds protect."""
    found: Protected = {}
    for data in seeds.signed_objects():
        for options, form in (
            (OPTIONS[0], StreamFormat.STANDARD),
            (OPTIONS[0], StreamFormat.OLD),
            (OPTIONS[1], StreamFormat.STANDARD),
        ):
            with suppress(Error):
                signed = dict(_protected(data, options, *verified(data, options, form)))
                found = signed | found
                if signed:
                    break
    return found


def _check_protected(content: bytes, options: ReadOptions, report: VerificationReport, found: list[FoundSignature]) -> None:
    if not any(signature.intact for signature in report.signatures):
        return
    for value, nodes in _protected(content, options, report, found):
        known = _known().get(value)
        assert known is None or known == nodes, "intact, but not what was signed"


# ---------------------------------------------------------------------- writing


@contextmanager
def _folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="fuzz", dir="/dev/shm" if os.path.isdir("/dev/shm") else None) as name:
        yield Path(name)


async def _stream(data: bytes, cuts: int) -> AsyncIterator[bytes]:
    for block in parsing.blocks(data, cuts):
        yield block


Operation = Callable[[Any, Path], Coroutine[Any, Any, Any]]
"""Source and target; gives what the operation tells."""


def _written(operation: Operation, content: bytes, cuts: int | None = None) -> tuple[bytes, Any] | Error:
    """What an operation writes and tells, from memory or from a stream, or its error; nothing else stays in the folder."""
    with _folder() as folder:
        target = folder / "out.dcm"
        try:
            if cuts is None:
                told = run_inline(operation(content, target))
            else:
                told = anyio.run(operation, _stream(content, cuts), target)
        except Error as error:
            assert not os.listdir(folder), "something is left of a failure"
            return error
        assert os.listdir(folder) == ["out.dcm"]
        return target.read_bytes(), told


def _is_readable(written: bytes, source: bytes, options: ReadOptions) -> bool:
    """False where implicit VR has been written for what it cannot express.

    VRs other than those of the dictionary are lost, and sequences of defined length that the dictionary does not know (so with
    dcmsign, too: the vector private-sq-implicit).
    """
    syntax = [_syntax(data, read) for data, read in ((source, options), (written, ReadOptions()))]
    if syntax[1] != builder.UIDS[builder.IMPLICIT]:
        return True
    events = reading.drive(Parser(options), (source,))
    lost = any(isinstance(event, SequenceStart) and BUILT_IN.plain.get(event.tag) != "SQ" for event in events)
    return syntax[0] == syntax[1] and not lost


def _syntax(data: bytes, options: ReadOptions) -> str:
    """The transfer syntax that an object is read with."""
    return next(event.syntax for event in reading.drive(Parser(options), (data,)) if isinstance(event, DatasetStart))


def check_signing(data: bytes) -> None:
    """What can be signed is intact afterwards, and the same is written if it is signed as a stream; else an own error."""
    options, _, cuts, content = parsing.split(data[:CHOICES] + data[2 * CHOICES :])
    one, two, three = data[CHOICES : 2 * CHOICES].ljust(CHOICES, b"\0")
    if _is_bomb(content, options):
        return
    parameters: dict[str, Any] = {
        "location": LOCATIONS[one % len(LOCATIONS)],
        "mac_algorithm": ALGORITHMS[two % len(ALGORITHMS)],
        "tags": TAGS[two // 4 % len(TAGS)],
        "stream_format": FORMATS[one // 8 % len(FORMATS)],
        "transfer_syntax": SYNTAXES[three % len(SYNTAXES)],
        "undefined_lengths": bool(three & 128),
        "read": options,
    }
    uids = iter(f"2.25.{number}" for number in range(100))
    operation = partial(sign, signer=signer(), clock=lambda: NOW, uids=lambda: next(uids), **parameters)
    done = _written(operation, content)
    if not isinstance(done, Error) and _is_readable(done[0], content, options):
        _check_signed(content, options, parameters["stream_format"], *done)
    if three % 8 == 0:
        uids = iter(f"2.25.{number}" for number in range(100))
        streamed = _written(operation, content, cuts)
        if isinstance(done, Error) or isinstance(streamed, Error):
            possible = isinstance(done, Error) or isinstance(streamed, PlanMismatch) or not _is_sorted(content, options)
            assert isinstance(streamed, Error), f"possible only as a stream, not {done!r}"
            assert possible, f"not possible as a stream: {streamed!r}"
        else:
            assert streamed[0] == done[0]


def _is_sorted(content: bytes, options: ReadOptions) -> bool:
    """Whether the object can be digested in one pass."""
    codes = (AnomalyCode.UNORDERED, AnomalyCode.DUPLICATE)
    events = reading.drive(Parser(options), (content,))
    return not any(isinstance(event, Anomaly) and event.code in codes for event in events)


def _check_signed(content: bytes, options: ReadOptions, form: StreamFormat, written: bytes, receipt: Any) -> None:
    again = ReadOptions(convert_un=options.convert_un)
    found = verified(written, again, form)[0].signatures
    mine = [report for report in found if report.uid == receipt.uid and report.certificate == signer().certificate]
    assert len(mine) == 1
    if receipt.tags_signed:  # as with dcmsign, a signature of nothing can be made, and is never intact
        assert mine[0].intact, mine[0]
    else:
        assert not mine[0].intact, mine[0]
    assert mine[0].coverage.complete


def check_removal(data: bytes) -> None:
    """Without its signatures an object has none; the same is written from a stream, in one pass or in two."""
    options, _, cuts, content = parsing.split(data[:CHOICES] + data[CHOICES + 1 :])
    how = data[CHOICES] if len(data) > CHOICES else 0
    if _is_bomb(content, options):
        return
    syntax = SYNTAXES[how % len(SYNTAXES)]
    operation = partial(
        remove_all, transfer_syntax=syntax, undefined_lengths=bool(how & 128), read=options, uids=lambda: "2.25.1"
    )
    done = _written(operation, content)
    if not isinstance(done, Error) and _is_readable(done[0], content, options):
        left, _ = verified(done[0], ReadOptions(), StreamFormat.STANDARD)
        assert not left.signatures
        if not done[1].removed and syntax is None and not _has_stray_meta(content, options):
            again = _written(partial(operation, read=ReadOptions()), done[0])
            assert not isinstance(again, Error)
            assert again[0] == done[0]
    if how & 64 and syntax is None:
        streamed = _written(partial(operation, one_pass=True), content, cuts)
        if isinstance(done, Error):
            assert isinstance(streamed, Error), f"possible only as a stream, not {done!r}"
        else:
            assert isinstance(streamed, Error) or streamed[0] == done[0]


def _has_stray_meta(content: bytes, options: ReadOptions) -> bool:
    """Whether elements of group 0002 are in the data set, where they may be taken for meta information when written first."""
    events = list(reading.drive(Parser(options), (content,)))
    return any(isinstance(event, Element) and event.tag >> 16 == 2 for event in parsing.body(events))


@cache
def _answer() -> tuple[TimestampQuery, TimestampReply, str]:
    """A query, the reply to it and the UID of the signature."""
    folder = seeds.VECTORS / "tsa"
    query = TimestampQuery.from_der((folder / "signed" / "sha256.tsq").read_bytes())
    reply = TimestampReply.from_der((folder / "tsr" / "granted-sha256.tsr").read_bytes())
    uid = (folder / "signed" / "sha256.uid").read_bytes()
    from dcmsign.stream import read_signature_uid

    return query, reply, read_signature_uid(uid) or ""


def check_stamping(data: bytes) -> None:
    """A timestamp goes into the signature it is about, or nothing is written."""
    options, _, _, content = parsing.split(data)
    if _is_bomb(content, options):
        return
    operation = partial(insert_timestamp, files=_answer, read=options)
    done = _written(operation, content)
    if isinstance(done, Error):
        return
    reply = _answer()[1]
    assert reply.token is not None
    report, _ = verified(done[0], ReadOptions(), StreamFormat.STANDARD)
    stamped = [found for found in report.signatures if found.uid == _answer()[2]]
    assert stamped
    assert reply.token.raw in done[0] or b"1.2.840.10008.1.2.1.99" in done[0][:1024]
