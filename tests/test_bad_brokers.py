"""Brokers that misbehave on purpose: what they do to delivery, and what people are told."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from kit_mqtt import Broker, Listener, Proxy, QuickClock, until
from kit_stub_broker import StubBroker
from paho.mqtt.client import Client, MQTTMessage
from test_mqtt import VERSIONS, Venue, answers

from gateway.sinks.mqtt import READING_EXPIRES_S
from gateway.values import Canary, DuplicateIdentity, NotTaken, SinkState


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waits that only cost a test its time."""
    monkeypatch.setattr("gateway.sinks.mqtt.LONGEST_WAIT_S", 0.02)
    monkeypatch.setattr("gateway.sinks.mailbox.LONGEST_WAIT_S", 0.02)
    monkeypatch.setattr("gateway.sinks.mqtt.FIRST_DELAY_S", 0.1)


@VERSIONS
def test_our_own_message_comes_back_through_the_broker(tmp_path: Path, version: str) -> None:
    """C2: each refresh of `status` is a canary; how long it was under way and how old it is are told."""
    venue = Venue(tmp_path, QuickClock(100))
    with StubBroker() as broker, venue.delivering(broker.port, version):
        first, second, *_ = until(lambda: venue.heard(Canary)[1:] and venue.heard(Canary), 20)

    assert ("mqtt", True) == (first.sink, 0 <= first.round_trip_s < 5)
    assert 0 < second.at.seconds_since(first.at)


@VERSIONS
def test_a_broker_that_passes_nothing_on_any_more_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str
) -> None:
    """C2, C7: it answers pings and acknowledges, and our own messages do not come back: a new connection."""
    monkeypatch.setattr("gateway.sinks.mqtt.CANARY_REAL_S", 0.6)
    venue = Venue(tmp_path, QuickClock(300))
    with StubBroker() as broker, venue.delivering(broker.port, version):
        until(lambda: venue.heard(Canary), 20)
        broker.echo = False
        until(lambda: "unreachable" in venue.states(), 20)
        told = next(each.detail for each in venue.heard(SinkState) if each.state == "unreachable")
        until(lambda: broker.connections > 1, 20)
        until(lambda: venue.states()[-1] == "refused", 20)
        never = venue.heard(SinkState)[-1].detail
        broker.echo = True
        until(lambda: venue.states()[-1] == "connected", 20)

    assert "passes on nothing any more" in told
    assert "what we publish to status does not come back" in never


def test_acceptance_is_no_delivery(tmp_path: Path) -> None:
    """C7: a broker that acknowledges and drops: the press is sent again and again, and waits for its receipt."""
    venue = Venue(tmp_path, QuickClock(50))
    with StubBroker(echo=False) as broker, venue.delivering(broker.port) as pump:
        press = venue.press(pump)
        until(lambda: len([body for topic, body in broker.taken if topic.endswith("custody/event")]) >= 3, 20)

        assert {press.body} == {body for topic, body in broker.taken if topic.endswith("custody/event")}
        assert [press.number] == list(pump._outbox._awaiting)


CODES = [
    # PUBACK -> told at once as not taken
    (16, "nobody listens"),
    (128, "unspecified error"),
    (135, "not authorised"),
    (151, "quota exceeded"),
]


@pytest.mark.parametrize("code", [code for code, _ in CODES], ids=[name for _, name in CODES])
def test_what_is_not_taken_is_told_at_once(tmp_path: Path, code: int) -> None:
    """The second path need not wait: code 16 and every code from 128, for a press; all else goes on."""
    venue = Venue(tmp_path)
    with StubBroker(puback={"custody/event": code}) as broker, venue.delivering(broker.port) as pump:
        press, other = venue.press(pump), venue.event(pump)
        missed = until(lambda: venue.heard(NotTaken), 20)[0]
        until(lambda: other.number in venue.accepted(), 20)
        broker.puback.clear()
        pump.hurry()
        until(lambda: press.number in venue.accepted(), 20)

    assert ("mqtt", press.number, code) == (missed.sink, missed.number, missed.code)


CONNACKS = [
    # version, CONNACK's reason -> state, words
    ("5", 134, "refused", "user name and password"),
    ("3.1.1", 4, "refused", "user name and password"),
    ("5", 135, "refused", "not authorised"),
    ("3.1.1", 5, "refused", "not authorised"),
    ("5", 133, "refused", "client id"),
    ("5", 132, "refused", "version"),
    ("3.1.1", 1, "refused", "version"),
    ("5", 137, "unreachable", "cannot serve us now"),
    ("3.1.1", 3, "unreachable", "cannot serve us now"),
]


