"""Where the engine's outputs go: every method puts on the queues of those who take it, and returns."""

from __future__ import annotations

import logging
import queue
from collections.abc import Callable, Mapping
from datetime import tzinfo
from pathlib import Path
from typing import Any

from gateway.assembly import Sinks
from gateway.catalogue import say
from gateway.contacts.lamp import LampStep
from gateway.environment.minute_maker import MinuteMaker
from gateway.journal.events import EventWriter
from gateway.journal.events_ageing import KeepEvents
from gateway.journal.latches import LatchWriter
from gateway.journal.readings import Keep, ReadingsWriter
from gateway.machine.card_life import card_life, written_bytes
from gateway.machine.pulse import BROKER_S, PINS_S, Loop, Pulse
from gateway.moment import Clock, Moment
from gateway.notify import Notifier
from gateway.sinks.feeder import Piece
from gateway.sinks.modem import Modem
from gateway.sinks.mqtt import MqttPump
from gateway.sources.contacts import Contacts
from gateway.values import Event, Notice, PathState, Readings

log = logging.getLogger(__name__)


class Switchboard:
    """The engine's outputs: each method puts on the queues of those who take it."""

    def __init__(
        self,
        state: Path,
        clock: Clock,
        tell: Callable[[object], None],
        zone: tzinfo,
        notifier: Notifier,
        maker: MinuteMaker,
        keep: Keep,
        keep_events: KeepEvents,
    ) -> None:
        self.events = EventWriter(state, clock, tell, keep_events)
        self.readings_writer = ReadingsWriter(state, clock, tell, zone, keep, maker)
        self.latch_writer = LatchWriter(state, clock, tell)
        self.contacts: Contacts | None = None
        self.modem: Modem | None = None
        self._tell, self._clock = tell, clock
        self._started = clock.now()
        self.pumps: Mapping[str, MqttPump] = {}  # replaced as a whole, never changed
        self.beats = 0
        self.session_until: float | None = None  # as in the next; read by the application: then nothing is exchanged
        self.retired: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._notifier = notifier
        self._pulse = Pulse()
        self._hanging: list[str] = []

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

    def serve(self, sinks: Sinks) -> None:
        """Who must have proof before anything leaves the record; whoever else once was sent to counts no more."""
        self.events.serve(sinks.events)
        self.readings_writer.serve(sinks.readings)

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

    def hurry(self, sink: str | None) -> None:
        for name, pump in self.pumps.items():
            if sink in (None, name):
                pump.hurry()

    def call(self, notice: Notice) -> None:
        if self.modem is not None:
            self.modem.call(notice)
        else:
            self._tell(PathState("modem", say("there is no [modem] in the configuration"), self._clock.now()))

    def siren(self, *, on: bool) -> None:
        wails = self.contacts is not None and self.contacts.wail(on)
        if on and not wails:
            self._tell(PathState("siren", say("there is no [siren] in the configuration"), self._clock.now()))

    def card(self) -> dict[str, Any]:
        commits = self.events.commits + self.readings_writer.commits
        return card_life(self._started, self._clock.now(), written_bytes(), commits, self.readings_writer.kept)

    def retire(self, name: str) -> None:
        self.retired.put(name)

    def calibrating(self, device: str, until: Moment | None) -> None:
        """A calibrator is on this microphone until then; None: no more."""
        self.readings_writer.configure(lambda maker: maker.hold(device, until, "calibration"))

    def session(self, until_s: float | None) -> None:
        self.session_until = until_s

    def alive(self) -> None:
        """The engine has taken a tick: nothing else feeds systemd's watchdog, and nothing while another loop hangs."""
        self.beats += 1
        loops = {f"pump-{name}": Loop(pump.turns, BROKER_S) for name, pump in self.pumps.items()}
        if self.contacts is not None:
            loops["contacts"] = Loop(self.contacts.turns, PINS_S)
        hanging = self._pulse.hanging(loops, self._clock.now(), self._clock.pause(1.0))
        if hanging != self._hanging:
            log.error("event=loops-hanging loops=%s", ",".join(hanging) or "-")
            self._hanging = hanging
        if not hanging:
            self._notifier.send("WATCHDOG=1")
