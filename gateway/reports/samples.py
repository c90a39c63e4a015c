"""Every sample of a report's meters as a table, for whoever wants to count again."""

from __future__ import annotations

import csv
import sys
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

from gateway.environment.noise import is_noise
from gateway.journal.readings_reader import CROWDED_MS, ReadingsReader
from gateway.moment import NANO
from gateway.reports.material import Material
from gateway.values import Reading, Readings

BLOCKS = 200  # read at once


def write(path: Path, state: Path, material: Material) -> None:
    """Every sample of the meters, by time. What was thinned to minutes is in the bundle as minutes."""
    names = {level.name for level in material.levels}
    with path.open("w", encoding="utf-8-sig", newline="") as file:  # the mark makes spreadsheets read it as UTF-8
        writer = csv.writer(file)
        writer.writerow(("time", "clock", "point", "value", "unit", "quality", "reason"))
        for reading in _samples(state, material, names, _progress(material)):
            at = reading.at
            time = datetime.fromtimestamp(at.wall_ns / NANO, material.calendar.zone).isoformat(timespec="milliseconds")
            value = "" if reading.value is None else reading.value
            writer.writerow(
                (time, at.clock.value, reading.point, value, "dB(A)", reading.quality.value, reading.reason)
            )


def _samples(state: Path, material: Material, names: set[str], progress: Callable[[int], None]) -> Iterator[Reading]:
    reader = ReadingsReader(state)
    place = (material.start_s - 1) * 1000
    last = material.end_s * 1000 + 60_000  # blocks are closed a few seconds after their readings
    for at, answers in _blocks(reader, place, last):
        for reading in (reading for answer in answers if answer.device in names for reading in answer.readings):
            at_s = reading.at.wall_ns / NANO
            if is_noise(reading.point) and material.start_s <= at_s < material.end_s:
                yield reading
        progress(at)
    reader.close()


def _blocks(reader: ReadingsReader, place: int, last: int) -> Iterator[tuple[int, list[Readings]]]:
    """From one place to another, and all beyond that were closed after the clock was set back."""
    while rows := reader.after(place, BLOCKS):
        for at, answers in rows:
            if at > last and at - place > CROWDED_MS:
                found = reader.crowded(at)
                if found is None:
                    return
                place = found - CROWDED_MS - 1
                break
            place = at
            yield at, answers


def _progress(material: Material) -> Callable[[int], None]:
    """Tells a person at a terminal how far it is; nobody else."""
    length_ms = (material.end_s - material.start_s) * 1000

    def told(place: int) -> None:
        share = min(1.0, max(0.0, (place - material.start_s * 1000) / length_ms))
        print(f"\r{share:4.0%}", end="\n" if share >= 1 else "", file=sys.stderr, flush=True)

    return told if sys.stderr.isatty() else lambda _place: None
