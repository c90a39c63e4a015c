"""The sealed room: what an opening of its door means, by the phase of custody. `TABLE` is all of it.

    unsealed     no papers are in the room: openings are recorded, none is an alarm
    sealed       papers are, or may be, in the room
    authorised   two persons have opened a window for this door (`openings.py`)
    violated     shown instead of these while an alarm about an opening of this door stands, until it is reset

A door `d` has four alarms: `d` (opened outside a window), `d-alone` (that, when only one of two had asked),
`d-long` (open longer than allowed, or when its window ends), `d-found` (found open, and nobody saw it being opened).
Whatever is not an alarm is recorded and sent all the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from gateway.alarm.words import Alarm, Signal
from gateway.contacts.openings import Opening, Openings
from gateway.moment import Moment

PARTS = ("", "long", "alone", "found")  # the alarms of one door, all critical and latching
VIOLATED = "violated"


class Phase(StrEnum):
    UNSEALED = "unsealed"
    SEALED = "sealed"
    AUTHORISED = "authorised"


class Movement(StrEnum):
    OPENED = "opened"
    FOUND = "found open"  # at the start, or when its pin can be read again
    CLOSED = "closed"
    STAYED = "stayed open"  # while the phase became another


class If(StrEnum):
    ALWAYS = ""
    ASKED = "one of two persons has asked"
    UNSEEN = "no alarm stands in which it is open"
    WAS_OPEN = "it was open"


class Row(NamedTuple):
    """A signal for one of the door's alarms; `reason` is the word that its event carries."""

    part: str
    signal: Signal
    reason: str | None = None
    when: If = If.ALWAYS


_LONG = Row("long", Signal.BREACH)  # becomes an alarm when it has held for `longest_opening`
_CLEAR = tuple(Row(part, Signal.CLEAR) for part in PARTS)
_CLOSED = Row("", Signal.UPDATE, "closed", If.WAS_OPEN)

TABLE: Mapping[tuple[Movement, Phase], tuple[Row, ...]] = {
    (Movement.OPENED, Phase.UNSEALED): (Row("", Signal.UPDATE, "opened-in-order"),),
    (Movement.OPENED, Phase.SEALED): (Row("", Signal.PRESS), Row("alone", Signal.PRESS, None, If.ASKED), _LONG),
    (Movement.OPENED, Phase.AUTHORISED): (Row("", Signal.UPDATE, "opened-in-window"), _LONG),
    (Movement.FOUND, Phase.UNSEALED): (Row("", Signal.UPDATE, "found-open"),),
    (Movement.FOUND, Phase.SEALED): (Row("found", Signal.BREACH, "found-at-start", If.UNSEEN), _LONG),
    (Movement.FOUND, Phase.AUTHORISED): (Row("", Signal.UPDATE, "opened-in-window"), _LONG),
    (Movement.CLOSED, Phase.UNSEALED): (_CLOSED, *_CLEAR),
    (Movement.CLOSED, Phase.SEALED): _CLEAR,
    (Movement.CLOSED, Phase.AUTHORISED): (_CLOSED, *_CLEAR),
}
# From one phase to the next while the door is open. What is not here says nothing.
STAYED: Mapping[tuple[Phase, Phase], tuple[Row, ...]] = {
    (Phase.UNSEALED, Phase.SEALED): (Row("", Signal.BREACH, "open-at-arming"), _LONG),
    (Phase.UNSEALED, Phase.AUTHORISED): (_LONG,),
    (Phase.AUTHORISED, Phase.SEALED): (Row("long", Signal.PRESS, "window-over"),),
    (Phase.SEALED, Phase.UNSEALED): (Row("long", Signal.CLEAR),),
    (Phase.AUTHORISED, Phase.UNSEALED): (Row("long", Signal.CLEAR),),
}


@dataclass(frozen=True, slots=True)
class Guard:
    """What holds for one door at one moment. The default is what holds while nothing is known."""

    phase: Phase = Phase.SEALED
    asked: str | None = None  # who alone has asked for a window
    open_alarm: bool = False  # an alarm stands in which the door is open
    violated: bool = False

    @property
    def shown(self) -> str:
        return VIOLATED if self.violated else self.phase.value


def moved(movement: Movement, guard: Guard, *, was_open: bool) -> Iterator[Row]:
    """What a movement of the door says to its alarms."""
    holds = {
        If.ALWAYS: True,
        If.ASKED: guard.asked is not None,
        If.UNSEEN: not guard.open_alarm,
        If.WAS_OPEN: was_open,
    }
    return (row for row in TABLE[movement, guard.phase] if holds[row.when])


def stayed(before: Phase, after: Phase) -> tuple[Row, ...]:
    """What a new phase says to the alarms of a door that is open."""
    return STAYED.get((before, after), ())


def alarm_of(door: str, part: str) -> str:
    return f"{door}-{part}" if part else door


class Seals:
    """All sealed doors' windows, and what holds for each door. Owned by the engine's thread."""

    def __init__(self) -> None:
        self.openings = Openings()

    def guard(self, door: str, alarm: Callable[[str], Alarm | None], now: Moment, *, stored: bool) -> Guard:
        """`alarm` finds an alarm by its name; `stored`: papers are, or may be, in the room."""
        opening = self.openings.holds(door, now)
        phase = Phase.UNSEALED if not stored else Phase.SEALED if opening is None else Phase.AUTHORISED
        asked = self.openings.asked(door, now)
        alarms = [found for part in PARTS if (found := alarm(alarm_of(door, part))) is not None]
        standing = [each for each in alarms if each.standing and not each.drill]
        return Guard(phase, None if asked is None else asked.by, any(a.condition for a in standing), bool(standing))

    def over(self, now: Moment) -> tuple[Opening, ...]:
        """Windows that have ended, each told once."""
        return self.openings.advance(now)

    def due(self) -> int | None:
        """mono_ns at which the next window ends."""
        until = self.openings.due()
        return None if until is None else until.mono_ns
