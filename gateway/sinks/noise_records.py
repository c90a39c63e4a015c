"""The records of sound levels as messages: one a minute for each meter, and one each 10 minutes, hour, session ...

Made of the minute records as they were committed, so that a record that is sent twice is the same message. A longer
period is sent with the first minute that is committed at or after its end, and again when a minute of it comes late.
Whatever comes again is the whole of its time, and takes the place of what came before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from gateway.environment import noise
from gateway.environment.calibration import Meter
from gateway.environment.minutes import MINUTE_S, Minute
from gateway.environment.noise import Adding, AddingHours, Figures, Hours, Validity
from gateway.environment.periods import Periods, PeriodSpan
from gateway.journal.minutes_reader import MinutesReader
from gateway.payloads import Below, Origin, noise_record

Row = tuple[int, list[Minute]]  # a place of the journal, and the minutes that were committed there


@dataclass(frozen=True, slots=True)
class NoiseSettings:
    """What the configuration in force says."""

    periods: Periods
    validity: Validity
    places: Mapping[str, str] = field(default_factory=dict)
    meters: Mapping[str, Meter] = field(default_factory=dict)


class NoiseRecords:
    """Owned by a feeder's thread. Raises `Unavailable`. `settings` is asked anew each time: they may be reloaded."""

    def __init__(self, origin: Origin, reader: MinutesReader, settings: Callable[[], NoiseSettings]) -> None:
        self._origin, self._reader, self._ask = origin, reader, settings
        self._settings = settings()

    def after(self, place: int, limit: int) -> list[Row]:
        return self._reader.after(place, limit)

    def newest(self) -> int:
        return self._reader.newest()

    def close(self) -> None:
        self._reader.close()

    def messages(self, low: int, rows: Iterable[Row], *, historical: bool) -> list[Below]:
        """All records that the rows complete; `low`: the place that they come after."""
        self._settings = self._ask()
        before = self._reader.before(low)
        newest_s = max((m.start_s + MINUTE_S for m in before), default=None)
        found: list[Below] = []
        for place, minutes in rows:
            levels = [m for m in minutes if noise.is_noise(m.point)]
            if not levels:
                continue
            upto_s = max(m.start_s + MINUTE_S for m in levels)
            whole = self._reader.completed(place, levels)
            found += self._of_minutes([m for m in whole if noise.is_noise(m.point)], historical=historical)
            for span in self._completed(newest_s, {m.start_s for m in levels}, upto_s):
                found += self._of_period(span, historical=historical)
            newest_s = upto_s
        return found

    def _completed(self, newest_s: int | None, starts: set[int], upto_s: int) -> list[PeriodSpan]:
        """The periods with something in them that are over now and were not before, and those of a late minute.

        What lies wholly between the last record and these (the gateway was off) has nothing in it.
        """
        around = self._settings.periods.around
        over_s = upto_s if newest_s is None else max(upto_s, newest_s)
        found = {span for start_s in starts for span in around(start_s) if span.end_s <= over_s}
        if newest_s is not None:
            found |= {span for span in around(newest_s - MINUTE_S) if newest_s < span.end_s <= upto_s}
        return sorted(found)

    def _of_minutes(self, minutes: list[Minute], *, historical: bool) -> Iterator[Below]:
        for start_s in sorted({m.start_s for m in minutes}):
            span = PeriodSpan(start_s + MINUTE_S, start_s, "minute")
            adding: dict[str, Adding] = {}
            for minute in minutes:
                if minute.start_s == start_s:
                    adding.setdefault(_device(minute), Adding()).add(minute)
            for device, each in adding.items():
                yield self._record(device, span, each.figures(1), {}, historical=historical)

    def _of_period(self, span: PeriodSpan, *, historical: bool) -> Iterator[Below]:
        """Read minute by minute and added up: a day of many meters takes no memory."""
        adding: dict[str, Adding] = {}
        by_hour: dict[str, AddingHours] = {}
        for minute in self._levels(span):
            adding.setdefault(_device(minute), Adding()).add(minute)
            if span.kind in ("day", "night"):
                by_hour.setdefault(_device(minute), self._hours(span)).add(minute)
        hours = {device: each.hours() for device, each in by_hour.items()}
        before = self._hours_before(span) if span.kind == "night" else {}
        for device, each in adding.items():
            more = _of_day(hours[device]) if device in hours else {}
            if span.kind == "night":
                more |= _of_both(before.get(device), hours[device])
            yield self._record(device, span, each.figures(span.minutes), more, historical=historical)

    def _hours_before(self, night: PeriodSpan) -> dict[str, Hours]:
        """Of the day before a night, by device."""
        day = self._settings.periods.day_before(night)
        by_hour: dict[str, AddingHours] = {}
        for minute in self._levels(day):
            by_hour.setdefault(_device(minute), self._hours(day)).add(minute)
        return {device: each.hours() for device, each in by_hour.items()}

    def _hours(self, span: PeriodSpan) -> AddingHours:
        validity = self._settings.validity
        needed = validity.day_hours if span.kind == "day" else validity.night_hours
        return AddingHours(span.start_s, span.end_s, needed, validity.share)

    def _levels(self, span: PeriodSpan) -> Iterator[Minute]:
        return (m for m in self._reader.between(span.start_s, span.end_s) if noise.is_noise(m.point))

    def _record(
        self, device: str, span: PeriodSpan, figures: Figures, more: Mapping[str, object], *, historical: bool
    ) -> Below:
        accepted = figures.laeq is not None and figures.valid >= self._settings.validity.share
        record = {**figures.record(), "accepted": accepted, **more}
        return noise_record(self._origin, device, span, record, self._about(device, span, figures), historical)

    def _about(self, device: str, span: PeriodSpan, figures: Figures) -> dict[str, object]:
        settings = self._settings
        on = datetime.fromtimestamp(span.start_s, UTC).astimezone(settings.periods.zone).date()
        doubts = settings.meters.get(device, Meter(evidence=False)).doubts(on)
        clock = max(
            figures.equivalent.clock, figures.level.clock, key=["synchronised", "unsynchronised", "floor"].index
        )
        return {"place": settings.places.get(device, ""), "indicative": list(doubts), "clock": clock.value}


def _device(minute: Minute) -> str:
    return minute.point.partition("/")[0]


def _of_day(hours: Hours) -> dict[str, object]:
    """Ld or Ln, from the accepted hours."""
    return {
        "laeq": hours.laeq,
        "accepted": hours.is_accepted,
        "hours": {"accepted": hours.accepted, "due": hours.due, "needed": hours.needed},
    }


def _of_both(day: Hours | None, night: Hours) -> dict[str, object]:
    """Ldn of a day and the night after it, in both forms."""
    both = noise.day_night(day, night) if day is not None else noise.DayNight(None, None)
    return {"ldn_weighted": both.weighted, "ldn_plain": both.plain}
