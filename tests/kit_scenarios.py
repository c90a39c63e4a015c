"""Scenarios: time lines of readings, contacts, people, stations and restarts in; events out.

    title  = "what it pins"
    covers = ["E8"]                     # ids of the failure catalogue
    start  = 2026-06-07T09:00:00        # by the venue's clock; the first tick
    end    = 09:10:00                   # the last one; a time of the same day or a date and time
    tick   = "1s"
    watch  = ["duty-patrol"]            # further alarms whose events are looked at
    [config]                            # a configuration as contract.md has it; `venue` may be left out
    [[do]]                              # in the order of `at`; one action each:
    at = 09:00:30
    readings = { "m/laf" = 58.2 }       # a number, a list to go through, or "suspect", "invalid", "missing";
    until = 09:02:00                    # … again every `every` (that of the first device) until then
    contact = { leak-button = "active" }    # safe, active, cut, short: as accepted by the filter
    press = "leak-button"               # active, and safe 300 ms later
    command = { verb = "retire", alarm = "custody", by = "chen" }       # custody ends
    command = { verb = "ack", alarm = "x", by = "li-wei", note = "…", seen = 3, for = "10m", refused = "words of it" }
    receipt = { station = "county", alarm = "x", opening = 2 }      # without `opening`: of the last one
    restart = "20s"                     # the program is down so long; `reboot = true`: the machine too
    clock = { jump = "14d" }            # or "-14d"; or { state = "unsynchronised" }
    [[event]]                           # every event of the alarms of rules and contacts, in order, with the fields
    alarm = "noise"                     # that are given; `activation` counts those of this alarm from 1
    transition = "raised"
    at = 09:01:30

`play` knows nothing of what is tested: a `Subject` is told and tells its events. `Core` is the pure core alone.
"""

from __future__ import annotations

import itertools
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time
from pathlib import Path
from typing import Any, Protocol

from kit_alarms import ZONE

from drivers import library
from drivers.base import Quality
from drivers.contact import STUCK_AFTER_NS
from gateway import rule_sets
from gateway.alarm.snapshots import from_json, to_json
from gateway.alarms import Alarm, Definition, Given, Signal, Step, Transition, due, resume, step
from gateway.board import Board, Instrument
from gateway.calendar import Calendar
from gateway.configuration.config import Config, seconds
from gateway.errors import Refused
from gateway.moment import NANO, ClockState, Moment
from gateway.rules import Verdict, definition, judge, watch
from gateway.values import CUSTODY_KINDS, Command, Reading, Readings

FOLDER = Path(__file__).parent / "scenarios"
ODD = frozenset({"suspect", "invalid", "missing"})
VENUE = {"id": "zj-no1", "name": "考点"}
SIGNALS = {
    "ack": Signal.ACKNOWLEDGE,
    "reset": Signal.RESET,
    "drill": Signal.DRILL,
    "shelve": Signal.SHELVE,
    "unshelve": Signal.UNSHELVE,
    "suppress": Signal.SUPPRESS,
    "release": Signal.RELEASE,
    "remove": Signal.REMOVE,
    "return": Signal.RETURN,
}


class Subject(Protocol):
    """What is played to. `events` are bodies as contract.md has them; every other field may be there too."""

    events: list[dict[str, Any]]

    def readings(self, message: Readings) -> None: ...
    def contact(self, name: str, state: str, at: Moment) -> None: ...
    def command(self, command: Command) -> str | None: ...  # the sentence of the refusal
    def receipt(self, station: str, alarm: str, opening: int | None, at: Moment) -> None: ...
    def stop(self, at: Moment) -> None: ...
    def start(self, at: Moment) -> None: ...
    def tick(self, at: Moment) -> None: ...


@dataclass(frozen=True)
class Scenario:
    name: str
    title: str
    covers: tuple[str, ...]
    config: Config
    start: datetime
    end: datetime
    tick_s: float
    actions: tuple[Mapping[str, Any], ...]
    events: tuple[Mapping[str, Any], ...]
    watch: tuple[str, ...] = ()


