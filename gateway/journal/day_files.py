"""The files of the days, `readings-DATE.db`, and what is left of them after years, `minutes-MONTH.db`, as readers open
them: one connection each, while it is the same file.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

from gateway.journal.database import is_damage, open_reader, takes_changes

log = logging.getLogger(__name__)

Span = TypeVar("Span")
Answer = TypeVar("Answer")


class Waiting(Protocol):
    """A block that is not on the card yet."""

    @property
    def place(self) -> int: ...
    @property
    def count(self) -> int: ...  # of readings; 0: there are only minute records in it
    @property
    def data(self) -> bytes: ...
    @property
    def first(self) -> int: ...  # start of the earliest minute record, seconds since 1970
    @property
    def last(self) -> int: ...  # … and of the latest
    @property
    def minutes(self) -> bytes: ...  # empty: no minute records in it


class Memory(Protocol):
    """What readers ask of a running writer: blocks that are not on the card yet, and what it does with the files."""

    @property
    def memory(self) -> Sequence[Waiting]: ...
    @property
    def current(self) -> Path | None: ...  # the file that is written
    @property
    def committed(self) -> int | None: ...
    @property
    def newest(self) -> int | None: ...  # place of the newest readings; None: there were none in this run
    @property
    def newest_minutes(self) -> int | None: ...  # likewise of minute records
    @property
    def generation(self) -> int: ...  # another one whenever a file was changed that was not `current`, or is now


def day_files(directory: Path) -> list[Path]:
    """The files of all days, oldest first."""
    return sorted(directory.glob("readings-????-??-??.db"))


def month_files(directory: Path) -> list[Path]:
    """The minute records of days whose readings are gone, a file a month, oldest first."""
    return sorted(directory.glob("minutes-????-??.db"))


class DayFiles(Generic[Span]):
    """Connections for reading, and what is known of each file. One a thread. `writer`: of this process. `months` too.

    Beside a writer only the file that is written stays open: a record of years has hundreds. Of a file that is damaged
    there is what can be read of it, and none of the others waits for it.
    """

    def __init__(self, directory: Path, writer: Memory | None, *, months: bool = False) -> None:
        self._directory, self._writer, self._months = directory, writer, months
        self._open: dict[Path, tuple[int, sqlite3.Connection]] = {}
        self._spans: dict[Path, tuple[int, Span | None]] = {}  # of files that nobody writes, with their inode
        self._generation = 0
        self._damaged: set[Path] = set()

    def paths(self) -> list[Path]:
        return [*(month_files(self._directory) if self._months else ()), *day_files(self._directory)]

    def connection(self, path: Path) -> sqlite3.Connection:
        """Raises sqlite3.Error, OSError."""
        inode = path.stat().st_ino
        known = self._open.get(path)
        if known is not None and known[0] == inode:
            return known[1]
        self.let_go(path)
        written = self._writer is not None
        if written and not takes_changes(self._directory):  # see journal/reader.py
            raise sqlite3.OperationalError("the card refuses changes")
        self._open[path] = inode, open_reader(path, written=written)
        return self._open[path][1]

    def ask(self, path: Path, question: Callable[[sqlite3.Connection], Answer]) -> Answer | None:
        """None where the file is damaged. Raises sqlite3.Error, OSError."""
        try:
            return question(self.connection(path))
        except sqlite3.DatabaseError as error:
            self._pass_over(path, error)
            return None

    def rows(self, path: Path, question: str, values: Sequence[object]) -> Iterator[tuple[Any, ...]]:
        """In a damaged file what comes before the damage. Raises sqlite3.Error, OSError."""
        try:
            yield from self.connection(path).execute(question, values)
        except sqlite3.DatabaseError as error:
            self._pass_over(path, error)

    def span(self, path: Path, ask: Callable[[sqlite3.Connection], Span]) -> Span | None:
        """What `ask` finds in this file; it is asked once of a file that nobody writes.

        Raises sqlite3.Error, OSError.
        """
        writer = self._writer
        if writer is not None and writer.generation != self._generation:
            self._generation = writer.generation
            self._spans.clear()
        inode = path.stat().st_ino
        known = self._spans.get(path)
        if known is not None and known[0] == inode:
            return known[1]
        found = self.ask(path, ask)
        if writer is not None and writer.current not in {None, path}:
            self._spans[path] = (inode, found)
            self.let_go(path)
        return found

    def _pass_over(self, path: Path, error: sqlite3.DatabaseError) -> None:
        """Raises the error when it is no damage, or the writer's to mend: it puts the file aside that it writes."""
        damaged = is_damage(error) or not path.stat().st_size  # a cut can leave a file without anything in it
        if not damaged or (self._writer is not None and self._writer.current == path):
            raise error
        if path not in self._damaged:
            self._damaged.add(path)
            log.warning("event=damaged-file file=%s error=%r", path.name, str(error))
        self.let_go(path)

    def rest(self, path: Path) -> None:
        """Its readers are through with it: an open file keeps its pages in memory."""
        if self._writer is None or path != self._writer.current:
            self.let_go(path)

    def let_go(self, path: Path) -> None:
        known = self._open.pop(path, None)
        if known is not None:
            known[1].close()

    def close(self) -> None:
        while self._open:
            self._open.popitem()[1][1].close()
