"""`venue-gateway doctor`: what is wrong, why it matters and how to mend it; safe while the gateway runs.

A check is a function of a `Patient` that yields findings. It says only what it saw.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from rich.cells import cell_len, set_cell_size

from gateway import settings
from gateway.catalogue import N_, say
from gateway.config import Config
from gateway.control import ask
from gateway.errors import Refused, Unavailable
from gateway.values import CUSTODY_KINDS
from gateway.vocabulary import word

Level = Literal["good", "warning", "bad"]
FREE_MIB = 200
THROTTLED = Path("/sys/devices/platform/soc/soc:firmware/get_throttled")
_MARK = {"good": "+", "warning": "!", "bad": "x"}
_TITLES: dict[str, str] = {
    "configuration": N_("configuration"),
    "gateway": N_("gateway"),
    "in force": N_("in force"),
    "station": N_("station"),
    "wiring": N_("wiring"),
    "contacts": N_("contacts"),
    "devices": N_("devices"),
    "brokers": N_("brokers"),
    "storage": N_("storage"),
    "clock": N_("clock"),
    "power": N_("power"),
    "ports": N_("ports"),
    "alarms": N_("alarms"),
}


@dataclass(frozen=True, slots=True)
class Finding:
    check: str
    level: Level
    what: str
    remedy: str = ""


@dataclass(slots=True)
class Patient:
    """What the checks look at; gathered once."""

    state: Path
    path: Path | None
    checked: settings.Checked | None
    config: Config | None
    status: dict[str, Any] | None
    alarms: list[dict[str, Any]] = field(default_factory=list)
    silent: str = ""  # why the gateway did not answer


Check = Callable[[Patient], Iterator[Finding]]


def doctor_main(args: argparse.Namespace) -> int:
    """Prints every finding; 0 when none is bad, 1 otherwise."""
    if args.bus:
        from gateway.bus_check import bus_main  # noqa: PLC0415  it opens ports, which no other check does

        return bus_main(args)
    findings = examine(gather(args.state, args.config))
    if args.json:
        print(json.dumps([asdict(finding) for finding in findings], ensure_ascii=False))
    else:
        titles = {finding.check: say(_TITLES[finding.check]) for finding in findings}
        width = max(map(cell_len, titles.values()))
        for finding in findings:
            print(f" {_MARK[finding.level]} {set_cell_size(titles[finding.check], width)} {finding.what}")
            if finding.remedy:
                print(f"   {' ' * width} -> {finding.remedy}")
        bad = sum(finding.level == "bad" for finding in findings)
        print(say("{bad} of {all} checks are red", bad=bad, all=len(findings)))
    return 1 if any(finding.level == "bad" for finding in findings) else 0


def gather(state: Path, path: Path | None) -> Patient:
    checked = settings.check(path) if path is not None else None
    config = None if checked is None else checked.config or checked.usable
    patient = Patient(state, path, checked, config, None)
    try:
        patient.status = ask(state, {"verb": "status"}).get("status")
        patient.alarms = ask(state, {"verb": "alarms"}).get("alarms", [])
    except (Unavailable, Refused) as error:
        patient.silent = str(error)
    return patient


def examine(patient: Patient) -> list[Finding]:
    return [finding for check in CHECKS for finding in check(patient)]


def _file(patient: Patient) -> Iterator[Finding]:
    if patient.checked is None:
        remedy = say("name it: venue-gateway doctor CONFIG")
        yield Finding("configuration", "warning", say("no configuration file was given"), remedy)
    elif patient.checked.good:
        yield Finding("configuration", "good", say("{file} is good", file=patient.path))
    for problem in patient.checked.problems if patient.checked is not None else ():
        level: Level = "bad" if problem.severity == "error" else "warning"
        yield Finding("configuration", level, str(problem))


def _running(patient: Patient) -> Iterator[Finding]:
    if patient.status is None:
        remedy = say("start it: systemctl start venue-gateway, or venue-gateway run CONFIG")
        yield Finding("gateway", "bad", patient.silent, remedy)
    else:
        text = say("runs, venue {venue}, run {run}", venue=patient.status["venue"], run=patient.status["run"])
        yield Finding("gateway", "good", text)


def _in_force(patient: Patient) -> Iterator[Finding]:
    if patient.status is None or patient.checked is None or not patient.checked.good:
        return
    if patient.status["configuration"] == patient.checked.sha256:
        yield Finding("in force", "good", say("the gateway runs on this file"))
    else:
        what = say("the gateway runs on another configuration than this file")
        yield Finding("in force", "bad", what, say("reload it: systemctl reload venue-gateway (SIGHUP)"))


def _station(patient: Patient) -> Iterator[Finding]:
    if patient.config is None or not any(c.kind in CUSTODY_KINDS for c in patient.config.contact.values()):
        return
    if any("custody" in station.streams for station in patient.config.station):
        yield Finding("station", "good", say("a station receives the stream custody"))
    else:
        what = say(
            "no station receives the stream custody: a press is never confirmed, the lamp stays at not delivered"
        )
        yield Finding("station", "bad", what, say("make one on the far side: venue-gateway station add"))


def _wiring(patient: Patient) -> Iterator[Finding]:
    for name, contact in (patient.config.contact if patient.config is not None else {}).items():
        if contact.kind in CUSTODY_KINDS and contact.pin_other is None:
            what = say("{contact}: with one pin a cut cannot be told from a press", contact=name)
            yield Finding("wiring", "warning", what, say("wire the changeover's second contact and set pin_other"))


def _contacts(patient: Patient) -> Iterator[Finding]:
    for name, state in (patient.status or {}).get("contacts", {}).items():
        if state == "safe":
            yield Finding("contacts", "good", say("{contact} is safe", contact=name))
        else:
            what = say("{contact} is {state}", contact=name, state=word(state))
            yield Finding("contacts", "bad", what, say("look at the contact, its wire and its pin"))


def _devices(patient: Patient) -> Iterator[Finding]:
    for name, state in (patient.status or {}).get("devices", {}).items():
        if state == "ok":
            yield Finding("devices", "good", say("{device} answers", device=name))
        else:
            remedy = say("check its power, the wires A and B, its address and speed; then: venue-gateway devices")
            yield Finding("devices", "bad", f"{name}: {state}", remedy)


def _brokers(patient: Patient) -> Iterator[Finding]:
    brokers = (patient.status or {}).get("brokers", {})
    if patient.config is not None and patient.config.mqtt is None:
        yield Finding("brokers", "bad", say("no broker is configured: nobody outside hears of anything"), "[mqtt]")
    for name, state in brokers.items():
        good = state["state"] == "connected"
        shown = say("{state}: {detail}", state=word(state["state"]), detail=state["detail"] or "-")
        what = f"{name}: {shown}"
        yield Finding("brokers", "good" if good else "bad", what)


def _storage(patient: Patient) -> Iterator[Finding]:
    for name, state in (patient.status or {}).get("storage", {}).items():
        if state != "ok":
            remedy = say("the card is full, read-only or failing: replace it; alarms go out all the same")
            yield Finding("storage", "bad", f"{name}: {state}", remedy)
    if patient.state.is_dir():
        free = shutil.disk_usage(patient.state).free >> 20
        level: Level = "good" if free >= FREE_MIB else "bad"
        yield Finding("storage", level, say("{free} MiB free at {path}", free=free, path=patient.state))
        if patient.state.stat().st_mode & 0o007:
            what = say("everybody can read the state directory {path}", path=patient.state)
            yield Finding("storage", "bad", what, f"chmod o-rwx {patient.state}")


def _clock(patient: Patient) -> Iterator[Finding]:
    if patient.status is None:
        return
    if patient.status["clock"] == "synchronised":
        yield Finding("clock", "good", say("the clock is set by a time source"))
    else:
        what = say("the clock is not set by a time source: every record is marked so")
        yield Finding("clock", "warning", what, say("connect to a time server, or fit a battery clock"))


def _power(_patient: Patient) -> Iterator[Finding]:
    """Bits of the Pi's firmware: 0 under-voltage now, 2 throttled now, 16 and 18 the same since the start."""
    try:
        bits = int(THROTTLED.read_text().strip(), 16)
    except (OSError, ValueError):
        return
    if bits & 0b101:
        yield Finding("power", "bad", say("the supply voltage is too low now"), say("replace the power supply"))
    elif bits >> 16 & 0b101:
        what = say("the supply voltage was too low since the start")
        yield Finding("power", "warning", what, say("replace the power supply"))
    else:
        yield Finding("power", "good", say("the supply voltage is good"))


