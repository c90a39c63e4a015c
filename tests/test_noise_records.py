"""The records of sound levels as messages: which come with which minute, what they say, and that none is lost."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from asyncapi import problems

from drivers.base import Quality
from gateway.configuration.config import Config
from gateway.configuration.noise import Certificate
from gateway.environment.calibration import Meter
from gateway.environment.minute_maker import MinuteMaker
from gateway.environment.noise import Validity
from gateway.environment.periods import Periods
from gateway.journal.minutes_reader import MinutesReader
from gateway.journal.readings import ReadingsReader, ReadingsWriter
from gateway.moment import NANO, Moment
from gateway.payloads import Below, Origin
from gateway.sinks.feeder import Feeder
from gateway.sinks.noise_records import NoiseRecords, NoiseSettings
from gateway.sinks.telemetry import ReadingsWish
from gateway.values import Reading, Readings

ZONE = ZoneInfo("Asia/Shanghai")
CST = timezone(timedelta(hours=8))
ORIGIN = Origin("zj-no1", "9f2c61d0a4e81b37", ZONE)
SESSION = {"name": "英语", "start": datetime(2026, 6, 8, 15), "end": datetime(2026, 6, 8, 17)}  # noqa: DTZ001
VENUE = Config.model_validate({"venue": {"id": "zj-no1", "name": "x"}, "session": [SESSION]})
CERTIFICATE = Certificate.model_validate({"number": "LSae2026-1", "class": 2, "until": datetime(2026, 6, 8).date()})  # noqa: DTZ001


def at(text: str) -> Moment:
    wall_ns = round(datetime.fromisoformat(f"2026-06-{text}").replace(tzinfo=CST).timestamp()) * NANO
    return Moment(wall_ns, wall_ns - 10**18)


class Venue:
    """A meter on the bench, heard every ten seconds, and its record; a commit every 20 s of its clock."""

    def __init__(self, directory: Path, start: str) -> None:
        self.now_ = at(start)
        self.every_s, self.commit_s = 10, 20
        maker = MinuteMaker({"gate-noise": 10.0, "hall": 10.0})
        self.writer = ReadingsWriter(directory, self, lambda _: None, CST, maker=maker)
        self.reader = MinutesReader(directory, self.writer)
        self.meters = {"gate-noise": Meter(evidence=True, certificate=CERTIFICATE)}
        settings = NoiseSettings(Periods(VENUE), Validity(), {"gate-noise": "north gate"}, self.meters)
        self.records = NoiseRecords(ORIGIN, self.reader, lambda: settings)
        self.directory, self.place = directory, 0

    def now(self) -> Moment:
        return self.now_

    def pause(self, seconds: float) -> float:
        return seconds

    def live(self, until: str, level: float | None = 50.0) -> None:
        end = at(until)
        while self.now_.wall_ns < end.wall_ns:
            self.now_ = self.now_.after(self.every_s)
            if level is not None:
                one = Reading("gate-noise/laf", level, Quality.GOOD, self.now_)
                two = Reading("hall/temperature", 26.0, Quality.GOOD, self.now_)
                self.writer.put(Readings("gate-noise", (one,)))
                self.writer.put(Readings("hall", (two,)))
            if self.now_.wall_ns // NANO % self.commit_s == 0:
                self.writer._turn()

    def off(self, until: str) -> None:
        self.now_ = at(until)

    def come(self, limit: int = 10_000) -> list[dict[str, Any]]:
        """The messages that came since the last time, each as agreed."""
        rows = self.records.after(self.place, limit)
        messages = self.records.messages(self.place, rows, historical=False)
        self.place = rows[-1][0] if rows else self.place
        return checked(messages)

    def end(self) -> None:
        self.records.close()
        stop = threading.Event()
        stop.set()
        self.writer.run(stop)


def checked(messages: list[Below]) -> list[dict[str, Any]]:
    read = [json.loads(m.payload) for m in messages]
    minutes = [m for m, said in zip(messages, read, strict=True) if said.get("period") == "minute"]
    held = [m for m in messages if m not in minutes[5:]]  # minutes are all alike
    found = [p for m in held for p in problems(f"exam/v1/zj-no1/{m.topic}", m.payload)]

    assert [] == found
    return read


@pytest.fixture
def venues(tmp_path: Path) -> Iterator[Any]:
    made: list[Venue] = []

    def begin(start: str) -> Venue:
        made.append(Venue(tmp_path, start))
        return made[-1]

    yield begin
    for venue in made:
        venue.end()


def named(messages: list[dict[str, Any]]) -> list[str]:
    return [f"{m['period']} {m['from'][8:16]}" for m in messages if m["period"] != "minute"]


def test_a_minute(venues: Any) -> None:
    """A meter's minute is one message with everything that is known, and what is not known is null."""
    venue = venues("08T10:02:00")
    venue.live("08T10:03:20")
    (message,) = venue.come()

    assert ("gate-noise", "north gate", "minute", "gate-noise/laf") == tuple(
        message[key] for key in ("device", "place", "period", "point")
    )
    assert ("2026-06-08T10:02:00.000+08:00", "2026-06-08T10:03:00.000+08:00") == (message["from"], message["to"])
    assert (50.0, 50.0, 50.0, None, 0.0) == tuple(message[k] for k in ("laeq", "l90", "lmax_sampled", "lamax", "sd"))
    assert (5, 6, 0.8333, {"missing": 1}, True) == tuple(
        message[key] for key in ("n", "due", "valid", "set_aside", "accepted")
    )


