"""Digital signature profiles: what must be signed, with which keys, in which data sets (PS3.15 C)."""

from __future__ import annotations

import enum
import functools
from collections.abc import Iterable, Iterator, Set
from typing import NamedTuple

from ..dicom.syntaxes import SYNTAXES
from ..dicom.tags import is_private
from .signable import signable_tag


class Profile(enum.Enum):
    """The digital signature profiles of PS3.15 C as DCMTK's dcmsign enforces them."""

    NONE = "none"
    """Any kind of key, nothing is required."""
    BASE_RSA = "base_rsa"
    """Base RSA Digital Signature Profile (C.1): RSA keys."""
    CREATOR_RSA = "creator_rsa"
    """Creator RSA Digital Signature Profile (C.2): what the device that created the object vouches for."""
    AUTHORIZATION_RSA = "authorization_rsa"
    """Authorization RSA Digital Signature Profile (C.3): what a person who approved the object vouches for."""
    SR_RSA = "sr_rsa"
    """Structured Report RSA Digital Signature Profile (C.4)."""
    SR_RSA_VERIFICATION = "sr_rsa_verification"
    """The same for the signature that verifies a report (C.4): the document is VERIFIED, the verifying observers are signed."""

    @property
    def title(self) -> str:
        """What messages about missing signatures call it, empty if they never do."""
        return rules_of(self).name


class DatasetFacts(NamedTuple):
    """What a profile looks at in a data set or item."""

    tags: Set[int]
    """The tags of all its data elements, those of nested ones left out."""
    verification_flag: str | None
    """First value of Verification Flag (0040,A493) without padding, None if it is absent."""


class Rules(NamedTuple):
    """The rules of one profile.

    `name`: what messages call it, empty if they never do. `key_types`: which of RSA, DSA, EC, DH may sign. `mac_algorithms`:
    defined terms. `forbidden_syntaxes`: UIDs of the transfer syntaxes a MAC must not be calculated in. `main_data_set_only`:
    not for items. `must_be_present`: tags without which a data set does not suit the profile. `verification_flag`: the value it
    must have. `forced_purpose`: code of PURPOSES every signature gets. `required_always`: tags that must be present and signed.
    `required_if_present`: tags that must be signed where they are present. `private_if_present`: tags that make all private data
    elements beside them required.
    """

    name: str
    key_types: frozenset[str]
    mac_algorithms: frozenset[str]
    forbidden_syntaxes: frozenset[str]
    main_data_set_only: bool
    must_be_present: frozenset[int]
    verification_flag: str | None
    forced_purpose: int | None
    required_always: tuple[int, ...]
    required_if_present: frozenset[int]
    private_if_present: frozenset[int]

    def suits(self, facts: DatasetFacts) -> bool:
        """Whether the profile is meant for such a data set."""
        if not self.must_be_present <= facts.tags:
            return False
        return self.verification_flag is None or self.verification_flag == facts.verification_flag

    def requires(self, tag: int, facts: DatasetFacts) -> bool:
        """Whether a data element must be signed if the data set has it; it may be one that cannot be signed."""
        if tag in self.required_if_present:
            return True
        return is_private(tag) and any(trigger in facts.tags for trigger in self.private_if_present)

    def missing(self, facts: DatasetFacts, signed: Set[int]) -> tuple[int, ...]:
        """Tags that must be present and signed, but are not among `signed`, the tags to be signed, or not in the data set."""
        return tuple(tag for tag in self.required_always if tag not in signed or tag not in facts.tags)

    def is_met_by(
        self,
        facts: DatasetFacts,
        *,
        in_main_data_set: bool,
        key_type: str | None,
        mac_algorithm: str | None,
        mac_syntax: str | None,
        tags_signed: tuple[int, ...] | None,
    ) -> bool:
        """Whether a signature, valid or not, fulfils the profile in the data set as it is now.

        `facts`: of the main data set. `key_type`: of its certificate, None if that cannot be read.
        `mac_algorithm`, `mac_syntax` (UID), `tags_signed`: of its MAC parameters, None if absent.
        """
        if self.main_data_set_only and not in_main_data_set:
            return False
        if not self.suits(facts) or key_type not in self.key_types or mac_algorithm not in self.mac_algorithms:
            return False
        if mac_syntax not in SYNTAXES or mac_syntax in self.forbidden_syntaxes:
            return False
        signed = frozenset(tags_signed or ())
        # what was removed since does not matter: only the list is looked at
        return signed.issuperset(self.required_always) and all(self._fits(tag, facts, signed) for tag in facts.tags)

    def _fits(self, tag: int, facts: DatasetFacts, signed: Set[int]) -> bool:
        """Whether one data element is signed or not as it should be."""
        if not signable_tag(tag):
            return tag not in signed
        return tag in signed or not self.requires(tag, facts)


def _tags(text: str) -> Iterator[int]:
    return (int(word, 16) for word in text.split())


def _repeating(text: str) -> Iterator[int]:
    groups, *elements = text.split() or ["0-0"]
    first, last = (int(word, 16) for word in groups.split("-"))
    return (group << 16 | int(element, 16) for group in range(first, last + 1, 2) for element in elements)


@functools.cache
def rules_of(profile: Profile) -> Rules:
    """The rules of a profile."""
    from . import _profile_data as data  # loaded when a profile is asked for only

    key = profile.value
    purpose = data.FORCED_PURPOSE.get(key)
    return Rules(
        name=data.NAMES.get(key, ""),
        key_types=frozenset(data.KEY_TYPES[key].split()),
        mac_algorithms=frozenset(data.MAC_ALGORITHMS[key].split()),
        forbidden_syntaxes=frozenset(data.FORBIDDEN_SYNTAXES[key].split()),
        main_data_set_only=key in data.MAIN_DATA_SET_ONLY,
        must_be_present=frozenset(_tags(data.MUST_BE_PRESENT.get(key, ""))),
        verification_flag=data.VERIFICATION_FLAG.get(key),
        forced_purpose=None if purpose is None else int(purpose),
        required_always=tuple(_tags(data.REQUIRED_ALWAYS.get(key, ""))),
        required_if_present=frozenset(
            (*_tags(data.REQUIRED_IF_PRESENT.get(key, "")), *_repeating(data.REPEATING_IF_PRESENT.get(key, "")))
        ),
        private_if_present=frozenset(_tags(data.PRIVATE_IF_PRESENT.get(key, ""))),
    )


def demanded(profile: Profile, facts: DatasetFacts) -> Profile:
    """The profile that signatures of a data set are held to when `profile` is demanded: a verified report demands more."""
    verified = rules_of(Profile.SR_RSA_VERIFICATION).verification_flag
    if profile is Profile.SR_RSA and facts.verification_flag == verified:
        return Profile.SR_RSA_VERIFICATION
    return profile


def verification_signature_missing(profile: Profile, facts: DatasetFacts, purposes: Iterable[str]) -> bool:
    """Whether a data set that is to be signed says that it is verified, and no signature does (PS3.15 C.4).

    `purposes`: of the signatures it has already, the first Code Value (0008,0100), without padding, of the first item of
    Digital Signature Purpose Code Sequence (0400,0401).
    """
    from . import _profile_data as data

    flag, _, purpose = data.VERIFICATION_SIGNATURE.get(profile.value, "").partition(" ")
    return bool(flag) and facts.verification_flag == flag and purpose not in purposes
