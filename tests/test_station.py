"""The far side: shows each event once, signs for what it keeps, acknowledges, and believes nothing stored."""

from __future__ import annotations

import json
import sqlite3
import threading
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from kit_mqtt import Broker, Listener, QuickClock, running, until

from gateway import payloads
from gateway.configuration import config
from gateway.journal.chain import Chain, Identity, new_run
from gateway.moment import NANO, Moment
from gateway.payloads import Origin
from gateway.persons.people import new_key, public_text, write_key
from gateway.persons.signing import Door
from gateway.station.desk import Desk, Row
from gateway.station.settings import Acting, StationConfig
from gateway.station.station import Station, line, needs_receipt
from gateway.station.store import Kept, Store
from gateway.values import Event, Inbound

NOW = Moment(1_780_800_000 * NANO, 1_000 * NANO)
ZONE = ZoneInfo("Asia/Shanghai")
ROOT = "exam/v1"


class Gateway:
    """Makes what a gateway publishes."""

    def __init__(self, tmp: Path, venue: str = "zj-no1", run: str | None = None) -> None:
        self.origin = Origin(venue, run or new_run(), ZONE)
        self.identity = Identity.open(tmp, NOW)
        self.chain = Chain(self.origin.run, venue, 0, {}, self.identity)

    def event(self, alarm: str = "leak-button", at: Moment = NOW, stream: Any = "custody", **more: Any) -> Event:
        fields = {
            "time": at.text(ZONE),
            "alarm": alarm,
            "severity": "critical",
            "activation": "act-1",
            "revision": 1,
            "transition": "raised",
            "state": "active_unacknowledged",
            "text": {"zh": "泄密报警", "en": "leak alarm"},
            "drill": False,
            "by": None,
        }
        return self.chain.make(stream, fields | more, at=at, urgent=True, needs_receipt=True)

    def online(self, at: Moment = NOW, session: str = "s1", nonce: str = "n1") -> bytes:
        return payloads.online(self.origin, at, session=session, nonce=nonce, details={})

    def offline(self, at: Moment = NOW, session: str = "s1", reason: Any = "lost") -> bytes:
        return payloads.offline(self.origin, at, session=session, reason=reason)

    def meta(self) -> bytes:
        streams: Any = ["custody"]
        return payloads.meta(self.origin, streams=streams, config_sha256="0", key=self.identity.public).payload

    def state(self, event: Event, state: str, revision: int = 1) -> bytes:
        fields = {"kind": "leak", "severity": "critical", "state": state, "condition": True, "activation": "act-1"}
        fields |= {"revision": revision, "since": NOW.text(ZONE)}
        sign = self.identity.sign
        return payloads.alarm_state(self.origin, event.stream, event.alarm, event, fields, sign).payload


class Far:
    """A desk and what it was told."""

    def __init__(self) -> None:
        self.desk = Desk(ROOT, {}, 300, pinned={})

    def take(self, topic: str, payload: bytes, *, retained: bool = False, now: Moment = NOW) -> list[Any]:
        return self.desk.take(f"{ROOT}/zj-no1/{topic}", payload, retained=retained, now=now)

    def event(self, event: Event, now: Moment = NOW) -> list[Any]:
        return self.take(f"{event.stream}/event", event.body, now=now)

    def row(self, alarm: str = "leak-button", stream: str = "custody") -> Row:
        return self.desk.rows["zj-no1", stream, alarm]


@pytest.fixture
def gateway(tmp_path: Path) -> Gateway:
    return Gateway(tmp_path)


@pytest.fixture
def far(gateway: Gateway) -> Far:
    far = Far()
    far.take("meta", gateway.meta(), retained=True)
    far.take("status", gateway.online())
    return far


