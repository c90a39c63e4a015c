"""Hostile input to HJ 212: bytes, frames, floods, and what a platform may set too often."""

from __future__ import annotations

import random
import tomllib
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from kit_hj212 import CST, MN, PW, Platform, framed
from kit_hj212_site import (
    FRAMES,
    Site,
    qn,
    quick_site,
)
from kit_mqtt import running, until

from gateway.moment import NANO, Moment
from gateway.sinks.hj212_record import Record


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    return quick_site(tmp_path, monkeypatch)


@pytest.fixture
def platform() -> Iterator[Platform]:
    with Platform() as made:
        yield made


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
