"""Reading the record of events: for the pumps' feeders, the command line and the verifier."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from drivers.quantities import Stream
from gateway.errors import Unavailable
from gateway.journal import events_table as table
from gateway.journal.chain import Head
from gateway.journal.database import open_reader, open_snapshot, takes_changes
from gateway.values import Event

FILE = "events.db"
T = TypeVar("T")


class EventReader:
    """Reads the record beside its writer; one reader a thread. Raises `Unavailable` while the card does not answer.

    `with_writer`: the writer is of this process. SQLite's connections in one process share the log's index, and one
    that could open it for reading only, on a sick card, would keep the writer from writing after the card has healed.
    So while the card refuses changes such a reader looks at a snapshot in memory.
    """

    def __init__(self, directory: Path, *, with_writer: bool = False) -> None:
        self._path = directory / FILE
        self._with_writer = with_writer
        self._snapshot = False  # the connection is to one
        self._connection: sqlite3.Connection | None = None
        self._inode = 0

    def after(self, number: int, limit: int) -> list[Event]:
        """Up to `limit` events after `number`, in order."""
        return self._ask(lambda c: table.after(c, number, limit), [])

    def latest(self, limit: int) -> list[Event]:
        """The last `limit` events, in order."""
        return self._ask(lambda c: table.latest(c, limit), [])

    def awaiting_receipt(self) -> list[Event]:
        """Events that need a station's receipt and have none."""
        return self._ask(table.awaiting_receipt, [])

    def piece(self, stream: Stream, run: str, first: int, last: int) -> list[Event]:
        """The events `first` to `last` (by `seq`) of a run of a stream, for a station that missed some."""
        return self._ask(lambda c: table.piece(c, stream, run, first, last), [])

    def cursor(self, sink: str) -> int:
        return self._ask(lambda c: table.cursors(c).get(sink, 0), 0)

    def last(self) -> tuple[int, dict[Stream, Head]]:
        """The last number and the last event of each stream."""
        nothing: tuple[int, dict[Stream, Head]] = (0, {})
        return self._ask(lambda c: (table.last_number(c), table.heads(c)), nothing)

    def alarms(self) -> dict[str, bytes]:
        """The last committed state of each alarm."""
        return self._ask(table.alarms, {})

    def receipts(self, after: int) -> dict[int, dict[str, int]]:
        """Who signed for each event after number `after`, and when (wall clock, ns)."""
        return self._ask(lambda c: table.receipts_after(c, after), {})

    def meta(self) -> dict[str, str]:
        return self._ask(table.meta, {})

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection, self._snapshot = None, False

    def _ask(self, question: Callable[[sqlite3.Connection], T], nothing: T) -> T:
        try:
            return question(self._current())
        except FileNotFoundError:
            self.close()
            return nothing
        except (sqlite3.Error, OSError) as error:
            self.close()
            raise Unavailable(f"{self._path.name}: {error}") from error

    def _current(self) -> sqlite3.Connection:
        """Raises sqlite3.Error, OSError; FileNotFoundError when there is no record yet."""
        inode = self._path.stat().st_ino
        if inode != self._inode:  # a damaged file was put aside under our feet
            self.close()
        if self._connection is None or self._snapshot:
            fresh = self._open()
            if fresh is not None:
                self.close()
                self._connection, self._inode = fresh, inode
            elif self._connection is None:
                self._connection, self._inode, self._snapshot = open_snapshot(self._path), inode, True
        assert self._connection is not None  # noqa: S101  for the type checker
        return self._connection

    def _open(self) -> sqlite3.Connection | None:
        """In place; None where only a snapshot will do."""
        if not self._with_writer:
            return open_reader(self._path)
        if not takes_changes(self._path.parent):
            return None
        try:
            return open_reader(self._path, written=True)
        except sqlite3.OperationalError:
            return None
