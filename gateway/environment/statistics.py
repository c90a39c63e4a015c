"""Sliding statistics, renewed whenever they are asked for: what rules compare with limits.

A statistic's name is a point and a window, `laeq_1min`, as rules write it behind a device:

    laeq_10s laeq_1min laeq_1h       energy mean, of the meter's own laeq, else of polled laf or las
    l10_1h l50_10min l95_1h          level exceeded for that percentage of the samples (rank k = ceil(N n / 100))
    lmax_sampled_1min lmin_sampled…  extremes of polled levels: a lower bound of the true maximum, so it proves an
                                     excess and never a compliance
    lamax_1min lamin_1min lpeak_…    extremes of what the meter itself calls its maximum or minimum
    temperature_1min pm2_5_1h        arithmetic mean; of velocity and acceleration the root of the mean square
    temperature_max_1h …_min_1h      extremes
    co2_rate_10min                   change a minute, from the first to the last sample of the window
    aqi_1h aqi_24h aqi_2012_24h      air quality index of the hour's or the day's means (`air_index.py`)

A window is 120 slots of equal length, of which the newest is filling: it covers the last 119/120 to 120/120 of its
name, and memory and time a sample do not grow with it. Sums are whole numbers (energies of 0.01 dB, millionths of a
unit), so what is added and taken away leaves no drift. Time is monotonic: a wall clock that jumps changes nothing.
"""

from __future__ import annotations

import math
import re
from collections import deque
from collections.abc import Collection
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Literal, NamedTuple

from drivers.base import Quality, quantity_of
from drivers.quantities import QUANTITIES
from gateway.environment.acoustics import MICRO, energy, exceeded, level
from gateway.moment import NANO, Moment
from gateway.values import Reading

SLOTS = 120
Kind = Literal["energy", "rms", "mean", "max", "min", "rate", "exceeded", "above", "below", "index"]

_NAME = re.compile(r"^(?P<base>[a-z0-9_]+)_(?P<n>[1-9]\d{0,3})(?P<unit>s|min|h)$")
_UNIT_S = {"s": 1, "min": 60, "h": 3600}
_EXTREME = re.compile(r"^(?P<base>[a-z0-9_]+)_(?P<kind>max|min|rate)$")
_EXCEEDED = re.compile(r"^l(?P<percent>[1-9]\d?)$")
_EXTREMES: dict[str, Kind] = {"max": "max", "min": "min", "rate": "rate"}
_SAMPLED: dict[str, Kind] = {"lmax_sampled": "max", "lmin_sampled": "min"}
_OWN_EXTREME: dict[str, Kind] = {"lamax": "max", "lamin": "min", "lpeak": "max"}
_LEVELS = ("laf", "las", "laeq")  # what "the level" can be polled as, best first
_FEEDS = {"laeq": ("laeq", "laf", "las"), "level": _LEVELS}
_RMS = ("velocity", "acceleration")
_INDICES = ("aqi", "aqi_2012")  # HJ 633-2026, HJ 633-2012
_INDEX_S = (3600.0, 86400.0)
_POLLUTANTS = ("pm2_5", "pm10", "o3", "no2", "so2", "co")
_NO_MEAN = ("wind_direction", "rain", "frequency", "aqi")  # degrees go round, a total only grows


class Wanted(NamedTuple):
    """A statistic: of which point of a device ("level": whatever level is polled), which, over how long."""

    quantity: str
    kind: Kind
    window_s: float
    parameter: float = 0.0  # exceeded: per cent of the time; above and below: the limit

    @property
    def lower_bound(self) -> bool:
        """True for a maximum of polled levels: the true one may be higher."""
        return self.quantity == "level" and self.kind == "max"


@lru_cache(maxsize=4096)
def parse(name: str) -> Wanted | None:
    """What a statistic's name means; None when it is no statistic (a plain point, or nothing known)."""
    found = _NAME.match(name)
    if found is None:
        return None
    base, window_s = found["base"], float(int(found["n"]) * _UNIT_S[found["unit"]])
    if base in _INDICES:
        return Wanted(base, "index", window_s) if window_s in _INDEX_S else None
    if base in _SAMPLED:
        return Wanted("level", _SAMPLED[base], window_s)
    if exceeded := _EXCEEDED.match(base):
        return Wanted("level", "exceeded", window_s, float(exceeded["percent"]))
    if extreme := _EXTREME.match(base):
        return _extreme(extreme["base"], _EXTREMES[extreme["kind"]], window_s)
    kind = _mean_of(quantity_of(base))
    return None if kind is None else Wanted(base, kind, window_s)


def _extreme(base: str, kind: Kind, window_s: float) -> Wanted | None:
    """Extremes of levels have names that say what they are (lmax_sampled, lamax); only their rate is one of these."""
    quantity = quantity_of(base)
    if quantity in (None, "aqi") or (kind != "rate" and QUANTITIES[quantity].kind == "noise"):
        return None
    return Wanted(base, kind, window_s)


def _mean_of(quantity: str | None) -> Kind | None:
    """How samples of a quantity are put together over a window; None where no way is right."""
    if quantity is None or quantity in _NO_MEAN or quantity in ("laf", "las"):  # their mean is called laeq
        return None
    if quantity in _OWN_EXTREME:
        return _OWN_EXTREME[quantity]
    if quantity in _RMS:
        return "rms"
    return "energy" if QUANTITIES[quantity].unit.startswith("dB") else "mean"


