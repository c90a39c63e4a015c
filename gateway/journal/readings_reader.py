"""Reading the record of readings, on the card and in the writer's memory, as one sequence of blocks."""

from __future__ import annotations

import json
import logging
import sqlite3
from collections.abc import Sequence
from pathlib import Path

from gateway.errors import Unavailable
from gateway.journal import blocks
from gateway.journal.day_files import DayFiles, Memory, Waiting
from gateway.values import Readings

log = logging.getLogger(__name__)

CROWDED_MS = 1000  # blocks are seconds apart while the clock goes on


def _decoded(place: int, data: bytes) -> list[Readings]:
    try:
        return blocks.decode(data)
    except ValueError as error:
        log.warning("event=bad-block place=%d error=%r", place, str(error))
        return []


def last_row(connection: sqlite3.Connection) -> tuple[int, dict[str, int]]:
    """The last place of a file, and the last cursors that it knows. Raises sqlite3.Error, ValueError."""
    place = connection.execute("SELECT coalesce(max(place), 0) FROM blocks").fetchone()[0]
    found = connection.execute("SELECT cursors FROM blocks WHERE cursors != '' ORDER BY place DESC LIMIT 1").fetchone()
    return int(place), json.loads(found[0]) if found else {}


class ReadingsReader:
    """Blocks of readings in the order in which they were kept. One reader a thread; raises `Unavailable`.

    With a running writer it also sees what the card has refused so far: a live sink goes on from memory.
    """

    def __init__(self, directory: Path, writer: Memory | None = None) -> None:
        self._writer = writer
        self._files: DayFiles[tuple[int, int]] = DayFiles(directory, writer)

    def after(self, place: int, limit: int) -> list[tuple[int, list[Readings]]]:
        """Up to `limit` blocks after `place`, each with its place."""
        # Memory first: a block goes from there to the card and never back, so none can be missed between the two.
        found = {b.place: b.data for b in self._memory() if b.place > place and b.count}
        if not self._all_in_memory(place):
            try:
                self._add_from_card(found, place, limit)
            except (sqlite3.Error, OSError) as error:
                self.close()
                raise Unavailable(f"readings: {error}") from error
        return [(at, _decoded(at, found[at])) for at in sorted(found)[:limit]]

    def last(self, limit: int, place: int = 0) -> list[tuple[int, list[Readings]]]:
        """Up to `limit` of the newest blocks after `place`, oldest first, each with its place."""
        found = {b.place: b.data for b in self._memory() if b.place > place and b.count}
        question = "SELECT place, data FROM blocks WHERE place > ? AND count > 0 ORDER BY place DESC LIMIT ?"
        try:
            for path in self._latest() if len(found) < limit and not self._all_in_memory(place) else ():
                found.update(self._files.rows(path, question, (place, limit)))
                self._files.rest(path)
        except (sqlite3.Error, OSError) as error:
            self.close()
            raise Unavailable(f"readings: {error}") from error
        return [(at, _decoded(at, found[at])) for at in sorted(found)[-limit:]]

    def crowded(self, place: int) -> int | None:
        """The first place after this one with another less than a second before it: places that wait for a clock that
        was set back to come up to them, so that older times may lie there. None: they go with the clock to the end.
        """
        question = """SELECT place FROM blocks AS later WHERE place > ? AND EXISTS (SELECT 1 FROM blocks
                      WHERE place BETWEEN later.place - ? AND later.place - 1) ORDER BY place LIMIT 1"""
        try:
            found: list[tuple[int]] = []
            for path in self._files.paths():
                found += self._files.rows(path, question, (place, CROWDED_MS))
                self._files.rest(path)
        except (sqlite3.Error, OSError) as error:
            self.close()
            raise Unavailable(f"readings: {error}") from error
        return min(found)[0] if found else None

    def cursor(self, sink: str) -> int:
        """Up to where `sink` has proof, as far as the card knows."""
        return max((cursors.get(sink, 0) for _, cursors in self._last_rows()), default=0)

    def newest(self) -> int:
        """The place of the newest block; 0 when there is none."""
        if self._writer is not None and self._writer.newest is not None:
            return self._writer.newest
        waiting = [b.place for b in self._memory() if b.count]
        return max([*waiting, *(self._newest_of(path) for path in self._latest()), 0])

    def close(self) -> None:
        self._files.close()

    # ---- inside -----------------------------------------------------------------------------------------------

    def _memory(self) -> Sequence[Waiting]:
        return self._writer.memory if self._writer is not None else ()

    def _all_in_memory(self, place: int) -> bool:
        """Then the card is not asked: it may be failing."""
        committed = self._writer.committed if self._writer is not None else None
        return committed is not None and place >= committed

    def _latest(self) -> set[Path]:
        """The files that can hold the newest block: the last ones, and the one that is written."""
        current = self._writer.current if self._writer is not None else None
        paths = self._files.paths()
        return {*paths[-2:], *(path for path in paths if path == current)}

    def _add_from_card(self, found: dict[int, bytes], place: int, limit: int) -> None:
        spans = ((self._files.span(path, _places), path) for path in self._files.paths())
        read: dict[int, bytes] = {}
        for (first, last), path in sorted((span, path) for span, path in spans if span is not None):
            if len(read) >= limit and first > sorted(read)[limit - 1]:
                break
            if last <= place:
                self._files.rest(path)
                continue
            question = "SELECT place, data FROM blocks WHERE place > ? AND count > 0 ORDER BY place LIMIT ?"
            read.update(self._files.rows(path, question, (place, limit)))
        found.update(read)

    def _last_rows(self) -> list[tuple[int, dict[str, int]]]:
        try:
            found = []
            for path in self._latest():
                row = self._files.ask(path, last_row)
                self._files.rest(path)
                if row is not None:
                    found.append(row)
        except (sqlite3.Error, OSError, ValueError) as error:
            self.close()
            raise Unavailable(f"readings: {error}") from error
        return found

    def _newest_of(self, path: Path) -> int:
        try:
            place = self._files.ask(path, _newest_place)
            self._files.rest(path)
        except (sqlite3.Error, OSError) as error:
            self.close()
            raise Unavailable(f"readings: {error}") from error
        return place or 0


def _newest_place(connection: sqlite3.Connection) -> int:
    row = connection.execute("SELECT max(place) FROM blocks WHERE count > 0").fetchone()
    return int(row[0] or 0)


def _places(connection: sqlite3.Connection) -> tuple[int, int]:
    """The first and the last of a file."""
    row = connection.execute(
        "SELECT coalesce((SELECT min(place) FROM blocks), 0), coalesce((SELECT max(place) FROM blocks), 0)"
    )
    first, last = row.fetchone()
    return first, last
