"""What a run before has sent and never stored, as a broker still holds it, joined with what this run has seen.

The card hangs, a press goes out all the same, the power goes: the broker's retained state is then the only trace. It
can add to what is known and never take away.
"""

from __future__ import annotations

from dataclasses import replace

from gateway.alarms import HIDDEN, Alarm, State, unseen
from gateway.moment import Moment

_SEEN = {
    State.ACTIVE_ACKNOWLEDGED: State.ACTIVE_UNACKNOWLEDGED,
    State.LATCHED_ACKNOWLEDGED: State.LATCHED_UNACKNOWLEDGED,
}


def adds(found: Alarm, known: int) -> bool:
    """Whether it was opened (raised, pressed again) later than all that the record knew: `known`, its last revision.

    What the record has seen opened it has also seen end, so anything else at a broker is merely old.
    """
    return found.standing and found.opening > known


def taken_up(alarm: Alarm, found: Alarm) -> Alarm:
    """Nothing stands here: the found alarm as it was, above every revision of this run."""
    return replace(found, name=alarm.name, revision=max(alarm.revision, found.revision))


def joined(alarm: Alarm, found: Alarm, before: Alarm, now: Moment, *, found_at_start: bool) -> Alarm:
    """It stands here too: the activation that never ended goes on, in the state that this run has seen.

    `before`: as the record had it. `found_at_start`: this run opened it once for a switch that was found as the run
    before left it; that is the same press and not counted twice. What people and stations said of one of the two they
    did not say of both: acknowledgement and receipt begin anew.
    """
    known = before.openings if alarm.activation == found.activation else 0
    own = 0 if alarm.drill else max(0, alarm.openings - known - found_at_start)
    revision = max(alarm.revision, found.revision) + 1
    alarm = replace(
        alarm,
        state=_SEEN.get(alarm.state, alarm.state),
        activation=found.activation,
        raised=found.raised or alarm.raised,
        drill=False,
        revision=revision,
        opening=revision,
        openings=found.openings + own,
        received_by=(),
    )
    return unseen(alarm, None if alarm.state in HIDDEN else now)
