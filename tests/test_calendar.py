"""The venue's calendar: sessions, listening windows, quiet hours, night, exam days, custody, margins, zones."""

from __future__ import annotations

import os
import time as system_time
import tomllib
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from kit_alarms import at

from gateway.calendar import Calendar, Span
from gateway.configuration.config import Config, Rule
from gateway.days import WEEKDAYS, Dates, Days
from gateway.moment import NANO, ClockState, Moment

EXAM: dict[str, Any] = tomllib.loads("""
venue = { id = "zj-no1", name = "考点" }
quiet = [{ from = "12:00", to = "14:30" }, { from = "21:00", to = "06:30" }]
custody = { start = 2026-06-05T16:00:00, end = 2026-06-10T18:00:00 }

[[session]]
name = "语文"
start = 2026-06-07T09:00:00
end = 2026-06-07T11:30:00

[[session]]
name = "数学"
start = 2026-06-07T15:00:00
end = 2026-06-07T17:00:00

[[session]]
name = "英语"
start = 2026-06-08T15:00:00
end = 2026-06-08T17:00:00
listening = [{ start = 2026-06-08T15:00:00, end = 2026-06-08T15:30:00 }]
""")
CALENDAR = Calendar(Config.model_validate(EXAM))

PHASES = [
    ("2026-06-07 08:59:59.999", "custody summer day exam-day", None),
    ("2026-06-07 09:00:00", "custody summer day exam-day session", "语文"),
    ("2026-06-07 11:29:59.999", "custody summer day exam-day session", "语文"),
    ("2026-06-07 11:30:00", "custody summer day exam-day", None),
    ("2026-06-07 12:00:00", "custody summer day exam-day quiet", None),
    ("2026-06-07 14:30:00", "custody summer day exam-day", None),
    ("2026-06-08 15:29:00", "custody summer day exam-day listening session", "英语"),
    ("2026-06-08 15:30:00", "custody summer day exam-day session", "英语"),
    ("2026-06-08 21:59:59", "custody summer day exam-day quiet", None),
    ("2026-06-08 22:00:00", "custody summer exam-day night quiet", None),
    ("2026-06-08 23:59:59.999", "custody summer exam-day night quiet", None),
    ("2026-06-09 00:00:00", "custody summer night quiet", None),
    ("2026-06-09 05:59:59", "custody summer night quiet", None),
    ("2026-06-09 06:00:00", "custody summer day quiet", None),
    ("2026-06-09 06:30:00", "custody summer day", None),
    ("2026-06-05 15:59:59", "summer day", None),
    ("2026-06-05 16:00:00", "custody summer day", None),
    ("2026-06-10 18:00:00", "custody summer day", None),
]


@pytest.mark.parametrize(("local", "names", "session"), PHASES)
def test_phases(local: str, names: str, session: str | None) -> None:
    """Each window holds from its first moment to before its last, over midnight too."""
    phase = CALENDAR.phase(at(0, local))

    assert {*names.split(), "always"} == phase.names
    assert session == phase.session


@pytest.fixture(params=["UTC", "America/New_York", "Pacific/Kiritimati"])
def machine_zone(request: pytest.FixtureRequest) -> Iterator[str]:
    before = os.environ.get("TZ")
    os.environ["TZ"] = request.param
    system_time.tzset()
    yield request.param
    if before is None:
        del os.environ["TZ"]
    else:
        os.environ["TZ"] = before
    system_time.tzset()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(st.integers(-3 * 86400, 5 * 86400), st.sampled_from([-1, 0, 1]))
