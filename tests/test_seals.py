"""The sealed room: phases, openings, windows that two persons open, and custody that goes on until it is ended."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from asyncapi import problems
from kit_alarms import at

from gateway.alarms import Alarm, State
from gateway.assembly import Plan
from gateway.calendar import Calendar
from gateway.configuration.armed import Armed
from gateway.contacts.seals import STAYED, TABLE, Guard, Movement, Phase, Seals, moved, stayed
from gateway.engine import Reconfigured
from gateway.moment import NANO, Moment
from gateway.payloads import encode
from gateway.points import Points
from gateway.values import ContactFault
from tests.kit_engine import START_NS, VENUE, Bench

CUSTODY = "\n[custody]\nstart = 2026-06-07T09:00:00\nend = 2026-06-07T10:00:00\n"
SOON = CUSTODY.replace("09:00:00", "09:01:00")


# ---- the table ---------------------------------------------------------------------------------------------------


def said(rows: Any) -> list[str]:
    return [f"{row.part or 'door'} {row.signal.value}" + (f" {row.reason}" if row.reason else "") for row in rows]


CLEARED = ["door clear", "long clear", "alone clear", "found clear"]
MOVED = [
    (Movement.OPENED, Guard(Phase.UNSEALED), ["door update opened-in-order"]),
    (Movement.OPENED, Guard(Phase.SEALED), ["door press", "long breach"]),
    (Movement.OPENED, Guard(Phase.SEALED, asked="chen"), ["door press", "alone press", "long breach"]),
    (Movement.OPENED, Guard(Phase.AUTHORISED), ["door update opened-in-window", "long breach"]),
    (Movement.OPENED, Guard(Phase.AUTHORISED, asked="chen"), ["door update opened-in-window", "long breach"]),
    (Movement.FOUND, Guard(Phase.UNSEALED), ["door update found-open"]),
    (Movement.FOUND, Guard(Phase.SEALED), ["found breach found-at-start", "long breach"]),
    (Movement.FOUND, Guard(Phase.SEALED, open_alarm=True), ["long breach"]),
    (Movement.FOUND, Guard(Phase.AUTHORISED), ["door update opened-in-window", "long breach"]),
    (Movement.CLOSED, Guard(Phase.UNSEALED), ["door update closed", *CLEARED]),
    (Movement.CLOSED, Guard(Phase.SEALED), CLEARED),
    (Movement.CLOSED, Guard(Phase.AUTHORISED), ["door update closed", *CLEARED]),
]


@pytest.mark.parametrize(("movement", "guard", "expected"), MOVED)
def test_movements(movement: Movement, guard: Guard, expected: list[str]) -> None:
    """What each movement of a door says in each phase."""
    assert expected == said(moved(movement, guard, was_open=True))


def test_the_movements_are_all_there() -> None:
    """Every movement has an answer in every phase; none that opens a sealed door is silent."""
    assert {(m, p) for m in Movement if m is not Movement.STAYED for p in Phase} == set(TABLE)
    assert all(any(row.signal.value in ("press", "breach") for row in TABLE[m, Phase.SEALED]) for m in ("opened",))


def test_a_door_found_closed_says_nothing_of_closing() -> None:
    """Only a door that was open is said to have been closed."""
    assert CLEARED == said(moved(Movement.CLOSED, Guard(Phase.UNSEALED), was_open=False))


STAYS = [
    (Phase.UNSEALED, Phase.SEALED, ["door breach open-at-arming", "long breach"]),
    (Phase.UNSEALED, Phase.AUTHORISED, ["long breach"]),
    (Phase.AUTHORISED, Phase.SEALED, ["long press window-over"]),
    (Phase.SEALED, Phase.UNSEALED, ["long clear"]),
    (Phase.AUTHORISED, Phase.UNSEALED, ["long clear"]),
    (Phase.SEALED, Phase.AUTHORISED, []),
    (Phase.SEALED, Phase.SEALED, []),
]


@pytest.mark.parametrize(("before", "after", "expected"), STAYS)
def test_a_door_that_stays_open(before: Phase, after: Phase, expected: list[str]) -> None:
    """What a new phase says of a door that is open."""
    assert expected == said(stayed(before, after))
    assert set(STAYED) <= {(b, a) for b, a, _ in STAYS}


RAISED = Alarm("door", State.ACTIVE_UNACKNOWLEDGED, condition=True, standing=True)
LATCHED = Alarm("door", State.LATCHED_ACKNOWLEDGED, standing=True)
GUARDS = [
    (False, {}, Guard(Phase.UNSEALED), "unsealed"),
    (True, {}, Guard(Phase.SEALED), "sealed"),
    (True, {"door": Alarm("door")}, Guard(Phase.SEALED), "sealed"),
    (True, {"door": RAISED}, Guard(Phase.SEALED, None, True, True), "violated"),
    (True, {"door-found": LATCHED}, Guard(Phase.SEALED, None, False, True), "violated"),
    (False, {"door-long": LATCHED}, Guard(Phase.UNSEALED, None, False, True), "violated"),
]


@pytest.mark.parametrize(("stored", "alarms", "guard", "shown"), GUARDS)
def test_guard(stored: bool, alarms: dict[str, Alarm], guard: Guard, shown: str) -> None:
    """Phase by custody and windows; violated while any alarm about an opening stands, whatever the phase."""
    found = Seals().guard("door", alarms.get, at(0), stored=stored)

    assert (guard, shown) == (found, found.shown)


def test_guard_with_wishes_and_windows() -> None:
    """One who asks is known for two minutes; two open a window, which has an end."""
    seals = Seals()
    seals.openings.ask("door", "chen", "papers", 600, at(0))
    alone, late = (seals.guard("door", {}.get, at(second), stored=True) for second in (120, 121))
    seals.openings.ask("door", "chen", "papers", 600, at(121))
    nothing_due = seals.due()
    seals.openings.ask("door", "li-wei", "papers", 600, at(130))
    window = seals.guard("door", {}.get, at(131), stored=True)

    assert (Guard(Phase.SEALED, "chen"), Guard(Phase.SEALED)) == (alone, late)
    assert (Guard(Phase.AUTHORISED), "authorised") == (window, window.shown)
    assert (None, at(730).mono_ns) == (nothing_due, seals.due())
    assert ["door"] == [one.contact for one in seals.over(at(730))]


# ---- in the engine -----------------------------------------------------------------------------------------------


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    bench = Bench(tmp_path)  # without [custody]: sealed always
    bench.found_safe()
    bench.wait(1)
    return bench


def ask(bench: Bench, by: str, *, for_s: float = 600, note: str = "papers arrive") -> dict[str, Any]:
    return bench.act("open-window", "door", by=by, note=note, for_s=for_s)


def window(bench: Bench, for_s: float = 600) -> None:
    ask(bench, "li-wei", for_s=for_s)
    ask(bench, "chen", for_s=1800)


def door(bench: Bench, *, opened: bool, then_s: float = 1.0) -> None:
    bench.lines("door", opened)
    bench.wait(then_s)


def events(bench: Bench) -> list[dict[str, Any]]:
    """Those of custody: nobody plays the meter here, so its silence is an alarm too."""
    return [e for e in bench.out.events if e["stream"] == "custody"]


def raised(bench: Bench) -> list[str]:
    return [e["alarm"] for e in events(bench) if e["transition"] == "raised"]


def seal(bench: Bench) -> str:
    message = bench.out.retained["custody/contact/door"]
    assert [] == problems("exam/v1/zj-no1/custody/contact/door", encode(message))
    return str(message["seal"])


def test_an_opening_outside_a_window_violates_the_seal_until_it_is_reset(bench: Bench) -> None:
    """Sealed, opened: an alarm, violated; closed it stays violated until a named person resets it."""
    shown = [seal(bench)]
    door(bench, opened=True)
    shown.append(seal(bench))
    door(bench, opened=False)
    shown.append(seal(bench))
    bench.act("ack", "door")
    bench.act("reset", "door", note="a draught; door and papers checked")
    shown.append(seal(bench))

    assert ["sealed", "violated", "violated", "sealed"] == shown
    assert ["door"] == raised(bench)
    assert bench.out.made[0].needs_receipt


def test_two_persons_open_a_window_and_the_opening_in_it_is_recorded(bench: Bench) -> None:
    """Both wishes, the opening and the closing are events of custody and no alarm; the sentences say so."""
    first, second = ask(bench, "li-wei"), ask(bench, "chen", for_s=900)
    shown = [seal(bench)]
    door(bench, opened=True)
    door(bench, opened=False)
    bench.wait(600)
    shown.append(seal(bench))
    told = [(e["transition"], e["reason"], e["by"]) for e in bench.out.events if e["alarm"] == "door"]

    assert (None, "2026-06-07T09:10") == (first["until"], second["until"][:16])
    assert ["authorised", "sealed"] == shown
    assert [
        ("updated", "window-asked", "li-wei"),
        ("updated", "window-opened", "li-wei, chen"),
        ("updated", "opened-in-window", None),
        ("updated", "closed", None),
        ("updated", "window-over", None),
    ] == told
    assert all(event.needs_receipt for event in bench.out.made if event.stream == "custody")
    assert "without authority" not in "".join(e["text"]["en"] for e in bench.out.events)


def test_a_door_still_open_when_its_window_ends_is_an_alarm_at_once(bench: Bench) -> None:
    """`-long` at the end of the window, by the monotonic clock; the shorter of the two wishes counts."""
    window(bench, for_s=60)
    door(bench, opened=True, then_s=58)
    before = raised(bench)
    bench.wait(2)

    assert ([], ["door-long"]) == (before, raised(bench))
    event = next(e for e in events(bench) if e["transition"] == "raised")
    assert ("window-over", "2026-06-07T09:01:01") == (event["reason"], event["time"][:19])
    assert "violated" == seal(bench)


@pytest.mark.parametrize("authorised", [True, False])
def test_a_door_open_for_longer_than_allowed(tmp_path: Path, *, authorised: bool) -> None:
    """`longest_opening`, in a window and out of it."""
    bench = Bench(tmp_path, VENUE.replace("pin = 17", 'pin = 17\nlongest_opening = "2m"'))
    bench.found_safe()
    if authorised:
        window(bench)
    door(bench, opened=True, then_s=119)
    before = raised(bench)
    bench.wait(3)
    door(bench, opened=False)

    first = [] if authorised else ["door"]
    assert (first, [*first, "door-long"]) == (before, raised(bench))
    assert "latched_unacknowledged" == bench.state("door-long")


def test_opened_when_only_one_had_asked(bench: Bench) -> None:
    """With fewer than two named custodians the opening is an alarm, and that one was alone another one."""
    ask(bench, "li-wei")
    door(bench, opened=True)
    late = ask(bench, "chen")

    assert ["door", "door-alone"] == raised(bench)
    assert late["until"] is not None
    assert "violated" == seal(bench)


def test_after_two_minutes_one_wish_is_forgotten(bench: Bench) -> None:
    """An opening long after one person's wish is simply an opening outside a window."""
    ask(bench, "li-wei")
    bench.wait(125)
    door(bench, opened=True)

    assert ["door"] == raised(bench)


