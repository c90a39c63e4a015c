"""What the checks look at, gathered once, and the form of what they say."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Literal
from zoneinfo import ZoneInfo

from gateway.configuration import settings
from gateway.configuration.config import Config
from gateway.errors import Refused, Unavailable
from gateway.moment import Moment, SystemClock
from gateway.persons.control import ask

Level = Literal["good", "warning", "bad"]
COMMAND_S = 5.0  # for a program of the system to answer


@dataclass(frozen=True, slots=True)
class Seen:
    """One thing that a check saw; `remedy` says how to mend it."""

    level: Level
    what: str
    remedy: str = ""


def good(what: str) -> Seen:
    return Seen("good", what)


def doubtful(what: str, remedy: str) -> Seen:
    return Seen("warning", what, remedy)


def bad(what: str, remedy: str) -> Seen:
    return Seen("bad", what, remedy)


@dataclass(frozen=True, slots=True)
class Finding:
    """What is printed. `check` is its code: the place in docs/errors.md."""

    check: str
    title: str
    level: Level
    what: str
    why: str = ""
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class Machine:
    """The computer that is examined: its files below `root`, and its programs."""

    root: Path = Path("/")

    def path(self, name: str) -> Path:
        return self.root / name.lstrip("/")

    def text(self, name: str) -> str | None:
        """A small file of the system; None when there is none, or it may not be read."""
        try:
            return self.path(name).read_text(encoding="utf-8", errors="replace").rstrip("\0\n")
        except OSError:
            return None

    def output(self, *command: str) -> str | None:
        """What a program of the system prints; None when there is no such program, or it does not answer."""
        try:
            done = subprocess.run(command, capture_output=True, timeout=COMMAND_S, check=False, text=True)
        except (OSError, subprocess.TimeoutExpired):
            return None
        return done.stdout.strip()

    @property
    def is_pi(self) -> bool:
        return "Raspberry Pi" in (self.text("/proc/device-tree/model") or "")

    @property
    def has_systemd(self) -> bool:
        return self.path("/run/systemd/system").is_dir()


@dataclass(slots=True)
class Patient:
    """The venue as it is now. `config` is what is right of the file, if anything is."""

    state: Path
    path: Path | None
    checked: settings.Checked | None
    config: Config | None
    now: Moment
    status: dict[str, Any] | None = None
    alarms: list[dict[str, Any]] = field(default_factory=list)
    silent: str = ""  # why the gateway did not answer
    forbidden: bool = False  # one runs, and this user may not ask it
    machine: Machine = Machine()

    @property
    def runs(self) -> bool:
        return self.status is not None or self.forbidden

    @property
    def simulated(self) -> bool:
        return bool((self.status or {}).get("simulated"))

    def local_time(self) -> datetime:
        """By the venue's clock, as the configuration's times are."""
        zone = self.config.venue.timezone if self.config is not None else "Asia/Shanghai"
        return self.now.local(ZoneInfo(zone)).replace(tzinfo=None)


Examine = Callable[[Patient], Iterator[Seen]]


@dataclass(frozen=True, slots=True)
class Check:
    """`name` is its code. `why` says what follows when it is not good."""

    name: str
    title: str
    why: str
    examine: Examine


Family = Sequence[Check]


def gather(state: Path, path: Path | None, machine: Machine | None = None) -> Patient:
    """Reads the file and asks the gateway, once for all checks."""
    checked = settings.check(path) if path is not None else None
    config = None if checked is None else checked.config or checked.usable
    patient = Patient(state, path, checked, config, SystemClock().now(), machine=machine or Machine())
    try:
        patient.status = ask(state, {"verb": "status"}).get("status")
        patient.alarms = ask(state, {"verb": "alarms"}).get("alarms", [])
    except (Unavailable, Refused) as error:
        patient.silent, patient.forbidden = str(error), isinstance(error, Refused)
    return patient


def others_can_read(path: Path) -> bool:
    """Whether everybody may. Raises OSError."""
    return bool(path.stat().st_mode & 0o007)


def usable(path: Path) -> bool:
    return os.access(path, os.R_OK | os.W_OK)
