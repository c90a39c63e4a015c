"""The life of an alarm: one table, time passed in, in the words of ISA-18.2 / IEC 62682.

    normal --breach--> pending --held--> active_unacknowledged --acknowledge--> active_acknowledged
                                             |  gone                               |  gone
                                             v                                     v
                            cleared_ or latched_unacknowledged        normal, or latched_acknowledged --reset--> normal

`TABLE` is every way an alarm can change; `docs/alarms.md` prints it and a test compares the two. What is not in it does
not happen: from a device it changes nothing, from a person it is `Refused` with a sentence.

A condition is *confirmed* when it has held: `raise_after_s` to become true, `clear_after_s` to become false. Silence
confirms nothing: `Signal.UNKNOWN` stops the running hold until something is known again. Durations are monotonic.

Alarms of custody (leak, seal, tamper and their faults) are never shelved, suppressed or taken out of service.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from gateway.alarm.refusals import HIDING, SHELVE_AT_MOST_S, check_command, refusal
from gateway.alarm.words import (
    HIDDEN,
    NOTHING,
    UNACKNOWLEDGED,
    Alarm,
    Definition,
    Given,
    Signal,
    State,
    Step,
    Transition,
    TransitionName,
)
from gateway.errors import Refused
from gateway.moment import Moment

__all__ = [
    "HIDDEN",
    "NOTHING",
    "SHELVE_AT_MOST_S",
    "TABLE",
    "UNACKNOWLEDGED",
    "Alarm",
    "Definition",
    "Given",
    "If",
    "Signal",
    "State",
    "Step",
    "Transition",
    "TransitionName",
    "Way",
    "due",
    "resume",
    "step",
    "unseen",
]


class If(StrEnum):
    ALWAYS = ""
    TRUE = "condition true"
    LATCHING = "latching"
    LATCHED = "latching, activation standing"
    DRILL = "in a drill"
    QUIET = "condition gone"
    NOT_CUSTODY = "not custody"
    NEW_RECEIPT = "first of this station for the last opening"


@dataclass(frozen=True, slots=True)
class Way:
    to: State
    says: TransitionName | None = None  # None: no event
    when: If = If.ALWAYS


_PEOPLE = frozenset(
    {Signal.ACKNOWLEDGE, Signal.RESET, Signal.DRILL, Signal.SHELVE, Signal.UNSHELVE}
    | {Signal.SUPPRESS, Signal.RELEASE, Signal.REMOVE, Signal.RETURN}
)
DRILL_S = 15 * 60.0  # a drill is over after that, whoever has forgotten it
_OPENING = (Signal.HELD, Signal.PRESS, Signal.REALARM, Signal.DRILL)

# ---- the table ---------------------------------------------------------------------------------------------------

_HIDE: Mapping[Signal, tuple[Way, ...]] = {
    Signal.SHELVE: (Way(State.SHELVED, "shelved", If.NOT_CUSTODY),),
    Signal.SUPPRESS: (Way(State.SUPPRESSED, "suppressed", If.NOT_CUSTODY),),
    Signal.REMOVE: (Way(State.OUT_OF_SERVICE, "removed", If.NOT_CUSTODY),),
}


def _stay(state: State, *signals: Signal) -> Mapping[Signal, tuple[Way, ...]]:
    """Signals that leave a record and the state as it is."""
    says: dict[Signal, Way] = {
        Signal.ESCALATE: Way(state, "escalated"),
        Signal.RECEIVE: Way(state, "received", If.NEW_RECEIPT),
    }
    return {signal: (says.get(signal, Way(state, "updated")),) for signal in signals}


def _come_back(says: TransitionName) -> tuple[Way, ...]:
    return (
        Way(State.ACTIVE_UNACKNOWLEDGED, says, If.TRUE),
        Way(State.LATCHED_UNACKNOWLEDGED, says, If.LATCHED),
        Way(State.NORMAL, says),
    )


_RAISED = (Way(State.ACTIVE_UNACKNOWLEDGED, "raised"),)
_REPEATED = (Way(State.ACTIVE_UNACKNOWLEDGED, "repeated"),)
_REAL_OR_REPEATED = (Way(State.ACTIVE_UNACKNOWLEDGED, "raised", If.DRILL), *_REPEATED)

TABLE: Mapping[State, Mapping[Signal, tuple[Way, ...]]] = {
    State.NORMAL: {
        Signal.BREACH: (Way(State.PENDING),),
        Signal.HELD: _RAISED,  # the hold began while it was hidden, or over and not acknowledged
        Signal.PRESS: _RAISED,
        Signal.DRILL: (Way(State.LATCHED_UNACKNOWLEDGED, "raised", If.LATCHING),),
        **_stay(State.NORMAL, Signal.UPDATE),
        **_HIDE,
    },
    State.PENDING: {
        Signal.CLEAR: (Way(State.NORMAL),),
        Signal.HELD: _RAISED,
        Signal.PRESS: _RAISED,
        **_stay(State.PENDING, Signal.UPDATE),
        **_HIDE,
    },
    State.ACTIVE_UNACKNOWLEDGED: {
        Signal.ACKNOWLEDGE: (Way(State.ACTIVE_ACKNOWLEDGED, "acknowledged"),),
        Signal.GONE: (
            Way(State.LATCHED_UNACKNOWLEDGED, "cleared", If.LATCHING),
            Way(State.CLEARED_UNACKNOWLEDGED, "cleared"),
        ),
        Signal.PRESS: _REPEATED,
        **_stay(State.ACTIVE_UNACKNOWLEDGED, Signal.UPDATE, Signal.STUCK, Signal.ESCALATE, Signal.RECEIVE),
        **_HIDE,
    },
    State.ACTIVE_ACKNOWLEDGED: {
        Signal.GONE: (Way(State.LATCHED_ACKNOWLEDGED, "cleared", If.LATCHING), Way(State.NORMAL, "cleared")),
        Signal.PRESS: _REPEATED,
        Signal.REALARM: _REPEATED,
        **_stay(State.ACTIVE_ACKNOWLEDGED, Signal.UPDATE, Signal.STUCK, Signal.RECEIVE),
        **_HIDE,
    },
    State.CLEARED_UNACKNOWLEDGED: {
        Signal.ACKNOWLEDGE: (Way(State.NORMAL, "acknowledged"),),
        Signal.HELD: _REPEATED,
        Signal.PRESS: _REPEATED,
        **_stay(State.CLEARED_UNACKNOWLEDGED, Signal.UPDATE, Signal.ESCALATE, Signal.RECEIVE),
        **_HIDE,
    },
    State.LATCHED_UNACKNOWLEDGED: {
        Signal.ACKNOWLEDGE: (Way(State.LATCHED_ACKNOWLEDGED, "acknowledged"),),
        Signal.EXPIRE: (Way(State.NORMAL, "expired", If.DRILL),),
        Signal.HELD: _REAL_OR_REPEATED,
        Signal.PRESS: _REAL_OR_REPEATED,
        **_stay(State.LATCHED_UNACKNOWLEDGED, Signal.UPDATE, Signal.ESCALATE, Signal.RECEIVE),
    },
    State.LATCHED_ACKNOWLEDGED: {
        Signal.RESET: (Way(State.NORMAL, "reset", If.QUIET),),
        Signal.EXPIRE: (Way(State.NORMAL, "expired", If.DRILL),),
        Signal.HELD: _REAL_OR_REPEATED,
        Signal.PRESS: _REAL_OR_REPEATED,
        **_stay(State.LATCHED_ACKNOWLEDGED, Signal.UPDATE, Signal.RECEIVE),
    },
    State.SHELVED: {
        Signal.UNSHELVE: _come_back("unshelved"),
        Signal.EXPIRE: _come_back("expired"),
        **_stay(State.SHELVED, Signal.HELD, Signal.GONE, Signal.PRESS, Signal.UPDATE, Signal.RECEIVE),
    },
    State.SUPPRESSED: {
        Signal.RELEASE: _come_back("released"),
        **_stay(State.SUPPRESSED, Signal.HELD, Signal.GONE, Signal.PRESS, Signal.UPDATE, Signal.RECEIVE),
    },
    State.OUT_OF_SERVICE: {  # not evaluated: a condition is only kept in mind; a press is an event all the same
        Signal.RETURN: _come_back("returned"),
        Signal.HELD: (Way(State.OUT_OF_SERVICE),),
        Signal.GONE: (Way(State.OUT_OF_SERVICE),),
        **_stay(State.OUT_OF_SERVICE, Signal.PRESS, Signal.UPDATE, Signal.RECEIVE),
    },
}

_GUARDS: Mapping[If, Callable[[Definition, Alarm, Given], bool]] = {
    If.ALWAYS: lambda _d, _a, _g: True,
    If.TRUE: lambda _d, alarm, _g: alarm.condition,
    If.LATCHING: lambda definition, _a, _g: definition.latching,
    If.LATCHED: lambda definition, alarm, _g: definition.latching and alarm.standing,
    If.DRILL: lambda _d, alarm, _g: alarm.drill,
    If.QUIET: lambda _d, alarm, _g: not alarm.condition and alarm.turning is None,
    If.NOT_CUSTODY: lambda definition, _a, _g: not definition.custody,
    If.NEW_RECEIPT: lambda _d, alarm, given: (
        alarm.standing and given.by not in alarm.received_by and (given.revision or 0) >= alarm.opening
    ),
}

# ---- a step ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Case:
    """One signal, with everything that goes with it."""

    definition: Definition
    signal: Signal
    now: Moment
    new_id: Callable[[], str]
    given: Given


def step(
    definition: Definition,
    alarm: Alarm,
    signal: Signal,
    now: Moment,
    new_id: Callable[[], str],
    *,
    given: Given = NOTHING,
) -> tuple[Alarm, tuple[Transition, ...]]:
    """The alarm after `signal`, and what is to be recorded, in order.

    Raises `Refused`, with a sentence for people, when a person's command may not be done; nothing has changed then.
    """
    case = _Case(definition, signal, now, new_id, given)
    if signal in _PEOPLE:
        check_command(definition, alarm, signal, now, given)
        return _go(case, alarm)
    if signal is Signal.UNKNOWN:
        waits = alarm.turning is not None and alarm.blind is None
        return (replace(alarm, blind=now) if waits else alarm), ()
    passed: tuple[Transition, ...] = ()
    if signal in (Signal.BREACH, Signal.CLEAR):
        alarm = _look(alarm, signal, now)
    elif signal is not Signal.TICK:
        alarm, passed = _go(case, alarm)
    return _elapse(case, alarm, passed)


def due(definition: Definition, alarm: Alarm) -> Moment | None:
    """When `Signal.TICK` must come next at the latest, by the monotonic clock; None when time changes nothing."""
    return min((when for when, _, _ in _timers(definition, alarm)), key=lambda when: when.mono_ns, default=None)


def resume(definition: Definition, alarm: Alarm, now: Moment) -> tuple[Alarm, tuple[Transition, ...]]:
    """After a restart: a standing alarm of custody is said again, as the same activation, in the state it had (A9).

    A drill ends with it.
    """
    if alarm.standing and alarm.drill:
        return _go(_Case(definition, Signal.EXPIRE, now, str, Given(reason="restart")), alarm)
    if not (definition.custody and alarm.standing):
        return alarm, ()
    alarm = replace(alarm, revision=alarm.revision + 1)
    return alarm, (Transition("repeated", alarm, now, Given(reason="restart")),)


def _look(alarm: Alarm, signal: Signal, now: Moment) -> Alarm:
    """The condition is seen; whether it is confirmed is the hold's to say."""
    ways = TABLE[alarm.state].get(signal, ())
    state = ways[0].to if ways else alarm.state
    if (signal is Signal.BREACH) == alarm.condition:
        if alarm.turning is None:  # as most looks find it
            return alarm
        return replace(alarm, state=state, turning=None, blind=None)
    if alarm.turning is None:
        return replace(alarm, state=state, turning=now, blind=None)
    if alarm.blind is not None:  # time in which nothing was known counts for neither
        return replace(alarm, turning=alarm.turning.after(now.seconds_since(alarm.blind)), blind=None)
    return alarm


