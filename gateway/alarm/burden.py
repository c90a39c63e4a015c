"""What the alarms ask of people, as alarms: a flood, those that come again and again, those that stand for days.

They hide nothing: every record is made and sent whatever they say.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from gateway.alarm.findings import Evidence, Finding
from gateway.alarm.load import FLOOD_BEGINS, Load, stale
from gateway.alarms import Alarm, Given, Signal, Transition
from gateway.machine.health import text
from gateway.moment import Moment

FLOOD, CHATTER, STALE = "alarm-flood", "alarm-chatter", "alarm-stale"
_OWN = (FLOOD, CHATTER, STALE)


class Burden:
    """Owned by the engine's thread."""

    def __init__(self) -> None:
        self._load = Load()
        self._said: dict[str, tuple[str, ...]] = {}

    def passed(self, name: str, transition: Transition) -> None:
        """A transition was recorded."""
        opening = transition.name in ("raised", "repeated") and transition.given.reason != "restart"
        if opening and name not in _OWN and not transition.alarm.drill:  # what was ordered is no burden
            self._load.add(name, transition.at)

    def tick(self, alarms: Iterable[Alarm], now: Moment) -> Iterator[Finding]:
        flood = (f"> {FLOOD_BEGINS}",) if self._load.flood(now) else ()
        old = tuple(name for name in stale(alarms, now) if name not in _OWN)
        for name, those in ((FLOOD, flood), (CHATTER, self._load.chattering(now)), (STALE, old)):
            yield from self._find(name, those, now)

    def _find(self, name: str, those: tuple[str, ...], now: Moment) -> Iterator[Finding]:
        """The alarm stands while there are any; others than before are an update."""
        before, self._said[name] = self._said.get(name, ()), those
        reason = ", ".join(those) or None
        evidence = Evidence(text(name, name, reason or "-"), reason=reason)
        yield Finding(name, Signal.BREACH if those else Signal.CLEAR, now, evidence, Given(reason=reason))
        if before and set(those) - set(before):
            yield Finding(name, Signal.UPDATE, now, evidence, Given(reason=reason))
