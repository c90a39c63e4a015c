"""From a configuration to the parts that depend on it; made at the start, and anew at a reload."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from gateway import rule_sets
from gateway.alarm.book import Book, Sent
from gateway.board import Board, Instrument
from gateway.calendar import Calendar
from gateway.configuration.armed import Armed
from gateway.configuration.config import Config, Mqtt
from gateway.configuration.consistency.far_sides import HERE
from gateway.environment.calibration import Meter
from gateway.environment.minute_maker import MinuteMaker
from gateway.environment.noise import Validity
from gateway.environment.noise_weather import Weather
from gateway.environment.periods import Periods
from gateway.errors import Unavailable
from gateway.home_assistant import discovery
from gateway.journal.events import Recovered
from gateway.journal.reader import EventReader
from gateway.known_units import KnownUnits
from gateway.machine.health import TIMEOUTS_S, DeviceWatch, Health
from gateway.moment import Clock
from gateway.payloads import Origin
from gateway.points import Points
from gateway.sinks.line_protocol import Labels
from gateway.sinks.noise_records import NoiseSettings
from gateway.sources.choice import Source, bind, build_sources
from gateway.sources.unit import BoundDevice

if TYPE_CHECKING:
    from gateway.hj212.link import Link

log = logging.getLogger(__name__)

RECENT = 1000  # events of earlier runs whose receipts are still known


@dataclass(frozen=True, slots=True)
class Sinks:
    """The names under which proof of delivery is kept."""

    events: frozenset[str]
    readings: frozenset[str]


@dataclass(frozen=True, slots=True)
class Plan:
    """One configuration in force. `kept`: what its file would have disarmed, `custody_ended`: by name (`armed.py`)."""

    config: Config
    sha256: str
    kept: tuple[str, ...]
    devices: tuple[BoundDevice, ...]
    custody_ended: bool = False

    @classmethod
    def of(cls, merged: Armed, sha256: str) -> Plan:
        """Raises ConfigError for a device that cannot be bound to its driver."""
        return cls(merged.config, sha256, merged.kept, tuple(bind(merged.config)), merged.custody_ended)

    def watchers(self, clock: Clock) -> tuple[Health, Points]:
        """What watches the devices, and what judges their points."""
        now, slack_s = clock.now(), TIMEOUTS_S / clock.pause(1.0)
        tables = self.config.device
        devices = {}
        for bound in self.devices:
            table = tables[bound.name]
            devices[bound.name] = DeviceWatch(
                bound.name, bound.every_s, table.bus or bound.name, table.place, slack_s=slack_s
            )
        instruments = {bound.name: Instrument(bound.every_s, bound.driver.points) for bound in self.devices}
        rules = rule_sets.build(self.config, instruments)
        calendar = Calendar(self.config, custody_ended=self.custody_ended)
        return Health(devices, now), Points(Board(instruments, now), calendar, rules, weather(self.config))

    def set_up(self, maker: MinuteMaker) -> None:
        """How often a sample of each device is due, what the weather sets aside, and what a noise event is."""
        noise = self.config.noise
        every_s = {bound.name: bound.every_s for bound in self.devices}
        maker.configure(every_s, weather(self.config).reason, noise.event_rise)

    def noise(self) -> NoiseSettings:
        """What the records of sound levels are made and judged by."""
        config, validity = self.config, Validity.of(self.config.noise)
        places = {name: device.place for name, device in config.device.items()}
        return NoiseSettings(Periods(config), validity, places, self.meters())

    def meters(self) -> dict[str, Meter]:
        """What is known of each device that may be a sound level meter."""
        certificates = self.config.certificate
        return {bound.name: Meter(bound.driver.evidence, certificates.get(bound.name)) for bound in self.devices}

    def brokers(self) -> dict[str, Mqtt]:
        """By the name of their sink; the first one carries the readings."""
        main = self.config.mqtt
        if main is None:
            return {}
        first = Mqtt.model_construct(**{name: getattr(main, name) for name in Mqtt.model_fields})
        return {"mqtt": first} if main.second is None else {"mqtt": first, "second": main.second}

    def sinks(self, *, simulated: bool) -> Sinks:
        """Whom this configuration sends events and readings to."""
        brokers = self.brokers()
        database = {"influxdb"} if self.config.influxdb is not None else set()
        first = {"mqtt"} if "mqtt" in brokers and brokers["mqtt"].readings else set()
        platforms = {link.sink for link in self.platforms() if not simulated or link.host in HERE}
        return Sinks(frozenset(brokers.keys() | database), frozenset(first | database | platforms))

    def labels(self, *, simulated: bool = False) -> Labels:
        """What points in a database are tagged with; played ones never pass for those of the venue."""
        places = {name: table.place for name, table in self.config.device.items()}
        streams = self.config.influxdb.streams if self.config.influxdb is not None else ()
        venue = f"{self.config.venue.id}-simulated" if simulated else self.config.venue.id
        return Labels(venue, places, frozenset(streams))

    def platforms(self) -> tuple[Link, ...]:
        """What is sent to each platform that speaks HJ 212."""
        if not self.config.hj212:
            return ()
        from gateway.hj212.link import link_of  # noqa: PLC0415  a venue without a platform loads none of it

        venue, zone = self.config.venue, Calendar(self.config).zone
        every_s = {bound.name: bound.every_s for bound in self.devices}
        validity = Validity.of(self.config.noise)
        return tuple(link_of(name, table, venue, zone, every_s, validity) for name, table in self.config.hj212.items())

    def announcements(self, origin: Origin) -> tuple[tuple[str, bytes], ...]:
        """What neighbours on the first broker are told of this gateway."""
        settings = self.config.home_assistant
        if not settings.enabled:
            return ()
        points = {bound.name: bound.driver.points for bound in self.devices}
        every_s = {bound.name: bound.every_s for bound in self.devices}
        return (discovery(settings, self.config, points, every_s, origin),)

    def lines(self) -> dict[str, object]:
        """What each source is made of, by its name: equal before and after a reload, it goes on undisturbed."""
        tables = self.config.device
        found: dict[str, object] = {}
        for bound in self.devices:
            table = tables[bound.name]
            name = table.bus or bound.name
            bus = self.config.bus.get(name) if table.bus else table.port
            before = found.get(name)
            members = before[1] if isinstance(before, tuple) else ()
            found[name] = (bus, (*members, table))
        return found

    def sources(self, known: KnownUnits, tell: Callable[[object], None], clock: Clock) -> list[Source]:
        return build_sources(self.config, known.enter(self.devices), tell, clock)


def weather(config: Config) -> Weather:
    """When the weather makes outdoor sound levels no measurement, as this venue's gauges say."""
    indoors = [name for name, table in config.device.items() if table.indoors]
    return Weather(indoors, config.noise.weather, config.noise.wind_above)


def left_behind(recovered: Recovered, latches: Mapping[str, Any]) -> dict[str, list[Mapping[str, Any]]]:
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


def remember(book: Book, reader: EventReader, last: int) -> None:
    """Enter the events of earlier runs and who signed for them, so that a late or repeated receipt is known."""
    floor = max(0, last - RECENT)
    try:
        events: Sequence[Any] = [*reader.awaiting_receipt(), *reader.after(floor, RECENT)]
        receipts = reader.receipts(floor)
    except Unavailable as error:
        log.warning("event=journal-unreadable error=%r", str(error))
        return
    for event in events:
        fields = json.loads(event.body)
        revision, transition = int(fields["revision"]), str(fields["transition"])
        sent = Sent(event.number, event.alarm, revision, event.stream, transition, event.needs_receipt)
        for station, wall_ns in receipts.get(event.number, {}).items():
            sent.received[station] = replace(event.at, wall_ns=wall_ns).text(book.zone)
        book.remember(event.hash, sent)
