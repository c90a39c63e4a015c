"""Rules: limits with hysteresis, quality, shares, spreads, staleness, flat lines; the shipped sets of limits."""

from __future__ import annotations

import random
import re
import tomllib
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from kit_alarms import at

from drivers.base import Quality
from gateway import rule_sets
from gateway.alarms import Signal, Step
from gateway.board import Board, Instrument, quantity_in
from gateway.calendar import WHENS, Calendar
from gateway.configuration.config import Config
from gateway.days import WEEKDAYS, Dates, Days
from gateway.environment.statistics import parse
from gateway.rules import Rule, Verdict, definition, in_force, judge, kind_of, limits_in_force, watch
from gateway.values import Reading

VENUE = """
rule_sets = ["gb3096-2008", "gb3095-2026", "listening-test"]
venue = { id = "zj-no1", name = "考点", sound_area = "2", sound_area_exam_days = "1" }
custody = { start = 2026-06-05T16:00:00, end = 2026-06-10T18:00:00 }

[[session]]
name = "英语"
start = 2026-06-07T15:00:00
end = 2026-06-07T17:00:00
listening = [{ start = 2026-06-07T15:00:00, end = 2026-06-07T15:30:00 }]

[device.m]
driver = "renke_rs_zs"
place = "north gate"

[device.hall]
driver = "renke_rs_zs"
indoors = true

[rule.loud]
point = "m/laf"
above = 55.0
clear_below = 53.0
raise_after = "60s"
during = ["session"]
severity = "critical"

[rule.gb3096-day-m]
point = "m/laeq_10min"
above = 58.0
"""
INSTRUMENTS = {
    "m": Instrument(1.0, ("laf", "pm2_5")),
    "hall": Instrument(1.0, ("laf",)),
    "air": Instrument(1.0, ("pm2_5", "o3")),
}
CONFIG = Config.model_validate(tomllib.loads(VENUE))
CALENDAR = Calendar(CONFIG)
LIMIT = Rule("loud", "m/laf", "noise", "environment", above=55.0)
G = Quality.GOOD


def judged(
    rule: Rule, samples: list[tuple[float, float | None]], now_s: float, was: bool = False, **more: Any
) -> Verdict:
    """The verdict after samples (second, value) of m/laf, all good unless they have no value."""
    board = Board({"m": Instrument(more.get("every_s", 1.0), ("laf", "las"))}, at(0))
    watch(rule, board)
    for second, value in samples:
        board.add(
            Reading(rule.point.replace("laeq_10s", "laf"), value, Quality.MISSING if value is None else G, at(second))
        )
    for second, value in more.get("other", []):
        board.add(Reading("m/las", value, G, at(second)))
    return judge(rule, board, CALENDAR, at(now_s), was=was)


BELOW = replace(LIMIT, above=None, below=10.0)
LEVELS = [
    (LIMIT, 55.0, False, False),  # equal is compliant: facts/noise.md section 4, 17
    (LIMIT, 55.1, False, True),
    (LIMIT, 54.9, True, False),
    (replace(LIMIT, clear_below=53.0), 54.0, False, False),
    (replace(LIMIT, clear_below=53.0), 54.0, True, True),
    (replace(LIMIT, clear_below=53.0), 53.0, True, True),
    (replace(LIMIT, clear_below=53.0), 52.9, True, False),
    (BELOW, 10.0, False, False),
    (BELOW, 9.9, False, True),
    (BELOW, 10.1, True, False),
    (replace(BELOW, clear_above=12.0), 11.0, False, False),
    (replace(BELOW, clear_above=12.0), 12.0, True, True),
    (replace(BELOW, clear_above=12.0), 12.1, True, False),
    (replace(LIMIT, above=60.0, decimals=0), 60.5, False, False),  # rounds half to even
    (replace(LIMIT, above=60.0, decimals=0), 60.6, False, True),
    (replace(LIMIT, above=None), 99.0, True, False),  # a rule without a limit finds nothing wrong
]


