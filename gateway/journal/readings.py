"""The record of readings: `readings-DATE.db`, a file a day (of the venue), aged by `ageing.py`.

One row a commit, every few seconds, so that the card lives: what was read since, compressed, and every sink's cursor.
A block's `place` is when it was closed (ms of the wall clock, but always rising): the unit of cursors. Minute records
are made of the same readings by the same thread, and committed with a block, at its place.
"""

from __future__ import annotations

import json
import logging
import sqlite3
import threading
from collections import deque
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import tzinfo
from pathlib import Path

from gateway.environment.minute_maker import MinuteMaker
from gateway.environment.minutes import encode
from gateway.journal import blocks
from gateway.journal.ageing import MINUTES, Ageing, Keep
from gateway.journal.database import (
    ASIDE,
    COMPANIONS,
    NewerSchema,
    Schema,
    Trust,
    is_damage,
    open_reader,
    open_store,
    wal_emptied,
    words,
)
from gateway.journal.day_files import day_files
from gateway.journal.files import set_aside, stamp
from gateway.journal.minutes_reader import replay
from gateway.journal.readings_reader import ReadingsReader, last_row
from gateway.moment import Clock, ClockState, Moment
from gateway.values import Dropped, Readings, SetAside, StorageState

__all__ = ["Keep", "ReadingsReader", "ReadingsWriter"]

log = logging.getLogger(__name__)

COMMIT_EVERY_S = 4.0  # with the commit itself under the 5 s that a cut may cost
MOST_WAITING = 20_000  # answers not yet in a block: 20 minutes of 16 devices at 1 Hz, while a commit hangs
MOST_MEMORY = 8 * 1024 * 1024  # bytes of blocks while the card refuses: 13 hours of 16 devices at 1 Hz
LARGEST_BLOCK = 1000
MILLI = 1_000_000

SCHEMA = Schema(
    version=2,
    tables="CREATE TABLE blocks (place INTEGER PRIMARY KEY, count INTEGER NOT NULL, cursors TEXT NOT NULL, "
    f"data BLOB NOT NULL) STRICT;{MINUTES}",
    page_bytes=1024,  # a commit rewrites the last page: measured, a fifth less is written than with 4096
    upgrades={1: MINUTES},
)


@dataclass(frozen=True, slots=True)
class Block:
    """What is committed together, under one place. `count` may be 0: minute records alone."""

    place: int
    count: int  # readings in it
    data: bytes
    first: int = 0  # start of the earliest minute record, seconds since 1970
    last: int = 0  # … and of the latest
    minutes: bytes = b""

    @property
    def size(self) -> int:
        return len(self.data) + len(self.minutes)


@dataclass(frozen=True, slots=True)
class _Serve:
    sinks: frozenset[str]


