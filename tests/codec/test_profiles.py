"""Signature profiles: the tables against their source, the rules against a plain model and against DCMTK's dcmsign."""

from __future__ import annotations

import copy
import functools
import json
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

import pydicom
import pytest
from dcmsign.codec.dicom.dictionary import BUILT_IN
from dcmsign.codec.dicom.tags import is_private
from dcmsign.codec.signature.profiles import (
    DatasetFacts,
    Profile,
    demanded,
    rules_of,
    verification_signature_missing,
)
from dcmsign.codec.signature.purposes import CODING_SCHEME, PURPOSES
from dcmsign.codec.signature.signable import signable_tag
from hypothesis import given
from hypothesis import strategies as st
from pydicom.dataset import Dataset

from tests.codec import builder
from tests.codec.builder import Item, Node, Plain, Sequence
from tests.peers import dcmtk_version, require_peer

ROOT = Path(__file__).resolve().parent.parent.parent
VECTORS = ROOT / "tests" / "vectors" / "mac"
GENERATOR = ROOT / "tools" / "generate_profiles.py"
SOURCE = ROOT / "tools" / "profiles.json"
DESCRIPTION: dict[str, Any] = json.loads(SOURCE.read_text("utf-8"))

CREATOR_VERSION_UID = 0x00089123
VERIFICATION_FLAG = 0x0040A493
MAC_PARAMETERS, SIGNATURES = 0x4FFE0001, 0xFFFAFFFA

OPTIONS = {
    Profile.NONE: "-pf",
    Profile.BASE_RSA: "+pb",
    Profile.CREATOR_RSA: "+pc",
    Profile.AUTHORIZATION_RSA: "+pa",
    Profile.SR_RSA: "+pr",
    Profile.SR_RSA_VERIFICATION: "+pv",
}
POLICIES = {Profile.CREATOR_RSA: "+rc", Profile.AUTHORIZATION_RSA: "+ru", Profile.SR_RSA: "+rs"}
NOT_SUITABLE = "E: dataset not suitable for the selected security profile while creating signature in main dataset\n"
MISSING = (
    "E: cannot create signature for current signature profile: required attributes missing while creating signature in main"
    " dataset\n"
)
UNVERIFIED = "W: SR document status is 'VERIFIED', but the verification signature is missing\n"

# ---------------------------------------------------------------------- the generated tables


