"""What Original Attributes Sequence says: its items, their order, and the states that follow from them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, timezone

import pytest
from dcmsign.codec.dicom.events import EXPLICIT, DatasetStart, Element, Event, ItemStart
from dcmsign.codec.dicom.moments import span_of
from dcmsign.codec.dicom.options import Limits, ReadOptions
from dcmsign.codec.dicom.parser import Parser
from dcmsign.codec.dicom.texts import TextGate
from dcmsign.codec.errors import LimitExceeded
from dcmsign.codec.signature.items import MacParameters
from dcmsign.codec.signature.originals import (
    Budget,
    Change,
    Flaw,
    OriginalsCollector,
    State,
    elements_of,
    in_order,
    is_empty,
    items_of,
    read_changes,
    states_of,
)
from dcmsign.codec.signature.restoring import readings
from hypothesis import given
from hypothesis import strategies as st

from tests.stream.material import element, head, meta, sequence

ORIGINALS, MODIFIED, NONCONFORMING = 0x04000561, 0x04000550, 0x04000551
NAME, PATIENT_ID, COMMENTS = 0x00100010, 0x00100020, 0x00104000


def change(date: str | None, *values: bytes, name: bytes = b"") -> bytes:
    """An item of Original Attributes Sequence."""
    parts = [sequence(MODIFIED, b"".join(values))]
    if date is not None:
        parts.append(element(0x04000562, "DT", date.encode() + b" " * (len(date) & 1)))
    return b"".join([*parts, element(0x04000563, "LO", name + b" " * (len(name) & 1))])


def collect(data: bytes, budget: Budget | None = None) -> OriginalsCollector:
    budget = budget or Budget()
    collector = OriginalsCollector(budget)
    parser = Parser(ReadOptions(limits=budget.limits))
    parser.feed(data)
    parser.close()
    for event in TextGate({}, limit=budget.limits.text, measure=True).through(parser.events()):
        collector.feed(event)
    return collector


def changes_of(*items: bytes, budget: Budget | None = None) -> list[Change]:
    budget = budget or Budget()
    collector = collect(meta() + head() + sequence(ORIGINALS, *items), budget)
    return read_changes(collector.originals, (), EXPLICIT, budget)


def states(*items: bytes, budget: Budget | None = None) -> list[State]:
    return states_of(changes_of(*items, budget=budget), [], {}, EXPLICIT, budget or Budget())


def values(state: State) -> dict[int, bytes]:
    """The plain values that are put back."""
    first = {tag: next(iter(events)) for tag, events in state.values.items()}
    return {tag: event.value for tag, event in first.items() if isinstance(event, Element)}


def names(changes: Sequence[Change]) -> list[str | None]:
    return [found.system for found in changes]


# ---------------------------------------------------------------------- order


@pytest.mark.parametrize(
    ("dates", "order"),
    [
        (("2023", "2024", "2025"), "abc"),
        (("20250101", "20240101", "20230101"), "cba"),
        (("202501", "20240101000000.5", "2023"), "cba"),
        (("20240101120000.10", "20240101120000.09", "20240101120000.11"), "bac"),
        (("20240101120000+0100", "20240101120000+0200", "20240101120000-0100"), "bac"),
        (("20240229", "20240228235959.999999", "202403"), "bac"),
        (("20241231", "20250101", "202412"), "abc"),  # December holds the 31st
        (("2025", "20240101", "2024"), "abc"),  # so does the year
        (("20250101", "20240101+0000", "20230101"), "abc"),  # some with, some without an offset
        (("20250101", None, "20230101"), "abc"),
        (("20250101", "", "20230101"), "abc"),
        (("20250101", "yesterday", "20230101"), "abc"),
        (("20251301", "20240101", "20230101"), "abc"),
        (("20250230", "20240101", "20230101"), "abc"),
        (("20250101", "20250101", "20230101"), "abc"),
        (("9999", "20240101", "20230101"), "cba"),
        (("00010101+1400", "20240101+0000", "20230101+0000"), "acb"),
        (("0000", "20240101", "20230101"), "abc"),
        (("20250101+01", "20240101+0100", "20230101+0100"), "abc"),
    ],
)
def test_order(dates: tuple[str | None, ...], order: str) -> None:
    found = changes_of(*(change(date, name=name) for date, name in zip(dates, (b"a", b"b", b"c"), strict=True)))
    assert "".join(name or "" for name in names(in_order(found))) == order


@given(st.lists(st.text(alphabet="0123456789.+-", max_size=26), min_size=2, max_size=5))
def test_no_date_breaks_the_order(dates: list[str]) -> None:
    blank = changes_of(change(None))[0]
    found = [blank._replace(modified_at=date) for date in dates]
    assert sorted(str(one.modified_at) for one in in_order(found)) == sorted(dates)


@given(st.datetimes(timezones=st.just(UTC)), st.integers(-14 * 60, 14 * 60))
def test_times_against_the_calendar_of_python(moment: datetime, minutes: int) -> None:
    epoch = datetime(1, 1, 1, tzinfo=UTC)
    try:
        local = moment.astimezone(timezone(timedelta(minutes=minutes)))
    except OverflowError:
        return
    text = f"{local:%Y%m%d%H%M%S.%f%z}".zfill(26)
    found, day = span_of(text), span_of(text[:8])
    start = span_of("00010101+0000")
    assert found is not None
    assert day is not None
    assert start is not None
    assert (found.in_utc, found.start - start.start) == (True, (moment - epoch) // timedelta(microseconds=1))
    assert (found.end - found.start, day.end - day.start) == (1, 86400 * 10**6)
    assert day.start - start.start == (local.toordinal() - 1) * 86400 * 10**6


@pytest.mark.parametrize(
    ("text", "days"), [("2024", 366), ("2023", 365), ("1900", 365), ("2000", 366), ("202402", 29), ("202302", 28), ("202412", 31)]
)
def test_months_and_years(text: str, days: int) -> None:
    found = span_of(text)
    assert found is not None
    assert found.end - found.start == days * 86400 * 10**6


# ---------------------------------------------------------------------- items


def test_elements_and_items() -> None:
    inner = sequence(0x00081140, element(0x00081155, "UI", b"1.2."), b"")
    data = meta() + head() + sequence(ORIGINALS, inner + element(NAME, "PN", b"X "), b"")
    collector = collect(data)
    first, second = items_of(collector.originals)
    parts = elements_of(first)
    assert list(parts) == [0x00081140, NAME]
    assert [len(item) for item in items_of(parts[0x00081140])] == [1, 0]
    assert (items_of(parts[NAME]), items_of(None), elements_of(second)) == ([], [], {})


@pytest.mark.parametrize(
    ("data", "empty"),
    [
        (element(NAME, "PN", b""), True),
        (element(NAME, "PN", b"X "), False),
        (sequence(0x00081140), True),
        (sequence(0x00081140, b""), False),
        (element(0x00420011, "OB", bytes(20_000)), False),
    ],
)
def test_empty_values(data: bytes, empty: bool) -> None:
    (found,) = changes_of(sequence(MODIFIED, data))
    ((events,), (state,)) = (found.values.values(), states(sequence(MODIFIED, data)))
    assert is_empty(events) == empty
    assert (events[0].tag in state.empty) == empty  # type: ignore[union-attr]


def test_what_an_item_says() -> None:
    texts = (0x04000562, "DT", b"2024"), (0x04000563, "LO", b"S "), (0x04000564, "LO", b"H "), (0x04000565, "CS", b"COERCE")
    lists = sequence(MODIFIED, element(0x00100000, "UL", bytes(4)) + element(NAME, "PN", b"X "))
    (found,) = changes_of(lists + b"".join(element(*text) for text in texts))
    assert (found.modified_at, found.system, found.source, found.reason) == ("2024", "S", "H", "COERCE")
    assert (list(found.values), found.signatures, found.parameters, found.originals) == ([NAME], None, None, None)
    assert (found.location, found.flaws) == (((ORIGINALS, 0),), ())


def test_texts_of_another_vr() -> None:
    (found,) = changes_of(sequence(0x04000550, b"") + element(0x04000562, "OB", b"2024") + sequence(0x04000563, b""))
    assert (found.modified_at, found.system) == (None, None)


@pytest.mark.parametrize(
    ("selector", "more", "put"),
    [
        (b"\x10\x00\x10\x00", b"", True),
        (b"\x10\x00\x10\x00", element(0x00720052, "AT", b"\x08\x00\x40\x11"), False),
        (b"\x10\x00\x10\x00", element(0x00720052, "AT", b""), True),
        (b"\x10\x00", b"", False),
        (b"", b"", False),
        (b"\xfa\xff\xfa\xff", b"", False),
        (b"\x00\x04\x61\x05", b"", False),
    ],
)
def test_nonconforming_values(selector: bytes, more: bytes, put: bool) -> None:
    entry = element(0x00720026, "AT", selector) + more + element(0x04000552, "OB", b"odd")
    (found,) = changes_of(sequence(NONCONFORMING, entry))
    assert found.flaws == (() if put else (Flaw.NONCONFORMING,))
    assert list(found.values) == ([NAME] if put else [])


# ---------------------------------------------------------------------- states


def test_older_values_come_before_newer_ones() -> None:
    first = change("2023", element(NAME, "PN", b"first "), element(PATIENT_ID, "LO", b""))
    second = change("2024", element(NAME, "PN", b"second"), element(COMMENTS, "LT", b"text"))
    third = change("2025", element(PATIENT_ID, "LO", b"4711"))
    for items in ((first, second, third), (third, second, first)):
        found = states(*items)
        assert [values(state) for state in found] == [
            {PATIENT_ID: b"4711"},
            {PATIENT_ID: b"4711", NAME: b"second", COMMENTS: b"text"},
            {PATIENT_ID: b"", NAME: b"first ", COMMENTS: b"text"},
        ]
        assert [state.empty for state in found] == [frozenset(), frozenset(), {PATIENT_ID, ORIGINALS}]


def test_the_sequence_itself_as_it_was() -> None:
    found = states(change("2025", name=b"new"), change("2023", name=b"old"), change("2024", name=b"mid"))
    assert [[event.number for event in state.values[ORIGINALS] if type(event) is ItemStart][:1] for state in found] == [
        [0],
        [0],
        [],
    ]
    kept = [[event.value for event in state.values[ORIGINALS] if isinstance(event, Element)] for state in found]
    systems = [[value for value in listed if value.isalpha() or b" " in value] for listed in kept]
    assert systems == [[b"old ", b"mid "], [b"old "], []]


def test_the_sequence_as_a_previous_value() -> None:
    inner = sequence(ORIGINALS, change("2023", element(NAME, "PN", b"first "), name=b"old"))
    newest, oldest = states(change("2024", inner, element(NAME, "PN", b"second"), name=b"new"))
    assert names([newest.change, oldest.change]) == ["new", "old"]
    assert oldest.change.location == ((ORIGINALS, 0), (MODIFIED, 0), (ORIGINALS, 0))
    assert (values(newest)[NAME], values(oldest)[NAME]) == (b"second", b"first ")
    assert (ORIGINALS in newest.empty, ORIGINALS in oldest.empty) == (False, True)


# ---------------------------------------------------------------------- absent or empty


def parameters(*tags: int) -> MacParameters:
    return MacParameters(0, "1.2.840.10008.1.2.1", "SHA256", tags)


def test_readings() -> None:
    empty = frozenset({1, 2, 3, 4, 5, ORIGINALS})
    assert readings(None, empty) == [frozenset()]
    assert readings(parameters(), empty) == [frozenset()]
    assert readings(parameters(7, 8), empty) == [frozenset()]
    assert readings(parameters(1, 7), empty) == [frozenset(), {1}]
    assert readings(parameters(ORIGINALS), empty) == [{ORIGINALS}, frozenset()]  # without items it was not there
    four = readings(parameters(1, 2, 3, 4), empty)
    assert four[0] == frozenset()
    assert four[-1] == {1, 2, 3, 4}
    assert len(set(four)) == 16
    assert readings(parameters(1, 2, 3, 4, 5), empty) == [frozenset(), {1, 2, 3, 4, 5}]
    assert readings(parameters(1, 2, 3, 4, ORIGINALS), empty) == [{ORIGINALS}, {1, 2, 3, 4, ORIGINALS}]


# ---------------------------------------------------------------------- bounds


def test_bounds() -> None:
    name = element(NAME, "PN", b"X ")
    assert len(states(*[change(None, name)] * 64)) == 64
    with pytest.raises(LimitExceeded, match="too many changes"):
        states(*[change(None, name)] * 65)
    with pytest.raises(LimitExceeded, match="more than 2000 bytes"):
        changes_of(change(None, *[name] * 20), budget=Budget(Limits(kept=2000)))
    with pytest.raises(LimitExceeded, match="more than"):
        changes_of(change(None, element(0x00420011, "UT", b"x" * 40_000)), budget=Budget(Limits(text=30_000)))
    tags = sequence(0x4FFE0001, element(0x04000005, "US", bytes(2)) + element(0x04000020, "AT", bytes(4) * 101))
    assert changes_of(change(None, tags), budget=Budget(Limits(signed=101)))[0].parameters
    with pytest.raises(LimitExceeded, match="too many entries in Data Elements Signed"):
        changes_of(change(None, tags), budget=Budget(Limits(signed=100)))
    signature = sequence(0xFFFAFFFA, *[element(0x04000005, "US", bytes(2))] * 11)
    with pytest.raises(LimitExceeded, match="too many signatures"):
        states(change(None, signature), budget=Budget(Limits(signatures=10)))


def test_text_in_pieces_is_kept_whole() -> None:
    text = b"x" * 40_000
    (found,) = changes_of(change(None, element(0x00420011, "UT", text)))
    ((event,),) = found.values.values()
    assert isinstance(event, Element)
    assert event.value == text


def test_nothing_before_the_data_set_counts() -> None:
    collector = OriginalsCollector(Budget())
    events: list[Event] = [Element(b"", 0, 0x00020010, "UI", 0, EXPLICIT), DatasetStart(b"", 0, "1.2.840.10008.1.2.1")]
    for event in events:
        collector.feed(event)
    assert (collector.originals, collector.signatures, collector.parameters) == ([], [], {})
