"""Delivery over real mosquitto, through a network that behaves badly: MQTT 5 and 3.1.1."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from asyncapi import document
from kit_clock import Believing
from kit_memory import MemoryJournal, MemoryReadings
from kit_mqtt import Broker, Listener, Proxy, QuickClock, running, until
from kit_tls import Authority

from drivers.base import Quality
from gateway.configuration import config
from gateway.journal.chain import Chain, Identity, new_run
from gateway.moment import Clock, ClockState, Moment, SystemClock
from gateway.payloads import Origin
from gateway.sinks.feeder import Feeder
from gateway.sinks.link import Link
from gateway.sinks.mqtt import MqttPump
from gateway.sinks.packets import Publication
from gateway.values import Accepted, Event, Inbound, NotTaken, Reading, Readings, SeenRetained, SinkState
from gateway.worker import Worker

ZONE = ZoneInfo("Asia/Shanghai")
FIELDS = dict(document()["components"]["messages"]["event"]["examples"][0]["payload"])
VERSIONS = pytest.mark.parametrize("version", ["5", "3.1.1"])


class Venue:
    """A pump with its feeder, a journal in memory, and a chain that makes real events."""

    def __init__(self, tmp: Path, clock: Clock | None = None, journal: MemoryJournal | None = None) -> None:
        self.clock = clock or SystemClock()
        self.journal = journal or MemoryJournal()
        self.told: list[Any] = []
        self.origin = Origin("zj-no1", new_run(), ZONE)
        self.chain = Chain(self.origin.run, "zj-no1", 0, {}, Identity.open(tmp, self.clock.now()))

    def pump(self, port: int, version: str = "5", *, readings: bool = False, **more: Any) -> MqttPump:
        settings = config.Mqtt(host="127.0.0.1", port=port, **{"version": version, "keepalive": "5s"} | more)
        source = (lambda: MemoryReadings(self.journal)) if readings else None
        return MqttPump(
            "mqtt",
            settings,
            origin=self.origin,
            client_id="zj-no1-1",
            clock=self.clock,
            tell=self.told.append,
            feeder=Feeder("mqtt", self.origin, lambda: self.journal, source),
            advance=self.journal.advance,
            advance_readings=self.journal.advance_readings,
        )

    @contextlib.contextmanager
    def delivering(self, port: int, version: str = "5", **more: Any) -> Iterator[MqttPump]:
        pump = self.pump(port, version, **more)
        with running(pump.run, pump.feeder.run):
            yield pump

    def event(self, pump: MqttPump | None, stream: Any = "environment", *, stored: bool = True, **kind: bool) -> Event:
        event = self.chain.make(stream, FIELDS, at=self.clock.now(), **kind)
        if stored:
            self.journal.events.append(event)
        if pump is not None:
            pump.publish(event)
            if stored:
                pump.stored(event.number)
        return event

    def press(self, pump: MqttPump | None, *, stored: bool = True) -> Event:
        return self.event(pump, "custody", stored=stored, urgent=True, needs_receipt=True)

    def heard(self, kind: type) -> list[Any]:
        return [each for each in self.told if isinstance(each, kind)]

    def accepted(self) -> list[int]:
        return [each.number for each in self.heard(Accepted)]

    def states(self) -> list[str]:
        return [each.state for each in self.heard(SinkState)]


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waits that only cost a test its time."""
    monkeypatch.setattr("gateway.sinks.mqtt.LONGEST_WAIT_S", 0.02)
    monkeypatch.setattr("gateway.sinks.mqtt.FIRST_DELAY_S", 0.2)
    monkeypatch.setattr("gateway.worker.FIRST_DELAY_S", 0.1)


@pytest.fixture
def venue(tmp_path: Path) -> Venue:
    return Venue(tmp_path)


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    with Broker(tmp_path) as broker:
        yield broker


def bodies(listener: Listener, topic: str) -> list[bytes]:
    """What came, once each, in the order of first arrival."""
    return list(dict.fromkeys(each.payload for each in listener.on(topic)))


