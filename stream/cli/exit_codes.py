"""Exit codes of dcmsign, and the one table that gives every error of the library its exit code and text."""

from __future__ import annotations

import enum
import logging
from typing import NamedTuple

from ...codec import errors
from . import messages


class ExitCode(enum.IntEnum):
    """Exit codes; those below 69 and from 80 are DCMTK's, the others stand where none of its codes does."""

    OK = 0
    USAGE = 1
    CANNOT_READ_INPUT = 20
    NO_INPUT = 21
    CANNOT_READ_TAG_FILE = 30
    CANNOT_READ_QUERY = 31
    CANNOT_READ_REPLY = 32
    CANNOT_READ_UID = 33
    CANNOT_WRITE_OUTPUT = 40
    CANNOT_WRITE_DUMP = 46
    UNAVAILABLE = 69
    """A time-stamping authority cannot be reached: EX_UNAVAILABLE of sysexits."""
    INTERNAL = 70
    """A defect of this program: EX_SOFTWARE of sysexits."""
    REMOVAL_FAILED = 83
    SIGNATURE_NOT_FOUND = 84
    SIGNING_FAILED = 85
    TAG_FILE_SYNTAX = 86
    TIMESTAMP_MISMATCH = 87
    NO_SIGNATURE = 100
    VERIFICATION_FAILED = 101
    PROFILE_NOT_FULFILLED = 102
    HUNG_UP = 129
    INTERRUPTED = 130
    TERMINATED = 143
    """SIGHUP, SIGINT and SIGTERM, as shells report them."""


class Failure(NamedTuple):
    """How an error class ends the program.

    `frame` has places for the `text` and the `name` of the file. The text is `text`; if that is empty, what the
    operating system said, else the message of the error.
    """

    code: ExitCode
    level: int
    frame: str
    text: str = ""
    detail: str = messages.DETAIL
    """A line in front, for every data element the error names; empty if there is nothing to add to the text."""
    detail_level: int = logging.ERROR


def _input(text: str = "", detail: str = messages.DETAIL) -> Failure:
    return Failure(ExitCode.CANNOT_READ_INPUT, logging.CRITICAL, messages.READING, text, detail)


def _signing(text: str = "", detail: str = messages.DETAIL, detail_level: int = logging.ERROR) -> Failure:
    return Failure(ExitCode.SIGNING_FAILED, logging.ERROR, messages.CREATING, text, detail, detail_level)


# the row of the nearest base class counts
FAILURES: dict[type[errors.Error], Failure] = {
    errors.FormatError: _input(),
    errors.NotDicom: _input(messages.PREMATURE_END),
    errors.Truncated: _input(messages.PREMATURE_END),
    errors.EmptyInput: _input(messages.END_OF_STREAM, detail=""),
    errors.BadStructure: _input(messages.INVALID_STREAM),
    errors.MetaHeaderMissing: _input(messages.META_HEADER_MISSING, detail=""),
    errors.SourceError: _input(),
    errors.SinkError: Failure(ExitCode.CANNOT_WRITE_OUTPUT, logging.CRITICAL, messages.WRITING),
    errors.DumpError: Failure(ExitCode.CANNOT_WRITE_DUMP, logging.CRITICAL, messages.UNUSABLE_DUMP),
    errors.SigningError: _signing(),
    errors.KeyMismatch: _signing(messages.KEY_MISMATCH),
    errors.UnsupportedKey: _signing(messages.UNSUPPORTED_KEY),
    errors.NothingToSign: _signing(messages.NOTHING_TO_SIGN),
    errors.UnsignableElement: _signing(messages.UNSIGNABLE_ELEMENT, messages.UNSIGNABLE, logging.INFO),
    errors.ItemNotFound: _signing(messages.ITEM_NOT_FOUND, messages.REASON),
    errors.UnsuitableDataset: _signing(messages.UNSUITABLE_DATA_SET),
    errors.RequiredAttributeMissing: _signing(messages.REQUIRED_MISSING, detail=""),
    errors.ElementNotFound: _signing(messages.ELEMENT_NOT_FOUND, messages.ABSENT),
    errors.UnusableMacSyntax: _signing(messages.UNUSABLE_MAC_SYNTAX),
    errors.NoMacIdLeft: _signing(messages.NO_MAC_ID_LEFT),
    errors.CryptoFailure: _signing(messages.CRYPTO_FAILURE),
    errors.AlgorithmUnavailable: _signing(messages.MAC_UNSUPPORTED),
    errors.BadCertificateFile: Failure(ExitCode.CANNOT_READ_INPUT, logging.CRITICAL, messages.UNREADABLE_CERTIFICATE),
    errors.BadRevocationListFile: Failure(ExitCode.CANNOT_READ_INPUT, logging.CRITICAL, messages.UNREADABLE_REVOCATION_LIST),
    errors.BadKeyFile: Failure(ExitCode.CANNOT_READ_INPUT, logging.CRITICAL, messages.UNREADABLE_KEY),
    errors.BadPolicyFile: Failure(ExitCode.USAGE, logging.CRITICAL, messages.UNUSABLE_POLICY, detail=""),
    errors.ManifestError: _signing(detail=""),
    errors.PolicyViolation: Failure(ExitCode.SIGNING_FAILED, logging.ERROR, messages.REASON_ONLY, detail=""),
    errors.UnsupportedSyntax: Failure(
        ExitCode.CANNOT_WRITE_OUTPUT, logging.CRITICAL, messages.NO_CONVERSION, detail=messages.NO_CONVERSION_REASON
    ),
    errors.TimestampError: Failure(ExitCode.TIMESTAMP_MISMATCH, logging.ERROR, messages.REASON_ONLY, detail=""),
    errors.AuthorityError: Failure(ExitCode.TIMESTAMP_MISMATCH, logging.ERROR, messages.REQUESTING, detail=""),
    errors.AuthorityUnreachable: Failure(ExitCode.UNAVAILABLE, logging.ERROR, messages.REQUESTING, detail=""),
    errors.BadPolicy: _signing(messages.BAD_POLICY, detail=""),
    errors.RemovalError: Failure(ExitCode.REMOVAL_FAILED, logging.ERROR, messages.REMOVING),
    errors.SignatureNotFound: Failure(ExitCode.SIGNATURE_NOT_FOUND, logging.ERROR, messages.REASON_ONLY),
}


def failure_of(error: errors.Error) -> Failure | None:
    """The row for an error, None if there is none for any of its classes."""
    return next((FAILURES[kind] for kind in type(error).__mro__ if kind in FAILURES), None)
