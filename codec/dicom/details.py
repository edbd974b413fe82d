"""What events that stand for many others stand for."""

from __future__ import annotations

from collections.abc import Iterator

from .events import UNDEFINED, End, Event, FragmentStart, ItemEnd, ItemStart, PlainItem, ValueChunk, WholeFragments
from .headers import read_plain_header
from .parser import Parser


def expanded(item: PlainItem) -> Iterator[Event]:
    """The events that a plain item stands for, from ItemStart to ItemEnd."""
    raw, offset, number, form, *_, options = item
    _, length = read_plain_header(raw, 0, form)
    content = raw[8:] if length != UNDEFINED else raw[8:-8]
    yield ItemStart(raw[:8], offset, number, length, form)
    parser = Parser.for_content(form, offset + 8, options=options)
    parser.feed(content)
    parser.close()
    for event in parser.events():
        if type(event) is not End:
            yield event
    yield ItemEnd(raw[8 + len(content) :], offset + 8 + len(content))


def single_fragments(event: WholeFragments) -> Iterator[FragmentStart | ValueChunk]:
    """The events that whole fragments stand for."""
    raw, offset, number, lengths = event
    position = 0
    for index, length in enumerate(lengths, number):
        yield FragmentStart(bytes(raw[position : position + 8]), offset + position, index, length)
        position += 8
        if length:
            yield ValueChunk(raw[position : position + length], offset + position, True)
        position += length
