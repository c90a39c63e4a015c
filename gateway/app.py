"""Builds everything, and is the only file that knows everyone: `venue-gateway run`."""

from __future__ import annotations

import hashlib
import json
import logging
import signal
import sys
import threading
import time
from argparse import Namespace
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from gateway import armed, rule_sets, settings
from gateway.board import Board, Instrument
from gateway.book import Book, Sent
from gateway.calendar import Calendar
from gateway.catalogue import say
from gateway.config import Config, Mqtt
from gateway.control import Control, Doorman
from gateway.engine import Engine, EngineThread
from gateway.errors import Unavailable
from gateway.health import DeviceWatch, Health
from gateway.inbox import Inbox
from gateway.journal.chain import Chain, Identity, new_run
from gateway.journal.events import EventWriter, Recovered
from gateway.journal.latches import LatchWriter, read_latches
from gateway.journal.reader import EventReader
from gateway.journal.readings import ReadingsWriter
from gateway.journal.readings_reader import ReadingsReader
from gateway.lamp import LampStep
from gateway.moment import Clock, Moment, SystemClock
from gateway.notify import Notifier
from gateway.payloads import Origin
from gateway.points import Points
from gateway.sinks.feeder import Feeder, Piece
from gateway.sinks.mqtt import MqttPump
from gateway.sources.choice import bind, build_sources
from gateway.sources.contacts import Contacts
from gateway.state import StateDirectory
from gateway.values import ConfigurationState, Event, Readings, StorageState, Stored, Tick
from gateway.worker import Worker

log = logging.getLogger(__name__)

STALLED_S = 3.0  # an event that waits so long for the card is an alarm about the card
HUNG_S = 30.0  # an engine that answers no tick for so long (real seconds) is ended with the process
RECENT = 1000  # events of earlier runs whose receipts are still known
FLOOR = datetime.fromisoformat("2026-11-01T00:00:00+00:00")  # no gateway runs before it was written


class Simulated(Protocol):
    """What `gateway.simulate.simulation.Simulation` offers, so that production code imports none of it."""

    config: Config
    pin_factory: Any
    pins: bool

    @property
    def workers(self) -> list[tuple[str, Callable[[threading.Event], None]]]: ...
    def act(self, name: str, action: list[str]) -> str: ...


class Switchboard:
    """The engine's outputs: each method puts on the queues of those who take it."""

    def __init__(self, notifier: Notifier) -> None:
        self.events: EventWriter
        self.readings_writer: ReadingsWriter
        self.latch_writer: LatchWriter
        self.contacts: Contacts | None = None
        self.pumps: dict[str, MqttPump] = {}
        self.reader: EventReader
        self.beats = 0
        self._notifier = notifier

    def event(self, event: Event, snapshot: bytes) -> None:
        self.events.put(event, snapshot)
        for pump in self.pumps.values():
            pump.publish(event)

    def retain(self, topic: str, payload: bytes) -> None:
        for pump in self.pumps.values():
            pump.retain(topic, payload)

    def latches(self, standing: Mapping[str, Any]) -> None:
        self.latch_writer.put(standing)

    def readings(self, readings: Readings) -> None:
        self.readings_writer.put(readings)

    def lamp(self, contact: str, step: LampStep, *, sound: bool) -> None:
        if self.contacts is not None:
            self.contacts.show(contact, step, sound)

    def received(self, number: int, hash_: str, station: str, wall_ns: int) -> None:
        self.events.received(number, hash_, station, wall_ns)
        for pump in self.pumps.values():
            pump.received(number)

    def say(self, topic: str, payload: bytes) -> None:
        for pump in self.pumps.values():
            pump.send(topic, payload)

    def storage(self, *, failing: bool) -> None:
        for pump in self.pumps.values():
            pump.storage(failing)

    def describe(self, details: Mapping[str, Any]) -> None:
        for pump in self.pumps.values():
            pump.describe(details)

    def resend(self, piece: Piece) -> None:
        for pump in self.pumps.values():
            pump.resend(piece)

    def nonces(self, sink: str) -> tuple[str, ...]:
        return self.pumps[sink].nonces if sink in self.pumps else ()

    def alive(self) -> None:
        """The engine has taken a tick: systemd's watchdog is fed by nothing else."""
        self.beats += 1
        self._notifier.send("WATCHDOG=1")


