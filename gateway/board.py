"""What is known now: the latest reading of every point, and every statistic that somebody watches.

One board belongs to the engine's thread. It is fed with readings and asked by name: `gate-noise/laf` for a point,
`gate-noise/laeq_1min` for a statistic.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import NamedTuple

from drivers.base import Quality, quantity_of
from drivers.quantities import QUANTITIES
from gateway.environment.acoustics import is_number
from gateway.environment.air_index import AirIndex, wanted_means
from gateway.environment.aqi import Index
from gateway.environment.statistics import Wanted, Window, parse, source
from gateway.moment import Moment
from gateway.values import Reading


class Instrument(NamedTuple):
    """What the board must know of a device: how often a sample is due, and its points' names."""

    every_s: float
    points: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Seen:
    """One point or statistic as it is known now. `value` may be compared only when `quality` is GOOD."""

    point: str
    value: float | None
    quality: Quality
    valid: float  # share of the samples due; 1 for a good reading of a plain point
    n: int
    at: Moment | None  # of the newest good sample
    reason: str | None = None
    lower_bound: bool = False  # a maximum of polled levels
    silent_s: float = 0.0  # since the last good sample, or since the board began
    still_s: float = 0.0  # how long every good sample was the same
    resolution: float = 0.0  # the step that the values seen so far lie on, at most 1; 0 for statistics


_GRIDS = (1.0, 0.5, 0.1, 0.01, 0.001)


def _grid(value: float) -> float:
    """The coarsest of the usual steps that the value lies on: 50.3 on 0.1; 50.0 on 1 until the device shows better."""
    return next((step for step in _GRIDS if abs(value / step - round(value / step)) < 1e-6), _GRIDS[-1])


class _Point:
    """The latest reading of a point, and how long it has stood still."""

    def __init__(self, name: str, every_s: float, begun: Moment) -> None:
        self.name = name
        self.in_decibels = unit_of(name).startswith("dB")
        self.max_age_s = max(3 * every_s, 5.0)  # older is stale (E4): one lost answer is not
        self.latest: Reading | None = None
        self.good: Reading | None = None
        self.heard = begun  # when the last good sample came
        self.still = begun  # since when it has been the same
        self.resolution = _GRIDS[0]
        self.windows: list[Window] = []

    def add(self, reading: Reading) -> None:
        if reading.value is not None and not self._is_value(reading, reading.value):
            reading = replace(reading, value=None, quality=Quality.INVALID, reason="not a number")
        self.latest = reading
        for window in self.windows:
            window.add(reading)
        if reading.quality is not Quality.GOOD or reading.value is None:
            return
        before = self.good.value if self.good is not None else None
        silent = reading.at.seconds_since(self.heard) > self.max_age_s
        if before is None or before != reading.value or silent:  # nobody knows what it did meanwhile
            self.still = reading.at
        if before != reading.value:
            self.resolution = min(self.resolution, _grid(reading.value))
        self.good, self.heard = reading, reading.at

    def _is_value(self, reading: Reading, value: float) -> bool:
        """What is good is compared and summed up; what is not may be out of range, and is shown with its reason."""
        good = reading.quality is Quality.GOOD
        return is_number(value, in_decibels=self.in_decibels) if good else math.isfinite(value)

    def seen(self, now: Moment) -> Seen:
        good, latest = self.good, self.latest
        silent_s = now.seconds_since(self.heard)
        still_s = 0.0 if good is None else good.at.seconds_since(self.still)
        value: float | None = None
        quality, reason = Quality.MISSING, "never heard"
        if latest is not None:
            value, quality, reason = latest.value, latest.quality, latest.reason or ""
            if now.seconds_since(latest.at) > self.max_age_s:
                value, quality, reason = None, Quality.MISSING, "stale"
        usable = quality is Quality.GOOD and value is not None
        return Seen(
            self.name,
            value,
            quality,
            1.0 if usable else 0.0,
            int(usable),
            good.at if good is not None else None,
            reason or None,
            silent_s=silent_s,
            still_s=still_s,
            resolution=self.resolution,
        )


