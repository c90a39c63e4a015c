"""Time lines in `scenarios/`: readings, contacts, people and restarts in; events out, exactly these and in order."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest
from kit_scenarios import FOLDER, Core, FakeClock, differences, load, play

SCENARIOS = sorted(FOLDER.glob("*.toml"))


@pytest.mark.parametrize("path", SCENARIOS, ids=[path.stem for path in SCENARIOS])
def test_scenario(path: Path) -> None:
    """The pure core gives the events of the scenario (its title says what it pins, `covers` the catalogue's rows)."""
    scenario = load(path)
    core = Core(scenario.config, FakeClock(scenario.start).at(0))
    wrong = play(scenario, core)

    assert [] == [*wrong, *differences(scenario, core.events)]


def test_there_are_enough() -> None:
    """At least forty time lines, one of a whole exam day, each with a title of its own."""
    scenarios = [load(path) for path in SCENARIOS]

    assert 40 <= len(scenarios)
    assert len(scenarios) == len({one.title for one in scenarios})
    assert any((one.end - one.start).total_seconds() >= 12 * 3600 for one in scenarios)


def test_a_wrong_expectation_is_found() -> None:
    """The comparison finds an event that differs, one that is missing and one too many."""
    scenario = load(FOLDER / "leak-press.toml")
    core = Core(scenario.config, FakeClock(scenario.start).at(0))
    play(scenario, core)
    altered = [{**core.events[0], "state": "normal"}, *core.events[1:]]

    assert len(differences(scenario, altered)) == 1
    assert len(differences(scenario, core.events[:-1])) == 1
    assert len(differences(scenario, [*core.events, core.events[-1]])) == 1


def test_clock_of_a_scenario() -> None:
    """A reboot begins the monotonic clock anew; a jump moves the wall clock alone."""
    clock = FakeClock(datetime(2026, 6, 7, 9))  # noqa: DTZ001  the venue's own time
    before = clock.at(100)
    clock.reboot(120)
    clock.jump_s = 60

    assert 7.0 == clock.at(120).mono_ns / 1e9
    assert 80.0 == (clock.at(120).wall_ns - before.wall_ns) / 1e9
