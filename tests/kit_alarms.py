"""Small things that the tests of the pure core share: moments, ids, definitions."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from datetime import datetime
from zoneinfo import ZoneInfo

from gateway.alarms import Alarm, Definition, Given, Signal, State, Transition, step
from gateway.moment import NANO, ClockState, Moment

ZONE = ZoneInfo("Asia/Shanghai")


def at(seconds: float, day: str = "2026-06-07 09:00:00", clock: ClockState = ClockState.SYNCHRONISED) -> Moment:
    """`seconds` after the local time `day`; the monotonic clock began a day before that."""
    wall = datetime.fromisoformat(day).replace(tzinfo=ZONE)
    return Moment(round((wall.timestamp() + seconds) * NANO), round((86400 + seconds) * NANO), clock)


def ids() -> Callable[[], str]:
    count = itertools.count(1)
    return lambda: f"activation-{next(count)}"


NOISE = Definition(name="noise", kind="noise", severity="medium", stream="environment")
LEAK = Definition(
    name="leak", kind="leak", severity="critical", stream="custody", latching=True, custody=True, note_required=True
)
FLOOD = Definition(name="flood", kind="flood", severity="high", stream="gateway", latching=True)

REASON = Given(by="li-wei", note="checked on site")


class Life:
    """One alarm and its clock, driven signal by signal."""

    def __init__(self, definition: Definition, state: State | None = None) -> None:
        self.definition = definition
        self.alarm = Alarm(definition.name)
        self.new_id = ids()
        self.now_s = 0.0
        for signal, given in _WAYS_TO.get(state or State.NORMAL, ()):
            self.send(signal, given)

    def send(self, signal: Signal, given: Given = REASON, after_s: float = 0.0) -> tuple[Transition, ...]:
        self.now_s += after_s
        if signal is Signal.RESET and given.revision is None:
            given = Given(by=given.by, note=given.note, revision=self.alarm.revision)
        self.alarm, passed = step(self.definition, self.alarm, signal, at(self.now_s), self.new_id, given=given)
        return passed

    def names(self, signal: Signal, given: Given = REASON, after_s: float = 0.0) -> list[str]:
        return [transition.name for transition in self.send(signal, given, after_s)]


_SHELF = Given(by="li-wei", note="works next door", for_s=600)
_WAYS_TO: dict[State, tuple[tuple[Signal, Given], ...]] = {
    State.NORMAL: (),
    State.ACTIVE_UNACKNOWLEDGED: ((Signal.PRESS, Given()),),
    State.ACTIVE_ACKNOWLEDGED: ((Signal.PRESS, Given()), (Signal.ACKNOWLEDGE, REASON)),
    State.CLEARED_UNACKNOWLEDGED: ((Signal.PRESS, Given()), (Signal.CLEAR, Given())),
    State.LATCHED_UNACKNOWLEDGED: ((Signal.PRESS, Given()), (Signal.CLEAR, Given())),
    State.LATCHED_ACKNOWLEDGED: (
        (Signal.PRESS, Given()),
        (Signal.CLEAR, Given()),
        (Signal.ACKNOWLEDGE, REASON),
    ),
    State.SHELVED: ((Signal.SHELVE, _SHELF),),
    State.SUPPRESSED: ((Signal.SUPPRESS, REASON),),
    State.OUT_OF_SERVICE: ((Signal.REMOVE, REASON),),
}