REFUSED = [
    ("leak-button", "chen", "papers", 600, "no sealed door"),
    ("nothing", "chen", "papers", 600, "no sealed door"),
    ("door", "", "papers", 600, "who asks"),
    ("door", "chen", " ", 600, "say why"),
    ("door", "chen", "papers", 1801, "at most 30 min"),
    ("door", "chen", "papers", None, "at most 30 min"),
    ("door", "chen", "papers", "long", "at most 30 min"),
]


@pytest.mark.parametrize(("name", "by", "note", "for_s", "words"), REFUSED)
def test_refused(bench: Bench, name: str, by: str, note: str, for_s: Any, words: str) -> None:
    """What is wrong with a wish is said in words, and opens nothing."""
    answer = bench.act("open-window", name, by=by, note=note, for_s=for_s)

    assert not answer["ok"]
    assert words in answer["error"]
    assert [] == bench.out.events


def test_one_person_twice_opens_nothing(bench: Bench) -> None:
    """Two commands of one person are one person's wish."""
    ask(bench, "li-wei")
    ask(bench, "li-wei")
    door(bench, opened=True)

    assert ["door", "door-alone"] == raised(bench)


def test_without_papers_no_window_is_needed(tmp_path: Path) -> None:
    """Before custody the door is unsealed: openings are recorded, and a window is refused."""
    bench = Bench(tmp_path, VENUE + SOON)
    bench.found_safe()
    bench.wait(1)
    refused = ask(bench, "li-wei")
    shown = [seal(bench)]
    door(bench, opened=True)
    bench.wait(60)
    shown.append(seal(bench))

    assert "without a window" in refused["error"]
    assert ["unsealed", "violated"] == shown
    assert ["opened-in-order", "open-at-arming"] == [e["reason"] for e in events(bench)]


