"""Reading the minute records, on the card and in the writer's memory: by time, or by the place of their commit."""

from __future__ import annotations

import heapq
import logging
import sqlite3
from collections.abc import Collection, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from gateway.environment.minute_maker import MinuteMaker
from gateway.environment.minutes import MINUTE_S, Minute, decode, text_of
from gateway.errors import Unavailable
from gateway.journal import blocks
from gateway.journal.database import open_reader
from gateway.journal.day_files import DayFiles, Memory, Waiting
from gateway.moment import NANO

log = logging.getLogger(__name__)

REPLAYED = 64  # blocks: four minutes of commits, so that the open minute is among them


class _Row(NamedTuple):
    first: int
    place: int
    data: bytes


class _Span(NamedTuple):
    """What a file holds: places, and starts of minutes."""

    low_place: int
    high_place: int
    first: int
    last: int


class MinutesReader:
    """One a thread; raises `Unavailable`. With a running writer it also sees what the card has refused so far."""

    def __init__(self, directory: Path, writer: Memory | None = None) -> None:
        self._writer = writer
        self._files: DayFiles[_Span | None] = DayFiles(directory, writer, months=True)

    def between(self, start_s: int, end_s: int, points: Collection[str] | None = None) -> Iterator[Minute]:
        """Records of minutes that start at or after `start_s` and before `end_s`, in the order of time."""
        pending: list[tuple[int, str, int, Minute]] = []
        count = 0
        for row in self._rows(start_s, end_s):
            while pending and pending[0][0] < row.first:
                yield heapq.heappop(pending)[-1]
            for minute in _decoded(row.place, row.data):
                if start_s <= minute.start_s < end_s and (points is None or minute.point in points):
                    count += 1
                    heapq.heappush(pending, (minute.start_s, minute.point, count, minute))
        while pending:
            yield heapq.heappop(pending)[-1]

    def recorded(self, start_s: int, end_s: int) -> Iterator[bytes]:
        """Commits with records of that time, as JSON exactly as recorded, by their earliest minute."""
        return (text_of(row.data) for row in self._rows(start_s, end_s))

    def after(self, place: int, limit: int) -> list[tuple[int, list[Minute]]]:
        """Up to `limit` commits after `place` that have records, each with its place."""
        found = {b.place: b.minutes for b in self._memory() if b.place > place and b.minutes}
        committed = self._writer.committed if self._writer is not None else None
        if committed is None or place < committed:
            try:
                for path, span in self._spans():
                    if span.high_place <= place:
                        self._files.rest(path)
                        continue
                    question = "SELECT place, data FROM minutes WHERE place > ? ORDER BY place LIMIT ?"
                    found |= self._files.rows(path, question, (place, limit))
            except (sqlite3.Error, OSError) as error:
                raise self._unavailable(error) from error
        return [(at, _decoded(at, found[at])) for at in sorted(found)[:limit]]

    def completed(self, place: int, minutes: Sequence[Minute]) -> list[Minute]:
        """These records of the commit at `place`, and whatever other commits have of the same minutes of the same
        devices: one that was lived twice (the clock was set back), or of which a reading came late.
        """
        wanted = {(_device(minute), minute.start_s) for minute in minutes}
        starts = {start_s for _, start_s in wanted}
        rows = {row.place: row.data for start_s in starts for row in self._rows(start_s, start_s + 1)}
        others = {at: _decoded(at, data) for at, data in rows.items() if at != place}
        whole = {at: [m for m in found if (_device(m), m.start_s) in wanted] for at, found in others.items()}
        whole[place] = list(minutes)
        return [minute for at in sorted(whole) for minute in whole[at]]

    def before(self, place: int) -> list[Minute]:
        """The records of the last commit that has some and does not lie after `place`."""
        waiting = [b for b in self._memory() if b.place <= place and b.minutes]
        if waiting:
            return _decoded(waiting[-1].place, waiting[-1].minutes)
        question = "SELECT place, data FROM minutes WHERE place <= ? ORDER BY place DESC LIMIT 1"
        found: list[tuple[int, bytes]] = []
        try:
            nearest = ((min(span.high_place, place), path) for path, span in self._spans() if span.low_place <= place)
            for at_most, path in sorted(nearest, reverse=True):
                if found and found[0][0] >= at_most:
                    break
                found = sorted([*found, *self._files.rows(path, question, (place,))])[-1:]
                self._files.rest(path)
        except (sqlite3.Error, OSError) as error:
            raise self._unavailable(error) from error
        return _decoded(*found[0]) if found else []

    def newest(self) -> int:
        """The place of the newest records; 0 when there are none."""
        if self._writer is not None and self._writer.newest_minutes is not None:
            return self._writer.newest_minutes
        waiting = [b.place for b in self._memory() if b.minutes]
        try:
            return max([*waiting, *(span.high_place for _, span in self._spans()), 0])
        except (sqlite3.Error, OSError) as error:
            raise self._unavailable(error) from error

    def close(self) -> None:
        self._files.close()

    # ---- inside -----------------------------------------------------------------------------------------------

    def _memory(self) -> Sequence[Waiting]:
        return self._writer.memory if self._writer is not None else ()

    def _rows(self, start_s: int, end_s: int) -> Iterator[_Row]:
        """Commits that may hold such minutes, by their earliest one."""
        # Memory first: a commit goes from there to the card and never back, so none can be missed between the two.
        waiting = [b for b in self._memory() if b.minutes and b.first < end_s and b.last >= start_s]
        known = {b.place for b in waiting}
        try:
            memory = sorted(_Row(b.first, b.place, b.minutes) for b in waiting)
            before = None
            for row in heapq.merge(memory, self._on_card(start_s, end_s)):
                # A day that is just being thinned is in its own file and in its month's.
                if (isinstance(row, _Row) or row[1] not in known) and row[:2] != before:
                    yield _Row(*row)
                before = row[:2]
        except (sqlite3.Error, OSError) as error:
            raise self._unavailable(error) from error

    def _on_card(self, start_s: int, end_s: int) -> Iterator[tuple[int, int, bytes]]:
        """Files that overlap in time are read beside each other, the others one after the other: a year needs no more
        memory than a day.
        """
        spans = [(span.first, span.last, path) for path, span in self._spans()]
        beside: list[Path] = []
        upto_s = 0
        for first, last, path in sorted(spans):
            if first >= end_s or last < start_s:
                continue
            if beside and first > upto_s:
                yield from self._merged(beside, start_s, end_s)
                beside = []
            beside.append(path)
            upto_s = max(upto_s, last)
        yield from self._merged(beside, start_s, end_s)

    def _merged(self, paths: Sequence[Path], start_s: int, end_s: int) -> Iterator[tuple[int, int, bytes]]:
        question = "SELECT first, place, data FROM minutes WHERE first < ? AND last >= ? ORDER BY first, place"
        yield from heapq.merge(*(self._files.rows(path, question, (end_s, start_s)) for path in paths))
        for path in paths:
            self._files.rest(path)

    def _spans(self) -> Iterator[tuple[Path, _Span]]:
        """Of every file that has minute records. Raises sqlite3.Error, OSError."""
        for path in self._files.paths():
            span = self._files.span(path, _span)
            if self._writer is None:
                self._files.rest(path)
            if span is not None:
                yield path, span

    def _unavailable(self, error: Exception) -> Unavailable:
        self.close()
        return Unavailable(f"minutes: {error}")


