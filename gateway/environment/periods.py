"""Which periods a venue has records of: 10 min and hours of its clock, days, nights, sessions and listening."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from gateway.configuration.config import Config, Session

PeriodKind = Literal["minute", "10min", "hour", "session", "listening", "day", "night"]

_TEN_S, _HOUR_S, _MINUTE_S, _DAY_S = 600, 3600, 60, 86_400
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True, order=True)
class PeriodSpan:
    """From `start_s` (included) to `end_s`, seconds since 1970, in whole minutes; `name`: of the session."""

    end_s: int
    start_s: int
    kind: PeriodKind
    name: str | None = None

    @property
    def minutes(self) -> int:
        return (self.end_s - self.start_s) // _MINUTE_S

    def has(self, start_s: int) -> bool:
        """Whether the minute that starts so lies in it."""
        return self.start_s <= start_s < self.end_s


class Periods:
    """The venue's own clock; a session that does not begin on a whole minute is that of the minutes wholly in it."""

    def __init__(self, config: Config) -> None:
        self.zone = ZoneInfo(config.venue.timezone)
        self._night = config.venue.night
        self._fixed = [span for session in config.session for span in self._session(session)]

    def around(self, start_s: int) -> list[PeriodSpan]:
        """Those that the minute which starts so lies in, by their end."""
        found = [self._round(start_s, _TEN_S, "10min"), self._round(start_s, _HOUR_S, "hour")]
        found += (span for span in (*self._days(start_s), *self._fixed) if span.has(start_s))
        return sorted(found)

    def within(self, start_s: int, end_s: int) -> list[PeriodSpan]:
        """Sessions, listening windows, days and nights that lie wholly in this time, by their end."""
        found = {span for at_s in range(start_s, end_s + _DAY_S, _DAY_S) for span in self._days(at_s)}
        return sorted(span for span in (*found, *self._fixed) if start_s <= span.start_s and span.end_s <= end_s)

    def sessions(self, start_s: int, end_s: int) -> list[PeriodSpan]:
        """Sessions that touch this time."""
        fixed = (span for span in self._fixed if span.kind == "session")
        return sorted(span for span in fixed if span.start_s < end_s and start_s < span.end_s)

    def day_before(self, night: PeriodSpan) -> PeriodSpan:
        """The day that a night follows."""
        return next(span for span in self._days(night.start_s) if span.end_s == night.start_s)

    def _session(self, session: Session) -> Iterator[PeriodSpan]:
        yield self._whole(session.start, session.end, "session", session.name)
        for window in session.listening:
            yield self._whole(window.start, window.end, "listening", session.name)

    def _whole(self, start: datetime, end: datetime, kind: PeriodKind, name: str) -> PeriodSpan:
        start_s, end_s = self._seconds(start), self._seconds(end)
        return PeriodSpan(end_s // _MINUTE_S * _MINUTE_S, -(-start_s // _MINUTE_S) * _MINUTE_S, kind, name)

    def _round(self, start_s: int, length_s: int, kind: PeriodKind) -> PeriodSpan:
        """Hours of a zone whose offset is not a whole number of hours are still its own."""
        offset = datetime.fromtimestamp(start_s, self.zone).utcoffset() or timedelta()
        shift_s = int(offset.total_seconds())
        begin_s = (start_s + shift_s) // length_s * length_s - shift_s
        return PeriodSpan(begin_s + length_s, begin_s, kind)

    def _days(self, at_s: int) -> Iterator[PeriodSpan]:
        """Days and nights that begin on the day of this moment or on the one before."""
        night, day = self._night.from_, self._night.to
        today = datetime.fromtimestamp(at_s, self.zone).date()
        for date in (today - _DAY, today):
            yield self._hours(datetime.combine(date, day), night, "day")
            yield self._hours(datetime.combine(date, night), day, "night")

    def _hours(self, start: datetime, until: time, kind: PeriodKind) -> PeriodSpan:
        end = datetime.combine(start.date(), until)
        end = end if end > start else end + _DAY
        return PeriodSpan(self._seconds(end), self._seconds(start), kind)

    def _seconds(self, at: datetime) -> int:
        return round(at.replace(tzinfo=self.zone).timestamp())
