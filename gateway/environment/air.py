"""Air and climate from minute records: hourly and daily means, gases by mass, fresh air by CO2, airing by its fall.

Masses are stated at 298.15 K and 1013.25 hPa (GB 3095-2026): 24.465 L a mole. What rests on an assumption is called an
estimate, and the assumption is an argument.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from gateway.day.airing import OUTDOOR_PPM, has_fallen
from gateway.environment.minutes import Minute, Period, combine

HOUR_S = 3600
ENOUGH = 0.75  # of the samples of an hour (45 min)
HOURS_OF_A_DAY = 20  # accepted hours that a daily mean needs

MOLAR_VOLUME_L = 24.465
MOLAR_MASS = {  # g/mol
    "co2": 44.009,
    "co": 28.010,
    "hcho": 30.026,
    "hcho_ppb": 30.026,
    "nh3": 17.031,
    "h2s": 34.081,
    "o3": 47.997,
    "no2": 46.006,
    "so2": 64.066,
}

EXHALED_M3H = 0.018  # CO2 of a person who sits and writes


# ---- means ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Mean:
    """`value` is None when too little was valid; `parts` of `due` (samples, or hours of a day) were."""

    value: float | None
    valid: float
    parts: int
    due: int


def hour_mean(period: Period, share: float = ENOUGH) -> Mean:
    """Of an hour's records, combined with `whole_minutes=60`."""
    accepted = period.n > 0 and period.valid >= share
    return Mean(period.mean if accepted else None, period.valid, period.n, period.due)


def day_mean(hours: Iterable[Mean], needed: int = HOURS_OF_A_DAY, due: int = 24) -> Mean:
    """The arithmetic mean of the hourly means, each counting the same. Not for levels."""
    values = [hour.value for hour in hours if hour.value is not None]
    mean = round(math.fsum(values) / len(values), 6) if len(values) >= needed and values else None
    return Mean(mean, len(values) / due, len(values), due)


# ---- gases ----------------------------------------------------------------------------------------------------------


def mg_per_m3(gas: str, ppm: float) -> float:
    """At 298.15 K and 1013.25 hPa. KeyError for what is no gas with a known formula (a "TVOC" is none)."""
    return ppm * MOLAR_MASS[gas] / MOLAR_VOLUME_L


def ppm(gas: str, mg: float) -> float:
    """The inverse."""
    return mg * MOLAR_VOLUME_L / MOLAR_MASS[gas]


# ---- fresh air ------------------------------------------------------------------------------------------------------


def steady_co2(fresh_m3h: float, outdoor_ppm: float = OUTDOOR_PPM, exhaled_m3h: float = EXHALED_M3H) -> float:
    """CO2 in ppm, in the long run, with so much fresh air an hour and person."""
    return outdoor_ppm + exhaled_m3h / fresh_m3h * 1e6


def fresh_air_estimate(
    indoor_ppm: float, outdoor_ppm: float = OUTDOOR_PPM, exhaled_m3h: float = EXHALED_M3H
) -> float | None:
    """m3 an hour and person, if CO2 has been steady and the room is full; while it still rises the truth is less.

    None where it is so near to the air outside (50 ppm) that no number would mean anything.
    """
    above = indoor_ppm - outdoor_ppm
    return exhaled_m3h * 1e6 / above if above >= 50 else None


@dataclass(frozen=True, slots=True)
class Airing:
    """What the fall of CO2 in an empty room says of its airing. `reasons`: why it proves nothing."""

    before_ppm: float | None
    after_ppm: float | None
    air_changes_h: float | None  # an estimate: fitted to the fall towards the air outside
    proven: bool
    reasons: tuple[str, ...]


LEAST_VALID = 0.75


def airing(minutes: Sequence[Minute], start_s: int, end_s: int) -> Airing:
    """CO2's minute records (of one point) from the opening of the windows to their closing, seconds since 1970.

    Proven by the same rule as an airing that is entered with `log`.
    """
    inside = sorted((m for m in minutes if start_s <= m.start_s < end_s), key=lambda m: m.start_s)
    means = [(m.start_s / HOUR_S, mean) for m in inside if (mean := combine([m]).mean) is not None]
    whole = combine(inside, max(1, (end_s - start_s) // 60))
    if len(means) < 2 or whole.valid < LEAST_VALID:
        return Airing(None, None, None, proven=False, reasons=("too-few-samples",))
    before, after = means[0][1], means[-1][1]
    proven = has_fallen(before, after)
    changes = _air_changes([(hour, value - OUTDOOR_PPM) for hour, value in means])
    return Airing(before, after, changes, proven=proven, reasons=() if proven else ("fell-too-little",))


def _air_changes(excess: Sequence[tuple[float, float]]) -> float | None:
    """The slope of the logarithm, by least squares, as long as there is an excess to speak of (20 ppm)."""
    points = []
    for hour, above in excess:
        if above < 20:
            break
        points.append((hour, math.log(above)))
    if len(points) < 3:
        return None
    mean_x = math.fsum(x for x, _ in points) / len(points)
    mean_y = math.fsum(y for _, y in points) / len(points)
    spread = math.fsum((x - mean_x) ** 2 for x, _ in points)
    return round(-math.fsum((x - mean_x) * (y - mean_y) for x, y in points) / spread, 2)
