"""Single noise events in a row of sampled levels: begun, ended and judged as the samples come. Pure.

The background is L90 of the last ten recorded minutes. An event begins with a sample `rise_db` (10 dB) or more over it,
and ends with the last sample at least half of that over it, once 3 s have passed below. A gap of more than 5 s in the
samples ends it too, and so do ten minutes: what lasts longer is no event but the new background.

Told apart by what sampled levels can show, and by nothing else:

    impulse   at most 1 s
    short     at most 10 s (a horn, a shout)
    steady    longer, and all its levels within 3 dB (GB 12348-2008 calls such noise steady)
    varying   longer, and not steady
"""

from __future__ import annotations

import math
from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from gateway.environment import acoustics
from gateway.moment import NANO, Moment

EventKind = Literal["impulse", "short", "steady", "varying"]
KINDS: tuple[EventKind, ...] = ("impulse", "short", "steady", "varying")

RISE_DB = 10.0
BACKGROUND_MINUTES = 10
QUIET_S = 3.0
GAP_S = 5.0
LONGEST_S = 600.0
IMPULSE_S, SHORT_S = 1.0, 10.0
STEADY_DB = 3.0


@dataclass(frozen=True, slots=True)
class NoiseEvent:
    """Levels in dB(A). `lmax` is the largest sample: the true maximum may be higher."""

    start_ms: int  # since 1970
    duration_s: float
    lmax: float
    laeq: float
    lae: float
    background: float  # L90 of the ten minutes before
    kind: EventKind

    @property
    def rise(self) -> float:
        return round(self.lmax - self.background, 2)


@dataclass(slots=True)
class _Running:
    first: Moment
    last: Moment  # the last sample that belongs to it
    seen: Moment  # the last sample
    background: int
    floor: int  # from here on a sample belongs to it
    loud: list[int]  # hundredths of a decibel, up to `last`
    after: list[int]  # since then, not loud: part of it only if it becomes loud again


class EventFinder:
    """One point's events. `every_s`: how often it is sampled."""

    def __init__(self, every_s: float, rise_db: float = RISE_DB) -> None:
        self._every_s, self._rise = every_s, round(rise_db * 100)
        self._minutes: deque[Mapping[int, int]] = deque(maxlen=BACKGROUND_MINUTES)
        self._background: int | None = None
        self._running: _Running | None = None

    def recorded(self, levels: Mapping[int, int]) -> None:
        """A minute is over; `levels`: hundredths of a decibel -> how often."""
        if not levels:
            return
        self._minutes.append(levels)
        together: Counter[int] = Counter()
        for each in self._minutes:
            together.update(each)
        self._background = round(acoustics.exceeded(together, sum(together.values()), 90) * 100)

    def add(self, level: float, at: Moment) -> NoiseEvent | None:
        """A good sample; gives the event that is known to be over by it."""
        hundredths, running, over = round(level * 100), self._running, None
        if running is not None and self._is_over(running, hundredths, at):
            over, running = self._event(running), None
        if running is None:
            running = self._begun(hundredths, at)
        elif hundredths >= running.floor:
            running.loud += [*running.after, hundredths]
            running.after, running.last, running.seen = [], at, at
        else:
            running.after.append(hundredths)
            running.seen = at
        self._running = running
        return over

    def _is_over(self, running: _Running, hundredths: int, at: Moment) -> bool:
        gap = at.seconds_since(running.seen) > max(GAP_S, 2 * self._every_s)
        quiet = hundredths < running.floor and at.seconds_since(running.last) > QUIET_S
        return gap or quiet or at.seconds_since(running.first) >= LONGEST_S

    def _begun(self, hundredths: int, at: Moment) -> _Running | None:
        if self._background is None or hundredths < self._background + self._rise:
            return None
        floor = self._background + self._rise // 2
        return _Running(at, at, at, self._background, floor, [hundredths], [])

    def _event(self, running: _Running) -> NoiseEvent:
        duration_s = running.last.seconds_since(running.first) + self._every_s
        total = sum(acoustics.energy(each) for each in running.loud)
        laeq = 10 * math.log10(total / len(running.loud) / acoustics.MICRO)
        spread = (max(running.loud) - min(running.loud)) / 100
        return NoiseEvent(
            start_ms=running.first.wall_ns * 1000 // NANO,
            duration_s=round(duration_s, 2),
            lmax=max(running.loud) / 100,
            laeq=round(laeq, 2),
            lae=round(acoustics.exposure(laeq, duration_s), 2),
            background=running.background / 100,
            kind=_kind(duration_s, spread),
        )


def _kind(duration_s: float, spread_db: float) -> EventKind:
    if duration_s <= IMPULSE_S:
        return "impulse"
    if duration_s <= SHORT_S:
        return "short"
    return "steady" if spread_db <= STEADY_DB else "varying"


def counts(events: tuple[NoiseEvent, ...]) -> dict[EventKind, int]:
    """How many of each kind, every kind named."""
    found = Counter(event.kind for event in events)
    return {kind: found[kind] for kind in KINDS}
