"""What the keys mean. Pure: a key and the rows in, the choice and the note out."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from gateway.station.desk import Row

LONGEST_NOTE = 200


class Hand:
    """The officer's choice. It stays with its alarm when others come in above it."""

    def __init__(self) -> None:
        self.done = False
        self.note: str | None = None  # while it is being written
        self._place = 0
        self._of: tuple[str, str, str] | None = None

    def chosen(self, rows: Sequence[Row]) -> Row | None:
        """The chosen row; while a note is written, only the one that it was begun for."""
        for place, row in enumerate(rows):
            if _key(row) == self._of:
                self._place = place
                return row
        if self.note is not None or not rows:
            return None
        self._place = min(self._place, len(rows) - 1)
        self._of = _key(rows[self._place])
        return rows[self._place]

    def press(self, key: str, rows: Sequence[Row], acknowledge: Callable[[str, str, str, str | None], None]) -> None:
        """One character as the terminal sends it; arrows come as ESC [ A and ESC [ B."""
        if self.note is not None:
            self._write(key, rows, acknowledge)
        elif key == "q":
            self.done = True
        elif key == "a" and self.chosen(rows) is not None:
            self.note = ""
        elif key in "kjAB" and rows:
            self.chosen(rows)
            place = self._place + (1 if key in "jB" else -1)
            self._place = max(0, min(place, len(rows) - 1))
            self._of = _key(rows[self._place])

    def _write(self, key: str, rows: Sequence[Row], acknowledge: Callable[[str, str, str, str | None], None]) -> None:
        note = self.note or ""
        if key in "\r\n":
            row = self.chosen(rows)
            if row is not None:
                acknowledge(row.venue, row.stream, row.alarm, note.strip() or None)
            self.note = None
        elif key == "\x1b":
            self.note = None
        elif key in "\x7f\b":
            self.note = note[:-1]
        elif key.isprintable() and len(note) < LONGEST_NOTE:
            self.note = note + key


def _key(row: Row) -> tuple[str, str, str]:
    return row.venue, row.stream, row.alarm
