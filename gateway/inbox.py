"""The engine's queues: contact edges, served first; readings, which wake nobody; and everything else."""

from __future__ import annotations

import queue
from typing import TypeVar

from gateway.values import Edge, Readings

_WAKE = object()
T = TypeVar("T")


class Inbox:
    """Unbounded and thread-safe; `tell` and `tell_edge` never block. Only the engine's thread takes."""

    def __init__(self) -> None:
        self._edges: queue.SimpleQueue[Edge] = queue.SimpleQueue()
        self._readings: queue.SimpleQueue[Readings] = queue.SimpleQueue()
        self._messages: queue.SimpleQueue[object] = queue.SimpleQueue()

    def tell(self, message: object) -> None:
        # Rules look at readings at each tick, and waking costs more than a reading does: they wait for the next turn.
        if isinstance(message, Readings):
            self._readings.put(message)
        else:
            self._messages.put(message)

    def tell_edge(self, edge: Edge) -> None:
        self._edges.put(edge)
        self._messages.put(_WAKE)  # in case the engine sleeps

    def edges(self) -> list[Edge]:
        """Every edge that waits now, in order."""
        return _all(self._edges)

    def readings(self) -> list[Readings]:
        """Every answer of a device that waits now, in order."""
        return _all(self._readings)

    def next(self, timeout_s: float) -> object | None:
        """The next message; None when an edge woke us or the time is over."""
        try:
            message = self._messages.get(timeout=max(timeout_s, 0.0))
        except queue.Empty:
            return None
        return None if message is _WAKE else message

    def waiting(self) -> int:
        return self._messages.qsize()


def _all(waiting: queue.SimpleQueue[T]) -> list[T]:
    return [waiting.get_nowait() for _ in range(waiting.qsize())]
