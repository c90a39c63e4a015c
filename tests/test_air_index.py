"""The air quality index as a rule's statistic: which means take part, what is a bound, what cannot be told."""

from __future__ import annotations

import pytest
from kit_alarms import at

from drivers.base import Quality
from gateway.alarm.findings import Evidence
from gateway.board import Board, Instrument, unit_of
from gateway.calendar import Calendar
from gateway.configuration.config import Config
from gateway.environment.statistics import parse, source
from gateway.persons.why import why_lines
from gateway.points import Points
from gateway.rules import Rule, Verdict, judge, watch
from gateway.values import Reading

CALENDAR = Calendar(Config.model_validate({"venue": {"id": "zj", "name": "zj"}}))
PARTICLES = ("pm2_5", "pm10")
SIX = (*PARTICLES, "o3", "no2", "so2", "co")
CLEAN = {"pm2_5": 10.0, "pm10": 20.0, "o3": 0.01, "no2": 0.01, "so2": 0.001, "co": 0.5}
OVER_100 = Rule("aqi", "air/aqi_1h", "air", "environment", above=100)


def board(points: tuple[str, ...], rule: Rule = OVER_100) -> Board:
    made = Board({"air": Instrument(60.0, points)}, at(0))
    watch(rule, made)
    return made


def feed(made: Board, values: dict[str, float], first: int, last: int) -> None:
    for minute in range(first, last):
        for name, value in values.items():
            made.add(Reading(f"air/{name}", value, Quality.GOOD, at(60 * minute + 30)))


def judged(made: Board, minute: int, rule: Rule = OVER_100) -> Verdict:
    return judge(rule, made, CALENDAR, at(60 * minute), was=False)


# what is measured for an hour, with which points, the index, whether it is a bound, whether it is over 100
HOURS = [
    (SIX, CLEAN, 20, False, False),  # PM2.5 10 -> 15, ozone 19.6 ug/m3 -> 7, PM10 20 -> 20 is the largest
    (SIX, CLEAN | {"pm2_5": 61.0}, 101, False, True),
    (PARTICLES, {"pm2_5": 61.0, "pm10": 20.0}, 101, True, True),
    (PARTICLES, {"pm2_5": 60.0, "pm10": 20.0}, 100, True, False),
    (("o3",), {"o3": 0.102}, 100, True, False),  # 200.1 ug/m3 is 200
    (("co",), {"co": -0.2}, 0, True, False),  # a zero that lies a little low
]


@pytest.mark.parametrize(("points", "values", "aqi", "bound", "over"), HOURS)
def test_hourly_index(points: tuple[str, ...], values: dict[str, float], aqi: int, bound: bool, over: bool) -> None:
    """An hour's means make the index; without all six pollutants it is a lower bound, and says so."""
    made = board(points)
    feed(made, values, 0, 60)
    verdict = judged(made, 60)

    assert (float(aqi), bound) == (verdict.value, verdict.lower_bound)
    assert over is verdict.condition


def test_a_pollutant_that_falls_silent_clears_nothing() -> None:
    """Silence is never good news: the index without the pollutant that made it large cannot be told."""
    made = board(PARTICLES)
    feed(made, {"pm2_5": 20.0, "pm10": 300.0}, 0, 60)
    before = judged(made, 60)
    feed(made, {"pm2_5": 20.0}, 60, 120)
    silent = judged(made, 120)
    feed(made, {"pm2_5": 61.0}, 120, 180)
    proven = judged(made, 180)

    assert (True, None, True) == (before.condition, silent.condition, proven.condition)
    assert (29.0, 101.0) == (silent.value, proven.value)


def test_too_little_of_an_hour_is_no_mean() -> None:
    """A minute over the figure is no index: a mean takes part with three quarters of its samples, not before."""
    made = board(PARTICLES)
    feed(made, {"pm2_5": 500.0, "pm10": 20.0}, 0, 44)
    early, before = judged(made, 44), made.index("air/aqi_1h", at(44 * 60))
    feed(made, {"pm2_5": 500.0, "pm10": 20.0}, 44, 46)

    assert (None, None) == (early.condition, early.value)
    assert judged(made, 46).condition is True
    assert before is None
    assert made.index("air/pm10", at(46 * 60)) is None


