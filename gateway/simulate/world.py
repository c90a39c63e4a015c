"""The levels of a simulated venue over time: a base, a slow wandering about it, and what somebody changed.

Pure: time is passed in. Seeded by the point's name, so that two runs of one scenario look alike.
"""

from __future__ import annotations

import math
import random
from collections.abc import Mapping
from dataclasses import dataclass

from drivers.base import Driver, quantity_of
from drivers.quantities import QUANTITIES
from gateway.catalogue import say
from gateway.errors import Refused
from gateway.moment import Moment


@dataclass(frozen=True, slots=True)
class Habit:
    """How a quantity behaves by itself: about `base`, by `spread` (standard deviation), over `tau_s` seconds."""

    base: float
    spread: float = 0.0
    tau_s: float = 600.0
    lowest: float = 0.0


# An ordinary June day on the Guangdong coast; a quantity that is not here stands still at 1.
HABITS: dict[str, Habit] = {
    "laf": Habit(46.5, 1.6, 3.0, 30.0),
    "las": Habit(46.5, 1.0, 6.0, 30.0),
    "laeq": Habit(47.0, 0.6, 60.0, 30.0),
    "lamax": Habit(52.0, 1.5, 60.0, 30.0),
    "lamin": Habit(43.0, 0.8, 60.0, 30.0),
    "lcf": Habit(55.0, 1.6, 3.0, 30.0),
    "lzf": Habit(57.0, 1.6, 3.0, 30.0),
    "lpeak": Habit(66.0, 3.0, 3.0, 30.0),
    "pm1": Habit(11, 1.0),
    "pm2_5": Habit(18, 1.5),
    "pm4": Habit(24, 1.8),
    "pm10": Habit(31, 2.5),
    "pm100": Habit(42, 4.0),
    "particles": Habit(120, 10.0),
    "particle_size": Habit(0.55, 0.02),
    "co2": Habit(620, 25.0),
    "eco2": Habit(600, 25.0, lowest=400),
    "tvoc": Habit(90, 8.0),
    "voc_raw": Habit(30000, 60.0),
    "hcho": Habit(22, 2.0),
    "hcho_ppb": Habit(18, 2.0),
    "o2": Habit(20.9),
    "temperature": Habit(27.4, 0.25, lowest=-40),
    "humidity": Habit(74.0, 1.2),
    "pressure": Habit(1004.6, 0.4),
    "illuminance": Habit(420, 25.0),
    "object_temperature": Habit(27.5, 0.05, 4.0),  # the wall behind whoever walks by
    "body_temperature": Habit(27.5, 0.05, 4.0),
    "ambient_temperature": Habit(28.3, 0.15),
    "velocity": Habit(0.1, 0.03, 5.0),
    "acceleration": Habit(0.02, 0.004, 5.0),
    "displacement": Habit(3, 1.0, 5.0),
    "frequency": Habit(20.0, 1.0, 5.0),
    "wind_speed": Habit(2.4, 0.7, 20.0),
    "wind_force": Habit(2, 0.4, 20.0),
    "wind_direction": Habit(135, 12.0, 60.0),
    "rain": Habit(0.0),
    "radiation": Habit(540, 30.0),
    "water": Habit(0),
    "capacitance": Habit(1.5, 0.02),
    "voltage": Habit(12.4, 0.02),
    "current": Habit(0.45, 0.02),
    "charge": Habit(96),
    "on_battery": Habit(0),
    "battery_low": Habit(0),
    "chip_temperature": Habit(41.0, 0.4),
    "input": Habit(0),
}
_STILL = Habit(1.0)
STAY_S, GAP_S = (2.2, 4.0), (2.2, 6.0)  # of people before an entry thermometer
WARMEST = 36.9
_GROWING = ("pm1", "pm2_5", "pm4", "pm10", "pm100")  # each counts the one before it too


