"""Makes manifests: one signed document that references every instance of a study with its digest (PS3.17 W)."""

from __future__ import annotations

import os
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Iterator, Sequence
from contextlib import aclosing
from datetime import datetime
from typing import TYPE_CHECKING, Final, NamedTuple

from ..codec import errors
from ..codec.dicom.encoder import DatasetEncoder, LengthTable
from ..codec.dicom.events import EXPLICIT
from ..codec.dicom.meta import VERSION_NAME, meta_header
from ..codec.dicom.options import READ_AS_FOUND, ReadOptions
from ..codec.dicom.syntaxes import EXPLICIT_LE
from ..codec.dicom.tags import SOP_CLASS_UID, SPECIFIC_CHARACTER_SET
from ..codec.errors import ManifestError
from ..codec.manifest.comparison import listing
from ..codec.manifest.document import KEY_OBJECT_SELECTION, Described, Document, ManifestTitle, document_events
from ..codec.manifest.instance import INSTANCE_NUMBER, Instance
from ..codec.manifest.references import SERIES_INSTANCE_UID, STUDY_INSTANCE_UID, Reference, ReferencedMac
from ..codec.signature.algorithms import MAC_ALGORITHMS
from ..codec.signature.items import MAX_SIGNED_ELEMENTS
from ..codec.signature.profiles import Profile
from .instances import DigestJob
from .io.threads import run_in_thread
from .manifest_reports import ManifestReceipt
from .many import Path, run_many
from .many_jobs import FileResult
from .signing import SignerSource, local_now, new_uid, sign

if TYPE_CHECKING:
    from ..tsa.client import TimestampClient
    from .io.sinks import Target
    from .many_pools import Executor
    from .policies import Policy
    from .stampers import Stamper

SOURCE_SIGNATURE: Final = 14
"""Purpose of a signature over what somebody else has made (PS3.17 W)."""

_MAKER: Final = ("dcmsign", "dcmsign", VERSION_NAME)
_CHARACTERS: Final = {b"": "ascii", b"ISO_IR 6": "ascii", b"ISO_IR 100": "latin-1", b"ISO_IR 192": "utf-8"}
"""Codecs for the character sets in which a description can be written; with others it has to be ASCII."""

_PATIENT: Final = (0x00100020, 0x00100021)
_LONGEST_UID: Final = 64
_BLOCK: Final = 1 << 18
_TOLD: Final = 1000


async def make_manifest(
    sources: Iterable[Path | None] | AsyncIterable[Path | None],
    target: Target,
    *,
    signer: SignerSource,
    algorithm: str = "SHA256",
    title: ManifestTitle = ManifestTitle.SIGNED_MANIFEST,
    description: str | None = None,
    purpose: int | None = SOURCE_SIGNATURE,
    profile: Profile | None = None,
    timestamp: Stamper | TimestampClient | None = None,
    policy: Policy | None = None,
    read: ReadOptions = READ_AS_FOUND,
    durable: bool = False,
    workers: int | None = None,
    executor: Executor | None = None,
    clock: Callable[[], datetime] = local_now,
    uids: Callable[[], str] = new_uid,
) -> ManifestReceipt:
    """Make a signed Key Object Selection Document that references every instance of a study with its digest.

    `sources`: names of the files of one study, see `verify_many`; each is read once, and instances that have signatures of their
    own once more, since only good ones are referenced. `target`: as for `sign`. `signer`: who signs the document. `algorithm`: a
    key of MAC_ALGORITHMS, for the digests of the instances and for the signature. `title`, `description`: of the document.
    `purpose`: code 1 to 18, `profile`: that of structured reports for RSA keys if None (PS3.15 C.4). `workers`, `executor`: see
    `verify_many`. The other parameters are those of `sign`.

    Raises ManifestError for instances of several studies or patients, for different instances with the same UID, for those
    without UIDs, with data elements found twice or with signatures that are not good; the errors of reading them and of `sign`;
    RuntimeError if a worker is lost. After any error the target is as it was.
    """
    if algorithm not in MAC_ALGORITHMS:
        raise ValueError(f"no MAC algorithm: {algorithm!r}")
    loaded = await signer() if callable(signer) else signer
    study = _Study(algorithm, target)
    async with aclosing(
        run_many(DigestJob((algorithm,), read, vouch=True), sources, workers=workers, executor=executor)
    ) as results:
        async for result in results:
            study.take(result)
    instances = study.finish()
    now = clock()
    document = _document(study, now, title, description, uids)
    if profile is None:
        profile = Profile.SR_RSA if loaded.certificate.key_type == "RSA" else Profile.NONE
    signature = await sign(
        _blocks(document, instances),
        target,
        signer=loaded,
        mac_algorithm=algorithm,
        profile=profile,
        purpose=purpose,
        timestamp=timestamp,
        durable=durable,
        clock=clock,
        uids=uids,
        policy=policy,
    )
    return ManifestReceipt(
        sop_instance=document.sop_instance,
        series=document.series,
        study=document.study,
        title=title.value[1],
        instances=len(instances),
        signature=signature,
        copies=tuple(study.copies),
        unprotected=study.unprotected,
    )


