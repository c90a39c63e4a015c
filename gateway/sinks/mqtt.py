"""Delivery over MQTT: one pump for each broker, in a thread of its own, for ever.

Other threads call the methods marked so; each puts a small act on the pump's inbox and returns. The pump alone touches
the connection, the outbox and the retained states; the feeder alone touches the card.

    publish, stored, received, retain ... --> inbox --> outbox, retained, telemetry --> link --> broker
                                                            ^ feeder (journal)            |
    tell(Accepted, NotTaken, SinkState, Inbound, SeenRetained) <--------------------------+

What goes first: live events and those to be sent again (a broker may end the connection over anything else), the
birth, which waits no longer than a second, answers, states, live readings, the backlog of events, the backlog of
readings. Half of what may be in flight is kept free of backlog.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import queue
import random
import secrets
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from drivers.quantities import Stream
from gateway import config, payloads
from gateway.catalogue import say
from gateway.moment import NANO, Clock, Moment
from gateway.payloads import Below, Origin
from gateway.sinks.feeder import Answer, Begun, Feeder, Found, Packed, Piece, Question
from gateway.sinks.link import Acked, Granted, Happening, Link, LinkLost, Message, Publication
from gateway.sinks.outbox import ECHO_S, NO_SUBSCRIBERS, REFUSED_FROM, Outbox, Sending, Wish
from gateway.sinks.retained import Retained
from gateway.sinks.telemetry import Allowance, Parcel, ReadingsWish, Telemetry
from gateway.values import STREAMS, Accepted, Event, Inbound, NotTaken, SeenRetained, SinkState

log = logging.getLogger(__name__)

STATUS_EVERY_S = 30.0
NEWEST_EVERY_S = 2.0  # how often the journal is asked for readings
ASK_AGAIN_S = 5.0  # after the journal could not be read
READING_EXPIRES_S = 600  # a live reading that nobody took within that time is in the journal and the time series
FIRST_DELAY_S, LAST_DELAY_S = 1.0, 30.0  # between connecting again, real seconds
REFUSED_DELAY_S = 10.0  # at least, where trying again soon changes nothing
CALM_S = 10.0  # a connection that held so long was a good one
REBIRTH_S = 5.0  # at most so often is a foreign or outdated `status` overwritten
LONGEST_WAIT_S = 0.25  # for noticing `stop`
ANSWERS = 200  # kept while offline
GOODBYE_S = 1.0
MOST_INBOUND = 200  # commands and receipts a second

_OURS = ("status", "meta", "+/meta", "+/head", "+/alarm/+", "+/contact/+")
_ASKED = ("command/+", "receipt/+")
_ECHO = tuple(f"{stream}/{kind}" for stream in STREAMS for kind in ("event", "reading/+"))


class MqttPump:
    """`name` is the sink's name ("mqtt", "second") in cursors and messages.

    `advance` and `advance_readings` put a cursor move on the journals' queues.
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
    ) -> None:
        self.name = name
        self.nonces: tuple[str, ...] = ()  # valid in commands; replaced as a whole, so any thread may read it
        self.feeder = feeder
        self._settings = settings
        self._origin = origin
        self._client_id = client_id
        self._clock = clock
        self._tell = tell
        self._advance = advance
        self._advance_readings = advance_readings

        self._echo = settings.version == "3.1.1"
        self._outbox = Outbox(echo=self._echo, echo_s=ECHO_S / clock.pause(1.0))  # real seconds: that is the network
        self._retained = Retained()
        self._telemetry = Telemetry(Allowance(settings.backlog_rate))
        self._answers: deque[Below] = deque(maxlen=ANSWERS)
        self._details: Mapping[str, Any] = {}
        self._inbox: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._wake_in, self._wake_out = os.pipe()
        os.set_blocking(self._wake_in, False)
        os.set_blocking(self._wake_out, False)

        self._begun = False
        self._session = ""
        self._status: deque[bytes] = deque(maxlen=8)  # published in this connection
        self._status_due = 0
        self._reborn_ns = -NANO * 60
        self._sent: dict[int, Callable[[int], None]] = {}  # packet id: what its PUBACK means
        self._late = 0  # of the backlog in flight
        self._granting: dict[int, tuple[str, ...]] = {}
        self._troubles: dict[str, str] = {}  # topic: what the broker will not have
        self._readings_proven: set[Stream] = set()
        self._readings_sent: dict[bytes, Stream] = {}  # while their branch is unproven
        self._readings_acked: list[tuple[Stream, Parcel, int]] = []
        self._flood = (0, 0)  # second, messages in it
        self._newest_due = 0
        self._ask_due = 0
        self._cursors: tuple[int | None, int | None] = (None, None)
        self._told: SinkState | None = None

    # ---- for any thread ------------------------------------------------------------------------------------------

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
        self._post(lambda: self._described(details))

    def resend(self, piece: Piece) -> None:
        """Publish copies of events that somebody missed. They prove nothing and move no cursor."""
        self.feeder.ask(piece, lambda answer: self._post(lambda: self._copies(answer.result or ())))

    def _copies(self, events: Sequence[Event]) -> None:
        self._answers.extend(Below(f"{event.stream}/event", event.body) for event in events)

    def _post(self, act: Callable[[], None]) -> None:
        self._inbox.put(act)
        with contextlib.suppress(BlockingIOError):  # a full pipe wakes as well
            os.write(self._wake_out, b"\0")

    # ---- the thread ----------------------------------------------------------------------------------------------

    def run(self, stop: threading.Event) -> None:
        delay_s = FIRST_DELAY_S
        while not stop.is_set():
            began = self._clock.now()
            try:
                self._connected(stop)
            except LinkLost as lost:
                # Some brokers end the connection over a topic that they refuse: that is the news then.
                refused = lost.state != "unreachable" or bool(self._troubles)
                self._say(
                    "refused" if self._troubles else lost.state, "; ".join((*self._troubles.values(), lost.detail))
                )
                if self._clock.now().seconds_since(began) > CALM_S:
                    delay_s = FIRST_DELAY_S
                if refused:
                    delay_s = max(delay_s, REFUSED_DELAY_S)
            self._rest(stop, delay_s * random.uniform(0.7, 1.3))  # noqa: S311  spreads venues, keeps no secret
            delay_s = min(2 * delay_s, LAST_DELAY_S)
        self._say("stopped", "")

    def _connected(self, stop: threading.Event) -> None:
        """One connection, from connecting to its end. Whatever happens, nothing of it is kept but what is proven."""
        now = self._clock.now()
        if self._told is None:
            self._say("connecting", "")
        self._session = secrets.token_hex(8)
        will = payloads.offline(self._origin, now, session=self._session, reason="lost")
        will_at = Publication(f"{self._origin.root}/status", will, retain=True)
        link = Link(self._settings, self._client_id, will_at, now)
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
        self._troubles.clear()
        self._readings_proven = set() if self._echo else set(STREAMS)
        self._status.clear()
        self._newest_due = 0
        self._status_due = self._clock.now().mono_ns
        # The broker answers in order: our states as it holds them come before the copies of what we publish next.
        for filters in (_ASKED, _OURS, _ECHO if self._echo else ()):
            if filters:
                topics = tuple(f"{self._origin.root}/{each}" for each in filters)
                self._granting[link.subscribe(topics)] = filters
        self._say_connected()

    def _turn(self, link: Link) -> None:
        self._acts()
        now = self._clock.now()
        self._unproven(now)
        self._feed(now)
        self._fill(link, now)
        self._move_cursors()
        for happening in link.wait(self._wait_s(now), self._wake_in):
            self._happened(link, happening)

    def _leave(self, link: Link) -> None:
        """A clean stop says so, so that nobody waits for the will."""
        now = self._clock.now()
        gone = payloads.offline(self._origin, now, session=self._session, reason="stopped")
        mid = link.publish(Publication(f"{self._origin.root}/status", gone, retain=True))
        done = threading.Event()
        self._sent[mid] = lambda _code: done.set()
        until = threading.Event()
        timer = threading.Timer(GOODBYE_S, until.set)
        timer.start()
        while not (done.is_set() or until.is_set()):
            for happening in link.wait(0.05):
                self._happened(link, happening)
        timer.cancel()
        self._move_cursors()
        link.close(goodbye=True)

    def _forget(self) -> None:
        self._outbox.disconnected()
        self._telemetry.disconnected()
        self._sent.clear()
        self._granting.clear()
        self._readings_sent.clear()
        self._readings_acked.clear()
        self._late = 0

    def _rest(self, stop: threading.Event, seconds: float) -> None:
        """Wait, and keep taking what the other threads bring, so that nothing piles up."""
        over = threading.Event()
        timer = threading.Timer(seconds, over.set)
        timer.start()
        try:
            while not (stop.is_set() or over.is_set()):
                with contextlib.suppress(queue.Empty):
                    self._inbox.get(timeout=LONGEST_WAIT_S)()
        finally:
            timer.cancel()

    def _acts(self) -> None:
        with contextlib.suppress(BlockingIOError):
            os.read(self._wake_in, 4096)
        for _ in range(self._inbox.qsize()):
            self._inbox.get()()

    def _wait_s(self, now: Moment) -> float:
        due_ns = self._outbox.due_ns(now)
        if due_ns is None:
            return LONGEST_WAIT_S
        return min(LONGEST_WAIT_S, self._clock.pause((due_ns - now.mono_ns) / NANO))

    # ---- sending -------------------------------------------------------------------------------------------------

    def _fill(self, link: Link, now: Moment) -> None:
        while len(self._sent) < link.in_flight and self._send_next(link, now):
            pass

    def _send_next(self, link: Link, now: Moment) -> bool:
        """Publish the one thing that is most pressing; False when there is none."""
        if now.mono_ns >= self._status_due + NANO:
            self._send_status(link, now)
        elif sending := self._outbox.next(now):
            self._send_event(link, sending, late=False)
        elif now.mono_ns >= self._status_due:
            self._send_status(link, now)
        elif self._answers:
            self._send(link, self._answers.popleft(), lambda _code: None)
        elif state := self._retained.next():
            self._send(link, state, lambda code: self._state_acked(state, code), retain=True)
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
            self._judge(message.topic, code)
            then(code)

        self._sent[mid] = acked

    def _send_status(self, link: Link, now: Moment) -> None:
        nonce = secrets.token_hex(16)
        self.nonces = (*self.nonces, nonce)[-2:]
        birth = payloads.online(self._origin, now, session=self._session, nonce=nonce, details=self._details)
        self._status.append(birth)
        self._status_due = now.after(STATUS_EVERY_S).mono_ns
        self._send(link, Below("status", birth), lambda _code: None, retain=True)

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
        if stream not in self._readings_proven:
            self._readings_sent[message.payload] = stream

        def acked(code: int) -> None:
            self._late -= late
            if code < REFUSED_FROM and stream not in self._readings_proven:
                self._readings_acked.append((stream, parcel, self._clock.now().mono_ns))
            else:
                self._telemetry.acked(parcel, taken=code < REFUSED_FROM)

        self._send(link, message, acked, expires_s=None if late else READING_EXPIRES_S)

    def _accepted(self, events: list[Event], now: Moment) -> None:
        for event in events:
            self._tell(Accepted(self.name, event.number, now))

    def _state_acked(self, state: Below, code: int) -> None:
        self._retained.acked(state, taken=code < REFUSED_FROM)

    # ---- what comes back -----------------------------------------------------------------------------------------

    def _happened(self, link: Link, happening: Happening) -> None:
        match happening:
            case Acked(mid, code):
                self._sent.pop(mid, _nothing)(code)
            case Granted(mid, codes):
                filters = self._granting.pop(mid, ())
                for name, code in zip(filters, codes, strict=False):
                    self._judge(name, code, reading=True)
            case Message():
                self._message(link, happening)

    def _judge(self, topic: str, code: int, *, reading: bool = False) -> None:
        """Remember or forget what the broker will not have, and tell when that changes."""
        if code < REFUSED_FROM:
            if self._troubles and self._troubles.pop(topic, None) is not None:
                self._say_connected()
            return
        self._trouble(
            topic,
            say("the broker does not let us read {topic} (reason {code})", topic=topic, code=code)
            if reading
            else say("the broker refuses what we publish to {topic} (reason {code})", topic=topic, code=code),
        )

    def _trouble(self, topic: str, text: str) -> None:
        self._troubles[topic] = text
        self._say_connected()

    def _message(self, link: Link, message: Message) -> None:
        now = self._clock.now()
        below = message.topic.removeprefix(f"{self._origin.root}/")
        branch, _, rest = below.partition("/")
        if branch in ("command", "receipt"):
            self._inbound(Inbound(below, message.payload, message.retained, self.name, now))
        elif below == "status":
            if not message.retained:  # what stood there before our birth is overwritten by it anyway
                self._seen_status(message.payload, now)
        elif rest == "event" and (stream := _stream(below)):
            self._accepted(self._outbox.echoed(stream, message.payload, now), now)
            if stream in self._outbox.proven():
                self._proven(link, below)
        elif rest.startswith("reading/"):
            self._echoed_reading(link, message.payload)
        elif not self._retained.is_ours(below, message.payload, retained=message.retained):
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

    def _seen_status(self, payload: bytes, now: Moment) -> None:
        """A `status` that is not ours (the will of a connection before, or a forgery) does not stay at the broker."""
        if payload in self._status or now.seconds_since(Moment(0, self._reborn_ns)) < REBIRTH_S:
            return
        with contextlib.suppress(ValueError, RecursionError):
            if self._status and json.loads(payload) == json.loads(self._status[-1]):
                return
        if self._status:
            self._reborn_ns = now.mono_ns
            self._status_due = 0

    def _echoed_reading(self, link: Link, payload: bytes) -> None:
        stream = self._readings_sent.pop(payload, None)
        if stream is None or stream in self._readings_proven:
            return
        self._readings_proven.add(stream)
        self._readings_sent = {key: other for key, other in self._readings_sent.items() if other != stream}
        for _, parcel, _ in (each for each in self._readings_acked if each[0] == stream):
            self._telemetry.acked(parcel, taken=True)
        self._readings_acked = [each for each in self._readings_acked if each[0] != stream]
        self._proven(link, f"{stream}/reading/+")

    def _proven(self, link: Link, topic: str) -> None:
        """The branch gave back what is ours: no need to read it any longer."""
        self._troubles.pop(topic, None)
        link.unsubscribe([f"{self._origin.root}/{topic}"])
        self._say_connected()

    def _unproven(self, now: Moment) -> None:
        """Over 3.1.1 a refused publish looks like success: what does not come back was not taken."""
        if not self._echo:
            return
        for stream, numbers in self._outbox.unproven(now).items():
            for number in numbers:
                self._tell(NotTaken(self.name, number, None, now))
            self._trouble(f"{stream}/event", _silent(f"{stream}/event"))
        overdue = [each for each in self._readings_acked if self._clock.pause((now.mono_ns - each[2]) / NANO) > ECHO_S]
        for stream, parcel, _ in overdue:
            self._telemetry.acked(parcel, taken=False)
            self._trouble(f"{stream}/reading/+", _silent(f"{stream}/reading/+"))
        if overdue:
            self._readings_acked = [each for each in self._readings_acked if each not in overdue]

    # ---- the journal ---------------------------------------------------------------------------------------------

    def _feed(self, now: Moment) -> None:
        if now.mono_ns < self._ask_due:
            return
        if not self._begun:
            self._ask_due = now.after(ASK_AGAIN_S).mono_ns
            self._ask("begin")
            return
        for wish in self._outbox.wishes():
            self._ask(wish)
        if self._outbox.wants_awaiting():
            self._ask("awaiting")
        if not self.feeder.has_readings:
            return
        if now.mono_ns >= self._newest_due:
            self._newest_due = now.after(NEWEST_EVERY_S).mono_ns
            self._ask("newest")
        if reading_wish := self._telemetry.wish(now):
            self._ask(reading_wish)

    def _ask(self, question: Question) -> None:
        self.feeder.ask(question, lambda answer: self._post(lambda: self._fed(answer)))

    def _fed(self, answer: Answer) -> None:
        if answer.result is None:
            self._ask_due = self._clock.now().after(ASK_AGAIN_S).mono_ns
        match answer.question, answer.result:
            case "begin", Begun(cursor, last, readings_cursor) if not self._begun:
                self._begun = True
                self._ask_due = 0
                self._outbox.begin(cursor, last)
                if readings_cursor is not None:
                    self._telemetry.begin(readings_cursor)
            case Wish() as wish, Found(upto, events):
                self._outbox.fill(wish, upto, events)
            case Wish() as wish, None:
                self._outbox.not_filled(wish)
            case "awaiting", events:
                self._outbox.fill_awaiting(events)
            case "newest", int(newest):
                self._telemetry.grown(newest)
            case ReadingsWish() as wish, Packed(upto, messages, count):
                self._telemetry.fill(wish, upto, messages, count)
            case ReadingsWish() as wish, None:
                self._telemetry.not_filled(wish)
            case _:
                pass  # "begin" or "newest" without an answer: asked again in time

    def _move_cursors(self) -> None:
        cursors = (self._outbox.cursor(), self._telemetry.cursor())
        if cursors == self._cursors:
            return
        for cursor, before, advance in zip(
            cursors, self._cursors, (self._advance, self._advance_readings), strict=True
        ):
            if cursor is not None and cursor != before and advance is not None:
                advance(self.name, cursor)
        self._cursors = cursors

    # ---- saying how it is ----------------------------------------------------------------------------------------

    def _described(self, details: Mapping[str, Any]) -> None:
        if details != self._details:
            self._details = details
            self._status_due = 0

    def _say_connected(self) -> None:
        if self._troubles:
            self._say("refused", "; ".join(self._troubles.values()))
        else:
            self._say("connected", f"{self._settings.host}:{self._settings.port}")

    def _say(self, state: Any, detail: str) -> None:
        """Tell and log a change; the same again is not news."""
        branches: tuple[str, ...] = ()
        if state in ("connected", "refused") and self._echo:
            branches = self._outbox.proven()
        told = SinkState(self.name, state, detail, self._clock.now(), branches)
        before = self._told
        if before is not None and (before.state, before.detail, before.branches) == (state, detail, branches):
            return
        if before is None or (before.state, before.detail) != (state, detail):
            log.info("event=sink sink=%s state=%s detail=%r", self.name, state, detail)
        self._told = told
        self._tell(told)


def _stream(topic: str) -> Stream | None:
    name = topic.partition("/")[0]
    return next((stream for stream in STREAMS if stream == name), None)


def _silent(topic: str) -> str:
    return say("what we publish to {topic} does not come back: the broker's access list refuses it", topic=topic)


def _nothing(_code: int) -> None:
    """PUBACK for a packet id that nobody waits for."""
