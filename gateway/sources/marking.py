"""From what a driver says to what the gateway knows: warm-up, frames without a check, names and moments. Pure."""

from __future__ import annotations

from drivers.agreement import Agreement
from drivers.base import Driver, Measurement, Quality
from gateway.moment import Moment
from gateway.values import Reading, Readings

WARM_UP = "warm-up"


class Marking:
    """One device's. Whether a device was warm before the gateway began cannot be known: it then counts as cold."""

    def __init__(self, device: str, driver: Driver) -> None:
        self._device = device
        self._warm_up_s = driver.warm_up_s
        self._agreement = None if driver.checked else Agreement()
        self._up: Moment | None = None

    def lost(self) -> None:
        """The device was away: it may come back cold, and what it said before proves nothing."""
        self._up = None
        if self._agreement:
            self._agreement.clear()

    def mark(self, found: list[Measurement], at: Moment) -> Readings:
        self._up = self._up or at
        if at.seconds_since(self._up) < self._warm_up_s:
            return Readings(self._device, tuple(self._cold(measurement, at) for measurement in found))
        judged = self._agreement.judge(found) if self._agreement else found
        return Readings(self._device, tuple(self._reading(measurement, at) for measurement in judged))

    def _reading(self, found: Measurement, at: Moment) -> Reading:
        return Reading(f"{self._device}/{found.name}", found.value, found.quality, at, found.reason)

    def _cold(self, found: Measurement, at: Moment) -> Reading:
        reason = found.reason if found.quality is Quality.INVALID else WARM_UP
        return Reading(f"{self._device}/{found.name}", found.value, Quality.INVALID, at, reason)
