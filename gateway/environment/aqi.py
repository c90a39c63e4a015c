"""The air quality index by HJ 633-2026 (in force since 2026-03-01) and HJ 633-2012: means in, index out.

    IAQI = ceil((IAQI_hi - IAQI_lo) / (BP_hi - BP_lo) * (C - BP_lo) + IAQI_lo);  AQI = the largest IAQI

Concentrations are ug/m3, of CO mg/m3, at 298.15 K and 1013.25 hPa for gases; they are first rounded half to even
(GB/T 8170) to whole numbers, of CO to one decimal. An index belongs to the mean it is defined for: `pm2_5_24h` is one,
`pm2_5_1h` is one since 2026 (with the daily break points), a minute's value is none.

With pollutants missing the index is a lower bound: another one could be larger.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal
from itertools import pairwise
from typing import Literal

Edition = Literal["2026", "2012"]

POLLUTANTS = ("so2", "no2", "co", "o3", "pm10", "pm2_5")
_LEVELS = (0, 50, 100, 150, 200, 300, 400, 500)
_PM10 = (0, 50, 120, 250, 350, 420, 500, 600)
_PM2_5 = (0, 35, 60, 115, 150, 250, 350, 500)

# Break points of each mean for `_LEVELS`; where they end sooner, more than the last counts as its level.
_GASES: dict[str, tuple[int, ...]] = {
    "so2_24h": (0, 50, 150, 475, 800, 1600, 2100, 2620),
    "so2_1h": (0, 150, 500, 650, 800),
    "no2_24h": (0, 40, 80, 180, 280, 565, 750, 940),
    "no2_1h": (0, 100, 200, 700, 1200, 2340, 3090, 3840),
    "co_24h": (0, 2, 4, 14, 24, 36, 48, 60),
    "co_1h": (0, 5, 10, 35, 60, 90, 120, 150),
    "o3_8h": (0, 100, 160, 215, 265, 800),
    "o3_1h": (0, 160, 200, 300, 400, 800, 1000, 1200),
}
_BREAK_POINTS: dict[Edition, dict[str, tuple[int, ...]]] = {
    "2026": _GASES | {"pm10_24h": _PM10, "pm10_1h": _PM10, "pm2_5_24h": _PM2_5, "pm2_5_1h": _PM2_5},
    "2012": _GASES
    | {"pm10_24h": (0, 50, 150, 250, 350, 420, 500, 600), "pm2_5_24h": (0, 35, 75, 115, 150, 250, 350, 500)},
}
MOLAR_MASS = {"so2": 64.064, "no2": 46.006, "co": 28.010, "o3": 47.998}  # g/mol
MOLAR_VOLUME = 24.465  # L/mol at 298.15 K and 1013.25 hPa


@dataclass(frozen=True, slots=True)
class Grade:
    """`above`: indices over this and up to the next grade's belong to it; `colour` in red, green, blue."""

    number: int
    above: int
    zh: str
    en: str
    colour: tuple[int, int, int]


GRADES = (
    Grade(1, -1, "优", "excellent", (0, 228, 0)),
    Grade(2, 50, "良", "good", (255, 255, 0)),
    Grade(3, 100, "轻度污染", "lightly polluted", (255, 126, 0)),
    Grade(4, 150, "中度污染", "moderately polluted", (255, 0, 0)),
    Grade(5, 200, "重度污染", "heavily polluted", (153, 0, 76)),
    Grade(6, 300, "严重污染", "severely polluted", (126, 0, 35)),
)


@dataclass(frozen=True, slots=True)
class Index:
    """`parts`: each mean's own index. `primary`: the pollutants with the largest, none up to 50."""

    aqi: int
    parts: Mapping[str, int]
    primary: tuple[str, ...]

    @property
    def grade(self) -> Grade:
        return next(grade for grade in reversed(GRADES) if self.aqi > grade.above)

    @property
    def complete(self) -> bool:
        """Whether every pollutant took part; if not, the index is a lower bound."""
        return {_pollutant(mean) for mean in self.parts} >= {*POLLUTANTS}


def means(hours: int, edition: Edition = "2026") -> dict[str, str]:
    """The mean that each pollutant takes part with in the index of 1 or of 24 hours; ozone's of a day is of 8 h."""
    names = [f"{pollutant}_{hours}h" for pollutant in POLLUTANTS] + (["o3_8h"] if hours == 24 else [])
    return {_pollutant(name): name for name in names if name in _BREAK_POINTS[edition]}


def iaqi(mean: str, concentration: float, edition: Edition = "2026") -> int:
    """The index of one mean, 0 to 500. KeyError when the edition defines none for it; ValueError below zero."""
    points = _BREAK_POINTS[edition][mean]
    exact = Decimal(repr(concentration))
    if not exact.is_finite() or exact < 0:
        raise ValueError(f"{mean}: {concentration} is no concentration")
    amount = _tenths(exact, Decimal("0.1") if mean.startswith("co_") else Decimal(1))
    for (low, high), (low_level, high_level) in zip(pairwise(points), pairwise(_LEVELS), strict=False):
        if amount <= high * 10:
            return low_level - (-(high_level - low_level) * (amount - low * 10) // ((high - low) * 10))
    return _LEVELS[len(points) - 1]


def index(concentrations: Mapping[str, float], edition: Edition = "2026") -> Index:
    """The index of these means: `{"pm2_5_1h": 61.0, "o3_1h": 140.0}`. ValueError when there is none."""
    parts = {mean: iaqi(mean, concentration, edition) for mean, concentration in concentrations.items()}
    aqi = max(parts.values())
    worst = tuple(_pollutant(mean) for mean, part in parts.items() if part == aqi)
    return Index(aqi, parts, worst if aqi > _LEVELS[1] else ())


def mass(pollutant: str, ppm: float) -> float:
    """A gas in ppm as ug/m3, of CO as mg/m3, at 298.15 K and 1013.25 hPa. KeyError for what is no gas here."""
    micrograms = ppm * 1000 * MOLAR_MASS[pollutant] / MOLAR_VOLUME
    return round(micrograms / 1000 if pollutant == "co" else micrograms, 6)


def _tenths(exact: Decimal, step: Decimal) -> int:
    return int(exact.quantize(step, ROUND_HALF_EVEN) * 10)


def _pollutant(mean: str) -> str:
    return mean.rpartition("_")[0]
