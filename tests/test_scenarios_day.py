"""Time lines of the exam day through the real engine: duties, stages, drills, lost time, airing, reports, screening."""

from __future__ import annotations

from pathlib import Path

import pytest
from kit_scenarios import FOLDER, FakeClock, differences, load, play
from test_scenarios_engine import OnTheBench

SCENARIOS = [path for part in ("day", "screening") for path in sorted((FOLDER / part).glob("*.toml"))]


@pytest.mark.parametrize("path", SCENARIOS, ids=[path.stem for path in SCENARIOS])
def test_scenario_of_the_day(path: Path, tmp_path: Path) -> None:
    """The engine gives the events of the scenario (its title says what it pins, `covers` the catalogue's rows)."""
    scenario = load(path)
    bench = OnTheBench(tmp_path, scenario, FakeClock(scenario.start).at(0))
    wrong = play(scenario, bench)

    assert [] == [*wrong, *differences(scenario, bench.events)]


def test_there_are_enough() -> None:
    """At least thirty time lines, each with a title of its own."""
    scenarios = [load(path) for path in SCENARIOS]

    assert 30 <= len(scenarios)
    assert len(scenarios) == len({one.title for one in scenarios})
