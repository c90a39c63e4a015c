"""An archive for support: what the doctor found, the configuration, the status, the log, the machine; no secret.

Everything goes through one veil: what the secret files hold, hashes of PINs, telephone numbers, people's names. Events
and readings of the venue are not in it.
"""

from __future__ import annotations

import importlib.metadata
import io
import json
import os
import platform
import re
import tarfile
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from gateway import __version__
from gateway.catalogue import say
from gateway.doctor.patient import Finding, Patient
from gateway.doctor.service import UNIT
from gateway.doctor.storage import secret_files
from gateway.errors import Refused, Unavailable
from gateway.persons.control import ask

LOG_LINES = 2000
_HIDDEN = "[hidden]"
_PATTERNS = (
    re.compile(r"scrypt:[A-Za-z0-9+/=:]+"),  # of a PIN
    re.compile(r"(?<![\w.])\+?86[ -]?1[0-9]{10}\b|(?<![\w.])1[3-9][0-9]{9}\b"),  # mobile numbers
    re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?-----END [A-Z ]*PRIVATE KEY-----", re.DOTALL),
    re.compile(r"(?i)(?<=://)[^/@\s\"']+:[^/@\s\"']+(?=@)"),  # user and password within a URL
    re.compile(r"(?im)(?<=password=)\S+|(?<=token=)\S+|(?<=token )\S{16,}"),
)
_WORDS = 4  # characters: what is shorter would hide half of the text


def write_bundle(file: Path, patient: Patient, findings: Sequence[Finding]) -> None:
    """Writes the archive, readable by its owner alone. Raises Refused when it cannot be written."""
    veil = Veil(secrets_of(patient))
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as raw, tarfile.open(fileobj=raw, mode="w:gz") as archive:
            for name, text in contents(patient, findings):
                data = veil.over(text).encode()
                info = tarfile.TarInfo(f"venue-gateway-support/{name}")
                info.size, info.mtime, info.mode = len(data), patient.now.wall_ns // 10**9, 0o600
                archive.addfile(info, io.BytesIO(data))
    except OSError as error:
        raise Refused(say("{file} cannot be written: {why}", file=file, why=error.strerror)) from error


class Veil:
    """Takes secrets out of a text: those that are known by their own words, and those that are known by their form."""

    def __init__(self, known: Iterable[str]) -> None:
        self._known = sorted({word for word in known if len(word) >= _WORDS}, key=len, reverse=True)

    def over(self, text: str) -> str:
        for word in self._known:
            text = text.replace(word, _HIDDEN).replace(json.dumps(word)[1:-1], _HIDDEN)
        for pattern in _PATTERNS:
            text = pattern.sub(_HIDDEN, text)
        return text


def secrets_of(patient: Patient) -> list[str]:
    """What the secret files hold, whole and line by line; and what stands for people: hashes, numbers, users."""
    found: list[str] = []
    for file in secret_files(patient):
        try:
            text = file.read_text(encoding="utf-8", errors="replace").strip()
        except OSError:
            continue
        found += [text, *(line.strip() for line in text.splitlines() if not line.startswith("-----"))]
        found.append(text.removeprefix("ed25519:"))
    tables = patient.config
    if tables is not None:
        found += [person.pin for person in tables.person if person.pin]
        found += list(tables.modem.numbers) if tables.modem is not None else []
        first = tables.mqtt
        found += [b.user for b in (first, first.second if first is not None else None) if b is not None and b.user]
    return found


def contents(patient: Patient, findings: Sequence[Finding]) -> Iterable[tuple[str, str]]:
    yield "findings.json", _json([asdict(finding) for finding in findings])
    yield "status.json", _json(patient.status)
    yield "alarms.json", _json(patient.alarms)
    for verb in ("points", "limits"):
        yield f"{verb}.json", _json(_asked(patient, verb))
    yield "configuration.toml", _configuration(patient)
    yield "machine.txt", "\n".join(_machine(patient))
    log = patient.machine.output("journalctl", "-u", UNIT, "-n", str(LOG_LINES), "--no-pager", "-o", "short-iso")
    yield "log.txt", log or say("no log could be read here")


def _configuration(patient: Patient) -> str:
    """As it is written, comments and all, without people's names; what cannot be read as UTF-8 is left out."""
    if patient.path is None:
        return say("no configuration file was given")
    try:
        text = patient.path.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        return str(error)
    names = [person.name for person in patient.config.person] if patient.config is not None else []
    for name in names:
        text = text.replace(name, _HIDDEN)
    return re.sub(r"(?m)^(\s*(?:pin|password|token|secret|passwd)\s*=\s*)([\"'].*)$", rf'\1"{_HIDDEN}"', text)


def _asked(patient: Patient, verb: str) -> Any:
    if not patient.runs:
        return None
    try:
        return ask(patient.state, {"verb": verb}).get(verb)
    except (Refused, Unavailable) as error:
        return str(error)


def _machine(patient: Patient) -> Iterable[str]:
    machine = patient.machine
    yield f"venue-gateway {__version__}, Python {platform.python_version()}, {platform.platform()}"
    for name in ("/proc/device-tree/model", "/etc/os-release", "/proc/uptime", "/proc/loadavg", "/proc/cmdline"):
        yield f"--- {name}\n{machine.text(name) or '-'}"
    yield f"--- /proc/meminfo\n{chr(10).join((machine.text('/proc/meminfo') or '-').splitlines()[:5])}"
    folder = machine.path("/dev/serial/by-id")
    ports = sorted(f"{link.name} -> {link.resolve()}" for link in folder.iterdir()) if folder.is_dir() else []
    yield f"--- {folder}\n{chr(10).join(ports) or '-'}"
    for command in (("df", "-h"), ("ip", "-brief", "address"), ("timedatectl",), ("systemctl", "status", UNIT)):
        yield f"--- {' '.join(command)}\n{machine.output(*command) or '-'}"
    packages = sorted(f"{each.name} {each.version}" for each in importlib.metadata.distributions())
    yield "--- packages\n" + "\n".join(packages)


def _json(what: object) -> str:
    return json.dumps(what, ensure_ascii=False, indent=1, default=str)
