"""The entrance: one person one measurement, nobody over the threshold passes, and nobody's name is known."""

from __future__ import annotations

import json
import tomllib
from dataclasses import replace
from pathlib import Path

import asyncapi
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kit_engine import START_NS, VENUE, Bench

from benchmarks.screening import CROWDS, Crowd, play
from drivers.base import Quality
from gateway import payloads
from gateway.configuration.config import Config
from gateway.configuration.consistency import problems
from gateway.configuration.screening import Screening
from gateway.moment import NANO, Moment
from gateway.persons.local import status_lines
from gateway.screening.gate import Gate
from gateway.screening.persons import Peaks, compensated, judge, tenths
from gateway.values import Command, Reading, Readings

GATE = """
[device.gate-a]
driver = "gy_mcu90614"
port = "/dev/null"
every = "0.1s"

[screening.north]
point = "gate-a/object_temperature"
ambient = "gate-a/ambient_temperature"
place = "north gate"
expected = 100
"""
ENTRY_NS = START_NS - 3600 * NANO  # 08:00, an hour before the session


class Entrance:
    """A bench whose thermometer is walked by."""

    def __init__(self, tmp_path: Path, more: str = "", start_ns: int = ENTRY_NS) -> None:
        self.bench = Bench(tmp_path, VENUE + GATE + more, start_ns=start_ns)

    @property
    def gate(self) -> Gate:
        return self.bench.engine.gates["north"]

    def sees(self, *values: float, quality: Quality = Quality.GOOD, channel: str = "") -> None:
        """One value each 100 ms, with the air at 26 degC."""
        for value in values:
            at = self.bench.now = self.bench.now.after(0.1)
            seen = Reading(f"gate-a/object_temperature{channel}", value, quality, at)
            air = Reading("gate-a/ambient_temperature", 26.0, Quality.GOOD, at)
            self.bench.engine.handle(Readings("gate-a", (seen, air)))

    def walk(self, *peaks: float) -> None:
        for peak in peaks:
            self.sees(26.0, 26.1, peak - 0.3, peak, peak - 0.1, 26.0)

    def wait(self, seconds: float) -> None:
        """Time passes with nobody there; the thermometer goes on seeing the wall."""
        for _ in range(round(seconds / 5)):
            self.bench.wait(5.0, step_s=5.0)
            self.sees(26.0)

    def events(self, suffix: str = "") -> list[dict]:
        return [event for event in self.bench.out.events if event["alarm"] == f"screening-north{suffix}"]

    def counts(self) -> list[dict[str, float | None]]:
        blocks = [b for b in self.bench.out.blocks if b.readings[0].point == "gate-a/persons"]
        return [{r.point.partition("persons")[2]: r.value for r in block.readings} for block in blocks]


@pytest.fixture
def entrance(tmp_path: Path) -> Entrance:
    return Entrance(tmp_path)


@pytest.mark.parametrize(
    ("value", "verdict"),
    [
        (36.0, "passed"),
        (37.04, "passed"),
        (37.05, "undecided"),
        (37.1, "undecided"),
        (37.25, "undecided"),
        (37.3, "undecided"),
        (37.44, "undecided"),
        (37.45, "over"),
        (37.5, "over"),
        (39.9, "over"),
        (33.99, "implausible"),
        (43.0, "implausible"),
    ],
)
def test_verdicts_at_one_decimal(value: float, verdict: str) -> None:
    """37.1 to 37.4 is undecided with a threshold of 37.3 and an error of 0.2; rounded half up, as instruments show."""

    assert judge(value, Screening(point="g/object_temperature")) == verdict


