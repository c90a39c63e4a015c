"""What other threads ask of a pump: small acts, done one after another in its own thread, which they wake."""

from __future__ import annotations

import contextlib
import os
import queue
import threading
import time
from collections.abc import Callable

LONGEST_WAIT_S = 0.5  # for noticing a stop


class Mailbox:
    """`post` is for any thread; the rest for the owner."""

    def __init__(self) -> None:
        self._acts: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self.wake, self._knock = os.pipe()  # `wake` becomes readable with the first act
        os.set_blocking(self.wake, False)
        os.set_blocking(self._knock, False)

    def post(self, act: Callable[[], None]) -> None:
        self._acts.put(act)
        with contextlib.suppress(BlockingIOError):  # a full pipe wakes as well
            os.write(self._knock, b"\0")

    def do_all(self) -> None:
        """Whatever was posted until now."""
        with contextlib.suppress(BlockingIOError):
            os.read(self.wake, 4096)
        for _ in range(self._acts.qsize()):
            self._acts.get()()

    def rest(self, stop: threading.Event, seconds: float) -> None:
        """Wait (real seconds), and keep doing what the others bring, so that nothing piles up."""
        until = time.monotonic() + seconds
        while not stop.is_set() and (left := until - time.monotonic()) > 0:
            with contextlib.suppress(queue.Empty):
                self._acts.get(timeout=min(left, LONGEST_WAIT_S))()
