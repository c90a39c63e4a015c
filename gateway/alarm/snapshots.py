"""An alarm written down: for the journal's snapshot, the latch file and the retained state; and read again.

Monotonic times do not survive a restart. What was running goes on by the wall clock: the time since is what the wall
clock says, or nothing where that is negative. A hold begins again, because nobody looked while the program was down.
A shelving whose end cannot be told (the clock is not synchronised, then or now) is over: what is hidden comes back.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import fields, replace
from datetime import datetime
from typing import Any

from gateway.alarm.words import HIDDEN, Alarm, State
from gateway.moment import NANO, ClockState, Moment

_MOMENTS = ("changed", "raised", "acknowledged", "shelved_until", "acted", "escalating")
_NOT_KEPT = ("turning", "blind")  # a hold begins again
_PLAIN = tuple(field.name for field in fields(Alarm) if field.name not in (*_MOMENTS, *_NOT_KEPT))


def to_json(alarm: Alarm) -> dict[str, Any]:
    """Plain values only, no number above 2**53, so that canonical JSON takes it."""
    plain: dict[str, Any] = {name: getattr(alarm, name) for name in _PLAIN}
    plain["state"] = alarm.shown.value
    plain["received_by"] = list(alarm.received_by)
    for name in _MOMENTS:
        moment: Moment | None = getattr(alarm, name)
        plain[name] = None if moment is None else {"time": moment.text(), "clock": moment.clock.value}
    return plain


def from_json(written: Mapping[str, Any], now: Moment) -> Alarm:
    """The alarm as it stands after a restart at `now`. Unknown keys are left out, missing ones are as at first.

    Raises ValueError (or KeyError, TypeError) when it is no written alarm: treat the source as damaged.
    """
    known = {name: written[name] for name in _PLAIN if name in written}
    known["state"] = State(written["state"])
    known["received_by"] = tuple(written.get("received_by", ()))
    for name in _MOMENTS:
        if (moment := written.get(name)) is not None:
            known[name] = _moment(moment, now, ahead=name == "shelved_until")
    return _coherent(Alarm(**known), now)


def union(alarms: Iterable[Alarm]) -> Alarm:
    """The one that counts among what database, latch file and retained state say of the same alarm.

    The highest revision; of equals the one that stands. A retained state may have been written by anybody: pass it
    only when it stands, so that it can add an alarm and never take one away.
    """
    return max(alarms, key=lambda alarm: (alarm.revision, alarm.standing))


def _moment(written: Mapping[str, str], now: Moment, *, ahead: bool) -> Moment:
    at = datetime.fromisoformat(written["time"])
    wall_ns = round(at.timestamp() * 1000) * (NANO // 1000)
    clock = ClockState(written["clock"])
    if ahead:
        sure = clock is now.clock is ClockState.SYNCHRONISED
        return Moment(wall_ns, now.mono_ns + (max(0, wall_ns - now.wall_ns) if sure else 0), clock)
    return Moment(wall_ns, now.mono_ns - max(0, now.wall_ns - wall_ns), clock)


def _coherent(alarm: Alarm, now: Moment) -> Alarm:
    """What holds for every alarm, also when the record is from elsewhere: an alarm that could never clear, or that
    could never be raised again, must not come out of a file.
    """
    active = alarm.state in (State.ACTIVE_UNACKNOWLEDGED, State.ACTIVE_ACKNOWLEDGED)
    hidden = alarm.state in HIDDEN
    return replace(
        alarm,
        condition=active or (hidden and alarm.condition),
        standing=alarm.standing if hidden else alarm.state is not State.NORMAL,
        changed=alarm.changed or (now if active else None),
        shelved_until=(alarm.shelved_until or now) if alarm.state is State.SHELVED else None,
    )
