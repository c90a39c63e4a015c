"""Minute records: what one point did in one whole minute of the wall clock, small enough to keep and to add up. Pure.

Every longer period (10 min, hour, session, day, night, month) is `combine`d from them, exactly: sums are whole numbers,
levels keep their histogram in hundredths of a decibel. Only good samples count; the others are kept as numbers beside
their reason, so that no average over a gap looks complete.

The clock may jump: each sample is counted once, in the minute that its own wall time names. A minute that is lived
again after the clock was set back becomes a further record of the same start, and `combine` adds it.
"""

from __future__ import annotations

import json
import math
import zlib
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import astuple, dataclass, field
from functools import lru_cache
from typing import Any, Literal

from drivers.base import Quality, quantity_of
from drivers.quantities import QUANTITIES
from gateway import acoustics
from gateway.acoustics import MICRO
from gateway.moment import NANO, ClockState, Moment
from gateway.noise_events import RISE_DB, EventFinder, NoiseEvent
from gateway.values import Reading

MINUTE_S = 60
GRACE_S = 2  # a reading may be so long under way to the record
MISSING = "missing"
FORM = 1

Kind = Literal["energy", "extreme", "rms", "mean", "none"]
_NO_MEAN = {"wind_direction", "rain", "frequency"}  # degrees go round, a total only grows
_RMS = {"velocity", "acceleration"}
_EXTREMES = {"lamax", "lamin", "lpeak"}
_HUGE = 1e12  # no quantity's number
_SLEW_MS = 100  # a wall clock that is being drawn right makes minutes longer by less than this
_MOST_FILLED = 5  # silent minutes entered at once: more have passed only where the clock was set or the machine slept
_REMEMBERED = 180  # minutes of a point that are known to be recorded
_WORST = (ClockState.SYNCHRONISED, ClockState.UNSYNCHRONISED, ClockState.FLOOR)


@lru_cache(maxsize=1024)
def kind_of(point: str) -> Kind | None:
    """How samples of a point are put together; None for what has no minute records (not of the environment)."""
    quantity = quantity_of(point.rpartition("/")[2])
    if quantity is None or QUANTITIES[quantity].stream != "environment":
        return None
    if quantity in _NO_MEAN:
        return "none"
    if quantity in _RMS:
        return "rms"
    if quantity in _EXTREMES:
        return "extreme"
    return "energy" if QUANTITIES[quantity].unit.startswith("dB") else "mean"


@dataclass(frozen=True, slots=True)
class Minute:
    """One minute of one point. `start_s`: seconds since 1970, a multiple of 60."""

    point: str
    start_s: int
    due: int  # samples that should have come
    n: int  # good samples
    total: int  # whole millionths: of energies 10^(L/10) for levels; squares of millionths for rms; else of values
    low: float | None
    high: float | None
    last: float | None
    levels: Mapping[int, int] = field(default_factory=dict)  # levels only: hundredths of a decibel -> how often
    set_aside: Mapping[str, int] = field(default_factory=dict)  # reason -> samples that are not counted
    clock: ClockState = ClockState.SYNCHRONISED  # the worst of the minute
    events: tuple[NoiseEvent, ...] = ()  # levels only: those that were over in this minute


@dataclass(frozen=True, slots=True)
class Period:
    """What `combine` makes of minutes of one point. A value is None where there is none."""

    point: str
    start_s: int
    end_s: int
    due: int
    n: int
    total: int
    low: float | None  # of polled levels an upper bound of the true minimum …
    high: float | None  # … and a lower bound of the true maximum (`lmax_sampled`): proves an excess, never a compliance
    last: float | None
    levels: Mapping[int, int]
    set_aside: Mapping[str, int]
    clock: ClockState
    events: tuple[NoiseEvent, ...] = ()  # by their begin, each once

    @property
    def valid(self) -> float:
        """The share of the samples due that were good."""
        return min(1.0, self.n / self.due) if self.due else float(self.n > 0)

    @property
    def laeq(self) -> float | None:
        """The energy mean, in dB to 0.01; None for what is no level."""
        return acoustics.level(self.total, self.n) if kind_of(self.point) == "energy" else None

    @property
    def mean(self) -> float | None:
        """The arithmetic mean; of velocity and acceleration the root of the mean square; never of levels."""
        kind = kind_of(self.point)
        if not self.n or kind not in ("mean", "rms"):
            return None
        mean = self.total / self.n / MICRO
        return round(mean if kind == "mean" else math.sqrt(self.total / self.n) / MICRO, 6)

    @property
    def sd(self) -> float | None:
        """The standard deviation of the sampled levels, with n - 1."""
        return acoustics.deviation(self.levels)

    def exceeded(self, percent: float) -> float | None:
        """L_N: the level exceeded for `percent` of the samples, of rank ceil(N n / 100) from the loudest."""
        return acoustics.exceeded(self.levels, self.n, percent) if self.levels else None


def combine(minutes: Iterable[Minute], whole_minutes: int | None = None) -> Period:
    """All records of one point, in any order. Raises ValueError for records of several points (see `Sum.period`)."""
    whole = Sum()
    for minute in minutes:
        whole.add(minute)
    return whole.period(whole_minutes)


