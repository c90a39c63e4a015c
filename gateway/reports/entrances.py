"""How many persons came through each entrance in a time, from the counts of its quarters of an hour. Never who."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from gateway.configuration.config import Config
from gateway.journal.readings_reader import ReadingsReader
from gateway.payloads import COUNT_S

SETTLED_MS = 30_000  # a quarter is counted and committed so soon after its end
BLOCKS = 20
CHANNELS = ("persons", "persons_passed", "persons_undecided", "persons_over", "persons_second", "persons_second_over")


def counts(state: Path, config: Config, start_s: int, end_s: int) -> list[dict[str, object]]:
    """A row for each entrance; only the blocks in which quarters ended are read. Counts leave the record with the
    readings, after `keep`: then there is no row.
    """
    gates = {table.point.partition("/")[0]: table.place or name for name, table in config.screening.items()}
    found: dict[str, Counter[str]] = {}
    seen: set[tuple[str, int]] = set()
    reader = ReadingsReader(state)
    for end_of_quarter_s in range(start_s + round(COUNT_S), end_s + 1, round(COUNT_S)) if gates else ():
        first_ms = end_of_quarter_s * 1000
        for place, answers in reader.after(first_ms - 1, BLOCKS):
            if place > first_ms + SETTLED_MS:
                break
            for reading in (reading for answer in answers if answer.device in gates for reading in answer.readings):
                device, _, name = reading.point.partition("/")
                key = (reading.point, reading.at.wall_ns)
                if name in CHANNELS and key not in seen and reading.value is not None:
                    seen.add(key)
                    found.setdefault(device, Counter())[name] += round(reading.value)
    reader.close()
    return [
        {"place": gates[device], "numbers": [count[name] for name in CHANNELS]}
        for device, count in sorted(found.items())
    ]
