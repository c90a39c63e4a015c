"""Hour by hour what a point's minute records say, and what may be estimated from it. Pure.

Of levels the energy mean and percentiles; of everything else the arithmetic mean with its extremes. Every row carries
its valid share. Estimates stand apart, and say so.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from drivers.base import quantity_of
from gateway.environment import acoustics, air, heat, vibration
from gateway.environment.minutes import Minute, Period, combine, kind_of
from gateway.payloads import unit_of

HOUR_S = 3600
ODOUR = ("nh3", "h2s")  # GB 14554-93 is judged by a panel and by sampling, never by a sensor


def hourly(minutes: Iterable[Minute], start_s: int, end_s: int) -> Iterator[tuple[int, str, Period]]:
    """(begin of the hour, point, what it was), by time and point; an hour is counted from `start_s`."""
    found: dict[tuple[int, str], list[Minute]] = {}
    for minute in minutes:
        begin_s = start_s + (minute.start_s - start_s) // HOUR_S * HOUR_S
        found.setdefault((begin_s, minute.point), []).append(minute)
    for begin_s, point in sorted(found):
        yield begin_s, point, combine(found[begin_s, point], (min(end_s, begin_s + HOUR_S) - begin_s) // 60)


def row(period: Period) -> dict[str, Any]:
    """One hour of one point; null where there is no such figure."""
    levels = kind_of(period.point) == "energy"
    return {
        "point": period.point,
        "unit": unit_of(period.point),
        "laeq" if levels else "mean": period.laeq if levels else period.mean,
        "low": period.low,
        "high": period.high,
        **({f"l{percent}": period.exceeded(percent) for percent in (10, 50, 90)} if levels else {}),
        "n": period.n,
        "due": period.due,
        "valid": round(period.valid, 4),
        "set_aside": dict(period.set_aside),
    }


def day_row(point: str, minutes: list[Minute], start_s: int, end_s: int) -> dict[str, Any]:
    """The mean of a day's accepted hours, each counting the same; of levels by energy. None with too few of them."""
    due = round((end_s - start_s) / HOUR_S)
    whole = list(hourly(minutes, start_s, end_s))
    if kind_of(point) == "energy":
        means = [(p.laeq, 1.0) for _, _, p in whole if p.laeq is not None and p.valid >= air.ENOUGH]
        value, accepted = acoustics.mean_level(means), len(means)
        value = round(value, 2) if value is not None and accepted >= air.HOURS_OF_A_DAY else None
    else:
        day = air.day_mean((air.hour_mean(period) for _, _, period in whole), due=due)
        value, accepted = day.value, day.parts
    return {
        "point": point,
        "value": value,
        "unit": unit_of(point),
        "hours": accepted,
        "due": due,
        "needed": air.HOURS_OF_A_DAY,
    }


def estimates(of: Mapping[str, Period]) -> Iterator[tuple[str, str, float, str]]:
    """(name, point, value, unit) of what the means of one device's points in a period let one estimate."""
    means = {name: (period, period.mean) for name, period in of.items() if period.mean is not None}
    for name, (period, mean) in means.items():
        if mean is not None:
            yield from _of_one(quantity_of(name) or name, period.point, mean)
    temperature, humidity = means.get("temperature"), means.get("humidity")
    if temperature is not None and humidity is not None and temperature[1] is not None and humidity[1] is not None:
        point = temperature[0].point
        yield "heat-sun", point, round(heat.sun_estimate(temperature[1], humidity[1]), 1), "degC"
        if (room := heat.room_lower_bound(temperature[1], humidity[1])) is not None:
            yield "heat-room", point, round(room, 1), "degC"


def _of_one(quantity: str, point: str, mean: float) -> Iterator[tuple[str, str, float, str]]:
    if quantity == "co2" and (fresh := air.fresh_air_estimate(mean)) is not None:
        yield "fresh-air", point, round(fresh, 1), "m3/(h person)"
    if quantity in air.MOLAR_MASS and unit_of(point) in ("ppm", "ppb"):
        mg = air.mg_per_m3(quantity, mean / (1000 if unit_of(point) == "ppb" else 1))
        yield "odour" if quantity in ODOUR else "mass", point, float(f"{mg:.4g}"), "mg/m3"
    if quantity == "acceleration" and (level := vibration.level(mean)) is not None:
        yield "vibration", point, round(level.db, 1), "dB"
