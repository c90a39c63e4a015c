"""What the running gateway answers over the local socket: how it is, what stands, and why. Changes nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import tzinfo
from typing import TYPE_CHECKING, Any

from gateway.accept.plan import plan
from gateway.board import unit_of
from gateway.book import Page, Sent
from gateway.catalogue import say, sentence
from gateway.errors import Refused
from gateway.health import DeviceWatch
from gateway.moment import Moment
from gateway.values import Question, SinkState

if TYPE_CHECKING:  # the engine asks us, and we read the engine
    from gateway.engine import Engine

RECENT = 5  # events whose way is told


class Answers:
    """Owned by the engine's thread."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._known: Mapping[str, Callable[[Question], dict[str, Any]]] = {
            "status": lambda question: {"status": self.status(question.at)},
            "alarms": lambda _question: {"alarms": [self.summary(page) for page in self._engine.book.standing()]},
            "points": lambda question: {"points": self._points(question.at)},
            "why": self._why,
            "limits": self._limits,
            "accept": lambda question: {"plan": plan(self._engine, question.at)},
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
        engine = self._engine
        origin, book = engine.book.origin, engine.book
        phase = engine.points.calendar.phase(now)
        return {
            "venue": origin.venue,
            "simulated": origin.simulated,
            "time": now.text(origin.zone),
            "clock": now.clock.value,
            "run": origin.run,
            "configuration": engine.config_sha256,
            "phase": sorted(phase.names),
            "session": phase.session,
            **engine.day.status(now),
            "alarms": len(book.standing()),
            "unacknowledged": book.unacknowledged(),
            "contacts": {name: watch.state.value for name, watch in engine.watches.items()},
            "seals": {name: watch.seal for name, watch in engine.watches.items() if watch.seal is not None},
            "devices": {name: _device(watch, now) for name, watch in engine.health.devices.items()},
            "screening": {name: gate.describe(now, engine.points.calendar) for name, gate in engine.gates.items()},
            "lamps": {name: step.value for name, step in engine.lamps.steps().items()},
            "brokers": {name: self._link(name, each, now) for name, each in engine.links.items()},
            "storage": {name: say(state.error) if state.error else "ok" for name, state in engine.storage.items()},
            "card": engine.out.card(),
            "stored": engine.stored,
            "last_event": book.chain.number,
        }

    def _link(self, name: str, link: SinkState, now: Moment) -> dict[str, Any]:
        """With the age of the last message of our own that came back through the broker, while it is connected."""
        canary = self._engine.canaries.get(name)
        found: dict[str, Any] = {"state": link.state, "detail": link.detail}
        if canary is not None and canary.at >= link.at and link.state == "connected":
            found["canary_age_s"] = round(now.seconds_since(canary.at), 1)
            found["round_trip_ms"] = round(canary.round_trip_s * 1000, 1)
        return found

    def summary(self, page: Page) -> dict[str, Any]:
        alarm, zone = page.alarm, self._engine.book.zone
        return {
            "alarm": page.definition.name,
            "kind": page.definition.kind,
            "severity": page.definition.severity,
            "state": alarm.shown.value,
            "condition": alarm.condition,
            "activation": alarm.activation,
            "revision": alarm.revision,
            "since": alarm.raised.text(zone) if alarm.raised is not None else "",
            "by": alarm.acknowledged_by,
            "received_by": list(alarm.received_by),
            "text": page.evidence.what,
        }

    def _points(self, now: Moment) -> list[dict[str, Any]]:
        board = self._engine.points.board
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
        engine = self._engine
        name = str(question.arguments.get("alarm"))
        page = engine.book.pages.get(name)
        if page is None:
            raise Refused(say("there is no alarm {alarm} here", alarm=repr(name)))
        sent = [each for each in engine.book.sent.values() if each.alarm == name][-RECENT:]
        return {
            "alarm": self.summary(page),
            "life": _life(page, question.at, engine.book.zone),
            "rule": engine.points.explain(name, question.at),
            "delivery": [_way(each, each.number <= engine.stored) for each in sent],
        }

    def _limits(self, question: Question) -> dict[str, Any]:
        """The limits that are in force now: of one point or device, or of all."""
        point = question.arguments.get("point")
        found = self._engine.points.limits(question.at, None if point is None else str(point))
        if not found and point is not None and not self._engine.points.knows(str(point)):
            raise Refused(say("there is no point or device {point} here", point=repr(point)))
        return {"limits": found}


def _device(watch: DeviceWatch, now: Moment) -> str:
    if watch.answered is None:
        return say("never answered ({cause})", cause=watch.cause)
    age_s = now.seconds_since(watch.answered)
    silent = say("silent for {age:.0f} s ({cause})", age=age_s, cause=watch.cause)
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
