"""The arithmetic of sound levels: energies are added, decibels never. Pure; levels in dB re 20 uPa.

Energies are whole millionths of 10^(L/10), L in whole hundredths of a decibel: sums are exact, in whatever order they
are made. A mean of levels that are all 55.0 is 55.0, and equal to a limit is compliant.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from functools import lru_cache
from itertools import accumulate

MICRO = 10**6
LOWEST_DB, HIGHEST_DB = -50.0, 250.0  # beyond these a number is no level, whatever sent it
HUGE = 1e12  # no quantity's number


@lru_cache(maxsize=4096)
def energy(hundredths: int) -> int:
    """10^(L/10) in millionths, L in hundredths of a decibel."""
    return round(10 ** (hundredths / 1000) * MICRO)


def is_number(value: float, *, in_decibels: bool) -> bool:
    """Whether anything may be made of it: a power of ten of what is no level would be infinite."""
    return LOWEST_DB <= value <= HIGHEST_DB if in_decibels else abs(value) < HUGE


def level(total: int, n: int) -> float | None:
    """The energy mean, in dB to 0.01, of `n` energies with this sum; None where there is none."""
    return round(10 * math.log10(total / n / MICRO), 2) if n and total > 0 else None


def exceeded(levels: Mapping[int, int], n: int, percent: float) -> float:
    """The level of rank ceil(N n / 100), at least 1, of all `n` samples sorted from the loudest (no interpolation).

    `levels`: hundredths of a decibel -> how often.
    """
    rank = max(1, math.ceil(percent * n / 100))
    loudest_first = sorted(levels, reverse=True)
    passed = accumulate(levels[hundredths] for hundredths in loudest_first)
    return next(hundredths for hundredths, so_far in zip(loudest_first, passed, strict=True) if so_far >= rank) / 100


def deviation(levels: Mapping[int, int]) -> float | None:
    """SD: the standard deviation of the sampled levels, with n - 1, in dB to 0.01; None for fewer than two."""
    n = sum(levels.values())
    if n < 2:
        return None
    first = sum(h * often for h, often in levels.items())
    second = sum(h * h * often for h, often in levels.items())
    return round(math.sqrt((n * second - first * first) / (n * (n - 1))) / 100, 2)


def mean_level(levels: Iterable[tuple[float, float]]) -> float | None:
    """The energy mean of (level in dB, how long it lasted); None when nothing lasted."""
    parts = list(levels)
    whole = math.fsum(lasting for _, lasting in parts)
    if whole <= 0:
        return None
    return 10 * math.log10(math.fsum(lasting * 10 ** (each / 10) for each, lasting in parts) / whole)


def together(*levels: float) -> float:
    """The level of sources that sound at once."""
    return 10 * math.log10(math.fsum(10 ** (each / 10) for each in levels))


def exposure(laeq: float, seconds: float) -> float:
    """LAE (SEL): the level that in one second has the energy of `laeq` over `seconds`."""
    return laeq + 10 * math.log10(seconds)


def of_events(lae: float, count: int, seconds: float) -> float:
    """LAeq over `seconds` in which `count` events of exposure `lae` happen and nothing else."""
    return lae + 10 * math.log10(count) - 10 * math.log10(seconds)


def day_night(day: float, night: float, day_h: float = 16.0, penalty_db: float = 10.0) -> float:
    """Ldn, weighted: the night counts 10 dB more. With `penalty_db=0` the plain 24 h energy mean: name which it is."""
    mean = mean_level([(day, day_h), (night + penalty_db, 24.0 - day_h)])
    assert mean is not None  # noqa: S101  a day has 24 hours
    return mean
