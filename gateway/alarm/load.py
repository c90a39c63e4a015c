"""How much the alarms ask of people: chatter, floods, stale ones, by the figures of EEMUA 191 and ISA-18.2.

These are findings about alarms, to be reported beside them. They hide nothing: notifications may be limited by them,
records never are (A7). Memory is bounded whatever comes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from gateway.alarm.words import Alarm
from gateway.moment import Moment

CHATTER_TIMES, CHATTER_S = 3, 60.0  # so many activations in so long
FLOOD_BEGINS, FLOOD_ENDS, FLOOD_S = 10, 5, 600.0  # more than ten in ten minutes; over when fewer than five
STALE_S = 24 * 3600.0


class Load:
    """Owned by the engine's thread. `add` is told every raise and every new opening."""

    def __init__(self) -> None:
        self._all: deque[Moment] = deque(maxlen=FLOOD_BEGINS + 1)
        self._each: dict[str, deque[Moment]] = {}
        self._flooded = False

    def add(self, alarm: str, now: Moment) -> None:
        self._all.append(now)
        self._each.setdefault(alarm, deque(maxlen=CHATTER_TIMES)).append(now)

    def flood(self, now: Moment) -> bool:
        """Whether there are more alarms than people can follow."""
        recent = sum(now.seconds_since(at) < FLOOD_S for at in self._all)
        self._flooded = recent > FLOOD_BEGINS or (self._flooded and recent >= FLOOD_ENDS)
        return self._flooded

    def chattering(self, now: Moment) -> tuple[str, ...]:
        """The alarms that come again and again; the others are forgotten here."""
        for name in [name for name, times in self._each.items() if now.seconds_since(times[-1]) >= CHATTER_S]:
            del self._each[name]
        return tuple(
            name
            for name, times in self._each.items()
            if len(times) == CHATTER_TIMES and now.seconds_since(times[0]) < CHATTER_S
        )


def stale(alarms: Iterable[Alarm], now: Moment) -> tuple[str, ...]:
    """Alarms that have stood for more than a day, hidden ones too."""
    return tuple(
        alarm.name
        for alarm in alarms
        if alarm.standing and alarm.raised is not None and now.seconds_since(alarm.raised) > STALE_S
    )
