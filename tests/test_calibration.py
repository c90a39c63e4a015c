"""The calibration book: checks, drift, what is void; the act of a named person; certificates, configuration."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from asyncapi import problems
from kit_engine import EARLY_NS, VENUE, Bench
from kit_settings import GOOD

from drivers.base import Quality
from gateway.configuration import settings
from gateway.configuration.noise import Certificate
from gateway.environment.calibrating import book_of
from gateway.environment.calibration import OFF_S, Book, Check, Interval, Meter, doubts
from gateway.environment.minute_maker import MinuteMaker
from gateway.moment import Moment
from gateway.values import Reading

CERTIFICATE = Certificate.model_validate({"number": "1", "class": 1, "until": date(2026, 6, 8)})
METER = Meter(evidence=True, certificate=CERTIFICATE)
CALIBRATING = VENUE.replace('"unshelve"]', '"unshelve", "calibrate"]')


def book(*checks: tuple[int, float] | tuple[int, float, float]) -> Book:
    return Book(Check("m", at, level, adjusted=rest[0] if rest else None) for at, level, *rest in checks)


@pytest.mark.parametrize(
    ("before", "after", "drift", "state"),
    [
        ((0, 94.0), (9, 94.5), 0.5, "good"),
        ((0, 94.0), (9, 93.5), -0.5, "good"),
        ((0, 94.0), (9, 94.6), 0.6, "void"),
        ((0, 93.7), (9, 94.3), 0.6, "void"),
        ((0, 92.0), (9, 92.0), 0.0, "good"),  # drift is what voids; how far off it was stands in the book
        ((0, 92.0, 94.0), (9, 94.2), 0.2, "good"),
        ((0, 93.8, 94.0), (9, 93.4), -0.6, "void"),
    ],
)
def test_drift(before: tuple[int, float], after: tuple[int, float], drift: float, state: str) -> None:
    """Checks before and after may differ by 0.5 dB, no more; an adjusted meter is compared with what it was set to."""
    (interval, last) = book(before, after).intervals("m")

    assert (drift, state) == (interval.drift, interval.state)
    assert (None, "open") == (last.drift, last.state)


@pytest.mark.parametrize(
    ("span", "state"),
    [
        ((10, 20), "good"),
        ((10, 90), "good"),
        ((90, 110), "void"),
        ((120, 180), "void"),
        ((200, 250), "open"),
        ((150, 250), "void"),
        ((-10, 50), "none"),
        ((-20, -10), "none"),
    ],
)
def test_states(span: tuple[int, int], state: str) -> None:
    """What lies between two checks is as good as their difference; after the last one nothing is proven yet."""
    checks = book((0, 94.0), (100, 94.1), (200, 94.9))

    assert state == checks.state("m", *span)
    assert "none" == checks.state("other", *span)


def test_doubts() -> None:
    """Everything that makes results indicative is named; a certified meter, checked before and after, has none."""
    checks = book((0, 94.0), (100, 94.1), (200, 94.9))

    assert () == tuple(doubts(METER, checks, "m", (10, 90), date(2026, 6, 8)))
    assert ("certificate-expired", "calibration-void") == tuple(
        doubts(METER, checks, "m", (110, 190), date(2026, 6, 9))
    )
    assert ("no-certificate", "calibration-not-checked") == tuple(
        doubts(Meter(evidence=True), checks, "m", (210, 290), date(2026, 6, 8))
    )
    assert ("not-a-sound-level-meter",) == Meter(evidence=False, certificate=CERTIFICATE).doubts(date(2026, 6, 8))


def test_a_check_is_an_event(tmp_path: Path) -> None:
    """A named person's check is an event with value, reference and drift; the book is read back from the record."""
    bench = Bench(tmp_path, CALIBRATING)
    first = bench.act("calibrate", "", name="gate-noise", level=93.8)
    bench.wait(60)
    bench.restart()
    second = bench.act("calibrate", "", name="gate-noise", level=94.4)
    events = [event for event in bench.out.events if event["kind"] == "calibration"]
    checks = book_of(bench.out.made)

    assert (True, None, True, 0.6) == (first["ok"], first["drift"], second["ok"], second["drift"])
    seen = [tuple(e[key] for key in ("transition", "value", "unit", "limit", "reason")) for e in events]
    assert [
        ("updated", 93.8, "dB(A)", 94.0, "calibration-first"),
        ("updated", 94.4, "dB(A)", 94.0, "calibration-void"),
    ] == seen
    assert {"li-wei"} == {e["by"] for e in events}
    found = [p for e in bench.out.made for p in problems(f"exam/v1/zj-no1/{e.stream}/event", e.body)]
    assert [] == [problem for problem in found if "$.run" not in problem]  # the bench's runs have short names
    assert ["void", "open"] == [interval.state for interval in checks.intervals("gate-noise")]
    assert [(c.at_s - 300, c.at_s + OFF_S) for c in checks.of("gate-noise")] == checks.calibrating("gate-noise")


