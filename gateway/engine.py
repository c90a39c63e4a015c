"""The one thread that decides. Messages in; events, states, readings and lamp patterns out.

    edges, readings, lost devices, commands, receipts, ticks --> Engine.handle --> Book (alarms -> events) --> Outputs

`Engine` is pure: time comes with the messages, and `Outputs` only puts on queues. `EngineThread` runs it on an inbox.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol

from drivers.contact import ContactState
from gateway import book, payloads, signing
from gateway.alarms import UNACKNOWLEDGED, Given, Signal, Step
from gateway.assembly import Plan
from gateway.board import unit_of
from gateway.book import Book, Page, Sent
from gateway.catalogue import LANGUAGES, say
from gateway.config import Config
from gateway.errors import Refused
from gateway.findings import Finding
from gateway.health import (
    DeviceWatch,
    Health,
    configuration,
    disarmed,
    happening,
    link,
    still_armed,
    storage,
    system_definitions,
    text,
)
from gateway.inbox import Inbox
from gateway.lamp import LampStep
from gateway.moment import NANO, Clock, Moment
from gateway.payloads import Origin
from gateway.points import Points
from gateway.sinks.feeder import Piece
from gateway.snapshots import from_json
from gateway.values import (
    STREAMS,
    Accepted,
    BusState,
    Command,
    ConfigurationState,
    ContactFault,
    Edge,
    Inbound,
    LineHealth,
    Lost,
    NotTaken,
    Question,
    Readings,
    SeenRetained,
    SetAside,
    SinkState,
    StorageState,
    Stored,
    Tick,
)
from gateway.watches import ContactWatch

log = logging.getLogger(__name__)

HEAD_EVERY_S = 30.0
NOT_DELIVERED_S = 30.0  # after that without a receipt the lamp says so
MOST_RESENT = 100  # events at once: as many answers as a pump keeps, with room
REFUSED_FROM = 128  # MQTT 5 reason codes
LONGEST_WAIT_S = 0.5

_VERBS: dict[str, Signal] = {
    "ack": Signal.ACKNOWLEDGE,
    "reset": Signal.RESET,
    "shelve": Signal.SHELVE,
    "unshelve": Signal.UNSHELVE,
    "suppress": Signal.SUPPRESS,
    "release": Signal.RELEASE,
    "remove": Signal.REMOVE,
    "return": Signal.RETURN,
}


class Outputs(book.Outputs, Protocol):
    """Where everything goes. Every method only puts on a queue."""

    def readings(self, readings: Readings) -> None: ...
    def lamp(self, contact: str, step: LampStep, *, sound: bool) -> None: ...
    def say(self, topic: str, payload: bytes) -> None: ...
    def resend(self, piece: Piece) -> None: ...
    def storage(self, *, failing: bool) -> None: ...
    def nonces(self, sink: str) -> tuple[str, ...]: ...
    def alive(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Reconfigured:
    """A new configuration is in force, with what watches its devices and judges its points."""

    plan: Plan
    health: Health
    points: Points
    at: Moment


@dataclass(frozen=True, slots=True)
class NewBroker:
    """A broker that knows nothing of us yet: every state is to be published to it."""

    sink: str
    at: Moment


class Engine:
    """The venue's state. `handle` takes any message of `values.py`; `advance` does what time alone brings."""

    def __init__(
        self,
        config: Config,
        origin: Origin,
        ledger: Book,
        outputs: Outputs,
        health: Health,
        points: Points,
        *,
        config_sha256: str,
    ) -> None:
        self.config = config
        self.origin = origin
        self.book = ledger
        self.out = outputs
        self.health = health
        self.points = points
        self.book.session = points.session
        self.watches = {name: ContactWatch(name, contact) for name, contact in config.contact.items()}
        self.links: dict[str, SinkState] = {}
        self.storage: dict[str, StorageState] = {}
        self.lines: dict[str, LineHealth] = {}
        self.stored = 0
        self._config_sha256 = config_sha256
        self._key = ledger.identity.public
        self._read_back: set[str] = set()
        self._lamps: dict[str, tuple[LampStep, bool]] = {}
        self.door = signing.Door(config.person, config.station)
        self._heads_at: Moment | None = None
        self._disarmed: tuple[str, ...] = ()
        self._handlers: Mapping[type, Callable[[Any], None]] = {
            Readings: self._readings,
            Lost: lambda m: self._find_all(self.health.take(m, m.at)),
            BusState: lambda m: self._find_all(self.health.take(m, m.at)),
            Edge: self._contact,
            ContactFault: self._contact,
            Tick: self._tick,
            Stored: self._stored,
            Accepted: self._accepted,
            NotTaken: self._not_taken,
            LineHealth: self._line_health,
            StorageState: self._storage,
            ConfigurationState: self._configuration,
            Reconfigured: self._reconfigured,
            NewBroker: lambda m: self._publish_all(m.at),
            SetAside: lambda m: self._find_all(storage(m)),
            SinkState: self._sink,
            Inbound: self._inbound,
            SeenRetained: self._seen_retained,
            Command: self._command,
            Question: self._question,
        }

    # ---- the thread's two entrances ------------------------------------------------------------------------------

    def handle(self, message: object) -> None:
        """One message of `values.py`. A message nobody knows is a bug and raises."""
        self._handlers[type(message)](message)

    def advance(self, now: Moment) -> None:
        """What has fallen due between messages: a glitch time is over, a hold is over."""
        for watch in self.watches.values():
            due = watch.due()
            if due is not None and due <= now.mono_ns:
                self._find_all(watch.advance(now))
                self._publish_contact(watch, now)
        due = self.book.due()
        if due is not None and due <= now.mono_ns:
            self.book.tick(now)

    def due(self) -> int | None:
        """mono_ns at which `advance` has something to do."""
        times = [due for watch in self.watches.values() if (due := watch.due()) is not None]
        if (own := self.book.due()) is not None:
            times.append(own)
        return min(times, default=None)

    def enter(self, now: Moment, kept: Iterable[str]) -> None:
        """Enter every alarm that this venue can have into the book; `kept`: what the file would have disarmed."""
        escalation = tuple(Step(step.after, step.to) for step in self.config.escalation.steps)
        sinks = ("mqtt", "second") if self.config.mqtt and self.config.mqtt.second else ("mqtt",)
        entries = [*system_definitions(sinks if self.config.mqtt else ()), *self.health.definitions()]
        entries += self.points.definitions(escalation)
        for watch in self.watches.values():
            entries += watch.definitions(escalation)
        entries += [disarmed(name) for name in kept]
        for definition, what in entries:
            self.book.define(definition, what, now)
        self.book.define_left(now)
        self.book.drop(self.book.pages.keys() - {definition.name for definition, _ in entries}, now)
        self._disarmed = tuple(kept)

    def start(self, now: Moment) -> None:
        """Say again what stands, and publish every state there is."""
        self.book.resume(now)
        self._publish_all(now)
        self._find_all(still_armed(name, now) for name in self._disarmed)

    def _publish_all(self, now: Moment) -> None:
        for page in self.book.pages.values():
            self.book.publish(page, now)
        for watch in self.watches.values():
            self._publish_contact(watch, now)
        self._describe()
        self._publish_heads(now)

    # ---- sources -------------------------------------------------------------------------------------------------

    def _readings(self, message: Readings) -> None:
        if message.device not in self.health.devices:
            return  # its device left with the last reload, and this answer was still under way
        self.out.readings(message)
        self.points.take(message)
        self._find_all(self.health.take(message, message.readings[0].at))

    def _contact(self, message: Edge | ContactFault) -> None:
        watch = self.watches.get(message.contact)
        if watch is None:
            return
        before = (watch.state, watch.error)
        self._find_all(watch.take(message))
        self._find_all(watch.advance(message.at))
        if (watch.state, watch.error) != before:
            self._publish_contact(watch, message.at)

    def _tick(self, message: Tick) -> None:
        now = message.at
        self._arm(now)
        self._find_all(self.health.tick(now))
        self._find_all(self.points.judge(now, self.book.confirmed()))
        self.advance(now)
        self._show_lamps(now)
        if self._heads_at is None or now.seconds_since(self._heads_at) >= HEAD_EVERY_S:
            self._publish_heads(now)
        self.out.alive()

    def _arm(self, now: Moment) -> None:
        for watch in self.watches.values():
            if watch.config.kind == "seal":
                self._find_all(watch.arm(self.points.sealed(now), now))

    def _find_all(self, findings: Iterable[Finding]) -> None:
        for finding in findings:
            self.book.find(finding)
            watch = self.watches.get(finding.alarm)
            if watch is not None:
                self._show_lamp(watch, finding.at)

    # ---- writers and sinks ---------------------------------------------------------------------------------------

    def _stored(self, message: Stored) -> None:
        self.stored = max(self.stored, message.number)
        self._show_lamps(message.at)

    def _accepted(self, message: Accepted) -> None:
        self.book.accepted(message.sink, message.number, None, message.at)

    def _not_taken(self, message: NotTaken) -> None:
        why = "refused" if message.code is None or message.code >= REFUSED_FROM else "nobody listens"
        self.book.accepted(message.sink, message.number, why, message.at)

    def _line_health(self, message: LineHealth) -> None:
        self.lines[message.device] = message

    def _storage(self, message: StorageState) -> None:
        self.storage[message.store] = message
        if message.store == "events":
            self.out.storage(failing=message.error is not None)
        self._find_all(storage(message))

    def _configuration(self, message: ConfigurationState) -> None:
        self._config_sha256 = message.sha256
        self._find_all([configuration(message)])
        self._describe()

    def _reconfigured(self, message: Reconfigured) -> None:
        """What did not change keeps what it knew: contacts their state, devices their last answer."""
        plan, now = message.plan, message.at
        before = self.health.devices
        self.config, self._config_sha256 = plan.config, plan.sha256
        self.health, self.points = message.health, message.points
        self.health.devices |= {
            name: replace(watch, answered=before[name].answered, cause=before[name].cause)
            for name, watch in self.health.devices.items()
            if name in before
        }
        self.book.session = self.points.session
        known = self.watches
        self.watches = {
            name: known[name] if name in known and known[name].config == contact else ContactWatch(name, contact)
            for name, contact in plan.config.contact.items()
        }
        self.door = signing.Door(plan.config.person, plan.config.station)
        self.enter(now, plan.kept)
        self._publish_all(now)
        self._find_all(still_armed(name, now) for name in self._disarmed)

    def _sink(self, message: SinkState) -> None:
        if message.state == "unreachable" and message.sink in self.links:
            self._read_back.add(message.sink)  # what it holds at the next connection was ours, or was altered
        self.links[message.sink] = message
        finding = link(message)
        if finding is not None:
            self._find_all([finding])

    def _seen_retained(self, message: SeenRetained) -> None:
        """A state at the broker that this run did not send: left by a run before, or made by somebody else."""
        left = None if message.live else payloads.read_alarm_state(message.payload, self._key)
        if left is not None and left.get("run") != self.origin.run:
            self._left_behind(left, message.at)
        elif message.live or left is not None or message.sink in self._read_back:
            what = text("altered", message.topic, f"{message.topic} ({message.sink})")
            self._find_all(happening("state-altered", message.at, what, message.topic))
        self._publish_again(message.topic, message.at)

    def _left_behind(self, left: Mapping[str, Any], now: Moment) -> None:
        """An alarm as the run before last published it: what was sent and never stored is taken up and reported."""
        last = left.get("event")
        if isinstance(last, dict) and self.book.stream_of(str(last.get("hash"))) is None:
            reason = f"{left['stream']}, run {last.get('run')}, seq {last.get('seq')}, hash {last.get('hash')}"
            self._find_all(happening("sent-not-stored", now, text("unstored", "-", reason), reason))
        try:
            found = from_json(left["life"], now)
        except (KeyError, TypeError, ValueError):
            return
        self.book.adopt(str(left["alarm"]), found, now)

    # ---- people and far sides ------------------------------------------------------------------------------------

    def _inbound(self, message: Inbound) -> None:
        kind = message.topic.partition("/")[0]
        try:
            if kind == "receipt":
                receipt = self.door.receipt(message, self.book.stream_of)
                self.book.receive(receipt.hash, receipt.station, message.at)
                self._show_lamps(message.at)
            else:
                self._obey(self.door.command(message, self.out.nonces(message.sink)), message.sink)
        except Refused as error:
            what = text("refused", message.topic, str(error))
            self._find_all(happening(f"{kind}-refused", message.at, what, str(error)))

    def _obey(self, command: Command, sink: str) -> None:
        """A proven command over MQTT; its answer goes to `response/{verb}`."""
        broker = self.config.mqtt if sink == "mqtt" else self.config.mqtt and self.config.mqtt.second
        error, result = None, None
        try:
            if command.verb == "ping":
                result = {}
            elif command.verb == "resend":
                result = self._resend(command)
            else:
                if command.verb == "reset" and self._custody(command.alarm) and not (broker and broker.reset_custody):
                    raise Refused(say("leak and seal alarms are reset at the venue, not from afar"))
                result = self._act(command)
        except Refused as refused:
            error = {language: str(refused) for language in LANGUAGES}
        answer = payloads.response(
            self.origin, command.at, command.verb, id_=command.id, ok=error is None, error=error, result=result
        )
        self.out.say(answer.topic, answer.payload)

    def _resend(self, command: Command) -> dict[str, Any]:
        """A range of a stream, for a station that serves it and missed something."""
        asked = command.arguments
        stream = next((name for name in STREAMS if name == asked.get("stream")), None)
        served = next((s.streams for s in self.config.station if s.id == command.by), ())
        if stream is None or stream not in served:
            raise Refused(say("{station} does not serve the stream {stream}", station=command.by, stream=stream))
        first, last = asked.get("first"), asked.get("last")
        if not (isinstance(first, int) and isinstance(last, int) and 0 < first <= last < first + MOST_RESENT):
            raise Refused(say("name the first and the last seq, at most {most} events at once", most=MOST_RESENT))
        self.out.resend(Piece(stream, str(asked.get("run")), first, last))
        return {"stream": stream, "first": first, "last": last}

    def _command(self, command: Command) -> None:
        """From the local socket, by a person whose PIN was right."""
        answer: dict[str, Any]
        try:
            answer = {"ok": True, **self._act(command)}
        except Refused as error:
            answer = {"ok": False, "error": str(error)}
        if command.reply is not None:
            command.reply(answer)

    def _act(self, command: Command) -> dict[str, Any]:
        signal = _VERBS.get(command.verb)
        if signal is None:
            raise Refused(say("{verb} is not something this gateway does", verb=command.verb))
        if command.alarm not in self.book.pages:
            raise Refused(say("there is no alarm {alarm} here", alarm=repr(command.alarm)))
        lasting = command.arguments.get("for_s")
        given = Given(
            by=command.by,
            note=command.note,
            reason=command.peer,
            activation=command.activation,
            revision=command.revision,
            for_s=float(lasting) if isinstance(lasting, int | float) else None,
        )
        self.book.signal(command.alarm, signal, command.at, given)
        self._show_lamps(command.at)
        return self._summary(self.book.pages[command.alarm])

    def _custody(self, alarm: str | None) -> bool:
        page = self.book.pages.get(alarm or "")
        return page is not None and page.definition.custody

    def _question(self, question: Question) -> None:
        asked: Mapping[str, Callable[[Question], dict[str, Any]]] = {
            "status": lambda q: {"status": self.status(q.at)},
            "alarms": lambda _q: {"alarms": [self._summary(page) for page in self.book.standing()]},
            "why": self._why,
            "points": lambda q: {"points": self._points(q.at)},
        }
        try:
            if question.verb not in asked:
                raise Refused(say("{verb} is not something this gateway knows", verb=question.verb))
            question.reply({"ok": True, **asked[question.verb](question)})
        except Refused as error:
            question.reply({"ok": False, "error": str(error)})

    # ---- what is shown -------------------------------------------------------------------------------------------

    def status(self, now: Moment) -> dict[str, Any]:
        """How the gateway is, for the local socket. Unknown is said to be unknown."""
        phase = self.points.calendar.phase(now)
        return {
            "venue": self.origin.venue,
            "simulated": self.origin.simulated,
            "time": now.text(self.origin.zone),
            "clock": now.clock.value,
            "run": self.origin.run,
            "configuration": self._config_sha256,
            "phase": sorted(phase.names),
            "session": phase.session,
            "alarms": len(self.book.standing()),
            "unacknowledged": self.book.unacknowledged(),
            "contacts": {name: watch.state.value for name, watch in self.watches.items()},
            "devices": {name: self._device(watch, now) for name, watch in self.health.devices.items()},
            "brokers": {name: f"{state.state}: {state.detail}" for name, state in self.links.items()},
            "storage": {name: state.error or "ok" for name, state in self.storage.items()},
            "stored": self.stored,
            "last_event": self.book.chain.number,
        }

    @staticmethod
    def _device(watch: DeviceWatch, now: Moment) -> str:
        if watch.answered is None:
            return f"never answered ({watch.cause})"
        age_s = now.seconds_since(watch.answered)
        return "ok" if age_s < watch.silent_after_s else f"silent for {age_s:.0f} s ({watch.cause})"

    def _points(self, now: Moment) -> list[dict[str, Any]]:
        found = []
        for name in self.points.board.names():
            seen = self.points.board.seen(name, now)
            found.append(
                {"point": name, "value": seen.value, "unit": unit_of(name), "quality": seen.quality.value}
                | {"valid": seen.valid, "reason": seen.reason}
            )
        return found

    def _summary(self, page: Page) -> dict[str, Any]:
        alarm = page.alarm
        return {
            "alarm": page.definition.name,
            "kind": page.definition.kind,
            "severity": page.definition.severity,
            "state": alarm.shown.value,
            "condition": alarm.condition,
            "activation": alarm.activation,
            "revision": alarm.revision,
            "since": alarm.raised.text(self.origin.zone) if alarm.raised is not None else "",
            "by": alarm.acknowledged_by,
            "received_by": list(alarm.received_by),
            "text": page.evidence.what,
        }

    def _why(self, question: Question) -> dict[str, Any]:
        """Why an alarm is as it is: itself, its rule with the window that puts it in force, its last events' way."""
        name = str(question.arguments.get("alarm"))
        page = self.book.pages.get(name)
        if page is None:
            raise Refused(say("there is no alarm {alarm} here", alarm=repr(name)))
        sent = [each for each in self.book.sent.values() if each.alarm == name][-5:]
        return {
            "alarm": self._summary(page),
            "rule": self.points.explain(name, question.at),
            "delivery": {
                f"{each.transition} r{each.revision}": _way(each, stored=each.number <= self.stored) for each in sent
            },
        }

    def _show_lamps(self, now: Moment) -> None:
        for watch in self.watches.values():
            self._show_lamp(watch, now)

    def _show_lamp(self, watch: ContactWatch, now: Moment) -> None:
        if watch.config.lamp_pin is None and watch.config.buzzer_pin is None:
            return
        page = self.book.pages[watch.name]
        sound = page.alarm.state in UNACKNOWLEDGED and not watch.config.silent
        shown = (self._lamp_step(watch, page, now), sound)
        if self._lamps.get(watch.name) != shown:
            self._lamps[watch.name] = shown
            self.out.lamp(watch.name, shown[0], sound=sound)

    def _lamp_step(self, watch: ContactWatch, page: Page, now: Moment) -> LampStep:
        alarm = page.alarm
        if not alarm.standing:
            faults = (self.book.pages.get(f"{watch.name}-{fault}") for fault in ("line", "pin"))
            faulty = any(fault is not None and fault.alarm.standing for fault in faults)
            return LampStep.FAULT if faulty or watch.state is ContactState.UNKNOWN else LampStep.SAFE
        if alarm.drill:
            return LampStep.DRILL
        if alarm.acknowledged is not None:
            return LampStep.ACKNOWLEDGED
        if alarm.received_by:
            return LampStep.RECEIVED
        if alarm.changed is not None and now.seconds_since(alarm.changed) > NOT_DELIVERED_S:
            return LampStep.NOT_DELIVERED
        return LampStep.STORED if page.opening <= self.stored else LampStep.PRESSED

    # ---- retained states -----------------------------------------------------------------------------------------

    def _publish_contact(self, watch: ContactWatch, now: Moment) -> None:
        state = payloads.contact_state(
            self.origin,
            watch.stream,
            watch.name,
            kind=watch.config.kind,
            state=watch.state.value,
            since=watch.since or now,
            place=watch.config.place,
            reason=watch.error,
        )
        self.out.retain(state.topic, state.payload)

    def _publish_heads(self, now: Moment) -> None:
        self._heads_at = now
        for stream in STREAMS:
            head = self.book.chain.heads.get(stream)
            run, seq, hash_ = (head.run, head.seq, head.hash) if head is not None else (None, 0, None)
            message = payloads.head(self.origin, now, stream, run=run, seq=seq, hash_=hash_)
            self.out.retain(message.topic, message.payload)

    def _publish_again(self, topic: str, now: Moment) -> None:
        """What stands at the broker is not ours any more: say it again."""
        stream, _, rest = topic.partition("/")
        kind, _, name = rest.partition("/")
        if kind == "alarm" and name in self.book.pages:
            self.book.publish(self.book.pages[name], now)
        elif kind == "contact" and name in self.watches:
            self._publish_contact(self.watches[name], now)
        elif kind == "head" and stream in STREAMS:
            self._publish_heads(now)
        else:
            self._describe()

    def _describe(self) -> None:
        """`meta`: what this gateway is, and what each stream consists of."""
        streams = [stream for stream in STREAMS if stream != "screening" or self.points.names_of("screening")]
        meta = payloads.meta(self.origin, streams=streams, config_sha256=self._config_sha256, key=self._key)
        self.out.retain(meta.topic, meta.payload)
        for stream in STREAMS:
            message = payloads.stream_meta(
                self.origin,
                stream,
                points=[
                    {"point": name, "unit": unit_of(name), "place": self._place(name)}
                    for name in self.points.names_of(stream)
                ],
                rules=self.points.describe(stream),
                contacts=[
                    {"name": watch.name, "kind": watch.config.kind, "place": watch.config.place}
                    for watch in self.watches.values()
                    if watch.stream == stream
                ],
            )
            self.out.retain(message.topic, message.payload)

    def _place(self, point: str) -> str:
        device = self.health.devices.get(point.partition("/")[0])
        return device.place if device is not None else ""


