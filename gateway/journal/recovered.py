"""What a run finds of the runs before it, in `events.db`."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, field

from drivers.quantities import Stream
from gateway.journal import events_table as table
from gateway.journal.chain import Head


@dataclass(frozen=True, slots=True)
class Recovered:
    """What the record says at the start. `error`: it could not be read or written; the run goes on from memory.

    Without a readable record `number` begins far above any other, so that no number is ever used twice.
    """

    number: int
    heads: Mapping[Stream, Head] = field(default_factory=dict)
    alarms: Mapping[str, bytes] = field(default_factory=dict)
    cursors: Mapping[str, int] = field(default_factory=dict)
    error: str | None = None


def recovered(connection: sqlite3.Connection) -> Recovered:
    """Raises sqlite3.Error."""
    return Recovered(
        table.last_number(connection), table.heads(connection), table.alarms(connection), table.cursors(connection)
    )
