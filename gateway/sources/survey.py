"""For the installer: what is on a port, what a device says now, and giving it an address. Each opens the port itself.

A port that the running gateway holds is refused with its name (`link.PortError`); the gateway can lend it.
"""

from __future__ import annotations

import argparse
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from drivers import library, modbus
from drivers.base import Driver, Measurement, Quality, Read
from drivers.errors import DeviceError, Timeout
from drivers.frames import Scanner
from gateway.catalogue import say
from gateway.config import Bus
from gateway.sources.exchange import Exchange
from gateway.sources.link import Link, PortError

BAUDS = (9600, 4800, 19200, 115200, 2400)  # by how often they are met
PARITIES = ("N", "E", "O")
ADDRESSES = range(1, 248)
TRY_S = 0.12  # for a unit to begin its answer; slower ones are found by `--patient`
ANSWER_BYTES = 7
LISTEN_S = 2.5  # the longest interval of a device that talks by itself
NEVER = threading.Event()


@dataclass(frozen=True, slots=True)
class Found:
    """A device that answered, or talked by itself (`address` None). `drivers`: all that read it well."""

    baud: int
    parity: str
    address: int | None
    drivers: tuple[str, ...]


def duration_s(bauds: Sequence[int], parities: Sequence[str], addresses: Sequence[int], try_s: float = TRY_S) -> float:
    """How long a scan takes when nobody answers."""
    each = sum(LISTEN_S + len(addresses) * (try_s + 8 * 11 / baud) for baud in bauds)
    return each * len(parities)


def scan(
    port: str,
    bauds: Sequence[int] = BAUDS,
    parities: Sequence[str] = PARITIES[:1],
    addresses: Sequence[int] = ADDRESSES,
    try_s: float = TRY_S,
    progress: Callable[[float], None] = lambda _: None,
    stop: threading.Event = NEVER,
) -> Iterator[Found]:
    """Everything that answers, speed by speed. `progress` is told the share done. Raises PortError."""
    settings = [(baud, parity) for parity in parities for baud in bauds]
    for index, (baud, parity) in enumerate(settings):
        link = Link(Bus.model_validate({"port": port, "baud": baud, "parity": parity}))
        try:
            if talkers := _talking(link, baud, stop):
                yield Found(baud, parity, None, talkers)
                continue  # a line on which one talks by itself has no others
            exchange = Exchange(link, stop)
            for count, address in enumerate(addresses):
                if stop.is_set():
                    return
                if _answers(exchange, address, try_s):
                    yield Found(baud, parity, address, _fingerprint(exchange, address))
                progress((index + count / len(addresses)) / len(settings))
        finally:
            link.close()
    progress(1.0)


def read_once(driver: Driver, line: Bus, stop: threading.Event = NEVER) -> list[Measurement]:
    """What a device on a serial line says now. Raises DeviceError or PortError."""
    link = Link(line)
    try:
        return _read(Exchange(link, stop, patient=bool(driver.reads[0].send)), driver)
    finally:
        link.close()


def provision(at: Callable[[int], Driver], line: Bus, old: int, new: int, stop: threading.Event = NEVER) -> str:
    """Gives the unit at address `old` the address `new`, and proves it by reading there. `at`: its driver there.

    Cut off half-way it is simply done again: where only `new` answers, the work is already done. Raises DeviceError
    when nobody answers, ValueError when the new address is taken or the device cannot be set.
    """
    link = Link(line)
    try:
        exchange = Exchange(link, stop)
        here, there = _present(exchange, at(old)), _present(exchange, at(new))
        if there and not here:
            return say("address {new} answers already, and {old} no longer", new=new, old=old)
        if there:
            raise ValueError(say("address {new} is taken by another device", new=new))
        if not here:
            raise Timeout(say("nobody answers at address {old}", old=old))
        setting = at(old).provision
        if setting is None or setting.address is None:
            raise ValueError(say("how to set the address of {driver} is not known", driver=at(old).name))
        for read in setting.address(new):
            _set(exchange, read)
        if setting.power_cycle:
            return say("switch the device off and on, then read it at address {new}", new=new)
        _read(exchange, at(new))
    finally:
        link.close()
    return say("the device answers at address {new}", new=new)


