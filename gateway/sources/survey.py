"""What is on a port: for the installer. Opens the port itself; one that a gateway holds is borrowed first (`lending`).

First, at each speed: who talks by itself; who answers the questions of devices without an address; Renke's service
question, which finds an unknown address when one device is on the line. Then, at each speed: every address, with a
Modbus question that any unit answers or refuses. For each that answers: every driver that reads it well; those that
read alike cannot be told apart from here.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from drivers import _renke, library, modbus
from drivers.base import Driver, Measurement, Quality, Read
from drivers.checks import crc16_modbus
from drivers.errors import BadFrame, DeviceError, DeviceFault, NotReady
from drivers.frames import Scanner
from gateway.catalogue import say
from gateway.configuration.config import Bus
from gateway.sources.exchange import SLICE_S, Exchange
from gateway.sources.link import Link

BAUDS = (9600, 4800, 19200, 115200, 2400)  # by how often they are met
PARITIES = ("N", "E", "O")
ADDRESSES = range(1, 248)
TRY_S = 0.12  # for a unit to begin its answer; slower ones are found by `--patient`
PATIENT_S = 1.0
ANSWER_BYTES = 7
LISTEN_S = 2.5  # the longest interval of a device that talks by itself
ASK_S = 0.3  # for a device without an address
NOISY = 3  # addresses of one speed with damaged answers: more are noise
NEVER = threading.Event()


@dataclass(frozen=True, slots=True)
class Found:
    """A device that answered, or talked by itself. `drivers`: all that read it well, in no order of likelihood."""

    baud: int
    parity: str
    address: int | None  # None: it has none, or needs none
    drivers: tuple[str, ...]
    doubt: str = ""  # why it is not known what this is
    identity: str | None = None  # what it calls itself, where a driver can ask


@dataclass(frozen=True, slots=True)
class Sweep:
    """What is tried. `one`: the first device found ends it."""

    bauds: Sequence[int] = BAUDS
    parities: Sequence[str] = PARITIES[:1]
    addresses: Sequence[int] = ADDRESSES
    try_s: float = TRY_S
    one: bool = False

    @property
    def lines(self) -> list[tuple[int, str]]:
        return [(baud, parity) for parity in self.parities for baud in self.bauds]

    def seconds(self) -> float:
        """How long it takes when nobody answers."""
        return sum(self.look_s(baud) + self.addresses_s(baud) for baud, _ in self.lines)

    def look_s(self, baud: int) -> float:
        """At one speed, those without an address."""
        return LISTEN_S + ASK_S * (1 + len(_questions(baud)))

    def addresses_s(self, baud: int) -> float:
        return len(self.addresses) * self.address_s(baud)

    def address_s(self, baud: int) -> float:
        return self.try_s + 8 * 11 / baud


@dataclass(slots=True)
class _Progress:
    """Told in shares of the time that was estimated, and never backwards."""

    tell: Callable[[float], None]
    total_s: float
    done_s: float = 0.0
    taken: set[tuple[int, str]] = field(default_factory=set)  # lines with a device that needs no address

    def more(self, seconds: float) -> None:
        self.done_s += seconds
        self.tell(min(1.0, self.done_s / self.total_s))


def scan(
    port: str, sweep: Sweep, progress: Callable[[float], None] = lambda _: None, stop: threading.Event = NEVER
) -> Iterator[Found]:
    """Everything that answers, as it is found. `progress` is told the share done. Raises PortError."""
    told = _Progress(progress, sweep.seconds())
    seen: set[tuple[int, str, int | None]] = set()
    for look in (_without_address, _by_address):
        for baud, parity in sweep.lines:
            if (baud, parity) in told.taken:
                told.more(sweep.addresses_s(baud))
                continue
            for found in look(port, (baud, parity), sweep, told, stop):
                if (baud, parity, found.address) not in seen:
                    seen.add((baud, parity, found.address))
                    yield found
                    if sweep.one:
                        return
            if stop.is_set():
                return
    progress(1.0)


def _without_address(
    port: str, at: tuple[int, str], sweep: Sweep, told: _Progress, stop: threading.Event
) -> Iterator[Found]:
    """Devices that have a line to themselves, and the one that tells its address when asked."""
    baud, parity = at
    link = Link(line(port, baud, parity))
    try:
        talkers = _talking(link, baud, stop)
        exchange = Exchange(link, stop, patient=not talkers)
        fitting = talkers or _asked(exchange, baud)
        if fitting:
            told.taken.add(at)
            yield Found(baud, parity, None, fitting, identity=_identity(exchange, fitting, None))
        elif (address := _service(exchange)) is not None:
            if _tried(exchange, address, ASK_S) == "yes":
                yield _known(exchange, baud, parity, address)
            else:
                doubt = say("it answers Renke's service question, and no other one")
                yield Found(baud, parity, address, (), doubt)
    finally:
        link.close()
    told.more(sweep.look_s(baud))


def _by_address(
    port: str, at: tuple[int, str], sweep: Sweep, told: _Progress, stop: threading.Event
) -> Iterator[Found]:
    baud, parity = at
    link = Link(line(port, baud, parity))
    damaged: list[int] = []
    try:
        exchange = Exchange(link, stop)
        for address in sweep.addresses:
            if stop.is_set():
                return
            told.more(sweep.address_s(baud))
            match _tried(exchange, address, sweep.try_s):
                case "yes":
                    yield _known(exchange, baud, parity, address)
                case "damaged":
                    damaged.append(address)
    finally:
        link.close()
    if len(damaged) > NOISY:
        yield Found(baud, parity, None, (), say("noise: {count} addresses gave damaged answers", count=len(damaged)))
        return
    for address in damaged:
        yield Found(baud, parity, address, (), say("damaged answers: two devices of one address, or a bad line"))


def line(port: str, baud: int, parity: str = "N", stop_bits: int = 1) -> Bus:
    return Bus.model_validate({"port": port, "baud": baud, "parity": parity, "stop_bits": stop_bits})


def ask_all(exchange: Exchange, driver: Driver) -> list[Measurement]:
    """What a device says now. Raises DeviceError or PortError."""
    for read in driver.start:
        twice(exchange, read)
    return driver.decode(tuple(twice(exchange, read) for read in driver.reads))


def twice(exchange: Exchange, read: Read) -> bytes:
    """Asked once more where it fails: the first exchange after power-up is often spoilt."""
    try:
        return exchange.ask(read)
    except DeviceError:
        return exchange.ask(read)


def _tried(exchange: Exchange, address: int, try_s: float) -> Literal["yes", "no", "damaged"]:
    """Any frame from this address will do: a refusal proves a device as well as a value."""
    question = modbus.read(address, modbus.READ_HOLDING, 0, 1)
    wanted = Read(modbus.reply(question), question)
    for _ in range(2):
        try:
            exchange.ask(wanted, try_s)
        except BadFrame:
            continue
        except DeviceError:
            return "no"
        return "yes"
    return "damaged"


def _known(exchange: Exchange, baud: int, parity: str, address: int) -> Found:
    fitting = _fingerprint(exchange, address)
    doubt = "" if fitting else say("it answers, and no driver reads it well")
    return Found(baud, parity, address, fitting, doubt, _identity(exchange, fitting, address))


def _fingerprint(exchange: Exchange, address: int) -> tuple[str, ...]:
    """Every Modbus driver of which each value is there and in its range."""
    fitting = []
    for driver in _serial_drivers():
        if driver.at is None or not _speaks_modbus(driver):
            continue
        try:
            found = ask_all(exchange, replace(driver.at(address, {}), start=()))
        except (DeviceError, ValueError):  # does not answer so; or wants an option that nobody has given
            continue
        if all(measurement.quality in {Quality.GOOD, Quality.SUSPECT} for measurement in found):
            fitting.append(driver.name)
    return tuple(fitting)


def _talking(link: Link, baud: int, stop: threading.Event) -> tuple[str, ...]:
    """The drivers of which a whole frame comes by itself."""
    heard = bytearray()
    deadline = time.monotonic() + LISTEN_S
    while (left_s := deadline - time.monotonic()) > 0:
        if stop.is_set():
            return ()
        heard += link.read(min(left_s, SLICE_S))
    drivers = [d for d in _serial_drivers() if not d.reads[0].send and d.baud == baud]
    return tuple(d.name for d in drivers if Scanner(d.reads[0].frame).feed(bytes(heard)))


def _asked(exchange: Exchange, baud: int) -> tuple[str, ...]:
    """The drivers whose own question a device without an address answers. Nothing is set or started for it."""
    for question, drivers in _questions(baud).items():
        first = next(read for read in drivers[0].reads if read.send == question)
        try:
            exchange.ask(first, ASK_S)
        except DeviceError:
            continue
        if fitting := tuple(driver.name for driver in drivers if _reads(exchange, driver)):
            return fitting
    return ()


def _reads(exchange: Exchange, driver: Driver) -> bool:
    """Of a frame without a check only the values tell that it is one."""
    try:
        found = ask_all(exchange, replace(driver, start=()))
    except (NotReady, DeviceFault):
        return driver.checked
    except DeviceError:
        return False
    return driver.checked or all(measurement.quality is not Quality.INVALID for measurement in found)


def _questions(baud: int) -> dict[bytes, list[Driver]]:
    """The first questions of devices that are no Modbus units, and who asks so; those with a check first."""
    asked: dict[bytes, list[Driver]] = {}
    for driver in sorted(_serial_drivers(), key=lambda driver: not driver.checked):
        first = next((read.send for read in driver.reads if read.send), b"")
        if first and driver.baud == baud and not _speaks_modbus(driver):
            asked.setdefault(first, []).append(driver)
    return asked


def _service(exchange: Exchange) -> int | None:
    """The address of the one Renke device on the line."""
    try:
        return _renke.settings(exchange.ask(_renke.QUESTION))[1]
    except DeviceError:
        return None


def _identity(exchange: Exchange, drivers: Sequence[str], address: int | None) -> str | None:
    """What the device calls itself, by the first of its drivers that can ask."""
    for driver in map(library.find, drivers):
        bound = driver.at(address, {}) if driver.at is not None and address is not None else driver
        if bound.identity is None or bound.identify is None:
            continue
        try:
            return bound.identify(twice(exchange, bound.identity))
        except DeviceError:
            return None
    return None


def _speaks_modbus(driver: Driver) -> bool:
    return any(len(r.send) == 8 and r.send[1] <= 6 and crc16_modbus(r.send[:6]) == r.send[6:] for r in driver.reads)


def _serial_drivers() -> list[Driver]:
    return [driver for driver in map(library.find, library.names()) if driver.transport == "serial"]
