"""The life of an alarm: the table in the document, every way of it, holds, people, receipts, escalation."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import rfc8785
from kit_alarms import FLOOD, LEAK, NOISE, REASON, Life, at, ids

from gateway.alarm.snapshots import from_json, to_json, union
from gateway.alarms import (
    TABLE,
    Alarm,
    Definition,
    Given,
    Signal,
    State,
    Step,
    due,
    resume,
    step,
)
from gateway.errors import Refused
from gateway.moment import ClockState

DOCUMENT = Path(__file__).parents[1] / "docs" / "alarms.md"
S = State
SHELF = Given(by="li-wei", note="works next door", for_s=600)


def rows_of_document() -> list[tuple[str, str, str, str, str]]:
    part = DOCUMENT.read_text(encoding="utf-8").split("<!-- table", 1)[1].split("Of rows with", 1)[0]
    rows = []
    for line in part.splitlines()[4:]:
        if line.startswith("|"):
            origin, signals, condition, to, says = (cell.strip() for cell in line.strip("|").split("|"))
            for state in origin.split(", "):
                end = state if to == "same" else to
                rows += [(state, signal, condition, end, says) for signal in signals.split(", ")]
    return rows


def test_document_and_table_are_the_same() -> None:
    """`docs/alarms.md` holds every row of TABLE and no other, in the order in which ways are tried."""
    table = [
        (state.value, signal.value, way.when.value, way.to.value, way.says or "")
        for state, row in TABLE.items()
        for signal, ways in row.items()
        for way in ways
    ]
    document = rows_of_document()

    assert sorted(document) == sorted(table)
    assert len(set(document)) == len(document)
    for state, signal, *_ in table:
        assert [r for r in document if r[:2] == (state, signal)] == [r for r in table if r[:2] == (state, signal)]


# From facts/alarms.md section 1, line by line: state, signal, latching?, what is said, where it ends.
STANDARD = [
    (S.NORMAL, Signal.BREACH, False, ["raised"], S.ACTIVE_UNACKNOWLEDGED),
    (S.ACTIVE_UNACKNOWLEDGED, Signal.ACKNOWLEDGE, False, ["acknowledged"], S.ACTIVE_ACKNOWLEDGED),
    (S.ACTIVE_UNACKNOWLEDGED, Signal.CLEAR, False, ["cleared"], S.CLEARED_UNACKNOWLEDGED),
    (S.ACTIVE_UNACKNOWLEDGED, Signal.CLEAR, True, ["cleared"], S.LATCHED_UNACKNOWLEDGED),
    (S.ACTIVE_ACKNOWLEDGED, Signal.CLEAR, False, ["cleared"], S.NORMAL),
    (S.ACTIVE_ACKNOWLEDGED, Signal.CLEAR, True, ["cleared"], S.LATCHED_ACKNOWLEDGED),
    (S.CLEARED_UNACKNOWLEDGED, Signal.ACKNOWLEDGE, False, ["acknowledged"], S.NORMAL),
    (S.CLEARED_UNACKNOWLEDGED, Signal.BREACH, False, ["repeated"], S.ACTIVE_UNACKNOWLEDGED),
    (S.LATCHED_UNACKNOWLEDGED, Signal.ACKNOWLEDGE, True, ["acknowledged"], S.LATCHED_ACKNOWLEDGED),
    (S.LATCHED_UNACKNOWLEDGED, Signal.BREACH, True, ["repeated"], S.ACTIVE_UNACKNOWLEDGED),
    (S.LATCHED_ACKNOWLEDGED, Signal.RESET, True, ["reset"], S.NORMAL),
    (S.LATCHED_ACKNOWLEDGED, Signal.BREACH, True, ["repeated"], S.ACTIVE_UNACKNOWLEDGED),
    (S.NORMAL, Signal.PRESS, True, ["raised"], S.ACTIVE_UNACKNOWLEDGED),
    (S.ACTIVE_UNACKNOWLEDGED, Signal.PRESS, True, ["repeated"], S.ACTIVE_UNACKNOWLEDGED),
    (S.ACTIVE_ACKNOWLEDGED, Signal.PRESS, True, ["repeated"], S.ACTIVE_UNACKNOWLEDGED),
    (S.CLEARED_UNACKNOWLEDGED, Signal.PRESS, False, ["repeated"], S.ACTIVE_UNACKNOWLEDGED),
    (S.LATCHED_UNACKNOWLEDGED, Signal.PRESS, True, ["repeated"], S.ACTIVE_UNACKNOWLEDGED),
    (S.LATCHED_ACKNOWLEDGED, Signal.PRESS, True, ["repeated"], S.ACTIVE_UNACKNOWLEDGED),
    (S.SHELVED, Signal.PRESS, True, ["updated"], S.SHELVED),
    (S.SUPPRESSED, Signal.PRESS, True, ["updated"], S.SUPPRESSED),
    (S.OUT_OF_SERVICE, Signal.PRESS, True, ["updated"], S.OUT_OF_SERVICE),
    (S.SHELVED, Signal.BREACH, True, ["updated"], S.SHELVED),
    (S.OUT_OF_SERVICE, Signal.BREACH, True, [], S.OUT_OF_SERVICE),
    (S.SHELVED, Signal.UNSHELVE, False, ["unshelved"], S.NORMAL),
    (S.SHELVED, Signal.UNSHELVE, True, ["unshelved"], S.NORMAL),
    (S.SUPPRESSED, Signal.RELEASE, False, ["released"], S.NORMAL),
    (S.OUT_OF_SERVICE, Signal.RETURN, False, ["returned"], S.NORMAL),
    (S.ACTIVE_UNACKNOWLEDGED, Signal.SUPPRESS, True, ["suppressed"], S.SUPPRESSED),
    (S.ACTIVE_ACKNOWLEDGED, Signal.REMOVE, True, ["removed"], S.OUT_OF_SERVICE),
    (S.NORMAL, Signal.UPDATE, True, ["updated"], S.NORMAL),
    (S.NORMAL, Signal.CLEAR, True, [], S.NORMAL),
    (S.NORMAL, Signal.UNKNOWN, True, [], S.NORMAL),
    (S.NORMAL, Signal.RECEIVE, True, [], S.NORMAL),
]


@pytest.mark.parametrize(("origin", "signal", "latching", "said", "ends"), STANDARD)
def test_ways_of_the_standard(origin: State, signal: Signal, latching: bool, said: list[str], ends: State) -> None:
    """Each line of the standard's table leads where it says and leaves the events it says."""
    life = Life(FLOOD if latching else NOISE, origin)

    assert origin == life.alarm.state
    assert said == life.names(signal)
    assert ends == life.alarm.state