class Level:
    """One point's value over time."""

    def __init__(self, name: str, habit: Habit) -> None:
        self._habit = habit
        self._random = random.Random(name)  # noqa: S311  a repeatable play, not a secret
        self._from, self._to = habit.base, habit.base
        self._began: Moment | None = None
        self._over_s = 0.0
        self._swing = 0.0
        self._last: Moment | None = None
        self._held: float | None = None

    def move(self, to: float, over_s: float, now: Moment) -> None:
        """Wander about `to` from now on, going there in `over_s` seconds."""
        self._from, self._to, self._began, self._over_s, self._held = self._base(now), to, now, over_s, None

    def hold(self, value: float) -> None:
        """Stand at exactly `value` until told otherwise."""
        self._held = value

    def free(self) -> None:
        self._held = None

    def at(self, now: Moment) -> float:
        if self._held is not None:
            return self._held
        return max(self._base(now) + self._wander(now), self._habit.lowest)

    def _base(self, now: Moment) -> float:
        if self._began is None or self._over_s <= 0:
            return self._to
        share = min(max(now.seconds_since(self._began) / self._over_s, 0.0), 1.0)
        return self._from + (self._to - self._from) * share

    def _wander(self, now: Moment) -> float:
        """An Ornstein-Uhlenbeck process, stepped exactly, so that it does not depend on how often it is asked."""
        if self._last is None:
            self._swing = self._random.gauss(0.0, self._habit.spread)
        else:
            keep = math.exp(-max(now.seconds_since(self._last), 0.0) / self._habit.tau_s)
            self._swing = self._swing * keep + self._random.gauss(0.0, self._habit.spread * math.sqrt(1 - keep * keep))
        self._last = now
        return self._swing


class Visitors(Level):
    """What an entry thermometer sees: people who walk by one after the other, none with a fever, and a wall between.

    Slow enough that a thermometer asked once a second sees each of them twice.
    """

    _skin: float | None = None
    _turn: Moment | None = None  # when the next one comes, or this one goes

    def at(self, now: Moment) -> float:
        wall = super().at(now)
        if self._turn is None:
            self._turn = now.after(self._random.uniform(*GAP_S))
        while self._turn.mono_ns <= now.mono_ns:
            self._skin = None if self._skin is not None else min(self._random.gauss(36.4, 0.2), WARMEST)
            self._turn = self._turn.after(self._random.uniform(*(GAP_S if self._skin is None else STAY_S)))
        return wall if self._held is not None or self._skin is None else max(wall, self._skin)


def level_of(device: str, point: str) -> Level:
    quantity = quantity_of(point) or ""
    entrance = quantity in ("object_temperature", "body_temperature") and not point.endswith(("_min", "_2"))
    kind = Visitors if entrance else Level
    return kind(f"{device}/{point}", HABITS.get(quantity, _STILL))


class DeviceWorld:
    """The levels of all points of one device."""

    def __init__(self, device: str, driver: Driver) -> None:
        self.device = device
        self._levels = {point: level_of(device, point) for point in driver.points}

    def level(self, point: str | None) -> Level:
        """A point's level; without a name, the device's first and main point."""
        if point is None:
            return next(iter(self._levels.values()))
        if point not in self._levels:
            raise Refused(
                say(
                    "{device} has no point {point}; it has {points}",
                    device=self.device,
                    point=point,
                    points=", ".join(self._levels),
                )
            )
        return self._levels[point]

    def free(self) -> None:
        """Let every level that was held move by itself again."""
        for level in self._levels.values():
            level.free()

    def values(self, now: Moment) -> Mapping[str, float]:
        """What the device would measure now, in steps that mean anything to people."""
        values = {point: _rounded(point, level.at(now)) for point, level in self._levels.items()}
        least = 0.0
        for point in _GROWING:
            if point in values:
                least = values[point] = max(values[point], least)
        return values


def _rounded(point: str, value: float) -> float:
    quantity = QUANTITIES[quantity_of(point) or "input"]
    return round(round(value / quantity.step) * quantity.step, 6)
