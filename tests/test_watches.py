"""Contacts in the engine: chatter that floods nothing, a button that is stuck, states as they are published."""

from __future__ import annotations

from pathlib import Path

import pytest
from asyncapi import problems

from gateway.payloads import encode
from gateway.values import ContactFault, Edge
from tests.kit_engine import VENUE, Bench


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    bench = Bench(tmp_path, VENUE)
    bench.found_safe()
    bench.wait(1)
    return bench


def test_500_edges_a_second_for_a_minute(bench: Bench) -> None:
    """A7: one alarm, one report of chatter an interval, the door open once; then quiet, and the chatter is over."""
    for _ in range(60 * 250):
        bench.lines("door", True)
        bench.engine.advance(bench.now)
        bench.now = bench.now.after(0.002)
        bench.lines("door", False)
        bench.engine.advance(bench.now)
        bench.now = bench.now.after(0.002)
    during = bench.transitions("door-chatter")
    bench.wait(130)

    assert 1 == bench.transitions("door").count("raised")
    assert 0 == bench.transitions("door").count("repeated")
    assert ["raised", "updated"] == during[:2]
    assert len(during) <= 3
    assert "cleared" == bench.transitions("door-chatter")[-1]


def test_a_stuck_button(bench: Bench) -> None:
    """A8: held for ten minutes it is said once that it may be stuck; the alarm stands."""
    bench.lines("leak-button", True, False)
    bench.wait(1200, 10.0)

    assert ["raised", "updated"] == bench.transitions("leak-button")
    assert "stuck" == next(e["reason"] for e in bench.out.events if e["transition"] == "updated")
    assert "active_unacknowledged" == bench.state("leak-button")


def test_the_state_of_every_contact_is_as_described(bench: Bench) -> None:
    """What is published of a contact is as the description has it; only a sealed door has a seal."""
    states = {name: bench.out.retained[f"custody/contact/{name}"] for name in ("door", "leak-button")}

    assert ("sealed", None) == (states["door"]["seal"], states["leak-button"]["seal"])
    for name, state in states.items():
        assert [] == problems(f"exam/v1/zj-no1/custody/contact/{name}", encode(state))


def test_the_last_word_of_a_line_that_a_reload_took_away(bench: Bench) -> None:
    """F14: a contact that has one pin now may still be told of its second one: that moves and ends nothing."""
    bench.engine.handle(Edge("door", 1, True, bench.now, "edge"))
    bench.engine.handle(ContactFault("door", "busy", bench.now, lines=(1,)))
    bench.engine.handle(ContactFault("door", None, bench.now, lines=()))
    bench.lines("door", True)
    bench.wait(1)

    assert "active_unacknowledged" == bench.state("door")
