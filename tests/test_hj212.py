"""The sink of HJ 212 against a strict platform: exchanges, outages, requests, hostile input."""

from __future__ import annotations

import contextlib
import json
import math
import random
import socket
import threading
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from kit_hj212 import CST, MN, PW, Platform, framed
from kit_mqtt import free_port, running, until

from drivers.base import Quality
from gateway.acoustics import energy
from gateway.config import Venue
from gateway.config_hj212 import Hj212
from gateway.errors import Unavailable
from gateway.hj212.factors import FACTORS
from gateway.hj212.link import link_of
from gateway.hj212.uploads import Channel, File, Nights, of_file, of_now
from gateway.journal.readings import ReadingsWriter
from gateway.minute_maker import MinuteMaker
from gateway.minutes import Minute
from gateway.moment import NANO, ClockState, Moment
from gateway.sinks import hj212, hj212_talk
from gateway.sinks.hj212 import Hj212Sink, Sources
from gateway.sinks.hj212_record import Record
from gateway.values import Reading, Readings, RemoteSetting, SinkState

EVERY = {"gate-noise": 20.0, "yard-air": 60.0}
DAY_S = int(datetime(2026, 6, 8, tzinfo=CST).timestamp())
TABLE = f"""
host = "127.0.0.1"
port = 1
mn = "{MN}"
password_file = "none"
over_time = "1s"
re_count = 1

[factors]
LA = "gate-noise/laf"
a34004 = "yard-air/pm2_5"
a01006 = "yard-air/pressure"
"""


class HandClock:
    """Stands still until it is moved; product waits are short."""

    def __init__(self, second: float) -> None:
        self.second, self.state = second, ClockState.SYNCHRONISED

    def now(self) -> Moment:
        return Moment(round(self.second * NANO), round(self.second * NANO), self.state)

    def pause(self, seconds: float) -> float:
        return min(seconds, 0.05)


