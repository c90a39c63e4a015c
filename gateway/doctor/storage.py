"""Checks of the card: room, rights, health, and whether there is a copy."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from gateway.catalogue import N_, say
from gateway.doctor.patient import Check, Patient, Seen, bad, doubtful, good, others_can_read
from gateway.journal.backup import LAST_BACKUP

FREE_MIB, TIGHT_MIB = 200, 1024
BACKUP_DAYS = 30


def _space(patient: Patient) -> Iterator[Seen]:
    if not patient.state.is_dir():
        return
    usage = shutil.disk_usage(patient.state)
    free = usage.free >> 20
    what = say("{free} MiB free at {path}", free=free, path=patient.state)
    remedy = say(
        "journalctl --vacuum-size=100M; apt-get clean; remove what is not the gateway's, or take a larger card"
    )
    if free < FREE_MIB:
        yield bad(what, remedy)
    elif free < min(TIGHT_MIB, usage.total >> 23):
        yield doubtful(what, remedy)
    else:
        yield good(what)


def _inodes(patient: Patient) -> Iterator[Seen]:
    if not patient.state.is_dir():
        return
    system = os.statvfs(patient.state)
    if system.f_files and system.f_favail < system.f_files // 100:
        what = say("the file system has no room for more files")
        yield bad(what, say("find the folder with very many files, and empty it"))


def _health(patient: Patient) -> Iterator[Seen]:
    for name, state in (patient.status or {}).get("storage", {}).items():
        if state != "ok":
            yield bad(f"{name}: {state}", say("the card is full, read-only or failing: replace it"))


def _writable(patient: Patient) -> Iterator[Seen]:
    """By the mount's flags, and by trying where we may."""
    if not patient.state.is_dir():
        if patient.runs:
            return
        yield doubtful(
            say("there is no state directory {path}", path=patient.state), say("it is made at the first start")
        )
        return
    if os.statvfs(patient.state).f_flag & os.ST_RDONLY:
        remedy = say("the card was made read-only, mostly because it fails: dmesg | grep -i error; replace it")
        yield bad(say("{path} is read-only", path=patient.state), remedy)
    elif not os.access(patient.state, os.W_OK) and not patient.runs:
        remedy = f"chown -R venue-gateway: {patient.state}"
        yield bad(say("this user may not write to {path}", path=patient.state), remedy)
    else:
        yield good(say("{path} can be written", path=patient.state))


def _modes(patient: Patient) -> Iterator[Seen]:
    if patient.state.is_dir() and others_can_read(patient.state):
        what = say("everybody can read the state directory {path}", path=patient.state)
        yield bad(what, f"chmod o-rwx {patient.state}")


def _secrets(patient: Patient) -> Iterator[Seen]:
    for file in secret_files(patient):
        try:
            open_to_all = others_can_read(file)
        except OSError:
            continue  # said of the configuration
        if open_to_all:
            yield bad(say("everybody can read {file}", file=file), f"chmod o-rwx {file}")
        else:
            yield good(say("{file} is kept to its own", file=file))


def secret_files(patient: Patient) -> list[Path]:
    """Passwords, tokens, keys and PINs that the configuration names in any table, and our own key."""
    folder = patient.path.parent if patient.path is not None else Path()
    tables = patient.config.model_dump() if patient.config is not None else {}
    own = sorted(patient.state.glob("*.key")) if patient.state.is_dir() else []
    return [folder / name for name in sorted(set(_named(tables)))] + own


def _named(table: Any, key: str = "") -> Iterator[str]:
    """Values of `..._file`, and of the `key` of a certificate."""
    match table:
        case dict():
            for name, value in table.items():
                yield from _named(value, str(name))
        case list() | tuple():
            for value in table:
                yield from _named(value)
        case str() if key.endswith("_file") or (key == "key" and not table.startswith("ed25519:")):
            yield table


def _backup(patient: Patient) -> Iterator[Seen]:
    if not patient.state.is_dir() or patient.simulated:
        return
    how = say("venue-gateway journal backup FILE, onto a stick or another machine")
    try:
        made_s = (patient.state / LAST_BACKUP).stat().st_mtime
    except OSError:
        yield doubtful(say("no backup was ever made"), how)
        return
    days = int((patient.now.wall_ns / 1e9 - made_s) / 86400)
    if days > BACKUP_DAYS:
        yield doubtful(say("the last backup is {days} days old", days=days), how)
    else:
        yield good(say("the last backup is {days} days old", days=days))


def _card(patient: Patient) -> Iterator[Seen]:
    """Errors that the kernel has met on the card or its file system since the start."""
    for folder in sorted(patient.machine.path("/sys/fs/ext4").glob("*/errors_count")):
        count = (patient.machine.text(f"/sys/fs/ext4/{folder.parent.name}/errors_count") or "0").strip()
        if count.isdecimal() and int(count) > 0:
            what = say("the file system on {disk} has had {count} errors", disk=folder.parent.name, count=count)
            yield bad(what, say("make a backup now, and replace the card"))


CHECKS = (
    Check("space", N_("room"), N_("when the card is full, new records cannot be kept; alarms still go out"), _space),
    Check("files", N_("room"), N_("when the card is full, new records cannot be kept; alarms still go out"), _inodes),
    Check("storage", N_("storage"), N_("what happens now is kept in memory only; alarms go out all the same"), _health),
    Check(
        "writable", N_("storage"), N_("what happens now is kept in memory only; alarms go out all the same"), _writable
    ),
    Check("card-errors", N_("storage"), N_("a card that begins to fail goes on failing"), _card),
    Check("state-modes", N_("rights"), N_("records of the paper room are nobody else's business"), _modes),
    Check("secrets", N_("rights"), N_("who reads a key or password can speak in this venue's name"), _secrets),
    Check("backup", N_("copy"), N_("with the card, records and identity would be gone"), _backup),
)
