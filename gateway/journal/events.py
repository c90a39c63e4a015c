"""The record of events: `events.db`. A commit is a promise: what `Stored` names is on the card.

One `EventWriter` writes, in a thread of its own; whoever reads does so by an `EventReader` of its own. Whatever the
card does, `put` returns at once and nothing of custody is given up: it waits in memory until the card takes it.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from gateway.journal import events_table as table
from gateway.journal.database import (
    FULL,
    NewerSchema,
    Reserve,
    Trust,
    is_damage,
    is_full,
    open_snapshot,
    open_store,
    wal_emptied,
    words,
)
from gateway.journal.events_ageing import EventAgeing, KeepEvents
from gateway.journal.reader import FILE, EventReader
from gateway.journal.recovered import Recovered, recovered
from gateway.moment import Clock, Moment
from gateway.values import Event, SetAside, StorageState, Stored
from gateway.worker import idle_s

__all__ = ["EventReader", "EventWriter", "Recovered"]

log = logging.getLogger(__name__)

RESERVE_FILE = "events.reserve"
BATCH = 500  # events a commit, at most
MOST_WAITING = 10_000  # events kept in memory while the card fails (some 15 MB); custody beyond that too
QUIET_EVERY_S = 5.0  # cursors ride along with events; alone they, and proofs of a healed card, are written so often
FIRST_DELAY_S, LAST_DELAY_S = 0.2, 5.0
COLLECT_S = 2.0  # cursors wake nobody: they are looked for so often


@dataclass(frozen=True, slots=True)
class _Put:
    event: Event
    alarm_state: bytes | None


@dataclass(frozen=True, slots=True)
class _Advance:
    sink: str
    number: int


@dataclass(frozen=True, slots=True)
class _Received:
    number: int
    hash: str
    station: str
    wall_ns: int


@dataclass(frozen=True, slots=True)
class _Serve:
    sinks: frozenset[str]


class EventWriter:
    """Commits events, receipts and cursors. `put`, `advance`, `received` and `oldest_waiting` are for any thread."""

    def __init__(
        self, directory: Path, clock: Clock, tell: Callable[[object], None], keep: KeepEvents | None = None
    ) -> None:
        self._directory, self._clock, self._tell = directory, clock, tell
        self._reserve = Reserve(directory / RESERVE_FILE)
        self._listeners: list[Callable[[Stored], None]] = []
        self._inbox: deque[_Put | _Advance | _Received | _Serve] = deque()
        self._wake = threading.Event()
        self.lost = 0  # events given up because memory was full
        self.commits = 0

        # From here on the writer's thread alone.
        self._connection: sqlite3.Connection | None = None
        self._pending: deque[_Put] = deque()
        self._receipts: deque[_Received] = deque()
        self._moves: dict[str, int] = {}
        self._sinks: frozenset[str] | None = None  # those of the configuration in force; None: not known
        self._left = False  # cursors of sinks that left it are to be forgotten
        self._ageing = EventAgeing(keep or KeepEvents(), clock, tell)
        self._tried_at: Moment | None = None
        self._committed = 0
        self.error: str | None = None  # what is wrong with the card; any thread may look
        self._failures = 0
        self._doubtful = False  # something failed since the file was last known to be whole on the card
        self._damages = 0

    # ---- any thread -------------------------------------------------------------------------------------------

    def put(self, event: Event, alarm_state: bytes | None = None) -> None:
        """Keep this event, and its alarm's state (None leaves the kept one). Never blocks.

        When memory is full because the card fails, new events outside custody are given up and counted in `lost`.
        """
        if len(self._inbox) + len(self._pending) >= MOST_WAITING and not _precious(event):
            self.lost += 1
            return
        self._inbox.append(_Put(event, alarm_state))
        self._wake.set()

    def advance(self, sink: str, number: int) -> None:
        """The far side of `sink` has proven all events up to `number`. A cursor never goes back."""
        self._inbox.append(_Advance(sink, number))

    def received(self, number: int, hash_: str, station: str, wall_ns: int) -> None:
        """`station` has signed for the event."""
        self._inbox.append(_Received(number, hash_, station, wall_ns))
        self._wake.set()

    def serve(self, sinks: frozenset[str]) -> None:
        """The configuration in force has these sinks and no others: cursors of others are forgotten, and hold back
        nothing of the record. Until this is called no event leaves it.
        """
        self._inbox.append(_Serve(sinks))
        self._wake.set()

    def oldest_waiting(self, now: Moment) -> float:
        """Seconds that the oldest event not yet on the card has been waiting; 0 when there is none."""
        for waiting in (self._pending, self._inbox):
            try:
                first = waiting[0]
            except IndexError:
                continue
            if isinstance(first, _Put):
                return max(0.0, now.seconds_since(first.event.at))
        return 0.0

    # ---- at the start -----------------------------------------------------------------------------------------

    def listen(self, listener: Callable[[Stored], None]) -> None:
        """Call `listener` after each commit, from the writer's thread: it must put and return. Before `run`."""
        self._listeners.append(listener)

    def open(self) -> Recovered:
        """Open, check, and put aside if damaged. Call once, before `run`; never raises over a sick card."""
        try:
            connection = self._open()
            found = recovered(connection)
            self._reserve.hold()
        except (sqlite3.Error, OSError, NewerSchema) as error:
            self._failed(error)
            found = self._read_only(self.error)
        self._committed = found.number if found.error is None else 0
        return found

    def _read_only(self, error: str | None) -> Recovered:
        try:
            connection = open_snapshot(self._directory / FILE)
        except (sqlite3.Error, OSError):
            return Recovered(self._clock.now().wall_ns // 1_000_000, error=error)
        try:
            found = recovered(connection)
        except sqlite3.Error:
            return Recovered(self._clock.now().wall_ns // 1_000_000, error=error)
        finally:
            connection.close()
        return Recovered(found.number, found.heads, found.alarms, found.cursors, error)

    # ---- the writer's thread ----------------------------------------------------------------------------------

    def run(self, stop: threading.Event) -> None:
        longest_s = min(idle_s(stop, self._wake.set), self._clock.pause(COLLECT_S))
        while not stop.is_set():
            if not self._pending:  # what a commit left over, or the card refused, waits for nothing new
                self._wake.wait(longest_s)
            self._wake.clear()
            self._collect()
            if (self._due() and not self._attempt()) or (self._quiet() and not self._tried(self._age)):
                stop.wait(self._clock.pause(self._delay_s()))
        self._finish()

    def _collect(self) -> None:
        while self._inbox:
            match self._inbox[0]:
                case _Put() as put:
                    self._pending.append(put)
                case _Received() as received:
                    self._receipts.append(received)
                case _Advance(sink, number):
                    self._moves[sink] = max(number, self._moves.get(sink, 0))
                case _Serve(sinks):
                    self._sinks, self._left = sinks, True
            self._inbox.popleft()  # after the append: an event waiting is seen in one of them at every instant

    def _due(self) -> bool:
        if self._pending or self._receipts or self._left:
            return True
        if not self._moves and self.error is None:
            return False
        return self._tried_at is None or self._clock.now().seconds_since(self._tried_at) >= QUIET_EVERY_S

    def _attempt(self) -> bool:
        """Commit what waits; True when the card took it."""
        self._tried_at = self._clock.now()
        return self._tried(self._store_or_give_up)

    def _store_or_give_up(self) -> None:
        try:
            self._store()
        except (sqlite3.Error, OSError) as error:
            if not (is_full(error) and self._reserve.give_up()):
                raise
            self._close()
            self._store()
        self._well()

    def _quiet(self) -> bool:
        return self._connection is not None and self.error is None and not self._pending and not self._inbox

    def _age(self) -> None:
        if self._connection is not None:
            self._ageing.turn(self._connection, self._sinks)

    def _tried(self, work: Callable[[], None]) -> bool:
        try:
            work()
        except (sqlite3.Error, OSError, NewerSchema) as error:
            self._failed(error)
            return False
        return True

    def _store(self) -> None:
        connection = self._connection or self._open()
        if self._doubtful:
            self._reassure(connection)
        batch = [self._pending[i] for i in range(min(BATCH, len(self._pending)))]
        receipts = list(self._receipts)
        committed = batch[-1].event.number if batch else self._committed
        moves = {sink: number for sink, number in self._moves.items() if number <= committed}
        connection.execute("BEGIN IMMEDIATE")
        table.insert(connection, "events", [put.event for put in batch])
        states = {put.event.alarm: put.alarm_state for put in batch if put.alarm_state is not None}
        connection.executemany("INSERT OR REPLACE INTO alarms VALUES (?, ?)", states.items())
        connection.executemany(
            "INSERT OR IGNORE INTO receipts VALUES (?, ?, ?, ?)",
            [(r.number, r.station, r.hash, r.wall_ns) for r in receipts],
        )
        connection.executemany(
            "INSERT INTO cursors VALUES (?, ?) ON CONFLICT DO UPDATE SET number = max(number, excluded.number)",
            moves.items(),
        )
        if self._left and self._sinks is not None:
            table.forget_cursors(connection, self._sinks)
        if self.error is not None:  # nothing but a write proves that the card takes writes again
            connection.execute("INSERT OR REPLACE INTO meta VALUES ('proved', ?)", (str(self._clock.now().wall_ns),))
        connection.execute("COMMIT")
        self.commits += 1
        self._left = False
        self._ageing.on_card([put.event for put in batch])
        self._acknowledge(len(batch), committed)
        for _ in receipts:
            self._receipts.popleft()
        self._moves = {sink: number for sink, number in self._moves.items() if sink not in moves}

    def _acknowledge(self, count: int, number: int) -> None:
        for _ in range(count):
            self._pending.popleft()
        self._committed = max(self._committed, number)
        if count:
            stored = Stored(number, self._clock.now())
            for listener in self._listeners:
                listener(stored)

    def _reassure(self, connection: sqlite3.Connection) -> None:
        """After a failure: empty the log with every fsync, then step over what had reached the card after all."""
        if not wal_emptied(connection):
            raise sqlite3.OperationalError("a reader holds the log")
        while self._pending:
            event = self._pending[0].event
            row = connection.execute("SELECT hash FROM events WHERE number = ?", (event.number,)).fetchone()
            if row is None:
                break
            if row[0] != event.hash:  # two writers on one record: no number may stand for two events
                raise sqlite3.IntegrityError(f"event {event.number} is in the record with another content")
            self._acknowledge(1, event.number)
        self._doubtful = False

    def _open(self) -> sqlite3.Connection:
        now = self._clock.now()
        trust = Trust.NONE if self._damages > 1 else Trust.CHECK if self._damages or not self._failures else Trust.FULL
        floor = now.wall_ns // 1_000_000
        opened = open_store(
            self._directory / FILE, table.SCHEMA, now, trust, lambda new, aside: table.carry_over(new, aside, floor)
        )
        self._connection, self._damages = opened.connection, 0 if trust is Trust.NONE else self._damages
        if opened.aside is not None:
            self._tell(SetAside("events", opened.aside.name, now))
            log.error("event=set-aside store=events file=%s", opened.aside.name)
        return opened.connection

    def _well(self) -> None:
        """The card took it; all is well when the reserve is held too."""
        self._failures = self._damages = 0
        said, self.error = self.error, None if self._reserve.hold() else FULL
        if self.error != said:
            log.warning("event=storage store=events state=%r", self.error or "well")
            self._tell(StorageState("events", self.error, len(self._pending), self.lost, self._clock.now()))

    def _failed(self, error: Exception) -> None:
        self._failures += 1
        self._doubtful = True
        self._damages += isinstance(error, sqlite3.Error) and is_damage(error)
        self._close()
        said, self.error = self.error, words(error, self._directory)
        if self.error != said:
            log.error("event=storage-failed store=events error=%r", str(error))
        waiting = len(self._pending) + len(self._inbox)
        self._tell(StorageState("events", self.error, waiting, self.lost, self._clock.now()))

    def _close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            try:
                connection.close()
            except sqlite3.Error as error:
                log.debug("event=close-failed store=events error=%r", str(error))

    def _delay_s(self) -> float:
        return float(min(LAST_DELAY_S, FIRST_DELAY_S * 2 ** min(self._failures - 1, 10)))

    def _finish(self) -> None:
        """Everything that waits goes to the card; a card that refuses is not asked again."""
        self._collect()
        while self._pending or self._receipts or self._moves:
            before = len(self._pending)
            if not self._attempt() or len(self._pending) == before:
                break
        self._close()


def _precious(event: Event) -> bool:
    return event.urgent or event.needs_receipt or event.stream == "custody"
