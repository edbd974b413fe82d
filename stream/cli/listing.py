"""What the command prints about verified signatures: the lines of dcmsign, rendered from a VerificationReport."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import TYPE_CHECKING

from ...codec import errors
from ...codec.dicom import tags as dicom_tags
from ...codec.dicom.syntaxes import SYNTAXES
from ..reports import Remark, SignatureReport, TimestampReport, Verdict, VerificationReport
from . import messages
from .exit_codes import ExitCode

if TYPE_CHECKING:
    from .. import Certificate, Dictionary, RemovalReport, Token

Line = tuple[int, str]
"""Level and text of a message."""

INFO, WARNING, ERROR = logging.INFO, logging.WARNING, logging.ERROR

# labels with the level on which they are printed; details are padded to the width of the longest one
WIDTH_OF_VERDICT, WIDTH_OF_DETAILS = 23, 28
LOCATION = "Location"
MAC_ID = "MAC ID"
MAC_ALGORITHM = "MAC algorithm"
MAC_SYNTAX = "MAC calculation xfer syntax"
ELEMENTS = "Data elements signed"
DATE = "Signature date/time"
PURPOSE = "Signature purpose"
CERTIFICATE = "Certificate of signer"
VERDICT = "Signature Verification"
COVERAGE = "Signature Coverage"
TIMESTAMP = "Certified timestamp"
TIMESTAMP_VERDICT = "Timestamp Verification"
INDENT = "      "

# remarks that belong to reading a signature come before the line with its number
FOUND_WHILE_READING = frozenset(
    {
        Remark.NO_MAC_ID,
        Remark.NO_CERTIFICATE_TYPE,
        Remark.BAD_CERTIFICATE_TYPE,
        Remark.NO_CERTIFICATE,
        Remark.EMPTY_CERTIFICATE,
        Remark.UNPARSEABLE_CERTIFICATE,
        Remark.UNKNOWN_TIMESTAMP_TYPE,
        Remark.UNREADABLE_TIMESTAMP,
    }
)
CHAIN_EXPIRED = "certificate has expired"
SERIAL_NUMBERS = range(-(2**63), 2**63)


def lines(report: VerificationReport, dictionary: Dictionary, *, details: bool, floor: int = INFO) -> Iterator[Line]:
    """All lines about a data set. `dictionary` has the names; `details`: verdicts are aligned with the detail lines.

    `floor`: the lowest level that is shown; above INFO there are no detail lines.
    """
    for entry in report.entries():
        if isinstance(entry, tuple):
            yield WARNING, messages.IGNORED
        else:
            yield from signature_lines(entry, dictionary, WIDTH_OF_DETAILS if details else WIDTH_OF_VERDICT, floor)
    if not report.signatures:
        yield (ERROR, messages.SIGNATURE_REQUIRED) if report.required else (WARNING, messages.NO_SIGNATURES)
        return
    corrupted = sum(not signature.ok for signature in report.signatures)
    yield INFO, messages.VERIFIED.format(len(report.signatures), corrupted)
    if report.missing_profile is not None:
        yield ERROR, messages.PROFILE_REQUIRED.format(report.missing_profile.title)


def exit_code(report: VerificationReport) -> ExitCode:
    """The exit code of a verification."""
    if report.ok:
        return ExitCode.OK
    if not report.signatures:
        return ExitCode.NO_SIGNATURE
    return ExitCode.VERIFICATION_FAILED if report.missing_profile is None else ExitCode.PROFILE_NOT_FULFILLED


def removal_lines(report: RemovalReport, dictionary: Dictionary, *, numbered: bool) -> Iterator[Line]:
    """All lines about signatures that are removed: `numbered` if all of them are."""
    for number, (uid, place) in enumerate(report.removed, 1):
        yield from _removed(number if numbered else 0, uid, place, dictionary)
    if numbered:
        yield INFO, messages.REMOVED.format(len(report.removed))


def failed_removal_lines(error: errors.RemovalError, dictionary: Dictionary, *, numbered: bool) -> Iterator[Line]:
    """All lines in front of the error: the signatures up to the one that cannot be removed."""
    for number, (uid, place) in enumerate(error.found, 1):
        if number == len(error.found):
            yield _remark((Remark.NO_MAC_ID, ""), dictionary)
        yield from _removed(number if numbered else 0, uid, place, dictionary)


def _removed(number: int, uid: str | None, place: tuple[tuple[int, int], ...], dictionary: Dictionary) -> Iterator[Line]:
    text = _text(uid)
    yield WARNING, messages.SIGNATURE.format(number, text) if number else messages.REMOVED_ONE.format(text)
    yield WARNING, labelled(LOCATION, location(place, dictionary))


def signature_lines(signature: SignatureReport, dictionary: Dictionary, width: int, floor: int) -> Iterator[Line]:
    """All lines about one signature: verdicts are aligned to `width`; `floor` as for `lines`."""
    reading = [remark for remark in signature.remarks if remark[0] in FOUND_WHILE_READING]
    checking = [remark for remark in signature.remarks if remark[0] not in FOUND_WHILE_READING]
    for remark in reading:
        yield _remark(remark, dictionary)
    yield WARNING, messages.SIGNATURE.format(signature.number, _text(signature.uid))
    if floor <= INFO:  # names of data elements take a while to load
        yield from ((INFO, line) for line in _details(signature, dictionary))
    for remark in checking:
        yield _remark(remark, dictionary)
    yield WARNING, labelled(VERDICT, signature.reason, width)
    if not signature.coverage.complete:
        yield from _coverage(signature, width)
    # of an expired signer dcmsign also says that there is no timestamp
    if signature.verdict is Verdict.OK or signature.chain_error == CHAIN_EXPIRED or _has_timestamp(signature):
        yield from _timestamp(signature, width)


def _has_timestamp(signature: SignatureReport) -> bool:
    """Whether a timestamp, or its absence, counts for the verdict."""
    return signature.timestamp is not None or signature.timestamp_missing


def _timestamp(signature: SignatureReport, width: int) -> Iterator[Line]:
    stamp = signature.timestamp
    if signature.timestamp_missing:
        yield INFO, labelled(TIMESTAMP, messages.TIMESTAMP_REQUIRED)
        yield WARNING, f"  {TIMESTAMP} : {messages.TIMESTAMP_REQUIRED}"
    elif stamp is None:
        yield INFO, labelled(TIMESTAMP, messages.TIMESTAMP_ABSENT)
    elif stamp.ignored:
        yield INFO, labelled(TIMESTAMP, messages.TIMESTAMP_IGNORED)
    else:
        yield from ((INFO, line) for line in _token(stamp.token))
        yield from ((ERROR, remark) for remark in stamp.remarks)
        if stamp.certificate is not None:
            yield INFO, messages.TIMESTAMP_CERTIFICATE
            yield from ((INFO, line) for line in _certificate(stamp.certificate))
        yield WARNING, labelled(TIMESTAMP_VERDICT, _timestamp_verdict(stamp, signature.chain_error), width)


def _timestamp_verdict(stamp: TimestampReport, chain_error: str | None) -> str:
    if stamp.reason is not None:
        return messages.TIMESTAMP_FAILED.format(stamp.reason)
    if not stamp.extends_validity:
        return messages.TIMESTAMP_OK
    return messages.TIMESTAMP_EXTENDS if chain_error == CHAIN_EXPIRED else messages.TIMESTAMP_WAS_TRUSTED


def _token(token: Token) -> Iterator[str]:
    """What a timestamp says."""
    yield labelled(TIMESTAMP, messages.TIMESTAMP_VERSION.format(token.version))
    for label, value in (
        ("Policy OID", token.policy),
        ("Imprint MAC algorithm", token.algorithm_text),
        ("Serial number", token.serial_text),
        ("Nonce", token.nonce_text),
        ("TSA Name", token.tsa_text),
        ("Ordering", str(token.ordering).lower()),
        ("Accuracy", token.accuracy_text),
        ("Timestamp", token.gen_time),
    ):
        yield f"{INDENT}{label:24}: {printable(value)}"
    extensions = token.extension_lines
    yield f"{INDENT}{'Extensions':24}:{'' if extensions else ' none'}"
    yield from extensions


def _remark(remark: tuple[Remark, str], dictionary: Dictionary) -> Line:
    kind, value = remark
    text = kind.value.format(printable(value))
    if kind is not Remark.UNSIGNABLE_ELEMENT:
        return WARNING, text
    from .tags import parse_tag  # rarely needed

    tag = parse_tag(value.strip("()"), dictionary)
    return INFO, f"  {text}" if tag is None else f"  {text} {dictionary.keyword_of(tag)}"


def _details(signature: SignatureReport, dictionary: Dictionary) -> Iterator[str]:
    yield labelled(LOCATION, location(signature.location, dictionary))
    yield labelled(MAC_ID, messages.UNKNOWN if signature.mac_id is None else str(signature.mac_id))
    yield labelled(MAC_ALGORITHM, _text(signature.mac_algorithm))
    yield labelled(MAC_SYNTAX, _syntax(signature.mac_transfer_syntax))
    if signature.tags_signed is None:
        yield labelled(ELEMENTS, messages.UNKNOWN)
    else:
        yield labelled(ELEMENTS, "").rstrip()
        for tag in signature.tags_signed:
            yield f"{INDENT}{dicom_tags.text(tag)} {dictionary.keyword_of(tag)}"
    yield labelled(DATE, _text(signature.signed_at))
    purpose = signature.purpose
    yield labelled(
        PURPOSE,
        messages.NOT_SPECIFIED
        if purpose is None
        else printable(messages.PURPOSE.format(purpose.meaning, purpose.code_value, purpose.coding_scheme)),
    )
    yield labelled(CERTIFICATE, "")
    yield from _certificate(signature.certificate)


def _certificate(certificate: Certificate | None) -> Iterator[str]:
    if certificate is None:
        yield INDENT + messages.NO_CERTIFICATE
        return
    yield INDENT + certificate.signature_version
    serial = certificate.serial if certificate.serial in SERIAL_NUMBERS else -1
    for label, value in (
        ("Subject", certificate.subject),
        ("Issued by", certificate.issuer),
        ("Serial no.", str(serial)),
        ("Validity", messages.NOT_BEFORE.format(certificate.not_before_text)),
        ("Validity", messages.NOT_AFTER.format(certificate.not_after_text)),
        ("Public key", certificate.key_text),
    ):
        yield f"{INDENT}{label:24}: {printable(value)}"


def _coverage(signature: SignatureReport, width: int) -> Iterator[Line]:
    coverage = signature.coverage
    text = messages.INCOMPLETE.format(coverage.missing_bytes, coverage.missing_elements)
    yield WARNING, labelled(COVERAGE, text, width)
    for example in coverage.examples:
        yield INFO, INDENT + example


def _syntax(uid: str | None) -> str:
    if not uid:
        return messages.UNKNOWN
    syntax = SYNTAXES.get(uid)
    return printable(uid) if syntax is None else f"={syntax.name}"


def location(path: tuple[tuple[int, int], ...], dictionary: Dictionary) -> str:
    """A place in the data set as dcmsign names it: ``Main Dataset`` or ``ContentSequence[0].ContentSequence[1]``."""
    return ".".join(f"{dictionary.keyword_of(tag)}[{item}]" for tag, item in path) or messages.MAIN_DATA_SET


def labelled(label: str, value: str, width: int = WIDTH_OF_DETAILS) -> str:
    """A line with a label and a value, aligned with the others."""
    return f"  {label:{width}}: {value}"


def _text(value: str | None) -> str:
    return messages.UNKNOWN if value is None else printable(value)


def printable(value: str) -> str:
    """A value of the file as it may be printed."""
    # values come from the file: no line breaks or terminal controls
    if value.isprintable():
        return value
    return "".join(character if character.isprintable() else f"\\x{ord(character):02X}" for character in value)