class Site:
    """A gateway's journal with its readings made by hand, and one sink that sends from it."""

    def __init__(self, folder: Path, start_s: int = DAY_S) -> None:
        self.folder = folder
        self.clock = HandClock(start_s)
        self.told: list[Any] = []
        self.in_session = False
        self.writer = ReadingsWriter(folder, self.clock, self.told.append, CST, maker=MinuteMaker(EVERY))
        self.password = folder / "password"
        self.password.write_text(PW + "\n")

    def sink(self, platform: Platform | int, name: str = "city", **changes: Any) -> Hj212Sink:
        port = platform if isinstance(platform, int) else platform.port
        table = tomllib.loads(TABLE) | {"port": port, "password_file": str(self.password)} | changes
        venue = Venue(id="zj-no1", name="考点")
        link = link_of(name, Hj212.model_validate(table), venue, CST, EVERY)
        sources = Sources(self.folder, self.writer)
        return Hj212Sink(link, sources, self.told.append, self.clock, lambda _now: self.in_session)

    def live(self, minutes: int, *, silent: Callable[[int], bool] = lambda _second: False) -> None:
        """So many minutes of readings pass; the journal has them."""
        for _ in range(minutes):
            second = int(self.clock.second)
            for offset in (0, 20, 40):
                if not silent(second + offset):
                    self.put(second + offset)
            self.clock.second = second + 60
            if (second // 60) % 30 == 29 or (silent(second) and second // 60 % 3 == 0):
                self.writer._turn()
        self.clock.second += 3
        self.writer._turn()
        self.clock.second -= 3

    def put(self, second: int, quality: Quality = Quality.GOOD, reason: str | None = None) -> None:
        at = Moment(second * NANO, second * NANO)
        level = level_at(second) if quality is Quality.GOOD else None
        self.writer.put(Readings("gate-noise", (Reading("gate-noise/laf", level, quality, at, reason),)))
        if second % 60 == 0:
            air = [Reading("yard-air/pm2_5", 20.0 + second % 7, Quality.GOOD, at)]
            air += [Reading("yard-air/pressure", 1004.12, Quality.GOOD, at)]
            self.writer.put(Readings("yard-air", tuple(air)))

    def states(self) -> list[str]:
        return [told.state for told in self.told if isinstance(told, SinkState)]

    def settings(self) -> list[tuple[bool, str]]:
        return [(told.done, told.what) for told in self.told if isinstance(told, RemoteSetting)]


def level_at(second: int) -> float:
    return round(45.0 + 10 * math.sin(second / 997) + second % 11, 1)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Looks more often for what is due: the same turns, sooner."""
    monkeypatch.setattr(hj212, "TURN_S", 0.02)
    monkeypatch.setattr(hj212_talk, "LOOK_EVERY_S", 0.1)


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


@pytest.fixture
def platform() -> Iterator[Platform]:
    with Platform() as made:
        yield made


def times(platform: Platform, cn: str, st: str) -> list[str]:
    return [said.values["DataTime"] for said in platform.said(cn, st)]


def stamps(start_s: int, every_s: int, count: int) -> list[str]:
    return [datetime.fromtimestamp(start_s + n * every_s, CST).strftime("%Y%m%d%H%M%S") for n in range(count)]


def qn(site: Site, milli: int = 0) -> str:
    """Of a platform's request: not of a millisecond in which the station speaks too."""
    return datetime.fromtimestamp(site.clock.second - 30, CST).strftime("%Y%m%d%H%M%S") + f"{milli:03d}"


def own_leq(seconds: range) -> str:
    levels = [level_at(second) for second in seconds]
    return f"{10 * math.log10(sum(10 ** (level / 10) for level in levels) / len(levels)):.1f}"


def own_ldn() -> float:
    """Sixteen hours of the day and eight of the night, those 10 dB up, of the calendar day."""
    hours = [range(DAY_S + h * 3600, DAY_S + h * 3600 + 3600, 20) for h in range(24)]
    means = [sum(10 ** (level_at(s) / 10) for s in hour) / len(hour) for hour in hours]
    return 10 * math.log10(sum(means[6:22] + [10 * m for m in (*means[:6], *means[22:])]) / 24)


# ---- a day, and the same again


def test_a_whole_day_and_the_same_on_request(site: Site, platform: Platform) -> None:
    """Every minute, hour and day file of a day arrives once and in order after an outage of 24 h, with the values of
    the readings; asked for again, the platform gets the same files, no gap and no double.
    """
    sink = site.sink(platform)
    open_again = threading.Event()
    platform.answer = lambda said: said.cn == "2081" or open_again.is_set()
    site.live(1)
    with running(sink.run):
        until(lambda: platform.said("2081"), 10, "2081")
        until(lambda: sink._key is not None, 10, "the cursor")
        site.live(24 * 60 - 1)
        site.clock.second += 20
        open_again.set()
        until(lambda: len(platform.said("2031")) == 2, 30, "the day files")
        first = {(said.cn, said.fields["ST"], said.values["DataTime"]): said.values for said in platform.heard}
        before = len(platform.heard)
        platform.ask("2051", "BeginTime=20260608000000;EndTime=20260609000000", qn=qn(site, 1))
        platform.ask("2061", "BeginTime=20260608000000;EndTime=20260608235959", st="22", qn=qn(site, 2))
        until(lambda: len(platform.answers(qn(site, 1))) >= 2, 20, "9012 of the minutes")
        platform.ask("2061", "BeginTime=20260608000000;EndTime=20260608235959", st="22", qn=qn(site, 3))
        until(lambda: len(platform.answers(qn(site, 3))) >= 2, 20, "9012 of the hours")
    again = [said for said in platform.heard[before:] if said.cn in ("2051", "2061")]

    assert [] == platform.faults
    assert stamps(DAY_S, 600, 144) == times(platform, "2051", "23")[:144] == times(platform, "2051", "22")
    assert stamps(DAY_S, 3600, 24) == times(platform, "2061", "23") == times(platform, "2061", "22")[:24]
    assert stamps(DAY_S, 86400, 1) == times(platform, "2031", "23") == times(platform, "2031", "22")
    assert stamps(DAY_S, 600, 144) == [said.values["DataTime"] for said in again if said.cn == "2051"]
    assert stamps(DAY_S, 3600, 24) == [said.values["DataTime"] for said in again if said.cn == "2061"]
    assert [first[said.cn, said.fields["ST"], said.values["DataTime"]] for said in again] == [s.values for s in again]
    assert [READY, ("9012", {"ExeRtn": "1"})] == platform.answers(qn(site, 1))
    assert [READY, ("9012", {"ExeRtn": "5"})] == platform.answers(qn(site, 2))  # busy with the first
    noon = first["2051", "23", "20260608120000"]
    begin = DAY_S + 12 * 3600
    assert own_leq(range(begin, begin + 600, 20)) == noon["Leq-Data"]
    assert max(level_at(s) for s in range(begin, begin + 600, 20)) == float(noon["LMx-Data"])
    assert "Leq-Flag" not in noon
    day = first["2031", "23", "20260608000000"]
    assert own_leq(range(DAY_S + 6 * 3600, DAY_S + 22 * 3600, 20)) == day["Ld-DayData"]
    assert abs(own_ldn() - float(day["Ldn-Data"])) < 0.06  # sent to 0.1 dB, of figures of 0.01 dB
    air = first["2061", "22", "20260608000000"]
    assert {"a01006-Avg": "100.412", "a01006-Min": "100.412", "a01006-Max": "100.412", "a01006-Flag": "N"} == {
        name: value for name, value in air.items() if name.startswith("a01006")
    }


def test_an_outage_of_13_hours(site: Site) -> None:
    """After 13 h without a platform every missing file comes once, oldest first; real-time values of then do not; the
    cursor is kept over a restart, so nothing is sent twice.
    """
    port = free_port()
    site.live(1)
    sink = site.sink(port)
    with running(sink.run):
        until(lambda: "unreachable" in site.states(), 10, "the outage")
        site.live(1)
    site.live(13 * 60 - 2)
    site.clock.second += 20
    with Platform() as platform:
        platform._listener.close()  # only its judgement is used: it listens on the port of the outage
        platform._listener = socket.create_server(("127.0.0.1", port))
        threading.Thread(target=platform._serve, daemon=True).start()
        sink._key = DAY_S * 1000  # as the run before had it
        with running(sink.run):
            until(lambda: (sink._key or 0) > (DAY_S + 13 * 3600) * 1000 + 10, 20, "the backlog")
        site.writer._turn()
        site.clock.second += 40
        second = site.sink(port)
        count = len(platform.said("2051"))
        with running(second.run):
            until(lambda: len(platform.said("2081")) == 2, 10, "the next run")
            until(lambda: second._key is not None, 10, "its cursor")
            site.live(11)
            until(lambda: len(platform.said("2051")) == count + 2, 10, "the next files")

    assert [] == platform.faults
    assert stamps(DAY_S, 600, 79) == times(platform, "2051", "23") == times(platform, "2051", "22")
    ends = [(said.values["DataTime"], said.cn) for said in platform.heard if said.cn in ("2051", "2061")]
    assert len(set(ends)) * 2 == len(ends)
    assert 1 >= len([said for said in platform.said("2011", "23") if said.values["DataTime"] < "20260608125900"])


def test_silence_is_said_and_never_a_number(site: Site, platform: Platform) -> None:
    """A file of an hour of which half is missing is flagged B; one without any sample has a flag and no figures; a
    time in which the gateway recorded nothing has no file.
    """
    site.live(1)
    sink = site.sink(platform)
    with running(sink.run):
        until(lambda: sink._key is not None, 10, "the cursor")
        site.live(29)
        site.live(40, silent=lambda _second: True)
        site.clock.second += 3600
        site.live(60)
        site.clock.second += 20
        until(lambda: "20260608030000" in times(platform, "2051", "23"), 20, "the files")
    files = {said.values["DataTime"]: said.values for said in platform.said("2051", "23")}
    hours = {said.values["DataTime"]: said.values for said in platform.said("2061", "23")}

    assert [] == platform.faults
    assert {"DataTime": "20260608004000", "Leq-Flag": "B"} == files["20260608004000"]
    assert "20260608012000" not in files
    assert "B" == hours["20260608000000"]["Leq-Flag"]
    assert "Leq-Data" in hours["20260608000000"]


def test_two_platforms_at_once(site: Site) -> None:
    """City and province have each its own number, edition, factors and cursor; one that is away holds up nothing; the
    cursor of one that left the configuration holds no readings back.
    """
    with Platform() as city, Platform(edition="2025", mn="0" * 24) as province:
        first = site.sink(city)
        second = site.sink(
            province, name="province", edition="2025", mn="0" * 24, factors={"a34004": {"point": "yard-air/pm2_5"}}
        )
        city.answer = lambda _said: False
        site.live(1)
        with running(first.run, second.run):
            until(lambda: first._key and second._key, 10, "the cursors")
            site.live(9)
            site.clock.second += 20
            until(lambda: (second._key or 0) > DAY_S * 1000 + 1000, 10, "the file of the province")
        site.writer._turn()
    before = dict(site.writer._cursors)
    site.writer.serve(frozenset({"hj212-province"}))
    site.writer._turn()

    assert [] == city.faults + province.faults
    assert [] == city.said("2051")
    names = {"DataTime", "a34004-Min", "a34004-Avg", "a34004-Max", "a34004-Flag"}
    assert names == province.said("2051")[0].values.keys()
    assert {"hj212-city", "hj212-province"} == before.keys()
    assert before["hj212-city"] == DAY_S * 1000 < before["hj212-province"]
    assert {"hj212-province": before["hj212-province"]} == site.writer._cursors


# ---- exchanges


def test_real_time_values(site: Site, platform: Platform) -> None:
    """2011 has the newest value of each factor in its unit, once an interval; a value that is not good is flagged."""
    with running(site.sink(platform).run):
        site.put(DAY_S)
        site.writer._turn()
        site.clock.second += 1
        until(lambda: len(platform.said("2011")) == 2, 10, "the first values")
        site.put(DAY_S + 31, Quality.INVALID, "out of range")
        site.writer._turn()
        site.clock.second = DAY_S + 32
        until(lambda: len(platform.said("2011", "23")) == 2, 10, "the next")
        site.clock.second = DAY_S + 91
        site.put(DAY_S + 91, Quality.MISSING)
        site.writer._turn()
        until(lambda: len(platform.said("2011", "23")) == 3, 10, "the last")
    noise = [said.values for said in platform.said("2011", "23")]

    assert [] == platform.faults
    assert [
        {"DataTime": "20260608000000", "LA-Rtd": f"{level_at(DAY_S):.1f}", "LA-Flag": "N"},
        {"DataTime": "20260608000031", "LA-Flag": "T"},
        {"DataTime": "20260608000131", "LA-Flag": "B"},
    ] == noise
    assert "100.412" == platform.said("2011", "22")[0].values["a01006-Rtd"]


@pytest.mark.parametrize(("age_s", "sent"), [(0, True), (14, True), (16, False), (-16, False), (-3600, False)])
def test_values_are_of_now(site: Site, age_s: int, sent: bool) -> None:
    """A reading of some cycles ago is not sent as of now, and none of a time to come: the clock was set back since."""
    (noise,) = [channel for channel in site.sink(1).link.channels if channel.code == "LA"]
    at = Moment((DAY_S - age_s) * NANO, 0)
    noise = replace(noise, fresh_s=15.0)
    upload = of_now("23", [noise], {noise.point: Reading(noise.point, 50.0, Quality.GOOD, at)}, DAY_S * NANO, CST)

    assert sent == (upload is not None)


def hasty(sink: Hj212Sink) -> Hj212Sink:
    """Waits 0.2 s for an answer; less than the configuration allows."""
    sink.link = replace(sink.link, terms=replace(sink.link.terms, over_time_s=0.2))  # type: ignore[arg-type]
    return sink


def test_an_answer_that_does_not_come(site: Site, platform: Platform) -> None:
    """Without an answer the same bytes come again ReCount times, then the link is begun anew; the cursor stays."""
    raws: list[bytes] = []

    def count(said: Any) -> bool:
        if said.cn == "2051":
            raws.append(said.raw)
        return said.cn != "2051" or len(raws) > 3

    platform.answer = count
    site.live(1)
    sink = hasty(site.sink(platform))
    with running(sink.run):
        until(lambda: sink._key is not None, 10, "the cursor")
        site.live(9)
        site.clock.second += 20
        until(lambda: "unreachable" in site.states(), 10, "the link is given up")
        key = sink._key
        until(lambda: sink._key is not None and key is not None and sink._key > key, 15, "the file is answered")

    assert [] == platform.faults
    assert raws[0] == raws[1]
    assert raws[1] != raws[2]
    assert ["connecting", "connected", "unreachable", "connected"] == site.states()[:4]


def test_a_platform_that_answers_nothing_keeps_its_files(site: Site, platform: Platform) -> None:
    """Retries, then a new connection, and again: the oldest file first each time, the cursor stays, the link is said to
    be of no use and which message it is, also while the platform asks things; when it answers at last, every file
    comes, in order.
    """
    platform.answer = lambda _said: False
    site.live(1)
    sink = hasty(site.sink(platform))
    with running(sink.run):
        until(lambda: sink._key is not None, 10, "the cursor")
        site.live(29)
        site.clock.second += 20
        until(lambda: "unreachable" in site.states(), 10, "the link is given up")
        asked = set()

        def answered() -> bool:
            """Asks once a connection: one that is just ending carries nothing."""
            if platform.connections not in asked:
                asked.add(platform.connections)
                with contextlib.suppress(OSError):
                    platform.ask("1061", qn=qn(site))
            return bool(platform.answers(qn(site)))

        until(answered, 15, "what it asks")
        until(lambda: len({said.connection for said in platform.said("2051")}) >= 3, 15, "three tries")
        tried, key = set(times(platform, "2051", "22") + times(platform, "2051", "23")), sink._key
        said = [told for told in site.told if isinstance(told, SinkState)]
        platform.heard.clear()
        platform.answer = lambda _said: True
        until(lambda: len(times(platform, "2051", "23")) >= 3, 15, "all files")

    assert [] == platform.faults
    assert {"20260608000000"} == tried
    assert (DAY_S + 60) * 1000 == key
    assert "connected" not in [told.state for told in said]
    assert "the platform does not answer 2051" in [told.detail for told in said]
    assert stamps(DAY_S, 600, 3) == sorted(set(times(platform, "2051", "23")))


def test_values_without_an_answer_hold_up_no_file(site: Site, platform: Platform) -> None:
    """A platform that answers files and no real-time values gets both: the values without a wish for an answer."""
    platform.answer = lambda said: said.cn != "2011"
    site.live(1)
    sink = hasty(site.sink(platform))
    with running(sink.run):
        until(lambda: sink._key is not None, 10, "the cursor")
        for _ in range(3):
            site.live(10)
            site.clock.second += 20
            site.put(int(site.clock.second))
            site.writer._turn()
            site.clock.second += 1
            count = len(platform.said("2011", "23"))
            until(lambda: len(platform.said("2011", "23")) > count, 10, "a value")  # noqa: B023
            site.clock.second -= 21
        until(lambda: len(times(platform, "2051", "23")) >= 3, 15, "the files")

    assert [] == platform.faults
    assert stamps(DAY_S, 600, 3) == times(platform, "2051", "23")
    assert {"4", "5"} == {said.fields["Flag"] for said in platform.said("2011")}
    assert {"5"} == {said.fields["Flag"] for said in platform.said("2051")}
    assert 3 >= platform.connections


def test_a_platform_of_which_no_answers_are_known(site: Site, platform: Platform) -> None:
    """With `answers = false` nothing asks for an answer, and a file counts when the platform's machine has its bytes:
    each comes once, in order, and the state says what that is worth.
    """
    platform.answer = lambda _said: False
    site.live(1)
    sink = site.sink(platform, answers=False)
    with running(sink.run):
        until(lambda: sink._key is not None, 10, "the cursor")
        site.live(59)
        site.clock.second += 20
        until(lambda: (sink._key or 0) > (DAY_S + 3600) * 1000 + 10, 15, "all files")
    (detail,) = {told.detail for told in site.told if isinstance(told, SinkState) and told.state == "connected"}

    assert [] == platform.faults
    assert stamps(DAY_S, 600, 6) == times(platform, "2051", "22") == times(platform, "2051", "23")
    assert ["20260608000000"] == times(platform, "2061", "23")
    assert {"4"} == {said.fields["Flag"] for said in platform.heard}
    assert 1 == platform.connections
    assert "no answers" in detail


@pytest.mark.parametrize("password", ["1;2", "1234567", "", "12 34", "密码"])
def test_a_password_that_is_none(site: Site, platform: Platform, password: str) -> None:
    """What cannot stand in a frame is never sent; the link says so."""
    site.password.write_text(password)
    with running(site.sink(platform).run):
        until(lambda: site.states() == ["refused"], 10, "the refusal")

    assert 0 == platform.connections


def test_a_record_that_cannot_be_read(site: Site, platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stored files that were asked for and cannot be read end in ExeRtn=2: neither success nor "there is nothing"."""

    def broken(*_: object) -> Iterator[None]:
        raise Unavailable("the card")

    site.live(30)
    site.clock.second += 20
    sink = site.sink(platform)
    monkeypatch.setattr(Record, "files", broken)
    with running(sink.run):
        platform.ask("2051", "BeginTime=20260608000000;EndTime=20260608010000", qn=qn(site))
        until(lambda: len(platform.answers(qn(site))) == 2, 10, "the result")

    assert [READY, ("9012", {"ExeRtn": "2"})] == platform.answers(qn(site))


def test_a_request_that_wants_no_answer(site: Site, platform: Platform) -> None:
    """It gets what it asks for, and no 9011 and 9012."""
    with running(site.sink(platform).run):
        platform.ask("1061", qn=qn(site, 1), Flag=4)
        platform.ask("1063", qn=qn(site, 2))
        until(lambda: len(platform.answers(qn(site, 2))) == 3, 10, "the next one's answers")

    assert [("1061", {"RtdInterval": "30"})] == platform.answers(qn(site, 1))


READY = ("9011", {"QnRtn": "1"})
READ = [
    ("1061", "", [READY, ("1061", {"RtdInterval": "30"}), ("9012", {"ExeRtn": "1"})]),
    ("1063", "", [READY, ("1063", {"MinInterval": "10"}), ("9012", {"ExeRtn": "1"})]),
    ("1011", "", [READY, ("1011", {"SystemTime": "20260608000000"}), ("9012", {"ExeRtn": "1"})]),
    ("1012", "SystemTime=20260608000001", [READY, ("9012", {"ExeRtn": "1"})]),
    ("1012", "SystemTime=20260608001000", [READY, ("9012", {"ExeRtn": "2"})]),
    ("1012", "SystemTime=2026", [READY, ("9012", {"ExeRtn": "3"})]),
    ("1000", "OverTime=5;ReCount=3", [READY, ("9012", {"ExeRtn": "1"})]),
    ("1000", "OverTime=100;ReCount=3", [READY, ("9012", {"ExeRtn": "3"})]),
    ("1062", "RtdInterval=60", [READY, ("9012", {"ExeRtn": "1"})]),
    ("1062", "RtdInterval=29", [READY, ("9012", {"ExeRtn": "3"})]),
    ("1062", "RtdInterval=\u0663\u0660", [READY, ("9012", {"ExeRtn": "3"})]),
    ("1064", "MinInterval=5", [READY, ("9012", {"ExeRtn": "1"})]),
    ("1064", "MinInterval=7", [READY, ("9012", {"ExeRtn": "3"})]),
    ("1072", "NewPW=654321", [("9011", {"QnRtn": "2"})]),
    ("2012", "", [("9013", {})]),
    ("2011", "", [READY, ("9012", {"ExeRtn": "1"})]),
    (
        "2051",
        "BeginTime=20260101000000;EndTime=20260101010000",
        [READY, ("9012", {"ExeRtn": "100"})],
    ),
    ("2051", "BeginTime=20260101000000;EndTime=20260601010000", [READY, ("9012", {"ExeRtn": "3"})]),
    ("2041", "BeginTime=20260101000000;EndTime=20260101010000", [("9011", {"QnRtn": "8"})]),
    ("3020", "", [("9011", {"QnRtn": "8"})]),
]


def test_requests_and_their_answers(site: Site, platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each request gets the answers that the standard has for it, with its own QN, in order."""
    monkeypatch.setattr("gateway.hj212.parley.BURST", 1000.0)
    with running(site.sink(platform).run):
        for number, (cn, cp, expected) in enumerate(READ):
            platform.ask(cn, cp, qn=qn(site, number))
            until(lambda: len(platform.answers(qn(site, number))) >= len(expected), 10, f"{cn} {cp}")  # noqa: B023

    assert [] == platform.faults
    assert [case[2] for case in READ] == [platform.answers(qn(site, number)) for number in range(len(READ))]


@pytest.mark.parametrize(
    ("changes", "qnrtn"),
    [
        ({"PW": "000000"}, "3"),
        ({"MN": MN.replace("A", "B")}, "4"),
        ({"MN": MN[:14]}, "4"),
        ({"st": "32"}, "5"),
        ({"Flag": 13}, "6"),
        ({"qn": "20260101000000000"}, "7"),
        ({"cn": "3011"}, "8"),
    ],
)
def test_a_wrong_request_changes_nothing(site: Site, platform: Platform, changes: dict[str, Any], qnrtn: str) -> None:
    """A request with one wrong field is told which, is counted, and sets nothing."""
    sink = site.sink(platform)
    wrong = {"cn": "1062", "cp": "RtdInterval=60", "qn": qn(site, 1)} | changes
    with running(sink.run):
        platform.ask(**wrong)
        until(lambda: platform.answers(wrong["qn"]), 10, "the refusal")
        platform.ask("1061", qn=qn(site, 2))
        until(lambda: len(platform.answers(qn(site, 2))) == 3, 10, "the interval")

    assert [("9011", {"QnRtn": qnrtn})] == platform.answers(wrong["qn"])
    assert {"RtdInterval": "30"} == platform.answers(qn(site, 2))[1][1]
    assert [] == site.settings()
    assert 1 == sum(count for name, count in sink.counts.items() if name.startswith("request-"))


def test_a_repeated_request_is_answered_again_and_done_once(site: Site, platform: Platform) -> None:
    """The same QN twice: the same answers twice, one setting on record."""
    with running(site.sink(platform).run):
        for _ in range(2):
            platform.ask("1062", "RtdInterval=90", qn=qn(site))
        until(lambda: len(platform.answers(qn(site))) == 4, 10, "both answers")

    assert [True] == [done for done, _ in site.settings()]


def test_nothing_is_set_in_a_session_and_what_was_set_is_kept(site: Site, platform: Platform) -> None:
    """While an exam is on a setting is refused and recorded; outside one it is recorded, in force, and outlives a
    restart; a password set by the platform, where that is allowed, too, in a file that only we may read.
    """
    allowed = {"may_set": ["intervals", "password"]}
    site.in_session = True
    asked = [qn(site, number) for number in range(6)]
    with running(site.sink(platform, **allowed).run):
        platform.ask("1062", "RtdInterval=120", qn=asked[1])
        until(lambda: platform.answers(asked[1]), 10, "the refusal")
        site.in_session = False
        platform.ask("1062", "RtdInterval=120", qn=asked[2])
        platform.ask("1000", "OverTime=9;ReCount=9", qn=asked[3])
        platform.ask("1072", "NewPW=abcdef", qn=asked[4])
        until(lambda: len(platform.answers(asked[4])) == 2, 10, "the password")
    platform.pw = "abcdef"
    site.clock.second += 1
    with running(site.sink(platform, **allowed).run):
        until(lambda: platform.connections == 2, 10, "the next connection")
        platform.ask("1061", qn=asked[5])
        until(lambda: len(platform.answers(asked[5])) == 3, 10, "the interval")
    kept = site.folder / "hj212-city.json"

    assert [] == platform.faults
    assert [("9011", {"QnRtn": "2"})] == platform.answers(asked[1])
    assert [("9011", {"QnRtn": "2"})] == platform.answers(asked[3])
    assert {"RtdInterval": "120"} == platform.answers(asked[5])[1][1]
    assert [False, True, False, True] == [done for done, _ in site.settings()]
    assert "abcdef" in kept.read_text()  # set from afar, it stands nowhere else
    assert "abcdef" not in json.dumps([what for _, what in site.settings()])
    assert 0o600 == kept.stat().st_mode & 0o777


@pytest.mark.parametrize(
    ("edition", "mn", "factors"),
    [
        ("2005", "ABCDEFG1234567", {"LA": {"point": "gate-noise/laf"}}),
        ("2025", MN, {"LA": {"point": "gate-noise/laf"}}),
    ],
)
def test_other_editions(site: Site, edition: str, mn: str, factors: dict[str, Any]) -> None:
    """2005 with the MODBUS CRC and QN inside its answers; 2025 with its heartbeat and noise every minute."""
    with Platform(edition=edition, mn=mn, modbus=edition == "2005") as platform:
        crc = "modbus" if edition == "2005" else "standard"
        sink = site.sink(platform, edition=edition, mn=mn, crc=crc, factors=factors)
        site.live(1)
        with running(sink.run):
            until(lambda: sink._key is not None, 10, "the cursor")
            site.live(10)
            site.clock.second += 20
            platform.ask("1061", qn=qn(site))
            until(lambda: len(platform.answers(qn(site))) == 3, 10, "an answer")
            until(lambda: "20260608000000" in times(platform, "2051", "23"), 10, "a file")
            if edition == "2025":
                until(lambda: platform.said("9015"), 10, "a heartbeat")
                until(lambda: len(times(platform, "2051", "23")) >= 10, 10, "ten files of a minute")
                platform.ask("2051", "BeginTime=20260608000000;EndTime=20260608000100", qn=qn(site, 7))
                until(lambda: len(platform.answers(qn(site, 7))) == 2, 10, "the file again")

    assert [] == platform.faults
    first = [said.values for said in platform.said("2051") if said.values["DataTime"] == "20260608000000"]
    assert (edition == "2025") == ("RF" in first[-1])


def test_a_clock_that_nobody_sets(site: Site, platform: Platform) -> None:
    """Unsynchronised, the station asks with 1013; what the platform then says of the time is recorded, not obeyed."""
    site.clock.state = ClockState.UNSYNCHRONISED
    with running(site.sink(platform).run):
        until(lambda: platform.said("1013"), 10, "1013")
        platform.ask("1012", "SystemTime=20260608003000", qn=qn(site))
        until(lambda: len(platform.answers(qn(site))) == 2, 10, "the answer")

    assert [] == platform.faults
    assert ["its clock and ours differ by -1800.0 s; ours is not set by a platform"] == [w for _, w in site.settings()]


def test_a_platform_that_knows_no_2081(site: Site, platform: Platform) -> None:
    """It is asked once; then the data goes without."""
    platform.answer = lambda said: said.cn != "2081"
    site.put(DAY_S)
    site.writer._turn()
    with running(hasty(site.sink(platform)).run):
        until(lambda: len(platform.said("2011")) == 2, 15, "real-time values")

    assert 1 == len({said.qn for said in platform.said("2081")})


def test_two_packets(site: Site, platform: Platform) -> None:
    """A message of over 950 characters leaves in numbered packets, each answered, none over the limit."""
    sink = site.sink(platform)
    wide = [((f"a{number:05d}-Avg", "12345.678"), (f"a{number:05d}-Flag", "N")) for number in range(40)]
    upload = hj212.Upload("2061", "22", (("DataTime", "20260608000000"),), tuple(wide), key=7)
    sink.stored = lambda _minute, _now: upload if sink._key != 7 else None  # type: ignore[method-assign]
    with running(sink.run):
        until(lambda: sink._key == 7, 10, "the answers")
    packets = platform.said("2061")

    assert [] == platform.faults
    assert [("2", "1"), ("2", "2")] == [(said.fields["PNUM"], said.fields["PNO"]) for said in packets]
    assert [name for item in wide for name, _ in item] == [
        name for said in packets for name in said.values if name != "DataTime"
    ]


# ---- hostile input

HEAD = "QN=20260608000000001;ST=23"
HOSTILE = [
    ("wrong length", b"##0010QN=2026&&0000\r\n" + b"x" * 20),
    ("letters for a length", b"##00A0" + b"y" * 40 + b"\r\n"),
    (
        "bad CRC",
        framed(f"QN=20260608000000001;ST=23;CN=1062;PW={PW};MN={MN};Flag=5;CP=&&RtdInterval=60&&")[:-6] + b"0000\r\n",
    ),
    ("a giant", b"##9999" + b"z" * 50_000),
    ("no segment", framed("hello")),
    ("binary", bytes(range(256)) * 8),
    ("a stranger's answer", framed(f"QN=20260608000000001;ST=91;CN=9014;PW={PW};MN={MN};Flag=4;CP=&&&&")),
    ("an answer with a wrong password", framed(f"QN=20260608000000001;ST=91;CN=9014;PW=0;MN={MN};Flag=4;CP=&&&&")),
    ("half a frame", b"##0101QN=2026060800"),
]


def test_hostile_bytes_are_dropped_and_counted(site: Site, platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each kind of bad input, half a frame last: all counted, nothing set, and the next good request is answered."""
    monkeypatch.setattr("gateway.hj212.parley.HALF_FRAME_S", 0.3)
    sink = site.sink(platform)
    with running(sink.run):
        until(lambda: platform.said("2081"), 10, "2081")
        for _, data in HOSTILE:
            platform.send(data)
        until(lambda: sink.counts["half"], 20, "half a frame is given up")
        platform.ask("1061", qn=qn(site, 9))
        until(lambda: len(platform.answers(qn(site, 9))) == 3, 10, "the answer")

    assert {"tail", "length", "crc", "segment", "junk", "stray", "answer-PW", "half"} <= sink.counts.keys()
    assert [] == site.settings()
    assert 1 == platform.connections


def test_a_flood_is_read_slowly(site: Site, platform: Platform) -> None:
    """Of a flood of good requests only a few a second are answered, the rest is counted; it ends and all is well."""
    sink = site.sink(platform)
    request = f"ST=23;CN=1061;PW={PW};MN={MN};Flag=5;CP=&&&&"
    with running(sink.run):
        until(lambda: platform.said("2081"), 10, "2081")
        platform.send(b"".join(framed(f"QN={qn(site, n)};{request}") for n in range(400)))
        until(lambda: sink.counts["flood"] > 300, 20, "the flood is dropped")

    assert 3 * 100 > len(platform.said("9011"))


def test_random_bytes(site: Site) -> None:
    """Ten thousand mutated frames and random pieces: nothing is raised, nothing is set, little is kept."""
    from gateway.hj212.parley import Allowance, Parley, Stamps
    from gateway.hj212.requests import Conduct

    link = site.sink(1).link
    terms = link.terms.__class__(**{**{f: getattr(link.terms, f) for f in link.terms.__slots__}, "password": PW})
    conduct = Conduct(terms, link.may_set, lambda _now: False, lambda _terms: None)
    parley = Parley(link.party, conduct, Stamps(CST), Allowance(1, 20), site.clock.now())
    dice = random.Random(212)
    frames = [case["frame"].encode() + b"\r\n" for case in tomllib.loads(FRAMES.read_text())["case"]]
    for number in range(10_000):
        data = bytearray(dice.choice(frames))
        for _ in range(dice.randrange(4)):
            data[dice.randrange(len(data))] = dice.randrange(256)
        piece = bytes(data[: dice.randrange(len(data) + 1)]) if number % 3 else bytes(data)
        site.clock.second += 0.01
        list(parley.receive(piece, site.clock.now()))
        list(parley.tick(site.clock.now()))
        parley.out.clear()

    assert terms == conduct.terms
    assert 1036 >= parley._splitter.waiting
    assert 64 >= len(parley._answered)


def test_any_good_frame(site: Site) -> None:
    """Fifteen hundred well-formed requests with any command, system and values: nothing is raised, and every one that
    is answered at all is answered with a code of the standard.
    """
    from gateway.hj212.parley import Allowance, Parley, Stamps
    from gateway.hj212.requests import Asked, Conduct
    from gateway.hj212.segment import parse

    sink = site.sink(1)
    terms = replace(sink.link.terms, password=PW)
    conduct = Conduct(terms, sink.link.may_set | {"password"}, lambda _now: False, lambda _terms: None)
    free = Allowance(1e9, 1e9)
    parley = Parley(sink.link.party, conduct, Stamps(CST), free, site.clock.now())
    parley._allowance = free
    sink._record = Record(sink.link, site.folder)
    dice = random.Random(2025)
    commands = [*sorted(sink.link.party.edition.commands), "2021", "2041", "3019", "9014"]
    names = ["BeginTime", "EndTime", "SystemTime", "OverTime", "ReCount", "RtdInterval", "MinInterval", "NewPW", "X"]
    values = ["0", "-1", "30", "99999999999999", "00010101000000", "20260608000000", "20991231235959", "", "\u0663"]
    period = "BeginTime=20260608000000;EndTime=20260608120000"
    codes = set()
    for number in range(1500):
        wild = ";".join(f"{dice.choice(names)}={dice.choice(values)}" for _ in range(dice.randrange(4)))
        cp = period if number % 5 == 0 else wild
        head = f"QN={qn(site, number % 1000)};ST={dice.choice(['22', '23', '32', '91'])};CN={dice.choice(commands)}"
        segment = f"{head};PW={conduct.terms.password};MN={MN};Flag={dice.choice([0, 1, 4, 5, 9])};CP=&&{cp}&&"
        site.clock.second += 1
        for outcome in parley.receive(framed(segment), site.clock.now()):
            if isinstance(outcome, Asked):
                list(sink.asked(outcome, conduct.terms.minute, site.clock.now()))
                parley.finish(outcome, 0)
        while parley.out:
            said = parse(parley.out.popleft()[6:-6])
            codes |= {(name, said.value(name)) for name in ("QnRtn", "ExeRtn") if said.value(name)}

    assert {"1", "3", "100"} <= {code for name, code in codes if name == "ExeRtn"}
    assert {"1", "5", "8"} <= {code for name, code in codes if name == "QnRtn"}
    assert {"1", "2", "3", "4", "5", "6", "7", "8", "9", "100"} >= {code for name, code in codes if name == "QnRtn"}
    assert 30 <= conduct.terms.realtime_s <= 3600


def test_settings_are_few(site: Site, platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of many settings only some are taken, since each is an event; the same value again is none."""
    monkeypatch.setattr("gateway.hj212.parley.BURST", 1000.0)
    with running(site.sink(platform).run):
        until(lambda: platform.said("2081"), 10, "2081")
        for number in range(24):
            platform.ask("1062", f"RtdInterval={60 + number // 2}", qn=qn(site, number))
            until(lambda: platform.answers(qn(site, number)), 10, "an answer")  # noqa: B023

    refused = [number for number in range(24) if platform.answers(qn(site, number))[0][1] == {"QnRtn": "2"}]

    assert [20, 21, 22, 23] == refused[-4:]
    assert 10 == len(site.settings())


FRAMES = Path(__file__).parent / "hj212_frames.toml"


def test_stamps_always_rise() -> None:
    """QNs rise by at least a millisecond, also in the same instant and after the clock was set back."""
    from gateway.hj212.parley import Stamps

    stamps, at = Stamps(UTC), Moment(1_780_000_000 * NANO, 0)
    given = [
        stamps.next(at),
        stamps.next(at),
        stamps.next(Moment(at.wall_ns - 3600 * NANO, 0)),
        stamps.next(at.after(9)),
    ]

    assert sorted(set(given)) == given
    assert datetime.fromtimestamp(1_780_000_009, UTC) - timedelta(0) == datetime.strptime(
        given[-1][:14], "%Y%m%d%H%M%S"
    ).replace(tzinfo=UTC)


def test_ldn_is_the_one_of_every_other_output() -> None:
    """Ld, Ln and Ldn are made of accepted hours; a night with too few leaves Ldn out, and the flag says why."""
    channel = Channel(FACTORS["LA"], "LA", "gate-noise/laf", "dB(A)", "dB(A)", 1, "23")
    file = File("2031", "23", DAY_S, DAY_S + 86_400, 0)

    def minute(start_s: int, level: float, n: int = 3) -> Minute:
        hundredths = round(level * 100)
        total, aside = n * energy(hundredths), {"wind": 3 - n} if n < 3 else {}
        return Minute("gate-noise/laf", start_s, 3, n, total, level, level, level, {hundredths: n}, aside)

    def sent(*silent_hours: int) -> dict[str, str]:
        minutes = []
        for number in range(24):
            level, n = (55.0 if 6 <= number < 22 else 45.0), (1 if number in silent_hours else 3)
            minutes += [minute(DAY_S + number * 3600 + at_s, level + 30 * (n < 3), n) for at_s in range(0, 3600, 60)]
        upload = of_file(file, [channel], minutes, Nights(), CST)
        assert upload is not None
        return dict(pair for item in upload.items for pair in item)

    whole, few = sent(), sent(1, 2, 3)

    assert ("55.0", "55.0", "45.0") == (whole["Ldn-Data"], whole["Ld-DayData"], whole["Ln-NightData"])
    assert ("55.0", "45.0", "M") == (few["Ld-DayData"], few["Ln-NightData"], few["Ldn-Flag"])
    assert "Ldn-Data" not in few
    assert "Ldn-Flag" not in whole
