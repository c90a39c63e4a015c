"""Checks of the program as a service: whether it runs, starts by itself, and may use what it needs."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import timedelta

from gateway.catalogue import N_, say
from gateway.doctor.patient import Check, Patient, Seen, bad, doubtful, good

UNIT = "venue-gateway.service"
RESTARTS = 5  # since the unit was started by hand or at boot: more is a pattern
_USER = "venue-gateway"  # whom the shipped unit runs as


def _running(patient: Patient) -> Iterator[Seen]:
    if patient.forbidden:
        yield doubtful(patient.silent, say("begin the command with sudo, or let yourself be added to the group"))
    elif patient.status is None:
        remedy = say("start it: systemctl start venue-gateway, or venue-gateway run CONFIG")
        yield bad(patient.silent, remedy)
    else:
        yield good(say("runs, venue {venue}, run {run}", venue=patient.status["venue"], run=patient.status["run"]))


def _unit(patient: Patient) -> Iterator[Seen]:
    if not patient.machine.has_systemd:
        return
    state = patient.machine.output("systemctl", "is-enabled", UNIT)
    if state in ("enabled", "enabled-runtime"):
        yield good(say("it starts by itself after a power cut"))
    elif state:
        yield bad(
            say("it does not start by itself: the unit is {state}", state=state), f"systemctl enable --now {UNIT}"
        )
    else:
        yield doubtful(say("no unit {unit} is installed", unit=UNIT), say("install it: sudo ./install.sh"))


def _restarts(patient: Patient) -> Iterator[Seen]:
    if not patient.machine.has_systemd:
        return
    count = patient.machine.output("systemctl", "show", "-P", "NRestarts", UNIT) or ""
    if not count.isdecimal():
        return
    if int(count) > RESTARTS:
        what = say("the program was started again {count} times", count=count)
        yield bad(what, say("read why: journalctl -u venue-gateway -p err -n 50; send a bundle to support"))
    else:
        yield good(say("the program runs without restarts"))


def _groups(patient: Patient) -> Iterator[Seen]:
    """The user of the service; where there is none, whoever asks. By the machine's own files."""
    if patient.config is None or patient.simulated:
        return
    wanted = {"gpio"} if patient.config.contact else set()
    if patient.config.bus or any(device.port for device in patient.config.device.values()):
        wanted.add("dialout")
    users = _table(patient, "/etc/passwd")
    user = next((row for row in users if row[0] == _USER), None)
    user = user or next((row for row in users if row[2] == str(os.getuid()) != "0"), None)
    if user is None:
        return
    groups = _table(patient, "/etc/group")
    known = {row[0] for row in groups}
    mine = {row[0] for row in groups if row[2] == user[3] or user[0] in row[3].split(",")}
    # The unit's SupplementaryGroups= gives them to the service without the user being in them.
    unit = patient.machine.output("systemctl", "show", "-P", "SupplementaryGroups", UNIT) or ""
    missing = sorted(wanted & known - mine - set(unit.split()))
    for group in missing:
        what = say("the user {user} is not in the group {group}", user=user[0], group=group)
        yield bad(what, f"usermod -a -G {group} {user[0]}")
    if wanted & known and not missing:
        yield good(say("the user {user} may use pins and ports", user=user[0]))


def _table(patient: Patient, file: str) -> list[list[str]]:
    """Rows of four fields or more, of a file such as /etc/group."""
    rows = [line.split(":") for line in (patient.machine.text(file) or "").splitlines()]
    return [row for row in rows if len(row) >= 4]


def _watchdog(patient: Patient) -> Iterator[Seen]:
    if not patient.machine.is_pi:
        return
    if patient.machine.path("/dev/watchdog0").exists() and _feeds(patient):
        yield good(say("the board's watchdog restarts a hung board"))
    else:
        remedy = say("write RuntimeWatchdogSec=15 into /etc/systemd/system.conf.d/venue-gateway.conf and restart")
        yield doubtful(say("the board's watchdog is off"), remedy)


def _feeds(patient: Patient) -> bool:
    set_to = patient.machine.output("systemctl", "show", "-P", "RuntimeWatchdogUSec")
    return set_to not in (None, "", "0", "infinity")


def _upgrade(patient: Patient) -> Iterator[Seen]:
    """A unit file changed on disk and not read again runs as it was."""
    if (
        patient.machine.has_systemd
        and patient.machine.output("systemctl", "show", "-P", "NeedDaemonReload", UNIT) == "yes"
    ):
        yield doubtful(say("the unit's file was changed and not read again"), "systemctl daemon-reload")


def _long(patient: Patient) -> Iterator[Seen]:
    """A machine that has run for months has never proven that it starts."""
    uptime = (patient.machine.text("/proc/uptime") or "").split()
    if patient.machine.is_pi and uptime and float(uptime[0]) > timedelta(days=180).total_seconds():
        remedy = say("restart it well before the exam, and look at doctor again")
        yield doubtful(
            say("the board has not been restarted for {days} days", days=int(float(uptime[0]) / 86400)), remedy
        )


CHECKS = (
    Check("gateway", N_("gateway"), N_("nothing is watched and no alarm goes out"), _running),
    Check("unit", N_("start by itself"), N_("after a power cut the venue would be unguarded"), _unit),
    Check("restarts", N_("restarts"), N_("each restart costs a second of watching, and has a cause"), _restarts),
    Check("unit-changed", N_("unit"), N_("the service runs with its old settings"), _upgrade),
    Check("groups", N_("rights"), N_("pins or ports cannot be opened by the service"), _groups),
    Check("watchdog", N_("watchdog"), N_("a hung board stays hung until somebody pulls the plug"), _watchdog),
    Check("uptime", N_("last restart"), N_("a fault that prevents starting is only found when it starts"), _long),
)
