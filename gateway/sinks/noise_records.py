"""The records of sound levels as messages: one a minute for each meter, and one each 10 minutes, hour, session ...

Made of the minute records as they were committed, so that a record that is sent twice is the same message. A longer
period is sent with the first minute that is committed at or after its end, and again when a minute of it comes late.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from gateway import noise
from gateway.calibration import Meter
from gateway.journal.minutes_reader import MinutesReader
from gateway.minutes import MINUTE_S, Minute
from gateway.noise import Figures, Validity
from gateway.payloads import Below, Origin, noise_record
from gateway.periods import Periods, PeriodSpan

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
        for _, minutes in rows:
            levels = [m for m in minutes if noise.is_noise(m.point)]
            if not levels:
                continue
            upto_s = max(m.start_s + MINUTE_S for m in levels)
            found += self._of_minutes(levels, historical=historical)
            for span in self._completed(newest_s, {m.start_s for m in levels}, upto_s):
                found += self._of_period(span, historical=historical)
            newest_s = upto_s
        return found

    def _completed(self, newest_s: int | None, starts: set[int], upto_s: int) -> list[PeriodSpan]:
        """The periods that are over now and were not before, and those that a late minute belongs to."""
        periods = self._settings.periods
        since_s = min(starts) if newest_s is None else newest_s
        # What lies wholly between the last record and these (the gateway was off) has nothing in it.
        spans = [s for s in periods.ended(since_s, upto_s) if s.start_s < since_s or any(map(s.has, starts))]
        late = {s for start in starts if start < since_s for s in periods.around(start) if s.end_s <= since_s}
        return sorted({*spans, *late})

    def _of_minutes(self, minutes: list[Minute], *, historical: bool) -> Iterator[Below]:
        for start_s in sorted({m.start_s for m in minutes}):
            span = PeriodSpan(start_s + MINUTE_S, start_s, "minute")
            yield from self._records(span, [m for m in minutes if m.start_s == start_s], historical=historical)

    def _of_period(self, span: PeriodSpan, *, historical: bool) -> Iterator[Below]:
        minutes = self._levels(span)
        yield from self._records(span, minutes, historical=historical)

    def _levels(self, span: PeriodSpan) -> list[Minute]:
        return [m for m in self._reader.between(span.start_s, span.end_s) if noise.is_noise(m.point)]

    def _records(self, span: PeriodSpan, minutes: list[Minute], *, historical: bool) -> Iterator[Below]:
        by_device: dict[str, list[Minute]] = {}
        for minute in minutes:
            by_device.setdefault(minute.point.partition("/")[0], []).append(minute)
        before = self._levels(self._settings.periods.day_before(span)) if span.kind == "night" else []
        for device, own in by_device.items():
            figures = noise.figures(own, span.minutes)
            accepted = figures.laeq is not None and figures.valid >= self._settings.validity.share
            record = figures.record() | {"accepted": accepted}
            if span.kind in ("day", "night"):
                day = [m for m in before if m.point.partition("/")[0] == device]
                record |= self._of_day(span, own, day)
            yield noise_record(self._origin, device, span, record, self._about(device, span, figures), historical)

    def _of_day(self, span: PeriodSpan, minutes: list[Minute], day_before: list[Minute]) -> dict[str, object]:
        """Ld or Ln from the accepted hours; with a night also both forms of Ldn of the day before it and this night."""
        validity, periods = self._settings.validity, self._settings.periods
        needed = validity.day_hours if span.kind == "day" else validity.night_hours
        hours = noise.hours(minutes, span.start_s, span.end_s, needed, validity.share)
        said: dict[str, object] = {
            "laeq": hours.laeq,
            "accepted": hours.is_accepted,
            "hours": {"accepted": hours.accepted, "due": hours.due, "needed": hours.needed},
        }
        if span.kind == "night":
            day = periods.day_before(span)
            of_day = noise.hours(day_before, day.start_s, day.end_s, validity.day_hours, validity.share)
            both = noise.day_night(of_day, hours)
            said |= {"ldn_weighted": both.weighted, "ldn_plain": both.plain}
        return said

    def _about(self, device: str, span: PeriodSpan, figures: Figures) -> dict[str, object]:
        settings = self._settings
        on = datetime.fromtimestamp(span.start_s, UTC).astimezone(settings.periods.zone).date()
        doubts = settings.meters.get(device, Meter(evidence=False)).doubts(on)
        clock = max(
            figures.equivalent.clock, figures.level.clock, key=["synchronised", "unsynchronised", "floor"].index
        )
        return {"place": settings.places.get(device, ""), "indicative": list(doubts), "clock": clock.value}
