"""The last sign of life, kept while a session is on: how long the program was down is then known after a power cut."""

from __future__ import annotations

import json
import logging
import queue
import threading
from pathlib import Path

from gateway.journal.files import write_durably
from gateway.moment import NANO, ClockState, Moment

log = logging.getLogger(__name__)

FILE = "alive.json"
EVERY_S = 2.0  # how far the last sign of life may lie before the end
_IDLE_S = 0.5  # for noticing `stop`


def read_alive(state: Path, now: Moment) -> Moment | None:
    """The last sign of life of the run before, by the wall clock; None when there is none that can be read."""
    try:
        written = json.loads((state / FILE).read_bytes())
        wall_ns, clock = int(written["ns"]), ClockState(written["clock"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return Moment(wall_ns, now.mono_ns - max(0, now.wall_ns - wall_ns), clock)


class AliveWriter:
    """Writes from a thread of its own: a card that hangs must not hold up whoever lives."""

    def __init__(self, state: Path) -> None:
        self._path = state / FILE
        self._signs: queue.SimpleQueue[Moment] = queue.SimpleQueue()
        self._last: Moment | None = None

    def put(self, now: Moment, *, last: bool = False) -> None:
        """For one thread; one sign in so long is enough, but for the `last` one: the session or the program ends."""
        if last or self._last is None or now.mono_ns - self._last.mono_ns >= EVERY_S * NANO:
            self._last = now
            self._signs.put(now)

    def run(self, stop: threading.Event) -> None:
        while not stop.is_set() or not self._signs.empty():
            try:
                sign = self._signs.get(timeout=_IDLE_S)
            except queue.Empty:
                continue
            try:
                write_durably(self._path, json.dumps({"ns": str(sign.wall_ns), "clock": sign.clock.value}).encode())
            except OSError as error:
                log.warning("event=alive-not-kept error=%r", str(error))
