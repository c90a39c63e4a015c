"""The small parts of the exam day: airing's proof, lost time in all, incidents, plausible values, what check says."""

from __future__ import annotations

import threading
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gateway import vocabulary
from gateway.accept import alarms
from gateway.accept.alarms import Far
from gateway.accept.plausible import plausible
from gateway.accept.walk import Step, Walk, looks
from gateway.configuration.config import Config
from gateway.configuration.consistency.exam_day import exam_day
from gateway.configuration.consistency.times import times
from gateway.day.airing import judge
from gateway.day.airing_watch import Room
from gateway.day.entries import ENTRIES
from gateway.day.incidents import Stands, chosen, prefilled
from gateway.day.lost_report import lines, of_the_record, totals
from gateway.day.stages import LOCKED
from gateway.day.wording import DUTIES, INCIDENTS
from gateway.errors import Refused
from gateway.journal.alive import AliveWriter, read_alive
from gateway.moment import NANO, ClockState, Moment
from gateway.screening.second import Waiting
from tests.kit_engine import VENUE, Bench

NOW = Moment(1_780_800_000 * NANO, 1_000 * NANO)


@pytest.mark.parametrize(
    ("minutes", "before", "after", "fell", "good"),
    [
        (60, 1400, 700, True, True),  # 980 over the open air before, 280 after
        (60, 1400, 911, False, False),  # just more than half is still there
        (60, 1400, 910, True, True),
        (59.9, 1400, 500, True, False),
        (75, 500, 560, True, True),  # fresh before, fresh after
        (75, None, 500, None, True),  # nothing is proven, and nothing is claimed
        (75, 1400, None, None, True),
    ],
)
def test_what_an_airing_proves(
    minutes: float, before: float | None, after: float | None, fell: bool | None, good: bool
) -> None:
    """An hour at least; half of what is above the open air is gone, or the room is fresh; unknown proves nothing."""
    proof = judge(NOW, NOW.after(minutes * 60), before, after, 3600.0)

    assert (fell, good) == (proof.fell, proof.good)


@pytest.mark.parametrize(
    ("before", "after", "minutes"),
    [
        (ClockState.SYNCHRONISED, ClockState.SYNCHRONISED, 70),
        (ClockState.UNSYNCHRONISED, ClockState.UNSYNCHRONISED, 70),
        (ClockState.UNSYNCHRONISED, ClockState.SYNCHRONISED, 0),
    ],
)
def test_nothing_has_lasted_for_as_long_as_a_clock_was_wrong(
    before: ClockState, after: ClockState, minutes: int
) -> None:
    """E1: an airing and a rest that began by a clock that was set since then are not proven by the difference."""
    begun, now = replace(NOW, clock=before), Moment(NOW.wall_ns + 4200 * NANO, 9 * NANO, after)
    airing = Room.from_json(Room(airing=begun).to_json(), now).airing
    resting = Waiting.from_json(Waiting(since={7: begun}).to_json(), now)

    assert airing is not None
    assert minutes == judge(airing, now, None, None, 3600.0).minutes
    assert minutes * 60 == now.seconds_since(resting.since[7])


def row(session: str, start: str, lost_s: float, cause: str = "power", sure: bool = True) -> dict[str, Any]:
    times = {"from": f"2026-06-08T{start}+08:00", "to": "2026-06-08T15:59:00.000+08:00"}
    return {"session": session, "cause": cause, "name": "x", "lost_s": lost_s, "listening": False, "sure": sure} | times


def test_time_that_is_lost_twice_counts_once() -> None:
    """Disturbances that lie over each other make one loss; each session has its own; an unsure one is said to be so."""
    rows = [row("a", "15:00:00", 60), row("a", "15:00:30", 60), row("a", "15:10:00", 5), row("b", "15:00:00", 1.5)]

    assert {"a": 95.0, "b": 1.5} == totals(rows)
    assert "not sure" in lines([row("a", "15:00:00", 1, sure=False)])[0]
    assert ["no disturbance of a session is in the record"] == lines([])