def test_every_message_three_times_is_one_alarm(gateway: Gateway, far: Far) -> None:
    """C8: copies change nothing on the desk; each is signed for again, because a receipt may have been lost."""
    events = [gateway.event(), gateway.event(transition="repeated", revision=2)]
    heard = [each for event in events for _ in range(3) for each in far.event(event)]

    assert [False, True, True] * 2 == [each.again for each in heard]
    assert [(2, "repeated")] == [(row.revision, row.transition) for row in far.desk.rows.values()]
    assert far.desk.sounding()
    assert {} == far.desk.troubles


def test_an_altered_event_is_a_trouble_and_no_alarm(gateway: Gateway, far: Far) -> None:
    """A byte changed on the way, or another device's signature, never becomes an alarm or a receipt."""
    event = gateway.event()
    foreign = json.loads(event.body) | {"sig": "A" * 86 + "=="}

    assert [] == far.take("custody/event", event.body.replace(b"leak alarm", b"LEAK ALARM"))
    assert [] == far.take("custody/event", json.dumps(foreign).encode())
    assert [] == far.take("custody/event", b"[" * 5000)
    assert {} == far.desk.rows
    assert ["zj-no1 event"] == list(far.desk.troubles)


def test_an_event_of_another_venue_is_refused(gateway: Gateway, far: Far) -> None:
    """What is published below one venue cannot speak for another."""
    gateway.chain.venue = "zj-no2"
    far.event(gateway.event())

    assert {} == far.desk.rows


def test_an_event_before_the_key_is_shown_and_signed_for_later(gateway: Gateway) -> None:
    """No alarm waits for a key; no receipt is given without one."""
    far, event = Far(), gateway.event()
    (first,) = far.event(event)

    assert [] == far.event(event)
    assert (None, False) == (first.kept, far.row().proven)
    assert far.desk.sounding()

    (proven,) = far.take("meta", gateway.meta(), retained=True)

    assert (event.hash, True) == (proven.kept.hash, far.row().proven)
    assert {"zj-no1": gateway.identity.public} == far.desk.new_keys


def test_another_key_is_not_believed(gateway: Gateway, far: Far, tmp_path: Path) -> None:
    """A venue keeps the key that it was first seen with, or that the configuration names."""
    (tmp_path / "other").mkdir()
    other = Gateway(tmp_path / "other")
    far.take("meta", other.meta())
    far.event(other.event())

    assert ["zj-no1 key", "zj-no1 event"] == list(far.desk.troubles)

    far.take("meta", gateway.meta())

    assert ["zj-no1 event"] == list(far.desk.troubles)


def test_a_gap_is_shown_asked_for_and_filled(gateway: Gateway, far: Far) -> None:
    """A missing number shows, is asked for once, and is forgotten when it comes."""
    events = [gateway.event(revision=number) for number in range(1, 5)]
    for event in (events[0], events[3]):
        far.event(event)
    run = gateway.origin.run

    assert [("zj-no1", "custody", run, 2), ("zj-no1", "custody", run, 3)] == far.desk.ask()
    assert [] == far.desk.ask()
    assert {} == far.desk.troubles  # an urgent event overtakes those that wait: that is no trouble yet

    far.desk.look(NOW.after(6))

    assert ["2 events of zj-no1 are missing"] == list(far.desk.troubles.values())

    for event in events[1:3]:
        far.event(event)

    assert {} == far.desk.troubles
    assert 4 == far.row().revision


def test_a_head_tells_of_events_that_never_came(gateway: Gateway, far: Far) -> None:
    """A silent gap at the end shows within 30 s."""
    first, second = gateway.event(), gateway.event()
    far.event(first)
    head = payloads.head(gateway.origin, NOW, "custody", run=second.run, seq=second.seq, hash_=second.hash)
    far.take(head.topic, head.payload)

    assert [("zj-no1", "custody", second.run, 2)] == far.desk.ask()