class App:
    """The whole gateway. `start`, then `serve` until a signal (or `stop` from elsewhere), then `stop`."""

    def __init__(
        self,
        config: Config,
        state: Path,
        *,
        simulation: Simulated | None = None,
        clock: Clock | None = None,
        loaded: settings.Loaded | None = None,
    ) -> None:
        self.clock: Clock = clock or SystemClock(round(FLOOR.timestamp() * 1e9))
        self.directory = StateDirectory(state, "simulated" if simulation is not None else "real")
        self.state = state
        self.failed: Exception | None = None
        self.stopping = threading.Event()
        self._simulation = simulation
        self._loaded = loaded
        self._notifier = Notifier()
        self._inbox = Inbox()
        self._stalled = False
        now = self.clock.now()
        merged = armed.merge(simulation.config if simulation is not None else config, state)
        self.config = merged.config
        self._kept = merged.kept
        self.out = Switchboard(self._notifier)
        self.identity = Identity.open(state, now)
        self.origin = Origin(
            venue=self.config.venue.id,
            run=new_run(),
            zone=Calendar(self.config).zone,
            simulated=simulation is not None,
        )
        recovered = self._open_journal()
        self._bound = bind(self.config)
        self._sha256 = loaded.sha256 if loaded is not None else _digest(config)
        self.engine = self._engine(recovered, now)
        self._build_workers()

    # ---- building ------------------------------------------------------------------------------------------------

    def _open_journal(self) -> Recovered:
        self.out.events = EventWriter(self.state, self.clock, self._inbox.tell)
        self.out.readings_writer = ReadingsWriter(self.state, self.clock, self._inbox.tell, self.origin.zone)
        self.out.latch_writer = LatchWriter(self.state, self.clock, self._inbox.tell)
        self.out.reader = EventReader(self.state)
        recovered = self.out.events.open()
        self.out.events.listen(self._stored)
        return recovered

    def _engine(self, recovered: Recovered, now: Moment) -> Engine:
        config = self.config
        devices = {
            bound.name: DeviceWatch(bound.name, bound.every_s, table.bus or bound.name, table.place)
            for bound, table in ((bound, config.device[bound.name]) for bound in self._bound)
        }
        instruments = {bound.name: Instrument(bound.every_s, bound.driver.points) for bound in self._bound}
        points = Points(Board(instruments, now), Calendar(config), rule_sets.build(config, instruments))
        chain = Chain(self.origin.run, self.origin.venue, recovered.number, recovered.heads, self.identity)
        book = Book(chain, self.identity, self.origin, self.out, points.session)
        book.left = _left(recovered, read_latches(self.state).latched)
        self._remember(book, recovered.number)
        engine = Engine(config, self.origin, book, self.out, Health(devices, now), points, config_sha256=self._sha256)
        engine.stored = recovered.number
        engine.enter(now, self._kept)
        return engine

    def _remember(self, book: Book, last: int) -> None:
        """Events of earlier runs, so that a late or repeated receipt for one of them is known."""
        try:
            events = self.out.reader.after(max(0, last - RECENT), RECENT)
            events = [*self.out.reader.awaiting_receipt(), *events]
        except Unavailable as error:
            log.warning("event=journal-unreadable error=%r", str(error))
            return
        for event in events:
            fields = json.loads(event.body)
            book.remember(
                event.hash,
                Sent(
                    event.number,
                    event.alarm,
                    int(fields["revision"]),
                    event.stream,
                    str(fields["transition"]),
                    event.needs_receipt,
                ),
            )

    def _build_workers(self) -> None:
        config, tell = self.config, self._inbox.tell
        out = self.out
        if config.contact:
            factory = self._simulation.pin_factory if self._simulation is not None and self._simulation.pins else None
            out.contacts = Contacts(
                config.contact, self._inbox.tell_edge, tell, self.clock, factory, simulate=self._simulation is not None
            )
        for name, broker in (("mqtt", config.mqtt), ("second", config.mqtt.second if config.mqtt else None)):
            if broker is not None:
                out.pumps[name] = self._pump(name, broker)
        doorman = Doorman({person.id: person for person in config.person}, self.clock)
        simulate = self._simulation.act if self._simulation is not None else None
        self._control = Control(self.state, doorman, tell, self.clock, simulate)
        thread = EngineThread(self.engine, self._inbox, self.clock)
        self._writers = [
            Worker("events-writer", out.events.run),
            Worker("latch-writer", out.latch_writer.run),
            Worker("readings-writer", out.readings_writer.run),
        ]
        self._engine_worker = Worker("engine", thread.run, fatal=self._fatal)
        self._pump_workers = [Worker(f"{kind}-{n}", run) for n, p in out.pumps.items() for kind, run in _parts(p)]
        self._source_workers = [
            Worker(f"source-{source.name}", source.run)
            for source in build_sources(config, self._bound, tell, self.clock)
        ]
        if out.contacts is not None:
            self._source_workers.append(Worker("contacts", out.contacts.run))
        self._other_workers = [Worker("control", self._control.run)]
        if self._simulation is not None:
            self._other_workers += [Worker(name, work) for name, work in self._simulation.workers]

    def _pump(self, name: str, broker: Mqtt) -> MqttPump:
        with_readings = broker.readings if name == "mqtt" else False
        readings = (lambda: ReadingsReader(self.state, self.out.readings_writer)) if with_readings else None
        return MqttPump(
            name,
            broker,
            origin=self.origin,
            client_id=f"venue-{hashlib.sha256(self.identity.public.encode()).hexdigest()[:16]}",
            clock=self.clock,
            tell=self._inbox.tell,
            feeder=Feeder(name, self.origin, lambda: EventReader(self.state), readings),
            advance=self.out.events.advance,
            advance_readings=self.out.readings_writer.advance if with_readings else None,
        )

    # ---- running -------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Contacts and the way to the brokers first: a press must not wait for anything else."""
        for worker in (*self._writers, self._engine_worker, *self._pump_workers):
            worker.start()
        for worker in (*reversed(self._source_workers), *self._other_workers):
            worker.start()
        self._tell_configuration()
        self._notifier.send("READY=1")
        log.info("event=started venue=%s run=%s state=%s", self.origin.venue, self.origin.run, self.state)

    def serve(self) -> None:
        """One tick a second until told to stop. Raises what ended the engine."""
        beats, since = self.out.beats, self.clock.now()
        while not self.stopping.wait(self.clock.pause(1.0)):
            now = self.clock.now()
            self._inbox.tell(Tick(now))
            self._watch_card(now)
            if self.out.beats != beats:
                beats, since = self.out.beats, now
            elif self.clock.pause(now.seconds_since(since)) > HUNG_S:
                raise EngineHung
        if self.failed is not None:
            raise self.failed

    def stop(self) -> None:
        """In under 5 s: no more intake, the rest decided and written, a goodbye to the brokers."""
        self.stopping.set()
        self._notifier.send("STOPPING=1")
        for workers, limit_s in (
            (self._source_workers + self._other_workers, 1.0),
            ([self._engine_worker], 1.0),
            (self._pump_workers, 1.5),
            (self._writers, 1.2),
        ):
            for worker in workers:
                worker.stop()
            deadline = time.monotonic() + limit_s
            for worker in workers:
                worker.join(max(0.0, deadline - time.monotonic()))
        self.directory.close()
        log.info("event=stopped run=%s", self.origin.run)

    def _stored(self, stored: Stored) -> None:
        self._inbox.tell(stored)
        for pump in self.out.pumps.values():
            pump.stored(stored.number)

    def _watch_card(self, now: Moment) -> None:
        """A commit that hangs raises nothing: only its age shows it."""
        stalled = self.out.events.oldest_waiting(now) > STALLED_S
        if stalled != self._stalled:
            self._stalled = stalled
            error = say("the card does not answer") if stalled else None
            self._inbox.tell(StorageState("events", error, 0, self.out.events.lost, now))

    def _tell_configuration(self) -> None:
        loaded, now = self._loaded, self.clock.now()
        if loaded is not None and loaded.refused_sha256 is not None:
            problems = "; ".join(str(problem) for problem in loaded.problems)
            self._inbox.tell(ConfigurationState(loaded.sha256, loaded.refused_sha256, problems, now))
        else:
            self._inbox.tell(ConfigurationState(self._sha256, None, "", now))

    def _fatal(self, error: Exception) -> None:
        self.failed = error
        self.stopping.set()