def test_a_mock_exam_adds_nothing_to_the_exam() -> None:
    """Sessions of one name on several days of the record are told apart by their days."""
    mock = row("a", "15:00:00", 60)
    mock["from"] = mock["from"].replace("06-08", "05-12")
    rows = [mock, row("a", "15:00:00", 5), row("b", "15:00:00", 1)]

    assert {"a 2026-05-12": 60.0, "a 2026-06-08": 5.0, "b": 1.0} == of_the_record(rows)
    assert any("a 2026-06-08: 5.000 s in all" in line for line in lines(rows))


def test_an_incident_lists_all_twelve_kinds() -> None:
    """What no sensor can know is null, never "no"; a kind that is not unique must be named."""
    sensed = prefilled([Stands("door", "seal"), Stands("fire-1", "fire")])

    assert 12 == len(sensed) == len(INCIDENTS)
    assert (["door"], ["fire-1"], [], None) == tuple(
        sensed[kind] for kind in ("paper-leak", "fire", "flood", "mass-cheating")
    )
    assert "fire" == chosen(None, prefilled([Stands("fire-1", "fire")]))
    with pytest.raises(Refused, match="name the kind"):
        chosen(None, sensed)


def test_every_entry_and_every_refusal_has_words() -> None:
    """What was entered, and what a session forbids, is said in people's words, not in the command's."""
    assert set(ENTRIES) == DUTIES.keys() | vocabulary.ENTRIES.keys()
    assert vocabulary.VERBS.keys() == LOCKED | {"lend"}


def test_an_entry_says_what_came_of_it(tmp_path: Path) -> None:
    """Which incident the sensors made of it, whether an airing was enough: known where it is entered, at once."""
    bench = Bench(tmp_path, VENUE + "[airing.room]\n")
    bench.found_safe()
    bench.wait(1)
    bench.press()
    said = [
        bench.act("log", "", note="x", kind=kind, room="room")["text"]
        for kind in ("incident", "ventilation-start", "ventilation-end")
    ]

    assert "leak of papers" in said[0]
    assert "entered: airing began" == said[1]
    assert "NOT ENOUGH" in said[2]


@pytest.mark.parametrize(
    ("point", "value", "expected"),
    [
        ("m/laf", 45.0, True),
        ("m/laf", 0.0, False),
        ("m/laeq_1min", 131.0, False),
        ("m/co2", 0.0, False),
        ("m/co2", 640.0, True),
        ("m/rain", 1.0, None),
        ("m/laf", None, None),
    ],
)
def test_plausible_values(point: str, value: float | None, expected: bool | None) -> None:
    """A meter that says 0 dB, a CO2 sensor that says 0 ppm is not accepted; what is not in the list is not judged."""
    assert expected is plausible(point, value)


def plan(**more: Any) -> dict[str, Any]:
    point = {"point": "m/laf", "value": 0.0, "unit": "dB(A)", "quality": "good", "plausible": False}
    base = {"time": "t", "devices": {}, "brokers": {}, "clock": "synchronised", "storage": {}, "contacts": {}}
    base |= {"standing": [], "devices": {"m": {"said": "ok", "place": "", "points": [point]}}}
    return base | more


def test_what_is_seen_without_a_hand() -> None:
    """An implausible value, no broker, a card with trouble and a standing alarm are not in order; no power contact is
    not tried.
    """
    found = {step.name: step.ok for step in looks(plan(storage={"events": "full"}, standing=["leak-button"]))}

    assert {
        "device:m": False,
        "broker:-": False,
        "clock": True,
        "card": False,
        "power": None,
        "standing": False,
    } == found


GOOD = {"good": True, "of": "value", "value": 45.5, "unit": "dB(A)", "limit": 55.0, "reason": "good"}
BAD = GOOD | {"good": False, "value": None, "reason": "warm-up"}


