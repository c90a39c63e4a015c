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
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass, field
from functools import lru_cache
from itertools import accumulate
from typing import Any, Literal

from drivers.base import quantity_of
from drivers.quantities import QUANTITIES
from gateway.environment import acoustics
from gateway.environment.acoustics import MICRO
from gateway.environment.noise_events import NoiseEvent
from gateway.moment import ClockState

MINUTE_S = 60
MISSING = "missing"
FORM = 1

Kind = Literal["energy", "extreme", "rms", "mean", "none"]
_NO_MEAN = {"wind_direction", "rain", "frequency"}  # degrees go round, a total only grows
_RMS = {"velocity", "acceleration"}
_EXTREMES = {"lamax", "lamin", "lpeak"}
WORST = (ClockState.SYNCHRONISED, ClockState.UNSYNCHRONISED, ClockState.FLOOR)


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


class Steps(Mapping[int, int]):
    """A histogram as it is recorded, [step, how often, step, how often ...]: only who asks for it pays for it."""

    __slots__ = ("_steps",)

    def __init__(self, steps: Sequence[int]) -> None:
        """Raises ValueError for a step without a count."""
        if len(steps) % 2:
            raise ValueError(f"{len(steps)} numbers are no histogram")
        self._steps = steps

    def pairs(self) -> Iterable[tuple[int, int]]:
        """Hundredths of a decibel and how often, from the lowest."""
        return zip(accumulate(self._steps[::2]), self._steps[1::2], strict=True)

    def __getitem__(self, hundredths: int) -> int:
        return dict(self.pairs())[hundredths]

    def __iter__(self) -> Iterator[int]:
        return accumulate(self._steps[::2])

    def __len__(self) -> int:
        return len(self._steps) // 2

    def __hash__(self) -> int:
        return hash(tuple(self._steps))


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

    def add(self, minute: Minute, *, events: bool = True) -> None:
        """`events`: its single noises as well."""
        if self.point not in (None, minute.point):
            raise ValueError(f"records of {self.point} and of {minute.point} cannot be one period")
        self.point = minute.point
        self.starts.add(minute.start_s)
        self.due += minute.due
        self.n += minute.n
        self.total += minute.total
        sums, levels = self.levels, minute.levels
        known = sums.get
        for hundredths, often in levels.pairs() if isinstance(levels, Steps) else levels.items():
            sums[hundredths] = known(hundredths, 0) + often
        if minute.set_aside:
            self.set_aside.update(minute.set_aside)
        if minute.clock is not self.clock:
            self.clock = max(self.clock, minute.clock, key=WORST.index)
        if events and minute.events:
            self.events.update((event.start_ms, event) for event in minute.events)
        if minute.low is not None and minute.high is not None and minute.last is not None:
            if self.low is None or minute.low < self.low:
                self.low = minute.low
            if self.high is None or minute.high > self.high:
                self.high = minute.high
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
        self.clock = max(self.clock, other.clock, key=WORST.index)
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
    clock = WORST.index(minute.clock)
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
    found = tuple(NoiseEvent(*event) for event in events)
    return Minute(point, start_s, due, n, total, low, high, last, Steps(steps), set_aside, WORST[clock], found)