def test_schedule_is_the_venues_whatever_the_machines(machine_zone: str, seconds: int, midnight: int) -> None:
    """E3: at any second, and around any midnight, the phases are those of Asia/Shanghai, whatever the machine has."""
    if midnight:
        seconds = seconds // 86400 * 86400 + 15 * 3600 + midnight  # 09:00 plus 15 h
    now = at(seconds)
    local = datetime(2026, 6, 7, 9) + timedelta(seconds=seconds)  # noqa: DTZ001  what a wall clock at the venue shows
    hour = local.hour + local.minute / 60
    expected = (
        {"always"}
        | ({"summer"} if local.month in (6, 7, 8, 9) else set())
        | ({"night"} if hour >= 22 or hour < 6 else {"day"})
    )
    expected |= {"quiet"} if 12 <= hour < 14.5 or hour >= 21 or hour < 6.5 else set()
    expected |= {"exam-day"} if local.day in (7, 8) else set()
    expected |= {"custody"} if EXAM["custody"]["start"] <= local else set()
    expected |= {"session"} if any(one["start"] <= local < one["end"] for one in EXAM["session"]) else set()
    listening = EXAM["session"][2]["listening"][0]
    expected |= {"listening"} if listening["start"] <= local < listening["end"] else set()

    assert expected == CALENDAR.phase(now).names


MARGINS = [
    ("session", "2026-06-07 08:50:00", 600, 0, True),
    ("session", "2026-06-07 08:49:59", 600, 0, False),
    ("session", "2026-06-07 11:30:00", 0, 1, True),
    ("session", "2026-06-07 11:30:01", 0, 1, False),
    ("quiet", "2026-06-08 00:30:00", 0, 0, True),
    ("day", "2026-06-08 23:30:00", 0, 2 * 3600, True),
    ("night", "2026-06-07 21:00:00", 3600, 0, True),
    ("day", "2026-06-08 00:00:00", 0, 2 * 3600, False),
    ("day", "2026-06-08 04:00:00", 2 * 3600, 0, True),
    ("day", "2026-06-07 23:59:59", 6 * 3600 + 1, 0, True),
    ("exam-day", "2026-06-06 23:00:00", 3600, 0, True),
    ("custody", "2026-06-05 15:30:00", 3600, 0, True),
]


@pytest.mark.parametrize(("when", "local", "before_s", "after_s", "holds"), MARGINS)
def test_margins(when: Any, local: str, before_s: float, after_s: float, holds: bool) -> None:
    """A margin makes a window begin earlier or end later, over midnight too."""
    assert holds == (CALENDAR.span(when, at(0, local), before_s, after_s) is not None)


def test_span_says_which_window() -> None:
    """The window that holds is known with its session and its times, so that people can be told why."""
    span = CALENDAR.span("listening", at(0, "2026-06-08 15:10:00"))
    night = CALENDAR.span("night", at(0, "2026-06-08 01:00:00"))

    assert span is not None
    assert night is not None
    assert ("英语", "2026-06-08T15:00:00+08:00") == (span.name, span.start and span.start.isoformat())
    assert "2026-06-07T22:00:00+08:00" == (night.start and night.start.isoformat())
    assert Span("always") == CALENDAR.span("always", at(0))


def test_custody_goes_on_until_it_is_ended_by_name() -> None:
    """After its end papers may still be there: custody holds, is overdue, and is over when a person says so."""
    calendar = Calendar(Config.model_validate(EXAM))
    during, after = at(0, "2026-06-10 17:59:59"), at(0, "2026-08-10 18:00:00")
    not_set = Moment(after.wall_ns, after.mono_ns, ClockState.UNSYNCHRONISED)
    overdue = [calendar.custody_overdue(now) for now in (during, after, not_set)]
    span = calendar.span("custody", after)
    calendar.end_custody()

    assert [False, True, False] == overdue
    assert span is not None
    assert span.end is None
    assert not calendar.custody_overdue(after)
    assert [None, None] == [calendar.span("custody", now) for now in (after, not_set)]


@pytest.mark.parametrize("clock", [ClockState.UNSYNCHRONISED, ClockState.FLOOR])
def test_custody_when_the_time_is_not_known(clock: ClockState) -> None:
    """Unknown custody means sealed: without a set clock, or without a [custody] table, it holds at any time."""
    without = Calendar(Config.model_validate({"venue": EXAM["venue"]}))
    winter = at(0, "2026-01-01 12:00:00")

    assert CALENDAR.span("custody", winter) is None
    assert CALENDAR.span("custody", Moment(winter.wall_ns, winter.mono_ns, clock)) is not None
    assert Span("custody") == without.span("custody", winter)


