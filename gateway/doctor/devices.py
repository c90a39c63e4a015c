"""Checks of serial ports and of the instruments on them.

While a gateway runs it is asked how its devices are. A line on which nobody answers is tried from here (`line_trial`):
nothing is lost by borrowing it. A line on which somebody answers is left alone.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from gateway.catalogue import N_, say
from gateway.doctor import line_trial
from gateway.doctor.patient import Check, Patient, Seen, bad, doubtful, good, usable
from gateway.sources.choice import bind, line_of
from gateway.sources.holder import holder

ANSWERS = "ok"  # what the status says of a device that does


def _ports(patient: Patient) -> Iterator[Seen]:
    for port in _local_ports(patient):
        if not Path(port).exists():
            remedy = say("plug it in, or take its name from: ls /dev/serial/by-id")
            yield bad(say("the port {port} is not there", port=port), remedy)
        else:
            yield good(say("the port {port} is there", port=port))


def _rights(patient: Patient) -> Iterator[Seen]:
    """Of whoever asks: the service's own are those of its groups."""
    for port in _local_ports(patient):
        if Path(port).exists() and not usable(Path(port)) and not patient.runs:
            remedy = say("add the user to its group: usermod -a -G dialout USER, then log in again")
            yield bad(say("no right to use the port {port}", port=port), remedy)


def _held(patient: Patient) -> Iterator[Seen]:
    if patient.runs:  # it says itself what holds its ports
        for alarm in patient.alarms:
            if alarm["kind"] == "bus":
                yield bad(say("{alarm} stands since {since}", **_named(alarm)), _why_of(alarm))
        return
    for port in _local_ports(patient):
        if Path(port).exists() and (who := holder(port)):
            yield bad(say("the port {port} is in use by {holder}", port=port, holder=who), say("end that program"))


def _named(alarm: dict[str, object]) -> dict[str, object]:
    return {"alarm": alarm["alarm"], "since": alarm["since"]}


def _why_of(alarm: dict[str, object]) -> str:
    return say("venue-gateway why {alarm}", alarm=alarm["alarm"])


def _unstable(patient: Patient) -> Iterator[Seen]:
    for port in _local_ports(patient):
        if Path(port).name.startswith(("ttyUSB", "ttyACM")):
            what = say("{port} may be another adapter after the next start", port=port)
            yield doubtful(what, say("take its lasting name from: ls -l /dev/serial/by-id"))


def _files(patient: Patient) -> Iterator[Seen]:
    """Ways to a device that are no serial line: I2C buses, the kernel's 1-Wire files."""
    for name, device in (patient.config.device if patient.config is not None else {}).items():
        port = device.port or ""
        if port.startswith("/") and not port.startswith("/dev/tty") and not Path(port).exists() and "i2c" in port:
            yield bad(say("{device}: there is no {port}", device=name, port=port), "raspi-config nonint do_i2c 0")
        elif port.startswith("/sys/bus/w1/") and not Path(port).exists():
            remedy = say("write dtoverlay=w1-gpio into /boot/firmware/config.txt and restart; look at its three wires")
            yield bad(say("{device}: there is no {port}", device=name, port=port), remedy)


def _console(patient: Patient) -> Iterator[Seen]:
    """The board's own UART, when a device uses it, must not be the console's."""
    own = [port for port in _local_ports(patient) if _real(port).name in ("ttyAMA0", "ttyS0", "ttyAMA10", "serial0")]
    command_line = patient.machine.text("/proc/cmdline") or ""
    for port in own:
        names = {Path(port).name, _real(port).name}
        if any(f"console={name}" in command_line for name in names):
            yield bad(
                say("the system's console writes to {port}, where a device is", port=port),
                say("raspi-config nonint do_serial_cons 1, then restart"),
            )


def _real(port: str) -> Path:
    return Path(os.path.realpath(port))


def _answering(patient: Patient) -> Iterator[Seen]:
    if patient.status is None or patient.simulated:
        return
    silent = {name: state for name, state in patient.status["devices"].items() if state != ANSWERS}
    for name in patient.status["devices"]:
        if name not in silent:
            yield good(say("{device} answers", device=name))
    tables = patient.config
    for name, state in silent.items():
        table = tables.device.get(name) if tables is not None else None
        if table is not None and table.bus is not None and _whole_line_is_silent(patient, table.bus, silent):
            continue  # said of the line
        remedy = say("its power, its plug, its address; then: venue-gateway read CONFIG {device}", device=name)
        yield bad(f"{name}: {state}", remedy)


def _lines(patient: Patient) -> Iterator[Seen]:
    """Lines on which nobody answers: wrong speed, no power, swapped wires, damaged answers."""
    tables = patient.config
    if tables is None or patient.simulated:
        return
    devices = (patient.status or {}).get("devices", {})
    silent = {name: state for name, state in devices.items() if state != ANSWERS}
    for name, bus in tables.bus.items():
        bound = [each for each in bind(tables) if tables.device[each.name].bus == name]
        asked = not patient.runs or _whole_line_is_silent(patient, name, silent)
        if bound and asked and ("://" in bus.port or _is_there(bus.port)):
            yield from line_trial.judged(name, line_trial.tried(bus, bound, patient.state))
    for each in bind(tables) if not patient.runs else ():
        port = tables.device[each.name].port or ""
        if each.driver.transport == "serial" and _is_there(port):
            line = line_of(each.driver, port)
            yield from line_trial.judged(each.name, line_trial.tried(line, [each], patient.state))


def _is_there(port: str) -> bool:
    try:
        return stat.S_ISCHR(Path(port).stat().st_mode) and usable(Path(port))
    except OSError:
        return False


def _whole_line_is_silent(patient: Patient, bus: str, silent: dict[str, str]) -> bool:
    tables = patient.config
    there = [name for name, device in (tables.device if tables is not None else {}).items() if device.bus == bus]
    return bool(there) and all(name in silent for name in there)


def _worn(patient: Patient) -> Iterator[Seen]:
    for alarm in patient.alarms:
        if alarm["kind"] == "wire":
            remedy = say(
                "plugs, screws, termination of 120 ohm at both ends; then: venue-gateway doctor CONFIG --bus NAME"
            )
            yield doubtful(say("{alarm} stands since {since}", **_named(alarm)), remedy)


def _local_ports(patient: Patient) -> list[str]:
    tables = patient.config
    if tables is None or patient.simulated:
        return []
    ports = {bus.port for bus in tables.bus.values()} | {d.port for d in tables.device.values() if d.port}
    if tables.modem is not None:
        ports.add(tables.modem.port)
    return sorted(port for port in ports if port.startswith("/dev/tty") or "/serial/" in port or _is_terminal(port))


def _is_terminal(port: str) -> bool:
    return port.startswith("/") and not port.startswith("/sys/") and "i2c" not in port and "hidraw" not in port


CHECKS = (
    Check("port", N_("ports"), N_("the devices on it are not read"), _ports),
    Check("port-rights", N_("ports"), N_("the devices on it are not read"), _rights),
    Check("port-held", N_("ports"), N_("two programs on one port get half of each answer"), _held),
    Check("port-name", N_("ports"), N_("values of one meter could appear under the name of another"), _unstable),
    Check("way", N_("devices"), N_("the device is not read"), _files),
    Check("console", N_("console"), N_("the console's text spoils every answer of the device"), _console),
    Check("device", N_("devices"), N_("its limits are not watched; an alarm says so"), _answering),
    Check("line", N_("lines"), N_("its limits are not watched; an alarm says so"), _lines),
    Check("line-worn", N_("lines"), N_("the cable is getting worse and will fail"), _worn),
)