@VERSIONS
def test_events_arrive_as_they_were_made(venue: Venue, broker: Broker, version: str) -> None:
    """Every event arrives, byte for byte, in order, is told as accepted, and the cursor follows."""
    with Listener(broker.port) as listener, venue.delivering(broker.port, version) as pump:
        events = [venue.event(pump) for _ in range(50)]
        until(lambda: len(venue.accepted()) == 50)
        until(lambda: venue.journal.cursors.get("mqtt") == 50)
        until(lambda: len(listener.on("environment/event")) == 50)

        assert [event.body for event in events] == bodies(listener, "environment/event")
        assert list(range(1, 51)) == venue.accepted()


@VERSIONS
def test_a_press_waits_for_no_card(venue: Venue, broker: Broker, version: str) -> None:
    """A stalled card delays a press by 20 ms and no more; other events wait for it."""
    with Listener(broker.port) as listener, venue.delivering(broker.port, version) as pump:
        until(lambda: "connected" in venue.states())
        venue.event(pump, stored=False)
        press = venue.press(pump, stored=False)
        until(lambda: listener.on("custody/event"), 1)

        assert [press.body] == bodies(listener, "custody/event")
        assert listener.on("environment/event") == []

        pump.storage(failing=True)
        until(lambda: listener.on("environment/event"), 1)


def test_a_press_is_sent_again_until_its_receipt(tmp_path: Path, broker: Broker) -> None:
    """C7, C8: the broker's word is not enough; copies are the same bytes; the receipt ends it."""
    venue = Venue(tmp_path, QuickClock(50))
    with Listener(broker.port) as listener, venue.delivering(broker.port) as pump:
        press = venue.press(pump)
        until(lambda: len(listener.on("custody/event")) >= 4)

        assert [press.body] == bodies(listener, "custody/event")

        pump.received(press.number)
        until(lambda: not pump._outbox._awaiting)
        count = len(listener.on("custody/event"))
        threading.Event().wait(0.3)

        assert count >= len(listener.on("custody/event")) - 1


def test_nobody_listens_is_told_at_once(venue: Venue, broker: Broker) -> None:
    """MQTT 5, reason 16: no station hears the press, so whoever escalates need not wait."""
    with venue.delivering(broker.port) as pump:
        press = venue.press(pump)
        (missed, *_) = until(lambda: venue.heard(NotTaken))

        assert (press.number, 16) == (missed.number, missed.code)
        assert [] == venue.accepted()


def test_an_exception_in_a_callback_does_not_end_delivery(tmp_path: Path, broker: Broker) -> None:
    """C1: whatever breaks inside, the pump begins again with a new client, for ever."""
    venue = Venue(tmp_path)
    broken = 3

    class Touchy(list[Any]):
        def append(self, message: Any) -> None:
            nonlocal broken
            if isinstance(message, Accepted) and broken:
                broken -= 1
                raise ZeroDivisionError
            super().append(message)

    venue.told = Touchy()
    pump = venue.pump(broker.port)
    with Listener(broker.port) as listener:
        workers = [Worker("mqtt", pump.run), Worker("feeder", pump.feeder.run)]
        for worker in workers:
            worker.start()
        events = []
        for count in range(1, 4):
            events.append(venue.event(pump))
            until(lambda count=count: broken == 3 - count, 30)
        until(lambda: len(bodies(listener, "environment/event")) == 3, 30)

        assert [event.body for event in events] == bodies(listener, "environment/event")
        assert workers[0].failures == 3

        for worker in workers:
            worker.stop()
        for worker in workers:
            assert worker.join(5)


def test_a_half_open_link_is_noticed(venue: Venue, broker: Broker) -> None:
    """C2: nothing heard for twice the keepalive: the client is thrown away, and what was under way goes again."""
    with (
        Proxy(broker.port) as proxy,
        Listener(broker.port) as listener,
        venue.delivering(proxy.port, keepalive="1s") as pump,
    ):
        venue.event(pump)
        until(lambda: venue.accepted() == [1])
        proxy.mood = "black-hole"
        venue.event(pump)
        until(lambda: venue.states()[-1] == "unreachable", 3.5)
        proxy.mood = "ok"
        until(lambda: 2 in venue.accepted(), 5)

        assert [event.body for event in venue.journal.events] == bodies(listener, "environment/event")