def _document(study: _Study, now: datetime, title: ManifestTitle, description: str | None, uids: Callable[[], str]) -> Document:
    values = study.first.values
    charset = values.get(SPECIFIC_CHARACTER_SET, b"")
    return Document(
        sop_instance=uids(),
        series=uids(),
        study=study.uid,
        title=title,
        inherited=values,
        date=now.strftime("%Y%m%d"),
        time=now.strftime("%H%M%S.%f"),
        zone=now.strftime("%z")[:5],
        maker=_MAKER,
        description=None if description is None else description.encode(_CHARACTERS.get(charset, "ascii")),
    )


class _Entry(NamedTuple):
    """An instance to be referenced, and what it is sorted by."""

    series: str
    number: int
    uid: str
    path: str
    described: Described


class _Study:
    """Collects the instances of one study, and finds out whether it is one."""

    def __init__(self, algorithm: str, target: object) -> None:
        self._algorithm = algorithm
        self._target = target
        self._entries: dict[str, _Entry] = {}
        self._shared: dict[bytes, bytes] = {}
        self._names: dict[str, str] = {}
        self._first: tuple[_Entry, Instance] | None = None
        self.copies: list[str] = []
        self.unprotected: dict[str, tuple[int, ...]] = {}

    @property
    def first(self) -> Instance:
        """The instance whose patient and study are those of the document: the first one of the first series."""
        assert self._first is not None
        return self._first[1]

    @property
    def uid(self) -> str:
        """Study Instance UID."""
        return self.first.text(STUDY_INSTANCE_UID)

    def take(self, result: FileResult) -> None:
        """Take the next instance. Raises ManifestError, or the error of the file."""
        if result.error is not None:
            raise _failure(result)
        assert result.report is not None
        instance: Instance = result.report["instance"]
        self._check(instance, result.path)
        entry = self._entry(instance, result.path)
        earlier = self._entries.setdefault(entry.uid, entry)
        if earlier is not entry:
            if earlier.described.reference != entry.described.reference:
                message = f"two different instances have the UID {entry.uid}; the other one is {earlier.path}"
                raise ManifestError(message, path=result.path)
            self.copies.append(result.path)
            return
        if instance.unsignable and len(self.unprotected) < _TOLD:
            self.unprotected[entry.uid] = instance.unsignable
        if self._first is None or entry[:3] < self._first[0][:3]:
            self._first = entry, instance

    def _check(self, instance: Instance, path: str) -> None:
        """Can it be referenced, and does it belong to the others?"""
        for tag, name in ((SOP_CLASS_UID, "SOP Class UID"), (STUDY_INSTANCE_UID, "Study Instance UID")):
            _check_uid(instance.text(tag), name, path)
        _check_uid(instance.sop_instance, "SOP Instance UID", path)
        _check_uid(instance.text(SERIES_INSTANCE_UID), "Series Instance UID", path)
        if instance.duplicated:
            raise ManifestError(
                f"data elements found twice, of which readers show either: {listing(instance.duplicated)}", path=path
            )
        if not instance.usable:
            raise ManifestError("Pixel Data is not available in the MAC calculation transfer syntax", path=path)
        if not instance.tags or len(instance.tags) > 4 * MAX_SIGNED_ELEMENTS:
            count = len(instance.tags) // 4
            raise ManifestError(
                f"{count} data elements that can be signed, a reference holds 1 to {MAX_SIGNED_ELEMENTS}", path=path
            )
        if None in instance.signatures:
            raise ManifestError("a signature without UID or value", path=path)
        if isinstance(self._target, (str, os.PathLike)) and _same_file(self._target, path):
            raise ManifestError("the manifest to be written is one of its own instances", path=path)
        if self._first is None:
            return
        other, where = self.first, self._first[0].path
        if instance.text(STUDY_INSTANCE_UID) != other.text(STUDY_INSTANCE_UID):
            message = f"instance of another study ({instance.text(STUDY_INSTANCE_UID)}) than {where} ({self.uid})"
            raise ManifestError(f"{message}; a manifest is about one study", path=path)
        if any(instance.text(tag) != other.text(tag) for tag in _PATIENT):
            raise ManifestError(f"instance of another patient than {where}, in the same study", path=path)

    def _entry(self, instance: Instance, path: str) -> _Entry:
        mac = ReferencedMac(
            self._name(instance.mac_syntax),
            self._algorithm,
            self._shared.setdefault(instance.tags, instance.tags),
            instance.digests[self._algorithm],
        )
        series = self._name(instance.text(SERIES_INSTANCE_UID))
        reference = Reference(
            study=self._name(instance.text(STUDY_INSTANCE_UID)),
            series=series,
            sop_class=self._name(instance.text(SOP_CLASS_UID)),
            sop_instance=instance.sop_instance,
            mac=mac,
            signatures=tuple(signature for signature in instance.signatures if signature is not None),
        )
        number = instance.text(INSTANCE_NUMBER).strip()
        order = int(number) if number.isascii() and number.isdigit() and len(number) <= 12 else -1
        return _Entry(series, order, instance.sop_instance, path, Described(reference, instance.pixels))

    def _name(self, text: str) -> str:
        """The same object for the same text."""
        return self._names.setdefault(text, text)

    def finish(self) -> list[Described]:
        """All instances, in the order of the document. Raises ManifestError if there are none."""
        if not self._entries:
            raise ManifestError("no instances")
        entries = sorted(self._entries.values())
        self._entries.clear()  # the document is made of the rest
        return [entry.described for entry in entries]


