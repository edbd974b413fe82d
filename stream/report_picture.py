"""The picture of an object: its parts in file order on bars, protected and unprotected ones told apart by colour and pattern."""

from __future__ import annotations

import math
from typing import Any, Final, NamedTuple

from .report_text import bytes_text, entry_text, shown

WIDTH: Final = 1000.0
"""Units of the picture from left to right."""

_ROW: Final = 40.0
_GAP: Final = 8.0
_PER_ROW: Final = 24
_MOST: Final = 240
"""Boxes of a picture; of more parts, neighbours share one."""

PROTECTED, OPEN, PARTLY, OUTSIDE = "protected", "open", "partly", "outside"


class Box(NamedTuple):
    """Neighbouring parts that are drawn as one."""

    status: str
    label: str
    title: str
    size: int


def picture(data: dict[str, Any]) -> str:
    """The map of a report (`report_data`) as SVG; widths grow with the logarithm of the size, so that small parts show."""
    boxes = boxes_of(data["map"], data["signatures"])
    rows = [boxes[start : start + _PER_ROW] for start in range(0, len(boxes), _PER_ROW)]
    height = max(1, len(rows)) * (_ROW + _GAP)
    drawn = "".join(_row(row, number * (_ROW + _GAP)) for number, row in enumerate(rows))
    return (
        f'<svg class="map" viewBox="0 0 {WIDTH:g} {height:g}" role="img" aria-labelledby="map-title">'
        f'<title id="map-title">Parts of the object in file order</title>{_PATTERNS}{drawn}</svg>'
    )


def boxes_of(object_map: dict[str, Any], signatures: list[dict[str, Any]]) -> list[Box]:
    """The boxes to draw: one for each part of the main data set, or for several neighbours if there are too many."""
    entries = [entry for entry in object_map["entries"] if not entry["location"]]
    whole = {signature["number"] for signature in signatures if signature["complete"]}
    inside = {entry["location"][0][0] for entry in object_map["entries"] if entry["location"] and entry["protected"]}
    holes = {entry["location"][0][0] for entry in object_map["excluded"] if entry["location"]}
    holes |= {entry["tag"] for entry in entries if entry["vr"] == "SQ" and whole.isdisjoint(entry["protected_by"])}
    states = [_status(entry, inside, holes) for entry in entries]
    step = math.ceil(len(entries) / _MOST) or 1
    return [_box(entries[at : at + step], states[at : at + step]) for at in range(0, len(entries), step)]


def _status(entry: dict[str, Any], inside: set[str], holes: set[str]) -> str:
    if entry["part"] != "data element":
        return OUTSIDE
    if entry["protected"]:
        return PARTLY if entry["tag"] in holes else PROTECTED
    return PARTLY if entry["tag"] in inside else OPEN


def _box(entries: list[dict[str, Any]], states: list[str]) -> Box:
    status = states[0] if len(set(states)) == 1 else PARTLY
    size = sum(entry["size"] for entry in entries)
    first = entries[0]
    if len(entries) == 1:
        label = first["keyword"] or first["part"] if first["tag"] is None or first["keyword"] else first["tag"]
        return Box(status, label, f"{entry_text(first)}: {MEANINGS[status]}; {bytes_text(size)} at {first['offset']}", size)
    title = f"{len(entries)} parts from {entry_text(first)} to {entry_text(entries[-1])}: {MEANINGS[status]}; {bytes_text(size)}"
    return Box(status, f"{len(entries)} parts", title, size)


MEANINGS: Final = {
    PROTECTED: "protected",
    OPEN: "not protected",
    PARTLY: "partly protected",
    OUTSIDE: "never protected by signatures",
}


def _row(boxes: list[Box], top: float) -> str:
    weights = [math.log2(box.size + 2) + 2 for box in boxes]
    unit, left, drawn = WIDTH / sum(weights), 0.0, []
    for box, weight in zip(boxes, weights, strict=True):
        width = weight * unit
        drawn.append(
            f'<g class="part {box.status}"><title>{shown(box.title)}</title>'
            f'<rect x="{left:.2f}" y="{top:g}" width="{width:.2f}" height="{_ROW:g}"/>{_label(box, left, top, width)}</g>'
        )
        left += width
    return "".join(drawn)


def _label(box: Box, left: float, top: float, width: float) -> str:
    """What fits into a box."""
    room = int((width - 8) / 6.2)
    if room < 4:
        return ""
    text = box.label if len(box.label) <= room else box.label[: room - 1] + "…"
    return f'<text x="{left + 4:.2f}" y="{top + _ROW / 2 + 4:g}">{shown(text)}</text>'


_PATTERNS = (
    '<defs><pattern id="stripes" width="8" height="8" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">'
    '<rect class="ground" width="8" height="8"/><rect class="ink" width="3" height="8"/></pattern>'
    '<pattern id="dots" width="6" height="6" patternUnits="userSpaceOnUse">'
    '<rect class="ground" width="6" height="6"/><circle class="ink" cx="2" cy="2" r="1"/></pattern>'
    '<pattern id="grid" width="8" height="8" patternUnits="userSpaceOnUse">'
    '<rect class="ground" width="8" height="8"/><path class="line" d="M0 0H8M0 0V8"/></pattern></defs>'
)
