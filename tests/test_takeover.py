"""Alarms that a broker still holds from a run before: what they add, what they never take away, what is said of it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from kit_alarms import LEAK, Life, at
from test_engine import STATION

from gateway.alarm.takeover import adds, joined, taken_up
from gateway.alarms import Alarm, Given, Signal, State
from gateway.contacts.lamp import LampStep
from gateway.values import ContactFault, SeenRetained, StorageState
from tests.kit_engine import VENUE, Bench

STALLED = Alarm("leak", State.ACTIVE_UNACKNOWLEDGED, True, True, "old", revision=3, opening=3, basis=3, openings=2)
BASE = at(0)

ADDS = [
    (STALLED, 0, True),
    (STALLED, 2, True),
    (STALLED, 3, False),  # the record knows this opening, and what became of it
    (STALLED, 9, False),
    (replace(STALLED, standing=False), 0, False),
    (replace(STALLED, revision=7, opening=2), 2, False),  # only receipts and acknowledgements since
]


@pytest.mark.parametrize(("found", "known", "expected"), ADDS)
def test_what_a_broker_can_add(found: Alarm, known: int, expected: bool) -> None:
    """Only an opening that the record does not know is news; anything else at a broker is merely old (E5)."""
    assert expected is adds(found, known)


def test_taken_up_where_nothing_stands() -> None:
    """The found alarm stands as it was, and its revision is above all of this run."""
    alarm = taken_up(Alarm("leak-button", revision=5), STALLED)

    assert (STALLED.state, "old", 5, "leak-button") == (alarm.state, alarm.activation, alarm.revision, alarm.name)


# state here, state of the joined alarm
JOINED = [
    (State.ACTIVE_UNACKNOWLEDGED, State.ACTIVE_UNACKNOWLEDGED),
    (State.ACTIVE_ACKNOWLEDGED, State.ACTIVE_UNACKNOWLEDGED),
    (State.LATCHED_UNACKNOWLEDGED, State.LATCHED_UNACKNOWLEDGED),
    (State.LATCHED_ACKNOWLEDGED, State.LATCHED_UNACKNOWLEDGED),
]


@pytest.mark.parametrize(("here", "expected"), JOINED)
def test_joined_with_what_stands_here(here: State, expected: State) -> None:
    """The condition is what this run has seen, the activation the older one; receipt and acknowledgement begin anew."""
    life = Life(LEAK, here)
    life.send(Signal.RECEIVE, Given(by="county", revision=99))
    alarm = joined(life.alarm, STALLED, Alarm("leak"), at(60), found_at_start=False)

    assert (expected, "old", life.alarm.condition) == (alarm.state, alarm.activation, alarm.condition)
    assert (3, ()) == (alarm.openings, alarm.received_by)
    assert (None, at(60), 0) == (alarm.acknowledged_by, alarm.escalating, alarm.escalation_step)
    assert max(life.alarm.revision, 3) + 1 == alarm.revision == alarm.opening == alarm.basis


COUNTS = [
    # activation here, openings here, as the record had it, found at the start, openings in all
    ("new", 1, 0, True, 2),  # the same press
    ("new", 2, 0, True, 3),  # and one more
    ("new", 1, 0, False, 3),  # a press of its own
    ("old", 1, 1, False, 2),  # the record knew one of the two
    ("old", 2, 1, False, 3),
    ("old", 2, 1, True, 2),
    ("old", 1, 1, True, 2),
]


@pytest.mark.parametrize(("activation", "openings", "known", "found_at_start", "expected"), COUNTS)
def test_no_press_is_lost_or_doubled(
    activation: str, openings: int, known: int, found_at_start: bool, expected: int
) -> None:
    """What both know is counted once: a switch found as it was left is no second press."""
    here = replace(STALLED, activation=activation, openings=openings)
    alarm = joined(here, STALLED, Alarm("leak", openings=known), BASE, found_at_start=found_at_start)

    assert expected == alarm.openings


def test_a_real_alarm_ends_a_drill() -> None:
    """What is found is real: it does not go on as a drill, and the drill is no press."""
    here = replace(STALLED, activation="new", drill=True, openings=1)
    alarm = joined(here, STALLED, Alarm("leak"), BASE, found_at_start=False)

    assert (False, 2) == (alarm.drill, alarm.openings)


def test_what_is_hidden_stays_hidden() -> None:
    """A shelved alarm that is joined is not escalated behind the back of who shelved it."""
    here = replace(STALLED, state=State.SHELVED, activation="new")
    alarm = joined(here, STALLED, Alarm("leak"), BASE, found_at_start=False)

    assert (State.SHELVED, None) == (alarm.state, alarm.escalating)


# ---- in the engine -----------------------------------------------------------------------------------------------


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    bench = Bench(tmp_path, VENUE + STATION)
    bench.found_safe()
    bench.wait(1)
    return bench


def state_at_broker(bench: Bench, alarm: str = "leak-button") -> bytes:
    return json.dumps(bench.out.retained[f"custody/alarm/{alarm}"], ensure_ascii=False).encode()


def killed_in_a_stall(bench: Bench) -> None:
    """Nothing of this run was ever stored."""
    bench.out.snapshots.clear()
    bench.out.latched = {}
    bench.restart(lose=len(bench.out.made))


def told(bench: Bench, retained: bytes, sink: str = "mqtt", alarm: str = "leak-button") -> None:
    bench.engine.handle(SeenRetained(sink, f"custody/alarm/{alarm}", retained, bench.now))
    bench.wait(0.1, 0.1)


def of_this_run(bench: Bench, alarm: str = "leak-button") -> list[dict[str, Any]]:
    return [e for e in bench.out.events if e["alarm"] == alarm and e["run"] == f"run-{bench.runs}"]


def latched(bench: Bench) -> tuple[bytes, str]:
    """A latching button is pressed while the card hangs, then the power goes; it is found pressed."""
    bench.lines("leak-button", True, False)
    bench.wait(1)
    retained, activation = state_at_broker(bench), bench.out.events[-1]["activation"]
    killed_in_a_stall(bench)
    bench.lines("leak-button", True, False, source="start")
    bench.wait(1)
    return retained, activation


def test_a_button_still_pressed_goes_on_as_the_same_activation(bench: Bench) -> None:
    """A9: found pressed at the start it is raised at once; read back from the broker it is the same activation, said in
    an event of its own, one press in all, with a receipt still to come.
    """
    retained, activation = latched(bench)
    other = of_this_run(bench)[0]["activation"]
    told(bench, retained)
    alarm = bench.engine.book.pages["leak-button"].alarm
    last = of_this_run(bench)[-1]

    assert ["raised", "repeated"] == [e["transition"] for e in of_this_run(bench)]
    assert (activation, "goes-on", True) == (last["activation"], last["reason"], last["condition"])
    assert other != activation
    assert other in last["text"]["en"]
    assert ("active_unacknowledged", activation, 1) == (bench.state("leak-button"), alarm.activation, alarm.openings)
    assert activation == bench.out.retained["custody/alarm/leak-button"]["activation"]
    assert activation == bench.out.latched["leak-button"]["life"]["activation"]
    assert bench.out.made[-1].needs_receipt
    assert bench.out.lamps["leak-button"][0] in (LampStep.PRESSED, LampStep.STORED)


def test_told_again_by_either_broker_it_adds_nothing(bench: Bench) -> None:
    """The same state from the other broker, or again, makes no second event, also after a reset by name."""
    retained, _ = latched(bench)
    told(bench, retained)
    count = len(of_this_run(bench))
    told(bench, retained)
    told(bench, retained, sink="second")
    again = len(of_this_run(bench))
    bench.lines("leak-button", False, True)
    bench.wait(1)
    bench.act("ack", "leak-button")
    bench.act("reset", "leak-button", note="checked")
    told(bench, retained, sink="second")

    assert count == again
    assert "normal" == bench.state("leak-button")


def test_a_state_older_than_a_reset_that_is_stored_raises_nothing(bench: Bench) -> None:
    """E5: a broker that was away holds an alarm that has long been reset: the record knows better."""
    bench.press()
    stale = state_at_broker(bench)
    bench.act("ack", "leak-button")
    bench.act("reset", "leak-button", note="checked")
    bench.restart()
    told(bench, stale, sink="second")
    quiet = bench.state("leak-button")
    bench.press()
    told(bench, stale, sink="second")

    assert "normal" == quiet
    assert ["raised", "cleared"] == [e["transition"] for e in of_this_run(bench)]


def test_a_new_press_is_not_hidden_by_an_old_acknowledgement(bench: Bench) -> None:
    """Every press counts: what the broker holds as acknowledged and at a higher revision hides no press of this run."""
    bench.press()
    bench.press()
    bench.act("ack", "leak-button")
    retained = state_at_broker(bench)
    killed_in_a_stall(bench)
    bench.found_safe()
    bench.wait(1)
    bench.press()
    told(bench, retained)
    alarm = bench.engine.book.pages["leak-button"].alarm

    assert ("latched_unacknowledged", 3) == (bench.state("leak-button"), alarm.openings)
    assert ["raised", "cleared", "repeated"] == [e["transition"] for e in of_this_run(bench)]


def test_what_is_over_by_now_is_over(bench: Bench) -> None:
    """A9: found active at the broker while the switch is safe again: it stands, latched, and can be reset by name."""
    bench.lines("leak-button", True, False)
    bench.wait(0.1, 0.05)
    retained = state_at_broker(bench)
    killed_in_a_stall(bench)
    bench.found_safe()
    bench.wait(1)
    told(bench, retained)
    found = bench.state("leak-button")
    bench.act("ack", "leak-button")
    answer = bench.act("reset", "leak-button", note="checked")

    assert ("latched_unacknowledged", True) == (found, answer["ok"])
    assert ["repeated", "cleared"] == [e["transition"] for e in of_this_run(bench)][:2]


def test_a_drill_of_a_run_before_leaves_a_real_press_alone(bench: Bench) -> None:
    """G8: a drill ended with its run; a press that is real stays one, with its own activation."""
    bench.act("drill", "leak-button")
    retained = state_at_broker(bench)
    killed_in_a_stall(bench)
    bench.found_safe()
    bench.wait(1)
    bench.press()
    before = bench.engine.book.pages["leak-button"].alarm
    told(bench, retained)

    assert before == bench.engine.book.pages["leak-button"].alarm
    assert not before.drill


def test_trouble_of_the_card_that_is_over_is_over(bench: Bench) -> None:
    """An alarm about the card, sent while it hung, does not stand for ever because the card was well at the start."""
    bench.engine.handle(StorageState("events", "it hangs", 1, 0, bench.now))
    retained = json.dumps(bench.out.retained["gateway/alarm/storage-events"]).encode()
    killed_in_a_stall(bench)
    bench.engine.handle(StorageState("events", None, 0, 0, bench.now))
    bench.engine.handle(SeenRetained("mqtt", "gateway/alarm/storage-events", retained, bench.now))

    assert "cleared_unacknowledged" == bench.state("storage-events")


def test_a_pin_that_works_again_after_a_restart(bench: Bench) -> None:
    """A fault of a pin that stood before a restart is over once its levels are read again."""
    bench.engine.handle(ContactFault("leak-button", "pin 27 is in use", bench.now, lines=(0, 1)))
    bench.wait(1)
    stood = bench.state("leak-button-pin")
    bench.restart()
    bench.found_safe()
    bench.wait(1)

    assert "active_unacknowledged" == stood
    assert "cleared_unacknowledged" == bench.state("leak-button-pin")
