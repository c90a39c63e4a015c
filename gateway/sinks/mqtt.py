"""Delivery over MQTT: one pump for each broker, in a thread of its own, for ever.

Other threads call the methods marked so; each puts a small act on the pump's inbox and returns. The pump alone touches
the connection, the outbox and the retained states; the feeder alone touches the card.

    publish, stored, received, retain ... --> inbox --> outbox, retained, telemetry --> link --> broker
                                                            ^ feeder (journal)            |
    tell(Accepted, NotTaken, SinkState, Canary, Inbound, SeenRetained ...) <--------------+

What goes first: live events and those to be sent again (a broker may end the connection over anything else), the
birth, which waits no longer than a second, answers, states, live readings, the backlog of events, the backlog of
readings. Half of what may be in flight is kept free of backlog.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from drivers.quantities import Stream
from gateway.catalogue import say
from gateway.configuration import config
from gateway.moment import NANO, Clock, Moment
from gateway.payloads import Below, Origin
from gateway.sinks.birth import CANARY_S, Birth
from gateway.sinks.echoes import Echoes
from gateway.sinks.feeder import Feeder, Piece
from gateway.sinks.link import Link
from gateway.sinks.mailbox import LONGEST_WAIT_S, Mailbox
from gateway.sinks.outbox import ECHO_S, NO_SUBSCRIBERS, REFUSED_FROM, Outbox, Sending
from gateway.sinks.packets import Acked, Granted, Happening, Message, Publication
from gateway.sinks.report import Report
from gateway.sinks.retained import Retained
from gateway.sinks.supply import Cursors, Supply
from gateway.sinks.telemetry import Allowance, Parcel, Telemetry
from gateway.sinks.troubles import LinkLost
from gateway.values import STREAMS, Accepted, Canary, Event, Inbound, NotTaken, SeenRetained

log = logging.getLogger(__name__)

READING_EXPIRES_S = 600  # a live reading that nobody took within that time is in the journal and the time series
FIRST_DELAY_S, LAST_DELAY_S = 1.0, 30.0  # between connecting again, real seconds
REFUSED_DELAY_S = 10.0  # at least, where trying again soon changes nothing
REFUSED_AGAIN_S = 60.0  # a state that the broker would not have is offered again while the connection stands
CALM_S = 10.0  # a connection that held so long was a good one
CANARY = "status"  # its refresh is to come back to us
CANARY_REAL_S = 5.0  # patience with it, at whatever speed the clock runs
ANSWERS = 200  # kept while offline
GOODBYE_S = 1.0
MOST_INBOUND = 200  # commands and receipts a second

_OURS = ("status", "meta", "+/meta", "+/head", "+/alarm/+", "+/contact/+")
_ASKED = ("command/+", "receipt/+")
_ECHO = tuple(f"{stream}/{kind}" for stream in STREAMS for kind in ("event", "reading/+"))


class MqttPump:
    """`name` is the sink's name ("mqtt", "second") in cursors and messages.

    `advance` and `advance_readings` put a cursor move on the journals' queues. `announcements`: whole topics with their
    retained payloads, for neighbours on the same broker; said once a connection.
    """

    def __init__(
        self,
        name: str,
        settings: config.Mqtt,
        *,
        origin: Origin,
        client_id: str,
        clock: Clock,
        tell: Callable[[object], None],
        feeder: Feeder,
        advance: Callable[[str, int], None],
        advance_readings: Callable[[str, int], None] | None = None,
        announcements: Sequence[tuple[str, bytes]] = (),
    ) -> None:
        self.name = name
        self.feeder = feeder
        self.turns = 0  # of the loop, for `pulse.py`
        self._settings = settings
        self._origin = origin
        self._client_id = client_id
        self._where = f"{settings.host}:{settings.port}"
        self._clock = clock
        self._tell = tell

        self._echo = settings.version == "3.1.1"
        echo_s = ECHO_S / clock.pause(1.0)  # real seconds: that is the network
        self._echo_ns = round(echo_s * NANO)
        self._outbox = Outbox(echo=self._echo, echo_s=echo_s)
        self._retained = Retained()
        self._telemetry = Telemetry(Allowance(settings.backlog_rate))
        self._echoes = Echoes(echo_s)
        self._birth = Birth(origin)
        self._supply = Supply(
            name,
            self._outbox,
            self._telemetry,
            feeder,
            cursors=Cursors(advance, advance_readings),
            give=lambda answer: self._post(lambda: self._supply.take(answer, clock.now())),
        )
        self._answers: deque[Below] = deque(maxlen=ANSWERS)
        self._announcements = announcements
        self._unannounced: deque[tuple[str, bytes]] = deque()
        self._mailbox = Mailbox()
        self._post = self._mailbox.post
        proven = self._outbox.proven if self._echo else tuple
        self._report = Report(name, self._where, tell, clock.now, proven)

        self._sent: dict[int, Callable[[int], None]] = {}  # packet id: what its PUBACK means
        self._late = 0  # of the backlog in flight
        self._unwanted: set[str] = set()  # topics of readings that the broker would not have in this connection
        self._offered = clock.now()  # when refused states were offered again
        self._granting: dict[int, tuple[str, ...]] = {}
        self._flood = (0, 0)  # second, messages in it
        self._canary_s = max(CANARY_S, CANARY_REAL_S / clock.pause(1.0))

    # ---- for any thread ------------------------------------------------------------------------------------------

    @property
    def nonces(self) -> tuple[str, ...]:
        """Those that commands may carry now."""
        return self._birth.nonces

    def publish(self, event: Event) -> None:
        self._post(lambda: self._outbox.put(event))

    def stored(self, number: int) -> None:
        """Events up to `number` are on the card."""
        self._post(lambda: self._outbox.stored(number))

    def storage(self, failing: bool) -> None:
        """While the card is known to fail, nothing waits for it."""
        self._post(lambda: self._outbox.storage(failing=failing))

    def received(self, number: int) -> None:
        """A signed receipt for event `number` came, through whichever broker."""
        self._post(lambda: self._outbox.received(number))

    def retain(self, topic: str, payload: bytes) -> None:
        """Keep a state at the broker, `topic` below the root: the newest wins, all are sent again after connecting."""
        self._post(lambda: self._retained.put(topic, payload))

    def send(self, topic: str, payload: bytes) -> None:
        """An answer, not retained. Not kept over a restart; the oldest goes when too many wait."""
        self._post(lambda: self._answers.append(Below(topic, payload)))

    def describe(self, details: Mapping[str, Any]) -> None:
        """What `status` says beside the connection; it is published again at once."""
        self._post(lambda: self._birth.describe(details))

    def resend(self, piece: Piece) -> None:
        """Publish copies of events that somebody missed. They prove nothing and move no cursor."""
        self.feeder.ask(piece, lambda answer: self._post(lambda: self._copies(answer.result or ())))

    def hurry(self) -> None:
        """Whatever waits for its receipt is sent again now."""
        self._post(self._outbox.hurry)

    def _copies(self, events: Sequence[Event]) -> None:
        self._answers.extend(Below(f"{event.stream}/event", event.body) for event in events)

    # ---- the thread ----------------------------------------------------------------------------------------------

    def run(self, stop: threading.Event) -> None:
        delay_s = FIRST_DELAY_S
        while not stop.is_set():
            self.turns += 1
            began = self._clock.now()
            try:
                self._connected(stop)
            except LinkLost as lost:
                refused = self._report.lost(lost)
                if self._clock.now().seconds_since(began) > CALM_S:
                    delay_s = FIRST_DELAY_S
                if refused:
                    delay_s = max(delay_s, REFUSED_DELAY_S)
            self._mailbox.rest(stop, delay_s * random.uniform(0.7, 1.3))  # noqa: S311  spreads venues, keeps no secret
            delay_s = min(2 * delay_s, LAST_DELAY_S)
        self._report.stopped()

    def _connected(self, stop: threading.Event) -> None:
        """One connection, from connecting to its end. Whatever happens, nothing of it is kept but what is proven."""
        now = self._clock.now()
        self._report.connecting()
        will = Publication(f"{self._origin.root}/status", self._birth.connecting(now), retain=True)
        link = Link(self._settings, self._client_id, will, now)
        try:
            self._begin(link)
            while not stop.is_set():
                self._turn(link)
            self._leave(link)
        finally:
            link.close()
            self._forget()

    def _begin(self, link: Link) -> None:
        self._outbox.connected()
        self._retained.connected()
        self._unannounced = deque(self._announcements)
        self._supply.connected()
        self._echoes.connected(() if self._echo else STREAMS)
        # The broker answers in order: our states as it holds them come before the copies of what we publish next.
        for filters in (_ASKED, _OURS, _ECHO if self._echo else ()):
            if filters:
                topics = tuple(f"{self._origin.root}/{each}" for each in filters)
                self._granting[link.subscribe(topics)] = filters
        self._report.begun()

    def _turn(self, link: Link) -> None:
        self.turns += 1
        self._mailbox.do_all()
        now = self._clock.now()
        self._unproven(now)
        self._offer_again(now)
        self._watch_canary(now)
        self._supply.ask(now)
        self._fill(link, now)
        self._supply.move_cursors()
        for happening in link.wait(self._wait_s(now), self._mailbox.wake):
            self._happened(link, happening)

    def _leave(self, link: Link) -> None:
        """A clean stop says so, so that nobody waits for the will."""
        gone = self._birth.goodbye(self._clock.now())
        mid = link.publish(Publication(f"{self._origin.root}/status", gone, retain=True))
        self._sent[mid] = _nothing
        until = time.monotonic() + GOODBYE_S
        while mid in self._sent and time.monotonic() < until:
            for happening in link.wait(0.05):
                self._happened(link, happening)
        self._supply.move_cursors()
        link.close(goodbye=True)

    def _forget(self) -> None:
        self._outbox.disconnected()
        self._telemetry.disconnected()
        self._sent.clear()
        self._granting.clear()
        self._unwanted.clear()
        self._late = 0

    def _wait_s(self, now: Moment) -> float:
        due_ns = self._outbox.due_ns(now)
        if due_ns is None:
            return LONGEST_WAIT_S
        return min(LONGEST_WAIT_S, self._clock.pause((due_ns - now.mono_ns) / NANO))

    # ---- sending -------------------------------------------------------------------------------------------------

    def _fill(self, link: Link, now: Moment) -> None:
        if len(self._sent) >= link.in_flight or not self._send_next(link, now):
            return
        with link.together():  # but for the first, which may be a press
            while len(self._sent) < link.in_flight and self._send_next(link, now):
                pass

    def _send_next(self, link: Link, now: Moment) -> bool:
        """Publish the one thing that is most pressing; False when there is none."""
        if self._birth.overdue(now):
            self._send(link, Below("status", self._birth.make(now)), _nothing, retain=True)
        elif sending := self._outbox.next(now):
            self._send_event(link, sending, late=False)
        elif self._birth.due(now):
            self._send(link, Below("status", self._birth.make(now)), _nothing, retain=True)
        elif self._answers:
            self._send(link, self._answers.popleft(), _nothing)
        elif state := self._retained.next():
            self._send(link, state, lambda code: self._state_acked(state, code), retain=True)
        elif self._unannounced:
            self._announce(link, *self._unannounced.popleft())
        elif parcel := self._telemetry.next(historical=False):
            self._send_readings(link, *parcel, late=False)
        elif self._late >= max(1, link.in_flight // 2):
            return False
        elif sending := self._outbox.next_backlog(now):
            self._send_event(link, sending, late=True)
        elif parcel := self._telemetry.next(historical=True):
            self._send_readings(link, *parcel, late=True)
        else:
            return False
        return True

    def _send(
        self,
        link: Link,
        message: Below,
        then: Callable[[int], None],
        *,
        retain: bool = False,
        expires_s: int | None = None,
    ) -> None:
        topic = f"{self._origin.root}/{message.topic}"
        mid = link.publish(Publication(topic, message.payload, retain, expires_s))

        def acked(code: int) -> None:
            self._report.judged(message.topic, code)
            then(code)

        self._sent[mid] = acked

    def _announce(self, link: Link, topic: str, payload: bytes) -> None:
        """For a neighbour, above our own root. A broker that refuses it costs the neighbour only."""

        def acked(code: int) -> None:
            if code >= REFUSED_FROM:
                log.warning("event=announcement-refused sink=%s topic=%s code=%d", self.name, topic, code)

        self._sent[link.publish(Publication(topic, payload, retain=True))] = acked

    def _send_event(self, link: Link, sending: Sending, *, late: bool) -> None:
        event = sending.event
        self._late += late

        def acked(code: int) -> None:
            self._late -= late
            now = self._clock.now()
            accepted = self._outbox.acked(event.number, code, now)
            if code >= REFUSED_FROM or code == NO_SUBSCRIBERS:
                self._tell(NotTaken(self.name, event.number, code, now))
            self._accepted(accepted, now)

        self._send(link, Below(f"{event.stream}/event", sending.body), acked)

    def _send_readings(self, link: Link, parcel: Parcel, message: Below, *, late: bool) -> None:
        stream = _stream(message.topic) or "gateway"
        self._late += late
        self._echoes.sent(stream, message.payload)

        def acked(code: int) -> None:
            self._late -= late
            if code >= REFUSED_FROM or self._echoes.proven(stream):
                self._telemetry.acked(parcel, taken=code < REFUSED_FROM)
                self._readings_judged(message.topic, taken=code < REFUSED_FROM)
            else:
                self._echoes.acked(stream, parcel, self._clock.now())

        self._send(link, message, acked, expires_s=None if late else READING_EXPIRES_S)

    def _readings_judged(self, topic: str, *, taken: bool) -> None:
        """When the last topic that was refused is taken again, so is what was refused before."""
        if not taken:
            self._unwanted.add(topic)
        elif topic in self._unwanted:
            self._unwanted.discard(topic)
            if not self._unwanted:
                self._telemetry.again()

    def _offer_again(self, now: Moment) -> None:
        if now.seconds_since(self._offered) >= REFUSED_AGAIN_S:
            self._offered = now
            self._retained.again()

    def _accepted(self, events: list[Event], now: Moment) -> None:
        for event in events:
            self._tell(Accepted(self.name, event.number, now))

    def _state_acked(self, state: Below, code: int) -> None:
        self._retained.acked(state, self._clock.now(), taken=code < REFUSED_FROM)

    # ---- what comes back -----------------------------------------------------------------------------------------

    def _happened(self, link: Link, happening: Happening) -> None:
        match happening:
            case Acked(mid, code):
                self._sent.pop(mid, _nothing)(code)
            case Granted(mid, codes):
                filters = self._granting.pop(mid, ())
                for name, code in zip(filters, codes, strict=False):
                    self._report.judged(name, code, reading=True)
            case Message():
                self._message(link, happening)

    def _message(self, link: Link, message: Message) -> None:
        now = self._clock.now()
        below = message.topic.removeprefix(f"{self._origin.root}/")
        branch, _, rest = below.partition("/")
        if branch in ("command", "receipt"):
            self._inbound(Inbound(below, message.payload, message.retained, self.name, now))
        elif below == "status":
            self._status(message, now)
        elif rest == "event" and (stream := _stream(below)):
            self._accepted(self._outbox.echoed(stream, message.payload, now), now)
            if stream in self._outbox.proven():
                self._proven(link, below)
        elif rest.startswith("reading/"):
            self._echoed_reading(link, message.payload)
        elif self._retained.is_ours(below, message.payload, retained=message.retained):
            if not message.retained:
                self._report.heard(_branch(below))
        else:
            known = self._retained.known(below)
            self._tell(SeenRetained(self.name, below, message.payload, now, live=not message.retained, known=known))

    def _inbound(self, inbound: Inbound) -> None:
        """To the engine, which proves it. A flood stays here: what is genuine comes again, as its event does."""
        second = inbound.at.mono_ns // NANO
        self._flood = (second, self._flood[1] + 1) if self._flood[0] == second else (second, 1)
        if self._flood[1] <= MOST_INBOUND:
            self._tell(inbound)
        elif self._flood[1] == MOST_INBOUND + 1:
            log.warning("event=inbound-flood sink=%s topic=%r", self.name, inbound.topic)

    def _echoed_reading(self, link: Link, payload: bytes) -> None:
        found = self._echoes.came_back(payload)
        if found is not None:
            stream, parcels = found
            for parcel in parcels:
                self._telemetry.acked(parcel, taken=True)
            self._readings_judged(f"{stream}/reading/+", taken=True)
            self._proven(link, f"{stream}/reading/+")

    def _proven(self, link: Link, topic: str) -> None:
        """The branch gave back what is ours: no need to read it any longer."""
        self._report.heard(topic)
        link.unsubscribe([f"{self._origin.root}/{topic}"])
        self._report.connected()

    def _unproven(self, now: Moment) -> None:
        """Over 3.1.1 a refused publish looks like success: what does not come back was not taken."""
        if not self._echo:
            return
        for stream, numbers in self._outbox.unproven(now).items():
            for number in numbers:
                self._tell(NotTaken(self.name, number, None, now))
            self._report.silent(f"{stream}/event")
        for topic in self._retained.unanswered(now, self._echo_ns):
            self._report.silent(_branch(topic))
        for stream, parcel in self._echoes.overdue(now):
            self._telemetry.acked(parcel, taken=False)
            self._readings_judged(f"{stream}/reading/+", taken=False)
            self._report.silent(f"{stream}/reading/+")

    def _status(self, message: Message, now: Moment) -> None:
        """Our own come back, and nobody else's."""
        under_way_s = None if message.retained else self._birth.came_back(message.payload, now)
        if under_way_s is not None:
            self._report.heard(CANARY)
            self._tell(Canary(self.name, self._clock.pause(under_way_s), now))
        elif self._birth.seen(message.payload, now, retained=message.retained):
            self._report.twin()

    def _watch_canary(self, now: Moment) -> None:
        """A broker may answer every ping and pass nothing on. Where our own never came back, it may not let us read."""
        match self._birth.missed(now, self._canary_s):
            case "never":
                self._report.silent(CANARY)
            case "lost":
                text = say("{where} passes on nothing any more: what we publish does not come back", where=self._where)
                raise LinkLost("unreachable", text)


def _branch(topic: str) -> str:
    """Of a state below the root, as an access list names it: `custody/alarm/+`."""
    stream, kind, *name = topic.split("/")[:3] if "/" in topic else (topic, "")
    return f"{stream}/{kind}/+" if name else topic


def _stream(topic: str) -> Stream | None:
    name = topic.partition("/")[0]
    return next((stream for stream in STREAMS if stream == name), None)


def _nothing(_code: int) -> None:
    """PUBACK for a packet id that nobody waits for."""
