"""A switch on one or two wires: what its levels mean, and which of its movements count.

    closed loop, safe = "low":  pin --- contact --- ground, pull-up   closed reads low,  a cut reads high
    closed loop, safe = "high": pin --- contact --- 3.3 V,  pull-down closed reads high, a cut reads low
    safe not given:             as "low", but the contact is open while all is well (a bell push)

    two wires (changeover), seen as closed or open:
        pin     pin_other   is
        closed  open        safe        (the other way round when safe is not given)
        open    closed      active
        open    open        cut
        closed  closed      short

Two times decide what counts. ACTIVE counts once it has been seen for `glitch`: shorter is noise. Every other state
counts once it has been there for `settle` without a break: a shorter return is chatter and belongs to the movement
before it, and so does the moment in which a changeover has left one contact and not yet reached the other.

So each pulse of at least `glitch` after at least `settle` of rest is a press of its own, whatever came before: nothing
that was accepted can mask what comes later. A contact that only chatters never rests for `glitch`; its active moments
are then added up, so that it becomes active too, once.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

NANO = 1_000_000_000
STUCK_AFTER_NS = 10 * 60 * NANO


class ContactState(StrEnum):
    SAFE = "safe"
    ACTIVE = "active"
    CUT = "cut"
    SHORT = "short"
    UNKNOWN = "unknown"


# A move upwards is accepted on the sum of its moments, any other only on an unbroken stay: chatter between two states
# ends in the upper one and stays there, instead of counting an opening several times a second.
_RANK = {
    ContactState.UNKNOWN: -1,
    ContactState.SAFE: 0,
    ContactState.CUT: 1,
    ContactState.SHORT: 1,
    ContactState.ACTIVE: 2,
}


@dataclass(frozen=True, slots=True)
class Wiring:
    """How a contact is wired: the level of a closed contact, and whether `pin` is closed while all is well."""

    closed_level: bool
    closed_when_safe: bool

    @classmethod
    def of(cls, safe: bool | None) -> Wiring:
        """`safe` is the level of a closed loop (True is high); None: the contact is open while all is well."""
        return cls(closed_level=safe is True, closed_when_safe=safe is not None)

    @property
    def pull_up(self) -> bool:
        return not self.closed_level

    def state(self, levels: tuple[bool | None, ...]) -> ContactState:
        """What one or two levels mean; a level of None is not known, and the other one is then judged alone."""
        swapped = [None if level is None else (level == self.closed_level) == self.closed_when_safe for level in levels]
        match swapped:
            case [True] | [True, False] | [True, None] | [None, False]:
                return ContactState.SAFE
            case [False] | [False, True] | [False, None] | [None, True]:
                return ContactState.ACTIVE
            case [bool(), bool()]:
                same = levels[0] == self.closed_level
                return ContactState.SHORT if same else ContactState.CUT
            case _:
                return ContactState.UNKNOWN

    def levels(self, state: ContactState, lines: int) -> tuple[bool, ...]:
        """The levels that a contact in `state` shows; what a simulated one is driven to. One line cannot tell a cut."""
        closed = {
            ContactState.SAFE: (self.closed_when_safe, not self.closed_when_safe),
            ContactState.ACTIVE: (not self.closed_when_safe, self.closed_when_safe),
            ContactState.CUT: (False, False),
            ContactState.SHORT: (True, True),
        }[state]
        return tuple(c == self.closed_level for c in closed[:lines])


@dataclass(frozen=True, slots=True)
class Change:
    """The contact's state changed. `since_mono_ns`: accepted; `edge_mono_ns`: the first movement that led to it."""

    state: ContactState
    since_mono_ns: int
    edge_mono_ns: int
    found_at_start: bool = False  # the state in which it was found, not something that happened

    @property
    def opening(self) -> bool:
        """A press of the button, an opening of the door: an event of its own each time."""
        return self.state is ContactState.ACTIVE and not self.found_at_start


