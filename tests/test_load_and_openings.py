"""What alarms ask of people (EEMUA 191), and authorised openings of the sealed room."""

from __future__ import annotations

from dataclasses import replace

import pytest
from kit_alarms import at

from gateway.alarm.load import Load, stale
from gateway.alarms import Alarm
from gateway.contacts.openings import Openings
from gateway.errors import Refused
from gateway.moment import NANO


@pytest.mark.parametrize(("times", "flood"), [(10, False), (11, True)])
def test_flood_begins(times: int, flood: bool) -> None:
    """Ten activations over 599 s are no flood, eleven are."""
    load = Load()
    for i in range(times):
        load.add(f"alarm-{i}", at(i * 599 / (times - 1)))

    assert flood is load.flood(at(599))


def test_flood_ends_when_fewer_than_five_are_recent() -> None:
    """A flood goes on until fewer than five came in ten minutes; few alarms alone are none."""
    load = Load()
    for i in range(100):
        load.add("door", at(i))
    during = load.flood(at(100))
    for second in (650, 660, 670, 680):
        load.add("door", at(second))
    found = [load.flood(at(second)) for second in (691, 694, 699, 700)]

    assert during
    assert [True, True, False, False] == found


def test_chatter() -> None:
    """A7: three activations within a minute chatter, two do not, and the memory does not grow with their number."""
    load = Load()
    for i in range(3_000):
        load.add("door", at(i / 50))
        load.add("button", at(i / 50))
    load.add("gate", at(59))
    load.add("gate", at(60))

    assert ("door", "button") == load.chattering(at(60))
    assert load.flood(at(60))
    assert () == load.chattering(at(121))
    assert {} == load._each
    assert 11 == len(load._all)


def test_stale() -> None:
    """What stands for more than a day is named, be it hidden; what is over is not."""
    old = replace(Alarm("old"), standing=True, raised=at(0))
    alarms = [old, replace(old, name="over", standing=False), replace(old, name="new", raised=at(100))]

    assert ("old",) == stale([*alarms, Alarm("never")], at(86401))


def test_two_people_open_a_window() -> None:
    """Two different people within two minutes open one door, for the shorter of their times, ended by itself."""
    openings = Openings()
    first = openings.ask("door", "chen", "papers arrive", 1800, at(0))
    opening = openings.ask("door", "li-wei", "papers arrive", 600, at(120))

    assert first is None
    assert opening is not None
    assert (("chen", "li-wei"), at(720)) == (opening.by, opening.until)
    assert (opening, None, None) == (
        openings.holds("door", at(719)),
        openings.holds("door", at(720)),
        openings.holds("other", at(200)),
    )
    assert at(720) == openings.due()
    assert () == openings.advance(at(719))
    assert (opening,) == openings.advance(at(720))
    assert () == openings.advance(at(721))
    assert openings.due() is None


NOT_TWO = [
    ("the same person twice", [("chen", 0), ("chen", 10)]),
    ("too late", [("chen", 0), ("li-wei", 121)]),
    ("used up", [("chen", 0), ("li-wei", 10), ("zhou", 20)]),
]


@pytest.mark.parametrize(("name", "wishes"), NOT_TWO)
def test_one_person_opens_nothing(name: str, wishes: list[tuple[str, float]]) -> None:
    """One person alone, a second who comes too late, and a third after two open nothing."""
    openings = Openings()
    got = [openings.ask("door", by, "papers", 600, at(second)) for by, second in wishes]

    assert got[-1] is None
    if name != "used up":
        assert openings.holds("door", at(wishes[-1][1])) is None


def test_the_late_one_is_the_first_of_a_new_pair() -> None:
    """Who came too late waits for a second in turn."""
    openings = Openings()
    for by, second in (("chen", 0), ("li-wei", 200)):
        openings.ask("door", by, "papers", 600, at(second))

    assert openings.ask("door", "chen", "papers", 600, at(210)) is not None


def test_two_doors_are_two_matters() -> None:
    """Wishes for different doors do not make a pair."""
    openings = Openings()
    openings.ask("door", "chen", "papers", 600, at(0))

    assert openings.ask("cabinet", "li-wei", "papers", 600, at(1)) is None


@pytest.mark.parametrize("jump_s", [14 * 86400, -14 * 86400])
def test_a_window_ends_on_the_monotonic_clock(jump_s: int) -> None:
    """E1: a wall clock that jumps makes a window neither longer nor shorter."""
    openings = Openings()
    openings.ask("door", "chen", "papers", 600, at(0))
    openings.ask("door", "li-wei", "papers", 600, at(1))
    early, late = (replace(at(s), wall_ns=at(s).wall_ns + jump_s * NANO) for s in (600, 601))

    assert openings.holds("door", early) is not None
    assert openings.holds("door", late) is None


def test_closed_before_its_time() -> None:
    """A window can be ended by hand, and a wish that waits is gone with it."""
    openings = Openings()
    openings.ask("door", "chen", "papers", 600, at(0))
    opening = openings.ask("door", "li-wei", "papers", 600, at(1))
    openings.ask("door", "chen", "papers", 600, at(2))

    assert opening == openings.close("door")
    assert openings.holds("door", at(3)) is None
    assert openings.close("door") is None
    assert openings.ask("door", "li-wei", "papers", 600, at(4)) is None


@pytest.mark.parametrize(
    ("by", "note", "for_s", "sentence"),
    [
        ("", "papers", 600, "who asks"),
        ("chen", None, 600, "say why"),
        ("chen", "  ", 600, "say why"),
        ("chen", "papers", 0, "at most 30 min"),
        ("chen", "papers", 1801, "at most 30 min"),
    ],
)
def test_refused(by: str, note: str | None, for_s: float, sentence: str) -> None:
    """Nobody, no reason and too long a time are refused with a sentence."""
    with pytest.raises(Refused, match=sentence):
        Openings().ask("door", by, note, for_s, at(0))
