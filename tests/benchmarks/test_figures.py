"""Statistics, targets, report, plots and gate, on made up results."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks import figures, gate, targets
from benchmarks.document import Document
from benchmarks.imports import by_package
from benchmarks.measure import Measurement, Result
from benchmarks.plots import chart, plots
from benchmarks.report import report
from benchmarks.sampling import shares
from benchmarks.targets import Figure, Target, outcomes
from tests.benchmarks.results import GIB, LIMITS, document, result, runs

SVG = "{http://www.w3.org/2000/svg}"


def test_ratios_are_medians_within_rounds() -> None:
    measured = result(command=runs(1, 10, 4), dcmsign=runs(2, 10, 2), cp=runs(4, 1, 1))
    assert figures.ratio(measured, "command", ("dcmsign",)) == 1  # of 0.5, 1, 2; the ratio of the medians is 2
    assert figures.ratio(measured, "command", ("dcmsign", "cp")) == 1  # of 0.25, 1, 2
    assert figures.ratio(measured, "command", ("openssl dgst",)) is None
    assert figures.ratio(measured, "command", ("cp", "openssl dgst")) is None
    assert figures.ratio(measured, "in-process", ("cp",)) is None


def test_figures_of_one_program() -> None:
    measured = result(command=[*runs(1, 3), *runs(2, memory=50)])
    assert figures.typical(measured, "command", "wall") == 2
    assert figures.typical(measured, "command", "stall") is None
    assert figures.worst(measured, ("command", "in-process"), "memory") == 50
    assert figures.passed_through(measured, "command", "written") == 2
    assert figures.nanoseconds_a_header(replace(measured, headers=1_000_000), "command") == pytest.approx(2000)
    assert figures.nanoseconds_a_header(measured, "command") is None


def test_a_figure_that_is_missing_once_is_missing() -> None:
    first, second = runs(1, 2)
    assert figures.typical(result(command=[first, replace(second, read=None)]), "command", "read") is None


@pytest.mark.parametrize(("moments", "expected"), [([(1, 3), (2, 3)], -1), ([(1, 3), (4, 3)], 1), ([(1, None)], None)])
def test_output_before_the_end_of_the_input(moments: list[tuple[float, float | None]], expected: float | None) -> None:
    measured = [Measurement(1, 1, 1, first_output=first, last_input=last) for first, last in moments]
    assert figures.ahead(result(command=measured), "command") == expected


def test_distance_to_the_physical_limit() -> None:
    measured = result(command=runs(2.04), openssl_dgst=runs(1), cp=runs(2))
    times, name = figures.distance(measured, "command", LIMITS, 2) or (0.0, "")
    assert times == pytest.approx(2.04 / 2.02)
    assert name == "cp, start of Python"
    hashed = Result("verify", GIB, runs={"openssl dgst": runs(1), "in-process": runs(6)})
    assert figures.distance(hashed, "in-process", LIMITS, 2) == (6, "hashing")
    assert figures.distance(replace(hashed, hashes=4), "in-process", LIMITS, 2) == (3, "hashing")
    assert figures.distance(hashed, "openssl dgst", LIMITS, 2) is None
    assert figures.distance(result(command=runs(1)), "command", LIMITS, 2) is None


def test_outcomes() -> None:
    measured = [result(command=runs(1), dcmsign=runs(4)), result("verify native", command=runs(3, memory=70), dcmsign=runs(4))]
    wanted = (
        Target("verify *", Figure.TIME, 0.5, of=("dcmsign",)),
        Target("verify native", Figure.TIME, 1, of=("openssl dgst",)),
        Target("*", Figure.MEMORY, 64, together=True),
        Target("sign *", Figure.TIME, 1, of=("dcmsign",)),
    )
    found = [(outcome.work, outcome.value, outcome.verdict) for outcome in outcomes(measured, wanted)]
    assert found == [
        ("verify encapsulated", 0.25, "met"),
        ("verify native", 0.75, "missed"),
        ("verify native", None, "not measured"),
        ("any (most: verify native)", 70, "missed"),
    ]


@pytest.mark.parametrize("figure", Figure)
def test_every_figure_has_a_value(figure: Figure) -> None:
    numbers = Measurement(1, 1, 1, 2 * GIB, 2 * GIB, first_output=3, last_input=1, stall=0.002, stall_worst=0.002)
    measured = replace(result(command=[numbers], cp=runs(0.5)), headers=500_000_000)
    assert targets.value_of(Target("*", figure, 1, of=("cp",)), measured) == (1 if figure is Figure.MEMORY else 2)


def test_the_document_survives_json(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    before = document(replace(result(command=runs(1, 2), dcmsign=runs(3, 4)), notes=("a note",)))
    before.write(path)
    assert Document.load(path) == before
    path.write_text("[]")
    with pytest.raises(ValueError, match="not a result"):
        Document.load(path)


def test_report() -> None:
    pipe = result("pipe to pipe, tag list", command=[replace(runs(1)[0], first_output=0.25, last_input=0.75)])
    stalled = Measurement(1, 1, 40, stall=0.004, stall_worst=0.03)
    loop = Result("event loop, sign x", GIB, runs={"in-process": [stalled]})
    made = document(result(command=runs(1, 2, 3), dcmsign=runs(4, 4, 4), openssl_dgst=runs(1, 1, 1)), pipe, loop)
    made.imports, made.profiles = {"anyio": 12.34, "tiny": 0.1}, {"sign x": {"a f": 0.75, "others": 0.25}}
    text = report(made, ["time.svg"])
    for line in (
        "| verify encapsulated | command | time / dcmsign | 0.50 | 0.5 | met | 1.96 (hashing, start of Python) |",
        "| verify encapsulated | command | time / openssl dgst | 2.00 | 1.15 | **missed** | 1.96 (hashing, start of Python) |",
        "| verify encapsulated | command | 2.000 | 2.000 | 40 | 1.00 | 2.00 | 0.50 | 2.00 | - | - |",
        "| pipe to pipe, tag list | command | 0.250 | 0.750 |",
        "| event loop, sign x | 4.0 | 30.0 |",
        "| anyio | 12.3 | 25 |",
        "- sign x: `a f` 75%, `others` 25%",
        "![time.svg](time.svg)",
    ):
        assert line in text.splitlines()
    assert "tiny" not in text


def curve(*sizes: int) -> list[Result]:
    """A work at several sizes (MiB)."""
    made = (result(f"size: sign {size} MiB", command=runs(size / 100), dcmsign=runs(size / 50)) for size in sizes)
    return [replace(each, size=size << 20) for each, size in zip(made, sizes, strict=True)]


def test_plots() -> None:
    drawn = plots(document(*curve(64, 16, 256)))
    assert set(drawn) == {"time.svg", "memory.svg"}
    for svg in drawn.values():
        root = ET.fromstring(svg)
        lines = [line.attrib["points"].split() for line in root.iter(f"{SVG}polyline")]
        assert [len(line) for line in lines] == [3, 3]
        for line in lines:
            assert line == sorted(line, key=lambda point: float(point.partition(",")[0]))
    assert not plots(document(*curve(64)))
    assert not plots(document(result(command=runs(1))))


def test_charts_are_to_scale() -> None:
    root = ET.fromstring(chart("a < b", "s", {"c & d": [(1, 10), (10, 100), (100, 1000)]}))
    (line,) = root.iter(f"{SVG}polyline")
    (x1, y1), (x2, y2), (x3, y3) = (map(float, point.split(",")) for point in line.attrib["points"].split())
    assert x2 - x1 == pytest.approx(x3 - x2, abs=0.2)
    assert x1 < x2
    assert y2 - y1 == pytest.approx(y3 - y2, abs=0.2)
    assert y1 > y2
    assert {"a < b (s) against size (MiB)", "c & d"} <= {text.text for text in root.iter(f"{SVG}text")}


def compare(tmp_path: Path, old: Document, new: Document, *options: str) -> int:
    """The exit code of the gate."""
    for name, made in (("old.json", old), ("new.json", new)):
        made.write(tmp_path / name)
    return gate.main([str(tmp_path / "old.json"), str(tmp_path / "new.json"), *options])


def test_gate(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    old = document(result(command=runs(1.0), dcmsign=runs(2)))
    assert compare(tmp_path, old, document(result(command=runs(1.1), dcmsign=runs(2)))) == 0
    assert compare(tmp_path, old, document(result(command=runs(0.5), dcmsign=runs(2)))) == 0
    assert compare(tmp_path, old, document(result(command=runs(2.0), dcmsign=runs(4)))) == 0  # a slower machine
    capsys.readouterr()
    slower = document(result(command=runs(1.2), dcmsign=runs(2)))
    assert compare(tmp_path, old, slower) == 1
    assert "worse: verify encapsulated, command: time / dcmsign: 0.500 -> 0.600 (+20%)\n" in capsys.readouterr().out
    assert compare(tmp_path, old, slower, "--tolerance", "0.25") == 0
    assert compare(tmp_path, old, document(result(command=runs(1.0, memory=50), dcmsign=runs(2)))) == 1
    assert compare(tmp_path, old, document(result(command=runs(1.0)))) == 1  # the peer was not there
    assert compare(tmp_path, old, document()) == 1
    assert compare(tmp_path, document(), document()) == 1


def test_import_times() -> None:
    trace = """\
import time: self [us] | cumulative | imported package
import time:      1000 |       1500 |   email.message
import time:       500 |        500 |     _socket
import time:      2000 |       3500 | cryptography.x509
import time:       250 |        250 |   cryptography
I: no import time: 7 | 8 | something
"""
    assert by_package(trace) == {"standard library": 1.5, "cryptography": 2.25}


def test_shares() -> None:
    assert shares({"a": 1, "b": 6, "c": 2, "d": 1}, shown=2) == {"b": 0.6, "c": 0.2, "others": 0.2}
    assert shares({"a": 2}) == {"a": 1}
    assert shares({}) == {}
