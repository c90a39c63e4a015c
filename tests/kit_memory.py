"""Journals in memory, for what is delivered from them."""

from __future__ import annotations

from collections.abc import Sequence

from gateway.environment.minutes import Minute
from gateway.values import Event, Readings

BLOCK_MS = 4_000  # places are milliseconds: the first block lies at 4000, the second at 8000


class MemoryJournal:
    """What the journals answer, from lists: `events` and blocks of `readings`."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.blocks: list[list[Readings]] = []
        self.cursors: dict[str, int] = {}
        self.minutes: dict[int, list[Minute]] = {}  # by place
        self.reading_cursors: dict[str, int] = {}

    @property
    def newest_place(self) -> int:
        return BLOCK_MS * len(self.blocks)

    def after(self, number: int, limit: int) -> list[Event]:
        return [event for event in self.events if event.number > number][:limit]

    def awaiting_receipt(self) -> list[Event]:
        return [event for event in self.events if event.needs_receipt]

    def piece(self, stream: str, run: str, first: int, last: int) -> list[Event]:
        return [e for e in self.events if (e.stream, e.run) == (stream, run) and first <= e.seq <= last]

    def cursor(self, sink: str) -> int:
        return self.cursors.get(sink, 0)

    def last(self) -> tuple[int, None]:
        return max((event.number for event in self.events), default=0), None

    def close(self) -> None:
        """Nothing is open."""

    def advance(self, sink: str, number: int) -> None:
        self.cursors[sink] = number

    def advance_readings(self, sink: str, place: int) -> None:
        self.reading_cursors[sink] = place


class MemoryReadings:
    def __init__(self, journal: MemoryJournal) -> None:
        self._journal = journal

    def after(self, place: int, limit: int) -> list[tuple[int, list[Readings]]]:
        first = place // BLOCK_MS
        return [(BLOCK_MS * n, block) for n, block in enumerate(self._journal.blocks, 1)][first : first + limit]

    def cursor(self, sink: str) -> int:
        return self._journal.reading_cursors.get(sink, 0)

    def newest(self) -> int:
        return self._journal.newest_place

    def close(self) -> None:
        """Nothing is open."""


class MemoryMinutes:
    def __init__(self, journal: MemoryJournal) -> None:
        self._journal = journal

    def after(self, place: int, limit: int) -> list[tuple[int, list[Minute]]]:
        return [(at, found) for at, found in sorted(self._journal.minutes.items()) if at > place][:limit]

    def completed(self, _place: int, minutes: Sequence[Minute]) -> Sequence[Minute]:
        starts = {minute.start_s for minute in minutes}
        return [m for _, found in sorted(self._journal.minutes.items()) for m in found if m.start_s in starts]

    def newest(self) -> int:
        return max(self._journal.minutes, default=0)

    def close(self) -> None:
        """Nothing is open."""
