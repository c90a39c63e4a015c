"""The tables of `events.db` and the few questions asked of them; pure SQL over a connection that is passed in.

events    every event, in the order it happened; `body` is the message as it is published
carried   what was still owed by a damaged file that this one follows: delivered like events, no part of the chain
alarms    the last state of each alarm, written in the same transaction as its event
cursors   up to where each sink has proof of delivery
receipts  which station signed for which event
meta      `after`: the damaged file before this one; `floor`: no number at or below it is free;
          `anchor/STREAM`: hash that the first event here must name, or `?` when that could not be read;
          `aged/STREAM`: the last event (run, seq, hash) that left for its age, `aged`: how many did, as a signed event
          states (`events_ageing.py`)
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

from drivers.quantities import Stream
from gateway.journal.chain import Head
from gateway.journal.database import Schema, open_reader
from gateway.moment import ClockState, Moment
from gateway.values import STREAMS, Event

log = logging.getLogger(__name__)

MOST_CARRIED = 20_000  # events (some 30 MB): the program must come up again; the rest is in the damaged file

_COLUMNS = """
  stream TEXT NOT NULL, run TEXT NOT NULL, seq INTEGER NOT NULL, id TEXT NOT NULL, hash TEXT NOT NULL,
  alarm TEXT NOT NULL, urgent INTEGER NOT NULL, needs_receipt INTEGER NOT NULL,
  wall_ns INTEGER NOT NULL, mono_ns INTEGER NOT NULL, clock TEXT NOT NULL, body BLOB NOT NULL
"""
_FIELDS = "number, stream, run, seq, id, hash, alarm, urgent, needs_receipt, wall_ns, mono_ns, clock, body"
_EVERY = f"(SELECT {_FIELDS} FROM carried UNION ALL SELECT {_FIELDS} FROM events)"  # noqa: S608  our own names

# AUTOINCREMENT: without it SQLite may use numbers again after a prune, and a cursor would skip events.
SCHEMA = Schema(
    version=1,
    tables=f"""