def test_a_door_found_open_is_an_alarm_of_its_own(bench: Bench) -> None:
    """A3: closed when the gateway stopped, open when it starts: nobody saw it being opened."""
    bench.restart()
    bench.lines("door", True, source="start")
    bench.wait(1)

    assert ["door-found"] == raised(bench)
    assert "found-at-start" == events(bench)[-1]["reason"]
    assert 0 == bench.engine.watches["door"].openings
    bench.wait(600)
    assert ["door-found", "door-long"] == raised(bench)


def test_a_door_known_to_be_open_simply_stands_after_a_restart(bench: Bench) -> None:
    """A9: an alarm that stood with the door open goes on as the same activation, and no second one is made of it."""
    door(bench, opened=True)
    bench.restart()
    bench.lines("door", True, source="start")
    bench.wait(1)
    stood = raised(bench)
    bench.lines("door", False)
    bench.wait(1)

    assert ["door"] == stood
    assert ["raised", "repeated", "cleared"] == bench.transitions("door")


def test_a_window_ends_with_a_restart(bench: Bench) -> None:
    """Nothing of a window is kept: an opening after the restart is an alarm, a door found open another."""
    window(bench)
    bench.restart()
    bench.lines("door", False, source="start")
    bench.wait(1)
    door(bench, opened=True)

    assert ["door"] == raised(bench)


