"""How many came, how fast, and when the last one will be in. Pure."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from gateway.calendar import Calendar
from gateway.configuration.screening import Screening
from gateway.moment import NANO, Moment
from gateway.screening.persons import Person

RATE_S = 300.0  # throughput is that of the last five minutes …
RATE_LEAST = 20  # … and is not told before so many came
NOTED_S = 300.0  # so often the count is put on record, so that a restart knows most of it
LATE_S = 30.0  # after an entrance opened: who begins to look then has missed nobody yet
HURRY_S = 600.0  # with hardly anybody coming, and a session so near, the queue is told anyway


@dataclass(slots=True)
class Count:
    """What one entrance saw in a quarter of an hour, or in the time before a session."""

    persons: int = 0
    passed: int = 0
    undecided: int = 0
    over: int = 0
    implausible: int = 0
    again: int = 0  # of all these, those to be measured a second time
    second: int = 0  # second measurements
    second_over: int = 0  # of these, still not passed
    good: int = 0  # samples

    def add(self, person: Person) -> None:
        self.persons += 1
        self.again += person.again
        setattr(self, person.verdict, getattr(self, person.verdict) + 1)

    def add_second(self, *, passed: bool) -> None:
        self.second += 1
        self.second_over += not passed

    def plus(self, other: Count) -> Count:
        return Count(**{name: number + getattr(other, name) for name, number in asdict(self).items()})

    @property
    def rechecked(self) -> float | None:
        """The share of the persons who had to be measured again; None without any."""
        return self.again / self.persons if self.persons else None


@dataclass(frozen=True, slots=True)
class Forecast:
    """`late_s`: so long after a session's start the last one enters at this rate (zero or less: in time; inf: hardly
    anybody comes). `remaining` is an upper bound where not everybody who came was seen.
    """

    session: str
    left_s: float
    remaining: int
    per_minute: float | None
    late_s: float


def late_s(remaining: int, per_minute: float, left_s: float) -> float:
    if remaining <= 0:
        return -left_s
    return math.inf if per_minute <= 0 else remaining / per_minute * 60 - left_s


@dataclass(slots=True)
class Queue:
    """Those who come through one entrance before a session."""

    settings: Screening
    count: Count = field(default_factory=Count)  # since the entrance opened for the session that comes, or came last
    session: str | None = None  # whose
    whole: bool = True  # nobody can have come unseen since then
    open: bool = False
    _start_s: float | None = None
    _noted: tuple[int, int] | None = None  # when the count was last put on record (in NOTED_S since 1970), and what
    _times: deque[float] = field(default_factory=deque)  # s, monotonic, of the last persons

    def add(self, person: Person) -> None:
        self._times.append(person.at.mono_ns / NANO)
        if self.open:
            self.count.add(person)

    def look(self, now: Moment, calendar: Calendar, *, silent: bool) -> Forecast | None:
        """Opens for the session that comes; what can be told of it. `silent`: nobody would be seen now."""
        coming = calendar.coming(now, self.settings.opens)
        self.open = coming is not None
        if coming is None or coming.start is None:
            return None
        start_s = coming.start.timestamp()
        if start_s != self._start_s:
            opened_s = now.wall_ns / NANO - (start_s - self.settings.opens)
            self._start_s, self.session = start_s, coming.name
            self.count, self.whole = Count(), opened_s < LATE_S  # later: the program was not there when it opened
        self.whole = self.whole and not silent
        return self.forecast(now)

    def forecast(self, now: Moment) -> Forecast | None:
        """None when there is nothing to foretell, or too few come to tell."""
        if not self.open or self._start_s is None or self.settings.expected is None:
            return None
        left_s = self._start_s - now.wall_ns / NANO
        remaining = max(0, self.settings.expected - self.count.persons)
        rate = self.per_minute(now)
        if rate is None and remaining and (remaining < RATE_LEAST or left_s > HURRY_S):
            return None
        return Forecast(self.session or "-", left_s, remaining, rate, late_s(remaining, rate or 0.0, left_s))

    def per_minute(self, now: Moment) -> float | None:
        """Throughput of the last five minutes; None while too few came to tell."""
        now_s = now.mono_ns / NANO
        while self._times and now_s - self._times[0] > RATE_S:
            self._times.popleft()
        if len(self._times) < RATE_LEAST:
            return None
        return len(self._times) / max(60.0, min(RATE_S, now_s - self._times[0])) * 60

    def to_be_noted(self, now: Moment) -> bool:
        """Whether the count is due to be put on record: it has grown, and the time is up."""
        slot = now.wall_ns // round(NOTED_S * NANO)
        before = self._noted or (slot, 0)
        if before[0] == slot:
            self._noted = before
            return False
        self._noted = (slot, self.count.persons)
        return self.open and before[1] != self.count.persons

    # ---- over a restart ------------------------------------------------------------------------------------------

    def to_json(self) -> dict[str, Any] | None:
        """None before the first session."""
        if self._start_s is None:
            return None
        return {"session": self.session, "start": self._start_s, "count": asdict(self.count)}

    def recall(self, written: Mapping[str, Any]) -> None:
        """As last written; who came since then, or while nothing ran, was not seen. Of two writings the later one
        counts. Raises KeyError, TypeError, ValueError for what is none.
        """
        start_s, count = float(written["start"]), Count(**written["count"])
        if (start_s, count.persons) > (self._start_s or 0.0, self.count.persons):
            self._start_s, self.session, self.count = start_s, str(written["session"]), count
        self.whole = False
