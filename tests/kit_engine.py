"""The real engine with its edges replaced: a configuration in, every output recorded, time moved by hand."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from drivers.base import Quality
from gateway import rule_sets
from gateway.alarm.book import Book
from gateway.assembly import weather
from gateway.board import Board, Instrument
from gateway.calendar import Calendar
from gateway.configuration.config import Config
from gateway.contacts.lamp import LampStep
from gateway.engine import Engine
from gateway.journal.chain import Chain, Identity
from gateway.machine.health import DeviceWatch, Health
from gateway.moment import NANO, ClockState, Moment
from gateway.payloads import Origin
from gateway.points import Points
from gateway.sources.choice import bind
from gateway.values import Command, Edge, Event, Notice, Question, Reading, Readings, Stored, Tick

VENUE = """
[venue]
id = "zj-no1"
name = "考点"

[[session]]
name = "语文"
start = 2026-06-07T09:00:00
end = 2026-06-07T11:30:00

[[person]]
id = "li-wei"
name = "李伟"
may = ["ack", "reset", "shelve", "unshelve"]

[bus.rs485]
port = "/dev/null"

[device.gate-noise]
driver = "renke_rs_zs"
bus = "rs485"
address = 1
every = "1s"
place = "north gate"

[contact.leak-button]
kind = "leak"
pin = 27
safe = "low"
pin_other = 5
lamp_pin = 22
place = "paper room"

[contact.door]
kind = "seal"
pin = 17
safe = "low"

[rule.noise-in-session]
point = "gate-noise/laeq_10s"
above = 55.0
clear_below = 53.0
raise_after = "5s"
clear_after = "5s"
during = ["session"]
severity = "high"
"""

START_NS = 1_780_794_000 * NANO  # 2026-06-07T09:00:00+08:00
EARLY_NS = START_NS - 3600 * NANO  # before the session, in which nothing is put aside


class Recorder:
    """The engine's outputs, kept."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []
        self.made: list[Event] = []
        self.snapshots: dict[str, bytes] = {}
        self.retained: dict[str, dict[str, Any]] = {}
        self.answers: list[tuple[str, dict[str, Any]]] = []
        self.lamps: dict[str, tuple[LampStep, bool]] = {}
        self.latched: Mapping[str, Any] = {}
        self.blocks: list[Readings] = []
        self.receipts: list[tuple[int, str]] = []
        self.retired: list[str] = []
        self.paths: list[tuple[str, Any]] = []
        self.beats = 0
        self.failing = False
        self.in_session = False
        self.session_until: float | None = None

    def event(self, event: Event, snapshot: bytes) -> None:
        self.made.append(event)
        self.events.append(json.loads(event.body))
        self.snapshots[event.alarm] = snapshot

    def retain(self, topic: str, payload: bytes) -> None:
        self.retained[topic] = json.loads(payload)

    def latches(self, standing: Mapping[str, Any]) -> None:
        self.latched = json.loads(json.dumps(standing))

    def readings(self, readings: Readings) -> None:
        self.blocks.append(readings)

    def lamp(self, contact: str, step: LampStep, *, sound: bool) -> None:
        self.lamps[contact] = (step, sound)

    def received(self, number: int, hash_: str, station: str, wall_ns: int) -> None:
        self.receipts.append((number, station))

    def say(self, topic: str, payload: bytes) -> None:
        self.answers.append((topic, json.loads(payload)))

    def resend(self, piece: object) -> None:
        self.answers.append(("resend", {"piece": piece}))

    def storage(self, *, failing: bool) -> None:
        self.failing = failing

    def nonces(self, sink: str) -> tuple[str, ...]:
        return ("nonce-1", "nonce-2")

    def hurry(self, sink: str | None) -> None:
        self.paths.append(("hurry", sink))

    def call(self, notice: Notice) -> None:
        self.paths.append(("call", notice))

    def siren(self, *, on: bool) -> None:
        self.paths.append(("siren", on))

    def retire(self, name: str) -> None:
        self.retired.append(name)

    def calibrating(self, device: str, until: Moment | None) -> None:
        self.paths.append(("calibrating", (device, until)))

    def session(self, until_s: float | None) -> None:
        self.session_until, self.in_session = until_s, until_s is not None

    def card(self) -> dict[str, Any]:
        return {"commits_a_minute": 15.0}

    def alive(self) -> None:
        self.beats += 1


