"""What one meter said in the span of a report, taken record by record: a month needs little more memory than a day.

The histogram of each record is added once, to the sum of the stretch that it lies in: a stretch ends where any period
of the report begins or ends, so each period is made of whole stretches. What stays of the minute itself is its energy,
its maximum and its counts, in columns.
"""

from __future__ import annotations

import heapq
import math
from array import array
from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from gateway.environment import acoustics, noise
from gateway.environment.minutes import MINUTE_S, Minute
from gateway.environment.noise import HOUR_S, Adding, Hours
from gateway.environment.noise_events import KINDS, EventKind, NoiseEvent
from gateway.environment.periods import PeriodSpan
from gateway.moment import ClockState

MOST_EVENTS = 24  # that a page lists; all of them are in the bundle


class Aside(NamedTuple):
    """When nothing counted, and why; seconds since 1970."""

    reason: str
    spans: Sequence[tuple[int, int]]


class Track:
    """The minutes of one point in the order of time, with running sums: any window of a long report costs the same."""

    def __init__(self) -> None:
        self.starts = array("q")  # seconds since 1970; a minute lived twice stands twice
        self._highs = array("d")  # minus infinity where there was no sample
        self._totals = [0]  # running, like the next four; whole numbers without bound
        self._n, self._due, self._known, self._unset = (array("q", [0]) for _ in range(4))
        self._begun: set[int] = set()  # of single noises, ms since 1970
        self._over, self._kinds = array("q"), array("b")  # the minute in which each was over, and which kind it was
        self._loudest: list[tuple[float, int, NoiseEvent]] = []  # a heap

    def add(self, minute: Minute) -> None:
        new = not self.starts or self.starts[-1] != minute.start_s
        self.starts.append(minute.start_s)
        self._highs.append(-math.inf if minute.high is None else minute.high)
        self._totals.append(self._totals[-1] + minute.total)
        self._n.append(self._n[-1] + minute.n)
        self._due.append(self._due[-1] + minute.due)
        self._known.append(self._known[-1] + new)
        self._unset.append(self._unset[-1] + (minute.clock is not ClockState.SYNCHRONISED))
        for event in minute.events:
            self._note(event, minute.start_s)

    def _note(self, event: NoiseEvent, over_s: int) -> None:
        """After a restart one may have been found twice."""
        if event.start_ms in self._begun:
            return
        self._begun.add(event.start_ms)
        self._over.append(over_s)
        self._kinds.append(KINDS.index(event.kind))
        entry = event.lmax, -event.start_ms, event
        if len(self._loudest) < MOST_EVENTS:
            heapq.heappush(self._loudest, entry)
        else:
            heapq.heappushpop(self._loudest, entry)

    def laeq(self, begin_s: int, end_s: int) -> float | None:
        a, b = self._between(begin_s, end_s)
        return acoustics.level(self._totals[b] - self._totals[a], self._n[b] - self._n[a])

    def high(self, begin_s: int, end_s: int) -> float | None:
        a, b = self._between(begin_s, end_s)
        highest = max(self._highs[a:b], default=-math.inf)
        return highest if highest > -math.inf else None

    def valid(self, begin_s: int, end_s: int) -> float:
        """Good samples of those due; minutes without a record are due like the others."""
        a, b = self._between(begin_s, end_s)
        due = self._due[b] - self._due[a]
        known = (self._known[b] - self._known[a]) * MINUTE_S / (end_s - begin_s)
        return min(1.0, (self._n[b] - self._n[a]) / due * min(1.0, known)) if due else 0.0

    def recorded(self, begin_s: int, end_s: int) -> int:
        """How many records there are of this time."""
        a, b = self._between(begin_s, end_s)
        return b - a

    def unset(self, begin_s: int, end_s: int) -> int:
        """How many of them had a clock that no time source had set."""
        a, b = self._between(begin_s, end_s)
        return self._unset[b] - self._unset[a]

    def events(self, begin_s: int, end_s: int) -> Counter[EventKind]:
        """How many single noises of each kind were over in this time."""
        a, b = bisect_left(self._over, begin_s), bisect_left(self._over, end_s)
        return Counter(KINDS[kind] for kind in self._kinds[a:b])

    def loudest(self) -> list[NoiseEvent]:
        """The loudest single noises of all, in the order of time."""
        return sorted((event for _, _, event in self._loudest), key=lambda event: event.start_ms)

    def _between(self, begin_s: int, end_s: int) -> tuple[int, int]:
        return bisect_left(self.starts, begin_s), bisect_left(self.starts, end_s)


class Heard:
    """Owned by the report. `spans`: the periods that it tells; `aside`: when nothing counted."""

    def __init__(self, spans: Sequence[PeriodSpan], aside: Sequence[Aside]) -> None:
        self.tracks: dict[str, Track] = {}  # by the point's own name
        self._aside = [each for each in aside if each.spans]
        self._edges = sorted({at_s for span in spans for at_s in (span.start_s, span.end_s)}, reverse=True)
        self._stretch_s = 0  # where the present stretch begins
        self._stretches: dict[int, Adding] = {}  # by their begin

    def add(self, name: str, minute: Minute) -> None:
        """In the order of time."""
        for aside in self._aside:
            (minute,) = noise.set_aside([minute], aside.spans, aside.reason)
        while self._edges and self._edges[-1] <= minute.start_s:
            self._stretch_s = self._edges.pop()
        if self._stretch_s not in self._stretches:
            self._stretches[self._stretch_s] = Adding()
        if name not in self.tracks:
            self.tracks[name] = Track()
        self.tracks[name].add(minute)
        self._stretches[self._stretch_s].add(minute, events=False)  # the track has them

    def figures(self, span: PeriodSpan | None, whole_minutes: int) -> noise.Figures:
        """Of a span that was named at the start; None: of everything."""
        together = Adding()
        for begin_s, stretch in self._stretches.items():
            if span is None or span.has(begin_s):
                together.join(stretch)
        return together.figures(whole_minutes)

    def hours(self, span: PeriodSpan, needed: int, share: float) -> Hours:
        """Ld or Ln of a day or a night."""
        track = self.track(noise.EQUIVALENT)
        begins = range(span.start_s, span.end_s, HOUR_S)
        means = ((track.laeq(at_s, at_s + HOUR_S), track.valid(at_s, at_s + HOUR_S)) for at_s in begins)
        return noise.hours_of(means, span.start_s, span.end_s, needed, share)

    def track(self, names: Sequence[str]) -> Track:
        """The first of these points that the meter has; an empty one without any."""
        return next((self.tracks[name] for name in names if name in self.tracks), Track())