@VERSIONS
def test_subscriptions_come_back_after_the_broker_restarts(venue: Venue, broker: Broker, version: str) -> None:
    """C3: after a restart of a broker that remembers nothing, receipts, commands and states work as before."""
    with venue.delivering(broker.port, version) as pump:
        pump.retain("custody/alarm/leak-button", b'{"state":"normal"}')
        until(lambda: "connected" in venue.states())
        broker.stop()
        until(lambda: venue.states()[-1] == "unreachable")
        broker.start()
        until(lambda: venue.states()[-1] == "connected", 6)
        with Listener(broker.port, described=False) as other:
            until(lambda: other.on("custody/alarm/leak-button"))
            other.publish("exam/v1/zj-no1/receipt/county", b"{}")
            other.publish("exam/v1/zj-no1/command/ack", b"{}", retain=True)
            inbound = until(lambda: venue.heard(Inbound)[1:] and venue.heard(Inbound))

        assert [("receipt/county", b"{}"), ("command/ack", b"{}")] == [(each.topic, each.payload) for each in inbound]


@VERSIONS
def test_a_restart_of_the_program_loses_no_event(tmp_path: Path, broker: Broker, version: str) -> None:
    """C4: what was made while the broker was away arrives after the process was replaced, from the journal."""
    venue = Venue(tmp_path)
    with venue.delivering(1, version) as pump:
        events = [venue.event(pump) for _ in range(5)]
        press = venue.press(pump)
        until(lambda: "unreachable" in venue.states())
    again = Venue(tmp_path, journal=venue.journal)
    with Listener(broker.port) as listener, again.delivering(broker.port, version):
        until(lambda: len(again.accepted()) >= 6)
        until(lambda: len(listener.on("/event")) >= 6)

        assert [json.loads(event.body)["hash"] for event in events] == [
            each.json["hash"] for each in listener.on("environment/event")
        ]
        assert {True} == {each.json["historical"] for each in listener.on("environment/event")}
        assert [press.body] == bodies(listener, "custody/event")


@VERSIONS
def test_a_link_that_breaks_again_and_again_loses_nothing(venue: Venue, broker: Broker, version: str) -> None:
    """C5: cut, reset after some bytes, slow: every event arrives, in order, and one after the cut is quick."""
    with (
        Proxy(broker.port) as proxy,
        Listener(broker.port) as listener,
        venue.delivering(proxy.port, version) as pump,
    ):
        for mood in ("cut", "reset", "slow"):
            for _ in range(20):
                venue.event(pump)
            proxy.reset_after = 5000 if mood == "reset" else None
            proxy.mood = "slow" if mood == "slow" else "ok"
            if mood == "cut":
                proxy.cut()
            for _ in range(20):
                venue.event(pump)
            threading.Event().wait(0.2)
        proxy.mood, proxy.reset_after = "ok", None
        until(lambda: len(bodies(listener, "environment/event")) == 120, 12)
        until(lambda: venue.journal.cursors.get("mqtt") == 120)

        assert [event.body for event in venue.journal.events] == bodies(listener, "environment/event")


@VERSIONS
def test_an_old_will_does_not_make_the_gateway_look_dead(venue: Venue, broker: Broker, version: str) -> None:
    """C11: the will of an earlier session after the new birth: the last status is online again, with its session."""
    with Listener(broker.port) as listener, venue.delivering(broker.port, version):
        birth = until(lambda: listener.on("/status"))[0].json
        old = json.dumps(birth | {"state": "offline", "session": "0" * 16}).encode()
        listener.publish("exam/v1/zj-no1/status", old, retain=True)
        last = until(lambda: listener.on("/status")[2:])[-1].json

        assert ("online", birth["session"]) == (last["state"], last["session"])


@VERSIONS
def test_a_cut_link_leaves_the_will_and_a_clean_stop_says_so(venue: Venue, broker: Broker, version: str) -> None:
    """C11: will and birth carry the session; `lost` and `stopped` are told apart."""
    with Listener(broker.port) as listener, Proxy(broker.port) as proxy:
        with venue.delivering(proxy.port, version):
            birth = until(lambda: listener.on("/status"))[0].json
            proxy.cut()
            will = until(lambda: listener.on("/status")[1:])[0].json
            again = until(lambda: listener.on("/status")[2:])[0].json
        stopped = until(lambda: listener.on("/status")[3:])[-1].json

    assert ("offline", "lost", birth["session"]) == (will["state"], will["reason"], will["session"])
    assert birth["session"] != again["session"]
    assert ("offline", "stopped", again["session"]) == (stopped["state"], stopped["reason"], stopped["session"])


