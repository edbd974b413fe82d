"""Line charts with logarithmic axes, as SVG."""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Mapping
from html import escape

from . import figures
from .commands import INSIDE
from .document import Document
from .inputs import MIB

Series = Mapping[str, list[tuple[float, float]]]

_WIDTH, _HEIGHT = 720, 420
_LEFT, _RIGHT, _TOP, _BOTTOM = 70, 190, 40, 50
_COLOURS = ("#1b6ca8", "#c0392b", "#2e8b57", "#8e44ad", "#b8860b", "#444444", "#16a085", "#d35400")
_STYLE = "font-family: sans-serif; font-size: 12px; background: white"


def plots(document: Document) -> dict[str, str]:
    """File name to SVG: time and memory against size, if more than one size was measured."""
    time, memory = curves(document, "wall"), curves(document, "memory")
    if not any(len(points) > 1 for points in time.values()):
        return {}
    return {
        "time.svg": chart("Wall time", "s", time),
        "memory.svg": chart("Peak memory", "MiB", memory),
    }


def curves(document: Document, figure: str) -> dict[str, list[tuple[float, float]]]:
    """Points (MiB, value) by work and program, of works that were measured at several sizes."""
    series: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for result in document.results:
        found = re.fullmatch(r"size: (\w+) \d+ MiB", result.name)
        for program in result.runs if found else ():
            value = figures.typical(result, program, figure)
            if found and value:
                label = f"{found[1]}, {'library' if program == INSIDE else program}"
                series[label].append((result.size / MIB, value))
    return {label: sorted(points) for label, points in series.items()}


class Scale:
    """A logarithmic axis from `start` to `end` in pixels, widened to whole powers of ten."""

    def __init__(self, values: list[float], start: float, end: float) -> None:
        self._low = math.floor(math.log10(min(values)))
        self._high = max(math.ceil(math.log10(max(values))), self._low + 1)
        self._start, self._end = start, end

    def __call__(self, value: float) -> float:
        part = (math.log10(value) - self._low) / (self._high - self._low)
        return round(self._start + part * (self._end - self._start), 1)

    def ticks(self) -> list[float]:
        """Powers of ten."""
        return [10.0**power for power in range(self._low, self._high + 1)]


def chart(title: str, unit: str, series: Series) -> str:
    """One line for each series, with a legend."""
    points = [point for line in series.values() for point in line]
    right, bottom = _WIDTH - _RIGHT, _HEIGHT - _BOTTOM
    across, up = Scale([x for x, _ in points], _LEFT, right), Scale([y for _, y in points], bottom, _TOP)
    parts = [f'<text x="{_LEFT}" y="20" font-size="14">{escape(title)} ({escape(unit)}) against size (MiB)</text>']
    for value in across.ticks():
        parts.append(_line(across(value), _TOP, across(value), bottom, "#dddddd"))
        parts.append(f'<text x="{across(value)}" y="{bottom + 18}" text-anchor="middle">{value:g}</text>')
    for value in up.ticks():
        parts.append(_line(_LEFT, up(value), right, up(value), "#dddddd"))
        parts.append(f'<text x="{_LEFT - 8}" y="{up(value) + 4}" text-anchor="end">{value:g}</text>')
    for number, (label, line) in enumerate(series.items()):
        colour, dash = _COLOURS[number % len(_COLOURS)], ' stroke-dasharray="6 3"' if label.startswith("sign") else ""
        path = " ".join(f"{across(x)},{up(y)}" for x, y in line)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"{dash}/>')
        parts += [f'<circle cx="{across(x)}" cy="{up(y)}" r="3" fill="{colour}"/>' for x, y in line]
        parts.append(f'<text x="{right + 14}" y="{_TOP + 10 + 20 * number}" fill="{colour}">{escape(label)}</text>')
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" style="{_STYLE}">'
    return "\n".join([head, *parts, "</svg>", ""])


def _line(x1: float, y1: float, x2: float, y2: float, colour: str) -> str:
    return f'<line x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}" stroke="{colour}"/>'