class Board:
    """`devices` by name; the moment is when the board began, from which silence is counted."""

    def __init__(self, devices: Mapping[str, Instrument], begun: Moment) -> None:
        self._devices = devices
        self._points = {
            f"{device}/{name}": _Point(f"{device}/{name}", instrument.every_s, begun)
            for device, instrument in devices.items()
            for name in instrument.points
        }
        self._windows: dict[tuple[str, Wanted], Window] = {}
        self._by_name: dict[str, Window | AirIndex] = {}

    def watch(self, name: str) -> None:
        """Begin to keep a statistic; a plain point needs nothing. KeyError when no device has it."""
        if name not in self._points and name not in self._by_name:
            device, _, statistic = name.partition("/")
            wanted = parse(statistic)
            if wanted is None:
                raise KeyError(name)
            make = self._index if wanted.kind == "index" else self._window
            self._by_name[name] = make(device, wanted, name)

    def watch_share(self, point: str, wanted: Wanted) -> None:
        """Begin to keep the share of a point's samples past a limit (`wanted.kind` above or below)."""
        self._window(point.partition("/")[0], wanted, point)

    def add(self, reading: Reading) -> None:
        point = self._points.get(reading.point)
        if point is not None:
            point.add(reading)

    def seen(self, name: str, now: Moment) -> Seen:
        """KeyError when `name` is neither a point nor a statistic that is watched."""
        if name in self._points:
            return self._points[name].seen(now)
        return _seen(name, self._by_name[name], now)

    def share(self, point: str, wanted: Wanted, now: Moment) -> Seen:
        return _seen(point, self._windows[point.partition("/")[0], wanted], now)

    def index(self, name: str, now: Moment) -> Index | None:
        """An air quality index with its parts; None for any other statistic, or when it is not known."""
        window = self._by_name.get(name)
        return window.index(now) if isinstance(window, AirIndex) else None

    def measured(self, device: str) -> tuple[str, ...]:
        """The points that a device itself gives."""
        return tuple(name for name in self._points if name.startswith(f"{device}/"))

    def names(self) -> tuple[str, ...]:
        """Every point and every statistic that is watched."""
        return (*self._points, *self._by_name)

    def _index(self, device: str, wanted: Wanted, name: str) -> AirIndex:
        parts = wanted_means(wanted, self._devices[device].points)
        if not parts:
            raise KeyError(name)
        return AirIndex(wanted, {mean: self._window(device, part, name) for mean, part in parts.items()})

    def _window(self, device: str, wanted: Wanted, name: str) -> Window:
        if (device, wanted) not in self._windows:
            instrument = self._devices[device]
            feed = source(wanted, instrument.points)
            if feed is None:
                raise KeyError(name)
            window = Window(wanted, instrument.every_s)
            self._points[f"{device}/{feed}"].windows.append(window)
            self._windows[device, wanted] = window
        return self._windows[device, wanted]


def _seen(name: str, window: Window | AirIndex, now: Moment) -> Seen:
    got = window.value(now)
    quality = Quality.MISSING if got.value is None else Quality.GOOD
    reason = "no good sample" if got.value is None else None
    silent_s = window.wanted.window_s if got.at is None else now.seconds_since(got.at)
    bound = got.lower_bound
    return Seen(name, got.value, quality, got.valid, got.n, got.at, reason, lower_bound=bound, silent_s=silent_s)


@lru_cache(maxsize=4096)
def quantity_in(point: str) -> str | None:
    """The quantity that a point, or a statistic of one, is about."""
    name = point.rpartition("/")[2]
    wanted = parse(name)
    if wanted is None:
        return quantity_of(name)
    return "laeq" if wanted.quantity == "level" else quantity_of(wanted.quantity)


@lru_cache(maxsize=4096)
def unit_of(point: str) -> str:
    """The unit of a point, or of a statistic of one; empty when it is neither."""
    quantity = quantity_in(point)
    if quantity is None:
        return ""
    wanted = parse(point.rpartition("/")[2])
    unit = QUANTITIES[quantity].unit
    return f"{unit}/min" if wanted is not None and wanted.kind == "rate" else unit
