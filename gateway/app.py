"""The whole gateway: builds its parts, starts them, renews them at a reload, and stops them."""

from __future__ import annotations

import hashlib
import logging
import threading
from pathlib import Path

from gateway import changes
from gateway.alarm.book import Book
from gateway.assembly import Plan, left_behind, remember
from gateway.calendar import Calendar
from gateway.catalogue import say
from gateway.configuration import armed, settings
from gateway.configuration.config import Config
from gateway.crew import Post, end, start
from gateway.engine import Engine, NewBroker, NewPins, Reconfigured
from gateway.engine_thread import EngineThread
from gateway.environment.minute_maker import MinuteMaker
from gateway.errors import Refused
from gateway.inbox import Inbox
from gateway.journal import restored
from gateway.journal.alive import AliveWriter, read_alive
from gateway.journal.chain import Chain, Identity, new_run
from gateway.journal.events_ageing import KeepEvents
from gateway.journal.latches import read_latches
from gateway.journal.reader import EventReader
from gateway.journal.readings import Keep
from gateway.known_units import KnownUnits
from gateway.lending import Desk, same_port
from gateway.machine import certificates
from gateway.machine.platform import board_serial
from gateway.machine.record_findings import brought_back
from gateway.moment import NANO, Clock, Moment
from gateway.notify import Notifier
from gateway.outfit import Outfit
from gateway.payloads import Origin
from gateway.persons.control import Control, Doorman
from gateway.simulated import Simulated
from gateway.sinks.mqtt import MqttPump
from gateway.sources.loans import Lender
from gateway.state import StateDirectory
from gateway.switchboard import Switchboard
from gateway.values import ConfigurationState, ConfigurationWaits, SetAside, StorageState, Stored, Tick
from gateway.vocabulary import word
from gateway.worker import Worker

log = logging.getLogger(__name__)

MEBI = 1024 * 1024
STALLED_S = 3.0  # an event that waits so long for the card is an alarm about the card
HUNG_S = 30.0  # an engine that answers no tick for so long (real seconds) is ended with the process
SINKS = ("influxdb", "certificates", "bureaus")