def test_holds_make_a_condition_true_or_false() -> None:
    """E8: nothing is raised or cleared before its hold is over, and a dip begins it anew."""
    life = Life(replace(NOISE, raise_after_s=60, clear_after_s=30))

    assert [] == life.names(Signal.BREACH)
    assert (S.PENDING, S.NORMAL) == (life.alarm.state, life.alarm.shown)
    assert [] == life.names(Signal.BREACH, after_s=59)
    assert [] == life.names(Signal.CLEAR, after_s=0.5)
    assert State.NORMAL == life.alarm.state
    assert [] == life.names(Signal.BREACH, after_s=0.5)
    assert [] == life.names(Signal.TICK, after_s=59.9)
    assert ["raised"] == life.names(Signal.TICK, after_s=0.1)
    assert [] == life.names(Signal.CLEAR, after_s=5)
    assert [] == life.names(Signal.BREACH, after_s=29)
    assert [] == life.names(Signal.CLEAR, after_s=1)
    assert [] == life.names(Signal.CLEAR, after_s=29)
    assert ["cleared"] == life.names(Signal.CLEAR, after_s=1)


def test_silence_confirms_nothing() -> None:
    """A hold stands still while nothing is known: silence neither clears nor raises, a lost sample costs no alarm."""
    life = Life(replace(NOISE, raise_after_s=10, clear_after_s=10))
    life.send(Signal.BREACH)
    life.send(Signal.UNKNOWN, after_s=4)
    life.send(Signal.UNKNOWN, after_s=50)
    pending = life.names(Signal.TICK, after_s=50)
    resumed = life.names(Signal.BREACH, after_s=0)
    raised = life.names(Signal.BREACH, after_s=6)
    life.send(Signal.CLEAR)
    life.send(Signal.UNKNOWN, after_s=1)
    silent = life.names(Signal.TICK, after_s=86400)

    assert ([], [], ["raised"], []) == (pending, resumed, raised, silent)
    assert S.ACTIVE_UNACKNOWLEDGED == life.alarm.state
    assert due(life.definition, life.alarm) is None


