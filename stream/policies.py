"""Policies: what is asked of signatures that are made, and of those that are accepted, beyond dcmsign's checks."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, ClassVar, Final

from ..codec.dicom.dictionary import BUILT_IN
from ..codec.errors import BadPolicyFile
from ..codec.inspection.findings import Severity
from ..codec.signature.algorithms import MAC_ALGORITHMS
from ..codec.signature.profiles import Profile
from ..codec.signature.purposes import PURPOSES
from .reports import TimestampPolicy
from .trust.anchors import Trust
from .trust.revocation import RevocationCheck

_LONGEST: Final = 1 << 20
"""Bytes of a policy file."""

KEY_TYPES: Final = ("RSA", "DSA", "EC", "DH")

GROUPS: Final[dict[str, tuple[str, ...]]] = {
    "identifiers": (
        "SOPClassUID",
        "SOPInstanceUID",
        "StudyInstanceUID",
        "SeriesInstanceUID",
        "AccessionNumber",
        "PatientID",
        "IssuerOfPatientID",
    ),
    "patient": ("0010xxxx",),
    "pixels": (
        "SamplesPerPixel",
        "PhotometricInterpretation",
        "PlanarConfiguration",
        "NumberOfFrames",
        "Rows",
        "Columns",
        "PixelAspectRatio",
        "BitsAllocated",
        "BitsStored",
        "HighBit",
        "PixelRepresentation",
        "PixelSpacing",
        "ImagerPixelSpacing",
        "ImagePositionPatient",
        "ImageOrientationPatient",
        "RescaleIntercept",
        "RescaleSlope",
        "ModalityLUTSequence",
        "VOILUTSequence",
        "002811xx",
        "002812xx",
        "60xxxxxx",
        "SharedFunctionalGroupsSequence",
        "PerFrameFunctionalGroupsSequence",
        "7fe0xxxx",
    ),
    "content": (
        "CompletionFlag",
        "VerificationFlag",
        "ConceptNameCodeSequence",
        "ContentSequence",
        "EncapsulatedDocument",
        "WaveformSequence",
    ),
    "all": ("xxxxxxxx",),
}
"""Data elements that `coverage` asks for by one word: keywords, or tags in which x stands for any digit."""


@dataclass(frozen=True, slots=True)
class Strength:
    """What keys and digests have to be: `digests` are defined terms of MAC Algorithm (0400,0015), `keys` smallest sizes in bits.

    A type of key that is not among `keys` is refused.
    """

    digests: frozenset[str] = frozenset(MAC_ALGORITHMS)
    keys: Mapping[str, int] = field(default_factory=lambda: dict.fromkeys(KEY_TYPES, 0))

    def reason(self, digest: str | None, key_type: str, key_bits: int) -> str | None:
        """What is wrong with a signature, None if nothing is."""
        if digest not in self.digests:
            return f"MAC algorithm {digest} is not accepted (accepted are {', '.join(sorted(self.digests))})"
        least = self.keys.get(key_type)
        if least is None:
            return f"keys of type {key_type} are not accepted"
        return f"{key_type} key of {key_bits} bits, at least {least} are demanded" if key_bits < least else None


@dataclass(frozen=True, slots=True)
class Policy:
    """What has to be true of a signature for it to be made, and of an object for it to be accepted.

    `create`, `accept`: digests and keys. `signature`: there has to be one. `every`: every signature has to fulfil what follows;
    otherwise only those that do count for it, and there has to be one. `trusted`: signers lead to a trust anchor. `purposes`:
    codes of PURPOSES, of which a signature has one; empty: any or none. `profile`: one signature fulfils it. `coverage`: data
    elements that have to be protected where they are present: words of GROUPS, keywords, or tags. `complete`: digests hold every
    byte, also where DCMTK leaves some out. `timestamps`: what is done about them; REQUIRE asks for one of every signature.
    `revocation`: which certificates need a revocation list. `findings`: the least severity of a finding that is refused, None:
    any is accepted.
    """

    COMPATIBLE: ClassVar[Policy]
    """Nothing is asked beyond dcmsign."""
    RECOMMENDED: ClassVar[Policy]
    """What holds against attacks known today, and can be had of objects in use today."""
    STRICT: ClassVar[Policy]
    """Everything protected, trusted, timestamped and checked for revocation, and nothing about the object that is odd."""

    name: str
    create: Strength = field(default_factory=Strength)
    accept: Strength = field(default_factory=Strength)
    signature: bool = False
    every: bool = True
    trusted: bool = False
    purposes: frozenset[int] = frozenset()
    profile: Profile | None = None
    coverage: tuple[str, ...] = ()
    complete: bool = False
    timestamps: TimestampPolicy = TimestampPolicy.VERIFY
    revocation: RevocationCheck | None = None
    findings: Severity | None = None

    def applied_to(self, trust: Trust, timestamps: TimestampPolicy) -> tuple[Trust, TimestampPolicy]:
        """What a verification has to be asked for so that this policy can be judged: of two demands the greater one."""
        if self.revocation is not None:
            trust = replace(trust, revocation=max(trust.revocation_check, self.revocation))
        if self.timestamps is TimestampPolicy.REQUIRE:
            timestamps = TimestampPolicy.REQUIRE
        elif self.timestamps is TimestampPolicy.VERIFY and timestamps is TimestampPolicy.IGNORE:
            timestamps = TimestampPolicy.VERIFY
        return trust, timestamps

    @classmethod
    def load(cls, name: str | os.PathLike[str]) -> Policy:
        """The policy of a name (``compatible``, ``recommended``, ``strict``), or that in a TOML file; see docs/policies.md.

        Raises BadPolicyFile with the `path` if it cannot be read, or says something that is not understood.
        """
        text = os.fspath(name)
        if text in NAMED:
            return NAMED[text]
        import tomllib  # only for files

        try:
            with Path(text).open("rb") as file:
                content = file.read(_LONGEST + 1)
            if len(content) > _LONGEST:
                raise BadPolicyFile("longer than 1 MiB", path=text)
            data = tomllib.loads(content.decode())
        except (OSError, ValueError) as error:  # of a TOML file that is none, and of a NUL in the name
            raise BadPolicyFile(getattr(error, "strerror", None) or str(error), path=text) from error
        except RecursionError as error:
            raise BadPolicyFile("nested too deep", path=text) from error
        try:
            return policy_of(data, Path(text).stem)
        except BadPolicyFile as error:
            error.path = text
            raise


_STRONG: Final = frozenset({"SHA256", "SHA384", "SHA512"})

Policy.COMPATIBLE = Policy("compatible", timestamps=TimestampPolicy.IGNORE)
Policy.RECOMMENDED = Policy(
    "recommended",
    create=Strength(_STRONG, {"RSA": 2048, "EC": 256}),
    accept=Strength(_STRONG | {"RIPEMD160"}, {"RSA": 2048, "DSA": 2048, "EC": 224}),
    signature=True,
    trusted=True,
    coverage=("identifiers", "patient", "pixels", "content"),
    complete=True,
    findings=Severity.CRITICAL,
)
Policy.STRICT = Policy(
    "strict",
    create=Strength(_STRONG, {"RSA": 3072, "EC": 256}),
    accept=Strength(_STRONG, {"RSA": 3072, "EC": 256}),
    signature=True,
    trusted=True,
    coverage=("all",),
    complete=True,
    timestamps=TimestampPolicy.REQUIRE,
    revocation=RevocationCheck.CHAIN,
    findings=Severity.WARNING,
)

NAMED: Final = {policy.name: policy for policy in (Policy.COMPATIBLE, Policy.RECOMMENDED, Policy.STRICT)}
"""The policies that need no file."""

_STRENGTH_KEYS: Final = {key_type.lower(): key_type for key_type in KEY_TYPES}
_ACCEPT: Final = frozenset(entry.name for entry in fields(Policy)) - {"name", "create", "accept"}


def policy_of(data: Mapping[str, Any], name: str) -> Policy:
    """The policy that the tables of a TOML file describe; `base` names the one it changes. Raises BadPolicyFile.

    Unknown keys are errors: a demand with a slip of the pen must not be lost.
    """
    _only(data, {"name", "base", "create", "accept"}, "policy")
    base = data.get("base", "compatible")
    if not isinstance(base, str) or base not in NAMED:
        raise BadPolicyFile(f"base: {base!r} is none of {', '.join(NAMED)}")
    policy = replace(NAMED[base], name=_text(data.get("name", name), "name"))
    created = _table(data, "create")
    _only(created, {"digests", "keys"}, "create")
    accepted = _table(data, "accept")
    _only(accepted, {"digests", "keys", *_ACCEPT}, "accept")
    demands = {key: _READERS[key](value, f"accept.{key}") for key, value in accepted.items() if key in _ACCEPT}
    return replace(
        policy, create=_strength(created, policy.create, "create"), accept=_strength(accepted, policy.accept, "accept"), **demands
    )


def _only(data: Mapping[str, Any], known: set[str], where: str) -> None:
    for key in data:
        if key not in known:
            raise BadPolicyFile(f"{where}: {key!r} is not known")


def _table(data: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = data.get(key, {})
    if not isinstance(value, dict):
        raise BadPolicyFile(f"{key} is no table")
    return value


def _strength(data: Mapping[str, Any], base: Strength, where: str) -> Strength:
    digests, keys = base.digests, base.keys
    if "digests" in data:
        found = _list(data["digests"], f"{where}.digests")
        digests = frozenset(_choice(item, MAC_ALGORITHMS, f"{where}.digests") for item in found)
    if "keys" in data:
        table = _table(data, "keys")
        _only(table, set(_STRENGTH_KEYS), f"{where}.keys")
        keys = {_STRENGTH_KEYS[key]: _number(bits, f"{where}.keys.{key}") for key, bits in table.items()}
    return Strength(digests, keys)


def _text(value: object, where: str) -> str:
    if not isinstance(value, str):
        raise BadPolicyFile(f"{where}: {value!r} is no text")
    return value


def _list(value: object, where: str) -> list[Any]:
    if not isinstance(value, list):
        raise BadPolicyFile(f"{where}: {value!r} is no list")
    return value


def _choice(value: object, known: Any, where: str) -> str:
    if not isinstance(value, str) or value not in known:
        raise BadPolicyFile(f"{where}: {value!r} is none of {', '.join(map(str, known))}")
    return value


def _number(value: object, where: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise BadPolicyFile(f"{where}: {value!r} is no number of bits")
    return value


def _boolean(value: object, where: str) -> bool:
    if not isinstance(value, bool):
        raise BadPolicyFile(f"{where}: {value!r} is neither true nor false")
    return value


def _purposes(value: object, where: str) -> frozenset[int]:
    codes = {code for code, _ in PURPOSES}
    found = _list(value, where)
    for code in found:
        if type(code) is not int or code not in codes:
            raise BadPolicyFile(f"{where}: {code!r} is no code of a purpose (1 to {max(codes)})")
    return frozenset(found)


def _coverage(value: object, where: str) -> tuple[str, ...]:
    words = tuple(_text(word, where) for word in _list(value, where))
    for word in words:
        for name in GROUPS.get(word, (word,)):
            if tag_pattern(name) is None:
                raise BadPolicyFile(f"{where}: {word!r} is none of {', '.join(GROUPS)}, no keyword, and no tag (ggggeeee)")
    return words


def _named(kind: Any) -> Any:
    def read(value: object, where: str) -> Any:
        name = _choice(value, [member.name.lower() for member in kind], where)
        return kind[name.upper()]

    return read


def _profile(value: object, where: str) -> Profile | None:
    name = _choice(value, [profile.name.lower() for profile in Profile], where)
    return None if name == "none" else Profile[name.upper()]


def _severity(value: object, where: str) -> Severity | None:
    name = _choice(value, ["none", *(severity.value for severity in Severity)], where)
    return None if name == "none" else Severity(name)


def _revocation(value: object, where: str) -> RevocationCheck | None:
    name = _choice(value, ["as given", *(check.name.lower() for check in RevocationCheck)], where)
    return None if name == "as given" else RevocationCheck[name.upper()]


_READERS: Final[dict[str, Any]] = {
    "signature": _boolean,
    "every": _boolean,
    "trusted": _boolean,
    "complete": _boolean,
    "purposes": _purposes,
    "profile": _profile,
    "coverage": _coverage,
    "timestamps": _named(TimestampPolicy),
    "revocation": _revocation,
    "findings": _severity,
}


_REPEATING: Final = frozenset({0x5000, 0x6000})
"""Groups of which a keyword means all sixteen (PS3.5 7.6)."""


def tag_pattern(name: str) -> tuple[int, int] | None:
    """Mask and value that the tags meant by a keyword, or by eight digits with x for any, have in common; None for neither."""
    digits = name.lower().replace(",", "").strip("()")
    if len(digits) == 8 and set(digits) <= set("0123456789abcdefx"):
        mask = int("".join("0" if digit == "x" else "f" for digit in digits), 16)
        return mask, int(digits.replace("x", "0"), 16)
    tag = BUILT_IN.tag_of(name)
    if tag is None:
        return None
    return (0xFF00FFFF if tag >> 16 in _REPEATING else 0xFFFFFFFF), tag
