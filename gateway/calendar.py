"""The venue's calendar: which of session, listening window, quiet hours, night, day, exam day and custody it is now.

Times without an offset in the configuration are the venue's own (Asia/Shanghai unless it says otherwise), whatever the
machine's zone is. Windows begin with their first moment and end before their last.

Custody begins by the calendar and goes on after its end until a named person ends it. While the clock is not
synchronised it holds whenever the configuration has it, and without a [custody] table always: papers whose presence is
not known are taken to be there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from gateway.config import Config, Quiet, When
from gateway.moment import NANO, ClockState, Moment

_DAY = timedelta(days=1)

NIGHT = (time(22), time(6))  # GB 3096-2008, 5.4; the county's government may set other hours
WHENS: tuple[When, ...] = ("session", "listening", "quiet", "night", "day", "exam-day", "custody", "always")


@dataclass(frozen=True, slots=True)
class Span:
    """A window of the calendar. Without `start` and `end` it has none (always; custody of unknown extent)."""

    when: When
    start: datetime | None = None
    end: datetime | None = None
    name: str | None = None  # of the session


class _Window(NamedTuple):
    """A span in seconds since 1970, so that comparing knows no zone and no changed hour."""

    start_s: float
    end_s: float
    span: Span


@dataclass(frozen=True, slots=True)
class Phase:
    """What holds at one moment."""

    names: frozenset[When]
    session: str | None  # the session that is on


class Calendar:
    def __init__(self, config: Config, night: tuple[time, time] = NIGHT, *, custody_ended: bool = False) -> None:
        """`custody_ended`: a named person has ended the custody that the configuration has."""
        self.zone = ZoneInfo(config.venue.timezone)
        self._quiet: tuple[Quiet, ...] = config.quiet
        self._night = night
        sessions = [self._window("session", session.start, session.end, session.name) for session in config.session]
        listening = [
            self._window("listening", window.start, window.end, session.name)
            for session in config.session
            for window in session.listening
        ]
        exam_days = [
            self._window("exam-day", datetime.combine(day, time()), datetime.combine(day + _DAY, time()))
            for day in sorted({session.start.date() for session in config.session})
        ]
        self._fixed: dict[When, Sequence[_Window]] = {
            "session": sessions,
            "listening": listening,
            "exam-day": exam_days,
        }
        self._custody: _Window | None = None
        self._custody_ended = custody_ended
        if config.custody is not None:
            self._custody = self._window("custody", config.custody.start, config.custody.end)
        self._daily_of: date | None = None  # the day that `_daily` is made for
        self._daily: dict[When, Sequence[_Window]] = {}

    def phase(self, now: Moment) -> Phase:
        session = self.span("session", now)
        names = frozenset(when for when in WHENS if self.span(when, now) is not None)
        return Phase(names, session.name if session is not None else None)

    def span(self, when: When, now: Moment, before_s: float = 0.0, after_s: float = 0.0) -> Span | None:
        """The window that holds now, widened by the margins; None when there is none."""
        if when == "always":
            return Span("always")
        if when == "custody":
            return self._custody_span(now, before_s, after_s)
        windows = self._fixed.get(when) or self._today(now).get(when, ())
        return _first(windows, now, before_s, after_s)

    def _custody_span(self, now: Moment, before_s: float, after_s: float) -> Span | None:
        if self._custody is None:
            return Span("custody")
        if self._custody_ended:
            return None
        if self.custody_overdue(now):
            return Span("custody", self._custody.span.start)
        if now.clock is not ClockState.SYNCHRONISED:
            return self._custody.span
        return _first([self._custody], now, before_s, after_s)

    def custody_overdue(self, now: Moment) -> bool:
        """Whether the end of custody has certainly passed, and nobody has ended it."""
        if self._custody is None or self._custody_ended or now.clock is not ClockState.SYNCHRONISED:
            return False
        return now.wall_ns / NANO >= self._custody.end_s

    def end_custody(self) -> None:
        """A named person has ended it."""
        self._custody_ended = True

    def _today(self, now: Moment) -> Mapping[When, Sequence[_Window]]:
        """The windows of yesterday, today and tomorrow: with margins and over midnight the others may hold too."""
        today = now.local(self.zone).date()
        if today != self._daily_of:
            night, day = self._night, (self._night[1], self._night[0])
            quiet = [(hours.from_, hours.to) for hours in self._quiet]
            self._daily = {
                "night": self._three_days("night", today, [night]),
                "day": self._three_days("day", today, [day]),
                "quiet": self._three_days("quiet", today, quiet),
            }
            self._daily_of = today
        return self._daily

    def _three_days(self, when: When, today: date, hours: Iterable[tuple[time, time]]) -> Sequence[_Window]:
        windows = []
        for begin, end in hours:
            for day in (today - _DAY, today, today + _DAY):
                last = day if begin < end else day + _DAY
                windows.append(self._window(when, datetime.combine(day, begin), datetime.combine(last, end)))
        return windows

    def _window(self, when: When, start: datetime, end: datetime, name: str | None = None) -> _Window:
        start, end = self._aware(start), self._aware(end)
        return _Window(start.timestamp(), end.timestamp(), Span(when, start, end, name))

    def _aware(self, at: datetime) -> datetime:
        return at.replace(tzinfo=self.zone) if at.tzinfo is None else at.astimezone(self.zone)


def _first(windows: Iterable[_Window], now: Moment, before_s: float, after_s: float) -> Span | None:
    now_s = now.wall_ns / NANO
    holding = (one.span for one in windows if one.start_s - before_s <= now_s < one.end_s + after_s)
    return next(holding, None)
