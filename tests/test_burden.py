"""How much the alarms ask of people: floods, chatter and stale ones are told, and hide nothing (EEMUA 191)."""

from __future__ import annotations

from pathlib import Path

import pytest
from kit_alarms import at

from gateway.alarm.burden import Burden
from gateway.alarms import Alarm, Given, Signal, Transition
from gateway.moment import NANO
from tests.kit_engine import VENUE, Bench

SWITCHES = "".join(f'\n[contact.water-{n}]\nkind = "flood"\npin = {n}\nsafe = "low"\n' for n in range(6, 17))


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    bench = Bench(tmp_path, VENUE + SWITCHES)
    bench.found_safe()
    for n in range(6, 17):
        bench.lines(f"water-{n}", False, source="start")
    bench.wait(1)
    return bench


@pytest.mark.parametrize(("alarms", "flood"), [(9, False), (10, True)])
def test_a_flood_is_told_and_every_alarm_is_recorded(bench: Bench, alarms: int, flood: bool) -> None:
    """A7: with the meter's silence ten are no flood and eleven are; each is an event all the same."""
    for n in range(6, 6 + alarms):
        bench.lines(f"water-{n}", True)
        bench.wait(20)

    assert flood == ("raised" in bench.transitions("alarm-flood"))
    assert alarms == sum(e["transition"] == "raised" and e["kind"] == "flood" for e in bench.out.events)


def test_a_flood_ends_when_few_come(bench: Bench) -> None:
    """Over when fewer than five came in ten minutes."""
    for n in range(6, 17):
        bench.lines(f"water-{n}", True)
        bench.wait(1)
    bench.wait(610)

    assert ["raised", "cleared"] == bench.transitions("alarm-flood")


def test_an_alarm_that_comes_again_and_again_is_named(bench: Bench) -> None:
    """A7: three times in a minute; every opening stays an event; a second one that joins is told too."""
    for _ in range(4):
        bench.press()
        bench.wait(2)
    for _ in range(4):
        bench.lines("door", True)
        bench.wait(1)
        bench.lines("door", False)
        bench.wait(1)

    assert ["raised", "updated"] == bench.transitions("alarm-chatter")[:2]
    reasons = [e["reason"] for e in bench.out.events if e["alarm"] == "alarm-chatter"]
    assert ["leak-button", "leak-button, door"] == reasons[:2]
    assert 4 == sum(e["transition"] in ("raised", "repeated") for e in bench.out.events if e["alarm"] == "door")
    bench.wait(200)
    assert "cleared" == bench.transitions("alarm-chatter")[-1]


def test_what_stands_for_more_than_a_day_is_named(bench: Bench) -> None:
    """Stale: named until it is dealt with."""
    bench.press()
    bench.now = type(bench.now)(bench.now.wall_ns + 86500 * NANO, bench.now.mono_ns + 86500 * NANO)
    bench.wait(1)
    bench.act("ack", "leak-button")
    bench.act("reset", "leak-button", note="found")
    bench.wait(2)
    told = [
        (e["transition"], "leak-button" in str(e["reason"])) for e in bench.out.events if e["alarm"] == "alarm-stale"
    ]

    assert ("raised", True) == told[0]


@pytest.mark.parametrize(("reason", "flood"), [("restart", False), (None, True)])
def test_a_restart_is_no_flood(reason: str | None, flood: bool) -> None:
    """What is said again after a restart asks nothing new of people."""
    burden = Burden()
    for n in range(12):
        burden.passed(f"door-{n}", Transition("repeated", Alarm(f"door-{n}"), at(n), Given(reason=reason)))
    found = {finding.alarm: finding.signal for finding in burden.tick((), at(12))}

    assert flood == (found["alarm-flood"] is Signal.BREACH)
