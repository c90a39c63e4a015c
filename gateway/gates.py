"""The entrances: who walked by becomes readings, counts a quarter of an hour, and alarms. Owned by the engine's thread.

Each entrance NAME has three alarms of the screening stream:

    screening-NAME          people wait for a second measurement: each is an event with a running number of the day
    screening-NAME-device   the thermometer cannot be believed: implausible in a row, warm without end, drift
    screening-NAME-queue    at this rate the last one enters after the session has begun

A person is a number of the day and of the entrance, a time and a temperature; nothing else is ever known.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, tzinfo
from typing import Any

from drivers.base import Quality
from gateway.alarms import Definition, Given, Signal
from gateway.book import Page
from gateway.calendar import Calendar
from gateway.catalogue import both, say
from gateway.config_screening import Screening
from gateway.errors import Refused
from gateway.findings import Evidence, Finding
from gateway.moment import NANO, Moment
from gateway.payloads import COUNT_S
from gateway.screening import Count, Peaks, Person, judge, late_s
from gateway.values import Reading, Readings, Severity
from gateway.vocabulary import SCREENED
from gateway.wording import GATE_DEVICE, GATE_OVERDUE, GATE_PERSON, GATE_QUEUE, GATE_SECOND, Text

QUARTER_S = round(COUNT_S)
RATE_S = 300.0  # throughput is that of the last five minutes …
RATE_LEAST = 20  # … and is not told before so many came
IN_A_ROW = 5  # implausible ones, and it is the thermometer
BLACKBODY_S = 60.0
HURRY_S = 600.0  # with nobody coming, and a session so near, the queue is told anyway

PARTS: tuple[tuple[str, Severity, float], ...] = (
    ("", "high", 0.0),
    ("-device", "medium", 0.0),
    ("-queue", "medium", 60.0),
)


def definitions(tables: Mapping[str, Screening]) -> Iterator[tuple[Definition, Text]]:
    for name, table in tables.items():
        for suffix, severity, hold_s in PARTS:
            alarm = f"screening-{name}{suffix}"
            what = both("{name}", name=table.place or name)
            definition = Definition(alarm, "screening", severity, "screening", place=table.place, raise_after_s=hold_s)
            yield definition, what


@dataclass(slots=True)
class Gate:
    """One entrance."""

    name: str
    settings: Screening
    every_s: float
    zone: tzinfo
    peaks: Peaks = field(init=False)
    count: Count = field(default_factory=Count)  # of this quarter of an hour
    window: Count = field(default_factory=Count)  # since the entrance opened for the session that comes
    quarter: int | None = None  # this quarter's number since 1970
    day: date | None = None
    number: int = 0  # of the last person of the day who did not pass
    waiting: dict[int, Moment] = field(default_factory=dict)  # number: when a second measurement became due
    opened_for: str | None = None
    _times: deque[float] = field(default_factory=deque)  # s, monotonic, of the last persons
    _row: int = 0  # implausible in a row
    _cause: str | None = None  # why the thermometer is not believed
    _black: deque[tuple[float, float]] = field(default_factory=deque)
    _ambient: float | None = None

    def __post_init__(self) -> None:
        self.peaks = Peaks(self.settings, self.every_s)

    @property
    def device(self) -> str:
        return self.settings.point.partition("/")[0]

    # ---- what comes ----------------------------------------------------------------------------------------------

    def take(self, message: Readings) -> Iterator[Readings | Finding]:
        settings = self.settings
        for reading in message.readings:
            good = reading.quality is Quality.GOOD and reading.value is not None and math.isfinite(reading.value)
            if not good or reading.value is None:
                continue
            if reading.point == settings.ambient:
                self._ambient = reading.value
            if reading.point == settings.blackbody:
                yield from self._look_at_blackbody(reading.at, reading.value)
        for reading in message.readings:
            if reading.point == settings.point and reading.quality is Quality.GOOD and reading.value is not None:
                self.count.good += 1
                person = self.peaks.add(reading.at, reading.value, self._ambient)
                if person is not None:
                    yield from self._passed(person, reading.at)

    def tick(self, now: Moment, calendar: Calendar) -> Iterator[Readings | Finding]:
        person = self.peaks.silence(now)
        if person is not None:
            yield from self._passed(person, now)
        if self.peaks.standing:
            yield from self._device(now, "standing")
        yield from self._close_quarter(now)
        yield from self._queue(now, calendar)
        yield from self._overdue(now)

    # ---- people --------------------------------------------------------------------------------------------------

    def _passed(self, person: Person, now: Moment) -> Iterator[Readings | Finding]:
        self.count.add(person)
        self.window.add(person)
        self._times.append(person.at.mono_ns / NANO)
        yield Readings(self.device, tuple(self._as_readings(person)))
        self._row = self._row + 1 if person.verdict == "implausible" else 0
        if self._row >= IN_A_ROW:
            yield from self._device(now, "implausible")
        elif person.verdict != "implausible":
            yield from self._device(now, None)
        if person.verdict in ("undecided", "over"):
            self._new_day(now)
            self.number += 1
            self.waiting[self.number] = now
            yield self._person(person, now)

    def _as_readings(self, person: Person) -> Iterator[Reading]:
        for channel, value in (("", person.raw), ("_compensated", person.value), ("_ambient", person.ambient)):
            if value is not None:
                point = f"{self.device}/person_temperature{channel}"
                reason = person.verdict if channel == "_compensated" else None
                yield Reading(point, value, Quality.GOOD, person.at, reason)

    def _person(self, person: Person, now: Moment) -> Finding:
        what = both(
            GATE_PERSON,
            number=self.number,
            place=self.settings.place or self.name,
            value=f"{person.value:.1f}",
            verdict=both(SCREENED[person.verdict]),
            raw=f"{person.raw:.2f}",
            ambient="-" if person.ambient is None else f"{person.ambient:.1f}",
        )
        return self._find("", Signal.PRESS, now, what, person.value)

    def second(self, number: int, value: float, by: str, now: Moment, note: str | None = None) -> Iterator[Finding]:
        """The second measurement of a running number, by a named person. Raises Refused."""
        since = self.waiting.get(number)
        if since is None:
            raise Refused(say("no. {number} does not wait for a second measurement here", number=number))
        left_s = self.settings.rest - now.seconds_since(since)
        if left_s > 0:
            raise Refused(say("no. {number} rests for another {left:.0f} s", number=number, left=left_s))
        verdict = judge(value, self.settings)
        if verdict == "implausible":
            raise Refused(say("{value} degC is no body temperature: measure again", value=value))
        del self.waiting[number]
        for count in (self.count, self.window):
            count.second += 1
            count.second_over += verdict != "passed"
        what = both(
            GATE_SECOND,
            number=number,
            place=self.settings.place or self.name,
            value=f"{value:.1f}",
            verdict=both(SCREENED[verdict]),
        )
        yield self._find("", Signal.UPDATE, now, what, value, Given(by=by, note=note))
        if not self.waiting:
            yield self._find("", Signal.CLEAR, now, what, None)

    def recall(self, page: Page, now: Moment) -> None:
        """After a restart: the running number of today and who waits, as the alarm's page kept them."""
        memory = page.memory
        if memory is None:
            return
        self.day, self.number = date.fromisoformat(memory["day"]), memory["number"]
        since = page.alarm.changed or page.alarm.raised or now
        self.waiting = dict.fromkeys(memory["waiting"], since)

    # ---- the thermometer -----------------------------------------------------------------------------------------

    def _look_at_blackbody(self, at: Moment, value: float) -> Iterator[Finding]:
        self._black.append((at.mono_ns / NANO, value))
        while self._black[-1][0] - self._black[0][0] > BLACKBODY_S:
            self._black.popleft()
        drift = self.drift
        if drift is not None and abs(drift) > self.settings.drift:
            yield from self._device(at, "drift", drift)
        elif drift is not None and not self._row and not self.peaks.standing:
            yield from self._device(at, None)

    @property
    def drift(self) -> float | None:
        """What the thermometer says of the black body minus what that is, the mean of a minute; None without one."""
        reference = self.settings.blackbody_temperature
        if reference is None or not self._black or self._black[-1][0] - self._black[0][0] < BLACKBODY_S / 2:
            return None
        return round(sum(value for _, value in self._black) / len(self._black) - reference, 2)

    def _device(self, now: Moment, cause: str | None, value: float | None = None) -> Iterator[Finding]:
        """The alarm stands while there is a cause; another cause than before is an update."""
        if cause is None and self.drift is not None and abs(self.drift) > self.settings.drift:
            cause, value = "drift", self.drift
        before, self._cause = self._cause, cause
        what = both(GATE_DEVICE[cause or "implausible"], place=self.settings.place or self.name, value=value)
        evidence = Evidence(what, value=value, unit="degC", reason=cause)
        signals = [Signal.CLEAR if cause is None else Signal.BREACH]
        if cause is not None and before not in (None, cause):
            signals.append(Signal.UPDATE)
        for signal in signals:
            yield Finding(f"screening-{self.name}-device", signal, now, evidence, Given(reason=cause))

    # ---- counts and the queue ------------------------------------------------------------------------------------

    def _close_quarter(self, now: Moment) -> Iterator[Readings]:
        quarter = now.wall_ns // NANO // QUARTER_S
        if self.quarter is None:
            self.quarter = quarter
        if quarter == self.quarter:
            return
        end = Moment((self.quarter + 1) * QUARTER_S * NANO, now.mono_ns, now.clock)
        yield Readings(self.device, tuple(self._counted(end)))
        self.quarter, self.count = quarter, Count()

    def _counted(self, end: Moment) -> Iterator[Reading]:
        count = self.count
        numbers = {"": count.persons, "_passed": count.passed, "_undecided": count.undecided, "_over": count.over}
        numbers |= {"_implausible": count.implausible, "_second": count.second, "_second_over": count.second_over}
        for channel, number in numbers.items():
            yield Reading(f"{self.device}/persons{channel}", float(number), Quality.GOOD, end)
        valid = min(1.0, count.good * self.every_s / QUARTER_S)
        yield Reading(f"{self.device}/persons_valid", round(valid, 3), Quality.GOOD, end)

    def per_minute(self, now: Moment) -> float | None:
        """Throughput of the last five minutes; None while too few came to tell."""
        now_s = now.mono_ns / NANO
        while self._times and now_s - self._times[0] > RATE_S:
            self._times.popleft()
        if len(self._times) < RATE_LEAST:
            return None
        return len(self._times) / max(60.0, min(RATE_S, now_s - self._times[0])) * 60

    def _queue(self, now: Moment, calendar: Calendar) -> Iterator[Finding]:
        coming = calendar.coming(now, self.settings.opens)
        name = None if coming is None else coming.name
        if name != self.opened_for:
            if self.opened_for is not None:  # else those are counted who came before the first look at the calendar
                self.window = Count()
            self.opened_for = name
        late = self.late(now, calendar)
        if late is None:
            yield self._find("-queue", Signal.CLEAR, now, both("{name}", name=self.name), None)
            return
        rate, expected = self.per_minute(now) or 0.0, self.settings.expected or 0
        what = both(
            GATE_QUEUE,
            place=self.settings.place or self.name,
            remaining=max(0, expected - self.window.persons),
            rate=f"{rate:.1f}",
            late="-" if math.isinf(late) else f"{late / 60:.0f}",
            session=name or "-",
        )
        signal = Signal.BREACH if late > 0 else Signal.CLEAR
        yield self._find("-queue", signal, now, what, None)

    def late(self, now: Moment, calendar: Calendar) -> float | None:
        """Seconds after the start at which the last one enters, at this rate; None when it cannot be told."""
        coming = calendar.coming(now, self.settings.opens)
        if coming is None or coming.start is None or self.settings.expected is None:
            return None
        left_s = coming.start.timestamp() - now.wall_ns / NANO
        rate = self.per_minute(now)
        if rate is None:
            few = self.settings.expected - self.window.persons < RATE_LEAST
            return None if few or left_s > HURRY_S else math.inf
        return late_s(self.settings.expected, self.window.persons, rate, left_s)

    # ---- time ----------------------------------------------------------------------------------------------------

    def _new_day(self, now: Moment) -> None:
        """Numbers begin again with each day; who still waits is not forgotten."""
        today = now.local(self.zone).date()
        if self.day is None or (today != self.day and not self.waiting):
            self.day, self.number = today, 0

    def _overdue(self, now: Moment) -> Iterator[Finding]:
        limit_s = self.settings.rest + self.settings.second_within
        late = [number for number, since in self.waiting.items() if now.seconds_since(since) > limit_s]
        for number in late:
            self.waiting[number] = now  # said again after as long
            what = both(GATE_OVERDUE, number=number, place=self.settings.place or self.name)
            yield self._find("", Signal.PRESS, now, what, None)

    def _find(
        self, suffix: str, signal: Signal, now: Moment, what: Text, value: float | None, given: Given | None = None
    ) -> Finding:
        alarm, given = f"screening-{self.name}{suffix}", given or Given()
        if suffix:
            return Finding(alarm, signal, now, Evidence(what, value=value), given)
        evidence = Evidence(what, value, "degC", self.settings.threshold, "good")
        memory = {"day": str(self.day), "number": self.number, "waiting": list(self.waiting)}
        return Finding(alarm, signal, now, evidence, given, memory=memory)

    def describe(self, now: Moment, calendar: Calendar) -> dict[str, Any]:
        """What `status` says of it."""
        rate, late = self.per_minute(now), self.late(now, calendar)
        return {
            "session": self.opened_for,
            "persons": self.window.persons,
            "expected": self.settings.expected,
            "rechecked": self.window.rechecked,
            "waiting": list(self.waiting),
            "per_minute": None if rate is None else round(rate, 1),
            "late_min": None if late is None or math.isinf(late) else round(late / 60, 1),
            "drift": self.drift,
        }
