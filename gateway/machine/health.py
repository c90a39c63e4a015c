"""Alarms about the gateway itself and the devices' silence: what each is, and what the messages say of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from gateway.alarm.findings import Evidence, Finding
from gateway.alarm.wording import STANDS, Text
from gateway.alarms import Definition, Given, Signal
from gateway.catalogue import both, say
from gateway.configuration.config import Config
from gateway.machine.clock_watch import ClockWatch
from gateway.moment import NANO, ClockState, Moment
from gateway.values import (
    BusState,
    CertificateEnds,
    ConfigurationState,
    DuplicateIdentity,
    LineHealth,
    Lost,
    MachineState,
    PathState,
    PointsRefused,
    Readings,
    RemoteSetting,
    Severity,
    SinkState,
)
from gateway.vocabulary import CAUSES, word

HAPPENING_S = 60.0  # an alarm about something that only happened is over so long after the last time
SILENT_CYCLES = 5  # a device may miss so many answers …
SILENT_S = 15.0  # … and this is the shortest time before its silence is an alarm
TIMEOUTS_S = 2.5  # real seconds of serial timeouts, which a simulated clock does not make faster
LOAN_S = 300.0  # a port may be lent for so long before that is an alarm
WORN, WELL = 0.05, 0.01  # shares of damaged answers: a line that is worn, and one that is well
WORN_S = 150.0  # for three reports, a minute apart
JUDGED = 10  # questions a minute, below which no share is told
CLOCK_S = 300.0  # a clock may need so long after the start to be set
CLOCK_LONG_S = 86400.0  # a clock that nobody has set for so long is off by seconds
WARN_DAYS = (60, 30, 7, 0)  # before a certificate ends
BOARD = "board"  # beside contacts and the venue's id: what stays as it was until a person retires it by name

# name: (kind, severity, clear_after_s)
SYSTEM: Mapping[str, tuple[str, Severity, float]] = {
    "storage-events": ("storage", "high", 0.0),
    "storage-readings": ("storage", "medium", 0.0),
    "storage-latches": ("storage", "medium", 0.0),
    "journal-set-aside": ("aside", "high", HAPPENING_S),
    "readings-dropped": ("dropped", "medium", HAPPENING_S),
    "record-aged": ("aged", "low", 0.0),
    "record-restored": ("restored", "high", HAPPENING_S),
    "configuration-refused": ("configuration", "high", 0.0),
    "clock": ("clock", "medium", 0.0),
    "clock-long": ("clock-long", "high", 0.0),
    "power-supply": ("supply", "high", 600.0),  # a dip is seen once: people shall see it too
    "heat": ("heat", "high", HAPPENING_S),
    "card-worn": ("wear", "high", 0.0),
    "card-space": ("space", "high", 0.0),
    "memory": ("memory", "medium", 0.0),
    "receipt-refused": ("refused", "high", HAPPENING_S),
    "command-refused": ("refused", "high", HAPPENING_S),
    "state-altered": ("altered", "high", HAPPENING_S),
    "sent-not-stored": ("unstored", "high", HAPPENING_S),
    "path-modem": ("path", "high", 0.0),
    "path-siren": ("path", "high", 0.0),
    "duplicate-identity": ("duplicate", "high", HAPPENING_S),
    "points-refused": ("points", "medium", HAPPENING_S),
    "alarm-flood": ("alarm-flood", "medium", 0.0),
    "alarm-chatter": ("alarm-chatter", "low", HAPPENING_S),
    "alarm-stale": ("alarm-stale", "low", 0.0),
}


def text(kind: str, name: str, reason: object = "-") -> Text:
    return both(STANDS[kind], name=name, reason=reason, place="-")


def system_definitions(sinks: tuple[str, ...]) -> Iterator[tuple[Definition, Text]]:
    for name, (kind, severity, clear_after_s) in SYSTEM.items():
        definition = Definition(name, kind, severity, "gateway", clear_after_s=clear_after_s)
        yield replace(definition, raise_after_s=CLOCK_LONG_S if name == "clock-long" else 0.0), text(kind, name)
    for sink in sinks:
        yield Definition(f"link-{sink}", "link", "high", "gateway", raise_after_s=30.0), text("link", sink)
        yield Definition(f"certificate-{sink}", "certificate", "high", "gateway"), text("certificate", sink)


def platform_definitions(sinks: Iterable[str]) -> Iterator[tuple[Definition, Text]]:
    """Of platforms that may set something here: what they set or were refused."""
    for sink in sinks:
        name = remote_name(sink)
        yield Definition(name, "remote", "low", "gateway", clear_after_s=HAPPENING_S), text("remote", sink)


def platforms(config: Config) -> tuple[str, ...]:
    """The sinks that speak HJ 212, by name."""
    return tuple(f"hj212-{name}" for name in config.hj212)


def remote_name(sink: str) -> str:
    return f"remote-{sink}"


def remote(message: RemoteSetting) -> Iterator[Finding]:
    """Each setting of a platform, and each that was refused, is an event of its own."""
    what = text("remote", message.sink, message.what)
    return happening(remote_name(message.sink), message.at, what, "set" if message.done else "not-set")


def disarmed(name: str) -> tuple[Definition, Text]:
    """The alarm about a contact (or the venue's id) that the file would have taken away, or about another board."""
    kind = _disarm_kind(name)
    return Definition(disarm_name(name), kind, "high", "gateway"), text(kind, name)


def _disarm_kind(name: str) -> str:
    return "board" if name == BOARD else "disarm"


def disarm_name(name: str) -> str:
    if name == BOARD:
        return "board-changed"
    return f"disarm-{name.replace('.', '-')}"


def custody() -> tuple[Definition, Text]:
    """Never raised: where it is recorded that custody was ended."""
    return Definition("custody", "custody", "low", "custody", custody=True), text("custody", "-")


def still_armed(name: str, now: Moment) -> Finding:
    return finding_of(disarm_name(name), Signal.BREACH, now, text(_disarm_kind(name), name), "retire")


@dataclass(slots=True)
class DeviceWatch:
    """Whether one device answers: only what became readings counts, be they good or not."""

    name: str
    every_s: float
    bus: str  # the port it shares; its own name when it has one to itself
    place: str
    answered: Moment | None = None
    cause: str = "-"
    slack_s: float = 0.0  # `TIMEOUTS_S` by the clock in use
    returned: Moment | None = None  # its port came back, and it has not answered since
    well: Evidence = field(init=False)  # made once: it is found at every answer

    def __post_init__(self) -> None:
        self.well = Evidence(text("device", self.name))

    @property
    def silent_after_s(self) -> float:
        return max(SILENT_CYCLES * self.every_s, SILENT_S, self.slack_s)


@dataclass(slots=True)
class Health:
    """Devices, buses and the clock, watched. Pure: told messages, gives signals."""

    devices: dict[str, DeviceWatch]
    started: Moment
    bus_errors: dict[str, str] = field(default_factory=dict)
    lent: dict[str, Moment] = field(default_factory=dict)  # since when a bus is lent; until one of its devices answers
    _clock: ClockWatch = field(init=False)

    def __post_init__(self) -> None:
        self._clock = ClockWatch(self.started)

    @property
    def buses(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(watch.bus for watch in self.devices.values()))

    def definitions(self) -> Iterator[tuple[Definition, Text]]:
        for device in self.devices.values():
            name = f"device-{device.name}"
            yield Definition(name, "device", "medium", "gateway", place=device.place), text("device", device.name)
            worn = Definition(f"wire-{device.name}", "wire", "low", "gateway", place=device.place)
            yield replace(worn, raise_after_s=WORN_S, clear_after_s=WORN_S), text("wire", device.name)
        for bus in self.buses:
            yield Definition(f"bus-{bus}", "bus", "high", "gateway", raise_after_s=3.0), text("bus", bus)

    def go_on(self, before: Health) -> None:
        """After a reload: what was known of what stays. A port tells only once that it has failed, or is lent."""
        for name, watch in self.devices.items():
            known = before.devices.get(name, watch)
            watch.answered, watch.cause, watch.returned = known.answered, known.cause, known.returned
        self.bus_errors = {bus: error for bus, error in before.bus_errors.items() if bus in self.buses}
        self.lent = {bus: since for bus, since in before.lent.items() if bus in self.buses}

    def line(self, message: LineHealth) -> Iterator[Finding]:
        """A share of damaged answers that stays high is a cable, a plug or a termination that fails (B5)."""
        if message.device not in self.devices or message.asked < JUDGED:
            return
        share = (message.damaged + message.strange) / message.asked
        if WELL < share < WORN:
            return
        signal = Signal.BREACH if share >= WORN else Signal.CLEAR
        what = text("wire", message.device, f"{share:.0%}")
        yield finding_of(f"wire-{message.device}", signal, message.at, what)

    def take(self, message: Readings | Lost | BusState, now: Moment) -> Iterator[Finding]:
        match message:
            case Readings(device, readings):
                watch = self.devices[device]
                watch.answered, watch.cause = readings[0].at if readings else now, "-"
                watch.returned = None
                self.lent.pop(watch.bus, None)
                yield Finding(f"device-{device}", Signal.CLEAR, now, watch.well)
            case Lost(device, cause, detail, _):
                if device in self.devices:  # else it left with a reload, and this was still under way
                    told = detail not in ("", CAUSES.get(cause))  # "no answer: no answer" says nothing twice
                    why = say("{cause}: {detail}", cause=word(cause), detail=detail) if told else word(cause)
                    self.devices[device].cause = why
            case BusState(bus, _, None, at):
                self.bus_errors.pop(bus, None)
                for watch in self.devices.values():
                    if watch.bus == bus:
                        watch.returned = watch.returned or at
                yield from self._bus(message)
            case BusState(bus, _, str(error), at, lent):
                self.bus_errors[bus] = error
                if lent:
                    self.lent.setdefault(bus, at)
                else:
                    yield from self._bus(message)

    def cause(self, watch: DeviceWatch) -> str:
        """Why a device does not answer: its port, while that has failed, else what it did last."""
        return self.bus_errors.get(watch.bus, watch.cause)

    def _bus(self, message: BusState) -> Iterator[Finding]:
        bus, devices, error = message.bus, ", ".join(message.devices), message.error
        if bus in self.buses:
            signal = Signal.CLEAR if error is None else Signal.BREACH
            parts = devices if error is None else say("{error}; {devices}", error=error, devices=devices)
            yield finding_of(f"bus-{bus}", signal, message.at, text("bus", bus, parts), error)

    def tick(self, now: Moment) -> Iterator[Finding]:
        """Silence of devices, grouped: while their port itself has failed, or is lent, that is the one alarm."""
        yield from self._clock.tick(now)
        for bus, lent in self.lent.items():
            if bus in self.bus_errors and now.seconds_since(lent) > LOAN_S:
                devices = tuple(device.name for device in self.devices.values() if device.bus == bus)
                yield from self._bus(BusState(bus, devices, self.bus_errors[bus], now))
        for device in self.devices.values():
            since = device.returned or device.answered or self.started
            if device.bus in self.bus_errors or now.seconds_since(since) < device.silent_after_s:
                continue
            what = text("device", device.name, device.cause)
            yield finding_of(f"device-{device.name}", Signal.BREACH, now, what, "silent")
        synchronised = now.clock is ClockState.SYNCHRONISED
        if synchronised or now.seconds_since(self.started) > CLOCK_S:
            for name in ("clock", "clock-long"):
                yield finding_of(name, Signal.CLEAR if synchronised else Signal.BREACH, now, text(name, name))


def configuration(message: ConfigurationState) -> Finding:
    refused = message.refused_sha256
    parts = {"refused": (refused or "")[:12], "used": message.sha256[:12], "problems": message.problems}
    reason = None if refused is None else say("{refused} refused, {used} in force: {problems}", **parts)
    signal = Signal.CLEAR if refused is None else Signal.BREACH
    name = "configuration-refused"
    return finding_of(name, signal, message.at, text("configuration", name, reason or "-"), refused)


def machine(message: MachineState) -> Iterator[Finding]:
    """Of the machine itself; what is not known there gives no signal."""
    for name, reason in message.troubles.items():
        signal = Signal.CLEAR if reason is None else Signal.BREACH
        yield finding_of(name, signal, message.at, text(SYSTEM[name][0], name, reason or "-"), reason)


def path(message: PathState) -> Finding:
    name = f"path-{message.path}"
    signal = Signal.CLEAR if message.error is None else Signal.BREACH
    return finding_of(name, signal, message.at, text("path", message.path, message.error or "-"), message.error)


def certificate(message: CertificateEnds, told: Mapping[str, Any] | None) -> Iterator[Finding]:
    """60 days before the end, and once more 30 and 7 days before and at the end. An unset clock proves nothing.

    `told`: what the alarm's page remembers.
    """
    now, name = message.at, f"certificate-{message.sink}"
    if now.clock is not ClockState.SYNCHRONISED:
        return
    left = (message.ends_ns - now.wall_ns) // (86_400 * NANO)
    day = datetime.fromtimestamp(message.ends_ns / NANO, UTC).date().isoformat()
    parts = {"file": message.file, "subject": message.subject, "day": day}
    if left >= WARN_DAYS[0]:
        yield finding_of(name, Signal.CLEAR, now, text("certificate", message.sink))
        return
    ended = say("{file} ({subject}) ended on {day}: renew it", **parts)
    ends = say("{file} ({subject}) ends on {day}, in {left} days: have it renewed", **parts, left=left)
    what = text("certificate", message.sink, ended if left < 0 else ends)
    step = {"below_days": min(days for days in WARN_DAYS if left < days)}
    signal = Signal.BREACH if told == step else Signal.PRESS  # each step is news, and wants to be seen by a person
    yield replace(finding_of(name, signal, now, what, day), memory=step)


def duplicate(message: DuplicateIdentity) -> Iterator[Finding]:
    yield from happening(
        "duplicate-identity", message.at, text("duplicate", message.sink, message.detail), message.sink
    )


def points_refused(message: PointsRefused) -> Iterator[Finding]:
    reason = say("{count} points, {why}", count=message.count, why=message.reason)
    yield from happening("points-refused", message.at, text("points", message.sink, reason), message.sink)


def link(message: SinkState) -> Finding | None:
    if message.state in ("connecting", "stopped"):
        return None
    signal = Signal.CLEAR if message.state == "connected" else Signal.BREACH
    what = text("link", message.sink, message.detail)
    return finding_of(f"link-{message.sink}", signal, message.at, what, message.state)


def happening(name: str, at: Moment, what: Text, reason: str | None = None) -> Iterator[Finding]:
    """Something that happened and is over: each time is an event of its own."""
    yield finding_of(name, Signal.PRESS, at, what, reason)
    yield finding_of(name, Signal.CLEAR, at, what)


def finding_of(name: str, signal: Signal, at: Moment, what: Text, reason: str | None = None) -> Finding:
    return Finding(name, signal, at, Evidence(what, reason=reason), Given(reason=reason))
