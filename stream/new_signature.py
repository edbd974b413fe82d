"""A signature being made: the request, the plan that follows from it and the object, the checks in dcmsign's order."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Generic, TypeVar

from ..codec.dicom.options import ReadOptions
from ..codec.dicom.syntaxes import TransferSyntax
from ..codec.errors import (
    CryptoFailure,
    NoMacIdLeft,
    SigningError,
    UnsuitableDataset,
    UnsupportedKey,
    UnusableMacSyntax,
)
from ..codec.signature.algorithms import new_digest
from ..codec.signature.edits import ItemSurvey
from ..codec.signature.items import MAX_SIGNED_ELEMENTS, free_mac_id
from ..codec.signature.location import ItemPath
from ..codec.signature.profiles import Profile, rules_of, verification_signature_missing
from ..codec.signature.splice import SigningPlan, mac_syntax_of
from ..codec.signature.survey import Survey
from .formats import StreamFormat
from .io.dump import DumpFile
from .receipts import SigningReceipt
from .stampers import Stampable
from .trust.signers import Signer, verify_digest

if TYPE_CHECKING:
    from .policies import Policy

log = logging.getLogger("dcmsign.stream.sign")


@dataclass(frozen=True, slots=True)
class Request:
    """What the caller of `sign` asks for."""

    mac_algorithm: str
    tags: tuple[int, ...] | None
    purpose: int | None
    path: ItemPath
    profile: Profile
    stream_format: StreamFormat
    undefined_lengths: bool
    output: TransferSyntax | None
    read: ReadOptions
    clock: Callable[[], datetime]
    new_uid: Callable[[], str]
    policy: Policy | None = None


AnySurvey = TypeVar("AnySurvey", Survey, ItemSurvey)


class NewSignature(Generic[AnySurvey]):
    """What all ways of signing share: survey, plan, digest and receipt."""

    def __init__(self, request: Request, survey: AnySurvey, dump: DumpFile | None) -> None:
        self._request = request
        self._dump = dump
        self._survey: AnySurvey = survey
        self._plan: SigningPlan | None = None
        self.digest = b""

    @property
    def algorithm(self) -> str:
        """MAC algorithm of the signature."""
        return self._request.mac_algorithm

    def _select(self) -> list[int]:
        """The tags to sign."""
        return self._survey.level.selection(self._request.tags, self._request.profile)

    def _check_contents(self) -> None:
        """Is all that is to be signed there, and can it be digested?"""
        self._check_pixels()
        self._survey.level.check_present(self._request.tags)

    def plan(self, signer: Signer) -> None:
        """Everything that can fail before the data is digested."""
        request, survey = self._request, self._survey
        self._check_dataset()
        self._check_signer(signer)
        new_digest(request.mac_algorithm)
        now = request.clock()
        _warn(signer, now)
        tags = self._select()
        purpose = self._purpose()
        self._check_contents()
        if len(tags) > MAX_SIGNED_ELEMENTS:
            raise SigningError(f"{len(tags)} data elements to sign, Data Elements Signed holds {MAX_SIGNED_ELEMENTS}")
        mac_id = free_mac_id(survey.level.mac_ids())
        if mac_id is None:
            raise NoMacIdLeft("all 65536 MAC ID numbers are in use")
        self._plan = SigningPlan(
            mac_id=mac_id,
            uid=request.new_uid(),
            date_time=now.strftime("%Y%m%d%H%M%S.%f%z"),
            purpose=purpose,
            algorithm=request.mac_algorithm,
            mac_syntax=mac_syntax_of(survey.syntax),
            tags=tuple(tags),
            incomplete=request.stream_format is StreamFormat.DCMTK,
            old_format=request.stream_format is StreamFormat.OLD,
        )

    def _check_dataset(self) -> None:
        """Is it what the profile is for?"""
        profile, level = self._request.profile, self._survey.level
        rules = rules_of(profile)
        if not rules.suits(level.facts) or (rules.main_data_set_only and self._request.path.steps):
            raise UnsuitableDataset("the data set is not of the kind that the signature profile is for")
        if verification_signature_missing(profile, level.facts, level.purposes()):
            log.warning("SR document status is 'VERIFIED', but the verification signature is missing")

    def _check_signer(self, signer: Signer) -> None:
        check = getattr(signer, "check", None)
        if check is not None:
            check()
        if self._request.policy is not None:
            from .policy_checks import check_creation

            check_creation(self._request.policy, signer.certificate, self._request.mac_algorithm)
        allowed = rules_of(self._request.profile).key_types
        if signer.certificate.key_type not in allowed:
            raise UnsupportedKey(f"the signature profile allows keys of type {', '.join(sorted(allowed))} only")

    def _purpose(self) -> int | None:
        wanted, forced = self._request.purpose, rules_of(self._request.profile).forced_purpose
        if forced is None:
            return wanted
        if wanted not in (None, forced):
            log.warning("Signature profile requires purpose code %d, ignoring user selection %d.", forced, wanted)
        return forced

    def _check_pixels(self) -> None:
        survey = self._survey
        if not survey.level.pixels.allow(mac_syntax_of(survey.syntax), survey.syntax):
            raise UnusableMacSyntax("Pixel Data is not available in the MAC calculation transfer syntax")

    def check_output(self) -> None:
        """Raise UnsupportedSyntax if the object cannot be written as asked for."""
        self._survey.check_conversion()

    def stampable(self, signer: Signer, value: bytes) -> Stampable:
        """The signature, as a timestamp needs to know it."""
        assert self._plan is not None
        return Stampable(value, self._plan.uid, signer.certificate, self._plan.date_time, self._request.new_uid)

    def check_value(self, signer: Signer, value: bytes) -> None:
        """The new signature value belongs to the digest and the certificate."""
        if not verify_digest(signer.certificate, value, self.digest, self.algorithm):
            raise CryptoFailure("the new signature does not verify with the public key of the certificate")

    def receipt(self, signer: Signer, value: bytes) -> SigningReceipt:
        """What was written."""
        plan = self._plan
        assert plan is not None
        return SigningReceipt(
            uid=plan.uid,
            location=self._request.path.location,
            mac_id=plan.mac_id,
            mac_algorithm=plan.algorithm,
            mac_transfer_syntax=plan.mac_syntax.uid,
            tags_signed=plan.tags,
            signed_at=plan.date_time,
            certificate=signer.certificate,
            digest=self.digest,
            signature=value,
        )


def _warn(signer: Signer, now: datetime) -> None:
    certificate = signer.certificate
    if now > certificate.not_after:
        log.warning("Certificate has expired %s, signature will be invalid.", certificate.not_after_text)
    if now < certificate.not_before:
        text = certificate.not_before_text
        log.warning("Certificate is not yet valid, validity starts %s, signature will be invalid.", text)
    if certificate.weak_key:
        log.warning("Certificate contains a weak key: %s", certificate.weak_key_text)
