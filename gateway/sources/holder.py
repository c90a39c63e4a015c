"""Who holds a serial port: so that "busy" names a program that a person can end."""

from __future__ import annotations

import os
from pathlib import Path

PROC = Path("/proc")
LOCKS = Path("/var/lock")


def holder(port: str, proc: Path = PROC, locks: Path = LOCKS) -> str | None:
    """`"minicom (process 123)"` for another process that has locked or opened `port`; None when none is seen.

    Under systemd's ProtectProc other users' processes cannot be seen: then the exclusive open still tells that there is
    one, only not which.
    """
    device = os.path.realpath(port)
    own = os.getpid()
    for pid in (_lock_file(device, locks), _locked(device, proc), _opened(device, proc)):
        if pid is not None and pid != own and (proc / str(pid)).exists():
            return _named(pid, proc)
    return None


def _named(pid: int, proc: Path) -> str:
    try:
        name = (proc / str(pid) / "comm").read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        name = "?"
    return f"{name} (process {pid})"


def _lock_file(device: str, locks: Path) -> int | None:
    """The old habit of minicom, picocom and others: /var/lock/LCK..ttyUSB0 holds a process number."""
    try:
        return int((locks / f"LCK..{Path(device).name}").read_text(encoding="ascii").split()[0])
    except (OSError, ValueError, IndexError):
        return None


def _locked(device: str, proc: Path) -> int | None:
    """By /proc/locks: `1: FLOCK  ADVISORY  WRITE 123 00:06:45 0 EOF`, 45 being the device's inode."""
    try:
        status = Path(device).stat()
        lines = (proc / "locks").read_text(encoding="ascii").splitlines()
    except (OSError, ValueError):
        return None
    wanted = f"{os.major(status.st_dev):02x}:{os.minor(status.st_dev):02x}:{status.st_ino}"
    own = os.getpid()
    for line in lines:
        fields = line.split()
        if wanted in fields and fields[1] == "FLOCK" and fields[-4].isdigit() and int(fields[-4]) != own:
            return int(fields[-4])
    return None


def _opened(device: str, proc: Path) -> int | None:
    """By the open files of every process that we may look into; not pseudo-terminals, which their maker keeps open."""
    if device.startswith("/dev/pts/"):
        return None
    own = str(os.getpid())
    for process in proc.iterdir():
        if not process.name.isdigit() or process.name == own:
            continue
        try:
            files = [str(entry.readlink()) for entry in (process / "fd").iterdir()]
        except OSError:  # another user's, or gone meanwhile
            continue
        if device in files:
            return int(process.name)
    return None