def _elapse(case: _Case, alarm: Alarm, passed: tuple[Transition, ...]) -> tuple[Alarm, tuple[Transition, ...]]:
    """Everything that has fallen due, the earliest first."""
    while ready := [timer for timer in _timers(case.definition, alarm) if timer[0].mono_ns <= case.now.mono_ns]:
        _, signal, given = min(ready, key=lambda timer: timer[0].mono_ns)
        alarm, more = _go(replace(case, signal=signal, given=given or case.given), alarm)
        passed += more
    return alarm, passed


def _timers(definition: Definition, alarm: Alarm) -> list[tuple[Moment, Signal, Given | None]]:
    """What runs: when it is due, as which signal, and with what (None: what came with the present signal)."""
    running: list[tuple[Moment, Signal, Given | None]] = []
    if alarm.turning is not None and alarm.blind is None:
        hold_s = definition.clear_after_s if alarm.condition else definition.raise_after_s
        running.append((alarm.turning.after(hold_s), Signal.GONE if alarm.condition else Signal.HELD, None))
    if alarm.state is State.SHELVED and alarm.shelved_until is not None:
        running.append((alarm.shelved_until, Signal.EXPIRE, NOTHING))
    if alarm.state is State.ACTIVE_ACKNOWLEDGED and alarm.acknowledged is not None and definition.repeat_after_s:
        running.append((alarm.acknowledged.after(definition.repeat_after_s), Signal.REALARM, Given(reason="realarm")))
    if alarm.drill and alarm.standing and alarm.raised is not None:
        running.append((alarm.raised.after(DRILL_S), Signal.EXPIRE, Given(reason="drill-over")))
    active = alarm.state in (State.ACTIVE_UNACKNOWLEDGED, State.ACTIVE_ACKNOWLEDGED)
    if active and alarm.changed is not None and definition.stuck_after_s and not alarm.stuck:
        running.append((alarm.changed.after(definition.stuck_after_s), Signal.STUCK, Given(reason="stuck")))
    if alarm.escalating is not None and alarm.escalation_step < len(definition.escalation):
        next_step = definition.escalation[alarm.escalation_step]
        given = Given(to=next_step.to, reason=next_step.to)  # the record says where it went
        running.append((alarm.escalating.after(next_step.after_s), Signal.ESCALATE, given))
    return running


