"""Opening SQLite files on a card that may be full, read-only, torn or dying; nothing is ever overwritten."""

from __future__ import annotations

import errno
import os
import sqlite3
import tempfile
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

from gateway.catalogue import N_
from gateway.journal.files import set_aside, stamp, sync_directory
from gateway.moment import Moment

COMPANIONS = ("-wal", "-shm")
ASIDE = "corrupt"
BUSY_TIMEOUT_S = 5.0
CACHE_KIB = 256  # of each connection: records are written at their end and read once (SQLite: 2000)
_DAMAGE = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}

FULL = N_("the card is full")
READ_ONLY = N_("the card has become read-only")
FAILING = N_("the card fails to read or write")
BUSY = N_("another program holds the file")
DAMAGED = N_("the file is damaged")
NEWER = N_("the file was written by a newer version of this program and is left alone")


class NewerSchema(Exception):
    """The file was written by a newer version of the program: not damage; it is neither changed nor put aside."""


@dataclass(frozen=True, slots=True)
class Schema:
    """`version` is kept in the file's user_version; `tables` makes an empty file into that version.

    `upgrades`: by version, what makes a file of it into the next one in place; only what adds and changes no row.
    """

    version: int
    tables: str
    page_bytes: int = 4096
    upgrades: Mapping[int, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Opened:
    connection: sqlite3.Connection
    aside: Path | None  # of a new file: the damaged one that stood in its place, under its new name


class Trust(Enum):
    FULL = "full"  # it was sound a moment ago: open it as it is
    CHECK = "check"  # look first
    NONE = "none"  # it has failed after looking sound: put it aside


Begin = Callable[[sqlite3.Connection, Path | None], None]


def open_store(
    path: Path, schema: Schema, now: Moment, trust: Trust = Trust.CHECK, begin: Begin | None = None
) -> Opened:
    """Open for writing (WAL, synchronous=FULL); a damaged file is put aside and a new one begun.

    `begin` fills a new file, given the damaged one that it follows, before the new one can be seen: a cut or a full
    card on the way changes nothing, and the next call begins again. Raises sqlite3.Error, OSError, NewerSchema.
    """
    if trust is Trust.NONE or _orphan_log(path):
        set_aside(path, stamp(now), ASIDE, COMPANIONS)
    elif path.exists() and path.stat().st_size:
        try:
            return Opened(_existing(path, schema, trust), None)
        except sqlite3.DatabaseError as error:
            if not is_damage(error):
                raise
        set_aside(path, stamp(now), ASIDE, COMPANIONS)
    asides = sorted(path.parent.glob(f"{path.name}.*.{ASIDE}"), key=lambda aside: aside.stat().st_ctime_ns)
    aside = asides[-1] if asides else None
    return Opened(_new(path, schema, begin, aside), aside)


def _orphan_log(path: Path) -> bool:
    """A log with content beside a missing or empty file: SQLite would delete it, and with it what it holds."""
    log = path.with_name(path.name + "-wal")
    empty = not path.exists() or not path.stat().st_size
    return empty and log.exists() and log.stat().st_size > 0


def _existing(path: Path, schema: Schema, trust: Trust) -> sqlite3.Connection:
    connection = _connect(path)
    try:
        if trust is Trust.CHECK:
            _demand_sound(connection)
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        _demand_known(path, version, schema)
        if version == 0:  # cut off while it was being made: the tables come with the version, or not at all
            _make(connection, schema)
        if 0 < version < schema.version:
            _keep_old(connection, path, version)
        for older in range(version or schema.version, schema.version):
            upgrade = f"{schema.upgrades[older]};PRAGMA user_version={older + 1}"
            connection.executescript(f"BEGIN IMMEDIATE;{upgrade};COMMIT;")
    except BaseException:
        connection.close()
        raise
    return connection


def _keep_old(connection: sqlite3.Connection, path: Path, version: int) -> None:
    """The file as the program before could read it, beside the new one: `NAME.v1`. Raises sqlite3.Error, OSError."""
    kept = path.with_name(f"{path.name}.v{version}")
    if kept.exists():
        return
    making = kept.with_name(kept.name + ".new")
    making.unlink(missing_ok=True)
    with closing(sqlite3.connect(making)) as copy:
        connection.backup(copy)
    making.chmod(0o640)
    making.replace(kept)
    sync_directory(path.parent)


def _demand_sound(connection: sqlite3.Connection) -> None:
    found = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    if found != "ok":
        damage = sqlite3.DatabaseError(found)
        damage.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
        raise damage


def _demand_known(path: Path, version: int, schema: Schema) -> None:
    if version > schema.version:
        raise NewerSchema(f"{path.name}: {version} > {schema.version}")


def _new(path: Path, schema: Schema, begin: Begin | None, aside: Path | None) -> sqlite3.Connection:
    """Made under another name, so that a reader finds all of it or nothing."""
    making = path.with_name(path.name + ".new")
    for suffix in ("", *COMPANIONS):
        making.with_name(making.name + suffix).unlink(missing_ok=True)
    # SQLite gives -wal and -shm the file's own mode: the group may read the record, nobody else.
    os.close(os.open(making, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640))
    connection = _connect(making)
    try:
        _make(connection, schema)
        if begin is not None:
            begin(connection, aside)
    finally:
        connection.close()
    making.replace(path)
    sync_directory(path.parent)
    return _connect(path)


def _make(connection: sqlite3.Connection, schema: Schema) -> None:
    connection.execute(f"PRAGMA page_size={schema.page_bytes}")
    connection.execute("PRAGMA journal_mode=WAL")
    connection.executescript(f"BEGIN IMMEDIATE;{schema.tables};PRAGMA user_version={schema.version};COMMIT;")


def _connect(path: Path) -> sqlite3.Connection:
    # Opened by the thread that starts the program, then used by the writer's thread alone.
    connection = sqlite3.connect(path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute(f"PRAGMA cache_size=-{CACHE_KIB}")
    return connection


def open_reader(path: Path, *, written: bool = False) -> sqlite3.Connection:
    """Open for reading only: beside a running gateway, after a crash, or on a card that cannot be written.

    `written`: this process writes the file, so that it is never read as if nobody did.
    Raises sqlite3.Error, FileNotFoundError.
    """
    if not path.exists():
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))
    uri = path.absolute().as_uri()
    connection = sqlite3.connect(f"{uri}?mode=ro", uri=True, timeout=BUSY_TIMEOUT_S, isolation_level=None)
    try:
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        connection.execute(f"PRAGMA cache_size=-{CACHE_KIB}")
    except sqlite3.OperationalError:
        connection.close()
        log = path.with_name(path.name + "-wal")
        if written or (log.exists() and log.stat().st_size):
            raise
        # Closed cleanly, and no log can be made beside it: nobody writes it, so it may be read as it lies.
        return sqlite3.connect(f"{uri}?immutable=1", uri=True, isolation_level=None)
    return connection


