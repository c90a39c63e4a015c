"""Second measurements: running numbers of the day, who rests, who may be measured, who waits for too long. Pure.

Over a restart the numbers go on, and how long somebody has rested is what the wall clock says.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, tzinfo
from typing import Any

from gateway.catalogue import say
from gateway.errors import Refused
from gateway.moment import ClockState, Moment, recalled


@dataclass(slots=True)
class Waiting:
    """Those of one entrance who did not pass."""

    day: date | None = None
    number: int = 0  # of the last person of the day who did not pass
    since: dict[int, Moment] = field(default_factory=dict)  # number: of the first measurement
    _said: dict[int, Moment] = field(default_factory=dict)  # … and when it was last said that nobody made a second one

    def add(self, now: Moment, zone: tzinfo) -> int:
        """Numbers begin again with each day; while somebody still waits, they go on."""
        today = now.local(zone).date()
        if self.day is None or (today != self.day and not self.since):
            self.day, self.number = today, 0
        self.number += 1
        self.since[self.number] = now
        return self.number

    def check(self, number: int, now: Moment, rest_s: float) -> None:
        """Whether this one may be measured now. Raises Refused."""
        since = self.since.get(number)
        if since is None:
            raise Refused(say("no. {number} does not wait for a second measurement here", number=number))
        left_s = rest_s - now.seconds_since(since)
        if left_s > 0:
            raise Refused(say("no. {number} rests for another {left:.0f} s", number=number, left=left_s))

    def done(self, number: int) -> None:
        del self.since[number]
        self._said.pop(number, None)

    def overdue(self, now: Moment, limit_s: float) -> list[int]:
        """Who waits for longer, each named again after as long."""
        late = [n for n, since in self.since.items() if now.seconds_since(self._said.get(n, since)) > limit_s]
        self._said |= dict.fromkeys(late, now)
        return late

    # ---- over a restart ------------------------------------------------------------------------------------------

    def to_json(self) -> dict[str, Any]:
        since = {str(n): {"ns": str(at.wall_ns), "clock": at.clock.value} for n, at in self.since.items()}
        return {"day": None if self.day is None else self.day.isoformat(), "number": self.number, "since": since}

    @classmethod
    def from_json(cls, written: Mapping[str, Any], now: Moment) -> Waiting:
        """As left by the run before. Raises KeyError, TypeError, ValueError for what is none."""
        since = {int(number): _read(at, now) for number, at in written["since"].items()}
        day = None if written["day"] is None else date.fromisoformat(written["day"])
        return cls(day, int(written["number"]), since)


def _read(written: Mapping[str, str], now: Moment) -> Moment:
    return recalled(int(written["ns"]), ClockState(written["clock"]), now)