def test_clock_jump_moves_the_phase_and_nothing_else() -> None:
    """E1: the phase is a matter of the wall clock alone; it is right again with the clock."""
    now = at(0, "2026-06-07 10:00:00")
    jumped = Moment(now.wall_ns + 14 * 86400 * NANO, now.mono_ns)

    assert ("语文", None, "语文") == tuple(CALENDAR.phase(moment).session for moment in (now, jumped, now))


@pytest.mark.parametrize(
    ("night", "hours"),
    [
        ({"from": "22:00", "to": "06:00"}, {22, 23, 0, 1, 2, 3, 4, 5}),
        ({"from": "23:00", "to": "07:00"}, {23, 0, 1, 2, 3, 4, 5, 6}),
        ({"from": "00:00", "to": "05:00"}, {0, 1, 2, 3, 4}),
        ({"from": "21:00", "to": "00:00"}, {21, 22, 23}),
    ],
)
def test_other_night_hours(night: dict[str, str], hours: set[int]) -> None:
    """The hours of night can be others where the county's government set them so; day is the rest, without a gap."""
    calendar = Calendar(Config.model_validate({"venue": EXAM["venue"] | {"night": night}}))
    phases = {hour: calendar.phase(at(0, f"2026-06-07 {hour:02}:30:00")).names for hour in range(24)}

    assert hours == {hour for hour, names in phases.items() if "night" in names}
    assert set(range(24)) - hours == {hour for hour, names in phases.items() if "day" in names}


@pytest.mark.parametrize(
    ("months", "local", "start", "end"),
    [
        ({"winter_months": [11, 12, 1, 2, 3]}, "2026-01-15", "2025-11-01", "2026-04-01"),
        ({"winter_months": [1]}, "2026-01-31 23:59:59", "2026-01-01", "2026-02-01"),
        ({"winter_months": [1]}, "2026-02-01", None, None),
        ({"winter_months": []}, "2026-01-15", None, None),
    ],
)
def test_seasons(months: dict[str, list[int]], local: str, start: str | None, end: str | None) -> None:
    """A season is a setting of months, over the turn of the year too; without months there is none."""
    calendar = Calendar(Config.model_validate({"venue": EXAM["venue"] | months}))
    span = calendar.span("winter", at(0, local))

    assert (start, end) == (
        (None, None) if span is None else tuple(each and str(each.date()) for each in (span.start, span.end))
    )
    assert span is None or span.when == "winter"


ZONES = ["Asia/Shanghai", "Europe/Berlin", "America/New_York", "Pacific/Apia"]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(
    zone=st.sampled_from(ZONES),
    midnight=st.dates(date(2025, 10, 1), date(2027, 4, 1)),
    beside_s=st.sampled_from([-3600, -1, 0, 1, 3600]) | st.integers(-86400, 86400),
)
def test_days_begin_and_end_at_the_venues_midnight(machine_zone: str, zone: str, midnight: date, beside_s: int) -> None:
    """E3: a weekday or date is that of the venue's wall clock, in zones with summer time and on days it changes too."""
    venue = EXAM["venue"] | {"timezone": zone}
    calendar = Calendar(Config.model_validate({"venue": venue}))
    begun = datetime.combine(midnight, time(), ZoneInfo(zone)).timestamp() + beside_s
    now = Moment(round(begun * NANO), 0)
    shown = datetime.fromtimestamp(begun, ZoneInfo(zone))  # what a wall clock at the venue shows
    weekday, exact = Days((WEEKDAYS[shown.weekday()],)), Days(dates=(Dates(shown.date(), shown.date()),))
    other = Days(tuple(day for day in WEEKDAYS if day != WEEKDAYS[shown.weekday()]))
    span = calendar.on(exact, now)

    assert calendar.on(weekday, now) == span
    assert calendar.on(other, now) is None
    assert span is not None
    assert span.start is not None
    assert span.end is not None
    assert span.start.timestamp() <= begun < span.end.timestamp()
    assert (shown.date(), time()) == (span.start.date(), span.start.time().replace(fold=0))


