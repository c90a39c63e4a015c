"""Air, climate, heat and vibration: the worked examples of the facts, means with their valid share, airing by CO2."""

from __future__ import annotations

import math

import pytest

from drivers.base import Quality
from gateway.environment import air, heat, vibration
from gateway.environment.minute_maker import MinuteMaker
from gateway.environment.minutes import Minute, combine
from gateway.moment import NANO, Moment
from gateway.values import Reading

TEN = 1_780_797_600

EXAMPLES: list[tuple[str, float | None, float, float]] = [
    # facts/limits.md, section 2
    ("CO2 400 ppm", air.mg_per_m3("co2", 400), 719.5, 0.5),
    ("CO2 800 ppm", air.mg_per_m3("co2", 800), 1439, 0.5),
    ("CO2 1000 ppm", air.mg_per_m3("co2", 1000), 1799, 0.5),
    ("CO2 1500 ppm", air.mg_per_m3("co2", 1500), 2698, 0.5),
    ("formaldehyde 0.08 mg/m3", air.ppm("hcho", 0.08), 0.065, 0.0005),
    ("NH3 1.5 mg/m3", air.ppm("nh3", 1.5), 2.15, 0.005),
    ("H2S 0.06 mg/m3", air.ppm("h2s", 0.06), 0.043, 0.0005),
    ("32 m3 an hour and person", air.steady_co2(32), 982, 0.6),
    ("30 m3 an hour and person", air.steady_co2(30), 1020, 0.5),
    ("fresh air at 1020 ppm", air.fresh_air_estimate(1020), 30, 0.01),
    ("32 persons", 32 * 32.0, 1024, 0),
    # section 4
    ("1e-3 m/s2", getattr(vibration.level(1e-3), "db", None), 60, 0.001),
    ("70 dB", vibration.acceleration(70), 3.162e-3, 1e-6),
    ("67 dB", vibration.acceleration(67), 2.239e-3, 1e-6),
    # section 5
    ("WBGT in a room", heat.wbgt(20, 30), 23.0, 1e-9),
    ("WBGT in the sun", heat.wbgt(20, 40, 30), 25.0, 1e-9),
]


@pytest.mark.parametrize(("name", "got", "result", "within"), EXAMPLES, ids=[e[0] for e in EXAMPLES])
def test_worked_examples(name: str, got: float | None, result: float, within: float) -> None:
    """The worked examples of the limits' facts."""
    assert result == pytest.approx(got, abs=within)


HEAT = [
    (26, 60, 26.58, 20.40, 22.08),
    (28, 70, 30.18, 23.73, 25.01),
    (30, 70, 32.58, 25.60, 26.92),
    (32, 60, 33.26, 25.79, 27.65),
    (35, 50, 34.79, 26.60, 29.12),
    (35, 60, 36.99, 28.49, 30.44),
]


@pytest.mark.parametrize(("temperature", "humidity", "sun", "wet", "room"), HEAT)
def test_heat(temperature: float, humidity: float, sun: float, wet: float, room: float) -> None:
    """The table of estimates: full sun, Stull's wet bulb, lower bound in a room."""
    assert sun == pytest.approx(heat.sun_estimate(temperature, humidity), abs=0.0051)
    assert wet == pytest.approx(heat.wet_bulb(temperature, humidity), abs=0.0051)
    assert room == pytest.approx(heat.room_lower_bound(temperature, humidity), abs=0.0051)


@pytest.mark.parametrize(("temperature", "humidity"), [(30, 4), (30, 100), (51, 50), (-21, 50)])
def test_no_estimate_outside(temperature: float, humidity: float) -> None:
    """Where Stull's formula does not hold there is no number."""
    assert None is heat.room_lower_bound(temperature, humidity)


def test_what_is_no_level() -> None:
    """No acceleration has no level; only what is weighted is called VLz; fresh air is not told from outdoor air."""
    levels = [vibration.level(1e-3, "z"), vibration.level(1e-3)]

    assert None is vibration.level(0.0)
    assert ["VLz", "VL (not weighted)"] == [each.name for each in levels if each is not None]
    assert None is air.fresh_air_estimate(460)
    with pytest.raises(KeyError):
        air.mg_per_m3("tvoc", 1)


def minutes(values: list[float | None], point: str = "room/co2") -> list[Minute]:
    """A sample a minute."""
    maker = MinuteMaker({"room": 60.0})
    for i, value in enumerate(values):
        if value is not None:
            maker.add(Reading(point, value, Quality.GOOD, Moment((TEN + 60 * i) * NANO, 60 * i * NANO)))
    return maker.close(Moment((TEN + 60 * len(values) + 5) * NANO, 60 * len(values) * NANO))


def test_hours_and_days() -> None:
    """E6: an hour needs 45 of 60 minutes, a day 20 hours; what has less has no mean, and its share says why."""
    good = air.hour_mean(combine(minutes([20.0] * 15 + [24.0] * 30), 60))
    bad = air.hour_mean(combine(minutes([20.0] * 44), 60))

    assert (pytest.approx(22.666667), 0.75, 45, 60) == (good.value, good.valid, good.parts, good.due)
    assert (None, 44) == (bad.value, bad.parts)
    day = air.day_mean([good] * 20 + [bad] * 4)
    assert (pytest.approx(22.666667), 20, 24) == (day.value, day.parts, day.due)
    assert None is air.day_mean([good] * 19 + [bad] * 5).value
    assert None is air.hour_mean(combine([], 60)).value


def falling(rate_h: float, start: float = 1200.0, count: int = 60) -> list[float | None]:
    return [420 + (start - 420) * math.exp(-rate_h * i / 60) for i in range(count)]


AIRINGS = [
    ("well aired", falling(4.0), True, 4.0, ()),
    ("hardly aired", falling(0.3), False, 0.3, ("fell-too-little",)),
    ("fresh before", falling(4.0, start=500), True, 4.0, ()),
    ("the sensor was silent", [*falling(4.0)[:20], *[None] * 40], False, None, ("too-few-samples",)),
    ("no sensor", [], False, None, ("too-few-samples",)),
]


@pytest.mark.parametrize(("name", "values", "proven", "changes", "reasons"), AIRINGS, ids=[a[0] for a in AIRINGS])
def test_airing(
    name: str, values: list[float | None], proven: bool, changes: float | None, reasons: tuple[str, ...]
) -> None:
    """The fall of CO2 proves an airing, with an estimate of the air changes; what proves nothing says why."""
    found = air.airing(minutes(values), TEN, TEN + 3600)

    assert (proven, reasons) == (found.proven, found.reasons)
    assert found.air_changes_h is None if changes is None else changes == pytest.approx(found.air_changes_h, abs=0.02)
