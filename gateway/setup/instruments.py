"""The questions about instruments: which ports there are, what answers on them, and which limits hold for it."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from drivers import library
from drivers.base import Driver
from drivers.errors import DeviceError
from gateway import rule_sets
from gateway.board import quantity_in
from gateway.catalogue import chosen, say
from gateway.environment.statistics import parse, source
from gateway.errors import Refused, Unavailable
from gateway.lending import borrowed
from gateway.setup.draft import Draft
from gateway.setup.sections import wrong_at
from gateway.setup.terminal import Option, Terminal
from gateway.sources import survey
from gateway.sources.link import PortError
from gateway.sources.survey import Found, Sweep

QUICK = Sweep(bauds=(9600, 4800), addresses=range(1, 17))
_USUAL_SETS = frozenset({"gb3096-2008", "listening-test", "classroom-heat"})
_SHOWN = 20  # drivers that fit what was typed


def serial_ports(extra: Sequence[str] = (), folder: Path = Path("/dev/serial/by-id")) -> list[str]:
    """Adapters by their lasting names, the board's own UART, and whatever else was named."""
    adapters = sorted(str(path) for path in folder.iterdir()) if folder.is_dir() else []
    own = [name for name in ("/dev/serial0",) if Path(name).exists()]
    return [*adapters, *own, *(each for each in extra if each not in adapters)]


class Instruments:
    """This section, with what it needs to know of the machine."""

    def __init__(self, ports: Sequence[str], state: Path) -> None:
        self._ports = ports
        self._state = state

    def __call__(self, terminal: Terminal, draft: Draft) -> None:
        if not self._ports:
            terminal.tell(
                say("No serial adapter is plugged in. Instruments can be added later with: venue-gateway scan PORT")
            )
        for port in self._ports:
            self._port(terminal, draft, port)
        while terminal.yes(say("is there another instrument (I2C, 1-Wire, USB, network)"), default=False):
            _other(terminal, draft)
        _limits(terminal, draft)

    def _port(self, terminal: Terminal, draft: Draft, port: str) -> None:
        terminal.tell()
        terminal.tell(port)
        for name in _on(draft, port):
            terminal.tell(name, 2)
        options = [
            ("quick", say("look what answers: addresses 1 to 16 at 9600 and 4800 baud, half a minute")),
            (
                "full",
                say("look everywhere: all addresses and speeds, up to {minutes} minutes", minutes=_minutes(Sweep())),
            ),
            ("bus", say("an RS-485 line; I say what is on it")),
            ("alone", say("one instrument alone; I say which")),
            ("skip", say("leave it")),
        ]
        match terminal.choose(say("what is on this port"), options, "skip" if _on(draft, port) else "quick"):
            case "quick":
                self._scan(terminal, draft, port, QUICK)
            case "full":
                self._scan(terminal, draft, port, Sweep())
            case "bus":
                _typed_bus(terminal, draft, port)
            case "alone":
                driver = _driver(
                    terminal, [name for name in library.names() if library.find(name).transport == "serial"]
                )
                _add(terminal, draft, driver, {"port": port})

    def _scan(self, terminal: Terminal, draft: Draft, port: str, sweep: Sweep) -> None:
        found: list[Found] = []
        try:
            with borrowed(self._state, port, 1.2 * sweep.seconds() + 60, "setup") as here:
                for each in survey.scan(here, sweep, _progress):
                    found.append(each)
                    terminal.tell(_described(each), 2)
        except (PortError, DeviceError, Refused, Unavailable) as error:
            terminal.tell(str(error), 2)
        _progress(1.0)
        terminal.tell(say("{count} found", count=len(found)))
        for each in found:
            if each.drivers:
                _take(terminal, draft, port, each)


def _progress(share: float) -> None:
    """On one line, and only where a person looks."""
    if sys.stderr.isatty():
        print(f"\r{share:4.0%}" if share < 1 else "\r     \r", end="", file=sys.stderr, flush=True)


def _minutes(sweep: Sweep) -> int:
    return max(1, round(sweep.seconds() / 60))


def _described(found: Found) -> str:
    where = say("address {address}", address=found.address) if found.address is not None else say("no address")
    return ", ".join(filter(None, (f"{found.baud} 8{found.parity}1", where, " / ".join(found.drivers), found.doubt)))


def _take(terminal: Terminal, draft: Draft, port: str, found: Found) -> None:
    """Something that was found becomes a device of the file, or not."""
    terminal.tell()
    terminal.tell(_described(found))
    options = [(name, _titled(name)) for name in found.drivers] + [("", say("leave it out"))]
    if len(found.drivers) > 1:
        terminal.tell(say("These cannot be told apart from here: look at its label."))
    name = terminal.choose(say("what is it"), options, found.drivers[0])
    if not name:
        return
    if found.address is None:
        _add(terminal, draft, library.find(name), {"port": port})
        return
    bus = _bus(draft, port, found.baud, found.parity)
    identity = {"identity": found.identity} if found.identity is not None else {}
    _add(terminal, draft, library.find(name), {"bus": bus, "address": found.address} | identity)