def load(path: Path) -> Scenario:
    """A scenario file; a key that nobody reads is an error."""
    table = tomllib.loads(path.read_text(encoding="utf-8"))
    start = table.pop("start")
    scenario = Scenario(
        name=path.stem,
        title=table.pop("title"),
        covers=tuple(table.pop("covers", ())),
        config=Config.model_validate({"venue": VENUE, **table.pop("config")}),
        start=start,
        end=_at(table.pop("end"), start.date()),
        tick_s=seconds(table.pop("tick", "1s")),
        actions=tuple(table.pop("do", ())),
        events=tuple(table.pop("event", ())),
        watch=tuple(table.pop("watch", ())),
    )
    if table:
        raise ValueError(f"{path.name}: nobody reads {', '.join(table)}")
    return scenario


def _at(value: datetime | time, day: date) -> datetime:
    return datetime.combine(day, value) if isinstance(value, time) else value


class FakeClock:
    """Wall and monotonic clock of a scenario, from seconds since its start."""

    def __init__(self, start: datetime) -> None:
        self._start_ns = round(start.replace(tzinfo=ZONE).timestamp()) * NANO
        self._mono_ns = 86400 * NANO
        self.jump_s = 0.0
        self.state = ClockState.SYNCHRONISED

    def at(self, second: float) -> Moment:
        passed_ns = round(second * NANO)
        return Moment(self._start_ns + passed_ns + round(self.jump_s * NANO), self._mono_ns + passed_ns, self.state)

    def reboot(self, second: float) -> None:
        self._mono_ns = 7 * NANO - round(second * NANO)


def play(scenario: Scenario, subject: Subject) -> list[str]:
    """Everything in the order of its time. Returns refusals that were expected and did not come, or the reverse."""
    clock = FakeClock(scenario.start)
    wrong: list[str] = []
    down = False
    agenda = sorted(_agenda(scenario), key=lambda entry: entry[:2])
    for second, _, action in agenda:
        now = clock.at(second)
        match action:
            case {"clock": change}:
                jump = change.get("jump", "0s")
                clock.jump_s += -seconds(jump[1:]) if jump.startswith("-") else seconds(jump)
                clock.state = ClockState(change.get("state", clock.state))
            case {"stop": _}:
                subject.stop(now)
                down = True
            case {"start": reboot}:
                if reboot:
                    clock.reboot(second)
                subject.start(clock.at(second))
                down = False
            case {"contact": states}:  # while it is down the level changes all the same
                for name, state in states.items():
                    subject.contact(name, state, now)
            case _ if down:
                pass  # nobody listens
            case {"tick": _}:
                subject.tick(now)
            case {"reading": points}:
                for message in _messages(points, now):
                    subject.readings(message)
            case {"command": command}:
                wrong += _command(command, subject, now)
            case {"receipt": receipt}:
                subject.receipt(receipt["station"], receipt["alarm"], receipt.get("opening"), now)
    return wrong


def _agenda(scenario: Scenario) -> Iterator[tuple[float, int, Mapping[str, Any]]]:
    """(second, order within it, action), readings and presses unfolded; a tick comes last in its second."""
    length_s = (scenario.end - scenario.start).total_seconds()
    for i in range(int(length_s / scenario.tick_s) + 1):
        yield i * scenario.tick_s, 10**6, {"tick": None}
    day = scenario.start.date()
    known = {"at", "until", "readings", "every", "press", "contact", "command", "receipt", "restart", "reboot", "clock"}
    for order, action in enumerate(scenario.actions):
        if unknown := set(action) - known:
            raise ValueError(f"{scenario.name}: nobody reads {unknown}")
        second = (_at(action["at"], day) - scenario.start).total_seconds()
        if "press" in action:
            yield second, order, {"contact": {action["press"]: "active"}}
            yield second + 0.3, order, {"contact": {action["press"]: "safe"}}
        elif "restart" in action:
            yield second, order, {"stop": None}
            yield second + seconds(action["restart"]), order, {"start": action.get("reboot", False)}
        elif "readings" in action:
            until = (_at(action.get("until", action["at"]), day) - scenario.start).total_seconds()
            device = scenario.config.device[next(iter(action["readings"])).partition("/")[0]]
            every_s = seconds(action["every"]) if "every" in action else device.every or 1.0
            for i in range(int((until - second) / every_s) + 1):
                values = {
                    point: value[i % len(value)] if isinstance(value, list) else value
                    for point, value in action["readings"].items()
                }
                yield second + i * every_s, order, {"reading": values}
        else:
            yield second, order, action