def test_a_door_opened_in_a_window_and_found_open_after_a_restart(bench: Bench) -> None:
    """The restart has ended the window: the open door is an alarm."""
    window(bench)
    door(bench, opened=True)
    bench.restart()
    bench.lines("door", True, source="start")
    bench.wait(1)

    assert ["door-found"] == raised(bench)


def test_a_pin_lost_in_a_window_hides_no_opening(bench: Bench) -> None:
    """While nobody can look the door is opened; found open after the window it is an alarm."""
    window(bench, for_s=30)
    bench.engine.handle(ContactFault("door", "gone", bench.now, lines=(0,)))
    bench.wait(40)
    bench.engine.handle(ContactFault("door", None, bench.now))
    bench.lines("door", True, source="start")
    bench.wait(1)

    assert ["door-pin", "door-found"] == raised(bench)


def test_a_jump_of_the_clock_makes_no_window_longer(bench: Bench) -> None:
    """E1: a window ends on the monotonic clock."""
    window(bench, for_s=60)
    bench.now = Moment(bench.now.wall_ns - 86400 * NANO, bench.now.mono_ns)
    bench.wait(61)
    door(bench, opened=True)

    assert ["door"] == raised(bench)


# ---- custody goes on ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("begun", "raised"), [(True, ["raised"]), (False, ["updated"])])
def test_a_clock_that_is_set_back_unseals_no_door(tmp_path: Path, *, begun: bool, raised: list[str]) -> None:
    """E1: custody that has begun is not undone by a time server; one that has not begun is not brought forward."""
    bench = Bench(tmp_path, VENUE + (CUSTODY if begun else SOON))
    bench.found_safe()
    bench.wait(2)
    bench.now = Moment(bench.now.wall_ns - 14 * 86_400 * NANO, bench.now.mono_ns)
    bench.wait(1)
    bench.lines("door", True)
    bench.wait(1, 0.1)

    assert raised == bench.transitions("door")


