"""What is done to each of many files, in whatever process: jobs, results, and a batch of files carried out."""

from __future__ import annotations

import functools
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from ..codec.dicom.options import READ_AS_FOUND, ReadOptions
from ..codec.errors import SinkError
from ..codec.signature.location import Location
from ..codec.signature.profiles import Profile
from .formats import StreamFormat
from .io.threads import is_special, run_in_thread, run_operation
from .reports import TimestampPolicy
from .signing import sign
from .timestamp_rules import TimestampRules
from .trust.anchors import Trust
from .trust.certificates import Encoding
from .trust.signers import KeySigner
from .verification import verify

if TYPE_CHECKING:
    from .policies import Policy

Item: TypeAlias = tuple[str, str]
"""Source and target of one file; without target the second is empty."""


@dataclass(frozen=True, slots=True)
class FileResult:
    """What became of one of many files.

    `path` and `target`: the names as given, no target if nothing is written. `report`: what was found or made, as
    `VerificationReport.to_dict()`, or the receipt of a signature as JSON-ready data; None after an error. `error`: the class of
    the error, a name in `dcmsign.stream.errors`, "WorkerLost" if the process of the worker died on this file twice, or the name
    of an exception that was not foreseen; `message`: its text. `seconds`: spent on the file. `bytes`: size of the source.
    """

    path: str
    target: str | None = None
    report: dict[str, Any] | None = None
    error: str | None = None
    message: str | None = None
    seconds: float = 0.0
    bytes: int = 0

    @property
    def ok(self) -> bool:
        """True if there was no error and what was found is good."""
        return self.report is not None and bool(self.report.get("ok", True))

    def to_dict(self) -> dict[str, Any]:
        """The result as JSON-ready data: only what there is."""
        found = {name: getattr(self, name) for name in ("path", "target", "report", "error", "message")}
        present = {name: value for name, value in found.items() if value is not None}
        return present | {"seconds": round(self.seconds, 6), "bytes": self.bytes}


@dataclass(frozen=True, slots=True)
class KeyFiles:
    """Where a signer's private key and certificate are, so that every worker can load them itself; see KeySigner.load."""

    key: str
    certificate: str
    password: bytes | None = field(default=None, repr=False)
    encoding: Encoding = Encoding.PEM


class Job(Protocol):
    """What is done to each file; travels to the workers."""

    def load(self) -> None:
        """Load what all files need, once in a process. Raises TrustError or SigningError."""

    async def carry_out(self, item: Item) -> dict[str, Any]:
        """Do it to one file and tell about it."""


@dataclass(frozen=True, slots=True)
class VerifyJob:
    """Verify; the fields are the parameters of `verify`."""

    trust: Trust = Trust.NONE
    require_signature: bool = True
    require_profile: Profile | None = None
    stream_format: StreamFormat = StreamFormat.STANDARD
    read: ReadOptions = READ_AS_FOUND
    at: datetime | None = None
    timestamps: TimestampPolicy = TimestampPolicy.VERIFY
    timestamp_rules: TimestampRules = TimestampRules.STRICT
    policy: Policy | None = None

    def load(self) -> None:
        """Everything is here."""

    async def carry_out(self, item: Item) -> dict[str, Any]:
        """The report as plain data."""
        report = await verify(
            item[0],
            trust=self.trust,
            require_signature=self.require_signature,
            require_profile=self.require_profile,
            stream_format=self.stream_format,
            read=self.read,
            at=self.at,
            timestamps=self.timestamps,
            timestamp_rules=self.timestamp_rules,
            inspect=False,
            policy=self.policy,
        )
        return report.to_dict()


@dataclass(frozen=True, slots=True)
class SignJob:
    """Sign; the fields are the parameters of `sign`."""

    keys: KeyFiles
    location: Location | str = ()
    mac_algorithm: str = "SHA256"
    tags: tuple[int, ...] | None = None
    profile: Profile = Profile.NONE
    purpose: int | None = None
    stream_format: StreamFormat = StreamFormat.STANDARD
    transfer_syntax: str | None = None
    undefined_lengths: bool = False
    read: ReadOptions = READ_AS_FOUND
    durable: bool = False
    policy: Policy | None = None

    def load(self) -> None:
        """Load the key."""
        load_signer(self.keys)

    async def carry_out(self, item: Item) -> dict[str, Any]:
        """The receipt as plain data."""
        source, target = item
        await run_in_thread(_make_room, source, target)
        receipt = await sign(
            source,
            target,
            signer=load_signer(self.keys),
            location=self.location,
            mac_algorithm=self.mac_algorithm,
            tags=self.tags,
            profile=self.profile,
            purpose=self.purpose,
            stream_format=self.stream_format,
            transfer_syntax=self.transfer_syntax,
            undefined_lengths=self.undefined_lengths,
            read=self.read,
            durable=self.durable,
            policy=self.policy,
        )
        return {
            "uid": receipt.uid,
            "mac_id": receipt.mac_id,
            "mac_algorithm": receipt.mac_algorithm,
            "signed_at": receipt.signed_at,
            "signer": receipt.certificate.subject,
        }


@functools.lru_cache(maxsize=4)
def load_signer(keys: KeyFiles) -> KeySigner:
    """The signer; loaded once in a process. Raises BadKeyFile, BadCertificateFile, KeyMismatch or UnsupportedKey."""
    signer = KeySigner.load(keys.key, keys.certificate, password=keys.password, encoding=keys.encoding)
    signer.check()
    return signer


def _make_room(source: str, target: str) -> None:
    """Make the folder of a target. Raises SinkError, also if the target is the source."""
    try:
        if os.path.exists(target) and os.path.samefile(source, target):
            # a file whose worker is lost is signed again, from a source that has to be as it was
            raise SinkError("the target is the source", path=target)
        if folder := os.path.dirname(target):
            os.makedirs(folder, exist_ok=True)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        if not isinstance(error, OSError) or os.path.exists(source):
            raise SinkError(getattr(error, "strerror", None) or str(error), path=target) from error


def carry_out(job: Job, item: Item) -> FileResult:
    """Do a job to one file; whatever goes wrong with it is its result."""
    begin = time.perf_counter()
    report = error = message = None
    try:
        report = run_operation(job.carry_out, item, waits=any(map(is_special, item)))
    except Exception as failure:  # a defect must not stop the other files either
        error, message = type(failure).__name__, str(failure)
    seconds = time.perf_counter() - begin
    return FileResult(item[0], item[1] or None, report, error, message, seconds, _size(item[0]))


def _size(path: str) -> int:
    try:
        return os.stat(path).st_size
    except (OSError, ValueError):
        return 0


def run_batch(job: Job, items: Sequence[Item]) -> list[FileResult]:
    """Do a job to several files, one after the other: what an executor is given to call."""
    job.load()
    return [carry_out(job, item) for item in items]