class Bench:
    """An engine on the bench. `restart` begins a new run on what the one before had written."""

    def __init__(
        self, tmp_path: Path, toml: str = VENUE, *, start_ns: int = START_NS, kept: tuple[str, ...] = ()
    ) -> None:
        self.path = tmp_path
        self.kept = kept  # what the configuration file would have disarmed
        self.config = Config.model_validate(tomllib.loads(toml))
        self.now = Moment(start_ns, 1000 * NANO)
        self.identity = Identity.open(tmp_path, self.now)
        self.out = Recorder()
        self.runs = 0
        self.last_sign: Moment | None = None  # of life, in a session
        self.engine = self._engine(0, {}, {})
        self.engine.start(self.now)

    def _engine(self, number: int, heads: Any, left: dict[str, list[Mapping[str, Any]]]) -> Engine:
        self.runs += 1
        origin = Origin(self.config.venue.id, f"run-{self.runs}", Calendar(self.config).zone)
        bound = bind(self.config)
        tables = self.config.device
        devices = {
            b.name: DeviceWatch(b.name, b.every_s, tables[b.name].bus or b.name, tables[b.name].place) for b in bound
        }
        instruments = {b.name: Instrument(b.every_s, b.driver.points) for b in bound}
        calendar = Calendar(self.config, custody_ended="custody" in self.out.retired)
        rules = rule_sets.build(self.config, instruments)
        points = Points(Board(instruments, self.now), calendar, rules, weather(self.config))
        chain = Chain(origin.run, origin.venue, number, heads, self.identity)
        book = Book(chain, self.identity, origin, self.out)
        book.left = left
        engine = Engine(self.config, origin, book, self.out, Health(devices, self.now), points, config_sha256="0" * 64)
        engine.day.last_sign = self.last_sign
        engine.enter(self.now, self.kept)
        return engine

    def restart(self, *, lose: int = 0) -> None:
        """As after a kill: what the journal has (all but the last `lose` events) is all that is left."""
        made = self.out.made[: len(self.out.made) - lose]
        chain = self.engine.book.chain
        heads = (
            dict(chain.heads)
            if not lose
            else {e.stream: type(chain.heads[e.stream])(e.run, e.seq, e.hash) for e in made}
        )
        left: dict[str, list[Mapping[str, Any]]] = {}
        for name, snapshot in self.out.snapshots.items():
            left[name] = [json.loads(snapshot)]
        for name, latch in self.out.latched.items():
            left.setdefault(name, []).append(latch)
        self.engine = self._engine(made[-1].number if made else 0, heads, left)
        self.engine.start(self.now)

    # ---- what happens

    def wait(self, seconds: float, step_s: float = 1.0, clock: ClockState = ClockState.SYNCHRONISED) -> None:
        """Time passes: a tick each second, and everything that falls due between."""
        end = self.now.after(seconds)
        while self.now.mono_ns < end.mono_ns:
            due = self.engine.due()
            to = min(self.now.after(step_s).mono_ns, end.mono_ns)
            if due is not None:
                to = max(self.now.mono_ns, min(to, due))
            moved = self.now.after((to - self.now.mono_ns) / NANO) if to > self.now.mono_ns else self.now.after(1e-9)
            self.now = Moment(moved.wall_ns, moved.mono_ns, clock)
            self.engine.advance(self.now)
            self.engine.handle(Tick(self.now))

    def level(self, value: float | None, seconds: float = 1.0, quality: Quality = Quality.GOOD) -> None:
        """The meter says `value` once a second for so long."""
        for _ in range(round(seconds)):
            reading = Reading("gate-noise/laf", value, quality, self.now)
            self.engine.handle(Readings("gate-noise", (reading,)))
            self.wait(1.0)

    def lines(self, contact: str, *levels: bool, source: Any = "edge") -> None:
        for line, level in enumerate(levels):
            self.engine.handle(Edge(contact, line, level, self.now, source))

    def found_safe(self) -> None:
        """The contacts as they are at a quiet start."""
        self.lines("leak-button", False, True, source="start")
        self.lines("door", False, source="start")

    def press(self, for_s: float = 0.5) -> None:
        self.lines("leak-button", True, False)
        self.wait(for_s, 0.1)
        self.lines("leak-button", False, True)
        self.wait(0.2, 0.1)

    def store(self) -> None:
        """Everything made so far is on the card."""
        self.engine.handle(Stored(self.engine.book.chain.number, self.now))

    def act(
        self, verb: str, alarm: str, *, note: str | None = "seen", by: str = "li-wei", **arguments: Any
    ) -> dict[str, Any]:
        """A person's command over the local socket; its answer."""
        answers: list[dict[str, Any]] = []
        seen = self.engine.book.alarm(alarm)
        self.engine.handle(
            Command(
                verb,
                by,
                self.now,
                alarm=alarm,
                activation=None if seen is None else seen.activation,
                revision=None if seen is None else seen.revision,
                note=note,
                arguments=arguments,
                reply=answers.append,
            )
        )
        return answers[0]

    def ask(self, verb: str, **arguments: Any) -> dict[str, Any]:
        answers: list[dict[str, Any]] = []
        self.engine.handle(Question(verb, self.now, arguments, answers.append))
        return answers[0]

    def transitions(self, alarm: str) -> list[str]:
        return [event["transition"] for event in self.out.events if event["alarm"] == alarm]

    def state(self, alarm: str) -> str:
        return self.engine.book.pages[alarm].alarm.shown.value
