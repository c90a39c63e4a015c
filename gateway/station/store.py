"""What the station has: events, in a small SQLite file. Only what stands here gets a receipt."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

_SCHEMA = """
CREATE TABLE IF NOT EXISTS events (
    hash TEXT PRIMARY KEY, id TEXT NOT NULL, venue TEXT NOT NULL, stream TEXT NOT NULL, run TEXT NOT NULL,
    seq INTEGER NOT NULL, body BLOB NOT NULL, received_ns INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS by_place ON events (venue, stream, received_ns);
CREATE TABLE IF NOT EXISTS venues (venue TEXT PRIMARY KEY, key TEXT NOT NULL) STRICT, WITHOUT ROWID;
"""


class Kept(NamedTuple):
    hash: str
    id: str
    venue: str
    stream: str
    run: str
    seq: int
    body: bytes
    received_ns: int


class Store:
    """Owned by the station's thread. A commit is on the disk when it returns; raises sqlite3.Error."""

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(path, timeout=5, isolation_level=None)
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = FULL")
        self._connection.executescript(_SCHEMA)

    def keep(self, events: Sequence[Kept]) -> None:
        """Write all of them; one that stands here already is left as it is."""
        with self._connection:
            self._connection.execute("BEGIN")
            self._connection.executemany("INSERT OR IGNORE INTO events VALUES (?, ?, ?, ?, ?, ?, ?, ?)", events)

    def has(self, hash_: str) -> bool:
        return self._connection.execute("SELECT 1 FROM events WHERE hash = ?", (hash_,)).fetchone() is not None

    def newest(self, limit: int) -> list[Kept]:
        """The last `limit` events of each venue and stream, in the order in which they came."""
        rows = self._connection.execute(
            "SELECT hash, id, venue, stream, run, seq, body, received_ns FROM (SELECT *, row_number() OVER "
            "(PARTITION BY venue, stream ORDER BY received_ns DESC) AS place FROM events) WHERE place <= ? "
            "ORDER BY received_ns",
            (limit,),
        )
        return [Kept(*row) for row in rows]

    def keys(self) -> dict[str, str]:
        """The public keys that venues were first seen with."""
        return dict(self._connection.execute("SELECT venue, key FROM venues").fetchall())

    def remember_key(self, venue: str, key: str) -> None:
        with self._connection:
            self._connection.execute("INSERT OR IGNORE INTO venues VALUES (?, ?)", (venue, key))

    def close(self) -> None:
        self._connection.close()