def test_a_reload_unseals_no_door_while_the_clock_is_set_back(tmp_path: Path) -> None:
    """E1: a new configuration with the same custody knows that it has begun."""
    bench = Bench(tmp_path, VENUE + CUSTODY)
    bench.found_safe()
    bench.wait(2)
    bench.now = Moment(bench.now.wall_ns - 14 * 86_400 * NANO, bench.now.mono_ns)
    before = bench.engine.points
    points = Points(before.board, Calendar(bench.config), before.rules.values())
    plan = Plan.of(Armed(bench.config, ()), "1" * 64)
    bench.engine.handle(Reconfigured(plan, bench.engine.health, points, bench.now))
    bench.lines("door", True)
    bench.wait(1, 0.1)

    assert ["raised"] == bench.transitions("door")


def test_custody_goes_on_after_its_end_until_a_person_ends_it(tmp_path: Path) -> None:
    """Sealed after `custody.end`; ended by name and with a reason; over after a restart too."""
    bench = Bench(tmp_path, VENUE + CUSTODY)
    bench.found_safe()
    bench.wait(1)
    early = bench.act("retire", "custody", note="papers have left", name="custody")
    bench = Bench(tmp_path, VENUE + CUSTODY, start_ns=START_NS + 7200 * NANO)
    bench.found_safe()
    bench.wait(1)
    shown = [seal(bench)]
    nameless = bench.act("retire", "custody", note="", name="custody")
    ended = bench.act("retire", "custody", note="papers have left", name="custody")
    bench.wait(1)
    shown.append(seal(bench))
    again = bench.act("retire", "custody", note="papers have left", name="custody")
    door(bench, opened=True)
    bench.restart()
    bench.lines("door", True, source="start")
    bench.wait(1)

    assert (False, False, True, False) == (early["ok"], nameless["ok"], ended["ok"], again["ok"])
    assert ["sealed", "unsealed"] == shown
    assert [] == raised(bench)
    event = next(e for e in bench.out.events if e["alarm"] == "custody")
    assert ("updated", "custody-ended", "li-wei", "papers have left", "custody") == tuple(
        event[key] for key in ("transition", "reason", "by", "note", "stream")
    )


def test_without_a_custody_table_it_cannot_be_ended(bench: Bench) -> None:
    """Where nothing says when papers are stored, they are taken to be there at all times."""
    assert "at all times" in bench.act("retire", "custody", note="x", name="custody")["error"]


def test_an_alarm_that_stands_is_not_ended_with_custody(tmp_path: Path) -> None:
    """Violated stays violated until it is reset."""
    bench = Bench(tmp_path, VENUE + CUSTODY, start_ns=START_NS + 7200 * NANO)
    bench.found_safe()
    door(bench, opened=True)
    bench.act("retire", "custody", note="papers have left", name="custody")
    door(bench, opened=False)

    assert "violated" == seal(bench)
    assert "latched_unacknowledged" == bench.state("door")


def test_a_reload_keeps_windows_and_doors(bench: Bench) -> None:
    """A new configuration that does not touch the door leaves its window and state as they are."""
    window(bench)
    plan = Plan.of(Armed(bench.config, ()), "1" * 64)
    bench.engine.handle(Reconfigured(plan, bench.engine.health, bench.engine.points, bench.now))
    door(bench, opened=True)

    assert [] == raised(bench)
    assert "authorised" == seal(bench)
