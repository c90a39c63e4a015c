"""Who is asked next on a line: a pure planner, driven here by a simulated line and its own clock."""

from collections import Counter
from collections.abc import Mapping
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.library import find
from gateway.sources.plan import CREDIT_S, FIRST_BACKOFF_S, LAST_BACKOFF_S, PROBE_SHARE, Pace, Planner

TIMEOUT_S = 1.0
ANSWER_S = 0.06


def play(
    every_s: Mapping[str, float], dead: set[str], seconds: float, back: Mapping[str, float] | None = None
) -> list[tuple[float, str, bool]]:
    """Runs a planner on a line where answers take ANSWER_S and silences TIMEOUT_S; (time, unit, answered)."""
    now = 0.0
    planner = Planner(every_s.items(), now)
    log = []
    while now < seconds:
        name, wait_s = planner.next(now)
        if name is None:
            assert wait_s > 0
            now += wait_s
            continue
        silent = name in dead and now < (back or {}).get(name, float("inf"))
        log.append((now, name, not silent))
        now += TIMEOUT_S if silent else ANSWER_S
        if silent:
            planner.failed(name, now, TIMEOUT_S, TIMEOUT_S)
        else:
            planner.answered(name, now)
        now += 0.02
    return log


def rate(log: list[tuple[float, str, bool]], name: str, begin: float, end: float) -> float:
    return sum(unit == name and answered and begin <= at < end for at, unit, answered in log) / (end - begin)


def test_healthy_units_keep_their_interval_exactly() -> None:
    """A line with time to spare asks each unit in phase: no drift, no doubled question."""
    log = play({"a": 1.0, "b": 1.0, "c": 5.0}, set(), 100.0)
    asked = [at for at, name, _ in log if name == "a"]

    assert [pytest.approx(second, abs=0.25) for second in range(100)] == asked
    assert Counter(name for _, name, _ in log) == {"a": 100, "b": 100, "c": 20}


@pytest.mark.parametrize("begun", [7.0, 7.2, 7.49, 7.51, 7.9])
@pytest.mark.parametrize("every_s", [0.5, 1.0, 10.0])
def test_lines_that_began_apart_ask_at_the_same_moments(begun: float, every_s: float) -> None:
    """Whenever a line was opened, and after a lost answer: its questions fall on whole seconds, none comes twice."""
    planner = Planner([("a", every_s)], begun)
    now, asked = begun, []
    for turn in range(6):
        now += planner.next(now)[1]
        asked.append(now)
        if turn == 2:
            planner.failed("a", now + 0.2, 0.2, 0.1)
            now += 0.3
            assert planner.next(now)[0] == "a"
        now += ANSWER_S
        planner.answered("a", now)

    assert begun == asked[0]
    assert [pytest.approx(round(at / min(every_s, 1.0)) * min(every_s, 1.0)) for at in asked[1:]] == asked[1:]
    assert all(every_s / 2 - ANSWER_S <= b - a <= every_s + 0.8 for a, b in pairwise(asked))


@pytest.mark.parametrize("dead", range(1, 8))
def test_any_number_of_dead_units_leaves_the_others_their_rate(dead: int) -> None:
    """B1: one to seven silent units of eight, timeout and interval a second: the others keep 90 % of their rate."""
    names = [f"u{i}" for i in range(8)]
    log = play(dict.fromkeys(names, 1.0), set(names[:dead]), 600.0)

    assert min(rate(log, name, 60, 600) for name in names[dead:]) >= 0.9
    assert all(sum(unit == name for _, unit, _ in log) >= 3 for name in names[:dead])


def test_silence_costs_a_twentieth_of_the_line() -> None:
    """B1: all that dead units take is bounded by their share and the credit."""
    names = [f"u{i}" for i in range(8)]
    log = play(dict.fromkeys(names, 1.0), set(names[:7]), 1000.0)
    tried = sum(not answered for at, _, answered in log if at > 60)

    assert tried * TIMEOUT_S <= PROBE_SHARE * 940 + CREDIT_S + TIMEOUT_S


def test_a_single_lost_answer_is_asked_for_again_soon() -> None:
    """A live unit's one timeout costs one timeout and its wait for the late answer, not a back-off."""
    planner = Planner([("a", 1.0), ("b", 2.0)], 0.0)
    planner.answered("a", 0.0)
    planner.answered("b", 0.0)
    planner.failed("a", 2.0, 1.0, 1.0)

    assert planner.next(2.0) == ("b", 0.0)
    planner.answered("b", 2.1)
    assert planner.next(2.2)[0] is None
    assert planner.next(3.0)[0] == "a"


@pytest.mark.parametrize(("every_s", "answer_s"), [(1.0, 0.06), (1.0, 1.3), (0.2, 0.06), (0.2, 0.3)])
def test_a_unit_rests_after_its_answer_however_late_its_turn_is(every_s: float, answer_s: float) -> None:
    """Cheap transmitters answer no question sooner than 0.2 s after the last: not after a lost one, nor when slow."""
    planner = Planner([("a", every_s)], 0.0, 0.02)
    now, rests = 0.0, []
    for turn in range(8):
        name, wait_s = planner.next(now)
        rests.append(wait_s)
        now += wait_s
        assert name or planner.next(now)[0]
        if turn == 4:
            planner.failed("a", now + TIMEOUT_S, TIMEOUT_S, TIMEOUT_S)
            now += TIMEOUT_S
        else:
            now += answer_s
            planner.answered("a", now, 0.2)

    assert min(rests[1:]) >= min(0.2, every_s / 2) - 1e-9


