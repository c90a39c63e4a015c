"""The engine's two queues: contact edges, served first, and everything else."""

from __future__ import annotations

import queue

from gateway.values import Edge

_WAKE = object()


class Inbox:
    """Unbounded and thread-safe; `tell` and `tell_edge` never block. Only the engine's thread takes."""

    def __init__(self) -> None:
        self._edges: queue.SimpleQueue[Edge] = queue.SimpleQueue()
        self._messages: queue.SimpleQueue[object] = queue.SimpleQueue()

    def tell(self, message: object) -> None:
        self._messages.put(message)

    def tell_edge(self, edge: Edge) -> None:
        self._edges.put(edge)
        self._messages.put(_WAKE)  # in case the engine sleeps

    def edges(self) -> list[Edge]:
        """Every edge that waits now, in order."""
        found: list[Edge] = []
        while True:
            try:
                found.append(self._edges.get_nowait())
            except queue.Empty:
                return found

    def next(self, timeout_s: float) -> object | None:
        """The next message; None when an edge woke us or the time is over."""
        try:
            message = self._messages.get(timeout=max(timeout_s, 0.0))
        except queue.Empty:
            return None
        return None if message is _WAKE else message

    def waiting(self) -> int:
        return self._messages.qsize()
