"""Minute records in the making: readings in, records of whole minutes out, as the wall clock passes. Pure.

Each sample is counted once, in the minute that its own wall time names, whatever the clock does; due is what the
venue's configuration says should have come. A point that is known and says nothing has records that say so.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from drivers.base import Quality
from gateway.environment import acoustics
from gateway.environment.acoustics import MICRO
from gateway.environment.minutes import MINUTE_S, MISSING, WORST, Kind, Minute, kind_of
from gateway.environment.noise_events import RISE_DB, EventFinder, NoiseEvent
from gateway.moment import NANO, ClockState, Moment
from gateway.values import Reading

GRACE_S = 2  # a reading may be so long under way to the record
_SLEW_MS = 100  # a wall clock that is being drawn right makes minutes longer by less than this
_MOST_FILLED = 5  # silent minutes entered at once: more have passed only where the clock was set or the machine slept
_REMEMBERED = 180  # minutes of a point that are known to be recorded


@dataclass(slots=True)
class _Open:
    """A minute that is being lived."""

    n: int = 0
    total: int = 0
    low: float = math.inf
    high: float = -math.inf
    last: float | None = None
    levels: dict[int, int] = field(default_factory=dict)
    set_aside: dict[str, int] = field(default_factory=dict)
    clock: ClockState = ClockState.SYNCHRONISED
    first_ns: int = 0  # monotonic
    last_ns: int = 0
    events: list[NoiseEvent] = field(default_factory=list)

    def add(self, reading: Reading, kind: Kind, aside: str | None, finder: EventFinder | None) -> None:
        at = reading.at
        if not self.n and not self.set_aside:
            self.first_ns = at.mono_ns
        self.last_ns = at.mono_ns
        if at.clock is not self.clock:
            self.clock = max(self.clock, at.clock, key=WORST.index)
        reason = aside or _unusable(reading, kind)
        value = reading.value
        if reason is not None or value is None:
            reason = reason or MISSING
            self.set_aside[reason] = self.set_aside.get(reason, 0) + 1
            return
        self.n += 1
        self.low, self.high, self.last = min(self.low, value), max(self.high, value), value
        if kind == "energy":
            hundredths = round(value * 100)
            self.levels[hundredths] = self.levels.get(hundredths, 0) + 1
            self.total += acoustics.energy(hundredths)
            if finder is not None and (event := finder.add(value, at)) is not None:
                self.events.append(event)
        elif kind == "rms":
            self.total += round(value * MICRO) ** 2
        elif kind == "mean":
            self.total += round(value * MICRO)

    @property
    def seen(self) -> int:
        return self.n + sum(self.set_aside.values())

    def record(self, point: str, start_s: int, due: int) -> Minute:
        missing = due - self.seen
        aside = self.set_aside | ({MISSING: self.set_aside.get(MISSING, 0) + missing} if missing > 0 else {})
        low, high = (self.low, self.high) if self.n else (None, None)
        numbers = (self.n, self.total, low, high, self.last)
        return Minute(point, start_s, due, *numbers, self.levels, aside, self.clock, tuple(self.events))


def _unusable(reading: Reading, kind: Kind) -> str | None:
    """Why a reading is no sample; None when it is one."""
    if reading.quality is not Quality.GOOD:
        return reading.reason or reading.quality.value
    value = reading.value
    if value is None:
        return MISSING
    return None if acoustics.is_number(value, in_decibels=kind in ("energy", "extreme")) else "invalid"


class MinuteMaker:
    """Makes minute records of readings as they come. Owned by one thread.

    `every_s`: how often a sample of each device is due; others make no records. `aside` may name a reason why a reading
    does not count (wind, rain, calibration). Of levels it also finds the single events.
    """

    def __init__(
        self,
        every_s: Mapping[str, float] | None = None,
        aside: Callable[[Reading], str | None] = lambda _: None,
        rise_db: float = RISE_DB,
    ) -> None:
        self._every_ms: dict[str, int] = {}
        self._finders: dict[str, EventFinder] = {}
        self._held: dict[str, tuple[Moment, str]] = {}
        self._open: dict[tuple[str, int], _Open] = {}
        self._recorded: dict[str, deque[int]] = {}  # by point: starts of minutes that have a record
        self._over_s: int | None = None  # every minute that ended by then is closed
        self._rise_db = rise_db
        self.configure(every_s or {}, aside, rise_db)

    def configure(
        self,
        every_s: Mapping[str, float],
        aside: Callable[[Reading], str | None] = lambda _: None,
        rise_db: float = RISE_DB,
    ) -> None:
        """From now on samples are due so often; points of devices that are gone fall silent without being missed."""
        before, self._every_ms = self._every_ms, {each: max(1, round(s * 1000)) for each, s in every_s.items()}
        self._aside = aside
        for point in [point for point in self._recorded if _device(point) not in self._every_ms]:
            del self._recorded[point]
        if rise_db != self._rise_db or before != self._every_ms:
            self._rise_db = rise_db
            self._finders.clear()

    def add(self, reading: Reading) -> None:
        kind = kind_of(reading.point)
        if kind is None or _device(reading.point) not in self._every_ms:
            return
        start_s = reading.at.wall_ns // NANO // MINUTE_S * MINUTE_S
        minute = self._open.get((reading.point, start_s))
        if minute is None:
            minute = self._open[reading.point, start_s] = _Open()
            self._recorded.setdefault(reading.point, deque(maxlen=_REMEMBERED))
        finder = self._finder(reading.point) if kind == "energy" else None
        minute.add(reading, kind, self._aside(reading) or self._hold_of(reading), finder)

    def hold(self, device: str, until: Moment | None, reason: str) -> None:
        """Nothing of this device counts until then, for this reason; None: from now on it counts again."""
        self._held.pop(device, None)
        if until is not None:
            self._held[device] = until, reason

    def _hold_of(self, reading: Reading) -> str | None:
        until, reason = self._held.get(_device(reading.point), (None, None))
        return reason if until is not None and reading.at.mono_ns < until.mono_ns else None

    def _finder(self, point: str) -> EventFinder | None:
        finder = self._finders.get(point)
        if finder is None and (every_ms := self._every_ms.get(_device(point))) is not None:
            finder = self._finders[point] = EventFinder(every_ms / 1000, self._rise_db)
        return finder

    def recorded(self, minute: Minute) -> None:
        """This record was made before (by an earlier run)."""
        if _device(minute.point) in self._every_ms:
            if minute.levels and (finder := self._finder(minute.point)) is not None:
                finder.recorded(minute.levels)
            self._recorded.setdefault(minute.point, deque(maxlen=_REMEMBERED)).append(minute.start_s)

    def close(self, now: Moment) -> list[Minute]:
        """The records of all minutes that are over, in the order of time; also of known points that said nothing."""
        now_s = now.wall_ns // NANO
        over_s = (now_s - GRACE_S) // MINUTE_S * MINUTE_S
        records = []
        for point, start_s in sorted(self._open, key=lambda key: (key[1], key[0])):
            if start_s + MINUTE_S <= over_s:
                records.append(self._close(point, start_s, lived=False))
            elif start_s > now_s + MINUTE_S:  # the clock was set back: it may be lived again much later
                records.append(self._close(point, start_s, lived=True))
        records += self._silent(over_s)
        self._over_s = over_s
        return sorted(records, key=lambda minute: (minute.start_s, minute.point))

    def _close(self, point: str, start_s: int, *, lived: bool) -> Minute:
        minute = self._open.pop((point, start_s))
        recorded = self._recorded.get(point, deque())  # an empty one: its device left with a reload
        again = start_s in recorded
        every_ms = self._every_ms.get(_device(point))
        due = minute.seen if every_ms is None else _due(start_s, every_ms)
        span_ms = (minute.last_ns - minute.first_ns) // MICRO
        # Lived in part, again, or for longer than a minute (the clock was set): then due is what its own time held.
        if every_ms is not None and (again or lived or span_ms > MINUTE_S * 1000 + _SLEW_MS):
            due = max(minute.seen, round(span_ms / every_ms) + 1)
        if not lived:
            recorded.append(start_s)
        if minute.levels and (finder := self._finder(point)) is not None:
            finder.recorded(minute.levels)
        return minute.record(point, start_s, due)

    def _silent(self, over_s: int) -> list[Minute]:
        if self._over_s is None or over_s - self._over_s > _MOST_FILLED * MINUTE_S:
            return []
        records = []
        for start_s in range(self._over_s, over_s, MINUTE_S):
            for point, starts in self._recorded.items():
                due = _due(start_s, self._every_ms[_device(point)])
                if due and starts and starts[0] < start_s and start_s not in starts:
                    starts.append(start_s)
                    records.append(_Open().record(point, start_s, due))
        return records


def _device(point: str) -> str:
    return point.partition("/")[0]


def _due(start_s: int, every_ms: int) -> int:
    """Samples due in a minute: over any number of minutes they add up, also for a device that is asked every 40 s."""
    return (start_s + MINUTE_S) * 1000 // every_ms - start_s * 1000 // every_ms
