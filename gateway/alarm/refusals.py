"""What a person may not do to an alarm, and the sentence that says why."""

from __future__ import annotations

from gateway.alarm.words import Alarm, Definition, Given, Signal, State
from gateway.catalogue import N_, say
from gateway.errors import Refused
from gateway.moment import Moment
from gateway.vocabulary import word

SHELVE_AT_MOST_S = 8 * 3600.0  # one shift: what is hidden for longer is taken out of service, by name
HIDING = frozenset({Signal.SHELVE, Signal.SUPPRESS, Signal.REMOVE})
_NEED_NOTE = HIDING | {Signal.RESET}

_CANNOT = {
    Signal.ACKNOWLEDGE: N_("there is nothing to acknowledge: the alarm is {state}"),
    Signal.RESET: N_("there is nothing to reset: the alarm is {state}"),
    Signal.DRILL: N_("a drill begins only when a latching alarm is normal; this one is {state}"),
    Signal.SHELVE: N_("the alarm cannot be shelved while it is {state}"),
    Signal.UNSHELVE: N_("the alarm is not shelved but {state}"),
    Signal.SUPPRESS: N_("the alarm cannot be suppressed while it is {state}"),
    Signal.RELEASE: N_("the alarm is not suppressed but {state}"),
    Signal.REMOVE: N_("the alarm cannot be taken out of service while it is {state}"),
    Signal.RETURN: N_("the alarm is not out of service but {state}"),
}


def check_command(definition: Definition, alarm: Alarm, signal: Signal, now: Moment, given: Given) -> None:
    """Refuses what is wrong whatever the state: nobody's name, no reason, no limit, something that came since."""
    if definition.custody and signal in HIDING:
        raise Refused(
            say("an alarm of the leak button or of a seal is never shelved, suppressed or taken out of service")
        )
    if not given.by:
        raise Refused(say("who asks? This is done only by a named person"))
    if not (given.note or "").strip() and (signal in _NEED_NOTE or _asks_note(definition, signal)):
        raise Refused(say("say why: a note is needed"))
    if given.activation is not None and given.activation != alarm.activation:
        raise Refused(say("that activation is over or was never here; look at the alarm again"))
    if signal is Signal.RESET and given.revision is None:
        raise Refused(say("name the revision of the alarm that you saw"))
    if given.revision is not None and not alarm.basis <= given.revision <= alarm.revision:
        raise Refused(_came_since(alarm, now))
    if signal is Signal.SHELVE and not 0 < (given.for_s or 0) <= SHELVE_AT_MOST_S:
        raise Refused(say("say for how long: more than nothing and at most {hours:g} h", hours=SHELVE_AT_MOST_S / 3600))


def _asks_note(definition: Definition, signal: Signal) -> bool:
    return signal is Signal.ACKNOWLEDGE and definition.note_required


def _came_since(alarm: Alarm, now: Moment) -> str:
    if alarm.actor is None or alarm.acted is None:
        return say("something came since; the alarm is now at revision {revision}: look again", revision=alarm.revision)
    return say(
        "{who} was first, {ago:.0f} s ago; the alarm is now {state}",
        who=alarm.actor,
        ago=now.seconds_since(alarm.acted),
        state=word(alarm.state),
    )


def refusal(alarm: Alarm, signal: Signal) -> str:
    """Why the table has no way for this signal in this state."""
    state = alarm.state
    if signal is Signal.ACKNOWLEDGE and state in (State.ACTIVE_ACKNOWLEDGED, State.LATCHED_ACKNOWLEDGED):
        return say("it is acknowledged already, by {who}", who=alarm.acknowledged_by)
    if signal is Signal.RESET and state is State.LATCHED_UNACKNOWLEDGED:
        return say("acknowledge it first: nobody has said yet that it was seen")
    active = (State.ACTIVE_UNACKNOWLEDGED, State.ACTIVE_ACKNOWLEDGED, State.LATCHED_ACKNOWLEDGED)
    if signal is Signal.RESET and state in active:
        return say("the condition still stands: it is reset when the contact or the value is back to normal")
    return say(_CANNOT[signal], state=word(state))
