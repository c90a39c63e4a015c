"""What holds for every alarm over every history: hypothesis plays sources, people, stations, time and restarts."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from kit_alarms import FLOOD, LEAK, NOISE, at, ids

from gateway.alarm.snapshots import from_json, to_json
from gateway.alarms import Alarm, Definition, Given, Signal, State, Step, Transition, due, resume, step
from gateway.errors import Refused

STEPS = (Step(30, "second-broker"), Step(90, "siren"))
SOURCES = (Signal.BREACH, Signal.CLEAR, Signal.PRESS, Signal.UNKNOWN, Signal.UPDATE)
PEOPLE = (
    *(Signal.ACKNOWLEDGE, Signal.RESET, Signal.DRILL, Signal.SHELVE, Signal.UNSHELVE),
    *(Signal.SUPPRESS, Signal.RELEASE, Signal.REMOVE, Signal.RETURN),
)
ACTIVE = (State.ACTIVE_UNACKNOWLEDGED, State.ACTIVE_ACKNOWLEDGED)
HIDDEN = (State.SHELVED, State.SUPPRESSED, State.OUT_OF_SERVICE)
OVER = (State.CLEARED_UNACKNOWLEDGED, State.LATCHED_UNACKNOWLEDGED, State.LATCHED_ACKNOWLEDGED)


class AnyLife(RuleBasedStateMachine):
    """One alarm that runs through, and its twin that is written down and read again after every step."""

    definition: Definition = NOISE
    twin_counts = True  # without holds: those begin again with a restart, by design

    @initialize()
    def begin(self) -> None:
        self.now_s = 0.0
        self.alarm = Alarm(self.definition.name)
        self.twin = Alarm(self.definition.name)
        self.new_id, self.twin_id = ids(), ids()
        self.passed: list[Transition] = []
        self.resumes = 0
        self.twins = {0: 0}  # our revision -> the twin's, which runs ahead by one for each restart that was said

    @rule(signal=st.sampled_from(SOURCES), after_s=st.sampled_from([0, 1, 40, 400]))
    def source_says(self, signal: Signal, after_s: float) -> None:
        self.now_s += after_s
        before = self.alarm
        passed = self.send(signal, Given())
        if signal is Signal.PRESS:
            opened = [one.name for one in passed if one.alarm.opening == one.alarm.revision]

            assert opened in (["updated" if before.state in HIDDEN else "repeated"], ["raised"])
            assert self.alarm.condition

    @rule(
        signal=st.sampled_from(PEOPLE),
        by=st.sampled_from([None, "li-wei", "chen"]),
        note=st.sampled_from([None, "checked"]),
        behind=st.sampled_from([None, 0, 0, 1, 5, -1]),
        for_s=st.sampled_from([None, 60.0, 1e6]),
    )
    def person_asks(
        self, signal: Signal, by: str | None, note: str | None, behind: int | None, for_s: float | None
    ) -> None:
        before = self.alarm
        try:
            passed = self.send(signal, Given(by=by, note=note, for_s=for_s), behind)
        except Refused:
            assert before is self.alarm
        else:
            assert by is not None
            assert 1 == len(passed)
            assert passed[0].given.by == by

    @rule(
        signal=st.sampled_from([Signal.RECEIVE]), station=st.sampled_from(["county", "city"]), behind=st.integers(0, 3)
    )
    def station_has_it(self, signal: Signal, station: str, behind: int) -> None:
        self.send(signal, Given(by=station), behind)

    @rule(after_s=st.sampled_from([0, 1, 29, 61, 3600, 9 * 3600]))
    def time_passes(self, after_s: float) -> None:
        self.now_s += after_s
        self.send(Signal.TICK, Given())

    @precondition(lambda self: due(self.definition, self.alarm) is not None)
    @rule()
    def time_passes_to_the_next_timer(self) -> None:
        when = due(self.definition, self.alarm)
        assert when is not None
        self.now_s = max(self.now_s, when.seconds_since(at(0)))
        before = self.alarm
        self.send(Signal.TICK, Given())

        assert before != self.alarm

    def send(self, signal: Signal, given: Given, behind: int | None = None) -> tuple[Transition, ...]:
        now = at(self.now_s)
        before = self.alarm
        ours = given if behind is None else replace(given, revision=self.alarm.revision - behind)
        theirs = (
            given
            if behind is None
            else replace(given, revision=self.twins.get(self.alarm.revision - behind, 10**6 * -behind))
        )
        self.alarm, passed = step(self.definition, self.alarm, signal, now, self.new_id, given=ours)
        if self.twin_counts:
            twin, alike = step(self.definition, self.twin, signal, now, self.twin_id, given=theirs)
            self.twins |= {o.alarm.revision: t.alarm.revision for o, t in zip(passed, alike, strict=True)}
            in_drill = twin.drill and twin.standing  # a restart ends it, by design
            read = from_json(to_json(twin), now)
            self.twin, said = resume(self.definition, read, now) if not in_drill else (twin, ())
            self.resumes += len(said)
        self.check(before, passed)
        self.passed += passed
        return passed

    def check(self, before: Alarm, passed: tuple[Transition, ...]) -> None:
        """Every transition is the next revision; what stands ends only by its own ends."""
        revisions = [one.alarm.revision for one in passed]

        assert list(range(before.revision + 1, before.revision + 1 + len(passed))) == revisions
        if passed:
            assert passed[-1].alarm.revision == self.alarm.revision
        if before.standing and not self.alarm.standing:
            ends = {"cleared", "acknowledged", "reset", "expired", "unshelved", "released", "returned", "updated"}

            assert not self.alarm.condition
            assert not passed or passed[-1].name in ends
            if before.drill and passed[-1].name == "expired":
                return
            if self.definition.latching:
                assert "reset" == passed[-1].name
        if self.definition.custody and before.standing and self.alarm.state is State.NORMAL:
            assert "reset" == passed[-1].name
            assert State.LATCHED_ACKNOWLEDGED is before.state
            assert passed[-1].given.by
            assert passed[-1].given.note

    @invariant()
    def state_and_condition_agree(self) -> None:
        alarm = getattr(self, "alarm", None)
        if alarm is None:
            return
        assert (alarm.state in ACTIVE) <= alarm.condition
        assert (alarm.state in (*OVER, State.NORMAL, State.PENDING)) <= (not alarm.condition)
        assert (alarm.state in (*ACTIVE, *OVER)) <= alarm.standing
        assert (alarm.state in (State.NORMAL, State.PENDING)) <= (not alarm.standing)
        assert (alarm.state in HIDDEN) <= (not self.definition.custody)
        assert alarm.opening <= alarm.basis <= alarm.revision or alarm.opening == 0
        assert (alarm.state is State.PENDING) <= (alarm.turning is not None)
        assert (alarm.shelved_until is not None) == (alarm.state is State.SHELVED)

    @invariant()
    def a_restart_at_every_step_loses_nothing(self) -> None:
        if not hasattr(self, "alarm") or not self.twin_counts:
            return
        for name in ("state", "condition", "standing", "activation", "drill", "openings", "acknowledged_by"):
            assert getattr(self.alarm, name) == getattr(self.twin, name), name
        for name in ("received_by", "escalation_step", "hidden_by", "stuck", "actor"):
            assert getattr(self.alarm, name) == getattr(self.twin, name), name
        assert self.alarm.revision + self.resumes == self.twin.revision


LIVES: list[tuple[str, Definition, bool]] = [
    ("leak", replace(LEAK, escalation=STEPS, stuck_after_s=300), True),
    ("flood", replace(FLOOD, repeat_after_s=600, stuck_after_s=300), True),
    ("noise", replace(NOISE, repeat_after_s=600, escalation=STEPS), True),
    ("noise with holds", replace(NOISE, raise_after_s=60, clear_after_s=30), False),
    ("flood with holds", replace(FLOOD, raise_after_s=60, clear_after_s=30), False),
]


@pytest.mark.parametrize(("definition", "twin"), [one[1:] for one in LIVES], ids=[one[0] for one in LIVES])
def test_over_every_history(definition: Definition, twin: bool) -> None:
    """A9: over any history no alarm leaves raised but by its own end, custody is never hidden, no restart loses any."""

    class This(AnyLife):
        pass

    This.definition, This.twin_counts = definition, twin
    configured: Any = settings(max_examples=80, stateful_step_count=40, deadline=None)
    run_state_machine_as_test(This, settings=configured)