def test_longer_periods_come_with_the_minute_that_ends_them(venues: Any) -> None:
    """10 minutes, an hour and a session come when their last minute is kept, each once, with the energy mean."""
    venue = venues("08T14:50:00")
    venue.live("08T15:30:00", 50.0)
    venue.live("08T17:02:00", 60.0)
    messages = venue.come()
    session = next(m for m in messages if m["period"] == "session")

    assert ["hour 08T14:00", "10min 08T14:50", "10min 08T15:00"] == named(messages)[:3]
    assert ["session 08T15:00", "hour 08T16:00", "10min 08T16:50"] == named(messages)[-3:]
    assert 13 + 3 + 1 == len(named(messages)) == len(set(named(messages)))
    assert ("英语", 720, 720, 58.89) == (session["name"], session["n"], session["due"], session["laeq"])
    assert {"impulse": 0, "short": 0, "steady": 0, "varying": 0} != session["events"]
    assert [False, True] == [m["accepted"] for m in messages if m["period"] == "hour"][:2]
    assert [] == venue.come()


def test_days_and_nights(venues: Any) -> None:
    """Ld with the day, Ln and both forms of Ldn with the night after it, each with the hours that it rests on."""
    venue = venues("08T05:58:00")
    venue.every_s, venue.commit_s = 12, 600
    venue.live("08T22:00:00", 55.0)
    venue.live("09T06:10:00", 45.0)
    messages = {m["period"]: m for m in venue.come()}
    day, night = messages["day"], messages["night"]

    assert (55.0, {"accepted": 16, "due": 16, "needed": 12}, True) == (day["laeq"], day["hours"], day["accepted"])
    assert (45.0, 55.0, 53.45) == tuple(
        pytest.approx(night[k], abs=0.03) for k in ("laeq", "ldn_weighted", "ldn_plain")
    )


def test_off_over_the_end_of_periods(venues: Any) -> None:
    """E6: what ended while the gateway was off comes with the first minute after, and says how much of it is there."""
    venue = venues("08T09:50:00")
    venue.live("08T10:05:00")
    venue.come()
    venue.off("08T12:20:00")
    venue.live("08T12:31:20")
    messages = [m for m in venue.come() if m["period"] != "minute"]

    assert ["10min 08T10:00", "hour 08T10:00", "10min 08T12:20"] == named(messages)
    assert (31, 360, False) == (messages[1]["n"], messages[1]["due"], messages[1]["accepted"])


def test_page_by_page_is_the_same(venues: Any) -> None:
    """The same messages come in whatever pieces they are asked for, and byte for byte when they are asked for again."""
    venue = venues("08T09:50:00")
    venue.live("08T11:01:20")
    whole = venue.come()
    venue.place = 0
    pieces = [m for _ in range(80) for m in venue.come(3)]

    assert whole == pieces
    assert 71 == sum(m["period"] == "minute" for m in whole)


def test_a_late_minute_brings_its_periods_again(venues: Any) -> None:
    """E1: the clock is set back: minutes that come a second time bring the periods that they belong to again, and
    themselves with both their lives: a second record takes the place of the first at the far end.
    """
    venue = venues("08T09:50:00")
    venue.live("08T10:02:20")
    venue.come()
    back = at("08T09:58:30")
    venue.now_ = Moment(back.wall_ns, venue.now_.mono_ns)
    venue.live("08T10:00:40", 40.0)
    messages = venue.come()
    again = [m for m in messages if m["period"] != "minute"]
    (twice,) = [m for m in messages if m["period"] == "minute" and "T09:59:00" in m["from"]]

    assert ["10min 08T09:50", "hour 08T09:00"] == sorted(set(named(again)))
    assert 59 < again[-1]["n"]
    assert (12, 50.0, 40.0, 1.0) == tuple(twice[key] for key in ("n", "lmax_sampled", "lmin_sampled", "valid"))
    assert 47.4 == twice["laeq"]


@pytest.mark.parametrize(
    ("meter", "day", "doubts"),
    [
        (Meter(evidence=True, certificate=CERTIFICATE), "08", []),
        (Meter(evidence=True, certificate=CERTIFICATE), "09", ["certificate-expired"]),
        (Meter(evidence=True), "08", ["no-certificate"]),
        (Meter(evidence=False, certificate=CERTIFICATE), "08", ["not-a-sound-level-meter"]),
    ],
)
def test_indicative(venues: Any, meter: Meter, day: str, doubts: list[str]) -> None:
    """What is no certified sound level meter says so in every record."""
    venue = venues(f"{day}T10:02:00")
    venue.meters["gate-noise"] = meter
    venue.live(f"{day}T10:03:20")

    assert [doubts] == [m["indicative"] for m in venue.come()]


def test_with_the_readings(venues: Any, tmp_path: Path) -> None:
    """One cursor goes over readings and records: each wish brings both, and nothing lies between two wishes."""
    venue = venues("08T09:58:00")
    venue.live("08T10:04:20")
    venue.live("08T10:30:20", None)  # the meter is silent: only records are kept
    feeder = Feeder(
        "mqtt",
        ORIGIN,
        lambda: None,  # type: ignore[arg-type, return-value]
        lambda: ReadingsReader(tmp_path, venue.writer),
        lambda: venue.records,
    )
    newest, low = feeder._answer("newest"), 0
    topics: list[str] = []
    while low < newest:
        packed = feeder._answer(ReadingsWish(low, newest, 4, historical=True))
        low = packed.upto
        topics += [m.topic for m in packed.messages]
        checked(packed.messages)

    assert venue.reader.newest() == newest
    assert 32 + 4 + 1 == topics.count("environment/noise/gate-noise")
    assert "environment/reading/gate-noise" in topics
