"""The one error hierarchy of the project.

Every error carries where it happened, as far as that is known: the name of the input or output (`path`), the byte offset in it
(`offset`) and the data element (`element`, a path such as ``(0008,1140)[0].(0008,1155)``). The command maps each class to one
exit code in one table (`stream/cli/exit_codes.py`).

    Error
    ├─ FormatError               the input is not the DICOM it claims to be
    │   ├─ NotDicom              nothing recognisable at the beginning
    │   ├─ EmptyInput            no byte at all
    │   ├─ Truncated             the input ends inside a data element
    │   ├─ BadStructure          lengths, items or delimiters that contradict each other
    │   ├─ LimitExceeded         nesting, size or count beyond a configured bound
    │   ├─ MetaHeaderMissing     file format demanded, data set found
    │   └─ UnorderedInput        order of data elements that this way of reading cannot digest
    ├─ SourceError               the input cannot be opened or read (carries the OSError)
    ├─ SinkError                 the output cannot be written (carries the OSError)
    ├─ DumpError                 the dump file cannot be created
    ├─ SigningError              a signature cannot be created
    │   ├─ KeyMismatch, UnsupportedKey, NothingToSign, UnsignableElement, ElementNotFound,
    │   ├─ UnusableMacSyntax, NoMacIdLeft, CryptoFailure, PlanMismatch,
    │   └─ ItemNotFound, UnsuitableDataset, RequiredAttributeMissing, PolicyViolation
    ├─ RemovalError              a signature cannot be removed
    │   └─ SignatureNotFound
    ├─ AlgorithmUnavailable      the platform lacks a MAC algorithm
    ├─ TrustError
    │   ├─ BadCertificateFile
    │   ├─ BadRevocationListFile
    │   └─ BadKeyFile
    ├─ TimestampError            a timestamp cannot be asked for, read or inserted
    │   ├─ BadTimestampQuery, BadTimestampReply, BadTimestampToken, BadPolicy
    │   ├─ TimestampRejected     the authority said no
    │   ├─ TimestampMismatch     the reply does not belong to the query or the signature
    │   ├─ InvalidTimestamp      the token does not verify
    │   └─ AuthorityError        the authority cannot be asked
    │       └─ AuthorityUnreachable, AuthorityRefusal, BadAuthorityReply
    ├─ UnsupportedSyntax         no conversion to the wanted transfer syntax
    ├─ BadPolicyFile             a policy that is not understood
    ├─ ManifestError             a manifest cannot be made of these instances, or is none
    └─ VerificationFailed        raised only by VerificationReport.raise_for_status()
"""

from __future__ import annotations

from collections.abc import Collection, Sequence