def test_every_press_is_an_opening_of_its_own() -> None:
    """Each press counts up, needs its own receipt and takes back the acknowledgement; the activation stays."""
    life = Life(LEAK)
    life.send(Signal.PRESS)
    first = life.alarm
    life.send(Signal.RECEIVE, Given(by="county", revision=1))
    life.send(Signal.ACKNOWLEDGE)
    life.send(Signal.PRESS)
    second = life.alarm
    stale_receipt = life.names(Signal.RECEIVE, Given(by="county", revision=1))
    receipt = life.names(Signal.RECEIVE, Given(by="county", revision=second.revision))
    same_receipt = life.names(Signal.RECEIVE, Given(by="county", revision=second.revision))

    assert (1, 2) == (first.openings, second.openings)
    assert (1, 4) == (first.opening, second.opening)
    assert first.activation == second.activation
    assert (None, ()) == (second.acknowledged_by, second.received_by)
    assert ([], ["received"], []) == (stale_receipt, receipt, same_receipt)
    assert ("county",) == life.alarm.received_by


def test_a_new_raise_is_a_new_activation() -> None:
    """After normal the next raise has an id of its own; while an activation stands nothing gives another."""
    life = Life(NOISE)
    life.send(Signal.BREACH)
    life.send(Signal.CLEAR)
    life.send(Signal.BREACH)
    during = life.alarm.activation
    life.send(Signal.ACKNOWLEDGE)
    ended = life.send(Signal.CLEAR)
    life.send(Signal.BREACH)

    assert "activation-1" == during == ended[0].alarm.activation
    assert not ended[0].alarm.standing
    assert "activation-2" == life.alarm.activation


REFUSED = [
    (S.NORMAL, Signal.ACKNOWLEDGE, REASON, "there is nothing to acknowledge: the alarm is normal"),
    (S.NORMAL, Signal.RESET, REASON, "there is nothing to reset: the alarm is normal"),
    (S.ACTIVE_UNACKNOWLEDGED, Signal.RESET, REASON, "the condition still stands"),
    (S.ACTIVE_ACKNOWLEDGED, Signal.RESET, REASON, "the condition still stands"),
    (S.LATCHED_UNACKNOWLEDGED, Signal.RESET, REASON, "acknowledge it first"),
    (S.ACTIVE_ACKNOWLEDGED, Signal.ACKNOWLEDGE, REASON, "it is acknowledged already, by li-wei"),
    (S.LATCHED_ACKNOWLEDGED, Signal.ACKNOWLEDGE, REASON, "it is acknowledged already, by li-wei"),
    (S.LATCHED_ACKNOWLEDGED, Signal.SHELVE, SHELF, "the alarm cannot be shelved while it is over, latched and ackn"),
    (S.LATCHED_UNACKNOWLEDGED, Signal.REMOVE, REASON, "the alarm cannot be taken out of service while it is over"),
    (S.LATCHED_UNACKNOWLEDGED, Signal.SUPPRESS, REASON, "the alarm cannot be suppressed while it is over, latched"),
    (S.NORMAL, Signal.UNSHELVE, REASON, "the alarm is not shelved but normal"),
    (S.SHELVED, Signal.RELEASE, REASON, "the alarm is not suppressed but shelved"),
    (S.SUPPRESSED, Signal.RETURN, REASON, "the alarm is not out of service but suppressed"),
    (S.OUT_OF_SERVICE, Signal.ACKNOWLEDGE, REASON, "there is nothing to acknowledge: the alarm is out of service"),
    (S.ACTIVE_UNACKNOWLEDGED, Signal.DRILL, REASON, "a drill begins only when a latching alarm is normal"),
    (S.ACTIVE_UNACKNOWLEDGED, Signal.ACKNOWLEDGE, Given(note="x"), "who asks?"),
    (S.ACTIVE_UNACKNOWLEDGED, Signal.SHELVE, Given(by="li-wei", note=" ", for_s=60), "say why"),
    (S.ACTIVE_UNACKNOWLEDGED, Signal.SUPPRESS, Given(by="li-wei"), "say why"),
    (S.ACTIVE_UNACKNOWLEDGED, Signal.REMOVE, Given(by="li-wei"), "say why"),
    (S.LATCHED_ACKNOWLEDGED, Signal.RESET, Given(by="li-wei", revision=3), "say why"),
    (
        S.ACTIVE_UNACKNOWLEDGED,
        Signal.SHELVE,
        Given(by="li-wei", note="x"),
        "say for how long: more than nothing and at",
    ),
    (S.ACTIVE_UNACKNOWLEDGED, Signal.SHELVE, Given(by="li-wei", note="x", for_s=28801), "say for how long: more than"),
    (S.ACTIVE_UNACKNOWLEDGED, Signal.ACKNOWLEDGE, Given(by="li-wei", activation="other"), "that activation is over or"),
    (S.ACTIVE_UNACKNOWLEDGED, Signal.ACKNOWLEDGE, Given(by="li-wei", revision=7), "something came since; the alarm is"),
    (S.ACTIVE_UNACKNOWLEDGED, Signal.ACKNOWLEDGE, Given(by="li-wei", revision=0), "something came since; the alarm is"),
]


