"""Delivery to InfluxDB, from the record's cursors, in a thread of its own, for ever.

A cursor moves when the server has taken what stands before it. Live readings go first, older ones at a set rate. What
the server will never take is isolated by halving, put into quarantine with its reason, and passed over. While the
server is away nothing is kept in memory but what was being written: the record is the queue.

    record -> Telemetry (live, backlog) -> lines -> Database.write -> cursor
                                  halves <- LinesRefused   LinkLost -> rest, and again
"""

from __future__ import annotations

import logging
import random
import sqlite3
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from gateway.configuration import config
from gateway.environment.minutes import Minute
from gateway.errors import Unavailable
from gateway.moment import Clock, Moment
from gateway.payloads import Below
from gateway.sinks import line_protocol
from gateway.sinks.feeder import EventSource, ReadingSource
from gateway.sinks.line_protocol import Labels
from gateway.sinks.quarantine import Quarantine
from gateway.sinks.supply import Cursors
from gateway.sinks.telemetry import Allowance, ReadingsWish, Telemetry
from gateway.sinks.troubles import LinesRefused, LinkLost
from gateway.values import PointsRefused, SinkState

log = logging.getLogger(__name__)

NAME = "influxdb"
LOOK_EVERY_S = 2.0  # for what is new in the record
RATE_EVERY_S = 0.1  # for whether the backlog may go on
AGAIN_S = 5.0  # after the record could not be read
FIRST_DELAY_S, LAST_DELAY_S = 1.0, 60.0  # between tries while the server is away, real seconds
REFUSED_DELAY_S = 60.0  # where only a person can mend it
LINES = 5_000  # in one request
EVENTS = 500  # read at a time
TELL_EVERY_S = 600.0  # of points that were refused, at most so often


class Writer(Protocol):
    """`influx_client.Database`."""

    def write(self, lines: bytes) -> None: ...
    def close(self) -> None: ...


class MinuteSource(Protocol):
    """Minute records, each under the place of the block that it was kept with."""

    def after(self, place: int, limit: int) -> Sequence[tuple[int, Sequence[Minute]]]: ...
    def completed(self, place: int, minutes: Sequence[Minute]) -> Sequence[Minute]: ...
    def newest(self) -> int: ...
    def close(self) -> None: ...


class Record(NamedTuple):
    """The open record, of one thread."""

    events: EventSource
    readings: ReadingSource
    minutes: MinuteSource


@dataclass(frozen=True, slots=True)
class Sources:
    """How to open the record; opened in the sink's thread, and again after an error."""

    events: Callable[[], EventSource]
    readings: Callable[[], ReadingSource]
    minutes: Callable[[], MinuteSource]

    def open(self) -> Record:
        return Record(self.events(), self.readings(), self.minutes())


