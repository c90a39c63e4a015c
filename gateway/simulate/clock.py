"""A clock that runs faster than the real one, so that a morning fits into minutes."""

from __future__ import annotations

import time
from datetime import datetime

from gateway.moment import NANO, ClockState, Moment


class FastClock:
    """Begins at `start` (with its time zone) and runs `speed` times as fast as the machine's monotonic clock."""

    def __init__(self, start: datetime, speed: float = 1.0) -> None:
        if not 0 < speed <= 1000:
            raise ValueError("a simulated clock runs up to 1000 times as fast as the real one")
        if start.tzinfo is None:
            raise ValueError("the start of a simulated clock needs a time zone")
        self.speed = speed
        self._wall_ns = round(start.timestamp()) * NANO
        self._mono_ns = time.monotonic_ns()

    def now(self) -> Moment:
        passed_ns = round((time.monotonic_ns() - self._mono_ns) * self.speed)
        return Moment(self._wall_ns + passed_ns, self._mono_ns + passed_ns, ClockState.SYNCHRONISED)

    def pause(self, seconds: float) -> float:
        """The real seconds in which `seconds` of this clock pass."""
        return seconds / self.speed
