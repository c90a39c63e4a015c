"""`venue-gateway devices [NAME]`: every instrument there is a driver for, and what an installer must know of one."""

from __future__ import annotations

import argparse
import json
from typing import Any

from drivers import library
from drivers.base import Driver
from gateway.board import unit_of
from gateway.catalogue import N_, say
from gateway.errors import Refused


def devices_main(args: argparse.Namespace) -> int:
    if args.name:
        return _one(args.name, as_json=args.json)
    drivers = [library.find(name) for name in library.names()]
    if args.json:
        print(json.dumps([_plain(driver) for driver in drivers], ensure_ascii=False))
        return 0
    from rich import box, console, table  # noqa: PLC0415  drawing is not needed by `--json`

    rows = table.Table(box=box.SIMPLE_HEAD)
    for title in (say("driver"), say("device"), say("line"), say("points")):
        rows.add_column(title, overflow="fold")
    for driver in drivers:
        rows.add_row(driver.name, driver.title, _line(driver), ", ".join(driver.points))
    console.Console().print(rows)
    return 0


def _one(name: str, *, as_json: bool) -> int:
    try:
        driver = library.find(name)
    except LookupError as error:
        raise Refused(str(error)) from error
    if as_json:
        print(json.dumps(_plain(driver), ensure_ascii=False))
        return 0
    print(f"{driver.name}: {driver.title}\n")
    print(say("line: {line}", line=_line(driver)))
    print(say("wiring: {wiring}", wiring=_wiring(driver)))
    print(say("points:"))
    for point in driver.points:
        low, high = driver.ranges.get(point, (None, None))
        limits = "" if low is None else f"  {low:g} ... {high:g}"
        print(f"  {point} [{unit_of(point)}]{limits}")
    print(say("asked at most every {seconds:g} s", seconds=driver.every_s))
    if driver.identity is not None:
        print(say("it can say who it is: another one in its place is refused"))
    if driver.warm_up_s:
        print(say("values count {seconds:g} s after it comes up", seconds=driver.warm_up_s))
    if not driver.checked:
        print(say("its frames carry no check: a value is suspect until a second agrees"))
    if not driver.evidence and any(unit_of(point).startswith("dB") for point in driver.points):
        print(say("no certified sound level meter: its levels are indicative, never evidence"))
    if settable := _settable(driver):
        print(say("`venue-gateway provision` can set: {what}", what=", ".join(map(say, settable))))
    for note in driver.notes:
        print(f"  ! {note}")
    print("\n" + say("in the configuration:") + "\n\n" + stanza(driver))
    return 0


def stanza(driver: Driver) -> str:
    """What to write into the configuration for one such device."""
    lines = []
    shared = driver.transport == "serial" and driver.address is not None
    if shared:
        lines += ["[bus.rs485]", 'port = "/dev/serial/by-id/..."', f"baud = {driver.baud}", ""]
    lines += [f"[device.{driver.name.replace('_', '-')}-1]", f'driver = "{driver.name}"']
    lines.append('bus = "rs485"' if shared else f'port = "{_port(driver)}"')
    if driver.address is not None:
        lines.append(f"address = {driver.address}")
    return "\n".join([*lines, f'every = "{driver.every_s:g}s"', 'place = "..."'])


def _port(driver: Driver) -> str:
    return {
        "serial": "/dev/serial/by-id/...",
        "i2c": "/dev/i2c-1",
        "hid": "/dev/hidraw0",
        "file": "/sys/bus/w1/devices/28-.../w1_slave",
        "tcp": "127.0.0.1:3493",
    }[driver.transport]


def _settable(driver: Driver) -> list[str]:
    way = driver.provision
    return [] if way is None else [kind for kind in (N_("address"), N_("baud")) if getattr(way, kind) is not None]


def _wiring(driver: Driver) -> str:
    if driver.transport == "serial" and driver.address is None:
        return say("a port of its own: USB, or TXD to RXD, RXD to TXD and ground; mind the level (3.3 V, RS-232)")
    return {
        "serial": say("A to A, B to B, ground; 120 ohm at both ends of the line only; some makers swap the letters"),
        "i2c": say("SDA, SCL, ground and 3.3 V of the Pi; wires of centimetres, not of metres"),
        "hid": say("USB"),
        "file": say("1-Wire: data with 4.7 kOhm to 3.3 V; the Pi's overlay w1-gpio"),
        "tcp": say("none: it is reached over the network"),
    }[driver.transport]


def _line(driver: Driver) -> str:
    address = "" if driver.address is None else say(", address {address}", address=driver.address)
    line = f"{driver.baud} 8{driver.parity}{driver.stop_bits}" if driver.transport == "serial" else driver.transport
    return line + address


def _plain(driver: Driver) -> dict[str, Any]:
    return {
        "name": driver.name,
        "title": driver.title,
        "transport": driver.transport,
        "baud": driver.baud,
        "address": driver.address,
        "points": [{"point": point, "unit": unit_of(point)} for point in driver.points],
        "ranges": {point: list(span) for point, span in driver.ranges.items()},
        "identity": driver.identity is not None,
        "provision": _settable(driver),
        "warm_up_s": driver.warm_up_s,
        "checked": driver.checked,
        "evidence": driver.evidence,
        "notes": list(driver.notes),
    }