def generate(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run the generator."""
    return subprocess.run([sys.executable, GENERATOR, *arguments], capture_output=True, text=True, check=False)


def test_tables_are_up_to_date() -> None:
    done = generate("--check")
    assert (done.returncode, done.stderr) == (0, "")


def without_a_tag(description: dict[str, Any]) -> None:
    del description["profiles"]["sr_rsa"]["required_if_present"][7]


def with_an_unknown_rule(description: dict[str, Any]) -> None:
    description["profiles"]["creator_rsa"]["required_if_present_rules"][0]["kind"] = "new"


def with_a_forbidden_attribute(description: dict[str, Any]) -> None:
    description["profiles"]["none"]["forbidden_attributes"] = [{"tag": "0008,0005"}]


def with_another_condition(description: dict[str, Any]) -> None:
    description["profiles"]["sr_rsa_verification"]["dataset_preconditions"][1]["attribute"]["tag"] = "0040,a491"


def of_another_version(description: dict[str, Any]) -> None:
    description["format_version"] = 2


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (without_a_tag, "is not up to date"),
        (with_an_unknown_rule, "is not understood"),
        (with_a_forbidden_attribute, "is not understood"),
        (with_another_condition, "is not understood"),
        (of_another_version, "is not understood"),
    ],
)
def test_changed_description_is_noticed(tmp_path: Path, change: Callable[[dict[str, Any]], None], said: str) -> None:
    description = copy.deepcopy(DESCRIPTION)
    change(description)
    (tmp_path / "profiles.json").write_text(json.dumps(description))
    done = generate(tmp_path / "profiles.json", "--check")
    assert done.returncode == 1
    assert said in done.stderr


def test_tags_of_the_description_have_the_names_it_gives_them() -> None:
    def named(value: Any) -> Iterable[tuple[str, str]]:
        if isinstance(value, dict) and "keyword" in value and "tag" in value:
            yield value["tag"], value["keyword"]
        for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
            yield from named(inner)

    pairs = set(named(DESCRIPTION))
    assert len(pairs) > 280
    for text, keyword in pairs:
        assert BUILT_IN.keyword_of(tag(text)).removeprefix("RETIRED_") == keyword, text


def test_purposes_are_those_of_the_description() -> None:
    described = DESCRIPTION["purpose_codes"]
    assert described["coding_scheme_designator"] == CODING_SCHEME
    assert [(str(code), meaning) for code, meaning in PURPOSES] == list(described["codes"].items())


def test_unsignable_tags_are_those_of_the_description() -> None:
    unsignable = DESCRIPTION["unsignable"]
    assert unsignable["rules"] == ["any tag with element 0000", "any tag with group below 0008", "any tag in group fffa"]
    assert not any(signable_tag(tag(text)) for text in unsignable["tags"])
    assert not any(map(signable_tag, (0x00090000, 0x7FE00000, 0x0007FFFF, 0x00020010, 0xFFFA0001, 0xFFFAFFFF)))
    neighbours = {tag(text) + step for text in unsignable["tags"] for step in (-1, 1)} | {0x00080002, 0xFFF90001, 0xFFFB0001}
    assert all(signable_tag(neighbour) for neighbour in neighbours if neighbour & 0xFFFF)


def test_names() -> None:
    assert {rules_of(profile).name for profile in POLICIES} == set(DESCRIPTION["verify_policy"]["names"].values())
    for profile, option in POLICIES.items():
        text = f"required {rules_of(profile).name} signature policy"
        assert text == refused_by_policy(option), option


def refused_by_policy(option: str) -> str:
    """The end of what dcmsign says about a file whose only signature does not fulfil the profile."""
    said = dcmsign(option, VECTORS / "item-signature.signed.dcm").err.splitlines()[-1]
    return said[said.index("required") :]


# ---------------------------------------------------------------------- a plain model of the rules


def tag(text: str) -> int:
    """The number of a tag such as 0008,0016."""
    return int(text.replace(",", ""), 16)


class Model:
    """What the description says about one profile, looked up as it stands there."""

    def __init__(self, profile: Profile) -> None:
        self.described: dict[str, Any] = DESCRIPTION["profiles"][profile.value]
        self.tags = [tag(entry["tag"]) for entry in self.described["required_if_present"]]
        self.always = [tag(entry["tag"]) for entry in self.described["required_always"]]

    def suits(self, tags: list[int], flag: str | None) -> bool:
        if not self.described["dataset_preconditions"]:
            return True
        present = all(wanted in tags for wanted in (0x0040A040, 0x0040A043, 0x0040A730))
        return present and (self.described["forced_purpose_code"] is None or flag == "VERIFIED")

    def requires(self, number: int, tags: list[int]) -> bool:
        if number in self.tags:
            return True
        for rule in self.described["required_if_present_rules"]:
            group, element = f"{number >> 16:04x}", f"{number & 0xFFFF:04x}"
            if rule["kind"] == "repeating_group" and rule["group_first"] <= group <= rule["group_last"]:
                if not number >> 16 & 1 and element in [entry["element"] for entry in rule["elements"]]:
                    return True
            elif rule["kind"] == "private_groups" and number >> 16 & 1 and CREATOR_VERSION_UID in tags:
                return True
        return False

    def is_met_by(self, tags: list[int], flag: str | None, signature: dict[str, Any]) -> bool:
        if self.described["main_dataset_only"] and not signature["in_main_data_set"]:
            return False
        syntax, signed = signature["mac_syntax"], signature["tags_signed"] or ()
        if syntax in self.described["mac_transfer_syntaxes"]["forbidden"] or syntax not in ("1.2.840.10008.1.2.1", JPEG):
            return False
        if signature["key_type"] not in self.described["key_types"]:
            return False
        if signature["mac_algorithm"] not in self.described["mac_algorithms"] or not self.suits(tags, flag):
            return False
        for number in tags:
            if signable_tag(number) and number not in signed and self.requires(number, tags):
                return False
            if not signable_tag(number) and number in signed:
                return False
        return all(number in signed for number in self.always)


JPEG = builder.JPEG_UID
JPIP = "1.2.840.10008.1.2.4.94"
CURVES = [0x50000005, 0x50003000, 0x50020005, 0x50010005, 0x501E3000, 0x501F3000, 0x50203000, 0x50FE0005, 0x50000020, 0x50002000]
OVERLAYS = [0x60000010, 0x60003000, 0x60020010, 0x60FE3000, 0x60000015, 0x60001001]
PRIVATE = [0x00090010, 0x00091001, 0x00090000, 0x00070010, 0x50010010, 0xFFFD1001]
OTHERS = [0x00100010, 0x00080005, 0x00080000, 0x00080001, 0x4FFE0001, 0xFFFAFFFA, 0xFFFCFFFC, 0x00080015, 0x00080017]
DESCRIBED = sorted({number for profile in Profile for number in Model(profile).tags})
SR_TAGS = Model(Profile.SR_RSA_VERIFICATION).tags

some_tags = st.one_of(
    st.just(CREATOR_VERSION_UID),
    st.sampled_from(SR_TAGS),
    st.sampled_from(DESCRIBED),
    st.sampled_from(CURVES + OVERLAYS + PRIVATE + OTHERS),
    st.integers(0x00080000, 0xFFFFFFFF),
)
flags = st.sampled_from([None, "", "VERIFIED", "UNVERIFIED", "verified"])
always_there = st.sampled_from([(), tuple(SR_TAGS), tuple(Model(Profile.CREATOR_RSA).always)])
tag_sets = st.builds(lambda some, more: sorted({*some, *more}), st.lists(some_tags, max_size=12), always_there)


@given(tag_sets, flags, st.lists(some_tags, max_size=20))
def test_conditions_and_required_tags(tags: list[int], flag: str | None, asked: list[int]) -> None:
    facts = DatasetFacts(frozenset(tags), flag)
    for profile in Profile:
        rules, model = rules_of(profile), Model(profile)
        assert rules.suits(facts) == model.suits(tags, flag)
        for number in (*tags, *asked):
            assert rules.requires(number, facts) == model.requires(number, tags), (profile, f"{number:08x}")
        unsigned = frozenset(tags).difference(asked)
        assert rules.missing(facts, unsigned) == tuple(number for number in model.always if number not in unsigned)
        assert rules.missing(facts, frozenset(asked)) == tuple(n for n in model.always if n not in asked or n not in tags)
        assert rules.forced_purpose == model.described["forced_purpose_code"]
        assert rules.main_data_set_only == model.described["main_dataset_only"]
        assert rules.key_types == set(model.described["key_types"])
    assert demanded(Profile.CREATOR_RSA, facts) is Profile.CREATOR_RSA
    assert demanded(Profile.SR_RSA, facts) is (Profile.SR_RSA_VERIFICATION if flag == "VERIFIED" else Profile.SR_RSA)


def mostly(usual: Any, *others: Any) -> st.SearchStrategy[Any]:
    """The usual value, now and then another one."""
    return st.sampled_from([usual] * 12 + list(others))


signatures = st.fixed_dictionaries(
    {
        "in_main_data_set": mostly(True, False),
        "key_type": mostly("RSA", "DSA", "EC", "DH", "", None),
        "mac_algorithm": mostly("SHA256", *DESCRIPTION["profiles"]["none"]["mac_algorithms"], "FOO", "", None),
        "mac_syntax": mostly(builder.UIDS["explicit"], JPEG, *builder.UIDS.values(), "1.2.3", "", None),
    }
)


@given(tag_sets, flags, signatures, st.lists(some_tags, max_size=2), st.data())
def test_signatures(
    tags: list[int], flag: str | None, signature: dict[str, Any], left_out: list[int], data: st.DataObject
) -> None:
    if data.draw(mostly(True, False)):
        signed = sorted({number for number in tags if signable_tag(number)}.difference(left_out))
    else:
        signed = data.draw(st.lists(some_tags, max_size=12))
    signature["tags_signed"] = None if data.draw(mostly(False, True)) else tuple(signed)
    facts = DatasetFacts(frozenset(tags), flag)
    for profile in Profile:
        found = rules_of(profile).is_met_by(facts, **signature)
        assert found == Model(profile).is_met_by(tags, flag, signature), profile


# ---------------------------------------------------------------------- data sets and the real program


class Run(NamedTuple):
    """How dcmsign ended and what it said."""

    code: int
    err: str


@functools.cache
def _program() -> str:
    program = require_peer("dcmsign")
    if dcmtk_version() != "3.6.7":
        pytest.skip(f"the expectations are for dcmsign 3.6.7, found {dcmtk_version()}")
    return program


def dcmsign(*arguments: str | Path) -> Run:
    """Run the real program."""
    command = [_program(), *map(str, arguments)]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    return Run(done.returncode, done.stderr)


def peer_sign(profile: Profile, source: Path, target: Path, *options: str, key: str = "rsa") -> Run:
    """Sign with the real program; the notice of the authorization profile is left out."""
    pair = (VECTORS / f"key-{key}.pem", VECTORS / f"cert-{key}.pem")
    done = dcmsign(OPTIONS[profile], "+m2", *options, "+s", *pair, source, target)
    lines = done.err.splitlines(keepends=True)
    notice = [f"W: {line}\n" for line in DESCRIPTION["profiles"]["authorization_rsa"]["notice"]["lines"]]
    assert (lines[:4] == notice) == (profile is Profile.AUTHORIZATION_RSA)
    return Run(done.code, "".join(lines[4:] if lines[:4] == notice else lines))


def elements_signed(path: Path) -> set[int]:
    """Data Elements Signed of the only signature."""
    with pydicom.dcmread(path) as data_set:
        value = data_set[MAC_PARAMETERS].value[0][0x04000020].value
    return set(value) if isinstance(value, (list, pydicom.multival.MultiValue)) else {value}


def plain(number: int, value: bytes = b"", vr: str = "") -> Node:
    """An element with the VR of the dictionary, or the given one."""
    vr = vr or BUILT_IN.vr_of(number) or "LO"
    vr = {"xs": "US", "ox": "OW", "lt": "US", "px": "OW"}.get(vr, vr)
    if vr == "SQ":
        return Sequence(number, ())
    return Plain(number, vr, value + (b"\0" if vr == "UI" else b" ") * (len(value) & 1))


def in_order(nodes: Iterable[Node]) -> tuple[Node, ...]:
    """The nodes by tag; the first of equal ones counts."""
    first = {node.tag: node for node in reversed(list(nodes))}
    return tuple(first[number] for number in sorted(first))


def write(path: Path, nodes: Iterable[Node], syntax: str = builder.UIDS[builder.EXPLICIT]) -> Path:
    """A file with the nodes in order, in an explicit little endian syntax."""
    path.write_bytes(builder.meta(syntax) + builder.encode(in_order(nodes), builder.EXPLICIT))
    return path


UIDS: list[Node] = [
    plain(0x00080016, b"1.2.840.10008.5.1.4.1.1.88.11"),
    plain(0x00080018, b"1.2.3.4"),
    plain(0x00100010, b"DOE^JOHN"),
    plain(0x0020000D, b"1.2.3.5"),
    plain(0x0020000E, b"1.2.3.6"),
]
REPORT: list[Node] = [*UIDS, *map(plain, (0x0040A040, 0x0040A043, 0x0040A730))]
VERIFIED: list[Node] = [*REPORT, plain(VERIFICATION_FLAG, b"VERIFIED"), plain(0x0040A073)]


def every_element() -> list[Node]:
    """Every signable attribute of the dictionary, and repeating, private and unknown ones."""
    from dcmsign.codec.dicom import _dictionary_data as data

    words = [word for text in data.TAGS.values() for word in text.split()]
    numbers = {int(word, 16) for word in words} | set(DESCRIBED)
    for text in data.GROUP_RANGES.values():
        for word in text.split():
            steps = (0, 2, 0x1E, 0x20, 0xFE)
            numbers |= {int(word, 16) + (step << 16) for step in steps}
    for private in (0x0009, 0x0011, 0x5001, 0x6001, 0x7FE1, 0xFFFD):
        numbers |= {private << 16 | element for element in (0x0010, 0x1001, 0x3000)}
    numbers |= {0x0018FFF0, 0x00080017, 0x50FE0006, 0x31005555}  # in no dictionary
    found = [plain(number) for number in sorted(numbers) if signable_tag(number) and BUILT_IN.vr_of(number) not in ("na", "UN")]
    return [plain(VERIFICATION_FLAG, b"VERIFIED"), *found]


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory) -> dict[bool, tuple[Path, frozenset[int]]]:
    """Data sets with every element, without and with Creator Version UID, and their tags."""
    folder = tmp_path_factory.mktemp("everything")
    nodes = every_element()
    without = [node for node in nodes if node.tag != CREATOR_VERSION_UID]
    # in another syntax the reference refuses Pixel Data Provider URL
    files = {False: write(folder / "image.dcm", without, JPIP), True: write(folder / "raw.dcm", nodes, JPIP)}
    return {raw: (path, frozenset(node.tag for node in (nodes if raw else without))) for raw, path in files.items()}


@pytest.mark.parametrize("raw", [False, True])
@pytest.mark.parametrize("profile", Profile)
def test_elements_a_profile_adds(
    everything: dict[bool, tuple[Path, frozenset[int]]], tmp_path: Path, profile: Profile, raw: bool
) -> None:
    source, tags = everything[raw]
    assert len(tags) > 5000
    assert tags >= set(DESCRIBED) - (set() if raw else {CREATOR_VERSION_UID})
    done = peer_sign(profile, source, tmp_path / "out.dcm", "-t", "0010,0010")
    assert done == Run(0, UNVERIFIED if profile is Profile.SR_RSA else "")
    rules, facts = rules_of(profile), DatasetFacts(tags, "VERIFIED")
    required = {number for number in tags if rules.requires(number, facts)}
    assert elements_signed(tmp_path / "out.dcm") == required | {0x00100010}
    assert any(map(is_private, required)) == (raw and profile in (Profile.CREATOR_RSA, Profile.AUTHORIZATION_RSA))
    assert rules.missing(facts, required) == ()


CONDITIONS: dict[str, list[Node]] = {
    "image": UIDS,
    "report": REPORT,
    "report with values": [*UIDS, plain(0x0040A040, b"TEXT"), *REPORT[6:]],
    "no value type": [node for node in VERIFIED if node.tag != 0x0040A040],
    "no concept": [node for node in VERIFIED if node.tag != 0x0040A043],
    "no content": [node for node in VERIFIED if node.tag != 0x0040A730],
    "verified": VERIFIED,
    "unverified": [*REPORT, plain(VERIFICATION_FLAG, b"UNVERIFIED"), plain(0x0040A073)],
    "empty flag": [*REPORT, plain(VERIFICATION_FLAG), plain(0x0040A073)],
    "lower case": [*REPORT, plain(VERIFICATION_FLAG, b"verified"), plain(0x0040A073)],
    "blanks": [*REPORT, plain(VERIFICATION_FLAG, b"  VERIFIED  "), plain(0x0040A073)],
    "first of two": [*REPORT, plain(VERIFICATION_FLAG, b"VERIFIED\\X"), plain(0x0040A073)],
    "second of two": [*REPORT, plain(VERIFICATION_FLAG, b"X\\VERIFIED"), plain(0x0040A073)],
    "no observer": [*REPORT, plain(VERIFICATION_FLAG, b"VERIFIED")],
    "nothing": [],
    "private": [*VERIFIED, plain(0x00090010, b"ACME"), plain(0x00091001)],
    **{f"without {node.tag:08x}": [n for n in VERIFIED if n is not node] for node in UIDS},
}
"""Data sets by what is special about them; nothing in them is unsignable."""


def facts_of(path: Path) -> DatasetFacts:
    """What a profile looks at, read by pydicom."""
    with pydicom.dcmread(path) as data_set:
        values = data_set[VERIFICATION_FLAG].value if VERIFICATION_FLAG in data_set else None
        flag = values[0] if isinstance(values, pydicom.multival.MultiValue) else values
        return DatasetFacts(frozenset(map(int, data_set.keys())), flag.strip() if isinstance(flag, str) else None)


@pytest.mark.parametrize("profile", [Profile.NONE, Profile.CREATOR_RSA, Profile.SR_RSA, Profile.SR_RSA_VERIFICATION])
@pytest.mark.parametrize("case", CONDITIONS)
def test_conditions_of_signing(tmp_path: Path, case: str, profile: Profile) -> None:
    source = write(tmp_path / "in.dcm", CONDITIONS[case])
    facts, rules = facts_of(source), rules_of(profile)
    done = peer_sign(profile, source, tmp_path / "out.dcm")
    assert (NOT_SUITABLE in done.err) == (not rules.suits(facts))
    if not rules.suits(facts):
        return
    assert (UNVERIFIED in done.err) == verification_signature_missing(profile, facts, ())
    if facts.tags:
        # nothing is unsignable here
        assert (done.code, MISSING in done.err) == ((85, True) if rules.missing(facts, facts.tags) else (0, False))


@pytest.mark.parametrize("profile", [profile for profile in Profile if rules_of(profile).required_always])
def test_listed_but_absent_elements_are_missing(tmp_path: Path, profile: Profile) -> None:
    rules = rules_of(profile)
    for number in rules.required_always:
        source = write(tmp_path / "in.dcm", [node for node in VERIFIED if node.tag != number])
        facts = facts_of(source)
        done = peer_sign(profile, source, tmp_path / "out.dcm", "-t", f"{number >> 16:04x},{number & 0xFFFF:04x}")
        expected = MISSING if rules.suits(facts) else NOT_SUITABLE
        assert (done.code, done.err.removeprefix(UNVERIFIED)) == (85, expected)
        assert number in rules.missing(facts, {number})


@pytest.mark.parametrize("key", ["rsa", "dsa", "ec"])
@pytest.mark.parametrize("profile", Profile)
def test_types_of_key(tmp_path: Path, profile: Profile, key: str) -> None:
    done = peer_sign(profile, write(tmp_path / "in.dcm", VERIFIED), tmp_path / "out.dcm", key=key)
    assert (done.code == 0) == (key.upper() in rules_of(profile).key_types)


# ---------------------------------------------------------------------- purposes of the signatures there are


def code(value: str, vr: str = "SH") -> Dataset:
    """An item with a code."""
    item = Dataset()
    item.add_new(0x00080100, vr, value)
    return item


@pytest.fixture(scope="module")
def verified(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A verified report with a verification signature over everything."""
    folder = tmp_path_factory.mktemp("verified")
    done = peer_sign(Profile.SR_RSA_VERIFICATION, write(folder / "in.dcm", VERIFIED), folder / "signed.dcm")
    assert done == Run(0, "")
    return folder / "signed.dcm"


@pytest.mark.parametrize(
    "purposes",
    [["5"], ["3"], ["05"], [" 5 "], ["3\\5"], ["5\\3"], ["3", "5"], ["5", "3"], [""], ["15"], []],
    ids=repr,
)
@pytest.mark.parametrize("others", [0, 1])
def test_warning_about_the_verification_signature(verified: Path, tmp_path: Path, purposes: list[str], others: int) -> None:
    with pydicom.dcmread(verified) as data_set:
        first = data_set[SIGNATURES].value[0]
        for sequence in (["7"] for _ in range(others)):
            data_set[SIGNATURES].value.insert(0, copy.deepcopy(first))
            data_set[SIGNATURES].value[0][0x04000401].value = [code(value) for value in sequence]
        first[0x04000401].value = [code(value) for value in purposes]
        data_set.save_as(tmp_path / "in.dcm")
    for profile in (Profile.CREATOR_RSA, Profile.SR_RSA, Profile.SR_RSA_VERIFICATION):
        done = peer_sign(profile, tmp_path / "in.dcm", tmp_path / "out.dcm")
        assert done.code == 0
        firsts = [value.partition("\\")[0].strip() for value in purposes[:1]] + ["7"] * others
        expected = verification_signature_missing(profile, facts_of(verified), firsts)
        assert (UNVERIFIED in done.err) == expected
        assert not expected or profile is Profile.SR_RSA


# ---------------------------------------------------------------------- signatures held to a profile

Change = Callable[[Dataset, Dataset, Dataset], object]
"""Changes a data set, the item of its MAC parameters, the item of its signature."""


def parameter(number: int, value: object) -> Change:
    return lambda data_set, parameters, signature: setattr(parameters[number], "value", value)


def without(number: int, level: int = 0) -> Change:
    return lambda *levels: levels[level].__delitem__(number)


def added(number: int, vr: str, value: object = None) -> Change:
    return lambda data_set, parameters, signature: data_set.add_new(number, vr, value)


def listed(number: int) -> Change:
    return lambda data_set, parameters, signature: parameters[0x04000020].value.append(number)


def unlisted(number: int) -> Change:
    return lambda data_set, parameters, signature: parameters[0x04000020].value.remove(number)


def unchanged(*levels: Dataset) -> None:
    pass


CHANGES: dict[str, Change] = {
    "unchanged": unchanged,
    "explicit syntax": parameter(0x04000010, "1.2.840.10008.1.2.1"),
    "implicit syntax": parameter(0x04000010, "1.2.840.10008.1.2"),
    "big endian syntax": parameter(0x04000010, "1.2.840.10008.1.2.2"),
    "JPEG syntax": parameter(0x04000010, "1.2.840.10008.1.2.4.50"),
    "deflated syntax": parameter(0x04000010, "1.2.840.10008.1.2.1.99"),
    "private syntax": parameter(0x04000010, "1.2.840.113619.5.2"),
    "unknown syntax": parameter(0x04000010, "1.2.3"),
    "empty syntax": parameter(0x04000010, ""),
    "no syntax": without(0x04000010, 1),
    **{f"algorithm {name}": parameter(0x04000015, name) for name in ("MD5", "RIPEMD160", "SHA512", "sha256", "FOO", "")},
    "no algorithm": without(0x04000015, 1),
    "no list": without(0x04000020, 1),
    "empty list": parameter(0x04000020, []),
    "MAC parameters listed": listed(MAC_PARAMETERS),
    "signatures listed": listed(SIGNATURES),
    "absent unsignable element listed": listed(0x00080001),
    "absent element listed": listed(0x00100040),
    "no signature value": without(0x04000120, 2),
    **{
        f"without {keyword}": without(BUILT_IN.tag_of(keyword) or 0)
        for keyword in ("SOPClassUID", "SOPInstanceUID", "PatientName")
    },
    "without observers": without(0x0040A073),
    "without flag": without(VERIFICATION_FLAG),
    "without content": without(0x0040A730),
    "other flag": lambda data_set, *others: setattr(data_set[VERIFICATION_FLAG], "value", "UNVERIFIED"),
    **{f"unlisted {node.tag:08x}": unlisted(node.tag) for node in VERIFIED},
    "Manufacturer added": added(0x00080070, "LO"),
    "unknown Manufacturer added": added(0x00080070, "UN"),
    "StationName added": added(0x00081010, "SH"),
    "Rows added": added(0x00280010, "US"),
    "VerificationDateTime added": added(0x0040A030, "DT"),
    "PatientAge added": added(0x00101010, "AS"),
    "private element added": added(0x00090010, "LO", "ACME"),
    "curve added": added(0x501E3000, "OW"),
    "curve 5020 added": added(0x50203000, "OW"),
    "overlay added": added(0x60003000, "OW"),
    "overlay 6002 added": added(0x60023000, "OW"),
    "version added": added(CREATOR_VERSION_UID, "UI"),
}


def signed_elements(parameters: Dataset) -> tuple[int, ...] | None:
    """Data Elements Signed, None if absent."""
    if 0x04000020 not in parameters:
        return None
    value = parameters[0x04000020].value
    return tuple(value) if isinstance(value, pydicom.multival.MultiValue) else () if value is None else (value,)


def is_met(path: Path, profile: Profile, *, in_main_data_set: bool = True, key_type: str = "RSA") -> bool:
    """Whether the first signature of a file fulfils the profile in force there."""
    facts = facts_of(path)
    with pydicom.dcmread(path) as data_set:
        level = data_set if in_main_data_set else next(e.value[0] for e in data_set if e.VR == "SQ" and e.value)
        parameters = level[MAC_PARAMETERS].value[0]
    return rules_of(demanded(profile, facts)).is_met_by(
        facts,
        in_main_data_set=in_main_data_set,
        key_type=key_type,
        mac_algorithm=parameters[0x04000015].value if 0x04000015 in parameters else None,
        mac_syntax=parameters[0x04000010].value if 0x04000010 in parameters else None,
        tags_signed=signed_elements(parameters),
    )


def peer_policies(path: Path) -> dict[Profile, bool]:
    """What the real program finds fulfilled in a file with signatures."""
    codes = {profile: dcmsign("-q", option, path).code for profile, option in POLICIES.items()}
    assert set(codes.values()) <= {0, 101, 102}
    return {profile: found != 102 for profile, found in codes.items()}


@pytest.mark.filterwarnings("ignore:Invalid value for VR CS")
@pytest.mark.parametrize("change", CHANGES)
def test_profile_of_a_signature(verified: Path, tmp_path: Path, change: str) -> None:
    path = tmp_path / "changed.dcm"
    with pydicom.dcmread(verified) as data_set:
        CHANGES[change](data_set, data_set[MAC_PARAMETERS].value[0], data_set[SIGNATURES].value[0])
        data_set.save_as(path)
    assert {profile: is_met(path, profile) for profile in POLICIES} == peer_policies(path)


@pytest.mark.parametrize("key", ["rsa", "dsa", "ec"])
def test_profile_of_a_key(tmp_path: Path, key: str) -> None:
    path = tmp_path / "signed.dcm"
    assert peer_sign(Profile.NONE, write(tmp_path / "in.dcm", VERIFIED), path, key=key).code == 0
    found = peer_policies(path)
    assert {profile: is_met(path, profile, key_type=key.upper()) for profile in POLICIES} == found
    assert set(found.values()) == {key == "rsa"}


@pytest.mark.parametrize("profile", Profile)
@pytest.mark.parametrize("case", ["image", "report", "verified", "private"])
def test_profile_of_a_list(tmp_path: Path, case: str, profile: Profile) -> None:
    path = tmp_path / "signed.dcm"
    more = [plain(0x00081010), plain(0x00080018), plain(0x00091001), plain(CREATOR_VERSION_UID)]
    done = peer_sign(profile, write(tmp_path / "in.dcm", [*CONDITIONS[case], *more]), path, "-t", "0010,0010")
    if done.code == 0:
        assert {policy: is_met(path, policy) for policy in POLICIES} == peer_policies(path)
    else:
        assert done.err == NOT_SUITABLE


def test_profile_of_a_signature_in_an_item(tmp_path: Path) -> None:
    inner = write(tmp_path / "in.dcm", [*UIDS, Sequence(0x00400275, (Item(in_order(VERIFIED)),))])
    path = tmp_path / "signed.dcm"
    pair = (VECTORS / "key-rsa.pem", VECTORS / "cert-rsa.pem")
    assert dcmsign("+si", *pair, "(0040,0275)[0]", inner, path) == Run(0, "")
    expected = dict.fromkeys(POLICIES, False)
    assert {profile: is_met(path, profile, in_main_data_set=False) for profile in POLICIES} == expected == peer_policies(path)
