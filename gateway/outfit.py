"""What the gateway is fitted out with, besides engine and writers: brokers, contacts, sinks, watches, as workers.

Each method reads the plan that is in force when it is called; `App` calls it again when what it is made of has changed.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from gateway.assembly import Plan
from gateway.configuration.config import Mqtt
from gateway.configuration.consistency.far_sides import HERE
from gateway.inbox import Inbox
from gateway.journal.chain import Identity
from gateway.journal.minutes_reader import MinutesReader
from gateway.journal.reader import EventReader
from gateway.journal.readings import ReadingsWriter
from gateway.journal.readings_reader import ReadingsReader
from gateway.machine import certificates
from gateway.moment import Clock, Moment
from gateway.payloads import Origin
from gateway.simulated import Simulated
from gateway.sinks.feeder import Feeder
from gateway.sinks.influx import InfluxSink, Sources
from gateway.sinks.modem import Modem
from gateway.sinks.mqtt import MqttPump
from gateway.sinks.noise_records import NoiseRecords
from gateway.sinks.quarantine import Quarantine
from gateway.sinks.supply import Cursors
from gateway.sources.contacts import Contacts
from gateway.sources.machine import Machine
from gateway.switchboard import Switchboard
from gateway.worker import Worker

if TYPE_CHECKING:
    from gateway.sinks.hj212 import Hj212Sink

log = logging.getLogger(__name__)


class Outfit:
    """`plan` gives the one in force."""

    def __init__(
        self,
        plan: Callable[[], Plan],
        state: Path,
        origin: Origin,
        identity: Identity,
        out: Switchboard,
        inbox: Inbox,
        clock: Clock,
        simulation: Simulated | None,
    ) -> None:
        self._plan = plan
        self._state, self._origin, self._identity = state, origin, identity
        self._out, self._tell, self._tell_edge, self._clock = out, inbox.tell, inbox.tell_edge, clock
        self._simulation = simulation
        self._platforms: list[Hj212Sink] = []
        self._began = clock.now()

    def contacts(self) -> list[Worker]:
        siren = self._plan().config.siren
        if not self._plan().config.contact and siren is None:
            self._out.contacts = None
            return []
        simulated = self._simulation
        self._out.contacts = Contacts(
            self._plan().config.contact,
            self._tell_edge,
            self._tell,
            self._clock,
            simulated.pin_factory if simulated is not None and simulated.pins else None,
            siren_pin=None if siren is None else siren.pin,
            simulate=simulated is not None,
        )
        return [Worker("contacts", self._out.contacts.run)]

    def modem(self) -> list[Worker]:
        settings = self._plan().config.modem
        self._out.modem = None
        if settings is None:
            return []
        self._out.modem = Modem(settings, self._origin.venue, self._origin.zone, self._clock, self._tell)
        return [Worker("modem", self._out.modem.run)]

    def certificates(self) -> list[Worker]:
        named = certificates.files(self._plan().config)
        watch = certificates.CertificateWatch(named, self._clock, self._tell)
        return [Worker("certificates", watch.run)] if named else []

    def influx(self) -> list[Worker]:
        settings, writer = self._plan().config.influxdb, self._out.readings_writer
        if settings is None:
            return []
        sink = InfluxSink(
            settings,
            self._plan().labels(simulated=self._origin.simulated),
            Sources(
                lambda: EventReader(self._state, with_writer=True),
                lambda: ReadingsReader(self._state, writer),
                lambda: MinutesReader(self._state, writer),
            ),
            Cursors(self._out.events.advance, writer.advance),
            Quarantine(self._state / "quarantine-influxdb.jsonl"),
            clock=self._clock,
            tell=self._tell,
        )
        return [Worker("influxdb", sink.run)]

    def bureaus(self) -> list[Worker]:
        """The platforms that speak HJ 212, each in a thread of its own."""
        self._platforms = []
        links = self._plan().platforms()
        names = {link.sink for link in links}
        if self._simulation is not None:  # HJ 212 has no word for it: a bureau would take played values for true
            links = tuple(link for link in links if link.host in HERE)
        if len(links) < len(names):
            log.warning("event=simulated not-sent-to=%s", ",".join(names - {link.sink for link in links}))
        if not links:
            return []
        from gateway.sinks import hj212  # noqa: PLC0415  a venue without a platform loads none of it

        sources = hj212.Sources(self._state, self._out.readings_writer)
        self._platforms = [
            hj212.Hj212Sink(link, sources, self._tell, self._clock, self._in_session, self._began) for link in links
        ]
        return [Worker(sink.name, sink.run) for sink in self._platforms]

    def metrics(self) -> list[Worker]:
        """For Prometheus, on loopback, where it is asked for."""
        settings = self._plan().config.metrics
        if not settings.enabled:
            return []
        from gateway import metrics  # noqa: PLC0415  its library is loaded only where it is used

        exporter = metrics.Exporter(self._tell, self._clock, lambda: [sink.known() for sink in self._platforms])
        return [Worker("metrics", metrics.MetricsServer(exporter, settings.port).run)]

    def _in_session(self, _now: Moment) -> bool:
        return self._out.session_until is not None  # as the engine knows it: an order may have moved the end

    def pump(self, name: str, broker: Mqtt) -> MqttPump:
        writer = self._out.readings_writer if broker.readings and name == "mqtt" else None
        readings = None if writer is None else lambda: ReadingsReader(self._state, writer)
        records = None if writer is None else lambda: self._noise_records(writer)
        return MqttPump(
            name,
            broker,
            origin=self._origin,
            client_id=f"venue-{hashlib.sha256(self._identity.public.encode()).hexdigest()[:16]}",
            clock=self._clock,
            tell=self._tell,
            feeder=Feeder(name, self._origin, lambda: EventReader(self._state, with_writer=True), readings, records),
            advance=self._out.events.advance,
            advance_readings=None if writer is None else writer.advance,
            announcements=self._plan().announcements(self._origin) if name == "mqtt" else (),
        )

    def _noise_records(self, writer: ReadingsWriter) -> NoiseRecords:
        return NoiseRecords(self._origin, MinutesReader(self._state, writer), lambda: self._plan().noise())

    def machine(self) -> list[Worker]:
        """The board that this runs on; a played venue's is not ours."""
        if self._simulation is not None:
            return []
        return [Worker("machine", Machine(self._state, self._tell, self._clock).run)]
