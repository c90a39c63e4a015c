"""Whether the loops that an alarm depends on still go round: each counts its turns, and a count that stands is a hang.

The engine proves itself by taking the tick. Threads beside it (pins, brokers) could hang in a library while it goes on:
then systemd's watchdog is not fed any more, and the program is started anew. Threads that wait for the card are not
among them: a new start would mend no card, and alarms go out without it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from gateway.moment import Moment

PINS_S = 15.0  # real seconds; a claim of all pins takes well under one
BROKER_S = 150.0  # longer than looking up a name, connecting and shaking hands may take when nobody answers


@dataclass(frozen=True, slots=True)
class Loop:
    turns: int
    limit_s: float


class Pulse:
    """Owned by the engine's thread."""

    def __init__(self) -> None:
        self._seen: dict[str, tuple[int, Moment]] = {}

    def hanging(self, loops: Mapping[str, Loop], now: Moment, real_s: float = 1.0) -> list[str]:
        """Names of loops that have not moved for their limit. `real_s`: what a second of this clock takes."""
        found = []
        for name, loop in loops.items():
            turns, since = self._seen.get(name, (-1, now))
            if turns != loop.turns:
                self._seen[name] = (loop.turns, now)
            elif now.seconds_since(since) * real_s > loop.limit_s:
                found.append(name)
        self._seen = {name: seen for name, seen in self._seen.items() if name in loops}
        return found
