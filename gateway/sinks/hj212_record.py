"""What the record holds for one platform: the newest values, and files of minutes, hours and days."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator
from pathlib import Path

from gateway.hj212.link import Link
from gateway.hj212.uploads import File, Upload, files_starting, of_file, of_now
from gateway.journal.day_files import Memory
from gateway.journal.minutes_reader import MinutesReader
from gateway.journal.readings import COMMIT_EVERY_S
from gateway.journal.readings_reader import ReadingsReader
from gateway.moment import NANO, Moment
from gateway.values import Reading

log = logging.getLogger(__name__)

SETTLED_S = 15.0  # a file is made so long after its end: its last minute is in the record then
CLOSED_S = 3.0  # a minute is closed in the record so long after its end, at the writer's next turn
_MORE_BLOCKS = 4  # than one every `COMMIT_EVERY_S`: a stop and a start make one each


class Record:
    """One a thread; each method raises `Unavailable` when the record cannot be read."""

    def __init__(self, link: Link, state: Path, writer: Memory | None = None) -> None:
        self._link = link
        self._readings = ReadingsReader(state, writer)
        self._minutes = MinutesReader(state, writer)
        self._fresh_s = max(channel.fresh_s for channel in link.channels)
        self._latest: dict[str, Reading] = {}  # by point, of those that may be of now
        self._seen = 0  # the place up to which blocks were looked at

    def cursor(self) -> int:
        """Up to which file the platform has proven all; 0 for one that is new."""
        return self._readings.cursor(self._link.sink)

    def values(self, now: Moment) -> list[Upload]:
        """Real-time values, one message for each system."""
        link = self._link
        wanted = {channel.point for channel in link.channels}
        oldest_ns = round(self._fresh_s * NANO)
        blocks = _MORE_BLOCKS + math.ceil(self._fresh_s / COMMIT_EVERY_S)
        # The newest blocks, by their order: after the clock was set back the times of older ones would do as well.
        for place, answers in self._readings.last(blocks, self._seen):
            self._seen = place
            for answer in answers:
                self._latest |= {reading.point: reading for reading in answer.readings if reading.point in wanted}
        self._latest = {p: r for p, r in self._latest.items() if abs(now.wall_ns - r.at.wall_ns) <= oldest_ns}
        made = [of_now(st, link.of(st), self._latest, now.wall_ns, link.party.zone) for st in link.systems]
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
