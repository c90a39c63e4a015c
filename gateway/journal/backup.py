"""`journal backup FILE`: the state directory as one file, made while the gateway runs.

    FILE (tar, gzip)   state/NAME ...     every file that is worth keeping; databases as one moment of each
                       manifest.json      last: form, versions, venue, board, public key, SHA-256 and size of each file

The private key is never in it: whoever has the file cannot speak as this gateway. What is restored gets a new one.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import sqlite3
import tarfile
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from gateway import __version__
from gateway.catalogue import N_, say
from gateway.errors import Refused, Unavailable
from gateway.journal import events_table as table
from gateway.journal.ageing import KEEP_FREE
from gateway.journal.chain import KEY_FILE, PUBLIC_FILE
from gateway.journal.database import open_reader
from gateway.journal.files import sync_directory
from gateway.journal.reader import FILE
from gateway.machine.platform import board_serial
from gateway.moment import Moment

FORM = 1
MANIFEST, FOLDER = "manifest.json", "state/"
LAST_BACKUP = "last-backup"  # in the state directory, as old as the last backup: `doctor` asks for a new one by it
_NEVER = (KEY_FILE, LAST_BACKUP, "lock", "probe", "events.reserve")
_NEVER_SO = ("-wal", "-shm", ".new", ".sock", ".part")


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a backup says of itself. `files`: name -> [SHA-256, bytes]."""

    form: int
    program: str
    made: str
    venue: str | None
    board: str | None
    public: str | None
    events: int  # the last event's number
    mode: str  # real or simulated
    files: dict[str, list[Any]]


def backup(state: Path, target: Path, now: Moment, *, readings: bool = True) -> Manifest:
    """Whole or not at all; on the card when this returns. `readings`: also every single reading.

    Raises Refused when it would take the room that belongs to events, Unavailable when something cannot be read.
    """
    names = [path.name for path in sorted(state.iterdir()) if path.is_file() and _kept(path.name, readings)]
    _demand_room(target, sum((state / name).stat().st_size for name in names))
    part = target.with_name(target.name + ".part")
    try:
        with part.open("wb") as file:
            os.fchmod(file.fileno(), 0o600)  # the last good configuration has the PINs' hashes
            with tarfile.open(fileobj=file, mode="w:gz", compresslevel=3) as archive:
                files = {name: _add(archive, state / name, target.parent, now) for name in names}
                manifest = _manifest(state, files, now)
                _add_bytes(archive, MANIFEST, json.dumps(asdict(manifest), ensure_ascii=False, indent=1).encode(), now)
            file.flush()
            os.fsync(file.fileno())
        part.replace(target)
        sync_directory(target.parent)
    except (sqlite3.Error, OSError) as error:
        raise Unavailable(say("the backup could not be made: {why}", why=error)) from error
    finally:
        with suppress(OSError):
            part.unlink()
    return manifest


def _kept(name: str, readings: bool) -> bool:
    if name.startswith(_NEVER) or name.endswith(_NEVER_SO):
        return False
    return readings or not name.startswith("readings-")


def _demand_room(target: Path, size: int) -> None:
    free = os.statvfs(target.parent)
    if free.f_bavail * free.f_frsize < size + KEEP_FREE:
        text = N_("{folder} has not the room: {size} MiB are needed beside what belongs to the record")
        raise Refused(say(text, folder=target.parent, size=(size + KEEP_FREE) >> 20))


def _add(archive: tarfile.TarFile, path: Path, folder: Path, now: Moment) -> list[Any]:
    """One file; a database as it is at one moment, with what its log holds."""
    if path.suffix != ".db":
        data = path.read_bytes()
        _add_bytes(archive, FOLDER + path.name, data, now)
        return [hashlib.sha256(data).hexdigest(), len(data)]
    with tempfile.TemporaryDirectory(dir=folder) as place:
        copy = Path(place) / path.name
        with closing(open_reader(path)) as source, closing(sqlite3.connect(copy)) as snapshot:
            source.backup(snapshot)
            snapshot.execute("PRAGMA journal_mode=DELETE")  # one file: its log would not be taken along
        with copy.open("rb") as file:
            digest, size = hashlib.file_digest(file, "sha256").hexdigest(), copy.stat().st_size
            file.seek(0)
            archive.addfile(_info(FOLDER + path.name, size, now), file)
    return [digest, size]