def open_snapshot(path: Path) -> sqlite3.Connection:
    """What the file and its log hold now, in memory: a log cannot be read where no index can be made beside it.

    Raises sqlite3.Error, OSError.
    """
    memory = Path("/dev/shm")  # noqa: S108  a folder of our own below it; the card is what cannot be used
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as place:
        copy = Path(place) / path.name
        for suffix in ("", "-wal"):
            part = path.with_name(path.name + suffix)
            if not suffix or part.exists():
                copy.with_name(copy.name + suffix).write_bytes(part.read_bytes())
        connection = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        with closing(sqlite3.connect(copy)) as copied:
            copied.backup(connection)
    return connection


def takes_changes(directory: Path) -> bool:
    """Whether the card does, asked without making one: the kernel refuses before it looks for the name."""
    try:
        (directory / "no-such-file").unlink()
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True


def is_damage(error: sqlite3.Error) -> bool:
    """Whether the content is bad (as against a card that cannot be read or written now)."""
    return _code(error) in _DAMAGE


def is_full(error: Exception) -> bool:
    if isinstance(error, sqlite3.Error):
        return _code(error) == sqlite3.SQLITE_FULL
    return isinstance(error, OSError) and error.errno in {errno.ENOSPC, errno.EDQUOT}


def words(error: Exception, directory: Path) -> str:
    """What is wrong, in words for people. SQLite often hides the cause, so the directory is asked by a small file."""
    if isinstance(error, NewerSchema):
        return NEWER
    code = _code(error) if isinstance(error, sqlite3.Error) else None
    if code in _DAMAGE:
        return DAMAGED
    if code in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
        return BUSY
    if is_full(error):
        return FULL
    cause = error if isinstance(error, OSError) else _probe(directory)
    number = cause.errno if cause is not None else None
    return {errno.EROFS: READ_ONLY, errno.ENOSPC: FULL, errno.EDQUOT: FULL}.get(number or 0, FAILING)


def _probe(directory: Path) -> OSError | None:
    path = directory / "probe"
    try:
        with path.open("wb") as file:
            file.write(b"?")
        path.unlink()
    except OSError as error:
        return error
    return None


def _code(error: sqlite3.Error) -> int | None:
    code = getattr(error, "sqlite_errorcode", None)
    return None if code is None else code & 0xFF


class Reserve:
    """A preallocated file that is given up when the card is full, so that an alarm can always be written."""

    def __init__(self, path: Path, size_bytes: int = 4 * 1024 * 1024) -> None:
        self._path, self._size_bytes = path, size_bytes

    def hold(self) -> bool:
        """Take the space, if the card has four times as much free; True when it is held."""
        try:
            if self._path.exists() and self._path.stat().st_size == self._size_bytes:
                return True
            free = os.statvfs(self._path.parent)
            if free.f_bavail * free.f_frsize < 4 * self._size_bytes:
                return False
            with self._path.open("wb") as file:
                os.posix_fallocate(file.fileno(), 0, self._size_bytes)
                os.fsync(file.fileno())
        except OSError:
            return False
        return True

    def give_up(self) -> bool:
        """Free the space; False when it had been given up before. Raises OSError."""
        if not self._path.exists():
            return False
        self._path.unlink()
        return True


def wal_emptied(connection: sqlite3.Connection) -> bool:
    """Move the whole log into the file, with every fsync on the way; False while a reader is in its way.

    After a failed fsync the log's pages may only seem to be on the card: nothing may be built on them before this.
    """
    with closing(connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")) as cursor:
        busy, _, _ = cursor.fetchone()
    return not busy
