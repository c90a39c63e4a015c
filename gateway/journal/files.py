"""Small files that must survive a power cut: whole, old or new, and never a mixture."""

from __future__ import annotations

import os
from datetime import UTC
from pathlib import Path

from gateway.moment import Moment


def write_durably(path: Path, data: bytes, mode: int = 0o640) -> None:
    """Replace `path` by `data`: temporary file, fsync, rename, fsync of the directory. Raises OSError.

    After it returned, the new content is on the card; after a cut before that, the old or the new one is, whole.
    """
    temporary = path.with_name(path.name + ".new")
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    try:
        os.fchmod(descriptor, mode)  # whatever the umask is
        written = 0
        while written < len(data):
            written += os.write(descriptor, data[written:])
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    temporary.replace(path)
    sync_directory(path.parent)


def sync_directory(directory: Path) -> None:
    """Make renames, new names and removals in `directory` survive a power cut. Raises OSError."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def hand_over(folder: Path, like: Path) -> None:
    """What root made below `folder` belongs to whom `like` belongs: else the service, another user, could not open its
    own record. Does nothing for anybody but root, who alone may give files away. Raises OSError.
    """
    owner = like.stat()
    if os.geteuid() != 0 or owner.st_uid == 0:
        return
    for each in (folder, *folder.rglob("*")):
        os.lchown(each, owner.st_uid, owner.st_gid)


def set_aside(path: Path, when: str, why: str, companions: tuple[str, ...] = ()) -> Path:
    """Rename an unusable file to `name.STAMP.why`, never over another, with its companions. Raises OSError."""
    target = path.with_name(f"{path.name}.{when}.{why}")
    count = 1
    while target.exists():
        count += 1
        target = path.with_name(f"{path.name}.{when}-{count}.{why}")
    for suffix in companions:
        companion = path.with_name(path.name + suffix)
        if companion.exists():
            companion.rename(target.with_name(target.name + suffix))
    if path.exists():
        path.rename(target)
    sync_directory(path.parent)
    return target


def stamp(now: Moment) -> str:
    """The time in a file's name, UTC: `20260607T011203Z`."""
    return f"{now.local(UTC):%Y%m%dT%H%M%SZ}"