@pytest.mark.parametrize(("rule", "value", "was", "condition"), LEVELS)
def test_limits_and_hysteresis(rule: Rule, value: float, was: bool, condition: bool) -> None:
    """E8: beyond the limit is wrong, equal is not, and what stands clears only past its own level."""
    verdict = judged(rule, [(1, value)], 1, was)

    assert condition is verdict.condition
    assert (Signal.BREACH if condition else Signal.CLEAR) == verdict.signal


CANNOT_TELL = [
    (LIMIT, [], 1, Quality.MISSING, "never heard"),
    (LIMIT, [(1, None)], 1, Quality.MISSING, "missing"),
    (LIMIT, [(1, 99.0)], 7, Quality.MISSING, "stale"),
    (replace(LIMIT, point="m/laeq_10s"), [], 10, Quality.MISSING, "no good sample"),
    (replace(LIMIT, point="m/laeq_10s"), [(s, 99.0) for s in range(1, 8)], 10, G, "too few valid samples"),
    (replace(LIMIT, within_s=10, share=0.1), [(9, 99.0)], 10, G, "too few valid samples"),
    (replace(LIMIT, within_s=10, count=2), [(9, 99.0)], 10, G, "too few valid samples"),
    (replace(LIMIT, minus="m/las"), [(1, 99.0)], 1, Quality.MISSING, "never heard"),
    (replace(LIMIT, above=None, flat_for_s=5), [(1, 99.0)], 60, Quality.MISSING, "stale"),
]


@pytest.mark.parametrize(("rule", "samples", "now_s", "quality", "reason"), CANNOT_TELL)
@pytest.mark.parametrize("was", [False, True])
def test_what_cannot_be_told(
    rule: Rule, samples: list[tuple[float, float | None]], now_s: float, quality: Quality, reason: str, was: bool
) -> None:
    """E4, E6: silence, stale values and too few valid samples are no verdict, neither good nor bad."""
    verdict = judged(rule, samples, now_s, was)

    assert (None, Signal.UNKNOWN) == (verdict.condition, verdict.signal)
    assert (quality, reason) == (verdict.quality, verdict.reason)


@pytest.mark.parametrize("quality", [Quality.SUSPECT, Quality.INVALID, Quality.MISSING])
def test_only_good_values_are_compared(quality: Quality) -> None:
    """A value that is suspect or invalid (over-range, sentinel) meets no limit, though it is kept (B12)."""
    board = Board({"m": Instrument(1.0, ("laf",))}, at(0))
    board.add(Reading("m/laf", 999.9, quality, at(1), "sentinel"))
    verdict = judge(LIMIT, board, CALENDAR, at(1), was=False)

    assert (None, None, "sentinel") == (verdict.condition, verdict.value, verdict.reason)


def test_maximum_of_polled_levels_proves_an_excess_only() -> None:
    """A polled maximum over the limit is an excess however few samples there are; under it they tell nothing."""
    peak = replace(LIMIT, point="m/lmax_sampled_1min")
    board = Board({"m": Instrument(1.0, ("laf",))}, at(0))
    watch(peak, board)
    board.add(Reading("m/laf", 50.0, G, at(1)))
    few = judge(peak, board, CALENDAR, at(2), was=False)
    board.add(Reading("m/laf", 55.1, G, at(3)))
    proven = judge(peak, board, CALENDAR, at(3), was=False)
    for second in range(4, 70):
        board.add(Reading("m/laf", 50.0, G, at(second)))
    over = judge(peak, board, CALENDAR, at(69), was=True)

    assert (None, True, False) == (few.condition, proven.condition, over.condition)
    assert (True, True, True) == (few.lower_bound, proven.lower_bound, over.lower_bound)


