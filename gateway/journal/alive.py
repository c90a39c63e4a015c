"""The last sign of life, kept while a session is on: how long the program was down is then known after a power cut; and
whether that session goes on, which only an order may have said.
"""

from __future__ import annotations

import json
import logging
import queue
import threading
from pathlib import Path

from gateway.journal.files import write_durably
from gateway.moment import NANO, ClockState, Moment
from gateway.worker import idle_s

log = logging.getLogger(__name__)

FILE = "alive.json"
EVERY_S = 2.0  # how far the last sign of life may lie before the end


def read_alive(state: Path, now: Moment) -> Moment | None:
    """The last sign of life of the run before, by the wall clock; None when there is none that can be read."""
    try:
        written = json.loads((state / FILE).read_bytes())
        wall_ns, clock = int(written["ns"]), ClockState(written["clock"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return Moment(wall_ns, now.mono_ns - max(0, now.wall_ns - wall_ns), clock)


def session_goes_on(state: Path, now: Moment) -> bool:
    """Whether the session of the last sign of life is still on, be its end where an order has moved it."""
    try:
        until_s = float(json.loads((state / FILE).read_bytes())["until"])
    except (OSError, ValueError, KeyError, TypeError):
        return False
    return now.wall_ns / NANO < until_s


class AliveWriter:
    """Writes from a thread of its own: a card that hangs must not hold up whoever lives."""

    def __init__(self, state: Path) -> None:
        self._path = state / FILE
        self._signs: queue.SimpleQueue[tuple[Moment, float | None] | None] = queue.SimpleQueue()
        self._last: tuple[Moment, float | None] | None = None

    def put(self, now: Moment, until_s: float | None, *, last: bool = False) -> None:
        """For one thread; `until_s`: the session's end, seconds since 1970, None when it is over.

        One sign in so long is enough, but for another end, and for the `last` one: the session or the program ends.
        """
        same = self._last is not None and self._last[1] == until_s
        if last or not same or self._last is None or now.mono_ns - self._last[0].mono_ns >= EVERY_S * NANO:
            self._last = (now, until_s)
            self._signs.put(self._last)

    def run(self, stop: threading.Event) -> None:
        longest_s = idle_s(stop, lambda: self._signs.put(None))
        while not stop.is_set() or not self._signs.empty():
            try:
                put = self._signs.get(timeout=longest_s)
            except queue.Empty:
                continue
            if put is None:
                continue
            sign, until_s = put
            kept = {"ns": str(sign.wall_ns), "clock": sign.clock.value, "until": until_s}
            try:
                write_durably(self._path, json.dumps(kept).encode())
            except OSError as error:
                log.warning("event=alive-not-kept error=%r", str(error))