class App:
    """The whole gateway. `start`, then `serve` until a signal (or `stopping` is set), then `stop`."""

    def __init__(
        self,
        config: Config,
        state: Path,
        *,
        simulation: Simulated | None = None,
        clock: Clock,
        loaded: settings.Loaded | None = None,
        changed: ConfigurationWaits | None = None,
        directory: StateDirectory | None = None,
    ) -> None:
        self.clock = clock
        self.directory = directory or StateDirectory(state, "simulated" if simulation is not None else "real")
        self.state = state
        self.stopping = threading.Event()
        self.reloading = threading.Event()
        self._failure: Exception | None = None
        self._simulation = simulation
        self._loaded = loaded
        self._notifier = Notifier()
        self._alive = AliveWriter(state)
        self._inbox = Inbox()
        self._stalled = False
        self._brought_back: int | None = None  # number of the event that says so, until it is on the card
        self._waiting: str | None = None  # of the file that was given in a session
        now = self.clock.now()
        sha256 = loaded.sha256 if loaded is not None else _digest(config)
        self._given = simulation.config if simulation is not None else config
        self._board = None if simulation is not None else board_serial()
        merged = armed.merge(self._given, state, self._board)
        self.plan = Plan.of(merged, sha256)
        zone = Calendar(merged.config).zone
        self.origin = Origin(merged.config.venue.id, new_run(), zone, simulated=simulation is not None)
        maker = MinuteMaker()
        self.plan.set_up(maker)
        record = merged.config.record
        keep = Keep(record.readings_days, record.minutes_days, record.readings_megabytes * MEBI)
        keep_events = KeepEvents(record.events_days, record.events_megabytes * MEBI)
        self.out = Switchboard(state, self.clock, self._inbox.tell, zone, self._notifier, maker, keep, keep_events)
        self.identity = Identity.open(state, now)
        self.engine = self._engine(now)
        self._outfit = Outfit(
            lambda: self.plan, state, self.origin, self.identity, self.out, self._inbox, self.clock, simulation
        )
        if changed is not None:
            self._waiting = changed.sha256 if changed.why is None else None
            self.out.session(
                now.wall_ns / NANO
            )  # or the file would be taken before the engine has looked at the calendar
            self._inbox.tell(changed)
        self._build_workers()
        if loaded is None or not loaded.partial:  # of a broken file nobody can tell whom it would have named
            self.out.serve(self.plan.sinks(simulated=self.origin.simulated))

    # ---- building ------------------------------------------------------------------------------------------------

    def _engine(self, now: Moment) -> Engine:
        recovered = self.out.events.open()
        self.out.events.listen(self._stored)
        health, points = self.plan.watchers(self.clock)
        chain = Chain(self.origin.run, self.origin.venue, recovered.number, recovered.heads, self.identity)
        book = Book(chain, self.identity, self.origin, self.out)
        latches = read_latches(self.state)
        book.left = left_behind(recovered, latches.latched)
        if latches.damaged:
            self._inbox.tell(SetAside("latches", "latches", now))
        if self.identity.problem is not None:
            self._inbox.tell(SetAside("key", self.identity.problem, now))
        reader = EventReader(self.state, with_writer=True)
        remember(book, reader, recovered.number)
        reader.close()
        engine = Engine(self.plan.config, self.origin, book, self.out, health, points, config_sha256=self.plan.sha256)
        engine.stored = recovered.number
        engine.day.last_sign = read_alive(self.state, now)
        engine.enter(now, self.plan.kept)
        if (note := restored.note_of(self.state)) is not None:
            engine.find_all(brought_back(note, now))
            self._brought_back = book.chain.number
        return engine

    def _build_workers(self) -> None:
        tell, out, config = self._inbox.tell, self.out, self.plan.config
        simulated = self._simulation
        doorman = Doorman({person.id: person for person in config.person}, self.clock)
        act = simulated.act if simulated is not None else None
        self._control = Control(self.state, doorman, tell, self.clock, act, Desk(self._lender).serve)
        out.pumps = {name: self._outfit.pump(name, broker) for name, broker in self.plan.brokers().items()}
        self._known = KnownUnits(self.state)
        self._writers = [
            Worker("events-writer", out.events.run),
            Worker("latch-writer", out.latch_writer.run),
            Worker("readings-writer", out.readings_writer.run),
            Worker("alive-writer", self._alive.run),
            Worker("units-writer", self._known.run),
        ]
        thread = EngineThread(self.engine, self._inbox, self.clock)
        self._engine_workers = [Worker("engine", thread.run, fatal=self._fatal)]
        self._pump_workers = {name: _pump_workers(pump) for name, pump in out.pumps.items()}
        self._sources = {source.name: source for source in self.plan.sources(self._known, tell, self.clock)}
        self._source_workers = {name: Worker(f"source-{name}", source.run) for name, source in self._sources.items()}
        self._posts = self._fill_posts()
        self._control_workers = [Worker("control", self._control.run)]
        self._played = [Worker(name, work) for name, work in (simulated.workers if simulated is not None else ())]

    def _fill_posts(self) -> dict[str, Post]:
        outfit = self._outfit
        posts = {
            "contacts": Post(lambda plan: (plan.config.contact, plan.config.siren), outfit.contacts),
            "modem": Post(lambda plan: plan.config.modem, outfit.modem),
            "machine": Post(lambda _plan: None, outfit.machine),
            "influxdb": Post(lambda plan: (plan.config.influxdb, plan.labels()), outfit.influx),
            "certificates": Post(lambda plan: certificates.files(plan.config), outfit.certificates),
            "bureaus": Post(lambda plan: plan.platforms(), outfit.bureaus),
            "metrics": Post(lambda plan: plan.config.metrics, outfit.metrics),
        }
        for post in posts.values():
            post.fill()
        return posts

    def _workers_of(self, *names: str) -> list[Worker]:
        return [worker for name in names for worker in self._posts[name].workers]

    # ---- running -------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Contacts and the way to the brokers first: a press must not wait for anything else."""
        pumps = [worker for pair in self._pump_workers.values() for worker in pair]
        start([*self._writers, *self._engine_workers, *pumps, *self._workers_of("contacts")])
        start([*self._played, *self._workers_of("modem", "machine"), *self._control_workers])
        start([*self._source_workers.values(), *self._workers_of(*SINKS, "metrics")])
        self._tell_configuration(self._loaded)
        self._keep_armed()
        self._notifier.send("READY=1")
        log.info("event=started venue=%s run=%s state=%s", self.origin.venue, self.origin.run, self.state)

    def serve(self) -> None:
        """One tick a second until told to stop. Raises what ended the engine."""
        beats, since, in_session = self.out.beats, self.clock.now(), False
        while not self.stopping.wait(self.clock.pause(1.0)):
            now = self.clock.now()
            self._inbox.tell(Tick(now))
            self._watch_card(now)
            self._retire()
            until_s = self.out.session_until
            if until_s is not None or in_session:
                self._alive.put(now, until_s, last=until_s is None)
            in_session = until_s is not None
            if self._waiting is not None and not in_session:
                self._waiting = None
                self.reloading.set()
            if self.reloading.is_set():
                self.reloading.clear()
                self.reload()
            if self.out.beats != beats:
                beats, since = self.out.beats, now
            elif self.clock.pause(now.seconds_since(since)) > HUNG_S:
                raise EngineHung
        if self._failure is not None:
            raise self._failure

    def stop(self) -> None:
        """In under 5 s: no more intake, the rest decided and written, a goodbye to the brokers."""
        self.stopping.set()
        self._notifier.send("STOPPING=1")
        pumps = [worker for pair in self._pump_workers.values() for worker in pair]
        intake = [*self._workers_of("contacts"), *self._source_workers.values(), *self._control_workers]
        end([*intake, *self._workers_of("modem", "machine", "metrics")], 1.0)
        end(self._engine_workers, 1.0)
        self._forget()
        end([*pumps, *self._workers_of(*SINKS)], 1.5)
        if self.out.session_until is not None:
            self._alive.put(self.clock.now(), self.out.session_until, last=True)
        end([*self._writers, *self._played], 1.2)
        self.directory.close()
        self._notifier.close()
        log.info("event=stopped run=%s", self.origin.run)

    def reload(self) -> None:
        """Take the configuration file anew; journal, latches and whatever did not change are not touched.

        A file that cannot be used changes nothing and is an alarm. A simulated gateway keeps what it plays.
        """
        if self._loaded is None:
            return
        if self.out.session_until is not None and self._must_wait(self._loaded.path):
            return
        loaded = settings.load(self._loaded.path, self.state)
        self._tell_configuration(loaded)
        if loaded.refused_sha256 is not None or loaded.sha256 == self.plan.sha256:
            return
        self._given, self._loaded = loaded.config, loaded
        if self._simulation is not None:
            played = {name: getattr(self._simulation.config, name) for name in ("bus", "device", "contact")}
            self._given = loaded.config.model_copy(update=played)
        self._renew(loaded.sha256)
        log.info("event=reloaded configuration=%s", loaded.sha256)

    def _must_wait(self, path: Path) -> bool:
        """In a session a changed file waits for its end, unless it says anew why it cannot."""
        checked = settings.check(path)
        if not checked.good or checked.config is None or checked.sha256 == self.plan.sha256:
            return False  # it changes nothing: the alarm about a broken file is raised as ever
        why = changes.urgent(checked.config, self.plan.config)
        if why is not None or checked.sha256 != self._waiting:
            self._inbox.tell(ConfigurationWaits(checked.sha256, why, self.clock.now()))
        self._waiting = checked.sha256 if why is None else None
        return why is None

    def _retire(self) -> None:
        """What persons have retired is let go: contacts at once, the venue's id with the next start."""
        if any(name != "custody" for name in self._forget()):  # that custody is over the engine knows already
            self._renew(self.plan.sha256)

    def _forget(self) -> list[str]:
        """What was retired since the last time is kept no longer; the card has it when this returns."""
        names = [self.out.retired.get_nowait() for _ in range(self.out.retired.qsize())]
        for name in names:
            try:
                armed.retire(name, self.plan.config, self.state)
            except OSError as error:
                log.warning("event=not-retired name=%s error=%r", name, str(error))
        return names

    def _renew(self, sha256: str) -> None:
        """Run on the configuration that was given, with what must stay armed."""
        merged = armed.merge(self._given, self.state, self._board)
        before, self.plan = self.plan, Plan.of(merged, sha256)
        health, points = self.plan.watchers(self.clock)
        self._inbox.tell(Reconfigured(self.plan, health, points, self.clock.now()))
        self.out.readings_writer.configure(self.plan.set_up)
        self._control.admit(Doorman({person.id: person for person in merged.config.person}, self.clock))
        self._renew_sources(before)
        self._renew_brokers(before)
        pins = self.out.contacts
        for post in self._posts.values():
            post.renew(before, self.plan)
        if self.out.contacts is not pins:
            self._inbox.tell(NewPins(self.clock.now()))
        self._keep_armed()
        if self._loaded is None or not self._loaded.partial:
            self.out.serve(self.plan.sinks(simulated=self.origin.simulated))

    def _renew_sources(self, before: Plan) -> None:
        old, new = before.lines(), self.plan.lines()
        gone = [name for name in old if new.get(name) != old[name]]
        end([self._source_workers.pop(name) for name in gone if name in self._source_workers], 2.0)
        self._sources = {name: source for name, source in self._sources.items() if name not in gone}
        for source in self.plan.sources(self._known, self._inbox.tell, self.clock):
            if source.name not in self._source_workers:
                self._sources = {**self._sources, source.name: source}  # replaced as a whole: others read it
                self._source_workers[source.name] = Worker(f"source-{source.name}", source.run)
                self._source_workers[source.name].start()

    def _lender(self, port: str, name: str) -> Lender | None:
        """Who has this port now; a simulated one is known by its bus or device only. For the control's threads.

        Raises Refused in a session: then no instrument is taken off its line.
        """
        if self.out.session_until is not None:
            raise Refused(say("not in a session: {verb} is refused until it is over", verb=word("lend")))
        sources = self._sources
        found = next((source for source in sources.values() if port and same_port(source.port, port)), None)
        return found if found is not None or self._simulation is None else sources.get(name)

    def _renew_brokers(self, before: Plan) -> None:
        old, new = before.brokers(), self.plan.brokers()
        told = before.announcements(self.origin) != self.plan.announcements(self.origin)
        for name in [name for name in old if new.get(name) != old[name] or (told and name == "mqtt")]:
            self.out.pumps = {other: pump for other, pump in self.out.pumps.items() if other != name}
            end(self._pump_workers.pop(name), 2.5)
        for name, broker in new.items():
            if name not in self.out.pumps:
                self.out.pumps = {**self.out.pumps, name: self._outfit.pump(name, broker)}
                self._pump_workers[name] = _pump_workers(self.out.pumps[name])
                start(self._pump_workers[name])
                self._inbox.tell(NewBroker(name, self.clock.now()))

    def _keep_armed(self) -> None:
        try:
            armed.keep(self.plan.config, self.state, self._board)
        except OSError as error:
            log.warning("event=armed-not-kept error=%r", str(error))

    def _stored(self, stored: Stored) -> None:
        self._inbox.tell(stored)
        for pump in self.out.pumps.values():
            pump.stored(stored.number)
        if self._brought_back is not None and stored.number >= self._brought_back:
            self._brought_back = None
            restored.said(self.state)

    def _watch_card(self, now: Moment) -> None:
        """A commit that hangs raises nothing: only its age shows it, in real seconds whatever the clock."""
        stalled = self.clock.pause(self.out.events.oldest_waiting(now)) > STALLED_S
        if stalled != self._stalled:
            self._stalled = stalled
            error = say("the card does not answer") if stalled else self.out.events.error
            self._inbox.tell(StorageState("events", error, 0, self.out.events.lost, now))

    def _tell_configuration(self, loaded: settings.Loaded | None) -> None:
        now = self.clock.now()
        if loaded is not None and loaded.refused_sha256 is not None:
            problems = "; ".join(str(problem) for problem in loaded.problems)
            self._inbox.tell(ConfigurationState(self.plan.sha256, loaded.refused_sha256, problems, now))
        else:
            self._inbox.tell(ConfigurationState(self.plan.sha256, None, "", now))

    def _fatal(self, error: Exception) -> None:
        self._failure = error
        self.stopping.set()


class EngineHung(Exception):
    """The engine takes no ticks any more; the process ends so that it is started anew."""


def _pump_workers(pump: MqttPump) -> list[Worker]:
    return [Worker(f"pump-{pump.name}", pump.run), Worker(f"feeder-{pump.name}", pump.feeder.run)]


def _digest(config: Config) -> str:
    return hashlib.sha256(config.model_dump_json().encode()).hexdigest()
