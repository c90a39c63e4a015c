"""Which readings are to be sent to one broker next: live ones at once, the backlog at a set rate.

Pure. Readings are known by their place in the journal; a cursor moves over what is proven. What the broker refuses is
not passed over: the cursor stays before it, and it is sent again, with all that came after it, after the next
connecting, or as soon as its owner has seen that it would be taken now.

    live: (live_at, newest]      todo: ranges that are older or came back      parcels: what is on its way
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from gateway.moment import Moment
from gateway.payloads import Below

LIVE_MS = 60_000  # places are milliseconds (`journal/readings.py`): the newest minute; what is older is backlog
LIVE_BLOCKS = 15  # blocks of a few seconds each in one parcel
LATE_BLOCKS = 10  # blocks of the backlog in one parcel
LATE_PARCELS = 2


class Range(NamedTuple):
    """Places after `low` up to and with `high`."""

    low: int
    high: int


class ReadingsWish(NamedTuple):
    """What the feeder should read and make messages of: places after `low` up to `high`, at most `limit` blocks."""

    low: int
    high: int
    limit: int
    historical: bool


@dataclass(slots=True, eq=False)
class Parcel:
    """The messages of one range. They leave in any order; the range is proven when all are."""

    range: Range
    historical: bool
    waiting: deque[Below]
    flying: int = 0
    refused: bool = False


@dataclass(slots=True)
class Allowance:
    """Readings a second that the backlog may take; 0: no limit. At most one second's worth is saved up."""

    rate: int
    left: float = 0.0
    at: Moment | None = None

    def open(self, now: Moment) -> bool:
        if self.rate == 0:
            return True
        gained = self.rate * now.seconds_since(self.at) if self.at is not None else float(self.rate)
        self.left, self.at = min(self.left + gained, float(self.rate)), now
        return self.left > 0

    def take(self, count: int) -> None:
        self.left -= count


@dataclass(slots=True)
class Telemetry:
    """Owned by one pump's thread."""

    allowance: Allowance
    _live_at: int | None = None
    _newest: int = 0
    _todo: list[Range] = field(default_factory=list)
    _parcels: list[Parcel] = field(default_factory=list)
    _asked: set[ReadingsWish] = field(default_factory=set)
    _held: int | None = None  # the cursor stays here until what was refused is sent again

    def begin(self, cursor: int) -> None:
        """The journal's cursor for this sink."""
        self._live_at = cursor

    def grown(self, newest: int) -> None:
        """The newest place in the journal. What is too old to be live becomes backlog."""
        self._newest = newest
        if self._live_at is None or any(not wish.historical for wish in self._asked):
            return
        if newest - self._live_at > 2 * LIVE_MS:
            self._todo.append(Range(self._live_at, newest - LIVE_MS))
            self._live_at = newest - LIVE_MS

    def wish(self, now: Moment) -> ReadingsWish | None:
        """What the feeder should read now; given once, until it is answered."""
        if self._live_at is None:
            return None
        busy = {wish.historical for wish in self._asked} | {p.historical for p in self._parcels if not p.historical}
        wish = None
        if self._newest > self._live_at and False not in busy:
            wish = ReadingsWish(self._live_at, self._newest, LIVE_BLOCKS, historical=False)
        elif self._todo and True not in busy and self._late() < LATE_PARCELS and self.allowance.open(now):
            wish = ReadingsWish(*self._todo[0], LATE_BLOCKS, historical=True)
        if wish is not None:
            self._asked.add(wish)
        return wish

    def fill(self, wish: ReadingsWish, upto: int, messages: Sequence[Below], count: int) -> None:
        """The journal's answer: all after `wish.low` up to and with `upto`, `count` readings in all."""
        if wish not in self._asked:
            return
        self._asked.discard(wish)
        if wish.historical:
            self.allowance.take(count)
            rest = Range(upto, self._todo[0].high)
            self._todo[0:1] = [rest] if rest.low < rest.high else []
        else:
            self._live_at = upto
        if messages:
            self._parcels.append(Parcel(Range(wish.low, upto), wish.historical, deque(messages)))

    def not_filled(self, wish: ReadingsWish) -> None:
        self._asked.discard(wish)

    def next(self, *, historical: bool) -> tuple[Parcel, Below] | None:
        for parcel in self._parcels:
            if parcel.historical == historical and parcel.waiting:
                parcel.flying += 1
                return parcel, parcel.waiting.popleft()
        return None

    def put_back(self, parcel: Parcel, *messages: Below) -> None:
        """A message that did not leave stands in its place again: whole, or as the parts that it was cut into."""
        parcel.flying -= 1
        parcel.waiting.extendleft(reversed(messages))

    def acked(self, parcel: Parcel, *, taken: bool) -> None:
        """PUBACK for one message of a parcel (of this connection or one before: then it is no longer known)."""
        if parcel not in self._parcels:
            return
        parcel.flying -= 1
        parcel.refused = parcel.refused or not taken
        if parcel.waiting or parcel.flying:
            return
        self._parcels.remove(parcel)
        if parcel.refused:
            self._held = parcel.range.low if self._held is None else min(self._held, parcel.range.low)

    def again(self) -> None:
        """What was refused would be taken now. What is on its way goes on; a part of it is sent twice."""
        if self._held is None:
            return
        self._todo = self._with_held(self._todo)
        self._asked = {wish for wish in self._asked if not wish.historical}

    def disconnected(self) -> None:
        """What was on its way or refused is to be sent again."""
        if self._live_at is None:
            return
        self._todo = self._with_held([*(parcel.range for parcel in self._parcels), *self._todo])
        self._parcels = []
        self._asked.clear()

    def _with_held(self, todo: list[Range]) -> list[Range]:
        """All from the first that was refused on is to be sent; what is older stays to be sent as it was."""
        held, self._held = self._held, None
        if held is not None and self._live_at is not None:
            older = [Range(each.low, min(each.high, held)) for each in todo if each.low < held]
            todo = [*older, Range(held, self._live_at)]
        return sorted(todo)

    def cursor(self) -> int | None:
        """The place up to which everything is proven; None until the journal was read."""
        if self._live_at is None:
            return None
        lows = [self._live_at, *(each.low for each in self._todo), *(parcel.range.low for parcel in self._parcels)]
        return min(lows if self._held is None else [*lows, self._held])

    def behind(self) -> bool:
        return bool(self._todo)

    def _late(self) -> int:
        return sum(parcel.historical for parcel in self._parcels)