@dataclass(slots=True)
class Sum:
    """Records of one point, added up as they come; none is kept, so that a month takes no memory."""

    point: str | None = None
    starts: set[int] = field(default_factory=set)
    due: int = 0
    n: int = 0
    total: int = 0
    low: float | None = None
    high: float | None = None
    last: tuple[int, float] | None = None  # with the start of its minute
    levels: dict[int, int] = field(default_factory=dict)
    set_aside: Counter[str] = field(default_factory=Counter)
    clock: ClockState = ClockState.SYNCHRONISED
    events: dict[int, NoiseEvent] = field(default_factory=dict)  # after a restart one may have been found twice

    def add(self, minute: Minute) -> None:
        if self.point not in (None, minute.point):
            raise ValueError(f"records of {self.point} and of {minute.point} cannot be one period")
        self.point = minute.point
        self.starts.add(minute.start_s)
        self.due += minute.due
        self.n += minute.n
        self.total += minute.total
        for hundredths, often in minute.levels.items():
            self.levels[hundredths] = self.levels.get(hundredths, 0) + often
        if minute.set_aside:
            self.set_aside.update(minute.set_aside)
        if minute.clock is not self.clock:
            self.clock = max(self.clock, minute.clock, key=_WORST.index)
        for event in minute.events:
            self.events[event.start_ms] = event
        if minute.low is not None and minute.high is not None and minute.last is not None:
            self.low = minute.low if self.low is None else min(self.low, minute.low)
            self.high = minute.high if self.high is None else max(self.high, minute.high)
            if self.last is None or minute.start_s >= self.last[0]:
                self.last = minute.start_s, minute.last

    def join(self, other: Sum) -> None:
        """Add what another one has, of the same point."""
        self.point = self.point or other.point
        self.starts |= other.starts
        self.due += other.due
        self.n += other.n
        self.total += other.total
        for hundredths, often in other.levels.items():
            self.levels[hundredths] = self.levels.get(hundredths, 0) + often
        self.set_aside.update(other.set_aside)
        self.clock = max(self.clock, other.clock, key=_WORST.index)
        self.events |= other.events
        if other.low is not None and other.high is not None:
            self.low = other.low if self.low is None else min(self.low, other.low)
            self.high = other.high if self.high is None else max(self.high, other.high)
        self.last = max((last for last in (self.last, other.last) if last is not None), default=None)

    def period(self, whole_minutes: int | None = None) -> Period:
        """`whole_minutes`: how many it has; those without a record (the gateway was off) are then due as well."""
        recorded, due = len(self.starts), self.due
        if whole_minutes is not None and 0 < recorded < whole_minutes:
            due += round((whole_minutes - recorded) * due / recorded)
        # Of samples on the edge of two minutes one may seem to lack here and be too many there.
        others = sum(count for reason, count in self.set_aside.items() if reason != MISSING)
        aside = {**self.set_aside, MISSING: max(0, due - self.n - others)}
        return Period(
            point=self.point or "",
            start_s=min(self.starts, default=0),
            end_s=max(self.starts) + MINUTE_S if self.starts else 0,
            due=due,
            n=self.n,
            total=self.total,
            low=self.low,
            high=self.high,
            last=None if self.last is None else self.last[1],
            levels=self.levels,
            set_aside={reason: count for reason, count in aside.items() if count},
            clock=self.clock,
            events=tuple(self.events[start] for start in sorted(self.events)),
        )


# ---- making ---------------------------------------------------------------------------------------------------------


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
            self.clock = max(self.clock, at.clock, key=_WORST.index)
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
    if not math.isfinite(value):
        return "invalid"
    if kind in ("energy", "extreme"):
        return None if acoustics.LOWEST_DB <= value <= acoustics.HIGHEST_DB else "invalid"
    return None if abs(value) < _HUGE else "invalid"


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


# ---- as bytes -------------------------------------------------------------------------------------------------------


def encode(minutes: Sequence[Minute]) -> bytes:
    """The bytes of some records: compressed JSON, levels as steps from one to the next."""
    return zlib.compress(json.dumps([FORM, [_row(m) for m in minutes]], separators=(",", ":")).encode(), 6)


def decode(data: bytes) -> list[Minute]:
    """The records of such bytes. Raises ValueError when they are none of this form."""
    try:
        form, rows, *_ = json.loads(zlib.decompress(data))
        if form == FORM:
            return [_minute(*row) for row in rows]
    except (zlib.error, ValueError, TypeError) as error:
        raise ValueError("not minute records") from error
    raise ValueError(f"minute records of form {form}, which is newer than this program")


def text_of(data: bytes) -> bytes:
    """The JSON of such bytes, as it was recorded; nothing when they are damaged."""
    try:
        return zlib.decompress(data)
    except zlib.error:
        return b""


def _row(minute: Minute) -> list[Any]:
    levels, before = [], 0
    for hundredths in sorted(minute.levels):
        levels += [hundredths - before, minute.levels[hundredths]]
        before = hundredths
    clock = _WORST.index(minute.clock)
    counts = [minute.point, minute.start_s, minute.due, minute.n, minute.total]
    row = [*counts, minute.low, minute.high, minute.last, clock, levels, dict(minute.set_aside)]
    return [*row, [astuple(event) for event in minute.events]] if minute.events else row


def _minute(
    point: str,
    start_s: int,
    due: int,
    n: int,
    total: int,
    low: float | None,
    high: float | None,
    last: float | None,
    clock: int,
    steps: list[int],
    set_aside: dict[str, int],
    events: Sequence[list[Any]] = (),
) -> Minute:
    levels, hundredths = {}, 0
    for step, often in zip(steps[::2], steps[1::2], strict=True):
        hundredths += step
        levels[hundredths] = often
    found = tuple(NoiseEvent(*event) for event in events)
    return Minute(point, start_s, due, n, total, low, high, last, levels, set_aside, _WORST[clock], found)