@pytest.mark.parametrize(("origin", "signal", "given", "sentence"), REFUSED)
def test_refused_with_a_sentence(origin: State, signal: Signal, given: Given, sentence: str) -> None:
    """What a person may not do is refused with the reason, and the alarm is as it was."""
    life = Life(FLOOD, origin)
    before = life.alarm
    with pytest.raises(Refused) as refused:
        life.send(signal, given)

    assert sentence == str(refused.value)[: len(sentence)]
    assert before == life.alarm


@pytest.mark.parametrize("signal", [Signal.SHELVE, Signal.SUPPRESS, Signal.REMOVE])
@pytest.mark.parametrize("origin", [S.NORMAL, S.ACTIVE_UNACKNOWLEDGED, S.ACTIVE_ACKNOWLEDGED, S.LATCHED_ACKNOWLEDGED])
def test_custody_is_never_hidden(signal: Signal, origin: State) -> None:
    """Leak, seal, tamper and their faults are never shelved, suppressed or taken out of service (GB 50394, 5.2.2)."""
    life = Life(LEAK, origin)
    with pytest.raises(Refused, match="never shelved"):
        life.send(signal, SHELF)

    assert origin == life.alarm.state


def test_a_reset_names_what_it_saw() -> None:
    """A reset without a revision is refused."""
    life = Life(LEAK, S.LATCHED_ACKNOWLEDGED)
    with pytest.raises(Refused, match="name the revision"):
        step(LEAK, life.alarm, Signal.RESET, at(9), ids(), given=REASON)

    assert ["reset"] == life.names(Signal.RESET)


def test_a_press_between_look_and_reset() -> None:
    """A reset that saw an older revision fails when a press came since, though the contact is released again."""
    life = Life(LEAK, S.LATCHED_ACKNOWLEDGED)
    seen = life.alarm.revision
    life.send(Signal.PRESS)
    life.send(Signal.CLEAR)
    life.send(Signal.ACKNOWLEDGE, Given(by="chen", note="seen"))
    with pytest.raises(Refused, match="chen was first, 0 s ago; the alarm is now over, latched and acknowledged"):
        life.send(Signal.RESET, Given(by="li-wei", note="done", revision=seen))

    assert S.LATCHED_ACKNOWLEDGED == life.alarm.state


def test_a_reset_during_the_raise_hold() -> None:
    """A reset is refused while the condition is seen again, though it has not held yet."""
    life = Life(replace(FLOOD, raise_after_s=5), S.LATCHED_ACKNOWLEDGED)
    life.send(Signal.BREACH)
    with pytest.raises(Refused, match="still stands"):
        life.send(Signal.RESET)

    assert ["repeated"] == life.names(Signal.TICK, after_s=5)


def test_two_people_at_once() -> None:
    """G7: the second of two that saw the same revision is told who was first and when."""
    life = Life(NOISE, S.ACTIVE_UNACKNOWLEDGED)
    life.send(Signal.ACKNOWLEDGE, Given(by="chen", revision=1))
    with pytest.raises(Refused) as refused:
        life.send(Signal.ACKNOWLEDGE, Given(by="li-wei", revision=1), after_s=4)

    assert "chen was first, 4 s ago; the alarm is now active and acknowledged" == str(refused.value)


