"""Lost time over restarts and clocks that are set: what was lost is told, and no more than was."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from kit_engine import VENUE, Bench

from gateway.moment import NANO, ClockState, Moment

MAINS = """
[contact.mains]
kind = "power"
pin = 6
safe = "low"
"""


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    bench = Bench(tmp_path, VENUE + MAINS)
    bench.found_safe()
    bench.lines("mains", False, source="start")
    return bench


def mains_fail(bench: Bench, after_s: float) -> None:
    """... so long after the session has begun; a minute later the gateway is dark, too."""
    bench.wait(after_s, step_s=60)
    bench.lines("mains", True)
    bench.wait(60)
    bench.last_sign = bench.now


def later(bench: Bench, wall_s: float, mono_s: float, clock: ClockState = ClockState.SYNCHRONISED) -> None:
    now = bench.now
    bench.now = Moment(now.wall_ns + round(wall_s * NANO), now.mono_ns + round(mono_s * NANO), clock)


def lost(bench: Bench) -> list[tuple[str, float, bool]]:
    told: list[dict[str, Any]] = [e["details"] for e in bench.out.events if e["reason"] == "disturbance-ended"]
    return [(each["cause"], round(each["lost_s"]), each["sure"]) for each in told]


def test_nothing_is_lost_after_the_end_of_a_session(bench: Bench) -> None:
    """The mains fail at 11:00 and come back with the gateway at 15:01: the session ended at 11:30."""
    mains_fail(bench, 7200)
    later(bench, 4 * 3600, 4 * 3600)
    bench.restart()
    bench.lines("mains", False, source="start")
    bench.wait(2)

    assert [("gateway-down", 1740, True), ("power", 1800, True)] == lost(bench)


@pytest.mark.parametrize("dark_s", [300, 14400])
def test_a_clock_that_is_set_after_the_start_makes_the_loss_whole(bench: Bench, dark_s: int) -> None:
    """E1: without a battery clock a boot knows nothing of the time it was dark; once that is set, it is counted."""
    mains_fail(bench, 600)
    later(bench, 2, dark_s, ClockState.UNSYNCHRONISED)
    bench.restart()
    bench.lines("mains", True, source="start")
    bench.wait(10, clock=ClockState.UNSYNCHRONISED)
    later(bench, dark_s - 2, 0)
    bench.wait(2)
    bench.lines("mains", False)
    bench.wait(2)
    told = lost(bench)
    of_session_s = min(60 + dark_s + 12, 9000 - 600)

    assert ("gateway-down", 2, False) == told[0]
    assert ("gateway-down", min(dark_s, 9000 - 660), True) == told[1]
    assert ("power", of_session_s) == told[2][:2]
    assert 3 == len(told)


def test_a_clock_set_back_over_the_start_ends_no_hold(tmp_path: Path) -> None:
    """E1: a session that was held goes on being held when it begins a second time, and is resumed by name."""
    bench = Bench(tmp_path, VENUE.replace('may = ["ack"', 'may = ["log", "ack"'))
    bench.wait(2)
    bench.act("log", "", kind="session-held")
    later(bench, -10, 0)
    bench.wait(60)
    resumed = bench.act("log", "", kind="session-resumed")

    assert resumed["ok"]
    assert ["session-held"] * 2 == [cause for cause, _, _ in lost(bench)]
    assert 50 <= sum(lost_s for _, lost_s, _ in lost(bench)) <= 55
