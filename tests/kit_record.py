"""A record of sound levels made by the product's own makers from a formula, without waiting for the time to pass.

    fill(state, START_S, hours=3, devices=["gate-noise"], level=lambda device, at_s: 50.0)

Samples go through the real MinuteMaker and into day files of the real schema; `raw` keeps the samples too.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from datetime import datetime, tzinfo
from pathlib import Path
from zoneinfo import ZoneInfo

from drivers.base import Quality
from gateway.environment.minute_maker import MinuteMaker
from gateway.environment.minutes import Minute, encode
from gateway.journal import blocks
from gateway.journal.database import Trust, open_store
from gateway.journal.readings import SCHEMA
from gateway.moment import NANO, ClockState, Moment
from gateway.values import Reading, Readings

ZONE = ZoneInfo("Asia/Shanghai")
Level = Callable[[str, int], "float | None"]


def fill(
    state: Path,
    start_s: int,
    *,
    hours: float,
    devices: Sequence[str],
    level: Level,
    raw: bool = False,
    zone: tzinfo = ZONE,
    clock: ClockState = ClockState.SYNCHRONISED,
) -> None:
    """One sample a second of each device's `laf`; None: the meter said nothing."""
    state.mkdir(parents=True, exist_ok=True)
    maker = MinuteMaker(dict.fromkeys(devices, 1.0))
    files: dict[Path, sqlite3.Connection] = {}
    for minute_s in range(start_s, start_s + round(hours * 3600), 60):
        answers = []
        for at_s in range(minute_s, minute_s + 60):
            at = Moment(at_s * NANO, at_s * NANO, clock)
            for device in devices:
                value = level(device, at_s)
                if value is not None:
                    reading = Reading(f"{device}/laf", value, Quality.GOOD, at)
                    maker.add(reading)
                    answers.append(Readings(device, (reading,)))
        end = Moment((minute_s + 63) * NANO, (minute_s + 63) * NANO, clock)
        _commit(files, state, zone, end, answers if raw else [], maker.close(end))
    for connection in files.values():
        connection.execute("COMMIT")
        connection.close()


def _commit(
    files: dict[Path, sqlite3.Connection],
    state: Path,
    zone: tzinfo,
    end: Moment,
    answers: list[Readings],
    minutes: list[Minute],
) -> None:
    day = datetime.fromtimestamp(end.wall_ns / NANO, zone)
    path = state / f"readings-{day:%Y-%m-%d}.db"
    if path not in files:
        files[path] = open_store(path, SCHEMA, end, Trust.CHECK).connection
        files[path].execute("BEGIN")
    place = end.wall_ns // 1_000_000
    data = blocks.encode(answers) if answers else b""
    files[path].execute("INSERT INTO blocks VALUES (?, ?, ?, ?)", (place, len(answers), "", data))
    if minutes:
        starts = [minute.start_s for minute in minutes]
        row = (place, min(starts), max(starts), encode(minutes))
        files[path].execute("INSERT INTO minutes VALUES (?, ?, ?, ?)", row)


def opened(directory: Path) -> set[str]:
    """The files of a record that this process holds open, without SQLite's companions."""
    links = (path.readlink() for path in Path("/proc/self/fd").iterdir() if path.is_symlink())
    return {each.name.removesuffix("-wal").removesuffix("-shm") for each in links if each.parent == directory}