def test_what_came_between_and_does_not_matter() -> None:
    """Escalation, receipt and clearing count the revision up and let a command through that did not see them."""
    definition = replace(LEAK, escalation=(Step(30, "second-broker"),))
    life = Life(definition, S.ACTIVE_UNACKNOWLEDGED)
    life.send(Signal.TICK, Given(), after_s=31)
    life.send(Signal.RECEIVE, Given(by="county", revision=1))
    life.send(Signal.CLEAR, Given())

    assert 4 == life.alarm.revision
    assert ["acknowledged"] == life.names(Signal.ACKNOWLEDGE, Given(by="chen", note="on the way", revision=1))


def test_critical_alarms_ask_a_note() -> None:
    """An acknowledgement of an alarm with `note_required` says what was seen."""
    life = Life(LEAK, S.ACTIVE_UNACKNOWLEDGED)
    with pytest.raises(Refused, match="say why"):
        life.send(Signal.ACKNOWLEDGE, Given(by="chen"))
    life.send(Signal.ACKNOWLEDGE, Given(by="chen", note="guard sent"))

    assert ("chen", "guard sent") == (life.alarm.acknowledged_by, life.alarm.acknowledged_note)


def test_realarm() -> None:
    """Acknowledged and still true for `repeat_after_s`: back to not acknowledged, the same activation."""
    life = Life(replace(NOISE, repeat_after_s=600), S.ACTIVE_ACKNOWLEDGED)

    assert at(600) == due(life.definition, life.alarm)
    assert [] == life.names(Signal.TICK, after_s=599)
    assert ["repeated"] == life.names(Signal.TICK, after_s=1)
    assert "activation-1" == life.alarm.activation


def test_shelving_ends_by_itself() -> None:
    """A shelved alarm comes back after its time: active if the condition is true by then, else normal."""
    quiet, loud = Life(NOISE, S.ACTIVE_UNACKNOWLEDGED), Life(NOISE, S.NORMAL)
    for life in (quiet, loud):
        life.send(Signal.SHELVE, SHELF)
    over = quiet.names(Signal.CLEAR, after_s=5)
    began = loud.names(Signal.BREACH, after_s=5)

    assert (["updated"], ["updated"]) == (over, began)
    assert at(600) == due(NOISE, loud.alarm)
    assert ["expired"] == quiet.names(Signal.TICK, after_s=595)
    assert ["expired"] == loud.names(Signal.TICK, after_s=595)
    assert (S.NORMAL, S.ACTIVE_UNACKNOWLEDGED) == (quiet.alarm.state, loud.alarm.state)
    assert (False, "activation-1", None) == (quiet.alarm.standing, loud.alarm.activation, loud.alarm.hidden_by)
    assert (None, None) == (loud.alarm.hidden_note, loud.alarm.shelved_until)


def test_latching_alarm_pressed_on_the_shelf() -> None:
    """What was pressed and released while a latching alarm was hidden stands, latched, when it comes back."""
    for hide, back in ((Signal.SUPPRESS, Signal.RELEASE), (Signal.REMOVE, Signal.RETURN)):
        life = Life(FLOOD)
        life.send(hide)
        life.send(Signal.PRESS)
        life.send(Signal.CLEAR)
        life.send(back)

        assert S.LATCHED_UNACKNOWLEDGED == life.alarm.state


def test_hold_that_began_on_the_shelf() -> None:
    """A hold goes on across shelving, so that an edge that is said only once is not lost."""
    life = Life(replace(NOISE, raise_after_s=60))
    life.send(Signal.BREACH)
    life.send(Signal.SHELVE, SHELF, after_s=1)
    life.send(Signal.UNSHELVE, after_s=1)

    assert S.NORMAL == life.alarm.state
    assert ["raised"] == life.names(Signal.TICK, after_s=58)


def test_escalation_until_receipt_then_until_acknowledgement() -> None:
    """C7: steps count from the raise until a receipt, then until acknowledged; a press begins them again."""
    definition = replace(LEAK, escalation=(Step(30, "second-broker"), Step(60, "modem")))
    life = Life(definition, S.ACTIVE_UNACKNOWLEDGED)
    first = life.send(Signal.TICK, after_s=30)
    both = life.names(Signal.RECEIVE, Given(by="county", revision=1), after_s=15)
    early = life.names(Signal.TICK, after_s=29)
    later = life.send(Signal.TICK, after_s=60)
    done = life.names(Signal.TICK, after_s=500)
    life.send(Signal.PRESS)
    again = life.send(Signal.TICK, after_s=31)
    life.send(Signal.ACKNOWLEDGE)

    assert [("escalated", "second-broker")] == [(passed.name, passed.given.to) for passed in first]
    assert (["received"], [], []) == (both, early, done)
    assert ["second-broker", "modem"] == [passed.given.to for passed in later]
    assert ["second-broker"] == [passed.given.to for passed in again]
    assert due(definition, life.alarm) is None


