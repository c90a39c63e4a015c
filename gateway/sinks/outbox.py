"""What waits to be delivered to one broker: which event is next, what is proven, where the cursor stands.

Pure: moments are passed in, nothing is sent here. Each stream is a lane of its own, so that one that the broker
refuses does not hold up another; within a lane events leave in their order.

    put --> live ----+
                     +--> in flight --> proven --> (needs a receipt) awaiting --> received
    journal -> backlog+        |                          |     ^
       ^                       +-- lost, refused: back    +-----+ sent again after 2 s, 4 s ... 60 s, for ever
       +-- gap: numbers that are in the journal and not in memory

- An urgent event may leave 20 ms after it was made although it is not stored, and takes those before it in its lane
  along. Any other waits until it is stored, or goes at once while storage is known to be failing.
- Live events go before the backlog. So after a long outage a receiver sees new ones first and tells by `seq`.
- A lane keeps at most `LIVE` stored events in memory; older ones become a gap and are read from the journal again.
- `cursor()` is the highest number below which everything is proven, and stored. An event that waits for its receipt
  no longer holds it: after a restart the journal knows which those are.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from drivers.quantities import Stream
from gateway.journal.chain import as_historical
from gateway.moment import NANO, Moment
from gateway.values import STREAMS, Event

URGENT_NS = 20_000_000  # an urgent event waits no longer for the card
LIVE = 200  # stored events of one stream kept in memory while they cannot go out
LIVE_UNSTORED = 5_000  # the same while the card fails and memory is the only place
BACKLOG = 100  # events of one stream read from the journal at a time
SIGNED = 1000  # receipts kept in mind
AWAITING = 256  # events without a receipt kept in memory; the journal knows the others
FIRST_DELAY_S, LAST_DELAY_S = 2.0, 60.0  # between sending again; doubled each time
UNPROVEN_IN_FLIGHT = 4  # in a branch that is not proven yet
ECHO_S = 5.0  # for one's own message to come back over 3.1.1
NO_SUBSCRIBERS = 16
REFUSED_FROM = 128


class Sending(NamedTuple):
    event: Event
    body: bytes  # of the backlog marked historical, unless its stream is custody


class Gap(NamedTuple):
    """Numbers after `low` up to and with `high` that may have to be read from the journal."""

    low: int
    high: int


class Wish(NamedTuple):
    """What the feeder should read: events of `stream` after `low` up to `high`, at most `limit`."""

    stream: Stream
    low: int
    high: int
    limit: int


@dataclass(slots=True)
class Delay:
    """When to try again."""

    at_ns: int = 0
    seconds: float = 0.0

    def grow(self, now: Moment) -> None:
        self.seconds = min(max(2 * self.seconds, FIRST_DELAY_S), LAST_DELAY_S)
        self.at_ns = now.after(self.seconds).mono_ns

    def over(self, now: Moment) -> bool:
        return now.mono_ns >= self.at_ns


@dataclass(slots=True)
class Flight:
    event: Event
    backlog: bool
    acked_ns: int | None = None  # PUBACK came, but the branch is not proven


@dataclass(slots=True)
class Waiting:
    """Taken by the broker, not yet received by a person's side."""

    event: Event
    delay: Delay
    proven: bool  # False: the broker took it and nobody listens
    flying: bool = False


@dataclass(slots=True)
class Lane:
    stream: Stream
    live: deque[Event] = field(default_factory=deque)
    backlog: deque[Event] = field(default_factory=deque)
    gap: Gap | None = None
    asked: bool = False  # the feeder is reading for this lane
    flight: dict[int, Flight] = field(default_factory=dict)
    urgent: deque[Event] = field(default_factory=deque)  # those in `live` that will not wait for the card
    rush: int = 0  # up to this number events go out unstored
    pause: Delay = field(default_factory=Delay)
    proven: bool = False

    def lowest(self) -> int | None:
        """The lowest number that is not proven."""
        low = [queue[0].number for queue in (self.live, self.backlog) if queue]
        low += self.flight
        if self.gap is not None:
            low.append(self.gap.low + 1)
        return min(low, default=None)

    def knows(self, number: int) -> bool:
        return number in self.flight or any(number == event.number for event in self.live)

    def take_back(self, numbers: Iterable[int]) -> None:
        """What was in flight stands in its old place again."""
        back = [self.flight.pop(number) for number in numbers]
        late = [flight.event for flight in back if flight.backlog]
        live = [flight.event for flight in back if not flight.backlog]
        self.backlog = deque(sorted((*self.backlog, *late), key=_number))
        self.live = deque(sorted((*self.live, *live), key=_number))