def test_status_is_renewed_with_a_fresh_nonce(tmp_path: Path, broker: Broker) -> None:
    """Every 30 s; the last two nonces are valid; what the gateway says of itself shows at once."""
    venue = Venue(tmp_path, QuickClock(100))
    with Listener(broker.port) as listener, venue.delivering(broker.port) as pump:
        until(lambda: len(listener.on("/status")) >= 3)
        pump.describe({"fallback": True})
        until(lambda: listener.on("/status")[-1].json.get("fallback"))
        nonces = [each.json["nonce"] for each in listener.on("/status")]

        assert len(nonces) == len(set(nonces))
        assert set(pump.nonces) & set(nonces[-2:])


@VERSIONS
def test_a_state_that_somebody_altered_is_seen(venue: Venue, broker: Broker, version: str) -> None:
    """Our own copies are not reported; what another run left, and what somebody else publishes, is."""
    topic = "exam/v1/zj-no1/custody/alarm/leak-button"
    with Listener(broker.port, described=False) as other:  # states of one number each
        other.publish(topic, b'{"run":"before"}', retain=True)
        with venue.delivering(broker.port, version) as pump:
            (left,) = until(lambda: venue.heard(SeenRetained))
            for number in range(20):
                pump.retain("custody/alarm/leak-button", b'{"n":%d}' % number)
                pump.retain("custody/head", b'{"n":%d}' % number)
            until(lambda: other.on("leak-button")[-1].payload == b'{"n":19}')
            other.publish(topic, b'{"n":18}', retain=True)
            altered = until(lambda: venue.heard(SeenRetained)[1:])
            other.publish(topic, b"", retain=True)
            emptied = until(lambda: venue.heard(SeenRetained)[2:])

    assert ("custody/alarm/leak-button", b'{"run":"before"}', False) == (left.topic, left.payload, left.live)
    assert [True] == [each.live for each in altered]
    assert [b'{"n":18}'] == [each.payload for each in altered]
    assert [b""] == [each.payload for each in emptied]


@VERSIONS
def test_a_refused_login_is_not_a_network_fault(venue: Venue, tmp_path: Path, version: str) -> None:
    """C14: a wrong password says so, and is not tried fast; the right one, in a file, is let in."""
    passwords = tmp_path / "passwords"
    passwords.write_text("zj-no1:secret\n")
    Passwords.hash(passwords)
    good, bad = tmp_path / "good", tmp_path / "bad"
    good.write_text("secret\n")
    bad.write_text("wrong\n")
    with Broker(tmp_path, f"password_file {passwords}", anonymous=False) as broker, Proxy(broker.port) as proxy:
        with venue.delivering(proxy.port, version, user="zj-no1", password_file=str(bad)):
            until(lambda: "refused" in venue.states())
            threading.Event().wait(1.2)

            assert proxy.connections == 1
            assert "password" in venue.heard(SinkState)[-1].detail or "not authorised" in venue.told[-1].detail

        with venue.delivering(broker.port, version, user="zj-no1", password_file=str(good)):
            until(lambda: "connected" in venue.states())
        with venue.delivering(broker.port, version, user="zj-no1", password_file=str(tmp_path / "none")):
            until(lambda: "cannot be read" in venue.heard(SinkState)[-1].detail)


class Passwords:
    @staticmethod
    def hash(file: Path) -> None:
        import subprocess

        subprocess.run(["mosquitto_passwd", "-U", str(file)], check=True)


@VERSIONS
def test_a_refused_topic_is_named_and_holds_up_no_other(
    venue: Venue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str
) -> None:
    """C14: an access list that refuses one branch: told by name; over 3.1.1 too, where it looks like success."""
    monkeypatch.setattr("gateway.sinks.mqtt.ECHO_S", 0.5)
    acl = tmp_path / "acl"
    acl.write_text("topic read exam/v1/zj-no1/#\ntopic write exam/v1/zj-no1/environment/#\n")
    with Broker(tmp_path, f"acl_file {acl}") as broker, venue.delivering(broker.port, version) as pump:
        press, other = venue.press(pump), venue.event(pump)
        until(lambda: venue.accepted() == [other.number])
        missed = until(lambda: venue.heard(NotTaken), 7)[0]
        state = until(lambda: venue.heard(SinkState)[-1].state == "refused" and venue.heard(SinkState)[-1])

        assert (press.number, None if version == "3.1.1" else 135) == (missed.number, missed.code)
        assert "custody/event" in state.detail
        assert [other.number] == venue.accepted()