def test_stuck_is_said_once() -> None:
    """A8: a button held for long gets a diagnosis, keeps its alarm and clears nothing; a new press counts anew."""
    life = Life(replace(LEAK, stuck_after_s=300), S.ACTIVE_UNACKNOWLEDGED)
    said = life.send(Signal.TICK, after_s=300)
    again = life.names(Signal.TICK, after_s=3600)

    assert [("updated", "stuck", True)] == [(one.name, one.given.reason, one.alarm.condition) for one in said]
    assert ([], S.ACTIVE_UNACKNOWLEDGED) == (again, life.alarm.state)
    assert ["repeated"] == life.names(Signal.PRESS)
    assert ["updated"] == life.names(Signal.TICK, after_s=300)


def test_chatter_keeps_every_record() -> None:
    """A7: a thousand openings are one activation, a thousand numbered records, and no more memory than one."""
    life = Life(LEAK)
    said = [name for _ in range(1000) for name in (*life.names(Signal.PRESS), *life.names(Signal.CLEAR))]

    assert ["raised", "cleared", "repeated", "cleared"] == said[:4]
    assert (1000, 2000, "activation-1") == (life.alarm.openings, life.alarm.revision, life.alarm.activation)


def test_drill_walks_the_whole_way() -> None:
    """A drill is raised, received, acknowledged and reset like the real thing, marked all the way."""
    life = Life(LEAK)
    said = [
        *life.send(Signal.DRILL),
        *life.send(Signal.RECEIVE, Given(by="county", revision=1)),
        *life.send(Signal.ACKNOWLEDGE),
        *life.send(Signal.RESET),
    ]

    assert ["raised", "received", "acknowledged", "reset"] == [one.name for one in said]
    assert [True] * 4 == [one.alarm.drill for one in said]
    assert [False] * 4 == [one.alarm.condition for one in said]


@pytest.mark.parametrize("signal", [Signal.PRESS, Signal.BREACH])
@pytest.mark.parametrize("acknowledged", [False, True])
def test_a_real_press_in_a_drill_is_real(signal: Signal, acknowledged: bool) -> None:
    """G8: a press during a drill is a new activation without the mark."""
    life = Life(LEAK)
    life.send(Signal.DRILL)
    if acknowledged:
        life.send(Signal.ACKNOWLEDGE)

    assert ["raised"] == life.names(signal)
    assert (False, "activation-2") == (life.alarm.drill, life.alarm.activation)


def test_no_drill_of_what_does_not_latch() -> None:
    """Only a latching alarm can be drilled."""
    with pytest.raises(Refused, match="a drill begins only"):
        Life(NOISE).send(Signal.DRILL)


RESTARTED = [
    (LEAK, S.ACTIVE_UNACKNOWLEDGED, ["repeated"]),
    (LEAK, S.ACTIVE_ACKNOWLEDGED, ["repeated"]),
    (LEAK, S.LATCHED_UNACKNOWLEDGED, ["repeated"]),
    (LEAK, S.LATCHED_ACKNOWLEDGED, ["repeated"]),
    (LEAK, S.NORMAL, []),
    (NOISE, S.ACTIVE_UNACKNOWLEDGED, []),
    (NOISE, S.SHELVED, []),
    (FLOOD, S.OUT_OF_SERVICE, []),
]


@pytest.mark.parametrize(("definition", "state", "said"), RESTARTED)
def test_restart_resumes(definition: Definition, state: State, said: list[str]) -> None:
    """A9: after a restart the alarm has the state, activation and receipts it had; custody says it again."""
    life = Life(definition, state)
    life.send(Signal.RECEIVE, Given(by="county", revision=life.alarm.revision))
    written = json.loads(rfc8785.dumps(to_json(life.alarm)))
    read = from_json(written, at(50))
    resumed, passed = resume(definition, read, at(50))

    assert written == to_json(read)
    assert said == [one.name for one in passed]
    assert (life.alarm.state, life.alarm.activation, life.alarm.received_by) == (
        resumed.state,
        resumed.activation,
        resumed.received_by,
    )
    assert life.alarm.revision + len(said) == resumed.revision


