"""Notices that the wall clock was set, by its distance to the monotonic one. Pure.

Records are never rewritten: an event gives the offset, and whoever reads corrects what the run said before it.
"""

from __future__ import annotations

from collections.abc import Iterator

from gateway.alarm.findings import Evidence, Finding
from gateway.alarm.wording import CLOCK_SET
from gateway.alarms import Given, Signal
from gateway.catalogue import both, say
from gateway.moment import NANO, ClockState, Moment

CLOCK = "clock"
MOVED_S = 1.0  # less is told together with what comes


class ClockWatch:
    """Owned by the engine's thread."""

    def __init__(self, started: Moment) -> None:
        self._offset_ns = started.wall_ns - started.mono_ns

    def tick(self, now: Moment) -> Iterator[Finding]:
        moved_ns = now.wall_ns - now.mono_ns - self._offset_ns
        if now.clock is ClockState.FLOOR:  # stands still, and is no clock
            self._offset_ns += moved_ns
        elif abs(moved_ns) >= MOVED_S * NANO:
            self._offset_ns += moved_ns
            moved = say("{seconds} s", seconds=f"{moved_ns / NANO:+.1f}")
            what = both(CLOCK_SET, reason=moved)
            details = {"offset_ms": moved_ns // 1_000_000, "clock": now.clock.value}
            yield Finding(CLOCK, Signal.UPDATE, now, Evidence(what, reason=moved, details=details), Given(reason="set"))
