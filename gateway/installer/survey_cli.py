"""The installer's commands: `scan`, `read`, `provision`. Each borrows the port from the gateway where one runs."""

from __future__ import annotations

import argparse
import json
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from functools import partial
from pathlib import Path

from drivers import library
from drivers.agreement import Agreement
from drivers.base import Driver, Measurement, Read
from drivers.errors import DeviceError
from gateway.board import unit_of
from gateway.catalogue import say
from gateway.configuration.config import Bus, Config
from gateway.configuration.settings import check
from gateway.errors import ConfigError, Refused
from gateway.lending import borrowed
from gateway.sources import survey
from gateway.sources.choice import bound_device, line_of, way_to
from gateway.sources.exchange import Exchange
from gateway.sources.link import Link, PortError
from gateway.sources.provision import Setting, provision
from gateway.sources.survey import Found, Sweep
from gateway.sources.transports import Transport
from gateway.sources.unit import BoundDevice

READ_LOAN_S = 60.0
PROVISION_LOAN_S = 120.0


def scan_main(args: argparse.Namespace) -> int:
    """Prints what is found as it is found, ready to paste; 0 when anything was."""
    sweep = Sweep(
        tuple(args.baud or survey.BAUDS),
        tuple(args.parity or survey.PARITIES[:1]),
        args.addresses,
        survey.PATIENT_S if args.patient else survey.TRY_S,
        args.one,
    )
    minutes = max(1, round(sweep.seconds() / 60))
    print(say("this takes up to {minutes} minutes; Ctrl-C ends it", minutes=minutes), file=sys.stderr)
    stanzas, found = Stanzas(args.port), []
    with borrowed(args.state, args.port, 1.2 * sweep.seconds() + 60, "scan") as port, _told(), _bar() as progress:
        for each in survey.scan(port, sweep, progress):
            found.append(each)
            if not args.json:
                print(stanzas.of(each), flush=True)
    if args.json:
        print(json.dumps([asdict(each) for each in found], ensure_ascii=False))
    print(say("{count} found", count=len(found)), file=sys.stderr)
    return 0 if found else 1


def read_main(args: argparse.Namespace) -> int:
    """One reading of one device of a configuration."""
    tables = _tables(args.config)
    if args.device not in tables.device:
        known = ", ".join(tables.device) or "-"
        raise Refused(say("there is no device {name}; there are: {known}", name=args.device, known=known))
    bound = bound_device(args.device, tables.device[args.device])
    trace: list[tuple[str, bytes]] = []
    with _told():
        measurements, identity, error = _read(tables, bound, args.state, trace)
    if args.json:
        raw = [[way, data.hex(" ")] for way, data in trace]
        points = [{"point": f"{args.device}/{m.name}", "unit": unit_of(m.name)} | asdict(m) for m in measurements]
        print(json.dumps({"points": points, "identity": identity, "error": error, "raw": raw}, ensure_ascii=False))
    else:
        _show(args.device, measurements, identity, trace if args.raw else [])
    if error:
        print(f"venue-gateway: {error}", file=sys.stderr)
    return 1 if error else 0


def provision_main(args: argparse.Namespace) -> int:
    """Gives a device another address or speed, and proves it."""
    try:
        driver = library.find(args.driver)
    except LookupError as error:
        raise Refused(str(error)) from error
    if driver.transport != "serial" or driver.at is None or driver.address is None:
        raise Refused(say("a {driver} has no address that could be set over its line", driver=driver.name))
    old_address = driver.address if args.from_address is None else args.from_address
    before = Setting(args.from_baud or driver.baud, old_address)
    wanted = Setting(args.baud or before.baud, before.address if args.address is None else args.address)
    with borrowed(args.state, args.port, PROVISION_LOAN_S, "provision") as port, _told():
        line = survey.line(port, before.baud, args.parity or driver.parity, driver.stop_bits)
        try:
            print(provision(partial(_at, driver), line, before, wanted))
        except ValueError as error:
            raise Refused(str(error)) from error
        except KeyboardInterrupt:
            print(say("cut off: give the same command again, it finds out how far it came"), file=sys.stderr)
            return 1
    return 0


class Stanzas:
    """What is found, as tables to paste: each bus once, each device with a name of its own."""

    def __init__(self, port: str) -> None:
        self._port = port
        self._buses: set[str] = set()
        self._count = 0

    def of(self, found: Found) -> str:
        at = say("address {address}", address=found.address) if found.address is not None else say("no address")
        lines = [f"# {found.baud} 8{found.parity}1, {at}" + (f": {found.doubt}" if found.doubt else "")]
        if not found.drivers:
            return "\n".join([*lines, ""])
        self._count += 1
        if len(found.drivers) > 1:
            alike = say("these read it alike, and cannot be told apart from here: look at its label")
            lines += [f"# {alike}", f"#   {', '.join(found.drivers)}"]
        if found.address is not None:
            lines += self._bus(found)
        lines += [f"[device.found-{self._count}]", f'driver = "{found.drivers[0]}"']
        if found.address is None:
            lines.append(f'port = "{self._port}"')
        else:
            lines += [f'bus = "{_bus_name(found)}"', f"address = {found.address}"]
        if found.identity is not None:
            lines.append(f'identity = "{found.identity}"')
        return "\n".join([*lines, 'place = "..."', ""])

    def _bus(self, found: Found) -> list[str]:
        name = _bus_name(found)
        if name in self._buses:
            return []
        alike = say("a line has one speed: bring all devices to the same with `venue-gateway provision`")
        one = [f"# {alike}"] if self._buses else []
        self._buses.add(name)
        parity = [] if found.parity == "N" else [f'parity = "{found.parity}"']
        return [*one, f"[bus.{name}]", f'port = "{self._port}"', f"baud = {found.baud}", *parity, ""]


