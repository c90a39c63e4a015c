"""Devices and rules: does each device have a driver and a way to it, and each rule a point and a limit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from drivers import library
from drivers.base import Driver
from gateway import rule_sets, statistics
from gateway.catalogue import N_
from gateway.complaints import Location, Problem, error, meant, phrase, warning
from gateway.config import Config, Device, Rule

LONGEST_GAP_S = 1.0
LIMITS = ("above", "below", "stale_after", "flat_for")
_WHAT_TO_SAY = N_("say exactly one of: above, below, stale_after, flat_for")


# ---- devices ----------------------------------------------------------------------------------------------------


def bound(device: Device, folder: Path) -> Driver:
    """The device's driver, at its address and with its options. Raises LookupError or ValueError, with a sentence."""
    driver = library.find(device.driver, folder)
    if driver.at is not None:
        return driver.at(device.address, device.options)
    if device.options:
        raise ValueError(f"a {driver.name} has no option {next(iter(device.options))!r}")
    if device.address is not None and driver.transport == "serial":
        raise ValueError(f"a {driver.name} has no address: remove the line")
    return replace(driver, address=device.address or driver.address)


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


# ---- rules ------------------------------------------------------------------------------------------------------


def sets(config: Config) -> Iterator[Problem]:
    """Shipped sets of limits by name, each once."""
    for number, name in enumerate(config.rule_sets):
        at: Location = ("rule_sets", number)
        if name not in rule_sets.names():
            yield error(at, phrase(N_("there is no rule set {name}"), name=name), meant(name, rule_sets.names()))
        elif name in config.rule_sets[:number]:
            yield error(at, phrase(N_("{name} is there twice"), name=name), phrase(N_("remove one of the two")))


def rules(config: Config, drivers: Mapping[str, Driver]) -> Iterator[Problem]:
    """A point that is measured, one limit, levels in the right order, and a time at which it can be in force."""
    for name, rule in config.rule.items():
        at: Location = ("rule", name)
        for key in ("point", "minus"):
            point = getattr(rule, key)
            if point is not None:
                yield from _point((*at, key), point, config, drivers)
        yield from _limit(at, rule)
        yield from _patience(at, rule, config, drivers)
        yield from _when(at, rule, config)


def _point(at: Location, point: str, config: Config, drivers: Mapping[str, Driver]) -> Iterator[Problem]:
    device, slash, name = point.partition("/")
    if not slash or not name:
        yield error(
            at,
            phrase(N_("{point} is no point"), point=point),
            phrase(N_("a point is a device and what it measures: {example}"), example="gate-noise/laeq_1min"),
        )
    elif device not in config.device:
        wrong = phrase(N_("there is no [device.{name}]"), name=device)
        yield error(at, wrong, meant(device, config.device))
    elif device in drivers:
        measured = drivers[device].points
        wanted = statistics.parse(name)
        if name not in measured and (wanted is None or statistics.source(wanted, measured) is None):
            wrong = phrase(
                N_("{device} ({driver}) has no {name}"), device=device, driver=drivers[device].name, name=name
            )
            yield error(at, wrong, meant(name, [*measured, *_usual(measured)]))


def _usual(measured: tuple[str, ...]) -> list[str]:
    """Statistics of these points that rules mostly use."""
    names = [f"{base}_{window}" for base in (*measured, "laeq") for window in ("1min", "10min", "1h")]
    return [n for n in names if (w := statistics.parse(n)) is not None and statistics.source(w, measured) is not None]


def _limit(at: Location, rule: Rule) -> Iterator[Problem]:
    given = [key for key in LIMITS if getattr(rule, key) is not None]
    if not given:
        yield error(at, phrase(N_("it has no limit, so it would never raise an alarm")), phrase(_WHAT_TO_SAY))
    elif len(given) > 1:
        wrong = phrase(N_("it has several limits: {given}"), given=", ".join(given))
        yield error(at, wrong, phrase(N_("say one, and make a rule of its own for each other one")))
    if rule.clear_below is not None and (rule.above is None or rule.clear_below > rule.above):
        yield error(
            (*at, "clear_below"),
            phrase(N_("clear_below belongs to above and must not be higher than it")),
            phrase(N_("usual is 2 lower: {example}"), example="above = 55.0, clear_below = 53.0"),
        )
    if rule.clear_above is not None and (rule.below is None or rule.clear_above < rule.below):
        yield error(
            (*at, "clear_above"),
            phrase(N_("clear_above belongs to below and must not be lower than it")),
            phrase(N_("usual is a little higher: {example}"), example="below = 18.0, clear_above = 18.5"),
        )
    parts = [key for key in ("share", "count") if getattr(rule, key) is not None]
    if len(parts) > 1 or bool(parts) != (rule.within is not None):
        yield error(
            (*at, "within"),
            phrase(N_("within needs either share or count beside it, and they need within")),
            phrase(N_("write for example: {example}"), example='within = "10m", share = 0.5'),
        )
    if (rule.minus is not None or parts) and rule.above is None and rule.below is None:
        yield error(
            at,
            phrase(N_("minus, share and count need a limit above or below")),
            phrase(N_("write for example: {example}"), example="above = 5.0"),
        )


def _patience(at: Location, rule: Rule, config: Config, drivers: Mapping[str, Driver]) -> Iterator[Problem]:
    """A point cannot be stale before its next value is due."""
    name = rule.point.partition("/")[0]
    if rule.stale_after is None or name not in drivers:
        return
    every_s = max(config.device[name].every or 0.0, drivers[name].every_s)
    if rule.stale_after <= every_s:
        yield error(
            (*at, "stale_after"),
            phrase(
                N_("{device} is read every {length} s, so it would be stale all the time"),
                device=name,
                length=f"{every_s:g}",
            ),
            phrase(N_("give at least three times as long")),
        )


def _when(at: Location, rule: Rule, config: Config) -> Iterator[Problem]:
    if not rule.during:
        yield error(
            (*at, "during"),
            phrase(N_("the list is empty, so the rule would never be in force")),
            phrase(N_("write for example: {example}"), example='during = ["session"]'),
        )
    there = {
        "session": bool(config.session),
        "listening": any(session.listening for session in config.session),
        "quiet": bool(config.quiet),
        "custody": config.custody is not None,
    }
    for when in rule.during:
        if not there.get(when, True):
            yield warning(
                (*at, "during"),
                phrase(N_("no {when} is given, so the rule is not in force then"), when=when),
                phrase(N_("add it: {example}"), example=_TABLES[when]),
            )


_TABLES = {
    "session": "[[session]]",
    "listening": "listening = [{ start = ..., end = ... }]",
    "quiet": "[[quiet]]",
    "custody": "[custody]",
}