def test_back_off_doubles_to_its_end() -> None:
    """A unit that is alone and dead is probed after 2, 4, 8, 16, 30, 30 ... seconds, never given up."""
    log = play({"a": 1.0}, {"a"}, 300.0)
    asked = [at for at, _, _ in log]
    gaps = [round(b - a - TIMEOUT_S) for a, b in pairwise(asked)]

    assert gaps[:6] == [1, FIRST_BACKOFF_S, 4, 8, 16, LAST_BACKOFF_S]
    assert set(gaps[6:]) == {LAST_BACKOFF_S}


def test_when_the_cable_is_back_all_are_asked_at_once() -> None:
    """When every unit was dead and one answers, the others do not wait for their back-off."""
    names = ["a", "b", "c", "d"]
    log = play(dict.fromkeys(names, 1.0), set(names), 300.0, dict.fromkeys(names, 200.0))
    first = min(at for at, _, answered in log if answered)

    assert all(min(at for at, unit, answered in log if answered and unit == name) < first + 1 for name in names)


@given(
    st.dictionaries(st.sampled_from("abcdefgh"), st.sampled_from([0.05, 0.2, 1.0, 3.0, 10.0]), min_size=1, max_size=8),
    st.sets(st.sampled_from("abcdefgh")),
)
def test_nobody_starves(every_s: dict[str, float], dead: set[str]) -> None:
    """However overloaded and however many are dead: every unit is asked again and again, and no healthy one waits for
    more than its interval and two rounds of the line.
    """
    dead &= set(every_s)
    log = play(every_s, dead, 400.0)
    healthy = set(every_s) - dead
    round_s = len(every_s) * (ANSWER_S + 0.02) + 2 * TIMEOUT_S

    for name in healthy:
        asked = [at for at, unit, _ in log if unit == name]
        assert max(b - a for a, b in pairwise(asked)) <= every_s[name] + 2 * round_s
    assert {name for at, name, _ in log if at > 200} >= healthy
    assert {name for _, name, _ in log} == set(every_s)


def test_more_questions_of_one_turn_come_after_a_rest() -> None:
    """A device with several questions is left alone between them, and others are asked meanwhile."""
    planner = Planner([("a", 1.0), ("b", 1.0)], 0.0)

    assert planner.next(0.0)[0] == "a"
    planner.more("a", 0.1, 0.2)
    assert planner.next(0.1)[0] == "b"
    planner.answered("b", 0.2)
    assert planner.next(0.31)[0] == "a"


def test_the_line_has_its_gap() -> None:
    """After every exchange, good or not, nobody is asked before the line's gap is over."""
    planner = Planner([("a", 1.0), ("b", 1.0)], 0.0, 0.02)

    assert planner.next(0.0) == ("a", 0.0)
    planner.answered("a", 0.1)
    assert planner.next(0.1) == (None, pytest.approx(0.02))
    assert planner.next(0.121) == ("b", 0.0)
    planner.failed("b", 0.2, 0.05, 0.0)
    assert planner.next(0.2) == (None, pytest.approx(0.02))
    assert planner.next(0.221)[0] == "b"
    planner.more("b", 0.3, 0.0)
    assert planner.next(0.3) == (None, pytest.approx(0.02))


@pytest.mark.parametrize("period_s", [0.07, 0.3, 0.51, 0.6, 0.7, 0.74, 0.95, 1.0])
@pytest.mark.parametrize("every_s", [1.0, 2.5])
def test_a_unit_that_talks_gives_as_many_readings_as_are_due(period_s: float, every_s: float) -> None:
    """Counted from the last one taken, a frame each 0.7 s would give one each 1.4 s: 71 % of what is due, for ever."""
    pace = Pace(every_s, 7.0)
    taken = sum(pace.takes(7.0 + i * period_s) for i in range(round(600 / period_s)))

    assert pytest.approx(600 / every_s, rel=0.01) == taken


def test_a_unit_that_talks_slower_than_asked_for_is_heard_whenever_it_does() -> None:
    """Also with jitter, and after a pause without a burst."""
    pace = Pace(1.0, 0.0)
    spoken = [0.0, 2.3, 4.6, 5.5, 6.6, 60.0]

    assert [True] * 6 == [pace.takes(at) for at in spoken]
    assert [False, False, True] == [pace.takes(at) for at in (60.07, 60.7, 60.8)]


@pytest.mark.parametrize("name", ["pms5003", "pms5003st", "pms5003t", "pms3003"])
def test_a_plantower_in_still_air_has_all_its_samples(name: str) -> None:
    """It then talks each 2.3 s, and each 0.2 s where the air changes: with one due each second, 43 % would come."""
    driver = find(name)
    for period_s in (0.2, 2.3):
        pace = Pace(driver.every_s, 0.0)
        taken = sum(pace.takes(i * period_s) for i in range(round(3600 / period_s)))

        assert 0.99 <= taken * driver.every_s / 3600
