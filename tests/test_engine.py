"""The engine: what sources, people and far sides say becomes events, states and lamp patterns."""

from __future__ import annotations

import base64
import json
import math
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from drivers.base import Quality
from gateway.alarm import book
from gateway.assembly import Plan
from gateway.board import Board
from gateway.calendar import Calendar
from gateway.contacts.lamp import LampStep
from gateway.engine import Reconfigured
from gateway.journal.chain import public_text, read_event
from gateway.machine.health import DeviceWatch, Health
from gateway.moment import NANO, ClockState, Moment
from gateway.persons.signing import make_receipt
from gateway.points import Points
from gateway.values import (
    Accepted,
    BusState,
    Canary,
    CertificateEnds,
    ContactFault,
    Inbound,
    LineHealth,
    Lost,
    Reading,
    Readings,
    RemoteSetting,
    SeenRetained,
    SinkState,
    StorageState,
)
from tests.kit_engine import EARLY_NS, VENUE, Bench

STATION_KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
STATION = (
    f'\n[[station]]\nid = "county"\nkey = "{public_text(STATION_KEY.public_key())}"\nstreams = ["custody", "gateway"]\n'
)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    bench = Bench(tmp_path, VENUE + STATION)
    bench.found_safe()
    bench.wait(1)
    return bench


def receipt(bench: Bench, hash_: str, *, key: Ed25519PrivateKey = STATION_KEY) -> None:
    payload = make_receipt(key, station="county", hash_=hash_, time="2026-06-07T09:00:01+08:00")
    bench.engine.handle(Inbound("receipt/county", payload, False, "mqtt", bench.now))


