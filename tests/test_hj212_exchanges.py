"""Exchanges of HJ 212 with a strict platform: answers that come and do not, requests, settings, editions."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from kit_hj212 import CST, MN, Platform
from kit_hj212_site import (
    DAY_S,
    READY,
    Site,
    hasty,
    level_at,
    qn,
    quick_site,
    stamps,
    times,
)
from kit_mqtt import running, until

from drivers.base import Quality
from gateway.errors import Unavailable
from gateway.hj212.uploads import of_now
from gateway.moment import NANO, ClockState, Moment
from gateway.sinks import hj212
from gateway.sinks.hj212_record import Record
from gateway.values import Reading, SinkState


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    return quick_site(tmp_path, monkeypatch)


@pytest.fixture
def platform() -> Iterator[Platform]:
    with Platform() as made:
        yield made


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


def test_a_slow_device_does_not_hide_the_newest_values(site: Site) -> None:
    """An air station that is read every ten minutes: the level beside it is the newest all the same, not one of half an
    hour ago that is no longer sent.
    """
    record = slow_air(site)
    for block in range(100):
        put(site, DAY_S + 4 * block)
    (air, noise) = record.values(site.clock.now())

    assert ("LA-Rtd", f"{level_at(site.clock.second):.1f}") == noise.items[0][0]
    assert "N" == dict(air.items[0])["a34004-Flag"]
    put(site, DAY_S + 400)
    assert ("LA-Rtd", f"{level_at(DAY_S + 400):.1f}") == record.values(site.clock.now())[1].items[0][0]
    record.close()


def test_values_are_of_this_life_of_the_clock(site: Site) -> None:
    """E1: after the clock was set back a day what is sent as of now was measured now, not when it last stood so."""
    record = slow_air(site)
    for second in (*range(0, 280, 4), 86_400):
        put(site, DAY_S + second)
    for second in (244, 248, 252):
        put(site, DAY_S + second, Quality.MISSING)
    noise = record.values(site.clock.now())[-1]

    assert "23" == noise.st
    assert ((("LA-Flag", "B"),),) == noise.items
    record.close()


def slow_air(site: Site) -> Record:
    """What the record holds for a platform to which an air station is read every ten minutes."""
    link = site.sink(1).link
    fresh_s = {"LA": 15.0, "a34004": 1800.0, "a01006": 1800.0}
    channels = tuple(replace(channel, fresh_s=fresh_s[channel.code]) for channel in link.channels)
    return Record(replace(link, channels=channels), site.folder, site.writer)


def put(site: Site, second: int, quality: Quality = Quality.GOOD) -> None:
    """A block of the record."""
    site.clock.second = second
    site.put(second, quality)
    site.writer._turn()


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
