"""The venue's calendar: session, listening window, quiet hours, night, day, exam day, custody, season: which is it now.

Times without an offset in the configuration are the venue's own (Asia/Shanghai unless it says otherwise), whatever the
machine's zone is. Windows begin with their first moment and end before their last.

Custody begins by the calendar and goes on after its end until a named person ends it. While the clock is not
synchronised it holds whenever the configuration has it, and without a [custody] table always: papers whose presence is
not known are taken to be there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from typing import NamedTuple, get_args
from zoneinfo import ZoneInfo

from gateway.configuration.config import Config, Hours, When
from gateway.days import Days
from gateway.moment import NANO, ClockState, Moment

_DAY = timedelta(days=1)

WHENS: tuple[When, ...] = get_args(When)


@dataclass(frozen=True, slots=True)
class Span:
    """A window of the calendar. Without `start` and `end` it has none (always; custody of unknown extent)."""

    when: When
    start: datetime | None = None
    end: datetime | None = None
    name: str | None = None  # of the session

    def within(self, others: Iterable[Span]) -> Span:
        """The part of this window that lies in all the others too."""
        spans = (self, *others)
        starts = [one.start for one in spans if one.start is not None]
        ends = [one.end for one in spans if one.end is not None]
        return replace(self, start=max(starts, default=None), end=min(ends, default=None))


LONGEST_SESSION_S = 12 * 3600.0  # that an order can make of it


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
    def __init__(self, config: Config, *, custody_ended: bool = False) -> None:
        """`custody_ended`: a named person has ended the custody that the configuration has."""
        self.zone = ZoneInfo(config.venue.timezone)
        self._quiet: tuple[Hours, ...] = config.quiet
        self._night = config.venue.night
        self._seasons: dict[When, Days] = {
            "summer": Days(months=config.venue.summer_months),
            "winter": Days(months=config.venue.winter_months),
        }
        sessions = [self._window("session", session.start, session.end, session.name) for session in config.session]
        listening = [
            self._window("listening", window.start, window.end, session.name)
            for session in config.session
            for window in session.listening
        ]
        exam_days = [
            self._window("exam-day", datetime.combine(day, time()), datetime.combine(day + _DAY, time()))
            for day in sorted({day for window in sessions for day in _dates(window.span)})
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
        self._runs: dict[Days, tuple[date, Span | None]] = {}  # as last asked for, with the day

    def sessions(self) -> tuple[tuple[float, float], ...]:
        """Start and end of every session, in seconds since 1970."""
        return tuple((window.start_s, window.end_s) for window in self._fixed["session"])

    def session_times(self) -> dict[str, tuple[float, float]]:
        """The same by the sessions' names."""
        return {window.span.name or "-": (window.start_s, window.end_s) for window in self._fixed["session"]}

    def move(self, name: str, end_s: float) -> None:
        """A session ends at another time, by order. One of the same name in another year is another session."""
        end = datetime.fromtimestamp(end_s, tz=self.zone)
        self._fixed["session"] = [
            _Window(one.start_s, end_s, replace(one.span, end=end))
            if one.span.name == name and 0 < end_s - one.start_s <= LONGEST_SESSION_S
            else one
            for one in self._fixed["session"]
        ]

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
        if when in self._seasons:
            season = self.on(self._seasons[when], now) if self._seasons[when] else None
            return None if season is None else replace(season, when=when)
        windows = self._fixed.get(when) or self._today(now).get(when, ())
        return _first(windows, now, before_s, after_s)

    def on(self, days: Days, now: Moment) -> Span | None:
        """The unbroken run of such days that today is in, from midnight to midnight; None when today is none."""
        today = now.local(self.zone).date()
        known = self._runs.get(days)
        if known is None or known[0] != today:
            known = self._runs[days] = (today, self._run(days, today) if today in days else None)
        return known[1]

    def _run(self, days: Days, today: date) -> Span:
        first, last = days.run(today)
        return Span(
            "always",
            None if first is None else self._aware(datetime.combine(first, time())),
            None if last is None else self._aware(datetime.combine(last + _DAY, time())),
        )

    def coming(self, now: Moment, before_s: float) -> Span | None:
        """The next session that begins within `before_s` from now; None when there is none."""
        now_s = now.wall_ns / NANO
        coming = [window for window in self._fixed["session"] if 0 < window.start_s - now_s <= before_s]
        return min(coming, key=lambda window: window.start_s).span if coming else None

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

    @property
    def custody_ended(self) -> bool:
        """Whether a named person has ended it."""
        return self._custody_ended

    def end_custody(self) -> None:
        """A named person has ended it."""
        self._custody_ended = True

    def _today(self, now: Moment) -> Mapping[When, Sequence[_Window]]:
        """The windows of yesterday, today and tomorrow: with margins and over midnight the others may hold too."""
        today = now.local(self.zone).date()
        if today != self._daily_of:
            night = self._night
            quiet = [(hours.from_, hours.to) for hours in self._quiet]
            self._daily = {
                "night": self._three_days("night", today, [(night.from_, night.to)]),
                "day": self._three_days("day", today, [(night.to, night.from_)]),
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


def _dates(span: Span) -> list[date]:
    """The days of the venue that a session touches."""
    if span.start is None or span.end is None:
        return []
    first, last = span.start.date(), (span.end - timedelta(microseconds=1)).date()
    return [first + n * _DAY for n in range((last - first).days + 1)]


def _first(windows: Iterable[_Window], now: Moment, before_s: float, after_s: float) -> Span | None:
    now_s = now.wall_ns / NANO
    holding = (one for one in windows if one.start_s - before_s <= now_s < one.end_s + after_s)
    found = next(holding, None)
    if found is None or not (before_s or after_s):
        return None if found is None else found.span
    zone = None if found.span.start is None else found.span.start.tzinfo
    return replace(
        found.span,
        start=datetime.fromtimestamp(found.start_s - before_s, zone),
        end=datetime.fromtimestamp(found.end_s + after_s, zone),
    )
