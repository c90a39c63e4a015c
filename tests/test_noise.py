"""Sound levels: the worked examples of the noise facts, formulas against NumPy, events, weather, days, judgements."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.base import Quality
from gateway.configuration.config import Config
from gateway.environment import acoustics, noise
from gateway.environment.minute_maker import MinuteMaker
from gateway.environment.minutes import Minute, Period, combine
from gateway.environment.noise import Outcome, figures, judge, judge_night_peak
from gateway.environment.noise_events import NoiseEvent
from gateway.environment.noise_weather import Weather
from gateway.environment.periods import Periods
from gateway.moment import NANO, Moment
from gateway.values import Reading

CST = timezone(timedelta(hours=8))
TEN = 1_780_797_600  # 2026-06-07, 10:00:00 at the venue
LEVELS = st.lists(st.integers(1000, 13_000).map(lambda h: h / 100), min_size=1, max_size=200)


def records(
    values: Sequence[float | None], start_s: int = TEN, point: str = "m/laf", every_s: float = 1
) -> list[Minute]:
    """A meter says these from `start_s` on; minutes of nothing but None are not recorded."""
    maker = MinuteMaker({"m": every_s})
    found: list[Minute] = []
    for i, value in enumerate(values):
        at = Moment(round((start_s + i * every_s) * NANO), round(i * every_s * NANO))
        if value is not None:
            maker.add(Reading(point, value, Quality.GOOD, at))
        if i % 300 == 299:
            found += maker.close(at)
    return found + maker.close(Moment(round((start_s + len(values) * every_s + 62) * NANO), 0))


def period(values: Sequence[float]) -> Period:
    return combine(records(values))


LEVELS_11 = [
    *(41.2, 43.0, 42.5, 47.8, 55.1, 60.3, 52.2, 46.7, 44.4, 43.9),
    *(42.8, 42.1, 41.9, 45.5, 49.6, 58.0, 50.2, 44.9, 43.3, 42.0),
]

# facts/noise.md section 4, by its number; E7
FORMULAS: list[tuple[str, float | None, float]] = [
    ("1", period([50, 60, 70]).laeq, 65.68),
    ("2 equal", acoustics.together(60, 60), 63.01),
    ("2", acoustics.together(60, 50), 60.41),
    ("3", period([100, 80, 60, 40, 20]).laeq, 93.05),
    ("4", period([55.0] * 3540 + [85.0] * 60).laeq, 67.47),
    ("5 LAeq", period([45.0] * 595 + [90.0] * 5).laeq, 69.22),
    ("5 LAE", acoustics.exposure(90, 5), 96.99),
    ("6 10 s", acoustics.exposure(65, 10), 75.00),
    ("6 60 s", acoustics.exposure(65, 60), 82.78),
    ("6 1 h", acoustics.exposure(65, 3600), 100.56),
    ("7 alone", acoustics.of_events(85, 12, 3600), 60.23),
    ("7", acoustics.together(acoustics.of_events(85, 12, 3600), 42), 60.29),
    ("8 a", acoustics.day_night(55, 45), 55.00),
    ("8 b", acoustics.day_night(60, 50), 60.00),
    ("8 c", acoustics.day_night(55, 48), 56.24),
    ("8 d", acoustics.day_night(58.3, 52.7), 60.30),
    ("11 SD", period(LEVELS_11).sd, 5.65),
    ("12", noise.without_background(58.4, 53.9), 56.4),
    ("14", noise.without_background(71.0, 55.0), 71.0),
]


@pytest.mark.parametrize(("number", "got", "result"), FORMULAS, ids=[f[0] for f in FORMULAS])
def test_worked_examples(number: str, got: float | None, result: float) -> None:
    """E7: the worked examples of the noise facts, to 0.01 dB."""
    assert result == pytest.approx(got, abs=0.0051)


def test_example_9() -> None:
    """E7: Ld, Ln, and both forms of Ldn by name, from a day of hours."""
    day = [48.1, 50.4, 53.9, 55.2, 56.0, 56.8, 55.7, 54.9, 55.3, 56.1, 56.4, 57.0, 56.2, 54.0, 52.3, 50.8]
    night = [47.2, 45.0, 43.1, 42.2, 41.8, 41.9, 43.6, 46.0]
    minutes = records([level for level in day + night for _ in range(3600 // 10)], every_s=10)
    ld = noise.hours(minutes[: 16 * 60], TEN, TEN + 16 * 3600, 12, 0.75)
    ln = noise.hours(minutes[16 * 60 :], TEN + 16 * 3600, TEN + 24 * 3600, 6, 0.75)
    both = noise.day_night(ld, ln)

    assert (16, 8) == (ld.accepted, ln.accepted)
    assert [54.91, 44.28, 54.71, 53.33] == pytest.approx([ld.laeq, ln.laeq, both.weighted, both.plain], abs=0.0101)


@pytest.mark.parametrize(("lacking", "accepted"), [(4, True), (5, False)])
def test_days_need_hours(lacking: int, accepted: bool) -> None:
    """A day of 16 hours is accepted with 12 good ones; with fewer there is no Ldn, and the mean says how many."""
    hours = [[50.0] * 60 if i >= lacking else [50.0] * 44 for i in range(16)]  # a sample a minute
    minutes = [m for i, hour in enumerate(hours) for m in records(hour, TEN + i * 3600, every_s=60)]
    ld = noise.hours(minutes, TEN, TEN + 16 * 3600, 12, 0.75)
    ln = noise.Hours(45.0, 8, 8, 6)

    assert (50.0, 16 - lacking, accepted) == (ld.laeq, ld.accepted, ld.is_accepted)
    assert accepted is (noise.day_night(ld, ln).weighted is not None)


TABLE = [(10.6, 0), (10.4, 1), (10, 1), (6, 1), (5.6, 1), (5.4, 2), (4, 2), (3.6, 2), (3.5, 2), (3, 3), (2.6, 3)]


@pytest.mark.parametrize(("difference", "correction"), TABLE)
def test_background(difference: float, correction: int) -> None:
    """GB 12348-2008: the table of corrections; the difference is rounded half to even."""
    assert 70.0 - correction == noise.without_background(70.0, 70.0 - difference)


@pytest.mark.parametrize("background", [56.0, 55.9, 58.4, 60.0])
def test_background_too_near(background: float) -> None:
    """Example 13: under 3 dB above the background a result is not usable, and no number comes out."""
    assert None is noise.without_background(58.4, background)


JUDGEMENTS = [
    ("17 equal", judge(55.0, 55), Outcome.COMPLIANT, None, ()),
    ("17 over", judge(55.1, 55), Outcome.EXCESS, 0.1, ()),
    ("15 below", judge_night_peak(59.9, 45, lower_bound=False), Outcome.COMPLIANT, None, ()),
    ("15 sampled", judge_night_peak(59.9, 45, lower_bound=True), Outcome.CANNOT_TELL, None, ("lower-bound",)),
    ("15 over", judge_night_peak(60.1, 45, lower_bound=True), Outcome.EXCESS, 0.1, ()),
    ("gaps", judge(50.0, 55, accepted=False), Outcome.CANNOT_TELL, None, ("too-few-samples",)),
    ("gaps, over", judge(60.0, 55, accepted=False), Outcome.CANNOT_TELL, None, ("too-few-samples",)),
    ("gaps, peak over", judge(61, 60, accepted=False, lower_bound=True), Outcome.EXCESS, 1.0, ()),
    ("nothing", judge(None, 55), Outcome.CANNOT_TELL, None, ("no-value",)),
    ("toy", judge(56, 55, indicative=["no-certificate"]), Outcome.EXCESS, 1.0, ("no-certificate",)),
]


@pytest.mark.parametrize(("name", "got", "outcome", "excess", "reasons"), JUDGEMENTS, ids=[j[0] for j in JUDGEMENTS])
def test_judgements(
    name: str, got: noise.Judgement, outcome: Outcome, excess: float | None, reasons: tuple[str, ...]
) -> None:
    """Equal is compliant; a sampled maximum proves an excess and never a compliance; gaps prove nothing."""
    assert (outcome, excess, reasons) == (got.outcome, got.excess_db, got.reasons)
    assert got.indicative is (name == "toy")


# ---- against NumPy and at random ------------------------------------------------------------------------------------


@settings(max_examples=50)
@given(LEVELS)
def test_formulas(levels: list[float]) -> None:
    """Each figure of a period equals the one-line formula, to 0.01 dB."""
    got, array = period(levels), np.array(levels)
    descending = np.sort(array)[::-1]

    assert 10 * np.log10(np.mean(10 ** (array / 10))) == pytest.approx(got.laeq, abs=0.0101)
    assert (array.max(), array.min(), len(levels)) == (got.high, got.low, got.n)
    assert len(levels) < 2 or np.std(array, ddof=1) == pytest.approx(got.sd, abs=0.0051)
    for percent in noise.PERCENTAGES:
        assert descending[max(1, math.ceil(percent * len(levels) / 100)) - 1] == got.exceeded(percent)


@settings(max_examples=30)
@given(LEVELS, st.integers(1, 10))
def test_combining(levels: list[float], parts: int) -> None:
    """Periods put together are the same as the whole, however they are cut: combining is exact."""
    whole = records(levels)
    cuts = sorted(random.Random(parts).choices(range(len(whole) + 1), k=parts))
    pieces = [combine(whole[a:b]) for a, b in pairwise([0, *cuts, len(whole)])]

    assert combine(whole).total == sum(piece.total for piece in pieces)
    assert combine(whole) == combine(reversed(whole))


def test_a_million_samples() -> None:
    """A million random samples: every statistic from minute records equals NumPy's of the samples themselves."""
    levels = np.round(np.random.default_rng(7).normal(55, 8, 1_000_000), 2)
    hundredths, per_minute = np.rint(levels * 100).astype(int), 60
    minutes = []
    for i, part in enumerate(np.array_split(hundredths, len(levels) // per_minute)):
        keys, counts = np.unique(part, return_counts=True)
        histogram = dict(zip(keys.tolist(), counts.tolist(), strict=True))
        total = sum(acoustics.energy(key) * often for key, often in histogram.items())
        ends = (keys[0] / 100, keys[-1] / 100, part[-1] / 100)
        minutes.append(Minute("m/laf", i * 60, len(part), len(part), total, *ends, histogram))
    got = combine(minutes)

    assert 10 * np.log10(np.mean(10 ** (levels / 10))) == pytest.approx(got.laeq, abs=0.0051)
    assert np.std(levels, ddof=1) == pytest.approx(got.sd, abs=0.0051)
    for percent in noise.PERCENTAGES:
        exact = np.quantile(levels, 1 - percent / 100, method="inverted_cdf")
        assert exact == pytest.approx(got.exceeded(percent), abs=0.0101)


# ---- events ---------------------------------------------------------------------------------------------------------


def events(after: list[float], background: float = 45.0) -> tuple[NoiseEvent, ...]:
    """Ten minutes of background, then these, then quiet."""
    return combine(records([background] * 600 + after + [background] * 130)).events


EVENTS: list[tuple[str, list[float], list[tuple[str, float, float]]]] = [
    ("5 a horn of 5 s", [90.0] * 5, [("short", 5.0, 96.99)]),
    ("a bang", [80.0], [("impulse", 1.0, 80.0)]),
    ("a machine", [60.0, 61.0] * 10, [("steady", 20.0, 73.54)]),
    ("traffic", [57.0, 65.0] * 10, [("varying", 20.0, 75.64)]),
    ("not loud enough", [54.9] * 30, []),
    ("just loud enough", [55.0] * 3, [("short", 3.0, 59.77)]),
    ("two shouts", [70.0] * 2 + [45.0] * 4 + [70.0] * 2, [("short", 2.0, 73.01), ("short", 2.0, 73.01)]),
    ("one shout with a breath", [70.0] * 2 + [45.0] * 3 + [70.0] * 2, [("short", 7.0, 76.03)]),
    ("fading", [60.0, 56.0, 51.0, 50.0, 49.9], [("short", 4.0, 62.11)]),
]


@pytest.mark.parametrize(("name", "after", "expected"), EVENTS, ids=[e[0] for e in EVENTS])
def test_events(name: str, after: list[float], expected: list[tuple[str, float, float]]) -> None:
    """Impulse, short, steady and varying noises are told apart by length and spread; each has its LAE."""
    found = events(after)

    assert [(kind, length) for kind, length, _ in expected] == [(e.kind, e.duration_s) for e in found]
    assert [lae for _, _, lae in expected] == pytest.approx([e.lae for e in found], abs=0.02)
    assert all(e.background == 45.0 and e.rise == round(max(after) - 45, 2) for e in found)
    assert all(e.start_ms == (TEN + 600) * 1000 for e in found[:1])


def test_long_noise_becomes_background() -> None:
    """A noise of half an hour is an event of ten minutes, and then the background that others rise from."""
    found = events([65.0] * 1800 + [80.0] * 2)

    assert [("steady", 600.0, 45.0), ("short", 2.0, 65.0)] == [(e.kind, e.duration_s, e.background) for e in found]


def test_an_event_ends_at_a_gap() -> None:
    """E6: what was not heard is not part of an event: a gap of samples ends it."""
    values: list[float | None] = [45.0] * 600 + [70.0] * 3 + [None] * 20 + [70.0] * 2 + [45.0] * 130

    assert [3.0, 2.0] == [e.duration_s for e in combine(records(values)).events]


def test_events_survive_the_record() -> None:
    """Events are kept with their minute, come back as they were, and are counted once though they be found twice."""
    from gateway.environment.minutes import decode, encode

    minutes = records([45.0] * 600 + [90.0] * 5 + [45.0] * 130)
    again = decode(encode(minutes))
    counted = figures([*again, again[-2]]).record()["events"]

    assert minutes == again
    assert {"impulse": 0, "short": 1, "steady": 0, "varying": 0} == counted


# ---- weather --------------------------------------------------------------------------------------------------------


def seen(*readings: tuple[float, str, float], indoors: tuple[str, ...] = ()) -> list[str | None]:
    weather = Weather(indoors)
    answers = []
    for second, point, value in readings:
        at = Moment(round((TEN + second) * NANO), round(second * NANO))
        answers.append(weather.reason(Reading(point, value, Quality.GOOD, at)))
    return answers


WEATHERS = [
    ("calm", [(0, "roof/wind_speed", 5.0), (1, "m/laf", 50)], None),
    ("windy", [(0, "roof/wind_speed", 5.1), (1, "m/laf", 50)], "wind"),
    ("calm again", [(0, "roof/wind_speed", 9), (5, "roof/wind_speed", 4.9), (6, "m/laf", 50)], None),
    ("the gauge is lost", [(0, "roof/wind_speed", 9), (121, "m/laf", 50)], None),
    ("rain", [(0, "roof/rain", 1.0), (5, "roof/rain", 1.2), (500, "m/laf", 50)], "rain"),
    ("rain is over", [(0, "roof/rain", 1.0), (5, "roof/rain", 1.2), (606, "m/laf", 50)], None),
    ("the gauge was emptied", [(0, "roof/rain", 9.0), (5, "roof/rain", 0.0), (6, "m/laf", 50)], None),
    ("other quantities", [(0, "roof/wind_speed", 9), (1, "m/temperature", 50)], None),
]


@pytest.mark.parametrize(("name", "readings", "reason"), WEATHERS, ids=[w[0] for w in WEATHERS])
def test_weather(name: str, readings: list[tuple[float, str, float]], reason: str | None) -> None:
    """Wind over 5 m/s and rain set levels aside while they last, outdoors."""
    assert reason == seen(*readings)[-1]
    assert None is seen(*readings, indoors=("m",))[-1]


def test_weather_is_kept_beside_the_minute() -> None:
    """E6: samples in the wind are counted beside their reason and are in no mean."""
    maker = MinuteMaker({"m": 1.0, "roof": 10.0}, Weather().reason)
    for i in range(60):
        at = Moment((TEN + i) * NANO, i * NANO)
        if i % 10 == 0:
            maker.add(Reading("roof/wind_speed", 8.0 if i >= 30 else 2.0, Quality.GOOD, at))
        maker.add(Reading("m/laf", 80.0 if i >= 30 else 50.0, Quality.GOOD, at))
    found = figures(m for m in maker.close(Moment((TEN + 65) * NANO, 0)) if m.point == "m/laf")

    assert (50.0, 0.5, {"wind": 30}) == (found.laeq, found.valid, found.record()["set_aside"])


def test_set_aside_afterwards() -> None:
    """Minutes that turn out to be no measurement leave the statistics, with their number and the reason."""
    kept = noise.set_aside(records([50.0] * 60 + [94.0] * 60 + [50.0] * 60), [(TEN + 70, TEN + 80)], "calibration")
    found = figures(kept)

    assert (50.0, 120, 180) == (found.laeq, found.equivalent.n, found.equivalent.due)
    assert {"calibration": 60} == found.record()["set_aside"]


# ---- periods --------------------------------------------------------------------------------------------------------

VENUE = {
    "venue": {"id": "zj-no1", "name": "x"},
    "session": [
        {
            "name": "英语",
            "start": datetime(2026, 6, 8, 15),  # noqa: DTZ001
            "end": datetime(2026, 6, 8, 17),  # noqa: DTZ001
            "listening": [{"start": datetime(2026, 6, 8, 15, 0, 30), "end": datetime(2026, 6, 8, 15, 25)}],  # noqa: DTZ001
        }
    ],
}


def spans(minute: datetime, venue: dict[str, object] = VENUE) -> list[str]:
    """Of the periods that a minute lies in: what, when it begins, when it ends."""
    found = Periods(Config.model_validate(venue)).around(round(minute.timestamp()))
    times = [(s.kind, datetime.fromtimestamp(s.start_s, CST), datetime.fromtimestamp(s.end_s, CST)) for s in found]
    return [f"{kind} {start:%d %H:%M} {end:%d %H:%M}" for kind, start, end in times]


DAY = datetime(2026, 6, 8, tzinfo=CST)
AROUND: list[tuple[str, datetime, list[str]]] = [
    (
        "a plain minute",
        DAY.replace(hour=10, minute=9),
        ["10min 08 10:00 08 10:10", "hour 08 10:00 08 11:00", "day 08 06:00 08 22:00"],
    ),
    (
        "the listening, of whole minutes",
        DAY.replace(hour=15, minute=1),
        [
            "10min 08 15:00 08 15:10",
            "listening 08 15:01 08 15:25",
            "hour 08 15:00 08 16:00",
            "session 08 15:00 08 17:00",
            "day 08 06:00 08 22:00",
        ],
    ),
    (
        "before its first whole minute",
        DAY.replace(hour=15),
        ["10min 08 15:00 08 15:10", "hour 08 15:00 08 16:00", "session 08 15:00 08 17:00", "day 08 06:00 08 22:00"],
    ),
    (
        "the last of the day",
        DAY.replace(hour=21, minute=59),
        ["10min 08 21:50 08 22:00", "hour 08 21:00 08 22:00", "day 08 06:00 08 22:00"],
    ),
    (
        "the first of the night",
        DAY.replace(hour=22),
        ["10min 08 22:00 08 22:10", "hour 08 22:00 08 23:00", "night 08 22:00 09 06:00"],
    ),
    ("after midnight", DAY, ["10min 08 00:00 08 00:10", "hour 08 00:00 08 01:00", "night 07 22:00 08 06:00"]),
]


@pytest.mark.parametrize(("name", "minute", "expected"), AROUND, ids=[a[0] for a in AROUND])
def test_periods(name: str, minute: datetime, expected: list[str]) -> None:
    """E3: sessions, listening, hours, days and nights are those of the venue's clock."""
    assert sorted(expected) == sorted(spans(minute))


def test_the_day_that_a_night_follows() -> None:
    """A night's Ldn is of the day before it."""
    periods = Periods(Config.model_validate(VENUE))
    night = periods.around(round(DAY.timestamp()))[-1]

    assert night.start_s == periods.day_before(night).end_s
    assert (480, 960) == (night.minutes, periods.day_before(night).minutes)


def test_half_hour_zones() -> None:
    """Hours are those of the venue's clock also where that is half an hour off."""
    kolkata = {"venue": {"id": "x", "name": "x", "timezone": "Asia/Kolkata"}}
    found = spans(datetime(2026, 6, 7, 10, 29, tzinfo=CST), kolkata)

    assert ["hour 07 09:30 07 10:30", "10min 07 10:20 07 10:30"] == found[:2]


def test_own_equivalent_level_first() -> None:
    """A meter's own LAeq gives the mean, its polled level the percentiles; its own maximum is named apart."""
    minutes = [*records([60.0] * 60, point="m/laeq"), *records([50.0] * 30 + [70.0] * 30)]
    minutes += records([75.0], point="m/lamax")
    record = figures(minutes).record()

    assert ("m/laeq", 60.0, 70.0, 75.0) == (record["point"], record["laeq"], record["lmax_sampled"], record["lamax"])
    assert (70.0, 50.0) == (record["l10"], record["l90"])
    assert (None, None, 0) == tuple(figures([]).record()[key] for key in ("point", "laeq", "n"))
