"""The entrances: who walked by becomes readings, counts a quarter of an hour, and alarms. Owned by the engine's thread.

Each entrance NAME has three alarms of the screening stream:

    screening-NAME          people wait for a second measurement: each is an event with a running number of the day
    screening-NAME-device   the thermometer cannot be believed: implausible in a row, warm without end, drift
    screening-NAME-queue    at this rate the last one enters after the session has begun

A person is a number of the day and of the entrance, a time and a temperature; nothing else is ever known.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import tzinfo
from typing import Any

from drivers.base import Quality
from gateway.alarm.book import Page
from gateway.alarm.findings import Evidence, Finding
from gateway.alarm.wording import (
    GATE_COUNTED,
    GATE_DEVICE,
    GATE_OVERDUE,
    GATE_PERSON,
    GATE_QUEUE,
    GATE_SECOND,
    GATE_STOPPED,
    Text,
)
from gateway.alarms import Definition, Given, Signal
from gateway.calendar import Calendar
from gateway.catalogue import both, say
from gateway.configuration.screening import Screening
from gateway.errors import Refused
from gateway.moment import NANO, Moment
from gateway.payloads import COUNT_S
from gateway.screening.counts import RATE_LEAST, Count, Forecast, Queue
from gateway.screening.doubts import Cause, Doubts
from gateway.screening.persons import Peaks, Person, judge
from gateway.screening.second import Waiting
from gateway.values import Reading, Readings, Severity
from gateway.vocabulary import SCREENED

log = logging.getLogger(__name__)

QUARTER_S = round(COUNT_S)
QUARTERS_KEPT = 96
SILENT_S = 10.0  # without a good value: somebody may have come unseen

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
    queue: Queue = field(init=False)
    doubts: Doubts = field(init=False)
    waiting: Waiting = field(default_factory=Waiting)
    count: Count = field(default_factory=Count)  # of this quarter of an hour
    quarter: int | None = None  # this quarter's number since 1970
    told: dict[int, Count] = field(default_factory=dict)  # quarters of the last day that are on record
    _cause: Cause | None = None  # why the thermometer is not believed
    _ambient: float | None = None
    _seen: Moment | None = None  # the last good value

    def __post_init__(self) -> None:
        self.peaks, self.queue = Peaks(self.settings, self.every_s), Queue(self.settings)
        self.doubts = Doubts(self.settings)

    @property
    def device(self) -> str:
        return self.settings.point.partition("/")[0]

    @property
    def place(self) -> str:
        return self.settings.place or self.name

    # ---- what comes ----------------------------------------------------------------------------------------------

    def take(self, message: Readings) -> Iterator[Readings | Finding]:
        settings = self.settings
        good = [
            (reading.point, reading.at, reading.value)
            for reading in message.readings
            if reading.quality is Quality.GOOD and reading.value is not None and math.isfinite(reading.value)
        ]
        for point, at, value in good:
            if point == settings.ambient:
                self._ambient = value
            if point == settings.blackbody:
                self.doubts.blackbody(at, value)
        for point, at, value in good:
            if point == settings.point:
                self.count.good += 1
                self._seen = at
                person = self.peaks.add(at, value, self._ambient)
                if person is not None:
                    yield from self._passed(person, at)

    def tick(self, now: Moment, calendar: Calendar) -> Iterator[Readings | Finding]:
        person = self.peaks.silence(now)
        if person is not None:
            yield from self._passed(person, now)
        yield from self._device(now)
        yield from self._close_quarter(now)
        silent = self._seen is None or now.seconds_since(self._seen) > SILENT_S + self.every_s
        yield self._late(self.queue.look(now, calendar, silent=silent or self.peaks.standing), now)
        if self.queue.to_be_noted(now):
            yield self._counted_so_far(now)
        for number in self.waiting.overdue(now, self.settings.second_within):
            yield self._person_find(Signal.PRESS, now, both(GATE_OVERDUE, number=number, place=self.place), None)

    # ---- people --------------------------------------------------------------------------------------------------

    def _passed(self, person: Person, now: Moment) -> Iterator[Readings | Finding]:
        self.count.add(person)
        self.queue.add(person)
        yield Readings(self.device, tuple(self._as_readings(person)))
        self.doubts.person(person.verdict)
        yield from self._device(now)
        if person.again:
            number = self.waiting.add(now, self.zone)
            yield self._person_find(Signal.PRESS, now, self._words(person, number), person.value)

    def _as_readings(self, person: Person) -> Iterator[Reading]:
        for channel, value in (("", person.raw), ("_compensated", person.value), ("_ambient", person.ambient)):
            if value is not None:
                point = f"{self.device}/person_temperature{channel}"
                reason = person.verdict if channel == "_compensated" else None
                yield Reading(point, value, Quality.GOOD, person.at, reason)

    def _words(self, person: Person, number: int) -> Text:
        return both(
            GATE_PERSON,
            number=number,
            place=self.place,
            value=f"{person.value:.1f}",
            verdict=both(SCREENED[person.verdict]),
            raw=f"{person.raw:.2f}",
            ambient="-" if person.ambient is None else f"{person.ambient:.1f}",
        )

    def second(self, number: int, value: float, by: str, now: Moment, note: str | None = None) -> Iterator[Finding]:
        """The second measurement of a running number, by a named person. Raises Refused."""
        self.waiting.check(number, now, self.settings.rest)
        verdict = judge(value, self.settings)
        if verdict == "implausible":
            raise Refused(say("{value} degC is no body temperature: measure again", value=value))
        self.waiting.done(number)
        for count in (self.count, self.queue.count):
            count.add_second(passed=verdict == "passed")
        words = both(SCREENED[verdict])
        what = both(GATE_SECOND, number=number, place=self.place, value=f"{value:.1f}", verdict=words)
        signal = Signal.UPDATE if verdict == "passed" else Signal.PRESS  # confirmed: that is news, and wants an answer
        yield self._person_find(signal, now, what, value, Given(by=by, note=note))
        if not self.waiting.since:
            yield self._person_find(Signal.CLEAR, now, what, value)

    def _person_find(
        self, signal: Signal, now: Moment, what: Text, value: float | None, given: Given | None = None
    ) -> Finding:
        evidence = Evidence(what, value, "degC", self.settings.threshold, "good")
        memory = {"waiting": self.waiting.to_json(), "queue": self.queue.to_json()}
        return Finding(f"screening-{self.name}", signal, now, evidence, given or Given(), memory=memory)

    def begin(self, pages: Mapping[str, Page], now: Moment, calendar: Calendar) -> None:
        """After a restart: the numbers of today, who waits, and how many had come, as the alarms' pages kept them."""
        for name in (f"screening-{self.name}", f"screening-{self.name}-queue"):
            kept = pages[name].memory or {}
            try:
                if kept.get("waiting") is not None:
                    self.waiting = Waiting.from_json(kept["waiting"], now)
                if kept.get("queue") is not None:
                    self.queue.recall(kept["queue"])
            except (KeyError, TypeError, ValueError, AttributeError) as error:
                log.warning("event=bad-memory alarm=%s error=%r", name, str(error))
        self.queue.look(now, calendar, silent=False)
        doubted = pages[f"screening-{self.name}-device"]
        self._cause = self.doubts.recall(doubted.evidence.reason) if doubted.alarm.condition else None

    # ---- the thermometer and the queue ---------------------------------------------------------------------------

    def _device(self, now: Moment) -> Iterator[Finding]:
        """The alarm stands while there is a cause; another cause than before is an update. Silence takes none away."""
        cause = self.doubts.cause(now, standing=self.peaks.standing)
        if cause is None and not self.doubts.over(self._cause, now, free=self.peaks.free):
            return
        value = self.doubts.drift(now) if cause == "drift" else None
        before, self._cause = self._cause, cause
        what = both(GATE_DEVICE[cause or "implausible"], place=self.place, value=value)
        evidence = Evidence(what, value=value, unit="degC", reason=cause)
        signals = [Signal.CLEAR if cause is None else Signal.BREACH]
        if cause is not None and before not in (None, cause):
            signals.append(Signal.UPDATE)
        for signal in signals:
            yield Finding(f"screening-{self.name}-device", signal, now, evidence, Given(reason=cause))

    def _late(self, forecast: Forecast | None, now: Moment) -> Finding:
        late = forecast is not None and forecast.late_s > 0
        what = both("{name}", name=self.name) if forecast is None else self._late_words(forecast)
        signal = Signal.BREACH if late else Signal.CLEAR
        return Finding(f"screening-{self.name}-queue", signal, now, Evidence(what), Given())

    def _late_words(self, forecast: Forecast) -> Text:
        remaining = f"{forecast.remaining}" if self.queue.whole else f"≤ {forecast.remaining}"
        words = {"place": self.place, "remaining": remaining, "session": forecast.session}
        if forecast.per_minute is None:
            return both(GATE_STOPPED, least=RATE_LEAST, left=f"{forecast.left_s / 60:.0f}", **words)
        late = f"{forecast.late_s / 60:.0f}"
        return both(GATE_QUEUE, rate=f"{forecast.per_minute:.1f}", late=late, **words)

    def _counted_so_far(self, now: Moment) -> Finding:
        count, session = self.queue.count, self.queue.session or "-"
        persons = f"{count.persons}" if self.queue.whole else f"≥ {count.persons}"
        what = both(GATE_COUNTED, place=self.place, persons=persons, again=count.again, session=session)
        memory = {"queue": self.queue.to_json()}
        details = {"persons": count.persons, "again": count.again, "whole": self.queue.whole}
        evidence = Evidence(what, reason="counted", details=details)
        return Finding(
            f"screening-{self.name}-queue", Signal.UPDATE, now, evidence, Given(reason="counted"), memory=memory
        )

    # ---- counts --------------------------------------------------------------------------------------------------

    def _close_quarter(self, now: Moment) -> Iterator[Readings]:
        quarter = now.wall_ns // NANO // QUARTER_S
        if self.quarter is None:
            self.quarter = quarter
        if quarter == self.quarter:
            return
        end = Moment((self.quarter + 1) * QUARTER_S * NANO, now.mono_ns, now.clock)
        # After a clock was set back a quarter comes a second time: its record takes the place of the first one.
        count = self.told[self.quarter] = self.count.plus(self.told.pop(self.quarter, Count()))
        if len(self.told) > QUARTERS_KEPT:
            del self.told[next(iter(self.told))]
        yield Readings(self.device, tuple(self._counted(count, end)))
        self.quarter, self.count = quarter, Count()

    def _counted(self, count: Count, end: Moment) -> Iterator[Reading]:
        numbers = {"": count.persons, "_passed": count.passed, "_undecided": count.undecided, "_over": count.over}
        numbers |= {"_implausible": count.implausible, "_second": count.second, "_second_over": count.second_over}
        for channel, number in numbers.items():
            yield Reading(f"{self.device}/persons{channel}", float(number), Quality.GOOD, end)
        valid = min(1.0, count.good * self.every_s / QUARTER_S)
        yield Reading(f"{self.device}/persons_valid", round(valid, 3), Quality.GOOD, end)

    def describe(self, now: Moment) -> dict[str, Any]:
        """What `status` says of it; of the last session, when none is to come."""
        queue, rate = self.queue, self.queue.per_minute(now)
        forecast = queue.forecast(now)
        told = forecast is not None and not math.isinf(forecast.late_s)
        return {
            "session": queue.session,
            "open": queue.open,
            "persons": queue.count.persons,
            "whole": queue.whole,
            "expected": self.settings.expected,
            "rechecked": None if queue.count.rechecked is None else round(queue.count.rechecked, 3),
            "waiting": list(self.waiting.since),
            "per_minute": None if rate is None else round(rate, 1),
            "late_min": round(forecast.late_s / 60, 1) if forecast is not None and told else None,
            "drift": self.doubts.drift(now),
        }
