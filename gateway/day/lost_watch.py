"""Lost time watched: what disturbs a session now, what was entered of it, and the record of each disturbance."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from datetime import datetime, time, timedelta
from typing import Any, Literal

from drivers.contact import ContactState
from drivers.quantities import QUANTITIES
from gateway.alarm.findings import Evidence, Finding
from gateway.alarm.wording import HAPPENED, Text
from gateway.alarm.words import Alarm, Definition, Given, Signal
from gateway.board import quantity_in
from gateway.calendar import LONGEST_SESSION_S, Calendar
from gateway.catalogue import both, say
from gateway.day.lost_time import Disturbance, Ended, Seen, bounded, downtime, look
from gateway.day.wording import CAUSES, DISTURBANCE_BEGAN, DISTURBANCE_ENDED, SESSION_MOVED
from gateway.errors import Refused
from gateway.machine.clock_watch import MOVED_S
from gateway.moment import NANO, ClockState, Moment
from gateway.rules import Rule
from gateway.venue import Venue

log = logging.getLogger(__name__)

PAGE = "lost-time"
_BEGIN: Mapping[str, Literal["session-held", "evacuation"]] = {
    "session-held": "session-held",
    "evacuation": "evacuation",
}
_END: Mapping[str, Literal["session-held", "evacuation"]] = {
    "session-resumed": "session-held",
    "evacuation-over": "evacuation",
}
_CONTACTS: Mapping[str, Literal["power", "fire"]] = {"power": "power", "fire": "fire"}


class LostWatch:
    """Owned by the engine's thread."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue
        self._open: dict[str, Disturbance] = {}
        self._said: dict[str, Seen] = {}  # what persons have entered, by its kind
        self._moved: dict[str, float] = {}  # session: its new end, seconds since 1970
        self._ends: dict[str, float] = {}  # of the sessions that were on while something was open
        self._last: Moment | None = None  # sign of life of the run before, and …
        self._unset: Moment | None = None  # … when this one began with a clock that was not set: to be reckoned anew

    def definitions(self) -> Iterator[tuple[Definition, Text]]:
        yield Definition(PAGE, "lost-time", "low", "gateway"), both(CAUSES["gateway-down"])

    # ---- over a restart ------------------------------------------------------------------------------------------

    def recall(self, memory: Mapping[str, Any], now: Moment) -> None:
        try:
            self._open = {key: Disturbance.from_json(one, now) for key, one in memory["open"].items()}
            self._moved = {str(name): float(end_s) for name, end_s in memory["moved"].items()}
            said = {kind: Disturbance.from_json(one, now) for kind, one in memory["said"].items()}
            self._ends = {str(name): float(end_s) for name, end_s in memory.get("ends", {}).items()}
            self._unset = None if now.clock is ClockState.SYNCHRONISED else now
        except (KeyError, TypeError, ValueError) as error:
            log.warning("event=bad-memory page=%s error=%r", PAGE, str(error))
            return
        self._said = {kind: Seen(one.kind, one.name, True, one.start) for kind, one in said.items()}
        self.moved_again()

    def moved_again(self) -> None:
        """A new calendar is in force: sessions that were moved by order stay moved."""
        for name, end_s in self._moved.items():
            self._calendar.move(name, end_s)

    def resumed(self, last: Moment, now: Moment) -> Iterator[Finding]:
        """The program was down since `last`, its last sign of life."""
        self._last, self._unset = last, None if now.clock is ClockState.SYNCHRONISED else now
        for ended in downtime(last, now, self._calendar.session_times()):
            yield self._ended(ended, now)

    def _clock_set(self, now: Moment) -> Iterator[Finding]:
        """The clock is set now that was not when the program began: what was open since the run before is longer by as
        much, and how long the program was down is told again.
        """
        begun, self._unset = self._unset, None
        if begun is None:
            return
        truly = now.after(-now.seconds_since(begun))
        if abs(truly.wall_ns - begun.wall_ns) < MOVED_S * NANO:
            return
        for key, one in self._open.items():
            if one.measured == "wall-clock":
                self._open[key] = Disturbance.from_json(one.to_json(), now)
        if self._last is not None:
            for ended in downtime(self._last, truly, self._calendar.session_times()):
                yield self._ended(ended, now)

    # ---- time ----------------------------------------------------------------------------------------------------

    def tick(self, now: Moment) -> Iterator[Finding]:
        if now.clock is ClockState.SYNCHRONISED:
            yield from self._clock_set(now)
        session, listening = (self._calendar.span(when, now) for when in ("session", "listening"))
        self._release(now)
        if session is None and not self._open:
            return
        if session is not None and session.end is not None:
            self._ends[session.name or "-"] = session.end.timestamp()
        for change in tuple(look(self._open, self._seen(), session, listening, now)):
            if isinstance(change, Ended):
                del self._open[change.disturbance.key]
                end_s = self._ends.get(change.disturbance.session)
                end = None if end_s is None else now.after(end_s - now.wall_ns / NANO)
                yield self._ended(bounded(change, end), now)
            else:
                self._open[change.key] = change
                yield self._began(change, now)

    def _release(self, now: Moment) -> None:
        """A hold is of one session: one that nobody has ended is over with it, and takes nothing from the next. A clock
        that is set back to before that session ends nothing.
        """
        held = self._said.get("session-held")
        if held is None or held.since is None:
            return
        held_s, now_s = held.since.wall_ns / NANO, now.wall_ns / NANO
        if not any(start_s <= held_s < end_s and now_s < end_s for start_s, end_s in self._calendar.sessions()):
            del self._said["session-held"]

    @property
    def _calendar(self) -> Calendar:
        return self._venue.points.calendar

    def _seen(self) -> dict[str, Seen]:
        found = list(self._said.values())
        for name, watch in self._venue.watches.items():
            if (kind := _CONTACTS.get(watch.config.kind)) is not None:
                known = watch.state in (ContactState.ACTIVE, ContactState.SAFE)
                found.append(Seen(kind, name, watch.state is ContactState.ACTIVE if known else None, watch.since))
        for rule in self._venue.points.rules.values():
            quantity = quantity_in(rule.point)
            if quantity is not None and QUANTITIES[quantity].kind == "noise" and rule.limit is not None:
                alarm = self._venue.book.pages[rule.name].alarm
                found.append(Seen("noise", rule.name, alarm.condition, _turned(rule, alarm)))
        return {f"{each.kind}:{each.name}": each for each in found}

    # ---- what persons enter --------------------------------------------------------------------------------------

    def entry(self, kind: str, by: str, note: str | None, now: Moment) -> Iterator[Finding]:
        """A session held or resumed, an evacuation or its end."""
        session = self._calendar.span("session", now)
        if kind in _BEGIN:
            cause = _BEGIN[kind]
            if cause in self._said and self._said[cause].active:
                raise Refused(say("that is entered already"))
            if session is None:
                raise Refused(say("no session is on"))
            self._said[cause] = Seen(cause, "order", True, now)
        else:
            cause = _END[kind]
            if cause not in self._said or not self._said[cause].active:
                raise Refused(say("nothing was entered that could be over"))
            self._said[cause] = Seen(cause, "order", False, now)
        what = both(CAUSES[cause]) if kind in _BEGIN else both(HAPPENED["cleared"], what=both(CAUSES[cause]))
        yield self._record(what, kind, {"entry": kind, "by": by}, now, Given(by=by, note=note, reason=kind))
        yield from self.tick(now)

    def move(self, session: str, until: str, by: str, note: str | None, now: Moment) -> Iterator[Finding]:
        """A session ends at another time by order. Raises Refused."""
        times = self._calendar.session_times().get(session)
        if times is None:
            known = ", ".join(self._calendar.session_times()) or "-"
            raise Refused(say("{given} is none of: {known}", given=repr(session), known=known))
        end_s = self._end_of(session, times, until, now)
        self._moved[session] = end_s
        self._calendar.move(session, end_s)
        if session in self._ends:
            self._ends[session] = end_s
        what = both(SESSION_MOVED, session=session, until=until, by=by, note=note)
        details = {"entry": "session-moved", "session": session, "until": self._text(end_s), "by": by}
        yield self._record(what, "session-moved", details, now, Given(by=by, note=note, reason="session-moved"))

    def _end_of(self, session: str, times: tuple[float, float], until: str, now: Moment) -> float:
        """The new end, seconds since 1970. Raises Refused for one that is none."""
        zone = self._venue.book.zone
        try:
            clock = time.fromisoformat(until)
        except ValueError as error:
            raise Refused(say("{given} is no time of day; write for example 11:45", given=repr(until))) from error
        start = datetime.fromtimestamp(times[0], tz=zone)
        end = datetime.combine(start.date(), clock, zone)
        end_s = (end if end > start else end + timedelta(days=1)).timestamp()
        if end_s - times[0] > LONGEST_SESSION_S:
            raise Refused(say("a session is at most 12 h long"))
        if end_s < now.wall_ns / NANO:
            raise Refused(say("{until} is over: a session cannot end before now", until=until))
        for name, (start_s, _) in self._calendar.session_times().items():
            if name != session and times[0] < start_s < end_s:
                raise Refused(say("the session {name} begins before that", name=name))
        return end_s

    # ---- the record ----------------------------------------------------------------------------------------------

    def _began(self, one: Disturbance, now: Moment) -> Finding:
        zone = self._venue.book.zone
        start = f"{one.start.local(zone):%H:%M:%S}"
        what = both(DISTURBANCE_BEGAN, session=one.session, cause=both(CAUSES[one.kind]), name=one.name, start=start)
        details = {"cause": one.kind, "name": one.name, "session": one.session, "listening": one.listening}
        return self._record(what, "disturbance-began", details | {"from": one.start.text(zone)}, now)

    def _ended(self, ended: Ended, now: Moment) -> Finding:
        one = ended.disturbance
        words = {"session": one.session, "cause": both(CAUSES[one.kind]), "name": one.name}
        what = both(DISTURBANCE_ENDED, lost_s=f"{ended.lost_s:.1f}", **words)
        return self._record(what, "disturbance-ended", ended.details(self._venue.book.zone), now)

    def _record(
        self, what: Text, reason: str, details: Mapping[str, Any], now: Moment, given: Given | None = None
    ) -> Finding:
        evidence = Evidence(what, reason=reason, details=details)
        return Finding(PAGE, Signal.UPDATE, now, evidence, given or Given(reason=reason), memory=self._memory())

    def _memory(self) -> dict[str, Any]:
        said = {kind: each for kind, each in self._said.items() if each.active and each.since is not None}
        return {
            "open": {key: one.to_json() for key, one in self._open.items()},
            "moved": dict(self._moved),
            "ends": {one.session: self._ends[one.session] for one in self._open.values() if one.session in self._ends},
            "said": {
                kind: Disturbance(each.kind, each.name, "-", False, each.since).to_json()
                for kind, each in said.items()
                if each.since is not None
            },
        }

    def _text(self, second: float) -> str:
        return datetime.fromtimestamp(second, tz=self._venue.book.zone).isoformat()


def _turned(rule: Rule, alarm: Alarm) -> Moment | None:
    """When the level itself went over or under the limit: before the holds."""
    if alarm.changed is None:
        return None
    hold_s = rule.raise_after_s if alarm.condition else rule.clear_after_s
    return alarm.changed.after(-hold_s)