CREATE TABLE events (number INTEGER PRIMARY KEY AUTOINCREMENT, {_COLUMNS}) STRICT;
CREATE UNIQUE INDEX by_seq ON events (stream, run, seq);
CREATE INDEX owed ON events (number) WHERE needs_receipt;
CREATE TABLE carried (number INTEGER PRIMARY KEY, {_COLUMNS}) STRICT;
CREATE TABLE alarms (alarm TEXT PRIMARY KEY, state BLOB NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE cursors (sink TEXT PRIMARY KEY, number INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE receipts (
  number INTEGER NOT NULL, station TEXT NOT NULL, hash TEXT NOT NULL, wall_ns INTEGER NOT NULL,
  PRIMARY KEY (number, station)
) STRICT, WITHOUT ROWID;
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID
""",
)


def insert(connection: sqlite3.Connection, table: str, events: Iterable[Event]) -> None:
    connection.executemany(
        f"INSERT INTO {table} ({_FIELDS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",  # noqa: S608  our own names
        (
            (
                *(e.number, e.stream, e.run, e.seq, e.id, e.hash, e.alarm, e.urgent, e.needs_receipt),
                *(e.at.wall_ns, e.at.mono_ns, e.at.clock.value, e.body),
            )
            for e in events
        ),
    )


def _event(row: Sequence[Any]) -> Event:
    number, stream, run, seq, id_, hash_, alarm, urgent, needs_receipt, wall_ns, mono_ns, clock, body = row
    at = Moment(wall_ns, mono_ns, ClockState(clock))
    return Event(number, stream, run, seq, id_, hash_, body, alarm, bool(urgent), bool(needs_receipt), at)


def after(connection: sqlite3.Connection, number: int, limit: int) -> list[Event]:
    """The next `limit` events after `number`, what was carried over from a damaged file included."""
    found = connection.execute(
        f"SELECT {_FIELDS} FROM {_EVERY} WHERE number > ? ORDER BY number LIMIT ?",  # noqa: S608  our own names
        (number, limit),
    )
    return [_event(row) for row in found]


def awaiting_receipt(connection: sqlite3.Connection) -> list[Event]:
    found = connection.execute(
        f"SELECT {_FIELDS} FROM {_EVERY} WHERE needs_receipt AND number NOT IN "  # noqa: S608  our own names
        "(SELECT number FROM receipts) ORDER BY number"
    )
    return [_event(row) for row in found]


def piece(connection: sqlite3.Connection, stream: Stream, run: str, first: int, last: int) -> list[Event]:
    """The events `first` to `last` (by `seq`) of a run of a stream."""
    found = connection.execute(
        f"SELECT {_FIELDS} FROM events WHERE stream = ? AND run = ? AND seq BETWEEN ? AND ? ORDER BY seq",  # noqa: S608
        (stream, run, first, last),
    )
    return [_event(row) for row in found]


def latest(connection: sqlite3.Connection, limit: int) -> list[Event]:
    """The last `limit` events, in order."""
    found = connection.execute(f"SELECT {_FIELDS} FROM {_EVERY} ORDER BY number DESC LIMIT ?", (limit,))  # noqa: S608
    return [_event(row) for row in found][::-1]


def everything(connection: sqlite3.Connection, table: str) -> Iterator[Event]:
    """All rows of `events` or `carried`, in order, one at a time."""
    for row in connection.execute(f"SELECT {_FIELDS} FROM {table} ORDER BY number"):  # noqa: S608  our own names
        yield _event(row)


def of_alarm(connection: sqlite3.Connection, alarm: str) -> Iterator[Event]:
    """The events of one alarm, in order."""
    for row in connection.execute(f"SELECT {_FIELDS} FROM events WHERE alarm = ? ORDER BY number", (alarm,)):  # noqa: S608
        yield _event(row)


def links(connection: sqlite3.Connection) -> dict[str, int]:
    """The hash of every event, and its number."""
    return dict(connection.execute("SELECT hash, number FROM events"))


def last_number(connection: sqlite3.Connection) -> int:
    """The highest number that was ever used here or in the file before."""
    found = connection.execute(
        "SELECT max(coalesce((SELECT max(number) FROM events), 0), coalesce((SELECT max(number) FROM carried), 0),"
        " coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'events'), 0),"
        " coalesce((SELECT CAST(value AS INTEGER) FROM meta WHERE key = 'floor'), 0))"
    )
    return int(found.fetchone()[0])


def heads(connection: sqlite3.Connection) -> dict[Stream, Head]:
    """The last event of each stream; of one with none here, the last of the file before, where it could be read."""
    result: dict[Stream, Head] = {}
    for stream in STREAMS:
        found = connection.execute(
            "SELECT run, seq, hash FROM events WHERE number = (SELECT max(number) FROM events WHERE stream = ?)",
            (stream,),
        ).fetchone()
        for key in (f"aged/{stream}", f"head/{stream}"):
            if found is None:
                found = connection.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
                found = found[0].split() if found else None
        if found is not None:
            result[stream] = Head(found[0], int(found[1]), found[2])
    return result


def aged(connection: sqlite3.Connection) -> tuple[dict[Stream, Head], int]:
    """The last event of each stream that left the record for its age, and how many left in all."""
    notes = meta(connection)
    gone: dict[Stream, Head] = {}
    for stream in STREAMS:
        if (written := notes.get(f"aged/{stream}")) is not None:
            run, seq, hash_ = written.split()
            gone[stream] = Head(run, int(seq), hash_)
    return gone, int(notes.get("aged", 0))


def forget_events(connection: sqlite3.Connection, anchors: Mapping[Stream, Head], total: int) -> None:
    """Delete each stream's events up to its anchor, and what is kept of their receipts. Raises sqlite3.Error."""
    connection.execute("BEGIN IMMEDIATE")
    for stream, head in anchors.items():
        connection.execute(
            "DELETE FROM events WHERE stream = ?1 AND number <= "
            "(SELECT number FROM events WHERE stream = ?1 AND run = ?2 AND seq = ?3)",
            (stream, head.run, head.seq),
        )
    connection.execute(
        "DELETE FROM receipts WHERE number NOT IN (SELECT number FROM events UNION ALL SELECT number FROM carried)"
    )
    notes = {f"aged/{stream}": f"{head.run} {head.seq} {head.hash}" for stream, head in anchors.items()}
    connection.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", (notes | {"aged": str(total)}).items())
    connection.execute("COMMIT")


def used_bytes(connection: sqlite3.Connection) -> int:
    """Of the file, what holds something: deleted events leave room in it that new ones take."""
    asked = ("page_count", "freelist_count", "page_size")
    pages, free, size = (int(connection.execute(f"PRAGMA {name}").fetchone()[0]) for name in asked)
    return (pages - free) * size


def forget_cursors(connection: sqlite3.Connection, sinks: frozenset[str]) -> None:
    """Those of other sinks; each is told in the log."""
    for sink, number in cursors(connection).items():
        if sink not in sinks:
            connection.execute("DELETE FROM cursors WHERE sink = ?", (sink,))
            log.warning("event=cursor-forgotten store=events sink=%s number=%d", sink, number)


def first_without_receipt(connection: sqlite3.Connection) -> dict[Stream, int]:
    found = connection.execute(
        "SELECT stream, min(number) FROM events WHERE needs_receipt AND number NOT IN (SELECT number FROM receipts) "
        "GROUP BY stream"
    )
    return dict(found.fetchall())


def alarms(connection: sqlite3.Connection) -> dict[str, bytes]:
    return dict(connection.execute("SELECT alarm, state FROM alarms"))


def cursors(connection: sqlite3.Connection) -> dict[str, int]:
    return dict(connection.execute("SELECT sink, number FROM cursors"))


def receipts_after(connection: sqlite3.Connection, number: int) -> dict[int, dict[str, int]]:
    found: dict[int, dict[str, int]] = {}
    for event, station, wall_ns in connection.execute(
        "SELECT number, station, wall_ns FROM receipts WHERE number > ? ORDER BY wall_ns", (number,)
    ):
        found.setdefault(event, {})[station] = wall_ns
    return found


def meta(connection: sqlite3.Connection) -> dict[str, str]:
    return dict(connection.execute("SELECT key, value FROM meta"))


def carry_over(connection: sqlite3.Connection, aside: Path | None, floor: int) -> None:
    """Begin a record: take over what can still be read of what the damaged file `aside` before it owed, if any.

    `floor` stands in for the last number where that cannot be read. Raises sqlite3.Error over the new file only.
    """
    if aside is None:
        return
    owed: list[Event] = []
    found: dict[str, Any] = {"heads": None, "last": floor, "alarms": {}, "cursors": {}, "receipts": []}
    with suppress(sqlite3.Error, OSError), closing(open_reader(aside)) as old:
        for name, ask in (("alarms", alarms), ("cursors", cursors), ("receipts", _receipts), ("heads", heads)):
            with suppress(sqlite3.Error):
                found[name] = ask(old)
        with suppress(sqlite3.Error):
            found["last"] = last_number(old)
        owed = _owed(old, min(found["cursors"].values(), default=0))
    connection.execute("BEGIN IMMEDIATE")
    insert(connection, "carried", owed)
    connection.executemany("INSERT INTO alarms VALUES (?, ?)", found["alarms"].items())
    connection.executemany("INSERT INTO cursors VALUES (?, ?)", found["cursors"].items())
    connection.executemany("INSERT INTO receipts VALUES (?, ?, ?, ?)", found["receipts"])
    notes = {"after": aside.name, "floor": str(found["last"])}
    for stream in STREAMS if found["heads"] is None else ():
        notes[f"anchor/{stream}"] = "?"
    for stream, head in (found["heads"] or {}).items():
        notes[f"anchor/{stream}"] = head.hash
        notes[f"head/{stream}"] = f"{head.run} {head.seq} {head.hash}"
    connection.executemany("INSERT INTO meta VALUES (?, ?)", notes.items())
    connection.execute("COMMIT")


def _receipts(connection: sqlite3.Connection) -> list[tuple[int, str, str, int]]:
    return list(connection.execute("SELECT number, station, hash, wall_ns FROM receipts"))


def _owed(old: sqlite3.Connection, cursor: int) -> list[Event]:
    """Row by row until the damage: what needs a receipt first, then the newest, which somebody waits for."""
    owed: list[Event] = []
    with suppress(sqlite3.Error, ValueError):
        for row in old.execute(
            f"SELECT {_FIELDS} FROM {_EVERY} WHERE number > ? OR (needs_receipt AND number NOT IN "  # noqa: S608
            "(SELECT number FROM receipts)) ORDER BY needs_receipt DESC, number DESC LIMIT ?",
            (cursor, MOST_CARRIED),
        ):
            owed.append(_event(row))  # noqa: PERF401  what was read before the damage counts
    return owed
