"""Old readings: first thinned to their minute records, then, years later, dropped.

    readings-2026-06-07.db   blocks and minute records of a day
      |  after `days`, or sooner when there are too many bytes or the card is short: oldest first, delivered ones first
      v
    minutes-2026-06.db       the minute records alone, of a month
      |  after `minute_days`, or sooner when even they are too many
      v
    nothing

Whatever goes for another reason than its age, and whatever goes undelivered, is told with its count.
"""

from __future__ import annotations

import errno
import logging
import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

from gateway.journal.database import NewerSchema, Schema, Trust, open_reader, open_store
from gateway.journal.day_files import day_files, month_files
from gateway.journal.files import sync_directory
from gateway.moment import Clock
from gateway.values import Dropped, SetAside

log = logging.getLogger(__name__)

KEEP_FREE = 32 * 1024 * 1024  # bytes of the card that readings never take: they belong to events

MINUTES = (
    "CREATE TABLE minutes (place INTEGER PRIMARY KEY, first INTEGER NOT NULL, last INTEGER NOT NULL, "
    "data BLOB NOT NULL) STRICT"
)
MONTH = Schema(version=1, tables=MINUTES)


@dataclass(frozen=True, slots=True)
class Keep:
    """How long readings stay. A day with undelivered readings outlives `days`, but not the bytes."""

    days: int = 60
    minute_days: int = 1100
    bytes: int = 4 * 1024 * 1024 * 1024


class Ageing:
    """Owned by the thread that writes readings. `proven`: the place up to which every sink has proof."""

    def __init__(self, directory: Path, keep: Keep, clock: Clock, tell: Callable[[object], None]) -> None:
        self._directory, self._keep, self._clock, self._tell = directory, keep, clock, tell
        self.changes = 0  # of files: whoever remembers what is in them looks again

    def age(self, today: date | None, current: Path | None, proven: int | None) -> int:
        """What is too old or too much goes; the number of undelivered readings that were lost over it.

        `today` is None while nobody has set the clock: of such a clock no age can be told, and only bytes count.
        """
        if today is not None:
            self._outlived(today, current, proven)
        return self._go(current, proven, lambda: self._size() <= self._keep.bytes)

    def _outlived(self, today: date, current: Path | None, proven: int | None) -> None:
        oldest = f"readings-{today - timedelta(days=self._keep.days)}.db"
        for path in self._days(current):
            if path.name < oldest and not _owed(path, proven):
                self._thin(path, proven)
        oldest = f"minutes-{today - timedelta(days=self._keep.minute_days):%Y-%m}.db"
        for path in month_files(self._directory):
            if path.name < oldest:
                log.info("event=minutes-aged file=%s", path.name)
                self._unlink(path)

    def demand_room(self, current: Path | None, proven: int | None) -> int:
        """Readings lost over having room on the card. Raises OSError (ENOSPC) when there is none to be made."""
        lost = self._go(current, proven, lambda: _free(self._directory) >= KEEP_FREE)
        if _free(self._directory) < KEEP_FREE:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return lost

    def _go(self, current: Path | None, proven: int | None, enough: Callable[[], bool]) -> int:
        """Lets one thing after another go until there is room enough; readings lost undelivered."""
        lost = 0
        if not enough():
            for go in self._candidates(current, proven):
                lost += go()
                if enough():
                    break
        return lost

    def _candidates(self, current: Path | None, proven: int | None) -> list[Callable[[], int]]:
        """What can go before its time, in this order."""
        days = [(path, _owed(path, proven)) for path in self._days(current)]
        delivered = [path for path, owed in days if not owed]
        owed = [path for path, owed in days if owed]
        thin = [lambda p=path: self._thin(p, proven, early=True) for path in (*delivered, *owed)]
        return [*thin, *(lambda p=path: self._forget(p) for path in month_files(self._directory))]

    def _days(self, current: Path | None) -> list[Path]:
        return [path for path in day_files(self._directory) if path != current]

    def _size(self) -> int:
        return sum(path.stat().st_size for path in (*day_files(self._directory), *month_files(self._directory)))

    def _thin(self, path: Path, proven: int | None, *, early: bool = False) -> int:
        """Keeps the minute records of a day; how many of its readings were undelivered.

        Where they cannot be kept the day stays as it is, unless the room is needed (`early`).
        """
        count, owed = _count(path, 0), _owed(path, proven)
        kept = self._save_minutes(path)
        if not kept and not early:
            return 0
        self._unlink(path)
        log.warning("event=readings-thinned file=%s readings=%d undelivered=%d kept=%s", path.name, count, owed, kept)
        if owed or early:
            self._tell(Dropped(path.name, count, owed, kept, self._clock.now()))
        return owed

    def _forget(self, path: Path) -> int:
        count = _count(path, None)
        self._unlink(path)
        log.warning("event=minutes-dropped file=%s commits=%d", path.name, count)
        self._tell(Dropped(path.name, count, 0, False, self._clock.now()))
        return 0

    def _save_minutes(self, path: Path) -> bool:
        """On the card when this returns. False when they could not be read, when the card has no room even for them, or
        when a newer version of the program has written the month's file.
        """
        month, now = self._directory / f"minutes-{path.name.removeprefix('readings-')[:7]}.db", self._clock.now()
        try:
            with closing(open_reader(path)) as day:
                rows = day.execute("SELECT place, first, last, data FROM minutes").fetchall()
            opened = open_store(month, MONTH, now, Trust.CHECK)
            if opened.aside is not None:
                log.error("event=set-aside store=readings file=%s", opened.aside.name)
                self._tell(SetAside("readings", opened.aside.name, now))
            with closing(opened.connection) as connection:
                connection.execute("BEGIN IMMEDIATE")
                # After a cut between this and the unlinking, the same records come once more.
                connection.executemany("INSERT OR REPLACE INTO minutes VALUES (?, ?, ?, ?)", rows)
                connection.execute("COMMIT")
        except (sqlite3.Error, OSError, NewerSchema) as error:
            log.warning("event=minutes-not-kept file=%s error=%r", path.name, str(error))
            return False
        return True

    def _unlink(self, path: Path) -> None:
        self.changes += 1
        for suffix in ("", "-wal", "-shm"):
            path.with_name(path.name + suffix).unlink(missing_ok=True)
        for older in path.parent.glob(f"{path.name}.v*"):  # as a program before had left it
            older.unlink()
        sync_directory(self._directory)


def _owed(path: Path, proven: int | None) -> int:
    """Readings of a day that the slowest sink has no proof for."""
    return 0 if proven is None else _count(path, proven)


def _count(path: Path, after: int | None) -> int:
    """Readings of a day after a place, or (None) commits of a month; 0 where it cannot be read."""
    question = "SELECT coalesce(sum(count), 0) FROM blocks WHERE place > ?"
    try:
        with closing(open_reader(path)) as connection:
            if after is None:
                return int(connection.execute("SELECT count(*) FROM minutes").fetchone()[0])
            return int(connection.execute(question, (after,)).fetchone()[0])
    except (sqlite3.Error, OSError):
        return 0


def _free(directory: Path) -> int:
    found = os.statvfs(directory)
    return found.f_bavail * found.f_frsize
