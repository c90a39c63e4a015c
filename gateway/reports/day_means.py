"""Air, climate and vibration of one day from its minute records: hourly and daily means, and the air quality index.

A daily mean is that of the accepted hours (75 % of the samples), each counting the same, and needs 20 of them. The
index of a day takes each pollutant's daily mean; of ozone the largest mean of 8 h, of those that end from 08:00 on,
each of at least 6 accepted hours, of which there must be 14. With pollutants missing it is a lower bound.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from drivers.base import quantity_of
from gateway.environment import air, aqi, noise
from gateway.environment.air import HOUR_S, HOURS_OF_A_DAY, Mean
from gateway.environment.minutes import Minute, Sum, kind_of

EIGHT_H, EIGHT_NEEDED, EIGHTS_NEEDED = 8, 6, 14


@dataclass(frozen=True, slots=True)
class DayMean:
    point: str
    mean: Mean
    low: float | None
    high: float | None
    valid: float  # share of the samples due


class DayMeans:
    """Told every minute of a day from `start_s`; keeps a sum for each hour of each point."""

    def __init__(self, start_s: int, hours: int) -> None:
        self._start_s, self._hours = start_s, hours
        self._sums: dict[str, dict[int, Sum]] = {}
        self.recorded: set[int] = set()  # starts of the minutes that have any record

    def add(self, minute: Minute) -> None:
        self.recorded.add(minute.start_s)
        if noise.is_noise(minute.point) or kind_of(minute.point) not in ("mean", "rms"):
            return
        hour = (minute.start_s - self._start_s) // HOUR_S
        hours = self._sums.setdefault(minute.point, {})
        if hour not in hours:
            hours[hour] = Sum()
        hours[hour].add(minute)

    def rows(self) -> Iterator[DayMean]:
        for point in sorted(self._sums):
            whole = Sum()
            for each in self._sums[point].values():
                whole.join(each)
            day = whole.period(self._hours * 60)
            yield DayMean(point, air.day_mean(self._means(point), due=self._hours), day.low, day.high, day.valid)

    def indices(self, edition: aqi.Edition = "2026") -> Iterator[tuple[str, aqi.Index]]:
        """The index of each device that has one."""
        devices: dict[str, dict[str, float]] = {}
        names = aqi.means(24, edition)
        for point in sorted(self._sums):
            device, _, name = point.partition("/")
            pollutant = quantity_of(name)
            if pollutant not in names or name != pollutant:
                continue
            value = self._of_day(point, pollutant)
            if value is not None:
                gas = not pollutant.startswith("pm")
                amount = aqi.mass(pollutant, value) if gas else value
                devices.setdefault(device, {})[names[pollutant]] = max(0.0, amount)
        yield from ((device, aqi.index(amounts, edition)) for device, amounts in devices.items())

    def _of_day(self, point: str, pollutant: str) -> float | None:
        means = self._means(point)
        if pollutant == "o3":
            return largest_of_8_h([mean.value for mean in means])
        return air.day_mean(means, HOURS_OF_A_DAY, self._hours).value

    def _means(self, point: str) -> list[Mean]:
        """Of each hour, in order."""
        hours = self._sums[point]
        return [
            air.hour_mean(hours[hour].period(60)) if hour in hours else Mean(None, 0.0, 0, 0)
            for hour in range(self._hours)
        ]


def largest_of_8_h(hours: Sequence[float | None]) -> float | None:
    """Of a day's hourly means, from midnight on; None where too few windows of 8 h are known."""
    found = []
    for end in range(EIGHT_H, len(hours) + 1):
        known = [value for value in hours[end - EIGHT_H : end] if value is not None]
        if len(known) >= EIGHT_NEEDED:
            found.append(math.fsum(known) / len(known))
    return max(found) if len(found) >= EIGHTS_NEEDED else None
