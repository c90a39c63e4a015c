"""The contact filter: which movements of a switch count, over every pulse train that a generator can think of."""

from itertools import pairwise, product
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.contact import (
    STUCK_AFTER_NS,
    Change,
    Chatter,
    ChatterReport,
    ContactFilter,
    ContactState,
    Wiring,
    is_stuck,
)

MS = 1_000_000
SECOND = 1000 * MS
SAFE, ACTIVE, CUT, SHORT, UNKNOWN = ContactState
GLITCH, SETTLE = 20, 50
LOW, HIGH = False, True


def one_line(safe: bool | None = LOW) -> ContactFilter:
    return ContactFilter(safe, 1, GLITCH * MS, SETTLE * MS)


def two_lines(safe: bool | None = LOW) -> ContactFilter:
    return ContactFilter(safe, 2, GLITCH * MS, SETTLE * MS)


def play(
    contact: ContactFilter,
    levels: list[tuple[int, int, bool]],
    until_ms: int,
    source: Literal["edge", "poll", "start"] = "edge",
) -> list[tuple[str, int, int]]:
    """(ms, line, level) in; (state, accepted ms, first edge ms) out, the state at start left out."""
    for at_ms, line, level in levels:
        contact.feed(line, level, at_ms * MS, source)
    return [
        (c.state, c.since_mono_ns // MS, c.edge_mono_ns // MS)
        for c in contact.advance(until_ms * MS)
        if not c.found_at_start
    ]


def train(pulses: list[tuple[int, int]], start_ms: int = 1000) -> tuple[list[tuple[int, int, bool]], int]:
    """Edges of a normally closed button for (rest, pressed) times in ms, and the end of the last pulse."""
    edges, now = [(0, 0, LOW)], start_ms
    for rest, pressed in pulses:
        edges += [(now + rest, 0, HIGH), (now + rest + pressed, 0, LOW)]
        now += rest + pressed
    return edges, now


def openings(changes: list[tuple[str, int, int]]) -> int:
    return [state for state, _, _ in changes].count(ACTIVE)


PULSES = st.lists(st.tuples(st.integers(1, 150), st.integers(1, 150)), max_size=25)


@given(before=PULSES, rest=st.integers(SETTLE, 300), pressed=st.integers(GLITCH, 300))
def test_nothing_accepted_masks_a_later_press(before: list[tuple[int, int]], rest: int, pressed: int) -> None:
    """A1: a press of `glitch` after a rest of `settle` counts as one more, whatever pulses came before it."""
    edges, end = train(before)
    alone = openings(play(one_line(), edges, end + 10_000))
    more, end = train([*before, (rest, pressed)])

    assert alone + 1 == openings(play(one_line(), more, end + 10_000))


@given(pulses=st.lists(st.tuples(st.integers(SETTLE, 200), st.integers(1, 150)), max_size=25))
def test_each_clean_pulse_is_a_press_or_noise_by_its_width_alone(pulses: list[tuple[int, int]]) -> None:
    """A1: with a rest between, the presses are exactly the pulses that are at least `glitch` wide."""
    edges, end = train(pulses)

    assert sum(pressed >= GLITCH for _, pressed in pulses) == openings(play(one_line(), edges, end + 10_000))


@given(pulses=PULSES, looks=st.lists(st.integers(0, 8000), max_size=40))
def test_when_the_engine_looks_changes_nothing(pulses: list[tuple[int, int]], looks: list[int]) -> None:
    """A1: what is accepted depends on the levels alone, not on when or how often somebody asks."""
    edges, end = train(pulses)
    expected = play(one_line(), edges, end + 10_000)
    contact, actual = one_line(), []
    for at_ms, edge in sorted([(e[0], e) for e in edges] + [(look, None) for look in looks], key=lambda x: x[0]):
        actual += play(contact, [edge] if edge else [], at_ms)
    actual += play(contact, [], end + 20_000)

    assert expected == actual


@given(pulses=PULSES, late_ms=st.integers(0, 500))
def test_edges_told_late_count_by_their_own_times(pulses: list[tuple[int, int]], late_ms: int) -> None:
    """A2: a busy moment that delivers all edges late, after the engine looked, loses no press."""
    edges, end = train(pulses)
    expected = play(one_line(), edges, end + 10_000)
    contact = one_line()
    play(contact, edges[:1], end + late_ms)

    assert expected == play(contact, edges[1:], end + 10_000)


@given(pulses=PULSES)
def test_states_alternate_and_times_never_go_back(pulses: list[tuple[int, int]]) -> None:
    """A1: accepted changes are of different states, in order, and none is accepted before its first edge."""
    edges, end = train(pulses)
    changes = play(one_line(), edges, end + 10_000)

    assert all(a[0] != b[0] for a, b in pairwise(changes))
    assert sorted(since for _, since, _ in changes) == [since for _, since, _ in changes]
    assert all(edge <= since for _, since, edge in changes)


@pytest.mark.parametrize(
    ("name", "pulses", "expected"),
    [
        ("a clean press", [(0, 100)], [("active", 1020, 1000), ("safe", 1150, 1100)]),
        ("exactly glitch", [(0, 20)], [("active", 1020, 1000), ("safe", 1070, 1020)]),
        ("just under glitch", [(0, 19)], []),
        ("bounce before the press", [(0, 2), (3, 2), (1, 100)], [("active", 1024, 1000), ("safe", 1158, 1108)]),
        ("bounce after it", [(0, 100), (30, 25), (10, 5)], [("active", 1020, 1000), ("safe", 1220, 1170)]),
        ("noise, rest, noise", [(0, 15), (30, 15), (30, 15)], []),
        (
            "short press, then a real one",
            [(0, 22), (60, 400)],
            [("active", 1020, 1000), ("safe", 1072, 1022), ("active", 1102, 1082), ("safe", 1532, 1482)],
        ),
    ],
)
def test_pulses(name: str, pulses: list[tuple[int, int]], expected: object) -> None:
    """A1: the filter's two times, on the trains that people and contacts really make."""
    edges, end = train(pulses)

    assert expected == play(one_line(), edges, end + 10_000)


@pytest.mark.parametrize(
    ("safe", "levels", "expected"),
    [
        (LOW, (LOW,), SAFE),
        (LOW, (HIGH,), ACTIVE),
        (HIGH, (HIGH,), SAFE),
        (HIGH, (LOW,), ACTIVE),
        (None, (HIGH,), SAFE),
        (None, (LOW,), ACTIVE),
        (LOW, (LOW, HIGH), SAFE),
        (LOW, (HIGH, LOW), ACTIVE),
        (LOW, (HIGH, HIGH), CUT),
        (LOW, (LOW, LOW), SHORT),
        (HIGH, (HIGH, LOW), SAFE),
        (HIGH, (LOW, HIGH), ACTIVE),
        (HIGH, (LOW, LOW), CUT),
        (HIGH, (HIGH, HIGH), SHORT),
        (None, (HIGH, LOW), SAFE),
        (None, (LOW, HIGH), ACTIVE),
        (None, (HIGH, HIGH), CUT),
        (None, (LOW, LOW), SHORT),
    ],
)
def test_polarity(safe: bool | None, levels: tuple[bool, ...], expected: object) -> None:
    """A6: for every wiring the level that a cut wire falls to is never safe for a closed loop."""
    contact = ContactFilter(safe, len(levels), GLITCH * MS, SETTLE * MS)
    for line, level in enumerate(levels):
        contact.feed(line, level, 5, "start")

    assert [Change(expected, 5, 5, found_at_start=True)] == contact.advance(5)
    assert expected == contact.state


def test_a_cut_of_a_closed_loop_is_never_safe() -> None:
    """A6: the pull takes a cut line to the level that is not the closed one: active with one wire, a cut with two."""
    wirings = [Wiring.of(LOW), Wiring.of(HIGH)]

    assert [ACTIVE, ACTIVE] == [w.state((w.pull_up,)) for w in wirings]
    assert [UNKNOWN, UNKNOWN] == [w.state((None,)) for w in wirings]
    assert [CUT, CUT] == [w.state((w.pull_up, w.pull_up)) for w in wirings]


def test_levels_are_the_inverse_of_states() -> None:
    """A6: driving a simulated contact to a state shows exactly that state, for every wiring."""
    for safe, state in product((LOW, HIGH, None), (SAFE, ACTIVE, CUT, SHORT)):
        wiring = Wiring.of(safe)

        assert state == wiring.state(wiring.levels(state, 2))
    for safe, state in product((LOW, HIGH, None), (SAFE, ACTIVE)):
        wiring = Wiring.of(safe)

        assert state == wiring.state(wiring.levels(state, 1))


@pytest.mark.parametrize("level", [LOW, HIGH])
def test_the_state_at_start_is_found_not_made(level: bool) -> None:
    """A3: the level at start is a state with found-at-start, accepted at once, and never an opening."""
    contact = one_line()
    contact.feed(0, level, 7, "start")
    changes = contact.advance(7)

    assert [Change(ACTIVE if level else SAFE, 7, 7, found_at_start=True)] == changes
    assert [False] == [c.opening for c in changes]
    assert contact.due() is None


def test_two_lines_are_judged_together_at_start() -> None:
    """A3: at start nothing is said until both lines of a changeover are known, so that a cut is not called a press."""
    contact = two_lines()
    contact.feed(0, HIGH, 0, "start")

    assert [] == contact.advance(SECOND)

    contact.feed(1, HIGH, 3, "start")

    assert [CUT] == [c.state for c in contact.advance(3)]


START = [(0, 0, LOW), (0, 1, HIGH)]


@pytest.mark.parametrize(
    ("name", "levels", "expected"),
    [
        ("a press that breaks before it makes", [(100, 0, HIGH), (104, 1, LOW)], [("active", 124, 100)]),
        ("a door that takes its time", [(100, 0, HIGH), (145, 1, LOW)], [("active", 165, 100)]),
        ("a cut of the safe wire", [(100, 0, HIGH)], [("cut", 150, 100)]),
        ("a short", [(100, 1, LOW)], [("short", 150, 100)]),
        ("too short to be a cut", [(100, 0, HIGH), (145, 0, LOW)], []),
        (
            "a cut, then a press by the wire that is left",
            [(100, 0, HIGH), (300, 1, LOW)],
            [("cut", 150, 100), ("active", 320, 300)],
        ),
        (
            "open, and closed again",
            [(100, 0, HIGH), (103, 1, LOW), (500, 1, HIGH), (503, 0, LOW)],
            [("active", 123, 100), ("safe", 553, 500)],
        ),
        (
            "open, then the wire is pulled off",
            [(100, 0, HIGH), (103, 1, LOW), (500, 1, HIGH)],
            [("active", 123, 100), ("cut", 550, 500)],
        ),
    ],
)
def test_changeover(name: str, levels: list[tuple[int, int, bool]], expected: object) -> None:
    """A6: two wires tell a cut and a short from a press, and the moment between two contacts is none of them."""
    assert expected == play(two_lines(), START + levels, 5000)


def test_a_cut_wire_that_flaps_becomes_a_cut() -> None:
    """A6: a loose wire that never rests is reported as cut, once."""
    flapping = [(100 + 3 * i, 0, i % 2 == 0) for i in range(400)]

    assert ["cut"] == [state for state, _, _ in play(two_lines(), START + flapping, 1290)]


def test_polls_alone_bring_the_state() -> None:
    """A2: with no edge delivered at all, polls every 50 ms find a press within 200 ms."""
    polls = [(at, 0, at >= 130) for at in range(50, 400, 50)]

    assert [("active", 170, 150)] == play(one_line(), [(0, 0, LOW), *polls], 330, "poll")


def test_a_poll_that_an_edge_has_overtaken_is_ignored() -> None:
    """A2: a level that was read before an edge and told after it does not undo the edge."""
    contact = one_line()
    contact.feed(0, LOW, 0, "start")
    contact.feed(0, HIGH, 100 * MS, "edge")
    contact.feed(0, LOW, 99 * MS, "poll")

    assert [("active", 120, 100)] == play(contact, [], 200)


def test_an_edge_that_a_poll_has_overtaken_changes_nothing() -> None:
    """A2: an edge told after the poll that already showed it makes no second change."""
    contact = one_line()
    contact.feed(0, LOW, 0, "start")
    contact.feed(0, HIGH, 100 * MS, "poll")
    contact.feed(0, HIGH, 99 * MS, "edge")

    assert [("active", 120, 100)] == play(contact, [], 200)


def test_due_says_when_to_look() -> None:
    """The engine waits exactly until the filter has something to accept, and not at all otherwise."""
    contact = one_line()
    contact.feed(0, LOW, 0, "start")
    contact.advance(0)
    idle = contact.due()
    contact.feed(0, HIGH, 100 * MS, "edge")
    pressed = contact.due()
    early, late = contact.advance(119 * MS), contact.advance(120 * MS)
    contact.feed(0, LOW, 300 * MS, "edge")

    assert (None, 120 * MS, [], [ACTIVE]) == (idle, pressed, early, [c.state for c in late])
    assert 350 * MS == contact.due()


def told(contact: ContactFilter, at_ms: int) -> list[tuple[str, bool]]:
    return [(c.state, c.found_at_start) for c in contact.advance(at_ms * MS)]


def test_a_line_that_is_lost_leaves_the_other_one_working() -> None:
    """A5: with one of two lines lost the other is judged alone: presses count, and nothing is invented."""
    contact = two_lines()
    play(contact, START, 10)
    contact.lose(1, 20 * MS)
    pressed = play(contact, [(100, 0, HIGH), (300, 0, LOW)], 1000)
    contact.feed(1, HIGH, 1100 * MS, "start")

    assert [("active", 120, 100), ("safe", 350, 300)] == pressed
    assert [] == told(contact, 2000)


def test_all_lines_lost_is_unknown_until_they_are_found_again() -> None:
    """A5: with nothing left the state is unknown; what is found afterwards is no opening, and a cut is called one."""
    contact = two_lines()
    play(contact, START, 10)
    contact.lose(0, 20 * MS)
    contact.lose(1, 21 * MS)
    lost = told(contact, 1000)
    contact.feed(0, HIGH, 1100 * MS, "start")
    contact.feed(1, HIGH, 1101 * MS, "start")

    assert [(UNKNOWN, False)] == lost
    assert [(CUT, True)] == told(contact, 1101)


def test_a_line_that_never_comes_does_not_hold_up_the_other() -> None:
    """A5: one of two lines unusable from the start: after `settle` the state is what the other line says."""
    contact = two_lines()
    contact.feed(0, HIGH, 0, "start")
    contact.lose(1, 1 * MS)

    assert (51 * MS, [], [(ACTIVE, True)]) == (contact.due(), told(contact, 50), told(contact, 51))


def test_losing_a_line_of_a_cut_contact_is_no_press() -> None:
    """A5: what the line that is left says after a loss is found, not made."""
    contact = two_lines()
    play(contact, [(0, 0, HIGH), (0, 1, HIGH)], 10)
    contact.lose(1, 20 * MS)

    assert [(ACTIVE, True)] == told(contact, 1000)


def test_a_press_that_was_due_is_not_lost_with_its_line() -> None:
    """A5: a press whose time had passed when the line failed is still counted; losing an unknown line says nothing."""
    contact = one_line()
    contact.lose(0, 1)

    assert [] == contact.advance(1)

    contact.feed(0, LOW, 2, "start")
    contact.feed(0, HIGH, 100 * MS, "edge")
    contact.lose(0, 130 * MS)

    assert [SAFE, ACTIVE, UNKNOWN] == [c.state for c in contact.advance(200 * MS)]


def test_chatter_is_one_alarm_and_one_update_an_interval() -> None:
    """A7: 500 edges a second for 60 s: active once, one chatter report at once, one an interval, one at the end."""
    contact, chatter = one_line(), Chatter(edges_per_s=50, interval_ns=10 * SECOND)
    contact.feed(0, LOW, 0, "start")
    states, reports = [], []
    for i in range(30_000):
        now = SECOND + 2 * MS * i
        chatter.edge(now)
        contact.feed(0, i % 2 == 0, now, "edge")
        states += [c.state for c in contact.advance(now)]
        if report := chatter.advance(now):
            reports.append((now // SECOND, report.chattering))
    states += [c.state for c in contact.advance(200 * SECOND)]
    while (due := chatter.due()) is not None:
        report = chatter.advance(due)
        reports.append((due // SECOND, report.chattering))

    assert [SAFE, ACTIVE, SAFE] == states
    assert [(1, True), (11, True), (21, True), (31, True), (41, True), (51, True), (61, True), (71, False)] == reports
    assert chatter.due() is None


def test_chatter_counts_each_edge_once() -> None:
    """A7: the reports' counts add up to the edges there were; presses by hand are no chatter."""
    calm, chatter = Chatter(edges_per_s=10, interval_ns=SECOND), Chatter(edges_per_s=10, interval_ns=SECOND)
    for i in range(100):
        calm.edge(i * 200 * MS)
        chatter.edge(SECOND + i * MS)
    first = chatter.advance(2 * SECOND)
    early = chatter.advance(2 * SECOND + 1)

    assert (ChatterReport(chattering=True, edges=100), None) == (first, early)
    assert ChatterReport(chattering=False, edges=0) == chatter.advance(3 * SECOND)
    assert calm.advance(100 * SECOND) is None


@pytest.mark.parametrize(
    ("state", "held_ns", "expected"),
    [
        (ACTIVE, STUCK_AFTER_NS - 1, False),
        (ACTIVE, STUCK_AFTER_NS, True),
        (SAFE, 2 * STUCK_AFTER_NS, False),
        (CUT, 2 * STUCK_AFTER_NS, False),
    ],
)
def test_stuck(state: ContactState, held_ns: int, expected: object) -> None:
    """A8: a button active for long is called stuck; that is a word beside the alarm and no end of it."""
    assert expected == is_stuck(state, 1000, 1000 + held_ns)