def test_tenths_are_exact() -> None:
    """Every value of two decimals is rounded as on paper, whatever a float makes of it."""

    assert [(n + 5) // 10 for n in range(3000, 4500)] == [tenths(n / 100) for n in range(3000, 4500)]


@pytest.mark.parametrize(
    ("raw", "ambient", "value"), [(33.0, 20.0, 36.0), (33.0, 25.0, 35.5), (33.0, None, 35.5), (33.0, 30.0, 35.0)]
)
def test_compensation_is_what_was_configured(raw: float, ambient: float | None, value: float) -> None:
    """Distance and ambient temperature are compensated by the configured numbers, and by nothing else."""
    settings = Screening(point="g/object_temperature", offset=2.5, ambient_coefficient=0.1)

    assert value == compensated(raw, ambient, settings)
    assert raw == compensated(raw, ambient, Screening(point="g/object_temperature"))


@pytest.mark.parametrize("crowd", CROWDS, ids=lambda crowd: crowd.name)
def test_crowds_are_counted(crowd: Crowd) -> None:
    """Synthetic crowds of known truth: counts within 1 %, nobody's measured fever missed, no false alarm."""
    result = play(crowd, 300, seed=7)

    assert abs(result.counted - 300) <= 3
    assert (0, 0) == (result.missed, result.false_alarms)


@given(st.lists(st.tuples(st.floats(20, 42), st.sampled_from([1, 1, 2, 5, 170])), min_size=1, max_size=40))
def test_no_high_peak_is_lost(values: list[tuple[float, int]]) -> None:
    """Whatever the stream, however long somebody stays, its highest value, when a person's, is one's measurement."""
    settings = Screening(point="g/object_temperature")
    peaks = Peaks(settings, 0.1)
    seen = [26.0, *(round(value, 2) for value, count in values for _ in range(count)), 26.0]
    found = [peaks.add(Moment(0, n * NANO // 10), value, None) for n, value in enumerate(seen)]
    highest = max(seen)
    fever = judge(highest, settings) in ("undecided", "over")

    assert not fever or highest in [person.raw for person in found if person is not None]


def test_who_passes_is_recorded_as_numbers(entrance: Entrance) -> None:
    """A person is a raw and a compensated temperature, the air's beside them, and a verdict; no event, no name."""
    entrance.walk(36.4)
    (block,) = [b for b in entrance.bench.out.blocks if b.readings[0].point == "gate-a/person_temperature"]

    assert [
        ("gate-a/person_temperature", 36.4, None),
        ("gate-a/person_temperature_compensated", 36.4, "passed"),
        ("gate-a/person_temperature_ambient", 26.0, None),
    ] == [(r.point, r.value, r.reason) for r in block.readings]
    assert [] == entrance.events()


def test_who_does_not_pass_gets_a_number_and_a_second_measurement(entrance: Entrance) -> None:
    """Undecided and over are events with a running number; the second measurement, after the rest, ends the alarm. One
    that confirms the fever wants an answer of its own, whoever has seen the first.
    """
    entrance.walk(36.4, 37.2, 38.1)
    first, other = entrance.events()
    early = second(entrance, 1, 36.8)
    entrance.wait(600)
    unknown = second(entrance, 7, 36.8)
    absurd = second(entrance, 1, 12.0)
    fine = second(entrance, 1, 36.8)
    standing = entrance.bench.state("screening-north")
    acknowledged = entrance.bench.act("ack", "screening-north")
    late = second(entrance, 2, 38.0)

    assert ("raised", 37.2, "screening") == (first["transition"], first["value"], first["stream"])
    assert ("repeated", 38.1) == (other["transition"], other["value"])
    assert "No. 1 at north gate: 37.2 degC, undecided" in first["text"]["en"]
    assert "over the threshold" in other["text"]["en"]
    assert [False, False, False, True, True] == [a["ok"] for a in (early, unknown, absurd, fine, late)]
    assert "rests for another" in early["error"]
    assert "active_unacknowledged" == standing
    assert ["raised", "repeated", "updated", "acknowledged", "repeated", "cleared"] == [
        e["transition"] for e in entrance.events()
    ]
    assert ("active_acknowledged", "cleared_unacknowledged") == (
        acknowledged["state"],
        entrance.bench.state("screening-north"),
    )
    assert "li-wei" == entrance.events()[2]["by"]
    assert "No. 2 at north gate: second measurement 38.0 degC, over the threshold" in entrance.events()[4]["text"]["en"]


def second(entrance: Entrance, number: int, value: float) -> dict:
    answers: list[dict] = []
    arguments = {"kind": "second-measurement", "gate": "north", "number": number, "value": value}
    entrance.bench.engine.handle(
        Command("log", "li-wei", entrance.bench.now, note="ear", arguments=arguments, reply=answers.append)
    )
    return answers[0]


def test_a_second_measurement_that_nobody_makes_is_said_again(entrance: Entrance) -> None:
    """Who waits for longer than is set is an event again, until somebody measures."""
    entrance.walk(37.6)
    entrance.wait(1810)
    said = [event["transition"] for event in entrance.events()]
    measured = second(entrance, 1, 36.6)

    assert ["raised", "repeated"] == said
    assert "still waits" in entrance.events()[1]["text"]["en"]
    assert measured["ok"]  # who has rested need not rest again because nobody came


@pytest.mark.parametrize(
    ("stays", "peak", "numbers"), [(20, 38.2, [1]), (20, 36.9, []), (0.5, 44.0, [1]), (20, 44, [])]
)
def test_who_stays_or_is_too_hot_is_measured_again(
    stays: float, peak: float, numbers: list[int], entrance: Entrance
) -> None:
    """A fever that sits before the thermometer is no wall, and a forehead beyond what people have has not passed."""
    entrance.sees(26.0, *[peak] * round(stays * 10), 26.0, 26.0)

    assert numbers == list(entrance.gate.waiting.since)


def test_a_restart_knows_who_waits(entrance: Entrance) -> None:
    """After a kill the running number goes on, and who waited still waits."""
    entrance.walk(37.6)
    entrance.wait(300)
    entrance.walk(37.2)
    entrance.bench.restart()
    entrance.walk(38.0)
    entrance.wait(310)
    early = second(entrance, 2, 36.5)
    entrance.wait(290)
    answers = [second(entrance, number, 36.5)["ok"] for number in (1, 2, 3)]

    assert any("No. 3" in event["text"]["en"] for event in entrance.events())
    assert "rests for another" in early["error"]
    assert [True, True, True] == answers
    assert "cleared" == entrance.events()[-1]["transition"]


@pytest.mark.parametrize(
    "written", [{"day": "2026-06-07", "number": 3, "waiting": [2]}, {}, {"waiting": 7, "queue": 0}]
)
def test_a_memory_that_is_none_stops_nothing(written: dict, entrance: Entrance) -> None:
    """What an alarm's page keeps and nobody can read (of another version, say) is left out, and the gateway starts."""
    pages = entrance.bench.engine.book.pages
    pages["screening-north"].memory = written
    entrance.gate.begin(pages, entrance.bench.now, entrance.bench.engine.points.calendar)
    entrance.walk(37.6)

    assert "raised" == entrance.events()[0]["transition"]


def test_counts_of_a_quarter(entrance: Entrance) -> None:
    """E6: a record each quarter of an hour of the wall clock, with the share of good values; as contract.md has it."""
    entrance.walk(36.4, 36.5, 37.2, 37.9, 30.5)
    entrance.sees(*[None] * 10, quality=Quality.INVALID)
    entrance.wait(900)
    entrance.wait(900)
    first, _ = entrance.counts()
    block = next(b for b in entrance.bench.out.blocks if b.readings[0].point == "gate-a/persons")
    (message,) = payloads.readings(entrance.bench.engine.origin, [block], historical=False)

    assert {"": 5, "_passed": 2, "_undecided": 1, "_over": 1, "_implausible": 1, "_second": 0, "_second_over": 0} == {
        name: value for name, value in first.items() if name != "_valid"
    }
    assert 0 < first["_valid"] < 1
    assert "screening/count/gate-a" == message.topic
    assert [] == asyncapi.problems(f"exam/v1/zj-no1/{message.topic}", message.payload.replace(b"run-1", b"0" * 16))
    assert "2026-06-07T08:15:00.000+08:00" == json.loads(message.payload)["to"]


def test_a_quarter_that_comes_twice_has_everybody(tmp_path: Path) -> None:
    """E1: a clock set back over the quarter's end makes a second record of it, which takes the first one's place."""
    entrance = Entrance(tmp_path, start_ns=ENTRY_NS + 880 * NANO)
    entrance.walk(*[36.4] * 5)
    entrance.wait(25)
    entrance.walk(36.4)
    entrance.bench.now = replace(entrance.bench.now, wall_ns=entrance.bench.now.wall_ns - 40 * NANO)
    entrance.bench.wait(1.0)
    entrance.walk(36.4)
    entrance.wait(900)
    last = {b.readings[0].at.wall_ns: b.readings[0].value for b in entrance.bench.out.blocks if len(b.readings) == 8}

    assert {ENTRY_NS + 900 * NANO: 6, ENTRY_NS + 1800 * NANO: 1} == last


def test_the_queue_is_foretold(tmp_path: Path) -> None:
    """When at this rate the last one enters after the start, that is an alarm before the start, and over with it."""
    entrance = Entrance(tmp_path, start_ns=START_NS - 5420 * NANO)
    entrance.walk(*[36.4] * 30)  # cleaners and guards, before the entrance is open
    entrance.wait(3500)
    for _ in range(25):
        entrance.walk(36.4)
        entrance.wait(10)
    noted = entrance.events("-queue")
    status = entrance.bench.ask("status")["status"]["screening"]["north"]
    entrance.wait(1060)
    hurry = [event for event in entrance.events("-queue") if event["reason"] != "counted"]
    for _ in range(25):
        entrance.walk(36.4)
        entrance.wait(10)
    late = entrance.bench.ask("status")["status"]["screening"]["north"]["late_min"]
    entrance.wait(400)
    after = entrance.bench.ask("status")["status"]["screening"]["north"]
    last = entrance.events("-queue")[-1]

    assert {("updated", "counted")} == {(event["transition"], event["reason"]) for event in noted}
    assert noted[-1]["text"]["en"].endswith("persons so far before 语文, 0 to be measured again")
    assert ("语文", 25, 100, True) == tuple(status[key] for key in ("session", "persons", "expected", "whole"))
    assert 4 < status["per_minute"] < 6
    assert status["late_min"] < 0 < late
    assert [("raised", True)] == [(event["transition"], "fewer than 20 came" in event["text"]["en"]) for event in hurry]
    assert ("cleared", True) == (last["transition"], last["time"] >= "2026-06-07T09:00:00")
    assert ("语文", False, 50) == (after["session"], after["open"], after["persons"])


@pytest.mark.parametrize(("silent_s", "whole"), [(0, True), (20, False)])
def test_who_may_have_come_unseen_is_said(silent_s: int, whole: bool, tmp_path: Path) -> None:
    """After a silent thermometer or a restart what is still to come is an upper bound, and is called so."""
    entrance = Entrance(tmp_path, start_ns=START_NS - 5400 * NANO)
    entrance.walk(36.4, 37.9, 36.4)
    entrance.bench.wait(silent_s)
    status = entrance.bench.ask("status")["status"]["screening"]["north"]
    entrance.bench.restart()
    again = entrance.bench.ask("status")["status"]["screening"]["north"]

    (line,) = status_lines({"screening": {"north": status}})

    assert ("≥ 3 / 100" in line, "waiting: #1" in line) == (not whole, True)
    assert (3, whole) == (status["persons"], status["whole"])
    assert (2, False) == (
        again["persons"],
        again["whole"],
    )  # as the last event had it


def test_a_restart_knows_most_of_who_came(tmp_path: Path) -> None:
    """The count is put on record every five minutes, and goes on from there."""
    entrance = Entrance(tmp_path, start_ns=START_NS - 5400 * NANO)
    entrance.walk(*[36.4] * 5)
    entrance.wait(300)
    entrance.walk(*[36.4] * 2)
    entrance.bench.restart()
    entrance.walk(*[36.4] * 3)
    status = entrance.bench.ask("status")["status"]["screening"]["north"]

    assert (8, False) == (status["persons"], status["whole"])


def test_the_thermometer_is_doubted(tmp_path: Path) -> None:
    """Five implausible persons, something warm that stays, and drift against the black body are alarms that end."""
    black = 'blackbody = "gate-a/object_temperature_2"\nblackbody_temperature = 37.0\n'
    entrance = Entrance(tmp_path, black.replace("object_temperature_2", "ambient_temperature"))
    entrance.walk(31.0, 31.0, 31.0, 31.0, 31.0)
    cold = entrance.events("-device")[-1]["text"]["en"]
    entrance.walk(36.5)
    entrance.sees(26.0, *[36.0] * 160)
    entrance.bench.wait(1.0)
    warm = entrance.events("-device")[-1]["text"]["en"]
    entrance.wait(40)
    drift = entrance.events("-device")[-1]
    entrance.bench.wait(90)

    assert "values that no person has" in cold
    assert "something warm that does not go away" in warm
    assert ("drift", -11.0) == (drift["reason"], drift["value"])
    assert entrance.gate.doubts.drift(entrance.bench.now) is None  # of a black body that nobody sees any more


BLACK = 'blackbody = "gate-a/object_temperature_2"\nblackbody_temperature = 37.0\n'


@pytest.mark.parametrize("restart", [False, True])
@pytest.mark.parametrize(
    ("cause", "doubtful", "good"),
    [
        ("implausible", [26.0, *[30.7, 31.0, 26.0] * 5], [26.0, 36.2, 36.5, 26.0]),
        ("standing", [26.0, *[36.0] * 160], [36.0, 26.0]),
        ("drift", [36.0] * 400, [37.1] * 400),
    ],
)
def test_silence_takes_no_doubt_away(
    cause: str, doubtful: list[float], good: list[float], restart: bool, tmp_path: Path
) -> None:
    """A thermometer that falls silent, and a restart, prove nothing: the alarm ends with a value that does."""
    entrance = Entrance(tmp_path, BLACK)
    channel = "_2" if cause == "drift" else ""
    entrance.sees(*doubtful, channel=channel)
    entrance.bench.wait(1.0)
    if restart:
        entrance.bench.restart()
    entrance.bench.wait(90)
    silent = [event["transition"] for event in entrance.events("-device")]
    entrance.sees(*good, channel=channel)
    entrance.bench.wait(1.0)

    assert ["raised"] == silent
    assert cause == entrance.events("-device")[0]["reason"]
    assert "cleared" == entrance.events("-device")[-1]["transition"]


def test_the_sun_is_nobody(entrance: Entrance) -> None:
    """Warm for longer than a person takes is not counted as one."""
    entrance.sees(26.0, *[36.0] * 200, 26.0, 26.0)

    assert 0 == entrance.gate.count.persons


def test_who_walks_before_the_sun_may_have_come_unseen(tmp_path: Path) -> None:
    """While something warm stands before the thermometer nobody is counted: the number is then no longer whole."""
    entrance = Entrance(tmp_path, start_ns=START_NS - 5400 * NANO)
    entrance.walk(36.4)
    entrance.bench.wait(1.0)
    before = entrance.gate.queue.whole
    entrance.sees(*[36.0] * 160)
    entrance.bench.wait(1.0)

    assert (True, False, 1) == (before, entrance.gate.queue.whole, entrance.gate.queue.count.persons)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("gate-a/object_temperature", "gate-b/object_temperature", "no [device.gate-b]"),
        ("gate-a/object_temperature", "gate-a/humidity", "has no humidity"),
        ("gate-a/object_temperature", "gate-noise/laf", "no temperature of an entry thermometer"),
        ("expected = 100", "threshold = 33.0", "do not lie within"),
        ("expected = 100", "blackbody_temperature = 37.0", "belong together"),
        ("expected = 100", 'second_within = "10m"', "overdue before the rest"),
        ("gate-a/ambient_temperature", "gate-noise/laf", "not of the thermometer"),
        ("expected = 100", '[screening.south]\npoint = "gate-a/object_temperature"', "thermometer of north already"),
    ],
)
def test_mistakes_are_told(old: str, new: str, said: str, tmp_path: Path) -> None:
    """An entrance without its thermometer, or with levels in the wrong order, is refused in words."""
    config = Config.model_validate(tomllib.loads(VENUE + GATE.replace(old, new)))
    found = [problem.wrong.message.format(**problem.wrong.values) for problem in problems(config, tmp_path)]

    assert any(said in words for words in found), found