def _span(connection: sqlite3.Connection) -> _Span | None:
    """None for a file without minute records. Raises sqlite3.Error."""
    if not _has_minutes(connection):
        return None
    found = connection.execute("SELECT min(place), max(place), min(first), max(last) FROM minutes").fetchone()
    return None if found[0] is None else _Span(*found)


def replay(files: Sequence[Path], maker: MinuteMaker) -> None:
    """Give `maker` the readings of the last commits that no record holds yet: the minute that a restart cut in two.
    `files`: those with the last commits, in their order.

    What the card cannot give counts as nothing: the next record then says what is missing.
    """
    found: dict[int, bytes] = {}
    recorded: dict[tuple[str, int], int] = {}
    for path in files:
        try:
            with closing(open_reader(path)) as connection:
                found |= connection.execute(
                    "SELECT place, data FROM blocks WHERE count > 0 ORDER BY place DESC LIMIT ?", (REPLAYED,)
                )
                rows = []
                if _has_minutes(connection):
                    rows = connection.execute(
                        "SELECT place, data FROM minutes ORDER BY place DESC LIMIT ?", (REPLAYED,)
                    ).fetchall()
        except (sqlite3.Error, OSError) as error:
            log.warning("event=not-replayed file=%s error=%r", path.name, str(error))
            continue
        for place, data in reversed(rows):
            for minute in _decoded(place, data):
                recorded[minute.point, minute.start_s] = place
                maker.recorded(minute)
    for place in sorted(found)[-REPLAYED:]:
        try:
            answers = blocks.decode(found[place])
        except ValueError as error:
            log.warning("event=bad-block place=%d error=%r", place, str(error))
            continue
        for reading in (reading for answer in answers for reading in answer.readings):
            start_s = reading.at.wall_ns // NANO // MINUTE_S * MINUTE_S
            if recorded.get((reading.point, start_s), -1) < place:
                maker.add(reading)


def _has_minutes(connection: sqlite3.Connection) -> bool:
    """Files of the first version have only blocks."""
    return bool(connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'minutes'").fetchone())


def _device(minute: Minute) -> str:
    return minute.point.partition("/")[0]


def _decoded(place: int, data: bytes) -> list[Minute]:
    try:
        return decode(data)
    except ValueError as error:
        log.warning("event=bad-minutes place=%d error=%r", place, str(error))
        return []
