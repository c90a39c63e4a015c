"""Who is asked next on a shared line, and when. Pure: the time (seconds of any steady clock) is passed in.

    new         not heard yet: asked like a healthy one, but never two unheard ones in a row while a healthy one waits
    healthy     asked every `every_s`, in phase, at whole seconds; overdue ones in the order in which they fell due, so
                nobody starves
    one failure asked once more, soon, but not before its late answer must have come
    dead        probed after 2, 4, 8 ... 30 s

While anybody healthy is on the line, all that silent units cost it is at most a twentieth of its time, after a small
credit that lets a single lost answer be asked for again at once.

A unit that answers that it cannot costs the line no more than a good answer, and keeps its turn.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

PROBE_SHARE = 0.05  # of the line's time, for units that do not answer
CREDIT_S = 2.0  # of the line's time, saved up for them at most
FIRST_BACKOFF_S = 2.0
LAST_BACKOFF_S = 30.0
DEAD_AFTER = 2  # failures in a row
EARLY = 0.25  # of its interval: a frame of a unit that talks may be so much too soon, so that jitter costs none


@dataclass(slots=True)
class Unit:
    name: str
    every_s: float
    due: float
    failures: int = 0  # in a row
    heard: bool = False  # ever
    not_before: float = 0.0  # it rests, or a late answer may still come, until then

    @property
    def dead(self) -> bool:
        return self.failures >= DEAD_AFTER

    @property
    def healthy(self) -> bool:
        return self.heard and not self.failures


class Planner:
    def __init__(self, units: Iterable[tuple[str, float]], now: float, gap_s: float = 0.0) -> None:
        """`units`: name and the seconds between two questions, in the order of the first round. `gap_s`: silence on the
        line between an answer and the next question.
        """
        self._gap_s = gap_s
        self._free = now  # the gap after the last exchange is over
        self._units = {name: Unit(name, every_s, now) for name, every_s in units}
        self._credit_s = CREDIT_S  # at `_counted`; below zero nobody who failed is asked
        self._counted = now
        self._doubtful = False  # the last one asked was not a healthy one

    def dead(self, name: str) -> bool:
        return self._units[name].dead

    def failures(self, name: str) -> int:
        return self._units[name].failures

    def all_dead(self) -> bool:
        return all(unit.dead for unit in self._units.values())

    def next(self, now: float) -> tuple[str | None, float]:
        """The unit to ask now, or None and the seconds to wait."""
        wait_s = LAST_BACKOFF_S
        best: Unit | None = None
        first = (True, now, now)
        for unit in self._units.values():
            at = self._ready(unit)
            if at > now:
                wait_s = min(wait_s, at - now)
            elif best is None or (self._doubtful and not unit.healthy, at, unit.due) < first:
                best, first = unit, (self._doubtful and not unit.healthy, at, unit.due)
        if best is None:
            return None, wait_s
        self._doubtful = not best.healthy
        return best.name, 0.0

    def answered(self, name: str, now: float, rest_s: float = 0.0) -> None:
        """A whole answer came, be it only that the unit cannot. However late its turn is, it rests for `rest_s`, or for
        half its interval where that is shorter.
        """
        self._free = now + self._gap_s
        unit = self._units[name]
        if unit.dead and self.all_dead():
            # The whole line was dead and one is back (a cable, a supply): the others are worth asking at once.
            for other in self._units.values():
                other.due = min(other.due, now)
            self._credit_s = CREDIT_S
        if unit.failures or not unit.heard:
            unit.due = _in_step(unit)
        unit.failures = 0
        unit.heard = True
        unit.not_before = now + min(rest_s, unit.every_s / 2)
        self._next_turn(unit, now)

    def failed(self, name: str, now: float, cost_s: float, late_s: float) -> None:
        """It cost the line `cost_s` and gave nothing. Its late answer may come within `late_s` from now."""
        self._free = now + self._gap_s
        unit = self._units[name]
        self._credit_s = min(CREDIT_S, self._credit_s + (now - self._counted) * PROBE_SHARE) - cost_s
        self._counted = now
        unit.failures += 1
        unit.not_before = now + late_s
        unit.due = now if not unit.dead else now + self._backoff_s(unit)

    def more(self, name: str, now: float, rest_s: float) -> None:
        """It answered, and has another question of the same turn, which it wants `rest_s` later."""
        self._free = now + self._gap_s
        unit = self._units[name]
        unit.not_before = now + rest_s

    def _ready(self, unit: Unit) -> float:
        ready = max(unit.due, unit.not_before, self._free)
        if unit.failures and self._anyone_healthy():
            ready = max(ready, self._counted - self._credit_s / PROBE_SHARE)
        return ready

    def _anyone_healthy(self) -> bool:
        return any(unit.healthy for unit in self._units.values())

    @staticmethod
    def _backoff_s(unit: Unit) -> float:
        doubled = FIRST_BACKOFF_S * 2.0 ** min(unit.failures - DEAD_AFTER, 10)
        return min(doubled, LAST_BACKOFF_S)

    @staticmethod
    def _next_turn(unit: Unit, now: float) -> None:
        """In phase while the line keeps up; else behind everybody who is waiting already."""
        unit.due = max(unit.due + unit.every_s, now)


class Pace:
    """Which frames of a unit that talks by itself are taken: as many as are due, however often it talks."""

    def __init__(self, every_s: float, now: float) -> None:
        self._every_s = every_s
        self._due = now

    def takes(self, now: float) -> bool:
        if now < self._due - EARLY * self._every_s:
            return False
        self._due += self._every_s
        if self._due <= now:
            self._due = now + self._every_s
        return True


def _in_step(unit: Unit) -> float:
    """Its turn, moved by half a second at most to a whole one. The threads of all lines then wake together and find
    what they need in the processor's caches: a fifth of what a question costs.
    """
    step_s = min(unit.every_s, 1.0)
    return round(unit.due / step_s) * step_s
