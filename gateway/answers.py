"""What the running gateway answers over the local socket: how it is, what stands, and why. Changes nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from gateway.board import unit_of
from gateway.book import Page, Sent
from gateway.catalogue import say, sentence
from gateway.errors import Refused
from gateway.health import DeviceWatch
from gateway.moment import Moment
from gateway.values import Question

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
            "alarms": len(book.standing()),
            "unacknowledged": book.unacknowledged(),
            "contacts": {name: watch.state.value for name, watch in engine.watches.items()},
            "devices": {name: _device(watch, now) for name, watch in engine.health.devices.items()},
            "brokers": {name: {"state": each.state, "detail": each.detail} for name, each in engine.links.items()},
            "storage": {name: say(state.error) if state.error else "ok" for name, state in engine.storage.items()},
            "stored": engine.stored,
            "last_event": book.chain.number,
        }

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
                | {"valid": seen.valid, "reason": seen.reason}
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
            "rule": engine.points.explain(name, question.at),
            "delivery": {
                f"{each.transition} r{each.revision}": _way(each, each.number <= engine.stored) for each in sent
            },
        }


def _device(watch: DeviceWatch, now: Moment) -> str:
    if watch.answered is None:
        return say("never answered ({cause})", cause=watch.cause)
    age_s = now.seconds_since(watch.answered)
    silent = say("silent for {age:.0f} s ({cause})", age=age_s, cause=watch.cause)
    return "ok" if age_s < watch.silent_after_s else silent


def _way(sent: Sent, stored: bool) -> str:
    hops = [f"#{sent.number}", "stored" if stored else "not stored"]
    hops += [f"{sink}: {when}" for sink, when in sent.accepted.items()]
    hops += [f"received by {station}: {when}" for station, when in sent.received.items()]
    if sent.needs_receipt and not sent.received:
        hops.append("no receipt yet")
    return ", ".join(hops)