class ReadingsWriter:
    """Keeps readings from a thread of its own. `put`, `advance` and `memory` are for any thread and never block."""

    def __init__(
        self,
        directory: Path,
        clock: Clock,
        tell: Callable[[object], None],
        zone: tzinfo,
        keep: Keep | None = None,
        maker: MinuteMaker | None = None,
    ) -> None:
        """`maker` makes the minute records, and belongs to the writer's thread from here on."""
        self._directory, self._clock, self._tell, self._zone = directory, clock, tell, zone
        self._ageing = Ageing(directory, keep or Keep(), clock, tell)
        self._inbox: deque[Readings | tuple[str, int] | _Serve | Callable[[MinuteMaker], None]] = deque()
        self.memory: tuple[Block, ...] = ()  # not on the card yet, oldest first; replaced whole, so any thread may look
        self.lost = 0  # readings given up: memory was full, or undelivered files were too large
        self._given_up = 0  # of them, those that no file and no minute record ever saw, and that were not told yet
        self.commits = self.kept = 0  # so far, and the readings in them
        self.current: Path | None = None  # the file that is being written
        self.newest: int | None = None  # place of the newest readings; None: there were none in this run
        self.newest_minutes: int | None = None  # likewise of minute records
        self.sealed: Moment | None = None  # what was put before this is on the card or in `memory`
        self.committed: int | None = None  # no block after this place is on the card; None: not looked up yet

        # From here on the writer's thread alone.
        self._connection: sqlite3.Connection | None = None
        self._maker = maker or MinuteMaker()
        self._place = 0
        self._cursors: dict[str, int] = {}
        self._sinks: frozenset[str] | None = None  # of the configuration in force; None: not known
        self._moved = False
        self._error: str | None = None
        self._damages = 0
        self._files_begun = 0

    # ---- any thread -------------------------------------------------------------------------------------------

    def put(self, readings: Readings) -> None:
        """Keep one answer of a device. While a commit hangs for very long the newest are given up, and counted."""
        if len(self._inbox) >= MOST_WAITING:
            self.lost += len(readings.readings)
            self._given_up += len(readings.readings)
        elif readings.readings:
            self._inbox.append(readings)

    def advance(self, sink: str, place: int) -> None:
        """The far side of `sink` has proven all blocks up to `place`. A cursor never goes back."""
        self._inbox.append((sink, place))

    def serve(self, sinks: frozenset[str]) -> None:
        """The configuration in force has these sinks and no others: cursors of others are forgotten, and hold back
        nothing; one without a cursor has proof of nothing.
        """
        self._inbox.append(_Serve(sinks))

    def configure(self, change: Callable[[MinuteMaker], None]) -> None:
        """Change what the minute records are made by, after what was put before."""
        self._inbox.append(change)

    @property
    def generation(self) -> int:
        """Changes with every file that is begun, gone on with after another one, thinned or removed."""
        return self._files_begun + self._ageing.changes

    # ---- the writer's thread ----------------------------------------------------------------------------------

    def run(self, stop: threading.Event) -> None:
        while not stop.wait(self._clock.pause(COMMIT_EVERY_S)):
            self._turn()
        self._turn()
        self._close()

    def _turn(self) -> None:
        if self.committed is None:
            self._look_up()
        self._seal()
        if not self.memory and not self._moved and self._error is None:
            return
        try:
            self._commit()
        except (sqlite3.Error, OSError, NewerSchema) as error:
            self._failed(error)
        else:
            self._say(None)
            self._tell_given_up()

    def _tell_given_up(self) -> None:
        """A commit that hung for very long is no error of the card's; what it cost is told when it has ended."""
        count, self._given_up = self._given_up, 0
        if count and self.current is not None:
            self._tell(Dropped(self.current.name, count, count, False, self._clock.now()))

    def _look_up(self) -> None:
        """Where earlier runs ended. What cannot be read counts as nothing: places begin with the wall clock anyway."""
        files = []
        for path in day_files(self._directory):
            try:
                with closing(open_reader(path)) as connection:
                    place, cursors = last_row(connection)
            except sqlite3.DatabaseError as error:
                if (is_damage(error) or not path.stat().st_size) and path != self._path_of(self._clock.now()):
                    self._put_aside(path)
                continue
            except (OSError, ValueError):
                continue
            files.append((place, path))
            if place > self._place:
                self._place = place
                self._cursors = cursors
        replay([path for _, path in sorted(files)[-2:]], self._maker)
        self.committed = self._place

    def _put_aside(self, path: Path) -> None:
        """A day that is over and can no longer be read: it is said, and kept for who may rescue something of it."""
        now = self._clock.now()
        try:
            aside = set_aside(path, stamp(now), ASIDE, COMPANIONS)
        except OSError as error:
            log.warning("event=not-set-aside store=readings file=%s error=%r", path.name, str(error))
            return
        self._ageing.changes += 1
        log.error("event=set-aside store=readings file=%s", aside.name)
        self._tell(SetAside("readings", aside.name, now))

    def _seal(self) -> None:
        """Make blocks of what came since."""
        now = self._clock.now()
        answers: list[Readings] = []
        while self._inbox:
            item = self._inbox.popleft()
            if isinstance(item, Readings):
                answers.append(item)
                for reading in item.readings:
                    self._maker.add(reading)
            elif isinstance(item, _Serve):
                self._forget_others(item.sinks)
            elif callable(item):
                item(self._maker)
            elif item[1] > self._cursors.get(item[0], 0):
                self._cursors[item[0]] = item[1]
                self._moved = True
        new = []
        for start in range(0, len(answers), LARGEST_BLOCK):
            part = answers[start : start + LARGEST_BLOCK]
            new.append(Block(self._next_place(), sum(len(a.readings) for a in part), blocks.encode(part)))
        if minutes := self._maker.close(self._clock.now()):
            last = new.pop() if new else Block(self._next_place(), 0, b"")
            starts = [minute.start_s for minute in minutes]
            new.append(replace(last, first=min(starts), last=max(starts), minutes=encode(minutes)))
        memory = [*self.memory, *new]
        size = sum(block.size for block in memory)
        while size > MOST_MEMORY:
            oldest = memory.pop(0)
            size -= oldest.size
            self.lost += oldest.count
        self.memory = tuple(memory)
        self.newest = max((b.place for b in new if b.count), default=self.newest)
        self.newest_minutes = max((b.place for b in new if b.minutes), default=self.newest_minutes)
        self.sealed = now

    def _forget_others(self, sinks: frozenset[str]) -> None:
        self._sinks = sinks
        for sink in self._cursors.keys() - sinks:
            place = self._cursors.pop(sink)
            self._moved = True
            log.warning("event=cursor-forgotten store=readings sink=%s place=%d", sink, place)

    def _next_place(self) -> int:
        self._place = max(self._place + 1, self._clock.now().wall_ns // MILLI)
        return self._place

    def _commit(self) -> None:
        memory = self.memory
        connection = self._todays()
        self.lost += self._ageing.demand_room(self.current, self._proven())
        rows = [(b.place, b.count, "", b.data) for b in memory] or [(self._next_place(), 0, "", b"")]
        rows[-1] = (rows[-1][0], rows[-1][1], json.dumps(self._cursors), rows[-1][3])
        connection.execute("BEGIN IMMEDIATE")
        # A block that a failed commit had brought to the card after all is the same block.
        connection.executemany("INSERT OR REPLACE INTO blocks VALUES (?, ?, ?, ?)", rows)
        records = [(b.place, b.first, b.last, b.minutes) for b in memory if b.minutes]
        connection.executemany("INSERT OR REPLACE INTO minutes VALUES (?, ?, ?, ?)", records)
        connection.execute("COMMIT")
        self.committed = rows[-1][0]
        self.memory = self.memory[len(memory) :]
        self.commits += 1
        self.kept += sum(block.count for block in memory)
        self._moved = False
        self._damages = 0

    def _todays(self) -> sqlite3.Connection:
        """The connection to the file of the venue's day; a new day closes the old file and ages the others."""
        now = self._clock.now()
        path = self._path_of(now)
        if self._connection is not None and path == self.current:
            return self._connection
        self._close()
        trust = Trust.NONE if self._damages > 1 else Trust.CHECK
        opened = open_store(path, SCHEMA, now, trust)
        self._connection, self.current = opened.connection, path
        self._files_begun += 1
        self._damages = 0 if trust is Trust.NONE else self._damages
        if self._error is not None and not wal_emptied(opened.connection):
            raise sqlite3.OperationalError("a reader holds the log")
        if opened.aside is not None:
            log.error("event=set-aside store=readings file=%s", opened.aside.name)
            self._tell(SetAside("readings", opened.aside.name, now))
        today = now.local(self._zone).date() if now.clock is ClockState.SYNCHRONISED else None
        self.lost += self._ageing.age(today, self.current, self._proven())
        return self._connection

    def _path_of(self, now: Moment) -> Path:
        return self._directory / f"readings-{now.local(self._zone):%Y-%m-%d}.db"

    # ---- room on the card -------------------------------------------------------------------------------------

    def _proven(self) -> int | None:
        """The place up to which every sink has proof; None when there is no sink."""
        sinks = self._cursors.keys() if self._sinks is None else self._sinks
        return min((self._cursors.get(sink, 0) for sink in sinks), default=None)

    # ---- trouble ----------------------------------------------------------------------------------------------

    def _failed(self, error: Exception) -> None:
        self._damages += isinstance(error, sqlite3.Error) and is_damage(error)
        self._close()
        self._say(words(error, self._directory))

    def _say(self, error: str | None) -> None:
        if error != self._error:
            self._error = error
            log.warning("event=storage store=readings state=%r", error or "well")
            waiting = sum(block.count for block in self.memory)
            self._tell(StorageState("readings", error, waiting, self.lost, self._clock.now()))

    def _close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            try:
                connection.close()
            except sqlite3.Error as error:
                log.debug("event=close-failed store=readings error=%r", str(error))