def test_a_new_run_names_the_last_event_before_it(gateway: Gateway, far: Far) -> None:
    """C10: after an outage and a restart the new run's press comes first: what is owed is missing until it comes."""
    far.event(gateway.event())
    owed = gateway.event()
    gateway.chain = Chain("r2", "zj-no1", 2, gateway.chain.heads, gateway.identity)
    far.event(gateway.event(at=NOW.after(1)))
    at_once = dict(far.desk.troubles)
    far.desk.look(NOW.after(7))
    later = list(far.desk.troubles.values())
    far.event(owed, NOW.after(8))

    assert ({}, ["1 events of zj-no1 are missing"]) == (at_once, later)
    assert {} == far.desk.troubles


def test_an_event_that_another_one_contradicts(gateway: Gateway, far: Far) -> None:
    """Two events under one number: the chain is broken, and nothing that comes later mends it."""
    far.event(gateway.event())
    before = dict(gateway.chain.heads)
    far.event(gateway.event(revision=2))
    gateway.chain.heads = before
    gateway.event(revision=3)
    far.event(gateway.event(revision=4))
    far.event(gateway.event(revision=5))

    assert ["the chain of zj-no1 is broken: an event is missing or altered"] == list(far.desk.troubles.values())


def test_a_run_joined_in_the_middle_shows_what_is_missing(gateway: Gateway, far: Far) -> None:
    """After a restart that we did not hear, the numbers before the first one heard are missing."""
    far.event(gateway.event())
    gateway.chain = Chain("r2", "zj-no1", 1, {}, gateway.identity)
    gateway.event(at=NOW.after(1))
    far.event(gateway.event(at=NOW.after(2)))

    assert [("zj-no1", "custody", "r2", 1)] == far.desk.ask()


def test_a_late_event_of_an_older_run_is_no_news(gateway: Gateway, far: Far) -> None:
    """C10: what comes late from the journal does not change how an alarm stands."""
    old = gateway.event(state="active_unacknowledged")
    gateway.chain = Chain("r2", "zj-no1", 1, gateway.chain.heads, gateway.identity)
    far.event(gateway.event(at=NOW.after(60), state="normal", transition="reset"), NOW.after(60))
    far.event(old, NOW.after(61))

    assert "normal" == far.row().state


@pytest.mark.parametrize(
    ("after_s", "state", "late", "sounds"),
    [
        (1, "active_unacknowledged", False, True),
        (299, "cleared_unacknowledged", False, True),
        (301, "cleared_unacknowledged", True, False),
        (3000, "active_unacknowledged", True, True),
        (1, "active_acknowledged", False, False),
        (1, "normal", False, False),
    ],
)
def test_late_events_look_late(
    gateway: Gateway, far: Far, after_s: float, state: str, late: bool, sounds: bool
) -> None:
    """C10: sensed long before it came: shown so, and silent unless it still stands."""
    far.take("status", gateway.online(), now=NOW.after(after_s))
    far.event(gateway.event(state=state), NOW.after(after_s))

    assert (late, sounds) == (far.row().late, far.desk.sounding())
    assert late == ("late" in line(far.row()))


def test_nothing_stored_is_believed_before_a_live_status(gateway: Gateway) -> None:
    """E5, C11: a retained state and a retained status may be of yesterday."""
    far, event = Far(), gateway.event()
    far.take("meta", gateway.meta(), retained=True)
    far.take("status", gateway.online(), retained=True)
    far.take("custody/alarm/leak-button", gateway.state(event, "active_unacknowledged"), retained=True)

    assert (False, False) == (far.row().believed, far.desk.sounding())

    far.take("status", gateway.online())

    assert (True, True) == (far.row().believed, far.desk.sounding())


def test_a_state_without_the_gateways_signature_is_nothing(gateway: Gateway, far: Far) -> None:
    """Whoever may write to the topic cannot make an alarm disappear."""
    event = gateway.event()
    far.event(event)
    state = json.loads(gateway.state(event, "normal")) | {"state": "active_acknowledged"}
    far.take("custody/alarm/leak-button", json.dumps(state).encode())

    assert "active_unacknowledged" == far.row().state

    far.take("custody/alarm/leak-button", gateway.state(event, "active_acknowledged", 2))

    assert ("active_acknowledged", 2) == (far.row().state, far.row().revision)