def test_begun(tmp_path: Path) -> None:
    """From --begin on nothing counts, until the check is entered and the calibrator is off, or 15 minutes are over."""
    bench = Bench(tmp_path, CALIBRATING, start_ns=EARLY_NS)
    bench.act("calibrate", "", name="gate-noise", begin=True)
    begun = bench.now
    bench.wait(90)
    bench.act("calibrate", "", name="gate-noise", level=94.0, adjusted=94.0)
    (check,) = book_of(bench.out.made).of("gate-noise")

    assert [("gate-noise", begun.after(900)), ("gate-noise", begun.after(90 + OFF_S))] == [
        w for p, w in bench.out.paths if p == "calibrating"
    ]
    assert 90 == check.lasted_s


def test_a_calibrator_raises_no_alarm(tmp_path: Path) -> None:
    """E: 94 dB of a calibrator are no noise, nor while it comes off after the entry; what follows is noise again."""
    bench = Bench(tmp_path, CALIBRATING.replace('during = ["session"]', ""), start_ns=EARLY_NS)
    bench.level(45.0, 15)
    bench.act("calibrate", "", name="gate-noise", begin=True)
    bench.level(94.0, 30)
    bench.act("calibrate", "", name="gate-noise", level=94.0)
    bench.level(94.0, OFF_S - 5)
    bench.level(45.0, 20)
    silent = bench.transitions("noise-in-session")
    bench.level(70.0, 20)

    assert [] == silent
    assert ["raised"] == bench.transitions("noise-in-session")


def test_held_samples_do_not_count() -> None:
    """Levels with a calibrator on the microphone are kept as numbers, in no mean."""
    maker = MinuteMaker({"m": 1.0})
    start = Moment(1_780_797_600 * 10**9, 10**15)
    for i in range(60):
        if i == 20:
            maker.hold("m", start.after(900), "calibration")
        if i == 40:
            maker.hold("m", None, "calibration")
        maker.add(Reading("m/laf", 94.0 if 20 <= i < 40 else 50.0, Quality.GOOD, start.after(i)))
    (minute,) = maker.close(start.after(65))

    assert (40, 50.0, {"calibration": 20}) == (minute.n, minute.high, minute.set_aside)


REFUSED = [
    ({"name": "leak-button", "level": 94.0}, "no sound level meter"),
    ({"name": "gate-noise"}, "--level 93.8"),
    ({"name": "gate-noise", "level": 9.4}, "a level in dB"),
    ({"name": "gate-noise", "level": "94"}, "a level in dB"),
    ({"name": "gate-noise", "level": 94.0, "adjusted": 940}, "a level in dB"),
]


@pytest.mark.parametrize(("arguments", "why"), REFUSED)
def test_refused(tmp_path: Path, arguments: dict[str, object], why: str) -> None:
    """What is no check is refused with what would be right, and leaves no event."""
    bench = Bench(tmp_path, CALIBRATING)
    answer = bench.act("calibrate", "", **arguments)

    assert why in answer["error"]
    assert [] == [event for event in bench.out.events if event["kind"] == "calibration"]


TABLES = [
    ('[certificate.gate]\nnumber = "1"\nclass = 2\nuntil = 2027-01-01', "certificate.gate", "there is no device gate"),
    ('[certificate.hall-dust]\nnumber = "1"\nclass = 2\nuntil = 2027-01-01', "certificate.hall-dust", "no sound level"),
    ('[certificate.gate-noise]\nnumber = "1"\nclass = 2\nuntil = 2027-01-01', "certificate.gate-noise", "indicative"),
    (
        '[certificate.gate-noise]\nnumber = "1"\nclass = 2\nuntil = 2026-06-01',
        "certificate.gate-noise.until",
        "ends on",
    ),
    ('[certificate.gate-noise]\nnumber = "1"\nclass = 3\nuntil = 2027-01-01', "certificate.gate-noise.class", "3"),
    ('[noise]\nweather = ["roof"]', "noise.weather[1]", "there is no device roof"),
    ('[noise]\nweather = ["hall-dust"]', "noise.weather[1]", "neither wind nor rain"),
    ("[noise]\nvalid_share = 75", "noise.valid_share", "75"),
]


@pytest.mark.parametrize(("table", "key", "words"), TABLES)
def test_configuration(tmp_path: Path, table: str, key: str, words: str) -> None:
    """Each mistake in the tables of sound levels is named with its key."""
    path = tmp_path / "venue.toml"
    path.write_text(f"{GOOD}\n{table}\n", encoding="utf-8")
    found = {problem.key: str(problem) for problem in settings.check(path).problems}

    assert words in found[key]


def test_intervals_of_one_check() -> None:
    """A first check alone proves nothing yet."""
    (interval,) = book((0, 94.0)).intervals("m")

    assert Interval(Check("m", 0, 94.0), None) == interval