def test_a_receipt_counts_however_much_came_after_its_event(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """C7, F15: what is known of events is bounded, but an event that still waits for its receipt is never forgotten."""
    monkeypatch.setattr(book, "REMEMBERED", 5)
    bench.press()
    pressed = next(e for e in bench.out.events if e["alarm"] == "leak-button" and e["transition"] == "raised")
    for _ in range(6):
        bench.level(70.0, 20)
        bench.level(45.0, 20)
    kept = list(bench.engine.book.sent.values())
    receipt(bench, pressed["hash"])

    assert 5 <= len(kept) < 9  # looked through every now and then
    assert kept == sorted(kept, key=lambda sent: sent.number)
    assert ("county",) == bench.engine.book.pages["leak-button"].alarm.received_by
    assert (kept[0].number, "county") in bench.out.receipts


def test_noise_over_the_limit_is_raised_after_its_hold_and_cleared_under_the_lower_level(bench: Bench) -> None:
    """E8: raise and clear levels and both holds, from single readings to events."""
    bench.level(50.0, 20)
    quiet = bench.transitions("noise-in-session")
    bench.level(70.0, 20)
    loud = bench.transitions("noise-in-session")
    bench.level(54.0, 30)  # under the limit, over the clearing level
    between = bench.transitions("noise-in-session")
    bench.level(45.0, 30)

    assert ([], ["raised"], ["raised"]) == (quiet, loud, between)
    assert ["raised", "cleared"] == bench.transitions("noise-in-session")
    raised = next(e for e in bench.out.events if e["alarm"] == "noise-in-session")
    assert (55.0, "dB(A)", "语文", "environment") == tuple(raised[k] for k in ("limit", "unit", "session", "stream"))
    assert raised["value"] > 55.0


def test_silence_of_the_meter_clears_nothing_and_becomes_an_alarm_of_its_own(bench: Bench) -> None:
    """E4: a meter that stops talking leaves the noise alarm standing and raises device-gate-noise."""
    bench.level(70.0, 20)
    for _ in range(60):
        bench.engine.handle(Lost("gate-noise", "Timeout", "no answer", bench.now))
        bench.wait(1)

    assert "active_unacknowledged" == bench.state("noise-in-session")
    assert ["raised"] == bench.transitions("device-gate-noise")
    assert "gate-noise gives no usable answer: no answer" == bench.out.events[-1]["text"]["en"]
    bench.level(45.0, 1)
    assert ["raised", "cleared"] == bench.transitions("device-gate-noise")


def test_a_lost_port_is_one_alarm_for_all_its_devices(bench: Bench) -> None:
    """While the port is gone its devices' silence is one alarm that lists them."""
    bench.engine.handle(BusState("rs485", ("gate-noise",), "unplugged", bench.now))
    bench.wait(60)

    assert ["raised"] == bench.transitions("bus-rs485")
    assert [] == bench.transitions("device-gate-noise")
    assert "gate-noise" in bench.engine.book.pages["bus-rs485"].evidence.what["en"]


def test_every_press_is_an_event_and_the_alarm_stays_until_it_is_reset_by_a_person_with_a_reason(bench: Bench) -> None:
    """A press latches; another press after the acknowledgement reopens it; reset needs the contact safe and a note."""
    bench.press()
    bench.press()
    ack = bench.act("ack", "leak-button")
    bench.press()
    early = bench.act("reset", "leak-button")
    bench.act("ack", "leak-button")
    nameless = bench.act("reset", "leak-button", note=" ")
    reset = bench.act("reset", "leak-button", note="pressed by mistake, checked with the custodian")

    said = [t for t in bench.transitions("leak-button") if t != "cleared"]
    assert ["raised", "repeated", "acknowledged", "repeated", "acknowledged", "reset"] == said
    assert (True, False, False, True) == (ack["ok"], early["ok"], nameless["ok"], reset["ok"])
    assert "normal" == bench.state("leak-button")


def test_the_lamp_walks_from_pressed_to_acknowledged_and_says_when_nobody_answers(bench: Bench) -> None:
    """Decision 7: pressed, stored, received, acknowledged; without a receipt for 30 s, not delivered."""
    steps = []
    bench.press()
    steps.append(bench.out.lamps["leak-button"])
    bench.store()
    steps.append(bench.out.lamps["leak-button"])
    bench.wait(40)
    steps.append(bench.out.lamps["leak-button"])
    receipt(bench, next(e["hash"] for e in bench.out.events if e["transition"] == "raised"))
    steps.append(bench.out.lamps["leak-button"])
    bench.act("ack", "leak-button")
    steps.append(bench.out.lamps["leak-button"])

    expected = [LampStep.PRESSED, LampStep.STORED, LampStep.NOT_DELIVERED, LampStep.RECEIVED, LampStep.ACKNOWLEDGED]
    assert expected == [step for step, _ in steps]
    assert [True, True, True, True, False] == [sound for _, sound in steps]


def test_the_lamp_counts_from_the_press_not_from_the_release(bench: Bench) -> None:
    """A button held, or let go, gives the network no more time."""
    bench.press(for_s=25)
    bench.store()
    bench.wait(4)
    before = bench.out.lamps["leak-button"][0]
    bench.wait(3)

    assert (LampStep.STORED, LampStep.NOT_DELIVERED) == (before, bench.out.lamps["leak-button"][0])


@pytest.mark.parametrize("acknowledged", [False, True])
def test_an_alarm_whose_rule_is_gone_after_a_restart_ends_for_the_far_side_too(
    bench: Bench, acknowledged: bool
) -> None:
    """Else a station would sound for an alarm that nobody can acknowledge any more."""
    bench.level(70, 30)
    if acknowledged:
        bench.act("ack", "noise-in-session")
    bench.config = bench.config.model_copy(update={"rule": {}})
    bench.restart()
    bench.wait(6)  # its own hold
    states = [bench.state("noise-in-session")]
    if not acknowledged:
        bench.act("ack", "noise-in-session")
        states.append(bench.state("noise-in-session"))

    assert (["normal"] if acknowledged else ["cleared_unacknowledged", "normal"]) == states
    assert "cleared" in bench.transitions("noise-in-session")


def test_a_receipt_counts_once_and_a_forged_one_raises_its_own_alarm(bench: Bench) -> None:
    """Decision 8: only a signature of the station counts; the same receipt again is silent."""
    bench.press()
    raised = next(e for e in bench.out.events if e["transition"] == "raised")
    receipt(bench, raised["hash"], key=Ed25519PrivateKey.generate())
    forged = (list(bench.out.receipts), bench.transitions("receipt-refused"))
    receipt(bench, raised["hash"])
    receipt(bench, raised["hash"])

    assert ([], ["raised"]) == forged
    assert 1 == len(bench.out.receipts)
    assert 1 == bench.transitions("leak-button").count("received")
    assert ["raised"] == bench.transitions("receipt-refused")


def test_a_door_opened_outside_custody_is_recorded_and_inside_is_an_alarm(tmp_path: Path) -> None:
    """A seal is armed while papers are stored; an opening before is a mere event; open at arming is one."""
    custody = "\n[custody]\nstart = 2026-06-07T09:01:00\nend = 2026-06-10T18:00:00\n"
    bench = Bench(tmp_path, VENUE + custody)
    bench.found_safe()
    bench.wait(1)
    bench.lines("door", True)
    bench.wait(2)
    before = bench.transitions("door")
    bench.wait(120)

    assert ["updated"] == before
    assert ["updated", "raised"] == bench.transitions("door")
    assert "open-at-arming" == bench.out.events[-1]["reason"]


def test_without_a_custody_table_or_a_clock_the_seal_is_armed(tmp_path: Path) -> None:
    """Unknown custody means sealed (decision 5)."""
    bench = Bench(tmp_path)
    bench.found_safe()
    bench.lines("door", True)
    bench.wait(1, clock=ClockState.UNSYNCHRONISED)

    assert ["raised"] == bench.transitions("door")


def test_a_contact_active_at_start_is_a_state_with_its_reason_and_no_press(tmp_path: Path) -> None:
    """A3: found-at-start is an alarm condition, never an invented edge."""
    bench = Bench(tmp_path)
    bench.lines("leak-button", True, False, source="start")
    bench.wait(1)

    raised = [e for e in bench.out.events if e["alarm"] == "leak-button"]
    assert [("raised", "found-at-start")] == [(e["transition"], e["reason"]) for e in raised]
    assert 0 == bench.engine.watches["leak-button"].openings


def test_a_cut_wire_is_an_alarm_of_its_own_and_no_press(bench: Bench) -> None:
    """A6: with a changeover a cut is told from a press, latches, and needs a receipt like one."""
    bench.lines("leak-button", True, True)
    bench.wait(1)

    assert ([], ["raised"]) == (bench.transitions("leak-button"), bench.transitions("leak-button-line"))
    assert bench.out.made[-1].needs_receipt
    assert LampStep.FAULT == bench.out.lamps["leak-button"][0]
    bench.lines("leak-button", False, True)
    bench.wait(1)
    assert "latched_unacknowledged" == bench.state("leak-button-line")


def test_a_pin_that_cannot_be_used_is_told_and_the_contact_is_unknown(bench: Bench) -> None:
    """A5: an unusable pin is a fault alarm; the state published is unknown, never safe."""
    bench.engine.handle(ContactFault("door", "pin 17 is in use", bench.now, lines=(0,)))
    bench.wait(1)

    assert ["raised"] == bench.transitions("door-pin")
    assert "unknown" == bench.out.retained["custody/contact/door"]["state"]


@pytest.mark.parametrize("stage", ["pressed", "stored", "acknowledged", "received"])
def test_a_restart_in_any_stage_resumes_the_same_activation(bench: Bench, stage: str) -> None:
    """A9: same id after a restart, said again as `repeated`, no second alarm, none lost, receipts still counted."""
    bench.press()
    activation = bench.engine.book.pages["leak-button"].alarm.activation
    raised = next(e for e in bench.out.events if e["transition"] == "raised")
    if stage == "stored":
        bench.store()
    if stage == "acknowledged":
        bench.act("ack", "leak-button")
    if stage == "received":
        receipt(bench, raised["hash"])
    before = bench.state("leak-button")
    bench.restart()
    again = bench.out.events[-1]
    bench.found_safe()
    bench.wait(2)

    assert ("repeated", "restart", activation) == (again["transition"], again["reason"], again["activation"])
    assert before == bench.state("leak-button")
    assert "run-2" == again["run"]
    assert 1 == [e["transition"] for e in bench.out.events if e["alarm"] == "leak-button"].count("raised")


def test_the_latch_file_alone_brings_an_alarm_back(bench: Bench) -> None:
    """Decision 5: the union of database and file is in force; losing the database loses no latch."""
    bench.press()
    bench.out.snapshots.clear()
    bench.restart()

    assert "latched_unacknowledged" == bench.state("leak-button")


def test_what_was_sent_and_never_stored_is_reported_and_taken_up_from_the_broker(bench: Bench) -> None:
    """A kill in the stall: the broker's retained state is the only trace; the alarm stands again, its number unused."""
    bench.press()
    retained = json.dumps(bench.out.retained["custody/alarm/leak-button"], ensure_ascii=False).encode()
    sent = bench.out.events[-1]
    bench.out.snapshots.clear()
    bench.out.latched = {}
    lost = len(bench.out.made)
    bench.restart(lose=lost)
    assert "normal" == bench.state("leak-button")
    bench.engine.handle(SeenRetained("mqtt", "custody/alarm/leak-button", retained, bench.now))

    assert "latched_unacknowledged" == bench.state("leak-button")
    reported = next(e for e in bench.out.events if e["alarm"] == "sent-not-stored")
    assert sent["hash"] in reported["text"]["en"]
    repeated = next(e for e in bench.out.events if e["alarm"] == "leak-button" and e["run"] == "run-2")
    assert (sent["activation"], "repeated") == (repeated["activation"], repeated["transition"])
    assert {"run-1", "run-2"} == {e["run"] for e in bench.out.events}


def test_a_state_altered_at_the_broker_is_mended_and_raised(bench: Bench) -> None:
    """Somebody else's retained state is overwritten with ours, and is an alarm."""
    forged = json.dumps({**bench.out.retained["custody/alarm/door"], "state": "active_unacknowledged"}).encode()
    bench.out.retained.clear()
    bench.engine.handle(SeenRetained("mqtt", "custody/alarm/door", forged, bench.now, live=True))

    assert ["raised"] == bench.transitions("state-altered")
    assert "normal" == bench.out.retained["custody/alarm/door"]["state"]
    assert "normal" == bench.state("door")


def test_what_a_run_before_left_at_the_broker_is_no_forgery(bench: Bench) -> None:
    """A link that breaks before our states reached the broker leaves it with those of the run before: they are renewed
    without an alarm. Where ours had been taken, another one is an alarm.
    """
    left = b'{"run": "before"}'
    bench.engine.handle(SeenRetained("mqtt", "custody/contact/door", left, bench.now))
    quiet = bench.transitions("state-altered")
    bench.out.retained.clear()
    bench.engine.handle(SeenRetained("mqtt", "custody/contact/door", left, bench.now, known=True))

    assert [] == quiet
    assert ["raised"] == bench.transitions("state-altered")
    assert "custody/contact/door" in bench.out.retained


def test_every_event_is_chained_and_signed(bench: Bench) -> None:
    """Decision 10: each stream is a chain without gaps, each event provable by the device's public key."""
    bench.press()
    bench.level(70.0, 20)
    bench.lines("door", True)
    bench.wait(1)

    for stream in ("custody", "environment", "gateway"):
        chained = [e for e in bench.out.made if e.stream == stream]
        previous = None
        for seq, event in enumerate(chained, 1):
            read = read_event(event.body, bench.identity.public)
            assert (seq, previous) == (read["seq"], read["previous"])
            previous = read["hash"]


def test_a_clock_that_jumps_a_fortnight_changes_no_hold_and_no_statistic(bench: Bench) -> None:
    """E1: holds and windows by monotonic time; the jump shows in the events' time only."""
    bench.level(70.0, 16)
    jumped = bench.now.wall_ns + 14 * 86400 * NANO
    raised_before = bench.transitions("noise-in-session")
    bench.now = Moment(jumped, bench.now.mono_ns)
    bench.press()

    assert ["raised"] == raised_before
    event = next(e for e in bench.out.events if e["alarm"] == "leak-button")
    assert "2026-06-21" == event["time"][:10]
    assert bench.engine.points.board.seen("gate-noise/laeq_10s", bench.now).value == pytest.approx(70.0, abs=0.01)


@pytest.mark.parametrize(
    ("gauge", "indoors", "says"),
    [
        (("roof/wind_speed", 3.0, 4.9), False, None),
        (("roof/wind_speed", 3.0, 5.1), False, "wind"),
        (("roof/wind_speed", 3.0, 5.1), True, None),
        (("roof/rain", 1.0, 1.2), False, "rain"),
    ],
)
def test_an_excess_in_wind_or_rain_is_an_alarm_that_says_so(
    tmp_path: Path, gauge: tuple[str, float, float], indoors: bool, says: str | None
) -> None:
    """E6: silence is worse than a level that proves nothing: the alarm is raised, and its words and details tell."""
    text = VENUE.replace('place = "north gate"', f'place = "north gate"\nindoors = {str(indoors).lower()}')
    text += '\n[device.roof]\ndriver = "renke_wind_speed"\nbus = "rs485"\naddress = 2\nevery = "5s"\n'
    with_gauge = Bench(tmp_path, text)
    point, *values = gauge
    for value in values:
        with_gauge.wait(1)
        reading = Reading(point, value, Quality.GOOD, with_gauge.now)
        with_gauge.engine.handle(Readings("roof", (reading,)))
    with_gauge.level(70.0, 20)
    (raised,) = [e for e in with_gauge.out.events if e["alarm"] == "noise-in-session"]

    assert says == raised.get("details", {}).get("weather")
    assert (says is not None) == ("proves no excess" in raised["text"]["en"])
    assert 70.0 == raised["value"]


def test_card_trouble_is_an_alarm_and_the_pumps_are_told(bench: Bench) -> None:
    """F7, F8: the engine goes on, says so, and lets events out although they are not stored."""
    bench.engine.handle(StorageState("events", "read-only file system", 3, 0, bench.now))
    failing = bench.out.failing
    bench.press()
    bench.engine.handle(StorageState("events", None, 0, 0, bench.now))

    assert (True, False) == (failing, bench.out.failing)
    assert ["raised", "cleared"] == bench.transitions("storage-events")
    assert "raised" in bench.transitions("leak-button")


def test_a_lost_broker_is_an_alarm_after_its_hold(tmp_path: Path) -> None:
    """A link that is gone for 30 s is an alarm with the reason in words; back, it clears."""
    bench = Bench(tmp_path, VENUE + '\n[mqtt]\nhost = "broker.example"\n')
    bench.engine.handle(SinkState("mqtt", "unreachable", "no route", bench.now))
    bench.wait(20)
    early = bench.transitions("link-mqtt")
    bench.wait(20)
    bench.engine.handle(SinkState("mqtt", "connected", "broker.example:8883", bench.now))

    assert ([], ["raised", "cleared"]) == (early, bench.transitions("link-mqtt"))
    assert "no route" in bench.out.events[-1]["text"]["en"]


def test_leak_alarms_cannot_be_shelved_and_rules_only_for_a_time_with_a_reason(tmp_path: Path) -> None:
    """Shelving, by a named person with a reason and a limit; refused for custody."""
    bench = Bench(tmp_path, start_ns=EARLY_NS)
    bench.found_safe()
    bench.press()
    leak = bench.act("shelve", "leak-button", for_s=600)
    forever = bench.act("shelve", "noise-in-session")
    shelved = bench.act("shelve", "noise-in-session", for_s=600)

    assert (False, False, True) == (leak["ok"], forever["ok"], shelved["ok"])
    bench.wait(601)
    assert "normal" == bench.state("noise-in-session")


def test_why_names_the_rule_its_window_and_each_hop(bench: Bench) -> None:
    """`why`: the rule with the session that puts it in force, and the way of its last events."""
    bench.level(70.0, 20)
    raised = next(e for e in bench.out.made if e.alarm == "noise-in-session")
    bench.engine.handle(Accepted("mqtt", raised.number, bench.now))
    bench.store()
    answer = bench.ask("why", alarm="noise-in-session")

    assert ("语文", 55.0) == (answer["rule"]["in_force"], answer["rule"]["above"])
    assert [("raised", 1, True, ["mqtt"])] == [
        (way["transition"], way["revision"], way["stored"], list(way["brokers"])) for way in answer["delivery"]
    ]
    assert not bench.ask("why", alarm="nothing")["ok"]


def test_status_says_unknown_where_nothing_is_known(tmp_path: Path) -> None:
    """Unknown is never shown as good."""
    status = Bench(tmp_path).ask("status")["status"]

    assert {"leak-button": "unknown", "door": "unknown"} == status["contacts"]
    assert status["devices"]["gate-noise"].startswith("never answered")


def test_a_tick_feeds_the_watchdog(bench: Bench) -> None:
    """F2: the ping is an answer of the engine itself."""
    before = bench.out.beats
    bench.wait(3)

    assert before + 3 <= bench.out.beats


def test_a_receipt_with_a_wrong_signature_is_refused_in_words(bench: Bench) -> None:
    """A signature of the right form that proves nothing raises receipt-refused."""
    payload = json.dumps(
        {"hash": "0" * 64, "station": "county", "time": "x", "sig": base64.b64encode(b"x" * 64).decode()}
    )
    bench.engine.handle(Inbound("receipt/county", payload.encode(), False, "mqtt", bench.now))

    assert ["raised"] == bench.transitions("receipt-refused")


def test_a_line_that_damages_more_and_more_answers_is_told(bench: Bench) -> None:
    """B5: one bad minute is nothing, three in a row are an ageing cable; well again for as long, it clears."""
    said = []
    for minute, damaged in enumerate([6, 0, 6, 6, 6, 6, 1, 0, 0, 0, 0]):
        bench.wait(60)
        bench.engine.handle(LineHealth("rs485", "gate-noise", 60, 60 - damaged, 0, damaged, 0, 0.1, False, bench.now))
        said.append((minute, bench.transitions("wire-gate-noise")))

    raised = next(minute for minute, transitions in said if transitions)
    assert 5 == raised
    assert ["raised", "cleared"] == said[-1][1]


def test_what_strangers_can_do_without_end_is_counted(bench: Bench) -> None:
    """C15: a thousand forged receipts and altered states a second are a few events and a count, not an event each; a
    press among them is an event at once, and what was altered is put right.
    """
    for number in range(1000):
        bench.engine.handle(Inbound("receipt/county", b"%d" % number, False, "mqtt", bench.now))
        state = SeenRetained("mqtt", "custody/alarm/leak-button", b"{}", bench.now, live=True)
        bench.engine.handle(state)
    bench.press()
    bench.out.retained.clear()
    bench.engine.handle(state)
    bench.wait(2)
    right = bench.out.retained.get("custody/alarm/leak-button", {})
    bench.wait(60)
    told = {
        name: [event for event in bench.out.events if event["alarm"] == name and event["transition"] != "cleared"]
        for name in ("receipt-refused", "state-altered")
    }

    assert ["raised"] == [each for each in bench.transitions("leak-button") if each == "raised"]
    assert "latched_unacknowledged" == right["state"]
    assert {"receipt-refused": 21, "state-altered": 21} == {name: len(events) for name, events in told.items()}
    assert ["980", "981"] == [events[-1]["reason"] for events in told.values()]


@pytest.mark.parametrize("value", [math.nan, math.inf, 3.4e38, -1e308, 1e5])
def test_a_number_that_is_no_level_ends_nothing(tmp_path: Path, value: float) -> None:
    """B12: what no level can be is no sample, raises nothing, and the button beside it works."""
    bench = Bench(tmp_path)
    bench.found_safe()
    bench.level(value, 8)
    bench.press()

    assert "normal" == bench.state("noise-in-session")
    assert "latched_unacknowledged" == bench.state("leak-button")


def test_what_was_under_way_from_what_left(tmp_path: Path) -> None:
    """F14: a device, a broker, a platform taken out of the file while still at work: their last words end nothing."""
    tables = '\n[mqtt]\nhost = "broker.example"\n[mqtt.second]\nhost = "other.example"\n'
    bench = Bench(tmp_path, VENUE + tables)
    bench.found_safe()
    bench.engine.handle(SinkState("mqtt", "connected", "", bench.now))
    bench.engine.handle(SinkState("second", "connected", "", bench.now))
    parts = (Health({}, bench.now), Points(Board({}, bench.now), Calendar(bench.config), {}))
    config = bench.config.model_copy(update={"device": {}, "rule": {}, "mqtt": None})
    bench.engine.handle(Reconfigured(Plan(config, "1" * 64, (), ()), *parts, bench.now))
    bench.engine.handle(Lost("gate-noise", "timeout", "", bench.now))
    bench.level(70.0)
    bench.engine.handle(LineHealth("gate-noise", "gate-noise", 100, 0, 10, 90, 0, None, None, bench.now))
    for sink in ("mqtt", "second", "hj212-bureau"):
        bench.engine.handle(SinkState(sink, "unreachable", "", bench.now))
        bench.engine.handle(RemoteSetting(sink, "the clock", done=False, at=bench.now))
        bench.engine.handle(CertificateEnds(sink, "ca.pem", "ca", 0, bench.now))
        bench.engine.handle(Accepted(sink, 1, bench.now))
        bench.engine.handle(Canary(sink, 0.1, bench.now))
    bench.press()

    assert {} == bench.ask("status")["status"]["brokers"]
    assert "latched_unacknowledged" == bench.state("leak-button")


def test_a_device_whose_port_is_gone_says_so(tmp_path: Path) -> None:
    """B6: status names the port as the reason, and the device's own one again when the port is back."""
    bench = Bench(tmp_path)
    bench.level(50.0)
    bus = bench.engine.health.devices["gate-noise"].bus
    bench.engine.handle(BusState(bus, ("gate-noise",), "there is no port", bench.now))
    bench.wait(60)
    gone = bench.ask("status")["status"]["devices"]["gate-noise"]
    bench.engine.handle(BusState(bus, ("gate-noise",), None, bench.now))
    bench.engine.handle(Lost("gate-noise", "timeout", "", bench.now))
    back = bench.ask("status")["status"]["devices"]["gate-noise"]

    assert "silent for 61 s (there is no port)" == gone
    assert "there is no port" not in back


@pytest.mark.parametrize("lent", [False, True])
def test_a_port_that_failed_before_a_reload_is_still_the_one_alarm(tmp_path: Path, *, lent: bool) -> None:
    """F14: its source stays and tells nothing anew: no silence of its devices beside it, no loan for ever."""
    bench = Bench(tmp_path)
    bench.level(50.0)
    known = bench.engine.health.devices["gate-noise"]
    bench.engine.handle(BusState(known.bus, ("gate-noise",), "away", bench.now, lent))
    bench.wait(10)
    again = Health({"gate-noise": DeviceWatch("gate-noise", known.every_s, known.bus, known.place)}, bench.now)
    bench.engine.handle(Reconfigured(Plan(bench.config, "1" * 64, (), ()), again, bench.engine.points, bench.now))
    bench.wait(60)
    bus, device = bench.state(f"bus-{known.bus}"), bench.state("device-gate-noise")
    bench.wait(300)

    assert ("normal" if lent else "active_unacknowledged", "normal") == (bus, device)
    assert "active_unacknowledged" == bench.state(f"bus-{known.bus}")
    assert "away" == bench.engine.health.cause(again.devices["gate-noise"])