def test_an_old_will_is_no_death(gateway: Gateway, far: Far) -> None:
    """C11: a will counts only if its session is the latest birth's."""
    far.take("status", gateway.online(session="s2"))
    far.take("status", gateway.offline(session="s1"))

    assert {} == far.desk.troubles

    far.take("status", gateway.offline(session="s2"))

    assert ["the connection to zj-no1 is lost"] == list(far.desk.troubles.values())
    assert far.desk.sounding()

    far.take("status", gateway.offline(session="s2", reason="stopped"))

    assert ["zj-no1 was switched off"] == list(far.desk.troubles.values())


def test_silence_is_loss_by_our_own_clock(gateway: Gateway, far: Far) -> None:
    """C11: 90 s without a live status: the venue is lost, whatever is retained."""
    far.desk.look(NOW.after(89))

    assert not far.desk.sounding()

    far.desk.look(NOW.after(91))

    assert ["zj-no1 is silent"] == list(far.desk.troubles.values())

    far.take("status", gateway.online(), now=NOW.after(92))

    assert {} == far.desk.troubles


@pytest.mark.parametrize("topic", ["status", "meta", "custody/event", "custody/head", "custody/alarm/x", "what/else"])
@pytest.mark.parametrize("payload", [b"", b"null", b"[]", b"{}", b'{"seq":"x"}', b"\xff", b'{"state":"online"}'])
def test_nothing_on_any_topic_breaks_the_desk(far: Far, topic: str, payload: bytes) -> None:
    """C15: every byte from the broker is hostile here too."""
    far.take(topic, payload)
    far.take(topic, payload, retained=True)


def later_run(gateway: Gateway, run: str = "r2") -> None:
    """The gateway was started anew."""
    gateway.chain = Chain(run, "zj-no1", gateway.chain.number, gateway.chain.heads, gateway.identity)
    gateway.origin = Origin("zj-no1", run, ZONE)


@pytest.mark.parametrize("status_first", [True, False])
def test_a_press_after_a_start_in_the_past_sounds(gateway: Gateway, far: Far, status_first: bool) -> None:
    """E1: a board without a clock begins a day before its last event: its alarm is news all the same."""
    far.event(gateway.event(state="normal", transition="reset"))
    later_run(gateway)
    if status_first:
        far.take("status", gateway.online(session="s2"))
    far.event(gateway.event(at=NOW.after(-86_400)), NOW.after(5))
    at_once = far.desk.sounding()
    far.take("status", gateway.online(session="s2"), now=NOW.after(6))

    assert (True, True) == (at_once, far.desk.sounding())
    assert "active_unacknowledged" == far.row().state


def test_the_present_run_is_told_by_the_status_not_by_clocks(gateway: Gateway, far: Far) -> None:
    """E1: what comes late of a run whose clock was ahead does not hide how the alarm stands, once the venue says so."""
    ahead = gateway.event(at=NOW.after(86_400), state="normal", transition="reset")
    later_run(gateway)
    far.event(gateway.event(at=NOW.after(10)), NOW.after(10))
    far.event(ahead, NOW.after(11))
    far.take("status", gateway.online(session="s2"), now=NOW.after(12))

    assert "active_unacknowledged" == far.row().state


def test_copies_that_were_asked_for_fill_the_gap(gateway: Gateway, far: Far) -> None:
    """Events of a run that was not believed to be the present one came: asked for again, they are missing no longer."""
    far.event(gateway.event())
    later_run(gateway)
    past = [gateway.event(at=NOW.after(-3600)) for _ in range(3)]
    for event in past:
        far.event(event, NOW.after(1))
    far.event(gateway.event(at=NOW.after(2)), NOW.after(2))
    for event in past:
        far.event(event, NOW.after(3))
    far.desk.look(NOW.after(20))

    assert {} == far.desk.troubles


