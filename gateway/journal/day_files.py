"""The files of the days, `readings-DATE.db`, and what is left of them after years, `minutes-MONTH.db`, as readers open
them: one connection each, while it is the same file.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

from gateway.journal.database import open_reader, takes_changes


def day_files(directory: Path) -> list[Path]:
    """The files of all days, oldest first."""
    return sorted(directory.glob("readings-????-??-??.db"))


def month_files(directory: Path) -> list[Path]:
    """The minute records of days whose readings are gone, a file a month, oldest first."""
    return sorted(directory.glob("minutes-????-??.db"))


class DayFiles:
    """Connections for reading. One a thread. `written`: this process writes the newest of them. `months` too."""

    def __init__(self, directory: Path, *, written: bool, months: bool = False) -> None:
        self._directory, self._written, self._months = directory, written, months
        self._open: dict[Path, tuple[int, sqlite3.Connection]] = {}

    def paths(self) -> list[Path]:
        return [*(month_files(self._directory) if self._months else ()), *day_files(self._directory)]

    def connection(self, path: Path) -> sqlite3.Connection:
        """Raises sqlite3.Error, OSError."""
        inode = path.stat().st_ino
        known = self._open.get(path)
        if known is not None and known[0] == inode:
            return known[1]
        self.let_go(path)
        if self._written and not takes_changes(self._directory):  # see journal/reader.py
            raise sqlite3.OperationalError("the card refuses changes")
        self._open[path] = inode, open_reader(path, written=self._written)
        return self._open[path][1]

    def let_go(self, path: Path) -> None:
        known = self._open.pop(path, None)
        if known is not None:
            known[1].close()

    def close(self) -> None:
        while self._open:
            self._open.popitem()[1][1].close()