def _add_bytes(archive: tarfile.TarFile, name: str, data: bytes, now: Moment) -> None:
    archive.addfile(_info(name, len(data), now), io.BytesIO(data))


def _info(name: str, size: int, now: Moment) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.size, info.mtime, info.mode = size, now.wall_ns // 10**9, 0o600
    return info


def _manifest(state: Path, files: dict[str, list[Any]], now: Moment) -> Manifest:
    events = 0
    if FILE in files:
        with closing(open_reader(state / FILE)) as connection:
            events = table.last_number(connection)
    venue = None
    with suppress(OSError, ValueError):
        venue = json.loads((state / "armed.json").read_bytes()).get("venue")
    public = _text(state / PUBLIC_FILE)
    mode = _text(state / "mode") or "real"
    return Manifest(FORM, __version__, now.text(), venue, board_serial(), public, events, mode, files)


def _text(path: Path) -> str | None:
    return path.read_text().strip() if path.exists() else None


# ---- reading one ----------------------------------------------------------------------------------------------------


def read_manifest(source: Path) -> Manifest:
    """What the file says of itself; nothing is proven yet. Raises Refused."""
    for name, data in _members(source):
        if name == MANIFEST:
            try:
                manifest = Manifest(**json.loads(_read(data, source)))
            except (ValueError, TypeError) as error:
                raise _no_backup(source, error) from error
            if manifest.form > FORM:
                text = N_("{file} was made by version {version}, which is newer than this program: update first")
                raise Refused(say(text, file=source, version=manifest.program))
            return manifest
    raise _no_backup(source, MANIFEST)


def unpack(source: Path, folder: Path, manifest: Manifest) -> None:
    """Every file into the empty `folder`, proven against the manifest and on the card. Raises Refused, OSError."""
    missing = dict(manifest.files)
    for member, data in _members(source):
        name = member.removeprefix(FOLDER)
        if member == MANIFEST:
            continue
        if name == member or "/" in name or not _kept(name, readings=True) or name not in missing:
            raise _no_backup(source, member)
        digest, size = missing.pop(name)
        path = folder / name
        with path.open("wb") as file:
            os.fchmod(file.fileno(), 0o640 if name.endswith(".db") else 0o600)
            copied = hashlib.sha256()
            while chunk := _read(data, source):
                copied.update(chunk)
                file.write(chunk)
            file.flush()
            os.fsync(file.fileno())
        if (copied.hexdigest(), path.stat().st_size) != (digest, size):
            raise Refused(say("{file} is damaged: {name} does not fit its checksum", file=source, name=name))
    if missing:
        raise Refused(say("{file} is damaged: {name} is missing", file=source, name=", ".join(missing)))
    sync_directory(folder)


def _members(source: Path) -> Iterator[tuple[str, Any]]:
    try:
        with tarfile.open(source, "r:gz") as archive:
            for member in archive:
                data = archive.extractfile(member) if member.isreg() else None
                if data is None:
                    raise _no_backup(source, member.name)
                yield member.name, data
    except (tarfile.TarError, zlib.error, OSError, EOFError) as error:
        if isinstance(error, FileNotFoundError | PermissionError):
            raise Refused(say("{file} cannot be read: {why}", file=source, why=error)) from error
        raise _no_backup(source, error) from error


def _read(data: Any, source: Path) -> bytes:
    try:
        chunk: bytes = data.read(1 << 20)
    except (tarfile.TarError, zlib.error, OSError, EOFError) as error:
        raise _no_backup(source, error) from error
    return chunk


def _no_backup(source: Path, why: object) -> Refused:
    return Refused(say("{file} is no backup of this program, or damaged ({why})", file=source, why=why))
