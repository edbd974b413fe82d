"""Reading an object twice and writing it changed: what every operation with an output has in common. For worker threads."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from typing import TYPE_CHECKING, TypeVar

from ..codec.dicom.events import Event
from ..codec.dicom.meta import GENERIC_SOP_CLASS, meta_header
from ..codec.dicom.options import ReadOptions
from ..codec.dicom.syntaxes import SYNTAXES, TransferSyntax
from ..codec.dicom.texts import TextGate
from ..codec.dicom.values import normal_uid
from ..codec.errors import UnorderedInput
from ..codec.signature.splice import Buffers
from ..codec.signature.survey import WRITABLE, ObjectSurvey
from .io.ahead import ReadAhead
from .io.sources import RandomAccess
from .reading import Cancellable, Warnings, forward_events, open_ordered

if TYPE_CHECKING:
    import zlib

log = logging.getLogger("dcmsign.stream.input")

COLLECT = 1 << 20
"""Bytes of output that are passed on at once."""

_Survey = TypeVar("_Survey", bound=ObjectSurvey)


def output_syntax(uid: str | None) -> TransferSyntax | None:
    """The transfer syntax to write, None for that of the input. Raises ValueError if nothing can be converted to it."""
    if uid is None:
        return None
    syntax = SYNTAXES.get(uid)
    if syntax not in WRITABLE:
        raise ValueError(f"no transfer syntax that can be written: {uid!r}")
    return syntax


class Rereader:
    """The events of a source, as often as they are needed: in ascending tag order, texts in normal form.

    `plain_items`: items that nobody has to look at come as one event each, see Parser.
    """

    def __init__(self, source: RandomAccess, options: ReadOptions, *, plain_items: bool = False) -> None:
        self._source = source
        self._plain_items = plain_items
        self._options = options
        self._warnings = Warnings()
        self._texts: dict[int, int] = {}
        self._ordered = False

    def survey(self, new: Callable[[], _Survey]) -> _Survey:
        """Pass over the headers; `new` makes a survey, a second one if the input turns out not to be sorted."""
        try:
            return self._surveyed(new())
        except UnorderedInput:
            self._ordered = True
            self._texts.clear()
            return self._surveyed(new())

    def _surveyed(self, survey: _Survey) -> _Survey:
        headers = self._events(self._source, skip=True, wanted=lambda: survey.collecting)
        for event in TextGate(self._texts, limit=self._options.limits.text, measure=True).through(headers):
            survey.feed(event)
        return survey

    def _events(self, source: RandomAccess, *, skip: bool = False, wanted: Callable[[], bool] | None = None) -> Iterator[Event]:
        if self._ordered:
            return open_ordered(Cancellable(self._source), self._options, self._warnings)[1]
        return forward_events(
            Cancellable(source), self._options, self._warnings, skip=skip, wanted=wanted, plain_items=self._plain_items
        )

    def headers(self, wanted: Callable[[], bool]) -> Iterator[Event]:
        """Pass over the headers and those large values for which `wanted` is true once they have begun."""
        gate = TextGate(self._texts, limit=self._options.limits.text)
        return gate.through(self._events(self._source, skip=True, wanted=wanted))

    def everything(self) -> Iterator[Event]:
        """Pass over the whole object."""
        with closing(ReadAhead(self._source)) as ahead:
            yield from TextGate(self._texts, limit=self._options.limits.text).through(self._events(ahead))


class ObjectWriter:
    """Meta header and compression of the output; `new_uid` gives an instance UID where the object has none."""

    def __init__(self, new_uid: Callable[[], str]) -> None:
        self._new_uid = new_uid
        self._deflater: zlib._Compress | None = None

    def begin(self, survey: ObjectSurvey) -> bytes:
        """The meta header, once the object has been surveyed."""
        if survey.drops_encapsulation:
            log.warning("DcmDataset: No pixel data present, nothing to decompress")
        if survey.output.deflated:
            import zlib  # loaded only for deflated output

            self._deflater = zlib.compressobj(wbits=-zlib.MAX_WBITS)
        sop_class, sop_instance = (normal_uid(uid or b"") for uid in survey.sop_uids())  # one that is only padding is none
        return meta_header(
            survey.preamble,
            survey.output.uid,
            sop_class or GENERIC_SOP_CLASS.encode(),
            sop_instance or self._new_uid().encode(),
        )

    def packed(self, buffers: Iterable[bytes | memoryview], *, last: bool = False) -> Buffers:
        """The buffers, deflated if the transfer syntax wants that."""
        if self._deflater is None:
            return list(buffers)
        packed: Buffers = [self._deflater.compress(buffer) for buffer in buffers]
        if last:
            packed.append(self._deflater.flush())
        return packed
