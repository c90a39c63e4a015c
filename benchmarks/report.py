"""A noise report over 30 days of 4 meters from minute records: time and memory, beside reading the records alone.

    python -m benchmarks.report [--days 30] [--meters 4]

The record is one simulated day, repeated: every minute has its 60 samples' histogram.
"""

from __future__ import annotations

import argparse
import random
import resource
import sqlite3
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from drivers.base import Quality
from gateway.configuration import last_good
from gateway.environment.minute_maker import MinuteMaker
from gateway.environment.minutes import Minute, encode
from gateway.journal.database import Trust, open_store
from gateway.journal.minutes_reader import MinutesReader
from gateway.journal.readings import SCHEMA
from gateway.moment import NANO, Moment
from gateway.values import Reading

ZONE = ZoneInfo("Asia/Shanghai")
START_S = 1_780_243_200  # 2026-06-01T00:00:00+08:00
DAY_S = 86_400
VENUE = """
rule_sets = ["gb3096-2008", "listening-test"]
[venue]
id = "bench"
name = "bench"
[[session]]
name = "one"
start = 2026-06-07T09:00:00
end = 2026-06-07T11:30:00
[bus.one]
port = "/dev/null"
[mqtt]
host = "127.0.0.1"
"""


def day(meters: int) -> list[list[Minute]]:
    """The records of one day, a list for each minute."""
    names = [f"meter-{n}" for n in range(meters)]
    maker, rng, found = MinuteMaker(dict.fromkeys(names, 1.0)), random.Random(1), []
    for minute_s in range(START_S, START_S + DAY_S, 60):
        for at_s in range(minute_s, minute_s + 60):
            at = Moment(at_s * NANO, at_s * NANO)
            for name in names:
                maker.add(Reading(f"{name}/laf", round(rng.gauss(50, 4), 1), Quality.GOOD, at))
        end = Moment((minute_s + 63) * NANO, (minute_s + 63) * NANO)
        found.append(maker.close(end))
    return found


def shifted(minute: Minute, by_s: int) -> Minute:
    events = tuple(replace(event, start_ms=event.start_ms + by_s * 1000) for event in minute.events)
    return replace(minute, start_s=minute.start_s + by_s, events=events)


def write(state: Path, days: int, meters: int) -> None:
    tables = [f'[device.meter-{n}]\ndriver = "renke_rs_zs"\nbus = "one"\naddress = {n + 1}\n' for n in range(meters)]
    last_good.keep(state, (VENUE + "".join(tables)).encode())
    one = day(meters)
    for number in range(days):
        shift_s = number * DAY_S
        path = state / f"readings-{datetime.fromtimestamp(START_S + shift_s, ZONE):%Y-%m-%d}.db"
        connection: sqlite3.Connection = open_store(path, SCHEMA, Moment(START_S * NANO, 0), Trust.CHECK).connection
        connection.execute("BEGIN")
        for minutes in one:
            if minutes:
                moved = [shifted(each, shift_s) for each in minutes]
                start_s = moved[0].start_s
                row = ((start_s + 63) * 1000, start_s, start_s, encode(moved))
                connection.execute("INSERT INTO minutes VALUES (?, ?, ?, ?)", row)
        connection.execute("COMMIT")
        connection.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--days", type=int, default=30)
    parser.add_argument("--meters", type=int, default=4)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        state = Path(folder)
        write(state, args.days, args.meters)
        begun, cpu_s = time.perf_counter(), time.process_time()
        count = sum(1 for _ in MinutesReader(state).between(START_S, START_S + args.days * DAY_S))
        floor_s, floor_cpu_s = time.perf_counter() - begun, time.process_time() - cpu_s
        end = datetime.fromtimestamp(START_S + args.days * DAY_S, ZONE)
        words = ["report", "noise", "--from", "2026-06-01", "--to", f"{end:%Y-%m-%d}", "--no-samples"]
        command = [sys.executable, "-m", "gateway", *words, "--state", str(state), "--out", str(state / "out")]
        begun = time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        took_s = time.perf_counter() - begun
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        largest, own_cpu_s = used.ru_maxrss / 1024, used.ru_utime + used.ru_stime
    print(f"{args.days} days of {args.meters} meters: {count} minute records")
    print(f"report       {took_s:6.2f} s  (processor {own_cpu_s:.2f} s)  {largest:4.0f} MiB   bounds: 10 s, 200 MiB")
    print(f"reading only {floor_s:6.2f} s  (processor {floor_cpu_s:.2f} s)  ratio {own_cpu_s / floor_cpu_s:.1f}")


if __name__ == "__main__":
    main()