def _way(sent: Sent, *, stored: bool) -> str:
    hops = [f"#{sent.number}", "stored" if stored else "not stored"]
    hops += [f"{sink}: {when}" for sink, when in sent.accepted.items()]
    hops += [f"received by {station}: {when}" for station, when in sent.received.items()]
    if sent.needs_receipt and not sent.received:
        hops.append("no receipt yet")
    return ", ".join(hops)


class EngineThread:
    """Runs an engine on its inbox: edges first, then one message at a time, then whatever has fallen due."""

    def __init__(self, engine: Engine, inbox: Inbox, clock: Clock) -> None:
        self.engine = engine
        self._inbox = inbox
        self._clock = clock

    def run(self, stop: threading.Event) -> None:
        self.engine.start(self._clock.now())
        while not stop.is_set():
            self._turn(self._wait_s())
        for _ in range(self._inbox.waiting()):  # what came before the stop is still decided on and recorded
            self._turn(0.0)

    def _turn(self, wait_s: float) -> None:
        self._edges()
        message = self._inbox.next(wait_s)
        self._edges()
        if message is not None:
            self.engine.handle(message)
        self.engine.advance(self._clock.now())

    def _edges(self) -> None:
        for edge in self._inbox.edges():
            self.engine.handle(edge)

    def _wait_s(self) -> float:
        due_ns = self.engine.due()
        if due_ns is None:
            return LONGEST_WAIT_S
        return min(LONGEST_WAIT_S, self._clock.pause(max(0, due_ns - self._clock.now().mono_ns) / NANO))