def test_a_state_newer_than_the_events_that_came_counts(gateway: Gateway, far: Far) -> None:
    """After an outage of this station what was raised, or reset, meanwhile is known by its signed state."""
    far.event(gateway.event("noise", state="normal"))
    far.event(gateway.event("heat"))
    raised, reset = gateway.event("noise"), gateway.event("heat", state="normal")
    far.take("custody/alarm/noise", gateway.state(raised, "active_unacknowledged"), retained=True)
    far.take("custody/alarm/heat", gateway.state(reset, "normal"), retained=True)

    assert ("active_unacknowledged", "normal") == (far.row("noise").state, far.row("heat").state)


def test_the_state_of_a_new_run_counts_when_it_is_the_present_one(gateway: Gateway, far: Far) -> None:
    """E5: retained before the first status of the new run it waits for it; of a run long over it never counts."""
    far.event(gateway.event(state="normal"))
    later_run(gateway)
    far.take("custody/alarm/leak-button", gateway.state(gateway.event(), "active_unacknowledged"), retained=True)
    stored = far.desk.sounding()
    far.take("status", gateway.online(session="s2"), now=NOW.after(1))

    assert (False, True) == (stored, far.desk.sounding())

    gateway.origin, chain = Origin("zj-no1", "r0", ZONE), gateway.chain
    gateway.chain = Chain("r0", "zj-no1", 0, {}, gateway.identity)
    far.take("custody/alarm/leak-button", gateway.state(gateway.event(), "normal"), retained=True)
    gateway.chain = chain

    assert far.desk.sounding()


@pytest.mark.parametrize(("expected", "sounds"), [(["zj-no1"], True), ([], False)])
def test_a_venue_that_was_silent_before_the_station_began_is_missed(
    gateway: Gateway, expected: list[str], sounds: bool
) -> None:
    """C11: a station that begins after it does not look calm; a venue known only from the store makes no sound."""
    desk = Desk(ROOT, {"zj-no1": gateway.identity.public}, 300, pinned={}, expected=expected)
    desk.look(NOW)
    at_first = dict(desk.troubles)
    desk.look(NOW.after(91))

    assert {} == at_first
    assert (["zj-no1 is silent"], sounds) == (list(desk.troubles.values()), desk.sounding())

    desk.take(f"{ROOT}/zj-no1/status", gateway.online(), retained=False, now=NOW.after(92))

    assert {} == desk.troubles


def test_a_venue_whose_alarms_cannot_be_proven_any_more_sounds(far: Far, tmp_path: Path) -> None:
    """A board exchanged without telling the far side: nothing of it can be believed, so it is as good as silent."""
    (tmp_path / "other").mkdir()
    far.take("meta", Gateway(tmp_path / "other").meta())

    assert far.desk.sounding()


# ---- the whole station over a real broker -----------------------------------------------------------------------


@pytest.fixture
def settings(tmp_path: Path) -> dict[str, Any]:
    keys = {name: new_key() for name in ("county-command", "li-wei")}
    for name, key in keys.items():
        write_key(tmp_path / f"{name}.key", key)
    return {
        "id": "county-command",
        "key_file": str(tmp_path / "county-command.key"),
        "person": Acting(id="li-wei", key_file=str(tmp_path / "li-wei.key")),
        "store": str(tmp_path / "station.db"),
        "streams": ("custody", "gateway"),
        "public": {name: public_text(key) for name, key in keys.items()},
    }


def made(settings: dict[str, Any], port: int) -> StationConfig:
    broker = config.Mqtt(host="127.0.0.1", port=port, keepalive="5s")  # type: ignore[arg-type]
    return StationConfig(broker=broker, **{key: value for key, value in settings.items() if key != "public"})