def _ports(patient: Patient) -> Iterator[Finding]:
    tables = patient.config
    if tables is None or (patient.status or {}).get("simulated"):
        return
    ports = {bus.port for bus in tables.bus.values()} | {d.port for d in tables.device.values() if d.port}
    for port in sorted(port for port in ports if port.startswith("/")):
        if not Path(port).exists():
            remedy = say("plug it in, or take its name from: ls /dev/serial/by-id")
            yield Finding("ports", "bad", say("the port {port} is not there", port=port), remedy)
        elif not os.access(port, os.R_OK | os.W_OK) and patient.status is None:
            remedy = say("add the user to its group: usermod -a -G dialout USER")
            yield Finding("ports", "bad", say("no right to use the port {port}", port=port), remedy)


def _standing(patient: Patient) -> Iterator[Finding]:
    for alarm in patient.alarms:
        what = say("{alarm} stands since {since}", alarm=alarm["alarm"], since=alarm["since"])
        yield Finding("alarms", "warning", what, say("venue-gateway why {alarm}", alarm=alarm["alarm"]))


CHECKS: tuple[Check, ...] = (
    _file,
    _running,
    _in_force,
    _station,
    _wiring,
    _contacts,
    _ports,
    _devices,
    _brokers,
    _storage,
    _clock,
    _power,
    _standing,
)
