"""What the running gateway answers over the local socket: how it is, what stands, and why. Changes nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import tzinfo
from typing import Any

from gateway.accept.plan import plan
from gateway.alarm.book import Page, Sent
from gateway.board import unit_of
from gateway.catalogue import say, sentence
from gateway.day.day import Day
from gateway.errors import Refused
from gateway.machine.health import DeviceWatch, Health
from gateway.moment import Moment
from gateway.persons.summary import pressing, summary
from gateway.values import Question, SinkState
from gateway.venue import Venue

RECENT = 5  # events whose way is told


class Answers:
    """Owned by the engine's thread."""

    def __init__(self, venue: Venue, day: Day) -> None:
        self._venue = venue
        self._day = day
        self._known: Mapping[str, Callable[[Question], dict[str, Any]]] = {
            "status": lambda question: {"status": self.status(question.at)},
            "alarms": lambda _question: {"alarms": self._standing()},
            "points": lambda question: {"points": self._points(question.at)},
            "why": self._why,
            "limits": self._limits,
            "accept": lambda question: {"plan": plan(self._venue, self.status(question.at), question.at)},
        }

    def answer(self, question: Question) -> None:
        try:
            if question.verb not in self._known:
                raise Refused(say("{verb} is not something this gateway knows", verb=question.verb))
            question.reply({"ok": True, **self._known[question.verb](question)})
        except Refused as error:
            question.reply({"ok": False, "error": sentence(error)})

    def status(self, now: Moment) -> dict[str, Any]:
        """How the gateway is. Unknown is said to be unknown."""
        venue = self._venue
        origin, book = venue.book.origin, venue.book
        phase = venue.points.calendar.phase(now)
        return {
            "venue": origin.venue,
            "simulated": origin.simulated,
            "time": now.text(origin.zone),
            "clock": now.clock.value,
            "run": origin.run,
            "configuration": venue.config_sha256,
            "phase": sorted(phase.names),
            "session": phase.session,
            **self._day.status(now),
            "alarms": len(book.standing()),
            "unacknowledged": book.unacknowledged(),
            "contacts": {name: watch.state.value for name, watch in venue.watches.items()},
            "seals": {name: watch.seal for name, watch in venue.watches.items() if watch.seal is not None},
            "devices": {name: _device(watch, venue.health, now) for name, watch in venue.health.devices.items()},
            "screening": {name: gate.describe(now) for name, gate in venue.gates.items()},
            "lamps": {name: step.value for name, step in venue.lamps.steps().items()},
            "brokers": {name: self._link(name, each, now) for name, each in venue.links.items()},
            "storage": {name: say(state.error) if state.error else "ok" for name, state in venue.storage.items()},
            "card": venue.out.card(),
            "stored": venue.stored,
            "last_event": book.chain.number,
        }

    def _link(self, name: str, link: SinkState, now: Moment) -> dict[str, Any]:
        """With the age of the last message of our own that came back through the broker, while it is connected."""
        canary = self._venue.canaries.get(name)
        found: dict[str, Any] = {"state": link.state, "detail": link.detail}
        if canary is not None and canary.at >= link.at and link.state == "connected":
            found["canary_age_s"] = round(now.seconds_since(canary.at), 1)
            found["round_trip_ms"] = round(canary.round_trip_s * 1000, 1)
        return found

    def _standing(self) -> list[dict[str, Any]]:
        return sorted(map(self._summary, self._venue.book.standing()), key=pressing)

    def _summary(self, page: Page) -> dict[str, Any]:
        return summary(page, self._venue.book.zone)

    def _points(self, now: Moment) -> list[dict[str, Any]]:
        board = self._venue.points.board
        found = []
        for name in board.names():
            seen = board.seen(name, now)
            found.append(
                {"point": name, "value": seen.value, "unit": unit_of(name), "quality": seen.quality.value}
                | {"valid": seen.valid, "reason": seen.reason, "silent_s": round(seen.silent_s, 1)}
            )
        return found

    def _why(self, question: Question) -> dict[str, Any]:
        """Why an alarm is as it is: itself, its rule with the window that puts it in force, its last events' way."""
        venue = self._venue
        name = str(question.arguments.get("alarm"))
        page = venue.book.pages.get(name)
        if page is None:
            raise Refused(say("there is no alarm {alarm} here", alarm=repr(name)))
        sent = [each for each in venue.book.sent.values() if each.alarm == name][-RECENT:]
        return {
            "alarm": self._summary(page),
            "life": _life(page, question.at, venue.book.zone),
            "rule": venue.points.explain(name, question.at),
            "delivery": [_way(each, each.number <= venue.stored) for each in sent],
        }

    def _limits(self, question: Question) -> dict[str, Any]:
        """The limits that are in force now: of one point or device, or of all."""
        point = question.arguments.get("point")
        found = self._venue.points.limits(question.at, None if point is None else str(point))
        if not found and point is not None and not self._venue.points.knows(str(point)):
            raise Refused(say("there is no point or device {point} here", point=repr(point)))
        return {"limits": found}


def _device(watch: DeviceWatch, health: Health, now: Moment) -> str:
    cause = health.cause(watch)
    if watch.answered is None:
        return say("never answered ({cause})", cause=cause)
    age_s = now.seconds_since(watch.answered)
    silent = say("silent for {age:.0f} s ({cause})", age=age_s, cause=cause)
    return "ok" if age_s < watch.silent_after_s else silent


def _life(page: Page, now: Moment, zone: tzinfo) -> dict[str, Any]:
    """What runs and what was done: holds, who has seen it or put it aside, the steps of escalation."""
    definition, alarm = page.definition, page.alarm
    turning = None
    if alarm.turning is not None:
        hold_s = definition.clear_after_s if alarm.condition else definition.raise_after_s
        turning = {"since_s": round(now.seconds_since(alarm.turning), 1), "hold_s": hold_s}
    steps = [{"to": step.to, "after_s": step.after_s} for step in definition.escalation]
    escalating = alarm.escalating is not None
    return {
        "condition": alarm.condition,
        "changed": None if alarm.changed is None else alarm.changed.text(zone),
        "turning": turning,
        "latching": definition.latching,
        "openings": alarm.openings,
        "drill": alarm.drill and alarm.standing,
        "acknowledged": None if alarm.acknowledged is None else alarm.acknowledged.text(zone),
        "acknowledged_by": alarm.acknowledged_by,
        "acknowledged_note": alarm.acknowledged_note,
        "hidden_by": alarm.hidden_by,
        "hidden_note": alarm.hidden_note,
        "shelved_until": None if alarm.shelved_until is None else alarm.shelved_until.text(zone),
        "steps_taken": steps[: alarm.escalation_step] if escalating else [],
        "steps_left": steps[alarm.escalation_step :] if escalating else [],
        "escalating_s": None if alarm.escalating is None else round(now.seconds_since(alarm.escalating), 1),
    }


def _way(sent: Sent, stored: bool) -> dict[str, Any]:
    """How far one event has come, hop by hop."""
    return {
        "number": sent.number,
        "transition": sent.transition,
        "revision": sent.revision,
        "stored": stored,
        "brokers": dict(sent.accepted),
        "received": dict(sent.received),
        "needs_receipt": sent.needs_receipt,
    }