@pytest.mark.parametrize(("version", "code", "state", "words"), CONNACKS)
def test_each_refusal_has_its_words(tmp_path: Path, version: str, code: int, state: str, words: str) -> None:
    """C14: a refused login, a forbidden client and a busy broker are three things, in both versions."""
    venue = Venue(tmp_path)
    with StubBroker(connack=code) as broker, venue.delivering(broker.port, version):
        told = until(lambda: next((each for each in venue.heard(SinkState) if each.state == state), None), 20)

    assert words in told.detail


def test_a_broker_that_says_nothing_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It takes the connection and never answers it: told in words, and tried again."""
    monkeypatch.setattr("gateway.sinks.link.ANSWER_S", 0.3)
    venue = Venue(tmp_path)
    with StubBroker(connack=None) as broker, venue.delivering(broker.port):
        until(lambda: broker.connections > 1, 20)

    assert any("took the connection and then said nothing" in each.detail for each in venue.heard(SinkState))


@VERSIONS
def test_a_late_suback_holds_up_no_press(tmp_path: Path, version: str) -> None:
    """Subscriptions that are granted late delay what we read, not what we send."""
    venue = Venue(tmp_path)
    with StubBroker(suback_after_s=0.5) as broker, venue.delivering(broker.port, version) as pump:
        press = venue.press(pump)
        until(lambda: any(topic.endswith("custody/event") for topic, _ in broker.taken), 20)
        early = dict(pump._granting)
        until(lambda: not pump._granting, 20)

        assert {"connected"} == set(venue.states()) - {"connecting"}
        assert early
        assert press.body in {body for _, body in broker.taken}


@VERSIONS
def test_a_slow_network_is_no_outage(tmp_path: Path, version: str) -> None:
    """Every piece 50 ms late, both ways: events arrive in order and the link counts as connected throughout."""
    venue = Venue(tmp_path)
    with Broker(tmp_path) as broker, Proxy(broker.port) as proxy, Listener(broker.port) as listener:
        proxy.mood = "slow"
        with venue.delivering(proxy.port, version) as pump:
            events = [venue.event(pump) for _ in range(10)]
            until(lambda: len(venue.accepted()) == 10, 20)
            until(lambda: len(listener.on("environment/event")) == 10, 20)

            assert {"connecting", "connected"} == set(venue.states())
            assert [event.body for event in events] == list(
                dict.fromkeys(each.payload for each in listener.on("environment/event"))
            )


def test_two_gateways_with_one_identity_are_an_alarm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """C12: sessions taken over again and again: both say that another device speaks as this one."""
    monkeypatch.setattr("gateway.sinks.mqtt.REFUSED_DELAY_S", 0.2)
    venues = [Venue(tmp_path), Venue(tmp_path)]
    with (
        Broker(tmp_path) as broker,
        venues[0].delivering(broker.port),
        venues[1].delivering(broker.port),
    ):
        until(lambda: all(venue.heard(DuplicateIdentity) for venue in venues), 30)

    assert {"mqtt"} == {each.sink for venue in venues for each in venue.heard(DuplicateIdentity)}


class Expiries(Listener):
    """Keeps how long each message may wait."""

    def _on_message(self, client: Client, data: object, message: MQTTMessage) -> None:
        self.expiries = getattr(self, "expiries", {})
        kind = message.topic.split("/")[-2] if "/reading/" in message.topic else message.topic.split("/")[-1]
        self.expiries.setdefault(kind, set()).add(getattr(message.properties, "MessageExpiryInterval", None))
        super()._on_message(client, data, message)


def test_only_live_readings_expire(tmp_path: Path) -> None:
    """Stale telemetry may be dropped by a broker; an event, a state and a backlog never."""
    venue = Venue(tmp_path)
    venue.journal.blocks = answers(60, venue.clock.now())
    with (
        Broker(tmp_path) as broker,
        Expiries(broker.port) as listener,
        venue.delivering(broker.port, readings=True, backlog_rate=0) as pump,
    ):
        venue.event(pump)
        venue.press(pump)
        pump.received(2)
        until(lambda: venue.journal.reading_cursors.get("mqtt") == venue.journal.newest_place, 20)
        until(lambda: len(listener.on("/event")) >= 2, 20)
        threading.Event().wait(0.05)

    live = {value for value in listener.expiries["reading"] if value is not None}
    assert live <= set(range(READING_EXPIRES_S - 5, READING_EXPIRES_S + 1))
    assert live
    assert {None} == listener.expiries["event"] | listener.expiries["status"]
    assert None in listener.expiries["reading"]