SHARES = [
    (replace(LIMIT, within_s=10, share=0.3), [60.0] * 3 + [50.0] * 7, True, 0.3),
    (replace(LIMIT, within_s=10, share=0.3), [60.0] * 2 + [50.0] * 8, False, 0.2),
    (replace(LIMIT, within_s=10, count=2), [60.0] * 2 + [50.0] * 8, True, 2.0),
    (replace(LIMIT, within_s=10, count=3), [60.0] * 2 + [50.0] * 8, False, 2.0),
    (replace(LIMIT, within_s=60, count=2), [60.0] * 2 + [50.0] * 8, True, 2.0),
    (replace(BELOW, within_s=10, share=0.5), [5.0] * 5 + [50.0] * 5, True, 0.5),
]


@pytest.mark.parametrize(("rule", "values", "condition", "value"), SHARES)
def test_share_and_count_of_a_window(rule: Rule, values: list[float], condition: bool, value: float) -> None:
    """So many, or such a share, of a window's samples past the limit; a count that is reached needs no valid share."""
    verdict = judged(rule, list(enumerate(values, 1)), 10)

    assert (condition, value) == (verdict.condition, verdict.value)


def test_spread_of_two_points() -> None:
    """The limit of a spread holds for the difference, and both sides must be good."""
    spread = replace(LIMIT, above=5.0, minus="m/las")
    verdict = judged(spread, [(1, 60.0)], 1, other=[(1, 54.8)])
    within = judged(spread, [(1, 60.0)], 1, other=[(1, 55.0)])

    assert (True, 5.2) == (verdict.condition, verdict.value)
    assert (False, 5.0) == (within.condition, within.value)


@pytest.mark.parametrize(("now_s", "condition"), [(39.9, False), (40, True), (4000, True)])
def test_staleness(now_s: float, condition: bool) -> None:
    """E4: no good sample for the time is a condition of its own, and one good sample ends it."""
    stale = replace(LIMIT, above=None, stale_after_s=30)
    samples: list[tuple[float, float | None]] = [(10, 50.0), (20, None)]

    assert condition is judged(stale, samples, now_s).condition
    assert judged(stale, [*samples, (now_s, 51.0)], now_s).condition is False


FLAT = replace(LIMIT, above=None, flat_for_s=600.0)


def test_frozen_instrument() -> None:
    """B11: valid frames with the same value for ever are found, whatever went before; a change ends it."""
    before: list[tuple[float, float | None]] = [(s, 50.0 + s % 7 / 10) for s in range(20)]
    frozen: list[tuple[float, float | None]] = [(s, 50.3) for s in range(20, 1000)]

    assert judged(FLAT, [*before, *frozen[:600]], 619).condition is False
    assert judged(FLAT, [*before, *frozen], 999).condition is True
    assert judged(FLAT, [*before, *frozen, (1000, 50.4)], 1000).condition is False


@pytest.mark.parametrize(("step", "wander"), [(0.1, 0.02), (0.5, 0.03), (1.0, 0.06)])
def test_a_quiet_night_is_not_frozen(step: float, wander: float) -> None:
    """B11: a quiet night stands still on a coarse scale for long; the time allowed grows with the device's own step."""
    chance = random.Random(7)
    level, samples = 30.0, []
    for second in range(0, 8 * 3600, 10):
        level = 30.0 + 0.97 * (level - 30.0) + chance.gauss(0, wander)
        samples.append((float(second), round(level / step) * step))
    board = Board({"m": Instrument(10.0, ("laf",))}, at(0))
    found = []
    for second, value in samples:
        board.add(Reading("m/laf", round(value, 1), G, at(second)))
        found.append(judge(FLAT, board, CALENDAR, at(second), was=False).condition)

    assert {False} == set(found)


def test_silence_is_not_a_flat_line() -> None:
    """B11: the same value before and after a silence proves nothing about the time between."""
    verdict = judged(FLAT, [(1, 50.3), (2, 50.3), (1000, 50.3), (1001, 50.3)], 1001)

    assert (False, 1.0) == (verdict.condition, verdict.value)


