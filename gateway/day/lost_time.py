"""Lost time: the exact duration of every disturbance in a session. Pure: what is seen in, begun and ended out.

A disturbance counts from its beginning, or the session's (the listening window's, for noise), to its end or the
session's. Within one run its length is that of the monotonic clock. What was open when the program went down goes on
by the wall clock, and says so with the state that clock was in. What cannot be told to be over goes on.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import tzinfo
from typing import Any, Literal

from gateway.calendar import Span
from gateway.moment import NANO, ClockState, Moment

CauseKind = Literal["power", "fire", "noise", "session-held", "evacuation", "gateway-down"]
Measured = Literal["monotonic", "wall-clock"]


@dataclass(frozen=True, slots=True)
class Seen:
    """What may disturb, as it is now. `active` None: it cannot be told. `since`: of its last change."""

    kind: CauseKind
    name: str
    active: bool | None
    since: Moment | None


@dataclass(frozen=True, slots=True)
class Disturbance:
    kind: CauseKind
    name: str
    session: str
    listening: bool  # it began in a listening window
    start: Moment
    measured: Measured = "monotonic"

    @property
    def key(self) -> str:
        return f"{self.kind}:{self.name}"

    def to_json(self) -> dict[str, Any]:
        plain = {"kind": self.kind, "name": self.name, "session": self.session, "listening": self.listening}
        return plain | {"ns": str(self.start.wall_ns), "clock": self.start.clock.value}

    @classmethod
    def from_json(cls, written: Mapping[str, Any], now: Moment) -> Disturbance:
        """As left by the run before. Raises KeyError, TypeError, ValueError for what is none."""
        wall_ns = int(written["ns"])
        start = Moment(wall_ns, now.mono_ns - max(0, now.wall_ns - wall_ns), ClockState(written["clock"]))
        words = {name: str(written[name]) for name in ("name", "session")}
        return cls(written["kind"], **words, listening=bool(written["listening"]), start=start, measured="wall-clock")


@dataclass(frozen=True, slots=True)
class Ended:
    """A disturbance that is over; `lost_s` of the session (seconds)."""

    disturbance: Disturbance
    end: Moment
    why: Literal["over", "session-over"]

    @property
    def lost_s(self) -> float:
        return max(0.0, round(self.end.seconds_since(self.disturbance.start), 3))

    def details(self, zone: tzinfo) -> dict[str, Any]:
        one = self.disturbance
        sure = one.start.clock is self.end.clock is ClockState.SYNCHRONISED
        return {
            "cause": one.kind,
            "name": one.name,
            "session": one.session,
            "listening": one.listening,
            "from": one.start.text(zone),
            "to": self.end.text(zone),
            "lost_s": self.lost_s,
            "measured": one.measured,
            "sure": one.measured == "monotonic" or sure,
            "why": self.why,
        }


def look(
    open_: Mapping[str, Disturbance],
    seen: Mapping[str, Seen],
    session: Span | None,
    listening: Span | None,
    now: Moment,
) -> Iterator[Disturbance | Ended]:
    """What begins and what ends, in this order: ends first."""
    for key, one in open_.items():
        cause = seen.get(key)
        if session is None or session.name != one.session:
            yield Ended(one, now if session is None else _later(_at(session.start, now), one.start), "session-over")
        elif cause is not None and cause.active is False:
            end = now if cause.since is None else _later(cause.since, one.start)
            yield Ended(one, end, "over")
    for key, cause in seen.items():
        window = listening if cause.kind == "noise" else session
        going_on = key in open_ and session is not None and open_[key].session == session.name
        if cause.active and session is not None and window is not None and not going_on:
            start = _later(cause.since or now, _at(window.start, now))
            yield Disturbance(cause.kind, cause.name, session.name or "-", listening is not None, start)


def bounded(ended: Ended, session_end: Moment | None) -> Ended:
    """No later than the session's own end."""
    if session_end is None or ended.end.mono_ns <= session_end.mono_ns:
        return ended
    return replace(ended, end=_later(session_end, ended.disturbance.start))


def downtime(last: Moment, now: Moment, sessions: Mapping[str, tuple[float, float]]) -> Iterator[Ended]:
    """What of the time between two runs lies in sessions (start and end in seconds since 1970), by the wall clock."""
    for name, (start_s, end_s) in sessions.items():
        start_ns = max(last.wall_ns, round(start_s * NANO))
        end_ns = min(now.wall_ns, round(end_s * NANO))
        if end_ns <= start_ns:
            continue
        start = Moment(start_ns, now.mono_ns - (now.wall_ns - start_ns), last.clock)
        end = Moment(end_ns, now.mono_ns - (now.wall_ns - end_ns), now.clock)
        one = Disturbance("gateway-down", "gateway", name, listening=False, start=start, measured="wall-clock")
        yield Ended(one, end, "over")


def _at(when: Any, now: Moment) -> Moment:
    """A time of the calendar as a moment of this run."""
    return now if when is None else now.after(when.timestamp() - now.wall_ns / NANO)


def _later(one: Moment, other: Moment) -> Moment:
    return one if one.mono_ns >= other.mono_ns else other
