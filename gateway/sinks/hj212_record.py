"""What the record holds for one platform: the newest values, and files of minutes, hours and days."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

from gateway.hj212.link import Link
from gateway.hj212.uploads import File, Upload, files_starting, of_file, of_now
from gateway.journal.day_files import Memory
from gateway.journal.minutes_reader import MinutesReader
from gateway.journal.readings_reader import ReadingsReader
from gateway.moment import NANO, Moment
from gateway.values import Reading

log = logging.getLogger(__name__)

SETTLED_S = 15.0  # a file is made so long after its end: its last minute is in the record then
CLOSED_S = 3.0  # a minute is closed in the record so long after its end, at the writer's next turn
_BLOCKS = 64


class Record:
    """One a thread; each method raises `Unavailable` when the record cannot be read."""

    def __init__(self, link: Link, state: Path, writer: Memory | None = None) -> None:
        self._link = link
        self._readings = ReadingsReader(state, writer)
        self._minutes = MinutesReader(state, writer)

    def cursor(self) -> int:
        """Up to which file the platform has proven all; 0 for one that is new."""
        return self._readings.cursor(self._link.sink)

    def values(self, now: Moment) -> list[Upload]:
        """Real-time values, one message for each system."""
        link = self._link
        latest: dict[str, Reading] = {}
        wanted = {channel.point for channel in link.channels}
        since_ms = (now.wall_ns - round(max(channel.fresh_s for channel in link.channels) * NANO)) // 1_000_000
        for _, answers in self._readings.after(min(since_ms, self._readings.newest() - 1), _BLOCKS):
            for answer in answers:
                latest.update({reading.point: reading for reading in answer.readings if reading.point in wanted})
        made = [of_now(st, link.of(st), latest, now.wall_ns, link.party.zone) for st in link.systems]
        return [upload for upload in made if upload is not None]

    def file(self, file: File) -> Upload | None:
        """None when the gateway recorded nothing in its time."""
        channels = self._link.of(file.st)
        minutes = self._minutes.between(file.start_s, file.end_s, {channel.point for channel in channels})
        return of_file(file, channels, minutes, self._link.nights, self._link.party.zone)

    def files(
        self, kind: str, st: str, begin_s: int, end_s: int, minutes: int, until_s: float
    ) -> Iterator[Upload | None]:
        """The files that start in a period and are over by `until_s`, oldest first."""
        for file in files_starting(kind, st, begin_s, end_s, minutes, self._link.party.zone):
            if file.end_s > until_s:
                return
            yield self.file(file)

    def close(self) -> None:
        self._readings.close()
        self._minutes.close()