def test_running_times_go_on_by_the_wall_clock() -> None:
    """Across a restart 40 s later by the wall, escalation, re-alarm and shelving have 40 s less to go."""
    definition = replace(NOISE, escalation=(Step(60, "siren"),))
    shelved = Life(definition)
    shelved.send(Signal.SHELVE, SHELF)
    raised = Life(definition, S.ACTIVE_UNACKNOWLEDGED)
    later = replace(at(40), mono_ns=7)  # another boot: its monotonic clock began anew

    assert later.after(560) == due(definition, from_json(to_json(shelved.alarm), later))
    assert later.after(20) == due(definition, from_json(to_json(raised.alarm), later))


def test_restart_with_a_clock_that_is_not_set() -> None:
    """A shelving whose end cannot be told is over; escalation that seems to lie ahead counts from now."""
    definition = replace(NOISE, escalation=(Step(60, "siren"),))
    shelved = Life(definition)
    shelved.send(Signal.SHELVE, SHELF)
    raised = Life(definition, S.ACTIVE_UNACKNOWLEDGED)
    earlier = at(-86400, clock=ClockState.UNSYNCHRONISED)
    back = from_json(to_json(shelved.alarm), earlier)
    _, passed = step(definition, back, Signal.TICK, earlier, ids())
    escalates = due(definition, from_json(to_json(raised.alarm), earlier))

    assert ["expired"] == [one.name for one in passed]
    assert escalates is not None
    assert 60 == escalates.seconds_since(earlier)


def test_a_damaged_record_can_still_clear_and_be_raised() -> None:
    """Contradictions in a record are put right so that the alarm can neither stick nor be deaf."""
    deaf = from_json({"name": "noise", "state": "normal", "condition": True, "standing": True}, at(0))
    stuck = from_json({"name": "noise", "state": "active_unacknowledged", "condition": False, "new": 1}, at(0))
    forever = from_json({"name": "noise", "state": "shelved"}, at(0))

    assert ["raised"] == [one.name for one in step(NOISE, deaf, Signal.BREACH, at(1), ids())[1]]
    assert ["cleared"] == [one.name for one in step(NOISE, stuck, Signal.CLEAR, at(1), ids())[1]]
    assert ["expired"] == [one.name for one in step(NOISE, forever, Signal.TICK, at(1), ids())[1]]


@pytest.mark.parametrize("written", [{}, {"name": "x", "state": "on"}, {"state": "normal"}])
def test_what_is_no_record(written: dict[str, object]) -> None:
    """A source that holds no alarm says so by an exception."""
    with pytest.raises((ValueError, KeyError, TypeError)):
        from_json(written, at(0))


def test_union_of_what_is_known() -> None:
    """Of database, latch file and retained state the newest counts, and of equals the one that stands."""
    normal, latched = Alarm("leak", revision=4), replace(Alarm("leak", revision=4), standing=True)

    assert latched == union([normal, latched])
    assert latched == union([latched, normal])
    assert replace(normal, revision=5) == union([latched, replace(normal, revision=5)])


def test_clock_jumps_change_no_duration() -> None:
    """E1: a wall clock that jumps by fourteen days either way moves neither hold nor escalation nor shelving."""
    definition = replace(NOISE, raise_after_s=60, escalation=(Step(30, "siren"),))
    for jump_s in (14 * 86400, -14 * 86400):
        alarm, _ = step(definition, Alarm("noise"), Signal.BREACH, at(0), ids())
        jumped = [replace(at(s), wall_ns=at(s + jump_s).wall_ns) for s in (59, 60, 89, 90)]
        said = []
        for now in jumped:
            alarm, passed = step(definition, alarm, Signal.TICK, now, ids())
            said.append([one.name for one in passed])

        assert [[], ["raised"], [], ["escalated"]] == said


def test_a_drill_ends_with_a_restart() -> None:
    """G8: after a restart nothing stands that was a drill: its end is an event, and nothing is said again."""
    life = Life(LEAK)
    life.send(Signal.DRILL)
    alarm, passed = resume(LEAK, life.alarm, at(60))

    assert (State.NORMAL, False) == (alarm.state, alarm.standing)
    assert [("expired", "restart")] == [(one.name, one.given.reason) for one in passed]
