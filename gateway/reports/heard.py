"""What one meter said in the span of a report, taken record by record: a month needs little more memory than a day.

The histogram of each record is added once, to the sum of the stretch that it lies in: a stretch ends where any period
of the report begins or ends, so each period is made of whole stretches. What stays of the minute itself is its energy,
its extremes and its counts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from gateway import noise
from gateway.minutes import Minute
from gateway.noise import Adding
from gateway.periods import PeriodSpan

_NONE: Mapping[int, int] = {}


class Heard:
    """Owned by the report. `spans`: the periods that it tells; `calibrating`: when nothing counted."""

    def __init__(self, spans: Sequence[PeriodSpan], calibrating: Sequence[tuple[int, int]]) -> None:
        self.minutes: dict[str, list[Minute]] = {}
        self._calibrating = calibrating
        self._edges = sorted({at_s for span in spans for at_s in (span.start_s, span.end_s)}, reverse=True)
        self._stretch_s = 0  # where the present stretch begins
        self._stretches: dict[int, Adding] = {}  # by their begin

    def add(self, name: str, minute: Minute) -> None:
        """In the order of time."""
        if self._calibrating:
            (minute,) = noise.set_aside([minute], self._calibrating, "calibration")
        while self._edges and self._edges[-1] <= minute.start_s:
            self._stretch_s = self._edges.pop()
        if self._stretch_s not in self._stretches:
            self._stretches[self._stretch_s] = Adding()
        self._stretches[self._stretch_s].add(minute)
        self.minutes.setdefault(name, []).append(_lean(minute))

    def figures(self, span: PeriodSpan | None, whole_minutes: int) -> noise.Figures:
        """Of a span that was named at the start; None: of everything."""
        together = Adding()
        for begin_s, stretch in self._stretches.items():
            if span is None or span.has(begin_s):
                together.join(stretch)
        return together.figures(whole_minutes)


def _lean(m: Minute) -> Minute:
    """Without its histogram."""
    return Minute(m.point, m.start_s, m.due, m.n, m.total, m.low, m.high, m.last, _NONE, m.set_aside, m.clock)
