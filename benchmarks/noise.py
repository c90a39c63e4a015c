"""What sound levels cost: sliding statistics, minute records, and reading a month of them.

    python -m benchmarks.noise [--meters 16] [--days 30]

Levels to 0.1 dB, one a second and meter, as meters give them; with --fine to 0.01 dB. Processor time of one core,
measured in the process; a share is of the time that the samples stand for.
"""

from __future__ import annotations

import argparse
import random
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from drivers.base import Quality
from gateway.environment.minute_maker import MinuteMaker
from gateway.environment.minutes import combine, encode
from gateway.environment.statistics import Window, parse
from gateway.journal.database import open_store
from gateway.journal.minutes_reader import MinutesReader
from gateway.journal.readings import SCHEMA
from gateway.moment import NANO, Moment
from gateway.values import Reading

HOUR_S = 3600
START_S = 1_780_797_600
SLIDING = ("l10_1h", "laeq_1h", "laeq_1min", "l90_10min")


def levels(count: int, decimals: int) -> list[float]:
    """A street: slow changes with single noises."""
    chance = random.Random(7)
    base, found = 50.0, []
    for _ in range(count):
        base += chance.gauss(0, 0.3) - (base - 52) * 0.01
        found.append(round(base + chance.expovariate(0.4), decimals))
    return found


def moment(second: int) -> Moment:
    return Moment((START_S + second) * NANO, 10**15 + second * NANO)


def sliding(name: str, meters: int, values: list[float]) -> float:
    """Share of a core for this statistic of so many meters, asked for every second, while the window is full."""
    wanted = parse(name)
    if wanted is None:
        raise ValueError(name)
    windows = [Window(wanted, 1.0) for _ in range(meters)]
    warm, measured = HOUR_S, 600
    for second in range(warm):
        reading = Reading("m/laf", values[second % len(values)], Quality.GOOD, moment(second))
        for window in windows:
            window.add(reading)
    begun = time.process_time()
    for second in range(warm, warm + measured):
        at = moment(second)
        reading = Reading("m/laf", values[second % len(values)], Quality.GOOD, at)
        for window in windows:
            window.add(reading)
            window.value(at)
    return (time.process_time() - begun) / measured


def making(meters: int, values: list[float]) -> float:
    """Share of a core for the minute records of so many meters, single events included."""
    maker = MinuteMaker({f"m{i}": 1.0 for i in range(meters)})
    begun = time.process_time()
    for second in range(HOUR_S):
        at = moment(second)
        for i in range(meters):
            maker.add(Reading(f"m{i}/laf", values[(second + i * 97) % len(values)], Quality.GOOD, at))
        if second % 4 == 0:
            maker.close(at)
    return (time.process_time() - begun) / HOUR_S


def month(directory: Path, days: int, meters: int, values: list[float]) -> Iterator[tuple[str, float]]:
    """Records of so many days, each of 60 samples, as the writer keeps them; then all are read and added up."""
    maker = MinuteMaker({f"m{i}": 1.0 for i in range(meters)})
    for second in range(60 * 60):
        for i in range(meters):
            value = values[(second + i * 97) % len(values)]
            maker.add(Reading(f"m{i}/laf", value, Quality.GOOD, moment(second)))
    made = maker.close(moment(3700))
    hour = [made[i : i + meters] for i in range(0, len(made), meters)]
    for day in range(days):
        path = directory / f"readings-2026-06-{day + 1:02d}.db"
        connection = open_store(path, SCHEMA, moment(day * 86_400)).connection
        rows = []
        for minute in range(day * 1440, (day + 1) * 1440):
            at_s = START_S + minute * 60
            records = [replace(record, start_s=at_s) for record in hour[minute % 60]]
            rows.append((at_s * 1000, at_s, at_s, encode(records)))
        connection.execute("BEGIN")
        connection.executemany("INSERT INTO minutes VALUES (?, ?, ?, ?)", rows)
        connection.execute("COMMIT")
        connection.close()
    reader = MinutesReader(directory)
    begun = time.process_time()
    count = sum(1 for _ in reader.between(0, 2**33))
    yield f"reading {count} minute records, s", time.process_time() - begun
    begun = time.process_time()
    period = combine(reader.between(0, 2**33, {"m0/laf"}))
    yield f"adding {days} days of one of {meters} meters up (L10 {period.exceeded(10)}), s", time.process_time() - begun
    yield "resident, MiB", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--meters", type=int, default=16)
    parser.add_argument("--days", type=int, default=30)
    parser.add_argument("--fine", action="store_true")
    given = parser.parse_args()
    values = levels(20_000, 2 if given.fine else 1)
    for name in SLIDING:
        print(f"{name} of {given.meters} meters: {100 * sliding(name, given.meters, values):.2f} % of a core")
    print(f"minute records of {given.meters} meters: {100 * making(given.meters, values):.2f} % of a core")
    with tempfile.TemporaryDirectory() as directory:
        for what, figure in month(Path(directory), given.days, 4, values):
            print(f"{what}: {figure:.2f}")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
