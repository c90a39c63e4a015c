"""The air quality index as a statistic: `hall/aqi_1h` and `hall/aqi_24h`, of the means that HJ 633 defines it for.

A device's own pollutants take part, each with a mean that has enough valid samples. Fewer than all six give a lower
bound: it proves that the index is over a limit, and never that it is not; it is called so wherever it is shown. A
pollutant of the device that has fallen silent makes the index one that cannot be told, unless it is over all the same.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Protocol

from gateway.environment.aqi import Edition, Index, index, mass, means
from gateway.environment.statistics import Statistic, Wanted, parse, source
from gateway.moment import Moment

ENOUGH = 0.75  # share of valid samples that a mean needs to take part: 45 min of an hour


class Mean(Protocol):
    def value(self, now: Moment) -> Statistic: ...


def wanted_means(wanted: Wanted, points: Collection[str]) -> dict[str, Wanted]:
    """The statistics that an index is made of, by the names of their means, of those that a device has."""
    hours = 1 if wanted.window_s == 3600 else 24
    parts = {mean: parse(mean) for mean in means(hours, edition_of(wanted)).values()}
    return {mean: part for mean, part in parts.items() if part is not None and source(part, points) is not None}


def edition_of(wanted: Wanted) -> Edition:
    return "2012" if wanted.quantity.endswith("_2012") else "2026"


class AirIndex:
    """One index of one device, out of windows that the board keeps."""

    def __init__(self, wanted: Wanted, parts: Mapping[str, Mean]) -> None:
        self.wanted = wanted
        self._edition = edition_of(wanted)
        self._parts = parts

    def index(self, now: Moment) -> Index | None:
        """None when no pollutant has enough valid samples."""
        return self._index(self._seen(now))

    def value(self, now: Moment) -> Statistic:
        seen = self._seen(now)
        found = self._index(seen)
        heard = [part.at for part in seen.values() if part.at is not None]
        at = min(heard, key=lambda moment: moment.mono_ns, default=None)
        valid, n = min(part.valid for part in seen.values()), min(part.n for part in seen.values())
        if found is None:
            return Statistic(None, valid, n, at)
        return Statistic(float(found.aqi), valid, n, at, lower_bound=not found.complete)

    def _seen(self, now: Moment) -> dict[str, Statistic]:
        return {mean: part.value(now) for mean, part in self._parts.items()}

    def _index(self, seen: Mapping[str, Statistic]) -> Index | None:
        amounts = {
            mean: _amount(mean, part.value)
            for mean, part in seen.items()
            if part.value is not None and part.valid >= ENOUGH
        }
        return index(amounts, self._edition) if amounts else None


def _amount(mean: str, value: float) -> float:
    """Particles are measured in ug/m3, gases in ppm; a sensor's zero may lie a little below none."""
    pollutant = mean.rpartition("_")[0]
    return max(0.0, value if pollutant.startswith("pm") else mass(pollutant, value))
