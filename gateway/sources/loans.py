"""A port that its owner lends: to the installer's tools, for a bounded time, and given back when they die.

Anybody asks (`lend`, `give_back`: any thread); the port's own thread closes the port, says so, grants, waits, goes on.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

SLICE_S = 0.1  # how often it is looked whether the loan is over


@dataclass(frozen=True, slots=True)
class Loan:
    """`seconds` are real ones; `granted` is called, by the port's thread, when the port is closed."""

    seconds: float
    granted: Callable[[], None]
    who: str = "another program"


class Lender(Protocol):
    """A source whose port can be lent. All but `port` may be called from any thread."""

    @property
    def port(self) -> str: ...
    def lend(self, loan: Loan) -> None: ...
    def give_back(self) -> None: ...


class Loans:
    """What has been asked of one port."""

    def __init__(self) -> None:
        self._asked: queue.SimpleQueue[Loan | None] = queue.SimpleQueue()

    @property
    def waiting(self) -> bool:
        """Somebody wants the port, or gives it back: its owner closes it now."""
        return not self._asked.empty()

    def lend(self, loan: Loan) -> None:
        self._asked.put(loan)

    def give_back(self) -> None:
        """Ends a loan before its time; one that was not yet granted is over as soon as it is."""
        self._asked.put(None)

    def serve(self, stop: threading.Event, tell: Callable[[Loan], None]) -> bool:
        """Carries out a loan, if one was asked for, until it is over. The port is closed; `tell` is called first."""
        try:
            loan = self._asked.get_nowait()
        except queue.Empty:
            return False
        if loan is None:
            return True
        tell(loan)
        loan.granted()
        deadline = time.monotonic() + loan.seconds
        while not stop.is_set() and not self.waiting and (left_s := deadline - time.monotonic()) > 0:
            stop.wait(min(left_s, SLICE_S))
        return True