IN_FORCE = [
    (replace(LIMIT, during=("session",)), "2026-06-07 14:59:59", None),
    (replace(LIMIT, during=("session",)), "2026-06-07 15:00:00", "session"),
    (replace(LIMIT, during=("session",), margin_before_s=60), "2026-06-07 14:59:00", "session"),
    (replace(LIMIT, during=("session",), margin_after_s=60), "2026-06-07 17:00:59", "session"),
    (replace(LIMIT, during=("night", "listening")), "2026-06-07 15:10:00", "listening"),
    (replace(LIMIT, during=("day",), only=("exam-day",)), "2026-06-07 08:00:00", "day"),
    (replace(LIMIT, during=("day",), only=("exam-day",)), "2026-06-06 08:00:00", None),
    (replace(LIMIT, during=("day",), unless=("exam-day",)), "2026-06-07 08:00:00", None),
    (replace(LIMIT, during=("day",), unless=("exam-day",)), "2026-06-06 08:00:00", "day"),
]


SUNDAYS = replace(LIMIT, days=Days(weekdays=("sun",)))
SEVENTH = replace(LIMIT, days=Days(dates=(Dates(date(2026, 6, 7), date(2026, 6, 7)),)))
EITHER = replace(LIMIT, days=Days(("sat",), (Dates(date(2026, 6, 8), date(2026, 6, 10)),)))
IN_FORCE += [
    (SUNDAYS, "2026-06-06 23:59:59.999", None),
    (SUNDAYS, "2026-06-07 00:00:00", "always"),
    (SUNDAYS, "2026-06-07 23:59:59.999", "always"),
    (SUNDAYS, "2026-06-08 00:00:00", None),
    (SEVENTH, "2026-06-06 23:59:59.999", None),
    (SEVENTH, "2026-06-07 00:00:00", "always"),
    (SEVENTH, "2026-06-08 00:00:00", None),
    (EITHER, "2026-06-06 12:00:00", "always"),
    (EITHER, "2026-06-07 12:00:00", None),
    (EITHER, "2026-06-10 23:59:59", "always"),
    (EITHER, "2026-06-11 00:00:00", None),
    (replace(SUNDAYS, during=("night",)), "2026-06-07 05:59:59", "night"),
    (replace(SUNDAYS, during=("night",)), "2026-06-08 01:00:00", None),  # the night goes on, Sunday does not
    (replace(SUNDAYS, during=("session",)), "2026-06-07 12:00:00", None),
    (replace(LIMIT, during=("day",), only=("summer",)), "2026-06-01 12:00:00", "day"),
    (replace(LIMIT, during=("day",), only=("summer",)), "2026-05-31 12:00:00", None),
]


@pytest.mark.parametrize(("rule", "local", "when"), IN_FORCE)
def test_in_force(rule: Rule, local: str, when: str | None) -> None:
    """A rule holds in its windows with their margins, and the window that puts it in force is known."""
    span = in_force(rule, CALENDAR, at(0, local))

    assert when == (span.when if span is not None else None)


UNTIL = [
    (SUNDAYS, "2026-06-07T00:00:00+08:00", "2026-06-08T00:00:00+08:00"),
    (replace(SUNDAYS, during=("night",)), "2026-06-07T22:00:00+08:00", "2026-06-08T00:00:00+08:00"),
    (replace(LIMIT, during=("night",)), "2026-06-07T22:00:00+08:00", "2026-06-08T06:00:00+08:00"),
    (replace(LIMIT, days=Days(("sun", "mon"))), "2026-06-07T00:00:00+08:00", "2026-06-09T00:00:00+08:00"),
    (replace(LIMIT, days=Days(WEEKDAYS)), None, None),
    (
        replace(LIMIT, during=("session",), margin_after_s=6 * 3600.0, margin_before_s=60.0),
        "2026-06-07T14:59:00+08:00",
        "2026-06-07T23:00:00+08:00",
    ),
]