def _messages(points: Mapping[str, Any], now: Moment) -> Iterator[Readings]:
    for device, names in itertools.groupby(sorted(points), key=lambda point: point.partition("/")[0]):
        readings = []
        for name in names:
            value = points[name]
            good = value not in ODD
            quality = Quality.GOOD if good else Quality(value)
            number = float(value) if good else None if value == "missing" else 999.9
            readings.append(Reading(name, number, quality, now, None if good else f"{value} in the scenario"))
        yield Readings(device, tuple(readings))


def _command(command: Mapping[str, Any], subject: Subject, now: Moment) -> Iterator[str]:
    arguments = {"for_s": seconds(command["for"])} if "for" in command else {}
    arguments |= command.get("arguments", {})
    said = subject.command(
        Command(
            verb=command["verb"],
            by=command.get("by", ""),
            at=now,
            alarm=command.get("alarm"),
            revision=command.get("seen"),
            note=command.get("note"),
            arguments=arguments,
            witness=command.get("with"),
        )
    )
    expected = command.get("refused")
    if (said is None) != (expected is None) or (expected is not None and expected not in str(said)):
        who = f"{command['verb']} {command.get('alarm')} by {command.get('by')}"
        yield f"{who}: expected {expected!r}, was told {said!r}"


def differences(scenario: Scenario, events: list[dict[str, Any]]) -> list[str]:
    """Where the events are not those that the scenario expects, one line each; empty when they are.

    `watch` of the file names further alarms that are looked at.
    """
    parts = (f"{name}{part}" for name in scenario.config.contact for part in ("", "-line", "-found"))
    ours = {*scenario.config.rule, *parts, *scenario.watch}
    shipped = tuple(f"{rule_sets.load(name).short}-" for name in scenario.config.rule_sets)
    got = [event for event in events if event["alarm"] in ours or event["alarm"].startswith(shipped)]
    counted: dict[str, list[str]] = {}
    wrong = []
    for i in range(max(len(got), len(scenario.events))):
        if i >= len(got) or i >= len(scenario.events):
            which, event = ("missing", scenario.events[i]) if i >= len(got) else ("too many", _short(got[i]))
            wrong.append(f"{which}: {event}")
            continue
        event, expected = dict(got[i]), dict(scenario.events[i])
        activations = counted.setdefault(event["alarm"], [])
        if event["activation"] not in activations:
            activations.append(event["activation"])
        event["activation"] = activations.index(event["activation"]) + 1
        if "at" in expected:
            expected["at"] = _at(expected["at"], scenario.start.date()).isoformat(timespec="seconds")
            event["at"] = event["time"][:19]
        wrong += [
            f"event {i + 1}, {key}: expected {value!r}, got {_short(event)}"
            for key, value in expected.items()
            if not _agrees(value, event.get(key))
        ]
    return wrong


def _agrees(expected: Any, got: Any) -> bool:
    """Of a table (`details.lost_s = 3.0`) only what is given is compared."""
    if isinstance(expected, Mapping) and isinstance(got, Mapping):
        return all(_agrees(value, got.get(key)) for key, value in expected.items())
    return bool(expected == got)


def _short(event: Mapping[str, Any]) -> dict[str, Any]:
    left_out = ("point", "place", "kind", "stream", "unit", "quality")
    return {key: value for key, value in event.items() if value not in (None, False) and key not in left_out}


# ---- the pure core alone -----------------------------------------------------------------------------------------