def rules(measured: dict[str, Any], *stations: str) -> dict[str, Any]:
    rule = {"place": "gate", "stations": list(stations), "measured": measured}
    return plan(rules={"loud": rule}, others={})


@pytest.mark.parametrize(
    ("stations", "before", "far", "measured", "ok", "said"),
    [
        (
            ["a", "b"],
            None,
            Far({"a": 40, "b": 1200}),
            GOOD,
            True,
            "received by a in 0.04 s, b in 1.20 s; now 45.5 dB(A)",
        ),
        (["a"], None, Far({"a": 40}), BAD, False, "received by a in 0.04 s; NOT measured now: it is still warming up"),
        (["a", "b"], None, Far({"a": 40}, "no receipt from b"), GOOD, False, "no receipt from b"),
        ([], None, None, GOOD, False, "no station is there"),
        (["a"], None, None, GOOD, None, "left out"),
        (["a"], None, None, BAD, False, "left out"),
        (["a"], {"a": 50}, None, GOOD, True, "received by a in 0.05 s"),
        (["a"], {"a": 50}, None, BAD, False, "NOT measured now"),
        (["a"], {"a": 50}, Far({}, "refused"), GOOD, False, "refused"),
    ],
)
def test_a_rules_chain_is_proven_link_by_link(
    stations: list[str], before: Any, far: Far | None, measured: Any, ok: bool | None, said: str
) -> None:
    """Alarm to far end by a drill, sensor to rule by what is measured now: each by itself, and both must be good."""
    known = {} if before is None else {"rule:loud": Step("rule:loud", "x", False, "x", far=before)}
    (step,) = alarms.steps(rules(measured, *stations), known, {} if far is None else {"loud": far})

    assert ok is step.ok
    assert said in step.said
    assert (step.far is not None) is (ok is True or (ok is False and measured is BAD and "left out" not in said))


def test_what_the_far_end_has_is_not_drilled_again() -> None:
    """Unless all is asked for; only what is named, where names are given; and nothing that nobody could sign for."""
    there = rules(GOOD, "a") | {"others": {"gateway": {"count": 9, "drills": ["clock", "heat"], "stations": ["a"]}}}
    known = {"rule:loud": Step("rule:loud", "x", True, "x", far={"a": 50})}

    assert {"clock": ["a"], "heat": ["a"]} == alarms.wanted(there, known, None)
    assert {"loud": ["a"], "clock": ["a"], "heat": ["a"]} == alarms.wanted(there, {}, None)
    assert {"loud": ["a"]} == alarms.wanted(there, {}, ["loud"])
    assert {} == alarms.wanted(rules(GOOD), {}, None)


class Impatient(threading.Event):
    """Time passes at once; after `breaks` looks somebody presses Ctrl-C."""

    def __init__(self, breaks: int | None = None) -> None:
        super().__init__()
        self.looks, self.breaks = 0, breaks

    def wait(self, timeout: float | None = None) -> bool:
        self.looks += 1
        if self.looks == self.breaks:
            raise KeyboardInterrupt
        return False


class Venue:
    """A gateway whose stations sign for some drills, lose some and refuse some."""

    def __init__(self) -> None:
        self.running: list[str] = []
        self.ended: list[str] = []

    def ask(self, _request: dict[str, Any]) -> dict[str, Any]:
        signed = {"signed": ["a"], "half": ["a"]}
        return {"alarms": [{"alarm": f"{name}-drill", "received_by": signed.get(name, [])} for name in self.running]}

    def act(self, request: dict[str, Any]) -> dict[str, Any]:
        name = request["alarm"]
        if name == "refused" or (request.get("end") and name == "real"):
            raise Refused("not now" if name == "refused" else "no drill of 'real' is going on")
        if not request.get("end"):
            self.running += [] if name == "real" else [name]
            return {}
        self.running.remove(name)
        self.ended.append(name)
        return {"record": {"received_ms": {"a": 12} if name in ("signed", "half") else {}}}