@pytest.mark.parametrize(("rule", "start", "end"), UNTIL)
def test_in_force_since_and_until(rule: Rule, start: str | None, end: str | None) -> None:
    """What people are told of a limit's hours is the part in which all of its conditions hold, margins included."""
    span = in_force(rule, CALENDAR, at(0, "2026-06-07 22:30:00"))

    assert span is not None
    assert [start, end] == [each and each.isoformat() for each in (span.start, span.end)]


def test_not_in_force_is_not_wrong() -> None:
    """Outside its window a rule's condition is false with that reason, whatever is measured or not."""
    night = replace(LIMIT, during=("night",))
    verdict = judged(night, [(1, 99.0)], 1, was=True)

    assert (False, "not-in-force", None) == (verdict.condition, verdict.reason, verdict.span)


def test_definition_of_a_rules_alarm() -> None:
    """The alarm of a rule carries its name, holds and severity; a critical one asks for a note."""
    rule = rule_sets.from_config("loud", CONFIG.rule["loud"], CONFIG)
    made = definition(rule)

    assert ("loud", "noise", "environment", "north gate") == (made.name, made.kind, made.stream, made.place)
    assert (60.0, True, False, False) == (made.raise_after_s, made.note_required, made.latching, made.custody)


def test_only_a_critical_rule_is_escalated() -> None:
    """No siren sounds in an exam because a room is warm: only an alarm that is called critical escalates."""
    steps = (Step(30, "siren"),)

    assert () == definition(replace(LIMIT, severity="high"), steps).escalation
    assert steps == definition(replace(LIMIT, severity="critical"), steps).escalation


WHOLE = replace(LIMIT, point="m/laeq_10s", during=("night",), whole_window=True)
REACHES_BACK = [
    (WHOLE, "2026-06-07 22:00:09", None),
    (WHOLE, "2026-06-07 22:00:10", True),
    (replace(WHOLE, only=("exam-day",)), "2026-06-07 00:00:09", None),
    (replace(WHOLE, only=("exam-day",)), "2026-06-07 00:00:10", True),
    (replace(WHOLE, whole_window=False), "2026-06-07 22:00:01", True),
    (replace(WHOLE, point="m/laf"), "2026-06-07 22:00:00", True),
    (replace(WHOLE, during=("always",)), "2026-06-07 22:00:00", True),
]


@pytest.mark.parametrize(("rule", "local", "condition"), REACHES_BACK)
def test_the_evenings_noise_is_no_excess_of_the_night(rule: Rule, local: str, condition: bool | None) -> None:
    """A mean is compared with the limit of certain hours only when its whole window lies within them (E3)."""
    board = Board({"m": Instrument(1.0, ("laf",))}, at(-20, local))
    watch(rule, board)
    for second in range(-19, 1):
        board.add(Reading("m/laf", 70.0, G, at(second, local)))
    now = at(0, local)

    assert condition is judge(rule, board, CALENDAR, now, was=False).condition


def test_point_of_no_quantity() -> None:
    """A rule's point that belongs to no quantity is a KeyError that names it."""
    with pytest.raises(KeyError, match="m/loudness"):
        kind_of("m/loudness")


# ---- the shipped sets ----


@pytest.mark.parametrize("name", rule_sets.names())
def test_each_set_says_what_it_is(name: str) -> None:
    """A set has its file's name, a source, an edition, Chinese and English, and limits of statistics that exist."""
    rule_set = rule_sets.load(name)

    assert name == rule_set.name
    assert all(re.search("[\u4e00-\u9fff]", limit.title.zh) and limit.title.en.isascii() for limit in rule_set.limit)
    assert len(rule_set.limit) == len({limit.id for limit in rule_set.limit})
    for limit in rule_set.limit:
        assert parse(limit.statistic) is not None, limit.statistic
        assert quantity_in(f"x/{limit.statistic}") is not None
        assert set(limit.during) <= set(WHENS)
        assert 1 == sum(given is not None for given in (limit.above, limit.above_by_area, limit.below))
        assert limit.above_by_area is None or {"0", "1", "2", "3", "4a", "4b"} == set(limit.above_by_area)


