"""When a custody duty is due, late, missing and done: tables over the pure core."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, time
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.day.duties import USUAL, Duty, Kept, Standing, due, entered, standing
from gateway.moment import NANO, ClockState, Moment
from tests.kit_engine import VENUE, Bench

ZONE = ZoneInfo("Asia/Shanghai")
ORIGIN = datetime(2026, 6, 5, 16, tzinfo=ZONE)  # custody begins
REPLAY, PATROL, HALF = USUAL["replay"], USUAL["patrol"], USUAL["half-day-check"]


def at(text: str) -> Moment:
    """ "5 16:30" is the 5th of June at half past four."""
    day, clock = text.split()
    when = datetime.combine(ORIGIN.replace(day=int(day)), time.fromisoformat(clock), ZONE)
    wall_ns = round(when.timestamp()) * NANO
    return Moment(wall_ns, wall_ns - 10**18)


SINCE = at("5 16:00")


@pytest.mark.parametrize(
    ("duty", "entries", "now", "expected", "how"),
    [
        (PATROL, [], "5 16:29", "5 16:30", Standing.QUIET),
        (PATROL, [], "5 16:30", "5 16:30", Standing.LATE),
        (PATROL, [], "5 16:35", "5 16:30", Standing.MISSING),
        (PATROL, ["5 16:20"], "5 16:40", "5 16:50", Standing.QUIET),
        (PATROL, ["5 17:00"], "5 17:31", "5 17:30", Standing.LATE),
        (REPLAY, [], "5 17:59", "5 18:00", Standing.QUIET),
        (REPLAY, [], "5 18:29", "5 18:00", Standing.LATE),
        (REPLAY, [], "5 18:30", "5 18:00", Standing.MISSING),
        (REPLAY, ["5 17:50"], "5 18:30", "5 18:00", Standing.MISSING),  # before its hour it counts for nothing
        (REPLAY, ["5 18:05"], "5 18:30", "6 00:00", Standing.QUIET),
        (REPLAY, ["5 18:05"], "6 07:00", "6 00:00", Standing.MISSING),
        (REPLAY, ["5 18:05", "6 06:10"], "6 11:00", "6 12:00", Standing.QUIET),
        (HALF, ["5 17:00"], "6 00:20", "6 12:00", Standing.QUIET),
        (
            HALF,
            ["5 17:00", "6 12:05"],
            "6 12:20",
            "7 00:00",
            Standing.QUIET,
        ),  # late: it does not stand for the next one
        (HALF, ["5 17:00", "6 12:05"], "7 00:20", "7 00:00", Standing.MISSING),
        (HALF, ["5 17:00", "6 12:05", "6 13:00"], "7 00:20", "7 12:00", Standing.QUIET),
        (USUAL["daily-report"], ["5 20:00"], "5 22:30", "6 22:00", Standing.QUIET),
        (USUAL["daily-report"], ["5 15:00"], "5 22:00", "5 22:00", Standing.MISSING),
    ],
)
def test_due(duty: Duty, entries: list[str], now: str, expected: str, how: Standing) -> None:
    """The next due time after these entries, and how the duty stands."""
    kept = Kept()
    for entry in entries:
        kept = entered(duty, kept, SINCE, at(entry), ZONE) or kept
    found = due(duty, kept, SINCE, at(now), ZONE)

    assert at(expected).wall_ns == found.wall_ns
    assert how == standing(duty, found, at(now))


def test_a_clock_set_back_leaves_no_duty_covered_for_days() -> None:
    """E1: an entry of the future covers the next hour at most."""
    kept = Kept(covered=at("25 00:00"))

    assert at("6 12:00").wall_ns == due(REPLAY, kept, SINCE, at("6 01:00"), ZONE).wall_ns


@given(st.lists(st.integers(0, 3 * 86400), max_size=30), st.sampled_from(sorted(USUAL)))
def test_no_gap_passes_unseen(seconds: list[int], kind: str) -> None:
    """Whatever is entered, a time without an entry longer than the duty allows shows as missing."""
    duty = USUAL[kind]
    longest_s = (duty.every_s or 86400 / len(duty.at) + duty.early_s) + duty.grace_s
    kept, last = Kept(), 0
    for second in [*sorted(seconds), 4 * 86400]:
        now = SINCE.after(second)
        if second - last > longest_s:
            assert standing(duty, due(duty, kept, SINCE, now, ZONE), now) is Standing.MISSING
        kept = entered(duty, kept, SINCE, now, ZONE) or kept
        last = second


def test_what_is_kept_over_a_restart() -> None:
    """The same due time, by the wall clock; damaged memory is refused, not believed."""
    kept = Kept(covered=at("5 16:40"), late=at("5 16:30"))
    now = Moment(at("5 17:00").wall_ns, 7 * NANO)  # a reboot
    again = Kept.from_json(kept.to_json(), now)

    assert at("5 17:10").wall_ns == due(PATROL, again, now.after(-3600), now, ZONE).wall_ns
    assert kept.late is not None
    assert again.late is not None
    assert kept.late.wall_ns == again.late.wall_ns
    with pytest.raises((KeyError, TypeError, ValueError)):
        Kept.from_json({"covered": 3}, now)


# ---- on the bench ------------------------------------------------------------------------------------------------

CUSTODY = """
[custody]
start = 2026-06-05T16:00:00
end = 2026-06-10T18:00:00
duties = ["patrol", "replay"]
[contact.tag]
kind = "patrol"
pin = 12
safe = "low"
[[person]]
id = "chen"
name = "陈"
may = ["log"]
"""


def test_an_entry_takes_two_persons(tmp_path: Path) -> None:
    """The first of two is noted, the same person twice is one; both names stand in the event."""
    bench = Bench(tmp_path, VENUE + CUSTODY)
    bench.wait(1)
    first = bench.act("log", "", kind="patrol", by="li-wei")
    same = bench.act("log", "", kind="patrol", by="li-wei")
    both = bench.act("log", "", kind="patrol", by="chen")
    events = [e for e in bench.out.events if e["alarm"] == "duty-patrol"]

    assert [(True, False), (True, False), (True, True)] == [(each["ok"], each["done"]) for each in (first, same, both)]
    assert ["expected", "patrol"] == [e["reason"] for e in events]
    assert "li-wei, chen" == events[1]["by"]


@pytest.mark.parametrize("clock", [ClockState.SYNCHRONISED, ClockState.UNSYNCHRONISED])
def test_duties_go_on_while_the_clock_stands_before_custody(clock: ClockState, tmp_path: Path) -> None:
    """E1: papers that are taken to be there are patrolled, whatever the clock was set back to."""
    bench = Bench(tmp_path, VENUE + CUSTODY)
    bench.wait(1)
    bench.now = replace(bench.now, wall_ns=bench.now.wall_ns - 14 * 86400 * NANO)
    bench.wait(2200, step_s=100, clock=clock)

    assert "raised" == bench.transitions("duty-patrol")[-1]
    assert bench.now.text(ZONE)[:16] <= bench.engine.day.status(bench.now)["duties"]["patrol"][:16]


def test_a_tag_makes_the_patrols_entry_and_is_no_alarm(tmp_path: Path) -> None:
    """A touch of the tag is on record as what it is: nobody is named."""
    bench = Bench(tmp_path, VENUE + CUSTODY)
    bench.lines("tag", False, source="start")
    bench.wait(1)
    bench.lines("tag", True)
    bench.wait(0.3, 0.1)
    entry = next(e for e in bench.out.events if e["alarm"] == "duty-patrol" and e["reason"] == "patrol")

    assert ("tag", None) == (entry["details"]["tag"], entry["by"])
    assert ["updated"] == bench.transitions("tag")