def _go(case: _Case, alarm: Alarm) -> tuple[Alarm, tuple[Transition, ...]]:
    """One row of the table."""
    if alarm.drill and not alarm.standing:  # the drill is over: nothing that follows is marked
        alarm = replace(alarm, drill=False)
    before = alarm
    if case.signal in (Signal.HELD, Signal.PRESS):
        alarm = replace(alarm, condition=True, changed=case.now, turning=None, blind=None, stuck=False)
    elif case.signal is Signal.GONE:
        alarm = replace(alarm, condition=False, changed=case.now, turning=None, blind=None)
    ways = TABLE[before.state].get(case.signal, ())
    way = next((way for way in ways if _GUARDS[way.when](case.definition, alarm, case.given)), None)
    if way is None:
        if case.signal in _PEOPLE:
            raise Refused(refusal(before, case.signal))
        return alarm, ()
    alarm = replace(alarm, state=way.to, revision=alarm.revision + (way.says is not None))
    alarm = _effect(case, way, before, alarm)
    return alarm, (() if way.says is None else (Transition(way.says, alarm, case.now, case.given),))


def _effect(case: _Case, way: Way, before: Alarm, alarm: Alarm) -> Alarm:
    """What a way changes besides the state."""
    signal, now, given = case.signal, case.now, case.given
    if signal in _OPENING:
        alarm = _open(case, way, alarm)
    elif signal is Signal.ACKNOWLEDGE:
        alarm = replace(
            alarm, acknowledged=now, acknowledged_by=given.by, acknowledged_note=given.note, escalating=None
        )
    elif signal is Signal.RECEIVE:
        again = now if alarm.state in UNACKNOWLEDGED else None
        received_by = (*alarm.received_by, given.by or "")
        alarm = replace(alarm, received_by=received_by, escalating=again, escalation_step=0)
    elif signal is Signal.ESCALATE:
        alarm = replace(alarm, escalation_step=alarm.escalation_step + 1)
    elif signal is Signal.STUCK:
        alarm = replace(alarm, stuck=True)
    elif signal in HIDING:
        until = now.after(given.for_s or 0) if signal is Signal.SHELVE else None
        alarm = replace(alarm, hidden_by=given.by, hidden_note=given.note, shelved_until=until, escalating=None)
    elif before.state in HIDDEN and alarm.state not in HIDDEN:
        alarm = _unhide(case, alarm)
    if signal in _PEOPLE:
        alarm = replace(alarm, basis=alarm.revision, actor=given.by, acted=now)
    over_hidden = signal is Signal.GONE and alarm.state in HIDDEN and not case.definition.latching
    ended = over_hidden or alarm.state is State.NORMAL
    return replace(alarm, standing=False, escalating=None) if ended else alarm


def _open(case: _Case, way: Way, alarm: Alarm) -> Alarm:
    """A raise, a press, a new opening, a re-alarm: it needs receipts and an acknowledgement of its own."""
    if way.says == "raised" or not alarm.standing:
        drill = case.signal is Signal.DRILL
        alarm = replace(
            alarm, activation=case.new_id(), standing=True, raised=case.now, openings=0, drill=drill, stuck=False
        )
    return replace(
        unseen(alarm, None if alarm.state in HIDDEN else case.now),
        openings=alarm.openings + 1,
        opening=alarm.revision,
        received_by=(),
    )


def _unhide(case: _Case, alarm: Alarm) -> Alarm:
    """Back from the shelf: if it stands, it stands unacknowledged, and its escalation begins again."""
    return replace(unseen(alarm, case.now), hidden_by=None, hidden_note=None, shelved_until=None)


def unseen(alarm: Alarm, escalating: Moment | None) -> Alarm:
    """Nobody has seen it as it stands now; `escalating`: from when the steps count, None for not at all."""
    return replace(
        alarm,
        basis=alarm.revision,
        escalating=escalating,
        escalation_step=0,
        acknowledged=None,
        acknowledged_by=None,
        acknowledged_note=None,
        actor=None,
        acted=None,
    )
