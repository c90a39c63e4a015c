"""Drills: of the leak button, of any other alarm, each marked, recorded, and never mixed with what is real."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from asyncapi import problems
from test_acts import BROKER, PERSONS, TOML, custody
from test_engine import STATION, receipt

from gateway.contacts.lamp import LampStep
from gateway.payloads import encode
from gateway.values import BusState, Command, SeenRetained
from tests.kit_engine import EARLY_NS, VENUE, Bench

EVERYWHERE = STATION.replace('"gateway"]', '"gateway", "environment"]')
RULES = "".join(
    f'\n[rule.{name}]\npoint = "gate-noise/laf"\nabove = {limit}\nseverity = "{severity}"\n'
    for name, limit, severity in [
        ("shrill", 100, "high"),
        ("loud", 120, "critical"),
        *((f"loud-{n}", 110 + n, "low") for n in range(11)),
    ]
)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    bench = Bench(tmp_path, TOML)
    bench.found_safe()
    bench.wait(1)
    return bench


@pytest.fixture
def early(tmp_path: Path) -> Bench:
    """Before the session, with a station for every stream."""
    bench = Bench(tmp_path, VENUE + PERSONS + BROKER + EVERYWHERE + RULES, start_ns=EARLY_NS)
    bench.found_safe()
    bench.wait(1)
    return bench


def test_a_test_says_what_is_to_be_done_with_the_contact(tmp_path: Path) -> None:
    """A button is pressed, a door opened and shut: longer than 3 s would be a real alarm, so its tester must know."""
    bench = Bench(tmp_path, TOML, start_ns=EARLY_NS)
    bench.found_safe()
    bench.wait(1)
    button, door = (bench.act("drill", name, by="chen", note="x", test=True) for name in ("leak-button", "door"))

    assert button["text"].startswith("press leak-button once")
    assert door["text"].startswith("open door once within 60 s, and shut it again within 3 s")


def test_a_drill_walks_the_whole_way_with_every_message_marked(bench: Bench) -> None:
    """G8: raised, received, acknowledged, reset; the mark is in every event and state, the lamp has its own pattern."""
    answer = bench.act("drill", "leak-button", note="monthly")
    lamp = bench.out.lamps["leak-button"][0]
    state = bench.out.retained["custody/alarm/leak-button-drill"]
    receipt(bench, custody(bench)[0]["hash"])
    bench.act("ack", "leak-button-drill")
    bench.act("reset", "leak-button-drill", note="drill is over")
    after = bench.out.retained["custody/alarm/leak-button-drill"]

    assert answer["ok"]
    assert ["raised", "received", "acknowledged", "reset"] == [e["transition"] for e in custody(bench)]
    assert {True} == {e["drill"] for e in custody(bench)}
    assert "DRILL" in custody(bench)[0]["text"]["en"]
    assert (LampStep.DRILL, LampStep.SAFE) == (lamp, bench.out.lamps["leak-button"][0])
    assert (True, False) == (state["drill"], after["drill"])
    assert [] == problems("exam/v1/zj-no1/custody/alarm/leak-button-drill", encode(state).replace(b"run-1", b"0" * 16))
    assert all(e.needs_receipt for e in bench.out.made if e.stream == "custody" and b'"received"' not in e.body)


def test_the_record_of_a_drill_says_that_a_person_ended_it(bench: Bench) -> None:
    """A reset by name is how it ended; where the command came from is not."""
    bench.act("drill", "leak-button", note="monthly")
    bench.act("ack", "leak-button-drill")
    seen = bench.engine.book.pages["leak-button-drill"].alarm
    given = {"activation": seen.activation, "revision": seen.revision, "note": "over", "peer": "uid 1000"}
    bench.engine.handle(Command("reset", "li-wei", bench.now, alarm="leak-button-drill", **given))
    bench.wait(1.0)
    (record,) = [e for e in bench.out.events if e["reason"] == "drill-record"]

    assert "reset" == record["details"]["ended"]
    assert ["card", "mqtt", "county"] == record["details"]["silent"]
    assert "li-wei 对 leak-button 的演练记录；没有应答：存储卡, mqtt, county" == record["text"]["zh"]


def test_a_real_press_in_a_drill_is_real(bench: Bench) -> None:
    """G8: a new activation, without the mark, with the lamp of a press."""
    bench.act("drill", "leak-button", note="monthly")
    drilled = custody(bench)[0]["activation"]
    bench.press()
    raised = [e for e in custody(bench) if e["transition"] == "raised"]

    assert [True, False] == [e["drill"] for e in raised]
    assert drilled != raised[1]["activation"]
    assert "was pressed" in raised[1]["text"]["en"]
    assert LampStep.PRESSED == bench.out.lamps["leak-button"][0]
    assert not bench.out.retained["custody/alarm/leak-button-drill"]["drill"]


@pytest.mark.parametrize("acknowledged", [True, False])
def test_a_forgotten_drill_ends_by_itself(bench: Bench, acknowledged: bool) -> None:
    """At most 15 minutes, whoever has forgotten it; what follows is not marked."""
    bench.act("drill", "leak-button", note="monthly")
    if acknowledged:
        bench.act("ack", "leak-button-drill")
    bench.wait(899)
    before = bench.state("leak-button-drill")
    bench.wait(2)
    bench.press()

    assert before.startswith("latched")
    last = [e for e in custody(bench) if e["transition"] in ("expired", "raised")][-2:]
    assert [("expired", True, "drill-over"), ("raised", False, None)] == [
        (e["transition"], e["drill"], e["reason"]) for e in last
    ]


def test_a_drill_ends_with_a_restart(bench: Bench) -> None:
    """It is not taken up again."""
    bench.act("drill", "leak-button", note="monthly")
    bench.restart()

    assert ("expired", "restart", True) == tuple(custody(bench)[-1][key] for key in ("transition", "reason", "drill"))
    assert "normal" == bench.state("leak-button-drill")
    assert {} == bench.out.latched


@pytest.mark.parametrize("what", ["press", "door", "cut", "latched"])
def test_no_drill_while_leak_or_seal_stands(bench: Bench, what: str) -> None:
    """Nothing real is ever mixed with a drill."""
    if what in ("press", "latched"):
        bench.press()
    if what == "latched":
        bench.act("ack", "leak-button")
    if what == "door":
        bench.lines("door", True)
    if what == "cut":
        bench.lines("leak-button", True, True)
    bench.wait(1)
    made = len(bench.out.made)
    answer = bench.act("drill", "leak-button", note="monthly")

    assert not answer["ok"]
    assert made == len(bench.out.made)


# ---- of any alarm ------------------------------------------------------------------------------------------------


def drilled(bench: Bench, name: str) -> list[dict[str, Any]]:
    return [e for e in bench.out.events if e["alarm"] == f"{name}-drill"]


def test_a_rules_drill_goes_the_whole_way_and_shows_no_value(early: Bench) -> None:
    """It has stream, severity and kind of the alarm it stands for, says what that would say, and claims no reading."""
    early.level(50.0, 3)
    answer = early.act("drill", "noise-in-session", by="chen", note="monthly")
    topic = "environment/alarm/noise-in-session-drill"
    state = early.out.retained[topic]
    receipt(early, drilled(early, "noise-in-session")[0]["hash"])
    ended = early.act("drill", "noise-in-session", by="chen", end=True)
    raised, *_ = events = drilled(early, "noise-in-session")

    assert ("latched_unacknowledged", "latched_unacknowledged", True) == (
        answer["state"],
        state["state"],
        state["drill"],
    )
    assert ["raised", "received", "expired", "updated"] == [e["transition"] for e in events]
    assert {("environment", "noise", "high", "gate-noise/laeq_10s", True)} == {
        (e["stream"], e["kind"], e["severity"], e["point"], e["drill"]) for e in events
    }
    assert {(None, None, None, None, False)} == {
        (e["value"], e["limit"], e["unit"], e["quality"], e["condition"]) for e in events
    }
    assert "nothing is wrong" in raised["text"]["en"]
    assert "over the limit of 55 dB(A)" in raised["text"]["en"]
    assert {"county": 0} == ended["record"]["received_ms"] == events[-1]["details"]["received_ms"]
    assert "noise-in-session" == ended["record"]["alarm"]
    assert [] == problems(f"exam/v1/zj-no1/{topic}", encode(state).replace(b"run-1", b"0" * 16))
    assert all(
        e.needs_receipt for e in early.out.made if e.alarm == "noise-in-session-drill" and b'"received"' not in e.body
    )
    assert "normal" == early.state("noise-in-session")


@pytest.mark.parametrize(
    ("alarm", "stream", "severity", "said"),
    [
        ("device-gate-noise", "gateway", "medium", "gate-noise gives no usable answer"),
        ("door", "custody", "critical", "DRILL of the alarm door"),
        ("loud", "environment", "critical", "limit of 120 dB(A)"),
    ],
)
def test_any_alarm_is_drilled(early: Bench, alarm: str, stream: str, severity: str, said: str) -> None:
    """Of a machine, a door, a rule; with the escalation of the alarm it stands for."""
    early.act("drill", alarm, by="chen", note="monthly")
    (raised,) = drilled(early, alarm)
    escalation = [early.engine.book.pages[name].definition.escalation for name in (alarm, f"{alarm}-drill")]

    assert (stream, severity, True) == (raised["stream"], raised["severity"], raised["drill"])
    assert said in raised["text"]["en"]
    assert escalation[0] == escalation[1]


@pytest.mark.parametrize(
    ("alarm", "why"),
    [
        ("nothing", "there is no alarm"),
        ("log", "there is no alarm"),
        ("leak-button-drill", "there is no alarm"),
        ("shrill", "no drill while shrill stands"),
    ],
)
def test_what_is_not_drilled(early: Bench, alarm: str, why: str) -> None:
    """What does not exist, what only notes are made on, a drill itself, what stands in earnest."""
    early.level(105.0, 3)
    made = len(early.out.made)

    assert why in early.act("drill", alarm, by="chen", note="x")["error"]
    assert made == len(early.out.made)


def test_no_drill_that_nobody_could_sign_for_and_none_but_the_buttons_in_a_session(bench: Bench) -> None:
    """It would be sent again for ever; and in a session people have other things to do."""
    why = "in a session: a test or drill is refused"
    refused = [bench.act("drill", name, note="x")["error"] for name in ("noise-in-session", "door")]
    bench.wait(2.6 * 3600, 600.0)
    alone = bench.act("drill", "noise-in-session", note="x")["error"]

    assert [True, True] == [why in each for each in refused]
    assert "no station receives the stream environment" in alone


def test_the_alarm_itself_ends_its_drill(early: Bench) -> None:
    """What is real is told as ever, unmarked, and nothing marked stands beside it."""
    early.act("drill", "shrill", by="chen", note="x")
    early.act("drill", "noise-in-session", by="chen", note="x")
    early.level(105.0, 2)
    last = [(e["alarm"], e["transition"], e["drill"], e["reason"]) for e in early.out.events if "shrill" in e["alarm"]]

    assert ("shrill", "raised", False, None) in last
    assert ("shrill-drill", "expired", True, "real-alarm") in last
    assert ("normal", "latched_unacknowledged") == (early.state("shrill-drill"), early.state("noise-in-session-drill"))


def test_a_press_ends_every_drill(early: Bench) -> None:
    """Custody comes first; the press itself is real."""
    for name in ("loud", "device-gate-noise"):
        early.act("drill", name, by="chen", note="x")
    early.press()

    ends = [e for name in ("loud", "device-gate-noise") for e in drilled(early, name) if e["transition"] == "expired"]

    assert ["real-alarm", "real-alarm"] == [e["reason"] for e in ends]
    assert "latched_unacknowledged" == early.state("leak-button")


def test_drills_are_no_burden(early: Bench) -> None:
    """A dozen at once are no flood of alarms: somebody has ordered them."""
    for name in ("loud", *(f"loud-{n}" for n in range(11))):
        early.act("drill", name, by="chen", note="x")
    early.wait(2)

    assert "normal" == early.state("alarm-flood")
    assert 12 == sum(e["transition"] == "raised" and e["drill"] for e in early.out.events)


@pytest.mark.parametrize("kept", [True, False])
def test_a_rules_drill_ends_with_a_restart(early: Bench, kept: bool) -> None:
    """By the record; and by the broker's retained state when the card never had it. Its state there is normal then."""
    early.act("drill", "loud", by="chen", note="x")
    topic = "environment/alarm/loud-drill"
    standing = json.dumps(early.out.retained[topic]).encode()
    if not kept:
        early.out.snapshots.clear()
        early.out.latched = {}
    early.restart(lose=0 if kept else len(early.out.made))
    early.engine.handle(SeenRetained("mqtt", topic, standing, early.now))
    early.wait(1)
    states = early.out.retained[topic]

    assert [("expired", "restart", True)] == [
        (e["transition"], e["reason"], e["drill"]) for e in drilled(early, "loud") if e["transition"] == "expired"
    ]
    assert ("normal", False, "run-2") == (states["state"], states["drill"], states["run"])
    assert {} == early.out.latched


def test_what_is_to_be_accepted(early: Bench) -> None:
    """Every rule with what it measures before its hours have begun; of the other alarms one that can be drilled of each
    severity: none that stands.
    """
    early.engine.handle(BusState("rs485", ("gate-noise",), "gone", early.now))
    early.wait(5)
    early.level(50.0, 12)
    found = early.ask("accept")["plan"]
    rule, others = found["rules"]["noise-in-session"], found["others"]["gateway"]

    assert (True, "value", 50.0, 55.0, ["county"]) == (
        *(rule["measured"][key] for key in ("good", "of", "value", "limit")),
        rule["stations"],
    )
    assert "bus-rs485" in found["standing"]
    assert "bus-rs485" not in others["drills"]
    assert "device-gate-noise" in others["drills"]
    assert {"high", "medium", "low"} == {early.engine.book.pages[name].definition.severity for name in others["drills"]}
    assert "log" not in found["others"].get("custody", {"drills": []})["drills"]
    assert all(early.act("drill", name, by="chen", note="x")["ok"] for name in others["drills"])
