"""The guard time of a leak button: protection against unintended operation that loses no press that was meant."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.kit_engine import VENUE, Bench


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    bench = Bench(tmp_path, VENUE.replace('kind = "leak"', 'kind = "leak"\nhold = "2s"'))
    bench.found_safe()
    bench.wait(1)
    return bench


def leak(bench: Bench) -> list[tuple[str, str | None]]:
    return [(e["transition"], e["reason"]) for e in bench.out.events if e["alarm"] == "leak-button"]


PRESSES = [
    ([1.5], [("updated", "released-early")]),
    ([2.5], [("raised", None), ("cleared", None)]),
    ([1.5, 1.5], [("updated", "released-early")] * 2),
    ([1.5, 2.5], [("updated", "released-early"), ("raised", None), ("cleared", None)]),
    ([2.5, 1.5], [("raised", None), ("cleared", None), ("updated", "released-early")]),
    ([2.5, 2.5], [("raised", None), ("cleared", None), ("repeated", None), ("cleared", None)]),
]


@pytest.mark.parametrize(("presses", "events"), PRESSES)
def test_only_what_is_held_counts(bench: Bench, presses: list[float], events: list[tuple[str, str | None]]) -> None:
    """GB 50394 5.2: pressed for the guard time is an alarm, shorter is recorded; times of two presses do not add up."""
    for seconds in presses:
        bench.press(seconds)
        bench.wait(1, 0.1)

    assert events == leak(bench)


def test_the_alarm_is_of_the_moment_in_which_the_guard_time_was_over(bench: Bench) -> None:
    """Also where the engine was busy and hears of press and release together."""
    began = bench.now
    bench.lines("leak-button", True, False)
    bench.wait(0.1, 0.1)
    bench.now = bench.now.after(5.0)
    bench.lines("leak-button", False, True)
    bench.wait(1, 0.1)

    raised = next(e for e in bench.out.events if e["transition"] == "raised")
    assert 2.02 == pytest.approx(raised["mono_ms"] / 1000 - began.mono_ns / 1e9, abs=0.01)


def test_a_button_found_pressed_counts_at_once(tmp_path: Path) -> None:
    """Nobody knows for how long it has been held."""
    bench = Bench(tmp_path, VENUE.replace('kind = "leak"', 'kind = "leak"\nhold = "2s"'))
    bench.lines("leak-button", True, False, source="start")
    bench.wait(0.2, 0.1)

    assert [("raised", "found-at-start")] == leak(bench)


def test_a_wire_cut_while_the_button_is_held_does_not_stop_it(bench: Bench) -> None:
    """Only the release stops the guard time; a cut is an alarm of its own beside it."""
    bench.lines("leak-button", True, False)
    bench.wait(1, 0.1)
    bench.lines("leak-button", True, True)
    bench.wait(2, 0.1)

    assert [("raised", None)] == leak(bench)
    assert ["raised"] == bench.transitions("leak-button-line")
