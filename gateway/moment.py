"""When something happened: wall time for records, monotonic time for durations, and whether the wall clock was set.

Below the edges nobody asks what time it is: a `Moment` is passed in.
"""

from __future__ import annotations

import ctypes
import time
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from enum import StrEnum
from typing import Protocol

NANO = 1_000_000_000
FLOOR = datetime.fromisoformat("2026-11-01T00:00:00+00:00")  # no gateway runs before it was written


class ClockState(StrEnum):
    SYNCHRONISED = "synchronised"
    UNSYNCHRONISED = "unsynchronised"
    FLOOR = "floor"  # the wall clock stood before a time that has certainly passed, so that time is used instead


@dataclass(frozen=True, slots=True, order=True)
class Moment:
    """Nanoseconds since 1970 (wall) and since some fixed point of this boot (mono)."""

    wall_ns: int
    mono_ns: int
    clock: ClockState = ClockState.SYNCHRONISED

    def seconds_since(self, earlier: Moment) -> float:
        """Elapsed seconds by the monotonic clock, whatever was done to the wall clock between."""
        return (self.mono_ns - earlier.mono_ns) / NANO

    def after(self, seconds: float) -> Moment:
        step = round(seconds * NANO)
        return Moment(self.wall_ns + step, self.mono_ns + step, self.clock)

    def local(self, zone: tzinfo) -> datetime:
        return datetime.fromtimestamp(self.wall_ns / NANO, tz=zone)

    def text(self, zone: tzinfo = UTC) -> str:
        """ISO 8601 with milliseconds and offset, as events carry it."""
        return self.local(zone).isoformat(timespec="milliseconds")


def recalled(wall_ns: int, clock: ClockState, now: Moment) -> Moment:
    """A time that the run before has kept, for what must have lasted: never more than has certainly passed since.

    The wall clock says how much, but for one that was set only since then: of that nothing is known.
    """
    known = clock is ClockState.SYNCHRONISED or now.clock is not ClockState.SYNCHRONISED
    return Moment(wall_ns, now.mono_ns - (max(0, now.wall_ns - wall_ns) if known else 0), clock)


class Clock(Protocol):
    """`pause` gives the real seconds to wait for `seconds` of this clock: a simulated one may run faster."""

    def now(self) -> Moment: ...
    def pause(self, seconds: float) -> float: ...


class SystemClock:
    """The machine's clocks. A wall clock before `floor_ns` (build date, last saved time) is lifted to it."""

    def __init__(self, floor_ns: int = 0) -> None:
        self._floor_ns = floor_ns
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._timex = ctypes.create_string_buffer(512)  # struct timex, larger than on any Linux
        self._asked_ns = 0
        self._state = ClockState.UNSYNCHRONISED
        self._believed = ClockState.UNSYNCHRONISED
        self.forbidden = False  # the kernel may not be asked (a sandbox): what `believe` was told counts

    def now(self) -> Moment:
        wall_ns, mono_ns = time.time_ns(), time.monotonic_ns()
        if wall_ns < self._floor_ns:
            return Moment(self._floor_ns, mono_ns, ClockState.FLOOR)
        if not self._asked_ns or mono_ns - self._asked_ns > NANO:
            self._asked_ns = mono_ns
            self._state = self._kernel_state()
        return Moment(wall_ns, mono_ns, self._state)

    def pause(self, seconds: float) -> float:
        return seconds

    def believe(self, state: ClockState) -> None:
        """What another authority says of the clock, for when the kernel may not be asked. From any thread."""
        self._believed = state

    def _kernel_state(self) -> ClockState:
        """adjtimex(2) without a mode bit reads the kernel's clock state: 5 (TIME_ERROR) means unsynchronised."""
        ctypes.memset(self._timex, 0, len(self._timex))
        state = self._libc.adjtimex(self._timex)
        self.forbidden = state < 0
        if self.forbidden:
            return self._believed
        return ClockState.SYNCHRONISED if state < 5 else ClockState.UNSYNCHRONISED


def system_clock() -> SystemClock:
    """The machine's, never before this program was written."""
    return SystemClock(round(FLOOR.timestamp() * NANO))
