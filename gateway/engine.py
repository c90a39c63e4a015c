"""The one thread that decides. Messages in; events, states, readings and lamp patterns out.

    edges, readings, lost devices, commands, receipts, ticks --> Engine.handle --> Book (alarms -> events) --> Outputs

`Engine` is pure: time comes with the messages, and `Outputs` only puts on queues. `engine_thread.py` runs it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from gateway.alarm.book import Book, Page
from gateway.alarm.burden import Burden
from gateway.alarm.escalation import Escalation
from gateway.alarm.findings import Finding
from gateway.alarms import Given, Signal, Step, Transition
from gateway.assembly import Plan
from gateway.configuration.config import Config
from gateway.contacts.lamps import Lamps
from gateway.contacts.seals import Seals
from gateway.contacts.watches import TAGGED, ContactWatch
from gateway.day.day import Day
from gateway.environment.calibrating import Calibrating
from gateway.machine.health import (
    Health,
    certificate,
    configuration,
    custody,
    disarmed,
    duplicate,
    link,
    machine,
    path,
    platform_definitions,
    platforms,
    points_refused,
    remote,
    still_armed,
    system_definitions,
)
from gateway.machine.record_findings import aged, dropped, storage
from gateway.moment import Moment
from gateway.payloads import Origin
from gateway.persons.acts import Acts
from gateway.persons.answers import Answers
from gateway.points import Points
from gateway.publisher import Publisher
from gateway.retained import Retained
from gateway.screening.gate import Gate
from gateway.screening.gate import definitions as entrances
from gateway.sparing import Sparing
from gateway.values import (
    Accepted,
    AgedOut,
    BusState,
    Canary,
    CertificateEnds,
    Command,
    ConfigurationState,
    ConfigurationWaits,
    ContactFault,
    Dropped,
    DuplicateIdentity,
    Edge,
    Inbound,
    LineHealth,
    Lost,
    MachineState,
    NotTaken,
    PathState,
    PointsRefused,
    Question,
    Readings,
    RemoteSetting,
    SeenRetained,
    SetAside,
    SinkState,
    StorageState,
    Stored,
    Tick,
)
from gateway.venue import Outputs

log = logging.getLogger(__name__)

REFUSED_FROM = 128  # MQTT 5 reason codes


@dataclass(frozen=True, slots=True)
class Reconfigured:
    """A new configuration is in force, with what watches its devices and judges its points."""

    plan: Plan
    health: Health
    points: Points
    at: Moment


@dataclass(frozen=True, slots=True)
class NewPins:
    """The pins were claimed anew: nothing is shown on them yet."""

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
        self.gates: dict[str, Gate] = {}
        self.links: dict[str, SinkState] = {}
        self.canaries: dict[str, Canary] = {}
        self.storage: dict[str, StorageState] = {}
        self.lines: dict[str, LineHealth] = {}
        self.stored = 0
        self.config_sha256 = config_sha256
        self.publisher = Publisher(self)
        self.lamps = Lamps(ledger, outputs)
        self.day = Day(self)
        self.answers = Answers(self, self.day)
        self.calibrating = Calibrating(self)
        self.acts = Acts(self, self.day, self.calibrating)
        self.seals = Seals()
        self.burden = Burden()
        self.escalation = Escalation(ledger, outputs, self._silent)
        ledger.passed = self._passed
        self.sparing = Sparing()
        self._retained = Retained(self, self.publisher.again)
        self.disarmed: tuple[str, ...] = ()
        self._orphans: set[str] = set()  # alarms that stand and that the configuration no longer has
        self._handlers: Mapping[type, Callable[[Any], None]] = {
            Readings: self._readings,
            Lost: lambda m: self.find_all(self.health.take(m, m.at)),
            BusState: lambda m: self.find_all(self.health.take(m, m.at)),
            Edge: self._contact,
            ContactFault: self._contact,
            Tick: self._tick,
            Stored: self._stored,
            Accepted: self._accepted,
            NotTaken: self._not_taken,
            RemoteSetting: self._remote,
            PathState: lambda m: self.find_all([path(m)]),
            Canary: self._canary,
            CertificateEnds: self._certificate,
            DuplicateIdentity: lambda m: self.find_all(duplicate(m)),
            PointsRefused: lambda m: self.find_all(points_refused(m)),
            LineHealth: self._line_health,
            MachineState: lambda m: self.find_all(machine(m)),
            StorageState: self._storage,
            ConfigurationState: self._configuration,
            ConfigurationWaits: self.day.configuration_waits,
            Reconfigured: self._reconfigured,
            NewBroker: lambda m: self.publisher.everything(m.at),
            NewPins: self._new_pins,
            SetAside: lambda m: self.find_all(storage(m)),
            AgedOut: lambda m: self.find_all(aged(m, self.origin.zone)),
            Dropped: lambda m: self.find_all(dropped(m)),
            SinkState: self._sink,
            Inbound: self.acts.inbound,
            SeenRetained: self._retained.seen,
            Command: self.acts.command,
            Question: self.answers.answer,
        }

    # ---- the thread's two entrances ------------------------------------------------------------------------------

    def handle(self, message: object) -> None:
        """One message of `values.py`. A message nobody knows is a bug and raises."""
        self._handlers[type(message)](message)

    def advance(self, now: Moment) -> None:
        """What has fallen due between messages: a glitch time is over, a hold is over."""
        if (over := self.seals.due()) is not None and over <= now.mono_ns:
            self.show(now)
        for watch in self.watches.values():
            due = watch.due()
            if due is not None and due <= now.mono_ns:
                self.find_all(watch.advance(now))
                self.show_seal(watch, now)
                self.publisher.contact(watch, now)
        due = self.book.due()
        if due is not None and due <= now.mono_ns:
            self.book.tick(now)

    def due(self) -> int | None:
        """mono_ns at which `advance` has something to do."""
        times = [due for watch in self.watches.values() if (due := watch.due()) is not None]
        times += [own for own in (self.book.due(), self.seals.due()) if own is not None]
        return min(times, default=None)

    def enter(self, now: Moment, kept: Iterable[str]) -> None:
        """Enter every alarm that this venue can have into the book; `kept`: what the file would have disarmed."""
        escalation = tuple(Step(step.after, step.to) for step in self.config.escalation.steps)
        entries = [*system_definitions(_sinks(self.config)), *self.health.definitions()]
        entries += self.points.definitions(escalation)
        for watch in self.watches.values():
            entries += watch.definitions(escalation)
        entries += [disarmed(name) for name in kept]
        entries += entrances(self.config.screening)
        if self.config.custody is not None:
            entries.append(custody())
        entries += self.day.definitions()
        entries += platform_definitions(platforms(self.config))
        entries += self.calibrating.definitions()
        for definition, what in entries:
            self.book.define(definition, what, now)
        self.book.define_left(now)
        self.day.recall(now)
        self._orphans = self.book.pages.keys() - {definition.name for definition, _ in entries}
        self.book.drop(self._orphans, now)
        self.disarmed = tuple(kept)
        self._enter_gates(now)
        for watch in self.watches.values():
            self.show_seal(watch, now, publish=False)

    def _enter_gates(self, now: Moment) -> None:
        """Entrances as configured; one whose table did not change goes on counting."""
        before, self.gates = self.gates, {}
        for name, table in self.config.screening.items():
            known, device = before.get(name), self.health.devices.get(table.point.partition("/")[0])
            if device is None:  # of a file of which only a part could be used
                continue
            every_s = device.every_s
            if known is not None and (known.settings, known.every_s) == (table, every_s):
                self.gates[name] = known
                continue
            self.gates[name] = Gate(name, table, every_s, self.book.zone)
            self.gates[name].begin(self.book.pages, now, self.points.calendar)

    def start(self, now: Moment) -> None:
        """Say again what stands, and publish every state there is."""
        self.book.resume(now)
        self._clear_orphans(now)
        self.escalation.resume()
        self.publisher.everything(now)
        self.day.start(now)
        self.find_all(still_armed(name, now) for name in self.disarmed)

    def _clear_orphans(self, now: Moment) -> None:
        """Nothing looks any more at what the configuration has no longer: what latches stands until it is reset."""
        for name in self._orphans & self.book.pages.keys():
            self.book.signal(name, Signal.CLEAR, now, Given(reason="not-configured"))

    # ---- sources -------------------------------------------------------------------------------------------------

    def _readings(self, message: Readings) -> None:
        if message.device not in self.health.devices:
            return  # its device left with the last reload, and this answer was still under way
        self.out.readings(message)
        self.points.take(self.calibrating.counted(message))
        for gate in self.gates.values():
            if gate.device == message.device:
                self._screened(gate.take(message))
        self.find_all(self.health.take(message, message.readings[0].at))

    def _contact(self, message: Edge | ContactFault) -> None:
        watch = self.watches.get(message.contact)
        if watch is None:
            return
        before = (watch.state, watch.error)
        self.show_seal(watch, message.at)
        self.find_all(watch.take(message))
        self.find_all(watch.advance(message.at))
        self.show_seal(watch, message.at)
        if (watch.state, watch.error) != before:
            self.publisher.contact(watch, message.at)

    def _screened(self, results: Iterable[Readings | Finding]) -> None:
        """What an entrance made of its readings: persons and counts for the record, findings for the book."""
        for result in results:
            if isinstance(result, Readings):
                self.out.readings(result)
            else:
                self.book.find(result)

    def _tick(self, message: Tick) -> None:
        now = message.at
        self.show(now)
        self._retained.tick(now)
        self.find_all(self.health.tick(now))
        self.find_all(self.points.judge(now, self.book.confirmed()))
        self.find_all(self.day.tick(now))
        for gate in self.gates.values():
            self._screened(gate.tick(now, self.points.calendar))
        self.find_all(self.burden.tick((page.alarm for page in self.book.pages.values()), now))
        self.advance(now)
        self.show(now)
        self.publisher.tick(now)
        self.out.alive()

    def find_all(self, findings: Iterable[Finding]) -> None:
        for finding in findings:
            if finding.signal is Signal.DRILL:
                self.day.trials.press(finding)
            else:
                self.book.find(finding)
            watch = self.watches.get(finding.alarm)
            if watch is not None:
                self.lamps.show(watch, self.stored, finding.at)
            if finding.given.reason == TAGGED:
                self.find_all(self.day.tagged(finding.alarm, finding.at))
            self.day.trials.settle(finding.at)

    def show(self, now: Moment) -> None:
        """Lamps, seals and the siren as they stand now."""
        for opening in self.seals.over(now):
            if opening.contact in self.watches:
                self.find_all([self.watches[opening.contact].note("window-over", now)])
        for watch in self.watches.values():
            self.show_seal(watch, now)
            self.lamps.show(watch, self.stored, now)
        self.escalation.show()

    def show_seal(self, watch: ContactWatch, now: Moment, *, publish: bool = True) -> None:
        """Judges a sealed door anew by calendar, windows and alarms; publishes what changed."""
        if watch.config.kind != "seal":
            return
        stored = self.points.sealed(now)
        self.find_all(watch.guarded(self.seals.guard(watch.name, self.book.alarm, now, stored=stored), now))
        shown = self.seals.guard(watch.name, self.book.alarm, now, stored=stored).shown
        if shown != watch.seal:
            watch.seal = shown
            if publish:
                self.publisher.contact(watch, now)

    # ---- writers and sinks ---------------------------------------------------------------------------------------

    def _stored(self, message: Stored) -> None:
        self.stored = max(self.stored, message.number)
        self.day.trials.stored(message.number, message.at)
        self.show(message.at)

    def _accepted(self, message: Accepted) -> None:
        self.book.accepted(message.sink, message.number, None, message.at)
        self.day.trials.accepted(message.sink, message.number, message.at)

    def _not_taken(self, message: NotTaken) -> None:
        why = "refused" if message.code is None or message.code >= REFUSED_FROM else "nobody listens"
        self.book.accepted(message.sink, message.number, why, message.at)
        self.escalation.not_taken(message.number, message.at)

    def _passed(self, page: Page, transition: Transition) -> None:
        self.escalation.passed(page, transition)
        self.burden.passed(page.definition.name, transition)
        self.day.trials.passed(page, transition)

    def _silent(self, alarm: str) -> bool:
        """Whether this is an alarm of a contact that must make no sound at the venue."""
        return any(watch.config.silent and alarm in watch.alarms for watch in self.watches.values())

    def _line_health(self, message: LineHealth) -> None:
        self.lines[message.device] = message
        self.find_all(self.health.line(message))

    def _storage(self, message: StorageState) -> None:
        self.storage[message.store] = message
        if message.store == "events":
            self.out.storage(failing=message.error is not None)
        self.find_all(storage(message))

    def _configuration(self, message: ConfigurationState) -> None:
        self.config_sha256 = message.sha256
        self.find_all([configuration(message)])
        self.publisher.descriptions()

    def _reconfigured(self, message: Reconfigured) -> None:
        """What did not change keeps what it knew: contacts their state, devices their last answer."""
        plan, now = message.plan, message.at
        self.find_all(self.day.trials.records(now))  # before a page may leave the book
        message.health.go_on(self.health)
        if plan.config.custody == self.config.custody:
            message.points.custody_began |= self.points.custody_began
        self.config, self.config_sha256 = plan.config, plan.sha256
        self.health, self.points = message.health, message.points
        sinks = _sinks(self.config)
        self.links = {name: state for name, state in self.links.items() if name in sinks}
        self.canaries = {name: canary for name, canary in self.canaries.items() if name in sinks}
        self.book.session = self.points.session
        known = self.watches
        self.watches = {
            name: known[name] if name in known and known[name].config == contact else ContactWatch(name, contact)
            for name, contact in plan.config.contact.items()
        }
        self.acts.reconfigured()
        self.day.reconfigured(plan.config)
        self.enter(now, plan.kept)
        self._clear_orphans(now)
        self.publisher.everything(now)
        self.find_all(still_armed(name, now) for name in self.disarmed)

    def _new_pins(self, message: NewPins) -> None:
        """What was said meanwhile went to those that were being released: lamps and the siren are told again."""
        self.lamps.forget()
        self.escalation.say_again()
        self.show(message.at)

    def _sink(self, message: SinkState) -> None:
        if message.sink not in _sinks(self.config):
            return  # it left with a reload, and says its last
        self.links[message.sink] = message
        finding = link(message)
        if finding is not None:
            self.find_all([finding])

    def _remote(self, message: RemoteSetting) -> None:
        if message.sink in _sinks(self.config):  # likewise
            self.find_all(remote(message))

    def _certificate(self, message: CertificateEnds) -> None:
        page = self.book.pages.get(f"certificate-{message.sink}")
        if page is not None:  # else its sink left with a reload
            self.find_all(certificate(message, page.memory))

    def _canary(self, message: Canary) -> None:
        self.canaries[message.sink] = message


def _sinks(config: Config) -> tuple[str, ...]:
    """What is sent to, by name: each has an alarm for its link."""
    second = config.mqtt is not None and config.mqtt.second is not None
    found = {"mqtt": config.mqtt is not None, "second": second, "influxdb": config.influxdb is not None}
    return (*(name for name, there in found.items() if there), *platforms(config))
