"""The machine watched beside the instruments: every half minute its supply, heat, card and memory, and its clock.

In a sandbox that forbids adjtimex (systemd's ProtectClock) the kernel does not say whether the clock is set: systemd's
timedated is asked then.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from pathlib import Path

from gateway.machine.platform import Vitals, judge, read_vitals
from gateway.moment import Clock, ClockState, SystemClock
from gateway.values import MachineState

log = logging.getLogger(__name__)

EVERY_S = 30.0
ASK_S = 10.0  # for timedated's answer, real seconds
ASK = ("timedatectl", "show", "--property=NTPSynchronized", "--value")


class Machine:
    """`run` in a thread of its own. `root`: where the machine's files are."""

    def __init__(self, state: Path, tell: Callable[[object], None], clock: Clock, root: Path = Path("/")) -> None:
        self._state, self._tell, self._clock, self._root = state, tell, clock, root
        self._before: Vitals | None = None

    def run(self, stop: threading.Event) -> None:
        while not stop.is_set():
            self.look()
            stop.wait(self._clock.pause(EVERY_S))

    def look(self) -> None:
        if isinstance(self._clock, SystemClock) and self._clock.forbidden:
            self._clock.believe(timedated(ASK))
        now = read_vitals(self._state, self._root)
        found = judge(now, self._before)
        self._before = now
        self._tell(MachineState(found, self._clock.now()))


def timedated(command: tuple[str, ...]) -> ClockState:
    """Whether a time source has set the clock, by systemd's word; not known is not set."""
    import subprocess  # noqa: PLC0415  only in a sandbox

    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=ASK_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        log.info("event=clock-not-known error=%r", str(error))
        return ClockState.UNSYNCHRONISED
    return ClockState.SYNCHRONISED if done.stdout.strip() == "yes" else ClockState.UNSYNCHRONISED
