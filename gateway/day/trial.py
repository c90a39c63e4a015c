"""A test of one contact by a named person: its first short press is a drill, everything else is real. Pure.

    opened for 60 s --first press--> pressed --released within 3 s--> over: it was a drill
          |                             |
          | nobody pressed              | held for 3 s, or whatever else came of the wire than its release
          v                             v
        over                        real, from then on

A second press is real at once, and so is any other contact's. A test is not kept over a restart: what is found active
then is real.
"""

from __future__ import annotations

from dataclasses import dataclass

from drivers.contact import Change, ContactState
from gateway.moment import Moment

# Kinds of pages on which only notes are made: nothing of them is ever raised, so nothing of them can be drilled.
NOTES = frozenset({"log", "stage", "record", "lost-time", "zero-report", "calibration", "custody"})
TEST_S = 60.0
HELD_S = 3.0


@dataclass(slots=True)
class Trial:
    """Owned by the contact's watch."""

    by: str
    note: str | None
    until: Moment
    pressed: Moment | None = None

    def takes(self, change: Change, at: Moment) -> bool:
        """Whether this is the press that the test was opened for."""
        first = self.pressed is None and change.opening and change.state is ContactState.ACTIVE
        if not first or at.mono_ns >= self.until.mono_ns:
            return False
        self.pressed = at
        return True

    def due(self, hold_s: float) -> Moment:
        """When it is over: of a pressed one, when its press becomes real. `hold_s`: the button's own guard time."""
        return self.until if self.pressed is None else self.pressed.after(max(HELD_S, hold_s))
