"""The state directory: where it is, one gateway at a time, and simulation never mixed with service."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import Literal

from gateway.catalogue import say
from gateway.errors import Refused

Mode = Literal["real", "simulated"]


def default_state() -> Path:
    """$VENUE_GATEWAY_STATE, systemd's $STATE_DIRECTORY, the system's directory, or the user's own."""
    for name in ("VENUE_GATEWAY_STATE", "STATE_DIRECTORY"):
        if os.environ.get(name):
            return Path(os.environ[name].split(":")[0])
    system = Path("/var/lib/venue-gateway")
    if system.is_dir():
        return system
    home = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(home) / "venue-gateway"


class StateDirectory:
    """Claims the directory for this process until it ends; `Refused` says who has it or what it has served for."""

    def __init__(self, path: Path, mode: Mode) -> None:
        self.path = path
        path.mkdir(mode=0o750, parents=True, exist_ok=True)
        self._lock = (path / "lock").open("a+")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            self._lock.seek(0)
            raise Refused(
                say(
                    "another gateway (process {pid}) runs with the state directory {path}; "
                    "stop it first, or give another --state",
                    pid=self._lock.read().strip() or "?",
                    path=path,
                )
            ) from error
        self._claim_mode(mode)
        self._lock.truncate(0)
        self._lock.write(str(os.getpid()))
        self._lock.flush()

    def close(self) -> None:
        """Give the directory back."""
        self._lock.close()

    def _claim_mode(self, mode: Mode) -> None:
        file = self.path / "mode"
        served = file.read_text().strip() if file.exists() else ""
        if served and served != mode:
            raise Refused(
                say(
                    "the state directory {path} has served a {served} venue and cannot be used for a {mode} one; "
                    "give another --state",
                    path=self.path,
                    served=say(served),
                    mode=say(mode),
                )
            )
        if not served:
            file.write_text(f"{mode}\n")