class InfluxSink:
    """`tell` takes SinkState and PointsRefused for the engine; the cursor moves go on the journals' queues."""

    def __init__(
        self,
        settings: config.InfluxDb,
        labels: Labels,
        sources: Sources,
        cursors: Cursors,
        quarantine: Quarantine,
        *,
        clock: Clock,
        tell: Callable[[object], None],
    ) -> None:
        self._settings = settings
        self._labels = labels
        self._sources = sources
        self._cursors = cursors
        self._quarantine = quarantine
        self._clock = clock
        self._tell = tell

        self._record: Record | None = None
        self._begun = False
        self._well = True
        self._telemetry = Telemetry(Allowance(settings.backlog_rate))
        self._look_due_ns = 0
        self._event_cursor = 0
        self._event_upto = 0  # where the cursor stands once `_event_pieces` are written
        self._event_pieces: deque[bytes] = deque()
        self._told_cursors: tuple[int, int | None] = (0, None)
        self._state: tuple[str, str] | None = None
        self._refused = 0  # points, not told yet
        self._refused_told: Moment | None = None

    # ---- the thread ----------------------------------------------------------------------------------------------

    def run(self, stop: threading.Event) -> None:
        self._say("connecting", "")
        delay_s = FIRST_DELAY_S
        try:
            while not stop.is_set():
                try:
                    self._connected(stop)
                except LinkLost as lost:
                    if self._state is not None and self._state[0] == "connected":
                        delay_s = FIRST_DELAY_S
                    self._say(lost.state, lost.detail)
                    least_s = REFUSED_DELAY_S if lost.state == "refused" else lost.rest_s
                    stop.wait(max(delay_s, least_s) * random.uniform(1.0, 1.4))  # noqa: S311  spreads venues
                    delay_s = min(2 * delay_s, LAST_DELAY_S)
        finally:
            self._close()
        self._say("stopped", "")

    def _connected(self, stop: threading.Event) -> None:
        """Write until the server fails; the client is thrown away then, and its files are read anew."""
        from gateway.sinks.influx_client import Database  # noqa: PLC0415  18 MiB that only this needs

        database = Database(self._settings, self._clock.now)
        try:
            while not stop.is_set():
                if not self._turn(database):
                    stop.wait(self._clock.pause(RATE_EVERY_S if self._telemetry.behind() else LOOK_EVERY_S))
        finally:
            database.close()

    def _turn(self, database: Writer) -> bool:
        """Look into the record when it is time, write one piece; False when nothing waits now."""
        now = self._clock.now()
        try:
            self._look(now)
        except (Unavailable, sqlite3.Error, OSError) as error:
            self._unreadable(error, now)
        written = self._write_events(database, now) or self._write_readings(database, now)
        self._move_cursors()
        return written

    # ---- the record ----------------------------------------------------------------------------------------------

    def _look(self, now: Moment) -> None:
        """Raises `Unavailable`, sqlite3.Error, OSError."""
        if now.mono_ns < self._look_due_ns and not self._telemetry.behind():
            return
        record = self._record = self._record or self._sources.open()
        if not self._begun:
            self._event_cursor = self._event_upto = record.events.cursor(NAME)
            self._telemetry.begin(record.readings.cursor(NAME))
            self._begun = True
        if now.mono_ns >= self._look_due_ns:
            self._look_due_ns = now.after(LOOK_EVERY_S).mono_ns
            self._look_for_events(record.events)
            self._telemetry.grown(max(record.readings.newest(), record.minutes.newest()))
        while (wish := self._telemetry.wish(now)) is not None:
            try:
                self._fetch(record, wish)
            except (Unavailable, sqlite3.Error, OSError):
                self._telemetry.not_filled(wish)
                raise
        if not self._well:
            log.info("event=journal-readable sink=%s", NAME)
        self._well = True

    def _look_for_events(self, source: EventSource) -> None:
        if self._event_pieces:
            return
        events = source.after(self._event_cursor, EVENTS)
        if events:
            self._event_upto = events[-1].number
            self._event_pieces.extend(_requests(line_protocol.of_events(events, self._labels)))
            if len(events) == EVENTS:
                self._look_due_ns = 0

    def _fetch(self, record: Record, wish: ReadingsWish) -> None:
        blocks = [block for block in record.readings.after(wish.low, wish.limit) if block[0] <= wish.high]
        commits = [commit for commit in record.minutes.after(wish.low, wish.limit) if commit[0] <= wish.high]
        upto = min(found[-1][0] if len(found) == wish.limit else wish.high for found in (blocks, commits))
        answers = [answer for place, block in blocks if place <= upto for answer in block]
        lines = line_protocol.of_readings(answers, self._labels)
        count = sum(len(answer.readings) for answer in answers)
        for place, commit in commits:
            if place <= upto:  # a line takes the place of one of the same minute: it has all of it
                lines += line_protocol.of_minutes(record.minutes.completed(place, commit), self._labels)
                count += len(commit)
        self._telemetry.fill(wish, upto, [Below(NAME, request) for request in _requests(lines)], count)

    def _unreadable(self, error: Exception, now: Moment) -> None:
        if self._well:
            log.warning("event=journal-unreadable sink=%s error=%r", NAME, str(error))
        self._well = False
        self._look_due_ns = now.after(AGAIN_S).mono_ns
        self._close()

    def _close(self) -> None:
        record, self._record = self._record, None
        for source in record or ():
            source.close()

    def _move_cursors(self) -> None:
        if not self._begun:
            return
        if not self._event_pieces:
            self._event_cursor = self._event_upto
        reached = (self._event_cursor, self._telemetry.cursor())
        if reached[0] != self._told_cursors[0]:
            self._cursors.events(NAME, reached[0])
        if reached[1] != self._told_cursors[1] and reached[1] is not None and self._cursors.readings is not None:
            self._cursors.readings(NAME, reached[1])
        self._told_cursors = reached

    # ---- writing -------------------------------------------------------------------------------------------------

    def _write_events(self, database: Writer, now: Moment) -> bool:
        if not self._event_pieces:
            return False
        rest = self._attempt(database, self._event_pieces[0], now)
        self._event_pieces.popleft()
        self._event_pieces.extendleft(reversed(rest))
        return True

    def _write_readings(self, database: Writer, now: Moment) -> bool:
        found = self._telemetry.next(historical=False) or self._telemetry.next(historical=True)
        if found is None:
            return False
        parcel, message = found
        try:
            rest = self._attempt(database, message.payload, now)
        except LinkLost:
            self._telemetry.put_back(parcel, message)
            raise
        if rest:
            self._telemetry.put_back(parcel, *(Below(NAME, part) for part in rest))
        else:
            self._telemetry.acked(parcel, taken=True)
        return True

    def _attempt(self, database: Writer, request: bytes, now: Moment) -> list[bytes]:
        """What is left to be written of a request: nothing, or its two halves. Raises `LinkLost`."""
        try:
            database.write(request)
        except LinesRefused as refused:
            lines = request.decode().split("\n")
            if len(lines) > 1 and (refused.dropped is None or refused.dropped < len(lines)):
                half = len(lines) // 2
                return ["\n".join(part).encode() for part in (lines[:half], lines[half:])]
            self._put_aside(lines, refused.reason, now)
        else:
            self._say("connected", self._settings.url)
        return []

    def _put_aside(self, lines: Sequence[str], reason: str, now: Moment) -> None:
        """All lines of a request were refused."""
        self._quarantine.put(lines, reason, now)
        self._refused += len(lines)
        if self._refused_told is None or now.seconds_since(self._refused_told) >= TELL_EVERY_S:
            log.warning("event=points-refused sink=%s count=%d reason=%r", NAME, self._refused, reason)
            self._tell(PointsRefused(NAME, self._refused, reason, now))
            self._refused, self._refused_told = 0, now

    def _say(self, state: Any, detail: str) -> None:
        """Tell and log a change; the same again is not news."""
        if self._state == (state, detail):
            return
        self._state = (state, detail)
        log.info("event=sink sink=%s state=%s detail=%r", NAME, state, detail)
        self._tell(SinkState(NAME, state, detail, self._clock.now()))


def _requests(lines: Sequence[str]) -> list[bytes]:
    return ["\n".join(lines[start : start + LINES]).encode() for start in range(0, len(lines), LINES)]
