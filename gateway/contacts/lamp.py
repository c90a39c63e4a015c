"""What the lamp beside a button shows: one blink for each step of the way from the press to a person's answer.

The further the message has come, the more light: flickering, blinking, on with a wink, on. `docs/operations.md` prints
this table.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from gateway.catalogue import N_


class LampStep(StrEnum):
    SAFE = "safe"
    PRESSED = "pressed"
    STORED = "stored"
    RECEIVED = "received"
    ACKNOWLEDGED = "acknowledged"
    NOT_DELIVERED = "not-delivered"
    FAULT = "fault"
    DRILL = "drill"


@dataclass(frozen=True, slots=True)
class Pattern:
    """Seconds on, off, on, off ..., begun again without end; `meaning` is for people (a catalogue message)."""

    beats_s: tuple[float, ...]
    meaning: str

    @property
    def period_s(self) -> float:
        return sum(self.beats_s)


PATTERNS: dict[LampStep, Pattern] = {
    LampStep.SAFE: Pattern((0.1, 4.9), N_("one short flash every five seconds: watching, nothing is wrong")),
    LampStep.PRESSED: Pattern((0.1, 0.1), N_("flickers: pressed, not yet stored")),
    LampStep.STORED: Pattern((0.5, 0.5), N_("blinks once a second: stored, on its way to the command centre")),
    LampStep.RECEIVED: Pattern((1.8, 0.2), N_("on, with a wink every two seconds: received at the command centre")),
    LampStep.ACKNOWLEDGED: Pattern((1.0,), N_("on without a break: acknowledged by a named person")),
    LampStep.NOT_DELIVERED: Pattern(
        (0.1, 0.2, 0.1, 0.2, 0.1, 0.8), N_("three flashes, a pause: NOT delivered yet; use the telephone as well")
    ),
    LampStep.FAULT: Pattern(
        (0.1, 0.2, 0.1, 1.1), N_("two flashes, a pause: the button's wire or pin is at fault; call the technician")
    ),
    LampStep.DRILL: Pattern((0.8, 0.2, 0.2, 0.2), N_("long, short: a drill")),
}

DRILL_BUZZER = Pattern((0.1, 0.2, 0.1, 2.6), N_("two short beeps every three seconds: a drill"))
BUZZER = Pattern((0.3, 0.7), N_("the buzzer beeps once a second until somebody at the command centre answers"))


def beat(pattern: Pattern, elapsed_s: float) -> tuple[bool, float]:
    """Whether the lamp is on so many seconds after the pattern began, and how many seconds it stays so."""
    at_s = elapsed_s % pattern.period_s
    for number, length_s in enumerate(pattern.beats_s):
        if at_s < length_s:
            return number % 2 == 0, length_s - at_s
        at_s -= length_s
    return False, 0.0  # the last beat's end, lost in rounding
