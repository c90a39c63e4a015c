"""Which source serves which device: a bus for those that share one, and what its transport asks for any other."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from functools import partial
from typing import Protocol

from drivers import library
from drivers.base import Driver
from gateway.configuration import config
from gateway.errors import ConfigError
from gateway.moment import Clock
from gateway.sources.loans import Lender
from gateway.sources.polled import PolledDevice
from gateway.sources.serial_bus import SerialBus
from gateway.sources.transports import HidRaw, I2c, TcpLines, TextFile, Transport
from gateway.sources.unit import BoundDevice


class Source(Lender, Protocol):
    name: str

    def run(self, stop: threading.Event) -> None: ...


def source_for(bound: BoundDevice, port: str, tell: Callable[[object], None], clock: Clock) -> Source:
    """The source of a device that has `port` to itself; the line's speed and parity are its driver's."""
    if bound.driver.transport == "serial":
        return SerialBus(bound.name, line_of(bound.driver, port), [bound], tell, clock)
    return PolledDevice(bound, way_to(bound.driver, port), tell, clock, port)


def line_of(driver: Driver, port: str) -> config.Bus:
    """The serial line of a device that has `port` to itself."""
    return config.Bus.model_construct(
        port=port, baud=driver.baud, parity=driver.parity, stop_bits=driver.stop_bits, gap=0.02
    )


def way_to(driver: Driver, port: str) -> Callable[[], Transport]:
    """What opens the way to a device that has no serial line."""
    ways: dict[str, Callable[[], Transport]] = {
        "file": partial(TextFile, port),
        "hid": partial(HidRaw, port),
        "tcp": partial(TcpLines, port),
    }
    if driver.transport in ways:
        return ways[driver.transport]
    if driver.address is None:
        raise ConfigError(f"{driver.name}: an I2C device needs an address")
    return partial(I2c, port, driver.address)


def bind(tables: config.Config) -> list[BoundDevice]:
    """Every device of the configuration with its driver at its address. ConfigError for the first that cannot be."""
    return [bound_device(name, table) for name, table in tables.device.items()]


def build_sources(
    tables: config.Config, devices: Sequence[BoundDevice], tell: Callable[[object], None], clock: Clock
) -> list[Source]:
    """One source for each bus that has devices, and one for each device with a port of its own."""
    bound = {device.name: device for device in devices}
    made: list[Source] = []
    for name, bus in tables.bus.items():
        here = [bound[device] for device, table in tables.device.items() if table.bus == name and device in bound]
        if here:
            made.append(SerialBus(name, bus, here, tell, clock))
    for name, table in tables.device.items():
        if table.bus is None and table.port is not None and name in bound:
            made.append(source_for(bound[name], table.port, tell, clock))
    return made


def bound_device(name: str, table: config.Device) -> BoundDevice:
    """A device with its driver at its address, due as often as it can be asked at most. Raises ConfigError."""
    try:
        driver = library.bound(table.driver, table.address, table.options)
    except (LookupError, ValueError) as error:
        raise ConfigError(f"device {name}: {error}") from error
    return BoundDevice(name, driver, max(table.every or 0.0, driver.every_s), table.identity)