def _failure(result: FileResult) -> Exception:
    """The error of one file, here."""
    kind = getattr(errors, result.error or "", None)
    message = result.message or ""
    if isinstance(kind, type) and issubclass(kind, (errors.FormatError, errors.SourceError, ManifestError)):
        return kind(message)
    if isinstance(kind, type) and issubclass(kind, errors.Error):
        return ManifestError(f"{result.error}: {message}")
    return RuntimeError(f"{result.path}: {result.error}: {message}")


def _check_uid(uid: str, name: str, path: str) -> None:
    if not uid or len(uid) > _LONGEST_UID or not set(uid) <= set("0123456789."):
        raise ManifestError(f"no usable {name}" if uid else f"no {name}", path=path)


def _same_file(first: str | os.PathLike[str], second: str) -> bool:
    try:
        return os.path.samefile(first, second)
    except (OSError, ValueError):
        return False


async def _blocks(document: Document, instances: Sequence[Described]) -> AsyncIterator[bytes]:
    encoded = _encoded(document, instances)
    while block := await run_in_thread(next, encoded, b""):
        yield block


def _encoded(document: Document, instances: Sequence[Described]) -> Iterator[bytes]:
    """The document, without signature, in pieces."""
    encoder = DatasetEncoder(EXPLICIT, LengthTable(), undefined=True)
    yield meta_header(None, EXPLICIT_LE.uid, KEY_OBJECT_SELECTION.encode(), document.sop_instance.encode())
    told = 0
    for event in document_events(document, instances):
        encoder.feed(event)
        if encoder.size - told >= _BLOCK:
            told = encoder.size
            yield b"".join(encoder.take())
    encoder.finish()
    yield b"".join(encoder.take())