def test_times_with_an_offset() -> None:
    """A time with an offset means that instant, also where it was not written in the venue's zone."""
    config = Config.model_construct(**Config.model_validate(EXAM).__dict__)
    session = config.session[0].model_copy(
        update={"start": datetime(2026, 6, 7, 1, tzinfo=UTC), "end": datetime(2026, 6, 7, 3, 30, tzinfo=UTC)}
    )
    calendar = Calendar(config.model_copy(update={"session": (session,)}))

    assert [None, "语文"] == [calendar.phase(at(s)).session for s in (-1, 0)]


@pytest.mark.parametrize(("first", "last", "text"), [(7, 7, "2026-06-07"), (8, 10, "2026-06-08/2026-06-10")])
def test_dates_are_written_as_they_are_read(first: int, last: int, text: str) -> None:
    """Dates are shown as people write them in the configuration."""
    written = str(Dates(date(2026, 6, first), date(2026, 6, last)))
    rule = {"point": "m/laf", "above": 1.0, "dates": [text]}

    assert text == written
    assert (Dates(date(2026, 6, first), date(2026, 6, last)),) == Rule.model_validate(rule).dates


@pytest.mark.parametrize(
    ("local", "before_s", "name"),
    [
        ("2026-06-07 08:00:00", 3600, "语文"),
        ("2026-06-07 07:59:59", 3600, None),
        ("2026-06-07 09:00:00", 3600, None),  # it has begun
        ("2026-06-07 14:59:00", 60, "数学"),
    ],
)
def test_the_session_that_is_coming(local: str, before_s: float, name: str | None) -> None:
    """The next session within so long, and none that is on."""
    coming = CALENDAR.coming(at(0, local), before_s)

    assert name == (None if coming is None else coming.name)


def test_the_next_session_is_the_earliest_not_the_first_of_the_file() -> None:
    """Two sessions within the time that an entrance is open: people come for the one that begins first."""
    late = {
        "name": "b",
        "start": datetime.fromisoformat("2026-06-07T10:00"),
        "end": datetime.fromisoformat("2026-06-07T10:30"),
    }
    early = {
        "name": "a",
        "start": datetime.fromisoformat("2026-06-07T09:00"),
        "end": datetime.fromisoformat("2026-06-07T09:30"),
    }
    calendar = Calendar(Config.model_validate(EXAM | {"session": [late, early]}))
    coming = calendar.coming(at(0, "2026-06-07 08:45:00"), 5400)

    assert coming is not None
    assert "a" == coming.name


@pytest.mark.parametrize(
    ("start", "end", "days"),
    [
        ("2026-06-07T22:00:00", "2026-06-08T00:30:00", [7, 8]),
        ("2026-06-07T22:00:00", "2026-06-08T00:00:00", [7]),
    ],
)
def test_exam_days_are_all_that_a_session_touches(start: str, end: str, days: list[int]) -> None:
    """A session over midnight leaves no day of the exam out, and takes none that it only ends with."""
    session = {"name": "a", "start": datetime.fromisoformat(start), "end": datetime.fromisoformat(end)}
    calendar = Calendar(Config.model_validate(EXAM | {"session": [session]}))
    found = [day for day in range(5, 10) if calendar.span("exam-day", at(0, f"2026-06-0{day} 12:00:00"))]

    assert days == found


@pytest.mark.parametrize(
    ("end", "seconds"), [("2026-06-07T11:45", 9900), ("2025-06-07T11:45", 9000), ("2027-06-07T11:45", 9000)]
)
def test_an_order_of_another_year_moves_nothing(end: str, seconds: int) -> None:
    """An order that is remembered from the exam before, about a session of the same name, leaves this one as it is."""
    calendar = Calendar(Config.model_validate(EXAM))
    name, (start_s, _) = next(iter(calendar.session_times().items()))
    calendar.move(name, datetime.fromisoformat(end).replace(tzinfo=calendar.zone).timestamp())

    assert (start_s, start_s + seconds) == calendar.session_times()[name]