def test_a_branch_that_is_refused_in_silence_stays_refused(
    venue: Venue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """C14: over 3.1.1 a branch that the access list refuses is told before anything happens in it, and goes on to be
    told whatever is acknowledged, over a new connection too: else its alarm would never have the time to be raised.
    """
    monkeypatch.setattr("gateway.sinks.mqtt.ECHO_S", 0.3)
    acl = tmp_path / "acl"
    rights = (
        "topic read exam/v1/zj-no1/#\ntopic write exam/v1/zj-no1/environment/#\ntopic write exam/v1/zj-no1/status\n"
    )
    acl.write_text(rights)
    with (
        Broker(tmp_path, f"acl_file {acl}") as broker,
        Proxy(broker.port) as proxy,
        venue.delivering(proxy.port, "3.1.1") as pump,
    ):
        pump.retain("custody/alarm/door", b'{"state":"normal"}')
        pump.retain("environment/alarm/noise", b'{"state":"normal"}')
        told = until(lambda: venue.states()[-1] == "refused" and venue.heard(SinkState)[-1].detail)
        since = len(venue.states())
        venue.press(pump)
        until(lambda: len(venue.heard(NotTaken)) > 1, 10)
        proxy.cut()
        until(lambda: len(venue.heard(NotTaken)) > 2, 10)
        states = set(venue.states()[since:])
        broker.stop()
        acl.write_text(f"{rights}topic write exam/v1/zj-no1/custody/#\n")
        broker.start()
        until(lambda: venue.states()[-1] == "connected", 15)

    assert "custody/alarm/+" in told
    assert "environment" not in told
    assert "connected" not in states


@VERSIONS
def test_what_was_refused_arrives_when_the_access_list_is_corrected(
    venue: Venue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str
) -> None:
    """C14: the connection stands all the while: states, readings and events that were refused are taken then, and the
    trouble is over.
    """
    monkeypatch.setattr("gateway.sinks.mqtt.ECHO_S", 0.3)
    monkeypatch.setattr("gateway.sinks.mqtt.REFUSED_AGAIN_S", 0.5)
    monkeypatch.setattr("gateway.sinks.supply.NEWEST_EVERY_S", 0.05)
    acl = tmp_path / "acl"
    acl.write_text("topic read #\ntopic write exam/v1/zj-no1/status\n")
    with (
        Broker(tmp_path, f"acl_file {acl}") as broker,
        Proxy(broker.port) as proxy,
        Listener(broker.port, described=False) as listener,
        venue.delivering(proxy.port, version, readings=True) as pump,
    ):
        venue.journal.blocks += answers(2, venue.clock.now())
        pump.retain("custody/alarm/door", b'{"state":"latched"}')
        until(lambda: venue.states()[-1] == "refused" and "reading" in venue.heard(SinkState)[-1].detail, 20)
        acl.write_text("topic readwrite #\n")
        broker.reload()
        until(lambda: listener.on("custody/alarm/door"), 20)
        venue.journal.blocks += answers(1, venue.clock.now())
        until(lambda: venue.journal.reading_cursors.get("mqtt") == venue.journal.newest_place, 20)
        until(lambda: venue.states()[-1] == "connected", 20)

        came = sum(len(point["value"]) for each in listener.on("reading/meter-0") for point in each.json["points"])

        assert 1 == proxy.connections
        assert 3 * 4 <= came


def test_what_is_larger_than_the_broker_takes_does_not_end_the_connection(venue: Venue, tmp_path: Path) -> None:
    """MQTT 5, 3.2.2.3.6: the broker names its largest packet; a larger state is refused by name, a press goes on."""
    with (
        Broker(tmp_path, "max_packet_size 2000") as broker,
        Proxy(broker.port) as proxy,
        Listener(broker.port) as listener,
        venue.delivering(proxy.port) as pump,
    ):
        pump.retain("custody/meta", b'{"points": "%s"}' % (3000 * b"x"))
        until(lambda: venue.heard(SinkState)[-1].state == "refused")
        press = venue.press(pump)
        until(lambda: listener.on("custody/event"))

        assert [press.body] == bodies(listener, "custody/event")
        assert "custody/meta (reason 149)" in venue.heard(SinkState)[-1].detail
        assert 1 == proxy.connections


def test_branches_are_proven_over_3_1_1(venue: Venue, broker: Broker) -> None:
    """A branch that gave back our event is named in the sink's state."""
    with venue.delivering(broker.port, "3.1.1") as pump:
        venue.event(pump)
        until(lambda: venue.heard(SinkState)[-1].branches == ("environment",))


def test_no_broker_at_all(venue: Venue) -> None:
    """Nobody listening is told in words; the pump stops at once when asked."""
    with venue.delivering(1) as pump:
        venue.event(pump)
        until(lambda: "unreachable" in venue.states())

    assert "no broker is listening at 127.0.0.1:1" == venue.heard(SinkState)[-2].detail
    assert "stopped" == venue.states()[-1]


def test_a_copied_identity_is_told_and_does_not_flap(tmp_path: Path, broker: Broker) -> None:
    """C12: two gateways with one client id: each says so, and neither fights for the connection."""
    venues = [Venue(tmp_path), Venue(tmp_path)]
    with Proxy(broker.port) as proxy, venues[0].delivering(proxy.port):
        until(lambda: "connected" in venues[0].states())
        with venues[1].delivering(proxy.port):
            until(lambda: all("another device" in venue.heard(SinkState)[-1].detail for venue in venues))
            count = proxy.connections
            threading.Event().wait(0.5)

            assert ["refused", "refused"] == [venue.states()[-1] for venue in venues]
            assert count == proxy.connections < 8


@VERSIONS
def test_a_flood_of_commands_stays_at_the_door(venue: Venue, broker: Broker, version: str) -> None:
    """C15: what somebody sends by the thousand does not fill the engine's inbox, nor hold up a press."""
    with Listener(broker.port) as other, venue.delivering(broker.port, version) as pump:
        until(lambda: "connected" in venue.states())
        threading.Event().wait(0.1)
        for _ in range(1500):
            other._client.publish("exam/v1/zj-no1/command/ack", b"x" * 100)
        other.own.add(("exam/v1/zj-no1/command/ack", b"x" * 100))
        press = venue.press(pump)
        until(lambda: press.number in venue.accepted(), 2)
        until(lambda: len([each for each in other.heard if "/command/" in each.topic]) == 1500)
        threading.Event().wait(0.1)

    assert 200 <= len(venue.heard(Inbound)) < 1000


def answers(count: int, start: Moment) -> list[list[Readings]]:
    """Blocks of 4 s of 4 devices at 1 Hz."""
    return [
        [
            Readings(
                f"meter-{device}",
                (Reading(f"meter-{device}/laf", 50.0 + second, Quality.GOOD, start.after(4 * block + second)),),
            )
            for second in range(4)
            for device in range(4)
        ]
        for block in range(count)
    ]


@VERSIONS
def test_readings_arrive_live_first_and_none_is_left_out(venue: Venue, broker: Broker, version: str) -> None:
    """C5, C9: after an outage the newest minute comes first, the rest marked historical; no gap in the end."""
    venue.journal.blocks = answers(100, venue.clock.now())
    with (
        Proxy(broker.port) as proxy,
        Listener(broker.port) as listener,
        venue.delivering(proxy.port, version, readings=True, backlog_rate=0),
    ):
        until(lambda: len(listener.on("meter-0")) > 3)
        proxy.cut()
        until(lambda: venue.journal.reading_cursors.get("mqtt") == venue.journal.newest_place, 10)
        messages = [each.json for each in listener.on("environment/reading/meter-0")]
        values = [
            (message["from"], after) for message in messages for p in message["points"] for after in p["after_ms"]
        ]

        assert [False, True] == [messages[0]["historical"], messages[-1]["historical"]]
        assert 60 == len(messages[0]["points"][0]["value"])
        assert 400 <= len(values)
        assert {"dB(A)"} == {p["unit"] for message in messages for p in message["points"]}


def test_what_is_published_together_is_held_no_longer(broker: Broker) -> None:
    """Packets wait for each other while a burst is made and not a moment longer, whatever ends it."""
    settings = config.Mqtt(host="127.0.0.1", port=broker.port)
    link = Link(settings, "burst", None, SystemClock().now())
    sock: Any = link._client.socket()
    with contextlib.closing(link), Listener(broker.port, described=False) as listener:
        with contextlib.suppress(RuntimeError), link.together():
            link.publish(Publication("exam/v1/zj-no1/environment/reading/a", b"1"))
            link.publish(Publication("exam/v1/zj-no1/environment/reading/b", b"2"))

            assert 1 == sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_CORK)

            raise RuntimeError

        assert 0 == sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_CORK)

        until(lambda: [b"1", b"2"] == [each.payload for each in listener.heard])
    with link.together():  # closed: nothing to hold, and nothing to complain of
        pass


