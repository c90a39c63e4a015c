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