def door(settings: dict[str, Any]) -> Door:
    person = config.Person(id="li-wei", name="李伟", may=("ack",), key=settings["public"]["li-wei"])
    station = config.Station(id="county-command", key=settings["public"]["county-command"], streams=("custody",))
    return Door([person], [station])


def inbound(heard: Any) -> Inbound:
    return Inbound(heard.topic.split("/", 3)[3], heard.payload, heard.retained, "mqtt", NOW)


def test_a_press_is_kept_signed_for_and_acknowledged(
    tmp_path: Path, gateway: Gateway, settings: dict[str, Any]
) -> None:
    """C7, C8: event, receipt, acknowledgement by a named person; copies, and a restart, change nothing."""
    lines: list[str] = []
    clock = QuickClock()
    with Broker(tmp_path) as broker, Listener(broker.port) as venue:
        venue.publish("exam/v1/zj-no1/meta", gateway.meta(), retain=True)
        event = gateway.event(at=clock.now())
        for _ in range(2):
            station = Station(made(settings, broker.port), clock, lines.append, acknowledge_after_s=0.1)
            with running(station.run):
                until(lambda station=station: station.view.link == "", 8)
                venue.publish("exam/v1/zj-no1/status", gateway.online(clock.now()))
                venue.publish("exam/v1/zj-no1/custody/event", event.body)
                venue.publish("exam/v1/zj-no1/custody/event", event.body)
                until(lambda: len(venue.on("receipt/county-command")) % 2 == 0)
                until(lambda: venue.on("command/ack"))
        receipts = [door(settings).receipt(inbound(each), lambda _: "custody") for each in venue.on("county-command")]
        command = door(settings).command(inbound(venue.on("command/ack")[0]), ["n1"])

    assert {event.hash} == {receipt.hash for receipt in receipts}
    assert len(receipts) >= 3
    assert ("ack", "li-wei", "leak-button", 1) == (command.verb, command.by, command.alarm, command.revision)
    assert 1 == sum("leak-button raised" in text for text in lines)


@pytest.mark.parametrize(
    ("stream", "drill", "signed"),
    [("custody", False, True), ("custody", True, True), ("gateway", True, True), ("gateway", False, False)],
)
def test_drills_of_any_stream_are_signed_for(stream: str, drill: bool, signed: bool, gateway: Gateway) -> None:
    """A drill of a mains contact waits for its receipt as one of the leak button does."""
    event = gateway.event("mains-drill", stream=stream, drill=drill)
    kept = Kept(event.hash, "id", "zj-no1", stream, gateway.origin.run, 1, event.body, 0)

    assert signed == needs_receipt(kept)


def test_missing_events_are_asked_for(tmp_path: Path, gateway: Gateway, settings: dict[str, Any]) -> None:
    """A gap in the chain is asked for with a signed `resend`, and a refusal is shown."""
    lines: list[str] = []
    clock = QuickClock()
    with Broker(tmp_path) as broker, Listener(broker.port) as venue:
        station = Station(made(settings, broker.port), clock, lines.append)
        with running(station.run):
            until(lambda: station.view.link == "", 8)
            threading.Event().wait(0.1)
            venue.publish("exam/v1/zj-no1/meta", gateway.meta())
            venue.publish("exam/v1/zj-no1/status", gateway.online(clock.now()))
            events = [gateway.event(at=clock.now()) for _ in range(3)]
            venue.publish("exam/v1/zj-no1/custody/event", events[0].body)
            venue.publish("exam/v1/zj-no1/custody/event", events[2].body)
            asked = until(lambda: venue.on("command/resend"))
            answer = payloads.response(gateway.origin, NOW, "resend", id_="x", ok=False, error={"zh": "不", "en": "no"})
            venue.publish(f"exam/v1/zj-no1/{answer.topic}", answer.payload)
            until(lambda: any("resend was refused: no" in text for text in lines))
        command = door(settings).command(inbound(asked[0]), ["n1"])

    assert {"stream": "custody", "run": gateway.origin.run, "first": 2, "last": 2} == dict(command.arguments)


