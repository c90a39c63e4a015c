"""Old events leave the record, oldest first, and only as a signed event has said they would.

    writer: what may go --AgedOut--> engine: an event `record-aged` with the anchors --> on the card --> rows deleted

Of each stream a beginning goes, so that what remains is one chain still: its first event names the anchor. Nothing
goes that some sink has no proof for, that needs a receipt and has none, or that is of an alarm that still stands.
"""

from __future__ import annotations

import heapq
import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from drivers.quantities import Stream
from gateway.journal import events_table as table
from gateway.journal.chain import Head
from gateway.moment import NANO, Clock, ClockState, Moment
from gateway.values import STREAMS, AgedOut, Event

ALARM = "record-aged"  # the alarm's name of the events that state what left
LOOK_EVERY_S = 3600.0
MOST = 1000  # events at a time: a commit of an alarm waits for no longer than these take
FREED = 0.1  # of the bytes allowed, so that not every event makes another one go
ROW_BYTES = 600  # of a row and its indices, beside the body
DAY_NS = 86_400 * NANO


@dataclass(frozen=True, slots=True)
class KeepEvents:
    """How long events stay. Neither age nor bytes take what is undelivered, unreceipted or stands."""

    days: int = 1100
    bytes: int = 512 * 1024 * 1024


class EventAgeing:
    """Owned by the thread that writes events, whose connection is passed in. Raises sqlite3.Error."""

    def __init__(self, keep: KeepEvents, clock: Clock, tell: Callable[[object], None]) -> None:
        self._keep, self._clock, self._tell = keep, clock, tell
        self._looked: Moment | None = None
        self._asked: AgedOut | None = None  # waits for its event
        self._stated: AgedOut | None = None  # its event is on the card

    def on_card(self, events: Iterable[Event]) -> None:
        """These have just been committed."""
        asked = self._asked
        if asked is not None and any(event.alarm == ALARM and anchors_of(event) == asked.anchors for event in events):
            self._asked, self._stated = None, asked

    def turn(self, connection: sqlite3.Connection, sinks: frozenset[str] | None) -> None:
        """Whatever is due. `sinks`: those of the configuration in force; None: not known, so that nothing may go."""
        now = self._clock.now()
        if self._stated is not None:
            table.forget_events(connection, self._stated.anchors, self._stated.total)
            self._stated = self._looked = None  # there may be more
        if sinks is None or (self._looked is not None and now.seconds_since(self._looked) < LOOK_EVERY_S):
            return
        self._looked = now
        self._asked = self._propose(connection, sinks, now)
        if self._asked is not None:
            self._tell(self._asked)

    def _propose(self, connection: sqlite3.Connection, sinks: frozenset[str], now: Moment) -> AgedOut | None:
        # Of a clock that nobody has set no age can be told.
        trusted = now.clock is ClockState.SYNCHRONISED
        before_ns = now.wall_ns - self._keep.days * DAY_NS if trusted else 0
        used = table.used_bytes(connection)
        excess = used - round((1 - FREED) * self._keep.bytes) if used > self._keep.bytes else 0
        oldest = connection.execute("SELECT wall_ns FROM events ORDER BY number LIMIT 1").fetchone()
        if oldest is None or (oldest[0] >= before_ns and not excess):
            return None
        anchors: dict[Stream, Head] = {}
        count = newest_ns = 0
        for stream, head, wall_ns, size in _free(connection, sinks, before_ns, whole=excess > 0):
            if wall_ns >= before_ns and excess <= 0:
                break
            anchors[stream] = head
            count, newest_ns, excess = count + 1, max(newest_ns, wall_ns), excess - size
            if count == MOST:
                break
        if not count:
            return None
        gone, total = table.aged(connection)
        return AgedOut(gone | anchors, count, total + count, newest_ns, now)


def anchors_of(event: Event) -> dict[Stream, Head] | None:
    """The last event of each stream that had gone when this one was made; None where it does not say so."""
    try:
        stated = json.loads(event.body)["details"]["anchors"]
        return {stream: Head(each["run"], each["seq"], each["hash"]) for stream, each in stated.items()}
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


_Row = tuple[int, Stream, Head, int, int]


def _free(
    connection: sqlite3.Connection, sinks: frozenset[str], before_ns: int, *, whole: bool
) -> Iterator[tuple[Stream, Head, int, int]]:
    """What may go, in its order: stream, itself as an anchor, when it was, bytes. `whole`: whatever its age."""
    proven = table.cursors(connection)
    limit = min((proven.get(sink, 0) for sink in sinks), default=table.last_number(connection))
    held = table.first_without_receipt(connection)
    for stream, number in _standing(connection):
        held[stream] = min(number, held.get(stream, number))

    def of(stream: Stream) -> Iterator[_Row]:
        last = min(limit, held.get(stream, limit + 1) - 1)
        for number, run, seq, hash_, wall_ns, size in connection.execute(
            "SELECT number, run, seq, hash, wall_ns, length(body) FROM events WHERE stream = ? AND number <= ? "
            "ORDER BY number LIMIT ?",
            (stream, last, MOST),
        ):
            if wall_ns >= before_ns and not whole:
                return
            yield number, stream, Head(run, seq, hash_), wall_ns, size + ROW_BYTES

    for _, stream, head, wall_ns, size in heapq.merge(*map(of, STREAMS), key=lambda row: row[0]):
        yield stream, head, wall_ns, size


def _standing(connection: sqlite3.Connection) -> Iterator[tuple[Stream, int]]:
    """Of each alarm that stands, the first event of its present activation."""
    for alarm, state in table.alarms(connection).items():
        try:
            life = json.loads(state)["life"]
            activation = str(life["activation"]) if life["state"] != "normal" else None
        except (ValueError, KeyError, TypeError):
            activation = ""  # nothing is known of it: all of it stays
        if activation is not None:
            found = connection.execute(
                "SELECT stream, min(number) FROM events WHERE alarm = ? AND instr(body, ?) GROUP BY stream",
                (alarm, activation.encode()),
            )
            yield from found
