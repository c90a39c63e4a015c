"""The venue's calendar: which of session, listening window, quiet hours, night, day, exam day and custody it is now.

Times without an offset in the configuration are the venue's own (Asia/Shanghai unless it says otherwise), whatever the
machine's zone is. Windows begin with their first moment and end before their last.

While the clock is not synchronised custody holds whenever the configuration has it, and without a [custody] table it
holds always: papers whose presence is not known are taken to be there.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from gateway.config import Config, Custody, Quiet, When
from gateway.moment import ClockState, Moment

NIGHT = (time(22), time(6))  # GB 3096-2008, 5.4; the county's government may set other hours
WHENS: tuple[When, ...] = ("session", "listening", "quiet", "night", "day", "exam-day", "custody", "always")


@dataclass(frozen=True, slots=True)
class Span:
    """A window of the calendar. Without `start` and `end` it has none (always; custody of unknown extent)."""

    when: When
    start: datetime | None = None
    end: datetime | None = None
    name: str | None = None  # of the session


@dataclass(frozen=True, slots=True)
class Phase:
    """What holds at one moment."""

    names: frozenset[When]
    session: str | None  # the session that is on


class Calendar:
    def __init__(self, config: Config, night: tuple[time, time] = NIGHT) -> None:
        self.zone = ZoneInfo(config.venue.timezone)
        self._custody = config.custody
        self._quiet: tuple[Quiet, ...] = config.quiet
        self._night = night
        sessions = [self._span("session", session.start, session.end, session.name) for session in config.session]
        listening = [
            self._span("listening", window.start, window.end, session.name)
            for session in config.session
            for window in session.listening
        ]
        days = sorted({span.start.date() for span in sessions if span.start is not None})
        midnight = time(0)
        exam_days = [
            self._span("exam-day", datetime.combine(day, midnight), datetime.combine(day + timedelta(days=1), midnight))
            for day in days
        ]
        self._spans: dict[When, Sequence[Span]] = {"session": sessions, "listening": listening, "exam-day": exam_days}

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
        local = now.local(self.zone)
        if when in self._spans:
            return _first(self._spans[when], local, before_s, after_s)
        return _first(self._daily(when, local), local, before_s, after_s)

    def _custody_span(self, now: Moment, before_s: float, after_s: float) -> Span | None:
        custody: Custody | None = self._custody
        if custody is None:
            return Span("custody")
        span = self._span("custody", custody.start, custody.end)
        if now.clock is not ClockState.SYNCHRONISED:
            return span
        return _first([span], now.local(self.zone), before_s, after_s)

    def _daily(self, when: When, local: datetime) -> Iterable[Span]:
        """The windows of yesterday, today and tomorrow: with margins and over midnight the others may hold too."""
        hours = {
            "night": [self._night],
            "day": [(self._night[1], self._night[0])],
            "quiet": [(quiet.from_, quiet.to) for quiet in self._quiet],
        }[when]
        for begin, end in hours:
            for day in (local.date() + timedelta(days=n) for n in (-1, 0, 1)):
                last = day if begin < end else day + timedelta(days=1)
                yield self._span(when, datetime.combine(day, begin), datetime.combine(last, end))

    def _span(self, when: When, start: datetime, end: datetime, name: str | None = None) -> Span:
        return Span(when, self._aware(start), self._aware(end), name)

    def _aware(self, at: datetime) -> datetime:
        return at.replace(tzinfo=self.zone) if at.tzinfo is None else at.astimezone(self.zone)


def _first(spans: Iterable[Span], local: datetime, before_s: float, after_s: float) -> Span | None:
    moment = local.timestamp()  # seconds since 1970, so that arithmetic knows no zone and no changed hour
    for span in spans:
        if (
            span.start is not None
            and span.end is not None
            and span.start.timestamp() - before_s <= moment < span.end.timestamp() + after_s
        ):
            return span
    return None
