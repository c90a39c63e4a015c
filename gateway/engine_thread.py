"""The engine's thread: edges first, then what else came, then whatever has fallen due."""

from __future__ import annotations

import threading

from gateway.engine import Engine
from gateway.inbox import Inbox
from gateway.moment import NANO, Clock

LONGEST_WAIT_S = 0.5  # for noticing `stop`, and for readings, which wake nobody


class EngineThread:
    """Runs an engine on its inbox. A bug in the engine is raised: the process ends and is started anew."""

    def __init__(self, engine: Engine, inbox: Inbox, clock: Clock) -> None:
        self.engine = engine
        self._inbox = inbox
        self._clock = clock

    def run(self, stop: threading.Event) -> None:
        self.engine.start(self._clock.now())
        while not stop.is_set():
            self._turn(self._wait_s())
        for _ in range(self._inbox.waiting() + 1):  # what came before the stop is still decided on and recorded
            self._turn(0.0)

    def _turn(self, wait_s: float) -> None:
        self._edges()
        message = self._inbox.next(wait_s)
        self._edges()
        for readings in self._inbox.readings():
            self.engine.handle(readings)
            self._edges()
        if message is not None:
            self.engine.handle(message)
        self.engine.advance(self._clock.now())

    def _edges(self) -> None:
        for edge in self._inbox.edges():
            self.engine.handle(edge)

    def _wait_s(self) -> float:
        due_ns = self.engine.due()
        if due_ns is None:
            return LONGEST_WAIT_S
        return min(LONGEST_WAIT_S, self._clock.pause(max(0, due_ns - self._clock.now().mono_ns) / NANO))
