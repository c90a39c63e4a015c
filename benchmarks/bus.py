"""How near the serial bus comes to what the line itself allows, and what dead units cost the others.

    python benchmarks/bus.py [--seconds 20]

A pseudo-terminal has no speed, so the line is simulated: a thread that takes the time of each byte at 9600 baud, of the
slave's turn-round, and of the answer's bytes, handing them over a few at a time as a real port does. The floor is
computed from the same figures: question, turn-round, answer and gap, one after the other, with nothing between.
"""

from __future__ import annotations

import argparse
import os
import select
import tempfile
import threading
import time
import tty
from collections import Counter
from dataclasses import replace
from pathlib import Path

from drivers.library import find
from drivers.modbus import answer
from gateway.configuration.config import Bus
from gateway.moment import SystemClock
from gateway.sources.serial_bus import BoundDevice, SerialBus
from gateway.values import Readings

BAUD = 9600
BYTE_S = 10 / BAUD
TURN_ROUND_S = 0.010
GAP_S = 0.020
QUESTION, ANSWER = 8, 7  # bytes of one register's read
FLOOR_S = (QUESTION + ANSWER) * BYTE_S + TURN_ROUND_S + GAP_S
PIECE = 4  # bytes handed over at once


class PacedLine:
    """Renke meters 1 ... n at 9600 baud behind a pseudo-terminal; those in `dead` are silent."""

    def __init__(self, link: Path, dead: frozenset[int]) -> None:
        self._master, self._slave = os.openpty()
        tty.setraw(self._slave)
        link.symlink_to(os.ttyname(self._slave))
        self._dead = dead

    def run(self, stop: threading.Event) -> None:
        while not stop.is_set():
            if not select.select([self._master], [], [], 0.1)[0]:
                continue
            heard = time.monotonic()
            question = os.read(self._master, 4096)
            if len(question) != QUESTION or question[0] in self._dead:
                continue
            reply = answer(question, (583).to_bytes(2, "big"))
            due = heard + QUESTION * BYTE_S + TURN_ROUND_S
            for start in range(0, len(reply), PIECE):
                piece = reply[start : start + PIECE]
                due += len(piece) * BYTE_S
                stop.wait(max(0.0, due - time.monotonic()))
                os.write(self._master, piece)


def measure(
    units: int, every_s: float, dead: frozenset[int], settle_s: float, seconds: float
) -> tuple[Counter[str], float]:
    """Readings of each unit within `seconds`, after `settle_s`; and the processor seconds of a thousand readings."""
    counts: Counter[str] = Counter()

    def tell(message: object) -> None:
        if isinstance(message, Readings):
            counts[message.device] += 1

    stop = threading.Event()
    with tempfile.TemporaryDirectory() as folder:
        link = Path(folder) / "port"
        line = PacedLine(link, dead)
        meters = [
            BoundDevice(f"unit-{n}", replace(find("renke_rs_zs").at(n, {}), every_s=every_s), every_s)
            for n in range(1, units + 1)
        ]
        bus = SerialBus("bench", Bus(port=str(link), baud=BAUD), meters, tell, SystemClock())
        threads = [threading.Thread(target=bus.run, args=(stop,)), threading.Thread(target=line.run, args=(stop,))]
        for thread in threads:
            thread.start()
        stop.wait(settle_s)
        clock = time.pthread_getcpuclockid(threads[0].ident or 0)
        before, used_s = Counter(counts), time.clock_gettime(clock)
        stop.wait(seconds)
        found, used_s = counts - before, time.clock_gettime(clock) - used_s
        stop.set()
        for thread in threads:
            thread.join()
    return found, 1000 * used_s / max(1, found.total())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=20.0, help="length of each measurement")
    seconds = parser.parse_args().seconds

    found, cpu_s = measure(16, 0.2, frozenset(), 2.0, seconds)
    rate, floor = found.total() / seconds, 1 / FLOOR_S
    settings = f"{BAUD} baud, turn-round {TURN_ROUND_S * 1000:.0f} ms, gap {GAP_S * 1000:.0f} ms"
    print(f"16 devices, {settings}, as fast as it goes")
    print(f"  the line allows     {floor:6.2f} answers a second ({FLOOR_S * 1000:.1f} ms each)")
    print(f"  achieved            {rate:6.2f} answers a second, {100 * rate / floor:.1f} % of it (wanted: 90 %)")
    print(f"  least and most of a device: {min(found.values())} and {max(found.values())}")
    print(f"  processor time of the bus's thread: {cpu_s:.2f} s a thousand answers")
    print("8 devices at 1 Hz, some of them dead from the start; the first 60 s, in which each is tried, not counted")
    for dead in (1, 4, 7):
        found, _ = measure(8, 1.0, frozenset(range(1, dead + 1)), 60.0, seconds)
        worst = min(found[f"unit-{n}"] for n in range(dead + 1, 9)) / seconds
        print(f"  {dead} dead: the worst of the others has {100 * worst:.0f} % of its rate (wanted: 90 %)")


if __name__ == "__main__":
    main()
