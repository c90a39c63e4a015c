"""Threads that have names, stop when asked, and begin again after a failure. The only broad `except` is here."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

log = logging.getLogger(__name__)

FIRST_DELAY_S = 0.5
LAST_DELAY_S = 30.0
CALM_S = 60.0  # having run for so long, the next failure counts as the first again
LOOK_S = 0.5  # where a stop cannot wake, it is looked for so often
ASLEEP_S = 60.0


class Stop(threading.Event):
    """Asks a worker to end, and wakes it from whatever it sleeps on: an idle thread need not look for it."""

    def __init__(self) -> None:
        super().__init__()
        self._wakes: tuple[Callable[[], None], ...] = ()

    def set(self) -> None:
        super().set()
        for wake in self._wakes:
            wake()

    def wakes(self, wake: Callable[[], None]) -> None:
        """Call `wake` (thread-safe: puts and returns) when this is set; at once if it is already."""
        self._wakes = (*self._wakes, wake)
        if self.is_set():
            wake()

    def forget(self) -> None:
        """Nobody sleeps on anything any more."""
        self._wakes = ()


def idle_s(stop: threading.Event, wake: Callable[[], None]) -> float:
    """How long (real seconds) a thread may sleep on a queue or a file of its own before it looks at `stop`.

    A worker's stop calls `wake` and needs no looking; a plain event cannot.
    """
    if not isinstance(stop, Stop):
        return LOOK_S
    stop.wakes(wake)
    return ASLEEP_S


class Worker:
    """Runs `work(stop)` in a thread; after an exception again, with back-off, for ever.

    With `fatal` given there is no second try: it is called, from the thread, with the exception, and the thread ends.
    """

    def __init__(
        self,
        name: str,
        work: Callable[[threading.Event], None],
        fatal: Callable[[Exception], None] | None = None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = name
        self.failures = 0
        self._work = work
        self._fatal = fatal
        self._now = now
        self._stop = Stop()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Ask it to end; does not wait."""
        self._stop.set()

    def join(self, timeout_s: float) -> bool:
        """True when the thread has ended."""
        if self._thread.ident is not None:
            self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        delay_s = FIRST_DELAY_S
        while not self._stop.is_set():
            began = self._now()
            self._stop.forget()
            try:
                self._work(self._stop)
            except Exception as error:
                self.failures += 1
                log.exception("event=worker-failed worker=%s failures=%d", self.name, self.failures)
                if self._fatal is not None:
                    self._fatal(error)
                    return
            if self._now() - began > CALM_S:
                delay_s = FIRST_DELAY_S
            if self._stop.wait(delay_s):
                return
            delay_s = min(2 * delay_s, LAST_DELAY_S)


def contained(work: Callable[[], T]) -> T | Exception:
    """What `work` returns, or the exception that it raised.

    For code of many authors that shares a thread (drivers on one bus): the caller judges the exception, and one's bug
    does not stop the others.
    """
    try:
        return work()
    except Exception as error:  # noqa: BLE001  returned to the caller, who must look at it
        return error
