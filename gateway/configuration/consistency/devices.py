"""Devices: each needs a driver that takes its options, and a way to it that no other one has."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from drivers import library
from drivers.base import Driver
from gateway.catalogue import N_
from gateway.configuration.complaints import Location, Problem, error, meant, phrase, warning
from gateway.configuration.config import Config, Device

LONGEST_GAP_S = 1.0


def bound(device: Device, folder: Path) -> Driver:
    """The device's driver, at its address and with its options. Raises LookupError or ValueError, with a sentence."""
    return library.bound(device.driver, device.address, device.options, folder)


def drivers_of(config: Config, folder: Path) -> dict[str, Driver]:
    """The drivers of all devices that have one; what is wrong with the others, `devices` says."""
    found = {}
    for name, device in config.device.items():
        try:
            found[name] = bound(device, folder)
        except (LookupError, ValueError):
            continue
    return found


def devices(config: Config, folder: Path) -> Iterator[Problem]:
    """Drivers, options, buses and ports; two devices where only one can be."""
    for name, device in config.device.items():
        at: Location = ("device", name)
        try:
            driver = bound(device, folder)
        except LookupError:
            wrong = phrase(N_("there is no driver {name}"), name=device.driver)
            yield error((*at, "driver"), wrong, meant(device.driver.replace("-", "_"), library.names()))
        except ValueError as trouble:
            remedy = phrase(N_("correct the line; `venue-gateway devices` lists what each driver takes"))
            yield error(at, phrase(N_("{trouble}"), trouble=str(trouble)), remedy)
        else:
            yield from _way(at, device, driver, config)
    for name, bus in config.bus.items():
        if bus.gap > LONGEST_GAP_S:
            yield error(
                ("bus", name, "gap"),
                phrase(N_("with {length} s of rest between requests hardly anything is read"), length=f"{bus.gap:g}"),
                phrase(N_("usual is {example}"), example='gap = "20ms"'),
            )
    drivers = drivers_of(config, folder)
    yield from _shared_ports(config, drivers)
    yield from _shared_addresses(config, drivers)


def _way(at: Location, device: Device, driver: Driver, config: Config) -> Iterator[Problem]:
    """How the device is reached, and how often."""
    if device.bus is not None and device.bus not in config.bus:
        wrong = phrase(N_("there is no [bus.{name}]"), name=device.bus)
        yield error((*at, "bus"), wrong, meant(device.bus, config.bus))
    if device.bus is not None and device.port is not None:
        yield error(
            (*at, "port"),
            phrase(N_("it has a bus and a port of its own")),
            phrase(N_("leave one of the two out")),
        )
    elif driver.transport == "serial" and device.bus is None and device.port is None:
        yield error(
            at,
            phrase(N_("nothing says where the {driver} is connected"), driver=driver.name),
            phrase(N_('add bus = "rs485" (the name of a [bus.rs485]), or port = "/dev/serial/by-id/..." of its own')),
        )
    elif driver.transport != "serial" and device.port is None:
        yield error(
            (*at, "port"),
            phrase(N_("nothing says where the {driver} is connected"), driver=driver.name),
            phrase(N_("add a line such as {example}"), example=_PORTS[driver.transport]),
        )
    elif driver.transport != "serial" and device.bus is not None:
        yield error(
            (*at, "bus"),
            phrase(N_("a {driver} is not connected to a serial bus"), driver=driver.name),
            phrase(N_("write instead a line such as {example}"), example=_PORTS[driver.transport]),
        )
    if device.every is not None and device.every < driver.every_s:
        yield warning(
            (*at, "every"),
            phrase(
                N_("a {driver} gives a new value every {length} s at best"), driver=driver.name, length=driver.every_s
            ),
            phrase(N_("leave the line out, or give a longer time")),
        )


_PORTS = {
    "i2c": 'port = "/dev/i2c-1"',
    "hid": 'port = "/dev/hidraw0"',
    "file": 'port = "/sys/bus/w1/devices/28-0316a2795b1f/w1_slave"',
    "tcp": 'port = "127.0.0.1:3493"',
}


def _shared_ports(config: Config, drivers: Mapping[str, Driver]) -> Iterator[Problem]:
    """A port belongs to one bus or one device; only on I2C and TCP do several share one."""
    taken: dict[str, str] = {}
    ports: list[tuple[Location, str, bool]] = [
        (("bus", name, "port"), bus.port, "://" in bus.port) for name, bus in config.bus.items()
    ]
    for name, device in config.device.items():
        if device.port is not None:
            shared = name in drivers and drivers[name].transport in ("i2c", "tcp")
            ports.append((("device", name, "port"), device.port, shared))
    for at, port, shared in ports:
        owner = ".".join(str(part) for part in at[:-1])
        if port in taken and not shared:
            yield error(
                at,
                phrase(N_("the port {port} is already that of {other}"), port=port, other=taken[port]),
                phrase(N_("give each its own port, or put devices that have addresses on one [bus]")),
            )
        taken.setdefault(port, owner)
        if port.startswith(("/dev/ttyUSB", "/dev/ttyACM")):
            yield warning(
                at,
                phrase(N_("{port} may be another adapter after the next start"), port=port),
                phrase(N_("use its name below /dev/serial/by-id/, which stays")),
            )


def _shared_addresses(config: Config, drivers: Mapping[str, Driver]) -> Iterator[Problem]:
    taken: dict[tuple[str, int], str] = {}
    for name, device in config.device.items():
        way = device.bus or device.port
        driver = drivers.get(name)
        if way is None or driver is None:
            continue
        alone = device.bus in config.bus and driver.transport == "serial" and not any(r.send for r in driver.reads)
        others = [other for other, d in config.device.items() if d.bus == device.bus and other != name]
        if alone and others:
            yield error(
                ("device", name, "bus"),
                phrase(
                    N_("a {driver} talks without being asked, and {other} is on its bus"),
                    driver=driver.name,
                    other=others[0],
                ),
                phrase(N_('give it a port of its own: port = "/dev/serial/by-id/..."')),
            )
        if driver.address is None:
            continue
        if (way, driver.address) in taken:
            yield error(
                ("device", name, "address"),
                phrase(
                    N_("address {address} of {way} is already that of {other}"),
                    address=driver.address,
                    way=way,
                    other=taken[way, driver.address],
                ),
                phrase(N_("give one of the two another address, on the device as well as here")),
            )
        taken.setdefault((way, driver.address), f"device.{name}")