class ContactFilter:
    """One contact's levels in, its accepted states out. Not thread-safe: it belongs to the engine's thread.

    Levels carry the moment at which they were true and may be told late; `advance` only accepts what has become due.
    """

    def __init__(self, safe: bool | None, lines: Literal[1, 2], glitch_ns: int, settle_ns: int) -> None:
        self.state = ContactState.UNKNOWN
        self._wiring = Wiring.of(safe)
        self._glitch_ns = glitch_ns
        self._settle_ns = settle_ns
        self._levels: list[bool | None] = [None] * lines
        self._lost: set[int] = set()
        self._told_ns = [0] * lines  # the newest level of each line is of this moment
        self._seen = ContactState.UNKNOWN  # what the levels say now, not yet accepted
        self._seen_ns = 0
        self._left_ns = 0  # when the levels first left the accepted state
        self._spent_ns: dict[ContactState, int] = {}  # moments in states above the accepted one, added up
        self._at_ns = 0  # nothing before this can change any more
        self._changes: list[Change] = []

    def feed(self, line: int, level: bool, mono_ns: int, source: Literal["edge", "poll", "start"]) -> None:
        """A line's level (True is high) at a moment; a poll that an edge has overtaken is ignored."""
        if source == "poll" and mono_ns < self._told_ns[line]:
            return
        self._told_ns[line] = max(mono_ns, self._told_ns[line])
        if level == self._levels[line]:
            return
        at_ns = max(mono_ns, self._at_ns)
        self._accept_due(at_ns)
        self._levels[line] = level
        self._lost.discard(line)
        waiting = any(known is None and i not in self._lost for i, known in enumerate(self._levels))
        if not waiting:  # at start one line alone cannot tell a cut from a press, and the other is about to come
            self._see(self._wiring.state(tuple(self._levels)), at_ns)

    def lose(self, line: int, mono_ns: int) -> None:
        """A line cannot be read. The other one is judged alone; with none left the state is unknown."""
        at_ns = max(mono_ns, self._at_ns)
        self._accept_due(at_ns)
        self._lost.add(line)
        self._levels[line] = None
        before, left = self.state, self._wiring.state(tuple(self._levels))
        self._spent_ns.clear()
        self._seen, self._seen_ns, self._left_ns, self._at_ns = left, at_ns, at_ns, at_ns
        if left is not before:
            self.state = ContactState.UNKNOWN
        if left is ContactState.UNKNOWN and before is not left:
            self._changes.append(Change(left, at_ns, at_ns))

    def due(self) -> int | None:
        """The monotonic time (ns) at which `advance` has something to accept; None: not before the next level."""
        if self._seen is self.state:
            return None
        if self.state is ContactState.UNKNOWN:  # found: at once when all lines speak, else the others may yet come
            return self._seen_ns + (self._settle_ns if self._lost else 0)
        hold_ns = self._glitch_ns if self._seen is ContactState.ACTIVE else self._settle_ns
        return max(self._seen_ns + hold_ns - self._spent_ns.get(self._seen, 0), self._at_ns)

    def advance(self, mono_ns: int) -> list[Change]:
        """Everything accepted up to `mono_ns` and not yet handed out, in order."""
        self._accept_due(mono_ns)
        changes, self._changes = self._changes, []
        return changes

    def _see(self, state: ContactState, at_ns: int) -> None:
        stayed_ns = at_ns - self._seen_ns
        if _RANK[self._seen] > _RANK[self.state]:
            self._spent_ns[self._seen] = self._spent_ns.get(self._seen, 0) + stayed_ns
        elif stayed_ns >= self._glitch_ns:
            self._spent_ns.clear()
        if self._seen is self.state and not self._spent_ns:
            self._left_ns = at_ns
        self._seen, self._seen_ns, self._at_ns = state, at_ns, at_ns

    def _accept_due(self, upto_ns: int) -> None:
        due_ns = self.due()
        if due_ns is None or due_ns > upto_ns:
            return
        found = self.state is ContactState.UNKNOWN
        self.state, self._at_ns = self._seen, due_ns
        self._spent_ns.clear()
        self._changes.append(Change(self.state, due_ns, self._left_ns, found_at_start=found))


@dataclass(frozen=True, slots=True)
class ChatterReport:
    chattering: bool  # False: it has been quiet for an interval
    edges: int  # raw edges since the report before


class Chatter:
    """Counts raw edges; says that a contact chatters at once, then once an interval, then that it has stopped."""

    def __init__(self, edges_per_s: int = 50, interval_ns: int = 60 * NANO) -> None:
        self._limit = edges_per_s
        self._interval_ns = interval_ns
        self._chattering = False
        self._busy = False  # a second with too many edges since the report before
        self._edges = 0  # since the report before
        self._second_ns = -NANO
        self._second_edges = 0
        self._report_ns = 0

    def edge(self, mono_ns: int) -> None:
        if mono_ns - self._second_ns >= NANO:
            self._second_ns, self._second_edges = mono_ns, 0
            if not self._chattering and not self._busy:
                self._edges = 0
        self._second_edges += 1
        self._edges += 1
        self._busy = self._busy or self._second_edges >= self._limit

    def due(self) -> int | None:
        """The monotonic time (ns) of the next report; None while there is nothing to say."""
        if self._chattering:
            return self._report_ns + self._interval_ns
        return self._second_ns if self._busy else None

    def advance(self, mono_ns: int) -> ChatterReport | None:
        due_ns = self.due()
        if due_ns is None or mono_ns < due_ns:
            return None
        report = ChatterReport(self._busy, self._edges)
        self._chattering, self._busy, self._edges, self._report_ns = self._busy, False, 0, mono_ns
        return report


def is_stuck(state: ContactState, since_mono_ns: int, now_mono_ns: int, after_ns: int = STUCK_AFTER_NS) -> bool:
    """Active for so long that somebody should look at the contact itself; the alarm stays as it is."""
    return state is ContactState.ACTIVE and now_mono_ns - since_mono_ns >= after_ns
