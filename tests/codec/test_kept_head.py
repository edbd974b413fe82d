"""What stands in front of MAC Parameters Sequence is digested from memory if it is small, and read again if it is not."""

from __future__ import annotations

import pytest
from dcmsign.codec.dicom.parser import Parser
from dcmsign.codec.signature import finder as finders
from dcmsign.codec.signature.finder import FoundSignature, SignatureFinder

from tests.codec import signing
from tests.codec.test_mac_stream import CASES, VECTORS, old_format, options_of


def found(name: str, *, plain: bool) -> tuple[list[FoundSignature], list[int]]:
    """The signatures of a vector, and the offsets that were read again."""
    data = (VECTORS / f"{name}.signed.dcm").read_bytes()
    options, reads = options_of(name), []
    read = signing.reader(signing.inflated(data, options))

    def recorded(offset: int, size: int) -> bytes:
        reads.append(offset)
        return read(offset, size)

    finder = SignatureFinder(recorded, options=options, old_format=old_format(name))
    parser = Parser(options, plain_items=plain)
    parser.feed(data)
    parser.close()
    for event in parser.events():
        finder.feed(event)
    return finder.found, reads


@pytest.mark.parametrize("plain", [True, False])
@pytest.mark.parametrize("name", sorted(CASES))
def test_digests_do_not_depend_on_what_is_kept(name: str, plain: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    kept, _ = found(name, plain=plain)
    monkeypatch.setattr(finders, "_KEPT", 0)
    again, reads = found(name, plain=plain)
    assert kept == again
    assert reads


def test_a_small_object_is_not_read_again() -> None:
    assert found("explicit-short", plain=True)[1] == []
