"""The three stages of an exam: before it, in a session (and between two), after it. Pure.

In a session nothing is put out of use: what hides an alarm, retires a contact or tests one is refused, and recorded.
"""

from __future__ import annotations

from enum import StrEnum

from gateway.calendar import Calendar
from gateway.moment import NANO, Moment


class Stage(StrEnum):
    NONE = "none"  # no session is in the calendar
    BEFORE = "before"
    SESSION = "session"
    BETWEEN = "between"
    AFTER = "after"


LOCKED = frozenset({"shelve", "suppress", "remove", "retire", "test", "calibrate"})  # in a session


def stage(calendar: Calendar, now: Moment) -> Stage:
    spans = calendar.sessions()
    if not spans:
        return Stage.NONE
    if calendar.span("session", now) is not None:
        return Stage.SESSION
    now_s = now.wall_ns / NANO
    if now_s < min(start_s for start_s, _ in spans):
        return Stage.BEFORE
    return Stage.BETWEEN if now_s < max(end_s for _, end_s in spans) else Stage.AFTER


def frozen(calendar: Calendar, now: Moment, *, custody: bool) -> bool:
    """Whether the program must not be exchanged now. `custody`: the configuration says when papers are stored."""
    return calendar.span("session", now) is not None or (custody and calendar.span("custody", now) is not None)
