"""The words of an alarm's life: states, signals, what is fixed, where it stands, what is recorded.

The table that joins them is `alarms.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from drivers.quantities import Stream
from gateway.moment import Moment
from gateway.values import Severity


class State(StrEnum):
    NORMAL = "normal"
    PENDING = "pending"  # the condition is true, its hold is not over: shown as normal
    ACTIVE_UNACKNOWLEDGED = "active_unacknowledged"
    ACTIVE_ACKNOWLEDGED = "active_acknowledged"
    CLEARED_UNACKNOWLEDGED = "cleared_unacknowledged"
    LATCHED_UNACKNOWLEDGED = "latched_unacknowledged"
    LATCHED_ACKNOWLEDGED = "latched_acknowledged"
    SHELVED = "shelved"
    SUPPRESSED = "suppressed"
    OUT_OF_SERVICE = "out_of_service"


class Signal(StrEnum):
    # what the source says
    BREACH = "breach"  # the condition is seen to be true; may be said again at every look
    CLEAR = "clear"  # the condition is seen to be false; likewise
    UNKNOWN = "unknown"  # it cannot be told
    PRESS = "press"  # an accepted press or a new opening: each counts, in any state
    UPDATE = "update"  # something worth a record that changes no state (a count of chatter, a part of a group)
    # what time says; made here out of TICK
    TICK = "tick"
    HELD = "held"  # true for raise_after_s
    GONE = "gone"  # false for clear_after_s
    REALARM = "realarm"  # acknowledged and still true for repeat_after_s
    STUCK = "stuck"  # true for stuck_after_s
    ESCALATE = "escalate"
    EXPIRE = "expire"  # the shelving is over
    # what people and far sides say
    RECEIVE = "receive"
    ACKNOWLEDGE = "acknowledge"
    RESET = "reset"
    DRILL = "drill"
    SHELVE = "shelve"
    UNSHELVE = "unshelve"
    SUPPRESS = "suppress"
    RELEASE = "release"
    REMOVE = "remove"
    RETURN = "return"


TransitionName = Literal[
    "raised",
    "repeated",
    "updated",
    "acknowledged",
    "cleared",
    "reset",
    "shelved",
    "unshelved",
    "suppressed",
    "released",
    "removed",
    "returned",
    "escalated",
    "received",
    "expired",
]


def drill_of(alarm: str) -> str:
    """The name of the alarm that is only ever a drill of this one."""
    return f"{alarm}-drill"


@dataclass(frozen=True, slots=True)
class Step:
    """One step of escalation, counted from the raise until a receipt, then from the receipt until acknowledged."""

    after_s: float
    to: str


@dataclass(frozen=True, slots=True)
class Definition:
    """What does not change in an alarm's life."""

    name: str
    kind: str
    severity: Severity
    stream: Stream
    place: str = ""
    point: str | None = None
    latching: bool = False
    custody: bool = False  # never shelved, suppressed or taken out of service; resumed aloud after a restart
    raise_after_s: float = 0.0
    clear_after_s: float = 0.0
    repeat_after_s: float | None = None  # re-alarm time
    stuck_after_s: float | None = None  # true for so long: said once, nothing is cleared
    note_required: bool = False  # to acknowledge; a reset and all hiding need one always
    escalation: tuple[Step, ...] = ()
    drill: bool = False  # only ever a drill: every event of it is marked

    def drilled(self) -> Definition:
        """The alarm that is only ever a drill of this one: the whole way and back, whatever this one is, so with
        receipts and never put aside; it has its severity, stream and escalation, and none of its holds.
        """
        return Definition(
            drill_of(self.name),
            self.kind,
            self.severity,
            self.stream,
            place=self.place,
            point=self.point,
            latching=True,
            custody=True,
            escalation=self.escalation,
            drill=True,
        )


@dataclass(frozen=True, slots=True)
class Alarm:
    """Where one alarm stands. Replaced, never changed; `snapshots.py` writes it down."""

    name: str
    state: State = State.NORMAL
    condition: bool = False  # as confirmed by the holds
    standing: bool = False  # an activation is going on, be it hidden
    activation: str | None = None  # the present one, or the last
    drill: bool = False
    revision: int = 0  # one more with every transition
    opening: int = 0  # revision of the last raise, press or new opening: what a receipt must cover
    basis: int = 0  # the lowest revision a command may have seen: since then nothing came that people must know
    openings: int = 0  # in this activation
    changed: Moment | None = None  # when the condition last changed, or was pressed again
    turning: Moment | None = None  # since when the condition is seen to be the other than confirmed
    blind: Moment | None = None  # since when nothing is known, in the middle of a hold
    raised: Moment | None = None
    acknowledged: Moment | None = None
    acknowledged_by: str | None = None
    acknowledged_note: str | None = None
    hidden_by: str | None = None  # who shelved, suppressed or removed it …
    hidden_note: str | None = None  # … and why
    shelved_until: Moment | None = None
    actor: str | None = None  # who acted last, if nothing opened since
    acted: Moment | None = None
    received_by: tuple[str, ...] = ()  # stations that have the last opening
    escalating: Moment | None = None  # from when the steps count
    escalation_step: int = 0  # how many are taken
    stuck: bool = False

    @property
    def shown(self) -> State:
        """The state as the outside sees it."""
        return State.NORMAL if self.state is State.PENDING else self.state


@dataclass(frozen=True, slots=True)
class Given:
    """What comes with a signal. A reset names the `revision` it saw; `revision` of a receipt is its event's."""

    by: str | None = None
    note: str | None = None  # a person's words
    reason: str | None = None  # a word for machines: "found-at-start", "restart", "stuck" …
    activation: str | None = None
    revision: int | None = None
    for_s: float | None = None  # how long it shall be shelved
    to: str | None = None  # where it is escalated to


@dataclass(frozen=True, slots=True)
class Transition:
    name: TransitionName
    alarm: Alarm  # as it stands afterwards
    at: Moment
    given: Given


NOTHING = Given()

UNACKNOWLEDGED = (State.ACTIVE_UNACKNOWLEDGED, State.CLEARED_UNACKNOWLEDGED, State.LATCHED_UNACKNOWLEDGED)
HIDDEN = (State.SHELVED, State.SUPPRESSED, State.OUT_OF_SERVICE)