@pytest.mark.parametrize("breaks", [None, 2])
def test_every_drill_that_was_begun_is_ended(tmp_path: Path, breaks: int | None) -> None:
    """Signed for, silent, signed for by one of two, ended by what is real, refused: each is told; none is left, also
    when the walk is broken off.
    """
    there = Venue()
    walk = Walk(tmp_path / "a.json", there.ask, there.act, print, {})
    wanted = {"signed": ["a"], "silent": ["a"], "half": ["a", "b"], "real": ["a"], "refused": ["a"]}
    if breaks:
        with pytest.raises(KeyboardInterrupt):
            alarms.drill_all(walk, wanted, Impatient(breaks))
    else:
        found = {
            name: (far.received_ms, far.error) for name, far in alarms.drill_all(walk, wanted, Impatient()).items()
        }

        assert {
            "signed": ({"a": 12}, None),
            "silent": ({}, "no receipt from a"),
            "half": ({"a": 12}, "no receipt from b"),
            "real": ({}, "no drill of 'real' is going on"),
            "refused": ({}, "not now"),
        } == found

    assert [] == there.running
    assert {"signed", "silent", "half"} == set(there.ended)


def test_an_acceptance_that_is_none_is_not_gone_on_with(tmp_path: Path) -> None:
    """A foreign file is refused, not overwritten."""
    file = tmp_path / "acceptance.json"
    file.write_text("[1]")
    with pytest.raises(Refused, match="no acceptance"):
        Walk.begin(file, dict, dict, print)

    assert "[1]" == file.read_text()


MANY = """
[custody]
start = 2026-06-05T16:00:00
end = 2026-06-10T18:00:00
duties = ["patrol"]
[duty.patrol]
every = "30m"
at = ["08:00"]
tag = "door"
[duty.replay]
grace = "1h"
[airing.room]
co2 = "nothing/co2"
door = "gate"
[zero_report]
at = ["18:00"]
[record]
events_days = 100
"""


def test_check_finds_what_the_day_could_not_do() -> None:
    """Each mistake of the day's tables at its key."""
    found = {problem.at for problem in exam_day(Config.model_validate(tomllib.loads(VENUE + MANY)))}

    assert {
        ("duty", "patrol"),
        ("duty", "patrol", "tag"),
        ("duty", "replay"),
        ("airing", "room", "co2"),
        ("airing", "room", "door"),
        ("zero_report",),
        ("custody", "duties"),
        ("record", "events_days"),
    } == found


def test_two_sessions_of_one_name_are_told() -> None:
    """An order, an entry or lost time names a session: it must be one."""
    twice = '[[session]]\nname = "语文"\nstart = 2026-06-08T09:00:00\nend = 2026-06-08T11:30:00\n'
    found = {problem.at for problem in times(Config.model_validate(tomllib.loads(VENUE + twice)))}

    assert {("session", 1, "name")} == found


def test_the_last_sign_of_life(tmp_path: Path) -> None:
    """At most one in two seconds, but always the last one; a damaged file is none."""
    writer = AliveWriter(tmp_path)
    end_s = NOW.after(90).wall_ns / NANO
    for second in (0.0, 0.5, 1.0):
        writer.put(NOW.after(second), end_s)
    writer.put(NOW.after(1.5), end_s, last=True)
    stop = threading.Event()
    stop.set()
    writer.run(stop)
    kept = read_alive(tmp_path, NOW.after(60))
    (tmp_path / "alive.json").write_text("{")

    assert kept is not None
    assert NOW.after(1.5).wall_ns == kept.wall_ns
    assert 58.5 == NOW.after(60).seconds_since(kept)
    assert read_alive(tmp_path, NOW) is None