def test_a_press_during_the_drain_arrives_at_once(venue: Venue, broker: Broker) -> None:
    """C9: while a day's backlog drains at full speed, a press is at the broker within a second."""
    venue.journal.blocks = answers(5000, venue.clock.now())
    with (
        Listener(broker.port, ("exam/v1/zj-no1/custody/event",)) as listener,
        venue.delivering(broker.port, readings=True, backlog_rate=0) as pump,
    ):
        until(lambda: venue.journal.reading_cursors.get("mqtt", 0) > 0)
        venue.press(pump)
        until(lambda: listener.on("custody/event"), 1)

        assert venue.journal.reading_cursors["mqtt"] < venue.journal.newest_place


# ---- TLS --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("tls"))


TLS = [
    # the broker's certificate, whose word the gateway takes, its own certificate, its clock -> state
    ("good", "ours", "client", ClockState.SYNCHRONISED, "connected"),
    ("good", "good", "client", ClockState.SYNCHRONISED, "connected"),  # pinned: the broker's own
    ("other-name", "other-name", "client", ClockState.SYNCHRONISED, "bad-certificate"),
    ("expired", "ours", "client", ClockState.SYNCHRONISED, "bad-certificate"),
    ("expired", "ours", "client", ClockState.UNSYNCHRONISED, "bad-certificate"),
    ("expired", "ours", "client", ClockState.FLOOR, "bad-certificate"),
    ("future", "ours", "client", ClockState.SYNCHRONISED, "bad-clock"),
    ("future", "ours", "client", ClockState.UNSYNCHRONISED, "connected"),
    ("future", "ours", "client", ClockState.FLOOR, "connected"),
    ("other-name", "ours", "client", ClockState.SYNCHRONISED, "bad-certificate"),
    ("other-name", "ours", "client", ClockState.UNSYNCHRONISED, "bad-certificate"),
    ("good", "foreign", "client", ClockState.SYNCHRONISED, "bad-certificate"),
    ("good", "foreign", "client", ClockState.UNSYNCHRONISED, "bad-certificate"),
    ("future", "foreign", "client", ClockState.UNSYNCHRONISED, "bad-certificate"),
    ("good", None, "client", ClockState.SYNCHRONISED, "bad-certificate"),  # the system's authorities: not ours
    ("good", "ours", None, ClockState.SYNCHRONISED, "bad-certificate"),
    ("good", "ours", "missing", ClockState.SYNCHRONISED, "bad-certificate"),
]


# paho leaves the socket of a failed handshake to the garbage collector.
@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize(("server", "ca", "client", "clock", "state"), TLS)
def test_certificates(
    authority: Authority, tmp_path: Path, server: str, ca: str | None, client: str | None, clock: ClockState, state: str
) -> None:
    """C13: chain, name and end are always verified; a wrong clock is told from a bad certificate; never without."""
    lines = (
        f"cafile {authority.ca('ours')}",
        f"certfile {authority.cert(server)}",
        f"keyfile {authority.key(server)}",
        "require_certificate true",
    )
    tls = {} if ca is None else {"ca": str(authority.ca(ca))}
    if client is not None:
        tls |= {"cert": str(authority.cert(client)), "key": str(authority.key(client))}
    venue = Venue(tmp_path, Believing(clock))
    with Broker(tmp_path, *lines) as broker, venue.delivering(broker.port, tls=tls) as pump:
        until(lambda: set(venue.states()) - {"connecting"})

        assert (state, True) == (venue.states()[-1], bool(venue.heard(SinkState)[-1].detail))

        if state == "connected":
            venue.event(pump)
            until(lambda: venue.accepted() == [1] or venue.heard(NotTaken))
