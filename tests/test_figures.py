"""`figures`: hour by hour what the record says, estimates apart, and whether CO2 proves an airing."""

from __future__ import annotations

import json
import math
import threading
from datetime import timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from drivers.base import Quality
from gateway.cli import main
from gateway.environment.figures import estimates
from gateway.environment.minute_maker import MinuteMaker
from gateway.environment.minutes import combine
from gateway.journal.readings import ReadingsWriter
from gateway.moment import NANO, Moment
from gateway.values import Reading, Readings

TEN = 1_780_797_600  # 2026-06-07, 10:00:00 at the venue
EVERY = {"gate-noise": 60.0, "room": 60.0}


class Clock:
    def __init__(self) -> None:
        self.at = Moment(TEN * NANO, 10**15)

    def now(self) -> Moment:
        return self.at

    def pause(self, seconds: float) -> float:
        return seconds


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two hours from ten: a meter, and a room that is aired from eleven on; then the gateway is gone."""
    directory, clock = tmp_path_factory.mktemp("state"), Clock()
    writer = ReadingsWriter(directory, clock, lambda _: None, timezone(timedelta(hours=8)), maker=MinuteMaker(EVERY))
    for i in range(121):
        clock.at = Moment((TEN + 60 * i) * NANO, 10**15 + 60 * i * NANO)
        co2 = 1200.0 if i < 60 else 420 + 780 * math.exp(-4 * (i - 60) / 60)
        room = {"co2": co2, "temperature": 30.0, "humidity": 70.0, "nh3": 0.1, "acceleration_z": 0.001}
        writer.put(Readings("room", tuple(_reading(f"room/{name}", value, clock.at) for name, value in room.items())))
        if i < 100:
            writer.put(Readings("gate-noise", (_reading("gate-noise/laf", 50.0 + i % 2 * 10, clock.at),)))
        writer._turn()
    clock.at = clock.at.after(10)
    stop = threading.Event()
    stop.set()
    writer.run(stop)
    return directory


def _reading(point: str, value: float, at: Moment) -> Reading:
    return Reading(point, value, Quality.GOOD, at)


def figures(state: Path, capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str]:
    code = main(["figures", "--lang", "en", "--state", str(state), "--day", "2026-06-07", *words])
    said = capsys.readouterr()
    return code, said.out + said.err


def test_hours(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """E6, E7: levels by energy, all else by its mean, each hour with its valid share and what is missing."""
    code, out = figures(state, capsys, "--json")
    answer: dict[str, Any] = json.loads(out)
    rows = {(row["from"][11:16], row["point"]): row for row in answer["hours"]}
    ten, eleven = rows["10:00", "gate-noise/laf"], rows["11:00", "gate-noise/laf"]

    assert 0 == code
    assert (57.4, 60.0, 50.0, 1.0, {}) == tuple(ten[k] for k in ("laeq", "l10", "l90", "valid", "set_aside"))
    assert (40, 60, {"missing": 20}) == tuple(eleven[k] for k in ("n", "due", "set_aside"))
    assert (1200.0, "ppm") == tuple(rows["10:00", "room/co2"][k] for k in ("mean", "unit"))
    assert {"hours": 2, "needed": 20, "value": None, "due": 24, "unit": "degC", "point": "room/temperature"} in answer[
        "day"
    ]


def test_estimates(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What is estimated says so, with what it rests on."""
    _, out = figures(state, capsys, "room")

    assert "room/co2: fresh air, estimated from CO2 (420 ppm outside, room full): 23.1 m3/(h person)" in out
    assert "room/temperature: WBGT in a room, an estimate and a lower bound: 26.9 degC" in out
    assert "room/acceleration_z: level of the acceleration, not weighted (not VLz): 60.0 dB re 1e-6 m/s2" in out
    assert "room/nh3: 0.06961 mg/m3 at 298.15 K and 1013.25 hPa; of odour indicative only" in out
    assert "gate-noise" not in out


def test_trends_are_not_converted() -> None:
    """The TVOC of a metal-oxide sensor is no concentration: nothing is made of it."""
    maker = MinuteMaker({"room": 60.0})
    maker.add(_reading("room/tvoc", 200.0, Moment(TEN * NANO, 0)))

    assert [] == list(estimates({"tvoc": combine(maker.close(Moment((TEN + 70) * NANO, 0)))}))


AIRINGS = [
    ("11:00-12:00", 0, "aired: CO2 went from 1200.0 to 435.3 ppm; about 4.0 air changes an hour"),
    ("10:00-11:00", 1, "not proven: CO2 fell from 1200.0 to 1200.0 ppm"),
    ("11:50-12:00", 0, "aired: CO2 went from 447.8 to 435.3"),
    ("13:00-14:00", 1, "was not measured"),
    ("noon", 1, "--airing is a time of the day and another"),
]


@pytest.mark.parametrize(("when", "code", "words"), AIRINGS)
def test_airing(state: Path, capsys: pytest.CaptureFixture[str], when: str, code: int, words: str) -> None:
    """The fall of CO2 after disinfection proves an airing, or the answer says why it does not."""
    got, out = figures(state, capsys, "room/co2", "--airing", when)

    assert code == got
    assert words in out


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["hall"], "nothing of this was recorded on 2026-06-07"),
        (["room/temperature", "--airing", "11:00-12:00"], "name one point of CO2"),
        (["room", "--airing", "11:00-12:00"], "name one point of CO2"),
    ],
)
def test_refused(state: Path, capsys: pytest.CaptureFixture[str], words: list[str], why: str) -> None:
    """What cannot be answered is said."""
    code, out = figures(state, capsys, *words)

    assert 1 == code
    assert why in out


def test_no_record(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A directory without a record is named, and nothing is made in it."""
    code, out = figures(tmp_path, capsys)

    assert 1 == code
    assert "there is no record in" in out
    assert [] == list(tmp_path.iterdir())