@dataclass
class Core:
    """Rules, calendar, statistics and alarms, without engine, journal and sinks."""

    config: Config
    started: Moment
    events: list[dict[str, Any]] = field(default_factory=list)
    alarms: dict[str, Alarm] = field(default_factory=dict)
    contacts: dict[str, str] = field(default_factory=dict)
    kept: dict[str, Any] | None = None  # what is on the card while the program is down

    def __post_init__(self) -> None:
        self.calendar = Calendar(self.config)
        count = itertools.count(1)
        self.new_id: Callable[[], str] = lambda: f"id-{next(count)}"
        self.contacts = dict.fromkeys(self.config.contact, "safe")
        self.boot(self.started)

    def boot(self, now: Moment) -> None:
        devices = {
            name: Instrument(device.every or 1.0, library.find(device.driver).points)
            for name, device in self.config.device.items()
        }
        self.board = Board(devices, now)
        self.rules = rule_sets.build(self.config, devices)
        self.verdicts: dict[str, Verdict] = {}
        self.armed = self._sealed(now)
        steps = tuple(Step(one.after, one.to) for one in self.config.escalation.steps)
        self.definitions = {rule.name: definition(rule, steps) for rule in self.rules}
        for rule in self.rules:
            watch(rule, self.board)
        for name, contact in self.config.contact.items():
            custody = contact.kind in CUSTODY_KINDS
            made = Definition(
                name,
                contact.kind,
                "critical" if custody or contact.kind == "fire" else "high",
                "custody" if custody else "gateway",
                place=contact.place,
                latching=custody or contact.kind == "fire",
                custody=custody,
                stuck_after_s=STUCK_AFTER_NS / NANO if contact.kind == "leak" else None,
                note_required=custody,
                escalation=steps if custody else (),
            )
            line = replace(made, name=f"{name}-line", kind="line", latching=custody, stuck_after_s=None)
            self.definitions |= {name: made, line.name: replace(line, note_required=False)}
            if made.kind == "seal":
                self.definitions[f"{name}-found"] = replace(made, name=f"{name}-found")
        for name in self.definitions:
            self.alarms.setdefault(name, Alarm(name))

    def readings(self, message: Readings) -> None:
        for reading in message.readings:
            self.board.add(reading)

    def contact(self, name: str, state: str, at: Moment) -> None:
        before, self.contacts[name] = self.contacts[name], state
        if self.kept is None:
            self._timers(at)
            self._contact(name, state, before, at)

    def _contact(self, name: str, state: str, before: str | None, at: Moment) -> None:
        """An accepted change; `before` is None for what is found at the start."""
        kind = self.config.contact[name].kind
        start = Given(reason="found-at-start") if before is None else Given()
        if state in ("cut", "short"):
            given = Given(reason=state)
            self._signal(f"{name}-line", Signal.PRESS if kind in CUSTODY_KINDS else Signal.BREACH, at, given)
        elif before in ("cut", "short"):
            self._signal(f"{name}-line", Signal.CLEAR, at, Given(reason=before))
        if state == "active":
            if kind == "seal" and not self.armed:
                self._signal(name, Signal.UPDATE, at, Given(reason="opened-in-order"))
            elif before is not None and (kind in CUSTODY_KINDS or kind == "fire"):
                self._signal(name, Signal.PRESS, at)
            else:
                found = kind == "seal" and before is None and not self.alarms[name].condition
                self._signal(f"{name}-found" if found else name, Signal.BREACH, at, start)
        elif state == "safe":
            if kind == "seal" and not self.armed and before == "active":
                self._signal(name, Signal.UPDATE, at, Given(reason="closed"))
            self._signal(name, Signal.CLEAR, at)
            if kind == "seal":
                self._signal(f"{name}-found", Signal.CLEAR, at)

    def command(self, command: Command) -> str | None:
        given = Given(by=command.by, note=command.note, revision=command.revision, for_s=command.arguments.get("for_s"))
        if command.verb == "reset" and command.revision is None and command.alarm is not None:
            given = replace(given, revision=self.alarms[command.alarm].revision)
        self._timers(command.at)
        if command.verb == "retire":
            self.calendar.end_custody()
            return None
        try:
            self._signal(command.alarm or "", SIGNALS[command.verb], command.at, given)
        except Refused as refused:
            return str(refused)
        return None

    def receipt(self, station: str, alarm: str, opening: int | None, at: Moment) -> None:
        self._timers(at)
        revision = self.alarms[alarm].opening if opening is None else opening
        self._signal(alarm, Signal.RECEIVE, at, Given(by=station, revision=revision))

    def stop(self, at: Moment) -> None:
        self._timers(at)
        self.kept = {name: to_json(alarm) for name, alarm in self.alarms.items()}

    def start(self, at: Moment) -> None:
        self.alarms = {name: from_json(one, at) for name, one in (self.kept or {}).items()}
        self.kept = None
        self.boot(at)
        for name, alarm in self.alarms.items():
            self.alarms[name], passed = resume(self.definitions[name], alarm, at)
            self._record(self.definitions[name], passed)
        for name, state in self.contacts.items():
            self._contact(name, state, None, at)

    def tick(self, at: Moment) -> None:
        self._timers(at)
        self._arm(at)
        for rule in self.rules:
            verdict = judge(rule, self.board, self.calendar, at, was=self.alarms[rule.name].condition)
            self.verdicts[rule.name] = verdict
            self._signal(rule.name, verdict.signal, at)

    def _sealed(self, at: Moment) -> bool:
        return self.calendar.span("custody", at) is not None

    def _arm(self, at: Moment) -> None:
        was, self.armed = self.armed, self._sealed(at)
        for name, contact in self.config.contact.items():
            if contact.kind == "seal" and self.armed and not was and self.contacts.get(name) == "active":
                self._signal(name, Signal.BREACH, at, Given(reason="open-at-arming"))

    def _signal(self, name: str, signal: Signal, at: Moment, given: Given | None = None) -> None:
        made = self.definitions[name]
        self.alarms[name], passed = step(made, self.alarms[name], signal, at, self.new_id, given=given or Given())
        self._record(made, passed)

    def _timers(self, now: Moment) -> None:
        """What has fallen due by now, each at its own moment."""
        while True:
            running = [
                (when, name) for name, made in self.definitions.items() if (when := due(made, self.alarms[name]))
            ]
            when, name = min(running, key=lambda one: one[0].mono_ns, default=(now, ""))
            if not name or when.mono_ns > now.mono_ns:
                return
            made = self.definitions[name]
            early_ns = now.mono_ns - when.mono_ns
            then = Moment(now.wall_ns - early_ns, when.mono_ns, now.clock)
            self.alarms[name], passed = step(made, self.alarms[name], Signal.TICK, then, self.new_id)
            self._record(made, passed)

    def _record(self, made: Definition, passed: tuple[Transition, ...]) -> None:
        for one in passed:
            verdict = self.verdicts.get(made.name)
            alarm = one.alarm
            rule = next((rule for rule in self.rules if rule.name == made.name), None)
            self.events.append(
                {
                    "alarm": made.name,
                    "kind": made.kind,
                    "severity": made.severity,
                    "stream": made.stream,
                    "place": made.place,
                    "point": made.point,
                    "time": one.at.text(self.calendar.zone),
                    "transition": one.name,
                    "state": alarm.shown.value,
                    "condition": alarm.condition,
                    "activation": alarm.activation,
                    "revision": alarm.revision,
                    "openings": alarm.openings,
                    "drill": alarm.drill,
                    "by": one.given.by,
                    "note": one.given.note,
                    "reason": one.given.reason or (None if verdict is None else verdict.reason),
                    "to": one.given.to,
                    "session": self.calendar.phase(one.at).session,
                    "value": None if verdict is None or verdict.value is None else round(verdict.value, 2),
                    "limit": None if verdict is None else verdict.limit,
                    "set": rule.origin.set if rule is not None and rule.origin is not None else None,
                }
            )