def _bus(draft: Draft, port: str, baud: int, parity: str = "N") -> str:
    """The bus of this port and speed; made when there is none."""
    wanted: dict[str, Any] = {"port": port, "baud": baud} | ({} if parity == "N" else {"parity": parity})
    buses = draft.get("bus", otherwise={})
    for name, bus in buses.items():
        if {key: bus.get(key) for key in wanted} == wanted:
            return str(name)
    name = _free("rs485", buses)
    draft.put("bus", name, value=wanted)
    return name


def _typed_bus(terminal: Terminal, draft: Draft, port: str) -> None:
    hint = say("in baud, as on the labels of the instruments; all on one line have the same")
    baud = terminal.number(say("speed of the line"), survey.BAUDS[0], range(1200, 921601), hint)
    while True:
        driver = _driver(terminal, [name for name in library.names() if library.find(name).at is not None])
        address = terminal.number(say("its address"), driver.address, range(1, 248))
        _add(terminal, draft, driver, {"bus": _bus(draft, port, baud), "address": address})
        if not terminal.yes(say("is another instrument on this line"), default=False):
            return


def _other(terminal: Terminal, draft: Draft) -> None:
    """Any driver; the port as its kind writes it."""
    driver = _driver(terminal, library.names())
    examples = {"i2c": "/dev/i2c-1", "file": "/sys/bus/w1/devices/28-.../w1_slave", "hid": "hid:VVVV:PPPP"}
    example = examples.get(driver.transport, "")
    port = terminal.ask(say("its port"), example, lambda text: "" if text else say("a port is needed"))
    _add(terminal, draft, driver, {"port": port})


def _driver(terminal: Terminal, names: Sequence[str]) -> Driver:
    """By a part of its name or title."""
    while True:
        part = terminal.ask(say("type, or a part of its name (Enter: all)")).lower()
        fitting = [name for name in names if part in name or part in library.find(name).title.lower()]
        if len(fitting) == 1:
            terminal.tell(_titled(fitting[0]), 2)
            return library.find(fitting[0])
        if 0 < len(fitting) <= _SHOWN or (fitting and not part):
            return library.find(terminal.choose(say("which one"), [(name, _titled(name)) for name in fitting], ""))
        terminal.tell(say("{count} fit: type more of it, or less", count=len(fitting)), 2)


def _titled(name: str) -> str:
    return f"{name}  {library.find(name).title}"


def _add(terminal: Terminal, draft: Draft, driver: Driver, way: dict[str, Any]) -> None:
    """A name and a place, and the device is in the draft."""
    devices = draft.get("device", otherwise={})

    def judge(text: str) -> str:
        if text in devices:
            return say("{name} is there already", name=text)
        draft.put("device", text, value={"driver": driver.name, **way})
        wrong = wrong_at(draft, "device", text)
        draft.drop("device", text)
        return wrong

    hint = say("small letters, digits and hyphens; say where it is and what it measures, such as gate-noise")
    name = terminal.ask(say("a name for it, such as gate-noise"), _free(_kind(driver), devices), judge, hint)
    place = terminal.ask(say("where it is, such as north gate"))
    indoors = terminal.yes(say("is it in a room"), default=False)
    draft.put("device", name, value={"driver": driver.name, **way, "place": place, "indoors": indoors})


def _kind(driver: Driver) -> str:
    quantity = quantity_in(driver.points[0]) if driver.points else None
    return (quantity or "device").replace("_", "-")


def _free(name: str, taken: Any) -> str:
    return name if name not in taken else next(f"{name}-{n}" for n in range(2, 999) if f"{name}-{n}" not in taken)


def _on(draft: Draft, port: str) -> list[str]:
    """The devices that the draft has on this port."""
    buses = {name for name, bus in draft.get("bus", otherwise={}).items() if bus["port"] == port}
    devices = draft.get("device", otherwise={}).items()
    return [name for name, device in devices if device.get("port") == port or device.get("bus") in buses]


def _limits(terminal: Terminal, draft: Draft) -> None:
    """Of the shipped sets those that limit something that is measured here."""
    points = {p for device in draft.get("device", otherwise={}).values() for p in library.find(device["driver"]).points}
    options: list[Option] = []
    for name in rule_sets.names():
        rules = rule_sets.load(name)
        wanted = [parse(limit.statistic) for limit in rules.limit]
        if any(each is not None and source(each, points) is not None for each in wanted):
            options.append((name, f"{name}  {getattr(rules.title, chosen())}"))
    if not options:
        draft.drop("rule_sets")
        return
    terminal.tell()
    terminal.tell(say("Sets of limits for what is measured here:"))
    known = draft.get("rule_sets", otherwise=[name for name, _ in options if name in _USUAL_SETS])
    draft.put("rule_sets", value=terminal.several(say("which sets, by their numbers"), options, known))