# facts/noise.md 1.1 and 1.2, facts/limits.md 1, 2, 3: area or None, set, limit, value
NUMBERS = [
    ("gb3096-2008", "day", {"0": 50, "1": 55, "2": 60, "3": 65, "4a": 70, "4b": 70}),
    ("gb3096-2008", "night", {"0": 40, "1": 45, "2": 50, "3": 55, "4a": 55, "4b": 60}),
    ("gb12523-2025", "day", 70),
    ("gb12523-2025", "night", 55),
    ("gb12523-2025", "night-peak", 70),
    ("gb3095-2026", "pm2-5-day", 60),
    ("gb3095-2026", "pm10-day", 120),
    ("gb3095-2026", "aqi", 100),
    ("gb3095-2026", "aqi-150", 150),
    ("gb3095-2026", "aqi-200", 200),
    ("gb12348-2008", "day", {"0": 50, "1": 55, "2": 60, "3": 65, "4a": 70, "4b": 70}),
    ("gb12348-2008", "night", {"0": 40, "1": 45, "2": 50, "3": 55, "4a": 55, "4b": 55}),
    ("gb12348-2008", "room-day", {"0": 40, "1": 45, "2": 50, "3": 50, "4a": 50, "4b": 50}),
    ("gb12348-2008", "room-night", {"0": 30, "1": 35, "2": 40, "3": 40, "4a": 40, "4b": 40}),
    ("gb22337", "room-day", {"0": 40, "1": 45, "2": 50, "3": 50, "4a": 50, "4b": 50}),
    ("gb22337", "room-night", {"0": 30, "1": 35, "2": 40, "3": 40, "4a": 40, "4b": 40}),
    ("gb50118-2010", "classroom", 45),
    ("gb55016-2021", "teaching", {"0": 40, "1": 40, "2": 45, "3": 45, "4a": 45, "4b": 45}),
    ("gbt18883-2022", "temperature-summer-high", 28),
    ("gbt18883-2022", "temperature-summer-low", 22),
    ("gbt18883-2022", "temperature-winter-high", 24),
    ("gbt18883-2022", "temperature-winter-low", 16),
    ("gbt18883-2022", "humidity-summer-high", 80),
    ("gbt18883-2022", "humidity-summer-low", 40),
    ("gbt18883-2022", "humidity-winter-high", 60),
    ("gbt18883-2022", "humidity-winter-low", 30),
    ("gbt18883-2022", "co2", 1000),
    ("gbt18883-2022", "hcho", 80),
    ("gbt18883-2022", "pm2-5", 50),
    ("gbt18883-2022", "pm10", 100),
]


@pytest.mark.parametrize(("name", "limit_id", "value"), NUMBERS)
def test_numbers_of_the_standards(name: str, limit_id: str, value: Any) -> None:
    """The numbers are those of the facts."""
    limit = next(one for one in rule_sets.load(name).limit if one.id == limit_id)

    assert value == next(one for one in (limit.above, limit.above_by_area, limit.below) if one is not None)


PEAKS = [
    ("gb3096-2008", "night-peak", "night", 15, "secondary"),
    ("gb12348-2008", "night-peak-frequent", "night", 10, "secondary"),
    ("gb12348-2008", "night-peak-occasional", "night", 15, "secondary"),
    ("gb22337", "room-night-peak", "room-night", 10, "unverified"),
]


@pytest.mark.parametrize(("name", "peak", "night", "more", "proof"), PEAKS)
def test_night_peaks(name: str, peak: str, night: str, more: float, proof: str) -> None:
    """Sudden noise at night: the night limit of the same area and so many dB more, in every area, with its mark."""
    rule_set = rule_sets.load(name)
    limits = {limit.id: limit for limit in rule_set.limit}
    base = limits[night].above_by_area or {}

    assert {area: level + more for area, level in base.items()} == limits[peak].above_by_area
    assert proof == (limits[peak].proof or rule_set.proof)
    assert limits[peak].statistic.startswith("lmax_sampled")


