"""How many frames a second each driver finds in a stream and decodes, on one core: `python -m benchmarks.decode`.

A frame is one answer of the device, with as many replies as it has reads. Each is fed through the framing and decoded,
as the bus does it. No driver may be below `FLOOR`; the exit code says so.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

from drivers import library
from drivers.frames import Scanner
from tests.kit_vectors import Case, cases

FLOOR = 20_000  # frames a second, on the project's two-core reference machine
SPAN_S = 0.05  # of one measurement; the best of five counts, as a busy machine only ever makes it slower
ROUNDS = 5


def work(case: Case) -> Callable[[], object]:
    driver = case.device()
    pairs = [(Scanner(read.frame), reply) for read, reply in zip(driver.reads, case.replies, strict=True)]
    stream = driver.transport in {"serial", "tcp"}

    def once() -> object:
        if stream:
            return driver.decode(tuple(scanner.feed(reply)[0] if reply else b"" for scanner, reply in pairs))
        return driver.decode(case.replies)

    return once


def frames_a_second(*works: Callable[[], object]) -> float:
    """Different frames in turn, so that nothing is remembered from the one before."""
    best = 0.0
    for _ in range(ROUNDS):
        count, began = 0, time.perf_counter()
        while (spent := time.perf_counter() - began) < SPAN_S:
            for _ in range(100 // len(works)):
                for once in works:
                    once()
            count += 100 // len(works) * len(works)
        best = max(best, count / spent)
    return best


def main() -> int:
    slow = []
    for name in library.names():
        values = [case for case in cases(name) if "expect" in case.given]
        if not values:
            continue
        values.sort(key=lambda case: sum(map(len, case.replies)), reverse=True)
        rate = frames_a_second(*map(work, values[:2]))  # the longest answers
        size = sum(map(len, values[0].replies))
        print(f"{name:24} {rate:10,.0f} frames/s   {size:5} bytes   {rate * size / 1e6:6.2f} MB/s")
        if rate < FLOOR:
            slow.append(name)
    print(f"below {FLOOR:,}: {', '.join(slow) or 'none'}")
    return bool(slow)


if __name__ == "__main__":
    sys.exit(main())