def source(wanted: Wanted, points: Collection[str]) -> str | None:
    """The point of a device, of those it has, that feeds this statistic; None when it has none.

    Of an index, which has several: one that takes part in it.
    """
    if wanted.kind == "index":
        gases_only = wanted.quantity == "aqi_2012" and wanted.window_s == _INDEX_S[0]
        return next((name for name in _POLLUTANTS[2 if gases_only else 0 :] if name in points), None)
    quantity = "level" if wanted.quantity == "level" else quantity_of(wanted.quantity) or wanted.quantity
    channel = "" if quantity == "level" else wanted.quantity.removeprefix(quantity)
    names = [feed + channel for feed in _FEEDS.get(quantity, (quantity,))]
    return next((name for name in names if name in points), None)


@dataclass(frozen=True, slots=True)
class Statistic:
    """`value` is None when there was no good sample. `valid` is the share of the samples due that were good."""

    value: float | None
    valid: float
    n: int
    at: Moment | None = None  # of the newest good sample
    lower_bound: bool = False  # the true value may be higher


@dataclass(slots=True)
class _Slot:
    index: int
    n: int = 0
    total: int = 0
    low: float = math.inf
    high: float = -math.inf
    first: tuple[int, float] = (0, 0.0)
    last: tuple[int, float] = (0, 0.0)
    levels: dict[int, int] = field(default_factory=dict)  # hundredths of a decibel -> how often


class Window:
    """One statistic of one point. `every_s` is how often a sample is due."""

    def __init__(self, wanted: Wanted, every_s: float) -> None:
        self.wanted = wanted
        self._slot_ns = round(wanted.window_s * NANO) // SLOTS
        self._every_ns = round(every_s * NANO)
        self._slots: deque[_Slot] = deque()
        self._n = 0
        self._total = 0
        self._levels: dict[int, int] = {}
        self._newest: Moment | None = None

    def add(self, reading: Reading) -> None:
        """Only good, finite values are samples; everything else is missing from the valid share."""
        if reading.quality is not Quality.GOOD or reading.value is None or not math.isfinite(reading.value):
            return
        mono_ns, value = reading.at.mono_ns, reading.value
        self._forget(mono_ns)
        index = self._index(mono_ns)
        if not self._slots or index > self._slots[-1].index:
            self._slots.append(_Slot(index, first=(mono_ns, value)))
        slot = self._slots[-1]
        slot.n += 1
        slot.low, slot.high, slot.last = min(slot.low, value), max(slot.high, value), (mono_ns, value)
        amount = self._amount(value)
        slot.total += amount
        self._n += 1
        self._total += amount
        if self.wanted.kind == "exceeded":
            hundredths = round(value * 100)
            slot.levels[hundredths] = slot.levels.get(hundredths, 0) + 1
            self._levels[hundredths] = self._levels.get(hundredths, 0) + 1
        self._newest = reading.at

    def value(self, now: Moment) -> Statistic:
        self._forget(now.mono_ns)
        covered_ns = now.mono_ns - (self._index(now.mono_ns) - SLOTS) * self._slot_ns
        valid = min(1.0, self._n * self._every_ns / covered_ns)
        if self._n == 0:
            return Statistic(None, 0.0, 0, None)
        return Statistic(self._result(), valid, self._n, self._newest, self.wanted.lower_bound)

    def _index(self, mono_ns: int) -> int:
        """Slot i holds the times in (i - 1, i] slot lengths, so that a window that ends on its edge is a whole one."""
        return -(-mono_ns // self._slot_ns)

    def _forget(self, mono_ns: int) -> None:
        oldest = self._index(mono_ns) - SLOTS
        while self._slots and self._slots[0].index <= oldest:
            gone = self._slots.popleft()
            self._n -= gone.n
            self._total -= gone.total
            for hundredths, often in gone.levels.items():
                left = self._levels[hundredths] - often
                if left:
                    self._levels[hundredths] = left
                else:
                    del self._levels[hundredths]

    def _amount(self, value: float) -> int:
        kind = self.wanted.kind
        if kind == "energy":
            return energy(round(value * 100))
        if kind == "rms":
            return round(value * MICRO) ** 2
        if kind == "above":
            return int(value > self.wanted.parameter)
        if kind == "below":
            return int(value < self.wanted.parameter)
        return round(value * MICRO)

    def _result(self) -> float | None:
        kind = self.wanted.kind
        if kind == "energy":
            return level(self._total, self._n)
        if kind == "rms":
            return round(math.sqrt(self._total / self._n) / MICRO, 6)
        if kind in ("above", "below"):  # the share of the samples past the limit; rules alone ask for it
            return self._total / self._n
        if kind == "max":
            return max(slot.high for slot in self._slots)
        if kind == "min":
            return min(slot.low for slot in self._slots)
        if kind == "rate":
            return self._rate()
        if kind == "exceeded":
            return exceeded(self._levels, self._n, self.wanted.parameter)
        return round(self._total / self._n / MICRO, 6)

    def _rate(self) -> float | None:
        """A minute; None while the samples span less than half the window."""
        (first_ns, first), (last_ns, last) = self._slots[0].first, self._slots[-1].last
        span_s = (last_ns - first_ns) / NANO
        return round((last - first) / span_s * 60, 6) if span_s >= self.wanted.window_s / 2 else None