INDOORS = [
    ("gb12348-2008", {"room-day", "room-night"}),
    ("gb22337", {"room-day", "room-night", "room-night-peak"}),
    ("gb50118-2010", {"classroom"}),
    ("gb55016-2021", {"teaching"}),
]


@pytest.mark.parametrize(("name", "ids"), INDOORS)
def test_limits_for_rooms_are_marked(name: str, ids: set[str]) -> None:
    """No number for rooms was read in a text: each is marked as unverified and only ever indicative."""
    rule_set = rule_sets.load(name)
    rooms = {limit.id: limit.proof or rule_set.proof for limit in rule_set.limit if limit.where == "indoors"}

    assert dict.fromkeys(ids, "unverified") == rooms
    assert rule_set.indicative


SEASONS = [
    ("2026-06-07 15:30:00", {"summer-high", "summer-low"}),  # a session in June
    ("2026-06-07 18:30:00", set()),  # nobody is there
    ("2026-01-07 15:30:00", {"winter-high", "winter-low"}),
    ("2026-04-07 15:30:00", set()),
]


@pytest.mark.parametrize(("local", "ids"), SEASONS)
def test_limits_of_the_season(local: str, ids: set[str]) -> None:
    """The temperature's limits are those of the season, below as well as above, during sessions."""
    session = CONFIG.session[0].model_copy(
        update={
            "start": datetime.fromisoformat(local).replace(hour=15, minute=0),
            "end": datetime.fromisoformat(local).replace(hour=17, minute=0),
        }
    )
    config = CONFIG.model_copy(update={"session": (session,)})
    rules = rule_sets.expand(rule_sets.load("gbt18883-2022"), config, {"hall": Instrument(1.0, ("temperature",))})
    found = limits_in_force(rules, Calendar(config), at(0, local))

    assert {f"gbt18883-temperature-{one}-hall" for one in ids} == {one.rule.name for one in found}
    assert all((one.rule.clear_below is None) is (one.rule.above is None) for one in found)
    assert [] == [one.rule.name for one in found if one.rule.below and one.rule.clear_above != one.rule.below + 0.5]


MOLAR = {"o3": 48.0, "no2": 46.006, "so2": 64.064, "co": 28.01, "nh3": 17.031, "h2s": 34.08, "hcho_ppb": 30.026}


@pytest.mark.parametrize("name", rule_sets.names())
def test_conversions_to_the_sensors_unit(name: str) -> None:
    """A limit that the standard writes in mass is the same limit in the sensor's unit at 25 degC and 1013.25 hPa."""
    for limit in rule_sets.load(name).limit:
        found = re.fullmatch(r"([\d.]+) (ug|mg)/m3", limit.as_written or "")
        quantity = quantity_in(f"x/{limit.statistic}")
        if found and quantity in MOLAR:
            mg = float(found[1]) / (1000 if found[2] == "ug" else 1)
            ppm = mg * 24.465 / MOLAR[quantity] * (1000 if quantity == "hcho_ppb" else 1)

            assert ppm == pytest.approx(limit.above, rel=0.006), limit.id
        elif found:
            assert float(found[1]) * 1000 == limit.above


def test_vibration_levels() -> None:
    """70 and 67 dB re 1e-6 m/s2 are 3.162e-3 and 2.239e-3 m/s2."""
    limits = [limit.above for limit in rule_sets.load("gb10070").limit]

    assert [round(1e-6 * 10 ** (level / 20), 6) for level in (70, 67)] == limits


def test_no_hourly_excess_of_a_daily_limit() -> None:
    """A one-minute or one-hour mean of dust is never called an excess of GB 3095: its titles speak of the index."""
    for limit in rule_sets.load("gb3095-2026").limit:
        if limit.statistic.startswith("pm") and not limit.statistic.endswith("_24h"):
            assert "index" in limit.title.en
            assert "空气质量指数" in limit.title.zh
            assert "index" in limit.mean