class EngineHung(Exception):
    """The engine takes no ticks any more; the process ends so that it is started anew."""


def _parts(pump: MqttPump) -> list[tuple[str, Callable[[threading.Event], None]]]:
    return [("pump", pump.run), ("feeder", pump.feeder.run)]


def _left(recovered: Recovered, latches: Mapping[str, Any]) -> dict[str, list[Mapping[str, Any]]]:
    """What database and latch file say of each alarm; the union of both is in force."""
    left: dict[str, list[Mapping[str, Any]]] = {}
    for name, written in recovered.alarms.items():
        try:
            left[name] = [json.loads(written)]
        except ValueError:
            log.warning("event=bad-snapshot alarm=%s", name)
    for name, snapshot in latches.items():
        left.setdefault(name, []).append(snapshot)
    return left


def _digest(config: Config) -> str:
    return hashlib.sha256(config.model_dump_json().encode()).hexdigest()


def _simulated(path: Path, state: Path, which: str, clock: Clock) -> App:
    from gateway.simulate.simulation import Simulation  # noqa: PLC0415  production loads none of the simulator

    loaded = settings.load(path, state)
    for problem in loaded.problems:
        print(problem, file=sys.stderr)
    simulation = Simulation(loaded.config, clock, pins=which != "ports", ports=which != "pins")
    return App(simulation.config, state, simulation=simulation, clock=clock, loaded=loaded)


def run_main(args: Namespace) -> int:
    """`venue-gateway run CONFIG`: in the foreground until SIGTERM or SIGINT."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(threadName)s %(message)s", stream=sys.stderr)
    logging.raiseExceptions = False  # a closed stderr must not disturb anybody
    state: Path = args.state
    clock = SystemClock(round(FLOOR.timestamp() * 1e9))
    if args.simulate:
        app = _simulated(args.config, state, args.simulate, clock)
    else:
        loaded = settings.load(args.config, state)
        for problem in loaded.problems:
            print(problem, file=sys.stderr)
        app = App(loaded.config, state, clock=clock, loaded=loaded)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: app.stopping.set())
    app.start()
    try:
        app.serve()
    finally:
        app.stop()
    return 0