def scan_main(args: argparse.Namespace) -> int:
    """`scan PORT [--baud N ...] [--parity N E O] [--patient]`: prints what is found as it is found, ready to paste."""
    bauds, parities = tuple(args.baud or BAUDS), tuple(args.parity or PARITIES[:1])
    try_s = 1.0 if args.patient else TRY_S
    longest = duration_s(bauds, parities, ADDRESSES, try_s)
    print(say("this takes up to {minutes} minutes", minutes=max(1, round(longest / 60))), file=sys.stderr)
    count = 0
    try:
        for found in scan(args.port, bauds, parities, ADDRESSES, try_s, _show_progress):
            count += 1
            print(stanza(args.port, found, count))
    except PortError as error:
        print(error, file=sys.stderr)
        return 1
    print(say("{count} found", count=count), file=sys.stderr)
    return 0 if count else 1


def stanza(port: str, found: Found, number: int) -> str:
    """The lines of the configuration that this device wants; where several drivers fit, all are named."""
    name = f"found-{number}"
    lines = [f"[device.{name}]", f'driver = "{found.drivers[0] if found.drivers else "?"}"']
    if len(found.drivers) > 1:
        lines.append(f"# {say('reads as well by')}: {', '.join(found.drivers[1:])}")
    if found.address is None:
        return "\n".join([*lines, f'port = "{port}"', ""])
    bus = [f"[bus.line-{found.baud}]", f'port = "{port}"', f"baud = {found.baud}", f'parity = "{found.parity}"', ""]
    return "\n".join([*bus, *lines, f'bus = "line-{found.baud}"', f"address = {found.address}", ""])


def _show_progress(share: float) -> None:
    if sys.stderr.isatty():
        print(f"\r{share:4.0%} ", end="", file=sys.stderr, flush=True)


def _answers(exchange: Exchange, address: int, try_s: float) -> bool:
    """Any frame from this address will do: a refusal proves a device as well as a value."""
    question = modbus.read(address, modbus.READ_HOLDING, 0, 1)
    try:
        exchange.ask(Read(modbus.reply(question), question), try_s)
    except DeviceError:
        return False
    return True


def _fingerprint(exchange: Exchange, address: int) -> tuple[str, ...]:
    """Every Modbus driver of which each value is there and in its range."""
    fitting = []
    for driver in _serial_drivers():
        if driver.at is None or not driver.reads[0].send or driver.address is None:
            continue
        try:
            found = _read(exchange, replace(driver.at(address, {}), start=()))
        except (DeviceError, ValueError):  # does not answer so; or wants an option that nobody has given
            continue
        if all(measurement.quality in {Quality.GOOD, Quality.SUSPECT} for measurement in found):
            fitting.append(driver.name)
    return tuple(fitting)


def _talking(link: Link, baud: int, stop: threading.Event) -> tuple[str, ...]:
    """The drivers of which a whole frame comes by itself."""
    heard = bytearray()
    for _ in range(round(LISTEN_S / 0.25)):
        if stop.is_set():
            return ()
        heard += link.read(0.25)
    drivers = [d for d in _serial_drivers() if not d.reads[0].send and d.baud == baud]
    return tuple(d.name for d in drivers if Scanner(d.reads[0].frame).feed(bytes(heard)))


def _serial_drivers() -> list[Driver]:
    return [driver for driver in map(library.find, library.names()) if driver.transport == "serial"]


def _read(exchange: Exchange, driver: Driver) -> list[Measurement]:
    for read in driver.start:
        _set(exchange, read)
    return driver.decode(tuple(_set(exchange, read) for read in driver.reads))


def _set(exchange: Exchange, read: Read) -> bytes:
    """Asked once more where it fails: the first exchange after power-up is often spoilt."""
    try:
        return exchange.ask(read)
    except DeviceError:
        return exchange.ask(read)


def _present(exchange: Exchange, driver: Driver) -> bool:
    try:
        _set(exchange, driver.reads[0])
    except DeviceError:
        return False
    return True