def test_rules_of_a_venue() -> None:
    """Sets become rules of the devices that can give the mean, indoors or not; a rule of one's own replaces one."""
    rules = {rule.name: rule for rule in rule_sets.build(CONFIG, INSTRUMENTS)}

    assert {"loud", "gb3096-day-m", "gb3096-night-m", "gb3096-night-m-exam-day", "exam-session-hall"} <= set(rules)
    assert not [name for name in rules if name.startswith("gb3096") and "hall" in name]
    assert {"gb3095-pm2-5-day-air", "gb3095-o3-hour-air", "gb3095-pm2-5-day-m"} <= set(rules)
    assert not [name for name in rules if name.startswith("gb3096") and "air" in name]
    assert (58.0, None) == (rules["gb3096-day-m"].above, rules["gb3096-day-m"].origin)
    peak = rules["gb3096-night-peak-m-exam-day"]
    assert (60.0, ("exam-day",), ()) == (peak.above, peak.only, peak.unless)
    assert 48.0 == rules["gb3096-night-m"].clear_below


@pytest.mark.parametrize(
    ("areas", "limits"), [(("2", None), {50}), (("2", "2"), {50}), (("2", "1"), {50, 45}), (("4a", "1"), {55, 45})]
)
def test_sound_areas(areas: tuple[Any, Any], limits: set[float]) -> None:
    """The exam days' sound area gives a second rule where it is another than the map's."""
    venue = CONFIG.venue.model_copy(update={"sound_area": areas[0], "sound_area_exam_days": areas[1]})
    config = CONFIG.model_copy(update={"venue": venue})
    rules = rule_sets.expand(rule_sets.load("gb3096-2008"), config, INSTRUMENTS)

    assert limits == {rule.above for rule in rules if "-night-m" in rule.name and "peak" not in rule.name}


def test_why_is_this_the_limit_now() -> None:
    """For any moment it can be asked which limits hold, from which set, edition and area, and through which window."""
    rules = rule_sets.build(CONFIG, INSTRUMENTS)
    night = limits_in_force(rules, CALENDAR, at(0, "2026-06-07 23:00:00"), "m")
    before = limits_in_force(rules, CALENDAR, at(0, "2026-06-06 23:00:00"), "m/laeq_10min")
    anywhere = limits_in_force(rules, CALENDAR, at(0, "2026-06-07 23:00:00"))
    by_name = {one.rule.name: one for one in night}
    exam = by_name["gb3096-night-m-exam-day"]

    assert "gb3096-night-m" not in by_name
    assert ["gb3096-day-m", "gb3096-night-m"] == [one.rule.name for one in before]
    assert len(anywhere) > len(night)
    assert exam.rule.origin is not None
    assert ("1", "secondary") == (exam.rule.origin.area, exam.rule.origin.proof)
    assert exam.span.start is not None
    assert timedelta(hours=22) == timedelta(hours=exam.span.start.hour)


def test_unknown_set() -> None:
    """A set that is not shipped is a KeyError that names it."""
    with pytest.raises(KeyError, match="gb0000"):
        rule_sets.load("gb0000")


def test_every_set_is_in_the_document() -> None:
    """`docs/rules.md` names every shipped set and no other, and every statistic that it names exists."""
    page = (Path(__file__).parents[1] / "docs" / "rules.md").read_text(encoding="utf-8")
    sets = page.split("## Shipped sets", 1)[1]
    statistics = page.split("## Statistics", 1)[1].split("## Shipped sets", 1)[0]
    named = re.findall(r"`([a-z][a-z0-9_]*_\d+(?:s|min|h))`", statistics)

    assert rule_sets.names() == sorted(re.findall(r"^\| `([^`]+)`", sets, re.MULTILINE))
    assert len(named) > 8
    assert [] == [name for name in named if parse(name) is None]
