"""The state directory: where it is, one gateway at a time, and simulation never mixed with service."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
from pathlib import Path
from typing import Literal

from gateway.catalogue import N_, say
from gateway.errors import Refused

Mode = Literal["real", "simulated"]
LONGEST_PATH = 90  # the kernel takes 107 bytes for a socket's path
SERVICES, RUN = Path("/var/lib"), Path("/run")


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


def socket_path(state: Path, name: str) -> Path:
    """Where the gateway of this state directory listens: in the folder that the installation made for the socket's
    group (`systemd/tmpfiles.d`), else in the state directory, where only its owner can reach it.
    """
    folder = RUN / state.name / name
    return folder / "socket" if state.parent == SERVICES and folder.is_dir() else state / f"{name}.sock"


def spare_socket_path(state: Path, name: str) -> Path | None:
    """Where it listens when the state directory takes no socket: in memory, for this user alone; None: nowhere."""
    given = os.environ.get("XDG_RUNTIME_DIR")
    folder = Path(given) if given else RUN / "user" / str(os.getuid())
    if not given and os.getuid() == 0 and not _may_use(folder):
        folder = RUN
    which = hashlib.sha256(os.fsencode(state.resolve())).hexdigest()[:12]
    return folder / f"venue-gateway-{which}" / f"{name}.sock" if _may_use(folder) else None


def _may_use(folder: Path) -> bool:
    """Never raises: a service with `ProtectHome` may not even look into /run/user."""
    return os.access(folder, os.W_OK | os.X_OK)


def may_look_into(state: Path) -> None:
    """Raises Refused where there is a state directory and it is another user's: else it would seem to be empty."""
    if os.access(state, os.F_OK) and not os.access(state, os.R_OK | os.X_OK):
        raise Refused(say("you may not look into {folder}: begin the command with sudo", folder=state))


class StateDirectory:
    """Claims the directory for this process until it ends; `Refused` says who has it or what it has served for.

    A card that cannot be written does not stop the claim: the button must work on a sick card too.
    """

    def __init__(self, path: Path, mode: Mode) -> None:
        self.path = path
        if len(os.fsencode(path)) > LONGEST_PATH:
            text = N_("the name of the state directory {path} is too long for the sockets in it; at most {most} bytes")
            raise Refused(say(text, path=path, most=LONGEST_PATH))
        path.mkdir(mode=0o750, parents=True, exist_ok=True)
        self._lock = _open(path / "lock")
        if self._lock is not None:
            self._take(self._lock)
        self._claim_mode(mode)
        if self._lock is not None:
            with contextlib.suppress(OSError):
                os.ftruncate(self._lock, 0)
                os.pwrite(self._lock, str(os.getpid()).encode(), 0)

    def close(self) -> None:
        """Give the directory back."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _take(self, lock: int) -> None:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.pread(lock, 20, 0).decode(errors="replace").strip()
            self.close()
            raise Refused(
                say(
                    "another gateway (process {pid}) runs with the state directory {path}; "
                    "stop it first, or give another --state",
                    pid=holder or "?",
                    path=self.path,
                )
            ) from error

    def _claim_mode(self, mode: Mode) -> None:
        file = self.path / "mode"
        served = ""
        try:
            served = file.read_text().strip()
        except FileNotFoundError:
            pass
        except OSError as error:  # a sick card, or another's file: the button is watched all the same
            if mode != "real":
                raise Refused(say("{file} cannot be used: {why}", file=file, why=error.strerror)) from error
            return
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
            with contextlib.suppress(OSError):
                file.write_text(f"{mode}\n")


def _open(lock: Path) -> int | None:
    """The lock file, for writing if the card lets us, else for reading: that can be locked too."""
    for flags in (os.O_RDWR | os.O_CREAT, os.O_RDONLY):
        with contextlib.suppress(OSError):
            return os.open(lock, flags | os.O_CLOEXEC, 0o640)
    return None