def _bus_name(found: Found) -> str:
    return f"line-{found.baud}" + ("" if found.parity == "N" else f"-{found.parity.lower()}")


def _at(driver: Driver, address: int) -> Driver:
    assert driver.at is not None  # noqa: S101  for the type checker
    return driver.at(address, {})


@contextmanager
def _told() -> Iterator[None]:
    """What wires, devices and ports do is no bug: a sentence, and exit code 1."""
    try:
        yield
    except (DeviceError, PortError) as error:
        raise Refused(str(error)) from error


@contextmanager
def _bar() -> Iterator[Callable[[float], None]]:
    """A progress bar on the terminal; none where messages go into a file."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich import console, progress  # noqa: PLC0415  drawing is not needed in scripts

    columns = (progress.BarColumn(), progress.TaskProgressColumn(), progress.TimeRemainingColumn())
    shown = progress.Progress(
        *columns, console=console.Console(stderr=True), transient=True, redirect_stdout=sys.stdout.isatty()
    )
    with shown:
        task = shown.add_task("", total=1.0)
        yield lambda share: shown.update(task, completed=share)


def _tables(path: Path) -> Config:
    checked = check(path)
    if checked.config is None:
        raise ConfigError("\n".join(str(problem) for problem in checked.problems))
    return checked.config


Trace = list[tuple[str, bytes]]  # ">" sent, "<" received


class _TracedLink(Link):
    """Keeps every byte of the line, echo and noise included."""

    def __init__(self, config: Bus, trace: Trace) -> None:
        super().__init__(config)
        self._trace = trace

    def read(self, timeout_s: float) -> bytes:
        data = super().read(timeout_s)
        if data:
            self._trace.append(("<", data))
        return data

    def write(self, data: bytes) -> None:
        self._trace.append((">", data))
        super().write(data)


class _Line:
    """A serial line as a transport."""

    def __init__(self, config: Bus, trace: Trace, *, patient: bool) -> None:
        self._link = _TracedLink(config, trace)
        self._exchange = Exchange(self._link, survey.NEVER, patient=patient)

    def ask(self, read: Read, _stop: threading.Event) -> bytes:
        return survey.twice(self._exchange, read)

    def close(self) -> None:
        self._link.close()


class _Traced:
    """Any other way to a device, with what went over it."""

    def __init__(self, way: Transport, trace: Trace) -> None:
        self._way, self._trace = way, trace

    def ask(self, read: Read, stop: threading.Event) -> bytes:
        if read.send:
            self._trace.append((">", read.send))
        reply = self._way.ask(read, stop)
        self._trace.append(("<", reply))
        return reply

    def close(self) -> None:
        self._way.close()


def _read(
    tables: Config, bound: BoundDevice, state: Path, trace: Trace
) -> tuple[list[Measurement], str | None, str | None]:
    """What it says, what it calls itself, and the error that it ended in."""
    table, driver = tables.device[bound.name], bound.driver
    bus = tables.bus[table.bus] if table.bus is not None else None
    port = bus.port if bus is not None else table.port or ""
    with borrowed(state, port, READ_LOAN_S, "read", table.bus or bound.name) as there:
        way: _Line | _Traced
        if driver.transport == "serial":
            line = line_of(driver, there) if bus is None else bus.model_copy(update={"port": there})
            way = _Line(line, trace, patient=any(read.send for read in driver.reads))
        else:
            way = _Traced(way_to(driver, there)(), trace)
        try:
            return _judged(driver, way)
        except DeviceError as error:
            return [], None, f"{type(error).__name__}: {error}"
        finally:
            way.close()


def _judged(driver: Driver, way: _Line | _Traced) -> tuple[list[Measurement], str | None, None]:
    """Frames without a check are read twice: what two say alike is good, as the gateway takes it."""
    stop = survey.NEVER
    for read in driver.start:
        way.ask(read, stop)
    identity = None
    if driver.identity is not None and driver.identify is not None:
        identity = driver.identify(way.ask(driver.identity, stop))
    found = driver.decode(tuple(way.ask(read, stop) for read in driver.reads))
    if not driver.checked:
        agreement = Agreement()
        agreement.judge(found)
        found = agreement.judge(driver.decode(tuple(way.ask(read, stop) for read in driver.reads)))
    return found, identity, None


def _show(device: str, measurements: Sequence[Measurement], identity: str | None, trace: Trace) -> None:
    for way, data in trace:
        print(f"{way} {data.hex(' ')}")
    for found in measurements:
        value = "-" if found.value is None else f"{found.value:g}"
        why = f" ({found.reason})" if found.reason else ""
        print(f"{device}/{found.name:<24} {value:>10} {unit_of(found.name):<8} {say(found.quality.value)}{why}")
    if identity is not None:
        print(say("so that another unit in its place is refused: {line}", line=f'identity = "{identity}"'))