class Outbox:
    """Owned by one pump's thread."""

    def __init__(self, *, echo: bool, echo_s: float = ECHO_S) -> None:
        """With `echo` (MQTT 3.1.1) a PUBACK proves nothing until a branch has given back one of our own events."""
        self._echo = echo
        self._echo_ns = round(echo_s * NANO)
        self._lanes = {stream: Lane(stream) for stream in STREAMS}
        self._awaiting: dict[int, Waiting] = {}
        self._more_awaiting = True  # the journal may know events without a receipt that are not in memory
        self._asked_awaiting = False
        self._received: set[int] = set()  # while still in a lane
        self._signed: dict[int, None] = {}  # the last ones: what was read from the journal may not know it yet
        self._stored = 0
        self._failing = False
        self._top = 0
        self._first_put: int | None = None
        self._begun = False

    # ---- what happens

    def begin(self, cursor: int, last: int) -> None:
        """The journal's cursor for this sink and its last number, when they are known; live events may come before."""
        self._begun = True
        self._stored = max(self._stored, last)
        self._top = max(self._top, last, cursor)
        high = last if self._first_put is None else min(last, self._first_put - 1)
        for lane in self._lanes.values():
            top = high if lane.gap is None else lane.gap.high
            if cursor < top:
                lane.gap = Gap(cursor, top)

    def put(self, event: Event) -> None:
        if self._first_put is None:
            self._first_put = event.number
        self._top = max(self._top, event.number)
        lane = self._lanes[event.stream]
        lane.live.append(event)
        if event.urgent:
            lane.urgent.append(event)
        while len(lane.live) > LIVE and (lane.live[0].number <= self._stored or len(lane.live) > LIVE_UNSTORED):
            number = lane.live.popleft().number
            lane.gap = Gap(number - 1 if lane.gap is None else lane.gap.low, number)

    def stored(self, number: int) -> None:
        self._stored = max(self._stored, number)
        for lane in self._lanes.values():  # nothing asks for them while the broker is away: they would pile up
            while lane.urgent and lane.urgent[0].number <= self._stored:
                lane.urgent.popleft()

    def storage(self, *, failing: bool) -> None:
        self._failing = failing

    def received(self, number: int) -> None:
        """A signed receipt came, through whichever broker. An event still in its lane is sent once all the same."""
        self._signed[number] = None
        if len(self._signed) > SIGNED:
            del self._signed[next(iter(self._signed))]
        if self._awaiting.pop(number, None) is None and number > (self.cursor() or 0):
            self._received.add(number)

    def hurry(self) -> None:
        """Whatever waits to be sent again is due now."""
        for lane in self._lanes.values():
            lane.pause = Delay()
        for waiting in self._awaiting.values():
            waiting.delay = Delay()

    def connected(self) -> None:
        for lane in self._lanes.values():
            lane.proven = not self._echo
            lane.pause = Delay()
        for waiting in self._awaiting.values():
            waiting.delay = Delay()

    def disconnected(self) -> None:
        """Nothing that was in flight is known to have arrived."""
        for lane in self._lanes.values():
            lane.take_back(list(lane.flight))
        for waiting in self._awaiting.values():
            waiting.flying = False

    # ---- what to send

    def next(self, now: Moment) -> Sending | None:
        """The live event, or the one to be sent again, that is due now. It counts as in flight from here."""
        for lane in self._lanes.values():
            if self._open(lane, now) and lane.live and self._may_leave(lane, now):
                event = lane.live.popleft()
                lane.flight[event.number] = Flight(event, backlog=False)
                return Sending(event, event.body)
        for waiting in self._awaiting.values():
            if not waiting.flying and waiting.delay.over(now):
                waiting.flying = True
                return Sending(waiting.event, waiting.event.body)
        return None

    def next_backlog(self, now: Moment) -> Sending | None:
        """The oldest event of the backlog, which goes when nothing live is waiting."""
        for lane in self._lanes.values():
            if self._open(lane, now) and lane.backlog:
                event = lane.backlog.popleft()
                lane.flight[event.number] = Flight(event, backlog=True)
                return Sending(event, event.body if event.stream == "custody" else as_historical(event.body))
        return None

    def due_ns(self, now: Moment) -> int | None:
        """Monotonic time at which `next` or `unproven` may have something that it does not have now."""
        times = [lane.urgent[0].at.mono_ns + URGENT_NS for lane in self._lanes.values() if lane.urgent]
        times += [lane.pause.at_ns for lane in self._lanes.values() if lane.live or lane.backlog]
        times += [waiting.delay.at_ns for waiting in self._awaiting.values() if not waiting.flying]
        times += [ns + self._echo_ns for lane in self._lanes.values() for ns in _acked(lane)]
        return min((ns for ns in times if ns > now.mono_ns), default=None)

    # ---- what became of it

    def acked(self, number: int, code: int, now: Moment) -> list[Event]:
        """PUBACK for an event in flight: the events that count as accepted by it."""
        if (waiting := self._awaiting.get(number)) is not None and waiting.flying:
            return self._acked_again(waiting, code, now)
        lane = next((lane for lane in self._lanes.values() if number in lane.flight), None)
        if lane is None:
            return []
        if code >= REFUSED_FROM:
            lane.take_back([number])
            lane.pause.grow(now)
            return []
        lane.pause = Delay()
        if not lane.proven:
            lane.flight[number].acked_ns = now.mono_ns
            return []
        event = lane.flight.pop(number).event
        heard = code != NO_SUBSCRIBERS or event.stream != "custody"
        self._leave(event, now, heard=heard)
        return [event] if heard else []

    def echoed(self, stream: Stream, payload: bytes, now: Moment) -> list[Event]:
        """An event came back. If it is one of those in flight, the branch is proven: what was acknowledged counts."""
        lane = self._lanes[stream]
        bodies = (flight.event.body for flight in lane.flight.values())
        if lane.proven or not any(payload in (body, as_historical(body)) for body in bodies):
            return []
        lane.proven = True
        accepted = [flight.event for flight in lane.flight.values() if flight.acked_ns is not None]
        for event in accepted:
            del lane.flight[event.number]
            self._leave(event, now, heard=True)
        return accepted

    def unproven(self, now: Moment) -> dict[Stream, list[int]]:
        """Events that were acknowledged and did not come back in time: they stand in the queue again, for later."""
        silent: dict[Stream, list[int]] = {}
        for lane in self._lanes.values():
            if any(now.mono_ns - ns >= self._echo_ns for ns in _acked(lane)):
                silent[lane.stream] = list(lane.flight)
                lane.take_back(silent[lane.stream])
                lane.pause.grow(now)
        return silent

    def proven(self) -> tuple[Stream, ...]:
        return tuple(lane.stream for lane in self._lanes.values() if lane.proven)

    # ---- the journal

    def wishes(self) -> Iterator[Wish]:
        """What the feeder should read now. Each wish is given once, until it is answered by `fill`."""
        for lane in self._lanes.values():
            if lane.gap is None or lane.asked or len(lane.backlog) >= BACKLOG // 2:
                continue
            if (high := min(lane.gap.high, self._stored)) > lane.gap.low:
                lane.asked = True
                yield Wish(lane.stream, lane.gap.low, high, BACKLOG)

    def fill(self, wish: Wish, upto: int, events: Iterable[Event]) -> None:
        """The journal's answer: all of the stream's events after `wish.low` up to and with `upto`.

        Events that are in memory already are passed over.
        """
        lane = self._lanes[wish.stream]
        lane.asked = False
        if lane.gap is None or lane.gap.low != wish.low:
            return
        lane.backlog.extend(event for event in events if not lane.knows(event.number))
        lane.gap = Gap(upto, lane.gap.high) if upto < lane.gap.high else None

    def not_filled(self, wish: Wish) -> None:
        """The journal could not be read: the wish comes again."""
        self._lanes[wish.stream].asked = False

    def wants_awaiting(self) -> bool:
        """True once, when the journal should be asked for the events that have no receipt."""
        if self._asked_awaiting or not self._begun or not self._more_awaiting or len(self._awaiting) > AWAITING // 2:
            return False
        self._asked_awaiting = True
        return True

    def fill_awaiting(self, events: Iterable[Event] | None) -> None:
        """The journal's events without a receipt (None: it could not be read). Those above the cursor come anyway."""
        self._asked_awaiting = False
        if events is None:
            return
        self._more_awaiting = False
        passed = self.cursor() or 0
        for event in sorted(events, key=_number, reverse=True):
            if event.number > passed or event.number in self._awaiting or event.number in self._signed:
                continue
            if len(self._awaiting) >= AWAITING:
                self._more_awaiting = True
                break
            self._awaiting[event.number] = Waiting(event, Delay(), proven=True)

    def cursor(self) -> int | None:
        """None until the journal was read."""
        if not self._begun:
            return None
        lowest = [low for lane in self._lanes.values() if (low := lane.lowest()) is not None]
        lowest += [waiting.event.number for waiting in self._awaiting.values() if not waiting.proven]
        return min(min(lowest, default=self._top + 1) - 1, self._stored)

    def waiting(self) -> int:
        """How many events in memory are not yet accepted."""
        return sum(len(lane.live) + len(lane.backlog) + len(lane.flight) for lane in self._lanes.values())

    def behind(self) -> bool:
        """There is more in the journal than in memory."""
        return any(lane.gap is not None or lane.backlog for lane in self._lanes.values())

    # ---- inside

    def _open(self, lane: Lane, now: Moment) -> bool:
        if not lane.pause.over(now):
            return False
        if lane.pause.seconds:  # refused before: one at a time shows whether it is so still
            return not lane.flight
        return lane.proven or len(lane.flight) < UNPROVEN_IN_FLIGHT

    def _may_leave(self, lane: Lane, now: Moment) -> bool:
        while lane.urgent and now.mono_ns >= lane.urgent[0].at.mono_ns + URGENT_NS:
            lane.rush = lane.urgent.popleft().number
        number = lane.live[0].number
        while lane.urgent and lane.urgent[0].number <= max(self._stored, lane.rush):
            lane.urgent.popleft()
        return self._failing or number <= max(self._stored, lane.rush)

    def _leave(self, event: Event, now: Moment, *, heard: bool) -> None:
        """Out of the lane: it is done, or it waits for a receipt (or for somebody to listen)."""
        if event.number in self._received:
            self._received.discard(event.number)
            return
        if heard and not event.needs_receipt:
            return
        delay = Delay()
        delay.grow(now)
        self._awaiting[event.number] = Waiting(event, delay, proven=heard or event.needs_receipt)
        if len(self._awaiting) > AWAITING:
            self._forget_oldest()

    def _forget_oldest(self) -> None:
        """The journal keeps what memory cannot: the oldest that it has, else (the card fails) the oldest of all."""
        stored = (number for number in self._awaiting if number <= self._stored)
        del self._awaiting[min(stored, default=min(self._awaiting))]
        self._more_awaiting = True

    def _acked_again(self, waiting: Waiting, code: int, now: Moment) -> list[Event]:
        waiting.flying = False
        waiting.delay.grow(now)
        heard = code < REFUSED_FROM and code != NO_SUBSCRIBERS
        if not heard or not self._lanes[waiting.event.stream].proven:
            return []
        waiting.proven = True
        if not waiting.event.needs_receipt:
            del self._awaiting[waiting.event.number]
        return [waiting.event]


def _number(event: Event) -> int:
    return event.number


def _acked(lane: Lane) -> list[int]:
    return [flight.acked_ns for flight in lane.flight.values() if flight.acked_ns is not None]