class Error(Exception):
    """Base of all errors the library raises.

    `message` says what is wrong; `path`, `offset` (bytes from the start of the input; for deflated data sets, of the inflated
    stream) and `element` say where. Unknown parts are None.
    """

    def __init__(self, message: str, *, path: str | None = None, offset: int | None = None, element: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.path = path
        self.offset = offset
        self.element = element

    def __str__(self) -> str:
        where = [self.path] if self.path is not None else []
        if self.offset is not None:
            where.append(f"offset {self.offset}")
        if self.element:
            where.append(f"element {self.element}")
        return f"{', '.join(where)}: {self.message}" if where else self.message


class FormatError(Error):
    """The input is not well-formed DICOM (PS3.5, PS3.10)."""


class NotDicom(FormatError):
    """Nothing at the beginning of the input looks like a DICOM file or data set."""


class EmptyInput(FormatError):
    """The input has no bytes."""


class Truncated(FormatError):
    """The input ends inside a data element, item or sequence."""


class BadStructure(FormatError):
    """Lengths, items or delimiters contradict each other."""


class LimitExceeded(FormatError):
    """Nesting depth, size or number of something exceeds a configured bound."""


class MetaHeaderMissing(FormatError):
    """File format was demanded, but the input has no file meta information."""


class UnorderedInput(FormatError):
    """Data elements are out of ascending tag order where one forward pass cannot digest them."""


class SourceError(Error):
    """The input cannot be opened or read; `__cause__` is the system's error."""


class SinkError(Error):
    """The output cannot be created or written; `__cause__` is the system's error."""


class DumpError(Error):
    """The dump file cannot be created or written."""


class SigningError(Error):
    """A signature cannot be created."""


class KeyMismatch(SigningError):
    """Certificate and private key hold different public keys."""


class UnsupportedKey(SigningError):
    """The key is neither RSA, DSA nor EC."""


class NothingToSign(SigningError):
    """The data set or item has no data elements."""


class UnsignableElement(SigningError):
    """Data elements that are listed or that a profile requires are present but cannot be signed (UN, group length, ...).

    `element` names all of them; `required` are those that only the digital signature profile asks for.
    """

    def __init__(self, message: str, *, elements: Sequence[str], required: Collection[str] = ()) -> None:
        super().__init__(message, element=", ".join(elements))
        self.required = frozenset(required)


class ElementNotFound(SigningError):
    """A listed data element is absent."""


class UnusableMacSyntax(SigningError):
    """Pixel Data is not available in the MAC calculation transfer syntax."""


class NoMacIdLeft(SigningError):
    """All 65536 MAC ID numbers of the level are in use."""


class CryptoFailure(SigningError):
    """The cryptographic library refused, or the new signature does not verify."""


class PlanMismatch(SigningError):
    """The input changed, or is not what the caller promised, while it was being signed."""


class ItemNotFound(SigningError):
    """There is no such item; `message` says why in dcmsign's words, a line for each, `location` is the text that was given."""

    def __init__(self, message: str, *, location: str) -> None:
        super().__init__(message)
        self.location = location


class UnsuitableDataset(SigningError):
    """The data set is not of the kind that a digital signature profile is for."""


class RequiredAttributeMissing(SigningError):
    """Data elements that a digital signature profile requires are absent or not among the signed ones."""


class RemovalError(Error):
    """A signature cannot be removed; `found` are the ones before it and itself (UID, location)."""

    def __init__(self, message: str, *, found: Sequence[tuple[str | None, tuple[tuple[int, int], ...]]] = ()) -> None:
        super().__init__(message)
        self.found = tuple(found)


class SignatureNotFound(RemovalError):
    """No signature has the UID that was asked for."""


class AlgorithmUnavailable(Error):
    """The platform offers no implementation of a MAC algorithm."""


class TrustError(Error):
    """A key, certificate or revocation list cannot be used."""


class BadCertificateFile(TrustError):
    """A certificate file cannot be read."""


class BadRevocationListFile(TrustError):
    """A file with a certificate revocation list cannot be read."""


class BadKeyFile(TrustError):
    """A private key file cannot be read, or the password is wrong or missing."""


class TimestampError(Error):
    """A certified timestamp (RFC 3161) cannot be asked for, read or inserted."""


class BadTimestampQuery(TimestampError):
    """What should be a timestamp query is none."""


class BadTimestampReply(TimestampError):
    """What should be the reply of a time-stamping authority is none."""


class BadTimestampToken(TimestampError):
    """What should be a timestamp token is none."""


class BadPolicy(TimestampError):
    """What should be a timestamp policy is no object identifier."""


class TimestampRejected(TimestampError):
    """The time-stamping authority did not grant a timestamp: its `status` (PKIStatus), `texts` and `failures` (bit numbers)."""

    def __init__(self, message: str, *, status: int, texts: Sequence[str] = (), failures: Sequence[int] = ()) -> None:
        super().__init__(message)
        self.status = status
        self.texts = tuple(texts)
        self.failures = tuple(failures)


class TimestampMismatch(TimestampError):
    """A reply that does not belong to the query or to the signature; `message` says why in dcmsign's words."""


class InvalidTimestamp(TimestampError):
    """A token that does not verify; `message` says why in dcmsign's words."""


class AuthorityError(TimestampError):
    """A time-stamping authority could not be asked: `url` (without credentials) and HTTP `status`, if there was an answer."""

    def __init__(self, message: str, *, url: str, status: int | None = None) -> None:
        super().__init__(message)
        self.url = url
        self.status = status


class AuthorityUnreachable(AuthorityError):
    """No usable answer within the deadline, after all attempts."""


class AuthorityRefusal(AuthorityError):
    """An HTTP answer that says no, and that asking again does not change."""


class BadAuthorityReply(AuthorityError):
    """An answer that is no timestamp reply: wrong media type, too large, or not decodable."""


class BadPolicyFile(Error):
    """What should be a policy cannot be read, or says something that is not understood."""


class ManifestError(Error):
    """A manifest cannot be made of the instances given, or what should be one does not say what the standard wants it to say."""


class PolicyViolation(SigningError):
    """A signature that the policy does not allow to be made."""


class UnsupportedSyntax(Error):
    """The output cannot be written in the wanted transfer syntax, whose name is `syntax`."""

    def __init__(self, message: str, *, syntax: str, element: str | None = None) -> None:
        super().__init__(message, element=element)
        self.syntax = syntax


class VerificationFailed(Error):
    """At least one signature is not OK, or none is present although required."""