def test_a_new_connection_forgets_what_a_venue_said_before(gateway: Gateway) -> None:
    """After an outage nothing is signed with an old nonce: the venue would refuse it, and call it an attack."""
    far = Far()
    far.take("status", gateway.online(nonce="before"))
    far.desk.connected()
    forgotten = far.desk.venues["zj-no1"].nonce
    far.take("status", gateway.online(nonce="after"))

    assert (None, "after") == (forgotten, far.desk.venues["zj-no1"].nonce)


def test_a_zero_report_that_does_not_come_is_missed(tmp_path: Path) -> None:
    """The signed state says when the next one is due; ten minutes later its absence is a trouble, until it comes."""
    gateway = Gateway(tmp_path)
    desk = Desk(ROOT, {"zj-no1": gateway.identity.public}, 60.0, pinned={})

    def expected(following: Moment) -> None:
        fields = {"kind": "zero-report", "severity": "low", "state": "normal", "condition": False, "activation": None}
        fields |= {"revision": 1, "since": None, "text": {}, "life": {}, "details": {"next": following.text(ZONE)}}
        state = payloads.alarm_state(gateway.origin, "custody", "zero-report", None, fields, gateway.identity.sign)
        desk.take(f"{ROOT}/zj-no1/{state.topic}", state.payload, retained=True, now=NOW)

    def missed(after_s: float) -> bool:
        desk.look(NOW.after(after_s))
        return "zj-no1 report" in desk.troubles

    expected(NOW.after(3600))
    seen = [missed(3600), missed(3600 + 599), missed(3600 + 601)]
    expected(NOW.after(90000))

    assert [False, False, True] == seen
    assert not missed(5000)


def test_a_full_disk_hides_no_alarm_and_signs_for_none(
    tmp_path: Path, gateway: Gateway, settings: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """C7: what the station cannot keep it shows, with the cause, and gets a receipt when the disk takes it."""
    full = threading.Event()
    full.set()
    keep = Store.keep

    def refusing(store: Store, events: Any) -> None:
        if full.is_set():
            raise sqlite3.OperationalError("database or disk is full")
        keep(store, events)

    monkeypatch.setattr(Store, "keep", refusing)
    lines: list[str] = []
    clock = QuickClock()
    with Broker(tmp_path) as broker, Listener(broker.port) as venue:
        station = Station(made(settings, broker.port), clock, lines.append)
        with running(station.run):
            until(lambda: station.view.link == "", 8)
            venue.publish("exam/v1/zj-no1/meta", gateway.meta(), retain=True)
            venue.publish("exam/v1/zj-no1/status", gateway.online(clock.now()))
            event = gateway.event(at=clock.now())
            for _ in range(2):
                venue.publish("exam/v1/zj-no1/custody/event", event.body)
            until(lambda: station.view.sounding and station.view.rows)
            until(lambda: any("disk is full" in text for text in station.view.troubles))
            unsigned = len(venue.on("receipt/county-command"))
            full.clear()
            until(lambda: venue.on("receipt/county-command"))
            until(lambda: station.view.troubles == ())

    assert 0 == unsigned
    assert 1 == sum("leak-button raised" in text for text in lines)


def test_a_store_that_cannot_be_opened_is_said_aloud(tmp_path: Path, settings: dict[str, Any]) -> None:
    """A far side that cannot begin is no calm far side."""
    Path(settings["store"]).write_bytes(b"no database" * 1000)
    station = Station(made(settings, 1), QuickClock(), lambda _line: None)
    with running(station.run):
        until(lambda: station.view.sounding)

    assert "not a database" in station.view.link
