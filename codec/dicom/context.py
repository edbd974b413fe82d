"""VRs of implicit VR elements, which can depend on what came before in the same item (PS3.5 6.2.2, 7.8.1, annex A)."""

from __future__ import annotations

from .dictionary import BUILT_IN, Dictionary
from .tags import PIXEL_REPRESENTATION, WAVEFORM_BITS_ALLOCATED
from .vr import TEXT

_SIGNED_BY_PIXEL_REPRESENTATION = frozenset(
    {
        0x00189810,
        0x00280106,
        0x00280107,
        0x00280108,
        0x00280109,
        0x00280120,
        0x00280121,
        0x00283002,
        0x00409211,
        0x00409216,
        0x00603004,
        0x00603006,
    }
)
"""SS if Pixel Representation was read before in the same item and is 1, else US (PS3.5 A.1 a, as read forwards)."""

_BY_WAVEFORM_BITS = frozenset({0x54000110, 0x54000112, 0x5400100A, 0x54001010})
"""OW if Waveform Bits Allocated was read before in the same item and is not 8, else OB."""

_LONGEST_CREATOR = 256
"""Bytes of a private creator that a dictionary may know; VR LO has at most 64 characters."""

_PLAIN_CHOICE = {"xs": "US", "lt": "OW", "px": "OW", "ox": "OB", "na": "UN", "up": "UL"}


class ItemContext:
    """What the elements read so far in one data set or item say about the VRs of later ones; the rest is in `dictionary`."""

    __slots__ = ("_creators", "_dictionary", "_pixel_representation", "_waveform_bits")

    def __init__(self, dictionary: Dictionary = BUILT_IN) -> None:
        self._dictionary = dictionary
        self._creators: dict[int, str] | None = None
        self._pixel_representation: int | None = None
        self._waveform_bits: int | None = None

    def implicit_vr(self, tag: int, undefined_length: bool) -> str:
        """The VR of an element that carries none."""
        vr = self._dictionary.plain.get(tag)
        if vr is not None:
            return vr
        group, element = tag >> 16, tag & 0xFFFF
        if group == 0xFFFE:
            return ""
        if element == 0:
            return "UL"
        vr = self._private_vr(tag) if group & 1 else self._dictionary.vr_of(tag)
        if vr is None:
            return "SQ" if undefined_length else "UN"
        if vr.isupper():
            return vr
        if tag in _SIGNED_BY_PIXEL_REPRESENTATION:
            return "SS" if self._pixel_representation == 1 else "US"
        if tag in _BY_WAVEFORM_BITS:
            return "OB" if self._waveform_bits in (None, 8) else "OW"
        return self._choice(tag, vr)

    def converted_vr(self, tag: int) -> str:
        """The VR that the dictionary has for an element of VR UN, or UN."""
        vr = self._private_vr(tag) if tag & 0x10000 else self._dictionary.vr_of(tag)
        if vr is None:
            return "UN"
        return vr if vr.isupper() else self._choice(tag, vr)

    @staticmethod
    def _choice(tag: int, vr: str) -> str:
        if vr == "ox" and tag & 0xFF00FFFF == 0x60003000:
            return "OW"
        return _PLAIN_CHOICE.get(vr, "UN")

    def _private_vr(self, tag: int) -> str | None:
        """Entries for the creator of the block come before those for the tag alone, which creators themselves have."""
        creator = None if self._creators is None else self._creators.get(tag & 0xFFFF0000 | (tag & 0xFFFF) >> 8)
        vr = None if creator is None else self._dictionary.private_vr_of(tag, creator)
        return self._dictionary.vr_of(tag) if vr is None else vr

    def remember(self, tag: int, vr: str, value: bytes) -> int:
        """Note an element that decides about later ones: private creators, Pixel Representation, Waveform Bits Allocated.

        One that has another VR than they should have, from some dictionary, decides nothing, and of several the first does, which
        is the one that counts everywhere. Returns how many private creators
        have been noted.
        """
        if tag & 0x10000:
            if 0x10 <= tag & 0xFFFF <= 0xFF and vr in TEXT:
                if self._creators is None:
                    self._creators = {}
                self._creators.setdefault(tag, value.rstrip(b" \0").decode("latin-1") if len(value) <= _LONGEST_CREATOR else "")
                return len(self._creators)
        elif tag == PIXEL_REPRESENTATION and vr == "US" and self._pixel_representation is None:
            self._pixel_representation = int.from_bytes(value[:2], "little")
        elif tag == WAVEFORM_BITS_ALLOCATED and vr == "US" and self._waveform_bits is None:
            self._waveform_bits = int.from_bytes(value[:2], "little")
        return 0


class KnownContext(ItemContext):
    """The context of one data element whose VR is known already."""

    __slots__ = ("_vr",)

    def __init__(self, vr: str) -> None:
        super().__init__()
        self._vr = vr

    def implicit_vr(self, tag: int, undefined_length: bool) -> str:
        """The known VR."""
        return self._vr

    def converted_vr(self, tag: int) -> str:
        """The known VR."""
        return self._vr
