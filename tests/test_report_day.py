"""The report of a day: alarms with who answered them, entries, entrances, means with their valid share, index, gaps."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from kit_engine import VENUE, Bench
from kit_record import fill
from test_reports import report

from drivers.base import Quality
from gateway.catalogue import choose
from gateway.configuration import last_good
from gateway.environment.minutes import Minute
from gateway.journal import blocks
from gateway.journal.events import EventWriter
from gateway.moment import NANO, Moment, SystemClock
from gateway.reports.activations import activations
from gateway.reports.day_means import DayMeans, largest_of_8_h
from gateway.values import Reading, Readings

MIDNIGHT_S = 1_780_761_600  # 2026-06-07T00:00:00+08:00
TOML = (
    VENUE.replace('"unshelve"]', '"unshelve", "log", "calibrate"]')
    + """
[custody]
start = 2026-06-05T16:00:00
end = 2026-06-10T18:00:00
[mqtt]
host = "127.0.0.1"
"""
)


def store(path: Path, bench: Bench) -> None:
    """What the engine has made, by the real writer."""
    writer = EventWriter(path, SystemClock(), lambda _: None)
    writer.open()
    for event in bench.out.made:
        writer.put(event)
    stopped = threading.Event()
    stopped.set()
    writer.run(stopped)


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A loud minute and a press in a session, acknowledged; an incident; levels from 08:00 to 10:00."""
    path = tmp_path_factory.mktemp("state")
    last_good.keep(path, TOML.encode())
    bench = Bench(path, TOML)
    bench.found_safe()
    bench.level(70.0, 20)
    bench.act("ack", "noise-in-session", note="a lorry")
    bench.press()
    bench.act("log", "", note="smoke in the yard", kind="incident", incident="fire")
    bench.level(45.0, 30)
    store(path, bench)
    fill(path, MIDNIGHT_S + 8 * 3600, hours=2, devices=["gate-noise"], level=lambda _, at_s: 45.0 + at_s % 3)
    return path


@pytest.fixture(autouse=True)
def english() -> None:
    choose("en")


def test_a_day_on_a_page(state: Path, tmp_path: Path) -> None:
    """Session, alarms with acknowledgement and what is still open, the incident, the meter's figures, gaps, proof."""
    files = report(state, tmp_path / "day", "day", "--day", "2026-06-07", "--no-samples")
    page = files["page"]

    assert "Report of the day 2026-06-07" in page
    assert "<td>语文</td><td>09:00</td><td>11:30</td>" in page
    assert "li-wei, 09:00:20: a lorry" in page
    assert "Leak alarm: the button leak-button was pressed (paper room)" in page
    assert "still open" in page
    assert "Incident (fire), reported by li-wei: smoke in the yard" in page
    assert "2026-06-07 00:00 - 2026-06-07 08:00" in page
    assert "<script" not in page
    assert '"stream":"custody"' in files["events.jsonl"]


def test_the_bureau_learns_nothing_of_custody(state: Path, tmp_path: Path) -> None:
    """A report on noise carries the environment's events and heads, and not one of another stream."""
    files = report(state, tmp_path / "noise", "noise", "--from", "2026-06-07", "--no-samples")

    assert '"alarm":"noise-in-session"' in files["events.jsonl"]
    assert '"stream":"environment"' in files["events.jsonl"]
    assert [] == [word for word in ("custody", "leak") if word in files["events.jsonl"] + files["manifest.json"]]
    assert "leak-button" not in files["page"]


# ---- alarms ---------------------------------------------------------------------------------------------------


def events(*steps: tuple[float, str, str]) -> Iterator[tuple[float, dict[str, Any]]]:
    for at_s, transition, alarm_state in steps:
        fields = {"activation": "a", "transition": transition, "state": alarm_state, "by": "li-wei", "note": None}
        yield at_s, fields | {"text": {"en": "loud"}}


@pytest.mark.parametrize(
    ("steps", "found"),
    [
        ([(150, "raised", "active_unacknowledged")], [(150, 1, None, None)]),
        ([(50, "raised", "active_unacknowledged")], [(50, 1, None, None)]),  # of the day before, and it stands
        ([(50, "raised", "active_unacknowledged"), (60, "cleared", "normal")], []),
        ([(50, "raised", "active_unacknowledged"), (150, "cleared", "normal")], [(50, 1, 150, 150)]),
        ([(250, "raised", "active_unacknowledged")], []),
        ([(150, "raised", "active_unacknowledged"), (250, "cleared", "normal")], [(150, 1, None, None)]),
        ([(110, "raised", "active_unacknowledged"), (120, "cleared", "cleared_unacknowledged")], [(110, 1, 120, None)]),
        (
            [(110, "raised", "a"), (120, "cleared", "b"), (130, "repeated", "a"), (140, "updated", "a")],
            [(110, 2, None, None)],
        ),
    ],
)
def test_alarms_of_a_time(steps: list[tuple[float, str, str]], found: list[tuple[float, int, Any, Any]]) -> None:
    """Whatever stood at any moment of it, as it was known at its end; the condition's end is not the alarm's."""
    each = activations(events(*steps), 100, 200)

    assert found == [(a.raised_s, a.openings, a.over_s, a.ended_s) for a in each]


