"""The data set or item that gets a signature: which data elements it has, and which signatures already."""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from typing import Final

from ..dicom import trees
from ..dicom.events import Element, Event, FragmentsStart, SequenceEnd, SequenceStart, ValueStart
from ..dicom.options import DEFAULT_LIMITS, Limits
from ..dicom.tags import DIGITAL_SIGNATURES_SEQUENCE, MAC_PARAMETERS_SEQUENCE, text
from ..dicom.vr import TEXT
from ..errors import ElementNotFound, LimitExceeded, NothingToSign, RequiredAttributeMissing, UnsignableElement
from .finder import TAGGED, VERIFICATION_FLAG, PixelFacts, first_value
from .items import read_mac_id, read_purpose
from .profiles import DatasetFacts, Profile, rules_of
from .signable import signable_tag

SIGNATURE_SEQUENCES: Final = frozenset({MAC_PARAMETERS_SEQUENCE, DIGITAL_SIGNATURES_SEQUENCE})


class LevelSurvey:
    """Takes the events of one data set or item in ascending tag order, without those of the item itself.

    `depth`: sequences around it.
    """

    def __init__(self, depth: int = 0, *, limits: Limits = DEFAULT_LIMITS) -> None:
        self.tags = array("L")
        self.parameters: list[trees.Item] = []
        self.signatures: list[trees.Item] = []
        self.pixels = PixelFacts()
        self._usable = bytearray()
        self._outside = depth
        self._limits = limits
        self._depth = 0
        self._tag = 0
        self._holds_un = False
        self._collector: trees.TreeCollector | None = None
        self._flag: str | None = None

    @property
    def collecting(self) -> bool:
        """Whether one of the signature sequences is open."""
        return self._collector is not None

    @property
    def depth(self) -> int:
        """Open sequences of the level."""
        return self._depth

    def feed(self, event: Event) -> None:
        """Take the next event."""
        kind = type(event)
        if kind in TAGGED:
            self._note(event)  # type: ignore[arg-type]
        if self._collector is not None:
            self._collect(self._collector, event)
        if kind is SequenceStart:
            self._depth += 1
        elif kind is SequenceEnd:
            self._depth -= 1
            if self._depth == 0:
                self._list(self._tag, not self._holds_un, event.offset)

    def _note(self, event: Element | ValueStart | SequenceStart | FragmentsStart) -> None:
        tag, vr = event.tag, event.vr
        self.pixels.note(event, self._outside + self._depth)
        if vr == "UN" and not isinstance(event, FragmentsStart):
            self._holds_un = True
        if self._depth:
            return
        if isinstance(event, SequenceStart):
            self._tag, self._holds_un = tag, False
            if tag in SIGNATURE_SEQUENCES:
                self._collector = trees.TreeCollector(self._limits.sequence)
            return
        self._list(tag, vr != "UN", event.offset)
        if tag == VERIFICATION_FLAG and isinstance(event, Element) and vr in TEXT:
            self._flag = first_value(event.value)

    def _list(self, tag: int, usable: bool, offset: int) -> None:
        if len(self.tags) >= self._limits.elements:
            message = f"more than {self._limits.elements} data elements in the data set or item to be signed"
            raise LimitExceeded(message, offset=offset)
        self.tags.append(tag)
        self._usable.append(usable and signable_tag(tag))

    def _collect(self, collector: trees.TreeCollector, event: Event) -> None:
        if not collector.feed(event):
            return
        assert collector.tree is not None
        if collector.tree.tag == MAC_PARAMETERS_SEQUENCE:
            self.parameters = collector.tree.items
        else:
            self.signatures = collector.tree.items
        self._collector = None

    # ------------------------------------------------------------------ answers

    @property
    def facts(self) -> DatasetFacts:
        """What profiles look at, in the elements fed so far."""
        return DatasetFacts(frozenset(self.tags), self._flag)

    def purposes(self) -> list[str]:
        """Purpose codes of the signatures."""
        found = [read_purpose(item) for item in self.signatures]
        return [purpose[0] for purpose in found if purpose is not None]

    def mac_ids(self) -> list[int | None]:
        """MAC ID numbers in use, by either sequence."""
        return [read_mac_id(item) for item in (*self.parameters, *self.signatures)]

    def selection(self, wanted: Iterable[int] | None, profile: Profile = Profile.NONE) -> list[int]:
        """Tags to sign, ascending: the wanted ones and what the profile requires, or everything signable for None.

        Wanted ones that are absent are left out. Raises NothingToSign if there is no data element, UnsignableElement for
        those that are wanted or required, RequiredAttributeMissing.
        """
        if not self.tags:
            raise NothingToSign("the data set has no data elements")
        rules = rules_of(profile)
        named = None if wanted is None else frozenset(wanted)
        facts = self.facts
        chosen, unsignable, required = [], [], []
        for tag, usable in zip(self.tags, self._usable, strict=True):
            listed = named is not None and tag in named
            if not usable:
                if listed or rules.requires(tag, facts):
                    unsignable.append(text(tag))
                    if not listed:
                        required.append(text(tag))
            elif named is None or listed or rules.requires(tag, facts):
                chosen.append(tag)
        if unsignable:
            raise UnsignableElement("data elements to be signed cannot be signed", elements=unsignable, required=required)
        if missing := rules.missing(facts, frozenset(chosen)):
            names = ", ".join(text(tag) for tag in missing)
            raise RequiredAttributeMissing("the profile requires data elements that are not signed", element=names)
        return chosen

    def check_present(self, wanted: Iterable[int] | None) -> None:
        """Raise ElementNotFound with all wanted tags that are absent."""
        if wanted is None:
            return
        present = self.facts.tags
        absent = [text(tag) for tag in wanted if tag not in present]
        if absent:
            raise ElementNotFound("a data element to be signed is absent", element=", ".join(absent))
