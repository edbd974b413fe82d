"""An instance as it is against the reference that a manifest has to it."""

from __future__ import annotations

import enum
from collections.abc import Iterable
from typing import NamedTuple

from ..dicom import syntaxes
from ..dicom.encoder import form_of
from ..dicom.tags import SOP_CLASS_UID
from ..dicom.tags import text as tag_text
from .instance import Instance
from .references import SERIES_INSTANCE_UID, STUDY_INSTANCE_UID, Reference, ReferencedMac, shown, unpack_tags

_NAMED = 10


class InstanceStatus(enum.Enum):
    """What became of an instance; the value explains it."""

    INTACT = "as the manifest says"
    EXTENDED = "what the manifest lists is as it says, but there are data elements that it does not list"
    CHANGED = "not what the manifest says"
    MISSING = "in the manifest, but not among the files"
    EXTRA = "not in the manifest"
    UNPROTECTED = "in the manifest, but without anything that protects its content"
    UNREADABLE = "cannot be read"


class Comparison(NamedTuple):
    """The outcome for one instance. `added` and `removed`: data elements that the manifest does not list, or that are gone."""

    status: InstanceStatus
    reason: str
    added: tuple[int, ...] = ()
    removed: tuple[int, ...] = ()


def listing(tags: Iterable[int]) -> str:
    """Some tags as text, the others counted."""
    every = [tag_text(tag) for tag in tags]
    rest = f" and {len(every) - _NAMED} more" if len(every) > _NAMED else ""
    return ", ".join(every[:_NAMED]) + rest


def compare(reference: Reference, instance: Instance) -> Comparison | None:
    """Compare with the digest over everything that can be signed; None if it takes one over what the reference lists."""
    if differing := _mismatch(reference, instance):
        return Comparison(InstanceStatus.CHANGED, differing)
    mac = reference.mac
    if mac is None:
        return None if reference.signatures else Comparison(InstanceStatus.UNPROTECTED, "neither a digest nor a signature of it")
    if mac.algorithm not in instance.digests or mac.tags != instance.tags or _form(mac.syntax) != _form(instance.mac_syntax):
        return None
    return _verdict(mac, instance, (), ())


def compare_listed(reference: Reference, instance: Instance) -> Comparison:
    """Compare with the digest over what the reference lists, in the syntax that it names."""
    mac = reference.mac
    assert mac is not None
    if differing := _mismatch(reference, instance):
        return Comparison(InstanceStatus.CHANGED, differing)
    listed, present = unpack_tags(mac.tags), unpack_tags(instance.tags)
    added, removed = sorted(set(present).difference(listed)), sorted(set(listed).difference(present))
    return _verdict(mac, instance, tuple(added), tuple(removed))


def extent(instance: Instance, listed: Iterable[int], reason: str) -> Comparison:
    """The outcome for an instance whose listed data elements are known to be intact."""
    added = tuple(sorted(set(unpack_tags(instance.tags)).difference(listed)))
    if added:
        return Comparison(InstanceStatus.EXTENDED, f"data elements that are not listed: {listing(added)}", added)
    if instance.duplicated:
        return Comparison(InstanceStatus.EXTENDED, f"data elements found twice: {listing(instance.duplicated)}")
    return Comparison(InstanceStatus.INTACT, reason)


def _verdict(mac: ReferencedMac, instance: Instance, added: tuple[int, ...], removed: tuple[int, ...]) -> Comparison:
    if not instance.usable:
        reason = f"encoded in transfer syntax {instance.syntax}, of which there is no digest in {shown(mac.syntax)}"
        return Comparison(InstanceStatus.CHANGED, reason, added, removed)
    if instance.digests[mac.algorithm] == mac.value:
        return extent(instance, unpack_tags(mac.tags), f"{mac.algorithm} digest is the same")
    parts = [f"{mac.algorithm} digest differs"]
    parts += [f"{name}: {listing(tags)}" for name, tags in (("added", added), ("removed", removed)) if tags]
    return Comparison(InstanceStatus.CHANGED, "; ".join(parts), added, removed)


def _mismatch(reference: Reference, instance: Instance) -> str | None:
    """What about the instance contradicts the reference besides its digest."""
    for tag, name, expected in (
        (SOP_CLASS_UID, "SOP Class", reference.sop_class),
        (STUDY_INSTANCE_UID, "study", reference.study),
        (SERIES_INSTANCE_UID, "series", reference.series),
    ):
        if instance.text(tag) != expected:
            return f"of {name} {shown(instance.text(tag)) or '(none)'} instead of {shown(expected)}"
    gone = [each.uid for each in reference.signatures if each not in instance.signatures]
    return f"signatures that are referenced are gone or replaced: {', '.join(map(shown, gone[:_NAMED]))}" if gone else None


def _form(uid: str) -> int | None:
    """The form of the digested stream for a MAC Calculation Transfer Syntax."""
    syntax = syntaxes.SYNTAXES.get(uid)
    return None if syntax is None else form_of(syntax)