# ---- means ----------------------------------------------------------------------------------------------------


def told(values: dict[str, float], silent: range = range(0)) -> DayMeans:
    """A day of these values, a sample a minute; nothing in the silent hours."""
    means = DayMeans(MIDNIGHT_S, 24)
    for minute in range(24 * 60):
        if minute // 60 in silent:
            continue
        for point, value in values.items():
            micro = round(value * 1e6)
            means.add(Minute(point, MIDNIGHT_S + minute * 60, 1, 1, micro, value, value, value))
    return means


def test_daily_means_need_their_hours() -> None:
    """E6: 20 accepted hours make a mean; with fewer there is none, and the valid share says how much was measured."""
    (whole,) = told({"yard/pm2_5": 28.0}, range(4)).rows()
    (few,) = told({"yard/pm2_5": 28.0}, range(5)).rows()

    assert (28.0, 20, 24) == (whole.mean.value, whole.mean.parts, whole.mean.due)
    assert (None, 19, 28.0) == (few.mean.value, few.mean.parts, few.high)
    assert (0.833, 0.792) == (round(whole.valid, 3), round(few.valid, 3))


def test_the_index_of_a_day() -> None:
    """HJ 633-2026 of the day's means: PM2.5 61 is 101; a lower bound without all six pollutants; none without 20 h."""
    ((device, index),) = told({"yard/pm2_5": 61.0, "yard/pm10": 120.0, "yard/temperature": 20.0}).indices()

    assert ("yard", 101, ("pm2_5",), False) == (device, index.aqi, index.primary, index.complete)
    assert [] == list(told({"yard/pm2_5": 61.0}, range(5)).indices())


@pytest.mark.parametrize(
    ("hours", "found"),
    [
        ([10.0] * 24, 10.0),
        ([0.0] * 8 + [80.0] * 8 + [0.0] * 8, 80.0),
        ([80.0] * 8 + [0.0] * 16, 80.0),  # the window that ends at 08:00 is the first
        ([None] * 12 + [10.0] * 12, None),
        ([None] * 2 + [10.0] * 22, 10.0),
    ],
)
def test_ozone_of_a_day(hours: list[float | None], found: float | None) -> None:
    """The largest mean of 8 h; of at least 6 hours each, and not without 14 such windows."""
    assert found == largest_of_8_h(hours)


# ---- entrances ------------------------------------------------------------------------------------------------


def test_entrances(state: Path, tmp_path: Path) -> None:
    """The quarters' counts are added up, each once; they are numbers and nothing else."""
    (tmp_path / "state").mkdir()
    thermometer = '[device.gate-a]\ndriver = "gy_mcu90614"\nport = "/dev/zero"\n'
    toml = TOML + thermometer + '[screening.north]\npoint = "gate-a/object_temperature"\nplace = "north gate"\n'
    last_good.keep(tmp_path / "state", toml.encode())
    fill(tmp_path / "state", MIDNIGHT_S + 8 * 3600, hours=1, devices=["gate-noise"], level=lambda _, __: 45.0)
    connection = sqlite3.connect(tmp_path / "state" / "readings-2026-06-07.db", isolation_level=None)
    for number, quarter_s in enumerate(range(MIDNIGHT_S + 8 * 3600, MIDNIGHT_S + 9 * 3600, 900), 1):
        end = Moment(quarter_s * NANO, 0)
        counted = [
            Reading(f"gate-a/{name}", float(value), Quality.GOOD, end)
            for name, value in (("persons", 10 * number), ("persons_passed", 9 * number), ("persons_over", number))
        ]
        data = blocks.encode([Readings("gate-a", tuple(counted))])
        connection.execute("INSERT INTO blocks VALUES (?, ?, '', ?)", (quarter_s * 1000 + 4000, 3, data))
    connection.close()
    page = report(tmp_path / "state", tmp_path / "day", "day", "--day", "2026-06-07", "--no-samples")["page"]

    cells = "".join(f'<td class="number">{number}</td>' for number in (100, 90, 0, 10, 0, 0))

    assert f"<tr><td>north gate</td>{cells}</tr>" in page


# ---- field checks ---------------------------------------------------------------------------------------------


def test_an_alarm_in_a_void_time_supports_no_complaint(tmp_path: Path) -> None:
    """A meter whose checks differ too much cannot tell, though it raised an alarm in between."""
    state = tmp_path / "state"
    state.mkdir()
    last_good.keep(state, TOML.encode())
    bench = Bench(state, TOML)
    bench.act("calibrate", "", name="gate-noise", level=94.0)
    bench.wait(60)
    bench.level(70.0, 20)
    bench.level(45.0, 60)
    bench.act("calibrate", "", name="gate-noise", level=95.0)
    store(state, bench)
    fill(state, MIDNIGHT_S + 8 * 3600, hours=2, devices=["gate-noise"], level=lambda _, at_s: 45.0 + at_s % 3)
    page = report(state, tmp_path / "out", "complaint", "--at", "2026-06-07 09:01", "--tolerance", "1m", "--no-samples")

    assert ["raised"] == bench.transitions("noise-in-session")[:1]
    assert "The record cannot tell" in page["page"]
    assert "Alarm of that time" not in page["page"]