DAYS = [("aqi_24h", 114.0), ("aqi_2012_24h", 100.0)]


@pytest.mark.parametrize(("statistic", "aqi"), DAYS)
def test_daily_index_of_both_editions(statistic: str, aqi: float) -> None:
    """The day's index takes the day's means, by the edition that its name says."""
    rule = Rule("aqi", f"air/{statistic}", "air", "environment", above=100)
    made = board(PARTICLES, rule)
    feed(made, {"pm2_5": 75.0, "pm10": 60.0}, 0, 1440)

    assert aqi == judged(made, 1440, rule).value
    assert "AQI" == unit_of(f"air/{statistic}")


NAMES = [
    ("aqi_1h", PARTICLES, "pm2_5"),
    ("aqi_24h", ("so2",), "so2"),
    ("aqi_2012_1h", PARTICLES, None),  # before 2026 particles had no hourly index
    ("aqi_2012_1h", SIX, "o3"),
    ("aqi_1h", ("laf",), None),
]


@pytest.mark.parametrize(("name", "points", "feeds"), NAMES)
def test_which_devices_have_an_index(name: str, points: tuple[str, ...], feeds: str | None) -> None:
    """A device has an index when it measures a pollutant that takes part in it; the board refuses it otherwise."""
    wanted = parse(name)
    assert wanted is not None

    assert feeds == source(wanted, points)
    if feeds is None:
        with pytest.raises(KeyError, match=name):
            board(points, Rule("aqi", f"air/{name}", "air", "environment", above=100))


@pytest.mark.parametrize("name", ["aqi_10min", "aqi_8h", "aqi_2013_1h", "aqi_max_1h"])
def test_an_index_belongs_to_the_mean_it_is_defined_for(name: str) -> None:
    """There is no index of ten minutes: nothing but an hour and a day has one."""
    assert parse(name) is None
    with pytest.raises(KeyError):
        board(SIX, Rule("aqi", f"air/{name}", "air", "environment", above=100))


def test_why_tells_grade_primary_pollutant_and_parts() -> None:
    """`why` shows what the index is made of, and that it is a lower bound."""
    points = Points(Board({"air": Instrument(60.0, PARTICLES)}, at(0)), CALENDAR, [OVER_100])
    feed(points.board, {"pm2_5": 61.0, "pm10": 20.0}, 0, 60)
    found = points.explain("aqi", at(3600))
    life = dict.fromkeys(("drill", "turning", "changed", "condition", "latching", "acknowledged_by", "hidden_by"))
    life |= {"steps_taken": [], "steps_left": []}  # type: ignore[dict-item]
    alarm = {"alarm": "aqi", "state": "normal", "severity": "low", "revision": 0, "since": None}
    lines = "\n".join(why_lines({"alarm": alarm, "life": life, "rule": found, "delivery": []}))

    assert "primary pollutant: pm2_5; made of: " in lines
    assert "pm2_5_1h 101" in lines
    assert "pm10_1h 20" in lines
    assert "at least: not every pollutant is measured" in lines


def test_the_sentence_of_a_verdict_is_made_when_somebody_reads_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rules are judged every second and read about once in a while; what is read is what was seen at the judging."""
    points = Points(Board({"air": Instrument(60.0, PARTICLES)}, at(0)), CALENDAR, [OVER_100])
    feed(points.board, {"pm2_5": 61.0, "pm10": 20.0}, 0, 60)
    made: list[str] = []
    monkeypatch.setattr(
        "gateway.points.both", lambda text, **values: made.append(values["value"]) or {"zh": text, "en": text}
    )
    (found,) = points.judge(at(3600), {"aqi": False})

    assert [] == made

    feed(points.board, {"pm2_5": 300.0, "pm10": 20.0}, 60, 120)
    list(points.judge(at(7200), {"aqi": True}))

    assert {"what": found.evidence.what}.items() <= found.evidence.to_json().items()
    assert {f"≥ {found.evidence.value:.1f}"} == set(made)
    assert Evidence.from_json(found.evidence.to_json(), found.evidence).what == found.evidence.what
